"""Urgency: the routing table of the seed, cell by cell, and the price it leads to."""

from decimal import Decimal
from math import nan

import pytest

from actors.urgency import limit_ticks, time_in_force
from config.load import load_profile
from risk.intent import Purpose
from venues.market import Instrument, Side, TimeInForce

ALO, IOC = TimeInForce.ALO, TimeInForce.IOC
ROUTES = {
    ("native", Purpose.ENTRY, 1.3): ALO,
    ("native", Purpose.ENTRY, 9.0): ALO,
    ("native", Purpose.ENTRY, nan): ALO,
    ("native", Purpose.EXIT, 0.0): ALO,
    ("hip3", Purpose.ENTRY, 2.99): ALO,
    ("hip3", Purpose.ENTRY, 3.0): IOC,
    ("hip3", Purpose.ENTRY, nan): ALO,
    ("hip3", Purpose.EXIT, 0.0): IOC,
    ("hip3", Purpose.EXIT, 9.0): IOC,
}


@pytest.mark.parametrize(("asset_class", "purpose", "z_abs"), list(ROUTES))
def test_routes(asset_class, purpose, z_abs):
    route = load_profile("perps").routes[asset_class]
    assert time_in_force(route, purpose, z_abs) is ROUTES[asset_class, purpose, z_abs]
    assert time_in_force(route, purpose, z_abs, forced=True) is IOC


INSTRUMENT = Instrument(symbol="X", engine="perps", tick=Decimal("0.1"), lot=Decimal("0.001"), price_figures_max=5)


@pytest.mark.parametrize(
    ("side", "how", "price"),
    [
        (Side.BUY, ALO, "1000.1"),  # joins the best bid
        (Side.SELL, ALO, "1000.3"),
        (Side.BUY, IOC, "1001.4"),  # the ask and 10 bps, 1001.3003, rounded outward
        (Side.SELL, IOC, "999.0"),  # the bid less 10 bps, 999.0999, rounded outward
    ],
)
def test_a_resting_order_joins_and_a_crossing_one_has_a_bound(side, how, price):
    ticks = limit_ticks(INSTRUMENT, side, (1000.1, 1000.3), how, 10.0)
    assert INSTRUMENT.price(ticks) == Decimal(price)
