"""Hyperliquid's WebSocket as it speaks of one perpetual: l2Book, trades, bbo, candle, activeAssetCtx.

Shapes, key order and number text are those of recorded frames (testnet 2026-07-28, mainnet 2024-10 to 2025-06) and of
the venue's page "Subscriptions". Whole books each time: no sequence, no checksum, nothing to carry but the last touch.

What a block does not have is made up and stays the same for the same run: how many orders stand at a level (from its
lots alone), transaction hashes, trade ids and addresses (from the run's seed, the block and the row).
"""

from decimal import Decimal
from math import isqrt

import numpy as np
from msgspec import Struct, field

from supervisor.clock import NS_PER_MS
from venues.aleatoric.dialects.dialect import Candle, Frame, Mark, arrivals, best, changed, due, shown_lots, spoken
from venues.aleatoric.dialects.figures import Grid, amount_text, price_text
from venues.aleatoric.dialects.pieces import Pieces, decimals_of, pointed
from venues.aleatoric.model import SymbolModel
from venues.aleatoric.symbol import Block
from venues.aleatoric.words import Ints, Stream, Words

_MINUTE, _DAY = 60_000_000_000, 86_400_000_000_000
INTERVALS = {
    **{minutes * _MINUTE: f"{minutes}m" for minutes in (1, 3, 5, 15, 30)},
    **{hours * 60 * _MINUTE: f"{hours}h" for hours in (1, 2, 4, 8, 12)},
    **{_DAY: "1d", 3 * _DAY: "3d", 7 * _DAY: "1w"},
}
"""Lengths of bars that the venue knows; its month is no length."""

OPEN = b'{"px":"'
NEXT = b"," + OPEN


class BookFeed(Struct, frozen=True):
    """How the venue shows a book: how many levels a side, how often (0: each step), and whether it says "fast"."""

    levels: int
    every_ns: int
    fast: bool = False


SLOW = BookFeed(20, 5_400_000_000)
"""The default since June 2026: probes of 2026-09 found 5.36 to 5.41 s between books."""
FAST = BookFeed(5, 0, fast=True)
"""With "fast":true in the subscription: 5 levels, each half second."""
EACH_STEP = BookFeed(20, 0)
"""As the default was until June 2026, and as the captures of 2025 are: 20 levels, each half second."""

ORDERS_AT_MEDIAN = 5  # orders in a queue of the touch's median size; recorded BTC books have 1 to 53 at a level
ORDERS_SPREAD = 3  # this much more or less, in powers of two of the square root
_GOLDEN, _GOLDEN_SHIFT, _GOLDEN_MASK = 0x9E3779B97F4A7C15, 40, 0xFFFF  # Fibonacci hashing: 2^64 over the golden ratio
TAKERS, MAKERS = 192, 64  # addresses that trade with each other
_ADDRESS_WORDS = 3  # 192 bits, of which an address has 160
_ADDRESS_DIGITS, _HASH_DIGITS, _WORD_DIGITS = 40, 64, 16
_HASH_WORDS = 4
_ROW_WORDS = _HASH_WORDS + 2  # hash of the order, id of the trade, who traded
_TID_SHIFT = np.uint64(14)  # trade ids have fifty bits
_LOW = np.uint64(0xFFFF)
_SIDE_SHIFT = np.uint64(16)


class HyperliquidState(Struct):
    """What the venue said last of the touch: ticks of bid and ask, lots of bid and ask."""

    touch: list[int] = field(default_factory=list)


