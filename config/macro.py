"""The checked-in table of tier-1 economic releases, as instants. What to do around them is risk's business.

A table is there at every start, without a key and whatever its source charges today. It ends, though, and says where.
"""

import tomllib
from datetime import UTC, date, datetime, time, timedelta
from functools import cache
from pathlib import Path
from typing import Literal
from zoneinfo import ZoneInfo

from msgspec import Struct, convert

FOLDER = Path(__file__).parent / "macro"
ZONE = ZoneInfo("America/New_York")
"""Every agency here states Eastern time, so that 08:30 is 12:30 UTC in summer and 13:30 in winter."""
NS_PER_S = 1_000_000_000


class MacroEvent(Struct, frozen=True, kw_only=True):
    """One release. provenance says whether an agency's schedule names its day or only a usual rule."""

    name: str
    at_ns: int
    provenance: Literal["agency", "rule"]
    source: str


class MacroCalendar(Struct, frozen=True, kw_only=True):
    """All releases in order of time, and the span in which they are all: outside of it, no event means nothing."""

    events: tuple[MacroEvent, ...]
    first_ns: int
    last_ns: int  # the first nanosecond that is not covered


class _Release(Struct, frozen=True, kw_only=True):
    name: str
    time_et: time
    provenance: Literal["agency", "rule"]
    source: str
    dates: tuple[date, ...]


class _Year(Struct, frozen=True, kw_only=True):
    first: date
    last: date
    release: tuple[_Release, ...]


@cache
def load_macro_calendar() -> MacroCalendar:
    """Every year's table as one calendar; a gap between two years ends it, so that nothing inside is missing."""
    years = [convert(tomllib.loads(path.read_text(encoding="utf-8")), _Year) for path in sorted(FOLDER.glob("*.toml"))]
    covered = years[:1]
    for year in years[1:]:
        if year.first == covered[-1].last + timedelta(days=1):
            covered.append(year)
    events = [_event(release, day) for year in covered for release in year.release for day in release.dates]
    return MacroCalendar(
        events=tuple(sorted(events, key=lambda event: (event.at_ns, event.name))),
        first_ns=instant_ns(covered[0].first, time()),
        last_ns=instant_ns(covered[-1].last + timedelta(days=1), time()),
    )


def _event(release: _Release, day: date) -> MacroEvent:
    at_ns = instant_ns(day, release.time_et)
    return MacroEvent(name=release.name, at_ns=at_ns, provenance=release.provenance, source=release.source)


def instant_ns(day: date, clock: time) -> int:
    """An Eastern date and time as nanoseconds since 1970, exactly."""
    since = datetime.combine(day, clock, ZONE) - datetime(1970, 1, 1, tzinfo=UTC)
    return (since.days * 86_400 + since.seconds) * NS_PER_S
