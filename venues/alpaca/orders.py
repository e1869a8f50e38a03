"""Our orders as Alpaca knows them: by client order id, by the venue's id, and over chains of replaces.

client_order_id is our id as it is. A replace makes a new order with a new id of the venue's and the id that we gave;
should the venue have named it otherwise, `replaces` and `replaced_by` lead to it. Lots are counted from executions
alone, each once whoever told it: the stream and the activities number them in their own ways, so what counts is which
part of its order an execution filled (from cum - qty to cum), which both tell.
"""

from collections.abc import Iterable, Mapping
from decimal import Decimal

from msgspec import field

from venues.alpaca.rules import SPOT, whole_lots
from venues.alpaca.trading_wire import Execution, Order, plain_symbol, side_of
from venues.chains import FILLS_KEPT_MAX, Chains, Link, Restored
from venues.market import Fill, Instrument, OpenOrder, OrderRequest, Side, TimeInForce
from venues.refusals import plain

BPS = 10_000
"""Basis points in one."""

BY_ROW = "row:"
"""How the id of an order begins that is not ours: the venue's id follows."""


class Tracked(Link):
    """An order and what is known of it here."""

    row_id: str = ""  # the venue's
    sent: bool = False  # it left, or may have: the opposite is proof that it never was
    sent_ns: int = 0
    given_up: bool = False  # somebody was told that it was never sent: it must not be, however late its turn comes
    patched: bool = False  # it was sent as a replace, in one request
    taken: bool = False  # the venue has or had it
    own_unknown: bool = False  # of an earlier run, and it replaced another: own_lots has only what was told since
    filled_there: int = 0  # lots that the venue counts: more than own_lots are owed
    venue_lots: int = 0  # how many it may fill there; 0: as many as were sent
    parts: list[tuple[Decimal, Decimal]] = field(default_factory=list)  # which parts of it are filled

    @property
    def lots_over(self) -> int:
        """What it may fill beyond the request: a replace of an order that filled meanwhile starts with all its lots
        again (alpacahq/Alpaca-API#165)."""
        may = self.venue_lots or self.sent_lots
        own = max(self.own_lots, self.filled_there) if self.own_unknown else self.own_lots
        return max(0, self.lots_filled + may - own - self.request.lots)


class Orders(Chains[Tracked]):
    """The table."""

    def __init__(self, known: Iterable[Restored] = ()):
        super().__init__()
        self._rows: dict[str, str] = {}  # the venue's id -> ours; "": nobody's
        self.unsent: set[str] = set()  # of these somebody was told that they were never sent, before they could be
        for one in known:
            tracked = Tracked(one.request, one.request.lots, sent=True, taken=one.taken, fill_ids=list(one.fill_ids))
            tracked.own_unknown = bool(one.request.replaces)
            self.restore(one, tracked)

    def add(self, order: OrderRequest) -> Tracked:
        """A new order; one that replaces another inherits what that chain has filled."""
        old = self._orders.get(order.replaces)
        filled = old.lots_filled if old else 0
        tracked = Tracked(order, order.lots - filled, filled, given_up=order.id in self.unsent)
        if old is not None:
            self.follow(old, order.id)
        self._orders[order.id] = tracked
        return tracked

    def of_row(self, row_id: str) -> Tracked | None:
        """An order by the venue's id."""
        return self._orders.get(self._rows.get(row_id, ""))

    def knows_row(self, row_id: str) -> bool:
        """Whether it is known whose order it is, ours or nobody's."""
        return row_id in self._rows

    def bind(self, row: Order) -> Tracked | None:
        """Learn from a row of the venue's which order of ours it is; None for orders that are not ours."""
        tracked = self._orders.get(row.client_order_id) or self.of_row(row.id)
        if tracked is None and row.replaces and (old := self.of_row(row.replaces)) is not None:
            tracked = self._orders.get(old.successor)  # the venue gave it an id of its own
        self._rows[row.id] = tracked.request.id if tracked else ""
        if len(self._rows) > FILLS_KEPT_MAX:
            del self._rows[next(iter(self._rows))]
        if tracked is not None:
            tracked.row_id = row.id
            # where several were to take its place only the new row says which of them did, by the id that we gave
            if row.replaced_by and tracked.successor and tracked.successors == 1:
                self._rows[row.replaced_by] = tracked.successor
        return tracked

    def adopt(self, tracked: Tracked, row_id: str) -> None:
        """A row of the venue's is this order, whatever id it bears."""
        self._rows[row_id] = tracked.request.id

    def revive(self, tracked: Tracked) -> None:
        """It was taken for over, and is not."""
        tracked.over = False
        self._over.pop(tracked.request.id, None)

    def count(self, told: Execution, lots: int) -> bool:
        """Count an execution for its order and those in its place; False if it was counted before."""
        names = {fill_id(told), told.execution_id} - {""}
        if names & self._counted.keys():
            self.remember(*names)
            return False
        tracked = self.of_row(told.row_id)
        if tracked is not None and told.cum_qty is not None:
            begin, end = told.cum_qty - told.qty, told.cum_qty
            if any(begin < filled and end > start for start, filled in tracked.parts):
                return False  # the same part of the order, under another name
            tracked.parts.append((begin, end))
        self.remember(*names)
        if tracked is not None:
            tracked.fill_ids.append(fill_id(told))
            self.add_lots(tracked, lots)
        return True


