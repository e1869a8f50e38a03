"""Circuit breaker: trips on drawdown from the day's high water and on the day's loss, and stays tripped until resumed.

A pure value: each equity reading gives the next breaker and, at most once, what tripped. What it survives, each a bug
that a peer had:
- One NaN kept as high water hides every later drawdown: a reading that is no positive number is counted, not kept.
- One wrong reading latches a halt: only three in a row, at three moments, trip it; and the high water rises only to
  what three in a row have reached, so that one reading too high cannot become a drawdown later.
- A restart renews the daily loss: the breaker is a struct to be journaled, and a day begins where the last one ended.
- A deposit is taken for profit, a withdrawal for loss: `shifted` moves the baselines.
"""

from math import isfinite

from msgspec import Struct
from msgspec.structs import replace

from config.profile import RiskLimits
from risk.money import to_minor, usd_text

NS_PER_S = 1_000_000_000
NS_PER_HOUR = 3600 * NS_PER_S
NS_PER_DAY = 24 * NS_PER_HOUR
PPM = 1_000_000
"""Shares are compared in parts per million, so that every comparison is between integers."""

NO_DAY = -1
"""The day of a breaker that has not heard anything."""


class BreakerLimits(Struct, frozen=True, kw_only=True):
    """When it trips, and how it tells a loss from a bad reading."""

    drawdown_max_ppm: int
    daily_loss_minor: int
    day_roll_hour_utc: int = 0  # venues count days in UTC; an equities account may prefer the hour after its close
    confirmations: int = 3  # one bad tick latched a phantom halt in a peer; three readings in a row are no accident
    confirm_gap_ns: int = NS_PER_S // 2  # readings closer than this are one reading: a burst of fills shares its marks
    bad_readings_max: int = 10  # ten seconds of ticks without a sane reading: say that it is blind


def breaker_limits(limits: RiskLimits, day_roll_hour_utc: int = 0) -> BreakerLimits:
    """The breaker's bounds of a profile, in integers."""
    return BreakerLimits(
        drawdown_max_ppm=round(limits.drawdown_max * PPM),
        daily_loss_minor=to_minor(limits.daily_loss_usd),
        day_roll_hour_utc=day_roll_hour_utc,
    )


class Trip(Struct, frozen=True):
    """Why it tripped: drawdown or daily_loss. Or that it is blind, which trips nothing by itself."""

    rule: str
    value: str
    bound: str
    at_ns: int


class Breaker(Struct, frozen=True, kw_only=True):
    """The account day as the breaker saw it."""

    day: int = NO_DAY  # since 1970, turned at the configured hour
    settled: bool = False  # the first opening stands on enough readings
    opening_minor: int = 0
    high_water_minor: int = 0
    readings: tuple[int, ...] = ()  # the last good ones, oldest first
    read_ns: int = 0  # when the last of them was taken
    bad_readings: int = 0  # in a row
    tripped: Trip | None = None  # latched until resumed
    engines: tuple[str, ...] = ()  # whose money it has read, in order; empty in journals of before accounts were shared

    @property
    def equity_minor(self) -> int | None:
        """The last good reading."""
        return self.readings[-1] if self.readings else None

    @property
    def loss_minor(self) -> int:
        """What the last good reading lacks to the day's opening; negative in profit."""
        return self.opening_minor - self.readings[-1] if self.readings else 0

    @property
    def drawdown_ppm(self) -> int:
        """How far the last good reading is below high water, in parts per million of it."""
        if not self.readings:
            return 0
        return (self.high_water_minor - self.readings[-1]) * PPM // self.high_water_minor

    def blind(self, limits: BreakerLimits) -> bool:
        """Whether it has not had a sane reading for too long, or ever."""
        return not self.readings or self.bad_readings >= limits.bad_readings_max


