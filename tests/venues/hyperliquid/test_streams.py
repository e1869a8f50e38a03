"""Streams against a venue that misbehaves: nothing it does takes down more than it touches, and every loss is told."""

import asyncio
import time
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from typing import Any

import pytest
from websockets.frames import Frame, Opcode

from supervisor.clock import NS_PER_S, Clock
from tests.patience import PATIENCE_S
from tests.venues.hyperliquid.fake_venue import FakeVenue, book, fake_venue, trades, until
from venues.hyperliquid.line import STEADY_S, Line, LineLimits, LineSpec
from venues.hyperliquid.reconnect import Backoff, Limits
from venues.hyperliquid.socket import SocketLimits, Why
from venues.hyperliquid.streams import Streams
from venues.hyperliquid.subscriptions import (
    Damaged,
    Gap,
    Lost,
    Quarantine,
    State,
    Subscription,
    account,
    books,
    fast_books,
)
from venues.market import Book, Trade

NAMES = ["BTC", "ETH", "SOL", "kSHIB", "xyz:MSTR", "xyz:TSLA", "HYPE", "DOGE", "XRP", "AVAX"]
QUICK = LineLimits(socket=SocketLimits(connect_s=0.3, close_s=0.2), ack_s=0.2)
ROOMY = {"connections_per_minute": 1000, "account_connections_per_minute": 1000, "messages_per_minute": 10_000}


class Listener:
    """Pulls streams and keeps what they told."""

    def __init__(self, streams: Streams):
        self.streams = streams
        self.told: list[Any] = []
        self.batches = 0

    async def pull(self) -> None:
        """Until cancelled."""
        async for batch in self.streams.batches():
            self.told += batch
            self.batches += 1

    def of(self, kind: type) -> list[Any]:
        """What was told of one kind."""
        return [event for event in self.told if isinstance(event, kind)]

    def gaps(self) -> list[Gap]:
        """Those of connections that were lost: the gap before the first connection is left out."""
        lost = next((at for at, event in enumerate(self.told) if isinstance(event, Lost)), len(self.told))
        return [event for event in self.told[lost:] if isinstance(event, Gap)]

    async def until(self, condition: Callable[[], object], seconds: float = PATIENCE_S) -> None:
        """Wait for something."""
        await until(condition, seconds)

    async def held(self, count: int) -> None:
        """Wait until so many subscriptions are confirmed."""
        states = lambda: [cover.state for cover in self.streams.coverage().values()]  # noqa: E731
        await self.until(lambda: states().count(State.HELD) == count)

    def state(self, symbol: str) -> State:
        """Of a symbol's only subscription."""
        return next(c.state for s, c in self.streams.coverage().items() if s.symbol == symbol)


@asynccontextmanager
async def listening(venue: FakeVenue, *lines: LineSpec, known: list[str] = NAMES) -> AsyncIterator[Listener]:
    clock = Clock.wall(asyncio.get_running_loop())
    one = Listener(Streams(venue.url, lines, clock, known=known, limits=Limits(**ROOMY)))
    for line in one.streams.lines:
        line.backoff = Backoff(0, "test", first_s=0.01, max_s=0.05)
    one.streams._probes = Backoff(0, "probe", first_s=0.01, max_s=0.05)
    task = asyncio.ensure_future(one.pull())
    try:
        yield one
    finally:
        task.cancel()
        await asyncio.wait([task])
        if not task.cancelled():
            task.result()


def line(subscriptions: tuple[Subscription, ...], name: str = "books", limits: LineLimits = QUICK) -> LineSpec:
    return LineSpec(name=name, subscriptions=subscriptions, limits=limits)


@pytest.fixture
async def venue() -> AsyncIterator[FakeVenue]:
    async with fake_venue() as one:
        yield one


