"""Shapes of markets: the measured books that manifests build on, and the models that captures were measured on.

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


def behind_touch(front: float, deep: float, over: float) -> tuple[float, ...]:
    """Median sizes over the touch's as a profile: the touch, and levels behind it that fade from front to deep."""
    return medians((1.0, *fade(front, deep, over)[1:]))


LARGE_TICK = SymbolModel(
    symbol="LARGE",
    tick=Decimal("0.01"),
    lot=Decimal("0.01"),
    price_initial=Decimal(206),
    volatility_annual=0.75,
    touch_usd=200_000.0,
    price=PriceShape(
        news_share=0.0162,
        news_per_s=0.073,
        lead_s=0.55,
        follow_s=0.486,
        moves_per_step=0.126,
        moves_trade_gain=1.24,
        moves_stress_gain=3.94,
        pressure_taus_s=(3.02, 15.0),
        pressure_informed=0.78,
        spread_lag_chance=0.686,
        spread_lag_share=1.06,
        spread_close_s=0.263,
    ),
    book=BookShape(
        profile=behind_touch(0.466, 2.23, 4.7),
        queue_max=8.61,
        lean_bend=0.55,
        leans=(fade(6.0, 0.308, 2.42), fade(1.1, -0.277, 3.17), fade(0.697, -0.27, 3.17), fade(2.35, -0.0831, 1.97)),
        facade_s=9.62,
        refresh_chance=0.853,
        still_chance=0.12,
        noise=fade(3.33, 1.7, 0.7),
        noise_slow=0.575,
        noise_quick=0.0283,
        flicker=0.179,
    ),
    flow=FlowShape(
        trades_per_s=1.0,
        stress_share=0.271,
        clock_share=0.19,
        metaorder_chance=0.0593,
        child_gap_s=20.0,
        lean=0.579,
        sweep_lean=0.148,
        sweep_size=1.64,
        size_over_touch=0.00097,
        size_log_std=2.51,
        size_tail=1.45,
        size_informed=0.878,
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
    touch_usd=4_700.0,
    clock=ClockShape(stds=(0.4, 0.45, 0.3), mood_std=0.25),  # steadier: in a calm hour its spread drowns its price
    price=PriceShape(
        news_share=0.00976,
        news_per_s=0.01,
        lead_s=0.55,
        follow_s=0.357,
        moves_per_step=0.279,
        moves_trade_gain=0.124,
        moves_stress_gain=5.17,
        pressure_taus_s=(28.8, 150.0),
        pressure_informed=0.418,
        spread_lag_chance=0.78,
        spread_lag_share=1.33,
        spread_close_s=0.575,
    ),
    book=BookShape(
        spread_extra_ticks=3.12,
        spread_even=1.0,
        spread_keep=0.95,
        inside_share=0.258,
        inside_keep=0.465,
        level_gap_ticks=1.06,
        profile=behind_touch(0.705, 0.827, 12.0),
        queue_max=4.19,
        lean_bend=0.533,
        leans=(fade(2.69, 1.088, 0.7), fade(1.55, -0.3, 2.49), fade(0.73, -0.102, 2.49), fade(0.585, -0.206, 2.75)),
        facade_s=14.4,
        refresh_chance=0.455,
        still_chance=0.277,
        noise=fade(1.72, 1.8, 5.42),
        noise_slow=1.11,
        noise_quick=0.513,
        flicker=0.0,
    ),
    flow=FlowShape(
        trades_per_s=0.5,
        stress_share=0.771,
        clock_share=0.314,
        metaorder_chance=0.0,
        child_gap_s=2.81,
        lean=0.703,
        sweep_lean=0.0839,
        sweep_size=2.86,
        size_over_touch=0.0239,
        size_log_std=1.52,
        size_tail=3.0,
        size_informed=0.0,
    ),
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
    book=replace(SMALL_TICK.book, inside_share=0.02),  # AAPL's spread is one tick for less than 1 % of the time
    clock=ClockShape(mood_std=0.0, hours=(1.0,) * HOURS),  # a session stands still overnight: no hour is its own
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


MODELS: dict[str, SymbolModel] = {
    "hyperliquid_perp_btc": replace(
        LARGE_TICK,
        symbol="BTC",
        tick=Decimal(1),
        lot=Decimal("0.00001"),
        price_initial=Decimal(110_000),
        volatility_annual=0.40,
        touch_usd=550_000.0,
        price=PriceShape(
            news_share=0.448,
            news_per_s=0.0386,
            lead_s=1.1,
            follow_s=0.922,
            moves_per_step=0.0625,
            moves_trade_gain=0.459,
            moves_stress_gain=23.6,
            pressure_taus_s=(21.1, 15.0),
            pressure_informed=0.98,
            spread_lag_chance=0.251,
            spread_lag_share=0.979,
            spread_close_s=1.97,
        ),
        book=BookShape(
            profile=behind_touch(0.134, 0.147, 1.0),
            queue_max=5.93,
            lean_bend=0.348,
            leans=(fade(5.1, 0.393, 8.14), fade(2.22, 0.573, 3.09), fade(1.1, -0.3, 3.09), fade(1.47, 0.185, 0.7)),
            facade_s=30.0,
            refresh_chance=0.9,
            still_chance=0.105,
            noise=fade(1.94, 2.23, 0.7),
            noise_slow=0.978,
            noise_quick=0.0362,
            flicker=0.169,
        ),
        flow=FlowShape(
            trades_per_s=1.1,
            stress_share=0.337,
            clock_share=0.0877,
            metaorder_chance=0.0,
            child_gap_s=12.7,
            lean=0.37,
            sweep_lean=1.25,
            sweep_size=2.38,
            size_over_touch=0.00048,
            size_log_std=2.39,
            size_tail=3.0,
            size_informed=1.13,
        ),
    ),
    "hyperliquid_perp_eth": replace(
        LARGE_TICK,
        symbol="ETH",
        tick=Decimal("0.1"),
        lot=Decimal("0.0001"),
        price_initial=Decimal(4_400),
        volatility_annual=0.60,
        touch_usd=500_000.0,
        price=PriceShape(
            news_share=0.483,
            news_per_s=0.101,
            lead_s=1.1,
            follow_s=0.377,
            moves_per_step=0.179,
            moves_trade_gain=0.1,
            moves_stress_gain=9.7,
            pressure_taus_s=(13.7, 18.8),
            pressure_informed=0.98,
            spread_lag_chance=0.922,
            spread_lag_share=0.748,
            spread_close_s=0.604,
        ),
        book=BookShape(
            profile=behind_touch(0.16, 0.74, 4.74),
            queue_max=16.0,
            lean_bend=0.43,
            leans=(fade(4.5, 0.362, 2.44), fade(1.08, 0.508, 3.65), fade(1.12, -0.3, 3.65), fade(1.78, -0.527, 2.18)),
            facade_s=30.0,
            refresh_chance=0.815,
            still_chance=0.0626,
            noise=fade(1.42, 1.72, 0.7),
            noise_slow=0.932,
            noise_quick=0.295,
            flicker=0.0776,
        ),
        flow=FlowShape(
            trades_per_s=1.4,
            stress_share=0.4,
            clock_share=0.424,
            metaorder_chance=0.112,
            child_gap_s=3.9,
            lean=0.568,
            sweep_lean=1.7,
            sweep_size=2.57,
            size_over_touch=0.00047,
            size_log_std=2.07,
            size_tail=1.4,
            size_informed=0.998,
        ),
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
    "large_tick_btc": MODELS["hyperliquid_perp_btc"],
    "large_tick_eth": MODELS["hyperliquid_perp_eth"],
    "small_tick": SMALL_TICK,
    "spot": SPOT,
    "equity": EQUITY,
}
"""Books as measured, by the names that manifests call them."""
