"""The journal: what was appended is there, what was damaged is found, and a torn file is a shorter book."""

import io
import re
import shutil
import sqlite3
from itertools import islice
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from supervisor.journal import (
    Entry,
    Journal,
    JournalDamaged,
    JournalMissing,
    JournalUnwritable,
    Place,
    import_lines,
)

ENTRIES = st.builds(
    Entry, st.integers(-(2**63), 2**63 - 1), st.text(st.characters(codec="utf-8")), st.binary(max_size=300)
)
BOOK = [
    Entry(1_700_000_000_000_000_000 + n, ("intent", "fill", "posting")[n % 3], bytes([n]) * (n * 7)) for n in range(60)
]


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "journal.db"


def written(path: Path, entries=BOOK, batch: int = 5) -> Path:
    """A journal with these entries, a few in each transaction, closed."""
    journal = Journal.open(path)
    rest = iter(entries)
    while chunk := list(islice(rest, batch)):
        journal.append(chunk)
    journal.close()
    return path


def read(path: Path) -> list[Entry]:
    journal = Journal.read_only(path)
    try:
        return list(journal.read())
    finally:
        journal.close()


# --- what goes in comes out -----------------------------------------------------------------------------------------


def test_what_is_appended_is_read_in_order(path):
    assert read(written(path)) == BOOK


def test_a_journal_goes_on_where_it_ended(path):
    written(path, BOOK[:30])
    written(path, BOOK[30:])
    assert read(path) == BOOK
    journal = Journal.open(path)
    assert journal.seq == 60
    assert list(journal.read()) == BOOK
    journal.close()


def test_nothing_is_half_written(path):
    journal = Journal.open(path)
    journal.append(BOOK[:2])
    with pytest.raises(OverflowError):
        journal.append([BOOK[2], Entry(2**70, "fill", b"")])
    with pytest.raises(JournalUnwritable, match="entry 3"):
        journal.append([BOOK[2], Entry("now", "fill", b"")])
    journal.append(BOOK[2:4])
    journal.close()
    assert read(path) == BOOK[:4]


def test_a_full_disk_is_said_and_survived(path):
    journal = Journal.open(path)
    journal.append(BOOK[:1])
    (pages,) = journal._db.execute("PRAGMA page_count").fetchone()
    journal._db.execute(f"PRAGMA max_page_count={pages + 2}")
    with pytest.raises(JournalUnwritable, match="full"):
        journal.append([*BOOK[1:], Entry(1, "fill", bytes(20_000))])
    journal._db.execute("PRAGMA max_page_count=1000")
    journal.append(BOOK[1:])
    journal.close()
    assert read(path) == BOOK


def test_an_append_of_nothing_is_nothing(path):
    journal = Journal.open(path)
    journal.append([])
    assert journal.seq == 0
    journal.close()
    assert read(path) == []


@given(st.lists(ENTRIES, max_size=12))
@settings(max_examples=30)
def test_round_trip(tmp_path_factory, entries):
    path = written(tmp_path_factory.mktemp("journal") / "journal.db", entries)
    assert read(path) == entries


def test_only_its_owner_may_read_it(path):
    journal = Journal.open(path)
    journal.append(BOOK[:1])
    modes = {file.name: file.stat().st_mode & 0o777 for file in path.parent.iterdir()}
    journal.close()
    assert set(modes.values()) == {0o600}, modes


# --- others who look ------------------------------------------------------------------------------------------------


def test_a_reader_beside_a_writer_sees_whole_transactions(path):
    journal = Journal.open(path)
    journal.append(BOOK[:5])
    reader = Journal.read_only(path)
    seen = reader.read()
    assert next(seen) == BOOK[0]
    journal.append(BOOK[5:10])
    assert [BOOK[0], *seen] == BOOK[:5], "a reading sees the book as it was when it began"
    assert list(reader.read()) == BOOK[:10]
    reader.close()
    reader = Journal.read_only(path)
    with pytest.raises(JournalUnwritable, match="readonly"):
        reader.append(BOOK[:1])
    reader.close()
    journal.close()


@pytest.mark.parametrize("ahead", [False, True])
def test_a_second_writer_changes_nothing(path, ahead):
    """A data directory was removed and made anew below a daemon, whose numbers were further on: both wrote."""
    first, second = Journal.open(path), Journal.open(path)
    first.append(BOOK[:2])
    if ahead:
        second.place = Place(60, 7)
    ours = 60 if ahead else 0
    with pytest.raises(JournalUnwritable, match=f"entry {ours + 1}: somebody else writes to it: it ends with 2"):
        second.append(BOOK[2:4])
    first.append(BOOK[2:4])
    second.close()
    first.close()
    assert read(path) == BOOK[:4]


