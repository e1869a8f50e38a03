"""The gate: each rule by what breaks it, the order of the rules, and what must always pass."""

from datetime import datetime
from decimal import Decimal
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from msgspec.structs import replace

from config.profile import Profile, RiskLimits, Route, SignalLimits, Tier
from risk.circuit_breaker import Breaker, observe
from risk.gate import RULES, Kind, judge, kind_of
from risk.gate_state import ORDERLESS_NS_MAX, UnderWay, new_state, order_moved
from risk.intent import Approved, Cancel, Evidence, Intent, Purpose, Refused, Reprice, Trading
from risk.money import notional_minor
from risk.order import OVER, OrderState
from risk.rate import take
from risk.rules import Case, net_minor
from tests.risk.given import BTC, COST, KSHIB, MINUTE_NS, PEPE, SOL, calendar
from venues.market import Side, TimeInForce

USD = 1_000_000
NAN, INF = float("nan"), float("inf")
NOW_NS = round(datetime(2026, 11, 20, 12, 0, tzinfo=ZoneInfo("America/New_York")).timestamp()) * 1_000_000_000
BTC_TICKS, SOL_TICKS, COST_TICKS = 750_000, 2_000_000, 95_000
LOTS = 300  # of BTC: 225 dollars
EVIDENCE = Evidence(
    bar_start_ns=0, close=75_000.0, z=-1.5, z_bound=-1.25, obi=0.4, obi_bound=0.0,
    obi_at_ns=0, obi_age_ns=0, trend=NAN, facade=False,
)  # fmt: skip
LIMITS = RiskLimits(
    order_notional_usd_max=Decimal(300), symbol_cap_usd=Decimal(400), net_cap_usd=Decimal(1000),
    daily_loss_usd=Decimal(50), orders_per_minute=30, orders_burst=2,
    sector_caps={"Staples": 2}, symbol_caps_usd={"SOL": Decimal(200)},
)  # fmt: skip


def profile(engine="perps", **limits):
    return Profile(
        engine=engine, venue="test", signal=SignalLimits(), risk=LIMITS.model_copy(update=limits),
        routes={"native": Route(entry="maker", exit="taker", lifetime_s=30, reprices_max=5)}, fees={},
        tier_default=Tier(z_entry=1.25, z_exit=0.5), symbols=("BTC", "SOL", "kSHIB", "COST", "PEPE/USD", "UNLISTED"),
    )  # fmt: skip


def breaker(*readings_usd):
    state = Breaker()
    for step, usd in enumerate(readings_usd):
        state, _ = observe(state, new_state(profile(), (), calendar()).breaker_limits, usd * USD, step * 10**9)
    return state


def open_state(engine="perps", **limits):
    """A gate through which everything may pass."""
    state = new_state(profile(engine, **limits), (BTC, SOL, KSHIB, COST, PEPE), calendar())
    return replace(
        state,
        breaker=breaker(10_000, 10_000, 10_000),
        reconciled=True,
        compared=True,
        fresh=state.symbols,
        macro_shut=False,
        macro_event="",
        marks={"BTC": BTC_TICKS, "SOL": SOL_TICKS, "COST": COST_TICKS},
    )


def entry(lots=LOTS, ticks=BTC_TICKS, symbol="BTC", **more):
    said = {
        "id": "i1", "engine": "perps", "symbol": symbol, "side": Side.BUY if lots > 0 else Side.SELL, "lots": abs(lots),
        "ticks": ticks, "time_in_force": TimeInForce.ALO, "purpose": Purpose.ENTRY, "reason": "z_entry",
        "at_ns": NOW_NS, "evidence": EVIDENCE,
    }  # fmt: skip
    return Intent(**(said | more))


def leave(lots, ticks=BTC_TICKS, symbol="BTC", **more):
    return entry(lots, ticks, symbol, **({"purpose": Purpose.EXIT, "reason": "stop_loss"} | more))


