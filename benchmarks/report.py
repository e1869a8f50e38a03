"""How figures are taken and shown: interleaved repeats, medians of CPU time, the machine named, one flat JSON file."""

import json
import os
import platform
import statistics
import sys
from collections.abc import Callable, Mapping, Sequence
from importlib.metadata import version
from pathlib import Path
from typing import Any

OUT = Path(__file__).parent / "out" / "bench.json"
NAMED = ("msgspec", "numpy", "uvloop", "anyio", "websockets")
NS_PER_US = 1_000
ROUND_FROM = 100
"""Figures of three digits or more are shown whole."""


STEAL_FIELD = 8
"""Of the first line of /proc/stat (proc(5)): cpu, user, nice, system, idle, iowait, irq, softirq, steal."""


class NotMeasured(Exception):
    """A figure could not be taken; says why. It is printed and its old value is dropped, never kept."""


class Wrong(Exception):
    """Two sides that should have done the same work did not: the figure would be a lie."""


def interleaved(sides: Mapping[str, Callable[[], float]], repeats: int) -> dict[str, float]:
    """The median of each side's figure; they take turns, so that a slow moment of the machine hits all of them."""
    taken: dict[str, list[float]] = {name: [] for name in sides}
    for _ in range(repeats):
        for name, side in sides.items():
            taken[name].append(side())
    return {name: statistics.median(figures) for name, figures in taken.items()}


def table(title: str, rows: Sequence[Sequence[Any]]) -> None:
    """Print rows in columns, numbers to the right."""
    shown = [[cell if isinstance(cell, str) else _number(cell) for cell in row] for row in rows]
    widths = [max(len(row[column]) for row in shown) for column in range(len(shown[0]))]
    print(f"\n{title}")
    for row in shown:
        cells = [cell.rjust(width) for cell, width in zip(row[1:], widths[1:], strict=True)]
        print("  ".join(["", row[0].ljust(widths[0]), *cells]))


def _number(value: float) -> str:
    return f"{value:,.0f}" if abs(value) >= ROUND_FROM else f"{value:.3g}"


def stolen_s() -> float:
    """CPU seconds since boot that a hypervisor gave to others while we wanted them; 0 where nobody says."""
    try:
        fields = Path("/proc/stat").read_text(encoding="ascii").split("\n", 1)[0].split()
    except OSError:
        return 0.0
    return int(fields[STEAL_FIELD]) / os.sysconf("SC_CLK_TCK")


def machine() -> str:
    """What the figures are figures of."""
    return f"{_cpu()}, {os.cpu_count()} cores, {platform.system()} {platform.release()}, load {os.getloadavg()[0]:.1f}"


def software() -> str:
    """The interpreter and the libraries that matter."""
    return f"Python {sys.version.split()[0]}, " + ", ".join(f"{name} {version(name)}" for name in NAMED)


def _cpu() -> str:
    try:
        lines = Path("/proc/cpuinfo").read_text().splitlines()
    except OSError:
        return platform.processor() or platform.machine()
    return next((line.split(":")[1].strip() for line in lines if line.startswith("model name")), platform.machine())


def merge(figures: Mapping[str, float], dropped: Sequence[str]) -> None:
    """Write figures into the file beside those of other benchmarks."""
    known: dict[str, float] = json.loads(OUT.read_text()) if OUT.exists() else {}
    known = {name: value for name, value in known.items() if name not in dropped} | dict(figures)
    OUT.parent.mkdir(exist_ok=True)
    OUT.write_text(json.dumps(dict(sorted(known.items())), indent=1) + "\n")
