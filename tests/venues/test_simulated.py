"""The simulated venue in virtual time: when things arrive, in which order, and that nothing is lost."""

import asyncio
from decimal import Decimal
from pathlib import Path

import pytest
from msgspec import Struct

from supervisor.clock import NS_PER_MS
from supervisor.virtual import run_virtual
from tests.venues.builders import ALO, BUY, CASH_MINOR, FEES, IOC, PERP, SELL, book, order, trade, words
from venues.latency import ZERO, Latency, LatencyModel
from venues.market import Accepted, Book, Cancelled, CancelRefused, Fill, FundingPaid, OpenOrder, Rejected
from venues.matching import MatchingEngine
from venues.replay import open_replay
from venues.simulated import NS_PER_HOUR, SimulatedVenue

LOB = Path(__file__).resolve().parents[3] / "shared" / "data" / "lob"
START_NS = 1_700_000_000 * 1_000_000_000
BIDS, ASKS = [(1000, 500)], [(1001, 300), (1002, 400)]
TENTH_S = Latency(100.0)


class Rate(Struct):
    symbol: str
    at_ns: int
    rate: Decimal


class Tape:
    """A source that plays a list of (milliseconds after the start, events)."""

    def __init__(self, *batches):
        self.batches = [(START_NS + ms * NS_PER_MS, events) for ms, events in batches]

    def next_batch(self):
        return self.batches.pop(0) if self.batches else None

    def history(self, symbol, interval_ns, bars):
        return (symbol, interval_ns, bars)

    def funding(self, at_ns):
        return (Rate("BTC", at_ns, Decimal("0.0001")),)


def books(count, every_ms=1000):
    return [(n * every_ms, [book(BIDS, ASKS, START_NS + n * every_ms * NS_PER_MS)]) for n in range(count)]


def play(source, script, latency=TENTH_S, start_ns=START_NS, instruments=(PERP,), shuffle=None):
    """Run a script against a venue while its market is heard; returns what market and account said, and when."""

    async def main(clock):
        engine = MatchingEngine("perps", instruments, FEES, CASH_MINOR)
        venue = SimulatedVenue("tape", source, engine, LatencyModel(latency, 7), clock)
        market, account = [], []

        def now_ms():
            return (clock.now_ns() - start_ns) / NS_PER_MS

        async def hear_market():
            async for batch in venue.market():
                market.extend((now_ms(), event) for event in batch)
            await venue.close()

        async def hear_account():
            async for event in venue.account():
                account.append((now_ms(), event))

        async with asyncio.TaskGroup() as group:
            group.create_task(hear_market())
            group.create_task(hear_account())
            answer = await script(venue, clock, now_ms)
        return market, account, answer

    return run_virtual(main, start_ns, shuffle)


async def nothing(venue, clock, now_ms):
    return None


def test_the_market_is_heard_at_its_time_and_then_ends():
    market, account, _ = play(Tape(*books(5)), nothing)
    assert [at for at, _ in market] == [0, 1000, 2000, 3000, 4000]
    assert account == []


def test_events_of_one_instant_are_one_batch():
    async def script(venue, clock, now_ms):
        return [len(batch) async for batch in venue.market()]

    async def main(clock):
        engine = MatchingEngine("perps", [PERP], FEES, CASH_MINOR)
        instant = [trade(1000, 5, SELL, START_NS), book(BIDS, ASKS, START_NS), book(BIDS, ASKS, START_NS)]
        venue = SimulatedVenue("tape", Tape((0, instant)), engine, LatencyModel(ZERO, 7), clock)
        assert await venue.open() == (PERP,)
        return await script(venue, clock, None)

    assert run_virtual(main, START_NS) == [3]


def test_an_order_arrives_late_and_so_does_its_answer():
    async def script(venue, clock, now_ms):
        verdict = await venue.submit(order("a", BUY, 400, 1002, IOC))
        return verdict, now_ms()

    _, account, (verdict, answered_ms) = play(Tape(*books(3)), script)
    assert verdict == Accepted("perps", "a", "BTC", START_NS + 100 * NS_PER_MS)
    assert answered_ms == 200
    assert words([event for _, event in account]) == [
        "Accepted a",
        "Fill a 300@1001 taker",
        "Fill a 100@1002 taker",
    ]
    assert {at for at, _ in account} == {200}
    assert {event.at_ns for _, event in account} == {START_NS + 100 * NS_PER_MS}


def test_an_order_meets_the_book_of_the_instant_it_arrives():
    """Sent at 950 ms it arrives at 1050: the book of 1000 ms counts, although the feed may not have been woken yet."""
    batches = [*books(1), (1000, [book([(990, 500)], [(995, 500)])]), *books(4)[2:]]

    async def script(venue, clock, now_ms):
        await clock.sleep(0.95)
        await venue.submit(order("a", BUY, 200, 1001, IOC))

    _, account, _ = play(Tape(*batches), script)
    assert words([event for _, event in account]) == ["Accepted a", "Fill a 200@995 taker"]


