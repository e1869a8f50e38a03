"""One life of the daemon in a world: `obid run`, from its configuration to its exit code, killed whenever it is to be.

It is the daemon itself: configuration, lock, journal, session, graph and adapters are those of `obid run`; only what
starts it differs. Its machine may be slow, full or wrong about the time.
"""

import os
from collections.abc import Iterator, Mapping
from contextlib import ExitStack, contextmanager, suppress
from enum import Enum
from functools import partial
from pathlib import Path
from typing import Any

from actors.ledger import LedgerMind
from actors.messages import Command, Order
from config.errors import ConfigError
from daemon import modes
from daemon.configured import configure
from daemon.errors import BadInput, Failed
from daemon.lock import DataDirLock
from daemon.operate import Operator
from daemon.options import RunOptions
from daemon.run import session_of
from supervisor.clock import NS_PER_S
from supervisor.journal import Journal, JournalUnwritable
from supervisor.lives import LIFE, Killed, Life, LivesLoop
from supervisor.machine_clock import MachineClock, SimulatedMachine

NOT_STARTED = 70
"""What a life ends with that never came to trade; the command would exit with 1 or 2 and say why."""

OPERATOR, LEDGER = "operator", "ledger"

STUMBLE_S = 0.01
"""What a transaction takes at least in whose middle the ledger is to crash."""


class Dying(Enum):
    """Where in a transaction of the journal a life is to end."""

    BEFORE = "before"
    AFTER = "after"


class Machine:
    """What a daemon runs on; it outlives daemons."""

    def __init__(self, loop: LivesLoop, epoch_ns: int) -> None:
        self.clocks = SimulatedMachine(loop, epoch_ns)
        self.disk_s = 0.0  # what a transaction takes
        self.full = False


class DaemonLife(Life):
    """A daemon that may die any moment."""

    def __init__(self, number: int, options: RunOptions, run_id: str, machine: Machine, loop: LivesLoop):
        super().__init__(f"daemon {number}")
        self.number, self.options, self.run_id = number, options, run_id
        self.machine, self.loop = machine, loop
        self.operator: Operator | None = None
        self.clock: MachineClock | None = None
        self.dying: Dying | None = None  # at the next transaction
        self.stumbling: Exception | None = None  # what its ledger crashes of in the middle of the next one
        self.reason = ""  # why it did not start
        self.opening: LedgerMind | None = None
        self._lock = DataDirLock(options.data_dir)

    async def live(self, environment: Mapping[str, str]) -> int:
        """From configuration to exit code."""
        self.clock = clock = MachineClock(self.machine.clocks, self.loop, self._disk_s)
        try:
            with ExitStack() as held:
                with _environment(environment):
                    configured = configure(self.options)
                modes.refuse_missing(self.options, configured.profiles, configured.settings)
                lock = held.enter_context(self._lock)
                session, _ = session_of(self.options, configured, lock, clock.now_ns)
                session.run_id = self.run_id
                session.on_alive = self._met
                self.opening = session.opening
                return await session.live(clock)
        except (ConfigError, BadInput, Failed, JournalUnwritable) as error:
            self.reason = f"{type(error).__name__}: {error}"
            return NOT_STARTED

    def _met(self, operator: Operator) -> None:
        self.operator = operator

    def _disk_s(self) -> float:
        """How long the transaction takes that begins now."""
        stumbling, self.stumbling = self.stumbling, None
        if stumbling is None or self.clock is None:
            return self.machine.disk_s
        at_ns = self.clock.now_ns() + round(STUMBLE_S / 2 * NS_PER_S)
        self.clock.call_at(at_ns, partial(self.crash, LEDGER, stumbling))
        return max(self.machine.disk_s, STUMBLE_S)

    def crash(self, actor: str, error: Exception) -> bool:
        """Crash an actor; False where it is not running just now."""
        house = self.operator.house if self.trading and self.operator is not None else None
        if house is None or actor not in house.runners:
            return False
        try:
            house.inject(actor, error)
        except RuntimeError:
            return False
        return True

    @property
    def trading(self) -> bool:
        """Whether its graph is there to be looked at."""
        return not self.dead and self.operator is not None

    def kill(self) -> None:
        """End it as SIGKILL does: its lock falls with the process."""
        self.loop.kill(self)
        self._lock.release()

    def stop(self, reason: str) -> None:
        """Ask it to stop, as SIGTERM does."""
        if self.operator is not None and self.operator.program is not None:
            self.operator.program.stop(reason)

    def order(self, order: Order, engine: str = "", reason: str = "a drill") -> bool:
        """Give it an order as an operator does; False when nobody is there to obey."""
        if not self.trading or self.operator is None or self.operator.house is None or self.clock is None:
            return False
        for put in self.operator.house.route(Command):
            put(Command(order, engine, "", f"{OPERATOR}: {reason}", self.clock.now_ns()))
        return True


@contextmanager
def _environment(more: Mapping[str, str]) -> Iterator[None]:
    """The environment that a life is started in."""
    before = {name: os.environ.get(name) for name in more}
    os.environ.update(more)
    try:
        yield
    finally:
        for name, value in before.items():
            if value is None:
                os.environ.pop(name, None)
            else:
                os.environ[name] = value


@contextmanager
def mortal_journals() -> Iterator[None]:
    """Let journals of lives meet what befalls their machines: a full disk, and death before or after a commit."""
    usual = Journal.append

    def append(self: Journal, entries: Any) -> None:
        life = LIFE.get()
        if not isinstance(life, DaemonLife):
            usual(self, entries)
            return
        if life.dead:
            raise Killed
        if life.machine.full:
            raise JournalUnwritable(f"{self.path}: entry {self.seq + 1}: database or disk is full")
        if life.dying is Dying.BEFORE:
            life.kill()
            raise Killed
        usual(self, entries)
        if life.dying is Dying.AFTER:
            life.kill()
            raise Killed

    Journal.append = append  # type: ignore[method-assign]
    try:
        yield
    finally:
        Journal.append = usual  # type: ignore[method-assign]


def journal_of(folder: Path) -> Path:
    """Where a data directory has its journal."""
    return folder / "journal.sqlite"


def forget(path: Path) -> None:
    """Remove a file that may not be there."""
    with suppress(FileNotFoundError):
        path.unlink()
