"""Mailboxes: typed, bounded, counted, with a declared answer to overflow.

A mailbox has one lane per message type it hears. Queue lanes keep order and never drop; latest lanes keep the newest
message of each symbol, so a slow actor acts on fresh data instead of a backlog. Queue lanes are read before latest
lanes: a fill never waits behind books. Bare deques and dicts with one wake-up, read in whole batches: a hop costs about
a tenth of a microsecond (docs/decisions/0003).
"""

import asyncio
from collections import deque
from collections.abc import Callable, Sequence
from enum import Enum
from typing import Any, Protocol

from msgspec import Struct

SIZE_MAX_DEFAULT = 4096
"""Room of a lane whose owner did not ask for more: seconds of the busiest stream, megabytes at most."""


BATCH_MAX = 512
"""Messages read at once; between batches other actors run. About 2 ms of the busiest actor, well under a loop stall."""


class Overflow(Enum):
    """What a full lane does with one more message."""

    LATEST = "latest"  # keeps the newest of each symbol, counts what it replaced (books)
    CRASH = "crash"  # the speaker crashes: fills, orders and risk are never dropped
    BLOCK = "block"  # the speaker waits for room (commands from outside)


class MailboxFull(Exception):
    """A lane that may not drop had no room: its actor is stuck or far too slow."""


class Hears(Struct, frozen=True):
    """One message type an actor hears, how many may wait, and what happens to one more."""

    message: type
    overflow: Overflow = Overflow.CRASH
    size_max: int = SIZE_MAX_DEFAULT


def latest(message: type, size_max: int = SIZE_MAX_DEFAULT) -> Hears:
    """Hear only the newest of each stream; a stream is what has one `symbol`."""
    return Hears(message, Overflow.LATEST, size_max)


class Waiter(Protocol):
    """Who is woken when something comes: a future that somebody awaits, or the reader of a mind."""

    def set_result(self, _: None, /) -> None:
        """Wake it."""
        ...


class Mailbox:
    """The lanes of one actor and the one future that wakes it."""

    def __init__(self, owner: str, hears: tuple[Hears, ...], now_ns: Callable[[], int], *, paced: bool = False):
        self.owner = owner
        self.paced = paced  # only a tick wakes the actor; everything else waits for it
        self.now_ns = now_ns
        self.waiter: Waiter | None = None
        self.dirty = True  # perhaps there is something to take
        self.since_ns = 0  # when the actor was woken for what it has not finished; 0: it has, or nobody looked yet
        self.heard = 0
        self.took_latest = False  # what was taken last came from a latest lane
        self.lanes: dict[type, QueueLane | LatestLane] = {}
        for heard in hears:
            lane = LatestLane if heard.overflow is Overflow.LATEST else QueueLane
            self.lanes[heard.message] = lane(self, heard)
        self.queues = tuple(lane for lane in self.lanes.values() if isinstance(lane, QueueLane))
        self.latests = tuple(lane for lane in self.lanes.values() if isinstance(lane, LatestLane))

    def wake(self) -> None:
        """Let the actor run; called by a lane that was given something while the actor slept."""
        self.dirty = True
        if not self.paced:
            self.wake_now()

    def wake_now(self) -> None:
        """Let the actor run even if it is paced."""
        waiter, self.waiter = self.waiter, None
        if waiter is not None:
            try:
                waiter.set_result(None)
            except asyncio.InvalidStateError:  # a body that was cancelled and has not noticed yet
                return

    async def wait(self) -> None:
        """Sleep until somebody wakes the actor; returns at once when there is something to read."""
        if not self.paced and len(self):
            self.since_ns = self.since_ns or self.now_ns()
            return
        waiter = self.waiter = asyncio.get_running_loop().create_future()
        try:
            await waiter
            self.since_ns = self.now_ns()
        finally:
            if self.waiter is waiter:  # else it is that of the actor's successor, or gone
                self.waiter = None

    def take(self) -> list[Any]:
        """Read a batch: what is queued, in lane order; only if nothing is, the latest of one lane; [] when empty."""
        batch: list[Any] = []
        if self.dirty:
            for lane in self.queues:
                if lane.queue and len(batch) < BATCH_MAX:
                    batch += lane.take(BATCH_MAX - len(batch))
            self.took_latest = not batch
            self.dirty = bool(self.latests) or len(batch) >= BATCH_MAX
            if not batch:
                for late in self.latests:
                    if late.pending:
                        batch = late.take()
                        self.dirty = len(self.latests) > 1
                        break
                else:
                    self.dirty = False
        if batch:
            self.heard += len(batch)
        else:
            self.since_ns = 0
        return batch

    def put_back(self, rest: list[Any]) -> None:
        """Return what a crashed actor had taken but not handled to the head of its lanes."""
        self.dirty = True
        self.heard -= len(rest)
        for message in reversed(rest):
            self.lanes[type(message)].put_first(message)

    def __len__(self) -> int:
        return sum(map(len, self.lanes.values()))

    @property
    def age_ns(self) -> int:
        """How long the actor has had something to read without finishing it.

        What came while it did not wait for mail (it starts, hangs, is dead) counts from the first look at this.
        """
        now_ns = self.now_ns()
        if not self.since_ns and len(self):
            self.since_ns = now_ns
        return now_ns - self.since_ns if self.since_ns else 0

    def statistics(self) -> "MailboxStatistics":
        """Counts since the start, over restarts of the actor."""
        lanes = self.lanes.values()
        return MailboxStatistics(
            waiting=len(self),
            age_ns=self.age_ns,
            heard=self.heard,
            conflated=sum(lane.conflated for lane in lanes),
            high_water=max((max(lane.high_water, len(lane)) for lane in lanes), default=0),
            size_max=sum(lane.size_max for lane in lanes),
        )


