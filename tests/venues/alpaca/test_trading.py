"""The adapter against a scripted venue over loopback: orders, cancels, replaces, doubt, reconnects."""

import asyncio
from datetime import UTC, datetime
from decimal import Decimal

import pytest

from config.errors import ConfigError
from supervisor.clock import NS_PER_S
from tests.venues.alpaca.adapted import adapted
from tests.venues.alpaca.fake_alpaca import fake_alpaca, until
from venues.alpaca.account import Held
from venues.alpaca.orders import Orders
from venues.alpaca.trading_wire import Execution, Order
from venues.chains import Restored
from venues.market import Accepted, Cancelled, CancelRefused, Fill, OpenOrder, OrderRequest, Rejected, Side
from venues.market import TimeInForce as Tif
from venues.venue import VenueMisspoke, VenueUnreachable

BTC = "BTC/USD"
RTH = [{"date": "2026-03-02", "open": "09:30", "close": "16:00"}]


@pytest.fixture
async def venue():
    async with fake_alpaca() as one:
        yield one


async def test_the_fee_of_bought_coins_is_coins(venue):
    async with adapted(venue, fee_bps=(20.0, 40.0)) as one:
        order = one.order(BTC, "buy", "1", "50000", tif=Tif.ALO)
        await one.adapter.submit(order)
        await venue.fill(venue.of(order.id), "0.5", "50000")
        await until(lambda: len(one.of(Fill)) == 2)
        bought, kept = one.of(Fill)
        assert (bought.lots, bought.fee_minor) == (5000, 0)
        assert (kept.lots, kept.side, kept.order_id) == (10, "sell", "")  # 20 bps of 0.5
        assert kept.fee_minor == 50_000_000  # what is sold pays the fee: cash is what the coins cost
        one.adapter._feed.held["BTCUSD"] = Held(Decimal("0.499"), 0)
        venue.position_qty = "0.9985"  # the venue kept 10 bps this time
        await venue.fill(venue.of(order.id), "0.5", "50000")
        await until(lambda: len(one.of(Fill)) == 4)
        assert one.of(Fill)[3].lots == 5
        told = await one.adapter.fills(0)  # with what was kept: at an end nobody hears the stream
        assert [fill.id for fill in told] == [fill.id for fill in one.of(Fill)]


async def test_what_the_venue_keeps_is_not_measured_from_what_was_told_late(venue):
    """A sale told by REST, and late or never by the stream: what it left was taken for a fee of the next purchase."""
    async with adapted(venue, fee_bps=(20.0, 40.0)) as one:
        bought = one.order(BTC, "buy", "0.5", "50000", tif=Tif.ALO)
        await one.adapter.submit(bought)
        venue.position_qty = "0.499"
        await venue.fill(venue.of(bought.id), "0.5", "50000")
        await until(lambda: len(one.of(Fill)) == 2)
        sold = one.order(BTC, "sell", "0.499", "50000", tif=Tif.ALO, reduce_only=True)
        await one.adapter.submit(sold)
        venue.position_qty = "0.004"
        await venue.fill(venue.of(sold.id), "0.495", "50000")
        await venue.fill(venue.of(sold.id), "0.004", "50000", told=False)
        at = venue.activities[-1]["transaction_time"]
        await one.adapter.fills(0)
        again = one.order(BTC, "buy", "1", "50000", tif=Tif.ALO)
        await one.adapter.submit(again)
        venue.position_qty = "0.499"
        await venue.fill(venue.of(again.id), "0.5", "50000")
        await until(lambda: len(one.of(Fill)) == 6)
        assert one.of(Fill)[-1].lots == 10  # 20 bps, and not 100
        await venue.tell(
            "fill", venue.of(sold.id), timestamp=at, price="50000", qty="0.004", position_qty="0.502", execution_id="x"
        )
        venue.position_qty = "0.998"
        await venue.fill(venue.of(again.id), "0.5", "50000")
        await until(lambda: len(one.of(Fill)) == 8)
        assert one.of(Fill)[-1].lots == 10


async def test_an_order_is_placed_filled_in_parts_and_told_once(venue):
    async with adapted(venue) as one:
        order = one.order(BTC, "buy", "0.3", "50000", tif=Tif.ALO)
        assert isinstance(await one.adapter.submit(order), Accepted)
        assert venue.acts()[-1] == (
            "POST",
            "/v2/orders",
            {
                "symbol": BTC,
                "qty": "0.3",
                "side": "buy",
                "type": "limit",
                "time_in_force": "gtc",
                "limit_price": "50000",
                "client_order_id": order.id,
            },
        )
        row = venue.of(order.id)
        await venue.fill(row, "0.1", "50000")
        await venue.fill(row, "0.2", "49999.99")
        await until(lambda: len(one.of(Fill)) == 2)
        assert [fill.lots for fill in one.of(Fill)] == [1000, 2000]
        assert [fill.order_id for fill in one.of(Fill)] == [order.id] * 2
        told = await one.adapter.fills(0)  # REST numbers them otherwise, and they are the same fills
        assert [fill.id for fill in told] == [fill.id for fill in one.of(Fill)]
        await asyncio.sleep(0.05)
        assert len(one.of(Fill)) == 2
        assert not one.of(Cancelled)


