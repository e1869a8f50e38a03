"""OKX's dialect and its reader: recorded frames, their checksums, and the block's own numbers read back."""

import json
from collections import Counter
from decimal import Decimal
from pathlib import Path

import msgspec
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from msgspec.structs import replace

from tests.venues.aleatoric.shapes import BARE, numbers, shape_of
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
from venues.aleatoric.dialects import read_okx as okx
from venues.aleatoric.dialects.dialect import Candle, Mark
from venues.aleatoric.dialects.okx import SPOT, SWAP, OkxSpeaker, OkxState
from venues.aleatoric.dialects.read_okx import Books, OkxBook, Top, checksum, decode
from venues.aleatoric.dialects.reading import Gap
from venues.aleatoric.shapes import MODELS
from venues.market import Bar, Side
from venues.venue import VenueMisspoke

recorded = pytest.mark.skipif(not WIRE.is_dir(), reason="the recorded frames are not beside this checkout")
STEPS = 50
NAMES = sorted(MODELS)
MODEL = replace(MODELS["hyperliquid_perp_eth"], symbol="BTC-USDT", tick=Decimal("0.1"), lot=Decimal("0.001"))
TWO = hand_made(
    [[[616_859, 616_858], [616_859, 616_850]], [[616_860, 616_862], [616_861, 616_862]]],
    [[[1_500, 2], [1_400, 7]], [[1_072, 100], [30, 100]]],
    [(1, 600_123_456, 616_860, 1_072, 1), (1, 900_000_000, 616_859, 50, -1)],
)
MARK = Mark(
    symbol="BTC-USDT-SWAP",
    at_ns=START_NS,
    mark=61_685.12,
    index=61_700.5,
    mid=61_685.95,
    last=61_686.0,
    premium=Decimal("-0.000401092"),
    funding_rate=Decimal("0.0000263463215391"),
    funding_interval_ns=28_800_000_000_000,
    next_funding_ns=START_NS + 28_800_000_000_000,
    open_interest=80_000.0,
    day_open=60_000.0,
    day_high=62_000.5,
    day_low=59_000.0,
    day_volume=1_000.25,
    day_notional_usd=61_000_000.125,
    funding_rate_max=Decimal("0.00375"),
    funding_rate_min=Decimal("-0.00375"),
    bid=61_685.9,
    bid_size=1.5,
    ask=61_686.0,
    ask_size=1.072,
    last_size=0.05,
)
CANDLE = Candle(
    bar=Bar("BTC-USDT", START_NS, 60_000_000_000, 61_686.0, 61_690.5, 61_680.0, 61_685.9, 109),
    volume=12.345,
    notional_usd=761_490.1234567,
    trades=77,
)
LATER = {"seqId", "prevSeqId", "count", "source"}  # keys that OKX added after the recordings of 2022
LATER_OF_FUNDING = {
    *("formulaType", "impactValue", "interestRate", "maxFundingRate", "method", "minFundingRate", "nextFundingTime"),
    *("premium", "prevFundingTime", "settFundingRate", "settState", "ts"),
}


def literals(path: Path) -> list[str]:
    """The frames of a test of another parser, without those of REST and of the API before v5."""
    raw = [json.loads(line)["raw"] for line in path.read_text().splitlines()]
    return [frame for frame in raw if frame.startswith('{"arg"')]


def logged() -> list[bytes]:
    """The frames of a socket."""
    lines = (WIRE / "cryptofeed/okx/OKX.ws.BTC-USDT.shared").read_bytes().splitlines()
    return [line.split(b": ", 1)[1] for line in lines if not line.startswith(b"wss")]


def plain_ids(frame: bytes) -> bytes:
    """A frame whose made-up ids and checksum are 0."""
    row = json.loads(frame)["data"][0]
    for key in ("seqId", "prevSeqId", "checksum", "tradeId"):
        if key in row:
            text = json.dumps(row[key])
            frame = frame.replace(f'"{key}":{text}'.encode(), f'"{key}":0'.encode())
    return frame


