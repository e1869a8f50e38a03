"""Lines of the log as bytes: whether each is as it was written, and whether some are missing.

A line ends with `"crc":N}`, the CRC-32 of all that stands before that field's comma. What an obid wrote that did not
know of it is read as it is; once a line of a file has one, every later line must.
"""

import re
from collections.abc import Iterable, Iterator
from itertools import islice
from pathlib import Path
from typing import Any
from zlib import crc32

CRC_KEY = b',"crc":'
ENVELOPE = ("run", "seq", "at", "level", "event")
"""What every line opens with; then come the event's own fields."""
RESERVED = frozenset((*ENVELOPE, "crc"))
"""Names that an event's own fields cannot have."""
CRC_END = re.compile(rb',"crc":(\d{1,10})\}\r?\n?\Z')
HEAD = re.compile(rb'\{"run":("[^"]*"),"seq":(\d+),')
PEEKED = 3
"""Lines that say whether a file's lines have checksums: the first may be the damaged one."""


class LineChecker:
    """Reads the lines of a log's files, oldest first, and tells what is wrong with them."""

    def __init__(self) -> None:
        self._run = b""
        self._seq = 0

    def check(self, lines: Iterable[bytes], file: Path) -> Iterator[bytes | dict[str, Any]]:
        """Every line that is as it was written; in the place of others an event that says what is wrong."""
        sealed = is_sealed(file)
        for number, line in enumerate(lines, 1):
            if not line.strip():
                continue
            end = CRC_END.search(line)
            sealed = sealed or end is not None
            if why := fault(line, end, sealed):
                yield {"event": "damaged_line", "file": file.name, "line": number, "why": why}
            else:
                if missing := self._missing(line):
                    yield {"event": "missing_lines", "file": file.name, "before": number, "lines": missing}
                yield line

    def _missing(self, line: bytes) -> int:
        """How many of a run's lines should stand between this one and the whole one before; damaged ones too."""
        head = HEAD.match(line)
        if head is None:
            return 0
        run, seq, before = head[1], int(head[2]), self._seq
        same, self._run, self._seq = run == self._run, run, seq
        return max(0, seq - before - 1) if same else 0


def fault(line: bytes, end: re.Match[bytes] | None, sealed: bool) -> str:
    """What is wrong with a line; nothing if it is as it was written or has no checksum to say so."""
    if end is not None:
        return "" if crc32(line[: end.start()]) == int(end[1]) else "its checksum does not hold"
    if not sealed:
        return ""
    return "it has no checksum" if line.endswith(b"\n") else "it is torn: its end is not there"


def is_sealed(file: Path) -> bool:
    """Whether the lines of a file have checksums."""
    with file.open("rb") as log:
        return any(CRC_END.search(line) for line in islice(log, PEEKED))
