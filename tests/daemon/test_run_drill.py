"""Drills: every actor is crashed once and the run goes on; one that keeps crashing halts trading until it is lifted."""

import sys

import pytest

from daemon.books import recover_from
from daemon.options import JOURNAL_NAME
from risk.intent import Trading
from tests.daemon.runs import Daemon, eager

pytestmark = pytest.mark.skipif(sys.platform == "win32", reason="the daemon is stopped by signals here")

CRASHES = 5
"""So many of one actor within half a minute are one too many."""


def trader(tmp_path, speed, *args):
    options = ("--symbols", "BTC,ETH", "--bar", "1s", "--speed", speed, "--config", eager(tmp_path))
    return Daemon(tmp_path / "data", *options, *args)


def actors(daemon):
    """`ctl ps` by name."""
    return {row["name"]: row for row in daemon.ask("ps")}


def crash(daemon, name):
    """Crash an actor and see it back, and risk let an entry pass after that: all still work together."""
    before = len(daemon.entries())
    assert daemon.ask("crash", actor=name)["lines"][0].startswith(f"{name} was crashed")
    back = {"state": "running", "healthy": True, "restarts": 1, "error": "Drill: a drill"}
    daemon.wait_for(lambda: back.items() <= actors(daemon)[name].items())
    seen = len(daemon.entries())
    daemon.wait_for(lambda: len(daemon.entries()) > max(before, seen))


def test_every_actor_is_crashed_once_and_the_run_goes_on(tmp_path):
    with trader(tmp_path, 60) as daemon:
        daemon.wait_for(daemon.entries)
        names = list(actors(daemon))
        for name in names:
            crash(daemon, name)
        crashed = [(line["engine"], line["child"]) for line in daemon.log("child_crashed")]
        assert [".".join(filter(None, parts)) for parts in crashed] == names
        assert {line["error"] for line in daemon.log("dead_letter")} == {"Drill: a drill"}
        daemon.end()
        assert daemon.wrongs() == ""
        assert daemon.log("drift") == []
        assert daemon.log("loop_error") == []
        assert f"restarts     {len(names)}" in daemon.said()
        assert "Traceback" not in daemon.said()


def test_a_restart_by_the_operator_is_no_crash(tmp_path):
    with trader(tmp_path, 60) as daemon:
        daemon.wait_for(daemon.entries)
        daemon.ask("restart", actor="perps.signal")
        daemon.wait_for(lambda: actors(daemon)["perps.signal"]["restarts"] == 1)
        assert daemon.log("child_crashed") == []
        daemon.end()
        assert daemon.wrongs() == ""


def test_five_crashes_within_half_a_minute_halt_until_an_operator_resumes(tmp_path):
    with trader(tmp_path, 1) as daemon:
        for number in range(1, CRASHES):
            daemon.ask("crash", actor="perps.signal")
            daemon.wait_for(lambda number=number: actors(daemon)["perps.signal"]["restarts"] == number)
        daemon.ask("crash", actor="perps.signal")
        daemon.end(None, code=1)
        (line,) = daemon.wrongs().splitlines()
        assert line.startswith("obid: obid gave up: perps.signal crashed 5 times in 30 s: a drill")
        assert line.endswith("trading is halted until `obid ctl resume`")
        assert daemon.said().splitlines()[-1].startswith("digest sha256:")
    mind = recover_from(daemon.data_dir / JOURNAL_NAME)
    assert mind.trading[""].state is Trading.HALTED
    assert [order for order in mind.orders.values() if not order.over] == []
    with trader(tmp_path, 60) as again:
        (engine,) = again.wait_for(lambda: [e for e in again.ask("status")["engines"] if e["trading"] == "halted"])
        assert "gave up" in engine["reason"]
        refused = again.wait_for(lambda: again.log("refused"))
        assert {line["rule"] for line in refused if line["run"] == "synthetic-1-2"} <= {"state", "reconciled", "fresh"}
        again.wait_for(lambda: [line for line in again.log("refused") if line["rule"] == "state"])
        assert [line for line in again.entries() if line["run"] == "synthetic-1-2"] == []
        again.ask("resume", reason="looked at it")
        again.wait_for(lambda: [line for line in again.entries() if line["run"] == "synthetic-1-2"])
        assert again.ask("status")["engines"][0]["trading"] == "active"
        again.end()
        assert again.wrongs() == ""
    assert recover_from(daemon.data_dir / JOURNAL_NAME).trading[""].state is Trading.ACTIVE


def test_an_unknown_actor_is_named(tmp_path):
    with trader(tmp_path, 1) as daemon:
        with pytest.raises(Exception, match="one of recorder, ledger"):
            daemon.ask("crash", actor="nobody")
        daemon.end()
