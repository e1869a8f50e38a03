"""Backup and restore: whole copies beside a daemon that writes, halted by name; naive copies are found out; old ones
double nothing."""

import json
import random
import shutil
import sqlite3
import stat
from contextlib import closing

import pytest
from msgspec.structs import replace

from actors import reconciler
from actors.records import written
from daemon import backup
from daemon.backup import ABOUT, BY
from daemon.books import recover_from
from daemon.lost_end import lost_end
from daemon.options import JOURNAL_NAME
from daemon.verify import verify
from risk.intent import Trading
from supervisor.journal import Journal, JournalDamaged, JournalMissing
from supervisor.journal_mark import mark_path
from tests.daemon.runs import Daemon, eager, hold, obid
from tests.soak import restored_lives
from tests.supervisor.test_journal import BOOK


def entries_of(path):
    with closing(Journal.read_only(path)) as journal:
        return list(journal.read())


def test_a_daemon_goes_on_beside_a_backup_and_another_starts_on_the_copy_halted(tmp_path):
    data, copies = tmp_path / "data", [tmp_path / "copies" / str(number) for number in range(2)]
    with Daemon(data, "--symbols", "BTC,ETH", "--bar", "1s", "--config", eager(tmp_path)) as daemon:
        for copy in copies:
            known = len(entries_of(data / JOURNAL_NAME))
            daemon.wait_for(lambda known=known: len(entries_of(data / JOURNAL_NAME)) > known + 3)
            obid("backup", copy, "--data-dir", data, "--log")
        known = len(entries_of(data / JOURNAL_NAME))
        daemon.wait_for(lambda known=known: len(entries_of(data / JOURNAL_NAME)) > known + 3)
        daemon.end()
    whole = entries_of(data / JOURNAL_NAME)
    for copy in copies:
        told = json.loads((copy / ABOUT).read_text())
        copied = entries_of(copy / JOURNAL_NAME)
        assert copied[:-1] == whole[: told["entries"]], "a moment of it, and nothing else"
        assert verify(copy).wrongs == () and told["mode"] == "synthetic"
        assert (copy / "log" / "obid.jsonl").stat().st_size > 0
        modes = {stat.S_IMODE(one.stat().st_mode) for one in copy.rglob("*") if one.is_file()}
        assert modes == {0o600} and stat.S_IMODE(copy.stat().st_mode) == 0o700
        assert not (copy / "control.sock").exists() and not (copy / "obid.lock").exists()
    restored, held = tmp_path / "elsewhere", recover_from(copies[0] / JOURNAL_NAME).books.positions
    shutil.copytree(copies[0], restored)
    with Daemon(restored, "--symbols", "BTC,ETH", "--bar", "1s", "--config", eager(tmp_path)) as daemon:
        (engine,) = daemon.ask("status")["engines"]
        assert engine["trading"] == "halted" and "restored from a backup of" in engine["reason"]
        ours = {row["symbol"]: row["lots"] for row in daemon.ask("positions")}
        entered = [symbol for symbol in ours if symbol not in held.get("perps", {})]
        assert not entered, "nothing is entered before a person has looked"
        daemon.ask("resume")
        daemon.wait_for(lambda: daemon.ask("status")["engines"][0]["trading"] == "active")
        daemon.end()


def test_a_place_that_is_taken_and_a_journal_that_is_damaged_are_refused(tmp_path):
    data = tmp_path / "data"
    assert "there is no journal here" in obid("backup", tmp_path / "a", "--data-dir", data, code=1).stderr
    hold(data, "BTC", 1)
    taken = tmp_path / "taken"
    taken.mkdir()
    (taken / "mine").write_text("")
    assert "is not empty" in obid("backup", taken, "--data-dir", data, code=2).stderr
    assert "which is copied" in obid("backup", data / "copy", "--data-dir", data, code=2).stderr
    mark_path(data / JOURNAL_NAME).unlink()
    assert "mark is missing" in obid("backup", tmp_path / "b", "--data-dir", data, code=1).stderr
    assert not (tmp_path / "b").exists()


# --- what cp does


MOMENTS = 30


