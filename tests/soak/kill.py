"""`make kill N=300`: kills the real daemon at every step of an order's life, again and again, and checks what is left.

    python -m tests.soak.kill [--kills 300] [--seed 1] [--lanes 0] [--resume] [--venue hyperliquid|alpaca] [--first 0]
    python -m tests.soak.kill --control NAME|all [--venue ...]
    python -m tests.soak.kill --short

A warm process that has loaded everything forks batches of kills, several at once; each batch has an emulated venue and
a data directory of its own, and the two venues take turns. A kill that leaves anything wrong ends its batch and prints
the command that repeats it: the same plan of kills on the same market. (Time is real, so what else happened at that
moment may differ a little.) --control runs designs that are known to be wrong: each must be found out.

Results are lines of `batches.jsonl` under --dir; --resume keeps those that are there, and what is printed at the end
counts all of them.
"""

import argparse
import contextlib
import json
import os
import shutil
import signal
import sys
import time
from collections import Counter
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import msgspec

from tests.soak import kill_batch, kill_points, kill_venue, kill_warm
from tests.soak.hour import ROOT
from tests.soak.kill_batch import BATCH, ZEROS, Asked, Tally
from tests.soak.kill_controls import CONTROLS

SPEED = 12.0
LANES_PER_CPU = 4
"""Batches at once: a life waits more than it works."""
CONTROL_KILLS = 30
"""A design that is wrong is to be found out by then."""
WHOLE = 300
"""From so many kills on, a place that was never hit fails the run."""
BATCH_LEAST = 10
"""A batch has a venue to start and a last life to end: fewer kills than this are not worth that, if there are more."""
SHORT = 8
MADE_UP_MAX, MADE_UP_FIRST = 3, 90_000
"""So often what was never hit is gone for again, by kills that no run of a common length comes to."""
FAILED_MAX = 8
"""So many batches may fail before no more are begun."""
PLACE_OF_DATA = ROOT / "var" / "kill"
RESULTS = "batches.jsonl"


class Done(msgspec.Struct):
    """One line of the file of results."""

    asked: Asked
    tally: Tally


