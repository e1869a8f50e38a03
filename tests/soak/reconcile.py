"""`make reconcile STEPS=5000000`: what may befall an account, in every order, under the real reconciler and ledger.

    python -m tests.soak.reconcile [--steps 5000000] [--seed 1] [--lanes 0] [--length 60]
    python -m tests.soak.reconcile --story 4711
    python -m tests.soak.reconcile --control NAME|all

A story is one seed: some sixty steps of orders, fills, trades by hand, failed questions, crashes and kills, each
followed by checks of what may never be; then the faults end, all must be equal, and what is left is taken up by two
daemons at different times, which must book the same under the same ids. A failing story prints the command that repeats
it. --control runs reconcilers that are known to be wrong: each must be found out.
"""

import argparse
import os
import sys
import time
from collections import Counter
from functools import partial
from multiprocessing import get_context
from random import Random

from config.profile import ReconcileLimits
from tests.soak.reconcile_controls import CONTROLS, RIGHT
from tests.soak.reconcile_venue import FATES, TELLINGS
from tests.soak.reconcile_world import Violated, World

SYMBOLS = ("BTC", "BTC", "SOL")
LOTS = (1, 1, 3, 7, 10, 25)
WAITS_S = (0.0, 0.02, 0.1, 0.5, 1.0, 2.0, 2.0, 5.0, 12.0, 31.0)
QUESTIONS = ("orders", "positions", "fills", "find", "unread")
HOWS = ("unreachable", "null", "mute")
CONTROL_STORIES = 400
"""A design that is wrong is to be found out by then."""
CHUNK = 20
"""Stories that a lane is given at once."""


def signed(draw: Random) -> int:
    """A size, and which way."""
    return draw.choice(LOTS) * draw.choice((1, -1))


def slow_disk(world: World, draw: Random) -> None:
    """A commit takes longer than the grace, for a while."""
    world.commit_s = draw.choice((0.0, 0.3, 3.0, 4.5))


def hide(world: World, draw: Random) -> None:
    """Fills are not among those that are asked for until later: a page that was cut, an index that is behind."""
    world.venue.hide_ns = draw.choice((0, 1, 8, 40)) * 1_000_000_000


def lag(world: World, draw: Random) -> None:
    """Positions are told as they were a moment ago."""
    world.venue.lag_ns = draw.choice((0, 300_000_000, 1_500_000_000))


def kill(world: World, draw: Random) -> None:
    """The daemon dies and comes back, at once or after a while."""
    world.kill()
    world.loop.run_until_complete(world.clock.sleep(draw.choice((0.0, 1.0, 20.0))))
    world.start()


OPS = {
    "place": (8, lambda w, d: w.place(d.choice(SYMBOLS), signed(d), d.choice(("gtc", "gtc", "ioc")), d.choice(FATES))),
    "trade": (8, lambda w, d: w.trade(d.randrange(9), d.choice(LOTS), d.choice(TELLINGS))),
    "move": (3, lambda w, d: w.move(d.randrange(9), d.choice((0, 0, 3)), d.choice(FATES))),
    "cancel": (3, lambda w, d: w.cancel(d.randrange(9), d.choice(FATES))),
    "hand": (2, lambda w, d: w.hand(d.choice(SYMBOLS), signed(d), d.choice(TELLINGS))),
    "hand_order": (1, lambda w, d: w.venue.by_hand("hand", d.choice(SYMBOLS), signed(d))),
    "gift": (1, lambda w, d: w.venue.gift(d.choice(SYMBOLS), signed(d))),
    "down": (3, lambda w, d: w.venue.seconds(d.choice(QUESTIONS), d.choice((1, 5, 40, 100)), d.choice(HOWS))),
    "slow_disk": (2, slow_disk),
    "hide": (1, hide),
    "lag": (1, lag),
    "repeat": (1, lambda w, d: w.repeat()),
    "crash": (2, lambda w, d: w.crash(d.choice(("ledger", "reconciler", "executor", "account")))),
    "kill": (1, kill),
}
NAMES, WEIGHTS = tuple(OPS), tuple(weight for weight, _ in OPS.values())


