"""Binance's input: changes of depth with their snapshot, partial depth, trades and the best bid and ask.

Read are, bare or as `{stream, data}` of a combined stream, with the venue's one-letter names:
- `depthUpdate` {E, s, U, u, b, a}, of futures also {T, pu}: changes, which need a snapshot;
- a snapshot `{lastUpdateId, bids, asks}` of REST, of futures also {E, T}; it tells a book only if it has a time;
- partial depth, the same fields under a stream name with @depth5, 10 or 20 (futures: a depthUpdate under such a name);
- `trade` and `aggTrade`; m says that the buyer was the maker, so that the aggressor sold; futures' trades whose X is
  NA, of price and size 0, are none of the market's and pass by;
- `bookTicker`, a book of one level a side, whose price and size are 0 where a side is empty; that of spot has no "e"
  and no time.
Other events, acknowledgements and errors are passed by. Times are milliseconds: T, the matching engine's, where it is
given, otherwise E. What carries no time counts as happened when it was received, and is bad if nobody says when that
was. A snapshot names no symbol: the wrapper's, or the run's, is taken.

How changes follow a snapshot is the venue's own rule ("How to manage a local order book correctly", developer pages of
spot and of USD-M futures): changes before it are kept until it is there; what it holds already is dropped; the first
one applied must reach over lastUpdateId, each later one must join the one before (spot: U is u + 1; futures: pu is u).
"""

import re
from collections import deque
from collections.abc import Iterator
from decimal import Decimal
from typing import Any

from msgspec import Struct

from venues.aleatoric.canonical.events import BadRow, Levels, Unread
from venues.aleatoric.canonical.fields import Fault, Fields, Pair, Unit, decimal_of, levels, uncrossed
from venues.aleatoric.canonical.ladder import Ladder
from venues.aleatoric.canonical.row import Draft, Read, Row
from venues.market import Side

VENUE = "binance"
PARTIAL = re.compile(r"(?P<symbol>[^@]+)@depth(5|10|20)(@|$)")
LEVEL = ("0", "1")  # a level is a list: price, size
TRADE_IDS = {"trade": "t", "aggTrade": "a"}

WAITING_MAX = 4096
"""Changes kept until a snapshot comes: 7 minutes of the 100 ms stream, and a REST answer takes a second."""


class _Change(Struct, frozen=True):
    """A change of depth, read and not yet applied."""

    row: Row
    symbol: str
    at_ns: int
    first: int  # U
    last: int  # u
    before: int | None  # pu; None on spot
    bids: tuple[Pair, ...]
    asks: tuple[Pair, ...]
    said: dict[str, Any]
    fault: Fault | None  # its time is bad: the change counts, but no book can be told of it


class _Feed:
    """One symbol's changes: the book, the number it is at, and what waits for a snapshot."""

    def __init__(self) -> None:
        self.ladder: Ladder | None = None
        self.at = 0  # u of the last change, or lastUpdateId
        self.fresh = True  # nothing was applied since the snapshot
        self.waiting: deque[_Change] = deque()
        self.why = "no snapshot has come"

    def lose(self, why: str) -> None:
        """Trust the book no more until a snapshot comes."""
        self.ladder, self.why = None, why


