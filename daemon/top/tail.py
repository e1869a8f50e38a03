"""Tail: warnings of the log that no snapshot carries, and its last words; read from the file, past the daemon."""

import os
from pathlib import Path
from typing import Any, BinaryIO

from daemon.log_lines import RESERVED
from daemon.log_reader import LOG_FOLDER, LOG_NAME, parsed, plain, severity
from daemon.snapshot import DecisionRow
from daemon.times import ns_of

TOLD = frozenset(("child_crashed", "drift", "cash_drift", "held_outside", "invariant_broken", "dead_letter"))
"""Warnings and worse that the board tells in its own words; a dead letter is the other half of a crash."""

BYTES_MAX = 256 * 1024
"""How much of the file is read at once: the last minutes at first, and of a flood later only its end."""

CHARS_MAX = 300
"""Of a line's fields: a traceback is for `obid logs`."""


class LogTail:
    """Follows the log of a data directory, over rotations; a log that cannot be read is an empty one."""

    def __init__(self, data_dir: Path):
        self.path = data_dir / LOG_FOLDER / LOG_NAME
        self._file: BinaryIO | None = None
        self._at = 0
        self._part = b""

    def read(self) -> list[DecisionRow]:
        """New warnings, oldest first."""
        try:
            lines = self._lines()
        except OSError:
            self.close()
            return []
        rows = (row_of(parsed(line)) for line in lines)
        return [row for row in rows if row is not None]

    def close(self) -> None:
        """Let go of the file."""
        if self._file is not None:
            self._file.close()
        self._file, self._at, self._part = None, 0, b""

    def _lines(self) -> list[bytes]:
        found: list[bytes] = []
        if self._file is not None:
            found = self._new()
            if os.fstat(self._file.fileno()).st_ino == self.path.stat().st_ino:
                return found
            self.close()  # the writer rotated: what follows is in a new file
        self._file = self.path.open("rb")
        return found + self._new()

    def _new(self) -> list[bytes]:
        """Whole lines since the last time; the first of a part is left out, because it may be half a line."""
        assert self._file is not None
        end = self._file.seek(0, os.SEEK_END)
        skipped = end - self._at > BYTES_MAX
        start = end - BYTES_MAX if skipped else self._at
        self._file.seek(start)
        text = (b"" if skipped else self._part) + self._file.read(end - start)
        *lines, part = text.split(b"\n")
        self._at, self._part = end, part
        return lines[1:] if skipped else lines


def row_of(line: dict[str, Any]) -> DecisionRow | None:
    """A line as a row of the log pane; None where it is no warning, or the snapshot tells it."""
    event = str(line.get("event", ""))
    if severity(str(line.get("level"))) < severity("warning") or event in TOLD:
        return None
    try:
        at_ns = ns_of(str(line.get("at", "")))
    except ValueError:
        return None  # no line of ours
    hidden = {*RESERVED, "exception", "engine", "symbol"}
    text = " ".join(f"{name}={plain(value)}" for name, value in line.items() if name not in hidden)
    where, symbol = (str(line.get(name, "")) for name in ("engine", "symbol"))
    return DecisionRow(at_ns=at_ns, engine=where, symbol=symbol, event=event, text=text[:CHARS_MAX])


def last_words(data_dir: Path) -> tuple[int, str]:
    """When the log was last written, by the file's own date, and how its last run ended; (0, "") without a log."""
    path = data_dir / LOG_FOLDER / LOG_NAME
    try:
        with path.open("rb") as log:
            log.seek(max(0, log.seek(0, os.SEEK_END) - BYTES_MAX))
            lines = log.read().splitlines()
            at_ns = os.fstat(log.fileno()).st_mtime_ns
    except OSError:
        return 0, ""
    for raw in reversed(lines):
        if b'"event":"run_ended"' in raw:
            line = parsed(raw)
            wrongs = "; ".join(map(str, line.get("wrongs") or ()))
            return at_ns, f"it ended: {line.get('reason', '')}{f' ({wrongs})' if wrongs else ''}"
        if b'"event":"run_started"' in raw:
            break
    return at_ns, "its log has no end: it was killed, or the machine went down"
