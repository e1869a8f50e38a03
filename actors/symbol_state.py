"""What the signal knows of one symbol: its windows, its touch, its position, and what is under way.

Nothing here is believed before it happened. A position is what the last fill made it; an order is under way because the
ledger says so; an intent that nobody has answered is waited for until a deadline and then forgotten.
"""

from collections import deque
from collections.abc import Iterable, Mapping
from math import nan

from msgspec import Struct

from actors.backoff import Backoff
from actors.messages import Imbalance, OrderChanged, PositionChanged
from actors.strategy import Decision
from actors.windows import MeanWindow, ZWindow
from config.profile import Profile, Route
from risk.intent import Purpose
from risk.order import OVER, OrderState
from risk.position import stays_leftover
from supervisor.clock import NS_PER_MS, NS_PER_S
from venues.market import Bar, Instrument, TimeInForce

GIVEN_SILENT_MAX = 3
"""Silent bars of another source in a row that are a quiet coin; of more the source is dead."""

UNSEEN_PART_MAX = 4
"""Of a window one close in so many may be one that nobody saw: the last close of a stream that died, said again and
again, makes the deviation small and the first price after it an excursion."""

ANSWER_NS_MAX = 5 * NS_PER_S
"""An intent that the gate, the disk and the executor have not answered by then is forgotten: they take milliseconds."""

CLEAR_NS_MAX = 3 * NS_PER_S
"""How long an exit waits for the orders in its way to be cancelled; a venue answers in a tenth of that."""

STUCK_NS = 30 * NS_PER_S
"""An exit order with no news for this much longer than its lifetime no longer holds back another: exits are
reduce-only, so two cannot turn the position, while waiting for a lost word once held a stop back for ever."""

BARLESS_NS = 60 * NS_PER_S
"""So much later than a bar is due there is nobody who cuts any: their source, or our own bars, are down."""

ENTRY_BACKOFF_S = (120.0, 1920.0)
"""Two bars after the first refusal of an entry, half an hour at most: what is refused again is not worth saying."""

EXIT_BACKOFF_S = (1.0, 8.0)
"""An exit is asked for again within seconds: what it waits for costs money."""


class Awaited(Struct, frozen=True):
    """An intent that was said and not answered yet."""

    intent_id: str
    purpose: Purpose
    until_ns: int


class Clearing(Struct, frozen=True):
    """An exit that waits until the orders in its way are cancelled."""

    decision: Decision
    since_ns: int


SIGNAL = "signal"
"""The child whose memory this is."""


class Flattened:
    """Symbols that the operator has flattened, each until nothing of it is held or under way. It outlives the signal.

    A signal that has just started knows of no position and no order, so that all would seem to be over: it waits for
    the ledger to have said all again.
    """

    def __init__(self) -> None:
        self.symbols: set[str] = set()
        self.untold = False

    def taken_up(self) -> "Flattened":
        """The same, for a signal that starts."""
        self.untold = bool(self.symbols)
        return self

    def look(self, state: "SymbolState") -> None:
        """Perhaps nothing of a symbol is left."""
        if not self.untold and state.idle:
            self.symbols.discard(state.instrument.symbol)

    def restated(self, child: str, states: Mapping[str, "SymbolState"]) -> tuple[()]:
        """The ledger has said again all that a child must know; the signal's answer, which is nothing."""
        if self.untold and child == SIGNAL:
            self.untold = False
            for state in states.values():
                self.look(state)
        return ()


