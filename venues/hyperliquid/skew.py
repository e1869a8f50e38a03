"""How far our clock is from the venue's, by the stamps of its books, and what that means for orders.

A book that bears the stamp s and is received at r, by our clock, says: ours is ahead of theirs by r - s less the time
that it was on its way. So the smallest r - s of many books bounds the skew from above, and comes near it: the way takes
a tenth of a second. `bound_ns` is that bound over a sliding window: never below the truth, whatever the lag.

- Entries are shut while the bound is off by more than a second, or unknown. Late books are no better than a wrong
  clock, and from outside the two look alike.
- An order's expiry is said in the venue's time: its fence, less a margin, less the bound. So it is never behind the
  fence, and no clock of ours, however wrong, makes an exit expire before it is there. Of a bound that says ahead no
  more than LATE_NS_MAX is taken off: it may be the books that are late, and an exit must not be refused for them.
- Where less was taken off than the bound, "not found" is proof so much later (`doubt_ns`).

The clock of a machine that slept is behind, because monotonic time stands meanwhile. The first book shows that, and
until it comes nothing is known (`Clock.strayed_ns`).
"""

from collections.abc import Callable

from supervisor.clock import NS_PER_S, Clock

HALF_NS = 15 * NS_PER_S
"""Half the window: the bound is the smallest of the last 15 to 30 s, in which dozens of books come of every symbol."""

SKEW_NS_MAX = NS_PER_S
"""Entries need clocks that agree so far; a clock that is set by NTP is off by a hundredth of it."""

MARGIN_NS = 2 * NS_PER_S
"""An order expires so long before its fence, for what the skew may have changed since it was measured."""

LATE_NS_MAX = 5 * NS_PER_S
"""The most that is taken off an order's life for a clock that seems to be ahead; a third of it (EXPIRY_S)."""

JUMP_NS = NS_PER_S
"""The machine's own clock leaves ours by so much when it slept or was set; NTP slews by half of it in 1,000 s."""

UNHEARD = 1 << 62
"""No book yet, in nanoseconds: more than any lag."""


class Skew:
    """The bound, and what follows from it. `tell` is told when the clocks part, and when they agree again."""

    def __init__(self, clock: Clock, tell: Callable[[str], None]):
        self.clock = clock
        self.tell = tell
        self.apart = ""  # why entries are shut, as last told
        self.bound_ns = 0  # we are ahead of the venue by this at most; 0 while nothing is known
        self._least_ns = self._before_ns = UNHEARD  # smallest lags of this half of the window and of the one before
        self._turn_ns = 0  # when this half is over
        self._strayed_ns = clock.strayed_ns()

    def hear(self, lag_ns: int, now_ns: int) -> None:
        """The smallest lag of a batch of books (received less stamp) that was received at `now_ns`."""
        if now_ns >= self._turn_ns:
            self._look()
            missed = now_ns >= self._turn_ns + HALF_NS
            self._before_ns = UNHEARD if missed else self._least_ns
            self._least_ns, self._turn_ns = UNHEARD, now_ns + HALF_NS
        elif lag_ns >= self._least_ns:
            return
        self._least_ns = min(lag_ns, self._least_ns)
        self.bound_ns = min(self._least_ns, self._before_ns)
        self._say(self._why_apart())

    def shut(self) -> str:
        """Why no entry may go now; empty: one may."""
        self._look()
        if self._least_ns == UNHEARD or self.clock.now_ns() >= self._turn_ns + HALF_NS:
            return "how far our clock is from the venue's is not known: no book bore a stamp lately"
        return self._why_apart()

    def expiry_ns(self, fence_ns: int) -> int:
        """What expires at the venue, by its own clock, before ours comes to the fence."""
        return fence_ns - MARGIN_NS - min(self.bound_ns, LATE_NS_MAX)

    @property
    def doubt_ns(self) -> int:
        """How much later than usual the venue refuses what is behind its fence."""
        return max(0, self.bound_ns - SKEW_NS_MAX)

    def _why_apart(self) -> str:
        seconds = abs(self.bound_ns) / NS_PER_S
        if self.bound_ns < -SKEW_NS_MAX:
            why = f"our clock is {seconds:.1f} s behind the venue's, or more"
        elif self.bound_ns > SKEW_NS_MAX:
            why = f"our clock is {seconds:.1f} s ahead of the venue's, or its books are as late"
        else:
            return ""
        strayed_s = self._strayed_ns / NS_PER_S
        if abs(self._strayed_ns) <= JUMP_NS:
            return why
        return f"{why}; the machine slept or its clock was set, by {strayed_s:+.1f} s since the start: restart obid"

    def _look(self) -> None:
        """See whether the machine slept, or was given another time; nothing that was measured holds then."""
        strayed_ns = self.clock.strayed_ns()
        if abs(strayed_ns - self._strayed_ns) > JUMP_NS:
            self._strayed_ns, self.bound_ns = strayed_ns, 0
            self._least_ns = self._before_ns = UNHEARD

    def _say(self, why: str) -> None:
        if bool(why) != bool(self.apart):
            self.tell(f"{why}; no entries until that is over" if why else "our clock and the venue's agree again")
        self.apart = why
