"""The trade_updates stream: one socket for an account, kept up, heard by every engine that trades there.

Log in, listen, and be told of both (docs, "Websocket Streaming"); only then is it ready. It repeats nothing: what was
missed while it was down is asked for over REST by those who hear `gap`. Frames are JSON in text or in binary messages.
An account is silent for hours, so silence is no fault: pings find a dead connection, and a fill that REST tells and
the stream did not finds a mute one (`drop`).
"""

import asyncio
from collections.abc import Callable
from typing import Protocol
from urllib.parse import urlsplit

from msgspec import json

from supervisor.clock import NS_PER_S, Clock
from venues.alpaca.login import Login
from venues.alpaca.trading_wire import Said, Update, read_frame
from venues.backoff import Backoff
from venues.socket import NotConnected, Socket, SocketLimits, Speech, Why
from venues.venue import VenueMisspoke

STREAM = "trade_updates"
ENTER_S = 10.0
"""To log in and be listened to: the venue closes after ten seconds without a login."""

LIMITS = SocketLimits(ping_s=10.0, pong_s=10.0)
"""alpaca-py pings as often. Positions are open and no entry may be sent while nobody notices that it is dead."""

STEADY_NS = 60 * NS_PER_S
"""A connection that lasted so long was a good one: the next try after its end is soon."""

BACKOFF_FIRST_S, BACKOFF_MAX_S = 1.0, 30.0
"""As alpaca-py since 0.44; before, it came back every 10 ms and was answered 429 (alpaca-py#740)."""

REFUSED_S = 300.0
"""A login that was refused is not tried again sooner: it will be refused again."""

FRAMES_AT_ONCE = 256


class Hearer(Protocol):
    """One engine's account."""

    def hear(self, update: Update) -> None:
        """Something happened to an order."""
        ...

    def gap(self, since_ns: int) -> None:
        """It is heard again; what happened since then was not. 0: nothing was heard before."""
        ...


class LoginRefused(VenueMisspoke):
    """The venue does not know the key, or not for this account."""


def stream_url(base_url: str) -> str:
    """The stream beside a REST base URL: ws for http, wss for https, /stream at its end. ValueError."""
    parts = urlsplit(base_url)
    if parts.scheme not in ("http", "https") or not parts.netloc:
        raise ValueError(f"must be http(s)://host[:port][/path], not {parts.scheme or 'no scheme'!r}")
    return f"ws{parts.scheme[4:]}://{parts.netloc}{parts.path.rstrip('/')}/stream"


class TradingStream:
    """The socket of the moment and who hears it."""

    def __init__(self, base_url: str, login: Login, clock: Clock, seed: int | str = 0):
        self.url = stream_url(base_url)
        self.login = login
        self.clock = clock
        self.tell: Callable[[str], None] = lambda text: None
        self.ready = False
        self.ready_ns = 0  # since when
        self.connections = 0
        self.hearers: list[Hearer] = []
        self._heard_ns = 0  # until when the last connection that was ready is known to have told all; 0: none was
        self._socket: Socket | None = None
        self._stirred = asyncio.Event()
        self._said: list[Said] = []  # what is not an update, while a login is under way
        self._backoff = Backoff(seed, "alpaca trading", first_s=BACKOFF_FIRST_S, max_s=BACKOFF_MAX_S)
        self._one = asyncio.Lock()

    async def keep(self) -> None:
        """Keep it up for as long as somebody needs it. Whoever calls while another does waits to take over."""
        async with self._one:
            while True:
                wait_s = 0.0
                try:
                    await self._live()
                except LoginRefused as error:
                    self.tell(f"the trading stream refuses the login: {error}")
                    wait_s = REFUSED_S
                except (NotConnected, VenueMisspoke, TimeoutError) as error:
                    self.tell(f"the trading stream ended: {type(error).__name__}: {error}")
                await self.clock.sleep(max(self._backoff.failed(), wait_s))

    def drop(self, why: str) -> None:
        """End the connection, which is not to be trusted; `keep` opens another."""
        self.ready = False
        if self._socket is not None:
            self._socket.abort(Why.MUTE, why)

    async def _live(self) -> None:
        """One connection, from its handshake to its end, which always raises."""
        self.connections += 1
        socket = Socket(self.clock, LIMITS, self._stirred.set, Speech())
        await socket.open(self.url)
        self._socket = socket
        self._said.clear()
        try:
            await self._enter(socket)
            since_ns, self.ready_ns, self.ready = self._heard_ns, self.clock.now_ns(), True
            for hearer in self.hearers:
                hearer.gap(since_ns)
            while socket.ended is None or socket.frames:
                await self._heard(socket)
        finally:
            if self.ready or self._heard_ns:
                # a dead connection may have told nothing since its last answer to a ping
                silent_ns = round((LIMITS.ping_s + LIMITS.pong_s) * NS_PER_S)
                self._heard_ns = max(self._heard_ns, self.ready_ns, self.clock.now_ns() - silent_ns)
            self.ready, self._socket = False, None
            socket.abort(Why.ASKED, "over")  # whatever becomes of the goodbye, no zombie is left
        raise NotConnected(socket.ended)

    async def _enter(self, socket: Socket) -> None:
        """Log in and listen. Raises LoginRefused, VenueMisspoke, NotConnected, TimeoutError."""
        login = {"key_id": self.login.key, "secret_key": self.login.secret}
        socket.send(json.encode({"action": "authenticate", "data": login}))
        async with asyncio.timeout(ENTER_S):
            said = await self._answer(socket, "authorization")
            if said.status != "authorized":
                raise LoginRefused(said.status or said.error or "no status")
            socket.send(json.encode({"action": "listen", "data": {"streams": [STREAM]}}))
            said = await self._answer(socket, "listening")
            if STREAM not in said.streams:
                raise VenueMisspoke("the trading stream does not listen to trade_updates")

    async def _answer(self, socket: Socket, stream: str) -> Said:
        """The next frame of a stream, which may come behind updates."""
        while True:
            for said in self._said:
                if said.stream in (stream, "authorization"):
                    self._said.remove(said)
                    return said
            if socket.ended is not None and not socket.frames:
                raise NotConnected(socket.ended)
            await self._heard(socket)

    async def _heard(self, socket: Socket) -> None:
        """Wait for frames and hear them. One that cannot be read may have been a fill: raises VenueMisspoke."""
        if not socket.frames and socket.ended is None:
            self._stirred.clear()
            await self._stirred.wait()
        for frame, _ in socket.take(FRAMES_AT_ONCE):
            heard = read_frame(frame)
            if isinstance(heard, Said):
                self._said = [*self._said[-FRAMES_AT_ONCE:], heard]
                continue
            for hearer in self.hearers:
                hearer.hear(heard)
        if self.ready and self.clock.now_ns() - self.ready_ns > STEADY_NS:
            self._backoff.succeeded()
