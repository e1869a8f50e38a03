"""What subscribers hear and what questions are answered with, against recorded frames and answers in every key."""

import json
from itertools import pairwise
from pathlib import Path

import pytest

from tests.venues.emulator.desk import (
    ACCOUNTS,
    AGENT,
    BTC,
    CONFIG,
    ETH,
    MASTER,
    OTHER,
    POOR,
    START_NS,
    STRANGER,
    TSLA,
    Desk,
    S,
    cloid,
    wire,
)
from tests.venues.hyperliquid.cassettes import exchanges
from venues.aleatoric.manifest_model import model_of
from venues.aleatoric.market import AleatoricMarket
from venues.aleatoric.presets import get_preset
from venues.emulator.hyperliquid.errors import BadRequest, Refused, UnknownCoin, already, bad_request, not_there

WIRE = Path(__file__).resolve().parents[4] / "shared" / "data" / "wire"
recorded = pytest.mark.skipif(not WIRE.exists(), reason="the recorded frames are not here")
START_MS = START_NS // 1_000_000


@pytest.fixture
def desk():
    return Desk()


def shape(value):
    """Keys in their order and the types of values; of a list the shape of its first entry."""
    if isinstance(value, dict):
        return {name: shape(inner) for name, inner in value.items()}
    if isinstance(value, list):
        return [shape(value[0])] if value else []
    return type(value).__name__


def laid_out(value):
    """A shape whose order of keys counts."""
    return json.dumps(shape(value))


def verbatim(name):
    for line in (WIRE / "hl_verbatim/hyperliquid/testnet_20260728.jsonl").read_text().splitlines():
        row = json.loads(line)
        if row["name"] == name:
            return json.loads(row["raw"])
    raise LookupError(name)


def cassette(path, *asked):
    """The recorded answer to the question that has these pairs."""
    for one in exchanges(WIRE / path):
        question = json.loads(one.asked)
        if all(question.get(name) == value for name, value in asked):
            return json.loads(one.answered)
    raise LookupError(path)


def first(desk, **subscription):
    return [json.loads(frame) for frame in desk.venue.snapshot(desk.venue.topic(subscription), desk.now_ns)]


# --- market data ------------------------------------------------------------------------------------------------------


@recorded
def test_fast_books_are_the_recorded_ones_in_every_key(desk):
    (frame,) = first(desk, type="l2Book", coin="BTC", fast=True)
    assert laid_out(frame) == laid_out(verbatim("l2Book_fast_btc_1"))
    assert [len(side) for side in frame["data"]["levels"]] == [5, 5]
    assert frame["data"]["levels"][0][0]["px"] == "65999.0"


@recorded
def test_the_touch_is_the_recorded_one_in_every_key(desk):
    assert laid_out(first(desk, type="bbo", coin="BTC")[0]) == laid_out(verbatim("bbo_btc_2"))


@recorded
def test_trades_are_the_recorded_ones_in_every_key(desk):
    desk.trade("BTC", 66001.0, 0.5, "buy")
    (frame,) = first(desk, type="trades", coin="BTC")
    assert laid_out(frame) == laid_out(verbatim("trades_replay_on_subscribe"))
    (trade,), said = frame["data"], verbatim("trades_replay_on_subscribe")["data"][0]
    assert (trade["px"], trade["sz"], trade["side"]) == ("66001.0", "0.5", "B")
    assert [len(trade[name]) for name in ("hash", "users")] == [len(said[name]) for name in ("hash", "users")]
    assert trade["tid"] < 1 << 50


def test_default_books_come_each_5_4_s_and_fast_ones_each_step(desk):
    desk.listen({"type": "l2Book", "coin": "BTC"})
    desk.wait(54)
    slow = desk.told("l2Book")
    assert len(slow) == 10 and {len(side) for data in slow for side in data["levels"]} == {20}
    desk.heard.clear()
    desk.venue.unwatch(desk.venue.topic({"type": "l2Book", "coin": "BTC"}))
    desk.listen({"type": "l2Book", "coin": "BTC", "fast": True})
    desk.wait(54)
    assert len(desk.told("l2Book")) == 108
    stamps = [data["time"] for data in desk.told("l2Book")]
    assert stamps == sorted(set(stamps))


