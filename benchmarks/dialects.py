"""How fast a generated market speaks Hyperliquid: l2Book frames of 20 levels a side, bytes from blocks of integers.

Beside it, in the same run: blocks and frames together, each preset alone, and the plain way, dicts through json.dumps.
Every repeat formats blocks that its speaker has not seen, so a rendering is at hand only if it is in a long run too.
"""

import json
import time
from collections.abc import Callable

from benchmarks.report import Wrong, interleaved, table
from venues.aleatoric.dialects.hyperliquid import EACH_STEP, HyperliquidSpeaker
from venues.aleatoric.model import BLOCK_STEPS, SymbolModel
from venues.aleatoric.shapes import MODELS
from venues.aleatoric.symbol import Block, Reactor
from venues.hyperliquid.wire import decode
from venues.market import Book

PRESET_NAMES = ("hyperliquid_perp_btc", "hyperliquid_perp_sol", "hyperliquid_perp_wlfi")
"""Two dense books, of six and of five figures, and one with gaps between its levels."""

BLOCKS = 2
JSON_ROWS = 256
REPEATS = 9
SEED = 7
START_NS = 1_750_000_000_000_000_000
CHECKED_EACH = 97
"""Frames are parsed and compared with the plain way's at each so many rows."""


class Scene:
    """One preset as it goes on: its reactor, its speaker, the time."""

    def __init__(self, model: SymbolModel) -> None:
        self.model = model
        self.reactor, self.speaker = Reactor(model, SEED), HyperliquidSpeaker(model, SEED, EACH_STEP)
        self.next_ns = START_NS

    def blocks(self) -> list[Block]:
        """The next blocks."""
        made = []
        for _ in range(BLOCKS):
            made.append(self.reactor.next_block(self.next_ns))
            self.next_ns += BLOCK_STEPS * self.model.cadence_ns
        return made

    def frames(self, blocks: list[Block]) -> int:
        """Format blocks; how many frames that made."""
        return sum(len(self.speaker.books(block)) for block in blocks)


def plain(model: SymbolModel, block: Block, rows: int) -> list[bytes]:
    """The same frames the obvious way: floats, dicts, json.dumps; one order at each level, as a block has none."""
    over, under = model.price_fraction
    prices = (block.ticks[:, :rows] * over / under).tolist()
    over, under = model.size_fraction
    sizes = (block.lots[:, :rows] * over / under).tolist()
    stamps = block.start_ns + model.cadence_ns - block.age_ns
    frames = []
    for row in range(rows):
        levels = [
            [
                {"px": repr(px), "sz": repr(sz), "n": 1}
                for px, sz in zip(prices[side][row], sizes[side][row], strict=True)
            ]
            for side in (0, 1)
        ]
        time_ms = (int(stamps[row]) + row * model.cadence_ns) // 1_000_000
        said = {"channel": "l2Book", "data": {"coin": model.symbol, "time": time_ms, "levels": levels}}
        frames.append(json.dumps(said, separators=(",", ":")).encode())
    return frames


def check(model: SymbolModel) -> None:
    """The quick way's frames say what the plain way's say, or there is no figure."""
    [block, _] = Scene(model).blocks()
    quick = HyperliquidSpeaker(model, SEED, EACH_STEP).books(block)
    if len(quick) != BLOCK_STEPS:
        raise Wrong(f"{len(quick)} frames of {model.symbol}, a block has {BLOCK_STEPS} books")
    slow = plain(model, block, BLOCK_STEPS)
    for row in range(0, BLOCK_STEPS, CHECKED_EACH):
        ours, theirs = decode(quick[row][1], 0), decode(slow[row], 0)
        if not isinstance(ours, Book) or len(ours.bids) != model.levels or ours != theirs:
            raise Wrong(f"the frames of {model.symbol} differ at row {row}: {quick[row][1]!r}, {slow[row]!r}")


def timed(work: Callable[[], int]) -> float:
    """CPU microseconds for each of the frames that the work made."""
    start_s = time.process_time()
    made = work()
    return (time.process_time() - start_s) / made * 1e6


def measure() -> dict[str, float]:
    """Frames of one core a second."""
    models = [MODELS[name] for name in PRESET_NAMES]
    for model in models:
        check(model)
    scenes = [Scene(model) for model in models]

    def ready(chosen: list[Scene]) -> Callable[[], float]:
        def side() -> float:
            work = [(scene, scene.blocks()) for scene in chosen]
            return timed(lambda: sum(scene.frames(blocks) for scene, blocks in work))

        return side

    def by_json() -> float:
        work = [(scene.model, scene.blocks()[0]) for scene in scenes]
        return timed(lambda: sum(len(plain(model, block, JSON_ROWS)) for model, block in work))

    sides = {
        "frames of ready blocks": ready(scenes),
        **{f"  {scene.model.symbol} alone": ready([scene]) for scene in scenes},
        "blocks and frames": lambda: timed(lambda: sum(scene.frames(scene.blocks()) for scene in scenes)),
        "ready blocks, dicts through json.dumps": by_json,
    }
    for warm in sides.values():
        warm()
    costs_us = interleaved(sides, REPEATS)
    rows = [[name, cost_us, 1e6 / cost_us] for name, cost_us in costs_us.items()]
    table("Hyperliquid l2Book, 20 levels a side, CPU time of one core", [["", "us a frame", "frames/s"], *rows])
    return {
        "generator_hl_frames_per_s": 1e6 / costs_us["frames of ready blocks"],
        "generator_blocks_and_hl_frames_per_s": 1e6 / costs_us["blocks and frames"],
    }
