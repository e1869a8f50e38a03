"""Binance's dialect: the recorded frames' shape, and the block's own numbers after the venue's parser."""

import gzip
import json
from decimal import Decimal

import msgspec
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from msgspec.structs import replace

from tests.venues.aleatoric.shapes import decimals, numbers, shape_of
from tests.venues.aleatoric.speaking import (
    START_NS,
    WIRE,
    blocks,
    books_of,
    compact,
    hand_made,
    marked,
    pairs,
    part_of,
)
from venues.aleatoric.dialects.binance import SPOT, USDM, BinanceFeed, BinanceSpeaker, BinanceState
from venues.aleatoric.dialects.dialect import Candle, Mark
from venues.aleatoric.dialects.read_binance import (
    AggTrade,
    BookTicker,
    DepthBook,
    DepthDiff,
    Kline,
    MarkPrice,
    PartialDepth,
    decode,
    decode_snapshot,
)
from venues.aleatoric.dialects.reading import Gap
from venues.aleatoric.shapes import MODELS
from venues.market import Bar, Side

recorded = pytest.mark.skipif(not WIRE.is_dir(), reason="the recorded frames are not beside this checkout")
STEPS = 60
MODEL = replace(MODELS["hyperliquid_perp_eth"], symbol="BTCUSDT", tick=Decimal("0.10"), lot=Decimal("0.001"))
TWO = hand_made(
    [[[616_859, 616_858], [616_859, 616_850]], [[616_860, 616_862], [616_861, 616_862]]],
    [[[1_500, 2], [1_400, 7]], [[1_072, 100], [30, 100]]],
    [(1, 600_123_456, 616_860, 1_072, 1), (1, 900_000_000, 616_859, 50, -1)],
)
MARK = Mark(
    symbol="BTCUSDT",
    at_ns=START_NS,
    mark=61_685.123456789,
    index=61_700.5,
    mid=61_685.95,
    last=61_686.0,
    premium=Decimal("-0.0002"),
    funding_rate=Decimal("-0.00001234"),
    funding_interval_ns=28_800_000_000_000,
    next_funding_ns=START_NS + 28_800_000_000_000,
    open_interest=80_000.0,
    day_open=60_000.0,
    day_high=62_000.0,
    day_low=59_000.0,
    day_volume=1_000.0,
    day_notional_usd=61_000_000.0,
)
CANDLE = Candle(
    bar=Bar("BTCUSDT", START_NS, 60_000_000_000, 61_686.0, 61_690.5, 61_680.0, 61_685.9, 109),
    volume=12.345,
    notional_usd=761_490.1234567,
    trades=77,
    volume_bought=6.5,
    notional_bought_usd=400_000.0,
    said_ns=START_NS + 59_000_000_000,
)
FEEDS = (SPOT, USDM)
NAMES = sorted(name for name, model in MODELS.items() if model.lot >= Decimal("0.00000001"))
"""Presets that Binance can print: eight decimals."""


def ids_out(frame: bytes) -> bytes:
    """A frame with its made-up ids replaced by their differences: U from 0, pu behind it."""
    data = json.loads(frame)["data"]
    first = data["U"]
    for key in ("U", "u", "pu"):
        if key in data:
            frame = frame.replace(f'"{key}":{data[key]}'.encode(), f'"{key}":{min(data[key] - first, 1)}'.encode())
    return frame


def test_changes_of_spot_are_said_as_the_venue_says_them():
    first, second = (ids_out(frame) for _, frame in BinanceSpeaker(MODEL, 7).books(TWO))
    assert first == (
        b'{"stream":"btcusdt@depth@100ms","data":{"e":"depthUpdate","E":1757030400543,"s":"BTCUSDT","U":0,"u":1,'
        b'"b":[["61685.90000000","1.50000000"],["61685.80000000","0.00200000"]],'
        b'"a":[["61686.00000000","1.07200000"],["61686.20000000","0.10000000"]]}}'
    )
    assert second == (
        b'{"stream":"btcusdt@depth@100ms","data":{"e":"depthUpdate","E":1757030401093,"s":"BTCUSDT","U":0,"u":1,'
        b'"b":[["61685.90000000","1.40000000"],["61685.80000000","0.00000000"],["61685.00000000","0.00700000"]],'
        b'"a":[["61686.00000000","0.00000000"],["61686.10000000","0.03000000"]]}}'
    )


