"""Trades: orders arrive on the activity clock, some of them as one-sided series (metaorders) that outlast the block."""

from math import fsum

import numpy as np
from msgspec import Struct

from supervisor.clock import NS_PER_S
from venues.aleatoric.activity import STEPS
from venues.aleatoric.model import BLOCK_STEPS, LOTS_MAX, FlowShape, State, SymbolModel
from venues.aleatoric.prices import Path
from venues.aleatoric.transforms import exp, log, paretos, poissons, quick_exponentials, quick_normals
from venues.aleatoric.words import Floats, Ints, Lane, Stream

ORDERS_PER_STEP_MAX = 24  # starts that a draw can count: a burst at its peak is far below
CHILDREN_MIN = 2.0  # a series has at least two trades


class Orders(Struct):
    """The orders of one block that take, oldest first."""

    offset_ns: Ints
    step: Ints
    sign: Ints  # +1: a buyer takes


class Arrivals(Struct):
    """When orders come: the starts of this block, and all trades in it as children of a start, oldest first."""

    start_step: Ints
    start_draw: Floats  # decides the sign of a start and so of its children
    offset_ns: Ints  # of each trade, since the start of the block's first step
    step: Ints
    source: Ints  # of each trade: its start's index; below zero, what an earlier block still owed, counted from the end


def children_mean(shape: FlowShape) -> float:
    """Mean number of trades in one arrival."""
    ranks = np.arange(1, shape.children_max + 1, dtype=np.float64)
    reach = exp(-shape.children_tail * log(ranks / CHILDREN_MIN))  # P(2 X >= rank)
    series = fsum(np.minimum(reach, 1.0).tolist())
    return 1.0 + shape.metaorder_chance * (series - 1.0)


class Flow:
    """Makes the trades of one symbol."""

    __slots__ = ("_cadence_ns", "_rate", "_shape", "_stream")

    def __init__(self, model: SymbolModel, stream: Stream) -> None:
        self._shape, self._stream, self._cadence_ns = model.flow, stream, model.cadence_ns
        self._rate = model.flow.trades_per_s * model.cadence_ns / NS_PER_S / children_mean(model.flow)

    def arrivals(self, state: State, activity: Floats, profile: Floats, stress: Floats) -> Arrivals:
        """Everything that comes in the block, what earlier ones still owe included."""
        shape, stream, block = self._shape, self._stream, state.block
        pace = activity * shape.clock_share + profile * (1.0 - shape.clock_share)
        pace *= 1.0 - shape.stress_share + stress * shape.stress_share
        rates = np.minimum(pace * (self._rate / shape.draws), ORDERS_PER_STEP_MAX / 2)
        chances = stream.chances(block, Lane.STARTS, shape.draws * BLOCK_STEPS).reshape(shape.draws, -1)
        counts = np.zeros(BLOCK_STEPS, np.int64)
        for draw in chances:
            counts += poissons(draw, rates, ORDERS_PER_STEP_MAX)
        steps = np.repeat(STEPS, counts)
        draws = stream.uniforms(block, Lane.ORDERS, 4 * len(steps)).reshape(-1, 4)
        start_ns = steps * self._cadence_ns + (draws[:, 1] * self._cadence_ns).astype(np.int64)
        children = np.ones(len(steps), np.int64)
        series = np.flatnonzero(draws[:, 2] < shape.metaorder_chance)
        many = (paretos(draws[series, 3], shape.children_tail) * CHILDREN_MIN).astype(np.int64)
        children[series] = np.minimum(many, shape.children_max)
        when = np.concatenate([np.array(state.child_ns, np.int64), self._spread(block, start_ns, children)])
        source = np.concatenate([np.arange(-len(state.child_ns), 0), np.repeat(np.arange(len(steps)), children)])
        order = np.argsort(when, kind="stable")
        when, source = when[order], source[order]
        return Arrivals(steps, draws[:, 0], when, when // self._cadence_ns, source)

    def signs(self, state: State, arrivals: Arrivals, due: Floats, way: Ints) -> Orders:
        """Which way each trade goes: an order leans on the move that is due or just coming, its children follow it.

        Children that come after the block go into the state.
        """
        lean = due[arrivals.start_step] + way[arrivals.start_step] * self._shape.sweep_lean
        lean = lean / np.sqrt(1.0 + lean * lean)
        start_sign = np.where(arrivals.start_draw < 0.5 + 0.5 * self._shape.lean * lean, 1, -1)
        signs = np.concatenate([start_sign, np.array(state.child_sign, np.int64)])[arrivals.source]
        end_ns = BLOCK_STEPS * self._cadence_ns
        inside = int(np.searchsorted(arrivals.offset_ns, end_ns))
        state.child_ns = (arrivals.offset_ns[inside:] - end_ns).tolist()
        state.child_sign = signs[inside:].tolist()
        return Orders(arrivals.offset_ns[:inside], arrivals.step[:inside], signs[:inside])

    def _spread(self, block: int, start_ns: Ints, children: Ints) -> Ints:
        """Times of all children: the first at the start, the others after exponential gaps."""
        first = np.cumsum(children) - children
        total = int(children.sum())
        waits = quick_exponentials(self._stream.shorts(block, Lane.GAPS, total))
        gaps = np.rint(waits * (self._shape.child_gap_s * NS_PER_S)).astype(np.int64)
        gaps[first] = 0
        since = np.cumsum(gaps)
        result: Ints = since - np.repeat(since[first], children) + np.repeat(start_ns, children)
        return result

    def sizes(self, block: int, orders: Orders, median_lots: float, path: Path) -> Ints:
        """Lots of each order: a lognormal body times a Pareto tail, larger where it knows of the move that is due.

        And larger still where the quotes move its way in the same step: on four captures quotes move in .8 to .9 of
        the steps of the largest hundredth of trades, and in .3 of those of the smaller half.
        """
        shape = self._shape
        count = len(orders.step)
        logs = quick_normals(self._stream.shorts(block, Lane.BODIES, count)) * shape.size_log_std
        logs -= log(self._stream.uniforms(block, Lane.TAILS, count)) * (1.0 / shape.size_tail)
        logs += np.maximum(path.due[orders.step] * orders.sign, 0.0) * shape.size_informed
        logs += (path.way[orders.step] * orders.sign > 0) * shape.sweep_size
        lots = np.rint(np.minimum(exp(logs) * median_lots, LOTS_MAX)).astype(np.int64)
        result: Ints = np.minimum(np.maximum(lots, shape.lots_min), shape.lots_max)
        return result


class Books(Struct):
    """Books one after the other. Arrays are (side, step, level)."""

    ticks: Ints
    lots: Ints


class Fills(Struct):
    """Trades as the venue prints them: one for each price that an order takes from, oldest first."""

    order: Ints  # index of the order
    ticks: Ints
    lots: Ints


def walk(side: Ints, step: Ints, size: Ints, books: Books) -> Fills:
    """Let each order take from the book of a step, best price first. What the shown levels lack is not traded."""
    room = books.lots[side, step, 0]
    taken = np.zeros((len(size), books.lots.shape[2]), np.int64)
    taken[:, 0] = np.minimum(size, room)
    deep = np.flatnonzero(size > room)
    queues = books.lots[side[deep], step[deep]]
    before = np.cumsum(queues, axis=1) - queues
    taken[deep] = np.minimum(np.maximum(size[deep, None] - before, 0), queues)
    order, level = np.nonzero(taken)
    return Fills(order, books.ticks[side[order], step[order], level], taken[order, level])
