"""What the perpetuals of a market pay, and when: the rule of each over its own premium path."""

from collections.abc import Iterable
from decimal import Decimal
from functools import lru_cache

from msgspec import Struct

from venues.aleatoric.funding.figures import rule_of
from venues.aleatoric.funding.premium import PremiumPath, path_of
from venues.aleatoric.funding.rules import Weights, average_of
from venues.aleatoric.funding.schedule import NS_PER_DAY, NS_PER_HOUR, Period, next_funding_ns, periods
from venues.aleatoric.model import SymbolModel

SETTLED_KEPT = 4096  # two days of 28 coins by the hour, and more


class FundingRate(Struct, frozen=True):
    """What longs pay shorts for the interval that ends at `at_ns`, as a share of the position's value at the oracle."""

    symbol: str
    at_ns: int
    rate: Decimal
    premium: Decimal


@lru_cache(maxsize=SETTLED_KEPT)
def _average(path: PremiumPath, sample_s: int, weights: Weights, start_ns: int, end_ns: int) -> Decimal:
    """The average premium of a span as a venue takes it; kept, because a day of short intervals asks again."""
    return average_of(path.samples(start_ns, end_ns, sample_s), weights)


def period_at(model: SymbolModel, seed: int, at_ns: int) -> Period:
    """The interval that a time is in, the settlement at its end included; with what it will have paid."""
    rule = rule_of(model.funding_venue, model.funding_profile)
    path = path_of(seed, model.symbol, model.premium_std_bps, model.premium_tau_h)

    def averages(start_ns: int, end_ns: int) -> Decimal:
        return _average(path, rule.sample_s, rule.weights, start_ns, end_ns)

    if rule.shortens_to_h:
        start_ns = (at_ns - 1) // NS_PER_DAY * NS_PER_DAY
    else:
        start_ns = next_funding_ns(at_ns - 1, rule.interval_h) - rule.interval_h * NS_PER_HOUR
    return next(period for period in periods(rule, averages, start_ns) if period.end_ns >= at_ns)


def funding(models: Iterable[SymbolModel], seed: int, at_ns: int) -> tuple[FundingRate, ...]:
    """Rates that perpetuals pay at the last full hour at or before a time: of those that settle at that hour."""
    hour_ns = at_ns // NS_PER_HOUR * NS_PER_HOUR
    rates = []
    for model in models:
        if not model.perpetual or not rule_of(model.funding_venue, model.funding_profile).pays:
            continue
        if (period := period_at(model, seed, hour_ns)).end_ns == hour_ns:
            rates.append(FundingRate(model.symbol, hour_ns, period.rate, period.premium))
    return tuple(rates)
