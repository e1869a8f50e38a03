"""The board: what is true now, from what was said, and the decisions as a person reads them."""

from decimal import Decimal

import pytest
from msgspec.structs import replace

from actors.messages import (
    SHUTDOWN,
    BalanceChanged,
    Drift,
    Mark,
    OrderChanged,
    PositionChanged,
    Reconciled,
    StreamState,
    TradingLatched,
    TradingState,
)
from daemon.board import Board
from risk.intent import Cancel, Refused, Trading
from risk.order import OrderState
from supervisor.messages import ChildCrashed
from tests.risk.given import BTC, COST, SOL, fill
from venues.market import Side, TimeInForce

USD = 1_000_000
ORDER = OrderChanged(
    engine="perps",
    order_id="o1",
    intent_id="i1",
    symbol="BTC",
    side=Side.BUY,
    state=OrderState.RESTING,
    lots=500,
    lots_filled=100,
    ticks=600_000,
    time_in_force=TimeInForce.ALO,
    entry=True,
    reason="",
    fence_ns=0,
    at_ns=5,
)
LONG = PositionChanged("perps", "BTC", 500, 600_000.0, 0, 3, 5, 500 * 600_000)
CANCEL = Cancel(engine="perps", intent_id="i1", order_id="o1", symbol="BTC", reason="lifetime", at_ns=5)


def board(*messages):
    instruments = {"perps": {"BTC": BTC, "SOL": SOL}, "equities": {"COST": COST}}
    made = Board(instruments, {"perps": "hyperliquid (simulated)", "equities": "alpaca (simulated)"})
    for message in messages:
        made.write(message)
    return made


def engine(made, name="perps"):
    return next(row for row in made.engine_rows() if row.engine == name)


def test_it_starts_with_every_engine_and_nothing_known():
    rows = board().engine_rows()
    assert [row.engine for row in rows] == ["perps", "equities"]
    assert (rows[0].trading, rows[0].reconciled, rows[0].symbols, rows[0].symbols_fresh) == ("active", False, 2, 0)


def test_a_position_is_worth_what_closing_it_would_get():
    made = board(LONG, Mark("BTC", 6, 60_100.0, 60_101.0))
    (row,) = made.position_rows()
    assert (row.size, row.entry, row.mark) == (Decimal("0.00500"), Decimal("60000.0"), Decimal("60100.0"))
    assert row.unrealised_minor == 500_000  # 0.005 of 100 dollars
    made.write(replace(LONG, lots=-500, cost_minor=-500 * 600_000))
    assert made.position_rows()[0].mark == Decimal("60101.0")


def test_without_a_mark_a_position_has_no_gain():
    (row,) = board(LONG).position_rows()
    assert (row.mark, row.unrealised_minor) == (None, 0)


def test_a_flat_position_is_none_and_what_it_realised_is_kept_for_the_next():
    made = board(LONG, replace(LONG, lots=0, cost_minor=0, realised_minor=-7))
    assert made.position_rows() == ()
    made.write(LONG)
    assert made.position_rows()[0].realised_minor == -7


def test_equity_is_cash_and_what_is_held_and_gained():
    balance = BalanceChanged("perps", 100 * USD, 3 * USD, 2 * USD, 1 * USD, -1 * USD, 5)
    row = engine(board(balance, LONG, Mark("BTC", 6, 60_100.0, 60_101.0)))
    assert row.equity_minor == 103 * USD + 500_000
    assert row.pnl_minor == 2 * USD + 500_000 - 1 * USD - 1 * USD


def test_an_order_is_shown_until_it_is_over():
    made = board(ORDER)
    (row,) = made.order_rows()
    assert (row.purpose, row.size, row.size_filled, row.price) == (
        "entry",
        Decimal("0.00500"),
        Decimal("0.00100"),
        Decimal("60000.0"),
    )
    made.write(replace(ORDER, state=OrderState.CANCELLED))
    assert made.order_rows() == ()


@pytest.mark.parametrize(
    ("of_all", "own", "shown"),
    [("active", "halted", "halted"), ("reducing", "active", "reducing"), ("halted", "reducing", "halted")],
)
def test_the_stricter_trading_state_is_shown_with_its_reason(of_all, own, shown):
    made = board(
        TradingLatched(TradingState("", Trading(of_all), f"all {of_all}", "operator", 5), 5),
        TradingLatched(TradingState("perps", Trading(own), f"own {own}", "operator", 5), 5),
    )
    row = engine(made)
    assert row.trading == shown
    assert row.reason.endswith(shown)
    assert engine(made, "equities").trading == of_all


def test_a_halt_is_shown_when_it_is_on_disk():
    """Killed between the two, the daemon came back active although its operator had been shown that it is halted."""
    halt = TradingState("", Trading.HALTED, "a drill", "operator", 5)
    made = board(halt)
    assert engine(made).trading == "active"
    made.write(TradingLatched(halt, 5))
    assert (engine(made).trading, engine(made).reason) == ("halted", "a drill")


def test_that_obid_stops_is_shown_at_once():
    made = board(TradingState("", Trading.HALTED, "obid is stopping", SHUTDOWN, 5))
    assert engine(made).trading == "halted"


def test_streams_and_agreement_are_counted_by_engine():
    made = board(
        StreamState("perps", "BTC", True, 0, 5),
        StreamState("perps", "SOL", True, 0, 5),
        StreamState("perps", "SOL", False, 20_000, 6),
        Reconciled("perps", True, 0, 0, 0, "", 5),
    )
    assert (engine(made).symbols_fresh, engine(made).reconciled) == (1, True)
    assert (engine(made, "equities").symbols_fresh, engine(made, "equities").reconciled) == (0, False)


def test_decisions_read_in_prices_and_sizes_newest_last_and_are_told_as_they_fall():
    heard = []
    made = board()
    made.listeners.append(heard.append)
    made.write(fill(BTC, 500, 600_000, maker=True))
    made.write(Refused("perps", CANCEL, "net_cap", "1300 USD", "1250 USD", 6))
    assert [(row.event, row.text) for row in made.decisions] == [
        ("fill", "buy 0.00500 at 60000.0, maker"),
        ("refused", "net_cap: 1300 USD, bound 1250 USD"),
    ]
    assert list(made.decisions) == heard
    assert dict(made.refusals) == {"net_cap": 1}


def test_a_stray_order_in_a_name_that_is_not_traded_does_not_break_it():
    made = board(replace(CANCEL, symbol="XMR", reason="stray"))
    assert made.decisions[-1].text == "not traded here"


def test_a_state_that_is_restated_is_told_once_and_a_drift_every_time():
    state, drift = TradingState("", Trading.HALTED, "x", "operator", 5), Drift("perps", "BTC", 7, 0, "adopted", 5, 990)
    made = board(state, state, drift, drift)
    assert [row.event for row in made.decisions] == ["trading", "drift", "drift"]


def test_the_last_error_of_an_actor_is_kept_under_its_name_in_ps():
    made = board(ChildCrashed("signal", "perps", "A", 5), ChildCrashed("ledger", "", "B", 5))
    assert made.errors == {"perps.signal": "A", "ledger": "B"}
