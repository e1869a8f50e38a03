"""A daemon whose journal loses its end between two lives: what that means for money, in simulated worlds.

The daemon of a world is killed again and again, and before each restart the newest entries of its journal are gone, as
a flipped bit in SQLite's log takes them. What was lost is plans, fills and verdicts of orders that the venue knows.
Then: each start says so and halts; what the venue holds is adopted, by fills told again or by a drift with a name; no
order rests that nobody knows; none is there twice; and venue, ledger and memory are one at the end.
"""

import sqlite3
from collections import Counter, defaultdict
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from decimal import Decimal
from pathlib import Path
from typing import Any

from msgspec import Struct

from actors.messages import OrderPlanned
from actors.records import read
from daemon.soak import checks
from daemon.soak.life import DaemonLife, journal_of
from daemon.soak.plan import HASTY, Drawn, WorldPlan
from daemon.soak.world import Hooks, World, run_world
from supervisor.draws import uniform
from supervisor.journal import Entry, Journal
from venues.market import OrderRequest

KILLS = (Drawn(kind="kill_in_flight", every_s=25.0),)
LOST_MAX = 30
"""Entries that are lost at once, at most: some orders' whole lives."""


class Lived(Struct):
    """What came of one world."""

    failures: list[str]
    torn: int = 0  # times the end was lost
    lost: int = 0  # entries
    told: int = 0  # starts that said so
    adopted: int = 0  # drifts that were booked
    again: int = 0  # fills that were lost and booked again from the venue's own list
    orders: int = 0
    fills: int = 0


def live(engine: str, seed: int, folder: Path, minutes: float = 6.0) -> Lived:
    """One world whose daemon's journal loses its end at each kill."""
    plan = WorldPlan(
        seed=seed, hours=minutes / 60, calm_s=120.0, engines=(engine,), strategy=HASTY, faults=KILLS, exit="taker"
    )
    found = Lived([])
    planned: dict[str, OrderRequest] = {}
    gone: set[str] = set()

    def judge(world: World) -> None:
        found.failures += judged(world, planned, found)
        found.again = len(gone & fills_of(world))

    with torn_between_lives(found, planned, gone):
        ended = run_world(plan, folder, Hooks(on_end=judge))
    # what its own checks ask of a whole journal (each order planned, nothing adopted) cannot hold of a torn one
    of_whole = ("never planned", "drifts were adopted", "a drift was adopted", "fills of", "wrong verdict")
    found.failures += [one for one in ended.failures if not any(part in one for part in of_whole)]
    return found


@contextmanager
def torn_between_lives(found: Lived, planned: dict[str, OrderRequest], gone: set[str]) -> Iterator[None]:
    """Tear the journal whenever a life was killed, and note what every life has planned."""

    def tearing(world: World, life: DaemonLife) -> None:
        count = 1 + int(uniform(world.plan.seed, "torn", life.number) * LOST_MAX)
        lost = tear(journal_of(world.folder / "data"), count)
        gone.update(record.id for record in lost if type(record).__name__ == "Entry")
        found.lost += len(lost)
        found.torn += bool(lost)

    def told(record: Any) -> None:
        found.told += type(record).__name__ == "TradingState" and "are gone" in record.reason

    with between_lives(planned, tearing, told):
        yield


@contextmanager
def between_lives(
    planned: dict[str, OrderRequest],
    meanwhile: Callable[[World, DaemonLife], None],
    hear: Callable[[Any], None] = lambda _: None,
) -> Iterator[None]:
    """Do something after each death that another life follows; note every order planned, hear every record written."""
    ended, append = World._ended, Journal.append

    def and_then(world: World, life: DaemonLife, error: Any, how: Any) -> None:
        ended(world, life, error, how)
        if life.dead and not world.ending:
            meanwhile(world, life)

    def noting(journal: Journal, entries: Any) -> None:
        written = list(entries)
        append(journal, written)
        for entry in written:
            record: Any = read(entry)
            if isinstance(record, OrderPlanned):
                planned[checks.name_of(record.engine, record.order.id)] = record.order
            hear(record)

    World._ended, Journal.append = and_then, noting  # type: ignore[method-assign]
    try:
        yield
    finally:
        World._ended, Journal.append = ended, append  # type: ignore[method-assign]


def tear(path: Path, count: int) -> list[Any]:
    """Take so many entries off the end, but for the first three; gives what they said. The mark stays."""
    with closing(sqlite3.connect(path)) as db:
        rows = db.execute("SELECT at_ns, kind, body FROM entries WHERE seq > 3 ORDER BY seq DESC LIMIT ?", (count,))
        lost = [read(Entry(*row)) for row in rows.fetchall()]
        db.execute("DELETE FROM entries WHERE seq > 3 AND seq > (SELECT max(seq) FROM entries) - ?", (count,))
        db.commit()
        db.execute("VACUUM")  # pages that are free would be damage
    return lost


def fills_of(world: World) -> set[str]:
    """The fills that the books have at the end, by the names of their entries."""
    journal = Journal.read_only(journal_of(world.folder / "data"))
    with closing(journal):
        return {read(entry).id for entry in journal.read() if entry.kind == "Entry"}  # type: ignore[attr-defined]


def judged(world: World, planned: dict[str, OrderRequest], found: Lived) -> list[str]:
    """What is wrong at the end."""
    wrongs: list[str] = []
    books = checks.Books(journal_of(world.folder / "data"))
    books.read()
    found.adopted = len(books.adopted)
    if found.told != found.torn:
        wrongs.append(f"{found.torn} ends were lost and {found.told} starts said so")
    for place in world.places:
        truth = place.truth()
        found.orders += len(truth.orders)
        found.fills += len(truth.fills)
        ledger, there = books.held(place.engines), checks.plain(truth.positions)
        if ledger != there:
            wrongs.append(f"positions: {there} at {place.venue}, {ledger} in the ledger")
        names = Counter(order.name for order in truth.orders)
        wrongs += [f"orphan: {name} was planned by no life" for name in names if name not in planned]
        wrongs += [f"duplicate: {name}" for name, count in names.items() if count > 1]
        wrongs += [f"orphan: {one.name} rests" for one in truth.orders if one.open]
        filled: defaultdict[str, Decimal] = defaultdict(Decimal)
        for fill in truth.fills:
            if fill.name in planned:
                filled[planned[fill.name].intent_id] += abs(fill.size)
        wanted: defaultdict[str, Decimal] = defaultdict(Decimal)
        for order in planned.values():
            size = abs(books.mind.books.instrument(order.engine, order.symbol).size(order.lots))
            wanted[order.intent_id] = max(wanted[order.intent_id], size)
        wrongs += [
            f"duplicate: intent {intent} was for {wanted[intent]}, {size} filled"
            for intent, size in filled.items()
            if size > wanted[intent]
        ]
    return wrongs
