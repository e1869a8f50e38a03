"""Sector guard: slots are taken by what lives, and by nothing else."""

from msgspec.structs import replace

from actors.messages import OrderChanged, PositionChanged, SectorCounts
from actors.sector_guard import SectorGuard
from risk.order import OrderState
from supervisor.messages import ChildStarted
from venues.market import Side, TimeInForce

SECTORS = {"LMT": "Defense", "RTX": "Defense", "NVDA": "Semis", "BTC": ""}
ENTRY = OrderChanged(
    engine="equities",
    order_id="o1",
    intent_id="i1",
    symbol="LMT",
    side=Side.BUY,
    state=OrderState.SENT,
    lots=1,
    lots_filled=0,
    ticks=1,
    time_in_force=TimeInForce.IOC,
    entry=True,
    reason="",
    fence_ns=0,
    at_ns=1,
)


def guard():
    return SectorGuard(SECTORS, {"equities": 0.5, "perps": 1.5})


def position(symbol, lots, engine="equities"):
    return PositionChanged(engine, symbol, lots, 0.0, 0, 0, 2)


def test_an_entry_takes_a_slot_and_an_unfilled_one_gives_it_back():
    mind = guard()
    assert mind.hear(ENTRY) == (SectorCounts({"Defense": 1}, {"LMT": "Defense"}, 1),)
    assert mind.hear(replace(ENTRY, state=OrderState.RESTING)) == ()
    assert mind.hear(replace(ENTRY, state=OrderState.CANCELLED)) == (SectorCounts({}, {}, 1),)


def test_a_filled_entry_keeps_one_slot_until_the_position_is_flat():
    mind = guard()
    mind.hear(ENTRY)
    assert mind.hear(position("LMT", 1)) == ()
    assert mind.hear(replace(ENTRY, state=OrderState.FILLED)) == ()
    assert mind.hear(position("RTX", -2))[0].counts == {"Defense": 2}
    assert mind.hear(position("LMT", 0))[0].members == {"RTX": "Defense"}


def test_a_replaced_entry_keeps_its_slot():
    mind = guard()
    mind.hear(ENTRY)
    mind.hear(replace(ENTRY, order_id="o2"))
    assert mind.hear(replace(ENTRY, state=OrderState.CANCELLED)) == ()
    assert len(mind.hear(replace(ENTRY, order_id="o2", state=OrderState.REJECTED))) == 1


def test_exits_dust_and_symbols_without_a_sector_do_not_count():
    mind = guard()
    assert mind.hear(replace(ENTRY, entry=False)) == ()
    assert mind.hear(position("BTC", 100, "perps")) == ()
    assert mind.hear(position("UNKNOWN", 100)) == ()
    assert SectorGuard(SECTORS, {"equities": 1.5}).hear(position("LMT", 1)) == ()


def test_a_new_gate_is_told():
    mind = guard()
    mind.hear(position("NVDA", 5))
    (counts,) = mind.hear(ChildStarted("gate", "equities", 1, 9))
    assert (counts.members, counts.at_ns) == ({"NVDA": "Semis"}, 9)
    assert mind.hear(ChildStarted("signal", "equities", 1, 9)) == ()


def test_after_a_crash_the_gates_do_not_keep_the_counts_of_before():
    """What was held has been closed while it was down: the ledger has nothing to repeat."""
    (counts,) = guard().hear(ChildStarted("sector_guard", "", 1, 9))
    assert counts.members == {}


def test_what_is_told_again_after_a_crash_makes_it_whole():
    before, after = guard(), guard()
    story = [ENTRY, position("NVDA", 5), replace(ENTRY, order_id="o9", intent_id="i9", symbol="RTX")]
    for mind in (before, after):
        for message in story:
            mind.hear(message)
    for message in story:
        assert after.hear(message) == ()
    assert after.exposure == before.exposure
