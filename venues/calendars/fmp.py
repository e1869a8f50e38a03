"""Financial Modeling Prep: the economic calendar and the calendar of earnings, as its stable API answers them.

Times are UTC without saying so. The economic calendar is not in the free plan: HTTP 402, which is an answer. Errors may
also come with status 200, as an object where a list belongs.
"""

from datetime import UTC, date, datetime
from typing import TypeVar

import msgspec
from msgspec import Struct

from config.earnings import span_of
from config.macro import ZONE
from supervisor.clock import NS_PER_S
from venues.calendars.ask import SHOWN_MAX, Declined, Unanswered
from venues.calendars.names import release_of
from venues.market import Release, Report

R = TypeVar("R")
URL = "https://financialmodelingprep.com/stable"
ECONOMIC, EARNINGS = "/economic-calendar", "/earnings-calendar"
DAYS_AHEAD = 60
"""It answers at most 90 days at once; what is farther is asked for in good time."""

FORMAT = "%Y-%m-%d %H:%M:%S"
REVISION_HOUR = 9
"""Eastern: the benchmark revision of payrolls bears their name too and comes at ten; payrolls come at 08:30."""


class EconomicRow(Struct):
    """What is needed of a row."""

    date: str
    country: str
    event: str


class EarningsRow(Struct):
    """What is needed of a row; the day is the exchange's."""

    symbol: str
    date: date


def read_releases(body: bytes) -> tuple[Release, ...]:
    """The tier-1 releases of an economic calendar, each instant and name once.

    Raises Unanswered when a row of one can't be read: a release without its time is worse than none, for the others
    would look complete.
    """
    found = set()
    for row in _rows(body, EconomicRow):
        name = release_of(row.country, row.event)
        if name is not None:
            try:
                at = datetime.strptime(row.date, FORMAT).replace(tzinfo=UTC)
            except ValueError:
                raise Unanswered(f"a row of {name} has the date {row.date!r}, not YYYY-MM-DD HH:MM:SS") from None
            if name != "NFP" or at.astimezone(ZONE).hour < REVISION_HOUR:
                found.add(Release(int(at.timestamp()) * NS_PER_S, name))
    return tuple(sorted(found))


def read_reports(body: bytes, tickers: frozenset[str]) -> tuple[Report, ...]:
    """The reports of some companies. Rows say the day and not the hour."""
    rows = (row for row in _rows(body, EarningsRow) if row.symbol in tickers)
    return tuple(sorted({Report(*span_of(row.date), row.symbol) for row in rows}))


def _rows(body: bytes, kind: type[R]) -> list[R]:
    """Every row of an answer. Raises Declined, Unanswered."""
    try:
        return msgspec.json.decode(body, type=list[kind])  # type: ignore[valid-type]
    except msgspec.MsgspecError as error:
        said = body[:SHOWN_MAX].decode("utf-8", "replace")
        if body.lstrip()[:1] == b"{" and b"Restricted Endpoint" in body:
            raise Declined(f"the plan does not include it: {said}") from None
        raise Unanswered(f"{error}: {said}") from None
