"""Reconciler: compares what the venue holds with what the ledger believes; the venue is right.

It looks at start, when the ledger or an actor of its engine was restarted, when a stream that was deaf hears again,
when an order falls into doubt, when something was said of an order that cannot be, when the venue refuses an exit that
crosses (perhaps there is nothing to leave), and every half minute. A query that fails says nothing at all: it is never
read as flat. Doubt about an order closes only by proof (`_settle`). An order that stays in doubt is asked about alone,
with growing pauses and even while a look fails: looks cost a venue's rate, which exits need.

What the ledger has not written yet is no drift, however slow its disk is. A look asks the venue what rests, what is
held and then what was filled, tells the ledger those fills, asks it whether all that it was told is on disk, and
compares when it has said so. A difference must be seen twice, the second time asked for a grace after the first was
found, and nothing of that symbol may have been booked in between.
"""

import asyncio
from collections.abc import Sequence
from typing import Any, ClassVar, NamedTuple

from actors.cash_check import CashCheck
from actors.messages import (
    Awoke,
    BalanceChanged,
    BooksAsked,
    BooksTold,
    CashDrift,
    Drift,
    OrderChanged,
    OrderFaulted,
    PositionChanged,
    Reconciled,
    Restated,
    Unanswered,
)
from config.profile import ReconcileLimits
from risk.intent import Cancel
from risk.order import OVER, OrderState
from supervisor.actor import Post
from supervisor.clock import NS_PER_S
from supervisor.mailbox import Hears
from supervisor.messages import ChildStarted, Tick
from venues.market import Accepted, Cancelled, Fill, OpenOrder, Rejected, TimeInForce, VenuePosition
from venues.venue import PROOF_NS, FillsUnread, Funded, Venue, VenueMisspoke, VenueUnreachable

LEDGER = "ledger"
"""The child that owns what is believed here."""

GRACE_S = 2.0
"""A difference younger than this may be a message under way; longer than any answer seen on the way back."""

USUAL = ReconcileLimits()
"""A look every half minute; what was traded by hand becomes ours."""

LOOKS_MAX = 12
"""Looks in a row, a grace apart, while anything but an order in doubt differs; then the next tick's."""

YOUNG_S = 2 * GRACE_S
"""Doubt about an order is looked at with all else for so long: seen, asked about, seen what came of it."""

ANSWER_S_MAX = 10.0
"""A venue that has not answered a question by then has not answered."""

MUTE_NS = 15 * NS_PER_S
"""An order whose verdict has not come by then lost it in a crash: the executor gives up waiting after ten seconds."""

ALARMED_LOOK_NS = 10 * NS_PER_S
"""Exits that go on being refused, or streams that come and go, make the venue be asked no more often: questions use up
the rate that exits need."""

DEAF_S = 2.0
"""Between looks at whether the venue hears everything."""

OVERLAP_NS = 60 * NS_PER_S
"""Fills are asked for again from this long before the last look: the ledger knows those it has."""

UNREAD_NS_MAX = 600 * NS_PER_S
"""So long what could not be read is asked for again with all that came after it; then it never can be."""

FILLS_KEPT_MAX = 10_000
"""Ids remembered, so that what the account stream told is not told again; the ledger would know it anyway."""

PAUSE_S_MAX = 16.0
"""Between questions about one order in doubt, from a grace on, twice as long each time."""

DOUBT = "in doubt"
"""How the name of a difference ends that is an order's alone."""

STRAY = "stray order "
"""How that of an order begins which the ledger does not know."""

UNSAID = "the ledger was restarted and has not said what it knows"
VOID = "asked before the process was away, where orders may have been cancelled, or of a ledger that is dead"


class LedgerLate(Exception):
    """The ledger has not written in time what it was told: there is nothing to compare with."""


UNDER_WAY = (OrderState.SENT, OrderState.CANCELLING)
"""States that wait for a verdict."""


class Drifted(NamedTuple):
    """A position that differs."""

    symbol: str
    there: int  # lots at the venue
    here: int  # lots in the ledger
    ticks: int  # what the difference is booked at


Difference = Drifted | OpenOrder | OrderChanged
"""A position, an order that the ledger does not know, or an order of the ledger's whose state must be asked for."""


