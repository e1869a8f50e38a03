"""The rules of the gate: each a small function that says what it measured and what it measured it against.

A rule refuses when it cannot measure: every comparison is written so that nan fails it.
"""

from math import isfinite
from typing import NamedTuple

from msgspec import Struct

from risk.day_trades import SESSIONS, first_counted
from risk.gate_state import GateState, entry_day
from risk.intent import Intent, Reprice, Trading
from risk.money import notional_minor, to_minor, usd_text
from risk.position import is_flat, is_leftover
from risk.rate import take
from risk.sector import cap, counts
from risk.session import NS_PER_S, closes_at_ns, is_open, local_date
from venues.market import Instrument

NS_PER_MINUTE = 60 * NS_PER_S
LEFTOVER_ROOM = 2.0
"""Who wishes for an entry has held what is left against the price of the last bar, with less room (risk.position): the
gate leaves room for what the price did since, and does not refuse for minutes what was right when it was wished for."""

FLATTEN = "flatten"
"""The reason of an exit that the operator asked for."""

FLIPS = frozenset({"equity"})
"""Asset classes whose venue fills an exit beyond the position: there, exits under way count against it. Perpetuals
carry reduce-only and spot coins cannot be sold short: a second exit is harmless there, and a stop never waits. For the
same reason no exit passes before the venue was looked at: what was closed by hand meanwhile would be sold short."""


class Case(Struct, frozen=True):
    """One wish before the rules."""

    wish: Intent | Reprice
    state: GateState
    at_ns: int

    @property
    def intent_id(self) -> str:
        """The intent it is about; its own order under way is never counted beside it."""
        return self.wish.id if isinstance(self.wish, Intent) else self.wish.intent_id

    @property
    def lots(self) -> int:
        """Signed lots it adds."""
        lots = self.wish.lots if isinstance(self.wish, Intent) else self.wish.lots_left
        return self.wish.side.sign * lots

    @property
    def instrument(self) -> Instrument | None:
        """What it trades, if that is known."""
        return self.state.instruments.get(self.wish.symbol)

    @property
    def position(self) -> int:
        """Signed lots held."""
        return self.state.positions.get(self.wish.symbol, 0)


class Finding(NamedTuple):
    """What a rule found."""

    passes: bool
    value: str
    bound: str


def finite(case: Case) -> Finding:
    """Every number of the wish is one: size and price are positive, and an entry's evidence is finite."""
    numbers = {"lots": case.wish.side.sign * case.lots, "ticks": case.wish.ticks}
    broken = [name for name, number in numbers.items() if not (number > 0 and isfinite(number))]
    if isinstance(case.wish, Intent) and case.wish.purpose == "entry":
        evidence = case.wish.evidence
        numbers |= {name: getattr(evidence, name) for name in ("close", "z", "z_bound", "obi", "obi_bound")}
        broken += [name for name, number in numbers.items() if name not in broken and not isfinite(number)]
    named = broken or list(numbers)
    return Finding(not broken, ", ".join(f"{name} {numbers[name]}" for name in named), "finite, size and price above 0")


def trading_state(case: Case) -> Finding:
    """Entries pass in ACTIVE only."""
    now = case.state.trading_now()
    return Finding(now is Trading.ACTIVE, now, Trading.ACTIVE)


def reconciled(case: Case) -> Finding:
    """Venue and ledger were compared and agree."""
    state = case.state
    return Finding(state.reconciled, "reconciled" if state.reconciled else state.reconciled_reason, "reconciled")


def by_hand(case: Case) -> Finding:
    """Under quarantine, a symbol in which somebody trades by hand is left to him until it is flat; `flatten` passes."""
    state, wish = case.state, case.wish
    lots = state.by_hand.get(wish.symbol, 0)
    asked = wish.reason == FLATTEN and wish.purpose == "exit"
    value = f"{lots} lots by hand" + (", flatten" if lots and asked else "")
    bound = "nothing by hand, or flatten" if state.quarantine else "not in quarantine"
    return Finding(not (state.quarantine and lots) or asked, value, bound)


def watched(case: Case) -> Finding:
    """Somebody else cancels what rests when this process is gone."""
    state = case.state
    if state.awoke:  # whatever time its wish bears
        return Finding(False, "away, and not reconciled since", "watched")
    if case.at_ns <= (state.watched_until_ns or 0):
        return Finding(True, "watched", "watched")
    return Finding(False, state.unwatched or "what was said of it is too old", "watched")


