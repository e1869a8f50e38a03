"""Ledger: the one owner of what is true: money, positions, orders and latches, all folded from the journal.

A message becomes records, the records are folded, and when they are on disk the others are told: position first, then
money, then the order, so that nobody hears "filled" while believing to be flat. A restart folds the same records.
"""

from collections.abc import Callable, Iterable, Mapping
from functools import partial
from pathlib import Path
from typing import Any, ClassVar

import msgspec
from msgspec import Struct
from msgspec.structs import replace

from actors.messages import (
    SHUTDOWN,
    BalanceChanged,
    BreakerChanged,
    CancelSent,
    CapitalChanged,
    Drift,
    EntryTaken,
    Journaled,
    OrderChanged,
    OrderFaulted,
    OrderPlanned,
    PositionChanged,
    Restated,
    RunStarted,
    TradingState,
    Unanswered,
)
from risk.circuit_breaker import account_day
from risk.day_trades import DayTraded, DayTrades
from risk.ledger.books import OPENING, Books, UnknownInstrument
from risk.ledger.postings import Deposit, Entry, Event, Release, Reserve
from risk.order import LiveOrder, OrderEvent, OrderFault, OrderState, apply, inherit_fill, plan
from risk.position import coin_fee_minor
from supervisor import journal
from supervisor.actor import Post
from supervisor.mailbox import Hears
from supervisor.messages import ChildStarted
from venues.market import Accepted, Cancelled, CancelRefused, Fill, FundingPaid, MoneyMoved, Rejected, side_of

OVER_KEPT_MAX = 2_000
"""Orders that are over and still known, for fills that come late: hours of trading."""

TAKEN = (OrderState.RESTING, OrderState.FILLED)
"""States that only an order which the venue has taken in comes to."""

DOUBTFUL = (OrderState.SENT, OrderState.CANCELLING)
"""States of which nobody knows, after a restart, how they went on."""

OrderNews = Accepted | Rejected | Cancelled | CancelRefused | Fill

KINDS: dict[str, type[Struct]] = {
    kind.__name__: kind
    for kind in (
        *(RunStarted, Entry, OrderPlanned, CancelSent, Unanswered, TradingState, BreakerChanged),
        *(Accepted, Rejected, Cancelled, CancelRefused, Fill),
    )
}
"""What is journaled, by the name it is journaled under."""

DECODERS = {name: msgspec.msgpack.Decoder(kind) for name, kind in KINDS.items()}
ENCODE = msgspec.msgpack.Encoder().encode


def written(record: Struct) -> journal.Entry:
    """A record as the journal keeps it."""
    return journal.Entry(record.at_ns, type(record).__name__, ENCODE(record))  # type: ignore[attr-defined]


def read(entry: journal.Entry) -> Struct:
    """A journal entry as the record it was. Raises JournalDamaged for what this version does not know."""
    decoder = DECODERS.get(entry.kind)
    if decoder is None:
        raise journal.JournalDamaged(f"an entry is of kind {entry.kind!r}, which this version does not know")
    try:
        return decoder.decode(entry.body)
    except msgspec.DecodeError as error:
        raise journal.JournalDamaged(f"an entry of kind {entry.kind} cannot be read: {error}") from error


