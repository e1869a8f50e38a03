"""Mean reversion, gate by gate; every bound from its own side."""

from math import nan

import pytest
from msgspec.structs import replace

from actors.strategy import Act, MeanReversion, SymbolView
from config.profile import SignalLimits, Tier

FLAT = SymbolView(
    symbol="BTC",
    close=100.0,
    warm=True,
    z=0.0,
    trend=None,
    obi=0.5,
    obi_fresh=True,
    facade=False,
    lots=0,
    move=nan,
    held_s=nan,
    held_s_max=3600.0,
)
HELD = replace(FLAT, lots=3, move=0.0, held_s=10.0, z=-2.0)


def strategy(**limits):
    return MeanReversion(SignalLimits(**limits), lambda _: Tier(z_entry=1.25, z_exit=0.5))


def decide(view, limits=None, **changes):
    decision = strategy(**(limits or {})).decide(replace(view, **changes))
    return decision.act, decision.reason


@pytest.mark.parametrize(
    ("z", "obi", "expected"),
    [
        (-1.26, 0.1, (Act.LONG, "z_entry")),
        (-1.25, 0.1, (Act.NONE, "z_inside")),
        (-1.26, 0.0, (Act.NONE, "obi_against")),
        (-1.26, -0.1, (Act.NONE, "obi_against")),
        (1.26, -0.1, (Act.SHORT, "z_entry")),
        (1.25, -0.1, (Act.NONE, "z_inside")),
        (1.26, 0.0, (Act.NONE, "obi_against")),
        (1.26, 0.1, (Act.NONE, "obi_against")),
        (-9.0, None, (Act.NONE, "obi_missing")),
        (9.0, None, (Act.NONE, "obi_missing")),
        (None, 0.9, (Act.NONE, "z_flat")),
        (nan, 0.9, (Act.NONE, "z_inside")),
        (-9.0, nan, (Act.NONE, "obi_against")),
        (9.0, nan, (Act.NONE, "obi_against")),
    ],
)
def test_both_gates_hold_on_one_bar(z, obi, expected):
    assert decide(FLAT, z=z, obi=obi) == expected


def test_a_cold_window_says_that_it_is_cold():
    assert decide(FLAT, z=None, warm=False) == (Act.NONE, "z_cold")


@pytest.mark.parametrize("z", [-2.0, 2.0])
def test_a_stale_book_blocks_both_sides(z):
    assert decide(FLAT, z=z, obi=-z / 4, obi_fresh=False) == (Act.NONE, "obi_stale")


def test_theta_is_a_bound_on_either_side():
    assert decide(FLAT, {"obi_theta": 0.3}, z=-2.0, obi=0.3) == (Act.NONE, "obi_against")
    assert decide(FLAT, {"obi_theta": 0.3}, z=-2.0, obi=0.31) == (Act.LONG, "z_entry")
    assert decide(FLAT, {"obi_theta": 0.3}, z=2.0, obi=-0.3) == (Act.NONE, "obi_against")
    assert decide(FLAT, {"obi_theta": 0.3}, z=2.0, obi=-0.31) == (Act.SHORT, "z_entry")


@pytest.mark.parametrize(
    ("z", "trend", "act"),
    [
        (-2.0, 100.1, Act.NONE),
        (-2.0, 100.0, Act.LONG),
        (-2.0, 99.9, Act.LONG),
        (2.0, 99.9, Act.NONE),
        (2.0, 100.0, Act.SHORT),
        (2.0, 100.1, Act.SHORT),
        (-2.0, None, Act.LONG),
        (2.0, None, Act.SHORT),
    ],
)
def test_the_trend_blocks_longs_below_it_and_shorts_above_it(z, trend, act):
    assert decide(FLAT, z=z, obi=-z / 4, trend=trend)[0] is act
    assert decide(FLAT, {"trend_gate": False}, z=z, obi=-z / 4, trend=trend)[0] is not Act.NONE


def test_a_long_only_engine_never_shorts():
    assert decide(FLAT, {"allow_short": False}, z=5.0, obi=-0.9) == (Act.NONE, "long_only")
    assert decide(FLAT, {"allow_short": False}, z=-5.0, obi=0.9) == (Act.LONG, "z_entry")


@pytest.mark.parametrize(
    ("lots", "z", "expected"),
    [
        (3, -0.5, (Act.NONE, "holding")),
        (3, -0.49, (Act.EXIT, "z_revert")),
        (3, 3.0, (Act.EXIT, "z_revert")),
        (-3, 0.5, (Act.NONE, "holding")),
        (-3, 0.49, (Act.EXIT, "z_revert")),
        (-3, -3.0, (Act.EXIT, "z_revert")),
        (3, None, (Act.NONE, "no_z")),
    ],
)
def test_z_reverts_from_its_own_side(lots, z, expected):
    assert decide(HELD, lots=lots, z=z) == expected


def test_exits_come_in_order_and_need_no_book():
    gone = {"obi": None, "obi_fresh": False, "z": None}
    assert decide(HELD, move=-0.01, held_s=3600.0, **gone) == (Act.EXIT, "stop_loss")
    assert decide(HELD, move=-0.0099, held_s=3600.0, **gone) == (Act.EXIT, "time_stop")
    assert decide(HELD, move=-0.0099, held_s=3599.0, **gone) == (Act.NONE, "no_z")


def test_a_position_is_never_turned_over():
    assert decide(HELD, lots=3, z=5.0, obi=-0.9)[0] is Act.EXIT
    assert decide(HELD, lots=-3, z=-5.0, obi=0.9)[0] is Act.EXIT


def test_a_decision_names_the_bounds_it_was_held_against():
    decision = strategy(obi_theta=0.2).decide(replace(FLAT, z=-2.0, obi=0.1))
    assert (decision.reason, decision.z_bound, decision.obi_bound) == ("obi_against", -1.25, 0.2)
