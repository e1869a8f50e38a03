"""Knobs: what the scenarios of a symbol turn at each step of a block, a pure function of the step.

No randomness, and nothing carried: whatever block is asked for, in whatever order, its knobs are the same. Times within
a scenario are its progress from 0 to 1. All shapes are made of + - * / and comparisons, so their bits agree everywhere.

Where the figures are from:
- flash crash: 6 May 2010 (CFTC & SEC, Findings Regarding the Market Events of May 6, 2010): the E-mini fell 5 % in 13
  minutes and ever faster, at the end 1.7 % in 15 seconds, buyers' depth below a hundredth of the morning's; half was
  made good within minutes, most of the rest in half an hour. Cascades of liquidations in crypto have the same shape.
- macro print: Fleming & Remolona, Price Formation and Liquidity in the U.S. Treasury Market, Journal of Finance 54
  (1999): makers withdraw and trading thins before a release; the price jumps almost at once; then trading surges and
  calms down over an hour, the spread sooner.
- liquidity void: the spread is as many times wider as the book is thinner, so that the price of a given order's
  immediacy goes up on both accounts.
"""

from collections.abc import Callable, Sequence

import numpy as np
from msgspec import Struct

from venues.aleatoric.model import BLOCK_STEPS
from venues.aleatoric.scenarios import KINDS, Scenario
from venues.aleatoric.words import Floats, Ints, Marks

SIGNS = {"": 0.0, "down": -1.0, "up": 1.0, "asks": -1.0, "bids": 1.0}
SIDES = {"bids": 0, "asks": 1}

CRASH_BOTTOM, CRASH_REBOUND = 0.35, 0.5  # when the bottom is reached, and when the rebound is over
CRASH_AFTER_REBOUND, CRASH_LASTING = 0.6, 0.3  # of the fall, what is still lost then and in the end
CRASH_PULLED, CRASH_PULLED_FRONT = 0.90, 0.98  # of the depth at the bottom: behind the move, and in its way
CRASH_ACTIVITY = 8.0  # times the usual, at the bottom
CRASH_SPREADS, CRASH_SPREAD_SHARE = 4.0, 0.05  # wider by so many usual spreads and so much of the fall
VOID_RAMP = 0.1  # of its length a void takes to come, and to go
TREND_LEAN = 0.5  # usual moves by which books and takers think the quotes behind
PRINT_AT = 1.0 / 3.0  # of its length
PRINT_PULLED = 0.8  # of the depth, at the print
PRINT_SPREADS = 4.0  # wider by so many usual spreads
PRINT_HUSH = 0.5  # of the usual activity is missing just before
PRINT_ACTIVITY = 10.0  # times the usual, just after
GAP_MOVES_BY = 0.5  # of its length: quotes have followed when a gap ends


class Knobs(Struct):
    """What is turned at the last step of the block before and at each step of this one; side 0 is the bids.

    Arrays are (step,) or (side, step) with BLOCK_STEPS + 1 steps.
    """

    price: Floats  # times what it would be without
    activity: Floats  # times the usual
    depth: Floats  # (side, step) times the usual
    spreads: Floats  # wider by so many usual spreads
    spread_share: Floats  # and by this share of the price
    lean: Floats  # usual moves by which the quotes seem to be behind
    facade: Floats  # imbalance of the front; 0: as it comes
    frozen: Marks
    crossed: Ints  # (side, step) the side is shown so many ticks, less one, beyond the other's best; 0: where it is
    empty: Marks  # (side, step) the side is published without a level
    silent: Marks  # nothing is published

    @classmethod
    def neutral(cls) -> "Knobs":
        """Nothing is turned."""
        steps = BLOCK_STEPS + 1
        return cls(
            price=np.ones(steps),
            activity=np.ones(steps),
            depth=np.ones((2, steps)),
            spreads=np.zeros(steps),
            spread_share=np.zeros(steps),
            lean=np.zeros(steps),
            facade=np.zeros(steps),
            frozen=np.zeros(steps, np.bool_),
            crossed=np.zeros((2, steps), np.int64),
            empty=np.zeros((2, steps), np.bool_),
            silent=np.zeros(steps, np.bool_),
        )

    def pushes(self, latent: int) -> Ints:
        """What the hidden price is moved by in each step of the block, in its own unit, from what it is at its start.

        What a block adds up to is exact to one unit, however the steps are rounded.
        """
        ways = np.rint((self.price / self.price[0] - 1.0) * latent).astype(np.int64)
        result: Ints = np.diff(ways)
        return result


def ramp(progress: Floats, start: float, end: float) -> Floats:
    """From 0 at `start` to 1 at `end`, straight."""
    return np.minimum(np.maximum((progress - start) / (end - start), 0.0), 1.0)


