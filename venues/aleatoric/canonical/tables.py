"""Canonical tables: events and arrays as the Parquet pair NAME.book.parquet and NAME.trades.parquet, and back.

A book row is `ts` (int64, nanoseconds) and bid_px, bid_sz, ask_px, ask_sz: arrays of float64 of one width, best level
first, padded with NaN. A trade row is `ts, px, sz` and `side`, +1 for an aggressing buyer and -1 for a seller. These
are the columns that venues.captures reads; the columns hold no ids and no venue's data, and decimals become the nearest
floats. Files are written table by table, so memory doesn't grow with them, and appear under their names when they are
whole.
"""

from collections.abc import Callable, Iterable, Iterator
from decimal import Decimal
from heapq import merge
from operator import itemgetter
from pathlib import Path
from shutil import rmtree
from typing import TYPE_CHECKING, Self

import numpy as np
from msgspec import Struct
from numpy.typing import NDArray

from venues.aleatoric.canonical.events import BadRequest, BadRow, BookEvent, Event, Levels, TradeEvent
from venues.aleatoric.canonical.synthetic import VENUE
from venues.captures import BOOK, BOOK_SIDES, TRADES, Capture, Timed
from venues.damage import Damage, Report
from venues.market import Book, Level, Trade

if TYPE_CHECKING:
    import polars as pl

ROWS_MAX = 4096
"""Events gathered before they become a table: 3 MB of 20-level books, and as many rows as captures are read in."""

GROUP_ROWS = 65_536
"""Rows of a row group in a file: 40 MB of 20-level books while it is written."""

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]
Sides = tuple[Floats, Floats, Floats, Floats]
"""bid prices, bid sizes, ask prices, ask sizes: rows by levels, NaN where there is no level."""


def book_table(ts: Ints, sides: Sides) -> "pl.DataFrame":
    """Books as a table."""
    import polars as pl

    width = sides[0].shape[1]
    columns = {"ts": pl.Series("ts", ts, dtype=pl.Int64)}
    for name, values in zip(BOOK_SIDES, sides, strict=True):
        columns[name] = pl.Series(name, np.ascontiguousarray(values), dtype=pl.Array(pl.Float64, width))
    return pl.DataFrame(columns)


def trade_table(ts: Ints, prices: Floats, sizes: Floats, signs: Ints) -> "pl.DataFrame":
    """Trades as a table; signs are +1 and -1."""
    import polars as pl

    types = {"ts": pl.Int64, "px": pl.Float64, "sz": pl.Float64, "side": pl.Int8}
    return pl.DataFrame({"ts": ts, "px": prices, "sz": sizes, "side": signs}, schema=types)


def books_of(events: list[BookEvent], levels: int) -> "pl.DataFrame":
    """Book events as a table that is so many levels wide; deeper levels are left out."""
    sides = tuple(np.full((len(events), levels), np.nan) for _ in BOOK_SIDES)
    for row, event in enumerate(events):
        for (prices, sizes), side in ((sides[:2], event.bids), (sides[2:], event.asks)):
            for place, (price, size) in enumerate(side[:levels]):
                prices[row, place], sizes[row, place] = float(price), float(size)
    ts = np.array([event.at_ns for event in events], dtype=np.int64)
    return book_table(ts, (sides[0], sides[1], sides[2], sides[3]))


def trades_of(events: list[TradeEvent]) -> "pl.DataFrame":
    """Trade events as a table; each has a side."""
    ts = np.array([event.at_ns for event in events], dtype=np.int64)
    prices = np.array([float(event.price) for event in events], dtype=np.float64)
    sizes = np.array([float(event.size) for event in events], dtype=np.float64)
    signs = np.array([event.side.sign if event.side else 0 for event in events], dtype=np.int64)
    return trade_table(ts, prices, sizes, signs)


def join(parts: list[Path], path: Path, rows_in_group: int) -> None:
    """Join Parquet files in their order, a row group at a time; `path` is there whole or not at all."""
    import polars as pl

    half_done = parts[0].with_name(f"whole.{path.name}")
    # The names are names: brackets and asterisks in them stand for nothing else.
    rows = pl.scan_parquet(parts, glob=False)
    rows.sink_parquet(half_done, row_group_size=rows_in_group, maintain_order=True)
    half_done.replace(path)


