"""Macro calendar: says when the window around a scheduled release shuts and opens."""

from bisect import bisect_left, bisect_right
from typing import ClassVar

from actors.messages import MacroWindow
from config.macro import MacroCalendar as MacroTable
from config.profile import MacroLimits
from risk.macro_window import HORIZON_NS, Calendar, Event, Policy, window
from supervisor.clock import NS_PER_S
from supervisor.mailbox import Hears
from supervisor.messages import ChildStarted, Tick

NS_PER_MINUTE = 60 * NS_PER_S
NEAR_NS = 24 * 60 * NS_PER_MINUTE
"""Releases within a day of now are looked at each second; windows that touch never reach over a day."""


class MacroCalendar:
    """The mind: a table of releases and the time."""

    hears: ClassVar[tuple[Hears, ...]] = (Hears(ChildStarted), Hears(Tick))
    says: ClassVar[tuple[type, ...]] = (MacroWindow,)
    every_s: ClassVar[float] = 1.0

    def __init__(self, table: MacroTable, limits: MacroLimits):
        self.table = table
        self.events = tuple(sorted(Event(event.at_ns, event.name) for event in table.events))
        self.times = [event.at_ns for event in self.events]
        self.half_width_ns = limits.window_minutes * NS_PER_MINUTE
        self.policy = Policy(limits.when_degraded)
        self.said: MacroWindow | None = None

    def hear(self, message: ChildStarted | Tick) -> tuple[MacroWindow, ...]:
        said, now = self.said, self._window(message.at_ns)
        news = said is None or (said.shut, said.event, said.until_ns, said.degraded) != (
            now.shut,
            now.event,
            now.until_ns,
            now.degraded,
        )
        if not news and isinstance(message, Tick):
            return ()
        self.said = now
        return (now,)

    def _window(self, at_ns: int) -> MacroWindow:
        near = self.events[bisect_left(self.times, at_ns - NEAR_NS) : bisect_right(self.times, at_ns + NEAR_NS)]
        calendar = Calendar(events=near, from_ns=self.table.first_ns, until_ns=self.table.last_ns)
        found = window(calendar, at_ns, half_width_ns=self.half_width_ns, horizon_ns=HORIZON_NS, policy=self.policy)
        return MacroWindow(found.shut, found.event, found.until_ns, found.degraded, at_ns)
