"""Funding rules: every venue and profile by hand, the dead band, caps, divisors and weights, and real payments."""

import re
from decimal import Decimal
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from msgspec.structs import replace

from venues.aleatoric.funding.details import venue_details
from venues.aleatoric.funding.figures import EXCHANGES, RULES, rule_of
from venues.aleatoric.funding.rules import GRID, PLAIN, Contract, average_of, cap_of, interval_of, printed, rate_of

WIRE = Path(__file__).resolve().parents[4] / "shared" / "data" / "wire" / "hyperliquid_python_sdk" / "hyperliquid"
D = Decimal
HARD = Contract(soft=False)
PREMIUMS = st.integers(-(5 * 10**9), 5 * 10**9).map(lambda units: units * GRID)
ANY_RULE = st.sampled_from(sorted(RULES)).map(RULES.__getitem__)
DEAD_BANDED = ["binance", "hyperliquid", "okx", "bybit"]


@pytest.mark.parametrize(
    ("exchange", "small", "usual", "extreme", "extreme_hard"),
    # premiums of +0.005 %, +0.12 % and -2 %
    [
        # I;                        P - 0.05 % = 0.07 %;  -1.95 %, soft cap 0.75 x 0.4 %
        ("binance", "0.0001", "0.0007", "-0.003", "-0.0195"),
        ("hyperliquid", "0.0000125", "0.0000875", "-0.0024375", "-0.0024375"),  # an eighth, below 4 %
        ("okx", "0.0001", "0.0007", "-0.00375", "-0.0195"),
        ("bybit", "0.0001", "0.0007", "-0.008", "-0.0195"),
        ("cme", "0", "0", "0", "0"),
        ("sgx", "0.0001125", "0.0004", "-0.0035", "-0.0035"),  # P/4 + I = -0.49 %
    ],
)
def test_todays_rules_by_hand(exchange, small, usual, extreme, extreme_hard):
    rule = rule_of(exchange)
    rates = [rate_of(rule, D(premium)) for premium in ("0.00005", "0.0012", "-0.02")]
    assert rates == [D(small), D(usual), D(extreme)]
    hard = rate_of(rule, D("-0.02"), contract=HARD)
    assert hard == D(extreme_hard)


@pytest.mark.parametrize(
    ("exchange", "small", "usual", "extreme", "extreme_hard"),
    [
        # 0.95 (P + I): 0.95 x 0.015 %, 0.95 x 0.13 %, 0.95 x -1.99 % = -1.8905 %, caps 0.75 and 2 %
        ("binance", "0.0001425", "0.001235", "-0.0075", "-0.018905"),
        # P x velocity: 1.015, 1.36, 2.5: -5 %, cap 4 %
        ("hyperliquid", "0.00005075", "0.001632", "-0.04", "-0.04"),
        ("okx", "0.000095", "0.001235", "-0.005", "-0.0075"),  # the small premium is below the threshold
        # P + I; then -1.99 % - 1.5 % / 4 = -2.365 %, caps 1 and 2.5 %
        ("bybit", "0.00015", "0.0013", "-0.01", "-0.02365"),
        ("cme", "0.00060625", "0.00075", "-0.0019", "-0.0019"),  # P/8 + 0.01 % + 0.05 %
        ("sgx", "0.0001125", "0.0004", "-0.0049", "-0.0049"),  # P/4 + 0.01 %
    ],
)
def test_the_seeds_figures_by_hand(exchange, small, usual, extreme, extreme_hard):
    rule = rule_of(exchange, "aleatoric")
    rates = [rate_of(rule, D(premium)) for premium in ("0.00005", "0.0012", "-0.02")]
    assert rates == [D(small), D(usual), D(extreme)]
    hard = rate_of(rule, D("-0.02"), contract=HARD)
    assert hard == D(extreme_hard)


