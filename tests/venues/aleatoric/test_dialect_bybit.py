"""Bybit's dialect and its reader: recorded v5 frames, and the block's own numbers read back."""

import json
from collections import Counter
from decimal import Decimal

import msgspec
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from msgspec.structs import replace

from tests.venues.aleatoric.shapes import BARE, decimals, numbers, shape_of
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
from venues.aleatoric.dialects import read_bybit as bybit
from venues.aleatoric.dialects.bybit import LINEAR, SPOT, BybitSpeaker, BybitState
from venues.aleatoric.dialects.dialect import Candle, Mark
from venues.aleatoric.dialects.read_bybit import BybitBook, OrderBook, TickerFrame, decode
from venues.aleatoric.dialects.reading import Gap, WireChange
from venues.aleatoric.shapes import MODELS
from venues.market import Bar, Side
from venues.venue import VenueMisspoke

recorded = pytest.mark.skipif(not WIRE.is_dir(), reason="the recorded frames are not beside this checkout")
STEPS = 50
NAMES = sorted(MODELS)
FEEDS = (LINEAR, SPOT)
MODEL = replace(MODELS["hyperliquid_perp_eth"], symbol="BTCUSDT", tick=Decimal("0.10"), lot=Decimal("0.001"))
TWO = hand_made(
    [[[616_859, 616_858], [616_859, 616_850]], [[616_860, 616_862], [616_861, 616_862]]],
    [[[1_500, 2], [1_400, 7]], [[1_072, 100], [30, 100]]],
    [
        *((1, 600_123_456, 616_860, 1_072, 1), (1, 600_123_456, 616_861, 30, 1)),
        *((1, 900_000_000, 616_859, 50, -1), (1, 950_000_000, 616_859, 40, -1)),
    ],
)
MARK = Mark(
    symbol="BTCUSDT",
    at_ns=START_NS,
    mark=61_685.12,
    index=61_700.5,
    mid=61_685.95,
    last=61_686.0,
    premium=Decimal("-0.000401092"),
    funding_rate=Decimal("0.0001"),
    funding_interval_ns=28_800_000_000_000,
    next_funding_ns=START_NS + 28_800_000_000_000,
    open_interest=80_000.5,
    day_open=60_000.0,
    day_high=62_000.5,
    day_low=59_000.0,
    day_volume=1_000.25,
    day_notional_usd=61_000_000.125,
    bid=61_685.9,
    bid_size=1.5,
    ask=61_686.0,
    ask_size=1.072,
    hour_open=61_000.0,
)
CANDLE = Candle(
    bar=Bar("BTCUSDT", START_NS, 300_000_000_000, 61_686.0, 61_690.5, 61_680.0, 61_685.9, 109),
    volume=12.345,
    notional_usd=761_490.1234567,
    trades=77,
    closed=False,
    said_ns=START_NS + 188_882_000_000,
)
LATER = {"cts", "RPI"}  # keys that Bybit added after the recordings of 2023
LATER_OF_TRADES = {*LATER, "seq"}


def messages(name: str) -> list[dict]:
    """The messages of a test of another parser; v5 came in 2023."""
    lines = (WIRE / "tardis_node/bybit" / name).read_text().splitlines()
    return [json.loads(line)["message"] for line in lines]


def update_id(frame: bytes) -> int:
    """The frame's u."""
    return json.loads(frame)["data"]["u"]


def plain_ids(frame: bytes) -> bytes:
    """A frame whose made-up ids are 0."""
    data = json.loads(frame)["data"]
    for row in data if isinstance(data, list) else [data]:
        for key in ("u", "seq", "i"):
            if key in row:
                frame = frame.replace(f'"{key}":{json.dumps(row[key])}'.encode(), f'"{key}":0'.encode())
    return frame


