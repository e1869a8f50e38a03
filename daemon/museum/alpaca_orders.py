"""Exhibits of orders at Alpaca: what it refuses, what was lost on the way, and what filled while nobody looked."""

import json
from decimal import Decimal
from enum import Enum

from daemon.museum.alpaca_adapted import AlpacaAdapted, adapt_alpaca
from daemon.museum.alpaca_desk import COIN, NO_SHORT, SHARE, AlpacaDesk
from daemon.museum.bench import S
from daemon.museum.exhibit import Exhibit
from venues.alpaca.trading_wire import Update, executed, read_frame
from venues.market import Accepted, Cancelled, Fill, Rejected, Side, TimeInForce
from venues.rest import NotAnswered
from venues.venue import VenueUnreachable

SHARES = (SHARE, NO_SHORT)


class SdkSide(Enum):
    """As an SDK has it: text that is no text."""

    BUY, SELL = "buy", "sell"


def _sold() -> list[bytes]:
    """What the trading stream says of something that is bought and sold."""
    desk = AlpacaDesk()
    desk.order(COIN, "buy", "0.01")
    desk.order(COIN, "sell", "0.005")
    return desk.updates


def _sides_read() -> list[str]:
    told = [executed(one) for frame in _sold() if isinstance(one := read_frame(frame), Update)]
    return [one.side.value for one in told if one is not None]


def _sides_as_text() -> list[str]:
    """The text of an enumeration is looked up among the words of the wire; the callback dies of the first."""
    known, sides = {"buy": "buy", "sell": "sell"}, list[str]()
    for frame in _sold():
        data = json.loads(frame)["data"]
        if data["event"] == "fill" and (side := known.get(str(SdkSide(data["order"]["side"])))):
            sides.append(side)
    return sides


ENUM_AS_TEXT = Exhibit(
    name="l1-enum-as-text",
    story='The side of a fill was read as "OrderSide.SELL", every callback crashed, and exits stayed under way.',
    sources=("L1",),
    stake="positions whose exits are never sent again",
    right=_sides_read,
    wrong=_sides_as_text,
    check=lambda sides: sides == ["buy", "sell"],
)


async def _stranger(on: AlpacaAdapted) -> list[str]:
    """An order that somebody placed by hand, with an id that no tag of ours is in: can it be seen and taken back?"""
    resting = await on.adapter.open_orders()
    ended = [await on.adapter.cancel(one.symbol, one.order_id) for one in resting]
    return [type(one).__name__ for one in ended]


def _with_an_order() -> AlpacaDesk:
    desk = AlpacaDesk()
    desk.order(COIN, "buy", "0.01", "60000")
    return desk


def _by_tag() -> list[str]:
    """Owners are read out of ids: z_BTCUSD_1767600000."""
    _, rows = _with_an_order().ask("GET", "/v2/orders", status="open")
    return ["Cancelled" for row in rows if row["client_order_id"].startswith("z_")]


NO_TAG = Exhibit(
    name="l2-no-tag",
    story="Orders whose id bore no tag of ours belonged to nobody after a restart, and were not cancelled.",
    sources=("L2",),
    stake="orders that fill for nobody",
    right=lambda: adapt_alpaca(_stranger, desk=_with_an_order()),
    wrong=_by_tag,
    check=lambda ended: ended == ["Cancelled"],
)

# --- what the venue refuses -------------------------------------------------------------------------------------------


async def _fractional(on: AlpacaAdapted) -> list[str]:
    """Shares for a hundred dollars, held until cancelled: what the venue says to what we send."""
    verdict = await on.adapter.submit(on.order("o1", Side.BUY, "2.4", "189.50", SHARE))
    posted = on.desk.posts[-1][2]
    return [type(verdict).__name__, str(Decimal(posted["qty"]) % 1 == 0 or posted["time_in_force"] == "day")]


def _part_of_a_share() -> list[str]:
    desk = AlpacaDesk()
    status, _ = desk.order(SHARE, "buy", "0.526", "189.50", time_in_force="gtc")
    return ["Accepted" if status == 200 else "Rejected", "False"]


FRACTION_FOR_EVER = Exhibit(
    name="l7-fraction-for-ever",
    story="Parts of a share were ordered until cancelled; the venue takes them for the day alone: 42210000.",
    sources=("L7",),
    stake="an engine all of whose orders are refused",
    right=lambda: adapt_alpaca(_fractional, SHARES),
    wrong=_part_of_a_share,
    check=lambda said: said == ["Accepted", "True"],
)


async def _shorts(on: AlpacaAdapted) -> int:
    """Twenty bars that want to be short of a name that nobody lends: requests that the venue refused."""
    for bar in range(20):
        wish = on.order(f"s{bar}", Side.SELL, "1", "135", NO_SHORT)
        verdict = await on.adapter.submit(wish)
        assert isinstance(verdict, Rejected)
    return len(on.desk.posts)


