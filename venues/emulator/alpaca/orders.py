"""An order as the venue remembers it, and as it tells it over REST and over the stream."""

from decimal import Decimal
from typing import Any

from msgspec import Struct

from venues.emulator.alpaca.figures import plain, stamp
from venues.emulator.alpaca.listing import ENGINE, Asset
from venues.market import OrderRequest, Side, TimeInForce

NEW, PARTIALLY_FILLED, FILLED = "new", "partially_filled", "filled"
ACCEPTED, PENDING_NEW = "accepted", "pending_new"
PENDING_CANCEL, PENDING_REPLACE = "pending_cancel", "pending_replace"
CANCELED, EXPIRED, REPLACED, REJECTED = "canceled", "expired", "replaced", "rejected"
OVER = frozenset({FILLED, CANCELED, EXPIRED, REPLACED, REJECTED})
MARKET, LIMIT = "market", "limit"
DAY, GTC, IOC, FOK = "day", "gtc", "ioc", "fok"
AGAIN = "#"
"""Between an order's id and the number of its try, where it goes to the book again."""
AVERAGE = Decimal("0.000000001")
UNHEARD_OF = "pending_settlement_review"
"""A status that no client knows, for the fault of that name."""


class Telling(Struct):
    """How the venue tells orders just now: faults change it."""

    binary: bool = True  # frames of the trading stream
    mixed: bool = False  # times of all sorts over REST, too
    unknown: bool = False  # a status nobody has heard of stands in for those of live orders


class Order(Struct, kw_only=True):
    """One order. `ticks` is its limit, or the collar of a market order; sizes are lots, times nanoseconds or None."""

    id: str
    client_order_id: str
    asset: Asset
    side: Side
    type: str
    tif: str
    ticks: int
    lots: int
    notional: Decimal | None
    status: str
    created_ns: int
    updated_ns: int
    number: int  # in order of arrival
    intent: str = ""
    routed: bool = False  # whether it got to the market
    tries: int = 0  # how often a market order went to the book in vain
    filled: int = 0
    cost: int = 0  # ticks times lots of what was filled
    filled_ns: int | None = None
    canceled_ns: int | None = None
    expired_ns: int | None = None
    failed_ns: int | None = None
    replaced_ns: int | None = None
    cancel_asked_ns: int | None = None
    replaces: str | None = None
    replaced_by: str | None = None

    @property
    def open(self) -> bool:
        """Whether it may still be filled."""
        return self.status not in OVER

    @property
    def left(self) -> int:
        """Lots that want to be filled."""
        return self.lots - self.filled

    @property
    def fractional(self) -> bool:
        """Whether it is for a part of a share."""
        return not self.asset.crypto and (self.notional is not None or bool((self.lots * self.asset.lot) % 1))

    @property
    def working(self) -> str:
        """What it is called while nothing is asked of it."""
        if not self.routed:
            return ACCEPTED
        return PARTIALLY_FILLED if self.filled else NEW

    def request(self) -> OrderRequest:
        """The order as the matching engine takes it."""
        takes = self.type == MARKET or self.tif in (IOC, FOK)
        return OrderRequest(
            id=f"{self.id}{AGAIN}{self.tries}" if self.tries else self.id,
            intent_id=self.id,
            engine=ENGINE,
            symbol=self.asset.symbol,
            side=self.side,
            lots=self.left,
            ticks=self.ticks,
            time_in_force=TimeInForce.IOC if takes else TimeInForce.GTC,
        )

    def row(self, telling: Telling, *, streamed: bool = False) -> dict[str, Any]:
        """As REST tells it, in UTC; as the stream does, in New York's time but for `filled_at`."""
        asset, local = self.asset, streamed or telling.mixed

        def at(ns: int | None, *, own: bool = True) -> str | None:
            return None if ns is None else stamp(ns, local=local and own)

        strange = telling.unknown and self.open
        return {
            "id": self.id,
            "client_order_id": self.client_order_id,
            "created_at": at(self.created_ns),
            "updated_at": at(self.updated_ns),
            "submitted_at": at(self.created_ns),
            "filled_at": at(self.filled_ns, own=False),
            "expired_at": at(self.expired_ns),
            "canceled_at": at(self.canceled_ns),
            "failed_at": at(self.failed_ns),
            "replaced_at": at(self.replaced_ns),
            "replaced_by": self.replaced_by,
            "replaces": self.replaces,
            "asset_id": asset.id,
            "symbol": asset.symbol,
            "asset_class": "crypto" if asset.crypto else "us_equity",
            "notional": None if self.notional is None else plain(self.notional),
            "qty": None if self.notional is not None else plain(self.lots * asset.lot),
            "filled_qty": plain(self.filled * asset.lot),
            "filled_avg_price": self.average,
            "order_class": "",
            "order_type": self.type,
            "type": self.type,
            "side": self.side.value,
            "position_intent": self.intent,
            "time_in_force": self.tif,
            "limit_price": plain(self.ticks * asset.tick) if self.type == LIMIT else None,
            "stop_price": None,
            "status": UNHEARD_OF if strange else self.status,
            "extended_hours": False,
            "legs": None,
            "trail_percent": None,
            "trail_price": None,
            "hwm": None,
            "subtag": None,
            "source": None,
            "expires_at": None,
        }

    @property
    def average(self) -> str | None:
        """The mean price of what was filled."""
        if not self.filled:
            return None
        return plain((self.asset.tick * self.cost / self.filled).quantize(AVERAGE))
