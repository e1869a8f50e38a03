"""The log's file: a buffer in memory, one write for many lines, rotation by size and by age.

A full disk must not stop a trader: lines that cannot be written wait in the buffer up to a bound, then are dropped and
counted, and the first write that succeeds says how many were lost.
"""

import os
from contextlib import suppress
from pathlib import Path

from msgspec import Struct

from daemon.times import NS_PER_S, ns_of

MIB = 1024 * 1024
FILE_BYTES_MAX = 64 * MIB
"""A file is rotated at this size: a busy day, and still opened by any editor."""
FILE_AGE_S_MAX = 86_400
"""And when its lines reach over a day, so that a day is looked for in two files at the most."""
FILES_KEPT = 31
"""Rotated files kept beside the current one: a month."""
BYTES_KEPT_MAX = 1024 * MIB
"""And of those no more than this in all: the oldest go."""
AT_KEY = b'"at":"'
AT_CHARS = len("2026-01-01T00:00:00")
BUFFER_BYTES = 64 * 1024
"""Written at this size at the latest: one write call for a few hundred lines."""
BUFFER_BYTES_MAX = 4 * 1024 * 1024
"""Kept while the disk refuses; more would be a leak."""
FILE_MODE, DIRECTORY_MODE = 0o600, 0o700
"""The log tells what is traded, so it is the owner's alone."""


class Keep(Struct, frozen=True, kw_only=True):
    """When a file is rotated, and how much of what was rotated is kept."""

    file_bytes_max: int = FILE_BYTES_MAX
    file_age_s_max: int = FILE_AGE_S_MAX
    files: int = FILES_KEPT
    bytes_max: int = BYTES_KEPT_MAX


class LogFile:
    """An append-only file of lines with a buffer that its owner fills; `at_s` is the time of the last of them."""

    def __init__(self, path: Path, keep: Keep | None = None):
        self.path = path
        self.keep = keep or Keep()
        self.at_s = 0
        self.buffer = bytearray()
        self.lines_lost = 0
        self.error = ""  # why the last write failed; empty: it did not
        path.parent.mkdir(mode=DIRECTORY_MODE, parents=True, exist_ok=True)
        self._begun_s = 0  # time of the file's first line; 0: it has none
        self._file, self._size = self._open()

    def flush(self) -> None:
        """Write what is buffered, into a new file where the current one is full. Never raises for the disk."""
        if not self.buffer:
            return
        try:
            if self._file < 0:  # the last rotation got no new file
                self._file, self._size = self._open()
            elif self._is_full():
                self._rotate()
            self._begun_s = self._begun_s or self.at_s
            written = os.write(self._file, self.buffer)
        except OSError as error:
            self.error = error.strerror or type(error).__name__
            self._give_way()
            return
        self._size += written
        del self.buffer[:written]  # a short write (a disk that is nearly full) leaves the rest for the next time
        if not self.buffer:
            self.error = ""

    def close(self) -> None:
        """Write the rest and let go of the file."""
        self.flush()
        if self._file >= 0:
            os.close(self._file)
            self._file = -1

    def _open(self) -> tuple[int, int]:
        """The current file, ready to append to, and its size."""
        self._begun_s = first_s(self.path)
        flags = os.O_WRONLY | os.O_APPEND | os.O_CREAT | getattr(os, "O_CLOEXEC", 0)
        file = os.open(self.path, flags, FILE_MODE)
        size = os.fstat(file).st_size
        if size and not self._ends_a_line(size):
            with suppress(OSError):  # a full disk: the first line behind it is damaged too, and said to be
                size += os.write(file, b"\n")
        return file, size

    def _ends_a_line(self, size: int) -> bool:
        """Whether the last line is whole: what a crash tore must not spoil the next one."""
        with self.path.open("rb") as log:
            log.seek(size - 1)
            return log.read(1) == b"\n"

    def _is_full(self) -> bool:
        """Whether the next lines belong into a new file. A clock that was set back by a day counts as a day, too."""
        too_large = self._size + len(self.buffer) > self.keep.file_bytes_max
        too_old = bool(self._begun_s) and abs(self.at_s - self._begun_s) > self.keep.file_age_s_max
        return self._size > 0 and (too_large or too_old)

    def _rotate(self) -> None:
        """obid.jsonl becomes .1, .1 becomes .2 and so on; the oldest go."""
        for number in range(self._rotated(), 0, -1):
            self._numbered(number).replace(self._numbered(number + 1))
        self.path.replace(self._numbered(1))
        os.close(self._file)
        self._file = -1
        left = self.keep.bytes_max
        for number in range(1, self._rotated() + 1):
            left -= self._numbered(number).stat().st_size
            if number > self.keep.files or left < 0:
                self._numbered(number).unlink()
        self._file, self._size = self._open()

    def _numbered(self, number: int) -> Path:
        return self.path.with_name(f"{self.path.name}.{number}")

    def _rotated(self) -> int:
        """How many rotated files there are, counted up to the first that is missing."""
        number = 0
        while self._numbered(number + 1).exists():
            number += 1
        return number

    def _give_way(self) -> None:
        """Drop the buffered lines once they are too many, and count them."""
        if len(self.buffer) > BUFFER_BYTES_MAX:
            self.lines_lost += self.buffer.count(b"\n")
            self.buffer.clear()


def first_s(path: Path) -> int:
    """The time of a log's first line in whole seconds since 1970; 0 where there is none."""
    try:
        with path.open("rb") as log:
            head = log.readline(BUFFER_BYTES)
        at = head.partition(AT_KEY)[2][:AT_CHARS].decode()
        return ns_of(at) // NS_PER_S if at else 0
    except (OSError, ValueError):
        return 0
