"""`obid doctor` at both emulated venues: all well is all ok, and each fault changes exactly its line."""

import json
import socket
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
from msgspec.structs import replace

from config import sessions
from config.settings import PLAY
from daemon.doctor import examine, keepers, machine, places
from daemon.emulate import Where, address_of, asked, emulator_of
from daemon.heartbeat import Beacon, Guarded, beacon
from daemon.install_service import MAIN
from daemon.lock import DataDirLock
from supervisor.boot import boot_id, since_boot_ns
from supervisor.journal import SCHEMA_VERSION
from tests.daemon.runs import hold, obid
from tests.venues.emulator.alpaca_running import KEY as ALPACA_KEY
from tests.venues.emulator.alpaca_running import SECRET as ALPACA_SECRET
from tests.venues.emulator.alpaca_running import running_alpaca
from tests.venues.emulator.running import ADDRESS, KEY, Running, serving

AGENT, STRANGER = "0x" + "a7" * 32, "0x" + "b8" * 32
WITHIN_S = 15.0
"""What the whole of it may take, a mute venue included."""


class Patient:
    """Somebody who is to be examined: a venue, a data directory, keys, a configuration."""

    def __init__(self, venue: str, folder: Path, monkeypatch: Any, url: str):
        self.venue, self.folder, self.monkeypatch, self.url = venue, folder, monkeypatch, url
        self.data, self.keys, self.config = folder / "data", folder / "keys", folder / "obid.toml"
        self.mode, self.engine = ("live", "perps") if venue == "hyperliquid" else ("paper", "crypto")
        self.symbols = ["BTC", "ETH"] if venue == "hyperliquid" else ["BTC/USD", "ETH/USD"]
        self.data.mkdir(mode=0o700)
        self.keys.mkdir()
        monkeypatch.setenv("CREDENTIALS_DIRECTORY", str(self.keys))

    def key(self, name: str, text: str, mode: int = 0o400) -> None:
        path = self.keys / name
        path.unlink(missing_ok=True)
        path.write_text(text)
        path.chmod(mode)

    def configured(self, url: str = "") -> None:
        lines = ["[daemon]", 'deadman = "required"', "[perps]", "[crypto]"]
        here = f"{self.venue}_url = {json.dumps(url or self.url)}"
        more = [here, 'hyperliquid_chain = "testnet"', f'live = "{PLAY}"'] if self.venue == "hyperliquid" else [here]
        lines[1:1] = more
        lines.insert(lines.index(f"[{self.engine}]") + 1, f"symbols = {json.dumps(self.symbols)}")
        self.config.write_text("\n".join(lines) + "\n")

    def examined(self, code: int | None = None) -> dict[str, dict[str, str]]:
        """Its lines by name."""
        asked_for = ("--mode", self.mode, "--engine", self.engine, "--config", self.config, "--data-dir", self.data)
        result = obid("doctor", *asked_for, "--json", code=code)
        assert result.stdout, result.stderr
        for secret in (AGENT, KEY, STRANGER, ALPACA_SECRET, "webhook-secret"):
            assert secret.removeprefix("0x") not in result.stdout + result.stderr
        lines = {line["name"]: line for line in json.loads(result.stdout)}
        assert result.exit_code == (1 if any(one["state"] == "fail" for one in lines.values()) else 0)
        return lines


def watched(data: Path) -> None:
    """A dead man's beacon, as fresh as it can be."""
    file = beacon(data)
    guarded = tuple(Guarded(venue=one, account=ADDRESS) for one in ("hyperliquid", "alpaca"))
    now = since_boot_ns() + 10**9 // 2
    file.write(Beacon(boot=boot_id(), place=file.place, at_ns=now, pid=1, doing="watching", guarded=guarded))
    file.close()


@contextmanager
def emulated(venue: str) -> Iterator[Running]:
    """An emulated venue whose time is this machine's."""
    if venue == "alpaca":
        with running_alpaca(("BTC/USD", "ETH/USD"), speed=1.0, start="") as one:
            yield one
        return
    accounts = [f"{ADDRESS}:100000:{address_of(AGENT)}"]
    told = asked(
        where=Where("127.0.0.1", 0), seed=1, speed=1.0, faults="none", accounts=accounts, symbols=("BTC", "ETH")
    )
    with serving(lambda clock: emulator_of(told, clock), 1.0) as one:
        yield one


