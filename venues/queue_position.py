"""Where our resting order stands in the queue of its price, guessed from what a book and its trades show.

A book says how much waits at a price, not in which order. The family of rules used here is known from hftbacktest's
documentation ("Order Fill": queue models): an order joins behind all that is displayed; a trade at the price takes
from the front; size that vanished without a trade was cancelled, and somebody ahead of us did that in proportion to
how much of the queue is ahead. We round that share down, and what joins later joins behind us.
"""

from msgspec import Struct

UNSEEN = -1
"""`ahead` of an order whose price lies beyond the deepest level the book shows: nobody can say who waits there."""


class QueuePosition(Struct):
    """One order's place in line, in lots of other people."""

    ahead: int = UNSEEN
    displayed: int = 0  # at our price in the book we saw last
    traded: int = 0  # at our price since that book

    def trade(self, lots: int, ours_before: int = 0) -> int:
        """A trade at our price; returns how much of it reaches us.

        `ours_before` of it filled orders of ours with a better place, which took the place of others' lots.
        """
        if self.ahead == UNSEEN:
            return 0
        self.traded += lots
        others = lots - ours_before
        reach = max(0, others - self.ahead)
        self.ahead = max(0, self.ahead - others)
        return reach

    def depth(self, displayed: int | None) -> None:
        """A new book shows this size at our price; None when our price is deeper than the book shows."""
        if displayed is None:
            return
        if self.ahead == UNSEEN:
            self.ahead = displayed
        else:
            expected = self.displayed - self.traded  # without a cancellation; what traded must not count twice
            cancelled = expected - displayed
            if cancelled > 0 and expected > 0:
                self.ahead -= cancelled * self.ahead // expected
            self.ahead = max(0, min(self.ahead, displayed))
        self.displayed = displayed
        self.traded = 0

    def clear(self) -> None:
        """The market went through our price: nobody is ahead of us any more."""
        self.ahead = 0
