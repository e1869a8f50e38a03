"""Cash check: holds the venue's cash against the books, and says what lasts. It books nothing.

A difference of lots has a price at which it can be booked; one of money has no story yet. It may be a transfer that the
venue tells later, a fee of a kind that nobody here knows, or an error of ours, and a person should look.
"""

from actors.messages import CashDrift
from supervisor.clock import NS_PER_S
from venues.market import MINOR_PER_USD

TOLERANCE_MINOR = MINOR_PER_USD // 10
"""Ten cents: 100,000 fills, each rounded by half a millionth on either side, come to that."""

LASTS_NS = 300 * NS_PER_S
"""A difference is said when it has stood so long: transfers are asked for every two minutes."""


class CashCheck:
    """One engine's cash, there and here."""

    def __init__(self, engine: str):
        self.engine = engine
        self.ledger_minor: int | None = None  # as the ledger last said
        self.since_ns: int | None = None  # when the difference that stands was first seen
        self.stands = 0
        self.said = 0

    def look(self, venue_minor: int | None, now_ns: int) -> CashDrift | None:
        """Compare; gives what is to be said, once for each difference."""
        if venue_minor is None or self.ledger_minor is None:
            return None
        differs = venue_minor - self.ledger_minor
        if self.since_ns is None or abs(differs - self.stands) > TOLERANCE_MINOR:
            self.stands, self.since_ns = differs, now_ns
        if now_ns - self.since_ns < LASTS_NS or abs(differs - self.said) <= TOLERANCE_MINOR:
            return None
        self.said = differs
        return CashDrift(self.engine, venue_minor, self.ledger_minor, now_ns)
