"""What the gate knows when it is asked: one value, replaced by the gate actor as it hears of changes.

It starts closed: not reconciled, nothing fresh, no calendar heard, no equity seen, so that entries wait for all of it.
The actor may put into its dicts (positions, marks, trading, sectors, entries); `judge` never does.
"""

from collections.abc import Iterable, Mapping
from math import nan
from typing import Protocol

from msgspec import Struct, field
from msgspec.structs import replace

from config.profile import Profile, RiskLimits
from risk.circuit_breaker import Breaker, BreakerLimits, account_day, breaker_limits
from risk.intent import Trading
from risk.order import OVER, OrderState
from risk.rate import RateBucket
from risk.session import SessionCalendar
from venues.market import Instrument, Side

ALL_ENGINES = ""
"""The engine of a trading state that holds for every engine."""

ORDERLESS_NS_MAX = 30 * 1_000_000_000
"""An approval without an order counts for so long. The executor plans in milliseconds and is back from a crash in
seconds; a mark that never expired would bar its symbol for ever."""


class UnderWay(Struct, frozen=True):
    """What is unfilled of an intent that risk approved and that is not over: it counts as if it were filled."""

    symbol: str
    lots: int  # signed
    entry: bool
    order_id: str = ""  # the newest order that serves it; empty until the executor has made one
    approved_ns: int = 0  # when the gate approved it
    others: frozenset[str] = frozenset()  # orders that serve it too and are not over: one replaces another

    def lost(self, at_ns: int) -> bool:
        """Whether it was approved and no order ever came of it."""
        return not self.order_id and at_ns - self.approved_ns > ORDERLESS_NS_MAX


class OrderFacts(Protocol):
    """What `order_moved` needs of the message that an order moved (actors.messages.OrderChanged has it)."""

    @property
    def order_id(self) -> str:
        """Ours."""

    @property
    def intent_id(self) -> str:
        """The intent it serves."""

    @property
    def symbol(self) -> str:
        """The venue's name."""

    @property
    def side(self) -> Side:
        """Which way."""

    @property
    def state(self) -> OrderState:
        """Where it is in its life."""

    @property
    def lots(self) -> int:
        """Ordered, over the chain of replaced orders."""

    @property
    def lots_filled(self) -> int:
        """Filled, over the same chain."""

    @property
    def entry(self) -> bool:
        """Whether it adds risk."""


class GateState(Struct, frozen=True, kw_only=True):
    """One engine as its gate sees it."""

    engine: str
    limits: RiskLimits
    instruments: dict[str, Instrument]
    symbols: frozenset[str]  # what may be entered
    calendar: SessionCalendar
    breaker_limits: BreakerLimits
    rate: RateBucket
    breaker: Breaker = Breaker()
    trading: dict[str, Trading] = field(default_factory=dict)  # by engine; "" is all of them
    reconciled: bool = False
    reconciled_reason: str = "not reconciled yet"
    compared: bool = False  # venue and ledger agreed once since the start: what is held here is held there
    watched_until_ns: int | None = None  # a dead man watches till then; None: none is asked for
    unwatched: str = "no dead man was heard of yet"  # why none does
    awoke: bool = False  # was away, and venue and ledger were not compared since
    fresh: frozenset[str] = frozenset()  # symbols whose stream is fresh
    macro_shut: bool = True
    macro_event: str = "no calendar heard yet"
    blackouts: dict[str, str] = field(default_factory=dict)  # symbol -> why; heard before the window first opens
    positions: dict[str, int] = field(default_factory=dict)  # signed lots, from fills alone
    quarantine: bool = False  # what was traded by hand is left to a person
    by_hand: dict[str, int] = field(default_factory=dict)  # signed lots of positions that no order of ours made
    marks: dict[str, float] = field(default_factory=dict)  # mid price in ticks
    under_way: dict[str, UnderWay] = field(default_factory=dict)  # by intent id
    entries: dict[str, int] = field(default_factory=dict)  # intent id -> when a venue took it in; of today, or older
    day_trades: frozenset[tuple[str, int]] = frozenset()  # symbol, when: of this week, or older
    sector_members: dict[str, str] = field(default_factory=dict)  # symbol -> sector, over all engines
    reducing: bool = False  # |net| went past reduce_on and is not below reduce_off again

    def trading_now(self) -> Trading:
        """The stricter of what holds for this engine and for all."""
        return trading_of(self.trading, self.engine)

    def mark(self, symbol: str) -> float:
        """Mid price in ticks; nan when there is none."""
        return self.marks.get(symbol, nan)


