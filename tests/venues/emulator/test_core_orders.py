"""The rules of orders, one by one, in the venue's own words."""

from decimal import Decimal

import pytest
from msgspec.structs import replace

from tests.venues.emulator.desk import ACCOUNTS, AGENT, BTC, CONFIG, ETH, MASTER, OTHER, SOL, TSLA, Desk, cloid, wire
from venues.emulator.hyperliquid.errors import Refused


@pytest.fixture
def desk():
    made = Desk()
    made.listen(*({"type": kind, "user": MASTER.address} for kind in ("orderUpdates", "userFills", "userEvents")))
    return made


def statuses(desk):
    return [[(row["order"]["oid"], row["status"]) for row in rows] for rows in desk.told("orderUpdates")]


def test_an_ioc_takes_what_there_is_and_the_rest_is_gone(desk):
    status = desk.order(BTC, "buy", "66002", "2.5", "Ioc")  # one at 66001, one at 66002
    oid = status["filled"]["oid"]
    assert status == {"filled": {"totalSz": "2.0", "avgPx": "66001.5", "oid": oid}}
    assert desk.ask("openOrders") == []
    row = desk.ask("orderStatus", oid=oid)["order"]
    assert (row["status"], row["order"]["sz"], row["order"]["origSz"]) == ("canceled", "0.5", "2.5")
    fills = desk.ask("userFills")
    assert [(fill["px"], fill["sz"], fill["crossed"], fill["dir"]) for fill in fills] == [
        ("66002.0", "1.0", True, "Open Long"),
        ("66001.0", "1.0", True, "Open Long"),
    ]
    assert len({fill["hash"] for fill in fills}) == 1 and len({fill["tid"] for fill in fills}) == 2


def test_what_was_taken_is_gone_until_the_next_book(desk):
    assert desk.order(BTC, "buy", "66001", "1", "Ioc")["filled"]["totalSz"] == "1.0"
    text = "Order could not immediately match against any resting orders. asset=0"
    assert desk.order(BTC, "buy", "66001", "1", "Ioc") == {"error": text}
    desk.wait(1)
    assert desk.order(BTC, "buy", "66001", "1", "Ioc")["filled"]["totalSz"] == "1.0"


def test_a_filled_order_is_told_open_then_filled_in_one_frame(desk):
    status = desk.order(BTC, "buy", "66001", "0.5", "Ioc", cloid=cloid(1))
    oid = status["filled"]["oid"]
    assert status["filled"]["cloid"] == cloid(1)
    assert statuses(desk) == [[(oid, "open"), (oid, "filled")]]
    (rows,) = desk.told("orderUpdates")
    assert [row["order"]["sz"] for row in rows] == ["0.5", "0.0"] and rows[0]["order"]["cloid"] == cloid(1)
    (told,) = desk.told("userFills")
    assert "isSnapshot" not in told and told["user"] == MASTER.address and told["fills"][0]["oid"] == oid
    assert desk.told("user") == [{"fills": told["fills"]}]


def test_an_ioc_without_liquidity_is_a_rejection(desk):
    text = "Order could not immediately match against any resting orders. asset=1"
    assert desk.order(ETH, "buy", "1990", "1", "Ioc", cloid=cloid(2)) == {"error": text}
    assert desk.ask("orderStatus", oid=cloid(2))["order"]["status"] == "iocCancelRejected"
    assert [status for rows in statuses(desk) for _, status in rows] == ["iocCancelRejected"]


def test_a_post_only_order_that_would_cross_names_the_touch(desk):
    text = "Post only order would have immediately matched, bbo was 1999.9@2000.1. asset=1"
    assert desk.order(ETH, "buy", "2000.1", "1", "Alo", cloid=cloid(3)) == {"error": text}
    assert desk.ask("orderStatus", oid=cloid(3))["order"]["status"] == "badAloPxRejected"
    assert "resting" in desk.order(ETH, "buy", "2000", "1", "Alo")


def test_a_gtc_takes_what_it_can_and_rests(desk):
    oid = desk.order(ETH, "buy", "2000.1", "3")["resting"]["oid"]
    (row,) = desk.ask("openOrders")
    assert (row["oid"], row["sz"], row["origSz"]) == (oid, "2.0", "3.0") and "cloid" not in row
    assert desk.position("ETH")["szi"] == "1.0"
    row = desk.ask("orderStatus", oid=oid)["order"]
    assert (row["status"], row["order"]["sz"]) == ("open", "3.0")  # as it was when it was opened
    desk.cancel(ETH, oid)
    assert desk.ask("orderStatus", oid=oid)["order"]["order"]["sz"] == "2.0"