def open_order(tracked: Tracked | None, row: Order, instrument: Instrument) -> OpenOrder:
    """An order that rests, under our id if it is ours."""
    side, ticks = side_of(row.side), instrument.ticks(row.limit_price or Decimal(0))
    if tracked is not None:
        request = tracked.request
        return OpenOrder(request.id, instrument.symbol, side, request.lots, tracked.lots_filled, ticks)
    lots, filled = instrument.lots(row.qty or Decimal(0)), instrument.lots(row.filled_qty)
    return OpenOrder(BY_ROW + row.id, instrument.symbol, side, lots, filled, ticks)


def fill_id(told: Execution) -> str:
    """The name of a fill, the same from whoever tells it: its order, and how much of that was filled with it.

    Not the execution's id: activities have it behind a time stamp, and that it is the same is nowhere promised.
    """
    return f"{told.row_id}:{plain(told.cum_qty)}" if told.cum_qty is not None else told.execution_id


class Translator:
    """Executions as fills of one engine; what is not traded here is nobody's business."""

    def __init__(
        self, engine: str, instruments: Mapping[str, Instrument], orders: Orders, fee_bps: tuple[float, float] = (0, 0)
    ):
        self.engine = engine
        self.orders = orders
        self.fee_bps = fee_bps  # of makers and takers: no message of Alpaca's tells a fee
        self.instruments = {plain_symbol(symbol): one for symbol, one in instruments.items()}

    def instrument(self, symbol: str) -> Instrument | None:
        """What a name of the venue's stands for, with or without slash; None if it is not traded here."""
        return self.instruments.get(plain_symbol(symbol))

    def fill(self, told: Execution) -> tuple[Fill, Tracked | None, bool] | None:
        """The fill, its order if it is ours, and whether it is new; counted. None: of a name not traded here."""
        instrument = self.instrument(told.symbol)
        if instrument is None:
            return None
        lots = lots_of(told, instrument)
        if lots <= 0:
            return None
        new = self.orders.count(told, lots)
        tracked = self.orders.of_row(told.row_id)
        maker = tracked is not None and tracked.request.time_in_force is not TimeInForce.IOC
        ticks = instrument.ticks(told.price)
        fee = 0 if in_coins(instrument, told) else self._fee(instrument.notional_minor(ticks, lots), maker=maker)
        order_id = tracked.request.id if tracked else ""
        name, at_ns = fill_id(told), told.at_ns
        fill = Fill(self.engine, name, order_id, instrument.symbol, told.side, lots, ticks, fee, maker, at_ns)
        return fill, tracked, new

    def _fee(self, amount: int, *, maker: bool) -> int:
        """The fee's part of an amount."""
        bps = Decimal(str(self.fee_bps[0 if maker else 1]))
        return round(Decimal(amount) * bps / BPS)

    def coin_fee(self, told: Execution, fill: Fill, measured: Decimal | None) -> Fill | None:
        """What the venue keeps of bought coins, as a sale of them whose proceeds are the fee.

        The order got all its lots, the account did not: a position of what was bought would be more than there is to
        sell ("insufficient balance"). `measured`: what is missing by the venue's own count; None: it did not say.
        """
        instrument = self.instruments[plain_symbol(told.symbol)]
        if not in_coins(instrument, told):
            return None
        lots = self._fee(fill.lots, maker=fill.maker) if measured is None else instrument.lots(measured)
        if lots <= 0:
            return None
        worth = instrument.notional_minor(fill.ticks, lots)
        name = f"{fill.id}:fee"
        return Fill(self.engine, name, "", fill.symbol, Side.SELL, lots, fill.ticks, worth, fill.maker, fill.at_ns)


def lots_of(told: Execution, instrument: Instrument) -> int:
    """An execution in lots. What is less than one counts with what completes it, so that parts add up to the whole."""
    if told.cum_qty is None:
        return instrument.lots(told.qty)
    return whole_lots(instrument, told.cum_qty) - whole_lots(instrument, told.cum_qty - told.qty)


def in_coins(instrument: Instrument, told: Execution) -> bool:
    """Whether the fee comes off what is received in coins (docs, "Crypto Fees": of a buy it does)."""
    return instrument.asset_class == SPOT and told.side is Side.BUY
