"""Scenarios in the books: each shows what its name says when it says so, nothing before, nothing damaged after."""

from hashlib import sha256

import msgspec
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from msgspec import Struct
from msgspec.structs import replace

from tests.venues.aleatoric.test_scenarios import scenarios
from venues.aleatoric.book import FRONT
from venues.aleatoric.history import history
from venues.aleatoric.market import AleatoricMarket, always_open
from venues.aleatoric.model import BLOCK_STEPS, State, SymbolModel
from venues.aleatoric.prices import FRACTION
from venues.aleatoric.scenario_knobs import CRASH_BOTTOM, CRASH_LASTING, PRINT_AT, Schedule
from venues.aleatoric.scenarios import KINDS, Scenario
from venues.aleatoric.shapes import MODELS
from venues.aleatoric.symbol import Reactor
from venues.market import Book, Trade

START_NS = 1_757_030_400_000_000_000
NS_PER_S = 1_000_000_000
LARGE, SMALL, SPOT, EQUITY = "hyperliquid_perp_btc", "hyperliquid_perp_wlfi", "alpaca_spot_btc", "alpaca_equity"
EACH = (LARGE, SMALL, SPOT, EQUITY)
FOR_S = 200.0
HARMLESS = tuple(kind for kind in KINDS if kind not in ("crossed", "one_sided", "gap"))
WHOLE = ("ticks", "lots", "age_ns", "trade_step", "trade_ns", "trade_ticks", "trade_lots", "trade_sign")


class Run(Struct):
    """Blocks side by side; steps count from the start of the run."""

    ticks: np.ndarray
    lots: np.ndarray
    age_ns: np.ndarray
    trade_step: np.ndarray
    trade_ticks: np.ndarray
    trade_lots: np.ndarray
    trade_sign: np.ndarray
    silent: np.ndarray
    empty: np.ndarray
    state: State

    @property
    def mid(self) -> np.ndarray:
        return self.ticks[:, :, 0].sum(axis=0) / 2

    @property
    def spread(self) -> np.ndarray:
        return self.ticks[1, :, 0] - self.ticks[0, :, 0]

    def depth(self, side: int) -> np.ndarray:
        return self.lots[side].sum(axis=1)

    def rho(self, levels: slice) -> np.ndarray:
        bid, ask = self.lots[:, :, levels].sum(axis=2)
        return (bid - ask) / (bid + ask)


def run(model: SymbolModel, count: int = 3, seed: int = 3) -> Run:
    reactor = Reactor(model, seed)
    made = [reactor.next_block(START_NS + index * BLOCK_STEPS * model.cadence_ns) for index in range(count)]
    nothing = np.zeros((2, BLOCK_STEPS), bool)
    return Run(
        *(np.concatenate([getattr(block, name) for block in made], axis=1) for name in ("ticks", "lots")),
        np.concatenate([block.age_ns for block in made]),
        np.concatenate([block.trade_step + block.index * BLOCK_STEPS for block in made]),
        *(np.concatenate([getattr(block, f"trade_{name}") for block in made]) for name in ("ticks", "lots", "sign")),
        np.concatenate([nothing[0] if block.silent is None else block.silent for block in made]),
        np.concatenate([nothing if block.empty is None else block.empty for block in made], axis=1),
        reactor.state,
    )


