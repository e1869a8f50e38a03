"""The server of the control socket: bounded in every direction, and nothing a client sends can crash it.

`serve` is awaited by the control actor and lives and dies with it. The only tasks it has are those that asyncio's
stream server starts for its connections; `serve` cancels and awaits them before it returns. Timeouts are seconds of
the loop, so the socket is not served under virtual time.
"""

import asyncio
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from hmac import compare_digest
from typing import Any, Protocol

from msgspec import Struct
from msgspec.structs import replace

from config.errors import ConfigError
from daemon.control_listen import forget, listen_loopback, listen_unix, stranger, unix_is_there
from daemon.control_protocol import (
    Answer,
    Refusal,
    Request,
    Wrong,
    event_line,
    failure,
    line_of,
    read_args,
    read_request,
    wrong_of,
)
from daemon.errors import BadInput, Failed
from daemon.lock import DataDirLock
from daemon.verbs import Subscribe

DISCARD_S, DISCARD_BYTES = 1.0, 1024 * 1024
"""How much of what a client still sends is read after it was refused, so that it gets to read why."""
CROWD = 2
"""Times the most connections: those beyond the most are told so, those beyond this are cut off at once."""
SUBSCRIBE = "subscribe"
URGENT = frozenset(("halt", "pause", "reduce", "flatten", "cancel", "stop"))
"""Verbs that are answered however many connections are open: scripts that hang must not hold off who stops trading."""
URGENT_S = 1.0
"""Who comes when all places are taken has so long to say such a verb."""


class Limits(Struct, frozen=True, kw_only=True):
    """The bounds of the socket."""

    request_bytes: int = 64 * 1024  # the longest honest request is some hundred bytes
    answer_bytes: int = 4 * 1024 * 1024  # a snapshot of every symbol is far below
    read_s: float = 10.0  # for a whole request; a client that says nothing for so long is hung up on
    answer_s: float = 30.0  # for a verb
    connections: int = 16  # operators, scripts and a dashboard
    backlog_bytes: int = 1024 * 1024  # that a subscriber may be behind before events are dropped


class Hostile(BadInput):
    """Something after which the connection is closed."""


@dataclass(frozen=True, slots=True)
class Verb:
    """What a verb takes and who answers it. `answer` may raise BadInput, ConfigError or Failed."""

    args: type[Struct]
    answer: Callable[[Any], Awaitable[object]]


class Handler(Protocol):
    """Who answers."""

    @property
    def verbs(self) -> Mapping[str, Verb]:
        """Every verb but subscribe, by name."""
        ...


class Connection:
    """One client."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter, limits: Limits):
        self.reader = reader
        self.writer = writer
        self.limits = limits
        self.task = asyncio.current_task()
        self.events: frozenset[str] | None = None  # None: not subscribed; empty: to everything
        self.dropped = 0

    def offer(self, event: str, line: bytes) -> None:
        """Send an event if it is wanted; what a slow client has no room for is counted and told later."""
        if self.events is None or (self.events and event not in self.events) or self.writer.is_closing():
            return
        if self.writer.transport.get_write_buffer_size() + len(line) > self.limits.backlog_bytes:
            self.dropped += 1
            return
        self.tell_dropped()
        self.writer.write(line)

    def tell_dropped(self) -> None:
        """Say how many events went missing since it was last said."""
        if self.dropped:
            self.writer.write(event_line("dropped", {"count": self.dropped}))
            self.dropped = 0

    async def send(self, line: bytes) -> None:
        """Send an answer and wait until it is on its way."""
        self.tell_dropped()
        self.writer.write(line)
        async with asyncio.timeout(self.limits.answer_s):
            await self.writer.drain()

    async def read(self) -> bytes:
        """The next request's line; empty when the client hung up. Raises Hostile where there is none to be had."""
        wait_s = self.limits.read_s if self.events is None else None
        try:
            async with asyncio.timeout(wait_s):
                return await self.reader.readuntil(b"\n")
        except asyncio.IncompleteReadError as error:
            if error.partial:
                raise Hostile("request", "", "must end with a newline") from error
            return b""
        except asyncio.LimitOverrunError as error:
            right = f"a request is one line of at most {self.limits.request_bytes} bytes"
            raise Hostile("request", f"{error.consumed} bytes or more", right) from error
        except TimeoutError as error:
            raise Hostile("request", "", f"no whole request came within {self.limits.read_s:g} s") from error

    async def hang_up(self, wrong: Wrong) -> None:
        """Say why, then read a little of what is still coming, or the client would never get to read it."""
        await self.send(line_of(Refusal(0, wrong)))
        if self.writer.can_write_eof():
            self.writer.write_eof()
        left = DISCARD_BYTES
        async with asyncio.timeout(DISCARD_S):
            while left > 0 and (chunk := await self.reader.read(self.limits.request_bytes)):
                left -= len(chunk)