@recorded
@pytest.mark.parametrize(
    ("name", "kinds"),
    [
        ("bybit.jsonl", {"OrderBook": 5, "tuple": 2, "TickerFrame": 5, "Answered": 1, "Other": 41}),
        ("bybit-spot.jsonl", {"OrderBook": 4, "tuple": 2, "Other": 5}),
    ],
)
def test_every_v5_message_of_another_parser_is_read_and_what_came_before_is_none_of_ours(name, kinds):
    said = messages(name)
    heard = [decode(json.dumps(message)) for message in said]
    assert Counter(type(frame).__name__ for frame in heard) == kinds
    old = ("orderBook", "instrument_info", "trade", "depth", "bookTicker", "liquidation", "allLiquidation")
    assert all(frame.topic.startswith(old) for frame in heard if isinstance(frame, bybit.Other))
    expected = [json.loads(line)["expected"] for line in (WIRE / "tardis_node/bybit" / name).read_text().splitlines()]
    for frame, rows in zip(heard, expected, strict=True):
        if isinstance(frame, OrderBook) and frame.depth > 1:
            changes = [(frame.bids, rows[0]["bids"]), (frame.asks, rows[0]["asks"])]
            assert frame.whole is rows[0]["isSnapshot"]
            for side, wanted in changes:
                assert [(one.price, one.size) for one in side] == [(row["price"], row["amount"]) for row in wanted]
        if isinstance(frame, tuple):
            assert [(trade.id, trade.price, trade.size, trade.side) for trade in frame] == [
                (row["id"], row["price"], row["amount"], row["side"]) for row in rows
            ]


@recorded
def test_real_pairs_of_a_snapshot_and_its_delta_follow():
    books = [decode(json.dumps(message)) for message in messages("bybit-spot.jsonl")]
    by_depth = {book.depth: [] for book in books if isinstance(book, OrderBook)}
    for book in books:
        if isinstance(book, OrderBook):
            by_depth[book.depth].append(book)
    assert {depth: len(both) for depth, both in by_depth.items()} == {1: 2, 50: 2}
    for whole, delta in by_depth.values():
        book = BybitBook(whole.symbol)
        assert [book.hear(whole), book.hear(delta)] == [None, None] and not book.builder.crossed


@recorded
def test_literals_of_another_parser_are_read_or_refused_as_there():
    def raw(name: str) -> list[str]:
        lines = (WIRE / "barter_rs/bybit" / name).read_text().splitlines()
        return [json.loads(line)["raw"] for line in lines]

    trades = decode(raw("trade.jsonl")[3])
    assert isinstance(trades, tuple) and {trade.symbol for trade in trades} == {"BTCUSDT"}
    with pytest.raises(VenueMisspoke, match=r"the topic is of BTCUSDT\.should_not_be_present"):
        decode(raw("trade.jsonl")[5])
    assert decode(raw("message.jsonl")[0]) == bybit.Answered("ping", True, "pong")
    assert decode(raw("subscription.jsonl")[0]) == bybit.Answered("subscribe", True, "subscribe")
    assert decode(raw("subscription.jsonl")[1]) == bybit.Answered("", False, "")


@recorded
def test_recorded_frames_have_the_shape_of_ours():
    seen = set()
    for feed, name in ((LINEAR, "bybit.jsonl"), (SPOT, "bybit-spot.jsonl")):
        speaker = BybitSpeaker(MODEL, 7, feed)
        books, touches = speaker.books(TWO), speaker.touch(TWO)
        mine = {
            **{("orderbook.50", kind): frame for kind, (_, frame) in zip(("snapshot", "delta"), books, strict=True)},
            **{("orderbook.1", kind): frame for kind, (_, frame) in zip(("snapshot", "delta"), touches, strict=True)},
            ("publicTrade", "snapshot"): speaker.trades(TWO)[0][1],
            ("tickers", "snapshot"): speaker.ticker(MARK),
        }
        for message in messages(name):
            topic = message.get("topic", "").rpartition(".")
            kind = (topic[0], message.get("type"))
            if kind not in mine or "deliveryTime" in message["data"]:  # dated futures have other tickers
                continue
            frame = json.dumps(message, separators=(",", ":")).encode()
            if b'"a":[]' in frame:
                continue
            seen.add((feed.market, *kind))
            later = LATER_OF_TRADES if kind[0] == "publicTrade" else LATER
            assert shape_of(frame) == shape_of(mine[kind], later), frame[:300]
    assert seen == {
        *(("linear", topic, "snapshot") for topic in ("orderbook.1", "orderbook.50", "publicTrade", "tickers")),
        *(("linear", topic, "delta") for topic in ("orderbook.1", "orderbook.50")),
        *(("spot", topic, "snapshot") for topic in ("orderbook.1", "orderbook.50", "publicTrade")),
        ("spot", "orderbook.50", "delta"),
    }


