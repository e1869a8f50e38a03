"""`make kill N=300`: kills the real daemon at every step of an order's life, again and again, and checks what is left.

    python -m tests.soak.kill [--kills 300] [--seed 1] [--venue hyperliquid|alpaca] [--batch 0] [--control NAME]

Batches of kills share one emulated venue and one data directory; the two venues take turns. A kill that leaves
anything wrong ends its batch and prints the command that repeats it: the same plan of kills on the same market. (Time
is real, so what else happened at that moment may differ a little.) --control runs a design that is known to be wrong:
it must fail, and its batches go on.
"""

import argparse
import json
import os
import shutil
import signal
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, NamedTuple

from daemon import hyperliquid
from tests.soak import kill_checks, kill_points, kill_venue
from tests.soak.hour import ROOT, post
from tests.soak.kill_controls import CONTROLS
from tests.soak.kill_life import Home, Life
from tests.soak.kill_points import HALT, RANDOM, Plan, plan_of

BATCH = 50
"""Kills of one data directory."""
SPEED = 12.0
SETTLE_S = 100.0
"""Of the venue's time: an order in doubt is proven never to have come 20 s after it was sent, and asked about then."""
ARMED_S = 3.0
"""So long, in our time, a place is waited for; then the life ends where it is."""
RANDOM_S = 1.0
SURE_S = 0.5
"""What is wrong is looked at again after this: an answer that is on its way to be written down has come by then."""
FAILURES_MAX = 20
PLACE_OF_DATA = ROOT / "var" / "kill"

CONFIG = """
[{engine}.signal]
window_bars = 5
trend_bars = 5
trend_gate = false
bar_s = 1
[{engine}.tier_default]
z_entry = 0.3
z_exit = 0.1
[{engine}.routes.{route}]
entry = "maker"
exit = "{exit}"
lifetime_s = 3
reprices_max = 3
reprice_bps_min = 0.0
reprice_gap_s = 1.0
[{engine}.risk]
orders_per_minute = 6000
orders_burst = 6000
net_cap_usd = 100000
daily_loss_usd = 1000000
drawdown_max = 0.9
"""
"""A strategy without patience: it places, moves, cancels and crosses every few seconds of the venue's."""


class Failure(NamedTuple):
    """What a kill has left."""

    kind: str
    text: str