def test_a_resting_order_is_filled_as_maker_at_its_own_price(desk):
    oid = desk.order(ETH, "buy", "2000", "1", "Alo")["resting"]["oid"]
    desk.trade("ETH", 1999.9, 5.0, "sell")
    (fill,) = desk.ask("userFills")
    assert (fill["oid"], fill["px"], fill["sz"], fill["crossed"]) == (oid, "2000.0", "1.0", False)
    assert fill["fee"] == "0.3"  # 1.5 bps
    assert statuses(desk)[-1] == [(oid, "filled")]


@pytest.mark.parametrize(
    ("asset", "price", "size", "text"),
    [
        (BTC, "66000.5", "0.01", "Price must be divisible by tick size. asset=0"),  # six figures
        (ETH, "2000.05", "0.01", "Price must be divisible by tick size. asset=1"),
        (TSLA, "400.001", "1", "Price must be divisible by tick size. asset=110000"),
        (ETH, "2000.123", "0.01", "Price must be divisible by tick size. asset=1"),
        (ETH, "2000", "0.00001", "Order has invalid size. asset=1"),
        (ETH, "2000", "0", "Order has zero size. asset=1"),
        (ETH, "0", "1", "Order has invalid price. asset=1"),
        (ETH, "2000", "0.0049", "Order must have minimum value of $10. asset=1"),
        (999, "2000", "1", "Invalid asset asset=999"),
        (3, "0.4", "100", "Trading is halted. asset=3"),  # MATIC, delisted before the start
        (ETH, "399", "1", "Order price cannot be more than 80% away from the reference price asset=1"),
        (ETH, "3601", "1", "Order price cannot be more than 80% away from the reference price asset=1"),
    ],
)
def test_an_order_that_is_wrong_by_itself(desk, asset, price, size, text):
    assert desk.order(asset, "buy", price, size) == {"error": text}
    assert desk.ask("openOrders") == []


def test_a_whole_price_may_have_more_than_five_figures():
    desk = Desk()
    desk.quote("BTC", 123_456.0)
    assert "resting" in desk.order(BTC, "buy", "123451", "0.01")


def test_what_is_wrong_with_the_payload_is_said_once_for_all(desk):
    good, far = wire(ETH, "buy", "1990", "1"), wire(ETH, "buy", "100", "1")
    assert len(desk.orders(good, far, good)) == 1
    assert desk.ask("openOrders") == []


def test_one_status_for_each_order_of_a_batch(desk):
    first, second, third = desk.orders(
        wire(ETH, "buy", "1990", "1"), wire(ETH, "buy", "1990", "0.001"), wire(ETH, "sell", "2010", "1")
    )
    assert "resting" in first and "minimum value" in second["error"] and "resting" in third
    assert [row["side"] for row in desk.ask("openOrders")] == ["A", "B"]  # newest first


def test_an_oracle_band_if_one_is_set():
    desk = Desk(replace(CONFIG, oracle_band=Decimal("0.05")))
    assert desk.order(ETH, "buy", "1800", "1", cloid=cloid(1)) == {"error": "Price too far from oracle asset=1"}
    assert desk.ask("orderStatus", oid=cloid(1))["order"]["status"] == "oracleRejected"


def test_margin(desk):
    assert desk.order(ETH, "buy", "1999", "150") == {"error": "Insufficient margin to place order. asset=1"}
    assert "resting" in desk.order(ETH, "buy", "1999", "90")  # 180,000 at 20x
    assert desk.order(BTC, "buy", "65000", "0.5") == {"error": "Insufficient margin to place order. asset=0"}
    assert "resting" in desk.order(TSLA, "buy", "390", "100")  # a dex has money of its own
    assert desk.order(TSLA, "buy", "390", "1", who=OTHER)["error"].startswith("Insufficient margin")


