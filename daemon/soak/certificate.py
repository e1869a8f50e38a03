"""The certificate of a soak: what it was, what it came to, and whether it passed, with every reason why not."""

import platform
import sys
from collections.abc import Iterator, Sequence
from importlib.metadata import version
from itertools import groupby

import numpy as np
from msgspec import Struct

from daemon.soak.evidence import Calmed, Evidence, Sample, Water
from daemon.soak.slopes import HOUR_S, Slope, slope_of
from risk.invariants import Invariant

MIB = 2**20
RSS_MIB_PER_HOUR_MAX = 1.0
"""What memory may grow by in an hour of the soak's time, after the first: 24 MiB a day is a leak that a week shows."""

FDS_GROWTH_MAX, TASKS_GROWTH_MAX = 8.0, 16.0
"""What open files and tasks may grow by from end to end: a life holds some more while it reconnects, and some fewer
while it is dead."""

SLOPE_HOURS_MIN = 2.0
"""A shorter stretch after the first hour says nothing of slopes: allocators keep what they had."""

FAULTS_HOURS_MIN = 1.0
"""From so many hours on a kind of fault that never fired fails the run: it was not soaked in what it names."""


class Versions(Struct, frozen=True, kw_only=True):
    """On what it ran."""

    obid: str
    python: str
    numpy: str
    platform: str


class Certificate(Struct, frozen=True, kw_only=True):
    """What is handed over."""

    passed: bool
    reasons: tuple[str, ...]  # why it did not pass
    notes: tuple[str, ...]  # what it does not say
    kind: str
    seed: int
    hours: float
    engines: tuple[str, ...]
    symbols: int
    faults: str
    books: int
    orders: int
    fills: int
    faults_fired: dict[str, int]  # by kind; zero for one that was to fire and did not
    lives: int
    kills: int
    exits: dict[str, int]
    restarts: dict[str, int]  # by actor
    sockets: int
    reconnects: int
    waters: dict[str, Water]
    rss: Slope | None  # MiB per hour
    fds: Slope | None
    tasks: Slope | None
    rss_mib_last: float | None
    rss_mib_most: float | None
    invariants: dict[str, int]  # looks, by name
    invariants_broken: dict[str, str]
    calmed: Calmed
    digest: str
    versions: Versions
    wall_s: float
    cpu_s: float | None
    samples: tuple[Sample, ...]


def certify(seen: Evidence) -> Certificate:
    """Judge a soak."""
    lived = longest_life(seen.samples) if seen.kind == "real" else seen.samples
    after_s = HOUR_S + (lived[0].at_s if lived else 0.0)
    rss = slope_of(lived, rss_mib, after_s)
    fds, tasks = slope_of(lived, lambda one: one.fds, after_s), slope_of(lived, lambda one: one.tasks, after_s)
    reasons = [*_of_run(seen), *_of_faults(seen), *_of_invariants(seen), *_of_slopes(rss, fds, tasks)]
    known = [mib for sample in seen.samples if (mib := rss_mib(sample)) is not None]
    return Certificate(
        passed=not reasons,
        reasons=tuple(reasons),
        notes=tuple(_notes(seen, rss)),
        kind=seen.kind,
        seed=seen.seed,
        hours=seen.hours,
        engines=seen.engines,
        symbols=seen.symbols,
        faults=seen.faults,
        books=seen.told.books,
        orders=seen.orders,
        fills=seen.fills,
        faults_fired={kind: seen.fired[kind] for kind in sorted({*seen.kinds, *seen.fired})},
        lives=seen.lives,
        kills=seen.kills,
        exits=dict(sorted(seen.exits.items())),
        restarts=dict(sorted(seen.told.restarts.items())),
        sockets=seen.sockets,
        reconnects=max(0, seen.sockets - seen.lives * seen.sockets_at_once),
        waters=dict(sorted(seen.told.waters.items())),
        rss=rss,
        fds=fds,
        tasks=tasks,
        rss_mib_last=known[-1] if known else None,
        rss_mib_most=max(known, default=None),
        invariants=dict(sorted(seen.told.checked.items())),
        invariants_broken=dict(sorted(seen.told.broken.items())),
        calmed=seen.calmed,
        digest=seen.digest,
        versions=versions(),
        wall_s=seen.wall_s,
        cpu_s=seen.cpu_s,
        samples=tuple(seen.samples),
    )


