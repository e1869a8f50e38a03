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


class Stale(StrEnum):
    """Why a symbol's market data does not count as fresh."""

    OLD = "old"  # no book that says anything new for too long, or none yet
    FROZEN = "frozen"  # the touches of all symbols stand still
    DEAF = "deaf"  # the venue may not hear it in full, or cannot time it (`Venue.deaf`), its account's stream included
    UNLEARNT = "unlearnt"  # its history is not there yet: venues limit how many may be asked for in a minute


class StreamState(Struct, frozen=True):
    """A symbol's market data went stale or came back; age is since a book was received that said anything new."""

    engine: str
    symbol: str
    fresh: bool
    age_ms: int
    at_ns: int
    why: Stale | None = None  # it is not fresh


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
    symbol: str


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
    fill_id: str = ""  # of the fill that was booked; empty where a position is said again


class ByHand(Struct, frozen=True):
    """How many lots of a position no order of ours made: traded by hand, or adopted; 0: none any more."""

    engine: str
    symbol: str
    lots: int
    at_ns: int


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


class TradingLatched(Struct, frozen=True):
    """A trading state is on disk, so it outlives this process: only now may an operator be shown it."""

    trading: TradingState
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


class BooksAsked(Struct, frozen=True):
    """A question to the ledger: is all that was put to it before this on disk?"""

    engine: str
    number: int
    looked_ns: int = 0  # all that the venue filled before is booked


class VenueLooked(Struct, frozen=True):
    """A record: all that a venue filled before `looked_ns` is booked, from there on the next run has to ask."""

    engine: str
    looked_ns: int
    at_ns: int


class BooksTold(Struct, frozen=True):
    """The ledger's answer: what was put to it before the question is on disk, and what came of it has been said."""

    engine: str
    number: int


class Watched(Struct, frozen=True):
    """A dead man watches: entries may pass until then. Said each second; when it is not said, the time runs out."""

    until_ns: int
    reason: str  # why nobody does, where `until_ns` is past
    at_ns: int


class Awoke(Struct, frozen=True):
    """The process, or its voice to its dead man, was away for so long that its orders may have been swept."""

    away_s: float
    at_ns: int
    why: str = "nothing ran"


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
    as_of_ns: int = 0  # what the venue filled until then is in venue_lots, whenever it is told


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


class Change(Struct, frozen=True, kw_only=True):
    """A change of a value while the engine runs."""

    engine: str
    name: str  # z_entry, notional_usd, daily_loss_usd ...
    symbol: str  # empty: for all of the engine's
    value: str  # as text; empty: as it was without this change
    source: str  # operator, or file: a `reload` has read it there
    keep: bool  # holds after a restart too
    reason: str
    at_ns: int

    @property
    def key(self) -> tuple[str, str, str]:
        """What it is a change of (config.tuning.Key)."""
        return self.source, self.name, self.symbol


class Tune(Change, frozen=True, kw_only=True):
    """A change of a value while the engine runs: checked, and on its way to the journal (config.tuning)."""


class Tuned(Change, frozen=True, kw_only=True):
    """A value was changed while the engine runs, and that is on disk; from here on decisions follow it."""


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


class Stated(Struct, frozen=True):
    """What the ledger holds of one engine, said every half minute: who keeps positions too compares."""

    engine: str
    lots: dict[str, int]  # symbol -> signed lots, of what is not flat
    at_ns: int


class InvariantBroken(Struct, frozen=True):
    """Something does not hold that always must: a mistake of ours. Everything is halted until a person has looked."""

    engine: str  # that it concerns; empty: all, or nobody knows
    invariant: str  # of risk.invariants.Invariant
    what: str
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
