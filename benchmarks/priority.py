"""Puts a process first, where that is allowed: no latency means anything without its priority beside it."""

import os

NICE = -15
FIFO = 50
"""A real-time priority in the middle: above everything ordinary, below the kernel's own."""


def hurry(core: int) -> str:
    """Pin this process to a core and give it the best priority it may have; says which that is."""
    if not hasattr(os, "sched_setaffinity"):
        return "default priority"
    pinned = core % (os.cpu_count() or 1)  # of all there are: a child inherits the one core of its parent
    os.sched_setaffinity(0, {pinned})
    try:
        os.sched_setscheduler(0, os.SCHED_FIFO, os.sched_param(FIFO))
        return f"SCHED_FIFO {FIFO} on core {pinned}"
    except PermissionError:
        pass
    try:
        return f"nice {os.nice(NICE - os.nice(0))} on core {pinned}"
    except PermissionError:
        return f"default priority on core {pinned}"
