"""What Alpaca takes: prices, sizes and times in force of an order, as its documents and refusals give them.

Sources: docs.alpaca.markets "Orders at Alpaca", "Crypto Orders", "Fractional Trading", "Replace an Order". What the
venue would refuse for sure is refused here, in its words, with "not sent" before them: that saves a request, and proof
costs nothing. What only the venue knows (what is borrowed out, buying power, day trades) is left to the venue.

There is no post-only order at Alpaca. One that must not take is held against the best price of the other side that was
last heard, and refused here if it would match; what moves while it travels can make it a taker all the same.
"""

from collections.abc import Sequence
from datetime import UTC, datetime
from decimal import ROUND_CEILING, ROUND_DOWN, ROUND_FLOOR, Decimal
from zoneinfo import ZoneInfo

from msgspec.structs import replace

from config.universe import SymbolFacts
from supervisor.clock import NS_PER_S
from venues.alpaca.trading_wire import CRYPTO, EQUITY, Asset
from venues.market import Instrument, OrderRequest, Side, TimeInForce
from venues.refusals import plain

NEW_YORK = ZoneInfo("America/New_York")
SPOT, SHARE = "spot", "equity"
"""Asset classes of the profiles; what the venue calls crypto and us_equity."""

CLASSES = {SPOT: CRYPTO, SHARE: EQUITY}

DOLLAR = Decimal(1)
CENT, FINE = Decimal("0.01"), Decimal("0.0001")
"""SEC Rule 612: prices from one dollar on in cents, below in hundredths of one. Fills may be finer than orders, so a
share's tick is the finer one."""

COST_BASIS_MIN_USD = {SPOT: Decimal(10), SHARE: Decimal(1)}
"""403, 40310000: "cost basis must be >= minimal amount of order 10"."""

CRYPTO_STEP = Decimal("0.000000001")
"""Of a coin's size and price where /v2/assets does not say."""

ID_CHARS_MAX = 128
"""Of a client_order_id (docs, "Orders at Alpaca")."""

TWIN_ROOM = Decimal("1.05")
"""An order that uses up an id is worth so much of the least: prices are rounded."""

NEAREST = Decimal("0.8")
"""It is no nearer to a buy's price than this."""

TWIN_FROM = Decimal("0.9")
"""Between that and one."""

SHUT_CODES = {40310100: "pattern day trading"}
"""Refusals that come again with the next order, whatever it is: code -> what they are called."""

SHUT_WORDS = ("short", "not tradable", "is not active", "pattern day trading", "not allowed to")
"""Of 40310000, which is also lack of money: what makes it one that comes again. A name that cannot be borrowed this
minute will not be lent in the next (README of obi-execution-engine: one refusal for each bar, all day)."""


class NotSendable(ValueError):
    """An order that the venue would refuse for sure."""


def instrument_of(asset: Asset, facts: SymbolFacts, *, may_short: bool) -> Instrument:
    """What is traded, with the venue's own grid."""
    crypto = facts.asset_class == SPOT
    # a share's lot is a whole one: no fraction is sold short, replaced, or taken at once
    lot = (asset.min_trade_increment or CRYPTO_STEP) if crypto else Decimal(1)
    tick = (asset.price_increment or CRYPTO_STEP) if crypto else FINE
    return Instrument(
        symbol=facts.symbol,
        engine=facts.engine,
        tick=tick,
        lot=lot,
        notional_min_usd=COST_BASIS_MIN_USD[facts.asset_class],
        shortable=not crypto and asset.shortable and asset.easy_to_borrow and may_short,
        leverage=facts.leverage,
        sector=facts.sector,
        asset_class=facts.asset_class,
    )


def limit_price(instrument: Instrument, side: Side, ticks: int) -> Decimal:
    """The nearest price that the venue takes, never worse than asked: down for a buy, up for a sale."""
    price = instrument.price(ticks)
    if instrument.asset_class != SHARE:
        return price
    step = CENT if price >= DOLLAR else FINE
    rounding = ROUND_FLOOR if side is Side.BUY else ROUND_CEILING
    return (price / step).to_integral_value(rounding) * step


def time_in_force(instrument: Instrument, how: TimeInForce, size: Decimal) -> str:
    """The venue's word. Crypto knows gtc and ioc; a share's order is for the day, and a fraction's is nothing else."""
    if instrument.asset_class == SPOT:
        return "ioc" if how is TimeInForce.IOC else "gtc"
    whole = size == size.to_integral_value()
    return "ioc" if how is TimeInForce.IOC and whole else "day"


def order_body(
    order: OrderRequest, instrument: Instrument, lots: int, opposite: Decimal | None, size_min: Decimal | None = None
) -> dict[str, str]:
    """The body of POST /v2/orders for `lots` of an order. Raises NotSendable.

    `opposite` is the best price of the other side as last heard, None if nobody has: it is what a post-only order is
    held against. `size_min` is the asset's min_order_size.
    """
    size, price = instrument.size(lots), limit_price(instrument, order.side, order.ticks)
    if lots <= 0 or price <= 0:
        raise NotSendable(f"{plain(size)} at {plain(price)} is no order")
    if len(order.id) > ID_CHARS_MAX:
        raise NotSendable(f"its id has {len(order.id)} characters, {ID_CHARS_MAX} are allowed")
    if not order.reduce_only:
        _check_entry(order, instrument, size, price, size_min)
    if order.time_in_force is TimeInForce.ALO:
        refuse_taking(order, price, opposite)
    return {
        "symbol": order.symbol,
        "qty": plain(size),
        "side": order.side.value,
        "type": "limit",
        "time_in_force": time_in_force(instrument, order.time_in_force, size),
        "limit_price": plain(price),
        "client_order_id": order.id,
    }


