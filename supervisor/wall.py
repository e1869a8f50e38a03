"""Real time: the program on uvloop (asyncio's own loop where there is none) with the machine's clock."""

import asyncio
import signal
import sys
import time
from collections.abc import Callable, Coroutine
from typing import Any, TypeVar

from supervisor import early
from supervisor.clock import Clock

T = TypeVar("T")
STOP_SIGNALS = tuple(getattr(signal, name) for name in ("SIGINT", "SIGTERM", "SIGBREAK") if hasattr(signal, name))


def _tell(loop: asyncio.AbstractEventLoop, told: Callable[[signal.Signals], None], number: int) -> None:
    loop.call_soon_threadsafe(told, signal.Signals(number))


def new_loop() -> asyncio.AbstractEventLoop:
    """The fastest loop this machine has."""
    if sys.platform == "win32":
        return asyncio.new_event_loop()
    import uvloop

    return uvloop.new_event_loop()


def now_ns() -> int:
    """The machine's time, for those who must know it before there is a clock."""
    return time.time_ns()


def run_wall(main: Callable[[Clock], Coroutine[Any, Any, T]], epoch_ns: int | None = None, speed: float = 1.0) -> T:
    """Run a program in real time; a made market may start at another time (`epoch_ns`) and run faster (`speed`)."""
    with asyncio.Runner(loop_factory=new_loop) as runner:
        loop = runner.get_loop()
        clock = Clock(loop, time.time_ns() if epoch_ns is None else epoch_ns, speed)
        try:
            return runner.run(main(clock))
        finally:
            clock.close()


def on_signals(loop: asyncio.AbstractEventLoop, stop: Callable[[str], None], reload: Callable[[], None]) -> None:
    """Call `stop` with the signal's name on SIGINT and SIGTERM, `reload` on SIGHUP, from inside the loop.

    What came before there was a loop, and was lost on its way, is told now.
    A handler of the loop wakes it out of any wait; a plain flag would not (the seed's engine had to be killed for it).
    """

    def told(number: signal.Signals) -> None:
        stop(number.name)

    for number in STOP_SIGNALS:
        try:
            loop.add_signal_handler(number, told, number)
        except NotImplementedError:  # Windows: the interpreter's handler, which must wake the loop itself
            signal.signal(number, lambda n, _: _tell(loop, told, n))
    if hasattr(signal, "SIGHUP"):
        loop.add_signal_handler(signal.SIGHUP, reload)
    if name := early.asked():
        loop.call_soon(stop, name)
