"""US sessions: daylight saving, holidays and half days."""

from datetime import UTC, date, datetime
from zoneinfo import ZoneInfo

import pytest

from risk.session import NO_DAYS, closes_at_ns, is_open, is_rth, local_date, session_at, session_on
from tests.risk.given import calendar

YEARS = calendar()


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


@pytest.mark.parametrize("local", ["2024-12-31 12:00", "2029-01-02 12:00"])
def test_a_day_that_the_calendar_does_not_reach_has_no_session(local):
    assert not is_rth(ns(local), YEARS)
    assert not is_open("us_equities", ns(local), YEARS)
    assert closes_at_ns("us_equities", ns(local), YEARS) is None
    assert is_open("always", ns(local), YEARS)


def test_an_empty_calendar_knows_no_day():
    assert not is_rth(ns("2026-11-20 12:00"), NO_DAYS)
    assert not NO_DAYS.knows(date(2026, 11, 20))


def test_the_session_that_is_open():
    at_ns = ns("2026-11-20 12:00")
    assert session_at(at_ns, YEARS) == session_on(date(2026, 11, 20), YEARS)
    assert session_at(ns("2026-11-20 08:00"), YEARS) is None
