"""Amounts that are not whole ticks or lots - averages, volumes, rates - as text; none is ever minus zero."""

from decimal import Decimal

from venues.aleatoric.dialects.pieces import bare


def fixed(amount: float | Decimal, decimals: int) -> str:
    """An amount with so many decimals always: 151185.5160."""
    text = f"{amount:.{decimals}f}"
    return text if text.strip("-0.") else text.lstrip("-")


def trimmed(amount: float | Decimal, decimals: int) -> str:
    """An amount with so many decimals at most, and no trailing zeros: 151185.516."""
    return bare(Decimal(fixed(amount, decimals)))
