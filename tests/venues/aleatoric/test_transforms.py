"""Transforms against the machine's own functions, which may be wrong in the last bit but not in the first ten."""

from math import exp, log
from statistics import NormalDist

import numpy as np

from venues.aleatoric import transforms
from venues.aleatoric.words import Stream

UNIFORMS = Stream(1, "transforms").uniforms(0, 0, 20_000)


def test_exp_and_log_to_a_unit_in_the_last_place():
    x = np.linspace(-690, 690, 9_999)
    assert np.abs(transforms.exp(x) / [exp(value) for value in x] - 1).max() < 4e-16
    y = transforms.exp(x[::7])
    assert np.abs(transforms.log(y) - [log(value) for value in y]).max() < 3e-13
    near_one = np.linspace(0.9, 1.1, 999)
    assert np.abs(transforms.log(near_one) - [log(value) for value in near_one]).max() < 5e-17
    assert transforms.exp(np.array([-1e9, 1e9])).tolist() == transforms.exp(np.array([-700.0, 700.0])).tolist()


def test_normals_invert_the_normal_distribution():
    exact = [NormalDist().inv_cdf(value) for value in UNIFORMS]
    assert np.abs(transforms.normals(UNIFORMS) - exact).max() < 1e-14
    tails = np.array([2.0**-54, 1e-300, 1 - 2.0**-53])
    assert np.abs(transforms.normals(tails) - [NormalDist().inv_cdf(value) for value in tails]).max() < 1e-13


def test_quick_normals_have_the_moments_of_normals():
    numbers = transforms.quick_normals(np.arange(1 << 16, dtype=np.uint16))
    assert abs(numbers.mean()) < 1e-12
    assert abs(numbers.var() - 1) < 1e-12
    assert abs((numbers**4).mean() - 3) < 0.01
    assert numbers.max() < 4.5


def test_golden_normals():
    numbers = transforms.normals(np.array([0.001, 0.3, 0.5, 0.99999]))
    known = ["-0x1.8b8cbb7204470p+1", "-0x1.0c7e39582c5fap-1", "0x0.0p+0", "0x1.10f3f8843a850p+2"]
    assert [float(number).hex() for number in numbers] == known


def test_counts_waits_and_sizes_have_their_distribution():
    rates = np.full(len(UNIFORMS), 0.7)
    counts = transforms.poissons(UNIFORMS, rates, 24)
    assert abs(counts.mean() - 0.7) < 0.02
    assert abs(counts.var() - 0.7) < 0.03
    assert transforms.poissons(np.array([1 - 1e-12]), np.array([5.0]), 3).tolist() == [3]
    assert abs(transforms.exponentials(UNIFORMS).mean() - 1) < 0.02
    paretos = transforms.paretos(UNIFORMS, 2.0)
    assert paretos.min() >= 1
    assert abs((paretos > 10).mean() - 0.01) < 0.003


def test_first_order_is_the_recursion_it_stands_for():
    noises = np.stack([np.sin(np.arange(300.0)), np.cos(np.arange(300.0))])
    keeps, x = np.array([0.99, 0.3]), np.array([2.0, -1.0])
    rows = transforms.first_order(noises, keeps, x)
    for step in range(300):
        x = keeps * x + noises[:, step]
        assert np.allclose(rows[:, step], x, rtol=1e-12, atol=1e-12)
