"""What top knows: the last answer of the daemon, whether there still are answers, and what was told before."""

from collections import deque
from collections.abc import Iterable
from typing import Any

import msgspec
from msgspec import Struct

from daemon.snapshot import DecisionRow, MarketRow, PositionRow, Snapshot

TOLD_MAX = 500
"""Lines of the log pane that are kept: what a person scrolls back, a tenth of a megabyte."""


class Heard(Struct, frozen=True):
    """The daemon answered."""

    snapshot: Snapshot
    at_ns: int  # by the machine's clock


class Silent(Struct, frozen=True):
    """It did not."""

    running: bool  # something listens, but does not answer; else nothing does
    why: str
    at_ns: int  # of this attempt
    since_ns: int = 0  # when it last lived, as far as its data directory tells
    last_words: str = ""  # what its log ends with


class Known:
    """One mind of what is on the screen; pure, and told everything from outside."""

    def __init__(self, version: str):
        self.version = version  # of this top
        self.snapshot: Snapshot | None = None
        self.heard_ns = 0  # when the last answer came, by the machine's clock
        self.silent: Silent | None = None  # since the last answer
        self.told: deque[DecisionRow] = deque(maxlen=TOLD_MAX)

    def hear(self, news: Heard | Silent, lines: Iterable[DecisionRow] = ()) -> None:
        """Take an answer, or that there was none, and what the log has told meanwhile."""
        if isinstance(news, Heard):
            self._forget_another_run(news.snapshot)
            self.snapshot, self.heard_ns, self.silent = news.snapshot, news.at_ns, None
            self.told.extend(self._new(news.snapshot.decisions))
        else:
            first = self.silent or news
            self.silent = msgspec.structs.replace(news, since_ns=first.since_ns or news.since_ns)
        self.told.extend(lines)

    def _new(self, decisions: tuple[DecisionRow, ...]) -> list[DecisionRow]:
        """Those that were not told yet: snapshots overlap."""
        known = set(self.told)
        return [row for row in decisions if row not in known]

    def _forget_another_run(self, snapshot: Snapshot) -> None:
        if self.snapshot is not None and self.snapshot.status.run_id != snapshot.status.run_id:
            self.told.clear()

    @property
    def silent_since_ns(self) -> int:
        """Since when there is no answer: the last one where there was one, else as its files tell; 0: nobody knows."""
        if self.silent is None:
            return 0
        return self.heard_ns or self.silent.since_ns

    @property
    def mismatch(self) -> str:
        """What is to be said where daemon and top are of different versions."""
        if self.snapshot is None:
            return ""
        theirs = self.snapshot.status.version
        if theirs != self.version:
            return f"the daemon is obid {theirs}, this top is {self.version}: restart the daemon, or use its own top"
        if self.snapshot.look is None:
            return "the daemon is older than this top: restart it to see z, rho, headroom and feed ages"
        return ""


class Scope(Struct, frozen=True):
    """What is looked at: one engine or all, and symbols by a part of their name."""

    engine: str = ""
    symbol: str = ""

    def fits(self, engine: str, symbol: str) -> bool:
        """Whether a row of this engine and symbol is looked at; what is of no engine is of all."""
        return (not self.engine or engine in ("", self.engine)) and self.symbol.lower() in symbol.lower()

    def traded(self, snapshot: Snapshot) -> str | None:
        """The one symbol that the filter names whole; empty without a filter, None where it names none."""
        if not self.symbol:
            return ""
        names = {row.symbol for row in _markets(snapshot)}
        names |= {row.symbol for row in snapshot.positions} | {row.symbol for row in snapshot.orders}
        exact = [name for name in names if name.lower() == self.symbol.lower()]
        return exact[0] if len(exact) == 1 else None

    @property
    def text(self) -> str:
        """As it is shown."""
        return " ".join(filter(None, (self.engine, f"/{self.symbol}" if self.symbol else "")))


def _markets(snapshot: Snapshot) -> tuple[MarketRow, ...]:
    return snapshot.look.markets if snapshot.look else ()


def held(snapshot: Snapshot, scope: Scope) -> list[PositionRow]:
    """The positions of a scope."""
    return [row for row in snapshot.positions if scope.fits(row.engine, row.symbol)]


def read_snapshot(data: Any) -> Snapshot:
    """A snapshot out of plain data. Raises msgspec.ValidationError where the daemon speaks another language."""
    return msgspec.convert(data, Snapshot)