def test_reduce_only_needs_something_to_reduce(desk):
    text = {"error": "Reduce only order would increase position. asset=1"}
    assert desk.order(ETH, "sell", "2010", "1", reduce_only=True, cloid=cloid(4)) == text
    assert desk.ask("orderStatus", oid=cloid(4))["order"]["status"] == "reduceOnlyRejected"
    desk.order(ETH, "buy", "2000.1", "1", "Ioc")
    assert desk.order(ETH, "buy", "1990", "1", reduce_only=True) == text
    status = desk.order(ETH, "sell", "1999", "3", "Ioc", reduce_only=True)
    assert status["filled"]["totalSz"] == "1.0" and desk.position("ETH") is None


def test_a_reduce_only_order_shrinks_with_the_position_and_ends_with_it(desk):
    """As probed on the testnet on 2026-10-06: sz is what may be filled, origSz what was asked."""
    desk.order(ETH, "buy", "2000.1", "0.8", "Ioc")
    oid = desk.order(ETH, "sell", "2050", "2", reduce_only=True)["resting"]["oid"]
    (row,) = desk.ask("frontendOpenOrders")
    assert (row["sz"], row["origSz"], row["reduceOnly"]) == ("0.8", "2.0", True)
    desk.order(ETH, "sell", "1999", "0.4", "Ioc")
    assert desk.ask("frontendOpenOrders")[0]["sz"] == "0.4"
    desk.heard.clear()
    desk.order(ETH, "sell", "1999", "0.4", "Ioc")
    row = desk.ask("orderStatus", oid=oid)["order"]
    assert (row["status"], row["order"]["sz"], row["order"]["origSz"]) == ("reduceOnlyCanceled", "0.4", "2.0")
    (rows,) = statuses(desk)
    assert (oid, "reduceOnlyCanceled") in rows and "filled" in [status for _, status in rows]
    assert all("nonUserCancel" not in told for told in desk.told("user"))


def test_a_position_worth_less_than_the_minimum_can_be_closed(desk):
    desk.order(ETH, "buy", "2000.1", "0.01", "Ioc")
    desk.order(ETH, "sell", "1999.9", "0.007", "Ioc")
    assert "minimum value" in desk.order(ETH, "sell", "1999.9", "0.002", "Ioc")["error"]
    assert "filled" in desk.order(ETH, "sell", "1999.9", "0.003", "Ioc")


def test_an_order_never_trades_with_its_own_account_and_never_with_another(desk):
    desk.order(ETH, "sell", "2000", "1", "Alo")
    desk.heard.clear()
    desk.order(ETH, "buy", "2000", "1")
    assert [status for rows in statuses(desk) for _, status in rows] == ["open", "selfTradeCanceled"]
    assert desk.order(ETH, "buy", "2000", "1", "Ioc", who=OTHER)["error"].startswith(
        "Order could not immediately match"
    )


def test_a_cloid_is_used_once(desk):
    assert "resting" in desk.order(ETH, "buy", "1990", "1", cloid=cloid(5))
    assert desk.order(ETH, "buy", "1980", "1", cloid=cloid(5)) == {"error": "Duplicate cloid. asset=1"}
    twice = desk.orders(wire(ETH, "buy", "1990", "1", cloid=cloid(6)), wire(ETH, "buy", "1989", "1", cloid=cloid(6)))
    assert "resting" in twice[0] and twice[1] == {"error": "Duplicate cloid. asset=1"}
    assert "resting" in desk.order(ETH, "buy", "1990", "1", cloid=cloid(5), who=OTHER)


def test_cancels(desk):
    oid = desk.order(ETH, "buy", "1990", "1", cloid=cloid(7))["resting"]["oid"]
    gone = {"error": "Order was never placed, already canceled, or filled. asset=1"}
    assert desk.cancel(ETH, oid, who=OTHER) == gone
    assert desk.cancel(BTC, oid) == {"error": gone["error"].replace("asset=1", "asset=0")}
    action = {"type": "cancel", "cancels": [{"a": ETH, "o": oid}, {"a": ETH, "o": oid}, {"a": ETH, "o": 1}]}
    assert desk.done(action) == {"type": "cancel", "data": {"statuses": ["success", gone, gone]}}
    by_cloid = {"type": "cancelByCloid", "cancels": [{"asset": ETH, "cloid": cloid(7)}]}
    assert desk.done(by_cloid)["data"]["statuses"] == [gone]
    desk.order(ETH, "buy", "1990", "1", cloid=cloid(8))
    by_cloid = {"type": "cancelByCloid", "cancels": [{"asset": ETH, "cloid": cloid(8)}]}
    assert desk.done(by_cloid)["data"]["statuses"] == ["success"]
    row = desk.told("orderUpdates")[-1][0]
    assert row["status"] == "canceled" and row["order"]["sz"] == "1.0"  # what was not filled, not zero