class LedgerMind:
    """Folds records; says what changed."""

    def __init__(self, dust_lots: Mapping[str, float] | None = None):
        self.books = Books((), dust_lots)  # instruments come with each run's first record
        self.orders: dict[str, LiveOrder] = {}
        self.successors: dict[str, str] = {}  # replaced order -> the one in its place
        self.fences_ns: dict[str, int] = {}
        self.entries: dict[str, dict[str, EntryTaken]] = {}  # engine -> intent, of the newest account day
        self.day_trades = DayTrades()
        self.over: dict[str, None] = {}  # in the order in which they ended
        self.trading: dict[str, TradingState] = {}
        self.breakers: dict[str, BreakerChanged] = {}
        self.runs: list[RunStarted] = []
        self.fills: dict[str, int] = {}  # booked, by engine
        self.last_ns = 0  # of the newest record
        self.opened_ns: dict[str, int] = {}  # when the opening balance was taken, by engine
        self.hearers: dict[type, Callable[[Any], tuple[list[Struct], list[Struct]]]] = {
            OrderPlanned: self._planned,
            CancelSent: self._cancel_sent,
            TradingState: self._trading,
            BreakerChanged: self._breaker,
            Drift: self._drift,
            FundingPaid: self._money,
            Deposit: self._money,
            MoneyMoved: self._moved,
            ChildStarted: self._restate,
            **dict.fromkeys((Accepted, Rejected, Cancelled, CancelRefused, Fill, Unanswered), self._news),
        }

    def hear(self, message: Any) -> tuple[list[Struct], list[Struct]]:
        """What to journal of a message (folded already) and what to say once that is on disk."""
        return self.hearers[type(message)](message)

    # --- folding

    def fold(self, record: Struct) -> None:
        """Take one record in: the same on the day it is written and on every start after. Raises LedgerUnbalanced."""
        self.last_ns = max(self.last_ns, record.at_ns)  # type: ignore[attr-defined]
        match record:
            case Entry():
                self._fold_entry(record)
            case OrderPlanned():
                self._fold_plan(record)
            case Accepted() | Rejected() | Cancelled() | CancelRefused() | Fill() | Unanswered():
                self._fold_news(record)
            case CancelSent():
                self._keep(apply(self.orders[record.order_id], OrderEvent.CANCEL_SENT, record.at_ns))
            case TradingState():
                self.trading[record.engine] = record
            case BreakerChanged():
                self.breakers[record.engine] = record
            case RunStarted():
                self.runs.append(record)
                self.books.instruments |= {(one.engine, one.symbol): one for one in record.instruments}

    def _fold_entry(self, entry: Entry) -> None:
        before = self.books.position(entry.engine, entry.symbol)
        self.books.fold(entry)
        if entry.id == OPENING:
            self.opened_ns[entry.engine] = entry.at_ns
        if entry.position is not None:
            self.fills[entry.engine] = self.fills.get(entry.engine, 0) + 1
            self.day_trades.fold(before, entry, self.books.instrument(entry.engine, entry.symbol))

    def _fold_plan(self, planned: OrderPlanned) -> None:
        order, old = planned.order, planned.order.replaces
        made = plan(order, entry=planned.entry, at_ns=planned.at_ns, replaced=self.orders.get(old))
        # sent by the time anybody reads this: the executor sends what is journaled
        self.orders[order.id] = apply(made, OrderEvent.SENT, planned.at_ns)
        self.fences_ns[order.id] = order.expires_ns
        before = self.orders.get(self.successors.get(old, ""))
        if old in self.orders and old != order.id and (before is None or before.over):  # the venue takes the first
            self.successors[old] = order.id

    def _fold_news(self, news: OrderNews | Unanswered) -> None:
        """Move an order, and by a fill those that replaced it. Raises OrderFault for what cannot be of this order."""
        chain = self._chain(news.order_id)
        if not chain:
            return
        order, *replacing = chain
        if isinstance(news, Unanswered):
            self.fences_ns[news.order_id] = max(self.fences_ns[news.order_id], news.fence_ns)
            self._keep(apply(order, OrderEvent.TIMED_OUT, news.at_ns))
            return
        self._keep(apply(order, news, news.at_ns))
        if isinstance(news, Fill) and news.id not in order.fill_ids:
            for later in replacing:
                self._keep(inherit_fill(later, news.lots, news.at_ns))

    def _chain(self, order_id: str) -> list[LiveOrder]:
        """An order and those that took its place, one after the other."""
        chain: list[LiveOrder] = []
        while (order := self.orders.get(order_id)) is not None:
            chain.append(order)
            order_id = self.successors.get(order_id, "")
        return chain

    def _keep(self, order: LiveOrder) -> None:
        order_id = order.request.id
        self.orders[order_id] = order
        if order.entry and order.state in TAKEN:
            self._take_entry(order)
        if not order.over:
            self.over.pop(order_id, None)  # a late word may bring it back to doubt
        elif order_id not in self.over:
            self.over[order_id] = None
            if len(self.over) > OVER_KEPT_MAX:
                self._forget(next(iter(self.over)))

    def _take_entry(self, order: LiveOrder) -> None:
        """Count an entry, once however often its orders move; those of earlier days are over."""
        request, at_ns = order.request, order.changed_ns
        taken = self.entries.setdefault(request.engine, {})
        if request.intent_id not in taken:
            taken[request.intent_id] = EntryTaken(request.engine, request.intent_id, request.symbol, at_ns)
            day = account_day(at_ns)
            for old in [intent for intent, entry in taken.items() if account_day(entry.at_ns) < day]:
                del taken[old]

    def _entry_of(self, order: LiveOrder) -> EntryTaken | None:
        """The entry that an order served, if a venue has taken it in."""
        return self.entries.get(order.request.engine, {}).get(order.request.intent_id)

    def _forget(self, order_id: str) -> None:
        del self.over[order_id], self.orders[order_id]
        self.fences_ns.pop(order_id, None)
        self.successors.pop(order_id, None)

    def recovered(self, at_ns: int) -> list[Struct]:
        """After the fold: what was under way when the last run ended is in doubt now."""
        return [
            Unanswered(order.request.engine, order_id, self.fences_ns[order_id], "obid was restarted", at_ns)
            for order_id, order in self.orders.items()
            if order.state in DOUBTFUL
        ]

    # --- hearing

    def _planned(self, planned: OrderPlanned) -> tuple[list[Struct], list[Struct]]:
        self.fold(planned)
        order = self.orders[planned.order.id]
        records: list[Struct] = [planned]
        if planned.entry:
            records += self._post(Reserve(planned.order, order.lots_left, planned.at_ns))
        return records, [Journaled(planned.engine, planned.order.id), self.order_changed(order)]

    def _cancel_sent(self, sent: CancelSent) -> tuple[list[Struct], list[Struct]]:
        """Not journaled of an order that rests: after a restart the venue is asked about it all the same."""
        before = self.orders.get(sent.order_id)
        if before is None:
            return [], []
        self.fold(sent)
        after = self.orders[sent.order_id]
        moved = after.state is not before.state
        # one without an answer: "refused" would mean that the order was, did we not know of the cancel
        records: list[Struct] = [sent] if before.state is OrderState.SENT else []
        return records, [self.order_changed(after)] if moved else []

    def _news(self, news: OrderNews | Unanswered) -> tuple[list[Struct], list[Struct]]:
        """What happened to an order. A fill is booked whatever its order has to say about it; surplus is a fault."""
        chain = self._chain(news.order_id)
        known_entry = bool(chain) and self._entry_of(chain[0]) is not None
        records: list[Struct] = []
        said: list[Struct] = []
        if isinstance(news, Fill) and not chain:
            # A trade of nobody's order that was made while we were away becomes ours now: its time to be held begins.
            news = replace(news, at_ns=max(news.at_ns, self.last_ns))
        try:
            if isinstance(news, Fill):
                booked = self._post(news)
                records += booked
                said += [self.position_changed(news, entry) for entry in booked] + self._balance(booked)
                said += [trade for entry in booked for trade in self.day_trades.made_by(entry)]
            self._fold_news(news)
        except (OrderFault, UnknownInstrument) as fault:
            said.append(OrderFaulted(news.engine, news.order_id, str(fault), news.at_ns))
            return records, said
        if chain and self.orders.get(news.order_id) is not chain[0]:
            records.insert(0, news)
        if chain and not known_entry and (entry := self._entry_of(chain[0])) is not None:
            said.append(entry)
        for known in chain:
            after = self.orders.get(known.request.id, known)
            if _differs(known, after):
                said.append(self.order_changed(after))
                records += self._post(Release(after.request.engine, after.request.id, news.at_ns)) if after.over else ()
        if surplus := self._surplus(chain):
            said.append(OrderFaulted(news.engine, news.order_id, surplus, news.at_ns))
        return records, said

    def _surplus(self, before: list[LiveOrder]) -> str:
        """What a fill has bought or sold beyond what its chain was to; nothing if it has not."""
        for known in before:
            after = self.orders.get(known.request.id, known)
            if more := after.lots_surplus - known.lots_surplus:
                return f"{more} lots more than the {after.request.lots} that {after.request.id} was to fill"
        return ""

    def _drift(self, drift: Drift) -> tuple[list[Struct], list[Struct]]:
        """Book what the venue holds and we did not know of; nothing if what was on its way has explained it since."""
        engine, symbol = drift.engine, drift.symbol
        lots = drift.venue_lots - drift.ledger_lots
        if not lots or self.books.position(engine, symbol).lots != drift.ledger_lots:
            return [], []
        fill_id = f"adopted-{symbol}-{drift.ledger_lots}-{drift.venue_lots}-{drift.at_ns}"
        instrument = self.books.instruments.get((engine, symbol))
        fee_minor = coin_fee_minor(instrument, drift.ledger_lots, drift.venue_lots, drift.ticks)
        fill = Fill(engine, fill_id, "", symbol, side_of(lots), abs(lots), drift.ticks, fee_minor, False, drift.at_ns)
        return self._news(fill)

    def _money(self, event: FundingPaid | Deposit) -> tuple[list[Struct], list[Struct]]:
        booked = self._post(event)
        return list(booked), self._balance(booked)

    def _moved(self, moved: MoneyMoved) -> tuple[list[Struct], list[Struct]]:
        """Book what came or went; a baseline that did not move with it would take it for profit or loss."""
        booked = self._post(Deposit(moved.engine, moved.id, moved.amount_minor, moved.at_ns))
        changed = [CapitalChanged(moved.engine, moved.amount_minor, moved.kind, moved.at_ns) for _ in booked]
        return list(booked), [*changed, *self._balance(booked)]

    def _trading(self, state: TradingState) -> tuple[list[Struct], list[Struct]]:
        if state.by == SHUTDOWN or self.trading.get(state.engine) == state:
            return [], []
        self.fold(state)
        return [state], []

    def _breaker(self, changed: BreakerChanged) -> tuple[list[Struct], list[Struct]]:
        if self.breakers.get(changed.engine) == changed:
            return [], []
        self.fold(changed)
        return [changed], []

    def _restate(self, started: ChildStarted) -> tuple[list[Struct], list[Struct]]:
        """Say all again that concerns a child that has just started."""
        said: list[Struct] = []
        for engine in self.runs[-1].engines if self.runs else ():  # not those of earlier runs: nobody hears of them
            if started.engine in ("", engine):
                said += self._engine_state(engine, started.at_ns)
        said += [*self.trading.values(), *self.breakers.values()]
        return [], [*said, Restated(started.engine, started.child)]

    def _engine_state(self, engine: str, at_ns: int) -> list[Struct]:
        held = self.books.positions.get(engine, {})
        said: list[Struct] = [self._position(engine, symbol, 0, at_ns) for symbol in held]
        said.append(self.balance_changed(engine, at_ns))
        alive = (order for order in self.orders.values() if order.request.engine == engine and not order.over)
        taken, traded = self.entries.get(engine, {}).values(), self.day_trades.of(engine)
        return [*said, *map(self.order_changed, alive), *taken, *traded]

    def _post(self, event: Event) -> list[Entry]:
        entry = self.books.post(event)
        if entry is None:
            return []
        self.fold(entry)
        return [entry]

    # --- saying

    def position_changed(self, fill: Fill, entry: Entry) -> PositionChanged:
        """What a fill made of a position."""
        return self._position(fill.engine, fill.symbol, entry.realised_minor, fill.at_ns)

    def _position(self, engine: str, symbol: str, realised_minor: int, at_ns: int) -> PositionChanged:
        position = self.books.position(engine, symbol)
        return PositionChanged(
            engine,
            symbol,
            position.lots,
            position.entry_ticks(self.books.instrument(engine, symbol)),
            realised_minor,
            position.opened_ns,
            at_ns,
            position.cost_minor,
        )

    def balance_changed(self, engine: str, at_ns: int) -> BalanceChanged:
        """An engine's money."""
        money = self.books.money(engine)
        return BalanceChanged(
            engine,
            money.cash_minor,
            money.inventory_minor,
            money.realised_minor,
            money.fees_minor,
            money.funding_minor,
            at_ns,
        )

    def _balance(self, booked: list[Entry]) -> list[Struct]:
        return [self.balance_changed(entry.engine, entry.at_ns) for entry in booked]

    def order_changed(self, order: LiveOrder) -> OrderChanged:
        """An order as the others see it."""
        request = order.request
        return OrderChanged(
            engine=request.engine,
            order_id=request.id,
            intent_id=request.intent_id,
            symbol=request.symbol,
            side=request.side,
            state=order.state,
            lots=request.lots,
            lots_filled=order.lots_filled,
            ticks=request.ticks,
            time_in_force=request.time_in_force,
            entry=order.entry,
            reason=order.reason,
            fence_ns=self.fences_ns.get(request.id, request.expires_ns),
            at_ns=order.changed_ns,
        )


