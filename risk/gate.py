"""The gate: every wish passes these rules in this order, or is refused by the first that it breaks.

The only module that makes an Approved (tests/test_tidy.py sees to it), and the executor hears nothing else. Cancels
always pass. An exit passes in every state and over every cap, and no rate can starve it; what is checked is that it
fits the live position, and that no person keeps that position for himself (`reconcile.by_hand`). A resting entry is not
moved while entries are frozen: then it should be cancelled.
"""

from collections.abc import Callable, Iterator
from enum import Flag, auto
from typing import NamedTuple

from msgspec.structs import replace

from risk import rules
from risk.gate_state import GateState, UnderWay, without_lost
from risk.intent import Approved, Cancel, Check, Intent, Purpose, Refused, Reprice, W
from risk.rate import take
from risk.rules import Case, Finding


class Kind(Flag):
    """What a wish is to the gate."""

    ENTRY = auto()
    EXIT = auto()
    ENTRY_MOVE = auto()
    EXIT_MOVE = auto()


class Rule(NamedTuple):
    """A rule, what it is called in every refusal, and which wishes it is asked about."""

    name: str
    asked_of: Kind
    ask: Callable[[Case], Finding]


ENTRIES = Kind.ENTRY
ADDING = Kind.ENTRY | Kind.ENTRY_MOVE
WISHES = Kind.ENTRY | Kind.EXIT | Kind.ENTRY_MOVE
EVERY = Kind.ENTRY | Kind.EXIT | Kind.ENTRY_MOVE | Kind.EXIT_MOVE

RULES: tuple[Rule, ...] = (
    Rule("finite", EVERY, rules.finite),
    Rule("state", ADDING, rules.trading_state),
    Rule("reconciled", ENTRIES, rules.reconciled),
    Rule("by_hand", WISHES, rules.by_hand),
    Rule("fresh", ENTRIES, rules.fresh),
    Rule("macro_window", ADDING, rules.macro_window),
    Rule("blackout", ADDING, rules.blackout),
    Rule("session", ENTRIES, rules.session),
    Rule("entries_cap", ENTRIES, rules.entries_cap),
    Rule("day_trades", ENTRIES, rules.day_trades),
    Rule("symbol", ENTRIES, rules.symbol),
    Rule("flip_guard", EVERY, rules.flip_guard),
    Rule("sector_cap", ENTRIES, rules.sector_cap),
    Rule("symbol_cap", ADDING, rules.symbol_cap),
    Rule("reduce_only", ENTRIES, rules.reduce_only),
    Rule("net_cap", ENTRIES, rules.net_cap),
    Rule("order_notional", ADDING, rules.order_notional),
    Rule("daily_loss", ENTRIES, rules.daily_loss),
    Rule("drawdown", ENTRIES, rules.drawdown),
    Rule("order_rate", ADDING, rules.order_rate),
)
"""In the order they are asked; the numbers first, because no rule means anything without them."""

WATCHED_RULES = (*RULES[:2], Rule("deadman", ADDING, rules.watched), *RULES[2:])
"""The same where a dead man is asked for."""


def judge(wish: W, state: GateState, at_ns: int) -> tuple[Approved[W] | Refused[W], GateState]:
    """Ask every rule that concerns a wish. Gives the verdict and the state after it, which counts what was approved."""
    if isinstance(wish, Cancel):
        return Approved(wish.engine, wish, (), at_ns), state
    case = case_of(wish, state, at_ns)
    checks = []
    for name, (passes, value, bound) in findings(case):
        if not passes:
            return Refused(wish.engine, wish, name, value, bound, at_ns), case.state
        checks.append(Check(name, value, bound))
    return Approved(wish.engine, wish, tuple(checks), at_ns), _counted(case)


def case_of(wish: Intent | Reprice, state: GateState, at_ns: int) -> Case:
    """A wish before the rules: the state without what was lost, and reducing where the net is too large."""
    state = without_lost(state, at_ns)
    return Case(wish, _latched(state) if kind_of(wish) in ADDING else state, at_ns)


def findings(case: Case) -> Iterator[tuple[str, Finding]]:
    """What every rule that concerns a wish finds, one after the other; the first that does not pass decides."""
    kind = kind_of(case.wish)
    for rule in RULES if case.state.watched_until_ns is None else WATCHED_RULES:
        if kind in rule.asked_of:
            yield rule.name, rule.ask(case)


def kind_of(wish: Intent | Reprice) -> Kind:
    """What a wish is to the gate."""
    if wish.purpose is Purpose.EXIT:
        return Kind.EXIT if isinstance(wish, Intent) else Kind.EXIT_MOVE
    return Kind.ENTRY if isinstance(wish, Intent) else Kind.ENTRY_MOVE


def _latched(state: GateState) -> GateState:
    reducing = rules.is_reducing(state)
    return state if reducing is state.reducing else replace(state, reducing=reducing)


def _counted(case: Case) -> GateState:
    """The state with one order more: an exit uses up the rate too where there is some left, but never waits for it."""
    state, wish = case.state, case.wish
    rate = take(state.rate, case.at_ns).bucket
    if isinstance(wish, Reprice):
        return replace(state, rate=rate)
    under_way = UnderWay(wish.symbol, case.lots, wish.purpose is Purpose.ENTRY, approved_ns=case.at_ns)
    return replace(state, rate=rate, under_way=state.under_way | {wish.id: under_way})
