"""`obid emulate` from its command line: a process of its own that outlives its clients and goes when it is told to."""

import json
import os
import signal
import socket
import subprocess
import sys
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from typer.testing import CliRunner
from websockets.sync.client import connect

from daemon.cli import app
from daemon.emulate import address_of, shown, throw_away_key
from tests.patience import PATIENCE_S

ROOT = Path(__file__).resolve().parents[2]
COMMAND = (sys.executable, "-m", "daemon", "emulate", "hyperliquid", "--symbols", "BTC,ETH")
STOP_S = 5.0
"""It ends within a second; a busy machine may take longer."""


@contextmanager
def emulator(*more: str) -> Iterator[tuple[subprocess.Popen, dict]]:
    """A running emulator on a free port, and what it printed."""
    process = subprocess.Popen(
        [*COMMAND, "--port", "0", "--json", *more], cwd=ROOT, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    )
    try:
        line = process.stdout.readline()
        assert line, process.stderr.read()
        yield process, json.loads(line)
    finally:
        process.kill()
        process.communicate()


def asked(url: str, path: str, **body) -> dict:
    request = urllib.request.Request(url + path, json.dumps(body).encode(), method="POST")
    with urllib.request.urlopen(request, timeout=10) as answer:
        return json.load(answer)


def refused(*more: object) -> str:
    """The one line that a bad command prints."""
    result = CliRunner().invoke(app, ["emulate", "hyperliquid", *map(str, more)], prog_name="obid")
    assert result.exit_code == 2, result.output
    (line,) = result.stderr.splitlines()
    return line


@pytest.mark.skipif(os.name == "nt", reason="Windows has no SIGTERM that a process can hear")
@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_it_serves_until_a_signal_and_says_nothing_then(number):
    with emulator("--faults", "default") as (process, told):
        assert asked(told["url"], "/info", type="allMids").keys() >= {"BTC", "ETH"}
        with connect(f"ws{told['url'].removeprefix('http')}/ws") as ws:
            ws.send('{"method":"ping"}')
            assert ws.recv(PATIENCE_S) == '{"channel":"pong"}'
            process.send_signal(number)
            out, err = process.communicate(timeout=STOP_S)
        assert (process.returncode, out, err) == (0, "", "")


def test_it_outlives_its_clients_and_keeps_what_they_did():
    address = told_address = "0x" + "ab" * 20
    with emulator("--speed", "step", "--account", f"{address}:5000") as (_, told):
        url = told["url"]
        for _ in range(2):
            with socket.create_connection(("127.0.0.1", int(url.rpartition(":")[2]))) as client:
                client.sendall(b"POST /info HTTP/1.1\r\n")  # and dies
        state = asked(url, "/info", type="clearinghouseState", user=told_address)
        assert state["marginSummary"]["accountValue"] == "5000.0"
        assert asked(url, "/emulator/advance", seconds=2)["stepped"]
        assert told["throw_away_key"] == ""


def test_the_same_seed_is_the_same_market_and_key():
    mids = []
    for _ in range(2):
        with emulator("--seed", "7", "--speed", "step") as (_, told):
            mids.append(asked(told["url"], "/info", type="allMids"))
            assert told["throw_away_key"] == throw_away_key(7)
            owner = address_of(throw_away_key(7))
            assert told["accounts"][0]["address"] == owner
            for agent in ("obid", "deadman"):  # a daemon and its dead man, each with a wallet of its own
                key = told["throw_away_agent_keys"][agent]
                role = asked(told["url"], "/info", type="userRole", user=address_of(key))
                assert (key, role) == (throw_away_key(7, agent), {"role": "agent", "data": {"user": owner}})
    assert mids[0].keys() == mids[1].keys()  # prices begin at the machine's time, keys at the seed


def test_a_port_in_use_is_one_line():
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        assert "cannot listen there: Address already in use" in refused("--port", taken.getsockname()[1])


@pytest.mark.parametrize(
    ("typed", "right"),
    [
        (("--port", 70_000), "--port '70000': a whole number from 0 to 65535"),
        (("--host", "example"), "--host 'example': an IPv4 address"),
        (("--faults", "nope.toml"), "default, none or a TOML file"),
        (("--account", "0x12:3"), "--account '0x12:3': ADDRESS:USD"),
        (("--account", f"0x{'ab' * 20}:-3"), "ADDRESS:USD"),
        (("--speed", "max"), "--speed 'max': a number, or step"),
        (("--speed", "fast"), "--speed 'fast'"),
        (("--symbols", "BCT"), "--symbols 'BCT': one of BTC, ETH"),
        (("--seed", -1), "--seed '-1'"),
    ],
)
def test_bad_input_is_one_line(typed, right):
    assert right in refused(*typed)


def test_what_is_wrong_in_a_file_of_faults_is_named(tmp_path):
    path = tmp_path / "faults.toml"
    path.write_text('[[fault]]\nkind = "close"\nevery_s = -1\n')
    assert "fault 1 (close): every_s -1: a number from 0.001" in refused("--faults", path)


def test_what_is_shown_has_all_a_daemon_needs():
    from daemon.emulate import Where
    from daemon.emulate import asked as told

    address, agent = "0x" + "AB" * 20, "0x" + "cd" * 20
    where = Where("127.0.0.1", 3001)
    one = told(
        where=where, seed=1, speed=None, faults="default", accounts=[f"{address}:5000.5:{agent}"], symbols=("BTC",)
    )
    assert one.accounts[0].agents == {"obid": agent} and one.accounts[0].address == address.lower()
    text = shown(one, 3001, as_json=False)
    assert "http://127.0.0.1:3001" in text and "stepped" in text and "5000.5 USD" in text
    assert "the key of that account" in text and address.lower() in text
    throw_away = shown(
        told(where=where, seed=1, speed=60.0, faults="none", accounts=[], symbols=()), 3001, as_json=False
    )
    assert "28 symbols" in throw_away and throw_away_key(1) not in throw_away  # who signs orders can withdraw nothing
    for variable, agent in (("AGENT", "obid"), ("DEADMAN", "deadman")):
        assert f"OBID_HYPERLIQUID_{variable}_KEY={throw_away_key(1, agent)}" in throw_away
    commands = [line for line in throw_away.splitlines() if " --mode live " in line]
    assert len(commands) == 2 and all("--data-dir" in line for line in commands), "not into the books of `make run`"
