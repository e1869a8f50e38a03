"""All fills between two times, asked for in pages: which window to ask for next, which rows are new, when it is over.

The venue cuts a long answer (userFillsByTime: 2,000 rows; 500 in recordings of 2023) and does not say that it did, nor
at which end, nor that the rest of a millisecond is missing. So a page as long as the shortest cut that was ever seen
may be cut, and what may be missing is asked for on both sides of it, with the milliseconds at its ends again: rows are
told apart by the fill's id, not by time. A millisecond that alone fills a page cannot be asked for in parts; it is
named in `doubtful_ms` instead of being believed.
"""

from collections.abc import Sequence
from typing import NamedTuple

from venues.hyperliquid.account_wire import UserFill
from venues.venue import VenueMisspoke

ROWS_MAY_BE_CUT = 500
"""A page of so many rows may be cut. A shorter one is whole: no venue's cut was ever below it."""


class Window(NamedTuple):
    """A span of time to ask for, both ends included."""

    start_ms: int
    end_ms: int


class FillPages:
    """Asks for everything from `start_ms` to `end_ms`.

        while window := pages.window:
            new = pages.hear(await ask(window))
        everything = pages.fills

    A page that was not answered is not heard, and `window` is the same again.
    """

    def __init__(self, start_ms: int, end_ms: int, rows_may_be_cut: int = ROWS_MAY_BE_CUT) -> None:
        self.rows_may_be_cut = rows_may_be_cut
        self.doubtful_ms: set[int] = set()  # milliseconds that may have more fills than a page can show
        self._todo = [Window(start_ms, end_ms)] if start_ms <= end_ms else []
        self._found: dict[str, UserFill] = {}

    @property
    def window(self) -> Window | None:
        """What to ask for now; None: that was all."""
        return self._todo[-1] if self._todo else None

    @property
    def fills(self) -> tuple[UserFill, ...]:
        """Everything so far, oldest first; fills of one millisecond in the order they were told."""
        return tuple(sorted(self._found.values(), key=lambda fill: fill.time_ms))

    def hear(self, rows: Sequence[UserFill]) -> tuple[UserFill, ...]:
        """The answer to `window`. Returns the fills that are new. Raises VenueMisspoke where it is of another time."""
        window = self._todo[-1]
        stray = next((row for row in rows if not window.start_ms <= row.time_ms <= window.end_ms), None)
        if stray:
            raise VenueMisspoke(f"fills from {window.start_ms} to {window.end_ms} were asked for, not {stray.time_ms}")
        self._todo.pop()
        new = {row.id: row for row in rows if row.id not in self._found}
        self._found |= new
        if len(rows) >= self.rows_may_be_cut:
            self._todo += self._beside(window, [row.time_ms for row in rows])
        return tuple(new.values())

    def _beside(self, window: Window, times: list[int]) -> list[Window]:
        """What a page may have left out, the later part to be asked for first: the venue cuts that off today."""
        first, last = min(times), max(times)
        if first < last:
            return [Window(window.start_ms, first), Window(last, window.end_ms)]
        self.doubtful_ms.add(first)
        beside = [Window(window.start_ms, first - 1), Window(first + 1, window.end_ms)]
        return [part for part in beside if part.start_ms <= part.end_ms]
