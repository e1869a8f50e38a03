"""The table of holidays is what NYSE Rule 7.2 says, plus what no rule foresees; and it is what others know too."""

from datetime import date, time, timedelta

import exchange_calendars

from config.sessions import load_sessions
from daemon.modes import session_calendar
from risk.session import session_on

MONDAY, THURSDAY, FRIDAY, SATURDAY, SUNDAY = 0, 3, 4, 5, 6
UNFORESEEN = {date(2025, 1, 9)}  # mourning for President Carter
DAY = timedelta(days=1)


def nth(year: int, month: int, weekday: int, n: int) -> date:
    """The n-th Monday, Thursday ... of a month."""
    first = date(year, month, 1)
    return first + timedelta(days=(weekday - first.weekday()) % 7 + 7 * (n - 1))


def good_friday(year: int) -> date:
    """Two days before Easter, by Gauss's method in the Gregorian form of Meeus and Jones."""
    a, (b, c) = year % 19, divmod(year, 100)
    h = (19 * a + b - b // 4 - (b - (b + 8) // 25 + 1) // 3 + 15) % 30
    weekday = (32 + 2 * (b % 4) + 2 * (c // 4) - h - c % 4) % 7
    month, day = divmod(h + weekday - 7 * ((a + 11 * h + 22 * weekday) // 451) + 114, 31)
    return date(year, month, day + 1) - 2 * DAY


def observed(day: date) -> date | None:
    """When a holiday with a fixed date closes the exchange."""
    if day.weekday() == SATURDAY:
        return None if (day.month, day.day) == (1, 1) else day - DAY
    return day + DAY if day.weekday() == SUNDAY else day


def by_rule(year: int) -> set[date]:
    fixed = [observed(date(year, *month_day)) for month_day in ((1, 1), (6, 19), (7, 4), (12, 25))]
    memorial = date(year, 5, 31)
    memorial -= timedelta(days=memorial.weekday())
    moving = [nth(year, 1, MONDAY, 3), nth(year, 2, MONDAY, 3), good_friday(year), memorial]
    moving += [nth(year, 9, MONDAY, 1), nth(year, 11, THURSDAY, 4)]
    return {day for day in [*fixed, *moving] if day is not None}


def test_holidays_follow_the_rule():
    sessions = load_sessions()
    years = range(sessions.first.year, sessions.last.year + 1)
    assert set(sessions.holidays) == UNFORESEEN.union(*map(by_rule, years))
    assert list(sessions.holidays) == sorted(sessions.holidays)


def test_half_days_follow_the_rule():
    sessions = load_sessions()
    expected = set()
    for year in range(sessions.first.year, sessions.last.year + 1):
        days = [date(year, 7, 3), nth(year, 11, THURSDAY, 4) + DAY, date(year, 12, 24)]
        if date(year, 7, 4).weekday() in (SATURDAY, SUNDAY, MONDAY):
            days.remove(date(year, 7, 3))  # the day before isn't the one before a day off, or is off itself
        expected |= {day for day in days if day.weekday() <= FRIDAY and day not in sessions.holidays}
    assert set(sessions.half_days) == expected


def test_hours():
    sessions = load_sessions()
    assert (sessions.open, sessions.close, sessions.close_early) == (time(9, 30), time(16), time(13))
    assert sessions.zone == "America/New_York"


def test_every_day_is_as_exchange_calendars_has_it():
    """XNYS, day by day: the same sessions, to the nanosecond of their opening and close."""
    known, calendar = load_sessions(), session_calendar()
    judge = exchange_calendars.get_calendar("XNYS", start=known.first.isoformat(), end=known.last.isoformat())
    theirs = {
        day.date(): (row["open"].value, row["close"].value) for day, row in judge.schedule[["open", "close"]].iterrows()
    }
    days = [known.first + number * DAY for number in range((known.last - known.first).days + 1)]
    ours = {day: (found.opens_ns, found.closes_ns) for day in days if (found := session_on(day, calendar))}
    assert ours == theirs
    assert {day.year for day in ours} == {2025, 2026, 2027, 2028}
    assert len(ours) > 1_000


def test_beyond_the_table_no_day_has_a_session():
    """What nobody knows is no trading day: on a holiday of 2029 the market would have been taken for open."""
    known, calendar = load_sessions(), session_calendar()
    for day in (known.first - DAY, known.last + DAY, date(2029, 1, 2), date(2024, 7, 5), date(2100, 6, 1)):
        assert session_on(day, calendar) is None
