"""What Alpaca's market data streams say, turned into the market's vocabulary: bytes in, values out, nothing else.

A frame is an array of messages, each with its kind in "T". It comes as JSON, or as msgpack with the same keys when the
connection was asked for so; times are RFC 3339 text with up to nine decimals in the one, timestamp extensions in the
other. Order books of crypto are one whole book ("r": true) and then changes: venues/alpaca/book.py puts them together.
(docs.alpaca.markets, "Real-time Crypto Data", "Real-time Stock Data".)

What cannot be read is a verdict of its own, Damaged, and hides none of its neighbours in the frame.
"""

import re
from datetime import datetime
from functools import lru_cache
from typing import Annotated, Literal

from msgspec import Meta, Raw, Struct, field, json, msgpack
from msgspec.msgpack import Ext

from supervisor.clock import NS_PER_S
from venues.delta_book import Change, Size
from venues.market import PRICE_MAX, Bar, Level, Positive, Side, Trade
from venues.venue import VenueMisspoke

SHOWN_MAX = 200
"""So much of a damaged frame goes into the error."""

Amount = Annotated[float, Meta(ge=0, lt=PRICE_MAX * PRICE_MAX)]
"""A volume: it may be nothing, and a share's has more digits than a price."""

SIDES = {"B": Side.BUY, "S": Side.SELL}
"""The taker's side; shares have none."""

MINUTE_NS, DAY_NS = 60 * NS_PER_S, 86_400 * NS_PER_S
CHANNELS = {"b": "bars", "u": "updatedBars", "d": "dailyBars"}
TIMESTAMP = -1
"""The extension type that msgpack reserves for times."""


class Quote(Struct, frozen=True, gc=False):
    """The best bid and ask; None where a side is empty, which the venue prints as zeros.

    Sizes are as printed: units of a coin; of a share it may be round lots, which the frame does not tell.
    """

    symbol: str
    at_ns: int
    received_ns: int
    bid: Level | None
    ask: Level | None
    bid_exchange: str = ""  # this and what follows: shares only
    ask_exchange: str = ""
    conditions: tuple[str, ...] = ()
    tape: str = ""


class StockTrade(Struct, frozen=True, gc=False):
    """A trade of a share: nobody says who was the aggressor."""

    symbol: str
    at_ns: int
    received_ns: int
    price: float
    size: float
    id: int
    exchange: str
    conditions: tuple[str, ...]
    tape: str


class BookChange(Struct, frozen=True, gc=False):
    """Levels of an order book: all of them, or those that changed."""

    symbol: str
    at_ns: int
    received_ns: int
    bids: tuple[Change, ...]
    asks: tuple[Change, ...]
    whole: bool


class Candle(Struct, frozen=True, gc=False):
    """A closed bar; crypto's are of mid prices where nobody traded. `bar.books` counts trades, the venue's `n`."""

    channel: str  # bars, updatedBars, dailyBars
    bar: Bar
    received_ns: int
    volume: float
    vwap: float


class Subscribed(Struct, frozen=True):
    """All that the connection is subscribed to now: symbols by channel."""

    symbols: dict[str, tuple[str, ...]]


class Greeted(Struct, frozen=True):
    """Connected, or authenticated."""

    text: str


class Complaint(Struct, frozen=True):
    """The venue could not do what was asked: 402 is a wrong key, 405 and 406 are limits, 407 a slow client."""

    code: int
    text: str


class Other(Struct, frozen=True):
    """A message of a kind that nobody here reads."""

    kind: str


class Damaged(Struct, frozen=True):
    """A message that breaks the venue's own protocol; of its neighbours nothing is lost."""

    text: str
    kind: str = ""  # where that much could be read
    symbol: str = ""  # the same


Heard = Trade | StockTrade | Quote | BookChange | Candle | Subscribed | Greeted | Complaint | Other | Damaged
Stamp = str | Ext


class _Level(Change, frozen=True, gc=False, rename={"price": "p", "size": "s"}):
    """A change under the venue's names; that its fields stand here again is what renames them."""

    price: Positive
    size: Size


class _Book(Struct, frozen=True, gc=False, tag_field="T", tag="o"):
    symbol: str = field(name="S")
    at: Stamp = field(name="t")
    bids: tuple[_Level, ...] = field(name="b")
    asks: tuple[_Level, ...] = field(name="a")
    whole: bool = field(name="r", default=False)