def moved(lots, ticks=BTC_TICKS, purpose=Purpose.ENTRY, **more):
    said = {
        "engine": "perps", "intent_id": "i1", "order_id": "o1", "symbol": "BTC",
        "side": Side.BUY if lots > 0 else Side.SELL, "lots_left": abs(lots), "lots_total": LOTS, "ticks": ticks,
        "time_in_force": TimeInForce.ALO, "purpose": purpose, "reason": "behind", "at_ns": NOW_NS,
    }  # fmt: skip
    return Reprice(**(said | more))


def ask(wish, state=None, at_ns=NOW_NS):
    return judge(wish, state or open_state(), at_ns)[0]


def refusal(wish, state=None, at_ns=NOW_NS):
    verdict = ask(wish, state, at_ns)
    assert isinstance(verdict, Refused), f"passed with {verdict.checks}"
    assert verdict.value
    assert verdict.bound
    assert (verdict.wish, verdict.engine, verdict.at_ns) == (wish, wish.engine, at_ns)
    return verdict.rule


def passes(wish, state=None, at_ns=NOW_NS):
    verdict = ask(wish, state, at_ns)
    assert isinstance(verdict, Approved), verdict
    return True


def resting(lots, symbol="BTC", *, is_entry=True):
    return UnderWay(symbol, lots, is_entry, "o1")


# --- the order of the rules


def test_an_entry_is_asked_every_rule_in_the_order_of_the_design():
    verdict = ask(entry())
    assert [check.rule for check in verdict.checks] == [rule.name for rule in RULES] == [
        "finite", "state", "reconciled", "by_hand", "fresh", "macro_window", "blackout", "session", "entries_cap",
        "day_trades", "symbol",
        "flip_guard", "sector_cap", "symbol_cap", "reduce_only", "net_cap", "order_notional", "daily_loss", "drawdown",
        "order_rate",
    ]  # fmt: skip
    assert all(check.value and check.bound for check in verdict.checks)
    said = {check.rule: (check.value, check.bound) for check in verdict.checks}
    assert said["symbol_cap"] == ("225 USD", "400 USD")
    assert said["net_cap"] == ("net 0 to 225 USD", "1000 USD")
    assert said["finite"][0].startswith("lots 300, ticks 750000, close 75000.0, z -1.5")


SHUT = {  # what breaks each rule, alone
    "state": {"trading": {"": Trading.REDUCING}},
    "reconciled": {"reconciled": False},
    "by_hand": {"quarantine": True, "by_hand": {"BTC": -4}},
    "fresh": {"fresh": frozenset()},
    "macro_window": {"macro_shut": True, "macro_event": "CPI"},
    "entries_cap": {"limits": LIMITS.model_copy(update={"entries_max": 1}), "entries": {"i0": NOW_NS}},
    "symbol": {"symbols": frozenset()},
    "flip_guard": {"positions": {"BTC": 2}},
    "symbol_cap": {"limits": LIMITS.model_copy(update={"symbol_caps_usd": {"BTC": Decimal(224)}})},
    "net_cap": {"positions": {"SOL": 500}},
    "order_notional": {"limits": LIMITS.model_copy(update={"order_notional_usd_max": Decimal(224)})},
    "daily_loss": {"breaker": Breaker()},
    "drawdown": {"breaker": replace(breaker(10_000, 10_000, 10_000), high_water_minor=10_500 * USD)},
    "order_rate": {"rate": take(take(open_state().rate, NOW_NS).bucket, NOW_NS).bucket},
}


@pytest.mark.parametrize("rule", SHUT)
def test_each_rule_refuses_alone(rule):
    assert refusal(entry(), replace(open_state(), **SHUT[rule])) == rule


def test_the_first_broken_rule_is_the_one_that_is_named():
    limiting = ("symbol_cap", "order_notional", "entries_cap")  # these replace the limits of each other
    broken, state = [rule for rule in SHUT if rule not in limiting], open_state()
    for rule in reversed(broken):
        state = replace(state, **SHUT[rule])
        assert refusal(entry(), state) == rule


def test_a_gate_starts_closed():
    state = new_state(profile(), (BTC,), calendar())
    assert state.symbols == {"BTC"}
    for rule, opened in (
        ("reconciled", {"reconciled": True}),
        ("fresh", {"fresh": frozenset({"BTC"})}),
        ("macro_window", {"macro_shut": False}),
        ("daily_loss", {"breaker": breaker(10_000)}),
    ):
        assert refusal(entry(), state) == rule
        state = replace(state, **opened)
    assert passes(entry(), state)