STRICTNESS = {Trading.ACTIVE: 0, Trading.REDUCING: 1, Trading.HALTED: 2}


def trading_of(trading: Mapping[str, Trading], engine: str) -> Trading:
    """The stricter of what holds for an engine and for all, of states by engine; unsaid is ACTIVE."""
    states = (trading.get(ALL_ENGINES, Trading.ACTIVE), trading.get(engine, Trading.ACTIVE))
    return max(states, key=STRICTNESS.__getitem__)


def new_state(
    profile: Profile, instruments: Iterable[Instrument], calendar: SessionCalendar, day_roll_hour_utc: int = 0
) -> GateState:
    """A gate at its start: closed to entries until everything they need was heard."""
    risk = profile.risk
    known = {instrument.symbol: instrument for instrument in instruments}
    return GateState(
        engine=profile.engine,
        limits=risk,
        instruments=known,
        symbols=frozenset(profile.symbols) & known.keys(),
        calendar=calendar,
        breaker_limits=breaker_limits(risk, day_roll_hour_utc),
        quarantine=profile.reconcile.by_hand == "quarantine",
        rate=RateBucket(per_minute=risk.orders_per_minute, burst=risk.orders_burst),
    )


def with_limits(state: GateState, limits: RiskLimits) -> GateState:
    """The state under other bounds; what was granted of the order rate stays granted."""
    return replace(
        state,
        limits=limits,
        breaker_limits=breaker_limits(limits, state.breaker_limits.day_roll_hour_utc),
        rate=replace(state.rate, per_minute=limits.orders_per_minute, burst=limits.orders_burst),
    )


def without_lost(state: GateState, at_ns: int) -> GateState:
    """The state without approvals that no order came of."""
    if not any(what.lost(at_ns) for what in state.under_way.values()):
        return state
    alive = {intent: what for intent, what in state.under_way.items() if not what.lost(at_ns)}
    return replace(state, under_way=alive)


def entry_taken(state: GateState, intent_id: str, at_ns: int) -> GateState:
    """The state with one entry more that a venue has taken in; those of earlier days are dropped."""
    day = entry_day(state, at_ns)
    kept = {intent: taken_ns for intent, taken_ns in state.entries.items() if entry_day(state, taken_ns) >= day}
    return replace(state, entries=kept | {intent_id: at_ns})


def entry_day(state: GateState, at_ns: int) -> int:
    """The account day that an entry counts for."""
    return account_day(at_ns, state.breaker_limits.day_roll_hour_utc)


def order_moved(state: GateState, order: OrderFacts) -> GateState:
    """Keep what is under way in step with an order that moved.

    An intent lives on in the order that replaced another, so the end of the replaced one does not end the intent; and
    an intent approved a moment ago has no order yet, so that whatever is said under its id is said of its first one.
    """
    known = state.under_way.get(order.intent_id)
    rest = {intent: what for intent, what in state.under_way.items() if intent != order.intent_id}
    others = (known.others | {known.order_id}) - {"", order.order_id} if known is not None else frozenset[str]()
    if order.state not in OVER:
        lots = order.side.sign * (order.lots - order.lots_filled)
        now = UnderWay(order.symbol, lots, order.entry, order.order_id, others=others)
        return replace(state, under_way=rest | {order.intent_id: now})
    if known is None:
        return state
    if others:  # a replace is told before the order that it replaces goes, and that one may be over first
        newest = known.order_id if known.order_id in others else min(others)
        now = replace(known, order_id=newest, others=others - {newest})
        return replace(state, under_way=rest | {order.intent_id: now})
    return replace(state, under_way=rest)
