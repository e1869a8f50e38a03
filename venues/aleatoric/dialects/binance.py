"""Binance's streams as they speak of one symbol, spot or USD-M: depthUpdate, depth20, aggTrade, bookTicker and others.

Key order, decimals and the order of levels are those of recorded frames: spot of 2024-08-08 and 2021-10 (eight decimals
always; bids best first), USD-M of 2024-08-08 and 2021-07 (the decimals of the contract, 0.10 has two; bids lowest
first). markPriceUpdate was not among them: its keys are those of Binance's USD-M page "Mark Price Stream".

A book is as deep as the model: a level that is no longer shown is deleted. Rows that change nothing send nothing.
"""

from typing import Literal

from msgspec import Struct, field

from supervisor.clock import NS_PER_MS
from venues.aleatoric.dialects.amounts import fixed
from venues.aleatoric.dialects.changes import (
    Changes,
    Ids,
    Row,
    Rows,
    Shown,
    best_levels,
    changing,
    row_at,
    shown_rows,
    touches,
)
from venues.aleatoric.dialects.dialect import Candle, Frame, Mark, arrivals
from venues.aleatoric.dialects.pieces import Pieces, decimals_of, padded
from venues.aleatoric.model import SymbolModel
from venues.aleatoric.symbol import Block
from venues.aleatoric.words import Stream

SPOT_DECIMALS = 8  # of every price and size at spot
RATE_DECIMALS = 8  # of funding rates, and of mark and index prices
FIRST_ID_BITS = 40  # ids of a run begin somewhere: those of 2024 are about 5e10 at spot, 5e12 in USD-M
_MINUTE, _HOUR, _DAY = 60_000_000_000, 3_600_000_000_000, 86_400_000_000_000
INTERVALS = {
    1_000_000_000: "1s",
    **{minutes * _MINUTE: f"{minutes}m" for minutes in (1, 3, 5, 15, 30)},
    **{hours * _HOUR: f"{hours}h" for hours in (1, 2, 4, 6, 8, 12)},
    **{_DAY: "1d", 3 * _DAY: "3d", 7 * _DAY: "1w"},
}
"""Lengths of bars that the venue knows; its month is no length."""


class BinanceFeed(Struct, frozen=True):
    """Which of Binance's markets speaks, and how."""

    market: Literal["spot", "usdm"]
    every_ns: int = 100_000_000  # between books: depth@100ms
    partial: bool = False  # whole books of 20 levels each time, instead of changes
    combined: bool = True  # in the wrapper of a combined stream
    symbol: str = ""  # at the venue: BTCUSDT; empty: the model's
    price_decimals: int | None = None  # USD-M; None: as the tick is written, 2 of Decimal("0.10")


SPOT = BinanceFeed("spot")
USDM = BinanceFeed("usdm")


class BinanceState(Struct):
    """What was said last on each channel."""

    shown: Shown = field(default_factory=Shown)
    update_id: int = 0  # of the last diff
    touch: list[int] = field(default_factory=list)
    trades: int = 0
    candle_trades: int = 0  # in all closed bars


