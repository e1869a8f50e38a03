"""The cache: runs kept as LZ4 files with a JSON sidecar each; the seed's ArtifactCacheController.

    KEY.rows.lz4   one LZ4 frame of blocks: a length, then a MessagePack map of arrays in as few bytes as they need
    KEY.json       the sidecar: manifest, hashes, counts, sizes

A key is a function of the manifest, the length, the calendar of a market with a session and the generator's version, so
the same request finds the same file, and a new generator never finds an old one. Books are kept as whole ticks and
lots: half of LZ4's work is done by writing levels as distances from the touch, because most of those are the same from
book to book.
"""

from collections.abc import Iterable, Iterator
from hashlib import sha256
from pathlib import Path
from typing import Any, BinaryIO

import msgspec
import numpy as np
from msgspec import Struct

from config.errors import ConfigError
from venues.aleatoric.artifacts.files import whole
from venues.aleatoric.artifacts.rows import Rows, digest_of
from venues.aleatoric.batch import Batch
from venues.aleatoric.manifest import SimulationManifest, manifest_hash
from venues.aleatoric.model import GENERATOR_VERSION
from venues.aleatoric.words import Ints

DATA, SIDECAR = ".rows.lz4", ".json"
KEY_FIGURES = 32  # hexadecimal; half of a SHA-256 is far beyond any accident
CHUNK_BYTES = 1 << 20
LENGTH_BYTES = 4
_WIDTHS = tuple(np.dtype(f"<i{width}") for width in (1, 2, 4, 8))


class Sidecar(Struct, frozen=True, kw_only=True):
    """What a cached run is and how it was made."""

    key: str
    manifest: SimulationManifest
    manifest_hash: str
    generator_version: int
    seconds: float
    row_count: int
    books: int
    trades: int
    digest: str  # of every number
    raw_bytes: int  # of the same rows as 64-bit columns
    cached_bytes: int
    data_sha256: str

    @property
    def ratio(self) -> float:
        """How much smaller the cached file is than the columns."""
        return self.raw_bytes / self.cached_bytes


class CacheDamaged(Exception):
    """A cached file is not what its sidecar says: remove it and make it again."""


def key_of(batch: Batch) -> str:
    """The name of a run in the cache."""
    said = f"{manifest_hash(batch.manifest)} {float(batch.seconds)!r} {batch.calendar}"
    return sha256(said.encode()).hexdigest()[:KEY_FIGURES]


