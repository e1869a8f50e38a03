"""Hyperliquid's input: frames of its WebSocket and answers of its REST side.

Read are l2Book, trades and bbo, each as a frame `{channel, data}` or as the bare data: `{coin, time, levels}`, as the
REST l2Book request answers, a trade or a list of trades (recentTrades), `{coin, time, bbo}`. Other channels are passed
by. Times are milliseconds. The names of the fields are those that venues.hyperliquid.wire reads; here they are read one
by one, because a report must say which of them is bad, and because the numbers of orders, hashes, trade ids and users
are kept. A level's `n` stands in venue_data as `n`: [those of the bids, those of the asks].

A bbo frame is a book of one level a side. One bad trade of a frame does not spoil the others.
"""

from collections.abc import Iterator, Mapping
from typing import Any

from venues.aleatoric.canonical.fields import Fault, Fields, Unit, items, levels
from venues.aleatoric.canonical.row import Draft, Read, Row
from venues.hyperliquid.fields import SIDES

VENUE = "hyperliquid"
LEVEL = ("px", "sz")
READ = ("l2Book", "trades", "bbo")


class HyperliquidSource:
    """Reads what Hyperliquid says; keeps nothing between rows."""

    def __init__(self, levels_max: int) -> None:
        self._levels_max = levels_max

    def read(self, row: Row) -> Iterator[Read]:
        """A row is a frame, or the data of one. Raises Fault."""
        channel, data, path = _opened(row.payload)
        if channel == "l2Book":
            yield self._book(row, Fields(data, path))
        elif channel == "bbo":
            yield self._touch(row, Fields(data, path))
        elif channel == "trades":
            trades = [data] if isinstance(data, Mapping) else items(data, path)
            if not trades:
                yield row.unread("trades, none")
            for at, trade in enumerate(trades):
                try:
                    yield _trade(row, Fields(trade, f"{path}[{at}]" if trades is data else path))
                except Fault as fault:
                    yield row.bad(fault)
        else:
            yield row.unread(channel)

    def missed(self, position: int) -> None:
        """Every row stands for itself, so nothing is lost with one."""

    def finish(self) -> Iterator[Read]:
        """Nothing waits here."""
        return iter(())

    def _book(self, row: Row, fields: Fields) -> Draft:
        symbol, at_ns = row.symbol_of(fields, "coin"), fields.stamp("time", Unit.MS)
        both, path = fields.rows("levels"), fields.path("levels")
        if len(both) != 2:
            raise Fault(path, both, "it must hold bids and asks")
        sides = [items(side, f"{path}[{at}]") for at, side in enumerate(both)]
        bids, asks = (levels(side, f"{path}[{at}]", LEVEL)[: self._levels_max] for at, side in enumerate(sides))
        said = fields.left() | _orders(side[: self._levels_max] for side in sides)
        return Draft(row.book(VENUE, symbol, at_ns, (bids, asks), said), "l2Book")

    def _touch(self, row: Row, fields: Fields) -> Draft:
        symbol, at_ns = row.symbol_of(fields, "coin"), fields.stamp("time", Unit.MS)
        bid, ask, *_ = (*fields.rows("bbo"), None, None)
        sides = [[] if side is None else [side] for side in (bid, ask)]
        path = fields.path("bbo")
        bids, asks = (levels(side, f"{path}[{at}]", LEVEL) for at, side in enumerate(sides))
        return Draft(row.book(VENUE, symbol, at_ns, (bids, asks), fields.left() | _orders(iter(sides))), "bbo")


def _opened(payload: object) -> tuple[str, Any, str]:
    """Channel, data, and the path of the data. Raises Fault."""
    if isinstance(payload, list | tuple):
        return "trades", payload, ""
    fields = Fields(payload)
    if fields.data.get("channel") is not None:
        channel = fields.text("channel")
        return channel, fields.data.get("data") if channel not in READ else fields.need("data"), "data"
    for channel, name in (("l2Book", "levels"), ("bbo", "bbo"), ("trades", "px")):
        if name in fields.data:
            return channel, payload, ""
    raise Fault("channel", None, f"it must be there, or the row must be the data of {', '.join(READ)}")


def _trade(row: Row, fields: Fields) -> Draft:
    symbol, at_ns = row.symbol_of(fields, "coin"), fields.stamp("time", Unit.MS)
    deal = fields.number("px"), fields.number("sz"), fields.choice("side", SIDES)
    trade_id = fields.text("tid") if fields.data.get("tid") else None  # 0 is nobody's: dust that was converted
    return Draft(row.trade(VENUE, symbol, at_ns, deal, trade_id, fields.left()), "trades", trade_id)


def _orders(sides: Iterator[Any]) -> dict[str, Any]:
    """How many orders wait at each level, where the venue says it."""
    counts = [[each.get("n") if isinstance(each, Mapping) else None for each in side] for side in sides]
    return {"n": counts} if any(count is not None for side in counts for count in side) else {}