async def test_names_are_asked_for_as_they_are_and_books_come(venue):
    async with listening(venue, line(books(NAMES))) as one:
        await one.held(10)
        assert venue.asked() == NAMES
        await venue.push(*(book(name, 1) for name in NAMES))
        await one.until(lambda: len(one.of(Book)) == 10)
        assert [heard.symbol for heard in one.of(Book)] == NAMES
        assert one.batches < 10  # frames that came together were told together
        cover = one.streams.coverage()[Subscription("l2Book", "kSHIB")]
        assert cover.frames == 1
        assert cover.live_since_ns == cover.last_ns == one.of(Book)[3].received_ns
        assert len(one.told) == 11  # and one word on the time before the first connection
        assert not one.streams.uncovered()


async def test_the_first_connection_says_since_when_it_was_wanted(venue):
    """What happened between a start and its first socket is as much missed as what happened between two sockets."""
    before_ns = time.time_ns()
    connect, venue.ack_s = venue.port, 0.05
    venue.port = 1  # nobody is there at first
    async with listening(venue, line(account("0x" + "ab" * 20), "account")) as one:
        await one.until(lambda: len(one.of(Lost)) >= 2)
        assert not one.of(Gap)
        one.streams.lines[0].url = one.streams.lines[0].url.replace(":1/", f":{connect}/")
        await one.until(lambda: len(one.of(Gap)) == 3)
        first = one.of(Lost)[0].ended.at_ns
        assert {gap.since_ns for gap in one.of(Gap)} == {one.of(Gap)[0].since_ns}
        assert before_ns <= one.of(Gap)[0].since_ns <= first


async def test_a_gap_that_is_not_told_yet_is_known(venue, monkeypatch):
    """Between the last confirmation and the gap's telling all is held, and nothing was asked for yet."""
    seen, acknowledged = [], Line._acknowledged

    def watched(line: Line, *told: Any) -> None:
        acknowledged(line, *told)
        seen.append((len(one.streams.uncovered()), one.streams.gap_untold(), len(one.of(Gap))))

    monkeypatch.setattr(Line, "_acknowledged", watched)
    async with listening(venue, line(account("0x" + "ab" * 20), "account")) as one:
        await one.until(lambda: len(one.of(Gap)) == 3)
        assert seen == [(2, True, 0), (1, True, 0), (0, True, 0)]
        assert not one.streams.gap_untold()


async def test_the_end_of_a_connection_that_lasted_is_no_failure_more(venue, monkeypatch):
    """An account whose sockets end every half minute must not be deaf for half a minute each time."""
    monkeypatch.setattr("venues.hyperliquid.line.STEADY_S", 0.1)
    async with listening(venue, line(books(["BTC"]))) as one:
        await one.held(1)
        backoff = one.streams.lines[0].backoff
        backoff.failures = 5
        await asyncio.sleep(0.12)
        venue.sockets[-1].transport.abort()
        await one.until(lambda: len(venue.sockets) == 2)
        assert backoff.failures == 1
        await one.held(1)
        venue.sockets[-1].transport.abort()
        await one.until(lambda: len(venue.sockets) == 3)
        assert backoff.failures == 2


def test_a_connection_of_half_a_minute_lasted():
    assert STEADY_S < 30


async def test_a_few_are_asked_for_at_a_time(venue):
    venue.ack_s = 0.05
    async with listening(venue, line(books(NAMES))) as one:
        await one.until(lambda: len(venue.asked()) >= 8)
        assert len(venue.asked()) == 8
        await one.held(10)


async def test_slow_and_fast_books_of_a_coin_are_on_sockets_of_their_own(venue):
    async with listening(venue, line(books(["BTC"])), line(fast_books(["BTC"]), "fast")) as one:
        await one.held(2)
        asked = {number: said["subscription"] for number, said in venue.said}
        assert sorted(asked.values(), key=len) == [
            {"type": "l2Book", "coin": "BTC"},
            {"type": "l2Book", "coin": "BTC", "fast": True},
        ]
        assert len(asked) == 2


