"""The journal: an append-only book of entries that survives anything short of the disk's own lie.

SQLite in WAL mode with synchronous=FULL, one connection, one writer, whole transactions. Every entry carries the
CRC-32 of itself chained to the one before, so a changed, missing or reordered entry is found when it is read, not when
it is missed. The journal knows no market: a kind, a time and bytes.
"""

import json
import sqlite3
import zlib
from base64 import b64decode, b64encode
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import TextIO

from msgspec import Struct

SCHEMA_VERSION = 1
SCHEMA = """
CREATE TABLE entries (
    seq INTEGER PRIMARY KEY, at_ns INTEGER NOT NULL, kind TEXT NOT NULL, body BLOB NOT NULL, crc INTEGER NOT NULL
) STRICT;
"""
OWNER_ONLY = 0o600
DAMAGE = (sqlite3.Error, UnicodeDecodeError)
"""What SQLite raises over a file that is not what it was; the second where its own complaint quotes broken text."""

LINE_HEAD, LINE_CRC = '{"entry":', ',"crc":'
BUSY_TIMEOUT_S = 5.0
"""A reader (obid ledger) may hold the file for a moment; a second writer is refused by the data directory's lock."""


class JournalDamaged(Exception):
    """An entry is not what was written: names the entry and what differs. Nothing after it can be trusted."""


class JournalMissing(Exception):
    """There is no journal where one was to be read."""


class JournalUnwritable(Exception):
    """An append did not happen: the disk is full or failing, or somebody else writes this journal."""


class Entry(Struct, frozen=True):
    """One line of the book."""

    at_ns: int
    kind: str
    body: bytes


def _connect(target: Path | str, path: Path, *, make: bool) -> sqlite3.Connection:
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
        if version != SCHEMA_VERSION:
            raise sqlite3.DatabaseError(f"schema version is {version}, this obid writes {SCHEMA_VERSION}")
    except DAMAGE as error:
        db.close()
        raise JournalDamaged(f"{path}: {error}") from error
    return db


def _make(db: sqlite3.Connection) -> None:
    db.execute("PRAGMA journal_mode=WAL")
    db.execute("PRAGMA synchronous=FULL")
    if db.execute("SELECT count(*) FROM sqlite_schema").fetchone() == (0,):  # new, or killed before it was made
        db.executescript(f"BEGIN IMMEDIATE; {SCHEMA} PRAGMA user_version={SCHEMA_VERSION}; COMMIT;")


def chained(crc: int, seq: int, entry: Entry) -> int:
    """CRC-32 of an entry laid on that of the entry before."""
    return zlib.crc32(entry.body, zlib.crc32(f"{seq}/{entry.at_ns}/{entry.kind}/".encode(), crc))


class Journal:
    """An open journal. Methods block for the disk; call them where blocking is allowed (Clock.in_thread)."""

    def __init__(self, connection: sqlite3.Connection, path: Path):
        self._db = connection
        self.path = path
        try:
            row = connection.execute("SELECT seq, crc FROM entries ORDER BY seq DESC LIMIT 1").fetchone()
        except DAMAGE as error:
            connection.close()
            raise JournalDamaged(f"{path}: {error}") from error
        self.seq: int = row[0] if row else 0
        self._crc: int = row[1] if row else 0

    @classmethod
    def open(cls, path: Path) -> "Journal":
        """Open for writing, making it if it is not there. Raises JournalDamaged when it is not a journal of ours."""
        path.touch(mode=OWNER_ONLY)  # before SQLite writes, and its other files take the mode from this one
        return cls(_connect(path, path, make=True), path)

    @classmethod
    def read_only(cls, path: Path) -> "Journal":
        """Open for reading beside a running daemon. Raises JournalMissing."""
        if not path.exists():
            raise JournalMissing(f"{path}: there is no journal here; has obid run with this data directory?")
        return cls(_connect(f"{path.resolve().as_uri()}?mode=ro", path, make=False), path)

    def append(self, entries: Iterable[Entry]) -> None:
        """Write entries in one transaction: after this returns they are on the disk, all or none of them.

        Raises JournalUnwritable when none of them are.
        """
        seq, crc, rows = self.seq, self._crc, []
        for entry in entries:
            seq += 1
            crc = chained(crc, seq, entry)
            rows.append((seq, entry.at_ns, entry.kind, entry.body, crc))
        try:
            self._db.execute("BEGIN IMMEDIATE")
            self._db.executemany("INSERT INTO entries VALUES (?,?,?,?,?)", rows)
            self._db.execute("COMMIT")
        except BaseException as error:
            if self._db.in_transaction:  # a full disk has rolled back by itself
                self._db.execute("ROLLBACK")
            if isinstance(error, DAMAGE):
                raise JournalUnwritable(f"{self.path}: entry {self.seq + 1}: {error}") from error
            raise
        self.seq, self._crc = seq, crc

    def read(self) -> Iterator[Entry]:
        """Every entry, oldest first, each checked. Raises JournalDamaged at the first that is not as written."""
        crc = expected = 0
        try:
            for seq, at_ns, kind, body, written in self._db.execute("SELECT * FROM entries ORDER BY seq"):
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
        except DAMAGE as error:
            raise JournalDamaged(f"{self.path}: after entry {expected}: {error}") from error

    def export(self, out: TextIO) -> int:
        """Write every entry as one JSON line with its own CRC-32; returns how many."""
        lines = 0
        for lines, entry in enumerate(self.read(), 1):
            line = json.dumps([lines, entry.at_ns, entry.kind, b64encode(entry.body).decode()])
            out.write(f"{LINE_HEAD}{line}{LINE_CRC}{zlib.crc32(line.encode())}}}\n")
        return lines

    def close(self) -> None:
        """Let go of the file."""
        self._db.close()


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
