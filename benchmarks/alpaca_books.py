"""How fast frames of Alpaca's crypto order books become books, beside alpaca-py's ways to read the same bytes.

Frames are the generator's, in msgpack as the stream sends them: one whole book, then changes. Ours ends with a whole
book of 20 levels a side for each frame; the SDK's ends with the message as it came, once as dicts (`raw_data=True`),
once as its models, and whoever uses it has yet to put the changes together.
"""

import time
from collections.abc import Callable

import msgpack  # type: ignore[import-untyped]
from alpaca.data.live.crypto import CryptoDataStream

from benchmarks.report import Wrong, interleaved, table
from venues.aleatoric.dialects.alpaca import AlpacaCryptoSpeaker, as_msgpack
from venues.aleatoric.shapes import MODELS
from venues.aleatoric.symbol import Reactor
from venues.alpaca.book import Books
from venues.alpaca.market_wire import BookChange, decode

PRESET_NAME = "alpaca_spot_btc"
SEED, START_NS = 7, 1_750_000_000_000_000_000
REPEATS = 7
MODELLED = 250
"""Frames that the SDK's models are built of: they cost so much that a quarter of a second is enough."""


def frames() -> list[bytes]:
    """A block's books as the stream says them."""
    model = MODELS[PRESET_NAME]
    block = Reactor(model, SEED).next_block(START_NS)
    return [as_msgpack(frame) for _, frame in AlpacaCryptoSpeaker(model, SEED).books(block)]


def ours(said: list[bytes]) -> int:
    """Frames to whole books."""
    books, shown = Books(), 0
    for frame in said:
        for one in decode(frame, START_NS):
            if isinstance(one, BookChange) and books.hear(one) is not None:
                shown += 1
    return shown


def theirs(said: list[bytes], stream: CryptoDataStream) -> int:
    """Frames to what the SDK hands to a handler: its own `_cast` on what its own msgpack reads."""
    cast = stream._cast
    handed = 0
    for frame in said:
        for message in msgpack.unpackb(frame):
            cast(message)
            handed += 1
    return handed


def timed(work: Callable[[], int], expected: int) -> float:
    """CPU microseconds for each frame."""
    start_s = time.process_time()
    done = work()
    spent_s = time.process_time() - start_s
    if done != expected:
        raise Wrong(f"{done} books of {expected} frames")
    return spent_s / done * 1e6


def measure() -> dict[str, float]:
    """Frames of one core a second."""
    said = frames()
    modelled = said[:MODELLED]
    raw, models = (CryptoDataStream("key", "secret", raw_data=way) for way in (True, False))
    sides: dict[str, Callable[[], float]] = {
        "ours: whole books": lambda: timed(lambda: ours(said), len(said)),
        "alpaca-py, raw_data=True: dicts of changes": lambda: timed(lambda: theirs(said, raw), len(said)),
        "alpaca-py, raw_data=False: models of changes": lambda: timed(lambda: theirs(modelled, models), len(modelled)),
    }
    for warm in sides.values():
        warm()
    costs_us = interleaved(sides, REPEATS)
    rows = [[name, cost_us, 1e6 / cost_us] for name, cost_us in costs_us.items()]
    size = sum(map(len, said)) / len(said)
    title = f"Alpaca order books, {size:.0f} bytes a frame, CPU time of one core"
    table(title, [["", "us a frame", "frames/s"], *rows])
    our_us, raw_us, models_us = costs_us.values()
    return {
        "alpaca_book_frames_per_s": 1e6 / our_us,
        "alpaca_book_over_sdk_raw": our_us / raw_us,
        "alpaca_book_over_sdk_models": our_us / models_us,
    }
