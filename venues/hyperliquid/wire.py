"""What Hyperliquid's WebSocket says, turned into the market's vocabulary: bytes in, values out, nothing else.

`decode` is the one entrance. Frames of the market are read here, those of an account in `account_wire`, by one decoder,
so that neither costs the other anything.

Prices and sizes come as strings. msgspec reads them as floats while it parses, which costs a tenth of converting them
afterwards; the bounds of `Positive` then refuse what that would let in: nan, inf, zero and negative numbers. A level is
read straight into a kind of `Level`, so a frame of 40 levels becomes a Book without touching them again.
"""

from decimal import Decimal
from typing import Literal

from msgspec import Raw, Struct, ValidationError, field
from msgspec.json import Decoder

from supervisor.clock import NS_PER_MS
from venues.hyperliquid.account_wire import (
    ACCOUNT_CHANNELS,
    AccountFrame,
    AccountHeard,
    FillsFrame,
    FundingsFrame,
    OrdersFrame,
    UserFrame,
    account_heard,
)
from venues.hyperliquid.fields import (
    MALFORMED,
    SIDES,
    Amount,
    Count,
    Exact,
    Milliseconds,
    SideCode,
    as_bytes,
    decoder,
    misspoke,
)
from venues.market import Bar, Book, Level, Positive, Trade
from venues.venue import VenueMisspoke

GREETING = b"Websocket connection established."
"""The one frame that is not JSON; the venue's own SDK skips it as well."""


class WireLevel(Level, frozen=True, gc=False, rename={"price": "px", "size": "sz"}):
    """A level under the venue's names; that its fields stand here again is what renames them."""

    price: Positive
    size: Positive


class Bbo(Struct, frozen=True, gc=False):
    """The best bid and ask, sent with each block that changes them; None where a side is empty."""

    symbol: str
    at_ns: int
    received_ns: int
    bid: Level | None
    ask: Level | None


class Candle(Struct, frozen=True, gc=False):
    """A bar of trades as it stands, sent again with each trade; `bar.books` counts trades here, the venue's `n`."""

    bar: Bar
    received_ns: int
    volume: float


class AssetContext(Struct, frozen=True, gc=False):
    """What accounts of a perpetual are valued and charged at; None where a side of the book is empty."""

    symbol: str
    received_ns: int  # the frame has no time of its own
    funding_rate: Decimal  # of this hour, as it stands
    open_interest: float
    mark: float
    oracle: float
    mid: float | None
    premium: Decimal | None
    impact_bid: float | None
    impact_ask: float | None
    day_open: float
    day_notional_usd: float
    day_volume: float


class Subscribed(Struct, frozen=True):
    """The venue confirms a subscription, or the end of one."""

    method: str  # subscribe, unsubscribe
    channel: str
    symbol: str


class Pong(Struct, frozen=True):
    """The answer to a ping."""


class Complaint(Struct, frozen=True):
    """The venue could not do what was asked."""

    text: str


class Posted(Struct, frozen=True):
    """The answer to a request that went over the socket."""

    received_ns: int
    id: int  # the request's
    kind: Literal["info", "action", "error"]
    payload: bytes  # of info {"type", "data"}, which Ask.read_posted reads; of an action what /exchange would answer


class Other(Struct, frozen=True):
    """A frame of a channel that nobody here reads."""

    channel: str


MarketHeard = Book | tuple[Trade, ...] | Bbo | Candle | AssetContext
Heard = MarketHeard | Subscribed | Pong | Complaint | Posted | Other | AccountHeard


class BookRow(Struct, frozen=True, gc=False):
    """A book as sent, in a frame or as the answer to l2Book."""

    coin: str
    time: Milliseconds
    levels: tuple[tuple[WireLevel, ...], tuple[WireLevel, ...]]


class _Trade(Struct, frozen=True, gc=False):
    coin: str
    side: SideCode
    px: Positive
    sz: Positive
    time: Milliseconds


class _Bbo(Struct, frozen=True, gc=False):
    coin: str
    time: Milliseconds
    bbo: tuple[WireLevel | None, ...]


class CandleRow(Struct, frozen=True, gc=False):
    """A candle as sent, in a frame or as a row of candleSnapshot."""

    start: Milliseconds = field(name="t")
    last: Milliseconds = field(name="T")  # the bar's last millisecond
    coin: str = field(name="s")
    open: Positive = field(name="o")
    close: Positive = field(name="c")
    high: Positive = field(name="h")
    low: Positive = field(name="l")
    volume: Amount = field(name="v")
    trades: int = field(name="n")


class ContextRow(Struct, frozen=True, gc=False, rename="camel"):
    """The context of a perpetual as sent, in a frame or as a row of metaAndAssetCtxs."""

    funding: Exact
    open_interest: Amount
    prev_day_px: Amount
    day_ntl_vlm: Amount
    oracle_px: Positive
    mark_px: Positive
    premium: Exact | None = None
    mid_px: Positive | None = None
    impact_pxs: tuple[Positive, Positive] | None = None
    day_base_vlm: Amount = 0.0  # since 2025


class _CoinContext(Struct, frozen=True, gc=False):
    coin: str
    ctx: ContextRow


class _Subscription(Struct, frozen=True):
    type: str
    coin: str = ""


class _Subscribed(Struct, frozen=True):
    method: str
    subscription: _Subscription