@recorded
def test_recorded_linear_prices_are_padded_and_spot_numbers_bare():
    padded = [message for message in messages("bybit.jsonl") if message.get("topic") == "orderbook.1.BTCUSDT"]
    prices = [row[0] for message in padded for side in "ba" for row in message["data"][side]]
    mine = [row[0] for _, frame in _linear().books(TWO) for row in json.loads(frame)["data"]["b"]]
    padded_mine = [row[0] for _, frame in _linear(2).books(TWO) for row in json.loads(frame)["data"]["b"]]
    assert {decimals(price) for price in prices} == {2} == {decimals(price) for price in padded_mine}
    assert {decimals(price) for price in mine} == {2}  # the tick is written 0.10, as the venue's is
    real = [message for message in messages("bybit-spot.jsonl") if message["topic"].startswith(("orderbook", "public"))]
    assert all(BARE.fullmatch(text) for text in numbers(real))
    spot = BybitSpeaker(MODEL, 7, SPOT)
    said = [json.loads(frame) for _, frame in [*spot.books(TWO), *spot.trades(TWO), *spot.touch(TWO)]]
    assert all(BARE.fullmatch(text) for text in numbers(said))


def _linear(price_decimals: int | None = None) -> BybitSpeaker:
    return BybitSpeaker(MODEL, 7, replace(LINEAR, price_decimals=price_decimals))


def test_books_are_said_as_the_venue_says_them():
    (at_ns, snapshot), (_, delta) = _linear().books(TWO)
    assert at_ns == START_NS + 550_000_000
    assert plain_ids(snapshot) == (
        b'{"topic":"orderbook.50.BTCUSDT","type":"snapshot","ts":1757030400543,"data":{"s":"BTCUSDT",'
        b'"b":[["61685.90","1.500"],["61685.80","0.002"]],"a":[["61686.00","1.072"],["61686.20","0.100"]],'
        b'"u":0,"seq":0},"cts":1757030400543}'
    )
    assert plain_ids(delta) == (
        b'{"topic":"orderbook.50.BTCUSDT","type":"delta","ts":1757030401093,"data":{"s":"BTCUSDT",'
        b'"b":[["61685.90","1.400"],["61685.80","0"],["61685.00","0.007"]],"a":[["61686.00","0"],["61686.10","0.030"]],'
        b'"u":0,"seq":0},"cts":1757030401093}'
    )
    assert update_id(delta) == update_id(snapshot) + 1
    spot = BybitSpeaker(MODEL, 7, replace(SPOT, depth=200)).books(TWO)[0][1]
    assert spot.startswith(b'{"topic":"orderbook.200.BTCUSDT","ts":1757030400543,"type":"snapshot","data":{')
    assert b'"b":[["61685.9","1.5"],["61685.8","0.002"]],"a":[["61686","1.072"],["61686.2","0.1"]]' in spot


def test_fills_of_an_order_are_one_frame_and_say_how_the_price_moved():
    frames = [frame for _, frame in _linear().trades(TWO)]
    assert plain_ids(frames[0]) == (
        b'{"topic":"publicTrade.BTCUSDT","type":"snapshot","ts":1757030400600,"data":['
        b'{"T":1757030400600,"s":"BTCUSDT","S":"Buy","v":"1.072","p":"61686.00","L":"ZeroPlusTick","i":0,"BT":false,'
        b'"RPI":false,"seq":0},{"T":1757030400600,"s":"BTCUSDT","S":"Buy","v":"0.030","p":"61686.10","L":"PlusTick",'
        b'"i":0,"BT":false,"RPI":false,"seq":0}]}'
    )
    assert len(frames) == 3
    rows = [row for frame in frames for row in json.loads(frame)["data"]]
    assert [row["L"] for row in rows] == ["ZeroPlusTick", "PlusTick", "MinusTick", "ZeroMinusTick"]
    assert len({row["i"] for row in rows}) == 4 and all(row["i"][14] == "5" for row in rows)  # the venue's are UUIDv5
    spot = BybitSpeaker(MODEL, 7, SPOT).trades(TWO)[1][1]
    assert plain_ids(spot) == (
        b'{"topic":"publicTrade.BTCUSDT","ts":1757030400900,"type":"snapshot","data":['
        b'{"i":0,"T":1757030400900,"p":"61685.9","v":"0.05","S":"Sell","seq":0,"s":"BTCUSDT","BT":false,"RPI":false}]}'
    )
    assert [trade.side for frame in frames for trade in decode(frame)] == [Side.BUY] * 2 + [Side.SELL] * 2


