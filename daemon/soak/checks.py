"""What must hold in a world: venue, ledger and memory are one, and no order is lost, doubled or misjudged."""

from __future__ import annotations

import re
from collections import Counter, defaultdict, deque
from collections.abc import Iterable, Mapping
from decimal import Decimal
from pathlib import Path
from typing import TYPE_CHECKING, Any

from actors.ledger import LedgerMind
from actors.messages import OrderPlanned
from actors.records import read
from daemon.soak.hand import by_hand
from daemon.soak.place import HYPERLIQUID, VENUE_OF, Place, Placed, Truth
from risk.ledger.postings import Entry as Booked
from risk.order import OrderState
from supervisor.clock import NS_PER_S
from supervisor.journal import Journal
from venues.alpaca.rules import is_twin
from venues.hyperliquid.actions import cloid
from venues.market import Fill, OrderRequest, Rejected, Side
from venues.refusals import CANCEL_SELF_TRADE

if TYPE_CHECKING:
    from daemon.soak.world import World

FENCE_NS_MAX = 60 * NS_PER_S
"""No fence is further ahead by a clock that is right; those of a run are waited for at its end."""

DOUBT_NS_MAX = 60 * NS_PER_S
"""Behind its fence (20 s at Hyperliquid, 5 s at Alpaca) an order in doubt is asked about each 16 s, and then proven."""
REFUSED = "ejected"
"""What every status of a refused order has in its name, at either venue."""
MET_ITSELF = CANCEL_SELF_TRADE
"""What Hyperliquid says of an order that met nothing but an order of ours, once it has refused it: both are true."""
ADOPTED = "adopted-"
"""How ids of fills begin that the reconciler made up for what it could not explain."""


DRIFTED = re.compile(r"adopted-(.+)-\d+-(-?\d+)-(-?\d+)$")
"""Symbol, lots in the ledger and lots at the venue in such an id."""
RECENT, FEES_APART = 20, 0.0011
"""Of so many fills the fee may not be known yet: a taker's 25 basis points where a maker's 15 were reckoned with."""


class Books:
    """The journal, read whole."""

    def __init__(self, path: Path):
        self.path = path
        self.mind = LedgerMind()
        self.planned: dict[str, OrderRequest] = {}  # by the venue's name for it
        self.filled: defaultdict[str, Decimal] = defaultdict(Decimal)  # the same -> what it filled
        self.adopted: list[str] = []  # ids of fills that the reconciler made up
        self.recent: defaultdict[str, deque[int]] = defaultdict(lambda: deque(maxlen=RECENT))  # lots bought, by symbol
        self.denied: dict[str, str] = {}  # the same -> why the ledger was told that it is none

    def read(self) -> None:
        """Fold it all."""
        self.__init__(self.path)  # type: ignore[misc]
        if not self.path.exists():
            return
        journal = Journal.read_only(self.path)
        try:
            for entry in journal.read():
                record = read(entry)
                self.mind.fold(record)
                self._note(record)
        finally:
            journal.close()

    def _note(self, record: Any) -> None:
        if isinstance(record, OrderPlanned):
            self.planned[name_of(record.order.engine, record.order.id)] = record.order
        elif isinstance(record, Fill):
            size = self.mind.books.instrument(record.engine, record.symbol).size(record.lots)
            self.filled[name_of(record.engine, record.order_id)] += abs(size)
            if record.side is Side.BUY:
                self.recent[record.symbol].append(record.lots)
        elif isinstance(record, Rejected):
            self.denied[name_of(record.engine, record.order_id)] = record.reason
        elif isinstance(record, Booked) and ADOPTED in record.id and not self._is_fee(record.id):
            self.adopted.append(record.id)

    def _is_fee(self, entry_id: str) -> bool:
        """Whether a drift is what a fee of coins was misjudged by: no word of Alpaca's says which fills took."""
        told = DRIFTED.search(entry_id)
        return told is not None and 0 < int(told[2]) - int(told[3]) <= FEES_APART * sum(self.recent[told[1]])

    def held(self, engines: Iterable[str]) -> dict[str, Decimal]:
        """Positions."""
        books = self.mind.books
        sizes = {
            symbol: books.instrument(engine, symbol).size(position.lots)
            for engine in engines
            for symbol, position in books.positions.get(engine, {}).items()
        }
        return plain(sizes)


def name_of(engine: str, order_id: str) -> str:
    """The venue's name for an order of ours."""
    return cloid(order_id) if VENUE_OF.get(engine) == HYPERLIQUID else order_id


def plain(sizes: Mapping[str, Any]) -> dict[str, Decimal]:
    """Positions that are not flat; Alpaca calls them without the stroke."""
    return {symbol.replace("/", ""): Decimal(size) for symbol, size in sizes.items() if Decimal(size)}


