"""The journal as a story: every fill with what it did to its position, funding, money, readings of equity, latches.

The records are folded by the ledger's own mind, so that a report and the daemon cannot disagree.
"""

from collections import Counter
from collections.abc import Iterable

from msgspec import Struct

from actors.ledger import LedgerMind
from actors.messages import BreakerChanged, OrderPlanned, RunStarted, TradingState
from actors.records import read
from risk.ledger.postings import Entry, Phase
from risk.position import Position
from supervisor.journal import Entry as Line
from venues.market import Fill, Rejected

FILL, FUNDING, DEPOSIT = "fill:", "funding:", "deposit:"
"""How the ids of entries begin."""

COIN_FEE = ":fee"
"""How the ids of fills end that are a fee which the venue took in coins, behind the fill's own: nobody's wish."""


class Filled(Struct, frozen=True, kw_only=True):
    """One fill as it was booked."""

    engine: str
    symbol: str
    id: str
    order_id: str  # empty: nobody's order, or a position that was adopted
    intent_id: str
    entry: bool  # its order was to open
    lots: int  # signed
    paid_minor: int  # signed as lots: what was paid for them, fees not counted
    fee_minor: int
    realised_minor: int
    venue_minor: int | None  # what the venue says it realised, before fees; None: it does not say
    maker: bool | None  # None: nobody said
    before: Position
    after: Position
    at_ns: int
    run: int

    @property
    def is_coin_fee(self) -> bool:
        """Whether it is the fee of another fill, and no trade."""
        return self.id.endswith(COIN_FEE)


class Cash(Struct, frozen=True, kw_only=True):
    """Money that came or went without a fill: funding of a symbol, a deposit."""

    engine: str
    symbol: str
    id: str
    amount_minor: int
    at_ns: int
    run: int


class Reading(Struct, frozen=True, kw_only=True):
    """An account's equity at the market, as the circuit breaker read it."""

    engines: tuple[str, ...]
    equity_minor: int
    moved_minor: int  # deposits less withdrawals, booked by then
    at_ns: int
    run: int


class Planned(Struct, frozen=True, kw_only=True):
    """An order that was sent, or was about to be."""

    order: OrderPlanned
    run: int


class Latched(Struct, frozen=True, kw_only=True):
    """A trading state that was set."""

    state: TradingState
    run: int


class Booked(Struct):
    """All of it, oldest first, and the ledger's mind after the last record."""

    mind: LedgerMind
    booked: list[Filled | Cash]  # fills and funding, in the order in which positions knew of them
    moves: list[Cash]
    readings: list[Reading]
    planned: list[Planned]
    latches: list[Latched]
    rejected: list[tuple[Rejected, int]]  # and the run


def booked(lines: Iterable[Line]) -> Booked:
    """Fold a journal. Raises JournalDamaged and LedgerUnbalanced."""
    story = Booked(LedgerMind(), [], [], [], [], [], [])
    teller = _Teller(story)
    for line in lines:
        teller.tell(read(line))
    story.mind.books.check()
    return story


class _Teller:
    """Folds one record after the other and keeps what a report needs of it."""

    def __init__(self, story: Booked):
        self.story = story
        self.run = 0
        self.orders: dict[str, OrderPlanned] = {}
        self.moved: Counter[str] = Counter()  # by engine: what came less what went
        self.told: dict[str, Fill] = {}  # of our orders: journaled just before its entry

    def tell(self, record: Struct) -> None:
        """Take a record in."""
        story, mind = self.story, self.story.mind
        match record:
            case RunStarted():
                self.run = record.number
            case Fill():
                self.told[record.id] = record
            case Entry():
                self._entry(record)
                return
            case OrderPlanned():
                self.orders[record.order.id] = record
                story.planned.append(Planned(order=record, run=self.run))
            case Rejected():
                story.rejected.append((record, self.run))
            case TradingState():
                story.latches.append(Latched(state=record, run=self.run))
            case BreakerChanged():
                self._reading(record)
        mind.fold(record)

    def _entry(self, entry: Entry) -> None:
        books = self.story.mind.books
        before = books.position(entry.engine, entry.symbol)
        self.story.mind.fold(entry)
        kind, _, name = entry.id.partition(":")
        if entry.position is not None:
            self.story.booked.append(self._filled(entry, name, before, entry.position))
        elif f"{kind}:" in (FUNDING, DEPOSIT):
            place = {FUNDING: ("funding_clearing", "funding"), DEPOSIT: ("cash", "capital")}[f"{kind}:"]
            cash = Cash(
                engine=entry.engine,
                symbol=entry.symbol,
                id=name,
                amount_minor=_moved(entry, *place),
                at_ns=entry.at_ns,
                run=self.run,
            )
            if f"{kind}:" == FUNDING:
                self.story.booked.append(cash)
            else:
                self.story.moves.append(cash)
                self.moved[cash.engine] += cash.amount_minor

    def _filled(self, entry: Entry, name: str, before: Position, after: Position) -> Filled:
        told = self.told.pop(name, None)
        planned = self.orders.get(entry.order_id)
        return Filled(
            engine=entry.engine,
            symbol=entry.symbol,
            id=name,
            order_id=entry.order_id if planned else "",
            intent_id=planned.order.intent_id if planned else "",
            entry=planned.entry if planned else False,
            lots=after.lots - before.lots,
            paid_minor=after.cost_minor - before.cost_minor - entry.realised_minor,
            fee_minor=_moved(entry, "fees", "fees_clearing"),
            realised_minor=entry.realised_minor,
            venue_minor=told.closed_minor if told else None,
            maker=told.maker if told else None,
            before=before,
            after=after,
            at_ns=entry.at_ns,
            run=self.run,
        )

    def _reading(self, changed: BreakerChanged) -> None:
        breaker = changed.breaker
        if breaker.equity_minor is None:
            return
        engines = breaker.engines or (changed.engine,)
        reading = Reading(
            engines=engines,
            equity_minor=breaker.equity_minor,
            moved_minor=sum(self.moved[engine] for engine in engines),
            at_ns=changed.at_ns,
            run=self.run,
        )
        if self.story.readings[-1:] != [reading]:  # engines of one account say the same
            self.story.readings.append(reading)


def _moved(entry: Entry, to: str, source: str) -> int:
    """What an entry moved from accounts of one kind to those of another, negative the other way round."""
    total = 0
    for transfer in entry.transfers:
        ends = transfer.debit.split(":")[0], transfer.credit.split(":")[0]
        if transfer.phase is Phase.POSTED and ends in ((to, source), (source, to)):
            total += transfer.amount if ends == (to, source) else -transfer.amount
    return total
