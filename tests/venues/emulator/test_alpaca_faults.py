"""Alpaca's faults one by one, over real sockets, in stepped time."""

import json
from collections.abc import Iterator

import httpx
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from websockets.exceptions import ConnectionClosed
from websockets.sync.client import connect

from daemon.emulate import Where
from daemon.emulate_alpaca import asked_alpaca, emulator_of_alpaca
from tests.patience import PATIENCE_S
from tests.venues.emulator.alpaca_desk import Desk, Ear
from tests.venues.emulator.alpaca_running import KEY, RTH, SECRET, Running, running_alpaca
from venues.emulator.alpaca.frames import Topic
from venues.emulator.doors import Ask

HEADERS = {"APCA-API-KEY-ID": KEY, "APCA-API-SECRET-KEY": SECRET}
MARKET = {"symbol": "BTC/USD", "side": "buy", "qty": "0.01", "type": "market", "time_in_force": "gtc"}
LIMIT = MARKET | {"type": "limit", "limit_price": "60000"}


@pytest.fixture(scope="module")
def venue() -> Iterator[Running]:
    with running_alpaca(symbols=("BTC/USD", "CRM"), accounts=[f"{KEY}:1000000"]) as server:
        yield server


@pytest.fixture(scope="module")
def http(venue):
    with httpx.Client(base_url=venue.url, headers=HEADERS, timeout=PATIENCE_S) as client:
        yield client


def stream(venue, path="/stream"):
    """A socket that is logged in and listens."""
    ws = connect(f"ws{venue.url.removeprefix('http')}{path}").__enter__()
    ws.send(json.dumps({"action": "auth", "key": KEY, "secret": SECRET}))
    if path == "/stream":
        ws.send(json.dumps({"action": "listen", "data": {"streams": ["trade_updates"]}}))
        assert json.loads(ws.recv(PATIENCE_S))["data"]["status"] == "authorized"
        assert json.loads(ws.recv(PATIENCE_S))["stream"] == "listening"
    return ws


def hear(ws, wait_s=0.1):
    """What a socket has said."""
    frames = []
    try:
        while True:
            frames.append(ws.recv(wait_s))
    except (TimeoutError, ConnectionClosed):
        return frames


def events(frames):
    return [json.loads(frame)["data"]["event"] for frame in frames]


def test_a_gateway_gives_up_on_what_is_done(venue, http):
    venue.fault(kind="gateway_504", requests=["order"])
    answer = http.post("/v2/orders", json=LIMIT | {"client_order_id": "lost"})
    assert answer.status_code == 504 and "json" not in answer.headers["content-type"]
    again = http.post("/v2/orders", json=LIMIT | {"client_order_id": "lost"})
    assert (again.status_code, again.json()["code"]) == (422, 40010001)
    found = http.get("/v2/orders:by_client_order_id", params={"client_order_id": "lost"})
    assert found.json()["client_order_id"] == "lost"
    http.delete(f"/v2/orders/{found.json()['id']}")
    venue.advance(1)


def test_nobody_is_let_in_for_a_while(venue):
    venue.fault(kind="conn_limit", for_s=30)
    with stream(venue, "/v2/iex") as ws:
        told = [json.loads(frame)[0] for frame in hear(ws)]
        assert [one["msg"] for one in told] == ["connected", "connection limit exceeded"]
        assert ws.close_code == 1000
    venue.advance(31)
    with stream(venue, "/v2/iex") as ws:
        assert [json.loads(frame)[0]["msg"] for frame in hear(ws)] == ["connected", "authenticated"]


def test_a_replace_that_loses(venue, http):
    old = http.post("/v2/orders", json=LIMIT).json()
    venue.advance(1)
    venue.fault(kind="replace_race", for_s=5)
    new = http.patch(f"/v2/orders/{old['id']}", json={"limit_price": "60001"}).json()
    venue.advance(1)
    told = [http.get(f"/v2/orders/{one['id']}").json() for one in (old, new)]
    assert [(one["status"], one["filled_qty"]) for one in told] == [("filled", "0.01"), ("rejected", "0")]
    assert told[0]["filled_avg_price"] == "60000"
    venue.advance(5)


def test_frames_of_the_other_kind_and_a_status_that_nobody_knows(venue, http):
    with stream(venue) as ws:
        venue.fault(kind="binary_frames", for_s=5)
        venue.fault(kind="unknown_status", for_s=5)
        venue.advance(1)
        order = http.post("/v2/orders", json=LIMIT).json()
        venue.advance(1)
        assert order["status"] == "pending_settlement_review"
        frames = hear(ws)
        assert {type(frame) for frame in frames} == {str} and events(frames) == ["pending_new", "new"]
        venue.advance(5)
        http.delete(f"/v2/orders/{order['id']}")
        venue.advance(1)
        frames = hear(ws)
        assert {type(frame) for frame in frames} == {bytes} and events(frames) == ["pending_cancel", "canceled"]


