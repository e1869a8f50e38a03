"""The feed's verdicts on books and on the age of streams."""

import asyncio
from collections.abc import AsyncIterator
from itertools import count

import pytest

from actors.feed import FROZEN_NS, Feed, FeedMind, History, Stream
from actors.messages import BarHistory, BookRefused, Stale, StreamState
from supervisor.child import ChildSpec
from supervisor.clock import NS_PER_S
from supervisor.messages import ChildStarted
from tests.fakes import EPOCH_NS, notebook, play, tree
from venues.market import Bar, Book, Level, Side, Trade
from venues.venue import VenueMisspoke, VenueUnreachable

BID, ASK = Level(99.0, 1.0), Level(101.0, 2.0)


def book(
    at_ns: int = 1, bids: tuple[Level, ...] = (BID,), asks: tuple[Level, ...] = (ASK,), symbol: str = "BTC"
) -> Book:
    return Book(symbol, at_ns, at_ns, bids, asks)


def mind() -> FeedMind:
    return FeedMind("perps", {"BTC": Stream(), "ETH": Stream()}, stale_ms=2_000)


def test_a_good_book_passes_and_every_book_is_counted() -> None:
    feed = mind()
    good = book()
    assert feed.sift([good, book(bids=())]) == ([good], [BookRefused("BTC", "one_sided", 1)], [])
    assert feed.streams["BTC"].books == 2


def test_each_bad_book_is_refused_by_name() -> None:
    cases = {
        "empty": book(bids=(), asks=()),
        "one_sided": book(bids=()),
        "crossed": book(bids=(Level(101.0, 1.0),)),
    }
    for reason, bad in cases.items():
        assert mind().sift([bad]) == ([], [BookRefused("BTC", reason, 1)], [])
    assert mind().sift([book(asks=())])[1] == [BookRefused("BTC", "one_sided", 1)]


def test_a_book_older_than_the_last_is_refused_and_an_equal_stamp_is_not() -> None:
    feed = mind()
    assert len(feed.sift([book(at_ns=10), book(at_ns=10)])[0]) == 2
    assert feed.sift([book(at_ns=9)])[1] == [BookRefused("BTC", "backwards", 9)]


def test_a_refused_book_does_not_keep_a_stream_fresh() -> None:
    feed = mind()
    feed.sift([book(at_ns=1 * NS_PER_S)])
    assert list(feed.check_ages(2 * NS_PER_S)) == [StreamState("perps", "BTC", True, 1000, 2 * NS_PER_S)]
    feed.sift([book(at_ns=4 * NS_PER_S, bids=())])
    assert list(feed.check_ages(4 * NS_PER_S)) == [StreamState("perps", "BTC", False, 3000, 4 * NS_PER_S, Stale.OLD)]


def test_a_stream_is_said_only_when_it_changes_and_a_silent_one_is_never_fresh() -> None:
    feed = mind()
    feed.sift([book(at_ns=NS_PER_S)])
    assert [s.symbol for s in feed.check_ages(NS_PER_S)] == ["BTC"]
    assert list(feed.check_ages(2 * NS_PER_S)) == []
    assert list(feed.check_ages(3 * NS_PER_S)) == []
    assert [(s.symbol, s.fresh) for s in feed.check_ages(3 * NS_PER_S + 1)] == [("BTC", False)]


def test_trades_are_kept_apart() -> None:
    trade = Trade("BTC", 1, 1, 100.0, 1.0, Side.BUY)
    assert mind().sift([trade]) == ([], [], [trade])


def test_all_verdicts_are_said_again_for_one_who_missed_them() -> None:
    feed = mind()
    feed.sift([book(at_ns=NS_PER_S)])
    assert [one.symbol for one in feed.check_ages(NS_PER_S)] == ["BTC"]
    assert list(feed.check_ages(NS_PER_S)) == []
    assert [(one.symbol, one.fresh) for one in feed.check_ages(NS_PER_S, again=True)] == [("BTC", True), ("ETH", False)]


def test_a_stream_that_the_venue_may_not_hear_in_full_is_stale_whatever_its_age() -> None:
    feed = mind()
    feed.sift([book(at_ns=NS_PER_S)])
    assert [one.fresh for one in feed.check_ages(NS_PER_S)] == [True]
    assert [(one.symbol, one.fresh) for one in feed.check_ages(NS_PER_S, deaf=("BTC",))] == [("BTC", False)]
    assert list(feed.check_ages(NS_PER_S, deaf=("BTC",))) == []
    assert [(one.symbol, one.fresh) for one in feed.check_ages(NS_PER_S)] == [("BTC", True)]


