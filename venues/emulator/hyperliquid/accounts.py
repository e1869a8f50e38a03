"""One account across its dexs: what it ordered, what was filled, what it was paid, what its subscribers hear of it."""

from collections import deque
from collections.abc import Iterable, Iterator
from decimal import Decimal
from typing import Any

from msgspec import Struct

from supervisor.clock import NS_PER_MS
from venues import refusals
from venues.aleatoric.dialects.pieces import pointed
from venues.emulator.hyperliquid.clearinghouse import Booked, Clearinghouse, money
from venues.emulator.hyperliquid.config import AccountConfig, ExchangeConfig
from venues.emulator.hyperliquid.frames import frame
from venues.emulator.hyperliquid.listing import Asset, Listing
from venues.emulator.hyperliquid.minting import Mint
from venues.emulator.hyperliquid.orders import ENDS, OPEN, Order, rejected_status
from venues.emulator.hyperliquid.tape import Tape
from venues.market import MINOR_PER_USD, Accepted, AccountEvent, Cancelled, Fill, FundingPaid, Rejected

ORDERS_KEPT_MAX = 20_000  # that are over, and can still be asked for
FILLS_KEPT_MAX = 10_000  # the venue's own figure (docs, userFillsByTime)
NO_HASH = "0x" + "0" * 64
DAY_NS = 86_400_000_000_000
NOT_ASKED = frozenset({"selfTradeCanceled", "delistedCanceled", "scheduledCancel", "marginCanceled"})
"""Ends that userEvents tells as nonUserCancel; a reduce-only order that has nothing left is not (testnet, 2026-10)."""


class Plan(Struct):
    """A scheduled cancel of everything."""

    at_ms: int = 0  # 0: none
    day: int = 0
    triggered: int = 0  # on that day


class News(Struct):
    """What has happened to an account and was not yet told."""

    updates: list[dict[str, Any]]
    fills: list[dict[str, Any]]
    cancels: list[dict[str, Any]]
    fundings: list[dict[str, Any]]


