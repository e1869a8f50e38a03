"""The composite pair: spot and perpetual events in time order, in the API page's own form (mode=composite_pair).

Encoded with msgspec, an event is the page's frame, key for key: {"type": "spot", "payload": {...}}. At each step both
instruments speak once. Each is 0 to 2 ms late by a draw of its own, so either may be first; events are ordered by that
time in nanoseconds and `ts` is it in whole milliseconds, so that two may print the same. Where the page says nothing:
- `last_funding_rate` is the rate of the interval that `next_funding_time` ends: it is what is paid then;
- `mark` has as many decimals as the middle of a book can need;
- `src_latency_ms` has one decimal, as in the page's example, and is drawn evenly over what its mode allows. It is how
  far the source is; `ts` is the source's own time and does not move with it;
- a scenario may silence an instrument, which then has no events, or empty a side, which then is [] with null in front.
"""

from collections.abc import Iterator
from itertools import islice
from typing import Any, Literal

import msgspec
import numpy as np
from msgspec import Struct

from supervisor.clock import NS_PER_MS
from venues.aleatoric.manifest import LATENCY_NS, SimulationManifest
from venues.aleatoric.model import BLOCK_STEPS, SymbolModel
from venues.aleatoric.packed import ROWS_AT_ONCE, rows_kept
from venues.aleatoric.symbol import Block
from venues.aleatoric.triangle import Pair, Triangle, TriangleBlock, TriangleState, first_triangle
from venues.aleatoric.words import Floats, Ints, Lane, Marks, Stream

DEPTH = 5  # levels a side
JITTER_NS_MAX = 2 * NS_PER_MS  # of each instrument at each step; and never into the next step
TENTHS_PER_MS = 10  # latencies are printed to a tenth of a millisecond
SPOT_STREAM, PERP_STREAM = "pair:spot:{symbol}", "pair:perp:{symbol}"

Depth = tuple[tuple[float, float], ...]
"""[[price, size], ...] from the best level on."""

SourceType = Literal["trade", "depth"]


class SpotTick(Struct, frozen=True, forbid_unknown_fields=True):
    """The spot market at one step; the page's TickSpotBook."""

    ts: int  # ms since 1970
    symbol: str
    best_bid: float | None
    best_ask: float | None
    bid_qty: float | None
    ask_qty: float | None
    src_latency_ms: float
    source_type: SourceType
    depth_bids: Depth
    depth_asks: Depth


class PerpTick(Struct, frozen=True, forbid_unknown_fields=True):
    """The perpetual at one step; the page's TickPerpMark."""

    ts: int  # ms since 1970
    symbol: str
    mark: float
    index: float
    last_funding_rate: float  # of one interval, as a share: 0.00035 is 3.5 bps
    next_funding_time: int  # ms since 1970
    src_latency_ms: float
    best_bid: float | None
    best_ask: float | None
    bid_qty: float | None
    ask_qty: float | None
    source_type: SourceType
    depth_bids: Depth
    depth_asks: Depth


class SpotEvent(Struct, frozen=True, tag_field="type", tag="spot"):
    """A frame of the spot market."""

    payload: SpotTick


class PerpEvent(Struct, frozen=True, tag_field="type", tag="perp"):
    """A frame of the perpetual."""

    payload: PerpTick


PairEvent = SpotEvent | PerpEvent


class PairState(Struct, kw_only=True):
    """Where a pair's events are: saved with msgspec, it lets another process go on with the very next one."""

    triangle: TriangleState  # before the block that is being told
    told: int = 0  # events of that block that were given already


class Draws(Struct):
    """What one instrument draws at each step of a block for itself. Arrays are (step,)."""

    at_ns: Ints
    latency_ms: Floats
    from_trade: Marks


