"""Alpaca's core: what becomes of orders, and why they are refused."""

from decimal import Decimal

import pytest

from tests.venues.emulator.alpaca_desk import CASH, KEY, POOR, TRADER, Desk, Ear, Side
from venues.emulator.alpaca.config import NO_FEES

BTC, ETH, CRM, PLTR = "BTC/USD", "ETH/USD", "CRM", "PLTR"


@pytest.fixture
def desk():
    return Desk()


def test_an_order_is_pending_then_new_then_filled(desk):
    order = desk.order(qty="0.01")
    assert order["status"] == "pending_new" and order["filled_qty"] == "0"
    desk.advance(0.1)
    filled = desk.state(order)
    assert (filled["status"], filled["filled_qty"], filled["filled_avg_price"]) == ("filled", "0.01", "66001")
    assert desk.events_of(order) == ["pending_new", "new", "fill"]
    _, _, told = desk.events()[-1]
    assert (told["price"], told["qty"], told["position_qty"]) == ("66001", "0.01", "0.009975")
    assert told["execution_id"] and told["order"]["filled_at"].endswith("Z")
    assert told["order"]["created_at"].endswith("-05:00") and order["created_at"].endswith("Z")


def test_a_fee_is_taken_out_of_what_is_received(desk):
    desk.order(qty="0.01")
    desk.advance(0.1)
    position = desk.get("/v2/positions/BTCUSD")
    assert (position["qty"], position["symbol"], position["avg_entry_price"]) == ("0.009975", "BTCUSD", "66001")
    assert desk.get("/v2/account")["cash"] == "99339.99"
    status, said = desk.tries(side="sell", qty="0.01")
    assert status == 403 and said["code"] == 40310000
    assert said["message"] == "insufficient balance for BTC (requested: 0.01, available: 0.009975)"
    desk.order(side="sell", qty="0.009975")
    desk.advance(0.1)
    assert desk.get("/v2/positions") == []
    kinds = [row["activity_type"] for row in desk.get("/v2/account/activities")]
    assert sorted(kinds) == ["CFEE", "FEE", "FILL", "FILL"]
    gain = Decimal("0.009975") * 65_999
    cash = Decimal(desk.get("/v2/account")["cash"])
    assert cash == (Decimal("99339.99") + gain - (gain * Decimal("0.0025"))).quantize(Decimal("0.000001"))


def test_partial_fills_are_told_one_by_one():
    desk = Desk(fees=NO_FEES)
    desk.market.size = 0.004
    desk.advance(1)
    order = desk.order(qty="0.01", price=66_010)
    desk.advance(0.1)
    assert desk.events_of(order) == ["pending_new", "new", "partial_fill", "partial_fill", "fill"]
    fills = [told for event, _, told in desk.events() if "fill" in event]
    assert [told["qty"] for told in fills] == ["0.004", "0.004", "0.002"]
    assert [told["position_qty"] for told in fills] == ["0.004", "0.008", "0.01"]
    assert [told["order"]["filled_qty"] for told in fills] == ["0.004", "0.008", "0.01"]
    assert len({told["execution_id"] for told in fills}) == 3


def test_ioc_and_fok():
    desk = Desk()
    desk.market.size = 0.004
    desk.advance(1)
    order = desk.order(qty="0.01", price=66_001, time_in_force="ioc")
    nothing = desk.order(qty="0.01", price=60_000, time_in_force="ioc")
    whole = desk.order(symbol=CRM, qty="10", price=190.01, time_in_force="fok")
    desk.advance(0.6)
    assert (desk.state(order)["status"], desk.state(order)["filled_qty"]) == ("canceled", "0.004")
    assert desk.events_of(nothing) == ["pending_new", "new", "canceled"]
    assert (desk.state(whole)["status"], desk.state(whole)["filled_qty"]) == ("canceled", "0")


def test_a_market_order_waits_for_what_the_book_has_not():
    desk = Desk(fees=NO_FEES)
    desk.market.size = 0.002
    desk.advance(1)
    order = desk.order(qty="0.025")  # a book shows 0.01
    desk.advance(0.1)
    assert (desk.state(order)["status"], desk.state(order)["filled_qty"]) == ("partially_filled", "0.01")
    desk.market.mids[BTC] = 66_100.0
    desk.advance(0.5)
    desk.advance(0.5)
    assert (desk.state(order)["status"], desk.state(order)["filled_qty"]) == ("filled", "0.025")
    fills = [told for event, _, told in desk.events() if "fill" in event]
    assert sum(Decimal(told["qty"]) for told in fills) == Decimal("0.025") and fills[-1]["price"] > "66100"
    assert len({told["execution_id"] for told in fills}) == len(fills)
    desk.market.size = 0.0001
    other = desk.order(qty="0.02")
    desk.advance(1)
    desk.ask("DELETE", f"/v2/orders/{other['id']}")
    desk.advance(2)
    assert desk.state(other)["status"] == "canceled" and desk.exchange.accounts[KEY].hungry == {}