def test_what_is_not_fresh_says_why() -> None:
    feed = mind()
    feed.unlearnt = {"ETH"}
    feed.sift([book(at_ns=NS_PER_S), book(NS_PER_S, symbol="ETH")])
    whys = {one.symbol: one.why for one in feed.check_ages(NS_PER_S)}
    assert whys == {"BTC": None, "ETH": Stale.UNLEARNT}
    assert list(feed.check_ages(NS_PER_S)) == []
    assert {one.symbol: one.why for one in feed.check_ages(4 * NS_PER_S, again=True)} == dict.fromkeys(whys, Stale.OLD)
    feed.sift([book(at_ns=5 * NS_PER_S), book(5 * NS_PER_S, symbol="ETH")])
    again = {one.symbol: one.why for one in feed.check_ages(5 * NS_PER_S, deaf=("BTC",), again=True)}
    assert again == {"BTC": Stale.DEAF, "ETH": Stale.UNLEARNT}
    later_ns = 5 * NS_PER_S + FROZEN_NS
    feed.sift([book(at_ns=later_ns), book(later_ns, symbol="ETH")])
    assert {one.why for one in feed.check_ages(later_ns, again=True)} == {Stale.FROZEN}


class Sulking:
    """A venue that does not give the histories of some symbols for a while, and a market that never ends."""

    def __init__(self, sulks: dict[str, int], error: Exception) -> None:
        self.sulks, self.error = sulks, error
        self.asked: list[str] = []

    async def history(self, symbol: str, interval_ns: int, bars: int) -> tuple[Bar, ...]:
        self.asked.append(symbol)
        if self.sulks.get(symbol, 0):
            self.sulks[symbol] -= 1
            raise self.error
        return (Bar(symbol, 0, interval_ns, 1.0, 1.0, 1.0, 1.0, 1),)

    def deaf(self) -> tuple[str, ...]:
        return ()

    async def market(self) -> AsyncIterator[list[Book]]:
        for second in count(1):
            now_ns = EPOCH_NS + second * NS_PER_S
            yield [Book(symbol, now_ns, now_ns, (BID,), (ASK,)) for symbol in ("BTC", "ETH")]
            await asyncio.sleep(1.0)


@pytest.mark.parametrize("error", [VenueUnreachable("no route"), VenueMisspoke("what?")])
def test_a_history_that_does_not_come_is_asked_for_again_while_books_are_carried(error: Exception) -> None:
    """Five failures in half a minute were five crashes, and those a halt."""
    venue, pages = Sulking({"BTC": 3}, error), []
    streams = {"BTC": Stream(), "ETH": Stream()}
    spec = ChildSpec(
        name="feed",
        engine="perps",
        start=lambda: Feed(FeedMind("perps", streams, 5_000), venue, History(60 * NS_PER_S, 5)),
        hears=Feed.hears,
        says=Feed.says,
    )
    listener = notebook("listener", pages, *Feed.says)

    async def main(house, task):
        await house.clock.sleep(3.5)
        assert [one.symbol for one in pages if isinstance(one, BarHistory)] == ["ETH"]
        assert {one.symbol for one in pages if isinstance(one, Book)} == {"BTC", "ETH"}, "what is held has a stop"
        fresh = {one.symbol: one.fresh for one in pages if isinstance(one, StreamState)}
        assert fresh["ETH"] and not fresh.get("BTC"), "nobody enters what has no history"
        await house.clock.sleep(30.0)

    play(tree(listener, spec), main, (ChildStarted,))
    assert [one.symbol for one in pages if isinstance(one, BarHistory)] == ["ETH", "BTC"]
    assert venue.asked == ["BTC", "ETH", "BTC", "BTC", "BTC"]
    assert [one.symbol for one in pages if isinstance(one, StreamState) and one.fresh] == ["ETH", "BTC"]


def test_a_stamp_that_stands_still_goes_stale_though_books_go_on_coming() -> None:
    """What comes again and again with one stamp is one old book, however often it is received."""
    feed = mind()
    for second in range(1, 6):
        feed.sift([Book("BTC", NS_PER_S, second * NS_PER_S, (BID,), (ASK,))])
        said = [(one.fresh, one.age_ms) for one in feed.check_ages(second * NS_PER_S)]
        assert said == {1: [(True, 0)], 4: [(False, 3000)]}.get(second, [])


def frozen(seconds: range, feed: FeedMind, moving: str = "") -> list[tuple[str, bool]]:
    """The same touches with stamps that go on; of one symbol they may move."""
    said = []
    for second in seconds:
        at_ns = second * NS_PER_S
        for symbol in ("BTC", "ETH"):
            bid = Level(99.0, 1.0 + second) if symbol == moving else BID
            feed.sift([Book(symbol, at_ns, at_ns, (bid,), (ASK,))])
        said += [(one.symbol, one.fresh) for one in feed.check_ages(at_ns)]
    return said


def test_books_that_all_stand_still_for_a_minute_are_stale_whatever_their_stamps() -> None:
    feed = mind()
    fresh = [("BTC", True), ("ETH", True)]
    assert frozen(range(1, 61), feed) == fresh
    assert frozen(range(61, 90), feed) == [("BTC", False), ("ETH", False)]
    assert frozen(range(90, 92), feed, moving="ETH") == fresh
    assert frozen(range(92, 300), feed, moving="ETH") == [], "one that moves shows that the rest is only quiet"


def test_a_feed_that_was_restarted_does_not_take_a_market_for_frozen() -> None:
    feed = mind()
    frozen(range(1, 30), feed)
    again = FeedMind("perps", feed.streams, stale_ms=2_000)
    assert frozen(range(30, 80), again) == [("BTC", True), ("ETH", True)]
