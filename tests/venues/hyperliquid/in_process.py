"""The real adapter against the emulated exchange in one process and in virtual time: a wire whose delays a test sets.

Requests travel to the exchange and answers back, frames come later than both if the test says so: every race that a
network can make is a choice of three numbers, and the same on every run.
"""

import asyncio
import json
from collections import deque
from dataclasses import dataclass

from config.universe import load_universe
from supervisor.clock import NS_PER_S
from tests.venues.emulator.desk import CONFIG, MASTER, Script
from venues.emulator.hyperliquid.config import AccountConfig
from venues.emulator.hyperliquid.errors import Refused
from venues.emulator.hyperliquid.exchange import HyperliquidExchange
from venues.hyperliquid.adapter import Hyperliquid, Key, Shared, Wanted
from venues.hyperliquid.budget import RequestBudget
from venues.hyperliquid.reconnect import Limits
from venues.hyperliquid.rest import EXCHANGE, INFO, Answer, NotAnswered
from venues.hyperliquid.sign import account_address
from venues.hyperliquid.wire import decode
from venues.venue import VenueMisspoke

CHANNELS = ("userFills", "orderUpdates", "userEvents")
PUMP_S = 0.1
UNSENT, LOST_BEFORE, LOST_AFTER = "unsent", "lost before", "lost after"


@dataclass
class Delays:
    """Seconds on the way, of what begins from now on."""

    there_s: float = 0.02
    back_s: float = 0.02
    frames_s: float = 0.02


class Piped:
    """Stands for Streams: what the test's wire has brought."""

    def __init__(self):
        self.queue = deque()
        self.stirred = asyncio.Event()

    def put(self, heard):
        self.queue.append(heard)
        self.stirred.set()

    async def batches(self):
        while True:
            while self.queue:
                yield [self.queue.popleft()]
            self.stirred.clear()
            await self.stirred.wait()

    def gap_untold(self):
        """Whether a gap is still to come: never."""
        return False

    def uncovered(self):
        return []

    async def close(self):
        pass


class PipedHyperliquid(Hyperliquid):
    """The adapter without sockets."""

    def _streams(self, lines, known):
        return Piped()


class Wire:
    """Stands for Rest, and carries frames; `fates` befall the next actions, one each."""

    def __init__(self, clock, usd=100_000):
        self.clock = clock
        self.market = Script(("BTC",))
        account = AccountConfig(address=MASTER.address, usd={"": usd})
        self.venue = HyperliquidExchange(self.market, [account], CONFIG)
        self.delays = Delays()
        self.fates = deque()
        self.info_down = False
        self.asked = []  # types of what was asked and done
        self.streams = self.skew = None
        self._frames_ns = 0

    async def exchange(self, body):
        request, delays = json.loads(body), self.delays
        fate = self.fates.popleft() if self.fates else ""
        if fate == UNSENT:
            raise NotAnswered(EXCHANGE, "no route", sent=False)
        await self.clock.sleep(delays.there_s)
        if fate != LOST_BEFORE:
            self.asked.append(request["action"]["type"])
            answer = self._answered(self.venue.exchange, request)
            self.publish()
        await self.clock.sleep(delays.back_s)
        if fate:
            raise NotAnswered(EXCHANGE, "cut off", sent=True)
        return answer

    async def info(self, body, read):
        request = json.loads(body)
        self.asked.append(request["type"])
        await self.clock.sleep(self.delays.there_s)
        if self.info_down:
            raise NotAnswered(INFO, "HTTP 502", sent=True)
        answer = self._answered(self.venue.info, request)
        await self.clock.sleep(self.delays.back_s)
        if answer.status != 200:
            raise VenueMisspoke(f"HTTP {answer.status}")
        return read(answer.body)

    def _answered(self, ask, request):
        try:
            return Answer(200, ask(request, self.clock.now_ns()))
        except Refused as refused:
            return Answer(refused.status, str(refused.body).encode())

    async def close(self):
        pass

    def publish(self):
        """Let the market go on, and send what it says on its way, in order."""
        for told in self.venue.advance(self.clock.now_ns()):
            due_ns = self.clock.now_ns() + round(self.delays.frames_s * NS_PER_S)
            self._frames_ns = max(self._frames_ns + 1, due_ns)
            self.clock.call_at(self._frames_ns, lambda frame=told.frame: self._bring(frame))

    def _bring(self, frame):
        self.streams.put(decode(frame, self.clock.now_ns()))

    async def pump(self):
        while True:
            self.publish()
            self.skew.hear(0, self.clock.now_ns())  # as books would: the clocks agree
            await self.clock.sleep(PUMP_S)

    def open_orders(self):
        return self.venue.accounts[MASTER.address].live

    def lots(self):
        asset = self.venue.listing.assets["BTC"]
        return self.venue.accounts[MASTER.address].house(asset).lots("BTC")


async def opened(clock, folder, known=()):
    """An open adapter of BTC and its wire; who uses it pulls `account()` and runs `wire.pump()`."""
    wire = Wire(clock)
    wanted = Wanted(
        engine="perps",
        facts=(load_universe("perps")["BTC"],),
        leverage={},
        known=known,
        known_ns=clock.now_ns(),
    )
    shared = Shared(wire, RequestBudget(), Limits())
    adapter = PipedHyperliquid(
        "http://localhost", wanted, shared, clock, Key(MASTER, account_address(MASTER.address), folder)
    )
    await adapter.open()
    wire.streams, wire.skew = adapter._feed.streams, adapter.skew
    for channel in CHANNELS:
        wire.venue.watch(wire.venue.topic({"type": channel, "user": MASTER.address}))
    return adapter, wire
