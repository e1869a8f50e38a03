"""The feed's verdicts on books and on the age of streams."""

from actors.feed import FeedMind, Stream
from actors.messages import BookRefused, StreamState
from supervisor.clock import NS_PER_S
from venues.market import Book, Level

BID, ASK = Level(99.0, 1.0), Level(101.0, 2.0)


def book(at_ns: int = 1, bids: tuple[Level, ...] = (BID,), asks: tuple[Level, ...] = (ASK,)) -> Book:
    return Book("BTC", at_ns, at_ns, bids, asks)


def mind() -> FeedMind:
    return FeedMind("perps", {"BTC": Stream(), "ETH": Stream()}, stale_ms=2_000)


def test_a_good_book_passes_and_every_book_is_counted() -> None:
    feed = mind()
    assert feed.hear(book()) is None
    feed.hear(book(bids=()))
    assert feed.streams["BTC"].books == 2


def test_each_bad_book_is_refused_by_name() -> None:
    cases = {
        "empty": book(bids=(), asks=()),
        "one_sided": book(bids=()),
        "crossed": book(bids=(Level(101.0, 1.0),)),
    }
    for reason, bad in cases.items():
        assert mind().hear(bad) == BookRefused("BTC", reason, 1)
    assert mind().hear(book(asks=())) == BookRefused("BTC", "one_sided", 1)


def test_a_book_older_than_the_last_is_refused_and_an_equal_stamp_is_not() -> None:
    feed = mind()
    feed.hear(book(at_ns=10))
    assert feed.hear(book(at_ns=10)) is None
    assert feed.hear(book(at_ns=9)) == BookRefused("BTC", "backwards", 9)


def test_a_refused_book_does_not_keep_a_stream_fresh() -> None:
    feed = mind()
    feed.hear(book(at_ns=1 * NS_PER_S))
    assert list(feed.check_ages(2 * NS_PER_S)) == [StreamState("perps", "BTC", True, 1000, 2 * NS_PER_S)]
    feed.hear(book(at_ns=4 * NS_PER_S, bids=()))
    assert list(feed.check_ages(4 * NS_PER_S)) == [StreamState("perps", "BTC", False, 3000, 4 * NS_PER_S)]


def test_a_stream_is_said_only_when_it_changes_and_a_silent_one_is_never_fresh() -> None:
    feed = mind()
    feed.hear(book(at_ns=NS_PER_S))
    assert [s.symbol for s in feed.check_ages(NS_PER_S)] == ["BTC"]
    assert list(feed.check_ages(2 * NS_PER_S)) == []
    assert list(feed.check_ages(3 * NS_PER_S)) == []
    assert [(s.symbol, s.fresh) for s in feed.check_ages(3 * NS_PER_S + 1)] == [("BTC", False)]
