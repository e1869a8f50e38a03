"""What the stamps of books tell of two clocks, whatever the lag; and that an expiry is never behind its fence."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from supervisor.clock import NS_PER_MS, NS_PER_S
from venues.hyperliquid.skew import HALF_NS, LATE_NS_MAX, MARGIN_NS, Skew

T0 = 1_700_000_000 * NS_PER_S


class FakeClock:
    """Ours, set by hand; `strayed` is what the machine's own has left it by."""

    def __init__(self):
        self.ns, self.strayed = T0, 0

    def now_ns(self):
        return self.ns

    def strayed_ns(self):
        return self.strayed


class Bench:
    """Clocks that are `ahead_s` apart (ours less theirs), and books that are so late."""

    def __init__(self, ahead_s=0.0):
        self.clock, self.said, self.ahead_s = FakeClock(), [], ahead_s
        self.skew = Skew(self.clock, self.said.append)

    def books(self, seconds, lags_s=(0.1,)):
        for number in range(round(seconds * 2)):
            self.clock.ns += NS_PER_S // 2
            self.skew.hear(round((self.ahead_s + lags_s[number % len(lags_s)]) * NS_PER_S), self.clock.ns)

    def expires_s(self):
        """How long after now, by the venue's clock, an order expires whose fence is in 15 s by ours."""
        venue_ns = self.clock.ns - round(self.ahead_s * NS_PER_S)
        return (self.skew.expiry_ns(self.clock.ns + 15 * NS_PER_S) - venue_ns) / NS_PER_S


def test_nothing_is_known_before_the_first_book_and_after_a_silence():
    bench = Bench()
    assert "not known" in bench.skew.shut()
    bench.books(1)
    assert bench.skew.shut() == ""
    bench.clock.ns += 2 * HALF_NS
    assert "not known" in bench.skew.shut()
    bench.books(1)
    assert bench.skew.shut() == ""
    assert bench.said == []


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


def test_a_machine_that_slept_knows_nothing_until_a_book_comes_and_then_what_is_wrong():
    bench = Bench()
    bench.books(60)
    bench.clock.strayed, bench.ahead_s = 600 * NS_PER_S, -600.0
    assert "not known" in bench.skew.shut()
    bench.books(0.5)
    assert "behind" in bench.skew.shut()
    assert "slept or its clock was set, by +600.0 s" in bench.said[-1]


@settings(max_examples=60, deadline=None)
@given(
    st.floats(-7200, 7200),
    st.lists(st.floats(0.0, 60.0), min_size=1, max_size=40),
    st.floats(0, 100),
)
def test_no_expiry_is_behind_what_is_taken_for_proof(ahead_s, lags_s, later_s):
    """By the venue's own clock the order is refused before "not found" is believed, however late books are."""
    bench = Bench(ahead_s)
    bench.books(len(lags_s) / 2, lags_s)
    fence_ns = bench.clock.ns + 15 * NS_PER_S
    expiry_ns = bench.skew.expiry_ns(fence_ns)
    bench.books(later_s, lags_s)
    proof_ns = fence_ns + bench.skew.doubt_ns  # and PROOF_NS on top
    assert expiry_ns < proof_ns - round(ahead_s * NS_PER_S) + NS_PER_MS
