"""A model venue: exact about what it holds, and as unreliable about telling it as the machine asks it to be.

What arrived has happened. What it says of it may be lost, late, doubled, out of order, half or a lie; what may not be
is that it answers a question with something else than what was so within the last second and a half.
"""

import asyncio
from collections import deque

from msgspec import Struct

from supervisor.clock import NS_PER_S
from tests.risk.given import BTC, SOL
from venues.market import (
    Accepted,
    Cancelled,
    CancelRefused,
    Fill,
    OpenOrder,
    OrderRequest,
    Rejected,
    Side,
    VenuePosition,
)
from venues.venue import Capabilities, FillsUnread, VenueMisspoke, VenueUnreachable

ENGINE = "perps"
INSTRUMENTS = {one.symbol: one for one in (BTC, SOL)}
WAY_S = 0.05
SLOW_S = 3.0
"""An answer that takes longer than the reconciler's grace, and not so long that nobody waits for it."""
LATE_S = 6.0
"""Behind the answer, and before the fence."""
PROMPT = ("prompt",)
OK = "ok"
FATES = (OK, OK, OK, "unsent", "lost_before", "late", "too_late", "lost_after", "slow", "rejected", "lie")
TELLINGS = ("prompt", "prompt", "prompt", "late", "very_late", "lost", "twice", "before")
TELLING_S = {"prompt": 0.06, "twice": 0.06, "before": 0.0, "late": 4.0, "very_late": 100.0}


class Order(Struct):
    """An order as the venue has it."""

    request: OrderRequest
    filled: int  # of the whole chain
    own: int = 0
    open: bool = True
    rejected: bool = False


