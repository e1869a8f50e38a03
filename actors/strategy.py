"""Strategy: what decides on a symbol, given numbers and nothing else; mean reversion is the one that ships.

z-score gated by order-book imbalance: enter against an excursion of the price when the book leans back (Avellaneda &
Lee 2010; Cartea, Jaimungal & Penalva 2015). A strategy is asked on every bar, and about its stop on every book.
"""

from collections.abc import Callable
from enum import StrEnum
from math import nan
from typing import Protocol

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


class Strategy(Protocol):
    """The seam that user strategies plug into. One object serves all symbols; it keeps no state and reads no clock."""

    def decide(self, view: SymbolView) -> Decision:
        """At the close of a bar."""
        ...

    def stopped(self, move: float) -> Decision | None:
        """At any book: the exit of a position that has moved so far (share of its entry, in favour), if it must go."""
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
        if view.z is None:
            return Decision(Act.NONE, "z_flat" if view.warm else "z_cold")
        bound, theta = self.tier(view.symbol).z_entry, self.limits.obi_theta
        if view.z < -bound:
            return self._gated(view, Decision(Act.LONG, "z_entry", -bound, theta))
        if view.z > bound:
            return self._gated(view, Decision(Act.SHORT, "z_entry", bound, -theta))
        return Decision(Act.NONE, "z_inside")

    def _gated(self, view: SymbolView, wanted: Decision) -> Decision:
        """The wanted entry, or the gate that is shut. A cold trend is an open gate: the evidence shows it as nan."""
        long = wanted.act is Act.LONG
        shut = ""
        if not long and not self.limits.allow_short:
            shut = "long_only"
        elif view.obi is None:
            shut = "obi_missing"
        elif not view.obi_fresh:
            shut = "obi_stale"
        elif not (view.obi > wanted.obi_bound if long else view.obi < wanted.obi_bound):
            shut = "obi_against"
        elif self.limits.trend_gate and view.trend is not None:
            against = view.close < view.trend if long else view.close > view.trend
            shut = "trend_against" if against else ""
        return Decision(Act.NONE, shut, wanted.z_bound, wanted.obi_bound) if shut else wanted
