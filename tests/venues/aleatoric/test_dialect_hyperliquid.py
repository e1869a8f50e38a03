"""Hyperliquid's dialect: the recorded frames' shape, and the block's own numbers after the venue's parser."""

import gzip
import json
import re
from decimal import Decimal
from itertools import pairwise

import msgspec
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from msgspec.structs import replace

from tests.venues.aleatoric.speaking import (
    START_NS,
    WIRE,
    blocks,
    books_of,
    compact,
    differences,
    hand_made,
    marked,
    pairs,
    part_of,
)
from venues.aleatoric.dialects.dialect import Candle, Mark, in_time_order
from venues.aleatoric.dialects.hyperliquid import EACH_STEP, FAST, SLOW, HyperliquidSpeaker, HyperliquidState
from venues.aleatoric.shapes import MODELS
from venues.hyperliquid.wire import AssetContext, Bbo, decode
from venues.hyperliquid.wire import Candle as SaidCandle
from venues.market import Bar, Book, Side, Trade

NAMES = sorted(name for name in MODELS if name.startswith("hyperliquid"))
BTC, ETH = MODELS["hyperliquid_perp_btc"], MODELS["hyperliquid_perp_eth"]
STEPS = 60
MINUTE_NS = 60_000_000_000
TWO = hand_made(
    [[[110_000, 109_998], [110_000, 109_997]], [[110_001, 110_004], [110_001, 110_004]]],
    [[[10_000, 12_345], [10_000, 5]], [[1, 2_000_000], [1, 2_000_000]]],
    [(1, 600_123_456, 110_001, 1, 1), (1, 600_123_456, 110_004, 70_000, 1), (1, 900_000_000, 110_000, 50, -1)],
)
MARK = Mark(
    symbol="BTC",
    at_ns=START_NS,
    mark=110_003.2,
    index=110_050.0,
    mid=110_000.5,
    last=110_001.0,
    premium=Decimal("-0.00041254"),
    funding_rate=Decimal("0.0000125"),
    funding_interval_ns=3_600_000_000_000,
    next_funding_ns=START_NS,
    open_interest=31_882.123456,
    day_open=108_123.0,
    day_high=111_000.0,
    day_low=108_000.0,
    day_volume=29_871.5,
    day_notional_usd=3_271_234_567.25,
    impact_bid=109_999.0,
    impact_ask=110_002.0,
)
CANDLE = Candle(
    bar=Bar("BTC", START_NS, MINUTE_NS, 110_000.0, 110_020.5, 109_990.0, 110_001.0, 109),
    volume=12.345,
    notional_usd=1_358_000.0,
    trades=77,
)


def said(frames):
    return [decode(frame, at_ns) for at_ns, frame in frames]


def test_a_book_is_said_as_the_venue_says_it():
    frames = HyperliquidSpeaker(BTC, 7, EACH_STEP).books(TWO)
    assert frames[0] == (
        START_NS + 550_000_000,
        b'{"channel":"l2Book","data":{"coin":"BTC","time":1757030400543,"levels":[[{"px":"110000.0","sz":"0.1","n":1},'
        b'{"px":"109998.0","sz":"0.12345","n":1}],[{"px":"110001.0","sz":"0.00001","n":1},'
        b'{"px":"110004.0","sz":"20.0","n":10}]]}}',
    )
    fast = HyperliquidSpeaker(BTC, 7, FAST).books(TWO)
    assert [frame for _, frame in fast] == [frame[:-2] + b',"fast":true}}' for _, frame in frames]


def test_the_touch_is_said_when_it_changes():
    speaker = HyperliquidSpeaker(BTC, 7)
    [(at_ns, frame)] = speaker.touch(TWO)
    assert at_ns == START_NS + 550_000_000
    assert frame == (
        b'{"channel":"bbo","data":{"coin":"BTC","time":1757030400543,"bbo":[{"px":"110000.0","sz":"0.1","n":1},'
        b'{"px":"110001.0","sz":"0.00001","n":1}]}}'
    )
    assert speaker.touch(TWO) == []


def test_trades_of_a_step_are_one_frame_and_fills_of_an_order_share_its_hash():
    [(at_ns, frame)] = HyperliquidSpeaker(BTC, 7).trades(TWO)
    assert at_ns == START_NS + 1_100_000_000
    first, second, third = json.loads(frame)["data"]
    assert [row["hash"] for row in (first, second)] == [first["hash"]] * 2
    assert third["hash"] != first["hash"]
    assert [row["time"] for row in (first, second, third)] == [1757030400600, 1757030400600, 1757030400900]
    assert first["users"][0] == second["users"][0]  # who bought both
    assert all(buyer != seller for buyer, seller in (row["users"] for row in (first, second, third)))
    trades = decode(frame, at_ns)
    assert trades[2] == Trade("BTC", 1757030400900_000_000, at_ns, 110_000.0, 0.0005, Side.SELL)
    assert [(trade.price, trade.size, trade.side) for trade in trades[:2]] == [
        (110_001.0, 0.00001, Side.BUY),
        (110_004.0, 0.7, Side.BUY),
    ]


