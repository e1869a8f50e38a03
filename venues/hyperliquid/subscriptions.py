"""What is asked of the venue's stream, what became of it, and what a reader of streams is told beside the frames."""

from collections.abc import Collection, Iterable
from enum import StrEnum

import msgspec
from msgspec import Struct

from venues.hyperliquid.socket import Ended

Key = tuple[str, str]
"""Channel and symbol: what a frame tells of the subscription it belongs to. An interval is not in it."""


class Subscription(Struct, frozen=True):
    """One thing to hear of. `symbol` is the venue's own name, exact case; `more` are the channel's other fields."""

    channel: str  # the wire's `type`: l2Book, trades, bbo, candle, activeAssetCtx, userFills, orderUpdates, userEvents
    symbol: str = ""
    more: tuple[tuple[str, str | bool | int], ...] = ()  # ("fast", True), ("interval", "1m"), ("user", "0x...")

    @property
    def key(self) -> Key:
        """By which its answers and frames are known."""
        return self.channel, self.symbol

    def message(self, method: str) -> bytes:
        """The frame that begins (`subscribe`) or ends (`unsubscribe`) it."""
        named = {"coin": self.symbol} if self.symbol else {}
        return msgspec.json.encode(
            {"method": method, "subscription": {"type": self.channel, **named, **dict(self.more)}}
        )


def books(symbols: Iterable[str]) -> tuple[Subscription, ...]:
    """Books of 20 levels a side, about every 5.4 s."""
    return tuple(Subscription("l2Book", symbol) for symbol in symbols)


def fast_books(symbols: Iterable[str]) -> tuple[Subscription, ...]:
    """Books of 5 levels a side, about every 0.54 s. Their frames look like the others', so never on one socket."""
    return tuple(Subscription("l2Book", symbol, (("fast", True),)) for symbol in symbols)


def account(address: str) -> tuple[Subscription, ...]:
    """All that happens to an account: of the master address, for an agent's is empty."""
    user = (("user", address.lower()),)
    return tuple(Subscription(channel, "", user) for channel in ("userFills", "orderUpdates", "userEvents"))


class State(StrEnum):
    """Where a subscription stands."""

    WAITING = "waiting"  # not asked for on the connection that stands, or there is none
    ASKED = "asked"  # the venue has not answered yet
    HELD = "held"  # the venue confirmed it
    SUSPECT = "suspect"  # it was unanswered when its socket died, or was never answered: asked for on its own
    QUARANTINED = "quarantined"  # it kills sockets or is refused: probed again later; or is in no meta: never asked for


class Cover(Struct):
    """One subscription and what comes of it."""

    subscription: Subscription
    state: State = State.WAITING
    live_since_ns: int = 0  # the first data on the connection that stands; 0: none yet
    last_ns: int = 0  # the last data ever
    frames: int = 0
    strikes: int = 0  # sockets that died of it, and refusals, while the venue confirmed others
    probes: int = 0  # that told nothing good of it since it fell into doubt
    reason: str = ""  # of suspicion or quarantine


class Gap(Struct, frozen=True):
    """A channel was deaf and hears again: what happened since then must be asked for before trading."""

    channel: str
    since_ns: int  # the last frame before; of a first connection, when it was wanted
    at_ns: int


class Lost(Struct, frozen=True):
    """The connection of these channels is gone; a Gap follows for each when they hear again."""

    line: str
    channels: tuple[str, ...]
    ended: Ended


class Damaged(Struct, frozen=True):
    """A frame that could not be read."""

    line: str
    text: str
    received_ns: int


class Quarantine(Struct, frozen=True):
    """A subscription is given up for some minutes."""

    line: str
    subscription: Subscription
    reason: str
    at_ns: int


def clashes(subscriptions: Collection[Subscription]) -> list[Key]:
    """Keys that two subscriptions of one socket share although their frames could not be told apart."""
    seen: set[Key] = set()
    return [one.key for one in subscriptions if one.key in seen or seen.add(one.key)]  # type: ignore[func-returns-value]
