"""What must hold after a kill: venue, ledger and memory are one, and no order is lost, doubled or misjudged.

What is still on its way may differ for a moment (`unsettled`); what is wrong once is wrong for good (`wrongs`).
"""

import sqlite3
from collections import Counter, defaultdict
from decimal import Decimal
from pathlib import Path
from typing import Any

from actors.ledger import LedgerMind, read
from actors.messages import OrderPlanned, TradingState
from risk.ledger.postings import Entry as Booked
from risk.order import OrderState
from supervisor.journal import Entry
from venues.hyperliquid.actions import cloid
from venues.market import Fill, OrderRequest, Rejected

DOUBT = (OrderState.SENT, OrderState.UNKNOWN, OrderState.CANCELLING)
REFUSED = "ejected"
"""What every status of a refused order has in its name, at either venue."""

ADOPTED = "adopted-"
"""How ids of fills begin that the reconciler made up for what it could not explain."""


class Books:
    """The journal of a data directory, read on as it grows, from outside."""

    def __init__(self, data: Path, venue: str):
        self.path, self.venue = data / "journal.sqlite", venue
        self.mind = LedgerMind()
        self.seq = 0
        self.planned: dict[str, OrderRequest] = {}  # by the venue's name for it
        self.runs: dict[str, int] = {}  # the same -> the run that planned it
        self.filled: defaultdict[str, Decimal] = defaultdict(Decimal)  # the same -> what it filled
        self.adopted = 0
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
        elif isinstance(record, Booked):
            self.adopted += ADOPTED in record.id
        elif isinstance(record, TradingState):
            self.latched = record

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
    lots: defaultdict[str, Decimal] = defaultdict(Decimal)
    wanted: defaultdict[str, Decimal] = defaultdict(Decimal)
    for fill in truth["fills"]:
        if (order := books.planned.get(fill["name"])) is not None:
            lots[order.intent_id] += abs(Decimal(fill["size"]))
    for order in books.planned.values():
        size = books.mind.books.instrument(order.engine, order.symbol).size(order.lots)
        wanted[order.intent_id] = max(wanted[order.intent_id], abs(size))
    found["duplicates"] += [
        f"intent {intent} was for {wanted[intent]} and {size} were filled"
        for intent, size in lots.items()
        if size > wanted[intent]
    ]
    found["wrong_verdicts"] += [
        f"{order['name']} is {order['status']} at the venue, the ledger was told: {books.denied[order['name']]}"
        for order in truth["orders"]
        if order["name"] in books.denied and REFUSED not in order["status"]
    ]
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
