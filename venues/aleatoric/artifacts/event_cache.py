"""The cache of canonical events: what came of normalising some rows, as LZ4 lines of JSON with a sidecar each.

    KEY.jsonl.lz4   events, bad rows and unread ones, in their order
    KEY.json        the sidecar: the source, the hash of the rows, counts, sizes

A key is a function of the source, the symbol and the rows, so the same request finds what came of it.
"""

from collections.abc import Iterator
from hashlib import sha256
from pathlib import Path
from typing import Any

import msgspec
from msgspec import Struct

from venues.aleatoric.artifacts.cache import KEY_FIGURES, CacheDamaged
from venues.aleatoric.artifacts.files import whole

DATA, SIDECAR = ".jsonl.lz4", ".json"


class EventSidecar(Struct, frozen=True, kw_only=True):
    """What cached events are and what they were made of."""

    key: str
    source: str
    symbol: str | None
    input_sha256: str
    row_count: int  # events
    bad_rows: int
    unread: int
    raw_bytes: int
    cached_bytes: int

    @property
    def ratio(self) -> float:
        """How much smaller the cached file is than its lines."""
        return self.raw_bytes / self.cached_bytes


class EventCache:
    """A folder of cached events."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        folder.mkdir(parents=True, exist_ok=True)

    def find(self, key: str) -> EventSidecar | None:
        """The sidecar of some events, if they are here. Raises CacheDamaged."""
        if not key.isalnum():
            return None
        path = self.folder / f"{key}{SIDECAR}"
        if not path.is_file() or not (self.folder / f"{key}{DATA}").is_file():
            return None
        try:
            return msgspec.json.decode(path.read_bytes(), type=EventSidecar)
        except msgspec.DecodeError as error:
            raise CacheDamaged(f"{path}: {error}") from error

    def entries(self) -> list[EventSidecar]:
        """All events here, by key."""
        keys = sorted(path.name.removesuffix(SIDECAR) for path in self.folder.glob(f"*{SIDECAR}"))
        return [found for key in keys if (found := self.find(key)) is not None]

    def keep(self, key: str, about: dict[str, str | int | None], lines: list[bytes]) -> EventSidecar:
        """Write the lines; they are there whole or not at all. `about` is what the sidecar says beside their sizes."""
        import lz4.frame  # type: ignore[import-untyped]

        text = b"\n".join(lines)
        with whole(self.folder / f"{key}{DATA}") as half_done:
            half_done.write_bytes(packed := lz4.frame.compress(text))
        sizes = {"raw_bytes": max(1, len(text)), "cached_bytes": len(packed)}
        sidecar = msgspec.convert({"key": key, **about, **sizes}, EventSidecar)
        with whole(self.folder / f"{key}{SIDECAR}") as half_done:
            half_done.write_bytes(msgspec.json.format(msgspec.json.encode(sidecar), indent=1) + b"\n")
        return sidecar

    def lines(self, key: str) -> Iterator[bytes]:
        """The lines of some events. Raises CacheDamaged."""
        import lz4.frame

        try:
            text: bytes = lz4.frame.decompress((self.folder / f"{key}{DATA}").read_bytes())
        except (RuntimeError, FileNotFoundError) as error:
            raise CacheDamaged(f"{key}{DATA}: {error}") from error
        return iter(text.split(b"\n") if text else [])

    def export(self, key: str, out: Path) -> None:
        """Write the books and trades as Parquet; what a venue says besides stays JSON."""
        import polars as pl

        rows = []
        for line in self.lines(key):
            told = msgspec.json.decode(line)
            if told["event_type"] in ("book", "trade"):
                told["venue_data"] = msgspec.json.encode(told["venue_data"]).decode()
                rows.append(told | {side: [list(map(float, level)) for level in told.get(side, ())] for side in _SIDES})
        with whole(out) as half_done:
            pl.DataFrame(rows, schema=_columns(), strict=False).write_parquet(half_done)

    def remove(self, key: str) -> bool:
        """Remove events; says whether they were here."""
        found = False
        for suffix in (SIDECAR, DATA) if key.isalnum() else ():
            path = self.folder / f"{key}{suffix}"
            found |= path.is_file()
            path.unlink(missing_ok=True)
        return found


_SIDES = ("bids", "asks")


def _columns() -> dict[str, Any]:
    import polars as pl

    levels = pl.List(pl.List(pl.Float64))
    text, number = (
        dict.fromkeys(("event_type", "venue", "symbol"), pl.String),
        dict.fromkeys(("id", "position"), pl.Int64),
    )
    times = dict.fromkeys(("at_ns", "received_ns"), pl.Int64)
    deal = {"price": pl.Float64, "size": pl.Float64, "side": pl.String, "trade_id": pl.String, "venue_data": pl.String}
    return {**text, **number, **times, "bids": levels, "asks": levels, **deal}


def event_key(source: str, symbol: str | None, rows: bytes) -> str:
    """The name of what comes of some rows."""
    head = f"{source} {symbol or ''} ".encode()
    return sha256(head + rows).hexdigest()[:KEY_FIGURES]
