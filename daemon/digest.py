"""The digest of a run: one hash over every decision in order, equal when two runs decided the same.

Each message is one JSON line, its type's name and its fields in the order of the class. JSON and not msgpack: a nan has
many bit patterns, machines differ in which they make, and in JSON every nan is null. Wall-clock fields (`*_ns`) are
left out unless asked for, at every depth. Two runs that differ can be compared line by line.
"""

from collections.abc import Callable
from hashlib import sha256
from operator import attrgetter
from typing import Any, get_args, get_type_hints

from msgspec import Struct
from msgspec.json import Encoder

PREFIX = "sha256:"
Plain = Callable[[Any], Any]


class Digest:
    """A running hash over messages."""

    def __init__(self, include_time: bool = False):
        self.include_time = include_time
        self.messages = 0
        self._hash = sha256()
        self._encode = Encoder(order="deterministic").encode  # sorts the keys of dicts
        self._fields: dict[type, Callable[[Any], Any]] = {}

    def update(self, message: Struct) -> None:
        """Take the next message in."""
        self.messages += 1
        self._hash.update(self.line(message))

    def line(self, message: Struct) -> bytes:
        """A message as the line that is hashed."""
        kind = type(message)
        fields = self._fields.get(kind) or self._learn(kind)
        return self._encode((kind.__name__, fields(message))) + b"\n"

    def hexdigest(self) -> str:
        """The digest so far, `sha256:` and 64 hex digits."""
        return PREFIX + self._hash.hexdigest()

    def _learn(self, kind: type) -> Callable[[Any], Any]:
        """How to read the fields of a type as plain data; worked out once, because it takes longer than hashing."""
        fields = self._fields[kind] = whole if self.include_time else self._timeless(kind)
        return fields

    def _timeless(self, kind: type) -> Callable[[Any], Any]:
        names = tuple(name for name in kind.__struct_fields__ if not name.endswith("_ns"))  # type: ignore[attr-defined]
        if not names:
            return nothing
        hints = get_type_hints(kind)
        nested = tuple(at for at, name in enumerate(names) if may_hold_time(hints[name]))
        read: Callable[[Any], Any] = attrgetter(*names)
        if not nested:
            return read
        one, strip = len(names) == 1, self._stripped

        def deep(message: Any) -> Any:
            values = [read(message)] if one else list(read(message))
            for at in nested:
                values[at] = strip(values[at])
            return values

        return deep

    def _stripped(self, value: Any) -> Any:
        """A value of a field without the times inside it."""
        if isinstance(value, Struct):
            kind = type(value)
            return kind.__name__, (self._fields.get(kind) or self._learn(kind))(value)
        if isinstance(value, tuple | list):
            return [self._stripped(part) for part in value]
        if isinstance(value, dict):
            return {key: self._stripped(part) for key, part in value.items()}
        return value


def whole(message: Any) -> Any:
    """A message with its times: as it is."""
    return message


def nothing(_message: Any) -> Any:
    """A message of which only the name counts."""
    return None


def may_hold_time(annotation: Any, seen: tuple[Any, ...] = ()) -> bool:
    """Whether a value of this annotation can have a time in it, however deep; if not, it is hashed as it is."""
    if annotation in seen:
        return False
    seen = (*seen, annotation)
    if isinstance(annotation, type) and issubclass(annotation, Struct):
        hints = get_type_hints(annotation)
        return any(name.endswith("_ns") or may_hold_time(hint, seen) for name, hint in hints.items())
    parts = (*get_args(annotation), *filter(None, [getattr(annotation, "__bound__", None)]))
    return annotation is Any or any(may_hold_time(part, seen) for part in parts)
