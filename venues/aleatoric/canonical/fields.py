"""Fields of a row: each read under its name, and refused with its path, its value and what would be right."""

import operator
import re
from collections.abc import Mapping, Sequence
from decimal import Decimal
from enum import Enum
from itertools import pairwise
from math import isfinite
from typing import Any

from venues.aleatoric.canonical.events import Levels
from venues.market import PRICE_MAX, Side

SHOWN_MAX = 80
"""So many characters of a damaged value go into a report."""

NUMBER = re.compile(r"[+-]?\d{1,30}(\.\d{1,30})?([eE][+-]?\d{1,2})?", re.ASCII)
"""A decimal as JSON writes it, of a length that some venue could print; Decimal itself would also read 1_0 and Ⅷ."""

SMALLEST = Decimal("1e-18")
"""No venue prints finer: 18 decimals are those of an Ethereum token."""

LARGEST = Decimal(int(PRICE_MAX))
SIDES = {"buy": Side.BUY, "sell": Side.SELL}

Pair = tuple[Decimal, Decimal]


class Fault(Exception):
    """A field that can't be used."""

    def __init__(self, field: str, value: object, reason: str) -> None:
        super().__init__(f"{field} is {shown(value)}: {reason}")
        self.field, self.value, self.reason = field, shown(value), reason


class Foreign(Fault):
    """A row of a symbol that the run is not of: it says nothing of the run's books."""


class Repeated(Fault):
    """A change that was heard before: it changes nothing."""


class Unit(Enum):
    """What a venue counts time in since 1970: how many digits a date from 2001 to 2286 has, and what one is in ns."""

    MS = ("milliseconds", 13, 10**6)
    NS = ("nanoseconds", 19, 1)


UNITS_BY_DIGITS = {10: "seconds", 13: "milliseconds", 16: "microseconds", 19: "nanoseconds"}


def shown(value: object) -> str:
    """A value as a report prints it; empty where there is none."""
    text = "" if value is None else str(value)
    return text if len(text) <= SHOWN_MAX else text[:SHOWN_MAX] + "..."


def decimal_of(value: object) -> Decimal | None:
    """The number that a value stands for, exactly; a float is taken for the shortest decimal that reads back to it."""
    if isinstance(value, str):
        return Decimal(value) if NUMBER.fullmatch(value) else None
    if isinstance(value, bool):
        return None
    if isinstance(value, float):
        return Decimal(float.__repr__(value)) if isfinite(value) else None
    if isinstance(value, int):
        return Decimal(value) if -LARGEST * LARGEST < value < LARGEST * LARGEST else None
    return value if isinstance(value, Decimal) and value.is_finite() else None


def positive(value: object, path: str) -> Decimal:
    """A price or a size. Raises Fault."""
    number = decimal_of(value)
    if number is None:
        raise Fault(path, value, "it must be a number")
    if not SMALLEST <= number < LARGEST:
        raise Fault(path, value, f"it must be positive and below {PRICE_MAX:g}")
    return number


def size_or_none(value: object, path: str) -> Decimal:
    """A size that may be zero: nothing is left there. Raises Fault."""
    return Decimal(0) if decimal_of(value) == 0 else positive(value, path)


def stamp_ns(value: object, unit: Unit, path: str) -> int:
    """A time in nanoseconds since 1970, out of the one unit that the source documents. Raises Fault.

    No unit is guessed: another number of digits is another unit, or damage, and both are refused.
    """
    name, digits, ns = unit.value
    number = decimal_of(value)
    if number is None:
        raise Fault(path, value, f"it must be {name} since 1970")
    if not 10 ** (digits - 1) <= number < 10**digits:
        found = len(str(int(abs(number)))) if abs(number) < LARGEST * LARGEST else 0
        hint = f", {found} are {UNITS_BY_DIGITS[found]}" if found in UNITS_BY_DIGITS else ""
        raise Fault(path, value, f"{name} since 1970 have {digits} digits{hint}")
    exact = number * ns
    if exact != int(exact):
        raise Fault(path, value, "it is finer than a nanosecond")
    return int(exact)


def uncrossed(bids: Levels, asks: Levels, field: str) -> None:
    """Refuse a book whose sides are not in order, or meet. Raises Fault."""
    for side, levels, disordered in (("bids", bids, operator.ge), ("asks", asks, operator.le)):
        for (better, _), (worse, _) in pairwise(levels):
            if disordered(worse, better):
                raise Fault(field, worse, f"levels are out of order: {side} show it after {better}")
    if bids and asks and bids[0][0] >= asks[0][0]:
        raise Fault(field, bids[0][0], f"the best bid is at or above the best ask, {asks[0][0]}")


