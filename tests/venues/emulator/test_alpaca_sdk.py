"""Alpaca's own Python SDK, unmodified, against the emulator: it can't tell."""

import asyncio
import threading
import time
from collections import Counter, defaultdict
from collections.abc import Iterator
from datetime import UTC, datetime
from decimal import Decimal

import pytest

from tests.venues.emulator.alpaca_running import KEY, SECRET, SYMBOLS, Running, running_alpaca
from tests.venues.emulator.alpaca_sdk import (
    APIError,
    ClosePositionRequest,
    CryptoBarsRequest,
    CryptoDataStream,
    CryptoHistoricalDataClient,
    CryptoLatestOrderbookRequest,
    CryptoLatestQuoteRequest,
    CryptoLatestTradeRequest,
    DataFeed,
    GetAssetsRequest,
    GetCalendarRequest,
    GetOrdersRequest,
    LimitOrderRequest,
    MarketOrderRequest,
    OrderSide,
    OrderStatus,
    QueryOrderStatus,
    ReplaceOrderRequest,
    StockBarsRequest,
    StockDataStream,
    StockHistoricalDataClient,
    StockLatestBarRequest,
    StockLatestQuoteRequest,
    TimeFrame,
    TimeFrameUnit,
    TimeInForce,
    TradingClient,
    TradingStream,
)

SPEED = 20.0
WAIT_S = 20.0
BUY, SELL, GTC, DAY, IOC = OrderSide.BUY, OrderSide.SELL, TimeInForce.GTC, TimeInForce.DAY, TimeInForce.IOC
START = datetime(2026, 1, 5, 15, tzinfo=UTC)


@pytest.fixture(scope="module")
def venue() -> Iterator[Running]:
    with running_alpaca(speed=SPEED) as server:
        yield server


@pytest.fixture(scope="module")
def client(venue: Running) -> TradingClient:
    return TradingClient(KEY, SECRET, url_override=venue.url)


@pytest.fixture(scope="module")
def coins(venue: Running) -> CryptoHistoricalDataClient:
    return CryptoHistoricalDataClient(url_override=venue.url)


@pytest.fixture(scope="module")
def shares(venue: Running) -> StockHistoricalDataClient:
    return StockHistoricalDataClient(KEY, SECRET, url_override=venue.url)


def settled(client, order, *wanted):
    """The order once it is one of these."""
    until = time.monotonic() + WAIT_S
    while (found := client.get_order_by_id(order.id)).status not in wanted:
        assert time.monotonic() < until, found.status
        threading.Event().wait(0.02)
    return found


def away(coins, share, symbol="BTC/USD"):
    """A price that far from the best bid."""
    quote = coins.get_crypto_latest_quote(CryptoLatestQuoteRequest(symbol_or_symbols=symbol))[symbol]
    return round(quote.bid_price * (1 + share))


def test_account_and_clock(client):
    account = client.get_account()
    assert account.status.value == "ACTIVE" and float(account.buying_power) <= 200_000
    clock = client.get_clock()
    assert clock.is_open and clock.next_close.hour == 16
    days = client.get_calendar(GetCalendarRequest(start="2026-11-26", end="2026-11-27"))
    assert [(str(day.date), day.close.hour) for day in days] == [("2026-11-27", 13)]
    assert client.get_account_configurations().suspend_trade is False


def test_assets(client):
    assert {asset.symbol for asset in client.get_all_assets()} == {*SYMBOLS}
    (btc,) = [one for one in client.get_all_assets(GetAssetsRequest(asset_class="crypto")) if one.symbol == "BTC/USD"]
    assert btc.fractionable and not btc.shortable and btc.min_trade_increment == 1e-9
    assert client.get_asset("CRM").marginable


@pytest.mark.parametrize(("symbol", "qty", "tif"), [("BTC/USD", 0.01, GTC), ("CRM", 10, DAY)])
def test_order_replace_cancel(client, symbol, qty, tif):
    price = 60_000 if "/" in symbol else 150
    asked = LimitOrderRequest(
        symbol=symbol, qty=qty, side=BUY, time_in_force=tif, limit_price=price, client_order_id=f"mine-{symbol}"
    )
    order = client.submit_order(asked)
    assert order.status is OrderStatus.PENDING_NEW and order.client_order_id == f"mine-{symbol}"
    settled(client, order, OrderStatus.NEW)
    new = client.replace_order_by_id(order.id, ReplaceOrderRequest(limit_price=price + 1))
    assert new.replaces == order.id
    assert settled(client, order, OrderStatus.REPLACED).replaced_by == new.id
    settled(client, new, OrderStatus.NEW)
    assert [one.id for one in client.get_orders(GetOrdersRequest(symbols=[symbol]))] == [new.id]
    assert client.get_order_by_client_id(f"mine-{symbol}").id == order.id
    client.cancel_order_by_id(new.id)
    settled(client, new, OrderStatus.CANCELED)
    with pytest.raises(APIError) as caught:
        client.cancel_order_by_id(new.id)
    assert (caught.value.status_code, caught.value.code) == (422, 42210000)
    with pytest.raises(APIError) as caught:
        client.submit_order(asked)
    assert caught.value.code == 40010001 and "unique" in caught.value.message


