"""A daemon that is started on an old backup, in simulated worlds: what happened meanwhile is the venue's to tell.

The first time that the daemon of a world dies its directory is backed up (`obid backup`, beside what the death left);
each second death later its directory is that old copy again, put back whole. Orders were planned, sent, filled and
cancelled meanwhile of which the copy knows nothing. Then: it begins halted by name; what the venue holds is adopted, by
fills told again or by a drift with a name; no order rests that nobody knows, none is there twice; and venue, ledger and
memory are one at the end (tests/soak/torn_lives.py, which judges).
"""

import shutil
from collections.abc import Iterator
from contextlib import closing, contextmanager
from itertools import count
from pathlib import Path

from actors.messages import TradingState
from actors.records import read
from daemon.backup import BY, backup
from daemon.soak.life import DaemonLife, journal_of
from daemon.soak.plan import HASTY, WorldPlan
from daemon.soak.world import Hooks, World, run_world
from supervisor.journal import Journal
from tests.soak.torn_lives import KILLS, Lived, between_lives, fills_of, judged
from venues.market import OrderRequest


def live(engine: str, seed: int, folder: Path, minutes: float = 4.0) -> Lived:
    """One world whose daemon is put back to the same old backup again and again."""
    plan = WorldPlan(
        seed=seed, hours=minutes / 60, calm_s=120.0, engines=(engine,), strategy=HASTY, faults=KILLS, exit="taker"
    )
    found = Lived([])
    planned: dict[str, OrderRequest] = {}
    gone: set[str] = set()

    def judge(world: World) -> None:
        found.told = found.torn  # a copy says so in its own last entry, which is looked at below
        found.failures += judged(world, planned, found)
        found.failures += [] if halted_by_backup(journal_of(world.folder / "data")) else ["it did not begin halted"]
        found.again = len(gone & fills_of(world))

    with put_back_between_lives(found, planned, gone):
        ended = run_world(plan, folder, Hooks(on_end=judge))
    # what its own checks ask of a whole journal (each order planned, nothing adopted) cannot hold of an old one
    of_whole = ("never planned", "drifts were adopted", "a drift was adopted", "fills of", "wrong verdict", "halt")
    found.failures += [one for one in ended.failures if not any(part in one for part in of_whole)]
    return found


def halted_by_backup(path: Path) -> bool:
    """Whether the journal has the halt of the copy that it began as."""
    with closing(Journal.read_only(path)) as journal:
        states = [read(entry) for entry in journal.read() if entry.kind == "TradingState"]
    return any(isinstance(one, TradingState) and one.by == BY for one in states)


@contextmanager
def put_back_between_lives(found: Lived, planned: dict[str, OrderRequest], gone: set[str]) -> Iterator[None]:
    """Back up at the first death, put the copy back at each second one after it, and note what is planned."""
    deaths = count(1)

    def putting_back(world: World, life: DaemonLife) -> None:
        data, copy, death = world.folder / "data", world.folder / "backup", next(deaths)
        if death == 1:
            backup(data, copy, log=False)
        elif death % 2:
            before = fills_of(world)
            shutil.rmtree(data)
            shutil.copytree(copy, data)
            gone.update(before - fills_of(world))
            found.torn += 1

    with between_lives(planned, putting_back):
        yield
