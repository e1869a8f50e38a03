"""The service: everything that its endpoints share, from start to stop."""

from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from pathlib import Path

from daemon.http.artifacts import Artifacts
from daemon.http.folders import folders_in
from daemon.http.jobs import Jobs
from daemon.http.keys import KeyRing
from daemon.http.limits import Limits
from daemon.http.metrics import Metrics
from daemon.http.problems import LOG
from daemon.http.streams import Hub
from supervisor.beside import Beside
from supervisor.clock import Clock

HOUSE_EACH_S = 5.0
"""How soon old artifacts go, and the streams of a revoked key."""

API_VERSION = "0.5.2"
"""Of the API page that this service keeps to."""


class Service:
    """What the endpoints work with. Raises OSError for a data directory that can't be."""

    def __init__(self, data_dir: Path, limits: Limits, clock: Clock) -> None:
        self.folders = folders_in(data_dir)
        self.limits, self.clock = limits, clock
        self.metrics = Metrics()
        self.ring = KeyRing(self.folders.keys)
        self.artifacts = Artifacts(self.folders.artifacts, limits.artifacts_bytes_max, limits.artifacts_age_s_max)
        self.jobs = Jobs(self.folders.jobs, self.artifacts, limits, clock, self.metrics)
        self.stopping = False
        self.hub = Hub(clock, self.metrics)
        self._beside = Beside(clock)
        self.metrics.gauge("aleatoric_jobs_unfinished", "Jobs that wait or run.", lambda: len(self.jobs.unfinished()))
        self.metrics.gauge("aleatoric_streams_open", "Streams under way.", self.hub.count)
        self.metrics.gauge("aleatoric_artifacts_bytes", "What artifacts take.", self.artifacts.used_bytes)

    @asynccontextmanager
    async def running(self, workers: int) -> AsyncIterator[None]:
        """The service at work: workers are there, old files go."""
        async with AsyncExitStack() as stack:
            self.jobs.start(workers)
            stack.push_async_callback(self.jobs.stop)
            stack.callback(self.hub.threads.shutdown, wait=True, cancel_futures=True)
            self._beside.start(self._keep_house(), "house")
            stack.push_async_callback(self._beside.stop)
            yield

    def stop(self) -> None:
        """End what would not end by itself."""
        self.stopping = True
        self.hub.close()

    async def _keep_house(self) -> None:
        while True:
            for owner in {stream.owner for stream in self.hub.streams.values()}:
                if self.ring.revoked(owner, self.clock.now_ns()):
                    self.hub.close(owner)
            try:
                self.artifacts.purge(self.clock.now_ns())
            except OSError as error:
                LOG.error("old artifacts could not be removed", exc_info=error)
            await self.clock.sleep(HOUSE_EACH_S)
