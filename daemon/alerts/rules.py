"""Which messages need a person: halts, the breaker, drifts, broken invariants, restart storms, feeds that stay stale.

A pure mind: messages in, alerts out. What lasts (a stale feed, no reconciliation) is told once it has lasted, by the
times that the messages carry; `look` is called now and then, because silence sends no message.
"""

from collections import deque
from collections.abc import Callable, Iterable, Iterator, Mapping
from typing import Any, ClassVar

from actors.messages import (
    SHUTDOWN,
    CalendarState,
    CashDrift,
    Drift,
    HeldOutside,
    InvariantBroken,
    MacroWindow,
    OrderFaulted,
    Reconciled,
    StreamState,
    TradingState,
)
from daemon.alerts.alert import Alert, Level
from risk.intent import Trading
from supervisor.clock import NS_PER_S
from supervisor.messages import ChildCrashed, GaveUp

STALE_NS = 60 * NS_PER_S
"""A feed that is stale for so long does not come back by itself within a reconnect or two."""
UNRECONCILED_NS = 180 * NS_PER_S
"""Six looks of the reconciler."""
STORM_CRASHES, STORM_NS = 3, 600 * NS_PER_S
"""So many crashes of one actor within so long are no accident, though the supervisor still bears them."""
EVERY = "all engines"
NAMED_MAX = 8
"""Symbols that are named; of more, how many."""


