"""Replaces at Alpaca whose sizes race fills: what may fill too much goes, and what may not stays."""

import pytest

from supervisor.clock import NS_PER_S
from tests.venues.alpaca.adapted import adapted
from tests.venues.alpaca.fake_alpaca import fake_alpaca, until
from venues.chains import Restored
from venues.market import Accepted, Cancelled, Fill
from venues.venue import VenueUnreachable

BTC = "BTC/USD"
LOTS_FILLED = 4_000


@pytest.fixture
async def venue():
    async with fake_alpaca() as one:
        yield one


async def replaced(one, lots="1"):
    """An order that another has replaced; both."""
    old = one.order(BTC, "buy", lots, "50000")
    assert isinstance(await one.adapter.submit(old), Accepted)
    new = one.order(BTC, "buy", lots, "50100", replaces=old.id)
    assert isinstance(await one.adapter.replace(new), Accepted)
    return old, new


async def left_part_filled(venue):
    """What the journal of a killed run knows of an order that replaced another and is filled in part."""
    async with adapted(venue) as one:
        old, new = await replaced(one)
        await venue.fill(venue.of(new.id), "0.4", "50100")
        await until(lambda: one.of(Fill, new.id))
        fills = tuple(fill.id for fill in one.of(Fill, new.id))
    venue.asked.clear()
    return Restored(old, 0, (), True), Restored(new, LOTS_FILLED, fills, False)


async def test_a_restart_leaves_alone_what_replaced_another_and_filled_in_part(venue):
    """Which of the chain's lots are its own is not in the journal; none was taken for it, so it seemed too large."""
    known = await left_part_filled(venue)
    async with adapted(venue, known=known) as one:
        await until(lambda: one.adapter._feed.ready)
        await one.adapter.fills(1)
        assert [act for act in venue.acts() if act[0] == "DELETE"] == []
        assert not [text for text in one.said if "too many" in text]
    assert venue.of(known[1].request.id)["status"] == "partially_filled"


async def test_the_end_of_such_an_order_is_told_once_its_fills_were_asked_for(venue):
    known = await left_part_filled(venue)
    await venue.end(venue.of(known[1].request.id))
    async with adapted(venue, known=known) as one:
        began_ns = one.adapter.clock.now_ns()
        await until(lambda: one.of(Cancelled, known[1].request.id))
        assert not [text for text in one.said if "positions will tell" in text]
        assert (one.adapter.clock.now_ns() - began_ns) / NS_PER_S < 15


async def test_a_replace_whose_name_is_taken_may_be_there_by_itself(venue):
    """Something in front sent it twice; the second copy was refused, and the first one rested unknown."""
    async with adapted(venue) as one:
        old = one.order(BTC, "buy", "0.3", "50000")
        await one.adapter.submit(old)
        venue.lose = ["client_order_id must be unique"]
        with pytest.raises(VenueUnreachable):
            await one.adapter.replace(one.order(BTC, "buy", "0.3", "50100", replaces=old.id))


async def test_an_excess_whose_cancel_is_refused_is_cancelled_again(venue):
    async with adapted(venue) as one:
        old = one.order(BTC, "buy", "1", "50000")
        await one.adapter.submit(old)
        venue.mute = True
        await venue.fill(venue.of(old.id), "0.4", "50000")  # nobody hears it before the replace
        venue.mute = False
        new = one.order(BTC, "buy", "1", "50100", replaces=old.id)
        assert isinstance(await one.adapter.replace(new), Accepted)
        venue.refusals = [(422, {"code": 42210000, "message": "order is not cancelable while pending"})]
        await one.adapter.fills(1)  # tells the fill
        await until(lambda: venue.of(new.id)["status"] == "canceled")
        assert sum(act[0] == "DELETE" for act in venue.acts()) == 2
