"""Two pushes as one freshest book, which says how deep it is known."""

from hypothesis import given, settings
from hypothesis import strategies as st

from supervisor.clock import NS_PER_S
from venues.hyperliquid.quotes import DEPTH_NS_MAX, Merge
from venues.market import Book, Level


def book(at_s: float, mid: int, levels: int, thin: int | None = None) -> Book:
    """A book a tick apart on each level, around a whole price; `thin` levels of bids where the market has no more."""
    at_ns = round(at_s * NS_PER_S)
    bids = tuple(Level(float(mid - place), 1.0) for place in range(1, 1 + min(levels, thin or levels)))
    asks = tuple(Level(float(mid + place), 1.0) for place in range(1, 1 + levels))
    return Book("BTC", at_ns, at_ns, bids, asks)


def test_a_fast_book_alone_says_that_it_is_five_deep():
    assert Merge().hear(book(1, 1000, 5)).depth == 5


def test_a_fast_book_where_nothing_moved_is_as_deep_as_the_slow_one():
    merge = Merge()
    assert merge.hear(book(1, 1000, 20)).depth == 20
    merged = merge.hear(book(1.5, 1000, 5))
    assert (len(merged.bids), len(merged.asks), merged.depth) == (20, 20, 20)


def test_of_the_side_that_the_price_moved_into_less_is_known_and_the_other_is_not_cut():
    merge = Merge()
    merge.hear(book(1, 1000, 20))
    merged = merge.hear(book(1.5, 997, 5))
    assert (len(merged.bids), len(merged.asks), merged.depth) == (17, 20, 17)


def test_depth_of_a_slow_push_that_is_late_is_left_out():
    merge = Merge()
    merge.hear(book(1, 1000, 20))
    late_s = DEPTH_NS_MAX / NS_PER_S
    assert merge.hear(book(1 + late_s, 1000, 5)).depth == 20
    late = merge.hear(book(1.5 + late_s, 1000, 5))
    assert (len(late.bids), late.depth) == (5, 5)


def test_a_market_that_has_no_more_levels_is_known_in_full():
    merge = Merge()
    assert merge.hear(book(1, 1000, 20, thin=7)).depth == 20
    merged = merge.hear(book(1.5, 999, 5))
    assert (len(merged.bids), merged.depth) == (6, 20)


def test_a_book_older_than_the_last_gives_its_depth_and_nothing_else():
    merge = Merge()
    merge.hear(book(2, 1000, 5))
    assert merge.hear(book(1.5, 1000, 20)) is None
    assert merge.hear(book(2.5, 1000, 5)).depth == 20


@settings(max_examples=60)
@given(st.lists(st.tuples(st.integers(-6, 6), st.booleans()), min_size=1, max_size=30))
def test_what_is_said_to_be_known_is_there_and_in_order(moves):
    merge, mid = Merge(), 1000
    for number, (move, slow) in enumerate(moves):
        mid += move
        told = merge.hear(book(number / 2, mid, 20 if slow else 5))
        assert min(len(told.bids), len(told.asks)) == told.depth
        bids, asks = [level.price for level in told.bids], [level.price for level in told.asks]
        assert bids == sorted({*bids}, reverse=True) and asks == sorted({*asks}) and bids[0] < mid < asks[0]
