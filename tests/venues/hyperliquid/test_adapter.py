"""Every method of the Venue protocol, against the emulated exchange on a real socket."""

from decimal import Decimal
from itertools import pairwise

import msgspec
import pytest

from config.errors import ConfigError
from supervisor.clock import NS_PER_S
from tests.venues.emulator.running import ADDRESS, KEY, Running, running
from tests.venues.hyperliquid.adapted import SPEED, Adapted, adapted
from venues.chains import Restored
from venues.hyperliquid.account_wire import UserFunding, UserFundings
from venues.hyperliquid.fields import Exact
from venues.market import Accepted, Book, Cancelled, CancelRefused, Fill, FundingPaid, Rejected, Trade
from venues.market import TimeInForce as Tif
from venues.venue import VenueUnreachable

AGENT_KEY = "0x" + "7" * 64


@pytest.fixture(scope="module")
def venue():
    with running(speed=SPEED) as one:
        yield one


async def flat(one: Adapted) -> None:
    """Close what is open."""
    for held in await one.adapter.positions():
        side = "sell" if held.lots > 0 else "buy"
        order = one.order(held.symbol, side, tif=Tif.IOC, lots=abs(held.lots), away=5.0, reduce_only=True)
        await one.adapter.submit(order)


async def test_opening_tells_what_can_be_traded(venue: Running, tmp_path):
    async with adapted(venue, tmp_path, symbols=("BTC", "kSHIB", "xyz:TSLA")) as one:
        btc, tsla = one.adapter.instruments["BTC"], one.adapter.instruments["xyz:TSLA"]
        assert (btc.leverage, btc.isolated, tsla.isolated) == (10, False, True)
        assert "kSHIB" not in one.adapter.instruments, "it is not listed here, and the others are traded all the same"
        assert any(text.startswith("kSHIB is not traded") for text in one.said)
        assert one.adapter.cash_minor and one.adapter.cash_minor > 0
        assert await one.adapter.history("kSHIB", 60 * NS_PER_S, 10) == ()


async def test_nothing_left_to_trade_is_the_operators_error(venue: Running, tmp_path):
    with pytest.raises(ConfigError, match="the venue trades none of them: kSHIB"):
        async with adapted(venue, tmp_path, symbols=("kSHIB",)):
            pass


async def test_a_key_that_may_not_sign_for_the_account_is_one_clear_error(venue: Running, tmp_path):
    with pytest.raises(ConfigError, match="is no agent wallet"):
        async with adapted(venue, tmp_path, key=AGENT_KEY):
            pass


async def test_the_market_is_one_freshest_book_of_twenty_levels(venue: Running, tmp_path):
    async with adapted(venue, tmp_path) as one:
        await one.until(lambda: sum(type(event) is Trade for event in one.market) > 3)
        del one.market[:]
        await one.until(lambda: sum(type(event) is Book for event in one.market) > 60)
        books = [event for event in one.market if type(event) is Book]
        assert all(5 <= min(len(book.bids), len(book.asks)) == book.depth <= 20 for book in books)
        assert sum(book.depth > 5 for book in books) > len(books) // 2
        assert sum(book.depth == 20 for book in books) > 3
        for symbol in one.adapter.traded:
            stamps = [book.at_ns for book in books if book.symbol == symbol]
            assert stamps == sorted(stamps)
        for book in books:
            bids, asks = [level.price for level in book.bids], [level.price for level in book.asks]
            assert bids == sorted(bids, reverse=True) and asks == sorted(asks) and bids[0] < asks[0]
            assert len({*bids}) == len(bids) and len({*asks}) == len(asks)


async def test_books_that_are_polled_come_as_well(venue: Running, tmp_path):
    async with adapted(venue, tmp_path, fast=False, poll=("ETH",)) as one:
        del one.market[:]
        await one.until(lambda: {"BTC", "ETH"} <= {event.symbol for event in one.market})
        books = lambda symbol: sum(type(event) is Book and event.symbol == symbol for event in one.market)  # noqa: E731
        await one.until(lambda: books("ETH") > 2 * books("BTC") + 5)


async def test_history_is_closed_candles(venue: Running, tmp_path):
    async with adapted(venue, tmp_path) as one:
        await one.clock.sleep(62)  # others have asked much in the last minute
        bars = await one.adapter.history("ETH", 60 * NS_PER_S, 240)
        assert len(bars) == 240
        assert {bar.interval_ns for bar in bars} == {60 * NS_PER_S}
        assert all(after.start_ns == before.end_ns for before, after in pairwise(bars))
        assert bars[-1].end_ns <= one.clock.now_ns() < bars[-1].end_ns + 60 * NS_PER_S
        assert await one.adapter.history("ETH", 7 * NS_PER_S, 5) == ()


