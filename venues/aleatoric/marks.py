"""What a venue says of a perpetual besides its book, at even times: mark, index, funding, and the last 24 hours.

Beside a spot market, index and mark are the triangle's. A perpetual that is made alone has no spot, so its mark is the
middle of its book, and its index what the premium path says: mark / (1 + premium), to a tenth of half a tick. Figures
of 24 hours are those of the open hour and the 24 before it, from the start on, and an hour ago is when the hour before
the open one began. Open interest is a constant of the model, since nothing here opens or closes positions.
"""

from collections import deque
from fractions import Fraction

import numpy as np
from msgspec import Struct

from venues.aleatoric.activity import NS_PER_HOUR
from venues.aleatoric.artifacts.rows import Rows
from venues.aleatoric.dialects.dialect import Mark
from venues.aleatoric.dialects.pieces import decimals_of
from venues.aleatoric.funding.figures import rule_of
from venues.aleatoric.funding.payments import predicted
from venues.aleatoric.funding.premium import path_of
from venues.aleatoric.funding.rules import cap_of
from venues.aleatoric.model import HOURS, SymbolModel
from venues.aleatoric.settlements import Settlements
from venues.aleatoric.words import Floats, Ints

OPEN_INTEREST_TOUCHES = 10_000
"""Open interest over a median best queue: about Hyperliquid's BTC, 3 billion dollars over 300,000."""

IMPACT_USD = 6_000
"""What impact prices are taken of: Hyperliquid's for all coins but BTC and ETH (docs, Funding)."""


class Quoted(Struct):
    """Index and mark of a perpetual that has a spot beside it, at the steps of a block."""

    arrivals_ns: Ints
    index: Floats
    mark: Floats


class _Hour(Struct):
    """Trades of one hour in ticks and lots."""

    number: int  # since 1970
    open: int
    high: int
    low: int
    lots: int = 0
    notional: int = 0


class _Day:
    """The trades of the open hour and of the 24 before it."""

    def __init__(self, number: int, ticks: int) -> None:
        self.last, self.last_lots = ticks, 0
        self.hours = deque([_Hour(number, ticks, ticks, ticks)], maxlen=HOURS + 1)

    def turn(self, number: int) -> None:
        """Begin the hours up to this one."""
        for new in range(self.hours[-1].number + 1, number + 1):
            self.hours.append(_Hour(new, self.last, self.last, self.last))

    def add(self, ticks: int, lots: int) -> None:
        """Count a trade into the open hour."""
        hour, self.last, self.last_lots = self.hours[-1], ticks, lots
        hour.high, hour.low = max(hour.high, ticks), min(hour.low, ticks)
        hour.lots += lots
        hour.notional += ticks * lots


