"""One stream of everything that markets say, each channel at its own pace: the seed's EventMarketFeed.

    bars      when they end                 Candle: open to close of the mids, volume, count
    trades    when their step ends          Trade, `at_ns` its own time within the step
    books     each cadence                  Book
    marks     each second, or as asked      Mark, of perpetuals
    funding   at settlements                FundingRate, of perpetuals that pay any

Events are in the order in which they arrive, as AleatoricMarket, the dialects and the files have it. At one instant the
channels come in the order above: a bar closes before what arrives at its end, and a mark knows the book of its instant.
Of one channel and instant, sources come in the order they were given. A symbol's events do not depend on the other
symbols or on the channels that are asked for, and it does not matter how many are pulled at a time.
"""

from collections.abc import Callable, Iterable, Iterator, Sequence
from heapq import merge
from itertools import islice

import numpy as np
from msgspec import Struct

from config.errors import ConfigError
from supervisor.clock import NS_PER_MS
from venues.aleatoric.artifacts.rows import Rows, rows_of
from venues.aleatoric.bars import Bars
from venues.aleatoric.batch import SECONDS_MAX, Batch
from venues.aleatoric.dialects.dialect import Candle, Mark
from venues.aleatoric.funding.figures import EXCHANGES
from venues.aleatoric.funding.payments import FundingRate
from venues.aleatoric.manifest import SimulationManifest
from venues.aleatoric.market import always_open
from venues.aleatoric.marks import Marker, Quoted
from venues.aleatoric.model import SymbolModel
from venues.aleatoric.packed import rows_kept
from venues.aleatoric.settlements import Settlements
from venues.aleatoric.symbol import Reactor
from venues.aleatoric.triangle import Pair, Triangle
from venues.aleatoric.words import Ints, Marks
from venues.market import Book, Level, Side, Trade

CHANNELS = ("bars", "trades", "books", "marks", "funding")
"""In the order in which they come at one instant."""

SECOND_NS = 1_000_000_000
MINUTE_NS = 60 * SECOND_NS
TOLD_AT_ONCE = 64  # trades, and turns of the channels, that are Python numbers at a time
_SIDES = {1: Side.BUY, -1: Side.SELL}

FeedEvent = Candle | Trade | Book | Mark | FundingRate
Told = tuple[int, int, int, FeedEvent]
"""When, which channel, which source, what."""


class Wanted(Struct, frozen=True, kw_only=True):
    """What a feed tells."""

    channels: tuple[str, ...] = CHANNELS
    bars_ns: tuple[int, ...] = (MINUTE_NS,)
    marks_ns: int = SECOND_NS
    seconds: float = SECONDS_MAX  # of trading, of each source


ALL = Wanted()


class _Lane(Struct):
    """The events of one channel and symbol in a block, made as they are asked for."""

    channel: int
    at_ns: Ints
    events: Iterator[FeedEvent]


