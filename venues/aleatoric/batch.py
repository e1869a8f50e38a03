"""The batch runner: a manifest and a length become rows, from the start or from any block; the seed's runner.

A window of blocks needs only the state at its beginning, so windows can be made by any process: `checkpoints` runs the
market ahead without its queues, which costs a third, and a window makes one block more than it keeps, from whose books
the first trades of the window take.
"""

from collections import deque
from collections.abc import Callable, Iterator
from typing import Any

import msgspec
import numpy as np
from msgspec import Struct

from config.errors import ConfigError
from supervisor.clock import NS_PER_MS, NS_PER_S
from venues.aleatoric.artifacts.rows import Rows, rows_of
from venues.aleatoric.manifest import SimulationManifest
from venues.aleatoric.manifest_model import model_of
from venues.aleatoric.market import CLOSED_NS_MAX, always_open
from venues.aleatoric.model import BLOCK_STEPS, State
from venues.aleatoric.symbol import Block, Reactor
from venues.aleatoric.words import Ints

SECONDS_MAX = 366 * 86_400.0
MINUTE_NS = 60 * NS_PER_S

IsOpen = Callable[[int], bool]
"""Whether a market with a session trades at a time; asked once a minute."""


class Window(Struct, frozen=True):
    """Blocks that can be made alone."""

    first: int
    before: bytes  # the state one block ahead of the first, or at the first if that is block 0, as JSON
    arrivals_ns: list[Any]  # of each block made: the one ahead, then those of the window


