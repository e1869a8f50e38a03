"""What actors say to each other. What the outside says is in venues/market.py, what risk answers in risk/intent.py."""

from enum import StrEnum

from msgspec import Struct

from risk.circuit_breaker import Breaker
from risk.intent import Trading
from risk.order import OrderState
from venues.market import BOOK_DEPTH, Bar, Instrument, OrderRequest, Side, TimeInForce


class Imbalance(Struct, frozen=True, gc=False):
    """Order-book imbalance of one book at three depths, with the touch it was read from. obi is in (-1, 1)."""

    symbol: str
    at_ns: int
    received_ns: int
    bid: float
    ask: float
    obi_1: float
    obi_5: float
    obi_20: float
    facade: bool  # levels 1-5 and 6-20 lean opposite ways
    depth: int = BOOK_DEPTH  # levels of a side that were known: obi at more levels than that is of what there was


class BookRefused(Struct, frozen=True):
    """The feed threw a book away; whoever holds an older one must not act on it."""

    symbol: str
    reason: str  # empty, one_sided, crossed, backwards
    at_ns: int


class StreamState(Struct, frozen=True):
    """A symbol's market data went stale or came back; age is since a book was received that said anything new.

    Stale is also what the venue may not hear in full, or cannot time (`Venue.deaf`), the account's stream included.
    """

    engine: str
    symbol: str
    fresh: bool
    age_ms: int
    at_ns: int


class BarHistory(Struct, frozen=True):
    """Closed bars that fill a strategy's windows at start, oldest first."""

    engine: str
    symbol: str
    bars: tuple[Bar, ...]


class BarGiven(Struct, frozen=True):
    """A closed bar out of another source than the venue's books."""

    bar: Bar


class TierChanged(Struct, frozen=True, kw_only=True):
    """A symbol was measured at the start and got other thresholds of z than its category has unmeasured."""

    engine: str
    symbol: str
    category: str
    rmsd: float  # per cent of the mean price, brought to a week of 4 h closes
    bars: int  # that it was measured over
    z_entry: float
    z_exit: float
    z_entry_before: float
    z_exit_before: float
    at_ns: int  # end of the last of those bars


class OrderPlanned(Struct, frozen=True):
    """An approved order that must be on disk before it may be sent."""

    engine: str
    order: OrderRequest
    entry: bool
    at_ns: int


class Journaled(Struct, frozen=True):
    """The planned order is durable: send it."""

    engine: str
    order_id: str


class OrderChanged(Struct, frozen=True):
    """An order moved in its life cycle, or filled some more."""

    engine: str
    order_id: str
    intent_id: str
    symbol: str
    side: Side
    state: OrderState
    lots: int
    lots_filled: int
    ticks: int
    time_in_force: TimeInForce
    entry: bool
    reason: str
    fence_ns: int  # after this the venue would refuse the order: "not found" is proof; 0: never
    at_ns: int


class EntryTaken(Struct, frozen=True):
    """A venue has taken the first order of an entry in; of these there may be a cap a day, of refused ones not."""

    engine: str
    intent_id: str
    symbol: str
    at_ns: int


class PositionChanged(Struct, frozen=True):
    """A fill changed a position. lots are signed; entry_ticks is the average cost of what is open, 0 when flat."""

    engine: str
    symbol: str
    lots: int
    entry_ticks: float
    realised_minor: int  # of this change
    opened_ns: int  # when the position last left flat
    at_ns: int
    cost_minor: int = 0  # of what is open, with the sign of lots


class BalanceChanged(Struct, frozen=True):
    """Money of one engine's account after a posting, in minor units; equity adds the marks."""

    engine: str
    cash_minor: int
    inventory_minor: int  # cost of spot holdings, zero for perpetuals
    realised_minor: int  # since the start of the journal
    fees_minor: int
    funding_minor: int
    at_ns: int


class CapitalChanged(Struct, frozen=True):
    """Money came into an account (positive) or left it, and is booked: baselines of profit and loss move with it."""

    engine: str
    amount_minor: int
    kind: str  # deposit, withdraw, accountClassTransfer ...: the venue's word
    at_ns: int


class CashDrift(Struct, frozen=True):
    """The venue has other cash than the books for minutes, though orders and positions agree. Nothing was booked."""

    engine: str
    venue_minor: int
    ledger_minor: int
    at_ns: int


