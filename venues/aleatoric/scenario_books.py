"""What scenarios do to books: to the true ones, which are traded on, and to what is published of them.

Arrays are (side, step, level), bids first.
"""

import numpy as np

from venues.aleatoric.activity import STEPS
from venues.aleatoric.book import FRONT
from venues.aleatoric.model import LOTS_MAX, BookShape, State
from venues.aleatoric.scenario_knobs import Knobs
from venues.aleatoric.words import Floats, Ints

FARTHER = np.array([-1, 1])  # which way a side goes when it stands back


def stand_back(shape: BookShape, knobs: Knobs, bid: Ints, ask: Ints, ticks_deep: int) -> tuple[Ints, Ints]:
    """Best prices when the spread is wider: both sides share in it; bids keep room for all levels below them."""
    usual = shape.spread_floor_ticks + shape.spread_extra_ticks
    extra = knobs.spreads[1:] * usual + knobs.spread_share[1:] * ask
    half = np.rint(extra * 0.5).astype(np.int64)
    return np.maximum(bid - half, ticks_deep), ask + half


def resize(knobs: Knobs, lots: Ints) -> Ints:
    """Queues as the knobs have them; each keeps a lot."""
    scales = np.repeat(knobs.depth[:, 1:, None], lots.shape[2], axis=2)
    leaning = np.flatnonzero(knobs.facade[1:])
    if len(leaning):
        share = 0.5 * (1.0 + knobs.facade[1:][leaning])
        for part, bids in ((slice(0, FRONT), share), (slice(FRONT, None), 1.0 - share)):
            scales[:, leaning, part] *= _leaning(lots[:, leaning, part], bids)
    return np.minimum(np.maximum(np.rint(lots * scales), 1.0), float(LOTS_MAX)).astype(np.int64)


def _leaning(lots: Ints, bids: Floats) -> Floats:
    """What makes the bids this share of all lots at each step, which stay as many."""
    of_side = lots.sum(axis=2)  # whole numbers: any order of adding gives the same
    whole = of_side.sum(axis=0)
    result: Floats = (np.stack([bids, 1.0 - bids]) * whole / np.maximum(of_side, 1))[:, :, None]
    return result


def publish(knobs: Knobs, state: State, ticks: Ints, lots: Ints) -> tuple[Ints, Ints]:
    """The books that are shown instead of the true ones; keeps in the state what a frozen one goes on to show."""
    shown_ticks, shown_lots = ticks.copy(), lots.copy()
    if knobs.frozen.any():
        _freeze(knobs, state, shown_ticks, shown_lots)
    for side in np.flatnonzero(knobs.crossed[:, 1:].any(axis=1)).tolist():
        rows = np.flatnonzero(knobs.crossed[side, 1:])
        beyond = FARTHER[1 - side] * (knobs.crossed[side, 1:][rows] - 1)
        best = np.maximum(shown_ticks[1 - side, rows, 0] + beyond, 1)
        shown_ticks[side, rows] += (best - shown_ticks[side, rows, 0])[:, None]
    return shown_ticks, shown_lots


def _freeze(knobs: Knobs, state: State, ticks: Ints, lots: Ints) -> None:
    """Show the first book of a freeze as long as it lasts."""
    frozen, before = knobs.frozen[1:], knobs.frozen[:-1]
    at = np.maximum.accumulate(np.where(frozen & before, -1, STEPS))
    held = np.flatnonzero(frozen & before)
    source = np.maximum(at[held], 0)
    ticks[:, held], lots[:, held] = ticks[:, source], lots[:, source]
    # Before the first book of the block that is new there is only the one that an earlier block froze.
    old = held[at[held] < 0]
    if len(old) and state.frozen:
        ticks[:, old], lots[:, old] = (np.array(part)[:, None] for part in state.frozen)
    state.frozen = [ticks[:, -1].tolist(), lots[:, -1].tolist()] if frozen[-1] else []