def _asks_each_bar() -> int:
    desk, refused = AlpacaDesk(), 0
    for _ in range(20):
        status, _said = desk.order(NO_SHORT, "sell", "1", "135")
        refused += status != 200
    return refused


NOBODY_LENDS = Exhibit(
    name="l7-nobody-lends",
    story="A share that nobody lends was sold short at every bar, and refused at every bar: 40310000.",
    sources=("L7",),
    stake="requests that exits and cancels need",
    right=lambda: adapt_alpaca(_shorts, SHARES),
    wrong=_asks_each_bar,
    check=lambda refused: refused == 0,
)


async def _barred(on: AlpacaAdapted) -> int:
    """An account that may not day trade wants to, at every bar: entries that are sent after the refusal."""
    for bar in range(10):
        await on.adapter.submit(on.order(f"e{bar}", Side.SELL, "1", "190", SHARE))
    return len(on.desk.posts)


def _no_margin() -> AlpacaDesk:
    """What was a right to sell short at the start is one no more."""
    return AlpacaDesk()


async def _loses_its_right(on: AlpacaAdapted) -> int:
    on.desk.exchange.accounts[next(iter(on.desk.exchange.accounts))].configurations["no_shorting"] = True
    return await _barred(on)


def _barred_each_bar() -> int:
    desk = AlpacaDesk()
    next(iter(desk.exchange.accounts.values())).configurations["no_shorting"] = True
    for _ in range(10):
        desk.order(SHARE, "sell", "1", "190")
    return len(desk.posts)


REFUSED_EACH_BAR = Exhibit(
    name="l7-refused-each-bar",
    story="What the account may not do was tried again at each bar, though the answer was the same all day.",
    sources=("L7",),
    stake="hundreds of refusals a day in an account that a broker looks at",
    right=lambda: adapt_alpaca(_loses_its_right, SHARES, _no_margin()),
    wrong=_barred_each_bar,
    check=lambda sent: sent == 1,
)


async def _dust(on: AlpacaAdapted) -> str:
    """The rest of a coin, worth half a dollar, is sold and the answer is lost: what is known of it in the end."""
    on.http.lose = ["before"]
    wish = on.order("d1", Side.SELL, "0.00000800", "65000", time_in_force=TimeInForce.IOC, reduce_only=True)
    try:
        await on.adapter.submit(wish)
    except VenueUnreachable:
        await on.wait(10)
        for _ in range(5):
            if (found := await on.adapter.find(COIN, "d1")) is not None:
                return type(found).__name__
            await on.wait(5)
    return "in doubt"


def _with_dust() -> AlpacaDesk:
    desk = AlpacaDesk()
    desk.order(COIN, "buy", "0.01")
    return desk


def _no_twin() -> str:
    """An order that is too small for the proof has none."""
    worth_usd, least_usd = Decimal("0.52"), Decimal(10)
    return "in doubt" if worth_usd < least_usd else "Rejected"


DUST_IN_DOUBT = Exhibit(
    name="hour-dust-in-doubt",
    story="The rest of a coin was too small to prove that its exit never came; each minute one more was in doubt.",
    sources=("hour",),
    stake="a symbol that never trades again, and thousands of questions",
    right=lambda: adapt_alpaca(_dust, desk=_with_dust()),
    wrong=_no_twin,
    check=lambda known: known in ("Cancelled", "Rejected"),
)

# --- what is lost -----------------------------------------------------------------------------------------------------


async def _lost(on: AlpacaAdapted) -> Decimal:
    """An order is taken and filled, its answer is lost: what is held in the end."""
    on.http.lose = ["after"]
    wish = on.order("o1", Side.BUY, "0.01", "67000", time_in_force=TimeInForce.IOC)
    try:
        await on.adapter.submit(wish)
    except VenueUnreachable:
        await on.wait(10)
        await on.adapter.find(COIN, "o1")
    return on.desk.positions()["BTCUSD"]


def _sends_again() -> Decimal:
    """A client that sends again what was not answered, under a new id."""
    desk = AlpacaDesk()
    for _ in range(2):
        desk.order(COIN, "buy", "0.01")
    return desk.positions()["BTCUSD"]


SENT_AGAIN = Exhibit(
    name="d10-sent-again",
    story="504 came after the order was taken; it was sent again, and both filled.",
    sources=("D10",),
    stake="twice the position",
    right=lambda: adapt_alpaca(_lost),
    wrong=_sends_again,
    check=lambda held: held == Decimal("0.009975"),
)


