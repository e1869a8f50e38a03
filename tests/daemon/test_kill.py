"""The short form of `make kill`: a real daemon is killed at both emulated venues, and wrong designs are found out."""

import json
import mmap
import subprocess
import sys
from decimal import Decimal
from pathlib import Path

import pytest
from msgspec.structs import replace

from actors.ledger import LedgerMind
from actors.messages import CancelSent, OrderPlanned, RunStarted
from actors.records import written
from supervisor.journal import Journal
from tests.risk.given import BTC
from tests.soak import kill_checks
from tests.soak.kill_batch import Asked
from tests.soak.kill_checks import Books, unsettled, wrongs
from tests.soak.kill_controls import CONTROLS
from tests.soak.kill_points import (
    ARMED,
    CELLS,
    FIRED,
    HALT,
    HALTS,
    RANDOM,
    RANDOMS,
    Plan,
    Trap,
    act_of,
    plan_of,
)
from venues.market import Accepted, Cancelled, Fill, OrderRequest, Rejected, Side, TimeInForce

ROOT = Path(__file__).resolve().parents[2]
ZEROS = ("orphans", "duplicates", "wrong_verdicts", "lost", "unequal", "latch", "ended")
ROUND = len(CELLS) + RANDOMS + HALTS


@pytest.fixture(scope="module")
def figures(tmp_path_factory):
    """Of a few kills of each kind, in processes of their own: a fork of this one would inherit its threads."""
    folder = tmp_path_factory.mktemp("kill")
    command = [sys.executable, "-m", "tests.soak.kill", "--short", "--seed", "5", "--dir", str(folder)]
    ran = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
    assert ran.returncode == 0, f"{ran.stdout}\n{ran.stderr}"
    return json.loads((folder / "kill.json").read_text())


def test_nothing_is_lost_doubled_or_misjudged(figures):
    assert figures["kills"] >= 8
    assert {kind: figures[kind] for kind in ZEROS} == dict.fromkeys(ZEROS, 0)
    assert figures["orders"] > 0
    assert figures["cells_hit"] > 0, "or it was only killed at moments of chance"


def test_wrong_designs_are_found_out(figures):
    assert {name.split()[0] for name in figures["controls"]} == set(CONTROLS)
    assert {name.split()[1] for name in figures["controls"]} == {"alpaca", "hyperliquid"}
    assert all(one["found_out"] for one in figures["controls"].values())


# --- the plan


def test_a_round_visits_every_cell_and_a_seed_is_a_plan():
    plans = [plan_of(1, "alpaca", number) for number in range(2 * ROUND)]
    for turn in (plans[:ROUND], plans[ROUND:]):
        cells = [plan.cell for plan in turn]
        assert sorted(cells) == sorted([*CELLS, *[RANDOM] * RANDOMS, *[HALT] * HALTS])
    assert plans == [plan_of(1, "alpaca", number) for number in range(2 * ROUND)]
    assert plans != [plan_of(2, "alpaca", number) for number in range(2 * ROUND)]
    assert any(plan.early for plan in plans)
    assert any(plan.late_s > 15 for plan in plans), "later than an order may come"
    assert any(plan.late_s < 0 for plan in plans)


def test_a_failure_is_repeated_by_a_command():
    asked = Asked("alpaca", 1, 76, 38, 12.0)
    assert asked.again(14) == "python -m tests.soak.kill --venue alpaca --seed 1 --first 76 --kills 14"
    assert asked.plan(3) == plan_of(1, "alpaca", 79)
    assert Asked("alpaca", 1, 0, 9, 12.0, cells=("after_ack/move",)).plan(5).cell == "after_ack/move"


# --- the places


def order(time_in_force: TimeInForce = TimeInForce.ALO, replaces: str = "", name: str = "a") -> OrderRequest:
    return OrderRequest(
        id=name,
        intent_id="b",
        engine="crypto",
        symbol="BTC/USD",
        side=Side.BUY,
        lots=100,
        ticks=1,
        time_in_force=time_in_force,
        replaces=replaces,
    )


