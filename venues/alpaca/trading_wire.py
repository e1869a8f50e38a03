"""What Alpaca's trading API says over REST and over its trade_updates stream: bytes in, values out, nothing else.

Shapes are those of docs.alpaca.markets ("Orders", "Account", "Positions", "Assets", "Account Activities", "Calendar",
"Websocket Streaming"). Amounts come as text or as numbers, a name may be missing, times have 0 to 9 decimals and any
zone in one message. A word that nobody has heard before, a status above all, never makes a list unreadable: what it
means is decided by `Fate`, and what is unknown is alive, because an order taken for dead would be forgotten.
"""

from decimal import Decimal
from enum import StrEnum
from typing import Any, TypeVar

from msgspec import DecodeError, Raw, Struct, ValidationError, convert, field, json

from venues.alpaca.market_wire import nanoseconds
from venues.market import Side
from venues.venue import VenueMisspoke

T = TypeVar("T")
SHOWN_MAX = 200
"""So much of a damaged answer goes into the error."""

DIGITS_MAX, DECIMALS_MAX = 18, 40
"""No quantity, price or sum of money has more on either side of the point; what does is damage, and so are inf and nan.
It is asked of the digits, because arithmetic with an exponent of 999999 overflows or does not end."""

CRYPTO, EQUITY = "crypto", "us_equity"


class Fate(StrEnum):
    """What a status or an event means for an order."""

    OPEN = "open"  # it may still fill
    OVER = "over"
    REJECTED = "rejected"
    REPLACED = "replaced"  # over, another order stands in its place


FATES = {
    "filled": Fate.OVER,
    "canceled": Fate.OVER,
    "expired": Fate.OVER,
    "rejected": Fate.REJECTED,
    "replaced": Fate.REPLACED,
}
"""The statuses that are a last word. All others, `done_for_day` and `suspended` among them, may still fill one day."""

REPLACEABLE = ("new", "partially_filled", "held")
"""In which an order may be replaced; not in accepted, pending_new, pending_cancel, pending_replace (reference page)."""

FILLS = ("fill", "partial_fill")
"""Events that carry an execution."""


def fate_of(status: str) -> Fate:
    """What a status means; one that is unknown is alive."""
    return FATES.get(status, Fate.OPEN)


class Order(Struct, frozen=True, kw_only=True):
    """An order as the venue has it."""

    id: str  # the venue's
    client_order_id: str
    symbol: str = ""  # an order of several legs has none
    side: str = ""
    qty: Decimal | None = None  # None of an order by value
    filled_qty: Decimal = Decimal(0)
    filled_avg_price: Decimal | None = None
    limit_price: Decimal | None = None
    type: str = ""
    time_in_force: str = ""
    status: str = ""
    asset_class: str = ""
    created_at: str | None = None
    submitted_at: str | None = None
    updated_at: str | None = None
    filled_at: str | None = None
    canceled_at: str | None = None
    expired_at: str | None = None
    failed_at: str | None = None
    replaced_at: str | None = None
    replaced_by: str | None = None
    replaces: str | None = None

    def __post_init__(self) -> None:
        if not self.id:
            raise ValueError("an order has no id")
        sane(self.qty, self.filled_qty, self.filled_avg_price, self.limit_price)
        timely(self.at_ns)

    @property
    def fate(self) -> Fate:
        """What its status means."""
        return fate_of(self.status)

    @property
    def at_ns(self) -> int:
        """The latest time in it; 0 where it has none."""
        stamps = (self.updated_at, self.filled_at, self.canceled_at, self.expired_at, self.failed_at, self.replaced_at)
        return max((nanoseconds(one) for one in (self.submitted_at, self.created_at, *stamps) if one), default=0)

    @property
    def created_ns(self) -> int:
        """When it was made."""
        stamp = self.created_at or self.submitted_at
        return nanoseconds(stamp) if stamp else 0


class Update(Struct, frozen=True, kw_only=True):
    """One event of trade_updates."""

    event: str
    order: Order
    execution_id: str | None = None
    price: Decimal | None = None
    qty: Decimal | None = None
    position_qty: Decimal | None = None
    timestamp: str | None = None

    def __post_init__(self) -> None:
        sane(self.price, self.qty, self.position_qty)
        timely(self.at_ns)

    @property
    def at_ns(self) -> int:
        """When it happened."""
        return nanoseconds(self.timestamp) if self.timestamp else self.order.at_ns


