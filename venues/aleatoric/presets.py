"""Markets to choose from: shapes for large-tick and small-tick books, named presets, and a builder for a universe.

Figures are what four Hyperliquid captures of 2025-09-04 measured, rounded; the shapes are tuned with the realism judge.
"""

from decimal import ROUND_FLOOR, Decimal

from msgspec.structs import replace

from venues.aleatoric.model import (
    HOURS,
    YEAR_EQUITIES_S,
    BookShape,
    ClockShape,
    SymbolModel,
)

SECOND_NS = 1_000_000_000


def display_tick(price: Decimal, tick: Decimal, figures_max: int | None) -> Decimal:
    """The step that displayed prices have near a price: Hyperliquid shows five figures, or whole dollars above that."""
    if figures_max is None:
        return tick
    power = price.log10().to_integral_value(ROUND_FLOOR) + 1 - figures_max
    return max(tick, Decimal(1).scaleb(int(min(power, Decimal(0)))))


LARGE_TICK = SymbolModel(
    symbol="LARGE",
    tick=Decimal("0.01"),
    lot=Decimal("0.01"),
    price_initial=Decimal(200),
    volatility_annual=0.60,
)
"""A book that is one tick wide nearly always: the majors."""

SMALL_TICK = replace(
    LARGE_TICK,
    symbol="SMALL",
    tick=Decimal("0.00001"),
    lot=Decimal(1),
    price_initial=Decimal("0.18"),
    volatility_annual=1.20,
    touch_usd=2_000.0,
    book=BookShape(spread_ticks=5.0, spread_jitter=0.3, level_gap_ticks=1.4),
)
"""A book that is several ticks wide: small coins, HIP-3 names, shares."""

EQUITY = replace(
    SMALL_TICK,
    symbol="EQUITY",
    tick=Decimal("0.01"),
    price_initial=Decimal(230),
    volatility_annual=0.30,
    touch_usd=40_000.0,
    levels=1,  # Alpaca quotes the touch of a share and nothing behind it
    cadence_ns=SECOND_NS,
    year_s=YEAR_EQUITIES_S,
    session="us_equities",
    perpetual=False,
    clock=ClockShape(hours=(1.0,) * HOURS),  # a session stands still overnight, so the hour is not the profile's
    book=BookShape(spread_ticks=4.0, spread_jitter=0.3),
)
"""A US share, quoted at the touch while its session is open."""

PRESETS: dict[str, SymbolModel] = {
    "hyperliquid_perp_btc": replace(
        LARGE_TICK,
        symbol="BTC",
        tick=Decimal(1),
        lot=Decimal("0.00001"),
        price_initial=Decimal(110_000),
        volatility_annual=0.45,
    ),
    "hyperliquid_perp_eth": replace(
        LARGE_TICK,
        symbol="ETH",
        tick=Decimal("0.1"),
        lot=Decimal("0.0001"),
        price_initial=Decimal(4_400),
        volatility_annual=0.60,
    ),
    "hyperliquid_perp_sol": replace(LARGE_TICK, symbol="SOL", price_initial=Decimal(206), volatility_annual=0.75),
    "hyperliquid_perp_wlfi": replace(SMALL_TICK, symbol="WLFI"),
    "alpaca_spot_btc": replace(
        LARGE_TICK,
        symbol="BTC/USD",
        tick=Decimal("0.01"),
        lot=Decimal("0.000000001"),
        price_initial=Decimal(110_000),
        volatility_annual=0.45,
        cadence_ns=SECOND_NS,
        perpetual=False,
        book=BookShape(spread_ticks=800.0, spread_jitter=0.3, level_gap_ticks=150.0),
    ),
    "alpaca_equity": EQUITY,
}
