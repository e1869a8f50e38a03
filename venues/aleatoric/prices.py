"""The price: a hidden efficient price on the activity clock, and quotes that follow it late and in jumps.

Merton's jump diffusion (1976) moves the hidden price. Quotes are renewed at random instants, so most seconds see no
change, and the way still to go leans on the book: that is why imbalance predicts the next move, here as in real books.
All positions are integers of ticks / 2^16, so a day of sums is exact.
"""

from math import sqrt

import numpy as np
from msgspec import Struct

from supervisor.clock import NS_PER_S
from venues.aleatoric.activity import STEPS
from venues.aleatoric.book import standing_back
from venues.aleatoric.model import BLOCK_STEPS, PriceShape, State, SymbolModel
from venues.aleatoric.transforms import exp_of, first_order, normals
from venues.aleatoric.words import Floats, Ints, Lane, Marks, Stream

FRACTION_BITS = 16
FRACTION = 1 << FRACTION_BITS
NEWS_CHANCE_MAX = 0.5  # steps longer than the time between news are all alike
STRESS_OVER_STD = 0.7  # mean over standard deviation of the way that quotes are behind: .8 if it were normal
STRESS_MEAN_MIN = 1e-6  # in usual moves: quotes that follow within a step are never behind
PACE_MAX = 1 << 50  # ticks / 2^16 a step: no lag is as long, and a block of such steps still fits 64 bits
GAP_MAX = 4.0  # the book cannot lean more than this many usual moves
BPS = 10_000.0  # in one
_SECONDS_PER_HOUR = 3600.0


class Course(Struct):
    """The hidden price of one block."""

    latent: Ints  # ticks / 2^16
    known: Ints  # the same a little later, as the quotes know it
    behind: Floats  # how far that one, smoothed, is ahead of it, in ticks
    stress: Floats  # how far the quotes' aim is from it either way, in usual moves
    stress_relative: Floats  # over its mean; 1 where quotes are never behind
    usual: float  # ticks of a usual move


class Path(Struct):
    """Prices of one block."""

    bid: Ints  # ticks
    ask: Ints
    gap: Floats  # the way the quotes still have to go, in usual moves
    due: Floats  # the same as takers find it, before the quotes of the step
    way: Ints  # which way these quotes then move: 1 up, -1 down, 0 nowhere
    moved: Marks


class Lead(Struct):
    """A hidden price that a symbol goes with instead of making its own: a perpetual with its spot."""

    latent: Ints  # after each step of a block, in ticks / 2^16 of the symbol that follows
    shocks: Floats  # of unit variance, that moved it


