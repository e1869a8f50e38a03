"""What both sides of the tick path start from: the perps profile with fast bars, warm windows, a few open positions."""

from collections.abc import Iterable
from math import sin
from typing import Any, NamedTuple

from actors.messages import (
    BreakerChanged,
    MacroWindow,
    PositionChanged,
    Reconciled,
    SectorCounts,
    StreamState,
)
from benchmarks.frames import ENGINE, START_MS, coins
from config.load import load_profile
from config.profile import Profile
from config.universe import SymbolFacts
from daemon.markets import instrument_of
from risk.circuit_breaker import Breaker
from risk.money import to_minor
from risk.session import NO_DAYS, SessionCalendar
from supervisor.clock import NS_PER_MS, NS_PER_S
from venues.market import Bar, Instrument

BAR_S = 1
"""Bars of a second of the frames' time, so that decisions occur within a few thousand frames."""

START_NS = START_MS * NS_PER_MS
EPOCH_NS = START_NS - 3600 * NS_PER_S
"""The graph's clock stays behind the frames, so that bars are closed by books alone, as in the inline function."""

MARKS_OFFSET_NS = NS_PER_S // 2
"""Marks are due in the middle of each second of the frames' time, because bars close at its end."""

HELD = 8
"""Every so many coins one is held from the start: its books are held against the stop."""

LATELY = 70
"""Bars that stand at the level of the first frame: a few more than the window of z."""

UNDER_WATER = 0.985
"""The entry of the positions: the first of them is long 1.5 % too high, so its stop fires; the others are fine."""


class Scene(NamedTuple):
    """The start of a run."""

    profile: Profile
    instruments: dict[str, Instrument]
    bars: dict[str, tuple[Bar, ...]]
    positions: tuple[PositionChanged, ...]
    calendar: SessionCalendar

    def opened(self) -> Iterable[Any]:
        """What opens the gate, as the reconciler, the guards and the feed would say it."""
        yield Reconciled(ENGINE, True, 0, len(self.positions), 0, "", START_NS)
        yield MacroWindow(False, "", 0, False, START_NS)
        yield SectorCounts({}, {}, START_NS)
        equity = to_minor(self.profile.simulated.cash_usd)
        breaker = Breaker(settled=True, opening_minor=equity, high_water_minor=equity, readings=(equity,))
        yield BreakerChanged(ENGINE, breaker, START_NS)
        for symbol in self.instruments:
            yield StreamState(ENGINE, symbol, True, 0, START_NS)
        yield from self.positions


def new_scene(bar_s: int = BAR_S) -> Scene:
    """The same every time."""
    profile = load_profile(ENGINE, cli={"signal": {"bar_s": bar_s}})
    facts = {one.symbol: one for one in coins()}
    instruments = {symbol: instrument_of(one) for symbol, one in facts.items()}
    window = max(profile.signal.window_bars, profile.signal.trend_bars)
    bars = {one.symbol: tuple(_history(one, window, bar_s, rises=at % 2 == 0)) for at, one in enumerate(facts.values())}
    positions = tuple(
        _position(instruments[symbol], float(facts[symbol].price_usd), first=place == 0)
        for place, symbol in enumerate(facts)
        if place % HELD == 0
    )
    return Scene(profile, instruments, bars, positions, NO_DAYS)


def _history(facts: SymbolFacts, window: int, bar_s: int, *, rises: bool) -> Iterable[Bar]:
    """Bars up to the first frame: a swing, and long ago another level, so that the trend lets one side enter."""
    interval_ns = bar_s * NS_PER_S
    for left in range(window, 0, -1):
        before = 0.0 if left <= LATELY else -0.002 if rises else 0.002
        close = float(facts.price_usd) * (1 + 0.0003 * sin(left / 7) + before)
        yield Bar(facts.symbol, START_NS - left * interval_ns, interval_ns, close, close, close, close, 1)


def _position(instrument: Instrument, price: float, *, first: bool) -> PositionChanged:
    lots = max(3, int(200 / price / float(instrument.lot)))
    entry = price / (UNDER_WATER if first else 1.0) / float(instrument.tick)
    return PositionChanged(ENGINE, instrument.symbol, lots, entry, 0, START_NS - NS_PER_S, START_NS)
