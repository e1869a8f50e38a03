"""Controls: designs that lose orders, double them or misjudge them. The harness must find each of them out.

    sent_first  an order is sent, then recorded; a lost answer is taken for a refusal
    unfenced    "not found" is taken for proof, whenever it is said
    resent      what was under way when the last life ended is sent again under a new name
    forgetful   an order of the operator's is obeyed and not kept

Each is laid over the process that is to die, as the traps are.
"""

from collections.abc import Callable
from typing import Any

from msgspec.structs import replace

from actors import reconciler
from actors.executor import Executor
from actors.ledger import LedgerMind
from actors.messages import Journaled, TradingState
from risk.intent import Cancel
from risk.order import OrderState
from supervisor.actor import Post
from supervisor.draws import identity
from venues.hyperliquid.adapter import Hyperliquid
from venues.venue import VenueMisspoke, VenueUnreachable


def sent_first() -> None:
    """The naive design."""

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
    """Without the wait for what makes it a proof."""
    usual = reconciler.Reconciler._settle

    async def settle(self: Any, post: Post, order: Any) -> None:
        await usual(self, post, replace(order, fence_ns=1))

    reconciler.Reconciler._settle = settle  # type: ignore[method-assign]
    Hyperliquid._check_proof = lambda *_: None  # type: ignore[method-assign,assignment]


def resent() -> None:
    """What a new life finds under way it sends once more."""
    usual = Executor.run

    async def run(self: Executor, post: Post) -> None:
        for number, order in enumerate(UNDER_WAY):
            again = replace(order, id=identity(order.id, "again", number), replaces="", expires_ns=0)
            post.spawn(self._send(post, again))
        await usual(self, post)

    def recovered(self: LedgerMind, at_ns: int) -> Any:
        UNDER_WAY[:] = [one.request for one in self.orders.values() if one.state is OrderState.SENT]
        return usual_recovered(self, at_ns)

    usual_recovered, LedgerMind.recovered = LedgerMind.recovered, recovered  # type: ignore[method-assign]
    Executor.run = run  # type: ignore[method-assign]


UNDER_WAY: list[Any] = []


def forgetful() -> None:
    """A halt that lives in memory alone."""

    def hear(self: LedgerMind, message: Any) -> Any:
        return ([], []) if isinstance(message, TradingState) else usual(self, message)

    usual, LedgerMind.hear = LedgerMind.hear, hear  # type: ignore[method-assign]


CONTROLS: dict[str, Callable[[], None]] = {made.__name__: made for made in (sent_first, unfenced, resent, forgetful)}
"""By the names that the command line knows."""
