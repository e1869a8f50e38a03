"""Crypto books: whole, then changes, and never half of one."""

import pytest

from venues.alpaca.book import Books, Doubt
from venues.alpaca.market_wire import BookChange
from venues.delta_book import Change
from venues.market import Level


def said(bids=(), asks=(), *, whole=False, at_ns=5, symbol="ABC/USD"):
    def levels(pairs):
        return tuple(Change(price, size) for price, size in pairs)

    return BookChange(symbol, at_ns, at_ns + 1, levels(bids), levels(asks), whole)


WHOLE = said([(10, 1), (9, 2)], [(11, 3), (12, 4)], whole=True)


def test_a_book_is_whole_and_then_changes():
    books = Books()
    book = books.hear(WHOLE)
    assert (book.symbol, book.at_ns, book.received_ns) == ("ABC/USD", 5, 6)
    assert (book.bids, book.asks) == ((Level(10, 1), Level(9, 2)), (Level(11, 3), Level(12, 4)))
    book = books.hear(said([(10, 0), (8, 7)], [(10.5, 1)], at_ns=7))
    assert (book.bids, book.asks[0], book.at_ns) == ((Level(9, 2), Level(8, 7)), Level(10.5, 1), 7)
    assert books.hear(WHOLE).bids[0] == Level(10, 1)  # a whole book again, and the change is forgotten


def test_a_change_without_a_whole_book_is_doubted():
    books = Books()
    assert books.hear(said([(10, 1)], [(11, 1)])) is None
    assert books.doubtful == {"ABC/USD": Doubt.HEADLESS}
    assert books.hear(WHOLE) is not None
    assert not books.doubtful


@pytest.mark.parametrize(
    ("change", "doubt"),
    [
        (said([(11, 1)]), Doubt.CROSSED),  # locked is crossed
        (said([], [(9.5, 1)]), Doubt.CROSSED),
        (said([(10, 0), (9, 0)]), Doubt.EMPTY),
        (said([], [(11, 0), (12, 0)]), Doubt.EMPTY),
        (said([(price / 1000, 1) for price in range(1, 5_001)]), Doubt.ENDLESS),
        (said([(10, 1)], [(10, 1)], whole=True), Doubt.CROSSED),
        (said([(10, 1)], whole=True), Doubt.EMPTY),
    ],
)
def test_a_book_that_cannot_be_is_not_shown_until_a_whole_one_comes(change, doubt):
    books = Books()
    books.hear(WHOLE)
    assert books.hear(change) is None
    assert books.doubtful == {"ABC/USD": doubt}
    assert books.hear(said([(10, 5)], [(11, 5), (12, 5)])) is None  # what would heal it if it were whole
    assert books.hear(WHOLE).bids == (Level(10, 1), Level(9, 2))
    assert not books.doubtful


def test_a_new_connection_starts_anew():
    books = Books()
    books.hear(WHOLE)
    books.forget()
    assert books.hear(said([(10, 2)])) is None


def test_doubt_of_one_is_not_doubt_of_another():
    books = Books()
    books.hear(WHOLE)
    books.hear(said([(1, 1)], symbol="DEF/USD"))
    assert books.hear(said([(10, 2)], at_ns=3)).bids[0] == Level(10, 2)
    books.doubt("ABC/USD", Doubt.DAMAGED)
    assert books.doubtful == {"DEF/USD": Doubt.HEADLESS, "ABC/USD": Doubt.DAMAGED}


def test_no_more_levels_are_shown_than_are_asked_for():
    book = Books(levels_max=1).hear(WHOLE)
    assert (book.bids, book.asks) == ((Level(10, 1),), (Level(11, 3),))
