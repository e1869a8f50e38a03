"""Instruments and fills that the risk tests share."""

from decimal import Decimal
from itertools import count

from daemon.modes import session_calendar
from venues.market import Fill, Instrument, OrderRequest, Side, TimeInForce

BTC = Instrument(  # Hyperliquid: szDecimals 5, so 1 decimal of price
    symbol="BTC", engine="perps", tick=Decimal("0.1"), lot=Decimal("0.00001"), price_figures_max=5, leverage=10
)
KSHIB = Instrument(  # szDecimals 0, so 6 decimals of price
    symbol="kSHIB", engine="perps", tick=Decimal("0.000001"), lot=Decimal(1), price_figures_max=5, leverage=5
)
SOL = Instrument(  # szDecimals 2
    symbol="SOL", engine="perps", tick=Decimal("0.0001"), lot=Decimal("0.01"), price_figures_max=5, leverage=10
)
PEPE = Instrument(  # a tick times a lot is less than a minor unit: every notional is rounded
    symbol="PEPE/USD",
    engine="crypto",
    tick=Decimal("0.000000001"),
    lot=Decimal("0.1"),
    shortable=False,
    asset_class="spot",
)
COST = Instrument(
    symbol="COST",
    engine="equities",
    tick=Decimal("0.01"),
    lot=Decimal(1),
    notional_min_usd=Decimal(1),
    leverage=2,
    sector="Staples",
    asset_class="equity",
)
ALL = (BTC, KSHIB, SOL, PEPE, COST)

calendar = session_calendar
"""When US stocks trade, as the daemon knows it."""

DAY_NS = 86_400 * 1_000_000_000
MINUTE_NS = 60 * 1_000_000_000

_ids = count()


def fill(instrument: Instrument, lots: int, ticks: int, /, **more: object) -> Fill:
    """A fill of signed lots, with an id of its own."""
    said = {
        "engine": instrument.engine,
        "id": f"fill-{next(_ids)}",
        "order_id": "o1",
        "symbol": instrument.symbol,
        "side": Side.BUY if lots > 0 else Side.SELL,
        "lots": abs(lots),
        "ticks": ticks,
        "fee_minor": 0,
        "maker": False,
        "at_ns": 1,
    }
    return Fill(**(said | more))


def request(instrument: Instrument, lots: int, ticks: int = 1000, /, **more: object) -> OrderRequest:
    """An order for signed lots."""
    said = {
        "id": "o1",
        "intent_id": "i1",
        "engine": instrument.engine,
        "symbol": instrument.symbol,
        "side": Side.BUY if lots > 0 else Side.SELL,
        "lots": abs(lots),
        "ticks": ticks,
        "time_in_force": TimeInForce.GTC,
    }
    return OrderRequest(**(said | more))