def test_a_writer_that_is_locked_out_says_so(path, monkeypatch):
    monkeypatch.setattr("supervisor.journal.BUSY_TIMEOUT_S", 0.01)
    journal = Journal.open(path)
    other = sqlite3.connect(path, isolation_level=None)
    other.execute("BEGIN IMMEDIATE")
    with pytest.raises(JournalUnwritable, match="locked"):
        journal.append(BOOK[:1])
    other.execute("ROLLBACK")
    other.close()
    journal.append(BOOK[:1])
    journal.close()


def test_no_journal_is_not_an_empty_one(path):
    with pytest.raises(JournalMissing, match="no journal here"):
        Journal.read_only(path)


# --- what is not ours -----------------------------------------------------------------------------------------------


def test_a_journal_of_another_schema_is_refused(path):
    written(path)
    db = sqlite3.connect(path)
    db.execute("PRAGMA user_version=99")
    db.close()
    for way in (Journal.open, Journal.read_only):
        with pytest.raises(JournalDamaged, match="schema version is 99, this obid writes 2"):
            way(path)


def test_somebody_elses_database_is_refused(path):
    db = sqlite3.connect(path)
    db.execute("CREATE TABLE theirs (x)")
    db.close()
    with pytest.raises(JournalDamaged, match="schema version is 0"):
        Journal.open(path)


@pytest.mark.parametrize("content", [b"not a database at all, but long enough to be looked at" * 20, b"\0" * 100])
def test_what_is_no_database_is_refused(path, content):
    path.write_bytes(content)
    with pytest.raises(JournalDamaged, match=r"journal\.db"):
        Journal.open(path)


def test_a_folder_is_refused(tmp_path):
    for way in (Journal.open, Journal.read_only):
        with pytest.raises(JournalDamaged, match=re.escape(str(tmp_path))):
            way(tmp_path)


def test_a_start_that_was_killed_before_the_journal_was_made_is_repeated(path):
    path.touch()
    assert read(written(path)) == BOOK


# --- damage ---------------------------------------------------------------------------------------------------------


def outcome(path: Path, way=Journal.open) -> list[Entry] | None:
    """What can be read, None if the damage was found."""
    try:
        journal = way(path)
    except JournalDamaged:
        return None
    try:
        return list(journal.read())
    except JournalDamaged:
        return None
    finally:
        journal.close()


