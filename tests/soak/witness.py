"""A witness of a run: keeps what the actors said, works out the money by itself, and holds the laws of the week.

It hears what the recorder hears, and believes only fills, orders and prices: positions are summed from fills, slots of
sectors counted from them and from entries that live, equity worked out from both. What the guards and the breaker said
of themselves is compared with that.
"""

from bisect import bisect_left, bisect_right
from collections import defaultdict, deque
from collections.abc import Iterable, Iterator, Mapping
from itertools import pairwise
from typing import Any, NamedTuple

from actors.messages import (
    BalanceChanged,
    HeldOutside,
    MacroWindow,
    Mark,
    OrderChanged,
    OrderPlanned,
    PositionChanged,
    TradingState,
)
from config.macro import load_macro_calendar
from config.profile import Profile
from daemon.board import Board
from daemon.modes import session_calendar
from daemon.times import minute_of
from risk.intent import Approved, Trading
from risk.order import OVER
from risk.session import Session, local_date, session_at, session_on
from supervisor.clock import NS_PER_S
from venues.market import Fill, Instrument

NS_PER_MINUTE = 60 * NS_PER_S
DAY_NS = 86_400 * NS_PER_S
CALENDAR = session_calendar()
CLEARED_NS = 2 * NS_PER_S
"""How long a cancel that was asked for may take to be the venue's word: 50 ms there, 50 back, and a beat."""


class Breach(NamedTuple):
    """When an account was too far below its high water, by the witness's own figures."""

    at_ns: int
    share: float


class Money:
    """One engine's account by balance, positions and prices."""

    def __init__(self, drawdown_max: float) -> None:
        self.drawdown_max = drawdown_max
        self.balance = 0
        self.positions: dict[str, tuple[int, int]] = {}  # lots, cost
        self.last: deque[int] = deque(maxlen=3)
        self.high, self.day = 0, -1
        self.lowest = 1.0  # equity over high water
        self.breach: Breach | None = None

    def look(self, at_ns: int, instruments: Mapping[str, Instrument], mids: Mapping[str, float]) -> None:
        """Once a second."""
        if not self.balance or any(symbol not in mids for symbol in self.positions):
            return
        equity = self.balance
        for symbol, (lots, cost) in self.positions.items():
            one = instruments[symbol]
            equity += one.notional_minor(one.ticks(mids[symbol]), lots) - cost
        if at_ns // DAY_NS != self.day:
            self.day, self.high = at_ns // DAY_NS, equity
        self.last.append(equity)
        self.high = max(self.high, min(self.last))
        self.lowest = min(self.lowest, equity / self.high)
        low = max(self.last) <= self.high * (1 - self.drawdown_max)
        if low and len(self.last) == self.last.maxlen and self.breach is None:
            self.breach = Breach(at_ns, max(self.last) / self.high)


class Witness(Board):
    """What one run said; stands in for the daemon's own board, which it is."""

    def __init__(self, instruments: Mapping[str, Mapping[str, Instrument]], venues: Mapping[str, str]) -> None:
        super().__init__(instruments, venues)
        WITNESSES.append(self)
        self.known = instruments
        self.heard: list[Any] = []
        self.fills_known: set[str] = set()
        self.money = {engine: Money(0.02) for engine in instruments}
        self.mids: dict[str, float] = {}
        self.second = 0
        self.opening: dict[tuple[str, str], int] = {}  # lots at the start, from a run before

    def write(self, message: Any) -> None:
        """Keep what the laws are about; prices only as they are."""
        super().write(message)
        kind = type(message)
        if kind is Mark:
            self._mark(message)
        elif kind is BalanceChanged:
            self.money[message.engine].balance = message.cash_minor + message.inventory_minor
        elif kind is PositionChanged:
            held = self.money[message.engine].positions
            held[message.symbol] = (message.lots, message.cost_minor)
            if not message.lots:
                del held[message.symbol]
        if kind is Fill and message.id in self.fills_known:
            return  # the reconciler may say a fill again: the ledger knows its id, and so do we
        if kind is Fill:
            self.fills_known.add(message.id)
        if kind in KEPT:
            self.heard.append(message)

    def _mark(self, mark: Mark) -> None:
        if mark.at_ns // NS_PER_S > self.second:
            self.second = mark.at_ns // NS_PER_S
            for engine, money in self.money.items():
                money.look(mark.at_ns, self.known[engine], self.mids)
        self.mids[mark.symbol] = (mark.bid + mark.ask) / 2

    def lots(self) -> dict[tuple[str, str], int]:
        """What is held now, by engine and symbol, summed from fills."""
        held = dict(self.opening)
        for fill in self.of(Fill):
            key = fill.engine, fill.symbol
            held[key] = held.get(key, 0) + fill.side.sign * fill.lots
        return {key: lots for key, lots in held.items() if lots}

    def of(self, kind: Any) -> list[Any]:
        """Every message of a kind."""
        return [message for message in self.heard if type(message) is kind]