def unwell(world: World) -> list[str]:
    """Why it is not well now, if it is not."""
    life = world.life
    if life is None or not life.trading or life.operator is None or life.operator.picture is None:
        return ["no daemon is up"]
    found: list[str] = []
    snapshot = life.operator.picture.snapshot()
    for row in snapshot.engines:
        if row.trading != "active" and not row.reason:
            found.append(f"{row.engine} is {row.trading} without a reason")
        if not row.reconciled:
            found.append(f"{row.engine} is not reconciled")
        if (missing := row.symbols - row.symbols_fresh - row.symbols_unlearnt) > 0:
            found.append(f"{row.engine} has {missing} of {row.symbols} symbols without fresh data")
    old_ns = snapshot.status.at_ns - DOUBT_NS_MAX
    doubts = [one for one in snapshot.orders if one.state != OrderState.RESTING and one.at_ns < old_ns]
    found += [f"{one.state} for too long: {one.order_id}" for one in doubts]
    for place in world.places:
        truth = place.truth()
        told = plain({one.symbol: one.size for one in snapshot.positions if one.engine in place.engines})
        if told != plain(truth.positions):
            found.append(f"positions: {plain(truth.positions)} at {place.venue}, {told} in memory")
        orders = {name_of(one.engine, one.order_id): one for one in snapshot.orders if one.engine in place.engines}
        there = {order.name for order in truth.orders if order.open}
        found += [f"open at {place.venue} and not in memory: {name}" for name in sorted(there - orders.keys())]
        resting = {name for name, one in orders.items() if one.state == OrderState.RESTING}
        found += [f"rests in memory and not at {place.venue}: {name}" for name in sorted(resting - there)]
    return found


def learning(world: World) -> int:
    """How many symbols are fresh and not traded yet, because their histories are still asked for."""
    assert world.life is not None and world.life.operator is not None and world.life.operator.picture is not None
    return sum(row.symbols_unlearnt for row in world.life.operator.picture.snapshot().engines)


def state_of(world: World) -> str:
    """What it does."""
    life = world.life
    if life is None or life.operator is None or life.operator.picture is None:
        return "nothing"
    rows = life.operator.picture.snapshot().engines
    return "; ".join(sorted({"quoting" if one.trading == "active" else f"{one.trading}: {one.reason}" for one in rows}))


def at_end(world: World) -> list[str]:
    """What is wrong when the last daemon is gone."""
    books = world.books
    books.read()
    found: list[str] = []
    for place in world.places:
        found += _of_place(place, place.truth(), books)
    found += [
        f"alive in the ledger at the end: {id_} is {order.state}"
        for id_, order in books.mind.orders.items()
        if not order.over and not _doubted_by_right(world, books.mind.fences_ns.get(id_, 0))
    ]
    if world.befall.fired["hand"]:
        return found  # what was traded by hand is adopted
    return found + [f"a drift was adopted: {one}" for one in books.adopted]


def _doubted_by_right(world: World, fence_ns: int) -> bool:
    """Whether the machine's clock was that far ahead when the order was sent: until its fence it may still arrive."""
    return world.befall.fired["clock_step"] > 0 and fence_ns > world.clock.now_ns() + FENCE_NS_MAX


def _of_place(place: Place, truth: Truth, books: Books) -> list[str]:
    ledger = books.held(place.engines)
    found = []
    if ledger != plain(truth.positions):
        found.append(f"positions: {plain(truth.positions)} at {place.venue}, {ledger} in the ledger")
    found += [f"orphan: {one.name} rests at {place.venue}" for one in truth.orders if one.open]
    names = Counter(order.name for order in truth.orders)
    found += [f"orphan: {name} was never planned" for name in names if name not in books.planned and not by_hand(name)]
    found += [f"duplicate: {name} is there {n} times" for name, n in names.items() if n > 1 and not by_hand(name)]
    found += _fills(place, truth, books)
    filled = {fill.name for fill in truth.fills}
    found += [
        f"wrong verdict: {one.name} is {one.status} at {place.venue}, the ledger was told: {books.denied[one.name]}"
        for one in truth.orders
        if one.name in books.denied
        and REFUSED not in one.status
        and not (one.name not in filled and (one.status == MET_ITSELF or _used_up(one, books)))
    ]
    had = (OrderState.RESTING, OrderState.FILLED)
    ours = {
        name_of(order.request.engine, id_): order.state
        for id_, order in books.mind.orders.items()
        if order.request.engine in place.engines and order.state in had
    }
    return found + [f"wrong verdict: {name} is {ours[name]}, the venue never had it" for name in ours.keys() - names]


def _used_up(one: Placed, books: Books) -> bool:
    """Whether it is the twin that used up the name of an order that was then refused (decision 0011)."""
    order = books.planned.get(one.name)
    return order is not None and is_twin(order, books.mind.books.instrument(order.engine, order.symbol), one.limit)


def _fills(place: Place, truth: Truth, books: Books) -> list[str]:
    filled: defaultdict[str, Decimal] = defaultdict(Decimal)
    by_intent: defaultdict[str, Decimal] = defaultdict(Decimal)
    wanted: defaultdict[str, Decimal] = defaultdict(Decimal)
    for fill in truth.fills:
        filled[fill.name] += abs(fill.size)
        if (order := books.planned.get(fill.name)) is not None:
            by_intent[order.intent_id] += abs(fill.size)
    for order in books.planned.values():
        size = books.mind.books.instrument(order.engine, order.symbol).size(order.lots)
        wanted[order.intent_id] = max(wanted[order.intent_id], abs(size))
    for live in books.mind.orders.values():  # what a replace bought that raced a fill is known for that
        of = live.request
        wanted[of.intent_id] += books.mind.books.instrument(of.engine, of.symbol).size(live.lots_surplus)
    ours = [name for name, order in books.planned.items() if order.engine in place.engines]
    found = [
        f"fills of {name}: {filled[name]} at {place.venue}, {books.filled[name]} in the ledger"
        for name in ours
        if filled[name] != books.filled[name]
    ]
    return found + [
        f"duplicate: intent {intent} was for {wanted[intent]} and {size} were filled"
        for intent, size in by_intent.items()
        if size > wanted[intent]
    ]
