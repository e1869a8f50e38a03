"""The virtual loop: exact timers, time that threads hold, deadlocks found, and one order of everything."""

import asyncio
import os
import shutil
import subprocess
import sys
import time
from pathlib import Path

import pytest

from supervisor.clock import NS_PER_S, Clock
from supervisor.virtual import Deadlock, VirtualLoop, run_virtual
from tests.fakes import EPOCH_NS

ROOT = Path(__file__).resolve().parents[2]
DAY_S = 24 * 3600


def test_timers_are_exact_and_in_order():
    woken = []

    async def sleeper(clock: Clock, wait_ns: int) -> None:
        await clock.sleep_until(EPOCH_NS + wait_ns)
        woken.append(clock.now_ns() - EPOCH_NS)

    waits_ns = [7, 3, 3, 1, 86_400 * NS_PER_S + 1, 86_400 * NS_PER_S, 2, 550_000_000, 5 * NS_PER_S]

    async def main(clock: Clock) -> None:
        async with asyncio.TaskGroup() as group:
            for wait_ns in waits_ns:
                group.create_task(sleeper(clock, wait_ns))

    run_virtual(main, EPOCH_NS)
    assert woken == sorted(waits_ns)


def test_a_day_of_ticks():
    """28 timers of 1 s: every one is on its second, to the nanosecond."""
    late = []

    async def ticker(clock: Clock) -> int:
        for second in range(1, 3601):
            await clock.sleep_until(EPOCH_NS + second * 24 * NS_PER_S)
            if clock.now_ns() != EPOCH_NS + second * 24 * NS_PER_S:
                late.append(clock.now_ns())
        return clock.now_ns()

    async def main(clock: Clock) -> list[int]:
        return await asyncio.gather(*(ticker(clock) for _ in range(8)))

    assert run_virtual(main, EPOCH_NS) == [EPOCH_NS + DAY_S * NS_PER_S] * 8
    assert late == []


def test_years_do_not_hang():
    """A float second is coarser than a nanosecond after 48 days: timers may be late by that, never early or stuck."""

    async def main(clock: Clock) -> None:
        for day in range(1, 5000, 7):
            at_ns = EPOCH_NS + day * DAY_S * NS_PER_S + 1
            await clock.sleep_until(at_ns)
            assert 0 <= clock.now_ns() - at_ns < 1000

    run_virtual(main, EPOCH_NS)


def test_timeouts_and_cancellation_take_virtual_time():
    async def main(clock: Clock) -> int:
        with pytest.raises(TimeoutError):
            async with asyncio.timeout(3600):
                await clock.sleep(7200)
        return clock.now_ns()

    assert run_virtual(main, EPOCH_NS) == EPOCH_NS + 3600 * NS_PER_S


def test_a_program_that_nothing_will_wake_is_a_deadlock():
    async def main(clock: Clock) -> None:
        await clock.sleep(5)
        await clock.loop.create_future()

    with pytest.raises(Deadlock, match="no task can run and no timer is set"):
        run_virtual(main, EPOCH_NS)


def test_a_thread_holds_the_clock():
    ticks = []

    async def ticker(clock: Clock) -> None:
        while True:
            await clock.sleep(1)
            ticks.append(clock.now_ns())

    async def main(clock: Clock) -> int:
        task = asyncio.create_task(ticker(clock))
        await clock.loop.run_in_executor(None, time.sleep, 0.05)
        task.cancel()
        return clock.now_ns()

    assert run_virtual(main, EPOCH_NS) == EPOCH_NS
    assert ticks == []


def test_disk_work_is_inline_and_takes_no_time():
    async def main(clock: Clock) -> tuple[str, int]:
        return await clock.in_thread(lambda: "done"), clock.now_ns()

    assert run_virtual(main, EPOCH_NS) == ("done", EPOCH_NS)


def test_sockets_work():
    async def main(clock: Clock) -> bytes:
        async def echo(reader, writer):
            writer.write(await reader.readline())
            await writer.drain()
            writer.close()

        server = await asyncio.start_server(echo, "127.0.0.1", 0)
        reader, writer = await asyncio.open_connection(*server.sockets[0].getsockname())
        writer.write(b"hello\n")
        line = await _unless_deadlocked(clock, reader.readline())
        writer.close()
        await writer.wait_closed()
        server.close()
        return line

    assert run_virtual(main, EPOCH_NS) == b"hello\n"