class Fields:
    """One object of a row. What is taken out is the event's; what is only looked at stays with the venue's data."""

    def __init__(self, value: object, path: str = "") -> None:
        if not isinstance(value, Mapping):
            raise Fault(path, value, "it must be an object")
        self.data: Mapping[str, Any] = value
        self._prefix = f"{path}." if path else ""
        self._taken: set[str] = set()

    def path(self, name: str) -> str:
        """Where a field stands in the payload."""
        return self._prefix + name

    def need(self, name: str) -> Any:
        """A field that must be there. Raises Fault."""
        value = self.data.get(name)
        if value is None:
            raise Fault(self.path(name), None, "it must be there")
        return value

    def take(self, name: str) -> Any:
        """A field that must be there, and that the event will hold."""
        self._taken.add(name)
        return self.need(name)

    def number(self, name: str) -> Decimal:
        """A price or size, taken."""
        return positive(self.take(name), self.path(name))

    def stamp(self, name: str, unit: Unit) -> int:
        """A time, taken, in nanoseconds."""
        return stamp_ns(self.take(name), unit, self.path(name))

    def text(self, name: str) -> str:
        """A name or an id, taken: text that is not empty, or a whole number."""
        value = self.take(name)
        if isinstance(value, bool) or not isinstance(value, str | int) or value == "":
            raise Fault(self.path(name), value, "it must be a name")
        return str(value)

    def whole(self, name: str) -> int:
        """A count or a sequence number, looked at."""
        return whole(self.need(name), self.path(name))

    def choice(self, name: str, choices: Mapping[str, Any]) -> Any:
        """What one of a few words stands for, taken."""
        value = self.take(name)
        if (word := str(value)) not in choices or isinstance(value, bool):
            raise Fault(self.path(name), value, f"it must be one of {', '.join(choices)}")
        return choices[word]

    def rows(self, name: str) -> Sequence[Any]:
        """A list, taken."""
        return items(self.take(name), self.path(name))

    def levels(self, name: str, price: str, size: str) -> Levels:
        """One side of a book, taken: objects with these two names, or lists that begin with price and size."""
        return levels(self.rows(name), self.path(name), (price, size))

    def left(self) -> dict[str, Any]:
        """Whatever was not taken: what the venue said besides."""
        return {name: plain(value) for name, value in self.data.items() if name not in self._taken}


def levels(values: Sequence[Any], path: str, names: tuple[str, str], empty: bool = False) -> tuple[Pair, ...]:
    """Price and size of each level: objects with these names, or lists; a size may be zero if `empty`. Raises Fault."""
    price, size = names
    size_of = size_or_none if empty else positive
    pairs: list[Pair] = []
    try:
        for value in values:
            if isinstance(value, dict):
                pairs.append((positive(value.get(price), price), size_of(value.get(size), size)))
            elif len(pair := items(value, "")) >= 2:
                pairs.append((positive(pair[0], "0"), size_of(pair[1], "1")))
            else:
                raise Fault("", value, "a level is a price and a size")
    except Fault as fault:  # paths are made here, where they are wanted: a book has 40 levels, and most are sound
        inside = f"[{fault.field}]" if fault.field.isdigit() else f".{fault.field}" if fault.field else ""
        raise Fault(f"{path}[{len(pairs)}]{inside}", fault.value or None, fault.reason) from None
    return tuple(pairs)


def items(value: object, path: str) -> Sequence[Any]:
    """A list. Raises Fault."""
    if not isinstance(value, list | tuple):
        raise Fault(path, value, "it must be a list")
    return value


def whole(value: object, path: str) -> int:
    """A whole number from zero on. Raises Fault."""
    number = decimal_of(value)
    if number is None or number < 0 or number != int(number):
        raise Fault(path, value, "it must be a whole number, zero or more")
    return int(number)


def plain(value: Any) -> Any:
    """A value of the venue's own, with JSON's numbers as floats where no digit is lost by it."""
    if isinstance(value, Decimal):
        short = float(value)
        return short if isfinite(short) and Decimal(repr(short)) == value else value
    if isinstance(value, Mapping):
        return {name: plain(each) for name, each in value.items()}
    return [plain(each) for each in value] if isinstance(value, list | tuple) else value
