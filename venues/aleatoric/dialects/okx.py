"""OKX's public channels as they speak of one instrument: books, books5, bbo-tbt, trades, tickers, funding-rate.

Key order and number text are those of recorded frames: 2022-03 to 2022-09 (books, books5, bbo-tbt, trades, tickers,
candle1m, funding-rate), and of the fields that came later (seqId and prevSeqId, count and source, the long
funding-rate, nine-field candles) those of frames that others recorded in 2025-12 and 2026. Numbers have no trailing
zeros. Times are text. Asks come before bids; best levels come first.

A book is as deep as the model: a level that is no longer shown is deleted. Rows that change nothing send nothing.
"""

from decimal import Decimal
from itertools import islice
from math import isqrt
from typing import Literal

from msgspec import Struct, field

from supervisor.clock import NS_PER_MS
from venues.aleatoric.dialects.amounts import fixed, trimmed
from venues.aleatoric.dialects.changes import Changes, Ids, Row, Rows, Shown, changing, shown_rows, touches
from venues.aleatoric.dialects.dialect import Candle, Frame, Mark, arrivals
from venues.aleatoric.dialects.pieces import Pieces, bare, decimals_of
from venues.aleatoric.dialects.read_okx import CHECKED_LEVELS, NO_CHECKSUM, NO_PREVIOUS, checksum
from venues.aleatoric.model import SymbolModel
from venues.aleatoric.symbol import Block
from venues.aleatoric.words import Stream

TOP_LEVELS = 5
FIRST_ID_BITS = 36  # ids of a run begin somewhere: those of 2026 are about 8e10
RATE_DECIMALS = 16  # of funding rates, as the venue pads them
MONEY_DECIMALS = 8  # of volumes, at most
INTEREST_RATE = "0.0001000000000000"  # of eight hours, fixed (OKX, "Funding fee mechanism")
IMPACT_VALUE = "20000.0000000000000000"  # USDT that the premium's impact prices are made with, of BTC-USDT-SWAP
ORDERS_AT_MEDIAN = 3  # orders in a queue of the touch's median size; recorded BTC-USDT levels have 1 to 21
_GOLDEN, _GOLDEN_SHIFT = 0x9E3779B97F4A7C15, 40  # Fibonacci hashing: 2^64 over the golden ratio
_HASH_MASK, _HASH_UNIT = 0xFF, 128
_MINUTE, _HOUR, _DAY = 60_000_000_000, 3_600_000_000_000, 86_400_000_000_000
INTERVALS = {
    1_000_000_000: "1s",
    **{minutes * _MINUTE: f"{minutes}m" for minutes in (1, 3, 5, 15, 30)},
    **{hours * _HOUR: f"{hours}H" for hours in (1, 2, 4)},
    **{6 * _HOUR: "6Hutc", 12 * _HOUR: "12Hutc", _DAY: "1Dutc"},
}
"""Lengths of bars that the venue knows; its long ones begin at midnight UTC only where they say so."""


class OkxFeed(Struct, frozen=True):
    """Which of OKX's markets speaks, and how."""

    kind: Literal["SPOT", "SWAP"]
    every_ns: int = 100_000_000  # between books
    top: bool = False  # books5: five levels, whole each time, instead of books and their changes
    signed: bool = True  # a checksum in every frame, as until 2026-06-23; since then the field is 0
    symbol: str = ""  # instId: BTC-USDT, BTC-USDT-SWAP; empty: the model's
    contract: Decimal = Decimal(1)  # coins in one contract: sizes of a swap are counted in contracts


SPOT = OkxFeed("SPOT")
SWAP = OkxFeed("SWAP")


class OkxState(Struct):
    """What was said last on each channel."""

    shown: Shown = field(default_factory=Shown)
    seq_id: int = NO_PREVIOUS  # of the last frame of the book
    touch: list[int] = field(default_factory=list)
    trades: int = 0


