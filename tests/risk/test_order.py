"""The order table, cell by cell, and the fold of the venue's words over it."""

from itertools import product

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from risk.order import (
    IMPOSSIBLE,
    MOVES,
    OVER,
    FillContradicts,
    ImpossibleMove,
    LiveOrder,
    OrderEvent,
    OrderState,
    apply,
    inherit_fill,
    mermaid,
    move,
    plan,
)
from tests.risk.given import BTC, SOL, fill, request
from venues.market import Accepted, Cancelled, CancelRefused, Fill, Rejected, Side

S, E = OrderState, OrderEvent
CELLS = tuple(product(OrderState, OrderEvent))
SENT = (E.SENT,)
RESTING = (E.SENT, E.ACCEPTED)


def order(*events: OrderEvent, lots: int = 10, **more: object) -> LiveOrder:
    live = plan(request(BTC, lots, **more), entry=True, at_ns=0)
    for event in events:
        live = apply(live, event, 1)
    return live


def cancelled(lots_filled: int, reason: str = "asked") -> Cancelled:
    return Cancelled("perps", "o1", "BTC", lots_filled, reason, 5)


@pytest.mark.parametrize(("state", "event"), CELLS)
def test_every_cell_is_a_move_or_raises_naming_both(state, event):
    assert ((state, event) in MOVES) != ((state, event) in IMPOSSIBLE)
    if (state, event) in MOVES:
        assert move(state, event) in OrderState
        return
    with pytest.raises(ImpossibleMove) as raised:
        move(state, event, "o7")
    assert all(word in str(raised.value) for word in (state, event, "o7", IMPOSSIBLE[state, event]))


def test_the_table_has_no_cell_twice_and_none_outside():
    assert len(MOVES) + len(IMPOSSIBLE) == len(CELLS)


@pytest.mark.parametrize(("state", "event"), MOVES)
def test_what_each_move_may_do(state, event):
    after = MOVES[state, event]
    if event is E.FILLED:
        assert after is S.FILLED, "the last fill is the last word, whatever was believed"
    if state is S.FILLED:
        assert after is S.FILLED, "nothing undoes a fill"
    if state in OVER and after not in OVER:
        assert after is S.UNKNOWN, "an order that is over comes back only as a doubt"
    if event is E.TIMED_OUT and state not in OVER:
        assert after is S.UNKNOWN
    if state is S.UNKNOWN and after is not S.UNKNOWN:
        assert event in {E.ACCEPTED, E.FOUND_RESTING, E.FOUND_GONE, E.CANCELLED, E.REJECTED, E.FILLED}
    if event is E.SENT:
        assert state is S.PLANNED, "a second sending is a second order"
    if event is E.PART_FILLED and state is not S.REJECTED:
        assert after in (state, S.RESTING)


@pytest.mark.parametrize("state", [state for state in OrderState if state not in OVER])
def test_every_open_state_can_end(state):
    reached, edge = {state}, [state]
    while edge:
        here = edge.pop()
        new = {after for (before, _), after in MOVES.items() if before is here} - reached
        reached |= new
        edge += new
    assert reached >= OVER


def test_the_diagram_draws_every_change_of_state():
    drawn = mermaid()
    assert drawn.startswith("stateDiagram-v2\n    [*] --> planned\n")
    for (before, event), after in MOVES.items():
        if before is not after:
            [line] = [line for line in drawn.splitlines() if f" {before} --> {after}:" in line]
            assert event in line
    assert drawn.count("--> [*]") == len(OVER)


def test_fills_add_up_and_the_last_one_completes():
    live = order(*RESTING, lots=585)
    for lots, left in ((38, 547), (20, 527)):
        live = apply(live, fill(BTC, lots, 1000), 2)
        assert (live.state, live.lots_left) == (S.RESTING, left)
    live = apply(live, fill(BTC, 527, 1000), 3)
    assert (live.state, live.lots_left, live.over, live.changed_ns) == (S.FILLED, 0, True, 3)


def test_a_repeated_fill_is_nothing():
    once = apply(order(*RESTING), first := fill(BTC, 4, 1000), 2)
    assert apply(once, first, 3) is once
    done = apply(once, last := fill(BTC, 6, 1000), 4)
    assert apply(done, last, 5) is done
    assert apply(done, first, 5) is done


def test_a_fill_before_the_ack_and_the_ack_after_the_fill():
    early = apply(order(*SENT), fill(BTC, 4, 1000), 2)
    assert early.state is S.RESTING
    assert apply(early, Accepted("perps", "o1", "BTC", 3), 3).lots_filled == 4
    full = apply(order(*SENT), fill(BTC, 10, 1000), 2)
    assert apply(full, Accepted("perps", "o1", "BTC", 3), 3).state is S.FILLED


def test_a_late_fill_after_the_cancel_is_counted():
    gone = apply(order(*RESTING, E.CANCEL_SENT), cancelled(6), 2)
    assert (gone.state, gone.lots_owed, gone.reason) == (S.CANCELLED, 6, "asked")
    late = apply(gone, fill(BTC, 6, 1000), 3)
    assert (late.state, late.lots_filled, late.lots_owed) == (S.CANCELLED, 6, 0)
    assert apply(late, fill(BTC, 4, 1000), 4).state is S.FILLED


def test_a_cancel_that_reports_more_than_was_ordered_contradicts():
    assert apply(order(*RESTING), cancelled(10), 2).lots_owed == 10
    with pytest.raises(FillContradicts, match="11 lots reported filled of 10"):
        apply(order(*RESTING), cancelled(11), 2)


