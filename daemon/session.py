"""A session: one run from wiring to summary, on whatever clock it is given."""

import gc
import sys
from collections.abc import Callable, Iterable, Mapping, Sequence
from contextlib import ExitStack, closing
from importlib.metadata import version
from typing import Any, Protocol, TextIO, runtime_checkable

from actors.feed import Stream
from actors.ledger import LedgerMind, written
from actors.messages import Mark, RunStarted, SectorCounts
from config.errors import ConfigError
from config.macro import load_macro_calendar
from config.profile import EngineName, Profile
from daemon import calendars, ending, graph, modes
from daemon.board import Board
from daemon.configured import Configured
from daemon.control_socket import ControlSocket
from daemon.digest import Digest
from daemon.errors import Failed
from daemon.lock import DataDirLock
from daemon.logs import Log, event_of, open_log
from daemon.operate import Operator, SocketDoor, WaitingDoor
from daemon.options import JOURNAL_NAME, Mode, RunOptions
from daemon.out import Out
from daemon.picture import Picture
from daemon.sinks import Ends, Only
from daemon.summary import summary_json, summary_text
from daemon.view import View, open_view
from risk.ledger.postings import Deposit
from supervisor.clock import Clock
from supervisor.journal import Journal
from supervisor.program import Program
from supervisor.supervisor import House
from supervisor.wall import now_ns, on_signals
from venues.damage import Damage
from venues.market import Bar, Instrument
from venues.recording import RecordingWriter
from venues.shadow import ShadowVenue
from venues.venue import Funded, Venue, VenueMisspoke, VenueUnreachable

VIRTUAL_VIEW_S = 600.0
"""In virtual time the view shows the present this often, by its own clock: a few pictures a second."""

QUIET = frozenset((Mark, Bar, SectorCounts))
"""What is not a line of the log: too much of it, and nothing was decided."""

RECORDINGS = "recordings"
"""Where recorded markets are, a folder for each run."""

DAMAGES_SHOWN_MAX = 10
"""Rows of a recording that are named one by one at the end."""

EXIT_OK, EXIT_WRONG = 0, 1


class Market:
    """What is traded, by engine, and at which venue."""

    def __init__(
        self,
        instruments: Mapping[EngineName, Mapping[str, Instrument]],
        venue: Callable[[Profile, Clock], Venue],
        damages: Sequence[Damage] = (),
        *,
        opens: bool = False,
    ):
        self.instruments = instruments
        self.opens = opens  # venues are asked what can be traded there; else it is known
        self.venue = venue
        self.damages = damages  # rows of a recording that could not be played; grows as it is read


