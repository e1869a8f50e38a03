"""Whatever is done in whatever order: positions are the sum of fills, money adds up, a refusal changes nothing."""

from decimal import Decimal

from hypothesis import given, settings
from hypothesis import strategies as st

from tests.venues.emulator.desk import BTC, ETH, MASTER, TSLA, Desk, cloid, wire

COINS = {BTC: ("BTC", 66_000, "1"), ETH: ("ETH", 2_000, "0.1"), TSLA: ("xyz:TSLA", 400, "0.01")}
STARTS = {"": Decimal(10_000), "xyz": Decimal(5_000)}

orders = st.tuples(
    st.just("order"),
    st.sampled_from(sorted(COINS)),
    st.sampled_from(["buy", "sell"]),
    st.integers(-30, 30),  # ticks from the middle
    st.integers(1, 4000),  # lots of a thousandth of ten dollars
    st.sampled_from(["Alo", "Ioc", "Gtc"]),
    st.booleans(),
)
moves = st.tuples(st.just("move"), st.sampled_from(sorted(COINS)), st.integers(-25, 25))
trades = st.tuples(
    st.just("trade"), st.sampled_from(sorted(COINS)), st.integers(-25, 25), st.sampled_from(["buy", "sell"])
)
cancels = st.tuples(st.just("cancel"), st.integers(0, 5))
modifies = st.tuples(st.just("modify"), st.integers(0, 5), st.integers(-30, 30), st.integers(1, 4000))
levers = st.tuples(st.just("lever"), st.sampled_from([BTC, ETH]), st.integers(1, 50))
hours = st.tuples(st.just("hour"))
steps = st.lists(st.one_of(orders, orders, moves, trades, cancels, modifies, levers, hours), min_size=4, max_size=20)


def price(asset, ticks):
    _, mid, tick = COINS[asset]
    return Decimal(mid) + ticks * Decimal(tick)


def text(number):
    return f"{number.normalize():f}"


def size(asset, dollars):
    lot = {BTC: Decimal("0.00001"), ETH: Decimal("0.0001"), TSLA: Decimal("0.001")}[asset]
    return text((Decimal(dollars) / COINS[asset][1]).quantize(lot) or lot)


def act(desk, step, count):
    """One step; returns the answer if it was a request."""
    match step:
        case ("order", asset, side, ticks, dollars, tif, reduce_only):
            order = wire(asset, side, text(price(asset, ticks)), size(asset, dollars), tif, reduce_only, cloid(count))
            return desk.do({"type": "order", "orders": [order], "grouping": "na"})
        case ("move", asset, ticks):
            desk.quote(COINS[asset][0], float(price(asset, ticks)))
        case ("trade", asset, ticks, side):
            desk.trade(COINS[asset][0], float(price(asset, ticks)), 0.5, side)
        case ("cancel", number):
            oids = list(desk.venue.accounts[MASTER.address].orders.values())[number : number + 1]
            if oids:
                return desk.do({"type": "cancel", "cancels": [{"a": oids[0].asset.id, "o": oids[0].oid}]})
        case ("modify", number, ticks, dollars):
            olds = list(desk.venue.accounts[MASTER.address].orders.values())[number : number + 1]
            if olds:
                asset = olds[0].asset.id
                order = wire(asset, "buy", text(price(asset, ticks)), size(asset, dollars), "Gtc", cloid=cloid(count))
                return desk.do({"type": "batchModify", "modifies": [{"oid": olds[0].oid, "order": order}]})
        case ("lever", asset, value):
            return desk.do({"type": "updateLeverage", "asset": asset, "isCross": True, "leverage": value})
        case ("hour",):
            desk.market.sleep(3600)
            desk.wait(3601)
    return None


def holdings(desk):
    """Everything that an order can change."""
    kinds = ("clearinghouseState", "userFills", "openOrders")
    told = [desk.ask(kind, dex=dex) for kind in kinds for dex in STARTS]
    return [row | {"time": 0} if isinstance(row, dict) else row for row in told]


@settings(max_examples=100)
@given(steps)
def test_positions_are_the_sum_of_fills_and_money_adds_up(sequence):
    desk = Desk()
    for count, step in enumerate(sequence):
        before = holdings(desk) if step[0] in ("order", "lever", "cancel") else None
        answer = act(desk, step, count)
        if before is not None and answer is not None and refused(answer):
            assert holdings(desk) == before
        desk.venue.usage.weights.clear()
    fills = desk.ask("userFills")
    assert len({fill["tid"] for fill in fills}) == len(fills)
    for dex, start in STARTS.items():
        state = desk.ask("clearinghouseState", dex=dex)
        held = {row["position"]["coin"]: row["position"] for row in state["assetPositions"]}
        mine = [fill for fill in fills if (":" in fill["coin"]) == bool(dex)]
        for coin in {fill["coin"] for fill in mine} | set(held):
            assert Decimal(held.get(coin, {"szi": "0"})["szi"]) == signed(mine, coin)
        check_money(desk, state, mine, start, dex)
        check_orders(desk, dex)


def refused(answer):
    if answer["status"] == "err":
        return True
    data = answer["response"].get("data")
    return data is not None and all(isinstance(status, dict) and "error" in status for status in data["statuses"])


def signed(fills, coin):
    return sum(
        (Decimal(fill["sz"]) * (1 if fill["side"] == "B" else -1) for fill in fills if fill["coin"] == coin), Decimal(0)
    )


def check_money(desk, state, fills, start, dex):
    """What the account is worth is what came in, what was realised, fees, funding, and what is not yet realised."""
    realised = sum((Decimal(fill["closedPnl"]) - Decimal(fill["fee"]) for fill in fills), Decimal(0))
    funding = desk.ask("userFunding", startTime=0)
    paid = sum(
        (Decimal(row["delta"]["usdc"]) for row in funding if (":" in row["delta"]["coin"]) == bool(dex)), Decimal(0)
    )
    unrealised = sum((Decimal(row["position"]["unrealizedPnl"]) for row in state["assetPositions"]), Decimal(0))
    summary = {name: Decimal(said) for name, said in state["marginSummary"].items()}
    assert summary["accountValue"] == start + realised + paid + unrealised
    value = sum(
        (
            Decimal(row["position"]["positionValue"]) * (1 if Decimal(row["position"]["szi"]) > 0 else -1)
            for row in state["assetPositions"]
        ),
        Decimal(0),
    )
    assert summary["accountValue"] == summary["totalRawUsd"] + value
    used = sum((Decimal(row["position"]["marginUsed"]) for row in state["assetPositions"]), Decimal(0))
    assert summary["totalMarginUsed"] == used
    for row in state["assetPositions"]:
        starts = [fill["startPosition"] for fill in fills if fill["coin"] == row["position"]["coin"]]
        assert starts[-1] == "0.0"


def check_orders(desk, dex):
    """An order that rests is open, and every other one is not among them."""
    rows = {row["oid"]: row for row in desk.ask("openOrders", dex=dex)}
    for row in desk.ask("historicalOrders"):
        order = row["order"]
        if (":" in order["coin"]) == bool(dex):
            assert (row["status"] == "open") == (order["oid"] in rows)
        assert Decimal(order["sz"]) <= Decimal(order["origSz"])
        if row["status"] == "filled":
            filled = sum(Decimal(fill["sz"]) for fill in desk.ask("userFills") if fill["oid"] == order["oid"])
            assert filled == Decimal(order["origSz"]) and order["sz"] == "0.0"
