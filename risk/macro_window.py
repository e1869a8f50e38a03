"""Macro windows: minutes around a scheduled release in which nothing may be entered.

Around a print the market jumps to a new mean, so that a large deviation does not revert, and makers pull their quotes.
A calendar that does not reach far enough is not "no events": policy says whether it keeps the window shut.
"""

from collections.abc import Sequence
from enum import StrEnum

from msgspec import Struct

from venues.market import Release

HALF_WIDTH_NS = 15 * 60 * 1_000_000_000
"""A quarter of an hour on both sides of a release: the seed engine's halt window."""

HORIZON_NS = 48 * 60 * 60 * 1_000_000_000
"""How far ahead a calendar must reach: 36 h let a position be held into an earnings print."""


class Policy(StrEnum):
    """What a calendar that does not cover the time means."""

    SHUT = "shut"  # no entries until it does
    TRADE = "trade"  # entries as usual, and the log says so


class Calendar(Struct, frozen=True, kw_only=True):
    """Releases that a source knows, in any order: all of [from_ns, until_ns), and perhaps some outside of it."""

    releases: tuple[Release, ...] = ()
    from_ns: int = 0
    until_ns: int = 0

    def covers(self, at_ns: int, horizon_ns: int) -> bool:
        """Whether it knows the time from half a window ago to the horizon."""
        return self.from_ns <= at_ns and at_ns + horizon_ns <= self.until_ns


class Window(Struct, frozen=True, kw_only=True):
    """What the calendar says of one moment."""

    shut: bool
    event: str  # what shuts it; empty when open
    until_ns: int  # first moment it is open again; 0 when open or when nobody knows
    next_event: str
    next_ns: int  # when the next event is; 0: none is known
    degraded: bool  # the calendar does not cover the moment


def window(
    calendars: Sequence[Calendar],
    at_ns: int,
    *,
    half_width_ns: int = HALF_WIDTH_NS,
    horizon_ns: int = HORIZON_NS,
    policy: Policy = Policy.SHUT,
) -> Window:
    """Open or shut at a moment; windows that touch are one.

    A release that any calendar names counts: where two disagree on a day, both days are shut. One that covers the
    moment is enough to know it.
    """
    events = sorted(release for calendar in calendars for release in calendar.releases)
    name, until_ns = "", 0
    for event in events:
        if until_ns and event.at_ns - half_width_ns <= until_ns:
            until_ns = event.at_ns + half_width_ns + 1
        elif not until_ns and abs(event.at_ns - at_ns) <= half_width_ns:
            name, until_ns = event.name, event.at_ns + half_width_ns + 1
    following = next((event for event in events if event.at_ns > at_ns), None)
    degraded = not any(calendar.covers(at_ns, horizon_ns) for calendar in calendars)
    if degraded and policy is Policy.SHUT and not name:
        name = "calendar does not cover this time"
    return Window(
        shut=bool(name),
        event=name,
        until_ns=until_ns,
        next_event=following.name if following else "",
        next_ns=following.at_ns if following else 0,
        degraded=degraded,
    )
