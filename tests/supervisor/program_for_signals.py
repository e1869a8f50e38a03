"""A program that waits for ever unless a signal wakes it; test_signals runs it and sends the signals."""

import asyncio
import sys

from supervisor.clock import Clock
from supervisor.wall import on_signals, run_wall


async def main(clock: Clock) -> str:
    """Wait for a stop; print what comes before it."""
    stopped = clock.loop.create_future()
    on_signals(clock.loop, stopped.set_result, lambda: print("reload", flush=True))
    print("waiting", flush=True)
    return await stopped


async def busy(clock: Clock) -> str:
    """The same while disk work is under way: the stop waits for it."""
    waiting = asyncio.create_task(main(clock))
    await clock.in_thread(sys.stdin.readline)
    return await waiting


if __name__ == "__main__":
    print("stopped by", run_wall(busy if "busy" in sys.argv else main), flush=True)
