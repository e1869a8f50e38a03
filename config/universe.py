"""The universes: what each engine may trade, and where the synthetic market of each name starts.

They are data, `universe/*.toml`; this module only turns them into structs. Live and paper mode take tick, lot and
leverage from the venue at start; synthetic, shadow and replay take them from here.
"""

import tomllib
from collections.abc import Iterable
from decimal import Decimal
from functools import cache
from pathlib import Path
from typing import Any

from msgspec import Struct, convert

FOLDER = Path(__file__).parent / "universe"
BPS = Decimal("0.0001")
CATEGORIES = ("major", "alt", "stock", "index", "etf", "commodity", "fx")
"""What moves a price, as far as anything is decided by it: a rule may name one that no symbol of the file is in."""

HYPERLIQUID_DECIMALS = 6
"""A perpetual's price has at most 6 - szDecimals decimals, so that tick times lot is a millionth of a dollar."""


class SymbolFacts(Struct, frozen=True, kw_only=True):
    """One tradable name: the rules its prices and sizes obey, and where its synthetic market starts.

    Fields that venues.market.Instrument has too are named as there.
    """

    symbol: str
    engine: str
    asset_class: str
    tick: Decimal
    lot: Decimal
    notional_min_usd: Decimal
    shortable: bool
    leverage: int
    isolated: bool
    price_figures_max: int | None = None
    sector: str = ""
    category: str = ""  # what kind of thing moves its price, where tiers and screens ask: major, alt, stock, index ...
    multiplier: Decimal = Decimal(1)
    price_usd: Decimal  # mid price at the start
    volatility_annual: float  # standard deviation of a year's log returns
    spread_bps: Decimal  # usual distance of best bid and ask
    depth_usd: float  # usual worth of the best level of one side
    trades_per_s: float  # aggressive orders

    @property
    def step(self) -> Decimal:
        """Distance of neighbouring prices at the starting price: the tick, or coarser where figures are limited."""
        if self.price_figures_max is None:
            return self.tick
        return max(
            self.tick, min(Decimal(1), Decimal(1).scaleb(self.price_usd.adjusted() + 1 - self.price_figures_max))
        )

    @property
    def spread_steps(self) -> int:
        """Usual spread in steps, at least one."""
        return max(1, round(self.price_usd * self.spread_bps * BPS / self.step))


@cache
def load_universe(engine: str) -> dict[str, SymbolFacts]:
    """Every symbol of an engine, in the order of its file. The dict is shared: don't change it."""
    with (FOLDER / f"{engine}.toml").open("rb") as file:
        table = tomllib.load(file, parse_float=Decimal)
    rows = [row for name in table["class"] for row in _rows(name, table)]
    return {facts.symbol: facts for facts in (convert(row, SymbolFacts) for row in rows)}


@cache
def known_categories() -> dict[str, str]:
    """Categories of builder names, without their dex, that no universe has: what a screen may meet."""
    with (FOLDER / "perps_categories.toml").open("rb") as file:
        return {name: category for category, names in tomllib.load(file).items() for name in names}


def category_of(symbol: str) -> str:
    """What a name of Hyperliquid's is, in the universe or not; a builder's name that nobody told us of is a stock."""
    if facts := load_universe("perps").get(symbol):
        return facts.category
    _, builder, name = symbol.rpartition(":")
    return known_categories().get(name, "stock") if builder else "alt"


def companies(symbols: Iterable[tuple[str, str]]) -> dict[str, tuple[str, ...]]:
    """Whose results move which of some (engine, symbol): by ticker, the names that venues give its stock."""
    found: dict[str, tuple[str, ...]] = {}
    for engine, symbol in symbols:
        facts = load_universe(engine).get(symbol)
        if (facts.category if facts else category_of(symbol)) == "stock":
            ticker = symbol.rpartition(":")[2]
            found[ticker] = (*found.get(ticker, ()), symbol)
    return found


def _rows(asset_class: str, table: dict[str, Any]) -> list[dict[str, Any]]:
    """The rows of one asset class: what the class says of all, then what the sector says, then what the symbol says."""
    shared = table["class"][asset_class] | {"asset_class": asset_class}
    rows = [shared | row | {"symbol": symbol} for symbol, row in table.get(asset_class, {}).items()]
    for sector, said in table.get("sector", {}).items():
        for symbol, price in said["prices_usd"].items():
            own = {"symbol": symbol, "sector": sector, "price_usd": price}
            rows.append(shared | {name: value for name, value in said.items() if name != "prices_usd"} | own)
    return [_priced(row) for row in rows]


def _priced(row: dict[str, Any]) -> dict[str, Any]:
    """Tick and lot from Hyperliquid's szDecimals, where the row has that instead."""
    if "size_decimals" in row:
        decimals = int(row.pop("size_decimals"))
        row["lot"] = Decimal(1).scaleb(-decimals)
        row["tick"] = Decimal(1).scaleb(decimals - HYPERLIQUID_DECIMALS)
    return row
