"""Our orders as the venue knows them: by cloid, with what each has filled, alone and over its chain of replaces.

The venue names orders by numbers and by the cloids we gave; a cloid is a hash of our id, so the way back is this table,
which a restart fills from the ledger. Lots are counted from fills alone, each once, wherever it was told: origSz - sz
is wrong for orders that were modified and for reduce-only orders that the venue has shrunk.
"""

from collections.abc import Iterable, Iterator, Mapping

from msgspec import Struct, field

from venues.hyperliquid.account_wire import UserFill
from venues.hyperliquid.actions import cloid
from venues.market import MINOR_PER_USD, Fill, Instrument, OrderRequest

OVER_KEPT_MAX = 4_000
"""Orders that are over and still known, for fills that come late; the ledger keeps half as many."""

FILLS_KEPT_MAX = 20_000
"""Ids of fills that are counted, twice what the venue can tell again."""

BY_NUMBER = "oid:"
"""How the id of an order begins that is not ours: the venue's number follows."""


class Restored(Struct, frozen=True):
    """An order of an earlier run, as the ledger knows it."""

    request: OrderRequest
    lots_filled: int  # over its chain
    fill_ids: tuple[str, ...]  # its own
    over: bool


class Tracked(Struct):
    """An order and what is known of it here."""

    request: OrderRequest
    sent_lots: int  # what the venue was asked for: less than request.lots where it replaced one with fills
    lots_filled: int = 0  # over the chain
    own_lots: int = 0  # of the order itself
    successor: str = ""  # id of the order that was to take its place
    answered: bool = False  # the venue has said yes or no
    announced: bool = False  # the account stream has told that it rests
    cancel_asked: bool = False
    over: bool = False
    fill_ids: list[str] = field(default_factory=list)

    @property
    def lots_told(self) -> int:
        """What the ledger is told that the chain has filled: never more than was ordered, the fills tell the rest."""
        return min(self.lots_filled, self.request.lots)

    @property
    def lots_over(self) -> int:
        """What it may fill beyond the request: lots that its predecessor filled while the replace was under way."""
        return max(0, self.lots_filled + self.sent_lots - self.own_lots - self.request.lots)


class Orders:
    """The table."""

    def __init__(self, known: Iterable[Restored] = ()):
        self._orders: dict[str, Tracked] = {}
        self._ids: dict[str, str] = {}  # cloid -> our id
        self._over: dict[str, None] = {}  # oldest first
        self._counted: dict[str, None] = {}
        for one in known:
            self._restore(one)

    def _restore(self, one: Restored) -> None:
        tracked = Tracked(one.request, one.request.lots, one.lots_filled, answered=True, announced=True)
        tracked.own_lots = 0 if one.request.replaces else one.lots_filled
        tracked.sent_lots = one.request.lots - one.lots_filled + tracked.own_lots
        self._keep(tracked)
        self._counted.update(dict.fromkeys(one.fill_ids))
        if (old := self._orders.get(one.request.replaces)) is not None:
            old.successor = one.request.id
        if one.over:
            self.end(tracked)

    def add(self, order: OrderRequest) -> Tracked:
        """A new order; one that replaces another inherits what that chain has filled."""
        old = self._orders.get(order.replaces)
        filled = old.lots_filled if old else 0
        tracked = Tracked(order, order.lots - filled, filled)
        if old is not None and self.successor(old) is None:
            old.successor = order.id
        self._keep(tracked)
        return tracked

    def _keep(self, tracked: Tracked) -> None:
        order_id = tracked.request.id
        self._orders[order_id] = tracked
        self._ids[cloid(order_id)] = order_id

    def get(self, order_id: str) -> Tracked | None:
        """An order by our id."""
        return self._orders.get(order_id)

    def named(self, name: str | None) -> Tracked | None:
        """An order by its cloid; None for orders that are not ours."""
        return self._orders.get(self._ids.get(name.lower(), "")) if name else None

    def successor(self, tracked: Tracked) -> Tracked | None:
        """The order that is to take its place, or has."""
        later = self._orders.get(tracked.successor)
        return None if later is None or later.over else later

    def alive(self) -> list[Tracked]:
        """Orders that may still fill."""
        return [tracked for tracked in self._orders.values() if not tracked.over]

    def end(self, tracked: Tracked) -> None:
        """It is over; those that ended long ago are forgotten."""
        tracked.over = True
        self._over[tracked.request.id] = None
        if len(self._over) > OVER_KEPT_MAX:
            oldest = next(iter(self._over))
            del self._over[oldest], self._orders[oldest], self._ids[cloid(oldest)]

    def never(self, tracked: Tracked) -> None:
        """It was not taken in, and the order that it was to replace is what it was before."""
        self.end(tracked)
        old = self._orders.get(tracked.request.replaces)
        if old is not None and old.successor == tracked.request.id:
            old.successor = ""

    def count(self, fill_id: str, name: str | None, lots: int) -> Tracked | None:
        """Count a fill for its order and those in its place, once; returns its order if it is ours."""
        tracked = self.named(name)
        if tracked is None or fill_id in self._counted:
            return tracked
        self._counted[fill_id] = None
        if len(self._counted) > FILLS_KEPT_MAX:
            del self._counted[next(iter(self._counted))]
        tracked.own_lots += lots
        for one in self.chain(tracked):
            one.lots_filled += lots
        return tracked

    def chain(self, tracked: Tracked) -> Iterator[Tracked]:
        """An order and those that took its place, one after the other."""
        one: Tracked | None = tracked
        while one is not None:
            yield one
            one = self._orders.get(one.successor)


def fill_of(row: UserFill, engine: str, order_id: str, instrument: Instrument) -> Fill:
    """A fill in our words; `order_id` is empty for a trade made by hand."""
    return Fill(
        engine,
        row.id,
        order_id,
        row.coin,
        row.side,
        instrument.lots(row.size),
        instrument.ticks(row.price),
        round(row.fee * MINOR_PER_USD),
        not row.crossed,
        row.at_ns,
    )


class Translator:
    """Rows of the venue as fills of one engine; what is not traded here is nobody's business."""

    def __init__(self, engine: str, instruments: Mapping[str, Instrument], orders: Orders):
        self.engine = engine
        self.instruments = instruments
        self.orders = orders

    def fill(self, row: UserFill) -> tuple[Fill, Tracked | None] | None:
        """The fill and its order if it is ours; counted. None: of a name that is not traded here, or of no size."""
        instrument = self.instruments.get(row.coin)
        if instrument is None or not row.size:
            return None
        tracked = self.orders.count(row.id, row.cloid, instrument.lots(row.size))
        return fill_of(row, self.engine, tracked.request.id if tracked else "", instrument), tracked
