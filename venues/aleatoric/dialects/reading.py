"""What the readers of delta-speaking venues share: damage shown, levels read, holes in a sequence named."""

from typing import Annotated, TypeVar

from msgspec import DecodeError, Meta, Struct
from msgspec.json import Decoder

from venues.delta_book import Change, Size
from venues.market import Positive
from venues.venue import VenueMisspoke

SHOWN_MAX = 200
"""So many bytes of a damaged frame go into the error."""

ID_MAX = 1 << 62
"""Venues count in 63 bits or fewer, and are nowhere near; a larger number is damage."""

RATE_MAX = 10.0
"""No funding rate of one interval, and no change of a day, reaches 1000 %."""

Milliseconds = Annotated[int, Meta(gt=0, lt=10**13)]
"""A time since 1970; a number of 13 digits lasts until the year 2286, microseconds and nanoseconds are longer."""

Id = Annotated[int, Meta(ge=0, lt=ID_MAX)]
Rate = Annotated[float, Meta(gt=-RATE_MAX, lt=RATE_MAX)]

NUMBER = r"[0-9]{1,12}(\.[0-9]{1,20})?"
PriceText = Annotated[str, Meta(pattern=rf"^(?!0+(\.0+)?$){NUMBER}$")]
"""A price whose text matters, because a checksum is over it."""
SizeText = Annotated[str, Meta(pattern=rf"^{NUMBER}$")]
MaybeText = Annotated[str, Meta(pattern=rf"^({NUMBER})?$")]
"""A price or a size, or nothing where the venue has none."""
MaybeRateText = Annotated[str, Meta(pattern=rf"^(-?{NUMBER})?$")]
"""A rate of any sign, or nothing where the venue has none."""
MaybeTimeText = Annotated[str, Meta(pattern=r"^([0-9]{13})?$")]
"""Milliseconds as text, or nothing where the venue has none."""
CountText = Annotated[str, Meta(pattern=r"^[0-9]{1,9}$")]

T = TypeVar("T")


class WireChange(Change, frozen=True, gc=False, array_like=True, forbid_unknown_fields=True):
    """A change as most venues write it: ["price", "size"]; that its fields stand here again is what makes it one."""

    price: Positive
    size: Size


class Gap(Struct, frozen=True):
    """The verdict on a feed with a hole: the book is worth nothing until a new snapshot has come."""

    symbol: str
    expected: int  # the id, or checksum, that would have continued what was there
    found: int
    reason: str  # in words: what does not follow


def misspoke(frame: bytes | str, error: DecodeError | str) -> VenueMisspoke:
    """The error for a frame that breaks its venue's protocol, with the frame's head in it."""
    head = frame.encode() if isinstance(frame, str) else frame
    return VenueMisspoke(f"{error}: {head[:SHOWN_MAX].decode('utf-8', 'replace')}")


def read(decoder: Decoder[T], part: bytes | str | memoryview, frame: bytes | str) -> T:
    """Decode a part of a frame. Raises VenueMisspoke with the head of the whole frame."""
    try:
        return decoder.decode(part)
    except DecodeError as error:
        raise misspoke(frame, error) from error
