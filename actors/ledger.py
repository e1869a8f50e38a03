"""Ledger: the one owner of what is true: money, positions, orders and latches, all folded from the journal.

A message becomes records, the records are folded, and when they are on disk the others are told: position first, then
money, then the order, so that nobody hears "filled" while believing to be flat. A restart folds the same records.
"""

from collections.abc import Callable, Iterable, Mapping
from functools import partial
from pathlib import Path
from typing import Any, ClassVar

from msgspec import Struct
from msgspec.structs import replace

from actors.ledger_recovery import SNAPSHOT_EVERY, keep_snapshot, recover_journal, state_of
from actors.messages import (
    SHUTDOWN,
    BalanceChanged,
    BooksAsked,
    BooksTold,
    BreakerChanged,
    ByHand,
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
    TradingLatched,
    TradingState,
    Tune,
    Tuned,
    Unanswered,
    VenueLooked,
)
from actors.records import written
from actors.words import balance_changed, differs, latched, order_changed, surplus_of, tuned_after, tuned_of
from risk.circuit_breaker import account_day
from risk.day_trades import DayTraded, DayTrades
from risk.ledger.books import OPENING, Books, UnknownInstrument
from risk.ledger.foreign import Adoption, Foreign, is_undoing
from risk.ledger.postings import Deposit, Entry, Event, Release, Reserve
from risk.order import LiveOrder, OrderEvent, OrderFault, OrderState, apply, inherit_fill, plan
from risk.position import coin_fee_minor
from supervisor import journal
from supervisor.actor import Post
from supervisor.clock import NS_PER_S
from supervisor.mailbox import Hears
from supervisor.messages import ChildStarted
from venues.market import Accepted, Cancelled, CancelRefused, Fill, FundingPaid, MoneyMoved, Rejected, side_of

OVER_KEPT_MAX = 2_000
"""Orders that are over and still known, for fills that come late: hours of trading."""

LOOKED_EVERY_NS = 600 * NS_PER_S
"""A look at the venue each half minute is a row of the journal each ten minutes."""

TAKEN = (OrderState.RESTING, OrderState.FILLED)
"""States that only an order which the venue has taken in comes to."""

DOUBTFUL = (OrderState.SENT, OrderState.CANCELLING)
"""States of which nobody knows, after a restart, how they went on."""

OrderNews = Accepted | Rejected | Cancelled | CancelRefused | Fill


