"""Alpaca's trading frames and answers: shared samples, the SDK as judge of what is sent, and damage."""

import json
import random
from decimal import Decimal
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from msgspec.structs import replace

from config.universe import load_universe
from tests.venues.alpaca.fake_alpaca import asset
from tests.venues.alpaca.sdk import LimitOrderRequest, ReplaceOrderRequest, TradeAccount, TradeUpdate
from tests.venues.alpaca.sdk import Order as SdkOrder
from venues.alpaca import rules
from venues.alpaca import trading_wire as wire
from venues.alpaca.market_wire import nanoseconds
from venues.alpaca.orders import lots_of
from venues.alpaca.rules import NotSendable
from venues.alpaca.trading_wire import Account, Activity, Asset, Fate, Order, Position, Said, Update
from venues.market import OrderRequest, Side, TimeInForce
from venues.venue import VenueMisspoke

WIRE = Path(__file__).resolve().parents[4] / "shared" / "data" / "wire"
needs_shared = pytest.mark.skipif(not WIRE.is_dir(), reason="recorded frames are not beside the repository")
FILL = {
    "event": "partial_fill",
    "execution_id": "e1",
    "timestamp": "2026-03-02T15:00:00Z",
    "price": "10.25",
    "qty": "3",
    "position_qty": 3,
    "order": {
        "id": "r1",
        "client_order_id": "ours",
        "symbol": "COST",
        "side": "sell",
        "qty": "5",
        "filled_qty": 3,
        "status": "partially_filled",
        "created_at": "2026-03-02T10:00:00.123-05:00",
        "filled_at": "2026-03-02T15:00:00.123456789Z",
    },
}


def samples(name: str) -> list[bytes]:
    return [json.loads(line)["raw"].encode() for line in (WIRE / name).read_text().splitlines()]


def routes(name: str) -> list[bytes]:
    return samples(f"alpaca_py/alpaca/trading_trading_client_test_{name}_routes.jsonl")


def order_of(symbol: str, side: Side, lots: int, ticks: int, how: TimeInForce, **more: bool) -> OrderRequest:
    return OrderRequest(
        id="ours",
        intent_id="i",
        engine="e",
        symbol=symbol,
        side=side,
        lots=lots,
        ticks=ticks,
        time_in_force=how,
        **more,
    )


def instrument(symbol: str, **more: bool):
    facts = (load_universe("crypto") | load_universe("equities"))[symbol]
    row = asset(symbol, "crypto" if "/" in symbol else "us_equity", **more)
    return rules.instrument_of(wire.read(Asset, json.dumps(row).encode()), facts, may_short=True)


# --- what is read


@needs_shared
def test_the_documented_stream_is_read():
    frames = samples("alpaca_docs/alpaca/api-references_trading-api_streaming.jsonl")
    said = [wire.read_frame(frame) for frame in frames if b'"stream"' in frame]
    acks = [one.status or one.streams for one in said if isinstance(one, Said)]
    (fill,) = [one for one in said if isinstance(one, Update)]
    heard = ("trade_updates",)
    assert acks == [heard, "authorized", "unauthorized", "unauthorized", heard]
    assert (fill.order.symbol, fill.order.fate) == ("SOLUSD", Fate.OVER)
    told = wire.executed(fill)
    assert told is not None
    assert (told.side, told.price, told.qty) == (Side.SELL, Decimal("105.8988475"), Decimal("1790.86"))
    assert told.cum_qty == told.qty
    assert fill.order.created_ns == nanoseconds("2022-04-19T17:45:04.981350886Z")
    assert TradeUpdate(**json.loads(frames[-1])["data"]).order.symbol == fill.order.symbol


@needs_shared
def test_the_sdk_and_we_read_the_same_orders():
    read = 0
    for raw in routes("order"):
        rows = json.loads(raw)
        for row in rows if isinstance(rows, list) else [rows]:
            if "client_order_id" not in row:
                continue
            ours, theirs = wire.read(Order, json.dumps(row).encode()), SdkOrder(**row)
            assert (ours.id, ours.client_order_id) == (str(theirs.id), theirs.client_order_id)
            assert (ours.qty, ours.filled_qty) == (Decimal(str(theirs.qty)), Decimal(str(theirs.filled_qty)))
            assert (ours.status, ours.side) == (theirs.status.value, theirs.side.value)
            assert ours.created_ns == round(theirs.created_at.timestamp() * 1_000_000) * 1000
            read += 1
    assert read >= 8


