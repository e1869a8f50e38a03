"""Delays: bounded, repeatable, and independent of each other."""

import pytest

from supervisor.clock import NS_PER_MS
from venues.latency import COLOCATED, MODES, RETAIL, ZERO, Latency, LatencyModel


def draws(model, purpose, count=200):
    return [model.delay_ns(purpose) for _ in range(count)]


def test_no_latency_is_no_latency():
    assert draws(LatencyModel(ZERO, 7), "order", 3) == [0, 0, 0]


@pytest.mark.parametrize(("latency", "low_ms", "high_ms"), [(COLOCATED, 1, 5), (RETAIL, 50, 200)])
def test_the_named_modes_keep_their_bounds(latency, low_ms, high_ms):
    delays = draws(LatencyModel(latency, 7), "order")
    assert min(delays) >= low_ms * NS_PER_MS
    assert max(delays) < high_ms * NS_PER_MS
    assert max(delays) - min(delays) > 0.8 * (high_ms - low_ms) * NS_PER_MS


def test_same_seed_same_delays_other_seed_others():
    assert draws(LatencyModel(RETAIL, 7), "order") == draws(LatencyModel(RETAIL, 7), "order")
    assert draws(LatencyModel(RETAIL, 7), "order") != draws(LatencyModel(RETAIL, 8), "order")


def test_one_purpose_does_not_shift_another():
    alone, beside = LatencyModel(RETAIL, 7), LatencyModel(RETAIL, 7)
    beside.delay_ns("fill")
    assert draws(alone, "order") == draws(beside, "order")


def test_a_draw_is_the_same_on_every_machine():
    assert LatencyModel(RETAIL, 7).delay_ns("order") == 93_732_867


@pytest.mark.parametrize("bad", [-1.0, float("nan"), float("inf")])
def test_a_delay_is_a_finite_number_from_0(bad):
    with pytest.raises(ValueError, match=r"fixed_ms is .*0 or more"):
        Latency(bad)
    with pytest.raises(ValueError, match="jitter_ms"):
        Latency(0, bad)


def test_every_mode_has_its_name():
    assert MODES == {"zero": ZERO, "colocated": COLOCATED, "retail": RETAIL}
