"""CME input: market data of MDP 3.0 as JSON rows under FIX's names.

CME's own wire is binary (Simple Binary Encoding over multicast); these rows are its rendering in JSON, as decoders
print it. Read is a message `{TransactTime, MatchEventIndicator?, MsgType?, NoMDEntries: [entry, ...]}` or one entry
with its message's fields around it. Of an entry:
- `SecurityID` and/or `Symbol`: the instrument; Symbol names it where it is there,
- `MDEntryType`: 0 bid, 1 offer, 2 trade, J empty book; others that CME has (implied E and F, settlement 6...) pass by,
- `MDEntryPx`, `MDEntrySize`: decimals, not mantissas; positive, so spreads at a negative price are refused,
- `MDPriceLevel`: 1 is the best, `MDUpdateAction`: 0 new, 1 change, 2 delete, 5 overlay; 3 and 4 (delete thru and from)
  are read differently by FIX's texts and CME's, so they make the book unknown instead of perhaps wrong,
- `RptSeq`: counts an instrument's entries, so a missing one shows; may be left out,
- `TransactTime`: nanoseconds since 1970, of the entry or of its message,
- `AggressorSide` of a trade: 1 buy, 2 sell, 0 or nothing: nobody's; `TradeID` or `MDTradeEntryID`, if there.

Entries without MDUpdateAction (a 35=W snapshot, or rows of the top of the book) state what a side is, as a whole. A run
begins with empty books, as a session does; one that begins later needs a whole statement first, else its first change
of a level that is not there makes the book unknown. A book is told after the entries of a row, or, if the row has a
MatchEventIndicator, when that says that the last quote (bit 2) or the event (bit 7) is there: in between it may be
crossed. (Book management and MatchEventIndicator: CME's client pages on MDP 3.0 market by price.)
"""

from collections.abc import Iterator
from typing import Any

from venues.aleatoric.canonical.events import BadRow
from venues.aleatoric.canonical.fields import Fault, Fields, Foreign, Pair, Repeated, Unit, items, plain
from venues.aleatoric.canonical.row import Draft, Read, Row
from venues.market import Side

VENUE = "cme"
BID, OFFER, TRADE, EMPTY = "0", "1", "2", "J"
NEW, CHANGE, DELETE, OVERLAY = "0", "1", "2", "5"
AGGRESSORS = {"0": None, "1": Side.BUY, "2": Side.SELL}
BOOK_ENTRIES = (BID, OFFER, EMPTY)
OTHER_ENTRIES = {*"46789ABCEFGNOWeg"}  # prices and volumes of the session, implied quotes, limits

HELD = {"TransactTime", "Symbol", "NoMDEntries", "MDEntryPx", "MDEntrySize", "MDEntryType"}
"""Fields of a message that its book event holds, in one form or another."""

DEPTH = 10
"""Levels of a side that CME keeps: a new level pushes the eleventh out without a word."""

QUOTES_DONE = 1 << 2 | 1 << 7
"""Bits of MatchEventIndicator: last quote message, end of event."""


class _Instrument:
    """One instrument's book, by level."""

    def __init__(self) -> None:
        self.sides: dict[str, list[Pair]] = {BID: [], OFFER: []}
        self.lost: dict[str, str] = {}  # why a side is unknown
        self.sequence: int | None = None
        self.said: list[dict[str, Any]] = []  # of entries that are not told yet

    def lose(self, why: str) -> None:
        """Trust neither side until it is stated as a whole."""
        self.lost, self.said = dict.fromkeys((BID, OFFER), why), []

    def state(self, side: str, levels: list[Pair]) -> None:
        """Take a side as it is stated."""
        self.sides[side] = levels[:DEPTH]
        self.lost.pop(side, None)


class _Message:
    """What the entries of one row add up to."""

    def __init__(self) -> None:
        self.stated: dict[tuple[str, str], list[Pair]] = {}  # (symbol, side) and its levels
        self.touched: dict[str, int] = {}  # symbols whose book changed, and when
        self.broken: set[str] = set()  # symbols with an entry that could not be read


