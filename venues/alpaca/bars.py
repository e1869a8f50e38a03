"""Past bars of many symbols over Alpaca's REST, each symbol's buffer proven full or told why it is not.

One request has the bars of all symbols, sorted by symbol, cut at 10,000 rows: whoever reads the first page alone loses
the symbols at the end of the alphabet without a word. So pages are followed to the last, and what comes back says of
each symbol that it is full, or that there is no more of it (nothing older was there when older was asked for), or that
the venue would not say.
"""

from collections.abc import Callable, Iterable, Mapping, Sequence
from contextlib import suppress
from datetime import UTC, datetime, time, timedelta
from enum import StrEnum
from functools import cache
from zoneinfo import ZoneInfo

from msgspec import Struct, json

from config.errors import ConfigError
from config.sessions import load_sessions
from supervisor.clock import NS_PER_S, Clock
from venues.alpaca.bars_wire import Page, read_page
from venues.alpaca.plan import Plan
from venues.backoff import MINUTE_NS, Backoff, Window
from venues.market import Bar
from venues.rest import Answer, NotAnswered, Rest, shown
from venues.venue import VenueMisspoke

CRYPTO, STOCKS = "/v1beta3/crypto/us/bars", "/v2/stocks/bars"
ROWS_MAX = 10_000
"""Of a page, over all its symbols."""

PAGES_MAX = 200
"""Of one question: two million rows; a venue whose tokens never end is not asked for ever."""

SYMBOLS_MAX = 200
"""Of one question: as many names as fit into a URL."""

DAY_NS, HOUR_NS = 86_400 * NS_PER_S, 3_600 * NS_PER_S
OPEN_SHARE_DAYS = 2.0
"""Calendar days asked for each daily bar of a stock: 365 to 252 is 1.45, and holidays cluster."""

OPEN_SHARE_MINUTES = 8.0
"""The same of shorter bars of stocks: the market is open a fifth of the time, quiet names skip minutes."""

CRYPTO_SHARE = 1.1
"""And of coins, which skip a minute now and then."""

FURTHER = 4
"""How many times as far back is looked for what is missing, once."""

SETTLED_NS = 20 * 60 * NS_PER_S
"""After the close a day's bar still takes late prints."""

DELAYED_NS = 16 * 60 * NS_PER_S
"""Of the consolidated tape the last quarter of an hour is for who pays ("subscription does not permit querying recent
SIP data"); a day that ended then is not settled yet anyway."""

BUDGET_SHARE = 0.75
"""Of the plan's requests a minute: an operator's own look at the data has to fit in beside the daemon."""

TRIES_MAX = 4
OK, BAD, UNAUTHORISED, FORBIDDEN, UNPROCESSABLE, TOO_MANY = 200, 400, 401, 403, 422, 429
SERVER_FAULT = 500
RESET = "x-ratelimit-reset"
"""A header: the second since 1970 at which requests are allowed again."""

WAIT_S_MAX = 60.0
"""A limit is of a minute: longer waits are a clock that is wrong."""


class Fullness(StrEnum):
    """Why a buffer has the bars it has."""

    FULL = "full"  # as many as were asked for
    SHORT = "listed so short"  # older bars were asked for, and there are none
    SPARSE = "traded so rarely"  # there are older ones than were looked for, but not many
    NONE = "no bars at all"  # in all the time that was looked at
    REFUSED = "refused"  # the venue does not know the name, or won't say
    DAMAGED = "damaged"  # rows of it could not be read
    TRUNCATED = "cut"  # a page was full and named no next one: newer bars are missing


class Buffer(Struct, frozen=True):
    """The last closed bars of one symbol, oldest first, and the proof that there are no more."""

    symbol: str
    bars: tuple[Bar, ...]
    wanted: int
    fullness: Fullness
    text: str = ""  # the venue's words, or what was damaged
    volumes: tuple[float, ...] = ()  # of the same bars, in shares or coins

    def __str__(self) -> str:
        since = f", the first of {_date(self.bars[0].start_ns)}" if self.bars else ""
        more = f": {self.text}" if self.text else ""
        return f"{self.symbol}: {len(self.bars)} of {self.wanted} bars{since}, {self.fullness}{more}"


