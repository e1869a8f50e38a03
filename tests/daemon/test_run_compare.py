"""A recorded run once more: told what it was told it decides what it decided, and anything else is found."""

import json
import shutil
import sys
from pathlib import Path

import msgspec
import pytest
from msgspec.structs import replace

from actors.gate import Gate
from actors.ledger import LedgerMind
from daemon.options import Mode
from daemon.retrace import compare
from daemon.trace import TRACE_NAME
from risk.intent import Approved
from supervisor import trace
from supervisor.trace import HEAD, MAGIC, Beat, Lives, Said, TracedHouse, TraceWriter, read_trace
from supervisor.virtual import run_virtual
from tests.daemon import test_run_hyperliquid as live
from tests.daemon.runs import Daemon, count, digest_of, eager, log_of, obid
from tests.fakes import tree
from tests.venues.emulator.running import running

ARGS = ("--symbols", "BTC,ETH", "--bar", "1s", "--plain", "--record")


def recording(data: Path) -> Path:
    """The one recording of a data directory."""
    (folder,) = (data / "recordings").iterdir()
    return folder


@pytest.fixture(scope="module")
def recorded(tmp_path_factory) -> tuple[Path, str]:
    """A recording of a run that traded, and the digest that it printed."""
    folder = tmp_path_factory.mktemp("recorded")
    args = (*ARGS, "--config", eager(folder), "--data-dir", folder / "data", "--for", "60s", "--speed", "max")
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(trace, "CHUNK_BYTES", 20_000)
        result = obid("run", *args)
    assert count(result, "fills")
    return recording(folder / "data"), digest_of(result)


def rewritten(source: Path, target: Path, change) -> Path:
    """A trace whose records were changed one by one; None leaves one out. Its checksums hold."""
    encode, chunks = msgspec.msgpack.Encoder().encode, bytearray(MAGIC)
    import zlib

    for record in read_trace(source / TRACE_NAME):
        if (new := change(record)) is not None:
            chunk = zlib.compress(encode([new]))
            chunks += HEAD.pack(len(chunk), zlib.crc32(chunk)) + chunk
    target.write_bytes(chunks)
    return target


# --- the same -------------------------------------------------------------------------------------------------------


def test_a_run_decides_the_same_again(recorded):
    folder, digest = recorded
    shown = obid("replay", folder, "--compare")
    assert "the same, byte for byte" in shown.stdout
    assert digest_of(shown) == digest
    found = json.loads(obid("replay", folder, "--compare", "--json").stdout)[0]
    assert found["ended"]
    assert found["decisions"] > 300
    assert found["checked"] > 1


def test_a_live_run_on_the_wall_clock_decides_the_same_again(tmp_path, monkeypatch):
    """At the emulated Hyperliquid, with lost answers, closed sockets, late and repeated fills."""
    monkeypatch.setenv("OBID_HYPERLIQUID_AGENT_KEY", live.KEY)
    faults = tmp_path / "faults.toml"
    faults.write_text(live.FAULTS)
    usual = live.RunOptions
    monkeypatch.setattr(live, "RunOptions", lambda **options: usual(**options, record=True))
    with running(live.SYMBOLS, speed=live.SPEED, faults=str(faults), seed=5) as venue:
        config = live.configured(tmp_path, venue)
        for seconds in (16, 8):
            assert live.traded(venue, config, tmp_path / "data", monkeypatch, mode=Mode.LIVE, seconds=seconds) == 0
    printed = [line["digest"] for line in log_of(tmp_path / "data", "run_ended")]
    folders = sorted((tmp_path / "data" / "recordings").iterdir(), key=lambda one: (one / TRACE_NAME).stat().st_mtime)
    for folder, digest in zip(folders, printed, strict=True):  # the second one began with positions
        found = compare(folder)
        assert found.differs == ""
        assert found.digest_printed == digest
        assert found.decisions > 50


@pytest.mark.skipif(sys.platform == "win32", reason="the daemon is stopped by signals here")
def test_crashes_orders_and_a_kill_are_part_of_it(tmp_path):
    with Daemon(tmp_path / "data", *ARGS, "--speed", "60", "--config", eager(tmp_path)) as daemon:
        daemon.wait_for(lambda: daemon.ask("positions"))
        for actor in ("perps.signal", "perps.gate", "circuit_breaker", "perps.feed", "ledger", "perps.executor"):
            daemon.ask("crash", actor=actor)
            daemon.wait_for(lambda name=actor: any(row["restarts"] for row in daemon.ask("ps") if row["name"] == name))
        daemon.ask("pause", engine="perps", reason="a drill")
        daemon.ask("resume")
        daemon.wait_for(lambda: len(daemon.log("fill")) > 30)
        whole = recording(tmp_path / "data")
        opened_bytes = (whole / TRACE_NAME).stat().st_size
        daemon.wait_for(lambda: (whole / TRACE_NAME).stat().st_size > opened_bytes)  # a kill keeps whole chunks only
        shutil.copytree(whole, tmp_path / "as_if_killed")
        daemon.end()
    found = compare(whole)
    assert found.differs == ""
    assert found.ended
    crashed = {record.actor for record in read_trace(whole / TRACE_NAME) if isinstance(record, Lives)}
    assert {"perps.signal", "perps.gate", "circuit_breaker"} <= crashed
    killed = compare(tmp_path / "as_if_killed")
    assert (killed.differs, killed.ended) == ("", False)
    assert 0 < killed.decisions < found.decisions


