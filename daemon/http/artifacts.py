"""Finished files: under names that nobody can guess, for so long, and all together no larger than allowed."""

import re
import shutil
from pathlib import Path

from starlette.responses import FileResponse
from starlette.types import Message, Receive, Scope, Send

from daemon.http.limits import Limits
from daemon.http.problems import Problem
from supervisor.clock import NS_PER_S, Clock
from supervisor.entropy import unguessable
from venues.aleatoric.artifacts.files import parts_folder

PREFIX = "aleatoric_batch_"
NAME = re.compile(rf"{PREFIX}[A-Za-z0-9_-]{{43}}(\.parquet|\.book\.parquet|\.trades\.parquet|\.json)", re.ASCII)
"""All names there are. Nothing else reaches the disk, so no name can leave the folder."""

SIDECAR = ".json"  # the one file that each run has once
HALF_DONE = ".part"
RANGE_REFUSED = {
    400: "Range: must be bytes=FIRST-LAST, bytes=FIRST- or bytes=-COUNT, or several of them",
    416: "Range: begins behind the end of the file",
}
MEDIA_TYPES = {".parquet": "application/vnd.apache.parquet", ".json": "application/json"}
BYTES_PER_ROW = 400
"""Of the files of a run, for what it will take: 20 levels a side, twice, compressed, take less."""


def new_job_id() -> str:
    """A name for a run; whoever has it was told it."""
    return PREFIX + unguessable()


def disk_now_ns(clock: Clock) -> int:
    """The time by which files are old: the machine's or ours, whichever is earlier.

    Files have the machine's time, which somebody may set; ours goes on as it was. So nothing is removed too soon.
    """
    return clock.now_ns() + min(0, clock.strayed_ns())


class Artifacts:
    """The folder of finished files."""

    def __init__(self, folder: Path, limits: Limits) -> None:
        self.folder, self.bytes_max, self.age_s_max = folder, limits.artifacts_bytes_max, limits.artifacts_age_s_max
        self.runs_max, self.parts_s_max = limits.artifacts_max, limits.job_s_max

    def path_of(self, name: str) -> Path:
        """A file that is there, and no link to another. Raises Problem."""
        path = self.folder / name
        if not NAME.fullmatch(name) or path.is_symlink() or not path.is_file():
            raise Problem(404, f"there is no such artifact; they are kept for {self.age_s_max / 3600:g} h", "name")
        return path

    def used_bytes(self) -> int:
        """What all files take."""
        return sum(path.stat().st_size for path in self.folder.glob(f"{PREFIX}*") if path.is_file())

    def make_room(self, rows: int, now_ns: int) -> None:
        """Remove what is too old, and see whether so many rows find room. Raises Problem."""
        self.purge(now_ns)
        runs = sum(1 for _ in self.folder.glob(f"{PREFIX}*{SIDECAR}"))
        wanted, free = rows * BYTES_PER_ROW, self.bytes_max - self.used_bytes()
        if wanted > free or runs >= self.runs_max:
            right = f"that run may take {wanted} bytes and {max(0, free)} are left of {self.bytes_max}"
            right = f"{right}; files of {runs} runs are kept of {self.runs_max}: make it shorter"
            raise Problem(507, f"{right}, or wait until older artifacts are removed, {self.age_s_max / 3600:g} h old")

    def purge(self, now_ns: int) -> int:
        """Remove what is too old, and what a service left half done that was killed; says how many."""
        removed = 0
        for path in self.folder.iterdir():
            try:
                age_s = (now_ns - path.lstat().st_mtime_ns) / NS_PER_S
            except FileNotFoundError:
                continue  # a worker is done with it
            half_done = path.name.startswith(".") or path.name.endswith(HALF_DONE)
            old = age_s > (min(self.parts_s_max, self.age_s_max) if half_done else self.age_s_max)
            if old and path.is_dir() and not path.is_symlink():
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


class FileAnswer(FileResponse):
    """A file as an answer, with ranges; what is wrong with them is told as everything else that is wrong."""

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        refused: dict[str, str] | None = None
        status = 0

        async def told(message: Message) -> None:
            nonlocal refused, status
            if message["type"] == "http.response.start" and message["status"] in RANGE_REFUSED:
                status = message["status"]
                kept = ((name.decode(), value.decode()) for name, value in message["headers"])
                refused = {name: value for name, value in kept if name == "content-range"}
            if refused is None:
                await send(message)

        gone, self.background = self.background, None
        try:
            await super().__call__(scope, receive, told)
        except RuntimeError as error:  # it was there a moment ago
            raise Problem(404, "there is no such artifact any more", "name") from error
        finally:
            if gone is not None:
                await gone()  # also where the client left
        if refused is not None:
            raise Problem(status, RANGE_REFUSED[status], "Range", refused)


def media_type_of(name: str) -> str:
    """What a file is, for a client."""
    return MEDIA_TYPES[Path(name).suffix]
