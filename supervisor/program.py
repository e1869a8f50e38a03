"""The program: the whole tree, run once, from the first child's start to the last one's end."""

import asyncio
from collections.abc import Awaitable, Callable

from msgspec import Struct

from supervisor.clock import Clock
from supervisor.supervisor import House, Supervisor, SupervisorGaveUp

WIND_DOWN_S_MAX = 3.0
"""A stop waits this long for what the program does before it ends (cancelling what rests): a stop is over in 5 s."""


class Ending(Struct, frozen=True):
    """Why the program ended; `gave_up` is set when its supervisor could not keep it alive."""

    reason: str
    gave_up: SupervisorGaveUp | None = None


class Program:
    """Runs a house until somebody asks it to stop or it can't be kept alive."""

    def __init__(self, house: House):
        self.house = house
        self._asked: asyncio.Future[str] = house.clock.loop.create_future()
        self._beside: list[asyncio.Task[None]] = []

    def stop(self, reason: str) -> None:
        """Ask the program to stop; the first reason counts."""
        if not self._asked.done():
            self._asked.set_result(reason)

    @property
    def stopping(self) -> bool:
        """Whether somebody has asked it to stop: actors that are down mean nothing any more."""
        return self._asked.done()

    def beside(self, work: Callable[[Clock], Awaitable[None]]) -> None:
        """Run something that only watches (a live view) beside the tree; it ends with the program."""

        async def run() -> None:
            await work(self.house.clock)

        self._beside.append(asyncio.create_task(run()))

    async def run(self, wind_down: Callable[[], Awaitable[None]]) -> Ending:
        """Live. On a stop, `wind_down` runs while every actor still does; then they stop in reverse order."""
        root = Supervisor(self.house.root, self.house)
        tree = asyncio.create_task(root.run(), name=self.house.root.name)
        try:
            waits: set[asyncio.Future[None] | asyncio.Future[str]] = {tree, self._asked}
            await asyncio.wait(waits, return_when=asyncio.FIRST_COMPLETED)
            if not tree.done():
                await self._wind_down(tree, wind_down)
        finally:
            tree.cancel()
            await asyncio.wait([tree])
            for task in self._beside:
                task.cancel()
            if self._beside:
                await asyncio.gather(*self._beside, return_exceptions=True)  # a view that broke is no reason to fail
        error = None if tree.cancelled() else tree.exception()
        if isinstance(error, SupervisorGaveUp):
            return Ending(str(error), error)
        if error is not None:
            raise error
        return Ending(self._asked.result())

    async def _wind_down(self, tree: "asyncio.Task[None]", wind_down: Callable[[], Awaitable[None]]) -> None:
        async def bounded() -> None:
            await wind_down()

        work = asyncio.create_task(bounded())
        await asyncio.wait([work, tree], timeout=WIND_DOWN_S_MAX, return_when=asyncio.FIRST_COMPLETED)
        work.cancel()
        await asyncio.wait([work])
        if not work.cancelled():
            work.result()  # raises what went wrong: the tree is stopped, and then the program fails
