"""A change while it runs: on disk first, then every actor decides by it, from that message on and until it is over."""

from decimal import Decimal

import pytest
from msgspec.structs import replace

from actors.gate import Gate
from actors.ledger import LedgerMind
from actors.ledger_recovery import recover, state_of, take_up
from actors.messages import OrderChanged, Tune, Tuned
from actors.records import written
from actors.strategy import Act, leans_long
from config.load import load_profile
from risk.gate import case_of, findings
from risk.gate_state import new_state
from risk.intent import Approved, Cancel, Refused
from supervisor.messages import ChildStarted
from tests.actors.stories import run_started
from tests.actors.test_circuit_breaker import Bench as Breaker
from tests.actors.test_gate import ENTRY, NOW_NS, OPENINGS
from tests.actors.test_maker_watchdog import AT_TOUCH, ORDER, watchdog
from tests.actors.test_signal import Bench
from tests.risk.given import BTC, calendar


def tuned(name, value, symbol="", engine="perps", at_ns=NOW_NS, keep=False, source="operator"):
    return Tuned(engine=engine, name=name, symbol=symbol, value=value, source=source, keep=keep, reason="", at_ns=at_ns)


def tune(name, value, symbol="", **more):
    one = tuned(name, value, symbol, **more)
    return Tune(**{field: getattr(one, field) for field in Tune.__struct_fields__})


# --- the signal


def test_the_next_bar_is_decided_by_the_new_threshold_and_the_one_after_taking_it_back_by_the_old():
    for changes, enters in (((), True), (("99",), False), (("99", ""), True)):
        bench = Bench().warm()
        for value in changes:
            bench.signal.hear(tuned("z_entry", value, "BTC"))
        assert bool(bench.dip()) is enters
        if not enters:
            assert bench.signal.counts == {"z_inside": 1}


def test_another_engines_change_and_another_symbols_are_not_heeded():
    bench = Bench().warm()
    bench.signal.hear(tuned("z_entry", "99", "BTC", engine="crypto"))
    bench.signal.hear(tuned("z_entry", "99", "ETH"))
    assert bench.dip()


def test_a_smaller_notional_makes_a_smaller_order_and_entries_off_none():
    (usual,) = Bench().warm().dip()
    bench = Bench().warm()
    bench.signal.hear(tuned("notional_usd", "125"))
    (smaller,) = bench.dip()
    assert smaller.lots == usual.lots // 2
    bench = Bench().warm()
    bench.signal.hear(tuned("entries", "off", "BTC"))
    assert bench.dip() == ()
    assert bench.signal.counts == {"entries_off": 1}


def test_a_nearer_stop_leaves_at_the_next_book():
    bench = Bench().held()
    price = bench.price * 0.994  # six tenths of a per cent against it: within the stop of one per cent
    assert bench.book(price) == ()
    bench.signal.hear(tuned("stop_loss", "0.005"))
    (leaves,) = bench.book(price)
    assert (leaves.reason, leaves.evidence.move_bound) == ("stop_loss", -0.005)


def test_a_change_lifts_the_silence_after_a_refusal():
    bench = Bench().warm()
    (entry,) = bench.dip()
    bench.signal.hear(Refused("perps", entry, "net_cap", "9", "1", bench.now_ns))
    assert bench.dip(0.012) == ()
    bench.signal.hear(tuned("notional_usd", "100"))
    assert bench.dip(0.015)


# --- what an entry needs: one list for the decision and for who asks why


def test_the_first_condition_that_fails_is_the_reason_that_is_counted():
    drops, obis = (0.0, 0.00001, 0.01, -0.01), (0.5, -0.5, 0.0)
    seen = set()
    for drop in drops:
        for obi in obis:
            for warm in (0, 60, 240):
                bench = Bench().warm(warm) if warm else Bench()
                close = round(bench.price * (1 - drop))
                said = bench.dip(drop, obi)
                state = bench.signal.symbols["BTC"]
                if said:  # what is awaited since is in the way of the next one, and of this one nothing was
                    state.awaited = None
                view = bench.signal.view(state, close, bench.now_ns)
                act = Act.LONG if leans_long(view) else Act.SHORT
                rows = [*bench.signal.strategy.entry_conditions(view)]
                rows += bench.signal.in_the_way(state, act, view, bench.now_ns)
                first = next((row.name for row in rows if not row.holds), "z_entry")
                assert bench.signal.counts == {first: 1}
                assert bool(said) is (first == "z_entry")
                seen.add(first)
    assert seen >= {"z_cold", "z_inside", "obi_against", "z_entry", "trend_against"}


