"""Bars: every interval once, in order, whatever the books do."""

from itertools import pairwise

from hypothesis import given, settings
from hypothesis import strategies as st

from actors.bars import GRACE_NS, Bars
from actors.messages import BarHistory, Imbalance, Mark
from supervisor.messages import ChildStarted, Tick
from venues.market import Bar

S = 1_000_000_000
MINUTE = 60 * S
T0 = 29_000_000 * MINUTE  # a whole minute in 2025


def book(at_ns, mid=100.0, symbol="BTC", received_ns=None):
    return Imbalance(symbol, at_ns, at_ns if received_ns is None else received_ns, mid - 0.5, mid + 0.5, 0, 0, 0, False)


class WithoutMarks(Bars):
    """The bars alone; marks have tests of their own."""

    def hear(self, message):
        return tuple(said for said in super().hear(message) if not isinstance(said, Mark))


def mind(keep=240, session=None):
    return WithoutMarks("perps", 60, keep, session)


def days(bars, start_ns, closes):
    return tuple(Bar("BTC", start_ns + i * bars, bars, c, c, c, c, 1) for i, c in enumerate(closes))


def test_a_bar_is_open_high_low_close_of_the_mid():
    bars = mind()
    for second, mid in ((5, 100.0), (20, 103.0), (30, 98.0), (59, 101.0)):
        assert bars.hear(book(T0 + second * S, mid)) == ()
    assert bars.hear(book(T0 + MINUTE, 77.0)) == (Bar("BTC", T0, MINUTE, 100.0, 103.0, 98.0, 101.0, 4),)


def test_the_clock_closes_what_no_book_closes_but_not_before_the_grace():
    bars = mind()
    bars.hear(book(T0 + S))
    assert bars.hear(Tick(T0 + MINUTE + GRACE_NS - S)) == ()
    assert bars.hear(Tick(T0 + MINUTE + GRACE_NS)) == (Bar("BTC", T0, MINUTE, 100.0, 100.0, 100.0, 100.0, 1),)
    assert bars.hear(Tick(T0 + MINUTE + GRACE_NS + S)) == ()


def test_a_book_within_the_grace_still_counts_and_one_after_it_is_late():
    bars = mind()
    bars.hear(book(T0 + S, 100.0))
    bars.hear(book(T0 + 59 * S, 105.0, received_ns=T0 + MINUTE + S))
    (bar,) = bars.hear(Tick(T0 + MINUTE + GRACE_NS))
    assert (bar.close, bar.books) == (105.0, 2)
    assert bars.hear(book(T0 + 59 * S, 500.0)) == ()
    assert bars.late == 1
    (silent,) = bars.hear(Tick(T0 + 2 * MINUTE + GRACE_NS))
    assert (silent.high, silent.books) == (105.0, 0)


def test_a_silent_minute_is_a_bar_that_carries_the_close():
    bars = mind()
    bars.hear(book(T0, 100.0))
    said = bars.hear(book(T0 + 3 * MINUTE + S, 90.0))
    assert [(bar.start_ns, bar.close, bar.books) for bar in said] == [
        (T0, 100.0, 1),
        (T0 + MINUTE, 100.0, 0),
        (T0 + 2 * MINUTE, 100.0, 0),
    ]
    (bar,) = bars.hear(book(T0 + 4 * MINUTE, 95.0))
    assert (bar.open, bar.high, bar.low, bar.close, bar.books) == (90.0, 90.0, 90.0, 90.0, 1)


def test_a_gap_longer_than_the_memory_says_only_what_is_remembered():
    bars = mind(keep=5)
    bars.hear(book(T0))
    said = bars.hear(Tick(T0 + 1000 * MINUTE + GRACE_NS))
    assert [bar.start_ns for bar in said] == [T0, *(T0 + minute * MINUTE for minute in range(995, 1000))]


def test_a_book_from_the_future_moves_nothing():
    bars = mind()
    bars.hear(book(T0))
    assert bars.hear(book(T0 + 90 * MINUTE, received_ns=T0 + S)) == ()
    assert bars.ahead == 1
    assert len(bars.hear(book(T0 + MINUTE))) == 1


def test_symbols_do_not_mix():
    bars = mind()
    bars.hear(book(T0, 100.0, "xyz:TSLA"))
    bars.hear(book(T0, 5.0, "kSHIB"))
    said = bars.hear(Tick(T0 + MINUTE + GRACE_NS))
    assert [(bar.symbol, bar.close) for bar in said] == [("xyz:TSLA", 100.0), ("kSHIB", 5.0)]


def test_a_restarted_strategy_is_told_the_last_bars():
    bars = mind(keep=3)
    for minute in range(6):
        bars.hear(book(T0 + minute * MINUTE, 100.0 + minute))
    (history,) = bars.hear(ChildStarted("signal", "perps", 1, 0))
    assert history == BarHistory("perps", "BTC", days(MINUTE, T0 + 2 * MINUTE, [102.0, 103.0, 104.0]))
    assert bars.hear(ChildStarted("signal", "crypto", 1, 0)) == ()
    assert bars.hear(ChildStarted("gate", "perps", 1, 0)) == ()


