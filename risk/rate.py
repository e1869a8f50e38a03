"""Order rate: a bucket that starts full once and never grants a second burst.

Kept as one integer, the time by which everything granted so far is paid off (the generic cell rate algorithm of ATM). A
seed engine kept tokens and a last-fill time of zero instead, and granted a whole second burst in its first second.
"""

from typing import NamedTuple

from msgspec import Struct
from msgspec.structs import replace

NS_PER_MINUTE = 60 * 1_000_000_000


class RateBucket(Struct, frozen=True, kw_only=True):
    """At most `burst` at once, and `per_minute` over time."""

    per_minute: int
    burst: int
    paid_ns: int = 0  # when the bucket is full again

    @property
    def gap_ns(self) -> int:
        """Time that one order is paid off in, rounded up so that the rate is never exceeded."""
        return -(-NS_PER_MINUTE // self.per_minute)


class Taken(NamedTuple):
    """The bucket after asking it for one order, whether it granted it, and from when on it grants (one more)."""

    bucket: RateBucket
    allowed: bool
    next_ns: int


def take(bucket: RateBucket, at_ns: int) -> Taken:
    """Ask for one order; a refusal costs nothing, and a clock that goes back grants nothing."""
    gap = bucket.gap_ns
    slack = (bucket.burst - 1) * gap
    if bucket.paid_ns - slack > at_ns:
        return Taken(bucket, False, bucket.paid_ns - slack)
    after = replace(bucket, paid_ns=max(bucket.paid_ns, at_ns) + gap)
    return Taken(after, True, max(at_ns, after.paid_ns - slack))
