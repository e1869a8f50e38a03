"""Edges of reports, exports and alerts: midnight, the end of the calendar, a calendar that shuts nothing."""

import pytest

from actors.ledger import LedgerMind
from actors.messages import MacroWindow, OrderPlanned
from daemon.alerts.rules import Rules
from daemon.report.booked import Booked, Planned
from daemon.report.execution import wants
from daemon.report.window import days
from daemon.times import ns_of
from tests.daemon.runs import obid
from tests.risk.given import BTC, request

AT = ns_of("2026-01-05T12:00:00")


def test_a_degraded_calendar_that_shuts_nothing_is_not_said_to():
    """`macro.when_degraded = "trade"`, as it is in paper and shadow."""
    (alert,) = Rules({"perps": ()}, AT).hear(MacroWindow(False, "", 0, True, AT))
    assert "entries are shut" not in alert.title


def test_an_order_that_is_moved_over_midnight_is_one_want():
    """It was wanted on Monday; on Tuesday it was only moved."""
    late, early = ns_of("2026-01-05T23:59:50"), ns_of("2026-01-06T00:00:10")
    story = Booked(LedgerMind(), [], [], [], [], [], [])
    first, second = request(BTC, 5, id="o1"), request(BTC, 5, id="o2", replaces="o1")
    story.planned = [
        Planned(order=OrderPlanned("perps", one, True, at_ns), run=1) for one, at_ns in ((first, late), (second, early))
    ]
    days_ = [list(wants(story, days(early, day, 1))) for day in ("2026-01-05", "2026-01-06")]
    assert sum(row.intents for rows in days_ for row in rows) == 1
    assert [row.orders for row in days_[0]] == [2]


def test_an_export_that_cannot_be_made_is_a_line_and_spoils_nothing(tmp_path):
    out = tmp_path / "books.jsonl"
    out.write_text("last month's\n")
    obid("ledger", "export", "--out", out, "--data-dir", tmp_path / "nobody", code=1)
    assert out.read_text() == "last month's\n"
    obid("run", "--symbols", "BTC", "--for", "1s", "--speed", "max", "--plain", "--data-dir", tmp_path / "data")
    obid("ledger", "export", "--out", tmp_path / "no" / "such" / "x.jsonl", "--data-dir", tmp_path / "data", code=1)


@pytest.mark.parametrize(("on", "week"), [("9999-12-31", ()), ("0001-01-03", ("--week",))])
def test_a_day_beyond_the_calendar_is_exit_2(tmp_path, on, week):
    obid("run", "--symbols", "BTC", "--for", "1s", "--speed", "max", "--plain", "--data-dir", tmp_path / "data")
    obid("report", "--on", on, *week, "--data-dir", tmp_path / "data", code=2)