class Activity(Struct, frozen=True, kw_only=True):
    """One row of /v2/account/activities; of a trade, an execution."""

    id: str
    activity_type: str = "FILL"
    order_id: str = ""
    symbol: str = ""
    side: str = ""
    qty: Decimal | None = None
    price: Decimal | None = None
    cum_qty: Decimal | None = None
    transaction_time: str | None = None
    flaw: str = ""  # why the row cannot be read, beside its id and perhaps its symbol

    def __post_init__(self) -> None:
        sane(self.qty, self.price, self.cum_qty)


class _Named(Struct, frozen=True):
    id: str
    symbol: Any = ""


class Execution(Struct, frozen=True):
    """A part of an order that was filled, whoever told it."""

    row_id: str  # the venue's id of its order
    symbol: str
    side: Side
    qty: Decimal
    price: Decimal
    cum_qty: Decimal | None  # filled of its order with this one
    execution_id: str
    at_ns: int


class Account(Struct, frozen=True, kw_only=True):
    """The account: money, and what it may not do."""

    id: str = ""
    status: str = ""
    crypto_status: str = ""
    cash: Decimal
    equity: Decimal
    buying_power: Decimal = Decimal(0)
    pattern_day_trader: bool = False
    trading_blocked: bool = False
    account_blocked: bool = False
    trade_suspended_by_user: bool = False
    shorting_enabled: bool = False

    def __post_init__(self) -> None:
        sane(self.cash, self.equity, self.buying_power)

    @property
    def shut(self) -> str:
        """Why it may not open anything; empty if it may."""
        if self.account_blocked:
            return "account_blocked: the venue has prohibited activity"
        if self.trading_blocked:
            return "trading_blocked: the venue takes no orders"
        if self.trade_suspended_by_user:
            return "trade_suspended_by_user: the account's owner has suspended trading"
        return "" if self.status in ("ACTIVE", "") else f"the account is {self.status}"


class Position(Struct, frozen=True, kw_only=True):
    """A position; a short one has its sign in `side`, in `qty`, or in both."""

    symbol: str
    qty: Decimal
    side: str = "long"
    asset_class: str = ""
    avg_entry_price: Decimal = Decimal(0)
    cost_basis: Decimal = Decimal(0)

    def __post_init__(self) -> None:
        sane(self.qty, self.avg_entry_price, self.cost_basis)

    @property
    def signed(self) -> Decimal:
        """The quantity, negative if short."""
        return -abs(self.qty) if self.side == "short" else self.qty


class Asset(Struct, frozen=True, kw_only=True):
    """What may be traded, and how finely."""

    symbol: str
    asset_class: str = field(name="class", default="")
    status: str = "active"
    tradable: bool = False
    shortable: bool = False
    easy_to_borrow: bool = False
    fractionable: bool = False
    min_order_size: Decimal | None = None
    min_trade_increment: Decimal | None = None
    price_increment: Decimal | None = None

    def __post_init__(self) -> None:
        sane(self.min_order_size, self.min_trade_increment, self.price_increment)


class Day(Struct, frozen=True, kw_only=True):
    """A day on which the stock market opens, hours in New York."""

    date: str
    open: str
    close: str


class MarketClock(Struct, frozen=True, kw_only=True):
    """The venue's clock."""

    timestamp: str
    is_open: bool = False
    next_close: str = ""

    @property
    def at_ns(self) -> int:
        """Its time. Raises ValueError, which reading it does first."""
        return nanoseconds(self.timestamp)

    @property
    def closes_ns(self) -> int:
        """When the session of the moment closes, or the next one; 0 where it does not say."""
        return nanoseconds(self.next_close) if self.next_close else 0

    def __post_init__(self) -> None:
        timely(self.at_ns, self.closes_ns)


class Refusal(Struct, frozen=True, kw_only=True):
    """The body of an error."""

    code: int = 0
    message: str = ""


class Said(Struct, frozen=True):
    """A frame of the trading stream that is no update: authorization, listening."""

    stream: str
    status: str = ""
    streams: tuple[str, ...] = ()
    error: str = ""


class _Frame(Struct, frozen=True):
    stream: str
    data: Raw = Raw(b"{}")


class _Status(Struct, frozen=True):
    status: str = ""
    streams: tuple[str, ...] = ()
    error: str = ""


def timely(*stamps_ns: int) -> None:
    """Refuse times before 1970; that they can be read at all is seen before. Raises ValueError."""
    if min(stamps_ns) < 0:
        raise ValueError("a time before 1970")


def sane(*amounts: Decimal | None) -> None:
    """Refuse amounts that are no number, or none that can be. Raises ValueError."""
    for amount in amounts:
        if amount is None:
            continue
        exponent = amount.as_tuple().exponent  # a letter of what is no number
        if isinstance(exponent, str) or exponent <= -DECIMALS_MAX or amount.adjusted() >= DIGITS_MAX:
            raise ValueError(f"{str(amount)[:SHOWN_MAX]} is no amount")