# --- numbers


@pytest.mark.parametrize("name", ["close", "z", "z_bound", "obi", "obi_bound"])
@pytest.mark.parametrize("number", [NAN, INF, -INF])
def test_evidence_that_is_no_number_refuses(name, number):
    assert refusal(entry(evidence=replace(EVIDENCE, **{name: number}))) == "finite"


@pytest.mark.parametrize(
    "broken", [{"lots": 0}, {"lots": -1}, {"ticks": 0}, {"ticks": -1}, {"ticks": NAN}, {"ticks": INF}]
)
def test_a_size_or_price_that_is_none_refuses(broken):
    assert refusal(replace(entry(), **broken)) == "finite"
    held = replace(open_state(), positions={"BTC": LOTS}, under_way={"i1": resting(LOTS)})
    assert refusal(replace(leave(-LOTS), **broken), held) == "finite"
    broken = {{"lots": "lots_left"}.get(name, name): number for name, number in broken.items()}
    assert refusal(replace(moved(LOTS), **broken), held) == "finite"


@pytest.mark.parametrize("mark", [NAN, INF, 0.0, -1.0, None])
def test_a_mark_that_is_no_number_refuses_by_the_net_cap(mark):
    """A seed engine's net cap failed open on a NaN mid, and eight times the notional went through."""
    marks = {"BTC": BTC_TICKS} | ({"SOL": mark} if mark is not None else {})
    assert refusal(entry(), replace(open_state(), marks=marks, positions={"SOL": 2})) == "net_cap"
    pending = replace(open_state(), marks=marks, under_way={"i9": resting(2, "SOL")})
    assert refusal(entry(), pending) == "net_cap"
    assert passes(entry(), replace(open_state(), marks=marks, positions={"SOL": 0}))


def test_a_trend_that_is_cold_and_an_exit_without_evidence_pass():
    assert passes(entry())
    blank = replace(EVIDENCE, z=NAN, obi=NAN, close=NAN)
    assert passes(leave(-LOTS, evidence=blank), replace(open_state(), positions={"BTC": LOTS}))


def test_a_position_in_an_unknown_name_refuses_by_the_net_cap():
    assert refusal(entry(), replace(open_state(), positions={"FOREIGN": 5}, marks={"FOREIGN": 5.0})) == "net_cap"


# --- state, session, symbol


@pytest.mark.parametrize(
    ("trading", "is_open"),
    [
        ({}, True),
        ({"": Trading.ACTIVE, "perps": Trading.ACTIVE}, True),
        ({"": Trading.HALTED, "perps": Trading.ACTIVE}, False),
        ({"": Trading.ACTIVE, "perps": Trading.REDUCING}, False),
        ({"perps": Trading.HALTED}, False),
        ({"crypto": Trading.HALTED}, True),
    ],
)
def test_the_stricter_state_holds(trading, is_open):
    state = replace(open_state(), trading=trading)
    assert passes(entry(), state) if is_open else refusal(entry(), state) == "state"


@pytest.mark.parametrize(
    ("local", "is_open"),
    [("09:29", False), ("09:30", True), ("15:24", True), ("15:25", False), ("15:59", False), ("16:00", False)],
)
def test_equities_enter_in_regular_hours_and_not_shortly_before_the_close(local, is_open):
    state = open_state("equities", session="us_equities", entries_stop_minutes=35, dust_lots=0)
    clock = datetime.fromisoformat(f"2026-11-20 {local}").replace(tzinfo=ZoneInfo("America/New_York"))
    at_ns = round(clock.timestamp()) * 1_000_000_000
    wish = entry(1, 20_000, "COST", engine="equities")
    assert passes(wish, state, at_ns) if is_open else refusal(wish, state, at_ns) == "session"