def test_changes_of_usd_m_have_the_contracts_decimals_and_lowest_bids_first():
    _, (_, frame) = BinanceSpeaker(MODEL, 7, USDM).books(TWO)
    assert ids_out(frame) == (
        b'{"stream":"btcusdt@depth@100ms","data":{"e":"depthUpdate","E":1757030401093,"T":1757030401093,"s":"BTCUSDT",'
        b'"U":0,"u":1,"pu":-1,"b":[["61685.00","0.007"],["61685.80","0.000"],["61685.90","1.400"]],'
        b'"a":[["61686.00","0.000"],["61686.10","0.030"]]}}'
    )


def test_a_tick_without_the_venues_zero_takes_its_decimals_from_the_feed():
    model = replace(MODEL, tick=Decimal("0.1"))
    plain = BinanceSpeaker(model, 7, USDM).books(TWO)[0][1]
    padded = BinanceSpeaker(model, 7, replace(USDM, price_decimals=2)).books(TWO)[0][1]
    assert b'["61685.9","1.500"]' in plain and b'["61685.90","1.500"]' in padded


def test_a_snapshot_is_the_answer_of_rest():
    speaker = BinanceSpeaker(MODEL, 7)
    diffs = [decode(frame) for _, frame in speaker.books(TWO)]
    body = speaker.snapshot(TWO, 0)
    assert body == (
        b'{"lastUpdateId":%d,"bids":[["61685.90000000","1.50000000"],["61685.80000000","0.00200000"]],'
        b'"asks":[["61686.00000000","1.07200000"],["61686.20000000","0.10000000"]]}' % diffs[0].last_id
    )
    usdm = BinanceSpeaker(MODEL, 7, USDM).snapshot(TWO, 1)
    assert b',"E":1757030401093,"T":1757030401093,"bids":[["61685.90","1.400"],["61685.00","0.007"]]' in usdm


def test_trades_and_touches_are_said_as_the_venue_says_them():
    speaker, usdm = BinanceSpeaker(MODEL, 7), BinanceSpeaker(MODEL, 7, replace(USDM, combined=False))
    (at_ns, bought), (_, sold) = speaker.trades(TWO)
    number = json.loads(bought)["data"]["a"]
    assert at_ns == START_NS + 1_100_000_000
    assert bought == (
        b'{"stream":"btcusdt@aggTrade","data":{"e":"aggTrade","E":1757030400600,"s":"BTCUSDT","a":%d,'
        b'"p":"61686.00000000","q":"1.07200000","f":%d,"l":%d,"T":1757030400600,"m":false,"M":true}}'
        % (number, number, number)
    )
    assert json.loads(sold)["data"]["a"] == number + 1 and b'"m":true,"M":true}' in sold
    _, (_, sold) = usdm.trades(TWO)
    assert sold.startswith(b'{"e":"aggTrade","E":1757030400900,"a":') and sold.endswith(b'"T":1757030400900,"m":true}')
    (_, first), (_, second) = usdm.touch(TWO)
    assert first.startswith(b'{"e":"bookTicker","u":')
    assert second.endswith(
        b'"s":"BTCUSDT","b":"61685.90","B":"1.400","a":"61686.10","A":"0.030","T":1757030401093,"E":1757030401093}'
    )
    assert b'"data":{"u":' in speaker.touch(TWO)[0][1]


