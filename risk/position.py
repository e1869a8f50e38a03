"""One position: signed lots, what they cost in minor units, and when they were opened.

`cost_minor` has the sign of the lots. Closing q of Q lots takes cost * q / Q (half to even) out of it: closing the last
lot leaves exactly nothing, and realised profit less what is still in cost is the cash that flowed, to the unit.
"""

from collections.abc import Callable
from decimal import Decimal
from functools import partial

from msgspec import Struct

from risk.money import divide_half_even, minor_ratio, notional_minor
from venues.market import MINOR_PER_USD, Fill, Instrument

SPOT = "spot"
"""The asset class of coins that are held and not borrowed."""

SLIP_ROOM, LEFT_ROOM = 1.02, 1.5
"""Of the least order: a position that is worth less becomes a leftover (an exit crosses by up to so much, and its limit
is what the venue counts), and a leftover that is worth more becomes a position."""

COIN_FEE_PARTS = 100
"""Coins that are less by at most one of so many parts were taken as fees: the highest tier takes a quarter of that of a
fill, and a day's turnover of a coin is some positions of it."""


class Position(Struct, frozen=True, kw_only=True):
    """What is held of one symbol; the default is flat."""

    lots: int = 0
    cost_minor: int = 0
    opened_ns: int = 0  # when it last left flat; 0 while it is flat, dust or left over

    def entry_ticks(self, instrument: Instrument) -> float:
        """Average cost in ticks, for display; 0 when flat."""
        numerator, denominator = minor_ratio(instrument)
        return self.cost_minor * denominator / (numerator * self.lots) if self.lots else 0.0

    def unrealised_minor(self, instrument: Instrument, ticks: int) -> int:
        """What closing at a price would realise."""
        return notional_minor(instrument, ticks, self.lots) - self.cost_minor


def is_flat(lots: int, dust_lots: float) -> bool:
    """Whether a position counts as nothing: a residue up to `dust_lots` deadlocked a seed engine on -0.0001 ETH."""
    return abs(lots) <= dust_lots


def is_leftover(
    lots: int, ticks: float, instrument: Instrument, room: float = 1.0, dust_usd: Decimal | None = None
) -> bool:
    """Whether coins are worth less, at a price, than `dust_usd`: by default the smallest order that their venue takes.

    No order can leave them, so whoever tried would be refused for ever; the next exit takes them along. Perpetuals are
    left in any size, and a share costs more than the least. `room` is how many of the least still count. A price that
    is no number makes nothing a leftover.
    """
    least = (instrument.notional_min_usd if dust_usd is None else dust_usd) * MINOR_PER_USD
    return instrument.asset_class == SPOT and instrument.minor_per_tick_lot * abs(lots) * ticks < float(least) * room


def stays_leftover(lots: int, ticks: float, instrument: Instrument, dust_usd: Decimal | None, *, before: bool) -> bool:
    """Whether coins are a leftover now that the price has moved: what is one becomes a position half as much higher.

    Without the room between a price that moves around the bound would be an entry and an exit each time it does.
    """
    if not ticks > 0:
        return before
    return is_leftover(lots, ticks, instrument, LEFT_ROOM if before else SLIP_ROOM, dust_usd)


def coin_fee_minor(instrument: Instrument | None, before: int, after: int, ticks: int) -> int:
    """What a venue that takes its fees in coins at the day's end has taken: a little less, and nobody was paid.

    Booked as sold for money it would be a profit that the account does not have, day after day.
    """
    gone = before - after
    if instrument is None or instrument.asset_class != SPOT or not 0 < gone <= before // COIN_FEE_PARTS:
        return 0
    return notional_minor(instrument, ticks, gone)


def apply_fill(position: Position, fill: Fill, instrument: Instrument, dust_lots: float = 0.0) -> tuple[Position, int]:
    """The position after a fill, and what the fill realised in minor units, fees not counted."""
    change = fill.side.sign * fill.lots
    closing = closing_lots(position.lots, change)
    paid = notional_minor(instrument, fill.ticks, change)
    paid_closing = paid if closing == change else notional_minor(instrument, fill.ticks, closing)
    removed = divide_half_even(position.cost_minor * abs(closing), abs(position.lots)) if closing else 0
    lots = position.lots + change
    after = Position(
        lots=lots,
        cost_minor=position.cost_minor - removed + (paid - paid_closing),
        opened_ns=_opened_ns(position, lots, fill, partial(_is_nothing, fill, instrument, dust_lots)),
    )
    return after, -paid_closing - removed


def closing_lots(lots: int, change: int) -> int:
    """The part of a change that closes what is held, with the sign of the change; the rest opens."""
    if lots * change >= 0:
        return 0
    return max(change, -lots) if change < 0 else min(change, -lots)


def _is_nothing(fill: Fill, instrument: Instrument, dust_lots: float, lots: int) -> bool:
    return is_flat(lots, dust_lots) or is_leftover(lots, fill.ticks, instrument)


def _opened_ns(position: Position, lots: int, fill: Fill, is_nothing: Callable[[int], bool]) -> int:
    if is_nothing(lots):
        return 0
    flipped = position.lots * lots < 0
    return fill.at_ns if flipped or is_nothing(position.lots) or not position.opened_ns else position.opened_ns
