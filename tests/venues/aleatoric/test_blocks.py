"""Blocks of one symbol: the same bytes from any start, honest books for any model, and a market that looks real."""

import json
import sys
from decimal import Decimal
from hashlib import sha256
from pathlib import Path
from typing import Any

import msgspec
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from msgspec.structs import replace

from tests.venues.aleatoric.naive import naive_market
from venues.aleatoric.manifest_model import model_of
from venues.aleatoric.model import BLOCK_STEPS, LEVELS, State, SymbolModel
from venues.aleatoric.presets import PRESETS, get_preset
from venues.aleatoric.shapes import LARGE_TICK, MODELS, SMALL_TICK, display_tick, in_market, perpetual
from venues.aleatoric.symbol import Block, Reactor

START_NS = 1_757_030_400_000_000_000
SHARED = Path(__file__).resolve().parents[4] / "shared"
GENERATED = ("ticks", "lots", "age_ns", "trade_step", "trade_ns", "trade_ticks", "trade_lots", "trade_sign")
CAPTURED = [f"hyperliquid_perp_{coin}" for coin in ("btc", "eth", "sol", "wlfi")]  # that there are captures of
GOLDEN = {
    "binance_spot_btc": "940b27c1f9b4ffb1c0559e7a97f43683d92865381d46e6456bb15e315519f40a",
    "binance_spot_eth": "3afae4a29f76190fff9f7e99c95da968a1c14492ca6b1b8316a32978cf57d4fb",
    "binance_futures_btc": "32c86845343fa6326e71e96065b79ff0b1257d1dbb645a6379577620084f2c71",
    "hyperliquid_perp_sol": "e892e7fb2e07fbe8e47daefe97f8350875f768b26a3fd93c3dc25edadfeb5298",
    "hyperliquid_perp_btc": "4d8b4668005a9d86d1970573ad64d96612083bd6873374d4381737d53f28b9ab",
    "okx_spot_btc": "ce130b29c0ff8738de78d5caad6b402a39d52c9a17cf971d7549601ab6b75437",
    "bybit_futures_btc": "f949d73d5dcd508aa8e82fb7433caacc71d653fd9850636fc97b57f8cf7c9471",
    "hyperliquid_perp_eth": "ae067825c1f25b41ddee9fdb20bc62c2c6e8ec56e524aaa9174a59d04a763269",
    "hyperliquid_perp_wlfi": "c9161e596f86abd7870d89ebc17c19d4012ecfcefb131191f5dd374ab61b6a5a",
    "perps:xyz:TSLA": "e895ebad87117153154c770d7461f72a8da488ea4f67ca452bca51f322398930",
    "crypto:BTC/USD": "4d21c9af6abb21e440e3973de2179d1736c0e24a951524e4ef0e28db0e777f3b",
    "equities:PLTR": "f7a170f0ef71bda494b1fc231d1af11f5d44f24c3d499672ede4c8736e5d5b79",
}


def blocks(reactor: Reactor, count: int) -> list[Block]:
    first = reactor.state.block
    length_ns = BLOCK_STEPS * reactor.model.cadence_ns
    return [reactor.next_block(START_NS + (first + index) * length_ns) for index in range(count)]


def digest(made: list[Block]) -> str:
    total = sha256()
    for block in made:
        for name in GENERATED:
            total.update(np.ascontiguousarray(getattr(block, name), "<i8").tobytes())
    return total.hexdigest()


@pytest.mark.parametrize("name", [*PRESETS, *(name for name in GOLDEN if name not in PRESETS)])
def test_three_blocks_of_a_preset_are_what_they_always_were(name):
    """Another digest is another market: raise GENERATOR_VERSION with it."""
    assert digest(blocks(Reactor(model_of(get_preset(name)), seed=42), 3)) == GOLDEN[name]


@pytest.mark.parametrize("name", CAPTURED)
def test_the_captures_models_are_the_presets(name):
    assert model_of(get_preset(name)) == MODELS[name]


@pytest.mark.parametrize("preset", sorted(MODELS))
def test_a_saved_state_goes_on_with_the_same_bytes(preset):
    whole = Reactor(MODELS[preset], seed=5)
    blocks(whole, 2)
    saved = msgspec.json.encode(whole.state)
    resumed = Reactor(MODELS[preset], seed=5, state=msgspec.json.decode(saved, type=State))
    assert digest(blocks(whole, 2)) == digest(blocks(resumed, 2))


def test_a_path_alone_is_the_path_of_the_blocks():
    with_books, alone = (Reactor(MODELS["hyperliquid_perp_wlfi"], seed=5) for _ in range(2))
    for made in blocks(with_books, 3):
        path = alone.next_path(START_NS + made.index * BLOCK_STEPS * alone.model.cadence_ns)
        assert (path.bid == made.ticks[0, :, 0]).all()
        assert (path.ask == made.ticks[1, :, 0]).all()


