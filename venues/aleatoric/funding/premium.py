"""The premium of a perpetual over its spot: a path of which any 5 s sample can be asked for alone, in any order.

An Ornstein-Uhlenbeck process at each full hour, written as a weighted sum of its last shocks; within the hour a
Brownian bridge between the two hours, as wide at half past as that process is (variance std^2 tanh(1 h / 2 tau)), so
samples differ and nothing steps at the hour. Samples are whole numbers of GRID, and so are the walks between them:
averages over any interval are exact.
"""

from collections.abc import Callable
from decimal import Decimal
from functools import lru_cache
from math import ceil, sqrt

import numpy as np

from supervisor.clock import NS_PER_S
from venues.aleatoric.funding.rules import GRID
from venues.aleatoric.model import PREMIUM_STD_BPS, PREMIUM_TAU_H
from venues.aleatoric.transforms import exp, exp_of, quick_normals
from venues.aleatoric.words import Ints, Lane, Stream

STD_BPS_MAX = 1_000.0
TAU_H_MAX = 1_000.0  # six weeks: an hour is then made of 8,000 shocks and takes a millisecond
MAX = 5_000_000_000  # in units of GRID: 50 %, the largest premium of Hyperliquid's first three years
SAMPLE_S = 5  # Hyperliquid's and Binance's grid
NS_PER_SAMPLE = SAMPLE_S * NS_PER_S
SAMPLES_PER_H = 3_600 // SAMPLE_S
SHOCK_BLOCK = 96  # hourly shocks that share a block of words
FADED_TAUS = 8  # a shock has faded to e^-8
HOURS_KEPT = 9  # what eight hours up to now touch: 52 kB a path
_UNITS_PER_BPS = 1e6
_RANKS = np.arange(1, SAMPLES_PER_H + 1)

Samples = Callable[[int, int, int], Ints]
"""Samples after a start up to an end (ns), one every so many seconds, in units of GRID."""


class PremiumPath:
    """The premium of one symbol, a pure function of (seed, symbol, std, tau) and the time."""

    def __init__(self, seed: int, symbol: str, std_bps: float = PREMIUM_STD_BPS, tau_h: float = PREMIUM_TAU_H) -> None:
        if not 0.0 <= std_bps <= STD_BPS_MAX:
            raise ValueError(f"premium_std_bps is {std_bps}, which is not from 0 to {STD_BPS_MAX:g}")
        if not 0.0 < tau_h <= TAU_H_MAX:
            raise ValueError(f"premium_tau_h is {tau_h}, which is not above 0 and up to {TAU_H_MAX:g}")
        self.tau_h = tau_h
        self._hourly = Stream(seed, f"funding:{symbol}")
        self._within = Stream(seed, f"funding-within:{symbol}")
        self._keep = exp_of(-1.0 / tau_h)
        self._shocks = ceil(FADED_TAUS * tau_h)
        self._scale = sqrt(1.0 - self._keep * self._keep) * std_bps * _UNITS_PER_BPS
        # tanh(1/2tau) = (1 - keep) / (1 + keep), and a bridge of n steps has n/4 of a step's variance in the middle.
        middle = (1.0 - self._keep) / (1.0 + self._keep)
        self._step = sqrt(4.0 * middle / SAMPLES_PER_H) * std_bps * _UNITS_PER_BPS
        self._hours: dict[int, Ints] = {}

    def at(self, at_ns: int) -> Decimal:
        """The last sample at or before a time."""
        last = at_ns // NS_PER_SAMPLE * NS_PER_SAMPLE
        return int(self.samples(last - NS_PER_SAMPLE, last, SAMPLE_S)[0]) * GRID

    def samples(self, start_ns: int, end_ns: int, every_s: int) -> Ints:
        """Samples after a start up to an end, those whose time is a multiple of `every_s`, in units of GRID."""
        first, last = start_ns // NS_PER_SAMPLE, end_ns // NS_PER_SAMPLE
        if every_s < SAMPLE_S or every_s % SAMPLE_S:
            raise ValueError(f"every_s is {every_s}, which is not a multiple of {SAMPLE_S}, the grid of samples")
        if last <= first:
            return np.zeros(0, np.int64)
        hours = range(first // SAMPLES_PER_H, (last - 1) // SAMPLES_PER_H + 1)
        every, before = every_s // SAMPLE_S, hours[0] * SAMPLES_PER_H
        path = np.concatenate([self._hour(hour) for hour in hours]) if len(hours) > 1 else self._hour(hours[0])
        return path[first - before + -(first + 1) % every : last - before : every]

    def _hour(self, hour: int) -> Ints:
        """The samples of an hour since 1970, the last of them on the next full hour."""
        kept = self._hours.get(hour)
        if kept is not None:
            return kept
        shocks = quick_normals(self._within.shorts(hour, Lane.PREMIUM, SAMPLES_PER_H))
        walk = np.cumsum(np.rint(shocks * self._step).astype(np.int64))  # of whole numbers: exact in any order
        start, end = self._knot(hour), self._knot(hour + 1)
        path = start + walk + _RANKS * (end - start - int(walk[-1])) // SAMPLES_PER_H
        result: Ints = np.minimum(np.maximum(path, -MAX), MAX)
        if len(self._hours) >= HOURS_KEPT:
            del self._hours[next(iter(self._hours))]
        self._hours[hour] = result
        return result

    def _knot(self, hour: int) -> int:
        """The process at the start of an hour."""
        first, last = (hour + 1 - self._shocks) // SHOCK_BLOCK, hour // SHOCK_BLOCK
        shorts = [self._hourly.shorts(block, Lane.PREMIUM, SHOCK_BLOCK) for block in range(first, last + 1)]
        end = hour + 1 - first * SHOCK_BLOCK
        total = 0.0
        for shock in quick_normals(np.concatenate(shorts))[end - self._shocks : end].tolist():
            total = self._keep * total + shock
        return round(total * self._scale)


@lru_cache(maxsize=512)
def path_of(seed: int, symbol: str, std_bps: float = PREMIUM_STD_BPS, tau_h: float = PREMIUM_TAU_H) -> PremiumPath:
    """The path of a symbol; the same one again, so that an hour that was made is kept."""
    return PremiumPath(seed, symbol, std_bps, tau_h)


class ContinuedPath:
    """A premium that is given at one time and goes on from there: the gap to a path fades as the process forgets.

    X(t) = path(t) + (given - path(start)) e^-(t - start)/tau, which is the same process started at the given value.
    """

    def __init__(self, path: PremiumPath, start_ns: int, premium: Decimal) -> None:
        self._path, self._first = path, start_ns // NS_PER_SAMPLE
        self._gap = float((premium - path.at(start_ns)) / GRID)
        self._fade = -SAMPLE_S / (3_600.0 * path.tau_h)

    def samples(self, start_ns: int, end_ns: int, every_s: int) -> Ints:
        """As the path's samples, from the given time on."""
        path = self._path.samples(start_ns, end_ns, every_s)
        every = every_s // SAMPLE_S
        first = (start_ns // NS_PER_SAMPLE // every + 1) * every - self._first
        ages = first + every * np.arange(len(path), dtype=np.float64)
        gaps = np.rint(exp(ages * self._fade) * self._gap).astype(np.int64)
        result: Ints = np.minimum(np.maximum(path + gaps, -MAX), MAX)
        return result
