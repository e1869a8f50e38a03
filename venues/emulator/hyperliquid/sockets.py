"""One WebSocket's conversation with Hyperliquid: subscriptions, pings, posts, and when the venue has had enough.

Pure: text and times in, frames out. From probes of 2026-09 and the venue's pages "WebSocket" and "Rate limits": a name
that is not listed closes the whole socket with 1006 about 0.1 s later, whatever else is subscribed on it; what can't be
read is answered on the channel "error"; who has sent nothing for 60 s is closed. The code and reason of that close, and
what is said to who goes over a limit, are guesses: the venue publishes neither.
"""

from collections import Counter, deque
from collections.abc import Iterator, Mapping
from typing import Any

import msgspec
from msgspec import Struct, field

from supervisor.clock import NS_PER_MS, NS_PER_S
from venues.emulator.doors import Answer, Around, HangUp, Link, Question, Reply
from venues.emulator.hyperliquid import errors
from venues.emulator.hyperliquid.exchange import HyperliquidExchange
from venues.emulator.hyperliquid.topics import Topic
from venues.emulator.schedule import Scope

IDLE_NS = 60 * NS_PER_S
IDLE_CODE, IDLE_REASON = 1000, "Inactive"
UNKNOWN_COIN_NS = 100 * NS_PER_MS
"""From the subscription to the end of its socket (three probes of 2026-09-24)."""
MINUTE_NS = 60 * NS_PER_S
PONG = b'{"channel":"pong"}'
TOO_MANY_MESSAGES = "Too many websocket messages sent. Please slow down."  # a guess
TOO_MANY_SUBSCRIPTIONS = "Cannot subscribe to more than {} channels."  # a guess
TOO_MANY_USERS = "Cannot track more than {} total users."
TOO_MANY_POSTS = "Too many inflight post messages."  # a guess
OK, TOO_MANY = 200, 429
SUBSCRIBE, UNSUBSCRIBE, PING, POST = "subscribe", "unsubscribe", "ping", "post"


class SocketLimits(Struct, frozen=True, kw_only=True):
    """What one IP address may do (docs, Rate limits, as of 2026-09)."""

    connections: int = 10
    connections_per_minute: int = 30
    subscriptions: int = 1000
    messages_per_minute: int = 2000
    users: int = 10
    posts: int = 100  # unanswered


class Guest(Struct):
    """One IP address: what its sockets hold together, and the most it ever was."""

    sockets: int = 0
    opened_ns: deque[int] = field(default_factory=deque)
    subscriptions: int = 0
    users: Counter[str] = field(default_factory=Counter)
    most: Counter[str] = field(default_factory=Counter)
    refused: Counter[str] = field(default_factory=Counter)

    def note(self, what: str, now: int) -> None:
        """Remember the most of something."""
        self.most[what] = max(self.most[what], now)


class Reception:
    """Every IP address that came, and what it may."""

    def __init__(self, limits: SocketLimits) -> None:
        self.limits = limits
        self.guests: dict[str, Guest] = {}

    def guest(self, ip: str) -> Guest:
        """Whoever is behind an address."""
        return self.guests.setdefault(ip, Guest())

    def admits(self, ip: str, now_ns: int) -> bool:
        """Whether one more socket is let in; asking counts as one of the new ones of its minute."""
        guest, limits = self.guest(ip), self.limits
        while guest.opened_ns and guest.opened_ns[0] <= now_ns - MINUTE_NS:
            guest.opened_ns.popleft()
        guest.opened_ns.append(now_ns)
        guest.note("connections_per_minute", len(guest.opened_ns))
        guest.note("connections", guest.sockets + 1)
        for what, have in (("connections_per_minute", len(guest.opened_ns)), ("connections", guest.sockets + 1)):
            if have > getattr(limits, what):
                guest.refused[what] += 1
                return False
        return True


