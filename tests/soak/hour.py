"""An hour of the unchanged daemon against an emulated venue: what every venue's proof has in common.

Two processes, `obid emulate VENUE` and `obid run`, on one time: the emulator's. A venue says in its own module how
it is started, what a daemon is told, and what its limits are.
"""

import argparse
import json
import os
import shutil
import signal
import subprocess
import sys
import urllib.request
from collections.abc import Callable, Mapping, Sequence
from decimal import Decimal
from pathlib import Path
from typing import Any, NamedTuple

from actors.ledger import LedgerMind

ROOT = Path(__file__).resolve().parents[2]

RUN = """
import sys, json, urllib.request
from pathlib import Path
from daemon import run
from daemon.options import Mode, RunOptions
url, config, data, minutes, speed, mode, engines = sys.argv[1:]
asked = urllib.request.Request(url + "/emulator/time", b"{}", method="POST")
run.now_ns = lambda: json.load(urllib.request.urlopen(asked, timeout=10))["now_ns"]
options = RunOptions(mode=Mode(mode), engines=tuple(engines.split(",")), data_dir=Path(data), config=Path(config),
                     plain=True, for_ns=round(float(minutes) * 60e9), speed=float(speed))
sys.exit(run.run(options))
"""
"""`obid run --for ...`, on the emulator's time: begun elsewhere than ours, or at a speed that the command refuses."""


class Ended(NamedTuple):
    """How it stands when the daemon is gone."""

    mind: LedgerMind  # of the journal
    truth: Any  # of the one account
    statistics: Any
    now_ns: int


class Hour(NamedTuple):
    """A venue's part in it."""

    venue: str
    mode: str
    engines: tuple[str, ...]
    environment: Callable[[dict[str, Any]], dict[str, str]]  # of what the emulator told
    config: str  # a strategy lively enough to be worth watching
    emulated: Sequence[str]  # more options of the emulator
    differs: Callable[[Ended], list[str]]  # what it says of positions and of its own laws
    figures: Callable[[Ended], dict[str, Any]]


def parser_of(description: str, folder: str) -> argparse.ArgumentParser:
    """The options that every venue has."""
    parser = argparse.ArgumentParser(description=description)
    parser.add_argument("--minutes", type=float, default=60, help="of the venue's time")
    parser.add_argument("--seed", type=int, default=7)
    parser.add_argument("--speed", type=float, default=1)
    parser.add_argument("--faults", default="default")
    parser.add_argument("--symbols", default="")
    parser.add_argument("--config", type=Path, help="TOML for the daemon, in place of the lively strategy")
    parser.add_argument("--dir", type=Path, default=ROOT / "var" / folder)
    return parser


def run(hour: Hour, asked: argparse.Namespace) -> int:
    """Run both and judge; the figures are printed as JSON. 0 if all is as it should be."""
    shutil.rmtree(asked.dir, ignore_errors=True)
    asked.dir.mkdir(parents=True)
    told = [*("--seed", asked.seed), *("--speed", asked.speed), *("--faults", asked.faults), *("--port", 0), "--json"]
    symbols = ["--symbols", asked.symbols] if asked.symbols else []
    command = [sys.executable, "-m", "daemon", "emulate", hour.venue, *map(str, told), *symbols, *hour.emulated]
    with subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE, text=True) as emulator:
        try:
            assert emulator.stdout is not None
            return judged(hour, asked, json.loads(emulator.stdout.readline()))
        finally:
            emulator.send_signal(signal.SIGTERM)


def judged(hour: Hour, asked: argparse.Namespace, told: dict[str, Any]) -> int:
    """Run the daemon; 0 if all is as it should be."""
    config, data = asked.dir / "emulator.toml", asked.dir / "data"
    config.write_text(told["config"] + "\n" + (asked.config.read_text() if asked.config else hour.config))
    told_of_run = (told["url"], config, data, asked.minutes, asked.speed, hour.mode, ",".join(hour.engines))
    with (asked.dir / "run.txt").open("w") as out:
        code = subprocess.run(
            [sys.executable, "-c", RUN, *map(str, told_of_run)],
            cwd=ROOT,
            env={**os.environ, **hour.environment(told)},
            stdout=out,
            stderr=subprocess.STDOUT,
            check=False,
        ).returncode
    ended = ended_as(data, told["url"])
    (asked.dir / "truth.json").write_text(json.dumps(ended.truth))
    wrongs = [*alive(ended), *hour.differs(ended)]
    if not sum(ended.mind.fills.values()):
        wrongs.append("nothing was filled: this proves nothing")
    if code:
        wrongs.append(f"the daemon ended with {code}: {asked.dir / 'run.txt'}")
    print(json.dumps({**figures_of(ended), **hour.figures(ended), "wrongs": wrongs}, indent=1))
    return 1 if wrongs else 0


def ended_as(data: Path, url: str) -> Ended:
    """Ask both sides."""
    from daemon.books import recover_from

    (truth,) = post(url, "truth").values()
    return Ended(recover_from(data / "journal.sqlite"), truth, post(url, "statistics"), post(url, "time")["now_ns"])


def post(url: str, door: str) -> Any:
    """Ask the control door."""
    request = urllib.request.Request(f"{url}/emulator/{door}", b"{}", method="POST")
    with urllib.request.urlopen(request, timeout=30) as answer:
        return json.load(answer)


def held_by(mind: LedgerMind) -> dict[tuple[str, str], Decimal]:
    """What the ledger holds, by engine and symbol."""
    books = mind.books
    return {
        (engine, symbol): books.instrument(engine, symbol).size(position.lots)
        for engine, positions in books.positions.items()
        for symbol, position in positions.items()
        if position.lots
    }


def unequal(here: Mapping[str, Decimal], there: Mapping[str, Decimal]) -> list[str]:
    """What one side holds and the other does not."""
    names = sorted({*here, *there})
    return [
        f"{here.get(name, 0)} {name} in the ledger, {there.get(name, 0)} at the venue"
        for name in names
        if here.get(name, Decimal(0)) != there.get(name, Decimal(0))
    ]


def alive(ended: Ended) -> list[str]:
    """Orders that should be over."""
    here = [order.request.id for order in ended.mind.orders.values() if not order.over]
    wrongs = [f"orders alive in the ledger: {here}"] if here else []
    return wrongs + ([f"orders rest at the venue: {ended.truth['open_orders']}"] if ended.truth["open_orders"] else [])


def figures_of(ended: Ended) -> dict[str, Any]:
    """What happened, in numbers."""
    states: dict[str, int] = {}
    for order in ended.mind.orders.values():
        states[order.state] = states.get(order.state, 0) + 1
    return {
        "positions": {f"{engine} {symbol}": str(size) for (engine, symbol), size in held_by(ended.mind).items()},
        "orders": states,
        "fills": {"ledger": sum(ended.mind.fills.values()), "venue": len(ended.truth["fills"])},
        "faults": ended.statistics["faults"],
        "befallen": ended.statistics["befallen"],
    }
