"""Gate: carries every wish past the rules of risk/gate.py, with the freshest state it has heard."""

from collections.abc import Callable
from datetime import date
from typing import Any, ClassVar

from msgspec.structs import replace

from actors.agreement import Agreement
from actors.messages import (
    Awoke,
    Blackouts,
    BreakerChanged,
    ByHand,
    EntryTaken,
    InvariantBroken,
    MacroWindow,
    Mark,
    OrderChanged,
    PositionChanged,
    Reconciled,
    SectorCounts,
    Stated,
    StreamState,
    TradingState,
    Tuned,
    Watched,
)
from config.tuning import Key, changed, tuned_risk
from risk.day_trades import DayTraded
from risk.gate import judge
from risk.gate_state import GateState, entry_taken, order_moved, with_limits
from risk.intent import Approved, Cancel, Intent, Refused, Reprice
from risk.invariants import Checks
from risk.session import with_close
from supervisor.mailbox import Hears, latest
from venues.market import Instrument, SessionMoved


class Gate:
    """The mind: one state, replaced as things are heard; one judge."""

    hears: ClassVar[tuple[Hears, ...]] = (
        Hears(TradingState),
        Hears(Reconciled),
        Hears(Watched),
        Hears(Awoke),  # behind what was said before it
        Hears(StreamState),
        Hears(Blackouts),
        Hears(MacroWindow),
        Hears(PositionChanged),
        Hears(Stated),
        Hears(ByHand),
        Hears(OrderChanged),
        Hears(EntryTaken),
        Hears(DayTraded),
        Hears(SectorCounts),
        Hears(BreakerChanged),
        Hears(SessionMoved),
        Hears(Tuned),
        Hears(Cancel),
        Hears(Reprice),
        Hears(Intent),
        latest(Mark),
    )
    says: ClassVar[tuple[type, ...]] = (Approved, Refused, InvariantBroken)

    def __init__(self, state: GateState, checks: Checks | None = None):
        self.state = state
        self.base = state.limits  # as it was started with
        self.tuned: dict[Key, str] = {}
        self.agreement = Agreement("gate", checks)
        self.hearers: dict[type, Callable[[Any], None]] = {
            Mark: self._mark,
            OrderChanged: self._order,
            EntryTaken: self._entry,
            DayTraded: lambda m: self._set(day_trades=self.state.day_trades | {(m.symbol, m.at_ns)}),
            PositionChanged: self._position,
            ByHand: lambda m: self.state.by_hand.__setitem__(m.symbol, m.lots),
            StreamState: self._stream,
            BreakerChanged: lambda m: self._set(breaker=m.breaker),
            TradingState: lambda m: self.state.trading.__setitem__(m.engine, m.state),
            Reconciled: self._reconciled,
            Watched: lambda m: self._set(watched_until_ns=m.until_ns, unwatched=m.reason),
            Awoke: self._awoke,
            MacroWindow: lambda m: self._set(macro_shut=m.shut, macro_event=m.event),
            Blackouts: lambda m: self._set(blackouts=m.symbols),
            SessionMoved: self._session,
            Tuned: self._tune,
            SectorCounts: lambda m: self._set(sector_members=m.members),
        }

    def hear(self, message: Any) -> tuple[Approved[Any] | Refused[Any] | InvariantBroken, ...]:
        hearer = self.hearers.get(type(message))
        if hearer is not None:
            hearer(message)
            return ()
        if type(message) is Stated:
            return self.agreement.compare(message, self.state.positions)
        verdict, self.state = judge(message, self.state, message.at_ns)
        return (verdict,)

    def _set(self, **changes: Any) -> None:
        self.state = replace(self.state, **changes)

    def _reconciled(self, verdict: Reconciled) -> None:
        compared = self.state.compared or verdict.ok
        awoke = self.state.awoke and not verdict.ok
        self._set(reconciled=verdict.ok, reconciled_reason=verdict.reason, compared=compared, awoke=awoke)

    def _awoke(self, awoke: Awoke) -> None:
        why = f"away for {awoke.away_s:.0f} s: a dead man may have cancelled what rested"
        self._set(reconciled=False, reconciled_reason=why, awoke=True)

    def _session(self, moved: SessionMoved) -> None:
        self._set(calendar=with_close(self.state.calendar, date.fromisoformat(moved.day), moved.closes_ns))

    def _tune(self, tuned: Tuned) -> None:
        if tuned.engine == self.state.engine:
            self.tuned = changed(self.tuned, tuned.key, tuned.value)
            self.state = with_limits(self.state, tuned_risk(self.base, self.tuned))

    def _mark(self, mark: Mark) -> None:
        instrument: Instrument | None = self.state.instruments.get(mark.symbol)
        if instrument is not None:
            self.state.marks[mark.symbol] = (mark.bid + mark.ask) / 2 / float(instrument.tick)

    def _position(self, changed: PositionChanged) -> None:
        self.state.positions[changed.symbol] = changed.lots

    def _order(self, changed: OrderChanged) -> None:
        self.state = order_moved(self.state, changed)

    def _entry(self, taken: EntryTaken) -> None:
        self.state = entry_taken(self.state, taken.intent_id, taken.at_ns)

    def _stream(self, stream: StreamState) -> None:
        fresh = self.state.fresh
        self._set(fresh=fresh | {stream.symbol} if stream.fresh else fresh - {stream.symbol})
