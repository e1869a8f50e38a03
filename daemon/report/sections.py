"""A report as titled tables of text: what Markdown and HTML print."""

from collections.abc import Sequence
from decimal import Decimal
from typing import Any

from msgspec import Struct

from daemon.report.rows import Report
from daemon.tables import dollars
from daemon.times import NS_PER_S, ago, minute_of

TRIPS_SHOWN_MAX = 500
"""The newest; --json has all."""

UNITS = {"_minor": " $", "_ns": " (UTC)", "_bps": " bps", "_share": " %", "_s": ""}
"""What a unit at the end of a field's name becomes in a head."""

LEFT_OUT = {"points"}
"""Fields that are drawn and not printed."""


class Section(Struct, frozen=True):
    """A title, a line that says what to make of it, heads and cells."""

    title: str
    note: str
    heads: tuple[str, ...]
    rows: tuple[tuple[str, ...], ...]
    empty: str = "none"


def sections(report: Report) -> tuple[Section, ...]:
    """All of them, in reading order."""
    trips = report.trips[-TRIPS_SHOWN_MAX:]
    cut = f" The newest {len(trips)} of {len(report.trips)}." if len(trips) < len(report.trips) else ""
    read = "As the circuit breaker read it; moved: deposits less withdrawals."
    venues = "The venue's own count is before fees, too; apart: ours of the same fills less that."
    slips = "Slippage counts against us, from the price of the decision; measured: the share whose decision is logged."
    return (
        section("Equity at the market", read, report.equity),
        section("PnL by engine", f"Booked in this time. {venues}", report.engines),
        section("PnL by symbol", "", report.symbols),
        section("Round trips by reason", "From flat to flat, ended in this time.", report.reasons),
        section("Execution", slips, report.executions),
        section("Wants and fills", "Approved intents by how their first order was to wait.", report.wants),
        section("Refusals", "One that stands is said once.", report.refusals),
        section("Halts", "", report.halts, "nothing was halted"),
        section("Macro windows", "Entries were frozen.", report.macro),
        section("Incidents", "Warnings and worse, by event.", report.incidents),
        Section(
            "Streams that went stale",
            "",
            ("engine", "times"),
            tuple((engine, f"{times:,}") for engine, times in report.stale.items()),
        ),
        section("Held now", "By the newest record.", report.held, "flat"),
        section("Round trips", f"One a line.{cut}", trips),
    )


def section(title: str, note: str, rows: Sequence[Any], empty: str = "none") -> Section:
    """Structs as a table; a column that no row has a word for is left out."""
    names = [name for name in (rows[0].__struct_fields__ if rows else ()) if name not in LEFT_OUT]
    names = [name for name in names if any(getattr(row, name) not in ("", None) for row in rows)]
    cells = tuple(tuple(cell(name, getattr(row, name)) for name in names) for row in rows)
    return Section(title, note, tuple(map(head, names)), cells, empty)


def unit_of(name: str) -> str:
    """The unit at the end of a field's name; empty for one without."""
    return next((unit for unit in UNITS if name.endswith(unit)), "")


def head(name: str) -> str:
    """A field's name as the head of a column."""
    unit = unit_of(name)
    return name.removesuffix(unit).replace("_", " ") + UNITS.get(unit, "")


def cell(name: str, value: Any) -> str:
    """A value as its unit wants it."""
    if value is None:
        return "-"
    match unit_of(name):
        case "_minor":
            return dollars(value)
        case "_ns":
            return minute_of(value) if value else "-"
        case "_share":
            return f"{value * 100:.1f}"
        case "_s":
            return ago(int(value * NS_PER_S))
    if isinstance(value, Decimal):
        return f"{value:f}"
    return f"{value:,}" if isinstance(value, int) else str(value)
