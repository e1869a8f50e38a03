"""Parts of wholes, rounded for reading."""

from decimal import Decimal

BPS = 10_000


def share(part: int | Decimal, whole: int | Decimal, of: int = 1, digits: str = "0.0001") -> Decimal:
    """A part of a whole that is not zero."""
    return (Decimal(part) * of / Decimal(whole)).quantize(Decimal(digits))


def bps(part: int, whole: int) -> Decimal | None:
    """A part in basis points; None of nothing."""
    return share(part, whole, BPS, "0.01") if whole else None
