"""What must hold after a kill: venue, ledger and memory are one, and no order is lost, doubled or misjudged.

What is still on its way may differ for a moment (`unsettled`); what is wrong once is wrong for good (`wrongs`).
"""

import re
import sqlite3
from collections import Counter, defaultdict
from decimal import Decimal
from pathlib import Path
from typing import Any

from actors.ledger import LedgerMind
from actors.messages import OrderPlanned, TradingState
from actors.records import read
from risk.ledger.postings import Entry as Booked
from risk.order import OrderState
from supervisor.journal import Entry
from venues.alpaca import rules
from venues.hyperliquid.actions import cloid
from venues.market import Fill, OrderRequest, Rejected

DOUBT = (OrderState.SENT, OrderState.UNKNOWN, OrderState.CANCELLING)
REFUSED = "ejected"
"""What every status of a refused order has in its name, at either venue."""

ADOPTED = re.compile(r"adopted-.+-\d+-(-?\d+)-(-?\d+)$")
"""Ids of fills that the reconciler made up for what it could not explain: lots in the ledger, lots at the venue."""

FEE_BPS_MAX = 11
"""Alpaca takes its fee for bought coins in coins and tells of it by what is held alone: of a maker 15 bps, of a taker
25. What was bought while nobody listened is booked as a maker's; if it was not, the reconciler adopts the rest."""
BPS = 10_000


class Books:
    """The journal of a data directory, read on as it grows, from outside."""

    def __init__(self, data: Path, venue: str):
        self.path, self.venue = data / "journal.sqlite", venue
        self.mind = LedgerMind()
        self.seq = 0
        self.planned: dict[str, OrderRequest] = {}  # by the venue's name for it
        self.runs: dict[str, int] = {}  # the same -> the run that planned it
        self.filled: defaultdict[str, Decimal] = defaultdict(Decimal)  # the same -> what it filled
        self.adopted = self.fees_adopted = 0
        self.denied: dict[str, str] = {}  # the same -> why the ledger was told that it is none
        self.latched: TradingState | None = None

    def name(self, order_id: str) -> str:
        """The venue's name for an order of ours."""
        return cloid(order_id) if self.venue == "hyperliquid" else order_id

    def read_on(self) -> None:
        """Fold what was written since."""
        if not self.path.exists():
            return
        with sqlite3.connect(f"{self.path.resolve().as_uri()}?mode=ro", uri=True) as db:
            try:
                rows = db.execute(
                    "SELECT seq, at_ns, kind, body FROM entries WHERE seq > ? ORDER BY seq", (self.seq,)
                ).fetchall()
            except sqlite3.OperationalError:
                return  # it is being made
        db.close()
        for seq, at_ns, kind, body in rows:
            self.seq = seq
            record = read(Entry(at_ns, kind, body))
            self.mind.fold(record)
            self._note(record)

    def _note(self, record: Any) -> None:
        if isinstance(record, OrderPlanned):
            name = self.name(record.order.id)
            self.planned[name] = record.order
            self.runs[name] = len(self.mind.runs)
        elif isinstance(record, Fill):
            size = self.mind.books.instrument(record.engine, record.symbol).size(record.lots)
            self.filled[self.name(record.order_id)] += abs(size)
        elif isinstance(record, Rejected):
            self.denied[self.name(record.order_id)] = record.reason
        elif isinstance(record, Booked) and (told := ADOPTED.search(record.id)):
            here, there = map(int, told.groups())
            fee = self.venue == "alpaca" and 0 < here - there <= here * FEE_BPS_MAX / BPS
            self.fees_adopted += fee
            self.adopted += not fee
        elif isinstance(record, TradingState):
            self.latched = record

    def replaced(self) -> set[str]:
        """Orders whose place another was to take, by the venue's names."""
        return {self.name(order.replaces) for order in self.planned.values() if order.replaces}

    def is_twin(self, row: Any) -> bool:
        """Whether a row of the venue's only used up the id of an order that never came (docs/decisions/0011)."""
        order = self.planned.get(row["name"])
        if order is None or row.get("price") is None:
            return False
        return rules.is_twin(order, self.mind.books.instrument(order.engine, order.symbol), Decimal(row["price"]))

    def alive(self) -> dict[str, OrderState]:
        """Orders that are not over, by the venue's names."""
        return {self.name(id_): order.state for id_, order in self.mind.orders.items() if not order.over}

    def held(self, engine: str) -> dict[str, Decimal]:
        """Positions."""
        positions = self.mind.books.positions.get(engine, {})
        sizes = {s: self.mind.books.instrument(engine, s).size(p.lots) for s, p in positions.items()}
        return _plain(sizes)


def _plain(sizes: dict[str, Any]) -> dict[str, Decimal]:
    """Positions that are not flat; Alpaca calls them without the stroke."""
    return {symbol.replace("/", ""): Decimal(size) for symbol, size in sizes.items() if Decimal(size)}


