"""Spot, perpetual and funding as one market: the basis, the mark's formula, two books about one hidden price."""

from decimal import Decimal
from functools import cache
from hashlib import sha256

import msgspec
import numpy as np
import pytest
from msgspec.structs import asdict, replace

from config.errors import ConfigError
from venues.aleatoric.funding.payments import funding, period_at
from venues.aleatoric.manifest import SimulationManifest
from venues.aleatoric.manifest_model import model_of
from venues.aleatoric.model import BLOCK_STEPS
from venues.aleatoric.presets import PRESETS, get_preset
from venues.aleatoric.scenarios import parse_scenario
from venues.aleatoric.symbol import Reactor
from venues.aleatoric.triangle import Pair, Triangle, TriangleBlock, TriangleState, models_of, pair_of

BTC = get_preset("binance_futures_btc")
NS_PER_MS = 1_000_000
NS_PER_HOUR = 3_600_000_000_000


def made(pair: Pair, blocks: int, state: TriangleState | None = None) -> list[TriangleBlock]:
    triangle = Triangle(pair, state)
    return [triangle.next_block() for _ in range(blocks)]


@cache
def day_of_btc() -> list[TriangleBlock]:
    """So many blocks that the mean of a basis which forgets in 200 steps is known to a twentieth."""
    return made(pair_of(BTC), 250)


def joined(blocks: list[TriangleBlock], name: str) -> np.ndarray:
    return np.concatenate([getattr(block, name) for block in blocks])


def mids(blocks: list[TriangleBlock], side: str, tick: float) -> np.ndarray:
    return np.concatenate([getattr(block, side).ticks[:, :, 0].sum(axis=0) * tick / 2 for block in blocks])


def digest(blocks: list[TriangleBlock]) -> str:
    total = sha256()
    for block in blocks:
        for market in (block.spot, block.perp):
            for value in asdict(market).values():
                if isinstance(value, np.ndarray):
                    total.update(np.ascontiguousarray(value, "<i8").tobytes())
        for name in ("basis_bps", "index", "mark"):
            total.update(np.ascontiguousarray(getattr(block, name), "<f8").tobytes())
    return total.hexdigest()


def test_the_basis_has_the_pages_spread_and_stays_on_the_side_of_funding():
    basis = joined(day_of_btc(), "basis_bps")
    rate = float(day_of_btc()[0].periods[0].rate)
    assert rate != 0
    assert basis[2048:].mean() == pytest.approx(2.0 * np.sign(rate), abs=0.15)
    # 0.15 / sqrt(1 - 0.995^2): what a first-order process of these figures strays when it is at rest
    assert basis[2048:].std() == pytest.approx(1.502, rel=0.06)
    assert np.abs(basis).max() <= 15.0


@pytest.mark.parametrize(("field", "value"), [("basis_cap_bps", 1.0), ("basis_sigma_bps", 5.0)])
def test_the_basis_never_leaves_its_cap(field, value):
    wild = replace(BTC, **{field: value})
    basis = joined(made(pair_of(wild), 4), "basis_bps")
    assert np.abs(basis).max() == wild.basis_cap_bps


def test_the_basis_turns_when_funding_turns():
    seeds = range(40, 60)
    for seed in seeds:
        pair = pair_of(replace(BTC, seed=seed, premium_std_bps=40.0, basis_target_bps=10.0))
        if (rate := period_at(models_of(pair)[1], seed, BTC.start_ms * NS_PER_MS).rate) < 0:
            break
    else:
        pytest.fail(f"no seed of {seeds} starts with a negative rate")
    assert rate < 0
    assert joined(made(pair, 8), "basis_bps")[2048:].mean() == pytest.approx(-10.0, abs=1.0)


@pytest.mark.parametrize("preset", ["binance_futures_btc", "hyperliquid_perp_btc", "hyperliquid_perp_wlfi"])
def test_mark_is_index_times_one_and_the_basis_to_the_printed_digit(preset):
    pair = pair_of(get_preset(preset))
    tick = models_of(pair)[0].tick
    digit = float((tick / 2).normalize().as_tuple().exponent)
    unit = 10.0**digit
    for block in made(pair, 2):
        exact = block.index * (1.0 + block.basis_bps / 10_000.0)
        assert np.abs(block.mark - exact).max() <= unit * 0.501
        printed = [Decimal(repr(price)) for price in block.mark[:200].tolist()]
        assert all(price == price.quantize(Decimal(1).scaleb(int(digit))) for price in printed)
        middles = block.spot.ticks[:, :, 0].sum(axis=0)
        assert [Decimal(repr(price)) for price in block.index.tolist()] == [int(two) * tick / 2 for two in middles]


def test_each_book_stands_about_its_own_price():
    blocks = day_of_btc()
    tick = float(models_of(pair_of(BTC))[0].tick)
    spot, perp = mids(blocks, "spot", tick), mids(blocks, "perp", tick)
    index, mark = joined(blocks, "index"), joined(blocks, "mark")
    assert np.abs(spot / index - 1.0).max() < 1e-12
    off_bps = (perp / mark - 1.0) * 10_000
    assert abs(off_bps.mean()) < 0.2
    # Both books are late by some seconds, each in its own way: about a basis point at 45 % a year.
    assert 0.0 < off_bps.std() < 2.5


def test_spot_and_perpetual_go_together():
    blocks = day_of_btc()
    tick = float(models_of(pair_of(BTC))[0].tick)
    minute = 600
    spot, perp = (np.log(mids(blocks, side, tick)[::minute]) for side in ("spot", "perp"))
    assert np.corrcoef(spot, perp)[0, 1] > 0.99
    # A minute's return is some 6 bps, and the basis goes 2 bps in it.
    assert 0.8 < np.corrcoef(np.diff(spot), np.diff(perp))[0, 1] < 1.0
    hours = np.corrcoef(np.diff(spot[::30]), np.diff(perp[::30]))[0, 1]
    assert hours > 0.98


