"""Feed: carries a venue's books into the graph, with a verdict on each and on the age of every stream."""

from collections import deque
from collections.abc import Collection, Container, Iterable, Mapping
from typing import ClassVar

from actors.messages import BarHistory, BookRefused, Stale, StreamEnded, StreamState
from supervisor.actor import Post
from supervisor.clock import NS_PER_MS, NS_PER_S
from supervisor.mailbox import Hears
from supervisor.messages import ChildStarted
from venues.market import AHEAD_NS_MAX, Book, Level, MarketEvent, Trade
from venues.venue import Venue, VenueMisspoke, VenueUnreachable

HISTORY_PAUSE_S, HISTORY_PAUSE_S_MAX = 2.0, 60.0
"""Between attempts to get the histories that a venue did not give; twice as long after each failure."""

STALENESS_CHECK_S = 1.0
"""How often ages are looked at: a fifteenth of the usual bound, so a verdict is at most 7 % late."""

FROZEN_NS = 60 * NS_PER_S
"""The touches of all symbols together do not stand still for so long in a market that lives; where they do, the same
books are being sent again and again, whatever their stamps say."""


UNSEEN_MAX = 16
"""Events of a backlog that are carried before the others run: a socket that never runs dry would never let them, and
their mailboxes would pass over books that there was time for."""


class Stream:
    """One symbol's market data. It outlives the feed, which counts on where its predecessor crashed."""

    __slots__ = ("ask", "at_ns", "bid", "books", "fresh", "received_ns", "seen", "seen_at_ns", "seen_ns", "why")

    def __init__(self) -> None:
        self.books = 0  # heard, good or bad
        self.at_ns = 0  # of the last good book
        self.received_ns = 0  # of the same
        self.bid: Level | None = None  # the touch of the same
        self.ask: Level | None = None
        self.fresh = False  # the last verdict on its age
        self.why: Stale | None = None  # and the reason it gave
        self.seen: tuple[Level | None, Level | None] = (None, None)  # the touch at the last look
        self.seen_at_ns = 0  # its stamp
        self.seen_ns = 0  # when a book with a newer stamp was received, as of the last look