def test_one_socket_cannot_have_both():
    with pytest.raises(ValueError, match="cannot tell their frames apart"):
        Line(line(books(["BTC"]) + fast_books(["BTC"])), "", None, Limits(), Backoff(0, ""), ["BTC"])  # type: ignore[arg-type]


async def test_a_name_that_is_not_in_meta_is_never_asked_for(venue):
    async with listening(venue, line(books(["BTC", "kshib", "MSTR"]))) as one:
        await one.held(1)
        assert venue.asked() == ["BTC"]
        assert one.state("kshib") is State.QUARANTINED
        assert [cover.reason for cover in one.streams.uncovered()] == ["not in the venue's meta"] * 2


async def test_a_deadly_name_takes_the_others_down_once(venue):
    """HL: an unknown coin closes the whole socket with 1006 and no word."""
    venue.deadly = {"SOL"}
    async with listening(venue, line(books(NAMES))) as one:
        await one.until(lambda: one.of(Quarantine))
        await one.held(9)
        assert one.state("SOL") is State.QUARANTINED
        assert one.of(Quarantine)[0].subscription.symbol == "SOL"
        lost = len(one.of(Lost))
        assert lost <= 2
        main = next(number for number, socket in enumerate(venue.sockets) if socket.state.name == "OPEN")
        await venue.push(*(book(name, 5) for name in NAMES if name != "SOL"), socket=main)
        await one.until(lambda: len(one.of(Book)) == 9)
        await asyncio.sleep(0.1)
        assert len(one.of(Lost)) == lost
        assert venue.asked().count("SOL") in (
            3,
            4,
        )  # with the others, twice beside one that is fine, first perhaps alone


async def test_a_socket_that_dies_while_subscribing_is_not_held_against_the_names(venue):
    venue.deadly = {"SOL"}  # for a moment: the network
    async with listening(venue, line(books(NAMES))) as one:
        await one.until(lambda: one.of(Lost))
        venue.deadly = set()
        await one.held(10)
        assert not one.of(Quarantine)


async def test_a_name_that_is_never_confirmed_holds_up_nobody(venue):
    venue.ignored = {"ETH"}
    async with listening(venue, line(books(NAMES))) as one:
        await one.held(9)
        assert one.state("ETH") is State.SUSPECT
        assert not one.of(Lost)
        venue.ignored = set()
        await one.held(10)
        assert not one.of(Lost)


async def test_a_venue_that_flaps_gives_up_no_name_and_no_account(venue):
    """Every socket dies at the first subscription, for a while: that says nothing of what was asked."""
    venue.deadly, user = {*NAMES, "userFills", "orderUpdates", "userEvents"}, "0x" + "ab" * 20
    async with listening(venue, line(books(NAMES)), line(account(user), "account")) as one:
        await asyncio.gather(
            *(one.until(lambda who=who: venue.asked().count(who) >= 5) for who in ("BTC", "userFills"))
        )
        venue.deadly = set()
        await one.held(13)
        assert not one.of(Quarantine)


async def test_no_probe_takes_a_connection_from_a_line_that_is_down(venue, monkeypatch):
    """New connections are counted by the minute: those of a venue that flaps are for the lines."""
    venue.deadly, probe, seen = {*NAMES}, Line.probe, []

    async def watched(line: Line) -> None:
        seen.append({cover.state for cover in line.covers.values()})
        await probe(line)

    monkeypatch.setattr(Line, "probe", watched)
    monkeypatch.setattr("venues.hyperliquid.streams.LINE_DOWN_S", 0.01)
    async with listening(venue, line(books(NAMES))) as one:
        await one.until(lambda: len(seen) >= 3)
        venue.deadly = set()
        await one.held(10)
        assert all(State.HELD in states or states == {State.SUSPECT} for states in seen), seen