class LedgerMind:
    """Folds records; says what changed."""

    def __init__(self, dust_lots: Mapping[str, float] | None = None):
        self.books = Books((), dust_lots)  # instruments come with each run's first record
        self.foreign = Foreign(self.books.dust_lots)
        self.orders: dict[str, LiveOrder] = {}
        self.successors: dict[str, tuple[str, ...]] = {}  # replaced order -> those that were to take its place
        self.fences_ns: dict[str, int] = {}
        self.entries: dict[str, dict[str, EntryTaken]] = {}  # engine -> intent, of the newest account day
        self.day_trades = DayTrades()
        self.over: dict[str, None] = {}  # in the order in which they ended
        self.trading: dict[str, TradingState] = {}
        self.breakers: dict[str, BreakerChanged] = {}
        self.tuned: dict[tuple[str, str, str, str], Tuned] = {}  # (engine, source, name, symbol)
        self.runs: list[RunStarted] = []
        self.fills: dict[str, int] = {}  # booked, by engine
        self.last_ns = 0  # of the newest record
        self.opened_ns: dict[str, int] = {}  # when the opening balance was taken, by engine
        self.looked_ns: dict[str, int] = {}  # what was filled before is booked, by engine; up to ten minutes old
        self.hearers: dict[type, Callable[[Any], tuple[list[Struct], list[Struct]]]] = {
            OrderPlanned: self._planned,
            CancelSent: self._cancel_sent,
            TradingState: self._trading,
            BreakerChanged: self._breaker,
            Tune: self._tune,
            Drift: self._drift,
            BooksAsked: self._asked,
            FundingPaid: self._money,
            Deposit: self._money,
            Release: lambda released: (list(self._post(released)), []),
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
            case VenueLooked():
                self.looked_ns[record.engine] = record.looked_ns
            case Drift():
                self.foreign.fold_adoption(self._adoption(record))
            case TradingState():
                self.trading[record.engine] = record
            case BreakerChanged():
                self.breakers[record.engine] = record
            case Tuned():
                tuned_after(self.tuned, record)
            case RunStarted():
                self.tuned = {key: one for key, one in self.tuned.items() if one.keep}
                if self.runs:  # one set of instruments is enough to remember
                    self.runs[-1] = replace(self.runs[-1], instruments=())
                self.runs.append(record)
                self.books.instruments |= {(one.engine, one.symbol): one for one in record.instruments}

    def _fold_entry(self, entry: Entry) -> None:
        before = self.books.position(entry.engine, entry.symbol)
        self.books.fold(entry)
        if entry.id == OPENING:
            self.opened_ns[entry.engine] = entry.at_ns
        if entry.position is not None:
            self.fills[entry.engine] = self.fills.get(entry.engine, 0) + 1
            self.foreign.fold_entry(before, entry, ours=entry.order_id in self.orders)
            if not is_undoing(entry):
                self.day_trades.fold(before, entry, self.books.instrument(entry.engine, entry.symbol))

    def _fold_plan(self, planned: OrderPlanned) -> None:
        order, old = planned.order, planned.order.replaces
        made = plan(order, entry=planned.entry, at_ns=planned.at_ns, replaced=self.orders.get(old))
        # sent by the time anybody reads this: the executor sends what is journaled
        self.orders[order.id] = apply(made, OrderEvent.SENT, planned.at_ns)
        self.fences_ns[order.id] = order.expires_ns
        if old in self.orders and old != order.id:  # the venue takes one of them, and all count what `old` filled
            self.successors[old] = (*self.successors.get(old, ()), order.id)

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
        """An order and those that took its place or were to, each after what it replaced."""
        chain = [self.orders[order_id]] if order_id in self.orders else []
        for order in chain:  # grows meanwhile
            later = self.successors.get(order.request.id, ())
            chain += [self.orders[one] for one in later if one in self.orders]
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
        if request.intent_id in taken:
            return
        newest = next(reversed(taken.values()), None)  # none is of an earlier day than this one
        taken[request.intent_id] = EntryTaken(request.engine, request.intent_id, request.symbol, at_ns)
        day = account_day(at_ns)
        if newest is not None and account_day(newest.at_ns) != day:
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
        """After the fold: what was under way when the last run ended is in doubt now.

        And where the end of the journal was lost between an order's end and its release, its margin is free again.
        """
        doubts: list[Struct] = [
            Unanswered(order.request.engine, order_id, self.fences_ns[order_id], "obid was restarted", at_ns)
            for order_id, order in self.orders.items()
            if order.state in DOUBTFUL
        ]
        kept = {order_id for order_id, order in self.orders.items() if not order.over}
        reserved = self.books.reservations.items()
        return doubts + [Release(one.engine, order_id, at_ns) for order_id, one in reserved if order_id not in kept]

    # --- hearing

    def _planned(self, planned: OrderPlanned) -> tuple[list[Struct], list[Struct]]:
        self.fold(planned)
        order = self.orders[planned.order.id]
        records: list[Struct] = [planned]
        if planned.entry:
            records += self._post(Reserve(planned.order, order.lots_left, planned.at_ns))
        return records, [Journaled(planned.engine, planned.order.id, planned.order.symbol), self.order_changed(order)]

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
        try:
            if isinstance(news, Fill):
                by_hand = self.foreign.lots(news.engine, news.symbol)
                booked = self._book(news, ours=bool(chain))
                records += booked
                said += self._booked(news, booked)
                if (lots := self.foreign.lots(news.engine, news.symbol)) != by_hand:
                    said.append(ByHand(news.engine, news.symbol, lots, news.at_ns))
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
            if differs(known, after):
                said.append(self.order_changed(after))
                records += self._post(Release(after.request.engine, after.request.id, news.at_ns)) if after.over else ()
        if surplus := surplus_of(chain, self.orders):
            said.append(OrderFaulted(news.engine, news.order_id, surplus, news.at_ns))
        return records, said

    def _book(self, fill: Fill, *, ours: bool) -> list[Entry]:
        """Book a fill, once. One that an adoption stood for takes its place there. Raises UnknownInstrument."""
        if self.books.knows(fill):
            return []
        undoing = self.foreign.undoing(fill)
        if not ours:
            # A trade of nobody's order that was made while we were away becomes ours now: its time to be held begins.
            fill = replace(fill, at_ns=max(fill.at_ns, self.last_ns))
        return [*(self._post(undoing) if undoing is not None else ()), *self._post(fill)]

    def _booked(self, fill: Fill, booked: list[Entry]) -> list[Struct]:
        """What is said of a fill's entries: where it was late, what it left of the adoption and itself are one news."""
        if not booked:
            return []
        realised_minor = sum(entry.realised_minor for entry in booked)
        position = self._position(fill.engine, fill.symbol, realised_minor, booked[-1].at_ns, fill.id)
        return [position, *self._balance(booked[-1:]), *self.day_trades.made_by(booked[-1])]

    def _drift(self, drift: Drift) -> tuple[list[Struct], list[Struct]]:
        """Book what the venue holds and we did not know of; nothing if what was on its way has explained it since."""
        engine, symbol = drift.engine, drift.symbol
        lots = drift.venue_lots - drift.ledger_lots
        if not lots or self.books.position(engine, symbol).lots != drift.ledger_lots:
            return [], []
        if (engine, symbol) not in self.books.instruments:
            return [], [OrderFaulted(engine, "", f"{symbol!r} is held, and nobody listed it", drift.at_ns)]
        fee_minor = self._coin_fee_minor(drift)
        self.fold(drift)
        fill_id = self.foreign.id_of(engine, symbol, drift.ledger_lots, drift.venue_lots)
        fill = Fill(engine, fill_id, "", symbol, side_of(lots), abs(lots), drift.ticks, fee_minor, False, drift.at_ns)
        records, said = self._news(fill)
        return [drift, *records], said

    def _coin_fee_minor(self, drift: Drift) -> int:
        instrument = self.books.instruments.get((drift.engine, drift.symbol))
        return coin_fee_minor(instrument, drift.ledger_lots, drift.venue_lots, drift.ticks)

    def _adoption(self, drift: Drift) -> Adoption:
        return Adoption(drift.engine, drift.symbol, drift.ticks, drift.as_of_ns, self._coin_fee_minor(drift) != 0)

    def _asked(self, asked: BooksAsked) -> tuple[list[Struct], list[Struct]]:
        """Answer, and keep now and then until when nothing is missing."""
        told: list[Struct] = [BooksTold(asked.engine, asked.number)]
        if asked.looked_ns - self.looked_ns.get(asked.engine, 0) < LOOKED_EVERY_NS:
            return [], told
        looked = VenueLooked(asked.engine, asked.looked_ns, asked.looked_ns)
        self.fold(looked)
        return [looked], told

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
        return [state], [latched(state)]

    def _breaker(self, changed: BreakerChanged) -> tuple[list[Struct], list[Struct]]:
        if self.breakers.get(changed.engine) == changed:
            return [], []
        self.fold(changed)
        return [changed], []

    def _tune(self, tune: Tune) -> tuple[list[Struct], list[Struct]]:
        self.fold(tuned := tuned_of(tune))
        return [tuned], [tuned]

    def _restate(self, started: ChildStarted) -> tuple[list[Struct], list[Struct]]:
        """Say all again that concerns a child that has just started."""
        said: list[Struct] = []
        for engine in self.runs[-1].engines if self.runs else ():  # not those of earlier runs: nobody hears of them
            if started.engine in ("", engine):
                said += self._engine_state(engine, started.at_ns)
        said += [*self.trading.values(), *map(latched, self.trading.values()), *self.breakers.values()]
        said += [one for one in self.tuned.values() if started.engine in ("", one.engine)]
        return [], [*said, Restated(started.engine, started.child)]

    def _engine_state(self, engine: str, at_ns: int) -> list[Struct]:
        held = self.books.positions.get(engine, {})
        said: list[Struct] = [self._position(engine, symbol, 0, at_ns) for symbol in held]
        said.append(balance_changed(engine, self.books.money(engine), at_ns))
        said += [ByHand(engine, symbol, lots, at_ns) for symbol, lots in self.foreign.of(engine).items()]
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

    def _position(
        self, engine: str, symbol: str, realised_minor: int, at_ns: int, fill_id: str = ""
    ) -> PositionChanged:
        held, instrument = self.books.position(engine, symbol), self.books.instrument(engine, symbol)
        entry, cost = held.entry_ticks(instrument), held.cost_minor
        return PositionChanged(engine, symbol, held.lots, entry, realised_minor, held.opened_ns, at_ns, cost, fill_id)

    def _balance(self, booked: list[Entry]) -> list[Struct]:
        return [balance_changed(entry.engine, self.books.money(entry.engine), entry.at_ns) for entry in booked]

    def order_changed(self, order: LiveOrder) -> OrderChanged:
        """An order as the others see it."""
        return order_changed(order, self.fences_ns.get(order.request.id, order.request.expires_ns))


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
        Hears(Tune),
        Hears(ChildStarted),
        Hears(BooksAsked),  # last: what was put here before it is booked when it is answered
    )
    says: ClassVar[tuple[type, ...]] = (
        *(Journaled, PositionChanged, ByHand, BooksTold, CapitalChanged, BalanceChanged, OrderChanged, OrderFaulted),
        *(EntryTaken, DayTraded, TradingState, TradingLatched, BreakerChanged, Tuned, Restated),
    )

    def __init__(self, path: Path, new_mind: Callable[[], LedgerMind], deposits: Iterable[Deposit] = ()):
        self.path = path
        self.new_mind = new_mind
        self.deposits = tuple(deposits)
        self.snapshot_seq = 0  # the last entry that a snapshot stands for

    async def run(self, post: Post) -> None:
        """Recover, then write and tell."""
        book = await post.clock.in_thread(partial(journal.Journal.open, self.path))
        try:
            mind, self.snapshot_seq = await post.clock.in_thread(lambda: recover_journal(book, self.new_mind()))
            first = [*self.deposits, *mind.recovered(post.clock.now_ns())]
            await self._handle(post, book, mind, first)
            post.ready()
            while True:
                await self._keep_snapshot(post, book, mind)
                while batch := post.mailbox.take():
                    unread = iter(batch)
                    try:
                        await self._handle(post, book, mind, unread)
                    except BaseException:
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
        post.mailbox.since_ns, post.in_hand_ns = post.in_hand_ns, 0  # what waits came behind this batch: a slow disk

    async def _commit(
        self, post: Post, book: journal.Journal, records: list[journal.Entry], news: list[Struct]
    ) -> None:
        """Write, then tell: also when it is stopped meanwhile, as the next one says what is open and not what ended."""
        seq = book.seq
        try:
            if records:
                await post.clock.in_thread(partial(book.append, records))
        finally:
            if book.seq == seq + len(records):
                for message in news:
                    post.say(message)

    async def _keep_snapshot(self, post: Post, book: journal.Journal, mind: LedgerMind) -> None:
        """Now and then, while nothing waits: what the journal comes to, so that the next start need not fold it all."""
        if book.seq - self.snapshot_seq >= SNAPSHOT_EVERY:
            self.snapshot_seq = book.seq
            await post.clock.in_thread(partial(keep_snapshot, self.path, book.place, state_of(mind)))