class FeedMind:
    """Judges books: in order, two-sided, not crossed; and knows how long each symbol has said nothing new."""

    def __init__(self, engine: str, streams: Mapping[str, Stream], stale_ms: int):
        self.engine = engine
        self.streams = streams
        self.stale_ns = stale_ms * NS_PER_MS
        self.unlearnt: Container[str] = ()  # symbols without their history: told as stale, so that nobody enters them
        self.moved_ns = 0  # when any touch was last seen to have moved; 0: nobody has looked
        for stream in streams.values():
            stream.fresh, stream.why = False, None  # said again by the first look at ages

    def sift(self, events: Iterable[MarketEvent]) -> tuple[list[Book], list[BookRefused], list[Trade]]:
        """Good books, verdicts on bad ones, trades. The tick path: one look at each touch."""
        streams = self.streams
        good: list[Book] = []
        bad: list[BookRefused] = []
        trades: list[Trade] = []
        for event in events:
            if type(event) is not Book:
                trades.append(event)  # type: ignore[arg-type]  # there is nothing else
                continue
            stream = streams[event.symbol]
            stream.books += 1
            bids, asks, at_ns = event.bids, event.asks, event.at_ns
            if bids and asks and (bid := bids[0]).price < (ask := asks[0]).price and at_ns >= stream.at_ns:
                stream.at_ns = at_ns
                stream.received_ns = event.received_ns
                stream.bid = bid
                stream.ask = ask
                good.append(event)
            else:
                bad.append(BookRefused(event.symbol, flaw(event), min(at_ns, event.received_ns + AHEAD_NS_MAX)))
        return good, bad, trades

    def check_ages(self, now_ns: int, deaf: Collection[str] = (), *, again: bool = False) -> Iterable[StreamState]:
        """Say which streams went stale or came back since the last look; or how all of them are, again.

        A book whose stamp is that of the one before says nothing new, and no book does while all touches stand still.
        A stream that the venue says it may not hear in full (`deaf`) is stale whatever its age.
        """
        self.moved_ns = self.moved_ns or now_ns
        for stream in self.streams.values():
            if stream.at_ns > stream.received_ns + AHEAD_NS_MAX:
                stream.at_ns = stream.received_ns
            if stream.at_ns != stream.seen_at_ns:
                stream.seen_at_ns, stream.seen_ns = stream.at_ns, stream.received_ns
            if stream.seen != (touch := (stream.bid, stream.ask)):
                stream.seen, self.moved_ns = touch, now_ns
        frozen_ns = now_ns - self.moved_ns
        for symbol, stream in self.streams.items():
            age_ns = now_ns - stream.seen_ns
            if frozen_ns >= FROZEN_NS:
                age_ns = max(age_ns, frozen_ns)
            why: Stale | None = None
            if not stream.seen_ns or age_ns > self.stale_ns:
                why = Stale.FROZEN if frozen_ns >= FROZEN_NS else Stale.OLD
            elif symbol in deaf:
                why = Stale.DEAF
            elif symbol in self.unlearnt:
                why = Stale.UNLEARNT
            fresh = why is None
            if fresh != stream.fresh or again or (why is Stale.UNLEARNT and stream.why is not why):
                stream.fresh, stream.why = fresh, why
                yield StreamState(self.engine, symbol, fresh, age_ns // NS_PER_MS, now_ns, why)


def flaw(book: Book) -> str:
    """What is wrong with a book that is no good."""
    if not book.bids or not book.asks:
        return "one_sided" if book.bids or book.asks else "empty"
    return "crossed" if book.bids[0].price >= book.asks[0].price else "backwards"


class Feed:
    """The body: fills the strategy's windows from the venue's history, then carries books until the data ends.

    A history that the venue does not give is asked for again while books are carried: what is held has a stop.
    """

    hears: ClassVar[tuple[Hears, ...]] = (Hears(ChildStarted),)
    says: ClassVar[tuple[type, ...]] = (Book, BookRefused, StreamState, BarHistory, StreamEnded)

    def __init__(
        self,
        mind: FeedMind,
        venue: Venue,
        history: "History",
        *,
        trades: bool = False,
        given: Container[str] = (),
    ):
        self.mind = mind
        self.venue = venue
        self.history = history
        self.trades = trades  # somebody hears them (a recording)
        self.given = given  # symbols whose bars, past ones too, another source gives

    async def run(self, post: Post) -> None:
        """Carry."""
        self.mind.unlearnt = waiting = deque(symbol for symbol in self.mind.streams if symbol not in self.given)
        if not await self._learn(post, waiting):
            post.spawn(self._learn_the_rest(post, waiting))
        post.ready()
        post.spawn(self._watch_ages(post))
        unseen = 0
        async for batch in self.venue.market():
            good, bad, trades = self.mind.sift(batch)
            if self.trades:
                post.say_many(trades)
            post.say_many(bad)
            post.say_many(good)
            unseen += len(batch)
            if unseen >= UNSEEN_MAX:
                unseen = 0
                await post.pause()
            # Or these books would live until the next are decoded: twice the memory, which the cache does not hold.
            del batch, good
        post.say(StreamEnded(post.engine, "the venue has no more data", post.clock.now_ns()))

    async def _learn(self, post: Post, waiting: deque[str]) -> bool:
        """Ask for histories until one does not come, which goes to the end of the queue; whether all are there."""
        while waiting:
            symbol = waiting[0]
            try:
                bars = await self.venue.history(symbol, self.history.interval_ns, self.history.bars)
            except (VenueUnreachable, VenueMisspoke):
                waiting.rotate(-1)
                return False
            post.say(BarHistory(post.engine, symbol, tuple(bars)))
            waiting.popleft()
            await post.pause()  # a made history is seconds of work in all, and a stop must not wait for it
        return True

    async def _learn_the_rest(self, post: Post, waiting: deque[str]) -> None:
        pause_s = HISTORY_PAUSE_S
        while True:
            await post.clock.sleep(pause_s)
            before = len(waiting)
            if await self._learn(post, waiting):
                return
            pause_s = HISTORY_PAUSE_S if len(waiting) < before else min(2 * pause_s, HISTORY_PAUSE_S_MAX)

    async def _watch_ages(self, post: Post) -> None:
        while True:
            post.progress()
            await post.clock.sleep(STALENESS_CHECK_S)
            again = False  # a gate that was restarted takes nothing for fresh until it is told
            while started := post.mailbox.take():
                again |= any(one.restarts and one.engine == post.engine for one in started)
            for verdict in self.mind.check_ages(post.clock.now_ns(), self.venue.deaf(), again=again):
                post.say(verdict)


class History:
    """How much history a strategy needs to start warm."""

    def __init__(self, interval_ns: int, bars: int):
        self.interval_ns = interval_ns
        self.bars = bars
