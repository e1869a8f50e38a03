"""Past bars over HTTP on loopback: every page, every symbol, and why a buffer has what it has."""

import asyncio
import json
from contextlib import asynccontextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path
from zoneinfo import ZoneInfo

import pytest

from config.errors import ConfigError
from supervisor.clock import NS_PER_S, Clock
from supervisor.virtual import run_virtual
from tests.venues.alpaca.fake_market import Told, fake_bars
from venues.alpaca import bars as bars_module
from venues.alpaca.bars import CRYPTO, STOCKS, BarsRest, Fullness, Wanted, closed_bar, timeframe
from venues.alpaca.bars_wire import read_page
from venues.alpaca.data import Data
from venues.alpaca.login import Login
from venues.alpaca.plan import BASIC, PLUS
from venues.market import Bar
from venues.rest import NotAnswered, Rest
from venues.venue import VenueMisspoke

FILES = Path(__file__).resolve().parents[4] / "shared" / "data" / "wire"
MINUTE_NS, DAY_NS = 60 * NS_PER_S, 86_400 * NS_PER_S
MINUTES = Wanted(path=CRYPTO, interval_ns=MINUTE_NS, bars=240)
LOGIN = Login(Told("key"), Told("hunter2"))


def at(text: str) -> int:
    return round(datetime.fromisoformat(text).replace(tzinfo=UTC).timestamp()) * NS_PER_S


NOW_NS = at("2026-03-11 15:00:30")