class Rules:
    """The mind."""

    hears: ClassVar[tuple[type, ...]] = (
        TradingState,
        InvariantBroken,
        Drift,
        CashDrift,
        HeldOutside,
        OrderFaulted,
        GaveUp,
        ChildCrashed,
        StreamState,
        Reconciled,
        CalendarState,
        MacroWindow,
    )

    def __init__(
        self,
        symbols: Mapping[str, Iterable[str]],
        started_ns: int,
        is_open: Callable[[str, int], bool] = lambda _engine, _at_ns: True,
    ) -> None:
        self.is_open = is_open  # whether an engine's market is: while it is shut, silence is no news
        # engine and symbol -> since when; a feed that never came is one that stays away
        self.stale = {(engine, symbol): started_ns for engine, known in symbols.items() for symbol in known}
        self.unreconciled: dict[str, tuple[int, str]] = {}  # engine -> since when, why
        self.crashes: dict[str, deque[int]] = {}
        self.lasting: set[str] = set()  # keys of what `look` has told and is not over
        self.halted: set[str] = set()  # keys of latches that were told
        self.degraded = False

    def hear(self, message: Any) -> Iterator[Alert]:
        """What a message says that a person should know."""
        match message:
            case TradingState():
                yield from self._trading(message)
            case InvariantBroken():
                text = f"{message.what}. Everything is halted until you have looked: obid ctl explain, obid logs"
                yield _alert(message, Level.CRITICAL, f"broken:{message.invariant}", "an invariant is broken", text)
            case GaveUp():
                text = "an actor crashed too often: trading stopped, what rested was cancelled, obid exits"
                yield _alert(message, Level.CRITICAL, "gave_up", "obid gave up", text)
            case ChildCrashed():
                yield from self._crashed(message)
            case Drift():
                text = f"the venue holds {message.venue_lots} lots, the ledger {message.ledger_lots}: {message.action}"
                yield _alert(message, Level.WARNING, f"drift:{message.symbol}", f"drift in {message.symbol}", text)
            case CashDrift():
                text = f"the venue has {_usd(message.venue_minor)}, the books {_usd(message.ledger_minor)}"
                yield _alert(message, Level.WARNING, "cash_drift", "cash differs", text)
            case HeldOutside():
                title = f"{message.symbol} is held while its session is shut"
                yield _alert(message, Level.CRITICAL, f"held_outside:{message.symbol}", title, "")
            case OrderFaulted():
                yield _alert(
                    message, Level.WARNING, "order_faulted", "an order is in a state that cannot be", message.error
                )
            case StreamState():
                self._stream(message)
            case Reconciled():
                self._reconciled(message)
            case CalendarState() if not message.ok:
                text = f"{message.source} ({message.kind}): {message.reason}"
                yield _alert(message, Level.INFO, f"calendar:{message.source}", "a calendar does not answer", text)
            case MacroWindow():
                yield from self._calendar(message)

    def look(self, now_ns: int) -> Iterator[Alert]:
        """What has lasted too long, and what of that is over."""
        lasting: dict[str, tuple[str, str]] = {}
        for engine in sorted({engine for engine, _ in self.stale}):
            old = sorted(
                symbol for (of, symbol), at_ns in self.stale.items() if of == engine and now_ns - at_ns >= STALE_NS
            )
            if old and self.is_open(engine, now_ns - STALE_NS) and self.is_open(engine, now_ns):
                more = f" and {len(old) - NAMED_MAX} more" if len(old) > NAMED_MAX else ""
                text = f"{', '.join(old[:NAMED_MAX])}{more}: no entries there"
                lasting[f"stale:{engine}"] = (f"{engine}: {len(old)} feeds are stale", text)
        for engine, (at_ns, why) in self.unreconciled.items():
            if now_ns - at_ns >= UNRECONCILED_NS:
                lasting[f"unreconciled:{engine}"] = (f"{engine} cannot be reconciled", f"{why}: no entries")
        for key, (title, text) in lasting.items():
            yield Alert(key=key, level=Level.WARNING, title=title, text=text, at_ns=now_ns)
        for key in sorted(self.lasting - lasting.keys()):
            what, _, engine = key.partition(":")
            yield Alert(key=key, level=Level.WARNING, title=f"{engine}: no longer {what}", over=True, at_ns=now_ns)
        self.lasting = set(lasting)

    def _trading(self, state: TradingState) -> Iterator[Alert]:
        if state.by == SHUTDOWN:
            return
        key, whom = f"trading:{state.engine or 'all'}", state.engine or EVERY
        if state.state is Trading.ACTIVE:
            if key in self.halted:
                self.halted.discard(key)
                yield Alert(key=key, level=Level.WARNING, title=f"{whom}: trading again", over=True, at_ns=state.at_ns)
            return
        self.halted.add(key)
        level = Level.CRITICAL if state.state is Trading.HALTED and state.by != "operator" else Level.WARNING
        yield Alert(
            key=key,
            level=level,
            title=f"{whom}: {state.state.value} by {state.by}",
            text=state.reason,
            at_ns=state.at_ns,
        )

    def _crashed(self, crash: ChildCrashed) -> Iterator[Alert]:
        name = f"{crash.engine}.{crash.child}" if crash.engine else crash.child
        times = self.crashes.setdefault(name, deque(maxlen=STORM_CRASHES))
        times.append(crash.at_ns)
        if len(times) == STORM_CRASHES and times[-1] - times[0] <= STORM_NS:
            text = f"{STORM_CRASHES} crashes within {(times[-1] - times[0]) // NS_PER_S} s, the last of: {crash.error}"
            title = f"{name} keeps crashing"
            yield Alert(key=f"storm:{name}", level=Level.WARNING, title=title, text=text, at_ns=crash.at_ns)

    def _stream(self, state: StreamState) -> None:
        place = state.engine, state.symbol
        if state.fresh:
            self.stale.pop(place, None)
        else:
            self.stale.setdefault(place, state.at_ns)

    def _reconciled(self, told: Reconciled) -> None:
        if told.ok:
            self.unreconciled.pop(told.engine, None)
        else:
            self.unreconciled.setdefault(told.engine, (told.at_ns, told.reason))

    def _calendar(self, window: MacroWindow) -> Iterator[Alert]:
        if window.degraded and not self.degraded:
            then = "entries are shut" if window.shut else "entries go on, as macro.when_degraded says"
            yield _alert(window, Level.WARNING, "calendar_degraded", f"no calendar covers the time: {then}", "")
        if self.degraded and not window.degraded:
            key, title = "calendar_degraded", "a calendar covers the time again"
            yield Alert(key=key, level=Level.WARNING, title=title, over=True, at_ns=window.at_ns)
        self.degraded = window.degraded


def _alert(message: Any, level: Level, key: str, title: str, text: str) -> Alert:
    engine = getattr(message, "engine", "")
    named = f"{engine}: {title}" if engine else title
    return Alert(key=f"{key}:{engine}" if engine else key, level=level, title=named, text=text, at_ns=message.at_ns)


def _usd(minor: int) -> str:
    from daemon.tables import dollars

    return f"{dollars(minor)} USD"
