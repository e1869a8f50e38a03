"""Slopes: what grows in a long run, by least squares."""

from collections.abc import Callable, Sequence
from math import fsum

from msgspec import Struct

from daemon.soak.evidence import Sample

HOUR_S = 3_600.0


class Slope(Struct, frozen=True):
    """How fast something grew, per hour, over so many hours; the first, in which caches fill, is left out."""

    per_hour: float
    hours: float
    samples: int


def slope_of(samples: Sequence[Sample], of: Callable[[Sample], float | None], after_s: float = HOUR_S) -> Slope | None:
    """The least-squares line through a figure of the samples after a time; None where there are not two of them."""
    points = [(one.at_s / HOUR_S, value) for one in samples if one.at_s >= after_s and (value := of(one)) is not None]
    if len(points) < 2:
        return None
    middle_x = fsum(x for x, _ in points) / len(points)
    middle_y = fsum(y for _, y in points) / len(points)
    spread = fsum((x - middle_x) ** 2 for x, _ in points)
    if spread == 0:
        return None
    per_hour = fsum((x - middle_x) * (y - middle_y) for x, y in points) / spread
    return Slope(per_hour, points[-1][0] - points[0][0], len(points))
