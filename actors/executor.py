"""Executor: the only writer to a venue. Carries out what was approved and nothing else; sends what is on disk."""

import asyncio
from collections.abc import Awaitable, Callable
from typing import Any, ClassVar

from actors.messages import CancelSent, Journaled, OrderPlanned, TradingState, Unanswered
from risk.gate_state import trading_of
from risk.intent import Approved, Cancel, Intent, Purpose, Reprice, Trading
from supervisor.actor import Post
from supervisor.clock import NS_PER_S
from supervisor.mailbox import Hears
from venues.market import Accepted, Cancelled, CancelRefused, OrderRequest, Rejected
from venues.venue import Venue, VenueMisspoke, VenueUnreachable

ANSWER_S_MAX = 10.0
"""A venue that has not answered by then will be asked by the reconciler; ten times a slow answer."""

EXPIRY_S = 15.0
"""The venue must refuse an order that arrives later than this: the fence behind which 'not found' is proof."""

NO_FENCE = 0
"""Nothing that happened here keeps an order from arriving later; the ledger holds on to the fence it was sent with."""

LET_GO_MAX = 1_000
"""Orders that are remembered not to wait any more: minutes of them, where the disk's word takes milliseconds."""

NEVER_SENT = "never sent: the executor that planned it crashed"
STOPPED = "never sent: trading is {} since it began to wait for the disk"
TOO_LATE = "never sent: it waited {:.1f} s for the disk, and an entry holds for {:g} s"

Verdict = Accepted | Rejected | Cancelled | CancelRefused


class ExecutorMind:
    """Turns approved wishes into requests and remembers those that wait for the disk."""

    def __init__(self, engine: str, new_id: Callable[[], str], *, expires: bool):
        self.engine = engine
        self.new_id = new_id
        self.expires = expires
        self.waiting: dict[str, OrderPlanned] = {}
        self.trading: dict[str, Trading] = {}  # of this engine, and of all
        self.let_go: dict[str, None] = {}  # those that wait no more: sent, or withdrawn

    def withdraw(self, order_id: str) -> bool:
        """Whether an order was still waiting for the disk; it is not sent then."""
        return self._let_go(order_id) is not None

    def plan(self, approved: Approved[Any]) -> OrderPlanned:
        """The order that an approved intent or reprice asks for, waiting to be journaled."""
        wish = approved.wish
        move = isinstance(wish, Reprice)
        order = OrderRequest(
            id=self.new_id(),
            intent_id=wish.intent_id if move else wish.id,
            engine=self.engine,
            symbol=wish.symbol,
            side=wish.side,
            lots=wish.lots_total if move else wish.lots,
            ticks=wish.ticks,
            time_in_force=wish.time_in_force,
            reduce_only=wish.purpose is Purpose.EXIT,
            expires_ns=approved.at_ns + round(EXPIRY_S * NS_PER_S) if self.expires else 0,
            replaces=wish.order_id if move else "",
        )
        planned = OrderPlanned(self.engine, order, wish.purpose is Purpose.ENTRY, approved.at_ns)
        self.waiting[order.id] = planned
        return planned

    def release(self, journaled: Journaled, now_ns: int) -> OrderRequest | Rejected | None:
        """The order that may be sent now; None if it was withdrawn or is sent.

        Refused if this mind did not plan it: its predecessor did, and crashed before it could send it. Refused if it
        is an entry and the disk took so long that what was approved is not so any more.
        """
        if journaled.order_id in self.let_go:
            return None
        planned = self._let_go(journaled.order_id)
        why = NEVER_SENT if planned is None else self._outlived(planned, now_ns)
        if planned is None or why:
            return Rejected(journaled.engine, journaled.order_id, journaled.symbol, why, now_ns)
        return planned.order

    def _outlived(self, planned: OrderPlanned, now_ns: int) -> str:
        """Why an entry that waited may not be sent any more. An exit is, however late."""
        if not planned.entry:
            return ""
        if (now := trading_of(self.trading, self.engine)) is not Trading.ACTIVE:
            return STOPPED.format(now)
        waited_s = (now_ns - planned.at_ns) / NS_PER_S
        return TOO_LATE.format(waited_s, EXPIRY_S) if waited_s > EXPIRY_S else ""

    def _let_go(self, order_id: str) -> OrderPlanned | None:
        planned = self.waiting.pop(order_id, None)
        if planned is not None:
            self.let_go[order_id] = None
            if len(self.let_go) > LET_GO_MAX:
                del self.let_go[next(iter(self.let_go))]
        return planned