def story(seed: int, length: int, control: str = RIGHT) -> Counter[str]:
    """Tell one story to its end. Gives what happened in it, by name; raises Violated."""
    draw, minds = Random(seed), CONTROLS[control]
    limits = ReconcileLimits(by_hand=draw.choice(("adopt", "adopt", "quarantine")))
    usual = draw.sample(NAMES, draw.randrange(5, len(NAMES)))  # swarm: not every story has everything
    weights = [weight for name, weight in zip(NAMES, WEIGHTS, strict=True) if name in usual]
    usual = [name for name in NAMES if name in usual]
    done: Counter[str] = Counter()
    world = World(limits, minds)
    try:
        for _ in range(length):
            name = draw.choices(usual, weights)[0]
            OPS[name][1](world, draw)
            world.wait(draw.choice(WAITS_S))
            done[name] += 1
        world.settle()
        first, second = world.second_run()
        if first != second:
            raise Violated(f"two starts on one journal book {first} and {second}")
        done["adopted"] += world.adopted
        done["fills"] += len(world.venue.fills_made)
        done["orders"] += len(world.planned)
        done["settled"] += 1
    finally:
        world.close()
    return done


def told(asked: tuple[int, int, str]) -> tuple[int, Counter[str], str]:
    """A story for another process: its seed, what happened, and what was wrong."""
    seed, length, control = asked
    try:
        return seed, story(seed, length, control), ""
    except Violated as wrong:
        return seed, Counter(), str(wrong)


def run(stories: range, length: int, lanes: int) -> int:
    """Tell stories in several processes; gives how many were wrong."""
    done: Counter[str] = Counter()
    wrong, began, shown = 0, time.monotonic(), time.monotonic()
    with get_context("fork").Pool(lanes) as pool:
        for seed, more, what in pool.imap_unordered(told, ((s, length, RIGHT) for s in stories), CHUNK):
            done += more
            if what:
                wrong += 1
                print(f"WRONG: {what}\n  again: python -m tests.soak.reconcile --story {seed} --length {length}")
            if time.monotonic() - shown > 60:
                shown = time.monotonic()
                print(f"{line_of(done, length)}, {wrong} wrong, {shown - began:.0f} s", flush=True)
    print(f"{line_of(done, length)}, {wrong} wrong, {time.monotonic() - began:.0f} s")
    print(", ".join(f"{name} {done[name]:,}" for name in NAMES))
    never = [name for name in NAMES if not done[name]]
    if never:
        print(f"never happened: {', '.join(never)}")
    return wrong + len(never)


def line_of(done: Counter[str], length: int) -> str:
    """A run so far."""
    steps = done["settled"] * length
    return f"{done['settled']:,} stories, {steps:,} steps, " + ", ".join(
        f"{done[name]:,} {name}" for name in ("orders", "fills", "adopted")
    )


def find_out(name: str, length: int) -> bool:
    """Whether a wrong design is found out, and when."""
    for seed in range(CONTROL_STORIES):
        _, _, what = told((seed, length, name))
        if what:
            print(f"{name}: found out by story {seed}: {what}")
            return True
    print(f"{name}: NOT found out in {CONTROL_STORIES} stories")
    return False


def main() -> int:
    """Run what the command line asks for."""
    parser = argparse.ArgumentParser(prog="reconcile")
    parser.add_argument("--steps", type=int, default=5_000_000)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--lanes", type=int, default=0)
    parser.add_argument("--length", type=int, default=60)
    parser.add_argument("--story", type=int)
    parser.add_argument("--control")
    asked = parser.parse_args()
    if asked.story is not None:
        print(story(asked.story, asked.length))
        return 0
    if asked.control is not None:
        names = [name for name in CONTROLS if name != RIGHT] if asked.control == "all" else [asked.control]
        return not all(list(map(partial(find_out, length=asked.length), names)))
    first = asked.seed * 10_000_000
    stories = range(first, first + max(1, asked.steps // asked.length))
    return bool(run(stories, asked.length, asked.lanes or os.cpu_count() or 1))


if __name__ == "__main__":
    sys.exit(main())
