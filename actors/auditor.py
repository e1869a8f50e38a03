"""Auditor: holds what the actors say against each other, and says what cannot be.

It hears of wishes that risk approved and of rows of the journal, of halts, and of what the ledger holds; never of a
book. What it keeps is small: wishes without a row yet, and the trading states.
"""

from typing import Any, ClassVar

from msgspec import Struct

from actors.messages import InvariantBroken, OrderChanged, OrderPlanned, TradingState
from risk.gate_state import ALL_ENGINES, ORDERLESS_NS_MAX
from risk.intent import Approved, Intent, Purpose, Trading
from risk.invariants import Checks, Invariant
from supervisor.clock import NS_PER_S
from supervisor.mailbox import Hears
from supervisor.messages import ChildCrashed, ChildStarted, Tick

CARRIERS = ("executor", "ledger", "gate")
"""Actors that take what they had in hand along when they crash: an approval lost so is known, and nothing was sent."""

HEARD_NS = NS_PER_S
"""A gate that approved an entry a second after a halt was said has not heard it."""


class Auditor:
    """The mind."""

    hears: ClassVar[tuple[Hears, ...]] = (
        Hears(Approved),
        Hears(OrderPlanned),
        Hears(OrderChanged),
        Hears(TradingState),
        Hears(ChildCrashed),
        Hears(ChildStarted),
        Hears(Tick),
    )
    says: ClassVar[tuple[type, ...]] = (InvariantBroken,)
    every_s: ClassVar[float] = 10.0

    def __init__(self, checks: Checks):
        self.checks = checks
        self.rowless: dict[tuple[str, str], int] = {}  # (engine, intent or order) without a row -> since when
        self.states: dict[str, TradingState] = {}

    def hear(self, message: Any) -> tuple[Struct, ...]:
        match message:
            case Approved():
                return self._approved(message)
            case OrderPlanned():
                self.rowless.setdefault((message.engine, message.order.id), message.at_ns)
            case OrderChanged():  # said once its row is on disk
                for name in (message.order_id, message.intent_id):
                    if self.rowless.pop((message.engine, name), None) is not None:
                        self.checks.see(Invariant.APPROVED_HAS_ROW, "")
            case TradingState():
                self.states[message.engine] = message
            case ChildCrashed() | ChildStarted():
                if message.child in CARRIERS:
                    self.rowless = {
                        name: ns for name, ns in self.rowless.items() if message.engine not in ("", name[0])
                    }
            case Tick():
                return self._overdue(message.at_ns)
        return ()

    def _approved(self, approved: Approved[Any]) -> tuple[Struct, ...]:
        wish = approved.wish
        if not isinstance(wish, Intent):
            return ()
        self.rowless[approved.engine, wish.id] = approved.at_ns
        if wish.purpose is not Purpose.ENTRY:
            return ()
        wrong = ""
        for engine in (ALL_ENGINES, approved.engine):
            state = self.states.get(engine)
            if state is not None and state.state is not Trading.ACTIVE and approved.at_ns > state.at_ns + HEARD_NS:
                wrong = f"entry {wish.id} of {wish.symbol} was approved while trading is {state.state}: {state.reason}"
        return self._told(Invariant.HALT_HOLDS, approved.engine, wrong, approved.at_ns)

    def _overdue(self, at_ns: int) -> tuple[Struct, ...]:
        late = [name for name, since_ns in self.rowless.items() if at_ns - since_ns > ORDERLESS_NS_MAX]
        said: tuple[Struct, ...] = ()
        for engine, name in late:
            del self.rowless[engine, name]
            seconds = ORDERLESS_NS_MAX // NS_PER_S
            wrong = f"{name} was approved and {seconds} s later no row of the journal has it"
            said += self._told(Invariant.APPROVED_HAS_ROW, engine, wrong, at_ns)
        return said

    def _told(self, invariant: Invariant, engine: str, wrong: str, at_ns: int) -> tuple[Struct, ...]:
        return (InvariantBroken(engine, invariant, wrong, at_ns),) if self.checks.see(invariant, wrong) else ()
