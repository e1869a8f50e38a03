"""Circuit breaker: reads each account's equity once a second, and owns the trading state.

Engines that trade one account have one equity, one day and one halt: two that lose just less than they may each lose
more than the account may. Equity is cash, and what is held at its mark. The stricter state wins whoever asks for it;
only the operator's resume lifts one, and lifts the breaker with it. What tripped yesterday is told again by the ledger
and holds.
"""

from collections.abc import Iterable, Mapping
from typing import Any, ClassVar

from msgspec.structs import replace

from actors.agreement import Agreement
from actors.messages import (
    BalanceChanged,
    BreakerChanged,
    CapitalChanged,
    Command,
    InvariantBroken,
    Mark,
    Order,
    PositionChanged,
    Stated,
    TradingState,
    Tuned,
)
from config.profile import RiskLimits
from config.tuning import Key, changed, tuned_risk
from risk.circuit_breaker import Breaker, BreakerLimits, Trip, breaker_limits, observe, resumed, shifted
from risk.gate_state import STRICTNESS
from risk.intent import Trading
from risk.invariants import Checks
from risk.position import Position
from supervisor.mailbox import Hears, Overflow, latest
from supervisor.messages import ChildStarted, GaveUp, Tick
from venues.market import Instrument

ALL = ""
"""The engine of a state that holds for all of them."""

ASKED: dict[Order, Trading] = {
    Order.PAUSE: Trading.REDUCING,
    Order.REDUCE: Trading.REDUCING,
    Order.HALT: Trading.HALTED,
    Order.RESUME: Trading.ACTIVE,
}
"""What an operator's order makes of the trading state. Pausing is reducing: exits are never paused."""

STEPS = 100
"""The gate and the journal hear of equity when it moved by this part of the daily loss bound: finer changes no verdict
that the breaker itself, which sees every reading, would not reach."""

Said = tuple[TradingState | BreakerChanged | InvariantBroken, ...]


class Purse:
    """One engine's part of an account's money."""

    def __init__(self, instruments: Mapping[str, Instrument]):
        self.instruments = instruments
        self.balance: BalanceChanged | None = None
        self.positions: dict[str, Position] = {}
        self.marks: dict[str, int] = {}  # mid price in ticks

    def mark(self, mark: Mark) -> None:
        """Take over a touch of a symbol of ours."""
        instrument = self.instruments.get(mark.symbol)
        if instrument is not None:
            self.marks[mark.symbol] = instrument.ticks((mark.bid + mark.ask) * 0.5)

    def position(self, changed: PositionChanged) -> None:
        """Take over what fills made."""
        if changed.lots:
            self.positions[changed.symbol] = Position(lots=changed.lots, cost_minor=changed.cost_minor)
        else:
            self.positions.pop(changed.symbol, None)

    def equity_minor(self) -> int | None:
        """Cash and what is held; None while a number is missing."""
        if self.balance is None:
            return None
        equity = self.balance.cash_minor + self.balance.inventory_minor
        for symbol, position in self.positions.items():
            instrument, ticks = self.instruments.get(symbol), self.marks.get(symbol)
            if instrument is None or ticks is None:
                return None
            equity += position.unrealised_minor(instrument, ticks)
        return equity


class Account:
    """One account as the breaker knows it: the engines that trade it, under the strictest of their limits."""

    def __init__(self, purses: Mapping[str, Purse], limits: Iterable[RiskLimits]):
        self.limits = strictest(limits)
        self.purses = purses
        self.breaker = Breaker(engines=tuple(sorted(purses)))
        self.said: Breaker | None = None

    def equity_minor(self) -> int | None:
        """What all of it is worth; None while a number is missing."""
        parts = [purse.equity_minor() for purse in self.purses.values()]
        known = [part for part in parts if part is not None]
        return sum(known) if len(known) == len(parts) else None

    def recover(self, known: Breaker, engine: str) -> bool:
        """Take over a breaker of before the start; says whether anything of it counts.

        Of one that was about other engines its halt alone does: its baselines are not of this money.
        """
        same = (known.engines or (engine,)) == self.breaker.engines
        if not self.breaker.readings and same:
            self.breaker = replace(known, engines=self.breaker.engines)
            return True
        if self.said is not None or known.tripped is None or self.breaker.tripped is not None:
            return False
        self.breaker = replace(self.breaker, tripped=known.tripped)
        return True

    def news(self) -> bool:
        """Whether what the breaker knows differs enough from what was said of it.

        One that has read nothing has no news: the ledger still holds the day it knew before the start.
        """
        before, now = self.said, self.breaker
        if not now.readings:
            return False
        if before is None or self._verdicts(before) != self._verdicts(now):
            return True
        step = self.limits.daily_loss_minor // STEPS
        moved = abs((now.equity_minor or 0) - (before.equity_minor or 0))
        return moved > step or now.high_water_minor - before.high_water_minor > step

    def _verdicts(self, breaker: Breaker) -> tuple[object, ...]:
        return breaker.day, breaker.settled, breaker.opening_minor, breaker.tripped, breaker.blind(self.limits)


