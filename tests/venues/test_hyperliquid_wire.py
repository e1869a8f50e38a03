"""Hyperliquid's frames: every recorded one is read as it is written, and damage is refused by name."""

import gzip
import json
from collections import Counter
from decimal import Decimal
from pathlib import Path

import pytest

from venues.hyperliquid.account_wire import OrderUpdates, UserFills
from venues.hyperliquid.wire import AssetContext, Bbo, Candle, Complaint, Other, Pong, Subscribed, decode
from venues.market import Bar, Book, Level, Side, Trade
from venues.venue import VenueMisspoke

WIRE = Path(__file__).resolve().parents[3] / "shared" / "data" / "wire"
NOW_NS = 1_800_000_000_000_000_000


def recorded():
    """(where, frame) of every Hyperliquid frame on this machine."""
    for file in sorted((WIRE / "hftbacktest" / "hyperliquid").glob("*.gz")):
        for number, line in enumerate(gzip.decompress(file.read_bytes()).splitlines()):
            yield f"{file.name}:{number}", line.split(b" ", 1)[1]
    for file in sorted((WIRE / "hl_verbatim" / "hyperliquid").glob("*.jsonl")):
        for line in map(json.loads, file.read_text().splitlines()):
            yield line["name"], line["raw"].encode()
    for file in sorted((WIRE / "tardis_node" / "hyperliquid").glob("*.jsonl")):
        for line in map(json.loads, file.read_text().splitlines()):
            yield f"{file.name}:{line['n']}", json.dumps(line["message"]).encode()


def told(frame):
    """(coin, milliseconds, numbers) of a market frame, read the slow and obvious way."""
    data = json.loads(frame)["data"]
    pairs = {"l2Book": lambda: [level for side in data["levels"] for level in side]}
    pairs |= {"trades": lambda: data, "bbo": lambda: [level for level in data["bbo"] if level]}
    rows = pairs[json.loads(frame)["channel"]]()
    return [(float(row["px"]), float(row["sz"])) for row in rows]


def read(heard):
    """The same of what was decoded."""
    if isinstance(heard, Book):
        levels = [*heard.bids, *heard.asks]
    elif isinstance(heard, Bbo):
        levels = [level for level in (heard.bid, heard.ask) if level]
    else:
        return [(trade.price, trade.size) for trade in heard]
    assert all(isinstance(level, Level) for level in levels)
    return [(level.price, level.size) for level in levels]


def test_every_recorded_frame_is_read_as_it_is_written():
    if not WIRE.is_dir():
        pytest.skip(f"no recorded frames at {WIRE}")
    seen = Counter()
    for where, frame in recorded():
        channel = json.loads(frame).get("channel") if frame[:1] == b"{" else None
        if channel is None:  # answers of the REST side
            continue
        heard = decode(frame, NOW_NS)
        seen[channel] += 1
        if channel in ("l2Book", "trades", "bbo"):
            assert read(heard) == told(frame), where
        elif channel == "activeAssetCtx":
            assert isinstance(heard, AssetContext), where
            ctx = json.loads(frame)["data"]["ctx"]
            assert str(heard.funding_rate) == ctx["funding"]
            assert [heard.mark, heard.oracle, heard.mid] == [
                float(ctx[f"{name}Px"]) for name in ("mark", "oracle", "mid")
            ]
        else:
            assert isinstance(heard, Subscribed | Pong | Complaint | Other | UserFills | OrderUpdates), where
    assert seen["l2Book"] >= 20
    assert seen["trades"] >= 5
    assert seen["bbo"] >= 3
    assert seen["activeAssetCtx"] >= 1


def test_a_book_keeps_its_order_and_its_times():
    frame = (
        b'{"channel":"l2Book","data":{"coin":"xyz:TSLA","time":1785251521889,"levels":'
        b'[[{"px":"10.5","sz":"2","n":1},{"px":"10.4","sz":"1","n":3}],[{"px":"10.6","sz":"7.25","n":1}]],"fast":true}}'
    )
    book = decode(frame, NOW_NS)
    assert (book.symbol, book.at_ns, book.received_ns) == ("xyz:TSLA", 1785251521889_000_000, NOW_NS)
    assert [(level.price, level.size) for level in book.bids] == [(10.5, 2.0), (10.4, 1.0)]
    assert [(level.price, level.size) for level in book.asks] == [(10.6, 7.25)]
    assert decode(frame.decode(), NOW_NS) == book


def test_a_delisted_coin_has_an_empty_book():
    book = decode(b'{"channel":"l2Book","data":{"coin":"MATIC","time":1,"levels":[[],[]]}}', NOW_NS)
    assert (book.bids, book.asks) == ((), ())


def test_the_side_of_a_trade_is_the_aggressors():
    rows = '{"coin":"BTC","side":"%s","px":"1.5","sz":"2","time":7,"hash":"0x0","tid":1,"users":["a","b"]}'
    frame = '{"channel":"trades","data":[' + rows % "B" + "," + rows % "A" + "]}"
    buy, sell = decode(frame, NOW_NS)
    assert buy == Trade("BTC", 7_000_000, NOW_NS, 1.5, 2.0, Side.BUY)
    assert sell.side is Side.SELL


