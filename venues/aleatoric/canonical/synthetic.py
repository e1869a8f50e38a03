"""Synthetic input: the generator's own wire format and the rows of canonical captures.

Read are
- trade: `{event_type: "trade", timestamp_ms, capture_time_ms, symbol, side, price, size, trade_id, notional_usd}`,
- book: `{event_type: "book", timestamp_ms, capture_time_ms, symbol, bids, asks, best_bid, best_ask, mid_price,
  spread_bps}`, levels as {price, size} or [price, size],
- spot and perp of the composite pair: `{type, payload: {ts, symbol, best_bid, best_ask, depth_bids, depth_asks...}}`,
- rows of a capture: `{ts, bid_px, bid_sz, ask_px, ask_sz}` with NaN padding, and `{ts, px, sz, side}`.

The first three are the API page's; their times are milliseconds, those of a capture nanoseconds. Of the fields that
repeat what the levels say, best_bid and best_ask are checked; the others are kept as the venue's data.
"""

from collections.abc import Iterator
from decimal import Decimal
from math import isnan

import msgspec

from venues.aleatoric.canonical.events import Levels
from venues.aleatoric.canonical.fields import SIDES, Fault, Fields, Pair, Unit, items, positive
from venues.aleatoric.canonical.row import Draft, Read, Row
from venues.capture_checks import SIDES as SIGNS

VENUE = "synthetic"
PAIR = ("spot", "perp")
SIGN_WORDS = {str(sign): side for sign, side in SIGNS.items()}


class SyntheticSource:
    """Reads what Aleatoric says; keeps nothing between rows."""

    def __init__(self, levels_max: int) -> None:
        self._levels_max = levels_max

    def read(self, row: Row) -> Iterator[Read]:
        """A row is one event. Raises Fault."""
        fields = Fields(row.payload)
        if fields.data.get("type") in PAIR:
            yield self._pair(row, fields)
        elif "bid_px" in fields.data:
            yield self._capture_book(row, fields)
        elif "px" in fields.data:
            yield self._capture_trade(row, fields)
        elif (kind := fields.take("event_type")) == "book":
            yield self._book(row, fields)
        elif kind == "trade":
            yield self._trade(row, fields)
        elif isinstance(kind, str):
            yield row.unread(kind)
        else:
            raise Fault("event_type", kind, "it must be book or trade")

    def missed(self, position: int) -> None:
        """Every row stands for itself, so nothing is lost with one."""

    def finish(self) -> Iterator[Read]:
        """Nothing waits here."""
        return iter(())

    def _book(self, row: Row, fields: Fields) -> Draft:
        at_ns, row = _times(row, fields)
        symbol = row.symbol_of(fields, "symbol")
        bids, asks = fields.levels("bids", "price", "size"), fields.levels("asks", "price", "size")
        _check_best(fields, bids, asks)
        return Draft(row.book(VENUE, symbol, at_ns, self._shown(bids, asks), fields.left()), "book")

    def _trade(self, row: Row, fields: Fields) -> Draft:
        at_ns, row = _times(row, fields)
        symbol = row.symbol_of(fields, "symbol")
        deal = fields.number("price"), fields.number("size"), fields.choice("side", SIDES)
        trade_id = fields.text("trade_id") if fields.data.get("trade_id") is not None else None
        return Draft(row.trade(VENUE, symbol, at_ns, deal, trade_id, fields.left()), "trade", trade_id)

    def _pair(self, row: Row, outer: Fields) -> Draft:
        kind = outer.take("type")
        fields = Fields(outer.need("payload"), "payload")
        at_ns = fields.stamp("ts", Unit.MS)
        symbol = row.symbol_of(fields, "symbol")
        bids, asks = fields.levels("depth_bids", "price", "size"), fields.levels("depth_asks", "price", "size")
        _check_best(fields, bids, asks)
        return Draft(row.book(VENUE, symbol, at_ns, self._shown(bids, asks), {"type": kind, **fields.left()}), kind)

    def _capture_book(self, row: Row, fields: Fields) -> Draft:
        at_ns, symbol = fields.stamp("ts", Unit.NS), row.symbol_of(fields, "symbol")
        bids, asks = _unpadded(fields, "bid_px", "bid_sz"), _unpadded(fields, "ask_px", "ask_sz")
        return Draft(row.book(VENUE, symbol, at_ns, self._shown(bids, asks), fields.left()), "book")

    def _capture_trade(self, row: Row, fields: Fields) -> Draft:
        at_ns, symbol = fields.stamp("ts", Unit.NS), row.symbol_of(fields, "symbol")
        deal = fields.number("px"), fields.number("sz"), fields.choice("side", SIGN_WORDS)
        return Draft(row.trade(VENUE, symbol, at_ns, deal, None, fields.left()), "trade")

    def _shown(self, bids: Levels, asks: Levels) -> tuple[Levels, Levels]:
        return bids[: self._levels_max], asks[: self._levels_max]


def _times(row: Row, fields: Fields) -> tuple[int, Row]:
    """When it happened, and the row with the time of its capture."""
    at_ns = fields.stamp("timestamp_ms", Unit.MS)
    if fields.data.get("capture_time_ms") is None:
        return at_ns, row
    captured_ns = fields.stamp("capture_time_ms", Unit.MS)
    if captured_ns < at_ns:
        raise Fault("capture_time_ms", fields.data["capture_time_ms"], "it is before timestamp_ms")
    return at_ns, msgspec.structs.replace(row, received_ns=captured_ns)


def _check_best(fields: Fields, bids: Levels, asks: Levels) -> None:
    """Refuse a row whose best prices are not those of its levels."""
    for name, levels in (("best_bid", bids), ("best_ask", asks)):
        if levels and fields.data.get(name) is not None and fields.number(name) != levels[0][0]:
            raise Fault(fields.path(name), fields.data[name], f"the first level is at {levels[0][0]}")


def _unpadded(fields: Fields, price: str, size: str) -> Levels:
    """The levels of a capture's side, without the padding at their end."""
    prices, sizes = (items(fields.take(name), fields.path(name)) for name in (price, size))
    if len(prices) != len(sizes):
        raise Fault(fields.path(size), len(sizes), f"there are {len(prices)} prices, and as many sizes must be there")
    levels: list[Pair] = []
    used = max(
        (at + 1 for at, pair in enumerate(zip(prices, sizes, strict=True)) if not all(map(_is_pad, pair))), default=0
    )
    for at in range(used):
        levels.append(
            (positive(prices[at], f"{fields.path(price)}[{at}]"), positive(sizes[at], f"{fields.path(size)}[{at}]"))
        )
    return tuple(levels)


def _is_pad(value: object) -> bool:
    return value is None or (isinstance(value, float | Decimal) and isnan(value))
