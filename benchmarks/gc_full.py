"""How long a full garbage collection stops the world: after the daemon's modules are loaded and its start is frozen."""

import gc
import subprocess
import sys
import time

from benchmarks.report import NotMeasured, table

REPEATS = 5
LOADED = ("daemon.cli", "daemon.graph", "daemon.logs", "venues.hyperliquid.wire")
MS_PER_S = 1e3


def _collect_ms() -> float:
    start_s = time.perf_counter()
    gc.collect()
    return (time.perf_counter() - start_s) * MS_PER_S


def in_this_process() -> None:
    """What `measure` runs in a process of its own: load, collect, freeze, collect."""
    for module in LOADED:
        __import__(module)
    gc.collect()
    before_ms = min(_collect_ms() for _ in range(REPEATS))
    gc.freeze()
    after_ms = max(_collect_ms() for _ in range(REPEATS))
    print(before_ms, after_ms, gc.get_freeze_count())


def measure() -> dict[str, float]:
    """The longest of some collections after the freeze, the shortest before it."""
    code = "from benchmarks.gc_full import in_this_process; in_this_process()"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    if done.returncode:
        raise NotMeasured(done.stderr.strip().splitlines()[-1])
    before_ms, after_ms, frozen = map(float, done.stdout.split())
    rows = [["not frozen", before_ms], [f"frozen ({frozen:,.0f} objects)", after_ms]]
    table("Full garbage collection with the daemon loaded", [["", "ms"], *rows])
    return {"gc_full_ms": after_ms, "gc_full_unfrozen_ms": before_ms}
