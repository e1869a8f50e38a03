"""Order: events get their numbers in the order of the input, and what breaks the order of time is named.

Nothing is ever sorted. Per symbol and channel, stamps must not go back; one that does is reported and left out, as
venues.capture_checks does for captures. Channels are not compared with each other: a venue's trades may come after the
book they made, and a fresh subscription replays old ones.

One damaged stamp far ahead would make all that follow look late. So a stamp that leaps ahead of everything its symbol
has said waits for two more of its channel, and the odd one of the three is to blame. What comes behind it waits too, a
bounded number of rows, so the order stays that of the input. A smaller error can't be told from a pause: what it
overtakes is reported as late.
"""

from collections import deque
from collections.abc import Hashable, Iterator
from enum import Enum

import msgspec

from venues.aleatoric.canonical.events import BadRow, BookEvent, Event, Outcome
from venues.aleatoric.canonical.row import Draft, Read

LEAP_NS = 10_000_000_000
"""10 s: nearly twice the slowest book feed there is (Hyperliquid's, 5.4 s), so a feed that runs never waits."""

HELD_MAX = 256
"""So many rows wait behind a doubtful one before it is believed; a quiet channel must not hold up a busy one."""

KEYS_MAX = 8192
"""Trades remembered per channel to know one that comes again; a replay after a new subscription is 30 to 2,000."""

Lane = tuple[str, str]
"""Symbol and channel."""


class _Verdict(Enum):
    """Whether a draft is to be judged now."""

    WAIT = "wait"
    SPIKE = "spike"
    SOUND = "sound"


class _Past:
    """What a channel has said: its latest stamp, its latest book and the keys of its latest trades."""

    __slots__ = ("at_ns", "book", "keys", "position")

    def __init__(self) -> None:
        self.at_ns = self.position = -1
        self.book: BookEvent | None = None
        self.keys: dict[Hashable, int] = {}


class Order:
    """Takes what a source read, gives it out numbered, or tells why not."""

    def __init__(self) -> None:
        self._held: deque[Read] = deque()
        self._pasts: dict[Lane, _Past] = {}
        self._latest: dict[str, int] = {}
        self._numbered = 0

    def take(self, read: Read) -> Iterator[Outcome]:
        """Everything that can be said after one more."""
        self._held.append(read)
        yield from self._release(len(self._held) > HELD_MAX)

    def finish(self) -> Iterator[Outcome]:
        """Everything that still waits: without a witness against it, it is believed."""
        while self._held:
            yield from self._release(True)

    def _release(self, believe: bool) -> Iterator[Outcome]:
        while self._held:
            head = self._held[0]
            if isinstance(head, Draft):
                verdict = self._verdict(head, believe)
                if verdict is _Verdict.WAIT:
                    return
                believe = False
                self._held.popleft()
                yield self._judged(head, verdict is _Verdict.SPIKE)
            else:
                yield self._held.popleft()  # type: ignore[misc]

    def _verdict(self, head: Draft, believe: bool) -> _Verdict:
        """Doubt a leap until two more of its channel are there; a leap that both of them deny is a spike.

        When no more can be waited for, the row before it and one that denies it are two as well.
        """
        event, lane = head.event, _lane(head)
        if event.at_ns <= self._latest.get(event.symbol, -1) + LEAP_NS:
            return _Verdict.SOUND
        past = self._pasts.get(lane)
        reached = past.at_ns if past else -1
        denied = 0
        for other in self._held:
            if other is head or not isinstance(other, Draft) or _lane(other) != lane:
                continue
            if other.event.at_ns >= event.at_ns:
                return _Verdict.SOUND
            denied += other.event.at_ns >= reached
            if denied == 2:
                return _Verdict.SPIKE
        if not believe:
            return _Verdict.WAIT
        return _Verdict.SPIKE if denied and past else _Verdict.SOUND

    def _judged(self, draft: Draft, spike: bool) -> Event | BadRow:
        event, past = draft.event, self._pasts.setdefault(_lane(draft), _Past())
        if spike:
            return BadRow(event.position, "at_ns", str(event.at_ns), "out of time order: those that follow are earlier")
        if (twin := self._twin(draft, past)) is not None:
            return BadRow(event.position, "", _named(event), f"a duplicate of row {twin}")
        if event.at_ns < past.at_ns:
            reason = f"out of time order: row {past.position} is at {past.at_ns}"
            return BadRow(event.position, "at_ns", str(event.at_ns), reason)
        past.at_ns, past.position = event.at_ns, event.position
        self._latest[event.symbol] = max(event.at_ns, self._latest.get(event.symbol, -1))
        self._remember(draft, past)
        self._numbered += 1
        return msgspec.structs.replace(event, id=self._numbered)

    def _twin(self, draft: Draft, past: _Past) -> int | None:
        """The row that said the same."""
        event = draft.event
        if isinstance(event, BookEvent):
            same = past.book is not None and _said(past.book) == _said(event)
            return past.position if same else None
        return past.keys.get(draft.key) if draft.key is not None else None

    def _remember(self, draft: Draft, past: _Past) -> None:
        if isinstance(draft.event, BookEvent):
            past.book = draft.event
        elif draft.key is not None:
            past.keys[draft.key] = draft.event.position
            if len(past.keys) > KEYS_MAX:
                del past.keys[next(iter(past.keys))]


def _lane(draft: Draft) -> Lane:
    return draft.event.symbol, draft.channel


def _said(book: BookEvent) -> tuple[object, ...]:
    return book.at_ns, book.bids, book.asks, book.venue_data


def _named(event: Event) -> str:
    return f"book at {event.at_ns}" if isinstance(event, BookEvent) else f"trade {event.trade_id}"
