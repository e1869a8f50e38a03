"""The swarm: every seed draws its own world, with faults of its own mix.

A mix in which everything happens hides what only happens when little else does (Groce et al., "Swarm Testing", ISSTA
2012): so each kind is on or off by a coin of the seed, and comes as often and as strongly as the seed says.
"""

from math import exp, log

from daemon.soak.kinds import OF_VENUE, OF_WORLD
from daemon.soak.place import HYPERLIQUID, SYMBOLS_DEFAULT, VENUE_OF
from daemon.soak.plan import HASTY, LIVELY, Drawn, WorldPlan
from supervisor.draws import uniform
from supervisor.network import Weather

ENGINES = (
    (0.45, ("perps",)),
    (0.70, ("crypto",)),
    (0.80, ("equities",)),
    (0.90, ("crypto", "equities")),
    (1.00, ("perps", "crypto")),
)
"""Which engines a daemon has, by cumulated chance."""

KIND_ON_MIN, KIND_ON_MAX = 0.1, 0.4
"""The chance of a kind to be in a mix, drawn for each mix."""
EVERY_S_MIN = 15.0
KILL_EVERY_S_MIN = 90.0
"""Hyperliquid's weight budget of a minute has room for one start in it, not for three."""
COMMON, RARE = 4.0, 0.5
"""How often a kind comes in a world, from so often down to that."""
RARE_KINDS = frozenset({"disk_full", "stop", "restart", "partition", "refuse", "conn_limit", "halt", "kill_in_journal"})
"""After these little happens for a while; they come a few times at most."""
KILLS = frozenset({"kill", "kill_in_journal", "kill_in_flight", "stop", "disk_full"})


class Draws:
    """Numbers of one seed, by what they are for."""

    def __init__(self, seed: int):
        self.seed = seed

    def one(self, purpose: str) -> float:
        """In [0, 1)."""
        return uniform(self.seed, f"swarm/{purpose}", 0)

    def between(self, purpose: str, low: float, high: float) -> float:
        """Evenly spread."""
        return low + (high - low) * self.one(purpose)

    def spread(self, purpose: str, low: float, high: float) -> float:
        """Evenly spread in the logarithm."""
        return exp(log(low) + (log(high) - log(low)) * self.one(purpose))


def plan_of(seed: int, hours: float = 0.0) -> WorldPlan:
    """The world of a seed; its length is drawn too unless it is given."""
    draw = Draws(seed)
    engines = next(engines for chance, engines in ENGINES if draw.one("engines") < chance)
    hours = hours or round(draw.spread("hours", 0.04, 0.2), 3)
    return WorldPlan(
        seed=seed,
        hours=hours,
        engines=engines,
        symbols=tuple(symbol for engine in engines for symbol in _symbols(draw, engine)),
        faults=faults_of(draw, engines, hours * 3_600),
        weather=Weather(
            delay_s=round(draw.spread("delay", 0.002, 0.2), 4),
            jitter_s=round(draw.spread("jitter", 0.001, 0.1), 4),
            loss=round(max(0.0, draw.between("loss", -0.05, 0.05)), 3),
        ),
        strategy=HASTY if draw.one("strategy") < 0.8 else LIVELY,
        route="hip3" if engines == ("perps",) and draw.one("route") < 0.2 else "",
        exit="maker" if draw.one("exit") < 0.5 else "taker",
        orders_per_minute=round(draw.spread("orders", 30, 600)),
        skew_ms=round(draw.between("skew", -400, 400)) if draw.one("skewed") < 0.5 else 0,
    )


def faults_of(draw: Draws, engines: tuple[str, ...], seconds: float) -> tuple[Drawn, ...]:
    """The mix."""
    venues = {VENUE_OF[engine] for engine in engines}
    possible = [kind for kind, where in OF_VENUE.items() if venues & {*where}] + [*OF_WORLD]
    found, on = [], draw.between("on", KIND_ON_MIN, KIND_ON_MAX)
    for kind in possible:
        if draw.one(f"{kind}/on") >= on:
            continue
        often = RARE if kind in RARE_KINDS else COMMON
        every_s = draw.spread(f"{kind}/every", max(seconds / (10 * often), EVERY_S_MIN), seconds / often * 2)
        if kind in KILLS and HYPERLIQUID in venues:
            every_s = max(every_s, KILL_EVERY_S_MIN)
        found.append(Drawn(kind=kind, every_s=round(every_s, 1), strength=round(draw.one(f"{kind}/strength"), 2)))
    return tuple(found)


def _symbols(draw: Draws, engine: str) -> tuple[str, ...]:
    known = SYMBOLS_DEFAULT[engine]
    return known[: 2 + int(draw.one(f"{engine}/symbols") * (len(known) - 1))]
