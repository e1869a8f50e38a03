"""Bars of another source: one kind of price in a window, in order, and time goes on when the source does not."""

import pytest

from actors.bars import GRACE_NS
from actors.feed import History
from actors.given_bars import GIVEN_GRACE_NS, RETRY_S, BarFeed, GivenBars
from actors.messages import BarGiven, BarHistory, Imbalance, Mark
from config.load import load_profile
from risk.intent import Intent
from supervisor.child import ChildSpec
from supervisor.messages import ChildCrashed, ChildStarted, Tick
from tests.actors.test_signal import Bench
from tests.fakes import notebook, play, tree
from venues.market import Bar
from venues.venue import VenueUnreachable

S = 1_000_000_000
MINUTE = 60 * S
T0 = 29_000_000 * MINUTE


def bar(minute, close, symbol="BTC", interval_ns=MINUTE, offset_ns=0):
    return Bar(symbol, T0 + minute * MINUTE + offset_ns, interval_ns, close, close, close, close, 7)


def silent(minute, close):
    return Bar("BTC", T0 + minute * MINUTE, MINUTE, close, close, close, close, 0)


def book(at_ns, mid, symbol="BTC"):
    return Imbalance(symbol, at_ns, at_ns, mid - 0.5, mid + 0.5, 0, 0, 0, False)


def mind(*given):
    bars = GivenBars("perps", 60, 240, frozenset({"BTC"}))
    for one in given:
        bars.hear(BarGiven(one))
    return bars


def bars_of(said):
    return tuple(one for one in said if not isinstance(one, Mark))


def test_a_given_bar_is_said_and_books_of_its_symbol_make_marks_alone():
    bars = mind()
    for minute in range(3):
        assert bars_of(bars.hear(book(T0 + minute * MINUTE + S, 500.0))) == ()
    assert bars.hear(BarGiven(bar(0, 100.0))) == (bar(0, 100.0),)
    assert bars.hear(Tick(T0 + MINUTE)) == (Mark("BTC", T0 + 2 * MINUTE + S, 499.5, 500.5),)


def test_other_symbols_have_their_own():
    bars = mind()
    bars.hear(book(T0 + S, 50.0, "xyz:TSLA"))
    (own,) = bars.hear(book(T0 + MINUTE, 51.0, "xyz:TSLA"))
    assert (own.symbol, own.close) == ("xyz:TSLA", 50.0)


def test_a_minute_that_the_source_skips_carries_its_close_and_never_that_of_our_books():
    bars = mind(bar(0, 100.0))
    bars.hear(book(T0 + MINUTE + S, 500.0))
    assert bars.hear(BarGiven(bar(3, 101.0))) == (silent(1, 100.0), silent(2, 100.0), bar(3, 101.0))


def test_without_its_bars_time_goes_on_later_than_with_our_own():
    """Time stops are looked at on bars: a source that died would hold a position for ever."""
    bars = mind(bar(0, 100.0))
    assert bars_of(bars.hear(Tick(T0 + 2 * MINUTE + GRACE_NS))) == ()
    assert bars_of(bars.hear(Tick(T0 + 2 * MINUTE + GIVEN_GRACE_NS))) == (silent(1, 100.0),)
    assert bars.hear(BarGiven(bar(1, 107.0))) == ()
    assert bars.late == 1


@pytest.mark.parametrize(
    "odd", [bar(1, 9.0, interval_ns=5 * MINUTE), bar(1, 9.0, offset_ns=1), bar(1, 9.0, symbol="ETH")]
)
def test_a_bar_that_does_not_fit_is_counted_and_not_believed(odd):
    bars = mind(bar(0, 100.0))
    assert bars.hear(BarGiven(odd)) == ()
    assert bars.odd == 1


def test_a_bar_told_twice_counts_once():
    bars = mind(bar(0, 100.0))
    assert bars.hear(BarGiven(bar(0, 100.0))) == ()


def test_a_restarted_strategy_is_told_the_sources_history_and_its_bars():
    bars = mind()
    bars.hear(BarHistory("perps", "BTC", (bar(0, 100.0), bar(1, 101.0))))
    assert bars.hear(BarGiven(bar(2, 102.0))) == (bar(2, 102.0),)
    (told,) = bars.hear(ChildStarted("signal", "perps", 1, T0))
    assert told.bars == (bar(0, 100.0), bar(1, 101.0), bar(2, 102.0))


# --- the strategy


def given_bench():
    profile = load_profile("perps", cli={"bars": {"alpaca": {"BTC": "BTC/USD"}}})
    return Bench(profile=profile)


def test_what_is_held_is_stopped_by_its_own_market_and_not_by_the_basis():
    """The other market's price is 2 % below ours: no loss, and no stop."""
    bench = given_bench().held(entry=102_000.0)
    assert bench.book(102_000.0) == ()
    assert [one.reason for one in bench.bar(98_900.0)] == []
    (stop,) = bench.book(100_900.0)
    assert isinstance(stop, Intent)
    assert stop.reason == "stop_loss"


def test_without_a_book_nobody_knows_how_far_it_moved():
    bench = given_bench().held(entry=102_000.0)
    bench.signal.symbols["BTC"].touch = None
    assert bench.bar(98_900.0) == ()


# --- the source


class Source:
    """Gives what the test put in, or fails."""

    name = "source"

    def __init__(self, *batches, down=0):
        self.batches = batches
        self.down = down  # how often it fails first
        self.asked = []

    async def history(self, symbol, interval_ns, bars):
        self.asked.append((symbol, interval_ns, bars))
        if self.down:
            self.down -= 1
            raise VenueUnreachable("no route")
        return [bar(0, 99.0, symbol)]

    async def bars(self):
        for batch in self.batches:
            yield batch


def carried(source, seconds):
    pages = []
    feed = ChildSpec(
        name="bars_of_source",
        engine="perps",
        start=lambda: BarFeed(source, {"BTC": "BTC/USD"}, History(MINUTE, 240)),
        says=BarFeed.says,
    )
    listener = notebook("listener", pages, *BarFeed.says)
    crashes = notebook("crashes", pages, ChildCrashed)

    async def main(house, task):
        await house.clock.sleep(seconds)

    play(tree(listener, crashes, feed), main)
    return pages


def test_history_first_then_bars():
    source = Source([bar(1, 100.0)], [bar(2, 101.0)])
    assert carried(source, 1)[:3] == [
        BarHistory("perps", "BTC", (bar(0, 99.0),)),
        BarGiven(bar(1, 100.0)),
        BarGiven(bar(2, 101.0)),
    ]
    assert source.asked[0] == ("BTC", MINUTE, 240)


def test_a_source_that_is_down_is_told_and_asked_again_for_ever():
    pages = carried(Source([bar(1, 100.0)], down=8), 12 * RETRY_S)
    crashes = [one for one in pages if isinstance(one, ChildCrashed)]
    assert len(crashes) == 8
    assert "no route" in crashes[0].error
    assert BarGiven(bar(1, 100.0)) in pages
