"""Captures: canonical Parquet pairs, NAME.book.parquet and NAME.trades.parquet, read a chunk at a time.

A book row is `ts` (nanoseconds) and four arrays, bid_px, bid_sz, ask_px, ask_sz, best level first and padded with NaN;
a trade row is `ts, px, sz` and `side`, +1 for an aggressing buyer and -1 for a seller. A row that makes no sense is
reported and left out.
"""

import re
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from msgspec import Struct

from venues.capture_checks import SIDES, Bools, Floats, decimals_of, judge_books, out_of_order, trade_fault
from venues.damage import BadRecording, Damage, Report
from venues.market import Book, Level, MarketEvent, Trade

if TYPE_CHECKING:
    import polars as pl

BOOK, TRADES = ".book.parquet", ".trades.parquet"
BOOK_SIDES = ("bid_px", "bid_sz", "ask_px", "ask_sz")
BOOK_COLUMNS, TRADE_COLUMNS = ("ts", *BOOK_SIDES), ("ts", "px", "sz", "side")

CHUNK_ROWS = 4096
"""Rows in memory at a time: 3 MB of a 20-level book, and quick to cut out of the row groups that writers make."""

CAPTURE_NAME = re.compile(r"[a-z0-9]+_(?P<symbol>.+)_\d{8}")
"""venue_SYMBOL_yyyymmdd; any other name is taken for the symbol itself."""

Timed = Iterator[tuple[int, MarketEvent]]
"""Events, each with the time at which it is played."""


class Capture(Struct, frozen=True):
    """One symbol's pair of files."""

    symbol: str
    book: Path
    trades: Path | None

    @classmethod
    def of(cls, book: Path) -> "Capture":
        """The pair that a book file belongs to. Raises BadRecording."""
        if not book.name.endswith(BOOK):
            raise BadRecording(f"{book}: a capture is given by its *{BOOK}; the *{TRADES} is found beside it")
        if not book.is_file():
            raise BadRecording(f"{book}: there is no such file")
        name = book.name.removesuffix(BOOK)
        named = CAPTURE_NAME.fullmatch(name)
        trades = book.with_name(name + TRADES)
        return cls(named["symbol"] if named else name, book, trades if trades.is_file() else None)

    def play_books(self, report: Report) -> Timed:
        """Every book that makes sense."""
        for first, table, late in _chunks(self.book, BOOK_COLUMNS):
            sides = [_matrix(self.book, table[name]) for name in BOOK_SIDES]
            bids, asks, faults = judge_books(sides, late)
            for row in np.flatnonzero(faults != "").tolist():
                report(Damage(str(self.book), first + row, faults[row]))
            levels = [side.tolist() for side in sides]
            rows = zip(table["ts"].to_list(), *levels, bids.tolist(), asks.tolist(), faults.tolist(), strict=True)
            for ts, bid, bid_size, ask, ask_size, bids_used, asks_used, fault in rows:
                if not fault:
                    bid_levels = tuple(map(Level, bid[:bids_used], bid_size[:bids_used]))
                    ask_levels = tuple(map(Level, ask[:asks_used], ask_size[:asks_used]))
                    yield ts, Book(self.symbol, ts, ts, bid_levels, ask_levels)

    def play_trades(self, report: Report) -> Timed:
        """Every trade that makes sense; none when there is no file of them."""
        if self.trades is None:
            return
        for first, table, late in _chunks(self.trades, TRADE_COLUMNS):
            rows = zip(*(table[name].to_list() for name in TRADE_COLUMNS), late.tolist(), strict=True)
            for row, (ts, price, size, sign, is_late) in enumerate(rows):
                fault = trade_fault(price, size, sign, is_late)
                if fault:
                    report(Damage(str(self.trades), first + row, fault))
                else:
                    yield ts, Trade(self.symbol, ts, ts, price, size, SIDES[sign])

    def decimals(self) -> tuple[int, int]:
        """Decimals of the finest price and of the finest size that its books show."""
        prices = sizes = 0
        for _, table, _ in _chunks(self.book, BOOK_COLUMNS):
            bid, bid_size, ask, ask_size = (decimals_of(_matrix(self.book, table[name])) for name in BOOK_SIDES)
            prices, sizes = max(prices, bid, ask), max(sizes, bid_size, ask_size)
        return prices, sizes


def captures(folder: Path) -> list[Capture]:
    """Every capture in a folder, by name."""
    return [Capture.of(book) for book in sorted(folder.glob(f"*{BOOK}"))]


def _chunks(file: Path, columns: tuple[str, ...]) -> Iterator[tuple[int, "pl.DataFrame", Bools]]:
    """Chunks of a table: number of the first row, the rows, and which of them are out of time order.

    Only the times are read as a whole: which row is to blame shows by those around it.
    """
    import polars as pl

    try:
        schema = pl.read_parquet_schema(file)
        missing = [name for name in columns if name not in schema]
        if missing:
            raise BadRecording(f"{file}: column {missing[0]} is missing; the columns are {', '.join(columns)}")
        if not schema["ts"].is_integer():
            raise BadRecording(f"{file}: ts is {schema['ts']}, it must be integer nanoseconds since 1970")
        times = pl.read_parquet(file, columns=["ts"])["ts"].cast(pl.Int64).fill_null(-1)
        late = out_of_order(times.to_numpy())
        table = pl.scan_parquet(file).select(columns)
        for first in range(0, len(late), CHUNK_ROWS):
            yield first, table.slice(first, CHUNK_ROWS).collect(), late[first : first + CHUNK_ROWS]
    except pl.exceptions.PolarsError as error:
        raise BadRecording(f"{file}: {error}") from error


def _matrix(file: Path, column: "pl.Series") -> Floats:
    """An array column as rows by levels; lists of unequal length are padded with NaN."""
    import polars as pl

    if isinstance(column.dtype, pl.Array):
        return column.to_numpy().astype(np.float64, copy=False).reshape(len(column), -1)
    if not isinstance(column.dtype, pl.List):
        raise BadRecording(f"{file}: {column.name} is {column.dtype}, it must hold one array a row")
    rows: list[list[Any]] = [row or [] for row in column.to_list()]
    matrix = np.full((len(rows), max(map(len, rows), default=0)), np.nan)
    for place, row in enumerate(rows):
        matrix[place, : len(row)] = [np.nan if value is None else value for value in row]
    return matrix
