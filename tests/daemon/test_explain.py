"""The chain of an order, told from the log: the numbers of the decision beside their bounds, then what came of it."""

import pytest
from msgspec.structs import replace

from actors.messages import OrderChanged, OrderFaulted, OrderPlanned, TierChanged, Unanswered
from daemon.errors import BadInput
from daemon.explain import explain
from daemon.logs import open_log
from daemon.snapshot import Fact
from risk.intent import Approved, Check, Evidence, Intent, Purpose, Refused, Reprice
from risk.order import OrderState
from tests.risk.given import BTC, fill, request
from venues.market import Side, TimeInForce

INTENT = Intent(
    id="0xintent1",
    engine="perps",
    symbol="BTC",
    side=Side.BUY,
    lots=376,
    ticks=664_250,
    time_in_force=TimeInForce.ALO,
    purpose=Purpose.ENTRY,
    reason="z_entry",
    at_ns=1_000,
    evidence=Evidence(
        bar_start_ns=800,
        close=66_425.5,
        z=-1.5,
        z_bound=-1.25,
        obi=0.25,
        obi_bound=-0.0,
        obi_at_ns=990,
        obi_age_ns=3_000_000,
        trend=float("nan"),
        facade=False,
    ),
)
ORDER = request(BTC, 376, 664_250, id="0xorder1", intent_id=INTENT.id)
PLANNED = OrderPlanned("perps", ORDER, True, 1_010)
CHANGED = OrderChanged(
    engine="perps",
    order_id=ORDER.id,
    intent_id=INTENT.id,
    symbol="BTC",
    side=Side.BUY,
    state=OrderState.RESTING,
    lots=376,
    lots_filled=0,
    ticks=664_250,
    time_in_force=TimeInForce.ALO,
    entry=True,
    reason="",
    fence_ns=0,
    at_ns=1_020,
)
FILL = fill(BTC, 376, 664_250, id="f1", order_id=ORDER.id, fee_minor=37_462, maker=True, at_ns=1_030)
REPRICE = Reprice(
    engine="perps",
    intent_id=INTENT.id,
    order_id=ORDER.id,
    symbol="BTC",
    side=Side.BUY,
    lots_left=376,
    lots_total=376,
    ticks=664_260,
    time_in_force=TimeInForce.ALO,
    purpose=Purpose.ENTRY,
    reason="behind",
    at_ns=1_025,
)
CHAIN = (
    INTENT,
    Approved("perps", INTENT, (Check("net_cap", "net 0.00 to 249.76 USD", "1250.00 USD"),), 1_005),
    PLANNED,
    CHANGED,
    FILL,
    replace(CHANGED, state=OrderState.FILLED, lots_filled=376, at_ns=1_030),
)
TRADED = {"perps": {"BTC": BTC}}


def told(tmp_path, wanted, *messages, instruments=TRADED):
    """The explanation out of a log of these messages."""
    log = open_log(tmp_path, "run-1", lambda: 1)
    for message in messages:
        log.log_message(message)
    log.close()
    return explain(tmp_path, wanted, instruments)


@pytest.mark.parametrize("wanted", [INTENT.id, ORDER.id, "0xorde"])
def test_the_chain_goes_from_the_book_to_the_fill(wanted, tmp_path):
    told_of = told(tmp_path, wanted, *CHAIN)
    assert told_of.id == INTENT.id
    assert [(step.event, step.text) for step in told_of.steps] == [
        ("book", "the freshest book when the decision fell"),
        ("bar", "the bar that was decided on"),
        ("intent", "entry buy 0.00376 at 66425.0, alo: z_entry"),
        ("approved", "risk asked every rule"),
        ("order", "buy 0.00376 at 66425.0, gtc"),
        ("order", "0xorder1 is resting, 0.00000 of 0.00376 filled"),
        ("fill", "buy 0.00376 at 66425.0 as maker"),
        ("order", "0xorder1 is filled, 0.00376 of 0.00376 filled"),
    ]


def test_every_number_stands_beside_its_bound_and_what_was_unknown_is_left_out(tmp_path):
    steps = told(tmp_path, INTENT.id, *CHAIN).steps
    assert steps[0].facts == (Fact("obi", "0.25", "0"), Fact("age_ms", "3"), Fact("facade", "no"))
    assert steps[1].facts == (Fact("close", "66425.5"), Fact("z", "-1.5", "-1.25"))
    assert steps[3].facts == (Fact("net_cap", "net 0.00 to 249.76 USD", "1250.00 USD"),)
    assert Fact("fee_usd", "0.037462") in steps[6].facts


def test_a_refusal_is_told_with_the_rule_its_number_and_its_bound(tmp_path):
    refused = Refused("perps", INTENT, "net_cap", "net 0.00 to 1300.00 USD", "1250.00 USD", 1_005)
    last = told(tmp_path, INTENT.id, INTENT, refused).steps[-1]
    assert (last.event, last.text) == ("refused", "risk said no: net_cap")
    assert last.facts == (Fact("net_cap", "net 0.00 to 1300.00 USD", "1250.00 USD"),)


def test_a_move_a_lost_answer_and_a_fault_are_parts_of_the_chain(tmp_path):
    moved = replace(PLANNED, order=replace(ORDER, id="0xorder2", replaces=ORDER.id, ticks=664_260), at_ns=1_026)
    lost = Unanswered("perps", "0xorder2", 9_999, "TimeoutError: ", 1_027)
    fault = OrderFaulted("perps", "0xorder2", "fill f9 of 400 lots, but 376 are left", 1_028)
    steps = told(tmp_path, "0xorder2", *CHAIN[:4], REPRICE, moved, lost, fault).steps
    assert [step.event for step in steps[-4:]] == ["reprice", "order", "unanswered", "order_faulted"]
    assert Fact("replaces", "0xorder1") in steps[-3].facts


def test_what_is_said_again_after_a_restart_is_told_once_and_in_the_order_of_time(tmp_path):
    steps = told(tmp_path, INTENT.id, *CHAIN[:3], FILL, CHANGED, CHANGED).steps
    assert [step.at_ns for step in steps[2:]] == [1_000, 1_005, 1_010, 1_020, 1_030]


def test_an_instrument_of_another_run_is_told_in_lots_and_ticks(tmp_path):
    steps = told(tmp_path, INTENT.id, *CHAIN, instruments={}).steps
    assert steps[2].text == "entry buy 376 lots at 664250 ticks, alo: z_entry"


def test_what_is_not_in_the_log_or_fits_too_much_is_bad_usage(tmp_path):
    other = replace(INTENT, id="0xintent2")
    for wanted, said in (("0xnobody", "no order or intent"), ("0xint", "at least 6"), ("0xinten", "fits 2 intents")):
        with pytest.raises(BadInput, match=said):
            told(tmp_path, wanted, INTENT, other)


def test_a_tier_that_was_measured_is_told_with_what_it_was_before(tmp_path):
    tier = TierChanged(
        engine="perps",
        symbol="BTC",
        category="stock",
        rmsd=3.875,
        bars=240,
        z_entry=1.75,
        z_exit=0.4,
        z_entry_before=1.5,
        z_exit_before=0.3,
        at_ns=700,
    )
    other = replace(tier, symbol="ETH", rmsd=9.0)
    first = told(tmp_path, INTENT.id, tier, other, *CHAIN).steps[0]
    assert (first.event, first.text) == ("tier", "stock measured at the start, 1.5/0.3 before")
    assert first.facts == (
        Fact("rmsd", "3.875 % of a week, over 240 bars"),
        Fact("z_entry", "1.75"),
        Fact("z_exit", "0.4"),
    )
