"""The rules of the seed's perps engine, each by the name it has there, over the minds that keep it.

obi-execution-engine, Engine 3 and its phases 4.2 and 4.3. What its code did wrong once is in the docstrings.
"""

import pytest
from msgspec.structs import replace

from actors.ledger import LedgerMind
from actors.maker_watchdog import MakerWatchdog
from actors.messages import Drift, Mark, OrderPlanned, PositionChanged, RunStarted
from actors.urgency import time_in_force
from config.load import load_profile
from risk.intent import Intent, Purpose, Reprice
from risk.order import OrderState
from supervisor.messages import Tick
from tests.actors.test_maker_watchdog import EXIT, ORDER, instruments
from tests.actors.test_signal import MINUTE, T0, Bench, S, instrument
from tests.risk.given import fill, request
from venues.market import Accepted, Side, TimeInForce

ALO, IOC = TimeInForce.ALO, TimeInForce.IOC
SOL, BTC = instrument("SOL"), instrument("BTC")
PROFILE = load_profile("perps")


class Books:
    """A ledger that traded before, and a signal that believes it."""

    def __init__(self, symbol="BTC", at_ns=T0):
        self.facts = instrument(symbol)
        self.bench = Bench(symbol=symbol).warm()
        self.mind = LedgerMind({"perps": PROFILE.risk.dust_lots})
        run = RunStarted(
            number=1, run_id="r", mode="live", seed=1, version="0", engines=("perps",),
            instruments=(self.facts,), at_ns=at_ns,
        )  # fmt: skip
        self.mind.fold(run)

    def tell(self, *messages):
        """What the signal wishes for when the ledger has told it of these."""
        wishes = []
        for message in messages:
            for news in self.mind.hear(message)[1]:
                if isinstance(news, PositionChanged):
                    wishes += self.bench.signal.hear(news)
        return wishes

    @property
    def lots(self):
        return self.bench.signal.symbols[self.facts.symbol].lots


# --- partial-fill accumulation (4.3)


def test_partial_fills_accumulate_and_the_exit_closes_their_sum():
    """A SOL short filled in 0.38, 0.20 and 5.27: memory kept the last, the exit left 0.58 at the venue."""
    books = Books("SOL")
    total = SOL.lots("5.85")
    order = request(SOL, total, 2_000_000, id="o1", side=Side.SELL)
    books.tell(OrderPlanned("perps", order, True, T0), Accepted("perps", "o1", "SOL", T0))
    for size in ("0.38", "0.20", "5.27"):
        books.tell(fill(SOL, -SOL.lots(size), 1_000_000, order_id="o1", at_ns=T0 + 1))
    assert books.lots == -total
    assert books.mind.orders["o1"].state is OrderState.FILLED
    (exit_,) = books.bench.bar(80.0)  # far below: the short has reverted
    assert (exit_.purpose, exit_.side, exit_.lots) == (Purpose.EXIT, Side.BUY, total)


def test_chunks_of_an_exit_leave_nothing_and_resurrect_nothing():
    books = Books()
    books.tell(fill(BTC, 300, 1_000_000, order_id="in", at_ns=T0))
    for chunk in (100, 50, 150):
        books.tell(fill(BTC, -chunk, 1_000_000, order_id="out", at_ns=T0 + 1))
    assert books.lots == 0
    assert books.bench.bar(50_000.0) == ()  # no position, no book: nothing to leave


# --- flip guard with authoritative state: the flat sweep, dust, adopt-now


def test_flat_sweep_wipes_what_memory_holds_and_the_venue_does_not():
    """A missed fill or a trade by hand left a phantom, and every exit was refused for ever: exit_but_live_flat."""
    books = Books()
    books.tell(fill(BTC, 300, 1_000_000, at_ns=T0))
    assert books.lots == 300
    assert books.tell(Drift("perps", "BTC", 0, 300, "adopted as a fill", T0 + MINUTE, 1_000_000)) == []
    assert books.lots == 0
    assert "BTC" not in books.mind.books.positions.get("perps", {})
    assert books.bench.signal.watched == {}
    assert isinstance(books.bench.dip()[0], Intent), "and the symbol may be entered again"


