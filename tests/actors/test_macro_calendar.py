"""Macro calendar: the window around each release, said when it changes."""

from itertools import pairwise

import pytest

from actors.macro_calendar import MacroCalendar
from config.macro import MacroCalendar as MacroTable
from config.macro import MacroEvent, load_macro_calendar
from config.profile import MacroLimits
from supervisor.messages import ChildStarted, Tick

S = 1_000_000_000
MINUTE, DAY = 60 * S, 86_400 * S
T0 = 1_767_600_000 * S
CPI, FOMC = T0 + 60 * MINUTE, T0 + 85 * MINUTE


def calendar(days=30, **limits):
    events = [
        MacroEvent(name=name, at_ns=at, provenance="rule", source="") for name, at in (("FOMC", FOMC), ("CPI", CPI))
    ]
    table = MacroTable(events=tuple(events), first_ns=T0 - DAY, last_ns=T0 + days * DAY)
    return MacroCalendar(table, MacroLimits(**limits))


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