def planned(made: OrderRequest) -> OrderPlanned:
    return OrderPlanned("crypto", made, True, 1)


def fill(order_id: str = "a", lots: int = 100, name: str = "f") -> Fill:
    return Fill("crypto", name, order_id, "BTC/USD", Side.BUY, lots, 1, 0, True, 3)


@pytest.mark.parametrize(
    ("made", "kind"),
    [(order(), "place"), (order(TimeInForce.IOC), "cross"), (order(replaces="c"), "move")],
)
def test_what_a_transaction_is_about(made, kind):
    with mmap.mmap(-1, mmap.PAGESIZE) as shared:
        trap = Trap(Plan(RANDOM, 1, 0, False), shared)
        assert trap.cells_of([written(planned(made))]) == [("write", kind)]
        accepted, over = Accepted("crypto", "a", "BTC/USD", 2), Cancelled("crypto", "a", "BTC/USD", 0, "asked", 2)
        assert trap.cells_of([written(accepted), written(fill())]) == [("verdict", kind), ("fill", kind)]
        assert trap.cells_of([written(over)]) == [("verdict", "cross" if kind == "cross" else "cancel")]
        assert trap.cells_of([written(CancelSent("crypto", "a", 2))]) == []


def test_a_trap_waits_until_it_is_armed_and_for_its_turn(monkeypatch):
    died = []
    monkeypatch.setattr("tests.soak.kill_points.die", lambda: died.append(1))
    with mmap.mmap(-1, mmap.PAGESIZE) as shared:
        trap = Trap(Plan("after_send/place", 2, 0, False, 24.0), shared, speed=12.0)
        trap.reach("after_send/place")
        assert not trap.late_s("place")
        shared[ARMED] = 1
        trap.reach("after_send/cross")
        trap.reach("after_send/place")
        assert (died, shared[FIRED], trap.late_s("place"), trap.late_s("move")) == ([], 0, 2.0, 0)
        trap.reach("after_send/place")
        assert (died, shared[FIRED]) == ([1], 1)


@pytest.mark.parametrize(
    ("method", "path", "body", "act"),
    [
        ("POST", "/exchange", {"action": {"type": "batchModify"}}, "move"),
        ("POST", "/exchange", {"action": {"type": "cancelByCloid"}}, "cancel"),
        ("POST", "/exchange", {"action": {"type": "updateLeverage"}}, ""),
        ("POST", "/exchange", {"action": {"type": "order", "orders": [{"t": {"limit": {"tif": "Ioc"}}}]}}, "cross"),
        ("POST", "/exchange", {"action": {"type": "order", "orders": [{"t": {"limit": {"tif": "Alo"}}}]}}, "place"),
        ("POST", "/info", {"type": "meta"}, ""),
        ("POST", "/v2/orders", {"time_in_force": "ioc"}, "cross"),
        ("POST", "/v2/orders", {"time_in_force": "gtc"}, "place"),
        ("PATCH", "/v2/orders/1", {}, "move"),
        ("DELETE", "/v2/orders/1", {}, "cancel"),
        ("GET", "/v2/orders", {}, ""),
    ],
)
def test_what_a_request_does(method, path, body, act):
    assert act_of(method, path, json.dumps(body).encode()) == act


# --- the checks, each with what it is for and without


@pytest.fixture
def books(tmp_path, instruments):
    """What the harness reads of a journal that a ledger wrote."""

    def of(*heard):
        mind = LedgerMind()
        mind.fold(instruments)
        journal = Journal.open(tmp_path / "journal.sqlite")
        journal.append([written(record) for record in (instruments, *(r for h in heard for r in mind.hear(h)[0]))])
        journal.close()
        made = Books(tmp_path, "alpaca")
        made.read_on()
        return made

    return of


