"""What earlier runs have left: the journal and its version, a halt, and the log."""

from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

from daemon.books import recover_from
from daemon.doctor.line import Line, fail, ok, warn
from daemon.log_file import BYTES_KEPT_MAX, MIB
from daemon.log_reader import LOG_FOLDER
from daemon.lost_end import lost_end
from daemon.options import JOURNAL_NAME
from risk.intent import Trading
from risk.ledger.postings import LedgerUnbalanced
from supervisor.journal import Journal, JournalDamaged, JournalMissing, JournalTooNew

LOG_SLACK = 2
"""The log keeps a gibibyte; twice as much is not its own."""


def lines(data_dir: Path, mode: str) -> Iterator[Line]:
    """All of it. A journal is read from its snapshot on; `obid ledger verify` reads all of it."""
    path = data_dir / JOURNAL_NAME
    yield version_line(path)
    yield from journal_lines(path, mode)
    yield log_line(data_dir / LOG_FOLDER)


def version_line(path: Path) -> Line:
    """Whether this obid can read what is there."""
    try:
        with closing(Journal.read_only(path)) as journal:
            return ok("data version", f"journal {journal.version}, which this obid writes too")
    except JournalMissing:
        return ok("data version", "no journal yet")
    except JournalTooNew as error:
        return fail("data version", str(error), "start the newer obid again, or restore the backup from before it")
    except JournalDamaged:
        return ok("data version", "not known, see the journal")


def journal_lines(path: Path, mode: str) -> Iterator[Line]:
    """Whether what is behind the snapshot is as it was written, whose it is, and what it left shut."""
    try:
        lost = lost_end(path)
        mind = recover_from(path)
    except JournalTooNew:
        return
    except (JournalDamaged, LedgerUnbalanced) as error:
        yield fail("journal", str(error), "docs/operating.md, A damaged journal; obid ledger verify reads all of it")
        return
    if lost:
        do = "it would start halted: compare positions and orders with the venue, then obid ctl resume"
        yield warn("journal", f"{path.name}: {lost}", do)
    elif not mind.runs:
        yield ok("journal", "nothing is in it yet")
    elif mind.runs[-1].mode != mode:
        yield fail(
            "journal", f"holds the books of {mind.runs[-1].mode} mode", "name another --data-dir: each has its own"
        )
    else:
        yield ok("journal", f"{len(mind.runs)} runs; what is behind its snapshot is as it was written")
    shut = [state for state in mind.trading.values() if state.state is not Trading.ACTIVE]
    if shut:
        told = "; ".join(f"{one.engine or 'all engines'} {one.state.value} by {one.by}: {one.reason}" for one in shut)
        yield warn("trading", f"{told}, and stays so over a start", "know why, then obid ctl resume")
    else:
        yield ok("trading", "no halt is left from an earlier run")


def log_line(folder: Path) -> Line:
    """What the log takes of the disk."""
    files = [one for one in folder.iterdir() if one.is_file()] if folder.is_dir() else []
    size = sum(one.stat().st_size for one in files)
    told = f"{len(files)} files, {size / MIB:.0f} MiB"
    if size > LOG_SLACK * BYTES_KEPT_MAX:
        return warn("log", told, f"more than obid keeps: look what else is in {folder}")
    return ok("log", told)
