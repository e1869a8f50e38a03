"""Records runs and replays them, decision by decision: `make again`.

First a live one, on the wall clock, at the emulated Hyperliquid with lost answers, closed sockets, late and repeated
fills; then a synthetic one in virtual time, which is what gets to a million decisions. Both strategies are hasty.
"""

import argparse
import os
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import pytest

from daemon.retrace import Compared, compare
from daemon.soak.plan import HASTY
from tests.daemon import test_run_hyperliquid as live
from tests.venues.emulator.running import ADDRESS, KEY, running

SYMBOLS = ("BTC", "ETH", "SOL", "DOGE", "AVAX", "xyz:TSLA")
ENGINES = {"perps": "native", "crypto": "spot"}


def strategy(engine: str) -> str:
    """A hasty one."""
    return HASTY.format(engine=engine, route=ENGINES[engine], exit="taker", orders_per_minute=6000)


def live_run(folder: Path, minutes: float) -> Path:
    """A run of so many of the emulator's minutes; gives its recording."""
    os.environ["OBID_HYPERLIQUID_AGENT_KEY"] = KEY
    faults = folder / "faults.toml"
    faults.write_text(live.FAULTS)
    with running(SYMBOLS, speed=live.SPEED, faults=str(faults), seed=5, accounts=[f"{ADDRESS}:1000000"]) as venue:
        config = folder / "live.toml"
        config.write_text("\n".join(live.snippet(venue.url, ADDRESS, SYMBOLS)) + strategy("perps"))
        usual = live.RunOptions
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(live, "RunOptions", lambda **options: usual(**options, record=True))
            live.traded(venue, config, folder / "live", patch, seconds=60 * minutes)
    (recording,) = (folder / "live" / "recordings").iterdir()
    return recording


def virtual_run(folder: Path, hours: float) -> Path:
    """A synthetic run of two engines in virtual time; gives its recording."""
    config = folder / "virtual.toml"
    config.write_text("".join(map(strategy, ENGINES)))
    engines = [word for engine in ENGINES for word in ("--engine", engine)]
    what = ["--config", config, "--data-dir", folder / "virtual", "--for", f"{round(hours * 3600)}s", "--speed", "max"]
    command = [sys.executable, "-m", "daemon", "run", *engines, *map(str, what), "--plain", "--record"]
    with (folder / "virtual.out").open("w") as out:
        subprocess.run(command, stdout=out, check=True)
    (recording,) = (folder / "virtual" / "recordings").iterdir()
    return recording


def told(name: str, found: Compared, seconds: float) -> int:
    """Print what came of one; gives the exit code."""
    print(f"{name}, {seconds:.0f} s with the comparison:\n{found.text()}", flush=True)
    return 1 if found.differs else 0


def main(argv: list[str] | None = None) -> int:
    """Record and compare both."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--minutes", type=float, default=20.0, help="of the emulated venue's time")
    parser.add_argument("--hours", type=float, default=4.0, help="virtual; four are a million decisions")
    parser.add_argument("--folder", type=Path, help="where recordings go, a gigabyte for four hours")
    args = parser.parse_args(argv)
    with tempfile.TemporaryDirectory(dir=args.folder) as temporary:
        worst = 0
        for name, record, length in (("live", live_run, args.minutes), ("virtual", virtual_run, args.hours)):
            started_s = time.monotonic()
            if length:
                found = compare(record(Path(temporary), length))
                worst |= told(name, found, time.monotonic() - started_s)
    return worst


if __name__ == "__main__":
    sys.exit(main())
