"""What is sent: orders, cancels and replaces, each once, each with a verdict; and how doubt about one is closed.

A replace is one request (PATCH) only where nothing of the old order is filled and nothing but the price changes: a
replace of an order that is partly filled begins with all its lots again (alpacahq/Alpaca-API#165), fractions cannot be
named, and another time in force is nowhere promised. Everything else is a cancel, its proof, and a new order for what
is left. A fill that races a PATCH makes the new order too large; it is cancelled then (`AccountFeed.excess`).

A cancel is answered before it has happened, so its verdict is waited for: the stream's word, or a look.

Doubt: docs/decisions/0011.
"""

from collections.abc import Callable, Mapping
from decimal import Decimal

from supervisor.clock import NS_PER_S, Clock
from venues.alpaca import rules
from venues.alpaca.account import BY_CLIENT_ID, ORDER_PATH, AccountFeed
from venues.alpaca.order_list import ORDERS_PATH
from venues.alpaca.orders import BY_ROW, Orders, Tracked, open_order
from venues.alpaca.rest import Refused, Rest
from venues.alpaca.rules import SPOT, NotSendable
from venues.alpaca.trading_wire import Asset, Fate, Order
from venues.market import (
    Accepted,
    Cancelled,
    CancelRefused,
    Instrument,
    OpenOrder,
    OrderRequest,
    Rejected,
    Side,
    TimeInForce,
)
from venues.rest import NotAnswered
from venues.venue import VenueMisspoke, VenueUnreachable

STREAM_S, CANCEL_S = 1.5, 6.0
"""A cancel's end is waited for on the stream so long before each look, and so long in all."""

FENCE_NS = 5 * NS_PER_S
"""An order that is not there is left so long to arrive by itself before its id is used up."""

ASKED, NOT_SENT = "asked", "not sent"
GONE = ("already", "not cancelable", "not found", "pending cancel", "is not open")
"""In the words of a refused cancel or replace: there is nothing left to be moved."""
REPLACED = ('"replaced"', "pending_replace")
"""In those of a refused replace: something in front of the venue sent it twice, and the first did it."""

Touch = Callable[[str, Side], Decimal | None]


def nobody_knows(symbol: str, side: Side) -> Decimal | None:
    """No price was heard."""
    return None


