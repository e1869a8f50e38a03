"""Exhibits of the whole adapter: opened on an exchange, with orders, positions and an account's news."""

import json
from typing import Any

import msgspec

from daemon.museum.adapted import Adapted, adapt
from daemon.museum.desk import BTC, MASTER, TSLA, Desk, S, limit, placed
from daemon.museum.exhibit import Exhibit
from venues.hyperliquid import info
from venues.hyperliquid.actions import update_leverage
from venues.hyperliquid.answers import Refused, read_answer
from venues.hyperliquid.subscriptions import Gap
from venues.market import Fill, Side
from venues.venue import VenueUnreachable

LOTS = 1_000
"""Of BTC: 0.01."""
BID = 65_999.0
"""The best of the desk's book."""
TWO = ("BTC", "xyz:TSLA")
MINUTE_NS = 60 * S
LEVERAGE_WANTED, LEVERAGE_MOST = 1_000, 40
"""Of BTC: asked for, and the venue's most."""


def _isolated(desk: Desk) -> None:
    """A position of the day before, with a margin of its own."""
    desk.post(update_leverage(BTC, 3, cross=False), MASTER)
    desk.trade(BTC, "buy", "66100", "0.01", MASTER)
    desk.wait(1)


async def _opened(on: Adapted) -> str:
    told = any("could not be set" in line for line in on.said)
    return f"open, {len(on.adapter.traded)} traded, {'told' if told else 'silent'}"


def _dies_of_it() -> str:
    desk = Desk(("BTC",))
    _isolated(desk)
    (verdict,) = read_answer(desk.post(update_leverage(BTC, 10, cross=True)), 0)
    return "dead" if isinstance(verdict, Refused) else "open, 1 traded, told"


LEVERAGE_WITH_A_POSITION = Exhibit(
    name="l19-leverage-with-a-position",
    story="Leverage cannot be switched while a position is open, and the engine died of asking for it.",
    sources=("L19",),
    stake="an open position that nobody watches",
    right=lambda: adapt(_opened, before=_isolated),
    wrong=_dies_of_it,
    check=lambda seen: seen == "open, 1 traded, told",
)


async def _leverage_set(on: Adapted) -> str:
    """What stands at the exchange for a coin that was to have a thousand."""
    on.desk.trade(BTC, "buy", "66100", "0.01", MASTER)
    ask = info.clearinghouse_state(MASTER.address)
    (row,) = ask.read(on.desk.info(ask.body)).asset_positions
    told = [line for line in on.said if "leverage" in line]
    return "as high as it goes" if row.position.leverage.value == LEVERAGE_MOST and not told else "not set"


def _asks_for_the_moon() -> str:
    (verdict,) = read_answer(Desk(("BTC",)).post(update_leverage(BTC, LEVERAGE_WANTED, cross=True)), 0)
    return "not set" if isinstance(verdict, Refused) else "as high as it goes"


LEVERAGE_OVER_THE_VENUE = Exhibit(
    name="l19-leverage-over-the-venue",
    story="A cap of ours above the venue's most was asked for as it stood: invalid leverage value.",
    sources=("L19",),
    stake="a coin traded at whatever leverage stood there",
    right=lambda: adapt(_leverage_set, leverage=LEVERAGE_WANTED),
    wrong=_asks_for_the_moon,
    check=lambda seen: seen == "as high as it goes",
)


def _both(desk: Desk) -> None:
    desk.trade(BTC, "buy", "66100", "0.01", MASTER)
    desk.trade(TSLA, "buy", "401", "1", MASTER)
    desk.wait(1)


async def _positions(on: Adapted) -> list[str]:
    on.rest.deaf_dex = "xyz"
    try:
        return sorted(held.symbol for held in await on.adapter.positions())
    except VenueUnreachable:
        return ["not known"]


def _skips_the_deaf() -> list[str]:
    """Each dex is asked, and one that fails is skipped with a line in the log."""
    desk = Desk(TWO)
    _both(desk)
    ask = info.clearinghouse_state(MASTER.address, "")
    return [row.position.coin for row in ask.read(desk.info(ask.body)).asset_positions]


DEX_LEFT_OUT = Exhibit(
    name="d14-dex-left-out",
    story="One of several dexs did not answer, and the positions on it were taken for none.",
    sources=("D14", "L16"),
    stake="a position closed in memory and open at the venue",
    right=lambda: adapt(_positions, TWO, _both),
    wrong=_skips_the_deaf,
    check=lambda names: names == ["not known"],
)


async def _filled_while_deaf(on: Adapted) -> str:
    """An order rests; the socket breaks, the order fills, the socket is back: what the account then tells."""
    await on.adapter.submit(on.order("o1", Side.BUY, LOTS, BID))
    lost_ns = on.clock.now_ns()
    on.desk.others("BTC", BID - 1, 5.0, Side.SELL)
    await on.clock.sleep(2)
    for channel in ("userFills", "orderUpdates"):
        on.adapter._account().hear(Gap(channel, lost_ns, on.clock.now_ns()))
    await on.adapter._account().mend()
    lots = sum(event.lots for event in on.events if isinstance(event, Fill) and event.order_id == "o1")
    return f"{lots} filled"


def _streams_alone() -> str:
    """The same order, hearing what a new subscription to orderUpdates begins with: nothing."""
    desk = Desk(("BTC",))
    desk.post(placed(limit(BTC, "buy", "65999", "0.01", "Alo")), MASTER)
    desk.others("BTC", BID - 1, 5.0, Side.SELL)
    topic = desk.venue.topic({"type": "orderUpdates", "user": MASTER.address})
    return f"{len(desk.venue.snapshot(topic, desk.now_ns)) * LOTS} filled"


