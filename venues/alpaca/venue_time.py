"""The venue's clock against ours: asked, because a quiet market's quotes are no measure of time.

An answer was made between question and answer, so the middle of these is wrong by half of what they are apart at most:
each answer says from where to where the difference of the clocks can lie, and several that agree narrow it down. One
that contradicts those before it counts alone: a clock was set, and it was not ours. While ours is off by more than a
second, or nothing is known since it jumped, no entry goes (venues/skew.py).
"""

from collections.abc import Callable

from supervisor.clock import NS_PER_S
from venues.alpaca.rest import Rest
from venues.alpaca.trading_wire import MarketClock
from venues.skew import SKEW_NS_MAX, Skew
from venues.venue import VenueMisspoke, VenueUnreachable

CLOCK_PATH = "/v2/clock"
EVERY_S = 60.0
"""Between questions while all is well; two of the 200 requests a minute, for two engines."""

DOUBT_S = 5.0
"""Between questions while it is not."""

LOOK_S = 1.0
"""Between looks at whether it is."""

HALF_NS = 3_600 * NS_PER_S
"""An answer counts for one to two hours: clocks that nobody sets drift by a tenth of a second in that time."""

SLOW_NS_MAX = 2 * NS_PER_S
"""Between question and answer: from slower ones it follows too little."""


class VenueTime:
    """One engine's look at the venue's clock."""

    def __init__(self, rest: Rest, tell: Callable[[str], None]):
        self.rest = rest
        pace = max(1.0, rest.clock.speed)  # an emulated venue's time may run faster than questions travel
        self.skew = Skew(rest.clock, tell, HALF_NS, round(SKEW_NS_MAX * pace))
        self.slow_ns_max = round(SLOW_NS_MAX * pace)
        self._lags_ns: tuple[int, int] | None = None  # ours is ahead by no less and no more, by all that agrees
        self._jumps = rest.clock.jumps

    async def look(self) -> None:
        """Ask. Raises VenueUnreachable and VenueMisspoke."""
        before_ns = self.rest.clock.now_ns()
        there = await self.rest.ask(MarketClock, CLOCK_PATH)
        after_ns = self.rest.clock.now_ns()
        if isinstance(there, MarketClock) and after_ns - before_ns <= self.slow_ns_max:
            self._narrow(before_ns - there.at_ns, after_ns - there.at_ns)
            self.skew.forget()
            self.skew.hear(self.lag_ns, after_ns)

    def _narrow(self, least_ns: int, most_ns: int) -> None:
        """Ours is ahead by no less and no more, by an answer."""
        if self._lags_ns is not None and self._jumps == self.rest.clock.jumps:
            both = max(least_ns, self._lags_ns[0]), min(most_ns, self._lags_ns[1])
            least_ns, most_ns = both if both[0] <= both[1] else (least_ns, most_ns)
        self._lags_ns, self._jumps = (least_ns, most_ns), self.rest.clock.jumps

    @property
    def lag_ns(self) -> int:
        """We are ahead of the venue by this, give or take `wrong_ns`; 0 while nothing is known."""
        return sum(self._lags_ns or (0, 0)) // 2

    @property
    def wrong_ns(self) -> int:
        """By so much `lag_ns` may be wrong."""
        least_ns, most_ns = self._lags_ns or (0, 0)
        return (most_ns - least_ns) // 2

    async def keep(self) -> None:
        """Ask each minute, and soon where what is known is no good; one that does not answer leaves it as it is."""
        clock = self.rest.clock
        asked_ns = clock.now_ns()
        while True:
            await clock.sleep(LOOK_S)
            every_s = DOUBT_S if self.skew.shut() else EVERY_S
            if clock.now_ns() - asked_ns >= every_s * NS_PER_S:
                asked_ns = clock.now_ns()
                try:
                    await self.look()
                except (VenueUnreachable, VenueMisspoke):
                    continue
