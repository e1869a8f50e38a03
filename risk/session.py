"""Trading sessions: around the clock, or US regular hours in New York time with holidays and half days.

A day that the calendar does not reach has no session: nothing is opened on a day of which nobody knows whether it is a
holiday.

Regular hours are 09:30 to 16:00, on half days to 13:00 (NYSE: hours and calendars). Daylight saving comes from the time
zone database. `is_rth` is asked on every engine, because the time stop is shorter while the stock market is open.
"""

from datetime import UTC, date, datetime, time, timedelta
from functools import lru_cache
from typing import Literal
from zoneinfo import ZoneInfo

from msgspec import Struct
from msgspec.structs import replace

NEW_YORK = ZoneInfo("America/New_York")
OPENS, CLOSES, CLOSES_EARLY = time(9, 30), time(16, 0), time(13, 0)
SATURDAY = 5
NS_PER_S = 1_000_000_000
DAYS_KEPT = 64
"""Sessions kept at hand: the days that bars and orders of one run ask for again and again."""

DAYS_SHUT_MAX = 10
"""Days that are looked through for the next session: the longest pause since 1933 was six days, in September 2001."""

SessionName = Literal["always", "us_equities"]


class SessionCalendar(Struct, frozen=True, kw_only=True):
    """Days on which the exchange does not open, and days on which it closes at 13:00; nothing outside first to last."""

    first: date
    last: date
    holidays: frozenset[date] = frozenset()
    half_days: frozenset[date] = frozenset()
    closes_ns: dict[date, int] = {}  # of days that a venue ends sooner

    def knows(self, day: date) -> bool:
        """Whether it reaches a day."""
        return self.first <= day <= self.last


NO_DAYS = SessionCalendar(first=date.max, last=date.min)
"""Knows no day, and has no session on any: for engines that trade around the clock."""


class Session(Struct, frozen=True):
    """Opening and closing of one day, as [opens_ns, closes_ns)."""

    opens_ns: int
    closes_ns: int


def with_close(calendar: SessionCalendar, day: date, closes_ns: int) -> SessionCalendar:
    """The calendar with what a venue says of a day; it can only make the day shorter."""
    return replace(calendar, closes_ns=calendar.closes_ns | {day: closes_ns})


def local_date(at_ns: int) -> date:
    """The date in New York."""
    return datetime.fromtimestamp(at_ns // NS_PER_S, NEW_YORK).date()


def session_on(day: date, calendar: SessionCalendar) -> Session | None:
    """The regular session of a day; None when there is none, or when the calendar does not reach the day."""
    if day.weekday() >= SATURDAY or day in calendar.holidays or not calendar.knows(day):
        return None
    ours, closes_ns = _hours(day, day in calendar.half_days), calendar.closes_ns.get(day)
    if closes_ns is None or closes_ns >= ours.closes_ns:
        return ours
    return Session(ours.opens_ns, closes_ns) if closes_ns > ours.opens_ns else None


@lru_cache(maxsize=DAYS_KEPT)
def _hours(day: date, half: bool) -> Session:
    def at(clock: time) -> int:
        return round(datetime.combine(day, clock, NEW_YORK).astimezone(UTC).timestamp()) * NS_PER_S

    return Session(at(OPENS), at(CLOSES_EARLY if half else CLOSES))


def session_at(at_ns: int, calendar: SessionCalendar) -> Session | None:
    """The regular session that is open now; None when none is."""
    session = session_on(local_date(at_ns), calendar)
    return session if session is not None and session.opens_ns <= at_ns < session.closes_ns else None


def next_open_ns(at_ns: int, calendar: SessionCalendar) -> int | None:
    """When the next session opens; None when the calendar does not reach so far."""
    today = local_date(at_ns)
    days = (today + timedelta(days=number) for number in range(DAYS_SHUT_MAX + 1))
    found = (session.opens_ns for day in days if (session := session_on(day, calendar)) is not None)
    return next((opens_ns for opens_ns in found if opens_ns > at_ns), None)


def sessions_back(at_ns: int, count: int, calendar: SessionCalendar) -> date | None:
    """The day that the last `count` sessions began on, today's included; None beyond the calendar."""
    today = local_date(at_ns)
    days = (today - timedelta(days=number) for number in range(count + 2 * DAYS_SHUT_MAX))
    found = [day for day in days if session_on(day, calendar) is not None]
    return found[count - 1] if len(found) >= count else None


def is_rth(at_ns: int, calendar: SessionCalendar) -> bool:
    """Whether the US stock market is in regular hours."""
    return session_at(at_ns, calendar) is not None


def is_open(name: SessionName, at_ns: int, calendar: SessionCalendar) -> bool:
    """Whether an engine with this session may enter now."""
    return name == "always" or is_rth(at_ns, calendar)


def closes_at_ns(name: SessionName, at_ns: int, calendar: SessionCalendar) -> int | None:
    """When the session that is open now closes; None when it is shut or never closes."""
    session = None if name == "always" else session_at(at_ns, calendar)
    return session.closes_ns if session else None
