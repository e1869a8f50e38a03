"""An order of ours inside the matching engine, and how it looks at the levels of a book.

Book prices are floats; an order's price is an integer number of ticks. They meet half a tick around the order's
price, where no valid price lies, so neither the float of a decimal nor a multiplied-out tick can land on the wrong
side.
"""

from collections.abc import Iterator, Mapping, Sequence

from msgspec import Struct

from venues.market import Instrument, Level, OrderRequest, Side
from venues.queue_position import QueuePosition

HALF = 0.5


class Grid(Struct, frozen=True):
    """An instrument's steps as floats, for reading many levels fast; nearest step, as Instrument.ticks and .lots."""

    tick: float
    lot: float

    @classmethod
    def of(cls, instrument: Instrument) -> "Grid":
        """The grid of an instrument."""
        return cls(float(instrument.tick), float(instrument.lot))

    def ticks(self, price: float) -> int:
        """The price in ticks."""
        return round(price / self.tick)

    def lots(self, size: float) -> int:
        """The size in lots."""
        return round(size / self.lot)


class Resting(Struct):
    """An order while it lives; `filled` counts its whole chain of replaced orders."""

    order: OrderRequest
    filled: int
    arrival: int  # smaller came earlier
    since_ns: int  # trades made before it was there can't fill it
    sign: int
    low: float  # half a tick below the price
    high: float  # half a tick above it
    queue: QueuePosition

    @classmethod
    def of(cls, order: OrderRequest, filled: int, arrival: int, at_ns: int, grid: Grid) -> "Resting":
        """An order that has just arrived, with no place in a queue yet."""
        low, high = (order.ticks - HALF) * grid.tick, (order.ticks + HALF) * grid.tick
        return cls(order, filled, arrival, at_ns, order.side.sign, low, high, QueuePosition())

    @property
    def left(self) -> int:
        """Lots that still want to be filled."""
        return self.order.lots - self.filled

    @property
    def rank(self) -> tuple[int, int]:
        """Price-time priority among our own orders of one side: smaller is served first."""
        return (-self.sign * self.order.ticks, self.arrival)

    def accepts(self, price: float) -> bool:
        """Whether the order could trade at this price: at its limit, or better for us."""
        return price < self.high if self.sign > 0 else price > self.low

    def passed(self, price: float) -> bool:
        """Whether a trade at this price went through ours: it is better for us than our limit."""
        return price < self.low if self.sign > 0 else price > self.high

    def displayed(self, levels: Sequence[Level], grid: Grid) -> int | None:
        """Lots that a book shows at our price on our side; None when our price is deeper than its last level."""
        for level in levels:
            if self.low < level.price < self.high:
                return grid.lots(level.size)
            if self.passed(level.price):
                return 0
        return None

    def offered(self, levels: Sequence[Level], grid: Grid, taken: Mapping[int, int]) -> Iterator[tuple[int, int]]:
        """What the other side of a book offers within our limit, best first: (ticks, lots not yet taken by us)."""
        for level in levels:
            if not self.accepts(level.price):
                return
            ticks = grid.ticks(level.price)
            lots = grid.lots(level.size) - taken.get(ticks, 0)
            if lots > 0:
                yield ticks, lots


def best(orders: Sequence[Resting], side: Side) -> Resting | None:
    """Our own best resting order of a side."""
    return min((resting for resting in orders if resting.order.side is side), key=lambda r: r.rank, default=None)
