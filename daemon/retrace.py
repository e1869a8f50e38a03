"""`obid replay RECORDING --compare`: the graph of a recorded run once more, told what it was told.

Every mind is the real one, with its mailbox, its routes and its turns. Of the bodies that touch the world the ledger
and the executors are followed: what they hear now must make them say what they said then. Feeds, accounts, reconcilers,
operators, timers and the disk are the trace's.
"""

from collections import deque
from collections.abc import Callable, Sequence
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import msgspec
from msgspec import Struct

from actors.executor import ExecutorMind
from actors.feed import Stream
from actors.ledger import LedgerMind
from actors.ledger_checks import CheckedMind
from actors.ledger_recovery import DECODE, ENCODE, take_up
from actors.messages import InvariantBroken, Journaled, OrderPlanned
from config.macro import load_macro_calendar
from config.profile import Profile
from daemon import graph, modes
from daemon.digest import Digest
from daemon.errors import Failed
from daemon.operate import WaitingDoor
from daemon.sinks import Only
from daemon.trace import LEDGER, RUN, TRACE_NAME, About, read_book
from risk.intent import Approved, Intent, Reprice
from risk.invariants import Checks
from supervisor import trace
from supervisor.trace import Diverged, RepeatedHouse, TraceDamaged, read_trace
from venues.market import Book, Cancelled
from venues.venue import Capabilities

WITHDRAWN = "withdrawn"
"""Why an order is cancelled that was not sent yet (actors/executor.py)."""


class Compared(Struct, frozen=True, kw_only=True):
    """What came of it."""

    trace: str
    version: str  # of obid that recorded
    told: int  # messages from outside, beats of timers among them
    rounds: int  # of turns
    decisions: int
    checked: int  # places at which the digests of both were held against each other
    digest: str  # of all decisions with their times
    digest_printed: str  # as a run prints it
    ended: bool  # the recorded run came to its end; else it was killed, and all up to there was compared
    differs: str  # what, and where first; nothing: they are the same, byte for byte

    def text(self) -> str:
        """The same for a person."""
        end = "" if self.ended else "; the recorded run did not end, this is all of it that is whole"
        verdict = f"DIFFERENT: {self.differs}" if self.differs else "the same, byte for byte"
        return (
            f"{self.told:,} messages and beats from outside, {self.rounds:,} rounds of turns\n"
            f"{self.decisions:,} decisions, checked at {self.checked:,} places{end}: {verdict}\n"
            f"digest {self.digest_printed}"
        )


class _NoVenue:
    """What a graph wants to know of a venue that is not there."""

    def __init__(self, name: str, *, expires: bool):
        self.name = name
        self.capabilities = Capabilities(replace=True, expires=expires, simulated=False)


class _NoSource(Struct):
    """A source of bars or of a calendar that is not there."""

    name: str = ""
    kind: str = ""


class LedgerTwin:
    """Follows the ledger: what it hears from the minds now must make it say what it said."""

    def __init__(self, about: About, new_mind: Callable[[], LedgerMind]):
        self.about = about
        self.new_mind = new_mind
        self.records: list[Any] = []
        self.due: deque[Any] = deque()
        self.mind = new_mind()

    def begin(self, at_ns: int) -> None:
        """A new life: from the journal, as it is by now."""
        self.mind = self.new_mind()
        take_up(DECODE(ENCODE(self.about.ledger)), self.mind)
        for record in self.records:
            self.mind.fold(record)
        self.due.clear()
        self.hear([*self.about.deposits, *self.mind.recovered(at_ns)])

    def hear(self, batch: Sequence[Any]) -> None:
        """What it reads."""
        for message in batch:
            records, said = self.mind.hear(message)
            self.records += records
            self.due += said

    def said(self, message: Any) -> None:
        """What it said then. Raises Diverged."""
        if self.due and self.due[0] == message:
            self.due.popleft()
        elif not isinstance(message, InvariantBroken):  # that of its body, which counts rows on the disk
            raise Diverged(f"the ledger said {message}, and now it would say {self.due[0] if self.due else 'nothing'}")


class ExecutorTwin:
    """Follows an executor: what was approved now must make it plan what it planned."""

    def __init__(self, mind: ExecutorMind):
        self.mind = mind
        self.due: deque[OrderPlanned] = deque()

    def hear(self, batch: Sequence[Any]) -> None:
        """What it reads."""
        for message in batch:
            if isinstance(message, Journaled):
                self.mind.release(message, 0)
            elif isinstance(message, Approved) and isinstance(message.wish, Intent | Reprice):
                self.due.append(self.mind.plan(message))

    def said(self, message: Any) -> None:
        """What it said then. Raises Diverged."""
        if isinstance(message, OrderPlanned):
            planned = self.due.popleft() if self.due else None
            if planned != message:
                raise Diverged(f"an executor planned {message}, and now it would plan {planned or 'nothing'}")
        elif isinstance(message, Cancelled) and message.reason == WITHDRAWN:
            self.mind.withdraw(message.order_id)


