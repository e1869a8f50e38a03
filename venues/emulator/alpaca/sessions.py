"""When shares trade here: regular hours in New York time, holidays and half days, as clock and calendar tell them."""

from collections.abc import Iterator
from datetime import UTC, date, datetime, time, timedelta
from functools import lru_cache
from typing import Any
from zoneinfo import ZoneInfo

from config.sessions import Sessions
from supervisor.clock import NS_PER_S

SATURDAY = 5
DAYS_AHEAD_MAX = 14
PRE_MARKET, AFTER_HOURS = "0400", "2000"
"""Extended hours, which the calendar names and this emulator does not trade in."""


class Hours:
    """A market's sessions as [opens_ns, closes_ns)."""

    def __init__(self, known: Sessions) -> None:
        self._known, self.zone = known, ZoneInfo(known.zone)
        self._holidays, self._half_days = frozenset(known.holidays), frozenset(known.half_days)
        self.on = lru_cache(maxsize=512)(self._on)

    def _on(self, day: date) -> tuple[int, int] | None:
        """The session of a day; None where there is none."""
        if day.weekday() >= SATURDAY or day in self._holidays:
            return None
        closes = self._known.close_early if day in self._half_days else self._known.close
        return self._ns(day, self._known.open), self._ns(day, closes)

    def _ns(self, day: date, at: time) -> int:
        return round(datetime.combine(day, at, self.zone).timestamp()) * NS_PER_S

    @property
    def known(self) -> tuple[date, date]:
        """The first and the last day of the calendar."""
        return self._known.first, self._known.last

    def day(self, at_ns: int) -> date:
        """The date there."""
        return datetime.fromtimestamp(at_ns // NS_PER_S, self.zone).date()

    def midnight_ns(self, day: date) -> int:
        """When a day begins there."""
        return self._ns(day, time(0))

    def is_open(self, at_ns: int) -> bool:
        """Whether shares trade."""
        session = self.on(self.day(at_ns))
        return session is not None and session[0] <= at_ns < session[1]

    def next_open_ns(self, at_ns: int) -> int:
        """The first opening after a time."""
        return next(opens for opens, _ in self._ahead(at_ns) if opens > at_ns)

    def next_close_ns(self, at_ns: int) -> int:
        """The first close after a time."""
        return next(closes for _, closes in self._ahead(at_ns) if closes > at_ns)

    def _ahead(self, at_ns: int) -> Iterator[tuple[int, int]]:
        day = self.day(at_ns)
        for ahead in range(DAYS_AHEAD_MAX):
            session = self.on(day + timedelta(days=ahead))
            if session is not None:
                yield session

    def last_close_ns(self, at_ns: int) -> int:
        """The close of the last session that is over at a time."""
        day = self.day(at_ns)
        for behind in range(DAYS_AHEAD_MAX):
            session = self.on(day - timedelta(days=behind))
            if session is not None and session[1] <= at_ns:
                return session[1]
        return at_ns

    def rows(self, first: date, last: date) -> list[dict[str, Any]]:
        """The calendar of some days, both included."""
        rows = []
        for ahead in range((last - first).days + 1):
            day = first + timedelta(days=ahead)
            session = self.on(day)
            if session is not None:
                opens, closes = (
                    datetime.fromtimestamp(at // NS_PER_S, UTC).astimezone(self.zone).strftime("%H:%M")
                    for at in session
                )
                row = {"date": day.isoformat(), "open": opens, "close": closes}
                rows.append(row | {"session_open": PRE_MARKET, "session_close": AFTER_HOURS})
        return rows
