"""What Hyperliquid's WebSocket says, turned into the market's vocabulary: bytes in, values out, nothing else.

Prices and sizes come as strings. msgspec reads them as floats while it parses, which costs a tenth of converting them
afterwards; the bounds of `Positive` then refuse what that would let in: nan, inf, zero and negative numbers. A level is
read straight into a kind of `Level`, so a frame of 40 levels becomes a Book without touching them again.
"""

from decimal import Decimal
from typing import Annotated, Literal

from msgspec import DecodeError, Meta, Struct, ValidationError, field
from msgspec.json import Decoder

from supervisor.clock import NS_PER_MS
from venues.market import PRICE_MAX, Bar, Book, Level, Positive, Side, Trade
from venues.venue import VenueMisspoke

GREETING = b"Websocket connection established."
"""The one frame that is not JSON; the venue's own SDK skips it as well."""

SHOWN_MAX = 200
"""So much of a damaged frame goes into the error."""

Milliseconds = Annotated[int, Meta(gt=0, lt=10**13)]
"""A time since 1970; a number of 13 digits lasts until the year 2286, microseconds and nanoseconds are longer."""

Amount = Annotated[float, Meta(ge=0, lt=PRICE_MAX * PRICE_MAX)]
"""A volume or an interest: it may be nothing, and a day's turnover has more digits than a price."""

SIDES = {"B": Side.BUY, "A": Side.SELL}
"""The aggressor's side, by the side of the book it stands on: bid or ask."""


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


class Other(Struct, frozen=True):
    """A frame of a channel that nobody here reads."""

    channel: str


Heard = Book | tuple[Trade, ...] | Bbo | Candle | AssetContext | Subscribed | Pong | Complaint | Other


class _Book(Struct, frozen=True, gc=False):
    coin: str
    time: Milliseconds
    levels: tuple[tuple[WireLevel, ...], tuple[WireLevel, ...]]


class _Trade(Struct, frozen=True, gc=False):
    coin: str
    side: Literal["A", "B"]
    px: Positive
    sz: Positive
    time: Milliseconds


class _Bbo(Struct, frozen=True, gc=False):
    coin: str
    time: Milliseconds
    bbo: tuple[WireLevel | None, ...]


class _Candle(Struct, frozen=True, gc=False):
    start: Milliseconds = field(name="t")
    last: Milliseconds = field(name="T")  # the bar's last millisecond
    coin: str = field(name="s")
    open: Positive = field(name="o")
    close: Positive = field(name="c")
    high: Positive = field(name="h")
    low: Positive = field(name="l")
    volume: Amount = field(name="v")
    trades: int = field(name="n")


class _Context(Struct, frozen=True, gc=False, rename="camel"):
    funding: Decimal
    open_interest: Amount
    prev_day_px: Amount
    day_ntl_vlm: Amount
    oracle_px: Positive
    mark_px: Positive
    premium: Decimal | None = None
    mid_px: Positive | None = None
    impact_pxs: tuple[Positive, Positive] | None = None
    day_base_vlm: Amount = 0.0  # since 2025


class _CoinContext(Struct, frozen=True, gc=False):
    coin: str
    ctx: _Context


class _Subscription(Struct, frozen=True):
    type: str
    coin: str = ""


class _Subscribed(Struct, frozen=True):
    method: str
    subscription: _Subscription


class _BookFrame(Struct, frozen=True, gc=False, tag_field="channel", tag="l2Book"):
    data: _Book


class _TradesFrame(Struct, frozen=True, gc=False, tag_field="channel", tag="trades"):
    data: tuple[_Trade, ...]


class _BboFrame(Struct, frozen=True, gc=False, tag_field="channel", tag="bbo"):
    data: _Bbo


class _CandleFrame(Struct, frozen=True, gc=False, tag_field="channel", tag="candle"):
    data: _Candle


class _ContextFrame(Struct, frozen=True, gc=False, tag_field="channel", tag="activeAssetCtx"):
    data: _CoinContext


class _SubscribedFrame(Struct, frozen=True, tag_field="channel", tag="subscriptionResponse"):
    data: _Subscribed


class _PongFrame(Struct, frozen=True, tag_field="channel", tag="pong"):
    pass


class _ErrorFrame(Struct, frozen=True, tag_field="channel", tag="error"):
    data: str


class _Envelope(Struct, frozen=True):
    channel: str


_READ = {"l2Book", "trades", "bbo", "candle", "activeAssetCtx", "subscriptionResponse", "pong", "error"}
_Frame = (
    _BookFrame | _TradesFrame | _BboFrame | _CandleFrame | _ContextFrame | _SubscribedFrame | _PongFrame | _ErrorFrame
)
_frames = Decoder(_Frame, strict=False)
_envelopes = Decoder(_Envelope)


def decode(frame: bytes | str, received_ns: int) -> Heard:
    """Read one frame. Raises VenueMisspoke when it breaks the venue's own protocol."""
    try:
        heard = _frames.decode(frame)
    except ValidationError as error:
        return _unread(frame, error)
    except DecodeError as error:
        if _bytes(frame) == GREETING:
            return Other("")
        raise VenueMisspoke(f"{error}: {_shown(frame)}") from error
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
            return _candle(candle, received_ns)
        case _ContextFrame(data=_CoinContext(coin, ctx)):
            return _context(coin, ctx, received_ns)
        case _SubscribedFrame(data=answer):
            return Subscribed(answer.method, answer.subscription.type, answer.subscription.coin)
        case _ErrorFrame(data=text):
            return Complaint(text)
        case _:
            return Pong()


def _candle(said: _Candle, received_ns: int) -> Candle:
    """The length is told by the times: `i` would have to be looked up, and a month has none."""
    start_ns, interval_ns = said.start * NS_PER_MS, (said.last + 1 - said.start) * NS_PER_MS
    if interval_ns <= 0:
        raise VenueMisspoke(f"candle: {said.coin} ends at {said.last}, before it begins at {said.start}")
    bar = Bar(said.coin, start_ns, interval_ns, said.open, said.high, said.low, said.close, said.trades)
    return Candle(bar, received_ns, said.volume)


def _context(coin: str, said: _Context, received_ns: int) -> AssetContext:
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
    except DecodeError:
        channel = ""
    if not channel or channel in _READ:
        raise VenueMisspoke(f"{channel or 'a frame without a channel'}: {error}: {_shown(frame)}") from error
    return Other(channel)


def _bytes(frame: bytes | str) -> bytes:
    return frame.encode() if isinstance(frame, str) else frame


def _shown(frame: bytes | str) -> str:
    return _bytes(frame)[:SHOWN_MAX].decode("utf-8", "replace")
