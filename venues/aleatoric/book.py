"""The book: twenty levels a side whose queues lean on pressure and stay with their price when the book shifts.

A queue's size is a sum of logs in whole 1/256ths of an e-fold, looked up in one table of lots: no float ever decides a
size. Its noise is a stateless hash of (side, price, epoch), so nothing is carried and any block can be made alone.
"""

from collections.abc import Sequence
from fractions import Fraction

import numpy as np
from numpy.typing import NDArray

from supervisor.clock import NS_PER_S
from venues.aleatoric.activity import STEPS
from venues.aleatoric.model import BLOCK_STEPS, LOTS_MAX, BookShape, State, SymbolModel
from venues.aleatoric.transforms import exp, log, log_of, quick_exponentials
from venues.aleatoric.words import Floats, Ints, Lane, Marks, Stream, splitmix64

UNITS = 256  # of log size in an e-fold: a step of 0.4 %
LOG_SPAN = 11  # e-folds above and below the touch's median that a size may reach
LEAN_MAX = LOG_SPAN * UNITS
SLOW_S, QUICK_S = 25.0, 2.0  # how long a queue keeps its two slower parts of noise
FRONT = 5  # levels that flicker: the facade of seed 004
GAP_BITS = 4  # level gaps are counted in sixteenths of a tick
GAP_UNITS = 1 << GAP_BITS

Keys = NDArray[np.uint32]

BYTE_MEAN, BYTE_STD = 127.5, 73.9  # of a uniform byte
NOISE_BITS = 8  # noise is counted in 1/256ths of a unit of log size until it is summed


def softplus_table() -> Ints:
    """log(share) of a queue for each lean: what one side gains the other loses, so they share a nearly constant sum."""
    lean = np.arange(-LEAN_MAX, LEAN_MAX + 1) / UNITS
    return -in_units(log(1.0 + exp(-lean)))


def in_units(logs: Floats) -> Ints:
    """Log sizes in whole units."""
    return np.rint(logs * UNITS).astype(np.int64)


def lots_table(model: SymbolModel) -> Ints:
    """Lots for each log size, from -LOG_SPAN to +LOG_SPAN e-folds about the median of the touch."""
    median = Fraction(model.touch_usd) / Fraction(model.price_initial) / Fraction(model.lot)
    logs = np.arange(-LOG_SPAN * UNITS, LOG_SPAN * UNITS + 1) / UNITS
    ratios = exp(logs)
    # The logistic bend of real queues' sizes: a long tail of small ones, none far above the others.
    sizes = np.rint(ratios * ((1.0 + model.book.queue_max) / (ratios + model.book.queue_max)) * float(median))
    return np.minimum(np.maximum(sizes, 1), LOTS_MAX).astype(np.int64)


def renewal_bits(seconds: float, cadence_ns: int) -> int:
    """The power of two of steps that comes nearest to a length of time, so that an epoch is a shift."""
    return max(0, round(log_of(seconds * NS_PER_S / cadence_ns) / log_of(2.0)))


_PRICE, _EPOCH, _MIX = np.uint32(0x9E3779B1), np.uint32(0xC2B2AE35), np.uint32(0x7FEB352D)
_PHASE_SHIFT, _MIX_SHIFT, _BYTE_SHIFT = np.uint32(20), np.uint32(16), np.uint32(24)


def top_bytes(mixed: Keys) -> Keys:
    """Hash keys to bytes, in place: one round of Wellons' lowbias32, which is enough for the top byte of noise."""
    mixed ^= mixed >> _MIX_SHIFT
    mixed *= _MIX
    mixed >>= _BYTE_SHIFT
    return mixed


def queue_bytes(keys: Keys, steps: Keys, bits: int) -> Keys:
    """A random byte for each key that stays for 2^bits steps and is renewed at another step than its neighbours'."""
    mixed = keys >> _PHASE_SHIFT
    mixed &= np.uint32((1 << bits) - 1)
    mixed += steps
    mixed >>= np.uint32(bits)
    mixed *= _EPOCH + np.uint32(bits << 1)  # odd, and another one for another length of time
    mixed ^= keys
    return top_bytes(mixed)


def ticks_up(sixteenths: Ints) -> Ints:
    """Sixteenths of a tick, rounded up to whole ticks."""
    return (sixteenths + (GAP_UNITS - 1)) >> GAP_BITS


def price_keys(prices: Ints, salts: Sequence[int]) -> Keys:
    """Prices of both sides as keys for queue noise; the two sides of a price have nothing in common."""
    keys = prices.astype(np.uint32)
    keys ^= np.array(salts[:2], np.uint32)[:, None, None]
    keys *= _PRICE
    return keys