class Desk:
    """One engine's orders."""

    def __init__(
        self,
        rest: Rest,
        feed: AccountFeed,
        instruments: Mapping[str, Instrument],
        assets: Mapping[str, Asset],
        tell: Callable[[str], None],
    ):
        self.rest = rest
        self.feed = feed
        self.instruments = instruments
        self.assets = assets
        self.tell = tell
        self.touch: Touch = nobody_knows  # best price of a side
        self.holds_back: Callable[[str], str] = lambda symbol: ""  # why no entry of a symbol may be sent now
        self.session_open: Callable[[], bool] = lambda: True
        self.shut: dict[str, tuple[str, str]] = {}  # symbol -> day, why its entries are over for it
        self._told: set[str] = set()
        feed.cancel = self._take_out

    @property
    def clock(self) -> Clock:
        """The time."""
        return self.rest.clock

    @property
    def orders(self) -> Orders:
        """Our orders."""
        return self.feed.orders

    # --- orders -------------------------------------------------------------------------------------------------------

    async def submit(self, order: OrderRequest) -> Accepted | Rejected:
        """Send an order. Raises VenueUnreachable and VenueMisspoke where it may be at the venue or not."""
        tracked = self.orders.add(order)
        if reason := self._held_back(order):
            return self._rejected(tracked, f"{NOT_SENT}: {reason}")
        return await self._place(tracked)

    def _held_back(self, order: OrderRequest) -> str:
        """Why an order that opens something is not sent now; exits always are."""
        if order.reduce_only:
            return ""
        if not self.feed.ready:
            return "the trading stream is down, nobody would hear of its fills"
        day, why = self.shut.get(order.symbol, ("", ""))
        if why and day == rules.day_of(self.clock.now_ns()):
            return f"no more entries today: {why}"
        if not self.rest.budget.room_for_entry(self.clock.now_ns()):
            return "no room within the venue's requests of a minute"
        return self.holds_back(order.symbol)

    async def _place(self, tracked: Tracked) -> Accepted | Rejected:
        order = tracked.request
        try:
            instrument = self.instruments[order.symbol]
            opposite = self.touch(order.symbol, order.side.opposite)
            size_min = self.assets[order.symbol].min_order_size
            body = rules.order_body(order, instrument, tracked.sent_lots, opposite, size_min)
        except (NotSendable, KeyError) as error:
            return self._rejected(tracked, f"{NOT_SENT}: {error}")
        answer = await self._act(tracked, "POST", ORDERS_PATH, body)
        if isinstance(answer, Refused):
            if answer.duplicate:
                raise VenueMisspoke(f"order {order.id}: {answer.text}: the venue has one of this id")
            self._note(order.symbol, answer)
            return self._rejected(tracked, answer.text)
        if isinstance(answer, str):
            return self._rejected(tracked, answer)
        return self._taken(tracked, answer)

    async def _act(self, tracked: Tracked, method: str, path: str, body: object) -> Order | Refused | str:
        """Send what makes an order of ours; text where it provably did not leave."""
        if tracked.given_up:
            return f"{NOT_SENT}: it was waited for too long"
        tracked.sent, tracked.sent_ns = True, self.clock.now_ns()
        try:
            answer = await self.rest.act(Order, method, path, body)
        except NotAnswered as error:
            if error.sent:
                raise
            tracked.sent = False
            return f"{NOT_SENT}: {error}"
        if answer is None:
            raise VenueMisspoke(f"{method} {path}: an empty answer")
        return answer

    def _taken(self, tracked: Tracked, row: Order) -> Accepted | Rejected:
        """The venue has it; the row may say more, even that it is over."""
        order = tracked.request
        self.orders.bind(row)
        if self.orders.of_row(row.id) is not tracked:
            raise VenueMisspoke(f"order {order.id}: the answer is about {row.client_order_id}")
        if row.fate is Fate.REJECTED:
            return self._rejected(tracked, f"rejected: {row.status}")
        tracked.announced = True
        self.feed.hear_row(row)
        return Accepted(order.engine, order.id, order.symbol, self.clock.now_ns())

    async def replace(self, order: OrderRequest) -> Accepted | Rejected | CancelRefused:
        """Put an order in the place of another, for what that one has not filled."""
        old = self.orders.get(order.replaces)
        tracked = self.orders.add(order)
        if old is None or old.over or tracked.sent_lots <= 0:
            why = "unknown here" if old is None else "over" if old.over else "filled"
            return self._not_replaced(tracked, old, f"{NOT_SENT}: it is {why}")
        if reason := self._held_back(order):
            return self._stays(tracked, old, f"{NOT_SENT}: {reason}", unsent=True)
        if self._moves_price_alone(old, tracked):
            return await self._patch(old, tracked)
        _, over = await self._cancel(old)
        if not over:
            self._must_be_asked(old, "its cancel for a replace has no end yet")
            raise VenueUnreachable(f"order {order.id} was not sent: the end of {order.replaces} is not told yet")
        tracked.sent_lots = order.lots - tracked.lots_filled
        if tracked.sent_lots <= 0:
            return self._not_replaced(tracked, old, "it is filled")
        return await self._place(tracked)

    def _moves_price_alone(self, old: Tracked, new: Tracked) -> bool:
        """Whether one request can replace it: all lots are left, and it stays as long as before."""
        whole = old.own_lots == old.filled_there == 0 and new.sent_lots == (old.venue_lots or old.sent_lots)
        waits = TimeInForce.IOC not in (old.request.time_in_force, new.request.time_in_force)
        return bool(old.row_id) and whole and waits

    async def _patch(self, old: Tracked, tracked: Tracked) -> Accepted | Rejected | CancelRefused:
        order = tracked.request
        try:
            opposite = self.touch(order.symbol, order.side.opposite)
            body = rules.replace_body(order, self.instruments[order.symbol], opposite)
        except (NotSendable, KeyError) as error:
            return self._stays(tracked, old, f"{NOT_SENT}: {error}", unsent=True)
        tracked.patched = True
        answer = await self._act(tracked, "PATCH", ORDER_PATH.format(old.row_id), body)
        if isinstance(answer, Order):
            return self._taken(tracked, answer)
        if isinstance(answer, Refused) and (answer.duplicate or any(word in answer.message for word in REPLACED)):
            raise VenueUnreachable(f"{order.replaces} is replaced already, by {order.id} itself for all we know")
        if isinstance(answer, Refused) and (answer.missing or any(word in answer.message for word in GONE)):
            return self._not_replaced(tracked, old, answer.text)
        if isinstance(answer, Refused):
            return self._stays(tracked, old, answer.text, unsent=False)
        return self._stays(tracked, old, answer, unsent=True)

    def _stays(self, tracked: Tracked, old: Tracked, why: str, *, unsent: bool) -> Rejected:
        """The new order is refused and the old one rests on: who waits for its end would leave it there."""
        self.orders.stay(old, tracked.request.id)
        self._must_be_asked(old, why, unsent=unsent)
        return self._rejected(tracked, why)

    def _must_be_asked(self, old: Tracked, why: str, *, unsent: bool = False) -> None:
        """An order that was to go is there, or may be; `unsent`: it surely is, nobody asked the venue for its end."""
        order = old.request
        if not old.over:
            at_ns = self.clock.now_ns()
            self.feed.put(CancelRefused(order.engine, order.id, order.symbol, why, at_ns, unsent))

    def _not_replaced(self, tracked: Tracked, old: Tracked | None, why: str) -> CancelRefused:
        if old is not None:
            self.orders.stay(old, tracked.request.id)
        self.orders.end(tracked)
        order = tracked.request
        return CancelRefused(order.engine, order.id, order.symbol, why, self.clock.now_ns())

    # --- cancels ------------------------------------------------------------------------------------------------------

    async def cancel(self, engine: str, symbol: str, order_id: str) -> Cancelled | CancelRefused:
        """Cancel an order and wait until it is over. Raises VenueUnreachable where its end is not told in time."""
        if order_id.startswith(BY_ROW):
            return await self._cancel_stranger(engine, symbol, order_id)
        tracked = self.orders.get(order_id)
        if tracked is None:
            return CancelRefused(engine, order_id, symbol, "it is unknown here", self.clock.now_ns())
        refusal, over = await self._cancel(tracked)
        if refusal and not over:
            return CancelRefused(engine, order_id, symbol, refusal, self.clock.now_ns())
        if not over:
            raise VenueUnreachable(f"the cancel of {order_id} was taken, its end is not told yet")
        if tracked.lots_filled >= tracked.request.lots:
            return CancelRefused(engine, order_id, symbol, "it is filled", self.clock.now_ns())
        return Cancelled(engine, order_id, symbol, tracked.lots_filled, ASKED, self.clock.now_ns())

    async def _cancel(self, tracked: Tracked) -> tuple[str, bool]:
        """Ask for the end of an order and wait for it; the venue's words if it refused, and whether it is over."""
        if tracked.over and not await self._lives_on(tracked):
            return "", True
        if not tracked.row_id and await self.feed.look_up(tracked) is None:
            return "the venue does not know it", False
        tracked.cancel_asked = True
        refusal = await self._delete(tracked.row_id)
        until_ns = self.clock.now_ns() + round(CANCEL_S * NS_PER_S)
        while self.clock.now_ns() < until_ns:
            if not refusal and await self.feed.wait(tracked, STREAM_S):
                break
            row = await self.feed.look_up(tracked)
            if row is not None and row.fate is not Fate.OPEN:
                self.feed.hear_executions(await self.feed.executions(row.created_ns))
            if refusal:
                break
        return refusal, await self.feed.wait(tracked, 0)

    async def _lives_on(self, tracked: Tracked) -> bool:
        """Whether the venue has an order in its book that is over here: a refusal was not the truth."""
        row = await self.feed.look_up(tracked)
        if row is None or row.fate is not Fate.OPEN:
            return False
        self.tell(f"order {tracked.request.id} was over and lives at the venue: it is cancelled there")
        self.orders.revive(tracked)
        return True

    async def _delete(self, row_id: str) -> str:
        """Ask for the end of an order; the venue's words if it refused."""
        answer = await self.rest.act(Order, "DELETE", ORDER_PATH.format(row_id))
        return answer.text if isinstance(answer, Refused) else ""

    async def _take_out(self, tracked: Tracked) -> None:
        """Cancel an order that may fill more than is wanted; its end comes by the stream.

        Raises VenueMisspoke where the venue refuses and it is not over: one that is being replaced cannot be yet.
        """
        order = tracked.request
        self.tell(f"order {order.id} may fill {tracked.lots_over} lots too many after a replace: it is cancelled")
        tracked.cancel_asked = True
        if tracked.row_id and (refusal := await self._delete(tracked.row_id)):
            await self.feed.look_up(tracked)
            if not tracked.over:
                raise VenueMisspoke(f"order {order.id} may fill too much and is not cancelled yet: {refusal}")

    async def _cancel_stranger(self, engine: str, symbol: str, order_id: str) -> Cancelled | CancelRefused:
        """Cancel an order that is not ours, by the venue's id."""
        row_id = order_id.removeprefix(BY_ROW)
        if refusal := await self._delete(row_id):
            return CancelRefused(engine, order_id, symbol, refusal, self.clock.now_ns())
        row = await self.rest.must(Order, ORDER_PATH.format(row_id))
        filled = self.instruments[symbol].lots(row.filled_qty) if symbol in self.instruments else 0
        return Cancelled(engine, order_id, symbol, filled, ASKED, self.clock.now_ns())

    # --- doubt --------------------------------------------------------------------------------------------------------

    async def find(self, engine: str, symbol: str, order_id: str) -> OpenOrder | Cancelled | Rejected | None:
        """What became of an order; None: it is not known yet, and the next question may know."""
        instrument = self.instruments.get(symbol)
        if order_id.startswith(BY_ROW) or instrument is None:
            return None  # nobody's order is in doubt
        tracked = self.orders.get(order_id)
        if tracked is None:
            return await self._unsubmitted(engine, symbol, order_id)
        if not tracked.sent:
            tracked.given_up = True
            return self._rejected(tracked, "it was never sent")
        row: Order | Rejected | None = await self.feed.look_up(tracked)
        if row is None and not tracked.taken:
            row = await self._fence(tracked, instrument)
        return await self._became(engine, tracked, row, instrument) if isinstance(row, Order) else row

    async def _unsubmitted(self, engine: str, symbol: str, order_id: str) -> Rejected | None:
        """An order that nobody handed over to be sent, and the venue does not know: it is not sent any more, either."""
        self.orders.unsent.add(order_id)
        found = await self.rest.ask(Order, BY_CLIENT_ID, {"client_order_id": order_id})
        if not isinstance(found, Refused) or not found.missing or self.orders.get(order_id) is not None:
            return None
        return Rejected(engine, order_id, symbol, f"{NOT_SENT}: nobody came to send it", self.clock.now_ns())

    async def _became(
        self, engine: str, tracked: Tracked, row: Order, instrument: Instrument
    ) -> OpenOrder | Cancelled | Rejected | None:
        order = tracked.request
        if row.fate is Fate.OPEN:
            if rules.is_twin(order, instrument, row.limit_price):
                await self._delete(row.id)  # of a day on which nothing trades: it waits for the open
                return None
            return open_order(tracked, row, instrument)
        if row.fate is Fate.REJECTED and not row.filled_qty:
            return Rejected(engine, order.id, order.symbol, f"rejected: {row.status}", row.at_ns)
        if tracked.own_lots < tracked.filled_there:
            self.feed.hear_executions(await self.feed.executions(row.created_ns))
            if tracked.own_lots < tracked.filled_there and not tracked.over:
                return None  # its fills are owed, and its end comes after them
        reason = (
            "never arrived: its id was used up" if rules.is_twin(order, instrument, row.limit_price) else row.status
        )
        filled = min(tracked.lots_filled, order.lots)  # a chain may have more than it wanted; its fills tell that
        return Cancelled(engine, order.id, order.symbol, filled, reason, row.at_ns)

    async def _fence(self, tracked: Tracked, instrument: Instrument) -> Order | Rejected | None:
        """See to it that an order which is not there can never come; what proves it, or the row that it came as."""
        if self.clock.now_ns() - tracked.sent_ns < FENCE_NS:
            return None
        order = tracked.request
        if order.replaces:
            old = await self._old_row(order.replaces)
            before = self.orders.get(order.replaces)
            if old is None and not (before is not None and before.over):
                return None
            if old is None:  # what never was cannot be replaced
                return await self._use_up(tracked, instrument)
            if old.replaced_by:  # it lives under an id that the venue gave it
                found = await self.rest.ask(Order, ORDER_PATH.format(old.replaced_by))
                if not isinstance(found, Order):
                    return None
                other = self.orders.get(found.client_order_id)
                if other is None or other is tracked or other.request.replaces != order.replaces:
                    return self._adopted(tracked, found)
                # else another order of ours took the place, after this one was given up for lost
            if old.fate is Fate.OPEN:
                await self._delete(old.id)  # what is over can't be replaced; the next question sees it
                return None
            if tracked.patched or tracked.lots_filled >= order.lots:
                return self._rejected(tracked, f"{order.replaces} is over, so nothing can take its place any more")
        return await self._use_up(tracked, instrument)

    async def _old_row(self, order_id: str) -> Order | None:
        """The order that was to be replaced, by our id."""
        old = self.orders.get(order_id)
        return await self.feed.look_up(old) if old is not None else None

    def _adopted(self, tracked: Tracked, row: Order) -> Order:
        self.orders.adopt(tracked, row.id)
        self.feed.hear_row(row)
        return row

    async def _use_up(self, tracked: Tracked, instrument: Instrument) -> Order | None:
        """Post an order of the same id that nobody fills: the venue takes an id once."""
        order, coins = tracked.request, instrument.asset_class == SPOT
        hows = ("ioc",) if coins else ("ioc", "day") if self.session_open() else ("day",)
        bodies = rules.twin_bodies(order, instrument, max(1, order.lots - tracked.lots_filled), hows)
        why = "" if bodies else "and too small for the proof that it never came"
        for body in bodies:
            try:
                answer = await self.rest.act(Order, "POST", ORDERS_PATH, body)
            except NotAnswered:
                return None  # whichever of the two is there is found by the next question
            if isinstance(answer, Order):
                self.tell(f"order {order.id} had not arrived; its id is used up, so it never will")
                return None if answer.fate is Fate.OPEN else answer
            if answer is not None and answer.duplicate:
                return await self.feed.look_up(tracked)  # it came meanwhile
            why = f"and its id could not be used up: {answer.text}" if answer is not None else why
        if why:
            self.tell_once(f"order {order.id} is in doubt {why}")
        return None

    # --- small things -------------------------------------------------------------------------------------------------

    def _note(self, symbol: str, refused: Refused) -> None:
        """A refusal that will come again shuts the symbol's entries for the day, which is said once."""
        why, day = rules.shuts(refused.code, refused.message), rules.day_of(self.clock.now_ns())
        if why and self.shut.get(symbol, ("", ""))[0] != day:
            self.shut[symbol] = (day, why)
            self.tell(f"{symbol}: no more entries today: {refused.text}")

    def tell_once(self, text: str) -> None:
        """Tell a person, the first time."""
        if text not in self._told:
            self._told.add(text)
            self.tell(text)

    def _rejected(self, tracked: Tracked, reason: str) -> Rejected:
        order = tracked.request
        self.orders.end(tracked)
        return Rejected(order.engine, order.id, order.symbol, reason, self.clock.now_ns())
