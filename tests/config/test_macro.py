"""The table of releases: instants in UTC, every release every month, and an end that is said."""

from collections import Counter
from datetime import UTC, date, datetime, timedelta
from itertools import pairwise
from zoneinfo import ZoneInfo

from config.macro import MacroEvent, load_macro_calendar

TIER_1 = {"CPI", "NFP", "FOMC", "PCE", "PPI", "GDP", "Retail Sales", "Jobless Claims", "JOLTS"}
NS_PER_S = 1_000_000_000


def utc(event: MacroEvent) -> datetime:
    return datetime.fromtimestamp(event.at_ns // NS_PER_S, UTC)


def at(name: str, *day: int) -> datetime:
    """When a release comes out on an Eastern day; there has to be one."""
    (found,) = [utc(e) for e in load_macro_calendar().events if e.name == name and utc(e).date() == date(*day)]
    return found


def test_eastern_time_is_summer_and_winter_time():
    assert at("CPI", 2026, 1, 13) == datetime(2026, 1, 13, 13, 30, tzinfo=UTC)
    assert at("CPI", 2026, 7, 14) == datetime(2026, 7, 14, 12, 30, tzinfo=UTC)
    assert at("FOMC", 2026, 3, 18) == datetime(2026, 3, 18, 18, 0, tzinfo=UTC), "ten days into summer time"
    assert at("FOMC", 2027, 12, 8) == datetime(2027, 12, 8, 19, 0, tzinfo=UTC)
    assert at("JOLTS", 2026, 3, 31) == datetime(2026, 3, 31, 14, 0, tzinfo=UTC)
    assert at("NFP", 2026, 2, 11), "moved by a lapse: a first-Friday rule would have missed it"


def test_every_release_is_there_every_year():
    events = load_macro_calendar().events
    count = Counter((event.name, utc(event).year) for event in events)
    assert {name for name, _ in count} == TIER_1
    for year in (2026, 2027):
        assert count["FOMC", year] == 8
        assert count["Jobless Claims", year] == 52
        assert all(12 <= count[name, year] <= 13 for name in TIER_1 - {"FOMC", "Jobless Claims"})
    assert [event.at_ns for event in events] == sorted(event.at_ns for event in events)


def test_releases_are_on_weekdays_once_a_day():
    events = load_macro_calendar().events
    assert not [event for event in events if utc(event).weekday() > 4]
    assert max(Counter((event.name, utc(event).date()) for event in events).values()) == 1
    claims = [utc(event) for event in events if event.name == "Jobless Claims"]
    assert all(6 <= (later - sooner).days <= 8 for sooner, later in pairwise(claims))


def test_it_says_what_it_does_not_know():
    calendar = load_macro_calendar()
    eastern = ZoneInfo("America/New_York")
    assert calendar.first_ns == datetime(2026, 1, 1, tzinfo=eastern).timestamp() * NS_PER_S
    assert calendar.last_ns == datetime(2028, 1, 1, tzinfo=eastern).timestamp() * NS_PER_S
    assert all(calendar.first_ns <= event.at_ns < calendar.last_ns for event in calendar.events)
    guessed = {event.name for event in calendar.events if event.provenance == "rule" and utc(event).year == 2026}
    assert guessed == {"Jobless Claims"}
    assert all(event.source for event in calendar.events)
    known = {event.name for event in calendar.events if event.provenance == "agency" and utc(event).year == 2027}
    assert known == {"FOMC"}


def test_wednesdays_of_the_fed_are_six_weeks_apart_or_so():
    days = [utc(event) for event in load_macro_calendar().events if event.name == "FOMC"]
    assert {day.weekday() for day in days} == {2}
    assert all(timedelta(weeks=5) < later - sooner < timedelta(weeks=9) for sooner, later in pairwise(days))
