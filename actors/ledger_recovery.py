"""Recovery: the ledger's mind out of its journal, by way of a snapshot where there is one that can be trusted.

A snapshot is what a fold of all entries up to a place came to. Folding the rest onto it gives the same mind as folding
everything: the tests say so for journals of chance, and `obid ledger verify` for the one at hand.
"""

import sys
from collections.abc import Iterable
from contextlib import suppress
from copy import copy
from functools import cache
from hashlib import sha256
from pathlib import Path
from typing import TYPE_CHECKING

import msgspec
from msgspec import Struct

from actors.messages import BreakerChanged, EntryTaken, RunStarted, TradingState, Tuned
from actors.records import read
from risk.day_trades import DayTraded
from risk.ledger.books import Balance
from risk.ledger.foreign import Adoption
from risk.ledger.postings import Reservation
from risk.ledger.seen import Seen
from risk.order import LiveOrder
from risk.position import Position
from supervisor import journal
from supervisor.journal_mark import Place
from supervisor.journal_snapshot import Snapshot, read_snapshot, write_snapshot
from venues.market import Instrument

if TYPE_CHECKING:
    from actors.ledger import LedgerMind

SNAPSHOT_EVERY = 20_000
"""Entries from one snapshot to the next: a fifth of a second of folding."""

FOLDING = (
    *("actors.ledger", "actors.ledger_recovery", "actors.messages", "actors.words", "actors.records"),
    *("risk.circuit_breaker", "risk.day_trades", "risk.money", "risk.order", "risk.position", "risk.session"),
    *(
        "risk.ledger.accounts",
        "risk.ledger.books",
        "risk.ledger.foreign",
        "risk.ledger.margin",
        "risk.ledger.postings",
        "risk.ledger.seen",
    ),
    "venues.market",
)
"""Modules that say what a fold comes to. Where one has changed, a snapshot of before may be of another opinion."""


class LedgerState(Struct, frozen=True, kw_only=True):
    """All that a ledger's mind has folded; dicts in their order, which is that of what it says again."""

    balances: dict[str, Balance]
    positions: dict[str, dict[str, Position]]
    reservations: dict[str, Reservation]
    seen: dict[str, Seen]
    deposited: list[tuple[str, str]]
    instruments: list[Instrument]
    orders: list[LiveOrder]
    successors: dict[str, tuple[str, ...]]
    fences_ns: dict[str, int]
    entries: dict[str, list[EntryTaken]]
    day_trades: dict[str, list[DayTraded]]
    adoptions: list[Adoption]
    adopted: list[tuple[str, str, int]]  # engine, symbol, how many
    by_hand: list[tuple[str, str, int]]  # engine, symbol, lots
    over: list[str]
    trading: dict[str, TradingState]
    breakers: dict[str, BreakerChanged]
    runs: list[RunStarted]
    fills: dict[str, int]
    last_ns: int
    opened_ns: dict[str, int]
    looked_ns: dict[str, int]
    tuned: list[Tuned] = []


DECODE = msgspec.msgpack.Decoder(LedgerState).decode
ENCODE = msgspec.msgpack.Encoder().encode


def state_of(mind: "LedgerMind") -> LedgerState:
    """What a mind has folded, as it is now: it may go on meanwhile."""
    books = mind.books
    return LedgerState(
        balances={name: copy(balance) for name, balance in books.balances.items()},
        positions={engine: dict(held) for engine, held in books.positions.items()},
        reservations=dict(books.reservations),
        seen={engine: Seen(seen.size_max, dict(seen.ids), seen.forgotten_ns) for engine, seen in books.seen.items()},
        deposited=sorted(books.deposited),
        instruments=list(books.instruments.values()),
        orders=list(mind.orders.values()),
        successors=dict(mind.successors),
        fences_ns=dict(mind.fences_ns),
        entries={engine: list(taken.values()) for engine, taken in mind.entries.items()},
        day_trades={engine: list(trades) for engine, trades in mind.day_trades.by_engine.items()},
        adoptions=[one for kept in mind.foreign.adoptions.values() for one in kept],
        adopted=[(*key, number) for key, number in mind.foreign.numbers.items()],
        by_hand=[(*key, lots) for key, lots in mind.foreign.by_hand.items()],
        over=list(mind.over),
        trading=dict(mind.trading),
        breakers=dict(mind.breakers),
        runs=list(mind.runs),
        fills=dict(mind.fills),
        last_ns=mind.last_ns,
        opened_ns=dict(mind.opened_ns),
        looked_ns=dict(mind.looked_ns),
        tuned=list(mind.tuned.values()),
    )


