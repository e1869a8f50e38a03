"""The snapshot beside a journal: what its entries come to, up to a place, so that a start folds only those behind it.

The journal stays the truth and keeps every entry. A snapshot counts only if it is whole, if the journal holds its
place, and if it was made by the same code; else there is none, and everything is folded. The journal knows no market,
so what stands in a snapshot is bytes.
"""

import os
from contextlib import suppress
from pathlib import Path
from zlib import crc32

from msgspec import DecodeError, Struct
from msgspec.msgpack import Decoder, Encoder

from supervisor.journal_mark import OWNER_ONLY, Place

SUFFIX = ".snapshot"
MAGIC = b"obid snapshot 1\n"
CRC_BYTES = 4


class Snapshot(Struct, frozen=True):
    """What stands in the file."""

    place: Place
    made_by: str  # names the code that folded
    body: bytes


def snapshot_path(journal: Path) -> Path:
    """Where the snapshot of a journal is."""
    return journal.with_name(journal.name + SUFFIX)


def write_snapshot(journal: Path, snapshot: Snapshot) -> None:
    """Put a snapshot in the place of the one before, whole or not at all. Raises OSError."""
    path = snapshot_path(journal)
    data = Encoder().encode(snapshot)
    draft = path.with_name(path.name + ".new")
    try:
        file = os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, OWNER_ONLY)
        with os.fdopen(file, "wb") as out:
            out.write(MAGIC + crc32(data).to_bytes(CRC_BYTES, "little") + data)
            out.flush()
            os.fsync(out.fileno())
        draft.replace(path)
    except OSError:
        with suppress(OSError):
            draft.unlink()
        raise


def read_snapshot(journal: Path) -> Snapshot | None:
    """The snapshot of a journal; None where there is none that can be trusted."""
    try:
        content = snapshot_path(journal).read_bytes()
    except OSError:
        return None
    head = len(MAGIC) + CRC_BYTES
    data = content[head:]
    if content[: len(MAGIC)] != MAGIC or crc32(data) != int.from_bytes(content[len(MAGIC) : head], "little"):
        return None
    try:
        return Decoder(Snapshot).decode(data)
    except DecodeError:
        return None
