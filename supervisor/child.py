"""Children as data: what a supervisor is told about each of them."""

from collections.abc import Callable
from enum import Enum

from msgspec import Struct

from supervisor.actor import Body
from supervisor.mailbox import Hears


class Restart(Enum):
    """When a child that ended is started again."""

    PERMANENT = "permanent"  # always
    TRANSIENT = "transient"  # after a crash
    TEMPORARY = "temporary"  # never


class Strategy(Enum):
    """Who else is restarted with a child that crashed."""

    ONE_FOR_ONE = "one_for_one"  # nobody
    ONE_FOR_ALL = "one_for_all"  # everybody
    REST_FOR_ONE = "rest_for_one"  # those started after it


class ChildSpec(Struct, frozen=True, kw_only=True):
    """One actor. `engine` is its scope: it hears its own engine and the shared actors; empty: it hears all."""

    name: str
    start: Callable[[], Body]
    hears: tuple[Hears, ...] = ()
    says: tuple[type, ...] = ()
    engine: str = ""
    paced: bool = False
    restart: Restart = Restart.PERMANENT
    restarts_max: int = 3  # more than this within the window and its supervisor gives up (Elixir's defaults)
    within_s: float = 5.0
    start_s: float = 30.0  # may take this long to be ready
    shutdown_s: float = 5.0  # and this long to stop
    deadline_s: float = 5.0  # a message older than this in its hand or mailbox makes it unhealthy
    fatal: tuple[type[BaseException], ...] = ()  # no restart can help: the supervisor gives up at once

    @property
    def key(self) -> str:
        """Its name in the whole program: one engine's signal is not another's."""
        return f"{self.engine}.{self.name}" if self.engine else self.name


class SupervisorSpec(Struct, frozen=True, kw_only=True):
    """A supervisor and its children, in start order; to the supervisor above it is a child like any other."""

    name: str
    children: "tuple[ChildSpec | SupervisorSpec, ...]"
    strategy: Strategy = Strategy.ONE_FOR_ONE
    restarts_max: int = 0  # of this supervisor as a whole: intensities multiply down the tree, so none by default
    within_s: float = 5.0
    backoff_s: float = 0.01  # before a child's second restart in the window; doubles; the first is immediate
    backoff_s_max: float = 1.0

    @property
    def key(self) -> str:
        """Its name in the whole program."""
        return self.name

    def actors(self) -> tuple[ChildSpec, ...]:
        """Every actor below, in start order."""
        found: list[ChildSpec] = []
        for child in self.children:
            found += child.actors() if isinstance(child, SupervisorSpec) else [child]
        return tuple(found)
