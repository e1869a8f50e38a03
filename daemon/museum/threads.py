"""Exhibits out of other engines' threads: restarts, and what was believed."""

from typing import Any

from msgspec.structs import replace

from actors.messages import (
    Drift,
    OrderPlanned,
    PositionChanged,
    Reconciled,
    Restated,
)
from actors.reconciler import Reconciler, ReconcilerMind, Told
from daemon.museum.bench import (
    ENGINE,
    NOW_NS,
    PRICE,
    Bookkeeper,
    S,
    Trader,
    filled,
    intent,
    moved,
    open_gate,
    request,
)
from daemon.museum.exhibit import Exhibit
from daemon.museum.scene import Cue, Papers, PaperVenue, papers, perform
from risk.gate import judge
from risk.intent import Approved, Intent
from risk.order import OrderState
from venues.market import Accepted, Cancelled, OpenOrder, Side, VenuePosition

LOTS = 250
DAY_NS = 86_400 * S


def _reconciled(told: Papers, cues: tuple[Cue, ...] = (), seconds: float = 60) -> list[Any]:
    """What a reconciler says of these papers; the ledger speaks through the cues."""
    return perform(
        "reconciler",
        Reconciler,
        lambda: Reconciler(ReconcilerMind(ENGINE), PaperVenue(told), Told(NOW_NS)),  # type: ignore[arg-type]
        (*cues, (1, Restated(ENGINE, "reconciler"))),
        seconds,
    )


# --- restarts ---------------------------------------------------------------------------------------------------------


def _warm_restart() -> int:
    """Ten lots are held on both sides; what the ledger holds a minute after a restart."""
    books = Bookkeeper()
    books.tell(filled(10, "f1", ""))
    again = books.restarted()
    known = again.mind._position(ENGINE, "BTC", 0, NOW_NS)
    said = _reconciled(papers(held=[VenuePosition("BTC", 10, 1_000_000.0)]), ((0.5, known),))
    again.tell(*(one for one in said if isinstance(one, Drift)))
    return again.held()


def _offset_by_a_fill() -> int:
    """No order of this run explains the position, so a fill is made up that takes it away."""
    held, explained = 10, 0
    return held + (explained - held)


WARM_RESTART = Exhibit(
    name="nt-4736-made-up-fill",
    story="A warm restart made up an equal and opposite fill: the strategy was flat, and the venue was not.",
    sources=("nt-4736", "vnpy-87", "vnpy-1118"),
    stake="a position without a stop, and a second one on top of it",
    right=_warm_restart,
    wrong=_offset_by_a_fill,
    check=lambda lots: lots == 10,
)


def _old_position() -> list[bool]:
    """A position that was opened eleven days ago, longer than any history of fills is asked for."""
    old = PositionChanged(ENGINE, "BTC", 10, 1_000_000.0, 0, NOW_NS - 11 * DAY_NS, NOW_NS)
    said = _reconciled(papers(held=[VenuePosition("BTC", 10, 1_000_000.0)]), ((0.5, old),))
    return [one.ok for one in said if isinstance(one, Reconciled)]


def _wants_its_fills() -> list[bool]:
    """A position is believed when its fills are found, and the question reaches back ten days."""
    opened_ns, asked_ns = NOW_NS - 11 * DAY_NS, NOW_NS - 10 * DAY_NS
    return [opened_ns >= asked_ns]


OLD_POSITION = Exhibit(
    name="nt-3104-old-position",
    story="The node would not start on a position that was older than the ten days whose fills it asked for.",
    sources=("nt-3104",),
    stake="no stop on what has been held the longest",
    right=_old_position,
    wrong=_wants_its_fills,
    check=lambda verdicts: verdicts == [True],
)


def _entries_beside(order: Any) -> int:
    """A dip is met while this order is known of: how many entries are asked for."""
    trader = Trader()
    if order is not None:
        trader.signal.hear(replace(order, at_ns=trader.now_ns + 30 * S))
    return sum(isinstance(wish, Intent) for wish in trader.dip())


ORDERED_AGAIN = Exhibit(
    name="nt-3176",
    story="At every restart the orders that rested were not known, and were placed once more.",
    sources=("nt-3176", "hb-8440"),
    stake="the position times the number of restarts",
    right=lambda: _entries_beside(moved(OrderState.RESTING, lots=LOTS, intent_id="of another run")),
    wrong=lambda: _entries_beside(None),
    check=lambda entries: entries == 0,
)


def _stop_after_restart() -> list[str]:
    """A strategy that has just started is told of a position; then the price falls by two per cent."""
    trader = Trader()
    trader.hold(LOTS)
    said = trader.book(PRICE * 0.98, at_ns=trader.now_ns + S)
    return [wish.reason for wish in said if isinstance(wish, Intent)]


def _stops_in_memory() -> list[str]:
    """Stops are objects of the process that opened the position; this is another one."""
    stops: dict[str, float] = {}
    return ["stop_loss" for bound in stops.values() if bound > PRICE * 0.98]


STOP_AFTER_RESTART = Exhibit(
    name="octobot-3190",
    story="After a restart the stop and the target of an open position were gone, and nobody watched it.",
    sources=("octobot-3190", "hb-api-243"),
    stake="a naked position for as long as nobody looks",
    right=_stop_after_restart,
    wrong=_stops_in_memory,
    check=lambda reasons: reasons == ["stop_loss"],
)

# --- what the venue holds and we believe ------------------------------------------------------------------------------

BELIEVED, THERE = 5, 3


