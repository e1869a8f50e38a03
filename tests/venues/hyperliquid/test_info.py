"""Requests and answers of /info: bodies as recorded, answers as facts state, null and empty where that is an answer."""

import json
from decimal import Decimal

import pytest
from msgspec.structs import replace

from tests.venues.hyperliquid.asked import FROM_MS, TO_MS, every_ask
from tests.venues.hyperliquid.said import ANSWERS, CLOID, FILL, FRAMES, ORDER, USER
from venues.hyperliquid import info
from venues.hyperliquid.account_wire import Fate
from venues.hyperliquid.wire import decode
from venues.market import Side
from venues.venue import VenueMisspoke, VenueUnreachable

NOW_NS = 1_800_000_000_000_000_000
ASKS = every_ask(USER)


def read(kind, answer=None):
    return ASKS[kind].read(json.dumps(ANSWERS[kind] if answer is None else answer), NOW_NS)


def test_there_is_an_answer_for_every_request():
    assert ASKS.keys() == ANSWERS.keys()
    for kind in ASKS:
        assert read(kind) is not None


def test_bodies_are_as_the_venue_wants_them():
    assert info.meta().body == {"type": "meta"}
    assert info.meta("xyz").body == {"type": "meta", "dex": "xyz"}
    assert info.l2_book("xyz:TSLA").body == {"type": "l2Book", "coin": "xyz:TSLA"}
    assert info.l2_book("BTC", 5, 2).body == {"type": "l2Book", "coin": "BTC", "nSigFigs": 5, "mantissa": 2}
    req = {"coin": "BTC", "interval": "1m", "startTime": FROM_MS, "endTime": TO_MS}
    assert ASKS["candleSnapshot"].body == {"type": "candleSnapshot", "req": req}
    assert info.order_status(USER, CLOID).body == {"type": "orderStatus", "user": USER, "oid": CLOID}
    assert info.order_status(USER, 57118842019).body["oid"] == 57118842019
    assert info.user_fills_by_time(USER, 1, 2).body == {
        "type": "userFillsByTime",
        "user": USER,
        "startTime": 1,
        "endTime": 2,
    }
    assert "endTime" not in info.funding_history("BTC", 1).body
    assert info.clearinghouse_state(USER, "xyz").body["dex"] == "xyz"
    assert "dex" not in info.clearinghouse_state(USER).body
    with pytest.raises(ValueError, match="interval is '7m'; it may be 1m, 3m"):
        info.candle_snapshot("BTC", "7m", 0, 1)


def test_an_order_is_found_by_either_id_or_unknown():
    found = read("orderStatus")
    assert found is not None
    assert (found.fate, found.order.reduce_only, found.order.time_in_force) == (Fate.OVER, True, "Alo")
    assert (found.order.cloid, found.order.side, found.order.is_trigger) == (CLOID, Side.BUY, False)
    assert read("orderStatus", {"status": "unknownOid"}) is None
    for wrong in ({"status": "filled"}, {}, {"status": "order"}, []):
        with pytest.raises(VenueMisspoke, match="orderStatus"):
            read("orderStatus", wrong)


@pytest.mark.parametrize("kind", ["meta", "metaAndAssetCtxs", "l2Book", "allMids"])
def test_null_is_an_answer_where_something_may_not_exist(kind):
    assert ASKS[kind].read("null") is None


@pytest.mark.parametrize("kind", sorted(ANSWERS.keys() - {"meta", "metaAndAssetCtxs", "l2Book", "allMids"}))
def test_null_is_no_answer_anywhere_else(kind):
    """Above all it is not an empty list: no orders and no positions are something else than not told."""
    with pytest.raises(VenueMisspoke, match=f"{kind}: .*null"):
        ASKS[kind].read("null")


@pytest.mark.parametrize("kind", sorted(kind for kind, answer in ANSWERS.items() if isinstance(answer, list)))
def test_an_empty_list_is_nothing(kind):
    if kind == "metaAndAssetCtxs":
        with pytest.raises(VenueMisspoke):
            read(kind, [])
    else:
        assert ASKS[kind].read("[]") == ()


def test_a_flat_account_has_no_positions_and_a_short_one_negative_size():
    assert read("clearinghouseState", ANSWERS["clearinghouseState"] | {"assetPositions": []}).asset_positions == ()
    (row,) = read("clearinghouseState").asset_positions
    held = row.position
    assert (held.coin, held.size, held.entry_px) == ("xyz:TSLA", Decimal("-0.05"), Decimal("399.42"))
    assert (held.leverage.type, held.leverage.value, held.max_leverage) == ("isolated", 5, 10)


