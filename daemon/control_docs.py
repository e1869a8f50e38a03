"""The tables of docs/control.md, out of the types: verbs and their arguments, limits, tunable values, answers."""

import inspect
from collections.abc import Iterator
from typing import get_type_hints

from msgspec import NODEFAULT, Struct
from msgspec.structs import fields

from config.tuning import TUNABLES
from daemon import snapshot
from daemon.control_socket import URGENT, Limits
from daemon.event_docs import _type, comments
from daemon.verbs import ARGS, DOES

ANSWERS: dict[str, tuple[str, tuple[type[Struct], ...]]] = {
    "status": ("object", (snapshot.StatusAnswer,)),
    "ps": ("list", (snapshot.ActorRow,)),
    "snapshot": ("object", (snapshot.Snapshot,)),
    "names": ("object", (snapshot.Names,)),
    "positions": ("list", (snapshot.PositionRow,)),
    "orders": ("list", (snapshot.OrderRow,)),
    "explain": ("object", (snapshot.Explanation, snapshot.WhyAnswer)),
    "get": ("list", (snapshot.TunedRow,)),
    "reload": ("object", (snapshot.Reloaded,)),
    "subscribe": ("its arguments, then events", ()),
}
"""What a verb answers where it is not an Outcome."""


def tables() -> str:
    """All tables, as they stand in the page."""
    return "\n".join([*_verbs(), "", *_limits(), "", *_tunables(), "", *_answers()]) + "\n"


def _verbs() -> Iterator[str]:
    yield "## Verbs"
    yield ""
    yield "Arguments are optional where a default stands; an empty text means all of them. *Urgent*: answered however"
    yield "crowded the socket is."
    yield ""
    yield "| verb | does | arguments | answers |"
    yield "|---|---|---|---|"
    for verb, kind in ARGS.items():
        shape, kinds = ANSWERS.get(verb, ("object", (snapshot.Outcome,)))
        answer = " or ".join(f"[{one.__name__}](#{one.__name__.lower()})" for one in kinds)
        answer = f"list of {answer}" if shape == "list" else answer or shape
        urgent = ". *Urgent*" if verb in URGENT else ""
        yield f"| `{verb}` | {DOES[verb]}{urgent} | {_arguments(kind)} | {answer} |"


def _arguments(kind: type[Struct]) -> str:
    hints, said = get_type_hints(kind), comments(kind)
    parts = []
    for field in fields(kind):
        default = "" if field.default is NODEFAULT else f" = {_json(field.default)}"
        words = f" ({said[field.name]})" if field.name in said else ""
        parts.append(f"`{field.name}`: {_type(hints[field.name])}{default}{words}")
    return "; ".join(parts) or "none"


def _json(value: object) -> str:
    return {"": '`""`', False: "`false`", (): "`[]`"}.get(value, f"`{value}`")


def _limits() -> Iterator[str]:
    said, limits = comments(Limits), Limits()
    yield "## Limits"
    yield ""
    yield "| limit | is | |"
    yield "|---|---|---|"
    for name in Limits.__struct_fields__:
        yield f"| `{name}` | {getattr(limits, name):,} | {said.get(name, '')} |"


def _tunables() -> Iterator[str]:
    yield "## Values that can be changed while it runs"
    yield ""
    yield "| name | what | by symbol | direction |"
    yield "|---|---|---|---|"
    for name, one in TUNABLES.items():
        by_symbol = "only" if name == "entries" else "or for all" if one.by_symbol else "no"
        yield f"| `{name}` | {one.what} | {by_symbol} | {'stricter only' if one.limit else 'both'} |"


def _answers() -> Iterator[str]:
    yield "## Answers"
    yield ""
    yield "`_minor` is millionths of a dollar, `_ns` nanoseconds since 1970 (UTC); sizes and prices are text."
    todo = [kind for _, kinds in ANSWERS.values() for kind in kinds] + [snapshot.Outcome]
    done: list[type[Struct]] = []
    while todo:
        kind = todo.pop(0)
        if kind in done:
            continue
        done.append(kind)
        todo += [one for one in _inside(kind) if one not in done]
        said, hints = comments(kind), get_type_hints(kind)
        yield ""
        yield f"### {kind.__name__}"
        yield ""
        yield " ".join(inspect.cleandoc(kind.__doc__ or "").split())
        yield ""
        yield "| field | type | |"
        yield "|---|---|---|"
        for name in kind.__struct_fields__:
            yield f"| `{name}` | {_type(hints[name])} | {said.get(name, '')} |"


def _inside(kind: type[Struct]) -> list[type[Struct]]:
    """Structs of ours that a struct's fields are made of."""
    text = " ".join(str(hint) for hint in get_type_hints(kind).values())
    return [one for name, one in vars(snapshot).items() if isinstance(one, type) and f"snapshot.{name}" in _words(text)]


def _words(text: str) -> set[str]:
    parts = text.replace("'", " ").split("snapshot.")[1:]
    return {f"snapshot.{part.split(maxsplit=1)[0].strip('],>|')}" for part in parts}
