"""Windows of closes: the exact z-score and the mean that the strategy stands on.

z = (x - mean) / s over the last W closes, the current one included, with s the sample standard deviation (ddof 1) as in
Avellaneda & Lee, Quantitative Finance 10(7), 2010. It follows that |z| <= (W - 1) / sqrt(W): 7.617 for 60 closes.
"""

from collections import deque
from collections.abc import Iterable, Sequence
from math import fsum, sqrt

FLAT_RELATIVE = 1e-12
"""A standard deviation below this share of the price is rounding, not movement: two ways to the same mid differ by an
ulp (1e-16 of it), while a tick is never under a millionth. numpy's std finds |z| near 1 in such a window (a ghost)."""


class Window:
    """The last `size` closes, oldest first."""

    def __init__(self, size: int):
        if size < 2:
            raise ValueError(f"window size is {size}, and a deviation needs 2 closes or more")
        self.size = size
        self.closes: deque[float] = deque(maxlen=size)

    @property
    def warm(self) -> bool:
        """Whether the window is full."""
        return len(self.closes) == self.size

    def push(self, close: float) -> None:
        """Add a close; the oldest falls out of a full window."""
        self.closes.append(close)

    def refill(self, closes: Iterable[float]) -> None:
        """Forget everything and hold these closes instead, the newest as many as fit."""
        self.closes = deque(closes, maxlen=self.size)

    def with_last(self, close: float) -> Sequence[float] | None:
        """The window as it would be with one more close; None while that would not fill it."""
        kept = list(self.closes)[-(self.size - 1) :]
        return [*kept, close] if len(kept) == self.size - 1 else None


class ZWindow(Window):
    """The z-score of the newest close. None while the window is cold or flat: no number is better than a ghost."""

    def z(self) -> float | None:
        """z of the last close that was pushed."""
        return z_score(self.closes) if self.warm else None

    def peek(self, close: float) -> float | None:
        """z as it would be if this close were pushed: the day so far against closed days."""
        closes = self.with_last(close)
        return None if closes is None else z_score(closes)


class MeanWindow(Window):
    """The simple moving average (SMA). None while the window is cold."""

    def mean(self) -> float | None:
        """Mean of the closes."""
        return fsum(self.closes) / self.size if self.warm else None

    def peek(self, close: float) -> float | None:
        """Mean as it would be if this close were pushed."""
        closes = self.with_last(close)
        return None if closes is None else fsum(closes) / self.size


def z_score(closes: Sequence[float]) -> float | None:
    """z of the last of these closes among all of them; None if they are flat.

    Two passes over deviations from the last close, which are exact or nearly so where the closes themselves are large;
    `fsum` rounds once, so the result does not depend on the Python version as `sum` does.
    """
    last = closes[-1]
    deviations = [close - last for close in closes]
    mean = fsum(deviations) / len(closes)
    variance = fsum([(d - mean) * (d - mean) for d in deviations]) / (len(closes) - 1)
    deviation = sqrt(variance)
    if not deviation > FLAT_RELATIVE * abs(last):
        return None
    return -mean / deviation
