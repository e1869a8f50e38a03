"""An hour of the default faults against a plain client: every kind fires, and the venue's books hold."""

import json
from collections import Counter, defaultdict
from contextlib import suppress
from decimal import Decimal

import httpx
import msgspec
import pytest
from websockets.exceptions import ConnectionClosed, InvalidStatus
from websockets.sync.client import connect

from tests.venues.emulator.alpaca_running import KEY, SECRET, running_alpaca
from venues.emulator.alpaca.faults import DEFAULT
from venues.emulator.faults import parse

TURNS, TURN_S = 120, 30
SYMBOLS = ("BTC/USD", "ETH/USD", "CRM")
QUANTITY = {"BTC/USD": "0.002", "ETH/USD": "0.05", "CRM": "2"}
HEADERS = {"APCA-API-KEY-ID": KEY, "APCA-API-SECRET-KEY": SECRET}
ANSWER_S = 0.25
HEARS_S = 0.001


class Trader:
    """Buys and sells a little each turn, whatever happens to it."""

    def __init__(self, venue):
        self.venue, self.outcomes, self.closes = venue, Counter(), Counter()
        self.http = httpx.Client(base_url=venue.url, headers=HEADERS, timeout=ANSWER_S)
        self.sockets, self.fills, self.told, self.kinds = {}, {}, Counter(), Counter()
        self.sent = {}  # client_order_id -> (symbol, side)

    def ask(self, method, path, body=None):
        """Ask; None where no answer came or it made no sense."""
        try:
            answer = self.http.request(method, path, json=body)
            self.outcomes[str(answer.status_code)] += 1
            return answer.status_code, answer.json() if answer.content else None
        except (httpx.HTTPError, json.JSONDecodeError) as error:
            self.outcomes[type(error).__name__] += 1
            return None

    def trade(self, turn):
        """A market order, a limit order that is replaced and taken out, and what is left of before."""
        symbol, side = SYMBOLS[turn % 3], "buy" if turn // 3 % 2 == 0 else "sell"
        quantity = QUANTITY[symbol]
        if side == "sell" and (held := self.ask("GET", f"/v2/positions/{symbol.replace('/', '')}")):
            quantity = held[1].get("qty_available", quantity) if held[0] == 200 else quantity
        tif = "gtc" if "/" in symbol else "day"
        order = {"symbol": symbol, "side": side, "qty": quantity, "type": "market", "time_in_force": tif}
        self.send(f"m{turn}", order)
        bid = self.venue.emulator.doors.exchange.tape.mid("BTC/USD")
        resting = order | {"symbol": "BTC/USD", "side": "buy", "qty": "0.001", "type": "limit", "time_in_force": "gtc"}
        answer = self.send(f"l{turn}", resting | {"limit_price": str(int(bid * Decimal("0.98")))})
        self.venue.advance(1)
        if answer and answer[0] == 200:
            key = answer[1]["id"]
            self.ask("PATCH", f"/v2/orders/{key}", {"limit_price": str(int(bid * Decimal("0.979")))})
            self.venue.advance(1)
        if turn % 4 == 3:
            self.ask("DELETE", "/v2/orders")

    def send(self, key, order):
        self.sent[key] = (order["symbol"], order["side"])
        return self.ask("POST", "/v2/orders", order | {"client_order_id": key})

    def listen(self):
        """Read what the streams said; come back where they ended."""
        for path in ("/stream", "/v1beta3/crypto/us"):
            if path not in self.sockets:
                self.come(path)
            with suppress(TimeoutError):
                while path in self.sockets:
                    try:
                        self.take(path, self.sockets[path].recv(timeout=HEARS_S))
                    except ConnectionClosed as closed:
                        self.closes[closed.rcvd.code if closed.rcvd else 1006] += 1
                        del self.sockets[path]

    def come(self, path):
        try:
            socket = self.sockets[path] = connect(
                f"ws{self.venue.url.removeprefix('http')}{path}", open_timeout=10, close_timeout=0.1
            ).__enter__()
        except (OSError, InvalidStatus) as error:
            self.outcomes[type(error).__name__] += 1
            return
        with suppress(ConnectionClosed):
            if path == "/stream":
                socket.send(json.dumps({"action": "auth", "key": KEY, "secret": SECRET}))
                socket.send(json.dumps({"action": "listen", "data": {"streams": ["trade_updates"]}}))
            else:
                socket.send(json.dumps({"action": "auth", "key": KEY, "secret": SECRET}))
                socket.send(json.dumps({"action": "subscribe", "orderbooks": ["BTC/USD"], "bars": ["BTC/USD"]}))

    def take(self, path, frame):
        self.kinds[f"{path} {'text' if isinstance(frame, str) else 'binary'}"] += 1
        said = json.loads(frame)
        if path != "/stream":
            for message in said:
                self.told[message.get("msg", message["T"])] += 1
            return
        data = said["data"]
        if said["stream"] != "trade_updates":
            return
        self.told[data["event"]] += 1
        self.told[f"status {data['order']['status']}"] += 1
        if "execution_id" in data:
            self.told["again"] += data["execution_id"] in self.fills
            self.fills[data["execution_id"]] = (data["order"]["id"], data["qty"], data["price"])


