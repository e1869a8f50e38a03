"""Strategy: what decides on a symbol, given numbers and nothing else; mean reversion is the one that ships.

z-score gated by order-book imbalance: enter against an excursion of the price when the book leans back (Avellaneda &
Lee 2010; Cartea, Jaimungal & Penalva 2015). A strategy is asked on every bar, and about its stop on every book.
"""

from collections.abc import Callable, Iterator
from enum import StrEnum
from math import nan
from typing import NamedTuple, Protocol

from msgspec import Struct

from config.profile import SignalLimits, Tier


class Act(StrEnum):
    """What a strategy wants done."""

    NONE = "none"
    LONG = "long"
    SHORT = "short"
    EXIT = "exit"


class Decision(Struct, frozen=True):
    """An act and its reason, or the reason for none; with the bounds that the numbers were held against."""

    act: Act
    reason: str
    z_bound: float = nan
    obi_bound: float = nan
    move_bound: float = nan
    held_s_bound: float = nan


class SymbolView(Struct, frozen=True, kw_only=True):
    """One symbol at the close of one bar. None is a number that does not exist, which is never taken for zero."""

    symbol: str
    close: float
    warm: bool  # the z window is full
    z: float | None  # None while cold, and in a window that never moved
    trend: float | None  # None while its window is cold
    obi: float | None  # None where there is no book
    obi_fresh: bool  # its book is young enough to act on
    facade: bool
    lots: int  # signed; what is too small to trade counts as 0
    move: float  # of the price since the entry, in favour; nan when flat
    held_s: float  # nan when flat
    held_s_max: float  # time stop of this hour


class Condition(NamedTuple):
    """One thing that has to be so: what it is now, and what is needed."""

    name: str  # the reason for doing nothing, where it does not hold
    holds: bool
    value: str
    needed: str


class Strategy(Protocol):
    """The seam that user strategies plug into. One object serves all symbols; it keeps no state and reads no clock."""

    def decide(self, view: SymbolView) -> Decision:
        """At the close of a bar."""
        ...

    def stopped(self, move: float) -> Decision | None:
        """At any book: the exit of a position that has moved so far (share of its entry, in favour), if it must go."""
        ...

    def entry_conditions(self, view: SymbolView) -> Iterator[Condition]:
        """What an entry needs, in the order `decide` asks it: for a person who wonders."""
        ...

    def exit_conditions(self, view: SymbolView) -> Iterator[Condition]:
        """What would make it leave, any one of them."""
        ...


class MeanReversion:
    """Long below the mean, short above it, both gates on one bar; out when z is back, or by the stop or the time."""

    def __init__(self, limits: SignalLimits, tier: Callable[[str], Tier]):
        self.limits = limits
        self.tier = tier
        self.stop = Decision(Act.EXIT, "stop_loss", move_bound=-limits.stop_loss)

    def decide(self, view: SymbolView) -> Decision:
        """Exits before entries; a position is never turned over in one step."""
        return self._exit(view) if view.lots else self._entry(view)

    def stopped(self, move: float) -> Decision | None:
        """Mean reversion has no floor in a trend: z can climb for hours while the loss grows."""
        return self.stop if move <= -self.limits.stop_loss else None

    def _exit(self, view: SymbolView) -> Decision:
        if stop := self.stopped(view.move):
            return stop
        if view.held_s >= view.held_s_max:
            return Decision(Act.EXIT, "time_stop", held_s_bound=view.held_s_max)
        bound = self.tier(view.symbol).z_exit
        long = view.lots > 0
        z_bound = -bound if long else bound
        if view.z is None:
            return Decision(Act.NONE, "no_z", z_bound)
        if view.z > z_bound if long else view.z < z_bound:
            return Decision(Act.EXIT, "z_revert", z_bound)
        return Decision(Act.NONE, "holding", z_bound)

    def _entry(self, view: SymbolView) -> Decision:
        bound, theta = self.tier(view.symbol).z_entry, self.limits.obi_theta
        long = leans_long(view)
        wanted = Decision(Act.LONG, "z_entry", -bound, theta) if long else Decision(Act.SHORT, "z_entry", bound, -theta)
        for name, holds, _, _ in self.entry_conditions(view):
            if not holds:
                far = name not in NO_EXCURSION
                bounds = (wanted.z_bound, wanted.obi_bound) if far else ()
                return Decision(Act.NONE, name, *bounds)
        return wanted

    def entry_conditions(self, view: SymbolView) -> Iterator[Condition]:
        """All that an entry needs, in the order it is asked; numbers first. A cold trend is an open gate."""
        limits, long = self.limits, leans_long(view)
        bound = self.tier(view.symbol).z_entry
        cold = "z_flat" if view.warm else "z_cold"
        yield Condition(cold, view.z is not None, "none" if view.z is None else f"{view.z:.4g}", "a z")
        z = nan if view.z is None else view.z
        yield Condition("z_inside", z < -bound or z > bound, f"z {z:.4g}", f"below -{bound:g} or above {bound:g}")
        side = "long" if long else "short"
        yield Condition(
            "long_only", long or limits.allow_short, side, "long or short" if limits.allow_short else "long"
        )
        obi = nan if view.obi is None else view.obi
        yield Condition("obi_missing", view.obi is not None, f"imbalance {obi:.4g}", "a book of full depth")
        yield Condition("obi_stale", view.obi_fresh, "young" if view.obi_fresh else "old", "a young book")
        leans, theta = (
            (obi > limits.obi_theta, limits.obi_theta) if long else (obi < -limits.obi_theta, -limits.obi_theta)
        )
        yield Condition("obi_against", leans, f"imbalance {obi:.4g}", f"{'above' if long else 'below'} {theta:g}")
        if limits.trend_gate:
            trend = nan if view.trend is None else view.trend
            against = view.close < trend if long else view.close > trend
            needed = f"{'at or above' if long else 'at or below'} the trend's {trend:.8g}"
            yield Condition("trend_against", not against, f"close {view.close:.8g}", needed)

    def exit_conditions(self, view: SymbolView) -> Iterator[Condition]:
        """What would make it leave: any one of them is enough."""
        z_exit = self.tier(view.symbol).z_exit
        long, z = view.lots > 0, nan if view.z is None else view.z
        stop, left_s = -self.limits.stop_loss, view.held_s_max
        yield Condition("stop_loss", view.move <= stop, f"moved {view.move:.4%} in favour", f"{stop:.4%} or less")
        yield Condition("time_stop", view.held_s >= left_s, f"held {view.held_s:.0f} s", f"{left_s:g} s")
        back = z > -z_exit if long else z < z_exit
        yield Condition("z_revert", back, f"z {z:.4g}", f"{'above -' if long else 'below '}{z_exit:g}")


NO_EXCURSION = ("z_cold", "z_flat", "z_inside")
"""Reasons for no entry where no side was wanted yet, so that no bound was."""


def leans_long(view: SymbolView) -> bool:
    """The side of an entry: against the excursion, and long where there is none."""
    return view.z is None or view.z <= 0
