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

What was measured before the machine slept or its clock was set is forgotten, and until something is heard nothing is
known. Two witnesses prove the time anew: where the machine's own clock and the venue's agree with each other and not
with ours, ours follows them (`Clock.follow`). Otherwise entries stay shut until one of the three gives way.
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

UNHEARD = 1 << 62
"""No book yet, in nanoseconds: more than any lag."""


class Skew:
    """The bound, and what follows from it. `tell` is told when the clocks part, and when they agree again."""

    def __init__(self, clock: Clock, tell: Callable[[str], None], half_ns: int = HALF_NS, apart_ns: int = SKEW_NS_MAX):
        self.clock = clock
        self.tell = tell
        self.half_ns = half_ns
        self.apart_ns = apart_ns  # entries are shut beyond it
        self.apart = ""  # why entries are shut, as last told
        self.bound_ns = 0  # we are ahead of the venue by this at most; 0 while nothing is known
        self._least_ns = self._before_ns = UNHEARD  # smallest lags of this half of the window and of the one before
        self._turn_ns = 0  # when this half is over
        self._jumps = clock.jumps
        self._since_ns = 0  # what was received before says nothing

    def hear(self, lag_ns: int, now_ns: int) -> None:
        """The smallest lag of a batch of books (received less stamp) that was received at `now_ns`."""
        if now_ns < self._since_ns:
            return  # received by a clock that was another
        if now_ns >= self._turn_ns:
            self._look()
            missed = now_ns >= self._turn_ns + self.half_ns
            self._before_ns = UNHEARD if missed else self._least_ns
            self._least_ns, self._turn_ns = UNHEARD, now_ns + self.half_ns
        elif lag_ns >= self._least_ns:
            return
        self._least_ns = min(lag_ns, self._least_ns)
        self.bound_ns = min(self._least_ns, self._before_ns)
        if not self._follow():
            self._say(self._why_apart())

    def shut(self) -> str:
        """Why no entry may go now; empty: one may."""
        self._look()
        if self._least_ns == UNHEARD or self.clock.now_ns() >= self._turn_ns + self.half_ns:
            return "how far our clock is from the venue's is not known: nothing bore a stamp lately"
        return self._why_apart()

    def theirs_ns(self, at_ns: int) -> int:
        """What the venue's clock said when ours said that: something else only where they are known to be apart."""
        apart = abs(self.bound_ns) > self.apart_ns and self.clock.jumps == self._jumps
        return at_ns - self.bound_ns if apart else at_ns

    def expiry_ns(self, fence_ns: int) -> int:
        """What expires at the venue, by its own clock, before ours comes to the fence."""
        return fence_ns - MARGIN_NS - min(self.bound_ns, LATE_NS_MAX)

    @property
    def doubt_ns(self) -> int:
        """How much later than usual the venue refuses what is behind its fence."""
        return max(0, self.bound_ns - SKEW_NS_MAX)

    def _why_apart(self) -> str:
        seconds = abs(self.bound_ns) / NS_PER_S
        if self.bound_ns < -self.apart_ns:
            return f"our clock is {seconds:.1f} s behind the venue's, or more"
        if self.bound_ns > self.apart_ns:
            return f"our clock is {seconds:.1f} s ahead of the venue's, or its books are as late"
        return ""

    def _follow(self) -> bool:
        """Have our clock follow the machine's where that one agrees with the venue's and ours does not."""
        strayed_ns = self.clock.strayed_ns() if abs(self.bound_ns) > self.apart_ns else 0
        if not strayed_ns or abs(self.bound_ns + strayed_ns) > self.apart_ns:
            return False
        self.clock.follow()
        self._look()
        return True

    def forget(self) -> None:
        """Nothing that was measured holds any more."""
        self.bound_ns = 0
        self._least_ns = self._before_ns = UNHEARD
        self._turn_ns = 0

    def _look(self) -> None:
        """See whether the machine slept, or a clock was set; nothing that was measured holds then."""
        self.clock.look()
        if self.clock.jumps != self._jumps:
            self.forget()
            self._jumps, self._since_ns = self.clock.jumps, self.clock.now_ns()

    def _say(self, why: str) -> None:
        if bool(why) != bool(self.apart):
            self.tell(f"{why}; no entries until that is over" if why else "our clock and the venue's agree again")
        self.apart = why