@recorded
def test_every_checksum_of_a_real_socket_is_right():
    heard = [decode(frame) for frame in logged()]
    book = OkxBook("BTC-USDT")
    gaps = [book.hear(books) for books in heard if isinstance(books, Books)]
    assert book.checked == len(gaps) == 98 and not any(gaps)
    assert Counter(type(frame).__name__ for frame in heard) == {"Books": 98, "tuple": 69, "Ticker": 25, "Answered": 6}
    end = book.builder.book(0, 0, 1)
    assert (end.bids[0].price, end.asks[0].price) == (30_236.1, 30_236.2)


@recorded
def test_a_real_update_that_is_lost_or_changed_breaks_the_checksum():
    books = [books for books in map(decode, logged()) if isinstance(books, Books)]
    short = OkxBook("BTC-USDT")
    verdicts = [short.hear(one) for one in books[:20] + books[21:]]
    assert isinstance(next(filter(None, verdicts)), Gap) and not short.ready
    level = books[1].bids[0]
    changed = replace(books[1], bids=(replace(level, size_text=level.size_text + "1"), *books[1].bids[1:]))
    book = OkxBook("BTC-USDT")
    assert book.hear(books[0]) is None
    gap = book.hear(changed)
    assert isinstance(gap, Gap) and gap.expected == changed.checksum and "checksum" in gap.reason


@recorded
def test_literals_of_another_parser_are_read():
    frames = literals(WIRE / "crypto_msg_parser/okx/okx.jsonl")
    kinds = Counter(type(decode(frame)).__name__ for frame in frames)
    assert kinds == {"tuple": 6, "Books": 5, "Top": 12, "Ticker": 6, "Candles": 6, "FundingRate": 2}


@recorded
def test_recorded_frames_have_the_shape_of_ours():
    spot, swap, top = (OkxSpeaker(MODEL, 7, feed) for feed in (SPOT, SWAP, replace(SPOT, top=True)))
    (_, snapshot), (_, update) = spot.books(TWO)
    candle = json.loads(spot.candle(CANDLE))
    candle["data"] = [candle["data"][0][:7]]  # frames of 2022 end after seven fields
    mine = {
        ("books", "snapshot"): snapshot,
        ("books-l2-tbt", "snapshot"): snapshot,
        ("books", "update"): update,
        ("books-l2-tbt", "update"): update,
        ("books5", None): top.books(TWO)[0][1],
        ("bbo-tbt", None): spot.touch(TWO)[0][1],
        ("trades", None): spot.trades(TWO)[0][1],
        ("tickers", None): spot.ticker(MARK),
        ("candle1m", None): json.dumps(candle),
        ("funding-rate", None): swap.funding(MARK).replace(b'"nextFundingRate":""', b'"nextFundingRate":"0"'),
    }
    seen = set()
    for frame in [*(frame.decode() for frame in logged()), *literals(WIRE / "crypto_msg_parser/okx/okx.jsonl")]:
        said = json.loads(frame)
        if "event" in said:
            continue
        kind = (said["arg"]["channel"], said.get("action"))
        later = LATER | LATER_OF_FUNDING if kind[0] == "funding-rate" else LATER
        assert compact(frame.encode())
        if '"bids":[]' in frame or '"asks":[]' in frame or '""' in frame:  # an option's, one-sided
            continue
        seen.add(kind)
        assert shape_of(frame) == shape_of(mine[kind], later), frame[:200]
        assert all(BARE.fullmatch(text) for text in numbers(said))
    assert seen == set(mine)
    assert all(
        BARE.fullmatch(text) for kind in seen - {("funding-rate", None)} for text in numbers(json.loads(mine[kind]))
    )


