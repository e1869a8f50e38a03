"""Scenarios: what may befall a market on purpose, when and how hard; usable on any model, as data or as a line of text.

    flash_crash@10m,for=15m,size=0.05,side=down

Times are the symbol's own: from the start of its first step, and standing still while its session is closed. What each
kind does to prices and books, step by step, is in `scenario_knobs`; what it does to what is published, in
`scenario_books`.
"""

import re
from decimal import Decimal
from typing import NoReturn

from msgspec import Struct
from msgspec.structs import force_setattr

from supervisor.clock import NS_PER_S

AT_S_MAX = 3_660 * 86_400.0  # ten years: longer is a slip of the finger, and nanoseconds still fit 64 bits
SIZE_OWN = -1.0  # stands for the kind's own size, since nothing is a size of its own
FOR_S_MAX = 7 * 86_400.0  # a market that is silent for two weeks counts as one that ended
UNITS_S = {"h": 3_600, "m": 60, "s": 1, "d": 86_400}  # a length is written in the first that it is a whole number of
_DURATION = re.compile(r"(?:\d+(?:\.\d+)?[smhd])+", re.ASCII)
_PART = re.compile(r"(\d+(?:\.\d+)?)([smhd])", re.ASCII)
_NUMBER = re.compile(r"\d+(?:\.\d+)?", re.ASCII)
_SHAPE = "kind@time,for=time,size=number,side=word, as flash_crash@10m,for=2m,size=0.05; kind@time is needed"


class BadScenario(ValueError):
    """A scenario that makes no sense: names the field, the value and what would be right."""

    def __init__(self, field: str, value: object, right: str) -> None:
        self.field, self.value, self.right = field, value, right
        super().__init__(f"{field} {value!r}: {right}")


class Kind(Struct, frozen=True, kw_only=True):
    """What one kind of scenario is, and what holds when nothing else is said."""

    what: str  # one line
    for_s: float  # default length
    size: float = 0.0  # default
    size_min: float = 0.0
    size_max: float = 0.0  # as size_min: this kind has no size
    size_means: str = ""
    sides: tuple[str, ...] = ()  # the first is the default; none: this kind has no side
    side_means: str = ""


_DOWN, _UP = ("down", "up"), ("up", "down")
_WAY = "which way the price goes"
MINUTE_S, HOUR_S = 60.0, 3_600.0

KINDS: dict[str, Kind] = {
    "flash_crash": Kind(
        what="the price falls ever faster, overshoots and recovers in part; depth is pulled, the spread is wide",
        for_s=15 * MINUTE_S,
        size=0.05,
        size_min=0.001,
        size_max=0.5,
        size_means="share of the price that is lost at the bottom",
        sides=_DOWN,
        side_means=_WAY,
    ),
    "liquidity_void": Kind(
        what="queues of both sides shrink and the spread widens as much; the price is left alone",
        for_s=5 * MINUTE_S,
        size=0.9,
        size_min=0.05,
        size_max=0.99,
        size_means="share of the depth that is gone",
    ),
    "one_sided": Kind(
        what="the queues of one side are gone, to a lot each; at size 1 that side is empty, nobody takes from it",
        for_s=MINUTE_S,
        size=1.0,
        size_min=0.5,
        size_max=1.0,
        size_means="share of the side's depth that is gone",
        sides=("asks", "bids"),
        side_means="which side is gone",
    ),
    "facade": Kind(
        what="levels 1 to 5 lean one way, all deeper ones the other way",
        for_s=5 * MINUTE_S,
        size=0.8,
        size_min=0.1,
        size_max=0.99,
        size_means="imbalance of the front, and of the deep levels with the other sign",
        sides=("bids", "asks"),
        side_means="where the front leans",
    ),
    "trend": Kind(
        what="the price drifts steadily and stays where it came to, books and takers lean with it",
        for_s=HOUR_S,
        size=0.02,
        size_min=0.0001,
        size_max=0.5,
        size_means="share of the price that it drifts in all",
        sides=_UP,
        side_means=_WAY,
    ),
    "macro_print": Kind(
        what="quotes are pulled for a third of the time, then the number is out: a jump, and trading that calms down",
        for_s=30 * MINUTE_S,
        size=0.005,
        size_max=0.2,
        size_means="share of the price that it jumps",
        sides=_UP,
        side_means=_WAY,
    ),
    "frozen": Kind(
        what="the published book stands still under new stamps, while trades go on",
        for_s=MINUTE_S,
    ),
    "crossed": Kind(
        what="the published best bid stands at or above the best ask: damaged data, trades know better",
        for_s=10.0,
        size=1.0,
        size_max=1_000.0,
        size_means="ticks from the best ask up to the best bid, whole",
        sides=("bids", "asks"),
        side_means="which side is shown where it does not belong",
    ),
    "gap": Kind(
        what="nothing is published, no book and no trade, and the price is elsewhere when it comes back",
        for_s=MINUTE_S,
        size=0.01,
        size_max=0.5,
        size_means="share of the price that it went meanwhile",
        sides=_DOWN,
        side_means=_WAY,
    ),
}
"""Every kind of scenario."""