def test_the_first_finding_that_does_not_pass_is_the_refusal():
    gate = opened()
    gate.hear(tuned("order_notional_usd_max", "100"))
    (refused,) = gate.hear(ENTRY)
    rows = list(findings(case_of(ENTRY, gate.state, NOW_NS)))
    first = next((name, *found) for name, found in rows if not found.passes)
    assert first == (refused.rule, False, refused.value, refused.bound)
    assert len(rows) > [name for name, _ in rows].index(refused.rule) + 1, "those after it are found too"


# --- gate, breaker, watchdog


def opened():
    gate = Gate(new_state(load_profile("perps"), [BTC], calendar()))
    for message in OPENINGS:
        gate.hear(message)
    return gate


def test_the_gate_refuses_what_is_over_a_bound_that_was_lowered_and_lets_it_pass_when_that_is_taken_back():
    gate = opened()
    assert isinstance(gate.hear(ENTRY)[0], Approved)
    gate = opened()
    gate.hear(tuned("symbol_cap_usd", "100", "BTC"))
    (refused,) = gate.hear(ENTRY)
    assert (refused.rule, refused.bound) == ("symbol_cap", "100 USD")
    gate.hear(tuned("symbol_cap_usd", "", "BTC"))
    assert isinstance(gate.hear(ENTRY)[0], Approved)


def test_a_symbol_whose_entries_are_off_is_refused():
    gate = opened()
    gate.hear(tuned("entries", "off", "BTC"))
    assert gate.hear(ENTRY)[0].rule == "symbol"


def test_orders_that_were_granted_count_against_a_lower_rate():
    gate = opened()
    assert isinstance(gate.hear(ENTRY)[0], Approved)
    gate.hear(tuned("orders_per_minute", "1"))
    second = replace(ENTRY, id="i2", symbol="BTC")
    rules = [name for name, found in findings(case_of(second, gate.state, NOW_NS)) if not found.passes]
    assert "order_rate" in rules


def test_a_day_that_has_lost_more_than_the_new_bound_is_halted():
    bench = Breaker().ready()
    bench.mark(99_700.0)  # thirty dollars down: within fifty
    assert bench.tick(4) == () or not [one for one in bench.tick(4) if hasattr(one, "state")]
    bench.mind.hear(tuned("daily_loss_usd", "25"))
    said = [one for _ in range(4) for one in bench.tick()]
    assert [one.reason.split(":")[0] for one in said if hasattr(one, "state")] == ["daily_loss"]
    assert bench.mind.accounts["crypto"].limits.daily_loss_minor == 50_000_000, "the other account's stays"


def test_resting_entries_of_a_symbol_are_taken_back_when_it_is_switched_off_and_exits_stay():
    mind = watchdog(ORDER, AT_TOUCH)
    (cancel,) = mind.hear(tuned("entries", "off", "BTC"))
    assert isinstance(cancel, Cancel)
    assert (cancel.order_id, cancel.reason) == ("o1", "entries_off")
    leaving = watchdog(replace(ORDER, entry=False), AT_TOUCH)
    assert leaving.hear(tuned("entries", "off", "BTC")) == ()
    assert isinstance(ORDER, OrderChanged)


# --- the ledger


def started(number=1, at_ns=1):
    mind = LedgerMind()
    mind.fold(run_started(number, at_ns))
    return mind


def test_a_change_is_a_record_and_is_told_once_it_is_one():
    mind = started()
    records, said = mind.hear(tune("net_cap_usd", "600"))
    assert records == said == [tuned("net_cap_usd", "600")]
    again = recover(map(written, [run_started(1, 1), *records]), LedgerMind())
    assert again.tuned == mind.tuned


@pytest.mark.parametrize("keep", [True, False])
def test_it_outlives_a_child_and_outlives_the_run_only_if_it_is_kept(keep):
    mind = started()
    mind.hear(tune("net_cap_usd", "600", keep=keep))
    mind.hear(tune("obi_theta", "0.1", keep=keep))
    mind.hear(tune("obi_theta", ""))  # taken back
    told = [one for one in mind.hear(ChildStarted("signal", "perps", 0, 2))[1] if isinstance(one, Tuned)]
    assert told == [tuned("net_cap_usd", "600", keep=keep)]
    other = LedgerMind()
    take_up(state_of(mind), other)
    for one in (mind, other):
        one.fold(run_started(2, 3))
        told = [one for one in one.hear(ChildStarted("signal", "perps", 0, 4))[1] if isinstance(one, Tuned)]
        assert [one.value for one in told] == (["600"] if keep else [])


def test_a_child_that_starts_hears_of_its_engines_changes_alone():
    mind = started()
    mind.hear(tune("net_cap_usd", "600", engine="crypto"))
    assert not [one for one in mind.hear(ChildStarted("signal", "perps", 0, 2))[1] if isinstance(one, Tuned)]
    assert Decimal(mind.tuned["crypto", "operator", "net_cap_usd", ""].value) == 600
