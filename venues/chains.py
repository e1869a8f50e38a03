"""Our orders as a venue knows them: what each has filled, alone and over its chain of replaces.

Lots are counted from fills alone, each once, wherever it was told; a restart fills the table from the ledger.
"""

from collections.abc import Iterator
from typing import Generic, TypeVar

from msgspec import Struct, field

from venues.market import OrderRequest

OVER_KEPT_MAX = 4_000
"""Orders that are over and still known, for fills that come late; the ledger keeps half as many."""

FILLS_KEPT_MAX = 20_000
"""Ids of fills that are counted: hours more than are ever asked for again, twice what Hyperliquid can tell."""


class Restored(Struct, frozen=True):
    """An order of an earlier run, as the ledger knows it."""

    request: OrderRequest
    lots_filled: int  # over its chain
    fill_ids: tuple[str, ...]  # its own
    over: bool
    taken: bool = True  # the venue had it: it is not one whose answer was lost


class Link(Struct):
    """An order and what is known of it here, whatever the venue: one link of its chain of replaces."""

    request: OrderRequest
    sent_lots: int  # what the venue was asked for: less than request.lots where it replaced one with fills
    lots_filled: int = 0  # over the chain
    own_lots: int = 0  # of the order itself
    successor: str = ""  # id of the order that was to take its place
    successors: int = 0  # how many were to: an answer may be lost, and another be tried meanwhile
    announced: bool = False  # the account stream has told that it rests
    cancel_asked: bool = False
    over: bool = False
    fill_ids: list[str] = field(default_factory=list)


L = TypeVar("L", bound=Link)


class Chains(Generic[L]):
    """The table of them."""

    def __init__(self) -> None:
        self._orders: dict[str, L] = {}
        self._over: dict[str, None] = {}  # oldest first
        self._counted: dict[str, None] = {}  # names of fills

    def restore(self, one: Restored, link: L) -> None:
        """Know an order of an earlier run again."""
        link.announced = one.taken
        link.lots_filled = one.lots_filled
        link.own_lots = 0 if one.request.replaces else one.lots_filled
        link.sent_lots = one.request.lots - one.lots_filled + link.own_lots
        self._orders[one.request.id] = link
        self._counted.update(dict.fromkeys(one.fill_ids))
        if (old := self._orders.get(one.request.replaces)) is not None:
            self.follow(old, one.request.id)
        if one.over:
            self.end(link)

    def follow(self, old: L, order_id: str) -> None:
        """An order is to take another's place; it does if no other that may live is to."""
        old.successors += 1
        later = self._orders.get(old.successor)
        if later is None or later.over:
            old.successor = order_id

    def stay(self, old: L, order_id: str) -> None:
        """An order does not take another's place after all."""
        if old.successor == order_id:
            old.successor = ""

    def get(self, order_id: str) -> L | None:
        """An order by our id."""
        return self._orders.get(order_id)

    def alive(self) -> list[L]:
        """Orders that may still fill."""
        return [link for link in self._orders.values() if not link.over]

    def end(self, link: L) -> None:
        """It is over; those that ended long ago are forgotten."""
        link.over = True
        self._over[link.request.id] = None
        if len(self._over) > OVER_KEPT_MAX:
            oldest = next(iter(self._over))
            del self._over[oldest]
            self.forget(self._orders.pop(oldest))

    def forget(self, link: L) -> None:
        """What else is to be forgotten with an order."""

    def chain(self, link: L) -> Iterator[L]:
        """An order and those that took its place, one after the other."""
        one: L | None = link
        while one is not None:
            yield one
            one = self._orders.get(one.successor)

    def add_lots(self, link: L, lots: int) -> None:
        """Count lots that filled, for an order and those in its place."""
        link.own_lots += lots
        for one in self.chain(link):
            one.lots_filled += lots

    def remember(self, *names: str) -> None:
        """Remember the names of a fill that was counted."""
        self._counted.update(dict.fromkeys(names))
        while len(self._counted) > FILLS_KEPT_MAX:
            del self._counted[next(iter(self._counted))]