def replace_body(order: OrderRequest, instrument: Instrument, opposite: Decimal | None) -> dict[str, str]:
    """The body of PATCH /v2/orders/{id}: another price and nothing else, because a quantity would have to be whole.

    Raises NotSendable.
    """
    price = limit_price(instrument, order.side, order.ticks)
    if price <= 0:
        raise NotSendable(f"a price of {plain(price)} is none")
    if order.time_in_force is TimeInForce.ALO:
        refuse_taking(order, price, opposite)
    return {"limit_price": plain(price), "client_order_id": order.id}


def refuse_taking(order: OrderRequest, price: Decimal, opposite: Decimal | None) -> None:
    """Refuse a post-only order that would match at once. Raises NotSendable."""
    if opposite is None:
        return
    takes = price >= opposite if order.side is Side.BUY else price <= opposite
    if takes:
        raise NotSendable(f"post only would have immediately matched, the other side is at {plain(opposite)}")


def _check_entry(
    order: OrderRequest, instrument: Instrument, size: Decimal, price: Decimal, size_min: Decimal | None
) -> None:
    """What the venue says of sizes and short sales. An exit is sent all the same: only the venue's word ends it."""
    if size * price < instrument.notional_min_usd:
        least = plain(instrument.notional_min_usd)
        raise NotSendable(f"cost basis must be >= minimal amount of order {least}, this has {plain(size * price)}")
    if size_min is not None and size < size_min:
        raise NotSendable(f"qty must be >= min_order_size {plain(size_min)}, this has {plain(size)}")
    if order.side is Side.SELL and not instrument.shortable:
        raise NotSendable(f"{order.symbol} cannot be sold short here")


def shuts(code: int, message: str) -> str:
    """Why a refusal shuts a symbol's entries for the day; empty if it may be otherwise with the next order."""
    if code in SHUT_CODES:
        return SHUT_CODES[code]
    text = message.lower()
    return message if any(word in text for word in SHUT_WORDS) else ""


def twin_body(order: OrderRequest, instrument: Instrument, lots: int, time_in_force: str) -> dict[str, str] | None:
    """An order of the same id that nobody fills: half the price, or twice (docs/decisions/0011).

    Same symbol and side, and no more lots than the order it stands for, so that a fill of it, which a market that has
    halved in a second could make, is a fill of that order at a better price than it asked. A small order's twin is
    nearer (a buy) or farther (a sale), so that it is worth what the venue takes. None: there is no such price.
    """
    buys, price = order.side is Side.BUY, instrument.price(order.ticks)
    size, least = instrument.size(lots), instrument.notional_min_usd * TWIN_ROOM
    if lots <= 0 or price <= 0:
        return None
    far = max(price / 2, least / size) if buys else max(price * 2, least / size)
    if buys and far > price * NEAREST:
        return None
    limit = limit_price(instrument, order.side, int((far / instrument.tick).to_integral_value(ROUND_CEILING)))
    if limit <= 0:
        return None
    enough = int((least / limit / instrument.lot).to_integral_value(ROUND_CEILING))
    size = instrument.size(min(lots, max(1, enough)))
    if size * limit < instrument.notional_min_usd:
        return None
    return {
        "symbol": order.symbol,
        "qty": plain(size),
        "side": order.side.value,
        "type": "limit",
        "time_in_force": time_in_force,
        "limit_price": plain(limit),
        "client_order_id": order.id,
    }


def twin_bodies(
    order: OrderRequest, instrument: Instrument, lots: int, times_in_force: Sequence[str]
) -> list[dict[str, str]]:
    """Its twins, to be tried one after the other: of a sale a purchase too, for the case that there is nothing to sell.

    An exit in doubt is followed by another one where the venue lets nobody sell more than he has; once that has sold
    all, no sale uses up the id of the first. A purchase at half the price needs a few dollars, and the id is as used.
    """
    sides = (order.side,) if order.side is Side.BUY else (Side.SELL, Side.BUY)
    bodies = (twin_body(replace(order, side=side), instrument, lots, how) for side in sides for how in times_in_force)
    return [body for body in bodies if body is not None]


def is_twin(order: OrderRequest, instrument: Instrument, limit: Decimal | None) -> bool:
    """Whether an order of this id and limit is a twin: farther from the price than any rounding of the venue's."""
    if limit is None:
        return False
    price = limit_price(instrument, order.side, order.ticks)
    return limit < price * TWIN_FROM or limit * TWIN_FROM > price


def whole_lots(instrument: Instrument, size: Decimal) -> int:
    """A size in lots, what is less than one cut off."""
    return int((size / instrument.lot).to_integral_value(ROUND_DOWN))


def day_of(at_ns: int) -> str:
    """The date in New York, as the venue's calendar writes it."""
    return datetime.fromtimestamp(at_ns / NS_PER_S, UTC).astimezone(NEW_YORK).date().isoformat()
