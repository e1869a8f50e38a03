"""Questions before an order is given: what it would do, to how much, and what must be typed.

Enter alone never does anything: y for what is easily undone, the order's own word for what costs money or takes a latch
off that a guard has set.
"""

from collections.abc import Iterator

from msgspec import Struct

from daemon.snapshot import EngineRow, PositionRow, Snapshot
from daemon.tables import dollars
from daemon.top.known import Scope, held
from daemon.top.lines import stamp
from daemon.view import BAD, QUIET, TITLE, Line, signed, tint

ORDERS = {"P": "pause", "R": "resume", "H": "halt", "F": "flatten"}
"""By their keys: capitals, because a slip of a finger types small letters."""

NAMED_MAX = 6
"""Positions that a question names, the largest first; of more, how many."""

OPERATOR = "operator"
REASON = "obid top"


class Question(Struct, frozen=True):
    """An order that waits for its word."""

    verb: str
    engine: str  # empty: all
    symbol: str = ""  # only of a flatten
    word: str = ""  # what must be typed; empty: y

    @property
    def args(self) -> dict[str, str]:
        """As the daemon is told."""
        return {"engine": self.engine, "symbol": self.symbol, "reason": f"{REASON}: {self.verb}"}

    @property
    def whom(self) -> str:
        """Whom it concerns."""
        return " ".join(filter(None, (self.engine or "ALL ENGINES", self.symbol)))


def question(verb: str, scope: Scope, snapshot: Snapshot) -> Question | str:
    """What is to be asked, or why there is nothing to ask."""
    engines = {row.engine for row in snapshot.engines}
    engine = scope.engine if scope.engine in engines and len(engines) > 1 else ""
    symbol = scope.traded(snapshot)
    if verb == "flatten":
        if symbol is None:
            return f"the filter '{scope.symbol}' is no whole name of one symbol: type it after /, or clear it with Esc"
        return Question(verb, engine, symbol, word=verb)
    if scope.symbol:
        return f"{verb} is for an engine or for all, never for a symbol: clear the filter with Esc"
    if verb == "resume":
        latched = list(_latched(snapshot, engine))
        if not latched:
            return "nothing to resume: no engine is halted or reducing"
        if engine and len({row.since_ns for row in snapshot.engines}) == 1:
            return "all engines were stopped by one order, which one alone cannot lift: press e until none is chosen"
        return Question(verb, engine, word="" if all(row.by == OPERATOR for row in latched) else verb)
    return Question(verb, engine)


def _latched(snapshot: Snapshot, engine: str) -> Iterator[EngineRow]:
    return (row for row in snapshot.engines if row.trading != "active" and engine in ("", row.engine))


def question_lines(asked: Question, typed: str, snapshot: Snapshot) -> list[Line]:
    """The question, with the figures of this moment."""
    scope = Scope(asked.engine)
    rows = [row for row in held(snapshot, scope) if asked.symbol in ("", row.symbol)]
    resting = [row for row in snapshot.orders if scope.fits(row.engine, "") and asked.symbol in ("", row.symbol)]
    title = f" {asked.verb.upper()} {asked.whom} "
    lines: list[Line] = [[(title, "bold reverse")], *_what(asked, rows, len(resting), snapshot), [("", "")]]
    if asked.word:
        how = f" Type {asked.word} and Enter to do it, Esc to leave all as it is: "
        lines.append([(how, TITLE), (typed, "bold"), ("_", QUIET)])
    else:
        lines.append([(" Do it? y/N ", TITLE)])
    return lines


def _what(asked: Question, rows: list[PositionRow], resting: int, snapshot: Snapshot) -> Iterator[Line]:
    """What it would do."""
    worth = sum(abs(row.notional_minor) for row in rows)
    gain = sum(row.unrealised_minor for row in rows)
    stays: Line = [(f" {len(rows)} positions, {dollars(worth)} USD, stay and are still left by their rules.", "")]
    match asked.verb:
        case "pause":
            yield [(" No new entries; exits and stops go on. It outlives a restart, until resume.", "")]
            yield stays
            yield [(f" {resting} orders are not over; entries of them may fill (halt takes them back).", "")]
        case "halt":
            yield [(" No new entries, and entries that rest are cancelled. It outlives a restart, until resume.", "")]
            yield stays
            yield [(f" {resting} orders are not over.", "")]
        case "resume":
            yield [(" Entries are allowed again. It lifts:", "")]
            for row in _latched(snapshot, asked.engine):
                since = stamp(row.since_ns, snapshot.status.at_ns) if row.since_ns else "the start"
                who = row.by or "nobody known"
                yield [(f"   {row.engine} {row.trading} since {since} by {who}: {row.reason}", BAD)]
            yield [(" After a halt by the breaker its losses are accepted; the day counts anew.", "")]
        case _:
            yield [(f" Closes {len(rows)} positions, {dollars(worth)} USD in all, across the spread.", "")]
            yield [(" Unrealised now ", ""), (f"{signed(gain)} USD", tint(gain)), (f". Cancels {resting} orders.", "")]
            yield from _named(rows)
            if any(row.trading == "active" for row in snapshot.engines if asked.engine in ("", row.engine)):
                yield [(" It may enter again at once: halt first, if it must stay flat.", BAD)]


def _named(rows: list[PositionRow]) -> Iterator[Line]:
    by_size = sorted(rows, key=lambda row: -abs(row.notional_minor))
    for row in by_size[:NAMED_MAX]:
        yield [
            (f"   {row.engine} {row.symbol} {row.size:f}, {dollars(row.notional_minor)} USD, ", ""),
            (signed(row.unrealised_minor), tint(row.unrealised_minor)),
        ]
    if len(rows) > NAMED_MAX:
        yield [(f"   and {len(rows) - NAMED_MAX} more", QUIET)]
