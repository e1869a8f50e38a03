"""A session: one run from wiring to summary, on whatever clock it is given."""

import asyncio
import gc
import sys
from collections.abc import Callable, Iterable, Mapping, Sequence
from contextlib import ExitStack, closing
from functools import partial
from importlib.metadata import version
from typing import Any, Protocol, TextIO, runtime_checkable

from msgspec.structs import replace

from actors.feed import Stream
from actors.ledger import LedgerMind
from actors.ledger_checks import CheckedMind
from actors.messages import Mark, RunStarted, SectorCounts
from actors.records import written
from config.errors import ConfigError
from config.macro import load_macro_calendar
from config.profile import EngineName, Profile
from daemon import calendars, ending, graph, modes
from daemon.board import Board
from daemon.books import looked_ns
from daemon.configured import Configured
from daemon.control_socket import ControlSocket
from daemon.digest import Digest
from daemon.errors import Failed
from daemon.heart import REQUIRED, Heart, NoHeart, Tie
from daemon.lock import DataDirLock
from daemon.log_file import MIB, Keep
from daemon.logs import Log, event_of, open_log
from daemon.mailbox_check import watch_mailboxes
from daemon.news import News
from daemon.opening import open_venues
from daemon.operate import Operator, SocketDoor, WaitingDoor
from daemon.options import JOURNAL_NAME, Mode, RunOptions
from daemon.out import Out
from daemon.outward import Outward
from daemon.picture import Picture
from daemon.sinks import Ends, Only
from daemon.summary import Summary, summary_json, summary_text
from daemon.trace import RunRecording
from daemon.tuner import Tuner
from daemon.tunings import Tunings, fitting
from daemon.view import View, open_view
from daemon.voice import Voice
from risk.invariants import Checks
from risk.ledger.postings import Deposit
from supervisor.clock import NS_PER_S, Clock, Jump
from supervisor.journal import Journal
from supervisor.program import Ending, Program
from supervisor.pulse import Pulse
from supervisor.supervisor import House
from supervisor.trace import TracedHouse
from supervisor.wall import now_ns, on_signals
from venues.damage import Damage
from venues.market import Bar, Instrument
from venues.shadow import ShadowVenue
from venues.venue import Funded, Linked, Venue, VenueMisspoke, VenueUnreachable

VIRTUAL_VIEW_S = 600.0
"""In virtual time the view shows the present this often, by its own clock: a few pictures a second."""

QUIET = frozenset((Mark, Bar, SectorCounts))
"""What is not a line of the log: too much of it, and nothing was decided."""

RECORDINGS = "recordings"
"""Where recorded markets are, a folder for each run."""

DAMAGES_SHOWN_MAX = 10
"""Rows of a recording that are named one by one at the end."""

EXIT_OK, EXIT_WRONG = 0, 1

