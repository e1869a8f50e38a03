"""ccxt, unmodified but for its URLs, against the emulator: plain and with WebSockets."""

import asyncio
from collections.abc import Iterator

import ccxt
import ccxt.pro
import pytest

from tests.venues.emulator.running import ADDRESS, KEY, Running, running

SPEED = 4.0
"""ccxt pings each 20 s of real time, and the venue closes who is silent for 60 s of its own."""
OPTIONS = {"walletAddress": ADDRESS, "privateKey": KEY, "enableRateLimit": False}
BTC, TSLA = "BTC/USDC:USDC", "XYZ-TSLA/USDC:USDC"


@pytest.fixture(scope="module")
def venue() -> Iterator[Running]:
    with running(speed=SPEED) as server:
        yield server


def pointed_at(client, url: str):
    """The client in its own sandbox mode, which signs for testnet, with our address in it."""
    client.set_sandbox_mode(True)
    client.urls["api"] = {
        "public": url,
        "private": url,
        "ws": {"public": f"ws{url.removeprefix('http')}/ws"},
    }
    return client


@pytest.fixture(scope="module")
def client(venue: Running) -> ccxt.hyperliquid:
    made = pointed_at(ccxt.hyperliquid(OPTIONS), venue.url)
    made.load_markets()
    return made


def test_markets(client):
    assert client.markets[BTC]["active"] and client.markets[BTC]["limits"]["cost"]["min"] == 10
    assert TSLA in client.markets
    book = client.fetch_order_book(BTC)
    assert len(book["bids"]) == len(book["asks"]) == 20
    assert len(client.fetch_ohlcv(BTC, "1m", limit=60)) >= 60
    assert client.fetch_ticker(BTC)["last"] > 0
    assert client.fetch_balance()["USDC"]["total"] == pytest.approx(100_000, rel=0.01)


@pytest.mark.parametrize(("symbol", "amount"), [(BTC, 0.01), (TSLA, 1.0)])
def test_order_edit_cancel(client, symbol, amount):
    price = client.fetch_order_book(symbol)["bids"][0][0] * 0.95
    order = client.create_order(symbol, "limit", "buy", amount, price, {"postOnly": True})
    assert order["id"] in {one["id"] for one in client.fetch_open_orders(symbol)}
    edited = client.edit_order(order["id"], symbol, "limit", "buy", amount, price * 0.99)
    assert client.fetch_order(edited["id"], symbol)["status"] == "open"
    client.cancel_order(edited["id"], symbol)
    assert client.fetch_order(edited["id"], symbol)["status"] == "canceled"
    assert client.fetch_open_orders(symbol) == []
    with pytest.raises(ccxt.OrderNotFound):
        client.cancel_order(edited["id"], symbol)


def test_fills_and_positions(client):
    price = client.fetch_ticker(BTC)["last"]
    order = client.create_order(BTC, "market", "buy", 0.02, price)
    (position,) = client.fetch_positions([BTC])
    assert (position["contracts"], position["side"]) == (0.02, "long")
    trades = [trade for trade in client.fetch_my_trades(BTC) if trade["order"] == order["id"]]
    assert sum(trade["amount"] for trade in trades) == pytest.approx(0.02)
    client.create_order(BTC, "market", "sell", 0.02, price, {"reduceOnly": True})
    assert client.fetch_positions([BTC]) == []


def test_errors_have_their_classes(client):
    price = client.fetch_ticker(BTC)["last"]
    with pytest.raises(ccxt.InvalidOrder):
        client.create_order(BTC, "limit", "buy", 0.01, price * 1.02, {"postOnly": True})
    with pytest.raises(ccxt.InsufficientFunds):
        client.create_order(BTC, "limit", "buy", 1000, price * 0.98)
    assert client.set_leverage(3, BTC)["status"] == "ok"


async def test_watching(venue):
    client = pointed_at(ccxt.pro.hyperliquid(OPTIONS), venue.url)
    try:
        await client.load_markets()
        async with asyncio.timeout(20):
            book = await client.watch_order_book(BTC)
            assert len(book["bids"]) == len(book["asks"]) == 20
            assert (await client.watch_trades(BTC))[0]["symbol"] == BTC
            assert await client.watch_ohlcv(BTC, "1m")
            orders = asyncio.create_task(client.watch_orders())
            await client.watch_my_trades()  # the snapshot
            price = (await client.fetch_ticker(BTC))["last"]
            order = await client.create_order(BTC, "market", "buy", 0.01, price)
            assert order["id"] in {one["id"] for one in await orders}
            while order["id"] not in {one["order"] for one in await client.watch_my_trades()}:
                pass
            await client.create_order(BTC, "market", "sell", 0.01, price, {"reduceOnly": True})
    finally:
        await client.close()
