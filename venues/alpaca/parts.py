"""What an Alpaca adapter is given: its market data, what engines of an account share, what one of them wants."""

from collections.abc import AsyncIterator, Awaitable, Callable, Collection, Iterable, Sequence
from typing import Any, Protocol

from msgspec import Struct, field

from config.universe import SymbolFacts
from venues.alpaca.rest import Rest
from venues.alpaca.trading_stream import TradingStream
from venues.chains import Restored
from venues.market import Bar, MarketEvent

Tell = Callable[[str], None]


def nobody(text: str) -> None:
    """Where nothing is told."""


class MarketFeed(Protocol):
    """One engine's market data, as venues.alpaca.data gives it."""

    async def open(self) -> Any:
        """Take what the plan has room for; what it has none for is told."""
        ...

    def market(self) -> AsyncIterator[Sequence[MarketEvent]]:
        """Books and trades in batches."""
        ...

    async def history(self, symbol: str, interval_ns: int, bars: int) -> Sequence[Bar]:
        """The last closed bars."""
        ...

    def deaf(self) -> Collection[str]:
        """Symbols of whose market something may be missed now."""
        ...

    async def close(self) -> None:
        """Let go."""
        ...


class Wanted(Struct, frozen=True, kw_only=True):
    """What an engine wants of the venue, and what it knows already."""

    engine: str
    facts: tuple[SymbolFacts, ...]
    held: Collection[str] = ()  # names of which the ledger has a position
    known: Iterable[Restored] = ()  # orders of earlier runs
    known_ns: int = 0  # what happened before is booked
    fee_bps: tuple[float, float] = (0.0, 0.0)  # of makers and takers
    leverage: dict[str, int] = {}
    opened_ns: int = 0  # when its money came into the books; 0: it is not there yet
    taken_minor: int = 0  # cash of the account that the books of other engines have


class Trader(Protocol):
    """One engine of an account, as the others see it."""

    wanted: Wanted
    cash_ns: int  # when its part of the money was told


class Shared(Struct):
    """What all engines of one account share."""

    rest: Rest
    stream: TradingStream
    key_field: str = "alpaca_paper_key_id"  # the setting that its key stands in
    close_data: Callable[[], Awaitable[None]] | None = None  # the market data that they share, too
    traders: list["Trader"] = field(default_factory=list)  # who sends orders
    users: int = 0
