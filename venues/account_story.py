"""An account's story: what happened to orders and money, in order, with what was missed asked for until it is there.

What the venues say of an account differs; that it is told to one listener at a time, that nothing is forgotten when the
listener is replaced, and that a gap stays noted until an answer has filled it, does not.
"""

import asyncio
from abc import ABC, abstractmethod
from collections import deque
from collections.abc import AsyncIterator, Callable, Coroutine
from typing import Any

from supervisor.beside import Beside
from supervisor.clock import Clock
from venues.backoff import DOUBLINGS_MAX
from venues.market import AccountEvent
from venues.venue import VenueMisspoke, VenueUnreachable

MEND_S_MAX = 8.0
"""Between looks at what is missing, after failures to ask."""

Work = Callable[[], Coroutine[Any, Any, None]]
"""What goes on while somebody listens."""


class AccountStory(ABC):
    """The events of one account, for one listener at a time; a new one hears what the last did not."""

    mend_s = 0.5
    """Between looks at what is missing; twice as long after each failure to ask."""

    def __init__(self, clock: Clock, tell: Callable[[str], None]):
        self.clock = clock
        self.tell = tell
        self.events: deque[AccountEvent] = deque()
        self.works: list[tuple[Work, str]] = [(self._mend, "an account's gaps")]
        self._stirred = asyncio.Event()
        self._beside = Beside(clock)
        self._closed = False

    @property
    @abstractmethod
    def missing(self) -> bool:
        """Whether something was missed that has to be asked for."""

    @abstractmethod
    async def mend(self) -> None:
        """Ask once. Raises VenueUnreachable and VenueMisspoke; what is still missing stays noted."""

    async def iterate(self) -> AsyncIterator[AccountEvent]:
        """Every event; one counts as heard when the next is asked for."""
        before, self._beside = self._beside, Beside(self.clock)
        beside = self._beside
        await before.stop()
        for begin, name in self.works:
            beside.start(begin(), name)
        self.stir()
        try:
            while not self._closed:
                while self.events:
                    yield self.events[0]
                    self.events.popleft()
                if not self._closed:
                    await beside.wait()
        finally:
            await beside.stop()

    async def close(self) -> None:
        """End it."""
        self._closed = True
        self._beside.wake()
        await self._beside.stop()

    def put(self, event: AccountEvent) -> None:
        """Tell something."""
        self.events.append(event)
        self.wake()

    def wake(self) -> None:
        """Let the listener look: there may be something to hear."""
        self._beside.wake()

    def stir(self) -> None:
        """Let what is missing be looked at."""
        self._stirred.set()

    async def _mend(self) -> None:
        """Ask for what was missed, until it is there."""
        failures = 0
        while True:
            await self._stirred.wait()
            self._stirred.clear()
            while self.missing:
                try:
                    await self.mend()
                    failures = 0
                except (VenueUnreachable, VenueMisspoke) as error:
                    failures += 1
                    self.tell(f"what was missed is still missing: {type(error).__name__}: {error}")
                self.wake()
                if self.missing:
                    await self.clock.sleep(min(self.mend_s * 2.0 ** min(failures, DOUBLINGS_MAX), MEND_S_MAX))
