"""Parquet files of a run: NAME.parquet with all events, NAME.book.parquet and NAME.trades.parquet beside it.

Each window is written as parts of its own; the parts are joined in order at the end, a row group at a time. So memory
stays flat, any number of workers writes the same bytes, and a file is there whole or not at all.
"""

import shutil
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path

from msgspec import Struct

from config.errors import ConfigError
from venues.aleatoric.artifacts.rows import Rows
from venues.aleatoric.artifacts.table import events, pair
from venues.aleatoric.canonical.tables import join
from venues.aleatoric.model import SymbolModel

SUFFIX = ".parquet"
KINDS = ("events", "book", "trades")
ROWS_IN_GROUP = 16_384
"""Of a row group of the joined file: 20 levels of it are 10 MB in memory."""


class Written(Struct, frozen=True):
    """What a window made."""

    first: int
    events: int
    books: int
    trades: int
    digests: list[bytes]  # of each block


def paths_of(out: Path) -> dict[str, Path]:
    """The three files of an output name. Raises ConfigError for a name that is not NAME.parquet."""
    if out.suffix != SUFFIX or out.stem.endswith((".book", ".trades")):
        raise ConfigError(
            "--out", "must be NAME.parquet; NAME.book.parquet and NAME.trades.parquet come with it", str(out)
        )
    if not out.parent.is_dir():
        raise ConfigError("--out", f"there is no folder {out.parent}", str(out))
    stem = out.with_suffix("")
    return {
        "events": out,
        "book": stem.with_name(stem.name + ".book" + SUFFIX),
        "trades": stem.with_name(stem.name + ".trades" + SUFFIX),
    }


def parts_folder(out: Path) -> Path:
    """Where the parts of a file wait, on the same disk as the file."""
    return out.with_name(f".{out.name}.parts")


@contextmanager
def whole(path: Path) -> Iterator[Path]:
    """Where to write a file that is to be there whole or not at all: it takes its name when it is done."""
    half_done = path.with_name(path.name + ".part")
    try:
        yield half_done
        half_done.replace(path)
    finally:
        half_done.unlink(missing_ok=True)


@contextmanager
def _written() -> Iterator[None]:
    """A disk that takes no more is an OSError, whichever way polars says it."""
    import polars as pl

    try:
        yield
    except pl.exceptions.ComputeError as error:
        raise OSError(f"cannot be written: {error}") from error


def write_window(model: SymbolModel, folder: Path, first: int, rows: Iterable[Rows]) -> Written:
    """Write the parts of a window, over those of an earlier try."""
    import polars as pl

    made = list(rows)
    tables = {"events": [events(model, block) for block in made]}
    pairs = [pair(model, block) for block in made]
    tables["book"], tables["trades"] = [book for book, _ in pairs], [trades for _, trades in pairs]
    for kind, parts in tables.items():
        with _written():
            pl.concat(parts).write_parquet(folder / f"{first:08d}.{kind}{SUFFIX}")
    books = sum(len(block.received_ns) for block in made)
    count = sum(block.events for block in made)
    return Written(first, count, books, count - books, [block.digest() for block in made])


def join_parts(folder: Path, out: Path) -> dict[str, Path]:
    """Join the parts of all windows into the three files and remove the parts."""
    paths = paths_of(out)
    for kind, path in paths.items():
        with _written():
            join(sorted(folder.glob(f"*.{kind}{SUFFIX}")), path, ROWS_IN_GROUP)
    shutil.rmtree(folder)
    return paths
