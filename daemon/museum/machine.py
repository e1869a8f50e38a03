"""Exhibits: what the engine around the strategy did to it: queues, stops, logs, bars and calendars."""

from collections import deque
from typing import Any, ClassVar

from actors.given_bars import GivenBars
from actors.messages import BarGiven, Imbalance
from actors.signal import Signal
from daemon.museum.bench import ENGINE, MINUTE_NS, NOW_NS, PRICE, Bookkeeper, S, moved, run_started
from daemon.museum.exhibit import Exhibit
from daemon.museum.scene import perform
from risk.macro_window import Calendar, window
from risk.order import OrderState
from supervisor.actor import Post
from supervisor.mailbox import Hears, Mailbox
from venues.market import Bar, Book

HOUR_NS = 60 * MINUTE_NS


class Sleeper:
    """A body that waits for news that never comes, as one does in a quiet market."""

    hears: ClassVar[tuple[Hears, ...]] = (Hears(Book),)
    says: ClassVar[tuple[type, ...]] = ()

    def __init__(self, lived: list[str]) -> None:
        self.lived = lived

    async def run(self, post: Post) -> None:
        """Wait, and write down how it ended."""
        post.ready()
        try:
            await post.mailbox.wait()
        finally:
            self.lived.append("woken")


def _stopped() -> list[str]:
    """Stop a program whose actor waits for a message."""
    lived: list[str] = []
    perform("sleeper", Sleeper, lambda: Sleeper(lived), (), seconds=10)
    return lived


def _flagged() -> list[str]:
    """A handler sets a flag, which is read between two messages; there is no second one."""
    stop, lived = False, []
    inbox: deque[str] = deque()
    stop = True
    while inbox:
        inbox.popleft()
        if stop:
            lived.append("woken")
    return lived


FLAG_UNREAD = Exhibit(
    name="l21-flag-unread",
    story="SIGTERM set a flag that nobody read while all waited for messages; the engine had to be killed.",
    sources=("L21",),
    stake="orders that rest after the engine is gone",
    right=_stopped,
    wrong=_flagged,
    check=lambda lived: lived == ["woken"],
)


def _burst() -> list[Any]:
    books = [Imbalance("BTC", NOW_NS + n, NOW_NS + n, PRICE, PRICE + 1, 0, 0, 0, False) for n in range(1_000)]
    return [*books, moved(OrderState.FILLED)]


def _by_lanes() -> int:
    """How many messages a signal reads before the news of its order, after a thousand books."""
    box = Mailbox("signal", Signal.hears, lambda: NOW_NS)
    for message in _burst():
        box.lanes[type(message)].put(message)
    read = 0
    while batch := box.take():
        for message in batch:
            if not isinstance(message, Imbalance):
                return read
            read += 1
    return -1


def _in_one_queue() -> int:
    queue = deque(_burst())
    return next(place for place, message in enumerate(queue) if not isinstance(message, Imbalance))


FILL_BEHIND_BOOKS = Exhibit(
    name="d12-fill-behind-books",
    story="Books, bars and fills shared one queue, and a fill waited behind a thousand books that were old already.",
    sources=("D12",),
    stake="decisions on a position of seconds ago",
    right=_by_lanes,
    wrong=_in_one_queue,
    check=lambda waited: waited == 0,
)

BOOTS_NS = (NOW_NS - 374 * HOUR_NS, NOW_NS - HOUR_NS)
"""Two runs in one journal, the first of them two weeks ago."""


def _of_this_run() -> int:
    first, last = (run_started(number, at_ns) for number, at_ns in enumerate(BOOTS_NS, 1))
    run = Bookkeeper(first, last).mind.runs[-1]
    return (NOW_NS - run.at_ns) // HOUR_NS if run.run_id == "run-2" else -1


FIRST_BOOT = Exhibit(
    name="l25-first-boot",
    story="A soak was measured from the first of many starts in one log: 374 hours instead of one.",
    sources=("L25",),
    stake="rates that are wrong by two orders of magnitude",
    right=_of_this_run,
    wrong=lambda: (NOW_NS - min(BOOTS_NS)) // HOUR_NS,
    check=lambda hours: hours == 1,
)

SPOT, BASIS = 100.0, 3.0


def _closes(given: frozenset[str]) -> list[float]:
    """Closes of three minutes: the source gives the first and the last, our own books trade three dollars above."""
    mind, closes = GivenBars(ENGINE, 60, 240, given), []
    start_ns = NOW_NS - NOW_NS % MINUTE_NS
    for minute in range(3):
        at_ns = start_ns + minute * MINUTE_NS
        mid = SPOT + BASIS
        heard: list[Any] = [Imbalance("BTC", at_ns + S, at_ns + S, mid - 0.5, mid + 0.5, 0, 0, 0, False)]
        if minute != 1:
            heard.append(BarGiven(Bar("BTC", at_ns, MINUTE_NS, SPOT, SPOT, SPOT, SPOT, 1)))
        for message in heard:
            closes += [bar.close for bar in mind.hear(message) if isinstance(bar, Bar)]
    return closes


def _whatever_comes() -> list[float]:
    """One window, filled by whoever has a bar for the minute."""
    return [SPOT, SPOT + BASIS, SPOT]


TWO_BASES = Exhibit(
    name="d16-two-bases",
    story="A window was filled with the perpetual's candles and went on with bars of the spot coin.",
    sources=("D16",),
    stake="a basis that looks like an excursion, and is bought",
    right=lambda: _closes(frozenset({"BTC"})),
    wrong=_whatever_comes,
    check=lambda closes: closes == [SPOT] * 3,
)


def _covers() -> bool:
    """A calendar that ends in 36 hours: is it good for a position of today?"""
    calendar = Calendar(from_ns=NOW_NS - HOUR_NS, until_ns=NOW_NS + 36 * HOUR_NS)
    return not window([calendar], NOW_NS).degraded


SHORT_CALENDAR = Exhibit(
    name="l26-short-calendar",
    story="Events were fetched for 36 hours, and a position was held into one that came after.",
    sources=("L26",),
    stake="a gap of a fifth overnight",
    right=_covers,
    wrong=lambda: NOW_NS < NOW_NS + 36 * HOUR_NS,
    check=lambda believed: believed is False,
)

EXHIBITS = (FLAG_UNREAD, FILL_BEHIND_BOOKS, FIRST_BOOT, TWO_BASES, SHORT_CALENDAR)
