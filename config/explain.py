"""What would be right: turns pydantic's errors into one line about one field."""

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from decimal import Decimal
from difflib import get_close_matches
from pathlib import Path
from types import UnionType
from typing import Annotated, Any, Literal, Union, get_args, get_origin

from pydantic import BaseModel, SecretStr, ValidationError
from pydantic.fields import FieldInfo

from config.errors import ConfigError

KINDS = {
    SecretStr: "text",
    int: "a whole number",
    bool: "true or false",
    str: "text",
    dict: "a table",
    tuple: "a list",
    Path: "a path",
}
BOUNDS = {"gt": "above {}", "ge": "at least {}", "lt": "below {}", "le": "at most {}"}
CHOICES_MAX = 24
"""A refusal lists what would be right only up to this many; nobody reads a line of 141 symbols."""


def nearest(word: str, known: Iterable[str]) -> str:
    """A hint that ends a refusal of a name: the nearest known one, or all of them where they are few."""
    by_lower = {name.lower(): name for name in known}
    if close := get_close_matches(word.lower(), by_lower, n=1):
        return f"did you mean {by_lower[close[0]]}?"
    return f"known are {', '.join(by_lower.values())}" if len(by_lower) <= CHOICES_MAX else f"{len(by_lower)} are known"


def explain(
    error: ValidationError, model: type[BaseModel], engine: str, origin: Callable[[Sequence[str]], str]
) -> ConfigError:
    """The first of pydantic's complaints, as the line an operator can act on; the others are counted."""
    first = error.errors(include_url=False)[0]
    path = [str(part) for part in first["loc"] if part != "[key]"]
    others = f"; {error.error_count() - 1} more after it" if error.error_count() > 1 else ""
    value = first["input"]
    if first["type"] == "missing":
        right, value = f"is missing; {must_be(model, path)}", None
    elif first["type"] == "extra_forbidden":
        right = f"no such setting; {nearest(path[-1], _siblings(model, path))}"
    elif "[key]" in first["loc"]:
        right, value = f"no such name; {must_be(model, path)}", None
    else:
        right = must_be(model, path)
        value = None if _declared(model, path)[0] is SecretStr else value
    return ConfigError(".".join(filter(None, [engine, *path])), right + others, value, origin(path))


def not_a_number(model: type[BaseModel], table: Mapping[str, Any]) -> tuple[Sequence[str], object] | None:
    """The first text or flag where a number belongs: its path and itself.

    pydantic's strict mode lets two of them pass: text that reads as a Decimal, and true where 1 is one of the choices.
    """
    for path, value in _leaves(table):
        if isinstance(value, str | bool):
            try:
                kind, _ = _declared(model, path)
            except KeyError:  # no such setting: pydantic says it better
                continue
            if kind is Decimal or (get_origin(kind) is Literal and isinstance(get_args(kind)[0], int)):
                return path, value
    return None


def must_be(model: type[BaseModel], path: Sequence[str]) -> str:
    """What the value at a path has to be, read from its declaration."""
    kind, bounds = _declared(model, path)
    if get_origin(kind) is Literal:
        return f"must be one of {', '.join(map(str, get_args(kind)))}"
    name = "a table" if _is_model(kind) else KINDS.get(get_origin(kind) or kind, "a finite number")
    return " ".join(filter(None, ["must be", name, " and ".join(bounds)]))


def _declared(model: type[BaseModel], path: Sequence[str]) -> tuple[Any, list[str]]:
    """Type and bounds of what stands at a path."""
    kind: Any = model
    bounds: list[str] = []
    for part in path:
        if _is_model(kind):
            field = kind.model_fields[part]
            kind, bounds = field.annotation, _bounds(field.metadata)
        elif get_origin(kind) is dict:
            keys, values = get_args(kind)
            kind = keys if part not in get_args(keys) and get_origin(keys) is Literal else values
            bounds = []
        elif get_args(kind):
            kind, bounds = get_args(kind)[0], []
        kind, more = _plain(kind)
        bounds += more
    return kind, bounds


def _plain(kind: Any) -> tuple[Any, list[str]]:
    """A type without its Annotated and its None, and the bounds that were in them."""
    if get_origin(kind) in (Union, UnionType):
        return _plain(next(part for part in get_args(kind) if part is not type(None)))
    if get_origin(kind) is Annotated:
        inner, *metadata = get_args(kind)
        plain, bounds = _plain(inner)
        return plain, _bounds(metadata) + bounds
    return kind, []


def _bounds(metadata: Sequence[Any]) -> list[str]:
    """Bounds in words, lower ones first."""
    flat = [part for item in metadata for part in (item.metadata if isinstance(item, FieldInfo) else [item])]
    found = {name: getattr(part, name) for part in flat for name in BOUNDS if hasattr(part, name)}
    return [BOUNDS[name].format(found[name]) for name in BOUNDS if found.get(name) is not None]


def _leaves(table: Mapping[str, Any], path: tuple[str, ...] = ()) -> Iterator[tuple[Sequence[str], object]]:
    for key, value in table.items():
        if isinstance(value, Mapping):
            yield from _leaves(value, (*path, key))
        else:
            yield (*path, key), value


def _siblings(model: type[BaseModel], path: Sequence[str]) -> Iterable[str]:
    kind, _ = _declared(model, path[:-1])
    return kind.model_fields if _is_model(kind) else ()


def _is_model(kind: Any) -> bool:
    return isinstance(kind, type) and issubclass(kind, BaseModel)
