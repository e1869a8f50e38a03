"""The program: it ends for one reason, winds down while its actors still live, and leaves nothing running."""

import asyncio

import pytest

from supervisor.clock import NS_PER_S, Clock
from supervisor.program import WIND_DOWN_S_MAX, Ending, Program
from supervisor.supervisor import House, SupervisorGaveUp
from supervisor.virtual import run_virtual
from tests.fakes import AFTERWARDS_S, EPOCH_NS, Poisoned, child, rest, tree


def live(script, *children, wind_down=None) -> Ending:
    """Run a program in virtual time with a script beside it; nothing is left when it is over."""

    async def nothing() -> None:
        pass

    async def main(clock: Clock) -> Ending:
        program = Program(House(tree(*children), clock))
        beside = asyncio.create_task(script(program))
        try:
            return await program.run(wind_down or nothing)
        finally:
            await beside
            for _ in range(2):
                assert asyncio.all_tasks() == {asyncio.current_task()}
                await clock.sleep(AFTERWARDS_S)

    return run_virtual(main, EPOCH_NS)


def test_it_ends_when_it_is_asked_and_the_first_reason_counts():
    async def script(program):
        await program.house.clock.sleep(5)
        program.stop("SIGTERM")
        program.stop("SIGINT")

    assert live(script, child("a")) == Ending("SIGTERM")


def test_it_can_be_stopped_before_it_is_up():
    async def slow(post):
        await post.clock.sleep(20)
        await rest(post)

    async def script(program):
        program.stop("at once")

    assert live(script, child("a", slow)).reason == "at once"


def test_it_winds_down_while_the_actors_still_live():
    seen = []

    async def body(post):
        try:
            await rest(post)
        finally:
            seen.append("actor stopped")

    async def wind_down():
        await asyncio.sleep(1)
        seen.append("wound down")

    async def script(program):
        program.stop("done")

    live(script, child("a", body), wind_down=wind_down)
    assert seen == ["wound down", "actor stopped"]


def test_winding_down_is_bounded():
    times = []

    async def script(program):
        await program.house.clock.sleep(1)
        program.stop("done")

    async def main(clock: Clock) -> None:
        program = Program(House(tree(child("a")), clock))
        beside = asyncio.create_task(script(program))
        await program.run(lambda: asyncio.sleep(3600))
        times.append(clock.now_ns() - EPOCH_NS)
        await beside

    run_virtual(main, EPOCH_NS)
    assert times == [round((1 + WIND_DOWN_S_MAX) * NS_PER_S)]


def test_winding_down_that_fails_stops_the_actors_and_is_not_hidden():
    seen = []

    async def body(post):
        try:
            await rest(post)
        finally:
            seen.append("stopped")

    async def wind_down():
        raise OSError("the venue is gone")

    async def script(program):
        await program.house.clock.sleep(1)
        program.stop("done")

    with pytest.raises(OSError, match="the venue is gone"):
        live(script, child("a", body), wind_down=wind_down)
    assert seen == ["stopped"]


def test_it_ends_when_it_cannot_be_kept_alive():
    async def script(program):
        await program.house.clock.sleep(1)
        program.house.inject("a", Poisoned("beyond help"))

    ending = live(script, child("a", restarts_max=0))
    assert isinstance(ending.gave_up, SupervisorGaveUp)
    assert ending.reason == "root gave up: a crashed 1 times in 5 s: beyond help"


def test_what_runs_beside_it_ends_with_it_and_its_crash_does_not_matter():
    ended = []

    async def view(clock):
        try:
            await clock.sleep(3600)
        finally:
            ended.append("view")

    async def broken(clock):
        raise Poisoned("a terminal that went away")

    async def script(program):
        program.beside(view)
        program.beside(broken)
        await program.house.clock.sleep(5)
        program.stop("done")

    assert live(script, child("a")).reason == "done"
    assert ended == ["view"]
