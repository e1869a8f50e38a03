"""`make sim SEEDS=50`: worlds of the whole daemon under faults drawn from seeds, in virtual time.

    python -m tests.soak.sim [--seeds 50] [--first 1] [--jobs 2] [--hours 0] [--control NAME] [--resume]
    python -m tests.soak.sim --seed 123 [--shrink] [--keep var/sim]

Each seed is one world (daemon/soak): a safety phase under its own mix of faults, then a liveness phase without. A seed
that fails prints the command that repeats it; --shrink switches its kinds of faults off one by one, and shortens it,
as long as it still fails. A run of fifty or more in which a kind of fault never fired has failed. What came of each
world is a line of `worlds.jsonl` under --dir; --resume keeps those that are there and runs the others.
"""

import argparse
import json
import shutil
import signal
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from multiprocessing import get_context
from pathlib import Path
from typing import Any

import msgspec
from msgspec.structs import replace

from daemon import hyperliquid
from daemon.soak.kinds import KINDS
from daemon.soak.plan import WorldPlan
from daemon.soak.swarm import plan_of
from daemon.soak.world import WorldEnded, run_world
from tests.soak.kill_controls import CONTROLS

SEEDS_FOR_EVERY_KIND = 50
STUCK_S = 600
"""A world that takes so long in our time is stuck."""
TOLD_EVERY = 25
SHORTER = 0.6
"""How much of a failing world's length is tried next."""
MEMORY = Path("/dev/shm")


class Stuck(Exception):
    """Virtual time did not get to the end."""


@contextmanager
def folder(keep: Path | None) -> Iterator[Path]:
    """Where a world keeps its files: in memory, or where they are to be looked at."""
    if keep is not None:
        shutil.rmtree(keep, ignore_errors=True)
        keep.mkdir(parents=True)
        yield keep
        return
    with tempfile.TemporaryDirectory(prefix="obid-sim-", dir=MEMORY if MEMORY.is_dir() else None) as name:
        yield Path(name)


def live(plan: WorldPlan, keep: Path | None = None) -> WorldEnded:
    """One world; one that crashes or does not end has failed."""

    def stuck(*_: Any) -> None:
        raise Stuck(f"not over after {STUCK_S} s of ours")

    before = signal.signal(signal.SIGALRM, stuck)
    signal.alarm(STUCK_S)
    started_s = time.process_time()
    try:
        if plan.control:
            CONTROLS[plan.control].install()  # for as long as this process lives
        with folder(keep) as place:
            ended = run_world(plan, place)
    except Exception as error:
        ended = WorldEnded(plan=plan, failures=[f"the world broke: {type(error).__name__}: {error}"])
    finally:
        signal.alarm(0)
        signal.signal(signal.SIGALRM, before)
    ended.seconds = time.process_time() - started_s
    return ended


def command_of(plan: WorldPlan) -> str:
    """What repeats it."""
    return f"make sim SEED={plan.seed}" + (f" CONTROL={plan.control}" if plan.control else "")