def test_fills_and_positions(client):
    order = client.submit_order(MarketOrderRequest(symbol="ETH/USD", qty=0.5, side=BUY, time_in_force=GTC))
    filled = settled(client, order, OrderStatus.FILLED)
    assert float(filled.filled_qty) == 0.5
    position = client.get_open_position("ETHUSD")
    assert float(position.qty) == pytest.approx(0.5 * 0.9975)
    order = client.submit_order(MarketOrderRequest(symbol="CRM", notional=500, side=BUY, time_in_force=DAY))
    assert 2 < float(settled(client, order, OrderStatus.FILLED).filled_qty) < 3
    order = client.submit_order(MarketOrderRequest(symbol="COST", qty=2, side=SELL, time_in_force=DAY))
    settled(client, order, OrderStatus.FILLED)
    assert {one.symbol for one in client.get_all_positions()} == {"ETHUSD", "CRM", "COST"}
    assert client.get_open_position("COST").side.value == "short"
    order = client.close_position("COST", ClosePositionRequest(qty="1"))
    settled(client, order, OrderStatus.FILLED)
    assert client.get_open_position("COST").qty == "-1"
    answers = client.close_all_positions(cancel_orders=True)
    assert [answer.status for answer in answers] == [200, 200, 200]
    for answer in answers:
        settled(client, answer.body, OrderStatus.FILLED)
    assert client.get_all_positions() == []
    closed = client.get_orders(GetOrdersRequest(status=QueryOrderStatus.CLOSED, limit=500))
    assert {one.status for one in closed} >= {OrderStatus.FILLED}


def test_refusals_are_the_sdks_own_errors(client, venue):
    for asked, status, code in (
        (MarketOrderRequest(symbol="BTC/USD", qty=0.0001, side=BUY, time_in_force=GTC), 403, 40310000),
        (MarketOrderRequest(symbol="BTC/USD", qty=1, side=SELL, time_in_force=GTC), 403, 40310000),
        (MarketOrderRequest(symbol="CRM", qty=1.5, side=BUY, time_in_force=GTC), 422, 42210000),
    ):
        with pytest.raises(APIError) as caught:
            client.submit_order(asked)
        assert (caught.value.status_code, caught.value.code) == (status, code)
    with pytest.raises(APIError) as caught:
        TradingClient(KEY, "wrong", url_override=venue.url).get_account()
    assert caught.value.status_code == 403
    with pytest.raises(APIError):
        client.get_open_position("SOLUSD")


def test_bars_come_in_pages(coins, shares):
    minutes = CryptoBarsRequest(
        symbol_or_symbols=["BTC/USD", "ETH/USD", "SOL/USD"],
        timeframe=TimeFrame.Minute,
        start=datetime(2026, 1, 3, tzinfo=UTC),
        end=START,
    )
    bars = coins.get_crypto_bars(minutes).data  # 3,781 minutes each: more than a page holds
    assert {symbol: len(rows) for symbol, rows in bars.items()} == dict.fromkeys(bars, 63 * 60 + 1)
    assert len({bar.timestamp for bar in bars["SOL/USD"]}) == len(bars["SOL/USD"])
    five = CryptoBarsRequest(
        symbol_or_symbols="BTC/USD", timeframe=TimeFrame(5, TimeFrameUnit.Minute), start=minutes.start, end=START
    )
    rows = coins.get_crypto_bars(five).data["BTC/USD"]
    assert rows[0].high == max(bar.high for bar in bars["BTC/USD"][:5])
    days = StockBarsRequest(
        symbol_or_symbols=["CRM", "PLTR"], timeframe=TimeFrame.Day, start=datetime(2025, 10, 1, tzinfo=UTC), limit=20
    )
    assert [len(rows) for rows in shares.get_stock_bars(days).data.values()] == [20]
    days.limit = None
    rows = shares.get_stock_bars(days).data["CRM"]
    assert len(rows) == 66 and {bar.timestamp.hour for bar in rows} == {4, 5}
    assert str(rows[-1].timestamp.date()) == "2026-01-05" and "2025-12-25" not in {
        str(b.timestamp.date()) for b in rows
    }


def test_the_latest_of_everything(coins, shares):
    book = coins.get_crypto_latest_orderbook(CryptoLatestOrderbookRequest(symbol_or_symbols="BTC/USD"))["BTC/USD"]
    assert book.bids[0].price < book.asks[0].price and len(book.bids) > 5
    assert coins.get_crypto_latest_trade(CryptoLatestTradeRequest(symbol_or_symbols="BTC/USD"))["BTC/USD"].price > 0
    quote = shares.get_stock_latest_quote(StockLatestQuoteRequest(symbol_or_symbols=["CRM", "COST"]))["CRM"]
    assert quote.bid_price < quote.ask_price
    assert shares.get_stock_latest_bar(StockLatestBarRequest(symbol_or_symbols=["CRM"]))["CRM"].trade_count > 0
    with pytest.raises(APIError) as caught:
        shares.get_stock_latest_quote(StockLatestQuoteRequest(symbol_or_symbols="CRM", feed=DataFeed.SIP))
    assert caught.value.status_code == 403


