"""A report as one HTML file: no script, nothing fetched, readable by day and by night and on paper."""

from html import escape

from daemon.report.markdown import span
from daemon.report.rows import EquityRow, Report
from daemon.report.sections import Section, sections
from daemon.tables import dollars, is_number
from daemon.times import minute_of

WIDTH, HEIGHT, MARGIN = 900, 180, 12
"""Of a curve, in its own units: the page scales it."""

STYLE = """
:root { color-scheme: light dark; --line: #8884; --ink: #2563eb; }
@media (prefers-color-scheme: dark) { :root { --ink: #7aa2ff; } }
body { font: 14px/1.45 system-ui, sans-serif; max-width: 1200px; margin: 2rem auto; padding: 0 1rem; }
h1 { font-size: 1.5rem; } h2 { font-size: 1.1rem; margin-top: 2rem; }
p { color: color-mix(in srgb, currentColor 70%, transparent); }
.scroll { overflow-x: auto; }
table { border-collapse: collapse; font-variant-numeric: tabular-nums; white-space: nowrap; }
th, td { padding: .2rem .7rem; border-bottom: 1px solid var(--line); text-align: left; }
th { font-weight: 600; } .n { text-align: right; } .bad { color: #d33; }
svg { width: 100%; height: auto; } polyline { fill: none; stroke: var(--ink); stroke-width: 1.5; }
svg text { font-size: 11px; fill: currentColor; } svg line { stroke: var(--line); }
"""


def html(report: Report, version: str) -> str:
    """The whole of it."""
    title = escape(f"obid {version}: {report.title}")
    body = [f"<h1>{title}</h1>", f"<p>{escape(span(report))}</p>"]
    body += [f"<h2>Equity of {escape(one.account)}</h2>{curve(one)}" for one in report.equity]
    body += [_section(one) for one in sections(report)]
    head = f'<meta charset="utf-8"><meta name="viewport" content="width=device-width"><title>{title}</title>'
    page = "\n".join(body)
    return f'<!doctype html>\n<html lang="en"><head>{head}<style>{STYLE}</style></head><body>\n{page}\n</body></html>\n'


def curve(account: EquityRow) -> str:
    """Equity over time as SVG, with its ends and extremes in words."""
    times, values = zip(*account.points, strict=True)
    low, high = min(values), max(values)
    first_ns, length_ns = times[0], max(1, times[-1] - times[0])
    wide, tall = WIDTH - 2 * MARGIN, HEIGHT - 4 * MARGIN

    def point(at_ns: int, minor: int) -> str:
        x = MARGIN + wide * (at_ns - first_ns) / length_ns
        return f"{x:.1f},{2 * MARGIN + tall * (high - minor) / max(1, high - low):.1f}"

    line = " ".join(point(*one) for one in account.points)
    words = (
        (MARGIN, MARGIN, "start", f"high {dollars(high)}"),
        (MARGIN, HEIGHT - MARGIN / 2, "start", minute_of(times[0])),
        (WIDTH - MARGIN, MARGIN, "end", f"last {dollars(values[-1])}"),
        (WIDTH - MARGIN, HEIGHT - MARGIN / 2, "end", minute_of(times[-1])),
        (WIDTH / 2, HEIGHT - MARGIN / 2, "middle", f"low {dollars(low)}"),
    )
    texts = "".join(f'<text x="{x}" y="{y}" text-anchor="{anchor}">{text}</text>' for x, y, anchor, text in words)
    base = f'<line x1="{MARGIN}" x2="{WIDTH - MARGIN}" y1="{HEIGHT - 2 * MARGIN}" y2="{HEIGHT - 2 * MARGIN}"/>'
    label = escape(f"equity of {account.account}")
    frame = f'<svg viewBox="0 0 {WIDTH} {HEIGHT}" role="img" aria-label="{label}">'
    return f'{frame}{base}<polyline points="{line}"/>{texts}</svg>'


def _section(one: Section) -> str:
    note = f"<p>{escape(one.note)}</p>" if one.note else ""
    if not one.rows:
        return f"<h2>{escape(one.title)}</h2>{note}<p>{escape(one.empty)}</p>"
    right = [all(is_number(row[at]) for row in one.rows) for at in range(len(one.heads))]
    heads = "".join(f"<th{_class(side)}>{escape(text)}</th>" for text, side in zip(one.heads, right, strict=True))
    rows = "".join(
        f"<tr>{''.join(_cell(text, side) for text, side in zip(row, right, strict=True))}</tr>" for row in one.rows
    )
    table = f'<div class="scroll"><table><thead><tr>{heads}</tr></thead><tbody>{rows}</tbody></table></div>'
    return f"<h2>{escape(one.title)}</h2>{note}{table}"


def _class(right: bool) -> str:
    return ' class="n"' if right else ""


def _cell(text: str, right: bool) -> str:
    name = ' class="n bad"' if right and text.startswith("-") and text != "-" else _class(right)
    return f"<td{name}>{escape(text)}</td>"
