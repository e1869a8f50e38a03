"""The guess at our place in a queue: what moves it, and what must not move it twice."""

from hypothesis import given
from hypothesis import strategies as st

from venues.queue_position import UNSEEN, QueuePosition


def joined(displayed: int) -> QueuePosition:
    queue = QueuePosition()
    queue.depth(displayed)
    return queue


def test_an_order_joins_behind_all_that_is_displayed():
    assert joined(70).ahead == 70


def test_a_trade_eats_the_front_and_then_reaches_us():
    queue = joined(70)
    assert queue.trade(50) == 0
    assert queue.ahead == 20
    assert queue.trade(50) == 30
    assert queue.ahead == 0


def test_what_our_better_order_took_leaves_the_others_where_they_were():
    queue = joined(70)
    assert queue.trade(50, ours_before=40) == 0
    assert queue.ahead == 60


def test_a_book_that_shrank_by_what_traded_moves_nothing_again():
    queue = joined(100)
    queue.trade(40)
    queue.depth(60)
    assert queue.ahead == 60


def test_cancellations_are_shared_with_those_behind_rounded_against_us():
    queue = joined(100)
    queue.depth(200)  # 100 joined behind us
    assert queue.ahead == 100
    queue.depth(131)  # 69 of 200 went, half of them ahead of us: 34.5
    assert queue.ahead == 66


def test_never_more_ahead_than_is_displayed():
    queue = joined(100)
    queue.trade(10)
    queue.depth(5)
    assert queue.ahead <= 5


def test_a_price_beyond_the_book_is_not_the_front_of_a_queue():
    queue = QueuePosition()
    queue.depth(None)
    assert queue.ahead == UNSEEN
    assert queue.trade(1_000_000) == 0
    queue.depth(30)
    assert queue.ahead == 30


def test_out_of_sight_for_a_while_keeps_the_place():
    queue = joined(50)
    queue.depth(None)
    assert queue.ahead == 50


STEP = st.one_of(
    st.tuples(st.just("trade"), st.integers(0, 300)),
    st.tuples(st.just("depth"), st.one_of(st.none(), st.integers(0, 300))),
)


@given(st.integers(0, 300), st.lists(STEP, max_size=30))
def test_the_place_never_gets_worse_nor_negative(start, steps):
    queue = joined(start)
    for kind, lots in steps:
        before = queue.ahead
        reach = queue.trade(lots) if kind == "trade" else queue.depth(lots)
        assert 0 <= queue.ahead <= before
        assert reach is None or 0 <= reach <= lots
