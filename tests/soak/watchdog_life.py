"""The real daemon in synthetic mode, for the watchdog's drill: at SIGUSR2 one of its actors hangs for good.

    python -m tests.soak.watchdog_life DATA CONFIG DEADLINES [ACTOR await|spin]

DEADLINES times as long as it ships may an actor take; the drill at full length has 1. Everything else is obid's own.
"""

import asyncio
import signal
import sys
from pathlib import Path
from typing import Any

from msgspec.structs import replace

from actors.account import Account
from actors.feed import Feed
from actors.ledger import Ledger
from actors.reconciler import Reconciler
from daemon import run, session
from daemon.options import Mode, RunOptions
from supervisor import pulse
from supervisor.actor import MindReader
from supervisor.supervisor import House

AWAITS = {"ledger": (Ledger, "_commit"), "perps.reconciler": (Reconciler, "_look_until_clear")}
"""Bodies, and what of them never comes back: a disk, a question without its deadline."""
KINDS = {"perps.feed": Feed, "perps.account": Account}
"""Bodies that have no such one place: what they wait for never comes."""


async def for_ever(*_: Any) -> None:
    """What never comes back."""
    await asyncio.get_running_loop().create_future()


def hang(house: House, name: str, way: str) -> None:
    """Let an actor hang from now on."""
    if way == "spin":
        usual = MindReader.turn

        def turn(self: MindReader) -> bool:
            key = f"{self.post.engine}.{self.post.name}" if self.post.engine else self.post.name
            while name in (key, self.post.name) and len(self.post.mailbox):
                pass
            return usual(self)

        MindReader.turn = turn  # type: ignore[method-assign]
    elif name in AWAITS:
        kind, method = AWAITS[name]
        setattr(kind, method, for_ever)
    elif name == "perps.account":
        house.runners[name].post.say_wait = for_ever  # type: ignore[method-assign]
    else:
        house.runners[name].post.progress = lambda: None  # type: ignore[method-assign]


def install(deadlines: float, name: str, way: str) -> None:
    """Put the drill in."""
    usual = session.on_signals
    houses: list[House] = []
    pulse.HUNG_S *= deadlines

    class Drilled(House):
        def __init__(self, *args: Any):
            super().__init__(*args)
            self.actors = tuple(replace(one, deadline_s=one.deadline_s * deadlines) for one in self.actors)
            houses.append(self)

    def armed(loop: Any, stop: Any, reload: Any) -> None:
        usual(loop, stop, reload)
        if name:
            loop.add_signal_handler(signal.SIGUSR2, lambda: hang(houses[-1], name, way))

    session.on_signals, session.House = armed, Drilled  # type: ignore[misc,assignment]


def main() -> int:
    """Run."""
    data, config, deadlines, name, way = [*sys.argv[1:], "", ""][:5]
    install(float(deadlines), name, way)
    options = RunOptions(
        mode=Mode.SYNTHETIC,
        engines=("perps",),
        data_dir=Path(data),
        config=Path(config),
        symbols=("BTC", "ETH"),
        bar_s=1,
        plain=True,
    )
    return run.run(options)


if __name__ == "__main__":
    raise SystemExit(main())
