"""What a log line costs: an event with eight fields beside the envelope, buffered, written in blocks, flushed."""

import json
import tempfile
import time
from pathlib import Path

from benchmarks.report import Wrong, interleaved, table
from daemon.log_file import LogFile
from daemon.logs import Log

LINES = 20_000
REPEATS = 7
US_PER_S = 1e6


def _log_lines(path: Path) -> float:
    """CPU microseconds per line, the writing included."""
    log = Log(LogFile(path), "bench", time.time_ns)
    start_s = time.process_time()
    for number in range(LINES):
        log.info(
            "intent",
            engine="perps",
            symbol="BTC",
            side="buy",
            lots=238,
            ticks=1_050_550,
            z=-1.73205,
            obi=0.31416,
            age_ms=number,
        )
    log.flush()
    took_s = time.process_time() - start_s
    log.close()
    return took_s / LINES * US_PER_S


def measure() -> dict[str, float]:
    """CPU time per line."""
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "log" / "obid.jsonl"
        cost_us = interleaved({"ours": lambda: _log_lines(path)}, REPEATS)["ours"]
        lines = path.read_bytes().splitlines()
    if len(lines) != LINES * REPEATS or json.loads(lines[-1])["age_ms"] != LINES - 1:
        raise Wrong(f"{len(lines)} lines are in the log, {LINES * REPEATS} were written")
    table("Log line, 8 fields, CPU time, file writes included", [["", "us"], ["structlog to JSONL", cost_us]])
    return {"log_line_us": cost_us}
