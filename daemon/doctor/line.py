"""A line of the doctor's: what was looked at, how it is, what was found, and what to do about it."""

from collections.abc import Iterable
from enum import StrEnum

from msgspec import Struct

from supervisor.secrets import hidden


class State(StrEnum):
    """How it is: warn is to be known before a start, fail is in its way, or in the way of entries."""

    OK = "ok"
    WARN = "warn"
    FAIL = "fail"


class Line(Struct, frozen=True):
    """One thing that was looked at; `do` is empty where nothing is to be done."""

    name: str
    state: State
    found: str
    do: str = ""


def ok(name: str, found: str) -> Line:
    """Nothing is to be done."""
    return Line(name, State.OK, found)


def warn(name: str, found: str, do: str) -> Line:
    """It runs all the same."""
    return Line(name, State.WARN, found, do)


def fail(name: str, found: str, do: str) -> Line:
    """It does not run, or enters nothing."""
    return Line(name, State.FAIL, found, do)


def text_of(lines: Iterable[Line]) -> str:
    """The lines as people read them, without any secret; what to do stands under its line."""
    shown = list(lines)
    width = max((len(one.name) for one in shown), default=0)
    rows = []
    for one in shown:
        rows.append(f"{one.state.value:<4}  {one.name:<{width}}  {' '.join(one.found.split())}")
        if one.do:
            rows.append(f"{'':<4}  {'':<{width}}  -> {' '.join(one.do.split())}")
    counts = {state: sum(one.state is state for one in shown) for state in State}
    rows.append(", ".join(f"{count} {state.value}" for state, count in counts.items()))
    return hidden("\n".join(rows))
