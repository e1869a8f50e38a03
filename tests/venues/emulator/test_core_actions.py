"""Who may do what, when, how often, and with which money: the exchange door by plain calls."""

import json
from decimal import Decimal

import pytest
from msgspec.structs import replace

from tests.venues.emulator.desk import (
    ACCOUNTS,
    AGENT,
    BTC,
    CONFIG,
    ETH,
    MASTER,
    OTHER,
    POOR,
    START_NS,
    STRANGER,
    SUB,
    TSLA,
    Desk,
    S,
    cloid,
    wire,
)
from venues.emulator.hyperliquid.config import AccountConfig
from venues.emulator.hyperliquid.errors import Refused

NOOP = {"type": "noop"}
DAY_MS = 86_400_000


@pytest.fixture
def desk():
    return Desk()


def snapshot(desk):
    """All that a refused request must leave alone."""
    return [
        desk.ask(kind, user, **more)
        for user in (MASTER, OTHER, POOR, SUB)
        for kind, more in (
            ("clearinghouseState", {}),
            ("clearinghouseState", {"dex": "xyz"}),
            ("spotClearinghouseState", {}),
            ("historicalOrders", {}),
            ("userFills", {}),
            ("userRateLimit", {}),
        )
    ]


# --- who --------------------------------------------------------------------------------------------------------------


def test_master_and_agent_sign_for_the_same_account(desk):
    assert desk.done(NOOP, MASTER) == desk.done(NOOP, AGENT) == {"type": "default"}
    desk.order(ETH, "buy", "1990", "1")
    assert len(desk.ask("openOrders", MASTER)) == 1
    assert desk.ask("openOrders", AGENT) == []  # an agent's address answers empty, not an error
    assert desk.ask("clearinghouseState", AGENT)["marginSummary"]["accountValue"] == "0.0"


def test_a_stranger_is_told_the_address_that_was_recovered(desk):
    before = snapshot(desk)
    text = f"User or API Wallet {STRANGER.address} does not exist."
    assert (
        desk.refused({"type": "order", "orders": [wire(ETH, "buy", "1990", "1")], "grouping": "na"}, STRANGER) == text
    )
    assert desk.refused(NOOP, STRANGER, vault=MASTER.address) == text
    assert snapshot(desk) == before
    desk.venue.approve(STRANGER.address, MASTER.address, "second")
    assert desk.done(NOOP, STRANGER) == {"type": "default"}


def test_whoever_never_deposited_must(desk):
    text = f"Must deposit before performing actions. User: {POOR.address}"
    assert desk.refused(NOOP, POOR) == text
    desk.venue.deposit(POOR.address, Decimal(100), desk.now_ns)
    assert desk.done(NOOP, POOR) == {"type": "default"}
    assert desk.ask("clearinghouseState", POOR)["marginSummary"]["accountValue"] == "100.0"
    assert desk.ask("userNonFundingLedgerUpdates", POOR, startTime=0)[0]["delta"] == {"type": "deposit", "usdc": "100"}


def test_a_signature_of_the_other_chain_is_somebody_elses():
    desk = Desk(replace(CONFIG, mainnet=True))
    assert "does not exist" in desk.refused(NOOP, MASTER)


def test_a_changed_byte_is_somebody_elses(desk):
    body = desk.body({"type": "order", "orders": [wire(ETH, "buy", "1990", "1")], "grouping": "na"})
    for change in ({"p": "1991"}, {"s": "2"}, {"b": False}, {"r": True}):
        order = body["action"]["orders"][0] | change
        answer = desk.post(body | {"action": body["action"] | {"orders": [order]}})
        assert answer["status"] == "err" and "does not exist" in answer["response"]
    answer = desk.post(body | {"nonce": body["nonce"] + 1})
    assert "does not exist" in answer["response"]
    assert desk.ask("historicalOrders") == []


