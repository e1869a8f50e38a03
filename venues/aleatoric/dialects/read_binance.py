"""What Binance's streams and its depth snapshot say, spot and USD-M: bytes in, typed values out.

Frames come bare or in the wrapper of a combined stream, {"stream": name, "data": frame}. What a frame is stands in its
stream's name, and without a wrapper in its field "e"; spot's book ticker and partial depth have neither and are told by
their keys. Unknown fields are passed over: Binance adds some every year (`nq` in USD-M aggTrade, `ap` in markPrice).
Sources: the WebSocket pages of Binance's spot and USD-M documentation; recorded frames of 2021, 2024 and 2026.
"""

from collections.abc import Sequence
from typing import Any

from msgspec import UNSET, Raw, Struct, UnsetType
from msgspec.json import Decoder

from venues.aleatoric.dialects.reading import Gap, Id, Milliseconds, Rate, WireChange, misspoke, read
from venues.delta_book import BookBuilder, Size
from venues.market import Positive, Side

Levels = tuple[WireChange, ...]


class DepthDiff(
    Struct,
    frozen=True,
    gc=False,
    rename={
        **{"event_ms": "E", "symbol": "s", "first_id": "U", "last_id": "u", "previous_id": "pu", "bids": "b"},
        **{"asks": "a", "transaction_ms": "T"},
    },
):
    """What changed in a book between two updates (depthUpdate); USD-M also names the update before."""

    event_ms: Milliseconds
    symbol: str
    first_id: Id
    last_id: Id
    bids: Levels
    asks: Levels
    previous_id: Id | None = None  # USD-M: last_id of the diff before
    transaction_ms: Milliseconds | None = None  # USD-M: the matching engine's time


class DepthSnapshot(
    Struct,
    frozen=True,
    gc=False,
    rename={"last_id": "lastUpdateId", "event_ms": "E", "transaction_ms": "T"},
):
    """A whole book by REST, or the best levels of spot's partial depth stream; neither says whose."""

    last_id: Id
    bids: Levels
    asks: Levels
    event_ms: Milliseconds | None = None  # USD-M
    transaction_ms: Milliseconds | None = None  # USD-M


class PartialDepth(Struct, frozen=True, gc=False):
    """The best 5, 10 or 20 levels, whole; the symbol is the stream's where the frame has none."""

    symbol: str
    book: DepthSnapshot


class AggTrade(
    Struct,
    frozen=True,
    gc=False,
    rename={
        **{"event_ms": "E", "symbol": "s", "id": "a", "price": "p", "size": "q", "first_trade_id": "f"},
        **{"last_trade_id": "l", "trade_ms": "T", "buyer_is_maker": "m"},
    },
):
    """All that one taker order took at one price."""

    event_ms: Milliseconds
    symbol: str
    id: Id
    price: Positive
    size: Positive
    first_trade_id: Id
    last_trade_id: Id
    trade_ms: Milliseconds
    buyer_is_maker: bool

    @property
    def side(self) -> Side:
        """The taker's side."""
        return Side.SELL if self.buyer_is_maker else Side.BUY


class SingleTrade(
    Struct,
    frozen=True,
    gc=False,
    rename={
        **{"event_ms": "E", "symbol": "s", "id": "t", "price": "p", "size": "q", "trade_ms": "T"},
        **{"buyer_is_maker": "m", "kind": "X"},
    },
):
    """One match of a taker with one maker."""

    event_ms: Milliseconds
    symbol: str
    id: Id
    price: Size  # USD-M sends 0 with X = "NA" for what is no trade of the market
    size: Size
    trade_ms: Milliseconds
    buyer_is_maker: bool
    kind: str = "MARKET"  # USD-M: MARKET, LIQUIDATION, INSURANCE_FUND, NA

    @property
    def side(self) -> Side:
        """The taker's side."""
        return Side.SELL if self.buyer_is_maker else Side.BUY


class BookTicker(
    Struct,
    frozen=True,
    gc=False,
    rename={
        **{"update_id": "u", "symbol": "s", "bid": "b", "bid_size": "B", "ask": "a", "ask_size": "A"},
        **{"transaction_ms": "T", "event_ms": "E"},
    },
):
    """The best bid and ask; price and size are 0 where a side is empty. Spot says no time."""

    update_id: Id
    symbol: str
    bid: Size
    bid_size: Size
    ask: Size
    ask_size: Size
    transaction_ms: Milliseconds | None = None
    event_ms: Milliseconds | None = None


