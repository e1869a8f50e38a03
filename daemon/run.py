"""A run: configuration first, then the lock, then the journal; only then does anything live."""

import dataclasses
from collections.abc import Callable, Mapping
from contextlib import ExitStack
from pathlib import Path

from actors.ledger import LedgerMind
from config.errors import ConfigError
from config.load import ENGINES
from config.profile import EngineName, Profile
from daemon import modes
from daemon.books import concerned, recover_from
from daemon.configured import Configured, configure
from daemon.errors import BadInput, Failed
from daemon.lock import DataDirLock
from daemon.lost_end import go_on_halted, lost_end
from daemon.options import JOURNAL_NAME, Mode, RunOptions
from daemon.scenarios import refuse_unknown
from daemon.session import AGAIN, Market, Session
from risk.ledger.postings import LedgerUnbalanced
from supervisor.clock import NS_PER_S, Clock
from supervisor.journal import Journal, JournalDamaged, JournalTooNew, JournalUnwritable
from supervisor.journal_mark import mark_path
from supervisor.journal_snapshot import snapshot_path
from supervisor.virtual import run_virtual
from supervisor.wall import now_ns, run_wall
from venues.damage import BadRecording, Damage
from venues.market import Instrument
from venues.replay import names_in, open_replay
from venues.venue import Venue

MINUTE_NS = 60 * NS_PER_S
UNTOUCHED = (
    "Nothing was started and the journal is as it was. What to do stands in docs/operating.md under A damaged journal"
)


def run(options: RunOptions) -> int:
    """`obid run`: trade until stopped; returns the exit code. After a run whose clock was far ahead comes another."""
    while (code := run_once(options)) == AGAIN:
        pass
    return code


def run_once(options: RunOptions) -> int:
    """One run, from its configuration to its end; gives the exit code, or AGAIN."""
    configured = configure(options)
    refuse_unknown(options.scenarios, configured.profiles)
    modes.refuse_missing(options, configured.profiles, configured.settings)
    with ExitStack() as held:
        lock = held.enter_context(DataDirLock(options.data_dir))
        held.enter_context(modes.signer_lock(options.mode, configured.profiles, configured.settings, options.data_dir))
        return live(*session_of(options, configured, lock, now_ns))


def session_of(
    options: RunOptions, configured: Configured, lock: DataDirLock, now_ns: Callable[[], int]
) -> tuple[Session, int]:
    """A session of what the data directory holds, and the time it begins at. Raises ConfigError, Failed."""
    instruments = {engine: modes.universe(profile) for engine, profile in configured.profiles.items()}
    opening = opening_of(options)
    refuse_unlisted(opening, instruments)
    if options.mode in modes.REAL:
        modes.prepare(configured.profiles)  # takes up to a second, by which a clock read before would be behind
    epoch_ns = now_ns()
    if options.mode is Mode.SYNTHETIC:
        epoch_ns = max(modes.SYNTHETIC_START_NS if options.virtual else epoch_ns, next_minute(opening.last_ns))
    source = modes.synthetic_source(options.seed, modes.session_calendar(), options.scenarios)
    real = None
    if options.mode in modes.REAL:
        real = modes.Real(configured.settings, opening, options.data_dir, trades=True, seed=options.seed)

    def venue(profile: Profile, clock: Clock) -> Venue:
        if real is not None:
            return modes.real_venue(options.mode, profile, clock, real)
        if options.feed:
            return modes.remote_venue(profile, options, configured.settings, opening, clock)
        known = instruments[profile.engine]
        return modes.simulated_venue(profile, known, source(profile, epoch_ns), opening, clock, options.seed)

    market = Market(instruments, venue, opens=real is not None)
    return Session(options, configured, lock, opening, market), epoch_ns


