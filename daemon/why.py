"""Why no trade: every condition between a symbol and an order, in the order in which the code asks, with its value now.

It is read from the minds that decide, by the functions they decide with: the strategy's conditions, what is in the way
of an entry, the rules of the gate. Nothing is worked out anew, and nothing is changed by looking.
"""

from collections.abc import Iterator
from typing import Any

from actors.feed import Stream
from actors.gate import Gate
from actors.signal import Signal
from actors.strategy import Act, Condition, Decision, SymbolView, leans_long
from actors.symbol_state import SymbolState
from config.profile import Profile
from daemon.snapshot import ConditionRow, Why
from risk.gate import case_of, findings
from risk.intent import Intent
from supervisor.clock import NS_PER_MS
from supervisor.supervisor import House

FEED, SIGNAL, GATE = "feed", "signal", "gate"
WHAT_IF = "what-if"
"""The id of the intent that the gate is asked about; it is nobody's."""


def why(house: House, stream: Stream, profile: Profile, symbol: str) -> Why:
    """Everything between a symbol of an engine and an entry; of a position, what would make it leave."""
    engine, now_ns = profile.engine, house.clock.now_ns()
    signal, gate = mind_of(house, f"{engine}.signal", Signal), mind_of(house, f"{engine}.gate", Gate)
    rows = [ConditionRow(FEED, *one) for one in of_stream(stream, profile, now_ns)]
    exits: list[ConditionRow] = []
    held = ""
    if signal is None:
        rows.append(ConditionRow(SIGNAL, "running", False, "down", "running"))
    else:
        state = signal.symbols[symbol]
        view = signal.view(state, state.close, now_ns)
        held = f"{state.instrument.size(state.lots):f}" if state.held else ""
        exits = [ConditionRow(SIGNAL, *one) for one in signal.strategy.exit_conditions(view)] if state.held else []
        rows += [ConditionRow(SIGNAL, *one) for one in of_signal(signal, state, view, now_ns)]
        rows += [ConditionRow(GATE, *one) for one in of_gate(signal, gate, state, view, now_ns)]
    first = next((row for row in rows if not row.holds), None)
    verdict = f"{first.asked_by} says {first.name}: {first.value}, needed: {first.needed}" if first else NOTHING
    return Why(
        engine=engine,
        symbol=symbol,
        at_ns=now_ns,
        held=held,
        verdict=f"it is held; an entry would meet: {verdict}" if held else verdict,
        conditions=tuple(rows),
        exits=tuple(exits),
    )


NOTHING = "nothing is in the way: the next bar's close enters"


def mind_of(house: House, name: str, kind: type) -> Any:
    """The mind of an actor, to be looked at; None while it is down."""
    mind = house.mind(name)
    return mind if isinstance(mind, kind) else None


def of_stream(stream: Stream, profile: Profile, now_ns: int) -> Iterator[Condition]:
    """Whether books come."""
    seen_ns = max(stream.received_ns, stream.seen_ns)
    age = f"{(now_ns - seen_ns) // NS_PER_MS} ms old" if seen_ns else "no book yet"
    value = age if stream.fresh or not seen_ns else f"{age}, stale"
    yield Condition("feed", stream.fresh, value, f"a book of the last {profile.feed.stale_ms} ms, heard in full")


def of_signal(signal: Signal, state: SymbolState, view: SymbolView, now_ns: int) -> Iterator[Condition]:
    """What the signal would ask at the close of a bar now."""
    yield Condition("stopping", not signal.stopping, "stopping" if signal.stopping else "running", "running")
    bars, size = len(state.window.closes), state.window.size
    yield Condition("window", view.warm, f"{bars} bars of {size}", f"{size - 1 if state.daily else size} bars")
    shut = signal.session(state, now_ns)
    risk = signal.profile.risk
    yield Condition(shut.reason if shut else "session", shut is None, shut.reason if shut else "open", risk.session)
    yield Condition("position", not state.held, f"{state.lots} lots" if state.held else "flat", "flat")
    yield from signal.strategy.entry_conditions(view)
    act = Act.LONG if leans_long(view) else Act.SHORT
    yield from signal.in_the_way(state, act, view, now_ns)


def of_gate(
    signal: Signal, gate: Gate | None, state: SymbolState, view: SymbolView, now_ns: int
) -> Iterator[Condition]:
    """What the gate would find against the entry on the side that the symbol leans to."""
    if gate is None:
        yield Condition("running", False, "down", "running")
        return
    wish = what_if(signal, state, view, now_ns)
    if wish is None:
        return  # there is no price to ask with, and the signal has said so
    for name, (passes, value, bound) in findings(case_of(wish, gate.state, now_ns)):
        yield Condition(name, passes, value, bound)


def what_if(signal: Signal, state: SymbolState, view: SymbolView, now_ns: int) -> Intent | None:
    """The intent that an entry would be now; None without a price."""
    act = Act.LONG if leans_long(view) else Act.SHORT
    order = signal.entry_order(state, act, view)
    if order is None:
        return None
    return signal.intent(state, order, Decision(act, WHAT_IF, z_bound=0.0, obi_bound=0.0), view, now_ns, WHAT_IF)
