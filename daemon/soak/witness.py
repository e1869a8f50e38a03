"""A witness of a simulated world: samples it every virtual minute, and adds up what the lives in it told."""

import asyncio
import sys
import time
from collections import Counter
from pathlib import Path
from typing import TextIO

from daemon.picture import Picture
from daemon.soak.evidence import WELL_S_MAX, Evidence, Sample, Told, Water
from daemon.soak.kinds import named
from daemon.soak.life import DaemonLife
from daemon.soak.place import VENUE_OF
from daemon.soak.plan import WorldPlan
from daemon.soak.usage import usage_of
from daemon.soak.world import Hooks, World, run_world
from supervisor.clock import NS_PER_S
from venues.emulator.serve import figures

PROGRESS_S = 10.0
"""Wall time between lines of progress."""


class Witness:
    """Keeps figures of each life until the next one lives."""

    def __init__(self, evidence: Evidence, progress: TextIO | None):
        self.evidence = evidence
        self.progress = progress
        self.life: DaemonLife | None = None
        self.shown_s = self.started_s = time.monotonic()

    def hooks(self) -> Hooks:
        """What the world calls."""
        return Hooks(on_life=self.met, on_minute=self.look, on_end=self.end, buried_every=1)

    def met(self, life: DaemonLife) -> None:
        """A daemon is up: the one before is gone."""
        self._add_up()
        self.life = life

    def look(self, world: World) -> None:
        """Take a sample."""
        now_s = (world.clock.now_ns() - world.plan.start_ns) / NS_PER_S
        usage, picture = usage_of(), picture_of(self.life)
        now = told_by(picture) if picture is not None else Told()
        told = self.evidence.told
        alive = picture is not None and self.life is not None and self.life.trading
        rows = picture.board.engine_rows() if alive and picture is not None else ()
        sample = Sample(
            at_s=now_s,
            rss_bytes=usage.rss_bytes,
            fds=usage.fds,
            tasks=len(asyncio.all_tasks(world.loop)),
            books=told.books + now.books,
            orders=told.counts["OrderPlanned"] + now.counts["OrderPlanned"],
            fills=told.counts["Fill"] + now.counts["Fill"],
            lives=world.counts["lives"],
            faults=sum(world.fired().values()),
            positions=len(picture.board.positions) if alive and picture is not None else 0,
            equity_minor=sum(row.equity_minor for row in rows) if rows and all(r.reconciled for r in rows) else None,
        )
        self.evidence.samples.append(sample)
        sockets = sum(figures(place.emulator)["open_sockets"] for place in world.places)
        self.evidence.sockets_at_once = max(self.evidence.sockets_at_once, sockets)
        self._show(sample)

    def end(self, world: World) -> None:
        """The world is over, and its last daemon is gone: a sample of nobody would bend every slope."""
        self._add_up()

    def _add_up(self) -> None:
        picture = picture_of(self.life)
        if picture is not None:
            self.evidence.told.add(told_by(picture))
        self.life = None

    def _show(self, sample: Sample) -> None:
        now_s = time.monotonic()
        if self.progress is None or now_s - self.shown_s < PROGRESS_S:
            return
        self.shown_s = now_s
        hours, share = sample.at_s / 3600, sample.at_s / 3600 / self.evidence.hours
        left_s = (now_s - self.started_s) * (1 / share - 1) if share else 0.0
        rss = "" if sample.rss_bytes is None else f", {sample.rss_bytes / 2**20:.0f} MiB"
        print(
            f"{hours:.1f} h of {self.evidence.hours:g}: {sample.books:,} books, {sample.orders:,} orders, "
            f"{sample.faults:,} faults, {sample.lives} lives{rss}; about {left_s / 60:.0f} min left",
            file=self.progress,
            flush=True,
        )


def picture_of(life: DaemonLife | None) -> Picture | None:
    """What a life shows, if it came so far."""
    return None if life is None or life.operator is None else life.operator.picture


def told_by(picture: Picture) -> Told:
    """What one life tells of itself."""
    health = picture.house.health()
    return Told(
        books=sum(stream.books for of_engine in picture.streams.values() for stream in of_engine.values()),
        counts=Counter(picture.board.counts),
        restarts=Counter({one.name: one.restarts for one in health if one.restarts}),
        waters={one.name: Water(high=one.mailbox.high_water, size_max=one.mailbox.size_max) for one in health},
        checked=Counter(picture.checks.checked),
        broken=dict(picture.checks.first),
    )


def soak_virtual(plan: WorldPlan, faults: str, folder: Path, *, quiet: bool = False) -> Evidence:
    """Live through a world and say what was seen; `folder` keeps the daemon's journal and log."""
    started_s, started_cpu_s = time.monotonic(), time.process_time()
    evidence = Evidence(
        kind="virtual",
        seed=plan.seed,
        hours=plan.hours,
        engines=plan.engines,
        symbols=len(plan.symbols),
        well_s_max=WELL_S_MAX,
        whole_s_max=plan.calm_s,
        faults=faults,
        kinds=tuple(dict.fromkeys(named(one.kind) for one in plan.faults)),
    )
    ended = run_world(plan, folder, Witness(evidence, None if quiet else sys.stderr).hooks())
    evidence.fired, evidence.exits = ended.fired, ended.exits
    evidence.lives, evidence.kills = ended.lives, ended.kills
    evidence.sockets = sum(ended.counts[f"{venue}_sockets"] for venue in {VENUE_OF[engine] for engine in plan.engines})
    evidence.orders, evidence.fills = ended.counts["orders"], ended.counts["fills"]
    evidence.failures += ended.failures
    evidence.calmed, evidence.digest = ended.calmed, ended.digest
    evidence.wall_s = time.monotonic() - started_s
    evidence.cpu_s = time.process_time() - started_cpu_s
    return evidence
