"""Sizes are floored, in integers."""

from decimal import Decimal

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from risk.money import notional_minor, to_minor
from risk.sizing import floor_lots, lots_for
from tests.risk.given import ALL, BTC, COST, KSHIB, SOL


@pytest.mark.parametrize("size", [0.58, "0.58", 0.29, "0.29"])
def test_an_exact_size_stays_what_it_is(size):
    """floor(0.58 * 100) is 57 in floats: that lost a lot of every twentieth exact size of a seed engine (D7)."""
    exact = size if isinstance(size, float) else Decimal(size)
    assert str(SOL.size(floor_lots(exact, SOL))) == str(size)


@given(st.integers(-(10**9), 10**9), st.sampled_from(ALL))
def test_a_whole_number_of_lots_is_never_less(lots, instrument):
    assert floor_lots(instrument.size(lots), instrument) == lots
    assert floor_lots(float(instrument.size(lots)), instrument) == lots


def test_the_rest_of_a_lot_is_dropped_on_both_sides():
    assert [floor_lots(Decimal(size), SOL) for size in ("0.589", "-0.589", "0.009")] == [58, -58, 0]


@pytest.mark.parametrize(
    ("notional", "instrument", "ticks", "lots"),
    [
        ("58", SOL, 1_000_000, 58),
        ("29", SOL, 1_000_000, 29),
        ("250", BTC, 750_000, 333),  # 333.33 lots
        ("10", BTC, 1_000_000, 10),
        ("9.99", BTC, 1_000_000, 0),  # below Hyperliquid's 10 dollars
        ("10.5", BTC, 1_100_000, 0),  # 9 lots would be 9.90
        ("900", COST, 95_000, 0),  # less than one share
        ("950", COST, 95_000, 1),
        ("0", COST, 95_000, 0),
        ("100", KSHIB, 12_345, 8100),
    ],
)
def test_lots_for_a_notional(notional, instrument, ticks, lots):
    assert lots_for(Decimal(notional), ticks, instrument) == lots


@settings(max_examples=200)
@given(
    st.decimals(Decimal(0), Decimal(100_000), places=2, allow_nan=False),
    st.sampled_from(ALL),
    st.integers(1, 10**8),
)
def test_never_more_than_the_notional_and_never_a_lot_too_few(notional, instrument, ticks):
    lots = lots_for(notional, ticks, instrument)
    assert lots >= 0
    assert notional_minor(instrument, ticks, lots) <= to_minor(notional)
    if lots:
        assert notional_minor(instrument, ticks, lots) >= to_minor(instrument.notional_min_usd)
        assert exact_worth(instrument, ticks, lots + 1) > to_minor(notional)


def exact_worth(instrument, ticks, lots):
    return instrument.minor_per_tick_lot * ticks * lots


@pytest.mark.parametrize("ticks", [0, -5])
def test_no_price_no_size(ticks):
    with pytest.raises(ValueError, match=f"ticks is {ticks}.*BTC"):
        lots_for(Decimal(100), ticks, BTC)
