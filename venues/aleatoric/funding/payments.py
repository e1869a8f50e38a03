"""What the perpetuals of a market pay, and when: the rule of each over its own premium path."""

from collections.abc import Iterable
from decimal import Decimal
from functools import lru_cache

from msgspec import Struct

from venues.aleatoric.funding.figures import rule_of
from venues.aleatoric.funding.premium import PremiumPath, path_of
from venues.aleatoric.funding.rules import Weights, average_of, rate_of
from venues.aleatoric.funding.schedule import NS_PER_DAY, NS_PER_HOUR, Period, periods
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
    """The interval that a time is in, start included: `end_ns` is the next funding time, `rate` is paid then."""
    rule = rule_of(model.funding_venue, model.funding_profile)
    path = path_of(seed, model.symbol, model.premium_std_bps, model.premium_tau_h)

    def averages(start_ns: int, end_ns: int) -> Decimal:
        return _average(path, rule.sample_s, rule.weights, start_ns, end_ns)

    # Where intervals shorten, one has to be walked to from midnight.
    span_ns = NS_PER_DAY if rule.shortens_to_h else rule.interval_h * NS_PER_HOUR
    return next(period for period in periods(rule, averages, at_ns // span_ns * span_ns) if period.end_ns > at_ns)


def last_settled(model: SymbolModel, seed: int, at_ns: int) -> Period:
    """The interval whose settlement is the last at or before a time: its rate is the last funding rate."""
    return period_at(model, seed, period_at(model, seed, at_ns).start_ns - 1)


def predicted(model: SymbolModel, seed: int, at_ns: int) -> Period:
    """The interval that a time is in with what it would pay if it ended now, as venues show it before a settlement.

    The premium is the average so far (OKX: of the last hours); before the first sample it is the newest before that.
    """
    rule, now = rule_of(model.funding_venue, model.funding_profile), period_at(model, seed, at_ns)
    path = path_of(seed, model.symbol, model.premium_std_bps, model.premium_tau_h)
    start_ns = at_ns - now.interval_h * NS_PER_HOUR if rule.trails else now.start_ns
    samples = path.samples(start_ns, at_ns, rule.sample_s)
    premium = average_of(samples, rule.weights) if len(samples) else path.at(at_ns)
    return Period(now.start_ns, now.end_ns, now.interval_h, premium, rate_of(rule, premium, now.interval_h))


def funding(models: Iterable[SymbolModel], seed: int, at_ns: int) -> tuple[FundingRate, ...]:
    """Rates that perpetuals pay at the last full hour at or before a time: of those that settle at that hour."""
    hour_ns = at_ns // NS_PER_HOUR * NS_PER_HOUR
    rates = []
    for model in models:
        if not model.perpetual or not rule_of(model.funding_venue, model.funding_profile).pays:
            continue
        if (period := period_at(model, seed, hour_ns - 1)).end_ns == hour_ns:
            rates.append(FundingRate(model.symbol, hour_ns, period.rate, period.premium))
    return tuple(rates)