def test_marks_and_bars_are_read_back():
    usdm = BinanceSpeaker(MODEL, 7, USDM)
    mark = usdm.mark(MARK)
    assert mark == (
        b'{"stream":"btcusdt@markPrice@1s","data":{"e":"markPriceUpdate","E":1757030400000,"s":"BTCUSDT",'
        b'"p":"61685.12345679","P":"61700.50000000","i":"61700.50000000","r":"-0.00001234","T":1757059200000}}'
    )
    heard = decode(mark)
    assert isinstance(heard, MarkPrice) and (heard.funding_rate, heard.index) == (-0.00001234, 61_700.5)
    with pytest.raises(TypeError, match="spot"):
        BinanceSpeaker(MODEL, 7).mark(MARK)
    bar = usdm.candle(CANDLE)
    assert b'"x":true,"q":"761490.12346","V":"6.500","Q":"400000.00000","B":"0"}' in bar
    heard = decode(bar)
    assert isinstance(heard, Kline)
    assert (heard.open, heard.high, heard.low, heard.close) == (61_686.0, 61_690.5, 61_680.0, 61_685.9)
    assert (heard.interval, heard.closed, heard.last_trade_id - heard.first_trade_id) == ("1m", True, 76)
    following = decode(usdm.candle(CANDLE))
    assert isinstance(following, Kline) and following.first_trade_id == heard.last_trade_id + 1
    nothing = decode(usdm.candle(replace(CANDLE, trades=0, volume=0.0)))
    assert isinstance(nothing, Kline) and (nothing.first_trade_id, nothing.last_trade_id) == (-1, -1)
    with pytest.raises(ValueError, match="7; Binance has 1s, 1m"):
        usdm.candle(replace(CANDLE, bar=replace(CANDLE.bar, interval_ns=7)))


def ours(feed: BinanceFeed) -> dict[str, bytes]:
    """A frame of each kind."""
    speaker = BinanceSpeaker(MODEL, 7, feed)
    return {
        "depth": speaker.books(TWO)[1][1],
        "aggTrade": speaker.trades(TWO)[0][1],
        "bookTicker": speaker.touch(TWO)[0][1],
        "kline": speaker.candle(CANDLE),
        "snapshot": speaker.snapshot(TWO, 1),
    }


@recorded
@pytest.mark.parametrize(
    ("feed", "log", "http", "capture"),
    [
        (SPOT, "binance_us/BINANCE_US.ws.1.0", "binance_us/BINANCE_US.http.0.0", "binance"),
        (
            *(USDM, "binance_futures/BINANCE_FUTURES.ws.1.0", "binance_futures/BINANCE_FUTURES.http.0.0"),
            "binance_futures",
        ),
    ],
)
def test_recorded_frames_have_the_shape_of_ours(feed, log, http, capture):
    frames = (WIRE / "cryptofeed" / log).read_bytes().splitlines()
    real = [frame.split(b": ", 1)[1] for frame in frames if not frame.startswith(b"wss")]
    answers = (WIRE / "cryptofeed" / http).read_bytes().splitlines()
    real += [answer.split(b": ", 1)[1] for answer in answers if answer.startswith(b"https")]
    with gzip.open(WIRE / f"hftbacktest/{capture}/btcusdt_20240808.gz") as lines:
        real += [line.split(b" ", 1)[1].strip() for line, _ in zip(lines, range(3_000), strict=False)]
    seen = set()
    shapes = {kind: shape_of(frame) for kind, frame in ours(feed).items()}
    for frame in real:
        stream = json.loads(frame).get("stream")
        kind = stream.split("@")[1].partition("_")[0] if stream else "snapshot"
        if kind not in shapes:  # hftbacktest has single trades too
            assert kind == "trade"
            continue
        seen.add(kind)
        assert compact(frame)
        one_sided = b'"b":[]' in frame or b'"a":[]' in frame
        if not one_sided:
            assert shape_of(frame) == shapes[kind], frame[:200]
    assert seen == set(shapes)