class BinanceSource:
    """Reads what Binance says, and keeps each symbol's book."""

    def __init__(self, levels_max: int) -> None:
        self._levels_max = levels_max
        self._feeds: dict[str, _Feed] = {}

    def read(self, row: Row) -> Iterator[Read]:
        """A row is a message. Raises Fault."""
        stream, fields = _opened(row.payload)
        kind, partial = _kind(fields), PARTIAL.match(stream)
        said = {"stream": stream} if stream else {}
        if partial and kind in {"depthUpdate", "snapshot"}:
            yield self._partial(row, fields, said)
        elif kind == "depthUpdate":
            yield from self._depth(row, fields, said)
        elif kind == "snapshot":
            yield from self._snapshot(row, fields, said)
        elif kind == "bookTicker":
            yield _ticker(row, fields, said)
        elif kind in TRADE_IDS and fields.data.get("X") == "NA":
            yield row.unread(f"{kind} of type NA")
        elif kind in TRADE_IDS:
            yield _trade(row, fields, said)
        else:
            yield row.unread(kind)

    def missed(self, position: int) -> None:
        """The numbers of the changes will show whether one is missing."""

    def finish(self) -> Iterator[Read]:
        """Changes that waited in vain."""
        for feed in self._feeds.values():
            for change in feed.waiting:
                yield _unused(change, feed)

    def _partial(self, row: Row, fields: Fields, said: dict[str, Any]) -> Draft:
        """A whole book of few levels."""
        at_ns = _time(row, fields)
        symbol = row.symbol_of(fields, "s") if "s" in fields.data else _streamed(row, fields, said["stream"])
        names = ("bids", "asks") if "bids" in fields.data else ("b", "a")
        sides = [fields.levels(name, *LEVEL)[: self._levels_max] for name in names]
        return Draft(row.book(VENUE, symbol, at_ns, (sides[0], sides[1]), said | fields.left()), "partial")

    def _snapshot(self, row: Row, fields: Fields, said: dict[str, Any]) -> Iterator[Read]:
        """A whole book, and then the changes that waited for it."""
        symbol, last = row.symbol_of(fields, "s"), fields.whole("lastUpdateId")
        bids, asks = fields.levels("bids", *LEVEL), fields.levels("asks", *LEVEL)
        uncrossed(bids, asks, fields.path("")[:-1])
        feed = self._feeds.setdefault(symbol, _Feed())
        if feed.ladder is not None and last < feed.at:
            yield row.unread("snapshot older than the book")
            return
        ladder = Ladder(bids, asks)
        timed = any(name in fields.data for name in ("T", "E"))
        at_ns = _time(row, fields) if timed else 0
        book = row.book(VENUE, symbol, at_ns, ladder.best(self._levels_max), said | fields.left())
        feed.ladder, feed.at, feed.fresh = ladder, last, True
        yield Draft(book, "depth") if timed else row.unread("snapshot")
        while feed.waiting and feed.ladder is not None:
            yield self._applied(feed, feed.waiting.popleft())

    def _depth(self, row: Row, fields: Fields, said: dict[str, Any]) -> Iterator[Read]:
        symbol = row.symbol_of(fields, "s")
        feed = self._feeds.setdefault(symbol, _Feed())
        try:
            change = _change(row, symbol, fields, said)
        except Fault as fault:
            feed.lose(f"the change of row {row.position} could not be read")
            raise fault from None
        if feed.ladder is None:
            feed.waiting.append(change)
            if len(feed.waiting) > WAITING_MAX:
                yield _unused(feed.waiting.popleft(), feed)
        else:
            yield self._applied(feed, change)

    def _applied(self, feed: _Feed, change: _Change) -> Draft | BadRow | Unread:
        """What the book is after a change; a change that doesn't join makes it unknown."""
        futures = change.before is not None
        if feed.ladder is None:
            raise AssertionError("a change was applied to no book")
        if feed.fresh and (change.last < feed.at or (change.last == feed.at and not futures)):
            return change.row.unread("depthUpdate that the snapshot holds")
        if change.last <= feed.at and not feed.fresh:
            fault = Fault("u", change.last, f"a duplicate, or out of order: the book is at {feed.at} already")
            return change.row.bad(fault)
        if feed.fresh:
            joined = change.first <= feed.at + (0 if futures else 1)
        else:
            joined = change.before == feed.at if futures else change.first == feed.at + 1
        if not joined:
            feed.lose(f"changes are missing before row {change.row.position}")
            name, value = ("pu", change.before) if futures and not feed.fresh else ("U", change.first)
            return change.row.bad(Fault(name, value, f"changes are missing: the book is at {feed.at}"))
        feed.ladder.change(change.bids, change.asks)
        feed.at, feed.fresh = change.last, False
        if change.fault is not None:
            return change.row.bad(change.fault)
        try:
            sides = feed.ladder.best(self._levels_max)
            return Draft(change.row.book(VENUE, change.symbol, change.at_ns, sides, change.said), "depth")
        except Fault as fault:
            feed.lose(f"the change of row {change.row.position} crossed the book")
            return change.row.bad(fault)


