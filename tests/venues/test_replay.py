"""Replay: every good row is heard in time order, every bad one is named, and memory is not asked for all at once."""

import math
from collections import Counter
from decimal import Decimal
from pathlib import Path

import numpy as np
import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.venues.builders import PERP, SELL, SPOT, book, trade
from venues import captures
from venues.capture_checks import decimals_of, out_of_order
from venues.damage import BadRecording
from venues.market import Book, Side, Trade
from venues.recording import RecordingWriter
from venues.replay import open_replay

LOB = Path(__file__).resolve().parents[3] / "shared" / "data" / "lob"
NAN = math.nan
GOOD = ([10.0, 9.9, NAN], [1.0, 2.5, NAN], [10.1, 10.2, 10.3], [1.0, 1.0, 1.0])


def write_books(file, rows):
    """A book file from rows of (ts, (bid_px, bid_sz, ask_px, ask_sz))."""
    names = ("bid_px", "bid_sz", "ask_px", "ask_sz")
    columns = {"ts": pl.Series([ts for ts, _ in rows], dtype=pl.Int64)}
    for place, name in enumerate(names):
        columns[name] = pl.Series([row[place] for _, row in rows], dtype=pl.Array(pl.Float64, 3))
    pl.DataFrame(columns).write_parquet(file)
    return file


def write_trades(file, rows):
    schema = {"ts": pl.Int64, "px": pl.Float64, "sz": pl.Float64, "side": pl.Int8}
    pl.DataFrame(rows, schema=schema, orient="row").write_parquet(file)
    return file


def replay(*places, known=None, symbols=()):
    """(batches, instruments, damages) of a replay."""
    damages = []
    source = open_replay(places, "perps", known or {}, damages.append, symbols)
    batches = []
    while (batch := source.next_batch()) is not None:
        batches.append(batch)
    assert source.start_ns == batches[0][0]
    assert source.history("BTC", 60, 5) == source.funding(0) == ()
    return batches, source.instruments, damages


def names(batches):
    return [
        (at_ns, [f"{'T' if isinstance(event, Trade) else 'B'} {event.symbol}" for event in batch])
        for at_ns, batch in batches
    ]


# --- what is heard ----------------------------------------------------------------------------------------------------


def test_every_row_of_the_real_captures_is_heard():
    if not LOB.is_dir():
        pytest.skip(f"no captures at {LOB}")
    batches, instruments, damages = replay(LOB)
    heard = Counter((type(event).__name__, event.symbol) for _, batch in batches for event in batch)
    for symbol in ("BTC", "ETH", "SOL", "WLFI"):
        assert heard["Book", symbol] == 3782
    assert [heard["Trade", symbol] for symbol in ("BTC", "ETH", "SOL", "WLFI")] == [6645, 6837, 4397, 2525]
    assert damages == []
    times = [at_ns for at_ns, _ in batches]
    assert times == sorted(set(times))
    steps = {i.symbol: (i.tick, i.lot) for i in instruments}
    assert steps["BTC"] == (Decimal(1), Decimal("0.00001"))
    assert steps["WLFI"] == (Decimal("0.00001"), Decimal(1))


def test_a_row_becomes_a_book_without_its_padding(tmp_path):
    batches, _, _ = replay(write_books(tmp_path / "hl_BTC_20250904.book.parquet", [(7, GOOD)]))
    ((at_ns, (heard,)),) = batches
    assert (at_ns, heard.symbol, heard.at_ns, heard.received_ns) == (7, "BTC", 7, 7)
    assert [(level.price, level.size) for level in heard.bids] == [(10.0, 1.0), (9.9, 2.5)]
    assert len(heard.asks) == 3