class CmeSource:
    """Reads what CME says, and keeps each instrument's book."""

    def __init__(self, levels_max: int) -> None:
        self._levels_max = levels_max
        self._instruments: dict[str, _Instrument] = {}
        self._ids: dict[str, str] = {}
        self._missed = ""  # why an instrument that is new may have begun already

    def read(self, row: Row) -> Iterator[Read]:
        """A row is a message. Raises Fault."""
        try:
            message = Fields(row.payload)
            entries, done = _entries(message), _quotes_done(message)
        except Fault:
            self.missed(row.position)
            raise
        sum_ = _Message()
        said: list[Read] = []
        for entry in entries:
            try:
                said.extend(self._entry(row, (message, entry), sum_))
            except Fault as fault:
                if (bad := row.bad(fault)) not in said:  # a field of the message is bad in each of its entries
                    said.append(bad)
        self._state(sum_, message.data.get("MsgType") == "W")
        for symbol, at_ns in sum_.touched.items() if done else ():
            if symbol not in sum_.broken:
                said.append(self._told(row, symbol, at_ns))
        yield from said or [row.unread("entries of an event that goes on")]

    def missed(self, position: int) -> None:
        """Where RptSeq is counted, it will show whether an entry is missing; elsewhere nobody could tell."""
        self._missed = f"row {position} can't be given to an instrument"
        for instrument in self._instruments.values():
            if instrument.sequence is None:
                instrument.lose(self._missed)

    def finish(self) -> Iterator[Read]:
        """Nothing waits here but parts of an event, which are no book."""
        return iter(())

    def _state(self, sum_: _Message, whole: bool) -> None:
        """Take over the sides that a message states; a snapshot that doesn't mention a side says that it is empty."""
        for symbol in sorted({symbol for symbol, _ in sum_.stated} - sum_.broken):
            for side in (BID, OFFER):
                if whole or (symbol, side) in sum_.stated:
                    self._instruments[symbol].state(side, sum_.stated.get((symbol, side), []))

    def _entry(self, row: Row, where: tuple[Fields, Fields], sum_: _Message) -> list[Read]:
        """A trade, or nothing where the entry went into the book. Raises Fault."""
        message, entry = where
        try:
            symbol = self._symbol(row, entry, message)
            kind = entry.text("MDEntryType")
        except Foreign:
            raise
        except Fault:
            self.missed(row.position)
            raise
        if (instrument := self._instruments.get(symbol)) is None:
            instrument = self._instruments[symbol] = _Instrument()
            if self._missed:
                instrument.lose(self._missed)
        stating = kind != TRADE and "MDUpdateAction" not in entry.data
        counter = entry if "RptSeq" in entry.data or not stating else message
        if kind == TRADE or kind in OTHER_ENTRIES:
            _count(row, instrument, counter, stating)
            return [_trade(row, symbol, message, entry) if kind == TRADE else row.unread(f"MDEntryType {kind}")]
        try:
            _count(row, instrument, counter, stating)
            if kind not in BOOK_ENTRIES:
                raise Fault(entry.path("MDEntryType"), kind, "CME has no such entries")
            self._change(instrument, (symbol, kind), entry, sum_.stated)
        except Repeated:
            raise
        except Fault:
            instrument.lose(f"row {row.position} could not be read")
            sum_.broken.add(symbol)
            raise
        sum_.touched[symbol] = _time(message, entry)
        instrument.said.append(entry.left() if entry is not message else {})
        return []

    def _symbol(self, row: Row, entry: Fields, message: Fields) -> str:
        """The instrument's name: Symbol, or the caller's word for it, or the SecurityID; never two for one name."""
        where = next((each for each in (entry, message) if each.data.get("Symbol") is not None), None)
        security = next((each for each in (entry, message) if each.data.get("SecurityID") is not None), None)
        security_id = str(security.whole("SecurityID")) if security else None
        if where is not None:
            symbol = row.symbol_of(where, "Symbol")
        else:
            symbol = row.symbol or row.only or security_id or row.symbol_of(entry, "Symbol")
        if security and security_id and self._ids.setdefault(symbol, security_id) != security_id:
            known = self._ids[symbol]
            raise Fault(security.path("SecurityID"), security_id, f"that of {symbol} was {known} before")
        return symbol

    def _change(
        self,
        instrument: _Instrument,
        place: tuple[str, str],
        entry: Fields,
        stated: dict[tuple[str, str], list[Pair]],
    ) -> None:
        """Take an entry into the book. Raises Fault."""
        _, side = place
        if side == EMPTY:
            for each in (BID, OFFER):
                instrument.state(each, [])
            return
        level = entry.whole("MDPriceLevel") if "MDPriceLevel" in entry.data else 1
        path = entry.path("MDPriceLevel")
        if not 1 <= level <= DEPTH:
            raise Fault(path, level, f"levels go from 1 to {DEPTH}")
        if "MDUpdateAction" not in entry.data:
            levels = stated.setdefault(place, [])
            if level != len(levels) + 1:
                raise Fault(path, level, f"level {len(levels) + 1} of a whole side must come here")
            levels.append((entry.number("MDEntryPx"), entry.number("MDEntrySize")))
            return
        action, levels = entry.text("MDUpdateAction"), instrument.sides[side]
        if action not in {NEW, CHANGE, DELETE, OVERLAY}:
            raise Fault(entry.path("MDUpdateAction"), action, "after it only a whole statement tells the book")
        known = len(levels)
        if side not in instrument.lost and level > known + (action in {NEW, OVERLAY}):
            raise Fault(path, level, f"the book has {known} levels there")
        pair = (entry.number("MDEntryPx"), entry.number("MDEntrySize")) if action != DELETE else None
        if side in instrument.lost:
            return
        levels[level - 1 : level if action != NEW else level - 1] = [] if pair is None else [pair]
        del levels[DEPTH:]

    def _told(self, row: Row, symbol: str, at_ns: int) -> Draft | BadRow:
        """The book of an instrument as it stands after a row."""
        instrument = self._instruments[symbol]
        said, instrument.said = instrument.said, []
        if instrument.lost:
            why = next(iter(instrument.lost.values()))
            return BadRow(row.position, "", symbol, f"the book is unknown until it is stated as a whole: {why}")
        kept = {name: plain(value) for name, value in row.payload.items() if name not in HELD}
        kept |= {"NoMDEntries": said} if any(said) else {}
        bids, asks = (tuple(instrument.sides[side][: self._levels_max]) for side in (BID, OFFER))
        try:
            return Draft(row.book(VENUE, symbol, at_ns, (bids, asks), kept), "book")
        except Fault as fault:
            return row.bad(fault)


