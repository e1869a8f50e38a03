"""The tick path through the real actors, under the real supervisor, on the wall loop.

Frames come in bursts of one book per coin, as they do from the venue, and are decoded where a venue decodes them.
"""

import asyncio
import time
from collections.abc import AsyncIterator, Collection, Iterator, Sequence
from itertools import count
from typing import Any, ClassVar

from actors.bars import Bars
from actors.feed import Feed, FeedMind, History, Stream
from actors.gate import Gate
from actors.messages import (
    BreakerChanged,
    Imbalance,
    MacroWindow,
    PositionChanged,
    Reconciled,
    SectorCounts,
    StreamState,
)
from actors.obi_pump import ObiPump
from actors.signal import Signal
from benchmarks.frames import ENGINE, Frame
from benchmarks.report import Wrong
from benchmarks.scene import EPOCH_NS, MARKS_OFFSET_NS, Scene
from risk.gate_state import new_state
from risk.intent import Approved, Refused
from supervisor.actor import MindBody, Post
from supervisor.child import ChildSpec, Restart, SupervisorSpec
from supervisor.clock import NS_PER_S, Clock
from supervisor.mailbox import Hears
from supervisor.messages import Tick
from supervisor.supervisor import House, Supervisor
from supervisor.wall import run_wall
from venues.hyperliquid.wire import decode
from venues.market import Bar, MarketEvent

OPENING = (Reconciled, MacroWindow, SectorCounts, BreakerChanged, StreamState, PositionChanged)


class Outcome:
    """What a side did, by which the two are compared."""

    def __init__(self) -> None:
        self.took_s = 0.0
        self.verdicts: dict[str, int] = {}
        self.obi_20 = 0.0

    @property
    def intents(self) -> int:
        """Every intent gets one verdict."""
        return sum(self.verdicts.values())

    def count(self, verdict: Approved[Any] | Refused[Any]) -> None:
        """Count a verdict by its rule."""
        rule = verdict.rule if isinstance(verdict, Refused) else "approved"
        self.verdicts[rule] = self.verdicts.get(rule, 0) + 1


class SceneVenue:
    """What every bench's venue answers; its market is each one's own."""

    scene: Scene

    async def history(self, symbol: str, interval_ns: int, bars: int) -> Sequence[Bar]:
        """Warm windows."""
        return self.scene.bars[symbol]

    def deaf(self) -> Collection[str]:
        """Nothing is missed here."""
        return ()


class BenchVenue(SceneVenue):
    """The market half of a venue: frames in bursts, each decoded when it arrives, and CPU time taken around them."""

    def __init__(self, scene: Scene, frames: Sequence[Frame], outcome: Outcome):
        self.scene = scene
        self.frames = frames
        self.outcome = outcome
        self.house: House | None = None
        self.done: asyncio.Future[None] | None = None

    async def market(self) -> AsyncIterator[Sequence[MarketEvent]]:
        """Everything, as fast as the graph takes it."""
        assert self.house is not None
        assert self.done is not None
        await quiet(self.house)
        burst, frames = len(self.scene.instruments), self.frames
        tick = self.house.mailboxes[f"{ENGINE}.bars"].lanes[Tick].put
        second = 0
        start_s = time.process_time()
        for at in range(0, len(frames), burst):
            yield [decode(frame.data, frame.at_ns) for frame in frames[at : at + burst]]  # type: ignore[misc]
            now = (frames[at].at_ns + MARKS_OFFSET_NS) // NS_PER_S
            if now != second:  # of the frames' time, not of the clock's
                second = now
                tick(Tick(frames[at].at_ns))
            await asyncio.sleep(0)
        await quiet(self.house)
        self.outcome.took_s = time.process_time() - start_s
        self.done.set_result(None)
        await asyncio.get_running_loop().create_future()  # until it is stopped


async def quiet(house: House) -> None:
    """Wait until nobody has anything left to do."""
    while any(map(len, house.mailboxes.values())):  # noqa: ASYNC110  # there is no event for nothing to do
        await asyncio.sleep(0)
    await asyncio.sleep(0)


