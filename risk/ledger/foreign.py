"""Foreign: what is held that no order of ours made, by hand or adopted because the venue holds it.

An adoption stands for fills that nobody told. One of them that is told after all (by a stream that was behind, on a
page that had been cut) is in the position already: it takes the place of as much of the adoption (`undoing`), and the
money is what it would be had it come in time. Ids are functions of what was adopted, so that a second start with the
same journal, or a first one with none, gives the same (NautilusTrader #3878 gave new ones at each).
"""

from collections.abc import Mapping

from msgspec import Struct

from risk.ledger.postings import Entry
from risk.position import Position, is_flat
from venues.market import Fill

KEPT_MAX = 100
"""Adoptions remembered of one symbol: fills come late by minutes, and nothing is adopted every second."""

ADOPTED = "adopted-"
"""How the id of a fill begins that books an adoption."""

UNDONE = "undone-"
"""How the id begins of what takes as much out of an adoption as a late fill brings."""

Key = tuple[str, str]
"""(engine, symbol)."""


class Adoption(Struct, frozen=True):
    """Lots that were booked because the venue held them, at a price, with all that it had filled until a time."""

    engine: str
    symbol: str
    ticks: int
    as_of_ns: int
    fee: bool = False  # coins that were taken as a fee: no fill stands behind it


class Foreign:
    """All engines' adoptions, and how much of each position is not ours."""

    def __init__(self, dust_lots: Mapping[str, float]):
        self.dust_lots = dust_lots  # by engine
        self.adoptions: dict[Key, list[Adoption]] = {}  # oldest first
        self.numbers: dict[Key, int] = {}  # how many there were
        self.by_hand: dict[Key, int] = {}  # signed lots, of positions that are not flat

    def fold_adoption(self, one: Adoption) -> None:
        """Take one in, before the entry that books it."""
        key = (one.engine, one.symbol)
        self.numbers[key] = self.numbers.get(key, 0) + 1
        kept = self.adoptions.setdefault(key, [])
        if not one.fee:
            kept.append(one)
            del kept[:-KEPT_MAX]

    def fold_entry(self, before: Position, entry: Entry, *, ours: bool) -> None:
        """Take in what an entry made of a position; `ours`: by an order of ours."""
        if entry.position is None:
            return
        key, lots = (entry.engine, entry.symbol), entry.position.lots
        if not ours:
            self.by_hand[key] = self.by_hand.get(key, 0) + lots - before.lots
        if is_flat(lots, self.dust_lots.get(entry.engine, 0.0)) or not self.by_hand.get(key):
            self.by_hand.pop(key, None)

    def lots(self, engine: str, symbol: str) -> int:
        """How many lots of a position no order of ours made; 0 once it was flat, or they are gone."""
        return self.by_hand.get((engine, symbol), 0)

    def of(self, engine: str) -> dict[str, int]:
        """The same for each symbol of an engine that has some."""
        return {symbol: lots for (its, symbol), lots in self.by_hand.items() if its == engine}

    def id_of(self, engine: str, symbol: str, ledger_lots: int, venue_lots: int) -> str:
        """The id of the fill that books the adoption folded last."""
        return f"{ADOPTED}{symbol}-{self.numbers[engine, symbol]}-{ledger_lots}-{venue_lots}"

    def undoing(self, fill: Fill) -> Fill | None:
        """What to book before a fill that comes late: as much of the oldest adoption that holds it, the other way."""
        if fill.id.startswith(ADOPTED):
            return None
        for one in self.adoptions.get((fill.engine, fill.symbol), ()):
            if fill.at_ns <= one.as_of_ns:
                fill_id, side = UNDONE + fill.id, fill.side.opposite
                return Fill(fill.engine, fill_id, "", fill.symbol, side, fill.lots, one.ticks, 0, False, fill.at_ns)
        return None


def is_undoing(entry: Entry) -> bool:
    """Whether an entry takes something out of an adoption: no trade, and no day trade."""
    return entry.id.startswith(f"fill:{UNDONE}")
