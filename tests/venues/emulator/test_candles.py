"""Minutes as they are kept: packed, and found again as they were."""

from bisect import bisect_left

from hypothesis import given
from hypothesis import strategies as st

from venues.emulator.hyperliquid.candles import MINUTE_NS, Minutes, Sums

ROWS = st.lists(st.integers(0, 50), unique=True, max_size=12).map(sorted)


@given(ROWS, st.integers(-1, 52))
def test_packed_minutes_are_those_that_were_given(numbers: list[int], asked: int):
    kept, plain = Minutes(), []
    for number in numbers:
        sums = Sums(number * MINUTE_NS, number + 1, number + 1, number + 1, number + 1)
        kept.begin(sums)
        sums.add(number, 7)  # it grows until the next begins
        plain.append(Sums(number * MINUTE_NS, number + 1, number + 1, number, number, 7, 1))
    assert [kept[place] for place in range(len(plain))] == plain
    for at_ns in (asked * MINUTE_NS, asked * MINUTE_NS + 1):
        assert kept.from_(at_ns) == bisect_left(plain, at_ns, key=lambda one: one.start_ns)
