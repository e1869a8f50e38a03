"""Sources of a calendar behind one protocol: each asks when what it has kept is old, and fails in words."""

from collections.abc import Awaitable, Callable
from contextlib import suppress
from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta
from functools import partial
from pathlib import Path
from typing import Literal

from msgspec.structs import replace

from config.macro import instant_ns
from supervisor.clock import NS_PER_S, Clock
from venues.calendars import fmp, fred
from venues.calendars.ask import Declined, Unanswered, ask
from venues.calendars.cache import Cache
from venues.market import CalendarRead, Release
from venues.secret import Secret

FRESH_NS = 6 * 3600 * NS_PER_S
"""What is younger is not asked again: releases are moved days ahead, and free plans count requests (250 a day)."""

DAY = timedelta(days=1)


@dataclass(frozen=True, slots=True)
class Span:
    """Days that are asked for, both included, as their publishers count them: Eastern."""

    first: date
    last: date

    @property
    def from_ns(self) -> int:
        """The first instant of it."""
        return instant_ns(self.first, time())

    @property
    def until_ns(self) -> int:
        """The first instant after it."""
        return instant_ns(self.last + DAY, time())


Fetch = Callable[[Span], Awaitable[CalendarRead]]
"""Ask for days. Raises Declined, Unanswered; source, read_ns and at_ns are filled in by who called."""


class KeptSource:
    """One publisher and what it last said."""

    def __init__(self, name: str, kind: Literal["releases", "reports"], fetch: Fetch, folder: Path, clock: Clock):
        self.name = name
        self.kind = kind
        self.fetch = fetch
        self.cache = Cache(folder, f"{name}-{kind}")
        self.clock = clock

    async def read(self) -> CalendarRead:
        """What it knows: what was kept while that is fresh, else an answer, else why there is none."""
        now_ns = self.clock.now_ns()
        kept = await self.clock.in_thread(self.cache.load)
        if kept is not None and 0 <= now_ns - kept.read_ns < FRESH_NS:
            return replace(kept, at_ns=now_ns)
        today = datetime.fromtimestamp(now_ns // NS_PER_S, UTC).date()
        try:
            found = await self.fetch(Span(today - DAY, today + fmp.DAYS_AHEAD * DAY))
        except (Declined, Unanswered) as error:
            return self._failed(kept, str(error), declined=isinstance(error, Declined))
        read = replace(found, source=self.name, kind=self.kind, read_ns=now_ns, at_ns=self.clock.now_ns())
        with suppress(OSError):  # it costs a request at the next start; the journal says what ails the disk
            await self.clock.in_thread(partial(self.cache.keep, read))
        return read

    def _failed(self, kept: CalendarRead | None, why: str, *, declined: bool) -> CalendarRead:
        """Why there is no answer, with the last one there was: whoever has just started knows of none."""
        now_ns = self.clock.now_ns()
        if kept is not None:
            return replace(kept, failure=why, declined=declined, at_ns=now_ns)
        return CalendarRead(source=self.name, kind=self.kind, failure=why, declined=declined, at_ns=now_ns)


def fmp_releases(key: Secret, folder: Path, clock: Clock, url: str = fmp.URL) -> KeptSource:
    """The economic calendar of Financial Modeling Prep."""

    async def fetch(span: Span) -> CalendarRead:
        releases = fmp.read_releases(await _fmp(url + fmp.ECONOMIC, span, key))
        return CalendarRead(
            source="", kind="releases", releases=releases, from_ns=span.from_ns, until_ns=span.until_ns, at_ns=0
        )

    return KeptSource("fmp", "releases", fetch, folder, clock)


def fmp_reports(key: Secret, tickers: frozenset[str], folder: Path, clock: Clock, url: str = fmp.URL) -> KeptSource:
    """The earnings of some companies, by Financial Modeling Prep."""

    async def fetch(span: Span) -> CalendarRead:
        reports = fmp.read_reports(await _fmp(url + fmp.EARNINGS, span, key), tickers)
        return CalendarRead(
            source="",
            kind="reports",
            reports=reports,
            tickers=tickers,
            from_ns=span.from_ns,
            until_ns=span.until_ns,
            at_ns=0,
        )

    return KeptSource("fmp", "reports", fetch, folder, clock)


async def _fmp(url: str, span: Span, key: Secret) -> bytes:
    secret = key.get_secret_value()
    query = {"from": span.first.isoformat(), "to": span.last.isoformat(), "apikey": secret}
    return await ask(url, query, secret)


def fred_releases(key: Secret, folder: Path, clock: Clock, url: str = fred.URL) -> KeptSource:
    """The days of FRED's releases; one question each, and one that fails fails all."""

    async def fetch(span: Span) -> CalendarRead:
        secret = key.get_secret_value()
        found: list[Release] = []
        for name in fred.RELEASES:
            query = fred.query(name, span.first, span.last) | {"api_key": secret}
            found += fred.read_releases(name, await ask(url + fred.DATES, query, secret))
        return CalendarRead(source="", kind="releases", releases=tuple(sorted(found)), at_ns=0)

    return KeptSource("fred", "releases", fetch, folder, clock)