class Scenario(Struct, frozen=True, forbid_unknown_fields=True):
    """One thing that befalls a symbol; what is left out is the kind's own. Raises BadScenario.

    Books that arrive at or after `at_s` and before `at_s + for_s` show it, at least one of them.
    """

    kind: str
    at_s: float  # since the symbol's first step began
    for_s: float = 0.0  # 0: the kind's own length
    size: float = SIZE_OWN  # in the kind's own unit; -1: the kind's own size
    side: str = ""  # one of the kind's words; empty: the first of them

    def __post_init__(self) -> None:
        kind = KINDS.get(self.kind)
        if kind is None:
            raise BadScenario("kind", self.kind, f"one of {', '.join(KINDS)}")
        if self.for_s == 0.0:
            force_setattr(self, "for_s", kind.for_s)
        if self.size == SIZE_OWN:
            force_setattr(self, "size", kind.size)
        if not self.side and kind.sides:
            force_setattr(self, "side", kind.sides[0])
        if not 0.0 <= self.at_s <= AT_S_MAX:
            raise BadScenario("at_s", self.at_s, f"seconds from 0 to {AT_S_MAX:.0f}")
        if not 0.0 < self.for_s <= FOR_S_MAX:  # nan too
            raise BadScenario("for_s", self.for_s, f"seconds, more than 0 and at most {FOR_S_MAX:.0f}")
        self._check_size(kind)
        if self.side not in (kind.sides or ("",)):
            right = f"one of {', '.join(kind.sides)}" if kind.sides else "has no side"
            raise BadScenario("side", self.side, f"{self.kind}: {right}")

    def _check_size(self, kind: Kind) -> None:
        """The size in its range; crossed counts ticks."""
        if kind.size_min <= self.size <= kind.size_max and (self.kind != "crossed" or self.size == int(self.size)):
            return
        right = f"{kind.size_means}, from {kind.size_min:g} to {kind.size_max:g}" if kind.size_max else "has no size"
        raise BadScenario("size", self.size, f"{self.kind}: {right}")

    @property
    def text(self) -> str:
        """The scenario as a line that `parse_scenario` reads back to the same."""
        parts = [f"{self.kind}@{duration_text(self.at_s)}", f"for={duration_text(self.for_s)}"]
        if KINDS[self.kind].size_max:
            parts.append(f"size={_plain(Decimal(repr(self.size)))}")
        if self.side:
            parts.append(f"side={self.side}")
        return ",".join(parts)

    def steps(self, cadence_ns: int) -> tuple[int, int]:
        """The first step whose book shows it, and the first that does not any more."""
        at_ns, for_ns = round(self.at_s * NS_PER_S), round(self.for_s * NS_PER_S)
        # The book of a step is there when the step is over.
        first = max(0, -(-at_ns // cadence_ns) - 1)
        return first, max(first + 1, -(-(at_ns + for_ns) // cadence_ns) - 1)


def parse_scenario(text: str) -> Scenario:
    """A scenario from a line as `flash_crash@10m,for=2m,size=0.05`. Raises BadScenario."""
    head, *options = (part.strip() for part in text.strip().split(","))
    kind, at, time = head.partition("@")
    if not at:
        _refuse("scenario", text, _SHAPE)
    if kind not in KINDS:
        _refuse("kind", kind, f"one of {', '.join(KINDS)}")
    named: dict[str, str] = {}
    for option in options:
        name, _, value = option.partition("=")
        if name not in ("for", "size", "side"):
            _refuse("scenario", option, f"one of for=, size=, side= ({_SHAPE})")
        if name in named:
            _refuse(name, value, "is given twice")
        named[name] = value
    size = named.get("size")
    if size is not None and not _NUMBER.fullmatch(size):
        _refuse("size", size, "a plain number as 0.05")
    for_s = _seconds("for", named["for"]) if "for" in named else 0.0
    if "for" in named and not for_s:
        _refuse("for", named["for"], "must be more than nothing")
    if named.get("side") == "":
        _refuse("side", "", f"one of {', '.join(KINDS[kind].sides) or 'none: leave it out'}")
    return Scenario(
        kind, _seconds("time", time), for_s, SIZE_OWN if size is None else float(size), named.get("side", "")
    )


def duration_text(seconds: float) -> str:
    """A length of time in the largest unit that it is a whole number of: 90s, 10m, 2h; else in seconds."""
    exact = Decimal(repr(seconds))
    for unit, of_unit in UNITS_S.items():
        if exact and exact % of_unit == 0 and unit != "d":
            return f"{_plain(exact / of_unit)}{unit}"
    return f"{_plain(exact)}s"


def describe() -> list[tuple[str, str, str, str, str]]:
    """Every kind as a row for people: its name, what it does, its default length, its size and its side."""
    rows = []
    for name, kind in KINDS.items():
        size = f"{kind.size_means}; {kind.size:g}" if kind.size_max else "-"
        side = f"{kind.side_means}: {kind.sides[0]} or {', '.join(kind.sides[1:])}" if kind.sides else "-"
        rows.append((name, kind.what, duration_text(kind.for_s), size, side))
    return rows


def _seconds(field: str, text: str) -> float:
    """'90s', '10m', '2h', '1h30m' as seconds."""
    if not _DURATION.fullmatch(text):
        _refuse(field, text, "a length of time as a number and s, m, h or d: 90s, 10m, 2h, 1h30m")
    return float(sum(Decimal(number) * UNITS_S[unit] for number, unit in _PART.findall(text)))


def _plain(number: Decimal) -> str:
    """A number without an exponent and without zeros at its end."""
    text = f"{number:f}"
    return text.rstrip("0").rstrip(".") if "." in text else text


def _refuse(field: str, value: object, right: str) -> NoReturn:
    raise BadScenario(field, value, right)