FILLED_WHILE_DEAF = Exhibit(
    name="nt-4991-stream",
    story="The stream came back after an order had filled, and had nothing to say about it.",
    sources=("nt-4991", "D11"),
    stake="a position that is found by chance",
    right=lambda: adapt(_filled_while_deaf),
    wrong=_streams_alone,
    check=lambda seen: seen == f"{LOTS} filled",
)


async def _one_order(on: Adapted) -> list[str]:
    """The answer to an order is lost: is it found again, by the name it was given?"""
    on.rest.answers_lost = True
    try:
        await on.adapter.submit(on.order("o1", Side.BUY, LOTS, BID))
    except VenueUnreachable:
        on.rest.answers_lost = False
    found = await on.adapter.find("BTC", "o1")
    return [type(found).__name__, *(order.order_id for order in await on.adapter.open_orders())]


def _numbers_only() -> list[str]:
    """An order is known by the number in its answer; without an answer it has none."""
    desk, numbers = Desk(("BTC",)), []
    desk.post(placed(limit(BTC, "buy", "65999", "0.01", "Alo")), MASTER)
    answer = b""
    if answer:
        numbers.append(json.loads(answer)["response"]["data"]["statuses"][0]["resting"]["oid"])
    return ["None", *map(str, numbers)]


FOUND_BY_NAME = Exhibit(
    name="d10-found-by-name",
    story="An order is known by the number in its answer, so one whose answer is lost cannot be looked up.",
    sources=("D10", "hb-7294"),
    stake="an order that nobody can cancel",
    right=lambda: adapt(_one_order),
    wrong=_numbers_only,
    check=lambda seen: seen == ["OpenOrder", "o1"],
)


def _arrives_late(desk: Desk, body: Any) -> str:
    """Deliver an order a minute after it was signed."""
    desk.wait(60)
    answer = json.loads(desk.venue.exchange(body, desk.now_ns))
    return "expired" if "expired" in str(answer["response"]) else str(answer["status"])


async def _signed_and_held_up(on: Adapted) -> str:
    """What the adapter posts for an order, held up on its way to the exchange for a minute."""
    await on.adapter.submit(on.order("o1", Side.BUY, LOTS, BID))
    other = Desk(("BTC",))
    return _arrives_late(other, on.rest.sent[-1])


def _no_expiry() -> str:
    desk = Desk(("BTC",))
    signed = MASTER.l1(placed(limit(BTC, "buy", "65999", "0.01", "Alo")), desk.now_ns // 1_000_000)
    return _arrives_late(desk, msgspec.json.decode(signed.body()))


ARRIVES_LATE = Exhibit(
    name="d10-arrives-late",
    story="An order that was given up as lost arrived a minute later, and was filled.",
    sources=("D10", "hb-7294"),
    stake="a position after it was proven that there is none",
    right=lambda: adapt(_signed_and_held_up),
    wrong=_no_expiry,
    check=lambda seen: seen == "expired",
)


async def _moved_on_the_wire(on: Adapted) -> int:
    """Six tenths of an order fill, then it is moved: what it and its successor can buy together."""
    await on.adapter.submit(on.order("o1", Side.BUY, LOTS, BID))
    on.desk.others("BTC", BID - 1, 0.006, Side.SELL)
    on.adapter._account().hear_fills(await on.adapter._account().rows(on.clock.now_ns() - MINUTE_NS))
    tracked = on.adapter.orders.get("o1")
    had = tracked.lots_filled if tracked else 0
    await on.adapter.replace(on.order("o2", Side.BUY, LOTS, BID - 10, replaces="o1"))
    wire = on.rest.sent[-1]["action"]["modifies"][0]["order"]
    return had + round(float(wire["s"]) / 0.00001) if had else -1


MOVED_ON_THE_WIRE = Exhibit(
    name="d2-moved-on-the-wire",
    story="What was sent to replace an order filled in part was the whole order again.",
    sources=("D2",),
    stake="sixteen bought of ten",
    right=lambda: adapt(_moved_on_the_wire),
    wrong=lambda: LOTS * 6 // 10 + LOTS,
    check=lambda lots: lots == LOTS,
)


def _with_candles(desk: Desk) -> None:
    for _ in range(150):
        desk.others("BTC", 66_001.0, 0.01, Side.BUY)


async def _closed_bars(on: Adapted) -> list[bool]:
    bars = await on.adapter.history("BTC", MINUTE_NS, 2)
    return [bar.end_ns <= on.clock.now_ns() for bar in bars]


async def _all_candles(on: Adapted) -> list[bool]:
    now_ms = on.clock.now_ns() // 1_000_000
    ask = info.candle_snapshot("BTC", "1m", now_ms - 120_000, now_ms)
    rows = ask.read(on.desk.info(ask.body))[-2:]
    return [row.bar.end_ns <= on.clock.now_ns() for row in rows]


OPEN_CANDLE = Exhibit(
    name="d16-open-candle",
    story="The last candle of a history is still open, and went into the window as if it were closed.",
    sources=("D16",),
    stake="a first decision on half a minute",
    right=lambda: adapt(_closed_bars, before=_with_candles),
    wrong=lambda: adapt(_all_candles, before=_with_candles),
    check=lambda closed: len(closed) == 2 and all(closed),
)

EXHIBITS = (
    LEVERAGE_WITH_A_POSITION,
    LEVERAGE_OVER_THE_VENUE,
    DEX_LEFT_OUT,
    FILLED_WHILE_DEAF,
    FOUND_BY_NAME,
    ARRIVES_LATE,
    MOVED_ON_THE_WIRE,
    OPEN_CANDLE,
)
