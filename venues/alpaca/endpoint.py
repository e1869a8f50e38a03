"""One endpoint of Alpaca's market data as several listen to it: whole books, trades and bars out of one connection.

The venue gives an account one connection of a kind, and a run has several who want it: the crypto engine its books, the
perpetuals' engine bars of spot coins, the equities engine its quotes. So it stands while anybody listens, what it is
subscribed to is the union of what all have asked for, and each hears what is his.
"""

import asyncio
from collections import deque
from collections.abc import AsyncIterator, Callable, Iterable, Sequence

from msgspec import Struct

from supervisor.beside import Beside
from supervisor.clock import NS_PER_S, Clock
from venues.alpaca.book import Books, Doubt
from venues.alpaca.data_stream import Ear, Spec, Stream
from venues.alpaca.market_wire import BookChange, Candle, Damaged, Heard, Quote, StockTrade
from venues.alpaca.plan import BARS, ORDERBOOKS, QUOTES, TRADES, Key, Plan, Room
from venues.market import Bar, Book, Side, Trade

BACKLOG_MAX = 4096
"""Events that wait for a listener. Then books and bars are kept as the newest of each symbol, and trades go."""

WIDE = 1.1
"""Ask to bid. Limit Up-Limit Down keeps trades within 5 % of the last minutes' mean, on either side (tier 1)."""

FIRST_BOOK_NS = 10 * NS_PER_S
"""After a subscription is confirmed its whole book is waited for so long."""

AGAIN_NS_MIN, AGAIN_NS_MAX = 1 * NS_PER_S, 60 * NS_PER_S
"""Between two requests for the same whole book; twice as long each time, until a book is trusted again."""


class Resumed(Struct, frozen=True):
    """Bars are heard again, for the first time or after a while in which some may have been missed."""

    keys: tuple[Key, ...]
    at_ns: int


Event = Book | Trade | Bar | Resumed


