"""Batches: the same bytes in one piece, in windows, by any number of processes; files are whole or absent."""

import os
from hashlib import sha256
from pathlib import Path

import msgspec
import numpy as np
import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from msgspec.structs import replace

from config.errors import ConfigError
from venues.aleatoric.artifacts import driver
from venues.aleatoric.artifacts.driver import Settings, WindowFailed, make_window, run_batch
from venues.aleatoric.artifacts.rows import digest_of
from venues.aleatoric.batch import Batch
from venues.aleatoric.market import AleatoricMarket
from venues.aleatoric.presets import PRESETS, get_preset
from venues.aleatoric.scenarios import KINDS, parse_scenario
from venues.market import Book, Trade

HOUR_NS = 3_600 * 1_000_000_000
BEFALLS = tuple(map(parse_scenario, ["frozen@9m,for=12m", "flash_crash@25m", "one_sided@3m", "gap@31m", "crossed@35m"]))


def day_from_half_past_two(at_ns: int) -> bool:
    """A session of two hours a day."""
    return 14.5 * HOUR_NS <= at_ns % (24 * HOUR_NS) < 16.5 * HOUR_NS


def digests(rows):
    return [block.digest() for block in rows]


@pytest.mark.parametrize(
    "name", ["hyperliquid_perp_btc", "hyperliquid_perp_wlfi", "bybit_futures_btc", "crypto:BTC/USD"]
)
def test_windows_of_any_size_are_the_whole(name):
    batch = Batch(get_preset(name), 5.3 * 1024 * 0.55)
    whole = digests(batch.rows())
    assert len(whole) == batch.blocks
    for size in (1, 2, 5, 100):
        assert [digest for window in batch.checkpoints(size) for digest in digests(batch.window(window))] == whole


@pytest.mark.parametrize("size", [1, 2])
def test_windows_are_the_whole_when_something_befalls(size):
    batch = Batch(replace(get_preset("hyperliquid_perp_sol"), scenarios=BEFALLS), 2_400)
    parts = [digest for window in batch.checkpoints(size) for digest in digests(batch.window(window))]
    assert parts == digests(batch.rows())


@settings(max_examples=15)
@given(
    st.lists(st.tuples(st.sampled_from(sorted(KINDS)), st.integers(0, 3000), st.integers(1, 1200)), max_size=4),
    st.integers(1, 4),
    st.integers(0, 2**32),
)
def test_windows_are_the_whole_whatever_befalls(befalls, size, seed):
    texts = [f"{kind}@{at}s,for={length}s" for kind, at, length in befalls]
    manifest = replace(
        get_preset("hyperliquid_perp_wlfi"), seed=seed, num_levels=3, scenarios=tuple(map(parse_scenario, texts))
    )
    batch = Batch(manifest, 3_000)
    parts = [digest for window in batch.checkpoints(size) for digest in digests(batch.window(window))]
    assert parts == digests(batch.rows())


@pytest.mark.parametrize("name", ["hyperliquid_perp_sol", "equities:PLTR", "bybit_futures_btc"])
def test_a_batch_is_what_the_market_says(name):
    manifest = get_preset(name)
    if name == "hyperliquid_perp_sol":
        manifest = replace(manifest, scenarios=BEFALLS)
    batch = Batch(manifest, 9_000 if manifest.asset_class == "equity" else 2_300, day_from_half_past_two)
    market = AleatoricMarket([batch.model], manifest.seed, manifest.start_ms * 10**6, day_from_half_past_two)
    heard: list[object] = []
    for rows in batch.rows():
        prices = [side.tolist() for side in rows.ticks * batch.model.price_fraction[0] / batch.model.price_fraction[1]]
        for at in rows.order().tolist():
            books = len(rows.received_ns)
            if at < books:
                gone = [rows.empty is not None and bool(rows.empty[side, at]) for side in (0, 1)]
                touch = tuple(None if gone[side] else prices[side][at][0] for side in (0, 1))
                heard.append((int(rows.at_ns[at]), int(rows.received_ns[at]), touch))
            else:
                trade = at - books
                heard.append(
                    (int(rows.trade_at_ns[trade]), int(rows.trade_received_ns[trade]), int(rows.trade_sign[trade]))
                )
    said: list[object] = []
    while len(said) < len(heard):
        batch_of_market = market.next_batch()
        assert batch_of_market is not None
        for event in batch_of_market[1]:
            if type(event) is Book:
                touch = tuple(side[0].price if side else None for side in (event.bids, event.asks))
                said.append((event.at_ns, event.received_ns, touch))
            else:
                assert type(event) is Trade
                said.append((event.at_ns, event.received_ns, event.side.sign))
    assert said[: len(heard)] == heard


def test_the_length_is_in_seconds_of_open_market():
    batch = Batch(get_preset("equities:PLTR"), 2.5 * 3600, day_from_half_past_two)
    times = np.concatenate([rows.received_ns for rows in batch.rows()])
    assert len(times) == batch.steps == 9000
    assert all(day_from_half_past_two(int(at_ns)) for at_ns in times)
    assert np.diff(times).max() > 20 * HOUR_NS
    with pytest.raises(ConfigError, match="its session does not open for 14 days"):
        list(Batch(get_preset("equities:PLTR"), 60, lambda at_ns: False).rows())


@pytest.mark.parametrize("seconds", [0, -1, 0.2, float("nan"), float("inf"), 400 * 86_400])
def test_a_length_that_cannot_be_is_refused(seconds):
    with pytest.raises(ConfigError, match=r"^seconds"):
        Batch(get_preset("hyperliquid_perp_btc"), seconds)


def hashes(report):
    return [sha256(Path(file).read_bytes()).hexdigest() for file in report.files.values()]


