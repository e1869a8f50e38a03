"""Exhibits: answers that never came, and what was made of the silence."""

import json
from itertools import count
from typing import Any

from actors.executor import Executor, ExecutorMind
from actors.messages import Drift, Journaled, OrderPlanned, Reconciled, Restated, Unanswered
from actors.reconciler import Reconciler, ReconcilerMind, Told
from daemon.museum.bench import ENGINE, NOW_NS, Bookkeeper, filled, intent, moved, request
from daemon.museum.desk import BTC, MASTER, Desk, S, limit, placed
from daemon.museum.exhibit import Exhibit
from daemon.museum.scene import Cue, Papers, PaperVenue, papers, perform
from risk.intent import Approved
from risk.order import OVER, OrderState
from supervisor.draws import identity
from venues.hyperliquid import info
from venues.hyperliquid.actions import cloid, order_wire, place
from venues.hyperliquid.grid import Grid
from venues.market import Accepted, Cancelled, Fill, OpenOrder, OrderRequest, Rejected, Side, VenuePosition

RESTATED = Restated(ENGINE, "reconciler")
LONG_AGO_NS = NOW_NS - 60 * S
"""A minute before the scene."""


def _send(venue: PaperVenue, seconds: float = 20) -> list[Any]:
    """Approve an intent, at a venue that takes the order and whose answer is lost; what the executor says."""
    ids = count(1)
    approved = Approved(ENGINE, intent(1_000, price=65_000.0), (), NOW_NS)
    return perform(
        "executor",
        Executor,
        lambda: Executor(ExecutorMind(ENGINE, lambda: f"o{next(ids)}", expires=True), venue),  # type: ignore[arg-type]
        ((1, approved), (2, Journaled(ENGINE, "o1", approved.wish.symbol))),
        seconds,
    )


def _after_silence() -> str:
    books = Bookkeeper()
    books.tell(*(said for said in _send(PaperVenue(papers())) if isinstance(said, OrderPlanned | Unanswered)))
    return str(books.mind.orders["o1"].state)


def _as_refusal() -> str:
    """What has no answer has no order."""
    answers: dict[str, str] = {}
    return str(OrderState.RESTING if "o1" in answers else OrderState.REJECTED)


TIMEOUT_AS_REFUSAL = Exhibit(
    name="d10-timeout-as-refusal",
    story="No answer was taken for a refusal and rolled back, while the order was live.",
    sources=("D10",),
    stake="an order that nobody owns",
    right=_after_silence,
    wrong=_as_refusal,
    check=lambda state: state == OrderState.UNKNOWN,
)


def _resting(desk: Desk) -> int:
    ask = info.open_orders(MASTER.address)
    return len(ask.read(desk.info(ask.body)))


class _DeskVenue(PaperVenue):
    """Takes orders to the exchange; the answer is lost on its way back."""

    def __init__(self, desk: Desk) -> None:
        super().__init__(papers())
        self.desk = desk

    async def submit(self, order: OrderRequest) -> Accepted | Rejected:
        """It arrives; its answer does not."""
        self.desk.post(place([order_wire(order, BTC, Grid.of(BTC, 5))]))
        return await super().submit(order)


def _sends_once() -> int:
    """An executor for a minute, at a venue whose answers are lost."""
    desk = Desk(("BTC",))
    _send(_DeskVenue(desk), seconds=60)
    return _resting(desk)


def _tries_again() -> int:
    """The answer to an order is lost, so it has failed, so it is sent again."""
    desk = Desk(("BTC",))
    for attempt in range(2):
        desk.post(placed(limit(BTC, "buy", "65000", "0.01", "Alo", cloid=cloid(f"attempt {attempt}"))))
    return _resting(desk)


FAILED_THEN_FILLED = Exhibit(
    name="hb-7294",
    story="An order was announced as failed and sent again; then both were filled.",
    sources=("hb-7294",),
    stake="twice the position",
    right=_sends_once,
    wrong=_tries_again,
    check=lambda orders: orders == 1,
)

# --- the reconciler ---------------------------------------------------------------------------------------------------


