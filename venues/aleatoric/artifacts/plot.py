"""A picture of a run: price and trades, depth heat, spread, imbalance, size of trades; the seed has none.

What is drawn is thinned to the width of the picture, so an hour and a day look alike and cost alike.
"""

from collections.abc import Iterable
from pathlib import Path
from typing import Any

import numpy as np

from config.errors import ConfigError
from supervisor.clock import NS_PER_S
from venues.aleatoric.artifacts.files import whole
from venues.aleatoric.artifacts.rows import Rows
from venues.aleatoric.artifacts.table import prices_of, sides_of, sizes_of
from venues.aleatoric.manifest import SimulationManifest, manifest_hash
from venues.aleatoric.manifest_model import model_of
from venues.aleatoric.wire_events import BPS
from venues.aleatoric.words import Floats

SIZE_INCHES, DPI = (12.0, 10.0), 110
COLUMNS = 1_200
"""Books that are drawn: one a pixel."""

HEAT_ROWS = 240
HEAT_SPANS = 1.15
"""Height of the heat map: this many times the range of the best prices and the books around them."""

OBI_LEVELS = (1, 5, 20)
TRADES_MAX = 4_000
"""Trades that are drawn, the largest."""


class Thinned:
    """The books and trades of a run that fit a picture."""

    def __init__(self, manifest: SimulationManifest, rows: Iterable[Rows], books: int) -> None:
        model = model_of(manifest)
        every = max(1, -(-books // COLUMNS))
        at, sides, trades, seen = [], [], [], 0
        for block in rows:
            keep = np.arange(-seen % every, len(block.received_ns), every)
            seen += len(block.received_ns)
            prices, sizes = sides_of(model, block)
            at.append(block.received_ns[keep])
            sides.append(np.stack([prices[:, keep], sizes[:, keep]]))
            price, size = prices_of(model, block.trade_ticks), sizes_of(model, block.trade_lots)
            trades.append(np.stack([block.trade_at_ns / NS_PER_S, price, price * size, block.trade_sign]))
        if not seen:
            raise ConfigError("--plot", "there is no book to draw: every one of them is silenced by a scenario")
        self._tick = float(model.tick)
        since_ns = int(at[0][0])
        self.at_s: Floats = (np.concatenate(at) - since_ns) / NS_PER_S
        together = np.concatenate(sides, axis=2)
        self.prices, self.sizes = together[0], together[1]  # (side, row, level)
        if not np.isfinite(self.prices).any():
            raise ConfigError("--plot", "there is no price to draw: a scenario empties both sides of every book")
        trade = np.concatenate(trades, axis=1)
        largest = np.sort(np.argsort(-trade[2], kind="stable")[:TRADES_MAX])
        self.trade_s, self.trade_price, self.trade_usd, self.trade_sign = trade[:, largest]
        self.trade_s = self.trade_s - since_ns / NS_PER_S

    def imbalance(self, levels: int) -> Floats:
        """OBI over the best levels of each book."""
        bid, ask = np.nansum(self.sizes[:, :, :levels], axis=2)
        result: Floats = (bid - ask) / np.maximum(bid + ask, np.finfo(float).tiny)
        return result

    def heat(self) -> tuple[Floats, tuple[float, float]]:
        """Log depth in USD by (price, column), and the prices it spans."""
        prices = self.prices[:, np.isfinite(self.prices[:, :, 0]).any(axis=0)]
        middle = np.nanmean(prices[:, :, 0], axis=0)
        reach = max(np.median(np.nanmax(np.abs(prices - middle[:, None]), axis=(0, 2))) * 1.2, self._tick)
        low, high = middle.min() - reach, middle.max() + reach
        pad = (high - low) * (HEAT_SPANS - 1.0) / 2.0
        low, high = low - pad, high + pad
        grid = np.zeros((HEAT_ROWS, len(self.at_s)))
        place = (self.prices - low) / (high - low) * HEAT_ROWS
        inside = np.isfinite(place) & (place >= 0) & (place < HEAT_ROWS)
        columns = np.broadcast_to(np.arange(len(self.at_s))[None, :, None], place.shape)
        worth = self.prices * self.sizes
        np.add.at(grid, (place[inside].astype(np.int64), columns[inside]), worth[inside])
        return np.log10(np.where(grid > 0, grid, np.nan)), (float(low), float(high))


def plot(manifest: SimulationManifest, thinned: Thinned, out: Path) -> None:
    """Draw a run as a PNG."""
    # The object interface: pyplot would keep figures alive and look for a screen.
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    figure = Figure(figsize=SIZE_INCHES, dpi=DPI, layout="constrained")
    FigureCanvasAgg(figure)
    depth, spread, imbalance, trades = figure.subplots(4, 1, sharex=True, height_ratios=(4, 1, 1.6, 1.2))
    unit, seconds = ("h", 3600.0) if thinned.at_s[-1] > 2 * 3600 else ("min", 60.0)
    at = thinned.at_s / seconds
    _depth(figure, depth, thinned, at)
    _spread(spread, thinned, at)
    _imbalance(imbalance, thinned, at)
    _trades(trades, thinned, thinned.trade_s / seconds)
    trades.set_xlabel(f"{unit} since the start")
    hashed = manifest_hash(manifest)[: len("sha256:") + 12]
    figure.suptitle(f"{manifest.symbol}, {manifest.exchange} {manifest.asset_class}, seed {manifest.seed}, {hashed}")
    with whole(out) as half_done:
        figure.savefig(half_done, format="png", metadata={"Software": None})


def _depth(figure: Any, axes: Any, thinned: Thinned, at: Floats) -> None:
    grid, (low, high) = thinned.heat()
    extent = (at[0], at[-1] if len(at) > 1 else at[0] + 1.0, low, high)
    image = axes.imshow(grid, origin="lower", aspect="auto", extent=extent, cmap="viridis", interpolation="nearest")
    figure.colorbar(image, ax=axes, label="log10 USD at a price", pad=0.01)
    for side, colour in ((0, "#ffffff"), (1, "#ffd166")):
        axes.plot(at, thinned.prices[side, :, 0], color=colour, linewidth=0.6, label=("best bid", "best ask")[side])
    axes.legend(loc="upper left", fontsize="small", facecolor="#33415c", labelcolor="white")
    axes.set_ylabel("price")
    axes.ticklabel_format(axis="y", useOffset=False)


def _spread(axes: Any, thinned: Thinned, at: Floats) -> None:
    bid, ask = thinned.prices[:, :, 0]
    axes.plot(at, (ask - bid) / (ask + bid) * 2.0 * BPS, color="#9b5de5", linewidth=0.7)
    axes.set_ylabel("spread, bps")
    axes.grid(alpha=0.3)


def _imbalance(axes: Any, thinned: Thinned, at: Floats) -> None:
    levels = [number for number in OBI_LEVELS if number <= thinned.sizes.shape[2]]
    for number, colour in zip(levels, ("#adb5bd", "#00b4d8", "#03045e"), strict=False):
        axes.plot(at, thinned.imbalance(number), color=colour, linewidth=0.7, label=f"{number} levels")
    axes.axhline(0.0, color="black", linewidth=0.5)
    axes.set_ylim(-1.05, 1.05)
    axes.set_ylabel("OBI")
    axes.legend(loc="upper left", fontsize="small", ncols=len(levels))


def _trades(axes: Any, thinned: Thinned, at: Floats) -> None:
    for sign, colour, word in ((1, "#2a9d8f", "buyer takes"), (-1, "#e76f51", "seller takes")):
        mine = thinned.trade_sign == sign
        axes.scatter(at[mine], thinned.trade_usd[mine], s=5, color=colour, label=word, linewidths=0)
    if len(at):
        axes.set_yscale("log")
        axes.legend(loc="upper left", fontsize="small", ncols=2, markerscale=3.0)
    axes.set_ylabel("trade, USD")
    axes.grid(alpha=0.3)
