"""The manifest: everything that decides a generated market, in one flat record; the seed's SimulationManifest.

A field that is None is taken as measured for the microstructure: `resolved` says what that is. The manifest and the
generator's version together decide every byte, so `manifest_hash` names the data as well as the request.
"""

from collections.abc import Mapping
from difflib import get_close_matches
from functools import cache
from hashlib import sha256
from typing import Annotated, Any, Literal, get_type_hints

import msgspec
from msgspec import Meta, Struct

from config.errors import ConfigError
from venues.aleatoric.model import GENERATOR_VERSION, LEVELS
from venues.aleatoric.scenarios import Scenario

START_MS = 1_767_571_200_000
"""2026-01-05 00:00 UTC, a Monday: where a run starts that does not say."""

Exchange = Literal["hyperliquid", "binance", "okx", "bybit", "cme", "sgx", "alpaca"]
AssetClass = Literal["perp", "spot", "equity", "future"]
Microstructure = Literal["large_tick", "large_tick_btc", "large_tick_eth", "small_tick", "spot", "equity"]
LatencyMode = Literal["zero", "colocated", "retail"]

LATENCY_NS: dict[str, tuple[int, int]] = {
    "zero": (0, 0),
    "colocated": (1_000_000, 5_000_000),
    "retail": (50_000_000, 200_000_000),
}
"""Between what a source's latency lies, by mode (seed: API page, src_latency_mode)."""


def says(description: str, unit: str, **bounds: Any) -> Meta:
    """What the schema says of a field: what it is, its unit, its bounds."""
    return Meta(description=description, extra_json_schema={"unit": unit}, **bounds)


Share = Annotated[float, Meta(ge=0, le=1)]


