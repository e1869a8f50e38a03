"""Board: a sink that keeps the present in memory, from what the actors said, for the live view and `obid ctl`."""

from collections import Counter, deque
from collections.abc import Callable, Mapping
from decimal import Decimal
from typing import Any, NamedTuple

from msgspec.structs import replace

from actors.messages import (
    SHUTDOWN,
    BalanceChanged,
    Blackouts,
    ByHand,
    CalendarState,
    CashDrift,
    Drift,
    HeldOutside,
    InvariantBroken,
    MacroWindow,
    Mark,
    OrderChanged,
    OrderPlanned,
    PositionChanged,
    Reconciled,
    Stale,
    StreamState,
    TierChanged,
    TradingLatched,
    TradingState,
)
from daemon.snapshot import DECISIONS_MAX, DecisionRow, EngineRow, OrderRow, PositionRow
from risk.intent import Cancel, Intent, Refused, Reprice, Trading
from risk.ledger.foreign import ADOPTED
from risk.order import OVER
from supervisor.messages import ChildCrashed
from venues.market import MINOR_PER_USD, Fill, FundingPaid, Instrument, MoneyMoved, OrderRequest, Side

Key = tuple[str, str]
"""(engine, symbol)."""

BOOKED_FILLS, ADOPTED_FILLS = "fills booked", "fills adopted"
"""What is counted beside messages: fills of the venue's that the ledger booked, and differences that it took over. A
fill is told by the stream and again by whoever looks for missed ones; it is booked once."""

ALL = ""
"""The engine of a message that means all of them."""


class Placed(NamedTuple):
    """When the first order of a chain of replaced ones was planned, and how often it was moved since."""

    at_ns: int
    reprices: int


