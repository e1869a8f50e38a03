"""What a soak saw, as plain data: samples over time, and what it came to."""

from collections import Counter

from msgspec import Struct, field


class Sample(Struct, frozen=True, kw_only=True):
    """One moment of a soak; counts are since its start, over all lives of the daemon."""

    at_s: float  # of the soak's own time
    rss_bytes: int | None = None
    fds: int | None = None
    tasks: int | None = None
    books: int = 0
    orders: int = 0
    fills: int = 0
    lives: int = 0
    faults: int = 0
    positions: int = 0  # open now
    equity_minor: int | None = None  # None: nobody was up to tell


class Water(Struct, kw_only=True):
    """How full a mailbox ever was, and its bound."""

    high: int = 0
    size_max: int = 0


class Told(Struct, kw_only=True):
    """What the lives of a daemon told of themselves, added up."""

    books: int = 0
    counts: Counter[str] = field(default_factory=Counter)  # messages by name
    restarts: Counter[str] = field(default_factory=Counter)  # by actor
    waters: dict[str, Water] = field(default_factory=dict)  # by actor
    checked: Counter[str] = field(default_factory=Counter)  # by invariant
    broken: dict[str, str] = field(default_factory=dict)  # invariant -> what was wrong first

    def add(self, other: "Told") -> None:
        """Take another life in."""
        self.books += other.books
        self.counts.update(other.counts)
        self.restarts.update(other.restarts)
        self.checked.update(other.checked)
        self.broken = {**other.broken, **self.broken}
        for name, water in other.waters.items():
            known = self.waters.setdefault(name, Water())
            known.high, known.size_max = max(known.high, water.high), max(known.size_max, water.size_max)


WELL_S_MAX = 30.0
"""So long after the last fault everything must be well."""


class Calmed(Struct, frozen=True):
    """What came after the last fault, in seconds; None: it never did."""

    well_s: float | None = None  # data fresh, reconciled, nothing in doubt, quoting or halted with a reason
    whole_s: float | None = None  # and every symbol has its history again, which venues give so many of in a minute
    state: str = ""  # what it did then: quoting, or halted and why


class Evidence(Struct, kw_only=True):
    """A whole soak."""

    kind: str  # virtual, real
    seed: int
    hours: float
    engines: tuple[str, ...]
    symbols: int
    well_s_max: float  # within which all must be well after the last fault
    whole_s_max: float  # and every symbol be traded again
    faults: str  # default, none or the file's name
    kinds: tuple[str, ...]  # that were to fire
    samples: list[Sample] = field(default_factory=list)
    told: Told = field(default_factory=Told)
    fired: Counter[str] = field(default_factory=Counter)
    lives: int = 0
    kills: int = 0
    exits: Counter[str] = field(default_factory=Counter)
    sockets: int = 0  # opened at the venues, over all lives
    sockets_at_once: int = 0  # of one life in quiet times
    orders: int = 0  # that the venues have had
    fills: int = 0  # at the venues
    failures: list[str] = field(default_factory=list)
    calmed: Calmed = Calmed()
    digest: str = ""
    wall_s: float = 0.0
    cpu_s: float | None = None  # of this process; None: it was others that worked
