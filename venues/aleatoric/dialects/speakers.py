"""Which dialect a manifest's market speaks, with all channels of its books and trades as one socket would get them."""

from collections.abc import Callable, Iterator
from typing import TypeVar

from msgspec.structs import replace

from config.errors import ConfigError
from venues.aleatoric.batch import Batch
from venues.aleatoric.dialects import binance, bybit, okx
from venues.aleatoric.dialects.alpaca import AlpacaCryptoSpeaker, AlpacaStockSpeaker
from venues.aleatoric.dialects.binance import BinanceFeed
from venues.aleatoric.dialects.bybit import BybitFeed
from venues.aleatoric.dialects.dialect import Frame, Speaker, in_time_order
from venues.aleatoric.dialects.hyperliquid import EACH_STEP, HyperliquidSpeaker
from venues.aleatoric.manifest import SimulationManifest
from venues.aleatoric.model import SymbolModel
from venues.aleatoric.packed import frames_kept

PRICE_DECIMALS = {"BTCUSDT": 2}
"""Where Binance USD-M and Bybit linear print more decimals than the tick has: 61685.90 on a tick of 0.1 (recorded)."""

Feed = TypeVar("Feed", BinanceFeed, BybitFeed)


def _priced(feed: Feed, model: SymbolModel) -> Feed:
    return replace(feed, price_decimals=PRICE_DECIMALS.get(model.symbol))


Make = Callable[[SymbolModel, int], Speaker]

SPEAKERS: dict[tuple[str, str], Make] = {
    ("hyperliquid", "perp"): lambda model, seed: HyperliquidSpeaker(model, seed, EACH_STEP),
    ("binance", "spot"): lambda model, seed: binance.BinanceSpeaker(model, seed, binance.SPOT),
    ("binance", "perp"): lambda model, seed: binance.BinanceSpeaker(model, seed, _priced(binance.USDM, model)),
    ("okx", "spot"): lambda model, seed: okx.OkxSpeaker(model, seed, okx.SPOT),
    ("okx", "perp"): lambda model, seed: okx.OkxSpeaker(model, seed, okx.SWAP),
    ("bybit", "spot"): lambda model, seed: bybit.BybitSpeaker(model, seed, bybit.SPOT),
    ("bybit", "perp"): lambda model, seed: bybit.BybitSpeaker(model, seed, _priced(bybit.LINEAR, model)),
    ("alpaca", "spot"): AlpacaCryptoSpeaker,
    ("alpaca", "equity"): lambda model, seed: AlpacaStockSpeaker(model),
}
"""By exchange and asset class."""


def speaker_of(manifest: SimulationManifest, model: SymbolModel) -> Speaker:
    """The speaker of a market. Raises ConfigError where its exchange has no dialect for it."""
    make = SPEAKERS.get((manifest.exchange, manifest.asset_class))
    if make is None:
        known = ", ".join(sorted({f"{exchange} {kind}" for exchange, kind in SPEAKERS}))
        raise ConfigError(
            "exchange", f"speaks no dialect of {manifest.asset_class}; there are {known}", manifest.exchange
        )
    try:
        return make(model, manifest.seed)
    except ValueError as error:
        raise ConfigError("exchange", f"cannot print this market: {error}", manifest.exchange) from error


def venue_lines(batch: Batch) -> Iterator[Frame]:
    """The run as its exchange's own frames: trades, books and best prices."""
    speaker = speaker_of(batch.manifest, batch.model)
    for block in batch.blocks_between_breaks():
        frames = frames_kept(in_time_order(speaker.trades(block), speaker.books(block), speaker.touch(block)))
        del block  # it is told, and takes ten times what its frames do
        yield from frames