def test_a_batch_of_more_than_200_is_refused_whole_and_costs_nothing(desk):
    oids = [{"a": ETH, "o": number} for number in range(201)]
    used = desk.ask("userRateLimit")["nRequestsUsed"]
    assert desk.refused({"type": "cancel", "cancels": oids}) == "Signed action over weight limit of 200."
    assert desk.ask("userRateLimit")["nRequestsUsed"] == used
    assert len(desk.done({"type": "cancel", "cancels": oids[1:]})["data"]["statuses"]) == 200
    assert desk.ask("userRateLimit")["nRequestsUsed"] == used + 200


def batch_modify(desk, key, order):
    return desk.done({"type": "batchModify", "modifies": [{"oid": key, "order": order}]})["data"]["statuses"][0]


def test_a_modify_takes_the_old_order_out_and_gives_a_new_id(desk):
    old = desk.order(ETH, "buy", "1990", "1", cloid=cloid(9))["resting"]["oid"]
    new = batch_modify(desk, old, wire(ETH, "buy", "1991", "2", cloid=cloid(9)))["resting"]["oid"]
    assert new != old and desk.ask("orderStatus", oid=old)["order"]["status"] == "canceled"
    (row,) = desk.ask("openOrders")
    assert (row["oid"], row["limitPx"], row["sz"]) == (new, "1991.0", "2.0")
    assert statuses(desk)[-1] == [(old, "canceled"), (new, "open")]
    assert desk.ask("orderStatus", oid=cloid(9))["order"]["order"]["oid"] == new
    by_cloid = batch_modify(desk, cloid(9), wire(ETH, "buy", "1992", "2", cloid=cloid(10)))
    assert by_cloid["resting"]["cloid"] == cloid(10)
    assert desk.done({"type": "modify", "oid": cloid(10), "order": wire(ETH, "buy", "1993", "2")}) == {
        "type": "default"
    }


def test_a_modify_that_fails_late_loses_the_old_order(desk):
    oid = desk.order(ETH, "buy", "1990", "1")["resting"]["oid"]
    status = batch_modify(desk, oid, wire(ETH, "buy", "2000.1", "1", "Alo"))
    text = "Post only order would have immediately matched, bbo was 1999.9@2000.1. asset=1"
    assert status == {"error": "Error placing new order during modify: " + text}
    assert desk.ask("openOrders") == []
    assert batch_modify(desk, oid, wire(ETH, "buy", "1990", "1")) == {"error": "Cannot modify canceled or filled order"}
    action = {"type": "modify", "oid": oid, "order": wire(ETH, "buy", "1990", "1")}
    assert desk.refused(action) == "Cannot modify canceled or filled order"


def test_a_modify_into_nonsense_leaves_the_old_order(desk):
    oid = desk.order(ETH, "buy", "1990", "1")["resting"]["oid"]
    assert "tick size" in batch_modify(desk, oid, wire(ETH, "buy", "1990.05", "1"))["error"]
    assert [row["oid"] for row in desk.ask("openOrders")] == [oid]


def test_trigger_orders_are_refused(desk):
    order = wire(ETH, "sell", "1990", "1") | {"t": {"trigger": {"isMarket": True, "triggerPx": "1990", "tpsl": "sl"}}}
    assert desk.orders(order) == [{"error": "Invalid TP/SL price. asset=1"}]


@pytest.mark.parametrize(
    "change",
    [{"p": 1990}, {"p": "cheap"}, {"p": "NaN"}, {"b": 1}, {"c": "0x12"}, {"t": {"limit": {"tif": "Fok"}}}, {"t": {}}],
)
def test_an_order_that_is_none_is_a_422(desk, change):
    with pytest.raises(Refused) as refused:
        desk.orders(wire(ETH, "buy", "1990", "1") | change)
    assert (refused.value.status, refused.value.body) == (
        422,
        "Failed to deserialize the JSON body into the target type",
    )


