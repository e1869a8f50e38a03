"""Named manifests: the seed's seven exchange profiles, two more of Hyperliquid, and all names of the universes."""

from difflib import get_close_matches
from functools import cache

from msgspec.structs import replace

from config.errors import ConfigError
from config.universe import SymbolFacts, load_universe
from venues.aleatoric.manifest import SimulationManifest

ENGINES = ("perps", "crypto", "equities")
EXCHANGES = {"perps": "hyperliquid", "crypto": "alpaca", "equities": "alpaca"}
CLASSES = {"native": "perp", "hip3": "perp", "spot": "spot", "equity": "equity"}

_BTC_USD, _ETH_USD, _SOL_USD, _WLFI_USD = 110_000.0, 4_400.0, 206.0, 0.18
"""About what they cost on 2025-09-04, the day of the captures that the shapes are measured on."""

HYPERLIQUID_BTC = SimulationManifest(
    symbol="BTC",
    microstructure="large_tick_btc",
    initial_price=_BTC_USD,
    tick_size=1.0,
    lot_size=0.00001,
    volatility_annual=0.40,
)
HYPERLIQUID_ETH = SimulationManifest(
    symbol="ETH",
    microstructure="large_tick_eth",
    initial_price=_ETH_USD,
    tick_size=0.1,
    lot_size=0.0001,
    volatility_annual=0.60,
)
HYPERLIQUID_SOL = SimulationManifest(
    symbol="SOL",
    microstructure="large_tick",
    initial_price=_SOL_USD,
    tick_size=0.01,
    lot_size=0.01,
    volatility_annual=0.75,
)
HYPERLIQUID_WLFI = SimulationManifest(
    symbol="WLFI",
    microstructure="small_tick",
    initial_price=_WLFI_USD,
    tick_size=0.00001,
    lot_size=1.0,
    volatility_annual=2.00,
)

BINANCE_SPOT_BTC = SimulationManifest(
    symbol="BTCUSDT",
    exchange="binance",
    asset_class="spot",
    microstructure="large_tick",
    initial_price=_BTC_USD,
    tick_size=0.01,
    lot_size=0.00001,
    volatility_annual=0.40,
    book_update_interval_ms=100,
    # A cent is a ten-millionth of the price, so levels stand far apart behind a touch that is one tick wide.
    level_gap_ticks=40.0,
    touch_depth_usd=150_000.0,
    trade_intensity_base=4.7,  # aggTrades a second on 2020-11-01, 33,835 in two hours
    trade_size_over_touch=0.002,
    trade_size_alpha=1.4,
    metaorder_probability=0.20,  # signs there remember each other over two hundred trades
    staleness_ms=10.0,
    late_ms_max=40.0,
)

SEVEN: dict[str, SimulationManifest] = {
    "binance_spot_btc": BINANCE_SPOT_BTC,
    "binance_spot_eth": replace(
        BINANCE_SPOT_BTC,
        symbol="ETHUSDT",
        initial_price=_ETH_USD,
        lot_size=0.0001,
        volatility_annual=0.60,
        level_gap_ticks=4.0,
        touch_depth_usd=80_000.0,
        trade_intensity_base=6.0,  # the seed: high activity
    ),
    "binance_futures_btc": replace(
        BINANCE_SPOT_BTC,
        asset_class="perp",
        tick_size=0.1,
        lot_size=0.001,
        volatility_annual=0.45,  # the seed: leverage volatility
        level_gap_ticks=4.0,
        touch_depth_usd=400_000.0,
        trade_intensity_base=8.0,
        jump_intensity=30.0,
    ),
    "hyperliquid_perp_sol": HYPERLIQUID_SOL,
    "hyperliquid_perp_btc": HYPERLIQUID_BTC,
    "okx_spot_btc": replace(
        BINANCE_SPOT_BTC,
        symbol="BTC-USDT",
        exchange="okx",
        tick_size=0.1,
        lot_size=0.00000001,
        level_gap_ticks=4.0,
        touch_depth_usd=100_000.0,
        trade_intensity_base=3.0,
    ),
    "bybit_futures_btc": replace(
        BINANCE_SPOT_BTC,
        exchange="bybit",
        asset_class="perp",
        tick_size=0.1,
        lot_size=0.001,
        volatility_annual=0.45,
        level_gap_ticks=4.0,
        book_update_interval_ms=50,
        touch_depth_usd=250_000.0,
        trade_intensity_base=5.0,
        burst_probability=0.05,  # the seed: extreme bursts
        burst_intensity_factor=10.0,
    ),
}
"""The seed's exchange profiles. Where its figures and what captures show differ, the captures hold."""

PRESETS: dict[str, SimulationManifest] = {
    **SEVEN,
    "hyperliquid_perp_eth": HYPERLIQUID_ETH,
    "hyperliquid_perp_wlfi": HYPERLIQUID_WLFI,
}
"""Presets with a name of their own; `perps:SOL`, `crypto:BTC/USD` and `equities:AAPL` name the universes'."""


def get_preset(name: str) -> SimulationManifest:
    """The manifest of a name. Raises ConfigError."""
    if name in PRESETS:
        return PRESETS[name]
    engine, colon, symbol = name.partition(":")
    if colon and engine in ENGINES and symbol in load_universe(engine):
        return manifest_of(load_universe(engine)[symbol])
    near = get_close_matches(name, preset_names(), 1)
    hint = f"did you mean {near[0]}?" if near else "`obid generate --list` lists them"
    raise ConfigError("preset", f"there is no such preset; {hint}", name)


@cache
def preset_names() -> tuple[str, ...]:
    """All names, the universes' included."""
    return (*PRESETS, *(f"{engine}:{symbol}" for engine in ENGINES for symbol in load_universe(engine)))


def manifest_of(facts: SymbolFacts) -> SimulationManifest:
    """A name of a universe as a manifest."""
    return SimulationManifest(
        symbol=facts.symbol,
        exchange=EXCHANGES[facts.engine],  # type: ignore[arg-type]
        asset_class=CLASSES[facts.asset_class],  # type: ignore[arg-type]
        initial_price=float(facts.price_usd),
        tick_size=float(facts.step),
        lot_size=float(facts.lot),
        volatility_annual=facts.volatility_annual,
        base_spread_bps=float(facts.spread_bps),
        touch_depth_usd=facts.depth_usd,
        trade_intensity_base=facts.trades_per_s,
    )