class Wanted(Struct, frozen=True, kw_only=True):
    """Which bars."""

    path: str  # CRYPTO or STOCKS
    interval_ns: int
    bars: int
    feed: str = ""  # of stocks: iex, sip
    adjustment: str = "all"  # of stocks: splits and dividends, neither of which is an excursion

    @property
    def stocks(self) -> bool:
        """Whether there are sessions."""
        return self.path == STOCKS


class Refused(Exception):
    """The venue does not want to answer this question; it may answer one for fewer symbols."""


class Cut(Refused):
    """A full page without a token for the next."""


class BarsRest:
    """Questions for bars, within the plan's requests a minute."""

    def __init__(
        self,
        made: Callable[[], Rest],
        plan: Plan,
        clock: Clock,
        seed: int | str,
        field: str = "alpaca_paper_key_id",
    ):
        self.made = made  # a client, when there is a question
        self.rest: Rest | None = None
        self.clock = clock
        self.field = field  # the setting that a wrong key is told under
        self.requests = 0
        self.entered = False  # the key was good once
        self._budget = Window(max(1, round(plan.requests_per_minute * BUDGET_SHARE)), MINUTE_NS)
        self._backoff = Backoff(seed, "alpaca bars", first_s=0.5, max_s=8.0)

    async def close(self) -> None:
        """Let go of the connections; the next question opens new ones."""
        rest, self.rest = self.rest, None
        if rest is not None:
            await rest.close()

    async def check(self, path: str, symbol: str, feed: str) -> None:
        """Ask for next to nothing. Raises ConfigError for a login that is refused, NotAnswered, VenueMisspoke."""
        query = {"symbols": symbol, "timeframe": "1Day", "limit": "1"} | ({"feed": feed} if path == STOCKS else {})
        with suppress(Refused):  # the name, perhaps; whose login it is has been seen by then
            read_page((await self._get(path, query)).body, DAY_NS)

    async def buffers(self, symbols: Sequence[str], wanted: Wanted) -> dict[str, Buffer]:
        """The last closed bars before now of every symbol, and why some have fewer than were asked for.

        Raises NotAnswered, VenueMisspoke, ConfigError. What is not proven is never returned.
        """
        now_ns = self.clock.now_ns()
        end_ns = now_ns - now_ns % min(wanted.interval_ns, DAY_NS)
        if _daily_stocks(wanted):
            end_ns = now_ns - DELAYED_NS
        near_ns = end_ns - _span_ns(wanted)
        far_ns = end_ns - FURTHER * (end_ns - near_ns)
        hunt = _Hunt(wanted, now_ns)
        await self._ask(hunt, symbols, near_ns, end_ns)
        lacking = [symbol for symbol in symbols if hunt.lacks(symbol)]
        await self._ask(hunt, lacking, far_ns, near_ns)
        return {symbol: hunt.buffer(symbol, far_ns) for symbol in symbols}

    async def _ask(self, hunt: "_Hunt", symbols: Sequence[str], start_ns: int, end_ns: int) -> None:
        """All pages of all symbols; names that are refused are found by halves and told."""
        groups = [list(symbols[at : at + SYMBOLS_MAX]) for at in range(0, len(symbols), SYMBOLS_MAX)]
        while groups:
            group = groups.pop(0)
            try:
                await self._pages(hunt, group, start_ns, end_ns)
            except Refused as refusal:
                if len(group) == 1:
                    (hunt.cut if isinstance(refusal, Cut) else hunt.refused)[group[0]] = str(refusal)
                else:
                    half = len(group) // 2
                    groups[:0] = [group[:half], group[half:]]

    async def _pages(self, hunt: "_Hunt", symbols: Sequence[str], start_ns: int, end_ns: int) -> None:
        """Follow the tokens until there is none."""
        wanted, tokens = hunt.wanted, dict[str, None]()
        query = {
            "symbols": ",".join(symbols),
            "timeframe": timeframe(wanted.interval_ns),
            "start": _date(start_ns),
            "end": _date(end_ns - 1),  # the venue's end is included
            "limit": str(ROWS_MAX),
            "sort": "asc",
        }
        if wanted.stocks:
            query |= {"adjustment": wanted.adjustment, "feed": wanted.feed}
        while True:
            page = read_page((await self._get(wanted.path, query)).body, wanted.interval_ns)
            hunt.take(page, symbols)
            if not page.token:
                if sum(map(len, page.bars.values())) >= ROWS_MAX:
                    raise Cut(f"a page of {ROWS_MAX} rows without a token for the next")
                return
            if page.token in tokens or len(tokens) >= PAGES_MAX:
                raise VenueMisspoke(f"{wanted.path}: pages without end: {len(tokens)} tokens, the last comes again")
            tokens[page.token] = None
            query["page_token"] = page.token

    async def _get(self, path: str, query: Mapping[str, str]) -> Answer:
        """One answer that says something; questions may be asked again."""
        for tries in range(1, TRIES_MAX + 1):
            await self.clock.sleep_until(self._budget.reserve(self.clock.now_ns()))
            self.requests += 1
            wait_s = None
            try:
                self.rest = self.rest or self.made()
                answer = await self.rest.request("GET", path, query=query)
            except NotAnswered:
                if tries == TRIES_MAX:
                    raise
            else:
                if answer.status == OK:
                    self._backoff.succeeded()
                    self.entered = True
                    return answer
                if answer.status != TOO_MANY and answer.status < SERVER_FAULT:
                    raise self._refusal(path, answer)
                if tries == TRIES_MAX:
                    text = f"HTTP {answer.status}: {shown(answer.body)}"
                    raise NotAnswered(path, text, sent=True, status=answer.status)
                wait_s = self._wait_s(answer)
            await self.clock.sleep(self._backoff.failed() if wait_s is None else wait_s)
        raise AssertionError("the last try returns or raises")

    def _wait_s(self, answer: Answer) -> float | None:
        """How long a 429 asks to be left alone; None where it does not say."""
        reset = answer.headers.get(RESET, "")
        if answer.status != TOO_MANY or not reset.isascii() or not reset.isdigit() or len(reset) > 12:
            return None
        return min(WAIT_S_MAX, max(0.0, int(reset) - self.clock.now_ns() / NS_PER_S) + self._backoff.failed())

    def _refusal(self, path: str, answer: Answer) -> Exception:
        words = _words(answer.body)
        if answer.status == UNAUTHORISED or (answer.status == FORBIDDEN and "subscription" not in words):
            text = f"is refused by Alpaca's market data: HTTP {answer.status}: {words}"
            # of a key that was good before in this run it is the venue's trouble: nothing ends of it
            return VenueMisspoke(f"{path}: the key {text}") if self.entered else ConfigError(self.field, text)
        if answer.status in (BAD, FORBIDDEN, UNPROCESSABLE):
            return Refused(words)
        return VenueMisspoke(f"{path}: HTTP {answer.status}: {words}")