def test_slow_and_fast_have_keys_of_their_own(desk):
    keys = {
        desk.venue.topic({"type": "l2Book", "coin": "BTC"} | more).key
        for more in ({}, {"fast": True}, {"fast": False}, {"nSigFigs": 3}, {"nSigFigs": 5, "mantissa": 2})
    }
    assert len(keys) == 4


def test_the_touch_is_told_when_it_changes(desk):
    desk.listen({"type": "bbo", "coin": "BTC"})
    desk.wait(5)
    assert len(desk.told("bbo")) == 1
    desk.quote("BTC", 66010.0)
    assert desk.told("bbo")[-1]["bbo"][0]["px"] == "66009.0" and len(desk.told("bbo")) == 2
    desk.market.empty.add("BTC")
    desk.wait(1)
    assert desk.told("bbo")[-1]["bbo"][1] is None


def test_nobody_hears_what_nobody_watches(desk):
    topic = desk.venue.topic({"type": "trades", "coin": "BTC"})
    desk.venue.watch(topic)
    desk.venue.watch(topic)
    desk.venue.unwatch(topic)
    desk.trade("BTC", 66001.0, 0.5, "buy")
    assert len(desk.told("trades")) == 1
    desk.venue.unwatch(topic)
    desk.trade("BTC", 66001.0, 0.5, "buy")
    assert len(desk.told("trades")) == 1


def test_candles_form_with_each_trade(desk):
    desk.listen({"type": "candle", "coin": "BTC", "interval": "1m"})
    desk.trade("BTC", 66001.0, 0.5, "buy")
    desk.trade("BTC", 65999.0, 0.25, "sell")
    one, two = desk.told("candle")
    assert (one["o"], one["c"], one["v"], one["n"]) == ("66001.0", "66001.0", "0.5", 1)
    assert (two["o"], two["c"], two["h"], two["l"], two["v"], two["n"]) == (
        *("66001.0", "65999.0", "66001.0", "65999.0", "0.75"),
        2,
    )
    assert two["T"] == two["t"] + 59_999 and list(two) == ["t", "T", "s", "i", "o", "c", "h", "l", "v", "n"]
    (row,) = desk.info(
        "candleSnapshot", req={"coin": "BTC", "interval": "1m", "startTime": START_MS, "endTime": START_MS + 1}
    )
    assert row == two


def test_candle_snapshots_touch_both_ends_and_the_last_is_still_forming(desk):
    desk.trade("BTC", 66001.0, 0.5, "buy")
    desk.wait(150)
    ask = {"coin": "BTC", "interval": "1m", "startTime": START_MS - 200_000, "endTime": START_MS + 10**9}
    rows = desk.info("candleSnapshot", req=ask)
    assert all(two["t"] == one["T"] + 1 for one, two in pairwise(rows))
    assert rows[0]["t"] <= ask["startTime"] <= rows[0]["T"]
    assert rows[-1]["t"] <= desk.now_ns // 1_000_000 <= rows[-1]["T"]
    assert rows[-1]["n"] == 0 and rows[-1]["v"] == "0.0" and rows[-1]["o"] == "66001.0"  # a silent minute stands still
    hours = desk.info("candleSnapshot", req=ask | {"interval": "4h", "startTime": START_MS - 7 * 86_400_000})
    assert 42 <= len(hours) <= 43 and all(float(row["l"]) <= float(row["o"]) <= float(row["h"]) for row in hours)
    many = desk.info("candleSnapshot", req=ask | {"startTime": 0})
    assert len(many) == 5000 and many[-len(rows) :] == rows
    assert desk.info("candleSnapshot", req=ask | {"coin": "XYZ"}) == []


def test_contexts_and_mids_have_a_pace(desk):
    desk.listen({"type": "activeAssetCtx", "coin": "xyz:TSLA"}, {"type": "allMids"}, {"type": "allMids", "dex": "xyz"})
    desk.wait(20)
    assert len(desk.told("activeAssetCtx")) == 20
    plain = [data for data in desk.told("allMids") if "dex" not in data]
    assert len(plain) == 4 and set(plain[0]["mids"]) == {"BTC", "ETH", "SOL", "MATIC"}
    assert {data["dex"] for data in desk.told("allMids") if "dex" in data} == {"xyz"}


