"""Alpaca's dialect: the documented frames' shape, books rebuilt from changes, JSON and msgpack alike."""

import json
from decimal import Decimal

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
from tests.venues.aleatoric.test_dialect_hyperliquid import MARK
from venues.aleatoric.dialects.alpaca import (
    AlpacaCryptoSpeaker,
    AlpacaState,
    AlpacaStockSpeaker,
    as_msgpack,
    number,
    rfc3339,
)
from venues.aleatoric.dialects.dialect import Candle
from venues.aleatoric.shapes import MODELS
from venues.alpaca.market_wire import Candle as SaidCandle
from venues.alpaca.market_wire import decode
from venues.delta_book import BookBuilder
from venues.market import Bar, Side, Trade

COIN, SHARE = MODELS["alpaca_spot_btc"], replace(MODELS["alpaca_equity"], symbol="COST")
STEPS = 80
MINUTE_NS, DAY_NS = 60_000_000_000, 86_400_000_000_000
TWO = hand_made(
    [[[11_000_000, 10_999_950], [11_000_000, 10_999_900]], [[11_000_100, 11_000_110], [11_000_100, 11_000_110]]],
    [[[1_000_000_000, 500], [1_000_000_000, 7]], [[38_000, 1_250_000_000], [38_000, 1_250_000_000]]],
    [(1, 600_123_400, 11_000_100, 38_000, 1), (1, 900_000_000, 11_000_000, 50, -1)],
)
SHARES = hand_made(
    [[[90_001], [90_001]], [[90_010], [90_012]]],
    [[[300], [300]], [[40], [100]]],
    [(0, 393_000_000, 90_010, 40, 1), (1, 1_500_000_000, 90_001, 100, -1)],
)
CANDLE = Candle(
    bar=Bar("BTC/USD", START_NS, MINUTE_NS, 110_000.0, 110_020.505, 109_990.0, 110_001.25, 60),
    volume=0.719755,
    notional_usd=79_175.0,
    trades=3,
)


def crypto_books(frames):
    """What a reader that doubts nothing has after each frame."""
    builder, rebuilt = BookBuilder("BTC/USD"), {}
    for at_ns, frame in frames:
        for said in decode(frame, at_ns):
            (builder.replace if said.whole else builder.change)(said.bids, said.asks)
            rebuilt[at_ns] = builder.book(said.at_ns, at_ns)
    return rebuilt


def test_a_book_is_said_whole_and_then_in_changes():
    (_, whole), (at_ns, change) = AlpacaCryptoSpeaker(COIN, 7).books(TWO)
    assert whole == (
        b'[{"T":"o","S":"BTC/USD","t":"2025-09-05T00:00:00.993Z","b":[{"p":110000,"s":1},{"p":109999.5,"s":5e-7}],'
        b'"a":[{"p":110001,"s":0.000038},{"p":110001.1,"s":1.25}],"r":true}]'
    )
    assert at_ns == START_NS + 2_000_000_000
    assert change == (
        b'[{"T":"o","S":"BTC/USD","t":"2025-09-05T00:00:01.993Z","b":[{"p":109999,"s":7e-9},{"p":109999.5,"s":0}],'
        b'"a":[]}]'
    )


def test_trades_and_quotes_of_a_coin():
    speaker = AlpacaCryptoSpeaker(COIN, 7)
    [(at_ns, frame)] = speaker.trades(TWO)
    assert at_ns == START_NS + 2_000_000_000
    ids = [row["i"] for row in json.loads(frame)]
    assert frame == (
        b'[{"T":"t","S":"BTC/USD","p":110001,"s":0.000038,"t":"2025-09-05T00:00:00.6001234Z","i":%d,"tks":"B"},'
        b'{"T":"t","S":"BTC/USD","p":110000,"s":5e-8,"t":"2025-09-05T00:00:00.9Z","i":%d,"tks":"S"}]' % tuple(ids)
    )
    assert decode(frame, 5)[1] == Trade("BTC/USD", START_NS + 900_000_000, 5, 110_000.0, 5e-8, Side.SELL)
    assert len(set(ids)) == 2
    assert AlpacaCryptoSpeaker(COIN, 7).trades(TWO) == [(at_ns, frame)]
    assert AlpacaCryptoSpeaker(COIN, 8).trades(TWO) != [(at_ns, frame)]
    [(_, quote)] = speaker.touch(TWO)
    assert quote == (
        b'[{"T":"q","S":"BTC/USD","bp":110000,"bs":1,"ap":110001,"as":0.000038,"t":"2025-09-05T00:00:00.993Z"}]'
    )