class Account:
    """Everything of one address."""

    def __init__(
        self, config: AccountConfig, exchange: ExchangeConfig, listing: Listing, tape: Tape, mint: Mint
    ) -> None:
        self.address = config.address.lower()
        self.master = config.master.lower()
        self.deposited = bool(config.usd)
        self.spot_minor = round(config.spot_usd * MINOR_PER_USD)
        self.houses = {
            dex: Clearinghouse(assets, tape, exchange.fees, Decimal(config.usd.get(dex, 0)))
            for dex, assets in listing.dexs.items()
        }
        self.orders: dict[int, Order] = {}
        self.live: dict[int, Order] = {}
        self.cloids: dict[str, int] = {}
        self.fills: deque[dict[str, Any]] = deque(maxlen=FILLS_KEPT_MAX)
        self.fundings: list[dict[str, Any]] = []
        self.ledger: list[dict[str, Any]] = []
        self.volume = Decimal(config.volume_usd)
        self.requests_used = 0
        self.limited_ns = 0  # when a request was last let through although the budget is used up
        self.plan = Plan()
        self._mint = mint
        self._news = News([], [], [], [])
        self._hash = NO_HASH

    def house(self, asset: Asset) -> Clearinghouse:
        """The clearinghouse of an asset's dex."""
        return self.houses[asset.dex]

    def find(self, key: int | str) -> Order | None:
        """An order by its oid or cloid."""
        oid = self.cloids.get(key.lower()) if isinstance(key, str) else key
        return None if oid is None else self.orders.get(oid)

    def shown(self, order: Order) -> int:
        """What of an order may still be filled: of a reduce-only order no more than the position."""
        if not order.reduce_only or order.status != OPEN:
            return order.left
        position = self.house(order.asset).booked_lots(order.asset.name) * -order.side.sign
        return max(0, min(order.left, position))

    # --- orders -------------------------------------------------------------------------------------------------------

    def place(self, order: Order, now_ns: int) -> tuple[list[Fill], str]:
        """Give an order to the matching engine; returns what it filled at once, and why it was refused if it was."""
        self._know(order)
        self._hash = order.hash
        events = self.house(order.asset).engine.submit(order.request(), now_ns)
        self.absorb(events, now_ns)
        self._hash = NO_HASH
        mine = [event for event in events if isinstance(event, Fill) and event.order_id == str(order.oid)]
        return mine, next((event.reason for event in events if isinstance(event, Rejected)), "")

    def refuse(self, order: Order, text: str, now_ns: int) -> None:
        """An order that never gets to the matching engine."""
        self._know(order)
        self._tell(order, rejected_status(text), now_ns)

    def cancel(self, order: Order, now_ns: int, status: str = "") -> None:
        """Take a resting order out; `status` says why, if its owner did not ask."""
        events = self.house(order.asset).engine.cancel(str(order.oid), now_ns)
        self.absorb(events, now_ns, status)

    def _know(self, order: Order) -> None:
        self.orders[order.oid] = self.live[order.oid] = order
        if order.cloid is not None:
            self.cloids[order.cloid] = order.oid
        if len(self.orders) > ORDERS_KEPT_MAX:
            oldest = next((oid for oid in self.orders if oid not in self.live), None)
            if oldest is not None:
                gone = self.orders.pop(oldest)
                if gone.cloid is not None and self.cloids.get(gone.cloid) == oldest:
                    del self.cloids[gone.cloid]

    # --- what the engines say -----------------------------------------------------------------------------------------

    def absorb(self, events: Iterable[AccountEvent], now_ns: int, status: str = "") -> None:
        """Take the engine's events in; their time is that of the block, `now_ns`."""
        for event in events:
            match event:
                case Accepted(order_id=oid):
                    self._tell(self.orders[int(oid)], OPEN, now_ns)
                case Fill():
                    self._filled(event, now_ns)
                case Cancelled(order_id=oid, reason=reason):
                    if reason != refusals.CANCEL_FILLED:
                        self._tell(self.orders[int(oid)], status or ENDS[reason], now_ns)
                case Rejected(order_id=oid, reason=reason):
                    self._tell(self.orders[int(oid)], rejected_status(reason), now_ns)
                case FundingPaid():
                    pass  # `fund` tells it, with what the event does not know

    def _filled(self, fill: Fill, now_ns: int) -> None:
        order = self.orders[int(fill.order_id)]
        for other in self.live.values():
            if other.reduce_only and other.asset is order.asset:
                other.shrunk = self.shown(other)
        booked = self.house(order.asset).book(fill)
        order.left -= fill.lots
        self.volume += fill.ticks * order.asset.tick * fill.lots * order.asset.lot
        self._add_fill(self._fill_row(order, booked, now_ns))
        self._tell(order, OPEN if order.left else "filled", now_ns)

    def _fill_row(self, order: Order, booked: Booked, now_ns: int) -> dict[str, Any]:
        fill, asset = booked.fill, order.asset
        tid = self._mint.tid()
        row = {
            "coin": asset.name,
            "px": pointed(fill.ticks * asset.tick),
            "sz": pointed(fill.lots * asset.lot),
            "side": order.letter,
            "time": now_ns // NS_PER_MS,
            "startPosition": pointed(booked.lots_before * asset.lot),
            "dir": booked.direction,
            "closedPnl": money(booked.closed_minor),
            "hash": self._mint.hash("maker", tid) if fill.maker else self._hash,
            "oid": order.oid,
            "crossed": not fill.maker,
            "fee": money(fill.fee_minor),
            "tid": tid,
        }
        if order.cloid is not None:
            row["cloid"] = order.cloid
        return row | {"feeToken": "USDC", "twapId": None}

    def _add_fill(self, row: dict[str, Any]) -> None:
        self.fills.append(row)
        self._news.fills.append(row)

    def _tell(self, order: Order, status: str, now_ns: int) -> None:
        """An order is now this, and its owner hears it."""
        at_ms = now_ns // NS_PER_MS
        shown = order.shrunk if status == "reduceOnlyCanceled" else self.shown(order)
        order.turn(status, shown, at_ms)
        if status != OPEN:
            self.live.pop(order.oid, None)
        self._news.updates.append(order.update(shown, status, at_ms))
        if status in NOT_ASKED:
            self._news.cancels.append({"coin": order.asset.name, "oid": order.oid})

    # --- what happens to all ------------------------------------------------------------------------------------------

    def fund(self, asset: Asset, rate: Decimal, oracle_ticks: int, at_ns: int) -> None:
        """Settle an hour of funding."""
        house = self.house(asset)
        for event in house.engine.fund(asset.name, rate, oracle_ticks, at_ns):
            if isinstance(event, FundingPaid):
                house.paid(asset.name, event.amount_minor)
                delta = {
                    "type": "funding",
                    "coin": asset.name,
                    "usdc": money(event.amount_minor),
                    "szi": pointed(house.lots(asset.name) * asset.lot),
                    "fundingRate": pointed(rate),
                    "nSamples": None,
                }
                self.fundings.append({"time": at_ns // NS_PER_MS, "hash": NO_HASH, "delta": delta})
                self._news.fundings.append(self.fundings[-1])

    def delist(self, asset: Asset, mark_ticks: int, now_ns: int) -> None:
        """A name goes: its orders end, its position is settled at the mark."""
        for order in [order for order in self.live.values() if order.asset.name == asset.name]:
            self.cancel(order, now_ns, "delistedCanceled")
        house = self.house(asset)
        if house.lots(asset.name):
            lots, closed = house.settle(asset.name, mark_ticks)
            self._add_fill(
                {
                    "coin": asset.name,
                    "px": pointed(mark_ticks * asset.tick),
                    "sz": pointed(abs(lots) * asset.lot),
                    "side": "A" if lots > 0 else "B",
                    "time": now_ns // NS_PER_MS,
                    "startPosition": pointed(lots * asset.lot),
                    "dir": "Settlement",
                    "closedPnl": money(closed),
                    "hash": NO_HASH,
                    "oid": self._mint.oid(),
                    "crossed": False,
                    "fee": "0.0",
                    "tid": self._mint.tid(),
                    "feeToken": "USDC",
                    "twapId": None,
                }
            )

    def move(self, dex: str, minor: int) -> None:
        """Put money into a dex, or take it out."""
        self.houses[dex].engine.account.cash_minor += minor
        self.deposited = True

    def note(self, delta: dict[str, Any], now_ns: int, *parts: object) -> None:
        """Write a movement of money into the ledger."""
        row = {"time": now_ns // NS_PER_MS, "hash": self._mint.hash(self.address, *parts), "delta": delta}
        self.ledger.append(row)

    # --- what is told -------------------------------------------------------------------------------------------------

    def flush(self) -> Iterator[tuple[str, bytes]]:
        """(topic, frame) of what happened since the last time: orders before fills, as the venue has it."""
        news = self._news
        if not (news.updates or news.fills or news.cancels or news.fundings):
            return
        self._news = News([], [], [], [])
        user = self.address
        if news.updates:
            yield f"orderUpdates:{user}", frame("orderUpdates", news.updates)
        if news.fills:
            told = frame("userFills", {"user": user, "fills": news.fills})
            yield f"userFills:{user}", told
            yield f"userEvents:{user}", frame("user", {"fills": news.fills})
        if news.cancels:
            yield f"userEvents:{user}", frame("user", {"nonUserCancel": news.cancels})
        for row in news.fundings:
            delta = {name: row["delta"][name] for name in ("coin", "usdc", "szi", "fundingRate")}
            yield f"userEvents:{user}", frame("user", {"funding": {"time": row["time"]} | delta})
        if news.fundings:
            told = frame("userFundings", {"user": user, "fundings": _funding_rows(news.fundings)})
            yield f"userFundings:{user}", told

    def funding_rows(self) -> list[dict[str, Any]]:
        """All funding, as the socket tells it."""
        return _funding_rows(self.fundings)

    def fills_snapshot(self, count: int) -> list[dict[str, Any]]:
        """The newest fills, newest first."""
        return list(self.fills)[::-1][:count]


def _funding_rows(rows: Iterable[dict[str, Any]]) -> list[dict[str, Any]]:
    return [
        {"time": row["time"]} | {name: said for name, said in row["delta"].items() if name != "type"} for row in rows
    ]
