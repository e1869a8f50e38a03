"""Whole books out of a feed that sends one whole book and then what changes in it."""

from bisect import bisect_left, insort
from collections.abc import Iterable
from typing import Annotated

from msgspec import Meta, Struct

from venues.market import PRICE_MAX, Book, Level, Positive

Size = Annotated[float, Meta(ge=0, lt=PRICE_MAX)]
"""A size that may be nothing."""


class Change(Struct, frozen=True, gc=False):
    """What now waits at one price of one side; a size of zero: nothing does."""

    price: Positive
    size: Size


class _Side:
    """Prices of one side, lowest first, and the levels at them."""

    __slots__ = ("levels", "prices")

    def __init__(self) -> None:
        self.prices: list[float] = []
        self.levels: dict[float, Level] = {}

    def replace(self, levels: Iterable[Change | Level]) -> None:
        """Forget everything, and take these."""
        self.levels = {level.price: Level(level.price, level.size) for level in levels if level.size}
        self.prices = sorted(self.levels)

    def change(self, changes: Iterable[Change | Level]) -> None:
        """Take these in the place of what was at their prices."""
        levels, prices = self.levels, self.prices
        for change in changes:
            price = change.price
            if change.size:
                if price not in levels:
                    insort(prices, price)
                levels[price] = Level(price, change.size)
            elif levels.pop(price, None) is not None:
                del prices[bisect_left(prices, price)]


class BookBuilder:
    """One symbol's book at a venue that sends changes; what order they belong in is the venue's parser's business.

    Venues print a price the same way each time, so equal prices are equal floats. The removal of a level that is not
    there is nothing wrong: Binance documents it as normal.
    """

    __slots__ = ("_asks", "_bids", "symbol")

    def __init__(self, symbol: str) -> None:
        self.symbol = symbol
        self._bids, self._asks = _Side(), _Side()

    def replace(self, bids: Iterable[Change | Level], asks: Iterable[Change | Level]) -> None:
        """Start again from a whole book."""
        self._bids.replace(bids)
        self._asks.replace(asks)

    def change(self, bids: Iterable[Change | Level], asks: Iterable[Change | Level]) -> None:
        """Apply changes, in their order; the last word on a price counts."""
        self._bids.change(bids)
        self._asks.change(asks)

    @property
    def crossed(self) -> bool:
        """Whether the best bid is at or above the best ask: changes were lost, or the venue is mad."""
        bids, asks = self._bids.prices, self._asks.prices
        return bool(bids and asks and bids[-1] >= asks[0])

    @property
    def depth(self) -> tuple[int, int]:
        """How many levels the bids and the asks have."""
        return len(self._bids.prices), len(self._asks.prices)

    def book(self, at_ns: int, received_ns: int, levels_max: int | None = None) -> Book:
        """The book as it stands, best levels first, as many of a side as are asked for."""
        bids, asks = self._bids, self._asks
        best_bids = bids.prices[::-1] if levels_max is None else bids.prices[: -levels_max - 1 : -1]
        best_asks = asks.prices if levels_max is None else asks.prices[:levels_max]
        return Book(
            self.symbol,
            at_ns,
            received_ns,
            tuple(map(bids.levels.__getitem__, best_bids)),
            tuple(map(asks.levels.__getitem__, best_asks)),
        )