class _Trade(Struct, frozen=True, gc=False, tag_field="T", tag="t"):
    symbol: str = field(name="S")
    price: Positive = field(name="p")
    size: Positive = field(name="s")
    at: Stamp = field(name="t")
    id: int = field(name="i")
    taker: Literal["B", "S", ""] = field(name="tks", default="")
    exchange: str = field(name="x", default="")
    conditions: tuple[str, ...] | None = field(name="c", default=())
    tape: str = field(name="z", default="")


class _Quote(Struct, frozen=True, gc=False, tag_field="T", tag="q"):
    symbol: str = field(name="S")
    bid: Size = field(name="bp")
    bid_size: Size = field(name="bs")
    ask: Size = field(name="ap")
    ask_size: Size = field(name="as")
    at: Stamp = field(name="t")
    bid_exchange: str = field(name="bx", default="")
    ask_exchange: str = field(name="ax", default="")
    conditions: tuple[str, ...] | None = field(name="c", default=())
    tape: str = field(name="z", default="")


class _Bar(Struct, frozen=True, gc=False, tag_field="T", tag="b"):
    symbol: str = field(name="S")
    open: Positive = field(name="o")
    high: Positive = field(name="h")
    low: Positive = field(name="l")
    close: Positive = field(name="c")
    volume: Amount = field(name="v")
    at: Stamp = field(name="t")
    trades: int = field(name="n", default=0)  # not in frames of 2021
    vwap: Amount = field(name="vw", default=0.0)


class _UpdatedBar(_Bar, frozen=True, gc=False, tag="u"):
    pass


class _DailyBar(_Bar, frozen=True, gc=False, tag="d"):
    pass


class _Subscription(Struct, frozen=True, tag_field="T", tag="subscription", rename="camel"):
    trades: tuple[str, ...] | None = ()  # Go prints an empty list as null
    quotes: tuple[str, ...] | None = ()
    orderbooks: tuple[str, ...] | None = ()
    bars: tuple[str, ...] | None = ()
    updated_bars: tuple[str, ...] | None = ()
    daily_bars: tuple[str, ...] | None = ()


class _Success(Struct, frozen=True, tag_field="T", tag="success"):
    msg: str


class _Error(Struct, frozen=True, tag_field="T", tag="error"):
    code: int
    msg: str


class _Kind(Struct, frozen=True):
    kind: str = field(name="T")


class _Named(Struct, frozen=True):
    symbol: str = field(name="S", default="")


_Message = _Book | _Trade | _Quote | _Bar | _UpdatedBar | _DailyBar | _Subscription | _Success | _Error
_READ = {"o", "t", "q", *CHANNELS, "subscription", "success", "error"}


class _Coding:
    """The decoders of one encoding."""

    __slots__ = ("kind", "message", "messages", "named", "parts")

    def __init__(self, decoder: type[json.Decoder] | type[msgpack.Decoder]) -> None:  # type: ignore[type-arg]
        self.messages = decoder(tuple[_Message, ...])
        self.message = decoder(_Message)
        self.parts = decoder(tuple[Raw, ...])
        self.kind = decoder(_Kind)
        self.named = decoder(_Named)


_JSON, _MSGPACK = _Coding(json.Decoder), _Coding(msgpack.Decoder)
_STAMP = re.compile(r"(\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d)(?:\.(\d{1,9}))?(Z|[+-]\d\d:\d\d)")
_NS_DIGITS = 9
_SECONDS_BITS = 34  # of the middle format, below thirty bits of nanoseconds


def decode(frame: bytes | str, received_ns: int) -> tuple[Heard, ...]:
    """Read all messages of one frame, JSON or msgpack. Raises VenueMisspoke when it is no array of them."""
    data = frame.encode("utf-8", "replace") if isinstance(frame, str) else frame
    # No array of msgpack begins with the byte of a bracket, and no JSON with anything else.
    coding = _JSON if isinstance(frame, str) or data.lstrip()[:1] == b"[" else _MSGPACK
    try:
        return tuple(_heard(message, received_ns) for message in coding.messages.decode(data))
    except (ValueError, RecursionError, OverflowError):  # msgspec's errors are ValueErrors
        pass  # then one by one
    try:
        parts = coding.parts.decode(data)
    except (ValueError, RecursionError) as error:
        raise VenueMisspoke(f"{error}: {data[:SHOWN_MAX].decode('utf-8', 'replace')}") from error
    return tuple(_one(coding, part, received_ns) for part in parts)