def _reconcile(told: Papers, cues: tuple[Cue, ...], seconds: float = 30) -> list[Any]:
    """What a reconciler says of these papers; the ledger speaks through the cues."""
    venue, memory = PaperVenue(told), Told(NOW_NS)
    return perform(
        "reconciler",
        Reconciler,
        lambda: Reconciler(ReconcilerMind(ENGINE), venue, memory),  # type: ignore[arg-type]
        (*cues, (1, RESTATED)),
        seconds,
    )


def _outage() -> list[str]:
    """An order rests, the network is gone for a minute, and meanwhile the order is filled: how it closes."""
    told = papers(orders=[OpenOrder("o1", "BTC", Side.SELL, 10, 0, 1)], reachable=False)

    def back() -> None:
        told.reachable = True
        told.orders.clear()
        told.known["o1"] = Cancelled(ENGINE, "o1", "BTC", 10, "filled", NOW_NS)
        told.filled.append(filled(-10, "f1"))

    said = _reconcile(told, ((0.5, moved(OrderState.UNKNOWN, lots=-10)), (60, back)), seconds=120)
    verdicts = [one for one in said if isinstance(one, Fill | Cancelled | Rejected) and one.order_id == "o1"]
    return list(dict.fromkeys(type(one).__name__ for one in verdicts))


def _counts_failures() -> list[str]:
    """Three failed questions and the order is lost: it is dropped, and its fill finds nobody."""
    tracked = {"o1"}
    for failures in range(1, 7):
        if failures > 3:
            tracked.discard("o1")
    return ["Fill", "Cancelled"] if "o1" in tracked else []


DROPPED_IN_AN_OUTAGE = Exhibit(
    name="hb-8457",
    story="DNS was down; six orders that the venue had taken were given up after a few failed questions.",
    sources=("hb-8457", "hb-3374", "hb-493", "hb-601"),
    stake="a short position that nobody manages",
    right=_outage,
    wrong=_counts_failures,
    check=lambda said: said == ["Fill", "Cancelled"],
)


def _gone_while_away() -> str:
    """An order that rested has filled while the socket was down, and orderUpdates has no snapshot to tell it."""
    told = papers(filled=[filled(10, "f1")])
    told.known["o1"] = Cancelled(ENGINE, "o1", "BTC", 10, "filled", NOW_NS)
    told.held.append(VenuePosition("BTC", 10, 1_000_000.0))
    books = Bookkeeper()
    books.tell(OrderPlanned(ENGINE, request(10), True, LONG_AGO_NS), Accepted(ENGINE, "o1", "BTC", LONG_AGO_NS))
    said = _reconcile(told, ((0.5, moved(OrderState.RESTING, lots=10, at_ns=LONG_AGO_NS)),))
    books.tell(*(one for one in said if isinstance(one, Fill | Cancelled)))
    return f"{books.mind.orders['o1'].state}, {books.held()} held"


def _waits_for_a_snapshot() -> str:
    """The same, believing the stream alone: what the exchange sends after a new subscription to orderUpdates."""
    desk, books = Desk(("BTC",)), Bookkeeper()
    books.tell(OrderPlanned(ENGINE, request(10), True, LONG_AGO_NS), Accepted(ENGINE, "o1", "BTC", LONG_AGO_NS))
    topic = desk.venue.topic({"type": "orderUpdates", "user": MASTER.address})
    updates = [update for frame in desk.venue.snapshot(topic, desk.now_ns) for update in json.loads(frame)["data"]]
    return f"{books.mind.orders['o1'].state}, {len(updates) * 10} held"


NO_SNAPSHOT_OF_ORDERS = Exhibit(
    name="nt-4991",
    story="orderUpdates has no snapshot after a reconnect, so what became of orders meanwhile was never heard.",
    sources=("nt-4991",),
    stake="orders believed to rest that are filled, for hours",
    right=_gone_while_away,
    wrong=_waits_for_a_snapshot,
    check=lambda seen: seen == "filled, 10 held",
)

THERE = VenuePosition("BTC", -755, 1_000_000.0)


def _two_starts() -> list[int]:
    """The venue holds what we never bought: adopt it, restart, look again; what the ledger holds after each."""
    books, held = Bookkeeper(), []
    for _ in range(2):
        said = _reconcile(papers(held=[THERE]), tuple((0.5, one) for one in _positions(books)))
        books.tell(*(one for one in said if isinstance(one, Drift)))
        held.append(books.held())
        books = books.restarted()
    return held