class _Symbol:
    """Turns one symbol's rows into the channels that are wanted."""

    def __init__(self, model: SymbolModel, manifest: SimulationManifest, wanted: Wanted) -> None:
        start_ns = self._told_ns = manifest.start_ms * NS_PER_MS
        self._model, self._channels = model, frozenset(wanted.channels)
        self._price, self._size = model.price_fraction, model.size_fraction
        self._bars = [Bars(model, each_ns, start_ns) for each_ns in wanted.bars_ns] if "bars" in self._channels else []
        pays = model.perpetual and model.funding_venue in EXCHANGES
        self._marker = Marker(model, manifest.seed, wanted.marks_ns, start_ns) if pays else None
        self._settlements = Settlements(model, manifest.seed) if pays else None

    def lanes(self, rows: Rows, until_ns: int, quoted: Quoted | None = None) -> list[_Lane]:
        """What is told of a block, whose last step ends at a time."""
        found: list[_Lane] = []
        for bars in self._bars:
            closed = bars.add(rows, until_ns)
            found.append(_Lane(0, _times([candle.bar.end_ns for candle in closed]), iter(closed)))
        if "trades" in self._channels:
            found.append(_Lane(1, rows.trade_received_ns, self._trades(rows)))
        if "books" in self._channels:
            found.append(_Lane(2, rows.received_ns, self._books(rows)))
        if "marks" in self._channels and self._marker is not None:
            marks = self._marker.add(rows, quoted, until_ns)
            found.append(_Lane(3, _times([mark.at_ns for mark in marks]), iter(marks)))
        if "funding" in self._channels and self._settlements is not None:
            paid = self._settlements.settled(self._told_ns, until_ns)
            found.append(_Lane(4, _times([rate.at_ns for rate in paid]), iter(paid)))
        self._told_ns = until_ns
        return found

    def _trades(self, rows: Rows) -> Iterator[FeedEvent]:
        """The trades of a block, one after the other; of the rows, only what they need is held."""
        numbers = rows.trade_at_ns, rows.trade_received_ns, rows.trade_ticks, rows.trade_lots, rows.trade_sign
        return self._trades_of(np.stack(numbers))

    def _trades_of(self, numbers: Ints) -> Iterator[FeedEvent]:
        for first in range(0, numbers.shape[1], TOLD_AT_ONCE):
            at_ns, received_ns, ticks, lots, signs = numbers[:, first : first + TOLD_AT_ONCE]
            prices = (ticks * self._price[0] / self._price[1]).tolist()
            sizes = (lots * self._size[0] / self._size[1]).tolist()
            sides = map(_SIDES.__getitem__, signs.tolist())
            for told in zip(at_ns.tolist(), received_ns.tolist(), prices, sizes, sides, strict=True):
                yield Trade(self._model.symbol, *told)

    def _books(self, rows: Rows) -> Iterator[FeedEvent]:
        """The books of a block, a few rows unpacked at a time; of the rows, only what they need is held."""
        times = np.stack([rows.at_ns, rows.received_ns])
        return self._books_of(times, rows_kept(rows.ticks), rows_kept(rows.lots), rows.empty)

    def _books_of(
        self, times: Ints, ticks: Iterator[Ints], lots: Iterator[Ints], empty: Marks | None
    ) -> Iterator[FeedEvent]:
        start = 0
        for ticks_part, lots_part in zip(ticks, lots, strict=True):
            part = slice(start, start + ticks_part.shape[1])
            prices = (ticks_part * self._price[0] / self._price[1]).tolist()
            sizes = (lots_part * self._size[0] / self._size[1]).tolist()
            if empty is not None:
                for side, at in np.argwhere(empty[:, part]).tolist():
                    prices[side][at] = sizes[side][at] = []
            for at, (at_ns, received_ns) in enumerate(times[:, part].T.tolist()):
                bids, asks = (tuple(map(Level, prices[side][at], sizes[side][at])) for side in (0, 1))
                yield Book(self._model.symbol, at_ns, received_ns, bids, asks)
            start = part.stop


def _times(times: list[int]) -> Ints:
    return np.array(times, np.int64)


class EventMarketFeed(Iterator[FeedEvent]):
    """The events of one or several markets; a source is a manifest, or a pair of spot and perpetual.

    Equities stand still while `is_open` says so. Raises ConfigError for what can't be.
    """

    def __init__(
        self,
        sources: Sequence[SimulationManifest | Pair],
        wanted: Wanted = ALL,
        is_open: Callable[[int], bool] = always_open,
    ) -> None:
        for channel in wanted.channels:
            if channel not in CHANNELS:
                raise ConfigError("channels", f"has no such channel; there are {', '.join(CHANNELS)}", channel)
        for name, times in (("bars_ns", wanted.bars_ns), ("marks_ns", (wanted.marks_ns,))):
            for time_ns in times:
                if time_ns <= 0:
                    raise ConfigError(name, "must be above 0", time_ns)
        _distinct(sources)
        lines = [_line(index, source, wanted, is_open) for index, source in enumerate(sources)]
        self._told: Iterator[Told] = lines[0] if len(lines) == 1 else merge(*lines)

    def __next__(self) -> FeedEvent:
        return next(self._told)[3]

    def pull(self, count: int) -> list[FeedEvent]:
        """The next so many events; fewer where the sources have ended."""
        return list(islice(self, count))