async def test_a_cancel_waits_for_the_end(venue):
    async with adapted(venue) as one:
        order = one.order(BTC, "buy", "0.3", "50000")
        await one.adapter.submit(order)
        await venue.fill(venue.of(order.id), "0.1", "50000")
        done = await one.adapter.cancel(BTC, order.id)
        assert isinstance(done, Cancelled)
        assert (done.lots_filled, done.reason) == (1000, "asked")
        await until(lambda: one.of(Cancelled))
        assert one.of(Cancelled)[0].lots_filled == 1000
        again = await one.adapter.cancel(BTC, order.id)
        assert isinstance(again, Cancelled)


async def test_a_cancel_that_loses_to_a_fill_is_refused(venue):
    venue.cancels = False
    async with adapted(venue) as one:
        order = one.order(BTC, "buy", "0.3", "50000")
        await one.adapter.submit(order)

        async def fill() -> None:
            await until(lambda: venue.of(order.id)["status"] == "pending_cancel")
            await venue.fill(venue.of(order.id), "0.3", "50000")

        filling = asyncio.ensure_future(fill())
        done = await one.adapter.cancel(BTC, order.id)
        await filling
        assert isinstance(done, CancelRefused)
        assert done.reason == "it is filled"
        assert sum(fill.lots for fill in one.of(Fill)) == 3000


async def test_a_cancel_whose_end_is_not_told_is_in_doubt(venue):
    venue.cancels = False
    async with adapted(venue) as one:
        order = one.order(BTC, "buy", "0.3", "50000")
        await one.adapter.submit(order)
        with pytest.raises(VenueUnreachable):
            await one.adapter.cancel(BTC, order.id)
        assert isinstance(await one.adapter.find(BTC, order.id), OpenOrder)


async def test_a_mute_stream_does_not_hide_the_end_of_a_cancel(venue):
    async with adapted(venue) as one:
        order = one.order(BTC, "buy", "0.3", "50000")
        await one.adapter.submit(order)
        venue.mute = True
        await venue.fill(venue.of(order.id), "0.1", "50000")
        done = await one.adapter.cancel(BTC, order.id)
        assert isinstance(done, Cancelled)
        assert done.lots_filled == 1000


# --- replaces


async def test_an_unfilled_order_is_moved_by_one_request(venue):
    async with adapted(venue) as one:
        order = one.order(BTC, "buy", "0.3", "50000", tif=Tif.ALO)
        await one.adapter.submit(order)
        moved = one.order(BTC, "buy", "0.3", "50010", tif=Tif.ALO, replaces=order.id)
        assert isinstance(await one.adapter.replace(moved), Accepted)
        method, _, body = venue.acts()[-1]
        assert (method, body) == ("PATCH", {"limit_price": "50010", "client_order_id": moved.id})
        await until(lambda: one.of(Cancelled, order.id))
        assert one.of(Cancelled, order.id)[0].reason == "replaced"
        await venue.fill(venue.of(moved.id), "0.3", "50010")
        await until(lambda: one.of(Fill, moved.id))


async def test_a_partly_filled_order_is_never_patched(venue):
    async with adapted(venue) as one:
        order = one.order(BTC, "buy", "0.3", "50000", tif=Tif.ALO)
        await one.adapter.submit(order)
        await venue.fill(venue.of(order.id), "0.1", "50000")
        await until(lambda: one.of(Fill))
        moved = one.order(BTC, "buy", "0.3", "50010", tif=Tif.ALO, replaces=order.id)
        assert isinstance(await one.adapter.replace(moved), Accepted)
        assert [method for method, _, _ in venue.acts()] == ["POST", "DELETE", "POST"]
        assert venue.acts()[-1][2]["qty"] == "0.2"
        await venue.fill(venue.of(moved.id), "0.2", "50010")
        await until(lambda: one.of(Fill, moved.id))
        assert sum(fill.lots for fill in one.of(Fill)) == moved.lots


async def test_a_fill_that_races_a_replace_makes_the_new_order_end(venue):
    """The venue gives the new order all lots of the old (Alpaca-API#165): it would buy 0.1 twice."""
    venue.swaps = False
    async with adapted(venue) as one:
        order = one.order(BTC, "buy", "0.3", "50000", tif=Tif.ALO)
        await one.adapter.submit(order)
        moved = one.order(BTC, "buy", "0.3", "50010", tif=Tif.ALO, replaces=order.id)
        assert isinstance(await one.adapter.replace(moved), Accepted)
        old = venue.of(order.id)
        await venue.fill(old, "0.1", "50000")
        await venue.end(old, "replaced")
        await until(lambda: venue.of(moved.id)["status"] == "canceled")
        await until(lambda: one.of(Cancelled, moved.id))
        assert one.of(Cancelled, moved.id)[0].lots_filled == 1000
        assert any("too many" in text for text in one.said)


