"""A simulated network: programs in one virtual loop connect to each other by bytes that come late, stall or get lost.

Nothing leaves the process. A server listens on a port, a client connects to it, and each connection has a delay of its
own, drawn from the seed, with a jitter. On top of that the world decides what befalls: connections are reset, cut
without a word (half-open), stalled; hosts are unreachable for a while; bytes are lost and sent again, later.
Every draw comes from one generator in the order of events, which the virtual loop repeats for a seed.
"""

import asyncio
import socket
from collections import Counter
from collections.abc import Callable
from contextvars import Context, copy_context
from functools import partial
from random import Random
from typing import Any, cast

from msgspec import Struct

from supervisor.network_pipe import ON_TCP, End, Handle, Mark, Pipe

HOST = "127.0.0.1"
"""The one address: programs that talk here believe to be on one machine."""
CLIENT_PORT_MIN = 32_768
"""Linux's first ephemeral port."""
GIVE_UP_S = 127.0
"""A connect without any answer: Linux's six SYNs (tcp_syn_retries)."""
FORGOTTEN_S = 10.0
"""A server finds out that a client is gone within so long, if no word of that came; as Alpaca does, by its 406."""
RESEND_S, RESEND_S_MAX = 0.2, 3.0
"""What a lost segment costs: a retransmission timeout, Linux's least and one that doubled four times."""


class Weather(Struct, frozen=True):
    """What every connection has to live with."""

    delay_s: float = 0.02  # each way: a machine near the venue
    jitter_s: float = 0.01
    loss: float = 0.0  # of what is written, so much has to be sent again
    slow_s: float = 0.0  # more delay for everything


class Connection:
    """A client's end, a server's end, and the two pipes between them."""

    def __init__(self, number: int, port: int, client: End, server: End, pipes: tuple[Pipe, Pipe]):
        self.number, self.port = number, port
        self.client, self.server = client, server
        self.there, self.back = pipes

    @property
    def over(self) -> bool:
        """Whether both ends are gone."""
        return self.client.over and self.server.over


class Listener:
    """A socket that listens in the simulated network, as far as servers ask."""

    family, type, proto = *ON_TCP, socket.IPPROTO_TCP

    def __init__(self, port: int):
        self.port = port

    def getsockname(self) -> tuple[str, int]:
        """Where."""
        return HOST, self.port

    def dup(self) -> "Listener":
        """The same."""
        return self

    def setsockopt(self, *_: Any) -> None:
        """Nothing."""

    def fileno(self) -> int:
        """No file."""
        return -1

    def close(self) -> None:
        """Nothing: the server that was made of it closes."""

    def as_socket(self) -> socket.socket:
        """What functions take that want a socket."""
        return cast(socket.socket, self)


class Served(asyncio.AbstractServer):
    """A server at work."""

    def __init__(self, network: "Network", port: int, make: Callable[[], asyncio.Protocol], context: Context):
        self.network, self.port, self.make, self.context = network, port, make, context
        self.sockets: tuple[Any, ...] = (Listener(port),)

    def close(self) -> None:
        """Listen no more; connections stay."""
        self.network.close(self)

    def is_serving(self) -> bool:
        """Whether it listens."""
        return self.network.listening.get(self.port) is self

    async def start_serving(self) -> None:
        """It does already."""

    async def serve_forever(self) -> None:
        """Until it is cancelled."""
        await self.network.loop.create_future()

    async def wait_closed(self) -> None:
        """At once."""

    def get_loop(self) -> asyncio.AbstractEventLoop:
        """Its loop."""
        return self.network.loop