async def _arrives_late(on: AlpacaAdapted) -> Decimal:
    """An order is lost on its way, given up, and arrives a minute later all the same: what is held then."""
    on.http.lose = ["before"]
    wish = on.order("o1", Side.BUY, "0.01", "67000", time_in_force=TimeInForce.IOC)
    try:
        await on.adapter.submit(wish)
    except VenueUnreachable:
        await on.wait(10)
        await on.adapter.find(COIN, "o1")
    await on.wait(60)
    on.desk.order(COIN, "buy", "0.01", "67000", time_in_force="ioc", client_order_id="o1")
    return on.desk.positions().get("BTCUSD", Decimal(0))


def _not_there_is_dead() -> Decimal:
    """It is asked for, is not there, and so it is over; then it comes."""
    desk = AlpacaDesk()
    status, _ = desk.ask("GET", "/v2/orders:by_client_order_id", client_order_id="o1")
    assert status == 404
    desk.order(COIN, "buy", "0.01", "67000", time_in_force="ioc", client_order_id="o1")
    return desk.positions().get("BTCUSD", Decimal(0))


NOT_THERE_YET = Exhibit(
    name="d10-not-there-yet",
    story="An order that was not found was given up, and arrived a minute later.",
    sources=("D10",),
    stake="a position that nobody ordered",
    right=lambda: adapt_alpaca(_arrives_late),
    wrong=_not_there_is_dead,
    check=lambda held: held == 0,
)


async def _away(on: AlpacaAdapted) -> int:
    """A fill comes while the trading stream is down: lots that the adapter tells of once it is back."""
    assert isinstance(await on.adapter.submit(on.order("o1", Side.BUY, "0.01", "65999")), Accepted)
    await on.wait(1)
    on.deaf = True
    on.desk.others(COIN, 65_990.0, 50.0, Side.SELL)
    await on.clock.sleep(5)
    on.resume()
    await on.feed.mend()
    return sum(one.lots for one in on.events if isinstance(one, Fill) and one.order_id == "o1")


def _next_updates_alone() -> int:
    """After the stream is back it tells what happens next; what happened before is never said again."""
    desk = AlpacaDesk()
    desk.order(COIN, "buy", "0.01", "65999")
    desk.others(COIN, 65_990.0, 50.0, Side.SELL)
    heard = len(desk.updates)
    desk.wait(60)
    return sum(b'"fill"' in frame for frame in desk.updates[heard:])


FILLS_WHILE_AWAY = Exhibit(
    name="lean-ib-249",
    story="Fills that came during a disconnect were dropped, and nothing ever asked for them.",
    sources=("lean-ib-249", "D11", "barter-280"),
    stake="a position without an owner",
    right=lambda: adapt_alpaca(_away),
    wrong=_next_updates_alone,
    check=lambda lots: lots == 10_000_000,
)


async def _while_down(on: AlpacaAdapted) -> list[str]:
    """Entries while the trading stream is down: how many are sent; and an exit, which must go."""
    on.adapter.shared.stream.ready = False
    await on.adapter.submit(on.order("e1", Side.BUY, "0.01", "66000"))
    await on.adapter.submit(on.order("x1", Side.SELL, "0.005", "65000", reduce_only=True))
    return _posted(on.desk)


def _posted(desk: AlpacaDesk) -> list[str]:
    return [body["client_order_id"] for _, _, body in desk.posts if "client_order_id" in (body or {})]


def _sends_blind() -> list[str]:
    desk = AlpacaDesk()
    desk.order(COIN, "buy", "0.01", client_order_id="e1")
    desk.order(COIN, "sell", "0.005", client_order_id="x1")
    return _posted(desk)


BLIND_ORDERS = Exhibit(
    name="lean-alpaca-60",
    story="Orders went out while trade_updates was down, and nobody heard of their fills.",
    sources=("lean-alpaca-60",),
    stake="positions that are learnt of hours later",
    right=lambda: adapt_alpaca(_while_down, desk=_with_dust()),
    wrong=_sends_blind,
    check=lambda sent: sent == ["x1"],
)


async def _beats_on(on: AlpacaAdapted) -> list[str]:
    """The stream answers pings and tells no fills: is it found out by the next look at the activities?"""
    on.adapter.shared.stream.ready_ns = on.clock.now_ns()
    assert isinstance(await on.adapter.submit(on.order("o1", Side.BUY, "0.01", "65999")), Accepted)
    await on.wait(60)
    on.deaf, dropped = True, list[str]()
    on.adapter.shared.stream.drop = dropped.append  # type: ignore[method-assign, assignment]
    on.desk.others(COIN, 65_990.0, 50.0, Side.SELL)
    await on.wait(60)
    await on.adapter.fills(on.desk.exchange.start_ns)
    return ["dropped" for _ in dropped[:1]]


