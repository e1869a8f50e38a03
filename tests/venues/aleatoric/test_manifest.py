"""The manifest: one flat record that decides every byte, refused field by field when it cannot be."""

import json
from decimal import Decimal
from math import isfinite

import jsonschema
import msgspec
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from msgspec.structs import replace

from config.errors import ConfigError
from config.universe import load_universe
from daemon.markets import model_of as daemon_model
from venues.aleatoric.batch import SECONDS_MAX, Batch
from venues.aleatoric.manifest import (
    LEAST,
    SYNONYMS,
    SimulationManifest,
    about,
    canonical_json,
    field_types,
    manifest_from_json,
    manifest_hash,
    manifest_schema,
    read_manifest,
    wanted,
)
from venues.aleatoric.manifest_model import model_of, resolved
from venues.aleatoric.presets import PRESETS, SEVEN, get_preset, manifest_of, preset_names
from venues.aleatoric.scenarios import KINDS
from venues.aleatoric.symbol import Reactor

FOR_PAIRS_ONLY = {
    *("basis_theta", "basis_sigma_bps", "basis_cap_bps", "basis_target_bps", "spot_trade_share"),
}
SEEDS_NAMES = {
    *("symbol", "seed", "initial_price", "drift_annual", "volatility_annual", "jump_intensity", "jump_mean_bps"),
    *("jump_std_bps", "base_spread_bps", "num_levels", "trade_intensity_base", "book_update_interval_ms"),
    *("burst_probability", "burst_intensity_factor", "staleness_ms", "adverse_selection_strength"),
    *("impact_decay_halflife_ms", "spread_vol_sensitivity", "spread_toxicity_sensitivity", "depth_decay_rate"),
    *("trade_size_alpha", "min_trade_size", "max_trade_size", "tick_size", "lot_size"),
}


def test_it_has_over_forty_documented_fields_and_the_names_of_the_seeds():
    fields = field_types()
    assert len(fields) >= 40
    assert set(fields) >= SEEDS_NAMES
    assert set(SYNONYMS.values()) <= set(fields)
    for name in fields:
        said = about(name)
        assert said["description"].endswith(".")
        assert said["unit"]
        assert "default" in said
        assert wanted(name)


def test_the_page_s_example_is_a_manifest():
    manifest = manifest_from_json(b'{"symbol":"BTC","initial_price":50000.0,"volatility_annual":0.60,"seed":42}')
    assert manifest == SimulationManifest()
    assert Reactor(model_of(manifest), manifest.seed).next_block(0).lots.min() >= 1


@pytest.mark.parametrize(
    ("raw", "says"),
    [
        ({"volatility_anual": 1}, r"volatility_anual = 1: .*did you mean volatility_annual"),
        ({"seed": -1}, r"seed = -1: must be a whole number from 0 .*\[whole number\]"),
        ({"num_levels": 50}, r"num_levels = 50: must be a whole number from 1 to 20 \[levels\]"),
        ({"initial_mid": 3, "initial_price": 4}, r"initial_price = 4: means initial_price, which is there as well"),
        ({"exchange": "ftx"}, r"exchange = 'ftx': must be one of alpaca, .*hyperliquid"),
        ({"jump_std_bps": "x"}, r"jump_std_bps = 'x': must be a number from 0 to 2000 \[bps\]"),
        ({"volatility_annual": float("nan")}, r"volatility_annual = nan: must be a number above 0"),
        ({"drift_annual": float("nan")}, r"drift_annual = nan"),
        ({"min_trade_size": float("inf")}, r"min_trade_size = inf"),
        ({"symbol": "a b"}, r"symbol = 'a b'"),
        ({"scenarios": [{"kind": "quake", "at_s": 1}]}, r"scenarios = .*kind 'quake': one of flash_crash"),
        ({"scenarios": [{"kind": "trend", "at": 1}]}, r"scenarios = .*unknown field `at`"),
        ({"mean_reversion": 0.1}, r"mean_reversion = 0.1: the manifest has no such field"),
    ],
)
def test_a_wrong_field_is_named_with_its_value_and_what_is_right(raw, says):
    with pytest.raises(ConfigError, match=says):
        read_manifest(raw)


