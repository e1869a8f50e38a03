"""One line: subscriptions that share a socket, which is kept up: connect, subscribe, hear, and again.

A name the venue does not know kills the whole socket with 1006 and no word. So few are asked for at a time, each must
be confirmed, and those that were in doubt when a socket died are asked for on a socket of their own, one by one
(`probe`), where they harm nobody. The others come back at once.

A name is given up only by a venue that answers: beside it, on the probe's socket, another name has been confirmed. And
never for good: after some minutes it is probed again. What has no name (an account's channels) is never given up nor
probed: without all of it a connection is of no use, so it is ended and opened again.
"""

import asyncio
from collections import deque
from collections.abc import Callable, Collection
from contextlib import suppress
from typing import Any

import msgspec
from msgspec import Struct

from supervisor.clock import NS_PER_S, Clock
from venues.hyperliquid import wire
from venues.hyperliquid.reconnect import Backoff, Limits
from venues.hyperliquid.socket import Ended, NotConnected, Socket, SocketLimits, Why
from venues.hyperliquid.subscriptions import (
    Cover,
    Damaged,
    Gap,
    Key,
    Lost,
    Quarantine,
    State,
    Subscription,
    clashes,
)
from venues.market import Book, Trade
from venues.venue import VenueMisspoke

IN_FLIGHT_MAX = 8
"""Subscriptions asked for at a time: the 28 of an engine take four round trips, one bad name doubts seven others."""

STEADY_S = 20.0
"""A connection that lasted so long was a good one: the next try after its end is soon. Three a minute are few enough; a
venue that ended each after half a minute was left alone for half a minute each time, with a longer bound."""

STRIKES_MAX = 2
"""Times that a venue which answers lets a socket die of a name, or refuses it, before it is given up: the first may
have been the network."""

DECODED_AT_THE_END = 1 << 30
ALREADY = "Already subscribed: "

FATAL = (Why.ABORTED, Why.CLOSED)
"""Ends that a name may be the cause of."""

Answer = wire.Subscribed | wire.Complaint | Ended | None
"""What a venue makes of one subscription; None: nothing in time."""


class LineLimits(Struct, frozen=True, kw_only=True):
    """Of one line."""

    socket: SocketLimits = SocketLimits()
    ack_s: float = 10.0  # for the venue to confirm a subscription
    damaged_max: int = 16  # frames in a row that can't be read; then the socket is not to be trusted. An account: 0


BOOKS = LineLimits(socket=SocketLimits(quiet_s=20.0))
"""Whole books come every 5.4 s and coin, changed or not: almost four times that in silence is no market's."""

FAST_BOOKS = LineLimits(socket=SocketLimits(quiet_s=5.0))
"""These every 0.54 s."""

ACCOUNT = LineLimits(damaged_max=0)
"""An account may be silent for hours, but a frame of it that cannot be read is a fill that may be lost."""


class LineSpec(Struct, frozen=True, kw_only=True):
    """What a line carries, and how its frames are read."""

    name: str
    subscriptions: tuple[Subscription, ...]
    limits: LineLimits = LineLimits()
    decode: Callable[[bytes, int], Any] = wire.decode


class _SubscriptionText(Struct):
    type: str
    coin: str = ""


