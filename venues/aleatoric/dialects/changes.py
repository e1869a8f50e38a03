"""What changes in a book from one shown row to the next: the heart of every feed that sends changes."""

from collections.abc import Iterator
from itertools import islice

import numpy as np
from msgspec import Struct, field

from supervisor.clock import NS_PER_MS
from venues.aleatoric.dialects.dialect import arrivals, best, due, shown_lots, spoken
from venues.aleatoric.dialects.dialect import changed as changed_columns
from venues.aleatoric.model import BLOCK_STEPS
from venues.aleatoric.symbol import Block
from venues.aleatoric.words import Ints, Stream

IDS_PER_STEP = 64
"""Update ids that a step uses up, about; Binance's BTCUSDT at spot used 90 a second in 2024."""
_JITTER_LANE, _FIRST_LANE = 0, 1
_WORD_BITS = 64

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


class Ids:
    """A venue's ids of one run: they begin somewhere, and those of books are a function of when the book is there."""

    __slots__ = ("_cadence_ns", "_stream", "first")

    def __init__(self, stream: Stream, cadence_ns: int, first_bits: int) -> None:
        self._stream, self._cadence_ns = stream, cadence_ns
        self.first = int(stream.words(0, _FIRST_LANE, 1)[0]) >> (_WORD_BITS - first_bits)

    def of_steps(self, block: Block) -> Ints:
        """The id of each step's book, always above the one before."""
        words = self._stream.words(block.index, _JITTER_LANE, BLOCK_STEPS)
        return (
            self.before_steps(block, np.arange(BLOCK_STEPS))
            + (words % np.uint64(IDS_PER_STEP - 1)).astype(np.int64)
            + 1
        )

    def before_steps(self, block: Block, steps: Ints) -> Ints:
        """Ids above that of each step's predecessor, and below the step's own: for what traded in it."""
        return self.first + (block.start_ns // self._cadence_ns + steps + 1) * IDS_PER_STEP

    def at(self, at_ns: int) -> int:
        """An id for what is said outside of blocks at a time."""
        return self.first + at_ns // self._cadence_ns * IDS_PER_STEP


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
    ticks, lots = block.ticks[:, rows.steps].tolist(), shown_lots(block)[:, rows.steps].tolist()
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


class Touch(Struct, frozen=True):
    """One change of the best bid and ask, in ticks and lots; zero lots: the side is empty, and its ticks are 0."""

    row: int  # which of the Rows
    bid: int
    ask: int
    bid_lots: int
    ask_lots: int


def touches(block: Block, rows: Rows, before: list[int]) -> Iterator[Touch]:
    """The changes of the touch in a block; `before` holds what was said last, and holds it again when all are taken."""
    if not len(rows.steps):
        return
    ticks, lots = best(block.ticks[:, rows.steps], shown_lots(block)[:, rows.steps])
    said = np.concatenate([np.where(lots > 0, ticks, 0), lots])
    for row in changed_columns(said, before).tolist():
        yield Touch(row, *said[:, row].tolist())
    before[:] = said[:, -1].tolist()


def best_levels(block: Block, step: int) -> tuple[Changes, Changes]:
    """The book of a step as (ticks, lots), best levels first."""
    sides = zip(block.ticks[:, step].tolist(), shown_lots(block)[:, step].tolist(), strict=True)
    bids, asks = (list(standing(ticks, lots, len(ticks)).items()) for ticks, lots in sides)
    return bids, asks
