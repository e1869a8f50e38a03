"""The shape of JSON frames: order of keys, types of values, how numbers in text are written."""

import json
import re
from collections.abc import Collection
from typing import Any

NUMBER = re.compile(r"-?(0|[1-9]\d*)(\.(\d+))?")
BARE = re.compile(r"-?(0|[1-9]\d*)(\.\d*[1-9])?")
"""A number without trailing zeros."""


def shape(value: Any) -> Any:
    """A value without its content: keys in their order, names of types; a list has the shapes of its elements."""
    match value:
        case dict():
            return [(key, shape(part)) for key, part in value.items()]
        case list():
            parts = [shape(part) for part in value]
            return [part for at, part in enumerate(parts) if part not in parts[:at]]
        case str():
            return "number text" if NUMBER.fullmatch(value) else "text" if value else "no text"
        case _:
            return type(value).__name__


def less(value: Any, later: Collection[str]) -> Any:
    """A value without the keys that venues added after the recording."""
    match value:
        case dict():
            return {key: less(part, later) for key, part in value.items() if key not in later}
        case list():
            return [less(part, later) for part in value]
        case _:
            return value


def shape_of(frame: bytes | str, later: Collection[str] = ()) -> Any:
    """The shape of a frame."""
    return shape(less(json.loads(frame), later))


def numbers(value: Any) -> list[str]:
    """All numbers in text, however deep."""
    match value:
        case dict():
            return [text for part in value.values() for text in numbers(part)]
        case list():
            return [text for part in value for text in numbers(part)]
        case str() if NUMBER.fullmatch(value):
            return [value]
        case _:
            return []


def decimals(text: str) -> int:
    """Decimals of a number in text."""
    return len(text.partition(".")[2])
