"""What the stamps of books tell of two clocks, whatever the lag; and that an expiry is never behind its fence."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from supervisor.clock import NS_PER_MS, NS_PER_S
from tests.machine import SetMachine, clock_of
from venues.skew import HALF_NS, LATE_NS_MAX, MARGIN_NS, Skew

T0 = 1_700_000_000 * NS_PER_S


class Bench:
    """Clocks that are `ahead_s` apart (ours less theirs), and books that are so late."""

    def __init__(self, ahead_s=0.0):
        self.machine, self.jumps = SetMachine(), []
        self.clock, self.said, self.ahead_s = clock_of(self.machine, T0), [], ahead_s
        self.clock.listen(lambda jump: self.jumps.append((jump.what, round(jump.by_ns / NS_PER_S))))
        self.skew = Skew(self.clock, self.said.append)

    def books(self, seconds, lags_s=(0.1,)):
        for number in range(round(seconds * 2)):
            self.machine.lives(0.5)
            lag_ns = round((self.ahead_s + lags_s[number % len(lags_s)]) * NS_PER_S)
            self.skew.hear(self.off_ns() + lag_ns, self.clock.now_ns())

    def off_ns(self):
        """What our clock has moved away from its own start, beside what has passed."""
        return self.clock.now_ns() - T0 - self.machine.passed_ns

    def expires_s(self):
        """How long after now, by the venue's clock, an order expires whose fence is in 15 s by ours."""
        venue_ns = self.clock.now_ns() - round(self.ahead_s * NS_PER_S) - self.off_ns()
        return (self.skew.expiry_ns(self.clock.now_ns() + 15 * NS_PER_S) - venue_ns) / NS_PER_S


def test_nothing_is_known_before_the_first_book_and_after_a_silence():
    bench = Bench()
    assert "not known" in bench.skew.shut()
    bench.books(1)
    assert bench.skew.shut() == ""
    bench.machine.lives(2 * HALF_NS / NS_PER_S)
    assert "not known" in bench.skew.shut()
    bench.books(1)
    assert bench.skew.shut() == ""
    assert bench.said == []


@pytest.mark.parametrize(("ahead_s", "apart_s"), [(3_600, 3_600.1), (-3_600, -3_599.9), (0.5, 0.0)])
def test_their_time_is_another_only_where_the_clocks_are_known_to_be_apart(ahead_s, apart_s):
    bench = Bench(ahead_s)
    assert bench.skew.theirs_ns(T0) == T0, "nothing is known"
    bench.books(2)
    assert T0 - bench.skew.theirs_ns(T0) == round(apart_s * NS_PER_S)
    bench.machine.sleeps(90)
    bench.clock.look()
    assert bench.skew.theirs_ns(T0) == T0, "nothing is known any more"


def test_lag_is_not_skew():
    bench = Bench()
    bench.books(120, lags_s=(4.0, 9.0, 2.5, 0.2, 7.0))
    assert bench.skew.bound_ns == NS_PER_S // 5
    assert bench.skew.shut() == ""
    assert bench.expires_s() == pytest.approx(12.8)


@pytest.mark.parametrize(
    ("ahead_s", "told"), [(-1.5, "1.4 s behind"), (1.2, "1.3 s ahead"), (-3600, "3599.9 s behind")]
)
def test_clocks_that_part_are_told_once_and_once_when_they_agree(ahead_s, told):
    bench = Bench()
    bench.books(60)
    bench.ahead_s = ahead_s
    bench.books(60)
    assert told in bench.skew.shut()
    (said,) = bench.said
    assert told in said and "no entries" in said
    bench.ahead_s = 0.0
    bench.books(60)
    assert bench.skew.shut() == ""
    assert bench.said[1:] == ["our clock and the venue's agree again"]


def test_behind_is_seen_with_the_first_book():
    bench = Bench()
    bench.books(60)
    bench.ahead_s = -30.0
    bench.books(0.5)
    assert "behind" in bench.skew.shut()
    assert bench.expires_s() > 12, "an exit has its time by the venue's clock"


def test_exits_have_time_left_though_books_are_late_by_minutes():
    bench = Bench()
    bench.books(120, lags_s=(200.0,))
    assert "its books are as late" in bench.skew.shut()
    assert bench.expires_s() == (15 * NS_PER_S - MARGIN_NS - LATE_NS_MAX) / NS_PER_S
    assert bench.skew.doubt_ns == 199 * NS_PER_S


