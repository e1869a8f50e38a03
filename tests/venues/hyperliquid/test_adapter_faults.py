"""The adapter on a bad day: every kind of fault that concerns a client, one by one, and what it makes of it."""

import asyncio

import pytest

from supervisor.clock import NS_PER_S
from tests.venues.emulator.running import Running, running
from tests.venues.hyperliquid.adapted import SPEED, Adapted, adapted
from venues.hyperliquid.account import OVERLAP_NS, AccountFeed
from venues.hyperliquid.subscriptions import Gap
from venues.market import Accepted, Book, Cancelled, CancelRefused, Fill, Rejected
from venues.market import TimeInForce as Tif
from venues.venue import PROOF_NS, VenueMisspoke, VenueUnreachable

IOC = Tif.IOC


@pytest.fixture(scope="module")
def venue():
    with running(speed=SPEED) as one:
        yield one


async def bought(one: Adapted, symbol: str = "ETH") -> str:
    """Buy at the market; the order's id."""
    order = one.order(symbol, "buy", tif=IOC)
    assert isinstance(await one.adapter.submit(order), Accepted)
    return order.id


def lots(one: Adapted, order_id: str) -> int:
    return sum(fill.lots for fill in one.of(Fill, order_id))


async def filled(one: Adapted, order_id: str) -> None:
    """Wait for all fills of an order, each heard once."""
    wanted = one.adapter.orders.get(order_id).request.lots
    await one.until(lambda: lots(one, order_id) == wanted)
    ids = [fill.id for fill in one.of(Fill, order_id)]
    assert len(ids) == len({*ids})


async def test_an_answer_that_never_comes_is_doubt_and_the_stream_knows(venue: Running, tmp_path):
    async with adapted(venue, tmp_path) as one:
        one.adapter.shared.rest.limits.total_s  # noqa: B018  # nine seconds; the executor waits ten
        venue.fault(kind="timeout_after_accept", requests=["order"], delay_s=0)
        order = one.order("ETH", "buy", tif=IOC)
        with pytest.raises((VenueUnreachable, TimeoutError)):
            async with asyncio.timeout(1.0):  # less than the client's own patience, which the test has not
                await one.adapter.submit(order)
        await filled(one, order.id)
        found = await one.adapter.find("ETH", order.id)
        assert isinstance(found, Cancelled) and found.lots_filled == order.lots


async def test_a_request_that_was_lost_is_doubt_until_the_fence_proves_it_gone(venue: Running, tmp_path):
    async with adapted(venue, tmp_path) as one:
        venue.fault(kind="lost_before", requests=["order"])
        order = one.order("ETH", "buy", away=3.0)
        with pytest.raises(VenueUnreachable):
            await one.adapter.submit(order)
        await one.clock.sleep_until(order.expires_ns + 1)
        assert await one.adapter.find("ETH", order.id) is None
        assert one.truth()["open_orders"] == []


async def test_an_order_that_expired_is_refused_before_its_fence(venue: Running, tmp_path):
    """What was held up on its way is refused by the venue's own clock, not by ours."""
    async with adapted(venue, tmp_path) as one:
        one.adapter.skew.hear = lambda *_: None  # as if no book came to tell
        venue.fault(kind="clock_skew", skew_ms=20_000, for_s=20)
        refused = await one.adapter.submit(one.order("ETH", "buy", away=3.0))
        assert isinstance(refused, Rejected) and "expired" in refused.reason
        await one.clock.sleep(42)  # its time does not turn back, it stands until ours has come up