@pytest.fixture
def instruments():
    btc = replace(BTC, symbol="BTC/USD", engine="crypto", lot=Decimal("0.01"))
    return RunStarted(
        number=1, run_id="r", mode="paper", seed=1, version="0", engines=("crypto",), instruments=(btc,), at_ns=0
    )


def at_venue(name="a", status="new", left="1", is_open=True):
    return {"name": name, "status": status, "open": is_open, "left": left}


def truth_of(*orders, fills=(), positions=None):
    return {"orders": list(orders), "fills": list(fills), "positions": positions or {}}


RESTS = (planned(order()), Accepted("crypto", "a", "BTC/USD", 2))


def test_an_order_that_rests_on_both_sides_is_nothing_wrong(books):
    made, truth = books(*RESTS), truth_of(at_venue())
    assert not any(wrongs(truth, made).values())
    assert unsettled(truth, made, None, "crypto", 1) == []
    assert kill_checks.never_there(truth, made) == []


def second(**more):
    return planned(order(name="z", **more))


@pytest.mark.parametrize(
    ("records", "truth", "kind"),
    [
        (RESTS, truth_of(at_venue(), at_venue("z")), "orphans"),
        (RESTS, truth_of(at_venue(), at_venue()), "duplicates"),
        (RESTS, truth_of(at_venue(), fills=[{"name": "a", "size": "0.5"}]), "duplicates"),
        ((*RESTS, second()), truth_of(at_venue(left="0"), at_venue("z", left="0")), "duplicates"),
        ((planned(order()), Rejected("crypto", "a", "BTC/USD", "no", 2)), truth_of(at_venue()), "wrong_verdicts"),
    ],
)
def test_what_is_wrong_for_good_is_found(books, records, truth, kind):
    found = wrongs(truth, books(*records))
    assert [name for name, texts in found.items() if texts] == [kind]


def test_what_used_up_an_id_is_no_order_that_came(books):
    made = books(planned(order(TimeInForce.IOC)), Rejected("crypto", "a", "BTC/USD", "insufficient balance", 2))
    assert made.is_twin(at_venue() | {"price": "0.05"})
    truth = truth_of(at_venue(status="canceled", is_open=False, left="0") | {"price": "0.05"})
    assert not any(wrongs(truth, made).values())
    assert wrongs(truth_of(at_venue(status="canceled") | {"price": "0.1"}), made)["wrong_verdicts"]


def test_what_filled_while_its_replace_was_under_way_is_surplus_and_no_duplicate(books):
    made = books(*RESTS, second(replaces="a"))
    rows = (at_venue(is_open=False, left="0", status="replaced"), at_venue("z", left="0"))
    truth = truth_of(*rows, fills=[{"name": "a", "size": "0.3"}, {"name": "z", "size": "1"}])
    assert not any(wrongs(truth, made).values())
    assert kill_checks.surplus(truth, made) == 1
    truth = truth_of(*rows, fills=[{"name": "a", "size": "0.3"}, {"name": "z", "size": "1.1"}])
    assert wrongs(truth, made)["duplicates"]


def test_an_order_that_took_anothers_place_is_no_second_one(books):
    made = books(*RESTS, second(replaces="a"))
    truth = truth_of(at_venue(is_open=False, left="0", status="replaced"), at_venue("z"))
    assert not any(wrongs(truth, made).values())


def test_what_the_ledger_believes_to_rest_must_have_been_there(books):
    assert kill_checks.never_there(truth_of(), books(*RESTS))
    assert unsettled(truth_of(), books(*RESTS), None, "crypto", 1)


def test_positions_and_fills_must_be_equal(books):
    made = books(*RESTS, fill())
    whole = truth_of(
        at_venue(is_open=False, left="0", status="filled"),
        fills=[{"name": "a", "size": "1"}],
        positions={"BTCUSD": "1"},
    )
    assert unsettled(whole, made, None, "crypto", 1) == []
    told = unsettled(whole | {"positions": {}, "fills": []}, made, None, "crypto", 1)
    assert [text.split()[0] for text in told] == ["positions:", "fills"]