def naive(folder, seed, *, writes):
    """`cp` of the open files, one after the other, while somebody writes; gives the copy and how far the book was."""
    draw = random.Random(seed)
    source, copy = folder / "source", folder / "copy"
    source.mkdir()
    copy.mkdir(mode=0o700)
    path = source / JOURNAL_NAME
    journal = Journal.open(path)
    pool = BOOK * 40

    def write(count):
        for _ in range(count):
            start = journal.seq
            journal.append(pool[start : start + draw.randint(1, 40)])
        if draw.random() < 0.4:
            with closing(sqlite3.connect(path)) as other:
                other.execute(f"PRAGMA wal_checkpoint({draw.choice(['PASSIVE', 'TRUNCATE', 'RESTART'])})")

    write(draw.randint(1, 12))
    least = journal.seq
    for name in (path.name, f"{path.name}-wal", mark_path(path).name):  # as cp takes them: in the order of their names
        if (source / name).exists():
            shutil.copyfile(source / name, copy / name)
        if writes:
            write(draw.randint(0, 4))
    journal.close()
    return copy, least


def outcome_of(copy, least):
    """found: it is said what is wrong; whole: everything is there that was when the copy began; else LOST."""
    path = copy / JOURNAL_NAME
    try:
        if lost_end(path):
            return "found"
        got = len(entries_of(path))
    except (JournalDamaged, JournalMissing):
        return "found"
    return "whole" if got >= least else "LOST"


def outcomes(tmp_path, *, writes=True):
    found = {"found": 0, "whole": 0, "LOST": 0}
    for seed in range(MOMENTS):
        folder = tmp_path / str(seed)
        folder.mkdir()
        copy, least = naive(folder, seed, writes=writes)
        found[outcome_of(copy, least)] += 1
        shutil.rmtree(folder)
    return found


def test_a_naive_copy_of_open_files_is_found_out_or_whole_and_never_short_without_a_word(tmp_path):
    found = outcomes(tmp_path)
    assert found["LOST"] == 0
    assert found["found"] > MOMENTS / 4, "cp while somebody writes mostly makes no backup"


def test_control_while_nobody_writes_cp_is_a_backup(tmp_path):
    assert outcomes(tmp_path, writes=False) == {"found": 0, "whole": MOMENTS, "LOST": 0}


def test_a_copy_without_its_write_ahead_log_is_found_out(tmp_path):
    data, copy = tmp_path / "data", tmp_path / "copy"
    data.mkdir()
    copy.mkdir(mode=0o700)
    with closing(Journal.open(data / JOURNAL_NAME)) as journal:
        journal.append(BOOK)
        for path in (data / JOURNAL_NAME, mark_path(data / JOURNAL_NAME)):
            shutil.copyfile(path, copy / path.name)
    told = obid("ledger", "verify", "--data-dir", copy, code=1)
    assert "were on the disk and are gone" in told.stdout + told.stderr


# --- an old backup, put back


@pytest.mark.parametrize("engine", ["perps", "crypto"])
def test_an_old_backup_doubles_nothing_and_what_happened_meanwhile_is_adopted(engine, tmp_path):
    found = restored_lives.live(engine, 2, tmp_path, minutes=5.0)
    assert found.failures == []
    assert found.torn >= 2, "put back so often"
    assert found.orders > 10 and found.fills
    assert found.again + found.adopted, "fills that the venue told again, and drifts with a name"


def test_control_who_does_not_reconcile_is_found_out(tmp_path, monkeypatch):
    async def unread(self):
        return []

    monkeypatch.setattr(reconciler.Reconciler, "_fills", unread)
    monkeypatch.setattr(reconciler.ReconcilerMind, "differences", lambda self, *_: {})
    found = restored_lives.live("crypto", 2, tmp_path, minutes=5.0)
    assert any(one.startswith("positions: ") for one in found.failures)


def test_control_a_copy_without_its_halt_is_found_out(tmp_path, monkeypatch):
    monkeypatch.setattr(backup, "written", lambda state: written(replace(state, state=Trading.ACTIVE, by="nobody")))
    found = restored_lives.live("perps", 2, tmp_path, minutes=3.0)
    assert found.failures == ["it did not begin halted"]


def test_the_halt_of_a_copy_is_its_own_last_word(tmp_path):
    data, copy = tmp_path / "data", tmp_path / "copy"
    hold(data, "BTC", 1)
    before = entries_of(data / JOURNAL_NAME)
    assert "2 entries of" in obid("backup", copy, "--data-dir", data).stdout or before
    assert entries_of(data / JOURNAL_NAME) == before, "the source is as it was"
    state = recover_from(copy / JOURNAL_NAME).trading[""]
    assert (state.state, state.by) == (Trading.HALTED, BY)
    told = obid("backup", tmp_path / "again", "--data-dir", copy, "--json")
    assert json.loads(told.stdout)["entries"] == len(before) + 1, "a backup of a backup is one"
