"""Bars of one name: minutes as the market makes them, and a made history from before the start.

Coins' bars are of trades, and where nobody traded of the middle of the book, with no volume; a minute in which nobody
traded a share has no bar (docs, Historical bars). Longer bars are put together from minutes; those of days before the
start are made by themselves. Days of shares begin at midnight in New York; those of coins at midnight UTC, a guess.
"""

from array import array
from bisect import bisect_left
from collections.abc import Callable
from decimal import Decimal
from typing import Any

from msgspec import Struct
from msgspec.structs import astuple, replace

from supervisor.clock import NS_PER_S
from venues.aleatoric.history import history
from venues.aleatoric.model import SymbolModel
from venues.emulator.alpaca.sessions import Hours
from venues.market import Bar

MINUTE_NS, DAY_NS = 60 * NS_PER_S, 86_400 * NS_PER_S
STEPS_PER_BAR = 64
MINUTES_MADE_MAX = 10 * 24 * 60  # before the start: ten days
DAYS_MADE_MAX = 400
SESSION_SHARE, SESSION_MINUTES = 3, 390  # shares trade for less than a third of the time, and at least a session
SESSIONS_A_YEAR = 252
VWAP_DECIMALS = 10


class Sums(Struct):
    """What happened in a span: prices, size, the worth of it, trades."""

    start_ns: int
    open: float
    high: float
    low: float
    close: float
    volume: float = 0.0
    worth: float = 0.0
    trades: int = 0

    def add(self, price: float, size: float) -> None:
        """A trade; the first one takes the place of quotes."""
        if not self.trades:
            self.open = self.high = self.low = price
        self.high, self.low, self.close = max(self.high, price), min(self.low, price), price
        self.volume += size
        self.worth += price * size
        self.trades += 1

    def join(self, later: "Sums") -> None:
        """Take a later span in."""
        self.high, self.low, self.close = max(self.high, later.high), min(self.low, later.low), later.close
        self.volume += later.volume
        self.worth += later.worth
        self.trades += later.trades

    def row(self) -> dict[str, Any]:
        """As bars are told; `t` is a time in nanoseconds."""
        volume = float(Decimal(repr(self.volume)).quantize(Decimal("0.000000001")))
        vwap = round(self.worth / self.volume, VWAP_DECIMALS) if self.volume else self.close
        prices = {"o": self.open, "h": self.high, "l": self.low, "c": self.close}
        return {**prices, "v": volume, "t": self.start_ns, "n": self.trades, "vw": vwap}


class Minutes:
    """Minutes that have a bar, oldest first; as plain numbers, because a soak of days keeps a hundred thousand."""

    def __init__(self) -> None:
        self._starts = array("q")
        self._packed = array("d")
        self.last: Sums | None = None  # the one that may still grow; packed when the next begins

    def begin(self, sums: Sums) -> None:
        """Another minute."""
        if self.last is not None:
            start_ns, *figures = astuple(self.last)
            self._starts.append(start_ns)
            self._packed.extend(figures)
        self.last = sums

    def at(self, start_ns: int) -> Sums | None:
        """The one that starts at a time, if there is one."""
        if self.last is not None and self.last.start_ns == start_ns:
            return self.last
        place = bisect_left(self._starts, start_ns)
        there = place < len(self._starts) and self._starts[place] == start_ns
        return self._unpacked(place) if there else None

    def from_(self, start_ns: int) -> list[Sums]:
        """Those that start at a time or later."""
        found = [self._unpacked(place) for place in range(bisect_left(self._starts, start_ns), len(self._starts))]
        return [*found, self.last] if self.last is not None and self.last.start_ns >= start_ns else found

    def _unpacked(self, place: int) -> Sums:
        first, high, low, last, volume, worth, trades = self._packed[place * FIGURES : (place + 1) * FIGURES]
        return Sums(self._starts[place], first, high, low, last, volume, worth, int(trades))


FIGURES = len(Sums.__struct_fields__) - 1