class Pricer:
    """Makes the prices of one symbol."""

    __slots__ = ("_factor", "_floor", "_follow", "_lead", "_model", "_step_s", "_stream", "_usual_stress")

    def __init__(self, model: SymbolModel, stream: Stream, factor: Stream) -> None:
        self._model, self._stream, self._factor = model, stream, factor
        self._step_s = model.cadence_ns / NS_PER_S
        self._floor = model.ticks_min
        self._lead = round(model.price.lead_s / self._step_s)
        self._follow = keep = exp_of(-self._step_s / model.price.follow_s)
        self._usual_stress = STRESS_OVER_STD * keep / sqrt(1.0 - keep * keep)

    def course(
        self, state: State, shocks: Floats, activity: Floats, pushes: Ints | None = None, lead: Lead | None = None
    ) -> Course:
        """The hidden price of the block; moves what the state carries of it.

        `pushes` are a scenario's, at each step. A lead takes the place of the symbol's own hidden price, pushed or not.
        """
        shape = self._model.price
        std = self._step_ticks(state.latent >> FRACTION_BITS)
        usual = max(1.0, std / sqrt(shape.moves_per_step))
        leaps = self._jumps(state.block, activity, std, state.latent >> FRACTION_BITS)
        diffusion = shocks * (std * sqrt(1.0 - shape.jump_share))
        if shape.clock == "activity":
            diffusion = diffusion * self._unevenness(state.block, activity)
        drift = self._drift(activity, state.latent >> FRACTION_BITS)
        latent = hidden(state.latent, diffusion + leaps + drift, self._floor * FRACTION, pushes)
        if lead is not None:
            latent = np.maximum(lead.latent, self._floor * FRACTION)
        known = self._known(state, latent)
        behind = smoothed(known, state.aim, self._follow)
        state.latent, state.aim = int(latent[-1]), float(behind[-1])
        stress = np.minimum(np.abs(behind) / usual, GAP_MAX)
        mean = self._usual_stress * std / usual
        relative = stress * (1.0 / mean) if mean > STRESS_MEAN_MIN else np.ones(BLOCK_STEPS)
        return Course(latent, known[1:], behind, stress, relative, usual)

    def _known(self, state: State, latent: Ints) -> Ints:
        """The hidden price as the quotes know it, and as they knew it a step before the block."""
        trail = state.trail or [state.latent] * (self._lead + 1)
        both = np.concatenate([np.array(trail, np.int64), latent])
        state.trail = both[BLOCK_STEPS:].tolist()
        return both[: BLOCK_STEPS + 1]

    def path(self, state: State, course: Course, traded: Marks) -> Path:
        """The prices of the block; moves what the state carries of them.

        How often quotes move hardly depends on how active the hour is, only how far: on four captures the share of
        seconds with a move goes as the fourth root of the variance from one ten minutes to the next.
        """
        shape, latent, usual = self._model.price, course.latent, course.usual
        draws = self._stream.chances(state.block, Lane.MOVES, 2 * BLOCK_STEPS).reshape(2, -1)
        chance = shape.moves_per_step * np.where(traded, 1.0 + shape.moves_trade_gain, 1.0)
        chance *= 1.0 + course.stress * shape.moves_stress_gain
        quote = quotes(state.quote, course.known, course.behind, draws[0] < chance)
        bid, ask = self._sides(state, quote, draws[1], usual)
        before = np.concatenate([[state.quote], quote[:-1]])
        gap = gaps(latent, quote, usual)
        path = Path(bid, ask, gap, gaps(latent, before, usual), np.sign(quote - before), quote != before)
        state.quote = int(quote[-1])
        return path

    def _step_ticks(self, price_ticks: int) -> float:
        """Standard deviation of the hidden price over a step of mean activity."""
        return self._model.volatility_annual * price_ticks * sqrt(self._step_s / self._model.year_s)

    def _unevenness(self, block: int, activity: Floats) -> Floats:
        """Scale of each step's shock: the activity's root, and far more at the steps that bring news.

        A step's variance is on average its activity, whatever share of it is news.
        """
        shape = self._model.price
        usual = shape.news_per_s * self._step_s
        if not shape.news_share or not 0 < usual < NEWS_CHANCE_MAX:
            return np.sqrt(activity)
        news = self._factor.chances(block, Lane.NEWS, BLOCK_STEPS) < activity * usual
        result: Floats = np.sqrt(activity * (1.0 - shape.news_share) + news * (shape.news_share / usual))
        return result

    def _drift(self, activity: Floats, price_ticks: int) -> Floats:
        """What the price goes in each step on average, less what the jumps go on average, in ticks."""
        shape = self._model.price
        steady = shape.drift_annual * self._step_s / self._model.year_s * price_ticks
        rate = shape.jumps_per_h * self._step_s / _SECONDS_PER_HOUR
        return steady - np.minimum(activity * rate, 1.0) * (shape.jump_mean_bps / BPS * price_ticks)

    def _jumps(self, block: int, activity: Floats, std: float, price_ticks: int) -> Floats:
        """Merton's jumps in ticks; zero at most steps."""
        shape, result = self._model.price, np.zeros(BLOCK_STEPS)
        rate = shape.jumps_per_h * self._step_s / _SECONDS_PER_HOUR
        if not rate or not shape.jump_share:
            return result
        draws = self._stream.chances(block, Lane.JUMPS, BLOCK_STEPS)
        chance = np.minimum(activity * rate, 1.0)  # steps of history may be hours long
        at = np.flatnonzero(draws < chance)
        if len(at):
            # A number that is below the chance, divided by it, is a fresh one.
            mean = shape.jump_mean_bps / BPS * price_ticks
            spread = sqrt(max(0.0, std * std * shape.jump_share / rate - mean * mean))
            result[at] = normals(draws[at] / chance[at]) * spread + mean
        return result

    def _sides(self, state: State, quote: Ints, draws: Floats, usual: float) -> tuple[Ints, Ints]:
        """Best prices: the side that a move leaves stays behind for a moment, and a wide spread wanders."""
        model, shape = self._model, self._model.price
        move = np.diff(quote, prepend=state.quote)
        pace = min(max(1, round(usual * self._step_s / shape.spread_close_s * FRACTION)), PACE_MAX)
        bid_lag = lags(shape, move, draws, pace, state.bid_lag)
        ask_lag = lags(shape, -move, draws, pace, state.ask_lag)
        backs, inside = standing_back(model.book, self._stream, state)
        low = quote - (model.book.spread_floor_ticks - 1) // 2
        state.bid_lag, state.ask_lag = int(bid_lag[-1]), int(ask_lag[-1])
        bid = np.maximum(low - whole(bid_lag) - backs[0], model.ticks_deep)
        ask = low + model.book.spread_floor_ticks + whole(ask_lag) + backs[1]
        bid = np.where(inside > 0, ask - model.book.spread_floor_ticks, bid)
        return bid, np.where(inside < 0, bid + model.book.spread_floor_ticks, ask)


