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
    lag_ms: float = 0.0  # of the loop: the worst of the last minute
    lag_max_ms: float = 0.0  # and since the start
    deadman: str = ""  # whether one watches, and what the venues' own switches are at; empty: not asked for


class EngineRow(Struct, frozen=True, kw_only=True):
    """One engine: what it may do and what its account holds."""

    engine: str
    venue: str
    trading: str  # active, reducing, halted
    reason: str  # of the trading state
    reconciled: bool
    symbols: int
    symbols_fresh: int
    symbols_unlearnt: int = 0  # have fresh data and wait for their history, of which the venue gives so many a minute
    cash_minor: int
    equity_minor: int
    realised_minor: int
    unrealised_minor: int
    fees_minor: int  # paid; negative: the venue paid us
    funding_minor: int  # received
    since_ns: int = 0  # of the trading state; 0: since the start
    by: str = ""  # who set it: operator, circuit_breaker, supervisor
    apart: str = ""  # why venue and ledger do not agree
    apart_ns: int = 0  # since when they do not; 0: since the start

    @property
    def pnl_minor(self) -> int:
        """What the engine earned since the start of its journal, marks included."""
        return self.realised_minor + self.unrealised_minor + self.funding_minor - self.fees_minor


class ActorRow(Struct, frozen=True, kw_only=True):
    """One actor and its mailbox."""

    name: str
    engine: str  # empty: shared by all
    state: str  # running, or stopped: between two lives, or before its first
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
    placed_ns: int = 0  # when the first order of its chain was planned, or first heard of by this process
    reprices: int = 0  # how often it was moved since


class DecisionRow(Struct, frozen=True, kw_only=True):
    """One decision, told in a line."""

    at_ns: int
    engine: str
    symbol: str
    event: str  # the message's name in snake case: intent, refused, fill
    text: str


class MarketRow(Struct, frozen=True, kw_only=True):
    """One symbol as its feed and its signal see it."""

    engine: str
    symbol: str
    fresh: bool
    age_ms: int | None  # since a good book was received; None: there was none yet
    bid: float | None
    ask: float | None
    z: float | None  # of the last closed bar, or of the day so far; None: the window is not full, or flat
    z_entry: float | None  # |z| from which it is entered
    z_exit: float | None  # and below which it is left
    rho: float | None  # order-book imbalance at the strategy's depth
    rho_age_ms: int | None
    blackout: str = ""  # why a calendar keeps it shut


class HeadroomRow(Struct, frozen=True, kw_only=True):
    """How much of one bound an engine has used."""

    engine: str
    rule: str  # daily_loss, drawdown, net_cap, order_rate, sector_cap
    used: float  # share of the bound; 1: nothing more passes
    value: str
    bound: str


class EngineLook(Struct, frozen=True, kw_only=True):
    """What an engine's guards know besides: its day, its session, its dead man."""

    engine: str
    today_minor: int | None  # equity less what the account day opened with; None: not known yet
    account: str = ""  # whose day that is; engines that share an account have one
    session_open: bool = True
    session_ns: int = 0  # when the session closes, or opens; 0: it never does, or nobody knows
    unwatched: str = ""  # why no dead man watches, where one must


class CalendarRow(Struct, frozen=True, kw_only=True):
    """Releases: what shuts entries now, and what comes next."""

    shut: bool
    event: str
    until_ns: int  # 0: open, or nobody knows
    degraded: bool
    next_event: str = ""
    next_ns: int = 0  # 0: none is known


class Look(Struct, frozen=True, kw_only=True):
    """What single actors know and nobody says: read out of them for who asks for a whole snapshot."""

    markets: tuple[MarketRow, ...] = ()
    headroom: tuple[HeadroomRow, ...] = ()
    engines: tuple[EngineLook, ...] = ()
    calendar: CalendarRow | None = None  # None: its actor is down


class TroubleRow(Struct, frozen=True, kw_only=True):
    """One thing that is wrong, and since when."""

    since_ns: int  # 0: since the start, or nobody knows
    engine: str  # empty: all
    what: str  # halted, reducing, late, crashed, stale, unreconciled, unknown, overdue, broken, calendar, lag, deadman
    text: str


class Snapshot(Struct, frozen=True, kw_only=True):
    """Everything at one moment; rows stand in the order of the graph, so that two pictures can be compared."""

    status: Status
    engines: tuple[EngineRow, ...] = ()
    actors: tuple[ActorRow, ...] = ()
    positions: tuple[PositionRow, ...] = ()
    orders: tuple[OrderRow, ...] = ()
    decisions: tuple[DecisionRow, ...] = ()  # newest last, at most DECISIONS_MAX
    checked: dict[str, int] = {}  # invariants, and how often each was looked at
    broken: dict[str, str] = {}  # those that did not hold, and what was wrong first
    look: Look | None = None  # only where it was asked for
    troubles: tuple[TroubleRow, ...] | None = None  # worst first; None: not asked for, or the daemon is too old


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


class ConditionRow(Struct, frozen=True):
    """One condition of an entry or an exit, in the order in which the code asks."""

    asked_by: str  # feed, signal, gate: whose condition it is
    name: str  # by which the code calls it, in refusals and counts
    holds: bool
    value: str  # now
    needed: str


class Why(Struct, frozen=True, kw_only=True):
    """Why a symbol is not traded just now: every condition, and the first that does not hold."""

    engine: str
    symbol: str
    at_ns: int
    held: str  # the position; empty: none
    verdict: str
    conditions: tuple[ConditionRow, ...]
    exits: tuple[ConditionRow, ...]  # of a position: what would make it leave, any one of them


class WhyAnswer(Struct, frozen=True):
    """What `ctl explain SYMBOL` answers, an engine each."""

    symbol: str
    engines: tuple[Why, ...]


class TunedRow(Struct, frozen=True, kw_only=True):
    """One value that can be changed while it runs."""

    engine: str
    name: str
    symbol: str  # empty: for all of the engine's
    configured: str  # by the files, when it was started
    now: str
    by: str  # file, measured at the start, operator, reload
    since_ns: int  # of the change; 0: it was never changed
    keep: bool  # the change holds after a restart too
    reason: str
    what: str  # what it is, with its unit
    limit: bool  # can be made stricter only


class Reloaded(Struct, frozen=True):
    """What `ctl reload` found in the configuration file."""

    applied: tuple[str, ...]
    restart: tuple[str, ...]  # differences that want a restart


class Names(Struct, frozen=True):
    """What can be named on the command line, for tab completion."""

    engines: dict[str, tuple[str, ...]]  # and their symbols
    actors: tuple[str, ...]
    orders: tuple[str, ...]
    tunables: tuple[str, ...]


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
