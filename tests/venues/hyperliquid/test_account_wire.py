"""What an account is told: fills that are told again, orders by what their status proves, events of one key."""

import json
from decimal import Decimal

import pytest

from tests.venues.hyperliquid.said import (
    BUILT,
    CLOID,
    DUST,
    FILL,
    FRAMES,
    FUNDING,
    LIQUIDATED,
    NAMED_SPOT,
    SPOT,
    USER,
    frame,
    update,
)
from venues.hyperliquid.account_wire import (
    FATES,
    Fate,
    Liquidation,
    OrderUpdates,
    OtherEvent,
    UserFills,
    UserFundings,
    VenueCancel,
    VenueCancels,
    fate_of,
    is_spot,
)
from venues.hyperliquid.wire import decode
from venues.market import Side
from venues.venue import VenueMisspoke

NOW_NS = 1_800_000_000_000_000_000


def fills(*rows, **more):
    return decode(frame("userFills", {"user": USER.upper().replace("0X", "0x"), "fills": rows, **more}), NOW_NS)


def test_a_snapshot_says_so_and_later_frames_may_say_nothing_at_all():
    assert fills(FILL, isSnapshot=True).snapshot is True
    assert fills(FILL, isSnapshot=False).snapshot is False
    later = fills(FILL)
    assert isinstance(later, UserFills)
    assert (later.snapshot, later.user, later.received_ns, len(later.fills)) == (False, USER, NOW_NS, 1)
    assert fills(isSnapshot=True).fills == ()


def test_a_fill_keeps_its_digits_and_its_sides():
    (fill,) = fills(FILL).fills
    assert (fill.coin, fill.price, fill.size, fill.side) == ("ETH", Decimal("3120.5"), Decimal("0.25"), Side.SELL)
    assert (fill.at_ns, fill.oid, fill.tid, fill.crossed) == (1790000000123_000_000, 57118842020, 918273645546372, True)
    assert (str(fill.fee), fill.fee_token, str(fill.closed_pnl_usd)) == ("0.351056", "USDC", "-1.25")
    assert (fill.cloid, fill.liquidation, fill.builder_fee) == (None, None, None)
    (built,) = fills(BUILT).fills
    assert (built.side, built.fee, built.builder_fee, built.cloid) == (
        Side.BUY,
        Decimal("-0.02"),
        Decimal("0.01"),
        CLOID,
    )
    (taken,) = fills(LIQUIDATED).fills
    assert taken.cloid is None
    assert taken.liquidation is not None
    assert (taken.liquidation.method, taken.liquidation.mark) == ("market", Decimal("3118.0"))


def test_spot_coins_and_dust_stand_in_the_same_list():
    heard = fills(FILL, SPOT, NAMED_SPOT, DUST, BUILT)
    assert [is_spot(fill.coin) for fill in heard.fills] == [False, True, True, True, False]
    assert [fill.tid for fill in heard.fills] == [918273645546372, 7, 8, 0, 5]


def test_a_fill_has_one_id_wherever_it_is_told_and_no_other_has_it():
    told = fills(FILL).fills[0]
    again = decode(frame("user", {"fills": [FILL | {"feeToken": "USDC"}]}), NOW_NS).fills[0]
    assert told.id == again.id
    others = [FILL | {"tid": 1}, FILL | {"oid": 1}, SPOT, DUST, DUST | {"time": 1790000000124}]
    old = {key: value for key, value in FILL.items() if key not in ("tid", "feeToken")}  # as in 2023
    chunks = [old | {"startPosition": position} for position in ("0.75", "0.50", "0.25")]
    ids = {fill.id for fill in fills(FILL, *others, *chunks).fills}
    assert len(ids) == 1 + len(others) + len(chunks)


