"""Exhibits of what Alpaca gives beside orders: past bars, paper fills, money, and times in two notations."""

import asyncio
import json
from collections.abc import AsyncIterator, Mapping, Sequence
from datetime import UTC, datetime
from decimal import Decimal
from typing import Any

from actors.feed import History
from actors.given_bars import BarFeed
from actors.messages import BarGiven, BarHistory
from daemon.markets import instrument_of
from daemon.museum.alpaca_adapted import LOGIN, NOWHERE, AlpacaAdapted, DeskHttp, adapt_alpaca
from daemon.museum.alpaca_desk import COIN, NO_SHORT, RTH, SHARE, AlpacaDesk, at_ns, facts_of
from daemon.museum.bench import ENGINE, EQUITY_MINOR, MINUTE_NS, NOW_NS, PRICE, S, instrument, request
from daemon.museum.exhibit import Exhibit
from daemon.museum.scene import perform
from supervisor.clock import Clock
from supervisor.virtual import run_virtual
from venues.alpaca.adapter import Alpaca
from venues.alpaca.bars import CRYPTO
from venues.alpaca.data import Data
from venues.alpaca.parts import Shared, Wanted
from venues.alpaca.plan import BASIC, PLUS
from venues.alpaca.rest import Rest
from venues.alpaca.rules import order_body
from venues.alpaca.silence import NoMarket
from venues.alpaca.trading_stream import TradingStream
from venues.alpaca.trading_wire import Update, read_frame
from venues.market import MINOR_PER_USD, Bar, Book, Fill, Level, Side
from venues.matching import MatchingEngine
from venues.rest import Answer
from venues.venue import VenueUnreachable

COINS = tuple(f"{name}/USD" for name in ("BTC", "ETH", "SOL", "AVAX", "DOGE", "LINK", "LTC", "UNI", "XRP", "YFI"))
BARS = 1_200
"""Of each of ten coins: more rows than a page has."""


def _bars_desk() -> AlpacaDesk:
    return AlpacaDesk(COINS)


def _all_full() -> list[str]:
    """Symbols whose past is as long as was asked for, up to now."""
    desk = _bars_desk()

    async def live(clock: Clock) -> list[str]:
        data = _data(DeskHttp(desk, clock), clock)
        feed = data.crypto(COINS)
        past = {one: await feed.history(one, MINUTE_NS, BARS) for one in COINS}
        since_ns = clock.now_ns() - 2 * MINUTE_NS
        return [one for one, bars in past.items() if len(bars) == BARS and bars[-1].end_ns >= since_ns]

    return run_virtual(live, desk.now_ns)


def _data(http: Any, clock: Clock) -> Data:
    data = Data(NOWHERE, NOWHERE, LOGIN, PLUS, clock, 7)
    data.bars.made = lambda: http
    return data


