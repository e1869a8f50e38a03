"""The activity clock: the same hour is now dead, now frantic, and everything happens on that clock."""

from math import fsum

import numpy as np

from venues.aleatoric.model import BLOCK_STEPS, HOURS, ClockShape
from venues.aleatoric.transforms import exp, exp_of, exponentials
from venues.aleatoric.words import Floats, Lane, Stream

NS_PER_S = 1_000_000_000
NS_PER_HOUR = 3_600 * NS_PER_S
STEPS = np.arange(BLOCK_STEPS, dtype=np.int64)


def intraday(shape: ClockShape, start_ns: int, cadence_ns: int) -> Floats:
    """The day's profile at each step of a block, of mean 1 over the day, straight between the middles of hours."""
    half = NS_PER_HOUR // 2
    since = start_ns + STEPS * cadence_ns - half
    hours = np.array(shape.hours) * (HOURS / fsum(shape.hours))  # fsum: sum differs between Pythons
    hour = since // NS_PER_HOUR % HOURS
    share = (since % NS_PER_HOUR) / NS_PER_HOUR
    left = hours[hour]
    result: Floats = left + share * (hours[(hour + 1) % HOURS] - left)
    return result


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
