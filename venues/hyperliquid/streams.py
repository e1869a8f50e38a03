"""Streams: every line an adapter listens on, as one iterator of what came, in the order it came on each.

An actor pulls `batches()`; what has to go on meanwhile (connecting, subscribing, probing a name that may kill a socket)
runs beside the pull and crashes it when it crashes. Market data and account have a Streams each, because each is pulled
by an actor of its own; the limits of the IP are shared.
"""

import asyncio
from collections.abc import AsyncIterator, Collection, Sequence
from typing import Any

from supervisor.beside import Beside
from supervisor.clock import Clock
from venues.hyperliquid.line import Line, LineSpec
from venues.hyperliquid.reconnect import Backoff, Limits
from venues.hyperliquid.socket import socket_url
from venues.hyperliquid.subscriptions import Cover, State, Subscription

BATCH_MAX = 16
"""Frames decoded at a time: as many as the feed carries before it lets others run, so that no book of a burst is passed
over in a mailbox that nobody had time to read."""

LINE_DOWN_S = 1.0
"""Between looks whether a line with names in doubt stands again."""

RECONSIDER_S = 240.0
"""Between looks at names that were given up: a wrong verdict costs some minutes, a right one two sockets in them."""


class Streams:
    """Lines over sockets. `known` are the names in the venue's live meta; no other is ever asked for."""

    def __init__(
        self,
        base_url: str,
        lines: Sequence[LineSpec],
        clock: Clock,
        *,
        known: Collection[str],
        limits: Limits | None = None,
        seed: int | str = 0,
    ):
        self.clock = clock
        shared, url = limits or Limits(), socket_url(base_url)
        self.lines = [Line(spec, url, clock, shared, Backoff(seed, spec.name), known) for spec in lines]
        self._beside = Beside(clock)
        self._doubtful = asyncio.Event()
        self._probes = Backoff(seed, "probe")
        for line in self.lines:
            line.wake = self._wake
            line.doubted = self._doubtful.set

    async def batches(self) -> AsyncIterator[list[Any]]:
        """What came together, line by line: Book, Trade, Bbo ... and Gap, Lost, Damaged, Quarantine. Never ends.

        Iterating again stops the iteration before; its sockets are opened anew, so there are gaps and they are told.
        """
        before, self._beside = self._beside, Beside(self.clock)  # one that is left behind stops its own, not ours
        beside = self._beside
        await before.stop()
        for line in self.lines:
            beside.start(line.keep(), f"hyperliquid {line.spec.name}")
        beside.start(self._probe(), "hyperliquid probe")
        beside.start(self._reconsider(), "hyperliquid reconsider")
        try:
            while True:
                quiet = True
                for line in self.lines:
                    if batch := line.read(BATCH_MAX):
                        quiet = False
                        yield batch
                if quiet:
                    await beside.wait()
                else:
                    beside.check()
        finally:
            await beside.stop()

    def coverage(self) -> dict[Subscription, Cover]:
        """What was asked for and what comes of it: state, live since when, last heard when, why not."""
        return {cover.subscription: cover for line in self.lines for cover in line.covers.values()}

    def uncovered(self) -> list[Cover]:
        """Subscriptions that are not confirmed now."""
        return [cover for cover in self.coverage().values() if cover.state is not State.HELD]

    def gap_untold(self) -> bool:
        """Whether a Gap is still to come, even where all is confirmed."""
        return any(line.gap_untold() for line in self.lines)

    async def close(self) -> None:
        """Stop everything and close the sockets; an iteration under way hears nothing more."""
        await self._beside.stop()

    def _wake(self) -> None:
        self._beside.wake()

    async def _probe(self) -> None:
        """Judge suspects, wherever there are any, with a growing pause while the venue does not answer."""
        while True:
            suspects = [line for line in self.lines if line.suspects()]
            if not suspects:
                self._probes.succeeded()
                self._doubtful.clear()
                await self._doubtful.wait()
                continue
            probed = [line for line in suspects if line.may_probe()]
            for line in probed:
                await line.probe()
            if any(line.suspects() for line in self.lines):
                await self.clock.sleep(self._probes.failed() if probed else LINE_DOWN_S)

    async def _reconsider(self) -> None:
        """Put names that were given up into doubt again."""
        while True:
            await self.clock.sleep(RECONSIDER_S)
            for line in self.lines:
                line.reconsider()
