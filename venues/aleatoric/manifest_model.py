"""From a manifest to the model of a symbol: the named microstructure with the manifest's numbers put in."""

from decimal import ROUND_FLOOR, Decimal
from fractions import Fraction
from math import ceil, inf, sqrt
from typing import Any

from msgspec import Struct
from msgspec.structs import replace

from config.errors import ConfigError
from supervisor.clock import NS_PER_MS
from venues.aleatoric.flow import children_mean
from venues.aleatoric.funding.figures import EXCHANGES
from venues.aleatoric.manifest import LATENCY_NS, SimulationManifest
from venues.aleatoric.model import SymbolModel
from venues.aleatoric.shapes import LARGE_TICK_SPREAD_MAX, SHAPES, display_tick, in_market
from venues.aleatoric.transforms import exp_of, log_of

BPS = 10_000.0  # in one
MS_PER_S = 1_000.0
SECONDS_PER_HOUR = 3_600.0
LN2 = log_of(2.0)
FIGURES_MAX = 5  # of a price whose tick nobody gave, as on Hyperliquid
FINEST_TICK = Decimal("1e-9")
LOT_USD_MAX = 1  # worth of the lot that nobody gave
JUMP_SHARE_MAX = 0.9  # of the variance; more, and the price is nothing but jumps
TICKS_MAX = 1 << 40  # at the start: positions are in ticks / 2^16, and a price that grows needs room in 64 bits
QUEUE_LOTS_MAX = 1 << 40  # of a median best queue: a thousandth of LOTS_MAX, where sizes are cut off
EXACT_MAX = 1 << 53  # whole numbers that a double holds: ticks times the numerator of the tick, and lots likewise
ORDERS_PER_STEP_MEAN_MAX = 1_000  # a block of them is 200 MB


class Dial(Struct, frozen=True):
    """Where a field of the manifest stands in the model."""

    field: str
    part: str  # clock, price, book, flow; empty: the model itself
    attribute: str
    factor: float = 1.0  # manifest = model x factor


DIALS = (
    Dial("num_levels", "", "levels"),
    Dial("touch_depth_usd", "", "touch_usd"),
    Dial("late_probability", "", "late_chance"),
    Dial("jump_intensity", "price", "jumps_per_h"),
    Dial("market_factor_share", "price", "factor_share"),
    Dial("quote_follow_ms", "price", "follow_s", MS_PER_S),
    Dial("pressure_informed", "price", "pressure_informed"),
    Dial("spread_vol_sensitivity", "price", "spread_lag_share"),
    Dial("spread_toxicity_sensitivity", "price", "spread_lag_chance"),
    Dial("spread_recovery_ms", "price", "spread_close_s", MS_PER_S),
    Dial("burst_intensity_factor", "clock", "burst_gain"),
    Dial("burst_length_ms", "clock", "burst_length_s", MS_PER_S),
    Dial("front_flicker", "book", "flicker"),
    Dial("facade_duration_ms", "book", "facade_s", MS_PER_S),
    Dial("still_probability", "book", "still_chance"),
    Dial("trade_intensity_base", "flow", "trades_per_s"),
    Dial("adverse_selection_strength", "flow", "lean"),
    Dial("trade_size_informed", "flow", "size_informed"),
    Dial("metaorder_probability", "flow", "metaorder_chance"),
    Dial("metaorder_tail", "flow", "children_tail"),
    Dial("metaorder_max", "flow", "children_max"),
    Dial("metaorder_gap_ms", "flow", "child_gap_s", MS_PER_S),
    Dial("trade_size_over_touch", "flow", "size_over_touch"),
    Dial("trade_size_log_std", "flow", "size_log_std"),
    Dial("trade_size_alpha", "flow", "size_tail"),
)
"""The fields that are a number of the model, or a multiple of it."""


def shape_of(manifest: SimulationManifest) -> SymbolModel:
    """The measured book that a manifest builds on."""
    if manifest.microstructure is not None:
        return SHAPES[manifest.microstructure]
    if manifest.asset_class in ("spot", "equity"):
        return SHAPES[manifest.asset_class]
    spread_ticks = spread_in_ticks(manifest)
    return SHAPES["small_tick" if spread_ticks is not None and spread_ticks > LARGE_TICK_SPREAD_MAX else "large_tick"]


