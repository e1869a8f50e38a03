"""The venue's own SDK, its `post` led straight into the core: the first judge, before any socket."""

import json
from decimal import Decimal

import eth_account
import pytest
from hyperliquid.exchange import Exchange
from hyperliquid.info import Info
from hyperliquid.utils.error import ClientError
from hyperliquid.utils.types import Cloid

from tests.venues.emulator.desk import START_NS, STRANGER, Desk
from venues.emulator.hyperliquid.config import AccountConfig
from venues.emulator.hyperliquid.errors import Refused

URL = "http://127.0.0.1:9"  # nothing is there, and nothing is asked
KEYS = {name: eth_account.Account.from_key("0x" + digit * 64) for name, digit in (("master", "1"), ("agent", "2"))}
ADDRESS = KEYS["master"].address
GTC, IOC, ALO = ({"limit": {"tif": tif}} for tif in ("Gtc", "Ioc", "Alo"))
ACCOUNT = AccountConfig(
    address=ADDRESS,
    usd={"": Decimal(10_000), "xyz": Decimal(5_000)},
    spot_usd=Decimal(100),
    agents={"sdk": KEYS["agent"].address},
)


@pytest.fixture
def desk(monkeypatch):
    desk = Desk(accounts=(ACCOUNT,))
    clock = [START_NS // 1_000_000]

    def post(_, url_path, payload=None):
        """What the SDK would do with requests."""
        door = desk.venue.info if url_path == "/info" else desk.venue.exchange
        try:
            return json.loads(door(json.loads(json.dumps(payload)), desk.now_ns))
        except Refused as refused:
            raise ClientError(refused.status, None, refused.body, None, {}) from refused

    def now_ms():
        clock[0] += 1
        return clock[0]

    monkeypatch.setattr("hyperliquid.api.API.post", post)
    monkeypatch.setattr("hyperliquid.exchange.get_timestamp_ms", now_ms)
    return desk


@pytest.fixture
def info(desk):
    return Info(URL, skip_ws=True, perp_dexs=["", "xyz"])


@pytest.fixture(params=["master", "agent"])
def exchange(desk, request):
    return Exchange(KEYS[request.param], URL, account_address=ADDRESS, perp_dexs=["", "xyz"])


def only(answer):
    assert answer["status"] == "ok", answer
    (status,) = answer["response"]["data"]["statuses"]
    return status


@pytest.mark.parametrize(("coin", "far", "size"), [("ETH", 1_990.0, 0.5), ("xyz:TSLA", 399.0, 1.5)])
def test_order_modify_cancel(exchange, info, coin, far, size):
    dex = coin.partition(":")[0] if ":" in coin else ""
    oid = only(exchange.order(coin, True, size, far, ALO))["resting"]["oid"]
    (row,) = info.open_orders(ADDRESS, dex)
    assert (row["coin"], row["oid"], float(row["limitPx"]), float(row["sz"])) == (coin, oid, far, size)
    moved = only(exchange.modify_order(oid, coin, True, 2 * size, far - 1, GTC))["resting"]["oid"]
    (row,) = info.frontend_open_orders(ADDRESS, dex)
    assert (row["oid"], row["tif"], float(row["sz"])) == (moved, "Gtc", 2 * size) and moved != oid
    assert only(exchange.cancel(coin, moved)) == "success"
    assert info.open_orders(ADDRESS, dex) == []
    statuses = [info.query_order_by_oid(ADDRESS, one)["order"]["status"] for one in (oid, moved)]
    assert statuses == ["canceled", "canceled"]
    assert [row["status"] for row in info.historical_orders(ADDRESS)] == ["canceled", "canceled"]


def test_by_client_order_id(exchange, info):
    cloid = Cloid.from_int(77)
    resting = only(exchange.order("BTC", True, 0.01, 65_000, ALO, cloid=cloid))["resting"]
    assert resting["cloid"] == cloid.to_raw()
    assert info.query_order_by_cloid(ADDRESS, cloid)["order"]["order"]["oid"] == resting["oid"]
    other = Cloid.from_int(78)
    only(exchange.modify_order(cloid, "BTC", True, 0.01, 65_001, ALO, cloid=other))
    assert "never placed" in only(exchange.cancel_by_cloid("BTC", cloid))["error"]
    assert only(exchange.cancel_by_cloid("BTC", other)) == "success"


def test_positions_and_fills(desk, exchange, info):
    assert exchange.update_leverage(5, "ETH")["status"] == "ok"
    assert exchange.update_leverage(3, "xyz:TSLA", is_cross=False)["status"] == "ok"
    filled = only(exchange.market_open("ETH", True, 0.8))["filled"]
    only(exchange.order("xyz:TSLA", False, 1.0, 399.0, IOC))
    (ether,), (tesla,) = (info.user_state(ADDRESS, dex)["assetPositions"] for dex in ("", "xyz"))
    assert (ether["position"]["szi"], ether["position"]["leverage"]) == ("0.8", {"type": "cross", "value": 5})
    assert tesla["position"]["szi"] == "-1.0" and tesla["position"]["leverage"]["value"] == 3
    fills = info.user_fills(ADDRESS)
    assert [fill["coin"] for fill in fills] == ["xyz:TSLA", "ETH"] and fills[1]["oid"] == filled["oid"]
    assert info.user_fills_by_time(ADDRESS, fills[1]["time"]) == fills[::-1]
    assert only(exchange.market_close("ETH"))["filled"]["totalSz"] == "0.8"
    assert info.user_state(ADDRESS)["assetPositions"] == []


def test_batches_and_errors(exchange, info):
    orders = [
        {"coin": "ETH", "is_buy": True, "sz": size, "limit_px": 1_990.0, "order_type": GTC, "reduce_only": reduce}
        for size, reduce in ((1.0, False), (0.001, False), (1.0, True))
    ]
    resting, small, reducing = exchange.bulk_orders(orders)["response"]["data"]["statuses"]
    assert small["error"] == "Order must have minimum value of $10. asset=1"
    assert reducing["error"] == "Reduce only order would increase position. asset=1"
    cancels = [{"coin": "ETH", "oid": resting["resting"]["oid"]}, {"coin": "ETH", "oid": 1}]
    statuses = exchange.bulk_cancel(cancels)["response"]["data"]["statuses"]
    assert statuses[0] == "success" and "never placed" in statuses[1]["error"]
    assert "$1000000" in exchange.schedule_cancel(START_NS // 1_000_000 + 60_000)["response"]
    assert exchange.update_leverage(99, "ETH") == {"status": "err", "response": "Invalid leverage value"}
    assert exchange.noop(START_NS // 1_000_000 + 5_000)["status"] == "ok"
    exchange.set_expires_after(START_NS // 1_000_000 - 1)
    assert exchange.cancel("ETH", 1) == {"status": "err", "response": "Action already expired"}


def test_transfers(desk, info):
    master = Exchange(KEYS["master"], URL, perp_dexs=["", "xyz"])
    assert master.usd_class_transfer(60.0, True)["status"] == "ok"
    assert info.spot_user_state(ADDRESS)["balances"][0]["total"] == "40.0"
    assert info.user_state(ADDRESS)["withdrawable"] == "10060.0"
    assert master.send_asset(ADDRESS.lower(), "", "xyz", "USDC", 100.0)["status"] == "ok"
    assert info.user_state(ADDRESS, "xyz")["withdrawable"] == "5100.0"
    agent = Exchange(KEYS["agent"], URL, account_address=ADDRESS, perp_dexs=["", "xyz"])
    assert agent.usd_class_transfer(1.0, True)["response"].startswith(
        "Must deposit before performing actions. User: 0x"
    )


def test_a_wallet_that_nobody_approved(desk):
    stranger = Exchange(eth_account.Account.from_key("0x" + "3" * 64), URL, perp_dexs=["", "xyz"])
    answer = stranger.order("ETH", True, 1.0, 1_990.0, GTC)
    assert answer["status"] == "err" and answer["response"].endswith(" does not exist.")


def test_questions(desk, info):
    assert [asset["name"] for asset in info.meta()["universe"]] == ["BTC", "ETH", "SOL", "MATIC"]
    assert info.name_to_asset("xyz:TSLA") == 110_000
    assert info.all_mids()["BTC"] == "66000.0" and info.all_mids("xyz") == {"xyz:TSLA": "400.0"}
    assert len(info.l2_snapshot("xyz:TSLA")["levels"][0]) == 20
    start = START_NS // 1_000_000
    assert len(info.candles_snapshot("BTC", "1m", start - 240 * 60_000, start)) == 241
    history = info.funding_history("BTC", start - 86_400_000)
    assert 23 <= len(history) <= 24 and set(history[0]) == {"coin", "fundingRate", "premium", "time"}
    assert info.user_rate_limit(ADDRESS)["nRequestsCap"] == 10_000
    assert info.user_fees(ADDRESS)["userCrossRate"] == "0.00045"
    assert info.user_role(STRANGER.address) == {"role": "missing"}
    assert [agent["address"] for agent in info.extra_agents(ADDRESS)] == [KEYS["agent"].address.lower()]
    assert info.user_funding_history(ADDRESS, 0) == [] == info.user_non_funding_ledger_updates(ADDRESS, 0)
    with pytest.raises(ClientError) as error:
        info.portfolio(ADDRESS)
    assert error.value.status_code == 422