def befallen(preset: str, kind: str, **fields) -> tuple[Run, Run, int, int]:
    """A market with a scenario in it that reaches over the end of a block, the same without, and its steps."""
    model = MODELS[preset]
    at_s = BLOCK_STEPS * model.cadence_ns / NS_PER_S - FOR_S / 2
    scenario = Scenario(kind, at_s, **{"for_s": FOR_S, **fields})
    first, end = scenario.steps(model.cadence_ns)
    assert first < BLOCK_STEPS < end
    return run(replace(model, scenarios=(scenario,))), run(model), first, end


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("preset", EACH)
def test_nothing_shows_before_it_and_nothing_is_damaged_after_it(preset, kind):
    got, plain, first, end = befallen(preset, kind)
    for name in ("ticks", "lots"):
        assert (getattr(got, name)[:, :first] == getattr(plain, name)[:, :first]).all()
    assert (got.age_ns == plain.age_ns).all(), "stamps go on whatever happens"
    early, of_plain = (np.searchsorted(one.trade_step, first) for one in (got, plain))
    for name in ("trade_step", "trade_ticks", "trade_lots", "trade_sign"):
        assert (getattr(got, name)[:early] == getattr(plain, name)[:of_plain]).all()
    assert (got.spread[end:] > 0).all()
    assert not got.silent[end:].any()
    assert not got.empty[:, end:].any()
    assert 0.8 < got.spread[end:].mean() / plain.spread[end:].mean() < 1.25
    assert 0.7 < got.lots[:, end:].sum() / plain.lots[:, end:].sum() < 1.4
    assert (got.lots[:, end:, 0] != got.lots[:, end - 1 : -1, 0]).any(axis=0).mean() > 0.3


@pytest.mark.parametrize("side", [-1, 1])
@pytest.mark.parametrize("preset", EACH)
def test_a_flash_crash_falls_overshoots_and_recovers_in_part(preset, side):
    got, plain, first, end = befallen(preset, "flash_crash", side="down" if side < 0 else "up")
    lost = (got.mid / plain.mid - 1.0) * side
    bottom = first + int((end - first) * CRASH_BOTTOM)
    assert 0.045 < lost[bottom - 10 : bottom + 10].max() < 0.06
    assert 0.045 < lost[first:end].max() < 0.06
    assert abs(lost[end + 5] - 0.05 * CRASH_LASTING) < 0.006
    worst = slice(bottom - 8, bottom + 5)
    assert got.spread[worst].mean() > 3 * plain.spread.mean()
    in_the_way, behind = (0, 1) if side < 0 else (1, 0)
    assert np.median(got.depth(in_the_way)[worst]) < 0.25 * np.median(plain.depth(in_the_way))
    assert np.median(got.depth(behind)[worst]) < 0.5 * np.median(plain.depth(behind))
    falling = (got.trade_step >= first) & (got.trade_step < bottom)
    assert (got.trade_sign[falling] * side).mean() > 0.2, "takers go with it"
    assert falling.sum() > 2 * ((plain.trade_step >= first) & (plain.trade_step < bottom)).sum()


