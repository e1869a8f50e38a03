"""Bars: cuts the stream of mids into aligned bars, silent ones included, or sixty bars would not be an hour.

A bar closes when the first book past its end arrives, or by the clock a little later. What was closed stays closed: a
late book is counted and left out. Where the window holds days (equities), each session's bars are folded into one more
bar when the session closes. The mind keeps each symbol's last bars, so that a restarted strategy is warm at once.

Once a second it says the touches that moved, as marks, for those who need prices but not every book: risk stays off the
tick path.
"""

from collections import deque
from collections.abc import Callable, Iterable, Iterator
from typing import ClassVar

from actors.messages import BarHistory, Imbalance, Mark
from supervisor.clock import NS_PER_S
from supervisor.mailbox import Hears, latest
from supervisor.messages import ChildStarted, Tick
from venues.market import AHEAD_NS_MAX, Bar

GRACE_NS = 2 * NS_PER_S
"""How long after its end a bar waits for books on their way: they reach us well under a second after their stamp."""

STRATEGY = "signal"
"""The child whose restart asks for the history."""

SessionAt = Callable[[int], tuple[int, int] | None]
"""Open and close (ns) of the session that holds a time; None outside sessions."""


class OpenBar:
    """A bar that is being built."""

    __slots__ = ("books", "close", "end_ns", "high", "low", "open", "start_ns")

    def __init__(self, start_ns: int, end_ns: int, price: float):
        self.start_ns = start_ns
        self.end_ns = end_ns
        self.open = self.high = self.low = self.close = price
        self.books = 0

    def closed(self, symbol: str) -> Bar:
        """What it came to."""
        interval_ns = self.end_ns - self.start_ns
        return Bar(symbol, self.start_ns, interval_ns, self.open, self.high, self.low, self.close, self.books)