def test_symbols_are_merged_in_time_and_trades_come_before_books(tmp_path):
    write_books(tmp_path / "hl_BTC_20250904.book.parquet", [(1, GOOD), (3, GOOD)])
    write_trades(tmp_path / "hl_BTC_20250904.trades.parquet", [(3, 10.0, 1.0, -1), (3, 9.9, 1.0, -1), (4, 9.9, 1.0, 1)])
    write_books(tmp_path / "hl_ETH_20250904.book.parquet", [(1, GOOD), (2, GOOD), (3, GOOD)])
    batches, _, _ = replay(tmp_path)
    assert names(batches) == [
        (1, ["B BTC", "B ETH"]),
        (2, ["B ETH"]),
        (3, ["T BTC", "T BTC", "B BTC", "B ETH"]),
        (4, ["T BTC"]),
    ]
    assert [event.side for event in batches[2][1][:2]] == [Side.SELL, Side.SELL]
    assert batches[3][1][0].side is Side.BUY


def test_rows_beyond_one_chunk_are_heard_too(tmp_path, monkeypatch):
    monkeypatch.setattr(captures, "CHUNK_ROWS", 4)
    file = write_books(tmp_path / "hl_BTC_20250904.book.parquet", [(ts, GOOD) for ts in range(1, 12)])
    batches, _, _ = replay(file)
    assert [at_ns for at_ns, _ in batches] == list(range(1, 12))


def test_only_the_symbols_asked_for(tmp_path):
    write_books(tmp_path / "hl_BTC_20250904.book.parquet", [(1, GOOD)])
    write_books(tmp_path / "hl_ETH_20250904.book.parquet", [(1, GOOD)])
    batches, instruments, _ = replay(tmp_path, symbols={"ETH"})
    assert names(batches) == [(1, ["B ETH"])]
    assert [instrument.symbol for instrument in instruments] == ["ETH"]


@pytest.mark.parametrize(
    ("file", "symbol"),
    [
        ("hl_BTC_20250904", "BTC"),
        ("hl_xyz_TSLA_20250904", "xyz_TSLA"),
        ("xyz:TSLA", "xyz:TSLA"),
        ("kSHIB", "kSHIB"),
    ],
)
def test_the_symbol_stands_in_the_name(tmp_path, file, symbol):
    assert captures.Capture.of(write_books(tmp_path / f"{file}.book.parquet", [(1, GOOD)])).symbol == symbol


def test_lists_of_any_length_are_read_like_arrays(tmp_path):
    table = {"ts": [1, 2], "bid_px": [[10.0, 9.9], [10.0]], "bid_sz": [[1.0, 2.0], [1.0]]}
    table |= {"ask_px": [[10.1], [10.1, 10.2]], "ask_sz": [[1.0], [1.0, 3.0]]}
    pl.DataFrame(table).write_parquet(tmp_path / "BTC.book.parquet")
    batches, _, damages = replay(tmp_path / "BTC.book.parquet")
    assert [(len(batch[0].bids), len(batch[0].asks)) for _, batch in batches] == [(2, 1), (1, 2)]
    assert damages == []


# --- instruments ------------------------------------------------------------------------------------------------------


def test_a_known_instrument_is_not_inferred(tmp_path):
    file = write_books(tmp_path / "hl_BTC_20250904.book.parquet", [(1, GOOD)])
    assert replay(file, known={"BTC": PERP, "ETH": SPOT})[1] == (PERP,)


def test_an_unknown_one_gets_the_finest_steps_seen(tmp_path):
    finer = ([10.05, NAN, NAN], [0.125, NAN, NAN], [10.1, NAN, NAN], [3.0, NAN, NAN])
    file = write_books(tmp_path / "hl_NEW_20250904.book.parquet", [(1, GOOD), (2, finer)])
    (instrument,) = replay(file)[1]
    assert (instrument.tick, instrument.lot) == (Decimal("0.01"), Decimal("0.001"))
    assert (instrument.engine, instrument.asset_class, instrument.leverage) == ("perps", "native", 1)
    assert instrument.ticks(10.05) == 1005


@pytest.mark.parametrize(
    ("values", "decimals"),
    [
        ([113000.0, 5.0], 0),
        ([109755.5], 1),
        ([0.18648, 0.1865], 5),
        ([1e9 + 0.5], 1),
        ([0.00000001], 8),
        ([1 / 3], 10),
        ([NAN, 2.5], 1),
        ([], 0),
    ],
)
def test_decimals_are_counted_as_the_venue_printed_them(values, decimals):
    assert decimals_of(np.array(values)) == decimals


