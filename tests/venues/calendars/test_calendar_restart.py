"""What a calendar said hours ago still counts after a restart at which its publisher does not answer."""

import asyncio

import pytest
from msgspec.structs import replace

from actors.macro_calendar import MacroCalendar
from actors.messages import Blackouts, MacroWindow
from config.macro import MacroCalendar as MacroTable
from config.profile import MacroLimits
from supervisor.messages import Tick
from tests.venues.calendars.test_sources import At
from venues.calendars.ask import Unanswered
from venues.calendars.sources import KeptSource
from venues.market import CalendarRead, Release, Report

S = 1_000_000_000
HOUR, DAY = 3600 * S, 86_400 * S
T0 = 1_767_600_000 * S
TABLE = MacroTable(events=(), first_ns=T0 - DAY, last_ns=T0 + 30 * DAY)
MOVED = Release(T0 + 8 * HOUR, "CPI")  # the table has it on another day
REPORT = Report(T0 + 8 * HOUR, T0 + 9 * HOUR, "NKE")
KEPT = CalendarRead(source="fmp", kind="", from_ns=T0 - DAY, until_ns=T0 + 9 * DAY, read_ns=T0, at_ns=T0)
GIVEN = {
    "releases": replace(KEPT, kind="releases", releases=(MOVED,)),
    "reports": replace(KEPT, kind="reports", reports=(REPORT,), tickers=frozenset({"NKE"})),
}


async def down(span):
    raise Unanswered("no route")


def read_at(folder, kind, at_ns):
    """What a new process reads while the publisher is down."""
    source = KeptSource("fmp", kind, down, folder, At(at_ns))
    source.cache.keep(GIVEN[kind])
    return asyncio.run(source.read())


def said(mind, message, kind):
    return [one for one in mind.hear(message) if type(one) is kind]


@pytest.mark.parametrize("hours", [5, 7])
def test_a_release_that_was_moved_still_shuts(tmp_path, hours):
    mind = MacroCalendar(TABLE, MacroLimits())
    mind.hear(read_at(tmp_path, "releases", T0 + hours * HOUR))
    (window,) = said(mind, Tick(T0 + 8 * HOUR), MacroWindow)
    assert (window.shut, window.event) == (True, "CPI")


@pytest.mark.parametrize("hours", [5, 7])
def test_a_report_still_keeps_its_symbols_out_where_the_unknown_may_be_traded(tmp_path, hours):
    mind = MacroCalendar(TABLE, MacroLimits(when_degraded="trade"), {"NKE": ("xyz:NKE",)})
    shut = [
        *said(mind, read_at(tmp_path, "reports", T0 + hours * HOUR), Blackouts),
        *said(mind, Tick(T0 + 8 * HOUR), Blackouts),
    ]
    assert shut
    assert shut[-1].symbols == {"xyz:NKE": "NKE reports"}