@pytest.mark.parametrize(
    "said", [{"type": "l2Book", "coin": "btc"}, {"type": "bbo", "coin": "TSLA"}, {"type": "trades", "coin": "XYZ:TSLA"}]
)
def test_a_name_that_is_not_listed_costs_the_socket(desk, said):
    with pytest.raises(UnknownCoin):
        desk.venue.topic(said)


@pytest.mark.parametrize(
    "said", [{"type": "noSuchType", "coin": "BTC"}, {}, None, {"type": "userFills", "user": "me"}, {"type": "bbo"}]
)
def test_what_is_no_subscription_does_not(desk, said):
    with pytest.raises(BadRequest):
        desk.venue.topic(said)


def test_a_delisted_name_is_acknowledged_and_empty(desk):
    (frame,) = first(desk, type="l2Book", coin="MATIC")
    assert frame["data"]["levels"] == [[], []]
    assert desk.info("l2Book", coin="NOPE") is None
    assert desk.info("meta", dex="nope") is None


@recorded
def test_acks_errors_and_empty_snapshots_are_the_recorded_ones(desk):
    venue, user = desk.venue, "0x70997970c51812dc3a010c7d01b50e0d17dc79c8"
    assert json.loads(venue.topic({"type": "bbo", "coin": "BTC"}).ack("subscribe")) == verbatim(
        "subscriptionResponse_bbo"
    )
    fills = venue.topic({"type": "userFills", "user": user.replace("c", "C")})
    assert fills.ack("subscribe") == json.dumps(verbatim("userFills_ack"), separators=(",", ":")).encode()
    (frame,) = venue.snapshot(fills, desk.now_ns)
    assert frame == json.dumps(verbatim("userFills_empty_snapshot"), separators=(",", ":")).encode()
    said = '{"method": "subscribe", "subscription": {"type": "noSuchType", "coin": "BTC"}}'
    assert json.loads(bad_request(said)) == verbatim("error_unknown_type")
    topic = venue.topic({"type": "trades", "coin": "BTC"})
    assert json.loads(already(topic.subscription))["data"] == 'Already subscribed: {"type":"trades","coin":"BTC"}'
    assert json.loads(not_there(topic.subscription))["data"].startswith("Already unsubscribed: {")


# --- accounts ---------------------------------------------------------------------------------------------------------


@recorded
def test_order_updates_are_the_recorded_ones_in_every_key(desk):
    desk.listen({"type": "orderUpdates", "user": MASTER.address})
    oid = desk.order(BTC, "buy", "31795", "0.00037", "Alo", cloid=cloid(1))["resting"]["oid"]
    desk.cancel(BTC, oid)
    opened, canceled = ({"channel": "orderUpdates", "data": rows} for rows in desk.told("orderUpdates"))
    assert laid_out(opened) == laid_out(verbatim("orderUpdates_open"))
    assert laid_out(canceled) == laid_out(verbatim("orderUpdates_canceled"))
    order = canceled["data"][0]["order"]
    assert (order["limitPx"], order["sz"], order["origSz"]) == ("31795.0", "0.00037", "0.00037") and oid > 2**32


def test_a_snapshot_of_fills_comes_with_every_subscription(desk):
    desk.listen({"type": "userFills", "user": MASTER.address})
    desk.order(ETH, "buy", "2000.1", "1", "Ioc")
    for _ in range(2):
        (frame,) = first(desk, type="userFills", user=MASTER.address)
        assert frame["data"]["isSnapshot"] is True and frame["data"]["fills"] == desk.told("userFills")[0]["fills"]
    assert first(desk, type="orderUpdates", user=MASTER.address) == []
    assert first(desk, type="userEvents", user=MASTER.address) == []


@recorded
def test_a_flat_account_is_the_recorded_one_byte_for_byte():
    state = Desk().venue.info({"type": "clearinghouseState", "user": POOR.address}, START_NS)
    told = json.dumps(verbatim("clearinghouseState_flat"), separators=(",", ":"))
    assert state.decode().partition(',"time":')[0] == told.partition(',"time":')[0]


