"""The consolidated market: every symbol's trades and books, in time order, as the venue's own words.

Blocks become `venues.market` events a few rows at a time, so memory stays flat, and each symbol makes its next block
early, at a row of its own, so that no single step pays for all symbols at once.
"""

from collections.abc import Callable, Iterator, Sequence
from heapq import heappop, heappush

import numpy as np

from venues.aleatoric.funding.payments import FundingRate, funding
from venues.aleatoric.history import history
from venues.aleatoric.model import BLOCK_STEPS, SymbolModel
from venues.aleatoric.symbol import Block, Reactor
from venues.aleatoric.words import Ints, Marks, stream_of
from venues.market import Bar, Book, Level, MarketEvent, Side, Trade

ROWS_AT_ONCE = 32  # rows turned into Python numbers together: 0.2 ms of work, half a megabyte
CLOSED_PROBE_NS = 60 * 1_000_000_000  # sessions open on the minute, so a closed one need not be asked each step
CLOSED_NS_MAX = 14 * 86_400 * 1_000_000_000  # a session that does not open for this long will never
_NEVER = -1
_SIDES = {1: Side.BUY, -1: Side.SELL}


def always_open(at_ns: int) -> bool:
    """The session of a market that never closes."""
    return True


class _Feed:
    """One symbol on its way from blocks to events."""

    __slots__ = (
        *("_ahead", "_ahead_row", "_block", "_books", "_cadence_ns", "_phase", "_price", "_reactor", "_row"),
        *("_dense", "_pending", "_silent", "_size", "_symbol", "_trade_row", "_trades", "_turn_row"),
    )

    def __init__(self, model: SymbolModel, seed: int, start_ns: int) -> None:
        self._symbol, self._cadence_ns = model.symbol, model.cadence_ns
        self._price, self._size = model.price_fraction, model.size_fraction
        self._dense = model.book.level_gap_ticks == 1.0
        self._reactor = Reactor(model, seed)
        share = stream_of(model.symbol)
        self._phase, self._ahead_row = share % ROWS_AT_ONCE, BLOCK_STEPS // 2 + share % (BLOCK_STEPS // 2)
        self._ahead: Block | None = self._reactor.next_block(start_ns)
        self._block = self._ahead
        self._silent: Marks | None = None
        self._row = self._turn_row = BLOCK_STEPS
        self._trade_row = _NEVER
        self._books: Iterator[tuple[list[float], list[float], list[float], list[float], int]] = iter(())
        self._trades: Iterator[tuple[int, int, float, float, Side]] = iter(())
        self._pending: tuple[int, int, float, float, Side] | None = None

    def step(self, now_ns: int, trades: list[MarketEvent], books: list[MarketEvent]) -> None:
        """Add what happened since the step before, and the book now."""
        if self._row == self._turn_row:
            self._turn(now_ns)
        if self._row == self._trade_row:
            self._add_trades(now_ns, trades)
        bid, bid_size, ask, ask_size, age_ns = next(self._books)
        if self._silent is not None and self._silent[self._row]:
            self._row += 1
            return
        bids, asks = tuple(map(Level, bid, bid_size)), tuple(map(Level, ask, ask_size))
        books.append(Book(self._symbol, now_ns - age_ns, now_ns, bids, asks))
        self._row += 1

    def _turn(self, now_ns: int) -> None:
        """Get what the next rows need: a new block, the block ahead, Python numbers."""
        if self._row == BLOCK_STEPS:
            self._block, self._ahead = self._ahead or self._reactor.next_block(now_ns - self._cadence_ns), None
            self._row, self._silent = 0, self._block.silent
            self._start_trades()
        row = self._row
        if row == self._ahead_row:
            self._ahead = self._reactor.next_block(now_ns + (BLOCK_STEPS - 1 - row) * self._cadence_ns)
        if not row or (row + self._phase) % ROWS_AT_ONCE == 0:
            self._books = self._unpack(row, min(self._next_unpack(row), BLOCK_STEPS))
        turns = (self._next_unpack(row), self._ahead_row, BLOCK_STEPS)
        self._turn_row = min(turn for turn in turns if turn > row)

    def _next_unpack(self, row: int) -> int:
        """The next row that needs Python numbers, at a phase of its own so that symbols do not all pay at once."""
        return row + ROWS_AT_ONCE - (row + self._phase) % ROWS_AT_ONCE

    def _unpack(self, row: int, end: int) -> Iterator[tuple[list[float], list[float], list[float], list[float], int]]:
        """The books of some rows as Python numbers; dividing whole numbers gives the float that a venue prints."""
        block = self._block
        bid, ask = self._ladder(block.ticks[:, row:end])
        bid_size, ask_size = (block.lots[:, row:end] * self._size[0] / self._size[1]).tolist()
        if block.empty is not None:
            bid, ask = without(bid, block.empty[0, row:end]), without(ask, block.empty[1, row:end])
        return zip(bid, bid_size, ask, ask_size, block.age_ns[row:end].tolist(), strict=True)

    def _ladder(self, ticks: Ints) -> list[list[list[float]]]:
        """Prices of (side, row, level). Where levels have no gaps between them, rows share one list of floats."""
        if not self._dense:
            sides: list[list[list[float]]] = (ticks * self._price[0] / self._price[1]).tolist()
            return sides
        levels, best_bids, best_asks = ticks.shape[2], ticks[0, :, 0], ticks[1, :, 0]
        # Of both sides: a damaged book is crossed.
        low, high = int(ticks[:, :, 0].min()) - levels + 1, int(ticks[:, :, 0].max()) + levels - 1
        up = (np.arange(low, high + 1) * self._price[0] / self._price[1]).tolist()
        down = up[::-1]
        bids = [down[at : at + levels] for at in (high - best_bids).tolist()]
        asks = [up[at : at + levels] for at in (best_asks - low).tolist()]
        return [bids, asks]

    def _start_trades(self) -> None:
        """Unpack the trades of a block."""
        block = self._block
        since = (block.trade_ns - block.trade_step * self._cadence_ns).tolist()
        prices = (block.trade_ticks * self._price[0] / self._price[1]).tolist()
        sizes = (block.trade_lots * self._size[0] / self._size[1]).tolist()
        sides = map(_SIDES.__getitem__, block.trade_sign.tolist())
        steps = block.trade_step.tolist()
        self._trades = iter(zip(steps, since, prices, sizes, sides, strict=True))
        self._pending = next(self._trades, None)
        self._trade_row = self._pending[0] if self._pending else _NEVER

    def _add_trades(self, now_ns: int, trades: list[MarketEvent]) -> None:
        """Add the trades of this row."""
        start_ns, row, trade = now_ns - self._cadence_ns, self._row, self._pending
        while trade and trade[0] == row:
            trades.append(Trade(self._symbol, start_ns + trade[1], now_ns, trade[2], trade[3], trade[4]))
            trade = next(self._trades, None)
        self._pending = trade
        self._trade_row = trade[0] if trade else _NEVER


