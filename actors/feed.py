"""Feed: carries a venue's books into the graph, with a verdict on each and on the age of every stream."""

from collections.abc import Iterable, Sequence
from typing import ClassVar

from actors.messages import BarHistory, BookRefused, StreamEnded, StreamState
from supervisor.actor import Post
from supervisor.clock import NS_PER_MS
from supervisor.mailbox import Hears
from venues.market import Book, Trade
from venues.venue import Venue

STALENESS_CHECK_S = 1.0
"""How often ages are looked at: a fifteenth of the usual bound, so a verdict is at most 7 % late."""


class Stream:
    """One symbol's market data: the stamps of its last good book, and the last verdict on its age."""

    __slots__ = ("at_ns", "fresh", "received_ns")

    def __init__(self) -> None:
        self.at_ns = 0
        self.received_ns = 0
        self.fresh = False


class FeedMind:
    """Judges books: in order, two-sided, not crossed; and knows how long each symbol has been silent."""

    def __init__(self, engine: str, symbols: Sequence[str], stale_ms: int, books: dict[str, int] | None = None):
        self.engine = engine
        self.stale_ns = stale_ms * NS_PER_MS
        self.streams = {symbol: Stream() for symbol in symbols}
        self.books = {} if books is None else books  # heard by symbol, good or bad
        for symbol in symbols:
            self.books.setdefault(symbol, 0)

    def hear(self, book: Book) -> Book | BookRefused:
        """The book itself if it can be acted on, else why not. The tick path: one look at each touch."""
        symbol = book.symbol
        bids, asks = book.bids, book.asks
        self.books[symbol] += 1
        stream = self.streams[symbol]
        if not bids or not asks:
            return self._refuse(book, "one_sided" if bids or asks else "empty")
        if bids[0].price >= asks[0].price:
            return self._refuse(book, "crossed")
        if book.at_ns < stream.at_ns:
            return self._refuse(book, "backwards")
        stream.at_ns = book.at_ns
        stream.received_ns = book.received_ns
        return book

    def _refuse(self, book: Book, reason: str) -> BookRefused:
        return BookRefused(book.symbol, reason, book.at_ns)

    def check_ages(self, now_ns: int) -> Iterable[StreamState]:
        """Say which streams went stale or came back since the last look."""
        for symbol, stream in self.streams.items():
            age_ns = now_ns - stream.received_ns
            fresh = stream.received_ns > 0 and age_ns <= self.stale_ns
            if fresh != stream.fresh:
                stream.fresh = fresh
                age_ms = age_ns // NS_PER_MS
                yield StreamState(self.engine, symbol, fresh, age_ms, now_ns)


class Feed:
    """The body: fills the strategy's windows from the venue's history, then carries books until the data ends."""

    hears: ClassVar[tuple[Hears, ...]] = ()
    says: ClassVar[tuple[type, ...]] = (Book, BookRefused, StreamState, BarHistory, StreamEnded)

    def __init__(self, mind: FeedMind, venue: Venue, history: "History", *, trades: bool = False):
        self.mind = mind
        self.venue = venue
        self.history = history
        self.trades = trades  # somebody hears them (a recording)

    async def run(self, post: Post) -> None:
        """Carry."""
        for symbol in self.mind.streams:
            bars = await self.venue.history(symbol, self.history.interval_ns, self.history.bars)
            post.say(BarHistory(post.engine, symbol, tuple(bars)))
        post.ready()
        post.spawn(self._watch_ages(post))
        hear, say = self.mind.hear, post.say
        async for batch in self.venue.market():
            for event in batch:
                if type(event) is Book:
                    say(hear(event))
                elif self.trades and type(event) is Trade:
                    say(event)
        post.say(StreamEnded(post.engine, "the venue has no more data", post.clock.now_ns()))

    async def _watch_ages(self, post: Post) -> None:
        while True:
            await post.clock.sleep(STALENESS_CHECK_S)
            for verdict in self.mind.check_ages(post.clock.now_ns()):
                post.say(verdict)


class History:
    """How much history a strategy needs to start warm."""

    def __init__(self, interval_ns: int, bars: int):
        self.interval_ns = interval_ns
        self.bars = bars
