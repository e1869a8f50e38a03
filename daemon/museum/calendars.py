"""Exhibits of calendars: names that sound alike, times that move, answers that are none, and reports nobody saw."""

import json
from collections.abc import Sequence
from datetime import UTC, date, datetime, time, timedelta
from typing import Any

from actors.macro_calendar import MacroCalendar
from actors.messages import Blackouts, MacroWindow
from config.load import load_profile
from config.macro import instant_ns, load_macro_calendar
from daemon.museum.bench import MINUTE_NS, NOW_NS, S, moved, watchdog
from daemon.museum.exhibit import Exhibit
from risk.blackout import Reports, blackouts
from risk.intent import Cancel
from risk.order import OrderState
from supervisor.messages import Tick
from venues.calendars.ask import Declined
from venues.calendars.fmp import read_releases, read_reports
from venues.market import CalendarRead, Report

HOUR_NS = 60 * MINUTE_NS


def _rows(*rows: tuple[str, str, str]) -> bytes:
    """An economic calendar: when in UTC, country, name."""
    return json.dumps([{"date": at, "country": country, "event": event} for at, country, event in rows]).encode()


def _names(body: bytes) -> list[str]:
    return sorted({release.name for release in read_releases(body)})


ALIKE = _rows(
    ("2026-03-11 12:30:00", "US", "Core Inflation Rate YoY (Feb)"),
    ("2026-03-11 15:00:00", "US", "Cleveland CPI MoM (Feb)"),
    ("2026-03-11 12:30:00", "US", "CPI n.s.a (Feb)"),
    ("2026-03-11 07:00:00", "DE", "Inflation Rate YoY (Feb)"),
    ("2026-03-12 17:00:00", "US", "Atlanta Fed GDPNow (Q1)"),
    ("2026-03-12 12:30:00", "US", "GDP Price Index QoQ (Q4)"),
    ("2026-03-12 12:30:00", "US", "Nonfarm Payrolls Private (Feb)"),
    ("2026-03-12 12:30:00", "US", "Initial Jobless Claims (Mar/07)"),
)
KEYWORDS = {"CPI": ("cpi", "inflation"), "GDP": ("gdp",), "NFP": ("payrolls",), "Jobless Claims": ("jobless",)}


def _by_keyword() -> list[str]:
    """A row is what some word of its name says."""
    events = [row["event"].lower() for row in json.loads(ALIKE)]
    return sorted(name for name, words in KEYWORDS.items() if any(word in one for word in words for one in events))


LOOK_ALIKES = Exhibit(
    name="calendar-look-alikes",
    story="Releases were found by a word of their names: Cleveland CPI and GDPNow froze entries, and Germany did.",
    sources=("calendar",),
    stake="hours without entries, and trust in a calendar that is wrong",
    right=lambda: _names(ALIKE),
    wrong=_by_keyword,
    check=lambda names: names == ["CPI", "Jobless Claims"],
)

REVISED = _rows(
    ("2024-08-02 12:30:00", "US", "Non Farm Payrolls (Jul)"), ("2024-08-21 14:00:00", "US", "Non Farm Payrolls (Mar)")
)


def _days(body: bytes) -> list[str]:
    return [_day(release.at_ns) for release in read_releases(body)]


