"""Bars from before the start, so that windows begin warm: the same price process, read backwards in time.

A path that ends at the initial price is a path that starts there, reversed. Bars shorter than a day come from one path
of book steps; longer ones from a path of coarser steps, so a year of daily bars costs a day's work and not a year's.
The two paths meet only at the initial price.
"""

from collections.abc import Callable

import msgspec
import numpy as np

from supervisor.clock import NS_PER_S
from venues.aleatoric.model import BLOCK_STEPS, SymbolModel
from venues.aleatoric.symbol import Reactor, first_state
from venues.aleatoric.words import Ints
from venues.market import Bar

NS_PER_DAY = 86_400 * NS_PER_S
STEPS_PER_LONG_BAR = 64  # enough for a high and a low
CLOSED_SHARE = 8  # look back this many times the bars' length: a session is open a fifth of the time, holidays apart
SESSION_PROBES = 48  # a day counts as a session if it is open at any half hour of it


def history(
    model: SymbolModel, seed: int, before_ns: int, interval_ns: int, bars: int, is_open: Callable[[int], bool]
) -> tuple[Bar, ...]:
    """The last closed bars before a time, oldest first; bars of a closed session are left out."""
    if interval_ns <= 0 or bars <= 0:
        raise ValueError(f"history of {bars} bars of {interval_ns} ns: both must be above 0")
    cadence_ns = model.cadence_ns if interval_ns < NS_PER_DAY else interval_ns // STEPS_PER_LONG_BAR
    steps = max(1, interval_ns // cadence_ns)
    past = msgspec.structs.replace(model, cadence_ns=cadence_ns, year_s=_year_s(model, interval_ns), scenarios=())
    mids = _backwards(past, seed, bars * steps + 1, before_ns)
    over, under = model.price_fraction
    result: list[Bar] = []
    start_ns = before_ns - before_ns % interval_ns
    floor_ns = start_ns - CLOSED_SHARE * (bars * interval_ns + NS_PER_DAY)
    while len(result) < bars and start_ns > max(0, floor_ns):
        start_ns -= interval_ns
        if model.session != "always" and not _traded(start_ns, interval_ns, is_open):
            continue
        newest = len(result) * steps
        part = mids[newest : newest + steps + 1]
        extremes = (part[-1], part.max(), part.min(), part[0])  # backwards: the bar opens where its part ends
        first, high, low, last = (int(half_ticks) * over / (2 * under) for half_ticks in extremes)
        result.append(Bar(model.symbol, start_ns, interval_ns, first, high, low, last, steps))
    return tuple(reversed(result))


def _year_s(model: SymbolModel, interval_ns: int) -> int:
    """Seconds of trading in a year as the bars count them: a daily bar of a session stands for a whole trading day."""
    if model.session == "always" or interval_ns < NS_PER_DAY:
        return model.year_s
    sessions = 252  # a year, on US exchanges
    return sessions * NS_PER_DAY // NS_PER_S


def _traded(start_ns: int, interval_ns: int, is_open: Callable[[int], bool]) -> bool:
    """Whether a session was open at the start of a bar, or at any half hour of a day's bar."""
    if interval_ns < NS_PER_DAY:
        return is_open(start_ns)
    return any(is_open(start_ns + probe * interval_ns // SESSION_PROBES) for probe in range(SESSION_PROBES))


def _backwards(model: SymbolModel, seed: int, count: int, before_ns: int) -> Ints:
    """Mid prices in half ticks, newest first, starting at the initial price."""
    reactor = Reactor(model, seed, first_state(model), stream=f"history:{model.cadence_ns}:{model.symbol}")
    quote = reactor.state.quote
    parts = [np.array([2 * quote + 1])]
    for block in range(-(-count // BLOCK_STEPS)):
        path = reactor.next_path(before_ns - (block + 1) * BLOCK_STEPS * model.cadence_ns)
        parts.append(path.bid + path.ask)
    return np.concatenate(parts)[:count]
