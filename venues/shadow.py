"""Shadow: a real market, and orders that never leave the machine.

Books and trades come from a real venue and also go into the matching engine, which answers every order. The real
venue is opened, listened to and asked for history; it is never sent anything, and its account is not looked at.
"""

from collections.abc import AsyncIterator, Collection, Sequence

from msgspec.structs import replace

from supervisor.clock import Clock
from venues.latency import LatencyModel
from venues.market import Bar, Instrument, MarketEvent
from venues.matched import MatchedVenue
from venues.matching import MatchingEngine
from venues.venue import Venue


class ShadowVenue(MatchedVenue):
    """The Venue protocol over somebody else's market."""

    def __init__(self, real: Venue, engine: MatchingEngine, latency: LatencyModel, clock: Clock):
        super().__init__(f"{real.name} in shadow", engine, latency, clock)
        self.real = real

    async def open(self) -> Sequence[Instrument]:
        """Connect to the market; the engine learns what is traded there."""
        instruments = tuple(replace(one, engine=self.engine.engine) for one in await self.real.open())
        self.engine.add_instruments(instruments)
        return instruments

    async def market(self) -> AsyncIterator[Sequence[MarketEvent]]:
        """The real market, as the engine has just seen it."""
        async for batch in self.real.market():
            self.watch(batch)
            yield batch
        await self.settle()

    def deaf(self) -> Collection[str]:
        """What the real market does not hear."""
        return self.real.deaf()

    async def history(self, symbol: str, interval_ns: int, bars: int) -> Sequence[Bar]:
        """The real market's bars."""
        return await self.real.history(symbol, interval_ns, bars)

    async def close(self) -> None:
        """Let go of the real venue."""
        await super().close()
        await self.real.close()
