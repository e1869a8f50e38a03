"""Places: the data directory, the disk under it, who holds it, and who can read what should be one user's alone."""

import os
import stat
import sys
from collections.abc import Iterator, Sequence
from pathlib import Path
from time import perf_counter

from config.errors import ConfigError
from config.settings import SYSTEMD_DIRECTORY
from daemon.control_client import SOCKET_NAME, ControlClient
from daemon.doctor.line import Line, fail, ok, warn
from daemon.errors import BadInput, DaemonAbsent, Failed
from daemon.lock import LOCK_NAME, FileLock, Taken, refuse_shared

FREE_MIB_MIN, FREE_MIB_LOW = 256, 2048
"""A day of three engines writes some 100 MiB; the log keeps a gibibyte, a recording takes 0.1 an hour."""
FSYNC_MS_LOW, FSYNC_MS_MAX = 50.0, 1000.0
"""Each order waits for one: 0.3 ms on an SSD, 10 on a disk that turns; a second is longer than a price lasts."""
FSYNCS = 5
"""The slowest of so many, because that is what an order meets."""
PROBE_NAME, PROBE_BYTES = "doctor.probe", 4096
MIB = 1024 * 1024
ASK_S = 2.0
"""How long a daemon that runs there may take to answer."""
OTHERS_WRITE = stat.S_IWGRP | stat.S_IWOTH


def config_line(config: Path | None) -> Line:
    """Whether others could change what is traded."""
    if config is None:
        return ok("config", "no file, the packaged values hold")
    if sys.platform != "win32":
        found = config.stat()
        if found.st_uid not in (os.geteuid(), 0):
            return fail("config", f"{config} belongs to uid {found.st_uid}", f"chown {os.geteuid()} {config}")
        if found.st_mode & OTHERS_WRITE:
            mode = f"{stat.S_IMODE(found.st_mode):04o}"
            return fail("config", f"{config} can be changed by others (mode {mode})", f"chmod go-w {config}")
    return ok("config", f"{config} is sound")


def keys_line(exposed: Sequence[ConfigError]) -> Line:
    """Whether files of secrets are private: a run refuses those that are not."""
    if exposed:
        told = "; ".join(f"{error.field} {error.right}" for error in exposed)
        return fail("key files", told, "mend it, and take those keys for known: make new ones at the venue")
    place = os.environ.get(SYSTEMD_DIRECTORY)
    return ok("key files", f"those in {place} are private" if place else "none that others can read")


def data_dir_line(data_dir: Path) -> Line:
    """Whether it can be the owner's alone."""
    if not data_dir.exists():
        place = standing(data_dir)
        if not os.access(place, os.W_OK):
            return fail("data dir", f"{data_dir} is not there, and {place} cannot be written", "name another")
        return ok("data dir", f"{data_dir} would be made")
    try:
        open_to_others = refuse_shared(data_dir)
    except BadInput as error:
        return fail("data dir", f"{data_dir}: {error.right}", "as it says; a daemon does not start there")
    return ok("data dir", f"{data_dir}, {'empty, would be made private' if open_to_others else 'private'}")


def standing(path: Path) -> Path:
    """The nearest directory above that is there."""
    return next(one for one in (path, *path.parents) if one.is_dir())


def disk_line(data_dir: Path) -> Line:
    """Room, and how long the disk takes to be sure of four kilobytes."""
    place = standing(data_dir)
    try:
        free_mib = free_bytes(place) // MIB
        slowest_ms = max(fsyncs_ms(place)) if place == data_dir else 0.0
    except OSError as error:
        return fail("disk", f"{place} cannot be written: {error.strerror}", "make room: nothing is sent unwritten")
    told = f"{free_mib / 1024:.1f} GiB free" + (f", fsync takes {slowest_ms:.1f} ms" if slowest_ms else "")
    if free_mib < FREE_MIB_MIN:
        return fail("disk", told, f"make room: at least {FREE_MIB_LOW} MiB, or the day ends with a full disk")
    if slowest_ms > FSYNC_MS_MAX:
        return fail("disk", told, "use a local disk: each order waits for it")
    if free_mib < FREE_MIB_LOW:
        return warn("disk", told, f"make room: {FREE_MIB_LOW} MiB are for a month of logs")
    if slowest_ms > FSYNC_MS_LOW:
        return warn("disk", told, "each order waits for it: a local SSD takes less than a millisecond")
    return ok("disk", told)


def free_bytes(place: Path) -> int:
    """What this user may still write there. Raises OSError."""
    if sys.platform == "win32":
        import shutil

        return shutil.disk_usage(place).free
    found = os.statvfs(place)
    return found.f_bavail * found.f_frsize


def fsyncs_ms(place: Path) -> list[float]:
    """How long each of some small writes took to be on the disk. Raises OSError."""
    path = place / f"{PROBE_NAME}.{os.getpid()}"
    taken = []
    file = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
    try:
        for _ in range(FSYNCS):
            started_s = perf_counter()
            os.write(file, bytes(PROBE_BYTES))
            os.fsync(file)
            taken.append((perf_counter() - started_s) * 1000)
    finally:
        os.close(file)
        path.unlink(missing_ok=True)
    return taken


def holder(data_dir: Path) -> str | None:
    """The pid of the daemon that holds the directory; None: nobody does. Nothing is made."""
    path = data_dir / LOCK_NAME
    if not path.exists():
        return None
    lock = FileLock(path)
    try:
        lock.acquire()
    except Taken as error:
        return error.pid or "unknown"
    except OSError:
        return None  # the directory's own line says what is wrong with it
    lock.release()
    return None


def lock_lines(data_dir: Path, pid: str | None) -> Iterator[Line]:
    """Who holds the directory, and whether he answers."""
    if pid is None:
        yield ok("lock", "nobody holds the data directory")
        if (data_dir / SOCKET_NAME).exists():
            yield ok("socket", f"{SOCKET_NAME} is left from a run that was killed; the next one takes its place")
        return
    do = f"let it be, or obid ctl stop --data-dir {data_dir}: a second one is refused there"
    yield warn("lock", f"an obid (pid {pid}) holds the data directory", do)
    yield socket_line(data_dir)


def socket_line(data_dir: Path) -> Line:
    """Whether the daemon that runs there answers, and to its owner alone."""
    name = data_dir / SOCKET_NAME
    try:
        mode = stat.S_IMODE(name.stat().st_mode) if name.exists() else 0o600
        if sys.platform != "win32" and mode & (stat.S_IRWXG | stat.S_IRWXO):
            return fail("socket", f"others can knock at {name} (mode {mode:04o})", f"chmod 600 {name}")
        with ControlClient(data_dir, timeout_s=ASK_S) as client:
            status = client.ask("status")["status"]
    except (DaemonAbsent, Failed, OSError) as error:
        return fail("socket", f"it does not answer: {error}", "obid logs --level warning; it may be about to start")
    if not status["healthy"]:
        return fail(
            "socket", f"it answers, and is not well: {status['reason']}", "obid ctl ps, obid logs --level warning"
        )
    return ok("socket", f"it answers: {status['mode']}, {status['run_id']}, healthy")
