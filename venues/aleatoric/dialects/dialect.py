"""What all dialects have in common: blocks of whole ticks and lots in, frames of one venue out.

A speaker stands for one symbol at one venue. It is made from a SymbolModel and is given the symbol's blocks in their
order, each once per channel; every channel carries its own state, so channels may be asked in any order, or left out.
What it says is a function of the run's seed and the blocks alone: a speaker that is given the `state` which another had
after block k goes on with the bytes of block k + 1. (No word of the seed's names: it had one formatter per venue.)

Times: a frame arrives when its step ends, `start_ns + (step + 1) * cadence_ns`, exactly as AleatoricMarket's events do;
the venue's own stamp inside it is `age_ns` older for a book, and the trade's own time for a trade. The trades of a step
come before the book of that step.

What the venue does not show: `Block.silent`, where a block has one, marks steps without any frame of a book (`spoken`);
`Block.empty` marks sides that are shown without a level. In what `shown_lots` gives, a level of zero lots is no level,
and a side without levels is said the way the venue says an empty side.
"""

from collections.abc import Iterable
from decimal import Decimal
from heapq import merge
from operator import itemgetter
from typing import Protocol

import numpy as np
from msgspec import Struct

from venues.aleatoric.symbol import Block
from venues.aleatoric.words import Ints
from venues.market import Bar

Frame = tuple[int, bytes]
"""When a frame arrives, in nanoseconds since 1970, and its bytes."""

_TIME_OF_FRAME = itemgetter(0)


class Candle(Struct, frozen=True, kw_only=True):
    """A bar as venues publish it: with what was traded in it. `bar.open` and the rest are what the venue prints."""

    bar: Bar
    volume: float  # in units of the symbol
    notional_usd: float  # sum of price times size
    trades: int
    volume_bought: float = 0.0  # the part of the volume whose taker bought
    notional_bought_usd: float = 0.0
    closed: bool = True  # False: the bar is still forming
    said_ns: int = 0  # the venue's stamp of the frame, where frames of bars have one


class Mark(Struct, frozen=True, kw_only=True):
    """What a venue says of a perpetual besides its book: prices that accounts are valued at, and funding.

    Rates are shares of the position's value (0.0001 is 0.01 %), of one interval, as the venue prints them.
    """

    symbol: str
    at_ns: int
    mark: float
    index: float  # the oracle of Hyperliquid
    mid: float | None  # None: a side of the book is empty
    last: float
    premium: Decimal
    funding_rate: Decimal
    funding_interval_ns: int
    next_funding_ns: int
    open_interest: float  # in units of the symbol
    day_open: float  # price 24 h ago
    day_high: float
    day_low: float
    day_volume: float  # of the last 24 h, in units of the symbol
    day_notional_usd: float
    impact_bid: float | None = None  # what a sale, or a purchase, of the venue's impact notional would pay
    impact_ask: float | None = None
    funding_rate_max: Decimal | None = None
    funding_rate_min: Decimal | None = None
    bid: float | None = None  # the touch, where a venue says it in the same frame; None: the side is empty
    bid_size: float | None = None
    ask: float | None = None
    ask_size: float | None = None
    last_size: float = 0.0
    hour_open: float | None = None  # price 1 h ago


class Speaker(Protocol):
    """One symbol at one venue. Frames of a channel are in the order of their times."""

    @property
    def state(self) -> Struct:
        """All that the speaker carries from block to block: save it with msgspec, give it to a new speaker."""

    def books(self, block: Block) -> list[Frame]:
        """The frames of the book channel, as the speaker was set up: whole books, or a whole one and its changes."""

    def trades(self, block: Block) -> list[Frame]:
        """The frames of the trade channel."""

    def touch(self, block: Block) -> list[Frame]:
        """The frames of the best bid and ask."""

    def candle(self, candle: Candle) -> bytes:
        """The frame of a bar."""

    def mark(self, mark: Mark) -> bytes:
        """The frame of mark price and funding; a spot venue has none and raises TypeError."""


def in_time_order(*channels: Iterable[Frame]) -> list[Frame]:
    """Frames of several channels as one socket would get them; of one instant, the earlier channel comes first."""
    return list(merge(*channels, key=_TIME_OF_FRAME))


def spoken(block: Block) -> Ints:
    """The steps of a block that are shown."""
    silent = getattr(block, "silent", None)
    steps = block.ticks.shape[1]
    return np.arange(steps, dtype=np.int64) if silent is None else np.flatnonzero(~np.asarray(silent, np.bool_))


def shown_lots(block: Block) -> Ints:
    """Sizes as they are shown, (side, step, level): zeros all over a side that is shown empty."""
    empty = getattr(block, "empty", None)
    return block.lots if empty is None else np.where(np.asarray(empty, np.bool_)[:, :, None], 0, block.lots)


def arrivals(block: Block, cadence_ns: int, steps: Ints) -> Ints:
    """When the frames of these steps arrive."""
    return block.start_ns + (steps + 1) * cadence_ns


def due(at_ns: Ints, cadence_ns: int, every_ns: int) -> Ints:
    """Which of the arrivals are the first in a new interval of the clock: a slower feed, without any state."""
    if every_ns <= cadence_ns:
        return np.arange(len(at_ns), dtype=np.int64)
    return np.flatnonzero(at_ns // every_ns != (at_ns - cadence_ns) // every_ns)


def best(ticks: Ints, lots: Ints) -> tuple[Ints, Ints]:
    """Prices and sizes of the best levels of both sides, (side, step) each; zero lots: the side is empty."""
    at = (lots > 0).argmax(axis=2)[:, :, None]
    return np.take_along_axis(ticks, at, 2)[:, :, 0], np.take_along_axis(lots, at, 2)[:, :, 0]


def changed(touch: Ints, before: list[int]) -> Ints:
    """The steps whose column of `touch` differs from the column before it; `before` is the last one already said."""
    said = np.array(before, np.int64)[:, None] if before else touch[:, :1] - 1
    return np.flatnonzero((touch != np.concatenate([said, touch[:, :-1]], axis=1)).any(axis=0))