def test_resting_orders_are_filled_by_the_market_and_told_in_order():
    batches = [*books(2), (2000, [trade(999, 150, SELL, START_NS + 2 * 10**9)]), *books(5)[3:]]

    async def script(venue, clock, now_ms):
        await venue.submit(order("a", BUY, 200, 1000, ALO))
        await clock.sleep(2.5)
        resting = await venue.open_orders()
        held = await venue.positions()
        found = await venue.find("BTC", "a")
        cancelled = await venue.cancel("BTC", "a")
        again = await venue.cancel("BTC", "a")
        fills = await venue.fills(START_NS)
        return resting, held, found, cancelled, again, fills

    _, account, (resting, held, found, cancelled, again, fills) = play(Tape(*batches), script)
    assert resting == [found] == [OpenOrder("a", "BTC", BUY, 200, 150, 1000)]
    assert held[0].lots == 150
    assert isinstance(cancelled, Cancelled)
    assert cancelled.lots_filled == 150
    assert isinstance(again, CancelRefused)
    assert words([event for _, event in account]) == ["Accepted a", "Fill a 150@1000 maker", "Cancelled a asked"]
    assert fills == [event for _, event in account if isinstance(event, Fill)]


def test_refusals_are_answers_and_not_news():
    async def script(venue, clock, now_ms):
        return [
            await venue.submit(order("a", BUY, 0, 1000)),
            await venue.replace(order("b", BUY, 200, 1000, replaces="a")),
            await venue.find("BTC", "a"),
            await venue.find("BTC", "nobody"),
        ]

    _, account, answers = play(Tape(*books(3)), script)
    assert [type(answer) for answer in answers] == [Rejected, CancelRefused, Rejected, type(None)]
    assert account == []


def test_a_replaced_order_is_told_by_the_stream_and_the_new_one_answered():
    async def script(venue, clock, now_ms):
        await venue.submit(order("a", BUY, 300, 1000, ALO))
        return await venue.replace(order("b", BUY, 300, 1001, ALO, replaces="a"))

    _, account, verdict = play(Tape(*books(3)), script)
    assert isinstance(verdict, Rejected)
    assert words([event for _, event in account]) == ["Accepted a", "Cancelled a replaced"]


def test_the_end_waits_for_what_is_still_on_its_way():
    async def script(venue, clock, now_ms):
        await clock.sleep(0.85)
        await venue.submit(order("a", BUY, 300, 1001, IOC))

    market, account, _ = play(Tape(*books(2)), script, Latency(120.0))
    assert market[-1][0] == 1000
    assert words([event for _, event in account]) == ["Accepted a", "Fill a 300@1001 taker"]
    assert account[-1][0] == 1090


def test_jitter_never_reorders_the_account():
    async def script(venue, clock, now_ms):
        for n in range(20):
            await venue.submit(order(f"o{n}", BUY, 100 + n, 1000, ALO))
            await venue.cancel("BTC", f"o{n}")

    _, account, _ = play(Tape(*books(3, 60_000)), script, Latency(5.0, 200.0))
    stamps = [event.at_ns for _, event in account]
    assert stamps == sorted(stamps)
    assert words([event for _, event in account]) == [
        word for n in range(20) for word in (f"Accepted o{n}", f"Cancelled o{n} asked")
    ]


def test_a_run_repeats_to_the_nanosecond():
    async def script(venue, clock, now_ms):
        for n in range(5):
            await venue.submit(order(f"o{n}", BUY, 150, 1001, IOC))

    jittery = Latency(5.0, 200.0)
    assert play(Tape(*books(9)), script, jittery) == play(Tape(*books(9)), script, jittery)


def test_what_an_order_meets_does_not_depend_on_the_order_tasks_run_in():
    """Orders arrive at the very instant of a book, and tasks that are ready together run in a drawn order."""

    async def script(venue, clock, now_ms):
        for n in range(4):
            await venue.submit(order(f"o{n}", BUY, 150, 1001, IOC))
            await clock.sleep(0.8)  # with two ways of 100 ms that makes a second

    runs = [play(Tape(*books(50, 100)), script, shuffle=seed)[1] for seed in range(8)]
    assert all(run == runs[0] for run in runs)
    assert len([event for _, event in runs[0] if isinstance(event, Fill)]) == 4


