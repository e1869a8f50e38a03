"""Keeps secrets out of the log by the name of the field; by the value itself: supervisor/secrets.py."""

import re
from collections.abc import Iterator
from typing import Any, get_args, get_type_hints

from msgspec import Struct

from supervisor.secrets import MASK

TOO_DEEP = "..."
DEPTH_MAX = 20
"""Levels of nesting that are looked through; nothing obid says has more than five."""
SECRET_NAME = re.compile(
    r"secret|passw|passphrase|api_?key|private_?key|mnemonic|credential|authorization|(^|_)(token|auth|pwd|signature)(_|$)",
    re.IGNORECASE,
)
"""Names of fields that hold secrets, whatever is in them. `seed` and `key` are none: a seed is published on purpose."""


def is_secret_name(name: str) -> bool:
    """Whether a field of this name is to be masked."""
    return SECRET_NAME.search(name) is not None


def masked(data: Any, depth: int = DEPTH_MAX) -> Any:
    """Plain data with the value of every secret-looking name masked, and with what is nested too deep left out."""
    if not depth and isinstance(data, dict | list | tuple):
        return TOO_DEEP
    if isinstance(data, dict):
        return {
            name: MASK if isinstance(name, str) and is_secret_name(name) else masked(value, depth - 1)
            for name, value in data.items()
        }
    if isinstance(data, list | tuple):
        return [masked(value, depth - 1) for value in data]
    return data


def has_secret_names(kind: type[Struct]) -> bool:
    """Whether a struct, or one inside it, has a field that looks like a secret."""
    return any(is_secret_name(name) for inner in structs_in(kind, set()) for name in inner.__struct_fields__)


def structs_in(annotation: Any, seen: set[Any]) -> Iterator[type[Struct]]:
    """Every struct that an annotation can stand for, through unions, containers and type variables."""
    if annotation in seen:
        return
    seen.add(annotation)
    if isinstance(annotation, type) and issubclass(annotation, Struct):
        yield annotation
        for inner in get_type_hints(annotation).values():
            yield from structs_in(inner, seen)
    for part in (*get_args(annotation), getattr(annotation, "__bound__", None)):
        yield from structs_in(part, seen)