@pytest.mark.parametrize("slept_s", [90, 7_200])
def test_a_machine_that_slept_is_known_by_the_next_book_and_the_time_is_right(slept_s):
    bench = Bench()
    bench.books(60)
    bench.machine.sleeps(slept_s)
    assert "not known" in bench.skew.shut(), "books that waited in the machine are no proof"
    bench.books(0.5)
    assert bench.skew.shut() == ""
    assert bench.off_ns() == 0
    assert bench.jumps == [("slept", slept_s)]


@pytest.mark.parametrize("slept_s", [90, 7_200])
def test_where_nothing_tells_sleep_the_venue_and_the_machine_do(slept_s):
    """A paused virtual machine: no clock of its own has seen it; its wall clock is set when it goes on, or later."""
    bench = Bench()
    bench.books(60)
    bench.ahead_s = -float(slept_s)
    bench.books(5)
    assert "behind" in bench.skew.shut()
    bench.machine.is_set(slept_s)
    assert "not known" in bench.skew.shut()
    bench.books(0.5)
    assert bench.skew.shut() != "", "the book that proves it was received by the clock that was wrong"
    bench.books(0.5)
    assert bench.skew.shut() == ""
    assert bench.off_ns() == slept_s * NS_PER_S
    assert bench.jumps == [("set", slept_s), ("followed", slept_s)]


@pytest.mark.parametrize("by_s", [3_600, -3_600, -1, 2])
def test_a_clock_that_is_set_wrong_moves_nothing(by_s):
    bench = Bench()
    bench.books(60)
    bench.machine.is_set(by_s)
    assert "not known" in bench.skew.shut()
    bench.books(0.5)
    assert bench.skew.shut() == ""
    bench.books(60)
    assert (bench.off_ns(), bench.said, bench.jumps) == (0, [], [("set", by_s)])


def test_a_start_with_a_wrong_clock_ends_when_that_is_set_right():
    """An hour ahead can't be taken back while things are decided by it: that is said, once, and for a new start."""
    bench = Bench(ahead_s=3_600.0)
    bench.books(60)
    bench.machine.is_set(-3_600)
    bench.books(60)
    assert "ahead" in bench.skew.shut()
    assert bench.jumps == [("set", -3_600), ("ahead", -3_600)]


def test_a_clock_that_is_seconds_ahead_is_slowed_until_it_is_right():
    bench = Bench(ahead_s=2.0)
    bench.books(30)
    bench.machine.is_set(-2)
    seen = [bench.clock.now_ns()]
    for _ in range(60):
        bench.books(0.5)
        seen.append(bench.clock.now_ns())
    assert seen == sorted(seen) and len(set(seen)) == len(seen)
    assert bench.off_ns() == -2 * NS_PER_S
    assert bench.skew.shut() == ""


def test_neither_of_two_clocks_is_followed_that_the_venue_contradicts():
    bench = Bench(ahead_s=-600.0)
    bench.books(30)
    bench.machine.is_set(300)
    bench.books(30)
    assert bench.off_ns() == 0
    assert "behind" in bench.skew.shut()
    bench.machine.is_set(300)
    bench.books(1)
    assert bench.off_ns() == 600 * NS_PER_S


@settings(max_examples=60)
@given(
    st.floats(-7200, 7200),
    st.lists(st.floats(0.0, 60.0), min_size=1, max_size=40),
    st.floats(0, 100),
)
def test_no_expiry_is_behind_what_is_taken_for_proof(ahead_s, lags_s, later_s):
    """By the venue's own clock the order is refused before "not found" is believed, however late books are."""
    bench = Bench(ahead_s)
    bench.books(len(lags_s) / 2, lags_s)
    fence_ns = bench.clock.now_ns() + 15 * NS_PER_S
    expiry_ns = bench.skew.expiry_ns(fence_ns)
    bench.books(later_s, lags_s)
    proof_ns = fence_ns + bench.skew.doubt_ns  # and PROOF_NS on top
    assert expiry_ns < proof_ns - round(ahead_s * NS_PER_S) + NS_PER_MS