def fresh(case: Case) -> Finding:
    """The symbol's market data is not stale."""
    is_fresh = case.wish.symbol in case.state.fresh
    return Finding(is_fresh, "fresh" if is_fresh else "stale", "fresh")


def macro_window(case: Case) -> Finding:
    """No scheduled release is near."""
    state = case.state
    return Finding(not state.macro_shut, f"shut: {state.macro_event}" if state.macro_shut else "open", "open")


def blackout(case: Case) -> Finding:
    """No report of the symbol's company is near."""
    why = case.state.blackouts.get(case.wish.symbol, "")
    return Finding(not why, why or "open", "open")


def session(case: Case) -> Finding:
    """The market is open, and stays so long enough for an entry to be left again."""
    limits, calendar = case.state.limits, case.state.calendar
    if not is_open(limits.session, case.at_ns, calendar):
        known = calendar.knows(local_date(case.at_ns))
        unknown = f"shut: the calendar knows {calendar.first} to {calendar.last}"
        return Finding(False, "shut" if known else unknown, limits.session)
    closes_ns = closes_at_ns(limits.session, case.at_ns, calendar)
    if closes_ns is None:
        return Finding(True, "open", limits.session)
    left_ns = closes_ns - case.at_ns
    bound = f"{limits.session}, {limits.entries_stop_minutes} min before its close"
    return Finding(left_ns > limits.entries_stop_minutes * NS_PER_MINUTE, f"{left_ns // NS_PER_S} s to close", bound)


def entries_cap(case: Case) -> Finding:
    """The day's entries are not used up: those a venue accepted count, and those under way, which it may accept yet.

    What it refused does not: a venue that rejected every order of a dex once used up a session's entries.
    """
    state, day = case.state, entry_day(case.state, case.at_ns)
    taken = {intent for intent, at_ns in state.entries.items() if entry_day(state, at_ns) == day}
    taken |= {intent for intent, what in state.under_way.items() if what.entry}
    most = state.limits.entries_max
    bound = "no cap" if most is None else f"{most} a day"
    return Finding(most is None or len(taken) < most, f"{len(taken)} entries accepted today or under way", bound)


def day_trades(case: Case) -> Finding:
    """A small margin account has day trades left: the venue would refuse the exit of one too many (40310100).

    Whatever is entered is left the same day, so what is held or under way is a day trade already.
    """
    state, most = case.state, case.state.limits.day_trades_max
    if most is None:
        return Finding(True, "not counted", "no cap")
    least, breaker = to_minor(state.limits.day_trades_equity_usd_min), state.breaker
    equity = min(breaker.opening_minor, breaker.equity_minor or 0)
    bound = f"fewer than {most} in {SESSIONS} sessions below {usd_text(least)} USD of equity"
    if equity >= least:
        return Finding(True, f"equity {usd_text(equity)} USD", bound)
    first = first_counted(case.at_ns, state.calendar)
    done = sum(first is None or local_date(at_ns) >= first for _, at_ns in state.day_trades)
    open_now = {name for name, lots in state.positions.items() if not _is_nothing(state, name, lots)}
    open_now |= {what.symbol for intent, what in state.under_way.items() if what.entry and intent != case.intent_id}
    value = f"{done} done and {len(open_now)} open, equity {usd_text(equity)} USD"
    return Finding(done + len(open_now) < most, value, bound)


def symbol(case: Case) -> Finding:
    """The name is in the engine's universe and can be traded that way."""
    wish, state, instrument = case.wish, case.state, case.instrument
    if wish.engine != state.engine:
        return Finding(False, f"engine {wish.engine}", f"engine {state.engine}")
    if wish.symbol not in state.symbols or instrument is None:
        return Finding(False, wish.symbol, f"one of {len(state.symbols)} symbols of {state.engine}")
    if wish.symbol in state.limits.entries_off:
        return Finding(False, f"{wish.symbol}, whose entries are off", "entries on")
    if case.lots < 0 and not instrument.shortable:
        return Finding(False, f"{wish.symbol} sold short", "a name that can be sold short")
    return Finding(True, wish.symbol, f"symbol of {state.engine}")


