"""Work beside a pull: it wakes the puller, crashes it, and does not outlive it."""

import asyncio

import pytest

from supervisor.beside import Beside
from supervisor.clock import NS_PER_S, Clock
from supervisor.virtual import run_virtual

EPOCH_NS = 1_700_000_000 * NS_PER_S


class Broken(Exception):
    """What the work dies of."""


async def sleeper(clock: Clock, log: list[str]) -> None:
    try:
        await clock.sleep(3600)
    finally:
        log.append("stopped")


def test_a_wake_is_not_lost_however_early_it_is():
    async def main(clock: Clock) -> int:
        beside = Beside(clock)
        beside.wake()
        beside.wake()
        await beside.wait()

        async def late() -> None:
            await clock.sleep(5)
            beside.wake()

        beside.start(late(), "late")
        await beside.wait()
        await beside.stop()
        return clock.now_ns()

    assert run_virtual(main, EPOCH_NS) == EPOCH_NS + 5 * NS_PER_S


def test_a_crash_is_the_pullers():
    async def main(clock: Clock) -> list[str]:
        beside, log = Beside(clock), []

        async def crash() -> None:
            await clock.sleep(1)
            raise Broken("of this")

        beside.start(sleeper(clock, log), "sleeper")
        beside.start(crash(), "crash")
        with pytest.raises(Broken, match="of this"):
            await beside.wait()
        beside.check()  # it was raised once
        await beside.stop()
        return log

    assert run_virtual(main, EPOCH_NS) == ["stopped"]


def test_a_crash_is_seen_by_a_puller_that_never_waits():
    async def main(clock: Clock) -> None:
        beside = Beside(clock)

        async def crash() -> None:
            raise Broken("at once")

        beside.start(crash(), "crash")
        with pytest.raises(Broken):
            while True:
                await clock.sleep(0.1)
                beside.check()

    run_virtual(main, EPOCH_NS)


def test_work_stops_with_a_puller_that_is_cancelled():
    async def main(clock: Clock) -> list[str]:
        log: list[str] = []

        async def pull() -> None:
            beside = Beside(clock)
            beside.start(sleeper(clock, log), "sleeper")
            try:
                await beside.wait()
            finally:
                await beside.stop()
                log.append("pull over")

        task = asyncio.create_task(pull())
        await clock.sleep(1)
        task.cancel()
        await asyncio.wait([task])
        assert task.cancelled()
        return log

    assert run_virtual(main, EPOCH_NS) == ["stopped", "pull over"]


def test_stopping_twice_and_with_nothing_to_stop_is_harmless():
    async def main(clock: Clock) -> None:
        beside = Beside(clock)
        await beside.stop()
        beside.start(asyncio.sleep(0), "short")
        await clock.sleep(1)
        await beside.stop()
        assert not beside.tasks

    run_virtual(main, EPOCH_NS)