def test_a_fill_is_told_to_who_has_come_back_meanwhile(venue, http):
    first = stream(venue)
    venue.fault(kind="late_fills", delay_s=8)
    order = http.post("/v2/orders", json=MARKET).json()
    venue.advance(1)
    venue.fault(kind="close", channels=["trade_updates"])
    assert events(hear(first)) == ["pending_new", "new"]
    with stream(venue) as second:
        assert http.get(f"/v2/orders/{order['id']}").json()["status"] == "filled"
        assert hear(second) == []
        venue.advance(8)
        (late,) = hear(second)
        told = json.loads(late)["data"]
        assert (told["event"], told["order"]["id"]) == ("fill", order["id"])
        row = http.get("/v2/account/activities/FILL").json()[0]
        assert (row["order_id"], row["qty"], row["transaction_time"]) == (order["id"], told["qty"], told["timestamp"])
    first.close()


def test_times_of_all_sorts(venue, http):
    venue.fault(kind="mixed_times", for_s=5)
    order = http.post("/v2/orders", json=MARKET).json()
    venue.advance(1)
    filled = http.get(f"/v2/orders/{order['id']}").json()
    assert filled["created_at"].endswith("-05:00") and filled["filled_at"].endswith("Z")
    venue.advance(5)
    assert http.get(f"/v2/orders/{order['id']}").json()["created_at"].endswith("Z")


def test_a_mute_stream_stays_open_and_answers_pings(venue, http):
    with stream(venue) as ws:
        venue.fault(kind="mute", for_s=0, channels=["trade_updates"])
        http.post("/v2/orders", json=MARKET)
        venue.advance(2)
        assert hear(ws) == []
        assert ws.ping().wait(PATIENCE_S)


class Still:
    """A clock that stands."""

    def __init__(self, at_ns):
        self.at_ns = at_ns

    def now_ns(self):
        return self.at_ns


def test_the_same_seed_is_the_same_venue():
    told = []
    for _ in range(2):
        asked = asked_alpaca(
            where=Where("127.0.0.1", 0),
            seed=5,
            speed=None,
            start=RTH,
            symbols=("BTC/USD", "CRM"),
            accounts=["KEYS:50000"],
        )
        doors = emulator_of_alpaca(asked, Still(asked.start_ns)).doors
        for name in asked.symbols:
            doors.exchange.watch(Topic("quotes", name))
        doors.reception.listeners["json/quotes/BTC/USD"] = doors.reception.listeners["msgpack/quotes/CRM"] = 1
        account = asked.accounts[0]
        headers = {"APCA-API-KEY-ID": account.key_id, "APCA-API-SECRET-KEY": account.secret}
        ask = Ask("POST", "/v2/orders", {}, headers, json.dumps(MARKET).encode(), "")
        frames = [doors.answer(doors.understand(ask), asked.start_ns).body]
        for turn in range(1, 100):
            frames += [delivery.frame for delivery in doors.advance(asked.start_ns + turn * 300_000_000)]
        told.append(frames)
    assert told[0] == told[1] and len(told[0]) > 30


@settings(max_examples=200)
@given(
    st.lists(
        st.one_of(
            st.text(max_size=40),
            st.binary(max_size=40),
            st.dictionaries(
                st.sampled_from(("action", "key", "secret", "data", "trades", "bars", "orderbooks", "streams")),
                st.one_of(
                    st.sampled_from(("auth", "authenticate", "subscribe", "unsubscribe", "listen", "PKMAIN", "s", "*")),
                    st.none(),
                    st.lists(st.sampled_from(("BTC/USD", "CRM", "*", "", None, 3)), max_size=3),
                    st.dictionaries(st.sampled_from(("key_id", "secret_key", "streams")), st.text(max_size=3)),
                ),
            ),
        ),
        max_size=8,
    ),
    st.sampled_from(("/stream", "/v1beta3/crypto/us", "/v2/iex")),
    st.booleans(),
)
def test_no_message_breaks_a_stream(said, path, login):
    desk = shared_desk()
    ear = Ear(desk, path)
    if login:
        ear.login() if path != "/stream" else ear.say(action="auth", key="PKMAIN", secret="s")
    for one in said:
        if ear.closed is not None:
            break
        text = json.dumps(one) if isinstance(one, dict) else one
        ear.take(ear.session.hear(text, desk.now_ns))
    if ear.closed is None:
        ear.session.end()
        desk.ears.remove(ear)
    assert not +desk.doors.reception.connections and not +desk.doors.reception.listeners


DESKS = []


def shared_desk():
    """One desk for all examples: nothing of one may stay for the next."""
    if not DESKS:
        DESKS.append(Desk())
    return DESKS[0]
