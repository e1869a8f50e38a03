"""A market that another process makes: `obid serve`'s live streams as a venue's market data.

One stream for each symbol, in the wire format, at real-time pace, from a time of the start on. A stream that breaks is
opened again behind the last event that came, and tells at once what was missed; until then its symbol is deaf. It is a
market and no account: orders go to the matching engine (venues/shadow.py).
"""

from collections.abc import AsyncGenerator, AsyncIterator, Mapping, Sequence
from contextlib import aclosing
from typing import Any, NoReturn

import msgspec
from msgspec import Struct

from supervisor.beside import Beside
from supervisor.clock import NS_PER_MS, Clock
from venues.aleatoric.history import history
from venues.aleatoric.market import always_open
from venues.aleatoric.model import SymbolModel
from venues.aleatoric.wire_events import WireEvent, WireTrade
from venues.market import Bar, Book, Instrument, MarketEvent, Side, Trade
from venues.venue import Capabilities, VenueMisspoke

SILENCE_S_MAX = 40.0
"""Streams say something each 15 s, if only that they are still there."""
BACKOFF_S, BACKOFF_S_MAX = 0.5, 30.0
UNHEARD_MAX = 100_000
"""Events that wait for whoever pulls; more of them, and something is wrong."""
BROKEN = 500  # from this status on, and at 429, it is worth asking again
TOO_MANY = 429

_decode = msgspec.json.Decoder(WireEvent).decode


class Remote(Struct, frozen=True, kw_only=True):
    """Where the market is made, and what of it is wanted."""

    url: str
    key: str
    seed: int
    presets: Mapping[str, str]  # by symbol
    models: Mapping[str, SymbolModel]
    instruments: Sequence[Instrument]

    def __repr__(self) -> str:
        return f"Remote({self.url!r}, {sorted(self.presets)})"


class RemoteMarket:
    """The Venue protocol as far as a market goes."""

    name = "aleatoric"
    capabilities = Capabilities(replace=False, expires=False, simulated=True)

    def __init__(self, remote: Remote, clock: Clock) -> None:
        self.remote, self.clock = remote, clock
        self._start_ns = clock.now_ns() // NS_PER_MS * NS_PER_MS
        self._deaf = set(remote.presets)
        self._last: dict[str, str] = {}
        self._ready: list[MarketEvent] = []

    async def open(self) -> Sequence[Instrument]:
        """What is traded here."""
        return tuple(self.remote.instruments)

    async def market(self) -> AsyncIterator[Sequence[MarketEvent]]:
        """Books and trades as they come. Raises VenueMisspoke where the service refuses: to ask again won't mend it."""
        import httpx

        beside = Beside(self.clock)
        headers = {"X-API-Key": self.remote.key, "Accept": "text/event-stream"}
        timeout = httpx.Timeout(SILENCE_S_MAX)
        limits = httpx.Limits(max_connections=None)
        async with httpx.AsyncClient(headers=headers, timeout=timeout, limits=limits) as client:
            for symbol in self.remote.presets:
                beside.start(self._follow(client, symbol, beside), f"feed:{symbol}")
            try:
                while True:
                    await beside.wait()
                    batch, self._ready = self._ready, []
                    if batch:
                        yield batch
            finally:
                await beside.stop()

    async def _follow(self, client: Any, symbol: str, beside: Beside) -> None:
        """One symbol's stream, again and again."""
        import httpx

        wait_s = BACKOFF_S
        while True:
            try:
                async with aclosing(self._events(client, symbol)) as heard:
                    async for _ in heard:
                        wait_s = BACKOFF_S
                        beside.wake()
            except httpx.TransportError:
                wait_s = min(2 * wait_s, BACKOFF_S_MAX)
            self._deaf.add(symbol)
            await self.clock.sleep(wait_s)

    async def _events(self, client: Any, symbol: str) -> AsyncGenerator[None, None]:
        """The events of one connection, put where they are pulled from."""
        params = {"symbol": symbol, "preset": self.remote.presets[symbol], "seed": self.remote.seed}
        params["start_ms"] = self._start_ns // NS_PER_MS
        headers = {"Last-Event-ID": self._last[symbol]} if symbol in self._last else {}
        async with client.stream("GET", f"{self.remote.url}/stream/live", params=params, headers=headers) as answer:
            if answer.status_code >= BROKEN or answer.status_code == TOO_MANY:
                return
            if answer.status_code != 200:
                raise VenueMisspoke(f"{self.remote.url} answers {answer.status_code}: {(await answer.aread())[:500]!r}")
            event_id = ""
            async for line in answer.aiter_lines():
                if line.startswith("id: "):
                    event_id = line[4:]
                elif line.startswith("data: "):
                    self._ready.append(self._heard(symbol, line[6:]))
                    self._last[symbol] = event_id
                    self._deaf.discard(symbol)
                    if len(self._ready) > UNHEARD_MAX:
                        raise VenueMisspoke(f"{UNHEARD_MAX} events of {symbol} and others wait and nobody pulls")
                    yield

    def _heard(self, symbol: str, text: str) -> MarketEvent:
        """A line as the market's own. Raises VenueMisspoke."""
        try:
            event = _decode(text)
        except msgspec.DecodeError as error:
            raise VenueMisspoke(f"{self.remote.url} says of {symbol} what is no event: {error}") from error
        at_ns, now_ns = event.timestamp_ms * NS_PER_MS, self.clock.now_ns()
        if isinstance(event, WireTrade):
            return Trade(event.symbol, at_ns, now_ns, event.price, event.size, Side(event.side))
        return Book(event.symbol, at_ns, now_ns, event.bids, event.asks)

    def deaf(self) -> set[str]:
        """Symbols whose stream is not there."""
        return set(self._deaf)

    async def history(self, symbol: str, interval_ns: int, bars: int) -> Sequence[Bar]:
        """The bars before the start, made here: the same market has the same past everywhere."""
        return history(self.remote.models[symbol], self.remote.seed, self._start_ns, interval_ns, bars, always_open)

    async def close(self) -> None:
        """Nothing is kept open beyond `market()`."""

    def _no_account(self, *_: object) -> NoReturn:
        raise NotImplementedError("a remote market has no account; it stands behind a ShadowVenue")

    account = submit = cancel = replace = open_orders = positions = fills = find = theirs_ns = _no_account
