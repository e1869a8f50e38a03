"""What a recorded run writes of itself beside the market: enough to make the same graph again, and all it was told."""

import platform
from collections.abc import Callable, Iterable, Mapping
from functools import partial
from importlib.metadata import version
from pathlib import Path
from typing import Any

from msgspec import Raw, Struct
from msgspec.msgpack import decode

from actors.ledger_checks import CheckedMind
from actors.ledger_recovery import LedgerState, state_of
from daemon import graph
from daemon.books import recover_from
from daemon.digest import Digest
from daemon.options import RunOptions
from daemon.sinks import Only
from risk.invariants import Checks
from risk.ledger.postings import Deposit
from supervisor.trace import Checked, TraceWriter
from venues.market import Book, CalendarRead, Instrument, Level
from venues.recording import RecordingWriter

TRACE_NAME = "run.trace"
"""The file in a recording's folder."""
LEDGER = "ledger"
"""Of whom it is noted when it took what was under way for doubtful: at the start of each of its lives."""
RUN = "run"
"""Of whom the last thing noted is the digest that was printed."""


class EngineAbout(Struct, frozen=True, kw_only=True):
    """What one engine was made of."""

    profile: str  # as JSON
    instruments: tuple[Instrument, ...]
    venue: str
    expires: bool  # of its venue's capabilities
    bar_sources: tuple[str, ...]
    account: str


class About(Struct, frozen=True, kw_only=True):
    """What a run was made of."""

    version: str
    python: str
    mode: str
    run_id: str
    seed: int
    virtual: bool
    engines: dict[str, EngineAbout]
    known_ns: int
    deposits: tuple[Deposit, ...]
    calendars: tuple[tuple[str, str], ...]  # names and kinds of what was asked
    reports: tuple[CalendarRead, ...]
    companies: dict[str, tuple[str, ...]]
    record_market: bool
    watched: bool
    ledger: LedgerState  # that the journal came to before the first message


def about(parts: graph.Parts, options: RunOptions, *, virtual: bool) -> About:
    """What this run is made of; its start is in the journal already."""
    return About(
        version=version("obid"),
        python=platform.python_version(),
        mode=options.mode.value,
        run_id=parts.run_id,
        seed=options.seed,
        virtual=virtual,
        engines={name: engine_about(part) for name, part in parts.engines.items()},
        known_ns=parts.looked_ns,
        deposits=parts.deposits,
        calendars=tuple((source.name, source.kind) for source in parts.calendars),
        reports=tuple(parts.reports),
        companies={name: tuple(symbols) for name, symbols in parts.companies.items()},
        record_market=parts.record_market,
        watched=parts.watched,
        ledger=state_of(recover_from(parts.journal)),
    )


def engine_about(part: graph.EngineParts) -> EngineAbout:
    """What an engine is made of."""
    return EngineAbout(
        profile=part.profile.model_dump_json(),
        instruments=tuple(part.instruments.values()),
        venue=part.venue.name,
        expires=part.venue.capabilities.expires,
        bar_sources=tuple(part.bar_sources),
        account=part.account,
    )


def plain_book(book: Book) -> tuple[Any, ...]:
    """A book as numbers: its levels may be of a venue's own type."""
    bids, asks = ([(level.price, level.size) for level in side] for side in (book.bids, book.asks))
    return book.symbol, book.at_ns, book.received_ns, bids, asks, book.depth


def read_book(plain: Raw) -> Book:
    """A book out of its numbers."""
    symbol, at_ns, received_ns, bids, asks, depth = decode(plain, type=PlainBook)
    return Book(
        symbol, at_ns, received_ns, tuple(Level(*one) for one in bids), tuple(Level(*one) for one in asks), depth
    )


PlainSide = list[tuple[float, float]]
PlainBook = tuple[str, int, int, PlainSide, PlainSide, int]


class NotingMind(CheckedMind):
    """The ledger's mind of a run that is recorded."""

    def __init__(self, note: Callable[[int], None], dust_lots: Mapping[str, float], checks: Checks):
        super().__init__(dust_lots, checks)
        self.note = note

    def recovered(self, at_ns: int) -> list[Struct]:
        """What was under way when the last life ended is in doubt since now."""
        self.note(at_ns)
        return super().recovered(at_ns)


class RunRecording:
    """What is kept of a run: its market, and a trace of all that it was told."""

    def __init__(self, folder: Path, instruments: Iterable[Instrument]):
        self.path = folder / TRACE_NAME
        self.market = RecordingWriter(folder, instruments)
        self.digest = Digest(include_time=True)  # the trace is checked by it
        self.sinks = (self.market, Only(graph.DECISIONS, self.digest.update))
        self.ledger_mind = partial(NotingMind, self._note)
        self.trace: TraceWriter | None = None

    def begin(self, parts: graph.Parts, options: RunOptions, *, virtual: bool) -> TraceWriter:
        """Begin the trace. Raises OSError."""
        made_of = about(parts, options, virtual=virtual)
        self.trace = TraceWriter(self.path, made_of, self._checked, {Book: plain_book})
        return self.trace

    def close(self, digest: str) -> list[str]:
        """Write the rest, and what the run prints as its digest; says why the trace is not whole, if it is not."""
        self.market.close()
        if self.trace is None:
            return []
        self.trace.noted(RUN, digest)
        self.trace.close()
        return [f"{self.path}: {self.trace.error}: the trace ends early"] if self.trace.error else []

    def _checked(self) -> Checked:
        return Checked(self.digest.messages, self.digest.hexdigest())

    def _note(self, at_ns: int) -> None:
        if self.trace is not None:
            self.trace.noted(LEDGER, at_ns)
