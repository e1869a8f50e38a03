"""JSON to the letter: what two readers could read differently is refused.

NaN and numbers that no float holds, a name that is twice in one object, text behind the end, bytes that are no UTF-8,
and nesting that no request here needs.
"""

import json
from typing import Any

import msgspec

DEPTH_MAX = 100
"""Nothing here needs more than six."""
NAME_MAX = 80  # characters of a name that are told


class BadJson(ValueError):
    """A body that is no JSON; `field` is the name that is there twice."""

    def __init__(self, right: str, field: str = "") -> None:
        super().__init__(right)
        self.field = field


def strict_json(body: bytes) -> Any:
    """What a body says. Raises BadJson."""
    try:
        depth = _depth(msgspec.json.decode(body))
        if depth <= DEPTH_MAX:
            return json.loads(body, object_pairs_hook=_once_each)
    except (msgspec.DecodeError, UnicodeError) as error:
        raise BadJson(f"the body is not JSON: {error}") from None
    except RecursionError:
        pass
    raise BadJson(f"the body is nested deeper than {DEPTH_MAX}")


def _once_each(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    """An object whose names are each there once. Raises BadJson."""
    found = dict(pairs)
    if len(found) == len(pairs):
        return found
    seen = set[str]()
    for name, _ in pairs:
        if name in seen:
            break
        seen.add(name)
    raise BadJson(f"{name[:NAME_MAX]}: is twice in one object", name)


def _depth(value: Any) -> int:
    """How deep lists and objects are nested in each other."""
    depth, level = 0, [value]
    while level:
        inner: list[Any] = []
        for part in level:
            if isinstance(part, dict):
                inner += part.values()
            elif isinstance(part, list):
                inner += part
        depth, level = depth + 1, inner
    return depth