def test_a_limit_waits_for_a_trade_and_a_cancel_takes_a_moment(desk):
    order = desk.order(price=65_900)
    other = desk.order(price=65_800)
    desk.advance(1)
    assert desk.state(order)["status"] == "new"
    desk.market.trades.append((BTC, 65_850.0, 5.0, Side.SELL))
    desk.advance(1.1)
    assert (desk.state(order)["status"], desk.state(order)["filled_avg_price"]) == ("filled", "65900")
    assert desk.ask("DELETE", f"/v2/orders/{other['id']}") == (204, None)
    assert desk.state(other)["status"] == "pending_cancel"
    desk.advance(0.1)
    assert desk.events_of(other) == ["pending_new", "new", "pending_cancel", "canceled"]
    for one, state in ((order, "filled"), (other, "canceled")):
        status, said = desk.ask("DELETE", f"/v2/orders/{one['id']}")
        assert (status, said) == (422, {"code": 42210000, "message": f'order is already in "{state}" state'})


def test_cancel_all_and_close_all(desk):
    orders = [desk.order(price=65_000 + turn) for turn in range(3)]
    desk.order(symbol=CRM, qty="3")
    desk.advance(1)
    status, rows = desk.ask("DELETE", "/v2/orders")
    assert status == 207 and {row["id"] for row in rows} == {order["id"] for order in orders}
    desk.advance(1)
    assert desk.get("/v2/orders") == []
    status, rows = desk.ask("DELETE", "/v2/positions", cancel_orders="true")
    assert status == 207 and [(row["symbol"], row["status"]) for row in rows] == [("CRM", 200)]
    desk.advance(1)
    assert desk.get("/v2/positions") == []
    assert desk.ask("DELETE", "/v2/positions/CRM")[0] == 404


# --- replaces -------------------------------------------------------------------------------------------------------


def replace(desk, order, key=KEY, **body):
    return desk.ask("PATCH", f"/v2/orders/{order['id']}", body, key=key)


def test_a_replace_is_another_order(desk):
    old = desk.order(price=65_000)
    assert replace(desk, old, limit_price="65100") == (
        422,
        {"code": 42210000, "message": "cannot replace order in pending_new status"},
    )
    desk.advance(0.1)
    status, new = replace(desk, old, limit_price="65100", client_order_id="mine")
    assert status == 200 and new["id"] != old["id"] and new["replaces"] == old["id"]
    assert (new["client_order_id"], new["limit_price"], new["qty"]) == ("mine", "65100", "0.01")
    assert desk.state(old)["status"] == "pending_replace" and desk.state(old)["replaced_by"] == new["id"]
    desk.advance(0.1)
    assert (desk.state(old)["status"], desk.state(new)["status"]) == ("replaced", "new")
    assert desk.events_of(old)[-2:] == ["pending_replace", "replaced"]
    assert replace(desk, old, limit_price="65200")[1]["message"] == 'order is already in "replaced" state'


def test_a_replace_loses_to_a_fill(desk):
    old = desk.order(price=65_990)
    desk.advance(0.2)
    desk.exchange.config = desk.exchange.config.__class__(seed=7, delay_ns=2_000_000_000)
    _, new = replace(desk, old, limit_price="65000")
    desk.market.trades.append((BTC, 65_900.0, 5.0, Side.SELL))
    desk.advance(3)
    assert (desk.state(old)["status"], desk.state(new)["status"]) == ("filled", "rejected")
    assert desk.events_of(old)[-3:] == ["pending_replace", "fill", "order_replace_rejected"]
    assert desk.events_of(new) == ["pending_new", "rejected"]
    assert desk.state(old)["replaced_by"] is None


