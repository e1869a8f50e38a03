"""The hub over real sockets on loopback: what is heard, what is not and why, and what survives a bad venue."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import aclosing, asynccontextmanager

import pytest

from config.errors import ConfigError
from supervisor.clock import NS_PER_S, Clock
from tests.patience import PATIENCE_S
from tests.venues.alpaca.fake_market import FakeMarket, Told, book, change, fake_market, quote, until
from venues.alpaca import data_stream, endpoint
from venues.alpaca.data import CRYPTO_STREAM, STOCKS_STREAM, Data, stream_url
from venues.alpaca.data_stream import StreamLimits
from venues.alpaca.login import Login
from venues.alpaca.plan import BASIC, PLUS
from venues.market import Book, Level, Side, Trade
from venues.socket import SocketLimits

LIMITS = StreamLimits(socket=SocketLimits(connect_s=1.0, close_s=0.2))
PAIRS = ("BTC/USD", "ETH/USD")


@pytest.fixture
async def market() -> AsyncIterator[FakeMarket]:
    async with fake_market() as one:
        yield one


@pytest.fixture(autouse=True)
def quick(monkeypatch):
    """Back-off in hundredths, so that what takes minutes takes none."""
    monkeypatch.setattr(data_stream, "FIRST_S", 0.01)
    monkeypatch.setattr(data_stream, "LAST_S", 0.05)
    monkeypatch.setattr(data_stream, "CROWDED_FIRST_S", 0.04)
    monkeypatch.setattr(data_stream, "CROWDED_LAST_S", 0.1)
    monkeypatch.setattr(data_stream, "TURNED_AWAY_FIRST_S", 0.04)
    monkeypatch.setattr(data_stream, "TURNED_AWAY_LAST_S", 0.1)


def data_of(market, *, plan=BASIC, secret="secret", limits=LIMITS, is_open=lambda _: True):
    clock = Clock.wall(asyncio.get_running_loop())
    login = Login(Told("key"), Told(secret))
    data = Data(market.url, "http://127.0.0.1:9", login, plan, clock, 7, is_open=is_open, limits=limits)
    data.told = []
    data.tell = data.told.append
    return data


class Heard:
    """A pull of a feed in a task, and all that came."""

    def __init__(self, pulled):
        self.events = []
        self.task = asyncio.ensure_future(self._pull(pulled))

    async def _pull(self, pulled):
        async with aclosing(pulled) as batches:
            async for batch in batches:
                self.events += batch

    def books(self, symbol="BTC/USD"):
        return [one for one in self.events if isinstance(one, Book) and one.symbol == symbol]

    async def stop(self):
        self.task.cancel()
        await asyncio.wait([self.task])


@asynccontextmanager
async def hearing(*pulls):
    heard = [Heard(pull) for pull in pulls]
    try:
        yield heard
    finally:
        for one in heard:
            await one.stop()


async def test_books_and_trades_of_coins(market):
    data = data_of(market)
    async with hearing(data.crypto(PAIRS).market()) as (heard,):
        await until(lambda: len(heard.books()) == 1)
        assert heard.books()[0].bids == (Level(10, 1), Level(9, 2))
        trade = {"T": "t", "S": "BTC/USD", "p": 10.5, "s": 2, "t": "2026-03-12T10:38:51Z", "i": 1, "tks": "S"}
        await market.push(change(bids=[(10, 0)]), trade)
        await until(lambda: len(heard.events) == 4)
        assert heard.books()[1].bids == (Level(9, 2),)
        assert isinstance(heard.events[-1], Trade)
        assert market.requests("auth") == [{"action": "auth", "key": "key", "secret": "secret"}]
        assert market.subscribed() == {"orderbooks": [*PAIRS], "trades": [*PAIRS]}
    await until(lambda: not market.open_now)  # with its last listener


async def test_one_connection_serves_all_who_listen(market):
    data = data_of(market)
    bars = data.crypto_bars({"BTC": "BTC/USD", "kBTC": "BTC/USD"})
    async with hearing(data.crypto(["BTC/USD"], trades=False).market(), bars.bars()) as (books, given):
        await until(books.books)
        bar = {"T": "b", "S": "BTC/USD", "o": 1, "h": 3, "l": 1, "c": 2, "v": 0, "t": "2026-03-12T10:38:00Z", "n": 0}
        await until(lambda: "bars" in market.subscribed())
        await market.push(bar | {"T": "u"}, bar)
        await until(lambda: len(given.events) == 2)
        assert [(one.symbol, one.close, one.books) for one in given.events] == [("BTC", 2, 1), ("kBTC", 2, 1)]
        async with hearing(data.crypto(["BTC/USD"], trades=False).market()) as (late,):
            await until(late.books)  # what is known, without asking for it again
        await books.stop()
        await market.push(bar, bar | {"t": "2026-03-12T10:39:00Z"})  # each once
        await until(lambda: len(given.events) == 4)
        assert len(market.sockets) == 1
    await until(lambda: not market.open_now)


async def test_shares_have_books_of_one_level(market):
    data = data_of(market, plan=PLUS)
    async with hearing(data.stocks(["COST"], trades=True).market()) as (heard,):
        await until(lambda: market.sockets and market.subscribed())
        trade = {"T": "t", "S": "COST", "i": 1, "x": "V", "s": 9, "t": "2026-03-12T10:38:51Z", "c": ["@"], "z": "C"}
        prices = (900.1, 900.0, 900.05, 900.05, 899.9, 900.05)
        await market.push(quote(), *(trade | {"p": price} for price in prices))
        await market.push(quote(bid=0))
        await until(lambda: len(heard.events) == 8)
        assert heard.events[0].bids == (Level(900.0, 3),)
        assert heard.events[-1].bids == ()
        sides = [one.side for one in heard.events[1:-1]]
        assert sides == [Side.BUY, Side.SELL, Side.BUY, Side.BUY, Side.SELL, Side.BUY]
        assert market.sockets[0].request.path == "/v2/iex"
        assert market.sockets[0].request.headers["Content-Type"] == "application/msgpack"


async def test_a_quote_of_an_exchange_where_nobody_quotes_has_no_price(market):
    """Its middle was half the share's price: a stop, and after three seconds of it the breaker."""
    data = data_of(market)
    async with hearing(data.stocks(["COST"]).market()) as (heard,):
        await until(lambda: market.sockets and market.subscribed())
        await market.push(
            quote(), quote(bid=1.0, ask=900.1), quote(bid=900.0, ask=989.0), quote(bid=900.0, ask=199_999.0)
        )
        await until(lambda: len(heard.events) == 4)
        assert [len(one.bids) + len(one.asks) for one in heard.events] == [2, 0, 2, 0]