@recorded
def test_recorded_answers_have_the_same_keys(desk):
    """Old recordings lack keys that came since, in another order; every key of theirs is in ours, of its type."""
    desk.order(BTC, "buy", "66001", "0.5", "Ioc", cloid=cloid(1))
    desk.order(ETH, "sell", "2100", "1", reduce_only=False)
    sdk = "hyperliquid_python_sdk/hyperliquid/cassettes/info_test/test_{}.yaml"
    for name, asked, ours in (
        ("get_user_state", "clearinghouseState", desk.ask("clearinghouseState")),
        ("get_open_orders", "openOrders", desk.ask("openOrders")),
        ("get_user_fills", "userFills", desk.ask("userFills")),
        ("user_rate_limit", "userRateLimit", desk.ask("userRateLimit")),
        ("get_l2_snapshot", "l2Book", desk.info("l2Book", coin="BTC")),
        ("extra_agents", "extraAgents", desk.ask("extraAgents")),
    ):
        theirs = cassette(sdk.format(name), ("type", asked))
        assert_within(shape(theirs), shape(ours), asked)
    historical = cassette(sdk.format("historical_orders"), ("type", "historicalOrders"))
    ours = desk.ask("historicalOrders")
    assert list(ours[0]) == list(historical[0]) and list(ours[0]["order"]) == list(historical[0]["order"])


GONE = {"maxTradeSzs"}  # keys that the venue has dropped since 2023


def assert_within(theirs, ours, where):
    if isinstance(theirs, dict):
        for name, inner in theirs.items():
            if name not in GONE:
                assert name in ours, f"{where}.{name}"
                assert_within(inner, ours[name], f"{where}.{name}")
    elif isinstance(theirs, list) and theirs and ours:
        assert_within(theirs[0], ours[0], f"{where}[]")
    elif theirs != "NoneType" and ours != "NoneType":
        assert type(theirs) is type(ours) and (isinstance(theirs, list) or theirs == ours), where


@recorded
def test_meta_is_the_recorded_one_in_every_key(desk):
    go = "go_hyperliquid/hyperliquid/{}.yaml"
    native, contexts = cassette(go.format("MetaAndAssetCtxs"), ("type", "metaAndAssetCtxs"), ("dex", ""))
    ours, our_contexts = desk.info("metaAndAssetCtxs")
    assert list(ours) == list(native) and laid_out(ours["universe"]) == laid_out(native["universe"])
    assert laid_out(ours["universe"][3]) == laid_out(next(row for row in native["universe"] if "isDelisted" in row))
    assert laid_out(our_contexts) == laid_out(contexts)
    dead = next(context for context in contexts if context["midPx"] is None)
    assert laid_out(our_contexts[3]) == laid_out(dead)
    assert laid_out(ours["marginTables"][0][1]) == laid_out(native["marginTables"][0][1])
    recorded_rows = {row["name"]: row for row in native["universe"]}
    assert ours["universe"] == [recorded_rows[row["name"]] for row in ours["universe"]]
    builder, _ = cassette(go.format("MetaAndAssetCtxs"), ("type", "metaAndAssetCtxs"), ("dex", "xyz"))
    (tesla,) = desk.info("meta", dex="xyz")["universe"]
    theirs = next(row for row in builder["universe"] if row["name"] == "xyz:TSLA")
    assert tesla == {name: said for name, said in theirs.items() if "rowthMode" not in name}
    dexs = cassette(go.format("PerpDexs"), ("type", "perpDexs"))
    ours = desk.info("perpDexs")
    assert ours[0] is None is dexs[0] and list(ours[1]) == list(dexs[1])


