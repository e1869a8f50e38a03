"""Rows for people: the trial balance by ledger, the statement by account. Money is written exactly, in dollars."""

from msgspec import Struct

from risk.ledger.accounts import Ledger, ledger_of
from risk.ledger.books import Balance, Books
from risk.money import usd_text


class TrialRow(Struct, frozen=True):
    """One ledger: debits and credits are equal, so that its balance and what is pending are zero."""

    ledger: int
    name: str
    unit: str
    accounts: int
    debits: str
    credits: str
    balance: str
    pending: str


class StatementRow(Struct, frozen=True):
    """One account; pending is what is set aside."""

    ledger: int
    account: str
    unit: str
    debits: str
    credits: str
    balance: str
    pending: str


def trial_balance(books: Books) -> tuple[TrialRow, ...]:
    """A row for each of the six ledgers."""
    rows = []
    for ledger in Ledger:
        accounts = [balance for name, balance in books.balances.items() if ledger_of(name) is ledger]
        columns = _columns(ledger, _sum(accounts))
        rows.append(TrialRow(ledger.value, ledger.name.lower(), ledger.unit, len(accounts), *columns))
    return tuple(rows)


def statement(books: Books) -> tuple[StatementRow, ...]:
    """A row for each account that was ever touched, by ledger and name."""
    named = sorted((ledger_of(name), name) for name in books.balances)
    return tuple(
        StatementRow(ledger.value, name, ledger.unit, *_columns(ledger, books.balances[name])) for ledger, name in named
    )


def _sum(balances: list[Balance]) -> Balance:
    return Balance(
        debits=sum(one.debits for one in balances),
        credits=sum(one.credits for one in balances),
        debits_pending=sum(one.debits_pending for one in balances),
        credits_pending=sum(one.credits_pending for one in balances),
    )


def _columns(ledger: Ledger, balance: Balance) -> tuple[str, str, str, str]:
    write = str if ledger is Ledger.POSITION else usd_text
    return write(balance.debits), write(balance.credits), write(balance.posted), write(balance.pending)
