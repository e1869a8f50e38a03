"""Work beside a pull: what an iterator needs done while it waits, in tasks that live no longer than it is pulled.

A socket must be opened, watched and opened again while its reader reads. Whoever pulls the iterator is an actor under
its supervisor, so the work is too: its crash is raised to the puller, and it stops when the puller does.
"""

import asyncio
from collections.abc import Coroutine
from typing import Any

from supervisor.clock import Clock


class Beside:
    """The tasks of one iterator, and the one future its puller waits on."""

    def __init__(self, clock: Clock):
        self.clock = clock
        self.tasks: dict[asyncio.Task[None], None] = {}  # in the order they were started
        self.crash: BaseException | None = None
        self._woken = False
        self._waiter: asyncio.Future[None] | None = None

    def start(self, work: Coroutine[Any, Any, None], name: str) -> None:
        """Run something beside the pull until it ends or `stop`."""
        task = self.clock.loop.create_task(work, name=name)
        self.tasks[task] = None
        task.add_done_callback(self._over)

    def wake(self) -> None:
        """Let the puller look: there is something to read."""
        self._woken = True
        if self._waiter is not None and not self._waiter.done():
            self._waiter.set_result(None)

    def check(self) -> None:
        """Raise what the work crashed of."""
        if self.crash is not None:
            crash, self.crash = self.crash, None
            raise crash

    async def wait(self) -> None:
        """Wait for `wake`, at once if it was called since the last wait. Raises what the work crashed of."""
        if not self._woken:
            self._waiter = self.clock.loop.create_future()
            try:
                await self._waiter
            finally:
                self._waiter = None
        self._woken = False
        self.check()

    async def stop(self) -> None:
        """Cancel all work and wait until it is over; its last crashes are nobody's any more."""
        tasks = list(self.tasks)
        for task in tasks:
            task.cancel()
        if tasks:
            await asyncio.wait(tasks)
        self.crash = None

    def _over(self, task: "asyncio.Task[None]") -> None:
        self.tasks.pop(task, None)
        if not task.cancelled() and (error := task.exception()) is not None:
            self.crash = self.crash or error
            self.wake()
