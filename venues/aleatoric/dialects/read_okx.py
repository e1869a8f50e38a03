"""What OKX's public channels say: bytes in, typed values out, and a book kept by sequence and checksum.

Prices and sizes of books stay text beside their values, because the checksum is over the text. Fields that came after
the recorded frames of 2022 (seqId, prevSeqId, count, source and more) may be missing. Unknown fields are passed over.
Sources: OKX's API guide v5, "Order book channel" and its neighbours; recorded frames of 2022, 2025 and 2026.
"""

from collections.abc import Iterable
from itertools import chain, zip_longest
from typing import Annotated, Any, Literal
from zlib import crc32

from msgspec import UNSET, Meta, Raw, Struct, UnsetType
from msgspec.json import Decoder

from venues.aleatoric.dialects.reading import (
    CountText,
    Gap,
    Id,
    MaybeRateText,
    MaybeText,
    Milliseconds,
    PriceText,
    Rate,
    SizeText,
    misspoke,
    read,
)
from venues.delta_book import BookBuilder, Change, Size
from venues.market import Positive, Side

CHECKED_LEVELS = 25
"""Levels of each side that the checksum covers."""

NO_CHECKSUM = 0
"""What the field holds since 2026-06-23, when OKX stopped to compute it."""

NO_PREVIOUS = -1
"""prevSeqId of a snapshot."""

PONG = b"pong"
_SIGN_BIT = 1 << 31


class Level(Struct, frozen=True, gc=False, array_like=True, forbid_unknown_fields=True):
    """A level as text: ["price", "size", "0", "orders"]; a size of "0" says that it is gone."""

    price_text: PriceText
    size_text: SizeText
    deprecated: CountText
    orders_text: CountText

    @property
    def change(self) -> Change:
        """As a change of a book."""
        return Change(float(self.price_text), float(self.size_text))


Levels = tuple[Level, ...]


class Books(Struct, frozen=True, gc=False):
    """A whole book or what changed in it (books, books-l2-tbt, books50-l2-tbt)."""

    symbol: str
    whole: bool
    at_ms: int
    bids: Levels
    asks: Levels
    checksum: int
    seq_id: int | None
    prev_seq_id: int | None


class Top(Struct, frozen=True, gc=False):
    """The best levels, whole (books5, bbo-tbt); a side may be empty."""

    symbol: str
    channel: str
    at_ms: int
    bids: Levels
    asks: Levels
    seq_id: int | None


class Trade(
    Struct,
    frozen=True,
    gc=False,
    rename={
        **{"symbol": "instId", "id": "tradeId", "price": "px", "size": "sz", "at_ms": "ts", "fills": "count"},
        "seq_id": "seqId",
    },
):
    """What one taker order took at one price; sizes of a swap are contracts."""

    symbol: str
    id: str
    price: Positive
    size: Positive
    side: Side
    at_ms: Milliseconds
    fills: int = 1
    seq_id: int | None = None


class Ticker(
    Struct,
    frozen=True,
    gc=False,
    rename={
        **{"kind": "instType", "symbol": "instId", "last_size": "lastSz", "ask_text": "askPx"},
        **{"ask_size_text": "askSz", "bid_text": "bidPx", "bid_size_text": "bidSz", "open": "open24h"},
        **{"high": "high24h", "low": "low24h", "open_utc": "sodUtc0", "open_utc8": "sodUtc8"},
        **{"volume_currency": "volCcy24h", "volume": "vol24h", "at_ms": "ts"},
    },
):
    """The last day of a symbol, and its best prices; their texts are empty where a side is."""

    kind: str
    symbol: str
    last: Positive
    last_size: Size
    ask_text: MaybeText
    ask_size_text: MaybeText
    bid_text: MaybeText
    bid_size_text: MaybeText
    open: Positive
    high: Positive
    low: Positive
    open_utc: Positive
    open_utc8: Positive
    volume_currency: Size  # in quote currency at spot, in coins for a swap
    volume: Size  # in coins at spot, in contracts for a swap
    at_ms: Milliseconds


class MarkPrice(
    Struct, frozen=True, gc=False, rename={"symbol": "instId", "kind": "instType", "mark": "markPx", "at_ms": "ts"}
):
    """The price that positions are valued at."""

    symbol: str
    kind: str
    mark: Positive
    at_ms: Milliseconds


