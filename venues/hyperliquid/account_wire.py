"""What Hyperliquid's WebSocket says of an account: fills, orders, funding, liquidations, cancels by the venue.

The channels are userFills, orderUpdates, userFundings and "user", where subscriptions to userEvents arrive. The frames
are decoded by `venues.hyperliquid.wire.decode`; rows of orders and fills are the same in answers to /info.

What to know (subscriptions page; frames recorded in 2026): `isSnapshot` is true in the first frame after *every*
subscribe, and fills made while nobody listened come only in that frame; later frames may lack the key. orderUpdates
has no snapshot and no user. One list holds perpetuals of all dexs and spot coins. The fee includes the builder's.
"""

from collections.abc import Iterable
from enum import StrEnum

from msgspec import Raw, Struct, field

from supervisor.clock import NS_PER_MS
from venues.hyperliquid.fields import (
    SHOWN_MAX,
    SIDES,
    Count,
    Exact,
    Milliseconds,
    Rows,
    SideCode,
    Unread,
    decoder,
    read,
    rows_of,
)
from venues.market import Side
from venues.venue import VenueMisspoke


class Fate(StrEnum):
    """What a status of an order proves."""

    OPEN = "open"  # it may still fill
    OVER = "over"  # it cannot fill any more; what it filled is told by fills, never by origSz - sz
    REJECTED = "rejected"  # it never was in the book and has no fill
    UNCLEAR = "unclear"  # a word that nobody here knows: ask, and believe nothing before


FILLED = "filled"
"""The status of an order whose every lot was filled."""

FATES = {
    "open": Fate.OPEN,
    "triggered": Fate.OPEN,  # of a trigger order: it now becomes an order
    FILLED: Fate.OVER,
    "canceled": Fate.OVER,
    "marginCanceled": Fate.OVER,
    "vaultWithdrawalCanceled": Fate.OVER,
    "openInterestCapCanceled": Fate.OVER,
    "selfTradeCanceled": Fate.OVER,
    "reduceOnlyCanceled": Fate.OVER,
    "siblingFilledCanceled": Fate.OVER,
    "delistedCanceled": Fate.OVER,
    "liquidatedCanceled": Fate.OVER,
    "scheduledCancel": Fate.OVER,
    "rejected": Fate.REJECTED,
    "tickRejected": Fate.REJECTED,
    "minTradeNtlRejected": Fate.REJECTED,
    "perpMarginRejected": Fate.REJECTED,
    "reduceOnlyRejected": Fate.REJECTED,
    "badAloPxRejected": Fate.REJECTED,  # post-only that would have matched
    "iocCancelRejected": Fate.REJECTED,  # immediate or cancel that met nothing
    "badTriggerPxRejected": Fate.REJECTED,
    "marketOrderNoLiquidityRejected": Fate.REJECTED,
    "positionIncreaseAtOpenInterestCapRejected": Fate.REJECTED,
    "positionFlipAtOpenInterestCapRejected": Fate.REJECTED,
    "tooAggressiveAtOpenInterestCapRejected": Fate.REJECTED,
    "openInterestIncreaseRejected": Fate.REJECTED,
    "insufficientSpotBalanceRejected": Fate.REJECTED,
    "oracleRejected": Fate.REJECTED,
    "perpMaxPositionRejected": Fate.REJECTED,
}
"""The statuses of orderStatus's page and of the typed schemas of 2026. Newer ones are judged by their ending."""

HOUR_MS = 3_600_000
"""Between two settlements of funding."""

ENDINGS = {"Canceled": Fate.OVER, "Cancel": Fate.OVER, "Rejected": Fate.REJECTED}


def fate_of(status: str) -> Fate:
    """What a status proves; one that is new and ends like none of the old is UNCLEAR."""
    by_ending = (fate for ending, fate in ENDINGS.items() if status.endswith(ending))
    return FATES.get(status) or next(by_ending, Fate.UNCLEAR)


def is_spot(coin: str) -> bool:
    """Spot pairs are called @151 or PURR/USDC, outcomes #10; perpetuals of builder dexs have a colon: xyz:TSLA."""
    return coin.startswith(("@", "#")) or "/" in coin


