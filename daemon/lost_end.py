"""A journal whose end is gone: kept as it was found, said, and nothing is entered until a person has looked.

What was lost may have held a halt or the day's losses, so the run starts halted: exits and cancels pass, entries wait
for `obid ctl resume`. What the venue holds and the books do not know is adopted by the reconciler, as after any crash.
"""

import shutil
import sys
from contextlib import closing
from pathlib import Path

from actors.ledger import LedgerMind
from actors.messages import TradingState
from actors.records import written
from daemon.errors import Failed
from risk.intent import Trading
from supervisor.journal import Journal, JournalMissing, JournalUnwritable
from supervisor.journal_mark import mark_path, read_mark

ALL = ""
"""The engine of a message that means all of them."""

SIDE_FILES = ("", "-wal", "-shm", ".mark")
"""What a journal is made of, by how the names end; a snapshot can be made again."""


def lost_end(path: Path) -> str:
    """What says that the end of a journal is gone; nothing if it is all there. Raises JournalDamaged."""
    try:
        with closing(Journal.read_only(path)) as journal:
            return journal.lost
    except JournalMissing:
        known = read_mark(path)
        if known is None or not known.seq:
            return ""
        return f"all {known.seq} entries were on the disk and are gone ({mark_path(path).name} knows of them)"


def go_on_halted(path: Path, lost: str, opening: LedgerMind) -> None:
    """Keep the files as they are beside, latch a halt and say so. Raises Failed where the disk does not let us."""
    try:
        aside = keep(path)
        reason = f"{path}: {lost}. Found files kept as {aside.name}"
        state = TradingState(ALL, Trading.HALTED, reason, "supervisor", opening.last_ns)
        with closing(Journal.open(path)) as journal:
            journal.append([written(state)])
    except (OSError, JournalUnwritable) as error:
        raise Failed(f"{path}: {lost}; and that could not be written down: {error}. Nothing was started") from error
    opening.fold(state)
    print(
        f"obid: {reason}; trading is halted until `obid ctl resume`: the venue is asked what is held, look first",
        file=sys.stderr,
    )


def keep(path: Path) -> Path:
    """Copy what a journal is made of to names of their own; gives the new name of the book itself."""
    number = 1
    while any((aside := path.with_suffix(f".found-{number}.sqlite")).parent.glob(f"{aside.name}*")):
        number += 1
    for end in SIDE_FILES:
        found = path.with_name(path.name + end)
        if found.exists():
            shutil.copy2(found, aside.with_name(aside.name + end))
    return aside