def test_the_venue_hashes_what_it_read_and_not_what_it_was_sent(desk):
    action = {"type": "order", "orders": [wire(ETH, "buy", "1990", "1", cloid=cloid(1))], "grouping": "na"}
    body = desk.body(action)
    order = dict(reversed(body["action"]["orders"][0].items()))
    shuffled = {"grouping": "na", "orders": [order], "type": "order"}
    assert desk.post(body | {"action": shuffled})["status"] == "ok"  # the order of keys in the JSON is nothing
    wrong = {"grouping": "na", "orders": [wire(ETH, "buy", "1990", "1")], "type": "order"}
    assert "does not exist" in desk.refused(wrong)  # but in what was signed it is
    zeros = {"type": "order", "orders": [wire(ETH, "buy", "1990.0", "1")], "grouping": "na"}
    assert "does not exist" in desk.refused(zeros)


def test_a_signature_that_is_nobodys(desk):
    body = desk.body(NOOP)
    broken = {"r": "0x0", "s": "0x0", "v": 27}
    assert desk.post(body | {"signature": broken}) == {"status": "err", "response": "Unable to recover signer."}


@pytest.mark.parametrize(
    "change",
    [
        {"action": None},
        {"action": {"type": "dance"}},
        {"action": {"type": "order"}},
        {"action": {"type": "updateLeverage", "asset": 0, "isCross": "yes", "leverage": 3}},
        {"action": {"type": "updateLeverage", "asset": 0, "isCross": True}},
        {"action": {"type": "cancel", "cancels": [{"o": 1}]}},
        {"nonce": "now"},
        {"signature": None},
        {"signature": {"r": "0x1"}},
    ],
)
def test_what_cannot_be_read_is_a_422(desk, change):
    before = snapshot(desk)
    with pytest.raises(Refused) as refused:
        desk.post(desk.body(NOOP) | change)
    assert refused.value.status == 422
    assert snapshot(desk) == before


def test_for_a_sub_account_its_master_signs(desk):
    action = {"type": "order", "orders": [wire(ETH, "buy", "1990", "0.1")], "grouping": "na"}
    assert "resting" in desk.done(action, AGENT, vault=SUB.address)["data"]["statuses"][0]
    assert len(desk.ask("openOrders", SUB)) == 1 and desk.ask("openOrders") == []
    assert desk.ask("userRole", SUB) == {"role": "subAccount", "data": {"master": MASTER.address}}
    assert desk.refused(NOOP, OTHER, vault=SUB.address) == f"Vault not registered: {SUB.address}"
    assert desk.refused(NOOP, OTHER, vault=MASTER.address) == f"Vault not registered: {MASTER.address}"


# --- when -------------------------------------------------------------------------------------------------------------


def test_a_nonce_is_used_once_by_each_signer(desk):
    body = desk.body(NOOP)
    assert desk.post(body)["status"] == "ok"
    assert desk.post(body) == {"status": "err", "response": f"Invalid nonce: duplicate nonce {body['nonce']}"}
    assert desk.do(NOOP, MASTER, nonce=body["nonce"])["status"] == "ok"


def test_a_burnt_nonce_kills_the_order_in_flight(desk):
    order = desk.body({"type": "order", "orders": [wire(ETH, "buy", "1990", "1")], "grouping": "na"})
    assert desk.do(NOOP, nonce=order["nonce"])["status"] == "ok"
    assert "duplicate nonce" in desk.post(order)["response"]
    assert desk.ask("openOrders") == []


def test_nonces_live_in_a_window_and_the_hundred_highest_are_kept(desk):
    now = desk.now_ns // 1_000_000
    assert "nonce too low" in desk.refused(NOOP, nonce=now - 2 * DAY_MS)
    assert "nonce too high" in desk.refused(NOOP, nonce=now + DAY_MS)
    for nonce in (now - 2 * DAY_MS + 1, now + DAY_MS - 1, now - 1000):
        assert desk.do(NOOP, nonce=nonce)["status"] == "ok"
    for number in range(100):
        assert desk.do(NOOP, nonce=now + number)["status"] == "ok"
    assert desk.refused(NOOP, nonce=now - 500) == f"Invalid nonce: nonce too low {now - 500} < {now + 1}"
    assert desk.do(NOOP, nonce=now + 1000)["status"] == "ok"


