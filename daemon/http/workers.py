"""Work in other processes: a run becomes files there, so that the loop that answers never waits for one.

What a worker and the service tell each other goes by small files: how far it is, and that it is to stop.
"""

import logging
import os
import shutil
import signal
from collections.abc import Iterable, Iterator
from concurrent.futures import ProcessPoolExecutor
from multiprocessing import get_context, parent_process
from multiprocessing.process import BaseProcess
from pathlib import Path
from threading import Thread
from typing import Any

import msgspec
from msgspec import Struct

from config.errors import ConfigError
from venues.aleatoric.artifacts.cache import Cache, CacheDamaged, key_of
from venues.aleatoric.artifacts.driver import WINDOW_BLOCKS, Heard, Report, Settings, run_batch
from venues.aleatoric.artifacts.event_cache import EventCache
from venues.aleatoric.artifacts.files import Written, join_parts, parts_folder, paths_of, write_window
from venues.aleatoric.artifacts.rows import Rows
from venues.aleatoric.artifacts.table import events
from venues.aleatoric.batch import Batch
from venues.aleatoric.manifest import SimulationManifest

LOG = logging.getLogger("obid.http")


class Task(Struct, frozen=True):
    """What a worker is to make."""

    batch: Batch
    out: Path
    settings: Settings
    marks: "Marks"
    cache: Path | None = None  # where to keep the run, and to look for it first


class Marks(Struct, frozen=True):
    """The files by which a worker is watched."""

    folder: Path
    job_id: str

    @property
    def progress(self) -> Path:
        """Blocks done and blocks in all."""
        return self.folder / f"{self.job_id}.progress"

    @property
    def cancel(self) -> Path:
        """It is there when the work is to stop."""
        return self.folder / f"{self.job_id}.cancel"

    def read(self) -> tuple[int, int] | None:
        """How far it is; None before it began."""
        try:
            done, _, total = self.progress.read_text().partition(" ")
            return int(done), int(total)
        except (FileNotFoundError, ValueError):
            return None

    def remove(self) -> None:
        """Nobody looks any more."""
        self.progress.unlink(missing_ok=True)
        self.cancel.unlink(missing_ok=True)


class Cancelled(Exception):
    """The work was to stop."""


class Refused(Exception):
    """What was asked can't be made, as was seen only then; says the field. (ConfigError can't go between processes.)"""

    def __init__(self, detail: str, field: str, status: int = 422) -> None:
        super().__init__(detail, field, status)
        self.detail, self.field, self.status = detail, field, status


def make(task: Task) -> dict[str, Any]:
    """Make the files of a run; what `obid generate` writes beside them. Raises Refused, Cancelled, OSError."""
    try:
        return _made(task)
    except ConfigError as error:
        raise Refused(str(error), error.field) from None


def _made(task: Task) -> dict[str, Any]:
    from daemon.generate import made_known

    def heard(done: int, total: int) -> None:
        if task.marks.cancel.exists():
            raise Cancelled
        task.marks.progress.write_text(f"{done} {total}")

    heard(0, task.batch.blocks)
    found = _cached(task, heard) if task.cache is not None else None
    report = found[0] if found else run_batch(task.batch, task.out, task.settings, heard)
    made = made_known(task.batch, report, task.out) | {"content_length_bytes": task.out.stat().st_size}
    made |= {"cache_key": key_of(task.batch), "cache_hit": found[1]} if found else {}
    result: dict[str, Any] = msgspec.to_builtins(made)
    return result


def _cached(task: Task, heard: Heard) -> tuple[Report, bool]:
    """The files of a run out of the cache, where it is put first if it is not there or damaged."""
    try:
        return _from_cache(task, heard)
    except CacheDamaged as error:
        LOG.error("a cached run is made again", exc_info=error)
        assert task.cache is not None
        Cache(task.cache).remove(key_of(task.batch))
        return _from_cache(task, heard)


def _from_cache(task: Task, heard: Heard) -> tuple[Report, bool]:
    assert task.cache is not None
    cache, key, batch = Cache(task.cache), key_of(task.batch), task.batch
    sidecar = cache.find(key)
    hit = sidecar is not None

    def watched(rows: Iterable[Rows]) -> Iterator[Rows]:
        for block in rows:
            heard(block.block, batch.blocks)
            yield block

    if sidecar is None:
        sidecar = cache.keep(batch, watched(batch.rows()))
    rows_to_files(batch, watched(cache.rows(key)), task.out)
    report = Report(
        files={kind: str(path) for kind, path in paths_of(task.out).items()},
        manifest_hash=sidecar.manifest_hash,
        digest=sidecar.digest,
        row_count=sidecar.row_count,
        books=sidecar.books,
        trades=sidecar.trades,
        retries=0,
    )
    return report, hit


def rows_to_files(batch: Batch, rows: Iterable[Rows], out: Path) -> list[Written]:
    """The files of rows that are there already: those that `run_batch` writes."""
    folder = parts_folder(out)
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir()
    try:
        made, pending = list[Written](), list[Rows]()
        for block in rows:
            pending.append(block)
            if len(pending) == WINDOW_BLOCKS or block.block == batch.blocks - 1:
                made.append(write_window(batch.model, folder, pending[0].block, pending))
                pending = []
        join_parts(folder, out)
        return made
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def export_run(folder: Path, key: str, out: Path) -> None:
    """The events of a cached run as a Parquet file."""
    from daemon.generate import batch_of

    cache = Cache(folder)
    sidecar = cache.find(key)
    assert sidecar is not None, "who asks has looked"
    rows_to_files(batch_of(sidecar.manifest, sidecar.seconds), cache.rows(key), out)
    for path in set(paths_of(out).values()) - {out}:
        path.unlink(missing_ok=True)


def export_events(folder: Path, key: str, out: Path) -> None:
    """Cached canonical events as a Parquet file."""
    EventCache(folder).export(key, out)


def warm() -> None:
    """Load what the work needs, before there is any: the libraries come with the first table."""
    from daemon.generate import batch_of

    batch = batch_of(SimulationManifest(), seconds=1.0)
    for rows in batch.rows():
        events(batch.model, rows)


def _start() -> None:
    """A worker ends with its service, and Ctrl-C is the service's to hear."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    Thread(target=_end_with, args=(parent_process(),), daemon=True).start()
    warm()


def _end_with(parent: BaseProcess | None) -> None:
    """End when the service is gone, however it went: a worker that waits for work would wait for ever."""
    if parent is not None:
        parent.join()
        os._exit(1)


def ended(pool: ProcessPoolExecutor) -> Thread | None:
    """End the processes of a pool, at work or not; its own thread ends soon after."""
    processes, thread = list((pool._processes or {}).values()), pool._executor_manager_thread  # None: it never worked
    pool.shutdown(wait=False, cancel_futures=True)
    for process in processes:
        process.kill()
    return thread if isinstance(thread, Thread) else None


def new_pool(workers: int) -> ProcessPoolExecutor:
    """Processes for the work."""
    return ProcessPoolExecutor(workers, mp_context=get_context("spawn"), initializer=_start)
