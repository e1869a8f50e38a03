"""What a durable write costs: one entry in one transaction, synced to the disk, in the thread that writes."""

import tempfile
import time
from pathlib import Path

import numpy as np

from benchmarks.report import NS_PER_US, table
from supervisor.journal import Entry, Journal

COMMITS = 1_500
BODY_BYTES = 400
"""An order planned, as JSON."""


def measure() -> dict[str, float]:
    """Wall time of a commit: the disk's time counts, so this is no CPU time."""
    took_ns = []
    with tempfile.TemporaryDirectory() as folder:
        journal = Journal.open(Path(folder) / "journal.db")
        for number in range(COMMITS):
            entry = Entry(number, "order_planned", bytes(BODY_BYTES))
            start_ns = time.perf_counter_ns()
            journal.append((entry,))
            took_ns.append(time.perf_counter_ns() - start_ns)
        journal.close()
    p50, p99 = (float(x) / NS_PER_US for x in np.percentile(took_ns, [50, 99]))
    table(
        "Journal commit, SQLite WAL, synchronous=FULL, wall time", [["", "p50 us", "p99 us"], ["one entry", p50, p99]]
    )
    return {"journal_commit_p50_us": p50, "journal_commit_p99_us": p99}
