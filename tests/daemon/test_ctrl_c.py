"""Ctrl-C is no success: a soak that was ended so did not pass, an order that was not answered was not taken."""

import os
import signal
import socket
import subprocess
import sys
import time

import pytest

INTERRUPTED = 130


def interrupted(*args: object, ready, wait_s: float = 60.0) -> int:
    command = [sys.executable, "-m", "daemon", *map(str, args)]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT) as process:
        until_s = time.monotonic() + wait_s
        while not ready(process) and time.monotonic() < until_s:
            time.sleep(0.1)
        process.send_signal(signal.SIGINT)
        process.communicate(timeout=wait_s)
        return process.returncode


def test_a_soak_that_is_interrupted_did_not_pass(tmp_path):
    data = tmp_path / "data"
    args = "soak", "--hours", 2, "--seed", 1, "--faults", "none", "--symbols", "BTC", "--data-dir", data
    code = interrupted(*args, "--out", tmp_path / "out", ready=lambda _: (data / "data" / "journal.sqlite").exists())
    assert not (tmp_path / "out").exists(), "there is no certificate"
    assert code == INTERRUPTED


@pytest.mark.skipif(sys.platform == "win32", reason="no Unix sockets there")
def test_an_order_that_was_never_answered_is_none(tmp_path):
    """The daemon hangs: who loses patience must not be told that all was flattened."""
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as door:
        door.bind(str(tmp_path / "control.sock"))
        door.listen()
        door.setblocking(False)
        came: list[socket.socket] = []

        def ready(_) -> bool:
            try:
                came.append(door.accept()[0])
            except BlockingIOError:
                return False
            time.sleep(0.3)
            return True

        code = interrupted("ctl", "flatten", "--yes", "--data-dir", tmp_path, ready=ready)
        for one in came:
            one.close()
    assert code == INTERRUPTED


def test_following_a_log_ends_well(tmp_path):
    log = tmp_path / "log" / "obid.jsonl"
    log.parent.mkdir()
    log.write_text('{"event":"x"}\n')

    def ready(process) -> bool:
        os.set_blocking(process.stdout.fileno(), False)
        return bool(process.stdout.read(1))

    assert interrupted("logs", "-f", "--data-dir", tmp_path, ready=ready) == 0
