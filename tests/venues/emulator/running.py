"""An emulated Hyperliquid that runs in a thread of this process, for clients that block: SDKs, and plain HTTP."""

import asyncio
import json
import threading
import urllib.request
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from decimal import Decimal
from typing import Any

from daemon.emulate import Where, address_of, asked, emulator_of, throw_away_key
from supervisor.clock import Clock
from supervisor.program import Program
from supervisor.wall import run_wall
from venues.emulator.program import nothing_to_wind_down, program_of
from venues.emulator.serve import Emulator, listen

KEY = throw_away_key(1)
ADDRESS = address_of(KEY)
SYMBOLS = ("BTC", "ETH", "SOL", "DOGE", "xyz:TSLA")  # so many that each dex has a delisted name, too


class Running:
    """A running emulator and its control door."""

    def __init__(self, port: int):
        self.url = f"http://127.0.0.1:{port}"
        self.up = threading.Event()
        self.loop: asyncio.AbstractEventLoop | None = None
        self.program: Program | None = None
        self.emulator: Emulator | None = None

    def post(self, path: str, body: Any = None) -> Any:
        """Post JSON and read JSON."""
        request = urllib.request.Request(self.url + path, json.dumps(body or {}).encode(), method="POST")
        with urllib.request.urlopen(request, timeout=10) as answer:
            return json.load(answer)

    def info(self, kind: str, **more: Any) -> Any:
        """Ask /info."""
        return self.post("/info", {"type": kind, **more})

    def advance(self, seconds: float) -> None:
        """Move stepped time on."""
        self.post("/emulator/advance", {"seconds": seconds})

    def fault(self, **told: Any) -> None:
        """Let a fault fire at the next opportunity."""
        self.post("/emulator/fault", told)

    def deposit(self, usd: int, address: str = ADDRESS) -> None:
        """Let money arrive in an account's own dex."""
        assert self.loop is not None
        emulator = self.emulator
        assert emulator is not None

        def arrive() -> None:
            emulator.doors.exchange.deposit(address, Decimal(usd), emulator.time.now_ns())  # type: ignore[attr-defined]

        self.loop.call_soon_threadsafe(arrive)

    def truth(self, address: str = ADDRESS) -> Any:
        """What is so of an account."""
        return self.post("/emulator/truth")[address]

    def statistics(self) -> Any:
        """What was counted."""
        return self.post("/emulator/statistics")


@contextmanager
def running(
    symbols: Sequence[str] = SYMBOLS,
    speed: float | None = None,
    faults: str = "none",
    accounts: Sequence[str] = (),
    seed: int = 1,
) -> Iterator[Running]:
    """Serve until the block is over; without a speed time is stepped."""
    told = asked(
        where=Where("127.0.0.1", 0),
        seed=seed,
        speed=speed,
        faults=faults,
        accounts=accounts or [f"{ADDRESS}:100000"],
        symbols=tuple(symbols),
    )
    with serving(lambda clock: emulator_of(told, clock), speed) as server:
        yield server


@contextmanager
def serving(build: Callable[[Clock], Emulator], speed: float | None, epoch_ns: int | None = None) -> Iterator[Running]:
    """Serve what is built until the block is over."""
    listener = listen("127.0.0.1", 0)
    server = Running(listener.getsockname()[1])

    async def live(clock: Clock) -> None:
        server.emulator = build(clock)
        server.program = program_of(server.emulator, listener, clock)
        server.loop = clock.loop
        server.up.set()
        ending = await server.program.run(nothing_to_wind_down)
        assert ending.gave_up is None, ending.reason

    failed: list[BaseException] = []

    def serve() -> None:
        try:
            run_wall(live, epoch_ns, speed or 1.0)
        except BaseException as error:
            failed.append(error)
            server.up.set()

    thread = threading.Thread(target=serve, name="emulator")
    thread.start()
    try:
        assert server.up.wait(30)
        if not failed:
            yield server
    finally:
        if server.loop is not None and not failed:
            server.loop.call_soon_threadsafe(server.program.stop, "the test is over")
        thread.join(10)
        listener.close()
        assert not thread.is_alive()
    if failed:
        raise failed[0]
