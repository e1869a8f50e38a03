"""Words of the ledger: what it says of money, of orders and of latches, and whether there is anything new to say."""

from collections.abc import Iterable, Mapping

from msgspec.structs import asdict

from actors.messages import BalanceChanged, OrderChanged, TradingLatched, TradingState, Tune, Tuned
from risk.ledger.books import Money
from risk.order import LiveOrder


def order_changed(order: LiveOrder, fence_ns: int) -> OrderChanged:
    """An order as the others see it."""
    request = order.request
    return OrderChanged(
        engine=request.engine,
        order_id=request.id,
        intent_id=request.intent_id,
        symbol=request.symbol,
        side=request.side,
        state=order.state,
        lots=request.lots,
        lots_filled=order.lots_filled,
        ticks=request.ticks,
        time_in_force=request.time_in_force,
        entry=order.entry,
        reason=order.reason,
        fence_ns=fence_ns,
        at_ns=order.changed_ns,
    )


def differs(before: LiveOrder, after: LiveOrder) -> bool:
    """Whether the others need to hear of it."""
    if before.over and before.state is after.state and before.fill_ids == after.fill_ids:
        return False  # it waits for nothing, and what changed is a count that it shares with its chain
    return (before.state, before.lots_filled, before.reason) != (after.state, after.lots_filled, after.reason)


def surplus_of(before: Iterable[LiveOrder], after: Mapping[str, LiveOrder]) -> str:
    """What a fill has bought or sold beyond what its chain was to; nothing if it has not."""
    for known in before:
        now = after.get(known.request.id, known)
        if more := now.lots_surplus - known.lots_surplus:
            return f"{more} lots more than the {now.request.lots} that {now.request.id} was to fill"
    return ""


def balance_changed(engine: str, money: Money, at_ns: int) -> BalanceChanged:
    """An engine's money."""
    return BalanceChanged(
        engine,
        money.cash_minor,
        money.inventory_minor,
        money.realised_minor,
        money.fees_minor,
        money.funding_minor,
        at_ns,
    )


def latched(state: TradingState) -> TradingLatched:
    """What is said of a trading state once it is on disk."""
    return TradingLatched(state, state.at_ns)


def tuned_of(tune: Tune) -> Tuned:
    """A change as it is journaled and said."""
    return Tuned(**asdict(tune))


def tuned_after(known: dict[tuple[str, str, str, str], Tuned], tuned: Tuned) -> None:
    """Keep a change in place of the one before it; one that is taken back leaves nothing."""
    key = (tuned.engine, *tuned.key)
    known.pop(key, None)
    if tuned.value:
        known[key] = tuned