BOTH = pytest.mark.parametrize("venue", ["hyperliquid", "alpaca"], indirect=True)
HYPERLIQUID = pytest.mark.parametrize("venue", ["hyperliquid"], indirect=True)
ALPACA = pytest.mark.parametrize("venue", ["alpaca"], indirect=True)


@pytest.fixture  # for each test its own: a visit weighs a sixth of what an address has in a minute
def venue(request: Any) -> Iterator[tuple[str, Running]]:
    with emulated(request.param) as one:
        yield request.param, one


@pytest.fixture
def patient(venue: tuple[str, Running], tmp_path: Path, monkeypatch: Any) -> Iterator[Patient]:
    """Well in every respect, on a machine that is; its calendars reach far."""
    name, running = venue
    one = Patient(name, tmp_path, monkeypatch, running.url)
    one.key("hyperliquid_agent_key", AGENT)
    one.key("hyperliquid_master_address", ADDRESS)
    one.key("alpaca_paper_key_id", ALPACA_KEY)
    one.key("alpaca_paper_secret", ALPACA_SECRET)
    one.key("alert_url", "http://127.0.0.1:9/webhook-secret")
    one.configured()
    watched(one.data)
    unit = tmp_path / MAIN
    unit.write_text("[Service]\nWatchdogSec=10\n")
    monkeypatch.setattr(keepers, "unit_paths", lambda: [unit, unit])
    monkeypatch.setattr(keepers, "systemctl_shows", lambda **_: {})
    monkeypatch.setattr(machine, "clock_state", lambda: 0)
    monkeypatch.setattr(machine, "memory_mib", lambda: 4096)
    monkeypatch.setattr(machine, "process_limits", lambda: (4096, 4096))
    monkeypatch.setattr(places, "free_bytes", lambda place: 2**40)
    monkeypatch.setattr(places, "fsyncs_ms", lambda place: [0.5])
    monkeypatch.setattr(keepers, "AHEAD_DAYS_LOW", -100_000)  # or these tests end with the packaged calendars
    yield one


def differs(before: dict[str, Any], after: dict[str, Any]) -> dict[str, str]:
    """Lines whose state is another; those that are left out are none."""
    return {name: line["state"] for name, line in after.items() if line["state"] != before.get(name, {}).get("state")}


@BOTH
def test_who_is_well_has_every_line_ok(patient):
    lines = patient.examined(code=0)
    assert {name: line["found"] for name, line in lines.items() if line["state"] != "ok"} == {}
    of_venue = {name.removeprefix(f"{patient.venue} ") for name in lines if name.startswith(patient.venue)}
    assert of_venue >= {"rest", "websocket", "clock", "key", "account", "symbols"}
    told = obid("doctor", "--mode", patient.mode, "--engine", patient.engine, "--config", patient.config,
                "--data-dir", patient.data).stdout  # fmt: skip
    assert told.splitlines()[-1] == f"{len(lines)} ok, 0 warn, 0 fail"


def wrong_key(patient: Patient, running: Running) -> None:
    if patient.venue == "alpaca":
        patient.key("alpaca_paper_key_id", "AK" + ALPACA_KEY[2:])
    else:
        patient.key("hyperliquid_agent_key", STRANGER)


def unknown_symbol(patient: Patient, running: Running) -> None:
    patient.symbols = [*patient.symbols, "SOL" if patient.venue == "hyperliquid" else "SOL/USD"]
    patient.configured()


def unreachable(patient: Patient, running: Running) -> None:
    with socket.socket() as nobody:
        nobody.bind(("127.0.0.1", 0))
        patient.configured(f"http://127.0.0.1:{nobody.getsockname()[1]}")


def clock_off(patient: Patient, running: Running) -> None:
    running.fault(kind="clock_skew", skew_ms=5000, for_s=60)


def disk_full(patient: Patient, running: Running) -> None:
    patient.monkeypatch.setattr(places, "free_bytes", lambda place: 2**20)


def disk_refuses(patient: Patient, running: Running) -> None:
    def full(place: Path) -> list[float]:
        raise OSError(28, "No space left on device")

    patient.monkeypatch.setattr(places, "fsyncs_ms", full)


def exposed_key(patient: Patient, running: Running) -> None:
    (patient.keys / "alert_url").chmod(0o644)


def stale_calendar(patient: Patient, running: Running) -> None:
    patient.monkeypatch.setattr(keepers, "AHEAD_DAYS_LOW", 100_000)


