"""What is read out of actors: against a run that trades, and of actors that are down."""

from datetime import UTC, datetime

import pytest
from msgspec.structs import replace

from actors.messages import (
    Drift,
    InvariantBroken,
    OrderChanged,
    OrderPlanned,
    Reconciled,
    Stale,
    StreamState,
    TradingLatched,
    TradingState,
)
from daemon.board import Board
from daemon.options import Mode, RunOptions
from daemon.snapshot import CalendarRow, EngineLook, Look, Status
from daemon.troubles import RECENT_NS, troubles
from risk.intent import Trading
from risk.order import OrderState
from supervisor.clock import NS_PER_S
from supervisor.mailbox import MailboxStatistics
from supervisor.messages import ChildCrashed
from supervisor.supervisor import ChildHealth
from tests.daemon.runs import eager
from tests.daemon.watched import watched
from tests.risk.given import BTC, SOL
from venues.market import OrderRequest, Side, TimeInForce


@pytest.fixture(name="seen", scope="module")
def _seen(tmp_path_factory):
    """A run of two engines, seen before its first book and after six minutes."""
    folder = tmp_path_factory.mktemp("looks")
    options = RunOptions(
        mode=Mode.SYNTHETIC, engines=("perps", "equities"), data_dir=folder / "data", symbols=("BTC", "COST"),
        speed=None, for_ns=370 * NS_PER_S, bar_s=2, config=eager(folder), plain=True, seed=7,
    )  # fmt: skip
    return watched(options, (0.0, 360.0))


def test_before_anything_is_known_nothing_is_made_up(seen):
    look = seen[0].look
    assert [(row.symbol, row.fresh, row.age_ms, row.z, row.rho) for row in look.markets] == [
        ("BTC", False, None, None, None),
        ("COST", False, None, None, None),
    ]
    assert (look.headroom, look.calendar) == ((), None)
    assert [row.today_minor for row in look.engines] == [None, None]


def test_a_market_shows_its_age_z_and_imbalance_and_its_bounds(seen):
    market = seen[1].look.markets[0]
    assert market.fresh
    assert 0 <= market.age_ms == market.rho_age_ms < 2_000
    assert market.bid < market.ask
    assert -7.7 < market.z < 7.7
    assert -1 < market.rho < 1
    assert (market.z_entry, market.z_exit) == (0.3, 0.1)


def test_headroom_is_measured_against_the_profile(seen):
    rows = {(row.engine, row.rule): row for row in seen[1].look.headroom}
    perps = next(row for row in seen[1].look.engines if row.engine == "perps")
    assert rows["perps", "daily_loss"].used == pytest.approx(max(0, -perps.today_minor) / 500_000_000)
    assert rows["perps", "net_cap"].bound == "1,250.00 USD"
    worth = sum(row.notional_minor for row in seen[1].positions)
    assert rows["perps", "net_cap"].used == pytest.approx(abs(worth) / 1_250_000_000, abs=1e-3)
    assert 0 < rows["perps", "order_rate"].used <= 1


def test_sessions_and_releases_are_counted_down_to(seen):
    looks = {row.engine: row for row in seen[1].look.engines}
    opens = datetime(2026, 1, 5, 14, 30, tzinfo=UTC)
    assert (looks["perps"].session_open, looks["perps"].session_ns) == (True, 0)
    assert (looks["equities"].session_open, looks["equities"].session_ns) == (False, opens.timestamp() * NS_PER_S)
    calendar = seen[1].look.calendar
    assert (calendar.shut, calendar.degraded) == (False, False)
    assert calendar.next_ns > seen[1].status.at_ns


def test_orders_carry_the_age_of_their_chain(seen):
    for row in seen[1].orders:
        assert 0 < row.placed_ns <= row.at_ns
    assert seen[1].troubles == ()


# --- the board's part

REQUEST = OrderRequest(
    id="o1", intent_id="i1", engine="perps", symbol="BTC", side=Side.BUY, lots=500, ticks=600_000,
    time_in_force=TimeInForce.ALO,
)  # fmt: skip
PLANNED = OrderPlanned("perps", REQUEST, True, 5)
RESTING = OrderChanged(
    engine="perps", order_id="o1", intent_id="i1", symbol="BTC", side=Side.BUY, state=OrderState.RESTING, lots=500,
    lots_filled=0, ticks=600_000, time_in_force=TimeInForce.ALO, entry=True, reason="", fence_ns=0, at_ns=6,
)  # fmt: skip


def board(*messages):
    made = Board({"perps": {"BTC": BTC, "SOL": SOL}}, {"perps": "hyperliquid"})
    for message in messages:
        made.write(message)
    return made


def test_a_repriced_order_is_as_old_as_the_first_of_its_chain():
    second = replace(PLANNED, order=replace(PLANNED.order, id="o2", replaces="o1"), at_ns=9)
    made = board(PLANNED, RESTING, second, replace(RESTING, order_id="o2"),
                 replace(RESTING, state=OrderState.CANCELLED))  # fmt: skip
    (row,) = made.order_rows()
    assert (row.order_id, row.placed_ns, row.reprices) == ("o2", 5, 1)
    made.write(replace(RESTING, order_id="o2", state=OrderState.FILLED))
    assert (made.orders, made.placed) == ({}, {})


