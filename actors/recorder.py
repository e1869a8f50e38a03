"""Recorder: hears every decision and hands it to the sinks it was given: log, digest, counters, view."""

from collections.abc import Iterable, Sequence
from typing import Any, ClassVar, Protocol

from supervisor.mailbox import Hears
from supervisor.messages import Tick


class Sink(Protocol):
    """Where messages end up. Knows no actor; may buffer until `flush`."""

    def write(self, message: Any) -> None:
        """Take one message."""
        ...

    def flush(self) -> None:
        """Give what is buffered to its medium."""
        ...


class Recorder:
    """The mind; what it hears is decided by the graph, which tells it all that anybody says."""

    hears: ClassVar[tuple[Hears, ...]] = (Hears(Tick),)
    says: ClassVar[tuple[type, ...]] = ()
    every_s: ClassVar[float] = 1.0  # a follower of the log waits at most this long

    def __init__(self, sinks: Sequence[Sink]):
        self.writes = tuple(sink.write for sink in sinks)
        self.flushes = tuple(sink.flush for sink in sinks)

    def hear(self, message: Any) -> Iterable[Any]:
        """Write down, or flush."""
        if type(message) is Tick:
            for flush in self.flushes:
                flush()
        else:
            for write in self.writes:
                write(message)
        return ()
