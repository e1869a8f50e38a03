"""The short form of `make kill`: a real daemon is killed at both emulated venues, and the naive design is found out."""

import json
import subprocess
import sys
from pathlib import Path

import pytest

from actors.ledger import written
from actors.messages import CancelSent, OrderPlanned
from tests.soak.kill_points import CELLS, HALT, HALTS, RANDOM, RANDOMS, act_of, plan_of, subjects_of
from venues.market import Accepted, OrderRequest, Side, TimeInForce

ROOT = Path(__file__).resolve().parents[2]
ZEROS = ("orphans", "duplicates", "wrong_verdicts", "lost", "unequal", "latch", "ended")
KILLS = 6
"""A second and a half each."""
ROUND = len(CELLS) + RANDOMS + HALTS


def killed(folder: Path, *args: object, code: int) -> dict:
    """The figures of a few kills, which have processes of their own: a fork of this one would inherit its threads."""
    command = [sys.executable, "-m", "tests.soak.kill", "--dir", folder, *args]
    ran = subprocess.run(list(map(str, command)), cwd=ROOT, capture_output=True, text=True, check=False)
    assert ran.returncode == code, f"{ran.stdout}\n{ran.stderr}"
    return json.loads((folder / "kill.json").read_text())


@pytest.mark.parametrize("venue", ["hyperliquid", "alpaca"])
def test_nothing_is_lost_doubled_or_misjudged(tmp_path, venue):
    figures = killed(tmp_path, "--venue", venue, "--kills", KILLS, "--seed", 5, code=0)
    assert figures["kills"] == KILLS
    assert {kind: figures[kind] for kind in ZEROS} == dict.fromkeys(ZEROS, 0)
    assert figures["orders"] > 0
    assert figures["cells_hit"] > 0, "or it was only killed at moments of chance"


def test_the_naive_design_is_found_out(tmp_path):
    figures = killed(tmp_path, "--venue", "alpaca", "--kills", KILLS, "--control", "sent_first", code=1)
    assert figures["orphans"] > 0
    told = figures["failures"][0]["again"]
    assert told.startswith("python -m tests.soak.kill --venue alpaca --seed 1 --batch 0 --kills ")


def test_a_round_visits_every_cell_and_a_seed_is_a_plan():
    plans = [plan_of(1, 0, number) for number in range(2 * ROUND)]
    for turn in (plans[:ROUND], plans[ROUND:]):
        cells = [plan.cell for plan in turn]
        assert sorted(cells) == sorted([*CELLS, *[RANDOM] * RANDOMS, *[HALT] * HALTS])
    assert plans == [plan_of(1, 0, number) for number in range(2 * ROUND)]
    assert plans != [plan_of(2, 0, number) for number in range(2 * ROUND)]
    assert any(plan.early for plan in plans)


def order(time_in_force: TimeInForce = TimeInForce.ALO, replaces: str = "") -> OrderRequest:
    return OrderRequest(
        id="a",
        intent_id="b",
        engine="perps",
        symbol="BTC",
        side=Side.BUY,
        lots=1,
        ticks=1,
        time_in_force=time_in_force,
        replaces=replaces,
    )


@pytest.mark.parametrize(
    ("planned", "subject"),
    [(order(), "place"), (order(TimeInForce.IOC), "cross"), (order(replaces="c"), "move")],
)
def test_what_a_transaction_is_about(planned, subject):
    entry = written(OrderPlanned("perps", planned, True, 1))
    assert subjects_of([entry]) == [subject]
    assert subjects_of([entry, written(Accepted("perps", "a", "BTC", 2))]) == [subject, "verdict"]
    assert subjects_of([written(CancelSent("perps", "a", 2))]) == []


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