class Asked(NamedTuple):
    """When an order in doubt was asked about last, and how long nobody asks again."""

    at_ns: int
    pause_s: float

    def due(self, fence_ns: int, now_ns: int) -> bool:
        """Whether to ask now: the pause is over, or the time behind which the answer is proof has begun."""
        return self.at_ns <= fence_ns + PROOF_NS < now_ns or now_ns - self.at_ns >= self.pause_s * NS_PER_S


class Told:
    """What a reconciler that crashes leaves to the next: since when the venue's fills are not known to be told."""

    def __init__(self, looked_ns: int):
        self.looked_ns = looked_ns  # all that was filled before is booked
        self.before_ns = looked_ns  # the same of the look before
        self.fills: dict[str, None] = {}  # ids, oldest first
        self.asked = 0  # questions to the ledger: an answer to a reconciler that crashed is none to its successor

    def remember(self, fill: Fill) -> None:
        """The ledger has been told of a fill."""
        self.fills[fill.id] = None
        if len(self.fills) > FILLS_KEPT_MAX:
            del self.fills[next(iter(self.fills))]

    def looked(self, asked_ns: int) -> None:
        """The ledger has booked what was told in a look that began then."""
        self.before_ns, self.looked_ns = self.looked_ns, asked_ns

    def doubt(self) -> None:
        """The ledger was restarted, and what it had in hand is lost: tell again."""
        self.looked_ns = self.before_ns
        self.fills.clear()


class ReconcilerMind:
    """What the ledger believes, and how it differs from what the venue says."""

    def __init__(self, engine: str):
        self.engine = engine
        self.whole = False  # the ledger has said all it knows
        self.positions: dict[str, PositionChanged] = {}
        self.orders: dict[str, OrderChanged] = {}
        self.suspects: dict[str, int] = {}  # a difference -> when it was found
        self.moved: set[str] = set()  # symbols of which something was booked since the last comparison
        self.adopted: set[str] = set()  # drifts that were booked: one still there is not booked again

    def hear(self, message: OrderChanged | PositionChanged) -> None:
        """Believe the ledger."""
        if isinstance(message, PositionChanged):
            known = self.positions.get(message.symbol)
            if (known.lots if known else 0) != message.lots:
                self.moved.add(message.symbol)
            self.positions[message.symbol] = message
        elif message.state not in OVER:
            self.orders[message.order_id] = message
        else:
            self.orders.pop(message.order_id, None)

    def forget(self) -> None:
        """The ledger is about to say everything again."""
        self.whole = False
        self.positions.clear()
        self.orders.clear()
        self.adopted.clear()  # it may have been lost on its way: what the ledger has booked does not differ any more

    def differences(
        self, resting: Sequence[OpenOrder], held: Sequence[VenuePosition], now_ns: int
    ) -> dict[str, Difference]:
        """Everything that does not agree, by a name that stays the same while it does not."""
        found: dict[str, Difference] = {}
        for drift in self._drifts(held):
            found[f"position {drift.symbol} of {drift.there} lots, {drift.here} in the ledger"] = drift
        for open_order in resting:
            if open_order.order_id not in self.orders:
                found[f"{STRAY}{open_order.order_id}"] = open_order
        there = {order.order_id for order in resting}
        doubtful = self.doubtful(now_ns)
        for known in self.orders.values():
            if known.order_id not in there or known.order_id in doubtful:
                found[f"order {known.order_id} {DOUBT}"] = known
        return found

    def doubtful(self, now_ns: int) -> dict[str, OrderChanged]:
        """Orders of which the ledger itself says that nobody knows, or whose verdict should long have come."""
        return {
            known.order_id: known
            for known in self.orders.values()
            if known.state is OrderState.UNKNOWN or (known.state in UNDER_WAY and now_ns - known.at_ns > MUTE_NS)
        }

    def _drifts(self, held: Sequence[VenuePosition]) -> list[Drifted]:
        theirs, found = {position.symbol: position for position in held}, []
        for symbol in sorted({*theirs, *self.positions}):
            venue, ours = theirs.get(symbol), self.positions.get(symbol)
            there, here = venue.lots if venue else 0, ours.lots if ours else 0
            if there != here:
                # what was taken away leaves at its own cost: a made-up price would be a made-up profit
                shrunk = ours is not None and here * there >= 0 and abs(there) < abs(here)
                entry = ours.entry_ticks if ours is not None and shrunk else venue.entry_ticks if venue else 0.0
                if ours is not None and here * there > 0 and not shrunk:  # theirs is of all: what was added made it so
                    entry += (entry - ours.entry_ticks) * here / (there - here)
                found.append(Drifted(symbol, there, here, max(round(entry), 1)))
        return found

    def lasting(self, asked_ns: int, now_ns: int, seen: dict[str, Difference]) -> list[str]:
        """Those differences that have outlived the grace; those not seen this time are forgotten."""
        before, self.suspects = self.suspects, {}
        for name, difference in seen.items():
            moved = isinstance(difference, Drifted) and difference.symbol in self.moved
            known = None if moved else before.get(name)
            self.suspects[name] = now_ns if known is None else known
        self.moved.clear()
        self.adopted &= seen.keys()
        grace_ns = round(GRACE_S * NS_PER_S)
        return [name for name, found_ns in self.suspects.items() if asked_ns - found_ns >= grace_ns]

    def young(self, names: Sequence[str], now_ns: int) -> bool:
        """Whether any of these differences is a new one."""
        known = (self.suspects.get(name) for name in names)
        return any(found_ns is None or now_ns - found_ns < YOUNG_S * NS_PER_S for found_ns in known)


