"""One account: money, positions, orders, what it did, and what its stream is told.

Matching is venues.matching's. What an order may cost is this venue's own affair and checked before it gets there
(funds.py), so the engine is given money without end and only its difference counts.
"""

from collections.abc import Iterable, Sequence
from decimal import Decimal
from fractions import Fraction
from typing import Any

from msgspec import Struct, structs

from venues import refusals
from venues.emulator.alpaca.config import AccountConfig, Fees
from venues.emulator.alpaca.figures import Mint, compact, money, plain, stamp
from venues.emulator.alpaca.listing import ENGINE, Asset
from venues.emulator.alpaca.orders import (
    AGAIN,
    CANCELED,
    FILLED,
    IOC,
    MARKET,
    NEW,
    OVER,
    PARTIALLY_FILLED,
    PENDING_CANCEL,
    PENDING_REPLACE,
    REJECTED,
    Order,
    Telling,
)
from venues.market import (
    MINOR_PER_USD,
    AccountEvent,
    Book,
    Cancelled,
    Fill,
    MarketEvent,
    Rejected,
    Side,
)
from venues.matching import MatchingEngine
from venues.resting import Resting

ENDLESS_MINOR = 10**24
SHARE = "equity"
CFEE_TEXT, FEE_TEXT = "Coin Pair Transaction Fee (Non USD)", "Coin Pair Transaction Fee"
NO_FEES = {"spot": (0.0, 0.0), "equity": (0.0, 0.0)}
ORDERS_KEPT_MAX = 20_000


class WholeShares(MatchingEngine):
    """The matching engine, where orders for whole shares are filled in whole ones: exchanges trade no parts."""

    def _fill(self, resting: Resting, lots: int, ticks: int, at_ns: int, *, maker: bool) -> list[AccountEvent]:
        """The place in line is a share of what was cancelled, which need not be a whole number."""
        instrument = self.instruments[resting.order.symbol]
        share = round(1 / instrument.lot) if instrument.asset_class == SHARE else 1
        if not resting.left % share:
            lots -= lots % share
        return super()._fill(resting, lots, ticks, at_ns, maker=maker)


class News(Struct, frozen=True):
    """Something that the account's stream is to hear, as it was when it happened."""

    at_ns: int
    event: str
    order: Order
    fill: Fill | None = None
    position_lots: int = 0


class Traded(Struct):
    """What was bought and sold of a name on one day, in lots."""

    bought: int = 0
    sold: int = 0


