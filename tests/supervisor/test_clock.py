"""The clock: one time for all, waits that are never short, and blocking work that is never cut in half."""

import asyncio
import threading
import time

import pytest

from supervisor.clock import NS_PER_MS, NS_PER_S, Clock, finish
from supervisor.virtual import run_virtual
from supervisor.wall import new_loop, run_wall
from tests.fakes import EPOCH_NS
from tests.machine import RealMachine, SetMachine, clock_of
from tests.patience import PATIENCE_S

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


# --- a machine that sleeps, and whose clock is set --------------------------------------------------------------------


@LOOPS
@pytest.mark.parametrize("slept_s", [90, 3 * 3_600])
def test_who_waits_is_woken_when_the_machine_has_slept_past_it(make_loop, slept_s):
    """The loop's own time stood meanwhile: its timers are as far away as before (control: nobody looks)."""
    machine = RealMachine()

    async def main(clock: Clock) -> list[str]:
        woken, jumps = [], []
        clock.listen(jumps.append)
        clock.call_at(EPOCH_NS + 60 * NS_PER_S, lambda: woken.append("call"))
        clock.call_at(EPOCH_NS + 4 * 3_600 * NS_PER_S, lambda: woken.append("not yet"))
        waiter = asyncio.create_task(clock.sleep(60))
        await asyncio.sleep(0.01)
        machine.sleeps(slept_s)
        assert clock.now_ns() - EPOCH_NS >= slept_s * NS_PER_S
        await asyncio.sleep(0.05)
        assert woken == [] and not waiter.done()
        clock.look()
        clock.look()
        await asyncio.wait_for(waiter, PATIENCE_S)
        assert [jump.what for jump in jumps] == ["slept"]
        return woken

    assert on(make_loop, main, machine=machine) == ["call"]


@pytest.mark.parametrize("by_s", [3_600, -3_600])
def test_a_clock_that_is_set_moves_neither_time_nor_waits(by_s):
    machine = RealMachine()

    async def main(clock: Clock) -> list[object]:
        jumps = []
        clock.listen(jumps.append)
        machine.is_set(by_s)
        clock.look()
        clock.look()
        waiter = asyncio.create_task(clock.sleep(0.02))
        await asyncio.wait_for(waiter, PATIENCE_S)
        assert clock.now_ns() - EPOCH_NS < 60 * NS_PER_S
        return [(jump.what, round(jump.by_ns / NS_PER_S)) for jump in jumps]

    assert on(new_loop, main, machine=machine) == [("set", by_s)]


def test_who_listens_late_hears_what_was_noticed_before():
    """A start by a wrong clock that is set right while the venue is opened: unheard, the daemon never traded again."""
    machine = RealMachine()

    async def main(clock: Clock) -> list[str]:
        jumps = []
        machine.is_set(-60)
        clock.look()
        clock.follow()
        clock.listen(jumps.append)
        machine.is_set(-1)
        clock.look()
        return [jump.what for jump in jumps]

    assert on(new_loop, main, machine=machine) == ["set", "ahead", "set"]


def test_no_call_comes_early_on_a_clock_that_is_slowed():
    machine = RealMachine()

    async def main(clock: Clock) -> None:
        called = asyncio.get_running_loop().create_future()
        machine.is_set(-0.6)
        before_ns = clock.now_ns()
        clock.follow()
        started_s = time.monotonic()
        clock.call_at(before_ns + NS_PER_S // 10, lambda: called.set_result(clock.now_ns()))
        assert await called >= before_ns + NS_PER_S // 10 - NS_PER_MS
        assert time.monotonic() - started_s > 0.18, "at half speed"

    on(new_loop, main, machine=machine)


def test_a_clock_is_slowed_twice_and_loses_what_both_said():
    machine = SetMachine()
    clock = clock_of(machine, EPOCH_NS)
    machine.is_set(-4)
    clock.follow()
    machine.lives(4)  # it has lost 2 s of the 4
    machine.is_set(1)  # 3 in all, then: 1 more
    clock.follow()
    machine.lives(100)
    assert clock.now_ns() - EPOCH_NS == 101 * NS_PER_S
    assert clock.strayed_ns() == 0


def test_virtual_time_knows_neither_sleep_nor_steps():
    async def main(clock: Clock) -> int:
        clock.look()
        await clock.sleep(3_600)
        clock.look()
        return clock.jumps

    assert run_virtual(main, EPOCH_NS) == 0
