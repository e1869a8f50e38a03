"""The account stream: three channels of the venue as one sequence of what happened to our orders and our money.

Fills come from userFills, where each subscription begins with a snapshot that holds what was made while nobody
listened: what is older than the ledger's knowledge and nobody's order is passed by, the rest is told once by its id,
nothing is skipped. orderUpdates has no snapshot: after each gap the orders that may have moved are asked for, and the
fills and funding of the gap too. Deposits and transfers are told on none of the three: they are asked for. An order's
end is told after its fills: the venue's sizes say only that some are still owed, and those that do not come by
themselves are asked for.
"""

import asyncio
from collections.abc import Callable, Iterable
from decimal import Decimal
from typing import Any

from msgspec import Struct

from supervisor.clock import NS_PER_MS, NS_PER_S
from venues.account_story import MEND_S_MAX, AccountStory
from venues.backoff import DOUBLINGS_MAX
from venues.hyperliquid import info
from venues.hyperliquid.account_wire import (
    FILLED,
    Fate,
    Liquidation,
    OrderUpdate,
    OrderUpdates,
    UserFill,
    UserFills,
    UserFunding,
    UserFundings,
)
from venues.hyperliquid.actions import cloid
from venues.hyperliquid.asking import Asker
from venues.hyperliquid.cash import Purse
from venues.hyperliquid.fields import Rows, Unread
from venues.hyperliquid.info import Ask, LedgerUpdate
from venues.hyperliquid.orders import Orders, Tracked, Translator
from venues.hyperliquid.paging import Pages, R
from venues.hyperliquid.streams import Streams
from venues.hyperliquid.subscriptions import Damaged, Gap, Lost, Quarantine
from venues.market import (
    MINOR_PER_USD,
    Accepted,
    Cancelled,
    CancelRefused,
    Fill,
    FundingPaid,
    MoneyMoved,
    Rejected,
    TimeInForce,
)
from venues.venue import VenueMisspoke, VenueUnreachable

OVERLAP_NS = 60 * NS_PER_S
"""What is asked for after a gap begins so long before it: the venue's clock is not ours, and fills may repeat."""

AHEAD_MS = 60_000
"""Fills are asked for up to so far ahead: the venue's clock may be ahead of ours."""

OWED_NS = 3 * NS_PER_S // 2
"""An order that ended waits so long for its fills to come by themselves; they are usually in the next frame."""

MONEY_NS = 120 * NS_PER_S
"""Between looks for deposits and transfers."""

TOLD_MAX = 20_000
"""Ids of what was told, twice what the venue tells again."""

FILLS, ORDERS, EVENTS = "userFills", "orderUpdates", "userEvents"
MONEY = "userNonFundingLedgerUpdates"
"""What may be missing of an account, by the channel it comes on; of money there is none, it is looked for."""


class Owed(Struct):
    """An order that ended and whose fills have not all come."""

    update: OrderUpdate
    due_ns: int  # then they are asked for


