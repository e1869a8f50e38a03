"""Blackouts: hours around a company's report in which its stock, and whatever follows it, may not be entered.

A report makes a new price as a macro print does, for one name. A position was once held into one because the calendar
was asked only 36 hours ahead; so a calendar must reach two days ahead here, or it is not known that nothing comes.
"""

from collections.abc import Iterable, Mapping

from msgspec import Struct

from risk.macro_window import HORIZON_NS
from venues.market import Report

UNKNOWN = "no calendar of reports covers the next two days"


class Reports(Struct, frozen=True, kw_only=True):
    """Reports that a source knows: all of its tickers in [from_ns, until_ns); tickers None: every company's."""

    reports: tuple[Report, ...] = ()
    tickers: frozenset[str] | None = None
    from_ns: int = 0
    until_ns: int = 0

    def covers(self, ticker: str, at_ns: int) -> bool:
        """Whether it knows of any report of a company from now to the horizon."""
        knows = self.tickers is None or ticker in self.tickers
        return knows and self.from_ns <= at_ns and at_ns + HORIZON_NS <= self.until_ns


def blackouts(
    calendars: Iterable[Reports],
    names: Mapping[str, tuple[str, ...]],
    at_ns: int,
    *,
    before_ns: int,
    after_ns: int,
    shut_unknown: bool,
) -> dict[str, str]:
    """Symbols that may not be entered at a moment, each with why. `names`: a ticker's symbols at our venues."""
    known = tuple(calendars)
    shut: dict[str, str] = {}
    if shut_unknown:
        for ticker, symbols in names.items():
            if not any(calendar.covers(ticker, at_ns) for calendar in known):
                shut |= dict.fromkeys(symbols, UNKNOWN)
    for report in (report for calendar in known for report in calendar.reports):
        if report.from_ns - before_ns <= at_ns < report.until_ns + after_ns:
            shut |= dict.fromkeys(names.get(report.ticker, ()), f"{report.ticker} reports")
    return shut
