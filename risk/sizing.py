"""How many lots: always rounded down, in integers, because float floors lose a lot of every twentieth exact size."""

from decimal import Decimal

from risk.money import minor_ratio, notional_minor, to_minor
from venues.market import Instrument


def lots_for(notional_usd: Decimal, ticks: int, instrument: Instrument) -> int:
    """The most lots worth at most a notional at a price; 0 when that is less than the venue takes."""
    if ticks <= 0:
        raise ValueError(f"ticks is {ticks}, a price must be positive to size an order of {instrument.symbol}")
    numerator, denominator = minor_ratio(instrument)
    lots = max(0, to_minor(notional_usd)) * denominator // (numerator * ticks)
    worth = notional_minor(instrument, ticks, lots)
    return lots if lots > 0 and worth >= to_minor(instrument.notional_min_usd) else 0


def floor_lots(size: Decimal | float, instrument: Instrument) -> int:
    """A size in whole lots, rounded towards zero: 0.58 stays 0.58."""
    over, under = (Decimal(repr(size)) if isinstance(size, float) else size).as_integer_ratio()
    lot_over, lot_under = instrument.lot.as_integer_ratio()
    lots = abs(over) * lot_under // (under * lot_over)
    return lots if over >= 0 else -lots
