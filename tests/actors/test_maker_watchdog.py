"""The watchdog's table, walked, and the life of orders around it."""

from itertools import product

import pytest
from msgspec.structs import replace

from actors.maker_watchdog import ASKED_NS, FORGOTTEN_NS, MOVES, Kind, MakerWatchdog, Move
from actors.messages import SHUTDOWN, Command, MacroWindow, Mark, Order, OrderChanged, StreamState, TradingState
from config.load import load_profile
from config.universe import load_universe
from risk.intent import Cancel, Purpose, Reprice, Trading
from risk.order import OrderState
from supervisor.messages import Tick
from venues.market import Instrument, Side, TimeInForce

S = 1_000_000_000
T0 = 1_767_600_000 * S
ALO, IOC = TimeInForce.ALO, TimeInForce.IOC


def instruments():
    universe, names = load_universe("perps"), Instrument.__struct_fields__
    return {
        symbol: Instrument(**{name: getattr(universe[symbol], name) for name in names})
        for symbol in ("BTC", "xyz:TSLA")
    }


ORDER = OrderChanged(
    engine="perps",
    order_id="o1",
    intent_id="i1",
    symbol="BTC",
    side=Side.BUY,
    state=OrderState.RESTING,
    lots=250,
    lots_filled=0,
    ticks=1_000_000,  # 100,000.0
    time_in_force=ALO,
    entry=True,
    reason="",
    fence_ns=0,
    at_ns=T0,
)
EXIT = replace(ORDER, entry=False, side=Side.SELL)
AT_TOUCH, BETTER_BID, LOWER_ASK = (100_000.0, 100_001.0), (100_002.0, 100_003.0), (99_998.0, 99_999.0)


def watchdog(order=None, touch=None, **route):
    profile = load_profile("perps")
    if route:
        routes = profile.routes | {"native": profile.routes["native"].model_copy(update=route)}
        profile = profile.model_copy(update={"routes": routes})
    mind = MakerWatchdog(profile, instruments())
    if touch:
        mind.hear(mark(*touch))
    if order:
        assert mind.hear(order) == ()
    return mind


def mark(bid, ask, symbol="BTC"):
    return Mark(symbol, T0, bid, ask)


def test_the_table_has_every_cell():
    assert set(MOVES) == set(product(Kind, (False, True), (False, True), (False, True)))


@pytest.mark.parametrize("situation", [cell for cell in MOVES if cell[0] is not Kind.REFUSED_EXIT])
def test_every_cell_of_a_resting_order(situation):
    kind, behind, over, left = situation
    order = ORDER if kind is Kind.ENTRY else replace(EXIT, ticks=1_000_010)
    better = BETTER_BID if kind is Kind.ENTRY else LOWER_ASK
    mind = watchdog(order, better if behind else AT_TOUCH)
    mind.chains["i1"].moves = 0 if left else 5
    said = mind.hear(Tick(T0 + (30 if over else 29) * S))
    match MOVES[situation]:
        case Move.KEEP:
            assert said == ()
        case Move.GIVE_UP:
            (cancel,) = said
            assert isinstance(cancel, Cancel)
            assert (cancel.order_id, cancel.intent_id) == ("o1", "i1")
            assert cancel.reason == ("lifetime" if over else "reprices")
        case Move.REPRICE:
            (move,) = said
            assert isinstance(move, Reprice)
            assert (move.time_in_force, move.reason) == (ALO, "behind")
            assert move.ticks == (1_000_020 if kind is Kind.ENTRY else 999_990)
        case Move.ESCALATE:
            (move,) = said
            assert (move.order_id, move.time_in_force, move.reason) == ("o1", IOC, "escalate")
            bid = better[0] if behind else AT_TOUCH[0]
            assert bid * 0.9989 * 10 < move.ticks < bid * 0.9991 * 10  # 10 bps through the bid


