"""`python -m benchmarks [NAME ...]`: run all benchmarks, or those named, and keep their figures in out/bench.json."""

import sys
import time
from importlib import import_module

from benchmarks.report import OUT, NotMeasured, Wrong, machine, merge, software

ALL = {
    "mailbox": ("mailbox_ns", "mailbox_over_asyncio_queue", "mailbox_over_anyio"),
    "journal": ("journal_commit_p50_us", "journal_commit_p99_us"),
    "log_line": ("log_line_us",),
    "gc_full": ("gc_full_ms", "gc_full_unfrozen_ms"),
    "tickpath": ("tick_graph_over_inline", "tick_graph_us", "tick_inline_us", "tick_graph_frames_per_s"),
    "paced": tuple(
        f"paced_{rate}_{part}_{share}_us"
        for rate in ("1k", "10k")
        for part in ("inprocess", "wire")
        for share in ("p50", "p99")
    ),
    "hl_end_to_end": (
        *("hl_end_to_end_over_sdk", "hl_end_to_end_us", "hl_end_to_end_frames_per_s", "hl_end_to_end_sdk_us"),
    ),
    "alpaca_books": ("alpaca_book_frames_per_s", "alpaca_book_over_sdk_raw", "alpaca_book_over_sdk_models"),
    "dialects": ("generator_hl_frames_per_s", "generator_blocks_and_hl_frames_per_s"),
    "generator": (
        *("generator_books_per_s", "generator_over_random_walk", "generator_day_28_coins_s", "generator_day_rss_mib"),
    ),
    "hl_sign": ("hl_sign_us", "hl_sign_over_sdk"),
    "virtual_day": ("virtual_hours_per_wall_s", "virtual_day_cpu_s"),
}
"""Each module and the figures it takes."""


def main(names: list[str]) -> int:
    """Run and print; 1 when a figure was not taken, 2 when a name is not one of ours."""
    if unknown := [name for name in names if name not in ALL]:
        print(f"no benchmark called {', '.join(unknown)}; there are {', '.join(ALL)}", file=sys.stderr)
        return 2
    print(machine())
    print(software())
    failed = 0
    for name in names or ALL:
        start_s = time.monotonic()
        try:
            figures = import_module(f"benchmarks.{name}").measure()
            print(f"  ({name}: {time.monotonic() - start_s:.0f} s)")
        except (NotMeasured, Wrong) as error:
            print(f"\n{name}: {type(error).__name__}: {error}")
            figures = {}
            failed += 1
        merge(figures, dropped=[figure for figure in ALL[name] if figure not in figures])
    print(f"\nfigures in {OUT}")
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