class TableFile:
    """A Parquet file written table by table. As a context manager it is whole at the end, or not there at all."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._parts = path.with_name(path.name + ".parts")
        self._count = self.rows = 0

    def __enter__(self) -> Self:
        """Make room for the parts; what an interrupted run left there is thrown away."""
        rmtree(self._parts, ignore_errors=True)
        self._parts.mkdir(parents=True)
        return self

    def add(self, table: "pl.DataFrame") -> None:
        """Write a table behind those that are there."""
        table.write_parquet(self._part(self._count))
        self._count += 1
        self.rows += len(table)

    def __exit__(self, kind: type[BaseException] | None, *_: object) -> None:
        """Join the parts, in their order, and give the file its name."""
        try:
            if kind is None:
                join([self._part(number) for number in range(self._count)], self._path, GROUP_ROWS)
        finally:
            rmtree(self._parts, ignore_errors=True)

    def _part(self, number: int) -> Path:
        return self._parts / f"{number:08d}.parquet"


class Written(Struct, frozen=True):
    """What a pair of files holds."""

    books: Path
    trades: Path
    book_rows: int
    trade_rows: int


def write_pair(base: Path, events: Iterable[Event], levels: int, report: Callable[[BadRow], object]) -> Written:
    """Write events of one symbol to BASE.book.parquet and BASE.trades.parquet.

    What the columns can't hold is reported and left out: a trade without a side, and a stamp before the one written
    last, which several channels of books in one run bring about. Raises BadRequest for a second symbol.
    """
    books, trades = (base.with_name(base.name + suffix) for suffix in (BOOK, TRADES))
    with TableFile(books) as book_file, TableFile(trades) as trade_file:
        book_file.add(books_of([], levels))
        trade_file.add(trades_of([]))
        kept_books: list[BookEvent] = []
        kept_trades: list[TradeEvent] = []
        for event in _writable(events, report):
            if isinstance(event, BookEvent):
                kept_books.append(event)
            else:
                kept_trades.append(event)
            if len(kept_books) >= ROWS_MAX:
                book_file.add(books_of(kept_books, levels))
                kept_books.clear()
            if len(kept_trades) >= ROWS_MAX:
                trade_file.add(trades_of(kept_trades))
                kept_trades.clear()
        book_file.add(books_of(kept_books, levels))
        trade_file.add(trades_of(kept_trades))
    return Written(books, trades, book_file.rows, trade_file.rows)


def read_pair(book: Path, report: Report) -> Iterator[Event]:
    """The events of a pair, by its book file, in time order; of one instant, trades come before the book.

    Damaged rows are reported and left out, as venues.captures does it. Raises BadRecording.
    """
    capture = Capture.of(book)
    books = _read(capture.play_books, report)
    trades = _read(capture.play_trades, report)
    for number, (_, position, said) in enumerate(merge(trades, books, key=itemgetter(0)), start=1):
        yield _event(number, position, said)


def _writable(events: Iterable[Event], report: Callable[[BadRow], object]) -> Iterator[Event]:
    """Those that the columns can hold."""
    symbol = ""
    latest: dict[type, int] = {}
    for event in events:
        symbol = symbol or event.symbol
        if event.symbol != symbol:
            raise BadRequest(f"symbol is {event.symbol!r}, a pair of files is of one: this one is of {symbol!r}")
        reached = latest.get(type(event), 0)
        if isinstance(event, TradeEvent) and event.side is None:
            report(BadRow(event.position, "side", "", "a trades file must say who the aggressor was"))
        elif event.at_ns < reached:
            report(BadRow(event.position, "at_ns", str(event.at_ns), f"the row before it is at {reached}"))
        else:
            latest[type(event)] = event.at_ns
            yield event


def _read(play: Callable[[Report], Timed], report: Report) -> Iterator[tuple[int, int, Book | Trade]]:
    """Time, row and what it says. Rows are counted: a damaged one is reported before those behind it are played."""
    damaged: set[int] = set()

    def note(damage: Damage) -> None:
        damaged.add(damage.place)
        report(damage)

    row = 0
    for at_ns, said in play(note):
        while row in damaged:
            damaged.remove(row)
            row += 1
        yield at_ns, row, said
        row += 1


def _event(number: int, position: int, said: Book | Trade) -> Event:
    """An event as the capture's columns can tell it."""
    if isinstance(said, Book):
        return BookEvent(
            id=number,
            position=position,
            venue=VENUE,
            symbol=said.symbol,
            at_ns=said.at_ns,
            received_ns=None,
            bids=_exact(said.bids),
            asks=_exact(said.asks),
            venue_data={},
        )
    return TradeEvent(
        id=number,
        position=position,
        venue=VENUE,
        symbol=said.symbol,
        at_ns=said.at_ns,
        received_ns=None,
        price=Decimal(repr(said.price)),
        size=Decimal(repr(said.size)),
        side=said.side,
        trade_id=None,
        venue_data={},
    )


def _exact(levels: tuple[Level, ...]) -> Levels:
    """The shortest decimals that read back to a side's floats."""
    return tuple((Decimal(repr(level.price)), Decimal(repr(level.size))) for level in levels)