class _Hunt:
    """What was found so far."""

    def __init__(self, wanted: Wanted, now_ns: int):
        self.wanted = wanted
        self.now_ns = now_ns
        self.found: dict[str, dict[int, Bar]] = {}
        self.volumes: dict[tuple[str, int], float] = {}
        self.damaged: dict[str, str] = {}
        self.refused: dict[str, str] = {}
        self.cut: dict[str, str] = {}

    def take(self, page: Page, asked: Iterable[str]) -> None:
        """A page; names that were not asked for are none of ours."""
        for symbol in asked:
            rows = self.found.setdefault(symbol, {})
            for bar, volume in zip(page.bars.get(symbol, ()), page.volumes.get(symbol, ()), strict=True):
                if (closed := closed_bar(bar, self.wanted, self.now_ns)) is not None:
                    rows[closed.start_ns] = closed
                    self.volumes[symbol, closed.start_ns] = volume
            if symbol in page.damaged:
                self.damaged.setdefault(symbol, page.damaged[symbol])

    def lacks(self, symbol: str) -> bool:
        """Whether older bars are wanted."""
        few = len(self.found.get(symbol, ())) < self.wanted.bars
        return few and symbol not in self.refused and symbol not in self.cut

    def buffer(self, symbol: str, far_ns: int) -> Buffer:
        """What has become of a symbol."""
        rows, wanted = self.found.get(symbol, {}), self.wanted.bars
        bars = tuple(rows[start_ns] for start_ns in sorted(rows))[-wanted:] if wanted > 0 else ()
        if symbol in self.refused:
            return Buffer(symbol, (), wanted, Fullness.REFUSED, self.refused[symbol])
        if symbol in self.cut:
            return Buffer(symbol, bars, wanted, Fullness.TRUNCATED, self.cut[symbol])
        if symbol in self.damaged:
            return Buffer(symbol, bars, wanted, Fullness.DAMAGED, self.damaged[symbol])
        if len(bars) >= wanted:
            volumes = tuple(self.volumes[symbol, bar.start_ns] for bar in bars)
            return Buffer(symbol, bars, wanted, Fullness.FULL, volumes=volumes)
        if not bars:
            return Buffer(symbol, bars, wanted, Fullness.NONE, f"since {_date(far_ns)}")
        # Had it been there all the time, it would have a bar in the first quarter of what was looked at.
        old = bars[0].start_ns < far_ns + (self.now_ns - far_ns) // FURTHER
        return Buffer(symbol, bars, wanted, Fullness.SPARSE if old else Fullness.SHORT, f"since {_date(far_ns)}")