def replay(options: RunOptions) -> int:
    """`obid replay`: play recordings through the same graph in virtual time; returns the exit code."""
    if len(options.engines) > 1:
        raise BadInput("--engine", ",".join(options.engines), "a recording is played to one engine; name one")
    engine = ENGINES[ENGINES.index(options.engines[0])]
    configured = configure(dataclasses.replace(options, symbols=()))
    damages: list[Damage] = []
    try:
        known = modes.known_instruments(engine)
        recorded = names_in(options.recordings) if options.symbols else []
        if missing := [symbol for symbol in options.symbols if symbol not in recorded]:
            raise BadInput("--symbols", missing[0], f"one of those recorded: {', '.join(recorded)}")
        source = open_replay(options.recordings, engine, known, damages.append, options.symbols)
    except BadRecording as error:
        raise Failed(str(error)) from error
    instruments = {one.symbol: one for one in source.instruments}
    profile = configured.profiles[engine].model_copy(update={"symbols": tuple(instruments)})
    configured = Configured(configured.settings, {engine: profile})
    with DataDirLock(options.data_dir) as lock:
        if opening_of(options).runs:
            set_aside(options.data_dir / JOURNAL_NAME)
        opening = LedgerMind()

        def venue(profile: Profile, clock: Clock) -> Venue:
            return modes.simulated_venue(profile, instruments, source, opening, clock, options.seed)

        market = Market({engine: instruments}, venue, damages)
        return live(Session(options, configured, lock, opening, market), source.start_ns)


def live(session: Session, epoch_ns: int) -> int:
    """Run a session on the clock its options ask for."""
    speed = session.options.speed
    try:
        if speed is None:
            return run_virtual(session.live, epoch_ns)
        return run_wall(session.live, epoch_ns, speed)
    except (JournalUnwritable, JournalDamaged) as error:  # at the first record; later they end the run from within
        raise Failed(f"{error}. Nothing was started") from error


def opening_of(options: RunOptions) -> LedgerMind:
    """What the journal of the data directory holds. Refuses one of another mode, and one that cannot be trusted."""
    path = options.data_dir / JOURNAL_NAME
    try:
        lost = lost_end(path)
        opening = recover_from(path)
    except JournalTooNew as error:
        raise Failed(
            f"{error}. Nothing was started. How to go back stands in docs/operating.md under Upgrade"
        ) from error
    except (JournalDamaged, LedgerUnbalanced) as error:
        raise Failed(f"{error}. {UNTOUCHED}") from error
    if lost and options.mode is not Mode.REPLAY:
        go_on_halted(path, lost, opening)
    if opening.runs and opening.runs[-1].mode != options.mode:
        other = opening.runs[-1].mode
        right = f"holds the books of {other} mode, and {options.mode} mode needs its own: name another directory"
        raise ConfigError("--data-dir", right, str(options.data_dir))
    return opening


def refuse_unlisted(opening: LedgerMind, instruments: Mapping[EngineName, Mapping[str, Instrument]]) -> None:
    """What is held must be traded, or nobody would watch its stop; and what may rest, or nobody would take it back.

    Raises ConfigError.
    """
    for engine, known in instruments.items():
        for symbol, why in concerned(opening, engine).items():
            if symbol not in known:
                others = [other for other, traded in instruments.items() if symbol in traded]
                if others:  # only shadow_symbols moves a symbol from one engine to another
                    right = f"{why}: flatten it before {others[0]} trades it"
                    raise ConfigError("shadow_symbols", right, symbol)
                right = f"{why}: name it too, or flatten it first"
                raise ConfigError("--symbols", f"{symbol} is missing; {right}")


def set_aside(journal: Path) -> None:
    """A replay starts with empty books, or it could not be repeated; those of the replay before are kept beside."""
    number = 1
    while (aside := journal.with_suffix(f".{number}.sqlite")).exists():
        number += 1
    Journal.open(journal).close()  # takes what a crash left in the write-ahead log into the file
    journal.rename(aside)
    for beside in (mark_path, snapshot_path):
        if beside(journal).exists():
            beside(journal).rename(beside(aside))
    for suffix in ("-wal", "-shm"):
        journal.with_name(journal.name + suffix).unlink(missing_ok=True)


def next_minute(at_ns: int) -> int:
    """A made market goes on after what was booked: time does not turn back in the books."""
    return -(-at_ns // MINUTE_NS) * MINUTE_NS
