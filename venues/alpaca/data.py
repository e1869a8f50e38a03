"""Alpaca's market data for a run: its connections and its requests are shared by all who want some of it.

    data = Data(url, historical_url, login, plan, clock, seed)
    feed = data.crypto(symbols)
    coverage = await feed.open()       which symbols are heard, and why not the others
    async for batch in feed.market():  books and trades

A plan has one connection for each endpoint, so the crypto engine, the bars of spot coins that the perpetuals' engine
takes and the equities engine meet here.
"""

from collections.abc import AsyncIterator, Callable, Collection, Iterable, Mapping, Sequence
from urllib.parse import urlsplit

from msgspec.structs import replace

from supervisor.clock import NS_PER_S, Clock
from venues.alpaca.bars import CRYPTO, STOCKS, BarsRest, Buffer, Fullness, Wanted
from venues.alpaca.data_stream import Spec, StreamLimits
from venues.alpaca.endpoint import Endpoint, Resumed
from venues.alpaca.login import Login
from venues.alpaca.plan import BARS, ORDERBOOKS, QUOTES, TRADES, Coverage, Key, Plan, coverage
from venues.backoff import MINUTE_NS
from venues.market import Bar, Book, MarketEvent, Trade
from venues.rest import Rest, rest_url
from venues.venue import VenueMisspoke, VenueUnreachable

STREAM_URL, REST_URL = "wss://stream.data.alpaca.markets", "https://data.alpaca.markets"
CRYPTO_STREAM, STOCKS_STREAM = "/v1beta3/crypto/us", "/v2/"

QUIET_S = {CRYPTO_STREAM: 60.0, STOCKS_STREAM: 90.0}
"""Without any frame: coins' books change each second; shares may pause in an auction."""

HISTORY_NS = 90 * NS_PER_S
"""Past bars so young are given again: who starts again goes on where the last one was."""

MISSED_MAX = 60
"""Minutes that are asked for after a reconnect: what waits for bars has long gone on without older ones."""

Tell = Callable[[str], None]


class Data:
    """What one login may hear and ask, over as few connections as there may be."""

    def __init__(
        self,
        url: str,
        historical_url: str,
        login: Login,
        plan: Plan,
        clock: Clock,
        seed: int,
        *,
        feed: str = "iex",
        is_open: Callable[[int], bool] = lambda _: False,
        field: str = "alpaca_paper_key_id",
        limits: StreamLimits | None = None,
    ):
        self.login = login
        self.plan = plan
        self.clock = clock
        self.seed = seed
        self.feed = feed
        self.tell: Tell = lambda _: None  # what a person should know; the daemon logs it
        self._url = stream_url(url)
        self._is_open = is_open  # whether US stocks trade; where nobody says, their silence is never odd
        self._field = field
        self._limits = limits
        rest_url(historical_url)  # raises ValueError now rather than at the first question
        self.bars = BarsRest(lambda: Rest(historical_url, headers=login.headers), plan, clock, seed, field)
        self.users: set[object] = set()  # when the last has gone, everything is let go of
        self._endpoints: dict[str, Endpoint] = {}

    def crypto(self, symbols: Iterable[str], *, trades: bool = True) -> "Feed":
        """Whole order books of coins, and their trades."""
        return Feed(self, CRYPTO_STREAM, symbols, (ORDERBOOKS, TRADES) if trades else (ORDERBOOKS,))

    def stocks(self, symbols: Iterable[str], *, trades: bool = False) -> "Feed":
        """The best bid and ask of shares as books of one level; with trades, each share counts twice in the plan."""
        return Feed(self, STOCKS_STREAM, symbols, (QUOTES, TRADES) if trades else (QUOTES,))

    def crypto_bars(self, names: Mapping[str, str]) -> "GivenBars":
        """Bars of coins for symbols of another venue: ours -> Alpaca's."""
        return GivenBars(self, names)

    def endpoint(self, path: str) -> Endpoint:
        """The one connection to a path."""
        if path not in self._endpoints:
            name = f"{path.strip('/')}/{self.feed}" if path == STOCKS_STREAM else path.strip("/")
            url = self._url + (path + self.feed if path == STOCKS_STREAM else path)
            limits = self._limits or StreamLimits(quiet_s=QUIET_S[path])
            spec = Spec(name=name, url=url, login=self.login, limits=limits, field=self._field)
            is_open = self._is_open if path == STOCKS_STREAM else _always
            made = Endpoint(spec, self.plan, self.clock, f"{self.seed}/alpaca data", is_open)
            made.say = self._say
            self._endpoints[path] = made
        return self._endpoints[path]

    def coverage_of(self, path: str, symbols: Sequence[str], channels: Sequence[str]) -> Coverage:
        """What of a wish is heard: what fits into the plan, and what the venue has not refused since."""
        keys = [(channel, symbol) for channel in channels for symbol in symbols]
        if path == STOCKS_STREAM and self.feed not in self.plan.feeds:
            reason = f"the plan {self.plan.name} has no feed {self.feed}, only {', '.join(self.plan.feeds)}"
            return coverage(symbols, channels, dict.fromkeys(keys, reason))
        endpoint = self.endpoint(path)
        refused = endpoint.stream.refused()
        left_out = endpoint.room.take(keys) | {key: refused[key] for key in keys if key in refused}
        return coverage(symbols, channels, left_out)

    def _say(self, text: str) -> None:
        self.tell(text)

    async def release(self, user: object) -> None:
        """Somebody is done with it."""
        self.users.discard(user)
        if not self.users:
            await self.close()

    async def close(self) -> None:
        """Let go of every connection; what is asked afterwards opens them again."""
        for endpoint in self._endpoints.values():
            await endpoint.close()
        await self.bars.close()