def flipped(source: Path, target: Path, bit: int) -> Path:
    data = bytearray(source.read_bytes())
    data[bit // 8] ^= 1 << bit % 8
    for left in target.parent.glob(f"{target.name}-*"):  # the log of the last one, if it was refused
        left.unlink()
    target.write_bytes(data)
    return target


@pytest.fixture(scope="module")
def book(tmp_path_factory) -> Path:
    """A closed journal, all of it in the main file."""
    return written(tmp_path_factory.mktemp("book") / "journal.db")


@pytest.fixture(scope="module")
def torn(tmp_path_factory) -> tuple[Path, bytes]:
    """A journal as a killed writer leaves it: the main file, and a log that was never copied into it."""
    live = tmp_path_factory.mktemp("live") / "journal.db"
    journal = Journal.open(live)
    for at in range(0, 60, 5):
        journal.append(BOOK[at : at + 5])
    main = tmp_path_factory.mktemp("torn") / "journal.db"
    shutil.copy(live, main)
    log = Path(f"{live}-wal").read_bytes()
    journal.close()
    return main, log


def is_prefix(entries: list[Entry]) -> bool:
    return entries == BOOK[: len(entries)]


@given(st.data())
@settings(max_examples=250)
def test_a_flipped_bit_is_found_or_harmless(book, tmp_path_factory, data):
    bit = data.draw(st.integers(0, 8 * book.stat().st_size - 1))
    damaged = flipped(book, tmp_path_factory.getbasetemp() / "flipped.db", bit)
    found = outcome(damaged)
    assert found is None or is_prefix(found)


@pytest.mark.parametrize("bit", [0, 7])
def test_a_flipped_bit_in_the_header_or_the_schema(book, tmp_path, bit):
    """Where SQLite itself complains, now and then in text that is no text any more."""
    schema = book.read_bytes().index(b"CREATE TABLE")
    for byte in (*range(100), *range(schema - 40, schema + 170)):
        found = outcome(flipped(book, tmp_path / "flipped.db", 8 * byte + bit))
        assert found is None or is_prefix(found)


def test_every_bit_of_an_entry_counts(path, tmp_path):
    """Its length, the types of its columns (bytes become text), its values: all of it stands at the end of the file."""
    written(path, BOOK[:1])
    bits = 8 * path.stat().st_size
    for bit in range(bits - 8 * 64, bits):
        found = outcome(flipped(path, tmp_path / "flipped.db", bit))
        assert not found or found == BOOK[:1]


@given(st.data())
@settings(max_examples=60)
def test_a_torn_log_is_a_shorter_book_of_whole_transactions(torn, tmp_path_factory, data):
    main, log = torn
    place = tmp_path_factory.mktemp("cut")
    shutil.copy(main, place / "journal.db")
    (place / "journal.db-wal").write_bytes(log[: data.draw(st.integers(0, len(log)))])
    found = outcome(place / "journal.db")
    assert found is not None
    assert is_prefix(found)
    assert len(found) % 5 == 0
    assert outcome(written(place / "journal.db", BOOK[len(found) :])) == BOOK, "and it can be written again"


@given(st.data())
@settings(max_examples=100)
def test_a_flipped_bit_in_the_log_is_a_shorter_book(torn, tmp_path_factory, data):
    main, log = torn
    place = tmp_path_factory.mktemp("flip")
    shutil.copy(main, place / "journal.db")
    bit = data.draw(st.integers(0, 8 * len(log) - 1))
    damaged = bytearray(log)
    damaged[bit // 8] ^= 1 << bit % 8
    (place / "journal.db-wal").write_bytes(damaged)
    found = outcome(place / "journal.db")
    assert found is None or is_prefix(found)


def test_a_changed_entry_is_named(path):
    written(path)
    db = sqlite3.connect(path)
    db.execute("UPDATE entries SET body = X'00' WHERE seq = 7")
    db.commit()
    db.close()
    journal = Journal.open(path)
    seen = []
    with pytest.raises(JournalDamaged, match=r"entry 7 \(intent\) has checksum"):
        seen.extend(journal.read())
    journal.close()


@pytest.mark.parametrize(
    ("harm", "says"),
    [
        ("DELETE FROM entries WHERE seq = 7", "entry 7 is missing, the next is 8"),
        ("UPDATE entries SET seq = -1 WHERE seq = 7", "entry 1 is missing, the next is -1"),
        ("UPDATE entries SET at_ns = at_ns + 1 WHERE seq = 7", "entry 7 .* checksum"),
        ("UPDATE entries SET kind = 'other' WHERE seq = 7", "entry 7 .* checksum"),
        ("UPDATE entries SET crc = 1 WHERE seq = 7", "entry 7 .* checksum"),
    ],
)
def test_whatever_is_changed_is_found(path, harm, says):
    written(path)
    db = sqlite3.connect(path)
    db.execute(harm)
    db.commit()
    db.close()
    journal = Journal.open(path)
    with pytest.raises(JournalDamaged, match=says):
        list(journal.read())
    journal.close()


def test_swapped_entries_are_found(path):
    written(path)
    db = sqlite3.connect(path)
    for old, new in ((7, -7), (8, 7), (-7, 8)):
        db.execute("UPDATE entries SET seq = ? WHERE seq = ?", (new, old))
    db.commit()
    db.close()
    assert outcome(path) is None


# --- export ---------------------------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def exported(book) -> bytes:
    journal = Journal.read_only(book)
    out = io.StringIO()
    assert journal.export(out) == 60
    journal.close()
    return out.getvalue().encode()


def imported(data: bytes) -> list[Entry] | None:
    try:
        return list(import_lines(io.TextIOWrapper(io.BytesIO(data), encoding="utf-8", newline="\n")))
    except JournalDamaged:
        return None


def test_an_export_can_be_read_back(exported):
    assert imported(exported) == BOOK
    assert exported.count(b"\n") == 60


def test_an_export_of_any_entries(path):
    entries = [Entry(0, 'ki"nd\n,"crc":1}', b"\x00\xff"), Entry(-1, "ρ🙂", b"")]
    journal = Journal.open(path)
    journal.append(entries)
    out = io.StringIO()
    journal.export(out)
    journal.close()
    assert list(import_lines(out.getvalue().splitlines())) == entries


@given(st.data())
@settings(max_examples=400)
def test_a_flipped_bit_in_an_export_is_found_or_harmless(exported, data):
    bit = data.draw(st.integers(0, 8 * len(exported) - 1))
    damaged = bytearray(exported)
    damaged[bit // 8] ^= 1 << bit % 8
    found = imported(bytes(damaged))
    assert found is None or found == BOOK


@given(st.data())
@settings(max_examples=50)
def test_an_export_that_was_cut_is_found_or_shorter(exported, data):
    found = imported(exported[: data.draw(st.integers(0, len(exported)))])
    assert found is None or is_prefix(found)


def test_a_line_that_is_missing_is_found(exported):
    lines = exported.decode().splitlines()
    with pytest.raises(JournalDamaged, match="line 7: is entry 8, so one before it is missing"):
        list(import_lines(lines[:6] + lines[7:]))
    with pytest.raises(JournalDamaged, match="line 1: is entry 2"):
        list(import_lines([lines[1], lines[0]]))
