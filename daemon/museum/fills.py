"""Exhibits: fills that were lost, counted twice, or taken for the whole of an order."""

import json
from collections.abc import Iterable, Sequence
from decimal import Decimal
from typing import Any

from actors.messages import Mark, OrderPlanned
from daemon.museum.adapted import Adapted, adapt
from daemon.museum.bench import ENGINE, NOW_NS, Bookkeeper, S, filled, moved, request, watchdog
from daemon.museum.desk import BTC, EVERY, MASTER, TSLA, Desk
from daemon.museum.exhibit import Exhibit
from risk.intent import Reprice
from risk.order import OrderState
from supervisor.messages import Tick
from venues.hyperliquid import info
from venues.hyperliquid.account_wire import UserFill
from venues.hyperliquid.paging import FillPages, Window
from venues.market import Accepted, Cancelled, Fill, TimeInForce

CHUNKS = (38, 20, 527)
"""Lots of the three fills of one order."""


def _book(*lots: int) -> Bookkeeper:
    """A ledger with one order, and these fills of it."""
    books, whole = Bookkeeper(), sum(lots)
    books.tell(OrderPlanned(ENGINE, request(whole), True, NOW_NS), Accepted(ENGINE, "o1", "BTC", NOW_NS))
    for number, chunk in enumerate(lots):
        books.tell(filled(chunk, f"f{number}"))
    return books


def _last_chunk() -> int:
    memory = 0
    for chunk in CHUNKS:
        memory = chunk
    return memory


CHUNK_OVERWRITES = Exhibit(
    name="l14-chunk-overwrites",
    story="An order filled in three parts, and each part overwrote the last: 5.85 were held and 5.27 were believed.",
    sources=("L14",),
    stake="a rest that no exit closes",
    right=lambda: _book(*CHUNKS).held(),
    wrong=_last_chunk,
    check=lambda lots: lots == sum(CHUNKS),
)


def _leave_in_chunks() -> int:
    books = _book(10)
    books.tell(OrderPlanned(ENGINE, request(-10, "o2", reduce_only=True), False, NOW_NS))
    books.tell(filled(-6, "x1", "o2"), filled(-4, "x2", "o2"))
    return books.held()


def _phantom() -> int:
    """The first chunk of an exit wipes the memory, the second one opens it again on the other side."""
    memory = 10
    for chunk in (6, 4):
        memory = 0 if memory else -chunk
    return memory


CHUNKED_EXIT = Exhibit(
    name="l14-chunked-exit",
    story="The second part of an exit was taken for a new position on the other side.",
    sources=("L14",),
    stake="a phantom that the next exit turns into a real one",
    right=_leave_in_chunks,
    wrong=_phantom,
    check=lambda lots: lots == 0,
)


def _given_up() -> int:
    books = Bookkeeper()
    books.tell(OrderPlanned(ENGINE, request(10), True, NOW_NS), Accepted(ENGINE, "o1", "BTC", NOW_NS))
    books.tell(filled(6, "f1"), Cancelled(ENGINE, "o1", "BTC", 6, "asked", NOW_NS))
    return books.held()


def _rolled_back() -> int:
    """Giving up puts memory back to what it was before the order."""
    before = memory = 0
    memory += 6
    memory = before
    return memory


GIVEN_UP = Exhibit(
    name="d1-part-filled-then-given-up",
    story="Six of ten were filled when the order's lifetime was over, and the rollback forgot all ten.",
    sources=("D1",),
    stake="0.006 BTC without a stop",
    right=_given_up,
    wrong=_rolled_back,
    check=lambda lots: lots == 6,
)


def _repriced() -> int:
    """Six of ten filled, then the touch moves: what is bought in the end, if the new order fills whole."""
    mind = watchdog()
    resting = moved(OrderState.RESTING, lots=10, lots_filled=6)
    mind.hear(resting)
    mind.hear(Mark("BTC", NOW_NS, 100_010.0, 100_011.0))
    said = [*mind.hear(Tick(NOW_NS + 6 * S))]
    (move,) = [wish for wish in said if isinstance(wish, Reprice)]
    return 6 + move.lots_left


REPRICED_WHOLE = Exhibit(
    name="d2-repriced-whole",
    story="An order that was partly filled was moved with its full size, and bought more than was wanted.",
    sources=("D2",),
    stake="sixteen bought of ten",
    right=_repriced,
    wrong=lambda: 6 + 10,
    check=lambda lots: lots == 10,
)


def _left_in_part() -> int:
    books = _book(10)
    leave = request(-10, "o2", reduce_only=True, time_in_force=TimeInForce.IOC)
    books.tell(OrderPlanned(ENGINE, leave, False, NOW_NS))
    books.tell(filled(-4, "x1", "o2"), Cancelled(ENGINE, "o2", "BTC", 4, "ioc", NOW_NS))
    return books.held()


