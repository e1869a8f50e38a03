"""The adapter against the emulated exchange on a real socket, both in the same accelerated time."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from itertools import count
from pathlib import Path
from typing import Any
from weakref import WeakKeyDictionary

from config.universe import load_universe
from supervisor.clock import NS_PER_S, Clock
from tests.patience import PATIENCE_S
from tests.venues.emulator.desk import Key as Secret
from tests.venues.emulator.running import ADDRESS, KEY, Running
from venues.chains import Restored
from venues.hyperliquid.adapter import Hyperliquid, Key, Shared, Wanted
from venues.hyperliquid.budget import RequestBudget
from venues.hyperliquid.reconnect import Limits
from venues.hyperliquid.rest import Rest
from venues.hyperliquid.sign import Chain, Signer, account_address
from venues.market import Book, OrderRequest, Side, TimeInForce

SYMBOLS = ("BTC", "ETH", "xyz:TSLA")
SPEED = 20.0
LAG_NS_MAX = 6 * NS_PER_S
"""Books may be so late before the clocks count as apart: at this speed obid's own second is 50 ms of a busy machine."""
BUDGETS: WeakKeyDictionary[Running, RequestBudget] = WeakKeyDictionary()
_numbers = count(1)


class Adapted:
    """An open adapter whose streams are pulled, and what came of them."""

    def __init__(self, venue: Running, adapter: Hyperliquid):
        self.emulator = venue
        self.adapter = adapter
        self.clock = adapter.clock
        self.events: list[Any] = []  # of the account
        self.books: dict[str, Book] = {}
        self.market: list[Any] = []
        self.said: list[str] = []
        adapter.tell = self.said.append

    async def pull_account(self) -> None:
        async for event in self.adapter.account():
            self.events.append(event)

    async def pull_market(self) -> None:
        async for batch in self.adapter.market():
            self.market += batch
            self.books |= {one.symbol: one for one in batch if type(one) is Book}

    def of(self, kind: type, order_id: str | None = None) -> list[Any]:
        """Events of a kind, of an order."""
        return [one for one in self.events if type(one) is kind and order_id in (None, getattr(one, "order_id", None))]

    async def until(self, true: Any, within_s: float = PATIENCE_S) -> None:
        """Wait for something; real seconds."""
        try:
            async with asyncio.timeout(within_s):
                while not true():  # noqa: ASYNC110
                    await asyncio.sleep(0.01)
        except TimeoutError:
            raise AssertionError((self.events[-8:], self.said[-8:])) from None

    def order(self, symbol: str, side: str, **more: Any) -> OrderRequest:
        """An order: at the touch that it takes if it is IOC, far behind its own otherwise."""
        book, tif = self.books[symbol], more.pop("tif", TimeInForce.ALO)
        instrument = self.adapter.instruments[symbol]
        crosses = tif is TimeInForce.IOC
        buys = side == "buy"
        best = book.asks[0].price if buys == crosses else book.bids[0].price
        if not crosses:
            best = book.bids[0].price if buys else book.asks[0].price
        price = best * (1 + (0.004 if buys == crosses else -0.004) * more.pop("away", 1.0))
        decimals = {"BTC": 0, "ETH": 1, "xyz:TSLA": 2}[symbol]
        lots = more.pop("lots", None) or round(200 / price / float(instrument.lot))
        return OrderRequest(
            id=more.pop("id", f"test-{next(_numbers)}"),
            intent_id="intent",
            engine="perps",
            symbol=symbol,
            side=Side(side),
            lots=lots,
            ticks=instrument.ticks(round(price, decimals)),
            time_in_force=tif,
            expires_ns=self.clock.now_ns() + 15 * NS_PER_S,
            **more,
        )

    def truth(self) -> Any:
        """What is so at the venue."""
        return self.emulator.truth()


def synchronised(venue: Running, loop: asyncio.AbstractEventLoop, speed: float) -> Clock:
    """A clock set by the emulator's: by the quickest of some answers, because the speed multiplies their way."""
    asked = []
    for _ in range(5):
        clock = Clock(loop, 0, speed)
        epoch_ns = venue.post("/emulator/time")["now_ns"]
        took_ns = clock.now_ns()
        asked.append((took_ns, epoch_ns - took_ns // 2, clock))
    _, epoch_ns, clock = min(asked, key=lambda one: one[0])
    clock._epoch_ns = epoch_ns
    return clock


@asynccontextmanager
async def adapted(
    venue: Running,
    folder: Path,
    *,
    speed: float = SPEED,
    symbols: tuple[str, ...] = SYMBOLS,
    known: tuple[Restored, ...] = (),
    key: str = KEY,
    account: str = ADDRESS,
    known_ns: int | None = None,
    ids: int = 0,
    **more: Any,
) -> AsyncIterator[Adapted]:
    """An adapter, opened; its streams run until the block is over."""
    loop = asyncio.get_running_loop()
    clock = synchronised(venue, loop, speed)
    facts = load_universe("perps")
    wanted = Wanted(
        engine="perps",
        facts=tuple(facts[symbol] for symbol in symbols),
        leverage={},
        known=known,
        known_ns=clock.now_ns() if known_ns is None else known_ns,
        **more,
    )
    budget = BUDGETS.setdefault(venue, RequestBudget())  # one machine, whatever adapter
    shared = Shared(Rest(venue.url), budget, Limits(connections_per_minute=1000))
    who = Key(Signer(Secret(key), Chain.TESTNET), account_address(account), folder)
    adapter = Hyperliquid(venue.url, wanted, shared, clock, who)
    adapter.skew.apart_ns = LAG_NS_MAX
    one = Adapted(venue, adapter)
    tasks: list[asyncio.Task[None]] = []
    try:
        await adapter.open()
        tasks = [asyncio.ensure_future(one.pull_account()), asyncio.ensure_future(one.pull_market())]
        await one.until(lambda: len(one.books) == len(adapter.traded))
        await one.until(adapter._feed.whole)
        await one.until(lambda: not adapter.skew.shut())
        yield one
        for task in tasks:
            if task.done():
                task.result()
    finally:
        for task in tasks:
            task.cancel()
        if tasks:
            await asyncio.wait(tasks)
        await adapter.close()
        clock.close()