@pytest.mark.parametrize("preset", EACH)
def test_a_liquidity_void_leaves_a_share_of_the_depth_and_a_wide_spread(preset):
    got, plain, first, end = befallen(preset, "liquidity_void", size=0.8)
    deep = slice(first + (end - first) // 5, end - (end - first) // 5)
    for side in (0, 1):
        assert 0.1 < np.median(got.depth(side)[deep] / plain.depth(side)[deep]) < 0.3
    assert 3 < got.spread[deep].mean() / plain.spread.mean() < 9
    assert abs(got.mid[end + 5] / plain.mid[end + 5] - 1) < 1e-9, "the price is left alone"


@pytest.mark.parametrize("side", ["bids", "asks"])
@pytest.mark.parametrize("preset", EACH)
def test_a_side_is_thin_or_gone_and_nobody_takes_from_what_is_not_there(preset, side):
    which = ("bids", "asks").index(side)
    got, plain, first, end = befallen(preset, "one_sided", side=side)
    assert got.empty[which, first:end].all()
    assert got.empty.sum() == end - first
    against = got.trade_sign == (1 if which else -1)
    assert not (against & (got.trade_step > first) & (got.trade_step <= end)).any()
    thin, _, _, _ = befallen(preset, "one_sided", side=side, size=0.9)
    assert not thin.empty.any()
    assert (thin.lots[which, first:end] <= np.maximum(1, plain.lots[which, first:end] * 0.11 + 1)).all()
    assert (thin.lots[1 - which] == plain.lots[1 - which]).all()


@pytest.mark.parametrize("side", ["bids", "asks"])
@pytest.mark.parametrize("preset", EACH)
def test_the_front_of_a_facade_leans_against_what_is_behind_it(preset, side):
    got, plain, first, end = befallen(preset, "facade", side=side)
    sign = 1 if side == "bids" else -1
    within = slice(first, end)
    assert np.abs(got.rho(slice(0, FRONT))[within] - 0.8 * sign).max() < 0.06  # whole lots
    if MODELS[preset].levels > FRONT:
        assert np.abs(got.rho(slice(FRONT, None))[within] + 0.8 * sign).max() < 0.02
    outside = np.r_[0:first, end : got.mid.size]
    assert (got.lots[:, outside] == plain.lots[:, outside]).all()


@pytest.mark.parametrize("side", [-1, 1])
@pytest.mark.parametrize("preset", EACH)
def test_a_trend_drifts_steadily_and_books_lean_with_it(preset, side):
    got, plain, first, end = befallen(preset, "trend", side="down" if side < 0 else "up")
    way = (got.mid / plain.mid - 1.0) * side
    assert np.abs(way[first:end] - np.linspace(0, 0.02, end - first)).max() < 0.003
    assert abs(way[-1] - 0.02) < 0.003
    assert (got.rho(slice(None))[first:end] - plain.rho(slice(None))[first:end]).mean() * side > 0.05


@pytest.mark.parametrize("preset", EACH)
def test_a_print_is_awaited_jumps_and_calms_down(preset):
    got, plain, first, end = befallen(preset, "macro_print", size=0.01)
    out = first + int((end - first) * PRINT_AT)
    before, after = slice(out - 25, out - 2), slice(out + 8, out + 30)
    assert got.spread[before].mean() > 1.7 * plain.spread[before].mean()
    assert got.lots[:, before].sum() < 0.6 * plain.lots[:, before].sum()
    assert abs(np.median(got.mid[before] / plain.mid[before]) - 1.0) < 0.002, "the price waits"
    assert np.median(got.mid[after] / plain.mid[after]) - 1.0 > 0.006
    trades = [((one.trade_step >= out) & (one.trade_step < end)).sum() for one in (got, plain)]
    assert trades[0] > 1.8 * trades[1] or preset == EQUITY
    calm = slice(end - 20, end)
    assert got.spread[calm].mean() < 1.3 * plain.spread[calm].mean()


@pytest.mark.parametrize("preset", EACH)
def test_a_frozen_book_stands_still_while_trades_go_on(preset):
    got, plain, first, end = befallen(preset, "frozen")
    for name in ("ticks", "lots"):
        one = getattr(got, name)
        assert (one[:, first:end] == getattr(plain, name)[:, first : first + 1]).all()
        assert (one[:, end:] == getattr(plain, name)[:, end:]).all()
    for name in ("trade_step", "trade_ticks", "trade_lots", "trade_sign"):
        assert (getattr(got, name) == getattr(plain, name)).all()


@pytest.mark.parametrize(("side", "size"), [("bids", 0), ("asks", 0), ("bids", 30), ("asks", 30)])
@pytest.mark.parametrize("preset", EACH)
def test_a_crossed_book_is_crossed_by_so_much_and_trades_know_better(preset, side, size):
    got, plain, first, end = befallen(preset, "crossed", side=side, size=size)
    assert (got.spread[first:end] == -size).all()
    assert (got.spread[:first] > 0).all()
    true = ("asks", "bids").index(side)
    assert (got.ticks[true] == plain.ticks[true]).all()
    assert (got.lots == plain.lots).all()
    assert (got.trade_ticks == plain.trade_ticks).all()


@pytest.mark.parametrize("preset", EACH)
def test_a_gap_is_silent_and_the_price_is_elsewhere_afterwards(preset):
    got, plain, first, end = befallen(preset, "gap")
    assert got.silent[first:end].all()
    assert got.silent.sum() == end - first
    assert not ((got.trade_step >= first) & (got.trade_step <= end)).any(), "the first word is a book"
    assert (got.trade_step > end).any()
    assert abs(got.mid[end] / plain.mid[end] - 0.99) < 0.001


# --- any schedule


schedules = st.lists(scenarios(HARMLESS), max_size=4).map(tuple)


def sound(model: SymbolModel, got: Run) -> None:
    """What holds for every published book that nobody asked to be damaged."""
    assert (got.spread > 0).all()
    assert (np.diff(got.ticks[0], axis=1) < 0).all()
    assert (np.diff(got.ticks[1], axis=1) > 0).all()
    assert got.ticks.min() >= 1
    assert got.lots.min() >= 1
    assert got.trade_lots.min(initial=1) >= 1
    assert got.trade_ticks.min(initial=1) >= 1
    assert (got.lots * model.size_fraction[0] / model.size_fraction[1]).max() < 1e12


@settings(max_examples=25)
@given(st.sampled_from(EACH), schedules, st.integers(0, 2**64 - 1))
def test_books_stay_honest_under_any_schedule(preset, schedule, seed):
    model = replace(MODELS[preset], scenarios=schedule)
    sound(model, run(model, 2, seed))


@settings(max_examples=15)
@given(st.sampled_from(EACH), st.lists(scenarios(), max_size=5).map(tuple), st.integers(0, 99), st.integers(1, 3))
def test_a_saved_state_goes_on_with_the_same_bytes_in_the_middle_of_anything(preset, schedule, seed, cut):
    model = replace(MODELS[preset], scenarios=schedule)
    length_ns = BLOCK_STEPS * model.cadence_ns
    whole = Reactor(model, seed)
    for block in range(cut):
        whole.next_block(START_NS + block * length_ns)
    saved = msgspec.json.decode(msgspec.json.encode(whole.state), type=State)
    resumed = Reactor(model, seed, state=saved)
    for block in range(cut, 4):
        one, two = (reactor.next_block(START_NS + block * length_ns) for reactor in (whole, resumed))
        for name in (*WHOLE, "silent", "empty"):
            mine, theirs = getattr(one, name), getattr(two, name)
            assert (mine is None and theirs is None) or np.array_equal(mine, theirs)


@settings(max_examples=15)
@given(scenarios(), st.lists(scenarios(), max_size=3), st.sampled_from([LARGE, EQUITY]))
def test_what_is_yet_to_come_changes_nothing(later, schedule, preset):
    """A run with one scenario more has the same bytes up to that one's first step."""
    model = MODELS[preset]
    first, _ = later.steps(model.cadence_ns)
    some, more = (run(replace(model, scenarios=tuple(one)), 2) for one in (schedule, [*schedule, later]))
    upto = min(first, 2 * BLOCK_STEPS)
    assert (some.ticks[:, :upto] == more.ticks[:, :upto]).all()
    assert (some.lots[:, :upto] == more.lots[:, :upto]).all()


def test_a_block_without_a_scenario_has_no_knobs():
    schedule = Schedule((Scenario("trend", 2000.0, 100.0), Scenario("gap", 4097.0, 1024.0)), NS_PER_S)
    assert [block for block in range(12) if schedule.knobs(block)] == [1, 2, 4, 5]
    assert Schedule((), NS_PER_S).knobs(0) is None


def test_knobs_are_what_they_always_were():
    """Whatever is done to the model: the same bits on every machine, and no other shapes without a reason."""
    schedule = Schedule([Scenario(kind, 100.0 + 37.0 * at, 700.0) for at, kind in enumerate(KINDS)], 550_000_000)
    total = sha256()
    for block in range(2):
        knobs = schedule.knobs(block)
        for name in knobs.__struct_fields__:
            total.update(np.ascontiguousarray(getattr(knobs, name)).tobytes())
    assert total.hexdigest() == "fb2b1b417c24c2badeb394ac4d1f30a590468e0897a52d047d0da01115297894"


@pytest.mark.parametrize("kind", ["flash_crash", "macro_print", "liquidity_void", "trend"])
def test_a_path_alone_is_the_path_of_the_blocks(kind):
    model = replace(MODELS[SMALL], scenarios=(Scenario(kind, 300.0, 500.0),))
    with_books, alone = (Reactor(model, seed=5) for _ in range(2))
    for block in range(2):
        start_ns = START_NS + block * BLOCK_STEPS * model.cadence_ns
        made, path = with_books.next_block(start_ns), alone.next_path(start_ns)
        assert (path.bid == made.ticks[0, :, 0]).all()
        assert (path.ask == made.ticks[1, :, 0]).all()


@pytest.mark.parametrize("cadence_ns", [NS_PER_S, 550_000_000])
@pytest.mark.parametrize(("kind", "lasting"), [("trend", 1.02), ("gap", 0.99), ("flash_crash", 0.985), ("frozen", 1.0)])
def test_the_hidden_price_is_moved_by_whole_parts_and_by_the_size_in_all(kind, lasting, cadence_ns):
    schedule = Schedule((Scenario(kind, 300.0, 3000.0),), cadence_ns)
    latent = start = 110_000 * FRACTION
    for block in range(8):
        knobs = schedule.knobs(block)
        if knobs:
            pushes = knobs.pushes(latent)
            assert pushes.dtype == np.int64
            latent += int(pushes.sum())
    assert abs(latent - start * lasting) < 8
    assert schedule.knobs(7) is None


def test_a_price_that_crashes_to_the_floor_stays_positive():
    model = replace(
        MODELS[LARGE], price_initial=60, scenarios=tuple(Scenario("gap", at, 20.0, 0.5) for at in (30.0, 90.0))
    )
    sound(model, run(model, 2))


def test_history_does_not_hear_of_scenarios():
    model = MODELS[SMALL]
    told = replace(model, scenarios=(Scenario("gap", 0.0, 600.0, 0.4), Scenario("flash_crash", 0.0)))
    one, two = (history(each, 7, START_NS, 60 * NS_PER_S, 100, always_open) for each in (model, told))
    assert one == two


# --- the market


def events(models: list[SymbolModel], steps: int) -> list[tuple[int, list]]:
    market = AleatoricMarket(models, 7, START_NS)
    return [market.next_batch() or pytest.fail("the market ended") for _ in range(steps)]


def test_the_market_publishes_what_is_left():
    told = tuple(Scenario(kind, at, 20.0) for kind, at in [("gap", 20.0), ("one_sided", 60.0), ("crossed", 100.0)])
    btc = replace(MODELS[LARGE], scenarios=told)
    eth = MODELS["hyperliquid_perp_eth"]
    spoken = events([btc, eth], 260)
    alone = [event for _, batch in events([eth], 260) for event in batch]
    assert [event for _, batch in spoken for event in batch if event.symbol == "ETH"] == alone
    for at_ns, batch in spoken:
        since_s = (at_ns - START_NS) / NS_PER_S
        books = [event for event in batch if type(event) is Book and event.symbol == "BTC"]
        trades = [event for event in batch if type(event) is Trade and event.symbol == "BTC"]
        if 20 <= since_s < 40:
            assert not books
            assert not trades
            continue
        (book,) = books
        assert len(book.bids) == 20
        assert len(book.asks) == (0 if 60 <= since_s < 80 else 20)
        if book.asks:
            assert (book.bids[0].price >= book.asks[0].price) == (100 <= since_s < 120)


def test_when_all_are_silent_time_goes_on():
    btc = replace(MODELS[LARGE], scenarios=(Scenario("gap", 10.0, 10.0),))
    spoken = events([btc], 60)
    assert [at_ns - START_NS for at_ns, _ in spoken] == [(step + 1) * btc.cadence_ns for step in range(60)]
    assert sum(not batch for _, batch in spoken) == 18


@pytest.mark.parametrize("preset", EACH)
def test_trades_take_from_the_book_before_them_where_it_is_not_damaged(preset):
    whole = tuple(
        Scenario(kind, 60.0 * at, 50.0) for at, kind in enumerate(("flash_crash", "gap", "one_sided", "facade"), 1)
    )
    shown: Book | None = None
    taken = 0
    for _, batch in events([replace(MODELS[preset], scenarios=whole)], 900):
        for event in batch:
            if type(event) is Book:
                shown = event
                continue
            assert shown is not None
            queues = {level.price: level.size for level in (shown.asks if event.side.sign > 0 else shown.bids)}
            assert 0 < event.size <= queues[event.price]
            taken += 1
    assert taken > 50