def _day(at_ns: int) -> str:
    return datetime.fromtimestamp(at_ns // S, UTC).date().isoformat()


REVISION = Exhibit(
    name="calendar-benchmark-revision",
    story="The benchmark revision of payrolls bears their name and comes at ten; it was taken for a release of August.",
    sources=("calendar",),
    stake="a freeze for nothing, and a second payrolls day in a month",
    right=lambda: _days(REVISED),
    wrong=lambda: [row["date"][:10] for row in json.loads(REVISED) if "Payrolls" in row["event"]],
    check=lambda days: days == ["2024-08-02"],
)

MOVED = _rows(
    ("2025-11-20 13:30:00", "US", "Non Farm Payrolls (Sep)"), ("2025-12-16 13:30:00", "US", "Non Farm Payrolls (Nov)")
)


def _first_friday(year: int, month: int) -> str:
    first = date(year, month, 1)
    return (first + timedelta((4 - first.weekday()) % 7)).isoformat()


FIRST_FRIDAY = Exhibit(
    name="calendar-first-friday",
    story="Payrolls were expected on the first Friday; after a shutdown they came on a Thursday, and on a Tuesday.",
    sources=("calendar",),
    stake="positions that are held into the print",
    right=lambda: _days(MOVED),
    wrong=lambda: [_first_friday(2025, 11), _first_friday(2025, 12)],
    check=lambda days: days == ["2025-11-20", "2025-12-16"],
)


def _hours_utc() -> list[str]:
    """When payrolls come in March and in April of 2026, in UTC: clocks change between the two."""
    found = [one.at_ns for one in load_macro_calendar().events if one.name == "NFP"]
    near = [at_ns for at_ns in found if _day(at_ns) in ("2026-03-06", "2026-04-03")]
    return [datetime.fromtimestamp(at_ns // S, UTC).strftime("%H:%M") for at_ns in near]


def _fixed_offset() -> list[str]:
    """Eastern is five hours behind, all year."""
    eastern = [datetime(2026, month, day, 8, 30, tzinfo=UTC) for month, day in ((3, 6), (4, 3))]
    return [(at + timedelta(hours=5)).strftime("%H:%M") for at in eastern]


SUMMER_TIME = Exhibit(
    name="calendar-summer-time",
    story="Times of releases were an hour off half of the year: New York's clocks change, and a table's do not.",
    sources=("calendar",),
    stake="entries a quarter of an hour before a print",
    right=_hours_utc,
    wrong=_fixed_offset,
    check=lambda hours: hours == ["13:30", "12:30"],
)

# --- answers that are none --------------------------------------------------------------------------------------------

RESTRICTED = b'{"Error Message": "Restricted Endpoint: this endpoint is not available under your current subscription"}'


def _strict() -> str:
    try:
        return f"{len(read_releases(RESTRICTED))} releases"
    except Declined:
        return "declined"


def _lenient() -> str:
    """Whatever is no list is an empty one."""
    said = json.loads(RESTRICTED)
    return f"{len(said if isinstance(said, list) else [])} releases"


OBJECT_FOR_LIST = Exhibit(
    name="calendar-object-for-list",
    story="An error came with status 200, as an object where a list belongs, and was read as a month without releases.",
    sources=("calendar",),
    stake="no freeze at any print",
    right=_strict,
    wrong=_lenient,
    check=lambda said: said == "declined",
)


def _declines(policy: str) -> list[Any]:
    """A year that no table knows, whose one source answers 402: what the macro calendar says."""
    limits = load_profile("equities").macro.model_copy(update={"when_degraded": policy})
    table = load_macro_calendar()
    mind = MacroCalendar(table, limits)
    at_ns = table.last_ns + 30 * 24 * HOUR_NS
    read = CalendarRead(source="fmp", kind="releases", failure="HTTP 402", declined=True, at_ns=at_ns)
    return [*mind.hear(read)]


def _degraded() -> list[str]:
    said = [one for one in _declines("shut") if isinstance(one, MacroWindow)]
    return ["shut" if one.shut else "open" for one in said] + ["degraded" for one in said if one.degraded]


def _no_events() -> list[str]:
    """What cannot be asked has no events, and where there is none entries are free."""
    events: Sequence[str] = ()
    return ["shut" if events else "open"]


PAYMENT_REQUIRED = Exhibit(
    name="calendar-402",
    story="The calendar was not in the free plan; HTTP 402 was logged, and trading went on as if nothing were near.",
    sources=("calendar",),
    stake="a halt that was promised and never comes",
    right=_degraded,
    wrong=_no_events,
    check=lambda said: said == ["shut", "degraded"],
)

NKE = {"NKE": ("NKE", "xyz:NKE")}


def _held_into(known_hours: int) -> bool:
    """A report in forty hours, a calendar that was asked so far ahead: may the name be entered?"""
    report = Report(NOW_NS + 40 * HOUR_NS, NOW_NS + 58 * HOUR_NS, "NKE")
    until_ns = NOW_NS + known_hours * HOUR_NS
    listed = (report,) if report.from_ns < until_ns else ()
    calendar = Reports(reports=listed, from_ns=NOW_NS - HOUR_NS, until_ns=until_ns)
    shut = blackouts([calendar], NKE, NOW_NS, before_ns=48 * HOUR_NS, after_ns=0, shut_unknown=True)
    return "NKE" not in shut


def _asked_36_hours() -> bool:
    """Whatever is not in the answer is not scheduled."""
    report_ns = NOW_NS + 40 * HOUR_NS
    return not [at_ns for at_ns in (report_ns,) if at_ns < NOW_NS + 36 * HOUR_NS]


EARNINGS_HORIZON = Exhibit(
    name="l26-earnings-horizon",
    story="Earnings were asked for 36 hours ahead, and a stock was entered that reported after them.",
    sources=("L26",),
    stake="a gap of a fifth overnight",
    right=lambda: _held_into(36) or _held_into(60),
    wrong=_asked_36_hours,
    check=lambda entered: entered is False,
)


def _report_of_today() -> list[str]:
    """Rows of a calendar of earnings, of which one is ours: which symbols it shuts on that day's morning."""
    body = json.dumps([{"symbol": "NKE", "date": "2026-12-18"}, {"symbol": "NKEX", "date": "2026-12-18"}]).encode()
    reports = read_reports(body, frozenset(NKE))
    at_ns = instant_ns(date(2026, 12, 18), time(10))
    known = Reports(reports=reports, from_ns=0, until_ns=at_ns + 72 * HOUR_NS)
    return sorted(blackouts([known], NKE, at_ns, before_ns=0, after_ns=0, shut_unknown=True))


def _one_venue() -> list[str]:
    """The stock is shut, its perpetual is another symbol."""
    return [symbol for symbol in ("NKE", "xyz:NKE") if symbol == "NKE"]


BOTH_VENUES = Exhibit(
    name="l26-perpetual-of-the-stock",
    story="The stock was barred around its report, and its perpetual on another venue was held into it.",
    sources=("L26",),
    stake="the same gap, with leverage",
    right=_report_of_today,
    wrong=_one_venue,
    check=lambda symbols: symbols == ["NKE", "xyz:NKE"],
)


def _near_a_print() -> list[str]:
    """An entry rests, and a release is a quarter of an hour away: what is taken back."""
    mind = watchdog()
    mind.hear(moved(OrderState.RESTING))
    said = mind.hear(MacroWindow(True, "CPI", NOW_NS + 30 * MINUTE_NS, False, NOW_NS))
    return [wish.order_id for wish in said if isinstance(wish, Cancel)]


def _entries_alone() -> list[str]:
    """New entries are refused; what rests was allowed when it was sent."""
    frozen, cancelled = True, list[str]()
    return cancelled if frozen else ["o1"]


RESTS_INTO_A_PRINT = Exhibit(
    name="quantdinger-141",
    story="A halt around news was asked for; one that only refuses new entries leaves those that rest to be run over.",
    sources=("quantdinger-141", "README", "pythontraderbot-3", "standx-cli-43", "autotrading-scheduler-7"),
    stake="fills at the old price in the second of the print",
    right=_near_a_print,
    wrong=_entries_alone,
    check=lambda cancelled: cancelled == ["o1"],
)


def _last_said_long_ago() -> str:
    """A source knew the next two months; for a day it has not answered, and a report may have been moved."""
    limits = load_profile("equities").macro.model_copy(update={"when_degraded": "shut"})
    mind = MacroCalendar(load_macro_calendar(), limits, NKE)
    kind: Any = "reports"
    known = CalendarRead(
        source="fmp", kind=kind, from_ns=0, until_ns=NOW_NS + 1_000 * HOUR_NS, read_ns=NOW_NS, at_ns=NOW_NS
    )
    mind.hear(known)
    said = mind.hear(Tick(NOW_NS + 30 * HOUR_NS))
    shut = [one.symbols for one in said if isinstance(one, Blackouts)]
    return "shut" if shut and "NKE" in shut[-1] else "open"


STALE_CALENDAR = Exhibit(
    name="calendar-stale",
    story="A calendar that had not answered for a day was believed as if it had, and a report was moved meanwhile.",
    sources=("calendar",),
    stake="a position held into a report that everybody else knew of",
    right=_last_said_long_ago,
    wrong=lambda: "open" if NOW_NS < NOW_NS + 1_000 * HOUR_NS else "shut",
    check=lambda said: said == "shut",
)

EXHIBITS = (
    LOOK_ALIKES,
    REVISION,
    FIRST_FRIDAY,
    SUMMER_TIME,
    OBJECT_FOR_LIST,
    PAYMENT_REQUIRED,
    EARNINGS_HORIZON,
    BOTH_VENUES,
    RESTS_INTO_A_PRINT,
    STALE_CALENDAR,
)
