"""A live stream: lines of a market as server-sent events, each at its time, to one client that may be slow or gone.

    id: NAME.7           which event it is, for Last-Event-ID
    data: {...}          what the line says

Lines are made a few at a time in a thread, ahead of their time, and wait nowhere else: what a slow client does not take
is not made, so it holds one piece of its own market and nothing of anybody else's. A client that takes nothing for a
while is cut off; it may come back and go on behind the last event that it has.
"""

import asyncio
from collections.abc import Awaitable, Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from itertools import islice

from msgspec import Struct
from starlette.responses import Response
from starlette.types import Receive, Scope, Send

from daemon.http.metrics import Metrics
from supervisor.beside import Beside
from supervisor.clock import NS_PER_MS, NS_PER_S, Clock
from venues.aleatoric.artifacts.stream import Line

PIECE_LINES = 64
PACED_LINES = 16
"""Made at a time at the market's pace: each stream has two pieces, and hundreds of streams wait for their time."""
SENT_BYTES = 64 * 1024
"""As much is said at once where many lines are due."""
TOGETHER_NS = NS_PER_MS
"""Lines as near as this are said together: timers go no finer."""
HEARTBEAT_NS = 15 * NS_PER_S
HEARTBEAT = b": still here\n\n"
RETRY = b"retry: 1000\n\n"
THREADS = 2

HEADERS = [
    (b"content-type", b"text/event-stream; charset=utf-8"),
    (b"cache-control", b"no-store"),
    (b"x-accel-buffering", b"no"),  # a proxy that gathers answers would hold back what is live
]

Frames = list[tuple[int, bytes]]


class Told(Struct, frozen=True, kw_only=True):
    """What is to be streamed."""

    lines: Iterator[Line]
    name: str  # of the stream, in its events' ids
    first: int  # number of its first event
    speed: float  # 1: as the market goes; 0: as fast as it is taken
    begun_ns: int = 0  # when its first event was said, to an earlier connection; 0: it begins now
    market_ns: int = 0  # the market's time of that event
    mode: str  # for the counts


class Open(Struct):
    """One stream under way, for whoever may end it."""

    owner: str
    close: Callable[[], None]


class Hub:
    """All streams under way, the threads that make their lines, and how to cut a connection."""

    def __init__(self, clock: Clock, metrics: Metrics) -> None:
        self.clock, self.metrics = clock, metrics
        self.streams: dict[int, Open] = {}
        self.transports: dict[tuple[str, int], asyncio.Transport] = {}
        self.threads = ThreadPoolExecutor(THREADS, thread_name_prefix="aleatoric-stream")

    def count(self, owner: str = "") -> int:
        """Streams of one key, or all."""
        return sum(owner in ("", stream.owner) for stream in self.streams.values())

    def close(self, owner: str = "") -> None:
        """End the streams of one key, or all."""
        for stream in list(self.streams.values()):
            if owner in ("", stream.owner):
                stream.close()

    def cut(self, scope: Scope) -> None:
        """Cut a connection whose client does not take what is said: to close it would wait for ever."""
        self.metrics.cut.add()
        transport = self.transports.get(tuple(scope.get("client") or ()))
        if transport is not None:
            transport.abort()

    async def pull(self, told: Told, first: int) -> Frames:
        """The next few lines as events; none when there are no more."""
        return await self.clock.loop.run_in_executor(self.threads, _piece, told, first)

    async def skip(self, lines: Iterator[Line], count: int, gone: Callable[[], Awaitable[bool]]) -> int | None:
        """Leave out so many lines; the market's time of the first, None if there are fewer or nobody waits any more."""

        def drop() -> tuple[int, int]:
            times = [at_ns for at_ns, _ in islice(lines, min(count, PIECE_LINES * PIECE_LINES))]
            return len(times), times[0] if times else 0

        first_ns = None
        while count > 0:
            dropped, at_ns = await self.clock.loop.run_in_executor(self.threads, drop)
            first_ns = at_ns if first_ns is None else first_ns
            if not dropped or await gone():
                return None
            count -= dropped
        return first_ns