class Past:
    """Past bars of a set of symbols: the first question is asked for all of them at once."""

    def __init__(self, data: Data, path: str, symbols: Iterable[str]):
        self.data = data
        self.path = path
        self.symbols = tuple(symbols)
        self.buffers: dict[tuple[int, int], tuple[int, dict[str, Buffer]]] = {}

    async def bars(self, symbol: str, interval_ns: int, bars: int) -> tuple[Bar, ...]:
        """The last closed bars, oldest first; what is not full is told with its reason."""
        if symbol not in self.symbols or bars <= 0:
            return ()
        asked_ns, found = self.buffers.get((interval_ns, bars), (0, {}))
        now_ns = self.data.clock.now_ns()
        if not found or now_ns - asked_ns > HISTORY_NS:
            wanted = Wanted(path=self.path, interval_ns=interval_ns, bars=bars)
            if self.path == STOCKS:
                wanted = replace(wanted, feed=self.data.feed)
            found = await self.data.bars.buffers(self.symbols, wanted)
            self.buffers[interval_ns, bars] = now_ns, found
            for buffer in found.values():
                if buffer.fullness is not Fullness.FULL:
                    self.data.tell(f"history of {buffer}")
        buffer = found[symbol]
        if buffer.fullness in (Fullness.TRUNCATED, Fullness.DAMAGED):
            raise VenueMisspoke(f"history of {buffer}")
        return buffer.bars


class Feed:
    """Symbols of one endpoint, as one engine hears them."""

    def __init__(self, data: Data, path: str, symbols: Iterable[str], channels: Sequence[str]):
        self.data = data
        self.path = path
        self.symbols = tuple(dict.fromkeys(symbols))
        self.channels = tuple(channels)
        self.past = Past(data, CRYPTO if path == CRYPTO_STREAM else STOCKS, self.symbols)

    @property
    def keys(self) -> list[Key]:
        """What is listened to, where the plan has room."""
        return [(channel, symbol) for channel in self.channels for symbol in self.symbols]

    async def open(self) -> Coverage:
        """Try the login, take what the plan has room for, say what that is; sockets open when somebody listens.

        Raises ConfigError for a login that is refused, VenueUnreachable.
        """
        self.data.users.add(self)
        await self.data.bars.check(self.past.path, self.symbols[0], self.data.feed)
        covered = self.coverage()
        if covered.uncovered or covered.partly:
            self.data.tell(f"alpaca {self.path}: {covered}")
        return covered

    def coverage(self) -> Coverage:
        """The same as it is now: the venue may have refused some since."""
        return self.data.coverage_of(self.path, self.symbols, self.channels)

    def deaf(self) -> Collection[str]:
        """Symbols of whose market something may be missed now."""
        covered = self.coverage()
        keys = [(self.channels[0], symbol) for symbol in covered.covered]
        return {*covered.uncovered, *self.data.endpoint(self.path).deaf(keys)}

    async def market(self) -> AsyncIterator[Sequence[MarketEvent]]:
        """Books and trades in batches, in the order they arrived; never ends."""
        self.coverage()
        async for batch in self.data.endpoint(self.path).listen(self.keys):
            if events := [event for event in batch if isinstance(event, Book | Trade)]:
                yield events

    async def history(self, symbol: str, interval_ns: int, bars: int) -> Sequence[Bar]:
        """The last closed bars before now, oldest first; fewer where the venue has fewer, which is told."""
        return await self.past.bars(symbol, interval_ns, bars)

    async def close(self) -> None:
        """Nothing of its own is open: connections go with their last user."""
        await self.data.release(self)