@needs_shared
def test_accounts_positions_and_assets_are_read():
    raw = routes("account")[0]
    ours, theirs = wire.read(Account, raw), TradeAccount(**json.loads(raw))
    assert (str(ours.cash), str(ours.equity)) == (theirs.cash, theirs.equity)
    assert ours.shut == ""
    (first,) = wire.read(tuple[Position, ...], routes("position")[0])
    assert (first.symbol, first.signed) == ("AAPL", 5)
    (listed,) = wire.read(tuple[Asset, ...], routes("asset")[0])
    assert (listed.symbol, listed.asset_class, listed.shortable) == ("AAPL", "us_equity", True)
    documented = samples("alpaca_docs/alpaca/crypto_assets.jsonl")[0]
    assert wire.read(Asset, documented).min_trade_increment == Decimal("0.0001")


def test_text_and_binary_and_numbers_are_the_same():
    text = json.dumps({"stream": "trade_updates", "data": FILL})
    heard = wire.read_frame(text)
    assert heard == wire.read_frame(text.encode())
    assert isinstance(heard, Update)
    assert heard.order.at_ns == nanoseconds("2026-03-02T15:00:00.123456789Z")
    told = wire.executed(heard)
    assert told is not None
    assert told.cum_qty == 3


@pytest.mark.parametrize("status", ["done_for_day", "suspended", "stopped", "held", "never_heard_of", ""])
def test_what_is_no_last_word_is_alive(status):
    assert wire.fate_of(status) is Fate.OPEN


@pytest.mark.parametrize(
    ("flag", "word"),
    [
        ({"trading_blocked": True}, "trading_blocked"),
        ({"account_blocked": True}, "account_blocked"),
        ({"trade_suspended_by_user": True}, "trade_suspended_by_user"),
        ({"status": "ACCOUNT_CLOSED"}, "ACCOUNT_CLOSED"),
    ],
)
def test_why_an_account_is_shut(flag, word):
    row = {"cash": "1", "equity": "1", "status": "ACTIVE"} | flag
    assert word in wire.read(Account, json.dumps(row).encode()).shut


@pytest.mark.parametrize(
    "damage",
    [
        {"price": None},
        {"qty": "0"},
        {"price": "NaN"},
        {"qty": "1e400"},
        {"timestamp": "yesterday"},
        {"order": {"id": "", "client_order_id": "x", "symbol": "y"}},
    ],
)
def test_half_a_fill_is_no_fill(damage):
    frame = json.dumps({"stream": "trade_updates", "data": FILL | damage})

    def hear() -> None:
        heard = wire.read_frame(frame)
        assert isinstance(heard, Update)
        wire.executed(heard)

    with pytest.raises(VenueMisspoke):
        hear()


def test_an_activity_names_its_execution():
    row = {"id": "20260302150000000::abc", "order_id": "r", "symbol": "COST", "side": "sell_short", "qty": "3"}
    row |= {"price": "10.25", "cum_qty": "3", "transaction_time": "2026-03-02T15:00:00.1Z"}
    told = wire.execution(wire.read(Activity, json.dumps(row).encode()))
    assert (told.execution_id, told.side, told.qty) == ("abc", Side.SELL, 3)


def test_damaged_frames_raise_nothing_else():
    draw = random.Random(7)
    whole = json.dumps({"stream": "trade_updates", "data": FILL}).encode()
    pieces = (b"null", b'"', b"9" * 40, b"-", b"[[", b"1e999")
    for _ in range(4000):
        frame = bytearray(whole)
        for _ in range(draw.randrange(1, 4)):
            at = draw.randrange(len(frame))
            match draw.randrange(3):
                case 0:
                    frame[at] = draw.randrange(256)
                case 1:
                    del frame[at : at + draw.randrange(1, 30)]
                case _:
                    frame[at:at] = draw.choice(pieces)
        try:
            heard = wire.read_frame(bytes(frame))
            if isinstance(heard, Update):
                wire.executed(heard)
        except VenueMisspoke:
            pass


# --- what is sent


