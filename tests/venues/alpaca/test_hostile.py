"""What may cost money at Alpaca and is no order of ours: days, plans, proxies, nights without a network."""

import asyncio

import pytest

from tests.venues.alpaca.adapted import adapted
from tests.venues.alpaca.fake_alpaca import fake_alpaca, until
from venues.chains import Restored
from venues.market import Accepted, Cancelled, Rejected
from venues.market import TimeInForce as Tif
from venues.venue import FillsUnread, VenueUnreachable

BTC = "BTC/USD"
RTH = [{"date": "2026-03-02", "open": "09:30", "close": "16:00"}]


@pytest.fixture
async def venue():
    async with fake_alpaca() as one:
        yield one


async def test_what_is_held_is_listened_to_before_what_is_not(venue):
    """A plan has room for thirty shares. The thirty-first, held, would have no price and never be left."""
    venue.days = RTH
    venue.positions = [{"symbol": "NKE", "qty": "3", "side": "long", "avg_entry_price": "70", "cost_basis": "210"}]
    async with adapted(venue, ("COST", "NKE"), pulled=False) as one:
        assert one.adapter._market.symbols == ("NKE", "COST")
    venue.positions = []
    async with adapted(venue, ("COST", "NKE"), pulled=False, held=("NKE",)) as one:
        assert one.adapter._market.symbols == ("NKE", "COST")


async def test_the_venues_calendar_is_asked_for_again_each_day(venue):
    """After ninety days without a restart no share would be entered any more, and a new half day never be known."""
    venue.days = RTH
    async with adapted(venue, ("COST",), pulled=False) as one:
        asked = [path for _, path, _ in venue.asked].count("/v2/calendar")
        await one.adapter.positions()
        assert [path for _, path, _ in venue.asked].count("/v2/calendar") == asked
        said = len(one.said)
        one.adapter._calendar_day = "2026-03-01"  # as if it were yesterday's
        one.adapter._account_ns = 0
        venue.days = [RTH[0] | {"close": "13:00"}]
        await one.adapter.positions()
        assert [path for _, path, _ in venue.asked].count("/v2/calendar") == asked + 1
        assert any("2026-03-02" in text and "13:00" in text for text in one.said[said:])
        said = len(one.said)
        one.adapter._calendar_day, one.adapter._account_ns, one.adapter._calendar_ns = "2026-03-01", 0, 0
        await one.adapter.positions()
        assert len(one.said) == said  # the same days are not told twice
        one.adapter._calendar_day, one.adapter._account_ns = "2026-03-01", 0
        await one.adapter.positions()
        assert [path for _, path, _ in venue.asked].count("/v2/calendar") == asked + 2  # once an hour is enough


async def test_a_proxy_that_gave_up_waiting_proves_nothing(venue):
    async with adapted(venue) as one:
        order = one.order(BTC, "buy", "0.3", "50000", tif=Tif.ALO)
        venue.refusals = [(408, {"message": "Request Timeout"})]
        with pytest.raises(VenueUnreachable):
            await one.adapter.submit(order)


async def test_a_replaced_event_about_the_new_order_does_not_end_it(venue):
    async with adapted(venue) as one:
        order = one.order(BTC, "buy", "0.3", "50000", tif=Tif.ALO)
        await one.adapter.submit(order)
        moved = one.order(BTC, "buy", "0.3", "50010", tif=Tif.ALO, replaces=order.id)
        assert isinstance(await one.adapter.replace(moved), Accepted)
        await until(lambda: one.of(Cancelled, order.id))
        await venue.tell("replaced", venue.of(moved.id))
        await venue.fill(venue.of(moved.id), "0.1", "50010")
        await until(lambda: sum(getattr(event, "lots", 0) for event in one.events) == 1000)
        assert not one.of(Cancelled, moved.id)
        assert isinstance(await one.adapter.cancel(BTC, moved.id), Cancelled)


async def test_a_night_of_failed_questions_does_not_overflow(venue):
    async with adapted(venue) as one:
        feed = one.adapter._feed
        waits = []

        async def fail() -> None:
            raise VenueUnreachable("down")

        async def sleep(seconds: float) -> None:
            waits.append(seconds)
            if len(waits) == 1200:
                feed.mend = mend

        mend, feed.mend = feed.mend, fail
        before, one.adapter.clock.sleep = one.adapter.clock.sleep, sleep
        feed.gap(1)
        await until(lambda: len(waits) >= 1200 and feed.ready)
        one.adapter.clock.sleep = before
        assert max(waits) == 8.0


async def test_the_replace_of_an_order_that_never_was_does_not_stay_in_doubt(venue):
    """Both were lost with a run that died; the old one is proven to have never been, so nothing replaces it."""
    async with adapted(venue, pulled=False) as one:
        old = one.order(BTC, "buy", "0.3", "50000", tif=Tif.ALO)
        new = one.order(BTC, "buy", "0.3", "50010", tif=Tif.ALO, replaces=old.id)
    known = (Restored(old, 0, (), True, False), Restored(new, 0, (), False, False))
    async with adapted(venue, known=known) as one:
        found = await one.adapter.find(BTC, new.id) or await one.adapter.find(BTC, new.id)
        assert isinstance(found, Cancelled)
        assert venue.of(new.id)["limit_price"] != "50010"


