"""A ledger that looks at itself: after each booking at what it touched, every half minute at everything.

What is wrong is said as InvariantBroken, of one invariant at most once in half a minute; the booking stands, because
the venue's word is true whatever our sums say, and the circuit breaker halts. None of the looks is on the way of a
book.
"""

from collections.abc import Callable, Iterable, Mapping
from pathlib import Path
from typing import Any, ClassVar

from msgspec import Struct

from actors.ledger import OVER_KEPT_MAX, Ledger, LedgerMind
from actors.messages import InvariantBroken, Stated
from risk.invariants import Checks, Invariant
from risk.ledger import invariants as holds
from risk.ledger.postings import Deposit, Entry, Event
from risk.order import LiveOrder
from supervisor import journal
from supervisor.actor import Post
from supervisor.clock import NS_PER_S
from supervisor.mailbox import Hears
from supervisor.messages import Tick
from venues.market import Fill

LOOK_S = 30.0
"""Between looks at everything, and between two words about the same break."""


class CheckedMind(LedgerMind):
    """The mind of the ledger, with its invariants."""

    def __init__(self, dust_lots: Mapping[str, float] | None = None, checks: Checks | None = None):
        super().__init__(dust_lots)
        self.checks = Checks() if checks is None else checks
        self.summed: dict[tuple[str, str], int] = {}  # lots by fills, from what was held before the first of them
        self.wrong: list[tuple[Invariant, str, str]] = []  # found in what is being heard: invariant, engine, words
        self.said_ns: dict[Invariant, int] = {}
        self.heard_ns = 0

    def hear(self, message: Any) -> tuple[list[Struct], list[Struct]]:
        """Hear, and add what is wrong to what is said."""
        if isinstance(message, Tick):
            self._see(Invariant.TIME_FORWARD, "", self._time(message.at_ns))
            self._look_at_all()
            return [], [*self._stated(message.at_ns), *self._broken(message.at_ns)]
        records, said = super().hear(message)
        for engine in {record.engine for record in records if isinstance(record, Entry)}:
            self._see(Invariant.ACCOUNT_BALANCE, engine, holds.account_balance(self.books, engine))
        return records, said + self._broken(message.at_ns) if self.wrong else said

    def _post(self, event: Event) -> list[Entry]:
        if not isinstance(event, Fill):
            return super()._post(event)
        engine, symbol = event.engine, event.symbol
        before = self.summed.setdefault((engine, symbol), self.books.position(engine, symbol).lots)
        booked = super()._post(event)
        if booked:
            summed = self.summed[engine, symbol] = before + event.side.sign * event.lots
            self._see(Invariant.POSITION_BOOKED, engine, holds.position_booked(self.books, engine, symbol))
            self._see(Invariant.POSITION_IS_FILLS, engine, holds.position_is_fills(self.books, engine, symbol, summed))
        return booked

    def _keep(self, order: LiveOrder) -> None:
        known, engine = self.orders.get(order.request.id), order.request.engine
        if known is not None:
            self._see(Invariant.ORDER_MOVE, engine, holds.order_move(known.state, order.state, order.request.id))
        self._see(Invariant.ORDER_WITHIN_LOTS, engine, holds.order_within_lots(order))
        super()._keep(order)

    def _look_at_all(self) -> None:
        self._see(Invariant.TRIAL_BALANCE, "", holds.trial_balance(self.books))
        self._see(Invariant.RESERVED_FOR_LIVE, "", holds.reserved_for_live(self.books, self.orders))
        self._see(Invariant.ORDERS_BOUNDED, "", holds.orders_bounded(self.orders, self.over, OVER_KEPT_MAX))

    def _time(self, at_ns: int) -> str:
        before, self.heard_ns = self.heard_ns, max(self.heard_ns, at_ns)
        return f"it is {at_ns}, and was {before} already" if at_ns < before else ""

    def _see(self, invariant: Invariant, engine: str, wrong: str) -> None:
        if self.checks.see(invariant, wrong):
            self.wrong.append((invariant, engine, wrong))

    def _broken(self, at_ns: int) -> list[Struct]:
        """What to say of what was found wrong since the last time."""
        said: list[Struct] = []
        for invariant, engine, wrong in self.wrong:
            last_ns = self.said_ns.get(invariant)
            if last_ns is None or at_ns - last_ns >= LOOK_S * NS_PER_S:
                self.said_ns[invariant] = at_ns
                said.append(InvariantBroken(engine, invariant, wrong, at_ns))
        self.wrong.clear()
        return said

    def _stated(self, at_ns: int) -> list[Struct]:
        """What every engine of this run holds, for those who keep it too."""
        engines = self.runs[-1].engines if self.runs else ()
        return [
            Stated(engine, {symbol: held.lots for symbol, held in self.books.positions.get(engine, {}).items()}, at_ns)
            for engine in engines
        ]


class CheckedLedger(Ledger):
    """The body of such a ledger: gives it its beat, and counts the rows of the journal."""

    hears: ClassVar[tuple[Hears, ...]] = (*Ledger.hears, Hears(Tick))
    says: ClassVar[tuple[type, ...]] = (*Ledger.says, InvariantBroken, Stated)

    def __init__(
        self,
        path: Path,
        new_mind: Callable[[], LedgerMind],
        deposits: Iterable[Deposit] = (),
        checks: Checks | None = None,
    ):
        super().__init__(path, new_mind, deposits)
        self.checks = Checks() if checks is None else checks

    async def run(self, post: Post) -> None:
        """Recover, then write and tell, and look around now and then."""
        post.spawn(post.beat(LOOK_S))
        await super().run(post)

    async def _commit(
        self, post: Post, book: journal.Journal, records: list[journal.Entry], news: list[Struct]
    ) -> None:
        if not records:  # a look around waits for no disk
            for message in news:
                post.say(message)
            return
        due = book.seq + len(records)
        await super()._commit(post, book, records, news)
        wrong = "" if book.seq == due else f"the journal's newest row is {book.seq}, {due} is due"
        if self.checks.see(Invariant.SEQUENCE, wrong):
            post.say(InvariantBroken("", Invariant.SEQUENCE, wrong, post.clock.now_ns()))
