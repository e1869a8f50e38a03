"""The panes: positions, orders, feeds, actors, risk and log as lines of styled cells."""

from collections.abc import Callable, Sequence
from decimal import Decimal
from textwrap import wrap

from daemon.snapshot import ActorRow, DecisionRow, HeadroomRow, MarketRow, OrderRow, PositionRow, Snapshot
from daemon.tables import dollars
from daemon.top.known import Known, Scope, held
from daemon.top.lines import NEAR, WARN, span, stamp, trouble_lines
from daemon.view import BAD, GOOD, QUIET, TITLE, Line, section, signed, tint

NS_PER_MS = 1_000_000
MS_PER_S = 1_000
ID_SHOWN = 10
WIDE = 100
"""From so many columns on the panes show all they know."""

AGE_MS_MAX = 1_000
"""A mailbox whose oldest message has waited longer is marked: a fifth of what makes its actor late."""

INDENT = "   "
TEXT_WIDTH_MIN = 20
"""What is told in full goes on in the lines below, indented by so much, and never in a column narrower than this."""

Pane = Callable[[Known, Scope, int], list[Line]]
"""What is known, what of it is looked at, how wide; a title with heads, then rows."""


def positions(known: Known, scope: Scope, width: int) -> list[Line]:
    """What is held: what it is worth, what it has brought, where z and rho are."""
    snapshot = _snapshot(known)
    wide = width >= WIDE
    heads = ("size", "entry", "mark", *(("usd",) if wide else ()), "pnl", "z", "rho", "held")
    markets = _markets(snapshot)

    def cells(row: PositionRow) -> Line:
        market = markets.get((row.engine, row.symbol))
        worth = ((dollars(row.notional_minor), ""),) if wide else ()
        return (
            (f" {name_of(snapshot, row.engine, row.symbol)}", ""),
            (f"{row.size:f}", ""),
            (f"{row.entry:f}", QUIET),
            ("no book", BAD) if row.mark is None else (f"{row.mark:f}", ""),
            *worth,
            (signed(row.unrealised_minor), tint(row.unrealised_minor)),
            (number(market.z if market else None), ""),
            (number(market.rho if market else None), ""),
            (span(snapshot.status.at_ns - row.opened_ns), QUIET),
        )

    rows = held(snapshot, scope)
    return section(_count("positions", rows), heads, map(cells, rows), "flat", gap=1)


def orders(known: Known, scope: Scope, width: int) -> list[Line]:
    """What rests or is under way, how old it is and how often it was moved."""
    snapshot = _snapshot(known)
    at_ns = snapshot.status.at_ns
    heads = ("side", "for", "state", "filled", "size", "price", "age", "moved", *(("id",) if width >= WIDE else ()))

    def cells(row: OrderRow) -> Line:
        lost = row.state == "unknown"
        ids = ((row.order_id[:ID_SHOWN], QUIET),) if width >= WIDE else ()
        return (
            (f" {name_of(snapshot, row.engine, row.symbol)}", ""),
            (row.side, ""),
            (row.purpose, ""),
            (f"{row.state}{'!' if lost else ''}", BAD if lost else ""),
            (share(row.size_filled, row.size), ""),
            (f"{row.size:f}", ""),
            (f"{row.price:f}", ""),
            (span(at_ns - (row.placed_ns or row.at_ns)), ""),
            (str(row.reprices), WARN if row.reprices else QUIET),
            *ids,
        )

    rows = [row for row in snapshot.orders if scope.fits(row.engine, row.symbol)]
    return section(_count("orders", rows), heads, map(cells, rows), "none", gap=1)


