"""Trades: orders arrive on the activity clock, some of them as one-sided series (metaorders) that outlast the block."""

import numpy as np
from msgspec import Struct

from venues.aleatoric.activity import NS_PER_S
from venues.aleatoric.model import BLOCK_STEPS, FlowShape, State, SymbolModel
from venues.aleatoric.transforms import exp, exponentials, log_of, normals, paretos, poissons
from venues.aleatoric.words import Floats, Ints, Lane, Stream

ORDERS_PER_STEP_MAX = 24  # starts in one step: a burst at its peak is far below
LOTS_MAX = 1 << 50


class Orders(Struct):
    """The trades of one block, oldest first."""

    offset_ns: Ints  # since the start of the block's first step
    step: Ints
    sign: Ints  # +1: a buyer took


def children_mean(shape: FlowShape) -> float:
    """Mean number of trades in one arrival."""
    ranks = np.arange(1, shape.children_max + 1, dtype=np.float64)
    reach = exp(-shape.children_tail * np.array([log_of(rank / 2.0) for rank in ranks]))  # P(2 X >= rank)
    series = float(sum(np.minimum(reach, 1.0).tolist()))
    return 1.0 + shape.metaorder_chance * (series - 1.0)


class Flow:
    """Makes the trades of one symbol."""

    __slots__ = ("_cadence_ns", "_rate", "_shape", "_stream")

    def __init__(self, model: SymbolModel, stream: Stream) -> None:
        self._shape, self._stream, self._cadence_ns = model.flow, stream, model.cadence_ns
        self._rate = model.flow.trades_per_s * model.cadence_ns / NS_PER_S / children_mean(model.flow)

    def orders(self, state: State, activity: Floats, pressure: Floats) -> Orders:
        """Arrivals of the block and what earlier ones still owe; later children go into the state."""
        shape, stream, block = self._shape, self._stream, state.block
        rates = np.minimum(activity * self._rate, ORDERS_PER_STEP_MAX / 2)
        counts = poissons(stream.uniforms(block, Lane.STARTS, BLOCK_STEPS), rates, ORDERS_PER_STEP_MAX)
        steps = np.repeat(np.arange(BLOCK_STEPS), counts)
        draws = stream.uniforms(block, Lane.CHILDREN, 4 * len(steps)).reshape(-1, 4)
        lean = pressure[steps] / np.sqrt(1.0 + pressure[steps] * pressure[steps])
        sign = np.where(draws[:, 0] < 0.5 + 0.5 * shape.lean * lean, 1, -1)
        start_ns = steps * self._cadence_ns + (draws[:, 1] * self._cadence_ns).astype(np.int64)
        many = (paretos(draws[:, 3], shape.children_tail) * 2.0).astype(np.int64)
        children = np.where(draws[:, 2] < shape.metaorder_chance, np.minimum(many, shape.children_max), 1)
        when = self._spread(block, start_ns, children)
        when = np.concatenate([np.array(state.child_ns, np.int64), when])
        signs = np.concatenate([np.array(state.child_sign, np.int64), np.repeat(sign, children)])
        order = np.argsort(when, kind="stable")
        when, signs = when[order], signs[order]
        inside = int(np.searchsorted(when, BLOCK_STEPS * self._cadence_ns))
        state.child_ns = (when[inside:] - BLOCK_STEPS * self._cadence_ns).tolist()
        state.child_sign = signs[inside:].tolist()
        when = when[:inside]
        return Orders(when, when // self._cadence_ns, signs[:inside])

    def _spread(self, block: int, start_ns: Ints, children: Ints) -> Ints:
        """Times of all children: the first at the start, the others after exponential gaps."""
        first = np.cumsum(children) - children
        total = int(children.sum())
        draws = self._stream.uniforms(block, Lane.GAPS, total)
        gaps = np.rint(exponentials(draws) * (self._shape.child_gap_s * NS_PER_S)).astype(np.int64)
        gaps[first] = 0
        since = np.cumsum(gaps)
        result: Ints = since - np.repeat(since[first], children) + np.repeat(start_ns, children)
        return result

    def sizes(self, block: int, median_lots: float, room: Ints) -> Ints:
        """Lots of each trade: a lognormal body times a Pareto tail, never more than waits at the touch."""
        draws = self._stream.uniforms(block, Lane.TRADES, 2 * len(room)).reshape(-1, 2)
        body = exp(normals(draws[:, 0]) * self._shape.size_log_std)
        lots = np.rint(np.minimum(body * paretos(draws[:, 1], self._shape.size_tail) * median_lots, LOTS_MAX))
        result: Ints = np.minimum(np.maximum(lots.astype(np.int64), 1), room)
        return result
