"""`make books N=10000000`: so many snapshots of many markets, each checked; exits 1 at the first that is not a book.

All presets take turns with names of the universes and with manifests drawn at random; every other market goes on from
a saved state, and some have scenarios that damage nothing. No snapshot may be crossed, empty, off its grid, out of
order or with a size that is not positive; no trade may be at a price that was not shown, and stamps never go back.
"""

import sys
import time
from collections.abc import Iterator
from concurrent.futures import ProcessPoolExecutor
from multiprocessing import get_context

import msgspec
import numpy as np
from msgspec.structs import replace

from config.errors import ConfigError
from venues.aleatoric.manifest import SimulationManifest, read_manifest
from venues.aleatoric.manifest_model import model_of
from venues.aleatoric.model import BLOCK_STEPS, State, SymbolModel
from venues.aleatoric.presets import PRESETS, get_preset, preset_names
from venues.aleatoric.scenarios import parse_scenario
from venues.aleatoric.symbol import Block, Reactor
from venues.aleatoric.words import Stream

BLOCKS_A_MARKET = 40
MARKETS_A_TASK = 8
SIZE_MAX = 1e12
HARMLESS = ("flash_crash@20m", "liquidity_void@1h", "trend@2h", "macro_print@3h", "facade@5h", "gap@330m")


class NotABook(Exception):
    """What was found, and how to see it again."""


def check(model: SymbolModel, block: Block, before: np.ndarray | None, newest_ns: int) -> tuple[np.ndarray, int]:
    """All that must hold of a block. Returns its last prices and its last stamp."""
    bids, asks = block.ticks
    stamps = block.start_ns + np.arange(1, BLOCK_STEPS + 1) * model.cadence_ns - block.age_ns
    shown = np.concatenate([block.ticks[:, :1] if before is None else before[:, None], block.ticks[:, :-1]], axis=1)
    taken = (block.trade_sign > 0).astype(int)
    holds = {
        "a crossed book": (bids[:, 0] < asks[:, 0]).all(),
        "bids out of order": (np.diff(bids, axis=1) < 0).all(),
        "asks out of order": (np.diff(asks, axis=1) > 0).all(),
        "a price that is not positive": bids.min() >= 1,
        "a size that is not positive": block.lots.min() >= 1,
        "a size beyond all bounds": (block.lots.max() * model.size_fraction[0] / model.size_fraction[1]) < SIZE_MAX,
        "levels that are missing": block.ticks.shape == block.lots.shape == (2, BLOCK_STEPS, model.levels),
        "a price that is not a whole number of ticks": block.ticks.dtype == block.lots.dtype == np.int64,
        "stamps that go back": stamps[0] >= newest_ns and (np.diff(stamps) >= 0).all(),
        "a book from the future": block.age_ns.min() >= 0,
        "a trade at a price that was not shown": (
            (shown[taken, block.trade_step] == block.trade_ticks[:, None]).any(axis=1).all()
        ),
        "a trade of nothing": block.trade_lots.min(initial=1) >= 1,
        "trades out of order": (np.diff(block.trade_ns) >= 0).all(),
    }
    for fault, fine in holds.items():
        if not fine:
            raise NotABook(fault)
    return block.ticks[:, -1], int(stamps[-1])


def drawn(number: int) -> SimulationManifest:
    """A manifest at random, as wild as the fields allow while there is room for a book."""
    draws = iter(Stream(number, "soak of books").uniforms(0, 0, 32).tolist())

    def between(low: float, high: float) -> float:
        return float(low * (high / low) ** next(draws))

    return read_manifest(
        {
            "symbol": f"M{number}",
            "seed": number,
            "initial_price": between(0.01, 200_000),
            "volatility_annual": between(0.01, 8),
            "drift_annual": between(0.01, 3) - 1,
            "base_spread_bps": between(0.01, 300),
            "num_levels": 1 + int(between(1, 20)) % 20,
            "book_update_interval_ms": int(between(10, 10_000)),
            "trade_intensity_base": between(0.01, 60),
            "level_gap_ticks": between(1, 60),
            "activity_dial": between(0.01, 2),
            "depth_noise_dial": between(0.01, 2),
            "pressure_dial": between(0.01, 2),
            "facade_dial": between(0.01, 3),
            "depth_decay_rate": between(0.7, 1.2),
            "touch_depth_usd": between(100, 1e7),
            "burst_probability": between(0.001, 0.4),
            "burst_intensity_factor": between(1, 40),
            "src_latency_mode": ("zero", "colocated", "retail")[number % 3],
            "price_clock": ("activity", "calendar")[number % 2],
        }
    )


def manifest_of(number: int) -> SimulationManifest:
    """The market of a number: a preset, a name of a universe, or one at random."""
    names = (tuple(PRESETS), preset_names())[number % 3 == 1]
    manifest = drawn(number) if number % 3 == 2 else replace(get_preset(names[number // 3 % len(names)]), seed=number)
    return replace(manifest, scenarios=tuple(map(parse_scenario, HARMLESS))) if number % 5 == 0 else manifest


def market(number: int) -> int:
    """Make and check one market; returns its snapshots, 0 for one that is refused as impossible."""
    manifest = manifest_of(number)
    try:
        model = model_of(manifest)
    except ConfigError:
        return 0
    reactor, before, newest_ns = Reactor(model, manifest.seed), None, -(2**62)
    for index in range(BLOCKS_A_MARKET):
        if number % 2 and index == BLOCKS_A_MARKET // 2:
            saved = msgspec.json.encode(reactor.state)
            reactor = Reactor(model, manifest.seed, msgspec.json.decode(saved, type=State))
        start_ns = manifest.start_ms * 1_000_000 + index * BLOCK_STEPS * model.cadence_ns
        try:
            before, newest_ns = check(model, reactor.next_block(start_ns), before, newest_ns)
        except NotABook as error:
            raise NotABook(f"market {number} ({manifest.symbol}), block {index}: {error}") from None
    return BLOCKS_A_MARKET * BLOCK_STEPS


def task(first: int) -> tuple[int, int]:
    """Several markets; returns snapshots and markets that were refused."""
    counts = [market(number) for number in range(first, first + MARKETS_A_TASK)]
    return sum(counts), counts.count(0)


def tasks(first: int) -> Iterator[int]:
    """Numbers of the first markets of tasks, enough for any N."""
    while True:
        yield first
        first += MARKETS_A_TASK


def main(wanted: int, first: int = 0) -> int:
    """Check until there were so many; 0 if all were books."""
    start_s, books, refused, done = time.monotonic(), 0, 0, 0
    with ProcessPoolExecutor(mp_context=get_context("spawn")) as pool:
        numbers = tasks(first)
        while books < wanted:
            batch = [next(numbers) for _ in range(16)]
            try:
                for count, impossible in pool.map(task, batch):
                    books, refused, done = books + count, refused + impossible, done + MARKETS_A_TASK
            except NotABook as error:
                print(f"FAIL after {books:,} snapshots: {error}")
                return 1
            print(f"{books:,} snapshots of {done - refused} markets, {time.monotonic() - start_s:.0f} s", flush=True)
    print(f"PASS: {books:,} snapshots, none crossed, empty, off its grid or without size; {refused} manifests refused")
    return 0


if __name__ == "__main__":
    sys.exit(main(*map(int, sys.argv[1:])))
