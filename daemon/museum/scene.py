"""Bodies of actors in virtual time, for exhibits: one actor, its supervisor, what it is told when and what it says."""

from collections.abc import Callable, Sequence
from functools import partial
from typing import Any, ClassVar

from msgspec import Struct

from actors.messages import BooksAsked, BooksTold
from daemon.museum.bench import NOW_NS, S
from supervisor.actor import Body, MindBody, Post
from supervisor.child import ChildSpec, SupervisorSpec
from supervisor.clock import Clock
from supervisor.mailbox import Hears
from supervisor.program import Program
from supervisor.supervisor import House
from supervisor.virtual import run_virtual
from venues.market import Accepted, Cancelled, CancelRefused, Fill, OpenOrder, OrderRequest, Rejected, VenuePosition
from venues.venue import VenueUnreachable

Cue = tuple[float, Any]
"""Seconds from the start, and what is said then; something to call is called."""


class Listener:
    """Writes down what it hears, in order."""

    hears: ClassVar[tuple[Hears, ...]] = ()  # its child says which
    says: ClassVar[tuple[type, ...]] = ()

    def __init__(self, pages: list[Any]) -> None:
        self.pages = pages

    def hear(self, message: Any) -> tuple[Any, ...]:
        """Write it down."""
        self.pages.append(message)
        return ()


class Clerk:
    """A ledger that has always written what it was told, or whoever is asked in its place."""

    hears: ClassVar[tuple[Hears, ...]] = (Hears(BooksAsked),)
    says: ClassVar[tuple[type, ...]] = (BooksTold,)

    def hear(self, asked: BooksAsked) -> tuple[BooksTold, ...]:
        """It is."""
        return (BooksTold(asked.engine, asked.number),)


class Silent:
    """A body for those who only lend their voice to what the exhibit says."""

    async def run(self, post: Post) -> None:
        """Be there."""
        post.ready()
        await post.clock.loop.create_future()


CLERK = (ChildSpec(name="clerk", start=lambda: MindBody(Clerk()), hears=Clerk.hears, says=Clerk.says),)


def perform(name: str, actor: type[Any], start: Callable[[], Body], cues: Sequence[Cue], seconds: float) -> list[Any]:
    """Run an actor for so long and return all it said; cues are said by nobody in particular."""
    pages: list[Any] = []
    others = tuple({heard.message for heard in actor.hears} - set(actor.says))
    listens = tuple(Hears(kind) for kind in actor.says)
    echoed = tuple(heard.message for heard in actor.hears if heard.message in actor.says)
    root = SupervisorSpec(
        name="scene",
        children=(
            ChildSpec(name="listener", start=lambda: MindBody(Listener(pages)), hears=listens),
            ChildSpec(name="account", start=Silent, says=echoed),
            *(CLERK if BooksAsked in actor.says else ()),
            ChildSpec(name=name, engine="perps", start=start, hears=actor.hears, says=actor.says),
        ),
    )

    async def live(clock: Clock) -> None:
        house = House(root, clock, outside=others)
        program = Program(house)
        for after_s, said in cues:
            clock.call_at(NOW_NS + round(after_s * S), partial(_say, house, said))
        clock.call_at(NOW_NS + round(seconds * S), partial(program.stop, "the scene is over"))
        ending = await program.run(_nothing)
        if ending.gave_up is not None:
            raise ending.gave_up

    run_virtual(live, NOW_NS)
    return pages


def _say(house: House, said: Any) -> None:
    if callable(said):
        said()
        return
    for put in house.route(type(said)):
        put(said)


async def _nothing() -> None:
    """There is nothing to wind down."""


class Papers(Struct):
    """What a venue would answer; the exhibit writes it, and may change it while the scene plays."""

    orders: list[OpenOrder]
    held: list[VenuePosition]
    filled: list[Fill]
    known: dict[str, OpenOrder | Cancelled | Rejected]
    reachable: bool = True


def papers(**told: Any) -> Papers:
    """A venue where nothing is, but what is told."""
    return Papers(**({"orders": [], "held": [], "filled": [], "known": {}} | told))


class PaperVenue:
    """Answers what its papers say; what is sent is written down, and taken, with no answer."""

    def __init__(self, told: Papers) -> None:
        self.papers = told
        self.sent: list[OrderRequest] = []

    def _answer(self) -> Papers:
        if not self.papers.reachable:
            raise VenueUnreachable("no route to the venue")
        return self.papers

    def deaf(self) -> Sequence[str]:
        """Nothing: everything is heard."""
        return ()

    def theirs_ns(self, at_ns: int) -> int:
        """The same: there is one clock."""
        return at_ns

    async def open_orders(self) -> Sequence[OpenOrder]:
        """What rests."""
        return tuple(self._answer().orders)

    async def positions(self) -> Sequence[VenuePosition]:
        """What is held."""
        return tuple(self._answer().held)

    async def fills(self, since_ns: int) -> Sequence[Fill]:
        """What was filled."""
        return tuple(fill for fill in self._answer().filled if fill.at_ns >= since_ns)

    async def find(self, symbol: str, order_id: str) -> OpenOrder | Cancelled | Rejected | None:
        """What became of an order."""
        return self._answer().known.get(order_id)

    async def submit(self, order: OrderRequest) -> Accepted | Rejected:
        """It arrives; its answer does not."""
        self.sent.append(order)
        raise VenueUnreachable("the answer was lost")

    async def replace(self, order: OrderRequest) -> Accepted | Rejected | CancelRefused:
        """The same."""
        return await self._lost(order)

    async def _lost(self, order: OrderRequest) -> Accepted | Rejected | CancelRefused:
        self.sent.append(order)
        raise VenueUnreachable("the answer was lost")