async def test_two_bad_names_alone_are_never_judged_and_hold_up_nobody(venue):
    """Nothing was ever confirmed, so it may be the venue's fault; each is asked for in turn, until one is answered."""
    venue.deadly, venue.ignored = {"BTC"}, {"ETH"}
    async with listening(venue, line(books(["BTC", "ETH"]))) as one:
        await one.until(lambda: venue.asked().count("BTC") >= 4 and venue.asked().count("ETH") >= 4)
        assert not one.of(Quarantine)
        venue.ignored = set()
        await one.until(lambda: one.of(Quarantine))  # now there is one beside which the other may be judged
        await one.held(1)
        assert one.state("BTC") is State.QUARANTINED


async def test_what_was_given_up_is_tried_again(venue, monkeypatch):
    monkeypatch.setattr("venues.hyperliquid.streams.RECONSIDER_S", 0.2)
    venue.deadly, venue.refused = {"SOL"}, {"ETH": "Invalid subscription"}
    async with listening(venue, line(books([*NAMES, "gone"]))) as one:
        await one.until(lambda: {given.subscription.symbol for given in one.of(Quarantine)} == {"SOL", "ETH"})
        await one.until(lambda: len(one.of(Quarantine)) >= 4)  # tried again, and still bad
        venue.deadly, venue.refused = set(), {}
        await one.held(10)
        assert "gone" not in venue.asked()  # in no meta


async def test_an_account_that_is_refused_is_asked_for_again(venue):
    venue.refused = {"orderUpdates": "Cannot track more than 10 total users."}
    async with listening(venue, line(account("0x" + "ab" * 20), "account")) as one:
        await one.until(lambda: len(one.of(Lost)) >= 2)
        assert one.of(Lost)[0].ended.text == "Cannot track more than 10 total users."
        assert not one.of(Gap)
        venue.refused = {}
        await one.held(3)
        assert not one.of(Quarantine)


async def test_an_account_that_is_not_confirmed_is_asked_for_on_another_socket(venue):
    venue.ignored = {"userFills"}
    async with listening(venue, line(account("0x" + "ab" * 20), "account")) as one:
        await one.until(lambda: len(one.of(Lost)) >= 2)
        assert one.of(Lost)[0].ended.why is Why.MUTE
        assert not one.of(Gap), "nobody heard fills"
        venue.ignored = set()
        await one.held(3)
        await one.until(lambda: len(one.of(Gap)) == 3)


async def test_a_refused_name_is_given_up_with_the_venues_words(venue):
    venue.refused = {"ETH": "Invalid subscription"}
    async with listening(venue, line(books(NAMES[:4]))) as one:
        await one.until(lambda: one.of(Quarantine))
        await one.held(3)
        assert one.of(Quarantine)[0].reason == "Invalid subscription"
        assert not one.of(Lost)


async def test_already_subscribed_is_a_confirmation(venue):
    venue.refused = {"ETH": 'Already subscribed: {"type":"l2Book","coin":"ETH","nSigFigs":null,"mantissa":null}'}
    async with listening(venue, line(books(NAMES[:4]))) as one:
        await one.held(4)
        assert not one.of(Quarantine)


@pytest.mark.parametrize("end", ["abort", "close"])
async def test_a_lost_socket_comes_back_with_all_it_had_and_tells_the_gap(venue, end):
    async with listening(venue, line((*books(NAMES[:3]), Subscription("trades", "BTC")))) as one:
        await one.held(4)
        await venue.push(book("BTC", 1))
        await one.until(lambda: one.of(Book))
        if end == "abort":
            venue.sockets[0].transport.abort()
        else:
            await venue.push(book("ETH", 1))
            await venue.sockets[0].close(1001, "restart")
        await one.until(lambda: len(one.gaps()) == 2)
        await one.held(4)
        gaps, (lost,) = one.gaps(), one.of(Lost)
        assert [gap.channel for gap in gaps] == ["l2Book", "trades"]
        assert {gap.since_ns for gap in gaps} == {one.of(Book)[-1].received_ns}
        assert lost.ended.why is (Why.ABORTED if end == "abort" else Why.CLOSED)
        assert lost.channels == ("l2Book", "trades")
        assert one.told.index(lost) < one.told.index(gaps[0])
        assert venue.asked(1) == venue.asked(0)
        before = one.streams.coverage()[Subscription("l2Book", "BTC")]
        assert before.live_since_ns == 0
        await venue.push(book("BTC", 2))
        await one.until(lambda: before.live_since_ns == before.last_ns)


