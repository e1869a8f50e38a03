"""A funding regime: the page's fields, period 0 by the rule, later periods from one premium path."""

from datetime import datetime
from decimal import Decimal
from itertools import pairwise

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from venues.aleatoric.funding.figures import EXCHANGES, PROFILES, rule_of
from venues.aleatoric.funding.premium import MAX, ContinuedPath, PremiumPath
from venues.aleatoric.funding.regime import FundingRegime, RegimeRequest, simulate_funding_regime
from venues.aleatoric.funding.rules import GRID, Contract, average_of, cap_of, rate_of

D = Decimal
HOUR_NS = 3_600 * 10**9
MS_PER_HOUR = 3_600_000
START_NS = 489_000 * HOUR_NS  # 2025-10-14 00:00 UTC
PAGE_FIELDS = {
    *("exchange", "funding_rate", "funding_rate_bps", "premium_bps", "perp_price", "settlement_times"),
    *("interval_hours", "annualized_rate", "periods"),
}
PERIOD_FIELDS = {
    *("period_index", "start_ts_ms", "next_funding_time", "funding_rate", "funding_rate_bps", "premium_bps"),
}


def simulated(**changes) -> FundingRegime:
    fields = {"exchange": "binance", "spot_price": 50_000.0, "mark_price": 50_050.0, "start_ns": START_NS, **changes}
    return simulate_funding_regime(RegimeRequest(**fields))


def test_the_pages_request_is_answered_in_the_pages_fields():
    page = b"""{"exchange": "binance", "spot_price": 50000.0, "mark_price": 50050.0, "position_size": 1.0,
                "num_periods": 3, "use_soft_cap": true, "seed": 42}"""
    regime = simulate_funding_regime(msgspec.json.decode(page, type=RegimeRequest))
    shown = msgspec.to_builtins(regime)
    assert shown.keys() == PAGE_FIELDS | {"position_pnl"}
    assert {*map(frozenset, shown["periods"])} == {frozenset(PERIOD_FIELDS)}
    assert msgspec.to_builtins(simulated()).keys() == PAGE_FIELDS
    assert [period.period_index for period in regime.periods] == [0, 1, 2]


def test_period_zero_is_the_rule_by_hand():
    regime = simulated(position_size=2.0)  # 10 bps: 0.95 x 0.11 %
    assert (regime.premium_bps, regime.perp_price) == (10.0, 50_050.0)
    assert (regime.funding_rate, regime.funding_rate_bps) == (0.001045, 10.45)
    assert regime.annualized_rate == 1.144275  # 1095 settlements a year
    assert regime.position_pnl == -104.6045  # 2 x 50,050 x 0.1045 %
    assert regime.periods[0].start_ts_ms == START_NS // 10**6
    assert regime.settlement_times == ["2025-10-14T08:00:00+00:00"]
    assert simulated(profile="venue").funding_rate == 0.0005  # P - 0.05 %
    assert simulated(profile="venue", exchange="hyperliquid").funding_rate == 0.0000625
    assert simulated(profile="venue", exchange="hyperliquid").interval_hours == 1