class Conversation:
    """A Session: one socket, its subscriptions, and when it last said something."""

    def __init__(
        self, exchange: HyperliquidExchange, reception: Reception, link: Link, around: Around, now_ns: int
    ) -> None:
        self.topics: dict[str, Topic] = {}
        self.heard_ns = now_ns
        self.deaf = False
        self._exchange, self._link, self._around = exchange, link, around
        self._limits, self._guest = reception.limits, reception.guest(link.ip)
        self._over = False
        self._guest.sockets += 1

    # --- what the server asks -----------------------------------------------------------------------------------------

    def greet(self) -> Iterator[Reply]:
        """Nothing: this venue waits for the client."""
        return iter(())

    def hear(self, said: str | bytes, now_ns: int) -> Iterator[Reply]:
        """Take a message of the client. Raises HangUp for a name that is not listed."""
        text = said if isinstance(said, str) else said.decode("utf-8", "replace")
        if not self.deaf:
            self.heard_ns = now_ns
        if self._over:
            return
        sent = self._exchange.usage.message(self._link.ip, now_ns)
        self._guest.note("messages_per_minute", sent)
        if sent > self._limits.messages_per_minute:
            yield self._refuse("messages_per_minute", TOO_MANY_MESSAGES)
            return
        try:
            message = msgspec.json.decode(text)
        except msgspec.DecodeError:
            message = None
        method = message.get("method") if isinstance(message, dict) else None
        if method == PING:
            yield Reply(PONG)
        elif method in (SUBSCRIBE, UNSUBSCRIBE) and isinstance(message.get("subscription"), dict):
            yield from self._subscription(method, message["subscription"], text)
        elif method == POST and _is_post(message):
            yield from self._posted(message)
        else:
            yield Reply(errors.bad_request(text))

    def tick(self, now_ns: int) -> None:
        """Let time pass. Raises HangUp after 60 s in which the client sent nothing."""
        if not self._over and now_ns - self.heard_ns >= IDLE_NS:
            self._over = True
            raise HangUp(IDLE_CODE, IDLE_REASON)

    def go_deaf(self) -> None:
        """What the client sends no longer keeps the socket open."""
        self.deaf = True

    def scope(self) -> Scope:
        """What it listens to: types of subscriptions, and coins."""
        told = [topic.subscription for topic in self.topics.values()]
        coins = frozenset(str(one["coin"]) for one in told if one.get("coin"))
        return Scope(frozenset(str(one["type"]) for one in told), coins)

    def end(self) -> None:
        """The socket is gone."""
        for topic in list(self.topics.values()):
            self._drop(topic)
        self._guest.sockets -= 1

    # --- subscriptions ------------------------------------------------------------------------------------------------

    def _subscription(self, method: str, asked: Mapping[str, Any], text: str) -> Iterator[Reply]:
        """Subscribe or unsubscribe."""
        try:
            topic = self._exchange.topic(asked)
        except errors.UnknownCoin:
            self._over = True
            raise HangUp(delay_ns=UNKNOWN_COIN_NS) from None
        except errors.BadRequest:
            yield Reply(errors.bad_request(text))
            return
        there = topic.key in self.topics
        if method == UNSUBSCRIBE:
            if not there:
                yield Reply(errors.not_there(topic.subscription))
                return
            self._drop(topic)
            yield Reply(topic.ack(UNSUBSCRIBE))
        elif there:
            yield Reply(errors.already(topic.subscription))
        elif refusal := self._too_many(topic):
            yield refusal
        else:
            yield Reply(topic.ack(SUBSCRIBE))
            for frame in self._exchange.snapshot(topic, self._around.venue_ns()):
                yield Reply(frame)
            self._take(topic)

    def _too_many(self, topic: Topic) -> Reply | None:
        """The refusal of one subscription more than the address may have."""
        guest, limits = self._guest, self._limits
        if guest.subscriptions >= limits.subscriptions:
            return self._refuse("subscriptions", TOO_MANY_SUBSCRIPTIONS.format(limits.subscriptions))
        user = topic.subscription.get("user")
        if user and user not in guest.users and len(guest.users) >= limits.users:
            return self._refuse("users", TOO_MANY_USERS.format(limits.users))
        return None

    def _refuse(self, what: str, text: str) -> Reply:
        self._guest.refused[what] += 1
        return Reply(errors.error_frame(text))

    def _take(self, topic: Topic) -> None:
        guest = self._guest
        self.topics[topic.key] = topic
        guest.subscriptions += 1
        if user := topic.subscription.get("user"):
            guest.users[user] += 1
        guest.note("subscriptions", guest.subscriptions)
        guest.note("users", len(guest.users))
        self._exchange.watch(topic)
        self._link.hold(topic.key)

    def _drop(self, topic: Topic) -> None:
        guest = self._guest
        del self.topics[topic.key]
        guest.subscriptions -= 1
        if user := topic.subscription.get("user"):
            guest.users[user] -= 1
            guest.users += Counter()  # forgets those with none
        self._exchange.unwatch(topic)
        self._link.release(topic.key)

    # --- posts --------------------------------------------------------------------------------------------------------

    def _posted(self, message: Mapping[str, Any]) -> Iterator[Reply]:
        """A question or an action over the socket: the same faults befall it as one over HTTP."""
        request, identity = message["request"], message["id"]
        door = "exchange" if request["type"] == "action" else "info"
        question = self._exchange_question(door, request.get("payload"))

        def do() -> Answer:
            return Answer(self._exchange.posted(message, self._around.venue_ns(), self._link.ip))

        def wrong(text: str) -> Answer:
            payload = {"type": "action", "payload": inner_error(question.body, text)}
            return Answer(_post_frame(identity, payload))

        outcome = self._around.suffer(question, do, wrong)
        if outcome.cut:
            raise HangUp(delay_ns=outcome.delay_ns)
        if outcome.answer is None:
            return
        frame = outcome.answer.body
        if outcome.answer.status == TOO_MANY:
            frame = _post_frame(identity, {"type": "error", "payload": "429: null"})
        yield Reply(frame, outcome.delay_ns)

    def _exchange_question(self, door: str, payload: Any) -> Question:
        return question_of(self._exchange, door, payload, self._link.ip)