def _opened(payload: object) -> tuple[str, Fields]:
    """Name of the stream, empty where none is said, and the message. Raises Fault."""
    outer = Fields(payload)
    if "stream" in outer.data and "data" in outer.data:
        return outer.text("stream"), Fields(outer.need("data"), "data")
    return "", outer


def _kind(fields: Fields) -> str:
    """What a message is: its event type, or what its fields make it. Raises Fault."""
    if fields.data.get("e") is not None:
        return str(fields.need("e"))
    if "lastUpdateId" in fields.data:
        return "snapshot"
    if {"b", "B", "a", "A"} <= fields.data.keys():
        return "bookTicker"
    if any(name in fields.data for name in ("result", "error", "code")):
        return "answer"
    raise Fault(fields.path("e"), None, "it must be there, unless the row is a snapshot, a bookTicker or an answer")


def _time(row: Row, fields: Fields) -> int:
    """The venue's time of a message, or that of its receipt."""
    for name in ("T", "E"):
        if name in fields.data:
            at_ns = fields.stamp(name, Unit.MS)
            if name == "T" and fields.data.get("E") is not None:
                Fields(fields.data, fields.path("")[:-1]).stamp("E", Unit.MS)  # kept, so it must be a time as well
            return at_ns
    return row.arrival_ns(fields, "E")


def _streamed(row: Row, fields: Fields, stream: str) -> str:
    """The symbol of a message that names none: the wrapper's or the run's, or else what its stream is called by."""
    named = stream.partition("@")[0].upper()
    if row.symbol is None and row.only is None:
        return named
    return row.symbol_of(Fields({"s": named}, fields.path("")[:-1]), "s")


def _change(row: Row, symbol: str, fields: Fields, said: dict[str, Any]) -> _Change:
    first, last = fields.whole("U"), fields.whole("u")
    before = fields.whole("pu") if "pu" in fields.data else None
    if last < first:
        raise Fault(fields.path("u"), last, f"it must not be below U, {first}")
    bids, asks = (levels(fields.rows(name), fields.path(name), LEVEL, empty=True) for name in ("b", "a"))
    fields.take("s")
    try:
        at_ns, fault = _time(row, fields), None
    except Fault as bad_time:
        at_ns, fault = 0, bad_time
    return _Change(row, symbol, at_ns, first, last, before, bids, asks, said | fields.left(), fault)


def _ticker(row: Row, fields: Fields, said: dict[str, Any]) -> Draft:
    symbol, at_ns = row.symbol_of(fields, "s"), _time(row, fields)
    bids, asks = _touch(fields, "b", "B"), _touch(fields, "a", "A")
    return Draft(row.book(VENUE, symbol, at_ns, (bids, asks), said | fields.left()), "bookTicker")


def _touch(fields: Fields, price: str, size: str) -> Levels:
    """The one level of a side; none where both are zero."""
    if all(decimal_of(fields.take(name)) == 0 for name in (price, size)):
        return ()
    return ((fields.number(price), fields.number(size)),)


def _trade(row: Row, fields: Fields, said: dict[str, Any]) -> Draft:
    symbol, at_ns, kind = row.symbol_of(fields, "s"), _time(row, fields), fields.need("e")
    maker_bought = fields.take("m")
    if not isinstance(maker_bought, bool):
        raise Fault(fields.path("m"), maker_bought, "it must be true or false")
    deal: tuple[Decimal, Decimal, Side] = (
        fields.number("p"),
        fields.number("q"),
        Side.SELL if maker_bought else Side.BUY,
    )
    trade_id = str(fields.whole(TRADE_IDS[kind]))
    return Draft(row.trade(VENUE, symbol, at_ns, deal, trade_id, said | fields.left()), kind, trade_id)


def _unused(change: _Change, feed: _Feed) -> BadRow:
    fault = Fault("u", change.last, f"the change can't be applied: {feed.why}")
    return change.row.bad(fault)
