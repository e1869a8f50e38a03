"""Signals wake a program that waits for ever, in a process of its own."""

import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from supervisor import early
from supervisor.clock import Clock
from supervisor.wall import on_signals, run_wall
from tests.patience import PATIENCE_S

ROOT = Path(__file__).resolve().parents[2]
PROGRAM = ROOT / "tests" / "supervisor" / "program_for_signals.py"

pytestmark = pytest.mark.skipif(sys.platform == "win32", reason="these signals can't be sent on Windows")


@contextmanager
def running(*arguments: str) -> Iterator[subprocess.Popen]:
    """The program once it waits; killed if it is still there at the end."""
    environment = {**os.environ, "PYTHONPATH": str(ROOT)}
    with subprocess.Popen(
        [sys.executable, str(PROGRAM), *arguments],
        env=environment,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    ) as process:
        try:
            assert process.stdout.readline() == "waiting\n", process.stderr.read()
            yield process
        finally:
            process.kill()


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT], ids=lambda number: number.name)
def test_a_signal_wakes_a_program_that_waits_for_ever(number):
    with running() as process:
        process.send_signal(number)
        out, err = process.communicate(timeout=PATIENCE_S)
    assert out == f"stopped by {number.name}\n"
    assert err == ""
    assert process.returncode == 0


def test_sighup_reloads_and_does_not_stop():
    with running() as process:
        for _ in range(2):
            process.send_signal(signal.SIGHUP)
            assert process.stdout.readline() == "reload\n"
        process.send_signal(signal.SIGTERM)
        assert process.communicate(timeout=PATIENCE_S)[0] == "stopped by SIGTERM\n"


def test_a_stop_waits_for_disk_work():
    with running("busy") as process:
        process.send_signal(signal.SIGTERM)
        with pytest.raises(subprocess.TimeoutExpired):
            process.wait(0.2)
        assert process.communicate("done\n", timeout=PATIENCE_S)[0] == "stopped by SIGTERM\n"
        assert process.returncode == 0


def test_a_stop_that_was_dropped_while_loading_is_told_when_there_is_a_loop():
    """The import system calls back where whatever a handler raises is dropped; the daemon traded on."""
    with pytest.raises(SystemExit):
        early.end(signal.SIGTERM, None)
    told: list[str] = []

    async def main(clock: Clock) -> None:
        on_signals(clock.loop, told.append, lambda: None)
        await clock.sleep(0.01)

    run_wall(main)
    run_wall(main)
    assert told == ["SIGTERM"]
