"""Crypto order books: one whole book, then changes; what cannot be trusted is not shown until a whole one came again.

The channel counts nothing and signs nothing, so a lost change is seen only by what it leads to: a bid at or above an
ask, or a side that is empty. Then, on a change to a book that was never whole, on damage, and after every reconnect,
the symbol is `doubtful`: whoever holds the connection asks for it anew, which the venue answers with a whole book
(docs.alpaca.markets, "Real-time Crypto Data", Orderbooks: "r": true is the full book, size 0 removes a level).
"""

from enum import StrEnum

from venues.alpaca.market_wire import BookChange
from venues.delta_book import BookBuilder
from venues.market import Book

LEVELS_MAX = 20
"""Levels of a side that are shown, as many as the deepest imbalance counts."""

LEVELS_KEPT_MAX = 5_000
"""A side of more is no book: its levels are never removed. Real ones have some hundred."""


class Doubt(StrEnum):
    """Why a book is not shown."""

    NEW = "no whole book yet"
    HEADLESS = "a change without a whole book before it"
    CROSSED = "its best bid is at or above its best ask"
    EMPTY = "a side of it is empty"
    ENDLESS = "it only grows"
    DAMAGED = "a message about it could not be read"


class Books:
    """The order books behind one connection."""

    __slots__ = ("_at_ns", "_builders", "doubtful", "levels_max")

    def __init__(self, levels_max: int = LEVELS_MAX) -> None:
        self.levels_max = levels_max
        self.doubtful: dict[str, Doubt] = {}
        self._builders: dict[str, BookBuilder] = {}  # of books that are trusted
        self._at_ns: dict[str, int] = {}

    def hear(self, said: BookChange) -> Book | None:
        """The book as it now stands; None where it cannot be trusted, and `doubtful` says why."""
        symbol = said.symbol
        if said.whole:
            builder = self._builders[symbol] = BookBuilder(symbol)
            builder.replace(said.bids, said.asks)
            self._at_ns[symbol] = said.at_ns
            self.doubtful.pop(symbol, None)
        elif (known := self._builders.get(symbol)) is None:
            self.doubtful.setdefault(symbol, Doubt.HEADLESS)
            return None
        else:
            builder = known
            builder.change(said.bids, said.asks)
        if (flaw := _flaw(builder)) is not None:
            self.doubt(symbol, flaw)
            return None
        at_ns = self._at_ns[symbol] = max(self._at_ns[symbol], said.at_ns)  # as new as the newest that made it
        return builder.book(at_ns, said.received_ns, self.levels_max)

    def doubt(self, symbol: str, why: Doubt) -> None:
        """Show a book no more until a whole one comes."""
        self._builders.pop(symbol, None)
        self.doubtful[symbol] = why

    def forget(self) -> None:
        """The connection is gone: nothing is known any more."""
        self._builders.clear()
        self._at_ns.clear()
        self.doubtful.clear()


def _flaw(builder: BookBuilder) -> Doubt | None:
    """What is wrong with a book, if anything is."""
    if builder.crossed:
        return Doubt.CROSSED
    bids, asks = builder.depth
    if not bids or not asks:
        return Doubt.EMPTY
    return Doubt.ENDLESS if max(bids, asks) > LEVELS_KEPT_MAX else None
