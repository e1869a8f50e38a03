"""SGX input: derivatives market data as JSON rows, of whole books (OMnet) or of single orders (ITCH).

SGX's own wire is binary: ITCH of Nasdaq's Genium INET, whose messages carry the second and the nanosecond apart. These
rows are its rendering in JSON: `Timestamp` is whole nanoseconds since 1970, prices are decimals, sides are B and S.
- Whole book: `{OrderBookID, Symbol?, Timestamp, Bids: [{Price, Quantity}], Asks: [...]}`, best first.
- Trade: `{OrderBookID, Timestamp, Price, Quantity, DealID?, Side?}` or `MessageType` P with MatchID; Side is the
  aggressor's, and blank where nobody was.
- Orders, by `MessageType`: A adds {OrderID, Side, Quantity, Price}; U replaces it with a new Quantity and Price; D
  deletes it; E executes {OrderID, Side, ExecutedQuantity, MatchID} of it at its price, C at `TradePrice`. Each is a new
  book; E and C are a trade as well, whose aggressor is the other side's.
Other messages of it (T seconds, R and M directory, S system, O state, L ticks, Z equilibrium) pass by.

OrderIDs are unique per book and side. A run begins with empty books, as a day does. A message that can't be read, or
that executes an order nobody added, puts that order in doubt; the book is not told until the order was deleted or
replaced. If even the order can't be read, or a whole book was stated (its orders have no ids), only whole books
tell it.
"""

from collections.abc import Iterator
from decimal import Decimal
from typing import Any

from venues.aleatoric.canonical.events import BadRow
from venues.aleatoric.canonical.fields import SMALLEST, Fault, Fields, Foreign, Repeated, Unit, whole
from venues.aleatoric.canonical.ladder import Ladder
from venues.aleatoric.canonical.order import KEYS_MAX
from venues.aleatoric.canonical.row import Draft, Read, Row
from venues.market import Side

VENUE = "sgx"
RESTING = {"B": Side.BUY, "S": Side.SELL}
AGGRESSORS = {**RESTING, "": None, " ": None}
ORDER_MESSAGES = ("A", "U", "D", "E", "C")
OTHER_MESSAGES = ("T", "S", "R", "L", "M", "O", "Z")


_Key = tuple[int, Side]
_Deal = tuple[Decimal, Decimal, Side | None]


class _Orders:
    """One book's orders, and the levels that they add up to."""

    def __init__(self) -> None:
        self.ladder = Ladder()
        self.orders: dict[_Key, tuple[Decimal, Decimal]] = {}
        self.doubts: dict[_Key, str] = {}  # orders whose size is unknown, and why
        self.matches: dict[tuple[str, int], None] = {}  # (MatchID, OrderID) of executions that were counted
        self._lost = ""

    def lose(self, why: str) -> None:
        """Trust the levels no more; the orders still tell at what price they trade."""
        self._lost = self._lost or why

    @property
    def unknown(self) -> str:
        """Why the levels can't be trusted; empty if they can."""
        return self._lost or next(iter(self.doubts.values()), "")

    def put(self, key: _Key, price: Decimal, size: Decimal) -> None:
        """Set an order; one of size zero is gone."""
        bid = key[1] is Side.BUY
        if key in self.orders:
            old_price, old_size = self.orders.pop(key)
            self.ladder.add(bid, old_price, -old_size)
        if size:
            self.orders[key] = price, size
            self.ladder.add(bid, price, size)