@recorded
def test_envelopes_are_the_recorded_ones(desk):
    go = "go_hyperliquid/hyperliquid/{}.yaml"
    order, cancel = [json.loads(one.answered) for one in exchanges(WIRE / go.format("Cancel_Success"))]
    ours = desk.do({"type": "order", "orders": [wire(ETH, "buy", "1990", "1")], "grouping": "na"})
    assert laid_out(ours) == laid_out(order)
    oid = ours["response"]["data"]["statuses"][0]["resting"]["oid"]
    assert desk.do({"type": "cancel", "cancels": [{"a": ETH, "o": oid}]}) == cancel
    small = json.loads(next(exchanges(WIRE / go.format("Orders_Below10"))).answered)
    ours = desk.do({"type": "order", "orders": [wire(ETH, "buy", "1990", "0.001")], "grouping": "na"})
    assert json.dumps(ours) == json.dumps(small).replace("asset=173", "asset=1")
    unknown = json.loads(next(exchanges(WIRE / go.format("Orders_InvalidAuth"))).answered)
    ours = desk.do({"type": "order", "orders": [wire(ETH, "buy", "1990", "1")], "grouping": "na"}, STRANGER)
    assert json.dumps(ours) == json.dumps(unknown).replace(
        "0xefc07321d3d6a8fa4961306c7bf555f0723f28c1", STRANGER.address
    )


def test_orders_by_id_and_pages_of_fills(desk):
    assert desk.ask("orderStatus", oid=5) == {"status": "unknownOid"} == desk.ask("orderStatus", oid=cloid(5))
    account = desk.venue.accounts[MASTER.address]
    for _ in range(3):
        desk.order(ETH, "buy", "2000.1", "0.5", "Ioc")
        desk.wait(1)
    times = [fill["time"] for fill in desk.ask("userFills")]
    assert times == sorted(times, reverse=True)
    by_time = desk.ask("userFillsByTime", startTime=times[1])
    assert [fill["time"] for fill in by_time] == [times[1], times[0]]
    assert desk.ask("userFillsByTime", startTime=times[1], endTime=times[1]) == by_time[:1]
    account.fills.extend({**account.fills[-1], "tid": tid, "time": times[0] + tid} for tid in range(1, 4001))
    page = desk.ask("userFillsByTime", startTime=0)
    assert len(page) == 2000 == len(desk.ask("userFills")) and page[0]["time"] == times[2]
    rest = desk.ask("userFillsByTime", startTime=page[-1]["time"] + 1)
    assert len(rest) == 2000 and rest[0]["time"] == page[-1]["time"] + 1


def test_what_a_position_is_told_as(desk):
    desk.order(ETH, "buy", "2000.1", "1", "Ioc")
    desk.order(ETH, "sell", "1990", "0.4", "Ioc")
    desk.order(ETH, "sell", "1990", "0.6", "Ioc")
    desk.wait(1)
    desk.order(ETH, "sell", "1999.9", "1", "Ioc")
    desk.wait(1)
    desk.order(ETH, "buy", "2000.2", "1.5", "Ioc")
    told = [(fill["dir"], fill["startPosition"], fill["closedPnl"]) for fill in desk.ask("userFills")[::-1]]
    assert told == [
        ("Open Long", "0.0", "0.0"),
        ("Close Long", "1.0", "-0.08"),
        ("Close Long", "0.6", "-0.12"),
        ("Open Short", "0.0", "0.0"),
        ("Close Short", "-1.0", "-0.2"),
        ("Open Long", "0.0", "0.0"),
    ]
    desk.wait(1)
    desk.market.size = 3.0
    desk.wait(1)
    desk.order(ETH, "sell", "1999.9", "1.5", "Ioc")
    assert desk.ask("userFills")[0]["dir"] == "Long > Short"


def test_who_is_who(desk):
    assert desk.ask("userRole", MASTER) == {"role": "user"}
    assert desk.ask("userRole", AGENT) == {"role": "agent", "data": {"user": MASTER.address}}
    assert desk.ask("userRole", STRANGER) == {"role": "missing"}
    (agent,) = desk.ask("extraAgents")
    assert (agent["name"], agent["address"]) == ("bot", AGENT.address)
    assert [sub["master"] for sub in desk.ask("subAccounts")] == [MASTER.address]
    assert desk.ask("userFees", OTHER)["userAddRate"] == "0.00015"


