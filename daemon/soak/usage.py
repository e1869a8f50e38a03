"""What a process uses of its machine: the seam through which a soak measures, because machines tell it differently."""

import sys
from pathlib import Path

from msgspec import Struct

PROC = Path("/proc")
"""Where Linux tells of processes; elsewhere it is not there."""


class Usage(Struct, frozen=True):
    """One process at one moment; None is what this machine does not tell."""

    rss_bytes: int | None
    fds: int | None


def usage_of(pid: int | str = "self", proc: Path = PROC) -> Usage:
    """A process by its number, or this one. Of other processes only Linux tells."""
    folder = proc / str(pid)
    try:
        pages = int((folder / "statm").read_text().split()[1])
        return Usage(pages * page_bytes(), sum(1 for _ in (folder / "fd").iterdir()))
    except (OSError, ValueError, IndexError):
        return Usage(highest_rss_bytes() if pid == "self" else None, None)


def page_bytes() -> int:
    """How large a page of memory is."""
    import resource

    return resource.getpagesize()


def highest_rss_bytes() -> int | None:
    """The most that this process ever used, where nothing tells what it uses now: a bound from above."""
    if sys.platform == "win32":
        return None
    import resource

    most = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return most if sys.platform == "darwin" else most * 1024
