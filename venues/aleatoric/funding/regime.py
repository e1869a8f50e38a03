"""What the seed's API page calls simulate_funding_regime: funding from now on, given a spot and a mark price.

The response has the page's fields. One thing differs on purpose: the page makes later periods from a template of
alternating signs; here they are averages of one premium path that starts at the given premium and goes on as the
process of a perpetual does, so signs come as they come, and a rate at its cap shortens the next interval where the
venue does that. All exchanges of a seed see the same path, so that their rules can be compared.
"""

from datetime import UTC, datetime
from decimal import Decimal
from itertools import islice

from msgspec import UNSET, Struct, UnsetType

from supervisor.clock import NS_PER_MS, NS_PER_S
from venues.aleatoric.funding.figures import rule_of
from venues.aleatoric.funding.premium import MAX, ContinuedPath, path_of
from venues.aleatoric.funding.rules import GRID, Contract, average_of, interval_of
from venues.aleatoric.funding.schedule import NS_PER_HOUR, Period, next_funding_ns, periods
from venues.aleatoric.model import PREMIUM_STD_BPS, PREMIUM_TAU_H

PERIODS_MAX = 12  # the page's "max ~12"
START_NS_MAX = 10**19 - 1  # the year 2286: a longer number is no time in nanoseconds
PATH_NAME = "regime"
HOURS_PER_YEAR = 24 * 365  # the page annualises 0.00035 each 8 h to 0.3832
BPS = 10_000

Number = Decimal | float | int


class RegimeRequest(Struct, frozen=True, kw_only=True):
    """The page's request, with the profile, the start and the premium's shape as arguments too."""

    exchange: str
    spot_price: Number
    mark_price: Number
    position_size: Number | None = None  # in coins, negative is short
    num_periods: int = 1
    use_soft_cap: bool = True
    seed: int = 42
    profile: str = "aleatoric"  # the page's own figures; "venue": today's rules
    start_ns: int = 0  # since 1970
    premium_std_bps: float = PREMIUM_STD_BPS
    premium_tau_h: float = PREMIUM_TAU_H


class RegimePeriod(Struct, frozen=True):
    """One settlement interval of the response."""

    period_index: int
    start_ts_ms: int
    next_funding_time: int  # ms
    funding_rate: float
    funding_rate_bps: float
    premium_bps: float


class FundingRegime(Struct, frozen=True, kw_only=True):
    """The page's response: the current interval's figures, then every interval."""

    exchange: str
    funding_rate: float
    funding_rate_bps: float
    premium_bps: float
    perp_price: float
    settlement_times: list[str]
    interval_hours: int
    annualized_rate: float
    periods: list[RegimePeriod]
    position_pnl: float | UnsetType = UNSET  # what the position receives over all periods; only where it was given


def simulate_funding_regime(request: RegimeRequest) -> FundingRegime:
    """Funding of the interval that the start is in, and of those after it.

    Period 0 has the rule's rate for the given spot and mark. Raises ValueError naming the field, its value and what
    would be right.
    """
    spot, mark = _price("spot_price", request.spot_price), _price("mark_price", request.mark_price)
    premium = (mark / spot - 1).quantize(GRID) if mark < 2 * spot else Decimal(1)
    if not abs(premium) <= MAX * GRID:
        raise ValueError(f"mark_price is {mark}, which is not within {MAX * GRID:.0%} of spot_price {spot}")
    if not 1 <= request.num_periods <= PERIODS_MAX:
        raise ValueError(f"num_periods is {request.num_periods}, which is not from 1 to {PERIODS_MAX}")
    if not 0 <= request.start_ns <= START_NS_MAX:
        raise ValueError(f"start_ns is {request.start_ns}, which is not nanoseconds since 1970, up to {START_NS_MAX}")
    found = _simulated(request, premium)
    now = found[0]
    return FundingRegime(
        exchange=request.exchange,
        funding_rate=float(now.rate),
        funding_rate_bps=float(now.rate * BPS),
        premium_bps=float(premium * BPS),
        perp_price=float(mark),
        settlement_times=[datetime.fromtimestamp(one.end_ns // NS_PER_S, UTC).isoformat() for one in found],
        interval_hours=now.interval_h,
        annualized_rate=float(now.rate * HOURS_PER_YEAR / now.interval_h),
        periods=[_shown(index, one) for index, one in enumerate(found)],
        position_pnl=_pnl(request.position_size, spot, found),
    )


def _simulated(request: RegimeRequest, premium: Decimal) -> list[Period]:
    """The intervals, the first with the given premium and the others with their average on the path."""
    rule, contract = rule_of(request.exchange, request.profile), Contract(soft=request.use_soft_cap)
    shape = (request.premium_std_bps, request.premium_tau_h)
    path = ContinuedPath(path_of(request.seed, PATH_NAME, *shape), request.start_ns, premium)
    hours = interval_of(rule, contract)
    first_ns = next_funding_ns(request.start_ns, hours) - hours * NS_PER_HOUR

    def averages(start_ns: int, end_ns: int) -> Decimal:
        if start_ns == first_ns:
            return premium
        return average_of(path.samples(start_ns, end_ns, rule.sample_s), rule.weights)

    return list(islice(periods(rule, averages, first_ns, contract), request.num_periods))


def _shown(index: int, period: Period) -> RegimePeriod:
    """A period as the page prints it."""
    return RegimePeriod(
        index,
        period.start_ns // NS_PER_MS,
        period.end_ns // NS_PER_MS,
        float(period.rate),
        float(period.rate * BPS),
        float(period.premium * BPS),
    )


def _pnl(position: Number | None, spot: Decimal, found: list[Period]) -> float | UnsetType:
    """What a position receives: longs pay a positive rate on their value at the mark, spot being as it is."""
    if position is None:
        return UNSET
    size = _number("position_size", position)
    return float(sum((-size * spot * (1 + one.premium) * one.rate for one in found), Decimal(0)) + 0)


def _number(name: str, value: Number) -> Decimal:
    """A finite number of a request, as it was written."""
    number = Decimal(str(value))
    if not number.is_finite():
        raise ValueError(f"{name} is {value}, which is not a finite number")
    return number


def _price(name: str, value: Number) -> Decimal:
    """A price of a request."""
    price = _number(name, value)
    if price <= 0:
        raise ValueError(f"{name} is {value}, which is not above zero")
    return price
