"""Calendar feed: asks one source of a calendar every few hours and carries what it answers to the macro calendar."""

from typing import ClassVar, Literal, Protocol

from supervisor.actor import Post
from supervisor.clock import NS_PER_S
from supervisor.mailbox import Hears
from venues.market import CalendarRead

EVERY_S = 6 * 3600.0
"""Releases are moved days ahead, if at all; free plans count requests by the day (the seed engine's cache: 6 h)."""

RETRY_S = 300.0
"""After a question that was not answered."""

DECLINED_S = 24 * 3600.0
"""After an answer that no asking changes. A plan may be bought meanwhile."""


class CalendarSource(Protocol):
    """What is asked. It keeps what it was told on disk, so that a restart asks nobody again."""

    name: str
    kind: Literal["releases", "reports"]

    async def read(self) -> CalendarRead:
        """What it knows; a failure is told in the reading, never raised."""
        ...


class CalendarFeed:
    """The body."""

    hears: ClassVar[tuple[Hears, ...]] = ()
    says: ClassVar[tuple[type, ...]] = (CalendarRead,)

    def __init__(self, source: CalendarSource):
        self.source = source

    async def run(self, post: Post) -> None:
        """Ask and carry, until cancelled."""
        post.ready()
        while True:
            read = await self.source.read()
            post.say(read)
            await post.clock.sleep(self._pause_s(read))

    def _pause_s(self, read: CalendarRead) -> float:
        if read.failure:
            return DECLINED_S if read.declined else RETRY_S
        aged_s = (read.at_ns - read.read_ns) / NS_PER_S
        return min(EVERY_S, max(EVERY_S - aged_s, 1.0))
