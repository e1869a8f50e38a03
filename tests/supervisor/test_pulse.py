"""The pulse: how late the loop is, who is ill, and a loop that says nothing at all."""

import asyncio
import threading
import time

import pytest

from supervisor import pulse
from supervisor.clock import Clock
from supervisor.pulse import Pulse
from supervisor.virtual import run_virtual
from supervisor.wall import run_wall
from tests.fakes import EPOCH_NS


class Told:
    """What was told, and from which thread."""

    def __init__(self):
        self.lines, self.threads, self.ill = [], set(), []

    def __call__(self, event, fields):
        self.lines.append((event, fields))
        self.threads.add(threading.get_ident())

    def of(self, event):
        return [fields for name, fields in self.lines if name == event]


def beating(script, run=run_wall):
    """Run a script beside a pulse; gives what was told and what the script gives."""
    told = Told()

    async def main(clock: Clock):
        one = Pulse(clock, lambda: told.ill, told)
        one.start()
        try:
            return await script(one)
        finally:
            one.stop()

    return told, run(main)


def spin(seconds):
    """As an actor does that will not come to an end."""
    over = time.monotonic() + seconds
    while time.monotonic() < over:
        pass


def test_a_stall_is_measured_and_told_once():
    async def script(one):
        await asyncio.sleep(0.12)
        for _ in range(3):
            spin(0.2)
            await asyncio.sleep(0.06)
        return one.lag_ms, one.lag_max_ms

    told, (lag_ms, lag_max_ms) = beating(script)
    assert lag_ms == lag_max_ms > 140
    assert len(told.of("loop_lagged")) == 1, "every ten seconds at most"


def test_a_loop_that_spins_is_noticed_from_outside_and_where(monkeypatch):
    """Control: a look from inside (`ill`) is not even asked while it spins."""
    monkeypatch.setattr(pulse, "HUNG_S", 0.5)
    monkeypatch.setattr(pulse, "THREAD_S", 0.05)
    seen = []

    async def script(one):
        await asyncio.sleep(0.12)
        asker = threading.Thread(target=lambda: (time.sleep(1.0), seen.append(one.healthy())))
        asker.start()
        assert one.healthy()
        spin(1.5)
        asker.join()
        await asyncio.sleep(0.12)
        return one.healthy()

    told, after = beating(script)
    (hung,) = told.of("loop_hung")
    assert 0.5 <= hung["seconds"] < 1.5
    assert hung["where"][-1].endswith(" spin")
    assert seen == [False]
    assert after, "it is well again, and says so"


@pytest.mark.parametrize("run", [run_wall, lambda main: run_virtual(main, EPOCH_NS)], ids=["wall", "virtual"])
def test_who_is_ill_is_told_when_it_changes_and_virtual_time_has_no_pulse(run, monkeypatch):
    monkeypatch.setattr(pulse, "LOOK_BEATS", 2)
    told = []

    async def script(one):
        one.ill = lambda: ["perps.signal"]
        await one.clock.sleep(0.4)
        told.append(one.healthy())
        one.ill = lambda: []
        await one.clock.sleep(0.4)
        told.append(one.healthy())
        return threading.active_count()

    lines, _ = beating(script, run)
    if run is run_wall:
        assert told == [False, True]
        changes = [(one["healthy"], one["why"]) for one in lines.of("health_changed")]
        assert changes == [(False, "late or down: perps.signal"), (True, "")]
    else:
        assert told == [True, True]
        assert lines.lines == []
