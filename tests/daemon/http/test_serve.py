"""The service as a process: how it starts, what it says, how it ends, and that nothing of it is left."""

import json
import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

import httpx
import pytest
from typer.testing import CliRunner

from daemon.cli import app
from daemon.http import serve
from daemon.http.folders import folders_in
from daemon.http.keys import SCOPES, create_key
from tests.daemon.http.serving import WAIT_S, serving, until

ROOT = Path(__file__).resolve().parents[3]
POLITE_S = 0.1  # a key may ask 20 times a second
LONG = {"preset": "binance_futures_btc", "duration_seconds": 36_000}


@contextmanager
def started(folder: Path, *more: str, program: str = "") -> Iterator[tuple[subprocess.Popen, httpx.Client]]:
    """`obid serve` as a process, perhaps started by a program of its own, and a client of it."""
    how = ["-c", program] if program else ["-m", "daemon"]
    command = [sys.executable, *how, "serve", "--port", "0", "--json", "--data-dir", str(folder), *more]
    environ = {**os.environ, "PYTHONPATH": str(ROOT)}
    process = subprocess.Popen(
        command, cwd=ROOT, env=environ, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    )
    try:
        assert process.stdout is not None
        told = json.loads(process.stdout.readline())
        assert told["data_dir"] == str(folder)
        key = create_key(folders_in(folder).keys, SCOPES, "", 1)[0]
        with httpx.Client(base_url=told["url"], headers={"X-API-Key": key}, timeout=WAIT_S) as client:
            yield process, client
    finally:
        process.kill()
        process.communicate()


def children(pid: int) -> list[int]:
    """Processes that a process has started."""
    tasks = Path(f"/proc/{pid}/task").iterdir()
    return [int(child) for task in tasks for child in (task / "children").read_text().split()]


def alive(pid: int) -> bool:
    """Whether a process runs."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except (FileNotFoundError, ProcessLookupError):
        return False


on_linux = pytest.mark.skipif(not sys.platform.startswith("linux"), reason="reads /proc")


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_a_signal_ends_it_with_all_it_does(number: signal.Signals, tmp_path: Path):
    with started(tmp_path, "--workers", "1") as (process, client):
        job = client.post("/v1/jobs/generate", json=LONG).json()
        with client.stream("GET", "/stream/live", params={"symbol": "BTC"}) as answer:
            lines = answer.iter_lines()
            next(lines)
            process.send_signal(number)
            assert process.wait(WAIT_S) == 0
        assert process.stderr is not None and process.stderr.read() == ""
    record = json.loads((tmp_path / "aleatoric" / "jobs" / f"{job['job_id']}.json").read_bytes())
    assert record["status"] == "cancelled"


@on_linux
def test_workers_do_not_outlive_a_service_that_is_killed(tmp_path: Path):
    with started(tmp_path, "--workers", "2") as (process, client):
        client.post("/data/generate", json=LONG | {"duration_seconds": 10}).raise_for_status()
        workers = children(process.pid)
        assert len(workers) >= 2
        process.kill()
        process.wait(WAIT_S)
        until(lambda: not any(alive(worker) for worker in workers))


@on_linux
def test_a_worker_that_is_killed_is_replaced_and_its_job_made_again(tmp_path: Path):
    with started(tmp_path, "--workers", "1") as (process, client):
        driver = {
            "max_retries": 2,
            "backoff_seconds": 0.0,
            "window_seconds": 100.0,
        }  # a block: it says soon how far it is
        asked = LONG | {"driver": driver, "duration_seconds": 3600}
        job = client.post("/v1/jobs/generate", json=asked).json()
        until(lambda: client.get(job["status_url"]).json()["progress"] > 0, POLITE_S)
        for worker in children(process.pid):
            if b"spawn_main" in Path(f"/proc/{worker}/cmdline").read_bytes():
                os.kill(worker, signal.SIGKILL)
        until(lambda: client.get(job["status_url"]).json()["finished_ms"] is not None, POLITE_S)
        assert client.get(job["status_url"]).json()["status"] == "completed"


def test_a_taken_port_is_one_line(tmp_path: Path):
    with socket.socket() as other:
        other.bind(("127.0.0.1", 0))
        other.listen()
        command = ["serve", "--port", str(other.getsockname()[1]), "--data-dir", str(tmp_path)]
        done = CliRunner().invoke(app, command)
    assert done.exit_code == 2 and done.stderr.startswith("obid: --port ") and done.stderr.count("\n") == 1


def test_who_never_asks_is_cut(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(serve, "HEAD_S_MAX", 0.2)
    with serving(tmp_path) as service:
        host, port = service.url.removeprefix("http://").split(":")
        with socket.create_connection((host, int(port)), timeout=WAIT_S) as line:
            line.sendall(b"GET / HTTP/1.1\r\nHost: x\r\n")
            with suppress(ConnectionResetError):
                assert line.recv(100) == b""


def test_who_leaves_gets_no_data_set(tmp_path: Path):
    with serving(tmp_path) as service, service.client() as client:
        with pytest.raises(httpx.ReadTimeout):
            client.post("/data/generate", json=LONG, timeout=0.5)
        ends = tmp_path / "aleatoric" / "jobs"
        until(lambda: [json.loads(path.read_bytes())["status"] for path in ends.glob("*.json")] == ["cancelled"])


def test_mcp_ends_with_its_input(tmp_path: Path):
    command = [sys.executable, "-m", "daemon", "mcp", "--data-dir", str(tmp_path)]
    environ = {**os.environ, "PYTHONPATH": str(ROOT)}
    said = '{"jsonrpc": "2.0", "id": 1, "method": "ping"}\n'
    begun = time.monotonic()
    done = subprocess.run(
        command, cwd=ROOT, env=environ, input=said, capture_output=True, text=True, timeout=WAIT_S, check=False
    )
    assert done.returncode == 0, done.stderr
    assert all(json.loads(line)["jsonrpc"] == "2.0" for line in done.stdout.splitlines())
    assert time.monotonic() - begun < WAIT_S