class Board:
    """What is true now, as far as it has been said."""

    def __init__(self, instruments: Mapping[str, Mapping[str, Instrument]], venues: Mapping[str, str]):
        """`instruments` and `venues` by engine."""
        self.instruments = instruments
        self.venues = venues
        self.positions: dict[Key, PositionChanged] = {}
        self.realised_minor: Counter[Key] = Counter()  # since the start of the run
        self.orders: dict[str, OrderChanged] = {}
        self.placed: dict[str, Placed] = {}  # by order
        self.balances: dict[str, BalanceChanged] = {}
        self.trading: dict[str, TradingState] = {}
        self.reconciled: dict[str, bool] = {}
        self.apart: dict[str, Reconciled] = {}  # the first word of that venue and ledger do not agree
        self.fresh: dict[str, set[str]] = {engine: set() for engine in instruments}
        self.unlearnt: dict[str, set[str]] = {engine: set() for engine in instruments}
        self.stale_ns: dict[Key, int] = {}  # since when, of those that were fresh once
        self.marks: dict[str, Mark] = {}
        self.errors: dict[str, str] = {}
        self.crashed_ns: dict[str, int] = {}  # actor -> when it last did
        self.broken_ns: dict[str, int] = {}  # invariant -> when it first did not hold
        self.decisions: deque[DecisionRow] = deque(maxlen=DECISIONS_MAX)
        self.counts: Counter[str] = Counter()
        self.refusals: Counter[str] = Counter()
        self.listeners: list[Callable[[DecisionRow], None]] = []
        self.told: dict[Key, str] = {}  # (event, engine) -> how it last stood
        self._keep: dict[type, Callable[[Any], None]] = {
            PositionChanged: self._position,
            OrderChanged: self._order,
            BalanceChanged: lambda m: self.balances.__setitem__(m.engine, m),
            TradingState: self._stopping,
            TradingLatched: lambda m: self.trading.__setitem__(m.trading.engine, m.trading),
            Reconciled: self._compared,
            OrderPlanned: self._planned,
            InvariantBroken: self._broke,
            StreamState: self._stream,
            Mark: lambda m: self.marks.__setitem__(m.symbol, m),
            ChildCrashed: self._crashed,
            Refused: lambda m: self.refusals.update((m.rule,)),
        }

    def write(self, message: Any) -> None:
        """Take one message."""
        kind = type(message)
        self.counts[kind.__name__] += 1
        keep = self._keep.get(kind)
        if keep is not None:
            keep(message)
        if kind in _TELL or kind in _TELL_ALL:
            self._tell(message)

    def flush(self) -> None:
        """Nothing is buffered."""

    # --- keeping

    def _position(self, changed: PositionChanged) -> None:
        key = (changed.engine, changed.symbol)
        self.realised_minor[key] += changed.realised_minor
        if changed.fill_id:
            self.counts[ADOPTED_FILLS if changed.fill_id.startswith(ADOPTED) else BOOKED_FILLS] += 1
        if changed.lots:
            self.positions[key] = changed
        else:
            self.positions.pop(key, None)

    def _order(self, changed: OrderChanged) -> None:
        if changed.state in OVER:
            self.orders.pop(changed.order_id, None)
            self.placed.pop(changed.order_id, None)
        else:
            self.orders[changed.order_id] = changed
            self.placed.setdefault(changed.order_id, Placed(changed.at_ns, 0))  # of a run before

    def _planned(self, planned: OrderPlanned) -> None:
        """One that replaces another is planned before that one is over: it is as old, and was moved once more."""
        moved = self.placed.get(planned.order.replaces)
        self.placed[planned.order.id] = Placed(moved.at_ns, moved.reprices + 1) if moved else Placed(planned.at_ns, 0)

    def _compared(self, told: Reconciled) -> None:
        self.reconciled[told.engine] = told.ok
        if told.ok:
            self.apart.pop(told.engine, None)
        else:
            known = self.apart.get(told.engine)
            self.apart[told.engine] = replace(told, at_ns=known.at_ns) if known else told

    def _broke(self, broken: InvariantBroken) -> None:
        self.broken_ns.setdefault(broken.invariant, broken.at_ns)

    def _crashed(self, crash: ChildCrashed) -> None:
        name = f"{crash.engine}.{crash.child}" if crash.engine else crash.child
        self.errors[name], self.crashed_ns[name] = crash.error, crash.at_ns

    def _stopping(self, state: TradingState) -> None:
        """A state is shown when it is on disk and would outlive us (TradingLatched); that we stop is never written."""
        if state.by == SHUTDOWN:
            self.trading[state.engine] = state

    def _stream(self, state: StreamState) -> None:
        fresh = self.fresh.setdefault(state.engine, set())
        if state.fresh:
            fresh.add(state.symbol)
            self.stale_ns.pop((state.engine, state.symbol), None)
        elif state.symbol in fresh:
            fresh.discard(state.symbol)
            self.stale_ns[state.engine, state.symbol] = state.at_ns
        unlearnt = self.unlearnt.setdefault(state.engine, set())
        (unlearnt.add if state.why is Stale.UNLEARNT else unlearnt.discard)(state.symbol)

    def _tell(self, message: Any) -> None:
        engine = getattr(message, "engine", ALL)
        symbol = ""
        if type(message) in _TELL:
            about = getattr(message, "wish", None) or getattr(message, "order", None) or message
            symbol = about.symbol
            event, tell = _TELL[type(message)]
            instrument = self.instruments.get(engine, {}).get(symbol)
            text = tell(message, instrument) if instrument else "not traded here"  # a stray of another program's
        else:
            event, tell_all = _TELL_ALL[type(message)]
            text = tell_all(message)
            if self.told.get((event, engine)) == text and event not in REPEATED:
                return  # said again for a child that has just started
            self.told[event, engine] = text
        row = DecisionRow(at_ns=message.at_ns, engine=engine, symbol=symbol, event=event, text=text)
        self.decisions.append(row)
        for listener in self.listeners:
            listener(row)

    # --- showing

    def engine_rows(self) -> tuple[EngineRow, ...]:
        """Every engine in the order of the house."""
        return tuple(self._engine_row(engine) for engine in self.instruments)

    def _engine_row(self, engine: str) -> EngineRow:
        balance = self.balances.get(engine) or BalanceChanged(engine, 0, 0, 0, 0, 0, 0)
        rows = [row for row in self.position_rows() if row.engine == engine]
        unrealised = sum(row.unrealised_minor for row in rows)
        trading, apart = self._trading(engine), self.apart.get(engine)
        return EngineRow(
            engine=engine,
            venue=self.venues[engine],
            trading=trading.state if trading else Trading.ACTIVE,
            reason=trading.reason if trading else "",
            since_ns=trading.at_ns if trading else 0,
            by=trading.by if trading else "",
            reconciled=self.reconciled.get(engine, False),
            apart=apart.reason if apart else "",
            apart_ns=apart.at_ns if apart else 0,
            symbols=len(self.instruments[engine]),
            symbols_fresh=len(self.fresh[engine]),
            symbols_unlearnt=len(self.unlearnt[engine]),
            cash_minor=balance.cash_minor,
            equity_minor=balance.cash_minor + balance.inventory_minor + unrealised,
            realised_minor=balance.realised_minor,
            unrealised_minor=unrealised,
            fees_minor=balance.fees_minor,
            funding_minor=balance.funding_minor,
        )

    def _trading(self, engine: str) -> TradingState | None:
        """The strictest of an engine's own state and that of all."""
        states = [state for name in (engine, ALL) if (state := self.trading.get(name)) is not None]
        return max(states, key=lambda state: tuple(Trading).index(state.state), default=None)

    def position_rows(self) -> tuple[PositionRow, ...]:
        """Every open position, by engine and symbol."""
        return tuple(self._position_row(self.positions[key]) for key in sorted(self.positions))

    def _position_row(self, held: PositionChanged) -> PositionRow:
        instrument = self.instruments[held.engine][held.symbol]
        mark = self.marks.get(held.symbol)
        price = None if mark is None else mark.bid if held.lots > 0 else mark.ask  # what closing would get
        ticks = round(held.entry_ticks) if price is None else instrument.ticks(price)
        return PositionRow(
            engine=held.engine,
            symbol=held.symbol,
            lots=held.lots,
            size=instrument.size(held.lots),
            entry=(Decimal(repr(held.entry_ticks)) * instrument.tick).quantize(instrument.tick),
            mark=None if price is None else instrument.price(ticks),
            notional_minor=instrument.notional_minor(ticks, held.lots),
            unrealised_minor=0 if price is None else instrument.notional_minor(ticks, held.lots) - held.cost_minor,
            realised_minor=self.realised_minor[held.engine, held.symbol],
            opened_ns=held.opened_ns,
        )

    def resting(self, engine: str) -> bool:
        """Whether an engine has orders that are not over."""
        return any(order.engine == engine for order in self.orders.values())

    def order_rows(self) -> tuple[OrderRow, ...]:
        """Every order that is not over, oldest news first."""
        return tuple(self._order_row(order) for order in sorted(self.orders.values(), key=lambda o: o.at_ns))

    def _order_row(self, order: OrderChanged) -> OrderRow:
        instrument = self.instruments[order.engine][order.symbol]
        placed = self.placed[order.order_id]
        return OrderRow(
            engine=order.engine,
            order_id=order.order_id,
            intent_id=order.intent_id,
            symbol=order.symbol,
            side=order.side,
            state=order.state,
            purpose="entry" if order.entry else "exit",
            size=instrument.size(order.lots),
            size_filled=instrument.size(order.lots_filled),
            price=instrument.price(order.ticks),
            time_in_force=order.time_in_force,
            reason=order.reason,
            at_ns=order.at_ns,
            placed_ns=placed.at_ns,
            reprices=placed.reprices,
        )


