"""The books read: trial balance by ledger, statement by account, and what an account is worth at the market.

Money in rows is written exactly, in dollars.
"""

from collections.abc import Mapping
from math import isfinite

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


def equity_minor(books: Books, engine: str, marks: Mapping[str, float]) -> int | None:
    """Equity of one engine in minor units; None when something held has no price, because no guess is a reading."""
    money = books.money(engine)
    total = money.cash_minor + money.inventory_minor
    for symbol, position in books.positions.get(engine, {}).items():
        mark = marks.get(symbol)
        if mark is None or not isfinite(mark) or mark <= 0:
            return None
        total += position.unrealised_minor(books.instrument(engine, symbol), round(mark))
    return total


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
