"""Our orders as the venue knows them: by cloid, with what each has filled, alone and over its chain of replaces.

The venue names orders by numbers and by the cloids we gave; a cloid is a hash of our id, so the way back is this table,
which a restart fills from the ledger. Lots are counted from fills alone, each once, wherever it was told: origSz - sz
is wrong for orders that were modified and for reduce-only orders that the venue has shrunk.
"""

from collections.abc import Iterable, Mapping

from venues.chains import Chains, Link, Restored
from venues.hyperliquid.account_wire import UserFill
from venues.hyperliquid.actions import cloid
from venues.market import MINOR_PER_USD, Fill, Instrument, OrderRequest

BY_NUMBER = "oid:"
"""How the id of an order begins that is not ours: the venue's number follows."""


class Tracked(Link):
    """An order and what is known of it here."""

    answered: bool = False  # the venue has said yes or no

    @property
    def lots_told(self) -> int:
        """What the ledger is told that the chain has filled: never more than was ordered, the fills tell the rest."""
        return min(self.lots_filled, self.request.lots)

    @property
    def lots_over(self) -> int:
        """What it may fill beyond the request: lots that its predecessor filled while the replace was under way."""
        return max(0, self.lots_filled + self.sent_lots - self.own_lots - self.request.lots)


class Orders(Chains[Tracked]):
    """The table."""

    def __init__(self, known: Iterable[Restored] = ()):
        super().__init__()
        self._ids: dict[str, str] = {}  # cloid -> our id
        for one in known:
            self._ids[cloid(one.request.id)] = one.request.id
            self.restore(one, Tracked(one.request, one.request.lots, answered=True))

    def add(self, order: OrderRequest) -> Tracked:
        """A new order; one that replaces another inherits what that chain has filled."""
        old = self._orders.get(order.replaces)
        filled = old.lots_filled if old else 0
        tracked = Tracked(order, order.lots - filled, filled)
        if old is not None:
            self.follow(old, order.id)
        self._orders[order.id] = tracked
        self._ids[cloid(order.id)] = order.id
        return tracked

    def forget(self, link: Tracked) -> None:
        """What else is to be forgotten with an order."""
        self._ids.pop(cloid(link.request.id), None)

    def named(self, name: str | None) -> Tracked | None:
        """An order by its cloid; None for orders that are not ours."""
        return self._orders.get(self._ids.get(name.lower(), "")) if name else None

    def successor(self, tracked: Tracked) -> Tracked | None:
        """The order that is to take its place, or has."""
        later = self._orders.get(tracked.successor)
        return None if later is None or later.over else later

    def never(self, tracked: Tracked) -> None:
        """It was not taken in, and the order that it was to replace is what it was before."""
        self.end(tracked)
        old = self._orders.get(tracked.request.replaces)
        if old is not None:
            self.stay(old, tracked.request.id)

    def count(self, fill_id: str, name: str | None, lots: int) -> Tracked | None:
        """Count a fill for its order and those in its place, once; returns its order if it is ours."""
        tracked = self.named(name)
        if tracked is None or fill_id in self._counted:
            return tracked
        self.remember(fill_id)
        self.add_lots(tracked, lots)
        return tracked


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
        round(row.closed_pnl_usd * MINOR_PER_USD),
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