def nanoseconds(stamp: Stamp) -> int:
    """A time in nanoseconds since 1970. Raises ValueError when it is none."""
    if isinstance(stamp, Ext):
        return _timestamp(stamp)
    if (parts := _STAMP.fullmatch(stamp)) is None:
        raise ValueError(f"{stamp!r} is not a time of RFC 3339, as 2024-03-12T10:38:50.79613221Z")
    second, fraction, zone = parts.groups()
    return _seconds(second, zone) * NS_PER_S + int((fraction or "").ljust(_NS_DIGITS, "0"))


@lru_cache(maxsize=1024)
def _seconds(text: str, zone: str) -> int:
    """Most messages come from the same second as the one before."""
    return round(datetime.fromisoformat(text + zone.replace("Z", "+00:00")).timestamp())


def _timestamp(stamp: Ext) -> int:
    """The three formats that msgpack has for a time: seconds; both in eight bytes; nanoseconds before seconds."""
    data = bytes(stamp.data)
    if stamp.code == TIMESTAMP and len(data) == 4:
        return int.from_bytes(data) * NS_PER_S
    if stamp.code == TIMESTAMP and len(data) == 8:
        ns, seconds = divmod(int.from_bytes(data), 1 << _SECONDS_BITS)
        return seconds * NS_PER_S + ns
    if stamp.code == TIMESTAMP and len(data) == 12:
        return int.from_bytes(data[4:], signed=True) * NS_PER_S + int.from_bytes(data[:4])
    raise ValueError(f"extension {stamp.code} of {len(data)} bytes is not a msgpack timestamp")


def _one(coding: _Coding, part: Raw, received_ns: int) -> Heard:
    """One message of a frame in which something did not fit: a kind that nobody reads is none of our business."""
    kind = symbol = ""
    try:
        kind = coding.kind.decode(part).kind
        if kind not in _READ:
            return Other(kind[:SHOWN_MAX])
        symbol = coding.named.decode(part).symbol
        return _heard(coding.message.decode(part), received_ns)
    except (ValueError, RecursionError, OverflowError) as error:
        text = f"{error}: {bytes(part)[:SHOWN_MAX].decode('utf-8', 'replace')}"
        return Damaged(text[: 2 * SHOWN_MAX], kind[:SHOWN_MAX], symbol[:SHOWN_MAX])


def _heard(said: _Message, received_ns: int) -> Heard:
    """A message in the market's words."""
    match said:
        case _Book():
            at_ns = nanoseconds(said.at)
            return BookChange(said.symbol, at_ns, received_ns, said.bids, said.asks, said.whole)
        case _Quote():
            return _quote(said, received_ns)
        case _Trade():
            return _trade(said, received_ns)
        case _Bar():  # and its two kinds
            return _candle(said, received_ns)
        case _Subscription():
            channels = zip(said.__struct_encode_fields__, said.__struct_fields__, strict=True)
            return Subscribed({wire: getattr(said, name) for wire, name in channels if getattr(said, name)})
        case _Success(msg=text):
            return Greeted(text)
        case _Error(code=code, msg=text):
            return Complaint(code, text)


def _quote(said: _Quote, received_ns: int) -> Quote:
    return Quote(
        symbol=said.symbol,
        at_ns=nanoseconds(said.at),
        received_ns=received_ns,
        bid=Level(said.bid, said.bid_size) if said.bid and said.bid_size else None,
        ask=Level(said.ask, said.ask_size) if said.ask and said.ask_size else None,
        bid_exchange=said.bid_exchange,
        ask_exchange=said.ask_exchange,
        conditions=said.conditions or (),
        tape=said.tape,
    )


def _trade(said: _Trade, received_ns: int) -> Trade | StockTrade:
    """Crypto's trades say who took, shares' trades say where and how."""
    at_ns = nanoseconds(said.at)
    if said.taker:
        return Trade(said.symbol, at_ns, received_ns, said.price, said.size, SIDES[said.taker])
    return StockTrade(
        symbol=said.symbol,
        at_ns=at_ns,
        received_ns=received_ns,
        price=said.price,
        size=said.size,
        id=said.id,
        exchange=said.exchange,
        conditions=said.conditions or (),
        tape=said.tape,
    )


def _candle(said: _Bar, received_ns: int) -> Candle:
    interval_ns = DAY_NS if isinstance(said, _DailyBar) else MINUTE_NS
    prices = (said.open, said.high, said.low, said.close)
    bar = Bar(said.symbol, nanoseconds(said.at), interval_ns, *prices, said.trades)
    channel = CHANNELS[str(said.__struct_config__.tag)]
    return Candle(channel, bar, received_ns, said.volume, said.vwap)