async def test_a_fill_told_before_the_answer_to_a_replace_is_counted_for_both(venue):
    async with adapted(venue) as one:
        order = one.order(BTC, "buy", "0.3", "50000", tif=Tif.ALO)
        await one.adapter.submit(order)
        act = venue.act

        async def slow(method, path, body):
            if method == "PATCH":
                await venue.fill(venue.of(order.id), "0.1", "50000")
                await until(lambda: one.of(Fill))
            return await act(method, path, body)

        venue.act = slow
        moved = one.order(BTC, "buy", "0.3", "50010", tif=Tif.ALO, replaces=order.id)
        assert isinstance(await one.adapter.replace(moved), Accepted)
        await until(lambda: venue.of(moved.id)["status"] == "canceled")
        assert any("1000 lots too many" in text for text in one.said)


def test_a_part_of_an_order_is_counted_once_whatever_it_is_called():
    request = OrderRequest(
        id="a", intent_id="i", engine="crypto", symbol=BTC, side=Side.BUY, lots=9, ticks=1, time_in_force=Tif.GTC
    )
    orders = Orders()
    tracked = orders.add(request)
    orders.bind(Order(id="r", client_order_id="a", symbol=BTC))
    told = [("one", 5, 5), ("two", 3, 3), ("one", 5, 5), ("three", 4, 9)]  # name, how much, of the order with it
    counted = [
        orders.count(Execution("r", BTC, Side.BUY, Decimal(qty), Decimal(1), Decimal(cum), name, 0), qty)
        for name, qty, cum in told
    ]
    assert counted == [True, False, False, True]
    assert tracked.own_lots == tracked.lots_filled == 9


def test_fills_are_those_of_the_order_that_took_the_place_and_not_of_one_that_was_tried_too():
    """Found by killing the daemon: an answer was lost, another replace was planned and not sent, and after a restart
    the fills of the first were taken for the second's."""

    def request(name, replaces=""):
        return OrderRequest(
            id=name,
            intent_id="i",
            engine="crypto",
            symbol=BTC,
            side=Side.BUY,
            lots=9,
            ticks=1,
            time_in_force=Tif.GTC,
            replaces=replaces,
        )

    known = [
        Restored(request("a"), 0, (), False),
        Restored(request("b", "a"), 0, (), False, False),  # in doubt: it took the place
        Restored(request("c", "a"), 0, (), True, False),  # never sent
    ]
    orders = Orders(known)
    old, first, second = (orders.get(name) for name in "abc")
    row = Order(id="row of b", client_order_id="b", symbol=BTC)
    orders.bind(Order(id="row of a", client_order_id="a", symbol=BTC, replaced_by="row of b"))
    assert not orders.knows_row("row of b"), "the row itself will tell whose it is"
    orders.bind(row)
    orders.bind(Order(id="row of a", client_order_id="a", symbol=BTC, replaced_by="row of b"))
    assert orders.of_row("row of b") is first
    assert orders.count(Execution("row of a", BTC, Side.BUY, Decimal(2), Decimal(1), Decimal(2), "one", 0), 2)
    assert (old.lots_filled, first.lots_filled, second.lots_filled) == (2, 2, 0), "one chain"


async def test_a_replace_that_the_market_was_faster_than(venue):
    venue.swaps = False
    async with adapted(venue) as one:
        order = one.order(BTC, "buy", "0.3", "50000", tif=Tif.ALO)
        await one.adapter.submit(order)
        moved = one.order(BTC, "buy", "0.3", "50010", tif=Tif.ALO, replaces=order.id)
        assert isinstance(await one.adapter.replace(moved), Accepted)
        old, new = venue.of(order.id), venue.of(moved.id)
        await venue.fill(old, "0.3", "50000")
        await venue.tell("order_replace_rejected", old)
        await venue.end(new, "rejected")
        await until(lambda: one.of(Rejected, moved.id))
        assert sum(fill.lots for fill in one.of(Fill)) == 3000
        assert len(one.of(Rejected)) == 1


async def test_an_order_whose_replace_is_refused_is_not_left_waiting_for_its_end(venue):
    """Between a replace and its refusal the ledger takes the old order for one that goes: nobody would cancel it."""
    async with adapted(venue) as one:
        order = one.order(BTC, "buy", "0.3", "50000", tif=Tif.ALO)
        await one.adapter.submit(order)
        venue.refusals = [(422, {"code": 42210000, "message": "order is not in a state that can be replaced"})]
        moved = one.order(BTC, "buy", "0.3", "50010", tif=Tif.ALO, replaces=order.id)
        assert isinstance(await one.adapter.replace(moved), Rejected)
        await until(lambda: one.of(CancelRefused, order.id))
        assert not one.of(CancelRefused, order.id)[0].unsent  # the venue was asked: what it did is looked up
        await one.quote(BTC, 50000, 50005)
        takes = one.order(BTC, "buy", "0.3", "50010", tif=Tif.ALO, replaces=order.id)
        assert isinstance(await one.adapter.replace(takes), Rejected)
        await until(lambda: len(one.of(CancelRefused, order.id)) == 2)
        assert one.of(CancelRefused, order.id)[1].unsent  # nobody asked: it rests as before
        again = one.order(BTC, "buy", "0.3", "50001", tif=Tif.ALO, replaces=order.id)
        assert isinstance(await one.adapter.replace(again), Accepted)