class ModelVenue:
    """One account."""

    name = "model"
    capabilities = Capabilities(replace=True, expires=True, simulated=True)

    def __init__(self, clock):
        self.clock = clock
        self.orders: dict[str, Order] = {}
        self.twice: list[str] = []  # ids that came twice
        self.fills_made: list[Fill] = []
        self.hidden: dict[str, int] = {}  # fill -> from when on it is among those that are asked for
        self.lots = dict.fromkeys(INSTRUMENTS, 0)
        self.past: deque[tuple[int, dict[str, int]]] = deque([(0, dict(self.lots))], maxlen=64)
        self.stream: asyncio.Queue = asyncio.Queue()
        self.fates: deque[str] = deque()  # of what is sent next
        self.telling = "prompt"  # how what happens now is told
        self.down: dict[str, int] = {}  # question -> until when it fails
        self.broken = "unreachable"
        self.lag_ns = 0
        self.unheard: set[str] = set()
        self.hide_ns = 0
        self.unread: set[str] = set()
        self.hidden_ever: set[str] = set()
        self.hid = 0  # fills that were not among those that are asked for, for a while
        self.gifts = 0
        self.numbers = 0

    # --- what happens

    def fill(self, order_id, symbol, side, lots):
        """A part of an order, or a trade by hand, becomes a position."""
        self.numbers += 1
        now_ns = self.clock.now_ns()
        fill = Fill(ENGINE, f"v{self.numbers}", order_id, symbol, side, lots, 1000 + self.numbers % 7, 1, True, now_ns)
        self._moved(symbol, side.sign * lots)
        self.fills_made.append(fill)
        if self.hide_ns:
            self.hidden[fill.id] = now_ns + self.hide_ns
            self.hidden_ever.add(fill.id)
            self.hid = len(self.unread | self.hidden_ever)
        self.tell(fill)

    def _moved(self, symbol, lots):
        self.lots[symbol] += lots
        self.past.append((self.clock.now_ns(), dict(self.lots)))

    def gift(self, symbol, lots):
        """A position changes and no fill says so: a transfer, a settlement."""
        self.gifts += 1
        self._moved(symbol, lots)

    def tell(self, event):
        """Put something on the stream, as it is told just now."""
        after_s = TELLING_S.get(self.telling)
        if after_s is None:
            return
        for extra in (0.0, 0.5) if self.telling == "twice" else (0.0,):
            self.clock.loop.call_later(after_s + extra, self.stream.put_nowait, event)

    def trade(self, order_id, lots):
        """Fill some of an order that rests; those that took its place count it too."""
        order = self.orders[order_id]
        lots = min(lots, order.request.lots - order.filled)
        if not order.open or lots <= 0:
            return
        order.own += lots
        order.filled += lots
        if order.filled == order.request.lots:
            order.open = False
        self.fill(order_id, order.request.symbol, order.request.side, lots)

    def arrive(self, request, *, reject=False, crosses=0):
        """An order comes in; gives the venue's verdict."""
        now_ns = self.clock.now_ns()
        if request.id in self.orders:
            self.twice.append(request.id)
        if request.expires_ns and now_ns > request.expires_ns:
            return Rejected(ENGINE, request.id, request.symbol, "expired", now_ns)
        filled = 0
        if request.replaces:
            old = self.orders.get(request.replaces)
            if old is None or not old.open:
                return CancelRefused(ENGINE, request.id, request.symbol, "nothing to replace", now_ns)
            old.open, filled = False, old.filled
            self.tell(Cancelled(ENGINE, request.replaces, request.symbol, filled, "replaced", now_ns))
        order = Order(request, filled)
        self.orders[request.id] = order
        if reject:
            order.open, order.rejected = False, True
            return Rejected(ENGINE, request.id, request.symbol, "no", now_ns)
        if crosses:
            self.trade(request.id, crosses)
        if request.time_in_force == "ioc" and order.open:
            order.open = False
            self.tell(Cancelled(ENGINE, request.id, request.symbol, order.filled, "ioc", now_ns))
        return Accepted(ENGINE, request.id, request.symbol, now_ns)

    # --- what it is asked

    async def _send(self, request):
        fate = self.fates.popleft() if self.fates else OK
        if fate == "unsent":
            raise VenueUnreachable("no route")
        answer = self.clock.loop.create_future()
        if fate != "lost_before":  # what has left arrives, though who sent it may be dead by then
            delay_s = {"late": LATE_S, "too_late": 30.0}.get(fate, WAY_S)
            self.clock.loop.call_later(delay_s, self._arrived, request, fate, answer)
        if fate in ("late", "too_late", "lost_before", "lost_after"):
            await self.clock.sleep(2 * WAY_S)
            raise VenueUnreachable("the answer was lost")
        verdict = await answer
        await self.clock.sleep(SLOW_S if fate == "slow" else WAY_S)
        return verdict

    def _arrived(self, request, fate, answer):
        crosses = request.lots if fate == "lie" else request.lots // 2 if request.time_in_force == "ioc" else 0
        verdict = self.arrive(request, reject=fate == "rejected", crosses=crosses)
        if fate == "lie" and isinstance(verdict, Accepted):
            verdict = Rejected(ENGINE, request.id, request.symbol, "a lie: it was filled", verdict.at_ns)
        if not answer.done():
            answer.set_result(verdict)

    async def submit(self, order):
        """A new order."""
        return await self._send(order)

    async def replace(self, order):
        """One in the place of another."""
        return await self._send(order)

    async def cancel(self, symbol, order_id):
        """Take an order out."""
        fate = self.fates.popleft() if self.fates else OK
        if fate in ("unsent", "lost_before", "rejected", "lie"):
            raise VenueUnreachable("no route")
        await self.clock.sleep(LATE_S if fate == "late" else WAY_S)
        order, now_ns = self.orders.get(order_id), self.clock.now_ns()
        if order is None or not order.open:
            verdict = CancelRefused(ENGINE, order_id, symbol, "already over, or never placed", now_ns)
        else:
            order.open = False
            verdict = Cancelled(ENGINE, order_id, symbol, order.filled, "asked", now_ns)
        if fate in ("lost_after", "too_late"):
            raise VenueUnreachable("the answer was lost")
        await self.clock.sleep(SLOW_S if fate == "slow" else WAY_S)
        return verdict

    async def _ask(self, question):
        await self.clock.sleep(WAY_S)
        if self.down.get(question, 0) > self.clock.now_ns():
            if self.broken == "null":
                raise VenueMisspoke(f"{question}: null")
            if self.broken == "mute":
                await self.clock.sleep(60)
            raise VenueUnreachable(f"{question}: no answer")

    async def open_orders(self):
        """What rests."""
        await self._ask("orders")
        return tuple(
            OpenOrder(name, o.request.symbol, o.request.side, o.request.lots, o.filled, o.request.ticks)
            for name, o in self.orders.items()
            if o.open
        )

    async def positions(self):
        """What is held, or was a moment ago."""
        await self._ask("positions")
        then_ns = self.clock.now_ns() - self.lag_ns
        lots = next((held for at_ns, held in reversed(self.past) if at_ns <= then_ns), self.past[0][1])
        return tuple(VenuePosition(symbol, held, 1000.0) for symbol, held in lots.items() if held)

    def theirs_ns(self, at_ns):
        """The same: there is one clock."""
        return at_ns

    async def fills(self, since_ns):
        """What was filled; a page that was cut hides the newest, rows that make no sense are said to be there."""
        await self._ask("fills")
        now_ns = self.clock.now_ns()
        found = [one for one in self.fills_made if one.at_ns >= since_ns and self.hidden.get(one.id, 0) <= now_ns]
        if self.down.get("unread", 0) > now_ns:
            self.unread.update(one.id for one in found[-1:])
            self.hid = len(self.unread | self.hidden_ever)
            raise FillsUnread("a row makes no sense", found[:-1])
        return found

    async def find(self, symbol, order_id):
        """What became of an order."""
        await self._ask("find")
        order, now_ns = self.orders.get(order_id), self.clock.now_ns()
        if order is None:
            return None
        request = order.request
        if order.open:
            return OpenOrder(order_id, symbol, request.side, request.lots, order.filled, request.ticks)
        if order.rejected:
            return Rejected(ENGINE, order_id, symbol, "no", now_ns)
        return Cancelled(ENGINE, order_id, symbol, order.filled, "over", now_ns)

    async def account(self):
        """The stream."""
        while True:
            yield await self.stream.get()

    def deaf(self):
        """What is not heard now."""
        return self.unheard

    def by_hand(self, order_id, symbol, lots):
        """Somebody places an order in the venue's own page."""
        side = Side.BUY if lots > 0 else Side.SELL
        self.numbers += 1
        request = OrderRequest(
            id=f"{order_id}-{self.numbers}",
            intent_id="",
            engine=ENGINE,
            symbol=symbol,
            side=side,
            lots=abs(lots),
            ticks=1000,
            time_in_force="gtc",
        )
        self.arrive(request)

    def heal(self):
        """From now on it tells all it knows; what is on its way comes."""
        self.fates.clear()
        self.down.clear()
        self.unheard = set()
        self.telling, self.lag_ns, self.hide_ns = "prompt", 0, 0
        self.hidden.clear()

    def seconds(self, question, length_s, how):
        """Let questions fail for a while."""
        self.broken = how
        self.down[question] = self.clock.now_ns() + round(length_s * NS_PER_S)