class Network:
    """All connections, all listeners, and the weather."""

    family, type, proto = *ON_TCP, socket.IPPROTO_TCP
    loop: asyncio.AbstractEventLoop

    def __init__(self, seed: int, weather: Weather | None = None):
        self.random = Random(f"network/{seed}")
        self.climate = self.weather = weather or Weather()
        self.listening: dict[int, Served] = {}
        self.connections: dict[Connection, None] = {}
        self.counted: Counter[str] = Counter()
        self.unreachable_s: dict[int, float] = {}  # port: until when no SYN is answered
        self.refusing_s: dict[int, float] = {}  # port: until when connections are refused
        self.watch: Callable[[Connection, bytes], None] | None = None  # hears what clients write
        self._number = 0
        self._quiet = socket.socketpair()  # a file that is never readable

    # --- as the loop's functions

    def serve(self, make: Callable[[], asyncio.Protocol], port: int) -> Served:
        """Listen. Raises OSError when the port is taken."""
        if port in self.listening:
            raise OSError(98, f"port {port} is taken")
        served = self.listening[port] = Served(self, port, make, copy_context())
        return served

    def close(self, served: Served) -> None:
        """Listen no more."""
        if self.listening.get(served.port) is served:
            del self.listening[served.port]

    async def connect(self, make: Callable[[], asyncio.Protocol], port: int) -> tuple[End, asyncio.Protocol]:
        """A connection to whoever listens. Raises ConnectionRefusedError, TimeoutError."""
        self.counted["connects"] += 1
        there_s, back_s = self._draw_s(), self._draw_s()
        await self._pass(there_s)
        if (until_s := self.unreachable_s.get(port, 0.0)) > self.loop.time():
            await self._pass(min(GIVE_UP_S, until_s - self.loop.time() + RESEND_S_MAX))
            if self.unreachable_s.get(port, 0.0) > self.loop.time():
                raise TimeoutError(110, "Connection timed out")
        served = self.listening.get(port)
        if served is None or self.refusing_s.get(port, 0.0) > self.loop.time():
            await self._pass(back_s)
            self.counted["refused"] += 1
            raise ConnectionRefusedError(111, f"Connect call failed ({HOST!r}, {port})")
        connection, protocol = self._join(served), make()
        accept = self.loop.call_soon(self._accept, connection, served, context=served.context)
        try:
            await self._pass(back_s)
        except asyncio.CancelledError:
            accept.cancel()
            connection.client.over = True  # nobody is there any more
            connection.server.lose(ConnectionResetError("Connection reset by peer"))
            self.connections.pop(connection, None)
            raise
        if connection.client.over:
            raise ConnectionResetError(104, "Connection reset by peer")
        connection.client.begin(protocol, self._about(connection, client=True))
        return connection.client, protocol

    # --- what befalls

    def reset(self, connection: Connection) -> None:
        """Both ends see it end at once."""
        for end in (connection.client, connection.server):
            end.lose(ConnectionResetError("Connection reset by peer"))

    def half_open(self, connection: Connection, *, back_only: bool = False) -> None:
        """Bytes vanish from now on, and neither end is told; `back_only`: what the server says, while it hears all.

        Servers ask their kernel or their client whether somebody is there: this one finds out in its own time.
        """
        connection.back.drop()
        if not back_only:
            connection.there.drop()
        self.loop.call_later(FORGOTTEN_S, self._forget, connection)

    def _forget(self, connection: Connection) -> None:
        """The server's end gives up a client of which it hears nothing."""
        if not connection.client.over:
            self.loop.call_later(FORGOTTEN_S, self._forget, connection)
        elif not connection.server.over:
            connection.server.lose(TimeoutError(110, "Connection timed out"))

    def stall(self, connection: Connection, for_s: float) -> None:
        """Nothing arrives for a while; then all of it does."""
        until_s = self.loop.time() + for_s
        connection.there.stall(until_s)
        connection.back.stall(until_s)

    def partition(self, port: int, for_s: float) -> None:
        """A host cannot be reached for a while: what is sent comes later, who connects waits."""
        self.unreachable_s[port] = self.loop.time() + for_s
        for connection in self.of_port(port):
            self.stall(connection, for_s)

    def refuse(self, port: int, for_s: float) -> None:
        """Nobody listens there for a while; what is connected stays."""
        self.refusing_s[port] = self.loop.time() + for_s

    def heal(self) -> None:
        """The network is well again: what was half-open is found out to be gone."""
        self.unreachable_s.clear()
        self.refusing_s.clear()
        self.weather = self.climate
        for connection in self.connections:
            for pipe in (connection.there, connection.back):
                pipe.release()
            if connection.there.hole or connection.back.hole:
                self.reset(connection)

    def vanish(self, belongs: Callable[[Context], bool]) -> None:
        """A program was killed: its kernel resets what it had, and nothing of it hears of that."""
        for connection in list(self.connections):
            if belongs(connection.client.context) and not connection.client.over:
                connection.client.over = True
                connection.there.push(Mark.RESET)

    def of_port(self, port: int) -> list[Connection]:
        """The connections to a port, oldest first; those that are over are forgotten."""
        for connection in [one for one in self.connections if one.over]:
            del self.connections[connection]
        return [one for one in self.connections if one.port == port]

    # --- helpers

    def _join(self, served: Served) -> Connection:
        self._number += 1
        self.of_port(served.port)  # forgets those that are over
        there, back = Pipe(self.loop, self._delay_s), Pipe(self.loop, self._delay_s)
        client = End(self.loop, there, back, copy_context())
        server = End(self.loop, back, there, served.context)
        connection = Connection(self._number, served.port, client, server, (there, back))
        client.watch = None if self.watch is None else partial(self.watch, connection)
        self.connections[connection] = None
        return connection

    def _accept(self, connection: Connection, served: Served) -> None:
        connection.server.begin(served.make(), self._about(connection, client=False))

    def _about(self, connection: Connection, *, client: bool) -> dict[str, Any]:
        addresses = (HOST, CLIENT_PORT_MIN + connection.number), (HOST, connection.port)
        end = connection.client if client else connection.server
        ours, others = addresses if client else addresses[::-1]
        return {"sockname": ours, "peername": others, "socket": Handle(end, self._quiet[0])}

    def _draw_s(self) -> float:
        weather, random = self.weather, self.random
        late_s = weather.delay_s + weather.slow_s + weather.jitter_s * random.random()
        if weather.loss and random.random() < weather.loss:
            self.counted["resent"] += 1
            late_s += RESEND_S + (RESEND_S_MAX - RESEND_S) * random.random() ** 3
        return late_s

    def _delay_s(self, _: Pipe) -> float:
        return self._draw_s()

    async def _pass(self, seconds: float) -> None:
        waiter = self.loop.create_future()
        timer = self.loop.call_later(seconds, _wake, waiter)
        try:
            await waiter
        finally:
            timer.cancel()

    def over(self) -> None:
        """Let go of what the machine lent."""
        for one in self._quiet:
            one.close()


def _wake(waiter: "asyncio.Future[None]") -> None:
    if not waiter.done():
        waiter.set_result(None)
