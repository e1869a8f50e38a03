"""Which calendars a run asks beside the checked-in table: by the keys that the settings hold."""

from collections.abc import Mapping
from pathlib import Path

from actors.calendar_feed import CalendarSource
from config.earnings import read_earnings
from config.profile import EngineName, Profile
from config.settings import Settings
from config.universe import companies
from supervisor.clock import Clock
from venues.calendars.sources import fmp_releases, fmp_reports, fred_releases
from venues.market import CalendarRead, Report

FOLDER = "calendars"
"""What was answered, in the data directory."""

FILE = "earnings_file"


def companies_of(profiles: Mapping[EngineName, Profile]) -> dict[str, tuple[str, ...]]:
    """Companies whose reports move what is traded: by ticker, the symbols of all engines."""
    return companies((profile.universe, symbol) for profile in profiles.values() for symbol in profile.symbols)


def sources_of(
    settings: Settings, profiles: Mapping[EngineName, Profile], data_dir: Path, clock: Clock
) -> tuple[CalendarSource, ...]:
    """Every source that there is a key for."""
    folder, found = data_dir / FOLDER, list[CalendarSource]()
    if settings.fred_key is not None:
        found.append(fred_releases(settings.fred_key, folder, clock))
    if settings.fmp_key is not None:
        found.append(fmp_releases(settings.fmp_key, folder, clock))
        if tickers := frozenset(companies_of(profiles)):
            found.append(fmp_reports(settings.fmp_key, tickers, folder, clock))
    return tuple(found)


def written_down(settings: Settings) -> tuple[CalendarRead, ...]:
    """What the operator's own file of earnings days says. Raises ConfigError."""
    if settings.earnings_file is None:
        return ()
    known = read_earnings(settings.earnings_file)
    reports = [Report(*span, ticker) for ticker, spans in known.reports.items() for span in spans]
    return (
        CalendarRead(
            source=FILE,
            kind="reports",
            reports=tuple(sorted(reports)),
            tickers=frozenset(known.reports),
            from_ns=known.from_ns,
            until_ns=known.until_ns,
            at_ns=0,
        ),
    )
