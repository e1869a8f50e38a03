"""Screens: which perpetuals are lively and liquid enough to be worth a look, and how to spread a choice over them.

score = volatility x liquidity, each as a share of the liveliest and the most liquid, on a logarithmic scale, because
both span orders of magnitude: ln(1 + RMSD %) and ln(1 + open interest x volume of a day, in dollars), as
obi-execution-engine's screeners have it. A choice of builder names is spread: one of a category that has fewer than its
target counts for half as much again. Nothing here trades: a choice is for a person to review.
"""

from collections import Counter
from collections.abc import Mapping, Sequence
from math import log1p, sqrt

from msgspec import Struct

from config.profile import Profile, Tier
from risk.tiers import WEEK_S, rmsd_percent, tier_of, week_rmsd_percent

BAR_S = 4 * 3_600
BARS = WEEK_S // BAR_S
"""A week of 4 h closes: what RMSD is measured over."""

BARS_MIN = 10
"""Fewer bars, of a name just listed, are no measure (the seed's bound)."""

SPREAD_GAIN = 1.5
"""What a name of a category with room counts for."""

CATEGORY_TARGETS = {"index": 2, "commodity": 5, "fx": 2, "etf": 2, "stock": 12}
"""Names of a category that a spread choice of builder names would have."""

CATEGORY_LEVERAGE_MAX = {"index": 10, "commodity": 10, "etf": 10, "fx": 20, "stock": 5, "major": 10, "alt": 10}
"""What moves less may be held with more: the seed's caps, and 10 for native coins."""


class Candidate(Struct, frozen=True, kw_only=True):
    """A perpetual as a venue lists it, with what was measured of it."""

    symbol: str
    category: str
    leverage_max: int  # the venue's
    volume_usd: float  # of 24 hours
    open_interest_usd: float
    spread_bps: float | None = None  # None: no two-sided book, or not asked
    closes: tuple[float, ...] = ()  # 4 h apart, oldest first


class Bounds(Struct, frozen=True, kw_only=True):
    """What a candidate must be, and how the choice is made."""

    volume_usd_min: float = 0.0
    open_interest_usd_min: float = 0.0
    leverage_max_min: int = 1
    spread_bps_max: float | None = None  # given: the spread is asked for
    pinned: tuple[str, ...] = ()  # chosen first, whatever their score
    targets: Mapping[str, int] = {}


HIP3 = Bounds(volume_usd_min=500_000, open_interest_usd_min=1_000_000, targets=CATEGORY_TARGETS)
"""Builder names: the seed's filter."""

PERPS = Bounds(leverage_max_min=3, spread_bps_max=5.0, pinned=("BTC", "ETH"))
"""Native coins: the seed's filter and its pins."""


class Ranked(Struct, frozen=True, kw_only=True):
    """A candidate that was chosen."""

    rank: int
    symbol: str
    category: str
    rmsd: float  # per cent, of a week
    volume_usd: float
    open_interest_usd: float
    spread_bps: float | None
    score: float  # of 1, before spreading
    z_entry: float
    z_exit: float
    leverage: int


class LeftOut(Struct, frozen=True):
    """A candidate that was not, and why."""

    symbol: str
    why: str


def listed_flaw(candidate: Candidate, bounds: Bounds) -> str:
    """Why a candidate is out before anything is measured; empty if it is in."""
    if candidate.leverage_max < bounds.leverage_max_min:
        return f"leverage up to {candidate.leverage_max}, {bounds.leverage_max_min} wanted"
    if not candidate.volume_usd >= bounds.volume_usd_min:
        return f"volume {candidate.volume_usd:,.0f} USD a day, {bounds.volume_usd_min:,.0f} wanted"
    if not candidate.open_interest_usd >= bounds.open_interest_usd_min:
        return f"open interest {candidate.open_interest_usd:,.0f} USD, {bounds.open_interest_usd_min:,.0f} wanted"
    return ""


def measured_flaw(candidate: Candidate, bounds: Bounds) -> str:
    """Why a candidate is out after it was measured; empty if it is in."""
    if len(candidate.closes) < BARS_MIN:
        return f"{len(candidate.closes)} bars of 4 h, {BARS_MIN} wanted"
    if week_rmsd(candidate.closes) is None:
        return "its closes are no prices"
    if bounds.spread_bps_max is None:
        return ""
    if candidate.spread_bps is None:
        return "no two-sided book"
    wide = not candidate.spread_bps <= bounds.spread_bps_max
    return f"spread {candidate.spread_bps:.1f} bps, at most {bounds.spread_bps_max:g} wanted" if wide else ""


def week_rmsd(closes: Sequence[float]) -> float | None:
    """RMSD of 4 h closes, brought to a week where there are fewer."""
    rmsd = rmsd_percent(closes)
    return None if rmsd is None else rmsd * sqrt(WEEK_S / (len(closes) * BAR_S))


def scores(candidates: Sequence[Candidate]) -> dict[str, float]:
    """The score of each, 1 for one that is both the liveliest and the most liquid."""
    volatility = {one.symbol: log1p(week_rmsd(one.closes) or 0.0) for one in candidates}
    liquidity = {one.symbol: log1p(one.open_interest_usd * one.volume_usd) for one in candidates}
    most = (max(volatility.values(), default=0.0) or 1.0) * (max(liquidity.values(), default=0.0) or 1.0)
    return {one.symbol: volatility[one.symbol] * liquidity[one.symbol] / most for one in candidates}


def choose(candidates: Sequence[Candidate], bounds: Bounds, top: int) -> list[Candidate]:
    """The best, one after the other; pins first, equal ones by name."""
    score, left = scores(candidates), {one.symbol: one for one in candidates}
    chosen = [left.pop(symbol) for symbol in bounds.pinned if symbol in left][:top]
    taken = Counter(one.category for one in chosen)

    def worth(one: Candidate) -> tuple[float, str]:
        room = taken[one.category] < bounds.targets.get(one.category, 0)
        return -score[one.symbol] * (SPREAD_GAIN if room else 1.0), one.symbol

    while left and len(chosen) < top:
        best = min(left.values(), key=worth)
        chosen.append(left.pop(best.symbol))
        taken[best.category] += 1
    return chosen


def ranked(chosen: Sequence[Candidate], score: Mapping[str, float], profile: Profile) -> list[Ranked]:
    """The chosen with the tier and the leverage that they would be traded with."""
    rows = []
    for rank, one in enumerate(chosen, 1):
        tier = tier_for(one, profile)
        rows.append(
            Ranked(
                rank=rank,
                symbol=one.symbol,
                category=one.category,
                rmsd=week_rmsd(one.closes) or 0.0,
                volume_usd=one.volume_usd,
                open_interest_usd=one.open_interest_usd,
                spread_bps=one.spread_bps,
                score=score[one.symbol],
                z_entry=tier.z_entry,
                z_exit=tier.z_exit,
                leverage=max(1, min(CATEGORY_LEVERAGE_MAX.get(one.category, 5), one.leverage_max)),
            )
        )
    return rows


def tier_for(candidate: Candidate, profile: Profile) -> Tier:
    """The operator's tier of a name, else its category's by its week, as the start will measure it again."""
    if candidate.symbol in profile.tiers:
        return profile.tiers[candidate.symbol]
    rule = profile.tier_rules.get(candidate.category)
    return tier_of(rule, week_rmsd_percent(candidate.closes, BAR_S)) if rule else profile.tier_default