class _BookFrame(Struct, frozen=True, gc=False, tag_field="channel", tag="l2Book"):
    data: BookRow


class _TradesFrame(Struct, frozen=True, gc=False, tag_field="channel", tag="trades"):
    data: tuple[_Trade, ...]


class _BboFrame(Struct, frozen=True, gc=False, tag_field="channel", tag="bbo"):
    data: _Bbo


class _CandleFrame(Struct, frozen=True, gc=False, tag_field="channel", tag="candle"):
    data: CandleRow


class _ContextFrame(Struct, frozen=True, gc=False, tag_field="channel", tag="activeAssetCtx"):
    data: _CoinContext


class _SubscribedFrame(Struct, frozen=True, tag_field="channel", tag="subscriptionResponse"):
    data: _Subscribed


class _PongFrame(Struct, frozen=True, tag_field="channel", tag="pong"):
    pass


class _ErrorFrame(Struct, frozen=True, tag_field="channel", tag="error"):
    data: str


class _PostResponse(Struct, frozen=True):
    type: Literal["info", "action", "error"]
    payload: Raw


class _Post(Struct, frozen=True):
    id: Count
    response: _PostResponse


class _PostFrame(Struct, frozen=True, tag_field="channel", tag="post"):
    data: _Post


class _Envelope(Struct, frozen=True):
    channel: str


_READ = ACCOUNT_CHANNELS | {
    "l2Book",
    "trades",
    "bbo",
    "candle",
    "activeAssetCtx",
    "subscriptionResponse",
    "pong",
    "error",
    "post",
}
_Frame = (
    _BookFrame
    | _TradesFrame
    | _BboFrame
    | _CandleFrame
    | _ContextFrame
    | _SubscribedFrame
    | _PongFrame
    | _ErrorFrame
    | _PostFrame
    | AccountFrame
)
_frames = decoder(_Frame)
_envelopes = Decoder(_Envelope)


def decode(frame: bytes | str, received_ns: int) -> Heard:
    """Read one frame. Raises VenueMisspoke, and nothing else, when it breaks the venue's own protocol."""
    try:
        heard = _frames.decode(frame)
    except ValidationError as error:
        return _unread(frame, error)
    except MALFORMED as error:
        if as_bytes(frame) == GREETING:
            return Other("")
        raise misspoke(frame, "a frame", error) from error
    if type(heard) is _BookFrame:
        book = heard.data
        bids, asks = book.levels
        return Book(book.coin, book.time * NS_PER_MS, received_ns, bids, asks)
    return _decoded(heard, received_ns)


def _decoded(heard: _Frame, received_ns: int) -> Heard:
    """Everything that is not the hot path."""
    match heard:
        case _TradesFrame(data=trades):
            return tuple(Trade(t.coin, t.time * NS_PER_MS, received_ns, t.px, t.sz, SIDES[t.side]) for t in trades)
        case _BboFrame(data=touch):
            bid, ask, *_ = (*touch.bbo, None, None)
            return Bbo(touch.coin, touch.time * NS_PER_MS, received_ns, bid, ask)
        case _CandleFrame(data=candle):
            return candle_of(candle, received_ns)
        case _ContextFrame(data=_CoinContext(coin, ctx)):
            return context_of(coin, ctx, received_ns)
        case _SubscribedFrame(data=answer):
            return Subscribed(answer.method, answer.subscription.type, answer.subscription.coin)
        case _ErrorFrame(data=text):
            return Complaint(text)
        case _PostFrame(data=_Post(number, answer)):
            return Posted(received_ns, number, answer.type, bytes(answer.payload))
        case FillsFrame() | OrdersFrame() | FundingsFrame() | UserFrame():
            return account_heard(heard, received_ns)
        case _:
            return Pong()


def candle_of(said: CandleRow, received_ns: int) -> Candle:
    """A row as a candle. The length is told by the times: `i` would have to be looked up, and a month has none."""
    start_ns, interval_ns = said.start * NS_PER_MS, (said.last + 1 - said.start) * NS_PER_MS
    if interval_ns <= 0:
        raise VenueMisspoke(f"candle: {said.coin} ends at {said.last}, before it begins at {said.start}")
    bar = Bar(said.coin, start_ns, interval_ns, said.open, said.high, said.low, said.close, said.trades)
    return Candle(bar, received_ns, said.volume)


def context_of(coin: str, said: ContextRow, received_ns: int) -> AssetContext:
    """A row as the context of its coin."""
    impact_bid, impact_ask = said.impact_pxs or (None, None)
    return AssetContext(
        symbol=coin,
        received_ns=received_ns,
        funding_rate=said.funding,
        open_interest=said.open_interest,
        mark=said.mark_px,
        oracle=said.oracle_px,
        mid=said.mid_px,
        premium=said.premium,
        impact_bid=impact_bid,
        impact_ask=impact_ask,
        day_open=said.prev_day_px,
        day_notional_usd=said.day_ntl_vlm,
        day_volume=said.day_base_vlm,
    )


def _unread(frame: bytes | str, error: ValidationError) -> Other:
    """A frame of a channel that nobody reads is none of our business; any other that does not fit is damage."""
    try:
        channel = _envelopes.decode(frame).channel
    except MALFORMED:
        channel = ""
    if not channel or channel in _READ:
        raise misspoke(frame, channel or "a frame without a channel", error) from error
    return Other(channel)