def no_dead_man(patient: Patient, running: Running) -> None:
    beacon(patient.data).remove()


def unfed_service(patient: Patient, running: Running) -> None:
    keepers.unit_paths()[0].write_text("[Service]\n")


def few_files(patient: Patient, running: Running) -> None:
    patient.monkeypatch.setattr(machine, "process_limits", lambda: (100, None))


def changed_by_others(patient: Patient, running: Running) -> None:
    patient.config.chmod(0o666)


def entered_by_others(patient: Patient, running: Running) -> None:
    patient.data.chmod(0o755)


def other_books(patient: Patient, running: Running) -> None:
    beacon(patient.data).remove()
    patient.data.rmdir()
    hold(patient.data, "BTC", 1)  # of a synthetic run
    watched(patient.data)


FAULTS: dict[Callable[[Patient, Running], None], tuple[str, str]] = {
    wrong_key: ("{venue} key", "fail"),
    unknown_symbol: ("{venue} symbols", "warn"),
    unreachable: ("{venue} rest", "fail"),
    clock_off: ("{venue} clock", "fail"),
    disk_full: ("disk", "fail"),
    disk_refuses: ("disk", "fail"),
    exposed_key: ("key files", "fail"),
    stale_calendar: ("calendars", "warn"),
    no_dead_man: ("dead man", "fail"),
    unfed_service: ("service", "warn"),
    few_files: ("limits", "fail"),
    changed_by_others: ("config", "fail"),
    entered_by_others: ("data dir", "fail"),
    other_books: ("journal", "fail"),
}


OF_VENUES = (wrong_key, unknown_symbol, unreachable, clock_off)
CASES = [(fault, "hyperliquid") for fault in FAULTS] + [(fault, "alpaca") for fault in OF_VENUES]


@pytest.mark.parametrize(("fault", "venue"), CASES, indirect=["venue"], ids=lambda one: getattr(one, "__name__", one))
def test_a_fault_changes_exactly_its_line(fault, patient, venue):
    before = patient.examined(code=0)
    fault(patient, venue[1])
    watched(patient.data)
    if fault is no_dead_man:
        beacon(patient.data).remove()
    after = patient.examined()
    name, state = FAULTS[fault]
    name = name.format(venue=patient.venue)
    assert differs(before, after) == {name: state}, after
    assert after[name]["do"], "it says what to do"
    gone = before.keys() - after.keys()
    assert all(one in after[name]["found"] + after[name]["do"] for one in gone), "and what it could not look at"


@HYPERLIQUID
def test_a_lock_that_is_held_is_said_with_its_pid_and_fails_nothing_else(patient):
    before = patient.examined(code=0)
    with DataDirLock(patient.data):
        after = patient.examined()
    changed = differs(before, after)
    assert changed.pop("socket") == "fail", "and who holds it does not answer"
    assert changed == {"lock": "warn"}
    assert "pid " in after["lock"]["found"]


@ALPACA
def test_a_venue_that_says_401_is_its_keys_line(patient):
    before = patient.examined(code=0)
    patient.key("alpaca_paper_secret", "x" * 40)
    assert differs(before, patient.examined()) == {"alpaca key": "fail"}


@HYPERLIQUID
def test_the_kinds_of_keys_at_hyperliquid_are_told_apart(patient):
    before = patient.examined(code=0)
    patient.key("hyperliquid_agent_key", KEY)
    after = patient.examined()
    assert differs(before, after) == {"hyperliquid key": "warn"}
    assert "the account's own key" in after["hyperliquid key"]["found"]
    patient.key("hyperliquid_agent_key", AGENT)
    patient.key("hyperliquid_master_address", address_of(AGENT))
    watched(patient.data)
    after = patient.examined()
    assert "is the address of an agent wallet" in after["hyperliquid key"]["found"]
    assert f"name the account that it signs for, {ADDRESS}" in after["hyperliquid key"]["found"]


@BOTH
def test_a_credential_that_is_missing_is_a_line_and_a_missing_switch_is_no_configuration(patient):
    name = "hyperliquid_agent_key" if patient.venue == "hyperliquid" else "alpaca_paper_secret"
    (patient.keys / name).unlink()
    after = patient.examined(code=1)
    assert after["credentials"]["state"] == "fail" and name in after["credentials"]["found"]
    patient.config.write_text(patient.config.read_text() + "[equities]\nsymbls = []\n")
    result = obid("doctor", "--mode", patient.mode, "--engine", "equities", "--config", patient.config,
                  "--data-dir", patient.data, code=2)  # fmt: skip
    assert "symbls" in result.stderr and not result.stdout