def versions() -> Versions:
    """Of this program and what is under it."""
    return Versions(
        obid=version("obid"), python=platform.python_version(), numpy=np.__version__, platform=platform.platform()
    )


def longest_life(samples: Sequence[Sample]) -> Sequence[Sample]:
    """Those of the life that lasted longest: where each is a process of its own, memory begins anew with each."""
    lives = (list(group) for _, group in groupby(samples, lambda one: one.lives))
    return max(lives, key=lambda one: one[-1].at_s - one[0].at_s, default=[])


def rss_mib(sample: Sample) -> float | None:
    """A sample's memory in MiB."""
    return None if sample.rss_bytes is None else sample.rss_bytes / MIB


def _of_run(seen: Evidence) -> Iterator[str]:
    yield from seen.failures
    well_s, whole_s = seen.calmed.well_s, seen.calmed.whole_s
    if whole_s is None and not seen.failures:
        yield "it was never seen to be well, with every symbol traded, after the last fault"
    if well_s is not None and well_s > seen.well_s_max:
        yield f"all was well {well_s:.0f} s after the last fault, {seen.well_s_max:.0f} are allowed"
    if whole_s is not None and whole_s > seen.whole_s_max:
        yield f"all histories were there {whole_s:.0f} s after the last fault, {seen.whole_s_max:.0f} are allowed"
    if not seen.told.books:
        yield "no book was heard"
    if not seen.fills and seen.hours >= FAULTS_HOURS_MIN:
        yield "nothing was filled: this proves nothing"


def _of_faults(seen: Evidence) -> Iterator[str]:
    never = [kind for kind in seen.kinds if not seen.fired[kind]]
    if never and seen.hours >= FAULTS_HOURS_MIN:
        yield f"faults that never fired: {', '.join(never)}"


def _of_invariants(seen: Evidence) -> Iterator[str]:
    for name, wrong in sorted(seen.told.broken.items()):
        yield f"invariant {name}: {wrong}"
    unseen = [name for name in Invariant if not seen.told.checked[name]]
    if unseen and seen.hours >= FAULTS_HOURS_MIN:
        yield f"invariants that were never looked at: {', '.join(unseen)}"
    for name, water in sorted(seen.told.waters.items()):
        if water.high > water.size_max:
            yield f"mailbox {name} had {water.high} waiting, {water.size_max} is its bound"


def _of_slopes(rss: Slope | None, fds: Slope | None, tasks: Slope | None) -> Iterator[str]:
    if rss is not None and rss.hours >= SLOPE_HOURS_MIN and rss.per_hour > RSS_MIB_PER_HOUR_MAX:
        yield f"memory grows by {rss.per_hour:.2f} MiB an hour, {RSS_MIB_PER_HOUR_MAX:g} are allowed"
    for what, slope, most in (("open files", fds, FDS_GROWTH_MAX), ("tasks", tasks, TASKS_GROWTH_MAX)):
        if slope is not None and slope.hours >= SLOPE_HOURS_MIN and slope.per_hour * slope.hours > most:
            yield f"{what} grew by {slope.per_hour * slope.hours:.1f} in {slope.hours:.1f} h, {most:g} are allowed"


def _notes(seen: Evidence, rss: Slope | None) -> Iterator[str]:
    if rss is None or rss.hours < SLOPE_HOURS_MIN:
        of = " of one life" if seen.kind == "real" else ""
        yield f"too short for slopes: they need {1 + SLOPE_HOURS_MIN:g} hours{of}"
    if seen.hours < FAULTS_HOURS_MIN and seen.kinds:
        yield "too short to ask that each kind of fault fired"
    if seen.kind == "virtual":
        yield "memory is of the daemon, its venues and their market together; what venues keep grows with orders"
    if sys.flags.optimize:
        yield "python -O: invariants are no assertions, so they were checked all the same"