_FRAME, _ANY = json.Decoder(_Frame), json.Decoder(float_hook=Decimal)
_STATUS, _REFUSAL = json.Decoder(_Status), json.Decoder(Refusal)


def read(kind: type[T], body: bytes) -> T:
    """An answer as what it should be. Raises VenueMisspoke."""
    return _read(body, body, kind)


def _read(data: bytes, body: bytes, kind: type[T]) -> T:
    """Data of a body as what it should be. Raises VenueMisspoke."""
    try:
        try:
            return json.decode(data, type=kind)
        except ValidationError:
            return convert(_named(_ANY.decode(data)), kind)
    except (DecodeError, ValueError, RecursionError) as error:
        raise VenueMisspoke(f"{str(error)[:SHOWN_MAX]}: {body[:SHOWN_MAX].decode('utf-8', 'replace')}") from error


def _named(value: Any) -> Any:
    """The same without names that have null: the venue leaves out or nulls what an order of another kind lacks."""
    if isinstance(value, dict):
        return {name: _named(one) for name, one in value.items() if one is not None}
    return [_named(one) for one in value] if isinstance(value, list) else value


def read_refusal(body: bytes) -> Refusal:
    """The body of an error; one that is none of the venue's own is its text."""
    try:
        return _REFUSAL.decode(body)
    except (DecodeError, ValueError, RecursionError):
        return Refusal(message=body[:SHOWN_MAX].decode("utf-8", "replace"))


def read_frame(frame: bytes | str) -> Update | Said:
    """One frame of the trading stream, text or binary. Raises VenueMisspoke."""
    data = frame.encode("utf-8", "replace") if isinstance(frame, str) else frame
    try:
        told = _FRAME.decode(data)
        if told.stream == "trade_updates":
            return _read(bytes(told.data), data, Update)
        facts = _STATUS.decode(told.data)
        return Said(told.stream, facts.status, facts.streams, facts.error)
    except (DecodeError, ValueError, RecursionError) as error:
        raise VenueMisspoke(f"{str(error)[:SHOWN_MAX]}: {data[:SHOWN_MAX].decode('utf-8', 'replace')}") from error


def executed(update: Update) -> Execution | None:
    """The execution that an update carries; None if it carries none. Raises VenueMisspoke for half of one."""
    if update.event not in FILLS:
        return None
    if not update.price or not update.qty or update.qty < 0 or update.price < 0:
        raise VenueMisspoke(f"a fill of order {update.order.id[:SHOWN_MAX]} without price or quantity")
    order = update.order
    name = update.execution_id or ""
    side, cum = side_of(order.side), order.filled_qty or None
    return Execution(order.id, order.symbol, side, update.qty, update.price, cum, name, update.at_ns)


def activity(data: bytes) -> Activity:
    """A row of activities; one that cannot be read has its flaw, so that it hides no other. Raises VenueMisspoke."""
    try:
        return read(Activity, data)
    except VenueMisspoke as error:
        named = read(_Named, data)
        return Activity(id=named.id, symbol=named.symbol if isinstance(named.symbol, str) else "", flaw=str(error))


def execution(row: Activity) -> Execution:
    """A row of activities as an execution; its id ends with the one that the stream tells. Raises VenueMisspoke."""
    if row.flaw:
        raise VenueMisspoke(f"activity {row.id[:SHOWN_MAX]}: {row.flaw}")
    if not row.price or not row.qty or not row.cum_qty or not row.transaction_time or not row.order_id:
        # without cum_qty nobody knows which of the stream's fills it is, and it would be booked twice
        raise VenueMisspoke(f"activity {row.id[:SHOWN_MAX]} is a fill without order, price, quantity, sum or time")
    try:
        at_ns = nanoseconds(row.transaction_time)
    except ValueError as error:
        raise VenueMisspoke(f"activity {row.id[:SHOWN_MAX]}: {str(error)[:SHOWN_MAX]}") from error
    name = row.id.rpartition("::")[2]
    qty = abs(row.qty)
    return Execution(row.order_id, row.symbol, side_of(row.side), qty, row.price, row.cum_qty or None, name, at_ns)


def side_of(text: str) -> Side:
    """A side; activities call a short sale sell_short. Raises VenueMisspoke."""
    if text == "buy":
        return Side.BUY
    if text.startswith("sell"):
        return Side.SELL
    raise VenueMisspoke(f"side {text[:SHOWN_MAX]!r} is neither buy nor sell")


def plain_symbol(symbol: str) -> str:
    """A name without its slash: positions say BTCUSD where orders say BTC/USD."""
    return symbol.replace("/", "")