def tick_of(manifest: SimulationManifest) -> Decimal:
    """The distance of neighbouring prices."""
    if manifest.tick_size is not None:
        return decimal(manifest.tick_size)
    return display_tick(decimal(manifest.initial_price), FINEST_TICK, FIGURES_MAX)


def lot_of(manifest: SimulationManifest) -> Decimal:
    """The finest size."""
    if manifest.lot_size is not None:
        return decimal(manifest.lot_size)
    power = (LOT_USD_MAX / decimal(manifest.initial_price)).log10().to_integral_value(ROUND_FLOOR)
    return Decimal(1).scaleb(int(min(power, Decimal(0))))


def decimal(number: float) -> Decimal:
    """The number as it was written."""
    return Decimal(repr(number))


def spread_in_ticks(manifest: SimulationManifest) -> float | None:
    """The usual spread that a manifest asks for; None: as its microstructure has it."""
    if manifest.base_spread_bps is None:
        return None
    return max(1.0, manifest.base_spread_bps / BPS * manifest.initial_price / float(tick_of(manifest)))


def model_of(manifest: SimulationManifest) -> SymbolModel:
    """The model that a manifest describes. Raises ConfigError for numbers that exclude each other."""
    if manifest.asset_class == "perp" and manifest.exchange not in EXCHANGES:
        right = f"has no perpetuals: a perp trades on one of {', '.join(EXCHANGES)}"
        raise ConfigError("exchange", right, manifest.exchange)
    shape = shape_of(manifest)
    spread_ticks = spread_in_ticks(manifest)
    if spread_ticks is not None:
        shape = in_market(shape, spread_ticks, shape.flow.trades_per_s)
    model = _dialled(manifest, shape)
    cadence_ns = model.cadence_ns
    if manifest.book_update_interval_ms is not None:
        cadence_ns = manifest.book_update_interval_ms * NS_PER_MS
    tick, lot = tick_of(manifest), lot_of(manifest)
    model = replace(
        model,
        symbol=manifest.symbol,
        tick=tick,
        lot=lot,
        price_initial=decimal(manifest.initial_price),
        volatility_annual=manifest.volatility_annual,
        cadence_ns=cadence_ns,
        session="us_equities" if manifest.asset_class == "equity" else "always",
        perpetual=manifest.asset_class == "perp",
        funding_venue=manifest.exchange,
        funding_profile=manifest.funding_profile,
        premium_std_bps=manifest.premium_std_bps,
        premium_tau_h=manifest.premium_tau_h,
        latency_ns=LATENCY_NS[manifest.src_latency_mode],
        scenarios=manifest.scenarios,
        **_stale(manifest),
        clock=_clock(manifest, model),
        price=_price(manifest, model, cadence_ns),
        book=_book(manifest, model),
        flow=replace(model.flow, **_sizes(manifest, lot), draws=_draws(model, cadence_ns)),
    )
    _refuse_unprintable(model)
    if round(model.price_initial / tick) < 2 * model.ticks_min:
        right = f"must be at least {2 * model.ticks_min * tick}, which leaves {model.levels} levels of {tick} room"
        raise ConfigError("initial_price", right, manifest.initial_price)
    return model


def _dialled(manifest: SimulationManifest, shape: SymbolModel) -> SymbolModel:
    """The shape with every given number of DIALS in its place."""
    given: dict[str, dict[str, Any]] = {}
    for dial in DIALS:
        value = getattr(manifest, dial.field)
        if value is not None:
            given.setdefault(dial.part, {})[dial.attribute] = value if dial.factor == 1.0 else value / dial.factor
    own = given.pop("", {})
    parts = {part: replace(getattr(shape, part), **values) for part, values in given.items()}
    return replace(shape, **own, **parts)


def _stale(manifest: SimulationManifest) -> dict[str, int]:
    given = {"delay_ns": manifest.staleness_ms, "late_ns": manifest.late_ms_max}
    return {name: round(ms * NS_PER_MS) for name, ms in given.items() if ms is not None}