def test_ids_are_of_the_run():
    frames = HyperliquidSpeaker(BTC, 7).trades(TWO)
    assert HyperliquidSpeaker(BTC, 7).trades(TWO) == frames
    other = HyperliquidSpeaker(BTC, 8).trades(TWO)
    ids = [row["tid"] for made in (frames, other) for row in json.loads(made[0][1])["data"]]
    assert len(set(ids)) == 6
    assert all(0 <= number < 2**50 for number in ids)


@settings(max_examples=20)
@given(seed=st.integers(0, 2**64 - 1), name=st.sampled_from(NAMES))
def test_the_parser_reads_the_blocks_numbers(seed, name):
    model = MODELS[name]
    [block] = blocks(model, seed)
    part = part_of(block, STEPS)
    speaker = HyperliquidSpeaker(model, seed, EACH_STEP)
    frames = speaker.books(part)
    assert [at_ns for at_ns, _ in frames] == [START_NS + (step + 1) * model.cadence_ns for step in range(STEPS)]
    for book, sides, age_ns in zip(said(frames), books_of(model, part, 20), part.age_ns.tolist(), strict=True):
        assert (pairs(book.bids), pairs(book.asks)) == sides
        assert book.at_ns == (book.received_ns - age_ns) // 10**6 * 10**6
    trades = [trade for frame in said(speaker.trades(block)) for trade in frame]
    over, under = model.price_fraction
    assert [trade.price for trade in trades] == [ticks * over / under for ticks in block.trade_ticks.tolist()]
    over, under = model.size_fraction
    assert [trade.size for trade in trades] == [lots * over / under for lots in block.trade_lots.tolist()]
    assert [trade.side.sign for trade in trades] == block.trade_sign.tolist()
    touches = {touch.received_ns: (touch.bid, touch.ask) for touch in said(speaker.touch(part))}
    standing = None
    for book in said(frames):
        standing = touches.get(book.received_ns, standing)
        assert standing == (book.bids[0], book.asks[0])


def test_the_default_feed_is_slow_and_the_fast_one_is_short():
    [block] = blocks(BTC, 3)
    slow = HyperliquidSpeaker(BTC, 3, SLOW).books(block)
    gaps = {late - early for (early, _), (late, _) in pairwise(slow)}
    assert gaps <= {9 * BTC.cadence_ns, 10 * BTC.cadence_ns}  # 4.95 s or 5.5 s: 5.4 s on average
    assert len(slow) == pytest.approx(1024 * 0.55 / 5.4, abs=1)
    assert set(slow) <= set(HyperliquidSpeaker(BTC, 3, EACH_STEP).books(block))
    fast = HyperliquidSpeaker(BTC, 3, FAST).books(block)
    assert len(fast) == 1024
    assert {len(side) for _, frame in fast for side in json.loads(frame)["data"]["levels"]} == {5}


@pytest.mark.parametrize("name", NAMES)
def test_a_saved_state_goes_on_with_the_same_bytes(name):
    model = MODELS[name]
    first, second = blocks(model, 5, 2)
    whole = HyperliquidSpeaker(model, 5)
    whole.touch(first)
    saved = msgspec.json.encode(whole.state)
    resumed = HyperliquidSpeaker(model, 5, state=msgspec.json.decode(saved, type=HyperliquidState))
    for channel in ("books", "trades", "touch"):
        assert getattr(resumed, channel)(second) == getattr(whole, channel)(second)


@pytest.mark.parametrize("name", NAMES)
def test_prices_obey_the_wire_rule(name):
    model = MODELS[name]
    [block] = blocks(model, 11)
    speaker = HyperliquidSpeaker(model, 11)
    frames = in_time_order(speaker.trades(block), speaker.touch(block), speaker.books(block))
    assert [at_ns for at_ns, _ in frames] == sorted(at_ns for at_ns, _ in frames)
    assert_wire_rule(frame for _, frame in frames)


def assert_wire_rule(frames):
    texts = {text for frame in frames for text in re.findall(rb'"(?:px|sz)":"([^"]*)"', frame)}
    assert texts
    for text in texts:
        assert re.fullmatch(rb"(0|[1-9]\d*)\.(0|\d*[1-9])", text), text
    for text in {text for frame in frames for text in re.findall(rb'"px":"([^"]*)"', frame)}:
        price = Decimal(text.decode())
        assert price == price.to_integral_value() or len(price.as_tuple().digits) <= 5, text


