"""What the supervisor and the clock say to actors."""

from msgspec import Struct


class Tick(Struct, frozen=True):
    """A timer's beat, aligned to a multiple of the actor's interval; never queues up: a late actor hears one."""

    at_ns: int


class ChildStarted(Struct, frozen=True):
    """A child runs, for the first time or again. Keepers of state answer by saying that state once more."""

    child: str
    engine: str
    restarts: int
    at_ns: int


class ChildCrashed(Struct, frozen=True):
    """A child died of an exception; its mind is lost, its mailbox is not."""

    child: str
    engine: str
    error: str
    at_ns: int


class DeadLetter(Struct, frozen=True):
    """The message that was in hand when a child crashed, and what killed it."""

    child: str
    message: str
    error: str
    traceback: str
    at_ns: int


class GaveUp(Struct, frozen=True):
    """A supervisor's restart intensity was exceeded; it stopped its children and failed itself."""

    supervisor: str
    child: str
    restarts: int
    within_s: float
    at_ns: int
