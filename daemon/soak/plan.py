"""What a simulated world is made of: plain data, drawn from a seed or written by hand, enough to repeat a run."""

from msgspec import Struct

from supervisor.clock import NS_PER_S
from supervisor.network import Weather

START_NS = 1_767_625_200 * NS_PER_S
"""2026-01-05 15:00 UTC, a Monday: US shares have traded for half an hour."""

HASTY = """
[{engine}.signal]
window_bars = 5
trend_bars = 5
trend_gate = false
bar_s = 1
[{engine}.tier_default]
z_entry = 0.3
z_exit = 0.1
[{engine}.routes.{route}]
entry = "maker"
exit = "{exit}"
lifetime_s = 3
reprices_max = 3
reprice_bps_min = 0.0
reprice_gap_s = 1.0
[{engine}.risk]
orders_per_minute = {orders_per_minute}
orders_burst = {orders_per_minute}
net_cap_usd = 100000
daily_loss_usd = 1000000
drawdown_max = 0.9
"""
"""A strategy without patience: it places, moves, cancels and crosses every few seconds."""

LIVELY = """
[{engine}.signal]
bar_s = 10
window_bars = 30
trend_bars = 30
trend_gate = false
[{engine}.tier_default]
z_entry = 1.0
z_exit = 0.3
[{engine}.risk]
orders_per_minute = 60
orders_burst = 60
"""
"""A strategy that trades some times a minute, as one may in a long soak."""


class Drawn(Struct, frozen=True, kw_only=True):
    """One kind of fault of a world: how often it comes, on average once in `every_s`, and how strong it is (0 to 1)."""

    kind: str
    every_s: float
    strength: float = 0.5


class WorldPlan(Struct, frozen=True, kw_only=True):
    """One world."""

    seed: int
    hours: float = 0.1  # with faults
    calm_s: float = 30.0  # without, until everything must be well again
    engines: tuple[str, ...] = ("perps",)
    symbols: tuple[str, ...] = ()  # empty: what the profiles have
    faults: tuple[Drawn, ...] = ()
    weather: Weather = Weather()
    strategy: str = LIVELY  # with {engine}, {route}, {exit}, {orders_per_minute}
    route: str = ""
    exit: str = "taker"
    orders_per_minute: int = 120
    skew_ms: int = 0  # of the daemon's clock, ahead of the venue's
    usd: int = 1_000_000
    shuffle: bool = True  # tasks that are ready together run in an order drawn from the seed
    start_ns: int = START_NS
    control: str = ""  # a design that is known to be wrong; none: obid's

    @property
    def faulty_ns(self) -> int:
        """When the faults end."""
        return self.start_ns + round(self.hours * 3_600 * NS_PER_S)

    @property
    def end_ns(self) -> int:
        """When the world ends."""
        return self.faulty_ns + round(self.calm_s * NS_PER_S)
