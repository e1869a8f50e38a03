"""The circuit breaker, and the quiet failures it must not share."""

from decimal import Decimal
from math import isfinite

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from config.profile import RiskLimits
from risk.circuit_breaker import (
    Breaker,
    BreakerLimits,
    Trip,
    account_day,
    breaker_limits,
    observe,
    resumed,
    shifted,
)
from tests.risk.given import DAY_NS, MINUTE_NS

USD = 1_000_000
LIMITS = BreakerLimits(drawdown_max_ppm=20_000, daily_loss_minor=500 * USD)
NOON_NS = 20_000 * DAY_NS + DAY_NS // 2
NAN, INF = float("nan"), float("inf")


def watch(readings, breaker=None, *, at_ns=NOON_NS, limits=LIMITS):
    """Readings in dollars, a minute apart; gives the breaker and every trip."""
    breaker, trips = breaker or Breaker(), []
    for step, usd in enumerate(readings):
        minor = usd if usd is None or not isfinite(usd) else round(usd * USD)
        breaker, trip = observe(breaker, limits, minor, at_ns + step * MINUTE_NS)
        trips += [trip] if trip else []
    return breaker, trips


def test_a_drawdown_from_the_days_high_water_trips_at_the_third_reading():
    breaker, trips = watch([10_000, 10_000, 10_000, 10_300, 10_300, 10_300, 10_094, 10_093])
    assert (breaker.high_water_minor, breaker.tripped, trips) == (10_300 * USD, None, [])
    breaker, trips = watch([10_094], breaker, at_ns=NOON_NS + 100 * MINUTE_NS)
    [trip] = trips
    assert (trip.rule, trip.value, trip.bound) == (
        "drawdown",
        "equity 10094 USD",
        "high water 10300 USD less 20000 ppm",
    )
    assert breaker.tripped == trip


def test_the_days_loss_trips_though_the_drawdown_is_within_bounds():
    rich = BreakerLimits(drawdown_max_ppm=20_000, daily_loss_minor=50 * USD)
    _, trips = watch([10_000] * 3 + [9_950.000001] * 5, limits=rich)
    assert trips == []
    breaker, trips = watch([10_000] * 3 + [9_950] * 5, limits=rich)
    assert [trip.rule for trip in trips] == ["daily_loss"]
    assert trips[0].bound == "opening 10000 less 50 USD"
    assert (breaker.loss_minor, breaker.drawdown_ppm) == (50 * USD, 5_000)


def test_one_bad_tick_latches_no_halt():
    """Forven PR 92: a single wrong equity latched a phantom halt."""
    assert watch([10_000, 10_000, 10_000, 4_000, 10_000, 4_000, 4_000, 10_000])[1] == []


def test_one_tick_too_high_is_no_high_water():
    breaker, trips = watch([10_000, 10_000, 10_000, 20_000, 10_000, 10_000, 10_000, 10_000])
    assert (breaker.high_water_minor, trips) == (10_000 * USD, [])


@pytest.mark.parametrize("first", [1.0, 1_000_000.0])
def test_a_wrong_first_reading_is_no_opening(first):
    breaker, trips = watch([first, 10_000, 10_000, 10_000, 10_000])
    assert (breaker.opening_minor, breaker.high_water_minor, trips) == (10_000 * USD, 10_000 * USD, [])


@pytest.mark.parametrize("bad", [NAN, INF, -INF, 0.0, -5.0, None])
def test_a_reading_that_is_no_number_is_never_kept_and_trips_nothing(bad):
    """AlpacaTradingAgent PR 36: a NaN kept as high water hid every drawdown after it, over restarts too."""
    breaker, trips = watch([10_000] * 3 + [bad] * 5 + [10_000, bad, 9_700, bad, 9_700])
    assert (breaker.high_water_minor, breaker.readings) == (10_000 * USD, (10_000 * USD, 9_700 * USD, 9_700 * USD))
    assert trips == []
    _, trips = watch([bad, 9_700], breaker, at_ns=NOON_NS + 100 * MINUTE_NS)
    assert [trip.rule for trip in trips] == ["drawdown"]


def test_too_many_bad_readings_are_told_once_and_trip_nothing():
    breaker, trips = watch([10_000] * 3 + [NAN] * 25)
    assert [trip.rule for trip in trips] == ["blind"]
    assert trips[0].value == "10 bad readings in a row, the last was nan"
    assert breaker.tripped is None
    assert breaker.blind(LIMITS)
    assert [watch([10_000] + [NAN] * count)[0].blind(LIMITS) for count in (9, 10)] == [False, True]
    seeing, _ = watch([10_000], breaker, at_ns=NOON_NS + 100 * MINUTE_NS)
    assert not seeing.blind(LIMITS)


def test_it_is_blind_until_it_has_seen_something():
    assert Breaker().blind(LIMITS)
    assert (Breaker().equity_minor, Breaker().loss_minor, Breaker().drawdown_ppm) == (None, 0, 0)
    assert not watch([10_000])[0].blind(LIMITS)


def test_readings_of_one_moment_are_one_reading():
    breaker, _ = watch([10_000] * 3)
    for step in range(10):
        breaker, trip = observe(breaker, LIMITS, 9_000 * USD, NOON_NS + 10 * MINUTE_NS + step)
        assert trip is None
    assert breaker.readings.count(9_000 * USD) == 1
    assert LIMITS.confirm_gap_ns == 500_000_000, "half a beat of the actor that reads each second"


