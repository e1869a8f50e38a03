"""The gate actor: it judges with the freshest state it heard; a new one is closed until it is told everything."""

from datetime import date

import pytest
from msgspec.structs import replace

from actors.gate import Gate
from actors.messages import (
    Awoke,
    BreakerChanged,
    EntryTaken,
    MacroWindow,
    Mark,
    OrderChanged,
    PositionChanged,
    Reconciled,
    SectorCounts,
    StreamState,
    TradingState,
    Watched,
)
from config.load import load_profile
from risk import rules
from risk.circuit_breaker import Breaker
from risk.gate_state import new_state
from risk.intent import Approved, Cancel, Evidence, Intent, Purpose, Refused, Reprice, Trading
from risk.order import OrderState
from risk.session import NO_DAYS, session_on
from supervisor.mailbox import Overflow
from tests.risk.given import BTC, COST, MINUTE_NS, SOL, calendar
from venues.market import SessionMoved, Side, TimeInForce

NOW_NS = 1_767_571_200_000_000_000
ENTRY = Intent(
    id="i1",
    engine="perps",
    symbol="BTC",
    side=Side.BUY,
    lots=300,
    ticks=700_000,  # 70,000 dollars
    time_in_force=TimeInForce.ALO,
    purpose=Purpose.ENTRY,
    reason="z_entry",
    at_ns=NOW_NS,
    evidence=Evidence(
        bar_start_ns=0,
        close=70_000.0,
        z=-2.0,
        z_bound=-1.25,
        obi=0.3,
        obi_bound=0.0,
        obi_at_ns=NOW_NS,
        obi_age_ns=0,
        trend=69_000.0,
        facade=False,
    ),
)
OPENINGS = (
    TradingState("", Trading.ACTIVE, "", "operator", NOW_NS),
    Reconciled("perps", True, 0, 0, 0, "", NOW_NS),
    StreamState("perps", "BTC", True, 0, NOW_NS),
    MacroWindow(False, "", 0, False, NOW_NS),
    BreakerChanged("perps", Breaker(readings=(10**11,), high_water_minor=10**11, opening_minor=10**11), NOW_NS),
    Mark("BTC", NOW_NS, 69_999.0, 70_001.0),
)
"""All that an entry waits for."""


def gate(*told):
    mind = Gate(new_state(load_profile("perps", symbols=("BTC",)), (BTC, SOL), NO_DAYS))
    for message in told:
        assert mind.hear(message) == ()
    return mind


def verdict(mind, wish=ENTRY):
    (said,) = mind.hear(wish)
    return said.rule if isinstance(said, Refused) else type(said)


def order(state=OrderState.RESTING, **more):
    told = OrderChanged(
        engine="perps",
        order_id="o1",
        intent_id="i1",
        symbol="BTC",
        side=Side.BUY,
        state=state,
        lots=300,
        lots_filled=0,
        ticks=700_000,
        time_in_force=TimeInForce.ALO,
        entry=True,
        reason="",
        fence_ns=0,
        at_ns=NOW_NS,
    )
    return replace(told, **more)


def test_told_everything_it_lets_an_entry_pass():
    assert verdict(gate(*OPENINGS)) is Approved


@pytest.mark.parametrize(
    ("missing", "rule"),
    [
        (Reconciled, "reconciled"),
        (StreamState, "fresh"),
        (MacroWindow, "macro_window"),
        (BreakerChanged, "daily_loss"),
    ],
)
def test_a_new_gate_is_closed_to_entries_until_it_was_told(missing, rule):
    assert verdict(gate(*(one for one in OPENINGS if not isinstance(one, missing)))) == rule


@pytest.mark.parametrize(
    ("told", "rule"),
    [
        (TradingState("perps", Trading.REDUCING, "x", "operator", NOW_NS), "state"),
        (TradingState("", Trading.HALTED, "x", "operator", NOW_NS), "state"),
        (Reconciled("perps", False, 0, 0, 0, "no route", NOW_NS), "reconciled"),
        (StreamState("perps", "BTC", False, 20_000, NOW_NS), "fresh"),
        (MacroWindow(True, "CPI", 0, False, NOW_NS), "macro_window"),
        (PositionChanged("perps", "BTC", 5, 700_000.0, 0, 1, NOW_NS), "flip_guard"),
        (order(intent_id="i0"), "flip_guard"),
    ],
)
def test_what_it_hears_shuts_it(told, rule):
    assert verdict(gate(*OPENINGS, told)) == rule


def test_an_approved_entry_counts_before_any_order_of_it_is_known():
    mind = gate(*OPENINGS)
    assert verdict(mind) is Approved
    assert verdict(mind, replace(ENTRY, id="i2")) == "flip_guard"
    mind.hear(order(OrderState.CANCELLED))
    assert verdict(mind, replace(ENTRY, id="i3")) is Approved


def test_a_cap_of_entries_counts_accepts_and_what_is_under_way_and_begins_anew_each_day():
    mind = gate(*OPENINGS)
    mind.state = replace(mind.state, limits=mind.state.limits.model_copy(update={"entries_max": 2}))
    mind.hear(EntryTaken("perps", "i7", "SOL", NOW_NS))
    assert verdict(mind) is Approved
    assert verdict(mind, replace(ENTRY, id="i2")) == "entries_cap"  # the first may be accepted yet
    mind.hear(order(OrderState.REJECTED))
    assert verdict(mind, replace(ENTRY, id="i3")) is Approved, "a refused entry is given back"
    mind.hear(order(intent_id="i3"))
    mind.hear(EntryTaken("perps", "i3", "BTC", NOW_NS))
    mind.hear(order(OrderState.CANCELLED, intent_id="i3"))
    assert verdict(mind, replace(ENTRY, id="i4")) == "entries_cap", "accepted is accepted, filled or not"
    tomorrow_ns = NOW_NS + 86_400_000_000_000
    assert verdict(mind, replace(ENTRY, id="i5", at_ns=tomorrow_ns)) is Approved
    mind.hear(EntryTaken("perps", "i5", "BTC", tomorrow_ns))
    assert mind.state.entries == {"i5": tomorrow_ns}


