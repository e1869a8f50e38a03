"""The mark beside a journal: an end that is gone is said, and what is there is never called gone."""

import os
import shutil
import sqlite3
import zlib
from pathlib import Path

import pytest

from supervisor.journal import SCHEMA, Entry, Journal, JournalDamaged, JournalMissing, JournalUnwritable, chained
from supervisor.journal_mark import SLOT_BYTES, START, Mark, Place, mark_path, read_mark
from supervisor.journal_snapshot import Snapshot, read_snapshot, snapshot_path, write_snapshot

BOOK = [Entry(n, "fill", bytes([n]) * 50) for n in range(40)]


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "journal.sqlite"


def killed(folder: Path, entries: list[Entry], into: Path) -> Path:
    """The files that a writer leaves who is killed behind these entries: all of them are in the log still."""
    folder.mkdir()
    journal = Journal.open(folder / "journal.sqlite")
    for entry in entries:
        journal.append([entry])
    into.mkdir()
    for file in folder.iterdir():
        shutil.copy(file, into / file.name)
    journal.close()
    return into / "journal.sqlite"


def lost(path: Path) -> str:
    journal = Journal.read_only(path)
    journal.close()
    return journal.lost


def version1(path: Path, entries: list[Entry]) -> Path:
    """A journal as obid wrote it before there were marks."""
    db = sqlite3.connect(path, isolation_level=None)
    db.execute("PRAGMA journal_mode=WAL")
    db.executescript(f"BEGIN IMMEDIATE; {SCHEMA} PRAGMA user_version=1; COMMIT;")
    crc = 0
    for seq, entry in enumerate(entries, 1):
        crc = chained(crc, seq, entry)
        db.execute("INSERT INTO entries VALUES (?,?,?,?,?)", (seq, entry.at_ns, entry.kind, entry.body, crc))
    db.close()
    return path


# --- what is there is there -----------------------------------------------------------------------------------------


def test_nothing_is_lost_of_what_was_closed_or_killed(path, tmp_path):
    found = killed(tmp_path / "live", BOOK, tmp_path / "found")
    assert lost(found) == ""
    journal = Journal.open(found)
    assert (journal.lost, journal.seq, read_mark(found)) == ("", 40, journal.place)
    journal.append(BOOK[:1])
    assert read_mark(found) == journal.place
    journal.close()
    assert lost(found) == ""


def test_a_mark_that_stayed_behind_says_nothing(path):
    """A kill between the commit and the mark, or a power failure that took an unsynced mark back."""
    journal = Journal.open(path)
    journal.append(BOOK[:3])
    behind = mark_path(path).read_bytes()
    journal.append(BOOK[3:9])
    journal.close()
    mark_path(path).write_bytes(behind)
    assert read_mark(path).seq == 3
    assert lost(path) == ""


def test_a_mark_that_was_torn_while_it_was_written_is_the_one_before(path):
    journal = Journal.open(path)
    journal.append(BOOK[:3])
    before = journal.place
    journal.append(BOOK[3:9])
    journal.close()
    whole = mark_path(path).read_bytes()
    newest = max(range(0, len(whole), SLOT_BYTES), key=lambda at: whole[at : at + SLOT_BYTES])
    for cut in range(1, SLOT_BYTES):
        torn = bytearray(whole)
        torn[newest + cut : newest + SLOT_BYTES] = b"\0" * (SLOT_BYTES - cut)
        mark_path(path).write_bytes(torn)
        assert read_mark(path) == before


