"""A synthetic market to screen: Aleatoric's presets of the universe, asked what a venue would be asked.

Volume is that of a quarter of an hour, times what a day holds of them; open interest is made up as a day's volume,
since nobody holds anything in a made market.
"""

from collections.abc import Sequence
from functools import cache

from msgspec.structs import replace

from config.profile import AssetClass
from config.universe import load_universe
from daemon.markets import model_of
from daemon.modes import SYNTHETIC_START_NS
from risk.screen import BAR_S, BARS, Candidate
from supervisor.clock import NS_PER_S
from venues.aleatoric.history import history
from venues.aleatoric.market import always_open
from venues.aleatoric.model import SymbolModel
from venues.aleatoric.symbol import Block, Reactor

DAY_NS = 86_400 * NS_PER_S
BLOCKS = 2
"""Of 1024 books each, half a second apart: a quarter of an hour."""

LEVERAGE_MAX = 10
"""The venue allows at least this for every name of the universe (its file says so)."""

CADENCE_NS = 60 * NS_PER_S
"""Steps of the past: a week of half seconds would be a million for each name."""

BPS = 10_000


class SyntheticSource:
    """Answers like a venue that lists the universe."""

    def __init__(self, seed: int):
        self.name = f"synthetic market, seed {seed}"
        self.seed = seed
        self._blocks = cache(self._made)

    async def listed(self, asset_class: AssetClass) -> Sequence[Candidate]:
        """Every name of the universe's class."""
        facts = [one for one in load_universe("perps").values() if one.asset_class == asset_class]
        volumes = {one.symbol: self._volume_usd(one.symbol) for one in facts}
        return [
            Candidate(
                symbol=one.symbol,
                category=one.category,
                leverage_max=LEVERAGE_MAX,
                volume_usd=volumes[one.symbol],
                open_interest_usd=volumes[one.symbol],
            )
            for one in facts
        ]

    async def closes(self, symbol: str) -> tuple[float, ...]:
        """A week of 4 h closes before the market's start."""
        model = replace(_model(symbol), cadence_ns=CADENCE_NS)
        bars = history(model, self.seed, SYNTHETIC_START_NS, BAR_S * NS_PER_S, BARS, always_open)
        return tuple(bar.close for bar in bars)

    async def spread_bps(self, symbol: str) -> float | None:
        """The mean over the blocks."""
        blocks = self._blocks(symbol)
        gaps = sum(int((block.ticks[1, :, 0] - block.ticks[0, :, 0]).sum()) for block in blocks)
        twice_mids = sum(int((block.ticks[1, :, 0] + block.ticks[0, :, 0]).sum()) for block in blocks)
        return 2 * BPS * gaps / twice_mids

    async def close(self) -> None:
        """Nothing is open."""

    def _volume_usd(self, symbol: str) -> float:
        model, blocks = _model(symbol), self._blocks(symbol)
        tick_lots = sum(int((block.trade_ticks * block.trade_lots).sum()) for block in blocks)
        span_ns = sum(block.ticks.shape[1] for block in blocks) * model.cadence_ns
        (tick, whole_tick), (lot, whole_lot) = model.price_fraction, model.size_fraction
        return float(tick_lots * tick * lot * DAY_NS / (whole_tick * whole_lot * span_ns))

    def _made(self, symbol: str) -> tuple[Block, ...]:
        model = _model(symbol)
        reactor, at_ns, blocks = Reactor(model, self.seed), SYNTHETIC_START_NS, []
        for _ in range(BLOCKS):
            block = reactor.next_block(at_ns)
            blocks.append(block)
            at_ns += block.ticks.shape[1] * model.cadence_ns
        return tuple(blocks)


def _model(symbol: str) -> SymbolModel:
    return model_of(load_universe("perps")[symbol])
