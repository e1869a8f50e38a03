"""The venue's own Python SDK, unmodified, against the emulator: it can't tell."""

import threading
import time
from collections.abc import Iterator

import eth_account
import pytest
from hyperliquid.exchange import Exchange
from hyperliquid.info import Info
from hyperliquid.utils.error import ClientError
from hyperliquid.utils.types import Cloid

from tests.venues.emulator.running import ADDRESS, KEY, Running, running

SPEED = 20.0
GTC, IOC, ALO = ({"limit": {"tif": tif}} for tif in ("Gtc", "Ioc", "Alo"))


@pytest.fixture(scope="module")
def venue() -> Iterator[Running]:
    with running(speed=SPEED) as server:
        yield server


@pytest.fixture(scope="module")
def exchange(venue: Running) -> Exchange:
    wallet = eth_account.Account.from_key(KEY)
    return Exchange(wallet, venue.url, perp_dexs=["", "xyz"], timeout=10)


@pytest.fixture(scope="module")
def info(venue: Running, exchange: Exchange) -> Iterator[Info]:
    made = Info(venue.url, perp_dexs=["", "xyz"], timeout=10)
    yield made
    made.disconnect_websocket()
    made.ws_manager.join(10)


def away(info: Info, coin: str, share: float) -> float:
    """A price that far from the middle, on the venue's grid."""
    mid = float(info.all_mids(coin.partition(":")[0] if ":" in coin else "")[coin])
    return float(f"{mid * (1 + share):.4g}")


def only(answer):
    """The one status of an answer."""
    assert answer["status"] == "ok", answer
    (status,) = answer["response"]["data"]["statuses"]
    return status


@pytest.mark.parametrize("coin", ["BTC", "xyz:TSLA"])
def test_order_modify_cancel(exchange, info, coin):
    dex = coin.partition(":")[0] if ":" in coin else ""
    size = 0.01 if coin == "BTC" else 2.0
    oid = only(exchange.order(coin, True, size, away(info, coin, -0.05), ALO))["resting"]["oid"]
    (order,) = info.open_orders(ADDRESS, dex)
    assert (order["coin"], order["oid"], order["side"]) == (coin, oid, "B")
    assert info.query_order_by_oid(ADDRESS, oid)["order"]["status"] == "open"
    moved = only(exchange.modify_order(oid, coin, True, size, away(info, coin, -0.06), ALO))["resting"]["oid"]
    (order,) = info.frontend_open_orders(ADDRESS, dex)
    assert order["oid"] == moved and order["tif"] == "Alo"
    assert only(exchange.cancel(coin, moved)) == "success"
    assert info.open_orders(ADDRESS, dex) == []
    assert "never placed" in only(exchange.cancel(coin, moved))["error"]
    assert info.query_order_by_oid(ADDRESS, moved)["order"]["status"] == "canceled"


def test_fills_and_positions(exchange, info):
    filled = only(exchange.market_open("ETH", True, 1.5, slippage=0.02))["filled"]
    assert float(filled["totalSz"]) == 1.5
    (position,) = info.user_state(ADDRESS)["assetPositions"]
    assert (position["position"]["coin"], float(position["position"]["szi"])) == ("ETH", 1.5)
    fills = [fill for fill in info.user_fills(ADDRESS) if fill["oid"] == filled["oid"]]
    assert sum(float(fill["sz"]) for fill in fills) == 1.5 and all(fill["crossed"] for fill in fills)
    assert info.user_fills_by_time(ADDRESS, min(fill["time"] for fill in fills))
    assert float(only(exchange.market_close("ETH", slippage=0.02))["filled"]["totalSz"]) == 1.5
    assert info.user_state(ADDRESS)["assetPositions"] == []
    assert info.query_order_by_oid(ADDRESS, filled["oid"])["order"]["status"] == "filled"


def test_client_order_ids(exchange, info):
    cloid = Cloid.from_int(7)
    resting = only(exchange.order("BTC", False, 0.01, away(info, "BTC", 0.05), GTC, cloid=cloid))["resting"]
    assert resting["cloid"] == cloid.to_raw()
    assert info.query_order_by_cloid(ADDRESS, cloid)["order"]["order"]["oid"] == resting["oid"]
    assert only(exchange.cancel_by_cloid("BTC", cloid)) == "success"
    assert info.query_order_by_oid(ADDRESS, 10**15) == {"status": "unknownOid"}


