"""One symbol whose history a source cannot give does not keep the others' bars away."""

from actors.feed import History
from actors.given_bars import RETRY_S, BarFeed
from actors.messages import BarGiven, BarHistory
from supervisor.child import ChildSpec
from supervisor.messages import ChildCrashed
from tests.actors.test_given_bars import MINUTE, Source, bar
from tests.fakes import notebook, play, tree
from venues.venue import VenueMisspoke


class Delisted(Source):
    async def history(self, symbol, interval_ns, bars):
        if symbol == "OLD":
            raise VenueMisspoke("no such pair")
        return await super().history(symbol, interval_ns, bars)


def test_one_history_that_is_refused_keeps_no_other_bars_away():
    pages = []
    feed = ChildSpec(
        name="bars_of_source", engine="perps", says=BarFeed.says,
        start=lambda: BarFeed(Delisted([bar(1, 100.0)]), {"OLD": "OLD/USD", "BTC": "BTC/USD"}, History(MINUTE, 240)),
    )  # fmt: skip

    async def main(house, task):
        await house.clock.sleep(20 * RETRY_S)

    play(tree(notebook("listener", pages, *BarFeed.says), notebook("crashes", pages, ChildCrashed), feed), main)
    assert BarHistory("perps", "BTC", (bar(0, 99.0),)) in pages
    assert BarGiven(bar(1, 100.0)) in pages
