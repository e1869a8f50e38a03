"""The service: everything that its endpoints share, from start to stop."""

from collections.abc import AsyncIterator, Callable
from contextlib import AbstractAsyncContextManager, AsyncExitStack, asynccontextmanager
from pathlib import Path
from typing import Any

import msgspec
from starlette.requests import Request

from daemon.http.artifacts import Artifacts, disk_now_ns
from daemon.http.folders import folders_in
from daemon.http.jobs import Jobs
from daemon.http.keys import KeyRing
from daemon.http.limits import Limits
from daemon.http.metrics import Metrics
from daemon.http.problems import LOG, Problem
from daemon.http.streams import Hub
from supervisor.beside import Beside
from supervisor.clock import Clock
from venues.aleatoric.artifacts.cache import Cache, CacheDamaged, Sidecar
from venues.aleatoric.artifacts.event_cache import EventCache, EventSidecar

CACHED_BYTES_PER_ROW = 150
"""Of a run in the cache, for what it will take; 20 levels a side take less."""

HOUSE_EACH_S = 5.0
"""How soon old artifacts go, and the streams of a revoked key."""

API_VERSION = "0.5.2"
"""Of the API page that this service keeps to."""


class Service:
    """What the endpoints work with. Raises OSError for a data directory that can't be."""

    def __init__(self, data_dir: Path, limits: Limits, clock: Clock, public_url: str = "") -> None:
        self.folders = folders_in(data_dir)
        self.limits, self.clock, self.public_url = limits, clock, public_url
        self.metrics = Metrics()
        self.ring = KeyRing(self.folders.keys)
        self.artifacts = Artifacts(self.folders.artifacts, limits)
        self.jobs = Jobs(self.folders.jobs, self.artifacts, limits, clock, self.metrics)
        self.cache = Cache(self.folders.cache)
        self.events = EventCache(self.folders.cache / "events")
        self.stopping = False
        self.beside: list[Callable[[], AbstractAsyncContextManager[None]]] = []  # what else runs while this does
        self.hub = Hub(clock, self.metrics)
        self._beside = Beside(clock)
        self.metrics.gauge("aleatoric_jobs_unfinished", "Jobs that wait or run.", lambda: len(self.jobs.unfinished()))
        self.metrics.gauge("aleatoric_streams_open", "Streams under way.", self.hub.count)
        self.metrics.gauge("aleatoric_artifacts_bytes", "What artifacts take.", self.artifacts.used_bytes)

    @asynccontextmanager
    async def running(self, workers: int, *, warm: bool = True) -> AsyncIterator[None]:
        """The service at work: workers are there, old files go."""
        async with AsyncExitStack() as stack:
            self.jobs.start(workers, warm=warm)
            stack.push_async_callback(self.jobs.stop)
            stack.callback(self.hub.threads.shutdown, wait=True, cancel_futures=True)
            for other in self.beside:
                await stack.enter_async_context(other())
            self._beside.start(self._keep_house(), "house")
            stack.push_async_callback(self._beside.stop)
            yield

    def cache_entries(self) -> list[dict[str, Any]]:
        """What is in the cache, runs and canonical events."""
        kinds: list[tuple[str, Cache | EventCache]] = [("run", self.cache), ("normalized", self.events)]
        entries = []
        for kind, cache in kinds:
            for path in sorted(cache.folder.glob("*.json")):
                try:
                    entry = cache.find(path.stem)
                except CacheDamaged as error:
                    LOG.error("an entry of the cache is left out", exc_info=error)
                    entry = None
                entries += [_told(entry, kind)] if entry is not None else []
        return entries

    def cached(self, key: str) -> dict[str, Any]:
        """An entry of the cache. Raises Problem."""
        try:
            if (run := self.cache.find(key)) is not None:
                return _told(run, "run") | {"manifest": msgspec.to_builtins(run.manifest)}
            if (events := self.events.find(key)) is not None:
                return _told(events, "normalized")
        except CacheDamaged as error:
            right = "that entry is damaged; it is made again where it is asked for with enable_cache"
            raise Problem(404, right, "cache_key") from error
        raise Problem(404, "there is no such entry in the cache; GET /mcp/caches/stats lists them", "cache_key")

    def uncache(self, key: str) -> bool:
        """Remove an entry; says whether it was there."""
        return self.cache.remove(key) or self.events.remove(key)

    def cache_stats(self) -> dict[str, Any]:
        """What the cache holds, how small it is, how often it helped."""
        entries = self.cache_entries()
        raw, cached = (sum(entry[name] for entry in entries) for name in ("raw_bytes", "cached_bytes"))
        hits, misses = self.metrics.hits.values[()], self.metrics.misses.values[()]
        totals = {"entries": len(entries), "raw_bytes": raw, "cached_bytes": cached}
        return {
            "caches": entries,
            "totals": totals | {"compression_ratio": round(raw / cached, 2) if cached else None},
            "hits": hits,
            "misses": misses,
            "hit_ratio": hits / (hits + misses) if hits + misses else None,
        }

    def full_cache(self, coming_rows: int = 0) -> str:
        """Why the cache takes no more; empty where so many rows find room beside those that are being made."""
        limits = self.limits
        kept = [path.stat().st_size for cache in (self.cache, self.events) for path in cache.folder.glob("*.lz4")]
        rows = coming_rows + sum(job.rows_estimated for job in self.jobs.unfinished() if job.to_cache)
        wanted, free = rows * CACHED_BYTES_PER_ROW, limits.cache_bytes_max - sum(kept)
        if wanted < free and len(kept) < limits.cache_entries_max:
            return ""
        taken = f"{len(kept)} of {limits.cache_entries_max} entries, {sum(kept)} of {limits.cache_bytes_max} bytes"
        return f"the cache has {taken}: DELETE /mcp/caches/KEY, or ask without enable_cache"

    def base_url(self, request: Request) -> str:
        """What links begin with: what the operator said, or where the client found us."""
        return self.public_url or str(request.base_url)

    def stop(self) -> None:
        """End what would not end by itself."""
        self.stopping = True
        self.hub.close()

    async def _keep_house(self) -> None:
        while True:
            try:
                for owner in {stream.owner for stream in self.hub.streams.values()}:
                    if self.ring.revoked(owner, self.clock.now_ns()):
                        self.hub.close(owner)
                self.artifacts.purge(disk_now_ns(self.clock))
            except OSError as error:
                LOG.error("what is old could not be removed; it is tried again", exc_info=error)
            await self.clock.sleep(HOUSE_EACH_S)


def _told(entry: Sidecar | EventSidecar, kind: str) -> dict[str, Any]:
    """An entry of the cache in a line."""
    told: dict[str, Any] = msgspec.structs.asdict(entry)
    told.pop("manifest", None)
    return {"kind": kind, **told, "compression_ratio": round(entry.ratio, 2)}
