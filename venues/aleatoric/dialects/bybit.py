"""Bybit's public v5 streams as they speak of one symbol, linear or spot: orderbook, publicTrade, tickers, kline.

Key order and number text are those of recorded frames: linear of 2023-04 (prices padded to the contract's decimals,
28552.00; a size of nothing is "0"), spot of 2023-04 and 2024-11 (no trailing zeros, "ts" before "type"), with cts at
the end of books as since 2024. kline was not among them: its shape is that of Bybit's page "Kline". The feed before v5
is another wire.

A book is as deep as the model: a level that is no longer shown is deleted. Rows that change nothing send nothing.
"""

from decimal import Decimal
from typing import Literal
from uuid import NAMESPACE_URL, uuid5

from msgspec import Struct, field

from supervisor.clock import NS_PER_MS
from venues.aleatoric.dialects.amounts import fixed, trimmed
from venues.aleatoric.dialects.changes import (
    Changes,
    Ids,
    Row,
    Rows,
    Shown,
    changing,
    shown_rows,
)
from venues.aleatoric.dialects.dialect import Candle, Frame, Mark, arrivals
from venues.aleatoric.dialects.pieces import Pieces, bare, decimals_of, padded
from venues.aleatoric.model import SymbolModel
from venues.aleatoric.symbol import Block
from venues.aleatoric.words import Stream

FIRST_ID_BITS = 36  # cross sequences of a run begin somewhere: those of 2023 are about 5e10
FIRST_UPDATE_BITS = 24  # and its update ids at this much of that: those of 2023 are about 6e7
SPOT_TRADE_ID = 2_290_000_000_000_000_000  # ids of trades at spot have 19 digits
INDEX_DECIMALS_MAX, MONEY_DECIMALS_MAX = 6, 8  # of what is trimmed: a spot ticker's index, volumes
VOLUME_DECIMALS, MONEY_DECIMALS, RATE_DECIMALS = 4, 2, 6  # of a linear ticker's volumes, of USD, of changes
SPOT_RATE_DECIMALS = 4  # of a spot ticker's change
FUNDING_DECIMALS = 8
_MINUTE = 60_000_000_000
INTERVALS = {
    **{minutes * _MINUTE: str(minutes) for minutes in (1, 3, 5, 15, 30, 60, 120, 240, 360, 720)},
    **{1_440 * _MINUTE: "D", 10_080 * _MINUTE: "W"},
}
"""Lengths of bars that the venue knows; its month is no length."""
PACES_NS = {50: 20_000_000, 200: 100_000_000}
"""Times between books of a depth (Bybit, "Orderbook": linear and spot)."""
TOUCH_DEPTH = 1


class BybitFeed(Struct, frozen=True):
    """Which of Bybit's markets speaks, and how."""

    market: Literal["linear", "spot"]
    depth: Literal[50, 200] = 50
    symbol: str = ""  # at the venue: BTCUSDT; empty: the model's
    price_decimals: int | None = None  # linear; None: as the tick is written, 2 of Decimal("0.10")


LINEAR = BybitFeed("linear")
SPOT = BybitFeed("spot")


class Channel(Struct):
    """A book channel: what it showed last, and its last update id; 0: it says a whole book next."""

    shown: Shown = field(default_factory=Shown)
    update_id: int = 0


class BybitState(Struct):
    """What was said last on each channel."""

    books: Channel = field(default_factory=Channel)
    touch: Channel = field(default_factory=Channel)
    trades: int = 0
    last_ticks: int = 0  # of the last trade
    rising: bool = True  # the last change of its price was up
    ticker: dict[str, str] = field(default_factory=dict)


