"""The books of a data directory, read without a daemon and beside one."""

from collections.abc import Iterable
from pathlib import Path

from actors.ledger import LedgerMind, recover
from config.load import ENGINES
from config.universe import load_universe
from daemon.markets import instrument_of
from daemon.options import JOURNAL_NAME
from risk.ledger.books import Books
from supervisor.journal import Journal
from venues.market import Instrument


def every_instrument() -> list[Instrument]:
    """All that any engine knows, so that books can be read whatever was traded."""
    return [instrument_of(facts) for engine in ENGINES for facts in load_universe(engine).values()]


def recover_from(path: Path, instruments: Iterable[Instrument] | None = None) -> LedgerMind:
    """What the journal holds; empty where there is none yet. Raises JournalDamaged, LedgerUnbalanced."""
    mind = LedgerMind(every_instrument() if instruments is None else instruments, {})
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
