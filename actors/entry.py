"""Entry: the order that a decision to enter comes to, and all that may be in its way. Whoever asks gets one answer.

The signal asks when it wants in, and stops at the first condition that does not hold; `obid ctl explain SYMBOL` asks
the same and shows every one.
"""

from collections.abc import Iterator
from math import nan
from typing import NamedTuple

from actors.messages import Imbalance
from actors.strategy import Act, Condition, Decision, SymbolView
from actors.symbol_state import UNSEEN_PART_MAX, SymbolState
from actors.urgency import limit_ticks, time_in_force
from config.profile import Profile
from risk.intent import Evidence, Purpose
from risk.sizing import lots_for
from supervisor.clock import NS_PER_S
from venues.market import Side, TimeInForce


class Order(NamedTuple):
    """What would be ordered; no lots where the notional buys none."""

    purpose: Purpose
    side: Side
    lots: int
    ticks: int
    time_in_force: TimeInForce


def entry_order(profile: Profile, state: SymbolState, act: Act, z: float, touch: Imbalance) -> Order:
    """The order of an entry at a touch."""
    instrument = state.instrument
    side = Side.BUY if act is Act.LONG else Side.SELL
    how = time_in_force(state.route, Purpose.ENTRY, abs(z))
    ticks = limit_ticks(instrument, side, (touch.bid, touch.ask), how, profile.signal.taker_slippage_bps)
    notional = profile.notional_usd(instrument.asset_class, instrument.symbol)  # type: ignore[arg-type]
    return Order(Purpose.ENTRY, side, lots_for(notional, ticks, instrument), ticks, how)


def in_the_way(
    profile: Profile, state: SymbolState, act: Act, order: Order | None, now_ns: int, changes: int
) -> Iterator[Condition]:
    """What must hold beside the strategy's own conditions before an entry is wished for, in the order it is asked."""
    instrument = state.instrument
    off = instrument.symbol in profile.risk.entries_off
    yield Condition("entries_off", not off, "off" if off else "on", "on")
    yield Condition("under_way", not (busy := under_way(state, now_ns)), busy or "nothing", "nothing under way")
    silent = state.entry_backoff.silent(now_ns, changes)
    left_s = max(0, state.entry_backoff.until_ns - now_ns) / NS_PER_S
    value = f"{state.entry_backoff.rule} refused it, again in {left_s:.0f} s" if silent else "not refused of late"
    yield Condition("backing_off", not silent, value, "no refusal, or a change since")
    unseen, last = sum(state.unseen), "the last too" if state.unseen and state.unseen[-1] else "not the last"
    most = f"at most {state.window.size // UNSEEN_PART_MAX} of {state.window.size}, and not the last"
    yield Condition("unseen", not state.dark(), f"{unseen} closes that nobody saw, {last}", most)
    touch = state.book()
    value = "none" if touch is None else f"{touch.bid:.8g} / {touch.ask:.8g}"
    yield Condition("no_touch", touch is not None, value, "a bid and an ask")
    short = act is Act.SHORT
    allowed = not short or instrument.shortable
    yield Condition(
        "not_shortable", allowed, "short" if short else "long", "long" if not instrument.shortable else "any"
    )
    notional = profile.notional_usd(instrument.asset_class, instrument.symbol)  # type: ignore[arg-type]
    lots = order.lots if order is not None else 0
    needed = f"at least one, and {instrument.notional_min_usd:f} USD"
    yield Condition("too_small", lots > 0, f"{notional:f} USD buy {instrument.size(lots):f}", needed)


def under_way(state: SymbolState, now_ns: int) -> str:
    """What of a symbol is on its way; nothing if nothing is."""
    if state.alive:
        return ", ".join(f"{one.state} {one.side} order {one.order_id[:10]}" for one in state.alive.values())
    if state.awaited is not None and now_ns < state.awaited.until_ns:
        return "an intent that is not answered yet"
    return "a flatten that is not over" if state.leaving else ""


def evidence(state: SymbolState, decision: Decision, view: SymbolView, now_ns: int) -> Evidence:
    """The numbers of a decision beside their bounds; nan stands for a number that there was not."""
    lean = state.lean()
    return Evidence(
        bar_start_ns=state.bar_start_ns,
        close=view.close,
        z=nan if view.z is None else view.z,
        z_bound=decision.z_bound,
        obi=nan if view.obi is None else view.obi,
        obi_bound=decision.obi_bound,
        obi_at_ns=lean.at_ns if lean else 0,
        obi_age_ns=now_ns - lean.received_ns if lean else 0,
        trend=nan if view.trend is None else view.trend,
        facade=view.facade,
        move=view.move,
        move_bound=decision.move_bound,
        held_s=view.held_s,
        held_s_bound=decision.held_s_bound,
    )