@pytest.mark.parametrize(
    "wish", [entry(symbol="DOGE"), entry(symbol="UNLISTED"), entry(symbol="btc"), entry(engine="crypto"),
             entry(-5, 10_000, "PEPE/USD")],
)  # fmt: skip
def test_only_names_of_this_engine_and_only_ways_they_can_be_traded(wish):
    assert refusal(wish, replace(open_state(), fresh=frozenset({wish.symbol}))) == "symbol"


# --- flip guard


@pytest.mark.parametrize("held", [2, -2, 1000])
def test_an_entry_needs_a_flat_position(held):
    assert refusal(entry(), replace(open_state(), positions={"BTC": held})) == "flip_guard"


@pytest.mark.parametrize("dust", [1, -1, 0])
def test_dust_is_flat(dust):
    state = replace(open_state(), positions={"BTC": dust})
    assert passes(entry(), state)
    assert refusal(leave(-1 if dust > 0 else 1), state) == "flip_guard"


@pytest.mark.parametrize(("kind", "held", "allowed"), [("spot", 19, True), ("spot", 21, False), ("native", 14, False)])
@pytest.mark.parametrize("least", [None, 10])
def test_coins_that_cannot_be_sold_do_not_hold_back_an_entry(kind, held, allowed, least):
    """`held` is in dollars: the least order is 10, and as much again is allowed for what the price did since."""
    state = open_state(dust_usd=least)
    coin = replace(BTC, asset_class=kind)
    lots = round(held / float(coin.size(1) * coin.price(BTC_TICKS)))
    state = replace(state, instruments=state.instruments | {"BTC": coin}, positions={"BTC": lots})
    assert passes(entry(), state) if allowed else refusal(entry(), state) == "flip_guard"


def test_a_second_entry_waits_for_the_first():
    assert refusal(entry(id="i2"), replace(open_state(), under_way={"i1": resting(LOTS)})) == "flip_guard"
    assert passes(entry(id="i2"), replace(open_state(), under_way={"i1": resting(LOTS, is_entry=False)}))


@pytest.mark.parametrize(
    ("held", "lots", "fits"),
    [(300, -300, True), (300, -1, True), (300, -301, False), (300, 300, False), (0, -300, False),
     (-300, 300, True), (-300, 301, False), (-300, -300, False), (0, 5, False)],
)  # fmt: skip
def test_an_exit_fits_the_live_position(held, lots, fits):
    state = replace(open_state(), positions={"BTC": held}, under_way={"i1": resting(lots, is_entry=False)})
    for wish in (leave(lots), moved(lots, purpose=Purpose.EXIT)):
        assert passes(wish, state) if fits else refusal(wish, state) == "flip_guard"


def test_where_an_exit_can_flip_none_passes_before_the_venue_was_looked_at():
    """Sold by hand while obid was down: the exit of the ledger's position would open a short at the venue."""
    state = replace(open_state("equities", dust_lots=0), positions={"COST": 3}, compared=False)
    wish = leave(-3, COST_TICKS, "COST", engine="equities")
    assert refusal(wish, state) == "flip_guard"
    assert passes(wish, replace(state, compared=True, reconciled=False)), (
        "once is enough: a stop does not wait for more"
    )
    perps = replace(open_state(), positions={"BTC": 300}, compared=False)
    assert passes(leave(-300), perps), "reduce-only at the venue"


def test_where_an_exit_can_flip_those_under_way_count():
    state = open_state("equities", dust_lots=0)
    state = replace(state, positions={"COST": 3}, under_way={"i0": resting(-2, "COST", is_entry=False)})
    assert passes(leave(-1, COST_TICKS, "COST", engine="equities"), state)
    assert refusal(leave(-2, COST_TICKS, "COST", engine="equities"), state) == "flip_guard"
    all_of_it = replace(state, under_way={"i0": resting(-3, "COST", is_entry=False)})
    assert refusal(leave(-1, COST_TICKS, "COST", engine="equities"), all_of_it) == "flip_guard"
    perps = replace(open_state(), positions={"BTC": 300}, under_way={"i0": resting(-300, is_entry=False)})
    assert passes(leave(-300), perps), "reduce-only at the venue: a stop never waits for a first exit"


# --- caps


