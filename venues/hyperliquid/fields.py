"""What fields of Hyperliquid's JSON are made of, shared by its frames and its answers: exact numbers, times, sides.

Books and candles feed signals and are read as floats. Whatever money, orders or positions are made of is read as
`Exact`: the digits as they were sent. Damage of any kind leaves `read` as VenueMisspoke and as nothing else.
Lists of what happened are read row by row (`rows_of`): one row that nobody understands must not hide the others.
"""

import re
from collections.abc import Iterable
from decimal import Decimal
from typing import Annotated, Any, Literal, TypeVar

from msgspec import DecodeError, Meta, Raw, Struct, ValidationError
from msgspec.json import Decoder

from venues.market import PRICE_MAX, Side
from venues.venue import VenueMisspoke

SHOWN_MAX = 200
"""So much of a damaged frame goes into the error."""

Milliseconds = Annotated[int, Meta(gt=0, lt=10**13)]
"""A time since 1970; a number of 13 digits lasts until the year 2286, microseconds and nanoseconds are longer."""

Amount = Annotated[float, Meta(ge=0, lt=PRICE_MAX * PRICE_MAX)]
"""A volume or an interest: it may be nothing, and a day's turnover has more digits than a price."""

Count = Annotated[int, Meta(ge=0, le=2**63 - 1)]
"""An id or a number of things; oids passed 2^32 long ago."""

SideCode = Literal["A", "B"]

SIDES = {"B": Side.BUY, "A": Side.SELL}
"""Of an order its side, of a trade the aggressor's: B is a bid, A an ask."""

MALFORMED = (DecodeError, UnicodeError, RecursionError)
"""All that msgspec raises on bytes that are not what they should be; the second is no kind of the first."""

_PLAIN = re.compile(r"-?[0-9]{1,20}(?:\.[0-9]{1,20})?")

T = TypeVar("T")


class Exact(Decimal):
    """A number with the digits it was sent with: finite, no exponent, at most 20 digits on either side of the point.

    Decimal alone would take "NaN", and "1e999999", whose first use in arithmetic would not end.
    """

    __slots__ = ()


def exactly(kind: type[Any], value: Any) -> Any:
    """msgspec's hook for what it doesn't know, which here is Exact. Raises ValueError."""
    if kind is Exact and type(value) is str and _PLAIN.fullmatch(value):
        return Exact(value)
    raise ValueError(f"{str(value)[:40]!r} is no plain decimal number in a string")


def decoder(kind: Any) -> Decoder[Any]:
    """A decoder of answers and frames: floats from strings, exact numbers, unknown fields passed over."""
    return Decoder(kind, strict=False, dec_hook=exactly)


def read(reader: Decoder[T], said: bytes | str, what: str) -> T:
    """Decode, or raise VenueMisspoke with what it was to be and how it begins."""
    try:
        return reader.decode(said)
    except MALFORMED as error:
        raise misspoke(said, what, error) from error


class Unread(Struct, frozen=True):
    """A row of a list that makes no sense, with what of it could be made out."""

    coin: str  # empty: it names none that can be read
    time_ms: int  # 0: the same
    text: str  # what it was to be, why it is none, how it begins


class Rows(tuple[T, ...]):
    """The rows of an answer that could be read, in its order, and beside them those that could not."""

    unread: tuple[Unread, ...] = ()

    @classmethod
    def of(cls, rows: Iterable[T], unread: Iterable[Unread] = ()) -> "Rows[T]":
        """Rows with what goes beside them."""
        made = cls(rows)
        made.unread = tuple(unread)
        return made


def rows_of(reader: Decoder[T], said: Iterable[Raw], what: str) -> Rows[T]:
    """Read each row by itself. Raises nothing."""
    rows: list[T] = []
    unread: list[Unread] = []
    for one in said:
        text = bytes(one)
        try:
            rows.append(read(reader, text, what))
        except VenueMisspoke as error:
            unread.append(Unread(*_hints(text), str(error)))
    return Rows.of(rows, unread)


_anything = Decoder(Any)


def _hints(said: bytes) -> tuple[str, int]:
    """Coin and time of a row that is none, for whoever has to judge whether it matters."""
    try:
        row = _anything.decode(said)
    except MALFORMED:
        return "", 0
    if not isinstance(row, dict):
        return "", 0
    inner = row.get("delta")
    coin, time_ms = (inner if isinstance(inner, dict) else row).get("coin"), row.get("time")
    if not isinstance(time_ms, int) or not 0 < time_ms < 10**13:
        time_ms = 0
    return coin if isinstance(coin, str) else "", time_ms


def misspoke(said: bytes | str, what: str, error: Exception) -> VenueMisspoke:
    """The error for something damaged; the place is named where it was valid JSON."""
    place = error if isinstance(error, ValidationError) else f"{type(error).__name__}: {error}"
    return VenueMisspoke(f"{what}: {str(place)[:SHOWN_MAX]}: {shown(said)}")


def shown(said: bytes | str) -> str:
    """The beginning of a frame, for an error."""
    return as_bytes(said[:SHOWN_MAX]).decode("utf-8", "replace")


def as_bytes(said: bytes | str) -> bytes:
    """The frame as bytes; text that no encoding has, a lone surrogate, becomes a question mark."""
    return said.encode("utf-8", "replace") if isinstance(said, str) else said