def _pongs_are_life() -> list[str]:
    """As long as pings are answered a connection is good."""
    pongs = 4
    return [] if pongs else ["dropped"]


HEARTBEATS_ALONE = Exhibit(
    name="lean-tradestation-95",
    story="Heartbeats flowed while the frames of fills were missing, and the stream was believed to be well.",
    sources=("lean-tradestation-95",),
    stake="hours of fills, unheard",
    right=lambda: adapt_alpaca(_beats_on),
    wrong=_pongs_are_life,
    check=lambda seen: seen == ["dropped"],
)

# --- replaces ---------------------------------------------------------------------------------------------------------


async def _races(on: AlpacaAdapted) -> Decimal:
    """A replace is answered with success, and the old order fills before it: what is bought in the end."""
    on.desk.exchange.race_ns = on.clock.now_ns() + 60 * S
    await on.adapter.submit(on.order("o1", Side.BUY, "0.01", "65000"))
    await on.wait(1)
    moved = on.order("o2", Side.BUY, "0.01", "65001", replaces="o1")
    try:
        await on.adapter.replace(moved)
    except NotAnswered:
        await on.wait(10)
    await on.wait(2)
    told = sum(one.side.sign * one.lots for one in on.events if isinstance(one, Fill))
    over = {one.order_id for one in on.events if isinstance(one, Cancelled | Rejected)}
    size = on.adapter.instruments[COIN].size(told)
    return size if "o2" in over else Decimal(-1)


def _answer_is_truth() -> Decimal:
    """The answer to the replace says that the new order lives, with nothing filled."""
    desk = AlpacaDesk()
    desk.exchange.race_ns = desk.now_ns + 60 * S
    _, row = desk.order(COIN, "buy", "0.01", "65000")
    _, new = desk.ask("PATCH", f"/v2/orders/{row['id']}", {"limit_price": "65001"})
    desk.wait(2)
    return Decimal(new["filled_qty"])


REPLACE_LOST = Exhibit(
    name="trap-replace-lost",
    story="A replace was answered with success and lost to a fill; the engine waited for an order that never lived.",
    sources=("trap-alpaca",),
    stake="a position taken for an order that rests",
    right=lambda: adapt_alpaca(_races),
    wrong=_answer_is_truth,
    check=lambda bought: bought == Decimal("0.009985"),
)


async def _moved_in_part(on: AlpacaAdapted) -> Decimal:
    """Some of an order is filled, then it is moved: what it may have bought when the new one fills whole."""
    await on.adapter.submit(on.order("o1", Side.BUY, "0.5", "65999"))
    await on.wait(1)
    on.desk.exchange.scarce = 0.001, on.clock.now_ns() + 10 * S
    on.desk.others(COIN, 65_990.0, 12.0, Side.SELL)
    await on.wait(2)
    await on.adapter.replace(on.order("o2", Side.BUY, "0.5", "66000", replaces="o1"))
    await on.wait(10)
    on.desk.others(COIN, 65_000.0, 500.0, Side.SELL)
    await on.wait(2)
    return round(on.desk.positions()["BTCUSD"], 3)


def _moved_whole() -> Decimal:
    """PATCH with the price alone: the venue begins again with all of it."""
    desk = AlpacaDesk()
    _, row = desk.order(COIN, "buy", "0.5", "65999")
    desk.exchange.scarce = 0.001, desk.now_ns + 10 * S
    desk.others(COIN, 65_990.0, 12.0, Side.SELL)
    desk.ask("PATCH", f"/v2/orders/{row['id']}", {"limit_price": "66000"})
    desk.wait(10)
    desk.others(COIN, 65_000.0, 500.0, Side.SELL)
    return round(desk.positions()["BTCUSD"], 3)


REPLACED_WHOLE = Exhibit(
    name="alpaca-api-165",
    story="An order that was partly filled was replaced, began again with all its lots, and bought too much.",
    sources=("alpaca-api-165", "D2"),
    stake="more than was wanted, at each reprice",
    right=lambda: adapt_alpaca(_moved_in_part),
    wrong=_moved_whole,
    check=lambda bought: bought <= Decimal("0.5"),
)

EXHIBITS = (
    ENUM_AS_TEXT,
    NO_TAG,
    FRACTION_FOR_EVER,
    NOBODY_LENDS,
    REFUSED_EACH_BAR,
    DUST_IN_DOUBT,
    SENT_AGAIN,
    NOT_THERE_YET,
    FILLS_WHILE_AWAY,
    BLIND_ORDERS,
    HEARTBEATS_ALONE,
    REPLACE_LOST,
    REPLACED_WHOLE,
)
