"""A daemon in a process of its own: it stops when it is told, dies when it is killed, and goes on where it was."""

import contextlib
import os
import signal
import struct
import subprocess
import sys
import time

import pytest

from daemon.books import recover_from
from daemon.options import JOURNAL_NAME
from daemon.view import CURSOR_HIDE, CURSOR_SHOW
from tests.daemon.runs import ROOT, Daemon, eager, log_of, obid

pytestmark = pytest.mark.skipif(sys.platform == "win32", reason="these signals can't be sent on Windows")

BOUND_S = 5.0
"""A stop is over by then, on a machine that has nothing else to do."""


def bound_s():
    """The same on this machine, by what waits for its processors."""
    return BOUND_S * max(1.0, os.getloadavg()[0] / (os.cpu_count() or 1))


def trader(tmp_path, *args):
    """Two coins, bars of a second, sixty times as fast as the world."""
    options = ("--symbols", "BTC,ETH", "--bar", "1s", "--speed", "60", "--config", eager(tmp_path))
    return Daemon(tmp_path / "data", *options, *args)


def clean(daemon):
    """Nothing was printed that a person would not want to read, and nothing lies about."""
    assert daemon.wrongs() == ""
    assert "Traceback" not in daemon.said()
    left = {path.name for path in daemon.data_dir.iterdir()}
    assert left == {JOURNAL_NAME, f"{JOURNAL_NAME}.mark", "log", "obid.lock"}


@pytest.mark.parametrize("how", [signal.SIGTERM, signal.SIGINT], ids=lambda how: how.name)
def test_a_signal_cancels_what_rests_and_the_next_start_has_the_positions(how, tmp_path):
    with trader(tmp_path) as daemon:
        daemon.wait_for(lambda: daemon.ask("orders") and daemon.ask("positions"))
        assert daemon.end(how) < bound_s()
        assert f"ended by {how.name}" in daemon.said()
        assert daemon.said().splitlines()[-1].startswith("digest sha256:")
        clean(daemon)
    mind = recover_from(daemon.data_dir / JOURNAL_NAME)
    assert [order for order in mind.orders.values() if not order.over] == []
    held = {symbol: position.lots for symbol, position in mind.books.positions.get("perps", {}).items()}
    with trader(tmp_path) as again:
        first = again.wait_for(lambda: log_of(again.data_dir, "reconciled")[1:])
        assert first[0]["ok"]
        changed = [line for line in again.log("position_changed") if line["run"] == "synthetic-1-2"]
        assert {line["symbol"]: line["lots"] for line in changed[: len(held)]} == held
        again.end()
    assert again.log("drift") == []
    assert "balanced" in obid("ledger", "trial-balance", "--data-dir", daemon.data_dir).stdout


def test_a_second_signal_does_not_cut_the_stop_short(tmp_path):
    with trader(tmp_path) as daemon:
        daemon.wait_for(lambda: daemon.ask("orders"))
        daemon.process.send_signal(signal.SIGTERM)
        time.sleep(0.02)
        daemon.end(signal.SIGINT)
        clean(daemon)


def test_ctl_stop_is_a_stop(tmp_path):
    with trader(tmp_path) as daemon:
        daemon.wait_for(lambda: daemon.ask("orders"))
        daemon.ask("stop", reason="upgrade")
        daemon.end(None)
        assert "ended by upgrade" in daemon.said()
        clean(daemon)


def test_virtual_time_hears_a_signal_too(tmp_path):
    daemon = Daemon(tmp_path / "data", "--symbols", "BTC,ETH", "--bar", "1s", "--speed", "max", "--for", "3650d")
    try:
        daemon.wait_for(lambda: "books" in daemon.said())
        assert daemon.end() < bound_s()
        assert "ended by SIGTERM" in daemon.said()
        clean(daemon)
    finally:
        daemon.__exit__()


def test_sighup_flushes_the_log_and_goes_on(tmp_path):
    with trader(tmp_path) as daemon:
        daemon.process.send_signal(signal.SIGHUP)
        books = daemon.ask("status")["status"]["books"]
        daemon.wait_for(lambda: daemon.ask("status")["status"]["books"] > books)
        daemon.end()


def fills_of(daemon, run):
    """Fills in the log of the n-th run."""
    return [line for line in daemon.log("fill") if line["run"] == f"synthetic-1-{run}"]


def die_trading(tmp_path, run):
    """Run until some fills have come and an order is under way, then be killed."""
    with trader(tmp_path) as daemon:
        daemon.wait_for(lambda: len(fills_of(daemon, run)) >= 3 and daemon.ask("orders"))
        daemon.end(signal.SIGKILL, code=-signal.SIGKILL)
        assert daemon.wrongs() == ""


def test_killed_while_it_trades_it_recovers_reconciles_and_trades_on(tmp_path):
    for run in (1, 2, 3):
        die_trading(tmp_path, run)
    before = recover_from(tmp_path / "data" / JOURNAL_NAME)
    assert [order for order in before.orders.values() if not order.over], "killed with orders under way"
    with trader(tmp_path) as daemon:
        daemon.wait_for(lambda: all(row["reconciled"] for row in daemon.ask("status")["engines"]))
        daemon.wait_for(lambda: fills_of(daemon, 4))
        assert daemon.end() < bound_s()
        clean(daemon)
    after = recover_from(daemon.data_dir / JOURNAL_NAME)
    assert [order for order in after.orders.values() if not order.over] == []
    assert daemon.log("drift") == []
    assert after.books.money("perps").capital_minor == before.books.money("perps").capital_minor


def test_on_a_terminal_ctrl_c_leaves_the_last_picture_the_summary_and_a_visible_cursor(tmp_path):
    import fcntl
    import pty
    import termios

    ours, theirs = pty.openpty()
    fcntl.ioctl(theirs, termios.TIOCSWINSZ, struct.pack("HHHH", 40, 120, 0, 0))
    command = [sys.executable, "-m", "daemon", "run", "--symbols", "BTC", "--data-dir", str(tmp_path / "data")]
    environment = {**os.environ, "TERM": "xterm-256color"}
    process = subprocess.Popen(command, cwd=ROOT, stdin=theirs, stdout=theirs, stderr=theirs, env=environment)
    os.close(theirs)
    shown = ""
    with contextlib.suppress(OSError):  # what a terminal says when nobody is left on the other side
        while part := os.read(ours, 65536).decode(errors="replace"):
            if "fresh 1/1" in part and "fresh 1/1" not in shown:
                process.send_signal(signal.SIGINT)  # what Ctrl-C is
            shown += part
    os.close(ours)
    assert process.wait() == 0
    assert shown.rindex(CURSOR_SHOW) > shown.rindex(CURSOR_HIDE)
    assert "obid synthetic" in shown
    assert "ended by SIGINT" in shown
    assert shown.splitlines()[-1].startswith("digest sha256:")
    assert "Traceback" not in shown


def test_a_stop_does_not_wait_for_the_start(tmp_path):
    """Three engines make up their history for seconds; nothing of that may hold up a stop."""
    engines = ("--engine", "perps", "--engine", "crypto", "--engine", "equities")
    daemon = Daemon(tmp_path / "data", *engines)
    try:
        daemon.wait_for(lambda: daemon.log("run_started") and daemon.log("child_started"))
        assert daemon.end() < bound_s()
        clean(daemon)
    finally:
        daemon.__exit__()