def test_funding_is_settled_each_full_hour_at_the_mid():
    start_ms = 3_599_000 - START_NS // NS_PER_MS % 3_600_000  # one second before the hour
    batches = [(start_ms + n * 1000, [book(BIDS, ASKS, 1)]) for n in range(4)]

    async def script(venue, clock, now_ms):
        await clock.sleep(start_ms / 1000 + 0.1)
        await venue.submit(order("a", BUY, 200, 1001, IOC))

    _, account, _ = play(Tape(*batches), script)
    paid = [event for _, event in account if isinstance(event, FundingPaid)]
    assert [event.amount_minor for event in paid] == [-2000]
    assert paid[0].at_ns % NS_PER_HOUR == 0


def test_history_is_the_sources():
    async def script(venue, clock, now_ms):
        return await venue.history("BTC", 60, 5)

    assert play(Tape(*books(1)), script)[2] == ("BTC", 60, 5)


# --- real captures ----------------------------------------------------------------------------------------------------


def quote(id, side, venue, instrument):
    """A post-only order at the touch for what 1 SOL is worth."""
    touch = venue.engine.market.book(instrument.symbol)
    level = touch.bids[0] if side is BUY else touch.asks[0]
    return order(id, side, 100, instrument.ticks(level.price), ALO, symbol=instrument.symbol)


def test_real_books_are_traded_on_and_the_run_repeats():
    """Half an hour of a bid and an ask at the touch, moved each minute."""
    if not LOB.is_dir():
        pytest.skip(f"no captures at {LOB}")
    asked = {}

    async def script(venue, clock, now_ms):
        (sol,) = venue.engine.instruments.values()
        for minute in range(30):
            await clock.sleep(60)
            for found in await venue.open_orders():
                await venue.cancel("SOL", found.order_id)
            for side in (BUY, SELL):
                wanted = quote(f"{side}{minute}", side, venue, sol)
                asked[wanted.id] = wanted
                await venue.submit(wanted)
        return venue.engine

    def run():
        source = open_replay([LOB / "hl_SOL_20250904.book.parquet"], "perps", {}, pytest.fail)
        return play(source, script, Latency(50.0, 20.0), source.start_ns, source.instruments)

    market, account, engine = run()
    fills = [event for _, event in account if isinstance(event, Fill)]
    assert sum(isinstance(event, Book) for _, event in market) == 3782
    assert len(fills) > 10
    assert all(fill.maker and fill.ticks == asked[fill.order_id].ticks for fill in fills)
    assert sum(fill.side.sign * fill.lots for fill in fills) == sum(held.lots for held in engine.positions())
    assert run()[1] == account


# --- hearers that die -------------------------------------------------------------------------------------------------


async def first(stream):
    async for item in stream:
        return item


def test_an_event_whose_hearer_died_is_told_again():
    async def main(clock):
        engine = MatchingEngine("perps", [PERP], FEES, CASH_MINOR)
        venue = SimulatedVenue("tape", Tape(*books(3)), engine, LatencyModel(ZERO, 7), clock)
        await clock.sleep(0.1)
        await venue.submit(order("a", BUY, 200, 1001, IOC))
        await clock.sleep(0.1)
        heard = []
        with pytest.raises(RuntimeError):
            async for event in venue.account():
                heard.append(event)
                if isinstance(event, Fill):
                    raise RuntimeError("the hearer died of the fill")
        again = await first(venue.account())
        return heard, again

    heard, again = run_virtual(main, START_NS)
    assert [type(event) for event in heard] == [Accepted, Fill]
    assert again == heard[-1]


def test_a_feed_that_comes_back_hears_the_newest_books_and_the_engine_missed_nothing():
    async def main(clock):
        engine = MatchingEngine("perps", [PERP], FEES, CASH_MINOR)
        late = (3500, [trade(999, 150, SELL, START_NS + 3_500 * NS_PER_MS)])
        venue = SimulatedVenue("tape", Tape(*books(4), late, *books(6)[4:]), engine, LatencyModel(ZERO, 7), clock)
        await first(venue.market())
        await venue.submit(order("a", BUY, 200, 1000, ALO))
        await clock.sleep(3.7)
        heard = [batch async for batch in venue.market()]
        return heard, venue.missed, engine.positions()[0].lots

    heard, missed, lots = run_virtual(main, START_NS)
    stamps = [[(event.at_ns - START_NS) // 10**9 for event in batch] for batch in heard]
    assert stamps == [[3], [4], [5]]
    assert all(isinstance(event, Book) for batch in heard for event in batch)
    assert (missed, lots) == (2, 150)


def test_close_ends_the_account_stream():
    async def main(clock):
        engine = MatchingEngine("perps", [PERP], FEES, CASH_MINOR)
        venue = SimulatedVenue("tape", Tape(), engine, LatencyModel(ZERO, 7), clock)
        async with asyncio.TaskGroup() as group:
            hearing = group.create_task(first(venue.account()))
            await clock.sleep(1)
            await venue.close()
        return hearing.result()

    assert run_virtual(main, START_NS) is None
