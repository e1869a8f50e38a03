"""Windows against exact fractions: no ghost where nothing moved, no drift where much did."""

from fractions import Fraction
from math import sqrt

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from actors.windows import MeanWindow, Window, ZWindow, z_score

TICKS = st.lists(st.integers(-400, 400), min_size=2, max_size=80)
PRICES = st.sampled_from([0.0123, 1.0001, 77.35, 113_000.5, 9_999_999.0])


def exact_z(closes):
    exact = [Fraction(close) for close in closes]
    mean = sum(exact) / len(exact)
    variance = sum((close - mean) ** 2 for close in exact) / (len(exact) - 1)
    if variance == 0:
        return None
    square = (exact[-1] - mean) ** 2 / variance
    return (1 if exact[-1] >= mean else -1) * sqrt(square)


@settings(max_examples=150)
@given(TICKS, PRICES)
def test_z_equals_exact_arithmetic(steps, price):
    closes = [price * (1 + step * 1e-6) for step in steps]
    z, exact = z_score(closes), exact_z(closes)
    if len(set(closes)) == 1:
        assert z is None
    else:
        assert exact is not None
        assert z == pytest.approx(exact, abs=1e-9)
        assert abs(z) <= (len(closes) - 1) / sqrt(len(closes)) + 1e-9


@pytest.mark.parametrize("price", [1.0001, 0.0123, 113_000.5, 1e-7, 6.1e11])
def test_a_flat_window_has_no_ghost(price):
    assert z_score([price] * 60) is None
    ulps = [price, price * (1 + 3e-16)] * 30  # two ways to the same mid
    assert z_score(ulps) is None


def test_a_window_of_numbers_that_are_none_has_no_z():
    assert z_score([1.0, 2.0, float("nan")]) is None
    assert z_score([1.0, float("inf"), 3.0]) is None


def test_the_bound_is_reached_by_one_jump():
    assert z_score([100.0] * 59 + [101.0]) == pytest.approx(59 / sqrt(60))
    assert z_score([100.0] * 239 + [99.0]) == pytest.approx(-239 / sqrt(240))


def test_a_window_says_nothing_until_it_is_warm():
    window = ZWindow(60)
    for close in range(59):
        window.push(100.0 + close)
        assert not window.warm
        assert window.z() is None
    window.push(50.0)
    assert window.warm
    assert window.z() == pytest.approx(exact_z([100.0 + c for c in range(59)] + [50.0]))


def test_the_oldest_close_falls_out():
    window, fresh = ZWindow(3), ZWindow(3)
    for close in (900.0, 1.0, 2.0, 4.0):
        window.push(close)
    fresh.refill([7.0, 1.0, 2.0, 4.0])
    assert window.z() == fresh.z() == z_score([1.0, 2.0, 4.0])


def test_peek_is_push_without_the_push():
    for size in (2, 5):
        looked, pushed = ZWindow(size), ZWindow(size)
        means, mean_pushed = MeanWindow(size), MeanWindow(size)
        for close in (5.0, 3.0, 8.0, 8.0, 1.0, 4.0, 4.0):
            pushed.push(close)
            mean_pushed.push(close)
            assert looked.peek(close) == pushed.z()
            assert means.peek(close) == mean_pushed.mean()
            looked.push(close)
            means.push(close)


def test_the_mean_is_rounded_once():
    window = MeanWindow(240)
    closes = [113_000.1 + 0.1 * step for step in range(240)]
    window.refill(closes)
    assert window.mean() == float(sum(map(Fraction, closes)) / 240)


@pytest.mark.parametrize("size", [-1, 0, 1])
def test_a_window_needs_two_closes(size):
    with pytest.raises(ValueError, match=f"window size is {size}"):
        Window(size)
