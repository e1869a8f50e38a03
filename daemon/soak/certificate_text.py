"""The certificate as Markdown: the verdict first, then figures, then what of it is limited."""

from collections.abc import Iterator, Mapping

from daemon.soak.certificate import RSS_MIB_PER_HOUR_MAX, SLOPE_HOURS_MIN, Certificate
from daemon.soak.slopes import Slope

PLOT = "certificate.png"
"""The picture beside it."""
MAILBOXES_SHOWN_MAX = 12


def markdown(told: Certificate) -> str:
    """All of it."""
    return "\n".join(_lines(told)) + "\n"


def verdict(told: Certificate) -> str:
    """In one line."""
    if told.passed:
        return f"PASS: {told.hours:g} h, {told.books:,} books, {sum(told.faults_fired.values()):,} faults, nothing lost"
    return f"FAIL: {told.reasons[0]}" + (f" (and {len(told.reasons) - 1} more)" if len(told.reasons) > 1 else "")


def _lines(told: Certificate) -> Iterator[str]:
    yield f"# Soak certificate: {'PASS' if told.passed else 'FAIL'}"
    yield ""
    yield (
        f"{told.hours:g} {told.kind} hours of {', '.join(told.engines)}, {told.symbols} symbols, seed {told.seed}, "
        f"faults {told.faults}; it took {told.wall_s:.0f} s"
        + (f", {told.cpu_s:.0f} s of them on a core." if told.cpu_s is not None else ".")
    )
    if told.reasons:
        yield from ("", "It did not pass, because:", "")
        yield from (f"- {reason}" for reason in told.reasons)
    yield from ("", *_figures(told), "", f"![over time]({PLOT})")
    yield from ("", "## Faults", "", *_table("kind", "fired", told.faults_fired))
    yield from ("", "## How lives ended", "", *_table("end", "times", told.exits))
    yield from ("", "## Actors restarted", "", *_table("actor", "times", told.restarts))
    yield from ("", "## Mailboxes", "", *_mailboxes(told))
    yield from ("", "## Invariants", "", *_table("invariant", "looks", told.invariants))
    yield from ("", "## What this does not say", "", *(f"- {note}" for note in _limits(told)))


def _figures(told: Certificate) -> Iterator[str]:
    rows = {
        "books heard": f"{told.books:,}",
        "orders, fills": f"{told.orders:,}, {told.fills:,}",
        "faults fired": f"{sum(told.faults_fired.values()):,} of {len(told.faults_fired)} kinds",
        "lives, kills": f"{told.lives:,}, {told.kills:,}",
        "actors restarted": f"{sum(told.restarts.values()):,}",
        "sockets opened, reconnects": f"{told.sockets:,}, {told.reconnects:,}",
        "memory": _slope(told.rss, "MiB") + _most(told),
        "open files": _slope(told.fds, ""),
        "tasks": _slope(told.tasks, ""),
        "invariants": f"{len(told.invariants)} checked {sum(told.invariants.values()):,} times, "
        f"{len(told.invariants_broken)} broken",
        "well after the last fault": f"{_after(told.calmed.well_s)}, {told.calmed.state}",
        "every symbol traded again": _after(told.calmed.whole_s),
        "versions": f"obid {told.versions.obid}, Python {told.versions.python}, numpy {told.versions.numpy}, "
        f"{told.versions.platform}",
        "digest": f"`{told.digest}`",
    }
    yield from _table("", "", rows)


def _slope(slope: Slope | None, unit: str) -> str:
    if slope is None:
        return "not measured"
    if slope.hours < SLOPE_HOURS_MIN:
        return "too short for a slope"
    unit = f" {unit}" if unit else ""
    return f"{slope.per_hour:+.3f}{unit} an hour, over {slope.hours:.1f} h after the first"


def _after(seconds: float | None) -> str:
    return "never" if seconds is None else f"{seconds:.1f} s"


def _most(told: Certificate) -> str:
    if told.rss_mib_most is None or told.rss_mib_last is None:
        return ""
    return (
        f" ({RSS_MIB_PER_HOUR_MAX:g} allowed); {told.rss_mib_last:.0f} MiB at the end, {told.rss_mib_most:.0f} at most"
    )


def _mailboxes(told: Certificate) -> Iterator[str]:
    fullest = sorted(told.waters.items(), key=lambda item: (-item[1].high, item[0]))[:MAILBOXES_SHOWN_MAX]
    yield from ("| mailbox | most that waited | bound |", "|---|---|---|")
    yield from (f"| {name} | {water.high:,} | {water.size_max:,} |" for name, water in fullest)


def _table(left: str, right: str, rows: Mapping[str, object]) -> Iterator[str]:
    if not rows:
        yield "none"
        return
    yield from (f"| {left} | {right} |", "|---|---|")
    yield from (f"| {_cell(name)} | {_cell(str(value))} |" for name, value in rows.items())


def _cell(text: str) -> str:
    return text.replace("|", "\\|").replace("\n", " ")


def _limits(told: Certificate) -> Iterator[str]:
    yield from told.notes
    yield "venues are emulated after our reading of their rules, and their market does not react to orders"
    if told.kind == "virtual":
        yield "time is virtual: how long things take on a machine is not in it, nor what another loop or disk would do"
        yield "a kill is not a loss of power"
