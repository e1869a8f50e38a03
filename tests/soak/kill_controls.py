"""Controls: designs that lose orders, double them or misjudge them. The harness must find each of them out.

Each is laid over the process that is to die, as the traps are, and dies where its mistake can show.
"""

from collections.abc import Callable
from typing import Any, NamedTuple

from msgspec.structs import replace

from actors import reconciler
from actors.executor import Executor, ExecutorMind
from actors.ledger import LedgerMind, latched
from actors.messages import Journaled, OrderPlanned, TradingState
from risk.intent import Cancel
from risk.order import OrderState
from supervisor.actor import Post
from supervisor.draws import identity, uniform
from tests.soak.kill_points import CROSS, HALT, MOVE, PLACE, Plan
from venues.alpaca import trading as alpaca
from venues.hyperliquid.adapter import Hyperliquid
from venues.market import Fill, OrderRequest, TimeInForce
from venues.skew import Skew
from venues.venue import VenueMisspoke, VenueUnreachable


def _take_in_all() -> None:
    """Let the venue take every order in that is to rest: post-only ones that come late are refused half of the time."""
    usual = ExecutorMind.plan

    def plan(self: ExecutorMind, approved: Any) -> OrderPlanned:
        planned = usual(self, approved)
        if planned.order.time_in_force is TimeInForce.ALO:
            planned = replace(planned, order=replace(planned.order, time_in_force=TimeInForce.GTC))
            self.waiting[planned.order.id] = planned
        return planned

    ExecutorMind.plan = plan  # type: ignore[method-assign]


def sent_first() -> None:
    """The naive design: an order is sent, then recorded; a lost answer is taken for a refusal."""

    def handle(self: Executor, post: Post, message: Any) -> None:
        if isinstance(message, Journaled):
            return
        if isinstance(message.wish, Cancel):
            post.spawn(self._cancel(post, message.wish))
            return
        planned = self.mind.plan(message)
        self.mind.waiting.pop(planned.order.id)

        async def send_and_record() -> None:
            order = planned.order
            try:
                verdict = await (self.venue.replace(order) if order.replaces else self.venue.submit(order))
            except (VenueUnreachable, VenueMisspoke, TimeoutError):
                return
            post.say(planned)
            post.say(verdict)

        post.spawn(send_and_record())

    Executor._handle = handle  # type: ignore[method-assign]


def unfenced() -> None:
    """ "Not found" is taken for proof whenever it is said, and nothing keeps an order from coming later."""
    _take_in_all()
    usual, built = reconciler.Reconciler._settle, Executor.__init__

    async def settle(self: Any, post: Post, order: Any) -> None:
        await usual(self, post, replace(order, fence_ns=1))

    def init(self: Executor, mind: Any, venue: Any) -> None:
        mind.expires = False
        built(self, mind, venue)

    async def use_up(self: Any, tracked: Any, instrument: Any) -> None:
        return None

    reconciler.Reconciler._settle = settle  # type: ignore[method-assign]
    Executor.__init__ = init  # type: ignore[method-assign]
    Hyperliquid._check_proof = lambda *_: None  # type: ignore[method-assign,assignment]
    alpaca.Desk._use_up = use_up  # type: ignore[method-assign,assignment]


UNDER_WAY: list[Any] = []
"""Orders that a new life finds sent and without an answer."""


READY_S = 3.0
"""Of the venue's time: before, nobody knows what can be traded. What else holds an adapter back is taken away."""


def _with_under_way(do: Callable[[Executor, Post, int, Any], None]) -> None:
    """Let the executor of a new life do something about each of them."""
    _take_in_all()
    Skew.shut = lambda self: ""  # type: ignore[method-assign]
    alpaca.Desk._held_back = lambda self, order: ""  # type: ignore[method-assign]
    usual_run, usual_recovered = Executor.run, LedgerMind.recovered

    async def run(self: Executor, post: Post) -> None:
        async def later() -> None:
            await post.clock.sleep(READY_S)
            for number, order in enumerate(UNDER_WAY):
                do(self, post, number, order)

        post.spawn(later())
        await usual_run(self, post)

    def recovered(self: LedgerMind, at_ns: int) -> Any:
        UNDER_WAY[:] = [one.request for one in self.orders.values() if one.state is OrderState.SENT]
        return usual_recovered(self, at_ns)

    LedgerMind.recovered = recovered  # type: ignore[method-assign]
    Executor.run = run  # type: ignore[method-assign]


