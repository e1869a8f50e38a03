"""Hyperliquid's rule of prices: five significant figures at most, unless the price is whole.

A model has one tick, which is right for the decade its price starts in. When the price leaves that decade upwards, the
venue's own grid is coarser than the tick, and what the model has between two of the venue's prices stands at the next
price away from the middle. (Hyperliquid docs, "Tick and lot size".)
"""

from decimal import ROUND_HALF_EVEN, Decimal

import numpy as np

from venues.aleatoric.dialects.pieces import pointed
from venues.aleatoric.words import Ints

FIGURES_MAX = 5
TICKS_PLAIN = 10**FIGURES_MAX  # below this many ticks a price has five figures whatever the tick is
DECADES = 12  # above TICKS_PLAIN that are looked at; PRICE_MAX is 10^12
DECIMALS_MAX = 10  # of rates and volumes, as recorded frames have them


class Grid:
    """The venue's prices in ticks of one model."""

    __slots__ = ("_bounds", "_steps", "ticks_plain_max")

    def __init__(self, tick: Decimal) -> None:
        sign, digits, exponent = tick.normalize().as_tuple()
        if sign or digits != (1,):
            raise ValueError(f"tick is {tick}; Hyperliquid prices are decimals, so a power of ten is right, as 0.01")
        whole = 10 ** max(0, -int(exponent))  # ticks in one dollar: whole prices are always allowed
        self._steps = np.array([min(10**power, whole) for power in range(DECADES)], np.int64)
        self._bounds = TICKS_PLAIN * 10 ** np.arange(DECADES - 1, dtype=np.int64)
        self.ticks_plain_max = TICKS_PLAIN - 1 if whole > 1 else np.iinfo(np.int64).max
        """Up to this many ticks every price is one of the venue's."""

    def below(self, ticks: Ints) -> Ints:
        """The venue's prices at or below: for bids, and for what was sold to them."""
        step = self._step(ticks)
        return ticks // step * step

    def above(self, ticks: Ints) -> Ints:
        """The venue's prices at or above: for asks, and for what was bought from them."""
        step = self._step(ticks)
        return -(-ticks // step) * step

    def _step(self, ticks: Ints) -> Ints:
        """The venue's step at these prices, in ticks."""
        return self._steps[np.searchsorted(self._bounds, ticks, side="right")]


def price_text(price: float) -> str:
    """A price as the venue prints it: five significant figures, all figures of the whole part, and a point."""
    number = Decimal(repr(price))
    decimals = max(0, FIGURES_MAX - 1 - number.adjusted())
    return pointed(number.quantize(Decimal(1).scaleb(-decimals), ROUND_HALF_EVEN))


def amount_text(amount: float | Decimal, decimals: int = DECIMALS_MAX) -> str:
    """A rate or an amount as the venue prints it: as many decimals as it needs, and a point; never minus zero."""
    number = Decimal(f"{amount:.{decimals}f}")
    return pointed(number if number else abs(number))
