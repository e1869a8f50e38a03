"""Back-off and limits, walked by numbers: no sequence of tries breaks what the venue allows."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from supervisor.clock import NS_PER_S
from venues.hyperliquid.reconnect import (
    CONNECTIONS_AT_ONCE,
    CONNECTIONS_PER_MINUTE,
    MESSAGES_PER_MINUTE,
    MINUTE_NS,
    VENUE_CONNECTIONS_AT_ONCE,
    VENUE_CONNECTIONS_PER_MINUTE,
    VENUE_MESSAGES_PER_MINUTE,
    Backoff,
    Limits,
    Window,
)


def test_waits_double_up_to_the_bound_and_lie_in_their_upper_half():
    backoff = Backoff(7, "books", first_s=0.5, max_s=30.0)
    waits = [backoff.failed() for _ in range(2000)]
    bounds = [min(30.0, 0.5 * 2**number) for number in range(12)] + [30.0] * 1988
    assert all(bound / 2 <= wait < bound for wait, bound in zip(waits, bounds, strict=True))
    assert len(set(waits)) == 2000
    late = waits[20:]
    assert min(late) < 16
    assert max(late) > 29
    backoff.succeeded()
    assert backoff.failed() < 0.5


def test_draws_are_those_of_the_seed_and_differ_by_line():
    def waits(seed: int, line: str) -> list[float]:
        backoff = Backoff(seed, line)
        return [backoff.failed() for _ in range(5)]

    assert waits(1, "a") == waits(1, "a")
    assert waits(1, "a") != waits(1, "b")
    assert waits(1, "a") != waits(2, "a")


@settings(max_examples=60)
@given(
    st.integers(1, 30),
    st.integers(1, 1000),
    st.lists(st.integers(0, 100), max_size=120),
)
def test_no_span_holds_more_than_is_allowed(events_max, span_ns, steps):
    window, now_ns, at = Window(events_max, span_ns), 0, []
    for step in steps:
        now_ns += step
        at.append(window.reserve(now_ns))
        assert at[-1] >= now_ns
    assert at == sorted(at)
    assert all(later - earlier >= span_ns for earlier, later in zip(at, at[events_max:], strict=False))
    if len(steps) <= events_max:  # nothing waits without need
        assert all(booked - sum(steps[: number + 1]) <= 0 for number, booked in enumerate(at))


def test_a_window_of_nothing_is_refused():
    with pytest.raises(ValueError, match="events_max is 0"):
        Window(0, MINUTE_NS)


def test_what_we_take_leaves_room_at_the_venue():
    assert CONNECTIONS_PER_MINUTE < VENUE_CONNECTIONS_PER_MINUTE
    assert CONNECTIONS_AT_ONCE < VENUE_CONNECTIONS_AT_ONCE
    assert MESSAGES_PER_MINUTE < VENUE_MESSAGES_PER_MINUTE


def test_a_storm_of_reconnects_is_spread():
    """alpaca-740: reconnects every 10 ms until the venue answers 429."""
    limits, now_ns = Limits(), 0
    tries = []
    for _ in range(100):
        for window in (limits.connections, limits.account_connections):
            tries.append(window.reserve(now_ns))
        now_ns = min(tries[-2:]) + NS_PER_S // 100
    busiest = max(sum(at <= one < at + MINUTE_NS for one in tries) for at in tries)
    assert busiest <= CONNECTIONS_PER_MINUTE
