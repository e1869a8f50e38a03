"""A picture of the running daemon: plain structs that the live view draws and `obid ctl` answers with.

Money is in minor units (millionths of a dollar) as in the ledger; prices and sizes are Decimal, exact as the venue
prints them. Nothing here knows how it was gathered or how it is shown.
"""

from decimal import Decimal

from msgspec import Struct

DECISIONS_MAX = 20
"""Last decisions a snapshot carries: more than any terminal shows, few enough to send."""


class Status(Struct, frozen=True, kw_only=True):
    """The run in one row."""

    version: str
    run_id: str
    mode: str
    pid: int
    seed: int
    speed: str  # 1, 60, max
    virtual: bool  # the clock is virtual
    started_ns: int
    at_ns: int  # the run's own clock, virtual or wall
    healthy: bool  # every actor made progress within its deadline
    reason: str = ""  # why not
    books: int = 0
    decisions: int = 0
    digest: str = ""  # of the decisions so far


class EngineRow(Struct, frozen=True, kw_only=True):
    """One engine: what it may do and what its account holds."""

    engine: str
    venue: str
    trading: str  # active, reducing, halted
    reason: str  # of the trading state
    reconciled: bool
    symbols: int
    symbols_fresh: int
    cash_minor: int
    equity_minor: int
    realised_minor: int
    unrealised_minor: int
    fees_minor: int  # paid; negative: the venue paid us
    funding_minor: int  # received

    @property
    def pnl_minor(self) -> int:
        """What the engine earned since the start of its journal, marks included."""
        return self.realised_minor + self.unrealised_minor + self.funding_minor - self.fees_minor


class ActorRow(Struct, frozen=True, kw_only=True):
    """One actor and its mailbox."""

    name: str
    engine: str  # empty: shared by all
    state: str  # starting, running, backoff, stopped, failed
    healthy: bool
    restarts: int
    waiting: int
    age_ms: float  # how long the oldest unread message has waited
    heard: int
    conflated: int  # books replaced by newer ones before they were read
    high_water: int
    size_max: int
    error: str = ""  # what it last died of


class PositionRow(Struct, frozen=True, kw_only=True):
    """One open position."""

    engine: str
    symbol: str
    lots: int  # signed
    size: Decimal  # signed
    entry: Decimal  # average cost
    mark: Decimal | None  # None: no fresh book
    notional_minor: int
    unrealised_minor: int
    realised_minor: int
    opened_ns: int


class OrderRow(Struct, frozen=True, kw_only=True):
    """One order that is not over."""

    engine: str
    order_id: str
    intent_id: str
    symbol: str
    side: str
    state: str
    purpose: str  # entry, exit
    size: Decimal
    size_filled: Decimal
    price: Decimal
    time_in_force: str
    reason: str
    at_ns: int  # of its last change


class DecisionRow(Struct, frozen=True, kw_only=True):
    """One decision, told in a line."""

    at_ns: int
    engine: str
    symbol: str
    event: str  # the message's name in snake case: intent, refused, fill
    text: str


class Snapshot(Struct, frozen=True, kw_only=True):
    """Everything at one moment; rows stand in the order of the graph, so that two pictures can be compared."""

    status: Status
    engines: tuple[EngineRow, ...] = ()
    actors: tuple[ActorRow, ...] = ()
    positions: tuple[PositionRow, ...] = ()
    orders: tuple[OrderRow, ...] = ()
    decisions: tuple[DecisionRow, ...] = ()  # newest last, at most DECISIONS_MAX


class StatusAnswer(Struct, frozen=True):
    """What `ctl status` answers."""

    status: Status
    engines: tuple[EngineRow, ...]


class Outcome(Struct, frozen=True):
    """What an order of the operator did, one line for each thing that changed."""

    lines: tuple[str, ...]


class Fact(Struct, frozen=True):
    """One number of an explanation and what it was measured against; no bound: it is only told."""

    name: str
    value: str
    bound: str = ""


class Step(Struct, frozen=True):
    """One link of the chain from book to fill or refusal."""

    at_ns: int
    event: str
    text: str
    facts: tuple[Fact, ...] = ()


class Explanation(Struct, frozen=True):
    """What `ctl explain` answers: the chain of one order or intent, oldest step first."""

    id: str
    steps: tuple[Step, ...]


def status_of(snapshot: Snapshot) -> StatusAnswer:
    """The part of a snapshot that `ctl status` shows."""
    return StatusAnswer(snapshot.status, snapshot.engines)


def positions_of(snapshot: Snapshot, engine: str = "", symbol: str = "") -> tuple[PositionRow, ...]:
    """The positions of an engine and symbol; empty means any."""
    return tuple(row for row in snapshot.positions if fits(row, engine, symbol))


def orders_of(snapshot: Snapshot, engine: str = "", symbol: str = "") -> tuple[OrderRow, ...]:
    """The orders of an engine and symbol; empty means any."""
    return tuple(row for row in snapshot.orders if fits(row, engine, symbol))


def fits(row: PositionRow | OrderRow, engine: str, symbol: str) -> bool:
    """Whether a row is of this engine and symbol; empty means any."""
    return engine in ("", row.engine) and symbol in ("", row.symbol)
