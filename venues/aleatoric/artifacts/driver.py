"""The batch driver: a market as files, made by one process or by several.

A window that fails is made again, by a new process if its process died; what it makes does not depend on who makes it.
"""

import shutil
from collections.abc import Callable, Iterator
from concurrent.futures import FIRST_COMPLETED, Future, ProcessPoolExecutor, wait
from concurrent.futures.process import BrokenProcessPool
from multiprocessing import get_context
from pathlib import Path
from threading import Event

from msgspec import Struct

from config.errors import ConfigError
from venues.aleatoric.artifacts.files import Written, join_parts, parts_folder, paths_of, write_window
from venues.aleatoric.artifacts.rows import Rows, digest_of
from venues.aleatoric.batch import Batch, Window
from venues.aleatoric.manifest import manifest_hash

WINDOW_BLOCKS = 16
"""Blocks a process makes at a time: a third of a second of work, 10 MB of tables."""

WORKERS_MAX = 64
RETRIES_MAX = 5
BACKOFF_S = 0.5
AHEAD = 2
"""Windows that wait for each worker, so that none is idle and few are in memory."""

Heard = Callable[[int, int], object]
"""Told after each window: blocks done, blocks in all."""


class Settings(Struct, frozen=True, kw_only=True):
    """How a batch is made; none of it changes a byte."""

    workers: int = 1
    window_blocks: int = WINDOW_BLOCKS
    retries_max: int = RETRIES_MAX  # of each window (the seed's driver.max_retries)
    backoff_s: float = BACKOFF_S  # before the first retry, doubled for each further one

    def __post_init__(self) -> None:
        if not 1 <= self.workers <= WORKERS_MAX:
            raise ConfigError("--workers", f"must be from 1 to {WORKERS_MAX}", self.workers)
        if self.window_blocks < 1:
            raise ConfigError("window_blocks", "must be at least 1", self.window_blocks)


class Report(Struct, frozen=True):
    """What a batch made."""

    files: dict[str, str]
    manifest_hash: str
    digest: str  # of every number in every block
    row_count: int
    books: int
    trades: int
    retries: int


class WindowFailed(Exception):
    """A window failed as often as it may; says the last reason."""


def run_batch(batch: Batch, out: Path, settings: Settings, heard: Heard | None = None) -> Report:
    """Make the three files of a batch. Raises ConfigError, WindowFailed, OSError."""
    paths_of(out)
    folder = parts_folder(out)
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir()
    try:
        maker = _alone if settings.workers == 1 else _together
        crew = Crew(batch, folder, settings)
        made: list[Written] = []
        done = 0
        for written in maker(crew):
            made.append(written)
            done += len(written.digests)
            if heard is not None:
                heard(done, batch.blocks)
        paths = join_parts(folder, out)
    finally:
        shutil.rmtree(folder, ignore_errors=True)
    made.sort(key=lambda written: written.first)
    return Report(
        files={kind: str(path) for kind, path in paths.items()},
        manifest_hash=manifest_hash(batch.manifest),
        digest=digest_of([digest for written in made for digest in written.digests]),
        row_count=sum(written.events for written in made),
        books=sum(written.books for written in made),
        trades=sum(written.trades for written in made),
        retries=crew.retries,
    )


def make_window(batch: Batch, folder: Path, window: Window) -> Written:
    """One window's parts: what a worker does."""
    return write_window(batch.model, folder, window.first, batch.window(window))


class Crew:
    """The work of a batch and how often it failed."""

    def __init__(self, batch: Batch, folder: Path, settings: Settings) -> None:
        self.batch, self.folder, self.settings = batch, folder, settings
        self.retries = 0
        self._tries: dict[int, int] = {}

    def failed(self, window: Window, error: BaseException) -> float:
        """Seconds to wait before the window is made again. Raises WindowFailed when it was the last try."""
        tries = self._tries.get(window.first, 0) + 1
        self._tries[window.first] = tries
        if tries > self.settings.retries_max:
            raise WindowFailed(f"blocks from {window.first} on failed {tries} times: {error!r}") from error
        self.retries += 1
        return float(self.settings.backoff_s * 2 ** (tries - 1))


def _alone(crew: Crew) -> Iterator[Written]:
    """Window after window in this process: no state is saved, no block made twice."""
    batch, size = crew.batch, crew.settings.window_blocks
    pending: list[Rows] = []
    for rows in batch.rows():
        pending.append(rows)
        if len(pending) == size or rows.block == batch.blocks - 1:
            yield write_window(batch.model, crew.folder, pending[0].block, pending)
            pending = []


def _together(crew: Crew) -> Iterator[Written]:
    """Windows in several processes, as they are done."""
    windows = crew.batch.checkpoints(crew.settings.window_blocks)
    again: list[Window] = []
    pool = _pool(crew)
    busy: dict[Future[Written], Window] = {}
    try:
        while True:
            while len(busy) < crew.settings.workers * AHEAD:
                window = again.pop() if again else next(windows, None)
                if window is None:
                    break
                busy[pool.submit(make_window, crew.batch, crew.folder, window)] = window
            if not busy:
                return
            over, _ = wait(busy, return_when=FIRST_COMPLETED)
            for future in over:
                window, error = busy.pop(future), future.exception()
                if error is None:
                    yield future.result()
                    continue
                pause_s = crew.failed(window, error)
                again.append(window)
                Event().wait(pause_s)
                if isinstance(error, BrokenProcessPool):
                    again += busy.values()
                    busy.clear()
                    pool.shutdown(wait=False)
                    pool = _pool(crew)
                    break
    finally:
        pool.shutdown(wait=True, cancel_futures=True)


def _pool(crew: Crew) -> ProcessPoolExecutor:
    # Not fork: a forked copy of a process whose libraries run threads may hang.
    return ProcessPoolExecutor(crew.settings.workers, mp_context=get_context("spawn"))