async def test_a_gap_reaches_back_over_connections_that_heard_nothing(venue):
    async with listening(venue, line(books(["BTC"]))) as one:
        await one.held(1)
        await venue.push(book("BTC", 1))
        await one.until(lambda: one.of(Book))
        venue.ignored = {"BTC"}
        venue.sockets[0].transport.abort()
        await one.until(lambda: len(venue.sockets) >= 2)
        venue.sockets[1].transport.abort()
        await one.until(lambda: len(one.of(Lost)) >= 2)
        venue.ignored = set()
        await one.until(one.gaps)
        assert one.gaps()[0].since_ns == one.of(Book)[0].received_ns


async def test_a_mute_socket_is_closed_and_opened_again(venue):
    mute = LineLimits(socket=SocketLimits(quiet_s=0.15, close_s=0.1), ack_s=0.2)
    async with listening(venue, line(books(["BTC"]), limits=mute), line(fast_books(["ETH"]), "fast")) as one:
        await one.until(lambda: one.of(Lost))
        assert one.of(Lost)[0].ended.why is Why.MUTE
        assert one.of(Lost)[0].line == "books"
        await one.until(one.gaps)
        assert one.state("ETH") is State.HELD


async def test_one_line_down_does_not_stop_the_other(venue):
    async with listening(venue, line(books(["BTC"])), line(fast_books(["ETH"]), "fast")) as one:
        await one.held(2)
        btc = next(number for number in (0, 1) if venue.asked(number) == ["BTC"])
        venue.ack_s = 0.5
        venue.sockets[btc].transport.abort()
        await venue.push(*(book("ETH", number) for number in range(5)), socket=1 - btc)
        await one.until(lambda: len(one.of(Book)) == 5)
        assert one.state("BTC") is not State.HELD
        venue.ack_s = 0.0


async def test_the_first_trades_of_each_connection_are_history(venue):
    coins = ("BTC", "ETH")
    async with listening(venue, line(tuple(Subscription("trades", coin) for coin in coins), "trades")) as one:
        await one.held(2)
        await venue.push(trades("BTC", 1, 2, 3), trades("ETH", 4), trades("BTC", 5, 6))
        await one.until(lambda: one.of(Trade))
        assert [trade.price for trade in one.of(Trade)] == [5.0, 6.0]
        venue.sockets[0].transport.abort()
        await one.until(one.gaps)
        await venue.push(trades("BTC", 5, 6), trades("BTC", 7))
        await one.until(lambda: len(one.of(Trade)) == 3)
        assert one.of(Trade)[-1].price == 7.0
        assert one.streams.lines[0].replays == 3


async def test_snapshots_of_fills_pass_on_every_time(venue):
    """Fills made while we were away stand only there."""
    frame = '{"channel":"userFills","data":{"user":"0x%s","isSnapshot":true,"fills":[]}}' % ("ab" * 20)
    async with listening(venue, line(account("0x" + "AB" * 20), "account")) as one:
        await one.held(3)
        assert venue.asked() == ["userFills", "orderUpdates", "userEvents"]
        assert venue.said[0][1]["subscription"] == {"type": "userFills", "user": "0x" + "ab" * 20}
        await venue.push(frame)
        await one.until(lambda: len(one.told) == 4)
        venue.sockets[0].transport.abort()
        await one.until(one.gaps)
        assert [gap.channel for gap in one.gaps()] == ["userFills", "orderUpdates", "userEvents"]
        await venue.push(frame)
        await one.until(lambda: one.told[-1] == one.told[3] or getattr(one.told[-1], "received_ns", 0))