def test_above_a_decade_the_venues_grid_is_coarser():
    [block] = blocks(ETH, 2)
    up = 100_000 - int(block.ticks[:, :, 0].mean())
    lifted = part_of(
        block, 40, ticks=block.ticks[:, :40] + up, trade_ticks=block.trade_ticks[block.trade_step < 40] + up
    )
    speaker = HyperliquidSpeaker(ETH, 2, EACH_STEP)
    frames, touches = speaker.books(lifted), said(speaker.touch(lifted))
    texts = [frame for _, frame in (*frames, *speaker.trades(lifted))]
    assert_wire_rule(texts)
    books = said(frames)
    assert any(len(book.asks) < 20 for book in books)
    assert any(len(book.bids) == 20 for book in books)
    for book, (bids, asks) in zip(books, books_of(ETH, lifted, 20), strict=True):
        assert book.bids[0].price < book.asks[0].price
        for ours, whole in ((book.bids, bids), (book.asks, asks)):
            assert sum(level.size for level in ours) == pytest.approx(sum(size for _, size in whole), rel=1e-12)
    at = {touch.received_ns: (touch.bid, touch.ask) for touch in touches}
    assert at[books[0].received_ns] == (books[0].bids[0], books[0].asks[0])


@pytest.mark.parametrize("name", ["kSHIB", "xyz:TSLA"])
def test_names_are_the_venues_own(name):
    speaker = HyperliquidSpeaker(replace(BTC, symbol=name), 7, EACH_STEP)
    frames = [*speaker.books(TWO), *speaker.touch(TWO), *speaker.trades(TWO)]
    heard = [one for one in said(frames) if not isinstance(one, tuple)]
    heard += [trade for one in said(frames) if isinstance(one, tuple) for trade in one]
    assert len(heard) == 6
    assert {one.symbol for one in heard} == {name}


def test_a_tick_that_is_no_decimal_is_refused():
    with pytest.raises(ValueError, match=r"tick is 0.25; .* power of ten"):
        HyperliquidSpeaker(replace(BTC, tick=Decimal("0.25")), 7)


def test_what_is_not_shown_is_not_said():
    [block] = blocks(BTC, 9)
    part = part_of(block, 6)
    silent, empty = np.zeros(6, bool), np.zeros((2, 6), bool)
    silent[2], empty[0, 3], empty[:, 4] = True, True, True
    shown = marked(part, silent=silent, empty=empty)
    speaker = HyperliquidSpeaker(BTC, 9, EACH_STEP)
    plain = HyperliquidSpeaker(BTC, 9, EACH_STEP).books(part)
    frames = speaker.books(shown)
    assert [frame for frame in frames if frame in plain] == [plain[row] for row in (0, 1, 5)]
    lost, none = (decode(frames[row][1], 0) for row in (2, 3))
    assert (len(lost.bids), len(lost.asks)) == (0, 20)
    assert (none.bids, none.asks) == ((), ())
    assert b'"levels":[[],[]]}}' in frames[3][1]
    touches = [(touch.bid, touch.ask) for touch in said(speaker.touch(shown))]
    assert (None, None) in touches
    assert (None, decode(plain[3][1], 0).asks[0]) in touches


def test_a_level_of_no_lots_is_no_level():
    block = hand_made([[[110_000, 109_999]], [[110_001, 110_002]]], [[[0, 7]], [[0, 0]]])
    speaker = HyperliquidSpeaker(BTC, 7, FAST)
    [(_, frame)] = speaker.books(block)
    assert b'"levels":[[{"px":"109999.0","sz":"0.00007","n":1}],[]],"fast":true}}' in frame
    [touch] = said(speaker.touch(block))
    assert (pairs([touch.bid]), touch.ask) == ([(109_999.0, 0.00007)], None)


def test_a_silent_block_and_one_without_trades_say_nothing():
    [block] = blocks(BTC, 9)
    mute = marked(part_of(block, 4), silent=np.ones(4, bool))
    speaker = HyperliquidSpeaker(BTC, 9)
    assert (speaker.books(mute), speaker.touch(mute)) == ([], [])
    assert speaker.trades(hand_made([[[2]], [[3]]], [[[1]], [[1]]])) == []


