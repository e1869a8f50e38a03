"""One endpoint of Alpaca's market data, kept up: connect, log in, subscribe, hear, and again.

One connection of a kind is all that a plan has, so there is one here, in one task, and its socket is gone before the
task is: a connection that lingers makes the venue refuse the next (406). A socket that stands and says nothing is found
by the age of the last frame, but only while there is a market: outside of a session silence is what is right, and there
only the venue's answers to pings count.
"""

import asyncio
from collections.abc import Callable, Iterable, Sequence
from contextlib import suppress
from typing import Any

import msgspec
from msgspec import Struct

from config.errors import ConfigError
from supervisor.clock import NS_PER_S, Clock
from venues.alpaca.conversation import Conversation, Cover, Outcome, State, Verdict
from venues.alpaca.login import Login
from venues.alpaca.market_wire import Complaint, Damaged, Greeted, Heard, Subscribed, decode
from venues.alpaca.plan import BARS, Key
from venues.backoff import Backoff
from venues.socket import Ended, NotConnected, Socket, SocketLimits, Speech, Why
from venues.venue import VenueMisspoke

MSGPACK = Speech(binary=True, headers={"Content-Type": "application/msgpack"})
"""Frames of msgpack both ways: a third shorter than JSON, and times come as integers."""

JSON = Speech()

FIRST_S, LAST_S = 0.5, 30.0
"""Between tries after an ordinary loss: the market is not waited for long while positions are open."""

CROWDED_FIRST_S, CROWDED_LAST_S = 20.0, 25.0
"""After 406, less a drawn part of up to half: ten seconds at least, in which the venue forgets a connection that broke,
and never so long that half a minute after the last reason for it we would still be deaf."""

TURNED_AWAY_FIRST_S, TURNED_AWAY_LAST_S = 20.0, 300.0
"""After a refusal of a key that was let in before: asking often could lock it."""

STEADY_S = 60.0
"""A connection that lasted so long was a good one: the next try after its end is soon."""

TOO_MANY = 429
"""HTTP's, in answer to a handshake: the same as 406 on an open connection."""

TURNED_AWAY = (Outcome.WRONG_KEY, Outcome.NOT_OURS)
"""Ends that no reconnect mends, where it is the first."""

BATCH_MAX = 16
"""Frames decoded before others run."""

LOOKS_A_QUIET = 4
"""How often silence is looked at within the length that is too long."""


class StreamLimits(Struct, frozen=True, kw_only=True):
    """Of one endpoint."""

    socket: SocketLimits = SocketLimits(ping_s=15.0, pong_s=10.0)
    quiet_s: float | None = 60.0  # without a frame while the market is open
    bars_quiet_s: float = 150.0  # the same where only minute bars are listened to: two and a half of them
    damaged_max: int = 16  # frames in a row that can't be read; then the connection is not to be trusted


class Spec(Struct, frozen=True, kw_only=True):
    """Which endpoint, and as whom."""

    name: str
    url: str  # ws(s)://host[:port]/v1beta3/crypto/us
    login: Login
    limits: StreamLimits = StreamLimits()
    speech: Speech = MSGPACK
    field: str = "alpaca_paper_key_id"  # the setting that a wrong key is told under


class Ear:
    """Who hears a stream. Nothing of it may raise."""

    def heard(self, said: Sequence[Heard]) -> None:
        """Market, and what could not be read, in the order it came."""

    def unreadable(self) -> None:
        """A whole frame could not be read: it may have been about anything."""

    def held(self, keys: Iterable[Key]) -> None:
        """Subscriptions that the venue has confirmed."""

    def wanted_again(self, now_ns: int) -> tuple[Iterable[Key], int | None]:
        """Subscriptions to be begun anew, and when to ask next."""
        return (), None

    def lost(self) -> None:
        """The connection is gone."""

    def tell(self, text: str) -> None:
        """What a person should know."""


