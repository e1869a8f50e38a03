"""Macro calendar: the window around each release, said when it changes."""

from itertools import pairwise

import pytest

from actors.macro_calendar import MacroCalendar
from actors.messages import Blackouts, CalendarState, MacroWindow
from config.macro import MacroCalendar as MacroTable
from config.macro import MacroEvent, load_macro_calendar
from config.profile import MacroLimits
from risk.blackout import UNKNOWN
from supervisor.messages import ChildStarted, Tick
from venues.market import CalendarRead, Release, Report

S = 1_000_000_000
MINUTE, DAY = 60 * S, 86_400 * S
T0 = 1_767_600_000 * S
CPI, FOMC = T0 + 60 * MINUTE, T0 + 85 * MINUTE


def calendar(days=30, **limits):
    events = [
        MacroEvent(name=name, at_ns=at, provenance="rule", source="") for name, at in (("FOMC", FOMC), ("CPI", CPI))
    ]
    return MacroCalendar(table_of(events, days), MacroLimits(**limits))


def table_of(events=(), days=30):
    return MacroTable(events=tuple(events), first_ns=T0 - DAY, last_ns=T0 + days * DAY)


def walk(mind, minutes):
    """Every change within some minutes, as (second, shut, event)."""
    said = [mind.hear(Tick(T0 + second * S)) for second in range(minutes * 60)]
    return [((w.at_ns - T0) // S, w.shut, w.event) for (w,) in filter(None, said)]


def test_it_shuts_a_quarter_before_and_opens_a_quarter_after():
    assert walk(calendar(), 180) == [
        (0, False, ""),
        (45 * 60, True, "CPI"),
        (75 * 60 + 1, True, "FOMC"),
        (100 * 60 + 1, False, ""),
    ]


def test_windows_that_touch_are_one():
    (shut,) = calendar().hear(Tick(CPI))
    assert (shut.shut, shut.until_ns) == (True, FOMC + 15 * MINUTE + 1)


def test_the_width_is_configured():
    assert walk(calendar(window_minutes=5), 62)[1] == (55 * 60, True, "CPI")


def test_whoever_starts_is_told_even_if_nothing_changed():
    mind = calendar()
    (first,) = mind.hear(ChildStarted("gate", "perps", 0, T0))
    (again,) = mind.hear(ChildStarted("gate", "perps", 1, T0 + S))
    assert (first.shut, again.shut, again.at_ns) == (False, False, T0 + S)


@pytest.mark.parametrize(("policy", "shut"), [("shut", True), ("trade", False)])
def test_a_calendar_that_ends_too_soon_is_policy(policy, shut):
    (window,) = calendar(days=1, when_degraded=policy).hear(Tick(T0))
    assert (window.shut, window.degraded) == (shut, True)


def test_the_real_table_shuts_and_opens_in_turn():
    table = load_macro_calendar()
    mind = MacroCalendar(table, MacroLimits())
    start_ns = table.events[0].at_ns - DAY
    said = [w for minute in range(14 * 24 * 60) for w in mind.hear(Tick(start_ns + minute * MINUTE))]
    assert any(window.shut for window in said)
    for before, after in pairwise(said):
        assert (before.shut, before.event, before.until_ns) != (after.shut, after.event, after.until_ns)
        assert not before.shut or after.at_ns <= before.until_ns + MINUTE


# --- sources beside the table


def read(source="fmp", kind="releases", at_ns=T0, **given):
    return CalendarRead(source=source, kind=kind, read_ns=at_ns, at_ns=at_ns, **given)


def failed(why, at_ns=T0):
    return CalendarRead(source="fmp", kind="releases", failure=why, at_ns=at_ns)


def windows(said):
    return [message for message in said if isinstance(message, MacroWindow)]


def test_a_release_that_only_another_source_knows_shuts_too():
    mind = calendar()
    mind.hear(read(releases=(Release(T0 + 20 * MINUTE, "NFP"),)))
    (window,) = mind.hear(Tick(T0 + 6 * MINUTE))
    assert (window.shut, window.event) == (True, "NFP")


def test_a_source_that_fails_is_said_once_and_what_it_knew_holds_on():
    mind = calendar()
    (state, _) = mind.hear(read(releases=(Release(T0 + 20 * MINUTE, "NFP"),), until_ns=T0 + DAY))
    assert (state.source, state.ok, state.events, state.until_ns) == ("fmp", True, 1, T0 + DAY)
    (state,) = mind.hear(failed("HTTP 402"))
    assert (state.ok, state.reason, state.events) == (False, "HTTP 402", 1)
    assert mind.hear(failed("HTTP 402", T0 + MINUTE)) == ()
    (window,) = mind.hear(Tick(T0 + 6 * MINUTE))
    assert window.event == "NFP"
    (state,) = [m for m in mind.hear(read(at_ns=T0 + 7 * MINUTE)) if isinstance(m, CalendarState)]
    assert state.ok


def test_a_fresh_source_covers_what_the_table_does_not_and_a_stale_one_no_more():
    mind = calendar(days=0, when_degraded="shut")
    (window,) = mind.hear(Tick(T0))
    assert (window.shut, window.degraded) == (True, True)
    said = windows(mind.hear(read(from_ns=T0 - DAY, until_ns=T0 + 60 * DAY)))
    assert [(w.shut, w.degraded) for w in said] == [(False, False)]
    quiet = [w for hour in range(5, 25) for w in windows(mind.hear(Tick(T0 + hour * 60 * MINUTE)))]
    assert quiet == []
    (window,) = windows(mind.hear(Tick(T0 + DAY + 1)))
    assert (window.shut, window.degraded) == (True, True)


def test_a_mind_that_crashed_still_knows_what_sources_said():
    readings = {}
    limits, table = MacroLimits(), table_of()
    MacroCalendar(table, limits, {}, readings).hear(read(releases=(Release(T0 + 20 * MINUTE, "NFP"),)))
    (window,) = MacroCalendar(table, limits, {}, readings).hear(Tick(T0 + 6 * MINUTE))
    assert window.event == "NFP"


# --- reports of companies

COMPANIES = {"TSLA": ("TSLA", "xyz:TSLA"), "NKE": ("NKE",)}
REPORT = Report(T0 + 10 * 60 * MINUTE, T0 + 30 * 60 * MINUTE, "TSLA")


def with_companies(policy="trade"):
    mind = calendar(when_degraded=policy, earnings_before_minutes=90, earnings_after_minutes=15)
    mind.companies = COMPANIES
    return mind


def shut_at(mind, minutes):
    mind.hear(Tick(T0 + minutes * MINUTE))
    return mind.said_blackouts


def test_a_report_shuts_every_name_of_its_company_before_and_after():
    mind = with_companies()
    mind.hear(read(kind="reports", reports=(REPORT,), until_ns=T0 + 60 * DAY))
    assert shut_at(mind, 510 - 1) == {}
    assert shut_at(mind, 510) == dict.fromkeys(("TSLA", "xyz:TSLA"), "TSLA reports")
    assert shut_at(mind, 1815 - 1).keys() == {"TSLA", "xyz:TSLA"}
    assert shut_at(mind, 1815) == {}


def test_whoever_starts_is_told_of_blackouts_before_the_window_opens():
    mind = with_companies()
    mind.hear(read(kind="reports", reports=(REPORT,)))
    assert mind.hear(Tick(REPORT.from_ns))
    said = mind.hear(ChildStarted("gate", "perps", 0, REPORT.from_ns))
    assert [type(message) for message in said] == [Blackouts, MacroWindow]


@pytest.mark.parametrize(
    ("known", "shut"),
    [
        ({}, {"TSLA", "xyz:TSLA", "NKE"}),
        ({"until_ns": T0 + 3 * DAY}, set()),
        ({"until_ns": T0 + 2 * DAY - 1}, {"TSLA", "xyz:TSLA", "NKE"}),
        ({"until_ns": T0 + 3 * DAY, "tickers": frozenset({"NKE"})}, {"TSLA", "xyz:TSLA"}),
    ],
)
def test_a_company_of_which_nothing_is_known_for_two_days_is_shut_by_policy(known, shut):
    mind = with_companies("shut")
    mind.hear(read(kind="reports", from_ns=T0 - DAY, **known))
    assert mind.said_blackouts.keys() == shut
    assert set(mind.said_blackouts.values()) <= {UNKNOWN}
    trading = with_companies("trade")
    trading.hear(read(kind="reports", from_ns=T0 - DAY, **known))
    assert trading.said_blackouts == {}


def test_one_source_is_enough_to_know_a_company():
    mind = with_companies("shut")
    mind.hear(read("earnings_file", "reports", tickers=frozenset({"NKE"}), until_ns=T0 + 3 * DAY))
    mind.hear(read("fmp", "reports", tickers=frozenset({"TSLA"}), until_ns=T0 + 3 * DAY))
    assert mind.said_blackouts == {}