def test_the_two_have_queues_and_trades_of_their_own():
    block = day_of_btc()[0]
    assert (block.spot.lots != block.perp.lots).mean() > 0.9
    assert len(np.intersect1d(block.spot.trade_ns, block.perp.trade_ns)) == 0
    assert (block.spot.age_ns != block.perp.age_ns).mean() > 0.9


def test_the_spot_is_the_market_that_its_manifest_makes_alone():
    pair = pair_of(BTC)
    model = model_of(pair.spot)
    alone, start_ns = Reactor(model, BTC.seed), BTC.start_ms * NS_PER_MS
    for block in made(pair, 2):
        other = alone.next_block(start_ns + block.spot.index * BLOCK_STEPS * model.cadence_ns)
        for name, value in asdict(other).items():
            assert np.array_equal(value, getattr(block.spot, name)), name


def test_tick_and_lot_may_differ():
    spot = replace(pair_of(BTC).spot, tick_size=0.01, lot_size=0.00001, level_gap_ticks=40.0)
    perp = replace(pair_of(BTC).perp, tick_size=0.5, lot_size=0.001)
    blocks = made(Pair(spot, perp), 4)
    off_bps = (mids(blocks, "perp", 0.5) / joined(blocks, "mark") - 1.0) * 10_000
    assert abs(off_bps.mean()) < 1.0
    assert off_bps.std() < 3.0
    for block in blocks:
        assert (block.perp.ticks[0, :, 0] < block.perp.ticks[1, :, 0]).all()
        assert (block.perp.lots > 0).all()


@pytest.mark.parametrize("preset", ["binance_futures_btc", "hyperliquid_perp_wlfi", "bybit_futures_btc"])
def test_a_saved_state_goes_on_with_the_same_bytes(preset):
    pair = pair_of(get_preset(preset))
    whole = Triangle(pair)
    for _ in range(2):
        whole.next_block()
    saved = msgspec.json.encode(whole.state)
    rest = [whole.next_block() for _ in range(2)]
    assert digest(made(pair, 2, msgspec.json.decode(saved, type=TriangleState))) == digest(rest)


def test_funding_is_what_the_account_pays():
    pair = pair_of(replace(get_preset("hyperliquid_perp_btc"), book_update_interval_ms=60_000))
    model = models_of(pair)[1]
    for block in made(pair, 3):
        for step in range(0, BLOCK_STEPS, 50):
            at_ns = int(block.arrivals_ns[step])
            period = block.periods[int(block.period[step])]
            assert period.start_ns <= at_ns < period.end_ns
            (paid,) = funding([model], pair.perp.seed, period.end_ns)
            assert (paid.at_ns, paid.rate, paid.premium) == (period.end_ns, period.rate, period.premium)


def test_a_side_that_is_gone_leaves_the_index_where_it_was():
    gone = replace(pair_of(BTC).spot, scenarios=(parse_scenario("one_sided@20s,for=30s,size=1"),))
    block = made(Pair(gone, pair_of(BTC).perp), 1)[0]
    assert block.spot.empty is not None
    steps = np.flatnonzero(block.spot.empty.any(axis=0))
    assert len(steps) == 300
    assert (block.index[steps] == block.index[steps[0] - 1]).all()
    assert block.perp.empty is None


def test_a_crash_of_the_spot_is_one_of_the_perpetual():
    crash = parse_scenario("flash_crash@10s,for=80s,size=0.05")
    blocks = made(Pair(replace(pair_of(BTC).spot, scenarios=(crash,)), pair_of(BTC).perp), 1)
    perp = mids(blocks, "perp", 0.1)
    assert perp.min() < 0.965 * perp[0]
    assert np.abs(perp / joined(blocks, "mark") - 1.0).max() < 0.02


@pytest.mark.parametrize(
    ("spot", "perp", "field"),
    [
        ({"asset_class": "perp"}, {}, "asset_class"),
        ({}, {"seed": 7}, "seed"),
        ({}, {"start_ms": 5}, "start_ms"),
        ({}, {"book_update_interval_ms": 550}, "book_update_interval_ms"),
        ({}, {"exchange": "alpaca"}, "exchange"),
        ({"initial_price": 4.0}, {}, "initial_price"),
    ],
)
def test_two_that_are_no_pair_are_refused(spot, perp, field):
    pair = pair_of(BTC)
    with pytest.raises(ConfigError) as refused:
        Triangle(Pair(replace(pair.spot, **spot), replace(pair.perp, **perp)))
    assert refused.value.field == field


def test_the_perpetual_starts_where_the_spot_does():
    pair = pair_of(BTC)
    (block,) = made(Pair(pair.spot, replace(pair.perp, initial_price=50_000.0)), 1)
    assert abs(mids([block], "perp", 0.1)[0] / BTC.initial_price - 1.0) < 0.001


def test_an_equity_has_no_pair():
    with pytest.raises(ConfigError, match="asset_class"):
        pair_of(SimulationManifest(asset_class="equity", exchange="alpaca"))


@pytest.mark.parametrize("preset", [name for name in PRESETS if PRESETS[name].asset_class in ("spot", "perp")])
def test_every_preset_of_a_coin_makes_a_pair(preset):
    (block,) = made(pair_of(get_preset(preset)), 1)
    assert (block.mark > 0).all()
    assert block.spot.ticks.shape == block.perp.ticks.shape