def flash_crash(scenario: Scenario, knobs: Knobs, progress: Floats, inside: Marks) -> None:
    """Accelerating fall, quick rebound, slow recovery of a part; both sides thin, those in the way nearly gone."""
    sign = SIGNS[scenario.side]
    fall = ramp(progress, 0.0, CRASH_BOTTOM)
    rebound, rest = ramp(progress, CRASH_BOTTOM, CRASH_REBOUND), ramp(progress, CRASH_REBOUND, 1.0)
    lost = fall * fall - rebound * (2.0 - rebound) * (1.0 - CRASH_AFTER_REBOUND)
    lost = lost - rest * (2.0 - rest) * (CRASH_AFTER_REBOUND - CRASH_LASTING)
    knobs.price *= 1.0 + sign * scenario.size * lost
    stress = np.where(inside, fall * fall - ramp(progress, CRASH_BOTTOM, 1.0), 0.0)
    knobs.activity *= 1.0 + (CRASH_ACTIVITY - 1.0) * stress
    front = SIDES["bids"] if sign < 0 else SIDES["asks"]
    knobs.depth[front] *= 1.0 - CRASH_PULLED_FRONT * stress
    knobs.depth[1 - front] *= 1.0 - CRASH_PULLED * stress
    knobs.spreads += CRASH_SPREADS * stress
    knobs.spread_share += CRASH_SPREAD_SHARE * scenario.size * stress


def liquidity_void(scenario: Scenario, knobs: Knobs, progress: Floats, inside: Marks) -> None:
    """Depth goes down, stays and comes back."""
    there = ramp(progress, 0.0, VOID_RAMP) - ramp(progress, 1.0 - VOID_RAMP, 1.0)
    knobs.depth *= 1.0 - scenario.size * there
    knobs.spreads += there * (1.0 / (1.0 - scenario.size) - 1.0)


def one_sided(scenario: Scenario, knobs: Knobs, progress: Floats, inside: Marks) -> None:
    """One side thin, or gone."""
    side = SIDES[scenario.side]
    knobs.depth[side] *= np.where(inside, 1.0 - scenario.size, 1.0)
    if scenario.size == KINDS["one_sided"].size_max:
        knobs.empty[side] |= inside


def facade(scenario: Scenario, knobs: Knobs, progress: Floats, inside: Marks) -> None:
    """The front leans; of two at once the later one counts."""
    knobs.facade[inside] = SIGNS[scenario.side] * scenario.size


def trend(scenario: Scenario, knobs: Knobs, progress: Floats, inside: Marks) -> None:
    """A straight drift."""
    sign = SIGNS[scenario.side]
    knobs.price *= 1.0 + sign * scenario.size * progress
    knobs.lean += np.where(inside, sign * TREND_LEAN, 0.0)


def macro_print(scenario: Scenario, knobs: Knobs, progress: Floats, inside: Marks) -> None:
    """Quotes are pulled until the print, then the price is elsewhere at once and things calm down."""
    knobs.price *= 1.0 + SIGNS[scenario.side] * scenario.size * (progress > PRINT_AT)
    before, after = ramp(progress, 0.0, PRINT_AT), 1.0 - ramp(progress, PRINT_AT, 1.0)
    stress = before * after * after
    knobs.depth *= 1.0 - PRINT_PULLED * stress
    knobs.spreads += PRINT_SPREADS * stress
    busy = np.where(progress > PRINT_AT, (PRINT_ACTIVITY - 1.0) * after * after, -PRINT_HUSH * before)
    knobs.activity *= 1.0 + np.where(inside, busy, 0.0)


def frozen(scenario: Scenario, knobs: Knobs, progress: Floats, inside: Marks) -> None:
    """The book stands still."""
    knobs.frozen |= inside


def crossed(scenario: Scenario, knobs: Knobs, progress: Floats, inside: Marks) -> None:
    """A side stands beyond the other."""
    knobs.crossed[SIDES[scenario.side], inside] = int(scenario.size) + 1


def gap(scenario: Scenario, knobs: Knobs, progress: Floats, inside: Marks) -> None:
    """Nothing is said while the price goes."""
    knobs.price *= 1.0 + SIGNS[scenario.side] * scenario.size * ramp(progress, 0.0, GAP_MOVES_BY)
    knobs.silent |= inside


SHAPES: dict[str, Callable[[Scenario, Knobs, Floats, Marks], None]] = {
    "flash_crash": flash_crash,
    "liquidity_void": liquidity_void,
    "one_sided": one_sided,
    "facade": facade,
    "trend": trend,
    "macro_print": macro_print,
    "frozen": frozen,
    "crossed": crossed,
    "gap": gap,
}
"""How each kind turns the knobs, told its progress at each step and which steps are within it."""


class Schedule:
    """The scenarios of one symbol at its own steps."""

    __slots__ = ("_windows",)

    def __init__(self, scenarios: Sequence[Scenario], cadence_ns: int) -> None:
        self._windows = [(scenario, *scenario.steps(cadence_ns)) for scenario in scenarios]

    def knobs(self, block: int) -> Knobs | None:
        """The knobs of a block; None where nothing is turned in it, nor at the step before it."""
        if not self._windows:
            return None
        start = block * BLOCK_STEPS
        touching = [window for window in self._windows if window[1] < start + BLOCK_STEPS and window[2] >= start]
        if not touching:
            return None
        knobs, steps = Knobs.neutral(), np.arange(start - 1, start + BLOCK_STEPS, dtype=np.int64)
        for scenario, first, end in touching:
            # The last step of a scenario has it behind it, so that nothing is left to change afterwards.
            progress = np.minimum(np.maximum((steps - first + 1) / (end - first), 0.0), 1.0)
            SHAPES[scenario.kind](scenario, knobs, progress, (steps >= first) & (steps < end))
        return knobs