def test_sectors_fill_up_over_engines():
    wish = entry(1, 20_000, "COST", engine="equities")
    state = open_state("equities", dust_lots=0)
    assert passes(wish, replace(state, sector_members={"PG": "Staples", "COST": "Staples", "AMD": "Semis"}))
    assert refusal(wish, replace(state, sector_members={"PG": "Staples", "KO": "Staples"})) == "sector_cap"


def test_a_sector_counts_what_the_guard_has_not_heard_of_yet():
    staples = [replace(COST, symbol=name) for name in ("PG", "KO", "PEP")]
    state = open_state("equities", dust_lots=0)
    state = replace(state, instruments=state.instruments | {one.symbol: one for one in staples})
    assert passes(wish := entry(1, 20_000, "COST", engine="equities"), replace(state, positions={"PG": 0, "KO": 0}))
    marks = dict.fromkeys(("PG", "KO", "PEP"), 20000.0)
    busy = replace(state, marks=marks, positions={"PG": 1}, under_way={"i7": resting(-1, "KO")})
    assert refusal(wish, busy) == "sector_cap"
    leaving = replace(state, marks=marks, positions={"PG": 1}, under_way={"i7": resting(-1, "KO", is_entry=False)})
    assert passes(wish, leaving)


@pytest.mark.parametrize("sign", [1, -1])
def test_caps_count_both_sides(sign):
    """A seed engine capped buys only: short entries were unbounded (D13)."""
    state = open_state(order_notional_usd_max=Decimal(10_000))
    assert passes(entry(sign * 533), state)  # 399.75 dollars
    assert refusal(entry(sign * 534), state) == "symbol_cap"
    assert refusal(entry(sign * 101, SOL_TICKS, "SOL"), state) == "symbol_cap"  # its own cap, 200 dollars
    assert passes(entry(sign * 100, SOL_TICKS, "SOL"), state)


def test_the_candidate_is_not_counted_twice():
    """A seed engine's net already held the candidate, so its cap was half of what it said (D4)."""
    state = open_state(symbol_cap_usd=Decimal(2000), order_notional_usd_max=Decimal(2000))
    first = entry(1333)  # 999.75 dollars under a cap of 1000
    verdict, after = judge(first, state, NOW_NS)
    assert isinstance(verdict, Approved)
    assert passes(first, after), "asked again under its own id"
    assert refusal(entry(50, SOL_TICKS, "SOL", id="i2"), after) == "net_cap"
    assert passes(entry(-50, SOL_TICKS, "SOL", id="i2"), after)


def test_the_net_may_shrink_though_it_is_over_its_cap_but_not_past_the_other_side():
    held = replace(open_state(), positions={"SOL": -600})  # 1200 dollars short, cap 1000
    assert refusal(entry(-LOTS), held) == "net_cap"
    assert passes(entry(LOTS), held)
    wide = open_state(order_notional_usd_max=Decimal(9000), symbol_cap_usd=Decimal(9000))
    assert refusal(entry(3267), replace(wide, positions={"SOL": -600})) == "net_cap"  # 1250.25 dollars long
    assert passes(entry(3200), replace(wide, positions={"SOL": -600})), "1200 dollars long is no more than it was"


def test_no_order_under_way_is_counted_on_to_shrink_the_net():
    state = replace(open_state(), positions={"SOL": 490}, under_way={"i9": resting(-(10**6), "kSHIB")})  # 980 dollars
    assert refusal(entry(), replace(state, marks=state.marks | {"kSHIB": 12_345.0})) == "net_cap"


def test_reduce_only_has_hysteresis():
    state, roomy = open_state(), entry(100, BTC_TICKS)
    seen = []
    for sol in (740, 750, 700, 626, 625, 740):  # 1480, 1500, 1400, 1252, 1250, 1480 dollars; the cap is 1000
        _, state = judge(roomy, replace(state, positions={"SOL": sol}), NOW_NS)
        seen.append(state.reducing)
    assert seen == [False, True, True, True, False, False]
    state = replace(state, positions={"SOL": 700}, reducing=True)
    assert refusal(entry(100), state) == "reduce_only"
    assert passes(entry(-100), state)
    assert refusal(entry(-100), replace(state, marks={"BTC": BTC_TICKS, "SOL": NAN})) == "reduce_only"


