"""Alpaca's core under anything that clients and markets do: money and coins add up, and no order is two things."""

from decimal import Decimal

from hypothesis import given, settings
from hypothesis import strategies as st

from tests.venues.emulator.alpaca_desk import CASH, KEY, MIDS, Desk, Side
from venues.emulator.alpaca.orders import OVER
from venues.market import MINOR_PER_USD

SYMBOLS = ("BTC/USD", "CRM", "PLTR")
NEXT = {
    "pending_new": {"new", "canceled", "expired", "rejected", "pending_cancel", "accepted", "fill", "partial_fill"},
    "accepted": {"new", "canceled", "pending_cancel", "expired"},
    "new": {"fill", "partial_fill", "canceled", "expired", "pending_cancel", "pending_replace", "rejected"},
    "partial_fill": {"fill", "partial_fill", "canceled", "expired", "pending_cancel", "pending_replace", "replaced"},
    "pending_cancel": {
        "canceled",
        "fill",
        "partial_fill",
        "new",
        "expired",
        "order_replace_rejected",
        "rejected",
        "replaced",
    },
    "pending_replace": {
        "replaced",
        "fill",
        "partial_fill",
        "pending_cancel",
        "order_replace_rejected",
        "expired",
        "canceled",
    },
    "order_replace_rejected": set(),
    "fill": {"order_replace_rejected"},
    "canceled": {"order_replace_rejected"},
    "expired": {"order_replace_rejected"},
    "replaced": set(),
    "rejected": set(),
}
RECENT, NAME = st.integers(0, 3), st.sampled_from(SYMBOLS)
moves = st.lists(
    st.one_of(
        st.tuples(
            st.just("order"),
            NAME,
            st.sampled_from(("buy", "sell")),
            st.integers(0, 3),
            st.sampled_from((None, -40, -30, -3, 0, 3, 40)),
            st.sampled_from(("gtc", "gtc", "ioc", "day", "day", "fok")),
        ),
        st.tuples(
            st.just("replace"), st.integers(0, 9), st.sampled_from((-30, -2, 2, 30)), st.sampled_from((None, "2"))
        ),
        st.tuples(st.just("cancel"), RECENT),
        st.tuples(
            st.just("market"), st.sampled_from(SYMBOLS), st.sampled_from((-50, -4, 4, 50)), st.sampled_from((0.3, 8.0))
        ),
        st.tuples(
            st.just("trade"), st.sampled_from(SYMBOLS), st.sampled_from((-6, 0, 6)), st.sampled_from((0.01, 5.0))
        ),
        st.tuples(st.just("wait"), st.sampled_from((0.01, 0.05, 0.6, 2.0))),
        st.tuples(st.just("race")),
    ),
    min_size=10,
    max_size=40,
)


class Player:
    """Plays moves for one account."""

    def __init__(self, key, start):
        self.desk, self.key, self.ids = Desk(start), key, []

    def play(self, move):
        desk, (kind, *told) = self.desk, move
        if kind == "order":
            symbol, side, size, steps, tif = told
            qty = ("0.02", "0.001", "0.1", "1")[size] if "/" in symbol else ("2", "5", "40", "0.5")[size]
            tif = {"day": "gtc", "fok": "ioc"}.get(tif, tif) if "/" in symbol else tif
            price = None if steps is None else round(desk.market.mids[symbol] + steps * MIDS[symbol][1], 2)
            status, said = desk.tries(symbol, side, qty, price, self.key, time_in_force=tif)
            assert status in (200, 403, 422), said
            if status == 200:
                self.ids.append(said["id"])
        elif kind in ("replace", "cancel") and self.ids:
            path = f"/v2/orders/{self.ids[-1 - told[0] % len(self.ids)]}"
            if kind == "cancel":
                assert desk.ask("DELETE", path, key=self.key)[0] in (204, 422)
                return
            order = desk.get(path, key=self.key)
            limit = float(order["limit_price"] or 100) + told[1] * MIDS[order["symbol"]][1]
            body = {"limit_price": str(round(max(limit, 1), 2))} | ({"qty": told[2]} if told[2] else {})
            status, said = desk.ask("PATCH", path, body, key=self.key)
            assert status in (200, 403, 422), said
            if status == 200:
                self.ids.append(said["id"])
        elif kind == "market":
            desk.market.mids[told[0]] = round(desk.market.mids[told[0]] + told[1] * MIDS[told[0]][1], 2)
            desk.market.size = told[2]
        elif kind == "trade":
            price = round(desk.market.mids[told[0]] + told[1] * MIDS[told[0]][1], 2)
            desk.market.trades.append((told[0], price, told[2], Side.SELL if told[1] < 0 else Side.BUY))
        elif kind == "wait":
            desk.advance(told[0])
        elif kind == "race":
            desk.exchange.race_ns = desk.now_ns + 50_000_000


@settings(max_examples=120)
@given(moves, st.sampled_from((KEY, CASH)), st.sampled_from(("2026-01-05T15:00:00+00:00", "2026-01-05T20:59:50+00:00")))
def test_money_and_sizes_add_up(played, key, start):
    player = Player(key, start)
    desk = player.desk
    account = desk.exchange.accounts[key]
    account_usd = account.config.usd
    for move in played:
        player.play(move)
        for symbol, holding in account.engine.account.holdings.items():
            assert holding.lots > 0 or ("/" not in symbol and account.config.shorting)
        assert desk.exchange.funds(account).cash_power_minor() >= 0
    desk.advance(1)
    _check_books(desk, account, key, account_usd)
    _check_orders(desk, account, key)


def _check_books(desk, account, key, account_usd):
    cash, held = account_usd, {}
    for _, row in account.activities:
        if row["activity_type"] == "FEE":
            cash += Decimal(row["net_amount"])
            continue
        sign = -1 if row.get("side", "").startswith("sell") else 1
        symbol = row["symbol"]
        held[symbol] = held.get(symbol, 0) + sign * Decimal(row["qty"])
        if row["activity_type"] == "FILL":
            cash -= sign * Decimal(row["qty"]) * Decimal(row["price"])
    told = {row["symbol"]: Decimal(row["qty"]) for row in desk.get("/v2/positions", key=key)}
    assert told == {symbol.replace("/", ""): size for symbol, size in held.items() if size}
    fills = len(account.activities)
    assert abs(Decimal(account.cash_minor) / MINOR_PER_USD - cash) <= Decimal(fills) / MINOR_PER_USD


def _check_orders(desk, account, key):
    events = desk.events(key)
    path = {}
    for event, id_, told in events:
        assert id_ not in path or event in NEXT[path[id_]], (path[id_], event)
        path[id_] = event
        order = told["order"]
        assert Decimal(order["filled_qty"]) <= Decimal(order["qty"])
    for order in account.orders.values():
        assert order.open == (order.status not in OVER) == (order.id in account.open)
        assert (order.id in account.engine.live) <= order.open
        assert order.filled == sum(
            round(Decimal(row["qty"]) / order.asset.lot)
            for _, row in account.activities
            if row.get("order_id") == order.id
        )
    assert set(account.hungry) <= set(account.open)