async def test_the_plan_is_told_and_kept(market):
    data = data_of(market)
    names = tuple(f"C{number:02}/USD" for number in range(28))
    feed = data.crypto(names)
    covered = feed.coverage()
    assert (covered.covered, len(covered.uncovered), covered.partly) == (names[:10], 18, {})
    assert "the plan basic has 10 order books" in str(covered)
    async with hearing(feed.market()):
        await until(lambda: market.sockets and market.subscribed())
        assert market.subscribed()["orderbooks"] == [*names[:10]]
        await until(lambda: feed.deaf() == {*names[10:]})
    shares = data.stocks([f"S{number}" for number in range(138)])
    assert len(shares.coverage().covered) == 30
    assert not data_of(market, plan=PLUS).crypto(names).coverage().uncovered
    sip = Data(market.url, "http://x", data.login, BASIC, data.clock, 7, feed="sip").stocks(["COST"]).coverage()
    assert sip.uncovered == {"COST": "the plan basic has no feed sip, only iex"}


async def test_a_limit_that_is_lower_than_the_plans_is_found_and_told(market):
    market.subscriptions_max["orderbooks"] = 3
    names = tuple("ABCDEFGH")
    data = data_of(market)
    feed = data.crypto(names, trades=False)
    async with hearing(feed.market()) as (heard,):
        await until(lambda: feed.coverage().uncovered)
        assert feed.coverage().covered == ("A", "B", "C")
        await until(lambda: feed.deaf() == {*names[3:]})
        await until(lambda: {one.symbol for one in heard.events} == {"A", "B", "C"})
    assert any("no orderbooks of D, E, F, G, H: 405 symbol limit exceeded" in text for text in data.told)


async def test_a_wrong_key_is_the_operators_to_mend_and_is_not_tried_again(market):
    data = data_of(market, secret="hunter2")
    with pytest.raises(ConfigError, match="402 auth failed") as raised:
        async for _ in data.crypto(PAIRS).market():
            pass
    assert "hunter2" not in str(raised.value) + str(data.told)
    assert len(market.sockets) == 1
    await until(lambda: not market.open_now)