def test_books_are_said_as_the_venue_says_them():
    (at_ns, snapshot), (_, update) = OkxSpeaker(MODEL, 7).books(TWO)
    signed = checksum([b"61685.9:1.5", b"61685.8:0.002"], [b"61686:1.072", b"61686.2:0.1"])
    assert json.loads(snapshot)["data"][0]["checksum"] == signed
    assert at_ns == START_NS + 550_000_000
    assert plain_ids(snapshot).replace(b'"prevSeqId":-1', b'"prevSeqId":0') == (
        b'{"arg":{"channel":"books","instId":"BTC-USDT"},"action":"snapshot","data":[{'
        b'"asks":[["61686","1.072","0","1"],["61686.2","0.1","0","1"]],'
        b'"bids":[["61685.9","1.5","0","1"],["61685.8","0.002","0","1"]],'
        b'"ts":"1757030400543","checksum":0,"seqId":0,"prevSeqId":0}]}'
    )
    assert json.loads(snapshot)["data"][0]["prevSeqId"] == -1
    assert plain_ids(update) == (
        b'{"arg":{"channel":"books","instId":"BTC-USDT"},"action":"update","data":[{'
        b'"asks":[["61686","0","0","0"],["61686.1","0.03","0","1"]],'
        b'"bids":[["61685.9","1.4","0","1"],["61685.8","0","0","0"],["61685","0.007","0","1"]],'
        b'"ts":"1757030401093","checksum":0,"seqId":0,"prevSeqId":0}]}'
    )
    unsigned = OkxSpeaker(MODEL, 7, replace(SPOT, signed=False)).books(TWO)
    assert all(json.loads(frame)["data"][0]["checksum"] == 0 for _, frame in unsigned)


def test_sizes_of_a_swap_are_contracts():
    feed = replace(SWAP, contract=Decimal("0.01"), symbol="BTC-USDT-SWAP")
    speaker = OkxSpeaker(MODEL, 7, feed)
    _, (_, sold) = speaker.trades(TWO)
    assert plain_ids(sold) == (
        b'{"arg":{"channel":"trades","instId":"BTC-USDT-SWAP"},"data":[{"instId":"BTC-USDT-SWAP","tradeId":0,'
        b'"px":"61685.9","sz":"5","side":"sell","ts":"1757030400900","count":"1","source":"0","seqId":0}]}'
    )
    assert speaker.candle(CANDLE) == (
        b'{"arg":{"channel":"candle1m","instId":"BTC-USDT-SWAP"},"data":[["1757030400000","61686","61690.5","61680",'
        b'"61685.9","1234.5","12.345","761490.1234567","1"]]}'
    )
    ticker = decode(speaker.ticker(MARK))
    assert isinstance(ticker, okx.Ticker) and (ticker.volume, ticker.volume_currency) == (100_025.0, 1_000.25)
    assert (ticker.bid_text, ticker.bid_size_text, ticker.last_size) == ("61685.9", "150", 5.0)
    empty = decode(speaker.ticker(replace(MARK, ask=None)))
    assert isinstance(empty, okx.Ticker) and (empty.ask_text, empty.ask_size_text) == ("", "")


def test_marks_and_funding_are_read_back():
    speaker = OkxSpeaker(MODEL, 7, replace(SWAP, symbol="BTC-USDT-SWAP"))
    assert speaker.mark(MARK) == (
        b'{"arg":{"channel":"mark-price","instId":"BTC-USDT-SWAP"},"data":[{"instId":"BTC-USDT-SWAP",'
        b'"instType":"SWAP","markPx":"61685.1","ts":"1757030400000"}]}'
    )
    assert decode(speaker.mark(MARK)) == okx.MarkPrice("BTC-USDT-SWAP", "SWAP", 61_685.1, 1757030400000)
    funding = decode(speaker.funding(MARK))
    assert isinstance(funding, okx.FundingRate)
    assert (funding.rate, funding.premium_text) == (0.0000263463215391, "-0.0004010920000000")
    assert funding.next_funding_ms == funding.funding_ms + 28_800_000
    assert (funding.rate_min_text, funding.rate_max_text, funding.next_rate_text) == ("-0.00375", "0.00375", "")
    for ask in (OkxSpeaker(MODEL, 7).mark, OkxSpeaker(MODEL, 7).funding):
        with pytest.raises(TypeError, match="spot"):
            ask(MARK)
    with pytest.raises(ValueError, match="7; OKX has 1s, 1m"):
        speaker.candle(replace(CANDLE, bar=replace(CANDLE.bar, interval_ns=7)))


