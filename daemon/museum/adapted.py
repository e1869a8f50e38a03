"""The whole adapter on an emulated exchange by plain calls: its HTTP client is the only part that is not ours."""

from collections.abc import Awaitable, Callable, Sequence
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any, TypeVar

import msgspec

from config.universe import load_universe
from daemon.museum.desk import AGENT, MASTER, Desk, S
from supervisor.clock import Clock
from supervisor.virtual import run_virtual
from venues.hyperliquid.adapter import Hyperliquid, Key, Shared, Wanted
from venues.hyperliquid.budget import RequestBudget
from venues.hyperliquid.reconnect import Limits
from venues.hyperliquid.rest import EXCHANGE, INFO, Answer, NotAnswered
from venues.hyperliquid.sign import account_address
from venues.hyperliquid.wire import decode
from venues.market import OrderRequest, Side, TimeInForce

T = TypeVar("T")
EXPIRY_S = 15


class DeskRest:
    """In the place of the HTTP client; what is asked or answered may be lost on its way."""

    def __init__(self, desk: Desk, clock: Clock) -> None:
        self.desk, self.clock = desk, clock
        self.answers_lost = False
        self.deaf_dex: str | None = None  # questions about this dex have no answer
        self.sent: list[Any] = []  # every action, as it was posted

    def _move_on(self) -> None:
        self.desk.now_ns = max(self.desk.now_ns, self.clock.now_ns())

    async def exchange(self, body: bytes) -> Answer:
        """It arrives; its answer perhaps not."""
        self._move_on()
        self.sent.append(msgspec.json.decode(body))
        answer = self.desk.venue.exchange(self.sent[-1], self.desk.now_ns)
        if self.answers_lost:
            raise NotAnswered(EXCHANGE, "no answer", sent=True)
        return Answer(200, answer)

    async def info(self, body: bytes, read: Callable[[bytes], T]) -> T:
        """A question and its answer."""
        self._move_on()
        asked = msgspec.json.decode(body)
        if self.deaf_dex is not None and asked.get("dex", "") == self.deaf_dex:
            raise NotAnswered(INFO, "no answer", sent=True)
        return read(self.desk.info(asked))

    async def close(self) -> None:
        """There is nothing to let go of."""


class Adapted:
    """An adapter that is open, and what it said."""

    def __init__(self, adapter: Hyperliquid, rest: DeskRest, said: list[str]) -> None:
        self.adapter, self.rest, self.said = adapter, rest, said
        self.desk, self.clock = rest.desk, rest.clock

    @property
    def events(self) -> list[Any]:
        """What the account's listener has not heard yet."""
        return list(self.adapter._account().events)

    def hear(self, *frames: bytes) -> None:
        """Frames of the account's socket."""
        for frame in frames:
            self.adapter._account().hear(decode(frame, self.clock.now_ns()))

    def order(self, order_id: str, side: Side, lots: int, price: float, **more: Any) -> OrderRequest:
        """An order for BTC with a fence."""
        told: dict[str, Any] = {
            "id": order_id,
            "intent_id": "i1",
            "engine": "perps",
            "symbol": "BTC",
            "side": side,
            "lots": lots,
            "ticks": self.adapter.instruments["BTC"].ticks(price),
            "time_in_force": TimeInForce.ALO,
            "expires_ns": self.clock.now_ns() + EXPIRY_S * S,
        }
        return OrderRequest(**(told | more))


def adapt(
    scene: Callable[[Adapted], Awaitable[T]],
    names: Sequence[str] = ("BTC",),
    before: Callable[[Desk], None] | None = None,
    leverage: int = 0,
) -> T:
    """Open an adapter on a desk, play, and return what the scene does; `before` it, the desk may be used by hand."""
    desk = Desk(names)
    if before is not None:
        before(desk)

    async def live(clock: Clock) -> T:
        rest, said = DeskRest(desk, clock), []  # type: ignore[var-annotated]
        facts = load_universe("perps")
        wanted = Wanted(
            engine="perps",
            facts=tuple(facts[name] for name in names),
            leverage=dict.fromkeys(names, leverage) if leverage else {},
            known_ns=clock.now_ns(),
        )
        shared = Shared(rest, RequestBudget(), Limits())  # type: ignore[arg-type]
        with TemporaryDirectory() as folder:
            key = Key(AGENT, account_address(MASTER.address), Path(folder))
            adapter = Hyperliquid("http://127.0.0.1:9", wanted, shared, clock, key)
            adapter.tell = said.append
            await adapter.open()
            adapter.skew.hear(0, clock.now_ns())  # as a book of this moment does: the clocks agree
            return await scene(Adapted(adapter, rest, said))

    return run_virtual(live, desk.now_ns)
