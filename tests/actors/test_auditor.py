"""The auditor, and keepers of positions that disagree with the ledger."""

from msgspec.structs import replace

from actors.agreement import Agreement
from actors.auditor import HEARD_NS, Auditor
from actors.circuit_breaker import CircuitBreaker
from actors.gate import Gate
from actors.ledger import LedgerMind
from actors.messages import InvariantBroken, OrderPlanned, PositionChanged, RunStarted, Stated, TradingState
from config.load import load_profile
from risk.gate_state import ORDERLESS_NS_MAX, new_state
from risk.intent import Approved, Trading
from risk.invariants import Checks, Invariant
from risk.session import NO_DAYS
from supervisor.messages import ChildCrashed, Tick
from tests.actors.test_gate import ENTRY, NOW_NS
from tests.risk.given import BTC, request

LATE = Tick(NOW_NS + ORDERLESS_NS_MAX + 1)
APPROVED = Approved("perps", ENTRY, (), NOW_NS)
PLANNED = OrderPlanned("perps", request(BTC, 300, id="o1", intent_id=ENTRY.id), True, NOW_NS)


def rows_of(planned):
    """What the ledger says once an order is on disk."""
    mind = LedgerMind()
    mind.fold(
        RunStarted(
            number=1, run_id="r", mode="live", seed=1, version="0", engines=("perps",), instruments=(BTC,), at_ns=1
        )
    )
    return mind.hear(planned)[1][1:]


def heard(*messages):
    """What an auditor says of messages, and its counts."""
    checks = Checks()
    mind = Auditor(checks)
    return [said for message in messages for said in mind.hear(message)], checks


def test_what_was_approved_has_its_row() -> None:
    said, checks = heard(APPROVED, PLANNED, *rows_of(PLANNED), LATE)
    assert said == []
    assert checks.checked == {Invariant.HALT_HOLDS: 1, Invariant.APPROVED_HAS_ROW: 2}


def test_an_approval_that_nobody_carries_out_is_found() -> None:
    said, _ = heard(APPROVED, Tick(NOW_NS + ORDERLESS_NS_MAX), LATE, LATE)
    assert [one.invariant for one in said] == [Invariant.APPROVED_HAS_ROW]
    assert ENTRY.id in said[0].what


def test_an_order_that_never_reaches_the_disk_is_found() -> None:
    said, _ = heard(PLANNED, LATE)
    assert [one.invariant for one in said] == [Invariant.APPROVED_HAS_ROW]


def test_what_a_crash_took_along_is_no_break() -> None:
    for child, engine in (("executor", "perps"), ("ledger", "")):
        assert heard(APPROVED, PLANNED, ChildCrashed(child, engine, "", NOW_NS), LATE)[0] == []
    other = ChildCrashed("executor", "crypto", "", NOW_NS)
    assert len(heard(APPROVED, other, LATE)[0]) == 1
    assert len(heard(APPROVED, ChildCrashed("signal", "perps", "", NOW_NS), LATE)[0]) == 1


def test_an_entry_approved_while_halted_is_found() -> None:
    for engine in ("", "perps"):
        halt = TradingState(engine, Trading.HALTED, "drawdown", "circuit_breaker", NOW_NS - HEARD_NS - 1)
        said, _ = heard(halt, APPROVED)
        assert [one.invariant for one in said] == [Invariant.HALT_HOLDS]
        assert "drawdown" in said[0].what
        assert heard(replace(halt, at_ns=NOW_NS - HEARD_NS), APPROVED)[0] == []  # on its way to the gate
        assert heard(replace(halt, state=Trading.ACTIVE), APPROVED)[0] == []
    others = TradingState("crypto", Trading.HALTED, "drawdown", "circuit_breaker", 1)
    assert heard(others, APPROVED)[0] == []


# --- keepers


def test_what_differs_twice_alike_is_found() -> None:
    checks = Checks()
    one = Agreement("gate", checks)
    held = Stated("perps", {"BTC": 5}, NOW_NS)
    assert one.compare(held, {"BTC": 5, "ETH": 0}) == ()
    assert one.compare(held, {"BTC": 4}) == ()  # a fill on its way
    assert one.compare(held, {"BTC": 5}) == ()
    assert one.compare(held, {"BTC": 4}) == ()
    assert one.compare(held, {"BTC": 3}) == ()  # another difference
    (broken,) = one.compare(held, {"BTC": 3})
    assert broken.what == "lots that gate keeps: BTC 3, ledger 5"
    assert checks.checked[Invariant.EXPOSURE_IS_POSITIONS] == 6
    assert checks.broken[Invariant.EXPOSURE_IS_POSITIONS] == 1


def keepers():
    profile = load_profile("perps")
    yield Gate(new_state(profile, (BTC,), NO_DAYS))
    yield CircuitBreaker({"perps": profile.risk}, {"perps": {"BTC": BTC}})


def test_gate_and_breaker_compare() -> None:
    for keeper in keepers():
        keeper.hear(PositionChanged("perps", "BTC", 5, 1.0, 0, 1, NOW_NS))
        for lots, found in ((5, 0), (5, 0), (6, 0), (6, 1)):
            said = keeper.hear(Stated("perps", {"BTC": lots}, NOW_NS))
            assert sum(isinstance(one, InvariantBroken) for one in said) == found
            halts = isinstance(keeper, CircuitBreaker) * found  # it does not hear itself
            assert [one.state for one in said if isinstance(one, TradingState)] == [Trading.HALTED] * halts


def test_a_broken_invariant_halts_everything_and_says_why() -> None:
    _, breaker = keepers()
    (state,) = breaker.hear(InvariantBroken("perps", Invariant.POSITION_IS_FILLS, "5 and 6", NOW_NS))
    assert state == TradingState("", Trading.HALTED, "invariant position_is_fills: 5 and 6", "invariant", NOW_NS)
    assert breaker.hear(InvariantBroken("perps", Invariant.POSITION_IS_FILLS, "5 and 6", NOW_NS)) == ()
