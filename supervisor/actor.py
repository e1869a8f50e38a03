"""Actors: a mind decides, a body lives.

A mind is a small class with `hears`, `says` and a synchronous `hear(message)` that returns messages: no await, no
clock, no I/O. The body owns the mailbox, feeds the mind and sends on what it answers. Actors that touch the world write
a body of their own: a class with `hears`, `says` and `async run(post)`.
"""

import asyncio
from collections.abc import Callable, Coroutine, Iterable, Iterator, Sequence
from typing import Any, ClassVar, Protocol

from supervisor.clock import NS_PER_S, Clock
from supervisor.mailbox import BATCH_MAX, Hears, Mailbox
from supervisor.messages import Tick
from supervisor.turns import Turns

Put = Callable[[Any], None]


class Undeclared(Exception):
    """An actor said a type that its `says` does not name."""


def undeclared(name: str, message: type) -> Undeclared:
    """The error for a message that an actor may not say."""
    return Undeclared(f"{name} said {message.__name__}, which it does not declare in says")


HearStream = Callable[[Iterator[Any]], Iterable[Any]]


class Mind(Protocol):
    """What decides. Optional class attributes: every_s (hears Tick that often), paced (reads its mailbox only then).

    Optional method: `hear_stream(messages)`, a generator that hears the messages of its latest lane one after the other
    and yields what `hear` would answer. A call per burst instead of per book: it is for the tick path.
    """

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

    def __init__(
        self,
        name: str,
        engine: str,
        mailbox: Mailbox,
        clock: Clock,
        routes: dict[type, tuple[Put, ...]],
        turns: Turns,
    ):
        self.name = name
        self.engine = engine
        self.mailbox = mailbox
        self.clock = clock
        self.routes = routes
        self.turns = turns
        self.in_hand: Any = None  # what is being handled now; goes to the dead letters if that crashes
        self.in_hand_ns = 0
        self.progress_ns = 0  # when a body that works by its own beat said last that it does; 0: it never did
        self.group: asyncio.TaskGroup | None = None
        self.started: asyncio.Future[None] = clock.loop.create_future()

    def ready(self) -> None:
        """Say that the start is over, so that the next child may start."""
        if not self.started.done():
            self.started.set_result(None)

    def progress(self) -> None:
        """Say that the work goes on: for bodies that nobody writes to, whose mailbox shows nothing of a hang.

        Once said it must be said again within the actor's deadline.
        """
        self.progress_ns = self.clock.now_ns()

    def say(self, message: Any) -> None:
        """Send a message to everyone who hears its type. Raises MailboxFull where one of them has no room."""
        puts = self.routes.get(type(message))
        if puts is None:
            raise undeclared(self.name, type(message))
        for put in puts:
            put(message)

    def say_many(self, messages: Sequence[Any]) -> None:
        """`say` for messages in a row: a burst of one type goes to each mailbox as a whole."""
        if len(messages) == 1:
            self.say(messages[0])
        elif len(kinds := set(map(type, messages))) == 1:
            for put in self._puts(kinds.pop()):
                put.__self__.put_many(messages)  # type: ignore[attr-defined]  # of a lane, or of a door to one
        else:
            for message in messages:
                self.say(message)

    async def pause(self) -> None:
        """Let others run: for a body whose source does not run dry."""
        await asyncio.sleep(0)

    async def say_wait(self, message: Any) -> None:
        """Send a message, waiting for room where there is none: for bodies whose source can wait (a socket)."""
        for put in self._puts(type(message)):
            await put.__self__.put_wait(message)  # type: ignore[attr-defined]  # of a lane, or of a door to one

    def _puts(self, message: type) -> tuple[Put, ...]:
        puts = self.routes.get(message)
        if puts is None:
            raise undeclared(self.name, message)
        return puts

    def drop(self, in_hand: Any, rest: list[Any]) -> None:
        """Remember the message that is killing the actor and return the rest of its batch to the mailbox."""
        self.in_hand = in_hand
        self.mailbox.put_back(rest)

    def cut_off(self) -> None:
        """Take mailbox and voice from a body that would not stop: its successor has them now."""
        self.mailbox = Mailbox(self.name, (), self.clock.now_ns)
        self.routes = {}

    def spawn(self, work: Coroutine[Any, Any, None]) -> None:
        """Run something beside the body; it ends with the body, and its crash is the body's crash."""
        try:
            if self.group is None:
                raise RuntimeError(f"{self.name} is not running")
            self.group.create_task(work)
        except RuntimeError:  # its group is closed
            work.close()
            raise

    async def beat(self, every_s: float) -> None:
        """Put a Tick into the mailbox at every multiple of the interval; a late actor gets one, not many."""
        every_ns = round(every_s * NS_PER_S)
        lane = self.mailbox.lanes.get(Tick)
        if lane is None:
            raise Undeclared(f"{self.name} has a beat but does not hear Tick")
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
        reader = MindReader(self.mind, post)
        try:
            await reader.crashed
        finally:
            reader.stop()


