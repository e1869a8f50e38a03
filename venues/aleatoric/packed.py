"""What a block holds, kept small until it is told: a live stream tells one block for minutes, and there are hundreds.

Rows and frames are packed a few at a time, unpacked when their turn comes, and gone behind it. (No word of the seed's.)
"""

import zlib
from collections import deque
from collections.abc import Iterable, Iterator

import msgspec
import numpy as np

from venues.aleatoric.words import Ints

ROWS_AT_ONCE = 16
"""Rows that are unpacked together: 50 KB as Python numbers."""
FRAMES_AT_ONCE = 64
LEVEL = 1
"""The quickest of zlib's: it makes a block of 20 levels an eighth, in 2 ms."""
_NARROW = np.iinfo(np.int32)

Frame = tuple[int, bytes]
_FRAMES = msgspec.msgpack.Decoder(list[Frame])


def rows_kept(values: Ints) -> Iterator[Ints]:
    """A table (side, row, level) as parts of some rows each, in order; packed now, whenever they are asked for."""
    fits = not values.size or (_NARROW.min <= int(values.min()) and int(values.max()) <= _NARROW.max)
    kind = np.int32 if fits else np.int64
    sides, _, levels = values.shape
    parts = deque(
        zlib.compress(values[:, first : first + ROWS_AT_ONCE].astype(kind).tobytes(), LEVEL)
        for first in range(0, values.shape[1], ROWS_AT_ONCE)
    )
    return _rows(parts, kind, sides, levels)


def _rows(parts: deque[bytes], kind: type[np.signedinteger], sides: int, levels: int) -> Iterator[Ints]:
    while parts:
        found = np.frombuffer(zlib.decompress(parts.popleft()), kind)
        yield found.astype(np.int64).reshape(sides, -1, levels)


def frames_kept(frames: Iterable[Frame]) -> Iterator[Frame]:
    """Frames with their times, the same again; packed now, whenever they are asked for."""
    listed = list(frames)
    parts = deque(
        zlib.compress(msgspec.msgpack.encode(listed[first : first + FRAMES_AT_ONCE]), LEVEL)
        for first in range(0, len(listed), FRAMES_AT_ONCE)
    )
    return _frames(parts)


def _frames(parts: deque[bytes]) -> Iterator[Frame]:
    while parts:
        yield from _FRAMES.decode(zlib.decompress(parts.popleft()))