async def test_an_order_whose_replace_lost_at_the_market_is_asked_about(venue):
    venue.swaps = False
    async with adapted(venue) as one:
        order = one.order(BTC, "buy", "0.3", "50000", tif=Tif.ALO)
        await one.adapter.submit(order)
        moved = one.order(BTC, "buy", "0.3", "50010", tif=Tif.ALO, replaces=order.id)
        assert isinstance(await one.adapter.replace(moved), Accepted)
        old = venue.of(order.id)
        old |= {"status": "new", "replaced_by": None}
        await venue.tell("order_replace_rejected", old)
        await until(lambda: one.of(Rejected, moved.id))
        await until(lambda: one.of(CancelRefused, order.id))


async def test_a_replace_of_what_is_filled_is_refused(venue):
    async with adapted(venue) as one:
        order = one.order(BTC, "buy", "0.3", "50000", tif=Tif.ALO)
        await one.adapter.submit(order)
        await venue.fill(venue.of(order.id), "0.3", "50000", told=False)
        moved = one.order(BTC, "buy", "0.3", "50010", tif=Tif.ALO, replaces=order.id)
        done = await one.adapter.replace(moved)
        assert isinstance(done, CancelRefused)
        assert 'already in "filled"' in done.reason


async def test_a_resting_exit_that_is_to_cross_is_cancelled_first(venue):
    async with adapted(venue) as one:
        order = one.order(BTC, "sell", "0.3", "50000", tif=Tif.ALO, reduce_only=True)
        await one.adapter.submit(order)
        cross = one.order(BTC, "sell", "0.3", "49900", tif=Tif.IOC, reduce_only=True, replaces=order.id)
        assert isinstance(await one.adapter.replace(cross), Accepted)
        assert [method for method, _, _ in venue.acts()] == ["POST", "DELETE", "POST"]
        assert venue.acts()[-1][2]["time_in_force"] == "ioc"
        await until(lambda: one.of(Cancelled, cross.id))
        assert one.of(Cancelled, cross.id)[0].reason == "ioc"


# --- doubt


@pytest.mark.parametrize("loss", ["after", "504"])
async def test_a_lost_answer_is_doubt_and_the_order_is_found(venue, loss):
    venue.lose = [loss]
    async with adapted(venue) as one:
        order = one.order(BTC, "buy", "0.3", "50000")
        with pytest.raises(VenueUnreachable):
            await one.adapter.submit(order)
        found = await one.adapter.find(BTC, order.id)
        assert isinstance(found, OpenOrder)
        assert found.order_id == order.id
        assert [method for method, _, _ in venue.acts()] == ["POST"]


async def test_an_order_that_never_arrived_can_never_arrive(venue):
    venue.lose = ["before"]
    async with adapted(venue) as one:
        order = one.order(BTC, "buy", "0.3", "50000")
        with pytest.raises(VenueUnreachable):
            await one.adapter.submit(order)
        assert await one.adapter.find(BTC, order.id) is None  # it is left some time to arrive by itself
        assert len(venue.acts()) == 1
        await one.adapter.clock.sleep(6.0)
        assert await one.adapter.find(BTC, order.id) is None
        twin = venue.acts()[-1][2]
        assert twin["client_order_id"] == order.id
        assert (twin["limit_price"], twin["time_in_force"], twin["side"]) == ("25000", "ioc", "buy")
        assert Decimal(twin["qty"]) * 25_000 >= 10
        found = await one.adapter.find(BTC, order.id)
        assert isinstance(found, Cancelled)
        assert found.lots_filled == 0
        late = await one.adapter.shared.rest.act(dict, "POST", "/v2/orders", twin | {"limit_price": "50000"})
        assert late.duplicate  # the lost request comes at last


async def test_an_order_that_was_never_handed_over_is_refused_and_stays_so(venue):
    """Whoever was to send it crashed. Nobody here knows it, so nobody can prove anything but that it is not sent."""
    async with adapted(venue) as one:
        order = one.order(BTC, "buy", "0.3", "50000")
        found = await one.adapter.find(BTC, order.id)
        assert isinstance(found, Rejected) and found.reason == "not sent: nobody came to send it"
        assert isinstance(await one.adapter.submit(order), Rejected)
        assert venue.acts() == []


async def test_an_order_that_the_venue_has_and_nobody_here_sent_is_not_called_unsent(venue):
    async with adapted(venue) as other:
        order = other.order(BTC, "buy", "0.3", "50000")
        await other.adapter.submit(order)
        async with adapted(venue) as one:
            assert await one.adapter.find(BTC, order.id) is None


async def test_fills_are_asked_for_by_the_venues_time_where_the_clocks_are_known_to_be_apart(venue):
    async with adapted(venue) as one:
        order = one.order(BTC, "buy", "0.3", "50000")
        await one.adapter.submit(order)
        await venue.fill(venue.of(order.id), "0.3", "50000", told=False)
        clock, skew = one.adapter.clock, one.adapter._time.skew
        since_ns = clock.now_ns() + 3_600 * NS_PER_S
        assert list(await one.adapter.fills(since_ns)) == []
        skew.forget()
        skew.hear(7_200 * NS_PER_S, clock.now_ns())  # ours is two hours ahead
        assert one.adapter.theirs_ns(since_ns) == since_ns - 7_200 * NS_PER_S
        assert [fill.order_id for fill in await one.adapter.fills(since_ns)][:1] == [order.id]


