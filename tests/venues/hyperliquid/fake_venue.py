"""A venue that misbehaves as told: a WebSocket server on loopback, and a plain HTTP one."""

import asyncio
import json
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager

from websockets.asyncio.server import ServerConnection, serve
from websockets.exceptions import ConnectionClosed

from tests.patience import PATIENCE_S

START_MS = 1_750_000_000_000


async def until(condition: Callable[[], object], seconds: float = PATIENCE_S) -> None:
    """Wait for something that no event tells."""
    async with asyncio.timeout(seconds):
        while not condition():  # noqa: ASYNC110
            await asyncio.sleep(0.002)


def book(symbol: str, number: int = 0, levels: int = 20) -> str:
    """A book of one symbol; later numbers are later and higher."""
    bids = [{"px": str(100 + number - i), "sz": "1.5", "n": 2} for i in range(1, levels + 1)]
    asks = [{"px": str(100 + number + i), "sz": "2.5", "n": 3} for i in range(levels)]
    data = {"coin": symbol, "time": START_MS + number, "levels": [bids, asks]}
    return json.dumps({"channel": "l2Book", "data": data})


def trades(symbol: str, *prices: int) -> str:
    """A frame of trades."""
    said = {"coin": symbol, "side": "B", "sz": "1", "hash": "0x0", "users": ["0x1", "0x2"]}
    made = [said | {"px": str(price), "time": START_MS + price, "tid": price} for price in prices]
    return json.dumps({"channel": "trades", "data": made})


class FakeVenue:
    """What the venue does with a socket; its attributes are its moods."""

    def __init__(self) -> None:
        self.port = 0
        self.sockets: list[ServerConnection] = []  # of all times
        self.said: list[tuple[int, dict[str, object]]] = []  # number of the socket, what came
        self.deadly: set[str] = set()  # symbols, or channels without one, that kill the socket without a word
        self.ignored: set[str] = set()  # symbols that are never confirmed
        self.refused: dict[str, str] = {}  # symbol -> the error frame's text
        self.pongs = True
        self.ack_s = 0.0
        self.greeting: Callable[[ServerConnection], Awaitable[None]] | None = None

    @property
    def url(self) -> str:
        """The base URL of this venue."""
        return f"http://127.0.0.1:{self.port}/prefix/"

    def asked(self, socket: int | None = None) -> list[str]:
        """Symbols subscribed to, in order; on one socket or on all."""
        return [
            str(one["subscription"].get("coin", one["subscription"]["type"]))  # type: ignore[attr-defined]
            for number, one in self.said
            if one["method"] == "subscribe" and socket in (None, number)
        ]

    async def talk(self, connection: ServerConnection) -> None:
        """One socket."""
        number = len(self.sockets)
        self.sockets.append(connection)
        assert connection.request is not None
        assert connection.request.path == "/prefix/ws"
        try:
            if self.greeting is not None:
                await self.greeting(connection)
            async for message in connection:
                await self._hear(connection, number, json.loads(message))
        except ConnectionClosed:
            return

    async def _hear(self, connection: ServerConnection, number: int, said: dict[str, object]) -> None:
        self.said.append((number, said))
        if said["method"] == "ping":
            if self.pongs:
                await connection.send('{"channel":"pong"}')
            return
        wanted = said["subscription"]
        assert isinstance(wanted, dict)
        symbol = wanted.get("coin", wanted["type"])
        if symbol in self.deadly:
            connection.transport.abort()
        elif symbol in self.refused:
            await connection.send(json.dumps({"channel": "error", "data": self.refused[symbol]}))
        elif symbol not in self.ignored:
            await asyncio.sleep(self.ack_s)
            answer = {"method": "subscribe", "subscription": wanted}
            await connection.send(json.dumps({"channel": "subscriptionResponse", "data": answer}))

    async def push(self, *frames: str | bytes, socket: int = -1) -> None:
        """Send frames on a socket, the newest if none is named."""
        for frame in frames:
            await self.sockets[socket].send(frame, text=True)


@asynccontextmanager
async def fake_venue() -> AsyncIterator[FakeVenue]:
    """A venue that listens."""
    venue = FakeVenue()
    async with serve(venue.talk, "127.0.0.1", 0, ping_interval=None, max_size=None, close_timeout=0.2) as server:
        venue.port = next(iter(server.sockets)).getsockname()[1]
        yield venue
        for socket in venue.sockets:
            socket.transport.abort()


@asynccontextmanager
async def raw_server(
    answer: Callable[[asyncio.StreamReader, asyncio.StreamWriter], Awaitable[None]],
) -> AsyncIterator[int]:
    """A TCP server of one coroutine for each connection; its port."""
    tasks: set[asyncio.Task[None] | None] = set()

    async def talk(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        tasks.add(asyncio.current_task())
        try:
            await answer(reader, writer)
        except (ConnectionError, asyncio.IncompleteReadError, asyncio.CancelledError):
            pass
        finally:
            writer.transport.abort()

    server = await asyncio.start_server(talk, "127.0.0.1", 0)
    try:
        yield server.sockets[0].getsockname()[1]
    finally:
        for task in tasks:
            if task is not None:
                task.cancel()
        server.close()
        await server.wait_closed()
        await asyncio.sleep(0)
