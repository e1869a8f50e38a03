"""What changes in a book from one shown row to the next: the heart of every feed that sends changes."""

from collections.abc import Iterator
from itertools import islice

import numpy as np
from msgspec import Struct, field

from venues.aleatoric.dialects.dialect import arrivals, due, spoken
from venues.aleatoric.symbol import Block
from venues.aleatoric.words import Ints

NS_PER_MS = 1_000_000

Changes = list[tuple[int, int]]
"""(ticks, lots) of the levels of one side that changed, lowest price first; zero lots: the level is gone."""


class Shown(Struct):
    """The book as it was shown last, best levels first; what a speaker of changes carries from block to block."""

    ticks: list[list[int]] = field(default_factory=list)
    lots: list[list[int]] = field(default_factory=list)

    def sides(self, levels: int) -> tuple[dict[int, int], dict[int, int]]:
        """Lots by ticks of the best levels of bids and of asks; empty while nothing was shown."""
        if not self.ticks:
            return {}, {}
        bids, asks = (standing(ticks, lots, levels) for ticks, lots in zip(self.ticks, self.lots, strict=True))
        return bids, asks


class Rows(Struct, frozen=True):
    """The rows of a block that a feed shows: their steps, when they arrive, the venue's stamps."""

    steps: Ints
    at_ns: list[int]
    stamp_ms: list[int]


class Row(Struct, frozen=True, gc=False):
    """One row that changed something, and what; the sides as they stand after it."""

    row: int  # which of the Rows
    bids: Changes
    asks: Changes
    standing: tuple[dict[int, int], dict[int, int]]


def shown_rows(block: Block, cadence_ns: int, every_ns: int) -> Rows:
    """The rows that a feed of a pace shows; 0 is each step."""
    steps = spoken(block)
    at_ns = arrivals(block, cadence_ns, steps)
    keep = due(at_ns, cadence_ns, every_ns)
    steps, at_ns = steps[keep], at_ns[keep]
    return Rows(steps, at_ns.tolist(), ((at_ns - block.age_ns[steps]) // NS_PER_MS).tolist())


def row_at(block: Block, rows: Rows, step: int) -> int:
    """The last of the rows that is shown at or before a step. Raises ValueError if there is none."""
    row = int(np.searchsorted(rows.steps, step, side="right")) - 1
    if row < 0:
        raise ValueError(f"step is {step}, and block {block.index} shows no book at or before it; ask for a later step")
    return row


def standing(ticks: list[int], lots: list[int], levels: int) -> dict[int, int]:
    """Lots by ticks of the best levels of one side; a level of no lots is no level."""
    side = {tick: lot for tick, lot in zip(ticks, lots, strict=True) if lot > 0}
    return side if len(side) <= levels else dict(islice(side.items(), levels))


def changed(before: dict[int, int], after: dict[int, int]) -> Changes:
    """What turns one side into another."""
    changes = after.items() - before.items()
    changes.update((gone, 0) for gone in before.keys() - after.keys())
    return sorted(changes)


def changing(block: Block, rows: Rows, shown: Shown, levels: int) -> Iterator[Row]:
    """The rows of a block that change the book, in their order; `shown` is what it stands at when all are taken."""
    if not len(rows.steps):
        return
    ticks, lots = block.ticks[:, rows.steps].tolist(), block.lots[:, rows.steps].tolist()
    bids, asks = shown.sides(levels)
    for row, (bid_ticks, bid_lots, ask_ticks, ask_lots) in enumerate(
        zip(ticks[0], lots[0], ticks[1], lots[1], strict=True)
    ):
        new_bids, new_asks = standing(bid_ticks, bid_lots, levels), standing(ask_ticks, ask_lots, levels)
        bid_changes, ask_changes = changed(bids, new_bids), changed(asks, new_asks)
        bids, asks = new_bids, new_asks
        if bid_changes or ask_changes:
            yield Row(row, bid_changes, ask_changes, (bids, asks))
    shown.ticks, shown.lots = [ticks[0][-1], ticks[1][-1]], [lots[0][-1], lots[1][-1]]
