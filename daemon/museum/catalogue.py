"""The catalogue: docs/museum.md, made of the exhibits and of what came of them.

obid scenario run --all --markdown > docs/museum.md
"""

from collections.abc import Iterable, Iterator, Mapping

from daemon.museum.exhibit import Exhibit
from daemon.museum.hall import EXHIBITS, WINGS, table
from daemon.museum.sources import COMMITS, SOURCES

TITLES = {
    "hyperliquid": "Hyperliquid",
    "alpaca": "Alpaca",
    "calendars": "Calendars",
    "equities": "Equities",
    "threads": "Any venue",
}
HEAD = """# The bug museum

Failures that other engines had with real money, each replayed offline against this version and against the naive way
of the story. One check judges both: ours must pass it and the naive way must fail it. `obid scenario run NAME` runs one
of them, `obid scenario run --all` all; for most, the suite also puts the bug into our own code, which then must fail.

L1-L27 are failures that obi-execution-engine, the forerunner of this project, had live, with the commits that name
them; D1-D17 are defects in its newest public code. The others are public threads by their numbers. What is written here
is in our words."""
LEFT = """## What has no exhibit

Sources of which nothing, or not all, is shown here, and why."""


def catalogue(passed: Mapping[str, bool]) -> str:
    """The whole page; `passed` by name of exhibit."""
    return "\n".join(_lines(passed)) + "\n"


def _lines(passed: Mapping[str, bool]) -> Iterator[str]:
    yield HEAD
    good = sum(passed[name] for name in EXHIBITS)
    yield from ("", f"{len(EXHIBITS)} exhibits, {good} pass; {len(SOURCES)} sources.")
    for wing, rooms in WINGS.items():
        yield from ("", f"## {TITLES[wing]}", "")
        yield from _rows([one for room in rooms for one in room.EXHIBITS], passed)
    yield from ("", LEFT, "", "| source | what it is | why |", "|---|---|---|")
    for source, _ in table():
        if source.left_out:
            yield f"| {_cell(referred(source.key))} | {_cell(source.about)} | {_cell(source.left_out)} |"


def _rows(exhibits: Iterable[Exhibit], passed: Mapping[str, bool]) -> Iterator[str]:
    yield from ("| name | story | at stake | source | result |", "|---|---|---|---|---|")
    for one in exhibits:
        sources = ", ".join(map(referred, one.sources))
        cells = (f"`{one.name}`", one.story, one.stake, sources, "pass" if passed[one.name] else "**FAIL**")
        yield f"| {' | '.join(map(_cell, cells))} |"


def referred(key: str) -> str:
    """A source as others can look it up: its key, and its commits where it has some."""
    commits = COMMITS.get(key, "")
    return f"{key} ({commits})" if commits else key


def _cell(text: str) -> str:
    return text.replace("|", "\\|")
