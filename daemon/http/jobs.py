"""Generation jobs: handed to a worker, watched, cancelled, and what came of them kept as long as their files."""

import asyncio
import errno
import os
from collections.abc import Callable
from concurrent.futures import Future, ProcessPoolExecutor
from concurrent.futures.process import BrokenProcessPool
from pathlib import Path
from typing import Any, Literal, TypeVar

import msgspec
from msgspec import Struct

from daemon.http.artifacts import Artifacts, disk_now_ns, new_job_id
from daemon.http.bodies import Driver
from daemon.http.limits import Limits
from daemon.http.metrics import Metrics
from daemon.http.problems import LOG, Problem
from daemon.http.runs import Run
from daemon.http.workers import Cancelled, Marks, Refused, Task, ended, make, new_pool
from supervisor.beside import Beside
from supervisor.clock import NS_PER_MS, NS_PER_S, Clock
from venues.aleatoric.artifacts.driver import WINDOW_BLOCKS, Settings, WindowFailed
from venues.aleatoric.artifacts.files import whole
from venues.aleatoric.manifest import manifest_hash
from venues.aleatoric.model import BLOCK_STEPS

T = TypeVar("T")
RECORD = ".json"
FULL = (errno.ENOSPC, errno.EDQUOT, errno.EFBIG)
"""What a disk says that takes no more, or no more of us; what writes tables says it in words alone."""
STOP_S = 3.0
REMEMBERED = 2
"""Jobs for each run whose files may be kept: who cancels many is not remembered for ever."""


def is_full(error: OSError) -> bool:
    """Whether a disk takes no more."""
    return error.errno in FULL or any(os.strerror(number) in str(error) for number in FULL)


Status = Literal["queued", "running", "completed", "failed", "cancelled"]


class Job(Struct, kw_only=True):
    """One run that was asked for."""

    job_id: str
    owner: str  # id of the key
    manifest_hash: str
    duration_seconds: float
    created_ms: int
    status: Status = "queued"
    finished_ms: int | None = None
    error: str | None = None
    field: str = ""  # that the error means
    http_status: int = 500  # what the error is to a client
    rows_estimated: int = 0
    to_cache: bool = False
    result: dict[str, Any] | None = None

    @property
    def over(self) -> bool:
        """Whether nothing more will come of it."""
        return self.finished_ms is not None