def test_the_venues_history_comes_first_and_ours_stays():
    bars = mind(keep=10)
    bars.hear(book(T0 + 2 * MINUTE, 50.0))
    bars.hear(book(T0 + 3 * MINUTE, 51.0))
    for _ in range(2):  # told twice: a restarted feed
        assert bars.hear(BarHistory("perps", "BTC", days(MINUTE, T0, [1.0, 2.0, 3.0]))) == ()
        (history,) = bars.hear(ChildStarted("signal", "perps", 1, 0))
        assert [bar.close for bar in history.bars] == [1.0, 2.0, 50.0]


def test_a_history_of_the_open_bar_does_not_make_two_of_it():
    bars = mind()
    bars.hear(book(T0 + 59 * S, 50.0))
    bars.hear(BarHistory("perps", "BTC", days(MINUTE, T0 - MINUTE, [1.0, 2.0])))
    assert [bar.start_ns for bar in bars.hear(Tick(T0 + MINUTE + GRACE_NS))] == [T0]
    (history,) = bars.hear(ChildStarted("signal", "perps", 1, 0))
    assert [bar.close for bar in history.bars] == [1.0, 50.0]


def test_silence_after_a_history_makes_bars():
    bars = mind()
    bars.hear(BarHistory("perps", "BTC", days(MINUTE, T0 - 2 * MINUTE, [1.0, 2.0])))
    assert bars.hear(Tick(T0 + MINUTE + GRACE_NS)) == (Bar("BTC", T0, MINUTE, 2.0, 2.0, 2.0, 2.0, 0),)


@settings(max_examples=80)
@given(
    st.lists(st.tuples(st.integers(0, 40 * 60), st.booleans(), st.floats(1, 2)), min_size=1, max_size=60),
    st.integers(2, 300),
)
def test_every_interval_once_and_in_order(steps, keep):
    bars = mind(keep)
    said, now_s = [], 0
    for ahead_s, tick, mid in steps:
        if tick:
            now_s += ahead_s
            said += bars.hear(Tick(T0 + now_s * S))
        else:
            said += bars.hear(book(T0 + (now_s + ahead_s // 20) * S, mid))
    starts = [bar.start_ns for bar in said]
    assert starts == sorted(set(starts))
    if keep >= 41:  # no gap is longer than the memory
        assert starts == list(range(starts[0], starts[-1] + 1, MINUTE)) if starts else True
    for bar in said:
        assert bar.low <= min(bar.open, bar.close) <= max(bar.open, bar.close) <= bar.high
    for before, after in pairwise(said):
        assert after.books or after.close == before.close


# --- days ------------------------------------------------------------------------------------------------------------

OPEN, CLOSE = T0 + 30 * MINUTE, T0 + 40 * MINUTE


def session(at_ns):
    day = 24 * 60 * MINUTE
    start = T0 + (at_ns - T0) // day * day
    span = (start + 30 * MINUTE, start + 40 * MINUTE)
    return span if span[0] <= at_ns < span[1] else None


def test_the_sessions_bars_become_one_bar_when_it_closes():
    bars = mind(session=session)
    bars.hear(BarHistory("perps", "BTC", days(24 * 60 * MINUTE, T0 - 48 * 60 * MINUTE, [1.0, 2.0])))
    said = []
    for minute in range(25, 45):
        said += bars.hear(book(T0 + minute * MINUTE, 100.0 + minute))
    day = [bar for bar in said if bar.interval_ns != MINUTE]
    assert day == [Bar("BTC", OPEN, CLOSE - OPEN, 130.0, 139.0, 130.0, 139.0, 10)]
    (history,) = bars.hear(ChildStarted("signal", "perps", 1, 0))
    assert [bar.close for bar in history.bars] == [1.0, 2.0, 139.0]


def test_a_day_that_ended_in_silence_still_closes():
    bars = mind(session=session)
    bars.hear(book(OPEN, 130.0))
    said = bars.hear(Tick(CLOSE + GRACE_NS))
    assert said[-1] == Bar("BTC", OPEN, CLOSE - OPEN, 130.0, 130.0, 130.0, 130.0, 1)


def test_a_day_that_a_gap_went_over_closes_with_what_it_had():
    bars = mind(keep=3, session=session)
    bars.hear(book(OPEN, 130.0))
    said = bars.hear(book(OPEN + 24 * 60 * MINUTE, 150.0))
    assert [(bar.start_ns, bar.close) for bar in said if bar.interval_ns != MINUTE] == [(OPEN, 130.0)]


def test_a_session_without_a_book_leaves_no_day():
    bars = mind(session=session)
    bars.hear(book(T0, 100.0))
    assert all(bar.interval_ns == MINUTE for bar in bars.hear(Tick(T0 + 100 * MINUTE)))


def test_a_mark_is_said_once_a_second_and_only_when_the_touch_moved():
    bars = Bars("perps", 60, 240)
    assert bars.hear(book(T0, 100.0)) == ()
    bars.hear(book(T0 + S // 2, 101.0))
    bars.hear(book(T0, 5.0, "ETH"))
    assert bars.hear(Tick(T0 + S)) == (Mark("BTC", T0 + S // 2, 100.5, 101.5), Mark("ETH", T0, 4.5, 5.5))
    bars.hear(book(T0 + S, 101.0))
    assert bars.hear(Tick(T0 + 2 * S)) == ()


def test_whoever_starts_hears_every_mark_again():
    bars = Bars("perps", 60, 240)
    bars.hear(book(T0, 100.0))
    first = bars.hear(Tick(T0 + S))
    bars.hear(ChildStarted("gate", "perps", 1, T0 + S))
    assert bars.hear(Tick(T0 + 2 * S)) == first
