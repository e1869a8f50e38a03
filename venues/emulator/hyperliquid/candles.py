"""Candles as the venue keeps them: of trades by the minute since the start, and a made history before it."""

from array import array
from bisect import bisect_left
from decimal import Decimal
from typing import Any

from msgspec import Struct
from msgspec.structs import astuple, replace

from supervisor.clock import NS_PER_MS
from venues.aleatoric.dialects.figures import price_text
from venues.aleatoric.dialects.hyperliquid import INTERVALS
from venues.aleatoric.dialects.pieces import pointed
from venues.aleatoric.history import history
from venues.aleatoric.market import always_open
from venues.aleatoric.model import SymbolModel
from venues.market import Bar

MINUTE_NS = 60_000_000_000
ROWS_MAX = 5000  # in one answer, the newest (docs, Candle snapshot)
FINE_MAX_NS = 15 * MINUTE_NS  # bars up to this length come from a path as fine as the market's own
STEPS_PER_LONG_BAR = 64
LENGTHS = {text: length_ns for length_ns, text in INTERVALS.items()}
"""Lengths by the venue's names; its month, which has no length, is missing."""


class Sums(Struct):
    """What was traded in a span: prices in ticks, size in lots."""

    start_ns: int
    open: int
    high: int
    low: int
    close: int
    lots: int = 0
    count: int = 0

    def add(self, ticks: int, lots: int) -> None:
        """One more trade."""
        self.high, self.low, self.close = max(self.high, ticks), min(self.low, ticks), ticks
        self.lots += lots
        self.count += 1


class Minutes:
    """Minutes with trades, oldest first; as plain numbers, because a soak of days keeps a hundred thousand."""

    def __init__(self) -> None:
        self._packed = array("q")
        self.last: Sums | None = None  # the one that may still grow; packed when the next begins

    def __getitem__(self, place: int) -> Sums:
        packed = self._packed[place * FIELDS : (place + 1) * FIELDS]
        if packed:
            return Sums(*packed)
        assert self.last is not None
        return self.last

    def begin(self, sums: Sums) -> None:
        """Another minute."""
        if self.last is not None:
            self._packed.extend(astuple(self.last))
        self.last = sums

    def from_(self, start_ns: int) -> int:
        """The place of the first that starts at a time or later."""
        packed = len(self._packed) // FIELDS
        place = bisect_left(range(packed), start_ns, key=lambda place: self._packed[place * FIELDS])
        return place + (place == packed and self.last is not None and self.last.start_ns < start_ns)


FIELDS = len(Sums.__struct_fields__)


class Candles:
    """The candles of one name."""

    def __init__(self, model: SymbolModel, seed: int, start_ns: int, tick: Decimal, lot: Decimal) -> None:
        self._model, self._seed, self._start_ns = model, seed, start_ns
        self._tick, self._lot = tick, lot
        self._minutes = Minutes()
        self._first = round(model.price_initial / tick)
        self._past: dict[int, tuple[Bar, ...]] = {}

    def trade(self, at_ns: int, ticks: int, lots: int) -> None:
        """A trade happened; times do not run back."""
        start_ns = at_ns // MINUTE_NS * MINUTE_NS
        minute = self._minutes.last
        if minute is None or minute.start_ns < start_ns:
            minute = Sums(start_ns, ticks, ticks, ticks, ticks)
            self._minutes.begin(minute)
        minute.add(ticks, lots)

    def rows(self, interval: str, start_ns: int, end_ns: int, now_ns: int) -> list[dict[str, Any]]:
        """The candles that touch [start, end], oldest first; the last may be still forming."""
        length_ns = LENGTHS[interval]
        last_ns = min(end_ns, now_ns) // length_ns * length_ns
        first_ns = max(start_ns // length_ns, last_ns // length_ns - ROWS_MAX + 1) * length_ns
        live_ns = self._start_ns // length_ns * length_ns
        rows = [self._past_row(bar, interval) for bar in self._history(length_ns, first_ns) if bar.start_ns <= last_ns]
        at_ns = max(first_ns, live_ns)
        while at_ns <= last_ns:
            rows.append(self._row(self._between(at_ns, at_ns + length_ns), interval))
            at_ns += length_ns
        return rows

    def current(self, interval: str, now_ns: int) -> dict[str, Any]:
        """The candle that is forming."""
        return self.rows(interval, now_ns, now_ns, now_ns)[-1]

    def _between(self, start_ns: int, end_ns: int) -> Sums:
        """Everything traded in a span; without trades it stands where the one before it ended."""
        begin, end = self._minutes.from_(start_ns), self._minutes.from_(end_ns)
        before = self._minutes[begin - 1].close if begin else self._first
        sums = Sums(start_ns, before, before, before, before)
        for place in range(begin, end):
            minute = self._minutes[place]
            if place == begin:
                sums.open, sums.high, sums.low = minute.open, minute.high, minute.low
            sums.high, sums.low, sums.close = max(sums.high, minute.high), min(sums.low, minute.low), minute.close
            sums.lots += minute.lots
            sums.count += minute.count
        return sums

    def _history(self, length_ns: int, first_ns: int) -> tuple[Bar, ...]:
        """Made bars from a time on until the start."""
        wanted = (self._start_ns // length_ns * length_ns - first_ns) // length_ns
        if wanted <= 0:
            return ()
        if len(kept := self._past.get(length_ns, ())) < wanted:
            coarse = self._model.cadence_ns if length_ns <= FINE_MAX_NS else length_ns // STEPS_PER_LONG_BAR
            model = replace(self._model, cadence_ns=coarse)
            kept = history(model, self._seed, self._start_ns, length_ns, wanted, always_open)
            self._past[length_ns] = kept
        return kept[-wanted:]

    def _past_row(self, bar: Bar, interval: str) -> dict[str, Any]:
        """A made bar; its volume is what the model trades in that time on average."""
        count = max(1, round(self._model.flow.trades_per_s * bar.interval_ns / (MINUTE_NS / 60)))
        worth = self._model.touch_usd * self._model.flow.size_over_touch * count
        lots = round(Decimal(worth) / Decimal(bar.close) / self._lot)
        prices = tuple(map(price_text, (bar.open, bar.close, bar.high, bar.low)))
        return self._said(bar.start_ns, bar.interval_ns, interval, prices, lots, count)

    def _row(self, sums: Sums, interval: str) -> dict[str, Any]:
        prices = tuple(pointed(ticks * self._tick) for ticks in (sums.open, sums.close, sums.high, sums.low))
        return self._said(sums.start_ns, LENGTHS[interval], interval, prices, sums.lots, sums.count)

    def _said(
        self, start_ns: int, length_ns: int, interval: str, prices: tuple[str, ...], lots: int, count: int
    ) -> dict[str, Any]:
        start_ms = start_ns // NS_PER_MS
        first, last, high, low = prices
        return {
            "t": start_ms,
            "T": start_ms + length_ns // NS_PER_MS - 1,
            "s": self._model.symbol,
            "i": interval,
            "o": first,
            "c": last,
            "h": high,
            "l": low,
            "v": pointed(lots * self._lot),
            "n": count,
        }
