"""The budget: never over a limit in any minute, however the venue counts; the urgent go when the rest must wait."""

import random
from heapq import heappop, heappush

from hypothesis import given, settings
from hypothesis import strategies as st

from supervisor.clock import NS_PER_S
from venues.hyperliquid.budget import (
    ANSWER_NS_MAX,
    SHARES,
    AddressBudget,
    Limits,
    Need,
    RequestBudget,
    Rolling,
    SocketBudget,
    Urgency,
    action_need,
)
from venues.hyperliquid.info import candle_snapshot, clearinghouse_state, l2_book, user_fills_by_time, user_role
from venues.hyperliquid.weights import weight_of

MINUTE_NS = 60 * NS_PER_S
BTC_POLL = Need(Urgency.POLL, 2)


def most_in_a_minute(charged):
    """The most of what was charged, as (time, amount), in any 60 s."""
    charged = sorted(charged)
    most = start = total = 0
    for at, amount in charged:
        total += amount
        while charged[start][0] <= at - MINUTE_NS:
            total -= charged[start][1]
            start += 1
        most = max(most, total)
    return most


seeds = st.integers(0, 2**32)
ODDS = {"quiet": 5 * NS_PER_S, "busy": NS_PER_S, "storm": NS_PER_S // 20}


@settings(max_examples=40)
@given(seeds, st.sampled_from(sorted(ODDS)), st.booleans())
def test_no_minute_is_over_the_weight_wherever_the_venue_charges_it(seed, pace, refuse):
    """A request may be charged at any time from its being sent to its answer, and goes exactly when it is told to."""
    draw = random.Random(seed)
    budget, now, charged, waiting = RequestBudget(), 0, [], []
    for number in range(250):
        now += draw.randrange(ODDS[pace])
        need = Need(draw.choice(list(Urgency)), draw.choice((1, 2, 20, 25, 60, 120)))
        while (at := budget.earliest_ns(need, now)) > now or (waiting and waiting[0][0] <= at):
            if not waiting or waiting[0][0] > at:
                now = at
                continue
            answered, ticket, cost = heappop(waiting)
            now = max(now, answered)
            budget.settle(ticket, cost, answered)
        ticket = budget.spend(need, now)
        assert ticket is not None, "a request must go at the time that was named"
        cost, latency = draw.randint(1, need.weight), draw.choice((0, NS_PER_S // 10, ANSWER_NS_MAX))
        charged.append((now + draw.choice((0, latency)), cost))
        heappush(waiting, (now + latency, ticket, cost))
        if refuse and number % 50 == 49:
            budget.refused(now)
    assert most_in_a_minute(charged) <= 1200


def test_a_refill_is_not_a_second_burst():
    budget, now = RequestBudget(), 0
    sent = []
    for _ in range(3000):
        now = budget.earliest_ns(Need(Urgency.EXIT, 1), now)
        budget.settle(budget.spend(Need(Urgency.EXIT, 1), now), 1, now)
        sent.append((now, 1))
    assert most_in_a_minute(sent) == 1200


def test_what_is_less_urgent_stops_first_and_exits_last():
    budget = RequestBudget()
    went = {}
    for urgency in reversed(Urgency):
        went[urgency] = 0
        while budget.spend(Need(urgency, 1), 0):
            went[urgency] += 1
    assert went == {Urgency.POLL: 600, Urgency.RECONCILE: 300, Urgency.ORDER: 180, Urgency.EXIT: 120}
    later = {urgency: budget.earliest_ns(Need(urgency, 1), 0) for urgency in Urgency}
    assert all(at > 0 for at in later.values())


def test_polling_at_full_tilt_never_delays_an_order():
    budget, now = RequestBudget(), 0
    for _ in range(2000):
        now = budget.earliest_ns(BTC_POLL, now)
        budget.settle(budget.spend(BTC_POLL, now), 2, now)
        assert budget.earliest_ns(action_need(Urgency.ORDER), now) == now
        assert budget.earliest_ns(action_need(Urgency.EXIT), now) == now


def test_the_preseed_of_28_coins_fits_into_one_minute():
    budget = RequestBudget()
    ask = candle_snapshot("BTC", "1m", 1_700_000_000_000, 1_700_000_000_000 + 240 * 60_000)
    tickets = [budget.spend(Need(Urgency.RECONCILE, ask.weight_max), 0) for _ in range(28)]
    assert None not in tickets
    assert ask.weight_max == 25  # 20, and 241 or 242 candles in steps of 60
    assert budget.spend(action_need(Urgency.ORDER), 0) is not None


def test_an_answer_that_is_shorter_gives_back_what_it_did_not_cost():
    budget = RequestBudget()
    ask = user_fills_by_time("0xa", 1)
    assert ask.weight_max == 120
    ticket = budget.spend(Need(Urgency.RECONCILE, ask.weight_max), 0)
    assert budget.weight.room(Urgency.EXIT, 0) == 1080
    budget.settle(ticket, ask.weight(()), 5)
    assert budget.weight.room(Urgency.EXIT, 5) == 1180
    budget.settle(ticket, 20, 6)  # told twice: counted once
    assert budget.weight.room(Urgency.EXIT, 6) == 1180
    unanswered = Rolling(100)
    unanswered.spend(60, 0, ANSWER_NS_MAX)
    assert unanswered.room(Urgency.EXIT, 70 * NS_PER_S) == 40
    assert unanswered.room(Urgency.EXIT, 71 * NS_PER_S) == 100


def test_a_429_empties_the_room_and_it_comes_back_to_exits_first():
    budget = RequestBudget()
    budget.refused(0)
    at = {urgency: budget.earliest_ns(Need(urgency, 1), 0) for urgency in Urgency}
    assert 0 < at[Urgency.EXIT] < 2 * NS_PER_S
    assert at[Urgency.EXIT] < at[Urgency.ORDER] < at[Urgency.RECONCILE] < at[Urgency.POLL] < MINUTE_NS
    budget.refused(NS_PER_S // 2)  # nothing was left to take
    assert budget.earliest_ns(Need(Urgency.EXIT, 1), 0) == at[Urgency.EXIT]
    assert budget.weight.room(Urgency.EXIT, 61 * NS_PER_S) == 1200


def test_weights_are_the_pages():
    assert [action_need(Urgency.ORDER, n).weight for n in (1, 39, 40, 79, 80)] == [1, 1, 2, 2, 3]
    assert (l2_book("BTC").weight_max, clearinghouse_state("0x").weight_max, user_role("0x").weight_max) == (2, 2, 60)
    assert [weight_of("userFills", rows) for rows in (0, 1, 20, 21, 2000)] == [20, 21, 21, 22, 120]
    assert [weight_of("candleSnapshot", rows) for rows in (0, 60, 61, 240, 5000)] == [20, 21, 22, 24, 104]


@settings(max_examples=60)
@given(seeds)
def test_an_account_is_never_over_its_requests_but_one_in_ten_seconds(seed):
    draw = random.Random(seed)
    limits = Limits(requests_free=1_000, cancels_extra_max=1_500)
    account, now, used, traded, last = AddressBudget(limits), 0, 0, 0.0, -MINUTE_NS
    for _ in range(150):
        urgency, requests, cancel = draw.choice(list(Urgency)), draw.choice((1, 1, 1, 40, 300)), draw.random() < 0.3
        now += draw.randrange(3 * NS_PER_S)
        at = account.earliest_ns(urgency, requests, now, cancel=cancel)
        if draw.random() < 0.1:
            notional = draw.uniform(0, 500)
            account.traded(notional)
            traded += notional
            continue
        if at is None:
            continue
        now, cap = at, 1_000 + int(traded)
        if used + requests > (min(cap + 1_500, 2 * cap) if cancel else cap):
            assert requests == 1
            assert now - last >= 10 * NS_PER_S
        elif urgency is not Urgency.EXIT and not cancel:
            assert used + requests <= cap - limits.requests_for_exits
        account.spend(requests, now)
        used, last = used + requests, now
    assert used > 1_000, "the limit must have been met"


def test_an_account_at_its_limit_exits_slowly_cancels_freely_and_enters_never():
    budget = RequestBudget()
    budget.address.told(used=10_000, cap=10_000)
    assert budget.earliest_ns(action_need(Urgency.ORDER), 7) is None
    assert budget.earliest_ns(action_need(Urgency.EXIT, 2), 7) is None
    assert budget.spend(action_need(Urgency.EXIT), 7) is not None
    assert budget.earliest_ns(action_need(Urgency.EXIT), 8) == 7 + 10 * NS_PER_S
    assert budget.earliest_ns(action_need(Urgency.EXIT, 50, cancel=True), 8) == 8
    budget.address.traded(600.0)
    assert budget.earliest_ns(action_need(Urgency.EXIT, 2), 8) == 8
    assert budget.earliest_ns(action_need(Urgency.ORDER, 99), 8) == 8
    assert budget.earliest_ns(action_need(Urgency.ORDER, 100), 8) is None  # the last 500 are for exits
    budget.address.told(used=36_589_831_368, cap=170_043_731_737)
    assert budget.address.limit(cancel=True) == 170_043_831_737
    assert budget.earliest_ns(action_need(Urgency.ORDER), 8) == 8


@settings(max_examples=60)
@given(seeds)
def test_sockets_keep_every_limit(seed):
    draw = random.Random(seed)
    limits = Limits(connections=3, connections_a_minute=8, subscriptions=12, messages_a_minute=20, posts_inflight=4)
    sockets, now = SocketBudget(limits), 0
    opened, sent = [], []
    for _ in range(300):
        now += draw.randrange(3 * NS_PER_S)
        step = draw.choice(("open", "close", "send", "post", "post", "answer", "subscribe"))
        urgency = draw.choice(list(Urgency))
        match step:
            case "open" if sockets.connect(urgency, now) == now:
                opened.append((now, 1))
            case "close" if sockets.connections:
                sockets.closed()
            case "answer" if sockets.posts:
                sockets.answered()
            case "send" if sockets.send(urgency, now) == now:
                sent.append((now, 1))
            case "post" if sockets.post(urgency, now) == now:
                sent.append((now, 1))
            case "subscribe" if sockets.subscribe(now, urgency) == now:
                sent.append((now, 1))
        assert sockets.connections <= 3
        assert sockets.subscriptions <= 12
        assert sockets.posts <= 4
    assert most_in_a_minute(opened) <= 8
    assert most_in_a_minute(sent) <= 20


def test_posts_for_polling_leave_room_for_orders():
    sockets = SocketBudget()
    while sockets.post(Urgency.POLL, 0) == 0:
        pass
    assert sockets.posts == 50
    assert sockets.post(Urgency.ORDER, 0) == 0
    sockets.answered()
    assert sockets.post(Urgency.POLL, 0) is None
    sockets.answered()
    assert sockets.post(Urgency.POLL, 0) == 0


def test_shares_fall_with_urgency_and_exits_have_all():
    assert [SHARES[urgency] for urgency in Urgency] == sorted(SHARES.values(), reverse=True)
    assert SHARES[Urgency.EXIT] == 1
