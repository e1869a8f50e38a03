"""Prices that the venue takes: rounded by side, to its tick and to its significant figures, in integer ticks.

Hyperliquid takes five significant figures and 6 - szDecimals decimals, and every whole price (its page on tick and lot
size); a price rule without figures is the tick alone. All arithmetic is on integers.
"""

from decimal import Decimal
from functools import lru_cache

from risk.money import RATIOS_MAX
from venues.market import Instrument, Side

BPS = 10_000
"""Basis points in one."""


@lru_cache(maxsize=RATIOS_MAX)
def _grid(tick: Decimal) -> tuple[int, int, int]:
    """A tick as numerator and denominator, and the ticks in a price of 1."""
    over, under = tick.as_integer_ratio()
    if over <= 0:
        raise ValueError(f"tick is {tick}, it must be positive")
    return over, under, under // over if under % over == 0 else 0


def step_ticks(ticks: int, instrument: Instrument) -> int:
    """Distance between the prices that the venue takes around a price."""
    figures = instrument.price_figures_max
    if figures is None:
        return 1
    whole = _grid(instrument.tick)[2]
    if str(whole).strip("0") != "1":
        raise ValueError(f"tick of {instrument.symbol} is {instrument.tick}, figures need a tick of 1, 0.1, 0.01 ...")
    step: int = 10 ** max(0, len(str(ticks)) - figures)
    return min(step, whole)


def obeys(ticks: int, instrument: Instrument) -> bool:
    """Whether the venue takes this price."""
    return ticks > 0 and ticks % step_ticks(ticks, instrument) == 0


def ticks_below(price: Decimal | float, instrument: Instrument) -> int:
    """The highest price the venue takes that is not above this one."""
    return _floor(*_in_ticks(price, instrument), instrument)


def ticks_above(price: Decimal | float, instrument: Instrument) -> int:
    """The lowest price the venue takes that is not below this one."""
    return _ceil(*_in_ticks(price, instrument), instrument)


def maker_ticks(side: Side, price: Decimal | float, instrument: Instrument) -> int:
    """A price to rest at, rounded away from the other side of the book: it cannot cross by being rounded."""
    return ticks_below(price, instrument) if side is Side.BUY else ticks_above(price, instrument)


def taker_ticks(side: Side, touch: Decimal | float, slippage_bps: float, instrument: Instrument) -> int:
    """The worst price to cross at: the touch and the slippage allowed, rounded outward by less than one step."""
    if not 0 <= slippage_bps < BPS:
        raise ValueError(f"slippage_bps is {slippage_bps}, it must be at least 0 and below {BPS}")
    over, under = _in_ticks(touch, instrument)
    slip_over, slip_under = Decimal(repr(slippage_bps)).as_integer_ratio()
    over *= BPS * slip_under + side.sign * slip_over
    under *= BPS * slip_under
    return _ceil(over, under, instrument) if side is Side.BUY else max(1, _floor(over, under, instrument))


def _in_ticks(price: Decimal | float, instrument: Instrument) -> tuple[int, int]:
    over, under = (Decimal(repr(price)) if isinstance(price, float) else price).as_integer_ratio()
    if over <= 0:
        raise ValueError(f"price of {instrument.symbol} is {price}, it must be positive")
    tick_over, tick_under, _ = _grid(instrument.tick)
    return over * tick_under, under * tick_over


def _floor(over: int, under: int, instrument: Instrument) -> int:
    ticks = over // under
    return ticks - ticks % step_ticks(ticks, instrument)


def _ceil(over: int, under: int, instrument: Instrument) -> int:
    ticks = -(-over // under)
    return ticks + -ticks % step_ticks(ticks, instrument)
