"""Frames through a real WebSocket: ours from the socket to gated intents, over the venue's SDK to an imbalance.

A sender in its own process sends both sides the same books as fast as they take them. Ours is what runs live: socket,
subscriptions, decoder, then the actor graph up to the gate. The SDK's is its WebsocketManager with a callback that adds
up the sizes of 20 levels, and does nothing else: no check of a frame, no bar, no decision. Both must come to the same
sum of imbalances, and ours to the verdicts of the graph without a socket, or there is no figure.

What the SDK's side costs is mostly websocket-client's validation of UTF-8 in plain Python.
"""

import asyncio
import gc
import json
import subprocess
import sys
import time
from collections.abc import AsyncIterator, Iterator, Sequence
from contextlib import contextmanager
from math import isclose
from statistics import median
from threading import Event
from typing import Any

from hyperliquid.websocket_manager import WebsocketManager  # type: ignore[import-untyped]

from actors.feed import Feed, FeedMind, History, Stream
from actors.obi_pump import EPSILON
from benchmarks.frames import ENGINE, coins, frames, templates
from benchmarks.graph_path import Outcome, SceneVenue, check_nothing_lost, children, graph, quiet, spoken
from benchmarks.priority import hurried
from benchmarks.report import NotMeasured, Wrong, table
from benchmarks.scene import EPOCH_NS, MARKS_OFFSET_NS, Scene, new_scene
from benchmarks.tickpath import same
from supervisor.child import SupervisorSpec
from supervisor.clock import NS_PER_S, Clock
from supervisor.messages import Tick
from supervisor.supervisor import House, Supervisor
from supervisor.wall import run_wall
from venues.hyperliquid.line import LineSpec
from venues.hyperliquid.streams import Streams
from venues.hyperliquid.subscriptions import books
from venues.hyperliquid.wire import decode
from venues.market import Book, MarketEvent

ROUNDS = 300
GAP_MS = 10
"""A hundred books a coin and bar, as in benchmarks.tickpath; 8,400 frames."""

REPEATS = 3
LEVELS = 20
US_PER_S = 1e6
STARTED_S_MAX = 30.0
HEARD_S_MAX = 60.0


class Figures:
    """What one side took and came to."""

    def __init__(self) -> None:
        self.cpu_s = 0.0
        self.wall_s = 0.0
        self.obi = 0.0
        self.frames = 0
        self._cpu_s = self._wall_s = 0.0

    def start(self) -> None:
        """The first frame is here."""
        self._cpu_s, self._wall_s = time.process_time(), time.perf_counter()

    def stop(self) -> None:
        """The last is done with."""
        self.cpu_s, self.wall_s = time.process_time() - self._cpu_s, time.perf_counter() - self._wall_s


