"""What Hyperliquid's WebSocket says, turned into the market's vocabulary: bytes in, values out, nothing else.

Prices and sizes come as strings. msgspec reads them as floats while it parses, which costs a tenth of converting them
afterwards; the bounds of `Positive` then refuse what that would let in: nan, inf, zero and negative numbers. A level is
read straight into a kind of `Level`, so a frame of 40 levels becomes a Book without touching them again.
"""

from typing import Annotated, Literal

from msgspec import DecodeError, Meta, Struct, ValidationError
from msgspec.json import Decoder

from supervisor.clock import NS_PER_MS
from venues.market import Book, Level, Positive, Side, Trade
from venues.venue import VenueMisspoke

GREETING = b"Websocket connection established."
"""The one frame that is not JSON; the venue's own SDK skips it as well."""

SHOWN_MAX = 200
"""So much of a damaged frame goes into the error."""

Milliseconds = Annotated[int, Meta(gt=0, lt=10**13)]
"""A time since 1970; a number of 13 digits lasts until the year 2286, microseconds and nanoseconds are longer."""

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


Heard = Book | tuple[Trade, ...] | Bbo | Subscribed | Pong | Complaint | Other


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


class _SubscribedFrame(Struct, frozen=True, tag_field="channel", tag="subscriptionResponse"):
    data: _Subscribed


class _PongFrame(Struct, frozen=True, tag_field="channel", tag="pong"):
    pass


class _ErrorFrame(Struct, frozen=True, tag_field="channel", tag="error"):
    data: str


class _Envelope(Struct, frozen=True):
    channel: str


_READ = {"l2Book", "trades", "bbo", "subscriptionResponse", "pong", "error"}
_Frame = _BookFrame | _TradesFrame | _BboFrame | _SubscribedFrame | _PongFrame | _ErrorFrame
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
        case _SubscribedFrame(data=answer):
            return Subscribed(answer.method, answer.subscription.type, answer.subscription.coin)
        case _ErrorFrame(data=text):
            return Complaint(text)
        case _:
            return Pong()


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
