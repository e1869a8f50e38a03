"""The prices and sizes Hyperliquid takes: five significant figures, 6 - szDecimals decimals, whole prices always.

Ticks and lots are the finest steps there are for an asset, 10^-(6 - szDecimals) and 10^-szDecimals; from the sixth
figure of a price on, only some ticks are prices. A builder dex (HIP-3) has the rule of the native perpetuals, though
its ids lie above those of spot: the venue's own SDK takes them for spot and rounds to prices that are refused.

Source: Hyperliquid docs, "Tick and lot size", "Asset IDs".
"""

from decimal import Decimal

from msgspec import Struct

from venues.market import Side

FIGURES_MAX = 5
"""Significant figures of a price that is not whole."""
PERP_DECIMALS, SPOT_DECIMALS = 6, 8
"""Decimals of price and size together."""
SPOT_ASSETS = range(10_000, 100_000)
"""Ids of spot pairs. Perpetuals lie below; above are those of builder dexs, 110000 the first."""
ASSETS_END = 100_000_000
"""From here on ids are outcomes, whose rules are others."""


class Grid(Struct, frozen=True):
    """What one asset's prices and sizes may be, in integers: prices in ticks, sizes in lots.

    Its methods raise ValueError for what is no price or size at all, and for one that the venue would not take.
    """

    size_decimals: int  # szDecimals of the venue's meta
    price_decimals: int

    @classmethod
    def of(cls, asset: int, size_decimals: int) -> "Grid":
        """The grid of an asset, by its id and its szDecimals."""
        if not 0 <= asset < ASSETS_END:
            raise ValueError(f"asset is {asset}; ids of perpetuals and spot pairs are 0 to {ASSETS_END - 1}")
        decimals = SPOT_DECIMALS if asset in SPOT_ASSETS else PERP_DECIMALS
        if not 0 <= size_decimals <= decimals:
            raise ValueError(f"szDecimals of asset {asset} is {size_decimals}; it can be 0 to {decimals}")
        return cls(size_decimals, decimals - size_decimals)

    @property
    def tick(self) -> Decimal:
        """The finest step of a price."""
        return Decimal(1).scaleb(-self.price_decimals)

    @property
    def lot(self) -> Decimal:
        """The finest step of a size."""
        return Decimal(1).scaleb(-self.size_decimals)

    def step(self, ticks: int) -> int:
        """How far it is from this price up to the next one, in ticks: the effective tick."""
        figures = len(str(_positive(ticks, "price in ticks")))
        coarsest: int = 10**self.price_decimals  # whole prices are always taken
        finest: int = 10 ** max(0, figures - FIGURES_MAX)
        return min(finest, coarsest)

    def takes(self, ticks: int) -> bool:
        """Whether the venue takes this price."""
        return ticks > 0 and ticks % self.step(ticks) == 0

    def at_or_below(self, ticks: int) -> int:
        """The highest price that is not above."""
        return ticks // (step := self.step(ticks)) * step

    def at_or_above(self, ticks: int) -> int:
        """The lowest price that is not below."""
        return -(-ticks // (step := self.step(ticks))) * step

    def above(self, ticks: int) -> int:
        """The next price up."""
        return self.at_or_above(ticks + 1)

    def below(self, ticks: int) -> int:
        """The next price down; ValueError below the lowest."""
        return self.at_or_below(ticks - 1)

    def ticks(self, price: Decimal, side: Side) -> int:
        """The price that the venue takes and that is no worse for us: a buy's rounds down, a sell's rounds up."""
        over, under = _ratio(price, "price")
        over *= 10**self.price_decimals
        if side is Side.SELL:
            return self.at_or_above(-(-over // under))
        if over < under:
            raise ValueError(f"a buy at {price} rounds to nothing; the lowest price is {self.tick}")
        return self.at_or_below(over // under)

    def lots(self, size: Decimal) -> int:
        """The size in lots, never more than was said; 0 if it is less than one."""
        over, under = _ratio(size, "size")
        lots: int = over * 10**self.size_decimals // under
        return lots

    def price_text(self, ticks: int) -> str:
        """A price as an action has it: no zeros at the end, no point unless something follows it."""
        if not self.takes(ticks):
            at = f"{ticks} ticks of {self.tick}"
            raise ValueError(f"price is {at}; it must be positive and whole, or have {FIGURES_MAX} figures at most")
        return plain(ticks, self.price_decimals)

    def size_text(self, lots: int) -> str:
        """A size as an action has it."""
        return plain(_positive(lots, "size in lots"), self.size_decimals)


def plain(units: int, decimals: int) -> str:
    """A number of units of 10^-decimals in the fewest digits; units are positive or 0."""
    whole, rest = divmod(units, 10**decimals)
    return f"{whole}.{rest:0{decimals}d}".rstrip("0") if rest else str(whole)


def _positive(number: int, name: str) -> int:
    if number <= 0:
        raise ValueError(f"{name} is {number}; it must be positive")
    return number


def _ratio(number: Decimal, name: str) -> tuple[int, int]:
    """A positive number as a fraction, exact whatever the decimal context."""
    if not number.is_finite() or number <= 0:
        raise ValueError(f"{name} is {number}; it must be a positive number")
    return number.as_integer_ratio()