@pytest.mark.parametrize("field", ["px", "sz"])
@pytest.mark.parametrize(
    "value", ["0.0", "-1.0", "NaN", "Infinity", "1e3", "1e999999", "", " 1", "1_0", "9" * 21, 1.5, None]
)
def test_a_fill_of_a_perpetual_has_a_price_and_a_size(field, value):
    heard = fills(FILL | {"tid": 1}, FILL | {field: value}, FILL | {"tid": 2})
    assert [fill.tid for fill in heard.fills] == [1, 2], "the others are told all the same"
    (row,) = heard.unread
    assert (row.coin, row.time_ms) == ("ETH", FILL["time"])
    assert row.text.startswith("a fill: ") and len(row.text) < 700


def test_an_order_that_matches_at_once_is_open_and_filled_in_one_frame():
    heard = decode(FRAMES["orders"], NOW_NS)
    assert isinstance(heard, OrderUpdates)
    assert [(said.status, said.fate, str(said.order.size_left)) for said in heard.updates] == [
        ("open", Fate.OPEN, "0.00037"),
        ("filled", Fate.OVER, "0.0"),
        ("badAloPxRejected", Fate.REJECTED, "0.00037"),
    ]
    order = heard.updates[0].order
    assert (order.coin, order.side, order.oid, order.cloid) == ("BTC", Side.BUY, 57118842019, CLOID)
    assert (order.price, order.size, order.time_ms) == (Decimal("61795"), Decimal("0.00037"), 1790000000100)
    assert heard.updates[0].at_ns == 1790000000200_000_000


@pytest.mark.parametrize("cloid", [{}, {"cloid": None}])
def test_an_order_may_have_no_cloid(cloid):
    row = update("open")
    row["order"] = {key: value for key, value in row["order"].items() if key != "cloid"} | cloid
    assert decode(frame("orderUpdates", [row]), NOW_NS).updates[0].order.cloid is None


def test_every_status_proves_one_thing():
    assert len(FATES) >= 29
    open_ones = {status for status, fate in FATES.items() if fate is Fate.OPEN}
    assert open_ones == {"open", "triggered"}
    for status, fate in FATES.items():
        assert decode(frame("orderUpdates", [update(status)]), NOW_NS).updates[0].fate is fate
        assert (fate is Fate.REJECTED) == status.lower().endswith("rejected")
        assert ("ancel" in status and not status.endswith("Rejected")) <= (fate is Fate.OVER)
    assert FATES["iocCancelRejected"] is Fate.REJECTED


def test_a_status_of_tomorrow_is_judged_by_its_ending_or_not_at_all():
    assert fate_of("outcomeSettledCanceled") is Fate.OVER
    assert fate_of("internalCancel") is Fate.OVER
    assert fate_of("moonPhaseRejected") is Fate.REJECTED
    assert fate_of("expired") is Fate.UNCLEAR
    assert fate_of("") is Fate.UNCLEAR


def test_a_rejection_of_what_filled_in_part_is_an_end_and_no_proof_of_nothing():
    row = update("iocCancelRejected", sz="0.00007")
    assert decode(frame("orderUpdates", [row]), NOW_NS).updates[0].fate is Fate.OVER


def test_events_arrive_on_the_channel_named_user():
    funding = decode(FRAMES["event funding"], NOW_NS)
    assert isinstance(funding, UserFundings)
    assert (funding.fundings[0].usd, funding.fundings[0].at_ns) == (Decimal("-0.017"), 1790000000050_000_000)
    assert decode(FRAMES["event cancels"], NOW_NS) == VenueCancels(NOW_NS, (VenueCancel("BTC", 5),))
    gone = decode(FRAMES["event liquidation"], NOW_NS)
    assert isinstance(gone, Liquidation)
    assert (gone.notional_usd, gone.account_value_usd) == (Decimal("100.5"), Decimal("-1.5"))
    heard = decode(FRAMES["event fills"], NOW_NS)
    assert isinstance(heard, UserFills)
    assert (heard.user, heard.snapshot, heard.fills) == ("", False, fills(FILL).fills)
    assert decode(FRAMES["event other"], NOW_NS) == OtherEvent("twapSliceFills")