@given(st.sampled_from(DEAD_BANDED), st.integers(-4 * 10**6, 6 * 10**6), st.sampled_from([8, 4, 2, 1]))
@settings(max_examples=200)
def test_inside_the_dead_band_the_rate_is_interest_to_the_last_digit(exchange, units, hours):
    rule = rule_of(exchange)
    hours = hours if hours in rule.intervals_h else rule.interval_h
    interest = D("0.0001") * hours / 8
    # Bybit's band stands around the interval's interest, the others' around that of eight hours.
    premium = units * GRID + (interest - D("0.0001") if rule.interest_scales else 0)
    assert rate_of(rule, premium, hours) == interest
    assert rate_of(rule, D("0.0006") + 10 * D("1E-7"), rule.interval_h) > D("0.0001") * rule.interval_h / 8


def test_the_divisor_is_eight_over_the_interval():
    assert [rate_of(rule_of("binance"), D("0.0013"), hours) for hours in (8, 4, 2, 1)] == [
        *(D("0.0008"), D("0.0004"), D("0.0002"), D("0.0001"))
    ]
    # Bybit scales interest instead: P - 0.05 % in any interval
    assert [rate_of(rule_of("bybit"), D("0.0013"), hours) for hours in (8, 4, 1)] == [D("0.0008")] * 3
    assert rate_of(rule_of("bybit"), D("0.0002"), 1) == D("0.0000125")


def test_caps_come_from_the_margin_the_contract_or_the_venue():
    binance = rule_of("binance")
    assert cap_of(binance, Contract(maintenance_margin=D("0.01"))) == D("0.0075")
    assert cap_of(binance, Contract(cap=D("0.02"))) == D("0.02")
    assert rate_of(binance, D("-0.3"), contract=Contract(cap=D("0.02"))) == D("-0.02")
    assert cap_of(rule_of("okx")) == D("0.00375")
    assert cap_of(rule_of("okx"), HARD) == D("0.03")
    assert cap_of(rule_of("cme", "aleatoric")) is None
    assert rate_of(rule_of("hyperliquid"), D("0.5")) == D("0.04")  # a premium of 50 % would be 6.24 % an hour


def test_a_deployer_multiplies_a_rate_and_the_cap_still_holds():
    rule = rule_of("hyperliquid")
    assert rate_of(rule, D("0.0012"), contract=Contract(multiplier=D(0))) == 0
    assert rate_of(rule, D("0.0012"), contract=Contract(multiplier=D(2))) == D("0.000175")
    assert rate_of(rule, D("0.05"), contract=Contract(multiplier=D(10))) == D("0.04")


@given(ANY_RULE, PREMIUMS, st.booleans())
@settings(max_examples=300)
def test_a_rate_is_bounded_on_the_grid_and_rises_with_the_premium(rule, premium, soft):
    contract = Contract(soft=soft)
    rate, cap = rate_of(rule, premium, contract=contract), cap_of(rule, contract)
    assert cap is None or abs(rate) <= cap
    assert rate == rate.quantize(rule.quantum)
    assert not (rate == 0 and rate.is_signed())
    assert rate <= rate_of(rule, premium + D("0.001"), contract=contract)
    assert D(printed(rule, rate)) == rate


def test_rates_are_printed_as_venues_print_them():
    shown = [printed(rule_of(exchange), rate_of(rule_of(exchange), D(0))) for exchange in DEAD_BANDED]
    assert shown == ["0.00010000", "0.0000125", "0.0001", "0.0001"]
    assert printed(rule_of("hyperliquid"), D(0)) == "0.0"
    assert printed(rule_of("hyperliquid"), D("-0.0000006742")) == "-0.0000006742"


# --- averages ---------------------------------------------------------------------------------------------------------


def test_an_average_is_even_or_rises_to_the_end():
    samples = np.array([100, 200, 600])
    assert average_of(samples) == 300 * GRID
    assert average_of(samples, "rising") == 383 * GRID  # (100 + 400 + 1800) / 6 = 383.33
    assert average_of(-samples, "rising") == -383 * GRID
    assert [average_of(np.array(pair)) / GRID for pair in ([0, 1], [1, 2], [-1, 0], [-1, -2])] == [0, 2, 0, -2]
    with pytest.raises(ValueError, match="samples is empty"):
        average_of(np.zeros(0, np.int64))