class FundingRate(
    Struct,
    frozen=True,
    gc=False,
    rename={
        **{"rate": "fundingRate", "funding_ms": "fundingTime", "symbol": "instId", "kind": "instType"},
        **{"next_rate_text": "nextFundingRate", "next_funding_ms": "nextFundingTime", "at_ms": "ts"},
        **{"rate_max_text": "maxFundingRate", "rate_min_text": "minFundingRate", "premium_text": "premium"},
    },
):
    """The rate that is due at `funding_ms`; texts are empty where the venue says nothing."""

    rate: Rate
    funding_ms: Milliseconds
    symbol: str
    kind: str
    next_rate_text: MaybeRateText = ""
    next_funding_ms: Milliseconds | None = None
    rate_max_text: MaybeRateText = ""
    rate_min_text: MaybeRateText = ""
    premium_text: MaybeRateText = ""
    at_ms: Milliseconds | None = None


class CandleRow(Struct, frozen=True, gc=False, array_like=True):
    """A bar; frames of 2022 end after `volume_currency`."""

    start_ms: Milliseconds
    open: Positive
    high: Positive
    low: Positive
    close: Positive
    volume: Size
    volume_currency: Size
    volume_quote: Size | None = None
    closed: bool | None = None


class Candles(Struct, frozen=True, gc=False):
    """Bars of a length: candle1m, candle1H."""

    symbol: str
    interval: str
    rows: tuple[CandleRow, ...]


class Answered(Struct, frozen=True):
    """The answer to a request: subscribe, unsubscribe, error, notice."""

    event: str
    channel: str
    symbol: str
    text: str


class Pong(Struct, frozen=True):
    """The answer to the text "ping"."""


class Other(Struct, frozen=True):
    """A frame of a channel that nobody here reads."""

    channel: str


Heard = Books | Top | tuple[Trade, ...] | Ticker | MarkPrice | FundingRate | Candles | Answered | Pong | Other


class _Arg(Struct, frozen=True, gc=False, rename={"symbol": "instId"}):
    channel: str
    symbol: str = ""


class _Envelope(Struct, frozen=True, gc=False):
    arg: _Arg | UnsetType = UNSET
    data: Raw | UnsetType = UNSET
    action: Literal["snapshot", "update"] | None = None
    event: str = ""
    code: str = ""
    msg: str = ""


class _Rows(Struct, frozen=True, gc=False, rename={"at_ms": "ts", "seq_id": "seqId", "prev_seq_id": "prevSeqId"}):
    asks: Levels
    bids: Levels
    at_ms: Milliseconds
    checksum: int = NO_CHECKSUM
    seq_id: Id | None = None
    prev_seq_id: Annotated[int, Meta(ge=NO_PREVIOUS)] | None = None


_envelopes = Decoder(_Envelope)
_rows = Decoder(tuple[_Rows], strict=False)
_trades = Decoder(tuple[Trade, ...], strict=False)
_candles = Decoder(tuple[CandleRow, ...], strict=False)
_SINGLES: dict[str, Decoder[Any]] = {
    "tickers": Decoder(tuple[Ticker], strict=False),
    "mark-price": Decoder(tuple[MarkPrice], strict=False),
    "funding-rate": Decoder(tuple[FundingRate], strict=False),
}
CHANGING = {"books", "books-l2-tbt", "books50-l2-tbt"}
WHOLE = {"books5", "bbo-tbt"}
CANDLE = "candle"


def decode(frame: bytes | str) -> Heard:
    """Read one frame. Raises VenueMisspoke when it breaks the venue's own protocol."""
    if frame in (PONG, PONG.decode()):
        return Pong()
    envelope = read(_envelopes, frame, frame)
    arg, data = envelope.arg, envelope.data
    if envelope.event:
        known = arg if isinstance(arg, _Arg) else _Arg("")
        return Answered(envelope.event, known.channel, known.symbol, f"{envelope.code} {envelope.msg}".strip())
    if not isinstance(arg, _Arg) or not isinstance(data, Raw):
        raise misspoke(frame, "a frame without a channel and data, and without an event")
    return _pushed(arg, envelope.action, data, frame)


