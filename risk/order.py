"""The life of an order as a table: state x event -> state.

Everything that moves an order stands in MOVES; what cannot happen stands in IMPOSSIBLE with the reason, and raises. The
rules behind the cells:
- A fill is always true. It may come before the acknowledgement, after a cancel, and while nobody knows anything. One
  of more than is left completes the order: the surplus is counted apart, and whoever folds it says so.
- UNKNOWN closes by proof alone: the venue shows the order or acknowledges it, says its last word on it, or does not
  know it behind a fence. An acknowledgement older than the cancel in doubt is caught by the next look at the book.
- Where two words of the venue disagree, the order is UNKNOWN and the venue is asked, whatever we believed before.
- Words that cross on their way are no fault: a cancel may be sent to an order that has just ended.
- Only PLANNED may be sent: a second SENT would be a second order. The fence that posts the same id again is part of a
  proof and ends in FOUND_RESTING.

Faults:
  OrderFault
  ├── ImpossibleMove   ours: the table has no such move
  └── FillContradicts  theirs: a fill of another side or symbol, or a count beyond what was ordered
"""

from enum import StrEnum

from msgspec import Struct
from msgspec.structs import replace

from venues.market import Accepted, Cancelled, CancelRefused, Fill, OrderRequest, Rejected


class OrderState(StrEnum):
    """Where an order is in its life."""

    PLANNED = "planned"  # approved, not known to be on disk
    SENT = "sent"  # on disk and given to the venue, no verdict yet
    RESTING = "resting"  # the venue has it
    CANCELLING = "cancelling"  # a cancel or replace is under way
    UNKNOWN = "unknown"  # the venue's answer was lost; closes only by proof
    FILLED = "filled"
    CANCELLED = "cancelled"
    REJECTED = "rejected"


class OrderEvent(StrEnum):
    """What can happen to an order."""

    SENT = "sent"  # it is on disk and goes to the venue now
    ACCEPTED = "accepted"
    REJECTED = "rejected"
    PART_FILLED = "part_filled"
    FILLED = "filled"  # the fill that completes it
    CANCEL_SENT = "cancel_sent"  # a cancel, or a replace by another order
    CANCELLED = "cancelled"
    CANCEL_REFUSED = "cancel_refused"
    CANCEL_UNSENT = "cancel_unsent"  # certainly not sent: only the wish for it is over
    TIMED_OUT = "timed_out"  # an answer was lost, or we restarted and nobody knows
    FOUND_RESTING = "found_resting"  # a query shows it in the book
    FOUND_GONE = "found_gone"  # the venue does not know it, proven behind a fence


OVER = frozenset({OrderState.FILLED, OrderState.CANCELLED, OrderState.REJECTED})
"""States in which an order waits for nothing."""

S, E = OrderState, OrderEvent