@recorded
def test_recorded_numbers_have_our_decimals():
    for capture, feed in (("binance", SPOT), ("binance_futures", USDM)):
        with gzip.open(WIRE / f"hftbacktest/{capture}/btcusdt_20240808.gz") as lines:
            real = [json.loads(line.split(b" ", 1)[1]) for line, _ in zip(lines, range(500), strict=False)]
        mine = [json.loads(ours(feed)[kind]) for kind in ("depth", "aggTrade", "bookTicker", "snapshot")]
        places = [{decimals(text) for frame in frames for text in numbers(frame)} for frames in (real, mine)]
        assert places[0] == places[1]
        diffs = [frame["data"] for frame in real if "depth" in frame.get("stream", "")]
        for side, falling in (("b", feed is SPOT), ("a", False)):
            for rows in (diff[side] for diff in diffs):
                assert rows == sorted(rows, key=lambda row: float(row[0]), reverse=falling)


@settings(max_examples=15)
@given(
    seed=st.integers(0, 2**64 - 1),
    name=st.sampled_from(NAMES),
    feed=st.sampled_from(FEEDS),
    asked=st.integers(0, STEPS - 1),
)
def test_books_rebuilt_from_changes_are_the_blocks(seed, name, feed, asked):
    model = MODELS[name]
    [block] = blocks(model, seed)
    part = part_of(block, STEPS)
    speaker = BinanceSpeaker(model, seed, feed)
    frames = dict(speaker.books(part))
    book = DepthBook(model.symbol, futures=feed is USDM)
    for step, sides in enumerate(books_of(model, part, model.levels)):
        at_ns = START_NS + (step + 1) * model.cadence_ns
        if at_ns in frames:
            assert compact(frames[at_ns])
            diff = decode(frames[at_ns])
            assert isinstance(diff, DepthDiff) and book.diff(diff) is None
            assert diff.event_ms == (at_ns - int(part.age_ns[step])) // 10**6
        if step == asked:  # the answer comes after diffs that are older than it
            assert book.snapshot(decode_snapshot(speaker.snapshot(part, step))) is None
        if book.ready:
            now = book.builder.book(0, 0)
            assert (pairs(now.bids), pairs(now.asks)) == sides
    assert book.stale + book.applied == len(frames)


@settings(max_examples=10)
@given(seed=st.integers(0, 2**32), name=st.sampled_from(NAMES), feed=st.sampled_from(FEEDS))
def test_trades_and_touches_are_the_blocks(seed, name, feed):
    model = MODELS[name]
    [block] = blocks(model, seed)
    speaker = BinanceSpeaker(model, seed, feed)
    trades = [decode(frame) for _, frame in speaker.trades(block)]
    assert all(isinstance(trade, AggTrade) for trade in trades)
    over, under = model.price_fraction
    assert [trade.price for trade in trades] == [ticks * over / under for ticks in block.trade_ticks.tolist()]
    over, under = model.size_fraction
    assert [trade.size for trade in trades] == [lots * over / under for lots in block.trade_lots.tolist()]
    assert [trade.side.sign for trade in trades] == block.trade_sign.tolist()
    assert [trade.id for trade in trades] == list(range(trades[0].id, trades[0].id + len(trades))) if trades else True
    part = part_of(block, STEPS)
    touches = dict(speaker.touch(part))
    standing = None
    for step, (bids, asks) in enumerate(books_of(model, part, model.levels)):
        frame = touches.get(START_NS + (step + 1) * model.cadence_ns)
        standing = decode(frame) if frame else standing
        assert isinstance(standing, BookTicker)
        assert [(standing.bid, standing.bid_size), (standing.ask, standing.ask_size)] == [bids[0], asks[0]]


@settings(max_examples=15)
@given(seed=st.integers(0, 2**32), feed=st.sampled_from(FEEDS), lost=st.integers(1, STEPS - 10))
def test_any_frame_that_is_lost_is_a_gap(seed, feed, lost):
    part = part_of(blocks(MODEL, seed)[0], STEPS)
    speaker = BinanceSpeaker(MODEL, seed, feed)
    frames = [decode(frame) for _, frame in speaker.books(part)]
    book = DepthBook("BTCUSDT", futures=feed is USDM)
    book.snapshot(decode_snapshot(speaker.snapshot(part, 0)))
    verdicts = [book.diff(frame) for at, frame in enumerate(frames) if at != lost]
    assert [verdict for verdict in verdicts if verdict] == [verdicts[lost]]
    assert isinstance(verdicts[lost], Gap) and not book.ready