def test_a_replace_of_a_part_is_for_the_whole_again(desk):
    old = desk.order(symbol=CRM, qty="10", price=189.0)
    desk.advance(0.2)
    desk.market.size = 4.0
    desk.market.mids[CRM] = 188.99
    desk.advance(0.5)
    desk.market.mids[CRM] = 190.0
    desk.advance(1)
    filled = Decimal(desk.state(old)["filled_qty"])
    assert 0 < filled < 10
    _, new = replace(desk, old, limit_price="189.10")
    desk.advance(0.2)
    assert (desk.state(new)["qty"], desk.state(new)["filled_qty"], desk.state(new)["status"]) == ("10", "0", "new")
    assert desk.state(old)["filled_qty"] == str(filled)


@pytest.mark.parametrize(
    ("body", "text"),
    [
        ({"qty": "0.5"}, "qty must be integer"),
        ({"limit_price": "189"}, "order parameters are not changed"),
        ({"limit_price": "189.001"}, "sub-penny"),
        ({"limit_price": "189.5", "client_order_id": "taken"}, "client_order_id must be unique"),
        ({"qty": "100000"}, "insufficient buying power"),
    ],
)
def test_replaces_that_are_refused_change_nothing(desk, body, text):
    old = desk.order(symbol=CRM, qty="10", price=189, client_order_id="taken")
    desk.advance(0.2)
    status, said = replace(desk, old, **body)
    assert status in (403, 422) and text in said["message"]
    assert desk.state(old)["status"] == "new" and len(desk.get("/v2/orders", status="all")) == 1


# --- refusals -------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("told", "status", "code", "text"),
    [
        ({"qty": "0.0001"}, 403, 40310000, "cost basis must be >= minimal amount of order 10"),
        ({"qty": "0.0000000001"}, 422, 40010001, "9 decimal places"),
        ({"qty": "2"}, 403, 40310000, "insufficient balance for USD (requested: 134642.04, available: 100000)"),
        ({"side": "sell"}, 403, 40310000, "insufficient balance for BTC (requested: 0.01, available: 0)"),
        ({"time_in_force": "day"}, 422, 42210000, "invalid crypto time_in_force"),
        ({"symbol": "DOGE/EUR"}, 422, 42210000, 'asset "DOGE/EUR" not found'),
        ({"qty": "-1"}, 422, 40010001, "qty must be > 0"),
        ({"qty": "nan"}, 422, 40010001, "qty is not a number"),
        ({"qty": None}, 422, 40010001, "qty or notional is required"),
        ({"notional": "20"}, 422, 40010001, "only one of qty or notional"),
        ({"qty": None, "notional": "5"}, 403, 40310000, "cost basis"),
        ({"type": "limit"}, 422, 40010001, "limit orders require limit price"),
        ({"type": "stop_limit", "limit_price": "1", "stop_price": "1"}, 422, 42210000, "no stop_limit orders"),
        ({"side": "hold"}, 422, 40010001, "invalid side"),
        ({"client_order_id": "x" * 129}, 422, 40010001, "client_order_id must be no more than"),
        ({"symbol": CRM, "qty": "1.5", "time_in_force": "gtc"}, 422, 42210000, "fractional orders must be DAY orders"),
        ({"symbol": PLTR, "qty": "1.5"}, 403, 40310000, "is not fractionable"),
        ({"symbol": CRM, "side": "sell", "qty": "1.5"}, 422, 42210000, "fractional orders cannot be sold short"),
        ({"symbol": PLTR, "side": "sell", "qty": "1"}, 422, 42210000, 'asset "PLTR" cannot be sold short'),
        ({"symbol": CRM, "qty": "10", "price": "189.123"}, 422, 42210000, "invalid limit_price 189.123. sub-penny"),
        ({"symbol": CRM, "qty": "5000"}, 403, 40310000, "insufficient buying power"),
        ({"symbol": CRM, "qty": "1", "extended_hours": True}, 422, 42210000, "extended hours order must be DAY limit"),
        ({"symbol": CRM, "qty": "1", "price": "9", "extended_hours": True}, 422, 42210000, "no extended hours"),
        ({"symbol": CRM, "qty": "1", "order_class": "bracket"}, 422, 42210000, "simple orders"),
    ],
)
def test_refusals_have_the_venues_codes_and_words(desk, told, status, code, text):
    symbol = told.pop("symbol", BTC)
    if symbol in (CRM, PLTR):
        told.setdefault("time_in_force", "day")
    got, said = desk.tries(symbol, told.pop("side", "buy"), told.pop("qty", "0.01"), told.pop("price", None), **told)
    assert (got, said["code"]) == (status, code) and text in said["message"]
    assert desk.get("/v2/orders", status="all") == [] and desk.events() == []