def test_an_answer_may_come_over_the_socket():
    posted = decode(FRAMES["post info"], NOW_NS)
    assert (posted.id, posted.kind) == (7, "info")
    assert ASKS["l2Book"].read_posted(posted) == read("l2Book")
    with pytest.raises(VenueMisspoke, match="post of meta: an answer to info l2Book"):
        ASKS["meta"].read_posted(posted)
    with pytest.raises(VenueMisspoke, match="post of meta"):
        ASKS["meta"].read_posted(replace(posted, payload=b"[]"))
    with pytest.raises(VenueUnreachable, match="429 Too Many Requests"):
        ASKS["meta"].read_posted(decode(FRAMES["post error"], NOW_NS))
    nothing = replace(posted, payload=b'{"type":"l2Book","data":null}')
    assert ASKS["l2Book"].read_posted(nothing) is None


def test_contexts_belong_to_assets_one_by_one():
    said = read("metaAndAssetCtxs")
    assert said is not None
    assert [context.symbol for context in said.contexts] == ["BTC", "MATIC"]
    assert (said.contexts[0].mark, said.contexts[1].mid, said.contexts[1].premium) == (61080.0, None, None)
    assert said.contexts[0].received_ns == NOW_NS
    meta, contexts = ANSWERS["metaAndAssetCtxs"]
    with pytest.raises(VenueMisspoke, match="2 assets and 1 contexts"):
        read("metaAndAssetCtxs", [meta, contexts[:1]])


def test_books_and_candles_are_what_frames_make_of_them():
    book = read("l2Book")
    assert book is not None
    assert (book.at_ns, book.received_ns, len(book.bids), book.asks[0].price) == (
        1790000000000_000_000,
        NOW_NS,
        5,
        61001.0,
    )
    (candle,) = read("candleSnapshot")
    assert (candle.bar.symbol, candle.bar.interval_ns, candle.bar.close) == ("BTC", 60_000_000_000, 1.5)


def test_orders_without_and_with_their_cloids():
    (bare,) = read("openOrders")
    assert (bare.cloid, bare.size, bare.reduce_only, bare.oid) == (None, None, None, ORDER["oid"])
    first, second = read("frontendOpenOrders")
    assert (first.cloid, second.cloid, second.time_in_force) == (CLOID, None, None)


def test_fills_are_rows_of_the_stream():
    assert [fill.tid for fill in read("userFills")] == [FILL["tid"], 5, 6, 7, 8, 0]
    assert ASKS["userFills"].weight(read("userFills")) == 21


def test_funding_paid_rates_budget_fees_role_agents():
    (paid,) = read("userFunding")
    assert (paid.coin, paid.usd, paid.time_ms, paid.samples) == ("ETH", Decimal("-0.017"), 1790000000050, None)
    (rate,) = read("fundingHistory")
    assert (rate.coin, rate.funding_rate, rate.time_ms) == ("BTC", Decimal("-0.0006"), 1790000000048)
    limit = read("userRateLimit")
    assert (limit.n_requests_cap, limit.n_requests_used, limit.cum_vlm) == (11234, 10, Decimal("1234.5"))
    assert (read("userFees").user_cross_rate, read("userFees").user_add_rate) == (
        Decimal("0.00045"),
        Decimal("0.00015"),
    )
    assert (read("userRole").role, read("userRole").master) == ("agent", USER)
    assert read("userRole", {"role": "missing"}).master is None
    assert read("userRole", {"role": "subAccount", "data": {"master": USER}}).master == USER
    assert read("extraAgents")[0].valid_until == 1799999999999
    assert read("perpDexs")[0] is None
    assert read("perpDexs")[1].name == "xyz"
    assert read("exchangeStatus").special_statuses is None
    assert read("userNonFundingLedgerUpdates")[0].delta["type"] == "deposit"
    assert read("spotMeta").tokens[0].name == "USDC"
    assert read("allMids") == {"BTC": 61000.5, "@151": 0.00001, "xyz:TSLA": 400.0}


@pytest.mark.parametrize("kind", sorted(ANSWERS))
@pytest.mark.parametrize(
    "said", [b"", b"<html>502 Bad Gateway</html>", b'"Failed to deserialize"', b"\xff", b"[" * 99_999]
)
def test_what_is_no_answer_is_refused(kind, said):
    with pytest.raises(VenueMisspoke, match=kind):
        ASKS[kind].read(said)