class MindReader:
    """Gives a mind its turns. It lies in the mailbox where a waiting body has a future: waking it asks for a turn."""

    def __init__(self, mind: Mind, post: Post):
        self.post = post
        self.hear = mind.hear
        self.hear_stream: HearStream | None = getattr(mind, "hear_stream", None)
        self.crashed: asyncio.Future[None] = post.clock.loop.create_future()
        self.stopped = False
        post.turns.add(self)

    def set_result(self, _: None) -> None:
        """Something has come."""
        self.post.turns.add(self)

    def stop(self) -> None:
        """Take no more turns."""
        self.stopped = True
        if self.post.mailbox.waiter is self:
            self.post.mailbox.waiter = None
        if self.crashed.done() and not self.crashed.cancelled():
            self.crashed.exception()  # seen, even by one that was stopped at the same moment

    def turn(self) -> bool:
        """Read all there is, or one long batch; says whether it was that."""
        mailbox = self.post.mailbox
        try:
            while not self.stopped and (batch := mailbox.take()):
                if self.hear_stream is not None and mailbox.took_latest:
                    self._hear_stream(self.hear_stream, batch)
                else:
                    self._hear_each(batch)
                if len(batch) >= BATCH_MAX:
                    if not len(mailbox):
                        mailbox.since_ns = 0  # all that came is handled: busy is not late
                    self.post.turns.add(self)
                    return True
        except (KeyboardInterrupt, SystemExit):
            raise
        except BaseException as error:
            self._crash(error)
        if not self.stopped:
            mailbox.waiter = self
        return False

    def _crash(self, error: BaseException) -> None:
        self.stopped = True
        if not isinstance(error, Exception) or isinstance(error, StopIteration):  # which mean something else to a task
            error, cause = RuntimeError(f"the mind raised {type(error).__name__}"), error
            error.__cause__ = cause
        if not self.crashed.done():
            self.crashed.set_exception(error)

    def _hear_each(self, batch: list[Any]) -> None:
        """One message after the other; the sends are written out instead of called."""
        hear, routes = self.hear, self.post.routes
        message, unread = None, iter(batch)
        try:
            for message in unread:
                for said in hear(message):
                    puts = routes.get(type(said))
                    if puts is None:
                        raise undeclared(self.post.name, type(said))
                    for put in puts:
                        put(said)
        except BaseException:
            self.post.drop(message, list(unread))
            raise

    def _hear_stream(self, hear_stream: HearStream, batch: list[Any]) -> None:
        """A burst of books in one call. The mind reads the iterator: what is left in it was not handled."""
        unread = iter(batch)
        said: list[Any] = []
        try:
            said.extend(hear_stream(unread))  # keeps what was said before a crash
        except BaseException:
            rest = list(unread)
            self.post.drop(batch[len(batch) - len(rest) - 1], rest)
            raise
        finally:
            if said:
                self.post.say_many(said)
