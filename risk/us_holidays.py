"""Days on which US stock exchanges stay shut or close early, by NYSE Rule 7.2 and the calendars it publishes.

Rules instead of a table, so that a run over any year since 2022 (Juneteenth) has its holidays. Closures nobody can
compute, such as a day of mourning, are added by the caller.
"""

from collections.abc import Iterable
from datetime import date, timedelta

from risk.session import SATURDAY, SessionCalendar

MONDAY, THURSDAY, SUNDAY = 0, 3, 6
EASTER_CYCLE_YEARS = 19
"""The moon's phases fall on the same dates again after this many years."""


def us_calendar(
    first_year: int, last_year: int, *, closed: Iterable[date] = (), closed_early: Iterable[date] = ()
) -> SessionCalendar:
    """The calendar of some years, with closures that no rule knows."""
    years = range(first_year, last_year + 1)
    holidays = frozenset(day for year in years for day in us_holidays(year)) | frozenset(closed)
    half_days = frozenset(day for year in years for day in us_half_days(year)) | frozenset(closed_early)
    return SessionCalendar(holidays=holidays, half_days=half_days - holidays)


def us_holidays(year: int) -> tuple[date, ...]:
    """Days without a session, in order."""
    fixed = [_observed(date(year, month, day)) for month, day in ((6, 19), (7, 4), (12, 25))]
    new_year = date(year, 1, 1)
    if new_year.weekday() != SATURDAY:  # its Friday is the last day of the accounting year and stays open
        fixed.append(_observed(new_year))
    moving = [
        _nth(year, 1, MONDAY, 3),  # Martin Luther King
        _nth(year, 2, MONDAY, 3),  # Washington
        _easter(year) - timedelta(days=2),  # Good Friday
        _nth(year, 6, MONDAY, 1) - timedelta(days=7),  # Memorial Day: the last Monday of May
        _nth(year, 9, MONDAY, 1),  # Labor Day
        _nth(year, 11, THURSDAY, 4),  # Thanksgiving
    ]
    return tuple(sorted(fixed + moving))


def us_half_days(year: int) -> tuple[date, ...]:
    """Days that close at 13:00, in order: before Independence Day and Christmas, and after Thanksgiving."""
    holidays = us_holidays(year)
    days = (date(year, 7, 3), _nth(year, 11, THURSDAY, 4) + timedelta(days=1), date(year, 12, 24))
    return tuple(day for day in days if day.weekday() < SATURDAY and day not in holidays)


def _observed(day: date) -> date:
    """The weekday on which a holiday is kept: Friday for Saturday, Monday for Sunday."""
    return day + timedelta(days={SATURDAY: -1, SUNDAY: 1}.get(day.weekday(), 0))


def _nth(year: int, month: int, weekday: int, count: int) -> date:
    first = date(year, month, 1)
    return first + timedelta(days=(weekday - first.weekday()) % 7 + 7 * (count - 1))


def _easter(year: int) -> date:
    """Easter Sunday of the Gregorian calendar, by the anonymous algorithm that Meeus prints."""
    golden = year % EASTER_CYCLE_YEARS
    century, year_of = divmod(year, 100)
    leap, left = divmod(century, 4)
    moon = (century - (century + 8) // 25 + 1) // 3
    epact = (19 * golden + century - leap - moon + 15) % 30
    leap_of, left_of = divmod(year_of, 4)
    weekday = (32 + 2 * left + 2 * leap_of - epact - left_of) % 7
    late = (golden + 11 * epact + 22 * weekday) // 451
    month, day = divmod(epact + weekday - 7 * late + 114, 31)
    return date(year, month, day + 1)
