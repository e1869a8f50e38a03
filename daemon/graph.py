"""The graph: one tuple of children is the system, in start order; they stop in reverse.

What must know before others may act starts first: the ledger recovers from the journal, the guards take up their
latches. The feed starts last, when everyone who hears a book is there, and the reconciler opens the gate when it has
looked.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import partial
from itertools import count
from pathlib import Path
from typing import Any

from msgspec.structs import replace

from actors import messages as m
from actors.account import Account
from actors.auditor import Auditor
from actors.bars import Bars
from actors.calendar_feed import CalendarFeed, CalendarSource
from actors.circuit_breaker import CircuitBreaker
from actors.control import Control, Door
from actors.executor import Executor, ExecutorMind
from actors.feed import Feed, FeedMind, History, Stream
from actors.gate import Gate
from actors.given_bars import BarFeed, BarSource, GivenBars
from actors.ledger_checks import CheckedLedger, CheckedMind
from actors.macro_calendar import MacroCalendar, Readings
from actors.maker_watchdog import MakerWatchdog
from actors.obi_pump import ObiPump
from actors.reconciler import Reconciler, ReconcilerMind, Told
from actors.recorder import Recorder, Sink
from actors.sector_guard import SectorGuard
from actors.signal import Signal
from actors.symbol_state import Flattened
from config.errors import ConfigError
from config.macro import MacroCalendar as MacroTable
from config.profile import Profile
from risk.day_trades import DayTraded
from risk.gate_state import GateState, new_state
from risk.intent import Approved, Cancel, Intent, Refused, Reprice
from risk.invariants import Checks
from risk.ledger.postings import Deposit, LedgerUnbalanced
from risk.session import SessionCalendar, session_at
from supervisor.actor import Body, MindBody
from supervisor.child import ChildSpec, Restart, SupervisorSpec
from supervisor.clock import NS_PER_S
from supervisor.draws import identity
from supervisor.journal import JournalDamaged, JournalUnwritable
from supervisor.mailbox import Hears, latest
from supervisor.messages import ChildCrashed, ChildStarted, DeadLetter, GaveUp, Tick
from venues.market import Bar, Book, CalendarRead, Fill, FundingPaid, Instrument, MoneyMoved, SessionMoved, Trade
from venues.venue import Venue

RESTARTS_MAX = 4
WITHIN_S = 30.0
"""The fifth crash of one actor in half a minute is not bad luck: trading stops and a person is needed."""

START_S = 30.0
HISTORY_S = 150.0
"""How long an actor may take to be ready. The feed is when it has what history a venue gives at once, or makes."""

DEADLINE_S, LOOK_S_MAX = 5.0, 15.0
"""An actor that has not touched a message for so long is late. The reconciler waits for a venue's answers, and reads
on between two of them: each may take ten seconds (actors.reconciler.ANSWER_S_MAX), behind a pause of two."""

DAY_NS = 86_400 * NS_PER_S
FROM_OUTSIDE = (
    *(Tick, ChildStarted, ChildCrashed, DeadLetter, GaveUp),
    *(CalendarRead, m.Command, m.Tune, m.TradingState, m.InvariantBroken, m.Watched, m.Awoke),
)
"""What comes from the supervisor, from timers and from the end of a run."""

DECISIONS: tuple[type, ...] = (
    m.TierChanged,
    Intent,
    Reprice,
    Cancel,
    Approved,
    Refused,
    m.OrderPlanned,
    m.OrderChanged,
    m.OrderFaulted,
    m.Unanswered,
    Fill,
    FundingPaid,
    MoneyMoved,
    SessionMoved,
    m.PositionChanged,
    m.BalanceChanged,
    m.TradingState,
    m.MacroWindow,
    m.Blackouts,
    m.Drift,
    m.HeldOutside,
    m.Reconciled,
    m.Tuned,
    Bar,
)
"""What the digest is taken over: everything that was decided, done or learnt about our orders and our money."""

TOLD: tuple[type, ...] = (
    *DECISIONS,
    m.CalendarState,
    m.BookRefused,
    m.StreamState,
    m.StreamEnded,
    m.SectorCounts,
    m.ByHand,
    m.CapitalChanged,
    m.CashDrift,
    m.TradingLatched,
    DayTraded,
    m.InvariantBroken,
    m.Awoke,
    m.Command,
    ChildStarted,
    ChildCrashed,
    DeadLetter,
    GaveUp,
)
"""What the recorder hears one by one; of marks it hears the newest."""


@dataclass(frozen=True, slots=True, kw_only=True)
class EngineParts:
    """What one engine is made of."""

    profile: Profile
    instruments: Mapping[str, Instrument]
    venue: Venue
    streams: Mapping[str, Stream]  # by symbol; they outlive the feed
    bar_sources: Mapping[str, BarSource] = field(default_factory=dict)  # by the names in profile.bars
    account: str = ""  # that others may trade too; empty: its own


@dataclass(frozen=True, slots=True, kw_only=True)
class Parts:
    """What the whole graph is made of."""

    engines: Mapping[str, EngineParts]
    journal: Path
    run_id: str
    looked_ns: int  # what the venues filled before this is booked
    deposits: tuple[Deposit, ...]  # the opening balances of simulated accounts, booked once
    sinks: Sequence[Sink]
    door: Door
    calendar: SessionCalendar
    macro: MacroTable
    calendars: Sequence[CalendarSource] = ()  # asked beside the table
    reports: Sequence[CalendarRead] = ()  # known without asking
    companies: Mapping[str, tuple[str, ...]] = field(default_factory=dict)  # whose reports matter: their symbols
    record_market: bool = False
    ledger_mind: Callable[[Mapping[str, float], Checks], CheckedMind] = CheckedMind
    checks: Checks = field(default_factory=Checks)  # of invariants; they outlive the actors that look
    watched: bool = False  # entries wait for a dead man


def build(parts: Parts) -> SupervisorSpec:
    """The system."""
    children = [*shared(parts)]
    for engine in parts.engines:
        children += engine_children(parts, engine)
    return SupervisorSpec(name="obid", children=tuple(children))


def shared(parts: Parts) -> tuple[ChildSpec, ...]:
    """The actors that all engines have in common: one risk book."""
    profiles = {engine: part.profile for engine, part in parts.engines.items()}
    instruments = {engine: part.instruments for engine, part in parts.engines.items()}
    every = [one for known in instruments.values() for one in known.values()]
    dust = {engine: profile.risk.dust_lots for engine, profile in profiles.items()}
    sectors = {one.symbol: one.sector for one in every}
    accounts = {engine: part.account or engine for engine, part in parts.engines.items()}
    limits = {engine: profile.risk for engine, profile in profiles.items()}
    strictest = min((profile.macro for profile in profiles.values()), key=lambda macro: macro.when_degraded == "trade")
    checks = parts.checks
    readings: Readings = {(read.source, read.kind): read for read in parts.reports}  # outlive the mind
    return (
        recorder(parts),
        child(
            "ledger",
            CheckedLedger,
            lambda: CheckedLedger(parts.journal, partial(parts.ledger_mind, dust, checks), parts.deposits, checks),
        ),
        child("auditor", Auditor, lambda: MindBody(Auditor(checks))),
        child(
            "circuit_breaker",
            CircuitBreaker,
            lambda: MindBody(CircuitBreaker(limits, instruments, accounts, checks)),
        ),
        child(
            "macro_calendar",
            MacroCalendar,
            lambda: MindBody(MacroCalendar(parts.macro, strictest, parts.companies, readings)),
        ),
        *(
            child(f"calendar_of_{source.name}_{source.kind}", CalendarFeed, partial(CalendarFeed, source))
            for source in parts.calendars
        ),
        child("sector_guard", SectorGuard, lambda: MindBody(SectorGuard(sectors, dust))),
        child("control", Control, lambda: Control(parts.door)),
    )


def engine_children(parts: Parts, engine: str) -> tuple[ChildSpec, ...]:
    """The actors of one engine."""
    part = parts.engines[engine]
    profile, instruments, venue = part.profile, part.instruments, part.venue
    intents, orders = new_ids(parts.run_id, engine, "intent"), new_ids(parts.run_id, engine, "order")
    window = max(profile.signal.window_bars, profile.signal.trend_bars)
    days = session_of_day(profile, parts.calendar)
    history = History(DAY_NS if profile.signal.daily else profile.signal.bar_s * NS_PER_S, window)
    feed_says = (*Feed.says, Trade) if parts.record_market else Feed.says
    expires = venue.capabilities.expires
    told = Told(parts.looked_ns)  # outlives the reconciler
    flattened = Flattened()  # outlives the signal
    names = {source: given for source, given in profile.bars_given().items() if source in part.bar_sources}
    given = frozenset(symbol for symbols in names.values() for symbol in symbols)
    bars = (
        child("bars", GivenBars, lambda: MindBody(GivenBars(engine, profile.signal.bar_s, window, given)), engine)
        if given
        else child("bars", Bars, lambda: MindBody(Bars(engine, profile.signal.bar_s, window, days)), engine)
    )
    bar_feeds = [
        child(
            f"bars_of_{source}",
            BarFeed,
            partial(BarFeed, part.bar_sources[source], names[source], history),
            engine,
            restart=Restart.TRANSIENT,  # a source may end
        )
        for source in names
    ]
    return (
        child("gate", Gate, lambda: MindBody(Gate(gate_state(parts, part), parts.checks)), engine),
        child("executor", Executor, lambda: Executor(ExecutorMind(engine, orders, expires=expires), venue), engine),
        child("account", Account, lambda: Account(venue), engine),
        child("maker_watchdog", MakerWatchdog, lambda: MindBody(MakerWatchdog(profile, instruments)), engine),
        child(
            "signal",
            Signal,
            lambda: MindBody(Signal(profile, instruments, intents, parts.calendar, flattened=flattened)),
            engine,
        ),
        bars,
        child("obi_pump", ObiPump, lambda: MindBody(ObiPump()), engine),
        child(
            "reconciler",
            Reconciler,
            lambda: Reconciler(ReconcilerMind(engine), venue, told, profile.reconcile),
            engine,
            deadline_s=LOOK_S_MAX,
        ),
        child(
            "feed",
            Feed,
            lambda: Feed(
                FeedMind(engine, part.streams, profile.feed.stale_ms),
                venue,
                history,
                trades=parts.record_market,
                given=given,
            ),
            engine,
            says=feed_says,
            restart=Restart.TRANSIENT,  # it ends when the data does
            start_s=HISTORY_S,
        ),
        *bar_feeds,
    )


def gate_state(parts: Parts, part: EngineParts) -> GateState:
    """A gate at its start."""
    state = new_state(part.profile, part.instruments.values(), parts.calendar)
    return replace(state, watched_until_ns=0) if parts.watched else state


def child(
    name: str,
    kind: Any,
    start: Callable[[], Body],
    engine: str = "",
    *,
    says: tuple[type, ...] | None = None,
    restart: Restart = Restart.PERMANENT,
    start_s: float = START_S,
    deadline_s: float = DEADLINE_S,
) -> ChildSpec:
    """One actor, with what its class says of itself."""
    return ChildSpec(
        name=name,
        start=start,
        engine=engine,
        hears=kind.hears,
        says=kind.says if says is None else says,
        paced=getattr(kind, "paced", False),
        restart=restart,
        start_s=start_s,
        deadline_s=deadline_s,
        restarts_max=RESTARTS_MAX,
        within_s=WITHIN_S,
        fatal=(JournalUnwritable, JournalDamaged, LedgerUnbalanced, ConfigError),  # a wrong key stays wrong
    )


RECORDER_SIZE_MAX = 65_536
"""Messages of one type that may wait for the recorder: the bars of three universes at once, and then some."""


def recorder(parts: Parts) -> ChildSpec:
    """The recorder hears all that anybody says, books and trades only where the market is recorded."""
    market = (Book, Trade) if parts.record_market else ()
    hears = tuple(Hears(message, size_max=RECORDER_SIZE_MAX) for message in (*TOLD, *market))
    spec = child("recorder", Recorder, lambda: MindBody(Recorder(parts.sinks)))
    return replace(spec, hears=(*Recorder.hears, *hears, latest(m.Mark)))


def new_ids(run_id: str, engine: str, purpose: str) -> Callable[[], str]:
    """Ids that are functions of the run and a counter; the counter outlives the actor that draws from it."""
    numbers = count(1)
    return lambda: identity(run_id, f"{engine}/{purpose}", next(numbers))


def session_of_day(profile: Profile, calendar: SessionCalendar) -> Callable[[int], tuple[int, int] | None] | None:
    """The session that holds a time, for engines whose window counts days."""
    if not profile.signal.daily:
        return None

    def session(at_ns: int) -> tuple[int, int] | None:
        found = session_at(at_ns, calendar)
        return (found.opens_ns, found.closes_ns) if found is not None else None

    return session
