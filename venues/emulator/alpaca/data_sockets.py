"""One WebSocket of market data: greeting, authentication, subscriptions, and what the plan lets it have.

Frames are msgpack where the connection asked for it by its Content-Type, else JSON; the client may write either.
(docs, Real-time Stock Data and Real-time Crypto Data: codes and words of the errors, ten seconds to authenticate.)
What is not documented, and a guess: after 402, 404, 406 and 409 the venue ends the connection.
"""

from collections import Counter, deque
from collections.abc import Iterator, Mapping
from typing import Any

from msgspec import DecodeError, json, msgpack

from supervisor.clock import NS_PER_S
from venues.emulator.alpaca.exchange import AlpacaExchange
from venues.emulator.alpaca.frames import Topic, encode
from venues.emulator.doors import HangUp, Link, Reply
from venues.emulator.schedule import Scope

CRYPTO_PATH, IEX_PATH, SIP_PATH = "/v1beta3/crypto/us", "/v2/iex", "/v2/sip"
PATHS = (CRYPTO_PATH, IEX_PATH, SIP_PATH)
AUTH_NS, MINUTE_NS = 10 * NS_PER_S, 60 * NS_PER_S
MSGPACK = "application/msgpack"
ALL = "*"
CRYPTO_CHANNELS = ("trades", "quotes", "orderbooks", "bars", "updatedBars", "dailyBars")
STOCK_CHANNELS = ("trades", "quotes", "bars", "updatedBars", "dailyBars")
STOCK_EXTRAS = ("statuses", "lulds", "corrections", "cancelErrors")
"""Channels of shares that can be subscribed to and on which nothing ever happens here."""
COUNTED = ("trades", "quotes")
WORDS = {
    400: "invalid syntax",
    401: "not authenticated",
    402: "auth failed",
    403: "already authenticated",
    404: "auth timeout",
    405: "symbol limit exceeded",
    406: "connection limit exceeded",
    409: "insufficient subscription",
}
BYE = 1000


class Reception:
    """Who is connected where, and what was refused."""

    def __init__(self) -> None:
        self.connections: Counter[tuple[str, str]] = Counter()  # (path, key)
        self.highest: Counter[str] = Counter()
        self.refused: Counter[int] = Counter()
        self.listeners: Counter[str] = Counter()  # of topics in an encoding
        self.handshakes: dict[str, deque[int]] = {}  # address -> when it came
        self.full_until_ns = 0  # a fault: nobody more is let in

    def admits(self, ip: str, now_ns: int, most: int) -> bool:
        """Whether an address that knocks is let in; knocking counts, too."""
        came = self.handshakes.setdefault(ip, deque(maxlen=most + 1))
        came.append(now_ns)
        return len(came) <= most or came[0] <= now_ns - MINUTE_NS


