"""Work in other processes: a run becomes files there, so that the loop that answers never waits for one.

What a worker and the service tell each other goes by small files: how far it is, and that it is to stop.
"""

import signal
from concurrent.futures import ProcessPoolExecutor
from multiprocessing import get_context
from pathlib import Path
from typing import Any

import msgspec
from msgspec import Struct

from venues.aleatoric.artifacts.driver import Settings, run_batch
from venues.aleatoric.artifacts.table import events
from venues.aleatoric.batch import Batch
from venues.aleatoric.manifest import SimulationManifest


class Task(Struct, frozen=True):
    """What a worker is to make."""

    batch: Batch
    out: Path
    settings: Settings
    marks: "Marks"


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


def make(task: Task) -> dict[str, Any]:
    """Make the files of a run; what `obid generate` writes beside them."""
    from daemon.generate import made_known

    def heard(done: int, total: int) -> None:
        if task.marks.cancel.exists():
            raise Cancelled
        task.marks.progress.write_text(f"{done} {total}")

    heard(0, task.batch.blocks)
    made = made_known(task.batch, run_batch(task.batch, task.out, task.settings, heard), task.out)
    result: dict[str, Any] = msgspec.to_builtins(made | {"content_length_bytes": task.out.stat().st_size})
    return result


def warm() -> None:
    """Load what the work needs, before there is any: the libraries come with the first table."""
    from daemon.generate import batch_of

    batch = batch_of(SimulationManifest(), seconds=1.0)
    for rows in batch.rows():
        events(batch.model, rows)


def _start() -> None:
    """A worker ends with its service, and Ctrl-C is the service's to hear."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    warm()


def new_pool(workers: int) -> ProcessPoolExecutor:
    """Processes for the work."""
    return ProcessPoolExecutor(workers, mp_context=get_context("spawn"), initializer=_start)