@pytest.mark.parametrize(
    ("live", "said", "words"),
    [
        (order(*RESTING), fill(BTC, -1, 1000), "is to buy BTC, fill .* did sell BTC"),
        (order(*RESTING), fill(SOL, 1, 1000), "did buy SOL"),
        (order(*RESTING), fill(BTC, 1, 1000, lots=0), "of 0 lots"),
        (order(*RESTING, lots=-10), fill(BTC, 1, 1000), "is to sell"),
    ],
)
def test_a_fill_that_cannot_be_ours_is_their_fault(live, said, words):
    with pytest.raises(FillContradicts, match=words):
        apply(live, said, 2)


@pytest.mark.parametrize("events", [SENT, RESTING, (*RESTING, E.CANCEL_SENT), (E.SENT, E.TIMED_OUT)])
def test_a_fill_of_more_than_is_left_completes_the_order_and_the_rest_is_surplus(events):
    """A replace that raced a fill did it; the order was refused for ever, and never ended."""
    over = apply(order(*events), first := fill(BTC, 11, 1000), 2)
    assert (over.state, over.lots_filled, over.lots_left, over.lots_surplus) == (S.FILLED, 10, 0, 1)
    more = apply(over, fill(BTC, 4, 1000), 3)
    assert (more.state, more.lots_filled, more.lots_surplus) == (S.FILLED, 10, 5)
    assert apply(more, first, 4) is more


def test_a_cancel_that_never_left_leaves_the_order_as_it_was():
    unsent = CancelRefused("perps", "o1", "BTC", "not sent: no room", 2, unsent=True)
    assert apply(order(*RESTING, E.CANCEL_SENT), unsent, 2).state is S.RESTING
    for state in set(S) - {S.CANCELLING, S.PLANNED}:
        assert move(state, E.CANCEL_UNSENT) is state


def test_words_about_another_order_are_refused():
    with pytest.raises(ValueError, match="'o2' was given to order 'o1'"):
        apply(order(*SENT), Accepted("perps", "o2", "BTC", 2), 2)


def test_the_venues_words_move_the_order_and_are_kept():
    no = apply(order(*SENT), Rejected("perps", "o1", "BTC", "tick size", 2), 2)
    assert (no.state, no.reason) == (S.REJECTED, "tick size")
    never = apply(order(*RESTING, E.CANCEL_SENT), CancelRefused("perps", "o1", "BTC", "never placed", 2), 2)
    assert (never.state, never.reason) == (S.UNKNOWN, "never placed")


def test_a_lost_answer_is_no_rejection():
    doubt = apply(order(*SENT), E.TIMED_OUT, 2)
    assert (doubt.state, doubt.over) == (S.UNKNOWN, False)
    assert apply(doubt, fill(BTC, 4, 1000), 3).state is S.UNKNOWN
    assert apply(doubt, E.FOUND_RESTING, 3).state is S.RESTING
    assert apply(doubt, E.FOUND_GONE, 3).state is S.CANCELLED


def test_a_replacing_order_inherits_what_was_filled():
    old = apply(order(*RESTING), fill(BTC, 4, 1000), 2)
    new = plan(request(BTC, 10, id="o2", replaces="o1"), entry=True, at_ns=3, replaced=old)
    assert (new.lots_left, new.fill_ids) == (6, ())
    new = apply(apply(new, E.SENT, 4), E.ACCEPTED, 4)
    late = inherit_fill(new, 2, 5)
    assert (late.state, late.lots_left, late.changed_ns) == (S.RESTING, 4, 5)
    assert apply(late, fill(BTC, 4, 1000, order_id="o2"), 6).state is S.FILLED
    assert inherit_fill(late, 4, 6).state is S.FILLED
    over = inherit_fill(late, 5, 6)
    assert (over.state, over.lots_filled, over.lots_surplus) == (S.FILLED, 10, 1)


def test_a_replacing_order_without_a_verdict_waits_for_it_though_its_chain_is_full():
    new = plan(request(BTC, 10, id="o2", replaces="o1"), entry=True, at_ns=3, replaced=order(*RESTING))
    full = inherit_fill(apply(new, E.SENT, 4), 10, 5)
    assert (full.state, full.lots_left) == (S.SENT, 0)
    refused = apply(full, CancelRefused("perps", "o2", "BTC", "filled", 6), 6)
    assert refused.state is S.REJECTED


WORDS = st.one_of(
    st.sampled_from([event for event in E if event not in (E.PART_FILLED, E.FILLED)]),
    st.integers(1, 4).map(lambda lots: fill(BTC, lots, 1000)),
    st.builds(cancelled, st.integers(0, 10)),
)


@settings(max_examples=200)
@given(st.lists(WORDS, max_size=25))
def test_no_history_fills_more_than_was_ordered(words):
    live, filled = order(*SENT), 0
    for word in words:
        try:
            after = apply(live, word, 2)
        except (ImpossibleMove, FillContradicts):
            continue
        if isinstance(word, Fill) and after is not live:
            filled += word.lots
        live = after
        assert live.lots_filled + live.lots_surplus == filled, "no fill is dropped"
        assert 0 <= live.lots_filled <= 10
        assert live.lots_filled >= live.lots_reported or live.lots_owed > 0
        assert (live.lots_left == 0) == (live.state is S.FILLED)
        assert live.request.side is Side.BUY
