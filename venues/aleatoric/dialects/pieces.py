"""Numbers as text, each rendered once: a book shows the same few thousand prices and sizes over and over.

Whole ticks and lots become decimal text exactly, through Decimal, and never through a float.
"""

from collections.abc import Callable
from decimal import Decimal

PIECES_MAX = 1 << 16
"""So many renderings are kept: a day of prices and all sizes of a model, in a few megabytes."""


class Pieces(dict[int, bytes]):
    """Bytes of a number, made when they are asked for first: `map(pieces.__getitem__, numbers)` is the quick way."""

    def __init__(self, render: Callable[[int], bytes]) -> None:
        super().__init__()
        self._render = render

    def __missing__(self, number: int) -> bytes:
        """Render, and forget all when there are too many; a rendering depends on its number alone."""
        if len(self) >= PIECES_MAX:
            self.clear()
        piece = self[number] = self._render(number)
        return piece


def bare(number: Decimal) -> str:
    """A number without trailing zeros and without a point where it is whole: 105055, 0.0001, 12.5."""
    text = f"{number:f}"
    return text.rstrip("0").rstrip(".") if "." in text else text


def pointed(number: Decimal) -> str:
    """A number with a point always, as Hyperliquid prints: 105055.0, 0.0001, 12.5."""
    text = bare(number)
    return text if "." in text else text + ".0"


def padded(number: Decimal, decimals: int) -> str:
    """A number with so many decimals always, as Binance prints: 105055.00, 0.00010000; rounded half to even."""
    return f"{number:.{decimals}f}"


def decimals_of(unit: Decimal) -> int:
    """How many decimals the multiples of a unit need: 2 of 0.01, 1 of 0.5, 0 of 1 and of 10."""
    exponent = unit.normalize().as_tuple().exponent
    return max(0, -int(exponent))