def test_a_start_within_an_interval_belongs_to_it():
    regime = simulated(start_ns=START_NS + 3 * HOUR_NS + 12_345, num_periods=2)
    assert regime.periods[0].start_ts_ms == START_NS // 10**6
    assert [one.next_funding_time // MS_PER_HOUR for one in regime.periods] == [489_008, 489_016]


@pytest.mark.parametrize("profile", PROFILES)
@pytest.mark.parametrize("exchange", EXCHANGES)
def test_later_periods_are_averages_of_one_path_that_starts_at_the_premium(exchange, profile):
    regime = simulated(exchange=exchange, profile=profile, num_periods=12)
    rule = rule_of(exchange, profile)
    path = ContinuedPath(PremiumPath(42, "regime"), START_NS, D("0.001"))
    for before, period in pairwise(regime.periods):
        start_ns, end_ns = period.start_ts_ms * 10**6, period.next_funding_time * 10**6
        assert period.start_ts_ms == before.next_funding_time
        premium = average_of(path.samples(start_ns, end_ns, rule.sample_s), rule.weights)
        assert period.premium_bps == float(premium * 10_000)
        assert period.funding_rate == float(rate_of(rule, premium, (end_ns - start_ns) // HOUR_NS))
    stamps = [int(datetime.fromisoformat(one).timestamp() * 1000) for one in regime.settlement_times]
    assert stamps == [period.next_funding_time for period in regime.periods]
    assert rule.pays or not any(period.funding_rate for period in regime.periods)


def test_the_second_period_remembers_the_first_and_signs_come_as_they_come():
    high = [simulated(mark_price=50_500.0, seed=seed, num_periods=2).periods[1].premium_bps for seed in range(20)]
    low = [simulated(mark_price=49_500.0, seed=seed, num_periods=2).periods[1].premium_bps for seed in range(20)]
    assert min(high) > 0 > max(low)  # of 100 bps 37 are left after a tau of 12 h
    ends = [simulated(seed=seed, num_periods=12).periods[-1].premium_bps for seed in range(40)]
    assert 8 < sum(end > 0 for end in ends) < 32
    same_sign = 0
    for seed in range(40):
        signs = [one.premium_bps > 0 for one in simulated(seed=seed, num_periods=12).periods]
        same_sign += sum(one == two for one, two in pairwise(signs))
    assert same_sign > 0.6 * 40 * 11  # a template of alternating signs would have none


def test_exchanges_of_a_seed_see_one_premium():
    binance, sgx = simulated(num_periods=3), simulated(exchange="sgx", num_periods=6)
    halves = [(sgx.periods[n].premium_bps + sgx.periods[n + 1].premium_bps) / 2 for n in (2, 4)]
    assert [one.premium_bps for one in binance.periods[1:]] == pytest.approx(halves, abs=1e-5)


def test_a_rate_at_its_cap_shortens_the_next_interval():
    regime = simulated(exchange="okx", profile="venue", mark_price=55_000.0, num_periods=5)
    hours = [(one.next_funding_time - one.start_ts_ms) // MS_PER_HOUR for one in regime.periods]
    assert hours == [8, 4, 2, 1, 1]
    assert [one.funding_rate for one in regime.periods[:3]] == [0.00375] * 3
    free = simulated(exchange="okx", profile="venue", mark_price=50_500.0, use_soft_cap=False, num_periods=2)
    assert free.funding_rate == 0.0095
    assert free.periods[1].next_funding_time - free.periods[1].start_ts_ms == 8 * MS_PER_HOUR


def test_what_a_position_gets_is_over_all_periods():
    regime = simulated(num_periods=4, position_size=-3)
    paid = sum(3 * 50_000 * (1 + one.premium_bps / 1e4) * one.funding_rate for one in regime.periods)
    assert regime.position_pnl == pytest.approx(paid, rel=1e-12)
    assert simulated(exchange="cme", profile="venue", position_size=5).position_pnl == 0.0


@given(
    st.sampled_from(EXCHANGES),
    st.sampled_from(PROFILES),
    st.floats(1e-6, 1e9),
    st.floats(0.51, 1.49),
    st.integers(0, 2**64 - 1),
    st.booleans(),
)
@settings(max_examples=30)
def test_any_regime_is_bounded_and_repeats(exchange, profile, spot, over, seed, soft):
    request = RegimeRequest(
        exchange=exchange, spot_price=spot, mark_price=spot * over, seed=seed, use_soft_cap=soft, num_periods=3,
        profile=profile, start_ns=START_NS + seed % 10**15,
    )  # fmt: skip
    regime = simulate_funding_regime(request)
    assert msgspec.json.encode(regime) == msgspec.json.encode(simulate_funding_regime(request))
    cap = cap_of(rule_of(exchange, profile), Contract(soft=soft))
    for period in regime.periods:
        assert abs(period.premium_bps) <= float(MAX * GRID * 10_000)
        assert cap is None or abs(D(str(period.funding_rate))) <= cap
    longer = simulate_funding_regime(msgspec.structs.replace(request, num_periods=5))
    assert longer.periods[:3] == regime.periods


@pytest.mark.parametrize(
    ("changes", "say"),
    [
        ({"exchange": "ftx"}, "exchange is 'ftx', .* known are binance"),
        ({"profile": "real"}, "profile is 'real', .* known are venue, aleatoric"),
        ({"spot_price": 0}, "spot_price is 0, which is not above zero"),
        ({"spot_price": float("nan")}, "spot_price is nan, which is not a finite number"),
        ({"mark_price": -1.5}, "mark_price is -1.5, which is not above zero"),
        ({"mark_price": 76_000}, "mark_price is 76000, which is not within 50% of spot_price 50000"),
        ({"mark_price": 1e300}, "mark_price is 1E.300, which is not within 50%"),
        ({"position_size": float("inf")}, "position_size is inf, which is not a finite number"),
        ({"num_periods": 13}, "num_periods is 13, which is not from 1 to 12"),
        ({"num_periods": 0}, "num_periods is 0"),
        ({"start_ns": -1}, "start_ns is -1"),
        ({"seed": -1}, "seed is -1"),
        ({"premium_tau_h": 0.0}, "premium_tau_h is 0.0"),
    ],
)
def test_what_cannot_be_is_refused_by_its_field(changes, say):
    with pytest.raises(ValueError, match=say):
        simulated(**changes)
