"""Control: the operator's voice in the graph. The door is the daemon's (a socket); here it becomes commands."""

from collections.abc import Awaitable, Callable
from typing import ClassVar, Protocol

from actors.messages import Command, Tune
from supervisor.actor import Post
from supervisor.mailbox import Hears


class Door(Protocol):
    """Whatever lets an operator in."""

    async def serve(self, command: Callable[[Command | Tune], Awaitable[None]], ready: Callable[[], None]) -> None:
        """Serve until cancelled; calls `ready` once operators can come in, `command` with what they order."""
        ...


class Control:
    """The body."""

    hears: ClassVar[tuple[Hears, ...]] = ()
    says: ClassVar[tuple[type, ...]] = (Command, Tune)

    def __init__(self, door: Door):
        self.door = door

    async def run(self, post: Post) -> None:
        """Serve."""
        await self.door.serve(post.say_wait, post.ready)