@pytest.mark.parametrize(
    ("touch", "bid", "ask"),
    [
        ('[{"px":"1","sz":"2","n":1},{"px":"3","sz":"4","n":1}]', 1.0, 3.0),
        ('[null,{"px":"3","sz":"4","n":1}]', None, 3.0),
        ('[{"px":"1","sz":"2","n":1},null]', 1.0, None),
        ('[{"px":"1","sz":"2","n":1}]', 1.0, None),
        ("[]", None, None),
    ],
)
def test_a_touch_may_lack_a_side(touch, bid, ask):
    heard = decode(f'{{"channel":"bbo","data":{{"coin":"BTC","time":5,"bbo":{touch}}}}}', NOW_NS)
    assert (heard.bid and heard.bid.price, heard.ask and heard.ask.price) == (bid, ask)


def test_a_candle_is_a_bar_of_trades():
    frame = (
        b'{"channel":"candle","data":{"t":1684780200000,"T":1684780259999,"s":"kPEPE","i":"1m","o":"0.001538",'
        b'"c":"0.00154","h":"0.001548","l":"0.001536","v":"308219489.0","n":430}}'
    )
    bar = Bar("kPEPE", 1684780200000_000_000, 60_000_000_000, 0.001538, 0.001548, 0.001536, 0.00154, 430)
    assert decode(frame, NOW_NS) == Candle(bar, NOW_NS, 308219489.0)
    with pytest.raises(VenueMisspoke, match="kPEPE ends at 1684780100000, before it begins"):
        decode(frame.replace(b"1684780259999", b"1684780100000"), NOW_NS)


@pytest.mark.parametrize("more", ["", ',"dayBaseVlm":"15.5"'])
def test_the_context_of_an_asset_may_lack_a_book(more):
    ctx = (
        '"funding":"-0.00004863","openInterest":"0.0","prevDayPx":"0.0","dayNtlVlm":"0.0","premium":null,'
        '"oraclePx":"0.1995","markPx":"0.19963","midPx":null,"impactPxs":null'
    )
    heard = decode(f'{{"channel":"activeAssetCtx","data":{{"coin":"MOODENG","ctx":{{{ctx}{more}}}}}}}', NOW_NS)
    assert (heard.symbol, heard.mark, heard.oracle) == ("MOODENG", 0.19963, 0.1995)
    assert heard.funding_rate == Decimal("-0.00004863")
    assert (heard.mid, heard.premium, heard.impact_bid, heard.impact_ask) == (None, None, None, None)
    assert heard.day_volume == (15.5 if more else 0.0)


def test_what_is_not_market():
    said = '{"channel":"subscriptionResponse","data":{"method":"subscribe","subscription":{"type":"bbo","coin":"BTC"}}}'
    assert decode(said, NOW_NS) == Subscribed("subscribe", "bbo", "BTC")
    said = '{"channel":"subscriptionResponse","data":{"method":"unsubscribe","subscription":{"type":"allMids"}}}'
    assert decode(said, NOW_NS) == Subscribed("unsubscribe", "allMids", "")
    assert decode('{"channel":"pong"}', NOW_NS) == Pong()
    assert decode('{"channel":"error","data":"Already subscribed: {}"}', NOW_NS) == Complaint("Already subscribed: {}")
    assert decode('{"channel":"allMids","data":{"mids":{"BTC":"1"}}}', NOW_NS) == Other("allMids")
    assert decode("Websocket connection established.", NOW_NS) == Other("")


@pytest.mark.parametrize(
    "number", ["nan", "inf", "-inf", "Infinity", "-1.5", "0", "0.0", "1e400", "1e12", "", " 1", "1_0"]
)
@pytest.mark.parametrize("field", ["px", "sz"])
def test_a_number_that_is_none_is_refused_with_its_place(number, field):
    level = {"px": "1", "sz": "1", "n": 1, field: number}
    frame = {"channel": "l2Book", "data": {"coin": "BTC", "time": 1, "levels": [[level], []]}}
    with pytest.raises(VenueMisspoke, match=rf"l2Book: .*\.{field}"):
        decode(json.dumps(frame), NOW_NS)


@pytest.mark.parametrize(
    "frame",
    [
        '{"channel":"l2Book","data":{"coin":"BTC","time":1,"levels":[[]]}}',
        '{"channel":"l2Book","data":{"coin":"BTC","time":0,"levels":[[],[]]}}',
        '{"channel":"l2Book","data":{"coin":"BTC","time":1785251521889000000,"levels":[[],[]]}}',
        '{"channel":"l2Book","data":{"coin":"BTC","levels":[[],[]]}}',
        '{"channel":"l2Book","data":null}',
        '{"channel":"trades","data":[{"coin":"BTC","side":"C","px":"1","sz":"1","time":1}]}',
        '{"channel":"error"}',
        '{"no":"channel"}',
        "[]",
        "",
        "{",
        "nonsense",
        b"\xff\xfe",
    ],
)
def test_what_breaks_the_protocol_is_refused(frame):
    with pytest.raises(VenueMisspoke):
        decode(frame, NOW_NS)


def test_an_error_shows_the_beginning_of_the_frame_and_not_all_of_it():
    with pytest.raises(VenueMisspoke) as refused:
        decode('{"channel":"error","data":' + "9" * 5000 + "}", NOW_NS)
    assert len(str(refused.value)) < 400
