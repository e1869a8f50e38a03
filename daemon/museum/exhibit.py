"""An exhibit: a failure that somebody had with real money, replayed against our code and against the naive way.

One check judges both. Ours must pass it, and the naive way must fail it: a check that both pass would prove nothing.
"""

from collections.abc import Callable
from typing import Any

from msgspec import Struct


class Exhibit(Struct, frozen=True, kw_only=True):
    """One story. `right` runs what ships and `wrong` the behaviour of the story; both return what they saw."""

    name: str  # of its thread, or of its line and what is in it
    story: str  # one line, in our words
    sources: tuple[str, ...]  # keys of museum/sources.py
    stake: str  # what it costs to get it wrong
    right: Callable[[], Any]
    wrong: Callable[[], Any]
    check: Callable[[Any], bool]


class Verdict(Struct, frozen=True, kw_only=True):
    """What came of an exhibit."""

    name: str
    passed: bool
    why: str  # it did not pass; empty if it did
    right: str  # what was seen
    wrong: str


def visit(exhibit: Exhibit) -> Verdict:
    """Run both sides and judge them. What they raise is a failure of the exhibit, never of the visit."""
    told, why = {}, []
    for side, run, wanted in (("right", exhibit.right, True), ("wrong", exhibit.wrong, False)):
        try:
            seen = run()
            told[side] = repr(seen)
            if exhibit.check(seen) is not wanted:
                why.append("ours fails the check" if wanted else "the naive way passes: the check does not bite")
        except Exception as error:
            told[side] = f"{type(error).__name__}: {error}"
            why.append(f"{side} raised {told[side]}")
    return Verdict(name=exhibit.name, passed=not why, why="; ".join(why), right=told["right"], wrong=told["wrong"])
