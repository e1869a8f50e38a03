"""Margin: set aside when an entry is planned, locked as it fills, given back when it ends or the position shrinks."""

from typing import NamedTuple

from risk.ledger.accounts import account
from risk.ledger.postings import Phase, Reservation, moved
from risk.money import divide_half_even, notional_minor
from risk.position import closing_lots
from venues.market import Fill, Instrument

Move = tuple[str, str, int, Phase] | None


def initial_margin_minor(instrument: Instrument, ticks: int, lots: int) -> int:
    """What a number of lots at a price locks, rounded up; a spot coin locks all it costs."""
    return -(-notional_minor(instrument, ticks, abs(lots)) // instrument.leverage)


def margin_accounts(engine: str, symbol: str) -> tuple[str, str]:
    """The margin of a position, and what stands against it."""
    return account("margin", engine, symbol), account("margin_clearing", engine)


class MarginMoves(NamedTuple):
    """Transfers of a fill, and what is left set aside for its order."""

    moves: tuple[Move, ...]
    reservation: Reservation | None


def fill_moves(
    fill: Fill, instrument: Instrument, held_lots: int, locked_minor: int, reserved: Reservation | None
) -> MarginMoves:
    """What a fill does to margin: the part that closes releases its share, the part that opens locks its share.

    Lots that were not reserved (a stray order, a trade by hand) lock their margin directly.
    """
    change = fill.side.sign * fill.lots
    closing = closing_lots(held_lots, change)
    opening = abs(change - closing)
    margin, clearing = margin_accounts(fill.engine, fill.symbol)
    released = divide_half_even(locked_minor * abs(closing), abs(held_lots)) if closing else 0
    moves: list[Move] = [moved(clearing, margin, released)]
    left = reserved
    if reserved is not None:
        used = min(fill.lots, reserved.lots)
        share = divide_half_even(reserved.amount_minor * used, reserved.lots)
        by_reserve = min(opening, used)
        locked = divide_half_even(share * by_reserve, used)
        moves.append(moved(margin, clearing, locked, Phase.POST_PENDING))
        moves.append(moved(margin, clearing, share - locked, Phase.VOID_PENDING))
        opening -= by_reserve
        rest = Reservation(fill.engine, fill.symbol, reserved.lots - used, reserved.amount_minor - share)
        left = rest if rest.lots else None
    moves.append(moved(margin, clearing, initial_margin_minor(instrument, fill.ticks, opening)))
    return MarginMoves(tuple(moves), left)