def test_every_single_record_can_be_checked(tmp_path, monkeypatch):
    """A chunk may end anywhere: one that ended with a round of turns was checked before that round."""
    monkeypatch.setattr(trace, "CHUNK_BYTES", 1)
    args = (*ARGS, "--config", eager(tmp_path), "--data-dir", tmp_path / "data", "--for", "20s", "--speed", "max")
    obid("run", *args)
    found = compare(recording(tmp_path / "data"))
    assert found.differs == ""
    assert found.checked > found.rounds


# --- not the same ---------------------------------------------------------------------------------------------------


def test_books_that_were_others_are_found(recorded, tmp_path):
    folder, _ = recorded
    seen = []

    def change(record):
        if isinstance(record, Said) and record.kind == "Book":
            seen.append(record)
            if len(seen) > 40:  # from here on the bids are a hundred times as large
                book = msgspec.msgpack.decode(record.message)
                book[3] = [(price, 100 * size) for price, size in book[3]]
                return replace(record, message=msgspec.Raw(msgspec.msgpack.encode(book)))
        return record

    found = compare(rewritten(folder, tmp_path / "changed.trace", change))
    assert found.differs


@pytest.mark.parametrize("what", [Beat("perps.bars", 0), Said("perps.account", "Fill", b"")])
def test_something_that_was_left_out_is_found(recorded, tmp_path, what):
    folder, _ = recorded
    seen = []

    def change(record):
        if type(record) is type(what) and what_of(record) == what_of(what):
            seen.append(record)
            if len(seen) == 10 or (len(seen) > 10 and isinstance(record, Beat)):
                return None
        return record

    found = compare(rewritten(folder, tmp_path / "changed.trace", change))
    assert len(seen) >= 10
    assert found.differs


def what_of(record: Beat | Said) -> tuple[str, str]:
    """Who, and what kind of message."""
    return (record.actor, "") if isinstance(record, Beat) else (record.speaker, record.kind)


def test_code_that_decides_otherwise_is_found(recorded, monkeypatch):
    folder, _ = recorded
    usual, asked = Gate.hear, []

    def refuses_one(self, message):
        said = tuple(usual(self, message))
        asked.extend(one for one in said if isinstance(one, Approved))
        return () if said and isinstance(said[0], Approved) and len(asked) == 5 else said

    monkeypatch.setattr(Gate, "hear", refuses_one)
    assert "DIFFERENT: record" in obid("replay", folder, "--compare", code=1).stdout
    assert len(asked) >= 5


def test_a_ledger_that_books_otherwise_is_found(recorded, monkeypatch):
    folder, _ = recorded
    usual = LedgerMind._position
    monkeypatch.setattr(LedgerMind, "_position", lambda *a: replace(usual(*a), cost_minor=7))
    assert "the ledger said PositionChanged" in compare(folder).differs


def test_an_executor_that_plans_otherwise_is_found(recorded, monkeypatch):
    folder, _ = recorded
    monkeypatch.setattr("actors.executor.EXPIRY_S", 14.0)
    assert "an executor planned OrderPlanned" in compare(folder).differs


# --- files ----------------------------------------------------------------------------------------------------------


def test_a_trace_that_is_damaged_says_where(recorded, tmp_path):
    folder, _ = recorded
    whole = (folder / TRACE_NAME).read_bytes()
    torn = tmp_path / "torn.trace"
    torn.write_bytes(whole[: len(whole) * 3 // 4])
    found = compare(torn)
    assert "a chunk is torn or damaged; what is before it is whole" in found.differs
    assert found.decisions
    for damaged in (b"", b"something else", whole[: len(MAGIC)], whole[: len(MAGIC) + 20]):
        torn.write_bytes(damaged)
        (line,) = obid("replay", torn, "--compare", code=1).stderr.splitlines()
        assert "torn.trace" in line
    (line,) = obid("replay", tmp_path, "--compare", code=1).stderr.splitlines()
    assert "there is no trace here" in line


def test_a_disk_that_refuses_ends_the_trace_and_not_the_run(tmp_path, monkeypatch):
    usual = TraceWriter.flush

    def full(self):
        if self._records and self.path_written:
            self.error = "No space left on device"
        self.path_written = True
        usual(self)

    monkeypatch.setattr(TraceWriter, "path_written", False, raising=False)
    monkeypatch.setattr(TraceWriter, "flush", full)
    args = (*ARGS, "--config", eager(tmp_path), "--data-dir", tmp_path / "data", "--for", "30s", "--speed", "max")
    result = obid("run", *args, code=1)
    assert "run.trace: No space left on device: the trace ends early" in result.stderr
    assert count(result, "books heard") > 50


def test_a_loop_that_shuffles_is_not_traced(tmp_path):
    async def main(clock) -> None:
        with pytest.raises(ValueError, match="shuffles"):
            TracedHouse(tree(), clock, 1, (), None)

    run_virtual(main, 0, shuffle=1)
