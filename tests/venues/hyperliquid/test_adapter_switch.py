"""The venue's own dead man's switch, against the emulated exchange: granted by volume, set, put off, taken back."""

from daemon.emulate import emulator_of
from tests.soak.deadman_venue import hyperliquid
from tests.venues.emulator.running import running, serving
from tests.venues.hyperliquid.adapted import SPEED, adapted
from venues.market import Accepted, Cancelled
from venues.venue import Linked, Switched

SYMBOLS = ("BTC", "ETH", "xyz:TSLA")
VOLUME = 2_000_000


async def test_below_a_million_it_is_refused_in_the_venues_words(tmp_path):
    with running(speed=SPEED) as venue:
        async with adapted(venue, tmp_path) as one:
            assert isinstance(one.adapter, Linked) and isinstance(one.adapter, Switched)
            assert (await one.adapter.arm(12.0)).startswith("Cannot set scheduled cancel time until enough volume")
            assert await one.adapter.disarm() == "", "what was never set is not taken back"


async def test_it_cancels_on_every_dex_unless_it_is_put_off_or_taken_back(tmp_path):
    told = hyperliquid(1, VOLUME, SYMBOLS)
    with serving(lambda clock: emulator_of(told, clock), SPEED) as venue:
        async with adapted(venue, tmp_path) as one:
            answers = one.adapter.answers()
            await one.adapter.knock()
            assert one.adapter.answers() > answers
            assert await one.adapter.arm(20.0) == ""
            orders = [one.order(symbol, "buy", away=8.0) for symbol in ("BTC", "ETH")]
            for order in orders:
                assert isinstance(await one.adapter.submit(order), Accepted)
            assert await one.adapter.disarm() == ""
            await one.clock.sleep(25)
            assert len(one.truth()["open_orders"]) == 2, "it was taken back"
            assert await one.adapter.arm(8.0) == ""
            await one.until(lambda: len(one.of(Cancelled)) == 2)
            assert {event.order_id for event in one.of(Cancelled)} == {order.id for order in orders}
            assert one.truth()["open_orders"] == []
        assert one.adapter.owner().places == ("", "xyz")