MOVES: dict[tuple[OrderState, OrderEvent], OrderState] = {
    # planned: ours alone, so it can be withdrawn without asking; after a restart it may have been sent
    (S.PLANNED, E.SENT): S.SENT,
    (S.PLANNED, E.CANCELLED): S.CANCELLED,
    (S.PLANNED, E.TIMED_OUT): S.UNKNOWN,
    # sent: the account stream may be faster than the answer
    (S.SENT, E.ACCEPTED): S.RESTING,
    (S.SENT, E.REJECTED): S.REJECTED,
    (S.SENT, E.PART_FILLED): S.RESTING,
    (S.SENT, E.FILLED): S.FILLED,
    (S.SENT, E.CANCEL_SENT): S.CANCELLING,
    (S.SENT, E.CANCELLED): S.CANCELLED,
    (S.SENT, E.CANCEL_REFUSED): S.REJECTED,  # it was to replace an order and did not
    (S.SENT, E.CANCEL_UNSENT): S.SENT,
    (S.SENT, E.TIMED_OUT): S.UNKNOWN,
    (S.SENT, E.FOUND_RESTING): S.RESTING,
    (S.SENT, E.FOUND_GONE): S.UNKNOWN,
    # resting
    (S.RESTING, E.ACCEPTED): S.RESTING,
    (S.RESTING, E.REJECTED): S.REJECTED,  # Alpaca takes an order in and may still reject it
    (S.RESTING, E.PART_FILLED): S.RESTING,
    (S.RESTING, E.FILLED): S.FILLED,
    (S.RESTING, E.CANCEL_SENT): S.CANCELLING,
    (S.RESTING, E.CANCELLED): S.CANCELLED,
    (S.RESTING, E.CANCEL_REFUSED): S.UNKNOWN,
    (S.RESTING, E.CANCEL_UNSENT): S.RESTING,
    (S.RESTING, E.TIMED_OUT): S.UNKNOWN,
    (S.RESTING, E.FOUND_RESTING): S.RESTING,
    (S.RESTING, E.FOUND_GONE): S.UNKNOWN,
    # cancelling
    (S.CANCELLING, E.ACCEPTED): S.CANCELLING,
    (S.CANCELLING, E.REJECTED): S.REJECTED,
    (S.CANCELLING, E.PART_FILLED): S.CANCELLING,
    (S.CANCELLING, E.FILLED): S.FILLED,
    (S.CANCELLING, E.CANCEL_SENT): S.CANCELLING,
    (S.CANCELLING, E.CANCELLED): S.CANCELLED,
    (S.CANCELLING, E.CANCEL_REFUSED): S.UNKNOWN,  # it filled, or it is still there: ask
    (S.CANCELLING, E.CANCEL_UNSENT): S.RESTING,  # a replace or cancel that never left: it rests on
    (S.CANCELLING, E.TIMED_OUT): S.UNKNOWN,
    (S.CANCELLING, E.FOUND_RESTING): S.CANCELLING,
    (S.CANCELLING, E.FOUND_GONE): S.UNKNOWN,
    # unknown: closes by proof
    (S.UNKNOWN, E.ACCEPTED): S.RESTING,
    (S.UNKNOWN, E.REJECTED): S.REJECTED,
    (S.UNKNOWN, E.PART_FILLED): S.UNKNOWN,  # it arrived, but does the rest of it live?
    (S.UNKNOWN, E.FILLED): S.FILLED,
    (S.UNKNOWN, E.CANCEL_SENT): S.UNKNOWN,
    (S.UNKNOWN, E.CANCELLED): S.CANCELLED,
    (S.UNKNOWN, E.CANCEL_REFUSED): S.UNKNOWN,  # "never placed" without a fence was wrong in 20 of 26 trials
    (S.UNKNOWN, E.CANCEL_UNSENT): S.UNKNOWN,
    (S.UNKNOWN, E.TIMED_OUT): S.UNKNOWN,
    (S.UNKNOWN, E.FOUND_RESTING): S.RESTING,
    (S.UNKNOWN, E.FOUND_GONE): S.CANCELLED,
    # filled: nothing is left that could rest, so older words change nothing
    (S.FILLED, E.FILLED): S.FILLED,  # of surplus: a replace that raced a fill bought more than was wanted
    (S.FILLED, E.ACCEPTED): S.FILLED,
    (S.FILLED, E.REJECTED): S.FILLED,
    (S.FILLED, E.CANCEL_SENT): S.FILLED,
    (S.FILLED, E.CANCELLED): S.FILLED,
    (S.FILLED, E.CANCEL_REFUSED): S.FILLED,
    (S.FILLED, E.CANCEL_UNSENT): S.FILLED,
    (S.FILLED, E.TIMED_OUT): S.FILLED,
    (S.FILLED, E.FOUND_RESTING): S.FILLED,
    (S.FILLED, E.FOUND_GONE): S.FILLED,
    # cancelled: late fills happened before the cancel did
    (S.CANCELLED, E.ACCEPTED): S.CANCELLED,
    (S.CANCELLED, E.REJECTED): S.CANCELLED,
    (S.CANCELLED, E.PART_FILLED): S.CANCELLED,
    (S.CANCELLED, E.FILLED): S.FILLED,
    (S.CANCELLED, E.CANCEL_SENT): S.CANCELLED,
    (S.CANCELLED, E.CANCELLED): S.CANCELLED,
    (S.CANCELLED, E.CANCEL_REFUSED): S.CANCELLED,
    (S.CANCELLED, E.CANCEL_UNSENT): S.CANCELLED,
    (S.CANCELLED, E.TIMED_OUT): S.CANCELLED,
    (S.CANCELLED, E.FOUND_RESTING): S.UNKNOWN,
    (S.CANCELLED, E.FOUND_GONE): S.CANCELLED,
    # rejected: a fill or an acknowledgement says that the rejection was not the truth
    (S.REJECTED, E.ACCEPTED): S.UNKNOWN,
    (S.REJECTED, E.REJECTED): S.REJECTED,
    (S.REJECTED, E.PART_FILLED): S.UNKNOWN,
    (S.REJECTED, E.FILLED): S.FILLED,
    (S.REJECTED, E.CANCEL_SENT): S.REJECTED,
    (S.REJECTED, E.CANCELLED): S.CANCELLED,
    (S.REJECTED, E.CANCEL_REFUSED): S.REJECTED,
    (S.REJECTED, E.CANCEL_UNSENT): S.REJECTED,
    (S.REJECTED, E.TIMED_OUT): S.REJECTED,
    (S.REJECTED, E.FOUND_RESTING): S.UNKNOWN,
    (S.REJECTED, E.FOUND_GONE): S.REJECTED,
}

