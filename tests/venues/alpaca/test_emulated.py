"""The adapter at the emulated Alpaca: its answers, its delays, its races; both in the same accelerated time."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from decimal import Decimal
from typing import Any

import pytest
from msgspec.structs import replace
from pydantic import SecretStr

from config.universe import load_universe
from supervisor.clock import Clock
from tests.patience import PATIENCE_S
from tests.venues.alpaca.adapted import Adapted
from tests.venues.alpaca.fake_alpaca import until
from tests.venues.emulator.alpaca_running import KEY, SECRET, running_alpaca
from tests.venues.emulator.running import Running
from venues.alpaca.account import OVERLAP_NS
from venues.alpaca.adapter import Alpaca
from venues.alpaca.data import Data
from venues.alpaca.login import Login
from venues.alpaca.parts import Shared, Wanted
from venues.alpaca.plan import PLANS
from venues.alpaca.rest import Rest
from venues.alpaca.trading_stream import TradingStream
from venues.market import Accepted, Book, Cancelled, CancelRefused, Fill, OpenOrder, OrderRequest, Rejected
from venues.market import TimeInForce as Tif
from venues.venue import VenueUnreachable

SPEED = 10.0
BTC, COST = "BTC/USD", "COST"


@pytest.fixture(scope="module")
def venue():
    with running_alpaca((BTC, "ETH/USD", COST), speed=SPEED) as one:
        yield one


class Emulated(Adapted):
    """An adapter with books, at the emulator."""

    def __init__(self, venue: Running, adapter: Alpaca):
        super().__init__(venue, adapter)  # type: ignore[arg-type]
        self.books: dict[str, Book] = {}

    async def pull_market(self) -> None:
        async for batch in self.adapter.market():
            self.books |= {one.symbol: one for one in batch if type(one) is Book}

    def at(self, symbol: str, side: str, usd: int, away: float = 0.0, **more: Any) -> OrderRequest:
        """An order of so much money, so far behind its own best price (a share of it); negative: it crosses."""
        book, instrument = self.books[symbol], self.adapter.instruments[symbol]
        best = book.bids[0].price if side == "buy" else book.asks[0].price
        price = Decimal(str(round(best * (1 - away if side == "buy" else 1 + away), 2)))
        size = Decimal(usd) / price // instrument.lot * instrument.lot
        return self.order(symbol, side, str(size), str(price), **more)


@asynccontextmanager
async def emulated(venue: Running, symbol: str = BTC) -> AsyncIterator[Emulated]:
    """Open, with books and the account's stream."""
    clock = Clock(asyncio.get_running_loop(), venue.post("/emulator/time")["now_ns"], SPEED)
    login = Login(SecretStr(KEY), SecretStr(SECRET))
    shared = Shared(Rest(venue.url, login, clock), TradingStream(venue.url, login, clock))
    data = Data(venue.url, venue.url, login, PLANS["basic"], clock, 0)
    shared.close_data = data.close
    engine = "crypto" if "/" in symbol else "equities"
    known_ns = clock.now_ns() + OVERLAP_NS  # what tests before this one did is none of its business
    facts = (load_universe(engine)[symbol],)
    wanted = Wanted(engine=engine, facts=facts, known_ns=known_ns, fee_bps=(15.0, 25.0))
    adapter = Alpaca(wanted, shared, data.crypto if engine == "crypto" else data.stocks, clock, trades=True)
    one = Emulated(venue, adapter)
    try:
        await adapter.open()
        one.tasks = [asyncio.ensure_future(one.pull()), asyncio.ensure_future(one.pull_market())]
        await until(lambda: symbol in one.books and adapter._feed is not None and adapter._feed.ready, 8.0)
        yield one
    finally:
        for task in one.tasks:
            task.cancel()
        if one.tasks:
            await asyncio.wait(one.tasks)
        await adapter.close()
        clock.close()


def net(one: Emulated) -> int:
    """Lots that the told fills add up to."""
    return sum(fill.lots * fill.side.sign for fill in one.of(Fill))


async def position(one: Emulated) -> int:
    return sum(held.lots for held in await one.adapter.positions())


async def flat(one: Emulated, symbol: str) -> None:
    """Sell what is held, as often as it takes: a book may hold less than an order wants."""
    async with asyncio.timeout(PATIENCE_S):
        while lots := await position(one):
            order = one.at(symbol, "sell" if lots > 0 else "buy", 5000, -0.01, tif=Tif.IOC, reduce_only=True)
            await one.adapter.submit(replace(order, lots=abs(lots)))
            await asyncio.sleep(0.2)


async def test_a_coin_is_bought_and_sold_and_nothing_is_left(venue):
    async with emulated(venue) as one:
        order = one.at(BTC, "buy", 500, -0.01, tif=Tif.IOC)
        assert isinstance(await one.adapter.submit(order), Accepted)
        await until(lambda: sum(fill.lots for fill in one.of(Fill, order.id)) == order.lots)
        assert net(one) == await position(one) < order.lots  # the venue kept its fee in coins
        await flat(one, BTC)
        await until(lambda: net(one) == 0)
        told = {fill.id for fill in await one.adapter.fills(one.adapter._feed.floor_ns)}
        assert told == {fill.id for fill in one.of(Fill)}