def _positions(books: Bookkeeper) -> list[Any]:
    return [] if not books.held() else [books.mind._position(ENGINE, "BTC", 0, NOW_NS)]


def _new_ids_each_start() -> list[int]:
    """A made-up fill with a fresh id at each start, kept beside those of the starts before."""
    fills: dict[str, int] = {}
    held = []
    for start in (1, 2):
        fills[identity(start, "made up", 1)] = -755
        held.append(sum(fills.values()))
    return held


NEW_IDS_EACH_START = Exhibit(
    name="nt-3878",
    story="At each start the same position was booked by a made-up fill with another id, so it was booked again.",
    sources=("nt-3878",),
    stake="a short believed to be twice its size",
    right=_two_starts,
    wrong=_new_ids_each_start,
    check=lambda held: held == [-755, -755],
)


def _restart_with_an_order() -> str:
    """A restart while an order is under way: what the ledger knows of it."""
    books = Bookkeeper()
    books.tell(OrderPlanned(ENGINE, request(10), True, NOW_NS))
    again = books.restarted()
    again.tell(*again.mind.recovered(NOW_NS + S))
    return str(again.mind.orders["o1"].state) if "o1" in again.mind.orders else "forgotten"


def _closed_only() -> str:
    """What is kept over a restart are the orders that ended."""
    known = {"o1": OrderState.SENT, "o0": OrderState.FILLED}
    kept = {order: state for order, state in known.items() if state in OVER}
    return str(kept.get("o1", "forgotten"))


DROPPED_BY_A_RESTART = Exhibit(
    name="nt-5000",
    story="After SIGKILL, working orders were missing from what was believed, because only closed ones were kept.",
    sources=("nt-5000",),
    stake="orders that rest with nobody to watch them",
    right=_restart_with_an_order,
    wrong=_closed_only,
    check=lambda state: state == OrderState.UNKNOWN,
)


def _bought_by_hand() -> list[int]:
    """Hours after the start somebody trades by hand, and no stream tells it."""
    told = papers()
    cue = (40.0, lambda: told.held.append(VenuePosition("BTC", 5, 1_000_000.0)))
    return [said.venue_lots for said in _reconcile(told, (cue,), seconds=120) if isinstance(said, Drift)]


def _at_start_only() -> list[int]:
    told = papers()
    seen = [held.lots for held in told.held]
    told.held.append(VenuePosition("BTC", 5, 1_000_000.0))
    return seen


NO_LOOK_BUT_THE_FIRST = Exhibit(
    name="d11-no-look-but-the-first",
    story="Venue and memory were compared at the start and never again.",
    sources=("D11",),
    stake="whatever differs later differs for days",
    right=_bought_by_hand,
    wrong=_at_start_only,
    check=lambda found: found == [5],
)


def _silence_at_start() -> list[str]:
    """We hold five; the venue cannot be asked."""
    books = Bookkeeper()
    books.tell(filled(5, "f1", ""))
    said = _reconcile(papers(reachable=False), tuple((0.5, one) for one in _positions(books)))
    drifts = [f"{one.venue_lots} held" for one in said if isinstance(one, Drift)]
    return drifts + ["agreed" if one.ok else "not known" for one in said if isinstance(one, Reconciled)]


def _empty_is_flat() -> list[str]:
    """A question that failed is answered with an empty list."""
    told: list[VenuePosition] = []
    return [f"{sum(held.lots for held in told)} held", "agreed"]


FAILED_IS_FLAT = Exhibit(
    name="d14-failed-is-flat",
    story="A dex whose question failed was left out of the sum, as if there were nothing on it.",
    sources=("D14",),
    stake="a halt for a loss that nobody made, or a position forgotten",
    right=_silence_at_start,
    wrong=_empty_is_flat,
    check=lambda said: said == ["not known"],
)

EXHIBITS = (
    TIMEOUT_AS_REFUSAL,
    FAILED_THEN_FILLED,
    DROPPED_IN_AN_OUTAGE,
    NO_SNAPSHOT_OF_ORDERS,
    NEW_IDS_EACH_START,
    DROPPED_BY_A_RESTART,
    NO_LOOK_BUT_THE_FIRST,
    FAILED_IS_FLAT,
)