_UNSENT = "the venue cannot speak of an order that was not sent; after a restart say timed_out first"
_TWICE = "sending it again would be a second order"

IMPOSSIBLE: dict[tuple[OrderState, OrderEvent], str] = {
    (S.PLANNED, E.ACCEPTED): _UNSENT,
    (S.PLANNED, E.REJECTED): _UNSENT,
    (S.PLANNED, E.PART_FILLED): _UNSENT,
    (S.PLANNED, E.FILLED): _UNSENT,
    (S.PLANNED, E.CANCEL_SENT): "withdraw it with cancelled, the venue does not have it",
    (S.PLANNED, E.CANCEL_REFUSED): _UNSENT,
    (S.PLANNED, E.CANCEL_UNSENT): "withdraw it with cancelled, nobody asks the venue",
    (S.PLANNED, E.FOUND_RESTING): _UNSENT,
    (S.PLANNED, E.FOUND_GONE): _UNSENT,
    (S.SENT, E.SENT): _TWICE,
    (S.RESTING, E.SENT): _TWICE,
    (S.CANCELLING, E.SENT): _TWICE,
    (S.UNKNOWN, E.SENT): _TWICE,
    (S.FILLED, E.SENT): _TWICE,
    (S.FILLED, E.PART_FILLED): "all of it was filled already, so any fill completes it",
    (S.CANCELLED, E.SENT): _TWICE,
    (S.REJECTED, E.SENT): _TWICE,
}


class OrderFault(Exception):
    """Something was said of an order that does not fit it."""


class ImpossibleMove(OrderFault):
    """The table of moves has no such pair: a mistake of ours."""

    def __init__(self, state: OrderState, event: OrderEvent, order_id: str = ""):
        self.state, self.event, self.order_id = state, event, order_id
        super().__init__(f"order {order_id} is {state}, so {event} cannot happen: {IMPOSSIBLE[state, event]}")


class FillContradicts(OrderFault):
    """The venue filled another side or symbol, or counts more than was ordered: it misspoke, or two share an id."""


OrderNews = OrderEvent | Accepted | Rejected | Cancelled | CancelRefused | Fill
"""What `apply` folds: our own events and the venue's words about one order."""


class LiveOrder(Struct, frozen=True, kw_only=True):
    """One order and all that is known of it."""

    request: OrderRequest
    entry: bool  # adds risk, as opposed to an exit
    state: OrderState = OrderState.PLANNED
    lots_filled: int = 0  # with what the orders it replaced have filled, as request.lots counts them too
    lots_surplus: int = 0  # filled beyond request.lots: true and in the position, and in no other count
    lots_reported: int = 0  # the venue's own count when it said that the order is over
    fill_ids: tuple[str, ...] = ()  # of its own fills, so that a repeated one is harmless
    reason: str = ""  # the venue's last words
    changed_ns: int = 0

    @property
    def over(self) -> bool:
        """Whether the order waits for nothing."""
        return self.state in OVER

    @property
    def lots_left(self) -> int:
        """What is not filled yet."""
        return self.request.lots - self.lots_filled

    @property
    def lots_owed(self) -> int:
        """Fills the venue counted that have not come: they are on their way or were missed."""
        return max(0, self.lots_reported - self.lots_filled)


