"""Invariants that are checked while money is at stake: their names, and how often each was looked at and was broken.

What is checked is worked out a second time, apart from what it is compared with. A check returns what is wrong in
words, nothing if it is right; it never uses `assert`, which `python -O` takes away. What is done about a broken one is
not decided here: the actor that looks says so, and the circuit breaker halts everything.
"""

from collections import Counter
from enum import StrEnum


class Invariant(StrEnum):
    """What must hold at every moment."""

    TRIAL_BALANCE = "trial_balance"  # every ledger sums to zero and agrees with the others
    ACCOUNT_BALANCE = "account_balance"  # after a booking: cash and inventory are capital and what was earned
    POSITION_BOOKED = "position_booked"  # the position account holds as many lots as the position
    POSITION_IS_FILLS = "position_is_fills"  # a position is the sum of its fills
    ORDER_WITHIN_LOTS = "order_within_lots"  # no chain of orders has filled more than it was to
    ORDER_MOVE = "order_move"  # an order moves along an arrow of the table, or not at all
    RESERVED_FOR_LIVE = "reserved_for_live"  # margin is set aside for orders that live, for no other
    ORDERS_BOUNDED = "orders_bounded"  # orders that are over are forgotten in time
    TIME_FORWARD = "time_forward"  # the clock never goes back between two bookings
    EXPOSURE_IS_POSITIONS = "exposure_is_positions"  # gate and breaker hold what the ledger holds
    APPROVED_HAS_ROW = "approved_has_row"  # what risk approved becomes a row of the journal
    HALT_HOLDS = "halt_holds"  # no entry is approved while trading is halted or reduced
    SEQUENCE = "sequence"  # journal rows are numbered without a gap
    MAILBOX_BOUND = "mailbox_bound"  # no lane of a mailbox holds more than its bound


class Checks:
    """Counts of one run; outlives the actors that look."""

    def __init__(self) -> None:
        self.checked: Counter[str] = Counter()
        self.broken: Counter[str] = Counter()
        self.first: dict[str, str] = {}  # invariant -> what was wrong the first time

    def see(self, invariant: Invariant, wrong: str, times: int = 1) -> bool:
        """Count a look that found `wrong`, or nothing if that is empty; says whether it was broken."""
        self.checked[invariant] += times
        if not wrong:
            return False
        self.broken[invariant] += 1
        self.first.setdefault(invariant, wrong)
        return True