# --- the account and the rate


def test_the_breaker_stops_entries():
    tripped = breaker(10_000, 10_000, 10_000, 9_000, 9_000, 9_000)
    assert tripped.tripped
    verdict = ask(entry(), replace(open_state(), breaker=tripped))
    assert (verdict.rule, verdict.bound) == ("daily_loss", "resumed by the operator")
    assert verdict.value.startswith("tripped by daily_loss")


def test_one_reading_that_breaks_a_bound_stops_entries_before_it_trips():
    once = breaker(10_000, 10_000, 10_000, 9_950)
    assert once.tripped is None
    assert refusal(entry(), replace(open_state(), breaker=once)) == "daily_loss"


def test_a_blind_breaker_stops_entries():
    blind = replace(open_state().breaker, bad_readings=10)
    assert refusal(entry(), replace(open_state(), breaker=blind)) == "daily_loss"


def test_the_rate_is_used_up_by_what_passes_and_by_nothing_else():
    state = open_state()
    assert judge(entry(0), state, NOW_NS)[1].rate == state.rate
    for number in range(2):
        verdict, state = judge(entry(1, id=f"i{number}", symbol=("BTC", "SOL")[number]), state, NOW_NS)
        assert isinstance(verdict, Approved)
    verdict = ask(entry(1, symbol="kSHIB", id="i3"), state)
    assert (verdict.rule, verdict.value, verdict.bound) == ("order_rate", "next in 2000 ms", "30 a minute, 2 at once")
    assert passes(entry(1, symbol="kSHIB", id="i3"), state, NOW_NS + 2_000_000_000)


def test_an_exit_uses_the_rate_and_is_never_starved_by_it():
    state = replace(open_state(), positions={"BTC": 300})
    for number in range(10):
        verdict, state = judge(leave(-300, id=f"x{number}"), state, NOW_NS)
        assert isinstance(verdict, Approved)
    assert refusal(entry(1, SOL_TICKS, "SOL", id="i2"), state) == "order_rate"
    assert passes(entry(1, SOL_TICKS, "SOL", id="i2"), state, NOW_NS + 2_000_000_000), "exits run up no debt"


# --- exits and cancels always pass

WORST = replace(
    new_state(profile(), (BTC,), calendar()),
    trading={"": Trading.HALTED},
    positions={"BTC": 10**6},
    marks={"BTC": NAN},
    breaker=replace(breaker(10_000, 10_000, 10_000, 9_000, 9_000, 9_000), bad_readings=99),
    rate=take(take(open_state().rate, NOW_NS).bucket, NOW_NS).bucket,
    symbols=frozenset(),
    instruments={},
)


def test_exits_and_cancels_pass_in_the_worst_state():
    assert refusal(entry(), WORST) == "state"
    verdict = ask(leave(-(10**6)), WORST)
    assert [check.rule for check in verdict.checks] == ["finite", "by_hand", "flip_guard"]
    assert passes(moved(-(10**6), purpose=Purpose.EXIT), WORST)
    cancel = Cancel(engine="perps", intent_id="i1", order_id="o1", symbol="BTC", reason="halt", at_ns=NOW_NS)
    assert judge(cancel, WORST, NOW_NS) == (Approved("perps", cancel, (), NOW_NS), WORST)


# --- at the bound itself


def test_an_order_worth_exactly_what_it_may_be_passes():
    assert passes(entry(), open_state(order_notional_usd_max=Decimal(225)))
    assert refusal(entry(), open_state(order_notional_usd_max=Decimal("224.99"))) == "order_notional"


def test_a_price_of_one_tick_is_a_price():
    assert net_minor(replace(open_state(), positions={"SOL": 3}, marks={"SOL": 1.0})) == 3
    assert net_minor(replace(open_state(), positions={"SOL": 3}, marks={"SOL": 0.0})) is None


# --- what somebody trades by hand


