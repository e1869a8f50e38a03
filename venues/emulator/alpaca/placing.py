"""What is said in a request for an order, and whether the venue takes it: by the order itself, then by the account.

Pages "Placing Orders" and "Crypto Trading", and answers that people recorded: coins gtc or ioc, a billionth of a coin,
cost at least the least; parts of shares only for the day; prices in cents; one client_order_id once and for all.
"""

from collections.abc import Mapping
from decimal import Decimal, InvalidOperation
from typing import Any

from msgspec import Struct

from venues.emulator.alpaca import errors
from venues.emulator.alpaca.accounts import Account
from venues.emulator.alpaca.errors import forbidden, invalid, unprocessable
from venues.emulator.alpaca.figures import plain
from venues.emulator.alpaca.funds import Funds
from venues.emulator.alpaca.listing import Asset, Listing
from venues.emulator.alpaca.orders import DAY, FOK, GTC, IOC, LIMIT, MARKET, Order
from venues.emulator.alpaca.tape import Tape
from venues.market import Side

TYPES = (MARKET, LIMIT)
OTHER_TYPES = ("stop", "stop_limit", "trailing_stop")
TIFS = (DAY, GTC, IOC, FOK, "opg", "cls")
CRYPTO_TIFS = (GTC, IOC)
CLIENT_ID_MAX = 128
COLLAR_COINS = Decimal("0.02")  # a market order for coins becomes a limit order that far from the best price
COLLAR_SHARES = Decimal("0.05")  # the same for shares
NUMBER_MAX = Decimal(10) ** 12


class Draft(Struct, kw_only=True):
    """An order that is well formed; `ticks` of a market order is its collar."""

    asset: Asset
    side: Side
    type: str
    tif: str
    ticks: int
    lots: int
    notional: Decimal | None
    client_order_id: str | None


def number(body: Mapping[str, Any], field: str) -> Decimal | None:
    """A positive number of a request, as text or as number; None where it is missing. Raises Refused."""
    value = body.get(field)
    if value is None or value == "":
        return None
    try:
        found = Decimal(str(value))
    except InvalidOperation:
        found = Decimal("nan")
    if isinstance(value, bool) or not found.is_finite():
        raise invalid(f"{field} is not a number")
    if not 0 < found < NUMBER_MAX:
        raise invalid(f"{field} must be > 0")
    return found


