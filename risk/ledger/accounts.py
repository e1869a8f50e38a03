"""The six ledgers and the accounts in them.

An account is `kind:engine` or `kind:engine:symbol`; the kind says which ledger it belongs to. Each ledger of money has
a clearing account that stands for the other ledgers, so that each sums to zero by itself. Debits raise what we have and
what we paid; credits raise what we owe and what we earned.
"""

from enum import IntEnum


class Ledger(IntEnum):
    """The six, with the numbers they have in every journal."""

    CASH = 1  # minor units
    POSITION = 2  # lots
    FEES = 3
    REALISED_PNL = 4
    MARGIN = 5
    FUNDING_PNL = 6

    @property
    def unit(self) -> str:
        """What its amounts count."""
        return "lots" if self is Ledger.POSITION else "USD"


LEDGER_OF = {
    "cash": Ledger.CASH,
    "capital": Ledger.CASH,  # what was paid in, less what was taken out
    "inventory": Ledger.CASH,  # what spot coins and shares cost; negative for shares sold short
    "cash_clearing": Ledger.CASH,
    "position": Ledger.POSITION,
    "market": Ledger.POSITION,  # whom we bought from and sold to
    "fees": Ledger.FEES,
    "fees_clearing": Ledger.FEES,
    "realised": Ledger.REALISED_PNL,
    "realised_clearing": Ledger.REALISED_PNL,
    "margin": Ledger.MARGIN,
    "margin_clearing": Ledger.MARGIN,
    "funding": Ledger.FUNDING_PNL,
    "funding_clearing": Ledger.FUNDING_PNL,
}

INVENTORY = frozenset({"spot", "equity"})
"""Asset classes that cash is exchanged for; a perpetual exchanges nothing until it is closed."""


class UnknownAccount(ValueError):
    """The account's kind is none of ours."""


def ledger_of(account: str) -> Ledger:
    """The ledger an account belongs to."""
    kind = account.partition(":")[0]
    if kind not in LEDGER_OF:
        raise UnknownAccount(f"account {account!r} has kind {kind!r}, the kinds are {', '.join(LEDGER_OF)}")
    return LEDGER_OF[kind]


def account(kind: str, *parts: str) -> str:
    """Name of an account: its kind, then the engine and the symbol it belongs to."""
    return ":".join((kind, *parts))