class Source:
    """Where one instrument's events come from: its stamps, its latency and what makes it speak."""

    def __init__(self, manifest: SimulationManifest, model: SymbolModel, stream: str, trade_share: float) -> None:
        self._stream = Stream(manifest.seed, stream.format(symbol=model.symbol))
        self._jitter_ns = min(JITTER_NS_MAX, model.cadence_ns)
        low_ns, high_ns = LATENCY_NS[manifest.src_latency_mode]
        tenths = TENTHS_PER_MS / NS_PER_MS
        self._low, self._high = round(low_ns * tenths), round(high_ns * tenths)
        self._trade_share = trade_share

    def draws(self, block: int, arrivals_ns: Ints) -> Draws:
        """The draws of a block."""
        jitter, way, kind = (
            self._stream.chances(block, lane, BLOCK_STEPS) for lane in (Lane.STAMPS, Lane.LATENCY, Lane.ORDERS)
        )
        tenths = self._low + (way * (self._high - self._low + 1)).astype(np.int64)
        return Draws(
            at_ns=arrivals_ns + (jitter * self._jitter_ns).astype(np.int64),
            latency_ms=tenths / TENTHS_PER_MS,
            from_trade=kind < self._trade_share,
        )


class CompositePair(Iterator[PairEvent]):
    """The events of a pair, without end and with flat memory: iterate, or pull some at a time.

    `CompositePair(pair_of(get_preset("binance_spot_btc")))` is both markets of one manifest.
    """

    def __init__(self, pair: Pair, state: PairState | None = None) -> None:
        given = state if state is not None else PairState(triangle=first_triangle(pair))
        self._before = msgspec.json.encode(given.triangle)
        self._triangle = Triangle(pair, msgspec.json.decode(self._before, type=TriangleState))
        spot, perp = self._triangle.spot, self._triangle.perp
        self._spot = Source(pair.spot, spot, SPOT_STREAM, pair.spot.spot_trade_share)
        self._perp = Source(pair.perp, perp, PERP_STREAM, 1.0)
        self._events: Iterator[PairEvent] = iter(())
        self._told = self._size = 0
        if given.told:
            self._turn()
            self._told = len(list(islice(self._events, given.told)))

    @property
    def state(self) -> PairState:
        """What the next event needs."""
        return PairState(triangle=msgspec.json.decode(self._before, type=TriangleState), told=self._told)

    def pull(self, count: int) -> list[PairEvent]:
        """The next so many events."""
        return list(islice(self, count))

    def __next__(self) -> PairEvent:
        while self._told == self._size:
            self._turn()
        self._told += 1
        return next(self._events)

    def _turn(self) -> None:
        """Make the next block of both, and put its events in order."""
        self._before = msgspec.json.encode(self._triangle.state)
        block = self._triangle.next_block()
        spot = self._spot.draws(block.spot.index, block.arrivals_ns)
        perp = self._perp.draws(block.perp.index, block.arrivals_ns)
        told = self._spots(block, spot), self._perps(block, perp)
        times_ns = np.concatenate([at_ns for at_ns, _ in told])
        # An instrument's own times go up, so the order of all says only whose turn it is.
        second = np.argsort(times_ns, kind="stable") >= len(told[0][0])
        self._events = (next(told[turn][1]) for turn in second.tolist())
        self._told, self._size = 0, len(times_ns)

    def _spots(self, block: TriangleBlock, draws: Draws) -> tuple[Ints, Iterator[PairEvent]]:
        """The spot's events of a block, and their times; of the block, only what they need is held."""
        steps = shown_steps(block.spot)
        symbol, books = self._triangle.spot.symbol, depths(block.spot, self._triangle.spot, steps)
        ts_ms, latencies_ms = unpacked(stamps_ms(draws.at_ns[steps])), unpacked(draws.latency_ms[steps])
        kinds = unpacked(draws.from_trade[steps])

        def events() -> Iterator[PairEvent]:
            for ts, latency_ms, from_trade, (bid, ask) in zip(ts_ms, latencies_ms, kinds, books, strict=True):
                best_bid, bid_size = bid[0] if bid else NOTHING
                best_ask, ask_size = ask[0] if ask else NOTHING
                source: SourceType = "trade" if from_trade else "depth"
                sizes = bid_size, ask_size
                yield SpotEvent(SpotTick(ts, symbol, best_bid, best_ask, *sizes, latency_ms, source, bid, ask))

        return draws.at_ns[steps], events()

    def _perps(self, block: TriangleBlock, draws: Draws) -> tuple[Ints, Iterator[PairEvent]]:
        """The perpetual's events of a block, and their times; of the block, only what they need is held."""
        steps = shown_steps(block.perp)
        symbol, books = self._triangle.perp.symbol, depths(block.perp, self._triangle.perp, steps)
        funding = [(float(one.rate), one.end_ns // NS_PER_MS) for one in block.periods]
        ts_ms, latencies_ms = unpacked(stamps_ms(draws.at_ns[steps])), unpacked(draws.latency_ms[steps])
        prices = zip(unpacked(block.mark[steps]), unpacked(block.index[steps]), strict=True)
        paid = unpacked(block.period[steps])

        def events() -> Iterator[PairEvent]:
            for ts, (mark, index), period, latency_ms, (bid, ask) in zip(
                ts_ms, prices, paid, latencies_ms, books, strict=True
            ):
                best_bid, bid_size = bid[0] if bid else NOTHING
                best_ask, ask_size = ask[0] if ask else NOTHING
                rate, next_ms = funding[period]
                head = ts, symbol, mark, index, rate, next_ms, latency_ms
                yield PerpEvent(PerpTick(*head, best_bid, best_ask, bid_size, ask_size, "trade", bid, ask))

        return draws.at_ns[steps], events()


NOTHING = (None, None)


def shown_steps(block: Block) -> Ints:
    """The steps at which a block is heard of."""
    return np.arange(BLOCK_STEPS) if block.silent is None else np.flatnonzero(~block.silent)


def stamps_ms(at_ns: Ints) -> Ints:
    """Times in the nearest whole milliseconds, which keeps their order."""
    return (at_ns + NS_PER_MS // 2) // NS_PER_MS


def unpacked(numbers: Floats | Ints | Marks) -> Iterator[Any]:
    """An array's numbers as Python's own, some at a time."""
    for first in range(0, len(numbers), ROWS_AT_ONCE):
        yield from numbers[first : first + ROWS_AT_ONCE].tolist()


def depths(block: Block, model: SymbolModel, steps: Ints) -> Iterator[tuple[Depth, Depth]]:
    """The first levels of bids and asks at some steps, as a venue prints them: exact decimals as floats."""
    ticks, lots = rows_kept(block.ticks[:, steps, :DEPTH]), rows_kept(block.lots[:, steps, :DEPTH])
    empty = None if block.empty is None else block.empty[:, steps]
    return _depths(model, ticks, lots, empty)


def _depths(
    model: SymbolModel, ticks: Iterator[Ints], lots: Iterator[Ints], empty: Marks | None
) -> Iterator[tuple[Depth, Depth]]:
    price, size = model.price_fraction, model.size_fraction
    start = 0
    for ticks_part, lots_part in zip(ticks, lots, strict=True):
        prices, sizes = ticks_part * price[0] / price[1], lots_part * size[0] / size[1]
        rows, levels = ticks_part.shape[1:]
        sides: list[list[Depth]] = []
        for side in (0, 1):
            # Pairs of all steps, then a slice for each: half the time of nested lists.
            pairs = tuple(zip(prices[side].ravel().tolist(), sizes[side].ravel().tolist(), strict=True))
            sides.append([pairs[at : at + levels] for at in range(0, len(pairs), levels)])
            if empty is not None:
                gone = empty[side, start : start + rows].tolist()
                sides[side] = [() if missing else depth for missing, depth in zip(gone, sides[side], strict=True)]
        yield from zip(*sides, strict=True)
        start += rows
