"""Prometheus' text format: counters, gauges and histograms as lines.

Names and units follow https://prometheus.io/docs/practices/naming: a prefix, base units, `_total` on what only grows.
"""

from bisect import bisect_left
from collections.abc import Callable, Iterable, Iterator
from typing import Protocol

MEDIA_TYPE = "text/plain; version=0.0.4; charset=utf-8"
LATENCY_BOUNDS_S = (0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0, 60.0, 120.0)

Labels = tuple[str, ...]


class Family(Protocol):
    """One metric with all its labels."""

    def lines(self) -> Iterator[str]:
        """What is told of it."""


class Counter:
    """Something that only grows."""

    def __init__(self, name: str, text: str, labels: Labels = ()) -> None:
        self.name, self.text, self.labels = name, text, labels
        self.values: dict[Labels, int] = {} if labels else {(): 0}

    def add(self, *labels: str, by: int = 1) -> None:
        """It happened once more, or so often."""
        self.values[labels] = self.values.get(labels, 0) + by

    def lines(self) -> Iterator[str]:
        """What is told of it."""
        yield from _head(self.name, self.text, "counter")
        for labels, value in sorted(self.values.items()):
            yield f"{self.name}{_labels(self.labels, labels)} {value}"


class Gauge:
    """Something that goes up and down; looked at when it is asked for."""

    def __init__(self, name: str, text: str, value: Callable[[], float]) -> None:
        self.name, self.text, self.value = name, text, value

    def lines(self) -> Iterator[str]:
        """What is told of it."""
        yield from _head(self.name, self.text, "gauge")
        yield f"{self.name} {float(self.value())!r}"


class Histogram:
    """How often something took how long."""

    def __init__(self, name: str, text: str, labels: Labels, bounds: tuple[float, ...] = LATENCY_BOUNDS_S) -> None:
        self.name, self.text, self.labels, self.bounds = name, text, labels, bounds
        self._seen: dict[Labels, list[int]] = {}
        self._sums: dict[Labels, float] = {}

    def saw(self, value: float, *labels: str) -> None:
        """One more."""
        seen = self._seen.setdefault(labels, [0] * (len(self.bounds) + 1))
        seen[bisect_left(self.bounds, value)] += 1
        self._sums[labels] = self._sums.get(labels, 0.0) + value

    def lines(self) -> Iterator[str]:
        """What is told of it."""
        yield from _head(self.name, self.text, "histogram")
        names = (*self.labels, "le")
        for labels, seen in sorted(self._seen.items()):
            total = 0
            for bound, count in zip((*map(str, self.bounds), "+Inf"), seen, strict=True):
                total += count
                yield f"{self.name}_bucket{_labels(names, (*labels, bound))} {total}"
            yield f"{self.name}_sum{_labels(self.labels, labels)} {self._sums[labels]!r}"
            yield f"{self.name}_count{_labels(self.labels, labels)} {total}"


def _head(name: str, text: str, kind: str) -> Iterator[str]:
    yield f"# HELP {name} {text}"
    yield f"# TYPE {name} {kind}"


def _labels(names: Labels, values: Labels) -> str:
    if not names:
        return ""
    told = (f'{name}="{_escaped(value)}"' for name, value in zip(names, values, strict=True))
    return "{" + ",".join(told) + "}"


def _escaped(value: str) -> str:
    return value.replace("\\", "\\\\").replace('"', '\\"').replace("\n", "\\n")


class Rows:
    """A metric whose rows are read off something else when they are asked for."""

    def __init__(self, name: str, text: str, kind: str, labels: Labels, rows: Iterable[tuple[Labels, float]]) -> None:
        self.name, self.text, self.kind, self.labels, self.rows = name, text, kind, labels, rows

    def lines(self) -> Iterator[str]:
        """What is told of it."""
        yield from _head(self.name, self.text, self.kind)
        for labels, value in self.rows:
            number = str(value) if isinstance(value, int) else repr(float(value))
            yield f"{self.name}{_labels(self.labels, labels)} {number}"


def text_of(families: Iterable[Family]) -> str:
    """Families as Prometheus reads them."""
    return "".join(f"{line}\n" for family in families for line in family.lines())
