"""The book: twenty levels a side whose queues lean on pressure and stay with their price when the book shifts.

A queue's size is a sum of logs in whole 1/256ths of an e-fold, looked up in one table of lots: no float ever decides a
size. Its noise is a stateless hash of (side, price, epoch), so nothing is carried and any block can be made alone.
"""

from collections.abc import Sequence
from fractions import Fraction

import numpy as np
from numpy.typing import NDArray

from venues.aleatoric.activity import NS_PER_S, STEPS
from venues.aleatoric.model import BLOCK_STEPS, LOTS_MAX, BookShape, SymbolModel
from venues.aleatoric.transforms import exp, exp_of, log, log_of, quick_exponentials
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
    sizes = np.rint(exp(logs) * float(median))
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
        stds = (scale * shape.noise_slow, scale * shape.noise_quick, scale * shape.noise_step + front)
        self._noises = tuple(in_units(std * ((1 << NOISE_BITS) / BYTE_STD)).astype(np.int32)[:, None] for std in stds)
        middle = sum(noise * BYTE_MEAN for noise in self._noises) - (1 << NOISE_BITS >> 1)
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
        below, above = (bid << GAP_BITS) // self._gap, -(-((ask + 1) << GAP_BITS) // self._gap)
        result[0] = self._in_bucket(below - ranks)
        result[1] = self._in_bucket(above + ranks - 1)
        result[0, 0], result[1, 0] = bid, ask
        return result

    def _in_bucket(self, buckets: Ints) -> Ints:
        """The one price of a bucket where a queue stands; buckets are level_gap_ticks wide on average."""
        low = ticks_up(buckets * self._gap)
        width = ticks_up(buckets * self._gap + self._gap) - low
        keys = buckets.astype(np.uint32)
        keys *= _PRICE
        keys ^= np.uint32(self._salts[2])
        return low + (top_bytes(keys) * width >> 8)

    def lots(self, block: int, prices: Ints, leaning: Floats, shown: Ints) -> Ints:
        """Sizes of all levels in lots.

        `leaning` has a row for each row of the shape's leans, `shown` is the step whose flicker each step shows.
        """
        steps = (block * BLOCK_STEPS + STEPS).astype(np.uint32)
        keys = price_keys(prices, self._salts)
        flicker = self.stream.bytes(block, Lane.FLICKER, keys.size).reshape(keys.shape)
        still = np.flatnonzero(shown != STEPS)
        flicker[:, :, still] = flicker[:, :, shown[still]]
        slow, quick, step = self._noises
        logs = flicker * step
        for bits, noise in zip(self._bits, (slow, quick), strict=True):
            logs += queue_bytes(keys, steps, bits).view(np.int32) * noise
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


def standing_back(shape: BookShape, stream: Stream, block: int, moved: Marks, start: tuple[int, int]) -> Ints:
    """Whole ticks by which (bid, ask) stand back: together an exponential spread, often none, kept for a while."""
    result = np.zeros((2, BLOCK_STEPS), np.int64)
    if not shape.spread_extra_ticks:
        return result
    draws = stream.chances(block, Lane.SPREADS, 2 * BLOCK_STEPS).reshape(2, -1)
    waits = stream.shorts(block, Lane.WIDTHS, BLOCK_STEPS)
    fresh = moved | (draws[0] >= shape.spread_keep)
    news = np.flatnonzero(fresh)
    scale = shape.spread_extra_ticks / exp_of(-shape.spread_tight)
    spread = np.rint(np.maximum(quick_exponentials(waits[news]) - shape.spread_tight, 0.0) * scale)
    result[0, news] = np.rint(spread * (0.5 + (draws[1][news] - 0.5) * shape.spread_skew))
    result[1, news] = spread - result[0, news]
    at = np.maximum.accumulate(np.where(fresh, STEPS, -1))
    return np.where(at >= 0, result[:, np.maximum(at, 0)], np.array(start)[:, None])
