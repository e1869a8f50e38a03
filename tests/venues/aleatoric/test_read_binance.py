"""The reader of Binance against recorded sockets, and against feeds that were tampered with."""

import gzip
import json
from collections import Counter
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from venues.aleatoric.dialects import read_binance as binance
from venues.aleatoric.dialects.read_binance import DepthBook, DepthDiff, DepthSnapshot, decode
from venues.aleatoric.dialects.reading import Gap, WireChange
from venues.market import Level, Side
from venues.venue import VenueMisspoke

WIRE = Path(__file__).resolve().parents[4] / "shared" / "data" / "wire"
recorded = pytest.mark.skipif(not WIRE.is_dir(), reason="the recorded frames are not beside this checkout")

SPOT_DIFF = (
    b'{"stream":"btcusdt@depth@100ms","data":{"e":"depthUpdate","E":1700000000123,"s":"BTCUSDT","U":11,"u":13,'
    b'"b":[["100.50000000","2.00000000"]],"a":[["101.00000000","0.00000000"]]}}'
)


def captured(path: str) -> list[bytes]:
    """The frames of a capture whose lines are a time, a space, and a frame."""
    with gzip.open(WIRE / path) as lines:
        return [line.split(b" ", 1)[1] for line in lines]


def logged(path: str) -> list[bytes]:
    """The frames of a log whose lines are a time, a colon, and a frame; addresses are what was sent."""
    lines = (WIRE / path).read_bytes().splitlines()
    return [line.split(b": ", 1)[1] for line in lines if not line.startswith(b"wss")]


@recorded
@pytest.mark.parametrize(
    ("path", "futures", "stale", "applied", "bid", "ask"),
    [
        ("hftbacktest/binance/btcusdt_20240808.gz", False, 2, 3_449, 61_685.99, 61_686.0),
        ("hftbacktest/binance_futures/btcusdt_20240808.gz", True, 4, 6_547, 61_659.7, 61_659.8),
    ],
)
def test_an_hour_of_real_diffs_is_one_whole_book(path, futures, stale, applied, bid, ask):
    book, gaps, crossed = DepthBook("BTCUSDT", futures), [], 0
    for frame in captured(path):
        heard = decode(frame)
        match heard:
            case DepthDiff():
                gaps.append(book.diff(heard))
            case DepthSnapshot():
                gaps.append(book.snapshot(heard))
        crossed += book.ready and book.builder.crossed
    end = book.builder.book(0, 0, 1)
    assert not any(gaps) and not crossed
    assert (book.stale, book.applied) == (stale, applied)
    assert (end.bids[0].price, end.asks[0].price) == (bid, ask)


