"""The standard wire format: the API page's frames, exact derived numbers, ids, and the canonical reader's view."""

import json
from functools import cache

import msgspec
import pytest
from msgspec.structs import replace

from venues.aleatoric.canonical.events import BookEvent, to_market
from venues.aleatoric.canonical.normalise import normalise_all
from venues.aleatoric.events import EventMarketFeed, FeedEvent, Wanted
from venues.aleatoric.presets import get_preset
from venues.aleatoric.scenarios import parse_scenario
from venues.aleatoric.wire_events import WireBook, WireEvent, WireFormat, WireTrade
from venues.market import Book, Level, Trade

BTC, WLFI = get_preset("hyperliquid_perp_btc"), get_preset("hyperliquid_perp_wlfi")
MS = 1_000_000

# The API page's examples, with two levels for its dots and the spread that its prices have.
TRADE_FRAME = (
    '{"event_type":"trade","timestamp_ms":1678886400123,"capture_time_ms":1678886400125,"symbol":"BTC","side":"buy",'
    '"price":25000.0,"size":0.1,"trade_id":"trd_8a7b9c","notional_usd":2500.0}'
)
BOOK_FRAME = (
    '{"event_type":"book","timestamp_ms":1678886400100,"capture_time_ms":1678886400102,"symbol":"BTC",'
    '"bids":[{"price":24999.5,"size":1.2},{"price":24999.0,"size":2.0}],'
    '"asks":[{"price":25000.5,"size":0.8},{"price":25001.0,"size":0.5}],'
    '"best_bid":24999.5,"best_ask":25000.5,"mid_price":25000.0,"spread_bps":0.4}'
)


@cache
def heard() -> list[FeedEvent]:
    wanted = Wanted(seconds=600.0, channels=("books", "trades"))
    return list(EventMarketFeed([BTC, WLFI], wanted))


@cache
def said() -> list[WireEvent]:
    return list(WireFormat().stream(heard()))


@pytest.mark.parametrize("frame", [TRADE_FRAME, BOOK_FRAME])
def test_the_pages_frames_are_read_and_written_to_the_letter(frame):
    assert msgspec.json.encode(msgspec.json.decode(frame, type=WireEvent)).decode() == frame


@pytest.mark.parametrize(("kind", "frame"), [(WireTrade, TRADE_FRAME), (WireBook, BOOK_FRAME)])
def test_what_is_said_has_the_pages_keys_in_the_pages_order(kind, frame):
    event = json.loads(msgspec.json.encode(next(event for event in said() if isinstance(event, kind))))
    page = json.loads(frame)
    assert list(event) == list(page)
    assert {name: type(value) for name, value in event.items()} == {name: type(value) for name, value in page.items()}


def test_the_book_of_the_page_is_written_from_a_book():
    levels = [tuple(Level(*pair) for pair in side) for side in (((24999.5, 1.2), (24999.0, 2.0)), ((25000.5, 0.8), (25001.0, 0.5)))]  # fmt: skip  # noqa: E501
    book = Book("BTC", 1678886400100 * MS + 7, 1678886400102 * MS + 9, *levels)
    assert msgspec.json.encode(WireFormat().of(book)).decode() == BOOK_FRAME


def test_derived_numbers_are_exact():
    for event, wire in zip(heard(), said(), strict=True):
        assert (wire.timestamp_ms, wire.capture_time_ms) == (event.at_ns // MS, event.received_ns // MS)
        if isinstance(wire, WireTrade):
            assert wire.notional_usd == pytest.approx(wire.price * wire.size, rel=1e-15)
            assert len(repr(wire.notional_usd)) < 20
            continue
        assert (wire.best_bid, wire.best_ask) == (wire.bids[0].price, wire.asks[0].price)
        assert wire.mid_price == pytest.approx((wire.best_bid + wire.best_ask) / 2, rel=1e-15)
        assert len(repr(wire.mid_price)) <= 9
        spread = (wire.best_ask - wire.best_bid) / wire.mid_price * 10_000
        assert wire.spread_bps == pytest.approx(spread, abs=1e-5)


def test_ids_are_each_trades_own():
    trades = [wire for wire in said() if isinstance(wire, WireTrade)]
    at = [event.at_ns for event in heard() if isinstance(event, Trade)]
    assert len(set(at)) < len(at), "no order took from two levels, so ranks are untested"
    assert len({trade.trade_id for trade in trades}) == len(trades)


def test_ids_do_not_depend_on_where_one_begins():
    since = next(index for index, event in enumerate(heard()) if event.received_ns > heard()[0].received_ns + 10**11)
    assert list(WireFormat().stream(heard()[since:])) == said()[since:]


def test_the_canonical_reader_gives_back_what_was_written():
    read = normalise_all("synthetic", [msgspec.json.encode(wire) for wire in said()])
    assert not read.bad
    assert len(read.events) == len(said())
    for event, wire, canonical in zip(heard(), said(), read.events, strict=True):
        whole = replace(event, at_ns=event.at_ns // MS * MS, received_ns=event.received_ns // MS * MS)
        assert to_market(canonical) == whole
        if isinstance(wire, WireTrade):
            assert canonical.trade_id == wire.trade_id
        else:
            assert isinstance(canonical, BookEvent)


def test_an_empty_side_is_written_and_read():
    gone = replace(BTC, scenarios=(parse_scenario("one_sided@5s,for=10s,size=1"),))
    books = list(EventMarketFeed([gone], Wanted(seconds=30.0, channels=("books",))))
    wires = list(WireFormat().stream(books))
    empty = [wire for wire in wires if not wire.asks]
    assert empty
    assert {(wire.best_ask, wire.mid_price, wire.spread_bps) for wire in empty} == {(None, None, None)}
    read = normalise_all("synthetic", [msgspec.json.encode(wire) for wire in wires])
    assert not read.bad
    assert [bool(book.asks) for book in read.books] == [bool(wire.asks) for wire in wires]