WITNESSES: list[Witness] = []
"""Every one that was made, in the order of their runs."""

KEPT = {Approved, Fill, HeldOutside, MacroWindow, OrderChanged, OrderPlanned, TradingState}


# --- the laws


def wrongs_of(witness: Witness, profiles: Mapping[str, Profile]) -> Iterator[str]:
    """All that was not as it should be."""
    yield from outside(witness)
    yield from crowded(witness, profiles)
    yield from too_many(witness, profiles)
    yield from too_large(witness, profiles)
    yield from near_a_release(witness)
    yield from late(witness)


def outside(witness: Witness) -> Iterator[str]:
    """Shares are ordered and filled in the session, entered before its last 35 minutes, and not held over its close.

    What is held when a run begins may have been held over a close: then nobody was there.
    """
    lots = defaultdict(int, shares(witness.opening))
    open_at_start = bool(lots)
    last_ns = 0
    for message in ordered(witness, Fill, OrderPlanned, HeldOutside):
        if message.engine != "equities":
            continue
        if isinstance(message, HeldOutside):
            if not open_at_start:
                yield f"{minute_of(message.at_ns)}: {message.symbol} is held while the session is shut"
            continue
        session = session_at(message.at_ns, CALENDAR)
        name = message.order.symbol if isinstance(message, OrderPlanned) else message.symbol
        if session is None:
            yield f"{minute_of(message.at_ns)}: {name}, {type(message).__name__} outside the session"
            continue
        held = [symbol for symbol, amount in lots.items() if amount]
        if held and session.opens_ns > last_ns and not open_at_start:
            yield f"{minute_of(session.opens_ns)}: {', '.join(held)} were held over the close before"
        last_ns = message.at_ns
        if isinstance(message, Fill):
            lots[name] += message.side.sign * message.lots
        elif message.entry and not message.order.replaces and closes_soon(session, message.at_ns):
            yield f"{minute_of(message.at_ns)}: {name} entered in the last minutes of the session"
    if any(lots.values()) and session_at(witness.second * NS_PER_S, CALENDAR) is None and not open_at_start:
        yield f"{shares(witness.lots())} are held at the end, outside the session"


def shares(lots: Mapping[tuple[str, str], int]) -> dict[str, int]:
    """The equities engine's part."""
    return {symbol: amount for (engine, symbol), amount in lots.items() if engine == "equities"}


def closes_soon(session: Session, at_ns: int) -> bool:
    """Whether no position may be opened any more."""
    return at_ns > session.closes_ns - 35 * NS_PER_MINUTE


def crowded(witness: Witness, profiles: Mapping[str, Profile]) -> Iterator[str]:
    """No sector ever has more names held or under way than its cap."""
    risk = profiles["equities"].risk
    sectors = {symbol: one.sector for symbol, one in witness.known["equities"].items()}
    lots = defaultdict(int, shares(witness.opening))
    alive: dict[str, str] = {}
    full: set[str] = set()
    for message in ordered(witness, OrderChanged, Fill, OrderPlanned):
        if message.engine != "equities":
            continue
        if isinstance(message, Fill):
            lots[message.symbol] += message.side.sign * message.lots
        elif isinstance(message, OrderPlanned):
            if message.entry:
                alive[message.order.id] = message.order.symbol
        elif message.state in OVER:
            alive.pop(message.order_id, None)
        taken: dict[str, set[str]] = defaultdict(set)
        for symbol in {*(name for name, amount in lots.items() if amount), *alive.values()}:
            taken[sectors[symbol]].add(symbol)
        for sector, names in taken.items():
            most = risk.sector_caps.get(sector, risk.sector_cap_default)
            if len(names) > most and sector not in full:
                full.add(sector)
                yield f"{minute_of(message.at_ns)}: {sorted(names)} in {sector}, where {most} may be"


def too_many(witness: Witness, profiles: Mapping[str, Profile]) -> Iterator[str]:
    """No minute has more entries, first ones and moved ones, than the rate."""
    times: dict[str, list[int]] = defaultdict(list)
    for planned in witness.of(OrderPlanned):
        if planned.entry:
            times[planned.engine].append(planned.at_ns)
    for engine, planned_ns in times.items():
        most = profiles[engine].risk.orders_per_minute
        for place, at_ns in enumerate(planned_ns):
            count = bisect_left(planned_ns, at_ns + NS_PER_MINUTE) - place
            if count > most:
                yield f"{minute_of(at_ns)}: {count} orders of {engine} in a minute"