def stamp(ns: int) -> str:
    return datetime.fromtimestamp(ns // NS_PER_S, UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


def row(start_ns: int, price: float = 10.0) -> dict:
    return {"t": stamp(start_ns), "o": price, "h": price + 1, "l": price - 1, "c": price, "v": 0, "n": 0, "vw": price}


class Venue:
    """Bars as Alpaca answers: sorted by symbol and time, so many to a page, the next by a token."""

    def __init__(self, rows: dict[str, list[dict]], page: int = 10_000):
        self.rows = rows
        self.page = page
        self.asked: list[dict[str, str]] = []
        self.headers: list[dict[str, str]] = []
        self.answers: list[tuple[str, object]] = []  # first these
        self.tokens = True

    def __call__(self, path, query, headers):
        self.asked.append({"path": path, **query})
        self.headers.append(headers)
        if self.answers:
            return self.answers.pop(0)
        names = query["symbols"].split(",")
        if unknown := [name for name in names if name not in self.rows]:
            return "400 Bad Request", {"message": f"invalid symbol: {unknown[0]}"}
        found = [
            (name, one)
            for name in sorted(names)
            for one in self.rows[name]
            if query.get("start", "") <= one["t"] <= query.get("end", "9")
        ]
        first = int(query.get("page_token", "0"))
        bars: dict[str, list[dict]] = {}
        for name, one in found[first : first + self.page]:
            bars.setdefault(name, []).append(one)
        more = len(found) > first + self.page and self.tokens
        return "200 OK", {"bars": bars, "next_page_token": str(first + self.page) if more else None}


def minutes(count: int, *, until_ns: int = NOW_NS, every: int = 1) -> list[dict]:
    """Bars up to the one that is open at a time, which is the last."""
    last_ns = until_ns - until_ns % MINUTE_NS
    return [row(last_ns - place * every * MINUTE_NS, 10 + place % 7) for place in reversed(range(count))]


@asynccontextmanager
async def asking(venue, *, plan=BASIC, now_ns=NOW_NS, speed=1.0):
    async with fake_bars(venue) as url:
        clock = Clock(asyncio.get_running_loop(), now_ns, speed)
        bars = BarsRest(lambda: Rest(url, headers=LOGIN.headers), plan, clock, 7)
        try:
            yield bars
        finally:
            await bars.close()


async def test_every_page_is_read_and_every_symbol_is_full():
    names = [f"C{number:02}/USD" for number in range(28)]
    venue = Venue({name: minutes(400) for name in names}, page=1000)
    async with asking(venue) as bars:
        found = await bars.buffers(names, MINUTES)
    assert [buffer.fullness for buffer in found.values()] == [Fullness.FULL] * 28
    for name in names:
        times = [bar.start_ns for bar in found[name].bars]
        assert (len(times), times[-1]) == (240, NOW_NS - NOW_NS % MINUTE_NS - MINUTE_NS)  # the open one is left out
        assert times == sorted(set(times))
        assert {bar.symbol for bar in found[name].bars} == {name}
        assert min(bar.books for bar in found[name].bars) == 1  # nobody traded, yet it is no silent bar
    assert len(venue.asked) == 8
    asked = venue.asked[0]
    assert (asked["path"], asked["timeframe"], asked["limit"], asked["sort"]) == (CRYPTO, "1Min", "10000", "asc")
    assert "feed" not in asked
    assert venue.headers[0]["apca-api-key-id"] == "key"


async def test_what_is_not_full_says_why():
    rows = {
        "FULL/USD": minutes(2000),
        "NEW/USD": minutes(100),  # listed 99 minutes ago
        "RARE/USD": minutes(200, every=5),
        "GAPS/USD": minutes(600, every=2),  # older ones make it full
        "NONE/USD": [],
    }
    async with asking(Venue(rows)) as bars:
        found = await bars.buffers([*rows, "ODD"], MINUTES)
    told = {name: (buffer.fullness, len(buffer.bars)) for name, buffer in found.items()}
    assert told == {
        "FULL/USD": (Fullness.FULL, 240),
        "NEW/USD": (Fullness.SHORT, 99),
        "RARE/USD": (Fullness.SPARSE, 199),
        "GAPS/USD": (Fullness.FULL, 240),
        "NONE/USD": (Fullness.NONE, 0),
        "ODD": (Fullness.REFUSED, 0),
    }
    assert str(found["NEW/USD"]).startswith("NEW/USD: 99 of 240 bars, the first of 2026-03-11T13:21:00Z, listed so sh")
    assert "invalid symbol: ODD" in str(found["ODD"])


async def test_a_full_page_without_a_token_is_not_believed(monkeypatch):
    """The venue cut without saying so: symbols are asked for alone until none is cut, or it is told which is."""
    monkeypatch.setattr(bars_module, "ROWS_MAX", 500)
    names = ("A/USD", "B/USD", "C/USD", "D/USD")
    venue = Venue({name: minutes(400) for name in names}, page=500)
    venue.tokens = False
    async with asking(venue) as bars:
        found = await bars.buffers(names, MINUTES)
        assert {buffer.fullness for buffer in found.values()} == {Fullness.FULL}
        monkeypatch.setattr(bars_module, "ROWS_MAX", 200)
        venue.page = 200
        found = await bars.buffers(names, MINUTES)
    assert {buffer.fullness for buffer in found.values()} == {Fullness.TRUNCATED}


@pytest.mark.parametrize(
    "page",
    [{"bars": None, "next_page_token": None}, {"bars": {}, "next_page_token": None}, {"bars": {"A/USD": None}}],
)
async def test_an_empty_page_is_an_end(page):
    venue = Venue({})
    venue.answers = [("200 OK", page)] * 2
    async with asking(venue) as bars:
        found = await bars.buffers(["A/USD"], MINUTES)
    assert found["A/USD"].fullness is Fullness.NONE


async def test_an_empty_page_with_a_token_is_none():
    venue = Venue({"A/USD": minutes(300)})
    venue.answers = [("200 OK", {"bars": None, "next_page_token": "0"})]
    async with asking(venue) as bars:
        assert (await bars.buffers(["A/USD"], MINUTES))["A/USD"].fullness is Fullness.FULL


async def test_pages_without_end_are_refused():
    venue = Venue({})
    venue.answers = [("200 OK", {"bars": {}, "next_page_token": "again"})] * 3
    async with asking(venue) as bars:
        with pytest.raises(VenueMisspoke, match="pages without end"):
            await bars.buffers(["A/USD"], MINUTES)


async def test_a_row_that_cannot_be_read_is_told_of_its_symbol_alone():
    rows = {"A/USD": minutes(300), "B/USD": minutes(300)}
    rows["A/USD"][-3] = rows["A/USD"][-3] | {"c": -1}
    rows["B/USD"][-3] = rows["B/USD"][-3] | {"c": None, "o": "7"}
    async with asking(Venue(rows | {"C/USD": minutes(300)})) as bars:
        found = await bars.buffers([*rows, "C/USD"], MINUTES)
    assert [one.fullness for one in found.values()] == [Fullness.DAMAGED, Fullness.DAMAGED, Fullness.FULL]


async def test_a_question_may_be_asked_again():
    venue = Venue({"A/USD": minutes(300)})
    venue.answers = [("504 Gateway Timeout", b""), (f"429 X\r\nX-RateLimit-Reset: {NOW_NS // NS_PER_S + 30}", {})]
    async with asking(venue, speed=100.0) as bars:
        assert (await bars.buffers(["A/USD"], MINUTES))["A/USD"].fullness is Fullness.FULL
        assert bars.clock.now_ns() >= NOW_NS // NS_PER_S * NS_PER_S + 30 * NS_PER_S
        assert len(venue.asked) == 3
        venue.answers = [("503 Service Unavailable", b"")] * 9
        with pytest.raises(NotAnswered, match="503"):
            await bars.buffers(["A/USD"], MINUTES)
        assert len(venue.answers) == 5


@pytest.mark.parametrize("status", ["401 Unauthorized", "403 Forbidden"])
async def test_a_wrong_key_is_the_operators_to_mend(status):
    venue = Venue({})
    venue.answers = [(status, {"message": "forbidden."})]
    async with asking(venue) as bars:
        with pytest.raises(ConfigError, match=r"alpaca_paper_key_id: is refused .* forbidden") as raised:
            await bars.check(CRYPTO, "BTC/USD", "iex")
    assert "hunter2" not in str(raised.value)


async def test_a_key_that_was_good_and_is_refused_ends_nothing():
    venue = Venue({})
    venue.answers = [("200 OK", {"bars": {}}), ("403 Forbidden", {"message": "forbidden."})]
    async with asking(venue) as bars:
        await bars.check(CRYPTO, "BTC/USD", "iex")
        with pytest.raises(VenueMisspoke, match="forbidden"):
            await bars.check(CRYPTO, "BTC/USD", "iex")


async def test_what_the_plan_lacks_is_told_by_symbol():
    venue = Venue({})
    venue.answers = [("403 Forbidden", {"message": "subscription does not permit querying recent SIP data"})]
    async with asking(venue) as bars:
        wanted = Wanted(path=STOCKS, interval_ns=DAY_NS, bars=60, feed="sip")
        assert (await bars.buffers(["COST"], wanted))["COST"].fullness is Fullness.REFUSED


def test_requests_keep_to_the_plan():
    async def main(clock: Clock) -> tuple[int, int]:
        class Counted:
            async def request(self, *_, **__):
                raise NotAnswered("/", "not there", sent=False)

        bars = BarsRest(Counted, BASIC, clock, 7)
        start_ns = clock.now_ns()
        while clock.now_ns() - start_ns < 60 * NS_PER_S:
            with pytest.raises(NotAnswered):
                await bars.buffers(["A/USD"], MINUTES)
        return bars.requests, bars._budget._booked.maxlen

    requests, most = run_virtual(main, NOW_NS)
    assert requests <= most == 150
    assert PLUS.requests_per_minute > BASIC.requests_per_minute


DAYS = Wanted(path=STOCKS, interval_ns=DAY_NS, bars=60, feed="iex")


@pytest.mark.parametrize(
    ("now", "closed"),
    [
        ("2026-03-11 15:00:00", False),  # 11:00 in New York
        ("2026-03-11 20:10:00", False),  # the bell, and late prints
        ("2026-03-11 20:20:00", True),
        ("2026-03-12 04:00:00", True),
    ],
)
def test_a_day_is_closed_after_its_session(now, closed):
    day = Bar("COST", at("2026-03-11 04:00:00"), DAY_NS, 1, 1, 1, 1, 5)  # midnight in New York, in summer time
    found = closed_bar(day, DAYS, at(now))
    assert (found is not None) is closed
    if found:
        assert found.start_ns == at("2026-03-11 00:00:00")


def test_a_half_day_closes_at_one():
    day = Bar("COST", at("2026-11-27 05:00:00"), DAY_NS, 1, 1, 1, 1, 5)  # after Thanksgiving, in winter time
    assert closed_bar(day, DAYS, at("2026-11-27 18:20:00")).start_ns == at("2026-11-27 00:00:00")
    assert closed_bar(day, DAYS, at("2026-11-27 18:19:59")) is None


async def test_daily_closes_of_shares():
    first = datetime(2025, 9, 1, tzinfo=ZoneInfo("America/New_York"))  # midnight there, summer and winter
    nights = [first + timedelta(days=place) for place in range(192)]
    days = [row(round(night.timestamp()) * NS_PER_S, 900.0) for night in nights]
    venue = Venue({"COST": days, "Q": days[-30:]})
    async with asking(venue) as bars:
        found = await bars.buffers(["COST", "Q"], DAYS)
    assert [one.fullness for one in found.values()] == [Fullness.FULL, Fullness.SHORT]
    assert [stamp(found["COST"].bars[place].start_ns)[:10] for place in (0, -1)] == ["2026-01-10", "2026-03-10"]
    asked = venue.asked[0]
    assert (asked["timeframe"], asked["adjustment"], asked["feed"]) == ("1Day", "all", "iex")


async def test_an_engines_history_is_asked_for_once():
    names = ("A/USD", "B/USD", "NEW/USD")
    venue = Venue({"A/USD": minutes(300), "B/USD": minutes(300), "NEW/USD": minutes(9)})
    async with fake_bars(venue) as url:
        clock = Clock(asyncio.get_running_loop(), NOW_NS)
        data, told = Data(url, url, LOGIN, BASIC, clock, 7), []
        data.tell = told.append
        feed = data.crypto(names)
        assert not (await feed.open()).uncovered
        first = len(venue.asked)
        assert [len(await feed.history(name, MINUTE_NS, 240)) for name in names] == [240, 240, 8]
        assert len(venue.asked) == first + 2  # and once for what lacked
        assert await feed.history("OTHER/USD", MINUTE_NS, 240) == ()
        assert [text for text in told if "NEW/USD: 8 of 240" in text]
        given = data.crypto_bars({"kA": "A/USD"})
        assert {bar.symbol for bar in await given.history("kA", MINUTE_NS, 240)} == {"kA"}
        await data.close()


def test_lengths_have_names():
    names = {MINUTE_NS: "1Min", 15 * MINUTE_NS: "15Min", 60 * MINUTE_NS: "1Hour", 4 * 60 * MINUTE_NS: "4Hour"}
    assert {length: timeframe(length) for length in (*names, DAY_NS)} == names | {DAY_NS: "1Day"}
    for length in (1, MINUTE_NS + 1, 61 * MINUTE_NS, 7 * DAY_NS, 0):
        with pytest.raises(ValueError, match="Alpaca has bars of"):
            timeframe(length)


def test_the_sdks_example_is_read():
    file = FILES / "alpaca_py" / "alpaca" / "data_test_historical_crypto_data.jsonl"
    if not file.is_file():
        pytest.skip(f"no bodies at {file}")
    said = next(line for line in map(json.loads, file.read_text().splitlines()) if "crypto_bars" in line["test"])
    page = read_page(said["raw"].encode(), DAY_NS)
    assert (page.bars["BTC/USD"][0].open, page.bars["ETH/USD"][0].low, page.token) == (161.51, 832.01, "")
    assert not page.damaged


@pytest.mark.parametrize("body", [b"", b"[]", b"{}", b'{"bars":[]}', b'{"bars":{"A":7}}', b"[" * 9_000])
def test_damage_is_refused(body):
    with pytest.raises(VenueMisspoke):
        read_page(body, DAY_NS)