class Listener:
    """Somebody who listens: which keys, and what has come for him."""

    def __init__(self, keys: Iterable[Key]):
        self.keys = dict.fromkeys(keys)  # in the order of the wish, which is that of subscribing
        self.waiting: deque[Event] = deque()
        self.passed_over = 0  # events that he was too slow for
        self.woken = asyncio.Event()

    def put(self, event: Event) -> None:
        """One more event."""
        self.waiting.append(event)
        if len(self.waiting) > BACKLOG_MAX:
            self._thin()
        self.woken.set()

    def take(self) -> list[Event]:
        """All that has come."""
        taken = list(self.waiting)
        self.waiting.clear()
        return taken

    def _thin(self) -> None:
        """The newest book of each symbol and all bars, in their order."""
        newest = {event.symbol: event for event in self.waiting if type(event) is Book}
        kept = [e for e in self.waiting if type(e) in (Bar, Resumed) or (type(e) is Book and newest[e.symbol] is e)]
        kept = kept[-BACKLOG_MAX // 2 :]
        self.passed_over += len(self.waiting) - len(kept)
        self.waiting = deque(kept)


class _Work(Beside):
    """The task that keeps the connection; who waits are the listeners."""

    def __init__(self, clock: Clock, wake: Callable[[], None]):
        super().__init__(clock)
        self._wake_all = wake

    def wake(self) -> None:
        """Let every listener look."""
        super().wake()
        self._wake_all()


class Endpoint(Ear):
    """The connection, the books behind it, and who listens."""

    def __init__(self, spec: Spec, plan: Plan, clock: Clock, seed: int | str, is_open: Callable[[int], bool]):
        self.name = spec.name
        self.clock = clock
        self.room = Room(plan)
        self.stream = Stream(spec, clock, self, seed, is_open)
        self.say: Callable[[str], None] = lambda _: None
        self.listeners: list[Listener] = []
        self.strays = 0  # messages about what nobody asked for
        self.books = Books()
        self.quotes: dict[str, Book] = {}  # the last of each symbol, for who comes later and for trades' sides
        self.shown: dict[str, Book] = {}
        self._prices: dict[str, tuple[float, Side]] = {}  # last trade, and what it was taken for
        self._again: dict[str, tuple[int, int]] = {}  # doubtful symbol -> when to ask next, and how long after that
        self._work = _Work(clock, self._wake)
        self._running = False

    # --- listening ----------------------------------------------------------------------------------------------------

    async def listen(self, keys: Iterable[Key]) -> AsyncIterator[Sequence[Event]]:
        """What comes for these keys, in batches; never ends. Raises what the connection's task failed of."""
        listener = Listener(key for key in keys if key in self.room.taken)
        await self._join(listener)
        try:
            while True:
                if events := listener.take():
                    yield events
                    continue
                if self._work.crash is not None:
                    raise self._work.crash
                listener.woken.clear()
                await listener.woken.wait()
        finally:
            await self._leave(listener)

    async def _join(self, listener: Listener) -> None:
        self.stream.want(listener.keys)
        for symbol, book in self.shown.items():
            if (ORDERBOOKS, symbol) in listener.keys or (QUOTES, symbol) in listener.keys:
                listener.put(book)
        self.listeners.append(listener)
        if not self._running or self._work.crash is not None:
            before, self._work = self._work, _Work(self.clock, self._wake)
            self._running = True
            await before.stop()
            self._work.start(self.stream.keep(), f"alpaca {self.name}")

    async def _leave(self, listener: Listener) -> None:
        """The last one closes the door."""
        self.listeners.remove(listener)
        self.say_passed_over(listener)
        if not self.listeners:
            await self.close()

    def say_passed_over(self, listener: Listener) -> None:
        """Nothing is dropped unseen."""
        if listener.passed_over:
            self.say(f"{self.name}: {listener.passed_over} events were passed over by a listener that was too slow")

    async def close(self) -> None:
        """Let go of the connection, whoever listens."""
        self._running = False
        await self._work.stop()
        self.lost()

    def _wake(self) -> None:
        for listener in self.listeners:
            listener.woken.set()

    def deaf(self, keys: Iterable[Key]) -> set[str]:
        """Symbols of which something may be missed now: no connection, no book that can be trusted, refused."""
        if not self.stream.live:
            return {symbol for _, symbol in keys}
        missing = self.stream.refused()
        return {
            symbol
            for channel, symbol in keys
            if (channel, symbol) in missing or (channel == ORDERBOOKS and symbol not in self.shown)
        }

    # --- what the stream says -----------------------------------------------------------------------------------------

    def heard(self, said: Sequence[Heard]) -> None:
        """Make books, trades and bars of it, and give each to who wants it. The tick path."""
        wanted = self.stream.covers
        for one in said:
            if isinstance(one, BookChange):
                if (ORDERBOOKS, one.symbol) not in wanted:
                    self.strays += 1
                    continue
                book = self.books.hear(one)
                if book is None:
                    self._hidden(one.symbol)
                else:
                    self.shown[one.symbol] = book
                    self._give((ORDERBOOKS, one.symbol), book)
            elif isinstance(one, Quote):
                if (QUOTES, one.symbol) not in wanted:
                    self.strays += 1
                    continue
                self.shown[one.symbol] = self.quotes[one.symbol] = book = book_of(one)
                self._give((QUOTES, one.symbol), book)
            elif isinstance(one, Trade):
                self._give((TRADES, one.symbol), one)
            elif isinstance(one, StockTrade):
                self._give((TRADES, one.symbol), self._sided(one))
            elif isinstance(one, Candle):
                if one.channel == BARS:
                    self._give((BARS, one.bar.symbol), bar_of(one.bar))
            elif isinstance(one, Damaged):
                self._damaged(one)

    def _hidden(self, symbol: str) -> None:
        """A change came for a book that is not shown, or it made it one."""
        self.shown.pop(symbol, None)
        if self.books.doubtful.get(symbol) is Doubt.NEW:  # the whole one does not come first, so it is not waited for
            self.books.doubtful[symbol] = Doubt.HEADLESS
            self._again.pop(symbol, None)

    def _give(self, key: Key, event: Event) -> None:
        for listener in self.listeners:
            if key in listener.keys:
                listener.put(event)

    def _sided(self, trade: StockTrade) -> Trade:
        """A share's trade with the side it was probably taken from: by the quote, at its middle by the last price.

        Lee and Ready, "Inferring Trade Direction from Intraday Data", Journal of Finance 46 (1991).
        """
        price, quote = trade.price, self.quotes.get(trade.symbol)
        last, side = self._prices.get(trade.symbol, (price, Side.BUY))
        middle = (quote.bids[0].price + quote.asks[0].price) / 2 if quote and quote.bids and quote.asks else price
        if price != middle:
            side = Side.BUY if price > middle else Side.SELL
        elif price != last:
            side = Side.BUY if price > last else Side.SELL
        self._prices[trade.symbol] = price, side
        return Trade(trade.symbol, trade.at_ns, trade.received_ns, price, trade.size, side)

    def _damaged(self, damage: Damaged) -> None:
        self.say(f"{self.name}: a message cannot be read: {damage.text}")
        if damage.kind == "o" and (ORDERBOOKS, damage.symbol) in self.stream.covers:
            self._doubt(damage.symbol, Doubt.DAMAGED)
        elif damage.kind in ("o", ""):
            self.unreadable()

    def unreadable(self) -> None:
        """It may have been a change of any book."""
        for channel, symbol in self.stream.covers:
            if channel == ORDERBOOKS:
                self._doubt(symbol, Doubt.DAMAGED)

    def held(self, keys: Iterable[Key]) -> None:
        """Whole books follow; of bars, what came meanwhile does not."""
        told = tuple(keys)
        for channel, symbol in told:
            if channel == ORDERBOOKS and symbol not in self.shown:
                self.books.doubtful.setdefault(symbol, Doubt.NEW)
        for listener in self.listeners:
            if bars := tuple(key for key in told if key[0] == BARS and key in listener.keys):
                listener.put(Resumed(bars, self.clock.now_ns()))

    def lost(self) -> None:
        """Nothing is known any more."""
        for held in (self.books, self.shown, self.quotes, self._again):
            held.forget() if isinstance(held, Books) else held.clear()

    def tell(self, text: str) -> None:
        """Pass it on."""
        self.say(text)

    def _doubt(self, symbol: str, why: Doubt) -> None:
        self.books.doubt(symbol, why)
        self.shown.pop(symbol, None)

    def wanted_again(self, now_ns: int) -> tuple[list[Key], int | None]:
        """Books that are doubtful are asked for anew: at once, and then ever less often."""
        doubtful, pending = self.books.doubtful, self._again
        for symbol in [symbol for symbol in pending if symbol not in doubtful]:
            due_ns, wait_ns = pending[symbol]
            if now_ns >= due_ns + wait_ns:  # it has been good for a while
                del pending[symbol]
        keys = []
        for symbol, why in doubtful.items():
            due_ns, wait_ns = pending.get(symbol, (now_ns, AGAIN_NS_MIN))
            if symbol not in pending and why is Doubt.NEW:
                pending[symbol] = now_ns + FIRST_BOOK_NS, wait_ns
            elif now_ns >= due_ns:
                self.say(f"{self.name}: the book of {symbol} is asked for again: {why}")
                pending[symbol] = now_ns + wait_ns, min(2 * wait_ns, AGAIN_NS_MAX)
                keys.append((ORDERBOOKS, symbol))
        return keys, min((pending[symbol][0] for symbol in doubtful), default=None)


def book_of(quote: Quote) -> Book:
    """The best bid and ask as a book of one level; a side that is empty stays empty, and who reads it judges that.

    A quote that is wider than anything may trade in has no side: one of an exchange where nobody quotes (a bid of
    a dollar, IEX in the morning) has a middle that stops positions and trips breakers at prices that never were.
    """
    if quote.bid is not None and quote.ask is not None and quote.ask.price > quote.bid.price * WIDE:
        return Book(quote.symbol, quote.at_ns, quote.received_ns, (), ())
    bids = () if quote.bid is None else (quote.bid,)
    asks = () if quote.ask is None else (quote.ask,)
    return Book(quote.symbol, quote.at_ns, quote.received_ns, bids, asks)


def bar_of(bar: Bar) -> Bar:
    """A bar that came is no silent one: where nobody traded its prices are of quotes."""
    if bar.books:
        return bar
    return Bar(bar.symbol, bar.start_ns, bar.interval_ns, bar.open, bar.high, bar.low, bar.close, 1)
