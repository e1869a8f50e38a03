"""The same seed is the same run, to the byte; its books balance and agree; a recording is heard to the last row."""

import json
import subprocess
import sys

import polars as pl
import pytest

from daemon.books import open_books
from daemon.options import JOURNAL_NAME
from daemon.session import DAMAGES_SHOWN_MAX
from supervisor.journal import Journal, JournalUnwritable
from tests.daemon.runs import ROOT, capture, count, digest_of, eager, log_of, obid
from venues.market import VenuePosition
from venues.simulated import SimulatedVenue

ALL_ENGINES = ("--engine", "perps", "--engine", "crypto", "--engine", "equities")
LOB = ROOT.parent / "shared" / "data" / "lob"
REAL_BOOKS = {"BTC": 3782}
"""Rows of a capture, as its provider counts them."""


def traded(tmp_path, name="data", *args, code=0):
    """Five minutes of two coins with bars of a second: some fifty intents."""
    config = eager(tmp_path)
    return obid(
        *("run", "--symbols", "BTC,ETH", "--bar", "1s", "--speed", "max", "--for", "5m", "--seed", "3"),
        *("--config", config, "--data-dir", tmp_path / name, *args),
        code=code,
    )


# --- the same run again


def test_one_seed_is_one_run_and_another_is_another(tmp_path):
    one, two = traded(tmp_path, "one"), traded(tmp_path, "two")
    assert count(one, "fills") > 10
    assert digest_of(one) == digest_of(two)
    assert one.stdout == two.stdout
    assert one.stderr == two.stderr == ""
    assert digest_of(one) != digest_of(traded(tmp_path, "three", "--seed", "4"))


def test_three_engines_are_one_run(tmp_path):
    def run(name, seed):
        args = (*ALL_ENGINES, "--symbols", "BTC,xyz:TSLA,BTC/USD,ETH/USD,COST,TSLA", "--seed", seed)
        return obid("run", *args, "--for", "30m", "--speed", "max", "--data-dir", tmp_path / name, "--json")

    one, two = run("one", 7), run("two", 7)
    assert digest_of(one) == digest_of(two)
    summary = json.loads(one.stdout.splitlines()[0])
    assert [row["engine"] for row in summary["engines"]] == ["perps", "crypto", "equities"]
    assert summary["books"] > 10_000
    assert digest_of(run("three", 8)) != digest_of(one)


def test_another_process_runs_the_same(tmp_path):
    """Hashes of strings and addresses differ from process to process."""
    here = traded(tmp_path, "here")
    assert run_with(sys.executable, tmp_path, "there").splitlines()[-1] == digest_of(here)


@pytest.mark.parametrize("version", ["3.11", "3.12", "3.13"])
def test_another_python_runs_the_same(version, tmp_path):
    if version == ".".join(map(str, sys.version_info[:2])):
        pytest.skip("it is this one")
    python = f"python{version}"
    imports = "import msgspec, numpy, pydantic_settings, structlog, polars, typer, rich, uvloop; "
    imports += "from importlib.metadata import version; version('obid')"
    try:
        able = subprocess.run([python, "-c", imports], capture_output=True, check=False).returncode == 0
    except FileNotFoundError:
        able = False
    if not able:
        pytest.skip(f"no {python} with the dependencies is here")
    assert run_with(python, tmp_path, "there").splitlines()[-1] == digest_of(traded(tmp_path, "here"))


def run_with(python, tmp_path, name):
    """The same five minutes in a process of another Python."""
    command = [
        *(python, "-m", "daemon", "run", "--symbols", "BTC,ETH", "--bar", "1s", "--speed", "max", "--for", "5m"),
        *("--seed", "3", "--config", str(eager(tmp_path)), "--data-dir", str(tmp_path / name)),
    ]
    return subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=True).stdout


# --- the books


def test_the_books_balance_and_nothing_is_left_behind(tmp_path):
    summary = traded(tmp_path)
    shown = obid("ledger", "trial-balance", "--data-dir", tmp_path / "data").stdout
    assert "balanced" in shown
    fills = [line["id"] for line in log_of(tmp_path / "data", "fill")]
    assert len(set(fills)) == count(summary, "fills")
    assert f" booked, {len(fills)} told" in summary.stdout
    assert sorted(
        path.name
        for path in (tmp_path / "data").iterdir()
        if not path.name.startswith((JOURNAL_NAME + "-", JOURNAL_NAME + ".mark"))
    ) == [
        JOURNAL_NAME,
        "log",
        "obid.lock",
    ]


def test_positions_from_fills_and_from_the_ledger_agree(tmp_path):
    traded(tmp_path)
    lots = {}
    fills = {line["id"]: line for line in log_of(tmp_path / "data", "fill")}  # one that is told again is booked once
    for line in fills.values():
        sign = 1 if line["side"] == "buy" else -1
        lots[line["symbol"]] = lots.get(line["symbol"], 0) + sign * line["lots"]
    held = {symbol: position.lots for symbol, position in open_books(tmp_path / "data").positions["perps"].items()}
    assert held == {symbol: number for symbol, number in lots.items() if number}


def test_a_second_run_goes_on_where_the_first_ended(tmp_path):
    first = traded(tmp_path)
    before = open_books(tmp_path / "data")
    second = traded(tmp_path)
    after = open_books(tmp_path / "data")
    assert before.money("perps").capital_minor == after.money("perps").capital_minor, "the opening is booked once"
    assert digest_of(first) != digest_of(second)
    assert count(second, "fills") > 10
    assert not log_of(tmp_path / "data", "drift")