def test_a_ticker_is_whole_and_then_what_changed():
    speaker = _linear()
    whole, delta = decode(speaker.mark(MARK)), speaker.mark(replace(MARK, at_ns=START_NS + 10**9, mark=61_680.5))
    assert isinstance(whole, TickerFrame) and whole.whole
    ticker = whole.ticker
    assert (ticker.mark, ticker.index, ticker.last, ticker.hour_open) == (61_685.12, 61_700.5, 61_686.0, 61_000.0)
    assert (ticker.day_change, ticker.funding_rate_text) == (0.0281, "0.0001")
    assert (ticker.bid_text, ticker.ask_size_text) == ("61685.90", "1.072")
    said = json.loads(delta)
    assert said["type"] == "delta"
    assert said["data"] == {"symbol": "BTCUSDT", "markPrice": "61680.50", "openInterestValue": "4934470840.25"}
    heard = decode(delta)
    assert isinstance(heard, TickerFrame) and not heard.whole and heard.ticker.last is None
    spot = BybitSpeaker(MODEL, 7, SPOT)
    assert plain_cs(spot.ticker(MARK)) == (
        b'{"topic":"tickers.BTCUSDT","ts":1757030400000,"type":"snapshot","cs":0,"data":{"symbol":"BTCUSDT",'
        b'"lastPrice":"61686","highPrice24h":"62000.5","lowPrice24h":"59000","prevPrice24h":"60000",'
        b'"volume24h":"1000.25","turnover24h":"61000000.125","price24hPcnt":"0.0281","usdIndexPrice":"61700.5"}}'
    )
    with pytest.raises(TypeError, match="spot"):
        spot.mark(MARK)


def plain_cs(frame: bytes) -> bytes:
    """A ticker whose made-up sequence is 0."""
    return frame.replace(b'"cs":%d' % json.loads(frame)["cs"], b'"cs":0')


def test_a_bar_is_read_back():
    speaker = _linear()
    assert speaker.candle(CANDLE) == (
        b'{"topic":"kline.5.BTCUSDT","data":[{"start":1757030400000,"end":1757030699999,"interval":"5","open":"61686",'
        b'"close":"61685.9","high":"61690.5","low":"61680","volume":"12.345","turnover":"761490.1234567",'
        b'"confirm":false,"timestamp":1757030588882}],"ts":1757030588882,"type":"snapshot"}'
    )
    heard = decode(speaker.candle(CANDLE))
    assert isinstance(heard, bybit.Klines) and heard.symbol == "BTCUSDT"
    [bar] = heard.bars
    assert (bar.open, bar.high, bar.low, bar.close, bar.closed) == (61_686.0, 61_690.5, 61_680.0, 61_685.9, False)
    with pytest.raises(ValueError, match="7; Bybit has 1, 3"):
        speaker.candle(replace(CANDLE, bar=replace(CANDLE.bar, interval_ns=7)))


@settings(max_examples=15)
@given(seed=st.integers(0, 2**64 - 1), name=st.sampled_from(NAMES), feed=st.sampled_from(FEEDS))
def test_books_and_touches_rebuilt_from_changes_are_the_blocks(seed, name, feed):
    model = MODELS[name]
    part = part_of(blocks(model, seed)[0], STEPS)
    speaker = BybitSpeaker(model, seed, feed)
    for channel, levels in ((speaker.books, model.levels), (speaker.touch, 1)):
        frames, book = dict(channel(part)), BybitBook(model.symbol)
        for step, sides in enumerate(books_of(model, part, levels)):
            at_ns = START_NS + (step + 1) * model.cadence_ns
            if at_ns in frames:
                assert compact(frames[at_ns])
                said = decode(frames[at_ns])
                assert isinstance(said, OrderBook) and book.hear(said) is None
                assert said.at_ms == (at_ns - int(part.age_ns[step])) // 10**6
            now = book.builder.book(0, 0)
            assert (pairs(now.bids), pairs(now.asks)) == sides


@settings(max_examples=10)
@given(seed=st.integers(0, 2**32), name=st.sampled_from(NAMES), feed=st.sampled_from(FEEDS))
def test_trades_are_the_blocks(seed, name, feed):
    model = MODELS[name]
    [block] = blocks(model, seed)
    frames = BybitSpeaker(model, seed, feed).trades(block)
    trades = [trade for _, frame in frames for trade in decode(frame)]
    over, under = model.price_fraction
    assert [trade.price for trade in trades] == [ticks * over / under for ticks in block.trade_ticks.tolist()]
    over, under = model.size_fraction
    assert [trade.size for trade in trades] == [lots * over / under for lots in block.trade_lots.tolist()]
    assert [trade.side.sign for trade in trades] == block.trade_sign.tolist()
    assert len({trade.id for trade in trades}) == len(trades)
    assert [at_ns for at_ns, _ in frames] == sorted(at_ns for at_ns, _ in frames)