class Tally:
    """Figures of many worlds."""

    def __init__(self) -> None:
        self.ended: list[WorldEnded] = []
        self.fired: Counter[str] = Counter()
        self.counts: Counter[str] = Counter()

    def add(self, ended: WorldEnded) -> None:
        """One more."""
        self.ended.append(ended)
        self.fired.update(ended.fired)
        self.counts.update(ended.counts)
        if not ended.ok:
            for failure in ended.failures[:5]:
                print(f"seed {ended.plan.seed}: {failure[:300]}")
            print(f"  {command_of(ended.plan)}", flush=True)

    def unfired(self) -> list[str]:
        """Kinds that never befell anybody."""
        return [kind for kind in KINDS if not self.fired[kind.removesuffix("_done")]]

    def figures(self) -> dict[str, Any]:
        """As JSON."""
        ended = self.ended
        waits = sorted(one.calmed.well_s for one in ended if one.calmed.well_s is not None) or [0.0]
        seconds, virtual_s = sum(one.seconds for one in ended), sum(one.virtual_s for one in ended)
        return {
            "seeds": len(ended),
            "failed": [one.plan.seed for one in ended if not one.ok],
            "virtual_hours": round(virtual_s / 3_600, 2),
            "core_seconds": round(seconds, 1),
            "virtual_per_core": round(virtual_s / seconds, 1) if seconds else 0,
            "lives": self.counts["lives"],
            "kills": sum(one.kills for one in ended),
            "orders": self.counts["orders"],
            "fills": self.counts["fills"],
            "connects": self.counts["network_connects"],
            "well_s": {"p50": waits[len(waits) // 2], "max": waits[-1]},
            "quoting": sum(one.calmed.state == "quoting" for one in ended),
            "fired": dict(sorted(self.fired.items())),
        }


def many(plans: list[WorldPlan], jobs: int, results: Path, *, resume: bool) -> Tally:
    """Live through many worlds, on several cores, but for those of the same plan whose result is there already."""
    tally, decoder = Tally(), msgspec.json.Decoder(WorldEnded, dec_hook=lambda kind, told: kind(told))
    kept = [decoder.decode(line) for line in results.read_bytes().splitlines()] if resume and results.exists() else []
    for one in kept:
        if one.plan in plans:
            plans.remove(one.plan)
            tally.add(one)
    total = len(plans) + len(tally.ended)
    results.parent.mkdir(parents=True, exist_ok=True)
    with (
        results.open("ab" if resume else "wb") as file,
        get_context("fork").Pool(jobs, maxtasksperchild=1) as pool,  # what a control has laid over it dies with it
    ):
        try:
            for ended in pool.imap_unordered(live, plans):
                tally.add(ended)
                file.write(msgspec.json.encode(ended) + b"\n")
                file.flush()
                if len(tally.ended) % TOLD_EVERY == 0:
                    print(f"{len(tally.ended)} of {total} seeds", file=sys.stderr, flush=True)
        except KeyboardInterrupt:
            print("interrupted: the figures are of what was run", file=sys.stderr)
    return tally


def shrunk(plan: WorldPlan) -> WorldPlan:
    """The least world that still fails: fewer kinds, then shorter, then one symbol."""

    def fails(smaller: WorldPlan) -> bool:
        ended = live(smaller)
        kinds = ", ".join(one.kind for one in smaller.faults)
        print(
            f"  {'fails' if not ended.ok else 'is well'}: {smaller.hours:.3f} h of {kinds or 'no faults'}", flush=True
        )
        return not ended.ok

    for one in plan.faults:
        fewer = replace(plan, faults=tuple(other for other in plan.faults if other is not one))
        if fails(fewer):
            plan = fewer
    while plan.hours > 0.01 and fails(shorter := replace(plan, hours=round(plan.hours * SHORTER, 4))):
        plan = shorter
    return plan


def single(plan: WorldPlan, *, shrink: bool, keep: Path | None) -> int:
    """One seed, in full."""
    ended = live(plan, keep)
    print("\n".join(f"{name}: {getattr(ended, name)}" for name in ended.__struct_fields__))
    if shrink and not ended.ok:
        print(f"the least that fails: {shrunk(plan)}")
    return 0 if ended.ok else 1


def main() -> int:
    """Run, print, judge."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--seeds", type=int, default=50)
    parser.add_argument("--first", type=int, default=1)
    parser.add_argument("--jobs", type=int, default=2)
    parser.add_argument("--hours", type=float, default=0.0, help="of each world; 0: as its seed says")
    parser.add_argument("--seed", type=int, help="one world alone")
    parser.add_argument("--shrink", action="store_true")
    parser.add_argument("--keep", type=Path, help="where one world's files are kept")
    parser.add_argument("--control", choices=tuple(CONTROLS), default="", help="a wrong design, which must fail")
    parser.add_argument("--dir", type=Path, default=Path("var/sim"), help="where results of many worlds are kept")
    parser.add_argument("--resume", action="store_true", help="keep the results that are there")
    asked = parser.parse_args()
    hyperliquid.prepare()
    if asked.seed is not None:
        plan = replace(plan_of(asked.seed, asked.hours), control=asked.control)
        return single(plan, shrink=asked.shrink, keep=asked.keep)
    started_s = time.monotonic()
    seeds = range(asked.first, asked.first + asked.seeds)
    plans = [replace(plan_of(seed, asked.hours), control=asked.control) for seed in seeds]
    tally = many(plans, asked.jobs, asked.dir / "worlds.jsonl", resume=asked.resume)
    figures = {"control": asked.control, "seconds": round(time.monotonic() - started_s, 1), **tally.figures()}
    unfired = tally.unfired() if asked.seeds >= SEEDS_FOR_EVERY_KIND else []
    print(json.dumps(figures, indent=1))
    if unfired:
        print(f"never fired: {', '.join(unfired)}")
    return 1 if figures["failed"] or unfired else 0


if __name__ == "__main__":
    sys.exit(main())