class Sink:
    """Where verdicts end: opens the gate at the start and counts."""

    def __init__(self, scene: Scene, outcome: Outcome):
        self.scene = scene
        self.outcome = outcome

    async def run(self, post: Post) -> None:
        """Count."""
        for message in self.scene.opened():
            post.say(message)
        post.ready()
        while True:
            for verdict in post.mailbox.take():
                self.outcome.count(verdict)
            await post.mailbox.wait()


class Tally:
    """Adds up what the pump says; only in the run that is checked, not in those that are timed."""

    hears: ClassVar[tuple[Hears, ...]] = (Hears(Imbalance),)
    says: ClassVar[tuple[type, ...]] = ()

    def __init__(self, outcome: Outcome):
        self.outcome = outcome

    def hear(self, message: Imbalance) -> tuple[()]:
        self.outcome.obi_20 += message.obi_20
        return ()


def children(
    scene: Scene, feed: Feed, outcome: Outcome, *, check: bool, signal: type[Signal] = Signal
) -> Iterator[ChildSpec]:
    """The part of daemon/graph.py that a book passes, in its order."""
    profile, instruments = scene.profile, scene.instruments
    ids = count(1)
    hears = tuple(heard for heard in Signal.hears if heard.message is not Refused)  # the path goes one way

    def child(name: str, kind: Any, start: Any, **options: Any) -> ChildSpec:
        said = {"hears": kind.hears, "says": kind.says, "paced": getattr(kind, "paced", False)} | options
        return ChildSpec(name=name, start=start, engine=ENGINE, **said)

    verdicts = (Hears(Approved), Hears(Refused))
    yield ChildSpec(name="sink", start=lambda: Sink(scene, outcome), engine=ENGINE, hears=verdicts, says=OPENING)
    yield child("gate", Gate, lambda: MindBody(Gate(new_state(profile, instruments.values(), scene.calendar))))
    new_id = lambda: f"0x{next(ids):032x}"  # noqa: E731
    yield child("signal", Signal, lambda: MindBody(signal(profile, instruments, new_id, scene.calendar)), hears=hears)
    window = max(profile.signal.window_bars, profile.signal.trend_bars)
    yield child("bars", Bars, lambda: MindBody(Bars(ENGINE, profile.signal.bar_s, window)))
    if check:
        yield child("tally", Tally, lambda: MindBody(Tally(outcome)))
    yield child("obi_pump", ObiPump, lambda: MindBody(ObiPump()))
    yield child("feed", Feed, lambda: feed, restart=Restart.TRANSIENT)


def graph(scene: Scene, frames: Sequence[Frame], *, check: bool = False) -> Outcome:
    """Run the frames through the graph."""
    outcome = Outcome()
    venue = BenchVenue(scene, frames, outcome)
    window = max(scene.profile.signal.window_bars, scene.profile.signal.trend_bars)
    mind = FeedMind(ENGINE, {symbol: Stream() for symbol in scene.instruments}, scene.profile.feed.stale_ms)
    feed = Feed(mind, venue, History(scene.profile.signal.bar_s * NS_PER_S, window))  # type: ignore[arg-type]

    async def main(clock: Clock) -> None:
        root = SupervisorSpec(name="bench", children=tuple(children(scene, feed, outcome, check=check)))
        house = House(root, clock, outside=spoken(root))
        venue.house, venue.done = house, clock.loop.create_future()
        tree = asyncio.create_task(Supervisor(root, house).run())
        await asyncio.wait([venue.done, tree], return_when=asyncio.FIRST_COMPLETED)
        if tree.done():
            tree.result()
        health = house.health()
        tree.cancel()
        await asyncio.wait([tree])
        check_nothing_lost(health)

    run_wall(main, EPOCH_NS)
    return outcome


def spoken(root: SupervisorSpec) -> tuple[type, ...]:
    """Everything that anybody hears or says: in a whole graph the other side of it is there."""
    specs = [child for child in root.children if isinstance(child, ChildSpec)]
    return tuple({one.message for spec in specs for one in spec.hears} | {one for spec in specs for one in spec.says})


def check_nothing_lost(health: Sequence[Any]) -> None:
    """Every book was heard by everyone on the path."""
    for row in health:
        if row.restarts or row.mailbox.conflated:
            raise Wrong(f"{row.name}: {row.restarts} restarts, {row.mailbox.conflated} books were passed over")
