"""`obid deadman` as a process, at emulated venues: it finds what rests, cancels it, and says what it cannot."""

import json
import os
import shutil
import signal
import subprocess
import sys
import time
import urllib.request
from contextlib import contextmanager
from pathlib import Path

import pytest

from daemon.emulate import address_of
from daemon.heartbeat import Beat, Link, beacon, heartbeat
from daemon.lock import DataDirLock
from supervisor.boot import boot_id, since_boot_ns
from supervisor.wall import now_ns
from tests.daemon.runs import obid
from tests.soak.deadman import Case, staged
from tests.venues.emulator.alpaca_running import KEY as ALPACA_KEY
from tests.venues.emulator.alpaca_running import SECRET as ALPACA_SECRET
from tests.venues.emulator.alpaca_running import running_alpaca
from tests.venues.emulator.running import ADDRESS, KEY, running
from venues.hyperliquid import actions
from venues.hyperliquid.grid import Grid
from venues.hyperliquid.sign import Chain, Signer
from venues.market import OrderRequest, Side, TimeInForce

ROOT = Path(__file__).resolve().parents[2]
DEADMANS = "0x" + "5a" * 32
"""The key of the dead man's agent wallet, and the canary that no output may hold."""

AGE_S = 1.0
MIB_MAX = 64
"""Of memory while it works: 58 on CPython 3.11, 51 of them for what it imports."""

WITHIN_S = 40.0
"""On a busy machine."""


class Plain:
    """A key that a test has."""

    def __init__(self, digits):
        self.digits = digits

    def get_secret_value(self):
        return self.digits


