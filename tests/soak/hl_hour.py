"""The unchanged daemon against the emulated Hyperliquid with default faults: do venue, ledger and memory end as one.

    python -m tests.soak.hl_hour [--minutes 60] [--seed 7] [--speed 1] [--config more.toml] [--dir var/hl_hour]

Two processes: `obid emulate hyperliquid --faults default` and `obid run --mode live`, in real time unless `--speed`
says otherwise, which moves both. Exit code 0: positions are equal, no order rests unaccounted, every limit was kept.
"""

import argparse
import json
import os
import shutil
import signal
import subprocess
import sys
import urllib.request
from decimal import Decimal
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parents[2]
WEIGHT_A_MINUTE, MESSAGES_A_MINUTE, SOCKETS, SUBSCRIPTIONS = 1_200, 2_000, 10, 1_000
"""The venue's limits for one IP address."""

RUN = """
import sys, json, urllib.request
from decimal import Decimal
from pathlib import Path
from daemon import run
from daemon.options import Mode, RunOptions
url, config, data, minutes, speed = sys.argv[1:]
asked = urllib.request.Request(url + "/emulator/time", b"{}", method="POST")
if float(speed) != 1:
    run.now_ns = lambda: json.load(urllib.request.urlopen(asked, timeout=10))["now_ns"]
options = RunOptions(mode=Mode.LIVE, engines=("perps",), data_dir=Path(data), config=Path(config), plain=True,
                     for_ns=round(float(minutes) * 60e9), speed=float(speed))
sys.exit(run.run(options))
"""
"""`obid run --mode live --for ...`, which at a speed that the command line refuses takes the emulator's time."""


def main() -> int:
    """Run both and judge; the figures are printed as JSON."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--minutes", type=float, default=60)
    parser.add_argument("--seed", type=int, default=7)
    parser.add_argument("--speed", type=float, default=1)
    parser.add_argument("--faults", default="default")
    parser.add_argument("--symbols", default="")
    parser.add_argument("--config", type=Path, help="more TOML for the daemon")
    parser.add_argument("--dir", type=Path, default=ROOT / "var" / "hl_hour")
    asked = parser.parse_args()
    shutil.rmtree(asked.dir, ignore_errors=True)
    asked.dir.mkdir(parents=True)
    told = [*("--seed", asked.seed), *("--speed", asked.speed), *("--faults", asked.faults), *("--port", 0), "--json"]
    symbols = ["--symbols", asked.symbols] if asked.symbols else []
    command = [sys.executable, "-m", "daemon", "emulate", "hyperliquid", *map(str, told), *symbols]
    with subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE, text=True) as emulator:
        try:
            assert emulator.stdout is not None
            return judged(asked, json.loads(emulator.stdout.readline()))
        finally:
            emulator.send_signal(signal.SIGTERM)


def judged(asked: argparse.Namespace, told: dict[str, Any]) -> int:
    """Run the daemon; 0 if all is as it should be."""
    config, data = asked.dir / "emulator.toml", asked.dir / "data"
    config.write_text(told["config"] + "\n" + (asked.config.read_text() if asked.config else ""))
    environment = {**os.environ, "OBID_HYPERLIQUID_AGENT_KEY": told["throw_away_key"]}
    command = [sys.executable, "-c", RUN, told["url"], config, data, asked.minutes, asked.speed]
    with (asked.dir / "run.txt").open("w") as out:
        code = subprocess.run(
            list(map(str, command)), cwd=ROOT, env=environment, stdout=out, stderr=subprocess.STDOUT, check=False
        ).returncode
    (truth,) = post(told["url"], "truth").values()
    statistics = post(told["url"], "statistics")
    figures, wrongs = figures_of(data, truth, statistics)
    if code:
        wrongs.append(f"the daemon ended with {code}: {asked.dir / 'run.txt'}")
    print(json.dumps({**figures, "wrongs": wrongs}, indent=1))
    return 1 if wrongs else 0


def post(url: str, door: str) -> Any:
    """Ask the control door."""
    request = urllib.request.Request(f"{url}/emulator/{door}", b"{}", method="POST")
    with urllib.request.urlopen(request, timeout=30) as answer:
        return json.load(answer)


def figures_of(data: Path, truth: Any, statistics: Any) -> tuple[dict[str, Any], list[str]]:
    """What happened, and what of it is wrong."""
    from daemon.books import recover_from

    mind = recover_from(data / "journal.sqlite")
    books = mind.books
    held = {
        symbol: books.instrument("perps", symbol).size(position.lots)
        for symbol, position in books.positions.get("perps", {}).items()
        if position.lots
    }
    there = {coin: Decimal(size) for coin, size in truth["positions"].items()}
    wrongs = [] if held == there else [f"{held} here, {there} there"]  # as numbers: 0.250 is 0.25
    alive = [order.request.id for order in mind.orders.values() if not order.over]
    wrongs += [f"orders alive in the ledger: {alive}"] if alive else []
    wrongs += [f"orders rest at the venue: {truth['open_orders']}"] if truth["open_orders"] else []
    (ip,) = statistics["venue"]["by_ip"].values()
    bounds = {"weight_per_minute_highest": WEIGHT_A_MINUTE, "messages_per_minute_highest": MESSAGES_A_MINUTE}
    wrongs += [f"{name} is {ip[name]} of {most}" for name, most in bounds.items() if ip[name] > most]
    wrongs += [f"the venue refused {ip['refused']}"] if any(ip["refused"].values()) else []
    wrongs += (
        [f"{statistics['venue']['refused_429']} requests were over the limit"]
        if statistics["venue"]["refused_429"]
        else []
    )
    states: dict[str, int] = {}
    for order in mind.orders.values():
        states[order.state] = states.get(order.state, 0) + 1
    figures = {
        "positions": {symbol: str(size) for symbol, size in held.items()},
        "orders": states,
        "fills": {"ledger": mind.fills.get("perps", 0), "venue": len(truth["fills"])},
        "limits": ip,
        "faults": statistics["faults"],
        "befallen": statistics["befallen"],
    }
    return figures, wrongs


if __name__ == "__main__":
    sys.exit(main())
