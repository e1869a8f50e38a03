"""A question about a long log holds up no stop: systemd kills, and starts again, what is not gone after 20 s."""

import subprocess
import sys
import time

from daemon.control_client import ControlClient
from daemon.errors import Failed
from tests.daemon.runs import Daemon

MIB = 2**20
FILES = 3
"""Of 64 MiB, of which a log may keep 16: a question about three takes seven seconds."""

STOP_S = 8.0


def test_a_stop_does_not_wait_for_an_explanation(tmp_path):
    data = tmp_path / "data"
    with Daemon(data, "--mode", "synthetic", "--engine", "perps", "--symbols", "BTC,ETH") as daemon:
        line = daemon.wait_for(lambda: (data / "log" / "obid.jsonl").read_bytes().splitlines(keepends=True)[3:4])[0]
        for number in range(1, FILES + 1):
            (data / "log" / f"obid.jsonl.{number}").write_bytes(line * (64 * MIB // len(line)))
        for _ in range(2):  # it takes too long, and is asked again
            try:
                with ControlClient(data, timeout_s=1.0) as client:
                    client.ask("explain", {"id": "0xabcdef99"})
            except Failed:
                pass
        subprocess.run([sys.executable, "-m", "daemon", "ctl", "stop", "--data-dir", data], check=True)
        started_s = time.monotonic()
        daemon.process.wait(120)
        assert time.monotonic() - started_s < STOP_S
    for number in range(1, FILES + 1):
        (data / "log" / f"obid.jsonl.{number}").unlink()