def test_sectors_of_other_engines_count():
    members = {f"S{n}": BTC.sector for n in range(9)}
    mind = gate(*OPENINGS, SectorCounts({}, members, NOW_NS))
    assert mind.state.sector_members == members


def test_a_mark_of_a_name_that_it_does_not_trade_is_nothing():
    mind = gate(*OPENINGS)
    marks = dict(mind.state.marks)
    mind.hear(Mark("XMR", NOW_NS, 1.0, 2.0))
    assert mind.state.marks == marks


def test_the_reason_for_being_shut_is_the_reconcilers_own():
    (refused,) = gate(*OPENINGS, Reconciled("perps", False, 0, 0, 0, "no route", NOW_NS)).hear(ENTRY)
    assert (refused.value, refused.bound, refused.wish) == ("no route", "reconciled", ENTRY)


def test_a_cancel_passes_a_gate_that_was_told_nothing():
    wish = Cancel(engine="perps", intent_id="i1", order_id="o1", symbol="BTC", reason="lifetime", at_ns=NOW_NS)
    assert verdict(gate(), wish) is Approved


def test_wishes_are_read_after_all_that_they_are_judged_by():
    """Lanes are read in the order of `hears`: a fill that came before an intent is known when it is judged."""
    kinds = [heard.message for heard in Gate.hears if heard.overflow is not Overflow.LATEST]
    wishes = [kinds.index(kind) for kind in (Cancel, Intent)]
    assert min(wishes) > kinds.index(PositionChanged)
    assert min(wishes) > kinds.index(OrderChanged)
    assert min(wishes) > kinds.index(TradingState)


def test_a_close_that_the_venue_brings_forward_ends_entries_sooner():
    profile = load_profile("equities", symbols=("COST",))
    mind = Gate(new_state(profile, (COST,), calendar()))
    session = session_on(date(2026, 1, 5), calendar())
    wish = replace(ENTRY, engine="equities", symbol="COST", at_ns=session.closes_ns - 150 * MINUTE_NS)
    case = lambda: rules.session(rules.Case(wish, mind.state, wish.at_ns)).passes  # noqa: E731
    assert case()
    mind.hear(SessionMoved("equities", "2026-01-05", session.closes_ns - 120 * MINUTE_NS, wish.at_ns))
    assert not case(), "half an hour before the close that was moved, entries are over"


def watched_gate(*told):
    mind = gate(*OPENINGS)
    mind.state = replace(mind.state, watched_until_ns=0)
    for message in told:
        assert mind.hear(message) == ()
    return mind


def test_where_a_dead_man_is_asked_for_no_entry_passes_without_his_time():
    assert verdict(watched_gate()) == "deadman"
    assert verdict(watched_gate(Watched(NOW_NS, "", NOW_NS - 9))) is Approved
    assert verdict(watched_gate(Watched(NOW_NS - 1, "", NOW_NS - 9))) == "deadman", "it ran out while all stood still"
    late = watched_gate(Watched(NOW_NS + 9, "", NOW_NS - 9), Watched(0, "he is gone", NOW_NS))
    (said,) = late.hear(ENTRY)
    assert (said.rule, said.value) == ("deadman", "he is gone")
    assert verdict(gate(*OPENINGS)) is Approved, "where none is asked for, nobody is missed"


def test_without_a_dead_man_exits_and_cancels_pass():
    held = (PositionChanged("perps", "BTC", -300, 700_000.0, 0, 0, NOW_NS),)
    assert verdict(watched_gate(*held), replace(ENTRY, purpose=Purpose.EXIT, reason="stop_loss")) is Approved
    cancel = Cancel(engine="perps", intent_id="i1", order_id="o1", symbol="BTC", reason="lifetime", at_ns=NOW_NS)
    assert verdict(watched_gate(), cancel) is Approved


def test_after_it_was_away_nothing_is_moved_either_whatever_time_the_wish_bears():
    """A reprice bears the time of the tick that it answers, which may be from before the process was stopped."""
    move = Reprice(
        engine="perps", intent_id="i1", order_id="o1", symbol="BTC", side=Side.BUY, lots_left=300, lots_total=300,
        ticks=700_000, time_in_force=TimeInForce.ALO, purpose=Purpose.ENTRY, reason="behind", at_ns=NOW_NS,
    )  # fmt: skip
    mind = watched_gate(Watched(NOW_NS + 9, "", NOW_NS), order())
    assert verdict(mind, move) is Approved
    mind.hear(Awoke(20.0, NOW_NS))
    assert verdict(mind, move) == "deadman"
    mind.hear(OPENINGS[1])
    assert verdict(mind, move) is Approved


def test_after_it_was_away_the_gate_waits_for_a_new_verdict():
    mind = gate(*OPENINGS, Awoke(20.0, NOW_NS))
    (said,) = mind.hear(ENTRY)
    assert (said.rule, said.bound) == ("reconciled", "reconciled")
    assert said.value.startswith("away for 20 s")
    mind.hear(OPENINGS[1])
    assert verdict(mind) is Approved