class SgxSource:
    """Reads what SGX says, and keeps the orders of each book."""

    def __init__(self, levels_max: int) -> None:
        self._levels_max = levels_max
        self._books: dict[str, _Orders] = {}
        self._missed = ""  # why a book that is new may have begun already

    def read(self, row: Row) -> Iterator[Read]:
        """A row is a message. Raises Fault."""
        try:
            fields = Fields(row.payload)
        except Fault:
            self.missed(row.position)
            raise
        kind = str(fields.data.get("MessageType", ""))
        if kind in ORDER_MESSAGES:
            yield from self._order(row, fields, kind)
        elif "Bids" in fields.data or "Asks" in fields.data:
            yield self._whole(row, fields)
        elif kind == "P" or (not kind and "Price" in fields.data):
            yield _trade(row, fields)
        elif kind in OTHER_MESSAGES:
            yield row.unread(f"MessageType {kind}")
        else:
            self.missed(row.position)
            known = ", ".join((*ORDER_MESSAGES, "P", *OTHER_MESSAGES))
            reason = f"it must be one of {known}, or left out of a whole book or a trade"
            raise Fault("MessageType", fields.data.get("MessageType"), reason)

    def missed(self, position: int) -> None:
        """It may have been an order of any book, seen or not."""
        self._missed = f"row {position} can't be given to a book"
        for book in self._books.values():
            book.lose(self._missed)

    def finish(self) -> Iterator[Read]:
        """Nothing waits here."""
        return iter(())

    def _whole(self, row: Row, fields: Fields) -> Draft:
        at_ns, symbol = fields.stamp("Timestamp", Unit.NS), _symbol(row, fields)
        bids, asks = fields.levels("Bids", "Price", "Quantity"), fields.levels("Asks", "Price", "Quantity")
        sides = bids[: self._levels_max], asks[: self._levels_max]
        draft = Draft(row.book(VENUE, symbol, at_ns, sides, fields.left()), "book")
        self._books.setdefault(symbol, _Orders()).lose(f"row {row.position} stated it without its orders")
        return draft

    def _order(self, row: Row, fields: Fields, kind: str) -> Iterator[Read]:
        """A change of an order: a trade if it was executed, and the book after it. Raises Fault."""
        try:
            symbol = _symbol(row, fields)
        except Foreign:
            raise
        except Fault:
            self.missed(row.position)
            raise
        if (book := self._books.get(symbol)) is None:
            book = self._books[symbol] = _Orders()
            book.lose(self._missed)
        traded = _apply(book, fields, kind, row.position)
        at_ns = fields.stamp("Timestamp", Unit.NS)
        said = fields.left()
        if traded:
            match = str(fields.need("MatchID")) if fields.data.get("MatchID") is not None else None
            key = f"{match}/{fields.need('OrderID')}" if match else None
            yield Draft(row.trade(VENUE, symbol, at_ns, traded, match, said), "trade", key)
        yield self._told(row, book, (symbol, at_ns), said)

    def _told(self, row: Row, book: _Orders, when: tuple[str, int], said: dict[str, Any]) -> Draft | BadRow:
        symbol, at_ns = when
        if why := book.unknown:
            return BadRow(row.position, "", symbol, f"the book is unknown: {why}")
        try:
            return Draft(row.book(VENUE, symbol, at_ns, book.ladder.best(self._levels_max), said), "book")
        except Fault as fault:
            return row.bad(fault)


def _apply(book: _Orders, fields: Fields, kind: str, position: int) -> _Deal | None:
    """Change an order; what was traded by it, if anything was. Raises Fault."""
    try:
        side: Side = fields.choice("Side", RESTING)
        key = whole(fields.need("OrderID"), fields.path("OrderID")), side
    except Fault:
        book.lose(f"row {position} can't be given to an order")
        raise
    if kind == "A" and key in book.orders:
        raise Fault(fields.path("OrderID"), key[0], "a duplicate: this order is in the book")
    if kind == "D":
        _delete(book, fields, key)
        return None
    doubted = key in book.doubts
    try:
        if kind in {"A", "U"}:
            if kind == "U" and key not in book.orders and not doubted:
                raise _stranger(fields, key)
            book.put(key, fields.number("Price"), fields.number("Quantity"))
            book.doubts.pop(key, None)
            return None
        return _execute(book, fields, key, kind)
    except Repeated:
        raise
    except Fault:
        book.doubts.setdefault(key, f"order {key[0]} was not read in row {position}")
        raise


def _delete(book: _Orders, fields: Fields, key: _Key) -> None:
    """Take an order away, and any doubt of it. Raises Fault."""
    if key not in book.orders and key not in book.doubts:
        raise _stranger(fields, key)
    book.doubts.pop(key, None)
    book.put(key, SMALLEST, Decimal(0))


def _execute(book: _Orders, fields: Fields, key: _Key, kind: str) -> _Deal:
    """Take from an order what was traded of it. Raises Fault."""
    if key not in book.orders:
        raise _stranger(fields, key)
    match = str(fields.data.get("MatchID") or "")
    if (match, key[0]) in book.matches:
        raise Repeated(fields.path("MatchID"), match, "a duplicate: this match was counted")
    (price, size), executed = book.orders[key], fields.number("ExecutedQuantity")
    if executed > size:
        raise Fault(fields.path("ExecutedQuantity"), executed, f"the order has {size} left")
    paid = fields.number("TradePrice") if kind == "C" else price
    book.put(key, price, size - executed)
    if match:
        book.matches[match, key[0]] = None
        if len(book.matches) > KEYS_MAX:
            del book.matches[next(iter(book.matches))]
    return paid, executed, key[1].opposite


def _stranger(fields: Fields, key: _Key) -> Fault:
    return Fault(fields.path("OrderID"), key[0], "no such order is in the book")


def _trade(row: Row, fields: Fields) -> Draft:
    at_ns, symbol = fields.stamp("Timestamp", Unit.NS), _symbol(row, fields)
    side = fields.choice("Side", AGGRESSORS) if fields.data.get("Side") is not None else None
    price = fields.number("TradePrice" if "TradePrice" in fields.data else "Price")
    deal = price, fields.number("Quantity"), side
    name = next((name for name in ("DealID", "MatchID") if fields.data.get(name) is not None), None)
    trade_id = fields.text(name) if name else None
    return Draft(row.trade(VENUE, symbol, at_ns, deal, trade_id, fields.left()), "trade", trade_id)


def _symbol(row: Row, fields: Fields) -> str:
    """The book's name: Symbol, or the caller's word for it, or the OrderBookID."""
    if fields.data.get("Symbol") is not None:
        return row.symbol_of(fields, "Symbol")
    return row.symbol or row.only or str(fields.whole("OrderBookID"))
