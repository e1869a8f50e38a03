"""The bytes of market-data frames and of the answers that have the same shape, from books as they stand."""

from collections.abc import Sequence
from decimal import ROUND_CEILING, ROUND_FLOOR, Decimal
from math import isqrt
from typing import Any

import msgspec

from supervisor.clock import NS_PER_MS
from venues.aleatoric.dialects.pieces import pointed
from venues.market import Book, Level

LEVELS, LEVELS_FAST = 20, 5
_ORDER_USD = 250  # orders at a level: about the root of its worth in these


def encode(value: Any) -> bytes:
    """JSON as the venue writes it: compact, keys in the order they were put in."""
    return msgspec.json.encode(value)


def frame(channel: str, data: Any) -> bytes:
    """A frame of a channel."""
    return encode({"channel": channel, "data": data})


def book_data(coin: str, book: Book | None, now_ns: int, options: "BookOptions") -> dict[str, Any]:
    """A book as l2Book has it; of a name without a book both sides are empty."""
    sides = ((), ()) if book is None else (book.bids, book.asks)
    stamp = (book.at_ns if book else now_ns) // NS_PER_MS
    if options.figures is None:
        levels = [[_level(level) for level in side[: options.levels]] for side in sides]
        data: dict[str, Any] = {"coin": coin, "time": stamp, "levels": levels}
    else:
        bids, asks = _coarse(sides[0], options, ROUND_FLOOR), _coarse(sides[1], options, ROUND_CEILING)
        data = {"coin": coin, "time": stamp, "levels": [[_row(*row) for row in side] for side in (bids, asks)]}
        if bids and asks:
            data["spread"] = pointed(asks[0][0] - bids[0][0])
    if options.fast:
        data["fast"] = True
    return data


class BookOptions(msgspec.Struct, frozen=True):
    """What a subscriber wants of a book."""

    fast: bool = False
    figures: int | None = None  # nSigFigs
    mantissa: int | None = None

    @property
    def levels(self) -> int:
        """Levels a side."""
        return LEVELS_FAST if self.fast else LEVELS


def touch_data(coin: str, book: Book) -> dict[str, Any]:
    """The best level of each side as bbo has it."""
    best = [_level(side[0]) if side else None for side in (book.bids, book.asks)]
    return {"coin": coin, "time": book.at_ns // NS_PER_MS, "bbo": best}


def _level(level: Level) -> dict[str, Any]:
    return {"px": _shown(level.price), "sz": _shown(level.size), "n": _orders(level)}


def _shown(number: float) -> str:
    """What `pointed` makes of a float: its shortest form is that already, but where it has an exponent."""
    text = repr(number)
    return pointed(Decimal(text)) if "e" in text else text


def _row(price: Decimal, size: Decimal, orders: int) -> dict[str, Any]:
    return {"px": pointed(price), "sz": pointed(size), "n": orders}


def _orders(level: Level) -> int:
    """How many orders stand at a level: nobody knows, but more in a larger one."""
    return 1 + isqrt(int(level.price * level.size) // _ORDER_USD)


def _coarse(side: Sequence[Level], options: BookOptions, rounding: str) -> list[tuple[Decimal, Decimal, int]]:
    """A side with prices of fewer figures; what falls on one price is added up."""
    merged: dict[Decimal, tuple[Decimal, int]] = {}
    for level in side:
        price = Decimal(repr(level.price))
        step = Decimal(options.mantissa or 1).scaleb(price.adjusted() + 1 - (options.figures or 0))
        place = (price / step).to_integral_value(rounding) * step
        size, orders = merged.get(place, (Decimal(0), 0))
        merged[place] = (size + Decimal(repr(level.size)), orders + _orders(level))
    return [(price, size, orders) for price, (size, orders) in merged.items()][: options.levels]
