"""One book with a stamp of tomorrow does not deafen a symbol: its stop goes on being looked at."""

from actors.feed import FeedMind, Stream
from supervisor.clock import NS_PER_S
from venues.hyperliquid.quotes import Merge
from venues.market import Book, Level

S = NS_PER_S
HOUR = 3600 * S
T0 = 1_767_600_000 * S
BID, ASK = Level(99.0, 1.0), Level(101.0, 2.0)


def book(at_ns, received_ns, mid=100.0):
    return Book("BTC", at_ns, received_ns, (Level(mid - 1, 1.0),), (Level(mid + 1, 1.0),))


def test_a_symbol_is_heard_again_after_a_book_from_the_future():
    streams = {"BTC": Stream(), "ETH": Stream()}
    feed = FeedMind("perps", streams, stale_ms=15_000)
    good = []
    for second in range(1, 301):
        if second == 150:
            feed = FeedMind("perps", streams, stale_ms=15_000)  # a restart of the feed, by crash or by operator
        at_ns = T0 + second * S
        stamp_ns = at_ns + 24 * HOUR if second == 10 else at_ns
        good += feed.sift([book(stamp_ns, at_ns, 100.0 + second / 10)])[0]
        list(feed.check_ages(at_ns))
    assert streams["BTC"].fresh
    assert len([one for one in good if one.received_ns > T0 + 20 * S]) == 280


def test_the_merge_of_two_pushes_forgets_a_stamp_of_the_future_too():
    merge = Merge()
    passed = [
        merge.hear(book(T0 + second * S + (24 * HOUR if second == 10 else 0), T0 + second * S)) for second in range(300)
    ]
    assert all(passed[90:])


def test_a_clock_of_ours_that_is_behind_for_good_deafens_nothing():
    feed = FeedMind("perps", {"BTC": Stream()}, stale_ms=15_000)
    good = []
    for second in range(1, 60):
        at_ns = T0 + second * S
        good += feed.sift([book(at_ns + HOUR, at_ns, 100.0 + second)])[0]
        list(feed.check_ages(at_ns))
    assert len(good) == 59
    assert feed.streams["BTC"].fresh


def test_a_bad_book_from_the_future_does_not_hide_the_touch_until_then():
    feed = FeedMind("perps", {"BTC": Stream()}, stale_ms=15_000)
    (refused,) = feed.sift([Book("BTC", T0 + 24 * HOUR, T0, (BID,), ())])[1]
    assert refused.at_ns <= T0 + 60 * S
