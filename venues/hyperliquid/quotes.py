"""The market stream: books of 20 levels, slower, and of 5, ten times as often, as one freshest book for each symbol.

The two pushes come on sockets of their own, because their frames look alike. A fast book is lengthened by the levels of
the last slow one that lie beyond its own, while that one is fresh: the front is what it is now, the depth behind it
what it was some seconds ago. Of the side that the price moved into fewer old levels are left, so each book says how
many levels are known of either side (`depth`): its touch is good for prices and stops, an imbalance of more is not.

Where that is not fresh enough, whole books can be asked for by POST within the weight that orders leave (`poll`); they
cost two of 1,200 a minute, so a few symbols gain by it and thirty do not.
"""

from collections.abc import AsyncIterator, Callable, Iterable, Sequence
from typing import Any

from supervisor.beside import Beside
from supervisor.clock import NS_PER_S
from venues.hyperliquid import info
from venues.hyperliquid.account import said_of
from venues.hyperliquid.asking import Asker
from venues.hyperliquid.budget import Urgency
from venues.hyperliquid.streams import Streams
from venues.hyperliquid.subscriptions import Damaged, Lost, Quarantine
from venues.market import AHEAD_NS_MAX, BOOK_DEPTH, Book, Level, MarketEvent, Trade
from venues.skew import UNHEARD, Skew
from venues.venue import VenueMisspoke, VenueUnreachable

FAST_LEVELS, DEEP_LEVELS = 5, BOOK_DEPTH
"""Levels of a side in either push."""

DEPTH_NS_MAX = 6 * NS_PER_S
"""Depth older than this is left out: by then the next slow push is late (they come each 5.4 s)."""

POLL_AGAIN_S = 1.0
"""After a question that was not answered."""


class Merge:
    """The freshest book of each symbol, as deep as is known."""

    def __init__(self) -> None:
        self._deep: dict[str, Book] = {}
        self._at_ns: dict[str, int] = {}

    def hear(self, book: Book) -> Book | None:
        """A book of either push; the book to hand on, None if a later one was handed on before."""
        symbol, at_ns = book.symbol, book.at_ns
        deep = len(book.bids) > FAST_LEVELS or len(book.asks) > FAST_LEVELS
        if deep:
            self._deep[symbol] = book
        if at_ns < self._at_ns.get(symbol, 0):
            return None
        self._at_ns[symbol] = min(at_ns, book.received_ns + AHEAD_NS_MAX)
        if deep:
            return book
        behind = self._deep.get(symbol)
        if behind is None or at_ns - behind.at_ns > DEPTH_NS_MAX:
            return Book(symbol, at_ns, book.received_ns, book.bids, book.asks, FAST_LEVELS)
        bids, asks = lengthened(book.bids, behind.bids, 1.0), lengthened(book.asks, behind.asks, -1.0)
        depth = min(known(bids, behind.bids), known(asks, behind.asks))
        return Book(symbol, at_ns, book.received_ns, bids, asks, depth)


def lengthened(front: tuple[Level, ...], behind: tuple[Level, ...], sign: float) -> tuple[Level, ...]:
    """A side with the levels behind it that are worse than its own worst; one that is not full has none behind it."""
    if len(front) < FAST_LEVELS:
        return front
    worst = front[-1].price * sign
    more = [level for level in behind if level.price * sign < worst]
    return (*front, *more[: DEEP_LEVELS - len(front)])


def known(side: tuple[Level, ...], behind: tuple[Level, ...]) -> int:
    """How many levels of a merged side are known: all that there are where the market has less than a full push."""
    return DEEP_LEVELS if len(side) < FAST_LEVELS or len(behind) < DEEP_LEVELS else len(side)


class Quotes:
    """Books and trades as they come."""

    def __init__(
        self,
        streams: Streams,
        asker: Asker,
        symbols: Sequence[str],
        tell: Callable[[str], None],
        skew: Skew,
        *,
        poll: Sequence[str] = (),
    ):
        self.streams = streams
        self.asker = asker
        self.symbols = symbols
        self.tell = tell
        self.skew = skew
        self.poll = tuple(poll)  # symbols that are asked for, too, in turn
        self._heard: list[MarketEvent] = []  # where two are heard at once
        self._merge = Merge()
        self._beside = Beside(asker.clock)

    async def iterate(self) -> AsyncIterator[Sequence[MarketEvent]]:
        """Batches that arrived together; never ends."""
        if not self.poll:
            async for batch in self.streams.batches():
                if events := self._sifted(batch):
                    yield events
            return
        before, self._beside = self._beside, Beside(self.asker.clock)
        beside = self._beside
        await before.stop()
        beside.start(self._listen(), "hyperliquid books")
        beside.start(self._poll(), "hyperliquid polls")
        try:
            while True:
                if self._heard:
                    heard, self._heard = self._heard, []
                    yield heard
                else:
                    await beside.wait()
        finally:
            await beside.stop()

    def _sifted(self, batch: Iterable[Any]) -> list[MarketEvent]:
        """What of a batch is market, books merged, and by their stamps the skew; what befell a socket is told."""
        events: list[MarketEvent] = []
        least_ns, received_ns = UNHEARD, 0
        for one in batch:
            if type(one) is Book:
                received_ns = one.received_ns
                if (lag_ns := received_ns - one.at_ns) < least_ns:
                    least_ns = lag_ns
                if (book := self._merge.hear(one)) is not None:
                    events.append(book)
            elif type(one) is Trade:
                events.append(one)
            elif isinstance(one, Lost | Damaged | Quarantine):
                self.tell(said_of(one))
        if received_ns:
            self.skew.hear(least_ns, received_ns)
        return events

    async def _listen(self) -> None:
        async for batch in self.streams.batches():
            self._hear(batch)

    def _hear(self, batch: Iterable[Any]) -> None:
        if events := self._sifted(batch):
            self._heard += events
            self._beside.wake()

    async def _poll(self) -> None:
        """Ask for one book after the other, as often as what others leave allows."""
        while True:
            for symbol in self.poll:
                try:
                    book = await self.asker.ask(info.l2_book(symbol), Urgency.POLL)
                except (VenueUnreachable, VenueMisspoke) as error:
                    self.tell(f"poll of {symbol}: {type(error).__name__}: {error}")
                    await self.asker.clock.sleep(POLL_AGAIN_S)
                    continue
                if book is not None:
                    self._hear((book,))