def flip_guard(case: Case) -> Finding:
    """An entry needs a flat position and no other entry; an exit needs a position, the other side and no more lots."""
    if case.wish.purpose == "exit":
        return _exit_fits(case)
    if isinstance(case.wish, Reprice):
        return _move_fits(case)
    others = _under_way(case, entry=True)
    if others:
        return Finding(False, f"{others} lots of another entry under way", "no other entry under way")
    flat = _is_nothing(case.state, case.wish.symbol, case.position, case.wish.ticks)
    return Finding(flat, f"{case.position} lots held", f"flat, up to {case.state.limits.dust_lots} lots of dust")


def _is_nothing(state: GateState, name: str, lots: int, ticks: float | None = None) -> bool:
    """Whether a position counts as none: dust, or coins that no order can sell. Without a price they count."""
    if is_flat(lots, state.limits.dust_lots):
        return True
    instrument, ticks = state.instruments.get(name), state.mark(name) if ticks is None else ticks
    if instrument is None or lots < 0:
        return False
    return is_leftover(lots, ticks, instrument, LEFTOVER_ROOM, state.limits.dust_usd)


def _exit_fits(case: Case) -> Finding:
    held = case.position
    value = f"{case.lots} lots against {held} held"
    if is_flat(held, case.state.limits.dust_lots):
        return Finding(False, value, "a position to leave")
    if held * case.lots > 0:
        return Finding(False, value, "the side that leaves it")
    flips = case.instrument is not None and case.instrument.asset_class in FLIPS
    if flips and not case.state.compared:
        return Finding(False, f"{value}, not compared with the venue yet", "a position that the venue has too")
    under_way = _under_way(case, entry=False) if flips else 0
    if under_way:
        value += f" and {under_way} under way"
    return Finding(
        abs(case.lots) <= abs(held + under_way) and held * (held + under_way) > 0, value, "no more than held"
    )


def _move_fits(case: Case) -> Finding:
    """Only what is unfilled of an entry moves."""
    known = case.state.under_way.get(case.intent_id)
    left = known.lots if known is not None and known.symbol == case.wish.symbol else 0
    bound = f"the {left} lots under way"
    return Finding(left * case.lots > 0 and abs(case.lots) <= abs(left), f"{case.lots} lots moved", bound)


def _under_way(case: Case, *, entry: bool) -> int:
    """Signed lots of other intents of the same symbol that are not filled yet."""
    others = (what for intent, what in case.state.under_way.items() if intent != case.intent_id)
    return sum(what.lots for what in others if what.symbol == case.wish.symbol and what.entry is entry)


def sector_cap(case: Case) -> Finding:
    """One more name does not fill its sector; positions and entries under way of every engine count."""
    state, instrument = case.state, case.instrument
    sector = instrument.sector if instrument else ""
    if not sector:
        return Finding(True, "no sector", "no cap")
    held = [name for name, lots in state.positions.items() if not _is_nothing(state, name, lots)]
    held += [what.symbol for what in state.under_way.values() if what.entry]
    members = state.sector_members | {
        name: state.instruments[name].sector for name in held if name in state.instruments
    }
    members.pop(case.wish.symbol, None)
    taken, most = counts(members).get(sector, 0), cap(sector, state.limits.sector_caps, state.limits.sector_cap_default)
    return Finding(taken < most, f"{taken} others in {sector}", f"{most} in {sector}")


def symbol_cap(case: Case) -> Finding:
    """What is held, under way and wanted on this side is worth no more than the symbol's cap."""
    limits, instrument, sign = case.state.limits, case.instrument, case.wish.side.sign
    most = to_minor(limits.symbol_caps_usd.get(case.wish.symbol, limits.symbol_cap_usd))
    if instrument is None:
        return Finding(False, "unknown instrument", f"{usd_text(most)} USD")
    held = 0 if _is_nothing(case.state, case.wish.symbol, case.position, case.wish.ticks) else case.position
    lots = max(0, sign * held) + max(0, sign * _under_way(case, entry=True)) + abs(case.lots)
    worth = notional_minor(instrument, case.wish.ticks, lots)
    return Finding(worth <= most, f"{usd_text(worth)} USD", f"{usd_text(most)} USD")


def net_minor(state: GateState) -> int | None:
    """Longs less shorts at the mark; None when a position has no price."""
    total = 0
    for name, lots in state.positions.items():
        if lots:
            worth = _at_mark(state, name, lots)
            if worth is None:
                return None
            total += worth
    return total