class MarkPrice(
    Struct,
    frozen=True,
    gc=False,
    rename={
        **{"event_ms": "E", "symbol": "s", "mark": "p", "settle": "P", "index": "i", "funding_rate": "r"},
        **{"next_funding_ms": "T"},
    },
):
    """The price that positions are valued at, and the rate that is due next (markPriceUpdate)."""

    event_ms: Milliseconds
    symbol: str
    mark: Positive
    settle: Size  # estimated, means something in the last hour before a delivery
    index: Positive
    funding_rate: Rate
    next_funding_ms: Milliseconds


class Kline(
    Struct,
    frozen=True,
    gc=False,
    rename={
        **{"start_ms": "t", "end_ms": "T", "symbol": "s", "interval": "i", "first_trade_id": "f"},
        **{"last_trade_id": "L", "open": "o", "close": "c", "high": "h", "low": "l", "volume": "v"},
        **{"trades": "n", "closed": "x", "notional": "q", "volume_bought": "V", "notional_bought": "Q"},
    },
):
    """A bar of trades; `end_ms` is its last millisecond, ids are -1 where nothing traded."""

    start_ms: Milliseconds
    end_ms: Milliseconds
    symbol: str
    interval: str
    first_trade_id: int
    last_trade_id: int
    open: Positive
    close: Positive
    high: Positive
    low: Positive
    volume: Size
    trades: Id
    closed: bool
    notional: Size
    volume_bought: Size
    notional_bought: Size


class Answered(Struct, frozen=True):
    """The answer to a request; `error` is empty where it was granted."""

    id: int | str | None
    error: str


class Other(Struct, frozen=True):
    """A frame of a stream that nobody here reads."""

    stream: str


Heard = (
    DepthDiff
    | DepthSnapshot
    | PartialDepth
    | AggTrade
    | SingleTrade
    | BookTicker
    | MarkPrice
    | Kline
    | Answered
    | Other
)


class _KlineFrame(Struct, frozen=True):
    k: Kline


class _Error(Struct, frozen=True):
    code: int = 0
    msg: str = ""


class _Envelope(Struct, frozen=True, gc=False, rename={"last_update_id": "lastUpdateId"}):
    """As much of any frame as tells what it is."""

    stream: str = ""
    data: Raw | UnsetType = UNSET
    e: str = ""
    u: Any = UNSET
    last_update_id: Any = UNSET
    result: Any = UNSET
    error: _Error | UnsetType = UNSET
    id: int | str | None = None


_envelopes = Decoder(_Envelope)
_snapshots = Decoder(DepthSnapshot, strict=False)
_diffs = Decoder(DepthDiff, strict=False)
_klines = Decoder(_KlineFrame, strict=False)
_DECODERS: dict[str, Decoder[Any]] = {  # by "e", which for these is the stream's name as well
    "depthUpdate": _diffs,
    "aggTrade": Decoder(AggTrade, strict=False),
    "trade": Decoder(SingleTrade, strict=False),
    "bookTicker": Decoder(BookTicker, strict=False),
    "markPriceUpdate": Decoder(MarkPrice, strict=False),
    "kline": _klines,
}
_EVENTS = {"depth": "depthUpdate", "markPrice": "markPriceUpdate"}  # where stream and event have other names


def decode(frame: bytes | str) -> Heard:
    """Read one frame. Raises VenueMisspoke when it breaks the venue's own protocol."""
    envelope = read(_envelopes, frame, frame)
    if isinstance(envelope.data, Raw):
        return _streamed(envelope.stream, envelope.data, frame)
    if envelope.e:
        return _event(envelope.e, frame, frame) if envelope.e in _DECODERS else Other(envelope.e)
    if envelope.last_update_id is not UNSET:
        return read(_snapshots, frame, frame)
    if envelope.u is not UNSET:
        return _event("bookTicker", frame, frame)
    if isinstance(envelope.error, _Error):
        return Answered(envelope.id, f"{envelope.error.code}: {envelope.error.msg}")
    if envelope.result is not UNSET:
        return Answered(envelope.id, "")
    raise misspoke(frame, "a frame without a stream, an event, an update id or a result")


def decode_snapshot(body: bytes | str) -> DepthSnapshot:
    """Read the answer of GET /api/v3/depth or /fapi/v1/depth. Raises VenueMisspoke."""
    return read(_snapshots, body, body)


