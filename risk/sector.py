"""Sector exposure: how many positions and entries under way each sector holds.

Counted from what is live, never kept as a running number: a seed engine's counter began at zero after each restart and
leaked a slot with every order that died unfilled. A symbol counts once, however many of its orders are under way.
"""

from collections.abc import Iterable, Mapping

from msgspec import Struct, field
from msgspec.structs import replace


class Exposure(Struct, frozen=True, kw_only=True):
    """What holds a slot: symbols with a position, and entries under way by the intent they serve."""

    held: dict[str, str] = field(default_factory=dict)  # symbol -> sector
    under_way: dict[str, tuple[str, str]] = field(default_factory=dict)  # intent id -> symbol, sector

    @property
    def members(self) -> dict[str, str]:
        """Every symbol that holds a slot, with its sector."""
        return dict(self.under_way.values()) | self.held

    @property
    def counts(self) -> dict[str, int]:
        """Slots taken by sector."""
        return counts(self.members)


def counts(members: Mapping[str, str]) -> dict[str, int]:
    """Slots taken by sector; an empty sector has no cap and is not counted."""
    taken: dict[str, int] = {}
    for sector in sorted(filter(None, members.values())):
        taken[sector] = taken.get(sector, 0) + 1
    return taken


def position_changed(exposure: Exposure, symbol: str, sector: str, *, flat: bool) -> Exposure:
    """A position was opened or closed."""
    held = {name: where for name, where in exposure.held.items() if name != symbol}
    return replace(exposure, held=held if flat else held | {symbol: sector})


def entry_under_way(exposure: Exposure, intent_id: str, symbol: str, sector: str) -> Exposure:
    """An entry was planned or is still alive; said again, it changes nothing."""
    return replace(exposure, under_way=exposure.under_way | {intent_id: (symbol, sector)})


def entry_over(exposure: Exposure, intent_id: str) -> Exposure:
    """An entry is over: its slot is free again unless its fills hold a position."""
    under_way = {name: what for name, what in exposure.under_way.items() if name != intent_id}
    return replace(exposure, under_way=under_way)


def restored(positions: Iterable[tuple[str, str]], entries: Iterable[tuple[str, str, str]]) -> Exposure:
    """From what lives after a restart: (symbol, sector) of positions, (intent id, symbol, sector) of entries."""
    return Exposure(held=dict(positions), under_way={intent: (symbol, where) for intent, symbol, where in entries})


def cap(sector: str, caps: Mapping[str, int], default: int) -> int:
    """How many names of a sector may be held at once."""
    return caps.get(sector, default)