@pytest.mark.parametrize(("skew_s", "told"), [(40, "behind the venue's"), (-40, "ahead of the venue's")])
async def test_while_the_clocks_are_apart_exits_go_and_entries_do_not(tmp_path, skew_s, told):
    """An expiry by a clock that is 40 s behind is over before it is sent; by one that is ahead it is no fence."""
    with running(speed=SPEED) as venue:
        async with adapted(venue, tmp_path) as one:
            entry = await bought(one)
            await filled(one, entry)
            held = one.adapter.orders.get(entry).request.lots
            venue.fault(kind="clock_skew", skew_ms=1_000 * skew_s, for_s=400)
            await one.until(lambda: told in one.adapter.skew.apart)
            heard = len(one.market)
            await one.until(lambda: len(one.market) > heard + 20)
            assert sum(told in text for text in one.said) == 1, "said once, not for each book"
            assert {*one.adapter.deaf()} == {*one.adapter.traded}
            refused = await one.adapter.submit(one.order("ETH", "buy", away=3.0))
            assert isinstance(refused, Rejected) and told in refused.reason
            part = one.order("ETH", "sell", tif=IOC, lots=held // 2, reduce_only=True)
            assert isinstance(await one.adapter.submit(part), Accepted)
            await filled(one, part.id)
            venue.fault(kind="lost_before", requests=["order"])
            lost = one.order("ETH", "sell", away=3.0, lots=held // 4, reduce_only=True)
            with pytest.raises(VenueUnreachable):
                await one.adapter.submit(lost)
            await one.clock.sleep_until(lost.expires_ns + PROOF_NS + NS_PER_S)
            if skew_s < 0:  # by the venue's clock, if it is right, it could come for half a minute more
                with pytest.raises(VenueUnreachable, match="may still come"):
                    await one.adapter.find("ETH", lost.id)
                await one.clock.sleep(40)
            assert await one.adapter.find("ETH", lost.id) is None
            assert one.truth()["open_orders"] == []


async def test_entries_go_again_when_the_clocks_agree(tmp_path):
    with running(speed=SPEED) as venue:
        async with adapted(venue, tmp_path) as one:
            venue.fault(kind="clock_skew", skew_ms=12_000, for_s=40)
            await one.until(lambda: any("behind" in text for text in one.said))
            await one.until(lambda: any("agree again" in text for text in one.said))
            assert not one.adapter.deaf()
            await filled(one, await bought(one))


async def test_ok_with_an_error_inside_is_a_refusal(venue: Running, tmp_path):
    async with adapted(venue, tmp_path) as one:
        venue.fault(kind="inner_error", requests=["order"])
        refused = await one.adapter.submit(one.order("ETH", "buy", tif=IOC))
        assert isinstance(refused, Rejected) and "Insufficient margin" in refused.reason
        resting = one.order("BTC", "buy", away=3.0)
        assert isinstance(await one.adapter.submit(resting), Accepted)
        venue.fault(
            kind="inner_error", requests=["cancelByCloid"], text="Order was never placed, already canceled, or filled."
        )
        assert isinstance(await one.adapter.cancel("BTC", resting.id), CancelRefused)
        found = await one.adapter.find("BTC", resting.id)
        assert found is not None and not isinstance(found, Cancelled), "it rests, whatever the refusal said"
        await one.adapter.cancel("BTC", resting.id)


async def test_text_that_is_no_answer_is_doubt(venue: Running, tmp_path):
    async with adapted(venue, tmp_path) as one:
        venue.fault(kind="garbled", requests=["order"])
        order = one.order("ETH", "buy", tif=IOC)
        with pytest.raises((VenueMisspoke, VenueUnreachable)) as error:
            await one.adapter.submit(order)
        assert "order" not in str(error.value), error.value
        await filled(one, order.id)


async def test_a_429_is_doubt_though_nothing_was_done(tmp_path):
    with running(speed=SPEED) as venue:
        async with adapted(venue, tmp_path) as one:
            venue.fault(kind="http_429", requests=["order"], done=True)
            order = one.order("ETH", "buy", tif=IOC)
            with pytest.raises(VenueUnreachable):
                await one.adapter.submit(order)
            await filled(one, order.id)
            refused = await one.adapter.submit(one.order("ETH", "buy", tif=IOC))
            assert isinstance(refused, Rejected) and refused.reason.startswith("not sent"), "the minute is used up"
            await one.clock.sleep(5)
            sold = one.order("ETH", "sell", tif=IOC, lots=order.lots, reduce_only=True)
            assert isinstance(await one.adapter.submit(sold), Accepted), "exits are the first to go again"


async def test_a_question_that_fails_never_reads_as_flat(venue: Running, tmp_path):
    async with adapted(venue, tmp_path) as one:
        await filled(one, await bought(one))
        for kind, of in (("garbled", "clearinghouseState"), ("lost_before", "frontendOpenOrders")):
            venue.fault(kind=kind, requests=[of])
            ask = one.adapter.positions if of == "clearinghouseState" else one.adapter.open_orders
            with pytest.raises((VenueMisspoke, VenueUnreachable)):
                await ask()
        assert [held.symbol for held in await one.adapter.positions()] == ["ETH"]


@pytest.mark.parametrize("kind", ["late_fills", "duplicate_fills", "reordered_fills"])
async def test_fills_that_come_late_twice_or_in_disorder_are_told_once(venue: Running, tmp_path, kind):
    async with adapted(venue, tmp_path) as one:
        for _ in range(3):
            venue.fault(kind=kind)
        ids = [await bought(one, symbol) for symbol in ("ETH", "BTC", "ETH")]
        for order_id in ids:
            await filled(one, order_id)
        await one.clock.sleep(8)
        for order_id in ids:
            await filled(one, order_id)


async def test_an_end_is_told_after_its_fills_though_they_come_late(venue: Running, tmp_path):
    """The seed took origSz - sz for the lots; here the end waits for fills, and asks for those that do not come."""
    async with adapted(venue, tmp_path) as one:
        venue.fault(kind="partial_fills", share=0.001, for_s=15)
        for _ in range(2):
            venue.fault(kind="late_fills", delay_s=30)
        order = one.order("xyz:TSLA", "buy", tif=IOC, lots=5_000)
        await one.adapter.submit(order)
        await one.until(lambda: one.of(Cancelled, order.id))
        (over,) = one.of(Cancelled, order.id)
        assert over.lots_filled == lots(one, order.id) > 0
        assert [type(event) for event in one.events if event.order_id == order.id][-1] is Cancelled


@pytest.mark.parametrize("fault", [{"kind": "close"}, {"kind": "close", "code": 1001}, {"kind": "idle_close"}])
async def test_what_happened_while_the_account_was_deaf_is_asked_for(venue: Running, tmp_path, fault):
    async with adapted(venue, tmp_path) as one:
        resting = one.order("ETH", "buy", away=3.0)
        await one.adapter.submit(resting)
        before = sum("account" in text and "ended" in text for text in one.said)
        venue.fault(channels=["userFills"], **fault)
        order_id = await bought(one)
        await filled(one, order_id)
        await one.adapter.cancel("ETH", resting.id)
        await one.until(lambda: one.of(Cancelled, resting.id), 12)
        await one.until(lambda: sum("account" in text and "ended" in text for text in one.said) > before, 12)
        await one.until(lambda: not one.adapter._feed.gaps, 12)


@pytest.mark.parametrize(
    ("kind", "channel", "socket"),
    [
        ("close", "userFills", "account"),
        ("mute", "userFills", "account"),
        ("close", "trades", "perps books"),
        ("mute", "trades", "perps books"),
        ("close", "l2Book", "perps"),
    ],
)
async def test_one_socket_less_shuts_entries_until_all_is_heard_again(venue: Running, tmp_path, kind, channel, socket):
    """`trades` names the socket of whole books, `l2Book` one of the two."""
    async with adapted(venue, tmp_path) as one:
        await one.until(lambda: not one.adapter.deaf())
        venue.fault(kind=kind, channels=[channel], **({"for_s": 0} if kind == "mute" else {}))
        await one.until(lambda: {*one.adapter.deaf()} == {*one.adapter.traded})
        await one.until(lambda: not one.adapter.deaf())
        assert [text for text in one.said if " ended: " in text and socket in text], one.said
        assert not one.adapter._feed.gaps.keys() & {"userFills", "orderUpdates"}


async def test_a_gap_told_while_another_is_mended_is_mended_too(venue: Running, tmp_path):
    """The page was made before the second gap began, so what it missed is not on it."""
    async with adapted(venue, tmp_path) as one:
        feed: AccountFeed = one.adapter._feed
        await one.until(lambda: not feed.gaps)
        asked, rows, since_ns = [], feed.rows, one.clock.now_ns()

        async def deaf_again(since_ns: int):
            found = await rows(since_ns)
            asked.append(since_ns)
            if len(asked) == 1:
                feed.hear(Gap("userFills", one.clock.now_ns(), one.clock.now_ns()))
                assert not feed.whole()
            return found

        feed.rows = deaf_again
        feed.hear(Gap("userFills", since_ns, one.clock.now_ns()))
        await one.until(lambda: not feed.gaps)
        assert asked == [since_ns - OVERLAP_NS] * 2


async def test_a_gap_that_could_not_be_mended_stays(venue: Running, tmp_path):
    async with adapted(venue, tmp_path) as one:
        feed: AccountFeed = one.adapter._feed
        await one.until(lambda: not feed.gaps)
        venue.fault(kind="lost_before", requests=["userFillsByTime"])
        feed.hear(Gap("userFills", one.clock.now_ns(), one.clock.now_ns()))
        await one.until(lambda: any("still missing" in text for text in one.said))
        assert not feed.whole()
        assert {*one.adapter.deaf()} == {*one.adapter.traded}
        await one.until(lambda: not feed.gaps)


async def test_a_mute_account_is_found_out_and_its_fills_are_not_lost(venue: Running, tmp_path):
    async with adapted(venue, tmp_path) as one:
        venue.fault(kind="mute", channels=["userFills"], for_s=0)
        order_id = await bought(one)
        await asyncio.sleep(0.2)
        assert lots(one, order_id) == 0, "nobody said so"
        await filled(one, order_id)  # no pong within ten seconds: another socket, whose snapshot tells
        assert any("mute" in text for text in one.said)


async def test_a_mute_market_is_found_out(venue: Running, tmp_path):
    async with adapted(venue, tmp_path) as one:
        venue.fault(kind="mute", channels=["l2Book"], for_s=0)
        await one.until(lambda: any("mute" in text for text in one.said))
        del one.market[:]
        await one.until(lambda: {event.symbol for event in one.market if type(event) is Book} == {*one.adapter.traded})


async def test_a_restart_of_the_exchange_is_lived_through(tmp_path):
    with running(speed=SPEED) as venue:
        async with adapted(venue, tmp_path) as one:
            venue.fault(kind="restart", for_s=10, post_only_s=10)
            with pytest.raises(VenueUnreachable):
                await one.adapter.submit(one.order("ETH", "buy", tif=IOC))
            await one.clock.sleep(11)
            refused = await one.adapter.submit(one.order("ETH", "buy", tif=IOC))
            assert isinstance(refused, Rejected) and "post-only" in refused.reason
            await one.clock.sleep(10)
            await filled(one, await bought(one))
            await one.until(lambda: not one.adapter._feed.streams.uncovered())


async def test_a_name_that_is_delisted_ends_its_orders_and_its_position(tmp_path):
    with running(speed=SPEED) as venue:
        async with adapted(venue, tmp_path) as one:
            await filled(one, await bought(one, "ETH"))
            resting = one.order("ETH", "buy", away=3.0)
            await one.adapter.submit(resting)
            another = one.order("ETH", "buy", away=3.0)
            venue.fault(kind="delist", symbols=["ETH"])
            await one.until(lambda: one.of(Cancelled, resting.id))
            await one.until(lambda: one.of(Fill, ""))  # the venue's own, which settles it
            assert await one.adapter.positions() == []
            assert isinstance(await one.adapter.submit(another), Rejected)
            del one.market[:]
            await one.until(lambda: any(event.symbol == "BTC" for event in one.market))


async def test_a_fill_that_raced_its_replace_ends_the_order_that_would_buy_it_twice(venue: Running, tmp_path):
    async with adapted(venue, tmp_path) as one:
        first = one.order("BTC", "buy", away=3.0)
        await one.adapter.submit(first)
        second = one.order("BTC", "buy", away=2.5, lots=first.lots, replaces=first.id)
        await one.adapter.replace(second)
        feed: AccountFeed = one.adapter._feed
        tracked = one.adapter.orders.get(first.id)
        for each in one.adapter.orders.chain(tracked):
            each.lots_filled += 1  # as a fill of the first does that was told after the second was sent
        feed.moved(tracked)
        await one.until(lambda: one.of(Cancelled, second.id))
        assert one.truth()["open_orders"] == []


async def test_nonces_begin_above_those_of_an_earlier_run_whatever_the_clock_says(venue: Running, tmp_path):
    async with adapted(venue, tmp_path) as one:
        await one.adapter.submit(one.order("ETH", "buy", lots=1))
        (path,) = tmp_path.glob("nonce-*")
        floor = int(path.read_text())
        assert floor > one.clock.now_ns() // 1_000_000
    async with adapted(venue, tmp_path) as again:
        assert await again.adapter._desk.nonces.take() > floor
        order = again.order("ETH", "buy", away=3.0)
        assert isinstance(await again.adapter.submit(order), Accepted)
        await again.adapter.cancel("ETH", order.id)


async def test_a_slow_answer_is_an_answer(venue: Running, tmp_path):
    async with adapted(venue, tmp_path) as one:
        venue.fault(kind="slow_answer", requests=["order"], delay_s=4)
        at_ns = one.clock.now_ns()
        await filled(one, await bought(one))
        assert one.clock.now_ns() - at_ns > 4 * NS_PER_S
