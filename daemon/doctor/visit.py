"""A visit to a venue: steps side by side after the first, each with a deadline of its own, each a line.

Nothing at the venue is changed, nothing is signed and no order is sent. Where the first step fails, nobody is there:
the others are named in its line and left out, so that one cause is one line.
"""

import asyncio
from collections.abc import Awaitable, Callable, Mapping

from config.errors import ConfigError
from daemon.doctor.line import Line, State, fail, ok
from supervisor.clock import NS_PER_MS, NS_PER_S, Clock
from venues.skew import SKEW_NS_MAX
from venues.socket import Socket
from venues.venue import VenueMisspoke, VenueUnreachable

REACH_S, STEP_S = 4.0, 6.0
"""The two together stay under what the whole doctor may take."""
LOOK_S = 0.01
TROUBLE = (VenueUnreachable, VenueMisspoke, ConfigError, TimeoutError)

Step = Callable[[], Awaitable[Line]]
Put = Callable[[Line], None]


async def kept(name: str, step: Step, do: str, within_s: float = STEP_S) -> Line:
    """What a step says, or why it could not."""
    try:
        async with asyncio.timeout(within_s):
            return await step()
    except TROUBLE as error:
        text = f"no answer within {within_s:g} s" if isinstance(error, TimeoutError) else str(error)
        return fail(name, text, do)


async def visit(put: Put, reach: tuple[str, Step, str], steps: Callable[[], Mapping[str, tuple[Step, str]]]) -> None:
    """First whether anybody is there, then all else at once, which may depend on that; lines in their order."""
    name, step, do = reach
    there = await kept(name, step, do, REACH_S)
    if there.state is State.FAIL:
        put(fail(name, f"{there.found}; not looked at: {', '.join(steps())}", there.do))
        return
    put(there)
    for line in await asyncio.gather(*(kept(one, work, help_) for one, (work, help_) in steps().items())):
        put(line)


def clock_line(name: str, ahead_ns: int, doubt_ns: int) -> Line:
    """How far our clock is ahead of a venue's, by an answer that may be wrong by so much."""
    told = f"{abs(ahead_ns) / NS_PER_S:.2f} s {'ahead of' if ahead_ns > 0 else 'behind'} the venue's"
    if abs(ahead_ns) > SKEW_NS_MAX + doubt_ns:
        do = "set it (chronyc makestep, timedatectl set-ntp true): nothing is entered while the two are a second apart"
        return fail(name, told, do)
    return ok(name, f"{told}, give or take {doubt_ns / NS_PER_S:.2f} s")


async def websocket_line(name: str, socket: Socket, url: str, clock: Clock, say: bytes = b"") -> Line:
    """Open a socket and wait for a first frame. Raises NotConnected, VenueUnreachable."""
    started_ns = clock.now_ns()
    try:
        await socket.open(url)
        opened_ms = (clock.now_ns() - started_ns) / NS_PER_MS
        if say:
            socket.send(say)
        while not socket.frames:
            if socket.ended is not None:
                raise VenueUnreachable(f"the socket ended: {socket.ended.why}, {socket.ended.text}")
            await clock.sleep(LOOK_S)
        return ok(
            name, f"open after {opened_ms:.0f} ms, heard after {(clock.now_ns() - started_ns) / NS_PER_MS:.0f} ms"
        )
    finally:
        await socket.close()