def timeframe(interval_ns: int) -> str:
    """The venue's name for a length of bars. Raises ValueError for one that it does not have."""
    for name, length_ns, most in (("Day", DAY_NS, 1), ("Hour", HOUR_NS, 23), ("Min", MINUTE_NS, 59)):
        number, rest = divmod(interval_ns, length_ns)
        if number and not rest and number <= most:
            return f"{number}{name}"
    raise ValueError(f"interval_ns is {interval_ns}; Alpaca has bars of 1 to 59 minutes, 1 to 23 hours and one day")


def closed_bar(bar: Bar, wanted: Wanted, now_ns: int) -> Bar | None:
    """The bar, if nothing can be added to it any more; a stock's day begins at midnight UTC of its date."""
    if not _daily_stocks(wanted):
        return bar if bar.end_ns <= now_ns else None
    zone = _zone()
    day = datetime.fromtimestamp(bar.start_ns // NS_PER_S, zone).date()
    known = load_sessions()
    hour = known.close_early if day in known.half_days else known.close
    closes = datetime.combine(day, hour, zone)
    if round(closes.timestamp()) * NS_PER_S + SETTLED_NS > now_ns:
        return None
    start_ns = round(datetime.combine(day, time(), UTC).timestamp()) * NS_PER_S
    return Bar(bar.symbol, start_ns, bar.interval_ns, bar.open, bar.high, bar.low, bar.close, bar.books)


@cache
def _zone() -> ZoneInfo:
    return ZoneInfo(load_sessions().zone)


def _daily_stocks(wanted: Wanted) -> bool:
    return wanted.stocks and wanted.interval_ns == DAY_NS


def _span_ns(wanted: Wanted) -> int:
    """How far back so many bars should lie."""
    if not wanted.stocks:
        return round(wanted.bars * CRYPTO_SHARE + 1) * wanted.interval_ns
    share = OPEN_SHARE_DAYS if wanted.interval_ns == DAY_NS else OPEN_SHARE_MINUTES
    return round(wanted.bars * share) * wanted.interval_ns + 5 * DAY_NS  # a long weekend


def _date(at_ns: int) -> str:
    """RFC 3339 in whole seconds."""
    return (datetime(1970, 1, 1, tzinfo=UTC) + timedelta(seconds=at_ns // NS_PER_S)).strftime("%Y-%m-%dT%H:%M:%SZ")


def _words(body: bytes) -> str:
    """What an error answer says."""
    try:
        said = json.decode(body)
    except (ValueError, RecursionError):
        return shown(body)
    return str(said.get("message", said))[:200] if isinstance(said, dict) else shown(body)
