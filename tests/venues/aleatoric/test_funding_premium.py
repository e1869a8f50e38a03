"""The premium path: any sample alone or together, no steps, the spread of its process; and the basis of a pair."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from venues.aleatoric.funding.basis import CAP_BPS, basis_block, basis_stream
from venues.aleatoric.funding.premium import (
    MAX,
    NS_PER_SAMPLE,
    PREMIUM_STD_BPS,
    PREMIUM_TAU_H,
    SAMPLES_PER_H,
    ContinuedPath,
    PremiumPath,
)
from venues.aleatoric.funding.rules import GRID, average_of

HOUR_NS = 3_600 * 10**9
START_NS = 489_000 * HOUR_NS  # October 2025
UNITS_PER_BPS = 1e6
GOLDEN_BTC = [630322, 637254, 306558, 333201]
GOLDEN_SHIB = [-7756208, -6415912, -6392290, -3442118]
GOLDEN_AVERAGE = -512290
GOLDEN_BASIS = ["0x1.9783dbccba1dbp+0", "0x1.05d38157f78d0p-2", "0x1.596f173a25cd7p-2"]


def path(seed=7, symbol="BTC", **shape):
    return PremiumPath(seed, symbol, **shape)


@given(st.integers(0, 2**64 - 1), st.lists(st.integers(-50 * 720, 50 * 720), min_size=1, max_size=8))
@settings(max_examples=25)
def test_a_sample_asked_alone_in_any_order_is_the_one_asked_together(seed, ticks):
    one = path(seed)
    for tick in ticks:
        at_ns = START_NS + tick * NS_PER_SAMPLE
        together = path(seed).samples(at_ns - HOUR_NS, at_ns + HOUR_NS, 5)
        assert len(together) == 2 * SAMPLES_PER_H
        assert one.at(at_ns) == one.at(at_ns + NS_PER_SAMPLE - 1) == together[SAMPLES_PER_H - 1] * GRID


def test_golden_premiums():
    btc, shib = path().samples(START_NS, START_NS + HOUR_NS, 900), path(symbol="kSHIB", tau_h=2.5)
    assert btc.tolist() == GOLDEN_BTC
    assert shib.samples(START_NS, START_NS + HOUR_NS, 900).tolist() == GOLDEN_SHIB
    assert average_of(path().samples(START_NS, START_NS + 8 * HOUR_NS, 60), "rising") / GRID == GOLDEN_AVERAGE


def test_nothing_steps_at_the_hour_or_anywhere():
    moves = np.abs(np.diff(path().samples(START_NS, START_NS + 24 * 90 * HOUR_NS, 5)))
    usual = PREMIUM_STD_BPS * UNITS_PER_BPS * np.sqrt(10 / (3600 * PREMIUM_TAU_H))
    assert 0.95 * usual < np.sqrt((moves.astype(float) ** 2).mean()) < 1.05 * usual
    assert moves.max() < 6 * usual
    at_the_hour = moves[SAMPLES_PER_H - 1 :: SAMPLES_PER_H]
    assert at_the_hour.mean() < 1.1 * moves.mean()


@pytest.mark.parametrize(("std_bps", "tau_h"), [(4.0, 12.0), (10.0, 2.0)])
def test_the_path_has_the_spread_and_the_memory_it_was_told(std_bps, tau_h):
    hours = int(1500 * tau_h)
    samples = path(symbol="ETH", std_bps=std_bps, tau_h=tau_h).samples(START_NS, START_NS + hours * HOUR_NS, 1800)
    samples = samples / UNITS_PER_BPS
    for part in (samples[::2], samples[1::2]):  # on the hour, and half past
        assert abs(part.std() / std_bps - 1) < 0.1
        assert abs(part.mean()) < std_bps * 0.15
    lag = int(2 * tau_h)
    assert abs(np.corrcoef(samples[lag:], samples[:-lag])[0, 1] - np.exp(-1)) < 0.1


def test_premiums_of_other_symbols_and_seeds_are_others():
    spans = [p.samples(START_NS, START_NS + 500 * HOUR_NS, 3600) for p in (path(), path(symbol="ETH"), path(seed=8))]
    for one, other in ((0, 1), (0, 2), (1, 2)):
        assert abs(np.corrcoef(spans[one], spans[other])[0, 1]) < 0.4


@given(st.integers(0, 2 * 720), st.integers(0, 3 * 720), st.sampled_from([5, 10, 60, 300, 3600]))
@settings(max_examples=60)
def test_coarser_samples_are_those_of_the_grid_on_its_times(first, count, every_s):
    start_ns, end_ns = START_NS + first * NS_PER_SAMPLE, START_NS + (first + count) * NS_PER_SAMPLE
    fine = dict(enumerate(path().samples(start_ns, end_ns, 5).tolist(), first + 1))
    wanted = [sample for tick, sample in fine.items() if tick * 5 % every_s == 0]
    assert path().samples(start_ns, end_ns, every_s).tolist() == wanted
    assert len(fine) == count


def test_the_first_hours_of_1970_have_premiums_too():
    assert len(path().samples(0, HOUR_NS, 5)) == SAMPLES_PER_H
    assert abs(path().at(0)) < 1


@given(st.floats(0, 1000), st.floats(1e-6, 1000))
@settings(max_examples=15)
def test_any_shape_is_bounded(std_bps, tau_h):
    samples = path(std_bps=std_bps, tau_h=tau_h).samples(START_NS, START_NS + HOUR_NS, 5)
    assert samples.dtype == np.int64
    assert np.abs(samples).max() <= MAX


@pytest.mark.parametrize(
    ("shape", "say"),
    [
        ({"std_bps": -1.0}, "premium_std_bps is -1.0, which is not from 0 to 1000"),
        ({"std_bps": float("nan")}, "premium_std_bps is nan"),
        ({"tau_h": 0.0}, "premium_tau_h is 0.0, which is not above 0 and up to 1000"),
    ],
)
def test_an_impossible_shape_is_refused(shape, say):
    with pytest.raises(ValueError, match=say):
        path(**shape)


@pytest.mark.parametrize("every_s", [0, 1, 7, -5])
def test_samples_between_the_grid_are_refused(every_s):
    with pytest.raises(ValueError, match=f"every_s is {every_s}, which is not a multiple of 5"):
        path().samples(START_NS, START_NS + HOUR_NS, every_s)


# --- a premium that is given and goes on ------------------------------------------------------------------------------


@pytest.mark.parametrize("start_ns", [START_NS, START_NS + 1234 * NS_PER_SAMPLE + 17])
def test_a_continued_premium_starts_where_it_was_given_and_forgets(start_ns):
    given_bps, base = 80.0, path()
    continued = ContinuedPath(base, start_ns, int(given_bps * UNITS_PER_BPS) * GRID)
    samples = continued.samples(start_ns, start_ns + 100 * HOUR_NS, 5)
    assert abs(samples[0] / UNITS_PER_BPS - given_bps) < 0.5
    assert np.abs(np.diff(samples)).max() < 0.5 * UNITS_PER_BPS
    gap = (samples - base.samples(start_ns, start_ns + 100 * HOUR_NS, 5)) / UNITS_PER_BPS
    first = given_bps - float(base.at(start_ns)) * 1e4
    assert abs(gap[int(PREMIUM_TAU_H * SAMPLES_PER_H) - 1] - first * np.exp(-1)) < 0.01
    assert abs(gap[-1]) < 0.1
    alone = continued.samples(start_ns + 9 * HOUR_NS, start_ns + 10 * HOUR_NS, 5)
    assert (alone == samples[9 * SAMPLES_PER_H : 10 * SAMPLES_PER_H]).all()
    minutes = continued.samples(START_NS + 20 * HOUR_NS, START_NS + 21 * HOUR_NS, 60)
    assert (minutes == continued.samples(START_NS + 20 * HOUR_NS, START_NS + 21 * HOUR_NS, 5)[11::12]).all()


# --- the basis of a pair ----------------------------------------------------------------------------------------------


def test_golden_basis():
    found = basis_block(basis_stream(7, "BTCUSDT"), 3, 1.5, np.ones(1024, np.int64))
    assert [one.hex() for one in found[[0, 511, 1023]].tolist()] == GOLDEN_BASIS


@pytest.mark.parametrize("sign", [1, -1, 0])
def test_the_basis_reverts_to_the_side_of_funding(sign):
    stream, last, blocks = basis_stream(11, "ETHUSDT"), 0.0, []
    for block in range(100):
        blocks.append(basis_block(stream, block, last, np.full(1024, sign)))
        last = float(blocks[-1][-1])
    basis = np.concatenate(blocks)[2048:]
    assert abs(basis.mean() - 2.0 * sign) < 0.25
    assert 1.3 < basis.std() < 1.7  # 0.15 / sqrt(2 x 0.005) = 1.5
    assert np.abs(np.diff(basis)).max() < 0.15 * 4.3 + 0.005 * 20


def test_blocks_of_any_size_are_deterministic_and_turn_with_the_sign():
    stream, signs = basis_stream(7, "BTCUSDT"), np.repeat([1, -1], 512)
    assert (basis_block(stream, 5, 0.0, signs) == basis_block(basis_stream(7, "BTCUSDT"), 5, 0.0, signs)).all()
    ones = basis_block(stream, 5, 0.0, np.ones(1024, np.int64))
    turned = basis_block(stream, 5, 0.0, signs)
    assert (turned[:512] == ones[:512]).all()
    assert (turned[512:] < ones[512:]).all()


@given(st.floats(-CAP_BPS, CAP_BPS), st.integers(0, 1000), st.sampled_from([-1, 0, 1]))
@settings(max_examples=40)
def test_the_cap_is_a_bound(start, block, sign):
    assert np.abs(basis_block(basis_stream(1, "X"), block, start, np.full(300, sign))).max() <= CAP_BPS


def test_the_cap_holds_where_the_shocks_push_on():
    pushed = basis_block(basis_stream(1, "X"), 0, 0.0, np.full(4096, 20))  # an aim of 40 bps, which no funding has
    assert pushed.max() == CAP_BPS
    with pytest.raises(ValueError, match=r"start_bps is 15.5, which is not from -15 to 15"):
        basis_block(basis_stream(1, "X"), 0, 15.5, np.zeros(3, np.int64))