def test_a_refused_action_leaves_its_nonce(desk):
    action = {"type": "updateLeverage", "asset": BTC, "isCross": True, "leverage": 99}
    assert desk.refused(action) == "Invalid leverage value"
    assert desk.do(NOOP, nonce=desk.nonce)["status"] == "ok"


def test_an_action_that_comes_after_its_expiry_does_nothing_and_costs_five_times(desk):
    action = {"type": "order", "orders": [wire(ETH, "buy", "1990", "1")], "grouping": "na"}
    now = desk.now_ns // 1_000_000
    assert desk.refused(action, expires_ms=now - 1) == "Action already expired"
    assert desk.ask("openOrders") == [] and desk.ask("userRateLimit")["nRequestsUsed"] == 5
    assert "resting" in desk.done(action, expires_ms=now)["data"]["statuses"][0]


# --- how often --------------------------------------------------------------------------------------------------------


def test_an_address_has_so_many_requests_and_more_for_cancels():
    desk = Desk(replace(CONFIG, requests_initial=3))
    oids = [desk.order(ETH, "buy", "1990", "1")["resting"]["oid"] for _ in range(3)]
    desk.order(ETH, "buy", "1990", "1")  # one each ten seconds goes through
    text = (
        "Too many cumulative requests sent (5 > 3) for cumulative volume traded $0.00. "
        "Place taker orders to free up 1 request per USDC traded."
    )
    action = {"type": "order", "orders": [wire(ETH, "buy", "1990", "1")], "grouping": "na"}
    before = snapshot(desk)
    assert desk.refused(action) == text
    assert snapshot(desk) == before
    assert desk.cancel(ETH, oids[0]) == desk.cancel(ETH, oids[1]) == "success"  # twice as many
    desk.wait(10)
    assert "filled" in desk.order(ETH, "buy", "2001", "0.01", "Ioc")
    assert desk.ask("userRateLimit") == {
        "cumVlm": "20.001",
        "nRequestsUsed": 7,
        "nRequestsCap": 23,
        "nRequestsSurplus": 0,
    }
    assert "resting" in desk.order(ETH, "buy", "1990", "1")


def test_weight_is_counted_by_the_minute_and_its_highest_is_kept(desk):
    desk.ask("userRole")  # 60
    for _ in range(10):
        desk.info("meta")  # 20 each
    desk.info("l2Book", coin="BTC")  # 2
    desk.do(NOOP)  # 1
    assert desk.venue.usage.weights["127.0.0.1"].highest == 263
    desk.wait(61)
    desk.info("meta")
    window = desk.venue.usage.weights["127.0.0.1"]
    assert (window.now, window.highest, window.total) == (20, 263, 283)


def test_over_1200_a_minute_is_a_429_for_that_address_alone(desk):
    for _ in range(60):
        desk.info("meta")
    with pytest.raises(Refused) as refused:
        desk.info("meta")
    assert (refused.value.status, refused.value.body) == (429, "null")
    body = desk.body(NOOP)
    with pytest.raises(Refused):
        desk.post(body)
    assert desk.venue.info({"type": "meta"}, desk.now_ns, "10.0.0.2")
    desk.wait(61)
    assert desk.post(body)["status"] == "ok"
    assert desk.venue.usage.refused_429 == 2


def test_long_answers_weigh_more(desk):
    start = START_NS // 1_000_000 - 240 * 60_000
    rows = desk.info("candleSnapshot", req={"coin": "BTC", "interval": "1m", "startTime": start, "endTime": start * 2})
    assert len(rows) == 241 and desk.venue.usage.weights["127.0.0.1"].now == 24


def test_batches_weigh_by_forties(desk):
    desk.done({"type": "cancel", "cancels": [{"a": ETH, "o": number} for number in range(80)]})
    assert desk.venue.usage.weights["127.0.0.1"].now == 3


# --- leverage and money -----------------------------------------------------------------------------------------------


def leverage(asset, value, cross=True):
    return {"type": "updateLeverage", "asset": asset, "isCross": cross, "leverage": value}


