"""Reconciler: compares what the venue holds with what the ledger believes; the venue is right.

It looks at start, when the ledger, the account or the executor of its engine was restarted, and every half minute. A
difference must be seen twice, a grace apart, before it is acted on: an order just sent is not a drift. A query that fails
says nothing at all: it is never read as flat. Doubt about an order closes only by proof (see `_settle`).
"""

from collections.abc import Iterable, Sequence
from typing import Any, ClassVar

from actors.messages import Drift, OrderChanged, PositionChanged, Reconciled, Restated
from risk.intent import Cancel
from risk.order import OrderState
from supervisor.actor import Post
from supervisor.clock import NS_PER_S
from supervisor.mailbox import Hears
from supervisor.messages import ChildStarted, Tick
from venues.market import (
    Accepted,
    Cancelled,
    Fill,
    OpenOrder,
    Rejected,
    VenuePosition,
    side_of,
)
from venues.venue import Venue, VenueMisspoke, VenueUnreachable

LOOK_S = 30.0
"""Between looks in quiet times."""

GRACE_S = 2.0
"""A difference younger than this may be a message under way; longer than any answer seen on the way back."""

OVERLAP_S = 60.0
"""Fills are asked for again from this long before the last look: the ledger knows those it has."""

FILLS_KEPT_MAX = 10_000
"""Ids remembered, so that what the account stream told is not told again; the ledger would know it anyway."""

LIVE = (OrderState.PLANNED, OrderState.SENT, OrderState.RESTING, OrderState.CANCELLING, OrderState.UNKNOWN)


class ReconcilerMind:
    """What the ledger believes, and how it differs from what the venue says."""

    def __init__(self, engine: str):
        self.engine = engine
        self.lots: dict[str, int] = {}
        self.orders: dict[str, OrderChanged] = {}
        self.suspects: dict[str, int] = {}  # a difference -> when it was first seen

    def hear(self, message: OrderChanged | PositionChanged) -> None:
        """Believe the ledger."""
        if isinstance(message, PositionChanged):
            self.lots[message.symbol] = message.lots
        elif message.state in LIVE:
            self.orders[message.order_id] = message
        else:
            self.orders.pop(message.order_id, None)

    def forget(self) -> None:
        """The ledger is about to say everything again."""
        self.lots.clear()
        self.orders.clear()

    def drifts(self, held: Sequence[VenuePosition]) -> dict[str, tuple[int, int, float]]:
        """symbol -> (venue's lots, ledger's lots, venue's entry) where they differ."""
        theirs = {position.symbol: position for position in held}
        found = {}
        for symbol in sorted({*theirs, *self.lots}):
            there, here = theirs.get(symbol), self.lots.get(symbol, 0)
            if (there.lots if there else 0) != here:
                found[symbol] = (there.lots if there else 0, here, there.entry_ticks if there else 0.0)
        return found

    def strays(self, resting: Sequence[OpenOrder]) -> list[OpenOrder]:
        """Orders that rest at the venue and that the ledger does not know."""
        return [order for order in resting if order.order_id not in self.orders]

    def missing(self, resting: Sequence[OpenOrder]) -> list[OrderChanged]:
        """Orders the ledger believes alive and the venue does not show, and those whose state is in doubt."""
        there = {order.order_id for order in resting}
        return [o for o in self.orders.values() if o.order_id not in there or o.state is OrderState.UNKNOWN]

    def confirmed(self, now_ns: int, seen: Iterable[str]) -> set[str]:
        """Those differences that have lasted longer than the grace; those not seen this time are forgotten."""
        self.suspects = {key: self.suspects.get(key, now_ns) for key in seen}
        return {key for key, since_ns in self.suspects.items() if now_ns - since_ns >= GRACE_S * NS_PER_S}


