"""The matching engine: our orders against a market that does not notice us.

Books and trades go in, account events come out; no clock, no I/O, no chance. What it assumes, so that nobody has to
guess: the market goes on as recorded or generated whatever we do; a resting order waits in a queue
(venues/queue_position.py) and is filled as maker at its own price, by trades that reach it or by a market that goes
through it; an order that takes walks the levels shown, and what it took is gone until the next book. Positions are
not liquidated.
"""

from collections import deque
from collections.abc import Iterable, Iterator, Sequence
from decimal import Decimal

from msgspec import structs

from venues import refusals
from venues.liquidity import Liquidity, is_crossed
from venues.market import (
    Accepted,
    AccountEvent,
    Book,
    Cancelled,
    CancelRefused,
    Fill,
    FundingPaid,
    Instrument,
    OpenOrder,
    OrderRequest,
    Rejected,
    TimeInForce,
    Trade,
    VenuePosition,
)
from venues.resting import Resting, best
from venues.simulated_account import Fees, SimulatedAccount
from venues.solvency import Solvency

FILLS_KEPT_MAX = 100_000
"""Fills that can still be asked for: days of trading, some tens of megabytes. Hyperliquid itself keeps 2,000."""

OVER_KEPT_MAX = 20_000
"""Orders that are over and can still be found by id, and whose ids are still refused as duplicates."""

NOTHING: tuple[AccountEvent, ...] = ()


