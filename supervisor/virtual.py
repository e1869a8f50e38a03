"""Virtual time: an asyncio loop on which hours pass as fast as the work in them, in one order for one seed.

When nothing can run, time jumps to the next timer. Threads hold time still while they work. Tasks hash by the order
they were made in instead of their address, so that the sets asyncio keeps them in have the same order in every process.
With `shuffle`, tasks that are ready together run in an order drawn from the seed: other interleavings, each repeatable.
"""

import asyncio
import selectors
from collections import deque
from collections.abc import Callable, Coroutine, Generator
from concurrent.futures import Executor
from itertools import count
from math import ulp
from random import Random
from typing import Any, TypeVar

from supervisor.clock import Clock

T = TypeVar("T")
THREAD_POLL_S = 0.01
"""Real seconds to wait at a time for a thread that holds the clock; its end also wakes the selector at once."""


SIGNAL_TURNS = 64
"""A loop without sockets asks the kernel for signals only this often: asking costs as much as a turn."""


class Deadlock(Exception):
    """Nothing can run and nothing is scheduled: in real time the program would hang for ever."""


class StableTask(asyncio.Task[Any]):
    """A task whose hash is the order it was made in; `life` and `context` are for loops that several programs share."""

    life: Any = None
    context: Any = None

    def __init__(self, coro: Coroutine[Any, Any, Any], *, order: int, loop: asyncio.AbstractEventLoop, **options: Any):
        self._order = order
        super().__init__(coro, loop=loop, **options)

    def __hash__(self) -> int:
        return self._order

    def __eq__(self, other: object) -> bool:
        return self is other


class _JumpingSelector(selectors.BaseSelector):
    """A selector that moves virtual time instead of waiting."""

    def __init__(self) -> None:
        self.real = selectors.DefaultSelector()
        self.loop: VirtualLoop | None = None
        self.files = 0
        self.turns = 0

    def select(self, timeout: float | None = None) -> list[tuple[selectors.SelectorKey, int]]:
        if (ready := self._look(idle=timeout is None)) or timeout == 0 or self.loop is None:
            return ready
        if self.loop.held:
            return self.real.select(THREAD_POLL_S)
        if timeout is None:
            raise Deadlock("no task can run and no timer is set")
        self.loop.jump()
        return []

    def _look(self, *, idle: bool) -> list[tuple[selectors.SelectorKey, int]]:
        self.turns += 1
        quiet = self.files <= 1 and self.loop is not None and not self.loop.held  # only the loop's own: signals
        if quiet and not idle and self.turns % SIGNAL_TURNS:
            return []
        return self.real.select(0)

    def register(self, fileobj: Any, events: int, data: Any = None) -> selectors.SelectorKey:
        self.files += 1
        return self.real.register(fileobj, events, data)

    def unregister(self, fileobj: Any) -> selectors.SelectorKey:
        self.files -= 1
        return self.real.unregister(fileobj)

    def modify(self, fileobj: Any, events: int, data: Any = None) -> selectors.SelectorKey:
        return self.real.modify(fileobj, events, data)

    def get_map(self) -> Any:
        return self.real.get_map()

    def close(self) -> None:
        self.real.close()


class VirtualLoop(asyncio.SelectorEventLoop):
    """The loop; its time starts at 0 and only moves when nothing can run."""

    _ready: deque[asyncio.Handle]
    _scheduled: list[asyncio.TimerHandle]

    def __init__(self, shuffle: int | None = None):
        selector = _JumpingSelector()
        super().__init__(selector)
        self._now_s = 0.0
        self._clock_resolution = ulp(self._now_s)
        self.held = 0  # threads at work
        self._orders = count()
        self._random = None if shuffle is None else Random(shuffle)
        self.set_task_factory(self._make_task)
        selector.loop = self

    def _make_task(
        self, loop: asyncio.AbstractEventLoop, coro: Generator[Any, None, T] | Coroutine[Any, Any, T], **options: Any
    ) -> "asyncio.Task[T]":
        return StableTask(coro, order=next(self._orders), loop=loop, **options)  # type: ignore[arg-type]

    def time(self) -> float:
        """Virtual seconds since the loop was made."""
        return self._now_s

    def jump(self) -> None:
        """Move time to the next timer. Only timers of the very same time fire together, on every machine."""
        self._now_s = max(self._now_s, self._scheduled[0].when())
        self._clock_resolution = ulp(self._now_s)  # the least that makes a timer of now due

    @property
    def pick(self) -> Callable[[int], int] | None:
        """Which of so many minds has the next turn, where the loop shuffles."""
        return None if self._random is None else self._random.randrange

    def run_in_executor(  # type: ignore[override]  # the base class says this with TypeVarTuple
        self, executor: Executor | None, func: Callable[..., T], *args: Any
    ) -> "asyncio.Future[T]":
        """Run in a thread that holds the clock still."""
        future = super().run_in_executor(executor, func, *args)
        self.held += 1
        future.add_done_callback(self._release)
        return future

    async def shutdown_default_executor(self, *timeout: float | None) -> None:
        """Wait for the threads to end; a thread of asyncio's own does that, and it too holds the clock."""
        self.held += 1
        try:
            await super().shutdown_default_executor(*timeout)
        finally:
            self.held -= 1

    def _release(self, _: object) -> None:
        self.held -= 1

    def _run_once(self) -> None:
        if self._random is not None:
            self._shuffle_tasks(self._random)
        super()._run_once()  # type: ignore[misc]

    def _shuffle_tasks(self, random: Random) -> None:
        """Reorder neighbouring task steps; other callbacks (sockets, timers) keep their places and part the groups."""
        shuffled: list[asyncio.Handle] = []
        group: list[asyncio.Handle] = []
        for handle in self._ready:
            if isinstance(getattr(handle._callback, "__self__", None), asyncio.Task):  # type: ignore[attr-defined]
                group.append(handle)
                continue
            random.shuffle(group)
            shuffled += [*group, handle]
            group = []
        random.shuffle(group)
        self._ready.clear()
        self._ready.extend(shuffled + group)


def run_virtual(main: Callable[[Clock], Coroutine[Any, Any, T]], epoch_ns: int, shuffle: int | None = None) -> T:
    """Run a program in virtual time from `epoch_ns` on and return what it returns."""
    loop = VirtualLoop(shuffle)
    with asyncio.Runner(loop_factory=lambda: loop) as runner:
        runner.get_loop()
        loop.set_task_factory(loop._make_task)
        return runner.run(main(Clock(loop, epoch_ns, virtual=True)))