def _clock(manifest: SimulationManifest, model: SymbolModel) -> Any:
    clock, dial, share = model.clock, manifest.activity_dial, manifest.burst_probability
    if dial != 1.0:
        fast, slow, hourly = clock.stds
        clock = replace(clock, stds=(fast * dial, slow * dial, hourly * dial), mood_std=clock.mood_std * dial)
    if not manifest.intraday_profile or manifest.asset_class == "equity":
        clock = replace(clock, hours=(1.0,) * len(clock.hours))
    if manifest.asset_class == "equity":
        clock = replace(clock, mood_std=0.0)  # a session stands still overnight: no hour is its own
    if share is not None:
        # A queue without end is busy for 1 - e^-(length / every) of the time.
        clock = replace(clock, burst_every_s=-clock.burst_length_s / log_of(1.0 - share) if share else inf)
    return clock


def _price(manifest: SimulationManifest, model: SymbolModel, cadence_ns: int) -> Any:
    price = model.price
    moves = manifest.quote_move_probability
    if moves is None:
        moves = 1.0 - exp_of(log_of(1.0 - price.moves_per_step) * cadence_ns / model.cadence_ns)
    if cadence_ns == model.cadence_ns and manifest.quote_move_probability is None:
        moves = price.moves_per_step
    fast, slow = price.pressure_taus_s
    if manifest.impact_decay_halflife_ms is not None:
        tau_s = manifest.impact_decay_halflife_ms / MS_PER_S / LN2
        fast, slow = tau_s, slow / fast * tau_s
    return replace(
        price,
        drift_annual=manifest.drift_annual,
        clock=manifest.price_clock,
        jump_share=_jump_share(manifest, model),
        jump_mean_bps=manifest.jump_mean_bps,
        moves_per_step=moves,
        pressure_taus_s=(fast, slow),
    )


def _jump_share(manifest: SimulationManifest, model: SymbolModel) -> float:
    """How much of the variance the jumps make."""
    if manifest.price_process == "gbm":
        for name in ("jump_intensity", "jump_std_bps"):
            if getattr(manifest, name):
                raise ConfigError(
                    name, "gbm has no jumps: leave it out, or make price_process merton", getattr(manifest, name)
                )
        return 0.0
    rate_h = model.price.jumps_per_h
    if not rate_h:
        return 0.0
    if manifest.jump_std_bps is None and not manifest.jump_mean_bps:
        return model.price.jump_share
    hours = model.year_s / SECONDS_PER_HOUR
    whole = manifest.volatility_annual * BPS * sqrt(1.0 / (rate_h * hours))  # a jump's size if jumps were all, in bps
    std_bps = manifest.jump_std_bps if manifest.jump_std_bps is not None else whole * sqrt(model.price.jump_share)
    share = (std_bps * std_bps + manifest.jump_mean_bps * manifest.jump_mean_bps) / (whole * whole)
    if share > JUMP_SHARE_MAX:
        most = whole * sqrt(JUMP_SHARE_MAX)
        right = f"at most {most:.3g} bps: {rate_h:g} such jumps an hour exceed volatility_annual"
        raise ConfigError("jump_std_bps", right, std_bps)
    return share


def _book(manifest: SimulationManifest, model: SymbolModel) -> Any:
    book = model.book
    if manifest.level_gap_ticks is not None:
        book = replace(book, level_gap_ticks=manifest.level_gap_ticks)
    if manifest.depth_decay_rate != 1.0:
        decay = log_of(manifest.depth_decay_rate)
        book = replace(book, profile=tuple(log + rank * decay for rank, log in enumerate(book.profile)))
    if manifest.depth_noise_dial != 1.0:
        book = replace(book, noise=_stretched(book.noise, manifest.depth_noise_dial))
    leans = book.leans
    if manifest.pressure_dial != 1.0:
        leans = (*(_stretched(row, manifest.pressure_dial) for row in leans[:-1]), leans[-1])
    if manifest.facade_dial != 1.0:
        leans = (*leans[:-1], _stretched(leans[-1], manifest.facade_dial))
    return replace(book, leans=leans)


def _stretched(values: tuple[float, ...], by: float) -> tuple[float, ...]:
    return tuple(value * by for value in values)