class Tally:
    """Figures of a run of kills."""

    def __init__(self) -> None:
        self.kills: Counter[str] = Counter()  # by where it was
        self.missed: Counter[str] = Counter()  # by where it was to be
        self.early = self.halts = self.lives = self.orders = self.fills = 0
        self.failures: list[dict[str, Any]] = []
        self.settle_s: list[float] = []

    def figures(self) -> dict[str, Any]:
        """As JSON."""
        failed = Counter(one["kind"] for one in self.failures)
        kinds = ("orphans", "duplicates", "wrong_verdicts", "lost", "unequal", "latch", "ended")
        settle = sorted(self.settle_s) or [0.0]
        return {
            "kills": sum(self.kills.values()),
            **{kind: failed[kind] for kind in kinds},
            "cells": len(kill_points.CELLS),
            "cells_hit": sum(1 for cell in kill_points.CELLS if self.kills[cell]),
            "early": self.early,
            "halts": self.halts,
            "orders": self.orders,
            "fills": self.fills,
            "settled_s": {"p50": round(settle[len(settle) // 2], 2), "max": round(settle[-1], 2)},
            "by_point": dict(sorted(self.kills.items())),
            "missed": dict(sorted(self.missed.items())),
            "failures": self.failures,
        }


class Batch:
    """Kills at one venue, on one data directory."""

    def __init__(self, home: Home, tally: Tally, seed: int, number: int):
        self.home, self.tally, self.seed, self.number = home, tally, seed, number
        self.books = kill_checks.Books(home.data, home.venue)
        self.halted = False
        self.known: set[Failure] = set()

    def run(self, kills: int) -> list[Failure]:
        """Kill so often; what the first bad one has left."""
        for number in range(kills):
            plan = plan_of(self.seed, self.number, number)
            if failed := self.kill(plan, number):
                self.told(failed, number, plan)
                if not self.home.control:
                    return failed
        life = Life(self.home, None)
        try:
            failed = [*self.settled(life), *self.ended(life)]
        finally:
            life.end()
        truth = self.truth()
        self.tally.orders += len(truth["orders"])
        self.tally.fills += len(truth["fills"])
        return self.told(failed, kills, None)

    def told(self, failed: list[Failure], number: int, plan: Plan | None) -> list[Failure]:
        """Note failures, each with what repeats it."""
        again = (
            f"python -m tests.soak.kill --venue {self.home.venue} --seed {self.seed} --batch {self.number} "
            f"--kills {min(number + 1, BATCH)}{f' --control {self.home.control}' if self.home.control else ''}"
        )
        for kind, text in failed:
            where = plan.cell if plan else "the end"
            self.tally.failures.append({"kind": kind, "kill": number, "at": where, "what": text, "again": again})
            print(f"{kind} before kill {number} at {where}: {text}\n  {again}", flush=True)
        return failed

    def kill(self, plan: Plan, number: int) -> list[Failure]:
        """One life: it recovers, is checked, goes on, and is killed."""
        life, tally = Life(self.home, plan), self.tally
        tally.lives += 1
        try:
            if plan.early:
                tally.early += 1
                life.arm()
                if plan.cell == RANDOM:
                    life.wait(plan.later_s * RANDOM_S)
                    life.end()
            if not life.over and (failed := self.settled(life)):
                tally.kills[RANDOM] += 1
                return failed
            if not life.over:
                if self.halted:
                    life.ask("resume")
                    self.halted = False
                self.doomed(life, plan)
            hit = life.fired or plan.cell in (RANDOM, HALT)
            tally.kills[plan.cell if hit else RANDOM] += 1
            tally.missed[plan.cell] += not hit
            if life.code != -signal.SIGKILL:
                return [Failure("ended", f"it ended by itself, with {life.code}: {self.home.data.parent / 'out.txt'}")]
            return []
        finally:
            life.end()

    def doomed(self, life: Life, plan: Plan) -> None:
        """From settled to dead."""
        life.arm()
        if plan.cell == HALT:
            self.tally.halts += 1
            life.ask("halt", reason="a drill")
            self.halted = life.wait(ARMED_S, lambda: self.trading(life) == "halted") and not life.over
            time.sleep(plan.later_s * 0.03)
        else:
            life.wait(plan.later_s * RANDOM_S if plan.cell == RANDOM else ARMED_S, lambda: life.fired)
            if life.fired:
                life.wait(kill_points.LATER_S_MAX * 4)
        life.end()

    def trading(self, life: Life) -> str:
        """The state that its operator is shown."""
        told = life.ask("status")
        return told["engines"][0]["trading"] if told else ""

    def truth(self) -> Any:
        """What is so at the venue."""
        (truth,) = post(self.home.url, "truth").values()
        return truth

    def settled(self, life: Life) -> list[Failure]:
        """Wait until venue, ledger and memory are one; what is wrong, if it is. Nothing of a life that is over."""
        started_s = time.monotonic()
        seen: list[str] = []

        def equal() -> bool:
            memory = life.ask("snapshot")
            seen[:] = ["it does not answer"]
            if memory is not None:
                truth = self.truth()
                self.books.read_on()
                lives = len(self.books.mind.runs) - 1
                seen[:] = kill_checks.unsettled(truth, self.books, memory, self.home.engine, lives)
            return not seen

        in_time = life.wait(SETTLE_S / self.home.speed + 3, equal)
        if life.over:
            return []
        failed = [] if in_time else [Failure("unequal", "; ".join(seen))]
        failed += self.wrongs()
        if self.halted and self.trading(life) != "halted":
            failed.append(Failure("latch", f"it was halted before it was killed, now it is {self.trading(life)}"))
        self.tally.settle_s.append(time.monotonic() - started_s)
        return failed

    def wrongs(self) -> list[Failure]:
        """What is wrong for good, and still is when what was under way has come; each is told once."""
        found = self.found()
        if found:
            time.sleep(SURE_S)
            found &= self.found()
        new, self.known = found - self.known, self.known | found
        return sorted(new)

    def found(self) -> set[Failure]:
        """What looks wrong now."""
        truth = self.truth()
        self.books.read_on()
        found = kill_checks.wrongs(truth, self.books)
        found["wrong_verdicts"] += kill_checks.never_there(self.truth(), self.books)
        return {Failure(kind, text) for kind, texts in found.items() for text in texts}

    def ended(self, life: Life) -> list[Failure]:
        """Stop the last life as an operator does, and compare to the last lot."""
        life.end(signal.SIGTERM)
        truth = self.truth()
        self.books.read_on()
        failed = self.wrongs()
        if life.code:
            failed.append(Failure("ended", f"the last life ended with {life.code}"))
        alive = list(self.books.alive()) + [order["name"] for order in truth["orders"] if order["open"]]
        failed += [Failure("orphans", f"{name} is alive at the end") for name in alive]
        left = kill_checks.unsettled(truth, self.books, None, self.home.engine, len(self.books.mind.runs))
        return failed + [Failure("unequal", text) for text in left]


@contextmanager
def emulated(venue: str, seed: int, control: str, folder: Path) -> Iterator[Home]:
    """A venue in a process of its own, and a home for lives that trade there."""
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True)
    command = [sys.executable, "-m", "tests.soak.kill_venue", venue, "--seed", str(seed), "--speed", str(SPEED)]
    with subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE, text=True) as emulator:
        try:
            assert emulator.stdout is not None
            told = json.loads(emulator.stdout.readline())
            os.environ.update(kill_venue.environment_of(venue, told, seed))
            home = Home(venue, told["url"], folder / "kill.toml", folder / "data", SPEED, control)
            route, way_out = ("native", "taker") if venue == "hyperliquid" else ("spot", "taker")
            home.config.write_text(told["config"] + "\n" + CONFIG.format(engine=home.engine, route=route, exit=way_out))
            yield home
        finally:
            emulator.send_signal(signal.SIGTERM)


def run(venues: list[str], seed: int, first: int, kills: int, *, control: str = "", folder: Path) -> Tally:
    """So many kills, in batches; each failure is told at once."""
    tally, batch = Tally(), first
    while (left := kills - sum(tally.kills.values())) > 0:
        venue = venues[batch % len(venues)]
        market = seed * 1_000 + batch
        with emulated(venue, market, control, folder / f"{venue}-{batch}") as home:
            Batch(home, tally, seed, batch).run(min(left, BATCH))
        batch += 1
        if len(tally.failures) > FAILURES_MAX:
            break
    return tally


def table(figures: dict[str, Any]) -> str:
    """The figures by place, for a person."""
    rows = sorted({*figures["by_point"], *figures["missed"]})
    lines = [f"{'killed at':24} {'times':>6} {'missed':>7}"]
    lines += [f"{row:24} {figures['by_point'].get(row, 0):6} {figures['missed'].get(row, 0):7}" for row in rows]
    return "\n".join(lines)


def main() -> int:
    """Kill, print, judge."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--kills", type=int, default=300)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--venue", choices=tuple(kill_venue.SYMBOLS), default=None)
    parser.add_argument("--batch", type=int, default=0, help="the first batch")
    parser.add_argument("--control", choices=tuple(CONTROLS), default="", help="a wrong design, which must fail")
    parser.add_argument("--dir", type=Path, default=PLACE_OF_DATA)
    asked = parser.parse_args()
    hyperliquid.prepare()
    started_s = time.monotonic()
    venues = [asked.venue] if asked.venue else list(kill_venue.SYMBOLS)
    tally = run(venues, asked.seed, asked.batch, asked.kills, control=asked.control, folder=asked.dir)
    seconds = time.monotonic() - started_s
    figures = {"seed": asked.seed, "control": asked.control, "seconds": round(seconds, 1), **tally.figures()}
    asked.dir.mkdir(parents=True, exist_ok=True)
    (asked.dir / "kill.json").write_text(json.dumps(figures, indent=1))
    print(table(figures))
    print(json.dumps({name: told for name, told in figures.items() if name not in ("by_point", "missed", "failures")}))
    return 1 if tally.failures else 0


if __name__ == "__main__":
    sys.exit(main())