def rest_hyperliquid(venue, count):
    """Let orders of the account rest there, sent with its own key."""
    signer = Signer(Plain(KEY), Chain.TESTNET)
    price = round(float(venue.info("allMids")["BTC"]) * 0.8, -2)
    order = OrderRequest(
        id="x", intent_id="", engine="perps", symbol="BTC", side=Side.BUY, lots=100, ticks=int(price) * 10,
        time_in_force=TimeInForce.ALO,
    )  # fmt: skip
    wires = [{**actions.order_wire(order, 0, Grid.of(0, 5)), "c": f"0x{now_ns() + n:032x}"} for n in range(count)]
    body = signer.l1(actions.place(wires), now_ns() // 1_000_000).body()
    request = urllib.request.Request(venue.url + "/exchange", body, {"Content-Type": "application/json"})
    with urllib.request.urlopen(request, timeout=10) as answer:
        said = json.load(answer)
    assert all("resting" in one for one in said["response"]["data"]["statuses"]), said


def beat(data, venue, account, *, signer="", stopped=False, age_s=AGE_S):
    """The daemon's, by the test."""
    file = heartbeat(data)
    now = since_boot_ns()
    links = (Link(venue=venue, account=account, signer=signer, heard_ns=now),)
    told = Beat(boot=boot_id(), place=file.place, at_ns=now, pid=1, run="t", age_s=age_s, stopped=stopped, links=links)
    file.write(told)
    file.close()


def until(what, seconds=WITHIN_S):
    """Wait for something; says whether it came."""
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        if what():
            return True
        time.sleep(0.05)
    return False


@pytest.fixture
def data(tmp_path):
    place = tmp_path / "data"
    place.mkdir(mode=0o700)
    return place


@pytest.fixture
def keys(monkeypatch):
    monkeypatch.setenv("OBID_HYPERLIQUID_DEADMAN_KEY", DEADMANS)
    monkeypatch.setenv("OBID_HYPERLIQUID_MASTER_ADDRESS", ADDRESS)
    monkeypatch.setenv("OBID_HYPERLIQUID_CHAIN", "testnet")


@contextmanager
def emulated(monkeypatch, agent=DEADMANS):
    """An emulated Hyperliquid whose account has approved the dead man's agent."""
    with running(("BTC", "ETH"), speed=1.0, accounts=[f"{ADDRESS}:100000:{address_of(agent)}"]) as venue:
        monkeypatch.setenv("OBID_HYPERLIQUID_URL", venue.url)
        yield venue


def open_orders(venue, who=ADDRESS):
    return len(venue.truth(who)["open_orders"])


def test_the_process_sweeps_what_rests_watches_on_and_stands_down(tmp_path, data, keys, monkeypatch):
    command = [sys.executable, "-m", "daemon", "deadman", "--data-dir", data]
    with emulated(monkeypatch) as venue, (tmp_path / "said.txt").open("w") as said:
        rest_hyperliquid(venue, 20)
        beat(data, "hyperliquid", ADDRESS)
        environ = {**os.environ, "PYTHONPATH": str(ROOT)}
        with subprocess.Popen(list(map(str, command)), cwd=ROOT, env=environ, stderr=said) as process:
            try:
                assert until(lambda: open_orders(venue) == 0), "the beat was old before it was even up"
                rest_hyperliquid(venue, 1)
                assert until(lambda: open_orders(venue) == 0), "what comes later goes as well"
                pages = int(Path(f"/proc/{process.pid}/statm").read_text().split()[1]) if sys.platform == "linux" else 0
                beat(data, "hyperliquid", ADDRESS, stopped=True)
                assert until(lambda: beacon(data).read().doing == "watching")
                assert beacon(data).read().unable == ""
                rest_hyperliquid(venue, 1)
                time.sleep(1.5)
                assert open_orders(venue) == 1, "it stopped, nothing of it rested: this is somebody else's"
                assert "another dead man (pid" in obid("deadman", "--data-dir", data, code=2).stderr
            finally:
                process.send_signal(signal.SIGTERM)
            assert process.wait(10) == 0
    assert beacon(data).read() is None, "the daemon is to know at once"
    told = (tmp_path / "said.txt").read_text()
    assert "cancels_sent venue=hyperliquid orders=20 symbols=BTC" in told
    assert DEADMANS[2:] not in told + (data / "log" / "deadman.jsonl").read_text()
    assert pages * 4096 < MIB_MAX * 2**20, f"{pages * 4096 / 2**20:.1f} MiB"


def test_it_sweeps_though_the_data_directory_is_gone_with_the_daemon(tmp_path, data, keys, monkeypatch):
    """A disk that went took both: it could not say that it swept, died of that, and cancelled nothing."""
    command = [sys.executable, "-m", "daemon", "deadman", "--data-dir", data]
    with emulated(monkeypatch) as venue, (tmp_path / "said.txt").open("w") as said:
        environ = {**os.environ, "PYTHONPATH": str(ROOT)}
        with subprocess.Popen(list(map(str, command)), cwd=ROOT, env=environ, stderr=said) as process:
            try:
                beat(data, "hyperliquid", ADDRESS, age_s=WITHIN_S)
                assert until(lambda: (told := beacon(data).read()) and told.guarded and not told.unable)
                rest_hyperliquid(venue, 3)
                beat(data, "hyperliquid", ADDRESS, age_s=3.0)
                time.sleep(1.0)  # it has read that
                shutil.rmtree(data)
                assert until(lambda: open_orders(venue) == 0)
                assert process.poll() is None
            finally:
                process.send_signal(signal.SIGTERM)
            process.wait(10)


def test_once_sweeps_for_a_daemon_that_is_gone_and_leaves_one_alone_that_lives(data, keys, monkeypatch):
    with emulated(monkeypatch) as venue:
        rest_hyperliquid(venue, 20)
        assert "nothing to do: there is no heartbeat" in obid("deadman", "--once", "--data-dir", data).stderr
        beat(data, "hyperliquid", ADDRESS, age_s=600.0)
        with DataDirLock(data):  # as the daemon has it
            assert "nothing to do" in obid("deadman", "--once", "--data-dir", data).stderr
        assert open_orders(venue) == 20
        assert "the daemon is gone" in obid("deadman", "--once", "--data-dir", data).stderr
        assert open_orders(venue) == 0
        beat(data, "hyperliquid", ADDRESS, stopped=True)
        rest_hyperliquid(venue, 1)
        assert "nothing rests" in obid("deadman", "--once", "--data-dir", data).stderr
        assert open_orders(venue) == 1


def test_check_says_what_could_be_cancelled_and_changes_nothing(data, keys, monkeypatch):
    with emulated(monkeypatch) as venue:
        rest_hyperliquid(venue, 3)
        said = obid("deadman", "--check", "--data-dir", data).stdout
        told = json.loads(obid("deadman", "--check", "--json", "--data-dir", data).stdout)
        assert open_orders(venue) == 3
    assert f"hyperliquid: account {ADDRESS}, signs with {address_of(DEADMANS)}: may cancel; 3 orders rest" in said
    assert told["venues"][0]["resting"] == 3
    gone = obid("deadman", "--check", "--data-dir", data, code=1).stdout
    assert "CANNOT CANCEL" in gone, "the venue is gone"


def test_a_key_that_nobody_approved_cannot_and_is_never_shown(data, keys, monkeypatch):
    with emulated(monkeypatch, agent="0x" + "7" * 64):
        result = obid("deadman", "--check", "--data-dir", data, code=1)
    assert "is no agent wallet" in result.stdout
    assert DEADMANS[2:] not in result.stdout + result.stderr


def test_two_who_sign_with_one_key_are_refused(data, keys, monkeypatch):
    monkeypatch.setenv("OBID_HYPERLIQUID_URL", "http://127.0.0.1:1")
    beat(data, "hyperliquid", ADDRESS, signer=address_of(DEADMANS).upper().replace("0X", "0x"))
    said = obid("deadman", "--data-dir", data, code=2).stderr
    assert said.startswith("obid: hyperliquid_deadman_key: is the key that the daemon signs with")
    monkeypatch.setenv("OBID_HYPERLIQUID_AGENT_KEY", DEADMANS)
    said = obid("deadman", "--data-dir", data, code=2).stderr
    assert said.startswith("obid: hyperliquid_deadman_key: is the daemon's own key")
    assert DEADMANS[2:] not in said


@pytest.mark.parametrize(
    ("args", "missing", "said"),
    [
        (("--engine", "perps"), "OBID_HYPERLIQUID_DEADMAN_KEY", "hyperliquid_deadman_key: is missing"),
        (("--engine", "perps"), "OBID_HYPERLIQUID_MASTER_ADDRESS", "hyperliquid_master_address: is missing"),
        (("--engine", "crypto"), "", "alpaca_deadman_key_id: is missing, and so is alpaca_live_key_id"),
        (("--mode", "shadow"), "", "--mode 'shadow': one of live, paper"),
        (("--once", "--check"), "", "one or the other"),
    ],
)
def test_what_it_cannot_start_with_is_one_line(data, keys, monkeypatch, args, missing, said):
    if missing:
        monkeypatch.delenv(missing)
    result = obid("deadman", "--data-dir", data, *args, code=2)
    assert said in result.stderr
    assert len(result.stderr.splitlines()) == 1


def test_alpaca_is_swept_with_a_key_of_its_own_or_the_daemons(data, monkeypatch):
    paper = ("deadman", "--mode", "paper", "--engine", "crypto", "--data-dir", data)
    with running_alpaca(("BTC/USD",), speed=1.0) as venue:
        monkeypatch.setenv("OBID_ALPACA_URL", venue.url)
        monkeypatch.setenv("OBID_ALPACA_DEADMAN_KEY_ID", ALPACA_KEY)
        monkeypatch.setenv("OBID_ALPACA_DEADMAN_SECRET", ALPACA_SECRET)
        head = {"APCA-API-KEY-ID": ALPACA_KEY, "APCA-API-SECRET-KEY": ALPACA_SECRET}
        for number in range(20):
            body = {
                "symbol": "BTC/USD", "qty": "0.001", "side": "buy", "type": "limit", "limit_price": "20000",
                "time_in_force": "gtc", "client_order_id": f"o{number}",
            }  # fmt: skip
            request = urllib.request.Request(venue.url + "/v2/orders", json.dumps(body).encode(), head)
            urllib.request.urlopen(request, timeout=10).close()
        assert open_orders(venue, ALPACA_KEY) == 20
        assert "may cancel; 20 orders rest" in obid(*paper, "--check").stdout
        beat(data, "alpaca", "")
        obid(*paper, "--once")
        assert open_orders(venue, ALPACA_KEY) == 0
        monkeypatch.setenv("OBID_ALPACA_DEADMAN_SECRET", "CANARY" * 6)
        result = obid(*paper, "--check", code=1)
        assert "the key is refused" in result.stdout
        assert "CANARY" not in result.stdout + result.stderr


def test_a_real_daemon_that_was_stopped_is_swept_and_opens_nothing_before_it_has_compared(tmp_path):
    """The short form of `make deadman-drill`."""
    case = Case("hyperliquid", "deadman", "stopped", seed=1, age_s=2.0)
    with staged(case, tmp_path / "stage") as stage:
        assert stage.resting() >= 20
        stage.cause()
        assert stage.wait(WITHIN_S, lambda: not stage.resting()) is not None
        before = len(stage.events())
        stage.daemon.send_signal(signal.SIGCONT)
        assert stage.wait(2 * WITHIN_S, stage.resting) is not None
        assert stage.judged_order(before) == ""