@pytest.mark.parametrize(("lots", "held"), [(1, False), (-1, False), (2, True), (-2, True)])
def test_up_to_one_and_a_half_lots_are_dust(lots, held):
    """-0.0001 ETH, one lot, seeded the exit signal again and again, and blocked every entry."""
    books = Books()
    books.tell(fill(BTC, lots, 1_000_000, at_ns=T0))
    assert books.bench.signal.symbols["BTC"].held is held
    assert any(wish.purpose is Purpose.ENTRY for wish in books.bench.dip()) is not held


@pytest.mark.parametrize("by_drift", [True, False])
def test_an_adopted_position_has_the_whole_time_budget(by_drift):
    """Adopt-now: held since yesterday by somebody else's hand, ours from the moment that we know of it."""
    books = Books(at_ns=T0)
    if by_drift:
        books.tell(Drift("perps", "BTC", 300, 0, "adopted as a fill", T0, 990_000))
    else:  # made by hand while we were away, and told by the venue at the start
        books.tell(fill(BTC, 300, 990_000, order_id="", at_ns=T0 - 86_400 * S))
    state = books.bench.signal.symbols["BTC"]
    assert (state.lots, state.opened_ns) == (300, T0)
    said = ()
    while not said:
        said = books.bench.bar(99_000.0 - books.bench.bars**2 / 5)  # z stays low
    (intent,) = said
    assert (intent.reason, books.bench.bars) == ("time_stop", PROFILE.signal.time_stop_s // 60)


def test_a_fill_of_our_own_keeps_its_time_however_late_it_is_told():
    books = Books(at_ns=T0)
    order = request(BTC, 300, 990_000, id="o1")
    books.tell(
        OrderPlanned("perps", order, True, T0 - 50 * S), fill(BTC, 300, 990_000, order_id="o1", at_ns=T0 - 40 * S)
    )
    assert books.bench.signal.symbols["BTC"].opened_ns == T0 - 40 * S


# --- the urgency matrix (4.2)


@pytest.mark.parametrize(
    ("asset_class", "purpose", "z_abs", "how"),
    [
        ("native", Purpose.ENTRY, 1.5, ALO),
        ("native", Purpose.ENTRY, 5.0, ALO),
        ("native", Purpose.EXIT, 0.0, ALO),
        ("hip3", Purpose.ENTRY, 2.999, ALO),
        ("hip3", Purpose.ENTRY, 3.0, IOC),
        ("hip3", Purpose.EXIT, 0.0, IOC),
    ],
)
def test_dynamic_urgency_routing(asset_class, purpose, z_abs, how):
    assert time_in_force(PROFILE.routes[asset_class], purpose, z_abs) is how


@pytest.mark.parametrize(("asset_class", "lifetime_s", "reprices"), [("native", 30, 5), ("hip3", 120, 15)])
def test_watchdog_limits(asset_class, lifetime_s, reprices):
    route = PROFILE.routes[asset_class]
    assert (route.lifetime_s, route.reprices_max) == (lifetime_s, reprices)


def watching(order, touch=(100_000.0, 100_001.0)):
    mind = MakerWatchdog(PROFILE, instruments())
    mind.hear(Mark("BTC", T0, *touch))
    return mind, mind.hear(order)


def test_a_native_exit_that_is_refused_crosses_at_once():
    """Resting exits met "post only would have immediately matched" and were asked for again in a loop."""
    refused = replace(EXIT, state=OrderState.REJECTED, reason="Post only order would have immediately matched")
    _, (move,) = watching(refused)
    assert isinstance(move, Reprice)
    assert (move.time_in_force, move.purpose, move.lots_left, move.order_id) == (IOC, Purpose.EXIT, EXIT.lots, "")
    assert move.at_ns == refused.at_ns
    assert BTC.price(move.ticks) < 100_000  # through the bid


def test_a_native_exit_that_nobody_takes_in_its_time_crosses():
    mind, _ = watching(EXIT)
    assert mind.hear(Tick(T0 + 29 * S)) == ()
    (move,) = mind.hear(Tick(T0 + 30 * S))
    assert (move.time_in_force, move.reason) == (IOC, "escalate")


def test_a_reprice_asks_for_the_remainder_only():
    """Code posted the whole size again after a partial fill, and 0.006 of it rested without an owner."""
    mind, _ = watching(replace(ORDER, lots_filled=150))
    (move,) = mind.hear(Mark("BTC", T0 + S, 100_002.0, 100_003.0))
    assert (move.lots_left, move.lots_total, move.time_in_force) == (100, 250, ALO)
