"""Alpaca's market data on loopback, as moody as told: streams over WebSocket, bars over HTTP."""

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from typing import Any
from urllib.parse import parse_qs, urlsplit

import msgspec
from websockets.asyncio.server import ServerConnection, serve
from websockets.exceptions import ConnectionClosed

from tests.venues.hyperliquid.fake_venue import raw_server, until

__all__ = ["FakeMarket", "Told", "book", "change", "fake_bars", "fake_market", "quote", "until"]

STAMP = "2026-03-12T10:38:50.5Z"


class Told:
    """A secret as settings hold it."""

    def __init__(self, text: str):
        self.text = text

    def get_secret_value(self) -> str:
        return self.text


def _levels(pairs: Any) -> list[dict[str, float]]:
    return [{"p": price, "s": size} for price, size in pairs]


def book(symbol: str = "BTC/USD", bid: float = 10.0, ask: float = 11.0) -> dict[str, Any]:
    """A whole book."""
    return change(symbol, [(bid, 1), (bid - 1, 2)], [(ask, 3), (ask + 1, 4)]) | {"r": True}


def change(symbol: str = "BTC/USD", bids: Any = (), asks: Any = ()) -> dict[str, Any]:
    """A change of one."""
    return {"T": "o", "S": symbol, "t": STAMP, "b": _levels(bids), "a": _levels(asks)}


def quote(symbol: str = "COST", bid: float = 900.0, ask: float = 900.1) -> dict[str, Any]:
    """A share's best bid and ask."""
    return {"T": "q", "S": symbol, "bx": "V", "bp": bid, "bs": 3, "ax": "V", "ap": ask, "as": 4, "t": STAMP, "z": "C"}


class FakeMarket:
    """What the venue does with a socket; its attributes are its moods."""

    def __init__(self) -> None:
        self.port = 0
        self.sockets: list[ServerConnection] = []  # of all times
        self.said: list[tuple[int, dict[str, Any]]] = []  # number of the socket, what came
        self.keys = {"key": "secret"}
        self.connections_max = 1
        self.subscriptions_max: dict[str, int] = {}  # channel -> symbols
        self.unknown: set[str] = set()  # symbols that are invalid syntax
        self.lost: set[str] = set()  # symbols that are left out of confirmations without a word
        self.plan_error: tuple[int, str] | None = None  # in answer to a login
        self.greets = self.logs_in = self.confirms = self.pongs = True
        self.books: Callable[[str], dict[str, Any] | None] = book  # what follows a subscription to orderbooks
        self.held: dict[int, dict[str, list[str]]] = {}
        self.seen_406 = 0

    @property
    def url(self) -> str:
        """The base URL."""
        return f"ws://127.0.0.1:{self.port}"

    @property
    def open_now(self) -> list[ServerConnection]:
        """Sockets that stand."""
        return [socket for socket in self.sockets if socket.state.name == "OPEN"]

    def subscribed(self, socket: int = -1) -> dict[str, list[str]]:
        """What a socket is subscribed to."""
        return self.held[range(len(self.sockets))[socket]]

    def requests(self, action: str, socket: int | None = None) -> list[dict[str, Any]]:
        """What was asked for."""
        return [one for number, one in self.said if one["action"] == action and socket in (None, number)]

    async def talk(self, connection: ServerConnection) -> None:
        """One socket."""
        number = len(self.sockets)
        self.sockets.append(connection)
        self.held[number] = {}
        try:
            if self.greets:
                await self.push({"T": "success", "msg": "connected"}, socket=number)
            async for message in connection:
                assert isinstance(message, bytes)  # as asked for by the header
                await self._hear(connection, number, msgspec.msgpack.decode(message))
        except ConnectionClosed:
            return

    async def _error(self, number: int, code: int, text: str) -> None:
        await self.push({"T": "error", "code": code, "msg": text}, socket=number)

    async def _hear(self, connection: ServerConnection, number: int, said: dict[str, Any]) -> None:
        self.said.append((number, said))
        if said["action"] == "auth":
            await self._log_in(connection, number, said)
            return
        if not self.confirms:
            return
        held = {channel: list(symbols) for channel, symbols in self.held[number].items()}
        begun = []
        for channel, symbols in said.items():
            if channel == "action":
                continue
            if any(symbol in self.unknown for symbol in symbols):
                await self._error(number, 400, "invalid syntax")
                return
            names = held.setdefault(channel, [])
            for symbol in symbols:
                if said["action"] == "unsubscribe":
                    names.remove(symbol)
                elif symbol not in self.lost and symbol not in names:
                    names.append(symbol)
                    begun += [symbol] if channel == "orderbooks" else []
            if len(names) > self.subscriptions_max.get(channel, 1000):
                await self._error(number, 405, "symbol limit exceeded")
                return
        self.held[number] = held
        await self.push({"T": "subscription", **held}, socket=number)
        for symbol in begun:
            if (whole := self.books(symbol)) is not None:
                await self.push(whole, socket=number)

    async def _log_in(self, connection: ServerConnection, number: int, said: dict[str, Any]) -> None:
        if not self.logs_in:
            return
        if self.keys.get(said["key"]) != said["secret"]:
            await self._error(number, 402, "auth failed")
        elif self.plan_error is not None:
            await self._error(number, *self.plan_error)
        elif len(self.open_now) > self.connections_max:
            self.seen_406 += 1
            await self._error(number, 406, "connection limit exceeded")
            await connection.close()
        else:
            await self.push({"T": "success", "msg": "authenticated"}, socket=number)

    async def push(self, *messages: Any, socket: int = -1) -> None:
        """Send one frame of messages on a socket, the newest if none is named."""
        await self.sockets[socket].send(msgspec.msgpack.encode(list(messages)))


@asynccontextmanager
async def fake_market() -> AsyncIterator[FakeMarket]:
    """A venue that listens."""
    market = FakeMarket()
    async with serve(market.talk, "127.0.0.1", 0, ping_interval=None, max_size=None, close_timeout=0.2) as server:
        market.port = next(iter(server.sockets)).getsockname()[1]
        yield market
        for socket in market.sockets:
            socket.transport.abort()


Answers = Callable[[str, dict[str, str], dict[str, str]], tuple[str, Any]]
"""Path, query and headers -> status line and body."""


@asynccontextmanager
async def fake_bars(answer: Answers) -> AsyncIterator[str]:
    """An HTTP server of bars; its base URL."""

    async def talk(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        while True:
            head = (await reader.readuntil(b"\r\n\r\n")).decode().split("\r\n")
            target = urlsplit(head[0].split()[1])
            query = {name: values[0] for name, values in parse_qs(target.query).items()}
            headers = dict(line.lower().split(": ", 1) for line in head[1:] if line)
            status, said = answer(target.path, query, headers)
            status, _, more = status.partition("\r\n")
            body = said if isinstance(said, bytes) else msgspec.json.encode(said)
            more = f"{more}\r\n" if more else ""
            writer.write(f"HTTP/1.1 {status}\r\n{more}Content-Length: {len(body)}\r\n\r\n".encode() + body)
            await writer.drain()

    async with raw_server(talk) as port:
        yield f"http://127.0.0.1:{port}"
