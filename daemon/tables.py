"""Answers as plain aligned text, for people; scripts take --json."""

from collections.abc import Iterable, Sequence
from decimal import Decimal

from daemon.snapshot import (
    ActorRow,
    ConditionRow,
    Explanation,
    OrderRow,
    Outcome,
    PositionRow,
    Reloaded,
    StatusAnswer,
    TunedRow,
    WhyAnswer,
)
from daemon.times import NS_PER_S, ago, minute_of

MINOR_PER_USD = 1_000_000
"""As venues.market has it; named here so that `obid ctl` need not load the market vocabulary."""

VALUE_CHARS_MAX = 60
"""Of a condition's value in a table; --json has all of it."""


def table(names: str, rows: Iterable[Sequence[object]], empty: str) -> str:
    """Rows under their heads (names parted by blanks), numbers to the right; `empty` when there are none."""
    heads = names.split()
    cells = [[str(cell) for cell in row] for row in rows]
    if not cells:
        return empty
    widths = [max(map(len, column)) for column in zip(heads, *cells, strict=True)]
    right = [all(is_number(row[at]) for row in cells) for at in range(len(heads))]

    def line(row: Sequence[str]) -> str:
        padded = (c.rjust(w) if r else c.ljust(w) for c, w, r in zip(row, widths, right, strict=True))
        return "  ".join(padded).rstrip()

    return "\n".join(line(row) for row in [heads, *cells])


def is_number(text: str) -> bool:
    """Whether a cell belongs to the right edge of its column."""
    return text in ("", "-") or (text.lstrip("+-$").replace(",", "")[:1].isdigit() and " " not in text)


def dollars(minor: int) -> str:
    """Minor units as dollars and cents, with a sign when negative."""
    cents = round(Decimal(minor) * 100 / MINOR_PER_USD)
    whole, part = divmod(abs(cents), 100)
    return f"{'-' if cents < 0 else ''}{whole:,}.{part:02d}"


def status_text(answer: StatusAnswer) -> str:
    """`ctl status`: the run, then a row for each engine."""
    run = answer.status
    lines = [
        f"obid {run.version}  {run.mode}  run {run.run_id}  pid {run.pid}",
        f"clock {minute_of(run.at_ns)} UTC ({'virtual' if run.virtual else 'wall'}, speed {run.speed}), "
        f"running {ago(run.at_ns - run.started_ns)}",
        f"seed {run.seed}  books {run.books:,}  decisions {run.decisions:,}",
        f"health {'ok' if run.healthy else 'NOT OK: ' + (run.reason or 'see ps')}  "
        f"loop lag {run.lag_ms:.1f} ms, at most {run.lag_max_ms:.1f}",
    ]
    if run.deadman:
        lines.append(f"dead man: {run.deadman}")
    if run.digest:
        lines.append(f"digest so far {run.digest}")
    heads = "engine venue trading reconciled fresh equity pnl fees funding reason"
    rows = (
        (
            *(engine.engine, engine.venue, engine.trading, "yes" if engine.reconciled else "NO"),
            f"{engine.symbols_fresh}/{engine.symbols}" + learning(engine.symbols_unlearnt),
            *map(dollars, (engine.equity_minor, engine.pnl_minor, engine.fees_minor, engine.funding_minor)),
            engine.reason,
        )
        for engine in answer.engines
    )
    return "\n".join([*lines, "", table(heads, rows, "no engines")])


def learning(symbols: int) -> str:
    """How many symbols wait for their history, if any do."""
    return f", {symbols} learning" if symbols else ""


def actors_text(rows: Sequence[ActorRow]) -> str:
    """`ctl ps`: a row for each actor."""
    heads = "actor engine state ok restarts waiting age_ms heard conflated high max error"
    return table(
        heads,
        (
            (
                *(row.name, row.engine or "-", row.state, "yes" if row.healthy else "NO", row.restarts),
                *(row.waiting, f"{row.age_ms:.1f}", row.heard, row.conflated, row.high_water, row.size_max),
                row.error,
            )
            for row in rows
        ),
        "no actors",
    )