@pytest.mark.parametrize(
    ("given_values", "field"),
    [
        ({"min_trade_size": 2.0, "max_trade_size": 1.0}, "max_trade_size"),
        ({"initial_price": 1.0, "tick_size": 0.5}, "initial_price"),
        ({"jump_intensity": 100.0, "jump_std_bps": 500.0}, "jump_std_bps"),
        ({"price_process": "gbm", "jump_intensity": 3.0}, "jump_intensity"),
    ],
)
def test_numbers_that_exclude_each_other_are_refused(given_values, field):
    with pytest.raises(ConfigError) as refused:
        model_of(read_manifest(given_values))
    assert refused.value.field == field


@pytest.mark.parametrize("text", [b"[]", b"{", b"3"])
def test_what_is_not_an_object_is_refused(text):
    with pytest.raises(ConfigError, match="JSON object"):
        manifest_from_json(text)


@pytest.mark.parametrize(
    ("given_values", "field"),
    [
        ({"tick_size": 1e-12}, "tick_size"),  # positions would not fit 64 bits
        ({"tick_size": 1e-320}, "tick_size"),
        ({"initial_price": 9e8, "tick_size": 1e-9}, "tick_size"),
        ({"tick_size": 0.00123456789012345}, "tick_size"),  # nor would prices print exactly
        ({"lot_size": 1e-15}, "lot_size"),  # queues would be cut off at a fraction of what they should be
        ({"lot_size": 1e9, "initial_price": 1e-6, "tick_size": 1e-9, "touch_depth_usd": 1e10}, "lot_size"),
        ({"book_update_interval_ms": 3_600_000}, "trade_intensity_base"),
    ],
)
def test_a_grid_that_does_not_fit_the_integers_is_refused(given_values, field):
    whole = replace(get_preset("hyperliquid_perp_sol"), **given_values)
    with pytest.raises(ConfigError) as caught:
        model_of(read_manifest({name: getattr(whole, name) for name in SimulationManifest.__struct_fields__}))
    assert caught.value.field == field


BOUNDS = ("minimum", "maximum", "exclusiveMinimum", "exclusiveMaximum")


def at_the_bounds():
    """Each number of a manifest as small and as large as it may be."""
    for name in field_types():
        said = about(name)
        for bound in BOUNDS:
            if said.get("type") in ("number", "integer") and bound in said:
                inside = {"exclusiveMinimum": 1, "exclusiveMaximum": -1}.get(bound, 0)
                scale = 1 if said["type"] == "integer" else 1e-9
                yield name, said[bound] + inside * scale * max(1, abs(said[bound]) if scale < 1 else 1)


@pytest.mark.parametrize("preset", ["hyperliquid_perp_wlfi", "binance_spot_btc"])
@pytest.mark.filterwarnings("error")
def test_the_bounds_of_every_number_make_books_or_are_refused(preset):
    made = 0
    for name, value in at_the_bounds():
        whole = replace(get_preset(preset), **{name: value})
        manifest = read_manifest({field: getattr(whole, field) for field in field_types()})
        try:
            model = model_of(manifest)
        except ConfigError as error:
            assert error.field in field_types(), (name, value)
            continue
        block = Reactor(model, manifest.seed).next_block(manifest.start_ms * 10**6)
        assert (block.ticks[0, :, 0] < block.ticks[1, :, 0]).all(), (name, value)
        assert block.ticks.min() >= 1, (name, value)
        assert block.lots.min() >= 1, (name, value)
        assert block.age_ns.min() >= 0, (name, value)
        made += 1
    assert made > 80


def test_a_whole_number_where_a_float_belongs_is_the_same_manifest():
    assert manifest_hash(SimulationManifest(initial_price=100)) == manifest_hash(
        SimulationManifest(initial_price=100.0)
    )


def test_the_latest_start_still_fits_nanoseconds():
    latest = manifest_schema()["properties"]["start_ms"]["exclusiveMaximum"] - 1
    manifest = replace(get_preset("hyperliquid_perp_sol"), start_ms=latest)
    assert (latest + SECONDS_MAX * 1000) * 10**6 < 2**63
    assert len(next(Batch(manifest, 60).rows()).received_ns) == 109


def test_the_hash_is_of_the_canonical_json_and_the_version():
    manifest = SimulationManifest()
    assert manifest_hash(manifest).startswith("sha256:")
    assert len(manifest_hash(manifest)) == len("sha256:") + 64
    assert manifest_hash(manifest_from_json(canonical_json(manifest))) == manifest_hash(manifest)
    assert manifest_hash(replace(manifest, seed=43)) != manifest_hash(manifest)
    text = canonical_json(manifest).decode()
    assert list(json.loads(text)) == sorted(json.loads(text))
    assert " " not in text