def test_leverage(desk):
    assert desk.done(leverage(ETH, 5)) == {"type": "default"}
    assert "Insufficient margin" in desk.order(ETH, "buy", "1999", "26")["error"]
    assert "resting" in desk.order(ETH, "buy", "1999", "24")
    assert desk.refused(leverage(ETH, 26)) == desk.refused(leverage(ETH, 0)) == "Invalid leverage value"
    assert desk.refused(leverage(TSLA, 5)) == "Cross margin is not allowed for this asset."
    assert desk.done(leverage(TSLA, 5, cross=False)) == {"type": "default"}
    assert desk.refused(leverage(TSLA, 11, cross=False)) == "Invalid leverage value"


def test_leverage_with_a_position(desk):
    assert desk.done(leverage(ETH, 25)) == {"type": "default"}
    for _ in range(12):
        desk.order(ETH, "buy", "2000.1", "1", "Ioc")
        desk.wait(0.5)
    assert desk.position("ETH")["leverage"] == {"type": "cross", "value": 25}
    assert desk.refused(leverage(ETH, 5, cross=False)) == "Cannot switch leverage type with open position."
    before = snapshot(desk)
    assert desk.refused(leverage(ETH, 2)).startswith("Cross position does not have sufficient margin available")
    assert snapshot(desk) == before
    assert desk.done(leverage(ETH, 3)) == {"type": "default"}
    assert desk.position("ETH")["leverage"]["value"] == 3


def test_isolated_margin(desk):
    desk.done(leverage(TSLA, 5, cross=False))
    desk.order(TSLA, "buy", "400.01", "1", "Ioc")
    position = desk.position("xyz:TSLA")
    assert position["leverage"] == {"type": "isolated", "value": 5, "rawUsd": "-320.008"}
    assert position["marginUsed"] == "79.992" and position["liquidationPx"] == "336.85052632"
    assert desk.done({"type": "updateIsolatedMargin", "asset": TSLA, "isBuy": True, "ntli": 10_000_000}) == {
        "type": "default"
    }
    assert desk.position("xyz:TSLA")["leverage"]["rawUsd"] == "-310.008"
    action = {"type": "updateIsolatedMargin", "asset": ETH, "isBuy": True, "ntli": 1_000_000}
    assert desk.refused(action) == "Position does not use isolated margin."
    state = desk.ask("clearinghouseState", dex="xyz")
    assert state["crossMarginSummary"]["totalNtlPos"] == "0.0" and state["marginSummary"]["totalNtlPos"] == "400.0"


def transfer(amount, to_perp, nonce):
    return {"type": "usdClassTransfer", "amount": amount, "toPerp": to_perp, "nonce": nonce}


