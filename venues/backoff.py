"""When to try again: back-off between failures, and windows of so many events in a span of time.

Nothing here reads a clock or waits: times come in as arguments and go out as times or seconds.
"""

from collections import deque

from supervisor.clock import NS_PER_S
from supervisor.draws import uniform

MINUTE_NS = 60 * NS_PER_S
BACKOFF_FIRST_S = 0.5
BACKOFF_MAX_S = 30.0
"""An outage of minutes is asked after twice a minute: positions are open meanwhile."""

DOUBLINGS_MAX = 16
"""Past the bound by then, and a float does not overflow."""


class Backoff:
    """Seconds to wait after the n-th failure in a row: twice as long each time, up to a bound, less a drawn part.

    The draw is in the upper half ("equal jitter": Brooker, Exponential Backoff And Jitter, 2015), so that sockets that
    fell together do not come back together, and none comes back at once.
    """

    def __init__(
        self, seed: int | str, purpose: str, *, first_s: float = BACKOFF_FIRST_S, max_s: float = BACKOFF_MAX_S
    ):
        self.seed = seed
        self.purpose = purpose
        self.first_s = first_s
        self.max_s = max_s
        self.failures = 0  # in a row
        self._draws = 0

    def failed(self) -> float:
        """Count a failure; the seconds to wait before the next try."""
        bound_s = min(self.max_s, self.first_s * 2.0 ** min(self.failures, DOUBLINGS_MAX))
        self.failures += 1
        self._draws += 1
        return bound_s * (0.5 + 0.5 * uniform(self.seed, f"backoff/{self.purpose}", self._draws))

    def succeeded(self) -> None:
        """Begin again from the first wait."""
        self.failures = 0


class Window:
    """At most so many events within any span of time; each is booked before it happens."""

    def __init__(self, events_max: int, span_ns: int):
        if events_max < 1:
            raise ValueError(f"events_max is {events_max}, it must be at least 1")
        self.span_ns = span_ns
        self._booked: deque[int] = deque(maxlen=events_max)

    def reserve(self, now_ns: int) -> int:
        """Book one event; returns when it may happen, which is now or later, never before one booked earlier."""
        booked = self._booked
        at_ns = max(now_ns, booked[-1]) if booked else now_ns
        if len(booked) == booked.maxlen:
            at_ns = max(at_ns, booked[0] + self.span_ns)
        booked.append(at_ns)
        return at_ns
