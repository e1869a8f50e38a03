"""The machine: Python and its loop, whether its clock is kept, memory, and what one process may use of it."""

import ctypes
import importlib.util
import platform
import sys
from collections.abc import Iterator
from pathlib import Path

from daemon.doctor.line import Line, fail, ok, warn

PYTHON_MIN = (3, 11)
"""As pyproject.toml says it."""
MEMORY_MIB_MIN, MEMORY_MIB_LOW = 256, 512
"""Available: a daemon of 28 coins has 121 MiB after an hour and 180 with all libraries; below that it dies of it."""
FILES_MIN, FILES_LOW = 256, 1024
"""Open files: sockets of three engines, the control socket's clients, journal and log stay under a hundred."""
PROCESSES_MIN = 64
"""Processes and threads of the user: a daemon has five threads."""
MEMINFO = Path("/proc/meminfo")
KIB = 1024
CLOCK_ERROR = 5
"""adjtimex(2), TIME_ERROR: nobody keeps the clock, or it is off by too much."""
TIMEX_BYTES = 512
"""More than struct timex has anywhere; all zeros asks and changes nothing."""


def lines() -> Iterator[Line]:
    """All of it."""
    yield python()
    yield kept_clock(clock_state())
    yield memory(memory_mib())
    yield limits(*process_limits())


def python() -> Line:
    """The version, and the loop that a run will have."""
    version = platform.python_version()
    if sys.version_info < PYTHON_MIN:
        return fail("python", version, f"use Python {'.'.join(map(str, PYTHON_MIN))} or newer: make PYTHON=python3.12")
    if sys.platform == "win32":
        return ok("python", f"{version}, asyncio's own loop")
    if importlib.util.find_spec("uvloop") is None:
        return fail("python", f"{version}, without uvloop", "install the locked requirements: make run")
    return ok("python", f"{version}, uvloop")


def clock_state() -> int | None:
    """What the kernel says of its clock (adjtimex(2)); None where it says nothing."""
    if not sys.platform.startswith("linux"):
        return None
    try:
        found = int(ctypes.CDLL(None).adjtimex(ctypes.create_string_buffer(TIMEX_BYTES)))
    except (AttributeError, OSError):
        return None
    return found if found >= 0 else None


def kept_clock(state: int | None) -> Line:
    """Whether somebody keeps the clock; how far it is off is asked of the venues."""
    if state is None:
        return ok("ntp", "this system does not say whether its clock is kept; the venues' time is what counts")
    if state == CLOCK_ERROR:
        do = "install chrony or systemd-timesyncd: a clock that drifts off by a second shuts entries"
        return warn("ntp", "nobody keeps this machine's clock", do)
    return ok("ntp", "the clock is kept")


def memory_mib() -> int | None:
    """What can be had without swapping; None where the system does not say."""
    try:
        rows = dict(row.split(":", 1) for row in MEMINFO.read_text("ascii").splitlines() if ":" in row)
        return int(rows["MemAvailable"].split()[0]) // KIB
    except (OSError, KeyError, ValueError):
        return None


def memory(mib: int | None) -> Line:
    """Whether a daemon fits."""
    if mib is None:
        return ok("memory", "this system does not say what is free")
    if mib < MEMORY_MIB_MIN:
        return fail("memory", f"{mib} MiB available", f"free some: a daemon takes up to {MEMORY_MIB_MIN} MiB")
    if mib < MEMORY_MIB_LOW:
        return warn(
            "memory", f"{mib} MiB available", "it fits, and little beside it: what is killed first is what grew"
        )
    return ok("memory", f"{mib} MiB available")


def process_limits() -> tuple[int | None, int | None]:
    """Open files and processes that this user may have; None: any number, or nobody says."""
    if sys.platform == "win32":
        return None, None
    import resource

    found = [resource.getrlimit(one)[0] for one in (resource.RLIMIT_NOFILE, resource.RLIMIT_NPROC)]
    files, processes = (None if one == resource.RLIM_INFINITY else one for one in found)
    return files, processes


def limits(files: int | None, processes: int | None) -> Line:
    """Whether they are enough."""
    told = f"{files or 'any number of'} open files, {processes or 'any number of'} processes"
    if files is not None and files < FILES_MIN:
        return fail("limits", told, f"raise it: ulimit -n {FILES_LOW}, or LimitNOFILE={FILES_LOW} in the unit")
    if processes is not None and processes < PROCESSES_MIN:
        return fail("limits", told, f"raise it: ulimit -u {PROCESSES_MIN}, or TasksMax in the unit")
    if files is not None and files < FILES_LOW:
        return warn("limits", told, f"enough for the daemon, few for many clients of its socket: ulimit -n {FILES_LOW}")
    return ok("limits", told)
