"""The emulator on a port of this machine, its client in the same loop, ten to twenty times as fast as the world."""

from collections.abc import Awaitable, Callable, Sequence
from typing import Any, TypeVar

from daemon.emulate import Where, asked, emulator_of
from supervisor.beside import Beside
from supervisor.clock import Clock
from supervisor.wall import run_wall
from venues.emulator.faults import at_once
from venues.emulator.program import nothing_to_wind_down, program_of
from venues.emulator.serve import Emulator, listen
from venues.hyperliquid.line import LineSpec
from venues.hyperliquid.reconnect import Limits
from venues.hyperliquid.socket import Socket, SocketLimits, socket_url
from venues.hyperliquid.streams import Streams

SPEED = 20.0
PATIENCE_S = 400.0
"""Of the emulator's time: what has not happened by then does not."""
STEP_S = 0.2
ROOMY = 1_000
"""Connections a minute: the minute of an exhibit is three seconds."""

T = TypeVar("T")


class Loopback:
    """A venue that listens, and who is to hear it."""

    def __init__(self, emulator: Emulator, url: str, clock: Clock, beside: Beside) -> None:
        self.emulator, self.url, self.clock, self.beside = emulator, url, clock, beside

    def fault(self, **told: Any) -> None:
        """Let a fault fire now."""
        self.emulator.faults.add(at_once(told), self.emulator.time.now_ns())
        self.emulator.step()

    async def until(self, condition: Callable[[], object]) -> bool:
        """Wait for something; whether it came."""
        for _ in range(round(PATIENCE_S / STEP_S)):
            self.beside.check()
            if condition():
                return True
            await self.clock.sleep(STEP_S)
        return False

    def streams(self, line: LineSpec, known: Sequence[str]) -> tuple[Streams, list[Any]]:
        """Our streams, and what they tell."""
        streams = Streams(self.url, [line], self.clock, known=known, limits=Limits(connections_per_minute=ROOMY))
        told: list[Any] = []

        async def pull() -> None:
            async for batch in streams.batches():
                told.extend(batch)

        self.beside.start(pull(), "streams of an exhibit")
        return streams, told

    async def socket(self, *messages: bytes) -> Socket:
        """One socket that asked for this, as a naive client has it."""
        socket = Socket(self.clock, SocketLimits(close_s=0.2), lambda: None)
        await socket.open(socket_url(self.url))
        for message in messages:
            socket.send(message)
        return socket


def play(symbols: Sequence[str], scene: Callable[[Loopback], Awaitable[T]]) -> T:
    """Serve an emulated Hyperliquid for as long as a scene lasts."""
    where = Where("127.0.0.1", 0)
    told = asked(where=where, seed=1, speed=SPEED, faults="none", accounts=(), symbols=tuple(symbols))
    return staged(lambda clock: emulator_of(told, clock), scene)


def staged(
    build: Callable[[Clock], Emulator], scene: Callable[[Loopback], Awaitable[T]], epoch_ns: int | None = None
) -> T:
    """Serve what is built, from a time on, for as long as a scene lasts."""
    with listen("127.0.0.1", 0) as listener:
        port = int(listener.getsockname()[1])

        async def live(clock: Clock) -> T:
            emulator, beside = build(clock), Beside(clock)
            program = program_of(emulator, listener, clock)

            async def serve() -> None:
                await program.run(nothing_to_wind_down)

            beside.start(serve(), "emulator of an exhibit")
            try:
                return await scene(Loopback(emulator, f"http://127.0.0.1:{port}", clock, beside))
            finally:
                await beside.stop()

        return run_wall(live, epoch_ns, speed=SPEED)