def test_quotes_and_trades_of_a_share():
    speaker = AlpacaStockSpeaker(SHARE)
    (_, quote), (_, later) = speaker.touch(SHARES)
    assert quote == (
        b'[{"T":"q","S":"COST","bx":"V","bp":900.01,"bs":300,"ax":"V","ap":900.1,"as":40,'
        b'"t":"2025-09-05T00:00:00.993Z","c":["R"],"z":"C"}]'
    )
    assert decode(later, 5)[0].ask.price == 900.12
    (_, odd), (_, even) = speaker.trades(SHARES)
    assert odd == (
        b'[{"T":"t","i":1,"S":"COST","x":"V","p":900.1,"s":40,"t":"2025-09-05T00:00:00.393Z","c":["@","I"],"z":"C"}]'
    )
    assert (decode(even, 5)[0].id, decode(even, 5)[0].conditions) == (2, ("@",))
    assert speaker.books(SHARES) == []
    with pytest.raises(ValueError, match="tape is 'D'; the tapes are A, B, C"):
        AlpacaStockSpeaker(SHARE, tape="D")
    with pytest.raises(ValueError, match="the stream prints whole shares"):
        AlpacaStockSpeaker(replace(SHARE, lot=Decimal("0.5")))


@settings(max_examples=10)
@given(seed=st.integers(0, 2**64 - 1))
def test_changes_rebuild_the_blocks_books(seed):
    [block] = blocks(COIN, seed)
    part = part_of(block, STEPS)
    speaker = AlpacaCryptoSpeaker(COIN, seed)
    frames = speaker.books(part)
    assert [b'"r":true' in frame for _, frame in frames] == [True] + [False] * (len(frames) - 1)
    rebuilt, standing = crypto_books(frames), None
    quotes = {at_ns: decode(frame, at_ns)[0] for at_ns, frame in speaker.touch(part)}
    touch = None
    for step, sides in enumerate(books_of(COIN, part, 20)):
        at_ns = START_NS + (step + 1) * COIN.cadence_ns
        standing, touch = rebuilt.get(at_ns, standing), quotes.get(at_ns, touch)
        assert (pairs(standing.bids), pairs(standing.asks)) == sides
        assert (touch.bid, touch.ask) == (standing.bids[0], standing.asks[0])
    assert rebuilt[START_NS + COIN.cadence_ns].at_ns == START_NS + COIN.cadence_ns - int(part.age_ns[0])
    trades = [trade for at_ns, frame in speaker.trades(block) for trade in decode(frame, at_ns)]
    assert [trade.at_ns for trade in trades] == (START_NS + block.trade_ns).tolist()
    over, under = COIN.size_fraction
    assert [trade.size for trade in trades] == [lots * over / under for lots in block.trade_lots.tolist()]
    assert [trade.side.sign for trade in trades] == block.trade_sign.tolist()


@settings(max_examples=5)
@given(seed=st.integers(0, 2**64 - 1))
def test_the_parser_reads_a_shares_numbers(seed):
    [block] = blocks(SHARE, seed)
    part = part_of(block, STEPS)
    speaker = AlpacaStockSpeaker(SHARE)
    quotes = {at_ns: decode(frame, at_ns)[0] for at_ns, frame in speaker.touch(part)}
    quote = None
    for step, (bids, asks) in enumerate(books_of(SHARE, part, 1)):
        quote = quotes.get(START_NS + (step + 1) * SHARE.cadence_ns, quote)
        assert (pairs([quote.bid]), pairs([quote.ask])) == (bids, asks)
    trades = [trade for at_ns, frame in speaker.trades(block) for trade in decode(frame, at_ns)]
    over, under = SHARE.price_fraction
    assert [trade.price for trade in trades] == [ticks * over / under for ticks in block.trade_ticks.tolist()]
    assert [trade.size for trade in trades] == block.trade_lots.tolist()
    assert [trade.id for trade in trades] == list(range(1, len(trades) + 1))


