"""The journal: an append-only book of entries that survives anything short of the disk's own lie.

SQLite in WAL mode with synchronous=FULL, one connection, one writer, whole transactions. Every entry carries the
CRC-32 of itself chained to the one before, so a changed, missing or reordered entry is found when it is read, not when
it is missed; the mark beside it (supervisor/journal_mark.py) says how far it went, so an end that is gone is found too.
The journal knows no market: a kind, a time and bytes.
"""

import json
import sqlite3
import zlib
from base64 import b64decode, b64encode
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import TextIO

from msgspec import Struct

from supervisor.journal_mark import OWNER_ONLY, START, Mark, Place, mark_path, read_mark

SCHEMA_VERSION = 2
"""Version 1 had no mark beside it; it is read as it is and becomes a 2 when it is next written."""
UNMARKED = 1
SCHEMA = """
CREATE TABLE entries (
    seq INTEGER PRIMARY KEY, at_ns INTEGER NOT NULL, kind TEXT NOT NULL, body BLOB NOT NULL, crc INTEGER NOT NULL
) STRICT;
"""
DAMAGE = (sqlite3.Error, UnicodeDecodeError)
"""What SQLite raises over a file that is not what it was; the second where its own complaint quotes broken text."""

TABLES = "SELECT count(*) FROM sqlite_schema"
READ, SEQ_MIN = "SELECT * FROM entries WHERE seq > ? ORDER BY seq", -(2**63)
LAST = "SELECT seq, crc FROM entries ORDER BY seq DESC LIMIT 1"
LINE_HEAD, LINE_CRC = '{"entry":', ',"crc":'
LOG_BYTES_MAX = 4 * 2**20
"""SQLite copies its write-ahead log into the book at 1,000 pages (its default, as large) and starts it again; one that
grew beyond (a long reading held it) is cut back to this."""
BUSY_TIMEOUT_S = 5.0
"""A reader (obid ledger) may hold the file for a moment; a second writer is refused by the data directory's lock."""


class JournalDamaged(Exception):
    """An entry is not what was written: names the entry and what differs. Nothing after it can be trusted."""


class JournalTooNew(JournalDamaged):
    """A later obid wrote it, and nothing is wrong with it: that one reads it, this one does not."""


class JournalMissing(Exception):
    """There is no journal where one was to be read."""


class JournalUnwritable(Exception):
    """An append did not happen: the disk is full or failing, or somebody else writes this journal."""


class Entry(Struct, frozen=True):
    """One line of the book."""

    at_ns: int
    kind: str
    body: bytes


def _connect(target: Path | str, path: Path, *, make: bool) -> tuple[sqlite3.Connection, int]:
    """An open database and its version."""
    try:
        db = sqlite3.connect(
            target, timeout=BUSY_TIMEOUT_S, isolation_level=None, check_same_thread=False, uri=not make
        )
    except DAMAGE as error:
        raise JournalDamaged(f"{path}: {error}") from error
    try:
        if make:
            _make(db)
        version = db.execute("PRAGMA user_version").fetchone()[0]
        if not version and not make and db.execute(TABLES).fetchone() == (0,):
            db.close()
            raise JournalMissing(f"{path}: there is nothing in this journal: its first start was not finished")
        if version > SCHEMA_VERSION:
            db.close()
            told = f"{path}: its schema version is {version}, this obid writes {SCHEMA_VERSION}: a newer one wrote it"
            raise JournalTooNew(f"{told}; start that one again, or put back the backup from before the upgrade")
        if version not in (UNMARKED, SCHEMA_VERSION):
            raise sqlite3.DatabaseError(f"schema version is {version}, this obid writes {SCHEMA_VERSION}")
        if free := db.execute("PRAGMA freelist_count").fetchone()[0]:  # the next entry would be written over old ones
            raise sqlite3.DatabaseError(f"{free} pages are said to be free, in a book that nothing is deleted from")
    except DAMAGE as error:
        db.close()
        raise JournalDamaged(f"{path}: {error}") from error
    return db, version


def _make(db: sqlite3.Connection) -> None:
    db.execute("PRAGMA journal_mode=WAL")
    db.execute("PRAGMA synchronous=FULL")
    db.execute(f"PRAGMA journal_size_limit={LOG_BYTES_MAX}")
    if db.execute(TABLES).fetchone() == (0,):  # new, or killed before it was made
        db.executescript(f"BEGIN IMMEDIATE; {SCHEMA} PRAGMA user_version={SCHEMA_VERSION}; COMMIT;")


