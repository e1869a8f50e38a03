"""Bars of one symbol as its books and trades arrive: mids of books, and what was traded.

A bar counts what arrived in [start, end), books and trades alike, so whoever heard the feed can make the same bar. It
is made of whole half ticks and lots and becomes numbers once, when it closes. A bar in which no book with two sides
arrived is silent: it stands at the last middle. Markets with a session have no silent bars, since they close.
"""

import numpy as np
from msgspec import Struct

from venues.aleatoric.artifacts.rows import Rows
from venues.aleatoric.dialects.dialect import Candle
from venues.aleatoric.model import SymbolModel
from venues.aleatoric.words import Ints, Marks
from venues.market import Bar


class _Sums(Struct):
    """What arrived in the open bar: half ticks, lots, and ticks times lots."""

    open: int = 0
    high: int = 0
    low: int = 0
    books: int = 0
    trades: int = 0
    lots: int = 0
    notional: int = 0
    lots_bought: int = 0
    notional_bought: int = 0


class Bars:
    """Makes the bars of one length; carries the open one from block to block."""

    def __init__(self, model: SymbolModel, interval_ns: int, start_ns: int) -> None:
        """Bars begin at whole multiples of their length since 1970, the first at or before the start."""
        if interval_ns <= 0:
            raise ValueError(f"interval_ns is {interval_ns}; a bar needs a length above 0")
        self._symbol, self._interval_ns = model.symbol, interval_ns
        self._price, self._size = model.price_fraction, model.size_fraction
        self._tells_silence = model.session == "always"
        self._start_ns = start_ns // interval_ns * interval_ns
        self._close: int | None = None  # the last middle
        self._sums = _Sums()

    def add(self, rows: Rows, until_ns: int) -> list[Candle]:
        """The bars that end up to a time, until which these rows are all that arrived since the rows before."""
        closed: list[Candle] = []
        two_sided: Marks = np.ones(len(rows.received_ns), np.bool_)
        if rows.empty is not None:
            two_sided = ~(rows.empty[0] | rows.empty[1])
        middles = rows.ticks[0, :, 0] + rows.ticks[1, :, 0]
        book = trade = 0
        while (end_ns := self._start_ns + self._interval_ns) <= until_ns:
            books_end = int(np.searchsorted(rows.received_ns, end_ns))
            trades_end = int(np.searchsorted(rows.trade_received_ns, end_ns))
            self._add_books(middles[book:books_end], two_sided[book:books_end])
            self._add_trades(rows, trade, trades_end)
            book, trade = books_end, trades_end
            closed += self._closed()
            self._start_ns = end_ns
            if not self._tells_silence:
                heard = [*rows.received_ns[book : book + 1], *rows.trade_received_ns[trade : trade + 1], until_ns]
                self._start_ns = max(end_ns, int(min(heard)) // self._interval_ns * self._interval_ns)
        self._add_books(middles[book:], two_sided[book:])
        self._add_trades(rows, trade, len(rows.trade_received_ns))
        return closed

    def _add_books(self, middles: Ints, two_sided: Marks) -> None:
        """Take books into the open bar."""
        seen = middles[two_sided]
        if not len(seen):
            return
        sums = self._sums
        first, low, high = int(seen[0]), int(seen.min()), int(seen.max())
        if not sums.books:
            sums.open, sums.low, sums.high = first, low, high
        sums.low, sums.high = min(sums.low, low), max(sums.high, high)
        sums.books += len(seen)
        self._close = int(seen[-1])

    def _add_trades(self, rows: Rows, start: int, end: int) -> None:
        """Take trades into the open bar."""
        sums = self._sums
        kept = slice(start, end)
        ticks, lots = rows.trade_ticks[kept].tolist(), rows.trade_lots[kept].tolist()
        for price, size, sign in zip(ticks, lots, rows.trade_sign[kept].tolist(), strict=True):
            sums.trades += 1
            sums.lots += size
            sums.notional += price * size
            if sign > 0:
                sums.lots_bought += size
                sums.notional_bought += price * size

    def _closed(self) -> list[Candle]:
        """The open bar, closed, if there is anything to say of it; and a new one in its place."""
        sums, self._sums = self._sums, _Sums()
        if self._close is None or not (self._tells_silence or sums.books or sums.trades):
            return []
        if not sums.books:
            sums.open = sums.high = sums.low = self._close
        bar = Bar(
            symbol=self._symbol,
            start_ns=self._start_ns,
            interval_ns=self._interval_ns,
            open=self._half(sums.open),
            high=self._half(sums.high),
            low=self._half(sums.low),
            close=self._half(self._close),
            books=sums.books,
        )
        return [
            Candle(
                bar=bar,
                volume=self._units(sums.lots),
                notional_usd=self._usd(sums.notional),
                trades=sums.trades,
                volume_bought=self._units(sums.lots_bought),
                notional_bought_usd=self._usd(sums.notional_bought),
                said_ns=bar.end_ns,
            )
        ]

    def _half(self, half_ticks: int) -> float:
        return half_ticks * self._price[0] / (2 * self._price[1])

    def _units(self, lots: int) -> float:
        return lots * self._size[0] / self._size[1]

    def _usd(self, tick_lots: int) -> float:
        return tick_lots * self._price[0] * self._size[0] / (self._price[1] * self._size[1])