def again_of(order: OrderRequest, number: int) -> OrderRequest:
    """The same under a fresh name."""
    return replace(order, id=identity(order.id, "again", number), replaces="", expires_ns=0)


def resent() -> None:
    """What was under way when the last life ended is sent again under a new name, which nobody writes down."""

    def send(self: Executor, post: Post, number: int, order: Any) -> None:
        post.spawn(self._send(post, again_of(order, number)))

    _with_under_way(send)


def replanned() -> None:
    """The same, written down: as a client does that tries a POST again under a fresh name."""

    def plan(self: Executor, post: Post, number: int, order: Any) -> None:
        again = again_of(order, number)
        planned = OrderPlanned(again.engine, again, not again.reduce_only, post.clock.now_ns())
        self.mind.waiting[again.id] = planned
        post.say(planned)

    _with_under_way(plan)


def unread() -> None:
    """What was filled while nobody listened stays unknown."""
    began_ns = 0

    def recovered(self: LedgerMind, at_ns: int) -> Any:
        nonlocal began_ns
        began_ns = at_ns
        return usual_recovered(self, at_ns)

    def hear(self: LedgerMind, message: Any) -> Any:
        missed = isinstance(message, Fill) and message.at_ns < began_ns
        return ([], []) if missed else usual(self, message)

    usual, LedgerMind.hear = LedgerMind.hear, hear  # type: ignore[method-assign]
    usual_recovered, LedgerMind.recovered = LedgerMind.recovered, recovered  # type: ignore[method-assign]


def unasked() -> None:
    """Nobody asks about orders whose answer was lost."""

    async def settle(self: Any, post: Post, order: Any) -> None:
        return None

    reconciler.Reconciler._settle = settle  # type: ignore[method-assign]


def forgetful() -> None:
    """An order of the operator's is obeyed and not kept: a halt that lives in memory alone."""

    def hear(self: LedgerMind, message: Any) -> Any:
        return ([], [latched(message)]) if isinstance(message, TradingState) else usual(self, message)

    usual, LedgerMind.hear = LedgerMind.hear, hear  # type: ignore[method-assign]


class Control(NamedTuple):
    """A wrong design, what it must be found out by, and where it is killed, in turn."""

    install: Callable[[], None]
    finds: str  # a kind of failure
    cells: tuple[str, ...]
    late_s: tuple[float, ...] = (0.0,)  # as Plan's, in turn


SENT = tuple(f"{point}/{kind}" for point in ("after_send", "in_flight") for kind in (PLACE, CROSS, MOVE))
PLACED = tuple(f"{point}/{PLACE}" for point in ("after_send", "in_flight"))

CONTROLS = {
    one.install.__name__: one
    for one in (
        Control(sent_first, "orphans", SENT),
        Control(replanned, "duplicates", PLACED),
        Control(unfenced, "wrong_verdicts", PLACED, (-1, -2, -3)),
        Control(resent, "orphans", PLACED),
        Control(unread, "lost", ("before_fill/cross", "after_send/cross", "in_flight/cross")),
        Control(unasked, "unequal", PLACED),
        Control(forgetful, "latch", (HALT,)),
    )
}
"""By the names that the command line knows."""


def plan_against(control: Control, seed: int, number: int) -> Plan:
    """A kill that the mistake can show at."""
    later_s = uniform(seed, f"control/{control.install.__name__}/later", number)
    late_s = control.late_s[number % len(control.late_s)]
    return Plan(control.cells[number % len(control.cells)], 1, later_s, early=False, late_s=late_s)