class Order(Struct, frozen=True):
    """An order as the venue tells it; which fields come depends on who is asked."""

    coin: str
    side_code: SideCode = field(name="side")
    price: Exact = field(name="limitPx")
    size_left: Exact = field(name="sz")  # not filled; a cancel or rejection leaves it as it was
    oid: Count
    time_ms: Milliseconds = field(name="timestamp")  # when it was placed
    size: Exact | None = field(name="origSz", default=None)  # None in openOrders of 2023
    cloid: str | None = None  # absent in openOrders, null where the order had none
    reduce_only: bool | None = field(name="reduceOnly", default=None)  # None: not said
    is_trigger: bool = field(name="isTrigger", default=False)
    trigger_price: Exact | None = field(name="triggerPx", default=None)
    kind: str = field(name="orderType", default="")  # Limit, Stop Market, Take Profit Market ...
    time_in_force: str | None = field(name="tif", default=None)

    def __post_init__(self) -> None:
        if self.price < 0 or self.size_left < 0 or (self.size is not None and self.size < 0):
            raise ValueError("an order's price and sizes are not negative")

    @property
    def side(self) -> Side:
        """Which way it goes."""
        return SIDES[self.side_code]


class OrderUpdate(Struct, frozen=True):
    """An order with what became of it, and when."""

    order: Order
    status: str
    status_ms: Milliseconds = field(name="statusTimestamp")

    @property
    def fate(self) -> Fate:
        """What the status proves; a rejection of an order that has less left than it had is only an end."""
        fate, order = fate_of(self.status), self.order
        touched = order.size is not None and order.size_left < order.size
        return Fate.OVER if fate is Fate.REJECTED and touched else fate

    @property
    def at_ns(self) -> int:
        """When the status was reached."""
        return self.status_ms * NS_PER_MS


class OrderUpdates(Struct, frozen=True):
    """One frame: all updates of a block, in order; an order that matches at once is `open` and `filled` in it."""

    received_ns: int
    updates: tuple[OrderUpdate, ...]


class FillLiquidation(Struct, frozen=True):
    """The fill was a liquidation, ours or that of the one we traded with."""

    method: str = ""  # market, backstop
    mark: Exact | None = field(name="markPx", default=None)
    user: str | None = field(name="liquidatedUser", default=None)


class UserFill(Struct, frozen=True):
    """One fill of our account."""

    coin: str
    price: Exact = field(name="px")
    size: Exact = field(name="sz")
    side_code: SideCode = field(name="side")
    time_ms: Milliseconds = field(name="time")
    position_before: Exact = field(name="startPosition")  # signed
    direction: str = field(name="dir")  # Open Long, Close Short, Short > Long, Buy, Spot Dust Conversion ...
    closed_pnl_usd: Exact = field(name="closedPnl")  # before fees
    hash: str
    oid: Count
    crossed: bool  # we were the taker
    fee: Exact  # negative: the venue paid us; includes the builder's
    tid: Count = 0  # 0 in dust conversions and, being absent, in fills of 2023
    fee_token: str = field(name="feeToken", default="USDC")
    builder_fee: Exact | None = field(name="builderFee", default=None)
    cloid: str | None = None
    liquidation: FillLiquidation | None = None

    def __post_init__(self) -> None:
        """A perpetual's fill has a price and a size; spot has rows that move dust at none."""
        if self.price < 0 or self.size < 0 or not (is_spot(self.coin) or (self.price and self.size)):
            raise ValueError("a fill's price and size are not positive")

    @property
    def side(self) -> Side:
        """Ours."""
        return SIDES[self.side_code]

    @property
    def at_ns(self) -> int:
        """When it was made."""
        return self.time_ms * NS_PER_MS

    @property
    def id(self) -> str:
        """The same for the same fill wherever it is told, and for no other; short enough for a ledger.

        tid is a hash of both orders, so it stands with ours. Without one the fill is told by all that can differ: the
        position before it is another for each fill of an order.
        """
        if self.tid:
            return f"{self.tid}-{self.oid}"
        parts = (self.time_ms, self.coin, self.oid, self.side_code, self.price, self.size, self.position_before)
        return "-".join(map(str, (*parts, self.hash)))


class UserFills(Struct, frozen=True):
    """Fills of an account; of a snapshot most were told before, and those made while nobody listened were not."""

    received_ns: int
    user: str  # lower case; empty in userEvents, which doesn't say
    snapshot: bool
    fills: tuple[UserFill, ...]
    unread: tuple[Unread, ...] = ()  # rows that make no sense


class UserFunding(Struct, frozen=True):
    """Funding settled on our position; negative: we paid."""

    coin: str
    usd: Exact = field(name="usdc")
    position: Exact = field(name="szi")  # signed
    rate: Exact = field(name="fundingRate")  # of the hour
    time_ms: Milliseconds = field(name="time")
    samples: int | None = field(name="nSamples", default=None)  # settlements in a row of a history

    @property
    def at_ns(self) -> int:
        """When it was settled, some milliseconds past the hour."""
        return self.time_ms * NS_PER_MS

    @property
    def id(self) -> str:
        """The same for the same settlement wherever it is told: there is one an hour, and its stamps may differ."""
        return f"funding-{self.coin}-{(self.time_ms + HOUR_MS // 2) // HOUR_MS}"


