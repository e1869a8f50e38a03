"""Questions and requests of the trading API: account, clock, calendar, assets, positions, orders, activities."""

from collections.abc import Callable, Mapping
from datetime import date, timedelta
from decimal import Decimal
from functools import partial
from typing import Any

import msgspec

from venues.emulator.alpaca.accounts import Account
from venues.emulator.alpaca.errors import Refused, invalid, not_found
from venues.emulator.alpaca.exchange import AlpacaExchange
from venues.emulator.alpaca.figures import money, plain, ratio, stamp
from venues.emulator.alpaca.listing import Asset
from venues.emulator.alpaca.orders import Order
from venues.emulator.alpaca.requests import Request
from venues.emulator.alpaca.times import moment
from venues.market import Side

ORDERS_DEFAULT, ORDERS_MAX = 50, 500
ACTIVITIES_DEFAULT = 100
TRADE, NON_TRADE = "trade_activity", "non_trade_activity"
MAINTENANCE_PERCENT = 30
PRICE = Decimal("0.000000001")
Answered = tuple[int, Any]
"""Status and JSON; None: no body."""


class Trading:
    """Answers for an account that has been let in."""

    def __init__(self, exchange: AlpacaExchange) -> None:
        self._exchange = exchange
        self._doors: dict[str, Callable[[Account, Request], Answered]] = {
            "account": lambda account, _: (200, self.account(account)),
            "configurations": lambda account, _: (200, self._configurations(account)),
            "configure": self._configure,
            "activities": self._activities,
            "clock": lambda *_: (200, self.clock()),
            "calendar": self._calendar,
            "assets": self._assets,
            "asset": lambda _, request: (200, self._asset_row(self._asset(request.name))),
            "positions": lambda account, _: (200, self.positions(account)),
            "position": lambda account, request: (200, self._position(account, self._held(account, request.name))),
            "close": self._close,
            "close_all": self._close_all,
            "orders": self._orders,
            "order": lambda account, request: (200, self._row(self._exchange.place(account, request.body))),
            "order_by_id": lambda account, request: (200, self._row(self._order(account, request.name))),
            "order_by_client_id": self._by_client_id,
            "replace": self._replace,
            "cancel": self._cancel,
            "cancel_all": self._cancel_all,
        }

    def answer(self, account: Account, request: Request) -> Answered:
        """Answer a request. Raises Refused."""
        door = self._doors.get(request.question)
        if door is None:
            raise not_found("endpoint not found")
        return door(account, request)

    # --- the account ----------------------------------------------------------------------------------------------

    def account(self, account: Account) -> dict[str, Any]:
        """GET /v2/account; without the day trading fields that the venue took out on 2026-07-06."""
        funds = self._exchange.funds(account)
        long, short, coins = funds.totals()
        equity = account.cash_minor + long + short + coins
        maintenance = (long - short) * MAINTENANCE_PERCENT // 100 + coins
        row: dict[str, Any] = {
            "id": account.id,
            "account_number": f"PA{account.id[:8].upper()}",
            "status": "ACTIVE",
            "crypto_status": "ACTIVE",
            "currency": "USD",
            "cash": money(account.cash_minor),
            "buying_power": money(funds.buying_power_minor()),
            "regt_buying_power": money(funds.buying_power_minor()),
            "non_marginable_buying_power": money(funds.cash_power_minor()),
            "portfolio_value": money(equity),
            "equity": money(equity),
            "last_equity": money(account.last_equity_minor),
            "long_market_value": money(long + coins),
            "short_market_value": money(short),
            "initial_margin": money(funds.initial_margin_minor),
            "maintenance_margin": money(maintenance),
            "last_maintenance_margin": "0",
            "multiplier": str(account.config.margin),
            "shorting_enabled": account.config.shorting and account.config.margin > 1,
            "sma": "0",
            "accrued_fees": "0",
            "trading_blocked": False,
            "transfers_blocked": False,
            "account_blocked": False,
            "trade_suspended_by_user": bool(account.configurations["suspend_trade"]),
            "created_at": stamp(self._exchange.start_ns),
        }
        if account.config.pdt:
            since_ns = self._exchange.day_trades_since_ns()
            row["daytrade_count"] = sum(at_ns >= since_ns for at_ns in account.day_trades)
            row["pattern_day_trader"] = False
        return row

    @staticmethod
    def _configurations(account: Account) -> dict[str, Any]:
        return {
            "fractional_trading": True,
            "max_margin_multiplier": str(account.config.margin),
            "trade_confirm_email": "none",
            "ptp_no_exception_entry": False,
            **account.configurations,
        }

    def _configure(self, account: Account, request: Request) -> Answered:
        for name in account.configurations:
            if isinstance(request.body.get(name), bool):
                account.configurations[name] = request.body[name]
        return 200, self._configurations(account)

    def _activities(self, account: Account, request: Request) -> Answered:
        """What the account did, newest first unless asked otherwise; pages go on after an id."""
        query = request.query
        kinds = {one for one in (request.name or query.get("activity_types", "")).upper().split(",") if one}
        after, until = (moment(query.get(name), name) for name in ("after", "until"))
        category = query.get("category", "")
        if category not in ("", TRADE, NON_TRADE) or (category and kinds):
            raise invalid("category must be trade_activity or non_trade_activity, without activity_types")
        rows = [
            row
            for at_ns, row in account.activities
            if (not kinds or row["activity_type"] in kinds)
            and (not category or (row["activity_type"] == "FILL") == (category == TRADE))
            and (after is None or at_ns > after)
            and (until is None or at_ns < until)
        ]
        if query.get("direction", "desc") == "desc":
            rows.reverse()
        if token := query.get("page_token"):
            ids = [row["id"] for row in rows]
            if token not in ids:
                raise invalid("invalid page_token")
            rows = rows[ids.index(token) + 1 :]
        return 200, rows[: _count(query, "page_size", ACTIVITIES_DEFAULT, ACTIVITIES_DEFAULT)]

    # --- time and assets ------------------------------------------------------------------------------------------

    def clock(self) -> dict[str, Any]:
        """GET /v2/clock, in New York's time."""
        hours, now_ns = self._exchange.hours, self._exchange.now_ns
        return {
            "timestamp": stamp(now_ns, local=True),
            "is_open": hours.is_open(now_ns),
            "next_open": stamp(hours.next_open_ns(now_ns), local=True),
            "next_close": stamp(hours.next_close_ns(now_ns), local=True),
        }

    def _calendar(self, account: Account, request: Request) -> Answered:
        hours = self._exchange.hours
        first, last = hours.known
        days = []
        for name, day in (("start", first), ("end", last)):
            told = request.query.get(name)
            try:
                days.append(date.fromisoformat(told[:10]) if told else day)
            except ValueError:
                raise invalid(f"invalid {name}: {told}") from None
        return 200, hours.rows(max(days[0], first), min(days[1], last + timedelta(days=1)))

    def _assets(self, account: Account, request: Request) -> Answered:
        kind, status = request.query.get("asset_class"), request.query.get("status")
        rows = [self._asset_row(asset) for asset in self._exchange.listing.assets.values()]
        kept = [row for row in rows if kind in (None, "", row["class"]) and status in (None, "", "all", row["status"])]
        return 200, kept

    def _asset_row(self, asset: Asset) -> dict[str, Any]:
        return asset.row(self._exchange.listing.trades(asset.symbol))

    def _asset(self, name: str) -> Asset:
        asset = self._exchange.listing.find(name)
        if asset is None:
            raise not_found(f"asset not found for {name}")
        return asset

    # --- positions ------------------------------------------------------------------------------------------------

    def positions(self, account: Account) -> list[dict[str, Any]]:
        """GET /v2/positions."""
        return [self._position(account, account.assets[name]) for name in account.engine.account.holdings]

    def _held(self, account: Account, name: str) -> Asset:
        asset = self._exchange.listing.find(name)
        if asset is None:
            raise not_found(f"symbol not found: {name}")
        if not account.lots(asset.symbol):
            raise not_found("position does not exist")
        return asset

    def _position(self, account: Account, asset: Asset) -> dict[str, Any]:
        exchange, symbol = self._exchange, asset.symbol
        holding = account.engine.account.holdings[symbol]
        lots, cost = holding.lots, holding.cost_minor
        value = exchange.funds(account).value_minor(symbol)
        closing = Side.SELL if lots > 0 else Side.BUY
        current = exchange.tape.mark_ticks(symbol) * asset.tick
        last_day = Decimal(repr(exchange.tape.bars[symbol].close_before(exchange.now_ns)))
        entry = account.engine.account.entry_ticks(asset.instrument) * float(asset.tick)
        return {
            "asset_id": asset.id,
            "symbol": asset.joined,
            "exchange": asset.exchange,
            "asset_class": "crypto" if asset.crypto else "us_equity",
            "asset_marginable": not asset.crypto,
            "qty": plain(lots * asset.lot),
            "qty_available": plain((abs(lots) - account.on_offer(symbol, closing)) * asset.lot),
            "avg_entry_price": plain(Decimal(repr(entry)).quantize(PRICE)),
            "side": "long" if lots > 0 else "short",
            "market_value": money(value),
            "cost_basis": money(cost),
            "unrealized_pl": money(value - cost),
            "unrealized_plpc": ratio(value - cost, abs(cost)),
            "unrealized_intraday_pl": money(value - cost),
            "unrealized_intraday_plpc": ratio(value - cost, abs(cost)),
            "current_price": plain(current),
            "lastday_price": plain(last_day),
            "change_today": plain(((current - last_day) / last_day).quantize(PRICE)),
        }

    def _close(self, account: Account, request: Request) -> Answered:
        """DELETE /v2/positions/{symbol}: a market order for all of it, or for a part."""
        asset = self._held(account, request.name)
        lots, query = account.lots(asset.symbol), request.query
        quantity = abs(lots) * asset.lot
        try:
            if "qty" in query:
                quantity = Decimal(query["qty"])
            elif "percentage" in query:
                quantity = (quantity * Decimal(query["percentage"]) / 100).quantize(asset.lot)
        except ArithmeticError:
            raise invalid("qty or percentage is not a number") from None
        return 200, self._row(self._exchange.place(account, self._closing(asset, lots, quantity)))

    @staticmethod
    def _closing(asset: Asset, lots: int, quantity: Decimal) -> dict[str, Any]:
        return {
            "symbol": asset.symbol,
            "qty": plain(quantity),
            "side": "sell" if lots > 0 else "buy",
            "type": "market",
            "time_in_force": "gtc" if asset.crypto else "day",
        }

    def _close_all(self, account: Account, request: Request) -> Answered:
        if request.query.get("cancel_orders", "").lower() == "true":
            for order in list(account.open.values()):
                account.withdraw(order, "canceled", self._exchange.now_ns)
        rows = []
        for symbol in list(account.engine.account.holdings):
            asset, lots = account.assets[symbol], account.lots(symbol)
            body = self._closing(asset, lots, abs(lots) * asset.lot)
            status, said = self._tried(partial(self._place, account, body))
            rows.append({"symbol": asset.joined, "status": status, "body": said})
        return 207, rows

    @staticmethod
    def _tried(do: Callable[[], Any]) -> tuple[int, Any]:
        try:
            return 200, do()
        except Refused as refused:
            return refused.status, msgspec.json.decode(refused.body())

    def _place(self, account: Account, body: dict[str, Any]) -> dict[str, Any]:
        return self._row(self._exchange.place(account, body))

    # --- orders ---------------------------------------------------------------------------------------------------

    def _row(self, order: Order) -> dict[str, Any]:
        return order.row(self._exchange.telling)

    @staticmethod
    def _order(account: Account, key: str) -> Order:
        order = account.find(key)
        if order is None:
            raise not_found(f"order not found for {key}")
        return order

    def _by_client_id(self, account: Account, request: Request) -> Answered:
        key = request.query.get("client_order_id", "")
        order = account.by_client_id(key)
        if order is None:
            raise not_found(f"order not found for {key}")
        return 200, self._row(order)

    def _orders(self, account: Account, request: Request) -> Answered:
        """GET /v2/orders, newest first unless asked otherwise; open ones unless asked otherwise."""
        query = request.query
        status, side = query.get("status", "open"), query.get("side")
        if status not in ("open", "closed", "all"):
            raise invalid(f"invalid status: {status}")
        after, until = (moment(query.get(name), name) for name in ("after", "until"))
        wanted = {asset.symbol for one in query.get("symbols", "").split(",") if (asset := self._known(one))}
        rows = [
            order
            for order in account.orders.values()
            if (status == "all" or order.open == (status == "open"))
            and (not query.get("symbols") or order.asset.symbol in wanted)
            and (side in (None, "", order.side.value))
            and (after is None or order.created_ns > after)
            and (until is None or order.created_ns < until)
        ]
        if query.get("direction", "desc") == "desc":
            rows.reverse()
        return 200, [self._row(order) for order in rows[: _count(query, "limit", ORDERS_DEFAULT, ORDERS_MAX)]]

    def _known(self, name: str) -> Asset | None:
        return self._exchange.listing.find(name.strip())

    def _replace(self, account: Account, request: Request) -> Answered:
        return 200, self._row(self._exchange.replace(account, self._order(account, request.name), request.body))

    def _cancel(self, account: Account, request: Request) -> Answered:
        self._exchange.cancel(account, self._order(account, request.name))
        return 204, None

    def _cancel_all(self, account: Account, request: Request) -> Answered:
        rows = []
        for order in list(account.open.values()):
            status, _ = self._tried(partial(self._exchange.cancel, account, order))
            rows.append({"id": order.id, "status": status, "body": self._row(order)})
        return 207, rows


def _count(query: Mapping[str, str], name: str, usual: int, most: int) -> int:
    told = query.get(name)
    if told is None or told == "":
        return usual
    if not told.isdecimal() or not 1 <= int(told) <= most:
        raise invalid(f"{name} must be between 1 and {most}")
    return int(told)
