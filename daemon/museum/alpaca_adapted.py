"""Alpaca's whole adapter on an emulated exchange in virtual time: only HTTP and sockets are not ours."""

from collections.abc import Awaitable, Callable, Mapping, Sequence
from decimal import Decimal
from typing import Any, TypeVar

from daemon.museum.alpaca_desk import COIN, KEY, SECRET, AlpacaDesk, facts_of
from daemon.museum.desk import Plain
from supervisor.clock import Clock
from supervisor.virtual import run_virtual
from venues.alpaca.adapter import Alpaca
from venues.alpaca.login import Login
from venues.alpaca.parts import Shared, Wanted
from venues.alpaca.rest import Rest
from venues.alpaca.silence import NoMarket
from venues.alpaca.trading_stream import TradingStream
from venues.alpaca.trading_wire import Said, read_frame
from venues.market import OrderRequest, Side, TimeInForce
from venues.rest import Answer, NotAnswered

T = TypeVar("T")
NOWHERE = "http://127.0.0.1:9"
LOGIN = Login(Plain(KEY), Plain(SECRET))


class DeskHttp:
    """In the place of the HTTP client: what is sent or answered may be lost on its way."""

    def __init__(self, desk: AlpacaDesk, clock: Clock) -> None:
        self.desk, self.clock = desk, clock
        self.lose: list[str] = []  # of the next acts: "before" it arrived, or "after" it was done
        self.down = False
        self.heard: Callable[[], None] = lambda: None

    async def request(
        self, method: str, path: str, body: bytes = b"", query: Mapping[str, str] | None = None
    ) -> Answer:
        """One request."""
        self.desk.until(self.clock.now_ns())
        lost = self.lose.pop(0) if self.lose and method != "GET" else ""
        if self.down or lost == "before":
            raise NotAnswered(path, "no answer", sent=True)
        answer = self.desk.answer(method, path, body, query)
        self.heard()
        if lost:
            raise NotAnswered(path, "no answer", sent=True)
        return Answer(answer.status, answer.body, dict(answer.headers))

    async def close(self) -> None:
        """There is nothing to let go of."""


class AlpacaAdapted:
    """An adapter that is open, and what it said."""

    def __init__(self, adapter: Alpaca, http: DeskHttp, said: list[str]) -> None:
        self.adapter, self.http, self.said = adapter, http, said
        self.desk, self.clock = http.desk, http.clock
        self.read, self.deaf = 0, False
        http.heard = self.hear

    @property
    def feed(self) -> Any:
        """The account's stream."""
        return self.adapter._account()

    @property
    def events(self) -> list[Any]:
        """What the account's listener has not heard yet."""
        return list(self.feed.events)

    def hear(self) -> None:
        """Let the trading stream tell what is new, if it is heard."""
        new, self.read = self.desk.updates[self.read :], len(self.desk.updates)
        for frame in () if self.deaf else new:
            update = read_frame(frame)
            if not isinstance(update, Said):
                self.feed.hear(update)

    async def wait(self, seconds: float) -> None:
        """Let time pass."""
        await self.clock.sleep(seconds)
        self.desk.until(self.clock.now_ns())
        self.hear()

    def resume(self) -> None:
        """The stream is heard again after a while in which it was not."""
        self.deaf, self.read = False, len(self.desk.updates)
        self.feed.gap(self.desk.exchange.start_ns)

    def order(self, order_id: str, side: Side, size: str, price: str, symbol: str = COIN, **more: Any) -> OrderRequest:
        """An order of ours."""
        instrument = self.adapter.instruments[symbol]
        told: dict[str, Any] = {
            "id": order_id,
            "intent_id": "i1",
            "engine": self.adapter.wanted.engine,
            "symbol": symbol,
            "side": side,
            "lots": instrument.lots(Decimal(size)),
            "ticks": instrument.ticks(Decimal(price)),
            "time_in_force": TimeInForce.GTC,
        }
        return OrderRequest(**(told | more))


def adapt_alpaca(
    scene: Callable[[AlpacaAdapted], Awaitable[T]],
    names: Sequence[str] = (COIN,),
    desk: AlpacaDesk | None = None,
) -> T:
    """Open an adapter on a desk whose trading stream is heard, play, and return what the scene does."""
    at = desk or AlpacaDesk()

    async def live(clock: Clock) -> T:
        rest = Rest(NOWHERE, LOGIN, clock)
        http = DeskHttp(at, clock)
        await rest._http.close()
        rest._http = http  # type: ignore[assignment]
        said: list[str] = []
        engine = "crypto" if "/" in names[0] else "equities"
        wanted = Wanted(engine=engine, facts=facts_of(*names), known_ns=clock.now_ns(), fee_bps=(15.0, 25.0))
        shared = Shared(rest, TradingStream(NOWHERE, LOGIN, clock))
        adapter = Alpaca(wanted, shared, NoMarket, clock, trades=True)
        adapter.tell = said.append
        await adapter.open()
        shared.stream.ready, adapter._account().gap_ns = True, None
        return await scene(AlpacaAdapted(adapter, http, said))

    return run_virtual(live, at.now_ns)