def batches_of(venues: list[str], asked: argparse.Namespace, kills: int, lanes: int) -> list[Asked]:
    """So many kills, in batches for all lanes; the venues take turns."""
    size = min(BATCH, max(-(-kills // lanes), min(BATCH_LEAST, -(-kills // len(venues)))))
    found: list[Asked] = []
    while kills > 0:
        turn, which = divmod(len(found), len(venues))
        found.append(Asked(venues[which], asked.seed, asked.first + turn * size, min(kills, size), asked.speed))
        kills -= size
    return found


class Lanes:
    """So many batches at once, each in a process of its own, forked from this one."""

    def __init__(self, lanes: int, folder: Path):
        self.lanes, self.folder = lanes, folder
        self.alive: dict[int, Asked] = {}
        self.failed = 0

    def run(self, asked: Iterable[Asked]) -> None:
        """All of them; their results are in the file."""
        try:
            for one in asked:
                if self.failed < FAILED_MAX:
                    self._begin(one)
                    while len(self.alive) >= self.lanes:
                        self._reap()
            while self.alive:
                self._reap()
        finally:
            for pid in self.alive:
                with contextlib.suppress(ProcessLookupError):  # it has not named its group yet, or is over
                    os.killpg(pid, signal.SIGKILL)

    def _begin(self, asked: Asked) -> None:
        pid = os.fork()
        if not pid:
            code = 70
            try:
                os.setpgid(0, 0)  # it ends with its venue and its life
                for stop in (signal.SIGTERM, signal.SIGINT):
                    signal.signal(stop, signal.SIG_DFL)
                tally = kill_batch.run(asked, self.folder / asked.name)
                line = msgspec.json.encode(Done(asked, tally)) + b"\n"
                with (self.folder / RESULTS).open("ab", buffering=0) as results:
                    results.write(line)
                code = 1 if tally.failures and not asked.control else 0
            except BaseException:
                sys.excepthook(*sys.exc_info())
            finally:
                sys.stdout.flush()
                os._exit(code)
        self.alive[pid] = asked

    def _reap(self) -> None:
        pid, status = os.wait()
        if (asked := self.alive.pop(pid, None)) is None:
            return
        code = os.waitstatus_to_exitcode(status)
        self.failed += bool(code)
        if code not in (0, 1):
            print(f"{asked.name} ended with {code}: {asked.again(asked.kills)}", flush=True)


def results_of(folder: Path) -> list[Done]:
    """What is there."""
    path = folder / RESULTS
    return [msgspec.json.decode(line, type=Done) for line in path.read_bytes().splitlines()] if path.exists() else []


def figures_of(done: list[Done]) -> dict[str, Any]:
    """All of it, added up."""
    failures = [one for batch in done for one in batch.tally.failures]
    kinds = Counter(one["kind"] for one in failures)
    by_cell: Counter[str] = Counter()
    missed: Counter[str] = Counter()
    for one in done:
        by_cell.update({f"{one.asked.venue} {cell}": times for cell, times in one.tally.kills.items()})
        missed.update({f"{one.asked.venue} {cell}": times for cell, times in one.tally.missed.items()})
    venues = sorted({one.asked.venue for one in done})
    cells = [f"{venue} {cell}" for venue in venues for cell in kill_points.CELLS]
    settle = sorted(s for one in done for s in one.tally.settle_s) or [0.0]
    return {
        "kills": sum(by_cell.values()),
        **{kind: kinds[kind] for kind in ZEROS},
        "cells": len(cells),
        "cells_hit": sum(1 for cell in cells if by_cell[cell]),
        "never_hit": [cell for cell in cells if not by_cell[cell]],
        "early": sum(one.tally.early for one in done),
        "late": sum(one.tally.late for one in done),
        "halts": sum(one.tally.halts for one in done),
        "orders": sum(one.tally.orders for one in done),
        "fills": sum(one.tally.fills for one in done),
        "fees_adopted": sum(one.tally.fees_adopted for one in done),
        "surplus": sum(one.tally.surplus for one in done),
        "settled_s": {"p50": settle[len(settle) // 2], "p99": settle[len(settle) * 99 // 100], "max": settle[-1]},
        "cpu_s_per_kill": round(sum(one.tally.cpu_s for one in done) / max(1, sum(by_cell.values())), 3),
        "by_cell": dict(by_cell),
        "missed": dict(missed),
        "failures": failures,
    }


def table(figures: dict[str, Any]) -> str:
    """The figures by place and venue, for a person: times hit, and times waited for in vain."""
    venues = sorted({row.split()[0] for row in figures["by_cell"]})
    rows = [*kill_points.CELLS, kill_points.HALT, kill_points.RANDOM]
    lines = [f"{'killed at':24}" + "".join(f"{venue:>14} missed" for venue in venues)]
    for row in rows:
        told = ((figures["by_cell"].get(f"{v} {row}", 0), figures["missed"].get(f"{v} {row}", 0)) for v in venues)
        lines.append(f"{row:24}" + "".join(f"{hit:14} {missed:6}" for hit, missed in told))
    return "\n".join(lines)


def wrongs_of(figures: dict[str, Any]) -> list[str]:
    """What must not be, each with what repeats it."""
    wrongs = [
        f"{one['kind']} before kill {one['kill']} at {one['at']}: {one['what']}\n  {one['again']}"
        for one in figures["failures"]
    ]
    return wrongs + ([f"never killed at {cell}" for cell in never_hit(figures)])


def never_hit(figures: dict[str, Any]) -> list[str]:
    """Places that a run of this length must have hit, by venue."""
    return list(figures["never_hit"]) if figures["kills"] >= WHOLE else []


def controls_of(done: list[Done]) -> dict[str, Any]:
    """What each wrong design was found out by, in how many kills; nothing if it was not."""
    found: dict[str, Any] = {}
    for one in sorted(done, key=lambda one: (list(CONTROLS).index(one.asked.control), one.asked.venue)):
        kinds = Counter(failure["kind"] for failure in one.tally.failures)
        wanted = CONTROLS[one.asked.control].finds
        found[f"{one.asked.control} {one.asked.venue}"] = {
            "kills": sum(one.tally.kills.values()),
            "wanted": wanted,
            "found": dict(kinds),
            "found_out": bool(kinds[wanted]),
        }
    return found


def told_of(controls: dict[str, Any]) -> str:
    """The same for a person."""
    return "\n".join(
        f"{name:26} {'found out' if one['found_out'] else 'NOT FOUND OUT'} by {one['wanted']} "
        f"in {one['kills']} kills: {one['found']}"
        for name, one in controls.items()
    )


def judged(done: list[Done], folder: Path, seconds: float) -> int:
    """Write and print the figures and what is wrong; 0 if nothing is."""
    figures = figures_of([one for one in done if not one.asked.control])
    controls = controls_of([one for one in done if one.asked.control])
    (folder / "kill.json").write_text(json.dumps({**figures, "controls": controls, "seconds": seconds}, indent=1))
    wrongs = wrongs_of(figures) + [f"not found out: {name}" for name, one in controls.items() if not one["found_out"]]
    if figures["kills"]:
        print(table(figures))
        rows = {name: told for name, told in figures.items() if name not in ("by_cell", "missed", "failures")}
        print(json.dumps({"seconds": round(seconds, 1), **rows}))
    for text in [*([told_of(controls)] if controls else []), *wrongs]:
        print(text)
    return 1 if wrongs else 0


def parsed() -> argparse.Namespace:
    """The options."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--kills", type=int, default=0, help="300; of each control, until it is found out, 30")
    parser.add_argument(
        "--short", action="store_true", help="a few kills at each venue and each control at one of them"
    )
    parser.add_argument("--cells", default="", help="with --venue: kill at these places, in turn; separated by commas")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--venue", choices=tuple(kill_venue.SYMBOLS), default=None)
    parser.add_argument("--first", type=int, default=0, help="the first kill of a venue's")
    parser.add_argument("--lanes", type=int, default=0, help="batches at once; 0: by the machine")
    parser.add_argument("--speed", type=float, default=SPEED, help="of the venue's time")
    parser.add_argument("--control", choices=("all", *CONTROLS), default="", help="wrong designs, which must fail")
    parser.add_argument(
        "--resume", action="store_true", help="keep the results that are there, and run what is missing"
    )
    parser.add_argument("--dir", type=Path, default=PLACE_OF_DATA)
    return parser.parse_args()


def wanted_of(asked: argparse.Namespace, lanes: int) -> list[Asked]:
    """Every batch of a run: wrong designs first, so that nobody waits an hour to hear that a zero means nothing."""
    venues = [asked.venue] if asked.venue else list(kill_venue.SYMBOLS)
    kills = asked.kills or (SHORT if asked.short else WHOLE)
    every = asked.control == "all" or asked.short or (not asked.control and kills >= WHOLE)
    names = tuple(CONTROLS) if every else (asked.control,)
    pairs = [(name, venue) for name in names if name for venue in venues]
    if asked.short:
        pairs = [pair for place, pair in enumerate(pairs) if place % 4 in (0, 3)]  # each at one of the two, in turn
    most = asked.kills if asked.control and asked.kills else CONTROL_KILLS
    wrong = [Asked(venue, asked.seed, asked.first, most, asked.speed, name) for name, venue in pairs]
    if asked.control:
        return wrong
    if asked.cells:
        return [Asked(venues[0], asked.seed, asked.first, kills, asked.speed, cells=tuple(asked.cells.split(",")))]
    return [*wrong, *batches_of(venues, asked, kills, lanes)]


def main() -> int:
    """Kill, print, judge."""
    asked = parsed()
    folder: Path = asked.dir
    if not asked.resume:
        shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True, exist_ok=True)
    lanes = asked.lanes or LANES_PER_CPU * (os.cpu_count() or 1)
    for stop in (signal.SIGTERM, signal.SIGINT):  # lanes are killed then, and --resume goes on
        signal.signal(stop, lambda *_: sys.exit(130))
    started_s = time.monotonic()
    kill_warm.warm()
    wanted = wanted_of(asked, lanes)
    there = [one.asked for one in results_of(folder)]
    Lanes(lanes, folder).run(one for one in wanted if one not in there)
    make_up(asked, folder, lanes)
    done = results_of(folder)
    code = judged(done, folder, time.monotonic() - started_s)
    missing = [one for one in wanted if one not in [batch.asked for batch in done]]
    if missing:
        print(f"{len(missing)} batches have no result, the first of them {missing[0].name}")
    return 1 if missing else code


def make_up(asked: argparse.Namespace, folder: Path, lanes: int) -> None:
    """Kill some more where a long run never came to."""
    for turn in range(MADE_UP_MAX):
        missed = never_hit(figures_of([one for one in results_of(folder) if not one.asked.control]))
        batches = []
        for venue in sorted({cell.split()[0] for cell in missed}):
            cells = tuple(cell.split()[1] for cell in missed if cell.startswith(f"{venue} "))
            first = MADE_UP_FIRST + turn
            batches.append(Asked(venue, asked.seed, first, 2 * len(cells), asked.speed, cells=cells))
        Lanes(lanes, folder).run(batches)


if __name__ == "__main__":
    sys.exit(main())
