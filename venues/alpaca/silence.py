"""Market data of which nothing comes: for who looks at the account alone."""

from collections.abc import AsyncIterator, Collection, Sequence

from venues.market import Bar, MarketEvent


class NoMarket:
    """A feed that hears nothing and opens nothing."""

    def __init__(self, symbols: Sequence[str] = ()) -> None:
        self.symbols = symbols

    async def open(self) -> str:
        """Nothing opens."""
        return "nothing is heard"

    async def market(self) -> AsyncIterator[Sequence[MarketEvent]]:
        """Nothing comes."""
        nothing: tuple[Sequence[MarketEvent], ...] = ()
        for batch in nothing:
            yield batch

    async def history(self, symbol: str, interval_ns: int, bars: int) -> Sequence[Bar]:
        """None."""
        return ()

    def deaf(self) -> Collection[str]:
        """Of nothing."""
        return ()

    async def close(self) -> None:
        """Nothing is open."""