def speakers():
    return [
        (COIN, lambda state: AlpacaCryptoSpeaker(COIN, 5, state)),
        (SHARE, lambda state: AlpacaStockSpeaker(SHARE, state)),
    ]


@pytest.mark.parametrize(("model", "new"), speakers(), ids=["coin", "share"])
@pytest.mark.parametrize("coding", [msgspec.json, msgspec.msgpack])
def test_a_saved_state_goes_on_with_the_same_bytes(model, new, coding):
    first, second = blocks(model, 5, 2)
    whole = new(None)
    for channel in ("books", "trades", "touch"):
        getattr(whole, channel)(first)
    resumed = new(coding.decode(coding.encode(whole.state), type=AlpacaState))
    for channel in ("books", "trades", "touch"):
        assert getattr(resumed, channel)(second) == getattr(whole, channel)(second)
    assert b'"r":true' not in b"".join(frame for _, frame in new(whole.state).books(second))


def test_what_is_not_shown_is_not_said():
    [block] = blocks(COIN, 9)
    part = part_of(block, 6)
    silent, empty = np.zeros(6, bool), np.zeros((2, 6), bool)
    silent[2], empty[0, 3], empty[:, 4] = True, True, True
    shown = marked(part, silent=silent, empty=empty)
    speaker = AlpacaCryptoSpeaker(COIN, 9)
    rebuilt = list(crypto_books(speaker.books(shown)).values())
    sides = books_of(COIN, part, 20)
    expected = [sides[0], sides[1], ([], sides[3][1]), ([], []), sides[5]]
    assert [(pairs(book.bids), pairs(book.asks)) for book in rebuilt] == expected
    frame = next(frame for at_ns, frame in speaker.touch(shown) if at_ns == START_NS + 4 * COIN.cadence_ns)
    assert b'"bp":0,"bs":0,"ap":' in frame
    assert decode(frame, 5)[0].bid is None
    one = marked(part_of(SHARES, 1), empty=np.array([[False], [True]]))
    [(_, quote)] = AlpacaStockSpeaker(SHARE).touch(one)
    assert b'"ax":" ","ap":0,"as":0,' in quote
    assert decode(quote, 5)[0].ask is None
    mute = marked(part, silent=np.ones(6, bool))
    assert (speaker.books(mute), speaker.touch(mute)) == ([], [])
    assert speaker.trades(hand_made([[[2]], [[3]]], [[[1]], [[1]]])) == []


def test_bars_are_read_back():
    frame = AlpacaCryptoSpeaker(COIN, 7).candle(CANDLE)
    assert frame == (
        b'[{"T":"b","S":"BTC/USD","o":110000,"h":110020.505,"l":109990,"c":110001.25,"v":0.719755,'
        b'"t":"2025-09-05T00:00:00Z","n":3,"vw":110002.7092552327}]'
    )
    bar = replace(CANDLE.bar, books=3)
    assert decode(frame, 5) == (SaidCandle("bars", bar, 5, 0.719755, 110002.7092552327),)
    day = replace(CANDLE, bar=replace(CANDLE.bar, interval_ns=DAY_NS), volume=0.0, trades=0)
    [said] = decode(AlpacaStockSpeaker(SHARE).candle(day), 5)
    assert (said.channel, said.volume, said.vwap, said.bar.interval_ns) == ("dailyBars", 0.0, 110_001.25, DAY_NS)
    with pytest.raises(ValueError, match="interval_ns of a candle is 1; Alpaca streams bars of a minute or a day"):
        AlpacaStockSpeaker(SHARE).candle(replace(CANDLE, bar=replace(CANDLE.bar, interval_ns=1)))
    with pytest.raises(TypeError, match="no mark price, so none of BTC"):
        AlpacaStockSpeaker(SHARE).mark(MARK)