def test_what_follows_an_upgrade_and_a_halt(desk):
    desk.venue.restart(desk.now_ns + 10 * 10**9)
    text = "Only post-only orders allowed immediately after network upgrade"
    assert desk.order(ETH, "buy", "2001", "1", "Ioc") == {"error": text}
    assert desk.order(ETH, "buy", "1990", "1") == {"error": text}
    assert "resting" in desk.order(ETH, "buy", "1990", "1", "Alo")
    desk.wait(11)
    assert "filled" in desk.order(ETH, "buy", "2001", "1", "Ioc")
    desk.venue.halt("ETH", desk.now_ns + 10 * 10**9)
    assert desk.order(ETH, "buy", "1990", "1") == {"error": "Trading is halted. asset=1"}
    assert "resting" in desk.order(BTC, "buy", "65000", "0.01")
    desk.wait(11)
    assert "resting" in desk.order(ETH, "buy", "1990", "1")


def test_open_interest_that_is_capped_may_shrink(desk):
    desk.order(ETH, "buy", "2000.1", "1", "Ioc")
    desk.venue.cap("ETH", desk.now_ns + 10 * 10**9)
    text = "Order would increase open interest while open interest is capped asset=1"
    assert desk.order(ETH, "buy", "1990", "1", cloid=cloid(1)) == {"error": text}
    assert desk.ask("orderStatus", oid=cloid(1))["order"]["status"] == "positionIncreaseAtOpenInterestCapRejected"
    assert "filled" in desk.order(ETH, "sell", "1999.9", "1", "Ioc")
    desk.wait(11)
    assert "resting" in desk.order(ETH, "buy", "1990", "1")


def test_a_position_has_a_tier():
    desk = Desk(accounts=(replace(ACCOUNTS[0], usd={"": Decimal(50_000_000)}),))
    text = "Order would cause position to exceed margin tier limit at current leverage asset=2"
    assert desk.order(SOL, "buy", "70", "1000001", cloid=cloid(1)) == {"error": text}  # over 70 million SOL allows 10x
    assert desk.ask("orderStatus", oid=cloid(1))["order"]["status"] == "perpMaxPositionRejected"
    assert "resting" in desk.order(SOL, "buy", "70", "1000000")
    desk.done({"type": "updateLeverage", "asset": SOL, "isCross": True, "leverage": 10})
    assert "resting" in desk.order(SOL, "sell", "90", "1000001")


def test_scarce_liquidity_fills_in_part(desk):
    desk.venue.scarce(0.4, desk.now_ns + 5 * 10**9)
    assert desk.order(ETH, "buy", "2000.1", "1", "Ioc")["filled"]["totalSz"] == "0.4"
    desk.wait(6)
    assert desk.order(ETH, "buy", "2000.1", "1", "Ioc")["filled"]["totalSz"] == "1.0"


def test_delisting_ends_orders_and_settles_positions(desk):
    desk.listen({"type": "l2Book", "coin": "ETH"})
    desk.order(ETH, "buy", "2000.1", "1", "Ioc")
    oid = desk.order(ETH, "buy", "1990", "1")["resting"]["oid"]
    desk.heard.clear()
    desk.venue.delist("ETH", desk.now_ns)
    desk.hear()
    assert desk.ask("orderStatus", oid=oid)["order"]["status"] == "delistedCanceled"
    assert {"nonUserCancel": [{"coin": "ETH", "oid": oid}]} in desk.told("user")
    assert desk.position("ETH") is None and desk.ask("userFills")[0]["dir"] == "Settlement"
    assert desk.told("l2Book")[-1]["levels"] == [[], []] == desk.info("l2Book", coin="ETH")["levels"]
    meta = desk.info("meta")["universe"]
    assert [asset["name"] for asset in meta] == ["BTC", "ETH", "SOL", "MATIC"] and meta[1]["isDelisted"] is True
    assert desk.order(ETH, "buy", "1990", "1") == {"error": "Trading is halted. asset=1"}
    desk.wait(2)
    assert "filled" in desk.order(BTC, "buy", "66001", "0.01", "Ioc")


def test_an_account_sees_its_own_orders_only(desk):
    desk.order(ETH, "buy", "1990", "1")
    assert desk.ask("openOrders", OTHER) == [] == desk.ask("openOrders", AGENT)
    assert desk.ask("historicalOrders", OTHER) == []
    assert len(desk.ask("historicalOrders")) == 1