@settings(max_examples=15)
@given(seed=st.integers(0, 2**32), lost=st.integers(0, STEPS - 10))
def test_any_frame_that_is_lost_is_a_gap_until_the_next_snapshot(seed, lost):
    part = part_of(blocks(MODEL, seed)[0], STEPS)
    speaker = BybitSpeaker(MODEL, seed)
    frames = [decode(frame) for _, frame in speaker.books(part)]
    book = BybitBook("BTCUSDT")
    verdicts = [book.hear(frame) for at, frame in enumerate(frames) if at != lost]
    assert not any(verdicts[:lost]) and all(isinstance(verdict, Gap) for verdict in verdicts[lost:])
    speaker.resubscribe()
    assert book.hear(decode(speaker.books(part)[0][1])) is None and book.ready


def test_a_snapshot_or_an_id_of_one_starts_again():
    level = (WireChange(100.0, 1.0),)
    frame = (
        b'{"topic":"orderbook.50.X","type":"delta","ts":1700000000000,"data":{"s":"X","b":[["99","2"]],"a":[],"u":1,'
        b'"seq":5}}'
    )
    book = BybitBook("X")
    delta = OrderBook("X", 50, False, 1, None, level, (), 8, 9)
    assert book.hear(delta) == Gap("X", 1, 8, "a delta without a snapshot before it")
    assert book.hear(replace(delta, whole=True)) is None
    assert book.hear(replace(delta, update_id=10)) == Gap("X", 9, 10, "u does not continue the last one")
    restarted = decode(frame)
    assert isinstance(restarted, OrderBook) and restarted.whole
    assert book.hear(restarted) is None and pairs(book.builder.book(0, 0).bids) == [(99.0, 2.0)]
    lenient = BybitBook("X", consecutive=False)
    lenient.hear(replace(delta, whole=True))
    assert lenient.hear(replace(delta, update_id=10)) is None
    assert lenient.hear(replace(delta, update_id=10)) == Gap("X", 11, 10, "u does not continue the last one")


@pytest.mark.parametrize("feed", FEEDS)
def test_a_speaker_goes_on_from_a_saved_state_with_the_same_bytes(feed):
    made = blocks(MODEL, 9, 3)
    whole, again = BybitSpeaker(MODEL, 9, feed), BybitSpeaker(MODEL, 9, feed)
    channels = [[say(block) for block in made] for say in (whole.books, whole.trades, whole.touch)]
    for block in made[:2]:  # channels in another order
        again.touch(block), again.books(block), again.trades(block)
    saved = msgspec.json.decode(msgspec.json.encode(again.state), type=BybitState)
    resumed = BybitSpeaker(MODEL, 9, feed, saved)
    assert [say(made[2]) for say in (resumed.books, resumed.trades, resumed.touch)] == [said[2] for said in channels]
    assert resumed.state == whole.state


def test_what_is_silent_is_not_said_and_an_empty_side_is_deleted():
    part = part_of(blocks(MODEL, 3)[0], 4)
    empty = np.zeros((2, 4), bool)
    empty[1, 1] = True
    block = marked(part, silent=np.array([False, False, True, False]), empty=empty)
    book, now = BybitBook("BTCUSDT"), []
    for _, frame in BybitSpeaker(MODEL, 3).books(block):
        assert book.hear(decode(frame)) is None
        shown = book.builder.book(0, 0)
        now.append((pairs(shown.bids), pairs(shown.asks)))
    sides = books_of(MODEL, part, 20)
    assert now == [sides[0], (sides[1][0], []), sides[3]]


@pytest.mark.parametrize(
    ("was", "becomes"),
    [
        (b'"61685.90"', b'"nan"'),
        (b'"61685.90"', b'"0"'),
        (b'"1.400"', b'"-1"'),
        (b'"1.400"', b'"1","2"'),
        (b'"type":"delta"', b'"type":"partial"'),
        (b'"type":"delta",', b""),
        (b'"ts":1757030401093', b'"ts":null'),
        (b'"data":', b'"date":'),
        (b'"s":"BTCUSDT"', b'"s":"ETHUSDT"'),
        (b"orderbook.50.", b"orderbook.full."),
        (b'"u":', b'"v":'),
        (b'"topic":', b'"topics":'),
    ],
)
def test_damage_is_refused_with_the_frame_shown(was, becomes):
    frame = _linear().books(TWO)[1][1]
    assert was in frame
    damaged = frame.replace(was, becomes, 1)
    with pytest.raises(VenueMisspoke) as refusal:
        decode(damaged)
    assert damaged[:40].decode() in str(refusal.value)
