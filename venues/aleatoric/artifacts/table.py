"""Rows as columns: the events of the API page in one table, and the canonical pair of books and trades.

Events have the fields of the page's wire format (seed: API page, standard events); what a trade has and a book has not
is null in books, and the other way round. The pair is what realism and replay read: ts, bid_px, bid_sz, ask_px, ask_sz
as arrays padded with NaN, and ts, px, sz, side.
"""

from typing import TYPE_CHECKING, Any

import numpy as np

from venues.aleatoric.artifacts.rows import Rows
from venues.aleatoric.model import SymbolModel
from venues.aleatoric.words import Floats, Ints

if TYPE_CHECKING:
    import polars as pl

NS_PER_MS = 1_000_000
BPS = 10_000.0


def prices_of(model: SymbolModel, ticks: Ints) -> Floats:
    """Prices as a venue prints them: the float nearest to ticks times tick."""
    over, under = model.price_fraction
    result: Floats = ticks * over / under
    return result


def sizes_of(model: SymbolModel, lots: Ints) -> Floats:
    """Sizes as a venue prints them."""
    over, under = model.size_fraction
    result: Floats = lots * over / under
    return result


def sides_of(model: SymbolModel, rows: Rows) -> tuple[Floats, Floats]:
    """Prices and sizes of all books, (side, row, level); NaN where a side has no levels."""
    prices, sizes = prices_of(model, rows.ticks), sizes_of(model, rows.lots)
    if rows.empty is not None:
        prices[rows.empty], sizes[rows.empty] = np.nan, np.nan
    return prices, sizes


def pair(model: SymbolModel, rows: Rows) -> tuple["pl.DataFrame", "pl.DataFrame"]:
    """The canonical pair: books and trades."""
    import polars as pl

    prices, sizes = sides_of(model, rows)
    kind = pl.Array(pl.Float64, model.levels)
    book: dict[str, Any] = {"ts": rows.at_ns}
    for side, word in enumerate(("bid", "ask")):
        book[f"{word}_px"] = pl.Series(prices[side], dtype=kind)
        book[f"{word}_sz"] = pl.Series(sizes[side], dtype=kind)
    trades = {
        "ts": rows.trade_at_ns,
        "px": prices_of(model, rows.trade_ticks),
        "sz": sizes_of(model, rows.trade_lots),
        "side": rows.trade_sign.astype(np.int8),
    }
    return pl.DataFrame(book), pl.DataFrame(trades)


def events(model: SymbolModel, rows: Rows) -> "pl.DataFrame":
    """Books and trades in the order in which they arrive."""
    import polars as pl

    books = _books(model, rows)
    trades = _trades(model, rows)
    together = pl.concat([books, trades], how="diagonal")
    return together[rows.order()].select(_COLUMNS)


_COLUMNS = (
    *("event_type", "timestamp_ms", "capture_time_ms", "symbol", "side", "price", "size", "trade_id", "notional_usd"),
    *("bids", "asks", "best_bid", "best_ask", "mid_price", "spread_bps"),
)


def _books(model: SymbolModel, rows: Rows) -> "pl.DataFrame":
    """The book events of the rows."""
    import polars as pl

    prices, sizes = sides_of(model, rows)
    sides = {}
    for side, word in enumerate(("bids", "asks")):
        flat = pl.DataFrame({"price": prices[side].ravel(), "size": sizes[side].ravel()}).to_struct(word)
        levels = flat.reshape(prices[side].shape).arr.to_list()
        if rows.empty is not None:
            levels = pl.select(
                pl.when(pl.Series(~rows.empty[side])).then(levels).otherwise(levels.list.head(0))
            ).to_series()
        sides[word] = levels
    bid, ask = prices[0, :, 0], prices[1, :, 0]
    mid = (bid + ask) / 2.0
    numbers = {"best_bid": bid, "best_ask": ask, "mid_price": mid, "spread_bps": (ask - bid) / mid * BPS}
    return pl.DataFrame(
        {
            **_stamps(model, "book", rows.at_ns, rows.received_ns),
            **sides,
            **{name: pl.Series(values, nan_to_null=True) for name, values in numbers.items()},
        }
    )


def _trades(model: SymbolModel, rows: Rows) -> "pl.DataFrame":
    """The trade events of the rows."""
    import polars as pl

    price, size = prices_of(model, rows.trade_ticks), sizes_of(model, rows.trade_lots)
    return pl.DataFrame(
        {
            **_stamps(model, "trade", rows.trade_at_ns, rows.trade_received_ns),
            "side": pl.Series(np.where(rows.trade_sign > 0, "buy", "sell"), dtype=pl.String),
            "price": price,
            "size": size,
            "trade_id": pl.Series([f"trd_{rows.block:08x}{at:06x}" for at in range(len(price))], dtype=pl.String),
            "notional_usd": price * size,
        }
    )


def _stamps(model: SymbolModel, kind: str, at_ns: Ints, received_ns: Ints) -> dict[str, Any]:
    import polars as pl

    return {
        "event_type": pl.repeat(kind, len(at_ns), eager=True, dtype=pl.String),
        "timestamp_ms": at_ns // NS_PER_MS,
        "capture_time_ms": received_ns // NS_PER_MS,
        "symbol": pl.repeat(model.symbol, len(at_ns), eager=True, dtype=pl.String),
    }
