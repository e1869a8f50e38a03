"""A profile: everything that makes the one actor graph the perps, the crypto or the equities engine.

Values come from TOML files; each field carries its unit in its name and its reason in the file. Bad values are refused
with the field, the value and what would be right.
"""

from decimal import Decimal
from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field

from config.universe import load_universe

Share = Annotated[float, Field(gt=0, lt=1)]
PositiveFloat = Annotated[float, Field(gt=0)]
PositiveInt = Annotated[int, Field(gt=0)]
Usd = Annotated[Decimal, Field(gt=0)]
EngineName = Literal["perps", "crypto", "equities"]
AssetClass = Literal["native", "hip3", "spot", "equity"]
SHADOW = "-shadow"
"""Ends the name of an engine that trades the same strategy with simulated fills, beside the one it is named after."""


class Declared(BaseModel):
    """Base of all configuration: frozen, no unknown fields, no nan or inf."""

    model_config = ConfigDict(frozen=True, extra="forbid", allow_inf_nan=False, hide_input_in_errors=False)


class SignalLimits(Declared):
    """The strategy's constants."""

    window_bars: PositiveInt = 60
    trend_bars: PositiveInt = 240
    bar_s: PositiveInt = 60
    daily: bool = False  # the window holds daily closes, and each bar of bar_s is the day so far
    obi_depth: Literal[1, 5, 20] = 20
    obi_theta: Annotated[float, Field(ge=0, lt=1)] = 0.0
    obi_age_ms_max: PositiveInt = 10_000
    trend_gate: bool = True
    stop_loss: Share = 0.01
    time_stop_rth_s: PositiveInt = 1800
    time_stop_s: PositiveInt = 3600
    allow_short: bool = True
    notional_usd: Usd = Decimal(250)
    notional_usd_by_class: dict[AssetClass, Usd] = Field(default_factory=dict)  # where a class differs
    notional_usd_by_symbol: dict[str, Usd] = Field(default_factory=dict)  # and where a symbol does
    taker_slippage_bps: PositiveFloat = 10.0


class Tier(Declared):
    """Entry and exit thresholds of z, in standard deviations."""

    z_entry: PositiveFloat
    z_exit: PositiveFloat


class TierStep(Tier):
    """The thresholds of a symbol that moves at least so much."""

    rmsd_min: Annotated[float, Field(ge=0)]  # per cent of the mean price, over a week of 4 h closes


class TierRule(Tier):
    """The thresholds of a category: before it was measured, and by how lively a symbol is."""

    steps: tuple[TierStep, ...] = ()  # liveliest last


class Route(Declared):
    """How orders of one asset class travel: resting or crossing, how long, how often moved."""

    entry: Literal["maker", "taker"]
    exit: Literal["maker", "taker"]
    lifetime_s: PositiveInt  # a resting order is given up after this
    reprices_max: int = Field(ge=0)
    reprice_bps_min: float = Field(default=0.0, ge=0)  # do not move for less
    reprice_gap_s: float = Field(default=0.0, ge=0)  # nor sooner than this after the last move
    taker_z: PositiveFloat | None = None  # an entry at |z| of this or more crosses at once
    exit_escalates: bool = True  # a maker exit that the venue refuses, or that rests too long, crosses at once


class RiskLimits(Declared):
    """The gate's bounds."""

    order_notional_usd_max: Usd
    symbol_cap_usd: Usd
    net_cap_usd: Usd
    reduce_on: Annotated[float, Field(ge=1)] = 1.5  # |net| / cap at which only shrinking entries pass
    reduce_off: Annotated[float, Field(ge=1)] = 1.25  # and below which all pass again
    daily_loss_usd: Usd
    drawdown_max: Share = 0.02
    orders_per_minute: PositiveInt = 30
    orders_burst: PositiveInt = 30
    entries_max: PositiveInt | None = None  # that a venue accepts in an account day; None: no cap
    day_trades_max: Annotated[int, Field(ge=0)] | None = None  # in five sessions while equity is small; None: no cap
    day_trades_equity_usd_min: Usd = Decimal(25_000)  # from this on any number of them is allowed
    dust_lots: Annotated[float, Field(ge=0)] = 1.5  # a position up to this counts as flat
    dust_usd: Annotated[Decimal, Field(ge=0)] | None = None  # coins worth less do, too; None: the venue's least order
    sector_caps: dict[str, PositiveInt] = Field(default_factory=dict)
    sector_cap_default: PositiveInt = 3
    session: Literal["always", "us_equities"] = "always"
    entries_stop_minutes: Annotated[int, Field(ge=0)] = 0  # before the session's close no entry passes
    flatten_minutes: Annotated[int, Field(ge=0)] = 0  # before the close positions are closed; 0 = they are kept
    symbol_caps_usd: dict[str, Usd] = Field(default_factory=dict)
    entries_off: tuple[str, ...] = ()  # symbols that are left and not entered