def test_errors_are_inside(exchange, info):
    far, near = away(info, "BTC", -0.05), away(info, "BTC", 0.02)
    assert "minimum value" in only(exchange.order("BTC", True, 0.00001, far, GTC))["error"]
    assert "immediately matched" in only(exchange.order("BTC", True, 0.01, near, ALO))["error"]
    assert "could not immediately match" in only(exchange.order("BTC", True, 0.01, far, IOC))["error"]
    assert "educe only" in only(exchange.order("BTC", True, 0.01, far, GTC, reduce_only=True))["error"]
    answer = exchange.schedule_cancel(int(time.time() * 1000) + 600_000)
    assert answer["status"] == "err" and "$1000000" in answer["response"]
    assert exchange.update_leverage(5, "BTC")["status"] == "ok"
    assert exchange.update_leverage(5, "xyz:TSLA", is_cross=False)["status"] == "ok"


def test_a_stranger_is_told_who_it_is(venue):
    stranger = Exchange(eth_account.Account.from_key("0x" + "17" * 32), venue.url, timeout=10)
    answer = stranger.order("BTC", True, 0.01, 10_000.0, GTC)
    assert (answer["status"] == "err" and "does not exist" in answer["response"]) or "deposit" in answer["response"]


def test_questions(info):
    universe = {asset["name"]: asset for asset in info.meta()["universe"]}
    assert {"BTC", "ETH"} <= universe.keys()
    assert {asset["name"] for asset in info.meta("xyz")["universe"]} >= {"xyz:TSLA"}
    meta, contexts = info.meta_and_asset_ctxs()
    assert len(meta["universe"]) == len(contexts)
    book = info.l2_snapshot("BTC")
    assert [len(side) for side in book["levels"]] == [20, 20]
    now_ms = book["time"]
    candles = info.candles_snapshot("BTC", "1m", now_ms - 240 * 60_000, now_ms)
    assert len(candles) >= 240 and {"t", "T", "o", "h", "l", "c", "v", "n"} <= candles[0].keys()
    assert info.funding_history("BTC", now_ms - 3 * 3_600_000, now_ms)
    assert info.perp_dexs()[0] is None
    assert {"userCrossRate", "userAddRate"} <= info.user_fees(ADDRESS).keys()
    assert {"nRequestsUsed", "nRequestsCap"} <= info.user_rate_limit(ADDRESS).keys()
    assert info.historical_orders(ADDRESS)


def test_a_429_is_the_sdks_own_error(venue, info):
    venue.fault(kind="http_429", requests=["allMids"])
    with pytest.raises(ClientError) as caught:
        info.all_mids()
    assert caught.value.status_code == 429


def test_subscriptions(exchange, info):
    heard: dict[str, list] = {}
    wanted = [
        *({"type": kind, "coin": coin} for kind in ("l2Book", "trades", "bbo") for coin in ("BTC", "xyz:TSLA")),
        {"type": "candle", "coin": "BTC", "interval": "1m"},
        {"type": "activeAssetCtx", "coin": "BTC"},
        {"type": "allMids"},
        *({"type": kind, "user": ADDRESS} for kind in ("userFills", "orderUpdates", "userEvents")),
    ]
    subscribed = [
        (one, info.subscribe(one, heard.setdefault(f"{one['type']}:{one.get('coin')}", []).append)) for one in wanted
    ]
    resting = only(exchange.order("BTC", True, 0.01, away(info, "BTC", -0.05), GTC))["resting"]["oid"]
    exchange.cancel("BTC", resting)
    oid = only(exchange.market_open("ETH", True, 0.5, slippage=0.02))["filled"]["oid"]
    exchange.market_close("ETH", slippage=0.02)
    until = time.monotonic() + 20
    while time.monotonic() < until and not all(heard.values()):
        threading.Event().wait(0.02)
    assert [name for name, frames in heard.items() if not frames] == []
    fills = heard["userFills:None"]
    assert fills[0]["data"]["isSnapshot"] and not fills[1]["data"].get("isSnapshot")
    assert oid in {fill["oid"] for frame in fills[1:] for fill in frame["data"]["fills"]}
    statuses = [(one["order"]["oid"], one["status"]) for frame in heard["orderUpdates:None"] for one in frame["data"]]
    assert [status for about, status in statuses if about == resting] == ["open", "canceled"]
    assert [status for about, status in statuses if about == oid][-1] == "filled"
    assert [len(side) for side in heard["l2Book:BTC"][0]["data"]["levels"]] == [20, 20]
    for subscription, number in subscribed:
        assert info.unsubscribe(subscription, number)


def test_truth_is_what_the_sdk_sees(venue, exchange, info):
    oid = only(exchange.order("BTC", True, 0.01, away(info, "BTC", -0.05), GTC))["resting"]["oid"]
    truth = venue.truth()
    assert [order["oid"] for order in truth["open_orders"]] == [oid]
    assert truth["positions"] == {}
    assert {fill["tid"] for fill in truth["fills"]} == {fill["tid"] for fill in info.user_fills(ADDRESS)}
    exchange.cancel("BTC", oid)
    limits = venue.statistics()["venue"]["by_ip"]["127.0.0.1"]
    assert limits["weight_per_minute_highest"] > 0 and limits["messages"] > 0
