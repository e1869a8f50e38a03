"""A venue's funding rule as data, and the one formula that reads it.

    p     = premium x share x velocity       nothing below the threshold
    core  = p + clamp(interest - p, ±dead band)             without a dead band: p + interest
    rate  = core x damping + carry + insurance               x interval / 8 where the venue divides
    rate  = rate x the contract's multiplier, never beyond its cap

A rule leaves out what its venue does not have, so `venue` rules are the core of today (BitMEX 2016, taken over by
Binance, Hyperliquid, OKX and Bybit) and `aleatoric` rules are the seed's funding page. Where that page names a term
and no formula, the formula is ours and its field says so. Everything is Decimal: a rate is exact until it is
printed.
"""

from decimal import Decimal
from typing import Literal

import numpy as np
from msgspec import Struct

from venues.aleatoric.words import Ints

HOURS_OF_INTEREST = 8  # all venues state their interest for eight hours
GRID = Decimal("1E-10")
"""The grid of premiums: Hyperliquid prints ten decimals in `premium`, more than any other venue."""

Weights = Literal["even", "rising"]


class FundingRule(Struct, frozen=True, kw_only=True):
    """What decides a venue's funding rate; amounts are shares of the position's value, positive when longs pay."""

    exchange: str
    profile: str  # "venue": today's rule, "aleatoric": the seed's figures
    note: str  # where it is published, and what is ours
    pays: bool = True
    # when
    interval_h: int = 8
    intervals_h: tuple[int, ...] = (8,)  # what a contract of this venue may have
    shortens_to_h: tuple[int, ...] = ()  # a rate at its cap shortens the interval to the next of these
    # the average premium
    sample_s: int = 5
    weights: Weights = "even"  # "rising": 1 for the first sample to n for the last
    trails: bool = False  # a predicted rate averages the last hours instead of the interval so far
    # the rate
    interest: Decimal = Decimal("0.0001")  # for eight hours
    interest_scales: bool = False  # to the interval's hours
    divides: bool = False  # by 8 / interval
    dead_band: Decimal | None = None
    premium_share: Decimal = Decimal(1)
    premium_threshold: Decimal = Decimal(0)  # a smaller premium counts for nothing
    velocity_max: Decimal = Decimal(1)
    velocity_full: Decimal = Decimal(1)  # the premium at which velocity is at its most; ours
    damping: Decimal = Decimal(1)
    carry: Decimal = Decimal(0)
    insurance: Decimal = Decimal(0)  # of the premium beyond insurance_from, on top; ours
    insurance_from: Decimal = Decimal(0)
    # its bounds
    cap_soft: Decimal | None = None  # what a contract has unless it says otherwise
    cap_hard: Decimal | None = None  # the widest that any has
    margin_multiple: Decimal | None = None  # the soft cap is this many maintenance margins instead
    # as it is printed
    quantum: Decimal = Decimal("1E-8")
    trims: bool = True  # zeros at the end


class Contract(Struct, frozen=True, kw_only=True):
    """What one contract of a venue has of its own."""

    maintenance_margin: Decimal = Decimal("0.004")  # BTCUSDT at Binance in its first tier: ±0.3 % with multiple 0.75
    cap: Decimal | None = None  # published for the contract alone, e.g. Binance fundingInfo's adjustedFundingRateCap
    interval_h: int | None = None  # None: the venue's usual one
    soft: bool = True  # bounded by the venue's soft cap, else by the hard one
    multiplier: Decimal = Decimal(1)  # Hyperliquid lets the deployer of a HIP-3 dex choose 0 to 10


PLAIN = Contract()


def cap_of(rule: FundingRule, contract: Contract = PLAIN) -> Decimal | None:
    """The bound of a contract's rate on both sides; None where nobody published one."""
    if contract.cap is not None:
        return contract.cap
    if not contract.soft:
        return rule.cap_hard
    if rule.margin_multiple is not None:
        return rule.margin_multiple * contract.maintenance_margin
    return rule.cap_soft


def interval_of(rule: FundingRule, contract: Contract = PLAIN) -> int:
    """A contract's interval before any rate at its cap. Raises ValueError where its venue has no such interval."""
    hours = rule.interval_h if contract.interval_h is None else contract.interval_h
    if hours not in rule.intervals_h:
        known = ", ".join(map(str, rule.intervals_h))
        raise ValueError(f"interval_h is {hours}, which {rule.exchange} does not have; it has {known}")
    return hours


def rate_of(rule: FundingRule, premium: Decimal, interval_h: int | None = None, contract: Contract = PLAIN) -> Decimal:
    """The rate for an interval with this average premium, on the grid that the venue prints."""
    if not rule.pays:
        return Decimal(0)
    hours = interval_of(rule, contract) if interval_h is None else interval_h
    rate = _core(rule, premium, hours) * contract.multiplier
    cap = cap_of(rule, contract)
    return (rate if cap is None else _clamped(rate, cap)).quantize(rule.quantum) + 0  # never minus zero


def _core(rule: FundingRule, premium: Decimal, hours: int) -> Decimal:
    """The rate before the contract's own multiplier and cap."""
    size = abs(premium)
    velocity = 1 + (rule.velocity_max - 1) * min(Decimal(1), size / rule.velocity_full)
    part = premium * rule.premium_share * velocity if size >= rule.premium_threshold else Decimal(0)
    interest = rule.interest * hours / HOURS_OF_INTEREST if rule.interest_scales else rule.interest
    pull = interest if rule.dead_band is None else _clamped(interest - part, rule.dead_band)
    insured = max(Decimal(0), size - rule.insurance_from) * rule.insurance
    rate = (part + pull) * rule.damping + rule.carry + insured.copy_sign(premium)
    return rate * hours / HOURS_OF_INTEREST if rule.divides else rate


def _clamped(value: Decimal, most: Decimal) -> Decimal:
    """A value brought between plus and minus the most it may be."""
    return min(max(value, -most), most)


def at_cap(rule: FundingRule, rate: Decimal, contract: Contract = PLAIN) -> bool:
    """Whether a printed rate stands at its bound, which is what shortens an interval."""
    cap = cap_of(rule, contract)
    return rule.pays and cap is not None and abs(rate) >= cap.quantize(rule.quantum)


def average_of(samples: Ints, weights: Weights = "even") -> Decimal:
    """The average of premium samples in units of GRID, exact and then rounded to GRID, half to even.

    Whole numbers of 64 bits hold a week of samples at the largest premium.

    Raises ValueError where there are none.
    """
    count = len(samples)
    if not count:
        raise ValueError("samples is empty; an average needs one sample at least, so take a longer interval")
    if weights == "even":
        total, weight = int(samples.sum()), count
    else:
        total, weight = int((samples * np.arange(1, count + 1)).sum()), count * (count + 1) // 2
    whole, rest = divmod(total, weight)
    up = 2 * rest > weight or (2 * rest == weight and whole % 2 == 1)
    return Decimal(whole + up) * GRID


def printed(rule: FundingRule, rate: Decimal) -> str:
    """A rate as the venue writes it: "0.00010000" at Binance, "0.0000125" at Hyperliquid."""
    text = f"{rate.quantize(rule.quantum):f}"
    if not rule.trims:
        return text
    text = text.rstrip("0")
    return text + "0" if text.endswith(".") else text