class Ladder:
    """Makes the levels of one symbol. Arrays are (side, level, step): the long axis last is twice as fast."""

    __slots__ = (
        "_bits",
        "_gap",
        "_leans",
        "_levels",
        "_noises",
        "_profile",
        "_salts",
        "_share",
        "_table",
        "shape",
        "stream",
    )

    def __init__(self, model: SymbolModel, stream: Stream) -> None:
        self.shape, self.stream = model.book, stream
        shape = model.book
        self._table = lots_table(model)
        self._levels = levels = model.levels
        self._bits = tuple(renewal_bits(seconds, model.cadence_ns) for seconds in (SLOW_S, QUICK_S))
        self._leans = in_units(np.array(shape.leans)[:, :levels, None]).astype(np.int32)
        scale = np.array(shape.noise[:levels])
        front = np.where(np.arange(levels) < FRONT, shape.flicker, 0.0)
        stds = (scale * shape.noise_slow, scale * shape.noise_quick, front)
        noises = [in_units(std * ((1 << NOISE_BITS) / BYTE_STD)).astype(np.int32)[:, None] for std in stds]
        self._noises = (*noises[:2], noises[2][:FRONT])
        middle = sum(noise * BYTE_MEAN for noise in noises) - (1 << NOISE_BITS >> 1)
        # A queue that leans nowhere has half of what both sides share.
        profile = in_units(np.array(shape.profile[:levels])[:, None] + log_of(2.0)) + LOG_SPAN * UNITS
        self._profile = ((profile << NOISE_BITS) - np.rint(middle).astype(np.int64)).astype(np.int32)
        self._share = softplus_table().astype(np.int32)
        self._salts = [int(word) & 0xFFFFFFFF for word in splitmix64(stream.words(0, Lane.SALTS, 3))]
        self._gap = max(GAP_UNITS, round(shape.level_gap_ticks * GAP_UNITS))

    def prices(self, bid: Ints, ask: Ints) -> Ints:
        """Prices of all levels in ticks: the touch, then one price in each bucket beyond it."""
        ranks = np.arange(self._levels)[:, None]
        result = np.empty((2, self._levels, BLOCK_STEPS), np.int64)
        if self._gap == GAP_UNITS:
            result[0] = bid - ranks
            result[1] = ask + ranks
            return result
        ends = np.arange(self._levels + 1)[:, None]
        below, above = (bid << GAP_BITS) // self._gap, -(-((ask + 1) << GAP_BITS) // self._gap)
        lows = ticks_up((below + 1 - ends) * self._gap)
        result[0] = self._in_bucket(below - ranks, lows[1:], lows[:-1])
        lows = ticks_up((above - 1 + ends) * self._gap)
        result[1] = self._in_bucket(above - 1 + ranks, lows[:-1], lows[1:])
        result[0, 0], result[1, 0] = bid, ask
        return result

    def _in_bucket(self, buckets: Ints, low: Ints, end: Ints) -> Ints:
        """The one price of a bucket where a queue stands; buckets are level_gap_ticks wide on average."""
        keys = buckets.astype(np.uint32)
        keys *= _PRICE
        keys ^= np.uint32(self._salts[2])
        return low + (top_bytes(keys) * (end - low) >> 8)

    def lots(self, block: int, prices: Ints, leaning: Floats, shown: Ints) -> Ints:
        """Sizes of all levels in lots.

        `leaning` has a row for each row of the shape's leans, `shown` is the step whose flicker each step shows.
        """
        steps = (block * BLOCK_STEPS + STEPS).astype(np.uint32)
        keys = price_keys(prices, self._salts)
        front = keys[:, :FRONT].shape
        flicker = self.stream.bytes(block, Lane.FLICKER, front[0] * front[1] * front[2]).reshape(front)
        still = np.flatnonzero(shown != STEPS)
        flicker[:, :, still] = flicker[:, :, shown[still]]
        slow, quick, step = self._noises
        logs = queue_bytes(keys, steps, self._bits[0]).view(np.int32) * slow
        logs += queue_bytes(keys, steps, self._bits[1]).view(np.int32) * quick
        logs[:, :FRONT] += flicker * step
        logs += self._profile
        logs >>= NOISE_BITS
        rows = np.rint(leaning * (1 << NOISE_BITS)).astype(np.int32)
        lean = rows[0] * self._leans[0]
        for row, by_level in zip(rows[1:], self._leans[1:], strict=True):
            lean += row * by_level
        lean >>= NOISE_BITS
        logs[0] += self._share.take(LEAN_MAX + lean, mode="clip")
        logs[1] += self._share.take(LEAN_MAX - lean, mode="clip")
        return self._table.take(logs, mode="clip")


def standing_back(shape: BookShape, stream: Stream, state: State) -> tuple[Ints, Ints]:
    """Whole ticks by which (bid, ask) stand back, each renewed now and then, and who quotes inside (+1 a buyer, -1).

    WLFI's spread is one tick for a quarter of the time and otherwise a hump about seven ticks wide: two sides that
    stand back evenly up to a limit and know nothing of each other, and now and then one more who outbids them all.
    """
    backs = np.zeros((2, BLOCK_STEPS), np.int64)
    if not shape.spread_extra_ticks:
        return backs, backs[0]
    renew = 1.0 - shape.spread_keep
    draws = stream.chances(state.block, Lane.SPREADS, 2 * BLOCK_STEPS).reshape(2, -1)
    waits = quick_exponentials(stream.shorts(state.block, Lane.WIDTHS, 2 * BLOCK_STEPS)).reshape(2, -1)
    # A number that is below the chance, divided by it, is a fresh one; twice a uniform number has mean 1.
    far = draws * (2.0 / renew * shape.spread_even) + waits * (1.0 - shape.spread_even)
    mean = 0.5 * shape.spread_extra_ticks / (1.0 - shape.inside_share)
    fresh = np.rint(far * mean).astype(np.int64)
    for side in range(2):
        backs[side] = kept(fresh[side], draws[side] < renew, state.back_ticks[side])
    draw = stream.chances(state.block, Lane.INSIDE, BLOCK_STEPS)
    change = 1.0 - shape.inside_keep
    buyer, anyone = 0.5 * change * shape.inside_share, change * shape.inside_share
    inside = kept(np.where(draw < buyer, 1, np.where(draw < anyone, -1, 0)), draw < change, state.inside)
    state.back_ticks, state.inside = (int(backs[0, -1]), int(backs[1, -1])), int(inside[-1])
    return backs, inside


def kept(fresh: Ints, renewed: Marks, start: int) -> Ints:
    """The latest value that was renewed, at each step."""
    at = np.maximum.accumulate(np.where(renewed, STEPS, -1))
    return np.where(at >= 0, fresh[np.maximum(at, 0)], start)