def test_a_symbol_in_quarantine_is_left_to_whoever_trades_it_by_hand():
    state = replace(open_state(), positions={"BTC": 5}, quarantine=True, by_hand={"BTC": 5})
    assert refusal(leave(-5), state) == "by_hand"
    assert passes(leave(-5, reason="flatten"), state)
    assert passes(moved(-5, purpose=Purpose.EXIT), state), "an exit under way goes on"
    assert passes(entry(100, SOL_TICKS, "SOL"), state)
    assert refusal(entry(reason="flatten"), replace(state, positions={})) == "by_hand"


def test_out_of_quarantine_what_was_traded_by_hand_is_ours_like_any_other():
    state = replace(open_state(), positions={"BTC": 5}, by_hand={"BTC": 5})
    assert passes(leave(-5), state)
    assert passes(entry(), replace(state, positions={}))
    assert passes(entry(), replace(state, positions={}, by_hand={"BTC": 0}, quarantine=True)), "it is gone again"


# --- reprices


MOVING = replace(open_state(), positions={"BTC": 100}, under_way={"i1": resting(200)})


def test_what_is_unfilled_of_an_entry_may_move():
    assert kind_of(moved(200)) is Kind.ENTRY_MOVE
    verdict, after = judge(moved(200), MOVING, NOW_NS)
    assert [check.rule for check in verdict.checks] == [
        "finite", "state", "by_hand", "macro_window", "blackout", "flip_guard", "symbol_cap", "order_notional",
        "order_rate",
    ]  # fmt: skip
    assert after.under_way == MOVING.under_way
    assert after.rate != MOVING.rate


def test_a_short_entry_moves_too():
    short = replace(open_state(), under_way={"i1": resting(-200)})
    assert passes(moved(-200), short)
    assert refusal(moved(200), short) == "flip_guard"


@pytest.mark.parametrize("wish", [moved(201), moved(-200), moved(200, intent_id="i2"), moved(200, symbol="SOL")])
def test_more_than_what_is_unfilled_may_not(wish):
    """A seed engine resubmitted the full quantity after a partial fill (D2)."""
    assert refusal(wish, MOVING) == "flip_guard"


@pytest.mark.parametrize("rule", ["state", "by_hand", "macro_window", "symbol_cap", "order_notional", "order_rate"])
def test_an_entry_does_not_move_where_entries_are_frozen(rule):
    small = {"limits": LIMITS.model_copy(update={"order_notional_usd_max": Decimal(149)})}  # 200 lots are 150 dollars
    assert refusal(moved(200), replace(MOVING, **(small if rule == "order_notional" else SHUT[rule]))) == rule


def test_an_order_in_an_unknown_name_may_not_move():
    state = replace(MOVING, instruments={})
    assert refusal(moved(200), state) == "symbol_cap"
    [order_notional] = [rule for rule in RULES if rule.name == "order_notional"]
    assert not order_notional.ask(Case(moved(200), state, NOW_NS)).passes


# --- what is under way


class Moved:
    """What the ledger says of an order, as far as the gate reads it."""

    def __init__(self, state, order_id="o1", lots_filled=0, intent_id="i1", side=Side.BUY):
        self.order_id, self.intent_id, self.symbol, self.side = order_id, intent_id, "BTC", side
        self.state, self.lots, self.lots_filled, self.entry = state, LOTS, lots_filled, True


def test_an_intent_is_under_way_until_its_order_is_over():
    _, state = judge(entry(), open_state(), NOW_NS)
    assert state.under_way == {"i1": UnderWay("BTC", LOTS, True, "", NOW_NS)}
    state = order_moved(state, Moved(OrderState.SENT))
    assert state.under_way == {"i1": resting(LOTS)}
    state = order_moved(state, Moved(OrderState.UNKNOWN, lots_filled=100))
    assert state.under_way == {"i1": resting(200)}
    assert order_moved(state, Moved(OrderState.CANCELLED, lots_filled=100)).under_way == {}


@pytest.mark.parametrize("over", sorted(OVER))
def test_an_intent_whose_first_order_dies_at_once_is_over(over):
    _, state = judge(entry(), open_state(), NOW_NS)
    assert order_moved(state, Moved(over)).under_way == {}
    assert order_moved(open_state(), Moved(over)) == open_state()


