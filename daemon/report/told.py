"""What only the log knows: why something was wanted and at what price, what was refused, what went wrong.

A log is kept for a while and then rotated away; what it no longer tells is left out, and the report says so.
"""

from collections import Counter
from collections.abc import Iterable
from typing import Any

from msgspec import Struct, field

from daemon.log_reader import severity
from daemon.report.window import Window
from daemon.times import ns_of

UNKNOWN = "not in the log"
"""The reason of what was wanted before the log begins."""

TROUBLE = severity("warning")
"""From here up a line is an incident."""

NO_INCIDENT = frozenset({"refused", "trading_state", "macro_window", "stream_state"})
"""Events that have a table of their own, or are the daily life of a venue."""

EXAMPLE_CHARS_MAX = 120


class Wanted(Struct, frozen=True):
    """An intent: why, and the price that it was decided at."""

    reason: str
    close: float


class Shut(Struct, kw_only=True):
    """A macro window: entries were frozen."""

    event: str
    from_ns: int
    until_ns: int = 0  # 0: it is not over


class Incident(Struct, kw_only=True):
    """Lines of one kind that want to be looked at."""

    level: str
    event: str
    times: int
    first_ns: int
    last_ns: int
    example: str


class Told(Struct, kw_only=True):
    """All of it."""

    intents: dict[str, Wanted] = field(default_factory=dict)
    refusals: Counter[tuple[str, str]] = field(default_factory=Counter)  # (engine, rule)
    macro: list[Shut] = field(default_factory=list)
    incidents: dict[str, Incident] = field(default_factory=dict)
    stale: Counter[str] = field(default_factory=Counter)  # engine -> streams that went stale
    first_ns: int = 0  # of the log; 0: there is none


def told(lines: Iterable[dict[str, Any]], window: Window) -> Told:
    """Read the log's lines, oldest first."""
    story = Told()
    for line in lines:
        at_ns = ns_of(line["at"]) if line.get("at") else 0
        story.first_ns = story.first_ns or at_ns
        event = str(line.get("event", ""))
        if event == "intent":  # whenever: a trip may have begun before
            evidence = line.get("evidence") or {}
            story.intents[str(line["id"])] = Wanted(str(line.get("reason", "")), float(evidence.get("close") or "nan"))
        if at_ns and window.logged(at_ns, str(line.get("run", ""))):
            _note(story, line, event, at_ns)
        elif not at_ns:
            _incident(story, line, event, story.first_ns)  # a damaged line has no time
    return story


def _note(story: Told, line: dict[str, Any], event: str, at_ns: int) -> None:
    match event:
        case "refused":
            story.refusals[str(line.get("engine", "")), str(line.get("rule", ""))] += 1
        case "refused_again":
            story.refusals[str(line.get("engine", "")), str(line.get("rule", ""))] += int(line.get("times") or 0)
        case "stream_state" if not line.get("fresh", True):
            story.stale[str(line.get("engine", ""))] += 1
        case "macro_window":
            _macro(story, line, at_ns)
    if severity(str(line.get("level"))) >= TROUBLE and event not in NO_INCIDENT:
        _incident(story, line, event, at_ns)


def _macro(story: Told, line: dict[str, Any], at_ns: int) -> None:
    name = str(line.get("event_", "")) or ("calendar is degraded" if line.get("degraded") else "a release")
    last = story.macro[-1] if story.macro else None
    open_one = last if last is not None and not last.until_ns else None
    if line.get("shut"):
        if open_one is None or open_one.event != name:
            if open_one is not None:
                open_one.until_ns = at_ns
            story.macro.append(Shut(event=name, from_ns=at_ns))
    elif open_one is not None:
        open_one.until_ns = at_ns


def _incident(story: Told, line: dict[str, Any], event: str, at_ns: int) -> None:
    known = story.incidents.get(event)
    if known is not None:
        known.times, known.last_ns = known.times + 1, at_ns
        return
    words = (str(line[name]) for name in ("reason", "error", "what", "message", "why", "exception") if line.get(name))
    level = str(line.get("level", "error"))
    example = next(words, "")[:EXAMPLE_CHARS_MAX]
    story.incidents[event] = Incident(level=level, event=event, times=1, first_ns=at_ns, last_ns=at_ns, example=example)