def observe(
    breaker: Breaker, limits: BreakerLimits, equity_minor: float | None, at_ns: int
) -> tuple[Breaker, Trip | None]:
    """The breaker after a reading (None: equity could not be worked out), and what tripped if it just did."""
    if equity_minor is None or not isfinite(equity_minor) or equity_minor <= 0:
        return _count_bad(breaker, limits, equity_minor, at_ns)
    breaker = replace(breaker, bad_readings=0)
    if breaker.readings and at_ns < breaker.read_ns + limits.confirm_gap_ns:
        return breaker, None
    breaker = _roll(breaker, limits, at_ns)
    readings = (*breaker.readings, int(equity_minor))[-limits.confirmations :]
    breaker = _raise_baselines(replace(breaker, readings=readings, read_ns=at_ns), limits)
    trip = None if breaker.tripped else _breach(breaker, limits, at_ns)
    return (replace(breaker, tripped=trip), trip) if trip else (breaker, None)


def resumed(breaker: Breaker) -> Breaker:
    """The operator lifts the latch: what was lost is accepted, and the day is counted from here."""
    now = breaker.readings[-1:]
    baseline = now[0] if now else breaker.opening_minor
    return replace(breaker, tripped=None, readings=now, opening_minor=baseline, high_water_minor=baseline)


def shifted(breaker: Breaker, amount_minor: int) -> Breaker:
    """Money came in (positive) or went out: baselines and readings move with it."""
    if not breaker.readings:
        return breaker
    return replace(
        breaker,
        opening_minor=max(1, breaker.opening_minor + amount_minor),
        high_water_minor=max(1, breaker.high_water_minor + amount_minor),
        readings=tuple(max(1, reading + amount_minor) for reading in breaker.readings),
    )


def account_day(at_ns: int, roll_hour_utc: int = 0) -> int:
    """Number of the account day."""
    return (at_ns - roll_hour_utc * NS_PER_HOUR) // NS_PER_DAY


def _count_bad(
    breaker: Breaker, limits: BreakerLimits, reading: float | None, at_ns: int
) -> tuple[Breaker, Trip | None]:
    breaker = replace(breaker, bad_readings=breaker.bad_readings + 1)
    if breaker.bad_readings != limits.bad_readings_max:
        return breaker, None
    value = f"{breaker.bad_readings} bad readings in a row, the last was {reading}"
    return breaker, Trip("blind", value, f"fewer than {limits.bad_readings_max}", at_ns)


def _roll(breaker: Breaker, limits: BreakerLimits, at_ns: int) -> Breaker:
    """Begin the day at the middle of the last readings of the day before; days never turn back."""
    day = account_day(at_ns, limits.day_roll_hour_utc)
    if day <= breaker.day:
        return breaker
    if not breaker.readings:
        return replace(breaker, day=day)
    baseline = _middle(breaker.readings)
    return replace(breaker, day=day, opening_minor=baseline, high_water_minor=baseline)


def _raise_baselines(breaker: Breaker, limits: BreakerLimits) -> Breaker:
    confirmed = len(breaker.readings) == limits.confirmations
    if not breaker.settled:
        baseline = _middle(breaker.readings)
        return replace(breaker, settled=confirmed, opening_minor=baseline, high_water_minor=baseline)
    high_water = max(breaker.high_water_minor, min(breaker.readings)) if confirmed else breaker.high_water_minor
    return replace(breaker, high_water_minor=high_water)


def _breach(breaker: Breaker, limits: BreakerLimits, at_ns: int) -> Trip | None:
    """The bound that every one of the last readings breaks."""
    if len(breaker.readings) < limits.confirmations:
        return None
    best = max(breaker.readings)
    high_water, opening = breaker.high_water_minor, breaker.opening_minor
    if opening - best >= limits.daily_loss_minor:
        bound = f"opening {usd_text(opening)} less {usd_text(limits.daily_loss_minor)} USD"
        return Trip("daily_loss", f"equity {usd_text(best)} USD", bound, at_ns)
    if (high_water - best) * PPM >= high_water * limits.drawdown_max_ppm:
        bound = f"high water {usd_text(high_water)} USD less {limits.drawdown_max_ppm} ppm"
        return Trip("drawdown", f"equity {usd_text(best)} USD", bound, at_ns)
    return None


def _middle(readings: tuple[int, ...]) -> int:
    """The middle reading, the lower of two: one wild reading does not move it."""
    return sorted(readings)[(len(readings) - 1) // 2]
