"""Sector guard: counts which sectors are taken, over all engines, from positions and entries that live."""

from collections.abc import Mapping
from typing import ClassVar

from actors.messages import OrderChanged, PositionChanged, SectorCounts
from risk.order import OVER
from risk.position import is_flat
from risk.sector import Exposure, entry_over, entry_under_way, position_changed
from supervisor.mailbox import Hears
from supervisor.messages import ChildStarted

TOLD_AGAIN = ("gate", "sector_guard")
"""Children that start without knowing any count; after a crash of our own the gates must not keep the old one."""


class SectorGuard:
    """The mind. It counts what it hears of, so after a crash the ledger's repetition makes it right again."""

    hears: ClassVar[tuple[Hears, ...]] = (Hears(PositionChanged), Hears(OrderChanged), Hears(ChildStarted))
    says: ClassVar[tuple[type, ...]] = (SectorCounts,)

    def __init__(self, sectors: Mapping[str, str], dust_lots: Mapping[str, float]):
        self.sectors = sectors  # symbol -> sector; a symbol without one has no cap
        self.dust_lots = dust_lots  # by engine
        self.exposure = Exposure()
        self.alive: dict[str, set[str]] = {}  # intent -> its entry orders that are not over
        self.said: dict[str, str] = {}

    def hear(self, message: PositionChanged | OrderChanged | ChildStarted) -> tuple[SectorCounts, ...]:
        if isinstance(message, ChildStarted):
            return self._counts(message.at_ns) if message.child in TOLD_AGAIN else ()
        sector = self.sectors.get(message.symbol, "")
        if not sector:
            return ()
        if isinstance(message, PositionChanged):
            flat = is_flat(message.lots, self.dust_lots[message.engine])
            self.exposure = position_changed(self.exposure, message.symbol, sector, flat=flat)
        elif message.entry:
            self._order(message, sector)
        return self._counts(message.at_ns) if self.exposure.members != self.said else ()

    def _order(self, changed: OrderChanged, sector: str) -> None:
        """An entry holds its slot until the last order of its intent is over: a replaced order has a successor."""
        alive = self.alive.setdefault(changed.intent_id, set())
        if changed.state in OVER:
            alive.discard(changed.order_id)
        else:
            alive.add(changed.order_id)
        if alive:
            self.exposure = entry_under_way(self.exposure, changed.intent_id, changed.symbol, sector)
        else:
            del self.alive[changed.intent_id]
            self.exposure = entry_over(self.exposure, changed.intent_id)

    def _counts(self, at_ns: int) -> tuple[SectorCounts, ...]:
        self.said = self.exposure.members
        return (SectorCounts(self.exposure.counts, self.said, at_ns),)
