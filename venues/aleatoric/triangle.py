"""Spot, perpetual and funding as one market: the triangle of the seed's SyntheticTelemetryUplink.

The perpetual has queues, quotes, trades and delays of its own, but no hidden price of its own: that is the spot's times
one plus the basis. So the two books wander about each other as arbitrage would have them, each late in its own way.

    index = middle of the spot book          mark = index x (1 + basis / 10,000)

The basis is the API page's process (funding/basis.py): it reverts to the side on which the funding rate of the current
interval is. Funding and its premium are those of the perpetual's symbol in funding/, so what the pair prints is what
the account pays. The spot is, byte for byte, the market that its manifest makes alone.
"""

from fractions import Fraction

import numpy as np
from msgspec import Struct
from msgspec.structs import replace

from config.errors import ConfigError
from supervisor.clock import NS_PER_MS
from venues.aleatoric.activity import STEPS
from venues.aleatoric.dialects.pieces import decimals_of
from venues.aleatoric.funding.basis import BasisShape, basis_block, basis_stream
from venues.aleatoric.funding.figures import EXCHANGES
from venues.aleatoric.funding.schedule import Period
from venues.aleatoric.manifest import SimulationManifest
from venues.aleatoric.manifest_model import BPS, lot_of, model_of, resolved, tick_of
from venues.aleatoric.model import BLOCK_STEPS, State, SymbolModel
from venues.aleatoric.prices import Lead
from venues.aleatoric.settlements import Settlements
from venues.aleatoric.symbol import Block, Reactor, first_state
from venues.aleatoric.words import Floats, Ints

PERP_STREAM = "perp-of-pair:{symbol}"  # the two may have one name, and must not share their words


class Pair(Struct, frozen=True):
    """The manifests of the two markets; what they have in common must agree."""

    spot: SimulationManifest
    perp: SimulationManifest


class TriangleState(Struct, kw_only=True):
    """All that a block of both hands to the next."""

    spot: State
    perp: State
    basis_bps: float = 0.0
    index_half_ticks: int = 0  # of the spot; stands still while a side of its book is empty


class TriangleBlock(Struct):
    """The same 1024 steps of both, and what lies between them. Arrays are (step,)."""

    spot: Block
    perp: Block
    basis_bps: Floats
    index: Floats
    mark: Floats
    periods: list[Period]  # of funding, oldest first
    period: Ints  # index of the one that each step is in
    arrivals_ns: Ints  # when the books of each step arrive


def pair_of(manifest: SimulationManifest) -> Pair:
    """A spot and a perpetual that are alike but for what they are, from a manifest of either. Raises ConfigError."""
    if manifest.asset_class not in ("spot", "perp"):
        raise ConfigError("asset_class", "must be spot or perp to make a pair", manifest.asset_class)
    said = resolved(manifest)
    common = replace(
        manifest,
        microstructure=said.microstructure,
        book_update_interval_ms=said.book_update_interval_ms,
        tick_size=float(tick_of(manifest)),
        lot_size=float(lot_of(manifest)),
    )
    return Pair(replace(common, asset_class="spot"), replace(common, asset_class="perp"))


