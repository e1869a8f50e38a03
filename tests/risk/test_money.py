"""Exact arithmetic."""

from decimal import Decimal
from fractions import Fraction

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from risk.money import divide_half_even, minor_ratio, notional_minor, to_minor, usd_text
from tests.risk.given import ALL, BTC, COST

SOME = st.sampled_from(ALL)


@given(st.integers(-(10**30), 10**30), st.integers(1, 10**20))
def test_division_rounds_half_to_even(numerator, denominator):
    assert divide_half_even(numerator, denominator) == round(Fraction(numerator, denominator))


@pytest.mark.parametrize(("numerator", "quotient"), [(5, 2), (7, 4), (-5, -2), (-7, -4), (3, 2), (1, 0), (-1, 0)])
def test_ties_go_to_the_even_neighbour(numerator, quotient):
    assert divide_half_even(numerator, 2) == quotient


@settings(max_examples=50)
@given(SOME, st.integers(1, 10**12), st.integers(-(10**12), 10**12))
def test_a_notional_is_what_the_instrument_says(instrument, ticks, lots):
    assert notional_minor(instrument, ticks, lots) == instrument.notional_minor(ticks, lots)
    assert Fraction(*minor_ratio(instrument)) == instrument.minor_per_tick_lot


def test_a_hyperliquid_tick_times_lot_is_one_minor_unit():
    assert notional_minor(BTC, 1, 1) == 1
    assert notional_minor(COST, 95_000, 2) == to_minor(Decimal(1900))


@pytest.mark.parametrize(
    ("minor", "text"),
    [
        (0, "0"),
        (1_500_000, "1.5"),
        (-1, "-0.000001"),
        (100_000_000, "100"),
        (-2_000_000, "-2"),
        (10_000_010, "10.00001"),
    ],
)
def test_money_is_written_exactly(minor, text):
    assert usd_text(minor) == text
    assert to_minor(Decimal(text)) == minor


def test_a_bound_is_never_rounded_up():
    assert to_minor(Decimal("0.0000019")) == 1
