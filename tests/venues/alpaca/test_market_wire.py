"""Alpaca's frames: every documented one is read as it is written, and damage is refused by name."""

import json
from collections import Counter
from pathlib import Path

import msgspec
import pytest
from msgspec.msgpack import Ext

from venues.alpaca.market_wire import (
    BookChange,
    Candle,
    Complaint,
    Damaged,
    Greeted,
    Other,
    Quote,
    StockTrade,
    Subscribed,
    decode,
    nanoseconds,
)
from venues.market import Bar, Level, Side, Trade
from venues.venue import VenueMisspoke

DOCS = Path(__file__).resolve().parents[4] / "shared" / "data" / "wire" / "alpaca_docs" / "alpaca"
SDK = DOCS.parents[1] / "alpaca_py" / "alpaca" / "data_test_websockets.jsonl"
NOW_NS = 1_800_000_000_000_000_000
AT_NS = 1_710_239_930_796_132_210
WHOLE = (
    b'[{"T":"o","S":"ABC/USD","t":"2024-03-12T10:38:50.79613221Z","b":[{"p":71.5,"s":0.25},{"p":71.4,"s":3}],'
    b'"a":[{"p":71.9,"s":0.75}],"r":true}]'
)
CHANGE = b'[{"T":"o","S":"ABC/USD","t":"2024-03-12T10:38:51Z","b":[{"p":71.5,"s":0},{"p":71.6,"s":1}],"a":[]}]'


def change(frame):
    [said] = decode(frame, NOW_NS)
    return said


def test_every_documented_frame_is_read():
    if not DOCS.is_dir():
        pytest.skip(f"no documented frames at {DOCS}")
    seen = Counter()
    for file in sorted(DOCS.glob("*real*time*.jsonl")) + sorted(DOCS.glob("crypto_frames_from_docs*.jsonl")):
        for line in map(json.loads, file.read_text().splitlines()):
            said = json.loads(line["raw"])
            if isinstance(said, dict) and "action" in said:  # ours, not theirs
                continue
            messages = said if isinstance(said, list) else [said]
            if any(set(message) & {"action", "stream"} for message in messages) or messages[0].get("T") == "n":
                continue
            for heard, message in zip(decode(json.dumps(messages), NOW_NS), messages, strict=True):
                kind = message["T"]
                seen[kind] += 1
                if kind in ("o", "t", "q", "b", "d"):
                    assert numbers(heard) == [message[key] for key in NUMBERS[kind] if key in message], line["raw"]
                else:
                    assert isinstance(heard, Subscribed | Greeted | Complaint | Other), line["raw"]
    assert {"o", "t", "q", "b", "d", "s", "success", "error", "subscription"} <= seen.keys()


def test_every_frame_of_the_sdks_tests_is_read():
    if not SDK.is_file():
        pytest.skip(f"no frames at {SDK}")
    ten = Ext(-1, (10 << 34 | 10).to_bytes(8))
    seen = Counter()
    for line in map(json.loads, SDK.read_text().splitlines()):
        if "T" not in line["frame"]:
            continue
        frame = msgspec.msgpack.encode([line["frame"] | {"t": ten}])
        heard, kind = change(frame), line["frame"]["T"]
        seen[kind] += 1
        if isinstance(heard, Other):
            assert kind in "sx"
            continue
        assert numbers(heard) == [line["frame"][key] for key in NUMBERS[kind] if key in line["frame"]]
        assert (heard.bar.start_ns if kind == "b" else heard.at_ns) == 10 * 10**9 + 10
        if kind == "o":
            [level] = heard.bids
            assert (level.price, level.size, heard.whole) == (65128.1, 1.6542, False)
        elif kind == "q":
            assert (heard.symbol, heard.bid.price, heard.ask.size, heard.conditions) == ("SPIP", 25.41, 35, ("R",))
        elif kind == "t":
            assert (heard.symbol, heard.price, heard.exchange) == ("AAPL", 177.79, "V")
        else:
            assert (heard.bar.symbol, heard.bar.high) == ("AAPL", 178.005)
    assert seen.keys() == {"b", "t", "q", "o", "s", "x"}


NUMBERS = {
    "o": (),
    "t": ("p", "s"),
    "q": ("bp", "bs", "ap", "as"),
    "b": ("o", "h", "l", "c", "v", "vw", "n"),
    "d": ("o", "h", "l", "c", "v", "vw", "n"),
}


def numbers(heard):
    match heard:
        case Trade() | StockTrade():
            return [heard.price, heard.size]
        case Quote():
            return [heard.bid.price, heard.bid.size, heard.ask.price, heard.ask.size]
        case Candle(bar=bar):
            said = [bar.open, bar.high, bar.low, bar.close, heard.volume]
            return said + ([heard.vwap, bar.books] if bar.books else [])
        case BookChange():
            return []


def test_an_empty_side_is_printed_as_zeros():
    quote = b'[{"T":"q","S":"ABC/USD","bp":0,"bs":0,"ap":2.5,"as":1,"t":"2024-03-12T10:38:51Z"}]'
    assert (change(quote).bid, change(quote).ask) == (None, Level(2.5, 1.0))


