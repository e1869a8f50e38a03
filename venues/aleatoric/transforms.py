"""From uniform numbers to distributions, with the same bits on every machine.

numpy's log and exp may differ in the last bit between processors and versions (it picks SIMD code at run time), and
its sums may change their order; Python's own sum of floats changed in 3.12. So everything here, and everything in the
model, is made of steps that IEEE 754 fixes exactly: elementwise + - * / sqrt, rounding, frexp and ldexp, comparisons,
and integer arithmetic. Nothing needs to be snapped to a grid to agree, and prices and sizes leave the model as whole
ticks and lots anyway.
"""

from functools import cache
from math import factorial, fsum, sqrt

import numpy as np
from numpy.typing import NDArray

from venues.aleatoric.words import Floats, Ints

# Cody & Waite: ln 2 in two parts, the first short enough that a whole number times it is exact.
_LN2_HIGH, _LN2_LOW = 6.93147180369123816490e-01, 1.90821492927058770002e-10
_LOG2_E = 1.4426950408889634
_SQRT_HALF = 0.7071067811865476
_EXP_TERMS = tuple(1.0 / factorial(n) for n in range(13, -1, -1))  # Taylor to r^13/13!: below 2^-53 for |r| <= ln2/2
_LOG_TERMS = tuple(1.0 / n for n in range(21, 0, -2))  # atanh series to s^21/21: below 2^-53 for |s| <= 0.172
DECAY_MIN = 1e-18  # what remains of a shock after this is below the last bit
EXP_ARGUMENT_MAX = 700.0  # e^709 is the largest double


def _horner(terms: tuple[float, ...], x: Floats) -> Floats:
    """A polynomial, highest power first, one rounding a step."""
    total = x * terms[0]
    total += terms[1]
    for term in terms[2:]:
        total *= x
        total += term
    return total


def exp(x: Floats) -> Floats:
    """e^x to about one unit in the last place; arguments beyond ±700 are taken as ±700."""
    x = np.minimum(np.maximum(x, -EXP_ARGUMENT_MAX), EXP_ARGUMENT_MAX)
    whole = np.rint(x * _LOG2_E)
    rest = (x - whole * _LN2_HIGH) - whole * _LN2_LOW
    result: Floats = np.ldexp(_horner(_EXP_TERMS, rest), whole.astype(np.int32))
    return result


def log(x: Floats) -> Floats:
    """Natural logarithm of positive numbers to about one unit in the last place."""
    mantissa, exponent = np.frexp(x)
    small = mantissa < _SQRT_HALF
    mantissa = np.where(small, mantissa * 2.0, mantissa)
    powers = (exponent - small).astype(np.float64)
    s = (mantissa - 1.0) / (mantissa + 1.0)
    series: Floats = 2.0 * s * _horner(_LOG_TERMS, s * s)
    return powers * _LN2_HIGH + (series + powers * _LN2_LOW)


@cache
def exp_of(x: float) -> float:
    """e^x of one number, for constants: the machine's own exp may differ from the next machine's."""
    return float(exp(np.array([x]))[0])


@cache
def log_of(x: float) -> float:
    """Natural logarithm of one number, for constants."""
    return float(log(np.array([x]))[0])


# Wichura 1988, algorithm AS 241 (PPND16): inverse normal to 1 part in 10^16. Highest power first.
_CENTRE_OVER = (2509.0809287301226727, 33430.575583588128105, 67265.770927008700853, 45921.953931549871457,
                13731.693765509461125, 1971.5909503065514427, 133.14166789178437745, 3.3871328727963666080)  # fmt: skip
_CENTRE_UNDER = (5226.4952788528545610, 28729.085735721942674, 39307.895800092710610, 21213.794301586595867,
                 5394.1960214247511077, 687.18700749205790830, 42.313330701600911252, 1.0)  # fmt: skip
_NEAR_OVER = (7.74545014278341407640e-4, 2.27238449892691845833e-2, 2.41780725177450611770e-1,
              1.27045825245236838258, 3.64784832476320460504, 5.76949722146069140550,
              4.63033784615654529590, 1.42343711074968357734)  # fmt: skip