def chained(crc: int, seq: int, entry: Entry) -> int:
    """CRC-32 of an entry laid on that of the entry before."""
    return zlib.crc32(entry.body, zlib.crc32(f"{seq}/{entry.at_ns}/{entry.kind}/".encode(), crc))


class Journal:
    """An open journal. Methods block for the disk; call them where blocking is allowed (Clock.in_thread)."""

    def __init__(self, connection: sqlite3.Connection, version: int, path: Path, known: Place | None):
        self._db = connection
        self._version = version
        self._mark: Mark | None = None
        self._writes = False
        self.path = path
        try:
            self.place = self._end()
            self.lost = self._lost(known)
        except (JournalDamaged, *DAMAGE) as error:
            connection.close()
            raise JournalDamaged(str(error) if isinstance(error, JournalDamaged) else f"{path}: {error}") from error

    def _end(self) -> Place:
        """Where the book ends now. Raises DatabaseError."""
        row = self._db.execute(LAST).fetchone()
        if row and not (isinstance(row[0], int) and isinstance(row[1], int)):
            raise sqlite3.DatabaseError(f"the last entry is {row[0]!r} with checksum {row[1]!r}, not two numbers")
        return Place(*row) if row else START

    def _lost(self, known: Place | None) -> str:
        """What says that the end of the book is gone, if it is. Raises DatabaseError for the mark of another."""
        seq, mark = self.place.seq, mark_path(self.path).name
        if known is None:
            unsure = self._version != UNMARKED and seq
            return f"{mark} is missing or damaged, so nobody can tell whether the newest entries are" if unsure else ""
        if known.seq > seq:
            return f"entries {seq + 1} to {known.seq} were on the disk and are gone ({mark} knows of them)"
        if not self.holds(known):
            raise sqlite3.DatabaseError(f"entry {known.seq} is not the one that {mark} knows: they are of two journals")
        return ""

    @property
    def version(self) -> int:
        """Of its schema."""
        return self._version

    @property
    def seq(self) -> int:
        """The number of the last entry."""
        return self.place.seq

    def holds(self, place: Place) -> bool:
        """Whether the book goes to a place, by way of the same entries. Raises JournalDamaged."""
        try:
            row = self._db.execute("SELECT crc FROM entries WHERE seq = ?", (place.seq,)).fetchone()
        except DAMAGE as error:
            raise JournalDamaged(f"{self.path}: entry {place.seq}: {error}") from error
        return place == START or row == (place.crc,)

    @classmethod
    def open(cls, path: Path) -> "Journal":
        """Open for writing, making it if it is not there.

        Raises JournalDamaged when it is not a journal of ours, JournalUnwritable when the disk does not let us.
        """
        try:
            path.touch(mode=OWNER_ONLY)  # before SQLite writes, and its other files take the mode from this one
            known = read_mark(path)
            journal = cls(*_connect(path, path, make=True), path, known)
            journal._writes = True
        except OSError as error:
            raise JournalUnwritable(f"{path}: {error.strerror}") from error
        if not journal.lost:
            journal._begin_marks()
        return journal

    @classmethod
    def read_only(cls, path: Path) -> "Journal":
        """Open for reading beside a running daemon. Raises JournalMissing and JournalDamaged."""
        if not path.exists():
            raise JournalMissing(f"{path}: there is no journal here; has obid run with this data directory?")
        known = read_mark(path)  # first: a daemon may write on while we look
        return cls(*_connect(f"{path.resolve().as_uri()}?mode=ro", path, make=False), path, known)

    def _begin_marks(self) -> None:
        """From here on the end of the book is known. One that is lost stays lost until something is appended."""
        try:
            self._mark = Mark(self.path)
            self._mark.write(self.place)
            if self._version != SCHEMA_VERSION:
                self._db.execute(f"PRAGMA user_version={SCHEMA_VERSION}")
        except (OSError, *DAMAGE) as error:
            self.close()
            raise JournalUnwritable(f"{self.path}: {error}") from error

    def append(self, entries: Iterable[Entry]) -> None:
        """Write entries in one transaction: after this returns they are on the disk, all or none of them.

        What was lost at the end is given up with it: the book goes on from where it is.

        Raises JournalUnwritable when none of them are.
        """
        seq, crc, rows = self.place.seq, self.place.crc, []
        for entry in entries:
            seq += 1
            crc = chained(crc, seq, entry)
            rows.append((seq, entry.at_ns, entry.kind, entry.body, crc))
        if self._mark is None and self._writes:
            self._begin_marks()
        try:
            self._db.execute("BEGIN IMMEDIATE")
            if (end := self._end()) != self.place:
                text = f"somebody else writes to it: it ends with {end.seq}, and for us with {self.seq}"
                raise sqlite3.DatabaseError(text)
            self._db.executemany("INSERT INTO entries VALUES (?,?,?,?,?)", rows)
            self._db.execute("COMMIT")
        except BaseException as error:
            if self._db.in_transaction:  # a full disk has rolled back by itself
                self._db.execute("ROLLBACK")
            if isinstance(error, DAMAGE):
                raise JournalUnwritable(f"{self.path}: entry {self.seq + 1}: {error}") from error
            raise
        self.place = Place(seq, crc)
        if self._mark is not None:
            self._mark.write(self.place)

    def read(self, after: Place = START) -> Iterator[Entry]:
        """Every entry behind a place, oldest first, each checked.

        Raises JournalDamaged at the first that is not as written.
        """
        expected, crc = after.seq, after.crc
        first, last = expected if expected else SEQ_MIN, self.seq
        try:
            for seq, at_ns, kind, body, written in self._db.execute(READ, (first,)):
                expected += 1
                if seq != expected:
                    raise JournalDamaged(f"{self.path}: entry {expected} is missing, the next is {seq}")
                if not isinstance(body, bytes):
                    raise JournalDamaged(f"{self.path}: entry {seq} ({kind}) is {type(body).__name__}, not bytes")
                entry = Entry(at_ns, kind, body)
                crc = chained(crc, seq, entry)
                if crc != written:
                    raise JournalDamaged(f"{self.path}: entry {seq} ({kind}) has checksum {crc}, {written} was written")
                yield entry
            if expected < last:
                raise JournalDamaged(f"{self.path}: the entries end at {expected}, the last is {last}")
        except DAMAGE as error:
            raise JournalDamaged(f"{self.path}: after entry {expected}: {error}") from error

    def export(self, out: TextIO) -> int:
        """Write every entry as one JSON line with its own CRC-32; returns how many."""
        lines = 0
        for lines, entry in enumerate(self.read(), 1):
            line = json.dumps([lines, entry.at_ns, entry.kind, b64encode(entry.body).decode()])
            out.write(f"{LINE_HEAD}{line}{LINE_CRC}{zlib.crc32(line.encode())}}}\n")
        return lines

    def copy_to(self, path: Path) -> None:
        """Write the book as it is at one moment to a new file; whoever writes here goes on meanwhile.

        The copy has no mark yet. Raises JournalUnwritable where it cannot be written, or the book cannot be read.
        """
        try:
            path.touch(mode=OWNER_ONLY, exist_ok=False)
            copy = sqlite3.connect(path)
            try:
                self._db.backup(copy)  # all pages in one step: of one transaction
            finally:
                copy.close()
        except OSError as error:
            raise JournalUnwritable(f"{path}: {error.strerror}") from error
        except DAMAGE as error:
            raise JournalUnwritable(f"{path}: {error}") from error

    def close(self) -> None:
        """Let go of the files."""
        self._db.close()
        if self._mark is not None:
            self._mark.close()
            self._mark = None


def import_lines(lines: Iterable[str]) -> Iterator[Entry]:
    """Read an export back. Raises JournalDamaged at a line that is missing or whose checksum does not hold."""
    number = 0
    try:
        for number, line in enumerate(lines, 1):
            body, _, crc = line.strip().removeprefix(LINE_HEAD).removesuffix("}").rpartition(LINE_CRC)
            if not crc.isdecimal() or zlib.crc32(body.encode()) != int(crc):
                raise JournalDamaged(f"line {number}: its checksum does not hold")
            seq, at_ns, kind, data = json.loads(body)
            if seq != number:
                raise JournalDamaged(f"line {number}: is entry {seq}, so one before it is missing")
            yield Entry(at_ns, kind, b64decode(data))
    except UnicodeError as error:
        raise JournalDamaged(f"line {number + 1}: {error}") from error
