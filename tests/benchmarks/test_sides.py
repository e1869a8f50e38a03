"""The benchmark is fair: both sides of the tick path see the same books and come to the same verdicts."""

import pytest

from benchmarks import frames as module
from benchmarks.frames import coins, frames, templates
from benchmarks.graph_path import Outcome, graph
from benchmarks.inline_path import inline
from benchmarks.report import Wrong
from benchmarks.scene import new_scene
from benchmarks.tickpath import same
from venues.hyperliquid.wire import decode
from venues.market import Book

ROUNDS, GAP_MS = 120, 50
"""Six bars of every coin."""


def test_graph_and_inline_do_the_same():
    made, scene = frames(ROUNDS, GAP_MS), new_scene()
    outcome = same(graph(scene, made, check=True), inline(scene, made), obi=True)
    assert outcome.intents >= 5
    assert outcome.verdicts["approved"] >= 3


def test_a_difference_is_no_figure():
    one, other = Outcome(), Outcome()
    one.verdicts = other.verdicts = {"approved": 1}
    other.obi_20 = 1e-16
    with pytest.raises(Wrong, match="the sums of obi_20 differ"):
        same(one, other, obi=True)
    other.verdicts = {"approved": 2}
    with pytest.raises(Wrong, match="the verdicts differ"):
        same(one, other)
    with pytest.raises(Wrong, match="or there are none"):
        same(Outcome(), Outcome())


def test_frames_are_books_of_every_coin_that_move(tmp_path, monkeypatch):
    """With templates of our own making: the recorded ones are not part of the project."""
    monkeypatch.setattr(module, "RECORDED", tmp_path)
    assert templates()[1].endswith("drawn books")
    books = [decode(frame.data, frame.at_ns) for frame in frames(3, GAP_MS)]
    assert all(isinstance(book, Book) for book in books)
    assert [book.symbol for book in books[:28]] == [one.symbol for one in coins()]
    for book in books:
        assert len(book.bids) == len(book.asks) == 20
        assert book.bids[0].price < book.asks[0].price
        assert [level.price for level in book.bids] == sorted((level.price for level in book.bids), reverse=True)
    assert books[0].at_ns < books[28].at_ns
    assert books[0].bids != books[28].bids
    assert frames(3, GAP_MS) == frames(3, GAP_MS)