@recorded
def test_a_lost_frame_of_a_real_feed_is_a_gap():
    for path, futures in (("binance", False), ("binance_futures", True)):
        heard = [decode(frame) for frame in captured(f"hftbacktest/{path}/btcusdt_20240808.gz")[:4_000]]
        feed = [frame for frame in heard if isinstance(frame, DepthDiff | DepthSnapshot)]
        book, verdicts = DepthBook("BTCUSDT", futures), []
        del feed[len(feed) // 2]
        for frame in feed:
            verdicts.append(book.diff(frame) if isinstance(frame, DepthDiff) else book.snapshot(frame))
        assert sum(isinstance(verdict, Gap) for verdict in verdicts) == 1
        assert not book.ready


@recorded
@pytest.mark.parametrize(
    ("path", "kinds"),
    [
        ("binance_futures/BINANCE_FUTURES.ws.1.0", {"DepthDiff": 764, "BookTicker": 613, "AggTrade": 91, "Kline": 67}),
        ("binance_us/BINANCE_US.ws.1.0", {"DepthDiff": 336, "BookTicker": 128, "AggTrade": 11, "Kline": 5}),
    ],
)
def test_every_logged_frame_is_understood(path, kinds):
    heard = [decode(frame) for frame in logged(f"cryptofeed/{path}")]
    assert Counter(type(frame).__name__ for frame in heard) == kinds


@recorded
def test_literals_of_another_parser_are_read_or_refused_as_there():
    def kind(path: str, at: int) -> str:
        line = (WIRE / "barter_rs/binance" / path).read_text().splitlines()[at]
        return type(decode(json.loads(line)["raw"])).__name__

    assert [kind("book_l1.jsonl", at) for at in (0, 1)] == ["BookTicker"] * 2
    assert [kind("book_l2.jsonl", at) for at in (0, 1)] == ["DepthSnapshot"] * 2
    assert [kind("trade.jsonl", at) for at in (0, 2, 3, 4)] == ["SingleTrade"] * 4
    assert [kind("subscription.jsonl", at) for at in (0, 1)] == ["Answered"] * 2
    assert kind("futures_liquidation.jsonl", 0) == "Other"
    with pytest.raises(VenueMisspoke, match=r'(?s)bool.*"e":"trade"'):
        kind("trade.jsonl", 1)


def test_values_keep_what_the_frame_says():
    heard = decode(SPOT_DIFF)
    assert heard == DepthDiff(1700000000123, "BTCUSDT", 11, 13, (WireChange(100.5, 2.0),), (WireChange(101.0, 0.0),))
    trade = decode(
        b'{"e":"aggTrade","E":1700000000001,"s":"ETHUSDT","a":7,"p":"2000.10","q":"0.5","nq":"0.5","f":8,"l":9,'
        b'"T":1700000000000,"m":true}'
    )
    assert isinstance(trade, binance.AggTrade) and trade.side is Side.SELL
    touch = decode(b'{"u":5,"s":"X","b":"0.00000000","B":"0.00000000","a":"1.5","A":"2"}')
    assert touch == binance.BookTicker(5, "X", 0.0, 0.0, 1.5, 2.0)
    assert decode(b'{"stream":"!serverShutdown","data":{"e":"serverShutdown"}}') == binance.Other("!serverShutdown")
    assert decode(b'{"error":{"code":2,"msg":"Invalid request"},"id":3}') == binance.Answered(3, "2: Invalid request")


@pytest.mark.parametrize(
    ("was", "becomes"),
    [
        (b'"100.50000000"', b'"nan"'),
        (b'"100.50000000"', b'"-1"'),
        (b'"100.50000000"', b'"0.00"'),
        (b'"2.00000000"', b'"1e13"'),
        (b'"2.00000000"', b'"2.0","3"'),
        (b'"U":11', b'"U":null'),
        (b'"U":11,', b""),
        (b'"E":1700000000123', b'"E":1700000000123456789'),
        (b"}}", b"}"),
        (b'"data":', b'"date":'),
    ],
)
def test_damage_is_refused_with_the_frame_shown(was, becomes):
    assert was in SPOT_DIFF
    damaged = SPOT_DIFF.replace(was, becomes)
    with pytest.raises(VenueMisspoke) as refusal:
        decode(damaged)
    assert damaged[:40].decode() in str(refusal.value)


@settings(max_examples=150)
@given(st.data())
def test_cut_frames_are_refused_and_nothing_else_is_raised(data):
    frame = SPOT_DIFF[: data.draw(st.integers(0, len(SPOT_DIFF) - 1))]
    with pytest.raises(VenueMisspoke):
        decode(frame)


def diff(first: int, last: int, before: int | None = None) -> DepthDiff:
    """A diff that puts its last id as the size at price 100."""
    return DepthDiff(1, "X", first, last, (WireChange(100.0, float(last)),), (), before)


def snapshot(last: int) -> DepthSnapshot:
    """A book whose only bid is of the size of its id."""
    return DepthSnapshot(last, (WireChange(100.0, float(last)),), ())


def test_what_came_before_the_snapshot_is_held_and_the_stale_dropped():
    book = DepthBook("X", futures=False)
    assert [book.diff(diff(1, 3)), book.diff(diff(4, 6)), book.diff(diff(7, 9))] == [None] * 3
    assert not book.ready
    assert book.snapshot(snapshot(5)) is None
    assert (book.stale, book.applied, book.last_id) == (1, 2, 9)
    assert book.builder.book(0, 0).bids == (Level(100.0, 9.0),)


def test_a_snapshot_too_old_for_what_was_held_is_a_gap_until_a_newer_one_comes():
    book = DepthBook("X", futures=False)
    book.diff(diff(10, 12))
    assert book.snapshot(snapshot(5)) == Gap("X", 6, 10, "the first diff begins after the snapshot")
    assert book.diff(diff(13, 14)) is None and not book.ready
    assert book.snapshot(snapshot(11)) is None
    assert book.last_id == 14 and book.ready


def test_usd_m_diffs_name_the_one_before_them():
    book = DepthBook("X", futures=True)
    book.snapshot(snapshot(10))
    assert book.diff(diff(5, 9, 4)) is None and book.stale == 1
    assert book.diff(diff(8, 10, 7)) is None and book.applied == 1  # ends where the snapshot does: the first to apply
    assert book.diff(diff(12, 15, 10)) is None  # its U need not follow
    assert book.diff(diff(16, 18, 14)) == Gap("X", 15, 14, "pu is not the last diff's u")
    assert book.diff(diff(19, 20, 18)) is None and not book.ready
    assert book.snapshot(snapshot(17)) is None and book.last_id == 20


@given(lost=st.integers(0, 18), futures=st.booleans())
def test_any_lost_diff_is_a_gap_and_a_new_snapshot_heals_it(lost, futures):
    feed = [diff(3 * at + 1, 3 * at + 3, 3 * at) for at in range(1, 20)]
    book = DepthBook("X", futures)
    book.snapshot(snapshot(3))
    verdicts = [book.diff(one) for at, one in enumerate(feed) if at != lost]
    assert sum(isinstance(verdict, Gap) for verdict in verdicts) == (lost != 18)
    book.snapshot(snapshot(60))
    assert book.ready and book.builder.book(0, 0).bids == (Level(100.0, 60.0),)
