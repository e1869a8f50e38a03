"""Layers of TOML, later ones over earlier ones: packaged, the operator's files, the command line; and who said what."""

import re
import tomllib
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

from config.errors import ConfigError

Table = dict[str, Any]
KEY = r"""(?:"[^"]*"|'[^']*'|[\w-]+)"""
HEADER = re.compile(rf"\s*\[\s*({KEY}(?:\s*\.\s*{KEY})*)\s*\]")
ASSIGNMENT = re.compile(rf"\s*({KEY}(?:\s*\.\s*{KEY})*)\s*=")


class Layer(NamedTuple):
    """One table that changes the ones before it, and where it was read."""

    table: Table
    source: str  # a file or "command line"
    text: str = ""
    prefix: tuple[str, ...] = ()  # where the table stands in that file

    def origin(self, path: Sequence[str]) -> str:
        """Where this layer says something of a path: file and line, or empty if it doesn't."""
        inside: Any = self.table
        for part in path:
            if not isinstance(inside, Mapping) or part not in inside:
                return ""
            inside = inside[part]
        line = line_of(self.text, (*self.prefix, *path))
        return f"{self.source} line {line}" if line else self.source


def read(path: Path) -> tuple[Table, str]:
    """A TOML file as a table and as text; ConfigError if it can't be read or is no TOML."""
    try:
        text = path.read_text(encoding="utf-8")
        return tomllib.loads(text), text
    except OSError as error:
        raise ConfigError(str(path), f"can't be read: {error.strerror}") from None
    except UnicodeDecodeError:
        raise ConfigError(str(path), "must be text in UTF-8") from None
    except tomllib.TOMLDecodeError as error:
        raise ConfigError(str(path), f"is no TOML: {error}") from None


def merge(layers: Sequence[Layer]) -> Table:
    """One table: tables are merged, everything else is replaced by the layer that comes later."""
    merged: Table = {}
    for layer in layers:
        merged = _merged(merged, layer.table)
    return merged


def origin(layers: Sequence[Layer], path: Sequence[str]) -> str:
    """Where the value of a path comes from: the last layer that says it."""
    return next((found for layer in reversed(layers) if (found := layer.origin(path))), "")


def line_of(text: str, path: Sequence[str]) -> int:
    """The line of a TOML text that assigns a path, 0 if not found; read simply, as tomllib keeps no positions."""
    table: tuple[str, ...] = ()
    for number, line in enumerate(text.splitlines(), 1):
        if header := HEADER.match(line):
            table = _keys(header[1])
            if table == tuple(path):
                return number
        elif assignment := ASSIGNMENT.match(line):
            assigned = table + _keys(assignment[1])
            if assigned == tuple(path)[: len(assigned)]:
                return number
    return 0


def _keys(dotted: str) -> tuple[str, ...]:
    return tuple(key.strip("\"'") for key in re.findall(KEY, dotted))


def _merged(below: Table, above: Table) -> Table:
    both = dict(below)
    for key, value in above.items():
        old = both.get(key)
        both[key] = _merged(old, value) if isinstance(old, dict) and isinstance(value, dict) else value
    return both
