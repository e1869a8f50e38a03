"""Hyperliquid's exchange as a pure, synchronous state machine: bodies and times in, answers and frames out.

It reads no clock, opens no socket, starts no task. What the server around it must do:

- Time. Give each call the venue's time, `now_ns`, which must not be before `config.start_ns` and should not run back
  (a time that does is taken as the latest one seen). Made-up clock skew is added by the server: nothing here minds.
- Market. Call `advance(now_ns)` at least each 100 ms, and at once after each `exchange` or `posted`: it moves the
  market on and returns what subscribers hear, in order. `info`, `exchange` and `snapshot` move the market on too; what
  happens then waits for the next `advance`.
- Subscriptions. On `subscribe`: `topic = exchange.topic(subscription)`.
      UnknownCoin  close the socket with 1006 (abort, no close frame): the venue does so for a name it does not list
      BadRequest   send `errors.bad_request(text of the client's message)` and stay open
  Keep a set of `topic.key` per socket: a second subscribe is answered `errors.already(topic)`, an unsubscribe of what is
  not there `errors.not_there(topic)`. Else send `topic.ack("subscribe")`, then each frame of `snapshot(topic, now_ns)`,
  and call `watch(topic)`; on unsubscribe and on close `unwatch(topic)`. Frames are made only for topics that somebody
  watches. A Happening goes to every socket that holds its `key`. Slow and fast l2Book of a coin have different keys and
  the same channel, as at the venue.
- Requests. POST /info -> `info(body, now_ns, ip)`, POST /exchange -> `exchange(body, now_ns, ip)`, WebSocket `post` ->
  `posted(message, now_ns, ip)`; `body` is the decoded JSON. All return bytes for HTTP 200 or the socket. They raise
  Refused(status, body): answer that status with that text (422 for what can't be read, 429 over the IP's weight).
- Faults. `delist(name)`, `halt(name, until_ns)`, `restart(until_ns)`, `deposit(...)` are the venue's own happenings.
  Late, doubled, lost and reordered frames are the server's: it holds Happenings back or sends them twice.
- Sockets. Ping, pong, 60 s of silence, limits on connections, messages and users are the server's; count each message
  with `usage.message(ip, now_ns)` so that tests find the highest use of any 60 s in `usage`.
"""

from collections.abc import Mapping, Sequence
from typing import Any

from msgspec import Struct


class Happening(Struct, frozen=True):
    """One frame for everybody who is subscribed to `key`."""

    at_ns: int
    key: str
    frame: bytes


class Topic(Struct, frozen=True):
    """A subscription that the venue understood, with its defaults filled in."""

    key: str
    subscription: dict[str, Any]

    def ack(self, method: str) -> bytes:
        """The frame that confirms it."""
        raise NotImplementedError


class HyperliquidExchange:
    """The whole venue: one market, several dexs, several accounts."""

    def __init__(self, market: Any, accounts: Sequence[Any], config: Any) -> None:
        """`market` is an AleatoricMarket of the config's names; see `config.ExchangeConfig` and `config.AccountConfig`."""

    def advance(self, now_ns: int) -> list[Happening]:
        """Move the market to a time and return what subscribers hear."""
        raise NotImplementedError

    def topic(self, subscription: Mapping[str, Any]) -> Topic:
        """Understand a subscription. Raises UnknownCoin, BadRequest."""
        raise NotImplementedError

    def snapshot(self, topic: Topic, now_ns: int) -> list[bytes]:
        """The first frames of a new subscription; not its ack."""
        raise NotImplementedError

    def watch(self, topic: Topic) -> None:
        """One more socket hears a topic."""

    def unwatch(self, topic: Topic) -> None:
        """One socket less hears a topic."""

    def info(self, body: Any, now_ns: int, ip: str = "127.0.0.1") -> bytes:
        """Answer POST /info. Raises Refused."""
        raise NotImplementedError

    def exchange(self, body: Any, now_ns: int, ip: str = "127.0.0.1") -> bytes:
        """Answer POST /exchange. Raises Refused."""
        raise NotImplementedError

    def posted(self, message: Mapping[str, Any], now_ns: int, ip: str = "127.0.0.1") -> bytes:
        """Answer a WebSocket post with a whole frame."""
        raise NotImplementedError

    def delist(self, name: str, now_ns: int) -> None:
        """Take a name off the list: its orders end, its position is settled, its index stays."""

    def halt(self, name: str, until_ns: int) -> None:
        """Refuse all orders of a name until a time."""

    def restart(self, until_ns: int) -> None:
        """A network upgrade has just happened: until a time only post-only orders are allowed."""

    def deposit(self, user: str, dex: str, usd: str, now_ns: int) -> None:
        """Money arrives in an account."""