def _flat_by_any_fill() -> int:
    """An exit that was filled leaves nothing."""
    memory, filled_lots = 10, 4
    return 0 if filled_lots else memory


LEFT_IN_PART = Exhibit(
    name="d6-left-in-part",
    story="An exit that crosses met four of ten, and memory was set flat.",
    sources=("D6",),
    stake="six lots that nobody will ever sell",
    right=_left_in_part,
    wrong=_flat_by_any_fill,
    check=lambda lots: lots == 6,
)

# --- what the venue tells ---------------------------------------------------------------------------------------------


def _away(desk: Desk) -> tuple[bytes, ...]:
    """Frames of two connections; between them, while nobody listens, something is bought."""
    topic = desk.venue.topic({"type": "userFills", "user": MASTER.address})
    desk.venue.watch(topic)
    desk.trade(BTC, "buy", "66100", "0.01", MASTER)
    heard = [frame for _, frame in desk.wait(1)]
    desk.venue.unwatch(topic)
    desk.trade(BTC, "buy", "66100", "0.02", MASTER)
    desk.wait(1)
    return *heard, *desk.venue.snapshot(topic, desk.now_ns)


async def _account_hears(on: Adapted) -> Decimal:
    """What fills add up to that our account stream tells of these frames."""
    on.hear(*_away(on.desk))
    return _told(on)


async def _account_hears_twice(on: Adapted) -> Decimal:
    """The same, every frame twice."""
    on.hear(*_away(on.desk) * 2)
    return _told(on)


def _told(on: Adapted) -> Decimal:
    lots = sum(fill.lots * fill.side.sign for fill in on.events if isinstance(fill, Fill))
    return on.adapter.instruments["BTC"].size(lots)


def _rows(frames: Iterable[bytes], *, snapshots: bool) -> Decimal:
    """What all rows of frames add up to, those of snapshots or not."""
    told = [json.loads(frame)["data"] for frame in frames]
    rows = [row for data in told if snapshots or not data.get("isSnapshot") for row in data["fills"]]
    return sum((Decimal(row["sz"]) for row in rows), Decimal(0))


FILLS_WHILE_AWAY = Exhibit(
    name="d11-fills-while-away",
    story="A fill came while the socket was down; it is told in the snapshot after it, and snapshots were skipped.",
    sources=("D11",),
    stake="two thirds of a position, unknown",
    right=lambda: adapt(_account_hears),
    wrong=lambda: _rows(_away(Desk(("BTC",))), snapshots=False),
    check=lambda size: size == Decimal("0.03"),
)

SNAPSHOT_TWICE = Exhibit(
    name="nt-3046",
    story="A restart tells old fills again, and the engine applied them again or died of the duplicate id.",
    sources=("nt-3046",),
    stake="a position that grows with every restart",
    right=lambda: adapt(_account_hears_twice),
    wrong=lambda: _rows(_away(Desk(("BTC",))) * 2, snapshots=True),
    check=lambda size: size == Decimal("0.03"),
)


def _two_dexs(desk: Desk) -> None:
    desk.trade(BTC, "buy", "66100", "0.01", MASTER)
    desk.trade(TSLA, "buy", "401", "1", MASTER)
    desk.wait(1)


async def _asked_once(on: Adapted) -> list[str]:
    """Names of the fills that the adapter finds."""
    return [fill.symbol for fill in await on.adapter.fills(on.clock.now_ns() - 60 * S)]