async def test_histories_leave_room_for_looks(tmp_path):
    """28 coins took all that questions have of a minute: the reconciler's next two looks had no answer in time."""
    with running(speed=SPEED) as venue:
        async with adapted(venue, tmp_path) as one:
            with pytest.raises(VenueUnreachable, match=r"no room for it within the limits for \d+ s \(it was not sent"):
                for bars in range(200, 240):
                    assert len(await one.adapter.history("ETH", 60 * NS_PER_S, bars)) == bars
            assert bars > 210
            began_ns = one.clock.now_ns()
            for _ in range(2):
                await one.adapter.fills(began_ns)
                await one.adapter.open_orders()
                await one.adapter.positions()
            assert one.clock.now_ns() - began_ns < 10 * NS_PER_S, "what a reconciler waits"
            await one.clock.sleep(62)
            assert await one.adapter.history("ETH", 60 * NS_PER_S, bars)


async def test_an_order_that_crosses_is_accepted_and_its_fills_come(venue: Running, tmp_path):
    async with adapted(venue, tmp_path) as one:
        order = one.order("ETH", "buy", tif=Tif.IOC)
        assert isinstance(await one.adapter.submit(order), Accepted)
        await one.until(lambda: sum(fill.lots for fill in one.of(Fill, order.id)) == order.lots)
        (held,) = await one.adapter.positions()
        assert (held.symbol, held.lots) == ("ETH", order.lots)
        fills = [fill for fill in await one.adapter.fills(one.adapter.wanted.known_ns) if fill.order_id == order.id]
        assert fills == one.of(Fill, order.id)
        found = await one.adapter.find("ETH", order.id)
        assert isinstance(found, Cancelled) and found.lots_filled == order.lots
        await flat(one)
        assert await one.adapter.positions() == []


async def test_an_order_rests_is_found_and_is_cancelled(venue: Running, tmp_path):
    async with adapted(venue, tmp_path) as one:
        order = one.order("BTC", "buy", away=3.0)
        assert isinstance(await one.adapter.submit(order), Accepted)
        (resting,) = await one.adapter.open_orders()
        assert (resting.order_id, resting.lots, resting.lots_filled, resting.ticks) == (
            order.id,
            order.lots,
            0,
            order.ticks,
        )
        assert await one.adapter.find("BTC", order.id) == resting
        gone = await one.adapter.cancel("BTC", order.id)
        assert isinstance(gone, Cancelled) and (gone.lots_filled, gone.reason) == (0, "asked")
        await one.until(lambda: one.of(Cancelled, order.id))
        assert isinstance(await one.adapter.cancel("BTC", order.id), CancelRefused)
        assert await one.adapter.open_orders() == []
        assert [type(event) for event in one.events if event.order_id == order.id] == [Accepted, Cancelled]


async def test_the_venues_refusal_is_the_truth(venue: Running, tmp_path):
    async with adapted(venue, tmp_path) as one:
        small = await one.adapter.submit(one.order("BTC", "buy", lots=1))
        assert isinstance(small, Rejected) and "minimum value" in small.reason
        crossing = one.order("ETH", "buy", away=-3.0)  # post-only, above the ask
        refused = await one.adapter.submit(crossing)
        assert isinstance(refused, Rejected) and "immediately matched" in refused.reason
        grows = await one.adapter.submit(one.order("ETH", "sell", tif=Tif.IOC, reduce_only=True))
        assert isinstance(grows, Rejected) and "Reduce only" in grows.reason
        assert await one.adapter.find("ETH", "never-sent") is None


async def test_a_replace_moves_what_is_not_filled(venue: Running, tmp_path):
    async with adapted(venue, tmp_path) as one:
        first = one.order("BTC", "buy", away=3.0)
        await one.adapter.submit(first)
        second = one.order("BTC", "buy", away=2.5, lots=first.lots, replaces=first.id)
        assert isinstance(await one.adapter.replace(second), Accepted)
        (resting,) = await one.adapter.open_orders()
        assert (resting.order_id, resting.ticks) == (second.id, second.ticks)
        await one.until(lambda: one.of(Cancelled, first.id))
        assert one.of(Cancelled, first.id)[0].reason == "replaced"
        late = one.order("BTC", "buy", away=2.0, lots=first.lots, replaces=first.id)
        assert isinstance(await one.adapter.replace(late), CancelRefused), "the first is gone"
        await one.adapter.cancel("BTC", second.id)


