"""The clock seam: every actor asks this one object for the time, and nobody asks the machine.

The wall clock can run faster than the world (`speed`), which a made market allows and a real one does not. Under the
virtual loop (supervisor/virtual.py) the same object reads virtual time, so there is one clock class.
"""

import asyncio
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import TypeVar

T = TypeVar("T")
NS_PER_S = 1_000_000_000
NS_PER_MS = 1_000_000


class Clock:
    """Time in nanoseconds since 1970-01-01 UTC, and the only way to wait for a later one."""

    def __init__(self, loop: asyncio.AbstractEventLoop, epoch_ns: int, speed: float = 1.0, *, virtual: bool = False):
        self.loop = loop
        self.virtual = virtual
        self.speed = speed
        self._epoch_ns = epoch_ns
        self._start_s = loop.time()
        self._thread: ThreadPoolExecutor | None = None

    @classmethod
    def wall(cls, loop: asyncio.AbstractEventLoop) -> "Clock":
        """The machine's clock: real time now, at real speed."""
        return cls(loop, time.time_ns())

    def now_ns(self) -> int:
        """The time now. Never goes back: it is the loop's monotonic time laid on a start in real time."""
        return self._epoch_ns + round((self.loop.time() - self._start_s) * self.speed * NS_PER_S)

    def call_at(self, at_ns: int, callback: Callable[[], object]) -> asyncio.TimerHandle:
        """Call back at a time (or at once if it is past)."""
        return self.loop.call_at(self._start_s + (at_ns - self._epoch_ns) / NS_PER_S / self.speed, callback)

    async def sleep_until(self, at_ns: int) -> None:
        """Wait until a time; lets other tasks run even when it is past."""
        if at_ns <= self.now_ns():
            await asyncio.sleep(0)
            return
        waiter = self.loop.create_future()
        handle = self.call_at(at_ns, lambda: None if waiter.done() else waiter.set_result(None))
        try:
            await waiter
        finally:
            handle.cancel()

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
        future = self.loop.run_in_executor(self._thread, work)
        try:
            return await asyncio.shield(future)
        except asyncio.CancelledError:
            await asyncio.wait([future])
            raise

    def close(self) -> None:
        """Let go of the thread."""
        if self._thread is not None:
            self._thread.shutdown(wait=True)
