"""Screens: the score, what is left out, and a choice that is spread over categories."""

from math import isclose, log1p

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from msgspec.structs import replace

from config.load import load_profile
from risk.screen import (
    BARS,
    BARS_MIN,
    HIP3,
    PERPS,
    SPREAD_GAIN,
    Candidate,
    choose,
    listed_flaw,
    measured_flaw,
    ranked,
    scores,
    week_rmsd,
)

PROFILE = load_profile("perps")


def candidate(symbol="xyz:A", category="stock", percent=2.0, **more):
    """One whose closes stray so many per cent."""
    closes = tuple(100.0 * (1 + percent / 100 * (1 if place % 2 else -1)) for place in range(BARS))
    given_ = {"leverage_max": 20, "volume_usd": 1e7, "open_interest_usd": 1e7, "closes": closes} | more
    return Candidate(symbol=symbol, category=category, **given_)


def test_the_score_is_the_seeds():
    """[ln(1 + rmsd) / max] x [ln(1 + OI x volume) / max]."""
    lively, liquid = candidate("a", percent=6.0), candidate("b", percent=1.0, volume_usd=1e9)
    found = scores([lively, liquid])
    assert isclose(found["a"], log1p(1e14) / log1p(1e16))
    assert isclose(found["b"], log1p(week_rmsd(liquid.closes)) / log1p(week_rmsd(lively.closes)))


def test_few_closes_are_brought_to_a_week():
    closes = candidate(percent=2.0).closes
    assert isclose(week_rmsd(closes), 2.0, rel_tol=1e-9)
    assert isclose(week_rmsd(closes[: BARS // 2 + 1]), 2.0 * (BARS / 22) ** 0.5, rel_tol=0.01)


@pytest.mark.parametrize(
    ("bounds", "changes", "why"),
    [
        (HIP3, {}, ""),
        (HIP3, {"volume_usd": 499_999.0}, "volume 499,999 USD a day, 500,000 wanted"),
        (HIP3, {"volume_usd": float("nan")}, "volume nan USD a day, 500,000 wanted"),
        (HIP3, {"open_interest_usd": 1.0}, "open interest 1 USD, 1,000,000 wanted"),
        (PERPS, {"leverage_max": 2}, "leverage up to 2, 3 wanted"),
        (PERPS, {"volume_usd": 1.0}, ""),
    ],
)
def test_what_is_listed_and_will_not_do(bounds, changes, why):
    assert listed_flaw(replace(candidate(), **changes), bounds) == why


@pytest.mark.parametrize(
    ("bounds", "changes", "why"),
    [
        (PERPS, {"spread_bps": 5.0}, ""),
        (PERPS, {"spread_bps": 5.1}, "spread 5.1 bps, at most 5 wanted"),
        (PERPS, {"spread_bps": None}, "no two-sided book"),
        (HIP3, {"spread_bps": None}, ""),
        (HIP3, {"closes": (1.0,) * (BARS_MIN - 1)}, "9 bars of 4 h, 10 wanted"),
        (HIP3, {"closes": (0.0,) * BARS}, "its closes are no prices"),
    ],
)
def test_what_is_measured_and_will_not_do(bounds, changes, why):
    assert measured_flaw(replace(candidate(), **changes), bounds) == why


def test_a_category_with_room_goes_before_a_slightly_better_one_without():
    stocks = [candidate(f"s{n:02}", percent=3.0) for n in range(13)]
    index = candidate("index", "index", percent=3.0 / SPREAD_GAIN)
    chosen = [one.symbol for one in choose([*stocks, index], HIP3, 13)]
    assert chosen[:12] == [f"s{n:02}" for n in range(12)]
    assert chosen[12] == "index", "the thirteenth stock has no room left"


def test_pins_come_first_and_without_targets_only_the_score_counts():
    coins = [candidate("BTC", "major", 0.5), candidate("SOL", "alt", 4.0), candidate("ETH", "major", 1.0)]
    assert [one.symbol for one in choose(coins, PERPS, 3)] == ["BTC", "ETH", "SOL"]
    assert [one.symbol for one in choose(coins, PERPS, 1)] == ["BTC"]


@given(
    st.lists(st.tuples(st.sampled_from(["stock", "index", "fx"]), st.floats(0.1, 9.0)), max_size=12),
    st.integers(1, 14),
    st.randoms(),
)
@settings(max_examples=60)
def test_a_choice_does_not_depend_on_the_order_it_was_listed_in(rows, top, chance):
    every = [candidate(f"n{place}", category, percent) for place, (category, percent) in enumerate(rows)]
    chosen = [one.symbol for one in choose(every, HIP3, top)]
    mixed = [*every]
    chance.shuffle(mixed)
    assert [one.symbol for one in choose(mixed, HIP3, top)] == chosen
    assert len(chosen) == len(set(chosen)) == min(top, len(every))


def test_the_chosen_have_the_tier_of_their_week_and_bounded_leverage():
    every = [
        candidate("xyz:A", "stock", 5.5),
        candidate("xyz:B", "commodity", 1.0, leverage_max=3),
        candidate("xyz:EUR", "fx", 0.5, leverage_max=50),
        candidate("BTC", "major", 9.0, leverage_max=40),
    ]
    rows = {row.symbol: row for row in ranked(every, scores(every), PROFILE)}
    assert [(row.z_entry, row.z_exit, row.leverage) for row in rows.values()] == [
        (2.0, 0.5, 5),
        (1.5, 0.3, 3),
        (1.25, 0.25, 20),
        (1.25, 0.5, 10),
    ]


def test_the_operators_tier_wins(tmp_path):
    path = tmp_path / "my.toml"
    path.write_text('[perps.tiers]\n"xyz:TSLA" = { z_entry = 0.9, z_exit = 0.2 }\n')
    one = candidate("xyz:TSLA", percent=8.0)
    (row,) = ranked([one], scores([one]), load_profile("perps", [path]))
    assert (row.z_entry, row.z_exit) == (0.9, 0.2)
