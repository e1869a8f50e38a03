"""Market data against the emulated venue, in real time: two things that share no code understand each other."""

import asyncio
from contextlib import asynccontextmanager

import pytest

from daemon.alpaca import shares_trade
from daemon.emulate_alpaca import parse_start
from supervisor.clock import NS_PER_S, Clock
from tests.venues.alpaca.fake_market import Told, until
from tests.venues.alpaca.test_data import hearing
from tests.venues.emulator.alpaca_running import KEY, SECRET, running_alpaca
from tests.venues.emulator.running import Running
from venues.alpaca import data_stream
from venues.alpaca.data import Data
from venues.alpaca.data_stream import StreamLimits
from venues.alpaca.login import Login
from venues.alpaca.plan import BASIC, PLUS
from venues.market import Book, Trade
from venues.socket import SocketLimits

COINS = ("BTC/USD", "ETH/USD", "AVAX/USD", "SOL/USD")
SHARES = ("COST", "NKE")
START = "2026-03-09T15:00Z"  # a Monday, 11:00 in New York
SPEED = 20.0
MINUTE_NS, DAY_NS = 60 * NS_PER_S, 86_400 * NS_PER_S


@pytest.fixture(scope="module")
def venue():
    with running_alpaca(symbols=(*COINS, *SHARES), speed=SPEED, start=START) as one:
        yield one


@asynccontextmanager
async def data_of(venue: Running, *, plan=BASIC, quiet_s=None):
    clock = Clock(asyncio.get_running_loop(), parse_start(START) + 60 * NS_PER_S, SPEED)
    limits = StreamLimits(socket=SocketLimits(close_s=0.2), quiet_s=quiet_s)
    login = Login(Told(KEY), Told(SECRET))
    data = Data(venue.url, venue.url, login, plan, clock, 7, is_open=shares_trade, limits=limits)
    data.told = []
    data.tell = data.told.append
    try:
        yield data
    finally:
        await data.close()


async def test_coins_and_shares_and_bars_come_over_two_connections(venue):
    async with data_of(venue) as data:
        coins, shares = data.crypto(COINS), data.stocks(SHARES)
        given = data.crypto_bars({"BTC": "BTC/USD"})
        for feed in (coins, shares):
            assert not (await feed.open()).uncovered
        async with hearing(coins.market(), shares.market(), given.bars()) as (books, quotes, bars):
            await until(lambda: {one.symbol for one in books.events if type(one) is Book} == {*COINS}, 20)
            await until(lambda: {one.symbol for one in quotes.events if type(one) is Book} == {*SHARES}, 20)
            await until(lambda: len(bars.events) >= 2, 20)
            await until(lambda: any(type(one) is Trade for one in books.events), 20)
            assert not coins.deaf()
            assert len(books.events[0].bids) == 20
            assert {len(one.bids) for one in quotes.events} <= {0, 1}
            assert {one.symbol for one in bars.events} == {"BTC"}
            times = [one.start_ns for one in bars.events]
            assert times == list(range(times[0], times[0] + len(times) * MINUTE_NS, MINUTE_NS))
            venue.fault(kind="close", channels=["orderbooks"])
            await until(lambda: data.endpoint("/v1beta3/crypto/us").stream.connections == 2, 20)
            count = len(books.events)
            await until(lambda: len(books.events) > count + 8, 20)
        doubted = [text for text in data.told if "is asked for again" in text]
        assert not doubted
        good = [one for one in books.events if type(one) is Book]
        assert all(one.bids and one.asks and one.bids[0].price < one.asks[0].price for one in good)


async def test_bars_that_closed_while_nobody_was_connected_are_asked_for_once():
    with running_alpaca(symbols=("BTC/USD",), speed=SPEED, start=START) as venue:  # on one time with the client
        async with data_of(venue) as data, hearing(data.crypto_bars({"BTC": "BTC/USD"}).bars()) as (bars,):
            await until(lambda: bars.events, 20)
            stream = data.endpoint("/v1beta3/crypto/us").stream
            venue.fault(kind="conn_limit", for_s=70)
            venue.fault(kind="close", channels=["bars"])
            await until(lambda: not stream.live, 10)
            missed_ns = data.clock.now_ns()
            await until(lambda: stream.live, 20)
            assert data.clock.now_ns() - missed_ns > MINUTE_NS
            count = len(bars.events)
            await until(lambda: len(bars.events) >= count + 3, 20)
            times = [one.start_ns for one in bars.events]
            assert times == list(range(times[0], times[0] + len(times) * MINUTE_NS, MINUTE_NS))


async def test_a_connection_that_is_taken_is_waited_for(venue, monkeypatch):
    monkeypatch.setattr(data_stream, "CROWDED_FIRST_S", 2.0)  # tenths on the wall
    async with data_of(venue) as first, data_of(venue) as second, hearing(first.crypto(COINS).market()) as (one,):
        await until(lambda: one.events, 20)
        async with hearing(second.crypto(COINS).market()) as (other,):
            await until(lambda: any("crowded: 406" in text for text in second.told), 20)
            assert not other.events
            await one.stop()
            await until(lambda: other.events, 20)


async def test_past_bars_are_whole(venue):
    async with data_of(venue) as data:
        coins, shares = data.crypto(COINS), data.stocks(SHARES)
        for symbol in COINS:
            bars = await coins.history(symbol, MINUTE_NS, 240)
            assert [bar.start_ns - bars[0].start_ns for bar in bars] == [place * MINUTE_NS for place in range(240)]
            assert bars[-1].end_ns <= data.clock.now_ns()
        for symbol in SHARES:
            days = await shares.history(symbol, DAY_NS, 60)
            assert len(days) == 60
            assert days[-1].end_ns <= data.clock.now_ns()
            assert not {bar.start_ns % DAY_NS for bar in days} - {0}
            assert days[-1].start_ns == parse_start("2026-03-06T00:00Z")  # the Friday before


async def test_the_plans_limit_is_the_venues(venue):
    async with data_of(venue, plan=PLUS) as data:  # we think that we may, and the venue knows better
        feed = data.stocks(SHARES)
        data.feed = "sip"
        async with hearing(feed.market()):
            await until(lambda: feed.coverage().uncovered == dict.fromkeys(SHARES, "409 insufficient subscription"), 20)