async def test_a_share_is_sold_short_and_bought_back(venue):
    async with emulated(venue, COST) as one:
        if one.adapter.instruments[COST].shortable:
            order = one.at(COST, "sell", 3000, -0.002, tif=Tif.IOC)
            assert isinstance(await one.adapter.submit(order), Accepted)
            await until(lambda: one.of(Fill) or one.of(Cancelled))
            assert net(one) == await position(one) <= 0
            await flat(one, COST)
        order = one.at(COST, "buy", 3000, 0.05)
        assert isinstance(await one.adapter.submit(order), Accepted)
        (found,) = await one.adapter.open_orders()
        assert (found.order_id, found.lots) == (order.id, order.lots)
        assert isinstance(await one.adapter.cancel(COST, order.id), Cancelled)
        assert await one.adapter.open_orders() == []


async def test_orders_are_moved_and_cancelled(venue):
    async with emulated(venue) as one:
        order = one.at(BTC, "buy", 500, 0.05, tif=Tif.ALO)
        assert isinstance(await one.adapter.submit(order), Accepted)
        await asyncio.sleep(0.05)  # it is pending for a moment, and can't be moved then
        moved = one.at(BTC, "buy", 500, 0.04, tif=Tif.ALO, replaces=order.id)
        moved = replace(moved, lots=order.lots)
        assert isinstance(await one.adapter.replace(moved), Accepted)
        await until(lambda: one.of(Cancelled, order.id))
        (found,) = await one.adapter.open_orders()
        assert found.order_id == moved.id
        done = await one.adapter.cancel(BTC, moved.id)
        assert isinstance(done, Cancelled)
        assert isinstance(await one.adapter.cancel(BTC, moved.id), Cancelled | CancelRefused)


async def test_a_replace_that_races_a_fill_buys_nothing_twice(venue):
    async with emulated(venue) as one:
        order = one.at(BTC, "buy", 500, 0.05, tif=Tif.ALO)
        await one.adapter.submit(order)
        await asyncio.sleep(0.05)
        venue.fault(kind="replace_race", for_s=5)
        moved = one.at(BTC, "buy", 500, 0.04, tif=Tif.ALO, replaces=order.id)
        moved = replace(moved, lots=order.lots)
        assert isinstance(await one.adapter.replace(moved), Accepted | CancelRefused)
        await until(lambda: one.of(Fill, order.id))
        await until(lambda: one.of(Rejected, moved.id) or one.of(CancelRefused, moved.id))
        assert sum(fill.lots for fill in one.of(Fill) if fill.order_id) == order.lots
        assert net(one) == await position(one)
        await flat(one, BTC)


@pytest.mark.parametrize("kind", ["timeout_after_accept", "gateway_504", "lost_before"])
async def test_a_lost_answer_ends_in_a_proof(venue, kind):
    async with emulated(venue) as one:
        venue.fault(kind=kind, requests=["order"], **({"delay_s": 1} if kind == "timeout_after_accept" else {}))
        order = one.at(BTC, "buy", 500, 0.05)
        try:
            async with asyncio.timeout(1.0):
                verdict = await one.adapter.submit(order)
        except (VenueUnreachable, TimeoutError):
            verdict = None
        if verdict is not None:
            assert isinstance(verdict, Accepted)
        found: Any = None
        async with asyncio.timeout(PATIENCE_S):
            while found is None:
                await asyncio.sleep(0.1)
                found = await one.adapter.find(BTC, order.id)
        if kind == "lost_before":
            assert isinstance(found, Cancelled)
            assert found.lots_filled == 0
        else:
            assert isinstance(found, OpenOrder)
            assert isinstance(await one.adapter.cancel(BTC, order.id), Cancelled)
        orders = [row for row in venue.truth(KEY)["orders"] if row["client_order_id"] == order.id]
        assert len(orders) == 1
        assert orders[0]["status"] == "canceled"


async def test_what_a_cut_stream_missed_is_told(venue):
    async with emulated(venue) as one:
        order = one.at(BTC, "buy", 400, -0.01, tif=Tif.IOC)
        venue.fault(kind="late_fills", delay_s=8, for_s=3)
        venue.fault(kind="close", channels=["trade_updates"])
        await one.adapter.submit(order)
        await until(lambda: sum(fill.lots for fill in one.of(Fill, order.id)) == order.lots, 6.0)
        await until(lambda: one.adapter._feed.ready)
        await asyncio.sleep(0.9)  # the late ones come, too, and are the same
        assert sum(fill.lots for fill in one.of(Fill, order.id)) == order.lots
        assert net(one) == await position(one)
        await flat(one, BTC)


async def test_strange_times_frames_and_statuses_change_nothing(venue):
    async with emulated(venue) as one:
        for kind in ("mixed_times", "binary_frames", "unknown_status"):
            venue.fault(kind=kind, for_s=20)
        order = one.at(BTC, "buy", 500, 0.05)
        assert isinstance(await one.adapter.submit(order), Accepted)
        (found,) = await one.adapter.open_orders()
        assert found.order_id == order.id
        assert isinstance(await one.adapter.find(BTC, order.id), OpenOrder)
        assert isinstance(await one.adapter.cancel(BTC, order.id), Cancelled)


@pytest.mark.parametrize("heard", [True, False])
async def test_the_end_of_the_day_ends_orders_of_shares_whether_it_is_heard_or_not(heard):
    with running_alpaca((COST,), speed=SPEED, start="2026-01-05T20:59:40Z") as venue:
        async with emulated(venue, COST) as one:
            order = one.at(COST, "buy", 2000, away=0.3, tif=Tif.ALO)
            assert isinstance(await one.adapter.submit(order), Accepted)
            if not heard:
                one.adapter.shared.stream.drop("the test")
            await until(lambda: one.of(Cancelled, order.id), 12.0)
            assert one.of(Cancelled, order.id)[0].reason == "expired"
            assert not await one.adapter.open_orders()
