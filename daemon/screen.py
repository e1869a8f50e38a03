"""`obid screen`: asks a market what it lists, measures what is worth it, and ranks that. Nothing is traded or changed.

A `ScreenSource` is where the numbers come from: a synthetic market, or a venue's public questions.
"""

from collections.abc import Callable, Sequence
from typing import Any, Protocol

from msgspec import Struct
from msgspec.structs import replace

from config.load import load_profile
from config.profile import AssetClass, Profile
from daemon.errors import BadInput, Failed
from daemon.screen_hyperliquid import HyperliquidSource
from daemon.screen_synthetic import SyntheticSource
from risk.screen import (
    HIP3,
    PERPS,
    Bounds,
    Candidate,
    LeftOut,
    Ranked,
    choose,
    listed_flaw,
    measured_flaw,
    ranked,
    scores,
)
from supervisor.clock import Clock
from supervisor.wall import now_ns, run_wall
from venues.venue import VenueMisspoke, VenueUnreachable

KINDS: dict[str, tuple[AssetClass, Bounds]] = {"hip3": ("hip3", HIP3), "perps": ("native", PERPS)}
"""What can be screened: the asset class and what a name of it must be."""

TOP_MAX = 200

MEASURED_MAX = 40
"""Names whose candles and book are asked for, those with the most volume first: 22 of a venue's weight each, of which
Hyperliquid gives 1,200 a minute."""


class ScreenSource(Protocol):
    """A market that can be asked. Raises VenueUnreachable and VenueMisspoke."""

    name: str

    async def listed(self, asset_class: AssetClass) -> Sequence[Candidate]:
        """Every perpetual of a class that is not delisted, with volume and open interest, nothing measured."""
        ...

    async def closes(self, symbol: str) -> tuple[float, ...]:
        """Closes of the last closed bars of 4 h, a week of them or as many as there are, oldest first."""
        ...

    async def spread_bps(self, symbol: str) -> float | None:
        """Best ask less best bid, in basis points of the mid; None where a side is empty."""
        ...

    async def close(self) -> None:
        """Let go of connections."""
        ...


class Asked(Struct, frozen=True, kw_only=True):
    """What a screen was told."""

    kind: str
    top: int
    source: str
    base_url: str = ""
    seed: int = 1
    files: tuple[Any, ...] = ()


class Screen(Struct, frozen=True, kw_only=True):
    """What came of it."""

    kind: str
    market: str
    listed: int
    ranked: tuple[Ranked, ...]
    left_out: tuple[LeftOut, ...]


SOURCES: dict[str, Callable[[Asked], ScreenSource]] = {
    "synthetic": lambda asked: SyntheticSource(asked.seed),
    "hyperliquid": lambda asked: HyperliquidSource(asked.base_url),
}
"""Where numbers can come from, by the name after --source."""


def screen(asked: Asked) -> tuple[Screen, Profile]:
    """Ask, measure, rank. Raises BadInput for what is asked wrongly, Failed where the market does not answer."""
    if asked.kind not in KINDS:
        raise BadInput("KIND", asked.kind, f"one of {', '.join(KINDS)}")
    if not 1 <= asked.top <= TOP_MAX:
        raise BadInput("--top", asked.top, f"a whole number from 1 to {TOP_MAX}")
    if asked.source not in SOURCES:
        raise BadInput("--source", asked.source, f"one of {', '.join(SOURCES)}")
    if asked.base_url and asked.source == "synthetic":
        raise BadInput("--base-url", asked.base_url, "a synthetic market is at no address")
    profile = load_profile("perps", asked.files)

    async def main(clock: Clock) -> Screen:
        source = _source(asked)
        try:
            return await screened(asked, source, profile)
        except (VenueUnreachable, VenueMisspoke) as error:
            raise Failed(f"{source.name} does not answer as it should: {error}") from error
        finally:
            await source.close()

    return run_wall(main, now_ns()), profile


def _source(asked: Asked) -> ScreenSource:
    try:
        return SOURCES[asked.source](asked)
    except ValueError as error:
        raise BadInput("--base-url", asked.base_url, str(error)) from error


async def screened(asked: Asked, source: ScreenSource, profile: Profile) -> Screen:
    """Screen one market."""
    asset_class, bounds = KINDS[asked.kind]
    every = await source.listed(asset_class)
    left_out = [LeftOut(one.symbol, why) for one in every if (why := listed_flaw(one, bounds))]
    out = {one.symbol for one in left_out}
    by_volume = sorted((one for one in every if one.symbol not in out), key=lambda one: (-one.volume_usd, one.symbol))
    pinned = [one for one in by_volume if one.symbol in bounds.pinned]
    wanted = [*pinned, *(one for one in by_volume if one.symbol not in bounds.pinned)]
    left_out += [LeftOut(one.symbol, f"not measured: {MEASURED_MAX} trade more") for one in wanted[MEASURED_MAX:]]
    measured = []
    for one in wanted[:MEASURED_MAX]:
        spread = await source.spread_bps(one.symbol)
        candidate = replace(one, closes=await source.closes(one.symbol), spread_bps=spread)
        if why := measured_flaw(candidate, bounds):
            left_out.append(LeftOut(one.symbol, why))
        else:
            measured.append(candidate)
    chosen, score = choose(measured, bounds, asked.top), scores(measured)
    left_out += [LeftOut(one.symbol, f"score {score[one.symbol]:.3f}") for one in measured if one not in chosen]
    return Screen(
        kind=asked.kind,
        market=source.name,
        listed=len(every),
        ranked=tuple(ranked(chosen, score, profile)),
        left_out=tuple(left_out),
    )
