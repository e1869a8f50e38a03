"""News: what is a line of the log. Whoever keeps a state says it again to each child that starts; that is no news.

A state is held against the last one of its kind that was written, its stamp left out. A refusal stands while the same
wish meets the same rule: it is written when it begins, and how often it was met again when it is over. What happened (a
fill, a drift) is news however often it happens. The digest takes everything, and so do counts and subscribers.
"""

from collections.abc import Callable
from typing import Any

from msgspec import Struct
from msgspec.structs import replace

from actors.messages import (
    Awoke,
    BalanceChanged,
    Blackouts,
    ByHand,
    CalendarState,
    MacroWindow,
    OrderChanged,
    PositionChanged,
    Reconciled,
    StreamState,
    TierChanged,
    TradingLatched,
    TradingState,
    Tuned,
)
from risk.day_trades import DayTraded
from risk.intent import Approved, Cancel, Intent, Purpose, Refused
from risk.order import OVER

STATES: dict[type, tuple[str, ...]] = {
    TradingState: ("engine",),
    TradingLatched: (),
    Tuned: ("engine", "source", "name", "symbol"),
    BalanceChanged: ("engine",),
    PositionChanged: ("engine", "symbol"),
    ByHand: ("engine", "symbol"),
    OrderChanged: ("order_id",),
    MacroWindow: (),
    Blackouts: (),
    CalendarState: ("source", "kind"),
    Reconciled: ("engine",),
    StreamState: ("engine", "symbol"),
    TierChanged: ("engine", "symbol"),
    DayTraded: ("engine", "symbol", "at_ns"),
}
"""Messages that say how something is, and of what they say it."""

COMMON = {"at_ns": 0}
"""What differs each time and says nothing: the stamp."""

SAID_AGAIN: dict[type, dict[str, Any]] = {
    PositionChanged: {"at_ns": 0, "realised_minor": 0, "fill_id": ""},
    StreamState: {"at_ns": 0, "age_ms": 0},
    Reconciled: {"at_ns": 0, "orders": 0, "positions": 0},
    DayTraded: {},
}
"""The same where more than the stamp differs; of a trade of the day the stamp is all there is."""


Wanted = tuple[str, str, str, Purpose]
"""What is asked for again and again: engine, symbol, a new order or a move, in or out."""


class News:
    """Writes what is new. `tell` takes an event of ours and its fields: how often a refusal stood."""

    def __init__(self, write: Callable[[Any], None], tell: Callable[..., None], flush: Callable[[], None]):
        self._write = write
        self._tell = tell
        self._flush = flush
        self._known: dict[tuple[object, ...], Struct] = {}
        self._waiting: dict[str, tuple[bool, Intent]] = {}  # intents without a verdict, and whether a flush saw them
        self._standing: dict[Wanted, tuple[str, int]] = {}  # rule, and how often it was the answer again

    def write(self, message: Any) -> None:
        """Write a message, unless it says how things are known to be."""
        kind = type(message)
        if kind is Intent:
            self._waiting[message.id] = (False, message)
        elif kind is Approved or kind is Refused:
            self._judged(message)
        elif kind not in STATES or self._new(message):
            self._write(message)
        if kind is Awoke:  # that all is still as it was is news after that
            self._known = {key: known for key, known in self._known.items() if key[0] is not Reconciled}

    def flush(self) -> None:
        """Write intents that nobody has judged for a second or more; a verdict takes milliseconds."""
        for intent_id, (seen, intent) in list(self._waiting.items()):
            if seen:
                del self._waiting[intent_id]
                self._write(intent)
            else:
                self._waiting[intent_id] = (True, intent)
        self._flush()

    def close(self) -> None:
        """The end: what nobody judged, and what still stands, and how often."""
        for _, intent in self._waiting.values():
            self._write(intent)
        self._waiting.clear()
        for wanted in list(self._standing):
            self._over(wanted)

    def _judged(self, verdict: Approved[Any] | Refused[Any]) -> None:
        """A verdict behind its intent. Refused again by the same rule, neither is news."""
        wish = verdict.wish
        rule = verdict.rule if isinstance(verdict, Refused) else ""
        _, intent = self._waiting.pop(getattr(wish, "id", ""), (False, None))
        if not isinstance(wish, Cancel):
            wanted = (wish.engine, wish.symbol, type(wish).__name__, wish.purpose)
            known, times = self._standing.get(wanted, ("", 0))
            if rule and rule == known:
                self._standing[wanted] = (rule, times + 1)
                return
            self._over(wanted)
            if rule:
                self._standing[wanted] = (rule, 0)
        if intent is not None:
            self._write(intent)
        self._write(verdict)

    def _over(self, wanted: Wanted) -> None:
        rule, times = self._standing.pop(wanted, ("", 0))
        if times:
            engine, symbol, _, purpose = wanted
            self._tell("refused_again", engine=engine, symbol=symbol, purpose=str(purpose), rule=rule, times=times)

    def _new(self, message: Any) -> bool:
        kind, plain = type(message), bare(message)
        key: tuple[object, ...] = (kind, *(getattr(message, name) for name in STATES[kind]))
        if kind is TradingLatched:
            key = (kind, message.trading.engine)
        happened = kind is PositionChanged and message.fill_id
        new = bool(happened) or self._known.get(key) != plain
        if kind is OrderChanged and message.state in OVER:
            self._known.pop(key, None)
        else:
            self._known[key] = plain
        return new


def bare(message: Any) -> Struct:
    """A state without what differs each time it is said."""
    plain: Struct = replace(message, **SAID_AGAIN.get(type(message), COMMON))
    if isinstance(plain, TradingLatched):
        plain = replace(plain, trading=replace(plain.trading, at_ns=0))
    return plain
