"""The WebSocket that tells an account what becomes of its orders.

JSON, in binary frames on the paper venue and in text on the live one (docs, Websocket Streaming). Nothing is told again
to who comes later: what happened while nobody listened is to be read over REST.
"""

from collections.abc import Iterator, Mapping
from typing import Any

from msgspec import DecodeError, json

from supervisor.clock import NS_PER_S
from venues.emulator.alpaca.exchange import AlpacaExchange
from venues.emulator.doors import HangUp, Link, Reply
from venues.emulator.schedule import Scope

PATH = "/stream"
TRADE_UPDATES = "trade_updates"
STREAMS = (TRADE_UPDATES,)
AUTH_NS = 10 * NS_PER_S
BYE = 1000


def key_of(key_id: str) -> str:
    """What sockets hold that hear of an account."""
    return f"{TRADE_UPDATES}/{key_id}"


class TradingConversation:
    """A Session of one account."""

    def __init__(self, exchange: AlpacaExchange, link: Link, now_ns: int) -> None:
        self._exchange, self._link, self._since_ns = exchange, link, now_ns
        self._key, self._streams = "", []  # type: str, list[str]
        self._over = False
        link.binary = exchange.telling.binary

    def greet(self) -> Iterator[Reply]:
        """Nothing is said before the client speaks."""
        return iter(())

    def hear(self, said: str | bytes, now_ns: int) -> Iterator[Reply]:
        """Take a message of the client. Raises HangUp."""
        if self._over:
            return
        try:
            message = json.decode(said, type=dict[str, Any])
        except (DecodeError, UnicodeDecodeError):
            message = {}
        data = message.get("data")
        data = data if isinstance(data, dict) else {}
        action = message.get("action")
        if action in ("authenticate", "auth"):
            yield self._authenticate(message, data)
        elif action == "listen":
            if not self._key:
                yield _reply("authorization", {"status": "unauthorized", "action": "listen"})
            else:
                yield self._listen(data)
        else:
            yield _reply("error", {"action": "", "error": "invalid action"})

    def tick(self, now_ns: int) -> None:
        """Let time pass. Raises HangUp when nobody has authenticated for too long."""
        self._link.binary = self._exchange.telling.binary
        if not self._key and not self._over and now_ns - self._since_ns >= AUTH_NS:
            self._over = True
            raise HangUp(BYE, "auth timeout")

    def go_deaf(self) -> None:
        """Nothing keeps such a socket open but itself: nothing to do."""

    def scope(self) -> Scope:
        """What it listens to."""
        return Scope(frozenset({PATH, *self._streams}), frozenset())

    def end(self) -> None:
        """The socket is gone."""

    def _authenticate(self, message: Mapping[str, Any], data: Mapping[str, Any]) -> Reply:
        key = str(data.get("key_id") or message.get("key") or "")
        secret = data.get("secret_key") or message.get("secret")
        account = self._exchange.accounts.get(key)
        if account is None or account.config.secret != secret:
            self._over = True
            refused = _reply("authorization", {"status": "unauthorized", "action": "authenticate"})
            raise HangUp(BYE, "unauthorized", last=refused.frame)
        self._key = key
        return _reply("authorization", {"status": "authorized", "action": "authenticate"})

    def _listen(self, data: Mapping[str, Any]) -> Reply:
        told = data.get("streams")
        self._streams = [one for one in STREAMS if isinstance(told, list) and one in told]
        for stream in STREAMS:
            if stream in self._streams:
                self._link.hold(key_of(self._key))
            else:
                self._link.release(key_of(self._key))
        return _reply("listening", {"streams": self._streams})


def _reply(stream: str, data: Mapping[str, Any]) -> Reply:
    return Reply(json.encode({"stream": stream, "data": data}))
