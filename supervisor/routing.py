"""Static typed routing: who hears what, known and checked before anything runs.

A message goes to every actor that hears its type and shares its scope: an engine's actor reaches its own engine and the
shared actors. A shared actor reaches all of them, or, when the message names an engine, that engine and the shared
ones. Nobody hears itself.
"""

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from supervisor.actor import Put
from supervisor.child import ChildSpec
from supervisor.mailbox import LatestLane, Mailbox, Overflow, QueueLane


class RoutingError(Exception):
    """The graph is not closed: somebody says what nobody hears, or hears what nobody says."""


def check_routes(actors: Iterable[ChildSpec], outside: Iterable[type] = ()) -> None:
    """Refuse a graph with a loose end. `outside`: types that come from the supervisor or go to the outside."""
    actors = tuple(actors)
    names = [actor.key for actor in actors]
    if twice := sorted({name for name in names if names.count(name) > 1}):
        raise RoutingError(f"two actors are called {', '.join(twice)}")
    free = set(outside)
    for actor in actors:
        reach = [other for other in actors if other is not actor and meets(actor, other)]
        heard = {h.message for other in reach for h in other.hears} | free
        said = {message for other in reach for message in other.says} | free
        for message in actor.says:
            if message not in heard:
                raise RoutingError(f"{actor.key} says {message.__name__}, which nobody hears")
        for hears in actor.hears:
            message = hears.message
            if message not in said:
                raise RoutingError(f"{actor.key} hears {message.__name__}, which nobody says")
            if hears.overflow is Overflow.LATEST and "symbol" not in getattr(message, "__struct_fields__", ()):
                raise RoutingError(
                    f"{actor.key} hears the latest {message.__name__}, which has no symbol to tell streams by"
                )
        if len({hears.message for hears in actor.hears}) < len(actor.hears):
            raise RoutingError(f"{actor.key} hears a type twice")


def meets(speaker: ChildSpec, hearer: ChildSpec) -> bool:
    """Whether two actors share a scope."""
    return not speaker.engine or not hearer.engine or speaker.engine == hearer.engine


def routes_of(
    speaker: ChildSpec, actors: Iterable[ChildSpec], mailboxes: Mapping[str, Mailbox]
) -> dict[type, tuple[Put, ...]]:
    """Where each type that an actor says goes, in the order of the graph."""
    routes: dict[type, tuple[Put, ...]] = {}
    for message in speaker.says:
        puts: list[Put] = []
        for hearer in actors:
            lane = mailboxes[hearer.key].lanes.get(message)
            if lane is None or hearer is speaker or not meets(speaker, hearer):
                continue
            named = not speaker.engine and hearer.engine and "engine" in getattr(message, "__struct_fields__", ())
            puts.append(_Door(hearer.engine, lane).put if named else lane.put)
        routes[message] = tuple(puts)
    return routes


class _Door:
    """Lets through to a lane what is meant for its engine, or for all (an empty name)."""

    def __init__(self, engine: str, lane: QueueLane | LatestLane):
        self.engine = engine
        self.lane = lane

    def put(self, message: Any) -> None:
        if message.engine in (self.engine, ""):
            self.lane.put(message)

    def put_many(self, messages: Sequence[Any]) -> None:
        for message in messages:
            self.put(message)

    async def put_wait(self, message: Any) -> None:
        if message.engine in (self.engine, ""):
            await self.lane.put_wait(message)


def edges(actors: Iterable[ChildSpec]) -> list[tuple[str, str, str]]:
    """(speaker, message, hearer) for every way a message can go, in graph order: the diagram's data."""
    actors = tuple(actors)
    found: list[tuple[str, str, str]] = []
    for speaker in actors:
        for message in speaker.says:
            for other in actors:
                if other is not speaker and meets(speaker, other) and any(h.message is message for h in other.hears):
                    found.append((speaker.key, message.__name__, other.key))
    return found