class Batch:
    """One market of one length. `seconds` are seconds in which it trades: closed hours take none.

    `calendar` is a name for what `is_open` says, which tells runs of a market with a session apart.
    """

    def __init__(
        self, manifest: SimulationManifest, seconds: float, is_open: IsOpen = always_open, calendar: str = ""
    ) -> None:
        self.manifest, self.seconds, self.is_open = manifest, seconds, is_open
        self.model = model_of(manifest)
        self.calendar = "" if self.model.session == "always" else calendar
        if not 0 < seconds <= SECONDS_MAX:
            raise ConfigError("seconds", f"must be above 0 and at most {SECONDS_MAX:.0f}, a year", seconds)
        self.steps = round(seconds * NS_PER_S) // self.model.cadence_ns
        if not self.steps:
            right = f"must be at least {self.model.cadence_ns / NS_PER_S:g}, the time from book to book"
            raise ConfigError("seconds", right, seconds)

    @property
    def blocks(self) -> int:
        """How many blocks that takes; the last may be cut short."""
        return -(-self.steps // BLOCK_STEPS)

    def rows(self) -> Iterator[Rows]:
        """All of it, a block at a time."""
        reactor = Reactor(self.model, self.manifest.seed)
        for arrivals_ns in self.arrivals():
            yield self._next(reactor, arrivals_ns)

    def blocks_between_breaks(self) -> Iterator[Block]:
        """All of it as blocks, cut where a session interrupts the steps and where the run ends."""
        reactor, cadence_ns = Reactor(self.model, self.manifest.seed), self.model.cadence_ns
        for arrivals_ns in self.arrivals():
            block = reactor.next_block(self._start_ns(arrivals_ns))
            breaks = np.flatnonzero(np.diff(arrivals_ns) != cadence_ns) + 1
            ends = [*breaks.tolist(), len(arrivals_ns)]
            parts = deque(
                cut(block, first, end, int(arrivals_ns[first]) - cadence_ns, cadence_ns)
                for first, end in zip([0, *ends], ends, strict=False)
            )
            del block  # who takes a part decides how long it stays
            while parts:
                yield parts.popleft()

    def window(self, window: Window) -> Iterator[Rows]:
        """The rows of a window, the same as `rows` has there."""
        reactor = Reactor(self.model, self.manifest.seed, msgspec.json.decode(window.before, type=State))
        for arrivals_ns in window.arrivals_ns:
            rows = self._next(reactor, arrivals_ns)
            if rows.block >= window.first:
                yield rows

    def checkpoints(self, blocks: int) -> Iterator[Window]:
        """Windows of so many blocks each, in order; the last may be shorter."""
        scout = Reactor(self.model, self.manifest.seed)
        before, times = msgspec.json.encode(scout.state), list[Ints]()
        for index, arrivals_ns in enumerate(self.arrivals()):
            times.append(arrivals_ns)
            if (index + 1) % blocks == 0 or index + 1 == self.blocks:
                yield Window(index // blocks * blocks, before, times)
                before, times = msgspec.json.encode(scout.state), [arrivals_ns]
            scout.skip_block(self._start_ns(arrivals_ns))

    def arrivals(self) -> Iterator[Ints]:
        """When the books of each block arrive; the last block has only those that are wanted."""
        left = self.steps
        for times in self._blocks_of_times():
            yield times[:left]
            left -= len(times)
            if left <= 0:
                return

    def _start_ns(self, arrivals_ns: Ints) -> int:
        return int(arrivals_ns[0]) - self.model.cadence_ns

    def _next(self, reactor: Reactor, arrivals_ns: Ints) -> Rows:
        return rows_of(reactor.next_block(self._start_ns(arrivals_ns)), arrivals_ns, self.model.cadence_ns)

    def _blocks_of_times(self) -> Iterator[Ints]:
        """Times of every book while the market trades, a block at a time, for ever."""
        start_ns, cadence_ns = self.manifest.start_ms * NS_PER_MS, self.model.cadence_ns
        steps = np.arange(1, BLOCK_STEPS + 1, dtype=np.int64)
        if self.model.session == "always":
            while True:
                yield start_ns + steps * cadence_ns
                start_ns += BLOCK_STEPS * cadence_ns
        pending: list[Ints] = []
        for minute in self._open_minutes(start_ns, cadence_ns):
            pending.append(minute)
            while sum(map(len, pending)) >= BLOCK_STEPS:
                together = np.concatenate(pending)
                yield together[:BLOCK_STEPS]
                pending = [together[BLOCK_STEPS:]]

    def _open_minutes(self, start_ns: int, cadence_ns: int) -> Iterator[Ints]:
        """Times of the books in each minute that is open; sessions open and close on the minute."""
        minute_ns, spoke_ns = start_ns - start_ns % MINUTE_NS, start_ns
        while minute_ns - spoke_ns <= CLOSED_NS_MAX:
            if self.is_open(minute_ns):
                first = max(-(-(minute_ns - start_ns) // cadence_ns), 1)
                last = -(-(minute_ns + MINUTE_NS - start_ns) // cadence_ns)
                if last > first:
                    yield start_ns + np.arange(first, last, dtype=np.int64) * cadence_ns
                spoke_ns = minute_ns
            minute_ns += MINUTE_NS
        right = f"its session does not open for {CLOSED_NS_MAX // (86_400 * NS_PER_S)} days after that"
        raise ConfigError("start_ms", right, spoke_ns // NS_PER_MS)


def cut(block: Block, first: int, end: int, start_ns: int, cadence_ns: int) -> Block:
    """Some steps of a block as one of their own, which begins at a time of its own."""
    inside = slice(*np.searchsorted(block.trade_step, [first, end]).tolist())
    return Block(
        index=block.index,
        start_ns=start_ns,
        ticks=block.ticks[:, first:end],
        lots=block.lots[:, first:end],
        age_ns=block.age_ns[first:end],
        trade_step=block.trade_step[inside] - first,
        trade_ns=block.trade_ns[inside] - first * cadence_ns,
        trade_ticks=block.trade_ticks[inside],
        trade_lots=block.trade_lots[inside],
        trade_sign=block.trade_sign[inside],
        silent=None if block.silent is None else block.silent[first:end],
        empty=None if block.empty is None else block.empty[:, first:end],
    )