@pytest.mark.parametrize(
    ("value", "text"),
    [
        *[("0.0000005", "5e-7"), ("0.000000123", "1.23e-7"), ("-0.0000005", "-5e-7"), ("0.000001", "0.000001")],
        *[("0", "0"), ("100.00", "100"), ("1E+3", "1000"), ("0.10", "0.1")],
    ],
)
def test_numbers_are_printed_as_go_prints_them(value, text):
    assert number(Decimal(value)) == text
    assert float(text) == float(value)


def test_times_have_no_zeros_behind():
    assert rfc3339(1_710_239_930_796_132_210) == "2024-03-12T10:38:50.79613221Z"
    assert rfc3339(1_710_239_930_000_000_000) == "2024-03-12T10:38:50Z"


def spoken():
    """A message of each kind that our speakers have, by kind and whether it is of a share."""
    coin, share = AlpacaCryptoSpeaker(COIN, 7), AlpacaStockSpeaker(SHARE)
    day = replace(CANDLE, bar=replace(CANDLE.bar, interval_ns=DAY_NS))
    frames = [*coin.books(TWO)[:1], *coin.trades(TWO), *coin.touch(TWO), (0, coin.candle(CANDLE))]
    of_shares = [*share.trades(SHARES), *share.touch(SHARES), (0, share.candle(CANDLE)), (0, share.candle(day))]
    made = [(False, frame) for _, frame in frames] + [(True, frame) for _, frame in of_shares]
    assert all(compact(frame) for _, frame in made)
    return {(message["T"], shares): message for shares, frame in made for message in json.loads(frame)}


def test_msgpack_says_the_same_with_floats_and_timestamps():
    coin, share = AlpacaCryptoSpeaker(COIN, 7), AlpacaStockSpeaker(SHARE)
    frames = [*coin.books(TWO), *coin.trades(TWO), *coin.touch(TWO), *share.trades(SHARES), *share.touch(SHARES)]
    for _, frame in [*frames, (0, coin.candle(CANDLE))]:
        packed = as_msgpack(frame)
        assert decode(packed, 5) == decode(frame, 5)
        raw = msgspec.msgpack.decode(packed)
        assert [list(message) for message in raw] == [list(message) for message in json.loads(frame)]
    [book] = msgspec.msgpack.decode(as_msgpack(frames[0][1]))
    assert {type(level[key]) for level in book["b"] for key in "ps"} == {float}
    assert type(msgspec.msgpack.decode(as_msgpack(coin.candle(CANDLE)))[0]["o"]) is float


def documented():
    """(where, message, of a share) of frames in the venue's own documentation."""
    for name in ("crypto_frames_from_docs_2024_2026", "api-references_market-data-api_stock-pricing-data_realtime"):
        for line in map(json.loads, (WIRE / f"alpaca_docs/alpaca/{name}.jsonl").read_text().splitlines()):
            said = json.loads(line["raw"])
            for message in said if isinstance(said, list) else [said]:
                yield line["raw"][:60], message, "stock" in name


def test_messages_have_the_shape_of_the_documented_ones():
    if not WIRE.is_dir():
        pytest.skip(f"no recorded frames at {WIRE}")
    ours, seen = spoken(), set()
    for where, message, shares in documented():
        if (kind := (message.get("T"), shares)) in ours:
            seen.add(kind)
            assert differences(ours[kind], message, where) == []
    assert seen == ours.keys() - {("b", False)}


def test_messages_have_the_keys_and_types_of_the_sdks_own_tests():
    """Whose order is not the stream's."""
    path = WIRE / "alpaca_py/alpaca/data_test_websockets.jsonl"
    if not path.is_file():
        pytest.skip(f"no recorded frames at {path}")
    ours, seen = spoken(), set()
    for message in (json.loads(line)["frame"] for line in path.read_text().splitlines()):
        if (mine := ours.get((message["T"], "/" not in message["S"]))) is not None:
            seen.add(message["T"])
            assert message.keys() == mine.keys() - {"r"}
            assert (
                differences(*({key: said[key] for key in sorted(message) if key != "t"} for said in (mine, message)))
                == []
            )
    assert seen == {"b", "t", "q", "o"}
