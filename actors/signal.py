"""Signal: turns bars, books and positions into intents by asking a strategy.

Every book is only remembered, and held against the stop where there is a position; every bar is a decision. One entry
at most is under way per symbol, and nothing holds back an exit for longer than a few seconds.
"""

from collections.abc import Callable, Iterable, Iterator, Mapping
from datetime import date
from math import nan
from operator import attrgetter
from typing import Any, ClassVar

from msgspec.structs import replace

from actors import entry
from actors.messages import (
    SHUTDOWN,
    BarHistory,
    Blackouts,
    BookRefused,
    Command,
    HeldOutside,
    Imbalance,
    MacroWindow,
    Order,
    OrderChanged,
    PositionChanged,
    Reconciled,
    Restated,
    StreamState,
    TierChanged,
    TradingState,
    Tuned,
)
from actors.strategy import Act, Condition, Decision, MeanReversion, Strategy, SymbolView
from actors.symbol_state import ANSWER_NS_MAX, CLEAR_NS_MAX, Awaited, Clearing, Flattened, SymbolState
from actors.urgency import limit_ticks, time_in_force
from config.profile import Profile, Tier
from config.tuning import Key, changed, tuned_tier
from config.tuning import tuned as config_tuned
from risk.intent import Cancel, Intent, Purpose, Refused
from risk.order import OrderState
from risk.session import (
    NO_DAYS,
    Session,
    SessionCalendar,
    is_open,
    is_rth,
    next_open_ns,
    session_at,
    with_close,
)
from risk.tiers import tier_of, week_rmsd_percent
from supervisor.clock import NS_PER_MS, NS_PER_S
from supervisor.mailbox import Hears, Overflow, latest
from supervisor.messages import Tick
from venues.market import Bar, Instrument, SessionMoved, TimeInForce, side_of

FORCED = frozenset({"stop_loss", "flatten", "session_close", "held_overnight"})
"""Reasons to leave that cross the spread whatever the route says."""

BY_THE_CLOCK = frozenset({"session_close", "held_overnight"})
BLIND_BPS = 500.0
"""How far an exit that the clock asks for may cross a price that is old: a stream that died before the close would
leave shares overnight for a bound that their price has left. Such an order meets the best price of all exchanges
(SEC Rule 611), and none trades farther than this from its last minutes' mean (Limit Up-Limit Down, tier 1)."""

FLATTEN = Decision(Act.EXIT, "flatten")
SESSION_SHUT = Decision(Act.NONE, "session_shut")
SESSION_CLOSING = Decision(Act.NONE, "session_closing")
SESSION_CLOSE = Decision(Act.EXIT, "session_close")
HELD_OVERNIGHT = Decision(Act.EXIT, "held_overnight")

NS_PER_MINUTE = 60 * NS_PER_S

SESSION_BEAT_S = 1.0
"""How often an engine that leaves before the close looks at the clock: bars come once a minute, or not at all."""

Said = tuple[Intent | Cancel, ...]
Told = tuple[TierChanged, ...] | tuple[Intent | Cancel | HeldOutside, ...]