@pytest.mark.parametrize("feed", FEEDS)
def test_partial_depth_is_a_whole_book_each_time(feed):
    model = MODELS["hyperliquid_perp_btc"]
    part = part_of(blocks(model, 5)[0], STEPS)
    frames = [decode(frame) for _, frame in BinanceSpeaker(model, 5, replace(feed, partial=True)).books(part)]
    sides = books_of(model, part, 20)
    wanted = [book for at, book in enumerate(sides) if at == 0 or book != sides[at - 1]]
    assert [(pairs(frame.book.bids), pairs(frame.book.asks)) for frame in frames] == wanted
    assert all(isinstance(frame, PartialDepth) and frame.symbol == "BTC" for frame in frames)


@pytest.mark.parametrize("feed", FEEDS)
def test_a_speaker_goes_on_from_a_saved_state_with_the_same_bytes(feed):
    whole = BinanceSpeaker(MODEL, 9, feed)
    made = blocks(MODEL, 9, 3)
    channels = [[say(block) for block in made] for say in (whole.books, whole.trades, whole.touch)]
    again = BinanceSpeaker(MODEL, 9, feed)
    for block in made[:2]:  # channels in another order
        again.touch(block), again.books(block), again.trades(block)
    saved = msgspec.json.decode(msgspec.json.encode(again.state), type=BinanceState)
    resumed = BinanceSpeaker(MODEL, 9, feed, saved)
    assert [say(made[2]) for say in (resumed.books, resumed.trades, resumed.touch)] == [said[2] for said in channels]
    assert resumed.state == whole.state


def test_what_is_silent_is_not_said_and_an_empty_side_is_deleted():
    part = part_of(blocks(MODEL, 3)[0], 4)
    silent, empty = np.array([False, False, True, False]), np.zeros((2, 4), bool)
    empty[0, 1] = True
    block = marked(part, silent=silent, empty=empty)
    speaker = BinanceSpeaker(MODEL, 3)
    frames = speaker.books(block)
    assert [at_ns for at_ns, _ in frames] == [START_NS + (step + 1) * MODEL.cadence_ns for step in (0, 1, 3)]
    book = DepthBook("BTCUSDT", futures=False)
    book.snapshot(decode_snapshot(speaker.snapshot(block, 0)))
    sides = books_of(MODEL, part, 20)
    now = []
    for _, frame in frames:
        assert book.diff(decode(frame)) is None
        shown = book.builder.book(0, 0)
        now.append((pairs(shown.bids), pairs(shown.asks)))
    assert now == [sides[0], ([], sides[1][1]), sides[3]]
    assert speaker.snapshot(block, 2) == speaker.snapshot(block, 1)
    assert b'"bids":[],"asks":[[' in speaker.snapshot(block, 1)
    touch = decode(BinanceSpeaker(MODEL, 3).touch(block)[1][1])
    assert (touch.bid, touch.bid_size) == (0.0, 0.0)
    with pytest.raises(ValueError, match="step is 0, and block 0 shows no book"):
        speaker.snapshot(marked(part, silent=~silent), 0)


def test_the_side_of_a_trade_is_the_takers():
    trades = [decode(frame) for _, frame in BinanceSpeaker(MODEL, 7).trades(TWO)]
    assert [trade.side for trade in trades] == [Side.BUY, Side.SELL]


def test_a_lot_that_eight_decimals_cannot_print_is_refused():
    with pytest.raises(ValueError, match=r"lot of BTC/USD is 0\.000000001; Binance prints 8 decimals at spot"):
        BinanceSpeaker(MODELS["alpaca_spot_btc"], 7)
    assert BinanceSpeaker(MODELS["alpaca_spot_btc"], 7, USDM).books(TWO)