def test_every_field_does_something():
    """Each field, set to something else that is allowed, gives another model or another hidden number of a pair."""
    manifest = SimulationManifest()
    others = {
        "symbol": "ETH", "seed": 1, "exchange": "okx", "asset_class": "spot", "microstructure": "small_tick",
        "start_ms": 5, "price_process": "gbm", "price_clock": "calendar", "intraday_profile": False,
        "src_latency_mode": "retail", "funding_profile": "aleatoric", "tick_size": 0.5, "lot_size": 0.5,
        "level_gap_ticks": 3.0, "num_levels": 5, "burst_intensity_factor": 3.0, "book_update_interval_ms": 200,
        "depth_decay_rate": 0.9, "max_trade_size": 9.0, "min_trade_size": 0.5, "metaorder_max": 30,
        "metaorder_tail": 1.7,
        "initial_price": 70_000.0, "base_spread_bps": 9.0, "scenarios": [{"kind": "trend", "at_s": 5}],
    }  # fmt: skip
    now = resolved(manifest)
    for name in set(field_types()) - FOR_PAIRS_ONLY - {"seed", "start_ms"}:
        value = others[name] if name in others else getattr(now, name) * 0.5 or 0.1
        changed = read_manifest({name: value})
        assert model_of(changed) != model_of(manifest), name


SCENARIOS = st.builds(
    lambda kind, at_s: {"kind": kind, "at_s": at_s}, st.sampled_from(sorted(KINDS)), st.floats(0, 1e6, allow_nan=False)
)


def strategy_of(name):
    said = about(name)
    if name == "scenarios":
        return st.lists(SCENARIOS, max_size=3)
    if "enum" in said:
        return st.sampled_from(said["enum"])
    if said["type"] == "boolean":
        return st.booleans()
    if said["type"] == "string":
        return st.sampled_from(["BTC", "xyz:TSLA", "BTC/USD", "kSHIB"])
    low = said.get("minimum", said.get("exclusiveMinimum"))
    high = said.get("maximum", said.get("exclusiveMaximum"))
    if said["type"] == "integer":
        return st.integers(low, high - ("exclusiveMaximum" in said))
    ends = {"exclude_min": "exclusiveMinimum" in said, "exclude_max": "exclusiveMaximum" in said}
    return st.floats(float(low), float(high), allow_nan=False, **ends).filter(lambda x: x == 0 or abs(x) >= LEAST)


any_manifest = st.fixed_dictionaries({}, optional={name: strategy_of(name) for name in field_types()})


@settings(max_examples=60)
@given(any_manifest)
def test_what_the_schema_allows_the_reader_reads_and_says_again(raw):
    jsonschema.validate(raw, manifest_schema())
    manifest = read_manifest(raw)
    assert manifest_from_json(canonical_json(manifest)) == manifest
    jsonschema.validate(json.loads(canonical_json(manifest)), manifest_schema())


@settings(max_examples=60)
@given(
    st.sampled_from(sorted(field_types())), st.one_of(st.floats(), st.text(max_size=3), st.integers(-(2**70), 2**70))
)
def test_reader_and_schema_agree_on_what_is_wrong(name, value):
    try:
        jsonschema.validate({name: value}, manifest_schema())
        # To JSON Schema 1.0 is an integer; here it is not, because nobody who means a count writes it so.
        allowed = isfinite(value) and about(name).get("type") != "integer" if isinstance(value, float) else True
    except jsonschema.ValidationError:
        allowed = False
    if allowed:
        read_manifest({name: value})
    else:
        with pytest.raises(ConfigError):
            read_manifest({name: value})


def dial(high: int):
    """From nothing up, but not next to nothing."""
    return st.just(0.0) | st.floats(LEAST, high)


tame = st.fixed_dictionaries(
    {
        "initial_price": st.floats(0.5, 200_000),
        "volatility_annual": st.floats(0.01, 5),
        "base_spread_bps": st.none() | st.floats(0.01, 200),
        "num_levels": st.none() | st.integers(1, 20),
        "book_update_interval_ms": st.none() | st.sampled_from([10, 50, 100, 550, 1000, 5400]),
        "trade_intensity_base": st.none() | st.floats(0.01, 50),
        "depth_decay_rate": st.floats(0.7, 1.2),
        "facade_dial": dial(3),
        "pressure_dial": dial(2),
        "activity_dial": dial(2),
        "depth_noise_dial": dial(2),
        "level_gap_ticks": st.none() | st.floats(1, 50),
        "jump_intensity": st.none() | dial(5),
        "price_clock": st.sampled_from(["activity", "calendar"]),
        "src_latency_mode": st.sampled_from(["zero", "colocated", "retail"]),
        "asset_class": st.sampled_from(["perp", "spot", "equity", "future"]),
        "seed": st.integers(0, 2**63 - 1),
    }
)


