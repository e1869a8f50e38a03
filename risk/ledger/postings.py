"""What is posted: events, the linked transfers that book them, and the check that they balance.

A transfer stays inside one ledger and has a positive amount. The transfers of one entry are linked: they are written in
one transaction and folded together, all or none.
"""

from collections.abc import Iterable, Iterator
from enum import StrEnum

from msgspec import Struct

from risk.ledger.accounts import Ledger, ledger_of
from risk.position import Position
from venues.market import Fill, FundingPaid, OrderRequest


class LedgerUnbalanced(Exception):
    """A ledger does not sum to zero, or two ledgers disagree: nothing may be traded on such books."""

    def __init__(self, ledger: Ledger, amount: int, what: str):
        self.ledger, self.amount = ledger, amount
        super().__init__(f"ledger {ledger.name.lower()} ({ledger.value}) is off by {amount} {ledger.unit}: {what}")


class Phase(StrEnum):
    """What a transfer does to the balances it touches."""

    POSTED = "posted"  # moves the amount
    PENDING = "pending"  # sets it aside
    POST_PENDING = "post_pending"  # moves what was set aside
    VOID_PENDING = "void_pending"  # gives it back


class Transfer(Struct, frozen=True):
    """An amount from one account of a ledger to another."""

    id: str  # of its entry, and its number in it
    ledger: Ledger
    debit: str
    credit: str
    amount: int
    phase: Phase = Phase.POSTED


class Reservation(Struct, frozen=True):
    """Margin set aside for what is unfilled of an order."""

    engine: str
    symbol: str
    lots: int
    amount_minor: int


class Deposit(Struct, frozen=True):
    """Money paid in (positive) or taken out."""

    engine: str
    id: str
    amount_minor: int
    at_ns: int


class Reserve(Struct, frozen=True):
    """An entry order is about to be sent: set its margin aside. `lots` is what is unfilled of it."""

    order: OrderRequest
    lots: int
    at_ns: int


class Release(Struct, frozen=True):
    """An order is over: give back what is still set aside for it."""

    engine: str
    order_id: str
    at_ns: int


Event = Fill | FundingPaid | Deposit | Reserve | Release


class Entry(Struct, frozen=True, kw_only=True):
    """One event as it is journaled: its linked transfers, and what it left behind that no balance tells."""

    id: str  # of the event: what makes a repeated one harmless
    engine: str
    symbol: str
    at_ns: int
    transfers: tuple[Transfer, ...]
    position: Position | None = None  # after a fill
    realised_minor: int = 0  # by a fill, fees not counted
    order_id: str = ""  # whose reservation changed
    reservation: Reservation | None = None  # what is left of it


def moved(to: str, source: str, amount: int, phase: Phase = Phase.POSTED) -> tuple[str, str, int, Phase] | None:
    """A transfer in the making: debit `to`, credit `source`; the other way round when negative, none when zero."""
    if amount == 0:
        return None
    return (to, source, amount, phase) if amount > 0 else (source, to, -amount, phase)


def linked(entry_id: str, moves: Iterable[tuple[str, str, int, Phase] | None]) -> tuple[Transfer, ...]:
    """Number the transfers of an entry."""
    made = (move for move in moves if move is not None)
    return tuple(
        Transfer(f"{entry_id}/{number}", ledger_of(debit), debit, credit, amount, phase)
        for number, (debit, credit, amount, phase) in enumerate(made)
    )


def legs(transfer: Transfer) -> Iterator[tuple[Ledger, int]]:
    """Both sides of a transfer, each in the ledger its account belongs to: debits positive, credits negative."""
    yield ledger_of(transfer.debit), transfer.amount
    yield ledger_of(transfer.credit), -transfer.amount


def check_balanced(entry: Entry) -> None:
    """Refuse an entry with a transfer that has no amount or leaves its ledger. Raises LedgerUnbalanced."""
    for transfer in entry.transfers:
        if transfer.amount <= 0:
            raise LedgerUnbalanced(transfer.ledger, transfer.amount, f"transfer {transfer.id} must be above 0")
        for ledger, amount in legs(transfer):
            if ledger is not transfer.ledger:
                raise LedgerUnbalanced(ledger, amount, f"transfer {transfer.id} leaves ledger {transfer.ledger.value}")
