"""Round trips: from flat to flat, however many fills of whatever sizes made one.

A trip ends when nothing is left (or only dust that the ledger counts as nothing); a fill that turns a position round
ends one trip and begins the next, and its fee is shared by size. What trips realised is the ledger's own figure, so
that all trips together are the account, to the millionth of a dollar.
"""

from collections.abc import Iterable, Iterator
from decimal import Decimal

from msgspec import Struct

from daemon.report.booked import Cash, Filled
from risk.money import divide_half_even
from risk.position import closing_lots
from venues.market import Side


class Trip(Struct, kw_only=True):
    """One trip; sums are in minor units and not negative but for profits."""

    engine: str
    symbol: str
    side: Side  # of its entry
    opened_ns: int
    closed_ns: int = 0  # 0: it is still open
    entry_lots: int = 0
    entry_minor: int = 0  # what they were worth when they were opened
    exit_lots: int = 0
    exit_minor: int = 0
    realised_minor: int = 0
    fees_minor: int = 0
    funding_minor: int = 0  # positive: received
    fills: int = 0
    entry_intents: list[str] = []  # msgspec copies it
    exit_intents: list[str] = []
    run: int = 0  # in which it ended

    @property
    def pnl_minor(self) -> int:
        """What it came to."""
        return self.realised_minor - self.fees_minor + self.funding_minor

    @property
    def held_s(self) -> Decimal:
        """How long it took."""
        return Decimal(max(0, self.closed_ns - self.opened_ns)) / 1_000_000_000


def round_trips(events: Iterable[Filled | Cash]) -> list[Trip]:
    """All trips, in the order in which they ended, then those that are open. Events come as they were booked."""
    pairing = _Pairing()
    ended = [trip for event in events for trip in pairing.hear(event)]
    return [*ended, *pairing.open.values()]


class _Pairing:
    def __init__(self) -> None:
        self.open: dict[tuple[str, str], Trip] = {}

    def hear(self, event: Filled | Cash) -> Iterator[Trip]:
        """Take a fill or a payment in; yields the trip that it ended."""
        place = event.engine, event.symbol
        if isinstance(event, Cash):
            if place in self.open:
                self.open[place].funding_minor += event.amount_minor
            return
        closing = closing_lots(event.before.lots, event.lots)
        opening = event.lots - closing
        fee_closing = divide_half_even(event.fee_minor * abs(closing), abs(event.lots)) if event.lots else 0
        paid_closing = divide_half_even(event.paid_minor * abs(closing), abs(event.lots)) if event.lots else 0
        if closing:
            trip = self.open.get(place) or self._begin(event, -closing)
            trip.exit_lots += abs(closing)
            trip.exit_minor += abs(paid_closing)
            trip.realised_minor += event.realised_minor
            _count(trip, trip.exit_intents, event, fee_closing)
            # what is so little after the fee of a first part that it counts as nothing waits for the next part
            if opening or not (event.after.lots if event.is_coin_fee else event.after.opened_ns):
                trip.closed_ns, trip.run = event.at_ns, event.run
                yield self.open.pop(place)
        if opening:
            trip = self.open.get(place) or self._begin(event, opening)
            trip.entry_lots += abs(opening)
            trip.entry_minor += abs(event.paid_minor - paid_closing)
            _count(trip, trip.entry_intents, event, event.fee_minor - fee_closing)

    def _begin(self, event: Filled, lots: int) -> Trip:
        side = Side.BUY if lots > 0 else Side.SELL
        trip = Trip(engine=event.engine, symbol=event.symbol, side=side, opened_ns=event.at_ns)
        self.open[event.engine, event.symbol] = trip
        return trip


def _count(trip: Trip, intents: list[str], event: Filled, fee_minor: int) -> None:
    trip.fees_minor += fee_minor
    trip.fills += 1
    if event.intent_id not in intents and not event.is_coin_fee:
        intents.append(event.intent_id)
