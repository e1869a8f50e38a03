"""Signal by plain calls: entries, exits and everything that once stuck."""

from itertools import count
from math import isnan

import pytest
from msgspec.structs import replace

from actors.messages import (
    SHUTDOWN,
    BarHistory,
    BookRefused,
    Command,
    Imbalance,
    Order,
    OrderChanged,
    PositionChanged,
    Reconciled,
    StreamState,
    TradingState,
)
from actors.signal import Signal
from actors.strategy import Act, Decision
from actors.symbol_state import ANSWER_NS_MAX, CLEAR_NS_MAX, STUCK_NS
from config.load import load_profile
from config.universe import load_universe
from daemon.modes import session_calendar
from risk.intent import Cancel, Intent, Purpose, Refused, Trading
from risk.order import OrderState
from supervisor.clock import NS_PER_S
from venues.market import Bar, Instrument, Side, TimeInForce

S = 1_000_000_000
MINUTE = 60 * S
T0 = 1_767_600_000 * S  # Monday 2026-01-05, 08:00 UTC: New York is asleep
RTH = T0 + 7 * 60 * MINUTE  # 10:00 in New York


def instrument(symbol, engine="perps"):
    facts = load_universe(engine)[symbol]
    names = Instrument.__struct_fields__
    return Instrument(**{name: getattr(facts, name) for name in names if hasattr(facts, name)})


class Waits:
    """A strategy that wants nothing."""

    def decide(self, view):
        return Decision(Act.NONE, "waits")

    def stopped(self, move):
        return None


class Bench:
    """A signal with a warm window of BTC around 100,000 that has just dipped, and a book that leans back."""

    def __init__(self, engine="perps", symbol="BTC", start_ns=T0, profile=None):
        self.symbol, self.engine, self.start_ns = symbol, engine, start_ns
        self.profile = profile or load_profile(engine)
        ids = (f"run-{engine}-{n}" for n in count(1))
        self.signal = Signal(self.profile, {symbol: instrument(symbol, engine)}, lambda: next(ids), session_calendar())
        self.orders = count(1)
        self.bars = 0
        self.price = 100_000.0 if symbol == "BTC" else 100.0

    @property
    def now_ns(self):
        return self.start_ns + self.bars * MINUTE

    def warm(self, bars=60):
        wiggle = [self.price * (1 + 0.0001 * (place % 2)) for place in range(bars)]
        starts = [self.start_ns - (bars - place) * MINUTE for place in range(bars)]
        history = tuple(Bar(self.symbol, s, MINUTE, c, c, c, c, 1) for s, c in zip(starts, wiggle, strict=True))
        assert self.signal.hear(BarHistory(self.engine, self.symbol, history)) == ()
        return self

    def book(self, mid, obi=0.0, at_ns=None, spread=2.0, **changes):
        at_ns = self.now_ns if at_ns is None else at_ns
        book = Imbalance(self.symbol, at_ns, at_ns, mid - spread / 2, mid + spread / 2, obi, obi, obi, False)
        return self.signal.hear(replace(book, **changes))

    def bar(self, close):
        start_ns = self.now_ns
        self.bars += 1
        return self.signal.hear(Bar(self.symbol, start_ns, MINUTE, close, close, close, close, 9))

    def dip(self, drop=0.01, obi=0.5):
        """One book and one bar far off the mean."""
        close = round(self.price * (1 - drop))
        self.book(close, obi, self.now_ns + MINUTE)
        return self.bar(close)

    def order(self, intent, state, filled=0, lots=None, order_id=None, **changes):
        changed = OrderChanged(
            engine=self.engine,
            order_id=order_id or f"o{next(self.orders)}",
            intent_id=intent.id,
            symbol=intent.symbol,
            side=intent.side,
            state=state,
            lots=lots or intent.lots,
            lots_filled=filled,
            ticks=intent.ticks,
            time_in_force=intent.time_in_force,
            entry=intent.purpose is Purpose.ENTRY,
            reason="",
            fence_ns=0,
            at_ns=self.now_ns,
        )
        return self.signal.hear(replace(changed, **changes))

    def position(self, lots, entry=None, opened_ns=None):
        tick = float(self.signal.symbols[self.symbol].instrument.tick)
        entry = self.price if entry is None else entry
        opened_ns = self.now_ns if opened_ns is None else opened_ns
        return self.signal.hear(
            PositionChanged(self.engine, self.symbol, lots, entry / tick, 0, opened_ns, self.now_ns)
        )

    def held(self, lots=250, **position):
        """An entry that was filled."""
        (entry,) = self.warm().dip()
        self.order(entry, OrderState.FILLED, entry.lots, order_id="entry")
        self.position(lots, **position)
        return self


