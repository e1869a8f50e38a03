"""Macro calendar: says when the window around a scheduled release shuts and opens, and which names a report keeps shut.

It always knows the checked-in table. Other sources add to it (actors/calendar_feed.py): what any of them names counts,
and one that has not answered for a day knows nothing of the future any more.
"""

from collections.abc import Mapping
from typing import ClassVar

from actors.messages import Blackouts, CalendarState, MacroWindow
from config.macro import MacroCalendar as MacroTable
from config.profile import MacroLimits
from risk.blackout import Reports, blackouts
from risk.macro_window import HORIZON_NS, Calendar, Policy, window
from supervisor.clock import NS_PER_S
from supervisor.mailbox import Hears
from supervisor.messages import ChildStarted, Tick
from venues.market import CalendarRead, Release

NS_PER_MINUTE = 60 * NS_PER_S
NEAR_NS = 24 * 60 * NS_PER_MINUTE
"""Releases within a day of now are looked at each second; windows that touch never reach over a day."""

STALE_NS = 24 * 60 * NS_PER_MINUTE
"""A source is asked each six hours. One that has not answered for a day may have missed that a release was moved."""

TABLE = "table"
"""The checked-in one, as a source."""

Said = tuple[MacroWindow | Blackouts | CalendarState, ...]
Readings = dict[tuple[str, str], CalendarRead]
"""The last good answer of each source and kind; it outlives the mind, whose sources will not say it again for hours."""


class MacroCalendar:
    """The mind: a table of releases, what sources say beside it, and the time."""

    hears: ClassVar[tuple[Hears, ...]] = (Hears(ChildStarted), Hears(CalendarRead), Hears(Tick))
    says: ClassVar[tuple[type, ...]] = (Blackouts, MacroWindow, CalendarState)
    every_s: ClassVar[float] = 1.0

    def __init__(
        self,
        table: MacroTable,
        limits: MacroLimits,
        companies: Mapping[str, tuple[str, ...]] | None = None,
        readings: Readings | None = None,
    ):
        self.companies = companies or {}
        self.readings = {} if readings is None else readings
        self.readings[TABLE, "releases"] = CalendarRead(
            source=TABLE,
            kind="releases",
            releases=tuple(sorted(Release(event.at_ns, event.name) for event in table.events)),
            from_ns=table.first_ns,
            until_ns=table.last_ns,
            at_ns=0,
        )
        self.half_width_ns = limits.window_minutes * NS_PER_MINUTE
        self.before_ns = limits.earnings_before_minutes * NS_PER_MINUTE
        self.after_ns = limits.earnings_after_minutes * NS_PER_MINUTE
        self.policy = Policy(limits.when_degraded)
        self.said: MacroWindow | None = None
        self.said_blackouts: dict[str, str] | None = None  # nothing yet: who was before may have said something
        self.said_states: dict[tuple[str, str], str] = {}
        self.near_ns = 0  # when the releases near were last looked up; 0: they must be
        self.near: dict[tuple[str, str], tuple[Release, ...]] = {}

    def hear(self, message: ChildStarted | CalendarRead | Tick) -> Said:
        states: Said = ()
        if isinstance(message, CalendarRead):
            states = self._read(message)
        again = isinstance(message, ChildStarted)
        return (*states, *self._blackouts(message.at_ns, again), *self._window(message.at_ns, again))

    def following(self, at_ns: int) -> Release | None:
        """The next release that any source names, for who counts down to it."""
        releases = (one for read in self.readings.values() for one in read.releases)
        return min((one for one in releases if one.at_ns > at_ns), default=None)

    def _read(self, read: CalendarRead) -> tuple[CalendarState, ...]:
        """Keep what a source said; say how it is where that changed."""
        key = (read.source, read.kind)
        if not read.failure or (read.read_ns and key not in self.readings):  # else what is known is as new
            self.readings[key] = read
            self.near_ns = 0
        if self.said_states.get(key) == read.failure:
            return ()
        self.said_states[key] = read.failure
        known = self.readings.get(key)
        found = len(known.releases) + len(known.reports) if known else 0
        until_ns = known.until_ns if known else 0
        state = CalendarState(read.source, read.kind, not read.failure, read.failure, found, until_ns, read.at_ns)
        return (state,)

    def _window(self, at_ns: int, again: bool) -> tuple[MacroWindow, ...]:
        said, policy = self.said, self.policy
        found = window(
            self._calendars(at_ns), at_ns, half_width_ns=self.half_width_ns, horizon_ns=HORIZON_NS, policy=policy
        )
        now = MacroWindow(found.shut, found.event, found.until_ns, found.degraded, at_ns)
        if not again and said is not None and said == _at(now, said.at_ns):
            return ()
        self.said = now
        return (now,)

    def _blackouts(self, at_ns: int, again: bool) -> tuple[Blackouts, ...]:
        if not self.companies:
            return ()
        shut = blackouts(
            [
                Reports(
                    reports=read.reports,
                    tickers=read.tickers,
                    from_ns=read.from_ns,
                    until_ns=0 if self._stale(read, at_ns) else read.until_ns,
                )
                for read in self.readings.values()
                if read.kind == "reports"
            ],
            self.companies,
            at_ns,
            before_ns=self.before_ns,
            after_ns=self.after_ns,
            shut_unknown=self.policy is Policy.SHUT,
        )
        if shut == self.said_blackouts and not (again and shut):
            return ()
        self.said_blackouts = shut
        return (Blackouts(shut, at_ns),)

    def _calendars(self, at_ns: int) -> list[Calendar]:
        """The calendars with their releases around now, which are looked up once a day: a year has hundreds."""
        if not self.near_ns or not 0 <= at_ns - self.near_ns < NEAR_NS:
            self.near_ns = at_ns
            self.near = {
                key: tuple(one for one in read.releases if abs(one.at_ns - at_ns) <= 2 * NEAR_NS)
                for key, read in self.readings.items()
                if read.kind == "releases"
            }
        return [
            Calendar(releases=near, from_ns=read.from_ns, until_ns=0 if self._stale(read, at_ns) else read.until_ns)
            for key, near in self.near.items()
            for read in (self.readings[key],)
        ]

    def _stale(self, read: CalendarRead, at_ns: int) -> bool:
        return bool(read.read_ns) and at_ns - read.read_ns > STALE_NS


def _at(said: MacroWindow, at_ns: int) -> MacroWindow:
    return MacroWindow(said.shut, said.event, said.until_ns, said.degraded, at_ns)
