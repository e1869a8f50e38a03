"""Hyperliquid's WebSocket, as probes and the venue's pages describe it, on real sockets and stepped time."""

import json
import time
from collections.abc import Iterator
from contextlib import ExitStack

import eth_account
import pytest
from hyperliquid.exchange import Exchange
from hyperliquid.utils.signing import sign_l1_action
from websockets.exceptions import ConnectionClosed, InvalidStatus
from websockets.sync.client import ClientConnection, connect

from supervisor.clock import NS_PER_S
from tests.venues.emulator.running import ADDRESS, KEY, Running, running
from venues.emulator.doors import Around, HangUp
from venues.emulator.hyperliquid.sockets import Conversation, Reception, SocketLimits

IOC, ALO = {"limit": {"tif": "Ioc"}}, {"limit": {"tif": "Alo"}}
FILLS = {"type": "userFills", "user": ADDRESS}


@pytest.fixture
def venue() -> Iterator[Running]:
    with running() as server:
        yield server


@pytest.fixture
def exchange(venue: Running) -> Exchange:
    return Exchange(eth_account.Account.from_key(KEY), venue.url, perp_dexs=["", "xyz"], timeout=10)


@pytest.fixture
def ws(venue: Running) -> Iterator[ClientConnection]:
    with opened(venue) as socket:
        yield socket


def opened(venue: Running) -> ClientConnection:
    return connect(f"ws{venue.url.removeprefix('http')}/ws", ping_interval=None, compression=None)


def said(ws: ClientConnection, wait_s: float = 0.1) -> list:
    """Every frame until it is quiet; None for its end."""
    frames: list = []
    while True:
        try:
            frames.append(json.loads(ws.recv(wait_s)))
        except TimeoutError:
            return frames
        except ConnectionClosed:
            return [*frames, None]


def tell(ws: ClientConnection, method: str, **more) -> None:
    ws.send(json.dumps({"method": method, **more}))


def asked(ws: ClientConnection, method: str, **more) -> list:
    tell(ws, method, **more)
    return said(ws)


def subscribe(ws: ClientConnection, **subscription) -> list:
    return asked(ws, "subscribe", subscription=subscription)


def channels(frames: list) -> list[str]:
    return [frame["channel"] for frame in frames]


def test_an_ack_has_the_defaults_and_the_book_comes_at_once(ws):
    ack, book = subscribe(ws, type="l2Book", coin="BTC")
    assert ack["channel"] == "subscriptionResponse" and ack["data"]["method"] == "subscribe"
    assert {"type": "l2Book", "coin": "BTC", "nSigFigs": None, "mantissa": None}.items() <= ack["data"][
        "subscription"
    ].items()
    assert book["channel"] == "l2Book" and [len(side) for side in book["data"]["levels"]] == [20, 20]


def test_twice_is_an_error_and_the_socket_stays(ws):
    subscribe(ws, type="trades", coin="BTC")
    (error,) = subscribe(ws, type="trades", coin="BTC")
    assert error["channel"] == "error" and error["data"].startswith('Already subscribed: {"type":"trades"')
    (ack,) = asked(ws, "unsubscribe", subscription={"type": "trades", "coin": "BTC"})
    assert ack["data"]["method"] == "unsubscribe"
    (error,) = asked(ws, "unsubscribe", subscription={"type": "trades", "coin": "BTC"})
    assert error["data"].startswith("Already unsubscribed: ")
    assert asked(ws, "ping") == [{"channel": "pong"}]


@pytest.mark.parametrize(
    "text",
    [
        "{",
        "[]",
        "1",
        '{"method":"dance"}',
        '{"method":"subscribe"}',
        '{"method":"subscribe","subscription":{"type":"weather"}}',
        '{"method":"subscribe","subscription":{"type":"l2Book"}}',
        '{"method":"subscribe","subscription":{"type":"userFills","user":"me"}}',
        '{"method":"post","id":"a","request":{"type":"info","payload":{"type":"meta"}}}',
        '{"method":"post","id":1,"request":{"type":"dance"}}',
    ],
)
def test_what_cannot_be_read_is_answered_with_itself(ws, text):
    ws.send(text)
    (error,) = said(ws)
    assert error == {"channel": "error", "data": f"Error parsing JSON into valid websocket request: {text}"}
    assert asked(ws, "ping") == [{"channel": "pong"}]


@pytest.mark.parametrize("coin", ["NOPE", "btc", "XYZ:TSLA", "TSLA"])
def test_an_unlisted_name_takes_the_whole_socket_down_without_a_word(venue, ws, coin):
    subscribe(ws, type="l2Book", coin="BTC")
    assert subscribe(ws, type="l2Book", coin=coin) == []
    venue.advance(0.1)
    assert said(ws)[-1] is None
    assert ws.close_code == 1006


def test_a_delisted_name_is_acknowledged_and_has_an_empty_book(ws):
    ack, book = subscribe(ws, type="l2Book", coin="MATIC")
    assert ack["channel"] == "subscriptionResponse" and book["data"]["levels"] == [[], []]


