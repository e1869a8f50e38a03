"""What holds for every market and every order that can be thought of."""

from collections import Counter
from decimal import Decimal

from hypothesis import given, settings
from hypothesis import strategies as st
from msgspec.structs import replace

from tests.venues.builders import ALO, BUY, CASH_MINOR, FEES, GTC, IOC, PERP, SELL, SPOT, book, order, trade
from venues.market import Accepted, Cancelled, Fill, FundingPaid, Instrument, Rejected, side_of
from venues.matching import MatchingEngine

TICKS = st.integers(990, 1010)
LOTS = st.integers(50, 900)  # 100 are the smallest order
SIDES = st.sampled_from((BUY, SELL))
RARELY = st.sampled_from((False, False, False, True))
PLACE = st.tuples(st.just("place"), SIDES, LOTS, TICKS, st.sampled_from((ALO, GTC, IOC)), RARELY)
STEPS = st.lists(
    st.one_of(
        PLACE,
        PLACE,
        st.tuples(st.just("replace"), st.integers(0, 9), LOTS, TICKS, st.sampled_from((ALO, GTC, IOC))),
        st.tuples(st.just("cancel"), st.integers(0, 9)),
        st.tuples(st.just("book"), TICKS, st.lists(st.integers(0, 900), min_size=2, max_size=6), st.integers(1, 4)),
        st.tuples(st.just("trade"), SIDES, LOTS, TICKS),
        st.tuples(st.just("fund"), st.integers(-100, 100)),
    ),
    min_size=5,
    max_size=60,
)


class Run:
    """Drives an engine and remembers what a watcher of both the market and the account would."""

    def __init__(self, instrument: Instrument):
        self.instrument = instrument
        self.engine = MatchingEngine(instrument.engine, [instrument], FEES, CASH_MINOR)
        self.orders = {}
        self.chain_filled = Counter()
        self.events = []
        self.position = 0
        self.spent = 0  # of cash, for what was bought less what was sold
        self.received = 0  # funding less fees
        self.room = {BUY: 0, SELL: 0}  # lots the latest book still offers to a buyer, to a seller
        self.steps = 0

    def step(self, kind, *what):
        self.steps += 1
        getattr(self, kind)(*what)
        self.check()

    def make(self, side, lots, ticks, time_in_force, **more):
        made = order(
            f"o{len(self.orders)}",
            side,
            lots,
            ticks,
            time_in_force,
            engine=self.instrument.engine,
            symbol=self.instrument.symbol,
            **more,
        )
        self.orders[made.id] = made
        return made

    def place(self, side, lots, ticks, time_in_force, reduce_only):
        made = self.make(side, lots, ticks, time_in_force, reduce_only=reduce_only)
        self.hear(self.engine.submit(made, self.steps))

    def replace(self, which, lots, ticks, time_in_force):
        resting = self.engine.open_orders()
        if resting:
            old = self.orders[resting[which % len(resting)].order_id]
            made = self.make(old.side, lots, ticks, time_in_force, replaces=old.id, reduce_only=old.reduce_only)
            self.chain_filled[made.id] = self.chain_filled[old.id]
            self.hear(self.engine.replace(made, self.steps))

    def cancel(self, which):
        resting = self.engine.open_orders()
        if resting:
            self.hear(self.engine.cancel(resting[which % len(resting)].order_id, self.steps))

    def book(self, best_bid, sizes, spread):
        bids = [(best_bid - i, lots) for i, lots in enumerate(sizes[::2])]
        asks = [(best_bid + spread + i, lots) for i, lots in enumerate(sizes[1::2])]
        self.room = {BUY: sum(lots for _, lots in asks), SELL: sum(lots for _, lots in bids)}
        self.hear(self.engine.on_book(book(bids, asks, self.steps, self.instrument.symbol)))

    def trade(self, side, lots, ticks):
        events = self.engine.on_trade(trade(ticks, lots, side, self.steps, self.instrument.symbol))
        assert sum(event.lots for event in events if isinstance(event, Fill)) <= lots
        self.hear(events, traded=True)

    def fund(self, bps):
        rate = Decimal(bps) / 10_000
        self.hear(self.engine.fund(self.instrument.symbol, rate, 1000, self.steps))

    def hear(self, events, traded=False):
        for event in events:
            self.events.append(event)
            if isinstance(event, Fill):
                self.filled(event, traded)
            elif isinstance(event, FundingPaid):
                self.received += event.amount_minor
            elif isinstance(event, Cancelled):
                assert event.lots_filled == self.chain_filled[event.order_id]
                assert event.lots_filled < self.orders[event.order_id].lots

    def filled(self, fill, traded):
        asked = self.orders[fill.order_id]
        assert fill.lots > 0
        assert fill.side is asked.side
        assert (fill.ticks - asked.ticks) * fill.side.sign <= 0, "worse than the limit"
        assert not fill.maker or fill.ticks == asked.ticks
        self.chain_filled[fill.order_id] += fill.lots
        assert self.chain_filled[fill.order_id] <= asked.lots, "overfilled"
        if not traded:
            self.room[fill.side] -= fill.lots
            assert self.room[fill.side] >= 0, "more than the book showed"
        before, signed = self.position, fill.side.sign * fill.lots
        self.position += signed
        if asked.reduce_only:
            assert before * signed < 0
            assert abs(signed) <= abs(before)
        self.spent += self.instrument.notional_minor(fill.ticks, signed)
        self.received -= fill.fee_minor

    def check(self):
        engine, symbol = self.engine, self.instrument.symbol
        assert engine.account.lots(symbol) == self.position
        assert [held.lots for held in engine.positions()] == ([self.position] if self.position else [])
        holding = engine.account.holdings.get(symbol)
        on_margin = holding.cost_minor if holding and self.instrument.asset_class == "native" else 0
        assert engine.account.cash_minor == CASH_MINOR - self.spent + self.received + on_margin
        resting = engine.open_orders()
        assert all(found.lots_filled < found.lots for found in resting)
        bids = [found.ticks for found in resting if found.side is BUY]
        asks = [found.ticks for found in resting if found.side is SELL]
        assert not (bids and asks) or max(bids) < min(asks), "our orders cross each other"
        if not self.instrument.shortable:
            assert self.position >= 0
            assert sum(found.lots - found.lots_filled for found in resting if found.side is SELL) <= self.position
            assert engine.account.cash_minor >= 0