def test_one_two_and_four_workers_write_the_same_files(tmp_path):
    batch = Batch(replace(PRESETS["hyperliquid_perp_eth"], scenarios=BEFALLS), 3_600)
    heard = []
    reports = [
        run_batch(
            batch,
            tmp_path / f"{count}.parquet",
            Settings(workers=count, window_blocks=2),
            lambda *done: heard.append(done),
        )
        for count in (1, 2, 4)
    ]
    assert hashes(reports[0]) == hashes(reports[1]) == hashes(reports[2])
    assert len({(report.digest, report.row_count, report.books, report.trades) for report in reports}) == 1
    assert reports[0].digest == digest_of(digests(batch.rows()))
    assert heard[-1] == (batch.blocks, batch.blocks)
    assert sorted(path.name for path in tmp_path.iterdir()) == sorted(
        f"{count}{kind}.parquet" for count in (1, 2, 4) for kind in ("", ".book", ".trades")
    )


def die_once(batch, folder, window):
    """A worker that is killed at its first window, and raises twice at another: the kill may take one of the two."""
    for time in range({0: 1, 4: 2}.get(window.first, 0)):
        marker = folder.parent / f"died.{window.first}.{time}"
        if marker.exists():
            continue
        marker.touch()
        if window.first:
            raise OSError("the disk hiccups")
        os._exit(9)
    return make_window(batch, folder, window)


def die_always(batch, folder, window):
    """A worker that never makes anything."""
    raise OSError(f"no block {window.first}")


def test_workers_that_die_change_nothing(tmp_path, monkeypatch):
    batch = Batch(PRESETS["hyperliquid_perp_sol"], 4_000)
    alone = run_batch(batch, tmp_path / "alone.parquet", Settings(window_blocks=2))
    monkeypatch.setattr(driver, "make_window", die_once)
    report = run_batch(batch, tmp_path / "died.parquet", Settings(workers=2, window_blocks=2, backoff_s=0.01))
    assert report.retries >= 2
    assert hashes(report) == hashes(alone)
    assert report.digest == alone.digest


def test_a_window_that_never_works_leaves_no_file(tmp_path, monkeypatch):
    monkeypatch.setattr(driver, "make_window", die_always)
    with pytest.raises(WindowFailed, match="failed 2 times: OSError"):
        run_batch(
            Batch(PRESETS["hyperliquid_perp_sol"], 1_200),
            tmp_path / "x.parquet",
            Settings(workers=2, window_blocks=1, retries_max=1, backoff_s=0.01),
        )
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(
    ("name", "says"), [("x.csv", "must be NAME.parquet"), ("x.book.parquet", "must be"), ("no/x.parquet", "no folder")]
)
def test_an_output_that_cannot_be_is_refused(tmp_path, name, says):
    with pytest.raises(ConfigError, match=says):
        run_batch(Batch(PRESETS["hyperliquid_perp_sol"], 60), tmp_path / name, Settings())


@pytest.mark.parametrize("workers", [0, 65])
def test_a_number_of_workers_that_cannot_be_is_refused(workers):
    with pytest.raises(ConfigError, match="--workers"):
        Settings(workers=workers)


def test_the_events_are_books_and_trades_as_they_arrive(tmp_path):
    scenario = parse_scenario("one_sided@1m,for=1m")
    batch = Batch(replace(PRESETS["hyperliquid_perp_sol"], scenarios=(scenario,)), 600)
    report = run_batch(batch, tmp_path / "x.parquet", Settings())
    events = pl.read_parquet(report.files["events"])
    books, trades = events.filter(event_type="book"), events.filter(event_type="trade")
    assert (len(events), len(books), len(trades)) == (report.row_count, report.books, report.trades)
    assert events["capture_time_ms"].is_sorted()
    assert (events["capture_time_ms"] >= events["timestamp_ms"]).all()
    assert trades["trade_id"].n_unique() == len(trades)
    worth = trades["price"] * trades["size"]
    assert ((trades["notional_usd"] - worth).abs() <= worth * 1e-12).all()
    assert set(trades["side"]) == {"buy", "sell"}
    bare = books.filter(pl.col("asks").list.len() == 0)
    assert len(bare) == 109
    assert bare["best_ask"].null_count() == bare["mid_price"].null_count() == len(bare)
    whole = books.filter(pl.col("asks").list.len() > 0)
    assert whole["asks"].list.len().unique().to_list() == [20]
    first = whole.select(pl.col("bids").list.first().struct.field("price") == pl.col("best_bid"))
    assert first.to_series().all()


def test_the_pair_is_what_replay_and_realism_read(tmp_path):
    batch = Batch(PRESETS["hyperliquid_perp_wlfi"], 600)
    report = run_batch(batch, tmp_path / "x.parquet", Settings())
    book, trades = (pl.read_parquet(report.files[kind]) for kind in ("book", "trades"))
    assert book.columns == ["ts", "bid_px", "bid_sz", "ask_px", "ask_sz"]
    assert trades.columns == ["ts", "px", "sz", "side"]
    assert book.schema["bid_px"] == pl.Array(pl.Float64, 20)
    assert book["ts"].is_sorted()
    assert (len(book), len(trades)) == (report.books, report.trades)
    events = pl.read_parquet(report.files["events"])
    assert events.filter(event_type="book")["best_ask"].equals(book["ask_px"].arr.first().rename("best_ask"))


def test_a_state_is_small():
    batch = Batch(PRESETS["hyperliquid_perp_btc"], 1200)
    window = list(batch.checkpoints(1))[-1]
    assert len(window.before) < 4_000
    assert msgspec.json.decode(window.before)["block"] == window.first - 1
