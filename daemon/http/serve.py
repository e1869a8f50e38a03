"""`obid serve` at work: the service on a port until a signal comes."""

import asyncio
import os
import socket
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from http import HTTPStatus
from pathlib import Path

import h11
import msgspec
import typer
import uvicorn
from msgspec import Struct
from uvicorn.protocols.http.h11_impl import H11Protocol, RequestResponseCycle

from daemon.errors import BadInput, Failed
from daemon.http.app import app_of
from daemon.http.door import CLOSE
from daemon.http.limits import Limits
from daemon.http.problems import Problem, response_of
from daemon.http.service import Service
from daemon.http.streams import Hub
from supervisor.clock import Clock
from supervisor.wall import on_signals, run_wall

STOP_S = 3
"""What answers under way may take to end when the service stops."""
KEEP_ALIVE_S = 75
HEAD_S_MAX = 30.0
"""A connection that has sent no whole request by then is cut."""
HEAD_READ_BYTES_MAX = 256 * 1024
"""More than any client needs (door.HEAD_BYTES_MAX), so that who sends too much is still heard out and told so."""
TOO_LARGE = HTTPStatus.REQUEST_HEADER_FIELDS_TOO_LARGE
LINGER_S = 2.0
"""How long a refused client is heard out, so that it can read why."""
CONNECTIONS_MAX = 2_048
BACKLOG = 1_024


class Asked(Struct, frozen=True, kw_only=True):
    """Where and how to serve."""

    host: str
    port: int
    data_dir: Path
    workers: int = 0  # 0: as many as there are processors
    warm: bool = True  # they are there before there is work
    limits: Limits = Limits()
    public_url: str = ""


def protocol_of(hub: Hub) -> type[H11Protocol]:
    """HTTP/1.1 as uvicorn speaks it, where a connection can be cut: an answer that nobody reads can't be closed."""

    class Protocol(H11Protocol):
        refused = False  # told that it speaks no HTTP; what else it sends is nothing
        spelling: asyncio.TimerHandle | None = None  # until when a request that began must have come

        def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
            super().connection_made(transport)
            if self.client is not None:
                hub.transports[self.client] = transport
            self._look()

        def data_received(self, data: bytes) -> None:
            if self.refused:
                return  # taken from the wire and dropped: closing on what is unread would destroy the answer
            super().data_received(data)
            self._look()

        def send_400_response(self, msg: str) -> None:
            """Answer what is no HTTP as every error is answered: 431 for a head without end, else 400."""
            error = sys.exception()
            endless = isinstance(error, h11.RemoteProtocolError) and error.error_status_hint == TOO_LARGE
            status = TOO_LARGE if endless else HTTPStatus.BAD_REQUEST
            answer = response_of(Problem(status, f"{msg} {error or ''}".strip(), headers=CLOSE), "")
            for event in (
                h11.Response(status_code=status, headers=answer.raw_headers, reason=status.phrase.encode()),
                h11.Data(data=bytes(answer.body)),
                h11.EndOfMessage(),
            ):
                self.transport.write(self.conn.send(event) or b"")
            self.refused = True
            self.transport.write_eof()
            self.loop.call_later(LINGER_S, self._end_silent)

        def _look(self) -> None:
            """Let who has begun a request, or has only connected, send all of its head in time."""
            cycle: RequestResponseCycle | None = self.cycle  # None before the first request, whatever its type says
            if cycle is not None and not cycle.response_complete:
                self._heard()
            elif self.spelling is None:
                self.spelling = self.loop.call_later(HEAD_S_MAX, self._end_silent)

        def _heard(self) -> None:
            if self.spelling is not None:
                self.spelling.cancel()
                self.spelling = None

        def _end_silent(self) -> None:
            if not self.transport.is_closing():
                self.transport.abort()

        def connection_lost(self, exc: Exception | None) -> None:
            super().connection_lost(exc)
            self._heard()
            if self.client is not None:
                hub.transports.pop(self.client, None)

    return Protocol


class _Server(uvicorn.Server):
    """A server that leaves signals to us."""

    @contextmanager
    def capture_signals(self) -> Iterator[None]:
        """Nothing: the program's own handlers are there already."""
        yield


def listening(host: str, port: int) -> socket.socket:
    """A listening socket. Raises BadInput."""
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    listener = socket.socket(family, socket.SOCK_STREAM)
    try:
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        listener.bind((host, port))
        listener.listen(BACKLOG)
    except OSError as error:
        listener.close()
        right = f"cannot listen on {host}: {error.strerror}; name another, or 0 for any that is free"
        raise BadInput("--port", port, right) from error
    return listener


async def live(
    asked: Asked, listener: socket.socket, clock: Clock, ready: Callable[[Callable[[], None]], object]
) -> None:
    """Serve until told to stop; `ready` is given what tells it so."""
    service = Service(asked.data_dir, asked.limits, clock, asked.public_url)
    config = uvicorn.Config(
        app_of(service),
        log_config=None,
        http=protocol_of(service.hub),
        access_log=False,
        lifespan="off",
        server_header=False,
        proxy_headers=False,  # nobody may say from which address it comes
        ws="none",
        timeout_keep_alive=KEEP_ALIVE_S,
        timeout_graceful_shutdown=STOP_S,
        limit_concurrency=CONNECTIONS_MAX,
        h11_max_incomplete_event_size=HEAD_READ_BYTES_MAX,
    )
    server = _Server(config)

    def stop() -> None:
        service.stop()
        server.should_exit = True

    async with service.running(asked.workers or os.cpu_count() or 1, warm=asked.warm):
        ready(stop)
        await server.serve([listener])


def serve(asked: Asked, *, as_json: bool = False) -> int:
    """Say where it listens and serve until SIGINT or SIGTERM. Raises BadInput and Failed."""
    listener = listening(asked.host, asked.port)
    host = f"[{asked.host}]" if ":" in asked.host else asked.host
    url = f"http://{host}:{listener.getsockname()[1]}"

    async def main(clock: Clock) -> None:
        def ready(stop: Callable[[], None]) -> None:
            on_signals(clock.loop, lambda _: stop(), lambda: None)
            told = {"url": url, "data_dir": str(asked.data_dir)}
            text = f"aleatoric: {url}  keys: obid keys create --scope generate --data-dir {asked.data_dir}"
            typer.echo(msgspec.json.encode(told).decode() if as_json else text)

        await live(asked, listener, clock, ready)

    with listener:
        try:
            run_wall(main)
        except OSError as error:
            raise Failed(f"the service ends: {error}") from error
    return 0