def strictest(limits: Iterable[RiskLimits]) -> BreakerLimits:
    """Of the bounds of several engines the stricter ones."""
    every = [breaker_limits(one) for one in limits]
    return replace(
        every[0],
        drawdown_max_ppm=min(one.drawdown_max_ppm for one in every),
        daily_loss_minor=min(one.daily_loss_minor for one in every),
    )


class CircuitBreaker:
    """The mind."""

    hears: ClassVar[tuple[Hears, ...]] = (
        Hears(TradingState),
        Hears(BreakerChanged),
        Hears(Tuned),
        Hears(Command, Overflow.BLOCK),
        Hears(GaveUp),
        Hears(CapitalChanged),
        Hears(BalanceChanged),
        Hears(PositionChanged),
        Hears(Stated),
        Hears(InvariantBroken),
        Hears(ChildStarted),
        Hears(Tick),
        latest(Mark),
    )
    says: ClassVar[tuple[type, ...]] = (TradingState, BreakerChanged, InvariantBroken)
    every_s: ClassVar[float] = 1.0

    def __init__(
        self,
        limits: Mapping[str, RiskLimits],
        instruments: Mapping[str, Mapping[str, Instrument]],
        account_of: Mapping[str, str] | None = None,
        checks: Checks | None = None,
    ):
        self.agreement = Agreement("circuit_breaker", checks)
        self.purses = {engine: Purse(instruments[engine]) for engine in limits}
        names = {engine: (account_of or {}).get(engine, engine) for engine in limits}
        groups = {name: [engine for engine in limits if names[engine] == name] for name in names.values()}
        made = {
            name: Account({engine: self.purses[engine] for engine in group}, [limits[engine] for engine in group])
            for name, group in groups.items()
        }
        self.accounts = {engine: made[name] for engine, name in names.items()}
        self.states: dict[str, TradingState] = {}  # by engine
        self.base = dict(limits)  # by engine, as they were started with
        self.tuned: dict[str, dict[Key, str]] = {engine: {} for engine in limits}

    def hear(self, message: Any) -> Said:
        match message:
            case Tick():
                return self._read(message.at_ns)
            case Mark():
                for purse in self.purses.values():
                    purse.mark(message)
            case CapitalChanged() | BalanceChanged() | PositionChanged():
                self._take(message)
            case Stated():
                kept = {symbol: held.lots for symbol, held in self.purses[message.engine].positions.items()}
                broken = self.agreement.compare(message, kept)
                return (*broken, *(state for one in broken for state in self._tighten(stopped(one))))
            case TradingState():
                return self._recover_state(message)
            case BreakerChanged():
                return self._recover_breaker(message)
            case Tuned():
                self._tune(message)
            case Command():
                return self._obey(message)
            case GaveUp() | InvariantBroken():
                return self._tighten(stopped(message))
            case ChildStarted():
                return self._tell_again(message.at_ns)
        return ()

    # --- readings

    def _take(self, message: CapitalChanged | BalanceChanged | PositionChanged) -> None:
        """Take over what is held and what came or went; the balance after that is the next thing heard."""
        purse = self.purses[message.engine]
        if isinstance(message, CapitalChanged):
            account = self.accounts[message.engine]
            account.breaker = shifted(account.breaker, message.amount_minor)
        elif isinstance(message, BalanceChanged):
            purse.balance = message
        else:
            purse.position(message)

    def _read(self, at_ns: int) -> Said:
        said: list[TradingState | BreakerChanged | InvariantBroken] = []
        for account in dict.fromkeys(self.accounts.values()):
            account.breaker, trip = observe(account.breaker, account.limits, account.equity_minor(), at_ns)
            if account.news():
                account.said = account.breaker
                said += [BreakerChanged(engine, account.breaker, at_ns) for engine in account.purses]
            if trip is not None and account.breaker.tripped is not None:
                for engine in account.purses:
                    said += self._tighten(halted(engine, trip, at_ns))
        return tuple(said)

    def _tune(self, tuned: Tuned) -> None:
        """Read the next equity against other bounds: one that is past them trips."""
        account = self.accounts.get(tuned.engine)
        if account is not None:
            self.tuned[tuned.engine] = changed(self.tuned[tuned.engine], tuned.key, tuned.value)
            account.limits = strictest(tuned_risk(self.base[engine], self.tuned[engine]) for engine in account.purses)

    def _recover_breaker(self, known: BreakerChanged) -> Said:
        """The ledger knows the day from before the start; our own words, heard again, change nothing."""
        account = self.accounts.get(known.engine)
        if account is None or not account.recover(known.breaker, known.engine):
            return ()
        trip = account.breaker.tripped
        if trip is None:
            return ()
        return tuple(one for engine in account.purses for one in self._tighten(halted(engine, trip, trip.at_ns)))

    # --- the trading state

    def _recover_state(self, told: TradingState) -> Said:
        """What the ledger kept over a restart, or our own words heard again; an older word than ours is put right."""
        known = self.states.get(told.engine)
        if known is not None and told.at_ns <= known.at_ns:
            return () if told.state is known.state else (known,)
        if STRICTNESS[told.state] > STRICTNESS[self._state(told.engine)]:
            self.states[told.engine] = told
        return ()

    def _obey(self, command: Command) -> Said:
        state = ASKED.get(command.order)
        if state is None:  # flatten and cancel are for others
            return ()
        wanted = TradingState(command.engine, state, command.reason, "operator", command.at_ns)
        return self._resume(wanted) if state is Trading.ACTIVE else self._tighten(wanted)

    def _tighten(self, wanted: TradingState) -> Said:
        if STRICTNESS[wanted.state] <= STRICTNESS[self._state(wanted.engine)]:
            return ()
        self.states[wanted.engine] = wanted
        return (wanted,)

    def _resume(self, wanted: TradingState) -> Said:
        """Lift what holds for one engine, or, for all, everything. What was lost is accepted; the day counts anew."""
        engines = [wanted.engine] if wanted.engine else [ALL, *self.accounts]
        said: list[TradingState | BreakerChanged] = []
        for engine in engines:
            account = self.accounts.get(engine)
            if account is not None and account.breaker.tripped is not None:
                account.breaker = account.said = resumed(account.breaker)
                said += [BreakerChanged(one, account.breaker, wanted.at_ns) for one in account.purses]
            if self._state(engine) is not Trading.ACTIVE:
                self.states[engine] = TradingState(engine, Trading.ACTIVE, wanted.reason, wanted.by, wanted.at_ns)
                said.append(self.states[engine])
        return tuple(said)

    def _state(self, engine: str) -> Trading:
        known = self.states.get(engine)
        return known.state if known else Trading.ACTIVE

    def _tell_again(self, at_ns: int) -> Said:
        known = [(engine, account.said) for engine, account in self.accounts.items()]
        breakers = [BreakerChanged(engine, said, at_ns) for engine, said in known if said is not None]
        return (*self.states.values(), *breakers)


def stopped(why: GaveUp | InvariantBroken) -> TradingState:
    """What a mistake of ours makes of the state of all engines."""
    if isinstance(why, GaveUp):
        reason, by = f"{why.supervisor} gave up on {why.child} after {why.restarts} restarts", "supervisor"
    else:
        reason, by = f"invariant {why.invariant}: {why.what}", "invariant"
    return TradingState(ALL, Trading.HALTED, reason, by, why.at_ns)


def halted(engine: str, trip: Trip, at_ns: int) -> TradingState:
    """What a trip makes of an engine's state."""
    return TradingState(engine, Trading.HALTED, f"{trip.rule}: {trip.value}, {trip.bound}", "circuit_breaker", at_ns)