class Reconciler:
    """The body: asks the venue, acts on what lasts, says when entries may pass."""

    hears: ClassVar[tuple[Hears, ...]] = (  # lanes are read in this order: a new ledger is heard of before what it says
        Hears(Fill),  # and behind what was told to the one before it, which may have lost it
        Hears(ChildStarted),
        Hears(OrderChanged),
        Hears(PositionChanged),
        Hears(BalanceChanged),
        Hears(OrderFaulted),
        Hears(Restated),
        Hears(Awoke),
        Hears(Tick),
        Hears(BooksTold),  # last: what the ledger said before it is heard before
    )
    says: ClassVar[tuple[type, ...]] = (
        *(Reconciled, Drift, CashDrift, Fill),
        *(Accepted, Cancelled, Rejected, Unanswered, Cancel, BooksAsked),
    )

    def __init__(self, mind: ReconcilerMind, venue: Venue, told: Told, limits: ReconcileLimits = USUAL):
        self.mind = mind
        self.venue = venue
        self.told = told
        self.limits = limits
        self.verdict: Reconciled | None = None
        self.drifts = 0
        self.answered = 0  # the ledger's last answer
        self.unread = ""  # fills of the last look that made no sense: what they did nobody knows
        self.void_ns = 0  # what was asked before this is not what is so now
        self.cash = CashCheck(mind.engine)

    async def run(self, post: Post) -> None:
        """Look when it is time to."""
        post.ready()
        post.spawn(post.beat(self.limits.every_s))
        post.spawn(self._watch_deaf(post))
        look = False
        while True:
            look |= self._listen(post)
            if look and self.mind.whole:
                post.in_hand_ns = post.clock.now_ns()
                await self._look_until_clear(post)
                look = await self._ask_on(post)
                post.in_hand_ns = 0
            else:
                look = False
                await post.mailbox.wait()

    async def _watch_deaf(self, post: Post) -> None:
        """Look when a stream that was deaf hears again; the adapter asks for what it missed, and may be wrong."""
        deaf: set[str] = set()
        heard = False
        while True:
            await post.clock.sleep(DEAF_S)
            before, deaf = deaf, set(self.venue.deaf())
            heard |= bool(before - deaf)
            if heard and self._rested(post):
                heard = False
                post.mailbox.lanes[Tick].put(Tick(post.clock.now_ns()))

    def _rested(self, post: Post) -> bool:
        """Whether the last look is so long ago that an alarm may make it look again."""
        return post.clock.now_ns() - self.told.looked_ns > ALARMED_LOOK_NS

    def _listen(self, post: Post) -> bool:
        """Take what has come; says whether it is time to look. While a look goes on this is its sign of life."""
        look = False
        post.in_hand_ns = post.in_hand_ns and post.clock.now_ns()
        while batch := post.mailbox.take():
            for message in batch:
                look |= self._hear(post, message)
        return look

    def _hear(self, post: Post, message: Any) -> bool:
        if isinstance(message, OrderChanged | PositionChanged):
            self.mind.hear(message)
            return isinstance(message, OrderChanged) and self._alarms(post, message)
        if isinstance(message, BooksTold):
            self.answered = message.number
            return False
        if isinstance(message, OrderFaulted):
            return self._rested(post)
        if isinstance(message, BalanceChanged):
            self.cash.ledger_minor = message.cash_minor
            return False
        if isinstance(message, Fill):
            self.told.remember(message)
            return False
        if isinstance(message, ChildStarted):
            if message.child == LEDGER:
                self.mind.forget()
                self.told.doubt()
                self.void_ns = message.at_ns if message.restarts else self.void_ns
            again = message.engine == post.engine and message.restarts > 0
            self.verdict = None if again else self.verdict  # a new gate has not heard it
            return again
        if isinstance(message, Restated):
            self.mind.whole |= message.child in (post.name, LEDGER)
            return message.child in (post.name, LEDGER)
        if isinstance(message, Awoke):
            self.verdict, self.void_ns = None, message.at_ns  # the gate waits for a new one
        return True  # that, or a tick

    def _alarms(self, post: Post, order: OrderChanged) -> bool:
        """Whether an order's news is a reason to look: doubt, or an exit refused perhaps because nothing is held.

        One that was to rest is refused because it would match at once: that happens daily and says nothing.
        """
        if order.state is not OrderState.REJECTED:
            return order.state is OrderState.UNKNOWN
        crosses = order.time_in_force is TimeInForce.IOC and not order.entry
        return crosses and self._rested(post)

    async def _look_until_clear(self, post: Post) -> None:
        """Look until nothing differs, then say so; or say what could not be cleared."""
        names: list[str] = []
        other = ""  # doubt about an order holds back that order's symbol, not the whole engine
        for _ in range(LOOKS_MAX):
            try:
                names = await self._look(post)
            except (VenueUnreachable, VenueMisspoke, TimeoutError, LedgerLate) as error:
                late = f"no answer within {ANSWER_S_MAX:g} s, the wait for room within the venue's limits counted"
                self._say_verdict(post, f"{type(error).__name__}: {str(error) or late}")
                return
            other = next((name for name in names if not self._shuts_nothing(name)), "")
            if not other and not self.mind.young(names, post.clock.now_ns()):
                break
            await post.clock.sleep(GRACE_S)
        self._say_verdict(post, other or self.unread)
        if not names:
            self._check_cash(post)

    def _shuts_nothing(self, name: str) -> bool:
        """Whether a difference is one order's alone: its doubt holds back its symbol; a person's is his own affair."""
        return name.endswith(DOUBT) or (name.startswith(STRAY) and self.limits.by_hand == "quarantine")

    async def _ask_on(self, post: Post) -> bool:
        """Ask about orders in doubt, and nothing else, until there are none; says whether it is time to look again."""
        asked: dict[str, Asked] = {}
        while doubtful := self.mind.doubtful(post.clock.now_ns()):
            for order_id, order in doubtful.items():
                now_ns = post.clock.now_ns()
                last = asked.setdefault(order_id, Asked(now_ns, GRACE_S))
                if last.due(order.fence_ns, now_ns):
                    asked[order_id] = Asked(now_ns, min(2 * last.pause_s, PAUSE_S_MAX))
                    await self._settle(post, order)
                    if self._listen(post):  # mail must not wait for answers about all of them
                        return True
            await post.clock.sleep(GRACE_S)
            if self._listen(post):
                return True
        return False

    async def _look(self, post: Post) -> list[str]:
        """Ask, compare, act on what has lasted; returns what differs."""
        asked_ns = post.clock.now_ns()
        async with asyncio.timeout(ANSWER_S_MAX):
            resting = await self.venue.open_orders()
            held = await self.venue.positions()
            fills = await self._fills()  # after what is held: all that made it is among them
        for fill in fills:
            if fill.id not in self.told.fills:
                await post.say_wait(fill)
                self.told.remember(fill)
        if not await self._booked(post):
            return [UNSAID]
        if asked_ns <= self.void_ns:
            return [VOID]
        now_ns = post.clock.now_ns()
        seen = self.mind.differences(resting, held, now_ns)
        if not self.unread or asked_ns - self.told.looked_ns > UNREAD_NS_MAX:
            self.told.looked(asked_ns)
        lasting = self.mind.lasting(asked_ns, now_ns, seen)
        for name in sorted(lasting, key=lambda name: isinstance(seen[name], OrderChanged)):  # questions last
            await self._act(post, name, seen[name], self.venue.theirs_ns(asked_ns - round(GRACE_S * NS_PER_S)))
            self._listen(post)
        return [VOID] if asked_ns <= self.void_ns else list(seen)

    async def _booked(self, post: Post) -> bool:
        """Wait until the ledger has written all that it was told and has said so. Raises LedgerLate.

        No time is long enough to wait for a disk instead: a look that found the ledger behind took what it had not
        written for a drift, and booked it twice.
        """
        self.told.asked += 1
        post.say(BooksAsked(post.engine, self.told.asked, self.told.looked_ns))
        try:
            async with asyncio.timeout(ANSWER_S_MAX):
                while True:
                    self._listen(post)
                    if self.answered == self.told.asked or not self.mind.whole:
                        return self.mind.whole
                    await post.mailbox.wait()
        except TimeoutError:
            raise LedgerLate(f"what it was told is not on disk after {ANSWER_S_MAX:g} s") from None

    async def _fills(self) -> Sequence[Fill]:
        """What was filled. Rows that make no sense hide no others, but while there are some nothing is opened."""
        self.unread = ""
        try:
            return await self.venue.fills(self.told.looked_ns - OVERLAP_NS)
        except FillsUnread as error:
            self.unread = str(error)
            return error.fills

    def _check_cash(self, post: Post) -> None:
        cash_minor = self.venue.cash_minor if isinstance(self.venue, Funded) else None
        if (drift := self.cash.look(cash_minor, post.clock.now_ns())) is not None:
            post.say(drift)

    async def _act(self, post: Post, name: str, difference: Difference, as_of_ns: int) -> None:
        if isinstance(difference, OrderChanged):
            await self._settle(post, difference)
        elif isinstance(difference, OpenOrder):
            if self.limits.by_hand == "adopt":
                post.say(self._cancel(post, difference))
        elif name not in self.mind.adopted:
            self.mind.adopted.add(name)
            self.drifts += 1
            symbol, there, here, ticks = difference
            # what was filled a grace before the question is in the answer, whatever was seen and explained before that
            now_ns = post.clock.now_ns()
            post.say(Drift(post.engine, symbol, there, here, "adopted as a fill", now_ns, ticks, as_of_ns))

    def _cancel(self, post: Post, order: OpenOrder) -> Cancel:
        return Cancel(
            engine=post.engine,
            intent_id="",
            order_id=order.order_id,
            symbol=order.symbol,
            reason="stray",
            at_ns=post.clock.now_ns(),
        )

    async def _settle(self, post: Post, order: OrderChanged) -> None:
        """Ask what became of one order. "Not found" is proof only when asked behind the fence; else doubt stays."""
        asked_ns = post.clock.now_ns()
        engine, order_id, symbol = post.engine, order.order_id, order.symbol
        try:
            async with asyncio.timeout(ANSWER_S_MAX):
                found = await self.venue.find(symbol, order_id)
        except (VenueUnreachable, VenueMisspoke, TimeoutError):
            return  # asked; the next look asks again
        now_ns = post.clock.now_ns()
        if isinstance(found, OpenOrder) and order.state is OrderState.CANCELLING:
            post.say(Unanswered(engine, order_id, order.fence_ns, "it rests and its cancel was never answered", now_ns))
        elif isinstance(found, OpenOrder):
            post.say(Accepted(engine, order_id, symbol, now_ns))
        elif found is not None:
            post.say(found)
        elif order.fence_ns and asked_ns > order.fence_ns + PROOF_NS:
            reason = "the venue does not know it and would refuse it now"
            post.say(Rejected(engine, order_id, symbol, reason, now_ns))

    def _say_verdict(self, post: Post, reason: str) -> None:
        """Say the verdict when it changes; an empty reason is agreement."""
        if self.verdict is None or self.verdict.reason != reason:
            orders, positions = len(self.mind.orders), sum(1 for held in self.mind.positions.values() if held.lots)
            now_ns = post.clock.now_ns()
            self.verdict = Reconciled(post.engine, not reason, orders, positions, self.drifts, reason, now_ns)
            post.say(self.verdict)
