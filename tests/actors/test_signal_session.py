"""The session by the clock: nothing is held when it shuts; what is held all the same is said and left at the open."""

from datetime import date

import pytest

from actors.messages import HeldOutside, Imbalance, StreamState
from actors.signal import Signal
from config.load import load_profile
from risk.intent import Cancel, Purpose
from risk.order import OrderState
from risk.session import session_on
from supervisor.messages import Tick
from tests.actors.test_signal import DAY, Bench, equities, instrument
from tests.risk.given import calendar
from venues.market import Bar, SessionMoved, Side, TimeInForce

S = 1_000_000_000
MINUTE = 60 * S
MONDAY = session_on(date(2026, 1, 5), calendar())
TUESDAY = session_on(date(2026, 1, 6), calendar())
HALF = session_on(date(2026, 11, 27), calendar())
FLATTEN_NS = load_profile("equities").risk.flatten_minutes * MINUTE


def tick(bench, at_ns):
    return bench.signal.hear(Tick(at_ns))


def hold(bench, lots=3, *, opened_ns=None, at_ns=None, price=100.0):
    """A position and a book of just now."""
    at_ns = MONDAY.opens_ns + MINUTE if at_ns is None else at_ns
    bench.position(lots, entry=price, opened_ns=at_ns if opened_ns is None else opened_ns)
    bench.book(price, at_ns=at_ns, spread=0.02)
    return bench


def test_a_close_that_the_venue_brings_forward_brings_the_leaving_forward():
    bench = hold(equities(), 3, at_ns=MONDAY.opens_ns + MINUTE)
    closes_ns = MONDAY.closes_ns - 120 * MINUTE
    assert tick(bench, closes_ns - FLATTEN_NS) == ()
    bench.signal.hear(SessionMoved("equities", "2026-01-05", closes_ns, closes_ns - FLATTEN_NS))
    (exit_,) = tick(bench, closes_ns - FLATTEN_NS + S)
    assert (exit_.reason, exit_.lots) == ("session_close", 3)


@pytest.mark.parametrize("session", [MONDAY, HALF], ids=["16:00", "13:00"])
@pytest.mark.parametrize("lots", [3, -3])
def test_a_position_is_left_five_minutes_before_the_close_to_the_second_without_a_bar(session, lots):
    bench = hold(equities(), lots, at_ns=session.opens_ns + MINUTE)
    assert tick(bench, session.closes_ns - FLATTEN_NS - S) == ()
    (exit_,) = tick(bench, session.closes_ns - FLATTEN_NS)
    assert (exit_.reason, exit_.lots, exit_.time_in_force) == ("session_close", 3, TimeInForce.IOC)
    assert exit_.side is (Side.SELL if lots > 0 else Side.BUY)
    assert exit_.at_ns == session.closes_ns - FLATTEN_NS


def test_a_start_in_the_last_minute_leaves_as_soon_as_there_is_a_price():
    bench = equities()
    at_ns = MONDAY.closes_ns - 60 * S
    bench.position(3, entry=100.0, opened_ns=MONDAY.closes_ns - 3600 * S)
    assert tick(bench, at_ns) == (), "no book and no bar yet: nobody knows a price"
    bench.book(99.5, at_ns=at_ns + S, spread=0.02)
    (exit_,) = tick(bench, at_ns + S)
    assert exit_.reason == "session_close"
    assert 99.3 < exit_.ticks * 0.01 < 99.5


@pytest.mark.parametrize(("fresh", "bps"), [(True, 10), (False, 500)])
@pytest.mark.parametrize("lots", [3, -3])
def test_the_close_does_not_wait_for_a_price_that_nobody_hears(lots, fresh, bps):
    """The quotes ended at 15:50 and the price went on: at 10 bps of the last quote nothing fills until the close."""
    bench = hold(equities(), lots)
    symbol = bench.symbol
    bench.signal.hear(StreamState("equities", symbol, fresh, 130_000, MONDAY.closes_ns - FLATTEN_NS - S))
    (exit_,) = tick(bench, MONDAY.closes_ns - FLATTEN_NS)
    price = float(bench.signal.symbols[symbol].instrument.price(exit_.ticks))
    assert abs(price / 100.0 - 1) * 10_000 == pytest.approx(bps, abs=3)
    assert (price < 100.0) is (lots > 0)


def test_an_exit_that_does_not_fill_is_asked_for_again_until_the_close_and_then_said():
    bench = hold(equities())
    exits, at_ns = 0, MONDAY.closes_ns - FLATTEN_NS
    while at_ns < MONDAY.closes_ns:
        for intent in tick(bench, at_ns):
            exits += 1
            assert intent.purpose is Purpose.EXIT
            for state in (OrderState.SENT, OrderState.CANCELLED):
                bench.order(intent, state, order_id=f"x{exits}", at_ns=at_ns, time_in_force=TimeInForce.IOC)
        at_ns += S
    assert 300 / 9 < exits < 300, "every few seconds, not once a bar"
    said = tick(bench, MONDAY.closes_ns)
    assert said == (HeldOutside("equities", "COST", 3, TUESDAY.opens_ns, MONDAY.closes_ns),)
    assert tick(bench, MONDAY.closes_ns + S) == (), "once"
    assert bench.book(50.0, at_ns=MONDAY.closes_ns + 2 * S, spread=0.02) == (), "not even by its stop"


