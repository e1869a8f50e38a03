"""The consolidated market: every symbol's trades and books, in time order, as the venue's own words.

Blocks become `venues.market` events a few rows at a time, so memory stays flat, and each symbol makes its next block
early, at a row of its own, so that no single step pays for all symbols at once.
"""

from collections.abc import Callable, Sequence
from heapq import heappop, heappush

from venues.aleatoric.funding import FundingRate, funding
from venues.aleatoric.history import history
from venues.aleatoric.model import BLOCK_STEPS, SymbolModel
from venues.aleatoric.symbol import Block, Reactor
from venues.aleatoric.words import stream_of
from venues.market import Bar, Book, Level, MarketEvent, Side, Trade

CADENCE_NS = 550_000_000  # Hyperliquid shows a whole book each 0.55 s
ROWS_AT_ONCE = 32  # rows turned into Python numbers together: 0.2 ms of work, half a megabyte
CLOSED_NS_MAX = 14 * 86_400 * 1_000_000_000  # a session that does not open for this long will never
_SIDES = {1: Side.BUY, -1: Side.SELL}


def always_open(at_ns: int) -> bool:
    """The session of a market that never closes."""
    return True


class _Feed:
    """One symbol on its way from blocks to events."""

    __slots__ = (
        *("_ahead", "_ahead_row", "_base", "_block", "_cadence_ns", "_model", "_price", "_reactor", "_row", "_rows"),
        *("_size", "_symbol", "_trades"),
    )

    def __init__(self, model: SymbolModel, seed: int) -> None:
        self._model, self._symbol, self._cadence_ns = model, model.symbol, model.cadence_ns
        self._reactor = Reactor(model, seed)
        self._price, self._size = model.price_fraction, model.size_fraction
        self._ahead: Block | None = None
        self._ahead_row = BLOCK_STEPS // 2 + stream_of(model.symbol) % (BLOCK_STEPS // 2)
        self._block: Block | None = None
        self._row = BLOCK_STEPS
        self._base = 0
        self._rows: list[tuple[list[float], list[float], list[float], list[float], int]] = []
        self._trades: dict[int, list[tuple[int, float, float, Side]]] = {}

    def step(self, now_ns: int, trades: list[MarketEvent], books: list[MarketEvent]) -> None:
        """Add what happened since the step before, and the book now."""
        row = self._row
        if row == BLOCK_STEPS:
            self._block, self._ahead = self._ahead or self._reactor.next_block(now_ns - self._cadence_ns), None
            row = self._base = 0
        if row == self._ahead_row:
            ahead_ns = now_ns + (BLOCK_STEPS - 1 - row) * self._cadence_ns
            self._ahead = self._reactor.next_block(ahead_ns)
        place = row % ROWS_AT_ONCE
        if not place:
            self._unpack(row)
        happened = self._trades.get(row)
        symbol = self._symbol
        if happened:
            start_ns = now_ns - self._cadence_ns
            for since_ns, price, size, side in happened:
                trades.append(Trade(symbol, start_ns + since_ns, now_ns, price, size, side))
        bid, bid_size, ask, ask_size, age_ns = self._rows[place]
        bids, asks = tuple(map(Level, bid, bid_size)), tuple(map(Level, ask, ask_size))
        books.append(Book(symbol, now_ns - age_ns, now_ns, bids, asks))
        self._row = row + 1

    def _unpack(self, row: int) -> None:
        """Turn the next rows into Python numbers; dividing whole numbers gives the float that the venue prints."""
        block = self._block
        assert block is not None
        rows = slice(row, row + ROWS_AT_ONCE)
        prices = (block.ticks[:, rows] * self._price[0] / self._price[1]).tolist()
        sizes = (block.lots[:, rows] * self._size[0] / self._size[1]).tolist()
        ages = block.stamp_ns[rows].tolist()
        self._rows = list(zip(prices[0], sizes[0], prices[1], sizes[1], ages, strict=True))
        first, last = block.trade_step.searchsorted((row, row + ROWS_AT_ONCE)).tolist()
        within = slice(first, last)
        steps = block.trade_step[within]
        since = (block.trade_ns[within] - steps * self._cadence_ns).tolist()
        price = (block.trade_ticks[within] * self._price[0] / self._price[1]).tolist()
        size = (block.trade_lots[within] * self._size[0] / self._size[1]).tolist()
        self._trades = {}
        signs = block.trade_sign[within].tolist()
        for at, since_ns, paid, lots, sign in zip(steps.tolist(), since, price, size, signs, strict=True):
            self._trades.setdefault(at, []).append((since_ns, paid, lots, _SIDES[sign]))


class AleatoricMarket:
    """Many symbols, one after the other in time; the seed's consolidated market (MarketOrchestrationCore).

    `is_open` is asked for the symbols whose session is not "always"; while it says no they stand still, and go on
    where they stood when it says yes. No symbol's events depend on which other symbols there are.
    """

    def __init__(
        self,
        models: Sequence[SymbolModel],
        seed: int,
        start_ns: int,
        is_open: Callable[[int], bool] = always_open,
    ) -> None:
        self.models = {model.symbol: model for model in models}
        if len(self.models) != len(models):
            raise ValueError("two models have the same symbol; every symbol needs a name of its own")
        self.seed, self.start_ns, self._is_open = seed, start_ns, is_open
        groups: dict[tuple[int, bool], list[_Feed]] = {}
        for model in models:
            groups.setdefault((model.cadence_ns, model.session == "always"), []).append(_Feed(model, seed))
        self._due: list[tuple[int, int]] = []
        self._groups = [(cadence_ns, always, feeds) for (cadence_ns, always), feeds in groups.items()]
        for index, (cadence_ns, _, _) in enumerate(self._groups):
            heappush(self._due, (start_ns + cadence_ns, index))
        self._spoke_ns = start_ns

    def next_batch(self) -> tuple[int, list[MarketEvent]] | None:
        """The next instant at which anything happens, and all of it: trades first, then books. None: never again."""
        while self._due:
            now_ns = self._due[0][0]
            trades: list[MarketEvent] = []
            books: list[MarketEvent] = []
            while self._due[0][0] == now_ns:
                _, index = heappop(self._due)
                cadence_ns, always, feeds = self._groups[index]
                heappush(self._due, (now_ns + cadence_ns, index))
                if always or self._is_open(now_ns):
                    for feed in feeds:
                        feed.step(now_ns, trades, books)
            if books:
                self._spoke_ns = now_ns
                trades += books
                return now_ns, trades
            if now_ns - self._spoke_ns > CLOSED_NS_MAX:
                break
        return None

    def history(self, symbol: str, interval_ns: int, bars: int) -> tuple[Bar, ...]:
        """The last closed bars before the start, oldest first, ending at the initial price."""
        return history(self.models[symbol], self.seed, self.start_ns, interval_ns, bars, self._is_open)

    def funding(self, at_ns: int) -> tuple[FundingRate, ...]:
        """What every perpetual pays at the last full hour at or before a time."""
        return funding(self.models.values(), self.seed, at_ns)
