"""The activity clock: the same hour is now dead, now frantic, and everything happens on that clock."""

from math import fsum, sqrt

import numpy as np

from supervisor.clock import NS_PER_S
from venues.aleatoric.model import BLOCK_STEPS, HOURS, ClockShape
from venues.aleatoric.transforms import exp, exp_of, exponentials, quick_normals
from venues.aleatoric.words import Floats, Lane, Stream

NS_PER_HOUR = 3_600 * NS_PER_S
STEPS = np.arange(BLOCK_STEPS, dtype=np.int64)
DAYS_MODULUS = 1 << 32
TABLES_MAX = 64  # days remembered
MOOD_KEEP, MOOD_HOURS = 0.75, 8  # of an hour's mood is the next one's too, for so many hours
MOOD_SCALE = sqrt((1.0 - MOOD_KEEP**2) / (1.0 - MOOD_KEEP ** (2 * MOOD_HOURS)))
MOOD_WEIGHTS = tuple(MOOD_SCALE * MOOD_KEEP**back for back in range(MOOD_HOURS))


class Days:
    """The profile of each day: what every day has by the hour, and the moods that its hours happen to have.

    Volatility remembers for hours (the autocorrelation of absolute 1-minute returns is .12 at an hour in 71 h of StandX
    trades). Moods of mean 1 over their own day give that memory and still keep each day's volatility what it should be.
    """

    __slots__ = ("_factor", "_shape", "_stream", "_tables")

    def __init__(self, shape: ClockShape, stream: Stream, factor: Stream) -> None:
        self._shape, self._stream, self._factor = shape, stream, factor
        self._tables: dict[int, Floats] = {}

    def profile(self, start_ns: int, cadence_ns: int) -> Floats:
        """The profile at each step of a block, of mean 1 over a day, straight between the middles of hours."""
        since = start_ns + STEPS * cadence_ns - NS_PER_HOUR // 2
        hour = since // NS_PER_HOUR
        share = (since % NS_PER_HOUR) / NS_PER_HOUR
        first, last = int(hour[0]) // HOURS, (int(hour[-1]) + 1) // HOURS
        hours = np.concatenate([self._hours(day) for day in range(first, last + 1)])
        hour -= first * HOURS
        left = hours[hour]
        result: Floats = left + share * (hours[hour + 1] - left)
        return result

    def _hours(self, day: int) -> Floats:
        """The hours of a day (since 1970), of mean 1."""
        table = self._tables.get(day)
        if table is None:
            if len(self._tables) >= TABLES_MAX:
                self._tables.clear()
            table = self._tables[day] = self._made(day)
        return table

    def _made(self, day: int) -> Floats:
        shape = self._shape
        word = day % DAYS_MODULUS  # a block's address is not negative
        own, market = (quick_normals(stream.shorts(word, Lane.MOODS, HOURS)) for stream in (self._stream, self._factor))
        fresh = own * sqrt(1.0 - shape.factor_share) + market * sqrt(shape.factor_share)
        moods = np.zeros(HOURS)
        for weight in MOOD_WEIGHTS:
            moods += fresh * weight
            fresh = np.roll(fresh, 1)
        hours = np.array(shape.hours) * exp(moods * shape.mood_std)
        return hours * (HOURS / fsum(hours.tolist()))  # fsum: sum differs between Pythons


def bursts(shape: ClockShape, stream: Stream, block: int, cadence_ns: int, steps_left: int) -> tuple[Floats, int]:
    """The gain of bursts at each step, of mean 1, and the steps that the last burst has left after the block."""
    chance = min(1.0, cadence_ns / NS_PER_S / shape.burst_every_s)
    draws = stream.chances(block, Lane.BURSTS, BLOCK_STEPS)
    starts = np.flatnonzero(draws < chance)
    # A number that is below the chance, divided by it, is a fresh one.
    length = np.rint(exponentials(draws[starts] / chance) * (shape.burst_length_s * NS_PER_S / cadence_ns))
    ends = np.full(BLOCK_STEPS, -1)
    ends[starts] = starts + length.astype(np.int64)
    ends[0] = max(int(ends[0]), steps_left)
    until = np.maximum.accumulate(ends)
    busy_share = 1.0 - exp_of(-shape.burst_length_s / shape.burst_every_s)  # of an M/G/infinity queue
    mean = 1.0 + (shape.burst_gain - 1.0) * busy_share
    gain = np.where(until > STEPS, shape.burst_gain / mean, 1.0 / mean)
    return gain, max(0, int(until[-1]) - BLOCK_STEPS)


def activity(shape: ClockShape, logs: Floats, profile: Floats, gain: Floats) -> Floats:
    """Activity at each step, from the rows of its log processes (unit variance each)."""
    total = -0.5 * fsum(std * std for std in shape.stds) + np.zeros(BLOCK_STEPS)
    for row, std in zip(logs, shape.stds, strict=True):
        total += row * std
    return exp(total) * profile * gain