def test_a_client_order_id_is_good_once_and_for_all(desk):
    first = desk.order(price=65_000, client_order_id="once")
    desk.advance(0.1)
    desk.ask("DELETE", f"/v2/orders/{first['id']}")
    desk.advance(0.1)
    again = desk.tries(price=65_100, client_order_id="once")
    assert again == (422, {"code": 40010001, "message": "client_order_id must be unique"})
    found = desk.get("/v2/orders:by_client_order_id", client_order_id="once")
    assert (found["id"], found["status"]) == (first["id"], "canceled")
    status, said = desk.ask("GET", "/v2/orders:by_client_order_id", client_order_id="never")
    assert (status, said["code"]) == (404, 40410000)


def test_accounts_that_may_less(desk):
    assert desk.tries(CRM, "sell", "1", key=CASH)[1]["message"] == "account is not allowed to short"
    status, said = desk.tries(CRM, "buy", "1", key=POOR)
    assert (status, said["message"]) == (403, "insufficient buying power")
    assert (said["buying_power"], said["cost_basis"]) == ("100", "199.51")
    assert desk.get("/v2/account", key=POOR)["multiplier"] == "1"
    assert desk.get("/v2/account")["buying_power"] == "200000"


def test_what_is_on_offer_can_not_be_sold_again_nor_turned(desk):
    desk.order(CRM, qty="10")
    desk.advance(0.2)
    offer = desk.order(CRM, "sell", "10", 200)
    status, said = desk.tries(CRM, "sell", "5")
    assert status == 403
    assert said == {
        "code": 40310000,
        "message": "insufficient qty available for order (requested: 5, available: 0)",
        "available": "0",
        "existing_qty": "10",
        "held_for_orders": "10",
        "related_orders": [offer["id"]],
        "symbol": CRM,
    }
    assert desk.get("/v2/positions/CRM")["qty_available"] == "0"


def test_one_does_not_trade_with_oneself(desk):
    desk.order(CRM, qty="10")
    desk.advance(0.2)
    offer = desk.order(CRM, "sell", "10", 195)
    status, said = desk.tries(CRM, "buy", "5")
    assert (status, said["message"]) == (403, "potential wash trade detected. use complex orders")
    assert said["existing_order_id"] == offer["id"] and said["reject_reason"] == "opposite side limit order exists"
    desk.order(CRM, "buy", "5", 194.99)


def test_a_short_position_is_told_in_negative_numbers(desk):
    desk.order(CRM, "sell", "10")
    desk.advance(0.2)
    (position,) = desk.get("/v2/positions")
    assert (position["side"], position["qty"], position["qty_available"]) == ("short", "-10", "10")
    assert Decimal(position["market_value"]) < 0 and Decimal(desk.get("/v2/account")["short_market_value"]) == -1900
    assert desk.get("/v2/account/activities/FILL")[0]["side"] == "sell_short"
    desk.order(CRM, "buy", "10")
    desk.advance(0.2)
    assert desk.get("/v2/positions") == []


def test_the_fourth_day_trade_of_a_small_account_is_denied(desk):
    for turn in range(4):
        desk.order(CRM, "buy", "1", key=TRADER)
        desk.advance(0.2)
        status, said = desk.tries(CRM, "sell", "1", key=TRADER)
        desk.advance(0.2)
        if turn < 3:
            assert status == 200
    assert (status, said) == (403, {"code": 40310100, "message": "trade denied due to pattern day trading protection"})
    assert desk.get("/v2/account", key=TRADER)["daytrade_count"] == 3
    assert "daytrade_count" not in desk.get("/v2/account")
    desk.leap("2026-01-06T15:00:00+00:00")
    desk.order(CRM, "sell", "1", key=TRADER)


# --- sessions -------------------------------------------------------------------------------------------------------


def test_orders_outside_the_session_wait_for_the_next_one():
    desk = Desk("2026-01-16T21:30:00+00:00")  # a Friday evening before a holiday
    clock = desk.get("/v2/clock")
    assert clock["is_open"] is False and clock["next_open"] == "2026-01-20T09:30:00-05:00"
    order = desk.order(CRM, qty="10", price=189)
    assert order["status"] == "accepted"
    assert replace(desk, order, limit_price="188")[1]["message"] == "cannot replace order in accepted status"
    market = desk.order(CRM, qty="1")
    desk.leap("2026-01-20T14:29:59+00:00")
    assert desk.state(order)["status"] == "accepted"
    desk.market.mids[CRM] = 188.5  # it opens lower than it closed
    desk.leap("2026-01-20T14:30:02+00:00")
    assert (desk.state(order)["status"], desk.state(market)["status"]) == ("filled", "filled")
    assert [desk.state(one)["filled_avg_price"] for one in (order, market)] == ["188.51", "188.52"]
    order = desk.order(CRM, qty="10", price=180)
    desk.leap("2026-01-20T21:00:01+00:00")
    assert desk.state(order)["status"] == "expired" and desk.events_of(order) == ["pending_new", "new", "expired"]