class Bars:
    """The bars of one name."""

    def __init__(self, model: SymbolModel, seed: int, start_ns: int, hours: Hours, *, crypto: bool) -> None:
        self._model, self._seed, self._start_ns, self._hours, self._crypto = model, seed, start_ns, hours, crypto
        self._minutes = Minutes()  # since the start
        self._days: dict[int, Sums] = {}  # of all minutes but the newest
        self._made: dict[int, list[Sums]] = {}

    # --- the market -----------------------------------------------------------------------------------------------

    def trade(self, at_ns: int, price: float, size: float) -> None:
        """A trade happened; times do not run back."""
        self._minute(at_ns, price).add(price, size)

    def quote(self, at_ns: int, mid: float) -> None:
        """The book's middle is here; bars of coins are of it until somebody trades."""
        if not self._crypto:
            return
        minute = self._minute(at_ns, mid)
        if not minute.trades:
            minute.high, minute.low, minute.close = max(minute.high, mid), min(minute.low, mid), mid

    def _minute(self, at_ns: int, price: float) -> Sums:
        start_ns = (at_ns - 1) // MINUTE_NS * MINUTE_NS  # what happens up to an instant belongs before it
        minute = self._minutes.last
        if minute is None or minute.start_ns < start_ns:
            if minute is not None:
                self._fold(minute, self._days)
            minute = Sums(start_ns, price, price, price, price)
            self._minutes.begin(minute)
        return minute

    def _fold(self, minute: Sums, days: dict[int, Sums]) -> None:
        """Add a minute to its day."""
        start_ns = self.day_start(minute.start_ns)
        if (day := days.get(start_ns)) is None:
            days[start_ns] = replace(minute, start_ns=start_ns)
        else:
            day.join(minute)

    # --- questions ------------------------------------------------------------------------------------------------

    def minute(self, start_ns: int) -> Sums | None:
        """One minute since the start."""
        return self._minutes.at(start_ns)

    def day(self, at_ns: int) -> Sums | None:
        """The day that is going on, as far as it was seen."""
        return self._days_now().get(self.day_start(at_ns))

    def last(self) -> Sums | None:
        """The newest minute."""
        return self._minutes.last

    def day_start(self, at_ns: int) -> int:
        """When the day of a time begins."""
        if self._crypto:
            return at_ns // DAY_NS * DAY_NS
        return self._hours.midnight_ns(self._hours.day(at_ns))

    def minutes_between(self, start_ns: int, end_ns: int, length_ns: int) -> list[Sums]:
        """Bars of some minutes or hours that begin in [start, end], oldest first."""
        first_ns = start_ns // length_ns * length_ns
        all_ = [*self._made_of(MINUTE_NS, first_ns, MINUTES_MADE_MAX), *self._minutes.from_(first_ns)]
        if length_ns > MINUTE_NS:
            all_ = list(self._joined(all_, lambda at_ns: at_ns // length_ns * length_ns).values())
        return [bar for bar in all_ if start_ns <= bar.start_ns <= end_ns]

    def days_between(self, start_ns: int, end_ns: int) -> list[Sums]:
        """Bars of days that begin in [start, end], oldest first."""
        made = self._made_of(DAY_NS, start_ns, DAYS_MADE_MAX)
        days = [*made, *self._days_now().values()]
        return [bar for bar in days if start_ns <= bar.start_ns <= end_ns]

    def close_before(self, at_ns: int) -> float:
        """The last price of the day before a time's."""
        start_ns = self.day_start(at_ns)
        days = self.days_between(start_ns - 10 * DAY_NS, start_ns - 1)
        return days[-1].close if days else float(self._model.price_initial)

    # --- what they are made of --------------------------------------------------------------------------------------

    def _days_now(self) -> dict[int, Sums]:
        """Days since the start with the minute that is going on; the newest is a copy."""
        days = dict(self._days)
        if (minute := self._minutes.last) is not None:
            last = self.day_start(minute.start_ns)
            if last in days:
                days[last] = replace(days[last])
            self._fold(minute, days)
        return days

    @staticmethod
    def _joined(minutes: list[Sums], start_of: Callable[[int], int]) -> dict[int, Sums]:
        """Minutes put together by what they belong to; quotes count only where nobody traded."""
        joined: dict[int, Sums] = {}
        for minute in minutes:
            start_ns = start_of(minute.start_ns)
            if (found := joined.get(start_ns)) is None:
                joined[start_ns] = replace(minute, start_ns=start_ns)
            else:
                found.join(minute)
        return joined

    def _made_of(self, length_ns: int, first_ns: int, most: int) -> list[Sums]:
        """Bars from before the start back to a time; their path is the same however far it is asked for."""
        if first_ns >= self._start_ns:
            return []
        wanted = (self._start_ns - first_ns) // length_ns + 1
        if not self._crypto and length_ns < DAY_NS:
            wanted = wanted // SESSION_SHARE + SESSION_MINUTES
        wanted = min(most, wanted)
        kept = self._made.get(length_ns, [])
        if len(kept) < wanted:
            coarse = replace(self._model, cadence_ns=length_ns // STEPS_PER_BAR)
            before_ns = self._first_day_ns() if length_ns >= DAY_NS and not self._crypto else self._start_ns
            bars = history(coarse, self._seed, before_ns, length_ns, wanted, self._hours.is_open)
            kept = self._made[length_ns] = [self._past(bar) for bar in bars]
        return kept

    def _first_day_ns(self) -> int:
        """The first date that the market itself makes a share's day of, as its midnight UTC."""
        hours, start_ns = self._hours, self._start_ns
        session = hours.on(hours.day(start_ns))
        over = session is not None and start_ns >= session[1]
        return (hours.midnight_ns(hours.day(start_ns)) // DAY_NS + over) * DAY_NS

    def _past(self, bar: Bar) -> Sums:
        """A made bar; what was traded in it is what the model trades in that time on average."""
        session_s = bar.interval_ns // NS_PER_S
        if bar.interval_ns >= DAY_NS and not self._crypto:
            session_s = self._model.year_s // SESSIONS_A_YEAR
        count = max(1, round(self._model.flow.trades_per_s * session_s))
        size = self._model.touch_usd * self._model.flow.size_over_touch / bar.close
        volume = round(size * count, 4 if self._crypto else 0) or float(self._model.lot)
        start_ns = bar.start_ns
        if bar.interval_ns >= DAY_NS and not self._crypto:  # a date, which begins at another time there
            start_ns = self._hours.midnight_ns(self._hours.day(bar.start_ns + DAY_NS // 2))
        mean = (bar.open + bar.high + bar.low + bar.close) / 4
        decimals = -int(self._model.tick.as_tuple().exponent)  # a middle may lie between two prices
        first, high, low, last = (round(price, decimals) for price in (bar.open, bar.high, bar.low, bar.close))
        return Sums(start_ns, first, high, low, last, volume, mean * volume, count)