@pytest.mark.parametrize("mood", ["key", "plan"])
async def test_a_key_that_was_good_is_tried_again(market, mood):
    """A venue in maintenance refuses keys that are right. An engine that ends of it leaves its positions unwatched."""
    data = data_of(market)
    async with hearing(data.crypto(PAIRS).market()) as (heard,):
        await until(heard.books)
        if mood == "key":
            market.keys = {}
        else:
            market.plan_error = 409, "insufficient subscription"
        market.sockets[-1].transport.abort()
        await until(lambda: len(market.sockets) >= 3)
        market.keys, market.plan_error = {"key": "secret"}, None
        before = len(heard.events)
        await until(lambda: len(heard.events) > before)
        assert not heard.task.done()
        assert not data.crypto(PAIRS).deaf()


async def test_an_endpoint_that_is_not_in_the_plan_is_told_and_left_alone(market):
    market.plan_error = 409, "insufficient subscription"
    data = data_of(market)
    feed = data.crypto(PAIRS)
    async with hearing(feed.market()) as (heard,):
        await until(lambda: feed.coverage().uncovered)
        assert feed.coverage().uncovered == dict.fromkeys(PAIRS, "409 insufficient subscription")
        assert set(feed.deaf()) == {*PAIRS}
        await asyncio.sleep(0.1)
        assert (len(market.sockets), heard.task.done()) == (1, False)


async def test_a_crowded_endpoint_is_left_alone_and_no_zombie_is_left_behind(market):
    market.connections_max = 0
    data = data_of(market)
    async with hearing(data.crypto(PAIRS).market()) as (heard,):
        await until(lambda: market.seen_406 == 3)
        assert len(market.open_now) <= 1
        market.connections_max = 1
        await until(heard.books)
        assert len(market.open_now) == 1
        assert any("crowded: 406 connection limit exceeded" in text for text in data.told)
    await until(lambda: not market.open_now)


@pytest.mark.parametrize("mood", ["greets", "logs_in", "confirms"])
async def test_a_stop_at_any_moment_leaves_no_socket(market, mood):
    setattr(market, mood, False)
    data = data_of(market)
    async with hearing(data.crypto(PAIRS).market()):
        await until(lambda: market.sockets)
        await asyncio.sleep(0.02)
    await until(lambda: not market.open_now)


async def test_a_reconnect_asks_for_everything_again_and_shows_no_half_book(market):
    data = data_of(market)
    feed = data.crypto(PAIRS)
    async with hearing(feed.market()) as (heard,):
        await until(lambda: len(heard.books("ETH/USD")) == 1)
        assert not feed.deaf()
        market.books = lambda _: None  # the next connection's whole books are late
        market.sockets[0].transport.abort()
        await until(lambda: len(market.sockets) == 2 and market.subscribed())
        assert set(feed.deaf()) == {*PAIRS}
        count = len(heard.events)
        await market.push(change(bids=[(10.5, 1)]))
        await market.push(book("ETH/USD"))
        await until(lambda: len(heard.events) > count)
        assert len(heard.books("ETH/USD")) == 2
        assert len(heard.books()) == 1  # a change alone is no book
        assert "BTC/USD" in feed.deaf()
        market.books = book
        await until(lambda: len(heard.books()) == 2)  # asked for again
        assert not feed.deaf()
    dropped = market.requests("unsubscribe", socket=1)
    assert dropped[0] == {"action": "unsubscribe", "orderbooks": ["BTC/USD"]}


@pytest.mark.parametrize(
    "bad",
    [
        change(bids=[(11, 1)]),
        change(bids=[(10, 0), (9, 0)]),
        {"T": "o", "S": "BTC/USD", "t": "yesterday", "b": [], "a": []},
        {"T": "o"},
        17,
    ],
)
async def test_a_book_in_doubt_is_asked_for_anew(market, bad):
    data = data_of(market)
    feed = data.crypto(PAIRS, trades=False)
    async with hearing(feed.market()) as (heard,):
        await until(lambda: len(heard.events) == 2)
        await market.push(bad, change("ETH/USD", bids=[(10, 7)]))
        await until(lambda: market.requests("unsubscribe"))
        await until(lambda: len(heard.books()) == 2)
        assert heard.books()[1].bids == (Level(10, 1), Level(9, 2))
        assert not feed.deaf()
        assert all(one.bids and one.asks and one.bids[0].price < one.asks[0].price for one in heard.books())
        assert len(market.sockets) == 1


async def test_what_nobody_asked_for_is_counted_and_nothing_else(market):
    data = data_of(market)
    async with hearing(data.crypto(["BTC/USD"]).market()) as (heard,):
        await until(heard.books)
        await market.push(change("X/USD"), book("Y/USD"), quote("Z"), quote("BTC/USD"), change(bids=[(10, 3)]))
        await until(lambda: len(heard.events) == 2)
        endpoint_of = data.endpoint(CRYPTO_STREAM)
        assert (endpoint_of.strays, set(endpoint_of.shown), endpoint_of.books.doubtful) == (4, {"BTC/USD"}, {})
        assert not market.requests("unsubscribe")


