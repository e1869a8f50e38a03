"""The market as our orders meet it: the latest book of each name, less what we have taken out of it.

A market that does not notice us would offer the same lots twice; so what an order takes is remembered until the
next book.
"""

from collections.abc import Iterable, Mapping, Sequence

from venues.market import Book, Instrument, Level
from venues.resting import Grid, Resting

Offer = tuple[int, int]
"""A price in ticks and the lots to be had there."""


class Liquidity:
    """Latest books, instruments and their grids."""

    def __init__(self) -> None:
        self.instruments: dict[str, Instrument] = {}
        self.grids: dict[str, Grid] = {}
        self.books: dict[str, Book] = {}
        self.taken: dict[str, dict[int, int]] = {}  # symbol -> ticks -> lots

    def add(self, instrument: Instrument) -> None:
        """Know one more name."""
        self.instruments[instrument.symbol] = instrument
        self.grids[instrument.symbol] = Grid.of(instrument)

    def book(self, symbol: str) -> Book | None:
        """The latest book, if it can be traded on."""
        book = self.books.get(symbol)
        return None if book is None or is_crossed(book) else book

    def levels(self, resting: Resting) -> tuple[Sequence[Level], Sequence[Level]]:
        """The order's own side of the book and the side it takes from; empty without a book."""
        book = self.book(resting.order.symbol)
        if book is None:
            return (), ()
        return (book.bids, book.asks) if resting.sign > 0 else (book.asks, book.bids)

    def offers(self, resting: Resting, own: Resting | None = None) -> list[Offer]:
        """What an order may take, best first, up to its limit; not at or behind an order of our own."""
        symbol = resting.order.symbol
        _, other = self.levels(resting)
        if not other or not resting.accepts(other[0].price):
            return []
        offers = list(resting.offered(other, self.grids[symbol], self.taken.get(symbol, {})))
        if own is None:
            return offers
        return [offer for offer in offers if (own.order.ticks - offer[0]) * resting.sign > 0]

    def take(self, symbol: str, offers: Iterable[Offer], lots: int) -> list[Offer]:
        """Take up to so many lots out of what is offered, and remember that they are gone."""
        parts = []
        for ticks, offered in offers:
            if lots <= 0:
                break
            part = min(lots, offered)
            lots -= part
            gone = self.taken.setdefault(symbol, {})
            gone[ticks] = gone.get(ticks, 0) + part
            parts.append((ticks, part))
        return parts

    def mark_ticks(self, symbol: str) -> int | None:
        """The mid price in ticks, if there are two sides."""
        book = self.book(symbol)
        if book is None or not (book.bids and book.asks):
            return None
        return self.grids[symbol].ticks((book.bids[0].price + book.asks[0].price) / 2)

    def marks(self, symbols: Iterable[str]) -> Mapping[str, int]:
        """Mid prices of those names that have one."""
        found = ((symbol, self.mark_ticks(symbol)) for symbol in symbols)
        return {symbol: ticks for symbol, ticks in found if ticks is not None}

    def touch(self, symbol: str, own: Iterable[Resting]) -> tuple[int | None, int | None]:
        """Best bid and ask in ticks, our own orders among them."""
        book, grid = self.book(symbol), self.grids[symbol]
        bids = [grid.ticks(level.price) for level in (book.bids[:1] if book else ())]
        asks = [grid.ticks(level.price) for level in (book.asks[:1] if book else ())]
        for resting in own:
            (bids if resting.sign > 0 else asks).append(resting.order.ticks)
        return max(bids, default=None), min(asks, default=None)


def is_crossed(book: Book) -> bool:
    """Whether a book is damaged: a bid at or above an ask. Nothing is matched on it."""
    return bool(book.bids and book.asks) and book.bids[0].price >= book.asks[0].price
