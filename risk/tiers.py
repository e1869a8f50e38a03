"""Tiers: how far from its mean a symbol must stray to be entered, by how lively it was of late.

The measure is RMSD: the root mean square distance of closes from their mean, as a share of that mean, which is the
coefficient of variation. obi-execution-engine's screener takes it over a week of 4 h closes, and its steps are made for
that; at the start there are four hours of minutes. A random walk strays with the root of the time it is given, so the
one is brought to the other by the root of week over span. (The seed's engine multiplied by the root of the number of
bars, as if closes were returns.) Four hours are a rough witness: half of such a measure is luck. Hence steps, not a
curve, and a base that calm hours do not go below.
"""

from collections.abc import Sequence
from math import fsum, isfinite, sqrt

from config.profile import Tier, TierRule

WEEK_S = 7 * 86_400

BARS_MIN = 30
"""Fewer closes than half a window of 60 are no measure (obi-execution-engine's bound)."""

SPAN_S_MIN = 1_800
"""Nor are seconds of closes, however many: what moves them is the spread, and the root of week over span is huge."""


def rmsd_percent(closes: Sequence[float]) -> float | None:
    """Root mean square distance of closes from their mean, per cent of it; None where that is no number."""
    if not closes:
        return None
    mean = fsum(closes) / len(closes)
    if not (isfinite(mean) and mean > 0):
        return None
    return 100 * sqrt(fsum([(close - mean) * (close - mean) for close in closes]) / len(closes)) / mean


def week_rmsd_percent(closes: Sequence[float], bar_s: float) -> float | None:
    """RMSD of closes `bar_s` apart, brought to a week; None where they are too few to say."""
    span_s = len(closes) * bar_s
    if len(closes) < BARS_MIN or span_s < SPAN_S_MIN:
        return None
    rmsd = rmsd_percent(closes)
    return None if rmsd is None else rmsd * sqrt(WEEK_S / span_s)


def tier_of(rule: TierRule, rmsd: float | None) -> Tier:
    """The thresholds of a symbol that was measured so; those of its category where it could not be, or no step fits."""
    if rmsd is None:
        return rule
    return next((step for step in reversed(rule.steps) if rmsd >= step.rmsd_min), rule)