def test_who_says_nothing_for_60_s_is_closed_and_hearing_does_not_count(venue):
    with opened(venue) as quiet, opened(venue) as pinging:
        subscribe(quiet, type="l2Book", coin="BTC")
        for _ in range(2):
            venue.advance(29)
            assert asked(pinging, "ping")[-1] == {"channel": "pong"}
        assert None not in said(quiet)
        venue.advance(3)
        assert said(quiet)[-1] is None
        assert asked(pinging, "ping") == [{"channel": "pong"}]


def test_both_cadences_of_the_book(venue):
    with opened(venue) as slow, opened(venue) as fast:
        subscribe(slow, type="l2Book", coin="BTC")
        subscribe(fast, type="l2Book", coin="BTC", fast=True)
        venue.advance(54)
        books = said(slow), said(fast)
    assert len(books[0]) == 10 and {len(book["data"]["levels"][0]) for book in books[0]} == {20}
    assert 90 <= len(books[1]) <= 110 and {len(book["data"]["levels"][0]) for book in books[1]} == {5}
    stamps = [book["data"]["time"] for book in books[1]]
    assert stamps == sorted(stamps)


def test_old_trades_are_replayed_to_each_new_subscriber(venue, ws):
    _, replay = subscribe(ws, type="trades", coin="BTC")
    assert replay["channel"] == "trades" and 1 <= len(replay["data"]) <= 30
    venue.advance(20)
    seen = {trade["tid"] for trade in replay["data"]}
    fresh = [trade["tid"] for frame in said(ws) for trade in frame["data"]]
    assert fresh and not seen & {*fresh} and len({*fresh}) == len(fresh)


def test_fills_made_while_away_are_in_the_snapshot_of_every_subscription(venue, exchange, ws):
    assert channels(subscribe(ws, **FILLS)) == ["subscriptionResponse", "userFills"]
    exchange.market_open("ETH", True, 0.5)
    (live,) = [frame for frame in said(ws) if frame]
    assert not live["data"].get("isSnapshot")
    exchange.market_close("ETH")
    with opened(venue) as again:
        _, snapshot = subscribe(again, **FILLS)
    assert snapshot["data"]["isSnapshot"] and {fill["tid"] for fill in live["data"]["fills"]} < {
        fill["tid"] for fill in snapshot["data"]["fills"]
    }


def signed(action: dict) -> dict:
    nonce = time.time_ns() // 1_000_000
    signature = sign_l1_action(eth_account.Account.from_key(KEY), action, None, nonce, None, False)
    return {"action": action, "nonce": nonce, "signature": signature, "vaultAddress": None}


def post(ws: ClientConnection, number: int, kind: str, payload: dict) -> list:
    return asked(ws, "post", id=number, request={"type": kind, "payload": payload})


def buy(venue: Running, tif: str = "Ioc") -> dict:
    price = f"{float(venue.info('allMids')['ETH']) * (1.02 if tif == 'Ioc' else 0.95):.4g}"
    order = {"a": 1, "b": True, "p": price, "s": "0.5", "r": False, "t": {"limit": {"tif": tif}}}
    return {"type": "order", "orders": [order], "grouping": "na"}


def test_questions_and_actions_by_post(venue, ws):
    (answer,) = post(ws, 7, "info", {"type": "l2Book", "coin": "BTC"})
    assert answer["channel"] == "post" and answer["data"]["id"] == 7
    assert answer["data"]["response"]["payload"]["data"]["coin"] == "BTC"
    subscribe(ws, **FILLS)
    frames = post(ws, 8, "action", signed(buy(venue)))
    assert channels(frames) == ["post", "userFills"]
    (status,) = frames[0]["data"]["response"]["payload"]["response"]["data"]["statuses"]
    assert float(status["filled"]["totalSz"]) == 0.5


def test_faults_befall_posts_as_they_do_requests(venue, ws):
    venue.fault(kind="inner_error", text="No.")
    (answer,) = post(ws, 1, "action", signed(buy(venue)))
    assert answer["data"]["response"]["payload"]["response"]["data"]["statuses"] == [{"error": "No."}]
    venue.fault(kind="http_429", requests=["action", "exchange"])
    (answer,) = post(ws, 2, "action", signed(buy(venue)))
    assert answer["data"]["response"] == {"type": "error", "payload": "429: null"}
    assert venue.truth()["positions"] == {}
    venue.fault(kind="timeout_after_accept", requests=["exchange"])
    assert post(ws, 3, "action", signed(buy(venue))) == []
    assert float(venue.truth()["positions"]["ETH"]) == 0.5
    venue.fault(kind="timeout_after_accept", delay_s=8, requests=["exchange"])
    assert post(ws, 4, "action", signed(buy(venue))) == []
    venue.advance(8)
    assert [frame["data"]["id"] for frame in said(ws)] == [4]
    venue.fault(kind="lost_before", requests=["exchange"])
    assert post(ws, 5, "action", signed(buy(venue))) == [None] and ws.close_code == 1006
    assert float(venue.truth()["positions"]["ETH"]) == 1.0