@settings(max_examples=15)
@given(seed=st.integers(0, 2**64 - 1), name=st.sampled_from(NAMES), signed=st.booleans())
def test_books_rebuilt_from_changes_are_the_blocks(seed, name, signed):
    model = MODELS[name]
    part = part_of(blocks(model, seed)[0], STEPS)
    frames = dict(OkxSpeaker(model, seed, replace(SPOT, signed=signed)).books(part))
    book = OkxBook(model.symbol)
    for step, sides in enumerate(books_of(model, part, model.levels)):
        at_ns = START_NS + (step + 1) * model.cadence_ns
        if at_ns in frames:
            assert compact(frames[at_ns])
            assert all(BARE.fullmatch(text) for text in numbers(json.loads(frames[at_ns])))
            assert book.hear(decode(frames[at_ns])) is None
        now = book.builder.book(0, 0)
        assert (pairs(now.bids), pairs(now.asks)) == sides
    assert book.checked == (len(frames) if signed else 0)


@settings(max_examples=10)
@given(seed=st.integers(0, 2**32), name=st.sampled_from(NAMES))
def test_trades_touches_and_tops_are_the_blocks(seed, name):
    model = MODELS[name]
    [block] = blocks(model, seed)
    speaker, top = OkxSpeaker(model, seed), OkxSpeaker(model, seed, replace(SPOT, top=True))
    trades = [trade for _, frame in speaker.trades(block) for trade in decode(frame)]
    over, under = model.price_fraction
    assert [trade.price for trade in trades] == [ticks * over / under for ticks in block.trade_ticks.tolist()]
    over, under = model.size_fraction
    assert [trade.size for trade in trades] == [lots * over / under for lots in block.trade_lots.tolist()]
    assert [trade.side.sign for trade in trades] == block.trade_sign.tolist()
    assert len({trade.id for trade in trades}) == len(trades)
    part = part_of(block, STEPS)
    for channel, levels in ((speaker.touch, 1), (top.books, 5)):
        said, frames = None, dict(channel(part))
        for step, sides in enumerate(books_of(model, part, levels)):
            frame = frames.get(START_NS + (step + 1) * model.cadence_ns)
            said = decode(frame) if frame else said
            assert isinstance(said, Top)
            assert (pairs(level.change for level in said.bids), pairs(level.change for level in said.asks)) == sides


@settings(max_examples=15)
@given(seed=st.integers(0, 2**32), lost=st.integers(0, STEPS - 10))
def test_any_frame_that_is_lost_is_a_gap_until_the_next_snapshot(seed, lost):
    [block] = blocks(MODEL, seed)
    part = part_of(block, STEPS)
    speaker = OkxSpeaker(MODEL, seed, replace(SPOT, signed=False))
    frames = [decode(frame) for _, frame in speaker.books(part)]
    book = OkxBook("BTC-USDT")
    verdicts = [book.hear(frame) for at, frame in enumerate(frames) if at != lost]
    assert not any(verdicts[:lost]) and all(isinstance(verdict, Gap) for verdict in verdicts[lost:])
    assert not book.ready
    speaker.resubscribe()
    assert book.hear(decode(speaker.books(part)[0][1])) is None and book.ready


def test_a_keepalive_and_a_count_that_restarts_follow():
    book = OkxBook("X")
    levels = (okx.Level("100", "1", "0", "1"),)
    whole = Books("X", True, 1, levels, (), 0, 50, -1)
    assert book.hear(replace(whole, whole=False)) == Gap("X", -1, -1, "an update without a snapshot before it")
    assert book.hear(whole) is None
    assert book.hear(Books("X", False, 2, (), (), 0, 50, 50)) is None
    assert book.hear(Books("X", False, 3, (), levels, 0, 3, 50)) is None
    assert book.hear(Books("X", False, 4, (), (), 0, 5, 3)) is None
    assert book.hear(Books("X", False, 5, (), (), 0, 8, 7)) == Gap("X", 5, 7, "prevSeqId is not the last seqId")