class HyperliquidSpeaker:
    """One perpetual at Hyperliquid, as a Speaker."""

    def __init__(
        self, model: SymbolModel, seed: int, feed: BookFeed = SLOW, state: HyperliquidState | None = None
    ) -> None:
        self.model, self.feed = model, feed
        self.state = state if state is not None else HyperliquidState()
        self._coin = model.symbol.encode()
        self._grid = Grid(model.tick)
        self._stream = Stream(seed, f"hyperliquid:{model.symbol}")
        self._takers = addresses(self._stream, TAKERS, lane=1)
        self._makers = addresses(self._stream, MAKERS, lane=2)
        self._lots_median = max(1, int(Decimal(model.touch_usd) / model.price_initial / model.lot))
        end = b',"fast":true}}' if feed.fast else b"}}"
        self._prices = Pieces(lambda ticks: f'{pointed(ticks * model.tick)}","sz":"'.encode())
        self._sizes = Pieces(lambda lots: self._size(lots) + NEXT)
        self._last_bids = Pieces(lambda lots: self._size(lots) + b"],[" + OPEN)
        self._last_asks = Pieces(lambda lots: self._size(lots) + b"]]" + end)
        self._end = end

    def books(self, block: Block) -> list[Frame]:
        """l2Book: whole books, as deep and as often as the feed has them."""
        steps, at_ns, stamps = self._rows(block, self.feed.every_ns)
        ticks, lots = (part[:, steps, : self.feed.levels] for part in (block.ticks, shown_lots(block)))
        heads = [b'{"channel":"l2Book","data":{"coin":"%b","time":%d,"levels":[[' % (self._coin, ms) for ms in stamps]
        plain = (lots > 0).all(axis=(0, 2)) & (ticks.max(axis=(0, 2), initial=0) <= self._grid.ticks_plain_max)
        if plain.all():
            return list(zip(at_ns, self._plain(heads, ticks, lots), strict=True))
        frames = dict(zip(np.flatnonzero(plain).tolist(), self._plain_some(heads, ticks, lots, plain), strict=True))
        for row in np.flatnonzero(~plain).tolist():
            frames[row] = self._uneven(heads[row], ticks[:, row], lots[:, row])
        return [(at, frames[row]) for row, at in enumerate(at_ns)]

    def trades(self, block: Block) -> list[Frame]:
        """trades: all of a step in one frame, stamped with their own times."""
        if not len(block.trade_step):
            return []
        steps, first = np.unique(block.trade_step, return_index=True)
        at_ns = arrivals(block, self.model.cadence_ns, steps).tolist()
        rows = self._trade_rows(block)
        ends = [*first[1:].tolist(), len(rows)]
        return [
            (at, b'{"channel":"trades","data":[%b]}' % b",".join(rows[start:end]))
            for at, start, end in zip(at_ns, first.tolist(), ends, strict=True)
        ]

    def touch(self, block: Block) -> list[Frame]:
        """bbo: the best level of each side, whenever one of them changes."""
        steps, at_ns, stamps = self._rows(block, 0)
        if not len(steps):
            return []
        ticks, lots = self._touches(block.ticks[:, steps], shown_lots(block)[:, steps])
        said = np.concatenate([np.where(lots > 0, ticks, 0), lots])
        frames = []
        for row in changed(said, self.state.touch).tolist():
            bid, ask = (self._level(int(ticks[side, row]), int(lots[side, row])) for side in (0, 1))
            data = b'{"coin":"%b","time":%d,"bbo":[%b,%b]}' % (self._coin, stamps[row], bid, ask)
            frames.append((at_ns[row], b'{"channel":"bbo","data":%b}' % data))
        self.state.touch = said[:, -1].tolist()
        return frames

    def candle(self, candle: Candle) -> bytes:
        """candle: the bar as it stands; the venue sends it again with each trade of the open bar."""
        bar = candle.bar
        if (interval := INTERVALS.get(bar.interval_ns)) is None:
            raise ValueError(
                f"interval_ns of a candle is {bar.interval_ns}; Hyperliquid has {', '.join(INTERVALS.values())}"
            )
        start_ms, end_ms = bar.start_ns // NS_PER_MS, bar.end_ns // NS_PER_MS - 1
        prices = f'"o":"{price_text(bar.open)}","c":"{price_text(bar.close)}","h":"{price_text(bar.high)}"'
        volume = amount_text(candle.volume, decimals_of(self.model.lot))
        return (
            f'{{"channel":"candle","data":{{"t":{start_ms},"T":{end_ms},"s":"{bar.symbol}","i":"{interval}",{prices},'
            f'"l":"{price_text(bar.low)}","v":"{volume}","n":{candle.trades}}}}}'
        ).encode()

    def mark(self, mark: Mark) -> bytes:
        """activeAssetCtx: about each second, without a time of its own."""
        size = decimals_of(self.model.lot)
        impact = (mark.impact_bid, mark.impact_ask)
        known = [f'"{price_text(price)}"' for price in impact if price is not None]
        fields = (
            ("funding", f'"{amount_text(mark.funding_rate)}"'),
            ("openInterest", f'"{amount_text(mark.open_interest, size)}"'),
            ("prevDayPx", f'"{price_text(mark.day_open)}"'),
            ("dayNtlVlm", f'"{amount_text(mark.day_notional_usd)}"'),
            ("premium", f'"{amount_text(mark.premium)}"' if len(known) == len(impact) else "null"),
            ("oraclePx", f'"{price_text(mark.index)}"'),
            ("markPx", f'"{price_text(mark.mark)}"'),
            ("midPx", "null" if mark.mid is None else f'"{amount_text(mark.mid)}"'),
            ("impactPxs", f"[{','.join(known)}]" if len(known) == len(impact) else "null"),
            ("dayBaseVlm", f'"{amount_text(mark.day_volume, size)}"'),
        )
        ctx = ",".join(f'"{name}":{text}' for name, text in fields)
        return f'{{"channel":"activeAssetCtx","data":{{"coin":"{mark.symbol}","ctx":{{{ctx}}}}}}}'.encode()

    def _rows(self, block: Block, every_ns: int) -> tuple[Ints, list[int], list[int]]:
        """The steps that are shown, when they arrive, and the venue's stamps in milliseconds."""
        steps = spoken(block)
        at_ns = arrivals(block, self.model.cadence_ns, steps)
        keep = due(at_ns, self.model.cadence_ns, every_ns)
        steps, at_ns = steps[keep], at_ns[keep]
        return steps, at_ns.tolist(), ((at_ns - block.age_ns[steps]) // NS_PER_MS).tolist()

    def _plain(self, heads: list[bytes], ticks: Ints, lots: Ints) -> list[bytes]:
        """Frames of rows that have all their levels, each level a piece for its price and a piece for its size.

        One list of pieces of all rows, a slice of it for each row and one join: 9 us for 40 levels.
        """
        levels = ticks.shape[2]
        pieces = 2 * levels
        prices = list(map(self._prices.__getitem__, ticks.swapaxes(0, 1).ravel().tolist()))
        numbers = lots.swapaxes(0, 1).ravel().tolist()
        sizes = list(map(self._sizes.__getitem__, numbers))
        sizes[levels - 1 :: pieces] = map(self._last_bids.__getitem__, numbers[levels - 1 :: pieces])
        sizes[pieces - 1 :: pieces] = map(self._last_asks.__getitem__, numbers[pieces - 1 :: pieces])
        frames, row = [], [b""] * (2 + 2 * pieces)
        row[1] = OPEN
        for at, head in zip(range(0, len(prices), pieces), heads, strict=True):
            row[0] = head
            row[2::2], row[3::2] = prices[at : at + pieces], sizes[at : at + pieces]
            frames.append(b"".join(row))
        return frames

    def _plain_some(self, heads: list[bytes], ticks: Ints, lots: Ints, plain: Ints) -> list[bytes]:
        """The same of the rows that are plain, among others that are not."""
        some = np.flatnonzero(plain)
        return self._plain([heads[row] for row in some.tolist()], ticks[:, some], lots[:, some])

    def _uneven(self, head: bytes, ticks: Ints, lots: Ints) -> bytes:
        """The frame of a row that lacks levels, or has more figures than the venue prints."""
        sides = []
        for coarse, side_ticks, side_lots in zip((self._grid.below, self._grid.above), ticks, lots, strict=True):
            shown = side_lots > 0
            merged: dict[int, int] = {}
            for tick, lot in zip(coarse(side_ticks[shown]).tolist(), side_lots[shown].tolist(), strict=True):
                merged[tick] = merged.get(tick, 0) + lot
            sides.append(b",".join(self._level(tick, lot) for tick, lot in merged.items()))
        return head + sides[0] + b"],[" + sides[1] + b"]]" + self._end

    def _touches(self, ticks: Ints, lots: Ints) -> tuple[Ints, Ints]:
        """Best prices and what waits there, of the venue's prices; (side, step) each."""
        if ticks.max() <= self._grid.ticks_plain_max:
            return best(ticks, lots)
        ticks = np.stack([self._grid.below(ticks[0]), self._grid.above(ticks[1])])
        prices, _ = best(ticks, lots)
        return prices, np.where(ticks == prices[:, :, None], lots, 0).sum(axis=2)

    def _level(self, ticks: int, lots: int) -> bytes:
        """One level, or null where there is none."""
        return OPEN + self._prices[ticks] + self._sizes[lots].removesuffix(NEXT) if lots else b"null"

    def _size(self, lots: int) -> bytes:
        """The rest of a level after its price: its size, and how many orders it is made of."""
        return f'{pointed(lots * self.model.lot)}","n":{self._orders(lots)}}}'.encode()

    def _orders(self, lots: int) -> int:
        """Orders at a level: about as the root of its size, and by chance half or twice as many."""
        noise = (lots * _GOLDEN >> _GOLDEN_SHIFT & _GOLDEN_MASK) % (2 * ORDERS_SPREAD + 1) - ORDERS_SPREAD
        scaled = ORDERS_AT_MEDIAN * ORDERS_AT_MEDIAN * lots << (ORDERS_SPREAD + noise)
        return max(1, isqrt(scaled // (self._lots_median << ORDERS_SPREAD)))

    def _trade_rows(self, block: Block) -> list[bytes]:
        """The trades of a block, each as the venue prints it. Fills of one order have its hash."""
        count = len(block.trade_step)
        words = self._stream.words(block.index, 0, count * _ROW_WORDS).reshape(count, _ROW_WORDS)
        first = first_fills(block)
        hashes = hexadecimal(words[first, :_HASH_WORDS])
        takers = (words[first, -1] & _LOW).tolist()
        makers = ((words[:, -1] >> _SIDE_SHIFT) & _LOW).tolist()
        buys = block.trade_sign > 0
        ticks = np.where(buys, self._grid.above(block.trade_ticks), self._grid.below(block.trade_ticks)).tolist()
        stamps = ((block.start_ns + block.trade_ns) // NS_PER_MS).tolist()
        tids = (words[:, _HASH_WORDS] >> _TID_SHIFT).tolist()
        rows = []
        for i, (buy, lots) in enumerate(zip(buys.tolist(), block.trade_lots.tolist(), strict=True)):
            taker, maker = self._takers[takers[i] % TAKERS], self._makers[makers[i] % MAKERS]
            buyer, seller = (taker, maker) if buy else (maker, taker)
            price, size = pointed(ticks[i] * self.model.tick), pointed(lots * self.model.lot)
            digits = hashes[i * _HASH_DIGITS : (i + 1) * _HASH_DIGITS]
            rows.append(
                f'{{"coin":"{self.model.symbol}","side":"{"B" if buy else "A"}","px":"{price}","sz":"{size}",'
                f'"time":{stamps[i]},"hash":"0x{digits}","tid":{tids[i]},"users":["{buyer}","{seller}"]}}'.encode()
            )
        return rows


def first_fills(block: Block) -> Ints:
    """For each trade the first one of the same order: fills of an order follow each other at one instant."""
    rows = np.arange(len(block.trade_ns), dtype=np.int64)
    fresh = np.ones(len(rows), np.bool_)
    fresh[1:] = (np.diff(block.trade_ns) != 0) | (np.diff(block.trade_sign) != 0)
    return np.maximum.accumulate(np.where(fresh, rows, 0))


def hexadecimal(words: Words) -> str:
    """Words as hexadecimal digits, sixteen a word, the same on every machine."""
    return words.astype(">u8").tobytes().hex()


def addresses(stream: Stream, count: int, lane: int) -> list[str]:
    """So many made-up addresses; block 0 of a lane that trades do not use."""
    digits = hexadecimal(stream.words(0, lane, count * _ADDRESS_WORDS))
    stride = _ADDRESS_WORDS * _WORD_DIGITS
    return ["0x" + digits[at : at + _ADDRESS_DIGITS] for at in range(0, len(digits), stride)]
