"""The books of a data directory, read without a daemon and beside one."""

from pathlib import Path

from actors.ledger import LedgerMind, recover
from daemon.options import JOURNAL_NAME
from risk.ledger.books import Books
from supervisor.journal import Journal


def recover_from(path: Path) -> LedgerMind:
    """What the journal holds; empty where there is none yet. Raises JournalDamaged, LedgerUnbalanced."""
    mind = LedgerMind()
    if not path.exists():
        return mind
    journal = Journal.read_only(path)
    try:
        return recover(journal.read(), mind)
    finally:
        journal.close()


def open_books(data_dir: Path) -> Books:
    """The books of a data directory. Raises JournalMissing, JournalDamaged, LedgerUnbalanced."""
    Journal.read_only(data_dir / JOURNAL_NAME).close()
    return recover_from(data_dir / JOURNAL_NAME).books
