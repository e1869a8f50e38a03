"""Markets to choose from: shapes for large-tick and small-tick books, and named presets.

Figures are what four Hyperliquid captures of 2025-09-04 measured, rounded; the shapes are tuned with the realism judge.
"""

from decimal import ROUND_FLOOR, Decimal

from msgspec.structs import replace

from venues.aleatoric.model import (
    HOURS,
    LEVELS,
    YEAR_EQUITIES_S,
    BookShape,
    ClockShape,
    FlowShape,
    PriceShape,
    SymbolModel,
)
from venues.aleatoric.transforms import log_of

SECOND_NS = 1_000_000_000


def display_tick(price: Decimal, tick: Decimal, figures_max: int | None) -> Decimal:
    """The step that displayed prices have near a price: Hyperliquid shows five figures, or whole dollars above that."""
    if figures_max is None:
        return tick
    power = price.log10().to_integral_value(ROUND_FLOOR) + 1 - figures_max
    return max(tick, Decimal(1).scaleb(int(min(power, Decimal(0)))))


def fade(front: float, deep: float, over: float) -> tuple[float, ...]:
    """A value for each level that goes from front to deep, half of the way at level 1 + over."""
    return tuple(deep + (front - deep) / (1.0 + (rank / over) * (rank / over)) for rank in range(LEVELS))


def medians(ratios: tuple[float, ...]) -> tuple[float, ...]:
    """Median sizes over the touch's as a profile."""
    return tuple(log_of(ratio) for ratio in ratios)


LARGE_TICK = SymbolModel(
    symbol="LARGE",
    tick=Decimal("0.01"),
    lot=Decimal("0.01"),
    price_initial=Decimal(206),
    volatility_annual=0.75,
    touch_usd=60_000.0,
    price=PriceShape(follow_s=0.8, moves_per_step=0.10, spread_lag_chance=0.35, spread_lag_share=1.0),
    book=BookShape(
        leans=(fade(3.0, 0.35, 2.0), fade(1.0, 0.0, 2.0), fade(0.8, 0.0, 2.0), fade(3.2, -0.2, 2.0)),
        noise=fade(2.2, 1.0, 2.5),
        profile=medians(fade(0.9, 1.7, 3.0)),
    ),
)
"""A book that is one tick wide nearly always: the majors. Its deep levels are calm, its front is not."""

SMALL_TICK = replace(
    LARGE_TICK,
    symbol="SMALL",
    tick=Decimal("0.00001"),
    lot=Decimal(1),
    price_initial=Decimal("0.18"),
    volatility_annual=2.00,
    touch_usd=2_000.0,
    price=PriceShape(moves_per_step=0.25, follow_s=1.0, moves_stress_gain=2.0),
    book=BookShape(
        spread_extra_ticks=5.5,
        level_gap_ticks=1.4,
        leans=(fade(1.2, 0.4, 3.0), fade(0.5, 0.05, 3.0), fade(0.5, 0.05, 3.0), fade(1.6, -0.1, 3.0)),
        noise=fade(1.8, 1.3, 3.0),
        noise_slow=0.8,
        noise_quick=0.4,
        still_chance=0.3,
        refresh_chance=0.6,
    ),
    flow=FlowShape(trades_per_s=0.5, size_over_touch=0.07, size_log_std=2.0, size_tail=1.3),
)
"""A book that is several ticks wide: small coins, HIP-3 names, shares."""

SPOT = replace(SMALL_TICK, symbol="SPOT", cadence_ns=SECOND_NS, perpetual=False)
"""A coin at a spot broker: a wide book, shown each second."""

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
)
"""A US share, quoted at the touch while its session is open."""

LARGE_TICK_SPREAD_MAX = 1.5  # usual spread in ticks up to which the tick decides the spread
SPREAD_FLOOR_SHARE = 3.0  # a wide spread is at least a third of the usual one
GAP_SHARE = 0.08  # of the spread in ticks: WLFI, 6 ticks wide, leaves 1.4 ticks between levels


def in_market(base: SymbolModel, spread_ticks: float, trades_per_s: float) -> SymbolModel:
    """A base with another usual spread and another number of trades."""
    flow = replace(base.flow, trades_per_s=trades_per_s)
    if spread_ticks <= LARGE_TICK_SPREAD_MAX:
        return replace(base, flow=flow, book=replace(base.book, spread_extra_ticks=0.0, level_gap_ticks=1.0))
    floor = max(1, round(spread_ticks / SPREAD_FLOOR_SHARE))
    gap = 1.0 + GAP_SHARE * (spread_ticks - 1.0)
    book = replace(base.book, spread_floor_ticks=floor, spread_extra_ticks=spread_ticks - floor, level_gap_ticks=gap)
    return replace(base, flow=flow, book=book)


def perpetual(spread_ticks: float, trades_per_s: float) -> SymbolModel:
    """A perpetual whose usual spread is so many ticks; give it its symbol, tick, lot, price, volatility and depth."""
    base = LARGE_TICK if spread_ticks <= LARGE_TICK_SPREAD_MAX else SMALL_TICK
    return in_market(base, spread_ticks, trades_per_s)


PRESETS: dict[str, SymbolModel] = {
    "hyperliquid_perp_btc": replace(
        LARGE_TICK,
        symbol="BTC",
        tick=Decimal(1),
        lot=Decimal("0.00001"),
        price_initial=Decimal(110_000),
        volatility_annual=0.40,
        touch_usd=300_000.0,
        price=PriceShape(moves_per_step=0.07),
        book=BookShape(
            leans=(fade(3.0, 0.5, 4.0), fade(1.5, 0.1, 4.0), fade(1.5, 0.1, 4.0), fade(3.0, -0.2, 4.0)),
            facade_s=7.0,
            noise=fade(2.5, 1.7, 4.0),
            profile=medians(fade(1.0, 0.42, 1.5)),
        ),
        flow=FlowShape(trades_per_s=1.1, metaorder_chance=0.05),
    ),
    "hyperliquid_perp_eth": replace(
        LARGE_TICK,
        symbol="ETH",
        tick=Decimal("0.1"),
        lot=Decimal("0.0001"),
        price_initial=Decimal(4_400),
        volatility_annual=0.60,
        touch_usd=200_000.0,
        book=BookShape(
            leans=(fade(3.0, 0.5, 2.5), fade(1.0, 0.05, 2.5), fade(0.8, 0.05, 2.5), fade(3.0, -0.1, 2.5)),
            noise=fade(2.0, 1.0, 3.0),
            profile=medians(fade(1.0, 2.0, 4.0)),
        ),
        flow=FlowShape(trades_per_s=1.4),
    ),
    "hyperliquid_perp_sol": replace(LARGE_TICK, symbol="SOL"),
    "hyperliquid_perp_wlfi": replace(SMALL_TICK, symbol="WLFI"),
    "alpaca_spot_btc": replace(
        in_market(SPOT, spread_ticks=800.0, trades_per_s=0.5),
        symbol="BTC/USD",
        tick=Decimal("0.01"),
        lot=Decimal("0.000000001"),
        price_initial=Decimal(110_000),
        volatility_annual=0.40,
        touch_usd=20_000.0,
    ),
    "alpaca_equity": EQUITY,
}

SHAPES: dict[str, SymbolModel] = {
    "large_tick": LARGE_TICK,
    "large_tick_btc": PRESETS["hyperliquid_perp_btc"],
    "large_tick_eth": PRESETS["hyperliquid_perp_eth"],
    "small_tick": SMALL_TICK,
    "spot": SPOT,
    "equity": EQUITY,
}
"""Books as measured, by the names that manifests call them."""