def test_a_mark_with_a_flipped_bit_never_lies(path):
    journal = Journal.open(path)
    journal.append(BOOK[:3])
    journal.append(BOOK[3:9])
    journal.close()
    whole = mark_path(path).read_bytes()
    true = {START, read_mark(path), Place(3, chain(BOOK[:3]))}
    for bit in range(0, 8 * len(whole), 5):
        flipped = bytearray(whole)
        flipped[bit // 8] ^= 1 << bit % 8
        mark_path(path).write_bytes(flipped)
        assert read_mark(path) in true


def chain(entries: list[Entry]) -> int:
    crc = 0
    for seq, entry in enumerate(entries, 1):
        crc = chained(crc, seq, entry)
    return crc


# --- what is gone is said -------------------------------------------------------------------------------------------


def test_a_log_that_is_gone_is_missed(tmp_path):
    found = killed(tmp_path / "live", BOOK, tmp_path / "found")
    Path(f"{found}-wal").unlink()
    Path(f"{found}-shm").unlink()
    with pytest.raises(JournalMissing, match="nothing in this journal"):
        Journal.read_only(found)
    journal = Journal.open(found)
    assert journal.lost == "entries 1 to 40 were on the disk and are gone (journal.sqlite.mark knows of them)"
    journal.close()
    assert lost(found).startswith("entries 1 to 40"), "looking is not accepting"
    journal = Journal.open(found)
    journal.append(BOOK[:2])
    journal.close()
    assert lost(found) == "", "writing on is"


def test_a_log_that_was_cut_or_flipped_is_missed(tmp_path):
    found = killed(tmp_path / "live", BOOK, tmp_path / "found")
    wal = Path(f"{found}-wal")
    whole = wal.read_bytes()
    for damaged in (whole[: len(whole) // 2], whole[: len(whole) // 2] + b"\1" + whole[len(whole) // 2 + 1 :]):
        wal.write_bytes(damaged)
        assert "were on the disk and are gone" in lost(found)


def test_an_older_copy_of_the_book_is_missed(path, tmp_path):
    journal = Journal.open(path)
    journal.append(BOOK[:10])
    journal.close()
    older = path.read_bytes()
    journal = Journal.open(path)
    journal.append(BOOK[10:])
    journal.close()
    path.write_bytes(older)
    assert lost(path).startswith("entries 11 to 40")


def test_the_journal_of_another_is_refused(path, tmp_path):
    journal = Journal.open(path)
    journal.append(BOOK)
    journal.close()
    other = Journal.open(tmp_path / "other.sqlite")
    other.append([*BOOK[:5], *BOOK])
    other.close()
    shutil.copy(tmp_path / "other.sqlite", path)
    for way in (Journal.open, Journal.read_only):
        with pytest.raises(JournalDamaged, match=r"entry 40 is not the one that journal\.sqlite\.mark knows"):
            way(path)


def test_a_mark_that_is_gone_is_missed(path):
    journal = Journal.open(path)
    journal.append(BOOK)
    journal.close()
    mark_path(path).unlink()
    for _ in range(2):  # looking is not accepting
        journal = Journal.open(path)
        assert (
            journal.lost
            == "journal.sqlite.mark is missing or damaged, so nobody can tell whether the newest entries are"
        )
        journal.close()
    assert not mark_path(path).exists()


# --- what stands in its way -----------------------------------------------------------------------------------------


def test_a_journal_from_before_there_were_marks(path):
    version1(path, BOOK)
    assert lost(path) == ""
    journal = Journal.open(path)
    assert (journal.lost, list(journal.read())) == ("", BOOK)
    journal.append(BOOK[:1])
    journal.close()
    assert lost(path) == ""
    assert read_mark(path) == Place(41, chain([*BOOK, BOOK[0]]))
    db = sqlite3.connect(path)
    assert db.execute("PRAGMA user_version").fetchone() == (2,)
    db.close()


def test_a_disk_that_can_not_be_written_is_named(path, monkeypatch):
    def read_only(*_: object, **__: object) -> None:
        raise OSError(30, "Read-only file system")

    monkeypatch.setattr(Path, "touch", read_only)
    with pytest.raises(JournalUnwritable, match=r"journal\.sqlite: Read-only file system"):
        Journal.open(path)


def test_a_disk_that_has_no_room_for_the_mark_is_named(path, monkeypatch):
    monkeypatch.setattr(Mark, "__init__", lambda *_: (_ for _ in ()).throw(OSError(28, "No space left on device")))
    with pytest.raises(JournalUnwritable, match="No space left"):
        Journal.open(path)


def test_pages_that_are_said_to_be_free_are_refused(path):
    journal = Journal.open(path)
    journal.append([Entry(1, "fill", bytes(9_000)), *BOOK])
    journal.close()
    db = sqlite3.connect(path)
    db.execute("DELETE FROM entries WHERE seq = 1")
    db.commit()
    db.close()
    for way in (Journal.open, Journal.read_only):
        with pytest.raises(JournalDamaged, match="pages are said to be free"):
            way(path)


def test_the_log_stays_small(path):
    journal = Journal.open(path)
    for _ in range(60):
        journal.append([Entry(n, "fill", bytes(100)) for n in range(500)])
        assert Path(f"{path}-wal").stat().st_size < 5 * 2**20
    reader = Journal.read_only(path)
    reading = reader.read()
    next(reading)
    for _ in range(80):
        journal.append([Entry(n, "fill", bytes(100)) for n in range(500)])
    assert Path(f"{path}-wal").stat().st_size > 5 * 2**20, "a reading that does not end holds it"
    reading.close()
    reader.close()
    for _ in range(20):
        journal.append([Entry(n, "fill", bytes(100)) for n in range(500)])
    assert Path(f"{path}-wal").stat().st_size < 5 * 2**20
    journal.close()


# --- snapshots ------------------------------------------------------------------------------------------------------


def test_a_snapshot_is_whole_or_none(path):
    made = Snapshot(Place(7, 9), "code", b"folded")
    assert read_snapshot(path) is None
    write_snapshot(path, made)
    assert read_snapshot(path) == made
    whole = snapshot_path(path).read_bytes()
    for bit in range(8 * len(whole)):
        flipped = bytearray(whole)
        flipped[bit // 8] ^= 1 << bit % 8
        snapshot_path(path).write_bytes(flipped)
        assert read_snapshot(path) is None
    for cut in range(len(whole)):
        snapshot_path(path).write_bytes(whole[:cut])
        assert read_snapshot(path) is None


def test_a_snapshot_of_something_else_is_none(path):
    data = b"\x91\x01"
    snapshot_path(path).write_bytes(b"obid snapshot 1\n" + zlib.crc32(data).to_bytes(4, "little") + data)
    assert read_snapshot(path) is None


def test_a_snapshot_that_can_not_be_written_leaves_the_one_before(path, monkeypatch):
    made = Snapshot(Place(7, 9), "code", b"first")
    write_snapshot(path, made)

    def full(_: int) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "fsync", full)
    with pytest.raises(OSError, match="No space"):
        write_snapshot(path, Snapshot(Place(8, 9), "code", b"second"))
    assert read_snapshot(path) == made
    assert [file.name for file in path.parent.iterdir()] == ["journal.sqlite.snapshot"]
