"""Until when the books know what happened at the venues."""

import pytest

from actors.ledger import LedgerMind
from actors.messages import OrderPlanned, RunStarted
from daemon.books import LOST_NS, concerned, known_ns, looked_ns
from supervisor.clock import NS_PER_S
from tests.actors.stories import run_started
from tests.risk.given import BTC, COST, SOL, fill, request
from venues.market import Cancelled

NOW_NS = 1_795_000_000 * NS_PER_S


@pytest.mark.parametrize("ahead_s", [3_600, 86_400, 61])
def test_records_of_a_time_to_come_hide_no_fill(ahead_s):
    """A run by a clock that was an hour ahead, then one by the right clock: fills of the hour between are asked for."""
    mind = LedgerMind()
    mind.last_ns = NOW_NS + ahead_s * NS_PER_S
    assert known_ns(mind, NOW_NS) == NOW_NS - LOST_NS


def test_the_newest_record_is_known_and_an_empty_journal_knows_nothing():
    mind = LedgerMind()
    assert known_ns(mind, NOW_NS) == NOW_NS
    for ago_s in (7_200, 0, -2):
        mind.last_ns = NOW_NS - ago_s * NS_PER_S
        assert known_ns(mind, NOW_NS) == mind.last_ns


def test_fills_are_asked_for_from_the_last_look_on_though_newer_ones_were_told():
    """One was lost, questions failed, the next was told: asked from that one on, the lost one was never found."""
    mind = LedgerMind()
    assert looked_ns(mind, NOW_NS) == NOW_NS
    mind.last_ns = NOW_NS - 60 * NS_PER_S
    assert looked_ns(mind, NOW_NS) == mind.last_ns
    mind.looked_ns = {"perps": NOW_NS - 300 * NS_PER_S, "crypto": NOW_NS - 100 * NS_PER_S}
    assert looked_ns(mind, NOW_NS) == NOW_NS - 300 * NS_PER_S
    mind.fold(
        RunStarted(
            number=1,
            run_id="r1",
            mode="live",
            seed=1,
            version="0",
            engines=("perps", "equities"),
            instruments=(),
            at_ns=NOW_NS - 900 * NS_PER_S,
        )
    )
    assert looked_ns(mind, NOW_NS) == NOW_NS - 900 * NS_PER_S, "since the first start of one that has never looked"
    mind.looked_ns["equities"] = NOW_NS
    assert looked_ns(mind, NOW_NS) == NOW_NS - 300 * NS_PER_S
    mind.looked_ns["perps"] = 0
    assert looked_ns(mind, NOW_NS) == mind.last_ns - LOST_NS


def test_what_an_engine_cannot_let_go_of_is_what_it_holds_and_what_may_rest():
    mind = LedgerMind()
    mind.fold(run_started(1, 1))
    mind.hear(fill(BTC, 3, 600_000))
    for number, instrument in enumerate((BTC, SOL, COST)):
        order = request(instrument, 5, id=f"o{number}")
        mind.hear(OrderPlanned(order.engine, order, True, 2))
    mind.hear(Cancelled("equities", "o2", "COST", 0, "withdrawn", 3))
    assert concerned(mind, "perps") == {
        "BTC": "perps holds 3 lots of it",
        "SOL": "perps has an order of it that may rest",
    }
    assert concerned(mind, "equities") == {}
