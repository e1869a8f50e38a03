"""The clock seam: every actor asks this one object for the time, and nobody asks the machine.

The wall clock can run faster than the world (`speed`), which a made market allows and a real one does not. Under the
virtual loop (supervisor/virtual.py) the same object reads virtual time, so there is one clock class.
"""

import asyncio
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from math import inf, nextafter
from typing import TypeVar

T = TypeVar("T")
NS_PER_S = 1_000_000_000
NS_PER_MS = 1_000_000
TIMER_GRAIN_S = 0.001
"""uvloop counts timers in whole milliseconds, from a time rounded down: asked for less than one, it would spin."""


def _wake(waiter: "asyncio.Future[None]") -> None:
    if not waiter.done():
        waiter.set_result(None)


async def finish(work: "asyncio.Future[T]") -> T:
    """Wait until the work is over even if cancelled meanwhile; then pass the cancellation on."""
    cancelled: asyncio.CancelledError | None = None
    while not work.done():
        try:
            await asyncio.wait([work])
        except asyncio.CancelledError as error:
            cancelled = error
    if cancelled is not None:
        raise cancelled from work.exception()
    return work.result()


class Clock:
    """Time in nanoseconds since 1970-01-01 UTC, and the only way to wait for a later one."""

    def __init__(self, loop: asyncio.AbstractEventLoop, epoch_ns: int, speed: float = 1.0, *, virtual: bool = False):
        self.loop = loop
        self.virtual = virtual
        self.speed = speed
        self._epoch_ns = epoch_ns
        self._start_s = loop.time()
        self._start_ns = time.monotonic_ns()
        self._wall_ns = time.time_ns()
        self._thread: ThreadPoolExecutor | None = None

    @classmethod
    def wall(cls, loop: asyncio.AbstractEventLoop) -> "Clock":
        """The machine's clock: real time now, at real speed."""
        return cls(loop, time.time_ns())

    def now_ns(self) -> int:
        """The time now. Never goes back: it is monotonic time laid on a start in real time.

        Not the wall loop's own time, which uvloop counts in whole milliseconds.
        """
        if self.virtual:
            return self._epoch_ns + round((self.loop.time() - self._start_s) * NS_PER_S)
        passed_ns = time.monotonic_ns() - self._start_ns
        return self._epoch_ns + (passed_ns if self.speed == 1.0 else round(passed_ns * self.speed))

    def strayed_ns(self) -> int:
        """How far the machine's own clock has left this one since the start; 0 in virtual time.

        It slept, when monotonic time stands, or its clock was set. This one follows neither.
        """
        if self.virtual:
            return 0
        return (time.time_ns() - self._wall_ns) - (time.monotonic_ns() - self._start_ns)

    def call_at(self, at_ns: int, callback: Callable[[], object]) -> asyncio.TimerHandle:
        """Call back at a time (or at once if it is past); on the wall a millisecond sooner or later."""
        if self.virtual:
            at_s = self._start_s + (at_ns - self._epoch_ns) / NS_PER_S
            if round((at_s - self._start_s) * NS_PER_S) < at_ns - self._epoch_ns:
                at_s = nextafter(at_s, inf)  # after 48 days a float is coarser than a nanosecond: late, then, not early
            return self.loop.call_at(at_s, callback)
        wait_s = (at_ns - self.now_ns()) / NS_PER_S / self.speed
        return self.loop.call_later(max(wait_s, TIMER_GRAIN_S) if wait_s > 0 else 0, callback)

    async def sleep_until(self, at_ns: int) -> None:
        """Wait until a time, never less; lets other tasks run even when it is past."""
        if at_ns <= self.now_ns():
            await asyncio.sleep(0)
            return
        early = True
        while early:
            waiter = self.loop.create_future()
            handle = self.call_at(at_ns, partial(_wake, waiter))
            try:
                await waiter
            finally:
                handle.cancel()
            early = not self.virtual and self.now_ns() < at_ns  # by less than the timer's grain

    async def sleep(self, seconds: float) -> None:
        """Wait for a length of time of this clock."""
        await self.sleep_until(self.now_ns() + round(seconds * NS_PER_S))

    async def in_thread(self, work: Callable[[], T]) -> T:
        """Do blocking work (a disk) off the loop, one piece after the other; inline in virtual time, which would leap.

        The work is finished even when the caller is cancelled: half a transaction is worse than a late stop.
        """
        if self.virtual:
            return work()
        if self._thread is None:
            self._thread = ThreadPoolExecutor(1, thread_name_prefix="obid-disk")
        return await finish(self.loop.run_in_executor(self._thread, work))

    def close(self) -> None:
        """Let go of the thread."""
        if self._thread is not None:
            self._thread.shutdown(wait=True)