@pytest.mark.parametrize("situation", [cell for cell in MOVES if cell[0] is Kind.REFUSED_EXIT])
def test_every_cell_of_a_refused_exit(situation):
    _, behind, over, left = situation
    mind = watchdog(replace(EXIT, state=OrderState.SENT), LOWER_ASK if behind else AT_TOUCH)
    mind.chains["i1"].moves = 0 if left else 5
    if over:
        mind.hear(Tick(T0 + 40 * S))
    assert MOVES[situation] is Move.ESCALATE
    (move,) = mind.hear(replace(EXIT, state=OrderState.REJECTED, lots_filled=50))
    assert (move.order_id, move.intent_id, move.time_in_force) == ("", "i1", IOC)  # nothing rests: a new order
    assert (move.lots_left, move.lots_total, move.purpose) == (200, 200, Purpose.EXIT)


def test_a_refused_exit_escalates_once_and_not_beside_another_order():
    mind = watchdog(replace(EXIT, state=OrderState.CANCELLING), AT_TOUCH)
    assert mind.hear(replace(EXIT, order_id="o2", state=OrderState.REJECTED)) == ()
    mind = watchdog(None, AT_TOUCH)
    assert len(mind.hear(replace(EXIT, state=OrderState.REJECTED))) == 1
    assert mind.hear(replace(EXIT, order_id="o2", state=OrderState.REJECTED, time_in_force=IOC)) == ()


def test_a_refused_entry_is_a_chance_missed():
    assert watchdog(None, AT_TOUCH).hear(replace(ORDER, state=OrderState.REJECTED)) == ()


def test_exits_that_may_not_cross_are_given_up():
    mind = watchdog(EXIT, AT_TOUCH, exit_escalates=False)
    (cancel,) = mind.hear(Tick(T0 + 30 * S))
    assert (type(cancel), cancel.reason) == (Cancel, "lifetime")
    assert mind.hear(replace(EXIT, state=OrderState.REJECTED)) == ()


def test_only_the_rest_moves_and_the_chain_keeps_its_total():
    mind = watchdog(replace(ORDER, lots_filled=100), AT_TOUCH)
    (move,) = mind.hear(mark(*BETTER_BID))
    assert (move.lots_left, move.lots_total, move.order_id) == (150, 250, "o1")


def test_equal_to_the_touch_is_not_behind_and_a_worse_touch_neither():
    assert watchdog(ORDER, AT_TOUCH).hear(mark(100_000.0, 100_001.0)) == ()
    assert watchdog(ORDER, AT_TOUCH).hear(mark(99_000.0, 99_001.0)) == ()
    sell = replace(ORDER, side=Side.SELL, ticks=1_000_010)
    assert watchdog(sell, AT_TOUCH).hear(mark(100_500.0, 100_501.0)) == ()
    (move,) = watchdog(sell, AT_TOUCH).hear(mark(*LOWER_ASK))
    assert move.ticks == 999_990


def test_a_move_too_small_or_too_soon_is_not_made():
    mind = watchdog(ORDER, AT_TOUCH, reprice_bps_min=10.0, reprice_gap_s=2.0)
    assert mind.hear(mark(100_100.0, 100_101.0)) == (), "it rests since this moment"
    mind.hear(mark(100_099.0, 100_101.0))
    assert mind.hear(Tick(T0 + 2 * S)) == ()
    (move,) = mind.hear(mark(100_100.0, 100_101.0))
    mind.hear(replace(ORDER, state=OrderState.CANCELLED, reason="replaced", at_ns=T0 + 2 * S))
    mind.hear(replace(ORDER, order_id="o2", ticks=move.ticks, at_ns=T0 + 2 * S))
    mind.hear(Tick(T0 + 3 * S))
    assert mind.hear(mark(100_300.0, 100_301.0)) == ()
    assert len(mind.hear(Tick(T0 + 4 * S))) == 1


