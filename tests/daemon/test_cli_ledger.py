"""`obid ledger`: the verdict is the exit code, and an export is the journal."""

import json
import sys
import types
from pathlib import Path

import pytest
from msgspec.structs import replace
from typer.testing import CliRunner

from daemon import ledger_text
from daemon.cli import app
from daemon.options import JOURNAL_NAME
from risk.ledger.books import Books
from risk.ledger.postings import Deposit
from supervisor.journal import Entry, Journal, import_lines


@pytest.fixture
def books(monkeypatch) -> Books:
    """Books of one deposit, as if a journal had held it."""
    books = Books(())
    entry = books.post(Deposit(engine="perps", id="d1", amount_minor=10_000_000_000, at_ns=1))
    assert entry is not None
    books.fold(entry)
    fake = types.ModuleType("daemon.books")
    fake.open_books = lambda _data_dir: books
    monkeypatch.setitem(sys.modules, "daemon.books", fake)
    return books


def ledger(*args: object, code: int = 0):
    result = CliRunner().invoke(app, ["ledger", *map(str, args)])
    assert result.exit_code == code, result.output
    return result


def test_balanced_books_are_exit_0(books, tmp_path: Path):
    shown = ledger("trial-balance", "--data-dir", tmp_path).stdout
    assert shown.endswith("balanced: every ledger sums to zero\n")
    assert len(shown.splitlines()) == 1 + 6 + 2
    rows = json.loads(ledger("trial-balance", "--json", "--data-dir", tmp_path).stdout)
    assert [row["ledger"] for row in rows] == [1, 2, 3, 4, 5, 6]
    assert float(rows[0]["debits"]) == 10_000


@pytest.mark.parametrize("field", ["balance", "pending"])
def test_books_that_do_not_balance_are_exit_1(books, tmp_path: Path, monkeypatch, field):
    rows = ledger_text.trial_rows(tmp_path)
    wrong = [replace(rows[0], **{field: "0.01"}), *rows[1:]]
    monkeypatch.setattr(ledger_text, "trial_rows", lambda _data_dir: wrong)
    assert "NOT BALANCED: cash" in ledger("trial-balance", "--data-dir", tmp_path, code=1).stdout


def test_the_statement_names_every_account(books, tmp_path: Path):
    assert "perps" in ledger("statement", "--data-dir", tmp_path).stdout
    assert json.loads(ledger("statement", "--json", "--data-dir", tmp_path).stdout)


def test_an_export_is_the_journal(tmp_path: Path):
    entries = [Entry(1, "deposit", b"one"), Entry(2, "fill", b"two")]
    journal = Journal.open(tmp_path / JOURNAL_NAME)
    journal.append(entries)
    journal.close()
    shown = ledger("export", "--data-dir", tmp_path).stdout
    assert list(import_lines(shown.splitlines())) == entries
    result = ledger("export", "--out", tmp_path / "books.jsonl", "--data-dir", tmp_path)
    assert result.stderr.startswith("2 entries")
    assert (tmp_path / "books.jsonl").read_text() == shown


def test_no_journal_and_a_damaged_one_are_one_line(tmp_path: Path):
    assert "there is no journal here" in ledger("export", "--data-dir", tmp_path, code=1).stderr
    (tmp_path / JOURNAL_NAME).write_bytes(b"this is no database, " * 100)
    assert len(ledger("export", "--data-dir", tmp_path, code=1).stderr.splitlines()) == 1