def refused(intent, rule="net_cap", at_ns=T0):
    return Refused(intent.engine, intent, rule, "9", "1", at_ns)


@pytest.mark.parametrize("close", [101_000.0, 98_000.0])
def test_nothing_is_wished_for_while_the_process_stops(close):
    bench = Bench().held()
    bench.signal.hear(TradingState("", Trading.HALTED, "obid is stopping", SHUTDOWN, T0))
    assert bench.bar(close) == ()
    assert bench.book(close) == ()


# --- entries ---------------------------------------------------------------------------------------------------------


def test_an_imbalance_of_five_levels_is_not_taken_for_one_of_twenty():
    """The slow push was late, and what five levels said was held against a threshold for twenty."""
    bench = Bench().warm()
    at_ns = bench.now_ns + MINUTE
    bench.book(99_000, -0.5, at_ns - 4 * NS_PER_S)
    bench.book(99_000, 0.5, at_ns, depth=5)
    assert bench.bar(99_000) == ()
    assert bench.signal.counts == {"obi_against": 1}
    bench = Bench().warm()
    bench.book(99_000, 0.5, at_ns - 4 * NS_PER_S)
    bench.book(98_990, -0.5, at_ns, depth=5)
    (intent,) = bench.bar(99_000)
    assert (intent.evidence.obi, intent.evidence.obi_age_ns) == (0.5, 4 * NS_PER_S)
    assert bench.signal.symbols["BTC"].instrument.price(intent.ticks) == 98_989, "the touch is the freshest there is"


@pytest.mark.parametrize(("deep_s", "counted"), [(None, "obi_missing"), (10.5, "obi_stale")])
def test_no_entry_by_depth_that_is_missing_or_old(deep_s, counted):
    bench = Bench().warm()
    at_ns = bench.now_ns + MINUTE
    if deep_s is not None:
        bench.book(99_000, 0.5, at_ns - round(deep_s * NS_PER_S))
    bench.book(99_000, 0.5, at_ns, depth=5)
    assert bench.bar(99_000) == ()
    assert bench.signal.counts == {counted: 1}


def test_a_stop_needs_no_depth():
    bench = Bench().held()
    (intent,) = bench.book(97_000, 0.5, bench.now_ns + NS_PER_S, depth=5)
    assert (intent.purpose, intent.reason) == (Purpose.EXIT, "stop_loss")


def test_an_entry_joins_the_own_touch_and_explains_itself():
    bench = Bench().warm()
    (intent,) = bench.dip()
    assert isinstance(intent, Intent)
    assert (intent.id, intent.engine, intent.symbol, intent.reason) == ("run-perps-1", "perps", "BTC", "z_entry")
    assert (intent.side, intent.purpose, intent.time_in_force) == (Side.BUY, Purpose.ENTRY, TimeInForce.ALO)
    facts = bench.signal.symbols["BTC"].instrument
    assert facts.price(intent.ticks) == 98_999  # best bid
    assert facts.notional_minor(intent.ticks, intent.lots) <= 250_000_000
    assert facts.notional_minor(intent.ticks, intent.lots + 1) > 250_000_000
    evidence = intent.evidence
    assert (evidence.bar_start_ns, evidence.close, evidence.obi) == (T0, 99_000.0, 0.5)
    assert evidence.z < evidence.z_bound == -1.25
    assert (evidence.obi_bound, evidence.obi_at_ns, evidence.obi_age_ns) == (0.0, T0 + MINUTE, 0)
    assert isnan(evidence.trend)  # cold: the gate was open, and says so
    assert intent.at_ns == T0 + MINUTE