class Line:
    """The subscriptions, the socket of the moment, and what has been heard but not read."""

    def __init__(
        self, spec: LineSpec, url: str, clock: Clock, shared: Limits, backoff: Backoff, known: Collection[str]
    ):
        if same := clashes(spec.subscriptions):
            raise ValueError(f"{spec.name}: {same[0]} is there twice, and one socket cannot tell their frames apart")
        self.spec = spec
        self.url = url
        self.clock = clock
        self.shared = shared
        nameless = not any(one.symbol for one in spec.subscriptions)
        self.window = shared.account_connections if nameless else shared.connections
        self.backoff = backoff
        self.covers: dict[Key, Cover] = {one.key: Cover(one) for one in spec.subscriptions}
        for cover in self.covers.values():
            if cover.subscription.symbol and cover.subscription.symbol not in known:
                cover.state, cover.reason = State.QUARANTINED, "not in the venue's meta"
        self.books = {symbol: cover for (channel, symbol), cover in self.covers.items() if channel == "l2Book"}
        self.decode = spec.decode
        self.socket: Socket | None = None
        self.ready: deque[Any] = deque()  # told before the frames that wait
        self.wake: Callable[[], None] = lambda: None  # there is something to read
        self.doubted: Callable[[], None] = lambda: None  # there is a suspect
        self.connections = 0
        self.strays = 0  # frames of what was not asked for
        self.replays = 0  # first `trades` frames, which are history
        self.damaged = 0
        self._damaged_row = 0
        self._replayed: set[str] = set()  # whose first trades of this connection have come
        self._lost_ns = 0  # since when something may have been missed that was not told as a gap yet; 0: nothing was
        self._stirred = asyncio.Event()  # a confirmation, an end, a name that is trusted again
        self._probed = asyncio.Event()  # the probe's socket has frames, or has ended

    # --- keeping up ---------------------------------------------------------------------------------------------------

    async def keep(self) -> None:
        """Connect, subscribe, connect again, for ever."""
        self._lost_ns = self._lost_ns or self.clock.now_ns()  # the first connection, too, comes after something
        while True:
            await self._wanted()
            async with self.shared.at_once:
                socket = await self._connect(self._heard_of)
                if socket.ended is None:
                    await self._live(socket)
                else:
                    self._tell(Lost(self.spec.name, self.channels(), socket.ended))
            await self.clock.sleep(self.backoff.failed())

    async def _wanted(self) -> None:
        """Wait until there is something to ask for."""
        while not self._in_state(State.WAITING):
            self._stirred.clear()
            await self._stirred.wait()

    async def _connect(self, wake: Callable[[], None]) -> Socket:
        """A socket, which has ended where it could not be opened."""
        await self.clock.sleep_until(self.window.reserve(self.clock.now_ns()))
        socket = Socket(self.clock, self.spec.limits.socket, wake)
        self.connections += 1
        with suppress(NotConnected):
            await socket.open(self.url)
        return socket

    async def _live(self, socket: Socket) -> None:
        """From the first subscription to the end of the socket."""
        self._replayed.clear()
        self._damaged_row = 0
        self.socket = socket
        try:
            while socket.ended is None:
                self._stirred.clear()
                await self._subscribe(socket)
                if socket.ended is None:
                    if not self._in_state(State.ASKED):
                        self._tell_gaps()
                    await self._stirred.wait()
        finally:
            await socket.close()
            self._over(socket)
        if self.clock.now_ns() - socket.opened_ns >= round(STEADY_S * NS_PER_S):
            self.backoff.succeeded()

    async def _subscribe(self, socket: Socket) -> None:
        """Ask for all that waits, a few at a time, each few confirmed before the next."""
        while waiting := self._in_state(State.WAITING)[:IN_FLIGHT_MAX]:
            for cover in waiting:
                await self.clock.sleep_until(self.shared.messages.reserve(self.clock.now_ns()))
                if not socket.send(cover.subscription.message("subscribe")):
                    return
                cover.state = State.ASKED
            await self._confirmed(socket)
            if socket.ended is not None:
                return
            late = f"no answer within {self.spec.limits.ack_s:g} s"
            for cover in self._in_state(State.ASKED):
                if not cover.subscription.symbol:
                    return socket.abort(Why.MUTE, f"{cover.subscription.channel}: {late}")
                self._doubt(cover, late)
        return None

    async def _confirmed(self, socket: Socket) -> None:
        """Wait until nothing is unanswered, the socket ended, or the deadline is past and all frames were read."""
        while socket.ended is None and self._in_state(State.ASKED):
            try:
                async with asyncio.timeout(self.spec.limits.ack_s):
                    self._stirred.clear()
                    await self._stirred.wait()
            except TimeoutError:
                if not socket.frames:
                    return

    def _tell_gaps(self) -> None:
        """Where something was lost: the channels hear again."""
        since_ns, self._lost_ns = self._lost_ns, 0
        if since_ns:
            now_ns = self.clock.now_ns()
            for channel in self.channels():
                self._tell(Gap(channel, since_ns, now_ns))

    def _over(self, socket: Socket) -> None:
        """The socket is gone: read what it left, remember since when nothing is heard, doubt what was unanswered."""
        self.socket = None
        self.ready.extend(self.heard(socket.take(DECODED_AT_THE_END)))
        ended = socket.ended or Ended(Why.ASKED, 0, "stopped", self.clock.now_ns())
        self._lost_ns = self._lost_ns or socket.heard_ns
        for cover in self.covers.values():
            cover.live_since_ns = 0
            if cover.state is State.ASKED and ended.why in FATAL and cover.subscription.symbol:
                self._doubt(cover, f"unanswered when the socket ended: {ended.why}")
            elif cover.state in (State.ASKED, State.HELD):
                cover.state = State.WAITING
        self._tell(Lost(self.spec.name, self.channels(), ended))

    # --- doubt --------------------------------------------------------------------------------------------------------

    def suspects(self) -> list[Cover]:
        """Names to be probed, those first that were probed least."""
        return sorted(self._in_state(State.SUSPECT), key=lambda cover: cover.probes)

    def may_probe(self) -> bool:
        """Whether a probe can find out more than the line itself, which while it is down needs the new sockets more."""
        states = {cover.state for cover in self.covers.values()}
        return State.SUSPECT in states and (State.HELD in states or not states & {State.WAITING, State.ASKED})

    async def probe(self) -> None:
        """Ask for the suspects on a socket of their own, one by one, until all were asked for or one gets no answer.

        A name that is held goes first: whether the venue answers at all. Where none is held, suspects do it for others.
        """
        async with self.shared.at_once:
            socket = await self._connect(self._probed.set)
            answers = False  # the venue has confirmed something on this socket
            try:
                for cover in (*self._in_state(State.HELD)[:1], *self.suspects()):
                    answer = await self._answer(socket, cover.subscription)
                    if cover.state is State.SUSPECT:
                        self._judge(cover, answer, answers=answers)
                    if answer is None or isinstance(answer, Ended):
                        return
                    answers = answers or isinstance(answer, wire.Subscribed)
            finally:
                await socket.close()

    async def _answer(self, socket: Socket, subscription: Subscription) -> Answer:
        """Ask for one subscription and wait for what the venue makes of it."""
        await self.clock.sleep_until(self.shared.messages.reserve(self.clock.now_ns()))
        if not socket.send(subscription.message("subscribe")):
            return None  # it ended before it was asked: no word on this one
        key = subscription.key
        try:
            async with asyncio.timeout(self.spec.limits.ack_s):
                while True:
                    for frame, at_ns in socket.take(DECODED_AT_THE_END):
                        heard = _control(frame, at_ns)
                        if isinstance(heard, wire.Complaint):
                            return heard
                        if isinstance(heard, wire.Subscribed) and (heard.channel, heard.symbol) == key:
                            return heard
                    if socket.ended is not None:
                        return socket.ended
                    self._probed.clear()
                    await self._probed.wait()
        except TimeoutError:
            return None

    def _judge(self, cover: Cover, answer: Answer, *, answers: bool) -> None:
        """A strike is what befalls a name where the venue has confirmed another; all else is the venue's trouble."""
        cover.probes += 1
        if isinstance(answer, wire.Subscribed):
            cover.state, cover.reason, cover.strikes, cover.probes = State.WAITING, "", 0, 0
            self._lost_ns = self._lost_ns or cover.last_ns
            self._stirred.set()  # the line asks for it again
        elif answers and isinstance(answer, wire.Complaint):
            self._strike(cover, answer.text)
        elif answers and isinstance(answer, Ended) and answer.why in FATAL:
            self._strike(cover, f"sockets die of it: {answer.why}, {answer.code}")

    def _doubt(self, cover: Cover, reason: str) -> None:
        cover.state, cover.reason = State.SUSPECT, reason
        self.doubted()

    def _strike(self, cover: Cover, reason: str) -> None:
        cover.strikes += 1
        if cover.strikes >= STRIKES_MAX:
            cover.state, cover.reason = State.QUARANTINED, reason
            self._tell(Quarantine(self.spec.name, cover.subscription, reason, self.clock.now_ns()))

    def reconsider(self) -> None:
        """What was given up is in doubt again; what was in no meta is not."""
        for cover in self._in_state(State.QUARANTINED):
            if cover.strikes:
                cover.strikes = 0
                self._doubt(cover, cover.reason)

    # --- hearing ------------------------------------------------------------------------------------------------------

    def read(self, frames_max: int) -> list[Any]:
        """What there is: events first, then so many frames, decoded."""
        if self.ready:
            told = list(self.ready)
            self.ready.clear()
            return told
        while self.socket is not None and self.socket.frames:
            if events := self.heard(self.socket.take(frames_max)):
                return events
        return []

    def heard(self, frames: list[tuple[bytes, int]]) -> list[Any]:
        """Decode frames, with what is ours in them; the tick path."""
        events: list[Any] = []
        decode, books = self.decode, self.books
        for frame, at_ns in frames:
            try:
                heard = decode(frame, at_ns)
            except VenueMisspoke as error:
                events.append(self._damage(str(error), at_ns))
                continue
            if type(heard) is Book:
                cover = books.get(heard.symbol)
                if cover is None:
                    self.strays += 1
                    continue
                cover.frames += 1
                cover.last_ns = at_ns
                if not cover.live_since_ns:
                    cover.live_since_ns = at_ns
                events.append(heard)
            else:
                self._other(heard, at_ns, events)
            self._damaged_row = 0
        return events

    def _other(self, heard: Any, at_ns: int, events: list[Any]) -> None:
        """Everything that is not a book."""
        if isinstance(heard, wire.Subscribed):
            self._acknowledged((heard.channel, heard.symbol), heard.method)
        elif isinstance(heard, wire.Complaint):
            self._complained(heard)
        elif isinstance(heard, tuple):
            self._traded(heard, at_ns, events)
        elif not isinstance(heard, wire.Pong) and not (isinstance(heard, wire.Other) and not heard.channel):
            self._mark(_key_of(heard), at_ns)
            events.append(heard)

    def _traded(self, trades: tuple[Trade, ...], at_ns: int, events: list[Any]) -> None:
        """Trades, but for the first frame of each symbol and connection: that is history from before we listened."""
        if not trades:
            return
        symbol = trades[0].symbol
        if ("trades", symbol) not in self.covers:
            self.strays += 1
            return
        self._mark(("trades", symbol), at_ns)
        if symbol in self._replayed:
            events.extend(trades)
        else:
            self._replayed.add(symbol)
            self.replays += 1

    def _mark(self, key: Key, at_ns: int) -> None:
        if (cover := self.covers.get(key)) is not None:
            cover.frames += 1
            cover.last_ns = at_ns
            cover.live_since_ns = cover.live_since_ns or at_ns

    def _acknowledged(self, key: Key, method: str) -> None:
        cover = self.covers.get(key)
        if cover is not None and method == "subscribe" and cover.state is State.ASKED:
            cover.state, cover.reason, cover.strikes = State.HELD, "", 0
            self._stirred.set()

    def _complained(self, complaint: wire.Complaint) -> None:
        """An error frame: a confirmation if it says that we are subscribed already, else it is of what is asked.

        It may be about anything, so it gives up no name: that is the probe's.
        """
        if complaint.text.startswith(ALREADY):
            try:
                said = msgspec.json.decode(complaint.text.removeprefix(ALREADY), type=_SubscriptionText)
            except (msgspec.DecodeError, UnicodeDecodeError):
                return
            return self._acknowledged((said.type, said.coin), "subscribe")
        asked = self._in_state(State.ASKED)
        if self.socket is not None and any(not cover.subscription.symbol for cover in asked):
            return self.socket.abort(Why.REFUSED, complaint.text)
        if len(asked) == 1:
            self._doubt(asked[0], complaint.text)
            self._stirred.set()
        return None

    def _damage(self, text: str, at_ns: int) -> Damaged:
        self.damaged += 1
        self._damaged_row += 1
        if self._damaged_row > self.spec.limits.damaged_max and self.socket is not None:
            self.socket.abort(Why.MISSPOKE, f"{self._damaged_row} frames in a row can't be read, the last: {text}")
        return Damaged(self.spec.name, text, at_ns)

    # --- small things -------------------------------------------------------------------------------------------------

    def channels(self) -> tuple[str, ...]:
        """What this line carries, each once."""
        return tuple(dict.fromkeys(channel for channel, _ in self.covers))

    def gap_untold(self) -> bool:
        """Whether something may have been missed that no reader has been told of yet."""
        return bool(self._lost_ns or self.ready)

    def _in_state(self, state: State) -> list[Cover]:
        return [cover for cover in self.covers.values() if cover.state is state]

    def _tell(self, event: Any) -> None:
        self.ready.append(event)
        self.wake()

    def _heard_of(self) -> None:
        """A socket has frames, or has ended."""
        if self.socket is not None and self.socket.ended is not None:
            self._stirred.set()
        self.wake()


def _control(frame: bytes, at_ns: int) -> Any:
    """A frame of a probe; those that cannot be read are of no interest there."""
    try:
        return wire.decode(frame, at_ns)
    except VenueMisspoke:
        return None


def _key_of(heard: Any) -> Key:
    match heard:
        case wire.Bbo(symbol=symbol):
            return "bbo", symbol
        case wire.Candle(bar=bar):
            return "candle", bar.symbol
        case wire.AssetContext(symbol=symbol):
            return "activeAssetCtx", symbol
        case _:
            return "", ""