@pytest.fixture(scope="module")
def bad_day():
    with running_alpaca(faults="default", symbols=SYMBOLS, accounts=[f"{KEY}:100000"]) as venue:
        trader = Trader(venue)
        for turn in range(TURNS):
            trader.listen()
            trader.trade(turn)
            venue.advance(TURN_S - 2)
        venue.advance(30)  # past what is still late
        trader.listen()
        told = trader, venue.truth(KEY), venue.statistics()
        for socket in trader.sockets.values():
            socket.close()
        trader.http.close()
        yield told


def test_every_kind_fired_and_is_counted(bad_day):
    _, _, counted = bad_day
    rules, _ = parse(DEFAULT)
    assert counted["faults"].keys() == {rule.kind for rule in rules}
    assert [kind for kind, fired in counted["faults"].items() if not fired] == []
    assert "crashes" not in counted


def test_the_client_met_what_was_counted(bad_day):
    trader, _, counted = bad_day
    wanted = {"200", "207", "403", "429", "502", "504", "ReadTimeout", "RemoteProtocolError"}
    assert wanted <= {*trader.outcomes}
    assert {"connection limit exceeded", "authenticated", "o", "b"} <= {*trader.told}
    assert {"order_replace_rejected", "rejected", "replaced", "fill", "canceled"} <= {*trader.told}
    assert trader.told["status pending_settlement_review"] and trader.told["again"]
    assert trader.kinds["/stream text"] and trader.kinds["/stream binary"]
    assert trader.closes[1006] >= counted["faults"]["close"]


def test_the_venues_books_hold(bad_day):
    _, truth, _ = bad_day
    held, filled = defaultdict(Decimal), defaultdict(Decimal)
    for row in truth["activities"]:
        sign = -1 if row.get("side", "").startswith("sell") else 1
        if row["activity_type"] != "FEE":
            held[row["symbol"].replace("/", "")] += sign * Decimal(row["qty"])
        if row["activity_type"] == "FILL":
            filled[row["order_id"]] += Decimal(row["qty"])
    assert {name: Decimal(size) for name, size in truth["positions"].items()} == {
        name: size for name, size in held.items() if size
    }
    for order in truth["orders"]:
        assert Decimal(order["filled_qty"]) == filled[order["id"]]
        if order["status"] == "filled":
            assert Decimal(order["qty"]) == filled[order["id"]]


def test_every_order_has_one_name_and_every_chain_one_end(bad_day):
    trader, truth, _ = bad_day
    orders = {order["id"]: order for order in truth["orders"]}
    names = [order["client_order_id"] for order in orders.values()]
    assert len(set(names)) == len(names) and {name for name in names if name in trader.sent}
    for order in orders.values():
        if order["replaces"]:
            assert orders[order["replaces"]]["status"] in ("replaced", "filled", "canceled")
        if order["status"] == "replaced":
            assert orders[order["replaced_by"]]["replaces"] == order["id"]


def test_what_the_stream_told_was_so(bad_day):
    trader, truth, _ = bad_day
    made = Counter((row["order_id"], row["qty"], row["price"]) for row in truth["fills"])
    told = Counter(trader.fills.values())
    assert told <= made and sum(told.values()) > sum(made.values()) / 5  # it was deaf, mute and cut off meanwhile
    assert msgspec.json.encode(truth)  # all of it can be told
