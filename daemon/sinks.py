"""Sinks: where the recorder's messages go, and what each of them wants to hear."""

from collections.abc import Callable, Iterable
from typing import Any

from actors.messages import StreamEnded


class Only:
    """Passes some types on to a writer."""

    def __init__(self, kinds: Iterable[type], write: Callable[[Any], None], flush: Callable[[], None] | None = None):
        self.kinds = frozenset(kinds)
        self._write = write
        self._flush = flush

    def write(self, message: Any) -> None:
        """Pass it on if it is wanted."""
        if type(message) in self.kinds:
            self._write(message)

    def flush(self) -> None:
        """Let the writer flush."""
        if self._flush is not None:
            self._flush()


def _nobody(_: str) -> None:
    """Nobody wants to know yet."""


class Ends:
    """Counts the engines whose data is over, and calls once all are."""

    def __init__(self, engines: Iterable[str]):
        self.running = set(engines)
        self.on_end: Callable[[str], None] = _nobody

    def write(self, message: Any) -> None:
        """Note an end."""
        if type(message) is StreamEnded:
            self.running.discard(message.engine)
            if not self.running:
                self.on_end("the data is over")

    def flush(self) -> None:
        """Nothing is buffered."""
