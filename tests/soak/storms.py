"""`make storms`: every actor of the whole daemon crashes once, and then again and again, at an emulated venue.

    python -m tests.soak.storms [--engine perps|crypto] [--actor NAME]

Once, and it must go on: the same process, nothing halted. Five times within half a minute, and it must give up: trading
halted in the journal, nothing of ours resting at the venue, exit code 1, and the next process still halted until its
operator says otherwise. Virtual time: what a restart takes of ours is for `pytest tests/daemon/test_run_hung.py`.
"""

import argparse
import json
import sys
import tempfile
from pathlib import Path
from typing import Any

from msgspec import Struct, field

from daemon.operate import Drill
from daemon.soak.life import DaemonLife
from daemon.soak.plan import HASTY, WorldPlan
from daemon.soak.world import Hooks, World, WorldEnded, run_world
from supervisor.clock import NS_PER_S

STORM = 5
"""So many crashes within half a minute are one too many."""
FIRST_S = 10.0
"""Its windows are full by then."""
AGAIN_S = 0.05
"""How soon an actor that is not back yet is looked at again."""


class Storm(Struct):
    """What befalls one actor of a first life, and what came of it."""

    actor: str
    crashes: int
    done: int = 0
    last_ns: int = 0
    ended_s: float | None = None  # from the last crash until the process was gone and another asked
    resting: int = 0  # orders at the venue when it begins
    left: list[str] = field(default_factory=list)  # what rests when the next process comes
    halted: bool = False  # the next process is

    def hooks(self) -> Hooks:
        """How a world is told to let it befall."""
        worlds: list[World] = []

        def on_life(life: DaemonLife) -> None:
            if life.number == 1:
                life.loop.call_later(FIRST_S, self.strike, life, worlds)
            elif life.number == 2:
                self.look(life, worlds[0])

        return Hooks(on_life=on_life, on_minute=lambda world: worlds.append(world) if not worlds else None)

    def strike(self, life: DaemonLife, worlds: list[World]) -> None:
        """Crash it, and once more when it is back, so many times."""
        assert life.operator is not None and life.operator.house is not None
        if life.dead or self.done == self.crashes:
            return
        if not self.done:
            self.resting = len(open_orders(worlds[0]))
            if not self.resting:  # it shall have something to lose
                life.loop.call_later(AGAIN_S, self.strike, life, worlds)
                return
        try:
            life.operator.house.inject(self.actor, Drill("a drill"))
        except RuntimeError:  # it is not back yet
            life.loop.call_later(AGAIN_S, self.strike, life, worlds)
            return
        self.done += 1
        self.last_ns = worlds[0].clock.now_ns()
        life.loop.call_later(AGAIN_S, self.strike, life, worlds)

    def look(self, life: DaemonLife, world: World) -> None:
        """The next process is there."""
        assert life.operator is not None
        self.ended_s = (world.clock.now_ns() - self.last_ns) / NS_PER_S
        self.left = open_orders(world)
        self.halted = any(told.state.value == "halted" for told in life.operator.board.trading.values())

    def wrong(self, ended: WorldEnded) -> list[str]:
        """What should not be."""
        found = [*ended.failures]
        if self.done < self.crashes:
            found.append(f"it crashed {self.done} times of {self.crashes}")
        ends = [exit for exit in ended.exits if not exit.startswith("code 0")]
        if self.crashes < STORM:
            return found + [f"one crash ended it: {one}" for one in ends] + ["halted"] * self.halted
        if ended.exits.get("code 1") != 1 or len(ends) != 1:
            found.append(f"it did not give up with code 1: {dict(ended.exits)}")
        if not self.halted:
            found.append("the next process was not halted")
        return found + [f"still rests: {name}" for name in self.left]


def open_orders(world: World) -> list[str]:
    """The names of what rests at the venues."""
    return [order.name for place in world.places for order in place.truth().orders if order.open]


def storm(engine: str, actor: str, crashes: int) -> tuple[Storm, WorldEnded]:
    """One world with one storm in it."""
    about = Storm(actor, crashes)
    symbols = ("BTC", "ETH") if engine == "perps" else ("BTC/USD", "ETH/USD")
    plan = WorldPlan(seed=1, hours=0.06, engines=(engine,), symbols=symbols, strategy=HASTY, shuffle=False)
    with tempfile.TemporaryDirectory(prefix="obid-storm-") as name:
        return about, run_world(plan, Path(name) / "world", about.hooks())


def actors_of(engine: str) -> list[str]:
    """All that can crash."""
    names: list[str] = []

    def on_life(life: DaemonLife) -> None:
        assert life.operator is not None and life.operator.house is not None
        names.extend(life.operator.house.runners)

    symbols = ("BTC", "ETH") if engine == "perps" else ("BTC/USD", "ETH/USD")
    plan = WorldPlan(seed=1, hours=0.005, engines=(engine,), symbols=symbols, strategy=HASTY, shuffle=False)
    with tempfile.TemporaryDirectory(prefix="obid-storm-") as name:
        run_world(plan, Path(name) / "world", Hooks(on_life=on_life))
    return sorted(set(names))


def main() -> int:
    """Every actor, once and five times; exit 1 if anything is wrong."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--engine", choices=("perps", "crypto"))
    parser.add_argument("--actor")
    asked = parser.parse_args()
    told: dict[str, Any] = {"storms": 0, "failed": 0, "ended_s_max": 0.0, "resting": 0}
    for engine in (asked.engine,) if asked.engine else ("perps", "crypto"):
        for actor in [asked.actor] if asked.actor else actors_of(engine):
            for crashes in (1, STORM):
                about, ended = storm(engine, actor, crashes)
                wrong = about.wrong(ended)
                told["storms"] += 1
                told["failed"] += bool(wrong)
                told["resting"] += about.resting if crashes == STORM else 0
                told["ended_s_max"] = max(told["ended_s_max"], about.ended_s or 0.0)
                print(engine, actor, crashes, about.ended_s, about.resting, wrong or "ok", flush=True)
    print(json.dumps(told))
    return 1 if told["failed"] else 0


if __name__ == "__main__":
    sys.exit(main())
