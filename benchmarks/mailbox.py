"""What a hop costs: our mailbox read in batches, asyncio.Queue read one by one, an awaited anyio stream.

64 messages arrive together, as books do that came in one read of a socket; then the reader runs.
"""

import asyncio
import time
from collections.abc import Awaitable, Callable
from math import inf

import anyio
from msgspec import Struct

from benchmarks.report import interleaved, table
from supervisor.mailbox import Hears, Mailbox
from supervisor.wall import new_loop

BURST = 64
BURSTS = 1_500
REPEATS = 7
MESSAGES = BURST * BURSTS
NS_PER_S = 1e9


class Message(Struct, frozen=True, gc=False):
    """What travels."""

    number: int


MESSAGE = Message(1)
Hop = Callable[[], Awaitable[int]]


async def ours() -> int:
    """A queue lane; the reader drains it as `MindBody` does."""
    box = Mailbox("reader", (Hears(Message),), lambda: 1)
    put = box.lanes[Message].put

    async def speak() -> None:
        for _ in range(BURSTS):
            for _ in range(BURST):
                put(MESSAGE)
            await asyncio.sleep(0)

    speaker = asyncio.ensure_future(speak())
    heard = 0
    while heard < MESSAGES:
        await box.wait()
        while batch := box.take():
            for _ in batch:
                heard += 1
    await speaker
    return heard


async def asyncio_queue() -> int:
    """asyncio.Queue, one `await get()` per message."""
    queue: asyncio.Queue[Message] = asyncio.Queue()

    async def speak() -> None:
        for _ in range(BURSTS):
            for _ in range(BURST):
                queue.put_nowait(MESSAGE)
            await asyncio.sleep(0)

    speaker = asyncio.ensure_future(speak())
    heard = 0
    while heard < MESSAGES:
        await queue.get()
        heard += 1
    await speaker
    return heard


async def anyio_stream() -> int:
    """An anyio memory object stream, awaited on both sides."""
    send, receive = anyio.create_memory_object_stream[Message](inf)

    async def speak() -> None:
        for _ in range(MESSAGES):
            await send.send(MESSAGE)

    speaker = asyncio.ensure_future(speak())
    heard = 0
    while heard < MESSAGES:
        await receive.receive()
        heard += 1
    await speaker
    send.close()
    receive.close()
    return heard


def _ns_per_message(hop: Hop) -> float:
    async def run() -> float:
        start_s = time.process_time()
        heard = await hop()
        assert heard == MESSAGES
        return (time.process_time() - start_s) / MESSAGES * NS_PER_S

    with asyncio.Runner(loop_factory=new_loop) as runner:
        return runner.run(run())


def measure() -> dict[str, float]:
    """Nanoseconds of CPU per message, and how many times that the others take."""
    hops: dict[str, Hop] = {"ours": ours, "asyncio.Queue": asyncio_queue, "anyio stream": anyio_stream}
    ns = interleaved({name: lambda hop=hop: _ns_per_message(hop) for name, hop in hops.items()}, REPEATS)  # type: ignore[misc]
    rows = [[name, cost, cost / ns["ours"]] for name, cost in ns.items()]
    table(f"Mailbox hop, bursts of {BURST}, CPU time", [["", "ns", "times ours"], *rows])
    return {
        "mailbox_ns": ns["ours"],
        "mailbox_over_asyncio_queue": ns["asyncio.Queue"] / ns["ours"],
        "mailbox_over_anyio": ns["anyio stream"] / ns["ours"],
    }
