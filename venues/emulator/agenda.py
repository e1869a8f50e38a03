"""The emulator's time, which flows with the clock or is moved by hand, and what is to be done later."""

from collections.abc import Callable
from heapq import heappop, heappush
from itertools import count

from supervisor.clock import Clock


class VenueTime:
    """Nanoseconds since 1970 at the emulated venue: the clock's, or where it is stepped only what `advance` adds."""

    def __init__(self, clock: Clock, *, stepped: bool = False):
        self.stepped = stepped
        self._clock = clock
        self._now_ns = self.start_ns = clock.now_ns()

    def now_ns(self) -> int:
        """The time now; never goes back."""
        return self._now_ns if self.stepped else self._clock.now_ns()

    def move_to(self, at_ns: int) -> None:
        """Go on to a time, where time is stepped."""
        self._now_ns = max(self._now_ns, at_ns)


class Agenda:
    """What is to be done later, in order of its time, then of when it was written down."""

    def __init__(self) -> None:
        self._later: list[tuple[int, int, Callable[[], object]]] = []
        self._number = count()

    def at(self, at_ns: int, do: Callable[[], object]) -> None:
        """Do something at a time, or as soon as the agenda is looked at after it."""
        heappush(self._later, (at_ns, next(self._number), do))

    def run(self, now_ns: int) -> None:
        """Do all that is due."""
        while self._later and self._later[0][0] <= now_ns:
            heappop(self._later)[2]()