class Cache:
    """A folder of cached runs."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        folder.mkdir(parents=True, exist_ok=True)

    def find(self, key: str) -> Sidecar | None:
        """The sidecar of a run, if it is here."""
        path = self._path(key, SIDECAR)
        if not path.is_file() or not self._path(key, DATA).is_file():
            return None
        try:
            return msgspec.json.decode(path.read_bytes(), type=Sidecar)
        except msgspec.DecodeError as error:
            raise CacheDamaged(f"{path}: {error}") from error

    def entries(self) -> list[Sidecar]:
        """All runs here, by key."""
        keys = sorted(path.name.removesuffix(SIDECAR) for path in self.folder.glob(f"*{SIDECAR}"))
        return [found for key in keys if (found := self.find(key)) is not None]

    def keep(self, batch: Batch, rows: Iterable[Rows]) -> Sidecar:
        """Write a run; it is there whole or not at all."""
        import lz4.frame  # type: ignore[import-untyped]

        key = key_of(batch)
        data, counts = self._path(key, DATA), _Counts()
        with whole(data) as half_done, half_done.open("wb") as file, lz4.frame.LZ4FrameFile(file, "wb") as packed:
            for block in rows:
                record = msgspec.msgpack.encode(_packed(block))
                packed.write(len(record).to_bytes(LENGTH_BYTES, "little") + record)
                counts.add(block)
        sidecar = Sidecar(
            key=key,
            manifest=batch.manifest,
            manifest_hash=manifest_hash(batch.manifest),
            generator_version=GENERATOR_VERSION,
            seconds=batch.seconds,
            row_count=counts.books + counts.trades,
            books=counts.books,
            trades=counts.trades,
            digest=digest_of(counts.digests),
            raw_bytes=counts.raw_bytes,
            cached_bytes=data.stat().st_size,
            data_sha256=_sha256(data),
        )
        with whole(self._path(key, SIDECAR)) as half_done:
            half_done.write_bytes(msgspec.json.format(msgspec.json.encode(sidecar), indent=1) + b"\n")
        return sidecar

    def rows(self, key: str) -> Iterator[Rows]:
        """The rows of a run, a block at a time. Raises CacheDamaged, and ConfigError for a key that is not here."""
        import lz4.frame

        sidecar = self.find(key)
        if sidecar is None:
            raise ConfigError("key", f"there is no such run in {self.folder}", key)
        digests: list[bytes] = []
        try:
            with lz4.frame.open(self._path(key, DATA), "rb") as packed:
                for record in _records(packed):
                    block = _unpacked(msgspec.msgpack.decode(record))
                    digests.append(block.digest())
                    yield block
        except (RuntimeError, EOFError, msgspec.DecodeError, KeyError, ValueError) as error:
            raise CacheDamaged(f"{self._path(key, DATA)}: {error}") from error
        if digest_of(digests) != sidecar.digest:
            raise CacheDamaged(f"{self._path(key, DATA)}: its rows are not those that {key}{SIDECAR} names")

    def remove(self, key: str) -> bool:
        """Remove a run; says whether it was here."""
        found = False
        for suffix in (SIDECAR, DATA):  # the sidecar first: without it there is no run
            path = self._path(key, suffix)
            found |= path.is_file()
            path.unlink(missing_ok=True)
        return found

    def _path(self, key: str, suffix: str) -> Path:
        if not key.isalnum():
            raise ConfigError("key", f"a key is {KEY_FIGURES} hexadecimal figures", key)
        return self.folder / f"{key}{suffix}"


class _Counts:
    """Sums over the blocks of a run."""

    def __init__(self) -> None:
        self.books = self.trades = self.raw_bytes = 0
        self.digests: list[bytes] = []

    def add(self, rows: Rows) -> None:
        self.books += len(rows.received_ns)
        self.trades += len(rows.trade_row)
        self.raw_bytes += sum(
            value.nbytes for value in msgspec.structs.asdict(rows).values() if hasattr(value, "nbytes")
        )
        self.digests.append(rows.digest())


def _packed(rows: Rows) -> dict[str, Any]:
    """A block as a map of small arrays."""
    bids, asks = rows.ticks
    touch = np.stack([bids[:, 0], asks[:, 0]])
    ranks = np.arange(bids.shape[1])
    return {
        "block": rows.block,
        "received": _small(_steps(rows.received_ns)),
        "age": _small(rows.received_ns - rows.at_ns),
        "touch": _small(_steps(touch)),
        "below": _small(
            np.swapaxes(np.stack([touch[0][:, None] - bids - ranks, asks - touch[1][:, None] - ranks]), 1, 2)
        ),
        "lots": _small(np.swapaxes(rows.lots, 1, 2)),
        "empty": None if rows.empty is None else _small(rows.empty.astype(np.int64)),
        "trade_row": _small(_steps(rows.trade_row)),
        "trade_received": _small(_steps(rows.trade_received_ns)),
        "trade_at": _small(rows.trade_received_ns - rows.trade_at_ns),
        "trade_ticks": _small(_steps(rows.trade_ticks)),
        "trade_lots": _small(rows.trade_lots),
        "trade_sign": _small(rows.trade_sign),
    }


def _unpacked(record: dict[str, Any]) -> Rows:
    """The block of a map."""
    received, touch = _sums(_large(record["received"])), _sums(_large(record["touch"]))
    below = np.swapaxes(_large(record["below"]), 1, 2)
    below = below + np.arange(below.shape[2])
    trade_received = _sums(_large(record["trade_received"]))
    return Rows(
        block=record["block"],
        received_ns=received,
        at_ns=received - _large(record["age"]),
        ticks=np.stack([touch[0][:, None] - below[0], touch[1][:, None] + below[1]]),
        lots=np.swapaxes(_large(record["lots"]), 1, 2),
        empty=None if record["empty"] is None else _large(record["empty"]).astype(np.bool_),
        trade_row=_sums(_large(record["trade_row"])),
        trade_received_ns=trade_received,
        trade_at_ns=trade_received - _large(record["trade_at"]),
        trade_ticks=_sums(_large(record["trade_ticks"])),
        trade_lots=_large(record["trade_lots"]),
        trade_sign=_large(record["trade_sign"]),
    )


def _steps(values: Ints) -> Ints:
    """Differences along the last axis, the first value whole."""
    return np.diff(values, prepend=0)


def _sums(steps: Ints) -> Ints:
    return np.cumsum(steps, axis=-1, dtype=np.int64)


def _small(values: Ints) -> list[Any]:
    """An array as (width, shape, bytes), in the fewest bytes a number that hold all of it."""
    low, high = (int(values.min()), int(values.max())) if values.size else (0, 0)
    width = next(at for at, kind in enumerate(_WIDTHS) if np.iinfo(kind).min <= low and high <= np.iinfo(kind).max)
    return [width, values.shape, np.ascontiguousarray(values, _WIDTHS[width]).tobytes()]


def _large(packed: list[Any]) -> Ints:
    width, shape, data = packed
    return np.frombuffer(data, _WIDTHS[width]).astype(np.int64).reshape(shape)


def _records(packed: BinaryIO) -> Iterator[bytes]:
    """The records of a file, each behind its length."""
    while head := packed.read(LENGTH_BYTES):
        length = int.from_bytes(head, "little")
        record = packed.read(length)
        if len(head) < LENGTH_BYTES or len(record) < length:
            raise EOFError("the file ends in the middle of a block")
        yield record


def _sha256(path: Path) -> str:
    total = sha256()
    with path.open("rb") as file:
        while chunk := file.read(CHUNK_BYTES):
            total.update(chunk)
    return f"sha256:{total.hexdigest()}"
