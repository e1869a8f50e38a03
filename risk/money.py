"""Exact arithmetic on integers: what lots at a price are worth, shares of an amount, and how money is written.

`Instrument.notional_minor` says the same as `notional_minor` here, through fractions; this one keeps the ratio of an
instrument at hand, because caps and equity ask for it again and again.
"""

from decimal import Decimal
from functools import lru_cache

from venues.market import MINOR_PER_USD, Instrument

RATIOS_MAX = 1024
"""Ratios kept: more than all instruments of three engines, so that none is worked out twice."""


def divide_half_even(numerator: int, denominator: int) -> int:
    """A quotient rounded to the nearest integer, ties to even; the denominator is positive."""
    quotient, remainder = divmod(numerator, denominator)
    excess = 2 * remainder - denominator
    return quotient + (excess > 0 or (excess == 0 and quotient % 2 == 1))


@lru_cache(maxsize=RATIOS_MAX)
def _ratio(tick: Decimal, lot: Decimal, multiplier: Decimal) -> tuple[int, int]:
    ratios = [part.as_integer_ratio() for part in (tick, lot, multiplier)]
    numerator, denominator = MINOR_PER_USD, 1
    for over, under in ratios:
        numerator, denominator = numerator * over, denominator * under
    return numerator, denominator


def minor_ratio(instrument: Instrument) -> tuple[int, int]:
    """Minor units that one lot is worth per tick, as numerator and denominator."""
    return _ratio(instrument.tick, instrument.lot, instrument.multiplier)


def notional_minor(instrument: Instrument, ticks: int, lots: int) -> int:
    """Value of lots at a price in minor units, half to even; has the sign of lots."""
    numerator, denominator = minor_ratio(instrument)
    return divide_half_even(numerator * ticks * lots, denominator)


def to_minor(usd: Decimal) -> int:
    """Dollars to minor units, rounded towards zero: a bound never grows by being converted."""
    return int(usd * MINOR_PER_USD)


def usd_text(minor: int) -> str:
    """Minor units as dollars, exactly: 1500000 is 1.5."""
    whole, fraction = divmod(abs(minor), MINOR_PER_USD)
    text = f"{whole}.{fraction:06d}".rstrip("0").rstrip(".")
    return f"-{text}" if minor < 0 else text