async def _unless_deadlocked(clock: Clock, work):
    """The kernel delivers in real time, which the loop does not wait for: give it a few turns."""
    task = asyncio.ensure_future(work)
    while not task.done():
        await clock.loop.run_in_executor(None, time.sleep, 0.001)
    return task.result()


# --- one order -------------------------------------------------------------------------------------------------------


def _trace(seed: int | None) -> list[int]:
    """What 12 tasks that share three queues do, and in which order."""
    trace = []

    async def worker(number: int, mine: asyncio.Queue, theirs: asyncio.Queue) -> None:
        for _ in range(10):
            theirs.put_nowait(number)
            trace.append(await mine.get())
            await asyncio.sleep(0)

    async def main(clock: Clock) -> None:
        queues = [asyncio.Queue() for _ in range(3)]
        async with asyncio.TaskGroup() as group:
            for number in range(12):
                group.create_task(worker(number, queues[number % 3], queues[(number + 1) % 3]))

    run_virtual(main, EPOCH_NS, seed)
    return trace


def test_shuffling_gives_other_orders_each_of_which_repeats():
    orders = {seed: _trace(seed) for seed in (None, *range(20))}
    assert len({tuple(order) for order in orders.values()}) == len(orders)
    assert all(_trace(seed) == order for seed, order in orders.items())


def test_shuffling_leaves_sockets_alone():
    """Only steps of tasks change places; a transport that closes must see its callbacks in their order."""

    async def main(clock: Clock) -> int:
        async def count(reader, writer):
            writer.write(str(len(await reader.read())).encode())
            writer.close()

        server = await asyncio.start_server(count, "127.0.0.1", 0)

        async def client() -> int:
            reader, writer = await asyncio.open_connection(*server.sockets[0].getsockname())
            writer.write(b"x" * 1000)
            writer.write_eof()
            answer = await reader.read()
            writer.close()
            await writer.wait_closed()
            return int(answer)

        async def clients() -> list[int]:
            return await asyncio.gather(*(client() for _ in range(10)))

        answers = await _unless_deadlocked(clock, clients())
        server.close()
        return sum(answers)

    for seed in range(5):
        assert run_virtual(main, EPOCH_NS, seed) == 10_000


def test_tasks_are_equal_only_to_themselves():
    async def main(clock: Clock) -> None:
        one, two = (asyncio.create_task(clock.sleep(1)) for _ in range(2))
        assert one == one  # noqa: PLR0124
        assert one != two
        assert hash(one) + 1 == hash(two)
        await asyncio.wait([one, two])

    run_virtual(main, EPOCH_NS)


def test_the_loop_keeps_its_tasks_in_one_order():
    async def main(clock: Clock) -> list[str]:
        for number in range(50):
            asyncio.create_task(clock.sleep(number), name=str(number))  # noqa: RUF006
        await asyncio.sleep(0)
        return [task.get_name() for task in asyncio.all_tasks() if task is not asyncio.current_task()]

    assert run_virtual(main, EPOCH_NS) == run_virtual(main, EPOCH_NS)


def _interpreters() -> dict[str, str]:
    """This Python, and those of other versions that are there and can run the program: found, never fetched."""
    found = {f"3.{sys.version_info.minor}": sys.executable}
    homes = [Path(os.environ.get("PYENV_ROOT") or Path.home() / ".pyenv") / "versions"]
    for minor in (11, 12, 13):
        here = [str(path) for home in homes for path in sorted(home.glob(f"3.{minor}.*/bin/python"))]
        for candidate in filter(None, [*here, shutil.which(f"python3.{minor}")]):
            found.setdefault(f"3.{minor}", candidate)
    return found


def _fresh(python: str, *arguments: str) -> str:
    """What a new process prints; it needs no packages."""
    script = ROOT / "tests" / "supervisor" / "order_of_cancellation.py"
    environment = {**os.environ, "PYTHONPATH": str(ROOT), "PYTHONHASHSEED": "random"}
    done = subprocess.run(
        [python, "-S", str(script), *arguments], capture_output=True, text=True, check=True, env=environment, timeout=60
    )
    return done.stdout.strip()


@pytest.mark.parametrize("python", _interpreters().values(), ids=_interpreters())
def test_cancellation_has_one_order_in_every_process_and_version(python):
    """Twelve siblings, 20 fresh processes with their own addresses and hash seeds."""
    here = _fresh(sys.executable)
    assert {_fresh(python) for _ in range(20)} == {here}
    assert _fresh(python, "5") == _fresh(sys.executable, "5")


def test_a_loop_can_be_made_without_running_it():
    loop = VirtualLoop()
    assert loop.time() == 0
    loop.close()