class Fees(Declared):
    """Fees in basis points of notional; a negative maker fee is a rebate."""

    maker_bps: float
    taker_bps: float


class FeedLimits(Declared):
    """When market data is too old to act on."""

    stale_ms: PositiveInt = 15_000


class MacroLimits(Declared):
    """How near a scheduled release entries freeze, and what an unknown calendar means."""

    window_minutes: PositiveInt = 15  # before and after
    when_degraded: Literal["trade", "shut"] = "shut"  # the calendar does not cover the day, or is stale
    earnings_before_minutes: PositiveInt = 90  # before a company may report; over the time stop
    earnings_after_minutes: Annotated[int, Field(ge=0)] = 15  # after the first session that knows the report has opened


class ReconcileLimits(Declared):
    """How often venue and ledger are compared, and what becomes of what was traded beside the engine."""

    every_s: PositiveInt = 30
    by_hand: Literal["adopt", "quarantine"] = "adopt"  # adopt: as if it were ours; quarantine: left to a person


class Simulated(Declared):
    """What the matching engine stands on in synthetic, shadow and replay."""

    cash_usd: Usd = Decimal(10_000)
    latency_ms: Annotated[float, Field(ge=0)] = 50.0
    latency_jitter_ms: Annotated[float, Field(ge=0)] = 20.0


class Profile(Declared):
    """One engine."""

    engine: EngineName
    venue: str
    signal: SignalLimits
    risk: RiskLimits
    routes: dict[AssetClass, Route]
    fees: dict[AssetClass, Fees]
    feed: FeedLimits = FeedLimits()
    macro: MacroLimits = MacroLimits()
    reconcile: ReconcileLimits = ReconcileLimits()
    simulated: Simulated = Simulated()
    tier_default: Tier
    tier_rules: dict[str, TierRule] = Field(default_factory=dict)  # by category of the universe
    tiers: dict[str, Tier] = Field(default_factory=dict)  # by symbol: the operator's, which nothing measured replaces
    symbols: tuple[str, ...]
    leverage: dict[str, PositiveInt] = Field(
        default_factory=dict
    )  # by symbol, over the universe's; the venue may cap it
    bars: dict[str, dict[str, str]] = Field(default_factory=dict)  # source -> symbol -> its name there; else: our own
    shadow_symbols: tuple[str, ...] = ()  # of these: traded by an engine of their own, whose orders never leave

    @property
    def universe(self) -> str:
        """The universe that its symbols are of."""
        return self.engine.removesuffix(SHADOW)

    @property
    def in_shadow(self) -> bool:
        """Whether its fills are simulated while others of the run trade for real."""
        return self.engine.endswith(SHADOW)

    def bars_given(self) -> dict[str, dict[str, str]]:
        """Of the symbols that are traded, those whose bars another source gives, as in `bars`."""
        traded = {source: {s: n for s, n in names.items() if s in self.symbols} for source, names in self.bars.items()}
        return {source: names for source, names in traded.items() if names}

    def category(self, symbol: str) -> str:
        """What the universe says a symbol is; empty where it says nothing."""
        facts = load_universe(self.universe).get(symbol)
        return facts.category if facts else ""

    def tier_rule(self, symbol: str) -> TierRule | None:
        """By what a symbol's thresholds are measured; None where they are given, or no rule is for it."""
        return None if symbol in self.tiers else self.tier_rules.get(self.category(symbol))

    def tier(self, symbol: str) -> Tier:
        """Thresholds of a symbol before anything was measured."""
        return self.tiers.get(symbol) or self.tier_rules.get(self.category(symbol)) or self.tier_default

    def notional_usd(self, asset_class: AssetClass, symbol: str = "") -> Decimal:
        """What one entry of an asset class is worth, or of a symbol of it."""
        signal = self.signal
        own = signal.notional_usd_by_symbol.get(symbol)
        return own or signal.notional_usd_by_class.get(asset_class, signal.notional_usd)

    def symbol_cap_usd(self, symbol: str) -> Decimal:
        """Largest position of a symbol."""
        return self.risk.symbol_caps_usd.get(symbol, self.risk.symbol_cap_usd)
