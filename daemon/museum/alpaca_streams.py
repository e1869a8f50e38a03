"""Exhibits of Alpaca's sockets: connections that pile up, fall silent or are one too many. They run on loopback."""

from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from contextlib import suppress
from functools import partial
from typing import Any, TypeVar

import msgspec

from daemon.alpaca import shares_trade
from daemon.emulate import Where
from daemon.emulate_alpaca import asked_alpaca, emulator_of_alpaca, secret_of, throw_away_key
from daemon.museum.alpaca_desk import COIN, RTH, SHARE
from daemon.museum.desk import Plain
from daemon.museum.exhibit import Exhibit
from daemon.museum.loopback import SPEED, Loopback, staged
from venues.alpaca.data import CRYPTO_STREAM, STOCKS_STREAM, Data
from venues.alpaca.data_stream import MSGPACK, StreamLimits
from venues.alpaca.login import Login
from venues.alpaca.plan import BASIC
from venues.alpaca.trading_stream import TradingStream
from venues.market import Bar, Book
from venues.socket import NotConnected, Socket, SocketLimits, Speech

T = TypeVar("T")
SEED = 1
KEY = throw_away_key(SEED)
LOGIN = Login(Plain(KEY), Plain(secret_of(KEY, SEED)))
LIMITS = StreamLimits(socket=SocketLimits(close_s=0.2), quiet_s=8.0)
SUNDAY = "2026-01-04T15:00:00+00:00"
CRYPTO, STOCKS = CRYPTO_STREAM, STOCKS_STREAM + "iex"
ALL_FRAMES = 1 << 20


def _play(scene: Callable[[Loopback], Awaitable[T]], start: str = RTH) -> T:
    told = asked_alpaca(where=Where("127.0.0.1", 0), seed=SEED, speed=SPEED, start=start, symbols=(COIN, SHARE))
    return staged(lambda clock: emulator_of_alpaca(told, clock), scene, told.start_ns)


def _data(venue: Loopback, is_open: Callable[[int], bool] = shares_trade) -> Data:
    """Our market data, against this venue."""
    return Data(venue.url, venue.url, LOGIN, BASIC, venue.clock, SEED, is_open=is_open, limits=LIMITS)


def _pull(venue: Loopback, pulled: AsyncIterator[Sequence[Any]]) -> list[Any]:
    """Everything that comes."""
    told: list[Any] = []

    async def pull() -> None:
        async for batch in pulled:
            told.extend(batch)

    venue.beside.start(pull(), "market data of an exhibit")
    return told


async def _socket(venue: Loopback, path: str, **wish: list[str]) -> Socket:
    """One socket as a naive client has it: it logs in, and subscribes once."""
    socket = Socket(venue.clock, SocketLimits(close_s=0.2), lambda: None, MSGPACK)
    await socket.open(f"ws{venue.url.removeprefix('http')}{path}")
    login = {"action": "auth", "key": LOGIN.key, "secret": LOGIN.secret}
    for message in (login, {"action": "subscribe", **wish} if wish else None):
        if message is not None:
            socket.send(msgspec.msgpack.encode(message))
            await venue.clock.sleep(1)
    return socket


def _of(kind: type, told: Sequence[Any]) -> int:
    return sum(type(one) is kind for one in told)


def _statistics(venue: Loopback) -> Any:
    return venue.emulator.doors.statistics(venue.clock.now_ns())


def _refused(venue: Loopback) -> int:
    """How often the venue said 406."""
    return int(_statistics(venue)["stream_errors"].get("406", 0))


# --- silence ----------------------------------------------------------------------------------------------------------


async def _hears_again(venue: Loopback, fault: str) -> str:
    """Quotes of a share, through a fault."""
    told = _pull(venue, _data(venue).stocks([SHARE]).market())
    await venue.until(lambda: _of(Book, told) > 3)
    venue.fault(kind=fault, **({"for_s": 300} if fault == "mute" else {}))
    await venue.clock.sleep(3)
    count = _of(Book, told)
    again = await venue.until(lambda: _of(Book, told) > count + 3)
    return "quotes" if again else "nothing"


async def _believes(venue: Loopback, fault: str) -> str:
    """The same by one socket that stands."""
    socket = await _socket(venue, STOCKS, quotes=[SHARE])
    await venue.until(lambda: len(socket.frames) > 3)
    venue.fault(kind=fault, **({"for_s": 300} if fault == "mute" else {}))
    await venue.clock.sleep(3)
    socket.take(ALL_FRAMES)
    await venue.clock.sleep(30)
    return "quotes" if socket.take(ALL_FRAMES) else "nothing"


MUTE = Exhibit(
    name="alpaca-740",
    story="The stream of shares was connected and mute for hours; no error came, so nobody looked.",
    sources=("alpaca-740", "lean-tastytrade-31"),
    stake="a strategy that trades on the prices of this morning",
    right=lambda: _play(partial(_hears_again, fault="mute")),
    wrong=lambda: _play(partial(_believes, fault="mute")),
    check=lambda heard: heard == "quotes",
)


async def _wakes_subscribed(venue: Loopback) -> str:
    """Books of a coin through a close."""
    told = _pull(venue, _data(venue).crypto([COIN]).market())
    await venue.until(lambda: _of(Book, told) > 3)
    venue.fault(kind="close")
    await venue.clock.sleep(1)
    count = _of(Book, told)
    return "books" if await venue.until(lambda: _of(Book, told) > count + 3) else "nothing"


async def _only_logs_in(venue: Loopback) -> str:
    """A new connection that logs in again, and leaves subscribing to whoever did it the first time."""
    socket = await _socket(venue, CRYPTO)
    socket.take(ALL_FRAMES)
    await venue.clock.sleep(20)
    return "books" if socket.take(ALL_FRAMES) else "nothing"