def user_signed(desk, action, who=MASTER):
    desk.nonce = max(desk.nonce + 1, desk.now_ns // 1_000_000)
    return desk.post(json.loads(who.user(action | {"nonce": desk.nonce}).body()))


def test_money_between_spot_and_perps_is_its_owners_affair(desk):
    assert user_signed(desk, transfer("200", True, 0)) == {"status": "ok", "response": {"type": "default"}}
    assert desk.ask("clearinghouseState")["withdrawable"] == "10200.0"
    assert desk.ask("spotClearinghouseState")["balances"][0]["total"] == "300.0"
    assert user_signed(desk, transfer("301", True, 0))["response"] == "Insufficient balance for withdrawal."
    answer = user_signed(desk, transfer("1", True, 0), AGENT)
    assert answer["response"] == f"Must deposit before performing actions. User: {AGENT.address}"
    (row,) = desk.ask("userNonFundingLedgerUpdates", startTime=0)
    assert row["delta"] == {"type": "accountClassTransfer", "usdc": "200.0", "toPerp": True}


def test_money_between_dexs(desk):
    action = {
        "type": "sendAsset",
        "destination": MASTER.address,
        "sourceDex": "",
        "destinationDex": "xyz",
        "token": "USDC",
        "amount": "1000",
        "fromSubAccount": "",
    }
    assert user_signed(desk, action)["status"] == "ok"
    assert desk.ask("clearinghouseState", dex="xyz")["withdrawable"] == "6000.0"
    assert user_signed(desk, action | {"amount": "99999"})["response"].startswith("Insufficient balance")
    assert user_signed(desk, action | {"destinationDex": "abc"})["status"] == "err"


def test_a_scheduled_cancel_needs_a_million_of_volume(desk):
    now = desk.now_ns // 1_000_000
    text = "Cannot set scheduled cancel time until enough volume traded. Required: $1000000. Traded: $0."
    assert desk.refused({"type": "scheduleCancel", "time": now + 60_000}) == text
    assert desk.refused({"type": "scheduleCancel"}) == text
    assert desk.refused({"type": "scheduleCancel", "time": now + 4_000}, OTHER).startswith(
        "Scheduled cancel time too early"
    )
    assert desk.done({"type": "scheduleCancel", "time": now + 6_000}, OTHER) == {"type": "default"}
    oid = desk.order(ETH, "buy", "1990", "1", who=OTHER)["resting"]["oid"]
    desk.wait(5)
    assert desk.ask("orderStatus", OTHER, oid=oid)["order"]["status"] == "open"
    desk.wait(1.5)
    assert desk.ask("orderStatus", OTHER, oid=oid)["order"]["status"] == "scheduledCancel"
    assert desk.done({"type": "scheduleCancel", "time": now + 60_000}, OTHER) == {"type": "default"}
    assert desk.done({"type": "scheduleCancel"}, OTHER) == {"type": "default"}
    desk.order(ETH, "buy", "1990", "1", who=OTHER)
    desk.wait(60)
    assert len(desk.ask("openOrders", OTHER)) == 1


def test_a_scheduled_cancel_goes_off_ten_times_a_day(desk):
    for _ in range(10):
        assert desk.done({"type": "scheduleCancel", "time": desk.now_ns // 1_000_000 + 6_000}, OTHER)
        desk.wait(7)
    action = {"type": "scheduleCancel", "time": desk.now_ns // 1_000_000 + 6_000}
    assert desk.refused(action, OTHER) == "Too many scheduled cancels triggered today."


def test_funding_is_paid_each_hour_by_longs(desk):
    desk.listen({"type": "userEvents", "user": MASTER.address}, {"type": "userFundings", "user": MASTER.address})
    desk.order(ETH, "buy", "2000.1", "1", "Ioc")
    value = Decimal(desk.ask("clearinghouseState")["marginSummary"]["accountValue"])
    hour_ns = (START_NS // (3600 * S) + 1) * 3600 * S
    desk.wait((hour_ns - desk.now_ns) / S + 1)
    (row,) = desk.ask("userFunding", startTime=0)
    assert 15 <= row["time"] - hour_ns // 1_000_000 <= 134
    oracle = Decimal(desk.info("metaAndAssetCtxs")[1][1]["oraclePx"])
    paid = Decimal(row["delta"]["usdc"])
    assert abs(paid + oracle / 10_000) < Decimal("0.001")
    assert (row["delta"]["szi"], row["delta"]["fundingRate"]) == ("1.0", "0.0001")
    assert Decimal(desk.ask("clearinghouseState")["marginSummary"]["accountValue"]) == value + paid
    assert desk.position("ETH")["cumFunding"]["sinceOpen"] == row["delta"]["usdc"].lstrip("-")
    assert desk.told("user")[-1]["funding"]["coin"] == "ETH"
    assert desk.told("userFundings")[-1]["fundings"][0]["fundingRate"] == "0.0001"
    assert desk.told("userFundings")[-1]["user"] == MASTER.address


def test_accounts_are_apart():
    two = Desk(accounts=(*ACCOUNTS, AccountConfig(address=STRANGER.address, usd={"": Decimal(10_000)})))
    for who in (AGENT, OTHER, STRANGER):
        assert two.order(ETH, "buy", "2000.1", "1", "Ioc", who=who)["filled"]["totalSz"] == "1.0"
    assert two.position("ETH", OTHER)["szi"] == two.position("ETH", STRANGER)["szi"] == "1.0"