def _at_mark(state: GateState, name: str, lots: int) -> int | None:
    instrument, mark = state.instruments.get(name), state.mark(name)
    if instrument is None or not (isfinite(mark) and mark > 0):
        return None
    return notional_minor(instrument, round(mark), lots)


def is_reducing(state: GateState) -> bool:
    """Whether only entries that shrink the net may pass; stays as it was between the two bounds, or without prices."""
    net = net_minor(state)
    if net is None:
        return state.reducing
    net_cap_minor = to_minor(state.limits.net_cap_usd)
    if state.reducing:
        return abs(net) > net_cap_minor * state.limits.reduce_off
    return abs(net) >= net_cap_minor * state.limits.reduce_on


def _net_before_and_after(case: Case) -> tuple[int, int] | None:
    """The net with what is under way on this side, without and with the wish; no order is counted on to help."""
    state, instrument = case.state, case.instrument
    before = net_minor(state)
    if before is None or instrument is None:
        return None
    for intent, what in state.under_way.items():
        if what.entry and intent != case.intent_id and what.lots * case.lots > 0:
            worth = _at_mark(state, what.symbol, what.lots)
            if worth is None:
                return None
            before += worth
    return before, before + notional_minor(instrument, case.wish.ticks, case.lots)


def reduce_only(case: Case) -> Finding:
    """Far over the net cap, only entries that shrink the net pass, until it is well below again."""
    limits = case.state.limits
    bound = f"reduce only from {limits.reduce_on} down to {limits.reduce_off} of the net cap"
    if not case.state.reducing:
        return Finding(True, "not reducing", bound)
    nets = _net_before_and_after(case)
    if nets is None:
        return Finding(False, "net unknown: a price is missing or is no number", bound)
    before, after = nets
    return Finding(abs(after) < abs(before), f"net {usd_text(before)} to {usd_text(after)} USD", bound)


def net_cap(case: Case) -> Finding:
    """The net of all symbols does not grow beyond its cap. A price that is no number refuses, it does not pass."""
    most = to_minor(case.state.limits.net_cap_usd)
    bound = f"{usd_text(most)} USD"
    nets = _net_before_and_after(case)
    if nets is None:
        return Finding(False, "net unknown: a price is missing or is no number", bound)
    before, after = nets
    value = f"net {usd_text(before)} to {usd_text(after)} USD"
    return Finding(abs(after) <= most or abs(after) <= abs(before), value, bound)


def order_notional(case: Case) -> Finding:
    """One order is not worth too much."""
    most, instrument = to_minor(case.state.limits.order_notional_usd_max), case.instrument
    if instrument is None:
        return Finding(False, "unknown instrument", f"{usd_text(most)} USD")
    worth = notional_minor(instrument, case.wish.ticks, abs(case.lots))
    return Finding(worth <= most, f"{usd_text(worth)} USD", f"{usd_text(most)} USD")


def daily_loss(case: Case) -> Finding:
    """The breaker sees, is not tripped, and the day's loss by its last reading is within its bound."""
    breaker, limits = case.state.breaker, case.state.breaker_limits
    bound = f"loss below {usd_text(limits.daily_loss_minor)} USD"
    if breaker.tripped is not None:
        return Finding(False, f"tripped by {breaker.tripped.rule}: {breaker.tripped.value}", "resumed by the operator")
    if breaker.blind(limits):
        return Finding(False, f"no equity reading, {breaker.bad_readings} bad ones", bound)
    return Finding(breaker.loss_minor < limits.daily_loss_minor, f"loss {usd_text(breaker.loss_minor)} USD", bound)


def drawdown(case: Case) -> Finding:
    """The last equity reading is not too far below the day's high water."""
    most, now = case.state.breaker_limits.drawdown_max_ppm, case.state.breaker.drawdown_ppm
    return Finding(now < most, f"{now} ppm", f"below {most} ppm")


def order_rate(case: Case) -> Finding:
    """Not too many orders in a short time."""
    bucket = case.state.rate
    _, allowed, next_ns = take(bucket, case.at_ns)
    value = "within" if allowed else f"next in {(next_ns - case.at_ns) // 1_000_000} ms"
    return Finding(allowed, value, f"{bucket.per_minute} a minute, {bucket.burst} at once")