def test_partial_fills_leave_the_rest(venue, exchange):
    venue.fault(kind="partial_fills", share=0.0001, for_s=30)
    (status,) = exchange.market_open("BTC", True, 2.0, slippage=0.003)["response"]["data"]["statuses"]
    assert 0 < float(status["filled"]["totalSz"]) < 2.0
    venue.advance(31)
    (status,) = exchange.market_open("BTC", True, 0.1, slippage=0.003)["response"]["data"]["statuses"]
    assert float(status["filled"]["totalSz"]) == 0.1


def test_after_a_restart_only_post_only_orders_are_taken(venue, exchange):
    mid = float(exchange.info.all_mids()["ETH"])
    venue.fault(kind="restart", for_s=20, post_only_s=20)
    venue.advance(20)
    answer = exchange.order("ETH", True, 0.5, float(f"{mid * 1.02:.4g}"), IOC)
    assert "Only post-only orders allowed" in json.dumps(answer)
    (status,) = exchange.order("ETH", True, 0.5, float(f"{mid * 0.9:.4g}"), ALO)["response"]["data"]["statuses"]
    assert "resting" in status
    venue.advance(20)
    (status,) = exchange.market_open("ETH", True, 0.5)["response"]["data"]["statuses"]
    assert "filled" in status


def test_delisting_takes_a_name_off_with_its_orders_and_positions(venue, exchange):
    exchange.market_open("ETH", True, 0.5)
    mid = float(exchange.info.all_mids()["ETH"])
    exchange.order("ETH", True, 0.5, float(f"{mid * 0.9:.4g}"), ALO)
    venue.fault(kind="delist", symbols=["ETH"])
    truth = venue.truth()
    assert (truth["positions"], truth["open_orders"]) == ({}, [])
    assert [asset["name"] for asset in venue.info("meta")["universe"] if asset.get("isDelisted")] == ["ETH", "MATIC"]


def test_clock_skew_expires_what_was_in_time(venue, exchange):
    mid = float(exchange.info.all_mids()["ETH"])
    exchange.set_expires_after(time.time_ns() // 1_000_000 + 30_000)
    venue.fault(kind="clock_skew", skew_ms=60_000, for_s=60)
    answer = exchange.order("ETH", True, 0.5, float(f"{mid * 0.9:.4g}"), ALO)
    assert "resting" not in json.dumps(answer)


def test_the_eleventh_connection_of_an_address_is_refused(venue):
    with ExitStack() as stack:
        for _ in range(10):
            stack.enter_context(opened(venue))
        with pytest.raises(InvalidStatus, match="429"):
            opened(venue)
    limits = venue.statistics()["venue"]["by_ip"]["127.0.0.1"]
    assert limits["highest"]["connections"] == 11 and limits["refused"] == {"connections": 1}


class Wire:
    """A Link that remembers what it holds."""

    ip = "10.0.0.1"

    def __init__(self):
        self.held = set()

    def hold(self, key):
        self.held.add(key)

    def release(self, key):
        self.held.remove(key)


@pytest.fixture
def conversation(venue):
    """One without a socket, whose address may do little."""
    limits = SocketLimits(subscriptions=3, messages_per_minute=8, users=2)
    around = Around(lambda question, do, wrong: None, venue.emulator.venue_ns)
    return Conversation(venue.emulator.doors.exchange, Reception(limits), Wire(), around, venue.emulator.venue_ns())


def frames(conversation, now_ns, **subscription):
    text = json.dumps({"method": "subscribe", "subscription": subscription})
    return [json.loads(reply.frame) for reply in conversation.hear(text, now_ns)]


def test_limits_of_subscriptions_users_and_messages(conversation, venue):
    now_ns = venue.emulator.venue_ns()
    users = ["0x" + digit * 40 for digit in "123"]
    assert [channels(frames(conversation, now_ns, type="orderUpdates", user=user)) for user in users] == [
        ["subscriptionResponse"],
        ["subscriptionResponse"],
        ["error"],
    ]
    assert len(frames(conversation, now_ns, type="trades", coin="BTC")) == 2
    assert channels(frames(conversation, now_ns, type="trades", coin="ETH")) == ["error"]
    assert len(conversation.topics) == 3 == len(conversation._link.held)
    for _ in range(3):
        assert [reply.frame for reply in conversation.hear('{"method":"ping"}', now_ns)] == [b'{"channel":"pong"}']
    (refusal,) = conversation.hear('{"method":"ping"}', now_ns)
    assert b"Too many" in refusal.frame
    assert len(list(conversation.hear('{"method":"ping"}', now_ns + 61 * NS_PER_S))) == 1
    conversation.end()
    assert conversation._link.held == set() and not conversation._guest.users


def test_a_conversation_that_is_over_says_nothing_more(conversation):
    with pytest.raises(HangUp):
        frames(conversation, conversation.heard_ns, type="trades", coin="NOPE")
    assert frames(conversation, conversation.heard_ns, type="trades", coin="BTC") == []
    conversation.tick(conversation.heard_ns + 61 * NS_PER_S)  # hung up on already