class SimulationManifest(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """One market to make: what it is, where it starts, how it moves. Names known from the seeds are kept."""

    # What
    symbol: Annotated[str, says("The venue's name of it.", "name", pattern=r"^[A-Za-z0-9:/._-]{1,32}$")] = "BTC"
    seed: Annotated[int, says("Decides every draw.", "whole number", ge=0, le=2**63 - 1)] = 42
    exchange: Annotated[Exchange, says("Whose rules it follows: funding, dialect.", "name")] = "hyperliquid"
    asset_class: Annotated[AssetClass, says("perp pays funding, equity trades in US hours.", "name")] = "perp"
    microstructure: (
        Annotated[Microstructure, says("The measured book it is like; None: by class and spread.", "name")] | None
    ) = None
    start_ms: Annotated[int, says("When it starts, since 1970 UTC.", "ms", ge=0, lt=9 * 10**12)] = START_MS

    # The grid
    initial_price: Annotated[float, says("Mid price at the start.", "USD", gt=0, lt=1e9)] = 50_000.0
    tick_size: (
        Annotated[float, says("Distance of neighbouring prices; None: five figures.", "USD", gt=0, le=1e6)] | None
    ) = None
    lot_size: (
        Annotated[float, says("Finest size; None: worth a dollar at most.", "units of symbol", gt=0, le=1e9)] | None
    ) = None
    num_levels: Annotated[int, says("Prices shown a side.", "levels", ge=1, le=LEVELS)] | None = None
    book_update_interval_ms: Annotated[int, says("A book each.", "ms", ge=1, le=3_600_000)] | None = None

    # The price
    volatility_annual: Annotated[float, says("Standard deviation of a year's log returns.", "1", gt=0, le=10)] = 0.60
    drift_annual: Annotated[
        float, says("Mean of a year's simple return; of the log return, less half the variance.", "1", ge=-10, le=10)
    ] = 0.0
    price_process: Annotated[Literal["merton", "gbm"], says("Jump diffusion, or diffusion alone.", "name")] = "merton"
    price_clock: Annotated[
        Literal["activity", "calendar"], says("Whether busy hours move more, or all hours alike.", "name")
    ] = "activity"
    jump_intensity: Annotated[float, says("Merton jumps.", "per hour", ge=0, le=1000)] | None = None
    jump_mean_bps: Annotated[float, says("Their mean.", "bps", ge=-1000, le=1000)] = 0.0
    jump_std_bps: Annotated[float, says("Their standard deviation.", "bps", ge=0, le=2000)] | None = None
    market_factor_share: Annotated[Share, says("Of the variance is the whole market's.", "share")] | None = None
    quote_follow_ms: (
        Annotated[float, says("How late quotes follow the hidden price.", "ms", gt=0, le=600_000)] | None
    ) = None
    quote_move_probability: (
        Annotated[float, says("That quotes move in a step of mean activity.", "1", gt=0, lt=1)] | None
    ) = None

    # Activity
    activity_dial: Annotated[
        float, says("Stretches how unevenly things happen; 1 as measured, 0 evenly.", "factor", ge=0, le=3)
    ] = 1.0
    intraday_profile: Annotated[bool, says("Whether the UTC hour matters.", "yes or no")] = True
    burst_probability: Annotated[float, says("Share of time in a burst.", "share", ge=0, le=0.5)] | None = None
    burst_intensity_factor: Annotated[float, says("Activity in a burst.", "factor", ge=1, le=100)] | None = None
    burst_length_ms: Annotated[float, says("Mean length of a burst.", "ms", gt=0, le=3_600_000)] | None = None

    # The spread
    base_spread_bps: (
        Annotated[float, says("Usual spread, never below a tick; None: as measured, in ticks.", "bps", gt=0, le=2000)]
        | None
    ) = None
    spread_vol_sensitivity: (
        Annotated[float, says("Share of a move by which the side it leaves stays behind.", "share", ge=0, le=3)] | None
    ) = None
    spread_toxicity_sensitivity: (
        Annotated[float, says("Chance that makers keep away after a move.", "1", gt=0, le=1)] | None
    ) = None
    spread_recovery_ms: (
        Annotated[float, says("Time in which a usual widening closes.", "ms", gt=0, le=600_000)] | None
    ) = None

    # Depth
    touch_depth_usd: Annotated[float, says("Median worth of the best queue.", "USD", gt=0, le=1e10)] | None = None
    depth_decay_rate: Annotated[
        float, says("Each level over the one before, on top of the measured profile.", "factor", ge=0.5, le=1.5)
    ] = 1.0
    level_gap_ticks: (
        Annotated[float, says("Mean distance of levels; None: by the spread.", "ticks", ge=1, le=10_000)] | None
    ) = None
    depth_noise_dial: Annotated[
        float, says("Stretches how unequal queues are; 1 as measured.", "factor", ge=0, le=2)
    ] = 1.0
    front_flicker: Annotated[float, says("Step noise of the five best levels.", "e-folds", ge=0, le=3)] | None = None

    # Pressure
    pressure_dial: Annotated[
        float,
        says("Stretches how far queues lean with what moves the price: what imbalance knows.", "factor", ge=0, le=2),
    ] = 1.0
    facade_dial: Annotated[float, says("Stretches how far the front leans for nothing.", "factor", ge=0, le=3)] = 1.0
    facade_duration_ms: Annotated[float, says("How long a facade stands.", "ms", gt=0, le=3_600_000)] | None = None
    impact_decay_halflife_ms: (
        Annotated[float, says("Half-life of the fast pressure.", "ms", gt=0, le=3_600_000)] | None
    ) = None
    pressure_informed: (
        Annotated[float, says("Correlation of pressure with where the price goes.", "1", ge=0, lt=1)] | None
    ) = None

    # Trades
    trade_intensity_base: Annotated[float, says("Aggressive orders.", "per second", gt=0, le=200)] | None = None
    adverse_selection_strength: (
        Annotated[float, says("How surely takers side with the move that is due.", "share", ge=0, le=1)] | None
    ) = None
    trade_size_informed: (
        Annotated[float, says("Growth of a trade for each usual move due its way.", "e-folds", ge=0, le=3)] | None
    ) = None
    metaorder_probability: Annotated[Share, says("That an order is one of a series.", "1")] | None = None
    metaorder_tail: Annotated[float, says("Pareto exponent of a series' length.", "1", ge=1, le=5)] | None = None
    metaorder_max: Annotated[int, says("Longest series.", "orders", ge=2, le=1000)] | None = None
    metaorder_gap_ms: Annotated[float, says("Mean gap in a series.", "ms", gt=0, le=600_000)] | None = None
    trade_size_over_touch: (
        Annotated[float, says("Median trade over the median best queue.", "factor", gt=0, le=10)] | None
    ) = None
    trade_size_log_std: Annotated[float, says("Width of the sizes' body.", "e-folds", ge=0, le=5)] | None = None
    trade_size_alpha: Annotated[float, says("Pareto exponent of the sizes' tail.", "1", ge=0.5, le=10)] | None = None
    min_trade_size: Annotated[float, says("No order is smaller.", "units of symbol", gt=0, le=1e12)] | None = None
    max_trade_size: Annotated[float, says("No order is larger.", "units of symbol", gt=0, le=1e12)] | None = None

    # Staleness
    staleness_ms: Annotated[float, says("Mean age of a book when it arrives.", "ms", ge=0, le=60_000)] | None = None
    late_probability: Annotated[Share, says("That a book comes later.", "1")] | None = None
    late_ms_max: Annotated[float, says("By up to this.", "ms", ge=0, le=60_000)] | None = None
    still_probability: Annotated[Share, says("That a book shows nothing new.", "1")] | None = None
    src_latency_mode: Annotated[LatencyMode, says("How far the source is: 0, 1 to 5, 50 to 200 ms.", "name")] = "zero"

    # Perpetuals
    funding_profile: Annotated[
        Literal["venue", "aleatoric"], says("Today's rules of the exchange, or the seed's figures.", "name")
    ] = "venue"
    premium_std_bps: Annotated[float, says("Of the hour's mean premium.", "bps", ge=0, le=500)] = 4.0
    premium_tau_h: Annotated[float, says("How long a premium lasts.", "hours", gt=0, le=1000)] = 12.0
    basis_theta: Annotated[float, says("Mean reversion of a pair's basis.", "per step", gt=0, lt=1)] = 0.005
    basis_sigma_bps: Annotated[float, says("Its noise.", "bps per step", ge=0, le=10)] = 0.15
    basis_cap_bps: Annotated[float, says("Its bound, both ways.", "bps", gt=0, le=500)] = 15.0
    basis_target_bps: Annotated[float, says("What it reverts to, with the sign of funding.", "bps", ge=0, le=100)] = 2.0
    spot_trade_share: Annotated[Share, says("Of a pair's spot events come from trades.", "share")] = 0.7

    # On purpose
    scenarios: Annotated[tuple[Scenario, ...], says("What befalls it, and when.", "list", max_length=100)] = ()


SYNONYMS = {
    "initial_mid": "initial_price",
    "initial_spread_bps": "base_spread_bps",
    "book_depth": "num_levels",
    "volatility": "volatility_annual",
    "drift": "drift_annual",
}
"""Names of older clients (seed: client examples), read as what they mean."""


@cache
def field_types() -> dict[str, Any]:
    """The type of each field with its bounds."""
    return get_type_hints(SimulationManifest, include_extras=True)


LEAST = 1e-9
"""Numbers next to nothing: what is divided by one leaves the range of floats, and no market has any."""


def read_manifest(raw: Mapping[str, object], source: str = "") -> SimulationManifest:
    """A manifest from a table or JSON object. Raises ConfigError: the field, its value, what would be right."""
    values: dict[str, object] = {}
    for given, value in raw.items():
        name = SYNONYMS.get(given, given)
        if name in values:
            raise ConfigError(given, f"means {name}, which is there as well; give one of them", value, source)
        values[name] = _read_field(name, value, source)
    return msgspec.convert(values, SimulationManifest)


def _read_field(name: str, value: object, source: str) -> object:
    types = field_types()
    if name not in types:
        near = get_close_matches(name, types, 1)
        hint = f"did you mean {near[0]}?" if near else "`obid generate --describe PRESET` lists them"
        raise ConfigError(name, f"the manifest has no such field; {hint}", value, source)
    if isinstance(value, float) and 0 < abs(value) < LEAST:
        raise ConfigError(name, f"must be 0 or not nearer to it than {LEAST:g}: {wanted(name)}", value, source)
    try:
        return msgspec.convert(value, types[name])
    except msgspec.ValidationError as error:
        right = str(error.__cause__ or error) if name == "scenarios" else f"must be {wanted(name)}"
        raise ConfigError(name, right, value, source) from error


def wanted(name: str) -> str:
    """What a field takes, in words: its kind, its range, its unit and what it is."""
    said = about(name)
    if "enum" in said:
        kind = "one of " + ", ".join(map(str, said["enum"]))
    else:
        kind = {"integer": "a whole number", "number": "a number"}.get(said["type"], f"a {said['type']}")
    kind += f" that matches {said['pattern']}" if "pattern" in said else ""
    bounds = [f"{word} {said[key]:g}" for key, word in _BOUNDS.items() if key in said]
    unit = f" [{said['unit']}]" if bounds else ""
    return f"{kind} {' '.join(bounds)}".rstrip() + f"{unit}: {said['description']}"


_BOUNDS = {
    "minimum": "from",
    "exclusiveMinimum": "above",
    "maximum": "to",
    "exclusiveMaximum": "below",
}


def about(name: str) -> dict[str, Any]:
    """What the schema says of a field: description, unit, type, bounds, default."""
    said: dict[str, Any] = dict(manifest_schema()["properties"][name])
    for part in said.pop("anyOf", ()):
        if part != {"type": "null"}:
            said |= part
    return said


def manifest_from_json(text: bytes | str, source: str = "") -> SimulationManifest:
    """A manifest from JSON text. Raises ConfigError."""
    try:
        raw = msgspec.json.decode(text)
    except msgspec.DecodeError as error:
        raise ConfigError("manifest", f"{error}; it must be a JSON object", None, source) from error
    if not isinstance(raw, dict):
        raise ConfigError("manifest", "must be a JSON object", raw, source)
    return read_manifest(raw, source)


@cache
def manifest_schema() -> dict[str, Any]:
    """The JSON Schema of a manifest, with a unit for each field."""
    whole = msgspec.json.schema(SimulationManifest)
    parts = whole["$defs"]
    schema: dict[str, Any] = parts.pop("SimulationManifest")
    near_nothing = [
        {"type": "number", "exclusiveMinimum": 0, "exclusiveMaximum": LEAST},
        {"type": "number", "exclusiveMinimum": -LEAST, "exclusiveMaximum": 0},
    ]
    for said in schema["properties"].values():
        if any(part.get("type") == "number" for part in (said, *said.get("anyOf", ()))):
            said["not"] = {"anyOf": near_nothing}
    return {"$schema": "https://json-schema.org/draft/2020-12/schema", **schema, "$defs": parts}


def canonical_json(manifest: SimulationManifest) -> bytes:
    """The one spelling of a manifest: names in order, nothing between, 100 where a float belongs as 100.0."""
    read = msgspec.convert(msgspec.structs.asdict(manifest), SimulationManifest)
    return msgspec.json.encode(read, order="sorted")


def manifest_hash(manifest: SimulationManifest) -> str:
    """`sha256:...` of the canonical JSON with the generator's version: what names a run's bytes."""
    whole = b'{"generator_version":%d,"manifest":%s}' % (GENERATOR_VERSION, canonical_json(manifest))
    return f"sha256:{sha256(whole).hexdigest()}"
