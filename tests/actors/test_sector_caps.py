"""Sector caps hold whatever happens: gate, guard and a ledger's words in any order, over rejections and restarts."""

from decimal import Decimal

from hypothesis import given, settings
from hypothesis import strategies as st
from msgspec.structs import replace

from actors.gate import Gate
from actors.messages import OrderChanged, PositionChanged
from actors.sector_guard import SectorGuard
from risk.intent import Approved
from risk.order import OVER, OrderState
from supervisor.messages import ChildStarted
from tests.risk.given import COST
from tests.risk.test_gate import NOW_NS, entry, open_state
from venues.market import TimeInForce

S = 1_000_000_000
SECTORS = {"LMT": "Defense", "RTX": "Defense", "GD": "Defense", "NVDA": "Semis", "AMD": "Semis", "MU": "Semis"}
CAPS = {"Defense": 1, "Semis": 2}
TICKS = 10_000


class House:
    """A gate, a guard and all that the ledger knows."""

    def __init__(self):
        self.orders: dict[str, OrderChanged] = {}  # by intent, alive
        self.lots: dict[str, int] = {}
        self.said = []  # what the gate has not heard of the guard yet
        self.now_ns, self.number = NOW_NS, 0
        self.restart()

    def restart(self):
        """Both lose their memory; the ledger says all again."""
        instruments = {name: replace(COST, symbol=name, sector=sector) for name, sector in SECTORS.items()}
        state = open_state("equities", dust_lots=0, sector_caps=CAPS, orders_burst=10_000, orders_per_minute=10_000,
                           net_cap_usd=Decimal(10**9), symbol_caps_usd={})  # fmt: skip
        marks = dict.fromkeys(SECTORS, float(TICKS))
        self.gate = Gate(replace(state, instruments=instruments, symbols=frozenset(SECTORS), fresh=frozenset(SECTORS),
                                 marks=marks))  # fmt: skip
        self.guard = SectorGuard(SECTORS, {"equities": 0.0})
        self.tell(*[self.position(symbol) for symbol in self.lots], *self.orders.values())
        self.said = []
        for counts in self.guard.hear(ChildStarted("gate", "equities", 1, self.now_ns)):
            self.gate.hear(counts)

    def position(self, symbol):
        return PositionChanged("equities", symbol, self.lots[symbol], float(TICKS), 0, self.now_ns, self.now_ns)

    def tell(self, *messages):
        """The ledger's words reach both; the guard's own come later."""
        for message in messages:
            self.gate.hear(message)
            self.said += self.guard.hear(message)

    def wish(self, symbol, lots):
        self.number += 1
        self.now_ns += S
        wish = entry(lots, TICKS, symbol, engine="equities", id=f"i{self.number}", at_ns=self.now_ns)
        (verdict,) = self.gate.hear(wish)
        if not isinstance(verdict, Approved):
            return
        order = OrderChanged(
            engine="equities", order_id=f"o{self.number}", intent_id=wish.id, symbol=symbol, side=wish.side,
            state=OrderState.SENT, lots=wish.lots, lots_filled=0, ticks=TICKS, time_in_force=TimeInForce.ALO,
            entry=True, reason="", fence_ns=0, at_ns=self.now_ns,
        )  # fmt: skip
        self.orders[wish.id] = order
        self.pending = order  # the disk is slower than the next wish of the same bar

    def flush(self):
        """The newest order is on disk, and said."""
        if (order := getattr(self, "pending", None)) is not None and order.intent_id in self.orders:
            self.tell(self.orders[order.intent_id])
        self.pending = None

    def move(self, place, state, filled):
        """An order moves: some of it fills first, as the ledger says positions before orders."""
        if not self.orders:
            return
        self.flush()
        intent = sorted(self.orders)[place % len(self.orders)]
        order = self.orders[intent]
        lots = order.lots if state is OrderState.FILLED else min(order.lots, order.lots_filled + filled)
        if state is OrderState.REJECTED:
            lots = 0 if not order.lots_filled else order.lots_filled
        if lots > order.lots_filled:
            held = self.lots.get(order.symbol, 0) + order.side.sign * (lots - order.lots_filled)
            self.lots[order.symbol] = held
            self.tell(self.position(order.symbol))
        order = replace(order, state=state, lots_filled=lots)
        if state in OVER:
            del self.orders[intent]
        else:
            self.orders[intent] = order
        self.tell(order)

    def leave(self, symbol):
        if self.lots.get(symbol):
            self.flush()
            self.lots[symbol] = 0
            self.tell(self.position(symbol))

    def hear_guard(self):
        for counts in self.said:
            self.gate.hear(counts)
        self.said = []

    def counts(self):
        members = {name for name, lots in self.lots.items() if lots} | {one.symbol for one in self.orders.values()}
        return {sector: sum(SECTORS[name] == sector for name in members) for sector in CAPS}


SYMBOLS = st.sampled_from(sorted(SECTORS))
STATES = st.sampled_from([*sorted(OVER), OrderState.RESTING, OrderState.UNKNOWN, OrderState.CANCELLING])
STEPS = st.one_of(
    st.tuples(st.just("wish"), SYMBOLS, st.sampled_from([1, -1, 2])),
    st.tuples(st.just("move"), st.integers(0, 5), STATES, st.integers(0, 2)),
    st.tuples(st.just("leave"), SYMBOLS),
    st.tuples(st.sampled_from(["flush", "hear_guard", "restart"])),
)


@settings(max_examples=150)
@given(st.lists(STEPS, max_size=60))
def test_no_sector_ever_has_more_names_than_its_cap(steps):
    house = House()
    for name, *args in steps:
        if name == "restart":
            house.flush()
        getattr(house, name)(*args)
        assert all(count <= CAPS[sector] for sector, count in house.counts().items()), (name, args, house.counts())


def test_two_signals_in_one_bar_take_one_slot_and_a_rejection_gives_it_back():
    house = House()
    house.wish("LMT", 1)
    house.wish("RTX", 1)
    assert house.counts()["Defense"] == 1
    house.move(0, OrderState.REJECTED, 0)
    house.hear_guard()
    house.wish("RTX", 1)
    assert [one.symbol for one in house.orders.values()] == ["RTX"]


def test_slots_are_taken_over_a_restart():
    house = House()
    house.wish("LMT", 1)
    house.move(0, OrderState.FILLED, 0)
    house.wish("NVDA", 1)
    house.flush()
    house.restart()
    for name in ("RTX", "GD", "AMD", "MU"):
        house.wish(name, 1)
        house.flush()
    assert house.counts() == {"Defense": 1, "Semis": 2}
    house.leave("LMT")
    house.hear_guard()
    house.wish("GD", 1)
    assert house.counts() == {"Defense": 1, "Semis": 2}
