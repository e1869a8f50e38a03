"""The clock seam: every actor asks this one object for the time, and nobody asks the machine.

It is the machine's time at the start, plus the time that has passed since: that of a clock that goes on while the
machine sleeps (CLOCK_BOOTTIME) and that nobody can set. So it never goes back, and whatever the machine's own clock is
set to moves nothing here by itself. `look` notices both, a sleep and a clock that was set; who knows better than the
machine (a venue's stamps: venues/skew.py) may have this clock follow it.

The wall clock can run faster than the world (`speed`), which a made market allows and a real one does not. Under the
virtual loop (supervisor/virtual.py) the same object reads virtual time, so there is one clock class.
"""

import asyncio
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from math import inf, nextafter
from typing import NamedTuple, TypeVar, cast

T = TypeVar("T")
NS_PER_S = 1_000_000_000
NS_PER_MS = 1_000_000
TIMER_GRAIN_S = 0.001
"""uvloop counts timers in whole milliseconds, from a time rounded down: asked for less than one, it would spin."""

JUMP_NS = NS_PER_S // 2
"""The machine's clock was set if it leaves ours by more, a leap second too; NTP slews by as much in 1,000 s."""

SLEPT_NS = NS_PER_S // 10
"""The machine slept if time passed so much longer than it was awake: more than two readings can be apart."""

SLOW_NS_MAX = 10 * NS_PER_S
"""A clock that is ahead by less goes at half speed until it is right; by more, only a new start mends it."""


class Machine:
    """The machine's clocks, in nanoseconds. One that does not tell sleep from standing time never slept, for all we
    know: then its wall clock seems to have been set."""

    def __init__(self) -> None:
        boot = getattr(time, "CLOCK_BOOTTIME", None)
        self.steady_ns = time.monotonic_ns if boot is None else partial(time.clock_gettime_ns, boot)

    def awake_ns(self) -> int:
        """Time that stands while the machine sleeps: that of every loop's timers."""
        return time.monotonic_ns()

    def wall_ns(self) -> int:
        """What the machine takes for the time; anybody may set it."""
        return time.time_ns()


class Jump(NamedTuple):
    """Something about time that was noticed, once. `what`: slept, set (the machine's clock), followed, ahead."""

    what: str
    by_ns: int


