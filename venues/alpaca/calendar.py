"""The venue's calendar of the stock market, held against ours: what differs is told, and the narrower one rules.

Ours decides in risk when an entry may pass, so what is shut there is shut. What the venue calls shut is refused by the
adapter (`is_open`), and what it shuts sooner is told to risk (watch). So nothing is opened in hours that only one of
the two knows.
"""

from collections.abc import Iterable, Iterator
from datetime import UTC, date, datetime, time, timedelta
from zoneinfo import ZoneInfo

from config.sessions import Sessions
from supervisor.clock import NS_PER_S
from venues.alpaca.trading_wire import SHOWN_MAX, Day
from venues.venue import VenueMisspoke

AHEAD = timedelta(days=90)
"""How far the venue's calendar is asked for: asked for again each day."""

SATURDAY = 5
PATH = "/v2/calendar"


class VenueCalendar:
    """Sessions of the venue, by date."""

    def __init__(self, days: Iterable[Day], zone: str):
        self.zone = ZoneInfo(zone)
        self.sessions: dict[date, tuple[time, time]] = {}
        for day in days:
            try:
                hours = (time.fromisoformat(day.open), time.fromisoformat(day.close))
                self.sessions[date.fromisoformat(day.date)] = hours
            except ValueError as error:
                raise VenueMisspoke(f"{PATH}: {str(error)[:SHOWN_MAX]}: {str(day)[:SHOWN_MAX]}") from error

    def is_open(self, at_ns: int) -> bool:
        """Whether the venue has a session at a time; a day beyond what was asked is not known to have one."""
        local = datetime.fromtimestamp(at_ns // NS_PER_S, UTC).astimezone(self.zone)
        hours = self.sessions.get(local.date())
        return hours is not None and hours[0] <= local.time() < hours[1]

    def session_ns(self, day: date) -> tuple[int, int] | None:
        """Opening and closing of a day; None where it has no session."""
        hours = self.sessions.get(day)
        return None if hours is None else (_ns(day, hours[0], self.zone), _ns(day, hours[1], self.zone))

    def differences(self, ours: Sessions, first: date, last: date) -> Iterator[str]:
        """What the two say differently of the days from `first` to `last`, a line for each."""
        day = first
        while day <= last:
            if ours.first <= day <= ours.last:
                here, there = _hours(ours, day), self.sessions.get(day)
                if here != there:
                    yield f"{day}: the venue has {_said(there)}, our calendar {_said(here)}; entries pass in both only"
            day += timedelta(days=1)


def span(at_ns: int, zone: str) -> tuple[date, date]:
    """The days that are asked for."""
    today = local_day(at_ns, zone)
    return today, today + AHEAD


def local_time(at_ns: int, zone: str) -> datetime:
    """A time there."""
    return datetime.fromtimestamp(at_ns // NS_PER_S, UTC).astimezone(ZoneInfo(zone))


def local_day(at_ns: int, zone: str) -> date:
    """The date there."""
    return local_time(at_ns, zone).date()


def hours_ns(ours: Sessions, day: date) -> tuple[int, int] | None:
    """Opening and closing of a day by our calendar; None where it has no session, or does not reach the day."""
    hours = _hours(ours, day) if ours.first <= day <= ours.last else None
    zone = ZoneInfo(ours.zone)
    return None if hours is None else (_ns(day, hours[0], zone), _ns(day, hours[1], zone))


def _ns(day: date, at: time, zone: ZoneInfo) -> int:
    return round(datetime.combine(day, at, zone).timestamp()) * NS_PER_S


def _hours(ours: Sessions, day: date) -> tuple[time, time] | None:
    if day.weekday() >= SATURDAY or day in ours.holidays:
        return None
    return ours.open, ours.close_early if day in ours.half_days else ours.close


def _said(hours: tuple[time, time] | None) -> str:
    return "no session" if hours is None else f"{hours[0]:%H:%M} to {hours[1]:%H:%M}"
