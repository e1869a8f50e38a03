"""The books of a data directory, read without a daemon and beside one."""

from pathlib import Path

from actors.ledger import LedgerMind
from actors.ledger_recovery import recover_journal
from daemon.options import JOURNAL_NAME
from risk.ledger.books import Books
from supervisor.clock import NS_PER_S
from supervisor.journal import Journal, JournalMissing


def recover_from(path: Path) -> LedgerMind:
    """What the journal holds; empty where there is none yet. Raises JournalDamaged, LedgerUnbalanced."""
    mind = LedgerMind()
    try:
        journal = Journal.read_only(path)
    except JournalMissing:
        return mind
    try:
        return recover_journal(journal, mind)[0]
    finally:
        journal.close()


def open_books(data_dir: Path) -> Books:
    """The books of a data directory. Raises JournalMissing, JournalDamaged, LedgerUnbalanced."""
    Journal.read_only(data_dir / JOURNAL_NAME).close()
    return recover_from(data_dir / JOURNAL_NAME).books


def concerned(mind: LedgerMind, engine: str) -> dict[str, str]:
    """Symbols of an engine that cannot be let go of, and why: what is held, and orders that may live at the venue."""
    alive = [order.request for order in mind.orders.values() if not order.over and order.request.engine == engine]
    held = mind.books.positions.get(engine, {})
    return {
        **{one.symbol: f"{engine} has an order of it that may rest" for one in alive},
        **{symbol: f"{engine} holds {position.lots} lots of it" for symbol, position in held.items()},
    }


AHEAD_NS = 60 * NS_PER_S
"""Records newer than now by more were written by a clock that was wrong; a venue's stamps are ahead by seconds."""

LOST_NS = 86_400 * NS_PER_S
"""How far back is asked then. Nobody knows by how much it was wrong; what is known already is recognised by its id."""


def looked_ns(mind: LedgerMind, now_ns: int) -> int:
    """Until when no fill is missing: since when an engine's venue was not looked at with all of it booked.

    The newest record says less: a fill that no stream told and no question found may be older than one that was told.
    """
    known, since = known_ns(mind, now_ns), dict(mind.looked_ns)
    for run in mind.runs:
        for engine in run.engines:
            since.setdefault(engine, run.at_ns)  # none of its looks has come to an end yet
    return max(min([known, *since.values()]), known - LOST_NS)


def known_ns(mind: LedgerMind, now_ns: int) -> int:
    """Until when what happened at the venues is booked: the newest record, unless it is of a time yet to come."""
    if mind.last_ns > now_ns + AHEAD_NS:
        return now_ns - LOST_NS
    return mind.last_ns or now_ns