def _pushed(arg: _Arg, action: str | None, data: Raw, frame: bytes | str) -> Heard:
    """What a channel pushes."""
    channel, symbol = arg.channel, arg.symbol
    if channel in CHANGING:
        if action is None:
            raise misspoke(frame, f"{channel} without an action")
        (row,) = read(_rows, data, frame)
        whole = action == "snapshot"
        return Books(symbol, whole, row.at_ms, row.bids, row.asks, row.checksum, row.seq_id, row.prev_seq_id)
    if channel in WHOLE:
        (row,) = read(_rows, data, frame)
        return Top(symbol, channel, row.at_ms, row.bids, row.asks, row.seq_id)
    if channel == "trades":
        return read(_trades, data, frame)
    if channel in _SINGLES:
        only: Ticker | MarkPrice | FundingRate = read(_SINGLES[channel], data, frame)[0]
        return only
    if channel.startswith(CANDLE):
        return Candles(symbol, channel.removeprefix(CANDLE), read(_candles, data, frame))
    return Other(channel)


def checksum(bids: Iterable[bytes], asks: Iterable[bytes]) -> int:
    """CRC32 of the best 25 levels of each side, "price:size" each, best first, bid and ask in turn; signed 32 bit."""
    unsigned = crc32(b":".join(filter(None, chain.from_iterable(zip_longest(bids, asks)))))
    return (unsigned ^ _SIGN_BIT) - _SIGN_BIT


class OkxBook:
    """One symbol's book. Every update names the one before it and signs the book that results; what does not is a Gap.

    An empty update of equal ids is a keepalive; an update whose seqId is below its prevSeqId restarts the count, and
    follows like any other. Frames without ids (before 2023) are held to their checksum alone.
    """

    __slots__ = ("_texts", "builder", "checked", "last_id", "ready")

    def __init__(self, symbol: str) -> None:
        self.builder = BookBuilder(symbol)
        self.ready = False
        self.last_id: int | None = None
        self.checked = 0
        """So many checksums were there and right."""
        self._texts: tuple[dict[float, bytes], dict[float, bytes]] = ({}, {})

    def hear(self, books: Books) -> Gap | None:
        """Apply a snapshot or an update. Gap: the book is worth nothing until the next snapshot."""
        gap = None if books.whole else self._gap(books)
        if gap is None:
            self._take(books)
            gap = self._mismatch(books)
        self.ready = gap is None
        return gap

    def _gap(self, books: Books) -> Gap | None:
        """The verdict on an update before it is applied."""
        symbol = self.builder.symbol
        found = NO_PREVIOUS if books.prev_seq_id is None else books.prev_seq_id
        if not self.ready:
            return Gap(symbol, NO_PREVIOUS, found, "an update without a snapshot before it")
        if self.last_id is not None and books.prev_seq_id != self.last_id:
            return Gap(symbol, self.last_id, found, "prevSeqId is not the last seqId")
        return None

    def _take(self, books: Books) -> None:
        bids, asks = (tuple(level.change for level in side) for side in (books.bids, books.asks))
        if books.whole:
            self.builder.replace(bids, asks)
            self._texts = ({}, {})
        else:
            self.builder.change(bids, asks)
        for texts, levels, changes in zip(self._texts, (books.bids, books.asks), (bids, asks), strict=True):
            for level, change in zip(levels, changes, strict=True):
                if change.size:
                    texts[change.price] = f"{level.price_text}:{level.size_text}".encode()
                else:
                    texts.pop(change.price, None)
        self.last_id = books.seq_id

    def _mismatch(self, books: Books) -> Gap | None:
        """The verdict of the checksum on the book that resulted."""
        if books.checksum == NO_CHECKSUM:
            return None
        best = self.builder.book(0, 0, CHECKED_LEVELS)
        sides = zip(self._texts, (best.bids, best.asks), strict=True)
        bids, asks = ([texts[level.price] for level in levels] for texts, levels in sides)
        computed = checksum(bids, asks)
        if computed != books.checksum:
            return Gap(self.builder.symbol, books.checksum, computed, "the checksum is of another book")
        self.checked += 1
        return None