def test_fundings_have_a_channel_of_their_own_too():
    heard = decode(FRAMES["fundings"], NOW_NS)
    assert isinstance(heard, UserFundings)
    assert (heard.snapshot, heard.user, heard.fundings[0].samples) == (True, USER, 1)


@pytest.mark.parametrize(
    "said",
    [
        frame("user", {}),
        frame("user", {"fills": [FILL], "funding": FUNDING}),
        frame("user", {"fills": None}),
        frame("user", None),
        frame("userFills", {"user": USER}),
        frame("userFills", {"fills": []}),
        frame("orderUpdates", {"order": {}}),
        frame("orderUpdates", [update("open", limitPx="-1")]),
        frame("orderUpdates", [update("open", sz="-1")]),
        frame("orderUpdates", [{"order": update("open")["order"], "status": "open"}]),
        b'{"channel":"userFills","data":{"user":"\xff\xfe","fills":[]}}',
        b'{"channel":"userFills","data":' + b"[" * 100_000,
        b'{"channel":"user","data":{"\xff":1}}',
        b'{"channel":"user","data":{"fills":[' + json.dumps(FILL).encode() + b"},]}}",
    ],
)
def test_damage_is_refused_by_name(said):
    with pytest.raises(VenueMisspoke) as refused:
        decode(said, NOW_NS)
    assert len(str(refused.value)) < 700


OUTCOME = FILL | {"coin": "#10", "px": "0.0", "dir": "Settlement"}


@pytest.mark.parametrize(
    ("row", "hints"),
    [
        (FILL | {"side": "C"}, ("ETH", FILL["time"])),
        (FILL | {"oid": -1}, ("ETH", FILL["time"])),
        (FILL | {"time": 1790000000123000}, ("ETH", 0)),
        ({key: value for key, value in FILL.items() if key != "coin"}, ("", FILL["time"])),
        (FILL | {"coin": 5, "time": "soon"}, ("", 0)),
        ([], ("", 0)),
        (None, ("", 0)),
    ],
)
@pytest.mark.parametrize("channel", ["userFills", "user"])
def test_a_row_that_makes_no_sense_is_named_and_hides_no_other(channel, row, hints):
    said = {"fills": [FILL, row, BUILT]} | ({"user": USER} if channel == "userFills" else {})
    heard = decode(frame(channel, said), NOW_NS)
    assert [fill.tid for fill in heard.fills] == [FILL["tid"], BUILT["tid"]]
    assert [(one.coin, one.time_ms) for one in heard.unread] == [hints]


def test_a_row_of_bytes_that_are_no_text_hides_no_other():
    rows = [json.dumps(row).encode() for row in (FILL, FILL, BUILT)]
    rows[1] = rows[1].replace(b"0xab", b"0x\xff")
    heard = decode(b'{"channel":"user","data":{"fills":[' + b",".join(rows) + b"]}}", NOW_NS)
    assert (len(heard.fills), len(heard.unread)) == (2, 1)


def test_the_fill_of_an_outcome_that_was_settled_at_nothing_is_a_fill_of_no_perpetual():
    heard = fills(OUTCOME)
    assert (is_spot(heard.fills[0].coin), heard.unread) == (True, ())


def test_funding_has_one_id_an_hour_however_its_stamps_differ():
    hour_ms = 1789999200000
    rows = [FUNDING | {"time": hour_ms + late_ms} for late_ms in (-3, 15, 134, 3_600_020)]
    told = decode(frame("userFundings", {"user": USER, "fundings": rows}), NOW_NS).fundings
    ids = [row.id for row in told]
    assert ids[0] == ids[1] == ids[2] != ids[3]
    assert (
        decode(frame("userFundings", {"user": USER, "fundings": [FUNDING | {"coin": "BTC"}]}), NOW_NS).fundings[0].id
        not in ids
    )
    bad = decode(frame("user", {"funding": {key: value for key, value in FUNDING.items() if key != "time"}}), NOW_NS)
    assert (bad.fundings, len(bad.unread)) == ((), 1)