def _believed_orders() -> int:
    """Five orders are believed to rest and the venue has three: how many are believed a minute later."""
    names = [f"o{number}" for number in range(BELIEVED)]
    told = papers(orders=[OpenOrder(name, "BTC", Side.BUY, 10, 0, 1) for name in names[:THERE]])
    for name in names[THERE:]:
        told.known[name] = Cancelled(ENGINE, name, "BTC", 0, "gone", NOW_NS)
    rest = tuple(
        (0.5, moved(OrderState.RESTING, lots=10, order_id=name, intent_id=name, at_ns=NOW_NS - 60 * S))
        for name in names
    )
    said = _reconciled(told, rest)
    return BELIEVED - len({one.order_id for one in said if isinstance(one, Cancelled)})


BELIEVED_ORDERS = Exhibit(
    name="octobot-1333",
    story="147 orders were believed to rest where the venue had 143, and only a restart put it right.",
    sources=("octobot-1333",),
    stake="money that is set aside for orders that are not there",
    right=_believed_orders,
    wrong=lambda: BELIEVED,
    check=lambda believed: believed == THERE,
)


def _filled_after_its_cancel() -> int:
    """The venue says that an order is cancelled, and then that it had filled."""
    books = Bookkeeper()
    books.tell(OrderPlanned(ENGINE, request(LOTS), True, NOW_NS), Accepted(ENGINE, "o1", "BTC", NOW_NS))
    books.tell(Cancelled(ENGINE, "o1", "BTC", 0, "cancelled", NOW_NS), filled(LOTS, "f1"))
    return books.held()


def _closed_is_closed() -> int:
    """A cancelled order is deleted, so its fill belongs to nothing."""
    orders = {"o1": LOTS}
    orders.pop("o1")
    return orders.get("o1", 0)


FILLED_AFTER_ITS_CANCEL = Exhibit(
    name="ft-3647",
    story="An order was cancelled and had filled; the bot deleted it, and had no record of what it held.",
    sources=("ft-3647", "hb-3915"),
    stake="a position that nobody owns",
    right=_filled_after_its_cancel,
    wrong=_closed_is_closed,
    check=lambda lots: lots == LOTS,
)


def _closed_by_hand() -> int:
    """A position is closed by hand, which the ledger hears; then the price passes its stop."""
    trader = Trader()
    trader.hold(LOTS)
    trader.hold(0)
    said = trader.book(PRICE * 0.98, at_ns=trader.now_ns + S)
    return sum(isinstance(wish, Intent) for wish in said)


def _stop_of_a_trade() -> int:
    """The stop belongs to the trade, and the trade is open until the bot has closed it."""
    trade = {"open": True, "stop": PRICE * 0.99}
    return int(bool(trade["open"]) and trade["stop"] > PRICE * 0.98)


CLOSED_BY_HAND = Exhibit(
    name="ft-7606",
    story="A position was closed by hand, and the bot went on making stops for it.",
    sources=("ft-7606", "ft-2836", "vnpy-2424"),
    stake="a stop that opens the other side",
    right=_closed_by_hand,
    wrong=_stop_of_a_trade,
    check=lambda exits: exits == 0,
)


def _stop_missed() -> int:
    """A stop finds no buyer at its limit and is over; the next book is lower still: how many exits are asked for."""
    trader = Trader()
    trader.hold(LOTS)
    first = [one for one in trader.book(PRICE * 0.98, at_ns=trader.now_ns + S) if isinstance(one, Intent)]
    for state in (OrderState.SENT, OrderState.CANCELLED):
        gone = moved(state, -LOTS, entry=False, intent_id=first[0].id, at_ns=trader.now_ns + 2 * S)
        trader.signal.hear(gone)
    later = trader.book(PRICE * 0.96, at_ns=trader.now_ns + 4 * S)
    return sum(isinstance(wish, Intent) for wish in later)


def _triggered_once() -> int:
    """A stop is triggered once; what became of its limit order is the venue's business."""
    triggered, exits = True, 0
    for price in (0.96, 0.94, 0.8):
        exits += price < 0.99 and not triggered
    return exits


STOP_MISSED = Exhibit(
    name="ft-12984",
    story="A stop was triggered, its limit order met nobody in a fall, and it was not tried again.",
    sources=("ft-12984", "ft-12598", "ft-4999", "pb-477"),
    stake="a fifth of the position more than the stop said",
    right=_stop_missed,
    wrong=_triggered_once,
    check=lambda exits: exits == 1,
)


def _approved_twice() -> int:
    """The same entry is asked for twice before anything of the first is heard, under a cap of one and a half."""
    state = open_gate(symbol_cap_usd=375, net_cap_usd=10_000, order_notional_usd_max=1_000)
    approved = 0
    for number in range(2):
        wish = replace(intent(LOTS), id=f"i{number}")
        verdict, state = judge(wish, state, NOW_NS)
        approved += isinstance(verdict, Approved)
    return approved


def _by_what_has_filled() -> int:
    """Only what was filled counts, and news of fills is slower than the loop that decides."""
    filled_usd, approved = 0, 0
    for _ in range(2):
        if filled_usd + 250 <= 375:
            approved += 1
    return approved


POSTED_TWICE = Exhibit(
    name="pb-980",
    story="Fills were read more slowly than the loop decided; one entry was posted twice, and the limit passed.",
    sources=("pb-980",),
    stake="142 % of the limit, and a forced sale at the low",
    right=_approved_twice,
    wrong=_by_what_has_filled,
    check=lambda approved: approved == 1,
)

EXHIBITS = (
    *(WARM_RESTART, OLD_POSITION, ORDERED_AGAIN, STOP_AFTER_RESTART),
    *(BELIEVED_ORDERS, FILLED_AFTER_ITS_CANCEL, CLOSED_BY_HAND, STOP_MISSED, POSTED_TWICE),
)