def _wish(wish: Intent | Reprice, instrument: Instrument) -> str:
    lots = wish.lots if isinstance(wish, Intent) else wish.lots_left
    return f"{_deal(wish.side, lots, wish.ticks, instrument)}, {wish.time_in_force}, {wish.reason}"


def _deal(side: Side, lots: int, ticks: int, instrument: Instrument) -> str:
    return f"{side} {instrument.size(lots):f} at {instrument.price(ticks):f}"


def _order(order: OrderRequest, instrument: Instrument) -> str:
    return f"{_deal(order.side, order.lots, order.ticks, instrument)}, {order.time_in_force}"


def _usd(minor: int) -> str:
    return f"{minor / MINOR_PER_USD:.2f}"


_TELL: dict[type, tuple[str, Callable[[Any, Instrument], str]]] = {
    Intent: ("intent", lambda m, i: f"{m.purpose} {_wish(m, i)}"),
    Reprice: ("reprice", _wish),
    Cancel: ("cancel", lambda m, _: m.reason),
    Refused: ("refused", lambda m, _: f"{m.rule}: {m.value}, bound {m.bound}"),
    OrderPlanned: ("order", lambda m, i: _order(m.order, i)),
    Fill: ("fill", lambda m, i: f"{_deal(m.side, m.lots, m.ticks, i)}, {'maker' if m.maker else 'taker'}"),
    TierChanged: ("tier", lambda m, _: f"z {m.z_entry:g}/{m.z_exit:g}: RMSD {m.rmsd:.2f} % of a week, {m.category}"),
    ByHand: ("by hand", lambda m, i: f"{i.size(m.lots):f} held that no order of ours made"),
    HeldOutside: ("held outside", lambda m, i: f"{i.size(m.lots)} are held while the session is shut"),
    FundingPaid: ("funding", lambda m, _: f"{m.amount_minor / MINOR_PER_USD:+.4f} USD"),
}
"""What of one symbol is shown, its name and how it reads in a line; what is not here is no decision to show."""

REPEATED = ("crashed", "drift")
"""Events that are news however often they come."""

_TELL_ALL: dict[type, tuple[str, Callable[[Any], str]]] = {
    TradingState: ("trading", lambda m: f"{m.engine or 'all engines'} {m.state}: {m.reason}"),
    Drift: ("drift", lambda m: f"{m.symbol}: the venue holds {m.venue_lots} lots, we {m.ledger_lots}: {m.action}"),
    MoneyMoved: ("money", lambda m: f"{m.kind} {m.amount_minor / MINOR_PER_USD:+.2f} USD"),
    CashDrift: ("cash_drift", lambda m: f"the venue has {_usd(m.venue_minor)} USD, the books {_usd(m.ledger_minor)}"),
    Reconciled: ("reconciled", lambda m: "venue and ledger agree" if m.ok else m.reason),
    Blackouts: ("blackout", lambda m: ", ".join(m.symbols) or "none"),
    CalendarState: ("calendar", lambda m: f"{m.source} {m.kind}: {f'{m.events} known' if m.ok else m.reason}"),
    MacroWindow: ("macro", lambda m: f"{'shut' if m.shut else 'open'} {m.event}".strip()),
    ChildCrashed: ("crashed", lambda m: f"{m.child}: {m.error}"),
    InvariantBroken: ("broken", lambda m: f"{m.invariant}: {m.what}"),
}
"""What is shown of an engine, or of all."""