def _piece(told: Told, first: int) -> Frames:
    found = islice(told.lines, PACED_LINES if told.speed else PIECE_LINES)
    name = told.name.encode()
    return [(at_ns, b"id: %b.%d\ndata: %b\n\n" % (name, n, line)) for n, (at_ns, line) in enumerate(found, first)]


class EventStream(Response):
    """The answer that is a stream. Its beginning, `piece`, is made before the answer is, so that it can be refused."""

    media_type = "text/event-stream"

    def __init__(self, hub: Hub, told: Told, piece: Frames, owner: str) -> None:
        super().__init__()
        self.hub, self.told, self.owner = hub, told, owner
        self._piece, self._over = piece, False
        self._beside = Beside(hub.clock)
        self._begun_ns, self._market_ns = told.begun_ns, told.market_ns

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        self.hub.streams[id(self)] = Open(self.owner, self._end)
        try:
            await send({"type": "http.response.start", "status": 200, "headers": HEADERS})
            self._beside.start(self._listen(receive), "listen")
            self._beside.start(self._pump(send), "pump")
            while not self._over:
                await self._beside.wait()
            await self._beside.stop()
            await self._say(send, b"", more=False)
        finally:
            await self._beside.stop()
            del self.hub.streams[id(self)]

    def _end(self) -> None:
        self._over = True
        self._beside.wake()

    async def _listen(self, receive: Receive) -> None:
        """Notice at once that the client left."""
        while (await receive())["type"] != "http.disconnect":
            pass
        self._end()

    async def _pump(self, send: Send) -> None:
        """Say everything, each line at its time."""
        await self._say(send, RETRY)
        piece, first = self._piece, self.told.first
        while piece:
            first += len(piece)
            coming = self.hub.clock.loop.create_future()
            self._beside.start(self._fetch(first, coming), "fetch")
            await self._say_piece(send, piece)
            piece = await coming
        self._end()

    async def _fetch(self, first: int, coming: "asyncio.Future[Frames]") -> None:
        found = await self.hub.pull(self.told, first)
        if not coming.done():
            coming.set_result(found)

    async def _say_piece(self, send: Send, piece: Frames) -> None:
        ready, count = bytearray(), 0
        for at_ns, frame in piece:
            due_ns = self._due_ns(at_ns)
            if ready and (due_ns - self.hub.clock.now_ns() > TOGETHER_NS or len(ready) > SENT_BYTES):
                await self._say(send, bytes(ready))
                self.hub.metrics.events.add(self.told.mode, by=count)
                ready, count = bytearray(), 0
            if due_ns - self.hub.clock.now_ns() > TOGETHER_NS:
                await self._wait(send, due_ns)
            ready += frame
            count += 1
        await self._say(send, bytes(ready))
        self.hub.metrics.events.add(self.told.mode, by=count)

    def _due_ns(self, at_ns: int) -> int:
        """When a line is to be said: as long after the first one as it came after that, by the stream's speed.

        Who comes back is told at once what he missed, and is then where he would be.
        """
        if not self._begun_ns:
            self._begun_ns, self._market_ns = self.hub.clock.now_ns(), at_ns
        if not self.told.speed:
            return 0
        return self._begun_ns + round((at_ns - self._market_ns) / self.told.speed)

    async def _wait(self, send: Send, until_ns: int) -> None:
        """Wait, and say now and then that the stream is not dead."""
        while (now_ns := self.hub.clock.now_ns()) < until_ns:
            await self.hub.clock.sleep_until(min(until_ns, now_ns + HEARTBEAT_NS))
            if until_ns - now_ns > HEARTBEAT_NS:
                await self._say(send, HEARTBEAT)

    async def _say(self, send: Send, body: bytes, *, more: bool = True) -> None:
        """Say it as soon as the client takes it. Raises what the door does when it takes nothing for long."""
        await send({"type": "http.response.body", "body": body, "more_body": more})
