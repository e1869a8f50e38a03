"""Rows as columns: the events of the API page in one table, and the canonical pair of books and trades.

Events have the fields of the page's wire format (seed: API page, standard events); what a trade has and a book has not
is null in books, and the other way round. The pair is what realism and replay read: ts, bid_px, bid_sz, ask_px, ask_sz
as arrays padded with NaN, and ts, px, sz, side.
"""

from typing import TYPE_CHECKING, Any

import numpy as np

from supervisor.clock import NS_PER_MS
from venues.aleatoric import wire_events
from venues.aleatoric.artifacts.rows import Rows
from venues.aleatoric.canonical.tables import book_table, trade_table
from venues.aleatoric.model import SymbolModel
from venues.aleatoric.wire_events import BPS, SPREAD_DECIMALS
from venues.aleatoric.words import Floats, Ints

if TYPE_CHECKING:
    import polars as pl


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
    (bid, ask), (bid_size, ask_size) = sides_of(model, rows)
    trades = prices_of(model, rows.trade_ticks), sizes_of(model, rows.trade_lots)
    return (
        book_table(rows.at_ns, (bid, bid_size, ask, ask_size)),
        trade_table(rows.trade_at_ns, *trades, rows.trade_sign),
    )


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
    # One division of whole numbers is the float nearest to the exact value, as the wire's decimals come out.
    (bid, ask), (over, under) = rows.ticks[:, :, 0], model.price_fraction
    spread = [round(value, SPREAD_DECIMALS) for value in ((ask - bid) * (2 * BPS) / (ask + bid)).tolist()]
    numbers = {"best_bid": prices[0, :, 0], "best_ask": prices[1, :, 0]}
    numbers |= {"mid_price": (bid + ask) * over / (2 * under), "spread_bps": np.array(spread)}
    if rows.empty is not None:
        for name in ("mid_price", "spread_bps"):
            numbers[name] = np.where(rows.empty.any(axis=0), np.nan, numbers[name])
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
    worth = model.tick * model.lot
    notional = zip(rows.trade_ticks.tolist(), rows.trade_lots.tolist(), strict=True)
    return pl.DataFrame(
        {
            **_stamps(model, "trade", rows.trade_at_ns, rows.trade_received_ns),
            "side": pl.Series(np.where(rows.trade_sign > 0, "buy", "sell"), dtype=pl.String),
            "price": price,
            "size": size,
            "trade_id": pl.Series(trade_ids(model.symbol, rows.trade_at_ns), dtype=pl.String),
            "notional_usd": pl.Series([float(ticks * lots * worth) for ticks, lots in notional], dtype=pl.Float64),
        }
    )


def trade_ids(symbol: str, at_ns: Ints) -> list[str]:
    """The wire's ids of a block's trades: trades of one instant are told apart by their rank in it."""
    at = np.arange(len(at_ns))
    fresh = np.diff(at_ns, prepend=-1) != 0
    return wire_events.trade_ids(symbol, at_ns, at - np.maximum.accumulate(np.where(fresh, at, 0)))


def _stamps(model: SymbolModel, kind: str, at_ns: Ints, received_ns: Ints) -> dict[str, Any]:
    import polars as pl

    return {
        "event_type": pl.repeat(kind, len(at_ns), eager=True, dtype=pl.String),
        "timestamp_ms": at_ns // NS_PER_MS,
        "capture_time_ms": received_ns // NS_PER_MS,
        "symbol": pl.repeat(model.symbol, len(at_ns), eager=True, dtype=pl.String),
    }
