"""Messages of the data streams as JSON or msgpack, and what they are about.

Messages are dicts with floats and times in nanoseconds. JSON has numbers as Go prints them and RFC 3339; msgpack has
floats and timestamp extensions, whole numbers where shares are counted.
"""

from collections.abc import Mapping, Sequence
from decimal import Decimal
from functools import lru_cache
from typing import Any

from msgspec import Raw, Struct, json, msgpack
from msgspec.msgpack import Ext

from supervisor.clock import NS_PER_S
from venues.aleatoric.dialects.alpaca import number, rfc3339
from venues.market import Level

TIMESTAMP, SECONDS_BITS = -1, 34
"""The extension that msgpack has for times, and the seconds in its eight bytes, below thirty bits of nanoseconds."""
Message = Mapping[str, Any]
BARS = {"b": "bars", "u": "updatedBars", "d": "dailyBars"}
CHANNELS = {"t": "trades", "q": "quotes", "o": "orderbooks", **BARS}


class Topic(Struct, frozen=True):
    """What can be subscribed to: a channel of a name."""

    channel: str
    symbol: str

    def key(self, packed: bool) -> str:
        """What sockets hold that hear it."""
        return f"{'msgpack' if packed else 'json'}/{self.channel}/{self.symbol}"


@lru_cache(maxsize=65_536)
def _number(value: float) -> Raw:
    return Raw(number(Decimal(repr(value))).encode())


def _spoken(value: Any) -> Any:
    if isinstance(value, float):
        return _number(value)
    if isinstance(value, list):
        return [_spoken(one) for one in value]
    if isinstance(value, dict):
        return {name: _spoken(one) for name, one in value.items()}
    return value


def as_json(messages: Sequence[Message]) -> bytes:
    """A frame of text."""
    return json.encode([row(message) for message in messages])


def row(message: Message) -> dict[str, Any]:
    """A message with numbers as the venue prints them; REST's answers have the same."""
    said = {name: _spoken(value) for name, value in message.items()}
    if isinstance(message.get("t"), int):
        said["t"] = rfc3339(message["t"])
    return said


def as_msgpack(messages: Sequence[Message]) -> bytes:
    """A binary frame."""
    said = []
    for message in messages:
        packed = dict(message)
        if isinstance(message.get("t"), int):
            second, ns = divmod(message["t"], NS_PER_S)
            packed["t"] = Ext(TIMESTAMP, (ns << SECONDS_BITS | second).to_bytes(8) if ns else second.to_bytes(4))
        said.append(packed)
    return msgpack.encode(said)


def encode(messages: Sequence[Message], packed: bool) -> bytes:
    """A frame in the encoding that a connection asked for."""
    return as_msgpack(messages) if packed else as_json(messages)


class Ladder:
    """What the stream has said of one book."""

    def __init__(self, symbol: str) -> None:
        self.symbol, self.at_ns = symbol, 0
        self._sides: tuple[dict[float, float], dict[float, float]] = ({}, {})

    def whole(self) -> dict[str, Any]:
        """The whole book as it was said last."""
        bids, asks = (_levels(side) for side in self._sides)
        return {"T": "o", "S": self.symbol, "t": self.at_ns, "b": bids, "a": asks, "r": True}

    def change(self, bids: Sequence[Level], asks: Sequence[Level], at_ns: int) -> dict[str, Any] | None:
        """What makes the book that is there now of the one that was said last: new sizes, then zeros. None: nothing."""
        now = ({level.price: level.size for level in bids}, {level.price: level.size for level in asks})
        changed = []
        for before, after in zip(self._sides, now, strict=True):
            new = {price: size for price, size in after.items() if before.get(price) != size}
            changed.append(new | dict.fromkeys((price for price in before if price not in after), 0.0))
        self._sides, self.at_ns = now, at_ns
        if not any(changed):
            return None
        return {"T": "o", "S": self.symbol, "t": at_ns, "b": _levels(changed[0]), "a": _levels(changed[1])}


def _levels(side: Mapping[float, float]) -> list[dict[str, float]]:
    return [{"p": price, "s": size} for price, size in side.items()]