def test_a_candle_is_read_back():
    frame = HyperliquidSpeaker(BTC, 7).candle(CANDLE)
    assert frame == (
        b'{"channel":"candle","data":{"t":1757030400000,"T":1757030459999,"s":"BTC","i":"1m","o":"110000.0",'
        b'"c":"110001.0","h":"110020.0","l":"109990.0","v":"12.345","n":77}}'
    )
    bar = replace(CANDLE.bar, high=110_020.0, books=77)
    assert decode(frame, 5) == SaidCandle(bar, 5, 12.345)
    with pytest.raises(ValueError, match="interval_ns of a candle is 1; Hyperliquid has 1m, 3m"):
        HyperliquidSpeaker(BTC, 7).candle(replace(CANDLE, bar=replace(CANDLE.bar, interval_ns=1)))


def test_the_context_is_read_back():
    heard = decode(HyperliquidSpeaker(BTC, 7).mark(MARK), 5)
    assert heard == AssetContext(
        symbol="BTC",
        received_ns=5,
        funding_rate=MARK.funding_rate,
        open_interest=31_882.12346,
        mark=110_003.0,
        oracle=110_050.0,
        mid=110_000.5,
        premium=MARK.premium,
        impact_bid=109_999.0,
        impact_ask=110_002.0,
        day_open=108_123.0,
        day_notional_usd=MARK.day_notional_usd,
        day_volume=29_871.5,
    )
    alone = decode(HyperliquidSpeaker(BTC, 7).mark(replace(MARK, mid=None, impact_bid=None)), 5)
    assert (alone.mid, alone.premium, alone.impact_bid, alone.impact_ask) == (None, None, None, None)


def spoken():
    """A frame of each channel, as the fixtures of this test and as our speaker has them."""
    speaker, fast = HyperliquidSpeaker(BTC, 7, EACH_STEP), HyperliquidSpeaker(BTC, 7, FAST)
    return {
        "l2Book": fast.books(TWO)[0][1],
        "trades": speaker.trades(TWO)[0][1],
        "bbo": speaker.touch(TWO)[0][1],
        "candle": speaker.candle(CANDLE),
        "activeAssetCtx": speaker.mark(MARK),
    }


def test_frames_are_compact_and_typed_for_the_parser():
    frames = spoken()
    assert all(compact(frame) for frame in frames.values())
    kinds = [type(decode(frame, 1)) for frame in frames.values()]
    assert kinds == [Book, tuple, Bbo, SaidCandle, AssetContext]


def recorded():
    """(where, frame) of recorded frames whose keys stand as the venue sent them."""
    for line in map(json.loads, (WIRE / "hl_verbatim/hyperliquid/testnet_20260728.jsonl").read_text().splitlines()):
        yield line["name"], line["raw"]
    for line in map(json.loads, (WIRE / "tardis_node/hyperliquid/hyperliquid.jsonl").read_text().splitlines()):
        yield f"tardis {line['n']}", json.dumps(line["message"], separators=(",", ":"))


def test_frames_have_the_shape_of_recorded_ones():
    if not WIRE.is_dir():
        pytest.skip(f"no recorded frames at {WIRE}")
    frames, seen = spoken(), set()
    for where, raw in recorded():
        recording = json.loads(raw)
        if not isinstance(recording, dict) or (ours := frames.get(recording.get("channel"))) is None:
            continue
        seen.add(recording["channel"])
        assert compact(raw.encode()), where
        assert differences(json.loads(ours), recording, where) == []
    assert seen == {"l2Book", "trades", "bbo", "activeAssetCtx"}


def test_a_recorders_sorted_frames_have_the_same_keys_and_types():
    files = sorted((WIRE / "hftbacktest/hyperliquid").glob("*.gz"))
    if not files:
        pytest.skip(f"no recorded frames at {WIRE}")
    frames = {channel: json.loads(json.dumps(json.loads(ours), sort_keys=True)) for channel, ours in spoken().items()}
    del frames["l2Book"]["data"]["fast"]  # not of that time
    for number, line in enumerate(gzip.decompress(files[0].read_bytes()).splitlines()):
        recording = json.loads(line.partition(b" ")[2])
        ours = frames[recording["channel"]]
        assert differences(ours, recording, str(number)) == []
        assert differences(recording, ours, str(number)) == []


def test_candles_have_the_shape_of_the_venues_own_rows():
    """Of the REST side, whose keys came sorted then; the stream's order is the venue page's."""
    cassette = WIRE / "hyperliquid_python_sdk/hyperliquid/cassettes/info_test/test_get_candles_snapshot.yaml"
    if not cassette.is_file():
        pytest.skip(f"no recorded candles at {cassette}")
    row = json.loads(re.search(r'\{"T":[^}]*\}', cassette.read_text()).group())
    ours = json.loads(spoken()["candle"])["data"]
    assert sorted(ours) == sorted(row)
    assert differences({key: ours[key] for key in row}, row) == []
