"""The venue's clock, asked: what it says now counts, not what it said while it was wrong."""

from datetime import UTC, datetime
from types import SimpleNamespace

from supervisor.clock import NS_PER_S
from supervisor.virtual import run_virtual
from venues.alpaca.trading_wire import MarketClock
from venues.alpaca.venue_time import VenueTime


def test_a_venue_whose_clock_was_wrong_for_a_while_is_believed_again():
    """The simulation found it: entries stayed shut for two hours after one answer from a clock that was ahead."""

    async def live(clock):
        ahead_ns = 3 * NS_PER_S

        async def ask(kind, path):
            at_s = (clock.now_ns() + ahead_ns) / NS_PER_S
            return MarketClock(timestamp=datetime.fromtimestamp(at_s, UTC).isoformat(), is_open=True)

        time = VenueTime(SimpleNamespace(clock=clock, ask=ask), lambda text: None)
        await time.look()
        wrong = time.skew.shut()
        ahead_ns = 0
        await clock.sleep(60)
        await time.look()
        return wrong, time.skew.shut()

    wrong, right = run_virtual(live, 1_767_571_200 * NS_PER_S)
    assert "behind" in wrong
    assert not right


def test_a_slow_answer_of_a_clock_that_was_wrong_is_outweighed_by_those_after_it():
    """Found by the simulation, too: it agreed with each later one, give or take, and kept entries shut for an hour."""

    async def live(clock):
        ahead_ns, way_s = round(1.1 * NS_PER_S), 0.7

        async def ask(kind, path):
            await clock.sleep(way_s)
            at_s = (clock.now_ns() + ahead_ns) / NS_PER_S
            await clock.sleep(way_s)
            return MarketClock(timestamp=datetime.fromtimestamp(at_s, UTC).isoformat(), is_open=True)

        time = VenueTime(SimpleNamespace(clock=clock, ask=ask), lambda text: None)
        await time.look()
        shut = [time.skew.shut()]
        ahead_ns = 0
        for _ in range(2):
            await time.look()
            shut.append(time.skew.shut())
        assert abs(time.lag_ns) <= time.wrong_ns + NS_PER_S
        way_s = 0.01
        await time.look()
        assert abs(time.lag_ns) <= 0.02 * NS_PER_S
        return shut

    wrong, *right = run_virtual(live, 1_767_571_200 * NS_PER_S)
    assert "1.1 s behind" in wrong
    assert right == ["", ""]
