"""One row of the input, opened: JSON or a dict, bare or wrapped, and what a source makes of it."""

from collections.abc import Hashable, Iterator, Mapping
from decimal import Decimal
from typing import Any, Protocol

from msgspec import DecodeError, Struct, to_builtins
from msgspec.json import Decoder

from venues.aleatoric.canonical.events import BadRow, BookEvent, Event, Levels, TradeEvent, Unread
from venues.aleatoric.canonical.fields import Fault, Fields, Foreign, Unit, shown, stamp_ns, uncrossed
from venues.market import Side

_json = Decoder(float_hook=Decimal)

UNNUMBERED = 0
"""The id of an event that has not yet found its place in the run."""


class Draft(Struct, frozen=True):
    """An event before its number, and what it is to be judged by."""

    event: Event
    channel: str  # stamps of one symbol's channel go forward; channels among themselves need not
    key: Hashable = None  # of a trade that would be the same if it came again; None: nothing tells


Read = Draft | BadRow | Unread


class Row(Struct, frozen=True):
    """A row: its place, what it says, and what the caller knows of it."""

    position: int
    payload: Any
    received_ns: int | None  # from the wrapper
    symbol: str | None  # from the wrapper, for rows that don't name theirs
    only: str | None  # the one symbol the run is of; None: any

    def symbol_of(self, fields: Fields, name: str) -> str:
        """The symbol a row is about: its own, or else the wrapper's, or the run's. Raises Fault."""
        found = fields.text(name) if fields.data.get(name) is not None else self.symbol or self.only
        if found is None:
            raise Fault(fields.path(name), None, "neither the row nor the request says which symbol it is")
        if self.only is not None and found != self.only:
            raise Foreign(fields.path(name), found, f"this run is of {self.only}")
        return found

    def arrival_ns(self, fields: Fields, name: str) -> int:
        """The time of receipt, for rows that carry no time of their own. Raises Fault."""
        if self.received_ns is None:
            raise Fault(fields.path(name), None, "such a row has no time: give received_ns beside its payload")
        return self.received_ns

    def book(
        self, venue: str, symbol: str, at_ns: int, sides: tuple[Levels, Levels], said: dict[str, Any]
    ) -> BookEvent:
        """A book of this row. Raises Fault where it is crossed or out of order."""
        uncrossed(*sides, "")
        return BookEvent(
            id=UNNUMBERED,
            position=self.position,
            venue=venue,
            symbol=symbol,
            at_ns=at_ns,
            received_ns=self.received_ns,
            bids=sides[0],
            asks=sides[1],
            venue_data=said,
        )

    def trade(
        self,
        venue: str,
        symbol: str,
        at_ns: int,
        deal: tuple[Decimal, Decimal, Side | None],
        trade_id: str | None,
        said: dict[str, Any],
    ) -> TradeEvent:
        """A trade of this row; the deal is price, size and the aggressor's side."""
        price, size, side = deal
        return TradeEvent(
            id=UNNUMBERED,
            position=self.position,
            venue=venue,
            symbol=symbol,
            at_ns=at_ns,
            received_ns=self.received_ns,
            price=price,
            size=size,
            side=side,
            trade_id=trade_id,
            venue_data=said,
        )

    def bad(self, fault: Fault) -> BadRow:
        """The report of a fault in this row."""
        return bad_row(self.position, fault)

    def unread(self, kind: object) -> Unread:
        """The report that this row is sound and of no interest."""
        return Unread(self.position, shown(kind))


class Source(Protocol):
    """Reads the rows of one kind of source, in their order; sees one run, and may remember."""

    def read(self, row: Row) -> Iterator[Read]:
        """What a row says. Raises Fault where the row as a whole can't be used."""

    def missed(self, position: int) -> None:
        """A row could not even be opened: if it was a change, the book it was for is unknown."""

    def finish(self) -> Iterator[Read]:
        """What is still to be said when the input has ended."""


def bad_row(position: int, fault: Fault) -> BadRow:
    """The report of a fault."""
    return BadRow(position, fault.field, fault.value, fault.reason)


def open_row(position: int, given: object, only: str | None) -> Row:
    """Parse a row, and take off its wrapper `{payload, received_ns, symbol}` if it has one. Raises Fault."""
    payload, received_ns, symbol = parsed(given), None, None
    if isinstance(payload, Mapping) and "payload" in payload and "type" not in payload:
        wrapper = Fields(payload)  # `type` beside `payload` is an event of the composite pair, which is no wrapper
        payload = parsed(wrapper.need("payload"))
        if payload_time := wrapper.data.get("received_ns"):
            received_ns = stamp_ns(payload_time, Unit.NS, "received_ns")
        symbol = wrapper.text("symbol") if wrapper.data.get("symbol") is not None else None
    return Row(position, payload, received_ns, symbol, only)


def parsed(given: object) -> object:
    """What JSON says, decimals kept exact; a struct as a dict; anything else is taken as it is. Raises Fault."""
    if isinstance(given, Struct):
        return to_builtins(given)
    if not isinstance(given, str | bytes | bytearray | memoryview):
        return given
    try:
        return _json.decode(given)
    except (DecodeError, RecursionError, UnicodeError) as error:
        text = bytes(given).decode("utf-8", "replace") if not isinstance(given, str) else given
        raise Fault("", ascii(text)[1:-1], f"it must be JSON: {error}") from error
