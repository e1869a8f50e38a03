"""The books as `obid ledger` shows them: rows read from the journal, printed plainly."""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from decimal import Decimal
from pathlib import Path
from typing import Any, TextIO

from msgspec import to_builtins

from daemon.errors import Failed
from daemon.options import JOURNAL_NAME
from daemon.tables import table
from supervisor.journal import Journal, JournalDamaged, JournalMissing


@contextmanager
def damage_told() -> Iterator[None]:
    """Turn what can be wrong with a journal into one line."""
    try:
        yield
    except (JournalMissing, JournalDamaged) as error:
        raise Failed(str(error)) from error


def trial_rows(data_dir: Path) -> Sequence[Any]:
    """A row for each ledger, as risk.ledger.statement sums them."""
    from daemon.books import open_books
    from risk.ledger.statement import trial_balance

    with damage_told():
        return tuple(trial_balance(open_books(data_dir)))


def statement_rows(data_dir: Path) -> Sequence[Any]:
    """A row for each account."""
    from daemon.books import open_books
    from risk.ledger.statement import statement

    with damage_told():
        return tuple(statement(open_books(data_dir)))


def export(data_dir: Path, out: TextIO) -> int:
    """Every journal entry as a line; returns how many."""
    with damage_told():
        journal = Journal.read_only(data_dir / JOURNAL_NAME)
        try:
            return journal.export(out)
        finally:
            journal.close()


def rows_text(rows: Sequence[Any], empty: str) -> str:
    """Structs as a table, a column for each field."""
    plain = [to_builtins(row) for row in rows]
    return table(" ".join(plain[0]) if plain else "", [row.values() for row in plain], empty)


def balanced(rows: Sequence[Any]) -> bool:
    """Whether every ledger sums to zero, posted and pending."""
    return all(Decimal(row.balance) == 0 and Decimal(row.pending) == 0 for row in rows)


def trial_text(rows: Sequence[Any]) -> str:
    """The trial balance and its verdict."""
    wrong = [row.name for row in rows if not balanced([row])]
    verdict = f"NOT BALANCED: {', '.join(wrong)}" if wrong else "balanced: every ledger sums to zero"
    return f"{rows_text(rows, 'no ledgers')}\n\n{verdict}"


def statement_text(rows: Sequence[Any]) -> str:
    """Every account that was ever touched."""
    return rows_text(rows, "no account was ever touched")