async def test_an_order_that_arrives_while_its_id_is_used_up_is_found(venue):
    venue.lose = ["before"]
    async with adapted(venue) as one:
        order = one.order(BTC, "buy", "0.3", "50000")
        with pytest.raises(VenueUnreachable):
            await one.adapter.submit(order)
        await one.adapter.clock.sleep(6.0)
        body = venue.acts()[0][2]
        act = venue.act

        async def slow(method, path, told):
            if method == "POST" and told["limit_price"] != "50000":
                await act("POST", path, body)  # the lost one comes a moment before its twin
            return await act(method, path, told)

        venue.act = slow
        assert isinstance(await one.adapter.find(BTC, order.id), OpenOrder)


async def test_a_fence_that_is_refused_leaves_the_doubt(venue):
    venue.lose = ["before"]
    async with adapted(venue) as one:
        order = one.order(BTC, "buy", "0.3", "50000")
        with pytest.raises(VenueUnreachable):
            await one.adapter.submit(order)
        await one.adapter.clock.sleep(6.0)
        venue.refusals = [(403, {"code": 40310000, "message": "insufficient balance"})] * 2
        assert await one.adapter.find(BTC, order.id) is None
        assert await one.adapter.find(BTC, order.id) is None
        assert sum("could not be used up" in text for text in one.said) == 1


async def test_the_id_of_a_sale_is_used_up_when_there_is_nothing_left_to_sell(venue):
    """Found by killing the daemon: another exit had sold all, and the doubt about the first one never ended."""
    venue.lose = ["before"]
    async with adapted(venue) as one:
        order = one.order(BTC, "sell", "0.3", "50000", tif=Tif.IOC, reduce_only=True)
        with pytest.raises(VenueUnreachable):
            await one.adapter.submit(order)
        await one.adapter.clock.sleep(6.0)
        venue.refusals = [(403, {"code": 40310000, "message": "insufficient balance for BTC"})]
        await one.adapter.find(BTC, order.id)
        sale, twin = (body for _, _, body in venue.acts()[-2:])
        assert (sale["side"], twin["side"]) == ("sell", "buy")
        assert (twin["client_order_id"], twin["limit_price"], twin["time_in_force"]) == (order.id, "25000", "ioc")
        found = await one.adapter.find(BTC, order.id)
        assert isinstance(found, Cancelled)
        assert (found.lots_filled, found.reason) == (0, "never arrived: its id was used up")


async def test_what_did_not_leave_is_refused_at_once(venue):
    async with adapted(venue, pulled=True) as one:
        rest = one.adapter.shared.rest
        rest._http._url = "http://127.0.0.1:1"
        order = one.order(BTC, "sell", "0.3", "50000", reduce_only=True)
        done = await one.adapter.submit(order)
        assert isinstance(done, Rejected)
        assert done.reason.startswith("not sent")


async def test_a_lost_replace_is_fenced_by_the_end_of_the_old_order(venue):
    async with adapted(venue) as one:
        order = one.order(BTC, "buy", "0.3", "50000", tif=Tif.ALO)
        await one.adapter.submit(order)
        venue.lose = ["before"]
        moved = one.order(BTC, "buy", "0.3", "50010", tif=Tif.ALO, replaces=order.id)
        with pytest.raises(VenueUnreachable):
            await one.adapter.replace(moved)
        await one.adapter.clock.sleep(6.0)
        assert await one.adapter.find(BTC, moved.id) is None
        assert venue.of(order.id)["status"] == "canceled"
        found = await one.adapter.find(BTC, moved.id)
        assert isinstance(found, Rejected)
        assert [method for method, _, _ in venue.acts()] == ["POST", "PATCH", "DELETE"]


async def test_a_lost_replace_is_not_taken_for_the_one_that_took_the_place(venue):
    """Found by the simulation: it was said to rest, and stayed in the ledger for ever."""
    async with adapted(venue) as one:
        order = one.order(BTC, "buy", "0.3", "50000", tif=Tif.ALO)
        await one.adapter.submit(order)
        venue.lose = ["before"]
        lost, moved = (
            one.order(BTC, "buy", "0.3", price, tif=Tif.ALO, replaces=order.id) for price in ("50010", "50020")
        )
        with pytest.raises(VenueUnreachable):
            await one.adapter.replace(lost)
        assert isinstance(await one.adapter.replace(moved), Accepted)
        await one.adapter.clock.sleep(6.0)
        found = await one.adapter.find(BTC, lost.id)
        assert isinstance(found, Rejected)
        assert "nothing can take its place any more" in found.reason
        assert isinstance(await one.adapter.find(BTC, moved.id), OpenOrder)


async def test_a_replace_that_was_done_and_not_answered_is_found(venue):
    async with adapted(venue) as one:
        order = one.order(BTC, "buy", "0.3", "50000", tif=Tif.ALO)
        await one.adapter.submit(order)
        venue.lose = ["after"]
        moved = one.order(BTC, "buy", "0.3", "50010", tif=Tif.ALO, replaces=order.id)
        with pytest.raises(VenueUnreachable):
            await one.adapter.replace(moved)
        assert isinstance(await one.adapter.find(BTC, moved.id), OpenOrder)
        assert isinstance(await one.adapter.find(BTC, order.id), Cancelled)