class Replayed:
    """A graph that lives once more."""

    def __init__(self, about: About):
        self.about = about
        self.digest = Digest(include_time=True)
        self.printed = Digest(include_time=about.virtual)
        digests = [Only(graph.DECISIONS, one.update) for one in (self.digest, self.printed)]
        self.parts = parts_of(about, digests)
        self.house = RepeatedHouse(graph.build(self.parts), about.seed, graph.FROM_OUTSIDE, {Book: read_book})
        dust = {name: part.profile.risk.dust_lots for name, part in self.parts.engines.items()}
        self.ledger = LedgerTwin(about, lambda: CheckedMind(dust, Checks()))
        self.twins: dict[str, LedgerTwin | ExecutorTwin] = {LEDGER: self.ledger}
        for key, spec in self.house.specs.items():
            if spec.name == "executor":
                orders = graph.new_ids(about.run_id, spec.engine, "order")
                expires = about.engines[spec.engine].expires
                self.twins[key] = ExecutorTwin(ExecutorMind(spec.engine, orders, expires=expires))
        self.told = self.rounds = self.checked = 0
        self.digest_noted = ""

    def take(self, record: trace.Record) -> None:
        """Let one thing happen again. Raises Diverged."""
        match record:
            case trace.Turned():
                self.rounds += 1
                self.house.turn()
            case trace.Said():
                self.told += 1
                message = self.house.message(record)
                if (twin := self.twins.get(record.speaker)) is not None:
                    twin.said(message)
                self.house.put(record, message)
            case trace.Beat():
                self.told += 1
                self.house.beat(record)
            case trace.Took():
                batch = self.house.take(record)
                if (twin := self.twins.get(record.actor)) is not None:
                    twin.hear(batch)
            case trace.Lives():
                self.house.begin(record.actor)
            case trace.Left():
                self.house.leave(record.actor)
            case trace.Noted():
                self._noted(record)
            case trace.Checked():
                self._check(record)

    def _noted(self, record: trace.Noted) -> None:
        if record.actor == RUN:
            self.digest_noted = msgspec.msgpack.decode(record.what, type=str)
        elif record.actor == LEDGER:
            self.ledger.begin(msgspec.msgpack.decode(record.what, type=int))

    def _check(self, record: trace.Checked) -> None:
        self.checked += 1
        now = (self.digest.messages, self.digest.hexdigest())
        if now != (record.decisions, record.digest):
            raise Diverged(
                f"by its decision {record.decisions:,} the recorded run had {record.digest}, "
                f"and now there are {now[0]:,} decisions with {now[1]}"
            )


def parts_of(about: About, sinks: Sequence[Any]) -> graph.Parts:
    """The parts that the graph was made of, without a world."""
    nobody: Any = _NoSource
    return graph.Parts(
        engines={
            name: graph.EngineParts(
                profile=Profile.model_validate_json(one.profile),
                instruments={known.symbol: known for known in one.instruments},
                venue=_NoVenue(one.venue, expires=one.expires),  # type: ignore[arg-type]  # nobody speaks to it
                streams={known.symbol: Stream() for known in one.instruments},
                bar_sources={source: nobody(source) for source in one.bar_sources},
                account=one.account,
            )
            for name, one in about.engines.items()
        },
        journal=Path(),
        run_id=about.run_id,
        looked_ns=about.known_ns,
        deposits=about.deposits,
        sinks=sinks,
        door=WaitingDoor(),
        calendar=modes.session_calendar(),
        macro=load_macro_calendar(),
        calendars=tuple(nobody(name, kind) for name, kind in about.calendars),
        reports=about.reports,
        companies=about.companies,
        record_market=about.record_market,
        watched=about.watched,
    )


def trace_of(place: Path) -> Path:
    """The trace of a recording: its folder, or the file itself. Raises Failed."""
    path = place / TRACE_NAME if place.is_dir() else place
    if not path.is_file():
        raise Failed(f"{path}: there is no trace here; `obid run --record` writes one since this version")
    return path


def compare(place: Path) -> Compared:
    """Replay a recorded run and hold every decision against it. Raises Failed for what is no trace."""
    path = trace_of(place)
    with ExitStack() as stack:
        return _compared(path, stack)


def _compared(path: Path, stack: ExitStack) -> Compared:
    differs, replayed, number = "", None, 0
    try:
        for record in read_trace(path):
            number += 1
            if isinstance(record, trace.Began):
                replayed = Replayed(msgspec.msgpack.decode(record.about, type=About))
                stack.callback(replayed.house.close)
            elif replayed is not None:
                replayed.take(record)
    except TraceDamaged as error:
        if replayed is None:
            raise Failed(str(error)) from error
        differs = str(error)
    except Diverged as error:
        differs = f"record {number:,}: {error}"
    except msgspec.DecodeError as error:
        raise Failed(f"{path}: record {number:,} is none that this version knows: {error}") from error
    if replayed is None:
        raise Failed(f"{path}: there is nothing in this trace")
    printed = replayed.printed.hexdigest()
    if replayed.digest_noted and not differs and printed != replayed.digest_noted:
        differs = f"the run printed {replayed.digest_noted}, and now it would print {printed}"
    return Compared(
        trace=str(path),
        version=replayed.about.version,
        told=replayed.told,
        rounds=replayed.rounds,
        decisions=replayed.digest.messages,
        checked=replayed.checked,
        digest=replayed.digest.hexdigest(),
        digest_printed=printed,
        ended=bool(replayed.digest_noted),
        differs=differs,
    )
