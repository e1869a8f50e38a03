"""The adapter at a venue on loopback, with its account pulled and a market that is said by hand."""

import asyncio
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from itertools import count
from typing import Any

from pydantic import SecretStr

from config.universe import load_universe
from supervisor.clock import Clock
from tests.venues.alpaca.fake_alpaca import FakeAlpaca, until
from venues.alpaca.adapter import Alpaca
from venues.alpaca.login import Login
from venues.alpaca.parts import Shared, Wanted
from venues.alpaca.rest import Rest
from venues.alpaca.trading_stream import TradingStream
from venues.chains import Restored
from venues.market import Bar, Book, Level, MarketEvent, OrderRequest, Side, TimeInForce

LOGIN = Login(SecretStr("key"), SecretStr("secret"))
SPEED = 10.0
_numbers = count(1)


class ScriptedFeed:
    """Market data that a test says."""

    def __init__(self, symbols: Sequence[str]):
        self.symbols = symbols
        self.batches: asyncio.Queue[Sequence[MarketEvent]] = asyncio.Queue()

    async def open(self) -> str:
        return f"{len(self.symbols)} symbols are heard"

    async def market(self) -> AsyncIterator[Sequence[MarketEvent]]:
        while True:
            yield await self.batches.get()

    async def history(self, symbol: str, interval_ns: int, bars: int) -> Sequence[Bar]:
        return ()

    def deaf(self) -> Sequence[str]:
        return ()

    async def close(self) -> None:
        """Nothing is open."""


class Adapted:
    """An open adapter whose account is pulled, and what came of it."""

    def __init__(self, venue: FakeAlpaca, adapter: Alpaca):
        self.venue = venue
        self.adapter = adapter
        self.events: list[Any] = []
        self.said: list[str] = []
        self.tasks: list[asyncio.Task[None]] = []
        adapter.tell = self.said.append

    async def pull(self) -> None:
        async for event in self.adapter.account():
            self.events.append(event)

    async def pull_market(self) -> None:
        async for _ in self.adapter.market():
            pass

    async def quote(self, symbol: str, bid: float, ask: float) -> None:
        """Let a book be heard."""
        now = self.adapter.clock.now_ns()
        book = Book(symbol, now, now, (Level(bid, 1.0),), (Level(ask, 1.0),))
        feed = self.adapter._market
        assert isinstance(feed, ScriptedFeed)
        await feed.batches.put([book])
        await until(lambda: symbol in self.adapter._touch)

    def of(self, kind: type, order_id: str | None = None) -> list[Any]:
        return [one for one in self.events if type(one) is kind and order_id in (None, getattr(one, "order_id", None))]

    def order(self, symbol: str, side: str, size: str, price: str, **more: Any) -> OrderRequest:
        """An order of a size at a price."""
        from decimal import Decimal

        instrument = self.adapter.instruments[symbol]
        return OrderRequest(
            id=more.pop("id", f"test-{next(_numbers)}"),
            intent_id="intent",
            engine=self.adapter.wanted.engine,
            symbol=symbol,
            side=Side(side),
            lots=instrument.lots(Decimal(size)),
            ticks=instrument.ticks(Decimal(price)),
            time_in_force=more.pop("tif", TimeInForce.GTC),
            **more,
        )


@asynccontextmanager
async def adapted(
    venue: FakeAlpaca,
    symbols: tuple[str, ...] = ("BTC/USD",),
    *,
    known: tuple[Restored, ...] = (),
    known_ns: int = 1,
    pulled: bool = True,
    shared: Shared | None = None,
    speed: float = SPEED,
    **more: Any,
) -> AsyncIterator[Adapted]:
    """An adapter, opened; its account is pulled until the block is over."""
    clock = shared.rest.clock if shared else Clock(asyncio.get_running_loop(), 1_772_463_600_000_000_000, speed)
    engine = "crypto" if "/" in symbols[0] else "equities"
    facts = load_universe(engine)
    wanted = Wanted(engine=engine, facts=tuple(facts[one] for one in symbols), known=known, known_ns=known_ns, **more)
    shared = shared or Shared(Rest(venue.url, LOGIN, clock), TradingStream(venue.url, LOGIN, clock))
    adapter = Alpaca(wanted, shared, ScriptedFeed, clock, trades=True)
    one = Adapted(venue, adapter)
    try:
        await adapter.open()
        if pulled:
            one.tasks = [asyncio.ensure_future(one.pull()), asyncio.ensure_future(one.pull_market())]
            await until(lambda: adapter._feed is not None and adapter._feed.ready)
        yield one
        for task in one.tasks:
            if task.done():
                task.result()
    finally:
        for task in one.tasks:
            task.cancel()
        if one.tasks:
            await asyncio.wait(one.tasks)
        await adapter.close()
        clock.close()