def test_a_clock_that_goes_back_confirms_nothing():
    breaker, _ = watch([10_000] * 3)
    breaker, trips = watch([9_000] * 3, breaker, at_ns=NOON_NS - DAY_NS)
    assert (breaker.day, trips) == (20_000, [])


def test_it_stays_tripped_and_says_so_once():
    breaker, trips = watch([10_000] * 3 + [9_000] * 20)
    assert len(trips) == 1
    tomorrow, trips = watch([9_000, 10_000] * 5, breaker, at_ns=NOON_NS + DAY_NS)
    assert (tomorrow.tripped, trips) == (breaker.tripped, [])


def test_the_operator_lifts_it_and_accepts_what_was_lost():
    breaker, _ = watch([10_000] * 3 + [9_000] * 3)
    lifted = resumed(breaker)
    assert (lifted.tripped, lifted.opening_minor, lifted.high_water_minor) == (None, 9_000 * USD, 9_000 * USD)
    again, trips = watch([9_000] * 5 + [8_800] * 3, lifted, at_ns=NOON_NS + 100 * MINUTE_NS)
    assert [trip.rule for trip in trips] == ["drawdown"]
    assert again.tripped
    assert resumed(Breaker()) == Breaker()


def test_a_new_day_has_a_new_baseline_from_where_the_last_one_ended():
    breaker, _ = watch([10_000] * 3 + [9_810] * 3)
    tomorrow, trips = watch([9_800], breaker, at_ns=NOON_NS + DAY_NS)
    assert (tomorrow.day, tomorrow.opening_minor, tomorrow.high_water_minor) == (20_001, 9_810 * USD, 9_810 * USD)
    _, trips = watch([9_650] * 3, tomorrow, at_ns=NOON_NS + DAY_NS + 10 * MINUTE_NS)
    assert trips == [], "1.6 % of the new day, 3.5 % of both"


def test_the_day_turns_at_the_configured_hour():
    at_21h = 20_000 * DAY_NS + 21 * 60 * MINUTE_NS
    assert [account_day(at_21h - 1, 21), account_day(at_21h, 21)] == [19_999, 20_000]
    late = BreakerLimits(drawdown_max_ppm=20_000, daily_loss_minor=USD, day_roll_hour_utc=21)
    assert watch([10_000], at_ns=at_21h - 1, limits=late)[0].day == 19_999


def test_a_restart_keeps_the_baseline_and_the_latch():
    """A seed engine took the equity at process start for the baseline, so each restart renewed the daily loss (D13)."""
    breaker, _ = watch([10_000] * 3 + [9_820] * 3)
    restored = msgspec.json.decode(msgspec.json.encode(breaker), type=Breaker)
    assert restored == breaker
    tripped, trips = watch([9_800] * 3, restored, at_ns=NOON_NS + 100 * MINUTE_NS)
    assert [trip.rule for trip in trips] == ["drawdown"]
    assert msgspec.json.decode(msgspec.json.encode(tripped), type=Breaker).tripped == trips[0]


def test_a_withdrawal_is_no_loss_and_a_deposit_no_profit():
    breaker, _ = watch([10_000] * 3)
    less = shifted(breaker, -3_000 * USD)
    assert less.readings == (7_000 * USD,) * 3
    assert watch([7_000] * 5, less, at_ns=NOON_NS + 100 * MINUTE_NS)[1] == []
    more = shifted(breaker, 5_000 * USD)
    assert [t.rule for t in watch([14_600] * 3, more, at_ns=NOON_NS + 100 * MINUTE_NS)[1]] == ["drawdown"]
    assert shifted(Breaker(), USD) == Breaker()
    assert shifted(breaker, -(10**12)).high_water_minor == 1


def test_the_bounds_of_a_profile():
    limits = RiskLimits(
        order_notional_usd_max=Decimal(1),
        symbol_cap_usd=Decimal(1),
        net_cap_usd=Decimal(1),
        daily_loss_usd=Decimal("49.5"),
        drawdown_max=0.02,
    )
    said = breaker_limits(limits, 21)
    assert (said.drawdown_max_ppm, said.daily_loss_minor, said.day_roll_hour_utc) == (20_000, 49_500_000, 21)


READINGS = st.one_of(st.integers(1, 20_000), st.sampled_from([NAN, INF, -1.0, 0.0, None]))


@settings(max_examples=200)
@given(st.lists(READINGS, max_size=40))
def test_it_trips_exactly_when_three_good_readings_in_a_row_break_a_bound(readings):
    breaker = Breaker()
    for step, usd in enumerate(readings):
        minor = usd * USD if isinstance(usd, int) else usd
        before = breaker
        breaker, trip = observe(breaker, LIMITS, minor, NOON_NS + step * MINUTE_NS)
        assert all(reading > 0 for reading in breaker.readings)
        assert breaker.high_water_minor <= 20_000 * USD
        if isinstance(trip, Trip) and trip.rule != "blind":
            best = max(breaker.readings)
            assert len(breaker.readings) == LIMITS.confirmations
            assert best <= breaker.high_water_minor * 0.98 or breaker.opening_minor - best >= 500 * USD
        assert before.tripped is None or breaker.tripped == before.tripped