class BinanceSpeaker:
    """One symbol at Binance, as a Speaker."""

    def __init__(
        self, model: SymbolModel, seed: int, feed: BinanceFeed = SPOT, state: BinanceState | None = None
    ) -> None:
        self.model, self.feed = model, feed
        self.state = state if state is not None else BinanceState()
        self.symbol = feed.symbol or model.symbol
        self._usdm = feed.market == "usdm"
        self._ids = Ids(Stream(seed, f"binance:{feed.market}:{model.symbol}"), model.cadence_ns, FIRST_ID_BITS)
        self._price_decimals, self._size_decimals = self._decimals()
        self._prices = Pieces(lambda ticks: padded(ticks * model.tick, self._price_decimals).encode())
        self._sizes = Pieces(lambda lots: padded(lots * model.lot, self._size_decimals).encode())
        self._opens = Pieces(lambda ticks: b'["' + self._prices[ticks] + b'","')
        self._ends = Pieces(lambda lots: self._sizes[lots] + b'"]')

    def _decimals(self) -> tuple[int, int]:
        """Decimals of prices and of sizes."""
        tick, lot = (len(f"{unit:f}".partition(".")[2]) for unit in (self.model.tick, self.model.lot))
        if self._usdm:
            return tick if self.feed.price_decimals is None else self.feed.price_decimals, lot
        for name, needed in (("tick", decimals_of(self.model.tick)), ("lot", decimals_of(self.model.lot))):
            if needed > SPOT_DECIMALS:
                unit = getattr(self.model, name)
                raise ValueError(
                    f"{name} of {self.symbol} is {unit:f}; Binance prints {SPOT_DECIMALS} decimals at spot"
                )
        return SPOT_DECIMALS, SPOT_DECIMALS

    def books(self, block: Block) -> list[Frame]:
        """depthUpdate: what changed since the last one; or whole books, if the feed is partial."""
        rows = shown_rows(block, self.model.cadence_ns, self.feed.every_ns)
        ids = self._ids.of_steps(block)[rows.steps].tolist()
        state, frames = self.state, []
        for row in changing(block, rows, state.shown, self.model.levels):
            if not state.update_id:
                state.update_id = self._ids.at(block.start_ns)
            at, last_id = row.row, ids[row.row]
            body = self._partial(rows, row, last_id) if self.feed.partial else self._diff(rows, row, last_id)
            frames.append((rows.at_ns[at], body))
            state.update_id = last_id
        return frames

    def snapshot(self, block: Block, step: int) -> bytes:
        """The answer of GET /api/v3/depth, or /fapi/v1/depth, at a step: the book that was shown last by then."""
        rows = shown_rows(block, self.model.cadence_ns, self.feed.every_ns)
        row = row_at(block, rows, step)
        at = int(rows.steps[row])
        return self._whole(int(self._ids.of_steps(block)[at]), rows.stamp_ms[row], *best_levels(block, at))

    def trades(self, block: Block) -> list[Frame]:
        """aggTrade: what one order took at one price."""
        at_ns = arrivals(block, self.model.cadence_ns, block.trade_step).tolist()
        stamps = ((block.start_ns + block.trade_ns) // NS_PER_MS).tolist()
        columns = (at_ns, stamps, block.trade_ticks.tolist(), block.trade_lots.tolist(), block.trade_sign.tolist())
        frames = []
        for number, (at, ms, ticks, lots, sign) in enumerate(zip(*columns, strict=True), self.state.trades + 1):
            what = self._traded(self._ids.first + number, ms, ticks, lots) + (b'"m":true' if sign < 0 else b'"m":false')
            frames.append((at, self._wrapped(b"aggTrade", what + (b"}" if self._usdm else b',"M":true}'))))
        self.state.trades += len(at_ns)
        return frames

    def touch(self, block: Block) -> list[Frame]:
        """bookTicker: the best bid and ask, whenever one of them changes; zeros where a side is empty."""
        rows = shown_rows(block, self.model.cadence_ns, 0)
        ids = self._ids.of_steps(block)[rows.steps].tolist()
        frames = []
        for now in touches(block, rows, self.state.touch):
            what = b'"u":%d,"s":"%b","b":"%b","B":"%b","a":"%b","A":"%b"' % (
                *(ids[now.row], self.symbol.encode(), self._prices[now.bid], self._sizes[now.bid_lots]),
                *(self._prices[now.ask], self._sizes[now.ask_lots]),
            )
            if self._usdm:
                what = b'"e":"bookTicker",%b,"T":%d,"E":%d' % (what, rows.stamp_ms[now.row], rows.stamp_ms[now.row])
            frames.append((rows.at_ns[now.row], self._wrapped(b"bookTicker", b"{" + what + b"}")))
        return frames

    def candle(self, candle: Candle) -> bytes:
        """kline: the bar as it stands; closed bars must come in their order, for the ids of their trades."""
        bar = candle.bar
        if (interval := INTERVALS.get(bar.interval_ns)) is None:
            raise ValueError(
                f"interval_ns of a candle is {bar.interval_ns}; Binance has {', '.join(INTERVALS.values())}"
            )
        first = self._ids.first + self.state.candle_trades + 1
        ids = f'"f":{first},"L":{first + candle.trades - 1}' if candle.trades else '"f":-1,"L":-1'
        if candle.closed:
            self.state.candle_trades += candle.trades
        price, size = self._price_decimals, self._size_decimals
        money = price + size if self._usdm else SPOT_DECIMALS
        end_ms = bar.end_ns // NS_PER_MS - 1
        return self._wrapped(
            f"kline_{interval}".encode(),
            f'{{"e":"kline","E":{candle.said_ns // NS_PER_MS or end_ms},"s":"{self.symbol}",'
            f'"k":{{"t":{bar.start_ns // NS_PER_MS},"T":{end_ms},"s":"{self.symbol}","i":"{interval}",{ids},'
            f'"o":"{fixed(bar.open, price)}","c":"{fixed(bar.close, price)}","h":"{fixed(bar.high, price)}",'
            f'"l":"{fixed(bar.low, price)}","v":"{fixed(candle.volume, size)}","n":{candle.trades},'
            f'"x":{"true" if candle.closed else "false"},"q":"{fixed(candle.notional_usd, money)}",'
            f'"V":"{fixed(candle.volume_bought, size)}","Q":"{fixed(candle.notional_bought_usd, money)}",'
            '"B":"0"}}'.encode(),
        )

    def mark(self, mark: Mark) -> bytes:
        """markPriceUpdate. Raises TypeError at spot, which has none."""
        if not self._usdm:
            raise TypeError(f"{self.symbol} is a spot market, which has no mark price and no funding")
        return self._wrapped(
            b"markPrice@1s",
            f'{{"e":"markPriceUpdate","E":{mark.at_ns // NS_PER_MS},"s":"{self.symbol}",'
            f'"p":"{fixed(mark.mark, RATE_DECIMALS)}","P":"{fixed(mark.index, RATE_DECIMALS)}",'
            f'"i":"{fixed(mark.index, RATE_DECIMALS)}","r":"{fixed(mark.funding_rate, RATE_DECIMALS)}",'
            f'"T":{mark.next_funding_ns // NS_PER_MS}}}'.encode(),
        )

    def _diff(self, rows: Rows, row: Row, last_id: int) -> bytes:
        """The changes of a row."""
        before, ms = self.state.update_id, rows.stamp_ms[row.row]
        times = b'"E":%d,"T":%d' % (ms, ms) if self._usdm else b'"E":%d' % ms
        ids = b'"U":%d,"u":%d' % (before + 1, last_id)
        bids = row.bids if self._usdm else row.bids[::-1]
        what = b'{"e":"depthUpdate",%b,"s":"%b",%b' % (times, self.symbol.encode(), ids)
        if self._usdm:
            what += b',"pu":%d' % before
        what += b',"b":[%b],"a":[%b]}' % (self._levels(bids), self._levels(row.asks))
        return self._wrapped(self._stream_of_books, what)

    def _partial(self, rows: Rows, row: Row, last_id: int) -> bytes:
        """The whole book after a row: spot's looks like its REST answer, USD-M's like a diff."""
        ms = rows.stamp_ms[row.row]
        bids, asks = (list(side.items()) for side in row.standing)
        if not self._usdm:
            return self._wrapped(self._stream_of_books, self._whole(last_id, ms, bids, asks))
        before = self.state.update_id
        what = b'{"e":"depthUpdate","E":%d,"T":%d,"s":"%b","U":%d,"u":%d,"pu":%d,"b":[%b],"a":[%b]}' % (
            *(ms, ms, self.symbol.encode(), before + 1, last_id, before),
            *(self._levels(bids), self._levels(asks)),
        )
        return self._wrapped(self._stream_of_books, what)

    @property
    def _stream_of_books(self) -> bytes:
        depth = f"depth{self.model.levels}" if self.feed.partial else "depth"
        return f"{depth}@{self.feed.every_ns // NS_PER_MS}ms".encode()

    def _whole(self, last_id: int, ms: int, bids: Changes, asks: Changes) -> bytes:
        """A whole book as REST answers it."""
        times = b'"E":%d,"T":%d,' % (ms, ms) if self._usdm else b""
        what = b'{"lastUpdateId":%d,%b"bids":[%b],"asks":[%b]}'
        return what % (last_id, times, self._levels(bids), self._levels(asks))

    def _levels(self, levels: Changes) -> bytes:
        opens, ends = self._opens, self._ends
        return b",".join([opens[ticks] + ends[lots] for ticks, lots in levels])

    def _traded(self, number: int, ms: int, ticks: int, lots: int) -> bytes:
        """An aggTrade up to its last fields; one fill each, so the ids of the trades in it are one."""
        symbol, ids = b'"s":"%b"' % self.symbol.encode(), b'"a":%d' % number
        names = (ids, symbol) if self._usdm else (symbol, ids)
        return b'{"e":"aggTrade","E":%d,%b,%b,"p":"%b","q":"%b","f":%d,"l":%d,"T":%d,' % (
            *(ms, *names, self._prices[ticks], self._sizes[lots]),
            *(number, number, ms),
        )

    def _wrapped(self, stream: bytes, what: bytes) -> bytes:
        """In the wrapper of a combined stream, if that is how it is sent."""
        if not self.feed.combined:
            return what
        return b'{"stream":"%b@%b","data":%b}' % (self.symbol.lower().encode(), stream, what)
