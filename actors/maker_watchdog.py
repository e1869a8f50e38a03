"""Maker watchdog: keeps resting orders near the touch, moves them a few times, and ends those that nobody takes.

What it does is the table MOVES. An entry that is not taken in time was a chance missed and is given up; an exit that is
not taken, or that the venue refuses to let rest, is risk without an edge and crosses the spread.
"""

from collections.abc import Mapping
from enum import StrEnum
from typing import Any, ClassVar

from actors.messages import (
    SHUTDOWN,
    Blackouts,
    Command,
    MacroWindow,
    Mark,
    Order,
    OrderChanged,
    StreamState,
    TradingState,
    Tuned,
)
from actors.urgency import limit_ticks
from config.profile import Profile, Route
from config.tuning import Key, changed
from config.tuning import tuned as config_tuned
from risk.intent import Cancel, Purpose, Reprice, Trading
from risk.order import OVER, OrderState
from risk.pricing import BPS
from supervisor.clock import NS_PER_S
from supervisor.mailbox import Hears, Overflow, latest
from supervisor.messages import Tick
from venues.market import Instrument, Side, TimeInForce

ASKED_NS = 5 * NS_PER_S
"""A cancel or move that changed nothing by then (refused by risk, lost in a crash) is asked for again."""

FORGOTTEN_NS = 60 * NS_PER_S
"""An intent without a living order is forgotten after this; the order that replaces another comes at once."""


class Kind(StrEnum):
    """What an order is to the watchdog."""

    ENTRY = "entry"
    EXIT = "exit"
    REFUSED_EXIT = "refused_exit"  # the venue did not let it rest: it would have matched at once


class Move(StrEnum):
    """What is done about it."""

    KEEP = "keep"
    REPRICE = "reprice"  # to the touch, if anything is unfilled
    GIVE_UP = "give_up"  # cancel
    ESCALATE = "escalate"  # cross the spread


K, M = Kind, Move

# (kind, behind the touch, lifetime over, reprices left) -> what is done
MOVES: dict[tuple[Kind, bool, bool, bool], Move] = {
    (K.ENTRY, False, False, False): M.KEEP,
    (K.ENTRY, False, False, True): M.KEEP,
    (K.ENTRY, False, True, False): M.GIVE_UP,
    (K.ENTRY, False, True, True): M.GIVE_UP,
    (K.ENTRY, True, False, False): M.GIVE_UP,
    (K.ENTRY, True, False, True): M.REPRICE,
    (K.ENTRY, True, True, False): M.GIVE_UP,
    (K.ENTRY, True, True, True): M.GIVE_UP,
    (K.EXIT, False, False, False): M.KEEP,
    (K.EXIT, False, False, True): M.KEEP,
    (K.EXIT, False, True, False): M.ESCALATE,
    (K.EXIT, False, True, True): M.ESCALATE,
    (K.EXIT, True, False, False): M.ESCALATE,
    (K.EXIT, True, False, True): M.REPRICE,
    (K.EXIT, True, True, False): M.ESCALATE,
    (K.EXIT, True, True, True): M.ESCALATE,
    (K.REFUSED_EXIT, False, False, False): M.ESCALATE,
    (K.REFUSED_EXIT, False, False, True): M.ESCALATE,
    (K.REFUSED_EXIT, False, True, False): M.ESCALATE,
    (K.REFUSED_EXIT, False, True, True): M.ESCALATE,
    (K.REFUSED_EXIT, True, False, False): M.ESCALATE,
    (K.REFUSED_EXIT, True, False, True): M.ESCALATE,
    (K.REFUSED_EXIT, True, True, False): M.ESCALATE,
    (K.REFUSED_EXIT, True, True, True): M.ESCALATE,
}

Said = tuple[Reprice | Cancel, ...]


class Chain:
    """The orders that served one intent, one after the other: lifetime and moves are theirs together."""

    __slots__ = ("alive", "asked_ns", "moved_ns", "moves", "seen_ns", "since_ns", "unwanted")

    def __init__(self, since_ns: int):
        self.since_ns = since_ns  # when the first of them rested
        self.seen_ns = since_ns
        self.moved_ns = since_ns  # the first move too leaves the order the time that lies between moves
        self.moves = 0
        self.asked_ns = 0
        self.unwanted = False  # the operator has it cancelled, whichever of its orders comes to rest
        self.alive: dict[str, OrderChanged] = {}