async def test_damaged_frames_are_told_and_too_many_in_a_row_end_the_socket(venue):
    few = LineLimits(socket=QUICK.socket, ack_s=0.2, damaged_max=2)
    async with listening(venue, line(books(["BTC"]), limits=few)) as one:
        await one.held(1)
        await venue.push("{", '{"channel":"l2Book","data":{}}', book("BTC"), "[]", "nonsense")
        await one.until(lambda: len(one.of(Damaged)) == 4)
        assert not one.of(Lost)
        await venue.push("{")
        await one.until(one.gaps)
        assert one.of(Lost)[0].ended.why is Why.MISSPOKE


async def test_frames_of_what_was_not_asked_for_are_counted_and_dropped(venue):
    async with listening(venue, line(books(["BTC"]))) as one:
        await one.held(1)
        await venue.push(
            "Websocket connection established.", book("DOGE"), trades("BTC", 1), trades("BTC", 2), book("BTC")
        )
        await one.until(lambda: one.of(Book))
        assert [heard.symbol for heard in one.of(Book)] == ["BTC"]
        assert one.streams.lines[0].strays == 3


async def test_a_book_behind_many_frames_of_no_interest_is_told_at_once(venue):
    async with listening(venue, line(books(["BTC"]))) as one:
        await one.held(1)
        frames = [*[book("DOGE")] * 100, book("BTC")]
        venue.sockets[0].transport.write(
            b"".join(Frame(Opcode.TEXT, frame.encode()).serialize(mask=False) for frame in frames)
        )
        await one.until(lambda: one.of(Book))
        assert one.streams.lines[0].strays == 100


async def test_a_venue_that_talks_without_end_starves_nobody(venue):
    """Every line has its turn, and so has whoever waits for the loop."""
    async with listening(venue, line(books(["BTC"])), line(fast_books(["ETH"]), "fast")) as one:
        await one.held(2)
        btc = next(number for number in (0, 1) if venue.asked(number) == ["BTC"])
        frame = Frame(Opcode.TEXT, book("BTC").encode()).serialize(mask=False)
        venue.sockets[btc].transport.write(frame * 3000)
        await venue.push(book("ETH"), socket=1 - btc)
        await one.until(lambda: len(one.of(Book)) == 3001)
        place = next(at for at, heard in enumerate(one.of(Book)) if heard.symbol == "ETH")
        assert place < 3000


async def test_iterating_again_takes_over(venue):
    async with listening(venue, line(books(["BTC"]))) as one:
        await one.held(1)
        await venue.push(book("BTC", 1))
        await one.until(lambda: one.of(Book))
        again = Listener(one.streams)
        task = asyncio.ensure_future(again.pull())
        await again.until(lambda: len(venue.sockets) == 2)
        await again.held(1)
        await again.until(lambda: again.of(Gap))
        await venue.push(book("BTC", 2))
        await again.until(lambda: again.of(Book))
        assert len(one.of(Book)) == 1
        task.cancel()
        await asyncio.wait([task])


async def test_who_stops_pulling_leaves_no_task_and_no_socket(venue):
    before = asyncio.all_tasks()
    async with listening(venue, line(books(["BTC"])), line(fast_books(["ETH"]), "fast")) as one:
        await one.held(2)
    await asyncio.sleep(0.02)
    ours = [task for task in asyncio.all_tasks() - before if "hyperliquid" in task.get_name()]
    assert not ours
    assert all(socket.state.name != "OPEN" for socket in venue.sockets)


async def test_a_venue_that_is_down_is_asked_with_growing_pauses():
    async with fake_venue() as gone:
        pass
    async with listening(gone, line(books(["BTC"]))) as one:
        await one.until(lambda: len(one.of(Lost)) >= 4)
        assert {lost.ended.why for lost in one.of(Lost)} == {Why.UNREACHABLE}
        times = [lost.ended.at_ns for lost in one.of(Lost)]
        assert times[3] - times[0] >= 0.005 * NS_PER_S
