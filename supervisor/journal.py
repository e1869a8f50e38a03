"""The journal: an append-only book of entries that survives anything short of the disk's own lie.

SQLite in WAL mode with synchronous=FULL, one connection, one writer, whole transactions. Every entry carries the CRC-32 of
itself chained to the one before, so a changed, missing or reordered entry is found when it is read, not when it is missed.
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

SCHEMA_VERSION = 1
SCHEMA = """
CREATE TABLE IF NOT EXISTS entries (
    seq INTEGER PRIMARY KEY, at_ns INTEGER NOT NULL, kind TEXT NOT NULL, body BLOB NOT NULL, crc INTEGER NOT NULL
) STRICT;
"""
BUSY_TIMEOUT_S = 5.0
"""A reader (obid ledger) may hold the file for a moment; a second writer is refused by the data directory's lock."""


class JournalDamaged(Exception):
    """An entry is not what was written: names the entry and what differs. Nothing after it can be trusted."""


class JournalMissing(Exception):
    """There is no journal where one was to be read."""


class Entry(Struct, frozen=True):
    """One line of the book."""

    at_ns: int
    kind: str
    body: bytes


def chained(crc: int, seq: int, entry: Entry) -> int:
    """CRC-32 of an entry laid on that of the entry before."""
    return zlib.crc32(entry.body, zlib.crc32(f"{seq}/{entry.at_ns}/{entry.kind}/".encode(), crc))


class Journal:
    """An open journal. Methods block for the disk; call them where blocking is allowed (Clock.in_thread)."""

    def __init__(self, connection: sqlite3.Connection, path: Path):
        self._db = connection
        self.path = path
        row = connection.execute("SELECT seq, crc FROM entries ORDER BY seq DESC LIMIT 1").fetchone()
        self.seq: int = row[0] if row else 0
        self._crc: int = row[1] if row else 0

    @classmethod
    def open(cls, path: Path) -> "Journal":
        """Open for writing, making it if it is not there. Raises JournalDamaged when it is not a journal of ours."""
        new = not path.exists()
        try:
            db = sqlite3.connect(path, timeout=BUSY_TIMEOUT_S, isolation_level=None, check_same_thread=False)
            db.execute("PRAGMA journal_mode=WAL")
            db.execute("PRAGMA synchronous=FULL")
            if new:
                path.chmod(0o600)
                db.execute(f"PRAGMA user_version={SCHEMA_VERSION}")
            version = db.execute("PRAGMA user_version").fetchone()[0]
            if version != SCHEMA_VERSION:
                raise JournalDamaged(f"{path}: schema version is {version}, this obid writes {SCHEMA_VERSION}")
            db.execute(SCHEMA)
        except sqlite3.DatabaseError as error:
            raise JournalDamaged(f"{path}: {error}") from error
        return cls(db, path)

    @classmethod
    def read_only(cls, path: Path) -> "Journal":
        """Open for reading beside a running daemon. Raises JournalMissing."""
        if not path.exists():
            raise JournalMissing(f"{path}: there is no journal here; has obid run with this data directory?")
        try:
            db = sqlite3.connect(f"{path.resolve().as_uri()}?mode=ro", uri=True, timeout=BUSY_TIMEOUT_S)
            return cls(db, path)
        except sqlite3.DatabaseError as error:
            raise JournalDamaged(f"{path}: {error}") from error

    def append(self, entries: Iterable[Entry]) -> None:
        """Write entries in one transaction: after this returns they are on the disk, all or none of them."""
        seq, crc, rows = self.seq, self._crc, []
        for entry in entries:
            seq += 1
            crc = chained(crc, seq, entry)
            rows.append((seq, entry.at_ns, entry.kind, entry.body, crc))
        self._db.execute("BEGIN IMMEDIATE")
        try:
            self._db.executemany("INSERT INTO entries VALUES (?,?,?,?,?)", rows)
            self._db.execute("COMMIT")
        except BaseException:
            self._db.execute("ROLLBACK")
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
                entry = Entry(at_ns, kind, body)
                crc = chained(crc, seq, entry)
                if crc != written:
                    raise JournalDamaged(f"{self.path}: entry {seq} ({kind}) has checksum {crc}, {written} was written")
                yield entry
        except sqlite3.DatabaseError as error:
            raise JournalDamaged(f"{self.path}: after entry {expected}: {error}") from error

    def export(self, out: TextIO) -> int:
        """Write every entry as one JSON line with its own CRC-32; returns how many."""
        lines = 0
        for lines, entry in enumerate(self.read(), 1):
            line = json.dumps([lines, entry.at_ns, entry.kind, b64encode(entry.body).decode()])
            out.write(f'{{"entry":{line},"crc":{zlib.crc32(line.encode())}}}\n')
        return lines

    def close(self) -> None:
        """Let go of the file."""
        self._db.close()


def import_lines(lines: Iterable[str]) -> Iterator[Entry]:
    """Read an export back. Raises JournalDamaged at a line whose checksum does not hold."""
    for number, line in enumerate(lines, 1):
        text = line.strip()
        body, _, crc = text.removeprefix('{"entry":').removesuffix("}").rpartition(',"crc":')
        if not crc.isdigit() or zlib.crc32(body.encode()) != int(crc):
            raise JournalDamaged(f"line {number}: its checksum does not hold")
        _, at_ns, kind, data = json.loads(body)
        yield Entry(at_ns, kind, b64decode(data))
