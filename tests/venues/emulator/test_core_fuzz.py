"""Nonsense of every kind: the exchange answers, or refuses with a status, and does nothing else."""

import json

from hypothesis import given, settings
from hypothesis import strategies as st

from tests.venues.emulator.desk import AGENT, ETH, MASTER, START_NS, Desk, cloid, wire
from venues.emulator.hyperliquid.errors import BadRequest, Refused, UnknownCoin

START_MS = START_NS // 1_000_000
anything = st.recursive(
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats()
    | st.text(max_size=8)
    | st.sampled_from(["BTC", "1", "0x1"]),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=4), inner, max_size=3),
    max_leaves=4,
)
ACTIONS = (
    {"type": "order", "orders": [wire(ETH, "buy", "1990", "1", cloid=cloid(1))], "grouping": "na"},
    {"type": "cancel", "cancels": [{"a": ETH, "o": 1}]},
    {"type": "cancelByCloid", "cancels": [{"asset": ETH, "cloid": cloid(1)}]},
    {"type": "batchModify", "modifies": [{"oid": 1, "order": wire(ETH, "buy", "1990", "1")}]},
    {"type": "modify", "oid": 1, "order": wire(ETH, "buy", "1990", "1")},
    {"type": "updateLeverage", "asset": ETH, "isCross": True, "leverage": 3},
    {"type": "updateIsolatedMargin", "asset": ETH, "isBuy": True, "ntli": 1},
    {"type": "scheduleCancel", "time": START_MS + 60_000},
    {"type": "reserveRequestWeight", "weight": 1},
    {"type": "noop"},
)
USER = {"user": MASTER.address}
QUESTIONS = (
    {"type": "meta", "dex": "xyz"},
    {"type": "metaAndAssetCtxs", "dex": ""},
    {"type": "allMids", "dex": "xyz"},
    {"type": "l2Book", "coin": "BTC", "nSigFigs": 5, "mantissa": 2},
    {"type": "recentTrades", "coin": "BTC"},
    {"type": "candleSnapshot", "req": {"coin": "BTC", "interval": "1m", "startTime": START_MS, "endTime": START_MS}},
    {"type": "fundingHistory", "coin": "BTC", "startTime": START_MS, "endTime": START_MS},
    {"type": "clearinghouseState", "dex": "xyz", **USER},
    {"type": "activeAssetData", "coin": "BTC", **USER},
    {"type": "frontendOpenOrders", "dex": "xyz", **USER},
    {"type": "orderStatus", "oid": cloid(1), **USER},
    {"type": "userFillsByTime", "startTime": 0, "endTime": START_MS, **USER},
    {"type": "userFunding", "startTime": 0, "endTime": START_MS, **USER},
    {"type": "userRole", **USER},
)
SUBSCRIPTIONS = (
    {"type": "l2Book", "coin": "BTC", "nSigFigs": 5, "mantissa": 2, "fast": True},
    {"type": "candle", "coin": "BTC", "interval": "1m"},
    {"type": "allMids", "dex": "xyz"},
    {"type": "userFills", "aggregateByTime": True, **USER},
)


def places(value, path=()):
    """Every place in a value."""
    yield path
    inner = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    for name, one in inner:
        yield from places(one, (*path, name))


def changed(value, path, new):
    if not path:
        return new
    copy = value.copy()
    copy[path[0]] = changed(value[path[0]], path[1:], new)
    return copy


@st.composite
def mutated(draw, originals):
    """One of the originals with something else in one place."""
    original = draw(st.sampled_from(originals))
    return changed(original, draw(st.sampled_from(list(places(original)))), draw(anything))


@settings(max_examples=200)
@given(st.lists(mutated(ACTIONS), min_size=1, max_size=10))
def test_actions(actions):
    desk = Desk()
    for action in actions:
        try:
            body = desk.body(action)
        except (
            TypeError,
            ValueError,
            OverflowError,
            KeyError,
        ):  # what can't be signed is sent with another's signature
            body = desk.body({"type": "noop"}, AGENT) | {"action": action}
        try:
            assert desk.post(body)["status"] in ("ok", "err")
        except Refused as refused:
            assert refused.status == 422
    desk.wait(2)


@settings(max_examples=100)
@given(mutated(({"action": {"type": "noop"}, "nonce": 1, "signature": {"r": "0x1", "s": "0x2", "v": 27}},)))
def test_bodies(body):
    try:
        assert Desk().post(body)["status"] == "err"
    except Refused as refused:
        assert refused.status == 422


DESK = Desk()  # questions change nothing


@settings(max_examples=400)
@given(mutated(QUESTIONS))
def test_questions(body):
    DESK.venue.usage.weights.clear()
    try:
        json.loads(DESK.venue.info(body, DESK.now_ns))
    except Refused as refused:
        assert refused.status in (422, 500)
    message = {"method": "post", "id": 1, "request": {"type": "info", "payload": body}}
    assert json.loads(DESK.venue.posted(message, DESK.now_ns))["channel"] == "post"


@settings(max_examples=200)
@given(mutated(SUBSCRIPTIONS))
def test_subscriptions(subscription):
    try:
        topic = DESK.venue.topic(subscription)
    except (UnknownCoin, BadRequest):
        return
    for frame in DESK.venue.snapshot(topic, DESK.now_ns):
        json.loads(frame)