async def test_a_restart_finds_what_an_earlier_run_sent(venue):
    async with adapted(venue) as one:
        sent, lost = one.order(BTC, "buy", "0.3", "50000"), one.order(BTC, "buy", "0.2", "50000")
        await one.adapter.submit(sent)
        await venue.fill(venue.of(sent.id), "0.1", "50000", told=False)
        venue.mute = True
    await venue.fill(venue.of(sent.id), "0.2", "50000", told=False)
    venue.mute = False
    known = (Restored(sent, 0, (), False, False), Restored(lost, 0, (), False, False))
    async with adapted(venue, known=known) as two:
        await until(lambda: sum(fill.lots for fill in two.of(Fill, sent.id)) == 3000)
        found = await two.adapter.find(BTC, sent.id)
        assert isinstance(found, Cancelled)
        assert found.lots_filled == 3000
        assert await two.adapter.find(BTC, lost.id) is None
        assert isinstance(await two.adapter.find(BTC, lost.id), Cancelled)


async def test_a_used_id_is_said_to_be_in_doubt(venue):
    async with adapted(venue) as one:
        order = one.order(BTC, "buy", "0.3", "50000")
        await one.adapter.submit(order)
        with pytest.raises(VenueMisspoke, match="unique"):
            await one.adapter.submit(order)


# --- the stream


async def test_no_entry_is_sent_while_the_stream_is_down(venue):
    """lean-alpaca-60."""
    async with adapted(venue, pulled=False) as one:
        entry, leave = one.order(BTC, "buy", "0.3", "50000"), one.order(BTC, "sell", "0.3", "50000", reduce_only=True)
        done = await one.adapter.submit(entry)
        assert isinstance(done, Rejected)
        assert "the trading stream is down" in done.reason
        assert not venue.acts()
        assert isinstance(await one.adapter.submit(leave), Accepted)


async def test_fills_of_a_gap_come_by_rest_once(venue):
    async with adapted(venue) as one:
        order = one.order(BTC, "buy", "0.3", "50000")
        await one.adapter.submit(order)
        await venue.fill(venue.of(order.id), "0.1", "50000")
        await until(lambda: one.of(Fill))
        await venue.drop()
        await venue.fill(venue.of(order.id), "0.1", "50000", told=False)
        await until(lambda: len(venue.sockets) == 2)
        await venue.fill(venue.of(order.id), "0.1", "50001")
        await until(lambda: len(one.of(Fill)) == 3)
        await until(lambda: one.adapter._feed.ready)
        assert sorted(fill.lots for fill in one.of(Fill)) == [1000] * 3
        assert len({fill.id for fill in one.of(Fill)}) == 3
        assert any("trading stream ended" in text for text in one.said)


async def test_an_order_that_ended_in_a_gap_is_told(venue):
    async with adapted(venue) as one:
        order = one.order(BTC, "buy", "0.3", "50000")
        await one.adapter.submit(order)
        venue.mute = True
        await venue.end(venue.of(order.id), "expired", told=False)
        await venue.drop()
        await until(lambda: one.of(Cancelled))
        assert one.of(Cancelled)[0].reason == "expired"


async def test_a_mute_stream_is_dropped_when_rest_knows_more(venue):
    """alpaca-740: connected for hours and silent."""
    async with adapted(venue) as one:
        feed = one.adapter._feed
        order = one.order(BTC, "buy", "0.3", "50000")
        await one.adapter.submit(order)
        venue.mute = True
        row = venue.of(order.id)
        await venue.fill(row, "0.1", "50000", told=False)
        from venues.alpaca.account import moment

        feed.stream.ready_ns -= 60_000_000_000
        venue.activities[-1]["transaction_time"] = moment(one.adapter.clock.now_ns() - 20_000_000_000)
        await one.adapter.fills(0)
        await until(lambda: len(venue.sockets) == 2)
        assert any("did not tell of fill" in text for text in one.said)
        assert [fill.lots for fill in one.of(Fill)] == [1000]


async def test_a_refused_login_is_told_and_not_hammered(venue):
    venue.authorized = "unauthorized"
    async with adapted(venue, pulled=False) as one:
        task = asyncio.ensure_future(one.pull())
        await until(lambda: any("refuses the login" in text for text in one.said))
        await asyncio.sleep(0.2)  # two seconds of the clock
        assert one.adapter.shared.stream.connections == 1
        task.cancel()
        await asyncio.wait([task])


async def test_the_ends_of_fills_that_come_late_wait_for_them(venue):
    async with adapted(venue) as one:
        order = one.order(BTC, "buy", "0.3", "50000")
        await one.adapter.submit(order)
        row = venue.of(order.id)
        await venue.fill(row, "0.1", "50000", told=False)
        await venue.end(row)
        await until(lambda: one.of(Cancelled))
        kinds = [type(event) for event in one.events if type(event) is not Accepted]
        assert kinds == [Fill, Cancelled]
        assert one.of(Cancelled)[0].lots_filled == 1000


