"""A share as a market knows it: daily closes and volumes, which every source of a screen gives alike."""

from math import fsum

from msgspec import Struct

DAYS = 60
"""Closes that z is of (Avellaneda & Lee 2010)."""


class Stock(Struct, frozen=True, kw_only=True):
    """What a source knows of one name, oldest first; `wrong` says why it knows nothing."""

    symbol: str
    closes: tuple[float, ...] = ()
    volumes: tuple[float, ...] = ()  # shares, of the same days
    wrong: str = ""

    def volume_shares(self, days: int) -> float:
        """Mean of the last days; 0 where nothing is known."""
        last = self.volumes[-days:]
        return fsum(last) / len(last) if last else 0.0
