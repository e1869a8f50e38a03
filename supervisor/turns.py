"""Turns: runs the minds that have something to read, one after the other, in one callback of the loop.

A task per actor would take a turn of the loop, a future and a look at the sockets for each hop of a message; this takes
none. Who was told first is served first, or, where the loop shuffles, whoever the seed picks.
"""

import asyncio
from collections import deque
from collections.abc import Callable
from typing import Protocol

TURNS_MAX = 32
"""Turns in one callback; then sockets and timers have theirs. Twice the minds of one engine."""


class Reader(Protocol):
    """Who reads a mailbox."""

    def turn(self) -> bool:
        """Read what there is. True if that was a long batch: sockets and timers have waited long enough."""
        ...


class Turns:
    """The minds of one program that wait for their turn."""

    def __init__(self, loop: asyncio.AbstractEventLoop):
        self.loop = loop
        self.ready: deque[Reader] = deque()
        self.scheduled = False
        self.pick: Callable[[int], int] | None = getattr(loop, "pick", None)

    def add(self, reader: Reader) -> None:
        """Ask for a turn."""
        self.ready.append(reader)
        if not self.scheduled:
            self.scheduled = True
            self.loop.call_soon(self._run)

    def _run(self) -> None:
        ready = self.ready
        try:
            for _ in range(TURNS_MAX):
                if not ready:
                    break
                if self.pick is not None and len(ready) > 1:
                    ready.rotate(-self.pick(len(ready)))
                if ready.popleft().turn():
                    break
        finally:
            self.scheduled = bool(ready)
            if ready:
                self.loop.call_soon(self._run)
