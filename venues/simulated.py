"""A venue made of a market source and the matching engine: synthetic markets and recordings are traded here.

The source is pulled in step with the clock. Whoever comes first moves the market on: the feed that waits for the
next batch, or an order that arrives between two batches, so an order always meets the book of its own instant.
"""

from collections import deque
from collections.abc import AsyncIterator, Sequence
from decimal import Decimal
from typing import Protocol

from supervisor.clock import Clock
from venues.latency import LatencyModel
from venues.market import Bar, Book, Instrument, MarketEvent
from venues.matched import MatchedVenue
from venues.matching import MatchingEngine

NS_PER_HOUR = 3_600_000_000_000

UNHEARD_MAX = 10_000
"""Batches kept for a feed that is down while orders go on; then only the newest book of each name is."""

Batch = tuple[int, Sequence[MarketEvent]]
"""An instant and all that the source says of it, trades before books."""


class FundingRate(Protocol):
    """What the longs of a perpetual pay at an instant, as a share of the position's value."""

    @property
    def symbol(self) -> str:
        """Whose rate."""
        ...

    @property
    def at_ns(self) -> int:
        """When it is settled."""
        ...

    @property
    def rate(self) -> Decimal:
        """The share."""
        ...


class MarketSource(Protocol):
    """A market that can be pulled: generated, recorded or captured."""

    def next_batch(self) -> Batch | None:
        """The next instant at which anything happens, and all of it; None when the data ends."""
        ...

    def history(self, symbol: str, interval_ns: int, bars: int) -> Sequence[Bar]:
        """The last closed bars before the source's start, oldest first."""
        ...

    def funding(self, at_ns: int) -> Sequence[FundingRate]:
        """What every perpetual pays at the full hour `at_ns`."""
        ...


class SimulatedVenue(MatchedVenue):
    """The Venue protocol over a source, an engine, a latency and a clock."""

    def __init__(self, name: str, source: MarketSource, engine: MatchingEngine, latency: LatencyModel, clock: Clock):
        super().__init__(name, engine, latency, clock)
        self.source = source
        self.missed = 0  # books that nobody heard, because the feed was down when they were new
        self._next = source.next_batch()
        self._unheard: deque[Sequence[MarketEvent]] = deque()
        self._hour = self._next[0] // NS_PER_HOUR if self._next else 0
        self._heard_before = False

    async def open(self) -> Sequence[Instrument]:
        """What the engine has fees and grids for."""
        return tuple(self.engine.instruments.values())

    async def market(self) -> AsyncIterator[Sequence[MarketEvent]]:
        """The source's batches, each at its time; ends when the source does and all that it caused has arrived."""
        if self._heard_before:
            self.catch_up(self.clock.now_ns())
            self._conflate()
        self._heard_before = True
        while True:
            while self._unheard:
                yield self._unheard.popleft()
            if self._next is None:
                break
            at_ns = self._next[0]
            await self.clock.sleep_until(at_ns)
            self.catch_up(at_ns)
        await self.settle()

    def catch_up(self, now_ns: int) -> None:
        """Let the engine see every batch up to now, and keep it for the feed."""
        while self._next is not None and self._next[0] <= now_ns:
            at_ns, events = self._next
            self._settle_funding(at_ns)
            self.watch(events)
            self._unheard.append(events)
            if len(self._unheard) > UNHEARD_MAX:
                self._conflate()
            self._next = self.source.next_batch()

    def _conflate(self) -> None:
        """A feed that comes back hears the newest book of each name, not the whole past."""
        newest = {event.symbol: event for batch in self._unheard for event in batch if type(event) is Book}
        self.missed += sum(type(event) is Book for batch in self._unheard for event in batch) - len(newest)
        self._unheard.clear()
        if newest:
            self._unheard.append(tuple(newest.values()))

    def _settle_funding(self, at_ns: int) -> None:
        """Settle every full hour that the market has passed, at the mid price."""
        while self._hour < at_ns // NS_PER_HOUR:
            self._hour += 1
            for due in self.source.funding(self._hour * NS_PER_HOUR):
                mark_ticks = self.engine.market.mark_ticks(due.symbol)
                if mark_ticks is not None:
                    self.deliver(self.engine.fund(due.symbol, due.rate, mark_ticks, due.at_ns))

    async def history(self, symbol: str, interval_ns: int, bars: int) -> Sequence[Bar]:
        """What the source remembers from before its start."""
        return self.source.history(symbol, interval_ns, bars)
