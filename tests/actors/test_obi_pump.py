"""The pump against the definition, at every number of levels and for both shapes of its code."""

from fractions import Fraction

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from actors.messages import Imbalance
from actors.obi_pump import EPSILON, ObiPump, depths
from venues.market import Book, Level

SIZES = st.floats(1e-9, 1e9, allow_nan=False)
SIDES = st.lists(SIZES, min_size=1, max_size=25)


def side(sizes, price=100.0, step=-0.1):
    return tuple(Level(price + step * place, size) for place, size in enumerate(sizes))


def pump(bids, asks) -> Imbalance:
    book = Book("xyz:TSLA", 5, 7, side(bids), side(asks, 100.1, 0.1))
    (said,) = ObiPump().hear(book)
    return said


def rho(bids, asks):
    bid, ask = sum(map(Fraction, bids)), sum(map(Fraction, asks))
    return (bid - ask) / (bid + ask + Fraction(EPSILON))


@settings(max_examples=60)
@given(SIDES, SIDES)
def test_obi_is_its_definition_at_every_depth(bids, asks):
    said = pump(bids, asks)
    for depth, obi in ((1, said.obi_1), (5, said.obi_5), (20, said.obi_20)):
        assert obi == pytest.approx(float(rho(bids[:depth], asks[:depth])), rel=1e-9, abs=1e-12)
        assert -1 < obi < 1 or max(*bids, *asks) > 1e6  # beyond that epsilon is lost in rounding: at most 1
    assert (said.symbol, said.at_ns, said.received_ns, said.bid, said.ask) == ("xyz:TSLA", 5, 7, 100.0, 100.1)


@settings(max_examples=60)
@given(st.lists(SIZES, min_size=20, max_size=20), SIZES)
def test_twenty_levels_written_out_add_up_as_the_loop_does(sizes, another):
    assert depths(side(sizes)) == depths(side([*sizes, another]))  # 21 levels take the loop


def test_one_level_is_the_same_obi_three_times():
    said = pump([300.0], [100.0])
    assert said.obi_1 == said.obi_5 == said.obi_20 == pytest.approx(0.5)
    assert not said.facade


@pytest.mark.parametrize(
    ("front", "deep", "facade"),
    [(2, 1, False), (1, 2, False), (2, -1, True), (-2, 1, True), (0, 1, False), (1, 0, False), (0, 0, False)],
)
def test_facade_is_a_front_that_leans_against_the_deep(front, deep, facade):
    bids = [10.0 + front] + [10.0] * 4 + [10.0 + deep] + [10.0] * 14
    assert pump(bids, [10.0] * 20).facade is facade
    assert pump([*bids, 1.0], [10.0] * 21).facade is facade


def test_a_bid_wall_at_the_back_turns_the_deep_obi_but_not_the_front():
    said = pump([1.0] * 5 + [100.0] * 15, [2.0] * 20)
    assert said.obi_5 < 0 < said.obi_20
    assert said.facade


def test_a_book_with_an_empty_side_says_nothing():
    assert ObiPump().hear(Book("BTC", 1, 1, (), side([1.0]))) == ()
    assert ObiPump().hear(Book("BTC", 1, 1, side([1.0]), ())) == ()


@pytest.mark.parametrize("levels", [5, 17, 20])
def test_what_is_known_of_a_book_is_handed_on(levels):
    sizes = [1.0] * levels
    (said,) = ObiPump().hear(Book("BTC", 5, 7, side(sizes), side(sizes, 100.1, 0.1), levels))
    assert said.depth == levels