def models_of(pair: Pair) -> tuple[SymbolModel, SymbolModel]:
    """The models of spot and perpetual. Raises ConfigError where the two can't be one market."""
    for name, manifest in (("spot", pair.spot), ("perp", pair.perp)):
        if manifest.asset_class != name:
            raise ConfigError("asset_class", f"must be {name} in the {name} of a pair", manifest.asset_class)
    for name in ("seed", "start_ms"):
        if getattr(pair.spot, name) != getattr(pair.perp, name):
            right = f"must be {getattr(pair.spot, name)} as in the spot of the pair"
            raise ConfigError(name, right, getattr(pair.perp, name))
    if pair.perp.exchange not in EXCHANGES:
        raise ConfigError("exchange", f"has no funding; one of {', '.join(EXCHANGES)} has", pair.perp.exchange)
    # The perpetual starts where the spot does, whatever its own manifest says.
    spot, perp = model_of(pair.spot), model_of(replace(pair.perp, initial_price=pair.spot.initial_price))
    if spot.cadence_ns != perp.cadence_ns:
        right = f"must be {spot.cadence_ns // NS_PER_MS} as in the spot of the pair"
        raise ConfigError("book_update_interval_ms", right, perp.cadence_ns // NS_PER_MS)
    return spot, perp


def shape_of_basis(perp: SimulationManifest) -> BasisShape:
    """The basis that the perpetual's manifest describes."""
    return BasisShape(
        theta=perp.basis_theta,
        sigma_bps=perp.basis_sigma_bps,
        aim_bps=perp.basis_target_bps,
        cap_bps=perp.basis_cap_bps,
    )


def first_triangle(pair: Pair) -> TriangleState:
    """The state before the first block: both at the spot's initial price."""
    spot, perp = map(first_state, models_of(pair))
    return TriangleState(spot=spot, perp=perp, index_half_ticks=2 * spot.quote + 1)


class Triangle:
    """Makes the blocks of a pair. Give it the state after block k, and it goes on with block k + 1."""

    def __init__(self, pair: Pair, state: TriangleState | None = None) -> None:
        self.spot, self.perp = models_of(pair)
        self.state = state if state is not None else first_triangle(pair)
        seed, symbol = pair.spot.seed, self.perp.symbol
        self._start_ns = pair.spot.start_ms * NS_PER_MS
        self._shape, self._basis = shape_of_basis(pair.perp), basis_stream(seed, symbol)
        self._spot = Reactor(self.spot, seed, self.state.spot)
        self._perp = Reactor(self.perp, seed, self.state.perp, PERP_STREAM.format(symbol=symbol))
        self._settlements = Settlements(self.perp, seed)
        self._ticks = float(Fraction(self.spot.tick) / Fraction(self.perp.tick))  # a tick of spot in those of the perp
        self._units = 10 ** max(decimals_of(model.tick / 2) for model in (self.spot, self.perp))

    def next_block(self) -> TriangleBlock:
        """The next 1024 steps of both."""
        state = self.state
        index = state.spot.block
        start_ns = self._start_ns + index * BLOCK_STEPS * self.spot.cadence_ns
        arrivals_ns = start_ns + (STEPS + 1) * self.spot.cadence_ns
        periods, period = self._settlements.steps(arrivals_ns)
        signs = np.array([(one.rate > 0) - (one.rate < 0) for one in periods], np.int64)[period]
        basis_bps = basis_block(self._basis, index, state.basis_bps, signs, self._shape)
        over = 1.0 + basis_bps / BPS
        spot = self._spot.next_block(start_ns)
        perp = self._perp.next_block(start_ns, self._lead(over))
        index_half_ticks = middles(spot, state.index_half_ticks)
        first, second = self.spot.price_fraction
        prices = index_half_ticks * first / (2 * second)
        state.basis_bps, state.index_half_ticks = float(basis_bps[-1]), int(index_half_ticks[-1])
        return TriangleBlock(
            spot=spot,
            perp=perp,
            basis_bps=basis_bps,
            index=prices,
            mark=np.rint(prices * over * self._units) / self._units,
            periods=periods,
            period=period,
            arrivals_ns=arrivals_ns,
        )

    def _lead(self, over: Floats) -> Lead:
        """The spot's hidden price as the perpetual has it, in the perpetual's ticks."""
        lead = self._spot.lead
        assert lead is not None  # a block was just made
        latent = np.rint(lead.latent * self._ticks * over).astype(np.int64)
        return Lead(latent, lead.shocks)


def middles(block: Block, before: int) -> Ints:
    """The middle of each book in half ticks; that of the book before where a side is empty."""
    both = block.ticks[0, :, 0] + block.ticks[1, :, 0]
    if block.empty is None:
        return both
    at = np.maximum.accumulate(np.where(block.empty.any(axis=0), -1, STEPS))
    return np.where(at >= 0, both[np.maximum(at, 0)], before)
