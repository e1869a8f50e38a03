"""Canonical pairs of Parquet files: written from events, read back to them, and to what real captures hold."""

from pathlib import Path

import numpy as np
import polars as pl
import pytest

from tests.venues.aleatoric.canonical_rows import synthetic
from venues.aleatoric.canonical import tables
from venues.aleatoric.canonical.events import BadRequest, BookEvent
from venues.aleatoric.canonical.normalise import normalise_all
from venues.aleatoric.canonical.tables import TableFile, book_table, read_pair, trade_table, write_pair
from venues.captures import Capture

LOB = Path(__file__).resolve().parents[4] / "shared" / "data" / "lob"


def nothing(said):
    pytest.fail(f"reported: {said}")


def shape(event):
    """What the columns hold of an event."""
    book = isinstance(event, BookEvent)
    return (event.at_ns, event.bids, event.asks) if book else (event.at_ns, event.price, event.size, event.side)


@pytest.mark.parametrize("rows_max", [1, 7, 4096])
def test_events_come_back_from_their_files(tmp_path, monkeypatch, rows_max):
    monkeypatch.setattr(tables, "ROWS_MAX", rows_max)
    events = normalise_all("synthetic", synthetic(40), "BTC").events
    written = write_pair(tmp_path / "hl_BTC_20250615", events, 20, nothing)
    assert (written.book_rows, written.trade_rows) == (20, 20)
    assert sorted(path.name for path in tmp_path.iterdir()) == [written.books.name, written.trades.name]
    again = list(read_pair(written.books, nothing))
    assert [shape(event) for event in again] == [shape(event) for event in events]
    assert [event.id for event in again] == list(range(1, 41)) and {event.symbol for event in again} == {"BTC"}
    assert [event.position for event in again] == [i // 2 for i in range(40)]
    assert Capture.of(written.books).decimals() == (1, 1)


def test_the_columns_are_those_of_a_capture_and_deeper_levels_are_left_out(tmp_path):
    [event] = normalise_all("synthetic", synthetic(1)).events
    written = write_pair(tmp_path / "X", [event], 1, nothing)
    levels = pl.Array(pl.Float64, 1)
    assert pl.read_parquet_schema(written.books) == {
        "ts": pl.Int64,
        **dict.fromkeys(("bid_px", "bid_sz", "ask_px", "ask_sz"), levels),
    }
    assert pl.read_parquet(written.books).row(0)[1:] == ([24999.5], [1.2], [25000.5], [0.8])
    trades = pl.read_parquet(written.trades)
    assert trades.schema == {"ts": pl.Int64, "px": pl.Float64, "sz": pl.Float64, "side": pl.Int8} and not len(trades)


@pytest.mark.skipif(not LOB.is_dir(), reason=f"no captures at {LOB}")
def test_a_real_capture_survives_the_way_through_events(tmp_path):
    book = LOB / "hl_WLFI_20250904.book.parquet"
    written = write_pair(tmp_path / "hl_WLFI_20250904", read_pair(book, nothing), 20, nothing)
    for path in (written.books, written.trades):
        original = pl.read_parquet(LOB / path.name)
        assert pl.read_parquet(path).equals(original) and pl.read_parquet_schema(path) == original.schema
    rows = pl.read_parquet(book).head(500).iter_rows(named=True)
    canonical = normalise_all("synthetic", rows, "WLFI")
    read = [event for event in read_pair(book, nothing) if isinstance(event, BookEvent)][:500]
    assert [shape(event) for event in canonical.events] == [shape(event) for event in read] and not canonical.bad


def test_damaged_rows_of_a_file_are_reported_and_the_others_keep_their_places(tmp_path):
    prices = np.array([[10.0], [10.0], [np.nan], [10.0]])
    sides = prices, prices, prices + 1, prices
    ts = np.array([1, 3, 4, 5]) * 10**18
    book_table(ts, sides).write_parquet(tmp_path / "X.book.parquet")
    signs = np.array([1, 0, -1])
    trade_table(ts[:3], prices[:3, 0], prices[[0, 1, 3], 0], signs).write_parquet(tmp_path / "X.trades.parquet")
    damages = []
    events = list(read_pair(tmp_path / "X.book.parquet", damages.append))
    assert [(event.position, event.at_ns // 10**18, isinstance(event, BookEvent)) for event in events] == [
        (0, 1, False),
        (0, 1, True),
        (1, 3, True),
        (3, 5, True),
    ]
    assert sorted((Path(d.file).name, d.place) for d in damages) == [
        ("X.book.parquet", 2),
        ("X.trades.parquet", 1),
        ("X.trades.parquet", 2),
    ]


def test_what_the_columns_cant_hold_is_reported(tmp_path):
    row = {"Symbol": "ES", "TransactTime": 1_750_000_000 * 10**9, "MDEntryType": "2", "MDEntryPx": 1, "MDEntrySize": 1}
    events = normalise_all("cme", [row]).events
    reports = []
    written = write_pair(tmp_path / "ES", events, 1, reports.append)
    assert written.trade_rows == 0 and [(bad.position, bad.field) for bad in reports] == [(0, "side")]
    first, _, second = normalise_all("synthetic", synthetic(3)).events
    written = write_pair(tmp_path / "BTC", [second, first], 1, reports.append)
    assert written.book_rows == 1 and reports[-1].field == "at_ns"


def test_a_pair_is_of_one_symbol_and_a_failed_one_leaves_nothing(tmp_path):
    rows = [row | {"symbol": symbol} for symbol, row in zip(("BTC", "ETH"), synthetic(2), strict=True)]
    with pytest.raises(BadRequest, match="'ETH'"):
        write_pair(tmp_path / "X", normalise_all("synthetic", rows).events, 20, nothing)
    assert not list(tmp_path.iterdir())


def test_what_an_interrupted_run_left_is_not_taken_over(tmp_path):
    leftover = tmp_path / "T.parquet.parts"
    leftover.mkdir()
    (leftover / "00000000.parquet").write_bytes(b"half")
    with TableFile(tmp_path / "T.parquet") as file:
        file.add(pl.DataFrame({"a": [1, 2]}))
        file.add(pl.DataFrame({"a": [3]}))
    assert pl.read_parquet(tmp_path / "T.parquet")["a"].to_list() == [1, 2, 3] and not leftover.exists()
