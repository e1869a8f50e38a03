"""Reads the JSONL log back: rotated files in order, filtered, followed while the daemon writes."""

import json
from collections.abc import Iterator
from pathlib import Path
from threading import Event
from typing import Any, BinaryIO

from msgspec import Struct

from daemon.errors import BadInput, Failed
from daemon.log_lines import RESERVED, LineChecker
from daemon.options import parse_duration_ns
from daemon.times import iso_of, ns_of

LOG_FOLDER, LOG_NAME = "log", "obid.jsonl"
"""The log is <data_dir>/log/obid.jsonl; rotated files carry .1 (newest), .2 and so on."""
LEVELS = ("debug", "info", "warning", "error", "critical")
FOLLOW_S = 0.2
"""How often a followed log is looked at: faster than an eye, slower than a load."""
TAIL_BYTES = 64 * 1024
"""Room for the longest last line: a traceback is bounded well below it."""


class LogFilter(Struct, frozen=True):
    """Which lines to show; everything empty shows all."""

    events: frozenset[str] = frozenset()
    symbol: str = ""
    level: str = ""  # this or worse
    since: str = ""  # ISO time
    until: str = ""  # ISO time, not itself
    engine: str = ""
    run: str = ""  # id, or the beginning of it

    def passes(self, line: dict[str, Any]) -> bool:
        """Whether a line is wanted."""
        at = str(line.get("at", ""))
        return (
            (not self.events or line.get("event") in self.events)
            and (not self.level or severity(str(line.get("level"))) >= severity(self.level))
            and (not self.since or at >= self.since)
            and (not self.until or at < self.until)
            and (not self.engine or names(line, self.engine, "engine"))
            and str(line.get("run", "")).startswith(self.run)
            and (not self.symbol or names(line, self.symbol))
        )


def severity(level: str) -> int:
    """A level's place from debug up; an unknown one is the worst, so that it is not hidden."""
    return LEVELS.index(level) if level in LEVELS else len(LEVELS)


def names(fields: Any, value: str, field: str = "symbol") -> bool:
    """Whether a symbol (or engine) stands anywhere in a line: a refusal holds it inside its wish."""
    if isinstance(fields, dict):
        return fields.get(field) == value or any(names(part, value, field) for part in fields.values())
    return isinstance(fields, list) and any(names(part, value, field) for part in fields)


def log_files(data_dir: Path) -> list[Path]:
    """The log's files, oldest first. Raises Failed when there are none."""
    folder = data_dir / LOG_FOLDER
    rotated = sorted(
        (file for file in folder.glob(f"{LOG_NAME}.*") if file.suffix[1:].isdigit()),
        key=lambda file: int(file.suffix[1:]),
        reverse=True,
    )
    files = [*rotated, *filter(Path.exists, [folder / LOG_NAME])]
    if not files:
        raise Failed(f"{folder / LOG_NAME}: there is no log here; has obid run with this data directory?")
    return files


def time_of(text: str, newest: str, option: str = "--since") -> str:
    """'10m' before the log's newest line, or an ISO time, as the ISO text that lines are compared with.

    A length counts from the newest line and not from now, because the log of a replay tells the time it replayed.
    """
    if not text:
        return ""
    if text[0].isdigit() and text[-1] in "smhd":
        return iso_of(ns_of(newest) - parse_duration_ns(text, option)) if newest else ""
    try:
        return iso_of(ns_of(text))
    except ValueError as error:
        raise BadInput(option, text, "a length of time (10m) or a time (2026-10-01T12:00:00)") from error


def newest_at(data_dir: Path) -> str:
    """When the last line of the log was written; empty when it has none."""
    for file in reversed(log_files(data_dir)):
        with file.open("rb") as log:
            log.seek(max(0, log.seek(0, 2) - TAIL_BYTES))
            for line in reversed(log.read().splitlines()):
                if at := parsed(line).get("at"):
                    return str(at)
    return ""


def parsed(line: bytes) -> dict[str, Any]:
    """One line as an object; a foreign line becomes an event that says so instead of hiding."""
    try:
        found = json.loads(line)
    except (ValueError, RecursionError):
        found = None
    if isinstance(found, dict):
        return found
    return {"event": "unreadable_line", "text": line.decode(errors="replace")}


def read(data_dir: Path, wanted: LogFilter, follow: bool = False) -> Iterator[dict[str, Any]]:
    """Wanted lines, oldest first; with follow, those that are still to come as well.

    What is damaged or missing is told whatever was wanted: it may have been just that.
    """
    # A cheap look at the bytes first: parsing every line of a large log would take seconds per hundred thousand.
    marks = [f'"event":{json.dumps(event)}'.encode() for event in wanted.events] or [b""]
    files, checker = log_files(data_dir), LineChecker()
    for file in files:
        with file.open("rb") as log:
            for line in checker.check(followed(log, file) if follow and file == files[-1] else log, file):
                if isinstance(line, dict):
                    yield line
                elif any(mark in line for mark in marks) and wanted.passes(found := parsed(line)):
                    yield found


def followed(log: BinaryIO, path: Path) -> Iterator[bytes]:
    """Lines as they are written, over rotations; a line is given once it is whole."""
    pause, part = Event(), b""
    while True:
        if chunk := log.readline():
            part += chunk
            if part.endswith(b"\n"):
                yield part
                part = b""
        elif path.exists() and path.stat().st_ino != inode(log):
            with path.open("rb") as newer:  # the writer rotated: what follows is in a new file
                yield from followed(newer, path)
        else:
            pause.wait(FOLLOW_S)


def inode(log: BinaryIO) -> int:
    """Which file an open one is, whatever its name has become."""
    from os import fstat

    return fstat(log.fileno()).st_ino


def line_text(line: dict[str, Any]) -> str:
    """A line as people read it: time, level, event, then its fields."""
    fields = " ".join(f"{name}={plain(value)}" for name, value in line.items() if name not in RESERVED)
    at = str(line.get("at", "")).replace("T", " ")[:23]
    return f"{at}  {line.get('level', '')!s:<8} {line.get('event', '')}  {fields}".rstrip()


def plain(value: Any) -> str:
    """A field's value: text as it is, everything else as JSON."""
    return value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)