def test_another_engine_can_run_on_the_same_books(tmp_path):
    """The first engine's books are still there, and nobody in the second house knows what to do with them."""
    traded(tmp_path)
    second = obid(
        *("run", "--engine", "crypto", "--symbols", "BTC/USD", "--speed", "max", "--for", "1m"),
        *("--data-dir", tmp_path / "data"),
    )
    assert count(second, "restarts") == 0
    assert obid("ledger", "trial-balance", "--data-dir", tmp_path / "data").stdout


def test_a_venue_that_holds_something_else_at_the_end_is_exit_1(tmp_path, monkeypatch):
    positions = SimulatedVenue.positions

    async def wrong(self):
        held = await positions(self)
        ended = self.clock.now_ns() > 1_767_571_200_000_000_000 + 300 * 10**9  # past the five minutes
        return [*held, VenuePosition("SOL", 7, 1.0)] if ended else held

    monkeypatch.setattr(SimulatedVenue, "positions", wrong)
    result = traded(tmp_path, code=1)
    assert result.stderr == "obid: perps: SOL is 0 lots in the ledger and 7 at the venue\n"
    assert digest_of(result)


def test_a_disk_that_fills_up_ends_the_run_with_one_line_and_exit_1(tmp_path, monkeypatch):
    append = Journal.append
    room = [60]

    def full(self, entries):
        room[0] -= 1
        if room[0] < 0:
            raise JournalUnwritable(f"{self.path}: entry {self.seq + 1}: database or disk is full")
        append(self, entries)

    monkeypatch.setattr(Journal, "append", full)
    result = traded(tmp_path, code=1)
    assert "disk is full" in result.stderr
    assert "Traceback" not in result.stderr + result.stdout
    monkeypatch.undo()
    assert obid("ledger", "trial-balance", "--data-dir", tmp_path / "data").stdout


def test_a_disk_that_is_full_before_the_first_record_starts_nothing(tmp_path, monkeypatch):
    def full(self, entries):
        raise JournalUnwritable("database or disk is full")

    monkeypatch.setattr(Journal, "append", full)
    result = traded(tmp_path, code=1)
    assert result.stderr.count("\n") == 1
    assert "Nothing was started" in result.stderr


# --- replay


def test_a_replay_hears_every_row_and_repeats_into_the_same_directory(tmp_path):
    lob = tmp_path / "lob"
    capture(lob, "BTC", books=900)
    capture(lob, "ETH", books=600, level=2_000.0)

    def play(name):
        args = ("--bar", "5s", "--config", eager(tmp_path), "--data-dir", tmp_path / name)
        return obid("replay", lob, *args)

    one, again, other = play("data"), play("data"), play("other")
    assert count(one, "books heard") == 1500
    assert count(one, "fills") > 0
    assert digest_of(one) == digest_of(again) == digest_of(other)
    assert one.stdout == again.stdout
    assert one.stderr == again.stderr == ""
    assert "ended by the data is over" in one.stdout
    aside = tmp_path / "data" / JOURNAL_NAME.replace(".sqlite", ".1.sqlite")
    kept, fresh = Journal.read_only(aside), Journal.read_only(tmp_path / "data" / JOURNAL_NAME)
    assert [entry.body for entry in kept.read()] == [entry.body for entry in fresh.read()]
    kept.close()
    fresh.close()


def test_a_row_that_makes_no_sense_is_named_and_the_rest_is_played(tmp_path):
    path = capture(tmp_path / "lob", books=50)
    table = pl.read_parquet(path)
    crossed = table.with_columns(
        pl.when(pl.col("ts") == table["ts"][7]).then(pl.col("bid_px")).otherwise(pl.col("ask_px")).alias("ask_px")
    )
    crossed.write_parquet(path)
    result = obid("replay", path, "--data-dir", tmp_path / "data")
    assert result.stderr == f"obid: {path}: row 7: levels are out of order\n"
    assert count(result, "books heard") == 49


def test_of_many_rows_that_make_no_sense_a_few_are_named(tmp_path):
    path = capture(tmp_path / "lob", books=50)
    table = pl.read_parquet(path)
    table.with_columns(pl.col("bid_px").alias("ask_px")).vstack(table).write_parquet(path)
    lines = obid("replay", path, "--data-dir", tmp_path / "data").stderr.splitlines()
    assert len(lines) == DAMAGES_SHOWN_MAX + 1
    assert lines[-1].endswith("rows more make no sense")


def test_a_symbol_that_was_not_recorded_is_named(tmp_path):
    path = capture(tmp_path / "lob", books=5)
    line = obid("replay", path, "--symbols", "ETH", "--data-dir", tmp_path / "data", code=2).stderr
    assert line.count("\n") == 1
    assert "BTC" in line


@pytest.mark.skipif(not LOB.is_dir(), reason="the recorded books are not beside this checkout")
def test_real_books_are_all_heard_and_traded_and_repeat(tmp_path):
    def play(name):
        return obid("replay", LOB, "--bar", "10s", "--data-dir", tmp_path / name, "--json")

    one = play("one")
    summary = json.loads(one.stdout.splitlines()[0])
    for path in LOB.glob("*.book.parquet"):
        symbol = path.name.split("_")[1]
        rows = pl.scan_parquet(path).select(pl.len()).collect().item()
        assert summary["books_by_symbol"][symbol] == rows
    assert summary["books_by_symbol"].items() >= REAL_BOOKS.items()
    assert summary["fills"] > 0
    assert digest_of(play("two")) == digest_of(one)