class AccountFeed(AccountStory):
    """What the account's channels say."""

    mend_s = 0.25

    def __init__(
        self,
        streams: Streams,
        asker: Asker,
        translator: Translator,
        purse: Purse,
        floor_ns: int,
        tell: Callable[[str], None],
    ):
        super().__init__(asker.clock, tell)
        self.streams = streams
        self.asker = asker
        self.translator = translator
        self.purse = purse
        self.user = purse.user
        self.floor_ns = floor_ns - OVERLAP_NS
        self.opened_ns = asker.clock.now_ns()
        self.cancel: Callable[[str, str], Any] | None = None  # takes out an order that may fill too much
        # by channel; each stays until what may have been missed was asked for. Funding has no snapshot at the start
        opening_ns = purse.since_ms * NS_PER_MS
        self.gaps = {
            EVENTS: Gap(EVENTS, floor_ns, self.opened_ns),
            MONEY: Gap(MONEY, opening_ns, self.opened_ns),
        }
        self.works += [(self._listen, "hyperliquid account"), (self._take_out, "hyperliquid excess")]
        self._overfull = asyncio.Event()
        self._money_ns = 0  # when it was looked for last
        self.owed: dict[str, Owed] = {}
        self.excess: dict[str, Tracked] = {}
        self.strays = 0  # fills of what is not traded here, and those older than the ledger
        self._told: dict[str, None] = {}

    @property
    def orders(self) -> Orders:
        """Our orders."""
        return self.translator.orders

    async def close(self) -> None:
        """End it."""
        await super().close()
        await self.streams.close()

    # --- hearing ------------------------------------------------------------------------------------------------------

    async def _listen(self) -> None:
        async for batch in self.streams.batches():
            for heard in batch:
                self.hear(heard)
            self.wake()

    def hear(self, heard: Any) -> None:
        """One frame, or what befell a socket."""
        match heard:
            case UserFills(fills=fills, unread=unread):
                self.hear_fills(fills)
                self.hear_unread(unread)
            case OrderUpdates(updates=updates):
                for update in updates:
                    self.hear_update(update)
            case UserFundings(fundings=fundings, unread=unread):
                for funding in fundings:
                    self.hear_funding(funding)
                self.hear_unread(unread)
            case Gap():
                self._missed(heard)
            case Lost() | Damaged() | Quarantine():
                self.tell(said_of(heard))
            case Liquidation(liquidated_user=user):
                self.tell(f"a liquidation of {user}: {heard.notional_usd} USD")

    def whole(self) -> bool:
        """Whether every channel hears, and of fills and orders nothing that was missed is still to be asked for."""
        deaf = self.streams.uncovered() or self.streams.gap_untold()
        return not deaf and not self.gaps.keys() & {FILLS, ORDERS}

    def _missed(self, gap: Gap) -> None:
        """Note a gap, together with an earlier one of its channel."""
        since_ns = min(gap.since_ns, self.gaps.get(gap.channel, gap).since_ns)
        self.gaps[gap.channel] = Gap(gap.channel, since_ns, gap.at_ns)
        self.stir()

    def hear_fills(self, rows: Iterable[UserFill]) -> None:
        """Fills in any order, told before or not; oldest first to whoever listens."""
        for row in sorted(rows, key=lambda row: row.time_ms):
            translated = self.translator.fill(row)
            if translated is None or (translated[1] is None and row.at_ns < self.floor_ns):
                self.strays += 1
                continue
            fill, tracked = translated
            if self._first(f"fill {fill.id}"):
                self.events.append(fill)
                if row.at_ns > self.opened_ns:  # what was before is in the limit that the venue told
                    self.asker.budget.address.traded(float(row.price * row.size))
            if tracked is not None:
                self.moved(tracked)

    def moved(self, tracked: Tracked) -> None:
        """An order has fills: one that ended may owe none now, one in its place may fill too much."""
        owed = self.owed.get(tracked.request.id)
        if owed is not None and tracked.own_lots >= self._lots_shown(owed.update):
            self._end(tracked, owed.update)
        for later in self.orders.chain(tracked):
            if later.lots_over and later.answered and not later.over:
                self.too_much(later)

    def too_much(self, tracked: Tracked) -> None:
        """An order that may fill more than its chain wants: its replace raced a fill."""
        self.excess[tracked.request.id] = tracked
        self._overfull.set()

    def hear_update(self, update: OrderUpdate) -> None:
        """A status of an order; those that are not ours are told by their fills alone."""
        tracked = self.orders.named(update.order.cloid)
        if tracked is None or tracked.over:
            return
        order = tracked.request
        match update.fate:
            case Fate.OPEN:
                tracked.answered = True  # where the answer was lost
                if tracked.lots_over:
                    self.too_much(tracked)
                if not tracked.announced:
                    tracked.announced = True
                    self.events.append(Accepted(order.engine, order.id, order.symbol, update.at_ns))
            case Fate.OVER:
                if tracked.own_lots >= self._lots_shown(update):
                    self._end(tracked, update)
                elif order.id not in self.owed:
                    self.owed[order.id] = Owed(update, self.clock.now_ns() + OWED_NS)
                    self.stir()
            case Fate.REJECTED:
                self.orders.end(tracked)
                self.events.append(Rejected(order.engine, order.id, order.symbol, update.status, update.at_ns))
            case Fate.UNCLEAR:
                self.tell(f"order {order.id} is {update.status!r}, which means nothing here")

    def _lots_shown(self, update: OrderUpdate) -> int:
        """How many lots the venue's sizes make it seem filled: a reason to wait for fills, never a count of them."""
        order = update.order
        instrument = self.translator.instruments.get(order.coin)
        if instrument is None or order.size is None:
            return 0
        if update.status == FILLED:
            return instrument.lots(order.size)
        return 0 if order.reduce_only else instrument.lots(order.size - order.size_left)

    def _end(self, tracked: Tracked, update: OrderUpdate) -> None:
        """Tell the end of an order, with what its fills add up to; of one that is filled they have told it.

        One that was cancelled is told whatever its chain has filled: the ledger may still wait for its verdict.
        """
        order = tracked.request
        self.owed.pop(order.id, None)
        self.orders.end(tracked)
        if tracked.lots_filled < order.lots or update.status != FILLED:
            reason = why_over(tracked, update.status)
            self.events.append(Cancelled(order.engine, order.id, order.symbol, tracked.lots_told, reason, update.at_ns))

    def hear_funding(self, funding: UserFunding) -> None:
        """Funding of a position of ours."""
        ours = funding.coin in self.translator.instruments
        if not ours or funding.at_ns < self.floor_ns or not self._first(funding.id):
            return
        amount = round(funding.usd * MINOR_PER_USD)
        engine = self.translator.engine
        self.events.append(FundingPaid(engine, funding.id, funding.coin, amount, Decimal(funding.rate), funding.at_ns))

    def hear_money(self, update: LedgerUpdate) -> None:
        """Money that came or went, if it crossed the border of what is traded with."""
        if update.time_ms <= self.purse.since_ms or not self._first(update.id):
            return
        try:
            amount = self.purse.amount_minor(update)
        except ValueError as error:
            self.tell(f"a {update.kind} is not booked, it makes no sense: {error}")
            return
        if amount is None:
            self.tell(f"a {update.kind} is not booked: what that does to the account's money is not known here")
        elif amount:
            at_ns = update.time_ms * NS_PER_MS
            self.events.append(MoneyMoved(self.translator.engine, update.id, amount, update.kind, at_ns))

    def hear_unread(self, rows: Iterable[Unread]) -> None:
        """Rows that make no sense: a person is told of each, once, but not of those from before the ledger."""
        for row in rows:
            old = 0 < row.time_ms * NS_PER_MS < self.floor_ns
            name = f"{row.coin} {row.time_ms}" if row.coin and row.time_ms else row.text
            if not old and self._first(f"unread {name}"):
                self.tell(f"{row.coin or 'a coin without a name'}: {row.text}")

    def _first(self, name: str) -> bool:
        if name in self._told:
            return False
        self._told[name] = None
        if len(self._told) > TOLD_MAX:
            del self._told[next(iter(self._told))]
        return True

    # --- what is missing ----------------------------------------------------------------------------------------------

    @property
    def missing(self) -> bool:
        """Whether something was missed that has to be asked for."""
        return bool(self.gaps or self.owed)

    async def mend(self) -> None:
        """Ask once. Raises VenueUnreachable and VenueMisspoke; what is still missing stays noted."""
        await self._collect()  # first: ends that the ledger waits for, whatever else is not answered
        for channel, ask in (
            (FILLS, self._ask_fills),
            (ORDERS, self._ask_orders),
            (EVENTS, self._ask_funding),
            (MONEY, self._ask_money),
        ):
            gap = self.gaps.get(channel)
            if gap is not None:
                await ask(gap.since_ns - OVERLAP_NS)
                if self.gaps[channel] == gap:  # or it was deaf again meanwhile, perhaps after the answer was made
                    del self.gaps[channel]

    async def _take_out(self) -> None:
        """Cancel orders that may fill too much until they are over; no question that waits or fails is in the way."""
        failures = 0
        while True:
            await self._overfull.wait()
            self._overfull.clear()
            for order_id, tracked in list(self.excess.items()):
                if tracked.over or self.cancel is None or await self._taken_out(tracked):
                    del self.excess[order_id]
            failures = failures + 1 if self.excess else 0
            if self.excess:
                await self.clock.sleep(min(self.mend_s * 2.0 ** min(failures, DOUBLINGS_MAX), MEND_S_MAX))
                self._overfull.set()

    async def _taken_out(self, tracked: Tracked) -> bool:
        """Cancel one; False: it may rest on."""
        assert self.cancel is not None
        try:
            verdict = await self.cancel(tracked.request.symbol, tracked.request.id)
        except (VenueUnreachable, VenueMisspoke) as error:
            self.tell(f"order {tracked.request.id} fills too much and is not cancelled yet: {error}")
            return False
        if not isinstance(verdict, CancelRefused):
            self.put(verdict)
        return not isinstance(verdict, CancelRefused) or not verdict.unsent

    async def _ask_fills(self, since_ns: int) -> None:
        self.hear_fills(await self.rows(since_ns))

    async def _ask_orders(self, since_ns: int) -> None:
        """Every order that is not over, whenever it was sent."""
        for tracked in self.orders.alive():
            await self._look_up(tracked)

    async def _ask_funding(self, since_ns: int) -> None:
        for funding in await self._pages(since_ns, "funding", info.user_funding):
            self.hear_funding(funding)

    async def _look_up(self, tracked: Tracked) -> None:
        found = await self.asker.ask(info.order_status(self.user, cloid(tracked.request.id)))
        if found is not None:  # else it is not there yet or never was: the fence decides, not we
            self.hear_update(found)

    async def _collect(self) -> None:
        """Ask for the fills of orders that ended and did not tell them in time, then tell their ends."""
        now_ns = self.clock.now_ns()
        due = {order_id: owed for order_id, owed in self.owed.items() if owed.due_ns <= now_ns}
        if not due:
            return
        since_ms = min(owed.update.order.time_ms for owed in due.values())
        self.hear_fills(await self.rows(since_ms * NS_PER_MS - OVERLAP_NS))
        for order_id, owed in due.items():
            tracked = self.orders.get(order_id)
            if order_id in self.owed and tracked is not None:
                self._end(tracked, owed.update)

    async def _ask_money(self, since_ns: int) -> None:
        began_ns = self.clock.now_ns()
        for update in await self._pages(since_ns, "transfers", info.ledger_updates):
            self.hear_money(update)
        self._money_ns = began_ns

    def look_for_money(self) -> None:
        """Ask for transfers, if it is time: nobody tells them."""
        now_ns = self.clock.now_ns()
        if self._money_ns and now_ns - self._money_ns > MONEY_NS and MONEY not in self.gaps:
            self._missed(Gap(MONEY, self._money_ns, now_ns))

    async def rows(self, since_ns: int) -> Rows[UserFill]:
        """Every fill since a time, oldest first. Raises VenueUnreachable and VenueMisspoke."""
        return await self._pages(since_ns, "fills", info.user_fills_by_time)

    async def _pages(self, since_ns: int, what: str, ask: Callable[[str, int, int], Ask[Rows[R]]]) -> Rows[R]:
        """Everything of a kind since a time, page by page; rows that make no sense are told."""
        end_ms = self.clock.now_ns() // NS_PER_MS + AHEAD_MS
        pages: Pages[R] = Pages(max(1, since_ns // NS_PER_MS), end_ms)
        while window := pages.window:
            page: Rows[R] = await self.asker.ask(ask(self.user, window.start_ms, window.end_ms))
            pages.hear(page)
        if pages.doubtful_ms:
            self.tell(f"{what} may be missing in the milliseconds {sorted(pages.doubtful_ms)}")
        self.hear_unread(pages.rows.unread)
        return pages.rows

    def doubtful(self, rows: Iterable[Unread]) -> list[Unread]:
        """Rows that make no sense and may be of what is traded here."""
        return [row for row in rows if not row.coin or row.coin in self.translator.instruments]

    def fills(self, rows: Iterable[UserFill]) -> list[Fill]:
        """Rows that somebody asked for, as fills of ours; the stream tells them by itself."""
        told = []
        for row in rows:
            if (translated := self.translator.fill(row)) is not None:
                fill, tracked = translated
                told.append(fill)
                if tracked is not None:
                    self.moved(tracked)
        self.wake()
        return told


def why_over(tracked: Tracked, status: str) -> str:
    """Why an order ended, in the words of venues.market where it has some, else the venue's."""
    if status != "canceled":
        return status
    if tracked.successor:
        return "replaced"
    return "ioc" if tracked.request.time_in_force is TimeInForce.IOC and not tracked.cancel_asked else "asked"


def said_of(event: Lost | Damaged | Quarantine) -> str:
    """What befell a line, for the log."""
    match event:
        case Lost(line, channels, ended):
            return f"{line} ({', '.join(channels)}) ended: {ended.why} {ended.code} {ended.text}"
        case Damaged(line, text):
            return f"{line}: {text}"
        case Quarantine(line, subscription, reason):
            return f"{line}: {subscription.channel} {subscription.symbol} is given up: {reason}"
