"""A run at the emulated venue while the machine's clock is wrong, is set, or the machine sleeps: real sockets and time.

The machine is the real one with clocks that a test moves (tests/machine.py). What is to hold: nothing is entered by a
time that is in doubt, nothing is refused for its nonce or its expiry, and entries come back by themselves.
"""

import asyncio
import os
import signal
import sys
import threading
import time
from datetime import datetime

import pytest

from daemon import hyperliquid, run
from daemon.logs import LOG_FOLDER, LOG_NAME
from daemon.options import Mode, RunOptions
from supervisor.clock import NS_PER_S, Clock
from supervisor.wall import new_loop
from tests.daemon.runs import log_of
from tests.daemon.test_run_hyperliquid import BUSY, configured
from tests.machine import RealMachine
from tests.venues.emulator.running import KEY, running

pytestmark = pytest.mark.skipif(sys.platform == "win32", reason="the daemon is stopped by signals here")

SYMBOLS = ("BTC", "ETH")
HOUR_S, SLEPT_S = 3_600, 600
WITHIN_S = 30.0
"""What is waited for comes within seconds; a busy machine may take longer."""


def wait_for(what):
    """Until something is true, or it never will be."""
    deadline = time.monotonic() + WITHIN_S
    while not what() and time.monotonic() < deadline:
        time.sleep(0.05)


def lived(tmp_path, monkeypatch, machine, befalls, over):
    """Trade on that machine: `befalls(venue, data)` once it is up, until `over(data)`. Gives the data directory."""
    monkeypatch.setenv("OBID_HYPERLIQUID_AGENT_KEY", KEY)
    monkeypatch.setattr(run, "now_ns", machine.wall_ns)
    monkeypatch.setattr(hyperliquid, "SPENT_BEFORE", 0)  # the emulator has room for two starts a minute

    def run_wall(main, epoch_ns=None, speed=1.0):
        with asyncio.Runner(loop_factory=new_loop) as runner:
            clock = Clock(runner.get_loop(), epoch_ns, speed, machine=machine)
            try:
                return runner.run(main(clock))
            finally:
                clock.close()

    monkeypatch.setattr(run, "run_wall", run_wall)
    data = tmp_path / "data"
    with running(SYMBOLS, speed=1.0, seed=5) as venue:

        def story():
            befalls(venue, data)
            wait_for(lambda: over(data))
            os.kill(os.getpid(), signal.SIGTERM)

        teller = threading.Thread(target=story)
        teller.start()
        options = RunOptions(
            mode=Mode.LIVE,
            engines=("perps",),
            data_dir=data,
            config=configured(tmp_path, venue, BUSY, SYMBOLS),
            plain=True,
        )
        assert run.run(options) == 0
        teller.join()
        assert venue.truth()["open_orders"] == []
    return data


def told(data, event):
    """Lines of the log so far; none before there is one."""
    return log_of(data, event) if (data / LOG_FOLDER / LOG_NAME).exists() else []


def fresh(data, since=0):
    """Whether every symbol may be entered now, by what was said after so many lines of it."""
    verdicts = told(data, "stream_state")[since:]
    return bool(verdicts) and {one["symbol"]: one["fresh"] for one in verdicts} == dict.fromkeys(SYMBOLS, True)


def jumps(data):
    return [(line["what"], round(line["by_s"])) for line in log_of(data, "clock_jumped")]


def refused_for_time(data):
    """What the venue refused for its nonce or its expiry."""
    said = [line.get("reason", "") for line in log_of(data, "rejected")]
    said += [line.get("reason", "") for line in log_of(data, "order_changed")]
    return [why for why in said if "nonce" in why.lower() or "expire" in why.lower()]


def test_a_machine_that_slept_trades_on(tmp_path, monkeypatch):
    machine, before = RealMachine(), []

    def sleeps(venue, data):
        wait_for(lambda: fresh(data))
        before.extend(told(data, "stream_state"))
        venue.emulator.skew_ns = SLEPT_S * NS_PER_S  # so long has passed there, too
        machine.sleeps(SLEPT_S)

    data = lived(tmp_path, monkeypatch, machine, sleeps, lambda data: fresh(data, 2 * len(SYMBOLS)))
    assert jumps(data) == [("slept", SLEPT_S)]
    verdicts = [(one["symbol"], one["fresh"]) for one in told(data, "stream_state")]
    assert len(before) == len(SYMBOLS) and fresh(data, len(verdicts) - len(SYMBOLS)), "entries are not let in again"
    assert verdicts[len(SYMBOLS) : 2 * len(SYMBOLS)] == [(symbol, False) for symbol in SYMBOLS], "nor were they shut"
    assert refused_for_time(data) == []


def test_a_start_by_a_clock_that_is_an_hour_ahead_trades_when_it_is_set_right(tmp_path, monkeypatch):
    """And what was written down by it hides no fill from the run after it (`known_ns`)."""
    machine = RealMachine()
    machine.is_set(HOUR_S)

    def is_set_right(venue, data):
        wait_for(lambda: [line for line in told(data, "venue_says") if "ahead of the venue's" in line["what"]])
        time.sleep(1.5)  # a look at the ages of streams
        assert not told(data, "stream_state"), "something may be entered by a time that is wrong"
        machine.is_set(-HOUR_S)

    data = lived(tmp_path, monkeypatch, machine, is_set_right, fresh)
    assert sorted(jumps(data)) == [("ahead", -HOUR_S), ("set", -HOUR_S)], "whichever is noticed first"
    first, second = told(data, "run_started")
    assert 3_500 < (seconds_of(first) - seconds_of(second)) < 3_600, "time can't go back in a run: another is begun"
    assert fresh(data), "nothing may be entered though it is right"
    assert refused_for_time(data) == []


def seconds_of(line):
    """When a line was written."""
    return datetime.fromisoformat(line["at"][:26] + "+00:00").timestamp()
