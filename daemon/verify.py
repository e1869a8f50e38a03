"""`obid ledger verify`: the whole journal read and folded, entry by entry, and the snapshot held against it."""

from contextlib import closing
from pathlib import Path

from msgspec import Struct

from actors.ledger import LedgerMind
from actors.ledger_recovery import ENCODE, made_by, state_of
from actors.records import read
from daemon.lost_end import lost_end
from daemon.options import JOURNAL_NAME
from risk.ledger.postings import LedgerUnbalanced
from supervisor.journal import Journal, JournalDamaged, JournalMissing
from supervisor.journal_mark import START
from supervisor.journal_snapshot import Snapshot, read_snapshot, snapshot_path


class Verified(Struct, frozen=True):
    """What came of it."""

    journal: str
    entries: int  # read and as they were written
    runs: int
    snapshot_entry: int  # the last one that the snapshot stands for; 0: there is none that counts
    wrongs: tuple[str, ...]

    def text(self) -> str:
        """The same for a person."""
        snapshot = f"the snapshot of entry {self.snapshot_entry} is what they fold to" if self.snapshot_entry else ""
        good = [f"{self.entries} entries of {self.runs} runs are as they were written, and the books balance", snapshot]
        return "\n".join([*self.wrongs] or filter(None, good))


def verify(data_dir: Path) -> Verified:
    """Check everything that can be checked. Raises JournalMissing."""
    path = data_dir / JOURNAL_NAME
    mind, wrongs, entries = LedgerMind(), list[str](), 0
    snapshot = read_snapshot(path)
    counts = snapshot is not None and snapshot.made_by == made_by()
    if snapshot is None and snapshot_path(path).exists():
        wrongs.append(f"{snapshot_path(path)}: is damaged; it does not count, the next start folds everything")
    try:
        if lost := lost_end(path):
            wrongs.append(f"{path}: {lost}")
        with closing(Journal.read_only(path)) as journal:
            for entries, entry in enumerate(journal.read(), 1):
                mind.fold(read(entry))
                if counts and snapshot is not None and snapshot.place.seq == entries:
                    wrongs += _differs(path, journal, snapshot, mind)
            if counts and snapshot is not None and snapshot.place.seq > entries:
                wrongs.append(f"{snapshot_path(path)}: stands for entry {snapshot.place.seq}, which is not there")
        mind.books.check()
    except JournalMissing:
        if not wrongs:
            raise
    except (JournalDamaged, LedgerUnbalanced) as error:
        wrongs.append(str(error))
    seq = snapshot.place.seq if counts and snapshot is not None else START.seq
    return Verified(str(path), entries, len(mind.runs), seq, tuple(wrongs))


def _differs(path: Path, journal: Journal, snapshot: Snapshot, mind: LedgerMind) -> list[str]:
    """What is wrong with a snapshot, now that everything up to its place is folded."""
    where = f"{snapshot_path(path)}: entry {snapshot.place.seq}"
    if not journal.holds(snapshot.place):
        return [f"{where} is not the one of this journal; it does not count"]
    if ENCODE(state_of(mind)) != snapshot.body:
        return [f"{where} folds to something else: remove this file, and the next start folds everything"]
    return []