class Executor:
    """The body: sends, waits for verdicts, and says that the answer was lost when it was."""

    hears: ClassVar[tuple[Hears, ...]] = (Hears(TradingState), Hears(Approved), Hears(Journaled))
    says: ClassVar[tuple[type, ...]] = (
        OrderPlanned,
        CancelSent,
        Accepted,
        Rejected,
        Cancelled,
        CancelRefused,
        Unanswered,
    )

    def __init__(self, mind: ExecutorMind, venue: Venue):
        self.mind = mind
        self.venue = venue
        self.unanswered: dict[str, asyncio.Event] = {}  # orders on their way to the venue

    async def run(self, post: Post) -> None:
        """Carry out what was approved."""
        post.ready()
        while True:
            while batch := post.mailbox.take():
                message, unread = None, iter(batch)
                try:
                    for message in unread:
                        self._handle(post, message)
                except Exception:
                    post.drop(message, list(unread))  # a cancel among them is the next executor's
                    raise
            await post.mailbox.wait()

    def _handle(self, post: Post, message: TradingState | Approved[Any] | Journaled) -> None:
        if isinstance(message, TradingState):
            self.mind.trading[message.engine] = message.state
        elif isinstance(message, Journaled):
            order = self.mind.release(message, post.clock.now_ns())
            if isinstance(order, Rejected):
                post.say(order)
            elif order is not None:
                post.spawn(self._send(post, order))
        elif isinstance(message.wish, Intent | Reprice):
            post.say(self.mind.plan(message))
        elif isinstance(message.wish, Cancel):
            post.spawn(self._cancel(post, message.wish))

    async def _send(self, post: Post, order: OrderRequest) -> None:
        self.unanswered[order.id] = asyncio.Event()
        if order.replaces:
            post.say(CancelSent(order.engine, order.replaces, post.clock.now_ns()))
            await self._ask(post, order, self.venue.replace(order))
        else:
            await self._ask(post, order, self.venue.submit(order))
        self.unanswered.pop(order.id).set()

    async def _ask(self, post: Post, order: OrderRequest, answer: Awaitable[Verdict]) -> None:
        try:
            async with asyncio.timeout(ANSWER_S_MAX):
                post.say(await answer)
        except (VenueUnreachable, VenueMisspoke, TimeoutError) as error:
            why = f"{type(error).__name__}: {error}"
            post.say(Unanswered(order.engine, order.id, order.expires_ns, why, post.clock.now_ns()))

    async def _cancel(self, post: Post, wish: Cancel) -> None:
        """Cancel, but not before the venue has the order. A lost answer is doubt: the reconciler asks about it."""
        if self.mind.withdraw(wish.order_id):
            post.say(Cancelled(wish.engine, wish.order_id, wish.symbol, 0, "withdrawn", post.clock.now_ns()))
            return
        if (under_way := self.unanswered.get(wish.order_id)) is not None:
            await under_way.wait()
        post.say(CancelSent(wish.engine, wish.order_id, post.clock.now_ns()))
        try:
            async with asyncio.timeout(ANSWER_S_MAX):
                post.say(await self.venue.cancel(wish.symbol, wish.order_id))
        except (VenueUnreachable, VenueMisspoke, TimeoutError) as error:
            why = f"{type(error).__name__}: {error}"
            post.say(Unanswered(wish.engine, wish.order_id, NO_FENCE, why, post.clock.now_ns()))
