"""Finished files: under names that nobody can guess, for so long, and all together no larger than allowed."""

import re
import shutil
from pathlib import Path

from daemon.http.problems import Problem
from supervisor.clock import NS_PER_S
from supervisor.entropy import unguessable
from venues.aleatoric.artifacts.files import parts_folder

PREFIX = "aleatoric_batch_"
NAME = re.compile(rf"{PREFIX}[A-Za-z0-9_-]{{43}}(\.parquet|\.book\.parquet|\.trades\.parquet|\.json)", re.ASCII)
"""All names there are. Nothing else reaches the disk, so no name can leave the folder."""

MEDIA_TYPES = {".parquet": "application/vnd.apache.parquet", ".json": "application/json"}
BYTES_PER_ROW = 400
"""Of the files of a run, for what it will take: 20 levels a side, twice, compressed, take less."""


def new_job_id() -> str:
    """A name for a run; whoever has it was told it."""
    return PREFIX + unguessable()


class Artifacts:
    """The folder of finished files."""

    def __init__(self, folder: Path, bytes_max: int, age_s_max: float) -> None:
        self.folder, self.bytes_max, self.age_s_max = folder, bytes_max, age_s_max

    def path_of(self, name: str) -> Path:
        """A file that is there. Raises Problem."""
        path = self.folder / name
        if not NAME.fullmatch(name) or not path.is_file():
            raise Problem(404, f"there is no such artifact; they are kept for {self.age_s_max / 3600:g} h", "name")
        return path

    def used_bytes(self) -> int:
        """What all files take."""
        return sum(path.stat().st_size for path in self.folder.glob(f"{PREFIX}*") if path.is_file())

    def make_room(self, rows: int, now_ns: int) -> None:
        """Remove what is too old, and see whether so many rows find room. Raises Problem."""
        self.purge(now_ns)
        wanted, free = rows * BYTES_PER_ROW, self.bytes_max - self.used_bytes()
        if wanted > free:
            right = f"that run may take {wanted} bytes and {max(0, free)} are left of {self.bytes_max}: make it shorter"
            raise Problem(507, f"{right}, or wait until older artifacts are removed, {self.age_s_max / 3600:g} h old")

    def purge(self, now_ns: int) -> int:
        """Remove what is too old, and what a service left half done that was killed; says how many."""
        removed = 0
        for path in self.folder.iterdir():
            try:
                old = now_ns - path.stat().st_mtime_ns > self.age_s_max * NS_PER_S
            except FileNotFoundError:
                continue  # a worker is done with it
            if old and path.is_dir():
                shutil.rmtree(path, ignore_errors=True)
            elif old:
                path.unlink(missing_ok=True)
            removed += old
        return removed

    def remove(self, job_id: str) -> None:
        """Remove all files of a run."""
        shutil.rmtree(parts_folder(self.folder / f"{job_id}.parquet"), ignore_errors=True)
        for path in self.folder.glob(f"{job_id}*"):
            path.unlink(missing_ok=True)


def media_type_of(name: str) -> str:
    """What a file is, for a client."""
    return MEDIA_TYPES[Path(name).suffix]