def _first_page() -> list[str]:
    """The first page is the answer."""
    desk = _bars_desk()
    start = datetime.fromtimestamp(desk.now_ns // S - BARS * 60, UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
    query = {"symbols": ",".join(COINS), "timeframe": "1Min", "start": start, "limit": "10000"}
    _, said = desk.ask("GET", CRYPTO, **query)
    return [one for one in COINS if len(said["bars"].get(one, ())) >= BARS]


PAGE_CUT = Exhibit(
    name="l10-page-cut",
    story="Past bars of all symbols come in pages of 10,000 rows; after the first page six symbols had none.",
    sources=("L10",),
    stake="names that are never traded, or traded on a window of nothing",
    right=_all_full,
    wrong=_first_page,
    check=lambda full: full == list(COINS),
)


class ShortPast:
    """A vendor that has an hour of a coin, and says no more about it than that."""

    def __init__(self, now_ns: int) -> None:
        self.now_ns = now_ns

    async def request(
        self, method: str, path: str, body: bytes = b"", query: Mapping[str, str] | None = None
    ) -> Answer:
        """Sixty bars, however many are asked for."""
        starts = [self.now_ns // S - 60 * minute for minute in range(60, 0, -1)]
        stamps = [datetime.fromtimestamp(start, UTC).strftime("%Y-%m-%dT%H:%M:%SZ") for start in starts]
        asked = dict(query or {})
        rows = [{"t": at, "o": 1, "h": 1, "l": 1, "c": 1, "v": 1, "n": 1, "vw": 1} for at in stamps]
        inside = [row for row in rows if asked.get("start", "") <= str(row["t"]) <= asked.get("end", "9")]
        return Answer(200, json.dumps({"bars": {COIN: inside}, "next_page_token": None}).encode())

    async def close(self) -> None:
        """Nothing is open."""


def _said_of_a_short_past() -> list[str]:
    """What is said when 240 bars are asked for and there are sixty."""
    now_ns, said = at_ns(RTH), list[str]()

    async def live(clock: Clock) -> list[str]:
        data = _data(ShortPast(now_ns), clock)
        data.tell = said.append
        await data.crypto([COIN]).history(COIN, MINUTE_NS, 240)
        return ["60 of 240" for text in said if "60 of 240" in text and COIN in text]

    return run_virtual(live, now_ns)


def _takes_what_comes() -> list[str]:
    """A buffer is filled with what there is, and is warm when it says so."""
    return []


NEVER_FILLED = Exhibit(
    name="l10-never-filled",
    story="The window of the trend was never filled, so its gate was open from the first day, and nothing said it.",
    sources=("L10",),
    stake="a filter that everybody believes in and that is not there",
    right=_said_of_a_short_past,
    wrong=_takes_what_comes,
    check=lambda said: said == ["60 of 240"],
)

# --- what ends, and what goes on --------------------------------------------------------------------------------------


def _stopped_early() -> str:
    """A run is stopped before anything was opened."""

    async def live(clock: Clock) -> str:
        rest = Rest(NOWHERE, LOGIN, clock)
        shared = Shared(rest, TradingStream(NOWHERE, LOGIN, clock))
        wanted = Wanted(engine="crypto", facts=facts_of(COIN))
        adapter = Alpaca(wanted, shared, NoMarket, clock, trades=True)
        await adapter.close()
        data = _data(ShortPast(clock.now_ns()), clock)
        await data.crypto([COIN]).close()
        return "stopped"

    return run_virtual(live, NOW_NS)


def _stops_a_feed() -> str:
    """The feed is made when it is opened; stopping asks it to stop."""
    feed: Any = None
    try:
        feed.stop()
    except AttributeError as error:
        return str(error)
    return "stopped"


STOPPED_EARLY = Exhibit(
    name="l6-stopped-early",
    story="A stop crashed on a feed that had not been opened yet, in four places of the way out.",
    sources=("L6",),
    stake="orders that nobody cancels on the way out",
    right=_stopped_early,
    wrong=_stops_a_feed,
    check=lambda ended: ended == "stopped",
)


class FailsOnce:
    """A source of bars whose socket breaks once."""

    name = "alpaca"

    def __init__(self) -> None:
        self.failures = 0

    async def history(self, symbol: str, interval_ns: int, bars: int) -> Sequence[Bar]:
        """None."""
        return ()

    async def bars(self) -> AsyncIterator[Sequence[Bar]]:
        """A bar, after the first time."""
        if not self.failures:
            self.failures += 1
            raise VenueUnreachable("the socket broke")
        yield [Bar("BTC", NOW_NS, MINUTE_NS, PRICE, PRICE, PRICE, PRICE, 1)]
        await asyncio.get_running_loop().create_future()


def _socket_broke() -> int:
    """Bars that come after a source has failed."""
    source = FailsOnce()
    names = {"BTC": COIN}
    said = perform("bars", BarFeed, lambda: BarFeed(source, names, History(MINUTE_NS, 1)), ((1, _nothing),), seconds=90)
    return sum(isinstance(one, BarGiven) for one in said) if any(isinstance(one, BarHistory) for one in said) else -1


def _nothing() -> None:
    """Nothing is done."""


def _group_ends() -> int:
    """In a group of tasks the first error cancels the others."""
    tasks = ["bars", "books", "strategy"]
    for task in list(tasks):
        if task == "bars":
            tasks.clear()
    return len(tasks)


SIBLINGS = Exhibit(
    name="l19-siblings-cancelled",
    story="One WebSocket error of the source of bars cancelled every other task of the engine.",
    sources=("L19",),
    stake="an engine that is gone because of bars that it could do without",
    right=_socket_broke,
    wrong=_group_ends,
    check=lambda bars: bars == 1,
)

ALL = ("BTC/USD", "ETH/USD", *COINS[2:], "AAVE/USD", "BCH/USD", "DOT/USD", "SHIB/USD")


def _says_what_is_left_out() -> int:
    """Fourteen coins on a plan with ten order books: how many the feed says that it does not hear."""

    async def live(clock: Clock) -> int:
        data = Data(NOWHERE, NOWHERE, LOGIN, BASIC, clock, 7)
        feed = data.crypto(ALL, trades=False)
        return min(len(feed.coverage().uncovered), len(feed.deaf()))

    return run_virtual(live, NOW_NS)


def _takes_the_first() -> int:
    """The list is cut where the plan ends."""
    heard = ALL[:10]
    return len([name for name in heard if name not in ALL])


SILENTLY_CUT = Exhibit(
    name="readme-silently-cut",
    story="28 pairs and 138 shares were listed; the free plan heard ten and thirty of them, and nothing said which.",
    sources=("README",),
    stake="names that are believed to be traded",
    right=_says_what_is_left_out,
    wrong=_takes_the_first,
    check=lambda left_out: left_out == 4,
)


def _priced() -> str:
    """An order for SHIB, as it is sent."""
    (facts,) = facts_of("SHIB/USD")
    one = instrument_of(facts)
    order = request(one.lots(Decimal(4_000_000)), symbol="SHIB/USD", engine="crypto", ticks=one.ticks(SHIB_USD))
    text = order_body(order, one, order.lots, None)["limit_price"]
    return "a price" if abs(Decimal(text) / SHIB_USD - 1) < Decimal("0.001") else text


SHIB_USD = Decimal("0.00001187")
CENTS = Exhibit(
    name="l9-shib-in-cents",
    story="A limit was rounded to cents, which for SHIB at Alpaca is 0.00.",
    sources=("L9",),
    stake="an exit that the venue refuses for as long as it is needed",
    right=_priced,
    wrong=lambda: f"{SHIB_USD:.2f}",
    check=lambda text: text == "a price",
)


async def _two_engines(on: AlpacaAdapted) -> list[int]:
    """Coins and shares of one account: fills that each engine hears over the account's one stream."""
    shared = on.adapter.shared
    wanted = Wanted(engine="equities", facts=facts_of(SHARE), known_ns=on.clock.now_ns())
    other = Alpaca(wanted, shared, NoMarket, on.clock, trades=True)
    await other.open()
    feeds = (on.feed, other._account())
    for symbol, size in ((COIN, "0.01"), (SHARE, "2")):
        on.desk.order(symbol, "buy", size)
    for frame in on.desk.updates:
        update = read_frame(frame)
        for hearer in shared.stream.hearers if isinstance(update, Update) else ():
            hearer.hear(update)  # type: ignore[arg-type]
    return [sum(isinstance(one, Fill) and one.side is Side.BUY for one in feed.events) for feed in feeds]


SECOND_ENGINE = Exhibit(
    name="l5-second-engine",
    story="An account has one stream of its orders; the second engine never heard its fills, and had to ask.",
    sources=("L5",),
    stake="fills that are known a minute late",
    right=lambda: adapt_alpaca(_two_engines),
    wrong=lambda: [1, 0],
    check=lambda fills: fills == [1, 1],
)

# --- paper ------------------------------------------------------------------------------------------------------------

RESTS = PRICE - 1


def _rests_on_paper() -> int:
    """A bid rests at the best bid for a minute in which nobody sells: lots that our shadow fills."""
    engine = MatchingEngine(ENGINE, (instrument(),), {"native": (1.5, 4.5)}, EQUITY_MINOR)
    said: list[Any] = []
    for second in range(60):
        now_ns = NOW_NS + second * S
        said += engine.on_book(Book("BTC", now_ns, now_ns, (Level(RESTS, 9.0),), (Level(RESTS + 1, 9.0),)))
        if not second:
            said += engine.submit(request(250, ticks=instrument().ticks(RESTS)), now_ns)
    return sum(one.lots for one in said if isinstance(one, Fill))


def _touched_is_filled() -> int:
    """A paper venue: what the best price touches is filled."""
    return 250 if RESTS >= PRICE - 1 else 0


PAPER_FILLS = Exhibit(
    name="l3-paper-fills",
    story="Paper filled orders that rested, whoever was before them; live, nobody came.",
    sources=("L3",),
    stake="a rehearsal that earns what no market pays",
    right=_rests_on_paper,
    wrong=_touched_is_filled,
    check=lambda lots: lots == 0,
)


async def _paid_in(on: AlpacaAdapted) -> int:
    """A thousand dollars are paid in at noon: what of it is known five minutes later."""
    before = on.adapter.cash_minor or 0
    next(iter(on.desk.exchange.accounts.values())).engine.account.cash_minor += 1_000 * MINOR_PER_USD
    for _ in range(5):
        await on.wait(61)
        await on.adapter.positions()
    return ((on.adapter.cash_minor or 0) - before) // MINOR_PER_USD


CASH_OF_THE_MORNING = Exhibit(
    name="lean-4680",
    story="Cash was asked for once a day; after a transfer everything was sold to cover what was not missing.",
    sources=("lean-4680",),
    stake="a portfolio sold for a number of this morning",
    right=lambda: adapt_alpaca(_paid_in, (SHARE, NO_SHORT)),
    wrong=lambda: 0,
    check=lambda usd: usd == 1_000,
)

# --- frames -----------------------------------------------------------------------------------------------------------


def _mixed() -> tuple[list[bytes], int]:
    """Trade updates of a venue that writes times in UTC and with New York's offset, as it likes; and when they were."""
    desk = AlpacaDesk()
    desk.exchange.telling.mixed = True
    desk.order(COIN, "buy", "0.01")
    return desk.updates, desk.now_ns


def _off_by(times_s: Sequence[float], now_ns: int) -> bool:
    """Whether all of these are of the last minute."""
    return bool(times_s) and all(0 <= now_ns / S - at_s < 60 for at_s in times_s)


def _reads_offsets() -> bool:
    frames, now_ns = _mixed()
    told = [one for frame in frames if isinstance(one := read_frame(frame), Update)]
    return _off_by([one.order.at_ns / S for one in told] + [one.at_ns / S for one in told], now_ns)


def _cuts_the_zone() -> bool:
    """The first nineteen letters are the time, in UTC."""
    frames, now_ns = _mixed()
    rows = [json.loads(frame)["data"] for frame in frames]
    texts = [row["order"]["updated_at"] for row in rows] + [row["timestamp"] for row in rows]
    return _off_by([datetime.fromisoformat(text[:19]).replace(tzinfo=UTC).timestamp() for text in texts], now_ns)


MIXED_TIMES = Exhibit(
    name="trap-mixed-times",
    story="Some times of a trade update end in Z and some in -05:00; cut after the seconds, fills were five hours old.",
    sources=("trap-alpaca",),
    stake="fills taken for those of before the start, and left out",
    right=_reads_offsets,
    wrong=_cuts_the_zone,
    check=lambda fresh: fresh is True,
)


def _frames() -> list[bytes | str]:
    """Trade updates of paper, which come as binary frames, and of live, which come as text."""
    desk = AlpacaDesk()
    desk.order(COIN, "buy", "0.01")
    paper = list(desk.updates)
    desk.order(COIN, "buy", "0.01")
    return [*paper, *(frame.decode() for frame in desk.updates[len(paper) :])]


def _both_kinds() -> int:
    told = [read_frame(frame.encode() if isinstance(frame, str) else frame) for frame in _frames()]
    return sum(isinstance(one, Update) and one.event == "fill" for one in told)


def _text_alone() -> int:
    return sum('"event":"fill"' in frame for frame in _frames() if isinstance(frame, str))


BINARY_FRAMES = Exhibit(
    name="trap-binary-frames",
    story="The trading stream of paper sends JSON in binary frames; a client that heard text alone heard nothing.",
    sources=("trap-alpaca",),
    stake="a rehearsal in which nothing ever fills",
    right=_both_kinds,
    wrong=_text_alone,
    check=lambda fills: fills == 2,
)

EXHIBITS = (
    PAGE_CUT,
    NEVER_FILLED,
    STOPPED_EARLY,
    SIBLINGS,
    SILENTLY_CUT,
    CENTS,
    SECOND_ENGINE,
    PAPER_FILLS,
    CASH_OF_THE_MORNING,
    MIXED_TIMES,
    BINARY_FRAMES,
)
