"""When funding is settled: on full hours of UTC that the interval divides, and sooner after a rate at its cap.

A shortened interval lasts until midnight UTC, and the day after starts with the contract's own again: venues publish
when they shorten, not when they go back (ours). It makes any settlement a function of its own day.
"""

from collections.abc import Callable, Iterator
from decimal import Decimal

from msgspec import Struct

from venues.aleatoric.funding.rules import PLAIN, Contract, FundingRule, at_cap, interval_of, rate_of

NS_PER_HOUR = 3_600_000_000_000
NS_PER_DAY = 24 * NS_PER_HOUR

Averages = Callable[[int, int], Decimal]
"""The average premium from a start to an end (ns)."""


class Period(Struct, frozen=True):
    """One interval of funding: the premium it averaged, and what is paid at its end."""

    start_ns: int
    end_ns: int
    interval_h: int
    premium: Decimal
    rate: Decimal


def settlement_ns(at_ns: int, interval_h: int) -> int:
    """The first settlement at or after a time."""
    interval_ns = interval_h * NS_PER_HOUR
    return -(-at_ns // interval_ns) * interval_ns


def next_funding_ns(at_ns: int, interval_h: int) -> int:
    """The first settlement after a time, as venues stamp it: at a settlement it is already the one after."""
    return settlement_ns(at_ns + 1, interval_h)


def shortened_h(rule: FundingRule, interval_h: int) -> int:
    """The interval after a settlement at the cap: OKX goes down one step, Bybit straight to an hour."""
    return next((hours for hours in rule.shortens_to_h if hours < interval_h), interval_h)


def periods(rule: FundingRule, averages: Averages, start_ns: int, contract: Contract = PLAIN) -> Iterator[Period]:
    """The intervals from a settlement on, without end; each rate decides how long the next interval is."""
    interval_h = usual_h = interval_of(rule, contract)
    while True:
        end_ns = next_funding_ns(start_ns, interval_h)
        premium = averages(start_ns, end_ns)
        rate = rate_of(rule, premium, interval_h, contract)
        yield Period(start_ns, end_ns, interval_h, premium, rate)
        if at_cap(rule, rate, contract):
            interval_h = shortened_h(rule, interval_h)
        if not end_ns % NS_PER_DAY:
            interval_h = usual_h
        start_ns = end_ns
