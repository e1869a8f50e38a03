"""The log's file: a buffer in memory, one write for many lines, rotation by size.

A full disk must not stop a trader: lines that cannot be written wait in the buffer up to a bound, then are dropped and
counted, and the first write that succeeds says how many were lost.
"""

import os
from pathlib import Path

FILE_BYTES_MAX = 64 * 1024 * 1024
"""A file is rotated at this size: a busy day, and still opened by any editor."""
FILES_KEPT = 7
"""Rotated files kept beside the current one, half a gigabyte in all."""
BUFFER_BYTES = 64 * 1024
"""Written at this size at the latest: one write call for a few hundred lines."""
BUFFER_BYTES_MAX = 4 * 1024 * 1024
"""Kept while the disk refuses; more would be a leak."""
FILE_MODE, DIRECTORY_MODE = 0o600, 0o700
"""The log tells what is traded, so it is the owner's alone."""


class LogFile:
    """An append-only file of lines with a buffer that its owner fills."""

    def __init__(self, path: Path, bytes_max: int = FILE_BYTES_MAX, kept: int = FILES_KEPT):
        self.path = path
        self.bytes_max = bytes_max
        self.kept = kept
        self.buffer = bytearray()
        self.lines_lost = 0
        self.error = ""  # why the last write failed; empty: it did not
        path.parent.mkdir(mode=DIRECTORY_MODE, parents=True, exist_ok=True)
        self._file, self._size = self._open()

    def flush(self) -> None:
        """Write what is buffered, into a new file where the current one is full. Never raises for the disk."""
        if not self.buffer:
            return
        try:
            if self._size and self._size + len(self.buffer) > self.bytes_max:
                self._rotate()
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
        flags = os.O_WRONLY | os.O_APPEND | os.O_CREAT | getattr(os, "O_CLOEXEC", 0)
        file = os.open(self.path, flags, FILE_MODE)
        return file, os.fstat(file).st_size

    def _rotate(self) -> None:
        """obid.jsonl becomes .1, .1 becomes .2 and so on; the oldest goes."""
        for number in range(self.kept, 0, -1):
            older = self.path.with_name(f"{self.path.name}.{number}")
            newer = self.path.with_name(f"{self.path.name}.{number - 1}") if number > 1 else self.path
            if newer.exists():
                newer.replace(older)
        if not self.kept:
            self.path.unlink()
        os.close(self._file)
        self._file = -1
        self._file, self._size = self._open()

    def _give_way(self) -> None:
        """Drop the buffered lines once they are too many, and count them."""
        if len(self.buffer) > BUFFER_BYTES_MAX:
            self.lines_lost += self.buffer.count(b"\n")
            self.buffer.clear()
