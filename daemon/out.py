"""Standard output that cannot stop the trading: a paused terminal or a full pipe makes lines wait, not the loop."""

import os
import select
import sys
from io import UnsupportedOperation
from typing import TextIO

from supervisor.secrets import hidden

CHUNK_BYTES = 4096
"""What a pipe that is writable takes without blocking (POSIX's PIPE_BUF on Linux); terminals take it too."""
WAITING_BYTES_MAX = 1024 * 1024
"""Kept for a reader that does not read; more would be a leak."""

SIZE_DEFAULT = (80, 24)


class Out:
    """A stream that is written when it has room. `patient`: block instead, where nothing else is waiting for us."""

    def __init__(self, stream: TextIO, patient: bool):
        self.stream = stream
        self.patient = patient
        self.skipped = 0
        self._waiting = bytearray()
        self._gone = False
        try:
            self._file = stream.fileno()
        except (OSError, UnsupportedOperation):
            self._file = -1  # a test's or a notebook's: has no file, never blocks

    @property
    def size(self) -> tuple[int, int]:
        """Columns and rows of the terminal at the other end; the customary ones where there is none."""
        try:
            columns, rows = os.get_terminal_size(self._file)
        except (OSError, ValueError):
            return SIZE_DEFAULT
        return (columns, rows) if columns and rows else SIZE_DEFAULT

    @property
    def idle(self) -> bool:
        """Whether everything so far is on its way."""
        return not self._waiting

    def line(self, text: str) -> None:
        """Write a line, now or when there is room; when too much waits it is counted instead."""
        if len(self._waiting) > WAITING_BYTES_MAX:
            self.skipped += 1
            return
        if self.skipped:
            text, self.skipped = f"... {self.skipped} lines skipped: nobody read them\n{text}", 0
        self.write(text + "\n")

    def write(self, text: str) -> None:
        """Write text as it is."""
        self._waiting += hidden(text).encode(self.stream.encoding or "utf-8", errors="replace")
        if self.patient or len(self._waiting) >= CHUNK_BYTES:
            self.pump()

    def pump(self) -> None:
        """Hand over as much as there is room for."""
        while self._waiting and not self._gone and (self.patient or self._has_room()):
            self._give(CHUNK_BYTES)

    def close(self) -> None:
        """Hand over the rest, waiting for the reader."""
        self.patient = True
        self.pump()

    def _has_room(self) -> bool:
        if self._file < 0 or sys.platform == "win32":  # select knows only sockets there
            return True
        return bool(select.select((), (self._file,), (), 0)[1])

    def _give(self, most: int) -> None:
        try:
            if self._file < 0:
                self.stream.write(self._waiting.decode(self.stream.encoding or "utf-8"))
                self._waiting.clear()
            else:
                self.stream.flush()
                del self._waiting[: os.write(self._file, self._waiting[:most])]
        except OSError:
            self._gone = True  # the reader left (| head): go on without one
            self._waiting.clear()