class Signal:
    """The mind of one engine."""

    hears: ClassVar[tuple[Hears, ...]] = (
        # Restated: behind what is held and under way
        *map(Hears, (PositionChanged, OrderChanged, Restated, Refused, BarHistory, Bar, BookRefused, StreamState)),
        *map(Hears, (TradingState, MacroWindow, Blackouts, Reconciled, SessionMoved, Tuned)),
        Hears(Command, Overflow.BLOCK),
        Hears(Tick),
        latest(Imbalance),
    )
    says: ClassVar[tuple[type, ...]] = (Intent, Cancel, TierChanged, HeldOutside)

    def __init__(
        self,
        profile: Profile,
        instruments: Mapping[str, Instrument],
        new_id: Callable[[], str],
        calendar: SessionCalendar | None = None,
        strategy: Strategy | None = None,
        flattened: Flattened | None = None,
    ):
        self.base = self.profile = profile  # as it was started with, and as it is tuned now
        self.tuned: dict[Key, str] = {}
        self.limits = profile.signal
        self.new_id = new_id
        self.calendar = calendar or NO_DAYS
        self.leaves = profile.risk.session != "always" and profile.risk.flatten_minutes > 0  # before every close
        self.every_s = SESSION_BEAT_S if self.leaves else None
        self.outside: set[str] = set()  # symbols that were said to be held while the session is shut
        self.tiers = {symbol: profile.tier(symbol) for symbol in instruments}
        self.measured: dict[str, Tier] = {}  # by symbol, of those that could be
        self.given = strategy
        self.strategy = strategy or MeanReversion(profile.signal, self.tiers.__getitem__)
        self.depth = profile.signal.obi_depth
        self.obi = attrgetter(f"obi_{self.depth}")
        self.flattened = (flattened or Flattened()).taken_up()
        self.symbols = {
            name: SymbolState(profile, one, profile.routes[one.asset_class], self.flattened)  # type: ignore[index]
            for name, one in instruments.items()
        }
        self.watched: dict[str, SymbolState] = {}  # those with a position
        self.changes = 0  # counts what may make a refusal untrue
        self.counts: dict[str, int] = {}  # decisions by reason
        self.stopping = False  # the process is: an order sent now would rest with nobody to watch it
        self.handlers: dict[type, Callable[[Any], Told]] = {
            Bar: self._bar,
            BarHistory: self._history,
            BookRefused: self._book_refused,
            StreamState: self._stream,
            PositionChanged: self._position,
            OrderChanged: self._order,
            Refused: self._refused,
            Command: self._command,
            Restated: lambda told: self.flattened.restated(told.child, self.symbols),
            TradingState: self._trading,
            Tick: self._tick,
            SessionMoved: self._session_moved,
            Tuned: self._tune,
            MacroWindow: self._change,
            Blackouts: self._change,
            Reconciled: self._change,
        }

    def hear(self, message: Any) -> Told:
        if type(message) is Imbalance:
            return tuple(self.hear_stream((message,)))
        return self.handlers[type(message)](message)

    def hear_stream(self, imbalances: Iterable[Imbalance]) -> Iterator[Intent | Cancel]:
        """The tick path: remember the touch, and what is deep enough; where there is a position, look at the stop."""
        symbols, watched, depth = self.symbols, self.watched, self.depth
        for message in imbalances:
            symbol = message.symbol
            state = symbols[symbol]
            state.touch = message
            if message.depth >= depth:
                state.deep = message
            if symbol in watched:
                yield from self._look(message)

    # --- what is heard

    def _look(self, touch: Imbalance) -> Said:
        """A book of a symbol with a position: hold it against the stop."""
        state = self.watched[touch.symbol]
        mid = (touch.bid + touch.ask) * 0.5
        decision = self.strategy.stopped(state.move(mid)) or (FLATTEN if state.leaving and state.held else None)
        if decision is None and not self.leaves and state.barless(touch.received_ns):  # its time is up all the same
            view = replace(self.view(state, mid, touch.received_ns), z=None, trend=None)
            decision = found if (found := self.strategy.decide(view)).act is Act.EXIT else None
        return self._exit(state, decision, mid, touch.received_ns) if decision else ()

    def _bar(self, bar: Bar) -> Said:
        state = self.symbols[bar.symbol]
        if not state.advance(bar):
            return ()
        now_ns = max(bar.end_ns, state.touch.received_ns if state.touch else 0)
        state.weigh(state.own_price(state.close), before=state.leftover)
        self._watch(state, now_ns)
        view = self.view(state, state.close, now_ns)
        leaves = FLATTEN if state.leaving and state.held else None
        decision = self.session(state, now_ns) or leaves or self.strategy.decide(view)
        if decision.act is Act.EXIT:
            self._count(decision.reason)
            return self._exit(state, decision, state.close, now_ns)
        state.clearing = None
        if decision.act is Act.NONE:
            return self._count(decision.reason)
        return self._enter(state, decision, view, now_ns)

    def _history(self, history: BarHistory) -> tuple[TierChanged, ...]:
        state = self.symbols[history.symbol]
        state.learn(history.bars)
        return self._measure(history.symbol, state)

    def _measure(self, symbol: str, state: SymbolState) -> tuple[TierChanged, ...]:
        """Set the tier by how lively the symbol was, once: a tier that drifts in a run would move exits that wait."""
        rule = self.profile.tier_rule(symbol)
        if rule is None or state.daily or symbol in self.measured:
            return ()
        closes = [close for _, close in state.closes]
        rmsd = week_rmsd_percent(closes, self.limits.bar_s)
        if rmsd is None:
            return ()
        before, tier = self.base.tier(symbol), tier_of(rule, rmsd)
        self.measured[symbol] = tier
        self.tiers[symbol] = tuned_tier(self.base, self.tuned, symbol, tier)
        if (tier.z_entry, tier.z_exit) == (before.z_entry, before.z_exit):
            return ()
        return (
            TierChanged(
                engine=self.profile.engine,
                symbol=symbol,
                category=self.profile.category(symbol),
                rmsd=rmsd,
                bars=len(closes),
                z_entry=tier.z_entry,
                z_exit=tier.z_exit,
                z_entry_before=before.z_entry,
                z_exit_before=before.z_exit,
                at_ns=state.closes[-1][0] + state.interval_ns,
            ),
        )

    def _tune(self, tuned: Tuned) -> Said:
        """Decide by another value from here on; a strategy that was given keeps its own."""
        if tuned.engine == self.base.engine:
            self.changes += 1
            self.tuned = changed(self.tuned, tuned.key, tuned.value)
            self.profile = config_tuned(self.base, self.tuned)
            self.limits = self.profile.signal
            for symbol in self.tiers:
                self.tiers[symbol] = tuned_tier(self.base, self.tuned, symbol, self.measured.get(symbol))
            self.strategy = self.given or MeanReversion(self.limits, self.tiers.__getitem__)
        return ()

    def _book_refused(self, refused: BookRefused) -> Said:
        if refused.reason != "backwards":  # an older book says nothing against the one that is held
            self.symbols[refused.symbol].refused_ns = refused.at_ns
        return ()

    def _stream(self, stream: StreamState) -> Said:
        state = self.symbols[stream.symbol]
        state.fresh = stream.fresh
        state.entry_backoff.forget()
        return ()

    def _position(self, changed: PositionChanged) -> Said:
        state = self.symbols.get(changed.symbol)
        if state is None:  # not one of ours to trade; the reconciler knows about it
            return ()
        self.changes += changed.lots != state.lots
        state.position(changed)
        self._watch(state, changed.at_ns)
        return ()

    def _order(self, changed: OrderChanged) -> Said:
        state = self.symbols.get(changed.symbol)
        if state is None:
            return ()
        state.order(changed)
        unfilled = changed.state is OrderState.CANCELLED and changed.time_in_force is TimeInForce.IOC
        if changed.state is OrderState.REJECTED or unfilled:
            backoff = state.entry_backoff if changed.entry else state.exit_backoff
            backoff.refused(changed.state, changed.at_ns, self.changes)
        self._watch(state, changed.at_ns)
        if state.held and state.clearing is not None:
            return self._exit(state, state.clearing.decision, state.close, changed.at_ns)
        return self._cancel(state, FLATTEN.reason, changed.at_ns) if state.leaving and not state.held else ()

    def _refused(self, refused: Refused[Any]) -> Said:
        wish = refused.wish
        state = self.symbols.get(wish.symbol)
        if state is not None and isinstance(wish, Intent):
            if state.awaited is not None and state.awaited.intent_id == wish.id:
                state.awaited = None
            backoff = state.entry_backoff if wish.purpose is Purpose.ENTRY else state.exit_backoff
            backoff.refused(refused.rule, refused.at_ns, self.changes)
        return ()

    def _session_moved(self, moved: SessionMoved) -> Said:
        """The venue closes sooner: the next tick leaves what must be left by then."""
        self.calendar = with_close(self.calendar, date.fromisoformat(moved.day), moved.closes_ns)
        return ()

    def _change(self, _: MacroWindow | Blackouts | Reconciled) -> Said:
        self.changes += 1
        return ()

    def _trading(self, state: TradingState) -> Said:
        self.changes += 1
        self.stopping |= state.by == SHUTDOWN
        return ()

    def _command(self, command: Command) -> Said:
        """Flatten: leave what is held, take back entries, and keep at it until nothing is left."""
        if command.order is not Order.FLATTEN or command.engine not in ("", self.profile.engine):
            return ()
        said: list[Intent | Cancel] = []
        for symbol, state in self.symbols.items():
            state.awaits(command.at_ns)
            if command.symbol in ("", symbol) and not state.idle:
                self.flattened.symbols.add(symbol)
                self._watch(state, command.at_ns)
                if state.held:
                    said += self._exit(state, FLATTEN, state.close, command.at_ns)
                else:
                    said += self._cancel(state, FLATTEN.reason, command.at_ns)
        return tuple(said)

    def _tick(self, tick: Tick) -> tuple[Intent | Cancel | HeldOutside, ...]:
        """The session by the clock: leave what it must not end with, take back what rests, say what it ended with."""
        session = session_at(tick.at_ns, self.calendar)
        if session is None:
            return (*self._held_outside(tick.at_ns), *self._take_back(tick.at_ns))
        self.outside.clear()
        said: list[Intent | Cancel] = []
        for state in tuple(self.watched.values()):
            decision = self.session(state, tick.at_ns)
            if decision is not None and (state.book() is not None or state.close > 0):  # else there is no price yet
                said += self._exit(state, decision, state.close, tick.at_ns)
        if self._closing(session, tick.at_ns):
            said += self._take_back(tick.at_ns)
        return tuple(said)

    def _held_outside(self, now_ns: int) -> list[HeldOutside]:
        """What is held while the session is shut, each once: nothing can be done but to tell a person."""
        opens_ns = next_open_ns(now_ns, self.calendar) or 0 if self.watched.keys() - self.outside else 0
        said = [
            HeldOutside(self.profile.engine, symbol, state.lots, opens_ns, now_ns)
            for symbol, state in self.watched.items()
            if symbol not in self.outside
        ]
        self.outside |= self.watched.keys()
        return said

    def _take_back(self, now_ns: int) -> list[Cancel]:
        """Nothing may rest when the session shuts."""
        resting = [state for state in self.symbols.values() if state.alive]
        return [cancel for state in resting for cancel in self._cancel(state, SESSION_CLOSE.reason, now_ns)]

    def _watch(self, state: SymbolState, now_ns: int) -> None:
        """Look at every book of a symbol only while there is something to leave."""
        state.awaits(now_ns)
        self.flattened.look(state)
        if state.held:
            self.watched[state.instrument.symbol] = state
        else:
            self.watched.pop(state.instrument.symbol, None)

    # --- what is decided

    def session(self, state: SymbolState, now_ns: int) -> Decision | None:
        """What the session says before the strategy is asked: nothing while shut, leave shortly before it shuts."""
        risk = self.profile.risk
        if risk.session == "always":
            return None
        session = session_at(now_ns, self.calendar)
        if session is None:
            return SESSION_SHUT
        if state.held:
            if self.leaves and state.opened_ns < session.opens_ns:
                return HELD_OVERNIGHT
            return SESSION_CLOSE if self._closing(session, now_ns) else None
        minutes = max(risk.flatten_minutes, risk.entries_stop_minutes)
        return SESSION_CLOSING if now_ns >= session.closes_ns - minutes * NS_PER_MINUTE else None

    def _closing(self, session: Session, now_ns: int) -> bool:
        """Whether these are the minutes in which everything is left."""
        return self.leaves and now_ns >= session.closes_ns - self.profile.risk.flatten_minutes * NS_PER_MINUTE

    def view(self, state: SymbolState, price: float, now_ns: int) -> SymbolView:
        """A symbol as its strategy is shown it."""
        lean, limits = state.lean(), self.limits
        warm, z, trend = state.numbers()
        age_ns = now_ns - lean.received_ns if lean else 0
        rth = state.held and is_rth(now_ns, self.calendar)
        return SymbolView(
            symbol=state.instrument.symbol,
            close=price,
            warm=warm,
            z=z,
            trend=trend,
            obi=self.obi(lean) if lean else None,
            obi_fresh=state.fresh and age_ns <= limits.obi_age_ms_max * NS_PER_MS,
            facade=lean.facade if lean else False,
            lots=state.lots if state.held else 0,
            move=state.move(state.own_price(price)),
            held_s=(now_ns - state.opened_ns) / NS_PER_S if state.held else nan,
            held_s_max=limits.time_stop_rth_s if rth else limits.time_stop_s,
        )

    def _enter(self, state: SymbolState, decision: Decision, view: SymbolView, now_ns: int) -> Said:
        for name, holds, _, _ in self.in_the_way(state, decision.act, view, now_ns):
            if not holds:
                return self._count(name)
        order = self.entry_order(state, decision.act, view)
        assert order is not None, "there is a touch"
        self._count(decision.reason)
        return self._intend(state, order, decision, view, now_ns)

    def in_the_way(self, state: SymbolState, act: Act, view: SymbolView, now_ns: int) -> Iterator[Condition]:
        """What must hold beside the strategy's conditions."""
        order = self.entry_order(state, act, view)
        return entry.in_the_way(self.profile, state, act, order, now_ns, self.changes)

    def entry_order(self, state: SymbolState, act: Act, view: SymbolView) -> entry.Order | None:
        """What an entry would order now; None where nobody knows the touch."""
        touch = state.book()
        return None if touch is None else entry.entry_order(self.profile, state, act, view.z or 0.0, touch)

    def _exit(self, state: SymbolState, decision: Decision, price: float, now_ns: int) -> Said:
        """Close exactly what is held, after what is in the way; a stop does not wait for a better price."""
        forced = decision.reason in FORCED
        blocking = state.in_the_way(now_ns, forced=forced)
        if blocking is None or not is_open(self.profile.risk.session, now_ns, self.calendar):
            return ()
        if blocking:
            since_ns = state.clearing.since_ns if state.clearing else now_ns
            state.clearing = Clearing(decision, since_ns)
            if now_ns - since_ns < CLEAR_NS_MAX:
                return self._cancel(state, decision.reason, now_ns)
        if state.exit_backoff.silent(now_ns, self.changes):
            return self._count("backing_off")
        state.clearing = None
        touch, side = state.book(), side_of(-state.lots)
        how = time_in_force(state.route, Purpose.EXIT, 0.0, forced=forced or touch is None)
        at = (touch.bid, touch.ask) if touch else (price, price)  # nobody knows where a resting order would join
        blind = decision.reason in BY_THE_CLOCK and not state.fresh
        slippage_bps = max(self.limits.taker_slippage_bps, BLIND_BPS if blind else 0.0)
        ticks = limit_ticks(state.instrument, side, at, how, slippage_bps)
        view = self.view(state, price, now_ns)
        order = entry.Order(Purpose.EXIT, side, abs(state.lots), ticks, how)
        return self._intend(state, order, decision, view, now_ns)

    def _intend(
        self,
        state: SymbolState,
        order: entry.Order,
        decision: Decision,
        view: SymbolView,
        now_ns: int,
    ) -> Said:
        if self.stopping:
            return self._count("stopping")
        intent = self.intent(state, order, decision, view, now_ns, self.new_id())
        state.awaited = Awaited(intent.id, intent.purpose, now_ns + ANSWER_NS_MAX)
        return (intent,)

    def intent(
        self,
        state: SymbolState,
        order: entry.Order,
        decision: Decision,
        view: SymbolView,
        now_ns: int,
        intent_id: str,
    ) -> Intent:
        """A wish for an order."""
        purpose, side, lots, ticks, how = order
        return Intent(
            id=intent_id,
            engine=self.profile.engine,
            symbol=state.instrument.symbol,
            side=side,
            lots=lots,
            ticks=ticks,
            time_in_force=how,
            purpose=purpose,
            reason=decision.reason,
            at_ns=now_ns,
            evidence=entry.evidence(state, decision, view, now_ns),
        )

    def _cancel(self, state: SymbolState, reason: str, now_ns: int) -> tuple[Cancel, ...]:
        """Take back what rests."""
        return tuple(
            Cancel(
                engine=order.engine,
                intent_id=order.intent_id,
                order_id=order.order_id,
                symbol=order.symbol,
                reason=reason,
                at_ns=now_ns,
            )
            for order in state.to_cancel(now_ns)
        )

    def _count(self, reason: str) -> Said:
        self.counts[reason] = self.counts.get(reason, 0) + 1
        return ()
