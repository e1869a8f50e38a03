"""Funding: a premium path for each perpetual, and Hyperliquid's rule that turns it into an hourly payment.

The premium is an Ornstein-Uhlenbeck process, written as a weighted sum of its last shocks, so any hour can be
asked for alone and in any order. The rule (Hyperliquid docs, "Funding"): an eight-hour rate
F = P + clamp(I - P, -0.05 %, +0.05 %), an eighth of it paid each hour, never above 4 % an hour.
"""

from collections.abc import Iterable
from decimal import Decimal
from math import sqrt

import numpy as np
from msgspec import Struct

from venues.aleatoric.model import SymbolModel
from venues.aleatoric.transforms import exp_of, quick_normals
from venues.aleatoric.words import Lane, Stream

NS_PER_HOUR = 3_600_000_000_000
INTEREST = Decimal("0.0001")  # 0.01 % for eight hours
CLAMP = Decimal("0.0005")  # the dead band around interest
HOURS_OF_RATE = 8
RATE_MAX = Decimal("0.04")  # an hour
PREMIUM_STD = 0.0004  # of the hour's mean premium: most hours pay plain interest, as in reality
PREMIUM_TAU_H = 12.0
SHOCKS = 96  # hours after which a shock has faded to e^-8
_QUANTUM = 1e-9


class FundingRate(Struct, frozen=True):
    """What longs pay shorts for the hour that ends at `at_ns`, as a share of the position's value at the oracle."""

    symbol: str
    at_ns: int
    rate: Decimal
    premium: Decimal


def hyperliquid_rate(premium: Decimal) -> Decimal:
    """The hourly rate of an hour's mean premium."""
    eight_hours = premium + min(max(INTEREST - premium, -CLAMP), CLAMP)
    return min(max(eight_hours / HOURS_OF_RATE, -RATE_MAX), RATE_MAX)


def premium(seed: int, symbol: str, hour: int) -> Decimal:
    """Mean premium of the perpetual over its oracle in the hour since 1970 that ends at `hour`."""
    stream = Stream(seed, f"funding:{symbol}")
    # One shock an hour, numbered from 1970: the last SHOCKS of them lie in this block of hours or the one before.
    block, place = divmod(hour, SHOCKS)
    shorts = [stream.shorts(max(0, part), Lane.PREMIUM, SHOCKS) for part in (block - 1, block)]
    shocks = quick_normals(np.concatenate(shorts))[place + 1 : place + 1 + SHOCKS].tolist()
    keep = exp_of(-1.0 / PREMIUM_TAU_H)
    total = 0.0
    for shock in shocks:
        total = keep * total + shock
    total *= sqrt(1.0 - keep * keep) * PREMIUM_STD
    return Decimal(round(total / _QUANTUM)) * Decimal(repr(_QUANTUM))


def funding(models: Iterable[SymbolModel], seed: int, at_ns: int) -> tuple[FundingRate, ...]:
    """Rates that every perpetual pays at the last full hour at or before a time."""
    hour = at_ns // NS_PER_HOUR
    rates = []
    for model in models:
        if model.perpetual:
            mean = premium(seed, model.symbol, hour)
            rates.append(FundingRate(model.symbol, hour * NS_PER_HOUR, hyperliquid_rate(mean), mean))
    return tuple(rates)