def _entries(message: Fields) -> list[Fields]:
    """The entries of a message; a flat row is its own. Raises Fault."""
    if "NoMDEntries" not in message.data:
        return [message]
    entries = items(message.need("NoMDEntries"), "NoMDEntries")
    if not entries:
        raise Fault("NoMDEntries", entries, "it must hold an entry")
    return [Fields(entry, f"NoMDEntries[{at}]") for at, entry in enumerate(entries)]


def _quotes_done(message: Fields) -> bool:
    """Whether the books may be told after this message."""
    if "MatchEventIndicator" not in message.data:
        return True
    return bool(message.whole("MatchEventIndicator") & QUOTES_DONE)


def _time(message: Fields, entry: Fields) -> int:
    """When an entry happened."""
    return (entry if entry.data.get("TransactTime") is not None else message).stamp("TransactTime", Unit.NS)


def _count(row: Row, instrument: _Instrument, entry: Fields, snapshot: bool) -> None:
    """Follow the count of an instrument's entries; a gap makes its book unknown. Raises Fault for one that is over."""
    if "RptSeq" not in entry.data:
        return
    last, instrument.sequence = instrument.sequence, None
    sequence = entry.whole("RptSeq")
    if last is not None and (sequence < last or (sequence == last and not snapshot)):
        instrument.sequence = last
        raise Repeated(entry.path("RptSeq"), sequence, f"a duplicate, or out of order: the count is at {last}")
    instrument.sequence = sequence
    if last is None and sequence == 1:  # nothing can have been missed
        instrument.lost.clear()
    if last is not None and sequence > last + 1 and not snapshot:
        instrument.lose(f"RptSeq {last + 1} to {sequence - 1} are missing before row {row.position}")


def _trade(row: Row, symbol: str, message: Fields, entry: Fields) -> Read:
    """A trade; corrections and cancels of one are no trades."""
    if (action := str(entry.data.get("MDUpdateAction", NEW))) != NEW:
        return row.unread(f"trade with MDUpdateAction {action}")
    at_ns = _time(message, entry)
    side = entry.choice("AggressorSide", AGGRESSORS) if entry.data.get("AggressorSide") is not None else None
    deal = entry.number("MDEntryPx"), entry.number("MDEntrySize"), side
    name = next((name for name in ("TradeID", "MDTradeEntryID") if entry.data.get(name) is not None), None)
    trade_id = entry.text(name) if name else None
    key = trade_id or entry.data.get("RptSeq")
    return Draft(row.trade(VENUE, symbol, at_ns, deal, trade_id, _common(message, entry) | entry.left()), "trade", key)


def _common(message: Fields, entry: Fields) -> dict[str, Any]:
    """What a message says around its entries."""
    return {} if entry is message else {name: value for name, value in message.left().items() if name not in HELD}
