"""A report as Markdown: reads in a terminal as it is."""

from collections.abc import Sequence

from daemon.report.rows import EquityRow, Report
from daemon.report.sections import Section, sections
from daemon.tables import is_number
from daemon.times import minute_of

BARS = "▁▂▃▄▅▆▇█"
SPARKS = 60
"""Characters of a curve."""


def markdown(report: Report, version: str) -> str:
    """The whole of it."""
    lines = [f"# obid {version}: {report.title}", "", span(report), ""]
    for account in report.equity:
        lines += [f"    {account.account}  {spark(account)}", ""]
    for one in sections(report):
        lines += [f"## {one.title}", "", *([one.note, ""] if one.note else []), *table(one), ""]
    return "\n".join(lines)


def span(report: Report) -> str:
    """Which time it is about, and what the log no longer knows."""
    text = f"{minute_of(report.from_ns)} to {minute_of(report.until_ns)} UTC."
    if not report.log_from_ns:
        return f"{text} There is no log: reasons, refusals, slippage and incidents are not known."
    if report.log_from_ns > report.from_ns:
        return f"{text} The log begins at {minute_of(report.log_from_ns)}: what it told before is not known."
    return text


def spark(account: EquityRow) -> str:
    """The equity as a line of blocks."""
    values = [minor for _, minor in account.points]
    low, high = min(values), max(values)
    step = max(1, len(values) // SPARKS)
    return "".join(BARS[(value - low) * (len(BARS) - 1) // max(1, high - low)] for value in values[::step])


def table(one: Section) -> Sequence[str]:
    """A section's rows, aligned so that they read without a renderer."""
    if not one.rows:
        return [one.empty]
    cells = [[text.replace("|", "\\|").replace("\n", " ") for text in row] for row in (one.heads, *one.rows)]
    widths = [max(map(len, column)) for column in zip(*cells, strict=True)]
    right = [all(is_number(row[at]) for row in one.rows) for at in range(len(widths))]
    rule = [("-" * (width - 1) + ":") if side else "-" * width for width, side in zip(widths, right, strict=True)]

    def line(row: Sequence[str]) -> str:
        padded = (c.rjust(w) if r else c.ljust(w) for c, w, r in zip(row, widths, right, strict=True))
        return f"| {' | '.join(padded)} |"

    return [line(cells[0]), line(rule), *map(line, cells[1:])]
