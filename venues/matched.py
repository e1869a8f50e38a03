"""The trading half of a venue that is ours: orders go to the matching engine, with latency on every way.

An order travels, is judged, and its answer travels back. What happens otherwise comes by the account stream, in the
order it happened and as late. Nothing here starts a task: whoever asks waits, and everything else is a timer.
"""

import asyncio
from collections import deque
from collections.abc import AsyncIterator, Callable, Collection, Sequence
from typing import TypeVar

from supervisor.clock import Clock
from venues.latency import LatencyModel
from venues.market import (
    Accepted,
    AccountEvent,
    Book,
    Cancelled,
    CancelRefused,
    Fill,
    FundingPaid,
    MarketEvent,
    MoneyMoved,
    OpenOrder,
    OrderRequest,
    Rejected,
    SessionMoved,
    VenuePosition,
)
from venues.matching import MatchingEngine
from venues.venue import Capabilities

ORDER, QUESTION, ANSWER, STREAM = "order", "question", "answer", "stream"
"""What travels; each has its own delays, so a reconciler's questions do not change when orders arrive."""

T = TypeVar("T")


class MatchedVenue:
    """Orders, account and questions of the Venue protocol; SimulatedVenue and ShadowVenue add the market."""

    capabilities = Capabilities(replace=True, expires=True, simulated=True)

    def __init__(self, name: str, engine: MatchingEngine, latency: LatencyModel, clock: Clock):
        self.name = name
        self.engine = engine
        self.latency = latency
        self.clock = clock
        self._travelling: deque[AccountEvent] = deque()  # happened, not yet here
        self._here: deque[AccountEvent] = deque()  # not yet heard
        self._arrival_ns = 0  # of the latest event on its way: a stream does not overtake itself
        self._listener: asyncio.Future[None] | None = None
        self._closed = False

    def catch_up(self, now_ns: int) -> None:
        """Let the engine see the market up to now, before it judges an order."""

    # --- orders -------------------------------------------------------------------------------------------------------

    async def submit(self, order: OrderRequest) -> Accepted | Rejected:
        """Send an order and wait for the verdict."""
        verdict = self._verdict(self.engine.submit(order, await self._arrive()), order.id)
        await self._travel(ANSWER)
        assert isinstance(verdict, Accepted | Rejected)
        return verdict

    async def cancel(self, symbol: str, order_id: str) -> Cancelled | CancelRefused:
        """Cancel an order and wait for the verdict."""
        verdict = self._verdict(self.engine.cancel(order_id, await self._arrive()), order_id)
        await self._travel(ANSWER)
        assert isinstance(verdict, Cancelled | CancelRefused)
        return verdict

    async def replace(self, order: OrderRequest) -> Accepted | Rejected | CancelRefused:
        """Put an order in the place of another and wait for the verdict, which is about the new one."""
        verdict = self._verdict(self.engine.replace(order, await self._arrive()), order.id)
        await self._travel(ANSWER)
        assert isinstance(verdict, Accepted | Rejected | CancelRefused)
        return verdict

    async def _travel(self, purpose: str) -> None:
        await self.clock.sleep_until(self.clock.now_ns() + self.latency.delay_ns(purpose))

    async def _arrive(self, purpose: str = ORDER) -> int:
        """Travel to the engine; returns when that is, with the market seen up to then."""
        await self._travel(purpose)
        now_ns = self.clock.now_ns()
        self.catch_up(now_ns)
        return now_ns

    def _verdict(self, events: Sequence[AccountEvent], order_id: str) -> AccountEvent:
        """The first word on the order asked about; the stream carries all else, and it too unless it is a refusal."""
        unasked = FundingPaid | MoneyMoved | SessionMoved
        verdict = next(e for e in events if not isinstance(e, unasked) and e.order_id == order_id)
        refused = isinstance(verdict, Rejected | CancelRefused)
        self.deliver([event for event in events if not (refused and event is verdict)])
        return verdict

    # --- the account stream -------------------------------------------------------------------------------------------

    def deliver(self, events: Sequence[AccountEvent]) -> None:
        """Send events on their way to whoever listens to the account."""
        for event in events:
            at_ns = self.clock.now_ns() + self.latency.delay_ns(STREAM)
            self._arrival_ns = max(self._arrival_ns, at_ns)
            self._travelling.append(event)
            self.clock.call_at(self._arrival_ns, self._land)

    def _land(self) -> None:
        """The oldest event on its way is here; timers that are due together may fire in any order, events may not."""
        self._here.append(self._travelling.popleft())
        self._wake()

    def _wake(self) -> None:
        listener, self._listener = self._listener, None
        if listener is not None and not listener.done():
            listener.set_result(None)

    def watch(self, events: Sequence[MarketEvent]) -> None:
        """Let the engine see what happened in the market; what that does to our orders goes to the account."""
        on_book, on_trade = self.engine.on_book, self.engine.on_trade
        caused: list[AccountEvent] = []
        for event in events:
            caused += on_book(event) if isinstance(event, Book) else on_trade(event)
        if caused:
            self.deliver(caused)

    async def account(self) -> AsyncIterator[AccountEvent]:
        """What happens to our orders and our money; ends when the venue is closed.

        An event counts as heard when the next one is asked for, so one that its hearer died of is told again.
        """
        while not self._closed:
            while self._here:
                yield self._here[0]
                self._here.popleft()
            if not self._closed:
                self._listener = self.clock.loop.create_future()
                await self._listener

    def deaf(self) -> Collection[str]:
        """None: nothing is lost on the way from a market in this process."""
        return ()

    def theirs_ns(self, at_ns: int) -> int:
        """The same: they go by our clock."""
        return at_ns

    async def settle(self) -> None:
        """Wait until nothing is on its way to the account any more."""
        while self._travelling:
            await self.clock.sleep_until(self._arrival_ns)

    # --- questions ----------------------------------------------------------------------------------------------------

    async def open_orders(self) -> Sequence[OpenOrder]:
        """Every order that rests now."""
        return await self._asked(self.engine.open_orders)

    async def positions(self) -> Sequence[VenuePosition]:
        """Every position that is not flat."""
        return await self._asked(self.engine.positions)

    async def fills(self, since_ns: int) -> Sequence[Fill]:
        """Every fill at or after a time, oldest first."""
        return await self._asked(lambda: self.engine.fills_since(since_ns))

    async def find(self, symbol: str, order_id: str) -> OpenOrder | Cancelled | Rejected | None:
        """What became of an order; one that was filled is found as Cancelled with all its lots, reason "filled"."""
        return await self._asked(lambda: self.engine.find(order_id))

    async def _asked(self, question: Callable[[], T]) -> T:
        await self._arrive(QUESTION)
        answer = question()
        await self._travel(ANSWER)
        return answer

    async def close(self) -> None:
        """End the account stream."""
        self._closed = True
        self._wake()
