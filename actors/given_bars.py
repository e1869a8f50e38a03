"""Given bars: closed bars of another source, for symbols whose own books should not make them.

obi-execution-engine takes Alpaca's bars of spot coins for the perpetuals of the same coins. A window must hold one kind
of price: spot and perpetual are parted by a basis that would look like an excursion. So where a source is configured
the history comes from it too, and no bar of ours ever stands in: a minute that it skips carries its last close.
"""

from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import suppress
from typing import ClassVar, Protocol

from actors.bars import GRACE_NS, Bars, OpenBar
from actors.feed import History
from actors.messages import BarGiven, BarHistory, Imbalance, Mark
from supervisor.actor import Post
from supervisor.clock import NS_PER_S
from supervisor.mailbox import Hears
from supervisor.messages import ChildStarted, Tick
from venues.market import Bar
from venues.venue import VenueMisspoke, VenueUnreachable

GIVEN_GRACE_NS = 20 * NS_PER_S
"""How long after its end a given bar is waited for; then its minute is silent, so that time stops go on."""

RETRY_S = 30.0
"""Between two tries to reach a source, more than the supervisor's window: the engine lives on silent bars meanwhile,
and a source that is down for a day must not end it."""


class BarSource(Protocol):
    """Where bars come from. Symbols are ours; it knows its own names for them."""

    name: str

    async def history(self, symbol: str, interval_ns: int, bars: int) -> Sequence[Bar]:
        """The last closed bars before now, oldest first. Raises VenueUnreachable, VenueMisspoke."""
        ...

    def bars(self) -> AsyncIterator[Sequence[Bar]]:
        """Bars as they close; may be iterated again after it raised VenueUnreachable or VenueMisspoke."""
        ...


class GivenBars(Bars):
    """The mind of an engine of which some symbols have bars of other sources."""

    hears: ClassVar[tuple[Hears, ...]] = (Hears(BarHistory), Hears(BarGiven), *Bars.hears[1:])

    def __init__(self, engine: str, interval_s: int, keep: int, given: frozenset[str]):
        super().__init__(engine, interval_s, keep)
        self.given = given
        self.odd = 0  # bars of another length, off the grid or of nobody's symbol

    def hear(
        self, message: BarGiven | Imbalance | Tick | BarHistory | ChildStarted
    ) -> tuple[Bar | BarHistory | Mark, ...]:
        return self._give(message.bar) if isinstance(message, BarGiven) else super().hear(message)

    def grace_ns(self, symbol: str) -> int:
        """Longer where the bar has to travel."""
        return GIVEN_GRACE_NS if symbol in self.given else GRACE_NS

    def _turn(self, imbalance: Imbalance, bar: OpenBar | None, mid: float) -> tuple[Bar, ...]:
        """Books of a given symbol make marks and nothing else; its open bar never counts one, so each comes by here."""
        return () if imbalance.symbol in self.given else super()._turn(imbalance, bar, mid)

    def _give(self, bar: Bar) -> tuple[Bar, ...]:
        """Take a bar, once and in order; minutes between it and the last are silent."""
        symbol = bar.symbol
        if symbol not in self.given or bar.interval_ns != self.interval_ns or bar.start_ns % self.interval_ns:
            self.odd += 1
            return ()
        opened = self.open.get(symbol)
        if opened is not None and bar.start_ns < opened.start_ns:
            self.late += 1
            return ()
        silent = self._close_until(symbol, opened, bar.start_ns) if opened and bar.start_ns > opened.start_ns else []
        self._memory(symbol).append(bar)
        self._start(symbol, bar.end_ns, bar.close)
        return (*silent, bar)


class BarFeed:
    """The body: fills the windows of its symbols from a source's history, then carries its bars."""

    hears: ClassVar[tuple[Hears, ...]] = ()
    says: ClassVar[tuple[type, ...]] = (BarHistory, BarGiven)

    def __init__(self, source: BarSource, names: Mapping[str, str], history: History):
        self.source = source
        self.symbols = tuple(names)
        self.history = history

    async def run(self, post: Post) -> None:
        """Carry. What the source fails with is told by crashing of it, a while later."""
        post.ready()
        try:
            await self._carry(post)
        except (VenueUnreachable, VenueMisspoke):
            await post.clock.sleep(RETRY_S)
            raise

    async def _carry(self, post: Post) -> None:
        if refused := await self._learn(post, self.symbols):
            post.spawn(self._learn_the_rest(post, refused))  # the others, and what closes from now on, do not wait
        async for batch in self.source.bars():
            for bar in batch:
                post.say(BarGiven(bar))

    async def _learn(self, post: Post, symbols: Sequence[str]) -> list[str]:
        """Ask for histories; those that the source cannot give are asked for again. Raises VenueUnreachable."""
        refused = []
        for symbol in symbols:
            try:
                bars = await self.source.history(symbol, self.history.interval_ns, self.history.bars)
            except VenueMisspoke:
                refused.append(symbol)
            else:
                post.say(BarHistory(post.engine, symbol, tuple(bars)))
        return refused

    async def _learn_the_rest(self, post: Post, symbols: Sequence[str]) -> None:
        while symbols:
            await post.clock.sleep(RETRY_S)
            with suppress(VenueUnreachable):
                symbols = await self._learn(post, symbols)