SILENT_ZOMBIE = Exhibit(
    name="l4-silent-zombie",
    story="After a reconnect the stream was logged in and subscribed to nothing; it lived, and said nothing.",
    sources=("L4", "vnpy-2355"),
    stake="no prices, and a connection slot that is taken",
    right=lambda: _play(_wakes_subscribed),
    wrong=lambda: _play(_only_logs_in),
    check=lambda heard: heard == "books",
)


async def _shut_market(venue: Loopback, is_open: Callable[[int], bool]) -> int:
    """A minute of a Sunday, on which no share has a quote: connections that were opened."""
    data = _data(venue, is_open)
    _pull(venue, data.stocks([SHARE]).market())
    await venue.clock.sleep(60)
    return data.endpoint(STOCKS_STREAM).stream.connections


CLOSED_MARKET = Exhibit(
    name="openalgo-1419",
    story="A watchdog for silence fired while the market was shut, and reconnected again and again.",
    sources=("openalgo-1419",),
    stake="a login that is locked before the open",
    right=lambda: _play(partial(_shut_market, is_open=shares_trade), SUNDAY),
    wrong=lambda: _play(partial(_shut_market, is_open=lambda at_ns: True), SUNDAY),
    check=lambda connections: connections == 1,
)

# --- one connection ---------------------------------------------------------------------------------------------------


async def _waits_for_its_turn(venue: Loopback) -> str:
    """The venue takes no more connections for a minute: how often it is asked, and whether books come after it."""
    venue.fault(kind="conn_limit", for_s=60)
    told = _pull(venue, _data(venue).crypto([COIN]).market())
    again = await venue.until(lambda: _of(Book, told) > 3)
    return f"{'few' if _refused(venue) <= 8 else 'many'} tries, {'books' if again else 'nothing'}"


async def _tries_at_once(venue: Loopback) -> str:
    """The same by a loop that opens another socket as soon as one is refused, for five seconds of the minute."""
    venue.fault(kind="conn_limit", for_s=60)
    until_ns = venue.clock.now_ns() + 20 * 1_000_000_000
    while venue.clock.now_ns() < until_ns:
        socket = Socket(venue.clock, SocketLimits(close_s=0.2), lambda: None, MSGPACK)
        with suppress(NotConnected):
            await socket.open(f"ws{venue.url.removeprefix('http')}{CRYPTO}")
            socket.send(msgspec.msgpack.encode({"action": "auth", "key": LOGIN.key, "secret": LOGIN.secret}))
            await venue.clock.sleep(0.2)
    return f"{'few' if _refused(venue) <= 8 else 'many'} tries, nothing"


ZOMBIES = Exhibit(
    name="l4-zombies",
    story='"connection limit exceeded" was met with another try at once; each left a socket that counted as one more.',
    sources=("L4", "alpaca-248"),
    stake="minutes without prices while positions are open, each time",
    right=lambda: _play(_waits_for_its_turn),
    wrong=lambda: _play(_tries_at_once),
    check=lambda seen: seen == "few tries, books",
)


async def _shares_one(venue: Loopback) -> list[int]:
    """Books for one engine, bars for another and quotes for a third: connections at once, and refusals."""
    data = _data(venue)
    books, quotes = _pull(venue, data.crypto([COIN]).market()), _pull(venue, data.stocks([SHARE]).market())
    bars = _pull(venue, data.crypto_bars({"BTC": COIN}).bars())
    await venue.until(lambda: _of(Book, books) and _of(Book, quotes) and _of(Bar, bars))
    return [max(_statistics(venue)["connections_highest"].values()), _refused(venue)]


async def _one_each(venue: Loopback) -> list[int]:
    """Each engine has a client of its own."""
    for wish in ({"orderbooks": [COIN]}, {"bars": [COIN]}):
        await _socket(venue, CRYPTO, **wish)
    await venue.clock.sleep(2)
    return [max(_statistics(venue)["connections_highest"].values()), _refused(venue)]


ONE_SLOT = Exhibit(
    name="l5-one-slot",
    story="The one connection of a key was taken by the first engine; the second was refused, or threw the first out.",
    sources=("L5",),
    stake="an engine without prices, whichever starts last",
    right=lambda: _play(_shares_one),
    wrong=lambda: _play(_one_each),
    check=lambda seen: seen == [1, 0],
)


async def _knocks(venue: Loopback, *, patient: bool) -> int:
    """The venue is down for twenty seconds: how often the trading stream knocks in them."""
    venue.fault(kind="restart", for_s=20)
    until_ns, tries = venue.clock.now_ns() + 20 * 1_000_000_000, 0
    stream = TradingStream(venue.url, LOGIN, venue.clock, SEED)
    if patient:
        venue.beside.start(stream.keep(), "trading stream of an exhibit")
        await venue.clock.sleep(20)
        return stream.connections
    while venue.clock.now_ns() < until_ns:
        tries += 1
        socket = Socket(venue.clock, SocketLimits(close_s=0.2), lambda: None, Speech())
        with suppress(NotConnected):
            await socket.open(stream.url)
        await venue.clock.sleep(0.01)
    return tries


STORM = Exhibit(
    name="alpaca-740-storm",
    story="The trading stream reconnected every ten milliseconds while the venue was down, and met 429 when it was up.",
    sources=("alpaca-740", "nt-1989", "nt-1339"),
    stake="an account that is barred at the moment it matters",
    right=lambda: _play(partial(_knocks, patient=True)),
    wrong=lambda: _play(partial(_knocks, patient=False)),
    check=lambda tries: 1 <= tries <= 12,
)

EXHIBITS = (MUTE, SILENT_ZOMBIE, CLOSED_MARKET, ZOMBIES, ONE_SLOT, STORM)
