"""Tab completion of `obid ctl`: names of what runs, asked of the daemon, and nothing where none answers at once."""

from collections.abc import Iterable, MutableMapping
from pathlib import Path
from typing import Any, TextIO

import typer

from config.errors import ConfigError
from daemon.__main__ import SHELL
from daemon.errors import ObidError

ANSWER_S = 0.5
"""Whoever presses TAB does not wait longer; a shell that hangs is worse than one that knows nothing."""

COLON = ":"


class Cut:
    """Standard output whose lines lose what bash has taken for words of their own: it replaces the last one alone."""

    def __init__(self, stream: TextIO, before: str):
        self._stream = stream
        self.before = before

    def write(self, text: str) -> int:
        """Write lines, each without its beginning. Raises TypeError for bytes, as streams of text do."""
        lines = str.splitlines(text, keepends=True)
        self._stream.write("".join(line.removeprefix(self.before) for line in lines))
        return len(text)

    def __getattr__(self, name: str) -> Any:
        return getattr(self._stream, name)


def mend_bash_words(environment: MutableMapping[str, str]) -> str:
    """Put together again what bash took apart at colons: `xyz`, `:`, `MS` is one symbol that is being typed.

    Gives what of it bash will not replace.
    """
    if environment.get(SHELL) != "complete_bash":
        return ""
    words, at = environment.get("COMP_WORDS", "").split("\n"), int(environment.get("COMP_CWORD", "0"))
    mended: list[str] = []
    now = at
    for number, word in enumerate(words):
        joins = number > 0 and (word == COLON or (mended[-1].endswith(COLON) and word != ""))
        if joins and number <= at:
            now -= 1
        if joins:
            mended[-1] += word
        else:
            mended.append(word)
    environment["COMP_WORDS"], environment["COMP_CWORD"] = "\n".join(mended), str(now)
    typed = mended[now] if now < len(mended) else ""
    return typed[: typed.rfind(COLON) + 1]


def names(context: typer.Context) -> dict[str, Any]:
    """What can be named in the daemon of the data directory that the line names; empty where nobody answers."""
    from daemon.control_client import ControlClient
    from daemon.options import parse_data_dir

    given = context.params.get("data_dir")
    try:
        with ControlClient(parse_data_dir(Path(given) if given else None), ANSWER_S) as client:
            answer: dict[str, Any] = client.ask("names")
            return answer
    except (ObidError, ConfigError, OSError, ValueError):
        return {}


def fitting(known: Iterable[str], incomplete: str) -> list[str]:
    """Those that begin so."""
    return [name for name in known if name.startswith(incomplete)]


def engines(context: typer.Context, incomplete: str) -> list[str]:
    """Engines that run."""
    return fitting(names(context).get("engines", {}), incomplete)


def symbols(context: typer.Context, incomplete: str) -> list[str]:
    """Symbols that are traded, of the engine on the line if one is."""
    known = names(context).get("engines", {})
    engine = context.params.get("engine") or ""
    return fitting([s for name, traded in known.items() if engine in ("", name) for s in traded], incomplete)


def actors(context: typer.Context, incomplete: str) -> list[str]:
    """Actors by their names in `ps`."""
    return fitting(names(context).get("actors", ()), incomplete)


def orders(context: typer.Context, incomplete: str) -> list[str]:
    """Orders that are not over."""
    return fitting(names(context).get("orders", ()), incomplete)


def orders_and_symbols(context: typer.Context, incomplete: str) -> list[str]:
    """What `explain` takes."""
    return [*symbols(context, incomplete), *orders(context, incomplete)]


def tunables(_: typer.Context, incomplete: str) -> list[str]:
    """Values that can be changed while it runs; nobody need be asked."""
    from config.tuning import TUNABLES

    return fitting(TUNABLES, incomplete)


def symbol_or_value(context: typer.Context, incomplete: str) -> list[str]:
    """Behind a name that symbols may have for themselves their names, else what a switch can be."""
    from config.tuning import TUNABLES

    tunable = TUNABLES.get(context.params.get("name") or "")
    if tunable is None:
        return []
    if tunable.by_symbol:
        return symbols(context, incomplete)
    return fitting(("true", "false", "default") if tunable.kind is bool else ("default",), incomplete)


def value(context: typer.Context, incomplete: str) -> list[str]:
    """What a switch can be, and how a change is taken back."""
    switch = context.params.get("name") == "entries"
    return fitting(("on", "off", "default") if switch else ("default",), incomplete)


def events(_: typer.Context, incomplete: str) -> list[str]:
    """Names of events."""
    from daemon.event_docs import events as kinds
    from daemon.logs import event_of

    return fitting([event_of(kind) for kind in kinds()], incomplete)
