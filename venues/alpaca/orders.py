"""Our orders as Alpaca knows them: by client order id, by the venue's id, and over chains of replaces.

client_order_id is our id as it is. A replace makes a new order with a new id of the venue's and the id that we gave;
should the venue have named it otherwise, `replaces` and `replaced_by` lead to it. Lots are counted from executions
alone, each once whoever told it: the stream and the activities number them in their own ways, so what counts is which
part of its order an execution filled (from cum - qty to cum), which both tell.
"""

from collections.abc import Iterable, Iterator, Mapping
from decimal import Decimal

from msgspec import Struct, field

from venues.alpaca.rules import SPOT, whole_lots
from venues.alpaca.trading_wire import Execution, Order, plain_symbol, side_of
from venues.market import Fill, Instrument, OpenOrder, OrderRequest, Side, TimeInForce
from venues.refusals import plain

OVER_KEPT_MAX = 4_000
"""Orders that are over and still known, for fills that come late; the ledger keeps half as many."""

FILLS_KEPT_MAX = 20_000
"""Executions remembered, hours more than are ever asked for again."""

BPS = 10_000
"""Basis points in one."""

BY_ROW = "row:"
"""How the id of an order begins that is not ours: the venue's id follows."""


class Restored(Struct, frozen=True):
    """An order of an earlier run, as the ledger knows it."""

    request: OrderRequest
    lots_filled: int  # over its chain
    fill_ids: tuple[str, ...]  # its own
    over: bool
    taken: bool  # the venue had it: it is not one whose answer was lost


class Tracked(Struct):
    """An order and what is known of it here."""

    request: OrderRequest
    sent_lots: int  # what the venue was asked for: less than request.lots where it replaced one with fills
    lots_filled: int = 0  # over the chain
    own_lots: int = 0  # of the order itself
    row_id: str = ""  # the venue's
    successor: str = ""  # id of the order that was to take its place
    sent: bool = False  # it left, or may have: the opposite is proof that it never was
    sent_ns: int = 0
    patched: bool = False  # it was sent as a replace, in one request
    taken: bool = False  # the venue has or had it
    announced: bool = False  # the account stream has told so
    cancel_asked: bool = False
    over: bool = False
    filled_there: int = 0  # lots that the venue counts: more than own_lots are owed
    venue_lots: int = 0  # how many it may fill there; 0: as many as were sent
    parts: list[tuple[Decimal, Decimal]] = field(default_factory=list)  # which parts of it are filled
    fill_ids: list[str] = field(default_factory=list)

    @property
    def lots_over(self) -> int:
        """What it may fill beyond the request: a replace of an order that filled meanwhile starts with all its lots
        again (alpacahq/Alpaca-API#165)."""
        may = self.venue_lots or self.sent_lots
        return max(0, self.lots_filled + may - self.own_lots - self.request.lots)


class Orders:
    """The table."""

    def __init__(self, known: Iterable[Restored] = ()):
        self._orders: dict[str, Tracked] = {}
        self._rows: dict[str, str] = {}  # the venue's id -> ours; "": nobody's
        self._over: dict[str, None] = {}  # oldest first
        self._counted: dict[str, None] = {}  # executions, by the names of both who tell them
        for one in known:
            self._restore(one)

    def _restore(self, one: Restored) -> None:
        tracked = Tracked(one.request, one.request.lots, one.lots_filled, sent=True, taken=one.taken)
        tracked.announced = one.taken
        tracked.own_lots = 0 if one.request.replaces else one.lots_filled
        tracked.sent_lots = one.request.lots - one.lots_filled + tracked.own_lots
        self._orders[one.request.id] = tracked
        self._counted.update(dict.fromkeys(one.fill_ids))
        tracked.fill_ids += one.fill_ids
        if (old := self._orders.get(one.request.replaces)) is not None:
            old.successor = one.request.id
        if one.over:
            self.end(tracked)

    def add(self, order: OrderRequest) -> Tracked:
        """A new order; one that replaces another inherits what that chain has filled."""
        old = self._orders.get(order.replaces)
        filled = old.lots_filled if old else 0
        tracked = Tracked(order, order.lots - filled, filled)
        if old is not None:
            old.successor = order.id
        self._orders[order.id] = tracked
        return tracked

    def get(self, order_id: str) -> Tracked | None:
        """An order by our id."""
        return self._orders.get(order_id)

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
            if row.replaced_by and tracked.successor:
                self._rows[row.replaced_by] = tracked.successor
        return tracked

    def adopt(self, tracked: Tracked, row_id: str) -> None:
        """A row of the venue's is this order, whatever id it bears."""
        self._rows[row_id] = tracked.request.id

    def alive(self) -> list[Tracked]:
        """Orders that may still fill."""
        return [tracked for tracked in self._orders.values() if not tracked.over]

    def end(self, tracked: Tracked) -> None:
        """It is over; those that ended long ago are forgotten."""
        tracked.over = True
        self._over[tracked.request.id] = None
        if len(self._over) > OVER_KEPT_MAX:
            oldest = next(iter(self._over))
            del self._over[oldest], self._orders[oldest]

    def revive(self, tracked: Tracked) -> None:
        """It was taken for over, and is not."""
        tracked.over = False
        self._over.pop(tracked.request.id, None)

    def count(self, told: Execution, lots: int) -> bool:
        """Count an execution for its order and those in its place; False if it was counted before."""
        names = {fill_id(told), told.execution_id} - {""}
        if names & self._counted.keys():
            self._counted.update(dict.fromkeys(names))
            return False
        tracked = self.of_row(told.row_id)
        if tracked is not None and told.cum_qty is not None:
            begin, end = told.cum_qty - told.qty, told.cum_qty
            if any(begin < filled and end > start for start, filled in tracked.parts):
                return False  # the same part of the order, under another name
            tracked.parts.append((begin, end))
        self._counted.update(dict.fromkeys(names))
        while len(self._counted) > FILLS_KEPT_MAX:
            del self._counted[next(iter(self._counted))]
        if tracked is not None:
            tracked.own_lots += lots
            tracked.fill_ids.append(fill_id(told))
            for one in self.chain(tracked):
                one.lots_filled += lots
        return True

    def chain(self, tracked: Tracked) -> Iterator[Tracked]:
        """An order and those that took its place, one after the other."""
        one: Tracked | None = tracked
        while one is not None:
            yield one
            one = self._orders.get(one.successor)


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
