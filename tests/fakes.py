"""Toys that tests share: messages, minds that write down what they hear, bodies that fail as told, trees."""

import asyncio
from collections.abc import Awaitable, Callable, Coroutine
from typing import Any, TypeVar

from msgspec import Struct

from supervisor.actor import MindBody, Post
from supervisor.child import ChildSpec, SupervisorSpec
from supervisor.clock import NS_PER_S, Clock
from supervisor.mailbox import Hears
from supervisor.supervisor import House, Supervisor
from supervisor.virtual import run_virtual

T = TypeVar("T")
EPOCH_NS = 1_700_000_000_000_000_000
"""When the toys' time begins: a whole second, and 20 s before a whole minute."""


STUBBORN_S = 3600.0
AFTERWARDS_S = 2 * STUBBORN_S


class Note(Struct, frozen=True):
    """A message that is queued."""

    number: int


class Letter(Struct, frozen=True):
    """Another one, of a second type."""

    number: int


class Quote(Struct, frozen=True):
    """A message of which only the newest of a symbol matters."""

    symbol: str
    number: int


class Order(Struct, frozen=True):
    """A message meant for one engine, or for all when it names none."""

    engine: str
    number: int


class Poison(Struct, frozen=True):
    """A message that kills who hears it."""

    number: int = 0


class Poisoned(Exception):
    """What hearing Poison does."""


class Notebook:
    """A mind that writes down what it hears, dies of Poison and says nothing."""

    def __init__(self, pages: list[Any]):
        self.pages = pages

    def hear(self, message: Any) -> tuple[Any, ...]:
        """Write it down."""
        if isinstance(message, Poison):
            raise Poisoned(f"number {message.number}")
        self.pages.append(message)
        return ()


class Scripted:
    """A body that does what a function says."""

    def __init__(self, script: Callable[[Post], Awaitable[None]]):
        self.script = script

    async def run(self, post: Post) -> None:
        """Do it."""
        await self.script(post)


async def rest(post: Post) -> None:
    """A body that is ready at once and then does nothing."""
    post.ready()
    await post.clock.loop.create_future()


async def stubborn(post: Post) -> None:
    """A body that is ready at once and ignores every cancellation for an hour."""
    post.ready()
    await endure(post)


async def endure(post: Post) -> None:
    """Ignore every cancellation for an hour."""
    end_ns = post.clock.now_ns() + round(STUBBORN_S * NS_PER_S)
    while post.clock.now_ns() < end_ns:
        try:
            await post.clock.sleep_until(end_ns)
        except asyncio.CancelledError:
            continue


def child(name: str, script: Callable[[Post], Awaitable[None]] = rest, **options: Any) -> ChildSpec:
    """A child whose every life is one run of a script."""
    return ChildSpec(name=name, start=lambda: Scripted(script), **options)


def notebook(name: str, pages: list[Any], *hears: type, **options: Any) -> ChildSpec:
    """A child that writes down what it hears; each life has a new mind and the same pages."""
    heard = tuple(Hears(message) for message in hears)
    return ChildSpec(name=name, start=lambda: MindBody(Notebook(pages)), hears=heard, **options)


def tree(*children: ChildSpec | SupervisorSpec, **options: Any) -> SupervisorSpec:
    """A supervisor called root."""
    return SupervisorSpec(name="root", children=children, **options)


Play = Callable[[House, "asyncio.Task[None]"], Coroutine[Any, Any, T]]


def play(root: SupervisorSpec, script: Play[T], outside: tuple[type, ...] = (), shuffle: int | None = None) -> T:
    """Run a tree in virtual time, do the script once it is up (or gave up), stop it, and see that nothing is left.

    Nothing: no task at once, and hours later no timer has brought one back.
    """

    async def main(clock: Clock) -> T:
        house = House(root, clock, seed=7, outside=outside)
        supervisor = Supervisor(root, house)
        task = asyncio.create_task(supervisor.run())
        await asyncio.wait([supervisor.ready, task], return_when=asyncio.FIRST_COMPLETED)
        try:
            return await script(house, task)
        finally:
            task.cancel()
            await asyncio.wait([task])
            for _ in range(2):
                left = asyncio.all_tasks() - {asyncio.current_task()}
                assert not left, f"still running: {left}"
                await clock.sleep(AFTERWARDS_S)

    return run_virtual(main, EPOCH_NS, shuffle)


def say(house: House, *messages: Any) -> None:
    """Put messages into every mailbox that hears them."""
    for message in messages:
        for put in house.route(type(message)):
            put(message)