class SymbolState:
    """One symbol of one engine."""

    def __init__(self, profile: Profile, instrument: Instrument, route: Route, flattened: Flattened):
        self.instrument = instrument
        self.given = any(instrument.symbol in names for names in profile.bars_given().values())
        self.route = route
        self.daily = profile.signal.daily
        self.interval_ns = profile.signal.bar_s * NS_PER_S
        self.dust_lots, self.dust_usd = profile.risk.dust_lots, profile.risk.dust_usd
        size = max(profile.signal.window_bars, profile.signal.trend_bars)
        self.closes: deque[tuple[int, float]] = deque(maxlen=size)  # (start of the bar, close)
        self.window = ZWindow(profile.signal.window_bars)
        self.trend = MeanWindow(profile.signal.trend_bars)
        self.unseen: deque[bool] = deque(maxlen=profile.signal.window_bars)  # of the closes that were heard
        self.silent = 0  # bars without a price of their own, up to the last
        self.stale_ns = profile.feed.stale_ms * NS_PER_MS
        self.touch: Imbalance | None = None
        self.deep: Imbalance | None = None  # the last of a book as deep as the strategy's imbalance
        self.refused_ns = 0  # stamp of the last book that was thrown away
        self.fresh = True
        self.bar_start_ns = 0  # of the last bar heard
        self.close = nan  # of it
        self.lots = 0
        self.leftover = False  # what is held is worth less than an order may be
        self.entry_price = nan
        self.opened_ns = 0
        self.alive: dict[str, OrderChanged] = {}
        self.asked_ns: dict[str, int] = {}  # order -> when its cancel was asked for
        self.awaited: Awaited | None = None
        self.flattened = flattened
        self.clearing: Clearing | None = None
        self.entry_backoff = Backoff(*ENTRY_BACKOFF_S)
        self.exit_backoff = Backoff(*EXIT_BACKOFF_S)

    def book(self) -> Imbalance | None:
        """The newest book, unless a newer one was thrown away: then nobody knows the touch."""
        return self.touch if self.touch is not None and self.touch.at_ns >= self.refused_ns else None

    def lean(self) -> Imbalance | None:
        """Whose imbalance an entry is judged by; none where nobody knows the touch."""
        return self.deep if self.book() is not None else None

    @property
    def leaving(self) -> bool:
        """Whether the operator has it flattened, until nothing is held or under way."""
        return self.instrument.symbol in self.flattened.symbols

    # --- closes

    def advance(self, bar: Bar) -> bool:
        """Take a bar; False if it was taken before. Bars missing in between (nobody cut any) carry the close."""
        if bar.interval_ns != self.interval_ns:
            if self.daily:
                self._push(bar.start_ns, bar.close)
            return False
        if bar.start_ns <= self.bar_start_ns:
            return False
        if not self.daily:
            if self.closes:
                start_ns, close = self.closes[-1]
                room_ns = (self.closes.maxlen or 0) * self.interval_ns
                first_ns = max(start_ns + self.interval_ns, bar.start_ns - room_ns)
                for missing_ns in range(first_ns, bar.start_ns, self.interval_ns):
                    self._push(missing_ns, close)
                    self.unseen.append(True)
            self._push(bar.start_ns, bar.close)
            self._see(bar)
        self.bar_start_ns, self.close = bar.start_ns, bar.close
        return True

    def _see(self, bar: Bar) -> None:
        """Whether a close is the price of that time: a silent one is where nothing moved, not where nobody listened."""
        self.silent = 0 if bar.books else self.silent + 1
        heard_ns = self.touch.received_ns if self.touch is not None else 0
        dead = self.silent > GIVEN_SILENT_MAX if self.given else heard_ns < bar.end_ns - self.stale_ns
        self.unseen.append(not bar.books and dead)

    def dark(self) -> bool:
        """Whether the last close is a price that nobody saw, or too much of the window is."""
        return bool(self.unseen) and (self.unseen[-1] or sum(self.unseen) * UNSEEN_PART_MAX > self.window.size)

    def learn(self, bars: Iterable[Bar]) -> None:
        """Put a history before what was heard; where both have a bar, the one that was acted on stays."""
        known = [bar for bar in bars if (bar.interval_ns != self.interval_ns) == self.daily]
        first_ns = self.closes[0][0] if self.closes else None
        older = [(bar.start_ns, bar.close) for bar in known if first_ns is None or bar.end_ns <= first_ns]
        self.closes = deque([*older, *self.closes], maxlen=self.closes.maxlen)
        self.window.refill(close for _, close in self.closes)
        self.trend.refill(close for _, close in self.closes)
        if self.closes and not self.daily:
            self.bar_start_ns, self.close = self.closes[-1]

    def _push(self, start_ns: int, close: float) -> None:
        if self.closes and start_ns <= self.closes[-1][0]:
            return
        self.closes.append((start_ns, close))
        self.window.push(close)
        self.trend.push(close)

    def numbers(self) -> tuple[bool, float | None, float | None]:
        """Whether the window is full, z, and the mean of the trend; where bars are days, of the day so far."""
        if self.daily:
            full = len(self.window.closes) >= self.window.size - 1
            return full, self.window.peek(self.close), self.trend.peek(self.close)
        return self.window.warm, self.window.z(), self.trend.mean()

    def barless(self, now_ns: int) -> bool:
        """Whether no bar comes any more, or none ever came."""
        return now_ns - self.bar_start_ns > 2 * self.interval_ns + BARLESS_NS

    # --- position

    @property
    def held(self) -> bool:
        """Whether there is a position; what is too small to trade is none."""
        return abs(self.lots) > self.dust_lots and not self.leftover

    def position(self, changed: PositionChanged) -> None:
        """Take over what the fills made."""
        self.lots = changed.lots
        self.weigh(changed.entry_ticks * float(self.instrument.tick), before=False)
        self.entry_price = changed.entry_ticks * float(self.instrument.tick)
        self.opened_ns = changed.opened_ns
        if not self.held:
            self.clearing = None

    def weigh(self, price: float, *, before: bool) -> None:
        """Hold what is held against the least order, at the mid of the book, else at a price."""
        touch = self.book()
        at = (touch.bid + touch.ask) * 0.5 if touch else price
        ticks = at / float(self.instrument.tick)
        self.leftover = stays_leftover(self.lots, ticks, self.instrument, self.dust_usd, before=before)

    def own_price(self, price: float) -> float:
        """The price at the close of a bar; where the bar is another market's, the mid of the book, nan without one."""
        if not self.given:
            return price
        touch = self.book()
        return (touch.bid + touch.ask) * 0.5 if touch else nan

    def move(self, price: float) -> float:
        """How far a price is from the entry, as a share of it, in favour of the position; nan when flat."""
        if not self.held or not self.entry_price > 0:
            return nan
        return (price / self.entry_price - 1) * (1 if self.lots > 0 else -1)

    # --- what is under way

    def order(self, changed: OrderChanged) -> None:
        """Follow an order; the one that replaces another is announced before that one is over."""
        if changed.state in OVER:
            self.alive.pop(changed.order_id, None)
            self.asked_ns.pop(changed.order_id, None)
        else:
            self.alive[changed.order_id] = changed
        if self.awaited is not None and self.awaited.intent_id == changed.intent_id:
            self.awaited = None

    @property
    def idle(self) -> bool:
        """Whether nothing is held and nothing is under way."""
        return not self.held and not self.alive and self.awaited is None

    def awaits(self, now_ns: int) -> Awaited | None:
        """The unanswered intent, until its deadline."""
        if self.awaited is not None and now_ns >= self.awaited.until_ns:
            self.awaited = None
        return self.awaited

    def in_the_way(self, now_ns: int, *, forced: bool) -> list[OrderChanged] | None:
        """Orders that an exit has to wait for; None: an exit that is as good is under way, or about to be."""
        if self.awaits(now_ns) is not None:
            return None
        stuck_ns = self.route.lifetime_s * NS_PER_S + STUCK_NS
        blocking = [o for o in self.alive.values() if o.entry or now_ns - o.at_ns < stuck_ns]
        exits = [o for o in blocking if not o.entry]
        if exits and (not forced or any(o.time_in_force is TimeInForce.IOC for o in exits)):
            return None
        return blocking

    def to_cancel(self, now_ns: int) -> list[OrderChanged]:
        """Orders that can be cancelled now: the venue has them, and they were not asked to go a moment ago."""
        resting = [order for order in self.alive.values() if order.state is OrderState.RESTING]
        asked = [order for order in resting if now_ns - self.asked_ns.get(order.order_id, 0) >= CLEAR_NS_MAX]
        for order in asked:
            self.asked_ns[order.order_id] = now_ns
        return asked
