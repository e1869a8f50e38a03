"""What an account is worth at the market: cash, holdings at the mark, and what perpetuals would realise."""

from collections.abc import Mapping
from math import isfinite

from risk.ledger.books import Books


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