async def test_a_replace_counts_what_the_old_order_filled(venue: Running, tmp_path):
    async with adapted(venue, tmp_path) as one:
        venue.fault(kind="partial_fills", share=0.001, for_s=20)
        first = one.order("xyz:TSLA", "buy", tif=Tif.GTC, away=-0.5, lots=5_000)
        assert isinstance(await one.adapter.submit(first), Accepted)
        await one.until(lambda: one.of(Fill, first.id))
        second = one.order("xyz:TSLA", "buy", away=4.0, lots=first.lots, replaces=first.id)
        assert isinstance(await one.adapter.replace(second), Accepted)
        sent = one.adapter.orders.get(second.id).sent_lots
        assert 0 < sent < first.lots, "what is filled is not ordered again"
        await one.adapter.cancel("xyz:TSLA", second.id)  # or it was cancelled: a fill raced the replace
        await one.until(lambda: one.of(Cancelled, second.id))
        filled = sum(fill.lots for fill in [*one.of(Fill, first.id), *one.of(Fill, second.id)])
        assert one.of(Cancelled, second.id)[-1].lots_filled == filled < first.lots
        assert one.truth()["open_orders"] == []
        await flat(one)


async def test_orders_and_fills_of_an_earlier_run_are_known_by_their_ids(venue: Running, tmp_path):
    async with adapted(venue, tmp_path) as one:
        order, began_ns = one.order("ETH", "buy", away=3.0), one.clock.now_ns()
        await one.adapter.submit(order)
    async with adapted(venue, tmp_path) as other:
        bought = other.order("ETH", "buy", tif=Tif.IOC)
        await other.adapter.submit(bought)
        await flat(other)
    known = (Restored(order, 0, (), False), Restored(bought, 0, (), False))
    async with adapted(venue, tmp_path, known=known, known_ns=began_ns) as again:
        (resting,) = await again.adapter.open_orders()
        assert resting.order_id == order.id
        await again.until(lambda: again.of(Fill, bought.id))
        await again.until(lambda: again.of(Fill, ""))  # of an order that is not known here
        assert isinstance(await again.adapter.cancel("ETH", order.id), Cancelled)


async def test_an_order_that_is_not_ours_is_seen_and_can_be_cancelled(venue: Running, tmp_path):
    async with adapted(venue, tmp_path) as one:
        await one.adapter.submit(one.order("ETH", "sell", away=3.0))
    async with adapted(venue, tmp_path) as other:
        (stray,) = await other.adapter.open_orders()
        assert stray.order_id.startswith("oid:")
        assert isinstance(await other.adapter.cancel("ETH", stray.order_id), Cancelled)
        assert await other.adapter.open_orders() == []


async def test_an_agent_signs_for_its_master(tmp_path):
    from daemon.emulate import address_of

    with running(speed=SPEED, accounts=[f"{ADDRESS}:100000:{address_of(AGENT_KEY)}"]) as venue:
        async with adapted(venue, tmp_path, key=AGENT_KEY) as one:
            order = one.order("ETH", "buy", away=3.0)
            assert isinstance(await one.adapter.submit(order), Accepted)
            assert [row["coin"] for row in venue.truth()["open_orders"]] == ["ETH"]
            await one.adapter.cancel("ETH", order.id)
        async with adapted(venue, tmp_path, key=KEY) as one:
            assert (await one.adapter.open_orders()) == []


async def test_the_venues_limits_were_kept(venue: Running):
    (told,) = venue.statistics()["venue"]["by_ip"].values()
    assert told["weight_per_minute_highest"] <= 1200
    assert told["refused"] == {}


async def test_funding_is_told_once_in_plain_numbers(venue: Running, tmp_path):
    """It came with a decimal of our own kind, which nothing else could write down; an hour's run found it."""
    async with adapted(venue, tmp_path) as one:
        row = UserFunding("ETH", Exact("-0.12"), Exact("1.5"), Exact("0.0000125"), one.clock.now_ns() // 1_000_000)
        for _ in range(2):
            one.adapter._feed.hear(UserFundings(0, ADDRESS, False, (row,)))
        (paid,) = [event for event in one.adapter._feed.events if isinstance(event, FundingPaid)]
        assert (paid.symbol, paid.amount_minor, paid.rate) == ("ETH", -120_000, Decimal("0.0000125"))
        assert msgspec.json.encode(paid)
