"""A page of bars as Alpaca's REST answers it: bytes in, rows by symbol out.

`{"bars": {"AAPL": [{"t", "o", "h", "l", "c", "v", "n", "vw"}]}, "next_page_token": null}`. A page may be null where it
has no bars, and a null page may have a token: only a page without a token is the last (docs.alpaca.markets,
"Historical bars").
"""

from typing import Any

from msgspec import Struct, ValidationError, convert, field, json

from venues.alpaca.market_wire import SHOWN_MAX, Amount, nanoseconds
from venues.market import Bar, Positive
from venues.venue import VenueMisspoke


class _Row(Struct, frozen=True, gc=False):
    start: str = field(name="t")
    open: Positive = field(name="o")
    high: Positive = field(name="h")
    low: Positive = field(name="l")
    close: Positive = field(name="c")
    volume: Amount = field(name="v", default=0.0)
    trades: int = field(name="n", default=0)


class _Page(Struct, frozen=True):
    bars: dict[str, list[Any] | None] | None
    next_page_token: str | None = None


class Page(Struct, frozen=True):
    """Rows of one page, oldest first for each symbol, as the venue has them; `token` is empty on the last page."""

    bars: dict[str, tuple[Bar, ...]]
    volumes: dict[str, tuple[float, ...]]  # of the same rows, in shares or coins
    damaged: dict[str, str]  # symbol -> the first of its rows that could not be read
    token: str


_PAGES = json.Decoder(_Page)


def read_page(body: bytes, interval_ns: int) -> Page:
    """One answer. A row that cannot be read is told by symbol and hides no other. Raises VenueMisspoke."""
    try:
        page = _PAGES.decode(body)
    except (ValueError, RecursionError) as error:
        raise VenueMisspoke(f"bars: {error}: {body[:SHOWN_MAX].decode('utf-8', 'replace')}") from error
    bars: dict[str, tuple[Bar, ...]] = {}
    volumes: dict[str, tuple[float, ...]] = {}
    damaged: dict[str, str] = {}
    for symbol, rows in (page.bars or {}).items():
        read, traded = [], []
        for row in rows or ():
            try:
                known = convert(row, _Row)
                read.append(_bar(symbol, known, interval_ns))
                traded.append(float(known.volume))
            except (ValidationError, ValueError, OverflowError) as error:
                damaged.setdefault(symbol, f"{error}: {str(row)[:SHOWN_MAX]}")
        bars[symbol], volumes[symbol] = tuple(read), tuple(traded)
    return Page(bars, volumes, damaged, page.next_page_token or "")


def _bar(symbol: str, row: _Row, interval_ns: int) -> Bar:
    """A bar that came is no silent one: where nobody traded (crypto) its prices are of quotes."""
    if not row.low <= min(row.open, row.close) <= max(row.open, row.close) <= row.high:
        raise ValueError(f"low {row.low}, high {row.high} and what lies between do not fit")
    return Bar(symbol, nanoseconds(row.start), interval_ns, row.open, row.high, row.low, row.close, max(1, row.trades))