class Session:
    """What one run knows before it lives."""

    def __init__(
        self,
        options: RunOptions,
        configured: Configured,
        lock: DataDirLock,
        opening: LedgerMind,
        market: Market,
    ):
        self.options = options
        self.configured = configured
        self.lock = lock
        self.opening = opening
        self.market = market
        self.number = len(opening.runs) + 1
        self.run_id = run_id(options, self.number)
        self.journal = options.data_dir / JOURNAL_NAME
        self.instruments = market.instruments
        self.profiles = configured.profiles
        self.venues: dict[EngineName, Venue] = {}
        self.streams: dict[EngineName, dict[str, Stream]] = {}

    async def live(self, clock: Clock) -> int:
        """From wiring to summary; returns the exit code."""
        with ExitStack() as stack:
            log = open_log(self.options.data_dir, self.run_id, clock.now_ns, self.configured.settings.log_level)
            stack.callback(log.close)
            for secret in self.configured.secrets():
                log.secrets.add(secret)
            return await self._live(clock, log)

    async def _live(self, clock: Clock, log: Log) -> int:
        await self._open(clock, log)
        self.streams.update({e: {s: Stream() for s in known} for e, known in self.instruments.items()})
        started = self._note_start(clock)
        befalls = {"scenarios": [one.text for one in self.options.scenarios]} if self.options.scenarios else {}
        log.info(
            "run_started",
            mode=started.mode,
            seed=started.seed,
            version=started.version,
            engines=started.engines,
            **befalls,
        )
        engines = self._engines(clock)
        for source in (source for part in engines.values() for source in part.bar_sources.values()):
            if isinstance(source, Tells):
                source.tell = lambda text: log.warning("venue_says", what=text)
        board = Board(
            {e: part.instruments for e, part in engines.items()}, {e: p.venue.name for e, p in engines.items()}
        )
        digest = Digest(include_time=clock.virtual)
        operator = Operator(self.options, board, log)
        socket = ControlSocket(self.lock, operator, operator.on_error)
        recording = self._recording()
        ends = Ends(engines)
        parts = graph.Parts(
            engines=engines,
            journal=self.journal,
            run_id=self.run_id,
            known_ns=self.opening.last_ns or started.at_ns,
            deposits=(*modes.deposits(self.options.mode, self.profiles, started.at_ns), *self._found(started.at_ns)),
            sinks=(
                board,
                Only(set(graph.TOLD) - QUIET, log.log_message, log.flush),
                Only(graph.DECISIONS, digest.update),
                Only(graph.TOLD, lambda message: socket.publish(event_of(type(message)), message)),
                *([recording] if recording else []),
                ends,
            ),
            record_market=self.options.record,
            door=WaitingDoor() if clock.virtual else SocketDoor(socket, operator),
            calendar=modes.session_calendar(),
            macro=load_macro_calendar(),
            **self._calendars(clock),
        )
        house = House(graph.build(parts), clock, self.options.seed, graph.FROM_OUTSIDE)
        program = Program(house)
        ends.on_end = program.stop
        picture = Picture(started, self.options, board, house, digest, self.streams)
        operator.attach(house, program, picture)
        self._arm(clock, program, log)
        view = self._view(clock, program, board, picture)
        try:
            result = await program.run(lambda: ending.wind_down(house, board, clock))
        finally:
            view.close()
            if recording is not None:
                recording.close()
        wrongs = await ending.close(result, engines, clock, log, self.journal)
        summary = picture.summary(result.reason)
        log.info("run_ended", reason=result.reason, digest=summary.digest, wrongs=wrongs)
        say(sys.stdout, [summary_json(summary) if self.options.json else summary_text(summary)])
        say(sys.stderr, [f"obid: {wrong}" for wrong in [*self._damages(), *wrongs]])
        return EXIT_WRONG if wrongs or result.gave_up else EXIT_OK

    async def _open(self, clock: Clock, log: Log) -> None:
        """Make the venues; ask real ones what can be traded there. Raises ConfigError, Failed."""
        self.venues = {engine: self.market.venue(profile, clock) for engine, profile in self.profiles.items()}
        if not self.market.opens:
            return
        for venue in self.venues.values():
            real = venue.real if isinstance(venue, ShadowVenue) else venue
            if isinstance(real, Tells):
                real.tell = lambda text: log.warning("venue_says", what=text)
        try:
            opened = {engine: await venue.open() for engine, venue in self.venues.items()}
        except (VenueUnreachable, VenueMisspoke) as error:
            await self._close_venues()
            raise Failed(f"the venue could not be opened: {error}. Nothing was started") from error
        except ConfigError:
            await self._close_venues()
            raise
        self.instruments = {
            engine: {
                **{
                    symbol: self.market.instruments[engine][symbol]
                    for symbol in self.opening.books.positions.get(engine, {})
                },
                **{one.symbol: one for one in known},
            }
            for engine, known in opened.items()
        }
        self.profiles = {
            engine: profile.model_copy(update={"symbols": tuple(self.instruments[engine])})
            for engine, profile in self.profiles.items()
        }

    def _found(self, at_ns: int) -> Iterable[Deposit]:
        """The money that real accounts open with; booked once for each data directory."""
        for engine, venue in self.venues.items():
            if isinstance(venue, Funded) and venue.cash_minor is not None:
                yield Deposit(engine, "opening", venue.cash_minor, venue.cash_ns or at_ns)

    async def _close_venues(self) -> None:
        for venue in self.venues.values():
            await venue.close()

    def _note_start(self, clock: Clock) -> RunStarted:
        """The first record of the run."""
        started = RunStarted(
            number=self.number,
            run_id=self.run_id,
            mode=self.options.mode,
            seed=self.options.seed,
            version=version("obid"),
            engines=tuple(self.configured.profiles),
            instruments=tuple(one for known in self.instruments.values() for one in known.values()),
            at_ns=clock.now_ns(),
        )
        with closing(Journal.open(self.journal)) as journal:
            journal.append([written(started)])
        return started

    def _damages(self) -> list[str]:
        """What could not be played: a few by name, the rest as a number."""
        damages = self.market.damages
        more = len(damages) - DAMAGES_SHOWN_MAX
        return [*map(str, damages[:DAMAGES_SHOWN_MAX]), *([f"{more} rows more make no sense"] if more > 0 else [])]

    def _recording(self) -> RecordingWriter | None:
        """Where the market is kept, if it is."""
        if not self.options.record:
            return None
        every = [one for known in self.instruments.values() for one in known.values()]
        return RecordingWriter(self.options.data_dir / RECORDINGS / self.run_id, every)

    def _engines(self, clock: Clock) -> dict[str, graph.EngineParts]:
        return {
            engine: graph.EngineParts(
                profile=profile,
                instruments=self.instruments[engine],
                venue=self.venues[engine],
                streams=self.streams[engine],
                bar_sources=modes.bar_sources(profile, clock, self.configured.settings, self.options.seed),
                account=modes.account_of(self.options.mode, profile),
            )
            for engine, profile in self.profiles.items()
        }

    def _calendars(self, clock: Clock) -> dict[str, Any]:
        """What is known of companies and the economy beside the table; a made or recorded market asks nobody."""
        settings = self.configured.settings
        if self.options.mode not in modes.REAL:
            return {}
        return {
            "calendars": calendars.sources_of(settings, self.profiles, self.options.data_dir, clock),
            "reports": calendars.written_down(settings),
            "companies": calendars.companies_of(self.profiles),
        }

    def _arm(self, clock: Clock, program: Program, log: Log) -> None:
        """Everything that comes from outside: the end of time, signals, and what nobody caught (to the log)."""
        if self.options.for_ns is not None:
            clock.call_at(clock.now_ns() + self.options.for_ns, lambda: program.stop("the time is up"))
        on_signals(clock.loop, program.stop, log.flush)
        clock.loop.set_exception_handler(
            lambda _, context: log.error("loop_error", what=context["message"], exc_info=context.get("exception"))
        )

        async def freeze(clock: Clock) -> None:
            """What the start has made lives as long as the process: the collector need not look at it again."""
            await clock.sleep(1.0)
            gc.collect()
            gc.freeze()

        program.beside(freeze)

    def _view(self, clock: Clock, program: Program, board: Board, picture: Picture) -> View:
        view = open_view(sys.stderr if self.options.json else sys.stdout, self.options.plain, clock.virtual)
        if not clock.virtual or self.options.plain:
            board.listeners.append(view.decision)
        every_s = VIRTUAL_VIEW_S if clock.virtual else view.every_s

        async def show(clock: Clock) -> None:
            while True:
                await clock.sleep(every_s * clock.speed)
                view.show(picture.snapshot())

        program.beside(show)
        return view


@runtime_checkable
class Tells(Protocol):
    """A venue that has things to say which a person should know."""

    tell: Callable[[str], None]


def run_id(options: RunOptions, number: int) -> str:
    """The name of a run, from which its order ids follow: the same again, but where orders leave the machine.

    A real venue remembers every id for ever, whatever data directory it came from.
    """
    name = f"{options.mode}-{options.seed}-{number}"
    return f"{name}-{now_ns():x}" if options.mode in (Mode.LIVE, Mode.PAPER) else name


def say(stream: TextIO, lines: Iterable[str]) -> None:
    """Print the last lines; a reader who left (`| head`) or a full disk changes nothing about how the run ended."""
    out = Out(stream, patient=True)
    for line in lines:
        out.line(line)
    out.close()
