"""The certificate's picture: equity, positions, memory, faults and lives over time."""

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from daemon.soak.certificate import SLOPE_HOURS_MIN, Certificate, rss_mib
from daemon.soak.evidence import Sample
from daemon.soak.slopes import HOUR_S
from venues.market import MINOR_PER_USD

SIZE_INCHES, DPI = (11.0, 11.0), 100
POINTS_MAX = 2_000
"""Samples that are drawn: twice as many as a picture has columns."""

Of = Callable[[Sample], float | None]


def plot(told: Certificate, out: Path) -> None:
    """Draw it as a PNG."""
    # The object interface: pyplot would keep figures alive and look for a screen.
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    figure = Figure(figsize=SIZE_INCHES, dpi=DPI, layout="constrained")
    FigureCanvasAgg(figure)
    equity, held, memory, files, faults = figure.subplots(5, 1, sharex=True)
    drawn = told.samples[:: max(1, -(-len(told.samples) // POINTS_MAX))]
    _line(equity, drawn, equity_usd, "equity, USD")
    equity.ticklabel_format(axis="y", style="plain", useOffset=False)
    _line(held, drawn, lambda one: one.positions, "positions")
    _line(memory, drawn, rss_mib, "memory, MiB")
    if told.rss is not None and told.rss.hours >= SLOPE_HOURS_MIN:
        memory.set_title(f"{told.rss.per_hour:+.3f} MiB an hour after the first", fontsize="small", loc="right")
    _line(files, drawn, lambda one: one.tasks, "tasks, open files", "tasks")
    _line(files, drawn, lambda one: one.fds, "tasks, open files", "open files")
    files.legend(loc="upper left", fontsize="small")
    _line(faults, drawn, lambda one: one.faults, "so far", "faults")
    _line(faults, drawn, lambda one: one.lives, "so far", "lives")
    faults.legend(loc="upper left", fontsize="small")
    faults.set_xlabel("hours")
    word = "passed" if told.passed else "FAILED"
    figure.suptitle(
        f"{told.hours:g} {told.kind} hours, {told.symbols} symbols, seed {told.seed}, faults {told.faults}: {word}"
    )
    figure.savefig(out, format="png", metadata={"Software": None})


def equity_usd(sample: Sample) -> float | None:
    """What the accounts were worth, where somebody was up to tell."""
    return None if sample.equity_minor is None else sample.equity_minor / MINOR_PER_USD


def _line(axes: Any, samples: Sequence[Sample], of: Of, unit: str, label: str = "") -> None:
    nothing = float("nan")
    values = [nothing if (value := of(one)) is None else value for one in samples]
    axes.plot([one.at_s / HOUR_S for one in samples], values, linewidth=0.9, label=label)
    axes.set_ylabel(unit)
    axes.grid(alpha=0.3)