def _differs(before: LiveOrder, after: LiveOrder) -> bool:
    """Whether the others need to hear of it."""
    if before.over and before.state is after.state and before.fill_ids == after.fill_ids:
        return False  # it waits for nothing, and what changed is a count that it shares with its chain
    return (before.state, before.lots_filled, before.reason) != (after.state, after.lots_filled, after.reason)


def recover(entries: Iterable[journal.Entry], mind: LedgerMind) -> LedgerMind:
    """Fold a journal and check the books. Raises JournalDamaged and LedgerUnbalanced: nothing trades on such books."""
    for entry in entries:
        mind.fold(read(entry))
    mind.books.check()
    return mind


class Ledger:
    """The body: one writer of one journal, a batch of messages in one transaction."""

    hears: ClassVar[tuple[Hears, ...]] = (
        Hears(Fill),
        Hears(Drift),
        Hears(FundingPaid),
        Hears(MoneyMoved),
        Hears(OrderPlanned),
        Hears(CancelSent),
        Hears(Accepted),
        Hears(Rejected),
        Hears(Cancelled),
        Hears(CancelRefused),
        Hears(Unanswered),
        Hears(TradingState),
        Hears(BreakerChanged),
        Hears(ChildStarted),
    )
    says: ClassVar[tuple[type, ...]] = (
        Journaled,
        PositionChanged,
        CapitalChanged,
        BalanceChanged,
        OrderChanged,
        OrderFaulted,
        EntryTaken,
        DayTraded,
        TradingState,
        BreakerChanged,
        Restated,
    )

    def __init__(self, path: Path, new_mind: Callable[[], LedgerMind], deposits: Iterable[Deposit] = ()):
        self.path = path
        self.new_mind = new_mind
        self.deposits = tuple(deposits)

    async def run(self, post: Post) -> None:
        """Recover, then write and tell."""
        book = await post.clock.in_thread(partial(journal.Journal.open, self.path))
        try:
            mind = await post.clock.in_thread(lambda: recover(book.read(), self.new_mind()))
            first = [*self.deposits, *mind.recovered(post.clock.now_ns())]
            await self._handle(post, book, mind, first)
            post.ready()
            while True:
                while batch := post.mailbox.take():
                    unread = iter(batch)
                    try:
                        await self._handle(post, book, mind, unread)
                    except Exception:
                        post.mailbox.put_back(list(unread))
                        raise
                await post.mailbox.wait()
        finally:
            book.close()

    async def _handle(self, post: Post, book: journal.Journal, mind: LedgerMind, batch: Iterable[Struct]) -> None:
        """One batch, one transaction, then the news. What came before a message that crashes the mind is kept."""
        records: list[journal.Entry] = []
        news: list[Struct] = []
        post.in_hand_ns = post.clock.now_ns()
        for message in batch:
            post.in_hand = message
            try:
                written_of, said = mind.hear(message)
            except Exception:
                await self._commit(post, book, records, news)
                raise
            records += map(written, written_of)
            news += said
        await self._commit(post, book, records, news)
        post.in_hand_ns = 0

    async def _commit(
        self, post: Post, book: journal.Journal, records: list[journal.Entry], news: list[Struct]
    ) -> None:
        if records:
            await post.clock.in_thread(partial(book.append, records))
        for message in news:
            post.say(message)