def positions_text(rows: Sequence[PositionRow]) -> str:
    """`ctl positions`: a row for each open position."""
    heads = "engine symbol size entry mark notional unrealised realised since_utc"
    return table(
        heads,
        (
            (
                *(row.engine, row.symbol, row.size, row.entry, "-" if row.mark is None else row.mark),
                *map(dollars, (row.notional_minor, row.unrealised_minor, row.realised_minor)),
                minute_of(row.opened_ns),
            )
            for row in rows
        ),
        "flat: no positions",
    )


def orders_text(rows: Sequence[OrderRow]) -> str:
    """`ctl orders`: a row for each order that is not over."""
    heads = "engine order symbol side purpose state filled size price tif changed_utc"
    return table(
        heads,
        (
            (
                *(row.engine, row.order_id, row.symbol, row.side, row.purpose, row.state),
                *(row.size_filled, row.size, row.price, row.time_in_force, minute_of(row.at_ns)),
            )
            for row in rows
        ),
        "no open orders",
    )


def explanation_text(answer: Explanation) -> str:
    """`ctl explain`: the chain of one order, each number beside its bound."""
    lines = [f"{answer.id}: {len(answer.steps)} steps"]
    for step in answer.steps:
        lines.append(f"{minute_of(step.at_ns)}.{step.at_ns % NS_PER_S:09d}  {step.event}: {step.text}")
        width = max((len(fact.name) for fact in step.facts), default=0)
        for fact in step.facts:
            bound = f"  (bound {fact.bound})" if fact.bound else ""
            lines.append(f"    {fact.name.ljust(width)}  {fact.value}{bound}")
    return "\n".join(lines)


def outcome_text(answer: Outcome) -> str:
    """The answer to an operator's order."""
    return "\n".join(answer.lines) or "nothing to change"


def why_text(answer: WhyAnswer) -> str:
    """`ctl explain SYMBOL`: every condition in the order it is asked; `no` is what does not hold, `->` the first."""
    parts = []
    for one in answer.engines:
        head = f"{one.symbol} on {one.engine}, {minute_of(one.at_ns)} UTC"
        lines = [f"{head}: {f'{one.held} held' if one.held else 'flat'}", one.verdict, ""]
        lines.append(table("- asked_by condition holds now needed", _conditions(one.conditions), "nothing is asked"))
        if one.exits:
            rows = _conditions(one.exits, first=False)
            lines += [
                "",
                "it is left when one of these holds",
                table("- asked_by condition holds now needed", rows, ""),
            ]
        parts.append("\n".join(lines))
    return "\n\n".join(parts)


def _conditions(rows: Sequence[ConditionRow], *, first: bool = True) -> Iterable[Sequence[object]]:
    failing = next((row for row in rows if not row.holds), None) if first else None
    for row in rows:
        mark = "->" if row is failing else ""
        yield mark, row.asked_by, row.name, "yes" if row.holds else "no", _cut(row.value), row.needed


def _cut(text: str) -> str:
    return text if len(text) <= VALUE_CHARS_MAX else f"{text[: VALUE_CHARS_MAX - 1]}…"


def tunables_text(rows: Sequence[TunedRow]) -> str:
    """`ctl get`: a row for each value."""
    heads = "engine name symbol configured now by since_utc survives what"
    return table(
        heads,
        (
            (
                *(row.engine, row.name, row.symbol or "-", row.configured or "-", row.now or "-", row.by),
                *(minute_of(row.since_ns) if row.since_ns else "-", _survives(row)),
                f"{row.what}{'; only stricter' if row.limit else ''}",
            )
            for row in rows
        ),
        "nothing can be changed while it runs",
    )


def _survives(row: TunedRow) -> str:
    return "-" if row.by in ("file", "measured") else "yes" if row.keep or row.by == "reload" else "no"


def reloaded_text(answer: Reloaded) -> str:
    """`ctl reload`: what holds now, and what would after a restart."""
    lines = [*answer.applied, *(f"wants a restart: {line}" for line in answer.restart)]
    return "\n".join(lines) or "the file says what holds already"
