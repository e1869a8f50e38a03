"""Frames of Hyperliquid's order books: real ones as templates, 28 coins, time going on, prices and sizes that move.

A template gives the shape: how far apart 20 levels a side lie, in steps of the price grid, and what waits at each.
Every coin then walks on its own. Where the recorded frames are not at hand, templates are drawn.
"""

import gzip
import json
from collections.abc import Iterator
from decimal import Decimal
from pathlib import Path
from random import Random
from typing import Literal, NamedTuple

from config.universe import SymbolFacts, load_universe
from supervisor.clock import NS_PER_MS

RECORDED = Path(__file__).resolve().parents[2] / "shared/data/wire/hftbacktest/hyperliquid"
LEVELS = 20
TEMPLATES = 20
SEED = 7
START_MS = 1_750_000_000_000
"""A whole second, so that bars begin where the frames do."""

ENGINE: Literal["perps"] = "perps"
PULL = 0.02
"""Share of its distance from the start that a price goes back by: it reverts, so that there is something to trade."""

STAMP = 10**18
"""A sender's stamp has nineteen digits, which makes its place in a frame fixed."""


class Side(NamedTuple):
    """One side of a template: distance of each level from the best in steps, and size."""

    steps: tuple[int, ...]
    sizes: tuple[float, ...]


Template = tuple[Side, Side]


class Frame(NamedTuple):
    """A frame as it comes from the socket, and the time in it."""

    data: bytes
    at_ns: int


def templates() -> tuple[list[Template], str]:
    """Recorded books where they are at hand, else drawn ones; and which of the two."""
    if found := [template for file in sorted(RECORDED.glob("*.gz")) for template in _recorded(file)]:
        return found, f"{len(found)} recorded books (hftbacktest's examples, 2025-01-26)"
    random = Random(SEED)
    return [(_drawn(random), _drawn(random)) for _ in range(TEMPLATES)], f"{TEMPLATES} drawn books"


def _recorded(file: Path) -> Iterator[Template]:
    with gzip.open(file) as lines:
        for line in lines:
            frame = json.loads(line.partition(b" ")[2])
            if frame["channel"] == "l2Book":
                bids, asks = frame["data"]["levels"]
                yield _side(bids), _side(asks)


def _side(levels: list[dict[str, str]]) -> Side:
    best = Decimal(levels[0]["px"])
    steps = tuple(round(abs(Decimal(level["px"]) - best)) for level in levels)
    return Side(steps, tuple(float(level["sz"]) for level in levels))


def _drawn(random: Random) -> Side:
    steps = [0]
    while len(steps) < LEVELS:
        steps.append(steps[-1] + random.choice((1, 1, 1, 2, 3)))
    return Side(tuple(steps), tuple(round(random.expovariate(0.5) + 0.0001, 5) for _ in steps))


class Walk:
    """One coin: its price in steps, which reverts to where it began, and the book around it."""

    def __init__(self, facts: SymbolFacts, random: Random):
        self.symbol = facts.symbol
        self.step = facts.step
        self.start = self.at = int(facts.price_usd / facts.step)
        self.random = random

    def frame(self, template: Template, time_ms: int, *, stamped: bool) -> bytes:
        """The next book, in the shape of a template."""
        self.at += round(self.random.gauss(0.0, 2.0) - PULL * (self.at - self.start))
        lean = 2 ** self.random.uniform(-1.5, 1.5)  # how much heavier the bids are: both signs of imbalance occur
        bids = self._levels(template[0], -1, lean * sum(template[1].sizes) / sum(template[0].sizes))
        asks = self._levels(template[1], 1, 1.0)
        stamp = f'"stamp":{STAMP},' if stamped else ""
        book = f'"data":{{"coin":"{self.symbol}","time":{time_ms},"levels":[[{bids}],[{asks}]]}}'
        return f'{{"channel":"l2Book",{stamp}{book}}}'.encode()

    def _levels(self, side: Side, sign: int, weight: float) -> str:
        best = self.at + (sign > 0)
        return ",".join(
            f'{{"px":"{(best + sign * away) * self.step}","sz":"{size * weight + 0.00001:.5f}","n":{1 + away % 9}}}'
            for away, size in zip(side.steps, side.sizes, strict=True)
        )


def coins() -> list[SymbolFacts]:
    """The 28 of the perps engine."""
    return list(load_universe(ENGINE).values())


def frames(rounds: int, gap_ms: int, *, one_by_one: bool = False, stamped: bool = False) -> list[Frame]:
    """`rounds` books of every coin, `gap_ms` between rounds, or between single frames."""
    shapes, _ = templates()
    random = Random(SEED)
    walks = [Walk(facts, random) for facts in coins()]
    made: list[Frame] = []
    for number in range(rounds):
        for place, walk in enumerate(walks):
            time_ms = START_MS + (len(made) if one_by_one else number) * gap_ms
            data = walk.frame(shapes[(number + place) % len(shapes)], time_ms, stamped=stamped)
            made.append(Frame(data, time_ms * NS_PER_MS))
    return made
