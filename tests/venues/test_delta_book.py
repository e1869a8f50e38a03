"""Books rebuilt from changes: what stands is the last word on each price, best first."""

from hypothesis import given
from hypothesis import strategies as st

from venues.delta_book import BookBuilder, Change
from venues.market import Level

CHANGES = st.lists(
    st.builds(Change, st.integers(1, 12).map(lambda ticks: ticks / 10), st.sampled_from([0.0, 1.0, 2.5]))
)
BIDS = [Change(1.0, 5.0), Change(0.9, 4.0), Change(0.8, 3.0)]
ASKS = [Change(1.1, 1.0), Change(1.2, 2.0)]


def builder() -> BookBuilder:
    made = BookBuilder("ABC")
    made.replace(BIDS, ASKS)
    return made


@given(st.lists(st.tuples(CHANGES, CHANGES)))
def test_the_last_word_on_a_price_stands(rounds):
    made, sides = builder(), [{one.price: one.size for one in side} for side in (BIDS, ASKS)]
    for changes in rounds:
        made.change(*changes)
        for side, told in zip(sides, changes, strict=True):
            side.update((one.price, one.size) for one in told)
        bids, asks = ([(price, size) for price, size in sorted(side.items()) if size] for side in sides)
        book = made.book(1, 2)
        assert [(level.price, level.size) for level in book.bids] == bids[::-1]
        assert [(level.price, level.size) for level in book.asks] == asks
        assert made.crossed == bool(bids and asks and bids[-1][0] >= asks[0][0])


def test_a_book_may_be_cut_short():
    book = builder().book(1, 2, levels_max=2)
    assert (book.symbol, book.at_ns, book.received_ns) == ("ABC", 1, 2)
    assert book.bids == (Level(1.0, 5.0), Level(0.9, 4.0))
    assert book.asks == (Level(1.1, 1.0), Level(1.2, 2.0))
    assert builder().book(1, 2, levels_max=0).bids == ()


def test_a_whole_book_forgets_what_was():
    made = builder()
    made.replace([Change(0.5, 1.0), Change(0.4, 0.0)], [])
    assert (made.book(1, 2).bids, made.book(1, 2).asks) == ((Level(0.5, 1.0),), ())
    assert not made.crossed


def test_a_book_that_was_handed_out_does_not_change():
    made = builder()
    book = made.book(1, 2)
    made.change([Change(1.0, 0.0), Change(0.9, 9.0)], [])
    assert book.bids[0] == Level(1.0, 5.0)
    assert made.book(1, 2).bids == (Level(0.9, 9.0), Level(0.8, 3.0))


def test_the_removal_of_nothing_is_nothing():
    made = builder()
    made.change([Change(0.7, 0.0)], [Change(5.0, 0.0)])
    assert made.book(1, 2) == builder().book(1, 2)