def test_a_short_mirrors_it():
    bench = Bench().warm()
    (intent,) = bench.dip(drop=-0.01, obi=-0.5)
    assert intent.side is Side.SELL
    assert bench.signal.symbols["BTC"].instrument.price(intent.ticks) == 101_001  # best ask


def test_a_spot_engine_does_not_short():
    bench = Bench("crypto", "BTC/USD").warm()
    bench.dip(drop=-0.01, obi=-0.5)
    assert bench.signal.counts == {"long_only": 1}


def test_no_window_no_book_no_fresh_book_no_entry():
    cold = Bench().warm(58)
    assert cold.dip() == ()
    missing = Bench().warm()
    assert missing.bar(99_000.0) == ()
    stale = Bench().warm()
    stale.book(99_000.0, 0.5, T0 + MINUTE - 11 * S)
    assert stale.bar(99_000.0) == ()
    silent = Bench().warm()
    silent.signal.hear(StreamState("perps", "BTC", False, 16_000, T0))
    assert silent.dip() == ()
    reasons = [next(iter(bench.signal.counts)) for bench in (cold, missing, stale, silent)]
    assert reasons == ["z_cold", "obi_missing", "obi_stale", "obi_stale"]


def test_a_thrown_away_book_takes_the_older_one_with_it_even_if_that_comes_later():
    bench = Bench().warm()
    bench.signal.hear(BookRefused("BTC", "crossed", T0 + MINUTE))
    bench.book(99_000.0, 0.5, T0 + MINUTE - S)
    assert bench.bar(99_000.0) == ()
    assert bench.signal.counts == {"obi_missing": 1}
    bench.signal.hear(BookRefused("BTC", "backwards", T0 + 3 * MINUTE))
    bench.book(99_000.0, 0.5, T0 + 2 * MINUTE)
    assert len(bench.bar(98_000.0)) == 1


def test_a_wild_hip3_entry_crosses_within_the_slippage():
    bench = Bench(symbol="xyz:TSLA").warm()
    bench.price = 100.0
    bench.book(90.0, 0.5, T0 + MINUTE, spread=0.2)
    (intent,) = bench.bar(90.0)
    assert abs(intent.evidence.z) >= 3
    assert intent.time_in_force is TimeInForce.IOC
    facts = bench.signal.symbols["xyz:TSLA"].instrument
    assert 90.1 < facts.price(intent.ticks) <= 90.2  # the ask and at most 10 bps


def test_one_entry_at_a_time():
    bench = Bench().warm()
    (intent,) = bench.dip()
    bench.order(intent, OrderState.RESTING, order_id="a")
    assert bench.dip(0.012) == ()
    assert bench.signal.counts["under_way"] == 1
    bench.order(intent, OrderState.CANCELLED, order_id="a")
    assert len(bench.dip(0.013)) == 1


def test_an_unanswered_intent_is_forgotten_after_its_deadline():
    bench = Bench().warm()
    (first,) = bench.dip()
    state = bench.signal.symbols["BTC"]
    assert state.awaits(first.at_ns + ANSWER_NS_MAX - 1) is not None
    assert state.awaits(first.at_ns + ANSWER_NS_MAX) is None


def test_a_replaced_order_is_still_under_way():
    bench = Bench().warm()
    (intent,) = bench.dip()
    bench.order(intent, OrderState.RESTING, order_id="a")
    bench.order(intent, OrderState.PLANNED, order_id="b")
    bench.order(intent, OrderState.CANCELLED, order_id="a", reason="replaced")
    assert bench.dip(0.011) == ()
    bench.order(intent, OrderState.REJECTED, order_id="b")
    assert bench.signal.symbols["BTC"].alive == {}


