"""The price: a hidden efficient price on the activity clock, and quotes that follow it late and in jumps.

Merton's jump diffusion (1976) moves the hidden price. Quotes are renewed at random instants, so most seconds see no
change, and the way still to go leans on the book: that is why imbalance predicts the next move, here as in real books.
All positions are integers of ticks / 2^16, so a day of sums is exact.
"""

from math import sqrt

import numpy as np
from msgspec import Struct

from venues.aleatoric.activity import NS_PER_S, STEPS
from venues.aleatoric.model import BLOCK_STEPS, LEVELS, PriceShape, State, SymbolModel
from venues.aleatoric.transforms import exp_of, first_order, normals
from venues.aleatoric.words import Floats, Ints, Lane, Stream

FRACTION_BITS = 16
FRACTION = 1 << FRACTION_BITS
TICKS_MIN = 8 * LEVELS  # the hidden price is reflected here, so that all bid levels stay positive
GAP_MAX = 4.0  # the book cannot lean more than this many usual moves
_SECONDS_PER_HOUR = 3600.0


class Path(Struct):
    """Prices of one block, all in ticks."""

    bid: Ints
    ask: Ints
    activity: Floats
    leaning: Floats  # rows: the way the quotes still have to go in usual moves, fast and slow pressure


def step_ticks(model: SymbolModel, price_ticks: int) -> float:
    """Standard deviation of the hidden price over a step of mean activity."""
    step_s = model.cadence_ns / NS_PER_S
    return model.volatility_annual * price_ticks * sqrt(step_s / model.year_s)


def jumps(shape: PriceShape, stream: Stream, block: int, activity: Floats, step_s: float, std: float) -> Floats:
    """Merton's jumps in ticks; zero at most steps."""
    draws = stream.uniforms(block, Lane.JUMPS, 2 * BLOCK_STEPS)
    rate = shape.jumps_per_h * step_s / _SECONDS_PER_HOUR
    size = std * sqrt(shape.jump_share / rate) if rate > 0 else 0.0
    result = np.zeros(BLOCK_STEPS)
    (at,) = np.nonzero(draws[:BLOCK_STEPS] < activity * rate)
    result[at] = normals(draws[BLOCK_STEPS:][at]) * size
    return result


def hidden(state: State, shocks: Floats, leaps: Floats, std: float, jump_share: float, activity: Floats) -> Ints:
    """The hidden price after each step, in ticks / 2^16."""
    diffusion = shocks * np.sqrt(activity) * (std * sqrt(1.0 - jump_share))
    change = np.rint((diffusion + leaps) * FRACTION).astype(np.int64)
    floor = TICKS_MIN * FRACTION
    result: Ints = floor + np.abs(state.latent + np.cumsum(change) - floor)
    return result


def quotes(model: SymbolModel, state: State, latent: Ints, moves: Ints) -> tuple[Ints, Floats]:
    """Best bid of the undisturbed book, renewed at the moves, and the smoothed price's distance from the hidden one."""
    keep = np.array([exp_of(-model.cadence_ns / NS_PER_S / model.price.follow_s)])
    change = np.diff(latent, prepend=state.latent) / FRACTION
    behind = first_order(-keep[0] * change[None, :], keep, np.array([state.aim]))[0]
    aim = latent + np.rint(behind * FRACTION).astype(np.int64)
    at = np.maximum.accumulate(np.where(moves > 0, STEPS, -1))
    quote = np.where(at >= 0, aim[np.maximum(at, 0)] >> FRACTION_BITS, state.quote)
    return quote, behind


def lags(shape: PriceShape, moves: Ints, draws: Floats, close_ticks: float, start: int) -> Ints:
    """How far a side stays behind its moves (given as positive ticks), closing at a steady pace, in ticks / 2^16."""
    chance = draws < shape.spread_lag_chance
    share = draws * (shape.spread_lag_share / shape.spread_lag_chance)
    shock = np.where(chance & (moves > 0), np.rint(share * moves * FRACTION).astype(np.int64), 0)
    pace = max(1, round(close_ticks * FRACTION))
    shock[0] = max(int(shock[0]), start - pace)
    fallen = STEPS * pace
    result: Ints = np.maximum(np.maximum.accumulate(shock + fallen) - fallen, 0)
    return result
