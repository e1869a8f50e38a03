"""Urgency: whether an order rests at its own touch or crosses the spread, and at what price.

A resting order earns the spread but may never fill. An entry that does not fill is a chance missed; an exit that does
not fill is risk without an edge, so exits cross sooner, and stops at once.
"""

from config.profile import Route
from risk.intent import Purpose
from risk.pricing import maker_ticks, taker_ticks
from venues.market import Instrument, Side, TimeInForce


def time_in_force(route: Route, purpose: Purpose, z_abs: float, *, forced: bool = False) -> TimeInForce:
    """ALO joins the own touch, IOC crosses. Forced (stop, flatten, close of the session) always crosses.

    An entry so far out that whoever fills a resting order knows why crosses too (`taker_z`). Decided once, when the
    intent is made: a resting order does not change its mind because z moved.
    """
    if forced:
        return TimeInForce.IOC
    if purpose is Purpose.EXIT:
        return TimeInForce.IOC if route.exit == "taker" else TimeInForce.ALO
    crosses = route.entry == "taker" or (route.taker_z is not None and z_abs >= route.taker_z)
    return TimeInForce.IOC if crosses else TimeInForce.ALO


def limit_ticks(
    instrument: Instrument, side: Side, touch: tuple[float, float], how: TimeInForce, slippage_bps: float
) -> int:
    """Limit price in ticks, given best bid and ask: the own touch if it rests, the other and a bound if it crosses."""
    own, other = touch if side is Side.BUY else (touch[1], touch[0])
    if how is TimeInForce.IOC:
        return taker_ticks(side, other, slippage_bps, instrument)
    return maker_ticks(side, own, instrument)