def test_good_till_cancelled_outlives_the_day_and_coins_do_not_care():
    desk = Desk("2026-11-27T17:59:00+00:00")  # the half day after Thanksgiving
    share = desk.order(CRM, qty="10", price=180, time_in_force="gtc")
    day = desk.order(CRM, qty="10", price=181)
    coin = desk.order(price=60_000)
    assert desk.get("/v2/clock")["next_close"] == "2026-11-27T13:00:00-05:00"
    desk.advance(90)
    assert [desk.state(one)["status"] for one in (share, day, coin)] == ["new", "expired", "new"]
    assert desk.order(qty="0.01")["status"] == "pending_new"


def test_the_clock_knows_of_daylight_saving():
    winter, summer = Desk("2026-03-06T12:00:00+00:00"), Desk("2026-03-09T12:00:00+00:00")
    assert winter.get("/v2/clock")["next_open"] == "2026-03-06T09:30:00-05:00"
    assert summer.get("/v2/clock")["next_open"] == "2026-03-09T09:30:00-04:00"
    rows = summer.get("/v2/calendar", start="2026-11-25", end="2026-11-30")
    assert [(row["date"], row["close"]) for row in rows] == [
        ("2026-11-25", "16:00"),
        ("2026-11-27", "13:00"),
        ("2026-11-30", "16:00"),
    ]


# --- questions ------------------------------------------------------------------------------------------------------


def test_lists_of_orders_and_activities(desk):
    orders = [
        desk.order(symbol, price=price, qty=qty) for symbol, price, qty in ((BTC, 65_000, "0.01"), (CRM, 180, "1"))
    ]
    desk.order(ETH, qty="0.1")
    desk.advance(0.2)
    assert [one["id"] for one in desk.get("/v2/orders")] == [orders[1]["id"], orders[0]["id"]]
    assert [one["symbol"] for one in desk.get("/v2/orders", status="closed")] == [ETH]
    assert [one["symbol"] for one in desk.get("/v2/orders", status="all", direction="asc", limit=2)] == [BTC, CRM]
    assert [one["symbol"] for one in desk.get("/v2/orders", symbols="BTCUSD")] == [BTC]
    after = desk.get("/v2/orders", status="all", after=orders[0]["created_at"])
    assert len(after) == 0  # all of the same instant
    desk.order(ETH, qty="0.2")
    desk.advance(0.2)
    rows = desk.get("/v2/account/activities/FILL", direction="asc")
    assert [row["qty"] for row in rows] == ["0.1", "0.2"]
    page = desk.get("/v2/account/activities/FILL", direction="asc", page_size=1)
    rest = desk.get("/v2/account/activities/FILL", direction="asc", page_token=page[-1]["id"])
    assert [*page, *rest] == rows
    late = desk.get("/v2/account/activities/FILL", after=rows[0]["transaction_time"])
    assert [row["qty"] for row in late] == ["0.2"]


def test_assets(desk):
    rows = {row["symbol"]: row for row in desk.get("/v2/assets")}
    assert rows[BTC]["price_increment"] == rows[BTC]["min_trade_increment"] == "0.000000001"
    assert rows[PLTR]["shortable"] is False and rows[CRM]["easy_to_borrow"] is True
    assert desk.get("/v2/assets/BTC/USD") == desk.get("/v2/assets/BTCUSD") == rows[BTC]
    assert [row["symbol"] for row in desk.get("/v2/assets", asset_class="crypto")] == [BTC, ETH]
    assert desk.ask("GET", "/v2/assets/NOPE")[0] == 404
    desk.exchange.delist(CRM)
    assert desk.tries(CRM, qty="1")[1]["message"] == 'asset "CRM" is not tradable'
    assert desk.get("/v2/assets/CRM")["status"] == "inactive"


def test_who_has_no_keys(desk):
    assert desk.ask("GET", "/v2/account", key="", secret="")[0] == 401
    assert desk.ask("GET", "/v2/account", secret="wrong") == (403, {"message": "forbidden."})
    assert desk.ask("GET", "/v2/stocks/bars", key="", symbols=CRM)[0] == 401
    assert desk.ask("GET", "/v1beta3/crypto/us/latest/quotes", key="", symbols=BTC)[0] == 200


