"""Earnings days that the operator writes down: a TOML file of companies and when they report.

    first = 2026-11-23
    last = 2026-12-31            # nothing is known of days outside of these two
    [reports]
    NKE = ["2026-12-18 amc"]     # after the close; bmo: before the opening; a bare day: either
    TSLA = []                    # does not report in the span

A company that is not listed is not known about.
"""

from collections.abc import Mapping
from datetime import date, time, timedelta
from pathlib import Path
from typing import Any, NamedTuple

from config.errors import ConfigError
from config.layers import read
from config.macro import instant_ns
from config.sessions import load_sessions

PRE_MARKET, CLOSE, SETTLED = time(4), time(16), time(10)
"""Eastern: the pre-market begins at four; half an hour into the session after it a report is in the price."""

SATURDAY = 5
HOURS = ("bmo", "amc")
RIGHT = 'must be a day, with "bmo" (before the opening) or "amc" (after the close) behind it where that is known'


class ReportSpan(NamedTuple):
    """When a company's results come out and are digested."""

    from_ns: int
    until_ns: int


class Earnings(NamedTuple):
    """What the file says."""

    reports: dict[str, tuple[ReportSpan, ...]]
    from_ns: int
    until_ns: int


def read_earnings(path: Path) -> Earnings:
    """Read the file. Raises ConfigError."""
    table, _ = read(path)
    source = str(path)
    for name in table:
        if name not in ("first", "last", "reports"):
            raise ConfigError(name, "no such setting; known are first, last, reports", source=source)
    first, last = (_day(table, name, source) for name in ("first", "last"))
    if last < first:
        raise ConfigError("last", f"must not be before first ({first})", last, source)
    listed = table.get("reports")
    if not isinstance(listed, Mapping):
        raise ConfigError("reports", "must be a table of companies, each with a list of days", listed, source)
    reports = {ticker: _spans(ticker, days, (first, last), source) for ticker, days in listed.items()}
    return Earnings(reports, instant_ns(first, time()), instant_ns(last + timedelta(days=1), time()))


def span_of(day: date, hour: str = "") -> ReportSpan:
    """From when a report may be out to when it is in the price; hour: bmo, amc, or empty where nobody knows."""
    begins = instant_ns(day, CLOSE if hour == "amc" else PRE_MARKET)
    return ReportSpan(begins, instant_ns(day if hour == "bmo" else session_after(day), SETTLED))


def session_after(day: date) -> date:
    """The next day on which US stocks trade."""
    day, holidays = day + timedelta(days=1), load_sessions().holidays
    while day.weekday() >= SATURDAY or day in holidays:
        day += timedelta(days=1)
    return day


def _day(table: Mapping[str, Any], name: str, source: str) -> date:
    day = table.get(name)
    if type(day) is not date:
        raise ConfigError(name, "must be a day, like 2026-11-23", day, source)
    return day


def _spans(ticker: str, days: object, known: tuple[date, date], source: str) -> tuple[ReportSpan, ...]:
    field = f"reports.{ticker}"
    if not isinstance(days, list):
        raise ConfigError(field, "must be a list of days; an empty one where there is none", days, source)
    spans = []
    for said in days:
        text, _, hour = str(said).partition(" ")
        try:
            day = date.fromisoformat(text)
        except ValueError:
            raise ConfigError(field, RIGHT, said, source) from None
        if hour not in ("", *HOURS):
            raise ConfigError(field, RIGHT, said, source)
        if not known[0] <= day <= known[1]:
            raise ConfigError(field, f"must be in the span of the file, {known[0]} to {known[1]}", said, source)
        spans.append(span_of(day, hour))
    return tuple(spans)