def too_large(witness: Witness, profiles: Mapping[str, Profile]) -> Iterator[str]:
    """No entry is worth more than an order may be, no position more than its symbol's cap, at the price of fills."""
    for planned in witness.of(OrderPlanned):
        one, order = witness.known[planned.engine][planned.order.symbol], planned.order
        most = profiles[planned.engine].risk.order_notional_usd_max
        if planned.entry and one.price(order.ticks) * one.size(order.lots) * one.multiplier > most:
            yield f"{minute_of(planned.at_ns)}: an entry of {order.symbol} is worth more than {most} USD"
    lots = defaultdict(int, witness.opening)
    for fill in witness.of(Fill):
        key = fill.engine, fill.symbol
        lots[key] += fill.side.sign * fill.lots
        one, most = witness.known[fill.engine][fill.symbol], profiles[fill.engine].symbol_cap_usd(fill.symbol)
        if one.price(fill.ticks) * one.size(abs(lots[key])) * one.multiplier > most and fill.side.sign * lots[key] > 0:
            yield f"{minute_of(fill.at_ns)}: {fill.symbol} is worth more than {most} USD"


def near_a_release(witness: Witness) -> Iterator[str]:
    """Fifteen minutes before and after a release no entry is ordered, and none rests once its cancel had its time."""
    over = {order.order_id: order.at_ns for order in witness.of(OrderChanged) if order.state in OVER}
    for shut_ns, open_ns in windows():
        for planned in witness.of(OrderPlanned):
            if not planned.entry:
                continue
            name = planned.order.symbol
            if shut_ns <= planned.at_ns < open_ns:
                yield f"{minute_of(planned.at_ns)}: {name} was entered near a release"
            elif planned.at_ns < shut_ns and over.get(planned.order.id, shut_ns) > shut_ns + CLEARED_NS:
                yield f"{minute_of(shut_ns)}: an entry of {name} rests on into the window of a release"


def late(witness: Witness) -> Iterator[str]:
    """The window shuts and opens to the second."""
    said = witness.of(MacroWindow)
    if not said:
        return
    first_ns, last_ns = said[0].at_ns, witness.second * NS_PER_S
    turns = [one for before, one in pairwise(said) if one.shut is not before.shut]
    wanted = [(at_ns, shut) for span in windows() for at_ns, shut in zip(span, (True, False), strict=True)]
    wanted = [(at_ns, shut) for at_ns, shut in wanted if first_ns < at_ns < last_ns - NS_PER_S]
    if [turn.shut for turn in turns] != [shut for _, shut in wanted]:
        yield f"{len(turns)} turns of the macro window, {len(wanted)} by the table"
    for turn, (at_ns, _) in zip(turns, wanted, strict=False):
        if not 0 <= turn.at_ns - at_ns <= NS_PER_S:
            yield f"{minute_of(at_ns)}: the window turned {(turn.at_ns - at_ns) / NS_PER_S} s late"


def windows() -> list[tuple[int, int]]:
    """First and last instant of every window around releases; those that touch are one."""
    found: list[tuple[int, int]] = []
    for event in load_macro_calendar().events:
        shut_ns, open_ns = event.at_ns - 15 * NS_PER_MINUTE, event.at_ns + 15 * NS_PER_MINUTE
        if found and shut_ns <= found[-1][1] + 1:
            found[-1] = (found[-1][0], max(found[-1][1], open_ns))
        else:
            found.append((shut_ns, open_ns))
    return found


# --- what is asked of a run beside the laws


def halts_of(witness: Witness, engine: str) -> list[TradingState]:
    """When the circuit breaker halted an engine."""
    states = dict.fromkeys(witness.of(TradingState))  # every child that starts is told of it again
    return [one for one in states if (one.engine, one.by, one.state) == (engine, "circuit_breaker", Trading.HALTED)]


def entries_of(witness: Witness, engine: str) -> list[int]:
    """When entries of an engine were ordered, in order."""
    return sorted(planned.at_ns for planned in witness.of(OrderPlanned) if planned.engine == engine and planned.entry)


def exits_of(witness: Witness, reason: str) -> list[Any]:
    """Exits that risk let pass for a reason."""
    return [one.wish for one in witness.of(Approved) if getattr(one.wish, "reason", "") == reason]


def sessions_of(witness: Witness) -> int:
    """Sessions in which shares were traded."""
    days = {local_date(fill.at_ns) for fill in witness.of(Fill) if fill.engine == "equities"}
    return sum(session_on(day, CALENDAR) is not None for day in days)


def near(times: list[int], first_ns: int, last_ns: int) -> int:
    """How many of the times lie from first to last, both included."""
    return bisect_right(times, last_ns) - bisect_left(times, first_ns)


def ordered(witness: Witness, *kinds: type) -> Iterable[Any]:
    """Messages in order of their stamps; of one stamp in the order of the kinds, so that what ends comes first."""
    rank = {kind: place for place, kind in enumerate(kinds)}
    return sorted((one for one in witness.heard if type(one) in rank), key=lambda one: (one.at_ns, rank[type(one)]))
