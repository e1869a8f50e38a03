"""Starts on a damaged journal: one line that says what and where, and never a trade on books that are not whole."""

import json
import sqlite3
from pathlib import Path

import pytest

from daemon.options import JOURNAL_NAME
from supervisor.journal_mark import mark_path
from supervisor.journal_snapshot import snapshot_path
from tests.daemon.runs import count, eager, log_of, obid

ARGS = ("run", "--symbols", "BTC", "--bar", "1s", "--for", "40s", "--speed", "max", "--plain")


def run(folder: Path, *, code: int = 0):
    return obid(*ARGS, "--config", eager(folder), "--data-dir", folder / "data", code=code)


@pytest.fixture(scope="module")
def traded(tmp_path_factory) -> Path:
    """A folder with a data directory of a run that traded."""
    folder = tmp_path_factory.mktemp("traded")
    assert count(run(folder), "fills")
    assert entries_of(folder, 1)
    return folder


@pytest.fixture
def folder(traded: Path, tmp_path: Path) -> Path:
    """A copy of it."""
    (tmp_path / "data").mkdir(mode=0o700)
    for file in (traded / "data").glob(f"{JOURNAL_NAME}*"):
        (tmp_path / "data" / file.name).write_bytes(file.read_bytes())
    return tmp_path


def harm(folder: Path, sql: str) -> None:
    db = sqlite3.connect(folder / "data" / JOURNAL_NAME)
    db.execute(sql)
    db.commit()
    db.close()


def entries_of(folder: Path, runs: int) -> int:
    """Entries that these many runs have planned."""
    assert len(log_of(folder / "data", "run_ended")) == runs
    return sum(line["entry"] for line in log_of(folder / "data", "order_planned"))


def verified(folder: Path, code: int = 0) -> str:
    return obid("ledger", "verify", "--data-dir", folder / "data", code=code).stdout


def test_a_journal_that_is_whole_is_verified(folder):
    assert "entries of 1 runs are as they were written, and the books balance" in verified(folder)


def test_a_lost_end_is_said_kept_and_halts_until_somebody_has_looked(folder):
    path = folder / "data" / JOURNAL_NAME
    harm(folder, "DELETE FROM entries WHERE seq > (SELECT max(seq) FROM entries) - 3")
    found = path.read_bytes()
    assert "were on the disk and are gone" in verified(folder, code=1)
    said = run(folder)
    (line,) = said.stderr.splitlines()
    assert "were on the disk and are gone (journal.sqlite.mark knows of them)" in line
    assert "trading is halted until `obid ctl resume`" in line
    assert (folder / "data" / "journal.found-1.sqlite").read_bytes() == found
    assert mark_path(folder / "data" / "journal.found-1.sqlite").exists()
    assert entries_of(folder, 1) == 0, "an exit may pass, an entry never"
    states = log_of(folder / "data", "trading_state")
    assert states[0]["state"] == "halted"
    assert "journal.found-1.sqlite" in states[0]["reason"]
    assert run(folder).stderr == ""
    assert entries_of(folder, 2) == 0, "what was not resumed stays halted"
    assert "are as they were written" in verified(folder)


def test_a_journal_that_is_gone_is_missed(folder):
    (folder / "data" / JOURNAL_NAME).unlink()
    said = run(folder)
    assert "entries were on the disk and are gone" in said.stderr
    assert entries_of(folder, 1) == 0


@pytest.mark.parametrize(
    ("sql", "says"),
    [
        ("UPDATE entries SET body = X'00' WHERE seq = 4", "entry 4 "),
        ("DELETE FROM entries WHERE seq = 4", "entry 4 is missing"),
        ("PRAGMA user_version=99", "schema version is 99"),
    ],
)
def test_damage_in_the_middle_starts_nothing(folder, sql, says):
    harm(folder, sql)
    before = {file.name: file.read_bytes() for file in (folder / "data").iterdir() if "-" not in file.name}
    said = run(folder, code=1)
    (line,) = said.stderr.splitlines()
    assert says in line
    assert "Nothing was started" in line
    assert "docs/operating.md" in line
    after = {file.name: file.read_bytes() for file in (folder / "data").iterdir() if "-" not in file.name}
    assert {name: after[name] for name in before} == before
    assert says in verified(folder, code=1)


def test_a_replay_keeps_what_belongs_to_the_journal_before(folder, tmp_path):
    """Its mark would say of the new one that its end is gone."""
    from daemon.run import set_aside

    snapshot_path(folder / "data" / JOURNAL_NAME).write_bytes(b"x")
    set_aside(folder / "data" / JOURNAL_NAME)
    names = {file.name for file in (folder / "data").iterdir()}
    assert names == {"journal.1.sqlite", "journal.1.sqlite.mark", "journal.1.sqlite.snapshot"}


def test_a_snapshot_that_lies_is_found(folder, monkeypatch):
    from actors.ledger import LedgerMind
    from actors.ledger_recovery import keep_snapshot, state_of
    from supervisor.journal_mark import read_mark

    path = folder / "data" / JOURNAL_NAME
    keep_snapshot(path, read_mark(path), state_of(LedgerMind()))
    assert "folds to something else" in verified(folder, code=1)
    snapshot_path(path).write_bytes(b"torn")
    found = obid("ledger", "verify", "--json", "--data-dir", folder / "data", code=1)
    assert "is damaged; it does not count" in json.loads(found.stdout)["wrongs"][0]


@pytest.mark.parametrize("place", ["touch", "open"])
def test_a_disk_that_refuses_is_one_line(folder, monkeypatch, place):
    """Read-only from the start: the lock is the first that wants to write."""
    import os

    real = os.open

    def refuse(path, flags, *more):
        if flags & (os.O_RDWR | os.O_WRONLY) and "data" in str(path):
            raise OSError(30, "Read-only file system")
        return real(path, flags, *more)

    if place == "open":
        monkeypatch.setattr(os, "open", refuse)
    else:
        monkeypatch.setattr(
            Path, "touch", lambda *_a, **_k: (_ for _ in ()).throw(OSError(30, "Read-only file system"))
        )
    (line,) = run(folder, code=2 if place == "open" else 1).stderr.splitlines()
    assert "Read-only file system" in line
