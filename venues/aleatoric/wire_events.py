"""The page's standard wire format: books and trades as an HTTP stream, files and the canonical reader have them.

Encoded with msgspec, an event is the API page's frame, key for key. Times are whole milliseconds: `timestamp_ms` is the
venue's, `capture_time_ms` when it arrived. `spread_bps` is the spread over the middle in basis points, to a millionth
(the page's example, 1 at 25,000, says 4.0 where 0.4 is right). With an empty side, its best price, the middle and the
spread are null.
"""

from collections.abc import Iterable, Iterator
from decimal import Decimal
from typing import Literal

import numpy as np
from msgspec import Struct

from supervisor.clock import NS_PER_MS
from venues.aleatoric.words import Ints, splitmix64, stream_of
from venues.market import Book, Level, Side, Trade

BPS = 10_000
SPREAD_DECIMALS = 6


class WireTrade(Struct, frozen=True, tag_field="event_type", tag="trade", forbid_unknown_fields=True):
    """A trade; `side` is the aggressor's."""

    timestamp_ms: int
    capture_time_ms: int
    symbol: str
    side: Literal["buy", "sell"]
    price: float
    size: float
    trade_id: str
    notional_usd: float


class WireBook(Struct, frozen=True, tag_field="event_type", tag="book", forbid_unknown_fields=True):
    """A whole book, best level first on both sides."""

    timestamp_ms: int
    capture_time_ms: int
    symbol: str
    bids: tuple[Level, ...]
    asks: tuple[Level, ...]
    best_bid: float | None
    best_ask: float | None
    mid_price: float | None
    spread_bps: float | None


WireEvent = WireTrade | WireBook


class WireFormat:
    """Writes market events as wire events.

    A trade's id is a hash of its symbol, its time and its rank among the symbol's trades of that nanosecond, so whoever
    starts at whatever block gives a trade the same id.
    """

    def __init__(self) -> None:
        self._ranks: dict[str, tuple[int, int]] = {}

    def of(self, event: Book | Trade) -> WireEvent:
        """One event; trades of a symbol must come in their order."""
        if isinstance(event, Trade):
            return self._trade(event)
        return wire_book(event)

    def stream(self, events: Iterable[object]) -> Iterator[WireEvent]:
        """The books and trades among some events."""
        return (self.of(event) for event in events if isinstance(event, Book | Trade))

    def _trade(self, trade: Trade) -> WireTrade:
        at_ns, rank = self._ranks.get(trade.symbol, (0, 0))
        rank = rank + 1 if at_ns == trade.at_ns else 0
        self._ranks[trade.symbol] = trade.at_ns, rank
        return WireTrade(
            timestamp_ms=trade.at_ns // NS_PER_MS,
            capture_time_ms=trade.received_ns // NS_PER_MS,
            symbol=trade.symbol,
            side="buy" if trade.side is Side.BUY else "sell",
            price=trade.price,
            size=trade.size,
            trade_id=trade_id(trade.symbol, trade.at_ns, rank),
            notional_usd=float(Decimal(repr(trade.price)) * Decimal(repr(trade.size))),
        )


def trade_id(symbol: str, at_ns: int, rank: int) -> str:
    """`trd_` and 16 hexadecimal digits."""
    return trade_ids(symbol, np.array([at_ns]), np.array([rank]))[0]


def trade_ids(symbol: str, at_ns: Ints, ranks: Ints) -> list[str]:
    """The ids of many trades of a symbol."""
    keys = np.uint64(stream_of(symbol)) ^ at_ns.astype(np.uint64)
    numbers = splitmix64(splitmix64(keys) + ranks.astype(np.uint64))
    return [f"trd_{number:016x}" for number in numbers.tolist()]


def wire_book(book: Book) -> WireBook:
    """A book with its middle and spread, exact to the last printed digit."""
    best_bid, best_ask = (side[0].price if side else None for side in (book.bids, book.asks))
    middle = spread = None
    if best_bid is not None and best_ask is not None:
        bid, ask = Decimal(repr(best_bid)), Decimal(repr(best_ask))
        middle, spread = float((bid + ask) / 2), round(float((ask - bid) * 2 * BPS / (bid + ask)), SPREAD_DECIMALS)
    return WireBook(
        timestamp_ms=book.at_ns // NS_PER_MS,
        capture_time_ms=book.received_ns // NS_PER_MS,
        symbol=book.symbol,
        bids=book.bids,
        asks=book.asks,
        best_bid=best_bid,
        best_ask=best_ask,
        mid_price=middle,
        spread_bps=spread,
    )
