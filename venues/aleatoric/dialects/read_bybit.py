"""What Bybit's public v5 streams say: bytes in, typed values out, and a book kept by its update ids.

Linear and spot differ in the order of keys and in what they have: both are read. Fields that came after the recorded
frames of 2023 (cts, RPI, seq of trades) may be missing, unknown ones are passed over. The feeds before v5
(orderBookL2_25, trade.BTCUSD, instrument_info) are not today's wire and are no channels of this reader.
Sources: Bybit's v5 pages "Orderbook", "Trade", "Ticker", "Kline"; recorded frames of 2023-04 and 2024-11.
"""

from typing import Any, Literal

from msgspec import UNSET, Raw, Struct, UnsetType
from msgspec.json import Decoder

from venues.aleatoric.dialects.reading import (
    Gap,
    Id,
    MaybeRateText,
    MaybeText,
    MaybeTimeText,
    Milliseconds,
    Rate,
    WireChange,
    misspoke,
    read,
)
from venues.delta_book import BookBuilder, Size
from venues.market import Positive, Side

RESTARTED = 1
"""The update id of a book that is whole because the venue's service has restarted, whatever its type says."""

SIDES = {"Buy": Side.BUY, "Sell": Side.SELL}

Levels = tuple[WireChange, ...]


class OrderBook(Struct, frozen=True, gc=False):
    """A whole book or what changed in it (orderbook.1, .50, .200, .1000)."""

    symbol: str
    depth: int
    whole: bool
    at_ms: int  # when the venue made the frame
    matched_ms: int | None  # when the matching engine made the book
    bids: Levels
    asks: Levels
    update_id: int
    seq: int


class Trade(
    Struct,
    frozen=True,
    gc=False,
    rename={
        **{"trade_ms": "T", "symbol": "s", "side_text": "S", "size": "v", "price": "p", "direction": "L", "id": "i"},
        **{"block": "BT"},
    },
):
    """One trade; spot does not say how it moved the price."""

    trade_ms: Milliseconds
    symbol: str
    side_text: Literal["Buy", "Sell"]
    size: Positive
    price: Positive
    id: str
    block: bool  # an off-book block trade
    direction: Literal["PlusTick", "ZeroPlusTick", "MinusTick", "ZeroMinusTick"] | None = None
    seq: int | None = None

    @property
    def side(self) -> Side:
        """The taker's side."""
        return SIDES[self.side_text]


class Ticker(
    Struct,
    frozen=True,
    gc=False,
    rename={
        **{"last": "lastPrice", "day_open": "prevPrice24h", "day_high": "highPrice24h", "day_low": "lowPrice24h"},
        **{"day_change": "price24hPcnt", "hour_open": "prevPrice1h", "mark": "markPrice", "index": "indexPrice"},
        **{"open_interest": "openInterest", "open_interest_usd": "openInterestValue"},
        **{"day_notional": "turnover24h", "day_volume": "volume24h", "direction": "tickDirection"},
        **{"next_funding_text": "nextFundingTime", "funding_rate_text": "fundingRate"},
        **{"bid_text": "bid1Price", "bid_size_text": "bid1Size", "ask_text": "ask1Price", "ask_size_text": "ask1Size"},
    },
):
    """A symbol's day, its mark and its funding; a delta has only what changed. None: this frame does not say."""

    symbol: str
    direction: str | None = None
    day_change: Rate | None = None
    last: Positive | None = None
    day_open: Positive | None = None
    day_high: Positive | None = None
    day_low: Positive | None = None
    hour_open: Positive | None = None
    mark: Positive | None = None
    index: Positive | None = None
    open_interest: Size | None = None
    open_interest_usd: Size | None = None
    day_notional: Size | None = None
    day_volume: Size | None = None
    next_funding_text: MaybeTimeText | None = None  # empty where the contract has no funding
    funding_rate_text: MaybeRateText | None = None
    bid_text: MaybeText | None = None
    bid_size_text: MaybeText | None = None
    ask_text: MaybeText | None = None
    ask_size_text: MaybeText | None = None


class TickerFrame(Struct, frozen=True, gc=False):
    """A ticker and whether it is whole."""

    ticker: Ticker
    whole: bool
    at_ms: int
    seq: int | None


class Kline(
    Struct,
    frozen=True,
    gc=False,
    rename={"start_ms": "start", "end_ms": "end", "closed": "confirm", "notional": "turnover", "at_ms": "timestamp"},
):
    """A bar of trades; `end_ms` is its last millisecond."""

    start_ms: Milliseconds
    end_ms: Milliseconds
    interval: str  # minutes, or D, W, M
    open: Positive
    close: Positive
    high: Positive
    low: Positive
    volume: Size
    notional: Size
    closed: bool
    at_ms: Milliseconds