@settings(max_examples=40)
@given(tame)
def test_no_book_of_any_manifest_is_crossed_empty_or_off_its_grid(raw):
    manifest = read_manifest({name: value for name, value in raw.items() if value is not None})
    model = model_of(manifest)
    reactor, newest_ns = Reactor(model, manifest.seed), -(10**18)
    for index in range(2):
        start_ns = manifest.start_ms * 1_000_000 + index * 1024 * model.cadence_ns
        block = reactor.next_block(start_ns)
        bids, asks = block.ticks
        assert (bids[:, 0] < asks[:, 0]).all()
        assert (np.diff(bids, axis=1) < 0).all()
        assert (np.diff(asks, axis=1) > 0).all()
        assert bids.min() >= 1
        assert block.lots.min() >= 1
        stamps = start_ns + np.arange(1, 1025) * model.cadence_ns - block.age_ns
        assert stamps[0] >= newest_ns
        assert (np.diff(stamps) >= 0).all()
        newest_ns = stamps[-1]


@pytest.mark.parametrize("name", sorted(PRESETS))
def test_run_again_from_the_manifest(name):
    manifest = get_preset(name)
    again = manifest_from_json(canonical_json(manifest))
    first, second = (Reactor(model_of(m), m.seed).next_block(m.start_ms * 10**6) for m in (manifest, again))
    for field in first.__struct_fields__:
        assert np.array_equal(getattr(first, field), getattr(second, field))


def test_the_seven_of_the_seed_and_the_universes_are_there():
    assert set(SEVEN) == {
        "binance_spot_btc", "binance_spot_eth", "binance_futures_btc", "hyperliquid_perp_sol", "hyperliquid_perp_btc",
        "okx_spot_btc", "bybit_futures_btc",
    }  # fmt: skip
    names = preset_names()
    for engine, count in (("perps", 28), ("crypto", 28), ("equities", 141)):
        assert sum(name.startswith(f"{engine}:") for name in names) == count
    assert sum(name.startswith("perps:xyz:") for name in names) == 20
    assert get_preset("perps:xyz:TSLA").symbol == "xyz:TSLA"


@pytest.mark.parametrize("engine", ["perps", "crypto", "equities"])
def test_the_daemon_trades_the_presets(engine):
    for symbol, facts in load_universe(engine).items():
        model = model_of(get_preset(f"{engine}:{symbol}"))
        assert model == daemon_model(facts) == model_of(manifest_of(facts))
        assert (model.tick, model.lot, model.price_initial) == (facts.step, facts.lot, facts.price_usd)
        assert model.session == ("us_equities" if engine == "equities" else "always")
        wide = model.book.spread_floor_ticks + model.book.spread_extra_ticks
        assert wide == pytest.approx(
            max(1.0, float(facts.spread_bps / 10_000 * facts.price_usd / facts.step)), abs=0.51
        )


def test_an_unknown_preset_is_refused_with_its_neighbour():
    with pytest.raises(ConfigError, match="did you mean perps:xyz:TSLA"):
        get_preset("perps:xyz:TSAL")


def test_tick_and_lot_follow_the_price_where_nobody_gave_them():
    model = model_of(read_manifest({"initial_price": 0.1234}))
    assert (model.tick, model.lot) == (Decimal("0.00001"), Decimal(1))
    model = model_of(read_manifest({"initial_price": 65000}))
    assert (model.tick, model.lot) == (Decimal(1), Decimal("0.00001"))


def test_resolved_says_what_the_microstructure_measured():
    now = resolved(PRESETS["hyperliquid_perp_wlfi"])
    assert now.microstructure == "small_tick"
    assert now.base_spread_bps > 1
    for name in set(field_types()) - {"min_trade_size", "max_trade_size"}:
        assert getattr(now, name) is not None, name
    assert msgspec.convert(json.loads(canonical_json(now)), SimulationManifest) == now