class OkxSpeaker:
    """One instrument at OKX, as a Speaker."""

    def __init__(self, model: SymbolModel, seed: int, feed: OkxFeed = SPOT, state: OkxState | None = None) -> None:
        self.model, self.feed = model, feed
        self.state = state if state is not None else OkxState()
        self.symbol = feed.symbol or model.symbol
        self._ids = Ids(Stream(seed, f"okx:{feed.kind}:{model.symbol}"), model.cadence_ns, FIRST_ID_BITS)
        self._tick_decimals = decimals_of(model.tick)
        self._lots_median = max(1, int(Decimal(model.touch_usd) / model.price_initial / model.lot))
        unit = model.lot / feed.contract
        self._prices = Pieces(lambda ticks: bare(ticks * model.tick).encode())
        self._sizes = Pieces(lambda lots: bare(lots * unit).encode())
        self._opens = Pieces(lambda ticks: b'["' + self._prices[ticks] + b'","')
        self._ends = Pieces(lambda lots: self._sizes[lots] + b'","0","%d"]' % self._orders(lots))

    def resubscribe(self) -> None:
        """Let the next book be a whole one, as for a client that subscribes now."""
        self.state.shown, self.state.seq_id = Shown(), NO_PREVIOUS

    def books(self, block: Block) -> list[Frame]:
        """books: a snapshot, then what changes; or books5, if the feed is of the top."""
        rows = shown_rows(block, self.model.cadence_ns, self.feed.every_ns)
        ids = self._ids.of_steps(block)[rows.steps].tolist()
        levels = TOP_LEVELS if self.feed.top else self.model.levels
        frames = []
        for row in changing(block, rows, self.state.shown, levels):
            say = self._top if self.feed.top else self._changes
            frames.append((rows.at_ns[row.row], say(rows, row, ids[row.row])))
            self.state.seq_id = ids[row.row]
        return frames

    def trades(self, block: Block) -> list[Frame]:
        """trades: what one order took at one price, a frame each."""
        at_ns = arrivals(block, self.model.cadence_ns, block.trade_step).tolist()
        stamps = ((block.start_ns + block.trade_ns) // NS_PER_MS).tolist()
        before = self._ids.before_steps(block, block.trade_step).tolist()
        columns = (at_ns, stamps, block.trade_ticks.tolist(), block.trade_lots.tolist(), block.trade_sign.tolist())
        name, frames = self.symbol.encode(), []
        for number, (at, ms, ticks, lots, sign), seq_id in zip(
            range(self.state.trades + 1, self.state.trades + len(at_ns) + 1),
            zip(*columns, strict=True),
            before,
            strict=True,
        ):
            what = b'{"instId":"%b","tradeId":"%d","px":"%b","sz":"%b","side":"%b","ts":"%d",' % (
                *(name, self._ids.first + number, self._prices[ticks], self._sizes[lots]),
                *(b"buy" if sign > 0 else b"sell", ms),
            )
            what += b'"count":"1","source":"0","seqId":%d}' % seq_id
            frames.append((at, self._pushed(b"trades", what)))
        self.state.trades += len(at_ns)
        return frames

    def touch(self, block: Block) -> list[Frame]:
        """bbo-tbt: the best level of each side, whenever one of them changes."""
        rows = shown_rows(block, self.model.cadence_ns, 0)
        ids = self._ids.of_steps(block)[rows.steps].tolist()
        frames = []
        for now in touches(block, rows, self.state.touch):
            asks, bids = [(now.ask, now.ask_lots)], [(now.bid, now.bid_lots)]
            what = b'{"asks":[%b],"bids":[%b],"ts":"%d","seqId":%d}' % (
                *(self._levels(asks if now.ask_lots else []), self._levels(bids if now.bid_lots else [])),
                *(rows.stamp_ms[now.row], ids[now.row]),
            )
            frames.append((rows.at_ns[now.row], self._pushed(b"bbo-tbt", what)))
        return frames

    def candle(self, candle: Candle) -> bytes:
        """candle1m and its like: a bar as it stands."""
        bar = candle.bar
        if (interval := INTERVALS.get(bar.interval_ns)) is None:
            raise ValueError(f"interval_ns of a candle is {bar.interval_ns}; OKX has {', '.join(INTERVALS.values())}")
        coins, quote = trimmed(candle.volume, MONEY_DECIMALS), trimmed(candle.notional_usd, MONEY_DECIMALS)
        volumes = (coins, quote, quote) if self.feed.kind == "SPOT" else (self._contracts(candle.volume), coins, quote)
        prices = (self._price(price) for price in (bar.open, bar.high, bar.low, bar.close))
        row = ",".join(
            f'"{text}"' for text in (bar.start_ns // NS_PER_MS, *prices, *volumes, 1 if candle.closed else 0)
        )
        return b'{"arg":{"channel":"candle%b","instId":"%b"},"data":[[%b]]}' % (
            *(interval.encode(), self.symbol.encode()),
            row.encode(),
        )

    def mark(self, mark: Mark) -> bytes:
        """mark-price, of a swap. Raises TypeError at spot, where it would be the margin's."""
        self._perpetual()
        return self._pushed(
            b"mark-price",
            f'{{"instId":"{self.symbol}","instType":"SWAP","markPx":"{self._price(mark.mark)}",'
            f'"ts":"{mark.at_ns // NS_PER_MS}"}}'.encode(),
        )

    def funding(self, mark: Mark) -> bytes:
        """funding-rate, of a swap. Raises TypeError at spot, which has none."""
        self._perpetual()
        due_ms, interval_ms = mark.next_funding_ns // NS_PER_MS, mark.funding_interval_ns // NS_PER_MS
        least, most = ("" if rate is None else bare(rate) for rate in (mark.funding_rate_min, mark.funding_rate_max))
        fields = (
            *(("formulaType", "withRate"), ("fundingRate", fixed(mark.funding_rate, RATE_DECIMALS))),
            *(("fundingTime", due_ms), ("impactValue", IMPACT_VALUE), ("instId", self.symbol), ("instType", "SWAP")),
            *(("interestRate", INTEREST_RATE), ("maxFundingRate", most), ("method", "current_period")),
            *(("minFundingRate", least), ("nextFundingRate", ""), ("nextFundingTime", due_ms + interval_ms)),
            *(("premium", fixed(mark.premium, RATE_DECIMALS)), ("prevFundingTime", due_ms - interval_ms)),
            *(("settFundingRate", ""), ("settState", "settled"), ("ts", mark.at_ns // NS_PER_MS)),
        )
        return self._pushed(
            b"funding-rate", ("{" + ",".join(f'"{name}":"{text}"' for name, text in fields) + "}").encode()
        )

    def ticker(self, mark: Mark) -> bytes:
        """tickers: the last day, and the best prices; their text is empty where a side is."""
        coins, quote = trimmed(mark.day_volume, MONEY_DECIMALS), trimmed(mark.day_notional_usd, MONEY_DECIMALS)
        spot, day_open = self.feed.kind == "SPOT", self._price(mark.day_open)
        ask, bid = (
            ("", "") if price is None or size is None else (self._price(price), self._contracts(size))
            for price, size in ((mark.ask, mark.ask_size), (mark.bid, mark.bid_size))
        )
        fields = (
            *(("instType", self.feed.kind), ("instId", self.symbol), ("last", self._price(mark.last))),
            *(("lastSz", self._contracts(mark.last_size)), ("askPx", ask[0]), ("askSz", ask[1])),
            *(("bidPx", bid[0]), ("bidSz", bid[1]), ("open24h", day_open), ("high24h", self._price(mark.day_high))),
            *(("low24h", self._price(mark.day_low)), ("sodUtc0", day_open), ("sodUtc8", day_open)),
            *(("volCcy24h", quote if spot else coins), ("vol24h", self._contracts(mark.day_volume))),
            ("ts", mark.at_ns // NS_PER_MS),
        )
        return self._pushed(b"tickers", ("{" + ",".join(f'"{name}":"{text}"' for name, text in fields) + "}").encode())

    def _perpetual(self) -> None:
        if self.feed.kind != "SWAP":
            raise TypeError(f"{self.symbol} is a spot market, which has no mark price and no funding")

    def _price(self, price: float) -> str:
        """A price on the instrument's tick."""
        return trimmed(price, self._tick_decimals)

    def _contracts(self, coins: float) -> str:
        """A size in contracts; at spot a contract is a coin."""
        return trimmed(Decimal(repr(coins)) / self.feed.contract, MONEY_DECIMALS)

    def _orders(self, lots: int) -> int:
        """Orders at a level: about as the root of its size, and by chance up to half more or less."""
        if not lots:
            return 0
        noise = _HASH_UNIT + (lots * _GOLDEN >> _GOLDEN_SHIFT & _HASH_MASK)  # 1/2 to 3/2 of 2 x unit
        scaled = ORDERS_AT_MEDIAN * ORDERS_AT_MEDIAN * lots * noise * noise
        return max(1, isqrt(scaled // (self._lots_median * 4 * _HASH_UNIT * _HASH_UNIT)))

    def _changes(self, rows: Rows, row: Row, seq_id: int) -> bytes:
        """The frame of a row: its changes, or all of it if nothing was said before."""
        before, (bids, asks) = self.state.seq_id, row.standing
        whole = before == NO_PREVIOUS
        said_asks, said_bids = (list(asks.items()), list(bids.items())) if whole else (row.asks, row.bids[::-1])
        return (
            b'{"arg":{"channel":"books","instId":"%b"},"action":"%b","data":[{"asks":[%b],"bids":[%b],"ts":"%d",'
            b'"checksum":%d,"seqId":%d,"prevSeqId":%d}]}'
        ) % (
            *(self.symbol.encode(), b"snapshot" if whole else b"update"),
            *(self._levels(said_asks), self._levels(said_bids), rows.stamp_ms[row.row]),
            *(self._signature(bids, asks), seq_id, before),
        )

    def _top(self, rows: Rows, row: Row, seq_id: int) -> bytes:
        """The frame of books5."""
        bids, asks = (list(side.items()) for side in row.standing)
        what = b'{"asks":[%b],"bids":[%b],"instId":"%b","ts":"%d","seqId":%d}' % (
            *(self._levels(asks), self._levels(bids), self.symbol.encode()),
            *(rows.stamp_ms[row.row], seq_id),
        )
        return self._pushed(b"books5", what)

    def _signature(self, bids: dict[int, int], asks: dict[int, int]) -> int:
        """The checksum of a book."""
        if not self.feed.signed:
            return NO_CHECKSUM
        prices, sizes = self._prices, self._sizes
        texts = (
            [prices[ticks] + b":" + sizes[lots] for ticks, lots in islice(side.items(), CHECKED_LEVELS)]
            for side in (bids, asks)
        )
        return checksum(*texts)

    def _levels(self, levels: Changes) -> bytes:
        opens, ends = self._opens, self._ends
        return b",".join([opens[ticks] + ends[lots] for ticks, lots in levels])

    def _pushed(self, channel: bytes, what: bytes) -> bytes:
        return b'{"arg":{"channel":"%b","instId":"%b"},"data":[%b]}' % (channel, self.symbol.encode(), what)