def _sizes(manifest: SimulationManifest, lot: Decimal) -> dict[str, int]:
    """Bounds of a trade in lots."""
    bounds: dict[str, int] = {}
    if manifest.min_trade_size is not None:
        bounds["lots_min"] = max(1, round(decimal(manifest.min_trade_size) / lot))
    if manifest.max_trade_size is not None:
        bounds["lots_max"] = max(1, round(decimal(manifest.max_trade_size) / lot))
    if bounds.get("lots_min", 1) > bounds.get("lots_max", inf):
        right = f"must be at least min_trade_size {manifest.min_trade_size:g}"
        raise ConfigError("max_trade_size", right, manifest.max_trade_size)
    return bounds


def _draws(model: SymbolModel, cadence_ns: int) -> int:
    """Draws that the orders of a step need: one for each that comes on average. Raises ConfigError for too many."""
    step_s = cadence_ns / NS_PER_MS / MS_PER_S
    a_trade = children_mean(model.flow)
    mean = model.flow.trades_per_s * step_s / a_trade
    if mean > ORDERS_PER_STEP_MEAN_MAX:
        most = ORDERS_PER_STEP_MEAN_MAX * a_trade / step_s
        right = f"must be at most {most:.3g} with a book each {step_s:g} s; or give a shorter book_update_interval_ms"
        raise ConfigError("trade_intensity_base", right, model.flow.trades_per_s)
    return max(1, ceil(mean))


def _refuse_unprintable(model: SymbolModel) -> None:
    """Refuse a grid so fine that prices or sizes would not fit the integers, or not print exactly."""
    price, tick, lot = (Fraction(number) for number in (model.price_initial, model.tick, model.lot))
    ticks, queue = price / tick, Fraction(model.touch_usd) / price / lot
    for name, step, count, most in (("tick_size", tick, ticks, TICKS_MAX), ("lot_size", lot, queue, QUEUE_LOTS_MAX)):
        value = float(step)
        if count > most:
            of = f"a price of {model.price_initial}" if name == "tick_size" else f"a queue of {model.touch_usd:g} USD"
            least = step * count / most
            text = f"{Decimal(least.numerator) / Decimal(least.denominator):.3g}"  # what no float holds, too
            raise ConfigError(name, f"must be at least {text}: {of} has no more steps", value)
        if count * step.numerator > EXACT_MAX:
            raise ConfigError(name, "has too many figures for what is counted in it: round it to a few", value)


def resolved(manifest: SimulationManifest) -> SimulationManifest:
    """The manifest with a number in place of each None, to read; bounds of size stay None where there are none."""
    model = model_of(manifest)
    found: dict[str, Any] = {}
    for dial in DIALS:
        value = getattr(getattr(model, dial.part) if dial.part else model, dial.attribute)
        found[dial.field] = value if dial.factor == 1.0 else value * dial.factor
    price, clock, book = model.price, model.clock, model.book
    hours = model.year_s / SECONDS_PER_HOUR
    rate_h = price.jumps_per_h
    variance = model.volatility_annual**2 * price.jump_share / (rate_h * hours) * BPS * BPS if rate_h else 0.0
    found |= {
        "microstructure": next(name for name, shape in SHAPES.items() if shape is shape_of(manifest)),
        "tick_size": float(model.tick),
        "lot_size": float(model.lot),
        "book_update_interval_ms": model.cadence_ns // NS_PER_MS,
        "jump_std_bps": sqrt(max(0.0, variance - price.jump_mean_bps**2)),
        "quote_move_probability": price.moves_per_step,
        "burst_probability": 1.0 - exp_of(-clock.burst_length_s / clock.burst_every_s),
        "base_spread_bps": (book.spread_floor_ticks + book.spread_extra_ticks)
        * float(model.tick)
        / manifest.initial_price
        * BPS,
        "level_gap_ticks": book.level_gap_ticks,
        "impact_decay_halflife_ms": price.pressure_taus_s[0] * LN2 * MS_PER_S,
        "staleness_ms": model.delay_ns / NS_PER_MS,
        "late_ms_max": model.late_ns / NS_PER_MS,
    }
    return replace(manifest, **{name: value for name, value in found.items() if getattr(manifest, name) is None})