@pytest.mark.parametrize(
    "bad",
    [
        {"qty": "half"},
        {"cum_qty": None},
        {"price": None},
        {"transaction_time": "noon"},
        {"symbol": 7},
        {"side": "sideways"},
    ],
)
async def test_a_fill_that_cannot_be_read_hides_no_other_and_ends_nothing(venue, bad):
    """A look that failed of one row asked for the same row for ever: no entry, no gap closed, until a restart."""
    async with adapted(venue) as one:
        order = one.order(BTC, "buy", "0.3", "50000", tif=Tif.ALO)
        await one.adapter.submit(order)
        row = venue.of(order.id)
        await venue.fill(row, "0.1", "50000", told=False)
        venue.activities[-1] |= bad
        await venue.fill(row, "0.1", "50000", told=False)
        with pytest.raises(FillsUnread) as raised:
            await one.adapter.fills(0)
        assert [fill.lots for fill in raised.value.fills] == [1000]
        await venue.drop()
        await until(lambda: one.adapter.shared.stream.connections == 2 and one.adapter._feed.ready)
        assert sum("cannot be read" in text for text in one.said) == 1
        venue.activities.append({"id": "z", "symbol": "ZZZ", "qty": "half"})  # nobody's business
        venue.activities = [row for row in venue.activities if row["id"] in ("z", venue.activities[1]["id"])]
        assert len(await one.adapter.fills(0)) == 1


async def test_an_engine_that_comes_later_shares_what_the_others_books_do_not_have(venue):
    """The first took all the money at its start; half of it again would hide half of a loss from the breaker."""
    venue.account["cash"] = "10400"
    async with adapted(venue, pulled=False, taken_minor=9_000_000_000) as one:
        assert one.adapter.cash_minor == 1_400_000_000
    async with adapted(venue, pulled=False, taken_minor=20_000_000_000) as one:
        assert one.adapter.cash_minor == 0


async def test_an_order_that_was_refused_and_lives_can_be_cancelled(venue):
    """A proxy's 403 after the venue had taken it in: whoever cancelled it was told that it was over."""
    async with adapted(venue) as one:
        order = one.order(BTC, "buy", "0.3", "50000", tif=Tif.ALO)
        venue.refusals = [(403, {"message": "forbidden"})]
        assert isinstance(await one.adapter.submit(order), Rejected)
        body = venue.acts()[-1][2]
        await venue.place(body)
        (stray,) = await one.adapter.open_orders()
        assert stray.order_id == order.id
        assert isinstance(await one.adapter.cancel(BTC, order.id), Cancelled)
        assert venue.of(order.id)["status"] == "canceled"
        assert not await one.adapter.open_orders()
        assert isinstance(await one.adapter.cancel(BTC, order.id), Cancelled)  # and what is over stays so
        assert [method for method, _, _ in venue.acts()] == ["POST", "DELETE"]


async def test_a_twin_that_rests_is_not_told_as_the_order_that_rests(venue):
    """Outside the session it waits for the open. Taken for the exit that it stands for, nobody asked about it again."""
    venue.days = [{"date": "2026-03-02", "open": "09:30", "close": "09:45"}]
    venue.lose = ["before"]
    async with adapted(venue, ("COST",)) as one:
        order = one.order("COST", "sell", "3", "900", tif=Tif.IOC, reduce_only=True)
        with pytest.raises(VenueUnreachable):
            await one.adapter.submit(order)
        await one.adapter.clock.sleep(6.0)
        assert await one.adapter.find("COST", order.id) is None
        twin = venue.of(order.id)
        assert (twin["time_in_force"], twin["limit_price"], twin["status"]) == ("day", "1800", "new")
        await until(lambda: one.adapter._feed.orders.get(order.id).taken)  # the stream told of it
        assert not one.of(Accepted, order.id)
        assert await one.adapter.find("COST", order.id) is None
        assert isinstance(await one.adapter.find("COST", order.id), Cancelled)
        assert twin["status"] == "canceled"


@pytest.mark.parametrize(
    "state", ['order is already in "replaced" state', "cannot replace order in pending_replace status"]
)
async def test_a_replace_that_was_sent_twice_by_something_in_front_is_in_doubt_and_found(venue, state):
    """The simulation found it: told of the second copy's refusal, the ledger took the new order for none."""
    async with adapted(venue) as one:
        old = one.order(BTC, "buy", "0.3", "50000", tif=Tif.GTC)
        assert isinstance(await one.adapter.submit(old), Accepted)
        venue.lose = [state]
        new = one.order(BTC, "buy", "0.3", "50100", tif=Tif.GTC, replaces=old.id)
        with pytest.raises(VenueUnreachable):
            await one.adapter.replace(new)
        await one.adapter.clock.sleep(6.0)
        assert await one.adapter.find(BTC, new.id) is not None


async def test_what_was_told_to_be_never_sent_is_never_sent(venue):
    """An exit across the market waits for the end of the order whose place it takes; who asks meanwhile is told that it
    was never sent, and it must stay so. Found by seeds 297, 443 and 467 of the simulation."""
    async with adapted(venue) as one:
        order = one.order(BTC, "buy", "0.3", "50000", tif=Tif.ALO)
        await one.adapter.submit(order)
        venue.cancels = False
        crossing = one.order(BTC, "buy", "0.3", "50100", tif=Tif.IOC, replaces=order.id)
        task = asyncio.ensure_future(one.adapter.replace(crossing))
        await until(lambda: any(method == "DELETE" for method, *_ in venue.asked))
        assert isinstance(await one.adapter.find(BTC, crossing.id), Rejected)
        await venue.end(venue.of(order.id), "canceled")
        assert isinstance(await task, Rejected)
        assert crossing.id not in {row["client_order_id"] for row in venue.orders.values()}