class Mute:
    """A port that takes connections and says nothing."""

    def __init__(self) -> None:
        self.door = socket.create_server(("127.0.0.1", 0))
        self.url = f"http://127.0.0.1:{self.door.getsockname()[1]}"
        self._taken: list[socket.socket] = []
        self._thread = threading.Thread(target=self._take, daemon=True)
        self._thread.start()

    def _take(self) -> None:
        while True:
            try:
                self._taken.append(self.door.accept()[0])
            except OSError:
                return

    def close(self) -> None:
        self.door.shutdown(socket.SHUT_RDWR)
        self.door.close()
        self._thread.join(5)
        for one in self._taken:
            one.close()


@BOTH
def test_a_mute_venue_does_not_hold_it_up(patient):
    mute = Mute()
    try:
        patient.configured(mute.url)
        started = time.monotonic()
        after = patient.examined(code=1)
        assert time.monotonic() - started < WITHIN_S
    finally:
        mute.close()
    assert after[f"{patient.venue} rest"]["state"] == "fail"


def test_a_newer_journal_is_one_clear_line(tmp_path):
    import sqlite3

    data = tmp_path / "data"
    hold(data, "BTC", 1)
    with sqlite3.connect(data / "journal.sqlite") as book:
        book.execute(f"PRAGMA user_version={SCHEMA_VERSION + 1}")
    book.close()
    lines = {line["name"]: line for line in json.loads(obid("doctor", "--data-dir", data, "--json", code=1).stdout)}
    assert lines["data version"]["state"] == "fail" and "a newer one wrote it" in lines["data version"]["found"]
    refused = obid("run", "--for", "1s", "--speed", "max", "--data-dir", data, code=1)
    assert "a newer one wrote it; start that one again" in refused.stderr
    assert len(refused.stderr.splitlines()) == 1 and "damaged" not in refused.stderr


def test_the_calendars_are_asked_for_what_is_traded(monkeypatch, tmp_path):
    known = sessions.load_sessions()
    over = replace(known, last=known.first)
    monkeypatch.setattr(keepers, "load_sessions", lambda: over)
    asked_for = ("doctor", "--engine", "equities", "--data-dir", tmp_path / "data", "--json")
    lines = {line["name"]: line for line in json.loads(obid(*asked_for, code=1).stdout)}
    assert lines["calendars"]["state"] == "fail"
    lines = {line["name"]: line for line in json.loads(obid("doctor", "--data-dir", tmp_path / "d", "--json").stdout)}
    assert lines["calendars"]["state"] != "fail", "coins trade around the clock"


def test_a_disk_that_hangs_is_a_line_and_holds_nothing_up(monkeypatch, tmp_path):
    """What would not come back is left behind: the lines that came before it stand, and one says so."""
    let_go = threading.Event()
    monkeypatch.setattr(examine, "ALL_S", 1.0)
    monkeypatch.setattr(places, "disk_line", lambda data_dir: let_go.wait(60) or places.ok("disk", ""))
    try:
        started = time.monotonic()
        asked_for = ("doctor", "--data-dir", tmp_path / "data", "--json")
        lines = {line["name"]: line for line in json.loads(obid(*asked_for, code=1).stdout)}
        assert time.monotonic() - started < WITHIN_S
    finally:
        let_go.set()
    assert lines["files"]["state"] == "fail" and "not at an end" in lines["files"]["found"]
    assert lines["data dir"]["state"] == "ok" and "disk" not in lines


def test_what_the_kernel_says_of_its_clock():
    assert [machine.kept_clock(state).state for state in (0, 5, None)] == ["ok", "warn", "ok"]
    assert machine.clock_state() in (None, *range(6))


def test_bounds_of_memory_and_processes():
    assert [machine.memory(mib).state for mib in (None, 4096, 300, 100)] == ["ok", "ok", "warn", "fail"]
    told = [machine.limits(*one).state for one in ((None, None), (4096, 4096), (512, None), (100, None), (4096, 10))]
    assert told == ["ok", "ok", "warn", "fail", "fail"]
