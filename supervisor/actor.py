"""Actors: a mind decides, a body lives.

A mind is a small class with `hears`, `says` and a synchronous `hear(message)` that returns messages: no await, no clock, no
I/O. The body owns the mailbox, feeds the mind and sends on what it answers. Actors that touch the world write a body of
their own: a class with `hears`, `says` and `async run(post)`.
"""

import asyncio
from collections.abc import Awaitable, Callable, Coroutine, Iterable
from typing import Any, ClassVar, Protocol

from supervisor.clock import NS_PER_S, Clock
from supervisor.mailbox import Hears, Mailbox, QueueLane
from supervisor.messages import Tick

BATCH_MAX = 512
"""Messages an actor handles before it lets others run: about 2 ms of the busiest actor, well under a loop stall."""

Put = Callable[[Any], None]


class Undeclared(Exception):
    """An actor said a type that its `says` does not name."""


class Mind(Protocol):
    """What decides. Optional class attributes: every_s (hears Tick that often), paced (reads its mailbox only then)."""

    hears: ClassVar[tuple[Hears, ...]]
    says: ClassVar[tuple[type, ...]]

    def hear(self, message: Any) -> Iterable[Any]:
        """Take one message, answer with messages."""
        ...


class Body(Protocol):
    """What lives: runs until it is cancelled, or returns when its work is over."""

    async def run(self, post: "Post") -> None:
        """Live."""
        ...


class Post:
    """All that a body is given of the world: its mailbox, its clock, its voice and helpers that die with it."""

    def __init__(self, name: str, engine: str, mailbox: Mailbox, clock: Clock, routes: dict[type, tuple[Put, ...]]):
        self.name = name
        self.engine = engine
        self.mailbox = mailbox
        self.clock = clock
        self.routes = routes
        self.waits: dict[type, tuple[Callable[[Any], Awaitable[None]], ...]] = {}
        self.in_hand: Any = None  # what is being handled now; goes to the dead letters if that crashes
        self.in_hand_ns = 0
        self.group: asyncio.TaskGroup | None = None
        self.started: asyncio.Future[None] = clock.loop.create_future()

    def ready(self) -> None:
        """Say that the start is over, so that the next child may start."""
        if not self.started.done():
            self.started.set_result(None)

    def say(self, message: Any) -> None:
        """Send a message to everyone who hears its type. Raises MailboxFull where one of them has no room."""
        try:
            puts = self.routes[type(message)]
        except KeyError:
            raise Undeclared(f"{self.name} said {type(message).__name__}, which it does not declare in says") from None
        for put in puts:
            put(message)

    async def say_wait(self, message: Any) -> None:
        """Send a message, waiting for room where there is none: for bodies whose source can wait (a socket)."""
        for put in self.routes[type(message)]:
            lane = getattr(put, "__self__", None)
            if isinstance(lane, QueueLane):
                await lane.put_wait(message)
            else:
                put(message)

    def spawn(self, work: Coroutine[Any, Any, None]) -> None:
        """Run something beside the body; it ends with the body, and its crash is the body's crash."""
        if self.group is None:
            raise RuntimeError(f"{self.name} is not running")
        self.group.create_task(work)

    async def beat(self, every_s: float) -> None:
        """Put a Tick into the mailbox at every multiple of the interval; a late actor gets one, not many."""
        every_ns = round(every_s * NS_PER_S)
        lane = self.mailbox.lanes[Tick]
        while True:
            due_ns = (self.clock.now_ns() // every_ns + 1) * every_ns
            await self.clock.sleep_until(due_ns)
            if not len(lane):
                lane.put(Tick(due_ns))
            self.mailbox.wake_now()


class MindBody:
    """The body most actors inherit: feeds one mind from one mailbox."""

    def __init__(self, mind: Mind):
        self.mind = mind

    async def run(self, post: Post) -> None:
        """Hear until cancelled."""
        every_s: float | None = getattr(self.mind, "every_s", None)
        if every_s is not None:
            post.spawn(post.beat(every_s))
        post.ready()
        while True:
            await self.read(post)
            await post.mailbox.wait()

    async def read(self, post: Post) -> None:
        """Handle what is in the mailbox. The hot loop of the program: the sends are written out instead of called."""
        hear, routes, budget = self.mind.hear, post.routes, BATCH_MAX
        post.in_hand_ns = post.clock.now_ns()
        for message in post.mailbox.drain():
            post.in_hand = message
            for said in hear(message):
                puts = routes.get(type(said))
                if puts is None:
                    post.say(said)
                    continue
                for put in puts:
                    put(said)
            budget -= 1
            if not budget:
                budget = BATCH_MAX
                await asyncio.sleep(0)
                post.in_hand_ns = post.clock.now_ns()
        post.in_hand = None
        post.in_hand_ns = 0