def hidden(start: int, changes: Floats, floor: int, pushes: Ints | None = None) -> Ints:
    """The hidden price after each step from its changes in ticks; reflected at the floor, it stays positive."""
    parts = np.rint(changes * FRACTION).astype(np.int64)
    steps = np.cumsum(parts if pushes is None else parts + pushes)
    result: Ints = floor + np.abs(start + steps - floor)
    return result


def smoothed(known: Ints, start: float, keep: float) -> Floats:
    """How far the smoothed hidden price, which the quotes aim at, is ahead of the hidden one, in ticks.

    `known` begins one step before the first result, when it was ahead by `start`.
    """
    change = np.diff(known) / FRACTION
    result: Floats = first_order(-keep * change[None, :], np.array([keep]), np.array([start]))[0]
    return result


def quotes(start: int, latent: Ints, behind: Floats, moves: Marks) -> Ints:
    """Best bid of the undisturbed book: the smoothed hidden price as it was at the last move."""
    aim = (latent + np.rint(behind * FRACTION).astype(np.int64)) >> FRACTION_BITS
    at = np.maximum.accumulate(np.where(moves, STEPS, -1))
    return np.where(at >= 0, aim[np.maximum(at, 0)], start)


def gaps(latent: Ints, quote: Ints, usual: float) -> Floats:
    """How far the hidden price is from the middle of a quote, in usual moves."""
    gap = (latent / FRACTION - quote - 0.5) / usual
    return np.minimum(np.maximum(gap, -GAP_MAX), GAP_MAX)


def lags(shape: PriceShape, moves: Ints, draws: Floats, pace: int, start: int) -> Ints:
    """How far a side stays behind its moves (given as positive ticks), closing at a steady pace, in ticks / 2^16."""
    share = draws * (shape.spread_lag_share / shape.spread_lag_chance)
    left = (draws < shape.spread_lag_chance) & (moves > 0)
    shock = np.where(left, np.rint(share * moves * FRACTION).astype(np.int64), 0)
    shock[0] = max(int(shock[0]), start - pace)
    fallen = STEPS * pace
    result: Ints = np.maximum(np.maximum.accumulate(shock + fallen) - fallen, 0)
    return result


def whole(parts: Ints) -> Ints:
    """Ticks / 2^16 to the nearest whole tick."""
    return (parts + FRACTION // 2) >> FRACTION_BITS
