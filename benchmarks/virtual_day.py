"""A synthetic day of 28 coins in virtual time, as anybody would run it: `obid run ... --for 24h --speed max`."""

import json
import os
import resource
import subprocess
import sys
import tempfile
import time

from benchmarks.frames import ENGINE, coins
from benchmarks.report import NotMeasured, Wrong, table

HOURS = int(os.environ.get("BENCH_HOURS", "24"))
"""BENCH_HOURS shortens the day for a quick look."""

SEED = 7
SECONDS_PER_HOUR = 3600
BOOK_GAP_S = 0.55
"""A venue sends a coin's book about this often."""

BOOKS_SHARE_MIN = 0.95
"""Fewer books than this share of what such a day holds, and it was another day."""


def measure() -> dict[str, float]:
    """Hours that pass in a second of wall time, in a process of its own, its start and end included."""
    with tempfile.TemporaryDirectory() as folder:
        market = ["--mode", "synthetic", "--engine", ENGINE, "--seed", str(SEED)]
        span = ["--for", f"{HOURS}h", "--speed", "max", "--plain", "--json", "--data-dir", folder]
        before, start_s = resource.getrusage(resource.RUSAGE_CHILDREN), time.monotonic()
        done = subprocess.run(
            [sys.executable, "-m", "daemon", "run", *market, *span], capture_output=True, text=True, check=False
        )
        wall_s, after = time.monotonic() - start_s, resource.getrusage(resource.RUSAGE_CHILDREN)
    if done.returncode:
        raise NotMeasured(f"obid run ended with {done.returncode}: {done.stderr.strip().splitlines()[-1:]}")
    *_, summary, digest = done.stdout.strip().splitlines()
    books = json.loads(summary)["books"]
    expected = HOURS * SECONDS_PER_HOUR / BOOK_GAP_S * len(coins())
    if books < expected * BOOKS_SHARE_MIN:
        raise Wrong(f"{books:,} books were heard, {expected:,.0f} make such a day")
    cpu_s = after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime
    hours_per_s = HOURS / wall_s
    rows = [[f"{HOURS} h", wall_s, cpu_s, books, hours_per_s]]
    table(
        f"A synthetic day of {len(coins())} coins, {digest}", [["", "wall s", "CPU s", "books", "h per wall s"], *rows]
    )
    return {"virtual_hours_per_wall_s": hours_per_s, "virtual_day_cpu_s": cpu_s * 24 / HOURS}