def check(model: SymbolModel, made: Block, before: np.ndarray | None) -> np.ndarray:
    """All that must be true of a block; returns its last prices."""
    bids, asks = made.ticks
    assert (bids[:, 0] < asks[:, 0]).all()
    assert (np.diff(bids, axis=1) < 0).all()
    assert (np.diff(asks, axis=1) > 0).all()
    assert bids.min() >= 1
    assert made.lots.min() >= 1
    assert (made.lots * model.size_fraction[0] / model.size_fraction[1]).max() < 1e12
    assert made.age_ns.min() >= 0
    assert made.age_ns.max() < model.cadence_ns
    assert (np.diff(made.trade_ns) >= 0).all()
    assert (made.trade_ns // model.cadence_ns == made.trade_step).all()
    assert made.trade_lots.min(initial=1) >= 1
    shown = np.concatenate([made.ticks[:, :1] if before is None else before[:, None], made.ticks[:, :-1]], axis=1)
    side = (made.trade_sign > 0).astype(int)
    assert (shown[side, made.trade_step] == made.trade_ticks[:, None]).any(axis=1).all()
    return made.ticks[:, -1]


models = st.builds(
    lambda base, spread, trades, fields: replace(in_market(base, spread, trades), **fields),
    st.sampled_from([LARGE_TICK, SMALL_TICK]),
    st.floats(1, 60),
    st.floats(0.01, 30),
    st.fixed_dictionaries(
        {
            "price_initial": st.integers(500, 10**7).map(lambda ticks: ticks * Decimal("0.01")),
            "tick": st.just(Decimal("0.01")),
            "volatility_annual": st.floats(0.01, 8),
            "touch_usd": st.floats(100, 1e6),
            "levels": st.sampled_from([1, 2, 5, 20]),
        }
    ),
)


@settings(max_examples=30)
@given(models, st.integers(0, 2**64 - 1))
def test_no_book_of_any_model_is_crossed_empty_or_off_its_grid(model, seed):
    reactor, before = Reactor(model, seed), None
    for made in blocks(reactor, 2):
        before = check(model, made, before)


def test_a_price_without_room_for_its_levels_is_refused():
    with pytest.raises(ValueError, match="price_initial of SOL"):
        Reactor(replace(LARGE_TICK, symbol="SOL", price_initial=Decimal("0.3")), 7)


def test_a_market_near_zero_is_reflected_and_stays_honest():
    model = replace(LARGE_TICK, price_initial=Decimal("0.60"), volatility_annual=40.0)
    reactor, before = Reactor(model, 3), None
    for made in blocks(reactor, 20):
        before = check(model, made, before)


def imbalance(block: Block, levels: int) -> np.ndarray:
    bid, ask = block.lots[:, :, :levels].sum(axis=2)
    return (bid - ask) / (bid + ask)


@pytest.mark.parametrize("preset", CAPTURED)
def test_imbalance_predicts_the_next_second_as_in_real_books(preset):
    rhos, moves = [], []
    for seed in range(11, 15):
        made = blocks(Reactor(MODELS[preset], seed), 4)
        rhos.append(np.concatenate([imbalance(block, 20)[:-2] for block in made]))
        mids = [block.ticks[:, :, 0].sum(axis=0) / 2 for block in made]
        moves.append(np.concatenate([mid[2:] - mid[:-2] for mid in mids]))
    found = [np.corrcoef(rho, move)[0, 1] ** 2 for rho, move in zip(rhos, moves, strict=True)]
    assert 0.10 < np.median(found) < 0.30


@pytest.mark.parametrize("interval_ms", [550, 10_000, 60_000])
def test_as_many_orders_come_however_long_a_step_is(interval_ms):
    manifest = replace(get_preset("hyperliquid_perp_btc"), book_update_interval_ms=interval_ms, activity_dial=0.0)
    manifest = replace(manifest, intraday_profile=False, burst_probability=0.0)
    model = model_of(manifest)
    reactor, orders = Reactor(model, 5), 0
    for block in range(8):
        made = reactor.next_block(block * BLOCK_STEPS * model.cadence_ns)
        orders += len(set(zip(made.trade_ns.tolist(), made.trade_sign.tolist(), strict=True)))
    seconds = 8 * BLOCK_STEPS * model.cadence_ns / 1e9
    assert orders / seconds == pytest.approx(model.flow.trades_per_s, rel=0.15)


def test_symbols_move_together():
    first, second = (
        np.concatenate([block.ticks[0, ::109, 0] for block in blocks(Reactor(MODELS[name], seed=3), 40)])
        for name in ("hyperliquid_perp_btc", "hyperliquid_perp_eth")
    )
    assert 0.25 < np.corrcoef(np.diff(np.log(first)), np.diff(np.log(second)))[0, 1] < 0.9


@pytest.mark.parametrize("preset", CAPTURED)
def test_volatility_is_what_the_model_says(preset):
    model = MODELS[preset]
    length_ns, minute = BLOCK_STEPS * model.cadence_ns, 109  # steps
    variances = []
    for seed in range(8):
        reactor = Reactor(model, seed)
        paths = [reactor.next_path(START_NS + index * length_ns) for index in range(153)]  # 24 hours
        minutes = np.concatenate([path.bid + path.ask for path in paths])[::minute]
        variances.append((np.diff(np.log(minutes)) ** 2).mean() * model.year_s / (minute * model.cadence_ns / 1e9))
    assert 0.95 < np.mean(variances) ** 0.5 / model.volatility_annual < 1.05


@pytest.mark.parametrize(
    ("price", "tick", "shown"),
    [("66372", "0.1", "1"), ("1919.7", "0.01", "0.1"), ("0.005984", "0.000001", "0.000001"), ("206", "0.001", "0.01")],
)
def test_displayed_prices_have_five_figures(price, tick, shown):
    assert display_tick(Decimal(price), Decimal(tick), 5) == Decimal(shown)
    assert display_tick(Decimal(price), Decimal(tick), None) == Decimal(tick)


def test_the_shape_follows_the_spread():
    assert perpetual(1, 1.0).book.spread_extra_ticks == 0
    wide = perpetual(8, 0.1).book
    assert wide.spread_floor_ticks + wide.spread_extra_ticks == 8


def columns(model: SymbolModel, made: list[Block]) -> tuple[dict[str, Any], dict[str, Any]]:
    """Blocks as the columns of a canonical pair of (book, trades)."""
    starts = START_NS + np.arange(len(made)) * BLOCK_STEPS * model.cadence_ns
    rows = np.arange(1, BLOCK_STEPS + 1) * model.cadence_ns
    book = {"ts": np.concatenate([start + rows - block.age_ns for start, block in zip(starts, made, strict=True)])}
    for side, word in enumerate(("bid", "ask")):
        book[f"{word}_px"] = np.concatenate([block.ticks[side] for block in made]) * float(model.tick)
        book[f"{word}_sz"] = np.concatenate([block.lots[side] for block in made]) * float(model.lot)
    trades = {
        "ts": np.concatenate([start + block.trade_ns for start, block in zip(starts, made, strict=True)]),
        "px": np.concatenate([block.trade_ticks for block in made]) * float(model.tick),
        "sz": np.concatenate([block.trade_lots for block in made]) * float(model.lot),
        "side": np.concatenate([block.trade_sign for block in made]).astype(np.int8),
    }
    return book, trades


def canonical(book: dict[str, Any], trades: dict[str, Any], name: str) -> None:
    """Write the pair of files that the realism judge reads."""
    pl = pytest.importorskip("polars")
    kind = pl.Array(pl.Float64, LEVELS)
    arrays = {key: pl.Series(values, dtype=kind) if key != "ts" else values for key, values in book.items()}
    pl.DataFrame(arrays).write_parquet(f"{name}.book.parquet")
    pl.DataFrame(trades).write_parquet(f"{name}.trades.parquet")


@pytest.fixture
def realism(monkeypatch):
    """The realism judge and its bands."""
    bands = SHARED / "realism" / "bands_hl.json"
    if not bands.exists():
        pytest.skip("../shared/realism is not beside this checkout: no captures to compare with")
    monkeypatch.syspath_prepend(str(bands.parent))
    monkeypatch.setattr(sys, "dont_write_bytecode", True)
    return pytest.importorskip("realism"), json.loads(bands.read_text())


@pytest.mark.filterwarnings("ignore::RuntimeWarning")
@pytest.mark.parametrize("preset", CAPTURED)
def test_the_judge_of_realism_finds_most_of_its_facts(preset, realism, tmp_path):
    judge, bands = realism
    model, name = MODELS[preset], str(tmp_path / preset)
    canonical(*columns(model, blocks(Reactor(model, seed=2025), 4)), name)
    inside, judged, missed = judge.judge(bands, name)
    assert judged == 67
    misses = [f"{fact} {value:.4g}, {low:.4g} to {high:.4g}" for fact, value, low, _, high in missed]
    assert inside >= 58, "\n".join(misses)
    assert "obi_change_std_ratio_5_20" not in [fact for fact, *_ in missed]


@pytest.mark.filterwarnings("ignore::RuntimeWarning")
def test_the_judge_is_not_fooled_by_a_textbook_market(realism, tmp_path):
    judge, bands = realism
    name = str(tmp_path / "naive")
    canonical(*naive_market(seed=1, seconds=2_250, start_ns=START_NS), name)
    inside, judged, _ = judge.judge(bands, name)
    assert judged == 67
    assert inside < 30
