"""Which part of the books a report is about: a day, seven days, or one run."""

from collections.abc import Sequence
from datetime import UTC, date, datetime, timedelta

from msgspec import Struct

from actors.messages import RunStarted
from daemon.errors import BadInput
from daemon.times import EPOCH, NS_PER_S, minute_of

DAYS_OF_WEEK = 7
NS_PER_DAY = 86_400 * NS_PER_S
ID_CHARS_MIN = 4
"""Shorter beginnings of a run's id say little."""

LAST = "last"
"""The newest run's name."""


class Window(Struct, frozen=True, kw_only=True):
    """From `from_ns` up to `until_ns`, or one run, whatever its times are."""

    title: str
    from_ns: int
    until_ns: int
    run: int = 0  # its number; 0: whichever ran then
    run_id: str = ""

    def holds(self, at_ns: int, run: int) -> bool:
        """Whether a record belongs to it."""
        return run == self.run if self.run else self.from_ns <= at_ns < self.until_ns

    def meets(self, begun: tuple[int, int], ended: tuple[int, int] | None) -> bool:
        """Whether what held from one record to another (time and run of each; None: it still holds) did so in it."""
        if self.run:
            return begun[1] <= self.run and (ended is None or self.run <= ended[1])
        return begun[0] < self.until_ns and (ended is None or ended[0] >= self.from_ns)

    def logged(self, at_ns: int, run_id: str) -> bool:
        """Whether a line of the log does."""
        return run_id == self.run_id if self.run else self.from_ns <= at_ns < self.until_ns


def days(last_ns: int, on: str, count: int) -> Window:
    """So many account days (UTC) that end with the one named, or with that of the newest record."""
    day = parse_day(on) if on else (EPOCH + timedelta(seconds=last_ns // NS_PER_S)).date()
    try:
        until = datetime(day.year, day.month, day.day, tzinfo=UTC) + timedelta(days=1)
        first = day - timedelta(days=count - 1)
    except OverflowError as error:
        raise BadInput("--on", on, "a day between 0001-01-07 and 9999-12-30, as 2026-11-20") from error
    until_ns = (until - EPOCH) // timedelta(seconds=1) * NS_PER_S
    title = f"{day}" if count == 1 else f"{first} to {day}"
    return Window(title=title, from_ns=until_ns - count * NS_PER_DAY, until_ns=until_ns)


def parse_day(text: str) -> date:
    """2026-11-20. Raises BadInput."""
    try:
        return date.fromisoformat(text)
    except ValueError as error:
        raise BadInput("--on", text, "a day, as 2026-11-20") from error


def of_run(runs: Sequence[RunStarted], wanted: str, last_ns: int) -> Window:
    """One run by its id, the beginning of it, its number, or `last`. Raises BadInput."""
    known = "; ".join(f"{run.number} is {run.run_id}" for run in runs[-DAYS_OF_WEEK:]) or "there is none yet"
    if wanted == LAST:
        found = list(runs[-1:])
    elif wanted.isdecimal():
        found = [run for run in runs if run.number == int(wanted)]
    else:
        found = [run for run in runs if len(wanted) >= ID_CHARS_MIN and run.run_id.startswith(wanted)]
    if len(found) != 1:
        right = "fits several runs" if found else f"the id or number of a run, or `{LAST}`"
        raise BadInput("--run", wanted, f"{right}; {known}")
    run = found[0]
    at = runs.index(run)
    until_ns = runs[at + 1].at_ns if at + 1 < len(runs) else last_ns + 1
    title = f"run {run.number} ({run.run_id}), {run.mode}, from {minute_of(run.at_ns)} UTC"
    return Window(title=title, from_ns=run.at_ns, until_ns=until_ns, run=run.number, run_id=run.run_id)