class MakerWatchdog:
    """The mind of one engine."""

    hears: ClassVar[tuple[Hears, ...]] = (
        Hears(OrderChanged),
        Hears(MacroWindow),
        Hears(Blackouts),
        Hears(TradingState),
        Hears(StreamState),
        Hears(Tuned),
        Hears(Command, Overflow.BLOCK),
        Hears(Tick),
        latest(Mark),
    )
    says: ClassVar[tuple[type, ...]] = (Reprice, Cancel)
    every_s: ClassVar[float] = 1.0

    def __init__(self, profile: Profile, instruments: Mapping[str, Instrument]):
        self.base = self.profile = profile  # as it was started with, and as it is tuned now
        self.tuned: dict[Key, str] = {}
        self.instruments = instruments
        self.now_ns = 0
        self.touch: dict[str, tuple[float, float]] = {}
        self.stale: dict[str, bool] = {}
        self.chains: dict[str, Chain] = {}  # by intent
        self.macro_shut = False
        self.blackouts: dict[str, str] = {}  # by symbol
        self.trading: dict[str, Trading] = {}  # by engine, empty: all
        self.stopping = False  # the process is: nothing may rest any more, exits included

    def hear(self, message: Any) -> Said:
        if type(message) is Mark:
            self.touch[message.symbol] = (message.bid, message.ask)
            return self._look(message.symbol) if self.chains else ()
        if type(message) is Tick:
            self.now_ns = message.at_ns
            self._forget()
            return self._look() if self.chains else ()
        if type(message) is OrderChanged:
            return self._follow(message)
        if type(message) is StreamState:
            self.stale[message.symbol] = not message.fresh
        elif type(message) is MacroWindow:
            self.macro_shut = message.shut
            return self._entries_shut(message.at_ns)
        elif type(message) is Blackouts:
            self.blackouts = message.symbols
            self.now_ns = max(self.now_ns, message.at_ns)
            return self._look() if self.blackouts else ()
        elif type(message) is TradingState:
            self.trading[message.engine] = message.state
            self.stopping |= message.by == SHUTDOWN
            return self._entries_shut(message.at_ns)
        elif type(message) is Tuned:
            return self._tune(message)
        elif type(message) is Command and message.order is Order.CANCEL:
            return self._take_back(message)
        return ()

    def _entries_shut(self, at_ns: int) -> Said:
        """Do not wait for the clock to take entries back."""
        self.now_ns = max(self.now_ns, at_ns)
        return self._look() if self._shut() else ()

    def _tune(self, tuned: Tuned) -> Said:
        """Go by another value from here on; entries of a symbol that is off are taken back at once."""
        if tuned.engine != self.base.engine:
            return ()
        self.tuned = changed(self.tuned, tuned.key, tuned.value)
        self.profile = config_tuned(self.base, self.tuned)
        self.now_ns = max(self.now_ns, tuned.at_ns)
        return self._look() if self.profile.risk.entries_off else ()

    # --- what is followed

    def _follow(self, changed: OrderChanged) -> Said:
        if changed.symbol not in self.instruments:  # of another universe, before a restart: the reconciler's
            return ()
        self.now_ns = max(self.now_ns, changed.at_ns)
        chain = self.chains.get(changed.intent_id)
        if chain is None:
            if changed.state in OVER and changed.state is not OrderState.REJECTED:
                return ()
            chain = self.chains[changed.intent_id] = Chain(changed.at_ns)
        chain.seen_ns = changed.at_ns
        known = chain.alive.pop(changed.order_id, None)
        if known is None or known.state is not changed.state:
            chain.asked_ns = 0  # what was asked for has happened, or has failed
        if changed.state not in OVER:
            chain.alive[changed.order_id] = changed
        elif not self.stopping and not chain.unwanted and self._refused_exit(chain, changed):
            return self._do(MOVES[K.REFUSED_EXIT, False, False, False], chain, changed)
        return ()

    def _refused_exit(self, chain: Chain, changed: OrderChanged) -> bool:
        """An exit that was to rest and may not; once an intent, and not while another order of it lives."""
        maker = changed.time_in_force is not TimeInForce.IOC
        refused = changed.state is OrderState.REJECTED and not changed.entry
        return refused and maker and not chain.alive and changed.lots > changed.lots_filled

    def _forget(self) -> None:
        gone = [i for i, c in self.chains.items() if not c.alive and self.now_ns - c.seen_ns > FORGOTTEN_NS]
        for intent_id in gone:
            del self.chains[intent_id]

    # --- what is decided

    def _look(self, symbol: str = "") -> Said:
        said: list[Reprice | Cancel] = []
        for chain in self.chains.values():
            for order in chain.alive.values():
                rests = order.state is OrderState.RESTING and order.time_in_force is not TimeInForce.IOC
                if rests and symbol in ("", order.symbol) and self.now_ns - chain.asked_ns >= ASKED_NS:
                    said += self._judge(chain, order)
        return tuple(said)

    def _judge(self, chain: Chain, order: OrderChanged) -> Said:
        if self.stopping:
            return self._cancel(chain, order, "stop")
        if chain.unwanted:
            return self._cancel(chain, order, "operator")
        if order.entry and (shut := self._shut() or self._blackout(order.symbol)):
            return self._cancel(chain, order, shut)
        route = self._route(order.symbol)
        over = self.now_ns - chain.since_ns >= route.lifetime_s * NS_PER_S
        left = chain.moves < route.reprices_max
        kind = K.ENTRY if order.entry else K.EXIT
        return self._do(MOVES[kind, self._behind(chain, order, route), over, left], chain, order)

    def _shut(self) -> str:
        """Why entries may not rest now; empty if they may."""
        strictest = [self.trading.get(engine, Trading.ACTIVE) for engine in ("", self.profile.engine)]
        if Trading.HALTED in strictest:
            return "halt"
        if Trading.REDUCING in strictest:
            return "reducing"
        return "macro_window" if self.macro_shut else ""

    def _blackout(self, symbol: str) -> str:
        if symbol in self.profile.risk.entries_off:
            return "entries_off"
        return "blackout" if symbol in self.blackouts else ""

    def _behind(self, chain: Chain, order: OrderChanged, route: Route) -> bool:
        """Whether somebody bids more (offers less) than we do, by enough and not just after the last move."""
        touch = self.touch.get(order.symbol)
        if touch is None or self.stale.get(order.symbol, False):
            return False
        if self.now_ns - chain.moved_ns < route.reprice_gap_s * NS_PER_S:
            return False
        best = self.instruments[order.symbol].ticks(touch[0] if order.side is Side.BUY else touch[1])
        ahead = (best - order.ticks) * order.side.sign
        return ahead > 0 and ahead * BPS >= route.reprice_bps_min * order.ticks

    def _do(self, move: Move, chain: Chain, order: OrderChanged) -> Said:
        if move is M.ESCALATE and not self._route(order.symbol).exit_escalates:
            move = M.KEEP if order.state in OVER else M.GIVE_UP
        match move:
            case M.KEEP:
                return ()
            case M.GIVE_UP:
                over = self.now_ns - chain.since_ns >= self._route(order.symbol).lifetime_s * NS_PER_S
                return self._cancel(chain, order, "lifetime" if over else "reprices")
            case M.REPRICE:
                return self._move(chain, order, order.time_in_force, "behind")
            case M.ESCALATE:
                return self._move(chain, order, TimeInForce.IOC, "escalate")

    # --- what is said

    def _move(self, chain: Chain, order: OrderChanged, how: TimeInForce, reason: str) -> Said:
        """Move what is unfilled. A refused order is not there to be moved: its rest is a new one of the same intent."""
        instrument = self.instruments[order.symbol]
        price = float(instrument.price(order.ticks))
        slippage_bps = self.profile.signal.taker_slippage_bps
        touch = self.touch.get(order.symbol, (price, price))
        lots_left = order.lots - order.lots_filled
        gone = order.state in OVER
        chain.asked_ns = chain.moved_ns = self.now_ns
        chain.moves += 1
        return (
            Reprice(
                engine=order.engine,
                intent_id=order.intent_id,
                order_id="" if gone else order.order_id,
                symbol=order.symbol,
                side=order.side,
                lots_left=lots_left,
                lots_total=lots_left if gone else order.lots,
                ticks=limit_ticks(instrument, order.side, touch, how, slippage_bps),
                time_in_force=how,
                purpose=Purpose.ENTRY if order.entry else Purpose.EXIT,
                reason=reason,
                at_ns=self.now_ns,
            ),
        )

    def _cancel(self, chain: Chain, order: OrderChanged, reason: str) -> Said:
        chain.asked_ns = self.now_ns
        return (
            Cancel(
                engine=order.engine,
                intent_id=order.intent_id,
                order_id=order.order_id,
                symbol=order.symbol,
                reason=reason,
                at_ns=self.now_ns,
            ),
        )

    def _take_back(self, command: Command) -> Said:
        """The operator wants nothing to rest."""
        self.now_ns = max(self.now_ns, command.at_ns)
        wanted = (command.engine, command.symbol, command.order_id)
        said: list[Reprice | Cancel] = []
        for chain in self.chains.values():
            names = ((order.engine, order.symbol, order.order_id) for order in chain.alive.values())
            if not any(all(want in ("", is_) for want, is_ in zip(wanted, named, strict=True)) for named in names):
                continue
            chain.unwanted = True  # one that is on its way, or being moved, is taken back when it rests
            for order in chain.alive.values():
                if order.state is OrderState.RESTING:
                    said += self._cancel(chain, order, "operator")
        return tuple(said)

    def _route(self, symbol: str) -> Route:
        return self.profile.routes[self.instruments[symbol].asset_class]  # type: ignore[index]