class ControlSocket:
    """The server. `on_error` is told of what a verb died of, and of strangers: (what was asked, error)."""

    def __init__(
        self,
        lock: DataDirLock,
        handler: Handler,
        on_error: Callable[[str, Exception], None],
        limits: Limits | None = None,
        *,
        loopback: bool = False,
    ):
        self.lock = lock
        self.handler = handler
        self.on_error = on_error
        self.limits = limits or Limits()
        self.loopback = loopback or not unix_is_there()
        self.token = ""
        self.connections: dict[int, Connection] = {}
        self._count = 0

    async def serve(self, ready: Callable[[], None]) -> None:
        """Serve until cancelled; `ready` is called once clients can come in."""
        if self.loopback:
            server, self.token = await listen_loopback(self.lock, self._connected, self.limits.request_bytes)
        else:
            server = await listen_unix(self.lock, self._connected, self.limits.request_bytes)
        try:
            ready()
            # not serve_forever: its end waits for the connections, which only end after it
            await asyncio.get_running_loop().create_future()
        finally:
            server.close()
            forget(self.lock.data_dir)
            await self._close_connections()

    def publish(self, event: str, message: Struct) -> None:
        """Tell those who subscribed. Costs next to nothing while nobody has."""
        if any(connection.events is not None for connection in self.connections.values()):
            line = event_line(event, message)
            for connection in self.connections.values():
                connection.offer(event, line)

    async def _close_connections(self) -> None:
        tasks = [connection.task for connection in self.connections.values() if connection.task is not None]
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)

    async def _connected(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """One client, from its first byte to its last."""
        self._count += 1
        number, connection = self._count, Connection(reader, writer, self.limits)
        self.connections[number] = connection
        try:
            if who := stranger(writer):
                self.on_error("connect", PermissionError(f"control socket: {who} is not the daemon's user"))
                await connection.hang_up(failure("only the daemon's own user and root may speak here"))
            elif len(self.connections) > CROWD * self.limits.connections:
                writer.transport.abort()  # nobody is owed an explanation by then
            elif len(self.connections) > self.limits.connections:
                await self._answer_urgent(connection)
            else:
                await self._converse(connection)
        except (OSError, TimeoutError):
            connection.events = None  # the client is gone or will not read: there is nobody to tell
        except asyncio.CancelledError:
            pass  # by `serve`, at its end; before Python 3.12.1 asyncio prints a traceback for a cancelled connection
        finally:
            del self.connections[number]
            writer.close()

    async def _converse(self, connection: Connection) -> None:
        """Answer one request after the other."""
        try:
            while line := await connection.read():
                await connection.send(await self._answer(connection, line))
        except Hostile as error:
            await connection.hang_up(wrong_of(error))

    async def _answer_urgent(self, connection: Connection) -> None:
        """Answer one request of those that cannot wait, where there is no room for another conversation."""
        try:
            connection.limits = replace(self.limits, read_s=min(URGENT_S, self.limits.read_s))
            line = await connection.read()
            if verb_of(line) in URGENT:
                await connection.send(await self._answer(connection, line))
                return
        except Hostile:
            pass  # all the same
        most = self.limits.connections
        await connection.hang_up(failure(f"busy: {most} connections are open, which is the most"))

    async def _answer(self, connection: Connection, line: bytes) -> bytes:
        """The answer to a line, whatever is in it."""
        request = Request("")
        try:
            request = read_request(line)
            if self.loopback and not compare_digest(as_bytes(request.token), as_bytes(self.token)):
                raise Hostile("token", "***", f"must be the one in {self.lock.data_dir}")
            answer = line_of(Answer(request.id, await self._data(connection, request)))
        except Hostile:
            raise
        except (BadInput, ConfigError) as error:
            return line_of(Refusal(request.id, wrong_of(error)))
        except Failed as error:
            return line_of(Refusal(request.id, failure(str(error))))
        except TimeoutError:
            text = f"{request.verb} is not done after {self.limits.answer_s:g} s; look what became of it"
            return line_of(Refusal(request.id, failure(text)))
        except Exception as error:  # a verb's own fault must neither hang the operator nor stop the trading
            self.on_error(request.verb, error)
            return line_of(Refusal(request.id, failure(f"the daemon failed: {type(error).__name__}: {error}")))
        if len(answer) > self.limits.answer_bytes:
            text = f"the answer has {len(answer)} bytes, {self.limits.answer_bytes} is the most: ask for less"
            return line_of(Refusal(request.id, failure(text)))
        return answer

    async def _data(self, connection: Connection, request: Request) -> object:
        """What the asked verb answers."""
        if request.verb == SUBSCRIBE:
            wanted = read_args(Subscribe, request.args)
            assert isinstance(wanted, Subscribe)
            connection.events = frozenset(wanted.events)
            return wanted
        verb = self.handler.verbs.get(request.verb)
        if verb is None:
            known = ", ".join([*self.handler.verbs, SUBSCRIBE])
            raise BadInput("verb", request.verb, f"one of {known}")
        args = read_args(verb.args, request.args)
        async with asyncio.timeout(self.limits.answer_s):
            return await verb.answer(args)


def verb_of(line: bytes) -> str:
    """What a line asks for; empty where it makes no sense."""
    try:
        return read_request(line).verb
    except BadInput:
        return ""


def as_bytes(token: str) -> bytes:
    """A token as bytes to compare; nothing a client sends may fail here."""
    return token.encode(errors="replace")
