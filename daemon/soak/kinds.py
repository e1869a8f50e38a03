"""Kinds of faults that a world knows, and what each is at which strength.

A strength is between 0 and 1: how long, how much, how far. Venues' kinds are rules of the emulator's schedule
(venues/emulator/faults.py); all others befall the network, the machine, the daemon or its operator (befall.py).
"""

import json
from typing import Any

from daemon.soak.place import ALPACA, HYPERLIQUID
from daemon.soak.plan import Drawn, WorldPlan
from venues.emulator.faults import Fault, fault_of

BOTH = (HYPERLIQUID, ALPACA)


def _own(kind: str, strength: float) -> dict[str, Any]:
    """The fields of a venue's kind at a strength."""
    s = strength
    own: dict[str, dict[str, Any]] = {
        "mute": {"for_s": 10 + 80 * s},
        "close": {},
        "idle_close": {},
        "http_429": {"for_s": 5 * s},
        "http_429_done": {"done": True, "requests": ["exchange"]},
        "timeout_after_accept": {"requests": ["exchange"], "delay_s": 0.0 if s < 0.5 else 16 * s},
        "lost_before": {"requests": ["exchange"]},
        "inner_error": {"requests": ["exchange"]},
        "garbled": {},
        "slow_answer": {"delay_s": 10 * s},
        "late_fills": {"delay_s": 10 * s, "for_s": 5 * s},
        "duplicate_fills": {"for_s": 20 * s},
        "reordered_fills": {"delay_s": 5.0},
        "partial_fills": {"share": 0.0001, "for_s": 10 + 20 * s},
        "restart": {"for_s": 5 + 25 * s, "post_only_s": 10 * s},
        "clock_skew": {"skew_ms": round(-1900 + 3800 * s), "for_s": 10 + 40 * s},
        "missing_fills": {"for_s": 2 * s},
        "done_twice": {"requests": ["exchange"]},
        "orders_lost": {},
        "crossed_books": {"for_s": 1 + 20 * s},
        "empty_books": {"for_s": 1 + 20 * s},
        "lost_books": {"for_s": 1 + 20 * s},
        "gateway_504": {"requests": ["exchange"], "delay_s": 8 * s},
        "conn_limit": {"for_s": 10 + 20 * s},
        "replace_race": {"for_s": 20 + 40 * s},
        "binary_frames": {"for_s": 20 + 40 * s},
        "mixed_times": {"for_s": 20 + 40 * s},
        "unknown_status": {"for_s": 5 + 10 * s},
    }
    return own[kind]


OF_VENUE: dict[str, tuple[str, ...]] = {
    "mute": BOTH,
    "close": BOTH,
    "idle_close": (HYPERLIQUID,),
    "http_429": BOTH,
    "http_429_done": BOTH,
    "timeout_after_accept": BOTH,
    "lost_before": BOTH,
    "inner_error": BOTH,
    "garbled": BOTH,
    "slow_answer": BOTH,
    "late_fills": BOTH,
    "duplicate_fills": BOTH,
    "reordered_fills": BOTH,
    "partial_fills": BOTH,
    "restart": BOTH,
    "clock_skew": BOTH,
    "missing_fills": BOTH,
    "done_twice": BOTH,
    "orders_lost": BOTH,
    "crossed_books": BOTH,
    "empty_books": BOTH,
    "lost_books": BOTH,
    "gateway_504": (ALPACA,),
    "conn_limit": (ALPACA,),
    "replace_race": (ALPACA,),
    "binary_frames": (ALPACA,),
    "mixed_times": (ALPACA,),
    "unknown_status": (ALPACA,),
}
"""Kinds of the emulators' schedules, and which venue has them."""

OF_WORLD = (
    *("reset", "half_open", "deaf", "stall", "partition", "refuse", "loss", "slow", "straggler"),  # the network
    *("disk_full", "slow_disk", "clock_step"),  # the machine
    *("kill", "kill_in_journal", "kill_in_flight", "actor_crash"),  # the daemon
    *("halt", "stop", "hand"),  # its operator
)
"""Kinds that befall everything but the venue."""

KINDS = (*OF_VENUE, *OF_WORLD)


def rules_of(plan: WorldPlan, venue: str) -> list[Fault]:
    """The schedule of a venue."""
    return [rule_of(one) for one in plan.faults if venue in OF_VENUE.get(one.kind, ())]


def named(kind: str) -> str:
    """What a firing of a kind is counted as: variants of a venue's kind are that kind."""
    return kind.removesuffix("_done")


def toml_of(drawn: Drawn) -> str:
    """The same as an emulator in a process of its own reads it."""
    fields = {"kind": named(drawn.kind), "every_s": drawn.every_s, **_own(drawn.kind, drawn.strength)}
    # TOML's texts, lists, numbers and booleans of these fields are JSON's
    return "\n".join(["[[fault]]", *(f"{name} = {json.dumps(value)}" for name, value in fields.items())])


def rule_of(drawn: Drawn) -> Fault:
    """A rule of a venue's kind; kinds that are variants of one have a suffix."""
    return fault_of({"kind": named(drawn.kind), "every_s": drawn.every_s, **_own(drawn.kind, drawn.strength)})