class Account:
    """Everything of one key."""

    def __init__(self, config: AccountConfig, assets: Iterable[Asset], fees: Fees, mint: Mint) -> None:
        self.config, self.fees = config, fees
        self.id = mint.uuid("account", config.key_id)
        self.assets = {asset.symbol: asset for asset in assets}
        instruments = [asset.instrument for asset in self.assets.values()]
        cash_minor = ENDLESS_MINOR + round(config.usd * MINOR_PER_USD)
        self.engine = WholeShares(ENGINE, instruments, NO_FEES, cash_minor)
        self.orders: dict[str, Order] = {}
        self.open: dict[str, Order] = {}
        self.by_client: dict[str, str] = {}
        self.hungry: dict[str, Order] = {}  # market orders that the book had too little for
        self.activities: list[tuple[int, dict[str, Any]]] = []  # when, and what is told of it
        self.traded: dict[str, Traded] = {}  # of the present day
        self.day_trades: list[int] = []  # when they were made
        self.last_equity_minor = round(config.usd * MINOR_PER_USD)
        self.news: list[News] = []
        self._booked: dict[str, int] = {}  # positions after each single fill, while the fills of an instant are told
        self.configurations: dict[str, Any] = {"no_shorting": not config.shorting, "suspend_trade": False}
        self._mint = mint

    # --- money ----------------------------------------------------------------------------------------------------

    @property
    def cash_minor(self) -> int:
        """Cash; negative where something was bought on margin."""
        return self.engine.account.cash_minor - ENDLESS_MINOR

    def lots(self, symbol: str) -> int:
        """A signed position."""
        return self.engine.account.lots(symbol)

    def on_offer(self, symbol: str, side: Side, besides: str = "") -> int:
        """Lots that open orders of a side want to be filled."""
        mine = (order for order in self.open.values() if order.asset.symbol == symbol and order.side is side)
        return sum(order.left for order in mine if order.id != besides)

    # --- orders ---------------------------------------------------------------------------------------------------

    def know(self, order: Order) -> None:
        """An order is there."""
        self.orders[order.id] = self.open[order.id] = order
        self.by_client[order.client_order_id] = order.id
        if len(self.orders) > ORDERS_KEPT_MAX:
            oldest = next((key for key in self.orders if key not in self.open), None)
            if oldest is not None:
                del self.orders[oldest]  # its client_order_id stays taken

    def find(self, key: str) -> Order | None:
        """An order by its id."""
        return self.orders.get(key)

    def by_client_id(self, key: str) -> Order | None:
        """An order by its client_order_id."""
        return self.orders.get(self.by_client.get(key, ""))

    def turn(self, order: Order, status: str, at_ns: int, event: str = "") -> None:
        """An order is now this, and its owner hears it."""
        order.status, order.updated_ns = status, max(at_ns, order.updated_ns)
        if status in OVER:
            self.open.pop(order.id, None)
            self.hungry.pop(order.id, None)
        self.news.append(News(at_ns, event or status, structs.replace(order)))

    def submit(self, order: Order, at_ns: int) -> None:
        """An order reaches the market."""
        order.routed = True
        self.turn(order, NEW, at_ns)
        self.absorb(self.engine.submit(order.request(), at_ns), at_ns)

    def withdraw(self, order: Order, status: str, at_ns: int) -> None:
        """Take an order out; `status` says how it ends."""
        if order.id in self.engine.live:
            self.engine.cancel(order.id, at_ns)
        self._end(order, status, at_ns)

    def _end(self, order: Order, status: str, at_ns: int) -> None:
        if status == CANCELED:
            order.canceled_ns = at_ns
        elif status == REJECTED:
            order.failed_ns = at_ns
        elif status == "expired":
            order.expired_ns = at_ns
        elif status == "replaced":
            order.replaced_ns = at_ns
        self.turn(order, status, at_ns)

    # --- what the market does -------------------------------------------------------------------------------------

    def hear(self, events: Sequence[MarketEvent], at_ns: int) -> None:
        """The market goes on."""
        engine = self.engine
        for event in events:
            self.absorb(engine.on_book(event) if isinstance(event, Book) else engine.on_trade(event), at_ns)
        if self.hungry:
            fresh = {event.symbol for event in events if isinstance(event, Book)}
            for order in [one for one in self.hungry.values() if one.asset.symbol in fresh]:
                self.absorb(engine.submit(order.request(), at_ns), at_ns)

    def _of(self, key: str) -> Order:
        """The order that the engine means; a market order goes there several times."""
        return self.orders[key.partition(AGAIN)[0]]

    def absorb(self, events: Iterable[AccountEvent], at_ns: int) -> None:
        """Take the engine's events in."""
        for event in events:
            match event:
                case Fill():
                    self.filled(self._of(event.order_id), event, at_ns)
                case Cancelled(order_id=key, reason=reason):
                    if reason != refusals.CANCEL_FILLED and self._of(key).open:
                        self._stay_or_end(self._of(key), CANCELED, at_ns)
                case Rejected(order_id=key, reason=refusals.NOT_MATCHED):
                    self._stay_or_end(self._of(key), CANCELED, at_ns)
                case Rejected(order_id=key):
                    self._end(self._of(key), REJECTED, at_ns)

    def _stay_or_end(self, order: Order, status: str, at_ns: int) -> None:
        """The book had no more: a market order waits for the next one, others that do not wait are over."""
        if order.type == MARKET and order.tif != IOC:
            order.tries += 1
            self.hungry[order.id] = order
        else:
            self._end(order, status, at_ns)

    def filled(self, order: Order, fill: Fill, at_ns: int) -> None:
        """A part of an order was filled; what is being asked of it meanwhile stays asked."""
        order.filled += fill.lots
        order.cost += fill.lots * fill.ticks
        order.filled_ns = at_ns
        order.updated_ns = max(at_ns, order.updated_ns)
        over = order.left <= 0
        if over:
            order.status = FILLED
            self.open.pop(order.id, None)
            self.hungry.pop(order.id, None)
        elif order.status not in (PENDING_CANCEL, PENDING_REPLACE):
            order.status = PARTIALLY_FILLED
        self._count(order, fill, at_ns)
        charged = self._charge(order, fill, at_ns)
        event = "fill" if over else "partial_fill"
        self.activities += [(at_ns, row) for row in (self._activity(order, fill, event, at_ns), *charged)]
        self.news.append(News(at_ns, event, structs.replace(order), fill, self._booked[order.asset.symbol]))

    def _count(self, order: Order, fill: Fill, at_ns: int) -> None:
        """Positions after each single fill, what was traded today, and the fee of coins."""
        symbol, signed = order.asset.symbol, order.side.sign * fill.lots
        before = self._booked.get(symbol, 0)
        self._booked[symbol] = before + signed
        today = self.traded.setdefault(symbol, Traded())
        if order.side is Side.BUY:
            today.bought += fill.lots
        else:
            today.sold += fill.lots
        closes = before * signed < 0
        opened_today = today.bought if order.side is Side.SELL else today.sold
        if closes and opened_today and not order.asset.crypto and order.filled == fill.lots:
            self.day_trades.append(at_ns)

    def _charge(self, order: Order, fill: Fill, at_ns: int) -> list[dict[str, Any]]:
        """Take the fee of a fill of coins out of what was received; returns what is written down of it."""
        asset, rate = order.asset, self.fees.maker if fill.maker else self.fees.taker
        if not asset.crypto or not rate:
            return []
        head = {
            "id": f"{compact(at_ns)}::{self._mint.uuid('fee', self.config.key_id, fill.id)}",
            "date": stamp(at_ns)[:10],
            "status": "executed",
            "symbol": asset.symbol,
        }
        if order.side is Side.SELL:
            fee = round(asset.instrument.notional_minor(fill.ticks, fill.lots) * rate)
            self.engine.account.cash_minor -= fee
            return [head | {"activity_type": "FEE", "net_amount": f"-{money(fee)}", "description": FEE_TEXT}]
        fee = round(fill.lots * rate)
        holding = self.engine.account.holdings.get(asset.symbol)
        if holding is not None:
            holding.cost_minor -= round(Fraction(holding.cost_minor * fee, holding.lots))
            holding.lots -= fee
        self._booked[asset.symbol] -= fee
        quantity, price = plain(-fee * asset.lot), plain(fill.ticks * asset.tick)
        row = {"activity_type": "CFEE", "net_amount": "0", "qty": quantity, "price": price, "description": CFEE_TEXT}
        return [head | row]

    def _activity(self, order: Order, fill: Fill, kind: str, at_ns: int) -> dict[str, Any]:
        asset = order.asset
        side = "sell_short" if order.side is Side.SELL and self._booked[asset.symbol] < 0 else order.side.value
        return {
            "id": f"{compact(at_ns)}::{self._mint.uuid('activity', self.config.key_id, fill.id)}",
            "activity_type": "FILL",
            "transaction_time": stamp(at_ns),
            "type": kind,
            "price": plain(fill.ticks * asset.tick),
            "qty": plain(fill.lots * asset.lot),
            "side": side,
            "symbol": asset.symbol,
            "leaves_qty": plain(order.left * asset.lot),
            "order_id": order.id,
            "cum_qty": plain(order.filled * asset.lot),
            "order_status": FILLED if not order.left else PARTIALLY_FILLED,
        }

    # --- what is told ---------------------------------------------------------------------------------------------

    def told(self, news: News, telling: Telling) -> dict[str, Any]:
        """A trade update."""
        order, asset = news.order, news.order.asset
        data: dict[str, Any] = {
            "event": news.event,
            "timestamp": stamp(news.at_ns),
            "order": order.row(telling, streamed=True),
        }
        data["event_id"] = self._mint.uuid("event", order.id, news.event, news.at_ns, order.filled)
        if news.fill is not None:
            data |= {
                "price": plain(news.fill.ticks * asset.tick),
                "qty": plain(news.fill.lots * asset.lot),
                "position_qty": plain(Decimal(news.position_lots) * asset.lot),
                "execution_id": self.execution_id(news.fill),
            }
        return {"stream": "trade_updates", "data": data}

    def execution_id(self, fill: Fill) -> str:
        """The id of a fill on the stream; activities have another one."""
        return self._mint.uuid("execution", self.config.key_id, fill.id)