def test_the_checksum_takes_turns_and_goes_on_where_a_side_ends():
    # OKX, "Checksum": bid and ask in turn, what remains of the longer side behind.
    assert checksum([b"3366.1:7"], [b"3366.8:9", b"3368:8"]) == checksum([b"3366.1:7:3366.8:9:3368:8"], [])
    assert checksum([], []) == 0


@pytest.mark.parametrize("feed", [SPOT, replace(SWAP, top=True)])
def test_a_speaker_goes_on_from_a_saved_state_with_the_same_bytes(feed):
    made = blocks(MODEL, 9, 3)
    whole, again = OkxSpeaker(MODEL, 9, feed), OkxSpeaker(MODEL, 9, feed)
    channels = [[say(block) for block in made] for say in (whole.books, whole.trades, whole.touch)]
    for block in made[:2]:  # channels in another order
        again.touch(block), again.books(block), again.trades(block)
    saved = msgspec.json.decode(msgspec.json.encode(again.state), type=OkxState)
    resumed = OkxSpeaker(MODEL, 9, feed, saved)
    assert [say(made[2]) for say in (resumed.books, resumed.trades, resumed.touch)] == [said[2] for said in channels]
    assert resumed.state == whole.state


def test_what_is_silent_is_not_said_and_an_empty_side_is_deleted():
    part = part_of(blocks(MODEL, 3)[0], 4)
    empty = np.zeros((2, 4), bool)
    empty[1, 1] = True
    block = marked(part, silent=np.array([False, False, True, False]), empty=empty)
    book, now = OkxBook("BTC-USDT"), []
    for _, frame in OkxSpeaker(MODEL, 3).books(block):
        assert book.hear(decode(frame)) is None
        shown = book.builder.book(0, 0)
        now.append((pairs(shown.bids), pairs(shown.asks)))
    sides = books_of(MODEL, part, 20)
    assert now == [sides[0], (sides[1][0], []), sides[3]] and book.checked == 3
    assert b'"data":[{"asks":[],"bids":[[' in OkxSpeaker(MODEL, 3).touch(block)[1][1]


def test_answers_and_pongs_are_read():
    error = decode(b'{"event":"error","msg":"Wrong URL","code":"60018","connId":"e1f69f02"}')
    assert error == okx.Answered("error", "", "", "60018 Wrong URL")
    ack = decode('{"event":"subscribe","arg":{"channel":"books","instId":"BTC-USDT"},"connId":"a"}')
    assert ack == okx.Answered("subscribe", "books", "BTC-USDT", "")
    assert decode(b"pong") == decode("pong") == okx.Pong()
    assert decode(b'{"arg":{"channel":"index-tickers","instId":"X"},"data":[{}]}') == okx.Other("index-tickers")


@pytest.mark.parametrize(
    ("was", "becomes"),
    [
        (b'"61686"', b'"0"'),
        (b'"61686"', b'"-61686"'),
        (b'"61686"', b"61686"),
        (b'"1.072"', b'"1e3"'),
        (b'"action":"update"', b'"action":"partial"'),
        (b'"action":"update",', b""),
        (b'"ts":"1757030401093"', b'"ts":"1757030401093000000"'),
        (b'"data":[{', b'"data":[{},{'),
        (b'"data":', b'"date":'),
        (b"}]}", b"}]"),
    ],
)
def test_damage_is_refused_with_the_frame_shown(was, becomes):
    frame = OkxSpeaker(MODEL, 7).books(TWO)[1][1].replace(b'["61686","0"', b'["61686","1.072"')
    assert was in frame
    damaged = frame.replace(was, becomes)
    with pytest.raises(VenueMisspoke) as refusal:
        decode(damaged)
    assert damaged[:40].decode() in str(refusal.value)


def test_the_side_of_a_trade_is_the_takers():
    trades = [trade for _, frame in OkxSpeaker(MODEL, 7).trades(TWO) for trade in decode(frame)]
    assert [trade.side for trade in trades] == [Side.BUY, Side.SELL]