def test_what_was_held_overnight_is_left_at_the_next_open():
    bench = hold(equities())
    tick(bench, MONDAY.closes_ns)
    assert tick(bench, TUESDAY.opens_ns - S) == ()
    (exit_,) = tick(bench, TUESDAY.opens_ns)
    assert (exit_.reason, exit_.lots, exit_.time_in_force) == ("held_overnight", 3, TimeInForce.IOC)


def test_a_start_with_a_position_of_yesterday_says_so_at_once_and_leaves_at_the_open():
    bench = equities()
    bench.position(-2, entry=100.0, opened_ns=MONDAY.closes_ns - 3600 * S)
    (said,) = tick(bench, TUESDAY.opens_ns - 3600 * S)
    assert (said.lots, said.opens_ns) == (-2, TUESDAY.opens_ns)
    bench.book(100.5, at_ns=TUESDAY.opens_ns + S, spread=0.02)
    (exit_,) = tick(bench, TUESDAY.opens_ns + S)
    assert (exit_.reason, exit_.side, exit_.lots) == ("held_overnight", Side.BUY, 2)


def test_a_position_of_today_is_not_of_the_night():
    bench = hold(equities(), opened_ns=MONDAY.opens_ns)
    assert tick(bench, MONDAY.opens_ns + 2 * MINUTE) == ()


def test_it_is_said_again_the_next_night():
    bench = hold(equities())
    assert len(tick(bench, MONDAY.closes_ns)) == 1
    tick(bench, TUESDAY.opens_ns)
    assert len(tick(bench, TUESDAY.closes_ns)) == 1


def test_beyond_the_calendar_it_says_that_it_knows_no_next_open():
    bench = equities()
    bench.position(3, opened_ns=1)
    (said,) = tick(bench, MONDAY.closes_ns + 4 * 366 * DAY)
    assert said.opens_ns == 0


def test_what_rests_is_taken_back_before_the_close():
    bench = equities()
    bench.book(98.0, 0.5, bench.now_ns + MINUTE, spread=0.02)
    (entry,) = bench.bar(98.0)
    bench.order(entry, OrderState.RESTING, order_id="o1")
    assert tick(bench, MONDAY.closes_ns - FLATTEN_NS - S) == ()
    (cancel,) = tick(bench, MONDAY.closes_ns - FLATTEN_NS)
    assert isinstance(cancel, Cancel)
    assert (cancel.order_id, cancel.reason) == ("o1", "session_close")
    assert tick(bench, MONDAY.closes_ns - FLATTEN_NS + S) == (), "asked a second ago"
    bench.order(entry, OrderState.CANCELLED, order_id="o1")
    assert tick(bench, MONDAY.closes_ns - FLATTEN_NS + 10 * S) == ()


def test_an_engine_around_the_clock_has_no_beat():
    assert Bench().signal.every_s is None
    assert equities().signal.every_s == 1.0
    kept = load_profile("equities", cli={"risk": {"flatten_minutes": 0}})
    assert Signal(kept, {"COST": instrument("COST", "equities")}, str, calendar()).every_s is None


@pytest.mark.parametrize("obi", [0.5, -0.5])
def test_no_wish_lies_outside_the_session_and_no_entry_in_its_last_minutes(obi):
    """Two days around the clock in a market that would have it enter at every bar."""
    bench = equities()
    stop_ns = bench.profile.risk.entries_stop_minutes * MINUTE
    price, entries, exits = 97.0 if obi > 0 else 103.5, 0, 0
    for at_ns in range(MONDAY.opens_ns - 3600 * S, TUESDAY.closes_ns + 3600 * S, 5 * MINUTE):
        bench.signal.hear(Imbalance("COST", at_ns, at_ns, price - 0.01, price + 0.01, obi, obi, obi, False))
        bar = Bar("COST", at_ns - MINUTE, MINUTE, price, price, price, price, 9)
        for wish in (*bench.signal.hear(bar), *tick(bench, at_ns)):
            session = MONDAY if at_ns < MONDAY.closes_ns else TUESDAY
            assert session.opens_ns <= at_ns < session.closes_ns
            entry = wish.purpose is Purpose.ENTRY
            assert not entry or at_ns < session.closes_ns - stop_ns
            entries, exits = entries + entry, exits + (not entry)
            bench.order(wish, OrderState.FILLED, wish.lots, order_id=f"o{at_ns}", at_ns=at_ns)
            bench.position(wish.side.sign * wish.lots if entry else 0, entry=price, opened_ns=at_ns)
    assert entries == exits > 4