def _is_post(message: Mapping[str, Any]) -> bool:
    request = message.get("request")
    return (
        isinstance(message.get("id"), int) and isinstance(request, dict) and request.get("type") in ("info", "action")
    )


def _post_frame(identity: int, response: Mapping[str, Any]) -> bytes:
    return msgspec.json.encode({"channel": "post", "data": {"id": identity, "response": response}})


def question_of(exchange: HyperliquidExchange, door: str, body: Any, ip: str) -> Question:
    """A request as the faults see it: the type of its question or action, and the coins that it names."""
    table = body if isinstance(body, dict) else {}
    asked = table.get("action") if door == "exchange" else table
    asked = asked if isinstance(asked, dict) else {}
    return Question(door, str(asked.get("type", "")), tuple(_coins(exchange, asked)), body, ip)


def _coins(exchange: HyperliquidExchange, asked: Mapping[str, Any]) -> Iterator[str]:
    """Names that a question or an action is about; what makes no sense names nothing."""
    rows = [asked, asked.get("req")]
    for name in ("orders", "cancels", "modifies"):
        listed = asked.get(name)
        rows += listed if isinstance(listed, list) else []
    rows += [row.get("order") for row in rows if isinstance(row, dict)]
    for row in (row for row in rows if isinstance(row, dict)):
        if isinstance(row.get("coin"), str):
            yield row["coin"]
        number = row.get("a", row.get("asset"))
        asset = exchange.listing.by_id.get(number) if isinstance(number, int) else None
        if asset is not None:
            yield asset.name


def inner_error(body: Any, text: str) -> dict[str, Any]:
    """What the venue answers when it took an action and refuses what is in it: an error for each part of the batch."""
    action = body.get("action") if isinstance(body, dict) else None
    action = action if isinstance(action, dict) else {}
    kind = str(action.get("type", ""))
    answered, parts = STATUSES.get(kind, ("", ""))
    rows = action.get(parts)
    if not answered or not isinstance(rows, list):
        return {"status": "err", "response": text}
    statuses = [{"error": text} for _ in rows]
    return {"status": "ok", "response": {"type": answered, "data": {"statuses": statuses}}}


STATUSES = {
    "order": ("order", "orders"),
    "batchModify": ("order", "modifies"),
    "cancel": ("cancel", "cancels"),
    "cancelByCloid": ("cancel", "cancels"),
}
"""Type of action -> type of its answer, and the list whose parts are judged one by one."""
