"""A week in minutes: three engines in one daemon through closes, a half day, daylight saving, releases and a crash.

`make week` runs the same for days; what must hold is in tests/soak/witness.py, and here it is shown to bite too.
"""

import pytest

from actors.messages import HeldOutside
from daemon.modes import session_calendar
from risk import gate
from risk.rules import Finding
from risk.session import session_on
from tests.soak import week, witness
from tests.soak.week import ENGINES, FEW, SHORT, Span, ns
from venues.market import Fill

SEED = 7
S = 1_000_000_000


@pytest.fixture(scope="module")
def figures(tmp_path_factory):
    """The short week, run once."""
    return {one["span"]: one for one in week.week(SHORT, tmp_path_factory.mktemp("week"), SEED, FEW)}


@pytest.mark.parametrize("span", [span.name for span in SHORT])
def test_nothing_is_wrong(figures, span):
    assert figures[span]["wrongs"] == []
    assert figures[span]["fills"] > 20


def test_each_law_was_at_stake(figures):
    closes = ("the end of a week", "a half day")
    assert all(figures[name]["sessions"] == 1 and figures[name]["entries"]["equities"] > 5 for name in closes)
    assert all(figures[name]["left_at_the_close"] > 0 for name in closes)
    assert all(figures[name]["refusals"]["macro_window"] > 0 for name in ("CPI", "FOMC"))
    assert sum(one["refusals"].get("sector_cap", 0) for one in figures.values()) > 50
    assert all(one["entries"][engine] for one in figures.values() for engine in ("perps", "crypto"))
    assert figures["CPI"]["entries"]["equities"] == 0, "before the session"
    (halt,) = figures["a fall of 4 %"]["halts"]
    assert figures["halted over a restart"]["halts"] == [halt]


# --- a bug put into our code is seen


def wrongs(span, folder):
    """What the witness finds in one span."""
    seen, _ = week.run(span, folder, SEED, FEW)
    return list(week.judged(span, seen, folder))


def without(monkeypatch, *names):
    """A gate that lacks some rules."""
    passes = lambda case: Finding(True, "-", "-")  # noqa: E731
    rules = tuple(rule._replace(ask=passes) if rule.name in names else rule for rule in gate.RULES)
    monkeypatch.setattr(gate, "RULES", rules)


def test_a_gate_without_sector_caps_is_seen(tmp_path, monkeypatch):
    without(monkeypatch, "sector_cap")
    assert any("where 1 may be" in wrong for wrong in wrongs(SHORT[1], tmp_path))


def test_a_gate_without_macro_windows_is_seen(tmp_path, monkeypatch):
    without(monkeypatch, "macro_window")
    assert any("near a release" in wrong for wrong in wrongs(SHORT[2], tmp_path))


def test_a_session_that_nobody_leaves_is_seen(tmp_path, monkeypatch):
    monkeypatch.setattr("actors.signal.Signal._closing", lambda *_: False)
    found = wrongs(Span("a close", "2026-03-06 15:15", "50m"), tmp_path)
    assert any("held while the session is shut" in wrong for wrong in found)


# --- nobody was there at the close


def shares(seen):
    return witness.shares(seen.lots())


def stopped_in_the_session(folder):
    """A run that is stopped at 15:15 with shares in hand."""
    seen, _ = week.run(Span("an afternoon", "2026-03-05 14:45", "30m"), folder, SEED, FEW)
    assert shares(seen)
    return seen


def test_a_start_in_the_last_minute_leaves_everything_before_the_close(tmp_path):
    before = stopped_in_the_session(tmp_path)
    after, _ = week.run(Span("a minute", "2026-03-05 15:59", "3m"), tmp_path, SEED, FEW)
    after.opening = before.lots()
    assert shares(after) == {}
    exits = [one for one in after.of(Fill) if one.engine == "equities"]
    assert exits
    close_ns = ns("2026-03-05 16:00")
    assert all(ns("2026-03-05 15:59") < fill.at_ns < close_ns for fill in exits)
    assert after.of(HeldOutside) == []


def test_a_start_the_next_morning_says_what_is_held_and_leaves_it_at_the_open(tmp_path):
    before = stopped_in_the_session(tmp_path)
    after, _ = week.run(Span("a morning", "2026-03-06 09:25", "7m"), tmp_path, SEED, FEW)
    after.opening = before.lots()
    opens_ns = ns("2026-03-06 09:30")
    said = after.of(HeldOutside)
    assert {one.symbol: one.lots for one in said} == shares(before)
    assert {one.opens_ns for one in said} == {opens_ns}
    assert len(said) == len(shares(before))
    wishes = witness.exits_of(after, "held_overnight")
    assert {wish.symbol for wish in wishes} == set(shares(before))
    first = {fill.symbol: fill.at_ns for fill in reversed(after.of(Fill)) if fill.symbol in shares(before)}
    assert first.keys() == shares(before).keys()
    assert all(opens_ns <= at_ns < opens_ns + 15 * S for at_ns in first.values()), "with the first quote"


def test_the_spans_are_the_days_that_they_are_said_to_be():
    calendar = session_calendar()
    friday, monday = (
        session_on(witness.local_date(ns(f"{day} 12:00")), calendar) for day in ("2026-03-06", "2026-03-09")
    )
    assert (monday.opens_ns - friday.opens_ns) == (3 * 24 - 1) * 3600 * S
    half = session_on(witness.local_date(ns("2026-11-27 12:00")), calendar)
    assert half.closes_ns == ns("2026-11-27 13:00")
    names = {
        event.name
        for event in witness.load_macro_calendar().events
        if event.at_ns in (ns("2026-03-11 08:30"), ns("2026-03-18 14:00"))
    }
    assert names == {"CPI", "FOMC"}
    assert ENGINES == ("perps", "crypto", "equities")