def play(instrument, steps):
    run = Run(instrument)
    for step in steps:
        if not (step[0] == "fund" and instrument.asset_class == "spot"):
            run.step(*step)
    return run


@settings(max_examples=150)
@given(STEPS)
def test_a_perpetual_account_always_adds_up(steps):
    run = play(PERP, steps)
    assert run.events == play(PERP, steps).events


@settings(max_examples=100)
@given(STEPS)
def test_a_spot_account_always_adds_up_and_never_owes(steps):
    play(SPOT, steps)


@settings(max_examples=60)
@given(STEPS)
def test_odd_prices_lose_no_money_to_rounding(steps):
    odd = replace(PERP, tick=Decimal("0.1"), lot=Decimal("0.001"), multiplier=Decimal("0.012345678"))
    play(replace(odd, notional_min_usd=Decimal("0.01")), steps)


@settings(max_examples=60)
@given(STEPS)
def test_every_order_has_one_beginning_and_one_end(steps):
    run = play(PERP, steps)
    begun = Counter(event.order_id for event in run.events if isinstance(event, Accepted | Rejected))
    ended = Counter(event.order_id for event in run.events if isinstance(event, Cancelled))
    assert set(begun.values()) <= {1}
    assert set(ended.values()) <= {1}
    resting = {found.order_id for found in run.engine.open_orders()}
    for made in run.orders.values():
        rejected = isinstance(run.engine.find(made.id), Rejected)
        complete = run.chain_filled[made.id] == made.lots and not rejected
        assert [made.id in resting, rejected, made.id in ended, complete].count(True) == 1


def test_side_of_a_fill_is_the_sign_of_its_lots():
    assert [side_of(3), side_of(-3)] == [BUY, SELL]