class GivenBars:
    """Bars of coins under another venue's names: what actors/given_bars.py calls a BarSource."""

    name = "alpaca"

    def __init__(self, data: Data, names: Mapping[str, str]):
        self.data = data
        self.names = dict(names)
        self.ours: dict[str, list[str]] = {}
        for our, theirs in self.names.items():
            self.ours.setdefault(theirs, []).append(our)
        self.past = Past(data, CRYPTO, self.ours)

    @property
    def tell(self) -> Tell:
        """What a person should know; the daemon logs it."""
        return self.data.tell

    @tell.setter
    def tell(self, tell: Tell) -> None:
        self.data.tell = tell

    async def history(self, symbol: str, interval_ns: int, bars: int) -> Sequence[Bar]:
        """The last closed bars before now, oldest first, under our name."""
        self.data.users.add(self)
        theirs = await self.past.bars(self.names[symbol], interval_ns, bars)
        return [_named(bar, symbol) for bar in theirs]

    async def bars(self) -> AsyncIterator[Sequence[Bar]]:
        """Minute bars as they close, under our names; never ends."""
        covered = self.data.coverage_of(CRYPTO_STREAM, tuple(self.ours), (BARS,))
        if covered.uncovered:
            self.data.tell(f"alpaca bars: {covered}")
        keys = [(BARS, theirs) for theirs in self.ours]
        last: dict[str, int] = {}  # theirs -> end of the last bar that was given
        self.data.users.add(self)
        try:
            async for batch in self.data.endpoint(CRYPTO_STREAM).listen(keys):
                bars: list[Bar] = []
                for event in batch:
                    if isinstance(event, Resumed):
                        bars += await self._missed(event, last)
                    elif isinstance(event, Bar) and event.interval_ns == MINUTE_NS:
                        bars.append(event)
                new = [bar for bar in bars if bar.start_ns >= last.get(bar.symbol, 0)]
                last |= {bar.symbol: bar.end_ns for bar in new}
                if new:
                    yield [_named(bar, our) for bar in new for our in self.ours[bar.symbol]]
        finally:
            await self.data.release(self)

    async def _missed(self, resumed: Resumed, last: Mapping[str, int]) -> list[Bar]:
        """Bars that closed while the stream was not heard, asked for once: a minute that nobody gives is silent."""
        lacking = {
            symbol: (resumed.at_ns - last[symbol]) // MINUTE_NS
            for _, symbol in resumed.keys
            if symbol in last and resumed.at_ns - last[symbol] >= MINUTE_NS
        }
        if not lacking:
            return []
        wanted = Wanted(path=CRYPTO, interval_ns=MINUTE_NS, bars=min(max(lacking.values()), MISSED_MAX))
        try:
            found = await self.data.bars.buffers(tuple(lacking), wanted)
        except (VenueUnreachable, VenueMisspoke) as error:
            self.data.tell(f"alpaca bars: what was missed of {', '.join(lacking)} is not told: {error}")
            return []
        return [bar for symbol, buffer in found.items() for bar in buffer.bars if bar.start_ns >= last[symbol]]


def _named(bar: Bar, symbol: str) -> Bar:
    return replace(bar, symbol=symbol)


def _always(at_ns: int) -> bool:
    """Coins trade around the clock."""
    return True


def stream_url(base_url: str) -> str:
    """The WebSocket beside a base URL: ws for http, wss for https, path kept. Raises ValueError."""
    parts = urlsplit(base_url)
    scheme = {"http": "ws", "https": "wss", "ws": "ws", "wss": "wss"}.get(parts.scheme)
    if scheme is None or not parts.netloc or parts.query or parts.fragment:
        raise ValueError(f"must be wss://host[:port][/path], not {parts.scheme or 'no scheme'!r}...")
    return f"{scheme}://{parts.netloc}{parts.path.rstrip('/')}"