def take_up(state: LedgerState, mind: "LedgerMind") -> None:
    """Give a new mind what another had folded."""
    books = mind.books
    books.balances, books.positions, books.reservations = state.balances, state.positions, state.reservations
    books.seen, books.deposited = state.seen, set(state.deposited)
    books.instruments = {(one.engine, one.symbol): one for one in state.instruments}
    mind.orders = {order.request.id: order for order in state.orders}
    mind.successors, mind.fences_ns = state.successors, state.fences_ns
    mind.entries = {engine: {one.intent_id: one for one in taken} for engine, taken in state.entries.items()}
    mind.day_trades.by_engine = state.day_trades
    mind.foreign.adoptions.clear()
    for one in state.adoptions:
        mind.foreign.adoptions.setdefault((one.engine, one.symbol), []).append(one)
    mind.foreign.numbers = {(engine, symbol): number for engine, symbol, number in state.adopted}
    mind.foreign.by_hand = {(engine, symbol): lots for engine, symbol, lots in state.by_hand}
    mind.over = dict.fromkeys(state.over)
    mind.trading, mind.breakers, mind.runs = state.trading, state.breakers, state.runs
    mind.fills, mind.last_ns, mind.opened_ns = state.fills, state.last_ns, state.opened_ns
    mind.looked_ns = state.looked_ns
    mind.tuned = {(one.engine, *one.key): one for one in state.tuned}


@cache
def made_by() -> str:
    """The name of the code that folds; empty where its source is not at hand, and then there are no snapshots."""
    digest = sha256()
    for name in FOLDING:
        file = getattr(sys.modules.get(name), "__file__", None)
        try:
            digest.update(Path(file or "").read_bytes())
        except OSError:
            return ""
    return digest.hexdigest()


def recover(entries: Iterable[journal.Entry], mind: "LedgerMind") -> "LedgerMind":
    """Fold entries and check the books. Raises JournalDamaged and LedgerUnbalanced: nothing trades on such books."""
    for entry in entries:
        mind.fold(read(entry))
    mind.books.check()
    return mind


def recover_journal(book: journal.Journal, mind: "LedgerMind") -> tuple["LedgerMind", int]:
    """Fold a journal onto a new mind, and say up to which entry a snapshot has done it.

    Raises what `recover` does.
    """
    snapshot = usable_snapshot(book)
    if snapshot is None:
        return recover(book.read(), mind), 0
    take_up(DECODE(snapshot.body), mind)
    return recover(book.read(snapshot.place), mind), snapshot.place.seq


def usable_snapshot(book: journal.Journal) -> Snapshot | None:
    """The snapshot of a journal, if it is whole, of this journal and of this code."""
    snapshot = read_snapshot(book.path)
    if snapshot is None or not made_by() or snapshot.made_by != made_by() or not book.holds(snapshot.place):
        return None
    return snapshot


def keep_snapshot(path: Path, place: Place, state: LedgerState) -> None:
    """Write a snapshot down; where the disk refuses, the next start folds more, and that is all."""
    if made_by():
        with suppress(OSError):
            write_snapshot(path, Snapshot(place, made_by(), ENCODE(state)))
