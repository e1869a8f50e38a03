"""The first seconds of a run: a venue that says "later", and a stop that comes before anything was started."""

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from tests.daemon.runs import ROOT, STOP_S, Daemon, log_of
from tests.daemon.test_run_hyperliquid import configured
from tests.venues.emulator.running import running

pytestmark = pytest.mark.skipif(sys.platform == "win32", reason="the daemon is stopped by signals here")


def catches_sigterm(pid: int) -> bool:
    """Whether a process has taken SIGTERM into its own hands, by the kernel's word."""
    status = Path(f"/proc/{pid}/status").read_text()
    mask = next(line for line in status.splitlines() if line.startswith("SigCgt")).split()[1]
    return bool(int(mask, 16) >> (signal.SIGTERM - 1) & 1)


@pytest.mark.skipif(not Path("/proc/self/status").exists(), reason="the kernel does not tell who catches what")
def test_a_stop_at_any_moment_of_the_start_is_a_clean_end(tmp_path):
    """It ended with -15 while the program was being loaded and until the graph was up."""
    daemons = [Daemon(tmp_path / f"data{number}", "--symbols", "BTC,ETH") for number in range(4)]
    try:
        for number, daemon in enumerate(daemons):
            while not catches_sigterm(daemon.process.pid):
                assert daemon.process.poll() is None
                time.sleep(0.005)
            time.sleep(0.25 * number)
            daemon.process.send_signal(signal.SIGTERM)
        for daemon in daemons:
            assert daemon.process.wait(STOP_S) == 0, daemon.wrongs()
            assert "Traceback" not in daemon.said() + daemon.wrongs()
    finally:
        for daemon in daemons:
            daemon.__exit__()


def test_a_stop_while_a_venue_is_opened_is_a_clean_end(tmp_path):
    data = tmp_path / "data"
    with running(("BTC", "ETH"), speed=1.0) as venue:
        venue.fault(kind="http_429", requests=["meta"], for_s=60)
        config = configured(tmp_path, venue, more="", symbols=("BTC", "ETH"))
        command = [
            sys.executable,
            "-m",
            "daemon",
            "run",
            "--mode",
            "shadow",
            "--data-dir",
            str(data),
            "--config",
            str(config),
        ]
        process = subprocess.Popen(command, cwd=ROOT, stderr=subprocess.PIPE, text=True, env=os.environ.copy())
        try:
            assert process.stderr is not None
            assert "tried again" in process.stderr.readline()
            process.send_signal(signal.SIGTERM)
            assert process.wait(STOP_S) == 0
            assert "SIGTERM: ended before anything was started" in process.stderr.read()
        finally:
            process.kill()
            process.stderr.close()
    assert log_of(data, "run_started") == []
