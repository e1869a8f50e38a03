"""Gate: carries every wish past the rules of risk/gate.py, with the freshest state it has heard."""

from collections.abc import Callable
from datetime import date
from typing import Any, ClassVar

from msgspec.structs import replace

from actors.messages import (
    Blackouts,
    BreakerChanged,
    EntryTaken,
    MacroWindow,
    Mark,
    OrderChanged,
    PositionChanged,
    Reconciled,
    SectorCounts,
    StreamState,
    TradingState,
)
from risk.day_trades import DayTraded
from risk.gate import judge
from risk.gate_state import GateState, entry_taken, order_moved
from risk.intent import Approved, Cancel, Intent, Refused, Reprice
from risk.session import with_close
from supervisor.mailbox import Hears, latest
from venues.market import Instrument, SessionMoved


class Gate:
    """The mind: one state, replaced as things are heard; one judge."""

    hears: ClassVar[tuple[Hears, ...]] = (
        Hears(TradingState),
        Hears(Reconciled),
        Hears(StreamState),
        Hears(Blackouts),
        Hears(MacroWindow),
        Hears(PositionChanged),
        Hears(OrderChanged),
        Hears(EntryTaken),
        Hears(DayTraded),
        Hears(SectorCounts),
        Hears(BreakerChanged),
        Hears(SessionMoved),
        Hears(Cancel),
        Hears(Reprice),
        Hears(Intent),
        latest(Mark),
    )
    says: ClassVar[tuple[type, ...]] = (Approved, Refused)

    def __init__(self, state: GateState):
        self.state = state
        self.hearers: dict[type, Callable[[Any], None]] = {
            Mark: self._mark,
            OrderChanged: self._order,
            EntryTaken: self._entry,
            DayTraded: lambda m: self._set(day_trades=self.state.day_trades | {(m.symbol, m.at_ns)}),
            PositionChanged: self._position,
            StreamState: self._stream,
            BreakerChanged: lambda m: self._set(breaker=m.breaker),
            TradingState: lambda m: self.state.trading.__setitem__(m.engine, m.state),
            Reconciled: self._reconciled,
            MacroWindow: lambda m: self._set(macro_shut=m.shut, macro_event=m.event),
            Blackouts: lambda m: self._set(blackouts=m.symbols),
            SessionMoved: self._session,
            SectorCounts: lambda m: self._set(sector_members=m.members),
        }

    def hear(self, message: Any) -> tuple[Approved[Any] | Refused[Any], ...]:
        hearer = self.hearers.get(type(message))
        if hearer is not None:
            hearer(message)
            return ()
        verdict, self.state = judge(message, self.state, message.at_ns)
        return (verdict,)

    def _set(self, **changes: Any) -> None:
        self.state = replace(self.state, **changes)

    def _reconciled(self, verdict: Reconciled) -> None:
        compared = self.state.compared or verdict.ok
        self._set(reconciled=verdict.ok, reconciled_reason=verdict.reason, compared=compared)

    def _session(self, moved: SessionMoved) -> None:
        self._set(calendar=with_close(self.state.calendar, date.fromisoformat(moved.day), moved.closes_ns))

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
