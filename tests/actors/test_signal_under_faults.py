"""Signal against a world that loses, refuses and delays: no doubled entry, no oversized exit, no stop held back."""

from itertools import count

from hypothesis import given, settings
from hypothesis import strategies as st

from actors.messages import BarHistory, Imbalance, OrderChanged, PositionChanged
from actors.signal import Signal
from actors.symbol_state import ANSWER_NS_MAX, CLEAR_NS_MAX, STUCK_NS
from config.load import load_profile
from config.universe import load_universe
from risk.intent import Cancel, Intent, Purpose, Refused
from risk.order import OVER, OrderState
from venues.market import Bar, Instrument, TimeInForce

S = 1_000_000_000
MINUTE = 60 * S
T0 = 1_767_600_000 * S
FATES = ("lost", "refused", "rejected", "rests", "doubt", "part", "filled")
PROFILE = load_profile("perps")
FACTS = load_universe("perps")["BTC"]
BTC = Instrument(**{name: getattr(FACTS, name) for name in Instrument.__struct_fields__})


class World:
    """The rest of the graph, telling the truth about orders and positions when it tells anything."""

    def __init__(self, fates):
        self.fates = fates
        ids = count(1)
        self.signal = Signal(PROFILE, {"BTC": BTC}, lambda: f"i{next(ids)}")
        closes = [100_000.0 + 10 * (place % 2) for place in range(60)]
        bars = [Bar("BTC", T0 - (60 - i) * MINUTE, MINUTE, c, c, c, c, 1) for i, c in enumerate(closes)]
        self.signal.hear(BarHistory("perps", "BTC", tuple(bars)))
        self.position, self.entry_ticks, self.alive = 0, 0.0, {}
        self.intents, self.now_ns = [], T0

    def fate(self):
        return self.fates.pop() if self.fates else "filled"

    def hear(self, message):
        for said in self.signal.hear(message):
            if isinstance(said, Cancel):
                self.cancel(said)
            else:
                self.judge(said)
                self.carry_out(said)

    def judge(self, intent):
        """What must be true of every intent."""
        if intent.purpose is Purpose.ENTRY:
            assert self.position == 0
            assert not self.alive
        else:
            assert (intent.side.sign * intent.lots) == -self.position
        self.intents.append(intent)

    def carry_out(self, intent):
        fate = self.fate()
        if fate == "lost":
            return
        if fate == "refused":
            self.hear(Refused("perps", intent, "net_cap", "9", "1", self.now_ns))
            return
        self.tell(intent, OrderState.SENT, 0)
        if fate == "rejected":
            self.tell(intent, OrderState.REJECTED, 0)
        elif fate in ("rests", "doubt"):
            self.tell(intent, OrderState.RESTING if fate == "rests" else OrderState.UNKNOWN, 0)
        else:
            self.fill(intent, intent.lots if fate == "filled" else max(1, intent.lots // 3))

    def fill(self, intent, lots):
        done = lots == intent.lots
        crossing = intent.time_in_force is TimeInForce.IOC
        state = OrderState.FILLED if done else OrderState.CANCELLED if crossing else OrderState.RESTING
        if intent.purpose is Purpose.EXIT:
            lots = min(lots, abs(self.position))  # reduce-only
        self.position += intent.side.sign * lots
        self.entry_ticks = 1_000_000.0 if self.position else 0.0
        self.hear(PositionChanged("perps", "BTC", self.position, self.entry_ticks, 0, self.now_ns, self.now_ns))
        self.tell(intent, state, lots)

    def cancel(self, wish):
        if self.fate() != "lost":
            order = self.alive[wish.order_id]
            self.tell(order, OrderState.CANCELLED, order.lots_filled)

    def tell(self, of, state, filled):
        intent_id = of.id if isinstance(of, Intent) else of.intent_id
        entry = of.purpose is Purpose.ENTRY if isinstance(of, Intent) else of.entry
        changed = OrderChanged(
            "perps", f"{intent_id}o", intent_id, "BTC", of.side, state, of.lots, filled, of.ticks,
            of.time_in_force, entry, "", 0, self.now_ns,
        )  # fmt: skip
        if state in OVER:
            self.alive.pop(changed.order_id, None)
        else:
            self.alive[changed.order_id] = changed
        self.hear(changed)

    def book(self, mid, obi):
        self.hear(Imbalance("BTC", self.now_ns, self.now_ns, mid - 0.5, mid + 0.5, obi, obi, obi, False))

    def minute(self, mid, obi):
        """Six books and the bar."""
        start_ns = self.now_ns
        for _ in range(6):
            self.now_ns += 10 * S
            self.book(mid, obi)
        self.hear(Bar("BTC", start_ns, MINUTE, mid, mid, mid, mid, 6))


PRICES = st.sampled_from([98_000.0, 98_900.0, 99_500.0, 100_000.0, 100_500.0, 101_100.0, 102_000.0])


@settings(max_examples=120)
@given(
    st.lists(st.sampled_from(FATES), max_size=40),
    st.lists(st.tuples(PRICES, st.sampled_from([-0.6, 0.6])), min_size=5, max_size=40),
)
def test_no_doubled_entry_and_no_exit_that_does_not_fit(fates, minutes):
    world = World(fates)
    for mid, obi in minutes:
        world.minute(mid, obi)


@settings(max_examples=80)
@given(st.lists(st.sampled_from(FATES), max_size=12))
def test_a_stop_comes_through_whatever_is_lost(fates):
    world = World(fates)
    world.position, world.entry_ticks = 250, 1_000_000.0
    world.hear(PositionChanged("perps", "BTC", 250, 1_000_000.0, 0, T0, T0))
    longest_ns = ANSWER_NS_MAX + CLEAR_NS_MAX + STUCK_NS + PROFILE.routes["native"].lifetime_s * S
    tries = len(fates) + 6  # a third of the rest, again and again, ends as dust
    deadline_ns = T0 + tries * longest_ns
    while world.now_ns < deadline_ns and world.signal.symbols["BTC"].held:
        world.now_ns += S
        world.book(98_000.0, 0.0)
    assert not world.signal.symbols["BTC"].held
    gaps = [b.at_ns - a.at_ns for a, b in zip(world.intents, world.intents[1:], strict=False)]
    assert max(gaps, default=0) <= longest_ns