@given(
    symbol=st.sampled_from(["BTC/USD", "SHIB/USD", "COST", "HRL"]),
    side=st.sampled_from(Side),
    how=st.sampled_from(TimeInForce),
    notional=st.integers(20, 5_000),
    ticks=st.integers(1, 10**9),
)
@settings(max_examples=200)
def test_the_sdk_reads_every_order_as_we_mean_it(symbol, side, how, notional, ticks):
    traded = instrument(symbol, shortable=True, easy_to_borrow=True)
    lots = max(1, int(notional / (traded.price(ticks) * traded.lot)))
    order = order_of(symbol, side, lots, ticks, how, reduce_only=side is Side.SELL)
    try:
        body = rules.order_body(order, traded, lots, None)
    except NotSendable as error:
        assert "cost basis" in str(error) or "is no order" in str(error)
        return
    read = LimitOrderRequest(**body)
    assert (read.symbol, read.side.value, read.type.value) == (symbol, side.value, "limit")
    assert read.client_order_id == order.id
    assert read.qty == float(traded.size(lots))
    assert read.limit_price == float(body["limit_price"])
    assert read.time_in_force.value in (("gtc", "ioc") if "/" in symbol else ("day", "ioc"))
    price, asked = Decimal(body["limit_price"]), traded.price(ticks)
    assert (asked - price) * side.sign >= 0  # never worse than asked
    if "/" not in symbol:
        assert price == price.quantize(Decimal("0.01") if price >= 1 else Decimal("0.0001"))
    moved = ReplaceOrderRequest(**rules.replace_body(order, traded, None))
    assert moved.limit_price == read.limit_price
    assert (moved.qty, moved.time_in_force, moved.client_order_id) == (None, None, order.id)


@given(
    symbol=st.sampled_from(["BTC/USD", "SHIB/USD", "COST"]),
    side=st.sampled_from(Side),
    notional=st.integers(1, 5_000),
    ticks=st.integers(10, 10**9),
)
@settings(max_examples=200)
def test_a_twin_is_of_the_order_and_far_from_it(symbol, side, notional, ticks):
    traded = instrument(symbol)
    price = traded.price(ticks)
    lots = max(1, int(notional / (price * traded.lot)))
    order = order_of(symbol, side, lots, ticks, TimeInForce.GTC)
    body = rules.twin_body(order, traded, lots, "ioc")
    if body is None:
        assert side is Side.BUY, "a sale can always be farther away"
        assert traded.size(lots) * price < traded.notional_min_usd * 2
        return
    assert (body["symbol"], body["side"], body["client_order_id"]) == (symbol, side.value, order.id)
    assert 0 < Decimal(body["qty"]) <= traded.size(lots)
    limit = Decimal(body["limit_price"])
    nearest = price * rules.NEAREST + traded.tick
    assert limit <= nearest if side is Side.BUY else limit >= price * 2
    assert Decimal(body["qty"]) * limit >= traded.notional_min_usd
    assert LimitOrderRequest(**body).limit_price == float(body["limit_price"])


def test_parts_of_a_lot_add_up():
    traded = instrument("COST")
    parts = [Decimal(part) for part in ("0.0007", "0.5", "0.4993", "1.25", "0.75")]
    done, lots = Decimal(0), 0
    for part in parts:
        done += part
        lots += lots_of(wire.Execution("r", "COST", Side.BUY, part, Decimal(9), done, "", 0), traded)
    assert (done, lots) == (3, 3)


def test_parts_of_a_share_are_for_the_day():
    parts = replace(instrument("COST"), lot=Decimal("0.001"))
    assert rules.time_in_force(parts, TimeInForce.IOC, Decimal("1.5")) == "day"
    assert rules.time_in_force(parts, TimeInForce.IOC, Decimal(2)) == "ioc"
    assert rules.time_in_force(parts, TimeInForce.ALO, Decimal(2)) == "day"


@pytest.mark.parametrize(
    ("code", "message", "shuts"),
    [
        (40310100, "trade denied due to pattern day trading protection", True),
        (40310000, "account is not allowed to short", True),
        (40310000, 'asset "XYZ" cannot be sold short', True),
        (40310000, "insufficient buying power", False),
        (40310000, "insufficient qty available for order (requested: 2, available: 1)", False),
        (40310000, "cost basis must be >= minimal amount of order 10", False),
        (42210000, "invalid limit_price 290.123", False),
    ],
)
def test_which_refusals_come_again(code, message, shuts):
    assert bool(rules.shuts(code, message)) is shuts


def test_a_name_that_has_null_is_a_name_that_is_missing():
    """An order of several legs has no symbol and no side; one such in a list made the whole list unreadable."""
    row = {"id": "a", "client_order_id": "b", "symbol": None, "qty": "1", "filled_qty": None, "side": "buy"}
    [order] = wire.read(tuple[Order, ...], json.dumps([row | {"asset_class": None, "limit_price": 1.25}]).encode())
    assert (order.filled_qty, order.asset_class, order.limit_price) == (0, "", Decimal("1.25"))
    account = {"cash": "1", "equity": "1", "crypto_status": None, "trading_blocked": None}
    assert not wire.read(Account, json.dumps(account).encode()).shut
    frame = {"stream": "trade_updates", "data": {"event": "new", "order": row | {"side": None}}}
    assert wire.read_frame(json.dumps(frame)).order.side == ""
    with pytest.raises(VenueMisspoke):
        wire.read(Order, json.dumps(row | {"id": None}).encode())
