"""RMSD of closes, and the tier that a symbol gets by it."""

from math import isclose, sqrt

import numpy as np
import pytest

from config.load import load_profile
from config.profile import TierRule, TierStep
from risk.tiers import BARS_MIN, rmsd_percent, tier_of, week_rmsd_percent

MINUTES = 240
FOUR_HOURS_S = 14_400
STOCK = load_profile("perps").tier_rules["stock"]


def swing(percent, bars=MINUTES):
    """Closes whose RMSD is so many per cent of their mean."""
    return [100.0 * (1 + percent / 100 * (1 if place % 2 else -1)) for place in range(bars)]


def test_rmsd_is_the_coefficient_of_variation():
    closes = [100.0, 101.0, 99.5, 103.25, 98.0]
    assert isclose(rmsd_percent(closes), 100 * np.std(closes) / np.mean(closes), rel_tol=1e-12)
    assert rmsd_percent([7.0] * 9) == 0.0


@pytest.mark.parametrize("closes", [[], [float("nan"), 1.0], [float("inf")], [-1.0, 1.0], [-2.0, -3.0]])
def test_what_is_no_price_has_no_rmsd(closes):
    assert rmsd_percent(closes) is None


def test_four_hours_of_minutes_are_brought_to_the_week_that_the_steps_are_made_for():
    assert isclose(week_rmsd_percent(swing(0.5), 60), 0.5 * sqrt(7 * 24 / 4), rel_tol=1e-12)
    week = swing(3.0, 42)
    assert week_rmsd_percent(week, FOUR_HOURS_S) == rmsd_percent(week)  # a screen's week of 4 h closes is one already


@pytest.mark.parametrize(("bars", "bar_s"), [(BARS_MIN - 1, 60), (MINUTES, 1), (0, 60)])
def test_too_little_to_say_is_not_said(bars, bar_s):
    assert week_rmsd_percent(swing(1.0, bars), bar_s) is None


@pytest.mark.parametrize(
    ("rmsd", "z"),
    [
        (None, (1.5, 0.3)),
        (0.0, (1.5, 0.3)),
        (2.999, (1.5, 0.3)),
        (3.0, (1.75, 0.4)),
        (5.0, (2.0, 0.5)),
        (7.99, (2.0, 0.5)),
        (8.0, (2.5, 0.75)),
        (80.0, (2.5, 0.75)),
    ],
)
def test_the_seeds_steps_of_stocks(rmsd, z):
    tier = tier_of(STOCK, rmsd)
    assert (tier.z_entry, tier.z_exit) == z


def test_a_commodity_that_was_not_measured_is_taken_for_a_lively_one():
    commodity = load_profile("perps").tier_rules["commodity"]
    assert [tier_of(commodity, rmsd).z_entry for rmsd in (None, 0.3, 1.49, 1.5)] == [1.75, 1.5, 1.5, 1.75]


def test_below_the_first_step_the_base_holds():
    rule = TierRule(z_entry=1.0, z_exit=0.5, steps=(TierStep(z_entry=2.0, z_exit=0.5, rmsd_min=4.0),))
    assert tier_of(rule, 3.9) is rule