class BybitSpeaker:
    """One symbol at Bybit, as a Speaker."""

    def __init__(
        self, model: SymbolModel, seed: int, feed: BybitFeed = LINEAR, state: BybitState | None = None
    ) -> None:
        self.model, self.feed, self.seed = model, feed, seed
        self.state = state if state is not None else BybitState()
        self.symbol = feed.symbol or model.symbol
        self._linear = feed.market == "linear"
        self._ids = Ids(Stream(seed, f"bybit:{feed.market}:{model.symbol}"), model.cadence_ns, FIRST_ID_BITS)
        self._first_update = self._ids.first >> (FIRST_ID_BITS - FIRST_UPDATE_BITS)
        self._decimals = written(model.tick) if feed.price_decimals is None else feed.price_decimals
        self._size_decimals = written(model.lot)
        self._prices, self._sizes = Pieces(self._price_piece), Pieces(self._size_piece)
        self._opens = Pieces(lambda ticks: b'["' + self._prices[ticks] + b'","')
        self._ends = Pieces(lambda lots: (self._sizes[lots] if lots else b"0") + b'"]')

    def resubscribe(self) -> None:
        """Let the next frame of each channel be a whole one, as for a client that subscribes now."""
        self.state.books, self.state.touch, self.state.ticker = Channel(), Channel(), {}

    def books(self, block: Block) -> list[Frame]:
        """orderbook.50 or .200: a snapshot, then what changes."""
        return self._channel(block, self.state.books, self.feed.depth)

    def touch(self, block: Block) -> list[Frame]:
        """orderbook.1: the same of the best level."""
        return self._channel(block, self.state.touch, TOUCH_DEPTH)

    def trades(self, block: Block) -> list[Frame]:
        """publicTrade: what one order took, a frame each."""
        at_ns = arrivals(block, self.model.cadence_ns, block.trade_step).tolist()
        stamps = ((block.start_ns + block.trade_ns) // NS_PER_MS).tolist()
        seqs = self._ids.before_steps(block, block.trade_step).tolist()
        fields = (block.trade_sign.tolist(), block.trade_ticks.tolist(), block.trade_lots.tolist())
        frames: list[Frame] = []
        fills: list[bytes] = []
        order: tuple[int, int, int] | None = None  # when, stamp, side
        for at, ms, sign, ticks, lots, seq in zip(at_ns, stamps, *fields, seqs, strict=True):
            if order is not None and order != (at, ms, sign):
                frames.append((order[0], self._traded(order[1], fills)))
                fills = []
            order = (at, ms, sign)
            fills.append(self._fill(ms, sign, ticks, lots, seq))
        if order is not None:
            frames.append((order[0], self._traded(order[1], fills)))
        return frames

    def candle(self, candle: Candle) -> bytes:
        """kline: the bar as it stands."""
        bar = candle.bar
        if (interval := INTERVALS.get(bar.interval_ns)) is None:
            raise ValueError(f"interval_ns of a candle is {bar.interval_ns}; Bybit has {', '.join(INTERVALS.values())}")
        said_ms = (candle.said_ns or bar.end_ns) // NS_PER_MS
        price = decimals_of(self.model.tick)
        return (
            f'{{"topic":"kline.{interval}.{self.symbol}","data":[{{"start":{bar.start_ns // NS_PER_MS},'
            f'"end":{bar.end_ns // NS_PER_MS - 1},"interval":"{interval}","open":"{trimmed(bar.open, price)}",'
            f'"close":"{trimmed(bar.close, price)}","high":"{trimmed(bar.high, price)}",'
            f'"low":"{trimmed(bar.low, price)}","volume":"{trimmed(candle.volume, MONEY_DECIMALS_MAX)}",'
            f'"turnover":"{trimmed(candle.notional_usd, MONEY_DECIMALS_MAX)}",'
            f'"confirm":{"true" if candle.closed else "false"},"timestamp":{said_ms}}}],"ts":{said_ms},'
            '"type":"snapshot"}'
        ).encode()

    def mark(self, mark: Mark) -> bytes:
        """tickers of a perpetual: whole at first, then what changed. Raises TypeError at spot: ask for its ticker."""
        if not self._linear:
            raise TypeError(f"{self.symbol} is a spot market, which has no mark price and no funding")
        now = self._linear_fields(mark)
        before, self.state.ticker = self.state.ticker, now
        said = {"symbol": self.symbol, **{name: text for name, text in now.items() if before.get(name) != text}}
        data = ",".join(f'"{name}":"{text}"' for name, text in said.items())
        return (
            f'{{"topic":"tickers.{self.symbol}","type":"{"delta" if before else "snapshot"}","data":{{{data}}},'
            f'"cs":{self._ids.at(mark.at_ns)},"ts":{mark.at_ns // NS_PER_MS}}}'
        ).encode()

    def ticker(self, mark: Mark) -> bytes:
        """tickers: of a perpetual what `mark` says; at spot always whole, and without mark, funding and touch."""
        if self._linear:
            return self.mark(mark)
        price, money = decimals_of(self.model.tick), MONEY_DECIMALS_MAX
        fields = {
            "symbol": self.symbol,
            "lastPrice": trimmed(mark.last, price),
            "highPrice24h": trimmed(mark.day_high, price),
            "lowPrice24h": trimmed(mark.day_low, price),
            "prevPrice24h": trimmed(mark.day_open, price),
            "volume24h": trimmed(mark.day_volume, money),
            "turnover24h": trimmed(mark.day_notional_usd, money),
            "price24hPcnt": trimmed(mark.last / mark.day_open - 1.0, SPOT_RATE_DECIMALS),
            "usdIndexPrice": trimmed(mark.index, INDEX_DECIMALS_MAX),
        }
        data = ",".join(f'"{name}":"{text}"' for name, text in fields.items())
        at_ms = mark.at_ns // NS_PER_MS
        return (
            f'{{"topic":"tickers.{self.symbol}","ts":{at_ms},"type":"snapshot","cs":{self._ids.at(mark.at_ns)},'
            f'"data":{{{data}}}}}'
        ).encode()

    def _linear_fields(self, mark: Mark) -> dict[str, str]:
        """All that a whole ticker of a perpetual says after its symbol, in the venue's order."""
        price, size = self._decimals, self._size_decimals
        touch = ((mark.bid, mark.bid_size), (mark.ask, mark.ask_size))
        bid, ask = (
            ("", "") if at is None or size_at is None else (fixed(at, price), fixed(size_at, size))
            for at, size_at in touch
        )
        return {
            "tickDirection": self._direction(),
            "price24hPcnt": fixed(mark.last / mark.day_open - 1.0, RATE_DECIMALS),
            "lastPrice": fixed(mark.last, price),
            "prevPrice24h": fixed(mark.day_open, price),
            "highPrice24h": fixed(mark.day_high, price),
            "lowPrice24h": fixed(mark.day_low, price),
            "prevPrice1h": fixed(mark.last if mark.hour_open is None else mark.hour_open, price),
            "markPrice": fixed(mark.mark, price),
            "indexPrice": fixed(mark.index, price),
            "openInterest": trimmed(mark.open_interest, size),
            "openInterestValue": fixed(mark.open_interest * mark.mark, MONEY_DECIMALS),
            "turnover24h": fixed(mark.day_notional_usd, VOLUME_DECIMALS),
            "volume24h": fixed(mark.day_volume, VOLUME_DECIMALS),
            "nextFundingTime": str(mark.next_funding_ns // NS_PER_MS),
            "fundingRate": trimmed(mark.funding_rate, FUNDING_DECIMALS),
            "bid1Price": bid[0],
            "bid1Size": bid[1],
            "ask1Price": ask[0],
            "ask1Size": ask[1],
        }

    def _channel(self, block: Block, channel: Channel, depth: int) -> list[Frame]:
        """The frames of a book channel."""
        rows = shown_rows(block, self.model.cadence_ns, PACES_NS.get(depth, 0))
        seqs = self._ids.of_steps(block)[rows.steps].tolist()
        frames = []
        for row in changing(block, rows, channel.shown, min(depth, self.model.levels)):
            frames.append((rows.at_ns[row.row], self._book(rows, row, seqs[row.row], channel, depth)))
        return frames

    def _book(self, rows: Rows, row: Row, seq: int, channel: Channel, depth: int) -> bytes:
        """The frame of a row: its changes, or all of it if nothing was said before."""
        whole, ms = channel.update_id == 0, rows.stamp_ms[row.row]
        channel.update_id = self._first_update + 1 if whole else channel.update_id + 1
        bids, asks = row.standing
        said_bids, said_asks = (list(bids.items()), list(asks.items())) if whole else (row.bids[::-1], row.asks)
        what = b'{"s":"%b","b":[%b],"a":[%b],"u":%d,"seq":%d}' % (
            *(self.symbol.encode(), self._levels(said_bids), self._levels(said_asks)),
            *(channel.update_id, seq),
        )
        topic = b"orderbook.%d" % depth
        return self._pushed(topic, b"snapshot" if whole else b"delta", ms, what)[:-1] + b',"cts":%d}' % ms

    def _traded(self, ms: int, fills: list[bytes]) -> bytes:
        return self._pushed(b"publicTrade", b"snapshot", ms, b"[" + b",".join(fills) + b"]")

    def _fill(self, ms: int, sign: int, ticks: int, lots: int, seq: int) -> bytes:
        """One trade; that it was said is remembered, for ids and directions."""
        state = self.state
        moved, state.last_ticks = ticks - (state.last_ticks or ticks), ticks
        state.rising = moved > 0 or (moved == 0 and state.rising)
        state.trades += 1
        price, size, symbol = self._prices[ticks], self._sizes[lots], self.symbol.encode()
        side = b"Buy" if sign > 0 else b"Sell"
        if not self._linear:
            number = SPOT_TRADE_ID + state.trades
            return b'{"i":"%d","T":%d,"p":"%b","v":"%b","S":"%b","seq":%d,"s":"%b","BT":false,"RPI":false}' % (
                *(number, ms, price, size, side, seq, symbol),
            )
        direction = self._direction(moved == 0).encode()
        number_text = str(uuid5(NAMESPACE_URL, f"bybit:{self.seed}:{self.symbol}:{state.trades}")).encode()
        return b'{"T":%d,"s":"%b","S":"%b","v":"%b","p":"%b","L":"%b","i":"%b","BT":false,"RPI":false,"seq":%d}' % (
            ms,
            symbol,
            side,
            size,
            price,
            direction,
            number_text,
            seq,
        )

    def _direction(self, still: bool = True) -> str:
        """How the price moved last: a trade at the price before it keeps the direction, as Zero."""
        return ("Zero" if still else "") + ("PlusTick" if self.state.rising else "MinusTick")

    def _levels(self, levels: Changes) -> bytes:
        opens, ends = self._opens, self._ends
        return b",".join([opens[ticks] + ends[lots] for ticks, lots in levels])

    def _pushed(self, topic: bytes, kind: bytes, ms: int, what: bytes) -> bytes:
        """A frame of a topic; linear says its type first, spot its time."""
        head = b'"type":"%b","ts":%d' % (kind, ms) if self._linear else b'"ts":%d,"type":"%b"' % (ms, kind)
        return b'{"topic":"%b.%b",%b,"data":%b}' % (topic, self.symbol.encode(), head, what)

    def _price_piece(self, ticks: int) -> bytes:
        price = ticks * self.model.tick
        return (padded(price, self._decimals) if self._linear else bare(price)).encode()

    def _size_piece(self, lots: int) -> bytes:
        size = lots * self.model.lot
        return (padded(size, self._size_decimals) if self._linear else bare(size)).encode()


def written(unit: Decimal) -> int:
    """Decimals of a unit as it is written: 2 of 0.10."""
    return len(f"{unit:f}".partition(".")[2])
