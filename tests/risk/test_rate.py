"""The order rate."""

from hypothesis import given, settings
from hypothesis import strategies as st

from risk.rate import NS_PER_MINUTE, RateBucket, take

START_NS = 1_700_000_000_000_000_000


def grants(bucket, times_ns):
    granted = []
    for at_ns in times_ns:
        bucket, allowed, _ = take(bucket, at_ns)
        if allowed:
            granted.append(at_ns)
    return granted


def test_it_starts_full_once():
    """The seed engine's bucket of 6000 a minute granted 12,099 in its first second (D9)."""
    first_second = range(START_NS, START_NS + 1_000_000_000, 100_000)
    assert len(grants(RateBucket(per_minute=6000, burst=6000), first_second)) <= 6000 + 100


def test_a_refusal_says_when_and_costs_nothing():
    bucket, allowed, next_ns = take(RateBucket(per_minute=30, burst=2), START_NS)
    assert (allowed, next_ns) == (True, START_NS)
    bucket, allowed, next_ns = take(bucket, START_NS)
    assert (allowed, next_ns) == (True, START_NS + 2_000_000_000)
    for _ in range(5):
        after, allowed, next_ns = take(bucket, next_ns - 1)
        assert not allowed
        assert after is bucket
    assert take(bucket, next_ns).allowed


def test_a_quiet_minute_fills_it_and_no_more():
    bucket = RateBucket(per_minute=30, burst=30)
    for _ in range(30):
        bucket, allowed, _ = take(bucket, START_NS)
        assert allowed
    assert len(grants(bucket, [START_NS + NS_PER_MINUTE] * 100)) == 30
    assert len(grants(bucket, [START_NS + 100 * NS_PER_MINUTE] * 100)) == 30


def test_a_clock_that_goes_back_grants_nothing():
    bucket = take(RateBucket(per_minute=30, burst=1), START_NS).bucket
    assert not take(bucket, START_NS - NS_PER_MINUTE).allowed


def test_a_full_bucket_and_its_rate_are_not_twice_the_rate():
    """Thirty at once and one every two seconds after were 59 orders in the first minute of "30 a minute"."""
    seconds = [START_NS + second * 1_000_000_000 for second in range(60)]
    assert len(grants(RateBucket(per_minute=30, burst=30), [START_NS] * 40 + seconds)) == 30
    bucket = RateBucket(per_minute=2, burst=2)
    for at_ns in (START_NS, START_NS + 1):
        bucket, allowed, next_ns = take(bucket, at_ns)
        assert allowed
    assert next_ns == START_NS + NS_PER_MINUTE
    assert not take(bucket, next_ns - 1).allowed
    assert take(bucket, next_ns).allowed


@settings(max_examples=100)
@given(st.integers(1, 40), st.lists(st.integers(0, NS_PER_MINUTE // 4), min_size=1, max_size=120))
def test_no_minute_has_more_than_the_rate(per_minute, gaps):
    times, at_ns = [], START_NS
    for gap in gaps:
        at_ns += gap
        times.append(at_ns)
    granted = grants(RateBucket(per_minute=per_minute, burst=60), times)
    assert granted
    for start in granted:
        assert sum(start <= at_ns < start + NS_PER_MINUTE for at_ns in granted) <= per_minute


@settings(max_examples=100)
@given(
    st.integers(1, 6000),
    st.integers(1, 60),
    st.lists(st.integers(0, NS_PER_MINUTE // 20), min_size=1, max_size=120),
)
def test_no_stretch_of_time_has_more_than_burst_and_rate(per_minute, burst, gaps):
    times, at_ns = [], START_NS
    for gap in gaps:
        at_ns += gap
        times.append(at_ns)
    granted = grants(RateBucket(per_minute=per_minute, burst=burst), times)
    for first, start in enumerate(granted):
        for last, end in enumerate(granted[first:], first):
            assert last - first + 1 <= burst + (end - start) * per_minute / NS_PER_MINUTE + 1e-6
