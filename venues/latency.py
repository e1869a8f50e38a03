"""Latency as data: how long an order, an answer or a stream message is under way.

A delay is a fixed part plus a jitter drawn from (seed, purpose, counter), so a run can be repeated to the
nanosecond.
"""

from math import isfinite

from msgspec import Struct

from supervisor.clock import NS_PER_MS
from supervisor.draws import uniform


class Latency(Struct, frozen=True):
    """One way: `fixed_ms`, plus a jitter that is equally likely anywhere in [0, jitter_ms)."""

    fixed_ms: float
    jitter_ms: float = 0.0

    def __post_init__(self) -> None:
        for name, value in (("fixed_ms", self.fixed_ms), ("jitter_ms", self.jitter_ms)):
            if not (isfinite(value) and value >= 0):
                raise ValueError(f"{name} is {value}: a latency is a finite number of milliseconds, 0 or more")


ZERO = Latency(0.0)
"""At once: for tests and for asking what latency costs."""

COLOCATED = Latency(1.0, 4.0)
"""In the venue's own data centre, 1 to 5 ms: the first generator's name and figures."""

RETAIL = Latency(50.0, 150.0)
"""From a house across the internet, 50 to 200 ms: the first generator's name and figures."""

MODES = {"zero": ZERO, "colocated": COLOCATED, "retail": RETAIL}


class LatencyModel:
    """Draws delays; each purpose has its own count, so one more order does not shift the delays of fills."""

    def __init__(self, latency: Latency, seed: int | str):
        self.latency = latency
        self.seed = seed
        self._counters: dict[str, int] = {}

    def delay_ns(self, purpose: str) -> int:
        """How long the next message of this purpose travels."""
        latency = self.latency
        if not latency.jitter_ms:
            return round(latency.fixed_ms * NS_PER_MS)
        counter = self._counters.get(purpose, 0)
        self._counters[purpose] = counter + 1
        drawn = uniform(self.seed, f"latency/{purpose}", counter)
        return round((latency.fixed_ms + latency.jitter_ms * drawn) * NS_PER_MS)
