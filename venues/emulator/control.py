"""The control door: for tests and operators, on the venue's port, and no part of any venue.

    POST /emulator/time                          {"now_ns", "start_ns", "stepped", "skew_ns", "down"}
    POST /emulator/advance   {"seconds": 1.5}    moves time on; only where it is stepped (409 elsewhere)
    POST /emulator/fault     {"kind": "mute"}    a rule without its times: fires at the next opportunity, once
    POST /emulator/rest                          no more faults, and what they did to sockets and clocks is undone
    POST /emulator/statistics                    requests, frames, faults fired by kind, use of limits and its highest
    POST /emulator/truth                         accounts, positions, open orders, fills as they are

Questions and answers are JSON; what can't be used is answered 400 with {"error"}.
"""

from collections.abc import Awaitable, Callable
from typing import Any

import msgspec
from aiohttp import web

from venues.emulator import faults
from venues.emulator.serve import Emulator, Server, figures

ADVANCE_S_MAX = 86_400.0
"""A day at a time."""


class Control:
    """Answers the control door of one server."""

    def __init__(self, emulator: Emulator):
        self.emulator = emulator
        self.server: Server | None = None

    def routes(self) -> list[web.RouteDef]:
        """What a server is given beside its venue's routes."""
        doors: dict[str, Callable[[dict[str, Any]], Awaitable[Any]]] = {
            "time": self.time,
            "advance": self.advance,
            "fault": self.fault,
            "rest": self.rest,
            "statistics": self.statistics,
            "truth": self.truth,
        }
        return [web.post(f"/emulator/{name}", _handler(door)) for name, door in doors.items()]

    async def time(self, asked: dict[str, Any]) -> Any:
        """What time it is there."""
        time = self.emulator.time
        told = {"now_ns": time.now_ns(), "start_ns": time.start_ns, "stepped": time.stepped}
        return told | {"skew_ns": self.emulator.skew_ns, "down": self.emulator.down}

    async def advance(self, asked: dict[str, Any]) -> Any:
        """Move stepped time on."""
        seconds = asked.get("seconds")
        if not self.emulator.time.stepped or self.server is None:
            told = '{"error":"time flows here; start with --speed step"}'
            raise web.HTTPConflict(text=told, content_type="application/json")
        if isinstance(seconds, bool) or not isinstance(seconds, int | float) or not 0 <= seconds <= ADVANCE_S_MAX:
            raise faults.BadFaults("seconds", seconds, f"a number from 0 to {ADVANCE_S_MAX:.0f}")
        await self.server.advance(float(seconds))
        return await self.time({})

    async def fault(self, asked: dict[str, Any]) -> Any:
        """Let a fault fire at the next opportunity."""
        emulator = self.emulator
        fault = faults.at_once(asked)
        emulator.faults.add(fault, emulator.time.now_ns())
        if fault.upon in (faults.SOCKET, faults.EXCHANGE):
            emulator.step()
        return {"fired": emulator.faults.fired[fault.kind]}

    async def rest(self, asked: dict[str, Any]) -> Any:
        """No more faults."""
        self.emulator.rest()
        return {}

    async def statistics(self, asked: dict[str, Any]) -> Any:
        """What was counted."""
        emulator = self.emulator
        return {
            **figures(emulator),
            "faults": {kind: emulator.faults.fired[kind] for kind in emulator.faults.kinds()},
            "befallen": dict(emulator.faults.befell),
            "venue": emulator.doors.statistics(emulator.time.now_ns()),
        }

    async def truth(self, asked: dict[str, Any]) -> Any:
        """What is so."""
        return self.emulator.doors.truth(self.emulator.venue_ns())


def _handler(door: Callable[[dict[str, Any]], Awaitable[Any]]) -> Callable[[web.Request], Awaitable[web.Response]]:
    """A door that reads and writes JSON."""

    async def handle(request: web.Request) -> web.Response:
        try:
            asked = msgspec.json.decode(await request.read() or b"{}", type=dict[str, Any])
            answer = await door(asked)
        except (msgspec.DecodeError, faults.BadFaults) as error:
            wrong = msgspec.json.encode({"error": str(error)})
            return web.Response(body=wrong, status=400, content_type="application/json")
        return web.Response(body=msgspec.json.encode(answer), content_type="application/json")

    return handle
