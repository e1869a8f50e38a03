"""docs/events.md, written from the message types themselves: what each event of the log is, field by field.

A field's words are the comment behind it in the source, so that whoever changes a message changes its documentation.
"""

import ast
import inspect
import tokenize
from collections.abc import Iterable, Iterator
from io import StringIO
from types import UnionType
from typing import Any, get_args, get_type_hints

from msgspec import Struct

from daemon import graph
from daemon.log_lines import RESERVED
from daemon.logs import LEVELS, event_of
from daemon.session import QUIET

HEAD = """# Events of the log

Written by `obid logs --document` from the message types; a test holds them together. Every line opens with the five
fields of [log-schema.md](log-schema.md) and ends with `crc`; here are the event's own. `lots` and `ticks` are whole
numbers that the instrument gives their worth, `_minor` is millionths of a dollar, `_ns` nanoseconds since 1970 (UTC),
`_ms` and `_s` lengths of time. An empty `engine` means all of them. Events that are no messages (`run_started`,
`run_ended`, `venue_says` ...) are in the schema. The same messages go to `obid ctl subscribe`.
"""

UNITS = (
    ("_minor", "millionths of a dollar"),
    ("_ns", "time"),
    ("_ms", "milliseconds"),
    ("_s", "seconds"),
    ("_usd", "dollars"),
    ("_bps", "basis points"),
)


def events() -> tuple[type[Struct], ...]:
    """Messages that are lines of the log, by the name of their event."""
    return tuple(sorted(set(graph.TOLD) - QUIET, key=event_of))


def document() -> str:
    """The whole page."""
    kinds = events()
    parts = sorted(_parts(kinds) - set(kinds), key=lambda kind: kind.__name__)
    lines = [HEAD]
    for kind in kinds:
        lines += [
            f"## `{event_of(kind)}`",
            "",
            f"{LEVELS.get(kind.__name__, 'info')}. {_words(kind)}",
            "",
            *_table(kind),
            "",
        ]
    lines += ["# Parts", "", "What stands inside fields of others.", ""]
    for kind in parts:
        lines += [f"## {kind.__name__}", "", _words(kind), "", *_table(kind), ""]
    return "\n".join(lines).rstrip() + "\n"


def _words(kind: type) -> str:
    return " ".join(inspect.cleandoc(kind.__doc__ or "").split())


def _table(kind: type[Struct]) -> Iterator[str]:
    said, hints = comments(kind), get_type_hints(kind)
    yield "| field | type | |"
    yield "|---|---|---|"
    for name in kind.__struct_fields__:
        words = said.get(name) or next((unit for end, unit in UNITS if name.endswith(end)), "")
        logged = f"{name}_" if name in RESERVED else name
        yield f"| `{logged}` | {_type(hints[name])} | {words.replace('|', chr(92) + '|')} |"


def comments(kind: type) -> dict[str, str]:
    """The comment behind each field of a class, those of its bases included."""
    found: dict[str, str] = {}
    for base in reversed(kind.__mro__):
        if base.__module__.split(".")[0] not in ("builtins", "msgspec", "typing"):
            found |= _comments_of(inspect.cleandoc("\n" + inspect.getsource(base)))
    return found


def _comments_of(source: str) -> dict[str, str]:
    """Comments by field, from the source of one class."""
    behind = {
        token.start[0]: token.string.removeprefix("#").strip()
        for token in tokenize.generate_tokens(StringIO(source).readline)
        if token.type == tokenize.COMMENT
    }
    body = ast.parse(source).body[0]
    assert isinstance(body, ast.ClassDef)
    fields = (node for node in body.body if isinstance(node, ast.AnnAssign) and isinstance(node.target, ast.Name))
    return {node.target.id: behind[node.end_lineno or 0] for node in fields if node.end_lineno in behind}  # type: ignore[union-attr]


NAMES: dict[Any, str] = {int: "whole number", float: "number", str: "text", bool: "true or false", type(None): "null"}
PLAIN: dict[str, str] = {"Decimal": "decimal as text", "Any": "anything"}


def _type(hint: Any) -> str:
    """A type as JSON has it."""
    if hint in NAMES:
        return NAMES[hint]
    name, inside = getattr(hint, "__name__", str(hint)), [one for one in get_args(hint) if one is not ...]
    if isinstance(hint, UnionType) or name == "Union":
        return " or ".join(dict.fromkeys(map(_type, inside)))
    if name in PLAIN:
        return PLAIN[name]
    if name in ("tuple", "list", "frozenset"):
        return f"list of {_type(inside[0])}"
    if name == "dict":
        return f"object, {_type(inside[0])} to {_type(inside[1])}"
    if isinstance(hint, type) and hasattr(hint, "__members__"):
        return ", ".join(f"`{one.value}`" for one in hint)  # type: ignore[attr-defined]
    if name == "Literal":
        return ", ".join(f"`{one}`" for one in inside)
    if constraints := getattr(hint, "__constraints__", ()):
        return " or ".join(map(_type, constraints))
    if bound := getattr(hint, "__bound__", None):
        return _type(bound)
    return f"[{name}](#{name.lower()})" if isinstance(hint, type) and issubclass(hint, Struct) else f"`{name}`"


def _parts(kinds: Iterable[type]) -> set[type[Struct]]:
    """Structs that stand inside the fields of others, however deep."""
    found: set[type[Struct]] = set()

    def look(hint: Any) -> None:
        if isinstance(hint, type) and issubclass(hint, Struct) and hint not in found:
            found.add(hint)
            for inner in get_type_hints(hint).values():
                look(inner)
        parts = (*get_args(hint), *filter(None, [getattr(hint, "__bound__", None)]))
        for part in parts:
            look(part)

    for kind in kinds:
        for hint in get_type_hints(kind).values():
            look(hint)
    return found
