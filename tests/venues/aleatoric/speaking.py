"""Blocks for speakers, and the shape of what they say."""

import json
import re
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import msgspec
import numpy as np
from msgspec.structs import replace

from venues.aleatoric.model import BLOCK_STEPS, SymbolModel
from venues.aleatoric.symbol import Block, Reactor
from venues.market import Level

WIRE = Path(__file__).resolve().parents[4] / "shared" / "data" / "wire"
START_NS = 1_757_030_400_000_000_000
TEXTS = {
    "number text": re.compile(r"-?(0|[1-9]\d*)\.(0|\d*[1-9])"),  # a point always, no zero behind but the only one
    "hash": re.compile(r"0x[0-9a-f]{64}"),
    "address": re.compile(r"0x[0-9a-f]{40}"),
    "time": re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d{0,8}[1-9])?Z"),
}


def blocks(model: SymbolModel, seed: int, count: int = 1) -> list[Block]:
    """The first blocks of a market."""
    reactor = Reactor(model, seed)
    return [reactor.next_block(START_NS + index * BLOCK_STEPS * model.cadence_ns) for index in range(count)]


def part_of(block: Block, steps: int, **changes: Any) -> Block:
    """The first steps of a block, quicker to look at; with other fields put in."""
    trades = block.trade_step < steps
    rows = {name: getattr(block, name)[:, :steps].copy() for name in ("ticks", "lots")}
    told = {name: getattr(block, name)[trades] for name in block.__struct_fields__ if name.startswith("trade_")}
    return replace(block, **{**rows, "age_ns": block.age_ns[:steps], **told, **changes})


def marked(block: Block, **marks: Any) -> Any:
    """A block with marks of what is not shown, whether or not blocks have fields for them."""

    class Marked(msgspec.Struct):
        block: Block
        silent: Any = None
        empty: Any = None

        def __getattr__(self, name: str) -> Any:
            return getattr(self.block, name)

    return Marked(block, **marks)


def hand_made(
    ticks: list[list[list[int]]], lots: list[list[list[int]]], trades: list[tuple[int, int, int, int, int]] = ()
) -> Block:
    """A block of a few steps, (side, step, level); trades are (step, ns, ticks, lots, sign); books are 7 ms old."""
    steps = len(ticks[0])
    columns = np.array(trades, np.int64).reshape(-1, 5).T
    names = ("trade_step", "trade_ns", "trade_ticks", "trade_lots", "trade_sign")
    return Block(
        index=3,
        start_ns=START_NS,
        ticks=np.array(ticks, np.int64),
        lots=np.array(lots, np.int64),
        age_ns=np.full(steps, 7_000_000, np.int64),
        **dict(zip(names, columns, strict=True)),
    )


Pairs = list[tuple[float, float]]


def pairs(levels: Iterable[Level]) -> Pairs:
    """(price, size) of levels: a parser's kind of Level does not equal another kind."""
    return [(level.price, level.size) for level in levels]


def books_of(model: SymbolModel, block: Block, levels: int) -> list[tuple[Pairs, Pairs]]:
    """The books of a block as the floats that a venue prints, best levels first, without levels of no lots."""
    price, size = model.price_fraction, model.size_fraction
    books, rows = [], (block.ticks, block.lots)
    for step in range(block.ticks.shape[1]):
        bids, asks = (
            [
                (ticks * price[0] / price[1], lots * size[0] / size[1])
                for ticks, lots in zip(*(part[side, step, :levels].tolist() for part in rows), strict=True)
                if lots
            ]
            for side in (0, 1)
        )
        books.append((bids, asks))
    return books


def kind_of(value: Any) -> str:
    """What a value is: of a text, whether it is a number, a hash, a time; whole numbers are numbers, as in JSON."""
    if isinstance(value, str):
        return next((name for name, pattern in TEXTS.items() if pattern.fullmatch(value)), "text")
    return "number" if type(value) in (int, float) else type(value).__name__


def differences(ours: Any, recorded: Any, where: str = "") -> list[str]:
    """Where a recorded value has another shape than ours: keys that we lack, in another order, of another type."""
    if isinstance(recorded, dict) and isinstance(ours, dict):
        order = [key for key in ours if key in recorded]
        found = [] if order == list(recorded) else [f"{where}: keys {list(ours)}, recorded {list(recorded)}"]
        for key in order:
            found += differences(ours[key], recorded[key], f"{where}.{key}")
        return found
    if isinstance(recorded, list) and isinstance(ours, list):
        both = zip(ours, recorded, strict=False)
        return [found for one, other in both for found in differences(one, other, f"{where}[]")]
    kinds = [kind_of(value) for value in (ours, recorded)]
    return [] if kinds[0] == kinds[1] else [f"{where}: {kinds[0]} {ours!r}, recorded {kinds[1]} {recorded!r}"]


def compact(frame: bytes) -> bool:
    """Whether the bytes are JSON without any space, as venues send it."""
    json.loads(frame)
    return not re.search(rb"\s", re.sub(rb'"[^"]*"', b"", frame))