async def test_an_unknown_status_is_alive(venue):
    async with adapted(venue) as one:
        order = one.order(BTC, "buy", "0.3", "50000")
        await one.adapter.submit(order)
        venue.of(order.id)["status"] = "pending_settlement_review"
        await venue.tell("pending_settlement_review", venue.of(order.id))
        (found,) = await one.adapter.open_orders()
        assert found.order_id == order.id
        assert isinstance(await one.adapter.find(BTC, order.id), OpenOrder)


async def test_two_engines_share_one_stream(venue):
    venue.days = RTH
    async with adapted(venue) as coins, adapted(venue, ("COST",), shared=coins.adapter.shared) as shares:
        assert len(venue.sockets) == 1
        order = shares.order("COST", "buy", "2", "900")
        assert isinstance(await shares.adapter.submit(order), Accepted)
        await venue.fill(venue.of(order.id), "2", "899.9912")
        await until(lambda: shares.of(Fill))
        assert not coins.of(Fill)
        assert shares.of(Fill)[0].ticks == 8_999_912  # fills are finer than orders
        for task in coins.tasks:
            task.cancel()
        await until(lambda: len(venue.sockets) == 2)  # the other one keeps the stream now
        await until(lambda: shares.adapter._feed.ready)
        coins.tasks.clear()


# --- refusals, rules, questions


async def test_post_only_is_held_against_the_other_side(venue):
    async with adapted(venue) as one:
        await one.quote(BTC, 49_990.0, 50_000.0)
        done = await one.adapter.submit(one.order(BTC, "buy", "0.3", "50000", tif=Tif.ALO))
        assert isinstance(done, Rejected)
        assert "post only would have immediately matched" in done.reason
        assert not venue.acts()
        assert isinstance(await one.adapter.submit(one.order(BTC, "buy", "0.3", "49999.99", tif=Tif.ALO)), Accepted)


async def test_a_refusal_that_will_repeat_shuts_the_symbol_for_the_day(venue):
    """L7: short sales and day trades, refused for each bar of a day."""
    venue.days = RTH
    async with adapted(venue, ("COST", "NKE")) as one:
        venue.refusals = [(403, {"code": 40310100, "message": "trade denied due to pattern day trading protection"})]
        first = await one.adapter.submit(one.order("COST", "buy", "2", "900"))
        second = await one.adapter.submit(one.order("COST", "buy", "2", "900"))
        assert isinstance(first, Rejected)
        assert isinstance(second, Rejected)
        assert "40310100" in first.reason
        assert "no more entries today" in second.reason
        assert len(venue.acts()) == 1
        assert sum("no more entries today" in text for text in one.said) == 1
        leave = one.order("COST", "sell", "2", "900", reduce_only=True)
        assert isinstance(await one.adapter.submit(leave), Accepted)
        short = await one.adapter.submit(one.order("NKE", "sell", "2", "70"))
        assert isinstance(short, Rejected)
        assert "cannot be sold short" in short.reason


async def test_lack_of_money_does_not_shut_a_symbol(venue):
    async with adapted(venue) as one:
        venue.refusals = [(403, {"code": 40310000, "message": "insufficient buying power"})]
        assert isinstance(await one.adapter.submit(one.order(BTC, "buy", "0.3", "50000")), Rejected)
        assert isinstance(await one.adapter.submit(one.order(BTC, "buy", "0.3", "50000")), Accepted)


async def test_a_blocked_account_opens_nothing(venue):
    venue.account["trading_blocked"] = True
    async with adapted(venue) as one:
        done = await one.adapter.submit(one.order(BTC, "buy", "0.3", "50000"))
        assert isinstance(done, Rejected)
        assert "trading_blocked" in done.reason
        venue.account["trading_blocked"] = False
        one.adapter._account_ns = 0  # a minute ago
        await one.adapter.positions()
        assert isinstance(await one.adapter.submit(one.order(BTC, "buy", "0.3", "50000")), Accepted)


async def test_the_narrower_calendar_rules(venue):
    venue.days = [{"date": "2026-03-02", "open": "09:30", "close": "09:45"}]
    async with adapted(venue, ("COST",)) as one:
        done = await one.adapter.submit(one.order("COST", "buy", "2", "900"))
        assert isinstance(done, Rejected)
        assert "calendar has no session" in done.reason
        assert any("2026-03-02: the venue has 09:30 to 09:45, our calendar 09:30 to 16:00" in one for one in one.said)


async def test_positions_and_cash_of_one_engine(venue):
    venue.positions = [
        {"symbol": "BTCUSD", "qty": "0.12345", "side": "long", "avg_entry_price": "40000", "cost_basis": "4938"},
        {"symbol": "COST", "qty": "-3", "side": "short", "avg_entry_price": "900", "cost_basis": "-2700"},
        {"symbol": "ZZZ", "qty": "1", "side": "long", "avg_entry_price": "1", "cost_basis": "1"},
    ]
    venue.days = RTH
    async with adapted(venue) as one:
        assert one.adapter.cash_minor == 14_938_000_000
        (held,) = await one.adapter.positions()
        assert (held.symbol, held.lots, held.entry_ticks) == (BTC, 1234, 4_000_000.0)
        assert any("0.00005 of BTC/USD is less than a lot" in text for text in one.said)
    async with adapted(venue, ("COST",)) as two:
        (held,) = await two.adapter.positions()
        assert (held.symbol, held.lots) == ("COST", -3)
        assert two.adapter.cash_minor == 7_300_000_000


