"""ccxt, unmodified but for its URLs, against the emulated Alpaca: plain and with WebSockets."""

import asyncio
from collections.abc import Iterator

import ccxt
import ccxt.pro
import pytest

from tests.patience import PATIENCE_S
from tests.venues.emulator.alpaca_running import KEY, SECRET, Running, running_alpaca

OPTIONS = {"apiKey": KEY, "secret": SECRET, "enableRateLimit": False}
BTC = "BTC/USD"
MIDNIGHT_MS = 1_767_571_200_000  # ccxt asks from the date on and takes the rest out itself


@pytest.fixture(scope="module")
def venue() -> Iterator[Running]:
    with running_alpaca(speed=20.0) as server:
        yield server


def pointed_at(client, url: str):
    """The client with our address in it."""
    ws = f"ws{url.removeprefix('http')}"
    client.urls["api"] = {
        **dict.fromkeys(("broker", "trader", "market"), url),
        "ws": {"crypto": f"{ws}/v1beta3/crypto/us", "trading": f"{ws}/stream"},
    }
    return client


@pytest.fixture(scope="module")
def client(venue: Running) -> ccxt.alpaca:
    made = pointed_at(ccxt.alpaca(OPTIONS), venue.url)
    made.load_markets()
    return made


def test_markets(client):
    assert client.markets[BTC]["active"] and client.markets[BTC]["precision"]["amount"] == 1e-9
    book = client.fetch_order_book(BTC)
    assert book["bids"][0][0] < book["asks"][0][0]
    assert len(client.fetch_ohlcv(BTC, "1m", since=MIDNIGHT_MS, limit=60)) == 60
    assert client.fetch_trades(BTC, params={"method": "marketPublicGetV1beta3CryptoLocLatestTrades"})
    assert client.fetch_balance()["USD"]["total"] == pytest.approx(100_000, rel=0.01)
    assert client.fetch_time() > MIDNIGHT_MS


def test_order_edit_cancel(client):
    price = client.fetch_order_book(BTC)["bids"][0][0] * 0.95
    order = client.create_order(BTC, "limit", "buy", 0.01, price)
    assert order["id"] in {one["id"] for one in client.fetch_open_orders(BTC)}
    for _ in range(200):
        if client.fetch_order(order["id"])["info"]["status"] == "new":
            break
    edited = client.edit_order(order["id"], BTC, "limit", "buy", None, price * 0.99)
    for _ in range(200):
        if client.fetch_order(edited["id"])["info"]["status"] == "new":
            break
    client.cancel_order(edited["id"], BTC)
    for _ in range(200):
        if client.fetch_order(edited["id"])["status"] == "canceled":
            break
    assert client.fetch_open_orders(BTC) == []
    with pytest.raises(ccxt.InsufficientFunds):
        client.create_order(BTC, "limit", "buy", 10, price)


def test_streams(venue):
    async def listen():
        pro = pointed_at(ccxt.pro.alpaca(OPTIONS), venue.url)
        try:
            await pro.load_markets()
            book = await asyncio.wait_for(pro.watch_order_book(BTC), PATIENCE_S)
            assert book["bids"][0][0] < book["asks"][0][0]
            assert await asyncio.wait_for(pro.watch_trades(BTC), PATIENCE_S)
            waiting = asyncio.ensure_future(pro.watch_my_trades(BTC))
            await asyncio.sleep(0.5)
            order = await pro.create_order(BTC, "market", "buy", 0.01)
            trades = [*await asyncio.wait_for(waiting, PATIENCE_S)]
            while (amount := round(sum(trade["amount"] for trade in trades), 9)) < 0.01:  # it may be filled in parts
                trades += await asyncio.wait_for(pro.watch_my_trades(BTC), PATIENCE_S)
            assert amount == 0.01
            assert {trade["order"] for trade in trades} == {order["id"]}
        finally:
            await pro.close()

    asyncio.run(listen())