def _distinct(sources: Iterable[SimulationManifest | Pair]) -> None:
    """Refuse two markets of one name."""
    seen: set[str] = set()
    for source in sources:
        for manifest in (source.spot, source.perp) if isinstance(source, Pair) else (source,):
            if manifest.symbol in seen:
                raise ConfigError("symbol", "is there twice; each market needs a name of its own", manifest.symbol)
            seen.add(manifest.symbol)


def _line(
    index: int, source: SimulationManifest | Pair, wanted: Wanted, is_open: Callable[[int], bool]
) -> Iterator[Told]:
    """All that one source tells, in order."""
    lanes = _pair_lanes(source, wanted) if isinstance(source, Pair) else _lanes(source, wanted, is_open)
    return (
        (at_ns, block[lane].channel, index, next(block[lane].events))
        for block in lanes
        for at_ns, lane in _order(block)
    )


def _order(lanes: list[_Lane]) -> Iterator[tuple[int, int]]:
    """Times, and whose turn it is then."""
    if not lanes:
        return iter(())
    at_ns = np.concatenate([lane.at_ns for lane in lanes])
    lengths = [len(lane.at_ns) for lane in lanes]
    which = np.repeat(np.arange(len(lanes)), lengths)
    channels = np.repeat([lane.channel for lane in lanes], lengths)
    order = np.lexsort((which, channels, at_ns))
    return _turns(at_ns[order], which[order])


def _turns(at_ns: Ints, which: Ints) -> Iterator[tuple[int, int]]:
    for first in range(0, len(at_ns), TOLD_AT_ONCE):
        part = slice(first, first + TOLD_AT_ONCE)
        yield from zip(at_ns[part].tolist(), which[part].tolist(), strict=True)


def _lanes(manifest: SimulationManifest, wanted: Wanted, is_open: Callable[[int], bool]) -> Iterator[list[_Lane]]:
    """The channels of a market made alone, block by block. What can't be is refused at once."""
    batch = Batch(manifest, wanted.seconds, is_open)
    cadence_ns = batch.model.cadence_ns
    reactor, symbol = Reactor(batch.model, manifest.seed), _Symbol(batch.model, manifest, wanted)

    def blocks() -> Iterator[list[_Lane]]:
        for arrivals_ns in batch.arrivals():
            # The block and its rows are named nowhere: lanes hold them packed while they are told.
            yield symbol.lanes(
                rows_of(reactor.next_block(int(arrivals_ns[0]) - cadence_ns), arrivals_ns, cadence_ns),
                int(arrivals_ns[-1]),
            )

    return blocks()


def rows_told(batch: Batch, rows: Iterable[Rows]) -> Iterator[tuple[int, FeedEvent]]:
    """The trades and books of rows that were made before, each with the time at which it arrives."""
    symbol = _Symbol(batch.model, batch.manifest, Wanted(channels=("trades", "books")))
    for block in rows:
        lanes = symbol.lanes(block, int(block.received_ns[-1]) if len(block.received_ns) else 0)
        for at_ns, lane in _order(lanes):
            yield at_ns, next(lanes[lane].events)


def _pair_lanes(pair: Pair, wanted: Wanted) -> Iterator[list[_Lane]]:
    """The channels of spot and perpetual, block by block. What can't be is refused at once."""
    batch, triangle = Batch(pair.spot, wanted.seconds), Triangle(pair)
    cadence_ns = triangle.spot.cadence_ns
    spot, perp = _Symbol(triangle.spot, pair.spot, wanted), _Symbol(triangle.perp, pair.perp, wanted)

    def blocks() -> Iterator[list[_Lane]]:
        for arrivals_ns in batch.arrivals():
            block, until_ns = triangle.next_block(), int(arrivals_ns[-1])
            quoted = Quoted(block.arrivals_ns, block.index, block.mark)
            told = [
                *spot.lanes(rows_of(block.spot, arrivals_ns, cadence_ns), until_ns),
                *perp.lanes(rows_of(block.perp, arrivals_ns, cadence_ns), until_ns, quoted),
            ]
            del block, quoted  # lanes hold what they need
            yield told

    return blocks()