def test_the_two_hundred_first_request_of_a_minute_is_refused(desk):
    answers = [desk.answer("GET", "/v2/clock") for _ in range(201)]
    assert [answer.status for answer in answers] == [200] * 200 + [429]
    assert dict(answers[0].headers) | {"X-RateLimit-Reset": ""} == {
        "X-RateLimit-Limit": "200",
        "X-RateLimit-Remaining": "199",
        "X-RateLimit-Reset": "",
    }
    assert answers[-1].body == b'{"code":42910000,"message":"rate limit exceeded"}'
    assert desk.ask("GET", "/v2/clock", key=POOR)[0] == 200
    desk.advance(60)
    assert desk.ask("GET", "/v2/clock")[0] == 200


@pytest.mark.parametrize(
    ("method", "path", "body", "status"),
    [
        ("GET", "/v2/nothing", None, 404),
        ("GET", "/v1/account", None, 404),
        ("PUT", "/v2/orders", None, 404),
        ("POST", "/v2/orders", b"{", 400),
        ("POST", "/v2/orders", b"[]", 400),
        ("POST", "/v2/orders", b"", 422),
        ("POST", "/v2/stocks/bars", b"", 405),
        ("GET", "/v2/orders/nobody", None, 404),
        ("PATCH", "/v2/orders/nobody", b"{}", 404),
        ("GET", "/v2/positions/BTCUSD", None, 404),
        ("DELETE", "/v2/positions/NOPE", None, 404),
    ],
)
def test_what_is_not_there(desk, method, path, body, status):
    assert desk.ask(method, path, body)[0] == status


def test_fuzzed_requests_are_answered(desk):
    odd = [None, "", 0, -1, 1e400, "1e400", True, [], {}, "0x1", "٣", " 1", "1_0", 10**30, "NaN", "BTC/USD", "\x00"]
    fields = ("symbol", "side", "type", "time_in_force", "qty", "limit_price", "notional", "client_order_id")
    usual = {
        "symbol": BTC,
        "side": "buy",
        "type": "limit",
        "time_in_force": "gtc",
        "qty": "0.01",
        "limit_price": "65000",
    }
    for field in fields:
        for value in odd:
            body = usual | {field: value}
            if value == float("inf"):
                continue
            status, said = desk.ask("POST", "/v2/orders", body)
            assert status in (200, 403, 422, 429), (field, value, said)
            desk.exchange.config = desk.exchange.config.__class__(seed=7, requests_per_minute=0)


def test_the_trading_stream_lets_in_who_has_keys(desk):
    ear = Ear(desk, "/stream")
    assert ear.binary and ear.frames == []
    said = ear.say(action="listen", data={"streams": ["trade_updates"]})
    assert said == [{"stream": "authorization", "data": {"status": "unauthorized", "action": "listen"}}]
    said = ear.say(action="authenticate", data={"key_id": KEY, "secret_key": "s"})
    assert said == [{"stream": "authorization", "data": {"status": "authorized", "action": "authenticate"}}]
    said = ear.say(action="listen", data={"streams": ["trade_updates", "other"]})
    assert said == [{"stream": "listening", "data": {"streams": ["trade_updates"]}}]
    desk.order(price=65_000)
    assert ear.frames[-1]["data"]["event"] == "pending_new"
    assert {"stream", "data"} == ear.frames[-1].keys()
    wrong, slow = Ear(desk, "/stream"), Ear(desk, "/stream")
    wrong.say(action="authenticate", data={"key_id": KEY, "secret_key": "no"})
    assert wrong.closed == 1000 and wrong.frames[-1]["data"]["status"] == "unauthorized"
    desk.advance(11)
    assert slow.closed == 1000 and ear.closed is None


def test_whole_shares_are_filled_in_whole_shares():
    """The place in line is a share of what was cancelled ahead, and no whole number; `make alpaca-hour` found this."""
    desk = Desk()
    whole = desk.order("CRM", "buy", "9", 189.99)
    desk.advance(2)
    desk.market.size = 7.3
    desk.advance(2)
    for _ in range(12):
        desk.market.trades.append(("CRM", 189.99, 1.7, Side.SELL))
        desk.advance(1)
    filled = [one["qty"] for event, id_, one in desk.events() if id_ == whole["id"] and event.endswith("fill")]
    assert filled
    assert all(float(qty).is_integer() for qty in filled)