class Timer:
    """A call at a time. The clock arms it anew where it jumped, for the loop's own time did not."""

    __slots__ = ("at_ns", "callback", "clock", "handle")

    def __init__(self, clock: "Clock", at_ns: int, callback: Callable[[], object]):
        self.clock, self.at_ns, self.callback = clock, at_ns, callback
        self.arm()

    def arm(self) -> None:
        """Have the loop call at the time, whatever it was asked before."""
        self.handle = self.clock.arm(self.at_ns, self._fire)

    def cancel(self) -> None:
        """Call no more."""
        self.handle.cancel()
        self.clock.timers.pop(self, None)

    def _fire(self) -> None:
        if self.clock.slows and self.at_ns - self.clock.now_ns() > NS_PER_MS:
            self.arm()
            return
        self.clock.timers.pop(self, None)
        self.callback()


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

    def __init__(
        self,
        loop: asyncio.AbstractEventLoop,
        epoch_ns: int,
        speed: float = 1.0,
        *,
        virtual: bool = False,
        machine: Machine | None = None,
    ):
        self.loop = loop
        self.virtual = virtual
        self.exact = virtual and machine is None  # virtual time itself; else that of a machine, simulated or real
        self.speed = speed
        self.machine = machine or Machine()
        self._untold: list[Jump] = []  # noticed before anybody listened
        self._tell: Callable[[Jump], None] = self._untold.append
        self.jumps = 0  # noticed so far: what was measured of another clock before the last one holds no more
        self.jumped_ns = 0  # when the last one was noticed, by the time behind it
        self.timers: dict[Timer, None] = {}  # in the order they were asked for
        self._epoch_ns = epoch_ns
        self._start_s = loop.time()
        self._steady_ns = self.machine.steady_ns
        self._start_ns = self._steady_ns()
        self._wall_ns = self.machine.wall_ns() - self._start_ns
        self._awake_ns = self._start_ns - self.machine.awake_ns()
        self._slept_ns = 0  # as last noticed
        self._set_ns = 0  # the same of the machine's clock
        self.ahead = False  # so far that only a new start mends it
        self.slows: tuple[int, int] | None = None  # since when it goes at half speed, and until
        self._thread: ThreadPoolExecutor | None = None
        self._kept: dict[str, object] = {}

    @classmethod
    def wall(cls, loop: asyncio.AbstractEventLoop) -> "Clock":
        """The machine's clock: real time now, at real speed."""
        return cls(loop, time.time_ns())

    def now_ns(self) -> int:
        """The time now. Never goes back. Not the wall loop's own time, which uvloop counts in whole milliseconds."""
        if self.exact:
            return self._epoch_ns + round((self.loop.time() - self._start_s) * NS_PER_S)
        passed_ns = self._steady_ns() - self._start_ns
        if self.slows is not None:
            since_ns, until_ns = self.slows
            passed_ns -= (min(passed_ns, until_ns) - since_ns) // 2
        return self._epoch_ns + (passed_ns if self.speed == 1.0 else round(passed_ns * self.speed))

    # --- when time itself does something ------------------------------------------------------------------------------

    def strayed_ns(self) -> int:
        """How far the machine's own clock has left this one since the start; 0 in virtual time.

        It was set. This clock does not follow it, unless it is told to.
        """
        if self.exact:
            return 0
        return self.machine.wall_ns() - self._steady_ns() - self._wall_ns

    def look(self) -> None:
        """Notice a sleep of the machine and a clock that was set; cheap enough to be asked before every entry."""
        if self.exact:
            return
        slept_ns = self._steady_ns() - self.machine.awake_ns() - self._awake_ns
        if slept_ns - self._slept_ns > SLEPT_NS:
            by_ns, self._slept_ns = slept_ns - self._slept_ns, slept_ns
            self._jumped("slept", by_ns)
        strayed_ns = self.strayed_ns()
        if abs(strayed_ns - self._set_ns) > JUMP_NS:
            by_ns, self._set_ns = strayed_ns - self._set_ns, strayed_ns
            self._jumped("set", by_ns)

    def follow(self) -> None:
        """Take the machine's clock for right, now that something else says so too.

        Forward at once, as after a sleep. Back by seconds: slower, until it is right. Back by more is said ("ahead")
        and not done: what was decided by a time that has not come yet cannot be taken back, but by a new start.
        """
        by_ns = self.strayed_ns()
        if by_ns < -SLOW_NS_MAX:
            if not self.ahead:
                self.ahead = True
                self._jumped("ahead", by_ns)
            return
        self._wall_ns += by_ns
        self._set_ns = 0
        off_ns = by_ns
        if self.slows is not None:  # what it has not lost yet is still to be lost
            since_ns, until_ns = self.slows
            passed_ns = min(self._steady_ns() - self._start_ns, until_ns)
            self._start_ns, self.slows = self._start_ns + (passed_ns - since_ns) // 2, None
            off_ns -= (until_ns - passed_ns) // 2
        if off_ns >= 0:
            self._start_ns -= off_ns
        else:
            passed_ns = self._steady_ns() - self._start_ns
            self.slows = (passed_ns, passed_ns - 2 * off_ns)
        self._jumped("followed", by_ns)

    def _jumped(self, what: str, by_ns: int) -> None:
        self.jumps += 1
        self.jumped_ns = self.now_ns()
        for timer in list(self.timers):
            timer.handle.cancel()
            timer.arm()
        self._tell(Jump(what, by_ns))

    def listen(self, tell: Callable[[Jump], None]) -> None:
        """Be told of every jump, of those before this too: venues take seconds to open, and see the time meanwhile."""
        self._tell = tell
        for jump in self._untold:
            tell(jump)
        self._untold.clear()

    # --- waiting ------------------------------------------------------------------------------------------------------

    def once(self, name: str, make: Callable[[], T]) -> T:
        """What a run has one of, made by the first that asks; it goes with the clock."""
        if name not in self._kept:
            self._kept[name] = make()
        return cast("T", self._kept[name])

    def call_at(self, at_ns: int, callback: Callable[[], object]) -> Timer:
        """Call back at a time (or at once if it is past); on the wall a millisecond sooner or later."""
        timer = Timer(self, at_ns, callback)
        self.timers[timer] = None
        return timer

    def arm(self, at_ns: int, callback: Callable[[], object]) -> asyncio.TimerHandle:
        """The loop's own timer for a time; the clock's own business."""
        if self.exact:
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
            early = not self.exact and self.now_ns() < at_ns  # by less than the timer's grain

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