class Marker:
    """Makes the marks of one perpetual; carries the last book and the day from block to block."""

    def __init__(self, model: SymbolModel, seed: int, every_ns: int, start_ns: int) -> None:
        if every_ns <= 0:
            raise ValueError(f"every_ns is {every_ns}; marks need a time between them above 0")
        self._model, self._seed, self._every_ns, self._until_ns = model, seed, every_ns, start_ns
        self._price, self._size = model.price_fraction, model.size_fraction
        self._premium = path_of(seed, model.symbol, model.premium_std_bps, model.premium_tau_h)
        self._settlements = Settlements(model, seed)
        self._cap = cap_of(rule_of(model.funding_venue, model.funding_profile))
        self._day = _Day(start_ns // NS_PER_HOUR, round(model.price_initial / model.tick))
        self._units = 10 ** (decimals_of(model.tick / 2) + 1)
        touch = Fraction(model.touch_usd) / Fraction(model.price_initial) / Fraction(model.lot)
        self._open_interest = self._of_lots(round(touch * OPEN_INTEREST_TOUCHES))
        self._impact = round(IMPACT_USD / (Fraction(model.tick) * Fraction(model.lot)))  # in ticks times lots
        self._book: tuple[list[list[int]], list[list[int]]] | None = None  # ticks and lots; an empty side is []
        self._middle: float | None = None
        self._said: tuple[float, float] | None = None  # index and mark

    def add(self, rows: Rows, quoted: Quoted | None, until_ns: int) -> list[Mark]:
        """The marks up to a time, until which these rows are all that arrived since the rows before."""
        first = self._until_ns // self._every_ns + 1
        times = np.arange(first, until_ns // self._every_ns + 1, dtype=np.int64) * self._every_ns
        books = (np.searchsorted(rows.received_ns, times, side="right") - 1).tolist()
        trades = np.searchsorted(rows.trade_received_ns, times, side="right").tolist()
        ticks, lots = rows.trade_ticks.tolist(), rows.trade_lots.tolist()
        hours = (rows.trade_received_ns // NS_PER_HOUR).tolist()
        made, done = [], 0
        for at_ns, book, trade in zip(times.tolist(), books, trades, strict=True):
            self._trade(hours, ticks, lots, done, trade)
            done = max(done, trade)
            if book >= 0:
                self._show(rows, book)
            self._quote(quoted, at_ns)
            if self._said is not None:
                made.append(self._mark(at_ns, *self._said))
        self._trade(hours, ticks, lots, done, len(ticks))
        if len(rows.received_ns):
            self._show(rows, len(rows.received_ns) - 1)
        self._quote(quoted, until_ns)
        self._until_ns = until_ns
        return made

    def _trade(self, hours: list[int], ticks: list[int], lots: list[int], start: int, end: int) -> None:
        """Count some trades into the day."""
        for at in range(start, end):
            self._day.turn(hours[at])
            self._day.add(ticks[at], lots[at])

    def _show(self, rows: Rows, row: int) -> None:
        """Take a book as the last one."""
        ticks, lots = rows.ticks[:, row].tolist(), rows.lots[:, row].tolist()
        gone = (False, False) if rows.empty is None else rows.empty[:, row].tolist()
        for side, missing in enumerate(gone):
            if missing:
                ticks[side] = lots[side] = []
        self._book = ticks, lots
        if ticks[0] and ticks[1]:
            self._middle = (ticks[0][0] + ticks[1][0]) * self._price[0] / (2 * self._price[1])

    def _quote(self, quoted: Quoted | None, at_ns: int) -> None:
        """Index and mark at a time."""
        if quoted is not None:
            step = int(np.searchsorted(quoted.arrivals_ns, at_ns, side="right")) - 1
            if step >= 0:
                self._said = float(quoted.index[step]), float(quoted.mark[step])
        elif self._middle is not None:
            index = self._middle / (1.0 + float(self._premium.at(at_ns)))
            self._said = round(index * self._units) / self._units, self._middle

    def _mark(self, at_ns: int, index: float, mark: float) -> Mark:
        """Everything as it stands."""
        self._day.turn(at_ns // NS_PER_HOUR)
        hours = self._day.hours
        now = self._settlements.at(at_ns)
        assert self._book is not None or self._middle is None
        ticks, lots = self._book if self._book is not None else ([[], []], [[], []])
        return Mark(
            symbol=self._model.symbol,
            at_ns=at_ns,
            mark=mark,
            index=index,
            mid=self._middle if ticks[0] and ticks[1] else None,
            last=self._of_ticks(self._day.last),
            premium=self._premium.at(at_ns),
            funding_rate=predicted(self._model, self._seed, at_ns).rate,
            funding_interval_ns=now.end_ns - now.start_ns,
            next_funding_ns=now.end_ns,
            open_interest=self._open_interest,
            day_open=self._of_ticks(hours[0].open),
            day_high=self._of_ticks(max(hour.high for hour in hours)),
            day_low=self._of_ticks(min(hour.low for hour in hours)),
            day_volume=self._of_lots(sum(hour.lots for hour in hours)),
            day_notional_usd=sum(hour.notional for hour in hours)
            * self._price[0]
            * self._size[0]
            / (self._price[1] * self._size[1]),
            impact_bid=self._paid(ticks[0], lots[0]),
            impact_ask=self._paid(ticks[1], lots[1]),
            funding_rate_max=self._cap,
            funding_rate_min=None if self._cap is None else -self._cap,
            bid=self._of_ticks(ticks[0][0]) if ticks[0] else None,
            bid_size=self._of_lots(lots[0][0]) if ticks[0] else None,
            ask=self._of_ticks(ticks[1][0]) if ticks[1] else None,
            ask_size=self._of_lots(lots[1][0]) if ticks[1] else None,
            last_size=self._of_lots(self._day.last_lots),
            hour_open=self._of_ticks(hours[max(0, len(hours) - 2)].open),
        )

    def _paid(self, ticks: list[int], lots: list[int]) -> float | None:
        """The mean price that the impact notional takes from a side; of all that is shown, if that is less."""
        taken = worth = 0
        for price, size in zip(ticks, lots, strict=True):
            part = max(1, min(size, (self._impact - worth) // price))
            taken += part
            worth += part * price
            if part < size:
                break
        return worth * self._price[0] / (taken * self._price[1]) if taken else None

    def _of_ticks(self, ticks: int) -> float:
        return ticks * self._price[0] / self._price[1]

    def _of_lots(self, lots: int) -> float:
        return lots * self._size[0] / self._size[1]