def test_an_order_in_doubt_holds_back_entries_until_it_is_proven_gone():
    bench = Bench().warm()
    (intent,) = bench.dip()
    bench.order(intent, OrderState.UNKNOWN, order_id="a")
    for drop in range(11, 20):
        assert bench.dip(drop / 1000) == ()
    bench.order(intent, OrderState.CANCELLED, order_id="a")
    assert len(bench.dip(0.03)) == 1


def test_a_refusal_is_followed_by_silence_that_grows_until_something_changes():
    bench = Bench().warm()
    said = []
    for minute in range(30):
        for intent in bench.dip(0.01 + minute / 1000):
            said.append(minute)
            bench.signal.hear(refused(intent, at_ns=bench.now_ns))
    assert said == [0, 2, 6, 14]  # silent for 2, 4, 8, 16 minutes
    bench.signal.hear(Reconciled("perps", True, 0, 0, 0, "", bench.now_ns))
    assert len(bench.dip(0.06)) == 1
    assert bench.signal.counts["backing_off"] > 20


def test_a_changed_position_lifts_the_silence_and_one_told_again_does_not():
    bench = Bench().warm()
    (intent,) = bench.dip()
    bench.signal.hear(refused(intent, at_ns=bench.now_ns))
    bench.position(0)
    assert bench.dip(0.011) == ()
    bench.position(1)  # a lot of dust
    assert len(bench.dip(0.012)) == 1


def test_a_rejection_by_the_venue_backs_off_too():
    bench = Bench().warm()
    (intent,) = bench.dip()
    bench.order(intent, OrderState.REJECTED)
    assert bench.dip(0.011) == ()
    assert bench.signal.counts["backing_off"] == 1


def test_a_bar_heard_twice_decides_once_and_a_gap_is_filled():
    bench = Bench().warm()
    bench.dip()
    bench.bars -= 1
    assert bench.dip() == ()
    bench.bars += 3
    bench.bar(100_000.0)
    closes = bench.signal.symbols["BTC"].closes
    assert [start - T0 for start, _ in closes][-5:] == [0, MINUTE, 2 * MINUTE, 3 * MINUTE, 4 * MINUTE]
    assert closes[-2][1] == 99_000.0


def test_a_history_is_put_before_what_was_heard():
    bench = Bench()
    bench.bar(7.0)
    bench.bars -= 1
    bench.warm(240)
    state = bench.signal.symbols["BTC"]
    assert state.closes[-1] == (T0, 7.0)
    assert state.trend.warm
    bench.warm(240)  # told again by a restarted feed
    assert state.closes[-1] == (T0, 7.0)


def test_a_cold_trend_lets_pass_and_a_warm_one_blocks():
    bench = Bench().warm(240)
    assert bench.dip() == ()
    assert bench.signal.counts == {"trend_against": 1}


# --- exits -----------------------------------------------------------------------------------------------------------


def test_an_exit_closes_exactly_what_is_held():
    bench = Bench().held(lots=137)
    (intent,) = bench.bar(100_000.0)
    assert (intent.reason, intent.side, intent.lots, intent.purpose) == ("z_revert", Side.SELL, 137, Purpose.EXIT)
    assert intent.time_in_force is TimeInForce.ALO  # native exits rest first


def test_a_hip3_exit_crosses():
    bench = Bench(symbol="xyz:TSLA").held()
    (intent,) = bench.bar(100.0)
    assert intent.time_in_force is TimeInForce.IOC


def test_nothing_is_held_before_a_fill():
    bench = Bench().warm()
    (entry,) = bench.dip()
    bench.order(entry, OrderState.RESTING, order_id="a")
    assert bench.bar(100_500.0) == ()
    assert bench.book(50_000.0) == ()