def _streamed(stream: str, data: Raw, frame: bytes | str) -> Heard:
    """A frame of a combined stream; `btcusdt@depth20@100ms` says what it is better than the frame does."""
    symbol, _, name = stream.partition("@")
    kind = name.partition("@")[0]
    if kind.startswith("depth") and kind != "depth":
        return PartialDepth(symbol.upper(), _partial(data, frame))
    kind = "kline" if kind.startswith("kline_") else _EVENTS.get(kind, kind)
    return _event(kind, data, frame) if kind in _DECODERS else Other(stream)


def _partial(data: Raw, frame: bytes | str) -> DepthSnapshot:
    """Spot sends partial depth like the REST answer, USD-M like a diff."""
    if read(_envelopes, data, frame).e:
        diff = read(_diffs, data, frame)
        return DepthSnapshot(diff.last_id, diff.bids, diff.asks, diff.event_ms, diff.transaction_ms)
    return read(_snapshots, data, frame)


def _event(kind: str, part: bytes | str | Raw, frame: bytes | str) -> Heard:
    """Read what is known to be of a kind."""
    heard: Heard | _KlineFrame = read(_DECODERS[kind], part, frame)
    return heard.k if isinstance(heard, _KlineFrame) else heard


class DepthBook:
    """One symbol's book, kept by the rule of Binance's documentation; a hole is a Gap, and holds all until a snapshot.

    Diffs are kept until the first snapshot. Those that end before it are stale. The first that is applied must span
    it: spot U <= id + 1 <= u, USD-M U <= id <= u (or pu == id, which leaves nothing out either). Every later one must
    follow its predecessor: spot U == u + 1, USD-M pu == u. What repeats a part of the book that is already there is
    stale at any time: sizes are absolute.
    """

    __slots__ = ("_begun", "applied", "builder", "futures", "held", "last_id", "stale")

    def __init__(self, symbol: str, futures: bool) -> None:
        self.builder, self.futures = BookBuilder(symbol), futures
        self.last_id: int | None = None  # None: waits for a snapshot
        self.held: list[DepthDiff] = []
        self.applied = self.stale = 0
        self._begun = False  # a diff has been applied since the snapshot

    @property
    def ready(self) -> bool:
        """Whether the book is whole."""
        return self.last_id is not None

    def snapshot(self, snapshot: DepthSnapshot) -> Gap | None:
        """Start from a whole book, and apply what was held. Gap: it is too old for what was held; ask for another."""
        if self.last_id is not None and snapshot.last_id <= self.last_id:
            return None
        self.builder.replace(snapshot.bids, snapshot.asks)
        self.last_id, self._begun = snapshot.last_id, False
        return self._apply(self.held)

    def diff(self, diff: DepthDiff) -> Gap | None:
        """Apply a diff, or hold it while there is no snapshot. Gap: something before it is missing."""
        if self.last_id is None:
            self.held.append(diff)
            return None
        return self._apply([diff])

    def _apply(self, diffs: Sequence[DepthDiff]) -> Gap | None:
        """Apply as many as follow; from the first that does not, all are held."""
        self.held = []
        for at, diff in enumerate(diffs):
            gap = self._one(diff)
            if gap:
                self.last_id, self.held = None, list(diffs[at:])
                return gap
        return None

    def _one(self, diff: DepthDiff) -> Gap | None:
        last = self.last_id
        assert last is not None, "a diff is applied only to a book"
        spans_last = self.futures and not self._begun  # USD-M's first may end exactly where the snapshot does
        if diff.last_id < last or (diff.last_id == last and not spans_last):
            self.stale += 1
            return None
        gap = self._gap(diff, last)
        if gap is None:
            self.builder.change(diff.bids, diff.asks)
            self.last_id, self._begun = diff.last_id, True
            self.applied += 1
        return gap

    def _gap(self, diff: DepthDiff, last: int) -> Gap | None:
        symbol = self.builder.symbol
        if not self._begun:
            first = last if self.futures else last + 1
            if diff.first_id > first and diff.previous_id != last:
                return Gap(symbol, first, diff.first_id, "the first diff begins after the snapshot")
        elif self.futures:
            if diff.previous_id != last:
                found = -1 if diff.previous_id is None else diff.previous_id
                return Gap(symbol, last, found, "pu is not the last diff's u")
        elif diff.first_id != last + 1:
            return Gap(symbol, last + 1, diff.first_id, "U does not continue the last diff's u")
        return None
