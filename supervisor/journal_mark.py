"""The mark beside a journal: how far it certainly went, in a file of its own.

SQLite drops from a write-ahead log whatever stands behind the first byte that it cannot trust, and opens a database
whose log is missing, without a word in both cases. So after each commit the place it came to is written here. The mark
is never ahead of the journal, because it is written after the commit, and need not be synced: what a power failure
leaves of it is an older mark, which only knows less.

Two slots take turns, each with a counter and a CRC-32 of its own, so that a write torn in the middle spoils one.
"""

import os
import re
from contextlib import suppress
from pathlib import Path
from zlib import crc32

from msgspec import Struct

SUFFIX = ".mark"
OWNER_ONLY = 0o600
SLOT = "obid journal mark, write {:020d}: entry {:020d}, checksum {:010d}, "
SLOT_END = "own {:010d}\n"
SLOT_BYTES = len(SLOT.format(0, 0, 0)) + len(SLOT_END.format(0))
FOUND = re.compile(rb"obid journal mark, write (\d{20}): entry (\d{20}), checksum (\d{10}), own (\d{10})\n", re.ASCII)


class Place(Struct, frozen=True):
    """A place in the book: behind an entry, with the checksum that is chained up to it."""

    seq: int
    crc: int


START = Place(0, 0)
"""Before the first entry."""


def mark_path(journal: Path) -> Path:
    """Where the mark of a journal is."""
    return journal.with_name(journal.name + SUFFIX)


def read_mark(journal: Path) -> Place | None:
    """The place a journal certainly came to; None where nobody says or what was said cannot be read."""
    return _newest(_content(mark_path(journal)))[1]


class Mark:
    """The mark of a journal that is written."""

    def __init__(self, journal: Path):
        path = mark_path(journal)
        fresh = not path.exists()
        self._file = os.open(path, os.O_RDWR | os.O_CREAT | getattr(os, "O_CLOEXEC", 0), OWNER_ONLY)
        self._written = _newest(_content(path))[0]
        if fresh:
            self.write(START)
            os.fsync(self._file)  # once: from here on every write replaces bytes that have their place on the disk

    def write(self, place: Place) -> None:
        """Set the mark. A disk that refuses leaves the older one, which only knows less."""
        self._written += 1
        slot = SLOT.format(self._written, place.seq, place.crc).encode()
        with suppress(OSError):
            os.lseek(self._file, self._written % 2 * SLOT_BYTES, os.SEEK_SET)
            os.write(self._file, slot + SLOT_END.format(crc32(slot)).encode())

    def close(self) -> None:
        """Let go of the file."""
        os.close(self._file)


def _content(path: Path) -> bytes:
    try:
        return path.read_bytes()[: 2 * SLOT_BYTES]
    except OSError:
        return b""


def _newest(content: bytes) -> tuple[int, Place | None]:
    """The number of the newest write that can be read, and its place."""
    found: tuple[int, Place | None] = (0, None)
    for at in range(0, len(content), SLOT_BYTES):
        slot = FOUND.fullmatch(content[at : at + SLOT_BYTES])
        if slot and crc32(slot[0][: slot.start(4) - slot.start() - len("own ")]) == int(slot[4]):
            number, seq, crc = int(slot[1]), int(slot[2]), int(slot[3])
            found = max(found, (number, Place(seq, crc)), key=lambda one: one[0])
    return found
