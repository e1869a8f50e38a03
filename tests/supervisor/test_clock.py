"""The clock: one time for all, waits that are never short, and blocking work that is never cut in half."""

import asyncio
import threading
import time

import pytest

from supervisor.clock import NS_PER_MS, NS_PER_S, Clock, finish
from supervisor.virtual import run_virtual
from supervisor.wall import new_loop, run_wall
from tests.fakes import EPOCH_NS

LOOPS = pytest.mark.parametrize("make_loop", [new_loop, asyncio.new_event_loop], ids=["uvloop", "asyncio"])


def on(make_loop, main, **options):
    """Run on one kind of wall loop."""
    with asyncio.Runner(loop_factory=make_loop) as runner:
        clock = Clock(runner.get_loop(), EPOCH_NS, **options)
        try:
            return runner.run(main(clock))
        finally:
            clock.close()


def test_the_wall_clock_is_the_machines():
    async def main(clock: Clock) -> int:
        return clock.now_ns() - time.time_ns()

    assert abs(run_wall(main)) < NS_PER_S


def test_a_machine_that_slept_has_a_clock_of_its_own_that_has_left_ours(monkeypatch):
    async def main(clock: Clock) -> list[int]:
        strayed = [clock.strayed_ns()]
        wall_ns = time.time_ns
        monkeypatch.setattr(time, "time_ns", lambda: wall_ns() + 600 * NS_PER_S)
        return [*strayed, clock.strayed_ns()]

    awake, slept = run_wall(main)
    assert abs(awake) < NS_PER_S and abs(slept - 600 * NS_PER_S) < NS_PER_S
    assert run_virtual(main, EPOCH_NS) == [0, 0]


@LOOPS
def test_time_is_finer_than_the_loops_milliseconds_and_never_goes_back(make_loop):
    async def main(clock: Clock) -> list[int]:
        return [clock.now_ns() for _ in range(2000)]

    seen = on(make_loop, main)
    assert seen == sorted(seen)
    assert len({at_ns // 1000 for at_ns in seen}) > 10
    assert seen[0] >= EPOCH_NS


@LOOPS
def test_a_wait_is_never_short(make_loop):
    """uvloop's timers fire up to a millisecond early; a bar that closes before its minute is over would be wrong."""

    async def main(clock: Clock) -> None:
        for step in range(40):
            at_ns = clock.now_ns() + 1_000_000 + step * 97_000
            await clock.sleep_until(at_ns)
            assert clock.now_ns() >= at_ns

    on(make_loop, main)


@LOOPS
def test_a_faster_clock_waits_less(make_loop):
    async def main(clock: Clock) -> float:
        start_s = time.monotonic()
        await clock.sleep(60)
        assert clock.now_ns() >= EPOCH_NS + 60 * NS_PER_S
        return time.monotonic() - start_s

    assert 0.0599 < on(make_loop, main, speed=1000.0) < 5


def test_a_time_that_is_past_lets_others_run():
    order = []

    async def main(clock: Clock) -> None:
        clock.loop.call_soon(order.append, "other")
        await clock.sleep_until(EPOCH_NS - 1)
        order.append("me")
        assert clock.now_ns() == EPOCH_NS

    run_virtual(main, EPOCH_NS)
    assert order == ["other", "me"]


def test_call_at():
    called = []

    async def main(clock: Clock) -> None:
        clock.call_at(EPOCH_NS + 5 * NS_PER_MS, lambda: called.append(clock.now_ns() - EPOCH_NS))
        dropped = clock.call_at(EPOCH_NS + 6 * NS_PER_MS, lambda: called.append("dropped"))
        clock.call_at(EPOCH_NS - 1, lambda: called.append("past"))
        dropped.cancel()
        await clock.sleep(1)

    run_virtual(main, EPOCH_NS)
    assert called == ["past", 5 * NS_PER_MS]


def test_a_wait_that_is_cancelled_leaves_no_timer():
    async def main(clock: Clock) -> None:
        task = asyncio.create_task(clock.sleep(3600))
        await asyncio.sleep(0)
        task.cancel()
        await asyncio.wait([task])
        assert not [handle for handle in clock.loop._scheduled if not handle.cancelled()]

    run_virtual(main, EPOCH_NS)


# --- blocking work ---------------------------------------------------------------------------------------------------


def test_work_in_the_thread_is_done_one_after_the_other():
    threads, running = set(), []

    def work(number: int) -> int:
        threads.add(threading.get_ident())
        running.append(number)
        time.sleep(0.001)
        assert running[-1] == number
        return number

    async def main(clock: Clock) -> list[int]:
        return await asyncio.gather(*(clock.in_thread(lambda n=n: work(n)) for n in range(5)))

    assert on(new_loop, main) == list(range(5))
    assert len(threads) == 1
    assert threading.get_ident() not in threads


def test_work_is_finished_even_when_its_caller_is_cancelled_twice():
    started, let_go, done = threading.Event(), threading.Event(), []

    def work() -> None:
        started.set()
        let_go.wait(10)
        done.append(True)

    async def main(clock: Clock) -> None:
        task = asyncio.create_task(clock.in_thread(work))
        await asyncio.to_thread(started.wait, 10)
        for _ in range(2):
            task.cancel()
            await asyncio.sleep(0.01)
            assert not task.done()
        let_go.set()
        await asyncio.wait([task])
        assert task.cancelled()
        assert done == [True]

    on(new_loop, main)


def test_the_failure_of_cancelled_work_is_not_lost():
    let_go = threading.Event()

    def work() -> None:
        let_go.wait(10)
        raise OSError("disk full")

    async def main(clock: Clock) -> None:
        task = asyncio.create_task(clock.in_thread(work))
        await asyncio.sleep(0.01)
        task.cancel()
        let_go.set()
        with pytest.raises(asyncio.CancelledError) as cancelled:
            await task
        assert str(cancelled.value.__cause__) == "disk full"

    on(asyncio.new_event_loop, main)


def test_the_failure_of_work_is_its_callers():
    async def main(clock: Clock) -> None:
        with pytest.raises(ZeroDivisionError):
            await clock.in_thread(lambda: 1 / 0)

    on(new_loop, main)
    run_virtual(main, EPOCH_NS)


def test_in_virtual_time_work_is_inline():
    async def main(clock: Clock) -> int:
        return await clock.in_thread(threading.get_ident)

    assert run_virtual(main, EPOCH_NS) == threading.get_ident()


async def test_finish_hands_on_what_the_work_returns():
    assert await finish(asyncio.ensure_future(asyncio.sleep(0, "done"))) == "done"