def unsettled(truth: Any, books: Books, memory: Any, engine: str, lives: int) -> list[str]:
    """What differs now; `lives` have ended, and what they left under way must have been settled."""
    venue, ledger = _plain(truth["positions"]), books.held(engine)
    found = [f"positions: {venue} at the venue, {ledger} in the ledger"] if venue != ledger else []
    alive = books.alive()
    there = {order["name"] for order in truth["orders"] if order["open"]}
    found += [f"open at the venue and not in the ledger: {name}" for name in there - alive.keys()]
    resting = {name for name, state in alive.items() if state is OrderState.RESTING}
    found += [f"rests in the ledger and not at the venue: {name}" for name in resting - there]
    old = [(n, s) for n, s in alive.items() if books.runs[n] <= lives and s in DOUBT]
    found += [f"of an earlier life and still {state}: {name}" for name, state in old]
    filled: defaultdict[str, Decimal] = defaultdict(Decimal)
    for fill in truth["fills"]:
        filled[fill["name"]] += abs(Decimal(fill["size"]))
    found += [
        f"fills of {name}: {filled[name]} at the venue, {books.filled[name]} in the ledger"
        for name in books.planned
        if filled[name] != books.filled[name]
    ]
    return found + (_of_memory(memory, books, ledger) if memory is not None else [])


def _of_memory(memory: Any, books: Books, ledger: dict[str, Decimal]) -> list[str]:
    told = _plain({row["symbol"]: row["size"] for row in memory["positions"]})
    found = [f"positions: {told} in memory, {ledger} in the ledger"] if told != ledger else []
    orders = {books.name(row["order_id"]) for row in memory["orders"]}
    if orders != books.alive().keys():
        found.append(f"orders: {len(orders)} in memory, {len(books.alive())} in the ledger")
    return found + ["not reconciled" for row in memory["engines"] if not row["reconciled"]]


def wrongs(truth: Any, books: Books) -> dict[str, list[str]]:
    """What can't be right whatever is still on its way, by kind; the truth is older than what was read of the books."""
    names = Counter(order["name"] for order in truth["orders"])
    found: dict[str, list[str]] = {
        "orphans": [f"{name} is at the venue and was never planned" for name in names if name not in books.planned],
        "duplicates": [f"{name} is at the venue {count} times" for name, count in names.items() if count > 1],
        "wrong_verdicts": [],
        "lost": [f"{books.adopted} drifts were adopted"] if books.adopted else [],
    }
    found["duplicates"] += [*_beyond(truth, books), *_second(truth, books)]
    found["wrong_verdicts"] += [
        f"{order['name']} is {order['status']} at the venue, the ledger was told: {books.denied[order['name']]}"
        for order in truth["orders"]
        if order["name"] in books.denied and REFUSED not in order["status"] and not books.is_twin(order)
    ]
    return found


def _beyond(truth: Any, books: Books) -> list[str]:
    """Intents that were filled beyond what they were for, or will be by what is open of them.

    What an order filled while its replace was under way comes on top: the venue's replace is of the whole size, and the
    daemon that would have taken out the excess was dead (`surplus`).
    """
    sizes, wanted = _sizes(truth, books, books.replaced()), _wanted(books)
    return [
        f"intent {intent} was for {wanted[intent]}, and {size} were filled or are open"
        for intent, size in sizes.items()
        if size > wanted[intent]
    ]


def surplus(truth: Any, books: Books) -> int:
    """Intents that a replace which raced a fill made larger than they were to be."""
    wanted = _wanted(books)
    return sum(size > wanted[intent] for intent, size in _sizes(truth, books, set()).items())


def _sizes(truth: Any, books: Books, but: set[str]) -> dict[str, Decimal]:
    """By intent, what its orders have filled and may still fill; without some of them."""
    sizes: defaultdict[str, Decimal] = defaultdict(Decimal)
    said = [(fill["name"], fill["size"]) for fill in truth["fills"]]
    for name, size in [*said, *((order["name"], order["left"]) for order in truth["orders"])]:
        if (order := books.planned.get(name)) is not None and name not in but:
            sizes[order.intent_id] += abs(Decimal(size))
    return sizes


def _wanted(books: Books) -> dict[str, Decimal]:
    """By intent, what it was for."""
    wanted: defaultdict[str, Decimal] = defaultdict(Decimal)
    for order in books.planned.values():
        size = books.mind.books.instrument(order.engine, order.symbol).size(order.lots)
        wanted[order.intent_id] = max(wanted[order.intent_id], abs(size))
    return wanted


def _second(truth: Any, books: Books) -> list[str]:
    """Orders that the venue took for an intent which has one there already, and takes no other's place."""
    first: dict[str, str] = {}
    found = []
    for order in truth["orders"]:
        planned = books.planned.get(order["name"])
        if planned is None or planned.replaces or REFUSED in order["status"] or books.is_twin(order):
            continue
        if first.setdefault(planned.intent_id, order["name"]) != order["name"]:
            found.append(
                f"intent {planned.intent_id} is at the venue as {first[planned.intent_id]} and {order['name']}"
            )
    return found


def never_there(truth: Any, books: Books) -> list[str]:
    """Orders that the ledger takes for accepted and the venue has never had."""
    names = {order["name"] for order in truth["orders"]}
    had = (OrderState.RESTING, OrderState.FILLED)
    return [
        f"{name} is {order.state} in the ledger, the venue never had it"
        for id_, order in books.mind.orders.items()
        if order.state in had and (name := books.name(id_)) not in names
    ]