def test_the_end_of_a_replaced_order_does_not_end_its_intent():
    state = order_moved(open_state(), Moved(OrderState.CANCELLING))
    state = order_moved(state, Moved(OrderState.SENT, "o2"))
    state = order_moved(state, Moved(OrderState.CANCELLED, "o1"))
    assert state.under_way == {"i1": UnderWay("BTC", LOTS, True, "o2")}
    assert order_moved(state, Moved(OrderState.FILLED, "o2")).under_way == {}


def test_an_intent_is_under_way_while_any_order_serves_it():
    """A successor is sent before its predecessor goes; what the predecessor said hid it until its answer came."""
    state = order_moved(open_state(), Moved(OrderState.RESTING))
    state = order_moved(state, Moved(OrderState.SENT, "o2"))
    state = order_moved(state, Moved(OrderState.CANCELLING, "o1"))
    gone = order_moved(state, Moved(OrderState.CANCELLED, "o1"))
    assert gone.under_way == {"i1": UnderWay("BTC", LOTS, True, "o2")}
    assert refusal(entry(id="i2"), gone) == "flip_guard"
    refused = order_moved(state, Moved(OrderState.REJECTED, "o2"))
    assert refused.under_way == {"i1": UnderWay("BTC", LOTS, True, "o1")}, "it was not replaced, and rests on"
    for one, other in (("o1", "o2"), ("o2", "o1")):
        over = order_moved(order_moved(state, Moved(OrderState.CANCELLED, one)), Moved(OrderState.FILLED, other))
        assert over.under_way == {}


def test_a_short_entry_is_under_way_with_its_sign():
    assert order_moved(open_state(), Moved(OrderState.SENT, side=Side.SELL)).under_way["i1"].lots == -LOTS


def test_an_approval_that_no_order_came_of_does_not_bar_its_symbol_for_ever():
    assert ORDERLESS_NS_MAX == MINUTE_NS // 2
    _, state = judge(entry(), open_state(), NOW_NS)
    assert refusal(entry(id="i2"), state, NOW_NS + ORDERLESS_NS_MAX) == "flip_guard"
    verdict, after = judge(entry(id="i2"), state, NOW_NS + ORDERLESS_NS_MAX + 1)
    assert isinstance(verdict, Approved)
    assert set(after.under_way) == {"i2"}
    known = order_moved(state, Moved(OrderState.UNKNOWN))
    assert refusal(entry(id="i2"), known, NOW_NS + 100 * ORDERLESS_NS_MAX) == "flip_guard", "doubt does not expire"


# --- the invariant behind it all


@settings(max_examples=150)
@given(
    st.lists(st.tuples(st.sampled_from(["BTC", "SOL", "kSHIB"]), st.integers(-400, 400)), max_size=12),
    st.dictionaries(st.sampled_from(["BTC", "SOL"]), st.integers(-300, 300)),
)
def test_what_passes_never_breaks_a_cap(wishes, positions):
    state = replace(
        open_state(orders_burst=100), positions=positions, marks={"BTC": 750_000.0, "SOL": 2e6, "kSHIB": 12_345.0}
    )
    state = replace(state, rate=replace(state.rate, burst=100))
    for number, (symbol, lots) in enumerate(wishes):
        ticks = int(state.marks[symbol])
        before = state
        verdict, state = judge(entry(lots, ticks, symbol, id=f"i{number}"), state, NOW_NS)
        if isinstance(verdict, Refused):
            assert state.under_way == before.under_way
            continue
        instrument = state.instruments[symbol]
        assert notional_minor(instrument, ticks, abs(lots)) <= 300 * USD
        assert notional_minor(instrument, ticks, abs(lots)) <= (200 if symbol == "SOL" else 400) * USD
        worth = {name: notional_minor(state.instruments[name], int(state.marks[name]), 1) for name in state.marks}
        net = sum(worth[name] * held for name, held in positions.items())
        same_side = sum(worth[what.symbol] * what.lots for what in state.under_way.values() if what.lots * lots > 0)
        earlier = net + same_side - worth[symbol] * lots
        assert abs(net + same_side) <= max(1000 * USD, abs(earlier))