_NEAR_UNDER = (1.05075007164441684324e-9, 5.47593808499534494600e-4, 1.51986665636164571966e-2,
               1.48103976427480074590e-1, 6.89767334985100004550e-1, 1.67638483018380384940,
               2.05319162663775882187, 1.0)  # fmt: skip
_FAR_OVER = (2.01033439929228813265e-7, 2.71155556874348757815e-5, 1.24266094738807843860e-3,
             2.65321895265761230930e-2, 2.96560571828504891230e-1, 1.78482653991729133580,
             5.46378491116411436990, 6.65790464350110377720)  # fmt: skip
_FAR_UNDER = (2.04426310338993978564e-15, 1.42151175831644588870e-7, 1.84631831751005468180e-5,
              7.86869131145613259100e-4, 1.48753612908506148525e-2, 1.36929880922735805310e-1,
              5.99832206555887937690e-1, 1.0)  # fmt: skip
_CENTRE, _CENTRE_SQUARE, _NEAR, _NEAR_SHIFT = 0.425, 0.180625, 5.0, 1.6


def normals(uniforms: Floats) -> Floats:
    """Standard normal numbers by inverting the distribution at uniform numbers."""
    from_centre = uniforms - 0.5
    square = _CENTRE_SQUARE - from_centre * from_centre
    result = from_centre * _horner(_CENTRE_OVER, square) / _horner(_CENTRE_UNDER, square)
    outside = np.flatnonzero(np.abs(from_centre) > _CENTRE)
    tail = uniforms[outside]
    radius = np.sqrt(-log(np.minimum(tail, 1.0 - tail)))
    near, far = radius - _NEAR_SHIFT, radius - _NEAR
    size = np.where(
        radius <= _NEAR,
        _horner(_NEAR_OVER, near) / _horner(_NEAR_UNDER, near),
        _horner(_FAR_OVER, far) / _horner(_FAR_UNDER, far),
    )
    result[outside] = np.where(tail < 0.5, -size, size)
    return result


_SHORTS = 1 << 16


def _short_table() -> Floats:
    """A normal for each number of 16 bits, of variance 1 in all."""
    table = normals((np.arange(_SHORTS) + 0.5) / _SHORTS)
    result: Floats = table * sqrt(_SHORTS / fsum((table * table).tolist()))
    return result


_SHORT_NORMALS = _short_table()


def quick_normals(shorts: NDArray[np.uint16]) -> Floats:
    """Standard normal numbers from 16 bits each, up to 4.2: for shocks that add up."""
    return _SHORT_NORMALS.take(shorts)


_SHORT_EXPONENTIALS: Floats = -log((np.arange(_SHORTS) + 0.5) / _SHORTS)


def quick_exponentials(shorts: NDArray[np.uint16]) -> Floats:
    """Exponential numbers of mean 1 from 16 bits each, up to 11.8."""
    return _SHORT_EXPONENTIALS.take(shorts)


def exponentials(uniforms: Floats) -> Floats:
    """Exponential numbers of mean 1."""
    return -log(uniforms)


def paretos(uniforms: Floats, tail: float) -> Floats:
    """Pareto numbers of minimum 1: P(X > x) = x^-tail."""
    return exp(log(uniforms) * (-1.0 / tail))


def poissons(uniforms: Floats, rates: Floats, most: int) -> Ints:
    """Poisson counts by inverting the distribution, cut off at `most` (choose it where the rate leaves nothing)."""
    term = exp(-rates)
    reached = term.copy()
    counts = np.zeros(len(rates), np.int64)
    for n in range(1, most + 1):
        above = uniforms > reached
        if not above.any():
            break
        counts += above
        term *= rates / n
        reached += term
    return counts


def first_order(noises: Floats, keeps: Floats, starts: Floats) -> Floats:
    """Rows x[t] = keep x[t-1] + noise[t] from x[-1] = start, by doubling strides: 10 steps for 1024 columns."""
    x = noises.copy()
    x[:, 0] += keeps * starts
    stride, decay = 1, keeps[:, None].copy()
    while stride < x.shape[1] and decay.max() > DECAY_MIN:
        x[:, stride:] += decay * x[:, :-stride]
        decay *= decay
        stride *= 2
    return x