class Jobs:
    """All jobs, by id."""

    def __init__(self, folder: Path, artifacts: Artifacts, limits: Limits, clock: Clock, metrics: Metrics) -> None:
        self.folder, self.artifacts, self.limits, self.clock, self.metrics = folder, artifacts, limits, clock, metrics
        self.workers = 1
        self.cache = folder.with_name("cache")
        self._beside = Beside(clock)
        self._pool: ProcessPoolExecutor | None = None
        self._small: ProcessPoolExecutor | None = None  # for what must not wait behind data sets
        self._jobs: dict[str, Job] = {}
        self._ends: dict[str, asyncio.Future[None]] = {}
        self._futures: dict[str, Future[dict[str, Any]]] = {}  # of what is in the workers' hands
        self._recall()

    def start(self, workers: int, *, warm: bool = True) -> None:
        """Have so many workers: warm before there is work, or started when there is."""
        self.workers = workers
        self._pool = new_pool(workers)
        for _ in range(workers if warm else 0):
            self._pool.submit(int)

    async def stop(self) -> None:
        """Cancel what is under way and end the workers."""
        for job in self.unfinished():
            self._cancel(job)
        if self._ends:
            await asyncio.wait(list(self._ends.values()), timeout=STOP_S)
        await self._beside.stop()
        for pool in (self._pool, self._small):
            # Its thread must be over before the interpreter is, or both use its pipe.
            if pool is not None and (thread := ended(pool)) is not None:
                await self.clock.loop.run_in_executor(None, thread.join, STOP_S)

    def unfinished(self, owner: str = "") -> list[Job]:
        """Jobs that wait or run, of one key or of all."""
        return [job for job in self._jobs.values() if not job.over and owner in ("", job.owner)]

    def submit(self, run: Run, owner: str) -> Job:
        """Take a run on. Raises Problem."""
        limits, waiting = self.limits, self.unfinished()
        if len(self.unfinished(owner)) >= limits.jobs_per_key_max or len(waiting) >= limits.jobs_max:
            right = f"{limits.jobs_per_key_max} jobs of a key and {limits.jobs_max} in all may wait or run; try later"
            raise Problem(429, right, headers={"Retry-After": "5"})
        now_ns = self.clock.now_ns()
        rows = run.rows_estimated + sum(job.rows_estimated for job in waiting)
        self.artifacts.make_room(rows, disk_now_ns(self.clock))
        self._forget(now_ns)
        job = Job(
            job_id=new_job_id(),
            owner=owner,
            manifest_hash=manifest_hash(run.batch.manifest),
            duration_seconds=run.batch.seconds,
            created_ms=now_ns // NS_PER_MS,
            rows_estimated=run.rows_estimated,
            to_cache=run.request.enable_cache,
        )
        self._jobs[job.job_id] = job
        self._ends[job.job_id] = self.clock.loop.create_future()
        self._beside.start(self._carry_out(job, run), job.job_id)
        return job

    def find(self, job_id: str, owner: str) -> Job:
        """A job of this key. Raises Problem."""
        job = self._jobs.get(job_id)
        if job is None or job.owner != owner:
            raise Problem(404, "this key has no such job", "job_id")
        return job

    def progress(self, job: Job) -> float:
        """How much of it is done, from 0 to 1."""
        if job.status == "completed":
            return 1.0
        seen = None if job.over else self._marks(job).read()
        return seen[0] / seen[1] if seen else 0.0

    def status(self, job: Job) -> Status:
        """Where it stands now."""
        return "running" if not job.over and self._marks(job).read() is not None else job.status

    async def wait(self, job: Job, seconds: float) -> bool:
        """Wait until a job is over; says whether it is."""
        if (end := self._ends.get(job.job_id)) is not None:
            await asyncio.wait([end], timeout=seconds)
        return job.over

    def cancel(self, job: Job) -> None:
        """Stop a job; nothing of it stays. Raises Problem when there is nothing to stop any more."""
        if job.over:
            raise Problem(409, f"the job is {job.status} already", "job_id")
        self._cancel(job)

    def _cancel(self, job: Job) -> None:
        self._mark(job)
        self._finish(job, "cancelled")
        if (future := self._futures.get(job.job_id)) is not None:
            future.cancel()  # which it is where no worker has begun it

    def _mark(self, job: Job) -> None:
        """Tell the worker to stop."""
        try:
            self._marks(job).cancel.touch()
        except OSError as error:
            LOG.error("job %s goes on to its end, and its files go then", job.job_id, exc_info=error)

    async def _carry_out(self, job: Job, run: Run) -> None:
        """Let a worker make the run, again if its process died, and note what came of it."""
        expire = self.clock.loop.call_later(self.limits.job_s_max, self._expire, job)
        try:
            told = await self._made(job, run)
            if not job.over:
                self.metrics.rows.add(by=told["row_count"])
                if run.request.enable_cache:
                    (self.metrics.hits if told["cache_hit"] else self.metrics.misses).add()
                self._finish(job, "completed", result=told)
        except Cancelled:
            self._finish(job, "cancelled")
        except Refused as error:
            self._finish(job, "failed", error=error.detail, field=error.field, http_status=422)
        except OSError as error:
            full = is_full(error)
            LOG.error("job %s failed", job.job_id, exc_info=error)
            self._finish(job, "failed", error=f"the disk refuses: {error}", http_status=507 if full else 500)
        except (BrokenProcessPool, WindowFailed) as error:
            LOG.error("job %s failed", job.job_id, exc_info=error)
            self._finish(job, "failed", error="its worker failed more often than driver.max_retries allows")
        except Exception as error:
            LOG.error("job %s failed", job.job_id, exc_info=error)
            self._finish(job, "failed", error="the service failed; its log says why")
        finally:
            expire.cancel()
            self._futures.pop(job.job_id, None)
            if job.status != "completed":
                self.artifacts.remove(job.job_id)
            self._marks(job).remove()

    def _expire(self, job: Job) -> None:
        """Stop a job that takes too long."""
        self._mark(job)
        self._finish(job, "failed", error=f"it took longer than {self.limits.job_s_max:g} s", http_status=504)

    async def _made(self, job: Job, run: Run) -> dict[str, Any]:
        driver, tries = run.request.driver, 0
        settings = self._settings(run)
        cache = self.cache if run.request.enable_cache else None
        out = self.artifacts.folder / f"{job.job_id}.parquet"
        task = Task(run.batch, out, settings, self._marks(job), cache)
        while True:
            pool = self._pool
            assert pool is not None, "jobs are taken after start"
            try:
                future = self._futures[job.job_id] = pool.submit(make, task)
                return await asyncio.wrap_future(future)
            except asyncio.CancelledError:
                if job.over:
                    raise Cancelled from None
                raise
            except BrokenProcessPool:
                if self._pool is pool:
                    pool.shutdown(wait=False)
                    self._pool = new_pool(self.workers)
                tries += 1
                if tries > driver.max_retries:
                    raise
                await self.clock.sleep(driver.backoff_seconds * 2 ** (tries - 1))

    async def work(self, do: Callable[..., T], *asked: Any) -> T:
        """Let a worker do something small, which waits for no data set. Raises what it raises, and Problem."""
        if self._small is None:
            self._small = new_pool(1)
        pool, seconds = self._small, self.limits.sync_s_max
        try:
            async with asyncio.timeout(seconds):
                return await asyncio.wrap_future(pool.submit(do, *asked))
        except TimeoutError:
            self._drop_small(pool)
            raise Problem(504, f"not done within {seconds:g} s; ask for less at once") from None
        except BrokenProcessPool:
            self._drop_small(pool)
            raise Problem(500, "a worker process died; try again") from None
        except OSError as error:
            if is_full(error):
                LOG.error("there is no room on the disk", exc_info=error)
                raise Problem(507, "the disk is full") from None
            raise

    def _drop_small(self, pool: ProcessPoolExecutor) -> None:
        """End a worker that died or does not come to an end; the next call gets another."""
        if self._small is pool:
            self._small = None
            ended(pool)

    def _settings(self, run: Run) -> Settings:
        """How the run is made: by one process that is warm, which is sooner done than several are started."""
        driver: Driver = run.request.driver
        wanted = driver.window_seconds * NS_PER_S / run.batch.model.cadence_ns / BLOCK_STEPS
        return Settings(
            window_blocks=max(1, min(round(wanted), WINDOW_BLOCKS)) if wanted > 1 else WINDOW_BLOCKS,
            retries_max=driver.max_retries,
            backoff_s=driver.backoff_seconds,
        )

    def _finish(self, job: Job, status: Status, **said: Any) -> None:
        """Note how it ended, once."""
        if job.over:
            return
        job.status, job.finished_ms = status, self.clock.now_ns() // NS_PER_MS
        for name, value in said.items():
            setattr(job, name, value)
        self.metrics.jobs.add(status)
        try:
            with whole(self.folder / f"{job.job_id}{RECORD}") as half_done:
                half_done.write_bytes(msgspec.json.encode(job))
        except OSError as error:
            LOG.error("job %s will be forgotten at the next start", job.job_id, exc_info=error)
        end = self._ends.pop(job.job_id)
        if not end.done():
            end.set_result(None)

    def _forget(self, now_ns: int) -> None:
        """Forget jobs as old as artifacts may be."""
        oldest_ms = now_ns // NS_PER_MS - round(self.limits.artifacts_age_s_max * 1000)
        more = len(self._jobs) - REMEMBERED * self.limits.artifacts_max
        for job in sorted(self._jobs.values(), key=lambda job: job.created_ms):
            if job.finished_ms is not None and (job.finished_ms < oldest_ms or more > 0):
                more -= 1
                del self._jobs[job.job_id]
                (self.folder / f"{job.job_id}{RECORD}").unlink(missing_ok=True)

    def _recall(self) -> None:
        """Jobs of an earlier service that were over. Marks of one that was killed go; another may be at work."""
        for path in self.folder.iterdir():
            if path.suffix == RECORD:
                job = msgspec.json.decode(path.read_bytes(), type=Job)
                self._jobs[job.job_id] = job
            elif self.clock.now_ns() - path.stat().st_mtime_ns > self.limits.job_s_max * NS_PER_S:
                path.unlink(missing_ok=True)

    def _marks(self, job: Job) -> Marks:
        return Marks(self.folder, job.job_id)