@settings(max_examples=80)
@given(st.lists(st.integers(1, 10**9), min_size=1, max_size=20), st.integers(0, 8))
def test_steps_of_printed_prices_are_found(numbers, decimals):
    printed = np.array([float(Decimal(number).scaleb(-decimals)) for number in numbers])
    found = decimals_of(printed)
    assert found <= decimals
    assert all(Decimal(repr(price)) % Decimal(1).scaleb(-found) == 0 for price in printed.tolist())


# --- what is wrong ----------------------------------------------------------------------------------------------------

BAD_BOOKS = {
    "a side has no best level": ([NAN] * 3, [NAN] * 3, GOOD[2], GOOD[3]),
    "the bid is at or above the ask": ([10.1, 9.9, NAN], GOOD[1], GOOD[2], GOOD[3]),
    "levels are out of order": ([10.0, 10.05, NAN], GOOD[1], GOOD[2], GOOD[3]),
    "a price or size among the levels is missing, not positive or too large": (
        GOOD[0],
        GOOD[1],
        [10.1, NAN, 10.3],
        GOOD[3],
    ),
}


@pytest.mark.parametrize("reason", BAD_BOOKS)
def test_a_bad_book_is_named_and_the_good_ones_survive(tmp_path, reason):
    file = write_books(tmp_path / "hl_BTC_20250904.book.parquet", [(1, GOOD), (2, BAD_BOOKS[reason]), (3, GOOD)])
    batches, _, damages = replay(file)
    assert [at_ns for at_ns, _ in batches] == [1, 3]
    assert [(damage.file, damage.place, damage.reason) for damage in damages] == [(str(file), 1, reason)]


@pytest.mark.parametrize("number", [-1.0, 0.0, math.inf, 1e12])
@pytest.mark.parametrize("column", range(4))
def test_a_number_that_is_none_makes_a_row_bad(tmp_path, number, column):
    row = [list(side) for side in GOOD]
    row[column][0] = number
    file = write_books(tmp_path / "hl_BTC_20250904.book.parquet", [(1, GOOD), (2, row)])
    batches, _, damages = replay(file)
    assert len(batches) == 1
    assert [damage.place for damage in damages] == [1]


def test_rows_out_of_time_are_left_out_and_a_spike_does_not_cost_the_rest(tmp_path):
    times = [1, 2, 99, 3, 4, 2, 5]
    file = write_books(tmp_path / "hl_BTC_20250904.book.parquet", [(ts, GOOD) for ts in times])
    batches, _, damages = replay(file)
    assert [at_ns for at_ns, _ in batches] == [1, 2, 3, 4, 5]
    assert [(damage.place, damage.reason) for damage in damages] == [(2, "out of time order"), (5, "out of time order")]


@given(st.lists(st.integers(-2, 30), max_size=30))
def test_what_is_left_is_in_order_and_what_was_in_order_is_left(times):
    late = out_of_order(np.array(times, dtype=np.int64))
    left = [ts for ts, is_late in zip(times, late, strict=True) if not is_late]
    assert left == sorted(left)
    assert all(ts >= 0 for ts in left)
    if times == sorted(times) and (not times or times[0] >= 0):
        assert left == times


def test_bad_trades_are_named(tmp_path):
    write_books(tmp_path / "hl_BTC_20250904.book.parquet", [(1, GOOD)])
    rows = [(1, 10.0, 1.0, 1), (2, NAN, 1.0, 1), (3, 10.0, -1.0, 1), (4, 10.0, 1.0, 0), (5, None, 1.0, 1), (2, 1, 1, 1)]
    write_trades(tmp_path / "hl_BTC_20250904.trades.parquet", [*rows, (6, 10.0, 1.0, None), (7, 9.9, 2.0, -1)])
    batches, _, damages = replay(tmp_path)
    assert names(batches) == [(1, ["T BTC", "B BTC"]), (7, ["T BTC"])]
    assert [(damage.place, damage.reason) for damage in damages] == [
        (1, "px is nan, it must be a positive number"),
        (2, "sz is -1.0, it must be a positive number"),
        (3, "side is 0, it must be 1 or -1"),
        (4, "px is None, it must be a positive number"),
        (5, "out of time order"),
        (6, "side is None, it must be 1 or -1"),
    ]