class MatchingEngine:
    """One account at one venue."""

    def __init__(
        self,
        engine: str,
        instruments: Iterable[Instrument],
        fees: Fees,
        cash_minor: int,
        positions: Sequence[VenuePosition] = (),
        sequence: int = 0,
    ):
        """`positions`, `cash_minor` and `sequence` (number of the last fill) may come from an earlier run's ledger."""
        self.engine = engine
        self.account = SimulatedAccount(cash_minor, fees)
        self.market = Liquidity()
        self.instruments = self.market.instruments
        self.resting: dict[str, list[Resting]] = {}  # symbol -> orders in order of arrival; no empty lists
        self.live: dict[str, Resting] = {}  # id -> order
        self.over: dict[str, Cancelled | Rejected] = {}
        self.fills: deque[Fill] = deque(maxlen=FILLS_KEPT_MAX)
        self._sequence = 0
        self._arrivals = 0
        self.add_instruments(instruments)
        self.restore(cash_minor, positions, sequence)

    def add_instruments(self, instruments: Iterable[Instrument]) -> None:
        """Make more names tradable. Raises ValueError when there are no fees for one."""
        for instrument in instruments:
            self.account.prices(instrument)
            self.market.add(instrument)

    def restore(self, cash_minor: int, positions: Sequence[VenuePosition], sequence: int) -> None:
        """Take over the state of an earlier run, before the first order; fill ids go on after `sequence`.

        Raises ValueError when a position is held in a name that is not listed.
        """
        self.account.cash_minor = cash_minor
        self.account.restore(self.instruments, positions)
        self._sequence = sequence

    # --- the market -----------------------------------------------------------------------------------------------

    def on_book(self, book: Book) -> Sequence[AccountEvent]:
        """A new book. Without an order of ours in it this costs two look-ups: millions of books pass in a day."""
        symbol, market = book.symbol, self.market
        market.books[symbol] = book
        if market.taken:
            market.taken.pop(symbol, None)
        return self._match_book(book) if symbol in self.resting else NOTHING

    def on_trade(self, trade: Trade) -> Sequence[AccountEvent]:
        """Somebody's trade: it moves our queues and may fill us."""
        return self._match_trade(trade) if trade.symbol in self.resting else NOTHING

    def _match_book(self, book: Book) -> list[AccountEvent]:
        events: list[AccountEvent] = []
        if is_crossed(book):
            return events
        for resting in self._by_rank(book.symbol):
            own, other = self.market.levels(resting)
            if other and resting.accepts(other[0].price):
                resting.queue.clear()
                taken = self.market.take(book.symbol, self.market.offers(resting), self._fillable(resting))
                lots = sum(lots for _, lots in taken)
                events += self._fill(resting, lots, resting.order.ticks, book.at_ns, maker=True)
            else:
                resting.queue.depth(resting.displayed(own, self.market.grids[book.symbol]))
        return events

    def _match_trade(self, trade: Trade) -> list[AccountEvent]:
        events: list[AccountEvent] = []
        lots = self.market.grids[trade.symbol].lots(trade.size)
        ours = 0  # of this trade, given to orders with a better place
        for resting in self._by_rank(trade.symbol):
            if trade.at_ns < resting.since_ns:  # a venue repeats old trades to whoever subscribes
                continue
            if resting.passed(trade.price):
                resting.queue.clear()
                reach = lots - ours
            elif resting.accepts(trade.price) and trade.side is resting.order.side.opposite:
                reach = resting.queue.trade(lots, ours)
            else:
                continue
            filled = min(reach, self._fillable(resting))
            ours += filled
            events += self._fill(resting, filled, resting.order.ticks, trade.at_ns, maker=True)
        return events

    def _by_rank(self, symbol: str) -> Iterator[Resting]:
        """Our orders of a symbol by price and time, those that are still alive when their turn comes."""
        for resting in sorted(self.resting[symbol], key=lambda resting: resting.rank):
            if resting.order.id in self.live:
                yield resting

    # --- orders ---------------------------------------------------------------------------------------------------

    def submit(self, order: OrderRequest, at_ns: int) -> list[AccountEvent]:
        """A new order: Accepted and what follows at once, or Rejected."""
        refusal = self._flaw(order, order.lots, at_ns)
        return [self._reject(order, refusal, at_ns)] if refusal else self._place(order, 0, at_ns)

    def cancel(self, order_id: str, at_ns: int) -> list[AccountEvent]:
        """Take an order out: Cancelled or CancelRefused."""
        resting = self.live.get(order_id)
        if resting is None:
            known = self.over.get(order_id)
            symbol = known.symbol if known else ""
            return [CancelRefused(self.engine, order_id, symbol, refusals.ALREADY_OVER, at_ns)]
        return [self._end(resting, refusals.CANCEL_REQUESTED, at_ns)]

    def replace(self, order: OrderRequest, at_ns: int) -> list[AccountEvent]:
        """Put an order in the place of another; what is said of the new id is the verdict.

        Cancelled (old), Accepted (new) and what follows: done. CancelRefused (new): the old one was over before, and
        the new one never was. Rejected (new), CancelRefused (old): the new one was nonsense, the old one rests on.
        Cancelled (old), Rejected (new): the old one was taken out and the new one then refused, as Hyperliquid does it.
        """
        old = self.live.get(order.replaces)
        if old is None:
            self._reject(order, refusals.ALREADY_OVER, at_ns)
            return [CancelRefused(self.engine, order.id, order.symbol, refusals.ALREADY_OVER, at_ns)]
        if (order.symbol, order.side) != (old.order.symbol, old.order.side):
            raise ValueError(f"{order.id} replaces {order.replaces} with another symbol or side")
        refusal = self._flaw(order, order.lots - old.filled, at_ns)
        if refusal:
            stays = CancelRefused(self.engine, order.replaces, order.symbol, refusal, at_ns)
            return [self._reject(order, refusal, at_ns), stays]
        place = self.resting[order.symbol].index(old)
        gone = self._end(old, refusals.CANCEL_REPLACED, at_ns)
        if self._keeps_its_place(order, old):
            kept = structs.replace(old, order=order)
            self.live[order.id] = kept
            self.resting.setdefault(order.symbol, []).insert(place, kept)
            return [gone, Accepted(self.engine, order.id, order.symbol, at_ns)]
        return [gone, *self._place(order, old.filled, at_ns, refusals.DURING_REPLACE)]

    @staticmethod
    def _keeps_its_place(order: OrderRequest, old: Resting) -> bool:
        """Only a smaller order at the same price keeps its place in the queue."""
        same = order.ticks == old.order.ticks and order.reduce_only == old.order.reduce_only
        return same and order.lots <= old.order.lots and order.time_in_force is not TimeInForce.IOC

    def _place(self, order: OrderRequest, filled: int, at_ns: int, said_before: str = "") -> list[AccountEvent]:
        """Accept an order and let it match, or refuse it for what the book or the account say."""
        self._arrivals += 1
        arriving = Resting.of(order, filled, self._arrivals, at_ns, self.market.grids[order.symbol])
        own = self._own_in_the_way(arriving)
        offers = self.market.offers(arriving, own)
        refusal = self._refusal(arriving, bool(offers), own)
        if refusal:
            return [self._reject(order, said_before + refusal, at_ns)]
        self.live[order.id] = arriving
        self.resting.setdefault(order.symbol, []).append(arriving)
        events: list[AccountEvent] = [Accepted(self.engine, order.id, order.symbol, at_ns)]
        for ticks, lots in self.market.take(order.symbol, offers, self._fillable(arriving)):
            events += self._fill(arriving, lots, ticks, at_ns, maker=False)
        if order.id in self.live:
            events += self._settle_down(arriving, own is not None, at_ns)
        return events

    def _settle_down(self, arriving: Resting, own_in_the_way: bool, at_ns: int) -> list[AccountEvent]:
        """What is left of an order that has taken all it could: it ends, or rests at the end of its queue."""
        order = arriving.order
        if own_in_the_way:
            return [self._end(arriving, refusals.CANCEL_SELF_TRADE, at_ns)]
        if order.time_in_force is TimeInForce.IOC:
            return [self._end(arriving, refusals.CANCEL_IOC, at_ns)]
        own_side, _ = self.market.levels(arriving)
        arriving.queue.depth(arriving.displayed(own_side, self.market.grids[order.symbol]))
        return self._trim_reduce_only(order.symbol, at_ns)

    # --- what decides ---------------------------------------------------------------------------------------------

    def _flaw(self, order: OrderRequest, lots_left: int, at_ns: int) -> str:
        """What is wrong with an order whatever the market does."""
        if order.engine != self.engine:
            raise ValueError(f"{order.id} is for engine {order.engine}, this account is {self.engine}'s")
        instrument = self.instruments.get(order.symbol)
        if instrument is None:
            return f"Unknown asset {order.symbol}."
        if order.id in self.live or order.id in self.over:
            return refusals.DUPLICATE_ID
        return refusals.flaw(order, instrument, lots_left, at_ns)

    def _refusal(self, arriving: Resting, would_match: bool, own: Resting | None) -> str:
        """Why the market or the account do not let an order in; empty when they do."""
        order = arriving.order
        instrument = self.instruments[order.symbol]
        if order.reduce_only and self._fillable(arriving) <= 0:
            return refusals.WOULD_INCREASE
        small = refusals.too_small(order, instrument, arriving.left)
        if small:
            return small
        poor = self._solvency().flaw(arriving)
        if poor:
            return poor
        if order.time_in_force is TimeInForce.ALO and (would_match or own):
            touch = self.market.touch(order.symbol, self.resting.get(order.symbol, ()))
            return refusals.would_match(*(None if ticks is None else instrument.price(ticks) for ticks in touch))
        if order.time_in_force is TimeInForce.IOC and not (would_match or own):
            return refusals.NOT_MATCHED
        return ""

    def _fillable(self, resting: Resting) -> int:
        """How much of an order may be filled now: a reduce-only order never more than the position it closes."""
        if not resting.order.reduce_only:
            return resting.left
        return min(resting.left, max(0, -resting.sign * self.account.lots(resting.order.symbol)))

    def _own_in_the_way(self, arriving: Resting) -> Resting | None:
        """Our own best order on the other side, when the arriving one would trade with it."""
        own = best(self.resting.get(arriving.order.symbol, ()), arriving.order.side.opposite)
        crossed = own is not None and (own.order.ticks - arriving.order.ticks) * arriving.sign <= 0
        return own if crossed else None

    def _solvency(self) -> Solvency:
        symbols = dict.fromkeys([*self.account.holdings, *self.resting])
        return Solvency(self.account, self.instruments, self.market.marks(symbols), self.live.values())

    # --- what happens ---------------------------------------------------------------------------------------------

    def _fill(self, resting: Resting, lots: int, ticks: int, at_ns: int, *, maker: bool) -> list[AccountEvent]:
        """Fill a part of an order; it may end, and reduce-only orders may lose what they were to close."""
        if lots <= 0:
            return []
        order = resting.order
        fee = self.account.fill(self.instruments[order.symbol], resting.sign * lots, ticks, maker=maker)
        resting.filled += lots
        self._sequence += 1
        identity = f"{self.engine}-{self._sequence}"
        filled_ns = max(at_ns, resting.since_ns)  # a book may be stamped before the order came and be heard after it
        fill = Fill(self.engine, identity, order.id, order.symbol, order.side, lots, ticks, fee, maker, filled_ns)
        self.fills.append(fill)
        if resting.left <= 0:
            self._end(resting, refusals.CANCEL_FILLED, at_ns)  # a filled order is not announced as cancelled
        return [fill, *self._trim_reduce_only(order.symbol, at_ns)]

    def _trim_reduce_only(self, symbol: str, at_ns: int) -> list[AccountEvent]:
        """Cancel reduce-only orders that have nothing left to reduce.

        Hyperliquid lets the newest one stand, even if it is larger than the position, and takes out older ones that
        together with it would close more than there is (seen on its testnet in September 2026).
        """
        events: list[AccountEvent] = []
        reducing = [resting for resting in self.resting.get(symbol, ()) if resting.order.reduce_only]
        closable = abs(self.account.lots(symbol))
        for place, resting in enumerate(reversed(reducing)):
            if self._fillable(resting) <= 0 or (place and resting.left > closable):
                events.append(self._end(resting, refusals.CANCEL_REDUCE_ONLY, at_ns))
            else:
                closable -= resting.left
        return events

    def _end(self, resting: Resting, reason: str, at_ns: int) -> Cancelled:
        """Take an order out of the book for good."""
        order = resting.order
        del self.live[order.id]
        orders = self.resting[order.symbol]
        orders.remove(resting)
        if not orders:
            del self.resting[order.symbol]
        cancelled = Cancelled(self.engine, order.id, order.symbol, resting.filled, reason, at_ns)
        self._remember(cancelled)
        return cancelled

    def _reject(self, order: OrderRequest, reason: str, at_ns: int) -> Rejected:
        rejected = Rejected(self.engine, order.id, order.symbol, reason, at_ns)
        if order.id not in self.live and order.id not in self.over:
            self._remember(rejected)
        return rejected

    def _remember(self, event: Cancelled | Rejected) -> None:
        self.over[event.order_id] = event
        if len(self.over) > OVER_KEPT_MAX:
            del self.over[next(iter(self.over))]

    def fund(self, symbol: str, rate: Decimal, mark_ticks: int, at_ns: int) -> list[AccountEvent]:
        """Settle funding of a perpetual; nothing happens without a position."""
        if not self.account.lots(symbol):
            return []
        amount = self.account.fund(self.instruments[symbol], rate, mark_ticks)
        identity = f"{self.engine}-funding-{symbol}-{at_ns}"  # paid again after a restart, it is known by it
        return [FundingPaid(self.engine, identity, symbol, amount, rate, at_ns)]

    # --- questions ------------------------------------------------------------------------------------------------

    def find(self, order_id: str) -> OpenOrder | Cancelled | Rejected | None:
        """What became of an order; one that was filled is found as Cancelled with all its lots, reason "filled"."""
        resting = self.live.get(order_id)
        return open_order(resting) if resting else self.over.get(order_id)

    def open_orders(self) -> list[OpenOrder]:
        """Every order that rests."""
        return [open_order(resting) for resting in self.live.values()]

    def positions(self) -> list[VenuePosition]:
        """Every position that is not flat."""
        return self.account.positions(self.instruments)

    def fills_since(self, since_ns: int) -> list[Fill]:
        """Every fill at or after a time, oldest first."""
        return [fill for fill in self.fills if fill.at_ns >= since_ns]


def open_order(resting: Resting) -> OpenOrder:
    """A resting order as the venue reports it."""
    order = resting.order
    return OpenOrder(order.id, order.symbol, order.side, order.lots, resting.filled, order.ticks)
