"""Frames at a set rate through a real socket into the actor graph: how late is the decision?

A sender in its own process stamps every frame just before it sends it. In-process is from the read of the socket until
the signal has heard the book and decided; wire is from the sender's stamp to the same moment. No frame may be lost. The
socket is plain TCP over loopback: a WebSocket's parser, which belongs to an adapter, comes on top.
"""

import asyncio
import gc
import json
import os
import subprocess
import sys
from array import array
from collections.abc import AsyncIterator, Iterable, Iterator, Sequence
from time import monotonic_ns

import numpy as np

from actors.feed import Feed, FeedMind, History, Stream
from actors.messages import Imbalance
from actors.signal import Signal
from benchmarks.framed import connect
from benchmarks.frames import ENGINE, STAMP, START_MS
from benchmarks.graph_path import Outcome, SceneVenue, check_nothing_lost, children, spoken
from benchmarks.priority import hurried
from benchmarks.report import NS_PER_US, NotMeasured, Wrong, stolen_s, table
from benchmarks.scene import EPOCH_NS, Scene, new_scene
from risk.intent import Cancel, Intent
from supervisor.child import SupervisorSpec
from supervisor.clock import NS_PER_MS, NS_PER_S, Clock
from supervisor.supervisor import House, Supervisor
from supervisor.wall import run_wall
from venues.hyperliquid.wire import decode
from venues.market import MarketEvent

RATES = {"1k": (1_000, 10.0), "10k": (10_000, float(os.environ.get("BENCH_SECONDS", "60")))}
"""Frames per second, and for how many seconds; BENCH_SECONDS shortens the long one for a quick look."""

STAMP_START = len('{"channel":"l2Book","stamp":')
STAMP_AT = slice(STAMP_START, STAMP_START + len(str(STAMP)))
"""Where the sender's stamp stands in a frame."""

BAR_S = 10
"""Six times as many bars as in life, so that every run has some; each is 28 decisions of 0.1 ms in a row."""

PERCENTILES = (50, 99, 99.9)
WARM_SHARE = 0.02
"""Share of the frames at the start that are not counted: caches, and the sender finding its pace."""

STARTED_S_MAX = 30.0


class Times:
    """Three stamps of every frame, in the order they were sent."""

    def __init__(self, frames: int):
        self.sent = array("q", bytes(8 * frames))
        self.read = array("q", bytes(8 * frames))
        self.decided = array("q", bytes(8 * frames))


class PacedVenue(SceneVenue):
    """The market half of a venue: one socket."""

    def __init__(self, scene: Scene, port: int, times: Times, done: "asyncio.Future[None]"):
        self.scene = scene
        self.port = port
        self.times = times
        self.done = done

    async def market(self) -> AsyncIterator[Sequence[MarketEvent]]:
        """What the sender sends, until it hangs up."""
        sent, read, first_ns, number = self.times.sent, self.times.read, START_MS * NS_PER_MS, 0
        socket = await connect(self.port)
        while frames := await socket.read():
            for frame, read_ns in frames:
                sent[number] = int(frame[STAMP_AT]) - STAMP
                read[number] = read_ns
                number += 1
                yield (decode(frame, first_ns + number),)  # type: ignore[misc]  # so that a book knows its number
        self.done.set_result(None)


class TimedSignal(Signal):
    """The signal, which looks at the clock when it is done with a book."""

    times: Times

    def hear_stream(self, touches: Iterable[Imbalance]) -> Iterator[Intent | Cancel]:
        """One book after the other, as the signal does, with a stamp behind each."""
        decided, first_ns = self.times.decided, START_MS * NS_PER_MS + 1
        for imbalance in touches:
            yield from super().hear_stream((imbalance,))
            decided[imbalance.received_ns - first_ns] = monotonic_ns()


def receive(port: int, frames: int) -> Times:
    """Run the graph until the sender is done."""
    scene, times = new_scene(BAR_S), Times(frames)
    outcome = Outcome()
    TimedSignal.times = times

    async def main(clock: Clock) -> None:
        done = clock.loop.create_future()
        mind = FeedMind(ENGINE, {symbol: Stream() for symbol in scene.instruments}, scene.profile.feed.stale_ms)
        venue = PacedVenue(scene, port, times, done)
        window = max(scene.profile.signal.window_bars, scene.profile.signal.trend_bars)
        feed = Feed(mind, venue, History(scene.profile.signal.bar_s * NS_PER_S, window))  # type: ignore[arg-type]
        root = SupervisorSpec(
            name="bench", children=tuple(children(scene, feed, outcome, check=False, signal=TimedSignal))
        )
        house = House(root, clock, outside=spoken(root))
        tree = asyncio.create_task(Supervisor(root, house).run())
        await asyncio.wait([done, tree], return_when=asyncio.FIRST_COMPLETED)
        if tree.done():
            tree.result()
        await asyncio.sleep(0.1)
        check_nothing_lost(house.health())
        tree.cancel()
        await asyncio.wait([tree])

    gc.collect()
    gc.freeze()  # as the daemon does after its start
    run_wall(main, EPOCH_NS)
    gc.unfreeze()
    return times


def run(rate: int, seconds: float) -> tuple[dict[str, list[float]], str]:
    """One rate: percentiles in microseconds of both ways to measure, and what the sender says of itself."""
    frames = round(rate * seconds)
    command = [sys.executable, "-m", "benchmarks.paced_sender", str(rate), str(frames)]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as sender:
        try:
            assert sender.stdout is not None
            hello = json.loads(sender.stdout.readline() or "{}")
            if "port" not in hello:
                raise NotMeasured("the sender did not start")
            times = receive(hello["port"], frames)
            said = json.loads(sender.stdout.readline() or "{}")
        finally:
            sender.kill()
    stamps = {name: np.frombuffer(getattr(times, name), dtype=np.int64) for name in ("sent", "read", "decided")}
    for name, stamp in stamps.items():
        if missing := int((stamp == 0).sum()):
            raise Wrong(f"{missing} of {frames} frames were lost before they were {name}")
    counted = slice(round(frames * WARM_SHARE), None)
    spans = {
        name: (stamps["decided"] - stamps[since])[counted] for name, since in (("inprocess", "read"), ("wire", "sent"))
    }
    shares = {name: [float(x) / NS_PER_US for x in np.percentile(span, PERCENTILES)] for name, span in spans.items()}
    return shares, f"{frames:,} frames at {said['rate']:,.0f}/s, none lost; sender at {hello['priority']}"


def measure() -> dict[str, float]:
    """Both rates."""
    figures: dict[str, float] = {}
    for name, (rate, seconds) in RATES.items():
        stolen_before_s = stolen_s()
        with hurried(core=1) as priority:
            shares, note = run(rate, seconds)
        stolen = stolen_s() - stolen_before_s
        rows = [[part, *share] for part, share in shares.items()]
        table(f"Paced, {note}, graph at {priority}", [["us", "p50", "p99", "p99.9"], *rows])
        print(f"  the hypervisor gave {stolen:.2f} s of the two cores to others meanwhile, which stand in the tail")
        for part, (p50, p99, _) in shares.items():
            figures |= {f"paced_{name}_{part}_p50_us": p50, f"paced_{name}_{part}_p99_us": p99}
    return figures
