"""Invariants of the books and of orders, as pure questions: each answers what is wrong, and nothing if it is right."""

from collections.abc import Iterable, Mapping

from risk.ledger.accounts import account
from risk.ledger.books import Books
from risk.ledger.postings import LedgerUnbalanced
from risk.order import MOVES, LiveOrder, OrderState

ARROWS = frozenset((before, after) for (before, _), after in MOVES.items())
"""Every step that one piece of news can be."""


def trial_balance(books: Books) -> str:
    """All ledgers, all accounts, all positions and reservations: for a timer, it looks at everything."""
    try:
        books.check()
    except LedgerUnbalanced as error:
        return str(error)
    return ""


def account_balance(books: Books, engine: str) -> str:
    """Cash and inventory of one engine are what was paid in and what was earned."""
    money = books.money(engine)
    earned = money.realised_minor + money.funding_minor - money.fees_minor
    off = money.cash_minor + money.inventory_minor - money.capital_minor - earned
    return f"{engine}: cash and inventory are off by {off} from capital and what was earned" if off else ""


def position_booked(books: Books, engine: str, symbol: str) -> str:
    """The account of lots and the position agree."""
    booked, lots = books.posted("position", engine, symbol), books.position(engine, symbol).lots
    return "" if booked == lots else f"{account('position', engine, symbol)} has {booked} lots, the position {lots}"


def position_is_fills(books: Books, engine: str, symbol: str, summed: int) -> str:
    """A position is the sum of its fills; `summed` is that sum, kept by who asks."""
    lots = books.position(engine, symbol).lots
    return "" if lots == summed else f"{engine} {symbol}: {lots} lots are held, fills sum to {summed}"


def order_within_lots(order: LiveOrder) -> str:
    """What is counted as filled is at least nothing and at most what was ordered; surplus is told apart."""
    lots, filled, surplus = order.request.lots, order.lots_filled, order.lots_surplus
    if 0 <= filled <= lots and surplus >= 0:
        return ""
    return f"order {order.request.id}: {filled} lots filled of {lots}, {surplus} surplus"


def order_move(before: OrderState, after: OrderState, order_id: str) -> str:
    """An order went along an arrow of the table."""
    return "" if before is after or (before, after) in ARROWS else f"order {order_id} went from {before} to {after}"


def reserved_for_live(books: Books, orders: Mapping[str, LiveOrder]) -> str:
    """No margin is set aside for an order that is over or that nobody knows."""
    stale = [one for one in books.reservations if (order := orders.get(one)) is None or order.over]
    return f"margin is set aside for {len(stale)} orders that are over, as {stale[0]}" if stale else ""


def orders_bounded(orders: Mapping[str, LiveOrder], over: Iterable[str], over_max: int) -> str:
    """Orders that are over are counted as such, and at most so many are kept."""
    kept = set(over)
    if len(kept) > over_max:
        return f"{len(kept)} orders that are over are kept, {over_max} is the bound"
    lost = [order_id for order_id, order in orders.items() if order.over and order_id not in kept]
    return f"{len(lost)} orders are over and never forgotten, as {lost[0]}" if lost else ""