async def test_a_book_that_stays_mad_is_not_asked_for_in_a_storm(market):
    market.books = lambda symbol: book(symbol, bid=12.0)
    data = data_of(market)
    async with hearing(data.crypto(["BTC/USD"]).market()) as (heard,):
        await until(lambda: len(market.requests("unsubscribe")) == 1)
        await asyncio.sleep(0.3)
        assert len(market.requests("unsubscribe")) == 1
        assert not heard.events


async def test_a_mute_socket_is_found_by_age(market):
    data = data_of(market, limits=StreamLimits(socket=LIMITS.socket, quiet_s=0.15))
    async with hearing(data.crypto(PAIRS).market()) as (heard,):
        await until(lambda: len(heard.books()) == 1)
        await until(lambda: len(market.sockets) == 2)  # nothing more was pushed, though it stands and pongs
        assert any("mute" in text for text in data.told)
        await until(lambda: len(heard.books()) == 2)


async def test_a_share_market_that_is_shut_is_no_mute_socket(market):
    shut = asyncio.Event()
    limits = StreamLimits(socket=SocketLimits(ping_s=0.05, pong_s=1.0, close_s=0.2), quiet_s=0.1)
    data = data_of(market, limits=limits, is_open=lambda _: not shut.is_set())
    shut.set()
    async with hearing(data.stocks(["COST"]).market()):
        await until(lambda: market.sockets and market.subscribed())
        await asyncio.sleep(0.4)
        assert len(market.sockets) == 1
        shut.clear()  # the bell
        await until(lambda: len(market.sockets) == 2)


async def test_a_socket_that_answers_no_ping_is_dead_at_any_hour(market):
    limits = StreamLimits(socket=SocketLimits(ping_s=0.05, pong_s=0.1, close_s=0.1), quiet_s=None)
    data = data_of(market, limits=limits)
    async with hearing(data.stocks(["COST"]).market()):
        await until(lambda: market.sockets and market.subscribed())
        await asyncio.sleep(0.25)
        assert len(market.sockets) == 1  # it answers
        market.sockets[0].transport.pause_reading()
        await until(lambda: len(market.sockets) == 2)


async def test_frames_that_cannot_be_read_end_the_connection(market):
    data = data_of(market)
    async with hearing(data.crypto(PAIRS).market()) as (heard,):
        await until(lambda: len(heard.events) == 2)
        for _ in range(17):
            await market.sockets[0].send(b"\xc1")
        await until(lambda: len(market.sockets) == 2)
        await until(lambda: len(heard.events) >= 4)


async def test_a_listener_that_is_slow_misses_books_but_never_the_newest(market, monkeypatch):
    monkeypatch.setattr(endpoint, "BACKLOG_MAX", 40)
    data = data_of(market)
    pulled = data.crypto(PAIRS, trades=False).market()
    async with hearing(data.crypto(PAIRS, trades=False).market()) as (quick,), aclosing(pulled) as slow:
        assert await anext(slow)
        await until(lambda: len(quick.events) == 2)
        for size in range(1, 81):
            await market.push(change(bids=[(10, size)]), change("ETH/USD", bids=[(10, size + 100)]))
        await until(lambda: len(quick.events) == 162)
        seen = [*await anext(slow)]
        assert len(seen) <= 40
        newest = {one.symbol: one.bids[0].size for one in seen}
        assert newest == {"BTC/USD": 80, "ETH/USD": 180}
    assert any("passed over" in text for text in data.told)


async def test_a_crash_of_the_connections_task_is_every_listeners(market, monkeypatch):
    data = data_of(market)
    monkeypatch.setattr(endpoint.Endpoint, "heard", lambda *_: 1 / 0)
    async with hearing(data.crypto(PAIRS).market(), data.crypto_bars({"BTC": "BTC/USD"}).bars()) as both:
        for one in both:
            with pytest.raises(ZeroDivisionError):
                await asyncio.wait_for(one.task, PATIENCE_S)
    await until(lambda: not market.open_now)


def test_urls():
    assert stream_url("https://stream.data.alpaca.markets/") == "wss://stream.data.alpaca.markets"
    assert stream_url("http://127.0.0.1:1/a") == "ws://127.0.0.1:1/a"
    with pytest.raises(ValueError, match="must be wss"):
        stream_url("stream.data.alpaca.markets")
    assert (CRYPTO_STREAM, STOCKS_STREAM, NS_PER_S) == ("/v1beta3/crypto/us", "/v2/", 10**9)
