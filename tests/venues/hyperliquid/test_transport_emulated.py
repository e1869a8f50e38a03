"""Streams and REST against the emulated exchange, in real time: two things that share no code understand each other."""

import asyncio
from typing import Any

import msgspec
import pytest

from supervisor.clock import Clock
from tests.venues.emulator.running import ADDRESS, Running, running
from tests.venues.hyperliquid.fake_venue import until
from venues.hyperliquid.line import LineLimits, LineSpec
from venues.hyperliquid.reconnect import Backoff, Limits
from venues.hyperliquid.rest import Rest
from venues.hyperliquid.socket import SocketLimits
from venues.hyperliquid.streams import Streams
from venues.hyperliquid.subscriptions import Gap, Lost, Quarantine, State, Subscription, account, books, fast_books
from venues.market import Book

NAMES = ["BTC", "ETH", "SOL", "DOGE", "xyz:TSLA"]
QUICK = LineLimits(socket=SocketLimits(close_s=0.2), ack_s=1.0)


@pytest.fixture(scope="module")
def venue():
    with running(speed=20.0) as one:
        yield one


async def heard(streams: Streams, told: list[Any]) -> None:
    async for batch in streams.batches():
        told += batch


async def test_books_of_both_kinds_and_the_account_come(venue: Running):
    clock = Clock.wall(asyncio.get_running_loop())
    lines = [
        LineSpec(name="books", subscriptions=books(NAMES), limits=QUICK),
        LineSpec(name="fast", subscriptions=fast_books(NAMES), limits=QUICK),
        LineSpec(name="account", subscriptions=account(ADDRESS), limits=QUICK),
    ]
    streams, told = Streams(venue.url, lines, clock, known=NAMES, limits=Limits(connections_per_minute=1000)), []
    task = asyncio.ensure_future(heard(streams, told))
    try:
        await until(lambda: not streams.uncovered(), 8)
        books_of = lambda levels: {one.symbol for one in told if type(one) is Book and len(one.bids) == levels}  # noqa: E731
        await until(lambda: books_of(20) == books_of(5) == set(NAMES), 8)
        await until(lambda: any(type(one).__name__ == "UserFills" and one.snapshot for one in told), 8)
        assert not [one for one in told if isinstance(one, Lost | Quarantine)]
        await until(lambda: len([one for one in told if isinstance(one, Gap)]) == 5, 8)  # before the first sockets
    finally:
        task.cancel()
        await asyncio.wait([task])


async def test_a_name_it_does_not_know_is_found_out_and_the_others_live(venue: Running):
    """Meta is live, but a coin may be gone by the time it is asked for."""
    clock, known = Clock.wall(asyncio.get_running_loop()), [*NAMES, "GONE"]
    asked = books(["BTC", "GONE", "ETH"])
    line = LineSpec(name="books", subscriptions=asked, limits=QUICK)
    streams, told = Streams(venue.url, [line], clock, known=known, limits=Limits(connections_per_minute=1000)), []
    streams.lines[0].backoff = Backoff(0, "test", first_s=0.01)
    task = asyncio.ensure_future(heard(streams, told))
    try:
        await until(lambda: [one for one in told if isinstance(one, Quarantine)], 8)
        await until(lambda: {one.symbol for one in told if type(one) is Book} == {"BTC", "ETH"}, 8)
        assert streams.coverage()[Subscription("l2Book", "GONE")].state is State.QUARANTINED
    finally:
        task.cancel()
        await asyncio.wait([task])


async def test_rest_asks_and_is_answered(venue: Running):
    rest = Rest(venue.url + "/")
    mids = await rest.info(b'{"type":"allMids"}', msgspec.json.Decoder(dict[str, str]).decode)
    assert float(mids["BTC"]) > 0
    answer = await rest.exchange(b"{}")
    assert answer.status in (200, 422)
    await rest.close()