def test_a_stale_or_unknown_touch_moves_nothing_but_time_still_runs_out():
    mind = watchdog(ORDER, BETTER_BID)
    mind.hear(StreamState("perps", "BTC", False, 16_000, T0))
    assert mind.hear(Tick(T0 + S)) == ()
    assert len(mind.hear(Tick(T0 + 30 * S))) == 1
    blind = watchdog(EXIT)
    (move,) = blind.hear(Tick(T0 + 30 * S))
    assert 998_990 <= move.ticks <= 999_010  # 10 bps below its own price


def test_lifetime_and_moves_belong_to_the_intent_and_not_to_the_order():
    mind, bid, moves = watchdog(ORDER, AT_TOUCH), 100_000.0, 0
    for second in range(1, 30):
        bid += 2
        mind.hear(Tick(T0 + second * S))
        for said in mind.hear(mark(bid, bid + 1)):
            if isinstance(said, Cancel):
                assert said.reason == "reprices"
                assert moves == 5
                return
            moves += 1
            old = said.order_id
            mind.hear(replace(ORDER, order_id=old, state=OrderState.CANCELLING))
            mind.hear(replace(ORDER, order_id=f"{old}x", state=OrderState.SENT, ticks=said.ticks))
            mind.hear(replace(ORDER, order_id=old, state=OrderState.CANCELLED, reason="replaced"))
            mind.hear(replace(ORDER, order_id=f"{old}x", ticks=said.ticks))
    pytest.fail("it was moved for ever")


def test_hip3_orders_have_more_patience():
    order = replace(ORDER, symbol="xyz:TSLA", ticks=250_000)
    mind = watchdog(order)
    assert mind.hear(Tick(T0 + 119 * S)) == ()
    assert len(mind.hear(Tick(T0 + 120 * S))) == 1


def test_it_asks_once_and_again_only_when_nothing_came_of_it():
    mind = watchdog(ORDER, AT_TOUCH)
    (cancel,) = mind.hear(Tick(T0 + 30 * S))
    assert mind.hear(Tick(T0 + 31 * S)) == ()
    assert mind.hear(mark(*BETTER_BID)) == ()
    assert mind.hear(Tick(cancel.at_ns + ASKED_NS)) == (replace(cancel, at_ns=cancel.at_ns + ASKED_NS),)


@pytest.mark.parametrize("state", [s for s in OrderState if s is not OrderState.RESTING])
def test_what_does_not_rest_is_left_alone(state):
    mind = watchdog(None, BETTER_BID)
    assert mind.hear(replace(ORDER, state=state)) == ()
    assert mind.hear(Tick(T0 + 40 * S)) == ()
    assert mind.hear(Command(Order.CANCEL, "", "", "", T0)) == ()


def test_a_crossing_order_is_not_watched():
    mind = watchdog(replace(ORDER, time_in_force=IOC), BETTER_BID)
    assert mind.hear(Tick(T0 + 300 * S)) == ()


@pytest.mark.parametrize(
    ("message", "reason"),
    [
        (MacroWindow(True, "CPI", T0 + S, False, T0), "macro_window"),
        (TradingState("", Trading.HALTED, "drawdown", "circuit_breaker", T0), "halt"),
        (TradingState("perps", Trading.REDUCING, "", "operator", T0), "reducing"),
    ],
)
def test_entries_are_taken_back_at_once_and_exits_stay(message, reason):
    mind = watchdog(ORDER, AT_TOUCH)
    mind.hear(replace(EXIT, order_id="o2", intent_id="i2", ticks=1_000_010))
    (cancel,) = mind.hear(message)
    assert (cancel.order_id, cancel.reason) == ("o1", reason)
    mind.hear(replace(ORDER, state=OrderState.CANCELLED))
    (late,) = (*mind.hear(replace(ORDER, order_id="o3", intent_id="i3")), *mind.hear(Tick(T0 + S)))
    assert (late.order_id, late.reason) == ("o3", reason)  # one that was on its way