class UserFundings(Struct, frozen=True):
    """Funding of an account."""

    received_ns: int
    user: str  # as in UserFills
    snapshot: bool
    fundings: tuple[UserFunding, ...]
    unread: tuple[Unread, ...] = ()


class Liquidation(Struct, frozen=True):
    """Somebody's positions were taken over, and we are that one or took part."""

    received_ns: int
    liquidator: str
    liquidated_user: str
    notional_usd: Exact
    account_value_usd: Exact


class VenueCancel(Struct, frozen=True):
    """An order that the venue took out without being asked."""

    coin: str
    oid: Count


class VenueCancels(Struct, frozen=True):
    """One frame of them; orderUpdates says why."""

    received_ns: int
    cancels: tuple[VenueCancel, ...]


class OtherEvent(Struct, frozen=True):
    """An event of userEvents that nobody here reads: twapHistory, twapSliceFills and what is to come."""

    name: str


AccountHeard = UserFills | OrderUpdates | UserFundings | Liquidation | VenueCancels | OtherEvent


class _Fills(Struct, frozen=True):
    user: str
    fills: tuple[Raw, ...]
    snapshot: bool = field(name="isSnapshot", default=False)


class _Fundings(Struct, frozen=True):
    user: str
    fundings: tuple[Raw, ...]
    snapshot: bool = field(name="isSnapshot", default=False)


class _Liquidated(Struct, frozen=True):
    liquidator: str
    liquidated_user: str
    liquidated_ntl_pos: Exact
    liquidated_account_value: Exact


class FillsFrame(Struct, frozen=True, tag_field="channel", tag="userFills"):
    """Fills, as sent."""

    data: _Fills


class OrdersFrame(Struct, frozen=True, tag_field="channel", tag="orderUpdates"):
    """Orders, as sent."""

    data: tuple[OrderUpdate, ...]


class FundingsFrame(Struct, frozen=True, tag_field="channel", tag="userFundings"):
    """Funding, as sent."""

    data: _Fundings


class UserFrame(Struct, frozen=True, tag_field="channel", tag="user"):
    """An event, as sent: an object with one key, which says what it is."""

    data: dict[str, Raw]


AccountFrame = FillsFrame | OrdersFrame | FundingsFrame | UserFrame
ACCOUNT_CHANNELS = frozenset({"userFills", "orderUpdates", "userFundings", "user"})


def account_heard(frame: AccountFrame, received_ns: int) -> AccountHeard:
    """What a frame says."""
    match frame:
        case FillsFrame(data):
            rows = fill_rows(data.fills)
            return UserFills(received_ns, data.user.lower(), data.snapshot, rows, rows.unread)
        case OrdersFrame(updates):
            return OrderUpdates(received_ns, updates)
        case FundingsFrame(said):
            fundings = rows_of(_funding, said.fundings, "userFundings")
            return UserFundings(received_ns, said.user.lower(), said.snapshot, fundings, fundings.unread)
        case UserFrame(event):
            return _event(event, received_ns)


_rows = decoder(tuple[Raw, ...])
_fill = decoder(UserFill)
_funding = decoder(UserFunding)
_liquidated = decoder(_Liquidated)
_cancels = decoder(tuple[VenueCancel, ...])


def fill_rows(said: Iterable[Raw]) -> Rows[UserFill]:
    """Fills, each read by itself; one that makes no sense is described alike wherever it is told."""
    return rows_of(_fill, said, "a fill")


def _event(event: dict[str, Raw], received_ns: int) -> AccountHeard:
    if len(event) != 1:
        raise VenueMisspoke(f"user: an event has one key, not {len(event)}: {str(list(event))[:SHOWN_MAX]}")
    name, said = next(iter(event.items()))
    what, text = f"user.{name}", bytes(said)
    match name:
        case "fills":
            rows = fill_rows(read(_rows, text, what))
            return UserFills(received_ns, "", False, rows, rows.unread)
        case "funding":
            fundings = rows_of(_funding, (said,), what)
            return UserFundings(received_ns, "", False, fundings, fundings.unread)
        case "nonUserCancel":
            return VenueCancels(received_ns, read(_cancels, text, what))
        case "liquidation":
            gone = read(_liquidated, text, what)
            value = gone.liquidated_account_value
            return Liquidation(received_ns, gone.liquidator, gone.liquidated_user, gone.liquidated_ntl_pos, value)
        case _:
            return OtherEvent(name)
