"""The lock of a data directory: one daemon owns its state, and nobody else on the machine can read it.

The kernel holds the lock for as long as the process lives, so a killed daemon leaves none behind. The file is never
removed: two daemons could otherwise each hold the lock of a different file of the same name.
"""

import os
import stat
import sys
from pathlib import Path
from types import TracebackType
from typing import Self

from daemon.errors import BadInput

LOCK_NAME = "obid.lock"
"""The file in the data directory whose lock means ownership; it holds the owner's pid."""
DIRECTORY_MODE, FILE_MODE = 0o700, 0o600
"""State tells what we trade and the socket trades, so both are the owner's alone."""
LOCK_BYTE = 1 << 30
"""Windows locks bytes, and locked bytes cannot be read: one far behind the pid keeps the pid readable."""
PID_BYTES_MAX = 20
"""Digits of the largest pid any system has."""


class AlreadyRunning(BadInput):
    """Another process owns the data directory."""

    def __init__(self, data_dir: Path, pid: str):
        super().__init__(
            "--data-dir",
            data_dir,
            f"another obid (pid {pid or 'unknown'}) runs there; stop it with "
            f"`obid ctl stop --data-dir {data_dir}` or name another directory",
        )


class Taken(Exception):
    """Another process holds the lock."""

    def __init__(self, pid: str):
        super().__init__(f"pid {pid or 'unknown'} holds it")
        self.pid = pid


class FileLock:
    """A lock on a file that names its owner, from `acquire` to `release` or the end of the process."""

    def __init__(self, path: Path):
        self.path = path
        self._file = -1

    @property
    def held(self) -> bool:
        """Whether this object has it now."""
        return self._file >= 0

    def acquire(self) -> None:
        """Take it. Raises Taken, and OSError where there can be no such file."""
        file = os.open(self.path, os.O_RDWR | os.O_CREAT | getattr(os, "O_CLOEXEC", 0), FILE_MODE)
        try:
            lock_file(file)
        except OSError as error:
            pid = os.read(file, PID_BYTES_MAX).decode(errors="replace").strip()
            os.close(file)
            raise Taken(pid) from error
        os.ftruncate(file, 0)
        os.write(file, f"{os.getpid()}\n".encode())
        self._file = file

    def release(self) -> None:
        """Let it go; the pid goes with it, the file stays."""
        if self._file >= 0:
            file, self._file = self._file, -1
            os.ftruncate(file, 0)
            os.close(file)

    def __enter__(self) -> Self:
        self.acquire()
        return self

    def __exit__(self, _kind: object, _error: BaseException | None, _trace: TracebackType | None) -> None:
        self.release()


class DataDirLock(FileLock):
    """Ownership of one data directory."""

    def __init__(self, data_dir: Path):
        super().__init__(data_dir / LOCK_NAME)
        self.data_dir = data_dir

    def acquire(self) -> None:
        """Own the directory, making it if need be. Raises AlreadyRunning, or BadInput where others could read it."""
        make_private(self.data_dir)
        try:
            super().acquire()
        except Taken as error:
            raise AlreadyRunning(self.data_dir, error.pid) from error
        except OSError as error:
            raise BadInput("--data-dir", self.data_dir, f"cannot be written: {error.strerror}") from error


def lock_file(file: int) -> None:
    """Lock an open file for this process or raise OSError at once."""
    if sys.platform == "win32":
        import msvcrt

        os.lseek(file, LOCK_BYTE, os.SEEK_SET)
        try:
            msvcrt.locking(file, msvcrt.LK_NBLCK, 1)
        finally:
            os.lseek(file, 0, os.SEEK_SET)
    else:
        import fcntl

        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)


def make_private(data_dir: Path) -> None:
    """Make the directory for the owner alone. One that is in use for something else is refused, never changed.

    Taking a directory's permissions away is only safe where nobody else relies on them: when it is empty.
    """
    try:
        data_dir.mkdir(mode=DIRECTORY_MODE, parents=True, exist_ok=True)
    except OSError as error:
        raise BadInput("--data-dir", data_dir, f"cannot be used: {error.strerror}") from error
    if refuse_shared(data_dir):
        data_dir.chmod(DIRECTORY_MODE)


def refuse_shared(data_dir: Path) -> bool:
    """Refuse a directory that others can enter, and change nothing; says whether an empty one is to be made private.

    Raises BadInput.
    """
    try:
        found = data_dir.stat()
        empty = not any(data_dir.iterdir())
    except OSError as error:
        raise BadInput("--data-dir", data_dir, f"cannot be used: {error.strerror}") from error
    if sys.platform == "win32":
        return False  # a user's own folders are private by their access lists there
    if found.st_uid != os.geteuid():
        raise BadInput("--data-dir", data_dir, f"belongs to uid {found.st_uid}, and obid runs as uid {os.geteuid()}")
    shared = bool(stat.S_IMODE(found.st_mode) & 0o077)
    if shared and not empty:
        mode = f"{stat.S_IMODE(found.st_mode):04o}"
        right = f"others can enter it (mode {mode}); use a directory of obid's own, or chmod 700 this one"
        raise BadInput("--data-dir", data_dir, right)
    return shared
