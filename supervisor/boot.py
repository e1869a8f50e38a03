"""Time since this machine was started, sleep included: what two of its processes can compare.

The wall clock may be set by anybody, and on Linux `time.monotonic` stands while the machine sleeps. This one does
neither (CLOCK_BOOTTIME, clock_gettime(2)); elsewhere monotonic time counts sleep already, or there is nothing better.
A stamp means something beside the id of the start that it was taken in: the next start counts from nothing again.
"""

import time
from pathlib import Path

BOOT_ID = Path("/proc/sys/kernel/random/boot_id")
"""Linux draws one at each start (random(4))."""

_CLOCK = getattr(time, "CLOCK_BOOTTIME", None)


def since_boot_ns() -> int:
    """Nanoseconds since the machine was started; never goes back, whatever is done to the wall clock."""
    return time.monotonic_ns() if _CLOCK is None else time.clock_gettime_ns(_CLOCK)


def boot_id() -> str:
    """Which start of the machine this is; empty where the system does not say."""
    try:
        return BOOT_ID.read_text("ascii").strip()
    except OSError:
        return ""