class Reconciler:
    """The body: asks the venue, acts on what lasts, says when entries may pass."""

    hears: ClassVar[tuple[Hears, ...]] = (
        Hears(Restated),
        Hears(OrderChanged),
        Hears(PositionChanged),
        Hears(Fill),
        Hears(ChildStarted),
        Hears(Tick),
    )
    says: ClassVar[tuple[type, ...]] = (Reconciled, Drift, Fill, Accepted, Cancelled, Rejected, Cancel)

    def __init__(self, mind: ReconcilerMind, venue: Venue, opened_ns: int):
        self.mind = mind
        self.venue = venue
        self.looked_ns = opened_ns
        self.verdict: Reconciled | None = None
        self.adopted = 0
        self.heard: dict[str, None] = {}  # ids of fills that the ledger has been told

    async def run(self, post: Post) -> None:
        """Look when it is time to."""
        post.ready()
        post.spawn(post.beat(LOOK_S))
        while True:
            look = False
            while batch := post.mailbox.take():
                for message in batch:
                    look |= self._hear(post, message)
            while look:
                look = await self._look(post)
            await post.mailbox.wait()

    def _hear(self, post: Post, message: Any) -> bool:
        """Take one message; says whether it is time to look."""
        if isinstance(message, OrderChanged | PositionChanged):
            self.mind.hear(message)
            return False
        if isinstance(message, Fill):
            self._remember(message)
            return False
        if isinstance(message, ChildStarted):
            if message.child.startswith("ledger"):
                self.mind.forget()
            return message.engine == post.engine and message.restarts > 0
        return isinstance(message, Tick) or (isinstance(message, Restated) and message.child in (post.name, "ledger"))

    def _remember(self, fill: Fill) -> None:
        self.heard[fill.id] = None
        if len(self.heard) > FILLS_KEPT_MAX:
            del self.heard[next(iter(self.heard))]

    async def _look(self, post: Post) -> bool:
        """Ask, compare, act. True: something is suspect, look again after the grace."""
        started_ns = post.clock.now_ns()
        try:
            fills = await self.venue.fills(self.looked_ns - round(OVERLAP_S * NS_PER_S))
            resting = await self.venue.open_orders()
            held = await self.venue.positions()
        except (VenueUnreachable, VenueMisspoke, TimeoutError) as error:
            self._say_verdict(post, ok=False, reason=f"{type(error).__name__}: {error}")
            return False
        for fill in fills:
            if fill.id not in self.heard:
                self._remember(fill)
                post.say(fill)
        while batch := post.mailbox.take():  # what the ledger said while the venue was asked
            for message in batch:
                self._hear(post, message)
        suspects = await self._compare(post, resting, held)
        self.looked_ns = started_ns
        if suspects:
            await post.clock.sleep(GRACE_S)
            return True
        self._say_verdict(post, ok=True, reason="", resting=len(resting), held=len(held))
        return False

    async def _compare(self, post: Post, resting: Sequence[OpenOrder], held: Sequence[VenuePosition]) -> int:
        """Act on what has lasted; returns how many differences are still young."""
        now_ns = post.clock.now_ns()
        drifts, strays, missing = self.mind.drifts(held), self.mind.strays(resting), self.mind.missing(resting)
        seen = [f"position {s} {d}" for s, d in drifts.items()]
        seen += [f"stray {o.order_id}" for o in strays] + [f"missing {o.order_id}" for o in missing]
        lasting = self.mind.confirmed(now_ns, seen)
        acted = 0
        for symbol, (there, here, entry_ticks) in drifts.items():
            if f"position {symbol} {(there, here, entry_ticks)}" in lasting:
                self._adopt(post, symbol, there, here, entry_ticks)
                acted += 1
        for order in strays:
            if f"stray {order.order_id}" in lasting:
                post.say(self._cancel(post, order))
                acted += 1
        for known in missing:
            if f"missing {known.order_id}" in lasting:
                acted += await self._settle(post, known)
        return len(seen) - acted

    def _adopt(self, post: Post, symbol: str, there: int, here: int, entry_ticks: float) -> None:
        """Book what the venue holds as a fill of nobody's order, under an id that is the same on every run."""
        now_ns = post.clock.now_ns()
        lots = there - here
        ticks = max(round(entry_ticks), 1)
        self.adopted += 1
        fill_id = f"adopted-{post.engine}-{symbol}-{here}-{there}-{now_ns}"
        post.say(Drift(post.engine, symbol, there, here, "adopted as a fill", now_ns))
        post.say(Fill(post.engine, fill_id, "", symbol, side_of(lots), abs(lots), ticks, 0, False, now_ns))

    def _cancel(self, post: Post, order: OpenOrder) -> Cancel:
        return Cancel(
            engine=post.engine,
            intent_id="",
            order_id=order.order_id,
            symbol=order.symbol,
            reason="stray",
            at_ns=post.clock.now_ns(),
        )

    async def _settle(self, post: Post, order: OrderChanged) -> int:
        """Ask what became of one order. "Not found" is proof only behind the fence; before it, doubt stays."""
        try:
            found = await self.venue.find(order.symbol, order.order_id)
        except (VenueUnreachable, VenueMisspoke, TimeoutError):
            return 1  # asked; the next look asks again
        now_ns = post.clock.now_ns()
        if isinstance(found, OpenOrder):
            post.say(Accepted(post.engine, order.order_id, order.symbol, now_ns))
        elif found is not None:
            post.say(found)
        elif order.fence_ns and now_ns > order.fence_ns:
            reason = "the venue does not know it and would refuse it now"
            post.say(Rejected(post.engine, order.order_id, order.symbol, reason, now_ns))
        return 1

    def _say_verdict(self, post: Post, *, ok: bool, reason: str, resting: int = 0, held: int = 0) -> None:
        """Say the verdict when it changes."""
        if self.verdict is not None and (self.verdict.ok, self.verdict.reason) == (ok, reason):
            return
        self.verdict = Reconciled(post.engine, ok, resting, held, self.adopted, reason, post.clock.now_ns())
        post.say(self.verdict)