def _asked_by_dex() -> list[str]:
    """The venue is asked for the fills of each dex; it does not look at the dex."""
    desk, names = Desk(), []
    _two_dexs(desk)
    for dex in EVERY:
        ask = info.user_fills_by_time(MASTER.address, desk.now_ns // 1_000_000 - 60_000)
        names += [fill.coin for fill in ask.read(desk.info(ask.body | {"dex": dex}))]
    return names


DEX_IGNORED = Exhibit(
    name="l20-dex-ignored",
    story="Fills were asked for dex by dex; the venue ignores the dex, so eight of them counted all of it eight times.",
    sources=("L20",),
    stake="profits multiplied by the number of dexs",
    right=lambda: adapt(_asked_once, ("BTC", "xyz:TSLA"), _two_dexs),
    wrong=_asked_by_dex,
    check=lambda coins: sorted(coins) == ["BTC", "xyz:TSLA"],
)

ROWS_MAX, ROWS_MADE = 2_000, 4_500


def _made() -> tuple[UserFill, ...]:
    """Fills three a millisecond, so that pages end within one."""
    row: dict[str, Any] = {
        "coin": "BTC",
        "px": "66000",
        "sz": "0.001",
        "side": "B",
        "startPosition": "0",
        "dir": "Open Long",
    }
    row |= {"closedPnl": "0", "hash": "0x0", "crossed": True, "fee": "0"}
    rows = [row | {"time": 1_000 + number // 3, "oid": number, "tid": number + 1} for number in range(ROWS_MADE)]
    return info.user_fills(MASTER.address).read(json.dumps(rows))


def _cut(fills: Sequence[UserFill], window: Window) -> tuple[UserFill, ...]:
    """The venue's answer: the oldest of the window, so many at most, and no word that there are more."""
    return tuple(fill for fill in fills if window.start_ms <= fill.time_ms <= window.end_ms)[:ROWS_MAX]


def _all_pages() -> int:
    fills, pages = _made(), FillPages(0, 10_000)
    while (window := pages.window) is not None:
        pages.hear(_cut(fills, window))
    return len(pages.fills)


def _next_millisecond() -> int:
    """From one millisecond past the last row on: the rest of that millisecond is never asked for."""
    fills, found, start_ms = _made(), 0, 0
    while page := _cut(fills, Window(start_ms, 10_000)):
        found, start_ms = found + len(page), page[-1].time_ms + 1
    return found


PAGE_CUT = Exhibit(
    name="l20-page-cut",
    story="An answer of fills stops at 2,000 rows without saying so, in the middle of a millisecond.",
    sources=("L20",),
    stake="a profit that nobody can add up",
    right=_all_pages,
    wrong=_next_millisecond,
    check=lambda found: found == ROWS_MADE,
)


def _unequal() -> int:
    """Ten bought, four sold a thousand dollars higher: what that realised, in minor units."""
    books = _book(10)
    books.tell(OrderPlanned(ENGINE, request(-4, "o2"), False, NOW_NS), filled(-4, "x1", "o2", price=101_000.0))
    return books.mind.books.money(ENGINE).realised_minor


def _paired() -> int:
    """An exit is paired with its entry, as if all of it were sold."""
    return round((101_000 - 100_000) * 10 * 0.00001 * 1_000_000)


UNEQUAL_PAIRS = Exhibit(
    name="l20-unequal-pairs",
    story="Round trips were paired whole though the sizes differed, and reported profits that nobody had made.",
    sources=("L20",),
    stake="a strategy that looks better than it is",
    right=_unequal,
    wrong=_paired,
    check=lambda minor: minor == 40_000,
)


def _round_trip(desk: Desk) -> None:
    """Bought and sold at a loss."""
    desk.trade(BTC, "buy", "66100", "0.01", MASTER)
    desk.trade(BTC, "sell", "65900", "0.01", MASTER)
    desk.wait(1)


async def _our_books(on: Adapted) -> int:
    """What our ledger makes of the fills that the venue tells, by how much it is off in millionths of a dollar."""
    books = Bookkeeper()
    books.tell(*await on.adapter.fills(on.clock.now_ns() - 60 * S))
    money = books.mind.books.money(ENGINE)
    return money.realised_minor - money.fees_minor - _money_moved(on.desk)


def _money_moved(desk: Desk) -> int:
    """What the venue says that the account has gained."""
    ask = info.clearinghouse_state(MASTER.address)
    return round((ask.read(desk.info(ask.body)).margin_summary.account_value - 10_000) * 1_000_000)


def _percent_as_dollars() -> int:
    """What a log of signals has: per cent of each trade, added up as dollars, and no fees."""
    desk = Desk(("BTC",))
    _round_trip(desk)
    ask = info.user_fills(MASTER.address)
    sold, bought = (fill.price for fill in ask.read(desk.info(ask.body)))
    return round((sold / bought - 1) * 100 * 1_000_000) - _money_moved(desk)


PNL_OF_THE_VENUE = Exhibit(
    name="l20-percent-as-dollars",
    story="Profit was summed from a log of signals, in per cent and without fees, and was off by up to six times.",
    sources=("L20",),
    stake="a loss that reads as a profit",
    right=lambda: adapt(_our_books, before=_round_trip),
    wrong=_percent_as_dollars,
    check=lambda off: off == 0,
)

EXHIBITS = (
    CHUNK_OVERWRITES,
    CHUNKED_EXIT,
    GIVEN_UP,
    REPRICED_WHOLE,
    LEFT_IN_PART,
    FILLS_WHILE_AWAY,
    SNAPSHOT_TWICE,
    DEX_IGNORED,
    PAGE_CUT,
    UNEQUAL_PAIRS,
    PNL_OF_THE_VENUE,
)
