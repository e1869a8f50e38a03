"""Replay: captures and recordings as one market, merged in time order.

Captures are played at their own time, recordings at the time at which they were heard. At one instant all trades come
before all books, because a book shows what its trades have left; otherwise the order is that of the files.
"""

from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from decimal import Decimal
from heapq import merge
from operator import itemgetter
from pathlib import Path

import numpy as np

from venues.capture_checks import decimals_of
from venues.captures import Capture, Timed, captures
from venues.damage import BadRecording, Damage, Report
from venues.market import Bar, Book, Instrument, MarketEvent
from venues.recording import SUFFIX, parts, read_part
from venues.simulated import Batch, FundingRate

ASSET_CLASSES = {"perps": "native", "crypto": "spot", "equities": "equity"}
"""What an instrument is taken for that nobody declared."""

FIGURES_MAX = {"perps": 5}
"""Hyperliquid's rule for prices holds for undeclared coins as well."""


class Recording:
    """obid's own recording: a folder of parts, or one of them."""

    def __init__(self, place: Path):
        self.files = parts(place) if place.is_dir() else [place]

    def play(self, report: Report) -> Timed:
        """Every event, at the time at which it was heard; time never goes back, because hearing didn't."""
        now_ns = 0
        for event in self._read(report):
            if not isinstance(event, Instrument):
                now_ns = max(now_ns, event.received_ns)
                yield now_ns, event

    def _read(self, report: Report) -> Iterator[MarketEvent | Instrument]:
        for part in self.files:
            yield from read_part(part, report)

    def instruments(self) -> dict[str, Instrument]:
        """What was traded, as written at the head of the parts."""
        found = {}
        for part in self.files:
            for event in read_part(part, _ignore):
                if not isinstance(event, Instrument):
                    break
                found[event.symbol] = event
        return found

    def decimals(self) -> dict[str, tuple[int, int]]:
        """Decimals of the finest price and size of each symbol."""
        found: dict[str, tuple[int, int]] = {}
        for event in self._read(_ignore):
            if isinstance(event, Book):
                levels = (*event.bids, *event.asks)
                price, size = found.get(event.symbol, (0, 0))
                found[event.symbol] = (
                    max(price, decimals_of(np.array([level.price for level in levels]))),
                    max(size, decimals_of(np.array([level.size for level in levels]))),
                )
        return found


def _ignore(damage: Damage) -> None:
    """For a first look: what can't be read is reported when it is played."""


class ReplaySource:
    """A MarketSource over streams of timed events."""

    def __init__(self, instruments: Sequence[Instrument], streams: Iterable[Timed]):
        self.instruments = tuple(instruments)
        self._events = merge(*streams, key=itemgetter(0))
        self._next = next(self._events, None)
        if self._next is None:
            raise BadRecording("there is not one book or trade to replay")
        self.start_ns = self._next[0]

    def next_batch(self) -> Batch | None:
        """All events of the next instant."""
        if self._next is None:
            return None
        at_ns, event = self._next
        batch = [event]
        for upcoming in self._events:
            if upcoming[0] != at_ns:
                self._next = upcoming
                return at_ns, batch
            batch.append(upcoming[1])
        self._next = None
        return at_ns, batch

    def history(self, symbol: str, interval_ns: int, bars: int) -> Sequence[Bar]:
        """Nothing: what was before the first row was not recorded."""
        return ()

    def funding(self, at_ns: int) -> Sequence[FundingRate]:
        """Nothing: captures and recordings hold no rates."""
        return ()


def open_replay(
    places: Sequence[Path],
    engine: str,
    known: Mapping[str, Instrument],
    report: Report,
    symbols: Collection[str] = (),
) -> ReplaySource:
    """A source over captures, recordings and folders of either; `symbols` limits it, empty means all.

    Instruments that are not known come from the recording itself, else from the finest steps in the data.
    """
    pairs, recordings = _sort_out(places)

    def wanted(symbol: str) -> bool:
        return not symbols or symbol in symbols

    pairs = [pair for pair in pairs if wanted(pair.symbol)]
    recorded = {symbol: found for recording in recordings for symbol, found in recording.instruments().items()}
    listed = {**recorded, **known}
    steps = _steps(pairs, recordings, listed)
    names = filter(wanted, sorted({*(pair.symbol for pair in pairs), *recorded, *steps}))
    instruments = [listed.get(name) or inferred(name, engine, *steps[name]) for name in names]
    streams = [pair.play_trades(report) for pair in pairs]
    streams += [pair.play_books(report) for pair in pairs]
    streams += [_only(recording.play(report), wanted) for recording in recordings]
    return ReplaySource(instruments, streams)


def names_in(places: Sequence[Path]) -> list[str]:
    """The symbols of captures, recordings and folders. Raises BadRecording for a place that is nothing."""
    pairs, recordings = _sort_out(places)
    steps = _steps([], recordings, {})
    return sorted({*(pair.symbol for pair in pairs), *(s for one in recordings for s in one.instruments()), *steps})


def _sort_out(places: Sequence[Path]) -> tuple[list[Capture], list[Recording]]:
    """What each place is. Raises BadRecording for one that is nothing."""
    pairs: list[Capture] = []
    recordings: list[Recording] = []
    for place in places:
        if place.is_dir():
            found = captures(place)
            pairs += found
            if parts(place):
                recordings.append(Recording(place))
            elif not found:
                raise BadRecording(f"{place}: this folder holds neither *.book.parquet nor parts of a recording")
        elif place.suffix == SUFFIX and place.is_file():
            recordings.append(Recording(place))
        else:
            pairs.append(Capture.of(place))
    return pairs, recordings


def _steps(
    pairs: Sequence[Capture], recordings: Sequence[Recording], listed: Collection[str]
) -> dict[str, tuple[int, int]]:
    """Decimals of price and size of every symbol that has to be looked for in the data."""
    steps: dict[str, tuple[int, int]] = {}
    looked = [(pair.symbol, pair.decimals()) for pair in pairs if pair.symbol not in listed]
    looked += [found for r in recordings if not r.instruments() for found in r.decimals().items()]
    for symbol, (price, size) in looked:
        before = steps.get(symbol, (0, 0))
        steps[symbol] = (max(price, before[0]), max(size, before[1]))
    return steps


def inferred(symbol: str, engine: str, price_decimals: int, size_decimals: int) -> Instrument:
    """An instrument that nobody declared, with the finest steps its data shows and no leverage."""
    return Instrument(
        symbol=symbol,
        engine=engine,
        tick=Decimal(1).scaleb(-price_decimals),
        lot=Decimal(1).scaleb(-size_decimals),
        price_figures_max=FIGURES_MAX.get(engine),
        shortable=engine != "crypto",
        asset_class=ASSET_CLASSES.get(engine, "native"),
    )


def _only(stream: Timed, wanted: Callable[[str], bool]) -> Timed:
    return ((at_ns, event) for at_ns, event in stream if wanted(event.symbol))
