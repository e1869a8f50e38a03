"""Exhibits: prices, sizes and names of orders that were rounded, cut or built the easy way."""

from decimal import Decimal
from math import floor
from typing import Any

from daemon.graph import new_ids
from daemon.museum.bench import instrument
from daemon.museum.desk import BTC, limit
from daemon.museum.exhibit import Exhibit
from risk.pricing import maker_ticks
from risk.sizing import lots_for
from venues.hyperliquid.actions import cloid, order_wire
from venues.hyperliquid.grid import Grid
from venues.market import OrderRequest, Side, TimeInForce

SHIB = Decimal("0.00001234")
WHOLE = Grid.of(0, 0)  # szDecimals 0, as kSHIB: six decimals of price
ETH_LIKE = Grid.of(1, 2)
CENTS = 2


def _price_of_nothing(text: str) -> bool:
    return 0 < Decimal(text) <= SHIB and Decimal(text) > SHIB * Decimal("0.95")


PRICE_TO_ZERO = Exhibit(
    name="l9-price-to-zero",
    story="A limit price with two decimals sent a coin of a thousandth of a cent to market at 0.00.",
    sources=("L9",),
    stake="an order at no price: refused at best",
    right=lambda: WHOLE.price_text(WHOLE.ticks(SHIB, Side.BUY)),
    wrong=lambda: f"{round(float(SHIB), CENTS):.2f}",
    check=_price_of_nothing,
)

CAP_USD, PRICE = Decimal(25), 63_700.0


def _worth(lots: int) -> Decimal:
    btc = instrument()
    return btc.size(lots) * btc.price(btc.ticks(PRICE))


SIZE_OVER_CAP = Exhibit(
    name="l9-size-over-cap",
    story="Rounding a size to the nearest lot bought more than the cap allowed.",
    sources=("L9",),
    stake="every second order is over its cap",
    right=lambda: _worth(lots_for(CAP_USD, instrument().ticks(PRICE), instrument())),
    wrong=lambda: _worth(int(float(CAP_USD) / PRICE / float(instrument().lot) + 1)),
    check=lambda worth: CAP_USD * Decimal("0.9") < worth <= CAP_USD,
)


def _lost_lots(lots_of: Any) -> int:
    """Of all exact sizes to 10.00, how many lose a lot."""
    return sum(lots_of(f"{number / 100:.2f}") != number for number in range(1, 1001))


FLOAT_LOTS = Exhibit(
    name="d7-lots-in-floats",
    story="floor(0.58 * 100) is 57: one exact size in twenty lost a lot, and the lot stayed behind as dust.",
    sources=("D7",),
    stake="positions that never close whole",
    right=lambda: _lost_lots(lambda text: ETH_LIKE.lots(Decimal(text))),
    wrong=lambda: _lost_lots(lambda text: floor(float(text) * 10**2)),
    check=lambda lost: lost == 0,
)

THIN = Decimal("0.0123456")
FOUR_DECIMALS = Exhibit(
    name="d8-four-decimals",
    story="Prices below a dollar were cut to four decimals where the venue takes five figures.",
    sources=("D8",),
    stake="0.4 % of every order in a thin coin",
    right=lambda: WHOLE.price_text(WHOLE.ticks(THIN, Side.SELL)),
    wrong=lambda: str(round(float(THIN), 4)),
    check=lambda text: abs(Decimal(text) / THIN - 1) < Decimal("0.0001"),
)


ETH_BID = 2_000.19
SIDE_BLIND = Exhibit(
    name="d8-side-blind-rounding",
    story="A resting buy was rounded to the nearest price, up and across the spread.",
    sources=("D8",),
    stake="a maker that takes, or a post-only order that is refused",
    right=lambda: Decimal(maker_ticks(Side.BUY, ETH_BID, instrument("ETH"))) * instrument("ETH").tick,
    wrong=lambda: Decimal(str(round(ETH_BID, 1))),
    check=lambda price: price <= Decimal(str(ETH_BID)),
)


def _names(make: Any) -> int:
    """How many different names a hundred orders of one second have."""
    return len({make() for _ in range(100)})


def _by_second() -> str:
    return f"z_BTC_{1_767_600_000}"


def _ours() -> int:
    orders = new_ids("run-1", "perps", "order")
    return _names(lambda: cloid(orders()))


IDS_BY_SECOND = Exhibit(
    name="d17-ids-by-the-second",
    story="Order names were made of symbol and second, so two orders in one second had one name.",
    sources=("D17",),
    stake="one of the two can be neither found nor cancelled",
    right=_ours,
    wrong=lambda: _names(_by_second),
    check=lambda different: different == 100,
)


def _order(how: TimeInForce, *, reduce_only: bool) -> dict[str, Any]:
    order = OrderRequest(
        id="o1",
        intent_id="i1",
        engine="perps",
        symbol="BTC",
        side=Side.SELL,
        lots=10,
        ticks=660_000,
        time_in_force=how,
        reduce_only=reduce_only,
    )
    return order_wire(order, BTC, Grid.of(BTC, 5))


NAMELESS_TAKER = Exhibit(
    name="d10-nameless-taker",
    story="Orders that cross had no client id, and exits were not reduce-only: a lost one could not be looked up.",
    sources=("D10",),
    stake="an exit sent twice turns the position over",
    right=lambda: _order(TimeInForce.IOC, reduce_only=True),
    wrong=lambda: limit(BTC, "sell", "66000", "0.0001", "Ioc"),
    check=lambda wire: bool(wire.get("c")) and wire["r"] is True,
)


EXHIBITS = (
    PRICE_TO_ZERO,
    SIZE_OVER_CAP,
    FLOAT_LOTS,
    FOUR_DECIMALS,
    SIDE_BLIND,
    IDS_BY_SECOND,
    NAMELESS_TAKER,
)