def move(state: OrderState, event: OrderEvent, order_id: str = "") -> OrderState:
    """Look one move up. Raises ImpossibleMove for what cannot happen."""
    after = MOVES.get((state, event))
    if after is None:
        raise ImpossibleMove(state, event, order_id)
    return after


def plan(request: OrderRequest, *, entry: bool, at_ns: int, replaced: LiveOrder | None = None) -> LiveOrder:
    """A new order; one that replaces another inherits what that one has filled."""
    filled = replaced.lots_filled if replaced else 0
    return LiveOrder(request=request, entry=entry, lots_filled=filled, changed_ns=at_ns)


def apply(order: LiveOrder, news: OrderNews, at_ns: int) -> LiveOrder:
    """The order after what happened; a repeated fill is nothing. Raises ImpossibleMove or FillContradicts."""
    if isinstance(news, OrderEvent):
        return _moved(order, news, at_ns)
    if news.order_id != order.request.id:
        raise ValueError(f"news of order {news.order_id!r} was given to order {order.request.id!r}")
    match news:
        case Fill():
            return order if news.id in order.fill_ids else _filled(order, news, at_ns)
        case Cancelled():
            if news.lots_filled > order.request.lots:
                raise FillContradicts(
                    f"order {news.order_id}: {news.lots_filled} lots reported filled of {order.request.lots} ordered"
                )
            order = replace(order, lots_reported=max(order.lots_reported, news.lots_filled), reason=news.reason)
            return _moved(order, E.CANCELLED, at_ns)
        case Rejected():
            return _moved(replace(order, reason=news.reason), E.REJECTED, at_ns)
        case CancelRefused():
            event = E.CANCEL_UNSENT if news.unsent else E.CANCEL_REFUSED
            return _moved(replace(order, reason=news.reason), event, at_ns)
        case Accepted():
            return _moved(order, E.ACCEPTED, at_ns)


def inherit_fill(order: LiveOrder, lots: int, at_ns: int) -> LiveOrder:
    """Count a late fill of an order that this one replaced: the chain has that much less to buy or sell.

    An order that the venue has and whose chain is complete by it is filled; one without a verdict waits for it, because
    the replace itself is likely to be refused. What the chain has beyond its lots is surplus.
    """
    order = replace(_counted(order, lots), changed_ns=at_ns)
    at_venue = order.state in (S.RESTING, S.CANCELLING)
    return _moved(order, E.FILLED, at_ns) if at_venue and order.lots_left == 0 else order


def _moved(order: LiveOrder, event: OrderEvent, at_ns: int) -> LiveOrder:
    return replace(order, state=move(order.state, event, order.request.id), changed_ns=at_ns)


def _filled(order: LiveOrder, fill: Fill, at_ns: int) -> LiveOrder:
    request = order.request
    if (fill.side, fill.symbol) != (request.side, request.symbol):
        raise FillContradicts(
            f"order {request.id} is to {request.side} {request.symbol}, fill {fill.id} did {fill.side} {fill.symbol}"
        )
    if fill.lots <= 0:
        raise FillContradicts(f"order {request.id}: fill {fill.id} of {fill.lots} lots")
    counted = _counted(order, fill.lots)
    moved = _moved(counted, E.PART_FILLED if counted.lots_left else E.FILLED, at_ns)
    return replace(moved, fill_ids=(*order.fill_ids, fill.id))


def _counted(order: LiveOrder, lots: int) -> LiveOrder:
    """Count lots that were filled: what was ordered first, the rest as surplus."""
    surplus = max(0, lots - order.lots_left)
    return replace(order, lots_filled=order.lots_filled + lots - surplus, lots_surplus=order.lots_surplus + surplus)


def mermaid() -> str:
    """The table as a Mermaid state diagram; events that leave the state as it is are not drawn."""
    arrows: dict[tuple[OrderState, OrderState], list[str]] = {}
    for (before, event), after in MOVES.items():
        if before is not after:
            arrows.setdefault((before, after), []).append(event)
    lines = ["stateDiagram-v2", f"    [*] --> {S.PLANNED}"]
    lines += [f"    {before} --> {after}: {', '.join(events)}" for (before, after), events in arrows.items()]
    lines += [f"    {state} --> [*]" for state in S if state in OVER]
    return "\n".join(lines) + "\n"
