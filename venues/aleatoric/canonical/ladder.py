"""One symbol's book in exact decimals, kept up by changes: what every feed of changes ends in.

venues.delta_book does the same for floats, which is what signals want. Here nothing may be rounded: the size
123456789.12345678 that Binance may print has no float.
"""

from bisect import bisect_left, insort
from collections.abc import Iterable
from decimal import Decimal

from venues.aleatoric.canonical.events import Levels
from venues.aleatoric.canonical.fields import Pair


class _Side:
    """Prices, lowest first, and the size at each."""

    __slots__ = ("prices", "sizes")

    def __init__(self) -> None:
        self.prices: list[Decimal] = []
        self.sizes: dict[Decimal, Decimal] = {}

    def put(self, price: Decimal, size: Decimal) -> None:
        """Set what waits at a price; zero takes the level away, and that it was not there is nothing wrong."""
        if size:
            if price not in self.sizes:
                insort(self.prices, price)
            self.sizes[price] = size
        elif self.sizes.pop(price, None) is not None:
            del self.prices[bisect_left(self.prices, price)]


class Ladder:
    """Bids and asks."""

    __slots__ = ("_asks", "_bids")

    def __init__(self, bids: Iterable[Pair] = (), asks: Iterable[Pair] = ()) -> None:
        self._bids, self._asks = _Side(), _Side()
        self.change(bids, asks)

    def change(self, bids: Iterable[Pair], asks: Iterable[Pair]) -> None:
        """Take over new sizes, in their order; zero takes a level away."""
        for side, pairs in ((self._bids, bids), (self._asks, asks)):
            for price, size in pairs:
                side.put(price, size)

    def add(self, bid: bool, price: Decimal, size: Decimal) -> None:
        """Add an order's size to a level, or take it away where the size is negative."""
        side = self._bids if bid else self._asks
        side.put(price, side.sizes.get(price, Decimal(0)) + size)

    def best(self, levels_max: int) -> tuple[Levels, Levels]:
        """The best levels of both sides."""
        bids, asks = self._bids, self._asks
        return (
            tuple((price, bids.sizes[price]) for price in bids.prices[: -levels_max - 1 : -1]),
            tuple((price, asks.sizes[price]) for price in asks.prices[:levels_max]),
        )