def without(side: list[list[float]], gone: Marks) -> list[list[float]]:
    """The levels of a side at some rows, none where the side is gone."""
    return [[] if missing else levels for levels, missing in zip(side, gone.tolist(), strict=True)]


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
            groups.setdefault((model.cadence_ns, model.session == "always"), []).append(_Feed(model, seed, start_ns))
        self._due: list[tuple[int, int]] = []
        self._groups = [(cadence_ns, always, feeds) for (cadence_ns, always), feeds in groups.items()]
        for index, (cadence_ns, _, _) in enumerate(self._groups):
            heappush(self._due, (start_ns + cadence_ns, index))
        self._spoke_ns = start_ns

    def next_batch(self) -> tuple[int, list[MarketEvent]] | None:
        """The next instant at which anything happens, and all of it: trades first, then books. None: never again.

        While a scenario silences all that trade, the instants of their books come empty.
        """
        while self._due:
            now_ns = self._due[0][0]
            trades: list[MarketEvent] = []
            books: list[MarketEvent] = []
            stepped = False
            while self._due[0][0] == now_ns:
                _, index = heappop(self._due)
                cadence_ns, always, feeds = self._groups[index]
                wait_ns = cadence_ns
                if always or self._is_open(now_ns):
                    for feed in feeds:
                        feed.step(now_ns, trades, books)
                    stepped = True
                elif not self._is_open(now_ns + CLOSED_PROBE_NS):
                    wait_ns = max(1, CLOSED_PROBE_NS // cadence_ns) * cadence_ns
                heappush(self._due, (now_ns + wait_ns, index))
            if stepped:
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
        """What perpetuals pay at the last full hour at or before a time: those that settle at that hour."""
        return funding(self.models.values(), self.seed, at_ns)