@given(st.lists(st.integers(-(5 * 10**9), 5 * 10**9), min_size=1, max_size=50), st.sampled_from(["even", "rising"]))
@settings(max_examples=100)
def test_an_average_is_the_nearest_to_the_exact_one(samples, weights):
    ranks = range(1, len(samples) + 1) if weights == "rising" else [1] * len(samples)
    total, weight = sum(rank * sample for rank, sample in zip(ranks, samples, strict=True)), sum(ranks)
    assert abs(average_of(np.array(samples), weights) / GRID * weight - total) * 2 <= weight


def test_a_day_at_the_largest_premium_does_not_overflow():
    assert average_of(np.full(17_280, 5 * 10**9), "rising") == D("0.5")


# --- what is refused --------------------------------------------------------------------------------------------------


def test_what_is_unknown_is_refused_by_name():
    with pytest.raises(ValueError, match=r"exchange is 'ftx'.*binance, hyperliquid, okx, bybit, cme, sgx"):
        rule_of("ftx")
    with pytest.raises(ValueError, match=r"profile is 'today'.*venue, aleatoric"):
        rule_of("okx", "today")
    with pytest.raises(ValueError, match="interval_h is 3, which okx does not have; it has 8, 4, 2, 1"):
        interval_of(rule_of("okx"), Contract(interval_h=3))


def test_every_exchange_says_what_it_can():
    for exchange in EXCHANGES:
        details = venue_details(exchange)
        assert details.funding == {profile: RULES[exchange, profile] for profile in ("venue", "aleatoric")}
        assert all(rule.note and interval_of(rule, PLAIN) == rule.interval_h for rule in details.funding.values())
    assert not venue_details("cme").funding["venue"].pays
    with pytest.raises(ValueError, match="exchange is 'ftx'"):
        venue_details("ftx")


# --- real payments ----------------------------------------------------------------------------------------------------

TODAY = rule_of("hyperliquid")
EARLY = replace(TODAY, dead_band=D("0.0003"), interval_h=8, intervals_h=(8,))
EIGHTH = replace(TODAY, dead_band=D("0.0003"))
BARE = replace(TODAY, dead_band=None, interest=D(0))
NARROW = replace(TODAY, dead_band=D("0.0002"))
THEN = [  # the first ms in which the venue paid BTC by another version of its rule
    *((1683849600048, EARLY), (1686186000054, EIGHTH), (1686949200129, BARE)),
    *((1689390000194, TODAY), (1689469200058, NARROW)),
]
PAID = [  # ms, premium, rate: Hyperliquid's fundingHistory of BTC, 2023
    (1683849600048, "-0.00091334", "-0.00061334"),
    (1684454400026, "-0.00021077", "0.00008923"),
    (1686373200110, "0.00042444", "0.00001555"),
    (1686776400121, "0.00128462", "0.00012308"),
    (1686949200129, "0.00026996", "0.00003375"),
    (1686992400194, "-0.00000812", "-0.00000101"),
    (1689390000194, "0.00036458", "0.0000125"),
    (1689469200058, "0.00032981", "0.00001623"),
]


def paid_right(at_ms: int, premium: str, rate: str) -> bool:
    """Whether the rule of its time makes a payment; the premium that is shown was rounded, so one unit is the limit."""
    rule = [then for since_ms, then in THEN if since_ms <= at_ms][-1]
    return abs(rate_of(rule, D(premium)) - D(rate)) <= D("1E-8")


@pytest.mark.parametrize(("at_ms", "premium", "rate"), PAID)
def test_real_payments_follow_from_their_premiums(at_ms, premium, rate):
    assert paid_right(at_ms, premium, rate)


def test_a_thousand_real_payments_follow_from_their_premiums():
    """The venue changed its figures four times in two months; the formula stayed, so only data changes here."""
    cassette = WIRE / "cassettes" / "info_test" / "test_get_funding_history[None].yaml"
    if not cassette.is_file():
        pytest.skip(f"no recorded funding at {cassette}")
    text = re.sub(r"\s+", "", cassette.read_text(encoding="utf-8"))
    rows = re.findall(r'"fundingRate":"([^"]+)","premium":"([^"]+)","time":(\d+)', text)
    assert len(rows) == 1038
    assert [row for row in rows if not paid_right(int(row[2]), row[1], row[0])] == []