@pytest.mark.parametrize(
    "message",
    [MacroWindow(False, "", 0, False, T0), TradingState("", Trading.ACTIVE, "", "operator", T0)],
)
def test_open_again_takes_nothing_back(message):
    assert watchdog(ORDER, AT_TOUCH).hear(message) == ()


def test_the_operator_can_take_back_everything_or_one_symbol():
    mind = watchdog(ORDER, AT_TOUCH)
    mind.hear(replace(EXIT, order_id="o2", intent_id="i2"))
    assert mind.hear(Command(Order.CANCEL, "perps", "xyz:TSLA", "", T0)) == ()
    assert mind.hear(Command(Order.HALT, "", "", "", T0)) == ()
    assert [c.order_id for c in mind.hear(Command(Order.CANCEL, "", "BTC", "", T0))] == ["o1", "o2"]


def test_the_operator_can_take_back_one_order():
    mind = watchdog(ORDER, AT_TOUCH)
    mind.hear(replace(EXIT, order_id="o2", intent_id="i2"))
    assert [c.order_id for c in mind.hear(Command(Order.CANCEL, "perps", "BTC", "", T0, "o2"))] == ["o2"]


@pytest.mark.parametrize("kind", [ORDER, EXIT], ids=["entry", "exit"])
def test_what_the_operator_takes_back_on_its_way_goes_when_it_rests(kind):
    """Only what rested at that moment was: an order just sent rested on until its lifetime was over."""
    mind = watchdog(replace(kind, state=OrderState.SENT), AT_TOUCH)
    assert mind.hear(Command(Order.CANCEL, "", "", "operator", T0)) == ()
    said = (*mind.hear(replace(kind, at_ns=T0 + S)), *mind.hear(Tick(T0 + 2 * S)))
    assert [(type(one), one.order_id, one.reason) for one in said] == [(Cancel, "o1", "operator")]


@pytest.mark.parametrize("kind", [ORDER, EXIT], ids=["entry", "exit"])
def test_what_the_operator_takes_back_in_the_middle_of_a_move_goes_with_its_successor(kind):
    mind = watchdog(replace(kind, state=OrderState.CANCELLING), AT_TOUCH)
    mind.hear(replace(kind, order_id="o2", state=OrderState.SENT))
    assert mind.hear(Command(Order.CANCEL, "", "", "operator", T0, "o1")) == ()
    mind.hear(replace(kind, state=OrderState.CANCELLED, at_ns=T0 + S))
    said = (*mind.hear(replace(kind, order_id="o2", at_ns=T0 + S)), *mind.hear(Tick(T0 + 2 * S)))
    assert [(type(one), one.order_id, one.reason) for one in said] == [(Cancel, "o2", "operator")]


def test_at_a_stop_exits_are_taken_back_too_and_nothing_is_moved_or_tried_again():
    mind = watchdog(EXIT, LOWER_ASK)
    stop = TradingState("", Trading.HALTED, "obid is stopping", SHUTDOWN, T0)
    assert [(type(c), c.reason) for c in mind.hear(stop)] == [(Cancel, "stop")]
    assert mind.hear(replace(EXIT, state=OrderState.REJECTED)) == ()
    late = replace(EXIT, order_id="o2")  # on its way when the stop came
    (cancel,) = (*mind.hear(late), *mind.hear(Tick(T0 + S)))
    assert (type(cancel), cancel.order_id) == (Cancel, "o2")


def test_what_is_over_is_forgotten():
    mind = watchdog(ORDER, AT_TOUCH)
    mind.hear(replace(ORDER, state=OrderState.FILLED, lots_filled=250))
    mind.hear(Tick(T0 + FORGOTTEN_NS))
    assert mind.chains
    mind.hear(Tick(T0 + FORGOTTEN_NS + S))
    assert not mind.chains


def test_an_order_of_another_universe_is_the_reconcilers():
    assert watchdog().hear(replace(ORDER, symbol="GONE")) == ()