def feeds(known: Known, scope: Scope, width: int) -> list[Line]:
    """Every stream: its age, z against its bound, imbalance. Stale ones first, then what is held, then the rest."""
    snapshot = _snapshot(known)
    if snapshot.look is None:
        return [[(" feeds", TITLE), ("  this daemon does not tell", QUIET)]]
    held_now = {(row.engine, row.symbol) for row in snapshot.positions}
    rows = [row for row in snapshot.look.markets if scope.fits(row.engine, row.symbol)]
    rows.sort(key=lambda row: (row.fresh, (row.engine, row.symbol) not in held_now))
    wide = width >= WIDE
    heads = ("age", "z", "entry", "rho", *(("exit", "bid", "ask", "blackout") if wide else ()))

    def cells(row: MarketRow) -> Line:
        more: Line = (
            (number(row.z_exit), QUIET),
            ("-" if row.bid is None else f"{row.bid:g}", ""),
            ("-" if row.ask is None else f"{row.ask:g}", ""),
            (row.blackout, WARN),
        )
        mark = "*" if (row.engine, row.symbol) in held_now else " "
        reached = row.z is not None and row.z_entry is not None and abs(row.z) >= row.z_entry
        return (
            (f"{mark}{name_of(snapshot, row.engine, row.symbol)}", "" if row.fresh else BAD),
            (f"{age(row.age_ms)}{'' if row.fresh else '!'}", "" if row.fresh else BAD),
            (f"{number(row.z)}{'!' if reached else ''}", WARN if reached else ""),
            (number(row.z_entry), QUIET),
            (number(row.rho), ""),
            *(more if wide else ()),
        )

    shut = {one.engine for one in snapshot.look.engines if not one.session_open}
    stale = sum(not row.fresh and row.engine not in shut for row in rows)
    title = f"{_count('feeds', rows)}{f', {stale} stale' if stale else ''}"
    return section(title, heads, map(cells, rows), "none", gap=1)


def actors(known: Known, scope: Scope, width: int) -> list[Line]:
    """Every actor: those that are wrong first, then those that were restarted, then in the order of the graph."""
    snapshot = _snapshot(known)
    rows = [row for row in snapshot.actors if not scope.engine or row.engine in ("", scope.engine)]
    rows.sort(key=lambda row: (row.healthy, -row.restarts))
    heads = ("wait", "age", "restarts", *(("heard", "passed", "high", "max") if width >= WIDE else ()), "")

    def cells(row: ActorRow) -> Line:
        more: Line = (
            (f"{row.heard}", ""),
            (f"{row.conflated}", QUIET),
            (f"{row.high_water}", QUIET),
            (f"{row.size_max}", QUIET),
        )
        late = row.age_ms >= AGE_MS_MAX
        running = row.state == "running"
        state = "" if row.healthy and running else "LATE" if running else row.state.upper()
        return (
            (f" {row.name}", "" if row.healthy else BAD),
            (f"{row.waiting}", WARN if row.waiting else QUIET),
            (f"{row.age_ms:.0f}{'!' if late else ''}", BAD if late else QUIET),
            (f"{row.restarts}", WARN if row.restarts else QUIET),
            *(more if width >= WIDE else ()),
            (state, BAD),
        )

    ill = sum(not row.healthy for row in rows)
    title = f"{_count('actors', rows)}, {f'{ill} ILL' if ill else 'all in time'}"
    return section(title, heads, map(cells, rows), "none", gap=1)


def risk(known: Known, scope: Scope, width: int) -> list[Line]:
    """How much of each bound is used, with the numbers; and every invariant that did not hold."""
    del width
    snapshot = _snapshot(known)
    rows = [one for one in snapshot.look.headroom if scope.fits(one.engine, scope.symbol)] if snapshot.look else []

    def cells(row: HeadroomRow) -> Line:
        near = row.used >= NEAR
        return (
            (f" {row.engine} {row.rule}", ""),
            (f"{row.used:.0%}{'!' if near else ''}", BAD if near else ""),
            (row.value, ""),
            (row.bound, QUIET),
        )

    lines = section(" risk", ("used", "value", "bound"), map(cells, rows), "nothing told", gap=2)
    for row in snapshot.engines:
        if row.trading != "active" and scope.fits(row.engine, scope.symbol):
            since = stamp(row.since_ns, snapshot.status.at_ns) if row.since_ns else "the start"
            lines.append([(f" {row.engine} {row.trading} since {since} by {row.by}: {row.reason}", BAD)])
    checked = sum(snapshot.checked.values())
    lines.append([(f" invariants: {len(snapshot.checked)} looked at {checked:,} times, ", QUIET), _broken(snapshot)])
    lines += [[(f" {name}: {what}", BAD)] for name, what in snapshot.broken.items()]
    return lines


