"""Short names for making markets and orders in tests of the venues."""

from collections.abc import Iterable, Sequence
from decimal import Decimal
from typing import Any

from venues.market import AccountEvent, Book, Fill, Instrument, Level, OrderRequest, Side, TimeInForce, Trade
from venues.matching import MatchingEngine

BUY, SELL = Side.BUY, Side.SELL
ALO, GTC, IOC = TimeInForce.ALO, TimeInForce.GTC, TimeInForce.IOC
CASH_MINOR = 10_000_000_000  # 10,000 USD
FEES = {"native": (1.5, 4.5), "hip3": (3.0, 9.0), "spot": (15.0, 25.0), "equity": (0.0, 0.0)}

PERP = Instrument(
    symbol="BTC",
    engine="perps",
    tick=Decimal("0.1"),
    lot=Decimal("0.001"),
    leverage=5,
    price_figures_max=5,
)
"""A price of 1000 ticks is 100 USD; a lot there is worth 0.10 USD, so 100 lots are the smallest order."""

SPOT = Instrument(
    symbol="BTC/USD",
    engine="crypto",
    tick=Decimal("0.1"),
    lot=Decimal("0.001"),
    shortable=False,
    asset_class="spot",
)


def book(
    bids: Iterable[tuple[float, float]], asks: Iterable[tuple[float, float]], at_ns: int = 0, symbol: str = "BTC"
) -> Book:
    """A book from (ticks, lots) pairs on the grid of PERP and SPOT."""

    def side(pairs: Iterable[tuple[float, float]]) -> tuple[Level, ...]:
        return tuple(Level(ticks / 10, lots / 1000) for ticks, lots in pairs)

    return Book(symbol, at_ns, at_ns, side(bids), side(asks))


def trade(ticks: int, lots: int, side: Side, at_ns: int = 0, symbol: str = "BTC") -> Trade:
    """A trade of so many lots at a price in ticks; `side` is the aggressor's."""
    return Trade(symbol, at_ns, at_ns, ticks / 10, lots / 1000, side)


def order(id: str, side: Side, lots: int, ticks: int, time_in_force: TimeInForce = GTC, **more: Any) -> OrderRequest:
    """An order for BTC on the perps engine, unless told otherwise."""
    fields = {"engine": "perps", "symbol": "BTC", "intent_id": f"intent-{id}", **more}
    return OrderRequest(id=id, side=side, lots=lots, ticks=ticks, time_in_force=time_in_force, **fields)


def perps(*instruments: Instrument, cash_minor: int = CASH_MINOR) -> MatchingEngine:
    """A perps engine."""
    return MatchingEngine("perps", instruments or (PERP,), FEES, cash_minor)


def words(events: Sequence[AccountEvent]) -> list[str]:
    """Events as text: type, order, and the number or reason that matters."""

    def said(event: AccountEvent) -> str:
        if isinstance(event, Fill):
            return f"Fill {event.order_id} {event.lots}@{event.ticks} {'maker' if event.maker else 'taker'}"
        what = getattr(event, "reason", "") or getattr(event, "amount_minor", "")
        return f"{type(event).__name__} {getattr(event, 'order_id', event.engine)} {what}".strip()

    return [said(event) for event in events]