class Stream:
    """The subscriptions of one endpoint and the connection of the moment."""

    def __init__(
        self, spec: Spec, clock: Clock, ear: Ear, seed: int | str, is_open: Callable[[int], bool] = lambda _: True
    ):
        self.spec = spec
        self.clock = clock
        self.ear = ear
        self.is_open = is_open
        self.covers: dict[Key, Cover] = {}
        self.connections = 0
        self.damaged = 0  # frames and messages that could not be read
        self.heard_ns = 0  # the last data
        self._backoff = Backoff(seed, spec.name, first_s=FIRST_S, max_s=LAST_S)
        self._crowded = Backoff(seed, f"{spec.name} crowded", first_s=CROWDED_FIRST_S, max_s=CROWDED_LAST_S)
        self._turned = Backoff(seed, f"{spec.name} turned away", first_s=TURNED_AWAY_FIRST_S, max_s=TURNED_AWAY_LAST_S)
        self._stirred = asyncio.Event()
        self._live = False
        self._entered = False  # the key and the plan were good once
        self._live_ns = 0  # since when
        self._damaged_row = 0
        self._shut_ns = 0  # when the market was seen shut last
        self._told: set[Key] = set()  # refusals

    @property
    def live(self) -> bool:
        """Whether there is a connection that is logged in."""
        return self._live

    def want(self, keys: Iterable[Key]) -> None:
        """Subscribe to these too, from now on and on every connection."""
        for key in keys:
            self.covers.setdefault(key, Cover(key))
        self._stirred.set()

    def refused(self) -> dict[Key, str]:
        """What the venue does not want to say, and why."""
        return {key: cover.reason for key, cover in self.covers.items() if cover.state is State.REFUSED}

    def stir(self) -> None:
        """Look whether something is to be done."""
        self._stirred.set()

    async def keep(self) -> None:
        """Connect, hear, connect again, for ever; returns if the plan lacks the endpoint.

        Raises ConfigError for a key that is refused: asking again would lock it, and help nobody. One that was let in
        before in this run is asked again, ever more rarely: positions are open, and a venue that comes out of its
        maintenance has refused keys that were right.
        """
        while True:
            verdict = await self._connection()
            self.ear.lost()
            self.ear.tell(f"{self.spec.name}: {verdict.outcome}: {verdict.text}")
            if verdict.outcome in TURNED_AWAY and self._entered:
                await self.clock.sleep(self._turned.failed())
                continue
            if verdict.outcome is Outcome.WRONG_KEY:
                raise ConfigError(self.spec.field, f"is refused by Alpaca's market data: {verdict.text}")
            if verdict.outcome is Outcome.NOT_OURS:
                for cover in self.covers.values():
                    cover.state, cover.reason = State.REFUSED, verdict.text
                self._tell_refused()
                return
            crowded = verdict.outcome is Outcome.CROWDED
            await self.clock.sleep((self._crowded if crowded else self._backoff).failed())

    # --- one connection -----------------------------------------------------------------------------------------------

    async def _connection(self) -> Verdict:
        """From the first byte to the last; the socket is gone when this returns, fails or is cancelled."""
        socket = Socket(self.clock, self.spec.limits.socket, self._stirred.set, self.spec.speech)
        self.connections += 1
        try:
            with suppress(NotConnected):
                await socket.open(self.spec.url)
            if socket.ended is not None:
                return _verdict(socket.ended)
            verdict = await self._talk(socket)
            self._judge(socket)
            return verdict
        finally:
            self._live = False
            await socket.close()

    def _judge(self, socket: Socket) -> None:
        """A connection that was logged in for long, and not mute all the while, was a good one."""
        mute = socket.ended is not None and socket.ended.why is Why.MUTE
        last_ns = self.heard_ns if mute else self.clock.now_ns()
        if self._live_ns and last_ns - self._live_ns >= round(STEADY_S * NS_PER_S):
            self._backoff.succeeded()
            self._crowded.succeeded()
            self._turned.succeeded()

    async def _talk(self, socket: Socket) -> Verdict:
        """Speak and listen until one of us ends it."""
        self._damaged_row = self._live_ns = 0
        conversation = Conversation(self.spec.login, self.covers, socket.opened_ns)
        while True:
            self._stirred.clear()
            more = self._listen(socket, conversation)
            now_ns = self.clock.now_ns()
            if conversation.ended is not None:
                return conversation.ended
            if socket.ended is not None and not socket.frames:
                return _verdict(socket.ended)
            if conversation.live and not self._live:
                self._live = self._entered = True
                self._live_ns = now_ns
            due_ns = self._speak(socket, conversation, now_ns)
            if more:
                await self.clock.sleep_until(now_ns)  # others run meanwhile
            else:
                await self._until(due_ns)

    def _listen(self, socket: Socket, conversation: Conversation) -> bool:
        """Read some of what has come; whether there is more."""
        for frame, at_ns in socket.take(BATCH_MAX):
            try:
                said = decode(frame, at_ns)
            except VenueMisspoke as error:
                self._damage(socket, str(error))
                self.ear.unreadable()
                continue
            self._damaged_row = 0
            market: list[Heard] = []
            for one in said:
                if isinstance(one, Greeted | Subscribed | Complaint):
                    self._control(one, conversation)
                    continue
                if type(one) is Damaged:
                    self.damaged += 1
                market.append(one)
            if market:
                self.heard_ns = at_ns
                self.ear.heard(market)
        return bool(socket.frames)

    def _control(self, said: Greeted | Subscribed | Complaint, conversation: Conversation) -> None:
        held = {key for key, cover in self.covers.items() if cover.state is State.HELD}
        conversation.hear(said)
        if isinstance(said, Complaint):
            self.ear.tell(f"{self.spec.name}: the venue says {said.code} {said.text[:200]}")
        if isinstance(said, Subscribed):
            self.ear.held([k for k, cover in self.covers.items() if cover.state is State.HELD and k not in held])
        self._tell_refused()

    def _speak(self, socket: Socket, conversation: Conversation, now_ns: int) -> int | None:
        """Say what there is to say; when to look again, if no word comes before."""
        keys, again_ns = self.ear.wanted_again(now_ns) if conversation.live else ((), None)
        conversation.again(keys)
        if (message := conversation.speak(now_ns)) is not None:
            socket.send(_encoded(message, self.spec.speech))
        if conversation.ended is not None:
            self._stirred.set()
        dues = [conversation.due_ns, again_ns, self._look(socket, conversation, now_ns)]
        return min((due_ns for due_ns in dues if due_ns is not None), default=None)

    def _look(self, socket: Socket, conversation: Conversation, now_ns: int) -> int | None:
        """End a connection that is mute while there is a market; when to look again."""
        limits, quiet_s = self.spec.limits, self.spec.limits.quiet_s
        if quiet_s is None or not conversation.live:
            return None
        held = {channel for (channel, _), cover in self.covers.items() if cover.state is State.HELD}
        if held == {BARS}:
            quiet_s = max(quiet_s, limits.bars_quiet_s)
        if not held or not self.is_open(now_ns):
            self._shut_ns = now_ns
        since_ns = max(socket.heard_ns, self._shut_ns)
        if now_ns - since_ns >= round(quiet_s * NS_PER_S):
            socket.abort(Why.MUTE, f"no frame within {quiet_s:g} s while the market is open")
        return now_ns + round(quiet_s * NS_PER_S) // LOOKS_A_QUIET

    async def _until(self, due_ns: int | None) -> None:
        """Wait until something stirs, or the time."""
        if due_ns is None:
            await self._stirred.wait()
            return
        timer = self.clock.call_at(due_ns, self._stirred.set)
        try:
            await self._stirred.wait()
        finally:
            timer.cancel()

    # --- small things -------------------------------------------------------------------------------------------------

    def _damage(self, socket: Socket, text: str) -> None:
        self.damaged += 1
        self._damaged_row += 1
        self.ear.tell(f"{self.spec.name}: a frame cannot be read: {text}")
        if self._damaged_row > self.spec.limits.damaged_max:
            socket.abort(Why.MISSPOKE, f"{self._damaged_row} frames in a row can't be read")

    def _tell_refused(self) -> None:
        """Each refusal once."""
        refused = {key: why for key, why in self.refused().items() if key not in self._told}
        self._told |= refused.keys()
        for (channel, why), symbols in _grouped(refused).items():
            self.ear.tell(f"{self.spec.name}: no {channel} of {', '.join(symbols)}: {why}")


def _grouped(refused: dict[Key, str]) -> dict[tuple[str, str], list[str]]:
    groups: dict[tuple[str, str], list[str]] = {}
    for (channel, symbol), why in refused.items():
        groups.setdefault((channel, why), []).append(symbol)
    return groups


def _encoded(message: dict[str, Any], speech: Speech) -> bytes:
    return msgspec.msgpack.encode(message) if speech.binary else msgspec.json.encode(message)


def _verdict(ended: Ended) -> Verdict:
    """What the end of a socket means for the next one."""
    crowded = ended.why is Why.REFUSED and ended.code == TOO_MANY
    return Verdict(Outcome.CROWDED if crowded else Outcome.AGAIN, f"{ended.why}, {ended.code}, {ended.text}")