SHUTDOWN = "shutdown"
"""Who sets a trading state that ends with the process: it is not kept on disk, and nothing new is wanted under it."""


class TradingState(Struct, frozen=True):
    """The trading state of one engine, or of all when engine is empty; latched on disk, lifted by the operator."""

    engine: str
    state: Trading
    reason: str
    by: str  # operator, circuit_breaker, supervisor, shutdown
    at_ns: int


class MacroWindow(Struct, frozen=True):
    """A scheduled release is near: entries freeze and resting orders are cancelled until it is over."""

    shut: bool
    event: str
    until_ns: int
    degraded: bool  # the calendar is missing or stale, and policy says to stay shut
    at_ns: int


class Blackouts(Struct, frozen=True):
    """Symbols that may not be entered because a company reports, or because nobody knows whether it does."""

    symbols: dict[str, str]  # symbol -> why
    at_ns: int


class CalendarState(Struct, frozen=True):
    """How a source of the calendar is; said when it changes. What it said before holds on for a day."""

    source: str
    kind: str  # releases, reports
    ok: bool
    reason: str  # why not
    events: int  # that it knows
    until_ns: int  # it knows all before; 0: it only adds to others
    at_ns: int


class SectorCounts(Struct, frozen=True):
    """How many positions and entries under way each sector holds, over all engines."""

    counts: dict[str, int]
    members: dict[str, str]  # symbol -> sector, of those that count
    at_ns: int


class HeldOutside(Struct, frozen=True):
    """A position that its session's close was to find flat is still there; it is left when the session opens again."""

    engine: str
    symbol: str
    lots: int
    opens_ns: int  # of the next session; 0: the calendar does not reach so far
    at_ns: int


class Reconciled(Struct, frozen=True):
    """Venue, ledger and orders were compared; entries may pass when ok."""

    engine: str
    ok: bool
    orders: int
    positions: int
    drifts: int
    reason: str
    at_ns: int


class Drift(Struct, frozen=True):
    """The venue holds something else than the ledger; the venue is right, and this is what was done about it.

    The ledger books the difference as a fill of nobody's order, unless a fill that was on its way came first.
    """

    engine: str
    symbol: str
    venue_lots: int
    ledger_lots: int
    action: str
    at_ns: int
    ticks: int = 0  # what the difference is booked at


class Order(StrEnum):
    """What an operator can order through the control socket."""

    PAUSE = "pause"
    RESUME = "resume"
    REDUCE = "reduce"
    HALT = "halt"
    FLATTEN = "flatten"
    CANCEL = "cancel"


class Command(Struct, frozen=True):
    """An operator's order; empty engine or symbol means all of them."""

    order: Order
    engine: str
    symbol: str
    reason: str
    at_ns: int
    order_id: str = ""  # of a cancel: this one alone


class StreamEnded(Struct, frozen=True):
    """A venue's market data is over (a recording, a bounded run); there will be no more books."""

    engine: str
    reason: str
    at_ns: int


class CancelSent(Struct, frozen=True):
    """A cancel or replace of a resting order is under way."""

    engine: str
    order_id: str
    at_ns: int


class Unanswered(Struct, frozen=True):
    """The venue's answer to an order was lost: it may exist. Not found is proof only after `fence_ns`; 0: never."""

    engine: str
    order_id: str
    fence_ns: int
    error: str
    at_ns: int


class Mark(Struct, frozen=True, gc=False):
    """The touch of a symbol, said once a second if it moved: what risk needs, apart from the tick path."""

    symbol: str
    at_ns: int
    bid: float
    ask: float


class Restated(Struct, frozen=True):
    """The ledger has said again all it knows, for a child that has just started: positions, orders, latches."""

    engine: str
    child: str


class BreakerChanged(Struct, frozen=True):
    """The circuit breaker of one engine after a reading: the gate holds new risk against it, and it is journaled."""

    engine: str
    breaker: Breaker
    at_ns: int


class OrderFaulted(Struct, frozen=True):
    """Something was said of an order that cannot be: the order stays as it was, and a person should look."""

    engine: str
    order_id: str
    error: str
    at_ns: int


class RunStarted(Struct, frozen=True, kw_only=True):
    """The first record of every run in the journal."""

    number: int  # of runs on this data directory, from 1
    run_id: str
    mode: str
    seed: int
    version: str
    engines: tuple[str, ...]
    instruments: tuple[Instrument, ...]  # what lots and ticks of this run's records mean
    at_ns: int
