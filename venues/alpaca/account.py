"""The account stream: what trade_updates tells and what REST tells of its gaps, as one sequence of events.

The stream repeats nothing, so after each gap the executions since then are asked for, page by page, and every order of
ours that was alive. Executions are counted once whoever tells them (orders). An order's end is told after its fills:
the venue's count says how many lots are owed, and those that do not come by themselves are asked for.
"""

import asyncio
from collections.abc import Awaitable, Callable, Iterable
from datetime import UTC, datetime
from decimal import Decimal

from msgspec import Raw, Struct

from supervisor.clock import NS_PER_S
from venues.account_story import AccountStory
from venues.alpaca.order_list import listed
from venues.alpaca.orders import Orders, Tracked, Translator
from venues.alpaca.rest import Refused, Rest
from venues.alpaca.rules import is_twin, whole_lots
from venues.alpaca.trading_stream import TradingStream
from venues.alpaca.trading_wire import (
    Activity,
    Execution,
    Fate,
    Order,
    Update,
    activity,
    executed,
    execution,
    fate_of,
    plain_symbol,
)
from venues.market import Accepted, Cancelled, CancelRefused, Fill, Rejected, TimeInForce
from venues.venue import FillsUnread, VenueMisspoke

OVERLAP_NS = 60 * NS_PER_S
"""What is asked for after a gap begins so long before it: the venue's clock is not ours, and fills may repeat."""

OWED_NS, OWED_NS_MAX = 3 * NS_PER_S // 2, 20 * NS_PER_S
"""An order that ended waits so long for its fills before they are asked for, and so long in all."""

MUTE_NS = 15 * NS_PER_S
"""A fill that REST tells and a ready stream has not told for so long: the stream is mute."""

PAGE_ROWS = 100
"""Rows of a page of activities, the most that the venue gives."""

PAGES_MAX = 200
"""More would be 20,000 fills: who asks has the wrong time."""

ONE_BY_ONE_MAX = 3
"""Orders that are asked for by their ids; more are looked for in the list of all, 500 a question."""

RESTED_NS = 10 * 60 * NS_PER_S
"""How long before its fill an order of that list was submitted, at most; older ones are asked for by their ids."""

TOLD_MAX = 20_000
"""Ids of fills that were told."""

FEE_SHARE_MAX = Decimal("0.01")
"""No fee takes more of a fill (the highest tier takes a quarter of that): what does is another trade."""

FILLS_PATH = "/v2/account/activities/FILL"
ORDER_PATH = "/v2/orders/{}"
BY_CLIENT_ID = "/v2/orders:by_client_order_id"

REPLACE_REJECTED = "order_replace_rejected"


class Owed(Struct):
    """An order that ended and whose fills have not all come."""

    row: Order
    since_ns: int
    due_ns: int


class Held(Struct, frozen=True):
    """A position as the venue told it, and when that was."""

    qty: Decimal | None  # None: it has changed since, and nobody said to what
    at_ns: int