def test_a_share_has_an_exchange_and_no_aggressor():
    trade = b'[{"T":"t","i":9,"S":"XYZ","x":"V","p":1.5,"s":2,"t":"2024-03-12T10:38:51Z","c":["@","I"],"z":"B"}]'
    said = StockTrade("XYZ", 1_710_239_931_000_000_000, NOW_NS, 1.5, 2.0, 9, "V", ("@", "I"), "B")
    assert change(trade) == said
    taken = b'[{"T":"t","S":"ABC/USD","p":1.5,"s":2,"t":"2024-03-12T10:38:51Z","i":9,"tks":"B"}]'
    assert change(taken) == Trade("ABC/USD", said.at_ns, NOW_NS, 1.5, 2.0, Side.BUY)


def test_a_late_trade_updates_a_bar():
    bar = b'[{"T":"u","S":"XYZ","o":1,"h":4,"l":0.5,"c":2,"v":7,"t":"2024-03-12T10:38:00Z","n":3,"vw":1.25}]'
    start_ns = 1_710_239_880_000_000_000
    assert change(bar) == Candle("updatedBars", Bar("XYZ", start_ns, 60 * 10**9, 1, 4, 0.5, 2, 3), NOW_NS, 7.0, 1.25)


def test_what_is_not_market():
    frame = '[{"T":"success","msg":"connected"},{"T":"error","code":406,"msg":"connection limit exceeded"}]'
    assert decode(frame, NOW_NS) == (Greeted("connected"), Complaint(406, "connection limit exceeded"))
    frame = '[{"T":"subscription","trades":["A"],"quotes":null,"orderbooks":["B","C"],"updatedBars":["D"]}]'
    assert decode(frame, NOW_NS) == (Subscribed({"trades": ("A",), "orderbooks": ("B", "C"), "updatedBars": ("D",)}),)
    assert decode(b"[]", NOW_NS) == ()


def test_an_unknown_kind_does_not_hide_its_neighbours():
    frame = WHOLE[:-1] + b',{"T":"s","S":"XYZ","sc":"H"}]'
    book, other = decode(frame, NOW_NS)
    assert isinstance(book, BookChange)
    assert other == Other("s")


@pytest.mark.parametrize(
    "frame", [b'{"T":"success","msg":"connected"}', b"", b"\x81\x01", b"\xc1", WHOLE[:-5], "[" * 9_000]
)
def test_what_is_no_array_is_refused(frame):
    with pytest.raises(VenueMisspoke):
        decode(frame, NOW_NS)


GOOD = b'{"T":"q","S":"X","bp":1,"bs":2,"ap":3,"as":4,"t":"2024-03-12T10:38:51Z"}'


@pytest.mark.parametrize(
    "message",
    [
        b"1",
        b"{}",
        b'{"T":7}',
        WHOLE[1:-1].replace(b"71.5", b"-71.5"),
        WHOLE[1:-1].replace(b'"s":3', b'"s":1e300'),
        WHOLE[1:-1].replace(b"71.5", b'"71.5"'),
        WHOLE[1:-1].replace(b"2024-03-12T", b"2024-13-12T"),
        WHOLE[1:-1].replace(b"Z", b""),
        WHOLE[1:-1].replace(b".79613221", b".7961322100"),
        WHOLE[1:-1].replace(b"71.5", b"[" * 900 + b"]" * 900),
    ],
)
def test_damage_hides_no_neighbour(message):
    before, damaged, after = decode(b"[" + b",".join((GOOD, message, GOOD)) + b"]", NOW_NS)
    assert before == after == change(b"[" + GOOD + b"]")
    assert isinstance(damaged, Damaged)
    assert damaged.kind == ("o" if b'"o"' in message else "")
    assert damaged.symbol == ("ABC/USD" if b'"o"' in message else "")
    assert len(damaged.text) <= 400


@pytest.mark.parametrize(
    ("stamp", "ns"),
    [
        ("1970-01-01T00:00:01Z", 10**9),
        ("1970-01-01T00:00:01.5Z", 15 * 10**8),
        ("1969-12-31T20:00:01.000000001-04:00", 10**9 + 1),
        (Ext(-1, (7).to_bytes(4)), 7 * 10**9),
        (Ext(-1, (5 << 34 | 7).to_bytes(8)), 7 * 10**9 + 5),
        (Ext(-1, (5).to_bytes(4) + (7).to_bytes(8)), 7 * 10**9 + 5),
    ],
)
def test_times(stamp, ns):
    assert nanoseconds(stamp) == ns


@pytest.mark.parametrize("stamp", [Ext(1, b"\0" * 4), Ext(-1, b"\0" * 5)])
def test_other_extensions_are_no_times(stamp):
    frame = msgspec.msgpack.encode([{"T": "q", "S": "A", "bp": 1.0, "bs": 1, "ap": 2.0, "as": 1, "t": stamp}])
    [damaged] = decode(frame, NOW_NS)
    assert (damaged.kind, damaged.symbol) == ("q", "A")
    assert "not a msgpack timestamp" in damaged.text
