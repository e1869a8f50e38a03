"""Trading sessions: around the clock, or US regular hours in New York time with holidays and half days.

Regular hours are 09:30 to 16:00, on half days to 13:00 (NYSE: hours and calendars). Daylight saving comes from the time
zone database. `is_rth` is asked on every engine, because the time stop is shorter while the stock market is open.
"""

from datetime import UTC, date, datetime, time
from functools import lru_cache
from typing import Literal
from zoneinfo import ZoneInfo

from msgspec import Struct

NEW_YORK = ZoneInfo("America/New_York")
OPENS, CLOSES, CLOSES_EARLY = time(9, 30), time(16, 0), time(13, 0)
SATURDAY = 5
NS_PER_S = 1_000_000_000
DAYS_KEPT = 64
"""Sessions kept at hand: the days that bars and orders of one run ask for again and again."""

SessionName = Literal["always", "us_equities"]


class SessionCalendar(Struct, frozen=True, kw_only=True):
    """Days on which the exchange does not open, and days on which it closes at 13:00."""

    holidays: frozenset[date] = frozenset()
    half_days: frozenset[date] = frozenset()


class Session(Struct, frozen=True):
    """Opening and closing of one day, as [opens_ns, closes_ns)."""

    opens_ns: int
    closes_ns: int


def local_date(at_ns: int) -> date:
    """The date in New York."""
    return datetime.fromtimestamp(at_ns // NS_PER_S, NEW_YORK).date()


def session_on(day: date, calendar: SessionCalendar) -> Session | None:
    """The regular session of a day; None when there is none."""
    if day.weekday() >= SATURDAY or day in calendar.holidays:
        return None
    return _hours(day, day in calendar.half_days)


@lru_cache(maxsize=DAYS_KEPT)
def _hours(day: date, half: bool) -> Session:
    def at(clock: time) -> int:
        return round(datetime.combine(day, clock, NEW_YORK).astimezone(UTC).timestamp()) * NS_PER_S

    return Session(at(OPENS), at(CLOSES_EARLY if half else CLOSES))


def is_rth(at_ns: int, calendar: SessionCalendar) -> bool:
    """Whether the US stock market is in regular hours."""
    session = session_on(local_date(at_ns), calendar)
    return session is not None and session.opens_ns <= at_ns < session.closes_ns


def is_open(name: SessionName, at_ns: int, calendar: SessionCalendar) -> bool:
    """Whether an engine with this session may enter now."""
    return name == "always" or is_rth(at_ns, calendar)


def closes_at_ns(name: SessionName, at_ns: int, calendar: SessionCalendar) -> int | None:
    """When the session that is open now closes; None when it is shut or never closes."""
    if name == "always" or not is_rth(at_ns, calendar):
        return None
    session = session_on(local_date(at_ns), calendar)
    return session.closes_ns if session else None
