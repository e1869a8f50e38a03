"""The book: twenty levels a side whose queues lean on pressure and stay with their price when the book shifts.

A queue's size is a sum of logs in whole 1/256ths of an e-fold, looked up in one table of lots: no float ever decides a
size. Its noise is a stateless hash of (side, price, epoch), so nothing is carried and any block can be made alone.
"""

from fractions import Fraction

import numpy as np
from numpy.typing import NDArray

from venues.aleatoric.activity import NS_PER_S, STEPS
from venues.aleatoric.model import BLOCK_STEPS, BookShape, SymbolModel
from venues.aleatoric.transforms import exp, log_of, normals
from venues.aleatoric.words import Floats, Ints, Lane, Stream, splitmix64

UNITS = 256  # of log size in an e-fold: a step of 0.4 %
LOG_SPAN = 11  # e-folds above and below the touch's median that a size may reach
LOTS_MAX = 1 << 50  # far inside what a float64 holds exactly
BYTES = 256
SLOW_S, QUICK_S = 25.0, 2.0  # how long a queue keeps its two slower parts of noise
FRONT = 5  # levels that flicker: the facade of seed 004
GAP_UNITS = 16  # level gaps are counted in sixteenths of a tick

Sizes = NDArray[np.int32]
Keys = NDArray[np.uint32]

BYTE_NORMALS: Floats = normals((np.arange(BYTES) + 0.5) / BYTES)
"""A standard normal for each byte."""


def lots_table(model: SymbolModel) -> Ints:
    """Lots for each log size, from -LOG_SPAN to +LOG_SPAN e-folds about the median of the touch."""
    median = Fraction(model.touch_usd) / Fraction(model.price_initial) / Fraction(model.lot)
    logs = np.arange(-LOG_SPAN * UNITS, LOG_SPAN * UNITS + 1) / UNITS
    sizes = np.rint(exp(logs) * float(median))
    return np.minimum(np.maximum(sizes, 1), LOTS_MAX).astype(np.int64)


def renewal_bits(seconds: float, cadence_ns: int) -> int:
    """The power of two of steps that comes nearest to a length of time, so that an epoch is a shift."""
    return max(0, round(log_of(seconds * NS_PER_S / cadence_ns) / log_of(2.0)))


_PHASE, _PRICE, _EPOCH = np.uint32(0x9E3779B1), np.uint32(0x85EBCA6B), np.uint32(0xC2B2AE35)
# Wellons' lowbias32: two rounds are enough for noise and 32 bits are half of 64.
_ROUNDS = ((np.uint32(16), np.uint32(0x7FEB352D)), (np.uint32(15), np.uint32(0x846CA68B)))
_PHASE_SHIFT, _BYTE_SHIFT = np.uint32(20), np.uint32(24)


def queue_bytes(prices: Keys, steps: Keys, bits: int, salt: int) -> NDArray[np.intp]:
    """A random byte for each price that stays for 2^bits steps and is renewed at another step than its neighbours'."""
    mixed = prices * _PHASE
    mixed >>= _PHASE_SHIFT
    mixed &= np.uint32((1 << bits) - 1)
    mixed += steps
    mixed >>= np.uint32(bits)
    mixed *= _EPOCH
    mixed += np.uint32(salt)
    mixed ^= prices * _PRICE
    for shift, factor in _ROUNDS:
        mixed ^= mixed >> shift
        mixed *= factor
    mixed >>= _BYTE_SHIFT
    return mixed.astype(np.intp)


class Ladder:
    """Makes the levels of one symbol."""

    __slots__ = (
        "_bits",
        "_flicker",
        "_gap",
        "_leans",
        "_levels",
        "_noises",
        "_profile",
        "_salts",
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
        self._profile = in_units(np.array(shape.profile[:levels])) + LOG_SPAN * UNITS
        self._leans = np.array([shape.lean_gap, shape.lean_fast, shape.lean_slow])[:, :levels] * UNITS
        scale = np.array(shape.noise[:levels])[:, None]
        stds = (shape.noise_slow, shape.noise_quick)
        # One table a level: (level, byte) -> units of log size.
        self._noises = tuple(in_units(scale * std * BYTE_NORMALS).ravel() for std in stds)
        front = np.where(np.arange(levels) < FRONT, shape.flicker, 0.0)[:, None]
        steps = np.sqrt(front * front + (scale * shape.noise_step) ** 2)
        self._flicker = in_units(steps * BYTE_NORMALS).ravel()
        words = splitmix64(stream.words(0, Lane.SPREADS, 4))
        self._salts = [int(word) & 0xFFFFFFFF for word in words]
        self._gap = max(GAP_UNITS, round(shape.level_gap_ticks * GAP_UNITS))

    def prices(self, bid: Ints, ask: Ints) -> Ints:
        """Prices of all levels, (side, step, level) in ticks: the touch, then one price in each bucket beyond it."""
        ranks = np.arange(self._levels)
        result = np.empty((2, BLOCK_STEPS, self._levels), np.int64)
        if self._gap == GAP_UNITS:
            result[0] = bid[:, None] - ranks
            result[1] = ask[:, None] + ranks
            return result
        below, above = bid * GAP_UNITS // self._gap, -(-(ask + 1) * GAP_UNITS // self._gap)
        result[0] = self._in_bucket(below[:, None] - ranks)
        result[1] = self._in_bucket(above[:, None] + ranks - 1)
        result[0, :, 0], result[1, :, 0] = bid, ask
        return result

    def _in_bucket(self, buckets: Ints) -> Ints:
        """The one price of a bucket where a queue stands; buckets are level_gap_ticks wide on average."""
        low = -(-buckets * self._gap // GAP_UNITS)
        width = -(-(buckets + 1) * self._gap // GAP_UNITS) - low
        noise = queue_bytes(buckets.astype(np.uint32), np.zeros(1, np.uint32), 0, self._salts[3]).astype(np.int64)
        return low + (noise * width >> 8)

    def lots(self, block: int, prices: Ints, leaning: Floats, thinning: Floats) -> Ints:
        """Sizes of all levels in lots. `leaning` has a row each for the due move, fast and slow pressure."""
        steps = (block * BLOCK_STEPS + STEPS).astype(np.uint32)[None, :, None]
        lean = (leaning[0][:, None] * self._leans[0]).astype(np.int64)
        for row, by_level in zip(leaning[1:], self._leans[1:], strict=True):
            lean += (row[:, None] * by_level).astype(np.int64)
        keys = prices.astype(np.uint32)
        keys[1] ^= np.uint32(self._salts[2])  # the two sides of a price have nothing in common
        offsets = (np.arange(self._levels) * BYTES).astype(np.intp)
        flicker = self.stream.bytes(block, Lane.FLICKER, keys.size).reshape(keys.shape)
        logs = self._flicker.take(flicker + offsets)
        for bits, salt, table in zip(self._bits, self._salts, self._noises, strict=False):
            logs += table.take(queue_bytes(keys, steps, bits, salt) + offsets)
        logs += self._profile
        if self.shape.thinning:
            logs -= in_units(thinning * self.shape.thinning)[:, None]
        logs[0] += lean
        logs[1] -= lean
        result: Ints = self._table.take(logs, mode="clip")
        return result


def in_units(logs: Floats) -> Ints:
    """Log sizes in whole units."""
    return np.rint(logs * UNITS).astype(np.int64)


def wander(shape: BookShape, draws: Floats) -> Ints:
    """Whole ticks by which one side of a wide spread stands back, a share of the spread at most."""
    return np.rint(draws * (shape.spread_ticks * shape.spread_jitter)).astype(np.int64)