@pytest.mark.parametrize(("lots", "inside", "beyond"), [(250, 99_001.0, 98_999.0), (-250, 100_999.0, 101_001.0)])
def test_a_stop_crosses_at_the_first_book_beyond_it(lots, inside, beyond):
    bench = Bench().held(lots=lots)
    assert bench.book(inside) == ()
    (intent,) = bench.book(beyond)
    assert (intent.reason, intent.lots, intent.time_in_force) == ("stop_loss", 250, TimeInForce.IOC)
    assert intent.evidence.move <= intent.evidence.move_bound == -0.01
    assert intent.evidence.close == beyond
    assert bench.book(beyond) == ()  # once


def test_a_stop_that_did_not_fill_is_tried_again_but_not_on_every_book():
    bench = Bench().held()
    (first,) = bench.book(98_000.0)
    bench.order(first, OrderState.CANCELLED)
    assert bench.book(98_000.0, at_ns=bench.now_ns + S // 2) == ()
    (second,) = bench.book(98_000.0, at_ns=bench.now_ns + S)
    assert second.id != first.id


def test_a_lost_answer_never_holds_back_a_stop():
    bench = Bench().held()
    (first,) = bench.book(98_000.0)  # nobody answers
    assert bench.book(97_000.0, at_ns=first.at_ns + ANSWER_NS_MAX - 1) == ()
    (second,) = bench.book(97_000.0, at_ns=first.at_ns + ANSWER_NS_MAX)
    bench.order(second, OrderState.UNKNOWN, order_id="x")  # the venue does not answer
    lifetime_ns = bench.profile.routes["native"].lifetime_s * S
    stuck_ns = bench.now_ns + lifetime_ns + STUCK_NS
    assert bench.book(97_000.0, at_ns=stuck_ns - 1) == ()
    (third,) = bench.book(97_000.0, at_ns=stuck_ns)
    assert third.reason == "stop_loss"


def test_a_stop_takes_a_resting_exit_out_of_its_way():
    bench = Bench().held()
    (revert,) = bench.bar(100_000.0)
    bench.order(revert, OrderState.RESTING, order_id="r")
    (cancel,) = bench.book(98_000.0)
    assert isinstance(cancel, Cancel)
    assert (cancel.order_id, cancel.intent_id, cancel.reason) == ("r", revert.id, "stop_loss")
    assert bench.book(98_000.0, at_ns=bench.now_ns + S) == ()  # asked once
    (stop,) = bench.order(revert, OrderState.CANCELLED, order_id="r")
    assert (stop.reason, stop.time_in_force) == ("stop_loss", TimeInForce.IOC)


def test_a_cancel_that_is_not_answered_does_not_hold_back_the_stop_for_long():
    bench = Bench().held()
    (revert,) = bench.bar(100_000.0)
    bench.order(revert, OrderState.RESTING, order_id="r")
    (cancel,) = bench.book(98_000.0)
    assert bench.book(98_000.0, at_ns=cancel.at_ns + CLEAR_NS_MAX - 1) == ()
    (stop,) = bench.book(98_000.0, at_ns=cancel.at_ns + CLEAR_NS_MAX)
    assert isinstance(stop, Intent)
    assert stop.reason == "stop_loss"


def test_the_rest_of_an_entry_is_taken_back_before_the_exit():
    bench = Bench().warm()
    (entry,) = bench.dip()
    bench.order(entry, OrderState.RESTING, 100, order_id="e")
    bench.position(100, entry=99_000.0)
    (cancel,) = bench.bar(100_000.0)
    assert (cancel.order_id, cancel.reason) == ("e", "z_revert")
    bench.position(140, entry=99_000.0)  # a fill on the way
    (out,) = bench.order(entry, OrderState.CANCELLED, 140, order_id="e")
    assert (out.reason, out.lots, out.side) == ("z_revert", 140, Side.SELL)


def test_an_entry_that_reaches_the_book_only_now_is_taken_back_too():
    bench = Bench().warm()
    (entry,) = bench.dip()
    bench.order(entry, OrderState.SENT, 100, order_id="e")
    bench.position(100)
    assert bench.bar(100_000.0) == ()  # nothing to cancel yet
    (cancel,) = bench.order(entry, OrderState.RESTING, 100, order_id="e")
    assert cancel.order_id == "e"


@pytest.mark.parametrize(("start_ns", "minutes"), [(T0, 60), (RTH, 30)])
def test_time_is_up_sooner_while_new_york_trades(start_ns, minutes):
    bench = Bench(start_ns=start_ns).held(entry=99_000.0, opened_ns=start_ns + MINUTE)
    said = ()
    while not said:
        said = bench.bar(99_000.0 - bench.bars**2 / 5)  # so that z stays low
    (intent,) = said
    assert (intent.reason, bench.bars) == ("time_stop", minutes + 1)
    assert intent.evidence.held_s == intent.evidence.held_s_bound == minutes * 60


def test_dust_is_flat():
    bench = Bench().held(lots=1)
    assert bench.book(1_000.0) == ()
    assert bench.bar(100_000.0) == ()
    (entry,) = bench.dip(0.02)
    assert entry.purpose is Purpose.ENTRY


@pytest.mark.parametrize(("worth_usd", "leaves"), [(9.99, False), (10.01, False), (10.5, True)])
def test_coins_that_no_order_can_sell_are_left_alone_and_sold_with_the_next(worth_usd, leaves):
    """Alpaca takes no order below 10 USD. A refused exit every eight seconds of each uses up its requests."""
    bench = Bench("crypto", "BTC/USD")
    lot = float(bench.signal.symbols["BTC/USD"].instrument.lot)
    bench.warm().held(lots=round(worth_usd / bench.price / lot))
    assert bool(bench.book(bench.price / 2)) is leaves
    if not leaves:
        (entry,) = bench.dip(0.02)
        assert entry.purpose is Purpose.ENTRY
        bench.held(lots=round(200 / bench.price / lot))
        (left,) = bench.book(bench.price / 2)
        assert left.lots == round(200 / bench.price / lot)  # with what was left over


def test_a_price_around_the_least_order_makes_no_order():
    """Coins for 10.50 fall below what can be sold and are left, until they are worth half as much more."""
    bench = Bench("crypto", "BTC/USD")
    lot = float(bench.signal.symbols["BTC/USD"].instrument.lot)
    bench.warm().held(lots=round(10.5 / bench.price / lot))
    state = bench.signal.symbols["BTC/USD"]
    bench.signal.strategy = Waits()
    held = []
    for factor in (1.0, 0.96, 1.0, 1.03, 0.96, 1.4, 0.96, 1.4, 1.5, 1.4, 1.0, 0.9):
        bench.book(bench.price * factor, at_ns=bench.now_ns + MINUTE)
        assert bench.bar(bench.price * factor) == ()
        held.append(state.held)
        assert ("BTC/USD" in bench.signal.watched) is state.held
    assert held == [True, *[False] * 7, True, True, True, False]


def test_an_exit_without_a_book_crosses_from_the_last_close():
    bench = Bench().held()
    bench.signal.hear(BookRefused("BTC", "one_sided", bench.now_ns + MINUTE))
    (intent,) = bench.bar(100_000.0)
    assert intent.time_in_force is TimeInForce.IOC
    assert intent.evidence.obi_at_ns == 0
    assert isnan(intent.evidence.obi)
    assert 99_899 <= bench.signal.symbols["BTC"].instrument.price(intent.ticks) <= 99_900


def test_a_refused_exit_is_asked_for_again_within_seconds():
    bench = Bench().held()
    (first,) = bench.book(98_000.0)
    bench.signal.hear(refused(first, "flip_guard", bench.now_ns))
    assert bench.book(98_000.0, at_ns=bench.now_ns + S - 1) == ()
    assert len(bench.book(98_000.0, at_ns=bench.now_ns + S)) == 1


# --- flatten ---------------------------------------------------------------------------------------------------------


def flatten(bench, engine="", symbol=""):
    return bench.signal.hear(Command(Order.FLATTEN, engine, symbol, "test", bench.now_ns))


def test_flatten_leaves_and_keeps_at_it_until_nothing_is_left():
    bench = Bench().held(lots=250)
    (first,) = flatten(bench)
    assert (first.reason, first.lots, first.time_in_force) == ("flatten", 250, TimeInForce.IOC)
    bench.order(first, OrderState.CANCELLED, 100)
    bench.position(150)
    (second,) = bench.book(99_500.0, at_ns=bench.now_ns + 2 * S)
    assert (second.reason, second.lots) == ("flatten", 150)
    bench.order(second, OrderState.FILLED, 150)
    bench.position(0)
    assert bench.book(99_500.0) == ()
    assert len(bench.dip(0.02)) == 1  # flat again: business as usual


def test_flatten_takes_back_an_entry_even_if_it_rests_only_later():
    bench = Bench().warm()
    (entry,) = bench.dip()
    assert flatten(bench) == ()
    (cancel,) = bench.order(entry, OrderState.RESTING, order_id="e")
    assert (cancel.order_id, cancel.reason) == ("e", "flatten")
    bench.order(entry, OrderState.CANCELLED, order_id="e")
    assert not bench.signal.symbols["BTC"].leaving


def test_flatten_of_an_unanswered_entry_does_not_gag_the_symbol_for_ever():
    bench = Bench().warm()
    bench.dip()
    flatten(bench)
    assert len(bench.dip(0.02)) == 1


@pytest.mark.parametrize(("engine", "symbol"), [("crypto", ""), ("", "ETH"), ("equities", "BTC")])
def test_flatten_is_for_whom_it_names(engine, symbol):
    assert flatten(Bench().held(), engine, symbol) == ()


def test_other_orders_of_the_operator_are_not_for_the_signal():
    bench = Bench().held()
    assert bench.signal.hear(Command(Order.HALT, "", "", "", T0)) == ()


# --- days and sessions -----------------------------------------------------------------------------------------------

DAY = 24 * 60 * MINUTE


def equities():
    bench = Bench("equities", "COST", RTH)
    closes = [100.0 + 0.1 * (day % 2) for day in range(60)]
    midnight_ns = RTH - 15 * 60 * MINUTE
    history = tuple(Bar("COST", midnight_ns - (60 - i) * DAY, DAY, c, c, c, c, 1) for i, c in enumerate(closes))
    bench.signal.hear(BarHistory("equities", "COST", history))
    return bench


def test_a_day_so_far_is_held_against_closed_days_and_is_not_one_of_them():
    bench = equities()
    for _ in range(3):
        bench.book(100.0, 0.5, bench.now_ns + MINUTE, spread=0.02)
        bench.bar(100.0)
    state = bench.signal.symbols["COST"]
    assert len(state.closes) == 60
    (intent,) = bench.dip(0.02)
    assert intent.evidence.z == pytest.approx(state.window.peek(98.0))
    assert intent.evidence.z < -7
    bench.signal.hear(Bar("COST", RTH - 30 * MINUTE, 390 * MINUTE, 100.0, 100.0, 98.0, 98.0, 99))
    assert state.closes[-1] == (RTH - 30 * MINUTE, 98.0)


def test_positions_are_left_before_the_session_closes_and_none_is_opened():
    bench = equities()
    minutes = bench.profile.risk.flatten_minutes
    assert minutes > 0
    bench.bars = 6 * 60 - minutes - 1  # the bar that ends as the flattening begins
    assert bench.dip(0.02) == ()
    assert bench.signal.counts == {"session_closing": 1}
    bench.position(3, entry=98.0)
    bench.book(98.0, spread=0.02)
    (intent,) = bench.bar(98.0)
    assert (intent.reason, intent.lots, intent.time_in_force) == ("session_close", 3, TimeInForce.IOC)


def test_nothing_is_said_while_the_session_is_shut():
    bench = equities()
    bench.bars = 7 * 60
    assert bench.dip(0.02) == ()
    assert bench.signal.counts == {"session_shut": 1}
    bench.position(3, entry=100.0)
    assert bench.book(50.0, spread=0.02) == ()