class MailboxStatistics(Struct, frozen=True):
    """A mailbox at one moment. `conflated`: messages replaced by newer ones before they were read."""

    waiting: int
    age_ns: int
    heard: int
    conflated: int
    high_water: int
    size_max: int


class QueueLane:
    """First in, first out, never drops."""

    conflated = 0

    def __init__(self, mailbox: Mailbox, heard: Hears):
        self.mailbox = mailbox
        self.name = heard.message.__name__
        self.size_max = heard.size_max
        self.queue: deque[Any] = deque()
        self.high_water = 0
        self.room: asyncio.Future[None] | None = None

    def put(self, message: Any) -> None:
        """Add a message. Raises MailboxFull when there is no room."""
        if len(self.queue) >= self.size_max:
            raise MailboxFull(f"{self.mailbox.owner}: {self.name} has {self.size_max} waiting, which is its bound")
        self.queue.append(message)
        mailbox = self.mailbox
        if mailbox.waiter is not None:
            mailbox.wake()
        else:
            mailbox.dirty = True

    def put_many(self, messages: Sequence[Any]) -> None:
        """Add messages of one type. Raises MailboxFull at the first that has no room."""
        for message in messages:
            self.put(message)

    async def put_wait(self, message: Any) -> None:
        """Add a message, waiting for room if there is none."""
        while len(self.queue) >= self.size_max:
            if self.room is None:
                self.room = asyncio.get_running_loop().create_future()
            await asyncio.shield(self.room)
        self.put(message)

    def put_first(self, message: Any) -> None:
        """Put a message back where it was taken from."""
        self.queue.appendleft(message)

    def take(self, count_max: int) -> list[Any]:
        """Read the oldest messages and let those in who wait for room."""
        queue = self.queue
        self.high_water = max(self.high_water, len(queue))
        if len(queue) <= count_max:
            batch = list(queue)
            queue.clear()
        else:
            batch = [queue.popleft() for _ in range(count_max)]
        room, self.room = self.room, None
        if room is not None:
            room.set_result(None)
        return batch

    def __len__(self) -> int:
        return len(self.queue)


class LatestLane:
    """The newest message of each symbol, in the order the symbols first came."""

    def __init__(self, mailbox: Mailbox, heard: Hears):
        self.mailbox = mailbox
        self.name = heard.message.__name__
        self.size_max = heard.size_max
        self.pending: dict[Any, Any] = {}
        self.conflated = 0
        self.high_water = 0

    def put(self, message: Any) -> None:
        """Add a message, replacing the unread one of its symbol. Raises MailboxFull on too many."""
        pending = self.pending
        key = message.symbol
        if key in pending:
            self.conflated += 1
        elif len(pending) >= self.size_max:
            raise MailboxFull(
                f"{self.mailbox.owner}: {self.name} has {self.size_max} symbols waiting, which is its bound"
            )
        pending[key] = message
        mailbox = self.mailbox
        if mailbox.waiter is not None:
            mailbox.wake()
        else:
            mailbox.dirty = True

    def put_many(self, messages: Sequence[Any]) -> None:
        """Add messages; for a burst of books this is twice as fast as one by one. Raises MailboxFull."""
        pending = self.pending
        before = len(pending)
        if len(messages) == 1 or before + len(messages) > self.size_max:  # perhaps too many: find the first of them
            for message in messages:
                self.put(message)
            return
        fresh = {message.symbol: message for message in messages}
        if before:
            pending.update(fresh)
        else:
            self.pending = pending = fresh
        self.conflated += before + len(messages) - len(pending)
        mailbox = self.mailbox
        if mailbox.waiter is not None:
            mailbox.wake()
        else:
            mailbox.dirty = True

    async def put_wait(self, message: Any) -> None:
        """Add a message; a new one of a symbol that waits needs no room."""
        self.put(message)

    def put_first(self, message: Any) -> None:
        """Put a message back unless a newer one of its symbol has come."""
        self.conflated += message.symbol in self.pending
        self.pending = {message.symbol: message, **self.pending}

    def take(self) -> list[Any]:
        """Read the newest of every symbol."""
        batch = list(self.pending.values())
        self.pending.clear()
        self.high_water = max(self.high_water, len(batch))
        return batch

    def __len__(self) -> int:
        return len(self.pending)