AGAIN = -1
"""No exit code: the run has ended in order to be started anew in this process, because its clock cannot go back."""


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
        self.on_alive: Callable[[Operator], None] = lambda _: (
            None
        )  # for a harness: what there is to look at and operate
        self.checks = Checks()
        self.again = False

    async def live(self, clock: Clock) -> int:
        """From wiring to summary; returns the exit code, or AGAIN. A stop while venues are opened is a clean end."""
        task = asyncio.current_task()
        assert task is not None, "a session is a task"
        stopped: list[str] = []

        def stop(reason: str) -> None:
            stopped.append(reason)
            task.cancel()

        on_signals(clock.loop, stop, lambda: None)
        with ExitStack() as stack:
            settings = self.configured.settings
            keep = Keep(file_bytes_max=settings.log_file_mib_max * MIB, files=settings.log_files_kept)
            log = open_log(self.options.data_dir, self.run_id, clock.now_ns, settings.log_level, keep)
            stack.callback(log.close)
            for secret in self.configured.secrets():
                log.secrets.add(secret)
            outward = Outward(settings, clock, self.run_id, log)
            try:
                await outward.listen()
                return await self._live(clock, log, outward)
            except asyncio.CancelledError:
                if not stopped:
                    raise
                task.uncancel()
                await self._close_venues()
                say(sys.stderr, [f"obid: {stopped[0]}: ended before anything was started"])
                return EXIT_OK
            finally:
                await outward.close()

    async def _live(self, clock: Clock, log: Log, outward: Outward) -> int:
        await self._open(clock, log)
        self.streams.update({e: {s: Stream() for s in known} for e, known in self.instruments.items()})
        started = self._note_start(clock, log)
        self._say_started(started, log)
        engines = self._engines(clock)
        _listen((source for part in engines.values() for source in part.bar_sources.values()), log)
        board = Board(
            {e: part.instruments for e, part in engines.items()}, {e: p.venue.name for e, p in engines.items()}
        )
        digest = Digest(include_time=clock.virtual)
        tunings, news = Tunings(self.profiles), News(log.log_message, log.info, log.flush)
        operator = Operator(self.options, board, log, Tuner(self.options, tunings, self.configured))
        socket = ControlSocket(self.lock, operator, operator.on_error)
        recording = self._recording()
        ends = Ends(engines)
        parts = graph.Parts(
            engines=engines,
            journal=self.journal,
            run_id=self.run_id,
            looked_ns=looked_ns(self.opening, started.at_ns),
            deposits=(*modes.deposits(self.options.mode, self.profiles, started.at_ns), *self._found(started.at_ns)),
            sinks=(
                board,
                tunings,
                Only(set(graph.TOLD) - QUIET, news.write, news.flush),
                Only(graph.DECISIONS, digest.update),
                Only(graph.TOLD, lambda message: socket.publish(event_of(type(message)), message)),
                *(recording.sinks if recording else ()),
                *outward.sinks,
                ends,
            ),
            record_market=self.options.record,
            watched=self._policy() == REQUIRED,
            door=WaitingDoor() if clock.virtual else SocketDoor(socket, operator),
            calendar=modes.session_calendar(),
            macro=load_macro_calendar(),
            checks=self.checks,
            ledger_mind=recording.ledger_mind if recording else CheckedMind,
            **self._calendars(clock),
        )
        house = self._house(parts, clock, recording)
        program = Program(house)
        ends.on_end = program.stop
        pulse = Pulse(
            clock,
            lambda: [] if program.stopping else house.ill(),
            lambda event, fields: log.warning(event, **fields),
        )
        picture = Picture(started, self.options, board, house, digest, self.streams, self.checks, pulse)
        operator.attach(house, program, picture)
        outward.attach(house, board, picture, self.profiles)
        self.on_alive(operator)
        self._arm(clock, program, log)
        pulse.start()
        heart = self._heart(log, program, board, picture) or NoHeart()
        view = self._view(clock, program, board, picture)
        Voice().attach(program, pulse, picture, house.ill)
        try:
            result = await program.run(lambda: ending.wind_down(house, board, clock))
        finally:
            pulse.stop()
            view.close()
            news.close()
            unkept = recording.close(digest.hexdigest()) if recording else []
        wrongs = await ending.close(result, engines, clock, log, self.journal)
        heart.stop(clean=not wrongs)
        return self._say_ended(result, picture.summary(result.reason), [*wrongs, *unkept], log)

    def _say_ended(self, result: Ending, summary: Summary, wrongs: list[str], log: Log) -> int:
        """The summary, what went wrong, and the exit code that follows from both."""
        log.info("run_ended", reason=result.reason, digest=summary.digest, wrongs=wrongs)
        say(sys.stdout, [summary_json(summary) if self.options.json else summary_text(summary)])
        say(sys.stderr, [f"obid: {wrong}" for wrong in [*self._damages(), *wrongs]])
        if wrongs or result.gave_up:
            return EXIT_WRONG
        return AGAIN if self.again else EXIT_OK

    async def _open(self, clock: Clock, log: Log) -> None:
        """Make the venues; ask real ones what can be traded there. Raises ConfigError, Failed."""
        self.venues = {engine: self.market.venue(profile, clock) for engine, profile in self.profiles.items()}
        if not self.market.opens:
            return
        _listen((one.real if isinstance(one, ShadowVenue) else one for one in self.venues.values()), log)
        try:
            opened = await open_venues(self.venues, clock, lambda text: self._not_open(text, log))
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

    def _not_open(self, text: str, log: Log) -> None:
        log.warning("venue_not_open", what=text)
        log.flush()
        say(sys.stderr, [f"obid: {text}"])

    def _found(self, at_ns: int) -> Iterable[Deposit]:
        """The money that real accounts open with; booked once for each data directory."""
        for engine, venue in self.venues.items():
            if isinstance(venue, Funded) and venue.cash_minor is not None:
                yield Deposit(engine, "opening", venue.cash_minor, venue.cash_ns or at_ns)

    async def _close_venues(self) -> None:
        for venue in self.venues.values():
            await venue.close()

    def _note_start(self, clock: Clock, log: Log) -> RunStarted:
        """The first record of the run, and what was kept of changes that the configuration does not allow any more."""
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
        _, unfit = fitting(self.opening.tuned.values(), self.profiles)
        for one, reason in unfit:
            text = f"{one.engine}.{one.name} {one.symbol} was kept at {one.value}, and that does not hold any more"
            log.warning(
                "tuning_dropped", engine=one.engine, symbol=one.symbol, name=one.name, value=one.value, why=reason
            )
            say(sys.stderr, [f"obid: {' '.join(text.split())}: {reason}"])
        dropped = [replace(one, value="", reason=reason, at_ns=started.at_ns) for one, reason in unfit]
        with closing(Journal.open(self.journal)) as journal:
            journal.append(map(written, [started, *dropped]))
        return started

    def _say_started(self, started: RunStarted, log: Log) -> None:
        befalls = {"scenarios": [one.text for one in self.options.scenarios]} if self.options.scenarios else {}
        log.info(
            "run_started",
            mode=started.mode,
            seed=started.seed,
            version=started.version,
            engines=started.engines,
            **befalls,
        )

    def _damages(self) -> list[str]:
        """What could not be played: a few by name, the rest as a number."""
        damages = self.market.damages
        more = len(damages) - DAMAGES_SHOWN_MAX
        return [*map(str, damages[:DAMAGES_SHOWN_MAX]), *([f"{more} rows more make no sense"] if more > 0 else [])]

    def _house(self, parts: graph.Parts, clock: Clock, recording: RunRecording | None) -> House:
        """The graph's house; one that writes down what it is told, where the run is recorded."""
        spec, seed = graph.build(parts), self.options.seed
        if recording is None:
            return House(spec, clock, seed, graph.FROM_OUTSIDE)
        trace = recording.begin(parts, self.options, virtual=clock.virtual)
        return TracedHouse(spec, clock, seed, graph.FROM_OUTSIDE, trace)

    def _recording(self) -> RunRecording | None:
        """Where the market is kept, if it is."""
        if not self.options.record:
            return None
        every = [one for known in self.instruments.values() for one in known.values()]
        return RunRecording(self.options.data_dir / RECORDINGS / self.run_id, every)

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

    def _policy(self) -> str:
        """Whether a dead man must watch; no other process can where time is virtual, or no order leaves the machine."""
        real = self.options.mode in (Mode.LIVE, Mode.PAPER) and not self.options.virtual
        leaves = any(isinstance(venue, Linked) for venue in self.venues.values())
        return self.configured.settings.deadman_policy if real and leaves else "off"

    def _heart(self, log: Log, program: Program, board: Board, picture: Picture) -> Heart | None:
        """What tells a dead man that all is well."""
        settings, policy = self.configured.settings, self._policy()
        if policy == "off":
            return None
        accounts: dict[tuple[str, str], tuple[Linked, list[EngineName]]] = {}
        for engine, venue in self.venues.items():
            if isinstance(venue, Linked):
                accounts.setdefault((venue.name, venue.owner().account), (venue, []))[1].append(engine)
        heart = Heart(
            self.options.data_dir,
            [Tie(venue, name, engines) for (name, _), (venue, engines) in accounts.items()],
            log,
            self.run_id,
            age_s=settings.deadman_age_s,
            policy=policy,
            switches=not settings.deadman_keeps_protection,
        )
        heart.warn = lambda text: say(sys.stderr, [f"obid: {text}"])
        for work in heart.attach(program.house, board.resting):
            program.beside(work)
        picture.shown = heart.shown
        return heart

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
        program.beside(partial(watch_mailboxes, program.house, self.checks))
        clock.listen(lambda jump: self._jumped(jump, program, log))

    def _jumped(self, jump: Jump, program: Program, log: Log) -> None:
        """The machine slept, its clock was set, or ours was: said once. Ours too far ahead: all anew, by the right one.

        Of a made or recorded market time is what it says, whatever the machine's clock is set to.
        """
        by_s = round(jump.by_ns / NS_PER_S, 3)
        if self.options.mode in modes.REAL or jump.what == "slept":
            log.warning("clock_jumped", what=jump.what, by_s=by_s)
        if jump.what == "ahead":
            self.again = True
            program.stop(f"our clock was {-by_s:.0f} s ahead of the venue's and the machine's: starting anew")

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


def _listen(outside: Iterable[object], log: Log) -> None:
    """Write down what venues and sources have to say."""
    for one in outside:
        if isinstance(one, Tells):
            one.tell = lambda text: log.warning("venue_says", what=text)


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