class Desk:
    """Reads requests for orders."""

    def __init__(self, listing: Listing, tape: Tape) -> None:
        self._listing, self._tape = listing, tape

    def draft(self, body: Mapping[str, Any]) -> Draft:
        """Read a new order. Raises Refused."""
        symbol = body.get("symbol")
        if not isinstance(symbol, str) or not symbol:
            raise invalid("symbol is required")
        asset = self._listing.find(symbol)
        if asset is None:
            raise unprocessable(f'asset "{symbol}" not found')
        if not self._listing.trades(asset.symbol):
            raise unprocessable(f'asset "{asset.symbol}" is not tradable')
        side, type_, tif = (str(body.get(name, "")) for name in ("side", "type", "time_in_force"))
        if side not in ("buy", "sell"):
            raise invalid(f"invalid side: {side}" if side else "side is required")
        self._check_kind(asset, type_, tif, body)
        draft = Draft(
            asset=asset,
            side=Side(side),
            type=type_,
            tif=tif,
            ticks=0,
            lots=0,
            notional=number(body, "notional"),
            client_order_id=self._client_id(body),
        )
        draft.ticks = self._ticks(draft, body)
        draft.lots = self._lots(draft, number(body, "qty"))
        self._check_parts(draft)
        self.check_cost(asset, draft.ticks, draft.lots, draft.notional)
        return draft

    @staticmethod
    def _client_id(body: Mapping[str, Any]) -> str | None:
        key = body.get("client_order_id")
        if key is not None and (not isinstance(key, str) or len(key) > CLIENT_ID_MAX):
            raise invalid(f"client_order_id must be no more than {CLIENT_ID_MAX} characters")
        return key or None

    @staticmethod
    def _check_kind(asset: Asset, type_: str, tif: str, body: Mapping[str, Any]) -> None:
        """Whether there are such orders."""
        if type_ in OTHER_TYPES:
            raise unprocessable(f"this emulator has no {type_} orders")
        if type_ not in TYPES:
            raise invalid(f"invalid order type: {type_}" if type_ else "type is required")
        if tif not in TIFS:
            raise invalid(f"invalid time_in_force: {tif}" if tif else "time_in_force is required")
        if asset.crypto and tif not in CRYPTO_TIFS:
            raise unprocessable("invalid crypto time_in_force")
        if tif in ("opg", "cls"):
            raise unprocessable("this emulator has no auctions")
        if body.get("order_class") not in (None, "", "simple"):
            raise unprocessable("this emulator has simple orders only")
        if body.get("extended_hours"):
            if type_ != LIMIT or tif != DAY:
                raise unprocessable("extended hours order must be DAY limit orders")
            raise unprocessable("this emulator has no extended hours")

    def _ticks(self, draft: Draft, body: Mapping[str, Any]) -> int:
        """The limit in ticks; of a market order its collar."""
        asset, price = draft.asset, number(body, "limit_price")
        if draft.type == MARKET:
            if price is not None:
                raise invalid("market orders require no stop or limit price")
            return self.collar(asset, draft.side)
        if price is None:
            raise invalid("limit orders require limit price")
        return self.ticks(asset, price)

    @staticmethod
    def ticks(asset: Asset, price: Decimal) -> int:
        """A limit in ticks. Raises Refused where it is finer than the venue has it."""
        if price % asset.tick:
            if asset.crypto:
                raise invalid("limit_price must be limited to 9 decimal places")
            told = f"invalid limit_price {plain(price)}. sub-penny increment does not fulfill minimum pricing criteria"
            raise unprocessable(told)
        return int(price / asset.tick)

    def collar(self, asset: Asset, side: Side) -> int:
        """How far a market order may go."""
        share = COLLAR_COINS if asset.crypto else COLLAR_SHARES
        price = self._tape.best(asset.symbol, side.opposite)
        return int(price * (1 + side.sign * share) / asset.tick)

    def _lots(self, draft: Draft, quantity: Decimal | None) -> int:
        """The size in lots; what a notional buys at the limit or the best price."""
        asset = draft.asset
        if (quantity is None) == (draft.notional is None):
            neither = quantity is None
            raise invalid("qty or notional is required" if neither else "only one of qty or notional is accepted")
        if draft.notional is not None:
            if draft.notional % Decimal("0.01"):
                raise invalid("notional value must be limited to 2 decimal places")
            best = draft.ticks * asset.tick
            if draft.type == MARKET:
                best = self._tape.best(asset.symbol, draft.side.opposite)
            return int(draft.notional / best / asset.lot)
        assert quantity is not None
        if quantity % asset.lot:
            raise invalid("qty must be limited to 9 decimal places")
        return int(quantity / asset.lot)

    @staticmethod
    def _check_parts(draft: Draft) -> None:
        """Parts of a share are for the day, and not of every share."""
        asset = draft.asset
        part = draft.notional is not None or (draft.lots * asset.lot) % 1
        if asset.crypto or not part:
            return
        if draft.tif != DAY:
            raise unprocessable(errors.FRACTIONAL_TIF)
        if not asset.fractionable:
            raise forbidden(f'asset "{asset.symbol}" is not fractionable')

    @staticmethod
    def check_cost(asset: Asset, ticks: int, lots: int, notional: Decimal | None) -> None:
        """Whether an order is worth enough. Raises Refused."""
        cost = notional if notional is not None else ticks * asset.tick * lots * asset.lot
        least = asset.cost_min_usd
        if cost < least and (asset.crypto or notional is not None or (lots * asset.lot) % 1):
            raise forbidden(f"cost basis must be >= minimal amount of order {plain(least)}")

    @staticmethod
    def check_account(account: Account, draft: Draft, funds: Funds, since_ns: int) -> None:
        """Whether the account may and can. Raises Refused."""
        if account.configurations["suspend_trade"]:
            raise forbidden("new orders are rejected by user request")
        if draft.client_order_id in account.by_client:
            raise invalid(errors.DUPLICATE)
        Desk.check_wash(account, draft.asset, draft.side, draft.type, draft.ticks)
        funds.check(draft.asset, draft.side, draft.lots, draft.ticks)
        funds.check_day_trade(draft.asset, draft.side, since_ns)

    @staticmethod
    def check_wash(account: Account, asset: Asset, side: Side, type_: str, ticks: int) -> None:
        """No order may meet one's own. Raises Refused."""
        for order in account.open.values():
            if order.asset is not asset or order.side is side:
                continue
            if _meets(order, side, type_, ticks):
                kind = "market/stop" if order.type == MARKET else order.type
                reason = f"opposite side {kind} order exists"
                raise forbidden(errors.WASH, existing_order_id=order.id, reject_reason=reason)


def _meets(order: Order, side: Side, type_: str, ticks: int) -> bool:
    if MARKET in (order.type, type_):
        return True
    return (order.ticks - ticks) * side.sign <= 0
