"""Rows of one source in, canonical events out: the seed's CanonicalizationEngine.

A row is a dict or JSON text, bare or as `{"payload": ..., "received_ns": ..., "symbol": ...}`; the last two may be left
out. Events come in the order of the rows and are numbered 1, 2, 3...; duplicates and stamps that go back are reported
(see canonical.order). What is remembered is bounded, so a run may be as long as it likes; a stream of rows, fed one by
one, says exactly what the same rows say at once.

The law of books built from changes (Binance, CME, SGX): a book is told only while every change since its last whole
statement was read. After a damaged or missing change the following ones are reported until a whole book comes; trades
go on.
"""

from collections.abc import Callable, Iterable, Iterator

from msgspec import Struct

from venues.aleatoric.canonical.binance import BinanceSource
from venues.aleatoric.canonical.cme import CmeSource
from venues.aleatoric.canonical.events import BadRequest, BadRow, BookEvent, Event, Outcome, TradeEvent, Unread
from venues.aleatoric.canonical.fields import Fault
from venues.aleatoric.canonical.hyperliquid import HyperliquidSource
from venues.aleatoric.canonical.order import Order
from venues.aleatoric.canonical.row import Source, bad_row, open_row
from venues.aleatoric.canonical.sgx import SgxSource
from venues.aleatoric.canonical.synthetic import SyntheticSource

SOURCES: dict[str, Callable[[int], Source]] = {
    "synthetic": SyntheticSource,
    "hyperliquid": HyperliquidSource,
    "binance": BinanceSource,
    "cme": CmeSource,
    "sgx": SgxSource,
}
"""Under the API's names: what makes a reader that shows so many levels of a side."""

LEVELS_MAX = 20
"""Levels of a side that an event holds by default: those of a canonical capture."""


class Normaliser:
    """Canonicalises one run of rows that come one by one."""

    def __init__(self, source: str, symbol: str | None = None, levels_max: int = LEVELS_MAX) -> None:
        """Of one symbol, or of all that come. Raises BadRequest."""
        if source not in SOURCES:
            raise BadRequest(f"source is {source!r}, it must be one of {', '.join(SOURCES)}")
        if symbol == "":
            raise BadRequest("symbol is empty, it must be a name, or left out to take every symbol")
        if levels_max < 1:
            raise BadRequest(f"levels_max is {levels_max}, it must be 1 or more")
        self._source = SOURCES[source](levels_max)
        self._symbol = symbol
        self._order = Order()
        self._position = 0

    def feed(self, row: object) -> list[Outcome]:
        """What can be said after one more row: its events, its faults, and those of rows that waited for it."""
        position, self._position = self._position, self._position + 1
        outcomes: list[Outcome] = []
        try:
            opened = open_row(position, row, self._symbol)
        except Fault as fault:
            self._source.missed(position)
            return list(self._order.take(bad_row(position, fault)))
        try:
            for read in self._source.read(opened):
                outcomes.extend(self._order.take(read))
        except Fault as fault:
            outcomes.extend(self._order.take(bad_row(position, fault)))
        return outcomes

    def finish(self) -> list[Outcome]:
        """What is left to say when no more rows come."""
        outcomes = [outcome for read in self._source.finish() for outcome in self._order.take(read)]
        return [*outcomes, *self._order.finish()]


class Canonical(Struct, frozen=True):
    """All that became of some rows."""

    events: list[Event]
    bad: list[BadRow]
    unread: list[Unread]

    @property
    def books(self) -> list[BookEvent]:
        """The books among the events."""
        return [event for event in self.events if isinstance(event, BookEvent)]

    @property
    def trades(self) -> list[TradeEvent]:
        """The trades among the events."""
        return [event for event in self.events if isinstance(event, TradeEvent)]


def normalise(
    source: str, rows: Iterable[object], symbol: str | None = None, levels_max: int = LEVELS_MAX
) -> Iterator[Outcome]:
    """Canonicalise rows as they are drawn. Raises BadRequest at once, not when the first outcome is asked for."""
    normaliser = Normaliser(source, symbol, levels_max)

    def outcomes() -> Iterator[Outcome]:
        for row in rows:
            yield from normaliser.feed(row)
        yield from normaliser.finish()

    return outcomes()


def normalise_all(
    source: str, rows: Iterable[object], symbol: str | None = None, levels_max: int = LEVELS_MAX
) -> Canonical:
    """Canonicalise rows that fit in memory, and sort the outcomes by kind. Raises BadRequest."""
    canonical = Canonical([], [], [])
    for outcome in normalise(source, rows, symbol, levels_max):
        if isinstance(outcome, BadRow):
            canonical.bad.append(outcome)
        elif isinstance(outcome, Unread):
            canonical.unread.append(outcome)
        else:
            canonical.events.append(outcome)
    return canonical
