"""What the venue changes in mid-run: names that are not tradable any more, and a close that is earlier than ours."""

import pytest

from risk.session import session_on, with_close
from tests.risk.given import calendar as our_calendar
from tests.venues.alpaca.adapted import adapted
from tests.venues.alpaca.fake_alpaca import asset, fake_alpaca, until
from venues.alpaca.calendar import VenueCalendar, hours_ns, local_day
from venues.alpaca.trading_wire import Day, MarketClock
from venues.alpaca.watch import Hours
from venues.market import Accepted, Rejected, SessionMoved

NOON_NS = 1_772_470_800_000_000_000  # 2026-03-02 12:00 in New York
HOUR_NS = 3_600_000_000_000
ZONE = "America/New_York"
TODAY = local_day(NOON_NS, ZONE)
RTH = [{"date": "2026-03-02", "open": "09:30", "close": "16:00"}]


@pytest.fixture
async def venue():
    async with fake_alpaca() as fake:
        yield fake


def days(close: str) -> VenueCalendar:
    return VenueCalendar([Day(date="2026-03-02", open="09:30", close=close)], ZONE)


def clock(next_close: str) -> MarketClock:
    return MarketClock(timestamp="2026-03-02T12:00:00-05:00", is_open=True, next_close=next_close)


@pytest.mark.parametrize(
    ("there", "told", "moved_hours"),
    [
        (days("16:00"), None, None),
        (days("16:00"), clock("2026-03-02T16:00:00-05:00"), None),
        (days("16:00"), clock("2026-03-03T16:00:00-05:00"), None),  # of the next session
        (days("17:00"), None, None),  # ours is the narrower one
        (VenueCalendar([], ZONE), None, None),  # what is held is left by our calendar
        (days("13:00"), None, 1),
        (days("16:00"), clock("2026-03-02T14:00:00-05:00"), 2),
        (days("13:00"), clock("2026-03-02T14:00:00-05:00"), 1),
    ],
)
def test_the_earliest_close_rules(there, told, moved_hours):
    said: list[str] = []
    hours = Hours("equities", said.append)
    moved = hours.moved(there, told, NOON_NS)
    assert hours.moved(there, told, NOON_NS) == moved and len(said) == (moved is not None)
    if moved_hours is None:
        assert moved is None
    else:
        assert moved == SessionMoved("equities", "2026-03-02", NOON_NS + moved_hours * HOUR_NS, NOON_NS)
        session = session_on(TODAY, with_close(our_calendar(), TODAY, moved.closes_ns))
        assert session is not None and session.closes_ns == moved.closes_ns


def test_a_close_can_only_be_brought_forward():
    ours = session_on(TODAY, our_calendar())
    assert ours is not None and (ours.opens_ns, ours.closes_ns) == hours_ns(Hours("equities", print).ours, TODAY)
    assert session_on(TODAY, with_close(our_calendar(), TODAY, ours.closes_ns + HOUR_NS)) == ours
    assert session_on(TODAY, with_close(our_calendar(), TODAY, ours.opens_ns)) is None


async def test_an_early_close_is_said_again_and_again(venue):
    venue.days = RTH
    async with adapted(venue, ("COST",), speed=2_000.0) as one:
        venue.clock, venue.closes = "2026-03-02T10:00:00-05:00", "2026-03-02T13:00:00-05:00"
        await until(lambda: len(one.of(SessionMoved)) > 2)
        assert {moved.closes_ns for moved in one.of(SessionMoved)} == {NOON_NS + HOUR_NS}
        assert sum("the venue closes at 13:00" in text for text in one.said) == 1


@pytest.mark.parametrize("symbol", ["BTC/USD", "COST"])
async def test_a_name_that_stops_being_tradable_takes_no_entries_until_it_is_back(venue, symbol):
    venue.days = RTH
    venue.assets.append(asset("ETH/USD", "crypto"))
    async with adapted(venue, (symbol,), speed=500.0) as one:
        (row,) = [listed for listed in venue.assets if listed["symbol"] == symbol]
        entry = lambda: one.adapter.submit(one.order(symbol, "buy", "1", "900"))  # noqa: E731
        assert isinstance(await entry(), Accepted)
        row["tradable"] = False
        await until(lambda: any("no entries until it is back" in text for text in one.said))
        refused = await entry()
        assert isinstance(refused, Rejected) and f"{symbol} is not tradable" in refused.reason
        leaves = await one.adapter.submit(one.order(symbol, "sell", "1", "900", reduce_only=True))
        assert isinstance(leaves, Accepted), "an exit is the venue's to refuse"
        venue.assets.remove(row)
        await until(lambda: any(f"{symbol} is not listed" in text for text in one.said))
        venue.assets.append(row | {"tradable": True})
        await until(lambda: f"{symbol} is tradable again" in one.said)
        assert isinstance(await entry(), Accepted)


async def test_a_halt_that_only_orders_tell_of_ends(venue):
    async with adapted(venue, speed=500.0) as one:
        venue.refusals.append((403, {"code": 40310000, "message": "asset BTC/USD is not tradable"}))
        assert isinstance(await one.adapter.submit(one.order("BTC/USD", "buy", "1", "900")), Rejected)
        halted = await one.adapter.submit(one.order("BTC/USD", "buy", "1", "900"))
        assert isinstance(halted, Rejected) and "no more entries" in halted.reason
        desk = one.adapter._desk
        assert desk is not None
        await until(lambda: not desk.shut)
        assert isinstance(await one.adapter.submit(one.order("BTC/USD", "buy", "1", "900")), Accepted)
        desk.shut["BTC/USD"] = ("2026-03-02", "not allowed to trade: pattern day trading")
        asked = sum(path == "/v2/assets" for _, path, _ in venue.asked)
        await until(lambda: sum(path == "/v2/assets" for _, path, _ in venue.asked) > asked + 2)
        assert desk.shut, "no day trades are left today, whatever is listed"


async def test_a_list_without_a_coin_says_nothing(venue):
    async with adapted(venue, speed=500.0) as one:
        before, venue.assets = venue.assets, []
        await until(lambda: any("what is tradable is not known" in text for text in one.said))
        venue.assets = before
        assert isinstance(await one.adapter.submit(one.order("BTC/USD", "buy", "1", "900")), Accepted)