def test_files_that_are_no_captures_are_refused_in_one_line(tmp_path):
    def refused(place):
        with pytest.raises(BadRecording) as error:
            replay(place)
        return str(error.value)

    assert "there is no such file" in refused(tmp_path / "BTC.book.parquet")
    assert "*.trades.parquet is found beside it" in refused(tmp_path / "BTC.trades.parquet")
    assert "neither *.book.parquet nor parts of a recording" in refused(tmp_path)
    nonsense = tmp_path / "BTC.book.parquet"
    nonsense.write_bytes(b"nonsense")
    assert str(nonsense) in refused(nonsense)
    pl.DataFrame({"ts": [1], "bid_px": [[1.0]]}).write_parquet(nonsense)
    assert "column bid_sz is missing" in refused(nonsense)
    table = {"ts": [1.5], "bid_px": [1.0], "bid_sz": [1.0], "ask_px": [1.0], "ask_sz": [1.0]}
    pl.DataFrame(table).write_parquet(nonsense)
    assert "ts is Float64, it must be integer nanoseconds" in refused(nonsense)
    pl.DataFrame({**table, "ts": [1]}).write_parquet(nonsense)
    assert "bid_px is Float64, it must hold one array a row" in refused(nonsense)
    assert "not one book or trade" in refused(write_books(nonsense, []))


# --- obid's own recordings --------------------------------------------------------------------------------------------


def record(folder, *events, instruments=()):
    writer = RecordingWriter(folder, instruments)
    for event in events:
        writer.write(event)
    writer.close()
    return folder


def test_a_recording_is_played_as_it_was_heard(tmp_path):
    heard = [book([(1000, 5)], [(1001, 5)], 5), trade(1000, 3, SELL, 5), book([(1000, 4)], [(1001, 5)], 9)]
    batches, instruments, damages = replay(record(tmp_path, *heard, instruments=[PERP]))
    assert names(batches) == [(5, ["B BTC", "T BTC"]), (9, ["B BTC"])]
    assert (instruments, damages) == ((PERP,), [])


def test_a_recording_plays_at_the_time_of_hearing_which_never_goes_back(tmp_path):
    late = Book("BTC", 1, 50, (), ())
    later = Book("BTC", 2, 40, (), ())
    batches, _, _ = replay(record(tmp_path, late, later, instruments=[PERP]))
    assert [(at_ns, len(batch)) for at_ns, batch in batches] == [(50, 2)]


def test_a_recording_without_instruments_is_looked_through_for_steps(tmp_path):
    folder = record(tmp_path, book([(1000.5, 5)], [(1001, 5)], 5))
    (instrument,) = replay(folder)[1]
    assert (instrument.symbol, instrument.tick, instrument.lot) == ("BTC", Decimal("0.01"), Decimal("0.001"))


def test_captures_and_recordings_can_be_played_together_and_by_file(tmp_path):
    record(tmp_path, book([(1000, 5)], [(1001, 5)], 2), instruments=[PERP])
    write_books(tmp_path / "hl_ETH_20250904.book.parquet", [(1, GOOD), (3, GOOD)])
    expected = [(1, ["B ETH"]), (2, ["B BTC"]), (3, ["B ETH"])]
    assert names(replay(tmp_path)[0]) == expected
    files = (tmp_path / "000001.market", tmp_path / "hl_ETH_20250904.book.parquet")
    assert names(replay(*files)[0]) == expected
    assert names(replay(tmp_path, symbols={"BTC"})[0]) == [(2, ["B BTC"])]


def test_a_torn_recording_is_played_up_to_the_tear(tmp_path):
    folder = record(tmp_path, *[book([(1000, 5)], [(1001, 5)], ts) for ts in range(1, 6)], instruments=[PERP])
    part = folder / "000001.market"
    part.write_bytes(part.read_bytes()[:-7])
    batches, _, damages = replay(folder)
    assert [at_ns for at_ns, _ in batches] == [1, 2, 3, 4]
    assert [damage.reason for damage in damages] == ["torn: the file ends inside a record"]
