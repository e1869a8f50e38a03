"""The clock of a simulated machine: its disk may be slow, and its wall clock may be set while it runs."""

import asyncio
from collections.abc import Callable
from typing import TypeVar

from supervisor.clock import NS_PER_S, Clock, Machine, finish

T = TypeVar("T")


class SimulatedMachine(Machine):
    """The clocks of one machine in the world's virtual time; each machine's may be wrong in its own way."""

    def __init__(self, loop: asyncio.AbstractEventLoop, epoch_ns: int):
        self._loop = loop
        self._since_ns = epoch_ns - round(loop.time() * NS_PER_S)
        self.set_ns = 0  # how far its wall clock was set
        self.steady_ns = self._time_ns

    def _time_ns(self) -> int:
        return self._since_ns + round(self._loop.time() * NS_PER_S)

    def awake_ns(self) -> int:
        """It never sleeps."""
        return self._time_ns()

    def wall_ns(self) -> int:
        """What it takes for the time."""
        return self._time_ns() + self.set_ns


class MachineClock(Clock):
    """Virtual time as one program on such a machine sees it."""

    machine: SimulatedMachine

    def __init__(self, machine: SimulatedMachine, loop: asyncio.AbstractEventLoop, disk_s: Callable[[], float]):
        super().__init__(loop, machine.wall_ns(), virtual=True, machine=machine)
        self._disk_s = disk_s
        self._disk_free_s = 0.0

    async def in_thread(self, work: Callable[[], T]) -> T:
        """Do the work when the disk gets to it, one piece after the other; it is finished even when cancelled."""
        start_s = max(self._disk_free_s, self.loop.time())
        self._disk_free_s = start_s + self._disk_s()
        wait_s = self._disk_free_s - self.loop.time()
        if wait_s <= 0:
            return work()

        async def late() -> T:
            await asyncio.sleep(wait_s)
            return work()

        return await finish(self.loop.create_task(late()))
