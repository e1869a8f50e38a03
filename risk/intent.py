"""What a strategy wants and what risk answers: Intent, Approved and Refused.

Only `risk/gate.py` makes an Approved, and the executor hears nothing else: an order that skipped risk has the wrong
type.
"""

from enum import StrEnum
from math import nan
from typing import Generic, TypeVar

from msgspec import Struct

from venues.market import Side, TimeInForce


class Trading(StrEnum):
    """What may be traded: ACTIVE everything; REDUCING and HALTED exits and cancels only. The operator lifts them."""

    ACTIVE = "active"
    REDUCING = "reducing"
    HALTED = "halted"


class Purpose(StrEnum):
    """Why an order is wanted: an entry adds risk, an exit takes it away."""

    ENTRY = "entry"
    EXIT = "exit"


class Evidence(Struct, frozen=True, kw_only=True):
    """The numbers a decision stood on, each beside its bound, so that it can be explained later."""

    bar_start_ns: int
    close: float
    z: float
    z_bound: float
    obi: float
    obi_bound: float
    obi_at_ns: int  # stamp of the book behind obi
    obi_age_ns: int  # how old that book was when the bar decided
    trend: float  # mean of the trend window; nan while it is cold
    facade: bool  # front five levels lean against the deep fifteen
    move: float = nan  # of the price since the entry, as a share of it, in favour of the position; nan when flat
    move_bound: float = nan
    held_s: float = nan
    held_s_bound: float = nan


class Intent(Struct, frozen=True, kw_only=True):
    """An order a strategy wants, before risk has seen it."""

    id: str
    engine: str
    symbol: str
    side: Side
    lots: int
    ticks: int
    time_in_force: TimeInForce
    purpose: Purpose
    reason: str  # z_entry, z_revert, stop_loss, time_stop, flatten, session_close ...
    at_ns: int
    evidence: Evidence


class Reprice(Struct, frozen=True, kw_only=True):
    """Move a resting order to another price, or across the spread with IOC; only what is unfilled moves."""

    engine: str
    intent_id: str
    order_id: str
    symbol: str
    side: Side
    lots_left: int  # what is unfilled and moves
    lots_total: int  # of the whole chain, filled or not: what the venue is asked for
    ticks: int
    time_in_force: TimeInForce
    purpose: Purpose
    reason: str  # behind, escalate
    at_ns: int


class Cancel(Struct, frozen=True, kw_only=True):
    """Take a resting order out of the book."""

    engine: str
    intent_id: str
    order_id: str
    symbol: str
    reason: str  # lifetime, reprices, macro_window, halt, stop, operator
    at_ns: int


Wish = Intent | Reprice | Cancel
W = TypeVar("W", bound=Intent | Reprice | Cancel)


class Check(Struct, frozen=True):
    """One rule of the gate: what was measured and what it was measured against (text: numbers print exactly)."""

    rule: str
    value: str
    bound: str


class Approved(Struct, Generic[W], frozen=True):
    """Risk has seen it and says yes; `checks` is every rule that was asked, with its number and bound."""

    engine: str
    wish: W
    checks: tuple[Check, ...]
    at_ns: int


class Refused(Struct, Generic[W], frozen=True):
    """Risk says no: the rule, the number and the bound."""

    engine: str
    wish: W
    rule: str
    value: str
    bound: str
    at_ns: int
