"""Why a venue refuses an order, in the venue's own words, so that who reads them in live has read them before.

Hyperliquid's words for perpetuals, Alpaca's for spot and equities, as their documents, public notes and recorded
answers give them. The checks here need only the order and its instrument; what needs a book or an account is in
matching.
"""

from decimal import Decimal

from venues.market import Instrument, OrderRequest

MARGINED = ("native", "hip3")
"""Asset classes that are held on margin as a perpetual; the rest is bought with cash and lies in the account."""

ALREADY_OVER = "Order was never placed, already canceled, or filled."
DUPLICATE_ID = "client_order_id must be unique"
EXPIRED = "Action already expired"
INSUFFICIENT_BUYING_POWER = "insufficient buying power"
INSUFFICIENT_MARGIN = "Insufficient margin to place order."
INVALID_PRICE = "Order has invalid price."
NOT_MATCHED = "Order could not immediately match against any resting orders."
NOT_ON_TICK = "Price must be divisible by tick size."
WOULD_INCREASE = "Reduce only order would increase position."
ZERO_SIZE = "Order has zero size."
DURING_REPLACE = "Error placing new order during modify: "
"""Hyperliquid takes the old order out first: after this refusal the old one is gone as well."""

CANCEL_REQUESTED = "asked"
CANCEL_IOC = "ioc"
CANCEL_REPLACED = "replaced"
CANCEL_FILLED = "filled"
CANCEL_REDUCE_ONLY = "reduceOnlyCanceled"
CANCEL_SELF_TRADE = "selfTradeCanceled"


def plain(number: Decimal) -> str:
    """A number as venues print it: no exponent, no zeros that say nothing."""
    text = f"{number:f}"
    return text.rstrip("0").rstrip(".") if "." in text else text


def has_too_many_figures(instrument: Instrument, ticks: int) -> bool:
    """Hyperliquid's rule: at most so many significant figures, unless the price is whole."""
    most = instrument.price_figures_max
    price = instrument.price(ticks)
    return most is not None and price != int(price) and len(price.normalize().as_tuple().digits) > most


def flaw(order: OrderRequest, instrument: Instrument, lots_left: int, at_ns: int) -> str:
    """What is wrong with an order by itself; empty when nothing is."""
    if order.expires_ns and at_ns > order.expires_ns:
        return EXPIRED
    if lots_left <= 0:
        return ZERO_SIZE
    if order.ticks <= 0:
        return INVALID_PRICE
    if has_too_many_figures(instrument, order.ticks):
        return NOT_ON_TICK
    return ""


def too_small(order: OrderRequest, instrument: Instrument, lots_left: int) -> str:
    """Refusal of an order below the venue's minimum value; one that only reduces may be as small as what is left."""
    value_usd = instrument.price(order.ticks) * instrument.size(lots_left) * instrument.multiplier
    if order.reduce_only or value_usd >= instrument.notional_min_usd:
        return ""
    least = plain(instrument.notional_min_usd)
    if instrument.asset_class in MARGINED:
        return f"Order must have minimum value of ${least}."
    return f"cost basis must be >= minimal amount of order {least}"


def would_match(bid: Decimal | None, ask: Decimal | None) -> str:
    """Refusal of a post-only order that would have taken."""
    touch = "@".join("" if price is None else plain(price) for price in (bid, ask))
    return f"Post only order would have immediately matched, bbo was {touch}."


def not_enough(asset: str, requested: Decimal, available: Decimal) -> str:
    """Refusal of an order that the cash, or the holding to be sold, does not cover."""
    return f"insufficient balance for {asset} (requested: {plain(requested)}, available: {plain(available)})"


def cannot_be_shorted(symbol: str) -> str:
    """Refusal of a sale that would leave a name short that cannot be."""
    return f'asset "{symbol}" cannot be sold short'
