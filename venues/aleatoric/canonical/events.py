"""The canonical form of market data: a book event, a trade event, and what became of rows that are neither.

The seed calls the two NormalizedBookEvent and NormalizedTradeEvent. Prices and sizes are decimals, exactly as they were
written, because a canonical form that rounds is none. Every row of the input ends as events or as a report that names
its position; no row is lost without a word.
"""

from decimal import Decimal
from typing import Any

from msgspec import Struct
from msgspec.json import Encoder

from venues.market import Book, Level, Side, Trade

Levels = tuple[tuple[Decimal, Decimal], ...]
"""(price, size) of one side of a book, best first."""


class BookEvent(Struct, frozen=True, kw_only=True, tag_field="event_type", tag="book"):
    """A whole book at one moment; a side may be empty, and no book is crossed."""

    id: int  # 1, 2, 3... over books and trades of a run
    position: int  # of the row it came from, counted from 0
    venue: str
    symbol: str
    at_ns: int  # the venue's stamp, in nanoseconds since 1970; where the venue gives none, the time of receipt
    received_ns: int | None  # when it arrived, if anybody said so
    bids: Levels
    asks: Levels
    venue_data: dict[str, Any]  # what else the venue said of it, under the venue's own names


class TradeEvent(Struct, frozen=True, kw_only=True, tag_field="event_type", tag="trade"):
    """A trade that somebody made."""

    id: int
    position: int
    venue: str
    symbol: str
    at_ns: int
    received_ns: int | None
    price: Decimal
    size: Decimal
    side: Side | None  # the aggressor's; None: nobody was (an auction), or the venue doesn't say
    trade_id: str | None  # the venue's
    venue_data: dict[str, Any]


class BadRow(Struct, frozen=True, tag_field="event_type", tag="bad_row"):
    """A row, or one trade of a row of several, that could not be used."""

    position: int  # of the row, counted from 0
    field: str  # path in the payload: data.levels[0][3].px; empty where the row as a whole is meant
    value: str  # what stood there, shortened
    reason: str

    def __str__(self) -> str:
        return f"row {self.position}: {self.field or 'the row'} is {self.value or 'missing'}: {self.reason}"


class Unread(Struct, frozen=True, tag_field="event_type", tag="unread"):
    """A sound row that is no book and no trade: a candle, an answer, a change that a snapshot holds already."""

    position: int
    kind: str


Event = BookEvent | TradeEvent
Outcome = Event | BadRow | Unread


class BadRequest(ValueError):
    """The caller asked for something that is not there; names the argument, its value and what would be right."""


to_json = Encoder(decimal_format="number").encode
"""An outcome as JSON; prices and sizes become numbers with all their digits."""


def to_market(event: Event) -> Book | Trade:
    """The event in the market's own vocabulary, in floats.

    What was received at an unknown time counts as received when it happened. Raises ValueError for a trade without a
    side, for which the vocabulary has no word.
    """
    received_ns = event.at_ns if event.received_ns is None else event.received_ns
    if isinstance(event, BookEvent):
        bids, asks = (tuple(Level(float(p), float(s)) for p, s in side) for side in (event.bids, event.asks))
        return Book(event.symbol, event.at_ns, received_ns, bids, asks)
    if event.side is None:
        raise ValueError(f"trade {event.id} has no aggressor")
    return Trade(event.symbol, event.at_ns, received_ns, float(event.price), float(event.size), event.side)
