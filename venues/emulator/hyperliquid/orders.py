"""An order as the venue remembers it, and the shapes in which it is told."""

from typing import Any

from msgspec import Struct

from venues import refusals
from venues.aleatoric.dialects.pieces import pointed
from venues.emulator.hyperliquid import errors
from venues.emulator.hyperliquid.listing import Asset
from venues.market import OrderRequest, Side, TimeInForce

TIFS = {"Alo": TimeInForce.ALO, "Ioc": TimeInForce.IOC, "Gtc": TimeInForce.GTC}
ENGINE = "emulator"
OPEN = "open"

STATUSES = (
    (refusals.NOT_ON_TICK, "tickRejected"),
    (errors.TOO_SMALL, "minTradeNtlRejected"),
    (refusals.INSUFFICIENT_MARGIN, "perpMarginRejected"),
    (refusals.WOULD_INCREASE, "reduceOnlyRejected"),
    ("Post only order would have immediately matched", "badAloPxRejected"),
    (refusals.NOT_MATCHED, "iocCancelRejected"),
    (errors.ORACLE, "oracleRejected"),
    (errors.OVER_TIER, "perpMaxPositionRejected"),
    (errors.CAPPED, "positionIncreaseAtOpenInterestCapRejected"),
)
"""What a refused order is called for ever after, by the beginning of its refusal."""

ENDS = {
    refusals.CANCEL_REQUESTED: "canceled",
    refusals.CANCEL_IOC: "canceled",
    refusals.CANCEL_REDUCE_ONLY: "reduceOnlyCanceled",
    refusals.CANCEL_SELF_TRADE: "selfTradeCanceled",
}


def rejected_status(text: str) -> str:
    """The status of an order that was refused with this text."""
    return next((status for start, status in STATUSES if text.startswith(start)), "rejected")


class Order(Struct):
    """One order. Prices are ticks, sizes lots, times milliseconds."""

    oid: int
    user: str
    asset: Asset
    side: Side
    ticks: int
    lots: int
    tif: str
    reduce_only: bool
    cloid: str | None
    placed_ms: int
    left: int
    hash: str  # of the action that placed it
    stated: int  # what could be filled when its status changed last
    shrunk: int = 0  # of a reduce-only order: what could be filled before the position's last fill
    status: str = OPEN
    status_ms: int = 0

    @property
    def letter(self) -> str:
        """The side as the venue writes it."""
        return "B" if self.side is Side.BUY else "A"

    def request(self) -> OrderRequest:
        """The order as the matching engine takes it."""
        return OrderRequest(
            id=str(self.oid),
            intent_id=str(self.oid),
            engine=ENGINE,
            symbol=self.asset.name,
            side=self.side,
            lots=self.lots,
            ticks=self.ticks,
            time_in_force=TIFS[self.tif],
            reduce_only=self.reduce_only,
        )

    def turn(self, status: str, shown: int, at_ms: int) -> None:
        """What became of it, and what could still be filled then."""
        if status != self.status:
            self.stated = shown
        self.status, self.status_ms = status, at_ms

    def _head(self, left: int) -> dict[str, Any]:
        return {
            "coin": self.asset.name,
            "side": self.letter,
            "limitPx": pointed(self.ticks * self.asset.tick),
            "sz": pointed(left * self.asset.lot),
            "oid": self.oid,
            "timestamp": self.placed_ms,
        }

    def brief(self, shown: int) -> dict[str, Any]:
        """As openOrders has it; `shown` is what may still be filled."""
        row = {**self._head(shown), "origSz": pointed(self.lots * self.asset.lot)}
        return row | {"reduceOnly": True} if self.reduce_only else row

    def full(self, shown: int) -> dict[str, Any]:
        """As frontendOpenOrders, orderStatus and historicalOrders have it."""
        return {
            **self._head(shown),
            "triggerCondition": "N/A",
            "isTrigger": False,
            "triggerPx": "0.0",
            "children": [],
            "isPositionTpsl": False,
            "reduceOnly": self.reduce_only,
            "orderType": "Limit",
            "origSz": pointed(self.lots * self.asset.lot),
            "tif": self.tif,
            "cloid": self.cloid,
        }

    def update(self, shown: int, status: str, at_ms: int) -> dict[str, Any]:
        """As orderUpdates has it."""
        order = {**self._head(shown), "origSz": pointed(self.lots * self.asset.lot)}
        if self.cloid is not None:
            order["cloid"] = self.cloid
        if self.reduce_only:
            order["reduceOnly"] = True
        return {"order": order, "status": status, "statusTimestamp": at_ms}

    def status_row(self) -> dict[str, Any]:
        """As historicalOrders and orderStatus have it: sz is that of the last change of status, not what is left now.

        So a partial fill does not show there (hyperliquid-python-sdk issue 141); openOrders has what is left.
        """
        return {"order": self.full(self.stated), "status": self.status, "statusTimestamp": self.status_ms}