def listen(streams, during):
    """Run streams, do something meanwhile in a thread, and stop them."""

    async def run() -> None:
        tasks = [asyncio.create_task(stream._run_forever()) for stream in streams]
        try:
            await asyncio.to_thread(during)
        finally:
            for stream in streams:
                await stream.stop_ws()
            for task in tasks:
                task.cancel()
            await asyncio.gather(*tasks, return_exceptions=True)
            for stream in streams:
                await stream.close()

    asyncio.run(run())


def test_streams(venue, client):
    ws = f"ws{venue.url.removeprefix('http')}"
    coins = CryptoDataStream(KEY, SECRET, url_override=f"{ws}/v1beta3/crypto/us")
    shares = StockDataStream(KEY, SECRET, url_override=f"{ws}/v2/iex")
    trading = TradingStream(KEY, SECRET, url_override=f"{ws}/stream")
    heard, updates = defaultdict(list), []

    def ear(name):
        async def hear(message):
            heard[name].append(message)

        return hear

    async def hear_update(update):
        updates.append(update)

    coins.subscribe_orderbooks(ear("orderbooks"), "BTC/USD")
    coins.subscribe_trades(ear("trades"), "BTC/USD")
    coins.subscribe_quotes(ear("quotes"), "*")
    coins.subscribe_bars(ear("bars"), "BTC/USD", "ETH/USD")
    coins.subscribe_daily_bars(ear("days"), "BTC/USD")
    shares.subscribe_quotes(ear("share quotes"), "CRM")
    shares.subscribe_trades(ear("share trades"), "CRM", "PLTR", "COST")
    shares.subscribe_bars(ear("share bars"), "CRM", "PLTR", "COST")
    trading.subscribe_trade_updates(hear_update)
    orders = []

    def during():
        until = time.monotonic() + WAIT_S
        while time.monotonic() < until and not (venue.statistics()["open_sockets"] == 3 and heard["orderbooks"]):
            threading.Event().wait(0.05)
        threading.Event().wait(0.5)  # the trading stream tells nobody whether it is listening yet
        orders.append(client.submit_order(MarketOrderRequest(symbol="BTC/USD", qty=0.01, side=BUY, time_in_force=GTC)))
        settled(client, orders[0], OrderStatus.FILLED)
        asked = LimitOrderRequest(symbol="CRM", qty=10, side=BUY, time_in_force=DAY, limit_price=150)
        orders.append(client.submit_order(asked))
        settled(client, orders[1], OrderStatus.NEW)
        orders.append(client.replace_order_by_id(orders[1].id, ReplaceOrderRequest(limit_price=151)))
        settled(client, orders[2], OrderStatus.NEW)
        client.cancel_order_by_id(orders[2].id)
        settled(client, orders[2], OrderStatus.CANCELED)
        wanted = ("trades", "quotes", "bars", "days", "share quotes", "share trades", "share bars")
        while time.monotonic() < until and not (all(heard[name] for name in wanted) and len(updates) >= 11):
            threading.Event().wait(0.05)

    listen((coins, shares, trading), during)
    assert [name for name, messages in heard.items() if not messages] == []
    told = defaultdict(list)
    for update in updates:
        event = str(getattr(update.event, "value", update.event))
        if event != "partial_fill":  # how many levels a market order takes is the book's
            told[update.order.id].append(event)
    assert [told[order.id] for order in orders] == [
        ["pending_new", "new", "fill"],
        ["pending_new", "new", "pending_replace", "replaced"],
        ["pending_new", "new", "pending_cancel", "canceled"],
    ]
    fills = [update for update in updates if update.execution_id]
    assert {update.order.id for update in fills} == {orders[0].id}
    assert sum(Decimal(str(update.qty)) for update in fills) == Decimal("0.01")
    assert fills[-1].position_qty == 0.009975  # less the fee of 25 bps, taken in the coin
    assert len({message.symbol for message in heard["quotes"]}) == 3
    assert Counter(venue.statistics()["venue"]["stream_errors"]) == Counter()


def test_a_second_connection_is_one_too_many(venue):
    ws = f"ws{venue.url.removeprefix('http')}/v2/iex"
    first, second = (StockDataStream(KEY, SECRET, url_override=ws) for _ in range(2))

    async def hear(quote):
        pass

    for stream in (first, second):
        stream.subscribe_quotes(hear, "CRM")

    def during():
        until = time.monotonic() + WAIT_S
        while time.monotonic() < until and not venue.statistics()["venue"]["stream_errors"].get("406"):
            threading.Event().wait(0.05)

    before = venue.statistics()["venue"]["stream_errors"].get("406", 0)
    listen((first, second), during)
    assert venue.statistics()["venue"]["stream_errors"]["406"] > before
    assert venue.statistics()["venue"]["connections_highest"]["/v2/iex"] == 1