async def test_open_orders_come_page_by_page(venue):
    async with adapted(venue) as one:
        for number in range(1001):
            at = f"2026-03-02T14:00:00.{number:09d}Z"
            row = {"id": f"r{number}", "client_order_id": f"c{number}", "created_at": at, "submitted_at": at}
            row |= {"symbol": BTC, "qty": "1", "side": "buy", "type": "limit", "status": "new", "limit_price": "1"}
            venue.orders[row["id"]] = row | {"filled_qty": "0", "time_in_force": "gtc"}
        found = await one.adapter.open_orders()
        assert len(found) == 1001
        assert found[0].order_id == "row:r0"
        done = await one.adapter.cancel(BTC, "row:r7")
        assert isinstance(done, Cancelled)
        assert venue.orders["r7"]["status"] == "canceled"


async def test_fills_come_page_by_page(venue):
    async with adapted(venue) as one:
        order = one.order(BTC, "buy", "25", "1000")
        await one.adapter.submit(order)
        for _ in range(205):
            await venue.fill(venue.of(order.id), "0.1", "1000", told=False)
        told = await one.adapter.fills(0)
        assert len(told) == 205
        assert {fill.order_id for fill in told} == {order.id}


async def test_whose_many_fills_are_is_asked_at_once(venue):
    """One by one they were the questions of two minutes after a restart, and nothing was compared meanwhile."""
    async with adapted(venue) as one:
        for number in range(40):
            at = "2026-03-02T13:00:00Z" if number == 7 else f"2026-03-02T15:00:00.{number:09d}Z"
            row = {"id": f"r{number}", "client_order_id": f"c{number}", "created_at": at, "submitted_at": at}
            row |= {"symbol": BTC, "qty": "1", "side": "buy", "type": "limit", "status": "new", "limit_price": "1000"}
            venue.orders[row["id"]] = row | {"filled_qty": "0", "time_in_force": "gtc"}
            await venue.fill(venue.orders[row["id"]], "1", "1000", told=False)
        since_ns = int(datetime(2026, 3, 2, 15, tzinfo=UTC).timestamp()) * NS_PER_S
        for _ in range(2):  # known the second time
            assert len(await one.adapter.fills(since_ns)) == 40
        asked = [(path, query) for _, path, query in venue.asked if path.startswith("/v2/orders/") or "after" in query]
        lists = [query["after"] for path, query in asked if path == "/v2/orders"]
        assert lists == ["2026-03-02T14:50:00Z"]
        assert [path for path, _ in asked if path.startswith("/v2/orders/")] == ["/v2/orders/r7"]  # it rested for long


async def test_a_question_is_asked_again_and_an_act_never(venue):
    async with adapted(venue) as one:
        venue.flaky = [429, 503, 500]
        assert await one.adapter.positions() == []
        venue.flaky = [200]  # an object where a list belongs, as a proxy's page is
        assert await one.adapter.positions() == []
        venue.flaky = [200] * 4
        with pytest.raises(VenueMisspoke):
            await one.adapter.positions()
        venue.lose = ["504"]
        with pytest.raises(VenueUnreachable):
            await one.adapter.submit(one.order(BTC, "buy", "0.3", "50000"))
        assert len(venue.acts()) == 1


async def test_names_that_are_not_listed_are_told(venue):
    async with adapted(venue, (BTC, "ETH/USD")) as one:
        assert "ETH/USD is not listed" in one.said
        assert one.adapter.traded == (BTC,)
    with pytest.raises(ConfigError, match="trades none of them"):
        async with adapted(venue, ("ETH/USD",)):
            pass


async def test_a_key_that_the_venue_does_not_know_is_a_mistake_of_settings(venue):
    venue.unknown_key = True
    with pytest.raises(ConfigError, match="alpaca_paper_key_id: the venue refuses it"):
        async with adapted(venue):
            pass


@pytest.mark.parametrize(
    ("clock", "said"),
    [("2026-03-02T15:00:30.5Z", " s behind the venue"), ("2026-03-02T10:00:00.2-05:00", ""), ("", "")],
)
async def test_while_the_clocks_part_nothing_is_entered(venue, clock, said):
    """By a clock that is wrong a session is shut or open at the wrong time; one that is not known is no better."""
    venue.clock = clock
    async with adapted(venue) as one:
        assert [text for text in one.said if "clock" in text and "no entries" in text] == one.said[: bool(said)]
        assert said in "".join(one.said)
        assert set(one.adapter.deaf()) == (set() if clock.endswith("-05:00") else set(one.adapter.traded))


async def test_no_secret_is_said(venue):
    venue.authorized = "unauthorized"
    async with adapted(venue, pulled=False) as one:
        task = asyncio.ensure_future(one.pull())
        await until(lambda: one.said[-1:] and "refuses" in one.said[-1])
        task.cancel()
        await asyncio.wait([task])
        assert "secret" not in repr(one.adapter.shared) + " ".join(one.said)
