"""Troubles: what is wrong with a run and since when, worst first, for the first glance of who was woken.

Nothing here is decided: it gathers what the board, the house and the guards know. What is over is not told, with one
exception: an actor that crashed and is back is told for a while, because a crash that mended itself is still a finding.
"""

from collections.abc import Iterator, Sequence

from daemon.board import ALL, Board
from daemon.snapshot import EngineLook, EngineRow, Look, Status, TroubleRow
from risk.intent import Trading
from risk.order import OrderState
from supervisor.clock import NS_PER_S
from supervisor.supervisor import ChildHealth

RECENT_NS = 600 * NS_PER_S
"""How long a crash that the supervisor mended is told: three of them within as long are a storm (daemon.alerts)."""

VERDICT_NS_MAX = 60 * NS_PER_S
"""A verdict that is 15 s late is asked for (actors.reconciler); one that has not come by then never will by itself."""

LAG_MS_MAX = 1_000.0
"""A loop that is away for longer is late for two books of each stream of a slow venue. A start takes half of it."""

MS_PER_S = 1_000

NAMED_MAX = 4
"""Symbols that are named; of more, how many: a line has eighty columns."""


def troubles(
    status: Status, engines: Sequence[EngineRow], health: Sequence[ChildHealth], board: Board, look: Look
) -> Iterator[TroubleRow]:
    """What stops trading, then what stops entries, then what only should not be."""
    at_ns = status.at_ns
    yield from _stopped(engines, board)
    for one in health:
        if not one.healthy:
            yield _ill(one, board, at_ns)
    yield from _shut(engines, look)
    yield from _orders(board, at_ns)
    sessions = {guard.engine: guard for guard in look.engines}
    for row in engines:
        yield from _stale(row, board, sessions.get(row.engine))
    if look.calendar is not None and look.calendar.degraded:
        yield TroubleRow(since_ns=0, engine=ALL, what="calendar", text="no calendar covers the time")
    if status.lag_ms > LAG_MS_MAX:
        text = f"the loop was away for {status.lag_ms / MS_PER_S:.1f} s in the last minute"
        yield TroubleRow(since_ns=0, engine=ALL, what="lag", text=text)
    yield from _crashed(health, board, at_ns)


def _stopped(engines: Sequence[EngineRow], board: Board) -> Iterator[TroubleRow]:
    """What somebody or something has stopped."""
    for invariant, since_ns in board.broken_ns.items():
        yield TroubleRow(since_ns=since_ns, engine=ALL, what="broken", text=f"invariant {invariant} does not hold")
    for wanted in (Trading.HALTED, Trading.REDUCING):
        for row in engines:
            if row.trading == wanted:
                text = f"by {row.by or 'nobody known'}: {row.reason}"
                yield TroubleRow(since_ns=row.since_ns, engine=row.engine, what=row.trading, text=text)


def _shut(engines: Sequence[EngineRow], look: Look) -> Iterator[TroubleRow]:
    """What keeps entries shut until it is over."""
    for row in engines:
        if not row.reconciled:
            text = row.apart or "venue and ledger were not compared yet"
            yield TroubleRow(since_ns=row.apart_ns, engine=row.engine, what="unreconciled", text=text)
    for guard in look.engines:
        if guard.unwatched:
            yield TroubleRow(since_ns=0, engine=guard.engine, what="deadman", text=guard.unwatched)


def _ill(one: ChildHealth, board: Board, at_ns: int) -> TroubleRow:
    if one.alive:
        age_ns = max(one.held_ns, one.mailbox.age_ns)
        return TroubleRow(since_ns=at_ns - age_ns, engine=one.engine, what="late", text=f"{one.name} makes no progress")
    text = f"{one.name} is down: {board.errors.get(one.name, 'not started yet')}"
    return TroubleRow(since_ns=board.crashed_ns.get(one.name, 0), engine=one.engine, what="down", text=text)


def _orders(board: Board, at_ns: int) -> Iterator[TroubleRow]:
    """Orders that hold their symbol back: in doubt, or without a verdict for so long that they should be."""
    for order in board.orders.values():
        name = f"order {order.order_id[:10]} of {order.symbol}"
        if order.state is OrderState.UNKNOWN:
            text = f"{name}: the venue has not said whether it lives"
            yield TroubleRow(since_ns=order.at_ns, engine=order.engine, what="unknown", text=text)
        elif order.state is not OrderState.RESTING and at_ns - order.at_ns > VERDICT_NS_MAX:
            text = f"{name} is {order.state}, and no verdict comes"
            yield TroubleRow(since_ns=order.at_ns, engine=order.engine, what="overdue", text=text)


def _stale(row: EngineRow, board: Board, guard: EngineLook | None) -> Iterator[TroubleRow]:
    """Feeds without news; not while their market is shut, nor those that only wait for their history."""
    stale = sorted(board.instruments[row.engine].keys() - board.fresh[row.engine] - board.unlearnt[row.engine])
    if not stale or (guard is not None and not guard.session_open):
        return
    more = f" and {len(stale) - NAMED_MAX} more" if len(stale) > NAMED_MAX else ""
    text = f"{len(stale)} of {row.symbols} feeds: {', '.join(stale[:NAMED_MAX])}{more}"
    known = [board.stale_ns[row.engine, symbol] for symbol in stale if (row.engine, symbol) in board.stale_ns]
    never = len(known) < len(stale)  # some were never heard
    yield TroubleRow(since_ns=0 if never else min(known), engine=row.engine, what="stale", text=text)


def _crashed(health: Sequence[ChildHealth], board: Board, at_ns: int) -> Iterator[TroubleRow]:
    for one in health:
        crashed_ns = board.crashed_ns.get(one.name)
        if one.healthy and crashed_ns is not None and at_ns - crashed_ns < RECENT_NS:
            text = f"{one.name} (now up, {one.restarts} restarts): {board.errors[one.name]}"
            yield TroubleRow(since_ns=crashed_ns, engine=one.engine, what="crashed", text=text)
