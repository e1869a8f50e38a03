"""`obid screen equities`: which shares have strayed from their mean of 60 days, if their price and volume will do.

As obi-execution-engine's screener has it: price over 20 USD, more than a million shares a day over 30 days, and z of
the last 60 daily closes. It changes nothing: a name joins the universe by an edit that somebody reviews.
"""

from collections.abc import Callable, Iterable, Sequence
from math import isfinite
from typing import Any, Protocol

from msgspec import Struct

from actors.windows import z_score
from config.load import load_profile
from config.profile import Profile
from config.universe import SymbolFacts, load_universe
from daemon.errors import BadInput, Failed
from daemon.screen_alpaca import AlpacaStocks
from daemon.screen_shares import SyntheticStocks
from daemon.stocks import DAYS, Stock
from risk.screen import LeftOut
from supervisor.clock import Clock
from supervisor.wall import now_ns, run_wall
from venues.venue import VenueMisspoke, VenueUnreachable

PRICE_USD_MIN = 20.0
VOLUME_SHARES_MIN = 1_000_000.0
VOLUME_DAYS = 30
"""Over which the daily volume is averaged (ADV)."""

Z_MAX = 100.0
"""Of --min-z: |z| of 60 closes is at most 7.6."""


class Stocks(Protocol):
    """Where the numbers come from. Raises VenueUnreachable and VenueMisspoke."""

    name: str

    async def stocks(self, known: Sequence[str], *, new_only: bool) -> Sequence[Stock]:
        """Those it knows of the names, or everything else that it lists."""
        ...

    async def close(self) -> None:
        """Let go of connections."""
        ...


class AskedStocks(Struct, frozen=True, kw_only=True):
    """What a screen of shares was told."""

    new_only: bool = False
    sector: str = ""
    min_z: float = 0.0
    source: str = "synthetic"
    seed: int = 1
    files: tuple[Any, ...] = ()


class Strayed(Struct, frozen=True, kw_only=True):
    """A share that will do."""

    rank: int
    symbol: str
    sector: str  # empty: nobody here knows it
    in_universe: bool
    price_usd: float
    volume_shares: float  # a day
    z: float
    zone: str  # long, short, or between the thresholds
    sector_cap: int


class StockScreen(Struct, frozen=True, kw_only=True):
    """What came of it, the farthest from its mean first."""

    market: str
    looked_at: int
    ranked: tuple[Strayed, ...]
    left_out: tuple[LeftOut, ...]


SOURCES: dict[str, Callable[[AskedStocks, Clock], Stocks]] = {
    "synthetic": lambda asked, clock: SyntheticStocks(asked.seed),
    "alpaca": lambda asked, clock: AlpacaStocks(clock, asked.files),
}
"""By the name after --source."""


def screen_stocks(asked: AskedStocks) -> StockScreen:
    """Ask, measure, rank. Raises BadInput for what is asked wrongly, Failed where the market does not answer."""
    facts = known_facts()
    sectors = dict.fromkeys(one.sector for one in facts.values())
    if asked.sector and asked.sector not in sectors:
        raise BadInput("--sector", asked.sector, f"one of {', '.join(sectors)}")
    if not (isfinite(asked.min_z) and 0 <= asked.min_z <= Z_MAX):
        raise BadInput("--min-z", asked.min_z, f"a number from 0 to {Z_MAX:g}")
    if asked.source not in SOURCES:
        raise BadInput("--source", asked.source, f"one of {', '.join(SOURCES)}")
    profile = load_profile("equities", asked.files)

    async def main(clock: Clock) -> StockScreen:
        source = SOURCES[asked.source](asked, clock)
        try:
            stocks = await source.stocks(universe_of(asked), new_only=asked.new_only)
            return screened(asked, source.name, stocks, profile)
        except (VenueUnreachable, VenueMisspoke) as error:
            raise Failed(f"{source.name} does not answer as it should: {error}") from error
        finally:
            await source.close()

    return run_wall(main, now_ns())


def known_facts() -> dict[str, SymbolFacts]:
    """The universe, and the candidates beside it."""
    return load_universe("equities_candidates") | load_universe("equities")


def universe_of(asked: AskedStocks) -> tuple[str, ...]:
    """The names of the universe: all of them, or those that are asked for."""
    wanted = "" if asked.new_only else asked.sector
    return tuple(symbol for symbol, one in load_universe("equities").items() if wanted in ("", one.sector))


def screened(asked: AskedStocks, market: str, stocks: Iterable[Stock], profile: Profile) -> StockScreen:
    """Measure and rank what a source knows."""
    facts, universe, tier, risk = known_facts(), load_universe("equities"), profile.tier_default, profile.risk
    rows, left_out, looked_at = [], [], 0
    for stock in stocks:
        sector = facts[stock.symbol].sector if stock.symbol in facts else ""
        if (asked.sector and sector != asked.sector) or (asked.new_only and stock.symbol in universe):
            continue
        looked_at += 1
        z = z_score(stock.closes[-DAYS:]) if len(stock.closes) >= DAYS else None
        why = flaw(stock) or ("its closes are flat" if z is None else "")
        if z is None or why or abs(z) < asked.min_z:
            left_out.append(LeftOut(stock.symbol, why or f"z {z:+.2f}"))
            continue
        rows.append((-abs(z), stock, sector, z))
    ranked = tuple(
        Strayed(
            rank=rank,
            symbol=stock.symbol,
            sector=sector,
            in_universe=stock.symbol in universe,
            price_usd=stock.closes[-1],
            volume_shares=stock.volume_shares(VOLUME_DAYS),
            z=z,
            zone="long" if z < -tier.z_entry else "short" if z > tier.z_entry else "between",
            sector_cap=risk.sector_caps.get(sector, risk.sector_cap_default),
        )
        for rank, (_, stock, sector, z) in enumerate(sorted(rows, key=lambda row: (row[0], row[1].symbol)), 1)
    )
    return StockScreen(market=market, looked_at=looked_at, ranked=ranked, left_out=tuple(left_out))


def flaw(stock: Stock) -> str:
    """Why a share is out; empty if it is in."""
    if stock.wrong:
        return stock.wrong
    if len(stock.closes) < DAYS:
        return f"{len(stock.closes)} daily closes, {DAYS} wanted"
    if not all(isfinite(close) and close > 0 for close in stock.closes):
        return "its closes are no prices"
    if not stock.closes[-1] > PRICE_USD_MIN:
        return f"price {stock.closes[-1]:.2f} USD, more than {PRICE_USD_MIN:g} wanted"
    volume = stock.volume_shares(VOLUME_DAYS)
    if not volume > VOLUME_SHARES_MIN:
        return f"{volume:,.0f} shares a day, more than {VOLUME_SHARES_MIN:,.0f} wanted"
    return ""
