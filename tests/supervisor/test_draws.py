"""Draws: golden values, because a run of last year must repeat, and the bounds that callers rely on."""

from unittest.mock import patch

from hypothesis import given
from hypothesis import strategies as st

from supervisor import draws
from supervisor.draws import identity, uniform, word

SEEDS = st.one_of(st.integers(0, 2**64), st.text(max_size=10))


def test_golden_values():
    assert word(7, "backoff", 1) == 0x771B1F13AD103AF6
    assert word("7", "backoff", 1) == word(7, "backoff", 1)
    assert uniform(7, "backoff", 1) == 0.46525758962985797
    assert identity(7, "perps.order", 1) == "0xde28a1933288124adca617c83f99d9f6"


@given(SEEDS, st.text(max_size=20), st.integers(0, 2**63))
def test_bounds(seed, purpose, counter):
    assert 0 <= word(seed, purpose, counter) < 2**64
    assert 0 <= uniform(seed, purpose, counter) < 1
    name = identity(seed, purpose, counter)
    assert name.startswith("0x")
    assert len(name) == 34
    assert name == name.lower()
    assert int(name, 16) >= 0


def test_the_largest_word_is_still_less_than_one():
    with patch.object(draws, "word", return_value=2**64 - 1):
        assert uniform(1, "x", 1) < 1


def test_other_seeds_purposes_and_counters_are_other_draws():
    drawn = {word(seed, purpose, counter) for seed in range(10) for purpose in "abc" for counter in range(100)}
    assert len(drawn) == 3000


def test_uniform_is_uniform():
    drawn = [uniform(1, "test", counter) for counter in range(10_000)]
    counts = [sum(low / 10 <= x < (low + 1) / 10 for x in drawn) for low in range(10)]
    assert all(850 < count < 1150 for count in counts), "five standard deviations are 150"