def _broken(snapshot: Snapshot) -> tuple[str, str]:
    return (f"{len(snapshot.broken)} BROKEN", BAD) if snapshot.broken else ("all hold", GOOD)


def wrong(known: Known, scope: Scope, width: int) -> list[Line]:
    """All that is wrong, in full."""
    del scope
    snapshot = _snapshot(known)
    rows = list(trouble_lines(snapshot.troubles or (), snapshot.status.at_ns))
    title: Line = [(f" wrong {len(rows)}" if rows else " wrong", TITLE), ("" if rows else "  nothing", QUIET)]
    return [title, *(line for row in rows for line in _wrapped(row, width))]


def _wrapped(line: Line, width: int) -> list[Line]:
    """A line whose last cell goes on below where it is too long."""
    *start, (text, style) = line
    if sum(len(part) for part, _ in line) <= width:
        return [line]
    rest = wrap(text, max(TEXT_WIDTH_MIN, width - len(INDENT)))
    return [start, *([(f"{INDENT}{part}", style)] for part in rest)]


def log(known: Known, scope: Scope, width: int) -> list[Line]:
    """The last decisions and warnings, newest first."""
    snapshot = known.snapshot
    now_ns = snapshot.status.at_ns if snapshot else 0
    rows = [row for row in known.told if scope.fits(row.engine, row.symbol)]
    rows.sort(key=lambda row: -row.at_ns)

    def cells(row: DecisionRow) -> Line:
        where = " ".join(filter(None, (row.engine if many(snapshot) else "", row.symbol)))
        style = BAD if row.event in ALARMS else WARN if row.event in REFUSALS else "cyan"
        parts = ((f" {stamp(row.at_ns, now_ns) if now_ns else ''}", QUIET), (where, ""), (row.event, style))
        return (*((f"{text} ", how) for text, how in parts if text), (row.text, ""))

    del width
    return [[(" log", TITLE), ("" if rows else "  nothing yet", QUIET)], *map(cells, rows)]


ALARMS = frozenset(("crashed", "broken", "drift", "cash_drift", "held outside", "control_failed"))
REFUSALS = frozenset(("refused", "trading", "macro", "blackout", "venue_says", "clock_jumped"))

PANES: dict[str, Pane] = {
    "positions": positions,
    "orders": orders,
    "feeds": feeds,
    "actors": actors,
    "risk": risk,
    "log": log,
    "wrong": wrong,
}
"""By name, in the order of their keys: 2 to 8."""


def _snapshot(known: Known) -> Snapshot:
    assert known.snapshot is not None, "a pane is drawn once there is something to draw"
    return known.snapshot


def _markets(snapshot: Snapshot) -> dict[tuple[str, str], MarketRow]:
    return {(row.engine, row.symbol): row for row in snapshot.look.markets} if snapshot.look else {}


def _count(name: str, rows: Sequence[object]) -> str:
    return f" {name} {len(rows)}" if rows else f" {name}"


def many(snapshot: Snapshot | None) -> bool:
    """Whether engines must be named."""
    return snapshot is None or len(snapshot.engines) > 1


def name_of(snapshot: Snapshot, engine: str, symbol: str) -> str:
    """A symbol, and whose, where there are several engines."""
    return f"{engine} {symbol}" if many(snapshot) else symbol


def number(value: float | None) -> str:
    """Two digits and a sign."""
    return "-" if value is None else f"{value:+.2f}"


def share(part: Decimal, whole: Decimal) -> str:
    """How much of it, in per cent."""
    return f"{part / whole:.0%}" if whole else "-"


def age(age_ms: int | None) -> str:
    """How old; below a minute in tenths of a second."""
    if age_ms is None:
        return "never"
    return f"{age_ms / MS_PER_S:.1f}s" if age_ms < 60 * MS_PER_S else span(age_ms * NS_PER_MS)