def test_an_order_of_a_run_before_is_as_old_as_what_was_first_heard_of_it():
    (row,) = board(RESTING, replace(RESTING, lots_filled=5, at_ns=8)).order_rows()
    assert (row.placed_ns, row.reprices) == (6, 0)


# --- what is wrong

STATUS = Status(
    version="0", run_id="r", mode="live", pid=1, seed=1, speed="1", virtual=False, started_ns=0,
    at_ns=3_000 * NS_PER_S, healthy=True,
)  # fmt: skip
FINE = Look(
    engines=(EngineLook(engine="perps", today_minor=0),),
    calendar=CalendarRow(shut=False, event="", until_ns=0, degraded=False),
)
FRESH = (
    Reconciled("perps", True, 0, 0, 0, "", 1),
    StreamState("perps", "BTC", True, 0, 1),
    StreamState("perps", "SOL", True, 0, 1),
)


def health(name="perps.feed", *, alive=True, healthy=True, held_ns=0):
    box = MailboxStatistics(waiting=0, heard=0, conflated=0, high_water=0, size_max=1, age_ns=0)
    return ChildHealth(name, "perps", alive, healthy, 1, held_ns, box)


def wrong(*messages, status=STATUS, actors=(), look=FINE):
    made = board(*FRESH, *messages)
    return [(row.what, row.since_ns, row.text) for row in troubles(status, made.engine_rows(), actors, made, look)]


def test_nothing_is_wrong_where_nothing_is():
    assert wrong(Drift("perps", "BTC", 1, 0, "adopted", 2), actors=(health(),)) == []


def test_a_latch_tells_by_whom_why_and_since_when():
    state = TradingState("perps", Trading.HALTED, "daily_loss: 501", "circuit_breaker", 7)
    assert wrong(TradingLatched(state, 8)) == [("halted", 7, "by circuit_breaker: daily_loss: 501")]


def test_venue_and_ledger_apart_count_from_the_first_word_of_it():
    apart = Reconciled("perps", False, 0, 0, 1, "BTC differs", 10)
    assert wrong(apart, replace(apart, reason="still", at_ns=40)) == [("unreconciled", 10, "still")]
    assert wrong(apart, replace(apart, ok=True, at_ns=40)) == []


def test_an_order_that_holds_its_symbol_back_is_named():
    doubtful = replace(RESTING, state=OrderState.UNKNOWN)
    assert wrong(doubtful) == [("unknown", 6, "order o1 of BTC: the venue has not said whether it lives")]
    asked_ns = STATUS.at_ns - 59 * NS_PER_S
    under_way = replace(RESTING, state=OrderState.CANCELLING, at_ns=asked_ns)
    assert wrong(under_way) == wrong(RESTING) == []
    later = replace(STATUS, at_ns=STATUS.at_ns + 2 * NS_PER_S)
    overdue = [("overdue", asked_ns, "order o1 of BTC is cancelling, and no verdict comes")]
    assert wrong(under_way, status=later) == overdue


def test_stale_feeds_are_counted_named_and_left_out_while_their_market_is_shut():
    stale = StreamState("perps", "SOL", False, 15_000, 20)
    assert wrong(stale) == [("stale", 20, "1 of 2 feeds: SOL")]
    assert wrong(stale, look=replace(FINE, engines=(replace(FINE.engines[0], session_open=False),))) == []
    assert wrong(stale, replace(stale, fresh=True)) == []
    assert wrong(replace(stale, why=Stale.UNLEARNT)) == []


def test_actors_that_are_late_down_or_were_down_are_told_apart():
    crash = ChildCrashed("feed", "perps", "ValueError: x", STATUS.at_ns - NS_PER_S)
    late = health(healthy=False, held_ns=7 * NS_PER_S)
    assert wrong(actors=(late,)) == [("late", STATUS.at_ns - 7 * NS_PER_S, "perps.feed makes no progress")]
    down = health(alive=False, healthy=False)
    assert wrong(crash, actors=(down,)) == [("down", crash.at_ns, "perps.feed is down: ValueError: x")]
    assert wrong(crash, actors=(health(),))[0][0] == "crashed"
    assert wrong(replace(crash, at_ns=STATUS.at_ns - RECENT_NS), actors=(health(),)) == []


def test_the_worst_stands_first():
    everything = wrong(
        replace(RESTING, state=OrderState.UNKNOWN),
        StreamState("perps", "SOL", False, 15_000, 20),
        InvariantBroken("perps", "positions_agree", "x", 3),
        Reconciled("perps", False, 0, 0, 1, "BTC differs", 10),
        TradingLatched(TradingState("", Trading.REDUCING, "look", "operator", 7), 8),
        status=replace(STATUS, lag_ms=1_500.0),
        look=replace(
            FINE,
            engines=(replace(FINE.engines[0], unwatched="no dead man"),),
            calendar=replace(FINE.calendar, degraded=True),
        ),
    )
    whats = ["broken", "reducing", "unreconciled", "deadman", "unknown", "stale", "calendar", "lag"]
    assert [what for what, _, _ in everything] == whats
