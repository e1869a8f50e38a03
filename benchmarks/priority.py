"""Puts a process first, where that is allowed: no latency means anything without its priority beside it."""

import os
from collections.abc import Iterator
from contextlib import contextmanager

NICE = -15
FIFO = 50
"""A real-time priority in the middle: above everything ordinary, below the kernel's own."""


@contextmanager
def hurried(core: int) -> Iterator[str]:
    """Pin this process to a core and give it the best priority it may have, for a while; says which that is."""
    if not hasattr(os, "sched_setaffinity"):
        yield "default priority"
        return
    cores = os.sched_getaffinity(0)
    pinned = core % (os.cpu_count() or 1)  # of all there are: a child inherits the one core of its parent
    os.sched_setaffinity(0, {pinned})
    try:
        yield f"{_best()} on core {pinned}"
    finally:
        os.sched_setaffinity(0, cores)
        os.sched_setscheduler(0, os.SCHED_OTHER, os.sched_param(0))
        os.setpriority(os.PRIO_PROCESS, 0, max(0, os.getpriority(os.PRIO_PROCESS, 0)))


def _best() -> str:
    try:
        os.sched_setscheduler(0, os.SCHED_FIFO, os.sched_param(FIFO))
        return f"SCHED_FIFO {FIFO}"
    except PermissionError:
        pass
    try:
        os.setpriority(os.PRIO_PROCESS, 0, NICE)
        return f"nice {NICE}"
    except PermissionError:
        return "default priority"