def test_asset_ids_are_those_of_the_dexs(desk):
    desk.order(TSLA, "buy", "400.01", "1", "Ioc")
    assert desk.ask("userFills")[0]["coin"] == "xyz:TSLA"
    assert desk.position("xyz:TSLA")["szi"] == "1.0"
    assert desk.ask("clearinghouseState")["assetPositions"] == []
    assert desk.ask("openOrders", dex="xyz") == []


def test_coarse_books(desk):
    book = desk.info("l2Book", coin="BTC", nSigFigs=4)
    assert [level["px"] for level in book["levels"][0]] == ["65990.0", "65980.0"] and book["spread"] == "20.0"
    assert float(book["levels"][0][0]["sz"]) == 10.0
    with pytest.raises(Refused) as refused:
        desk.info("l2Book", coin="BTC", nSigFigs=5, mantissa=1)
    assert refused.value.status == 500


@pytest.mark.parametrize(
    "body", [None, [], {}, {"type": "nope"}, {"type": "l2Book"}, {"type": "openOrders", "user": "0x1"}]
)
def test_a_question_that_is_none_is_a_422(desk, body):
    with pytest.raises(Refused) as refused:
        desk.venue.info(body, desk.now_ns)
    assert refused.value.status == 422


def test_posts_on_the_socket(desk):
    def post(kind, payload):
        message = {"method": "post", "id": 7, "request": {"type": kind, "payload": payload}}
        return json.loads(desk.venue.posted(message, desk.now_ns))

    answer = post("info", {"type": "l2Book", "coin": "BTC"})
    assert (answer["channel"], answer["data"]["id"], answer["data"]["response"]["type"]) == ("post", 7, "info")
    assert answer["data"]["response"]["payload"] == {"type": "l2Book", "data": desk.info("l2Book", coin="BTC")}
    body = desk.body({"type": "noop"})
    answer = post("action", body)["data"]["response"]
    assert answer == {"type": "action", "payload": {"status": "ok", "response": {"type": "default"}}}
    assert post("info", {"type": "nope"})["data"]["response"]["type"] == "error"
    with pytest.raises(BadRequest):
        desk.venue.posted({"method": "post"}, desk.now_ns)


# --- the whole --------------------------------------------------------------------------------------------------------


def run():
    """An hour of a made market with a few orders, as bytes."""
    models = [model_of(get_preset(f"perps:{name}")) for name in ("BTC", "kSHIB", "xyz:TSLA")]
    desk = Desk(CONFIG, ACCOUNTS, AleatoricMarket(models, 3, START_NS))
    coins = ("BTC", "kSHIB", "xyz:TSLA")
    desk.listen(*({"type": kind, "coin": coin} for kind in ("trades", "bbo") for coin in coins))
    desk.listen({"type": "l2Book", "coin": "BTC"}, {"type": "userFills", "user": MASTER.address})
    desk.listen({"type": "l2Book", "coin": "kSHIB", "fast": True}, {"type": "activeAssetCtx", "coin": "BTC"})
    desk.wait(60)
    mid = round(float(desk.info("allMids")["BTC"]))
    desk.order(0, "buy", str(mid + 20), "0.01", "Ioc")
    desk.order(0, "sell", str(mid + 30), "0.01", "Alo")
    desk.wait(600)
    desk.ask("clearinghouseState")
    return json.dumps([desk.heard, desk.ask("userFills"), desk.ask("historicalOrders")])


def test_all_of_it_is_a_function_of_the_seed():
    one = run()
    assert one == run()
    numbers = [float(price) for price in _prices(json.loads(one))]
    assert len(numbers) > 10_000


def _prices(value):
    """Every px, held to the venue's rule of prices on the way."""
    if isinstance(value, dict):
        for name, inner in value.items():
            if name in ("px", "limitPx"):
                digits = inner.replace(".", "").strip("0")
                assert "." in inner and (not inner.endswith("0") or inner.endswith(".0")), inner
                assert inner.endswith(".0") or len(digits) <= 5, inner
                yield inner
            else:
                yield from _prices(inner)
    elif isinstance(value, list):
        for inner in value:
            yield from _prices(inner)


def test_time_does_not_run_back(desk):
    desk.wait(10)
    assert desk.venue.advance(desk.now_ns - 5 * S) == []
    assert desk.venue.now_ns == desk.now_ns
