"""Order rate: a bucket that starts full once, never grants a second burst, and no more in any minute than its rate.

The bucket is one integer, the time by which everything granted so far is paid off (the generic cell rate algorithm of
ATM). A seed engine kept tokens and a last-fill time of zero instead, and granted a whole second burst in its first
second. A full bucket and what flows into it are nearly twice the rate in its first minute, which no venue takes for
thirty a minute: so the grants of the last minute are remembered too.
"""

from bisect import bisect_right
from typing import NamedTuple

from msgspec import Struct
from msgspec.structs import replace

NS_PER_MINUTE = 60 * 1_000_000_000


class RateBucket(Struct, frozen=True, kw_only=True):
    """At most `burst` at once, and `per_minute` in any minute."""

    per_minute: int
    burst: int
    paid_ns: int = 0  # when the bucket is full again
    granted: tuple[int, ...] = ()  # of the last minute, oldest first; no more than per_minute

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
    granted = bucket.granted[bisect_right(bucket.granted, at_ns - NS_PER_MINUTE) :]
    if len(granted) >= bucket.per_minute:
        return Taken(bucket, False, granted[-bucket.per_minute] + NS_PER_MINUTE)
    granted = (*granted, max(at_ns, granted[-1]) if granted else at_ns)
    after = replace(bucket, paid_ns=max(bucket.paid_ns, at_ns) + gap, granted=granted)
    full_ns = granted[-bucket.per_minute] + NS_PER_MINUTE if len(granted) == bucket.per_minute else at_ns
    return Taken(after, True, max(at_ns, after.paid_ns - slack, full_ns))
