"""What one client may ask for: bounds that are checked before any work, and a token bucket for each key."""

import tomllib
from collections import OrderedDict
from pathlib import Path
from typing import Annotated, get_type_hints

import msgspec
from msgspec import Meta, Struct

from config.errors import ConfigError
from supervisor.clock import NS_PER_S

KIB, MIB, GB = 1 << 10, 1 << 20, 10**9
DAY_S = 86_400.0
CALLERS_MAX = 10_000
"""Callers that are remembered; the one that was silent longest is forgotten, and its bucket is full by then."""

Count = Annotated[int, Meta(ge=1)]
Positive = Annotated[float, Meta(gt=0, lt=1e15)]


class Limits(Struct, frozen=True, kw_only=True):
    """Bounds of the service; the defaults fit a laptop."""

    requests_per_s: float = 20.0  # of one key, in the long run
    requests_burst: float = 60.0  # and at once
    strangers_per_s: float = 2.0  # of one address without a key that is good
    strangers_burst: float = 20.0
    body_bytes_max: Count = 256 * KIB
    rows_bytes_max: Count = 8 * MIB  # of a body of rows to normalize
    body_s_max: float = 30.0  # for a body to arrive
    seconds_max: float = 7 * DAY_S  # of market, in one run
    rows_max: Count = 10_000_000  # of books and trades, in one run
    sync_s_max: float = 120.0  # a synchronous answer's (the API page's)
    job_s_max: float = 3_600.0
    jobs_per_key_max: Count = 4  # waiting or running
    jobs_max: Count = 16
    streams_per_key_max: Count = 256
    streams_max: Count = 512
    events_resumed_max: Count = 1_000_000  # that a stream makes again to go on behind the last one heard
    events_normalized_max: Count = 20_000  # rows of one request
    artifacts_bytes_max: Count = 10 * GB
    artifacts_age_s_max: float = DAY_S
    artifacts_max: Count = 5_000  # runs whose files are kept
    cache_bytes_max: Count = 10 * GB
    cache_entries_max: Count = 5_000


def read_limits(file: Path) -> Limits:
    """The limits that a TOML file changes. Raises ConfigError."""
    types = get_type_hints(Limits, include_extras=True)
    try:
        told = tomllib.loads(file.read_text())
    except (OSError, UnicodeDecodeError, tomllib.TOMLDecodeError) as error:
        raise ConfigError("--limits", f"cannot be read: {error}", str(file)) from error
    for name, value in told.items():
        if name not in types:
            raise ConfigError(name, f"there is no such limit; there are {', '.join(types)}", value, str(file))
        kind = types[name] if types[name] is not float else Positive
        try:
            msgspec.convert(value, kind)
        except msgspec.ValidationError as error:
            raise ConfigError(name, str(error), value, str(file)) from error
    return msgspec.convert(told, Limits)


class Bucket(Struct):
    """Tokens of one caller."""

    tokens: float
    at_ns: int


class Buckets:
    """A token bucket for each caller: so many requests at once, so many a second."""

    def __init__(self, per_s: float, burst: float) -> None:
        self.per_s, self.burst = per_s, burst
        self._buckets: OrderedDict[str, Bucket] = OrderedDict()

    def wait_s(self, caller: str, now_ns: int) -> float:
        """Take a token; seconds until there is one, 0 if it was taken."""
        bucket = self._buckets.setdefault(caller, Bucket(self.burst, now_ns))
        self._buckets.move_to_end(caller)
        if len(self._buckets) > CALLERS_MAX:
            self._buckets.popitem(last=False)
        passed_s = max(0, now_ns - bucket.at_ns) / NS_PER_S
        bucket.tokens = min(self.burst, bucket.tokens + passed_s * self.per_s)
        bucket.at_ns = now_ns
        if bucket.tokens < 1.0:
            return (1.0 - bucket.tokens) / self.per_s
        bucket.tokens -= 1.0
        return 0.0
