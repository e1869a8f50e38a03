"""Shadow: the market is real, and the real venue is never sent anything."""

from supervisor.virtual import run_virtual
from tests.venues.builders import ALO, BUY, CASH_MINOR, FEES, IOC, PERP, SELL, book, order, trade, words
from venues.latency import ZERO, LatencyModel
from venues.market import Cancelled, CancelRefused
from venues.matching import MatchingEngine
from venues.shadow import ShadowVenue
from venues.venue import Capabilities


class Guarded:
    """A real venue that must only be looked at."""

    name = "real"
    capabilities = Capabilities(replace=False, expires=False, simulated=False)

    def __init__(self, *batches):
        self.batches = batches
        self.closed = False

    async def open(self):
        return (PERP,)

    async def market(self):
        for batch in self.batches:
            yield batch

    async def history(self, symbol, interval_ns, bars):
        return ("real bars", symbol, interval_ns, bars)

    async def close(self):
        self.closed = True

    def __getattr__(self, name):
        raise AssertionError(f"shadow touched {name} of the real venue")


MARKET = book([(1000, 500)], [(1001, 300)])


def test_nothing_is_ever_sent_to_the_real_venue():
    async def main(clock):
        real = Guarded([MARKET], [trade(999, 150, SELL)], [MARKET])
        engine = MatchingEngine("perps", [], FEES, CASH_MINOR)
        venue = ShadowVenue(real, engine, LatencyModel(ZERO, 7), clock)
        said, heard = [], []
        assert await venue.open() == (PERP,)
        market = venue.market()
        heard.append(await anext(market))
        said.append(await venue.submit(order("a", BUY, 200, 999, ALO)))
        said.append(await venue.replace(order("b", BUY, 200, 1000, ALO, replaces="a", expires_ns=9)))
        said.append(await venue.submit(order("c", BUY, 100, 1001, IOC)))
        engine.live["b"].since_ns = 0  # the recorded trade is older than the order
        async for batch in market:
            heard.append(batch)
        questions = [await venue.open_orders(), await venue.positions(), await venue.fills(0)]
        said.append(await venue.cancel("BTC", "b"))
        said.append(await venue.cancel("BTC", "b"))
        await venue.find("BTC", "b")
        await venue.history("BTC", 60, 5)
        events = []
        async for event in venue.account():
            events.append(event)
            if len(events) == 7:
                await venue.close()
        return real, venue, heard, said, questions, events

    real, venue, heard, said, questions, events = run_virtual(main, 5)
    assert [len(batch) for batch in heard] == [1, 1, 1]
    assert words(events) == [
        "Accepted a",
        "Cancelled a replaced",
        "Accepted b",
        "Accepted c",
        "Fill c 100@1001 taker",
        "Fill b 150@1000 maker",
        "Cancelled b asked",
    ]
    assert [type(answer) for answer in said[-2:]] == [Cancelled, CancelRefused]
    assert questions[1][0].lots == 250
    assert venue.name == "real in shadow"
    assert venue.capabilities == Capabilities(replace=True, expires=True, simulated=True)
    assert real.closed
