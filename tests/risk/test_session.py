"""US sessions: daylight saving, holidays and half days."""

from datetime import UTC, date, datetime
from zoneinfo import ZoneInfo

import pytest

from risk.session import closes_at_ns, is_open, is_rth, local_date, session_on
from risk.us_holidays import us_calendar, us_half_days, us_holidays

YEARS = us_calendar(2024, 2028)


def ns(text: str, zone: str = "America/New_York") -> int:
    return round(datetime.fromisoformat(text).replace(tzinfo=ZoneInfo(zone)).timestamp()) * 1_000_000_000


@pytest.mark.parametrize(
    ("local", "is_in"),
    [
        ("2026-11-20 09:29:59", False),
        ("2026-11-20 09:30:00", True),
        ("2026-11-20 15:59:59", True),
        ("2026-11-20 16:00:00", False),
        ("2026-11-21 12:00:00", False),  # Saturday
        ("2026-11-22 12:00:00", False),  # Sunday
        ("2026-11-26 12:00:00", False),  # Thanksgiving
        ("2026-11-27 12:59:59", True),  # the day after closes at 13:00
        ("2026-11-27 13:00:00", False),
        ("2026-07-03 12:00:00", False),  # Independence Day falls on a Saturday
    ],
)
def test_regular_hours(local, is_in):
    assert is_rth(ns(local), YEARS) is is_in
    assert is_open("us_equities", ns(local), YEARS) is is_in
    assert is_open("always", ns(local), YEARS)


@pytest.mark.parametrize(
    ("day", "opens_utc"),
    [("2026-03-06", "14:30"), ("2026-03-09", "13:30"), ("2026-10-30", "13:30"), ("2026-11-02", "14:30")],
)
def test_daylight_saving_moves_the_opening(day, opens_utc):
    session = session_on(date.fromisoformat(day), YEARS)
    opens = datetime.fromtimestamp(session.opens_ns / 1e9, UTC)
    assert f"{opens:%Y-%m-%d %H:%M}" == f"{day} {opens_utc}"
    assert session.closes_ns - session.opens_ns == 6.5 * 3600 * 10**9


def test_when_it_closes():
    assert closes_at_ns("us_equities", ns("2026-11-20 10:00"), YEARS) == ns("2026-11-20 16:00")
    assert closes_at_ns("us_equities", ns("2026-11-27 10:00"), YEARS) == ns("2026-11-27 13:00")
    assert closes_at_ns("us_equities", ns("2026-11-20 17:00"), YEARS) is None
    assert closes_at_ns("always", ns("2026-11-20 10:00"), YEARS) is None


def test_the_date_is_new_yorks():
    assert local_date(ns("2026-11-21 03:00", "UTC")) == date(2026, 11, 20)


@pytest.mark.parametrize(  # as NYSE published them
    ("year", "holidays", "half_days"),
    [
        (2024, "01-01 01-15 02-19 03-29 05-27 06-19 07-04 09-02 11-28 12-25", "07-03 11-29 12-24"),
        (2025, "01-01 01-20 02-17 04-18 05-26 06-19 07-04 09-01 11-27 12-25", "07-03 11-28 12-24"),
        (2026, "01-01 01-19 02-16 04-03 05-25 06-19 07-03 09-07 11-26 12-25", "11-27 12-24"),
        (2027, "01-01 01-18 02-15 03-26 05-31 06-18 07-05 09-06 11-25 12-24", "11-26"),
        (2028, "01-17 02-21 04-14 05-29 06-19 07-04 09-04 11-23 12-25", "07-03 11-24"),
    ],
)
def test_holidays_by_rule(year, holidays, half_days):
    assert " ".join(f"{day:%m-%d}" for day in us_holidays(year)) == holidays
    assert " ".join(f"{day:%m-%d}" for day in us_half_days(year)) == half_days


def test_closures_that_no_rule_knows_are_added():
    mourning = date(2025, 1, 9)
    assert mourning in us_calendar(2025, 2025, closed=(mourning,)).holidays
    assert date(2025, 1, 10) in us_calendar(2025, 2025, closed_early=(date(2025, 1, 10),)).half_days