class Bars:
    """The mind."""

    hears: ClassVar[tuple[Hears, ...]] = (
        Hears(BarHistory),
        Hears(ChildStarted),
        Hears(Tick),
        latest(Imbalance),
    )
    says: ClassVar[tuple[type, ...]] = (Bar, BarHistory, Mark)
    every_s: ClassVar[float] = 1.0

    def __init__(self, engine: str, interval_s: int, keep: int, daily_session: SessionAt | None = None):
        self.engine = engine
        self.interval_ns = interval_s * NS_PER_S
        self.keep = keep  # bars remembered per symbol, and the most silent bars said for one gap
        self.daily_session = daily_session  # given: what is remembered and told again are days
        self.open: dict[str, OpenBar] = {}
        self.days: dict[str, OpenBar] = {}
        self.closed: dict[str, deque[Bar]] = {}
        self.touches: dict[str, Imbalance] = {}  # the newest of each symbol
        self.marked: dict[str, tuple[float, float]] = {}  # what was last said of it
        self.due_ns = 0  # no bar can be closed by the clock before this
        self.late = 0  # books that came after their bar was closed
        self.ahead = 0  # books stamped in the future

    def hear(self, message: Imbalance | Tick | BarHistory | ChildStarted) -> tuple[Bar | BarHistory | Mark, ...]:
        if type(message) is Imbalance:
            return tuple(self.hear_stream((message,)))
        if type(message) is Tick:
            closed = self._tick(message.at_ns) if message.at_ns >= self.due_ns else ()
            return (*self._marks(), *closed)
        if type(message) is BarHistory:
            self._learn(message)
        elif type(message) is ChildStarted:
            self.marked.clear()  # whoever started has heard no mark yet, moved or not
            if (message.child, message.engine) == (STRATEGY, self.engine):
                return tuple(BarHistory(self.engine, symbol, tuple(bars)) for symbol, bars in self.closed.items())
        return ()

    def hear_stream(self, imbalances: Iterable[Imbalance]) -> Iterator[Bar]:
        """The tick path: into the open bar, or on to the next."""
        opened, touches = self.open, self.touches
        for message in imbalances:
            symbol = message.symbol
            touches[symbol] = message
            mid = (message.bid + message.ask) * 0.5
            bar = opened.get(symbol)
            if bar is None or not bar.books or not bar.start_ns <= message.at_ns < bar.end_ns:
                yield from self._turn(message, bar, mid)
                continue
            bar.close = mid
            bar.books += 1
            if mid > bar.high:
                bar.high = mid
            elif mid < bar.low:
                bar.low = mid

    def _marks(self) -> list[Mark]:
        """The touches that moved since they were last said."""
        said = []
        for symbol, touch in self.touches.items():
            prices = (touch.bid, touch.ask)
            if self.marked.get(symbol) != prices:
                self.marked[symbol] = prices
                said.append(Mark(symbol, touch.at_ns, *prices))
        return said

    def _turn(self, imbalance: Imbalance, bar: OpenBar | None, mid: float) -> tuple[Bar, ...]:
        """A book that is the first of its bar, or out of the open one."""
        if imbalance.at_ns - imbalance.received_ns > AHEAD_NS_MAX:
            self.ahead += 1
            return ()
        symbol, at_ns = imbalance.symbol, imbalance.at_ns
        said: list[Bar] = []
        if bar is None:
            bar = self._start(symbol, at_ns // self.interval_ns * self.interval_ns, mid)
        elif at_ns < bar.start_ns:
            self.late += 1
            return ()
        elif at_ns >= bar.end_ns:
            said = self._close_until(symbol, bar, at_ns)
            bar = self.open[symbol]
        bar.open = bar.high = bar.low = bar.close = mid
        bar.books = 1
        return tuple(said)

    def _tick(self, at_ns: int) -> tuple[Bar, ...]:
        said: list[Bar] = []
        for symbol, bar in tuple(self.open.items()):
            grace_ns = self.grace_ns(symbol)
            if at_ns >= bar.end_ns + grace_ns:
                said += self._close_until(symbol, bar, at_ns - grace_ns)
        self.due_ns = min((bar.end_ns for bar in self.open.values()), default=at_ns) + GRACE_NS
        return tuple(said)

    def grace_ns(self, symbol: str) -> int:
        """How long after its end a bar of a symbol is waited for."""
        return GRACE_NS

    def _start(self, symbol: str, start_ns: int, price: float) -> OpenBar:
        bar = self.open[symbol] = OpenBar(start_ns, start_ns + self.interval_ns, price)
        self.due_ns = min(self.due_ns, bar.end_ns + GRACE_NS)
        return bar

    def _close_until(self, symbol: str, bar: OpenBar, until_ns: int) -> list[Bar]:
        """Close the open bar and every silent one before a time, then open the one of that time.

        Of a gap longer than the memory (a machine slept) only the last `keep` bars are said: nobody remembers more.
        """
        start_ns = until_ns // self.interval_ns * self.interval_ns
        said = self._closed(symbol, bar)
        for silent_ns in range(max(bar.end_ns, start_ns - self.keep * self.interval_ns), start_ns, self.interval_ns):
            said += self._closed(symbol, OpenBar(silent_ns, silent_ns + self.interval_ns, bar.close))
        self._start(symbol, start_ns, bar.close)
        return said

    def _closed(self, symbol: str, bar: OpenBar) -> list[Bar]:
        """The bar, and the session's bar if this closes it."""
        closed = bar.closed(symbol)
        if self.daily_session is None:
            self._memory(symbol).append(closed)
            return [closed]
        return [closed, *self._fold(symbol, bar, self.daily_session(bar.start_ns))]

    def _fold(self, symbol: str, bar: OpenBar, session: tuple[int, int] | None) -> list[Bar]:
        """Fold a bar into its session's. A session without a book leaves none: it was not traded, or not seen."""
        said: list[Bar] = []
        day = self.days.get(symbol)
        if day is not None and bar.start_ns >= day.end_ns:  # a gap went over the close
            said.append(self._close_day(symbol))
            day = None
        if day is None and session is not None and bar.books:
            day = self.days[symbol] = OpenBar(*session, bar.open)
        if day is None:
            return said
        day.close, day.high, day.low = bar.close, max(day.high, bar.high), min(day.low, bar.low)
        day.books += bar.books
        return [*said, self._close_day(symbol)] if bar.end_ns >= day.end_ns else said

    def _close_day(self, symbol: str) -> Bar:
        closed = self.days.pop(symbol).closed(symbol)
        self._memory(symbol).append(closed)
        return closed

    def _memory(self, symbol: str) -> deque[Bar]:
        memory = self.closed.get(symbol)
        if memory is None:
            memory = self.closed[symbol] = deque(maxlen=self.keep)
        return memory

    def _learn(self, history: BarHistory) -> None:
        """Put a venue's bars before our own; where both have one, ours stays, because the strategy has acted on it."""
        symbol = history.symbol
        ours = self._memory(symbol)
        open_bar = self.open.get(symbol)
        first_ns = ours[0].start_ns if ours else open_bar.start_ns if open_bar else None
        older = [bar for bar in history.bars if first_ns is None or bar.end_ns <= first_ns]
        self.closed[symbol] = memory = deque([*older, *ours], maxlen=self.keep)
        if self.daily_session is None and symbol not in self.open and memory:
            self._start(symbol, memory[-1].end_ns, memory[-1].close)  # so that silence after the history makes bars
