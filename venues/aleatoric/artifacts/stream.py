"""The stream driver: a run as lines of bytes, each with its time, paced by a clock or as fast as they are taken.

The same market as the files': what a stream says in the wire format is what the events file holds, row for row.
"""

from collections.abc import AsyncIterator, Callable, Iterable, Iterator

import msgspec

from config.errors import ConfigError
from supervisor.clock import NS_PER_MS, Clock
from venues.aleatoric.artifacts.rows import Rows
from venues.aleatoric.batch import Batch
from venues.aleatoric.dialects.speakers import venue_lines
from venues.aleatoric.events import EventMarketFeed, Wanted, rows_told
from venues.aleatoric.pair import JITTER_NS_MAX, CompositePair
from venues.aleatoric.triangle import pair_of
from venues.aleatoric.wire_events import WireEvent, WireFormat
from venues.market import Book, Trade

Line = tuple[int, bytes]
"""When it arrives, in nanoseconds since 1970, and what it says."""


def wire_events(batch: Batch) -> Iterator[tuple[int, WireEvent]]:
    """The run's books and trades in the API page's wire format, each with the time at which it arrives."""
    wanted, write = Wanted(channels=("trades", "books"), seconds=batch.seconds), WireFormat()
    for event in EventMarketFeed([batch.manifest], wanted, batch.is_open):
        if isinstance(event, Book | Trade):
            yield event.received_ns, write.of(event)


def wire_lines(batch: Batch) -> Iterator[Line]:
    """The same as JSON."""
    encode = msgspec.json.Encoder().encode
    return ((at_ns, encode(event)) for at_ns, event in wire_events(batch))


def replayed_lines(batch: Batch, rows: Iterable[Rows]) -> Iterator[Line]:
    """The wire's lines of rows that were kept: the bytes of `wire_lines`."""
    encode, write = msgspec.json.Encoder().encode, WireFormat()
    for at_ns, event in rows_told(batch, rows):
        if isinstance(event, Book | Trade):
            yield at_ns, encode(write.of(event))


async def paced(lines: Iterator[Line], clock: Clock, say: Callable[[bytes], object]) -> AsyncIterator[int]:
    """Say each line when it is due, counted from the first; yields how many were said, after each instant."""
    begun_ns, first_ns, said, reached_ns = clock.now_ns(), None, 0, -1
    for at_ns, line in lines:
        first_ns = at_ns if first_ns is None else first_ns
        if at_ns != reached_ns:
            yield said
            await clock.sleep_until(begun_ns + at_ns - first_ns)
            reached_ns = at_ns
        say(line)
        said += 1
    yield said


def pair_lines(batch: Batch) -> Iterator[Line]:
    """The market and its spot or perpetual as the API page's composite pair."""
    encode, pair = msgspec.json.Encoder().encode, pair_of(batch.manifest)
    # The last step's events are late as all others are, and their times are whole milliseconds.
    cadence_ns = batch.model.cadence_ns
    last_ns = (
        batch.manifest.start_ms * NS_PER_MS + batch.steps * cadence_ns + min(JITTER_NS_MAX, cadence_ns - NS_PER_MS)
    )
    for event in CompositePair(pair):
        at_ns = event.payload.ts * NS_PER_MS
        if at_ns > last_ns:
            return
        yield at_ns, encode(event)


FORMATS: dict[str, Callable[[Batch], Iterator[Line]]] = {"wire": wire_lines, "venue": venue_lines, "pair": pair_lines}
"""What a stream can be made of: the page's books and trades, the exchange's own frames, the page's composite pair."""


def lines_of(batch: Batch, form: str) -> Iterator[Line]:
    """The lines of a form. Raises ConfigError."""
    if form not in FORMATS:
        raise ConfigError("--stream", f"must be one of {', '.join(FORMATS)}", form)
    return FORMATS[form](batch)
