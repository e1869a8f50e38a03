"""`obid backup`: a copy of a data directory that can be started on, made while a daemon writes or without one.

The journal is copied as it is at one moment (SQLite's online backup), checked entry by entry, and a halt is appended to
the copy: what happens after that moment is not in it, halts and the day's losses included, so whoever starts on it
begins halted and by name, and enters nothing before a person has looked (docs/decisions/0012).

What is not copied: secrets and configuration, which are not in the data directory; heartbeats, locks and sockets, which
mean this directory; recordings; the snapshot, which the next start makes again.
"""

import os
import shutil
from collections.abc import Iterator
from contextlib import closing
from importlib.metadata import version
from pathlib import Path

import msgspec
from msgspec import Struct

from actors.messages import TradingState
from actors.records import written
from daemon.books import recover_from
from daemon.calendars import FOLDER as CALENDARS
from daemon.errors import BadInput, Failed
from daemon.hyperliquid import FOLDER as HYPERLIQUID
from daemon.lock import DIRECTORY_MODE, FILE_MODE
from daemon.log_reader import LOG_FOLDER
from daemon.lost_end import ALL, lost_end
from daemon.options import JOURNAL_NAME
from daemon.times import iso_of
from daemon.verify import verify
from risk.intent import Trading
from risk.ledger.postings import LedgerUnbalanced
from supervisor.journal import Journal, JournalDamaged, JournalMissing, JournalUnwritable
from supervisor.wall import now_ns

ABOUT = "backup.json"
"""What the copy is of, for whoever finds it."""
BESIDE = (CALENDARS, HYPERLIQUID)
"""Folders of the data directory that are state, too: what calendars said, floors of nonces."""
BY = "backup"


class Backup(Struct, frozen=True, kw_only=True):
    """What was made."""

    of: str
    to: str
    at: str
    obid: str  # version
    mode: str
    run: str  # the last one that is in it
    entries: int  # of the journal, without the halt
    files: tuple[str, ...]

    def text(self) -> str:
        """The same for a person."""
        return (
            f"{self.entries} entries of {self.of} up to {self.at} are in {self.to}, checked; with {len(self.files)} "
            f"more files. A start on it is halted until obid ctl resume"
        )


def backup(data_dir: Path, to: Path, *, log: bool) -> Backup:
    """Copy a data directory. Raises BadInput for a place that is taken, Failed for what cannot be copied."""
    source = data_dir / JOURNAL_NAME
    refuse_damaged(source)
    make_place(data_dir, to)
    at_ns = now_ns()
    try:
        with closing(Journal.read_only(source)) as journal:
            journal.copy_to(to / JOURNAL_NAME)
        made = seal(data_dir, to, at_ns, tuple(copied(data_dir, to, log=log)))
    except (OSError, JournalUnwritable, JournalDamaged, LedgerUnbalanced) as error:
        raise Failed(f"{error}. {to} is no backup: remove it") from error
    if wrongs := verify(to).wrongs:
        raise Failed(f"{'; '.join(wrongs)}. {to} is no backup: remove it")
    return made


def refuse_damaged(source: Path) -> None:
    """What is wrong here would be wrong there. Raises Failed."""
    try:
        lost = lost_end(source)
        Journal.read_only(source).close()
    except (JournalMissing, JournalDamaged) as error:
        raise Failed(str(error)) from error
    if lost:
        raise Failed(f"{source}: {lost}; see docs/operating.md, A damaged journal, before you copy it")


def make_place(data_dir: Path, to: Path) -> None:
    """A directory of its own. Raises BadInput."""
    if to.resolve().is_relative_to(data_dir.resolve()):
        raise BadInput("DEST", to, f"is inside of {data_dir}, which is copied")
    try:
        to.mkdir(mode=DIRECTORY_MODE, parents=True, exist_ok=True)
        taken = any(to.iterdir())
    except OSError as error:
        raise BadInput("DEST", to, f"cannot be made: {error.strerror}") from error
    if taken:
        raise BadInput("DEST", to, "is not empty; name a new directory, as backups/2026-01-05")
    to.chmod(DIRECTORY_MODE)


def seal(data_dir: Path, to: Path, at_ns: int, files: tuple[str, ...]) -> Backup:
    """Append the halt, say what it is, and wait until all of it is on the disk."""
    path, at = to / JOURNAL_NAME, iso_of(at_ns)
    mind = recover_from(path)
    last = mind.runs[-1] if mind.runs else None
    reason = f"restored from a backup of {data_dir} at {at}: what happened since is not in these books"
    with closing(Journal.open(path)) as journal:
        entries = journal.seq
        journal.append([written(TradingState(ALL, Trading.HALTED, reason, BY, mind.last_ns))])
    made = Backup(
        of=str(data_dir),
        to=str(to),
        at=at,
        obid=version("obid"),
        mode=last.mode if last else "",
        run=last.run_id if last else "",
        entries=entries,
        files=files,
    )
    about = to / ABOUT
    about.write_bytes(msgspec.json.format(msgspec.json.encode(made), indent=2) + b"\n")
    for one in (*(one for one in to.rglob("*") if one.is_file()), *(one for one in to.rglob("*") if one.is_dir()), to):
        if one.is_file():
            one.chmod(FILE_MODE)
        synced(one)
    return made


def synced(path: Path) -> None:
    """Wait until a file or directory is on the disk; Windows has no such wait for directories."""
    if os.name != "posix" and path.is_dir():
        return
    file = os.open(path, os.O_RDONLY)
    try:
        os.fsync(file)
    finally:
        os.close(file)


def copied(data_dir: Path, to: Path, *, log: bool) -> Iterator[str]:
    """Copy what is state beside the journal; names of the files. One that goes meanwhile is none."""
    for folder in (*BESIDE, *((LOG_FOLDER,) if log else ())):
        place = data_dir / folder
        for path in sorted(place.rglob("*")) if place.is_dir() else ():
            if not path.is_file():
                continue
            there = to / path.relative_to(data_dir)
            there.parent.mkdir(mode=DIRECTORY_MODE, parents=True, exist_ok=True)
            try:
                shutil.copyfile(path, there)
            except FileNotFoundError:  # rotated away
                continue
            yield str(path.relative_to(data_dir))