class AccountFeed(AccountStory):
    """What happens to one engine's orders."""

    def __init__(
        self, stream: TradingStream, rest: Rest, translator: Translator, floor_ns: int, tell: Callable[[str], None]
    ):
        super().__init__(rest.clock, tell)
        self.stream = stream
        self.rest = rest
        self.translator = translator
        self.floor_ns = floor_ns - OVERLAP_NS
        self.cancel: Callable[[Tracked], Awaitable[object]] | None = None  # takes out an order that may fill too much
        self.works.append((stream.keep, "alpaca account"))
        self.gap_ns: int | None = floor_ns  # since when fills may have been missed; None: nothing was
        self.owed: dict[str, Owed] = {}
        self.excess: dict[str, Tracked] = {}
        self.strays = 0  # fills of what is not traded here, and those older than the ledger
        self.held: dict[str, Held] = {}  # positions as the stream last told, without slash; empty after a gap
        self.unread = ""  # executions of the last answer that make no sense
        self._unread_told: set[str] = set()
        self._told: dict[str, None] = {}
        self._changed: dict[str, asyncio.Event] = {}  # order -> somebody waits for its news
        stream.hearers.append(self)

    @property
    def orders(self) -> Orders:
        """Our orders."""
        return self.translator.orders

    @property
    def ready(self) -> bool:
        """Whether what happens to an order that is sent now would be heard, and nothing of before is missing."""
        return self.stream.ready and self.gap_ns is None

    async def close(self) -> None:
        """End it."""
        await super().close()
        if self in self.stream.hearers:
            self.stream.hearers.remove(self)

    # --- hearing ------------------------------------------------------------------------------------------------------

    def hear(self, update: Update) -> None:
        """One event of the stream. Raises VenueMisspoke for a fill that cannot be read."""
        if self.translator.instrument(update.order.symbol) is None:
            return
        tracked = self.orders.bind(update.order)
        told = executed(update)
        if told is not None:
            self._translate(told, self._kept(told, update.position_qty))
        if tracked is not None:
            fate = fate_of({"fill": "filled"}.get(update.event, update.event))
            if (
                fate is Fate.REPLACED
            ):  # told with the old order, as documented; should it be the new one, that one lives
                fate = update.order.fate
            if update.event == REPLACE_REJECTED:
                self._not_replaced(tracked, update)
            self.hear_row(update.order, fate if fate is not Fate.OPEN else update.order.fate)
        self.wake()

    def _kept(self, told: Execution, after: Decimal | None) -> Decimal | None:
        """How much of what was bought the account did not get, by the venue's own count of it; None: unknown."""
        name = plain_symbol(told.symbol)
        before = self.held.get(name, Held(None, 0))
        late = told.at_ns < before.at_ns  # and stamps may be of whole seconds: what is held by now, nobody has said
        self.held[name] = Held(None, before.at_ns) if late else Held(after, told.at_ns)
        if late or before.qty is None or after is None:
            return None
        kept = before.qty + told.qty * told.side.sign - after
        return kept if 0 <= kept <= told.qty * FEE_SHARE_MAX else None

    def count_held(self, name: str, qty: Decimal) -> None:
        """A position as REST tells it, where the stream has told none."""
        if name not in self.held or self.held[name].qty is None:
            self.held[name] = Held(qty, self.clock.now_ns())

    def gap(self, since_ns: int) -> None:
        """The stream is heard again."""
        self.held.clear()
        since_ns = since_ns or self.floor_ns
        self.gap_ns = since_ns if self.gap_ns is None else min(since_ns, self.gap_ns)
        self.stir()

    def hear_executions(self, told: Iterable[Execution]) -> None:
        """Executions in any order, told before or not; oldest first to whoever listens."""
        for one in sorted(told, key=lambda one: one.at_ns):
            self._learn(one)

    def _learn(self, one: Execution) -> list[Fill]:
        """An execution that REST has told. Where it is news, what is held is no more as the stream last told."""
        before = len(self.events)
        fills = self._translate(one)
        if len(self.events) > before:
            name = plain_symbol(one.symbol)
            self.held[name] = Held(None, max(one.at_ns, self.held[name].at_ns if name in self.held else 0))
        return fills

    def _translate(self, one: Execution, kept: Decimal | None = None) -> list[Fill]:
        """Tell an execution; gives what it comes to: nothing, a fill, or a fill and the fee that was kept in coins."""
        translated = self.translator.fill(one)
        if translated is None:
            self.strays += 1
            return []
        fill, tracked, new = translated
        if tracked is None and fill.at_ns < self.floor_ns:
            self.strays += 1
            return []
        if new:
            self._tell_fill(fill)
        # of a fill that an earlier run booked before it died, the fee may not be: the ledger knows
        if (fee := self.translator.coin_fee(one, fill, kept)) is not None:
            self._tell_fill(fee)
        if tracked is not None:
            self.moved(tracked)
        return [fill] if fee is None else [fill, fee]

    def _tell_fill(self, fill: Fill) -> None:
        """Tell a fill, once."""
        if fill.id not in self._told:
            self._told[fill.id] = None
            if len(self._told) > TOLD_MAX:
                del self._told[next(iter(self._told))]
            self.events.append(fill)
            self.wake()

    def moved(self, tracked: Tracked) -> None:
        """An order has fills: one that ended may owe none now, one in its place may fill too much."""
        owed = self.owed.get(tracked.request.id)
        if owed is not None and tracked.own_lots >= tracked.filled_there:
            self._end(tracked, owed.row)
        for later in self.orders.chain(tracked):
            if later.lots_over and later.taken and not later.over:
                self.too_much(later)

    def too_much(self, tracked: Tracked) -> None:
        """An order that may fill more than its chain wants: its replace raced a fill."""
        self.excess[tracked.request.id] = tracked
        self.stir()

    def hear_row(self, row: Order, fate: Fate | None = None) -> None:
        """An order of ours as the venue has it, whoever told; those that are not ours are told by their fills alone."""
        tracked = self.orders.bind(row)
        instrument = self.translator.instrument(row.symbol)
        if tracked is None or instrument is None or tracked.over:
            return
        order, at_ns = tracked.request, row.at_ns or self.clock.now_ns()
        tracked.taken = True
        tracked.filled_there = max(tracked.filled_there, whole_lots(instrument, row.filled_qty))
        if row.qty is not None and order.replaces:
            tracked.venue_lots = instrument.lots(row.qty)
        match fate or row.fate:
            case Fate.OPEN:
                # its twin (decision 0011) does not rest in its place: who heard so would no more ask what became of it
                if not tracked.announced and not is_twin(order, instrument, row.limit_price):
                    tracked.announced = True
                    self.events.append(Accepted(order.engine, order.id, order.symbol, at_ns))
            case Fate.REJECTED if not tracked.filled_there:
                self.refused(tracked, f"rejected: {row.status}", at_ns)
            case _:
                if tracked.own_lots >= tracked.filled_there:
                    self._end(tracked, row)
                elif order.id not in self.owed:
                    now_ns = self.clock.now_ns()
                    self.owed[order.id] = Owed(row, now_ns, now_ns + OWED_NS)
                    self.stir()
        if tracked.lots_over and not tracked.over:
            self.too_much(tracked)
        self._wake(order.id)

    def refused(self, tracked: Tracked, reason: str, at_ns: int) -> None:
        """An order that the venue took in and did not let live."""
        order = tracked.request
        self.orders.end(tracked)
        self.events.append(Rejected(order.engine, order.id, order.symbol, reason, at_ns))
        self._wake(order.id)

    def _not_replaced(self, tracked: Tracked, update: Update) -> None:
        """A replace was answered with success and lost at the market: the new order never lived."""
        new = tracked if tracked.request.replaces and not tracked.successor else self.orders.get(tracked.successor)
        if new is not None and not new.over and not new.own_lots:
            self.refused(new, REPLACE_REJECTED, update.at_ns)
            old = self.orders.get(new.request.replaces)
            if old is not None and not old.over:  # it was to go and may be there: it must be asked about
                order, old.successor = old.request, ""
                self.put(CancelRefused(order.engine, order.id, order.symbol, REPLACE_REJECTED, update.at_ns))

    def _end(self, tracked: Tracked, row: Order) -> None:
        """Tell the end of an order, with what its fills add up to; of one that is filled they have told it."""
        order = tracked.request
        self.owed.pop(order.id, None)
        self.orders.end(tracked)
        if tracked.lots_filled < order.lots:
            at_ns = row.at_ns or self.clock.now_ns()
            reason = why_over(tracked, row.status)
            self.events.append(Cancelled(order.engine, order.id, order.symbol, tracked.lots_filled, reason, at_ns))
        self.wake()
        self._wake(order.id)

    # --- waiting ------------------------------------------------------------------------------------------------------

    async def wait(self, tracked: Tracked, seconds: float) -> bool:
        """Wait at most so long until an order is over; whether it is. Seconds of the clock."""
        event = self._changed.setdefault(tracked.request.id, asyncio.Event())
        deadline_ns = self.clock.now_ns() + round(seconds * NS_PER_S)
        timer = self.clock.call_at(deadline_ns, event.set)
        try:
            while not tracked.over and self.clock.now_ns() < deadline_ns:
                event.clear()
                await event.wait()
        finally:
            timer.cancel()
            self._changed.pop(tracked.request.id, None)
        return tracked.over

    def _wake(self, order_id: str) -> None:
        if (event := self._changed.get(order_id)) is not None:
            event.set()

    # --- what is missing ----------------------------------------------------------------------------------------------

    @property
    def missing(self) -> bool:
        """Whether something was missed that has to be asked for."""
        return self.gap_ns is not None or bool(self.owed or self.excess)

    async def mend(self) -> None:
        """Ask once. Raises VenueUnreachable and VenueMisspoke; what is still missing stays noted."""
        since_ns = self.gap_ns
        if since_ns is not None:
            self.hear_executions(await self.executions(since_ns - OVERLAP_NS))
            for tracked in self.orders.alive():
                if tracked.sent:
                    await self.look_up(tracked)
            if self.gap_ns == since_ns:
                self.gap_ns = None
        await self._collect()
        for order_id, tracked in list(self.excess.items()):
            if self.cancel is not None and not tracked.over:
                await self.cancel(tracked)
            del self.excess[order_id]

    async def look_up(self, tracked: Tracked) -> Order | None:
        """Ask for an order of ours and hear the answer; None: the venue does not know it."""
        found = await self.rest.ask(Order, BY_CLIENT_ID, {"client_order_id": tracked.request.id})
        if isinstance(found, Refused):
            if not found.missing:
                raise VenueMisspoke(f"order {tracked.request.id}: {found.text}")
            return None
        self.hear_row(found)
        return found

    async def _collect(self) -> None:
        """Ask for the fills of orders that ended and did not tell them in time, then tell their ends."""
        now_ns = self.clock.now_ns()
        due = {order_id: owed for order_id, owed in self.owed.items() if owed.due_ns <= now_ns}
        if not due:
            return
        since_ns = min(owed.row.created_ns or owed.since_ns for owed in due.values())
        self.hear_executions(await self.executions(since_ns - OVERLAP_NS))
        for order_id, owed in due.items():
            tracked = self.orders.get(order_id)
            if order_id not in self.owed or tracked is None:
                continue
            owed.due_ns = now_ns + OWED_NS
            if tracked.own_unknown:  # what was asked for has told all, and which lots are its own is not known
                self._end(tracked, owed.row)
            elif now_ns - owed.since_ns > OWED_NS_MAX:
                lots = f"{tracked.own_lots} of {tracked.filled_there} lots"
                self.tell(f"order {order_id} is over and only {lots} of it came as fills: positions will tell")
                self._end(tracked, owed.row)

    async def executions(self, since_ns: int) -> list[Execution]:
        """Every execution since a time, oldest first. Raises VenueUnreachable and VenueMisspoke."""
        query = {"after": moment(since_ns), "direction": "asc", "page_size": str(PAGE_ROWS)}
        rows: dict[str, Activity] = {}
        for _ in range(PAGES_MAX):
            page = [activity(bytes(row)) for row in await self.rest.must(tuple[Raw, ...], FILLS_PATH, query)]
            new = [row for row in page if row.id not in rows]
            rows |= {row.id: row for row in new}
            if len(page) < PAGE_ROWS:
                break
            if not new:
                raise VenueMisspoke(f"{FILLS_PATH}: a page of {PAGE_ROWS} rows that were all told before")
            query["page_token"] = page[-1].id
        else:
            raise VenueMisspoke(f"{FILLS_PATH}: more than {PAGES_MAX} pages since {moment(since_ns)}")
        told = self._readable(rows.values())
        await self._learn_rows({one.row_id for one in told}, since_ns)
        return sorted(told, key=lambda one: one.at_ns)

    def _readable(self, rows: Iterable[Activity]) -> list[Execution]:
        """Executions of what is traded here; `unread` says which cannot be read, and hides no other."""
        told: list[Execution] = []
        flaws: list[str] = []
        for row in rows:
            if self.translator.instrument(row.symbol) is None and not (row.flaw and not row.symbol):
                continue
            try:
                told.append(execution(row))
            except VenueMisspoke as error:
                flaws.append(str(error))
        self.unread = f"{len(flaws)} fills cannot be read: {flaws[0]}" if flaws else ""
        if self.unread and self.unread not in self._unread_told:
            self._unread_told.add(self.unread)
            self.tell(f"{self.unread}; positions will tell")
        return told

    async def _learn_rows(self, row_ids: Iterable[str], since_ns: int) -> None:
        """Ask whose orders they are: activities name orders by the venue's ids alone.

        Few one by one; many from the list of orders first. After a busy ten minutes they were hundreds, and the
        questions of two minutes that the limit allows.
        """
        unknown = {row_id for row_id in row_ids if not self.orders.knows_row(row_id)}
        if len(unknown) > ONE_BY_ONE_MAX:
            for row in await listed(self.rest, "all", moment(since_ns - RESTED_NS)):
                if row.id in unknown:
                    self.orders.bind(row)
                    unknown.remove(row.id)
        for row_id in sorted(unknown):
            found = await self.rest.ask(Order, ORDER_PATH.format(row_id))
            if isinstance(found, Order):
                self.orders.bind(found)

    async def fills(self, since_ns: int) -> list[Fill]:
        """Every fill since a time, oldest first, for whoever compares; the stream tells them by itself.

        Raises FillsUnread where some cannot be read.
        """
        told = []
        executions = await self.executions(since_ns)
        unread = self.unread
        for one in executions:
            before = len(self.events)
            fills = [fill for fill in self._learn(one) if fill.at_ns >= since_ns]
            if not fills:
                continue
            told += fills
            now_ns = self.clock.now_ns()
            ready_ns = self.stream.ready_ns
            if len(self.events) > before and self.ready and ready_ns + MUTE_NS < one.at_ns < now_ns - MUTE_NS:
                self.stream.drop(f"it did not tell of fill {fills[0].id}")
        if unread:
            raise FillsUnread(unread, told)
        return told


def why_over(tracked: Tracked, status: str) -> str:
    """Why an order ended, in the words of venues.market where it has some, else the venue's."""
    if status == "replaced":
        return "replaced"
    if status != "canceled":
        return status
    if tracked.cancel_asked:
        return "asked"
    return "ioc" if tracked.request.time_in_force is TimeInForce.IOC else "canceled"


def moment(at_ns: int) -> str:
    """A time as the venue reads it, in whole seconds."""
    return datetime.fromtimestamp(max(0, at_ns) // NS_PER_S, UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
