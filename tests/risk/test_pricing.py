"""Prices obey the venue's rule, on the right side, within one step."""

from decimal import Decimal
from fractions import Fraction

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from msgspec.structs import replace

from risk.pricing import maker_ticks, obeys, step_ticks, taker_ticks, ticks_above, ticks_below
from tests.risk.given import ALL, BTC, COST, KSHIB, PEPE, SOL
from venues.market import Side

PRICES = st.decimals(Decimal("0.0001"), Decimal(200_000), places=9, allow_nan=False)
SOME = st.sampled_from(ALL)
SIDES = st.sampled_from(Side)


@pytest.mark.parametrize(
    ("side", "price", "instrument", "said"),
    [
        (Side.BUY, 0.0123456, KSHIB, "0.012345"),  # a seed engine made it 0.0123 (D8)
        (Side.SELL, 0.0123456, KSHIB, "0.012346"),
        (Side.BUY, 0.00012345, KSHIB, "0.000123"),
        (Side.BUY, 1.234567, KSHIB, "1.2345"),
        (Side.SELL, 1.234567, KSHIB, "1.2346"),
        (Side.BUY, 99.9999, SOL, "99.999"),
        (Side.SELL, 99.9999, SOL, "100.000"),
        (Side.BUY, 75_123.4, BTC, "75123"),
        (Side.SELL, 75_123.4, BTC, "75124"),
        (Side.BUY, 123_456.7, BTC, "123456"),  # whole prices may have more than five figures
        (Side.SELL, 9_999.99, BTC, "10000"),
        (Side.BUY, 9_999.96, BTC, "9999.9"),
        (Side.BUY, 101.239, COST, "101.23"),
        (Side.SELL, 101.231, COST, "101.24"),
        (Side.BUY, 101.23, COST, "101.23"),
        (Side.SELL, 101.23, COST, "101.23"),
    ],
)
def test_a_maker_price_never_crosses_by_rounding(side, price, instrument, said):
    ticks = maker_ticks(side, price, instrument)
    assert instrument.price(ticks) == Decimal(said)
    assert obeys(ticks, instrument)


@pytest.mark.parametrize(
    ("side", "touch", "bps", "instrument", "said"),
    [
        (Side.BUY, 100.0, 10.0, SOL, "100.1"),
        (Side.SELL, 100.0, 10.0, SOL, "99.9"),
        (Side.BUY, 12.34, 0.0, COST, "12.34"),
        (Side.BUY, 12.34, 0.1, COST, "12.35"),  # outward: a step of a cheap share is more than the slippage
        (Side.SELL, 12.34, 0.1, COST, "12.33"),
        (Side.BUY, 0.0123456, 10.0, KSHIB, "0.012358"),
        (Side.SELL, 0.000001, 10.0, KSHIB, "0.000001"),  # never to zero
    ],
)
def test_a_taker_limit_is_the_touch_and_the_slippage(side, touch, bps, instrument, said):
    assert instrument.price(taker_ticks(side, touch, bps, instrument)) == Decimal(said)


@settings(max_examples=200)
@given(PRICES, SOME)
def test_rounding_stays_on_its_side_within_a_step(price, instrument):
    below, above = ticks_below(price, instrument), ticks_above(price, instrument)
    ideal = Fraction(price) / Fraction(instrument.tick)
    assert below <= ideal <= above
    assert ideal - below < step_ticks(int(ideal), instrument)
    assert above - ideal < step_ticks(above, instrument)
    assert obeys(above, instrument)
    assert below == 0 or obeys(below, instrument)
    assert (below == above) == (ideal.denominator == 1 and obeys(int(ideal), instrument))


@settings(max_examples=200)
@given(PRICES, SOME)
def test_a_price_with_figures_has_no_more_than_they_allow(price, instrument):
    for ticks in (ticks_below(price, instrument), ticks_above(price, instrument)):
        rounded = instrument.price(ticks).normalize()
        figures = len(rounded.as_tuple().digits)
        assert figures <= (instrument.price_figures_max or figures) or rounded == rounded.to_integral_value()


@settings(max_examples=200)
@given(SIDES, PRICES, st.floats(0, 500), SOME)
def test_a_taker_limit_crosses_and_is_bounded(side, touch, bps, instrument):
    ticks = taker_ticks(side, touch, bps, instrument)
    ideal = Fraction(touch) / Fraction(instrument.tick) * (1 + side.sign * Fraction(str(bps)) / 10_000)
    assert obeys(ticks, instrument)
    assert side.sign * (ticks - ideal) >= 0 or ticks == 1
    assert abs(ticks - ideal) < step_ticks(max(ticks, int(ideal) + 1), instrument)


@settings(max_examples=100)
@given(SIDES, PRICES, SOME)
def test_rounding_what_obeys_changes_nothing(side, price, instrument):
    ticks = maker_ticks(side, price, instrument)
    if ticks:
        assert maker_ticks(side, instrument.price(ticks), instrument) == ticks


@pytest.mark.parametrize("price", [0.0, -1.0, Decimal(0)])
def test_no_price_no_ticks(price):
    with pytest.raises(ValueError, match="price of PEPE/USD is"):
        maker_ticks(Side.BUY, price, PEPE)


@pytest.mark.parametrize("price", [float("nan"), float("inf")])
def test_a_price_that_is_no_number_raises(price):
    with pytest.raises((ValueError, OverflowError)):
        maker_ticks(Side.BUY, price, BTC)


@pytest.mark.parametrize("bps", [float("nan"), -1.0, 10_000.0])
def test_slippage_that_makes_no_sense_is_refused(bps):
    with pytest.raises(ValueError, match="slippage_bps is"):
        taker_ticks(Side.BUY, 100.0, bps, BTC)


@pytest.mark.parametrize("tick", ["0.25", "0.00", "3"])
def test_a_tick_that_does_not_fit_figures_is_refused(tick):
    with pytest.raises(ValueError, match="tick"):
        maker_ticks(Side.BUY, 100.0, replace(BTC, tick=Decimal(tick)))


def test_a_coarse_tick_without_figures_is_the_whole_rule():
    odd = replace(COST, tick=Decimal("0.25"))
    assert (maker_ticks(Side.BUY, 10.3, odd), maker_ticks(Side.SELL, 10.3, odd)) == (41, 42)
