"""All rows between two times, asked for in pages: which window to ask for next, which rows are new, when it is over.

The venue cuts a long answer (userFillsByTime: 2,000 rows; userFunding and 2023's recordings: 500) and does not say that
it did, nor at which end, nor that the rest of a millisecond is missing. So a page as long as the shortest cut that was
ever seen may be cut, and what may be missing is asked for on both sides of it, with the milliseconds at its ends again:
rows are told apart by their id, not by time. A millisecond that alone fills a page cannot be asked for in parts; it is
named in `doubtful_ms` instead of being believed.
"""

from collections.abc import Sequence
from typing import Generic, NamedTuple, Protocol, TypeVar

from venues.hyperliquid.account_wire import UserFill
from venues.hyperliquid.fields import Rows, Unread
from venues.venue import VenueMisspoke

ROWS_MAY_BE_CUT = 500
"""A page of so many rows may be cut. A shorter one is whole: no venue's cut was ever below it."""


class Row(Protocol):
    """Something that happened to an account: it has a time, and an id that is the same wherever it is told."""

    @property
    def time_ms(self) -> int:
        """When."""
        ...

    @property
    def id(self) -> str:
        """What tells it from every other."""
        ...


R = TypeVar("R", bound=Row)


class Window(NamedTuple):
    """A span of time to ask for, both ends included."""

    start_ms: int
    end_ms: int


class Pages(Generic[R]):
    """Asks for everything from `start_ms` to `end_ms`.

        while window := pages.window:
            new = pages.hear(await ask(window))
        everything = pages.rows

    A page that was not answered is not heard, and `window` is the same again.
    """

    def __init__(self, start_ms: int, end_ms: int, rows_may_be_cut: int = ROWS_MAY_BE_CUT) -> None:
        self.rows_may_be_cut = rows_may_be_cut
        self.doubtful_ms: set[int] = set()  # milliseconds that may have more rows than a page can show
        self.unread: dict[str, Unread] = {}  # rows that make no sense, by their text
        self._todo = [Window(start_ms, end_ms)] if start_ms <= end_ms else []
        self._found: dict[str, R] = {}

    @property
    def window(self) -> Window | None:
        """What to ask for now; None: that was all."""
        return self._todo[-1] if self._todo else None

    @property
    def rows(self) -> Rows[R]:
        """Everything so far, oldest first; rows of one millisecond in the order they were told."""
        return Rows.of(sorted(self._found.values(), key=lambda row: row.time_ms), self.unread.values())

    def hear(self, rows: Sequence[R]) -> tuple[R, ...]:
        """The answer to `window`. Returns the rows that are new. Raises VenueMisspoke where it is of another time."""
        window = self._todo[-1]
        stray = next((row for row in rows if not window.start_ms <= row.time_ms <= window.end_ms), None)
        if stray:
            raise VenueMisspoke(f"rows from {window.start_ms} to {window.end_ms} were asked for, not {stray.time_ms}")
        self._todo.pop()
        new = {row.id: row for row in rows if row.id not in self._found}
        self._found |= new
        unread = rows.unread if isinstance(rows, Rows) else ()
        self.unread |= {one.text: one for one in unread}
        if len(rows) + len(unread) >= self.rows_may_be_cut:
            self._todo += self._beside(window, [row.time_ms for row in rows])
        return tuple(new.values())

    def _beside(self, window: Window, times: list[int]) -> list[Window]:
        """What a page may have left out, the later part to be asked for first: the venue cuts that off today."""
        if not times:
            raise VenueMisspoke(f"no row from {window.start_ms} to {window.end_ms} can be read, and there are more")
        first, last = min(times), max(times)
        if first < last:
            return [Window(window.start_ms, first), Window(last, window.end_ms)]
        self.doubtful_ms.add(first)
        beside = [Window(window.start_ms, first - 1), Window(first + 1, window.end_ms)]
        return [part for part in beside if part.start_ms <= part.end_ms]


class FillPages(Pages[UserFill]):
    """Pages of fills."""

    @property
    def fills(self) -> Rows[UserFill]:
        """Everything so far, oldest first."""
        return self.rows
