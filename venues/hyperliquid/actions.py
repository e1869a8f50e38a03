"""Actions as Hyperliquid's /exchange wants them: plain dicts, whose order of keys is part of what is signed.

Sources: Hyperliquid docs, "Exchange endpoint"; where the venue's SDK builds the same action, its bytes are equal.
"""

from collections.abc import Sequence
from hashlib import blake2b
from typing import Any

from venues.hyperliquid.grid import Grid, plain
from venues.market import OrderRequest, Side, TimeInForce

Action = dict[str, Any]
Target = int | str
"""Which order is meant: the venue's number (oid) or our name for it (cloid)."""

CLOID_BYTES = 16
CLOID_PERSON = b"obid order"
"""Keeps our cloids apart from other hashes of the same text."""
TIFS = {TimeInForce.ALO: "Alo", TimeInForce.IOC: "Ioc", TimeInForce.GTC: "Gtc"}
USD_DECIMALS = 6
"""Money is in millionths of a dollar, as the venue's own USDC is."""


def cloid(order_id: str) -> str:
    """The venue's name for our order: 128 bits that follow from ours. There is no way back but to keep a table."""
    return "0x" + blake2b(order_id.encode(), digest_size=CLOID_BYTES, person=CLOID_PERSON).hexdigest()


def order_wire(order: OrderRequest, asset: int, grid: Grid, lots: int | None = None) -> Action:
    """One order inside an action.

    lots: what is still to be had where the order takes the place of one that has fills; all of it if not said.
    ValueError: a price or size that the venue would not take.
    """
    return {
        "a": asset,
        "b": order.side is Side.BUY,
        "p": grid.price_text(order.ticks),
        "s": grid.size_text(order.lots if lots is None else lots),
        "r": order.reduce_only,
        "t": {"limit": {"tif": TIFS[order.time_in_force]}},
        "c": cloid(order.id),
    }


def place(wires: Sequence[Action]) -> Action:
    """New orders. The venue puts actions of post-only orders alone before others, so don't mix."""
    return {"type": "order", "orders": list(wires), "grouping": "na"}


def cancel(orders: Sequence[tuple[int, int]]) -> Action:
    """Cancel by (asset, the venue's number)."""
    return {"type": "cancel", "cancels": [{"a": asset, "o": oid} for asset, oid in orders]}


def cancel_by_cloid(orders: Sequence[tuple[int, str]]) -> Action:
    """Cancel by (asset, cloid): works before the venue has told its number."""
    return {"type": "cancelByCloid", "cancels": [{"asset": asset, "cloid": name} for asset, name in orders]}


def modify(target: Target, wire: Action, *, always: bool = False) -> Action:
    """Put an order in the place of another; the answer has no number for the new one.

    always: place it even if the old one was over. The key is left out otherwise: the venue refuses it when false.
    """
    return {"type": "modify", "oid": target, "order": wire, **({"a": True} if always else {})}


def batch_modify(modifies: Sequence[tuple[Target, Action]], *, always: bool = False) -> Action:
    """The same for several, with a status for each in the answer."""
    pairs = [{"oid": target, "order": wire} for target, wire in modifies]
    return {"type": "batchModify", "modifies": pairs, **({"a": True} if always else {})}


def update_leverage(asset: int, leverage: int, *, cross: bool) -> Action:
    """Set the leverage of an asset, of the whole account (cross) or of this position alone."""
    return {"type": "updateLeverage", "asset": asset, "isCross": cross, "leverage": leverage}


def schedule_cancel(at_ms: int | None) -> Action:
    """Cancel all orders at a time, five seconds ahead at least; None takes that back. Accounts earn it by volume."""
    return {"type": "scheduleCancel"} if at_ms is None else {"type": "scheduleCancel", "time": at_ms}


def noop() -> Action:
    """Nothing; it burns its nonce, so that an action that was signed with the same one can't happen any more."""
    return {"type": "noop"}


def usd_class_transfer(amount_minor: int, nonce: int, *, to_perp: bool, subaccount: str | None = None) -> Action:
    """Move USDC between spot and perpetuals. Only the master's own key may sign it."""
    if amount_minor <= 0:
        raise ValueError(f"amount_minor is {amount_minor}; a transfer needs a positive amount")
    amount = plain(amount_minor, USD_DECIMALS) + (f" subaccount:{subaccount}" if subaccount else "")
    return {"type": "usdClassTransfer", "amount": amount, "toPerp": to_perp, "nonce": nonce}
