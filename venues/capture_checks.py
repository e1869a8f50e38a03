"""What makes a captured row unusable, judged for thousands of rows at once."""

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from venues.market import PRICE_MAX, Side

Bools = NDArray[np.bool_]
Floats = NDArray[np.float64]
Ints = NDArray[np.int64]
Reasons = NDArray[np.object_]

SIDES = {1: Side.BUY, -1: Side.SELL}
"""How a capture writes the aggressor's side."""

DECIMALS_MAX = 10
"""Finer steps are taken for noise: no venue prints more than eight decimals."""

NOISE = 1e-12
"""Relative error of a decimal's float after a multiplication, with room to spare."""


def out_of_order(times: Ints) -> Bools:
    """Which rows break the order of time, so that leaving them out mends it.

    A row later than the next one, between neighbours that are in order, is a spike and alone to blame; otherwise it is
    the row that goes back.
    """
    late: Bools = times < 0
    if len(times) > 1:
        before = np.concatenate((times[:1], times[:-2]))
        late[:-1] |= (times[:-1] > times[1:]) & (before <= times[1:])
        late[0] |= times[0] > times[1]
    reached = np.maximum.accumulate(np.where(late, np.iinfo(np.int64).min, times))
    return late | (times < reached)


def judge_books(sides: Sequence[Floats], late: Bools) -> tuple[Ints, Ints, Reasons]:
    """Usable levels of bids and asks, and what is wrong with each row: empty when nothing is."""
    bid, bid_size, ask, ask_size = sides
    bids, bid_hole, bid_disorder = _judge_side(bid, bid_size, -1.0)
    asks, ask_hole, ask_disorder = _judge_side(ask, ask_size, 1.0)
    touched = (bids > 0) & (asks > 0)
    crossed = touched.copy()
    if touched.any():
        crossed &= bid[:, 0] >= ask[:, 0]
    reasons = np.full(len(late), "", dtype=object)
    for reason, rows in (  # where several are true, the last one is said
        ("the bid is at or above the ask", crossed),
        ("levels are out of order", bid_disorder | ask_disorder),
        ("a price or size among the levels is missing, not positive or too large", bid_hole | ask_hole),
        ("a side has no best level", ~touched),
        ("out of time order", late),
    ):
        reasons[rows] = reason
    return bids, asks, reasons


def _judge_side(price: Floats, size: Floats, direction: float) -> tuple[Ints, Bools, Bools]:
    """How many levels are good from the best on, where more than padding follows, where they are out of order."""
    with np.errstate(invalid="ignore"):  # NaN is padding
        good = (price > 0) & (price < PRICE_MAX) & (size > 0) & (size < PRICE_MAX)
        unordered = good[:, 1:] & good[:, :-1] & ((price[:, 1:] - price[:, :-1]) * direction <= 0)
    counts: Ints = np.cumprod(good, axis=1, dtype=np.int64).sum(axis=1)
    padding = np.isnan(price) & np.isnan(size)
    hole = (good.sum(axis=1) != counts) | ~np.asarray((good | padding).all(axis=1))
    return counts, hole, np.asarray(unordered.any(axis=1))


def trade_fault(price: float | None, size: float | None, sign: int | None, late: bool) -> str:
    """What is wrong with a trade; empty when nothing is."""
    if late:
        return "out of time order"
    if price is None or not 0 < price < PRICE_MAX:
        return f"px is {price}, it must be a positive number"
    if size is None or not 0 < size < PRICE_MAX:
        return f"sz is {size}, it must be a positive number"
    return "" if sign in SIDES else f"side is {sign}, it must be 1 or -1"


def decimals_of(values: Floats) -> int:
    """The fewest decimals that write all the finite values exactly."""
    finite = np.abs(values[np.isfinite(values)])
    for decimals in range(DECIMALS_MAX):
        scaled = finite * 10.0**decimals
        if np.all(np.abs(scaled - np.rint(scaled)) <= NOISE * np.maximum(scaled, 1.0)):
            return decimals
    return DECIMALS_MAX