class Klines(Struct, frozen=True, gc=False):
    """Bars of a symbol."""

    symbol: str
    bars: tuple[Kline, ...]


class Answered(Struct, frozen=True):
    """The answer to a request, a ping among them."""

    op: str
    success: bool
    text: str


class Other(Struct, frozen=True):
    """A frame of a topic that nobody here reads."""

    topic: str


Heard = OrderBook | tuple[Trade, ...] | TickerFrame | Klines | Answered | Other


class _Envelope(Struct, frozen=True, gc=False, rename={"kind": "type"}):
    topic: str = ""
    kind: Literal["snapshot", "delta"] | None = None
    ts: Milliseconds | None = None
    data: Raw | UnsetType = UNSET
    cts: Milliseconds | None = None
    cs: int | None = None
    success: bool | None = None
    ret_msg: str = ""
    op: str = ""


class _Book(Struct, frozen=True, gc=False):
    s: str
    b: Levels
    a: Levels
    u: Id
    seq: Id


_envelopes = Decoder(_Envelope)
_DECODERS: dict[str, Decoder[Any]] = {
    "orderbook": Decoder(_Book, strict=False),
    "publicTrade": Decoder(tuple[Trade, ...], strict=False),
    "tickers": Decoder(Ticker, strict=False),
    "kline": Decoder(tuple[Kline, ...], strict=False),
}


def decode(frame: bytes | str) -> Heard:
    """Read one frame. Raises VenueMisspoke when it breaks the venue's own protocol."""
    envelope = read(_envelopes, frame, frame)
    if not envelope.topic:
        if envelope.success is None and not envelope.op:
            raise misspoke(frame, "a frame without a topic, an op and a success")
        return Answered(envelope.op, envelope.success is not False, envelope.ret_msg)
    channel, _, rest = envelope.topic.partition(".")
    if channel not in _DECODERS:
        return Other(envelope.topic)
    if not isinstance(envelope.data, Raw) or envelope.kind is None or envelope.ts is None:
        raise misspoke(frame, f"{channel} without a type, a ts and data")
    heard: Any = read(_DECODERS[channel], envelope.data, frame)
    if channel == "orderbook":
        return _book(envelope, rest, heard, frame)
    if channel == "tickers":
        _same(rest, [heard.symbol], frame)
        return TickerFrame(heard, envelope.kind == "snapshot", envelope.ts, envelope.cs)
    if channel == "kline":
        return Klines(rest.partition(".")[2], heard)
    trades: tuple[Trade, ...] = heard
    _same(rest, [trade.symbol for trade in trades], frame)
    return trades


def _same(symbol: str, said: list[str], frame: bytes | str) -> None:
    """Raises VenueMisspoke where the data is of another symbol than the topic."""
    for other in said:
        if other != symbol:
            raise misspoke(frame, f"the topic is of {symbol}, and the data of {other}")


def _book(envelope: _Envelope, rest: str, book: _Book, frame: bytes | str) -> OrderBook:
    """A book with what its topic and its envelope say."""
    depth, _, symbol = rest.partition(".")
    if not depth.isdecimal() or symbol != book.s:
        raise misspoke(frame, f"the topic {envelope.topic} has a book of {book.s}")
    whole = envelope.kind == "snapshot" or book.u == RESTARTED
    at_ms = envelope.ts or 0
    return OrderBook(symbol, int(depth), whole, at_ms, envelope.cts, book.b, book.a, book.u, book.seq)


class BybitBook:
    """One symbol's book at one depth. A snapshot replaces it; each delta's u is one more than the last, or it is a Gap.

    Bybit calls u a sequence and does not promise that it has no holes; with `consecutive` False it must only grow.
    """

    __slots__ = ("builder", "consecutive", "last_id", "ready")

    def __init__(self, symbol: str, consecutive: bool = True) -> None:
        self.builder, self.consecutive = BookBuilder(symbol), consecutive
        self.ready = False
        self.last_id = 0

    def hear(self, book: OrderBook) -> Gap | None:
        """Apply a snapshot or a delta. Gap: the book is worth nothing until the next snapshot."""
        if book.whole:
            self.builder.replace(book.bids, book.asks)
        else:
            gap = self._gap(book)
            if gap:
                self.ready = False
                return gap
            self.builder.change(book.bids, book.asks)
        self.ready, self.last_id = True, book.update_id
        return None

    def _gap(self, book: OrderBook) -> Gap | None:
        symbol, found = self.builder.symbol, book.update_id
        if not self.ready:
            return Gap(symbol, RESTARTED, found, "a delta without a snapshot before it")
        expected = self.last_id + 1
        if found < expected or (self.consecutive and found != expected):
            return Gap(symbol, expected, found, "u does not continue the last one")
        return None
