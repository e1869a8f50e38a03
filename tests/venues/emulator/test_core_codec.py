"""The adapter's codec reads what the exchange says: two readings of the same facts, neither written from the other."""

import pytest

from tests.venues.emulator.desk import AGENT, BTC, ETH, MASTER, START_NS, TSLA, Desk, S, cloid, wire
from venues.hyperliquid import info
from venues.hyperliquid.account_wire import OrderUpdates, UserFills
from venues.hyperliquid.answers import Done, Filled, Refused, Resting, read_answer
from venues.hyperliquid.wire import Candle, Complaint, Other, Posted, Subscribed, decode
from venues.market import Book, Trade

USER, START_MS = MASTER.address, START_NS // 1_000_000


@pytest.fixture
def desk():
    """An account with a past: fills, positions, orders, funding."""
    desk = Desk()
    desk.trade("BTC", 66001.0, 0.5, "buy")
    desk.order(ETH, "buy", "2000.1", "1", "Ioc", cloid=cloid(1))
    desk.order(TSLA, "sell", "399.99", "1", "Ioc")
    desk.order(ETH, "buy", "2000.2", "1", "Alo", cloid=cloid(2))  # refused
    desk.order(ETH, "sell", "2100", "1", reduce_only=True)
    desk.order(BTC, "buy", "65000", "0.01", "Alo", cloid=cloid(3))
    desk.market.sleep(3600)
    desk.wait(3600)
    return desk


def test_every_answer_is_read(desk):
    def ask(question):
        return question.read(desk.venue.info(question.body, desk.now_ns), desk.now_ns)

    dexs = ask(info.perp_dexs())
    assert [dex and dex.name for dex in dexs] == [None, "xyz"]
    assert [one.name for one in ask(info.meta("xyz")).universe] == ["xyz:TSLA"]
    assert len(ask(info.meta_and_contexts()).contexts) == 4
    assert ask(info.spot_meta()).universe and ask(info.all_mids())["BTC"] == 66_000.0
    assert len(ask(info.l2_book("BTC")).bids) == 20 and ask(info.l2_book("NOPE")) is None
    assert len(ask(info.candle_snapshot("BTC", "1m", START_MS - 60_000, START_MS))) == 2
    assert ask(info.funding_history("BTC", START_MS - 7_200_000))
    assert ask(info.exchange_status())
    state = ask(info.clearinghouse_state(USER))
    assert [row.position.coin for row in state.asset_positions] == ["ETH"]
    assert len(ask(info.clearinghouse_state(USER, "xyz")).asset_positions) == 1
    assert len(ask(info.open_orders(USER))) == 2 == len(ask(info.frontend_open_orders(USER)))
    assert ask(info.order_status(USER, cloid(1))).status == "filled"
    assert ask(info.order_status(USER, cloid(9))) is None
    fills = ask(info.user_fills(USER))
    assert len(fills) == 2 and ask(info.user_fills_by_time(USER, 0)) == fills[::-1]
    assert len(ask(info.historical_orders(USER))) == 5
    assert len(ask(info.user_funding(USER, 0))) == 2
    assert ask(info.ledger_updates(USER, 0)) == ()
    assert ask(info.user_rate_limit(USER)) and ask(info.user_fees(USER)) and ask(info.user_role(USER))
    assert [one.address for one in ask(info.extra_agents(USER))] == [AGENT.address]


def test_every_frame_is_read():
    desk = Desk()
    heard, venue = [], desk.venue
    coins = [{"type": kind, "coin": "ETH"} for kind in ("bbo", "trades", "activeAssetCtx", "l2Book")]
    fast = {"type": "l2Book", "coin": "ETH", "fast": True}
    candle = {"type": "candle", "coin": "ETH", "interval": "1m"}
    users = [{"type": kind, "user": USER} for kind in ("userFills", "orderUpdates", "userEvents", "userFundings")]
    for subscription in (*coins, fast, candle, *users):
        topic = venue.topic(subscription)
        heard += [topic.ack("subscribe"), *venue.snapshot(topic, desk.now_ns)]
        venue.watch(topic)

    def hear():
        heard.extend(told.frame for told in venue.advance(desk.now_ns))

    desk.hear = hear
    desk.trade("ETH", 2000.1, 0.5, "buy")
    desk.order(ETH, "buy", "2000.1", "1", "Ioc", cloid=cloid(1))
    desk.order(ETH, "buy", "1990", "1", "Alo")
    desk.market.sleep(3600)
    desk.wait(3610)
    desk.venue.delist("ETH", desk.now_ns)
    desk.wait(1)
    read = [part for frame in heard for part in _listed(decode(frame, desk.now_ns))]
    kinds = {type(one) for one in read}
    assert {Book, Trade, Candle, Subscribed, UserFills, OrderUpdates} <= kinds
    assert not any(isinstance(one, Other | Complaint) for one in read), [one for one in read if isinstance(one, Other)]


def _listed(heard):
    return heard if isinstance(heard, list | tuple) else [heard]


def test_every_verdict_is_read(desk):
    def verdicts(action, asked, who=AGENT):
        return read_answer(desk.venue.exchange(desk.body(action, who), desk.now_ns), asked)

    def orders(*wires):
        return verdicts({"type": "order", "orders": list(wires), "grouping": "na"}, len(wires))

    resting, filled, small = orders(
        wire(ETH, "buy", "1990", "1"), wire(BTC, "buy", "66001", "0.01", "Ioc"), wire(ETH, "buy", "1990", "0.001")
    )
    assert (type(resting), type(filled), type(small)) == (Resting, Filled, Refused)
    far = orders(wire(ETH, "buy", "1990", "1"), wire(ETH, "buy", "10", "1"))
    assert [type(one) for one in far] == [Refused, Refused]
    done, over = verdicts({"type": "cancel", "cancels": [{"a": ETH, "o": resting.oid}, {"a": ETH, "o": 1}]}, 2)
    assert isinstance(done, Done) and isinstance(over, Refused)
    assert verdicts({"type": "noop"}, 0) == (Done(),)


def test_posts_are_read(desk):
    question = info.all_mids()
    message = {"method": "post", "id": 3, "request": {"type": "info", "payload": question.body}}
    posted = decode(desk.venue.posted(message, desk.now_ns), desk.now_ns + S)
    assert isinstance(posted, Posted)
    assert question.read_posted(posted)["ETH"] == 2_000.0