class StreamVenue(SceneVenue):
    """The market half of a venue: the streams an adapter listens on."""

    def __init__(self, scene: Scene, port: int, wanted: int, figures: Figures):
        self.scene = scene
        self.port = port
        self.wanted = wanted
        self.figures = figures
        self.house: House | None = None
        self.done: asyncio.Future[None] | None = None

    async def market(self) -> AsyncIterator[Sequence[MarketEvent]]:
        """What the sender sends; the ticks are of the frames' time, which runs faster than the clock."""
        assert self.house is not None
        assert self.done is not None
        await quiet(self.house)
        tick = self.house.mailboxes[f"{ENGINE}.bars"].lanes[Tick].put
        names = list(self.scene.instruments)
        line = LineSpec(name="books", subscriptions=books(names), decode=in_its_own_time)
        streams = Streams(f"http://127.0.0.1:{self.port}", [line], self.house.clock, known=names)
        figures, second = self.figures, 0
        async for told in streams.batches():
            batch = [one for one in told if type(one) is Book]  # a Gap comes first: what may have been missed before
            if not batch:
                continue
            if not figures.frames:
                figures.start()
            figures.frames += len(batch)
            yield batch
            at_ns = batch[-1].at_ns
            if (now := (at_ns + MARKS_OFFSET_NS) // NS_PER_S) != second:
                second = now
                tick(Tick(at_ns))
            if figures.frames >= self.wanted:
                break
        await quiet(self.house)
        figures.stop()
        await streams.close()
        self.done.set_result(None)
        await asyncio.get_running_loop().create_future()  # until it is stopped


def in_its_own_time(frame: bytes, _: int) -> Any:
    """The decoder, with a frame's own time as that of its arrival: a burst of three seconds takes less than one."""
    heard = decode(frame, EPOCH_NS)
    return Book(heard.symbol, heard.at_ns, heard.at_ns, heard.bids, heard.asks) if type(heard) is Book else heard


def ours(scene: Scene, port: int, wanted: int, *, check: bool = False) -> tuple[Figures, Outcome]:
    """The streams and the graph."""
    figures, outcome = Figures(), Outcome()
    venue = StreamVenue(scene, port, wanted, figures)
    window = max(scene.profile.signal.window_bars, scene.profile.signal.trend_bars)
    mind = FeedMind(ENGINE, {symbol: Stream() for symbol in scene.instruments}, scene.profile.feed.stale_ms)
    feed = Feed(mind, venue, History(scene.profile.signal.bar_s * NS_PER_S, window))  # type: ignore[arg-type]

    async def main(clock: Clock) -> None:
        root = SupervisorSpec(name="bench", children=tuple(children(scene, feed, outcome, check=check)))
        house = House(root, clock, outside=spoken(root))
        venue.house, venue.done = house, clock.loop.create_future()
        tree = asyncio.create_task(Supervisor(root, house).run())
        await asyncio.wait([venue.done, tree], return_when=asyncio.FIRST_COMPLETED, timeout=HEARD_S_MAX)
        if tree.done():
            tree.result()
        health = house.health()
        tree.cancel()
        await asyncio.wait([tree])
        if figures.frames != wanted:
            raise Wrong(f"ours heard {figures.frames} frames of {wanted}")
        check_nothing_lost(health)

    run_wall(main, EPOCH_NS)
    figures.obi = outcome.obi_20
    return figures, outcome


def sdk(port: int, wanted: int) -> Figures:
    """The SDK's manager, its thread, and a callback."""
    figures, done = Figures(), Event()

    def heard(message: Any) -> None:
        if not figures.frames:
            figures.start()
        figures.frames += 1
        bids, asks = message["data"]["levels"]
        bid = sum(float(level["sz"]) for level in bids[:LEVELS])
        ask = sum(float(level["sz"]) for level in asks[:LEVELS])
        figures.obi += (bid - ask) / (bid + ask + EPSILON)
        if figures.frames == wanted:
            figures.stop()
            done.set()

    manager = WebsocketManager(f"http://127.0.0.1:{port}")
    manager.daemon = True
    manager.start()
    for one in coins():
        manager.subscribe({"type": "l2Book", "coin": one.symbol}, heard)
    in_time = done.wait(HEARD_S_MAX)
    manager.stop()  # its thread, a daemon, sees it within the ten seconds of its select
    if not in_time:
        raise Wrong(f"the SDK heard {figures.frames} frames of {wanted}")
    return figures


@contextmanager
def sender() -> Iterator[int]:
    """The other process; its port."""
    command = [sys.executable, "-m", "benchmarks.ws_sender", str(ROUNDS), str(GAP_MS)]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
        try:
            assert process.stdout is not None
            hello = json.loads(process.stdout.readline() or "{}")
            if "port" not in hello:
                raise NotMeasured("the sender did not start")
            yield hello["port"]
        finally:
            process.terminate()


def measure() -> dict[str, float]:
    """CPU time per frame of both sides, in turns."""
    made, scene = frames(ROUNDS, GAP_MS), new_scene()
    wanted = len(made)
    unsocketed = graph(scene, made, check=True)
    with sender() as port, hurried(core=1) as priority:
        figures, outcome = ours(scene, port, wanted, check=True)
        same(outcome, unsocketed, obi=True)
        judged = sdk(port, wanted)
        if not isclose(judged.obi, figures.obi, rel_tol=1e-9):
            raise Wrong(f"the sums of obi_20 differ: {figures.obi!r} and {judged.obi!r}")
        gc.collect()
        gc.freeze()  # as the daemon does after its start
        pairs = []
        for _ in range(REPEATS):
            mine, checked = ours(scene, port, wanted)
            same(checked, outcome)
            pairs.append((mine, sdk(port, wanted)))
        gc.unfreeze()
    ours_us, sdk_us = (median(side.cpu_s for side in sides) / wanted * US_PER_S for sides in zip(*pairs, strict=True))
    per_s = wanted / median(mine.wall_s for mine, _ in pairs)
    sdk_per_s = wanted / median(theirs.wall_s for _, theirs in pairs)
    ratio = median(theirs.cpu_s / mine.cpu_s for mine, theirs in pairs)
    title = f"WebSocket to gated intent, {wanted:,} frames of {len(coins())} coins from {templates()[1]}, {priority}"
    rows = [["ours, to the gate", ours_us, per_s, 1.0], ["SDK's manager, to obi_20", sdk_us, sdk_per_s, ratio]]
    table(title, [["", "CPU us/frame", "frames/s by the clock", "ratio"], *rows])
    print(f"  {outcome.intents} intents ({outcome.verdicts}), sum of obi_20 {figures.obi!r} and {judged.obi!r}")
    return {
        "hl_end_to_end_over_sdk": ratio,
        "hl_end_to_end_us": ours_us,
        "hl_end_to_end_frames_per_s": per_s,
        "hl_end_to_end_sdk_us": sdk_us,
    }