class DataConversation:
    """A Session of market data."""

    def __init__(self, exchange: AlpacaExchange, reception: Reception, link: Link, now_ns: int) -> None:
        self.topics: dict[str, dict[str, None]] = {}
        self._exchange, self._reception, self._link = exchange, reception, link
        self._packed = link.content_type == MSGPACK
        link.binary = self._packed
        self._crypto = link.path == CRYPTO_PATH
        self._names = exchange.listing.of_class(self._crypto)
        self._since_ns = now_ns
        self._key = ""
        self._over = False

    # --- what the server asks -------------------------------------------------------------------------------------

    def greet(self) -> Iterator[Reply]:
        """What is said first."""
        yield self._say({"T": "success", "msg": "connected"})

    def hear(self, said: str | bytes, now_ns: int) -> Iterator[Reply]:
        """Take a message of the client. Raises HangUp."""
        if self._over:
            return
        message = _read(said)
        action = message.get("action") if message is not None else None
        if message is None or action not in ("auth", "subscribe", "unsubscribe"):
            yield self._error(400)
        elif action == "auth":
            yield self._authenticate(message, now_ns)
        elif not self._key:
            yield self._error(401)
        else:
            yield from self._subscribe(message, drop=action == "unsubscribe")

    def tick(self, now_ns: int) -> None:
        """Let time pass. Raises HangUp when nobody has authenticated for too long."""
        if not self._key and not self._over and now_ns - self._since_ns >= AUTH_NS:
            self._hang_up(404)

    def go_deaf(self) -> None:
        """Nothing keeps such a socket open but itself: nothing to do."""

    def scope(self) -> Scope:
        """What it listens to."""
        names = [name for names in self.topics.values() for name in names]
        return Scope(frozenset({self._link.path, *self.topics}), frozenset(names))

    def end(self) -> None:
        """The socket is gone."""
        for channel in list(self.topics):
            self._drop(channel, list(self.topics[channel]))
        if self._key:
            self._reception.connections[self._link.path, self._key] -= 1
            self._key = ""

    # --- the conversation -----------------------------------------------------------------------------------------

    def _say(self, *messages: Mapping[str, Any]) -> Reply:
        return Reply(encode(messages, self._packed))

    def _error(self, code: int) -> Reply:
        self._reception.refused[code] += 1
        return self._say({"T": "error", "code": code, "msg": WORDS[code]})

    def _hang_up(self, code: int) -> None:
        self._over = True
        raise HangUp(BYE, WORDS[code], last=self._error(code).frame)

    def _authenticate(self, message: Mapping[str, Any], now_ns: int) -> Reply:
        if self._key:
            return self._error(403)
        reception, plan = self._reception, self._exchange.config.plan
        key = str(message.get("key", ""))
        account = self._exchange.accounts.get(key)
        if account is None or account.config.secret != message.get("secret"):
            self._hang_up(402)
        if self._link.path == SIP_PATH and not plan.sip:
            self._hang_up(409)
        place = (self._link.path, key)
        if reception.connections[place] >= plan.connections or now_ns < reception.full_until_ns:
            self._hang_up(406)
        reception.connections[place] += 1
        reception.highest[self._link.path] = max(reception.highest[self._link.path], reception.connections[place])
        self._key = key
        return self._say({"T": "success", "msg": "authenticated"})

    def _subscribe(self, message: Mapping[str, Any], *, drop: bool) -> Iterator[Reply]:
        """More or less of what is heard; all of it is told again, and new books are told whole."""
        channels = CRYPTO_CHANNELS if self._crypto else STOCK_CHANNELS
        wanted: dict[str, list[str]] = {}
        for channel in channels:
            told = message.get(channel) or []
            if not isinstance(told, list) or not all(isinstance(one, str) for one in told):
                yield self._error(400)
                return
            wanted[channel] = list(self._names) if ALL in told else told
            if any(name not in self._names for name in wanted[channel]):
                yield self._error(400)
                return
        if not drop and self._too_many(wanted):
            yield self._error(405)
            return
        books = []
        for channel, names in wanted.items():
            if drop:
                self._drop(channel, names)
            else:
                books += self._take(channel, names)
        told_now = {channel: list(self.topics.get(channel, ())) for channel in channels}
        extras: dict[str, list[str]] = {} if self._crypto else {channel: [] for channel in STOCK_EXTRAS}
        yield self._say({"T": "subscription", **told_now, **extras})
        for book in books:
            yield self._say(book)

    def _too_many(self, wanted: Mapping[str, list[str]]) -> bool:
        """Whether the plan has less than that."""
        plan = self._exchange.config.plan
        counted = {name for channel in COUNTED for name in (*self.topics.get(channel, ()), *wanted.get(channel, ()))}
        books = {*self.topics.get("orderbooks", ()), *wanted.get("orderbooks", ())}
        over = plan.symbols_max is not None and len(counted) > plan.symbols_max
        return over or (plan.orderbooks_max is not None and len(books) > plan.orderbooks_max)

    def _take(self, channel: str, names: list[str]) -> list[Mapping[str, Any]]:
        held, first = self.topics.setdefault(channel, {}), []
        for name in names:
            if name in held:
                continue
            held[name] = None
            topic = Topic(channel, name)
            self._link.hold(topic.key(self._packed))
            self._reception.listeners[topic.key(self._packed)] += 1
            if (message := self._exchange.watch(topic)) is not None:
                first.append(message)
        return first

    def _drop(self, channel: str, names: list[str]) -> None:
        held = self.topics.get(channel, {})
        for name in [one for one in names if one in held]:
            del held[name]
            topic = Topic(channel, name)
            self._link.release(topic.key(self._packed))
            self._reception.listeners[topic.key(self._packed)] -= 1
            self._exchange.unwatch(topic)


def _read(said: str | bytes) -> dict[str, Any] | None:
    """A client's message in either encoding; None of what is none."""
    for decode in (json.decode, msgpack.decode) if isinstance(said, str) else (msgpack.decode, json.decode):
        try:
            found = decode(said.encode() if isinstance(said, str) else said)
        except (DecodeError, UnicodeDecodeError):
            continue
        if isinstance(found, dict):
            return found
    return None
